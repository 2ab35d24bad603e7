"""A polarity lexicon: words and short phrases that color what a narrator tells.

The file has a line an entry, `pattern TAB polarity TAB kind`. A pattern is one to four words; a
word that ends in `*` matches any ending, as in LIWC's dictionaries. Polarity is -2 to 2.
"""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
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


@lru_cache(maxsize=1 << 15)
def fold(form: str) -> str:
    """A form as patterns are compared with: lower case, without accents and apostrophes (so that
    "perché", "perche'" and "perche" are one), without letters drawn out ("nooooo")."""
    decomposed = unicodedata.normalize("NFD", form.lower())
    letters = "".join(char for char in decomposed if not unicodedata.combining(char))
    letters = re.sub(r"([^\W\d_])\1{2,}", r"\1", letters.strip("'’`´"))
    return ABBREVIATIONS.get(letters, letters)


class PolarityLexicon:
    """Finds the entries of a lexicon in a text: at each place the longest one."""

    def __init__(self, entries: Sequence[Entry]):
        self.entries = tuple(entries)
        self._root = _Node()
        for entry in self.entries:
            node = self._root
            for word in entry.words:
                node = node.child(fold(word.rstrip("*")), is_stem=word.endswith("*"))
            node.entry = entry

    def matches(self, forms: Sequence[str]) -> Iterator[tuple[int, int, Entry]]:
        """(start, end, entry) of the matches in a sequence of words, from left to right, without
        overlap: at each place the one of most words, then the one with most letters given."""
        folded = [fold(form) for form in forms]
        i = 0
        while i < len(folded):
            n_words, _, entry = max(
                self._root.ends(folded, i, 0, 0), key=lambda end: end[:2], default=(1, 0, None)
            )
            if entry is not None:
                yield i, i + n_words, entry
            i += n_words

    def features(self, doc: Doc) -> np.ndarray:
        """float32 (n_tokens, N_FEATURES). White space between the words of a phrase is ignored."""
        tokens = [token.i for token in doc if not token.is_space]
        table = np.zeros((len(doc), N_FEATURES), dtype="float32")
        for start, end, entry in self.matches([doc[i].text for i in tokens]):
            column, value = feature_of(entry)
            table[tokens[start:end], column] = value
        return table


class _Node:
    """What may follow the words on the way to here: a trie over words and stems of words."""

    __slots__ = ("entry", "exact", "lengths", "stems")

    def __init__(self) -> None:
        self.entry: Entry | None = None
        self.exact: dict[str, _Node] = {}
        self.stems: dict[str, _Node] = {}
        self.lengths: list[int] = []  # of the stems, in order

    def child(self, word: str, *, is_stem: bool) -> "_Node":
        children = self.stems if is_stem else self.exact
        if word not in children:
            children[word] = _Node()
            self.lengths = sorted({len(stem) for stem in self.stems})
        return children[word]

    def ends(
        self, forms: Sequence[str], i: int, n_words: int, n_letters: int
    ) -> Iterator[tuple[int, int, Entry]]:
        """The entries that end at or after this node when `forms` is read on from i: number of
        words, number of letters given, entry."""
        if self.entry is not None:
            yield n_words, n_letters, self.entry
        if i == len(forms):
            return
        form = forms[i]
        if form in self.exact:
            letters = n_letters + len(form) + 1  # a whole word before a stem of the same length
            yield from self.exact[form].ends(forms, i + 1, n_words + 1, letters)
        for length in self.lengths:
            if length > len(form):
                break
            node = self.stems.get(form[:length])
            if node is not None:
                yield from node.ends(forms, i + 1, n_words + 1, n_letters + length)


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
        text = Path(path).read_text(encoding="utf-8-sig")
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
