"""What networks read of a Doc: its words in one spelling, without white space.

The Doc itself, its text and all offsets stay as they were given. A view has one token for each
token of the Doc that is not blank, in the same order.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from spacy.attrs import IS_SPACE
from spacy.tokens import Doc

# Characters that no reader sees: soft hyphens, zero-width spaces and joiners, marks of direction
# and of byte order. Between pictographs a joiner is part of the emoji.
_EMOJI = "[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]"
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
    f"|\u200d(?<!{_EMOJI}\u200d)|\u200d(?!{_EMOJI})"
)
LINE_BREAK = re.compile("\r\n|[\n\r\u0085\u2028\u2029]")
MAX_LINE_BREAKS = 2  # a paragraph; more say nothing else
APOSTROPHES = "’‘‚‛ʼ＇`´"
QUOTES = "“”„‟＂"
_STRAIGHT = str.maketrans(dict.fromkeys(APOSTROPHES, "'") | dict.fromkeys(QUOTES, '"'))
_TYPOGRAPHIC = re.compile(f"[{APOSTROPHES}{QUOTES}]")

# A narrative is in capitals if it has so many letters and so large a share of them are.
MIN_LETTERS = 20
MAX_CAPITALS = 0.7


@dataclass(frozen=True)
class TextView:
    """A Doc as it is read, and where its tokens stand in the Doc as it was given.

    doc: the given one itself where nothing had to be changed.
    tokens: for each token of the view the index of that of the Doc, int (n,), rising; None where
        they are the same.
    """

    doc: Doc
    tokens: np.ndarray | None

    def place(self, i: int) -> int:
        """The token of the Doc that a token of the view stands for."""
        return i if self.tokens is None else int(self.tokens[i])

    def offsets(self, spans: np.ndarray) -> np.ndarray:
        """Spans of tokens of the Doc, int (n, 2), end exclusive, in tokens of the view."""
        return spans if self.tokens is None else np.searchsorted(self.tokens, spans)


def make_view(doc: Doc, *, line_breaks: bool = False, is_folded: bool = True) -> TextView:
    """Return the words of a Doc without invisible characters, composed (NFC), with straight quotes
    and apostrophes, and in lower case where the narrative is in capitals.

    line_breaks: keep white space that breaks a line, as one or two line feeds.
    is_folded: False to leave quotes and capitals as they are.

    A Doc of blank tokens alone is its own view.
    """
    text = doc.text
    blank = blank_tokens(doc)
    in_capitals = is_folded and is_in_capitals(text)
    if not blank.any() and not in_capitals and is_clean(text, is_folded=is_folded):
        return TextView(doc, None)
    if blank.all():
        return TextView(doc, None)
    hidden = _invisible_places(text)
    spell: Callable[[str], str] = _straighten if is_folded else _compose
    words, tokens, gaps = [], [], [""]
    for token, is_blank in zip(doc, blank, strict=True):
        word = token.text
        if is_blank:
            n_breaks = len(LINE_BREAK.findall(word)) if line_breaks else 0
            if not n_breaks:
                gaps[-1] += word + token.whitespace_
                continue
            word = "\n" * min(n_breaks, MAX_LINE_BREAKS)
        elif hidden:
            places = range(token.idx, token.idx + len(word))
            word = "".join(c for i, c in zip(places, word, strict=True) if i not in hidden)
        words.append(spell(word.lower() if in_capitals else word))
        tokens.append(token.i)
        gaps.append(token.whitespace_)
    spaces = _spaces(words, gaps[1:])
    if words == [token.text for token in doc] and spaces == _spaces_of(doc):
        return TextView(doc, None)
    view = Doc(doc.vocab, words=words, spaces=spaces)
    for i, place in enumerate(tokens):
        # The tokenizer may have given a word, not its form, another norm.
        if view[i].orth == doc[place].orth and view[i].norm != doc[place].norm:
            view[i].norm_ = doc[place].norm_
    return TextView(view, np.asarray(tokens) if len(words) < len(doc) else None)


def _spaces(words: list[str], gaps: list[str]) -> list[bool]:
    """Whether a space stands behind each word: none at the end of the text or beside a line
    break."""
    found = [any(map(str.isspace, gap)) for gap in gaps]
    for i, (word, following) in enumerate(pairwise([*words, "\n"])):
        if word[0] == "\n" or following[0] == "\n":
            found[i] = False
    return found


def _spaces_of(doc: Doc) -> list[bool]:
    """Whether a space stands behind each token; at the end of the text it is not looked at."""
    return [*(bool(token.whitespace_) for token in doc[:-1]), False]


def blank_tokens(doc: Doc) -> np.ndarray:
    """Which tokens are white space or invisible: bool, (n_tokens,)."""
    blank = np.asarray(doc.to_array([IS_SPACE]).reshape(-1), dtype=bool)
    if hidden := _invisible_places(doc.text):
        for token in doc:
            places = range(token.idx, token.idx + len(token))
            if hidden.issuperset(places):
                blank[token.i] = True
    return blank


def line_break_tokens(doc: Doc) -> np.ndarray:
    """Which tokens are white space that ends a line: bool, (n_tokens,)."""
    space = np.flatnonzero(doc.to_array([IS_SPACE]).reshape(-1)).tolist()
    found = np.zeros(len(doc), dtype=bool)
    found[[i for i in space if LINE_BREAK.search(doc[i].text)]] = True
    return found


def spell(word: str) -> str:
    """Return a word as a view has it, but for capitals."""
    visible = word if word.isascii() else INVISIBLE.sub("", word)
    return _straighten(visible)


def is_in_capitals(text: str) -> bool:
    """Return True for a narrative most of whose letters are capitals, such as "OGGI NON HO
    DORMITO"."""
    n_capitals = sum(map(str.isupper, text))
    if n_capitals <= MAX_CAPITALS * MIN_LETTERS:
        return False
    n_letters = sum(map(str.isalpha, text))
    return n_letters >= MIN_LETTERS and n_capitals > MAX_CAPITALS * n_letters


def is_clean(text: str, *, is_folded: bool = True) -> bool:
    """Return True if no character of a text is read as another one or not at all; white space and
    capitals are not looked at."""
    if text.isascii():
        return not is_folded or "`" not in text
    return (
        not INVISIBLE.search(text)
        and not (is_folded and _TYPOGRAPHIC.search(text))
        and unicodedata.is_normalized("NFC", text)
    )


def _straighten(word: str) -> str:
    return _compose(word).translate(_STRAIGHT)


def _compose(word: str) -> str:
    return word if word.isascii() else unicodedata.normalize("NFC", word)


def _invisible_places(text: str) -> set[int]:
    if text.isascii():
        return set()
    return {match.start() for match in INVISIBLE.finditer(text)}
