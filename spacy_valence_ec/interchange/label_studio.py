"""Label Studio: JSON, JSON-MIN, CSV and TSV exports, and tasks to import, with their labeling
config.

The data of a task that we write are `narrative_id`, `narrator`, `lang`, `date` and `text`, and
`record` with every other field of the narrative. None of the keys is `id`, which some exports
overwrite. Offsets are code points today; they were UTF-16 units before 2021, and with emoji until
2024, so that every span is compared with the text that it says it covers. Before version 1.0
(`completions`) ends were those of the last character.
"""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from ..corpus.jsonl import Problem, record_to_line
from ..files import atomic_write
from ..schema import EC_LABEL, Narrative, Offsets
from .offsets import OffsetUnit
from .scored import Scored, doubtful_first
from .sources import decode, parse_json, read_bytes
from .tasks import Annotation, Found, Mark, MistakeError, Notes, Task, guarded, whole

OFFSET_UNITS = (OffsetUnit.CODE_POINTS, OffsetUnit.UTF16, OffsetUnit.GRAPHEMES)

UNIT_CONTROL, CARRIER_CONTROL = "unit", "carrier"
MODEL_VERSION = "valence-ec"

# The value of the header does not begin with "$": Label Studio would take all of it for the name of
# a key that every task must have.
CONFIG = """\
<View>
  <Style>.htx-text{ white-space: pre-wrap; }</Style>
  <Header value="Narrative $narrative_id · $narrator · $date"/>
  <Text name="text" value="$text" granularity="word"/>
  <Labels name="unit" toName="text" choice="single">
    <Label value="negative" hotkey="1" background="#d73027"/>
    <Label value="neutral" hotkey="2" background="#bdbdbd"/>
    <Label value="positive" hotkey="3" background="#1a9850"/>
  </Labels>
  <Labels name="carrier" toName="text" choice="single">
    <Label value="EC" hotkey="4" background="#2166ac"/>
  </Labels>
</View>
"""

_OWN_KEYS = ("narrative_id", "narrator", "lang", "date", "text", "record")
_MIN_KEYS = (
    *("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"),
    *("label_studio_id", "inner_id"),
)


def read(path: Path, notes: Notes) -> Found:
    """The tasks of an export: JSON, JSON-MIN (.json), CSV or TSV."""
    return guarded(str(path), lambda: _read(path, notes))


def _read(path: Path, notes: Notes) -> Found:
    text = decode(read_bytes(path))
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        yield from _minimal_tasks(str(path), list(_rows(text)), notes)
        return
    value = parse_json(text)
    if isinstance(value, dict) and ("data" in value or "text" in value):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MistakeError(
            "label-studio", "a list of tasks is expected, as Label Studio exports it"
        )
    if any("data" in item for item in value):
        for number, item in enumerate(value, start=1):
            yield _task(str(path), number, item, notes)
    else:
        yield from _minimal_tasks(str(path), value, notes)


def _task(file: str, number: int, item: Mapping[str, Any], notes: Notes) -> Task | Problem:
    data = item.get("data")
    if not isinstance(data, dict):
        return Problem(file, number, "", "data-type", "the task has no object `data`")
    identity = _identity(data, data.get("id"), item.get("id"), number)
    try:
        notes["drafts passed over"] += len(_list(item, "drafts"))
        annotations = [
            *_annotations(_list(item, "completions"), notes, inclusive=True),
            *_annotations(_list(item, "annotations"), notes, inclusive=False),
        ]
        for prediction in _list(item, "predictions"):
            version = prediction.get("model_version")
            marks = _marks(_list(prediction, "result"), notes)
            annotations.append(Annotation(str(version or "predictions"), marks, is_prediction=True))
        fields = _fields(data, ("id",))
        return Task(file, number, identity, _text(data), tuple(annotations), fields)
    except MistakeError as mistake:
        return Problem(file, number, identity, mistake.rule, mistake.message)


