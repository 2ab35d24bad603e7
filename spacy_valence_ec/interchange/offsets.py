"""What a tool counts when it gives an offset: code points, UTF-16 units or graphemes.

Our own offsets are code points. JavaScript and Java count UTF-16 units, in which most emoji are
two; some interfaces count graphemes, in which an emoji of several code points is one.
"""

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple

from ..errors import missing_tool
from ..schema import Offsets
from .tasks import MistakeError

NO_EDGE = -1


class OffsetUnit(str, Enum):
    """What an offset counts."""

    CODE_POINTS = "code-points"
    UTF16 = "utf-16"
    GRAPHEMES = "graphemes"


class Counted(NamedTuple):
    """A span as a tool counts it, end exclusive, and the text that the tool says it covers."""

    start: int
    end: int
    covered: str | None = None


def edges(text: str, unit: OffsetUnit) -> Sequence[int]:
    """The code point at which each `unit` of `text` begins, and the length of `text` at the end.

    For UTF-16 the second half of a pair is `NO_EDGE`: no span begins or ends there.
    """
    if unit is OffsetUnit.CODE_POINTS:
        return range(len(text) + 1)
    found = []
    if unit is OffsetUnit.UTF16:
        for at, character in enumerate(text):
            found += [at, NO_EDGE] if ord(character) > 0xFFFF else [at]
    else:
        found = [match.start() for match in _graphemes(text)]
    return [*found, len(text)]


def to_code_points(span: Counted, edges_of_text: Sequence[int]) -> Offsets | None:
    """`span` in code points; None if it is empty, lies outside of the text or cuts a character."""
    if not 0 <= span.start < span.end < len(edges_of_text):
        return None
    start, end = edges_of_text[span.start], edges_of_text[span.end]
    return None if NO_EDGE in (start, end) else Offsets(start, end)


def from_code_points(spans: Iterable[Offsets], text: str, unit: OffsetUnit) -> list[Counted]:
    """`spans` as `unit` counts them. A span that begins or ends inside of a grapheme, which that
    unit cannot say, is widened to the whole one."""
    if unit is OffsetUnit.CODE_POINTS:
        return [Counted(span.start, span.end) for span in spans]
    starts = [0] * (len(text) + 1)
    ends = [0] * (len(text) + 1)
    points = edges(text, unit)
    last = 0
    for number, point in enumerate(points):
        if point == NO_EDGE:
            continue
        for inside in range(last + 1, point):
            starts[inside] = starts[last]
            ends[inside] = number
        starts[point] = ends[point] = number
        last = point
    return [Counted(starts[span.start], ends[span.end]) for span in spans]


def choose_offsets(
    spans: Sequence[Counted],
    text: str,
    units: Iterable[OffsetUnit],
    *,
    inclusive: bool = False,
) -> list[Offsets]:
    """`spans` in code points, by the only way of counting that fits every one of them.

    A way fits when each span lies in the text and, where the tool names the text that it covers,
    covers just that (white space apart, which tools collapse and escape). With `inclusive`, ends
    may also be those of the last character.

    Raises:
        MistakeError: no way fits, or several do and lead to different places.
    """
    ways = [(unit, extra) for unit in units for extra in ((1, 0) if inclusive else (0,))]
    if inclusive and all(span.covered is None for span in spans):
        ways = [(unit, 1) for unit, _ in ways]  # as such files are written
    found: dict[tuple[Offsets, ...], tuple[OffsetUnit, list[Offsets]]] = {}
    missed: Counted | None = None
    for unit, extra in ways:
        known = edges(text, unit)
        fitted = []
        for span in spans:
            moved = Counted(span.start, span.end + extra, span.covered)
            offsets = to_code_points(moved, known)
            if offsets is None or not _covers(text, offsets, span.covered):
                missed = missed or span
                break
            fitted.append(offsets)
        else:
            found.setdefault(tuple(trim(text, span) for span in fitted), (unit, fitted))
    if missed and not found:
        raise MistakeError(
            "offsets",
            f"the span at {missed.start}-{missed.end} is not where its text is, or leaves the "
            "text: it was changed, or the offsets count something else (--offsets)",
        )
    if len(found) > 1:
        names = ", ".join(sorted({unit.value for unit, _ in found.values()}))
        raise MistakeError(
            "offsets-unknown",
            f"the offsets may be {names}: say which with --offsets",
        )
    ((_, offsets_of_all),) = found.values()
    return offsets_of_all


def trim(text: str, span: Offsets) -> Offsets:
    """`span` without white space at its edges; its end twice if there is nothing else."""
    covered = text[span.start : span.end]
    end = span.start + len(covered.rstrip())
    return Offsets(min(span.start + len(covered) - len(covered.lstrip()), end), end)


def _covers(text: str, span: Offsets, covered: str | None) -> bool:
    return covered is None or _dense(text[span.start : span.end]) == _dense(covered)


def _dense(text: str) -> str:
    """`text` without white space and without line ends that are written as escapes."""
    return "".join(re.sub(r"\\[nrt]", "", text).split())


def _graphemes(text: str) -> Iterable[re.Match[str]]:
    try:
        import regex
    except ImportError:
        raise missing_tool("regex", "counts graphemes") from None
    matches: Iterable[re.Match[str]] = regex.finditer(r"\X", text)
    return matches
