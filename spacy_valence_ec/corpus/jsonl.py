"""The interchange format: JSON Lines, one narrative a line, offsets in Unicode code points; a file
whose name ends in .gz is compressed.

Reading checks every rule of the format and goes on after each broken one, so that a person mends
a file once and not rule by rule. What a problem says never quotes the line: ids, positions and
offsets only, because narratives are private.
"""

import codecs
import gzip
import json
import math
import os
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, TypeVar

from ..files import atomic_write
from ..schema import METADATA_FIELD, NEUTRAL, VALENCES, Narrative, Offsets, Unit

SUFFIX, COMPRESSED = ".jsonl", ".gz"

FIELDS = ("id", "narrator", "lang", "text", "units", "carriers", "candidates")
_QUOTABLE = {*FIELDS, "start", "end", "valence"}

# json writes these as they are, and many programs take them for the end of a line.
_LINE_BREAKS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}

OffsetsT = TypeVar("OffsetsT", bound=Offsets)


@dataclass(frozen=True)
class Problem:
    """A broken rule.

    `line` counts from 1 and is 0 for the file as a whole; `id` is empty where the line has none
    that can be read. `str()` is what a person sees: `file:line: id: [rule] message`.
    """

    file: str
    line: int
    id: str
    rule: str
    message: str

    def __str__(self) -> str:
        identity = printable(self.id) or "-"
        return f"{printable(self.file)}:{self.line}: {identity}: [{self.rule}] {self.message}"


