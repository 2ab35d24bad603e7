"""`valence-ec export`: narratives in the formats of annotation tools."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import Errors, ValenceECError
from ..interchange.formats import FORMATS
from ..interchange.offsets import OffsetUnit
from ..interchange.scored import read_scored
from ..interchange.tasks import Notes
from .validate import SkipInvalid, print_problems

EPILOG = """[bold]Examples[/bold]

valence-ec export label-studio analyzed.jsonl tasks.json

valence-ec export brat corpus/narratives.jsonl brat/"""


def export(
    format_name: Annotated[
        str, typer.Argument(metavar="FORMAT", help="A format of `valence-ec formats`.")
    ],
    source: Annotated[
        Path, typer.Argument(metavar="INPUT.jsonl", help="Annotated, analyzed or bare narratives.")
    ],
    output: Annotated[Path, typer.Argument(help="The file or folder to write.")],
    skip_invalid: SkipInvalid = False,
    offsets: Annotated[
        OffsetUnit | None,
        typer.Option(
            help="What the tool counts, where it is a setting of it (doccano: utf-16, which is the "
            "default, or graphemes).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write narratives for an annotation tool.

    Units and carriers that `valence-ec analyze` predicted go out as suggestions, the narratives
    with the least certain unit first; those of a person as annotations. What the tool cannot hold
    is told on standard error.
    """
    chosen = FORMATS.get(format_name)
    writers = [found.name for found in FORMATS.values() if found.write]
    if chosen is None or chosen.write is None:
        known = ", ".join(writers)
        raise typer.BadParameter(f"'{format_name}' cannot be written: give one of {known}.")
    if offsets and (chosen.write_counted is None or offsets not in chosen.offset_units):
        raise typer.BadParameter(f"{chosen.name} does not count {offsets.value}.")
    result = read_scored(source)
    print_problems(result.problems)
    if result.problems and not skip_invalid:
        raise ValenceECError(Errors.D007.format(n=len(result.problems), path=source))
    if not result.items:
        raise ValenceECError(Errors.D008.format(path=source))
    notes = Notes()
    if offsets and chosen.write_counted:
        written = chosen.write_counted(output, result.items, notes, offsets)
    else:
        written = chosen.write(output, result.items, notes)
    if notes.lines():
        typer.echo(f"{chosen.name} cannot hold: {'; '.join(notes.lines())}", err=True)
    for path in written:
        typer.echo(str(path))
    units = sum(len(item.narrative.units) for item in result.items)
    carriers = sum(len(item.narrative.carriers) for item in result.items)
    typer.echo(f"{len(result.items):,} narratives, {units:,} units, {carriers:,} carriers")
