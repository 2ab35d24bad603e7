"""`valence-ec import`: public corpora, the line format, and files of other tools."""

from collections import Counter
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ..interchange.formats import FORMATS
from ..interchange.offsets import OffsetUnit
from .import_annotations import import_annotations
from .validate import SkipInvalid, require_valid

EPILOG = """[bold]Examples[/bold]

valence-ec import reccon sources/reccon reccon.jsonl

valence-ec import emoita sources/emoita emoita.jsonl

valence-ec import lines notes/ notes.jsonl

valence-ec import label-studio export.json corrected.jsonl --onto narratives.jsonl

valence-ec import doccano admin.jsonl corrected.jsonl --offsets utf-16 --map Bad=negative"""

LINES = "lines"


class Gaps(str, Enum):
    """What becomes of text that lies in no unit."""

    ERROR = "error"
    NEUTRAL = "neutral"


def import_corpus(
    corpus: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="A format of `valence-ec formats`; lines; or reccon, ecf, emoita or xed.",
        ),
    ],
    source: Annotated[
        Path,
        typer.Argument(
            help="File or folder of the tool, or folder of a corpus as it is published."
        ),
    ],
    output: Annotated[Path, typer.Argument(help="The .jsonl file to write.")],
    skip_invalid: SkipInvalid = False,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="NAME=LABEL",
            help="What a label or layer of the tool is: negative, neutral, positive, EC or ignore; "
            "may be repeated.",
        ),
    ] = None,
    annotator: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|ground-truth|each",
            help="Whose annotation to take where a text has several; with `each`, a file for each "
            "annotator.",
        ),
    ] = None,
    gaps: Annotated[
        Gaps, typer.Option(help="What becomes of text in no unit: an error or a neutral unit.")
    ] = Gaps.ERROR,
    offsets: Annotated[
        OffsetUnit | None,
        typer.Option(
            help="What the tool counts, where the file does not tell.", show_default=False
        ),
    ] = None,
    onto: Annotated[
        Path | None,
        typer.Option(
            metavar="ORIGINAL.jsonl",
            help="Put annotations back, by id, on the texts that were exported, with their fields.",
        ),
    ] = None,
) -> None:
    """Read what annotation tools and transcripts hold, a public corpus, or annotated lines.

    `valence-ec formats` lists the formats. Spans lose white space at their edges; what is left out,
    trimmed or filled is counted on standard error.

    Public corpora come with the split that experiments follow. None of them is annotated for
    functional units, valence and carriers: what stands for these is told when it is converted.
    RECCON and ECF are English (`lang = "en"` in a plan).

    `lines` reads a .txt file, or all those of a folder, in the line format: a functional unit a
    line behind `+`, `-` or `=`, carriers in brackets, an empty line between narratives.
    `valence-ec convert` writes it.
    """
    if corpus in FORMATS:
        import_annotations(
            FORMATS[corpus],
            source,
            output,
            labels=labels or (),
            annotator=annotator,
            fill_gaps=gaps is Gaps.NEUTRAL,
            offsets=offsets,
            onto=onto,
            skip_invalid=skip_invalid,
        )
        return
    if labels or annotator or offsets or onto or gaps is not Gaps.ERROR:
        raise typer.BadParameter("only files of annotation tools take options of annotations.")
    if corpus == LINES:
        import_lines(source, output, skip_invalid=skip_invalid)
        return
    from ..corpus.jsonl import write_narratives
    from ..corpus.split import SPLIT_FIELD
    from ..experiments.converters import CONVERTERS, LEFT_OUT

    if corpus not in CONVERTERS:
        known = ", ".join([*FORMATS, LINES, *CONVERTERS])
        raise typer.BadParameter(f"there is no '{corpus}': give one of {known}.")
    converter = CONVERTERS[corpus]
    narratives = converter.narratives(source)
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
