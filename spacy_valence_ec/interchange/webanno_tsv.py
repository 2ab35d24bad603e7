"""WebAnno TSV 3: one document a file, one token a line, offsets in UTF-16 units.

The text is that of the sentences; what lies between them is known by its length only.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..schema import Offsets
from .offsets import NO_EDGE, OffsetUnit, edges
from .tasks import Mark, MistakeError

FORMAT = "#FORMAT=WebAnno TSV 3"
LAYERS = ("#T_SP=", "#T_CH=", "#T_RL=")
SPANS = LAYERS[0]
TEXT = "#Text="

ROW = re.compile(r"(\d{1,9}-\d{1,9}(?:\.\d{1,9})?)\t(\d{1,9})-(\d{1,9})\t")
SEPARATOR = re.compile(r"(?<!\\)((?:\\\\)*)\|")
NUMBER = re.compile(r"(?<!\\)((?:\\\\)*)\[(\d{1,9})\]$")
ESCAPE = re.compile(r"\\(.)", re.DOTALL)
ESCAPED = {"t": "\t", "n": "\n", "r": "\r"}

NOTHING, NO_VALUE = "_", "*"


@dataclass(frozen=True)
class _Layer:
    """A layer: its type, and the columns that hold its features."""

    name: str
    is_span: bool
    columns: range


@dataclass
class _Found:
    """A span while its rows are read, in UTF-16 units."""

    start: int
    end: int
    values: tuple[str, ...]


@dataclass
class _Document:
    layers: list[_Layer] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    length: int = 0  # of the text so far, in UTF-16 units
    gaps: int = 0
    lines: list[str] = field(default_factory=list)  # of the sentence that is read
    spans: dict[tuple[object, ...], tuple[str, _Found]] = field(default_factory=dict)


def parse_tsv(content: str) -> tuple[str, list[Mark], int]:
    """The text, its marks in code points, and how many characters between sentences are only known
    to be there: they are line ends in the text.

    Raises:
        MistakeError: it is not WebAnno TSV 3, or broken.
    """
    if not content.startswith(FORMAT):
        raise MistakeError("tsv", "not WebAnno TSV 3: the first line does not say so")
    document = _Document()
    rows: list[tuple[int, str, Offsets]] = []
    for number, line in enumerate(re.split(r"\r?\n", content), start=1):
        if line.startswith(LAYERS):
            document.layers.append(_layer(line, document.layers))
        elif line.startswith(TEXT):
            document.lines.append(_unescape(line[len(TEXT) :]))
        elif match := ROW.match(line):
            span = Offsets(int(match[2]), int(match[3]))
            if document.lines:
                _add_sentence(document, span.start, number)
            cells = line[match.end() :].split("\t")
            rows.append((number, _unescape(cells[0]), span))
            _read_cells(document, match[1], span, cells[1:], number)
        elif line.strip() and not line.startswith("#"):
            raise MistakeError("tsv", f"line {number} is no token")
    text = "".join(document.parts)
    known = edges(text, OffsetUnit.UTF16)
    for number, token, span in rows:
        found = _in_code_points(span.start, span.end, known)
        if text[found.start : found.end] != token:
            raise MistakeError("offsets", f"line {number}: the token is not at its offsets")
    marks = []
    for layer, found_span in document.spans.values():
        offsets = _in_code_points(found_span.start, found_span.end, known)
        names = (layer.rpartition(".")[2], layer, *found_span.values)
        marks.append(Mark(offsets.start, offsets.end, names, layer))
    return text, marks, document.gaps


def _layer(line: str, before: list[_Layer]) -> _Layer:
    """The layer of a line of the header. One without features has a column too."""
    name, *features = line.split("=", 1)[1].split("|")
    first = before[-1].columns.stop if before else 0
    columns = range(first, first + max(1, len(features)))
    return _Layer(name, line.startswith(SPANS), columns)


def _add_sentence(document: _Document, start: int, number: int) -> None:
    """Append a sentence, which begins at its first token, and line ends up to there."""
    gap = start - document.length
    if gap < 0 or gap > 10_000:
        raise MistakeError("offsets", f"line {number}: the sentence does not follow the one before")
    sentence = "\n".join(document.lines)
    document.lines.clear()
    document.parts += ["\n" * gap, sentence]
    document.gaps += gap
    document.length = start + sum(2 if ord(char) > 0xFFFF else 1 for char in sentence)


def _read_cells(
    document: _Document, row: str, span: Offsets, cells: list[str], number: int
) -> None:
    if len([cell for cell in cells if cell]) < sum(len(layer.columns) for layer in document.layers):
        raise MistakeError("tsv", f"line {number} has too few columns")
    for layer in document.layers:
        if not layer.is_span:
            continue
        stacks = [list(_values(cells[column])) for column in layer.columns]
        for place, parts in enumerate(zip(*stacks, strict=False)):
            numbers = [part[1] for part in parts if part[1]]
            key = (layer.name, numbers[0]) if numbers else (layer.name, row, place)
            values = tuple(value for value, _ in parts if value is not None)
            found = document.spans.setdefault(
                key, (layer.name, _Found(span.start, span.end, values))
            )[1]
            found.start = min(found.start, span.start)
            found.end = max(found.end, span.end)


def _values(cell: str) -> Iterator[tuple[str | None, str]]:
    """The stacked values of a cell: the value, None for a span without one, and its number."""
    if cell == NOTHING:
        return
    for part in SEPARATOR.sub(r"\1\t", cell).split("\t"):
        match = NUMBER.search(part)
        value = part[: match.start()] + match[1] if match else part
        yield (None if value == NO_VALUE else _unescape(value)), match[2] if match else ""


def _unescape(text: str) -> str:
    return ESCAPE.sub(lambda match: ESCAPED.get(match[1], match[1]), text)


def _in_code_points(start: int, end: int, known: Sequence[int]) -> Offsets:
    """A span of UTF-16 units, which may be empty."""
    if not 0 <= start <= end < len(known) or NO_EDGE in (known[start], known[end]):
        raise MistakeError("offsets", f"the span at {start}-{end} is not in the text")
    return Offsets(known[start], known[end])
