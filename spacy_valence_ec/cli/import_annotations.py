"""Importing from annotation tools and transcripts, for `valence-ec import`."""

import re
from collections.abc import Sequence
from pathlib import Path

import typer

from ..corpus.jsonl import (
    COMPRESSED,
    SUFFIX,
    narrative_to_record,
    read_narratives,
    write_records,
)
from ..interchange.formats import Format
from ..interchange.narratives import (
    EACH,
    ImportOptions,
    annotated_narratives,
    parse_labels,
    plain_narratives,
)
from ..interchange.offsets import OffsetUnit
from ..interchange.tasks import Notes
from ..schema import Narrative
from .validate import print_problems, require_valid


def import_annotations(
    chosen: Format,
    source: Path,
    output: Path,
    *,
    labels: Sequence[str],
    annotator: str | None,
    fill_gaps: bool,
    offsets: OffsetUnit | None,
    onto: Path | None,
    skip_invalid: bool,
) -> None:
    """Write the narratives of `source`, in the format `chosen`, to `output`; with the annotator
    `each`, to a file for each annotator, named after it.

    Raises: ValenceECError D007 and D008, as `require_valid`, X001, X002, X003 and X004; OSError for
    a path that cannot be read or written.
    """
    if not source.exists():
        source.stat()  # raises what reading would, before anything else is looked at
    notes = Notes()
    found = chosen.read(source, notes)
    if not chosen.is_annotated:
        results = {"": plain_narratives(found)}
    else:
        originals = None if onto is None else _originals(onto)
        options = ImportOptions(parse_labels(labels), annotator, fill_gaps, offsets, originals)
        results = annotated_narratives(found, options, chosen.offset_units, notes, source)
    for line in notes.lines():
        typer.echo(line, err=True)
    rules = {problem.rule for result in results.values() for problem in result.problems}
    if "uncovered-text" in rules and not fill_gaps:
        typer.echo("To make a neutral unit of what lies in none: --gaps neutral", err=True)
    checked = {
        name: require_valid(result, source, skip_invalid=skip_invalid)
        for name, result in results.items()
    }
    for path, narratives in _outputs(checked, output, annotator):
        write_records(path, (_record(narrative, chosen) for narrative in narratives))
        units = sum(len(narrative.units) for narrative in narratives)
        carriers = sum(len(narrative.carriers) for narrative in narratives)
        sizes = f", {units:,} units, {carriers:,} carriers" if chosen.is_annotated else ""
        typer.echo(f"{path}: {len(narratives):,} narratives{sizes}")


def _originals(path: Path) -> dict[str, Narrative]:
    result = read_narratives(path, gold=False)
    print_problems(result.problems)
    return {narrative.id: narrative for narrative in result.narratives}


def _record(narrative: Narrative, chosen: Format) -> dict[str, object]:
    record = narrative_to_record(narrative)
    if not chosen.is_annotated:
        record.pop("units", None)
        record.pop("carriers", None)
    return record


def _outputs(
    narratives: dict[str, list[Narrative]], output: Path, annotator: str | None
) -> list[tuple[Path, list[Narrative]]]:
    if annotator != EACH:
        return [(output, found) for found in narratives.values()]
    paths: dict[Path, list[Narrative]] = {}
    for name, found in narratives.items():
        path = _path_of(output, re.sub(r"[^\w.@+-]", "_", name)[:60])
        while path in paths:  # another name with the same letters
            path = path.with_name(f"_{path.name}")
        paths[path] = found
    return list(paths.items())


def _path_of(output: Path, annotator: str) -> Path:
    """`output` with a name before its suffix."""
    name = output.name
    for suffix in (SUFFIX + COMPRESSED, SUFFIX):
        if name.lower().endswith(suffix):
            at = len(name) - len(suffix)
            return output.with_name(f"{name[:at]}.{annotator}{name[at:]}")
    return output.with_name(f"{name}.{annotator}")
