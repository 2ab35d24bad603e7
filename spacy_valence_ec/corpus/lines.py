"""The line format: annotated narratives as a person types them, one functional unit a line.

    # narrator: lucia, register: plain-diary
    = Stamattina sono andata in comune,
    - [ho perso due ore]
    /
    + Stasera mi ha telefonato [mio figlio].

A block of lines is a narrative, an empty line ends it. Its first line may hold fields after `#`, as
`key: value` or as one JSON object. Each unit follows its valence: `+` positive, `-` negative, `=`
neutral. Carriers stand in square brackets. Units are joined by one space; `/` between two of them
is a line break in the text, and `/` with a JSON string any other white space. In a unit `\\[`,
`\\]` and `\\\\` are the characters themselves, `\\n`, `\\r` line ends, and `\\u` with four
hexadecimal digits is the character of that number.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..files import atomic_write
from ..schema import NEGATIVE, NEUTRAL, POSITIVE, Narrative, Offsets, Unit
from .jsonl import Problem, ReadResult, printable

VALENCE_OF_SIGN = {"-": NEGATIVE, "=": NEUTRAL, "+": POSITIVE}
SIGN_OF_VALENCE = {valence: sign for sign, valence in VALENCE_OF_SIGN.items()}
HEADER, GAP = "#", "/"
NAMED_FIELDS = ("id", "narrator", "lang", "candidates")

SIMPLE_VALUE = re.compile(r"[^\s,\"\[{][^,\"]*")
ESCAPES = {"[": "[", "]": "]", "\\": "\\", "n": "\n", "r": "\r"}
ESCAPED = {character: f"\\{name}" for name, character in ESCAPES.items()}
CODE = re.compile(r"[0-9a-fA-F]{4}")

Line = tuple[int, str]  # number in the file, text


@dataclass
class _Draft:
    """A narrative while its lines are read."""

    text: str = ""
    units: list[Unit] = field(default_factory=list)
    carriers: list[Offsets] = field(default_factory=list)
    gap: str | None = None  # before the next unit; None for the usual one


class _MistakeError(Exception):
    """A broken rule in a line: its name and what is wrong."""


def read_line_files(paths: Iterable[str | os.PathLike[str]]) -> ReadResult:
    """Read files in the line format. A narrative without `id` gets the name of its file and its
    number there. A narrative with a mistake is left out, and costs no other one.

    Raises:
        OSError: a file is missing or cannot be read.
    """
    result = ReadResult()
    place_of_id: dict[str, str] = {}
    for path in paths:
        _read_file(Path(path), place_of_id, result)
    return result


def _read_file(path: Path, place_of_id: dict[str, str], result: ReadResult) -> None:
    file = str(path)
    n_before = len(result.narratives) + len(result.problems)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        result.problems.append(Problem(file, 0, "", "encoding", "the file is not UTF-8"))
        return
    for number, block in enumerate(_blocks(text), start=1):
        fields: dict[str, Any] = {}
        line = block[0][0]
        try:
            if block[0][1].startswith(HEADER):
                fields = _parse_header(block[0][1])
                block = block[1:]
            identity = str(fields.setdefault("id", f"{path.stem}-{number:03}"))
            place = f"{printable(file)}:{line}"
            first = place_of_id.setdefault(identity, place)
            if first != place:
                raise _MistakeError("id-duplicate", f"also the id of the narrative at {first}")
            draft = _Draft()
            for number_of_line, content in block:
                line = number_of_line
                _read_line(content, draft)
            if not draft.units and draft.gap is None:
                raise _MistakeError("units-empty", "the narrative has no unit")
            result.narratives.append(_finish(draft, fields))
        except _MistakeError as mistake:
            rule, message = mistake.args
            identity = str(fields.get("id", ""))
            result.problems.append(Problem(file, line, identity, rule, message))
    if len(result.narratives) + len(result.problems) == n_before:
        result.problems.append(Problem(file, 0, "", "empty-file", "there is no narrative"))


def write_line_file(path: str | os.PathLike[str], narratives: Iterable[Narrative]) -> None:
    """Write narratives in the line format, or leave `path` as it is on any error."""
    blocks = ["\n".join(narrative_to_lines(narrative)) for narrative in narratives]
    with atomic_write(path) as handle:
        handle.write("\n\n".join(blocks) + "\n")


def narrative_to_lines(narrative: Narrative) -> list[str]:
    """The lines of one narrative, from which reading makes the same one."""
    fields: dict[str, Any] = {"id": narrative.id}
    if narrative.narrator is not None:
        fields["narrator"] = narrative.narrator
    if narrative.lang != Narrative.lang:
        fields["lang"] = narrative.lang
    fields |= narrative.extra
    if narrative.candidates is not None:
        fields["candidates"] = [{"start": c.start, "end": c.end} for c in narrative.candidates]
    lines = [_header(fields)]
    done = 0
    for i, unit in enumerate(narrative.units):
        lines += _gap_line(narrative.text[done : unit.start], "" if i == 0 else " ")
        own = [c for c in narrative.carriers if unit.start <= c.start < unit.end]
        lines.append(f"{SIGN_OF_VALENCE[unit.valence]} {_mark(narrative.text, unit, own)}")
        done = unit.end
    # A line of its own for what has no unit, so that it is no mistake.
    lines += _gap_line(narrative.text[done:], "" if narrative.units else None)
    return lines


def _blocks(text: str) -> Iterator[list[Line]]:
    block: list[Line] = []
    for number, line in enumerate(re.split(r"\r?\n", text), start=1):
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _parse_header(line: str) -> dict[str, Any]:
    content = line[len(HEADER) :].strip()
    if content.startswith("{"):
        try:
            fields = json.loads(content)
        except ValueError as error:
            raise _MistakeError("header", "the fields after '#' are no JSON object") from error
        if not isinstance(fields, dict):
            raise _MistakeError("header", "the fields after '#' are no JSON object")
        return fields
    fields = {}
    for part in filter(None, (part.strip() for part in content.split(","))):
        key, colon, value = part.partition(":")
        if not colon or not key.strip() or not value.strip():
            raise _MistakeError("header", "fields after '#' are written 'key: value, key: value'")
        fields[key.strip()] = value.strip()
    return fields


def _header(fields: Mapping[str, Any]) -> str:
    is_simple = all(
        isinstance(value, str)
        and SIMPLE_VALUE.fullmatch(value)
        and value == printable(value.strip())
        and re.fullmatch(r"[\w-]+", key)
        for key, value in fields.items()
    )
    if is_simple:
        return f"{HEADER} " + ", ".join(f"{key}: {value}" for key, value in fields.items())
    line = json.dumps(fields, ensure_ascii=False)
    # Half a surrogate pair, which UTF-8 cannot hold, and white space that ends a line for some.
    is_plain = line.isprintable()
    return f"{HEADER} {line if is_plain else json.dumps(fields)}"


def _read_line(line: str, draft: _Draft) -> None:
    if line.strip() == GAP:
        draft.gap = (draft.gap or "") + "\n"
        return
    if line.startswith(f"{GAP} "):
        draft.gap = (draft.gap or "") + _parse_gap(line)
        return
    sign, content = line[:1], line[2:]
    if sign not in VALENCE_OF_SIGN or line[1:2] != " " or not content.strip():
        raise _MistakeError("line", "a unit is '+', '-' or '=', a space and its text")
    if content != content.strip():
        raise _MistakeError("unit-space", "a unit begins or ends with white space")
    text, carriers = _parse_unit(content)
    if carriers and sign == SIGN_OF_VALENCE[NEUTRAL]:
        raise _MistakeError("carrier-neutral", "a neutral unit has no carrier")
    gap = draft.gap if draft.gap is not None else (" " if draft.units else "")
    start = len(draft.text) + len(gap)
    draft.text += gap + text
    draft.gap = None
    draft.units.append(Unit(start, start + len(text), VALENCE_OF_SIGN[sign]))
    draft.carriers += [Offsets(start + first, start + last) for first, last in carriers]


def _parse_gap(line: str) -> str:
    try:
        gap = json.loads(line[len(GAP) :])
    except ValueError:
        gap = None
    if not isinstance(gap, str) or gap.strip():
        raise _MistakeError("gap", "after '/' stands white space as a JSON string, or nothing")
    return gap


def _parse_unit(content: str) -> tuple[str, list[tuple[int, int]]]:
    """The text of a unit, and its carriers as offsets there."""
    text: list[str] = []
    carriers: list[tuple[int, int]] = []
    start: int | None = None
    at = 0
    while at < len(content):
        character = content[at]
        at += 1
        if character == "\\":
            name, code = content[at : at + 1], content[at + 1 : at + 5]
            if name == "u" and CODE.fullmatch(code):
                text.append(chr(int(code, 16)))
                at += 5
            elif name in ESCAPES:
                text.append(ESCAPES[name])
                at += 1
            else:
                known = "'[', ']', '\\', 'n', 'r', or 'u' and four digits"
                raise _MistakeError("escape", f"a backslash stands before {known}")
        elif character == "[":
            if start is not None:
                raise _MistakeError("carrier-nested", "a carrier inside a carrier")
            start = len(text)
        elif character == "]":
            if start is None:
                raise _MistakeError("carrier-bracket", "']' without '[' before it")
            if not "".join(text[start:]).strip():
                raise _MistakeError("carrier-empty", "a carrier without text")
            carriers.append((start, len(text)))
            start = None
        else:
            text.append(character)
    if start is not None:
        raise _MistakeError("carrier-bracket", "'[' without ']' behind it")
    return "".join(text), carriers


def _finish(draft: _Draft, fields: dict[str, Any]) -> Narrative:
    narrator = fields.get("narrator")
    try:
        spans = fields.get("candidates")
        candidates = (
            None if spans is None else tuple(Offsets(int(c["start"]), int(c["end"])) for c in spans)
        )
    except (TypeError, KeyError, ValueError) as error:
        message = "`candidates` is a list of objects with `start` and `end`"
        raise _MistakeError("candidates", message) from error
    return Narrative(
        id=str(fields["id"]),
        text=draft.text + (draft.gap or ""),
        units=tuple(draft.units),
        carriers=tuple(draft.carriers),
        candidates=candidates,
        narrator=None if narrator is None else str(narrator),
        lang=str(fields.get("lang", Narrative.lang)),
        extra={key: value for key, value in fields.items() if key not in NAMED_FIELDS},
    )


def _mark(text: str, unit: Unit, carriers: Iterable[Offsets]) -> str:
    """The text of a unit with its carriers in brackets; white space at its edges as numbers."""
    whole = text[unit.start : unit.end]
    first = unit.start + len(whole) - len(whole.lstrip())
    last = unit.start + len(whole.rstrip())

    def show(start: int, end: int) -> str:
        return "".join(
            ESCAPED.get(text[i], text[i]) if first <= i < last else _code(text[i])
            for i in range(start, end)
        )

    parts = []
    done = unit.start
    for carrier in sorted(carriers, key=lambda span: span.start):
        parts += [show(done, carrier.start), "[", show(carrier.start, carrier.end), "]"]
        done = carrier.end
    return "".join([*parts, show(done, unit.end)])


def _code(character: str) -> str:
    return f"\\u{ord(character):04x}"


def _gap_line(gap: str, usual: str | None) -> list[str]:
    if gap == usual:
        return []
    return [GAP] if gap == "\n" else [f"{GAP} {json.dumps(gap)}"]