def _annotations(
    items: Sequence[Mapping[str, Any]], notes: Notes, *, inclusive: bool
) -> Iterator[Annotation]:
    """The annotations in the order of time, without those that were cancelled."""
    for item in sorted(items, key=lambda a: str(a.get("updated_at") or a.get("created_at") or "")):
        if item.get("was_cancelled"):
            notes["cancelled annotations left out"] += 1
            continue
        yield Annotation(
            _annotator(item.get("completed_by"), item.get("id")),
            _marks(_list(item, "result"), notes),
            is_ground_truth=item.get("ground_truth") is True,
            inclusive=inclusive,
        )


def _annotator(completed_by: object, annotation: object) -> str:
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    if completed_by not in (None, ""):
        return str(completed_by)
    return "unknown" if annotation is None else f"annotation-{annotation}"


def _marks(results: Sequence[Mapping[str, Any]], notes: Notes) -> tuple[Mark, ...]:
    """The labeled spans; what is chosen for a span are further names of it."""
    chosen: dict[object, list[str]] = {}
    for result in results:
        value = result.get("value")
        if result.get("type") == "choices" and isinstance(value, dict):
            names = [str(name) for name in value.get("choices") or ()]
            chosen.setdefault(result.get("id"), []).extend(names)
    marks: list[Mark] = []
    for result in results:
        value = result.get("value")
        if isinstance(value, dict) and isinstance(value.get("labels"), list) and "start" in value:
            more = chosen.get(result.get("id"), [])
            marks += _marks_of(value, str(result.get("from_name", "")), more)
        elif result.get("type") == "relation":
            notes["relations passed over"] += 1
        elif result.get("type") != "choices":
            notes["results that are no spans passed over"] += 1
    return tuple(marks)


def _marks_of(value: Mapping[str, Any], layer: str, more: Sequence[str]) -> Iterator[Mark]:
    covered = value.get("text")
    for label in value["labels"]:
        yield Mark(
            whole(value.get("start")),
            whole(value.get("end")),
            (str(label), *more),
            layer,
            covered if isinstance(covered, str) else None,
        )


def _minimal_tasks(file: str, rows: Sequence[Mapping[str, Any]], notes: Notes) -> Found:
    """Tasks of rows with an annotation each, the rows of one task together."""
    tasks: dict[object, tuple[int, list[Mapping[str, Any]]]] = {}
    for number, row in enumerate(rows, start=1):
        key = row.get("id", f"row {number}")
        tasks.setdefault(str(key), (number, []))[1].append(row)
    for number, of_task in tasks.values():
        first = of_task[0]
        identity = _identity(first, None, first.get("id"), number)
        try:
            columns = [key for key, value in first.items() if _is_spans(value)]
            annotations = []
            for row in sorted(of_task, key=lambda row: str(row.get("updated_at") or "")):
                marks = [
                    mark
                    for key, value in row.items()
                    if _is_spans(value)
                    for item in value
                    for mark in _marks_of(item, key, ())
                ]
                annotator = _annotator(row.get("annotator"), row.get("annotation_id"))
                annotations.append(Annotation(annotator, tuple(marks)))
            fields = _fields(first, (*_MIN_KEYS, *columns))
            yield Task(file, number, identity, _text(first), tuple(annotations), fields)
        except MistakeError as mistake:
            yield Problem(file, number, identity, mistake.rule, mistake.message)


def _is_spans(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(item, dict) and isinstance(item.get("labels"), list) and "start" in item
            for item in value
        )
    )


def _rows(text: str) -> Iterator[dict[str, Any]]:
    """The rows of a table with a header, separated by commas or tabs; lists and objects in cells
    are JSON."""
    header = text.split("\n", 1)[0]
    delimiter = "\t" if header.count("\t") > header.count(",") else ","
    before = csv.field_size_limit(sys.maxsize)
    try:
        reader = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
        for row in reader:
            if None in row or None in row.values():
                raise MistakeError("csv", f"line {reader.line_num} has too many or too few cells")
            yield {key: _cell(key, value) for key, value in row.items()}
    except csv.Error:
        raise MistakeError("csv", f"not CSV: broken quotes by line {reader.line_num}") from None
    finally:
        csv.field_size_limit(before)


