"""Annotations of a text that a tool has changed, put back on the text as it was.

Tools turn line ends into others, collapse or strip white space, and blank what XML cannot hold. All
else must be the same: then every other character has one place in the original.
"""

import re
from bisect import bisect_left
from collections.abc import Callable

from ..schema import Offsets
from .offsets import trim
from .tasks import MistakeError

# What XML 1.0 cannot hold; tools that write XML replace it by a blank.
ILLEGAL_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Move = Callable[[Offsets], Offsets]


def alignment(text: str, original: str) -> Move:
    """What takes a span of `text` to the same characters of `original`.

    Raises:
        MistakeError: they differ in more than white space; with the offset in `text`. The function
            that is returned raises it for a span that would be left with nothing.
    """
    if _differ_in_blanks_only(text, original):
        return lambda span: span
    here, there = _solid(text), _solid(original)
    if _difference(text, here, original, there) is not None:
        here = [at for at in here if not ILLEGAL_IN_XML.match(text[at])]
        there = [at for at in there if not ILLEGAL_IN_XML.match(original[at])]
        at = _difference(text, here, original, there)
        if at is not None:
            raise MistakeError(
                "onto-text", f"not the text of --onto: another one from offset {at} on"
            )

    def move(span: Offsets) -> Offsets:
        first, end = bisect_left(here, span.start), bisect_left(here, span.end)
        if first >= end:
            where = f"{span.start}-{span.end}"
            raise MistakeError("onto-blank", f"the span at {where} has no character in --onto")
        return Offsets(there[first], there[end - 1] + 1)

    return move


def normalize_line_ends(text: str) -> tuple[str, Move]:
    r"""`text` with "\n" for every line end, and what takes a span of `text` there, without the
    white space at its edges."""
    changed = text.replace("\r\n", "\n").replace("\r", "\n")
    if changed == text:
        return text, lambda span: span
    # How many characters are gone before each offset.
    gone, n = [0], 0
    for at, character in enumerate(text):
        n += character == "\n" and text[at - 1 : at] == "\r"
        gone.append(n)

    def move(span: Offsets) -> Offsets:
        trimmed = trim(text, span)
        return Offsets(trimmed.start - gone[trimmed.start], trimmed.end - gone[trimmed.end])

    return changed, move


def blank_illegal(text: str) -> str:
    """`text` with a blank for each character that XML cannot hold; offsets stay as they are."""
    return ILLEGAL_IN_XML.sub(" ", text)


def _differ_in_blanks_only(text: str, original: str) -> bool:
    """Whether `text` is `original` as it is, or with blanks for what XML cannot hold."""
    return text == original or (
        len(text) == len(original) and blank_illegal(text) == blank_illegal(original)
    )


def _solid(text: str) -> list[int]:
    """Offsets of the characters that are no white space."""
    return [at for at, character in enumerate(text) if not character.isspace()]


def _difference(text: str, here: list[int], original: str, there: list[int]) -> int | None:
    """The first offset of `here` at which `text` is not `original` at that of `there`."""
    for i in range(max(len(here), len(there))):
        if i >= len(here):
            return len(text)
        if i >= len(there) or text[here[i]] != original[there[i]]:
            return here[i]
    return None
