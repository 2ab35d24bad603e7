"""`valence-ec agreement`: how well two annotations of the same narratives agree."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from .corpus import Lang, blank_pipeline
from .validate import read_valid

TITLES = ("n", "FU 1", "FU 2", "edge F", "FU F", "same", "κ val", "κ EC", "EC F", "~EC F")
LEGEND = """n: narratives; FU 1, FU 2: units of each; edge F: boundary F1; FU F: exact unit F1;
same: units with both edges alike; κ val: Cohen's kappa of their valence; κ EC: of the
tokens in a carrier; EC F, ~EC F: carrier F1, exact and by any overlap."""


def agreement(
    first: Annotated[Path, typer.Argument(help="Narratives with one annotation (JSON Lines).")],
    second: Annotated[Path, typer.Argument(help="The same narratives with the other one.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, narrators included, and no table.")
    ] = False,
    lang: Lang = "it",
) -> None:
    """Compare two annotations: boundaries, units, valence and carriers, in all and per narrator.

    Example: valence-ec agreement corpus/annotations/first.jsonl corpus/annotations/second.jsonl
    """
    from ..corpus.agreement import annotation_agreement

    overall, by_narrator = annotation_agreement(
        read_valid(first, skip_invalid=False),
        read_valid(second, skip_invalid=False),
        blank_pipeline(lang),
    )
    narrators = {name: asdict(found) for name, found in by_narrator.items()}
    if as_json:
        typer.echo(json.dumps({"all": asdict(overall), "narrators": narrators}, indent=2))
        return
    # Short titles: the table fits a terminal of 80 columns.
    table = Table("", *TITLES)
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("all", *map(_shown, asdict(overall).values()), end_section=True)
    for name, row in narrators.items():
        table.add_row(name, *map(_shown, row.values()))
    Console().print(table)
    typer.echo(LEGEND)


def _shown(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.2f}"
