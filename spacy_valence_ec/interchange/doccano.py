"""doccano: JSON Lines of sequence labeling, of today and of before 2021, with relations or without.

Offsets are UTF-16 units or, in projects in grapheme mode, graphemes; the covered text is not given,
so that where it matters a person must say which (`--offsets`). A download is a file for each user,
alone, in a folder or in a .zip: the name of the file is that of the annotator. Columns beside text
and labels stand in `meta`, or at the top.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..corpus.jsonl import Problem, record_to_line
from ..files import atomic_write
from ..schema import EC_LABEL, Offsets
from .alignment import normalize_line_ends
from .names import stem_of
from .offsets import OffsetUnit, edges, from_code_points, to_code_points
from .scored import Scored, doubtful_first
from .sources import archive_members, decode, json_lines, parse_json, read_bytes
from .tasks import Annotation, Found, Mark, MistakeError, Notes, Task, guarded, whole

OFFSET_UNITS = (OffsetUnit.UTF16, OffsetUnit.GRAPHEMES)

SUFFIXES = (".jsonl", ".json")
LABEL_KEYS = ("label", "labels", "annotations", "entities")
_OTHER_KEYS = ("text", "data", "id", "meta", "relations", "Comments", "annotation_approver")
_OWN_KEYS = ("narrative_id", "record")


def read(path: Path, notes: Notes) -> Found:
    """The records of a file, or those of each user in a folder or .zip, by text together."""
    return guarded(str(path), lambda: _together(_files(path, notes)))


def _files(path: Path, notes: Notes) -> Found:
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.suffix.lower() in SUFFIXES:
                yield from _records(str(file), lambda file=file: read_bytes(file), notes)
    elif path.suffix.lower() == ".zip":
        for name, content in archive_members(path, lambda name: name.lower().endswith(SUFFIXES)):
            yield from _records(f"{path}/{name}", lambda content=content: content, notes)
    else:
        yield from _records(str(path), lambda: read_bytes(path), notes)


def _records(file: str, content: Any, notes: Notes) -> Found:
    annotator = stem_of(file, SUFFIXES)

    def found() -> Found:
        text = decode(content())
        for number, value in _values(text):
            try:
                if isinstance(value, MistakeError):
                    raise value
                yield _task(file, number, value, annotator, notes)
            except MistakeError as mistake:
                yield Problem(file, number, "", mistake.rule, mistake.message)

    return guarded(file, found)


def _values(text: str) -> Iterator[tuple[int, Any]]:
    """The records of JSON Lines, of a list, or the one that is written over several lines."""
    if text.lstrip()[:1] == "[":
        value = parse_json(text)
        yield from enumerate(value, start=1)
        return
    found = list(json_lines(text))
    if found and text.split("\n", 1)[0].strip() == "{":
        found = [(1, parse_json(text))]
    yield from found


def _task(file: str, number: int, record: Any, annotator: str, notes: Notes) -> Task:
    if not isinstance(record, dict):
        raise MistakeError("not-an-object", "the line is JSON, but no object")
    text = record.get("text", record.get("data"))
    if not isinstance(text, str):
        raise MistakeError("text-missing", "there is no string `text`")
    meta = record.get("meta")
    fields = dict(meta) if isinstance(meta, dict) else {}
    fields |= {k: v for k, v in record.items() if k not in (*_OTHER_KEYS, *LABEL_KEYS)}
    own_id, number_there = fields.get("narrative_id"), record.get("id")
    if isinstance(own_id, str) and own_id.strip():
        identity = own_id
    elif number_there is not None:
        identity = f"doccano-{number_there}"
    else:
        identity = f"{annotator}-{number}"
    rest = fields.pop("record", None)
    fields = {k: v for k, v in fields.items() if k not in _OWN_KEYS and v is not None}
    if isinstance(rest, dict):
        fields |= rest
    notes["relations passed over"] += len(record.get("relations") or ())
    annotations = (Annotation(annotator, tuple(_marks(record))),)
    return Task(file, number, identity, text, annotations, fields)


def _marks(record: Mapping[str, Any]) -> Iterator[Mark]:
    for key in LABEL_KEYS:
        for item in record.get(key) or ():
            if isinstance(item, list) and len(item) == 3:
                start, end, label = item
            elif isinstance(item, dict):
                start, end = item.get("start_offset"), item.get("end_offset")
                label = item.get("label")
            else:
                raise MistakeError("label-type", f"`{key}` holds no labeled spans")
            yield Mark(whole(start), whole(end), (str(label),))


def _together(found: Found) -> Found:
    """The tasks of all users; those with one id and text are one."""
    tasks: dict[tuple[str, str], Task] = {}
    for item in found:
        if isinstance(item, Problem):
            yield item
            continue
        key = (item.id, item.text)
        first = tasks.get(key)
        if first is None or first.file == item.file:
            if first is not None:
                yield first  # the same record twice in one file: told as a duplicate
            tasks[key] = item
        else:
            annotations = first.annotations + item.annotations
            tasks[key] = Task(
                first.file, first.number, first.id, first.text, annotations, first.fields
            )
    yield from tasks.values()


def write(
    path: Path, items: list[Scored], notes: Notes, unit: OffsetUnit = OffsetUnit.UTF16
) -> list[Path]:
    """Write JSON Lines to import, the doubtful first."""
    with atomic_write(path) as handle:
        for item in doubtful_first(items):
            handle.write(record_to_line(_exported(item, notes, unit)))
    return [path]


def _exported(item: Scored, notes: Notes, unit: OffsetUnit) -> dict[str, Any]:
    narrative = item.narrative
    text, move = normalize_line_ends(narrative.text)
    notes["texts whose line ends became \\n (--onto brings them back)"] += text != narrative.text
    notes["narratives with scores"] += item.score is not None
    spans = [move(span) for span in (*narrative.units, *narrative.carriers)]
    labels = [unit_.valence for unit_ in narrative.units] + [EC_LABEL] * len(narrative.carriers)
    counted = from_code_points(spans, text, unit)
    known = edges(text, unit)
    notes["spans widened to whole graphemes"] += sum(
        to_code_points(there, known) != Offsets(span.start, span.end)
        for span, there in zip(spans, counted, strict=True)
    )
    record = dict(narrative.extra)
    if narrative.candidates is not None:
        candidates = [move(span) for span in narrative.candidates]
        record["candidates"] = [{"start": c.start, "end": c.end} for c in candidates]
    return {
        "text": text,
        "label": [[s.start, s.end, label] for s, label in zip(counted, labels, strict=True)],
        "narrative_id": narrative.id,
        "narrator": narrative.narrator,
        "lang": narrative.lang,
        "record": record,
    }
