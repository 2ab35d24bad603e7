"""Prodigy: JSON Lines of `db-out`, and tasks for `spans.manual`.

Offsets are code points, and the last token of a span is counted in. Spans begin and end at tokens,
those of spaCy's tokenizer: others are snapped outward. `meta` is what the interface shows; all
other fields of the narrative stand in `record`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..corpus.jsonl import Problem, record_to_line
from ..files import atomic_write
from ..schema import EC_KEY, EC_LABEL, FU_KEY
from .scored import Scored, doubtful_first
from .sources import decode, json_lines, read_bytes
from .tasks import Annotation, Found, Mark, MistakeError, Notes, Task, guarded, whole
from .tokens import tokenized

if TYPE_CHECKING:
    from spacy.tokens import Doc

_META_KEYS = ("id", "narrator", "lang", "score")
_TOOL_KEYS = (
    *("text", "meta", "record", "tokens", "spans", "relations", "options", "accept", "answer"),
    *("versions", "sessions", "view_id", "label", "html", "config", "score"),
)


def read(path: Path, notes: Notes) -> Found:
    """The accepted examples of a dataset, those of one input together."""
    return guarded(str(path), lambda: _read(path, notes))


def _read(path: Path, notes: Notes) -> Found:
    tasks: dict[object, Task] = {}
    for number, value in json_lines(decode(read_bytes(path))):
        try:
            if isinstance(value, MistakeError):
                raise value
            if not isinstance(value, dict) or not isinstance(value.get("text"), str):
                raise MistakeError("text-missing", "there is no string `text`")
            answer = value.get("answer", "accept")
            if answer != "accept":
                known = answer if answer in ("reject", "ignore") else "unknown"
                notes[f"examples left out (answer: {known})"] += 1
                continue
            task = _task(str(path), number, value)
        except MistakeError as mistake:
            yield Problem(str(path), number, "", mistake.rule, mistake.message)
            continue
        notes["relations passed over"] += len(value.get("relations") or ())
        key = (task.id, value.get("_input_hash"), task.text)
        if key in tasks:
            first = tasks[key]
            annotations = first.annotations + task.annotations
            task = Task(first.file, first.number, first.id, first.text, annotations, first.fields)
        tasks[key] = task
    yield from tasks.values()


def _task(file: str, number: int, example: Mapping[str, Any]) -> Task:
    given = example.get("meta")
    meta = given if isinstance(given, dict) else {}
    own_id = meta.get("id")
    if isinstance(own_id, str) and own_id.strip():
        identity = own_id
    else:
        identity = f"input{example.get('_input_hash', -number)}"
    fields = {key: meta[key] for key in ("narrator", "lang") if meta.get(key)}
    record = example.get("record")
    if isinstance(record, dict):
        fields |= record
    else:
        fields |= {key: value for key, value in meta.items() if key not in _META_KEYS}
        fields |= {
            key: value
            for key, value in example.items()
            if key not in _TOOL_KEYS and not key.startswith("_")
        }
    annotator = example.get("_annotator_id") or example.get("_session_id") or "prodigy"
    annotation = Annotation(str(annotator), tuple(_marks(example)))
    return Task(file, number, identity, example["text"], (annotation,), fields)


def _marks(example: Mapping[str, Any]) -> Iterator[Mark]:
    spans = example.get("spans") or ()
    if not isinstance(spans, (list, tuple)) or not all(isinstance(s, dict) for s in spans):
        raise MistakeError("spans-type", "`spans` must be a list of objects")
    for span in spans:
        covered = span.get("text")
        yield Mark(
            whole(span.get("start")),
            whole(span.get("end")),
            (str(span.get("label")),),
            covered=covered if isinstance(covered, str) else None,
        )


def write(path: Path, items: list[Scored], notes: Notes) -> list[Path]:
    """Write tasks with tokens and suggested spans, the doubtful first."""
    with atomic_write(path) as handle:
        for item in doubtful_first(items):
            handle.write(record_to_line(_exported(item, notes)))
    return [path]


def _exported(item: Scored, notes: Notes) -> dict[str, Any]:
    narrative = item.narrative
    doc = tokenized(narrative, notes)
    record = dict(narrative.extra)
    if narrative.candidates is not None:
        record["candidates"] = [{"start": c.start, "end": c.end} for c in narrative.candidates]
    meta: dict[str, Any] = {
        "id": narrative.id,
        "narrator": narrative.narrator,
        "lang": narrative.lang,
    }
    if item.score is not None:
        meta |= {"score": item.score}
    return {
        "text": narrative.text,
        "tokens": _tokens(doc),
        "spans": [*_spans(doc, FU_KEY), *_spans(doc, EC_KEY)],
        "meta": {key: value for key, value in meta.items() if value is not None},
        "record": record,
    }


def _tokens(doc: "Doc") -> list[dict[str, Any]]:
    return [
        {
            "text": token.text,
            "start": token.idx,
            "end": token.idx + len(token),
            "id": token.i,
            "ws": bool(token.whitespace_),
        }
        for token in doc
    ]


def _spans(doc: "Doc", key: str) -> Iterator[dict[str, Any]]:
    for span in doc.spans[key]:
        yield {
            "start": span.start_char,
            "end": span.end_char,
            "token_start": span.start,
            "token_end": span.end - 1,
            "label": span.label_ if key == FU_KEY else EC_LABEL,
        }
