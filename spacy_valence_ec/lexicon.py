"""A polarity lexicon: words and short phrases that color what a narrator tells.

The file has a line an entry, `pattern TAB polarity TAB kind`. A pattern is one to four words; a
word that ends in `*` matches any ending, as in LIWC's dictionaries. Polarity is -2 to 2.
"""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from spacy.tokens import Doc

from .errors import Errors, ValenceECError

# What an entry is: the name of a feeling or a judgment; what happens, or a thing, person or
# action that is good or bad to have; the bodily sign or effect of a feeling; what turns a
# polarity round; what strengthens it.
FEELING, EVENT, SIGN, NEGATOR, INTENSIFIER = KINDS = (
    "feeling",
    "event",
    "sign",
    "negator",
    "intensifier",
)
POLAR_KINDS = (FEELING, EVENT, SIGN)

# Columns of the features of a token: for each polar kind its badness and its goodness, from 0 to
# 1; then whether it negates, and whether it strengthens.
N_FEATURES = 2 * len(POLAR_KINDS) + 2
MAX_POLARITY = 2
MAX_WORDS = 4

# Abbreviations that people type for words of the patterns.
ABBREVIATIONS = {
    "nn": "non",
    "n": "non",
    "xke": "perche",
    "xche": "perche",
    "ke": "che",
    "x": "per",
    "cmq": "comunque",
    "tt": "tutto",
    "qnd": "quando",
    "sn": "sono",
}


@dataclass(frozen=True)
class Entry:
    """One line of the file; `words` as written, a final `*` kept."""

    words: tuple[str, ...]
    polarity: int
    kind: str


def fold(form: str) -> str:
    """A form as patterns are compared with: lower case, without accents and apostrophes (so that
    "perché", "perche'" and "perche" are one), without letters drawn out ("nooooo")."""
    decomposed = unicodedata.normalize("NFD", form.lower())
    letters = "".join(char for char in decomposed if not unicodedata.combining(char))
    letters = re.sub(r"(\w)\1{2,}", r"\1", letters.strip("'’`´"))
    return ABBREVIATIONS.get(letters, letters)


class PolarityLexicon:
    """Finds the entries of a lexicon in a text: at each place the longest one."""

    def __init__(self, entries: Sequence[Entry]):
        self.entries = tuple(entries)
        self._exact: dict[str, list[_Pattern]] = {}
        self._stems: dict[str, list[_Pattern]] = {}
        for entry in self.entries:
            pattern = _Pattern.of(entry)
            stem, is_prefix = pattern.words[0]
            (self._stems if is_prefix else self._exact).setdefault(stem, []).append(pattern)
        self._stem_lengths = sorted({len(stem) for stem in self._stems})

    def matches(self, forms: Sequence[str]) -> Iterator[tuple[int, int, Entry]]:
        """(start, end, entry) of the matches in a sequence of words, from left to right, without
        overlap: at each place the one of most words, then the one with most letters given."""
        folded = [fold(form) for form in forms]
        i = 0
        while i < len(folded):
            found = [p for p in self._starting(folded[i]) if p.fits(folded, i)]
            if found:
                best = max(found, key=lambda pattern: pattern.rank)
                yield i, i + len(best.words), best.entry
                i += len(best.words)
            else:
                i += 1

    def features(self, doc: Doc) -> np.ndarray:
        """float32 (n_tokens, N_FEATURES). White space between the words of a phrase is ignored."""
        tokens = [token.i for token in doc if not token.is_space]
        table = np.zeros((len(doc), N_FEATURES), dtype="float32")
        for start, end, entry in self.matches([doc[i].text for i in tokens]):
            column, value = feature_of(entry)
            table[tokens[start:end], column] = value
        return table

    def _starting(self, form: str) -> Iterator["_Pattern"]:
        yield from self._exact.get(form, ())
        for length in self._stem_lengths:
            if length > len(form):
                break
            yield from self._stems.get(form[:length], ())


@dataclass(frozen=True)
class _Pattern:
    words: tuple[tuple[str, bool], ...]  # the form, and whether any ending may follow
    entry: Entry

    @classmethod
    def of(cls, entry: Entry) -> "_Pattern":
        words = tuple((fold(word.rstrip("*")), word.endswith("*")) for word in entry.words)
        return cls(words, entry)

    @property
    def rank(self) -> tuple[int, int, int]:
        exact = sum(not is_prefix for _, is_prefix in self.words)
        return len(self.words), sum(len(word) for word, _ in self.words), exact

    def fits(self, forms: Sequence[str], i: int) -> bool:
        return i + len(self.words) <= len(forms) and all(
            form.startswith(word) if is_prefix else form == word
            for form, (word, is_prefix) in zip(forms[i:], self.words, strict=False)
        )


def feature_of(entry: Entry) -> tuple[int, float]:
    """Column and value of an entry among the features of a token."""
    if entry.kind == NEGATOR:
        return N_FEATURES - 2, 1.0
    if entry.kind == INTENSIFIER:
        return N_FEATURES - 1, 1.0
    column = 2 * POLAR_KINDS.index(entry.kind) + (entry.polarity > 0)
    return column, abs(entry.polarity) / MAX_POLARITY


def read_lexicon_text(path: str | os.PathLike[str]) -> str:
    """The text of a lexicon, after a check of every line.

    Raises: ValenceECError L001 for a line that breaks the format, M004 for a missing file, M006
    for another encoding than UTF-8.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ValenceECError(Errors.M004.format(path=path)) from error
    except UnicodeDecodeError as error:
        raise ValenceECError(Errors.M006.format(path=path, offset=error.start)) from error
    parse_lexicon(text, path)
    return text


def parse_lexicon(text: str, name: str | os.PathLike[str]) -> PolarityLexicon:
    """The entries of a lexicon's text; blank lines and lines that begin with # are none.

    name: of the file, for messages.
    Raises: ValenceECError L001.
    """
    lines = enumerate(text.splitlines(), 1)
    return PolarityLexicon(
        [
            _parse(line, name, number)
            for number, line in lines
            if line.strip() and not line.startswith("#")
        ]
    )


def _parse(line: str, path: str | os.PathLike[str], number: int) -> Entry:
    fields = line.split("\t")
    why = "there must be three fields, set off by tabs"
    if len(fields) == 3:
        pattern, polarity, kind = fields
        words = tuple(pattern.split())
        if not 1 <= len(words) <= MAX_WORDS or not all(fold(word.rstrip("*")) for word in words):
            why = f"a pattern has one to {MAX_WORDS} words"
        elif kind not in KINDS:
            why = f"the kind must be one of {', '.join(KINDS)}"
        elif polarity not in {"-2", "-1", "0", "1", "2"}:
            why = "the polarity must be -2, -1, 0, 1 or 2"
        elif (polarity == "0") == (kind in POLAR_KINDS):
            why = "the polarity of a negator or intensifier is 0, of every other kind it is not"
        else:
            return Entry(words, int(polarity), kind)
    raise ValenceECError(Errors.L001.format(path=path, line=number, why=why))