def _cell(key: str, value: str) -> Any:
    if key != "text" and value[:1] in ("[", "{"):
        try:
            return parse_json(value)
        except MistakeError:
            return value
    return value


def _identity(data: Mapping[str, Any], *others: Any) -> str:
    """That of the narrative; else of the data or, with "task-" before it, of the task."""
    own, of_data, *of_task = (data.get("narrative_id"), *others)
    for value in (own, of_data):
        if (isinstance(value, str) and value.strip()) or type(value) is int:
            return str(value)
    return f"task-{next(value for value in of_task if value is not None)}"


def _text(data: Mapping[str, Any]) -> str:
    text = data.get("text")
    if not isinstance(text, str):
        raise MistakeError("text-missing", "the data of the task have no string `text`")
    return text


def _fields(data: Mapping[str, Any], left_out: Iterable[str]) -> dict[str, Any]:
    """The fields of the narrative but its text and annotation."""
    fields = {key: data[key] for key in ("narrator", "lang") if data.get(key)}
    if isinstance(data.get("record"), dict):
        return fields | data["record"]
    rest = {key: value for key, value in data.items() if key not in (*_OWN_KEYS, *left_out)}
    return fields | rest | ({"date": data["date"]} if data.get("date") else {})


def _list(item: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The objects of a list that may be missing."""
    value = item.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise MistakeError(f"{key}-type", f"`{key}` must be a list")
    return [entry for entry in value if isinstance(entry, dict)]


def write(path: Path, items: list[Scored], notes: Notes) -> list[Path]:
    """Write tasks, and beside them (.config.xml) the labeling config. What was predicted goes out
    as predictions, the doubtful first; what a person annotated as annotations."""
    config = path.with_name(f"{path.stem}.config.xml")
    lines = [record_to_line(_exported(item)).rstrip("\n") for item in doubtful_first(items)]
    with atomic_write(path) as handle, atomic_write(config) as config_handle:
        handle.write("[\n" + ",\n".join(lines) + "\n]\n")
        config_handle.write(CONFIG)
    return [path, config]


def _exported(item: Scored) -> dict[str, Any]:
    narrative = item.narrative
    record = dict(narrative.extra)
    if narrative.candidates is not None:
        record["candidates"] = [{"start": c.start, "end": c.end} for c in narrative.candidates]
    date = narrative.extra.get("date")
    data = {
        "narrative_id": narrative.id,
        "narrator": narrative.narrator or "",
        "lang": narrative.lang,
        "date": date if isinstance(date, str) else "",
        "text": narrative.text,
        "record": record,
    }
    if not item.is_annotated:
        return {"data": data}
    n = len(narrative.units)
    scores = item.unit_scores or (None,) * n
    carrier_scores = item.carrier_scores or (None,) * len(narrative.carriers)
    results = [
        _region(narrative, f"u{i}", UNIT_CONTROL, unit, unit.valence, score)
        for i, (unit, score) in enumerate(zip(narrative.units, scores, strict=True), start=1)
    ] + [
        _region(narrative, f"c{i}", CARRIER_CONTROL, span, EC_LABEL, score)
        for i, (span, score) in enumerate(
            zip(narrative.carriers, carrier_scores, strict=True), start=1
        )
    ]
    if item.score is None:
        return {"data": data, "annotations": [{"result": results}]}
    prediction = {"model_version": MODEL_VERSION, "score": item.score, "result": results}
    return {"data": data, "predictions": [prediction]}


def _region(
    narrative: Narrative,
    identity: str,
    control: str,
    span: Offsets,
    label: str,
    score: float | None,
) -> dict[str, Any]:
    covered = narrative.text[span.start : span.end]
    return {
        "id": identity,
        "from_name": control,
        "to_name": "text",
        "type": "labels",
        **({} if score is None else {"score": score}),
        "value": {"start": span.start, "end": span.end, "text": covered, "labels": [label]},
    }