@dataclass(frozen=True)
class ReadResult:
    """The narratives without a problem, in the order of the file, and every problem found."""

    narratives: list[Narrative] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class _Report:
    """Collects the broken rules of one line."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def __call__(self, rule: str, message: str) -> None:
        self.found.append((rule, message))


def is_jsonl(path: Path) -> bool:
    """Return True if a file is named as JSON Lines, compressed or not."""
    name = path.name.lower()
    return name.endswith((SUFFIX, SUFFIX + COMPRESSED))


def is_compressed(path: str | os.PathLike[str]) -> bool:
    """Return True if a file is named as a gzip file."""
    return os.fspath(path).lower().endswith(COMPRESSED)


def read_narratives(path: str | os.PathLike[str], *, gold: bool = True) -> ReadResult:
    """Read a file of narratives and check it.

    With `gold`, a narrative must be fully annotated. Without it (input for prediction) only `text`
    is required: an `id` that is missing or no string becomes `line-N`, and every field but
    `id`, `text`, `narrator` and `lang` is kept as it came in `extra`, annotation included.

    A line with a problem gives no narrative, and never costs another line. A UTF-8 byte-order mark
    at the start and empty lines are skipped; lines end at `\\n` or `\\r\\n` only.

    Raises:
        OSError: the file is missing or cannot be read.
    """
    result = ReadResult()
    first_line: dict[str, int] = {}
    is_empty = True
    line = 0
    try:
        for line, raw in enumerate(_raw_lines(path), start=1):
            if not raw.strip():
                continue
            is_empty = False
            report = _Report()
            narrative = None
            record = _parse(raw, report)
            identity = ""
            if record is not None:
                identity = record["id"] if _is_identifier(record.get("id")) else ""
                if gold:
                    if identity and first_line.setdefault(identity, line) != line:
                        report("id-duplicate", f"also the id of line {first_line[identity]}")
                    narrative = _check_gold(record, report)
                else:
                    narrative = _check_input(record, line, report)
            for rule, message in report.found:
                result.problems.append(Problem(str(path), line, identity, rule, message))
            if narrative is not None and not report.found:
                result.narratives.append(narrative)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        is_empty = False
        message = "the compressed file is damaged or cut off after this line"
        result.problems.append(Problem(str(path), line, "", "gzip", message))
    if is_empty:
        result.problems.append(Problem(str(path), 0, "", "empty-file", "there is no narrative"))
    return result


def check_input(record: object, number: int) -> tuple[Narrative | None, list[Problem]]:
    """The narrative of a record to analyze, None if something is wrong, and what that is.

    Checked like a line that is read without `gold`: only `text` is required, and a record without
    an id is called `line-N` by its number.
    """
    report = _Report()
    narrative = None
    if isinstance(record, Mapping):
        record = dict(record)
        narrative = _check_input(record, number, report)
    else:
        report("not-an-object", "neither a text nor a record")
    identity = narrative.id if narrative else ""
    problems = [Problem("record", number, identity, *found) for found in report.found]
    return (None if problems else narrative), problems


def _raw_lines(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """The lines of a file without their ends, and without a byte-order mark."""
    open_file: Any = gzip.open if is_compressed(path) else open
    with open_file(path, "rb") as handle:
        for number, raw in enumerate(handle):
            if number == 0:
                raw = raw.removeprefix(codecs.BOM_UTF8)
            yield raw.removesuffix(b"\n").removesuffix(b"\r")


def write_narratives(path: str | os.PathLike[str], narratives: Iterable[Narrative]) -> None:
    """Write `narratives` in place of what is at `path`, or leave that as it is on any error.

    Raises:
        OSError: `path` cannot be written.
    """
    write_records(path, map(narrative_to_record, narratives))


def write_records(path: str | os.PathLike[str], records: Iterable[Mapping[str, Any]]) -> None:
    """Write `records` one a line, like `write_narratives`; the same records make the same file,
    compressed or not.

    Raises:
        OSError: `path` cannot be written.
        ValueError: a record holds NaN or an infinite number, which JSON does not have.
    """
    lines = map(record_to_line, records)
    if not is_compressed(path):
        with atomic_write(path) as handle:
            handle.writelines(lines)
        return
    with ExitStack() as stack:
        raw = stack.enter_context(atomic_write(path, binary=True))
        # Neither a name nor a time in the header: they would make each file another one.
        packed = stack.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0))
        packed.writelines(line.encode("utf-8") for line in lines)


def record_to_line(record: Mapping[str, Any]) -> str:
    """`record` as a line of JSON with its line end, which UTF-8 can always encode.

    Raises:
        ValueError: it holds NaN or an infinite number, which JSON does not have.
    """
    line = json.dumps(record, ensure_ascii=False, allow_nan=False).translate(_LINE_BREAKS)
    if _surrogate_at(line) is not None:
        # Half an emoji, in a field of the user's own: only an escape can hold it.
        line = json.dumps(record, ensure_ascii=True, allow_nan=False)
    return line + "\n"


def narrative_to_record(narrative: Narrative) -> dict[str, Any]:
    """The line of the format, as a dict. Annotation that is not there at all is left out.

    `extra` wins over the fields of the format, so that input for prediction comes back as it was.
    """
    record: dict[str, Any] = {"id": narrative.id}
    if narrative.narrator is not None:
        record["narrator"] = narrative.narrator
    record |= {"lang": narrative.lang, "text": narrative.text}
    if narrative.units or not narrative.text.strip():
        record["units"] = [
            {"start": unit.start, "end": unit.end, "valence": unit.valence}
            for unit in narrative.units
        ]
        record["carriers"] = [_span_record(span) for span in narrative.carriers]
    if narrative.candidates is not None:
        record["candidates"] = [_span_record(span) for span in narrative.candidates]
    return record | dict(narrative.extra)


def check_record(record: Mapping[str, Any]) -> tuple[Narrative | None, list[tuple[str, str]]]:
    """The annotated narrative that `record` is, None if it breaks a rule, and the broken rules with
    what is wrong; the uniqueness of its id is not checked."""
    report = _Report()
    narrative = _check_gold(dict(record), report)
    return (None if report.found else narrative), report.found


def input_to_record(narrative: Narrative) -> dict[str, Any]:
    """`narrative_to_record` of a narrative to analyze: a blank text, whose annotation can be
    nothing but empty, does not get one that it did not come with."""
    record = narrative_to_record(narrative)
    if not narrative.units:
        for name in ("units", "carriers"):
            if name not in narrative.extra:
                record.pop(name, None)
    return record


def printable(text: str, limit: int = 100) -> str:
    """`text` safe for a terminal: control characters escaped, cut after `limit` characters."""
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text[:limit]
    )
    return shown + ("…" if len(text) > limit else "")


def _span_record(span: Offsets) -> dict[str, int]:
    return {"start": span.start, "end": span.end}


def _parse(raw: bytes, report: _Report) -> dict[str, Any] | None:
    """The object on a line; None when there is none."""

    def checked_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(pairs)
        if len(record) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    named = f"'{key}'" if key in _QUOTABLE else "a field"
                    report("duplicate-key", f"{named} is given more than once")
                seen.add(key)
        return record

    def finite(number: str) -> float:
        value = float(number)
        if not math.isfinite(value):
            raise ValueError
        return value

    try:
        record = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=checked_object,
            parse_constant=finite,
            parse_float=finite,
        )
    except UnicodeDecodeError as error:
        report("utf-8", f"the byte at offset {error.start} of the line is not UTF-8")
    except json.JSONDecodeError as error:
        # After a colon some messages of the json module quote the line.
        report("json", f"not JSON: {error.msg.split(':')[0]} at offset {error.pos} of the line")
    except RecursionError:
        report("json", "not JSON that can be read: nested too deeply")
    except ValueError:
        report("json", "not JSON that can be read: NaN, an infinite number or one too long")
    else:
        if isinstance(record, dict):
            return record
        report("not-an-object", "the line is JSON, but no object")
    return None


def _check_input(record: dict[str, Any], line: int, report: _Report) -> Narrative | None:
    text = _check_text(record, report)
    if text is None:
        return None
    known = {
        name: record[name]
        for name in ("id", "narrator", "lang")
        if _is_identifier(record.get(name))
    }
    extra = {key: value for key, value in record.items() if key != "text" and key not in known}
    return Narrative(**({"id": f"line-{line}"} | known), text=text, extra=extra)


def _check_gold(record: dict[str, Any], report: _Report) -> Narrative | None:
    """The narrative; not to be used when anything was reported."""
    identity = _check_name(record, "id", report) if "id" in record else None
    if "id" not in record:
        report("id-missing", "there is no 'id'")
    narrator = _check_name(record, "narrator", report, optional=True)
    lang = _check_name(record, "lang", report, optional=True)
    text = _check_text(record, report)

    units: list[Unit] = []
    for name, span, item in _check_spans(record, "units", text, report):
        valence = item.get("valence")
        if not isinstance(valence, str) or valence not in VALENCES:
            report(
                "valence", f"{name}: 'valence' must be {', '.join(VALENCES[:-1])} or {VALENCES[-1]}"
            )
            valence = ""
        if span is not None:
            units.append(Unit(span.start, span.end, valence))
    carriers = [span for _, span, _ in _check_spans(record, "carriers", text, report) if span]
    candidates = None
    if record.get("candidates") is not None:
        found = _check_spans(record, "candidates", text, report)
        candidates = tuple(span for _, span, _ in found if span)

    if text is None or identity is None:
        return None
    if isinstance(record.get("units"), list):
        metadata = []
        if record.get(METADATA_FIELD) is not None:
            spans = _check_spans(record, METADATA_FIELD, text, report)
            metadata = [span for _, span, _ in spans if span]
        _check_units(units, metadata, text, report)
        _check_carriers(carriers, units, report)
    return Narrative(
        id=identity,
        text=text,
        units=tuple(units),
        carriers=tuple(carriers),
        candidates=candidates,
        narrator=narrator,
        lang=lang or Narrative.lang,
        extra={key: value for key, value in record.items() if key not in FIELDS},
    )


def _surrogate_at(text: str) -> int | None:
    """Offset of the first lone surrogate, which UTF-8 and spaCy cannot hold."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return error.start
    return None


