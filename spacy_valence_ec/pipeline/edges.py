"""Where no functional unit and no emotion carrier can begin or end."""

from collections.abc import Sequence
from itertools import pairwise
from unicodedata import category

import numpy as np
from spacy.lang.tokenizer_exceptions import emoticons
from spacy.tokens import Doc, Token

from ..text_view import blank_tokens, make_view

# What an edge between two words is. FREE: units and carriers may end and begin there. WITHIN: none,
# it lies in a word, a number, or between a title and its name. OPENING: behind an opening mark or
# an elided article; a carrier may begin there. CLOSING: before a mark, or an emoji, that belongs to
# the words before it; a carrier may end there, and a unit ends behind it. EMOJI: none, it lies in
# an emoji sequence; a unit ends behind it.
FREE, WITHIN, OPENING, CLOSING, EMOJI = range(5)

# A name or a number follows.
TITLES = frozenset(
    """
    arch. art. avv. cav. col. comm. dott. dott.ssa dr. egr. gen. geom. gent. ill.
    ing. mons. on. prof. prof.ssa rag. rev. s. sac. sig. sig.na sig.ra sigg. ss. st.
    ten. c.so l.go p.le p.za p.zza str. v. v.le
    """.split()  # noqa: SIM905 (as spaCy writes its lists of words)
)
# A number follows.
QUANTITIES = frozenset(
    """
    artt. ca. cap. cfr. circ. cm. ecc. es. etc. fig. int. kg. km. max. mt. min. n.
    n.ro nn. nr. num. p. pag. pagg. pp. rif. sec. tel. tot. vol.
    """.split()  # noqa: SIM905 (as spaCy writes its lists of words)
)
STREETS = frozenset(["via", "viale", "corso", "piazza", "piazzale", "largo"])  # a name follows
OPENERS = frozenset("«“‘‹([{¿¡")
CLOSERS = frozenset(".,;:!?…»”’)]}›")
GUILLEMETS = frozenset("»”’›")  # behind white space they open a quotation of another custom
QUOTES = frozenset("\"'")
APOSTROPHES = frozenset("'’ʼ`´")
JOINTS = frozenset("/\\-‐‑–_&@+=*#%°~^|")
NUMBER_JOINTS = frozenset(".,:")
ZERO_WIDTH_JOINER = "\u200d"
REGIONAL = range(0x1F1E6, 0x1F200)


def classify_edges(doc: Doc) -> np.ndarray:
    """What each edge between a token and the next one is, int8 (n_tokens,). Before, inside and
    behind white space it is the same edge. The one after the last word is free. Invisible
    characters belong to the word before them."""
    edges = np.full(len(doc), FREE, dtype="int8")
    view = make_view(doc, line_breaks=True, is_folded=False)
    text = view.doc.text
    words = [token for token in view.doc if not token.is_space]
    places = [view.place(word.i) for word in words]
    gaps = [text[word.idx + len(word) : following.idx] for word, following in pairwise(words)]
    is_quoted = False
    for k, word in enumerate(words[:-1]):
        is_quoted ^= word.text == '"'
        edges[places[k] : places[k + 1]] = classify_edge(words, gaps, k, is_quoted)
    if view.tokens is not None and words:
        for place, following in pairwise([*places, len(doc)]):
            invisible = [i for i in range(place + 1, following) if not doc[i].is_space]
            if invisible and edges[place] == FREE:
                edges[place : invisible[-1]] = CLOSING
    return edges


def classify_edge(words: Sequence[Token], gaps: Sequence[str], k: int, is_quoted: bool) -> int:
    """What the edge between the words `k` and `k + 1` is.

    gaps: what lies behind each word but the last.
    is_quoted: whether a quotation between straight marks begins at the word or goes on behind it.
    """
    word, following, gap = words[k].text, words[k + 1].text, gaps[k]
    last, first = word[-1], following[0]
    if word in OPENERS or (word == '"' and is_quoted):
        return OPENING
    if not gap and (is_emoji_part(last, first) or (is_emoji(last) and is_emoji(first))):
        return EMOJI
    if not gap and first.isalnum():
        if last in APOSTROPHES:
            return OPENING
        is_decimal = last in NUMBER_JOINTS and k > 0 and words[k - 1].text[-1].isdigit()
        if last.isalnum() or last in JOINTS or (is_decimal and first.isdigit()):
            return WITHIN
    if "\n" in gap:
        return FREE
    if is_emoji(first) or following in emoticons or closes(words, gaps, k, is_quoted):
        return CLOSING
    if not gap and last.isalnum() and (first in JOINTS or first in APOSTROPHES):
        return WITHIN
    return WITHIN if is_abbreviation(words, k) else FREE


