"""Reading an answer that a model wrote freely, as tolerantly as can be."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from unicodedata import category, normalize

from ..schema import VALENCES
from .prompts import JUDGMENTS
from .templates import YES


class Answer(NamedTuple):
    """valence: None if none was asked for, or none could be read. judgments: of each candidate,
    False where none could be read. is_valid: whether all that was asked for could be read."""

    valence: str | None
    judgments: tuple[bool, ...]
    is_valid: bool


def parse_answer(
    text: str, words: Mapping[str, str], *, has_valence: bool, candidates: Sequence[str]
) -> Answer:
    """Read the word of a valence, and a yes or no for each candidate.

    Case, accents and signs are passed over, and so is what stands in between. The valence is the
    first word that is one before any candidate; a candidate's judgment the first yes or no after
    its name, before the name of another one. Candidates of the same name are judged in order.
    """
    rest = _simple(text)
    valence = None
    is_valid = True
    if has_valence:
        labels = {_simple(words[label]).strip(): label for label in VALENCES}
        # A name of a candidate may hold such a word.
        names = [start for start, _ in (_find(rest, name, 0) for name in candidates) if start >= 0]
        pattern = _any_of(labels)
        word = pattern.search(rest, 0, min(names, default=len(rest)) + 1) or pattern.search(rest)
        is_valid = word is not None
        valence = labels[word.group()] if word else None
    judged = {_simple(words[key]).strip(): key == YES for key in JUDGMENTS}
    pattern = _any_of(judged)
    places, at = [], 0
    for name in candidates:
        start, end = _find(rest, name, at)
        places.append((start, end))
        at = end if start >= 0 else at
    judgments = []
    for i, (start, end) in enumerate(places):
        following = [place for place, _ in places[i + 1 :] if place >= 0]
        stop = following[0] if following else len(rest)
        found = pattern.search(rest, max(end - 1, 0), stop + 1) if start >= 0 else None
        is_valid = is_valid and found is not None
        judgments.append(judged[found.group()] if found else False)
    return Answer(valence, tuple(judgments), is_valid)


def _simple(text: str) -> str:
    """Lower-case words without accents, a space on each side of every one."""
    letters = "".join(c for c in normalize("NFD", text.lower()) if category(c) != "Mn")
    return " " + " ".join(re.findall(r"\w+", letters)) + " "


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Any of some words, whole, in a simple text."""
    return re.compile(rf"(?<= )({'|'.join(map(re.escape, words))})(?= )")


def _find(text: str, name: str, start: int) -> tuple[int, int]:
    """Where a name stands in a simple text, from `start` on, with the space on each side: -1 if
    nowhere, or if it holds no word."""
    simple = _simple(name)
    at = text.find(simple, max(start - 1, 0)) if simple.strip() else -1
    return at, at + len(simple)
