"""`valence-ec stats`: what a corpus consists of."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..corpus.statistics import CoOccurrence, CorpusStatistics, Distribution, corpus_statistics
from .validate import SkipInvalid, read_valid

# Roccabruna, Mousavi and Riccardi 2023.
_PAPER = {
    "narratives": "481",
    "narrators": "45",
    "units": "4,273",
    "non-neutral units": "40%",
    "units with a carrier": "18.5%",
}


def stats(
    file: Annotated[Path, typer.Argument(help="Annotated narratives (JSON Lines).")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON (shares from 0 to 1) and no table.")
    ] = False,
    skip_invalid: SkipInvalid = False,
) -> None:
    """Describe a corpus: sizes, valence, carriers, lengths, beside the figures of the paper.

    Example: valence-ec stats corpus/narratives.jsonl --json
    """
    found = corpus_statistics(read_valid(file, skip_invalid=skip_invalid))
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    else:
        Console().print(_table(found))


def _table(found: CorpusStatistics) -> Table:
    table = Table("", "this corpus", "paper")
    for column in table.columns[1:]:
        column.justify = "right"

    def row(name: str, value: str) -> None:
        table.add_row(name, value, _PAPER.get(name, ""))

    row("narratives", f"{found.narratives:,}")
    row("narrators", f"{found.narrators:,}")
    if found.without_narrator:
        row("narratives without narrator", f"{found.without_narrator:,}")
    row("words", f"{found.words:,}")
    row("characters", f"{found.characters:,}")
    row("units", f"{found.units:,}")
    for valence, share in found.valence_shares.items():
        row(f"{valence} units", f"{share:.1%}")
    row("non-neutral units", f"{found.non_neutral_share:.1%}")
    row("units with a carrier", f"{found.carrier_share:.1%}")
    row("carriers", f"{found.carriers:,}")
    table.add_section()
    row("", "mean (min, median, max)")
    row("units per narrative", _lengths(found.units_per_narrative))
    row("words per unit", _lengths(found.words_per_unit))
    row("words per carrier", _lengths(found.words_per_carrier))
    table.add_section()
    cells = found.co_occurrence
    row("", "with, without a carrier")
    row("non-neutral", f"{cells.non_neutral_with:,}, {cells.non_neutral_without:,}")
    row("neutral", f"{cells.neutral_with:,}, {cells.neutral_without:,}")
    row("odds ratio (95% interval)", _odds(cells))
    if cells.corrected:
        table.caption = "Odds ratio with 0.5 added to each cell (Haldane-Anscombe): one is 0."
    return table


def _lengths(lengths: Distribution | None) -> str:
    if lengths is None:
        return "-"
    return f"{lengths.mean:.1f} ({lengths.min}, {lengths.median:g}, {lengths.max})"


def _odds(cells: CoOccurrence) -> str:
    if cells.odds_ratio is None:
        return "-"
    return f"{cells.odds_ratio:,.1f} ({cells.ci_low:,.1f} to {cells.ci_high:,.1f})"
