"""`valence-ec import`: public corpora, and files in the line format, in the interchange format."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from .validate import SkipInvalid, require_valid

EPILOG = """[bold]Examples[/bold]

valence-ec import reccon sources/reccon reccon.jsonl

valence-ec import emoita sources/emoita emoita.jsonl

valence-ec import lines notes/ notes.jsonl"""

LINES = "lines"


def import_corpus(
    corpus: Annotated[str, typer.Argument(help="reccon, ecf, emoita or xed; or lines.")],
    folder: Annotated[
        Path, typer.Argument(help="Folder of the corpus, as it is published; files of lines.")
    ],
    output: Annotated[Path, typer.Argument(help="The .jsonl file to write.")],
    skip_invalid: SkipInvalid = False,
) -> None:
    """Convert a public corpus, with the split that experiments follow, or annotated lines.

    None of them is annotated for functional units, valence and carriers: what stands for these is
    told when it is converted. RECCON and ECF are English (`lang = "en"` in a plan).

    `lines` reads a .txt file, or all those of a folder, in the line format: a functional unit a
    line behind `+`, `-` or `=`, carriers in brackets, an empty line between narratives.
    `valence-ec convert` writes it.
    """
    if corpus == LINES:
        import_lines(folder, output, skip_invalid=skip_invalid)
        return
    from ..corpus.jsonl import write_narratives
    from ..corpus.split import SPLIT_FIELD
    from ..experiments.converters import CONVERTERS, LEFT_OUT

    if corpus not in CONVERTERS:
        known = ", ".join([*CONVERTERS, LINES])
        raise typer.BadParameter(f"there is no '{corpus}': give one of {known}.")
    converter = CONVERTERS[corpus]
    narratives = converter.narratives(folder)
    write_narratives(output, narratives)
    parts = Counter(narrative.extra[SPLIT_FIELD] for narrative in narratives)
    units = sum(len(narrative.units) for narrative in narratives)
    carriers = sum(len(narrative.carriers) for narrative in narratives)
    left_out = sum(narrative.extra.get(LEFT_OUT, 0) for narrative in narratives)
    sizes = ", ".join(f"{n:,} {part}" for part, n in sorted(parts.items()))
    typer.echo(f"{output}: {len(narratives):,} narratives ({sizes}), {units:,} units")
    typer.echo(f"{carriers:,} carriers; {left_out:,} could not be kept")
    typer.echo(f"Proxy: {converter.proxy}")


def import_lines(source: Path, output: Path, *, skip_invalid: bool) -> None:
    """Write the narratives of a file, or of all .txt files of a folder, as JSON Lines.

    Raises: ValenceECError D007 and D008, as `require_valid`; OSError for a path that cannot be
    read.
    """
    from ..corpus.jsonl import ReadResult, write_narratives
    from ..corpus.lines import read_line_files

    paths = sorted(source.glob("*.txt")) if source.is_dir() else [source]
    result = read_line_files(paths) if paths else ReadResult()
    narratives = require_valid(result, source, skip_invalid=skip_invalid)
    write_narratives(output, narratives)
    units = sum(len(narrative.units) for narrative in narratives)
    carriers = sum(len(narrative.carriers) for narrative in narratives)
    typer.echo(f"{output}: {len(narratives):,} narratives, {units:,} units, {carriers:,} carriers")
