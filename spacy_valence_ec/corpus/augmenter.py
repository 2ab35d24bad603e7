"""Training text in the spellings that people have: the same narrative in capitals, without
punctuation, wrapped into lines, with other apostrophes, accents and white space."""

import random
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from spacy.language import Language
from spacy.training import Example

from ..errors import Errors, ValenceECError
from ..schema import Narrative, Offsets, Unit
from .docs import doc_to_narrative, narrative_to_doc

Edit = tuple[int, int, str]  # start, end (exclusive) and what stands there now
Augmenter = Callable[[Language, Example], Iterator[Example]]

PUNCTUATION = re.compile(r"""[.,;:!?…«»"“”()\-–—]+""")
SPACE = re.compile(r" +")
BREAK = re.compile(r"\s*\n\s*")
APOSTROPHE = re.compile(r"['’]")
ACCENTED = re.compile(r"[àèéìòù](?!\w)", re.IGNORECASE)
PLAIN = str.maketrans("àèéìòùÀÈÉÌÒÙ", "aeeiouAEEIOU")
MIN_COLUMN, MAX_COLUMN = 30, 70  # where lines are wrapped
WIDE_SPACES = ("  ", "\u00a0", "\u2009", "\t", " \u200b")
WIDE_SPACE_RATE = 0.25  # of the spaces of a narrative that gets some


def make_text_augmenter(
    lower: float = 0.0,
    upper: float = 0.0,
    unpunctuated: float = 0.0,
    lines: float = 0.0,
    wrapped: float = 0.0,
    joined: float = 0.0,
    accents: float = 0.0,
    apostrophes: float = 0.0,
    spaces: float = 0.0,
) -> Augmenter:
    """`spacy_valence_ec.text_augmenter.v1`: gives a narrative each time it is read in
    a spelling drawn anew. Offsets follow the text; the annotation stays what it is.

    Each argument is the probability of a change: `lower` case; `upper` case; `unpunctuated`, no
    punctuation; `lines`, a line break after each unit; `wrapped`, lines of one width; `joined`, no
    line breaks; `accents` written as apostrophes or left out; the other kind of `apostrophes`;
    `spaces` that are wide or doubled. Only one of `lower` and `upper`, and one of `lines`,
    `wrapped` and `joined` is made at once.

    Raises: ValenceECError V034 for a probability that is none.
    """
    rates = {
        "lower": lower,
        "upper": upper,
        "unpunctuated": unpunctuated,
        "lines": lines,
        "wrapped": wrapped,
        "joined": joined,
        "accents": accents,
        "apostrophes": apostrophes,
        "spaces": spaces,
    }
    for name, rate in rates.items():
        if not 0.0 <= rate <= 1.0:
            expected = "a probability from 0 to 1"
            raise ValenceECError(
                Errors.V034.format(name="text_augmenter", setting=name, expected=expected)
            )

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        narrative = doc_to_narrative(example.reference, default_id="")
        varied = vary_narrative(narrative, rates, random)
        if varied.text == narrative.text:
            yield example
        else:
            reference, _ = narrative_to_doc(varied, nlp)
            predicted = reference.copy()
            predicted.spans.clear()
            yield Example(predicted, reference)

    return augment