def _is_identifier(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and _surrogate_at(value) is None


def _check_name(
    record: dict[str, Any], name: str, report: _Report, *, optional: bool = False
) -> str | None:
    value = record.get(name)
    if optional and value is None:
        return None
    if not isinstance(value, str):
        report(f"{name}-type", f"'{name}' must be a string")
    elif not value.strip():
        report(f"{name}-empty", f"'{name}' is empty")
    elif _surrogate_at(value) is not None:
        report("lone-surrogate", f"'{name}' holds half a surrogate pair")
    else:
        return value
    return None


def _check_text(record: dict[str, Any], report: _Report) -> str | None:
    text = record.get("text")
    if "text" not in record:
        report("text-missing", "there is no 'text'")
    elif not isinstance(text, str):
        report("text-type", "'text' must be a string")
    elif (offset := _surrogate_at(text)) is not None:
        report("lone-surrogate", f"'text' holds half a surrogate pair at {offset}")
    else:
        return text
    return None


def _check_spans(
    record: dict[str, Any], name: str, text: str | None, report: _Report
) -> Iterator[tuple[str, Offsets | None, dict[str, Any]]]:
    """Name, offsets and object of each item of the list `record[name]`.

    The offsets are cut to the text, so that one bad end does not hide the rules broken
    elsewhere; None when nothing is left.
    """
    items = record.get(name)
    if name not in record:
        report(f"{name}-missing", f"there is no '{name}'")
        return
    if not isinstance(items, list):
        report(f"{name}-type", f"'{name}' must be a list")
        return
    for index, item in enumerate(items):
        label = f"{name}[{index}]"
        if isinstance(item, dict):
            yield label, _check_offsets(item, label, text, report), item
        else:
            report(f"{name}-type", f"{label} must be an object")


def _check_offsets(
    item: dict[str, Any], label: str, text: str | None, report: _Report
) -> Offsets | None:
    start, end = item.get("start"), item.get("end")
    # A bool is an int in Python, and none in JSON.
    if type(start) is not int or type(end) is not int:
        report("offset-type", f"{label}: 'start' and 'end' must be whole numbers")
        return None
    if start < 0 or end < 0:
        report("offset-negative", f"{label}: an offset is negative")
    if start >= end:
        report("offset-order", f"{label}: 'start' must be less than 'end'")
    if text is not None:
        if max(start, end) > len(text):
            report("offset-past-end", f"{label}: past the end of the text, {len(text)}")
        end = min(end, len(text))
    start = max(start, 0)
    if start >= end:
        return None
    if text is not None and text[start:end].isspace():
        report("blank-span", f"{label}: there is only white space at {start}-{end}")
    return Offsets(start, end)


def _overlaps(spans: Iterable[OffsetsT]) -> Iterator[tuple[OffsetsT, OffsetsT]]:
    """Each span, in order of offsets, that begins inside an earlier one, after that one."""
    reach: OffsetsT | None = None
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if reach is not None and span.start < reach.end:
            yield reach, span
        if reach is None or span.end > reach.end:
            reach = span


def _check_units(units: list[Unit], metadata: list[Offsets], text: str, report: _Report) -> None:
    """Report units out of order, that overlap, and text outside of units and metadata."""
    for before, unit in pairwise(units):
        if unit.start < before.start:
            report("unit-order", f"the unit at {_at(unit)} comes after the one at {_at(before)}")
    for before, unit in _overlaps(units):
        report("unit-overlap", f"the units at {_at(before)} and {_at(unit)} overlap")
    covered = 0
    end = Offsets(len(text), len(text))
    spans = [*sorted([*units, *metadata], key=lambda span: span.start), end]
    for span in spans:
        gap = text[covered : span.start]
        if gap.strip():
            start = covered + len(gap) - len(gap.lstrip())
            outside = Offsets(start, start + len(gap.strip()))
            report("uncovered-text", f"the text at {_at(outside)} lies in no unit")
        covered = max(covered, span.end)


def _check_carriers(carriers: list[Offsets], units: list[Unit], report: _Report) -> None:
    units = sorted(units, key=lambda unit: unit.start)
    starts = [unit.start for unit in units]
    reach = list(accumulate((unit.end for unit in units), max))
    for carrier in carriers:
        touched = []
        # Backward from the last unit that begins before the carrier ends.
        index = bisect_left(starts, carrier.end) - 1
        while index >= 0 and reach[index] > carrier.start:
            if units[index].end > carrier.start:
                touched.append(units[index])
            index -= 1
        holding = [u for u in touched if u.start <= carrier.start and carrier.end <= u.end]
        if not holding and len(touched) > 1:
            report("carrier-across-units", f"the carrier at {_at(carrier)} lies in several units")
        elif not holding:
            report("carrier-outside-units", f"the carrier at {_at(carrier)} lies inside no unit")
        elif all(unit.valence == NEUTRAL for unit in holding):
            report("carrier-in-neutral-unit", f"the carrier at {_at(carrier)} is in a neutral unit")
    for before, carrier in _overlaps(carriers):
        report("carrier-overlap", f"the carriers at {_at(before)} and {_at(carrier)} overlap")


def _at(span: Offsets) -> str:
    return f"{span.start}-{span.end}"