def closes(words: Sequence[Token], gaps: Sequence[str], k: int, is_quoted: bool) -> bool:
    """Return True if the word `k + 1` is a closing mark."""
    following = words[k + 1].text
    if following in QUOTES:
        is_loose = k + 1 == len(gaps) or gaps[k + 1] or not words[k + 2].text[0].isalnum()
        return bool(is_loose) and (not gaps[k] or is_quoted)
    if following in GUILLEMETS and gaps[k]:
        return False
    return all(character in CLOSERS for character in following)


def is_abbreviation(words: Sequence[Token], k: int) -> bool:
    """Return True if the word `k` is an abbreviation, or the full stop of one, and the next word
    the name or number that belongs to it."""
    start = k - 1 if words[k].text == "." and k else k
    text = "".join(word.text for word in words[start : k + 1])
    following = words[k + 1].text
    if following[0].isdigit():
        return text.lower() in TITLES | QUANTITIES
    if not following[0].isupper():
        return False
    if len(text) == 2 and text[0].isupper() and text[1] == ".":
        before = words[start - 1] if start else None
        return (
            before is None
            or before.is_stop
            or before.text.lower() in STREETS
            or not before.text[-1].isalpha()
        )
    return text.lower() in TITLES


def is_emoji_part(last: str, first: str) -> bool:
    """Return True if a character continues the emoji, or the letter, of the one before it."""
    return ZERO_WIDTH_JOINER in (last, first) or category(first) in ("Mn", "Me")


def is_emoji(character: str) -> bool:
    """Return True for a pictograph, a regional indicator or a skin tone."""
    code = ord(character)
    if code in REGIONAL or 0x1F3FB <= code <= 0x1F3FF:
        return True
    return code > 0x2190 and category(character) == "So"


def move_boundaries(doc: Doc, probabilities: np.ndarray) -> np.ndarray:
    """Probabilities of a boundary after each token, float32 (n_tokens,), that are 0 where no unit
    can end. Before a closing mark or an emoji they count for the edge behind it, if they are
    greater than what is there. White space and invisible characters have none of their own."""
    moved = probabilities.copy()
    blank = blank_tokens(doc)
    moved[blank] = 0.0
    waiting = 0.0
    for i, edge in enumerate(classify_edges(doc)):
        if edge in (CLOSING, EMOJI):
            waiting = max(waiting, float(moved[i]))
        elif not doc[i].is_space:
            moved[i] = max(waiting, float(moved[i]))
            waiting = 0.0
        if edge != FREE:
            moved[i] = 0.0
    return moved


def snap_carriers(
    doc: Doc, carriers: Sequence[tuple[int, int]], scores: np.ndarray
) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Carriers [start, end) in order, and their scores, (n,), moved to the next edges where a
    carrier can begin and end. They are widened to whole words and emoji, and lose white space and
    marks at their ends; of those that overlap then, the one with the best score is kept."""
    if not carriers:
        return [], scores
    edges, blank = classify_edges(doc), blank_tokens(doc)
    kept: list[tuple[int, int, float]] = []
    for (start, end), score in zip(carriers, scores, strict=True):
        while start < end and (blank[start] or (start and edges[start - 1] == CLOSING)):
            start += 1
        while end > start and (blank[end - 1] or edges[end - 1] == OPENING):
            end -= 1
        while start < end and start and edges[start - 1] not in (FREE, OPENING):
            start -= 1
        while start < end < len(doc) and edges[end - 1] not in (FREE, CLOSING):
            end += 1
        if start >= end:
            continue
        if kept and start < kept[-1][1]:
            if score <= kept[-1][2]:
                continue
            kept.pop()
        kept.append((start, end, score))
    spans = [(start, end) for start, end, _ in kept]
    return spans, np.asarray([score for *_, score in kept], dtype="float32")