def vary_narrative(
    narrative: Narrative, rates: dict[str, float], generator: "random.Random | object"
) -> Narrative:
    """The narrative in a spelling that is drawn by `rates` (see `make_text_augmenter`); candidates
    are left out."""
    draw: Callable[[], float] = generator.random  # type: ignore[union-attr]
    varied = replace(narrative, candidates=None)
    layout = _choose(draw(), {key: rates[key] for key in ("lines", "wrapped", "joined")})
    if layout == "lines":
        varied = apply_edits(varied, break_after_units(varied))
    elif layout == "joined":
        varied = apply_edits(varied, [(*m.span(), " ") for m in BREAK.finditer(varied.text)])
    if draw() < rates["unpunctuated"]:
        without = apply_edits(varied, drop_punctuation(varied.text))
        if all(without.text[unit.start : unit.end].strip() for unit in without.units):
            varied = without
    if draw() < rates["accents"]:
        mark = "'" if draw() < 0.5 else ""
        edits = [(*m.span(), m[0].translate(PLAIN) + mark) for m in ACCENTED.finditer(varied.text)]
        varied = apply_edits(varied, edits)
    if draw() < rates["apostrophes"]:
        other = {"'": "’", "’": "'"}
        edits = [(*m.span(), other[m[0]]) for m in APOSTROPHE.finditer(varied.text)]
        varied = apply_edits(varied, edits)
    case = _choose(draw(), {key: rates[key] for key in ("lower", "upper")})
    if case:
        change = str.lower if case == "lower" else str.upper
        # A letter that another case makes longer, such as "ß", stays as it is.
        text = "".join(c if len(change(c)) != 1 else change(c) for c in varied.text)
        varied = replace(varied, text=text)
    if layout == "wrapped":
        width = MIN_COLUMN + int(draw() * (MAX_COLUMN - MIN_COLUMN))
        varied = apply_edits(varied, wrap_lines(varied.text, width))
    if draw() < rates["spaces"]:
        edits = [
            (*m.span(), WIDE_SPACES[int(draw() * len(WIDE_SPACES))])
            for m in SPACE.finditer(varied.text)
            if draw() < WIDE_SPACE_RATE
        ]
        varied = apply_edits(varied, edits)
    return varied


def apply_edits(narrative: Narrative, edits: Sequence[Edit]) -> Narrative:
    """A narrative whose text is changed, and whose offsets follow. `edits` are in order and do not
    overlap; what was inside of one begins, and ends, at its edges. A span that is left without
    text is dropped, unless it is a unit."""
    text = narrative.text
    parts: list[str] = []
    done = 0
    for start, end, new in edits:
        parts += [text[done:start], new]
        done = end
    parts.append(text[done:])
    starts = [start for start, _, _ in edits]
    growth = [0, *accumulate(len(new) - (end - start) for start, end, new in edits)]

    def move(offset: int, *, is_end: bool) -> int:
        before = bisect_right(starts, offset - 1 if is_end else offset)
        if before:
            start, end, new = edits[before - 1]
            if start < offset < end or (is_end and start < offset <= end):
                # Inside an edit, or at its end: an end takes in what is new, a start does not.
                return start + growth[before - 1] + (len(new) if is_end else 0)
            if not is_end and start == offset:
                return start + growth[before - 1]
        return offset + growth[before]

    def moved(span: Offsets) -> tuple[int, int]:
        return move(span.start, is_end=False), move(span.end, is_end=True)

    units = []
    free = 0
    for unit in narrative.units:
        # Where an edit goes over the edge of two units, what is new belongs to the first.
        start, end = moved(unit)
        start = max(start, free)
        free = max(start, end)
        units.append(Unit(start, free, unit.valence))
    carriers = (moved(carrier) for carrier in narrative.carriers)
    return replace(
        narrative,
        text="".join(parts),
        units=tuple(units),
        carriers=tuple(Offsets(start, end) for start, end in carriers if start < end),
    )


def break_after_units(narrative: Narrative) -> list[Edit]:
    """A line break in place of the white space between units."""
    return [
        (first.end, second.start, "\n")
        for first, second in pairwise(narrative.units)
        if first.end < second.start
    ]


def drop_punctuation(text: str) -> list[Edit]:
    """Punctuation is taken out; between two letters a space stays."""
    edits = []
    for match in PUNCTUATION.finditer(text):
        start, end = match.span()
        joins = start > 0 and end < len(text) and not text[start - 1].isspace()
        edits.append((start, end, " " if joins and not text[end].isspace() else ""))
    return edits


def wrap_lines(text: str, width: int) -> list[Edit]:
    """A line break in place of the last space before each `width` columns."""
    edits = []
    line_start, last = 0, None
    for i, character in enumerate(text):
        if character == "\n":
            line_start, last = i + 1, None
        elif character == " ":
            last = i
        if last is not None and i - line_start >= width:
            edits.append((last, last + 1, "\n"))
            line_start, last = last + 1, None
    return edits


def _choose(point: float, rates: dict[str, float]) -> str | None:
    """The name whose stretch of [0, 1) holds the point; None past the last one."""
    for name, rate in rates.items():
        if point < rate:
            return name
        point -= rate
    return None
