"""Does the same narrative get the same answer however it is spelled?

    python benchmarks/spelling.py [--model training/joint/model-best] [--data data/test.jsonl]

Each narrative is analyzed as it is and respelled, and the offsets of the second analysis are mapped
back to the first text. Printed for each respelling, as Markdown:

- characters: share of the characters that are not white space whose unit has another valence;
- narratives: share of the narratives that have another valence as a whole;
- boundary F1: unit ends found in the respelled text, against those found in the original.
"""

import argparse
import random
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import spacy
from spacy.tokens import Doc

from spacy_valence_ec.corpus.augmenter import wrap_lines
from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.schema import FU_KEY

COLUMN = 44
SPACE, LINE_BREAK = " ", "\n"
SOFT_HYPHEN, ZERO_WIDTH_SPACE, WORD_JOINER, JOINER = "\u00ad", "\u200b", "\u2060", "\u200d"
SYLLABLE = 3  # letters between two soft hyphens

# What stands in the place of each character of a text: empty, itself, or more.
Pieces = list[str]
Respelling = Callable[[Pieces], Pieces]


def replace(old: str, new: str, every: int = 1) -> Respelling:
    """Put `new` in place of each `every`-th `old`, from the first one on."""

    def respell(pieces: Pieces) -> Pieces:
        found = [i for i, piece in enumerate(pieces) if piece == old][::every]
        chosen = set(found)
        return [new if i in chosen else piece for i, piece in enumerate(pieces)]

    return respell


def translate(table: dict[str, str]) -> Respelling:
    return lambda pieces: [table.get(piece, piece) for piece in pieces]


def hyphenate(pieces: Pieces) -> Pieces:
    """A soft hyphen behind every third letter that another letter follows."""
    respelled, letters = [], 0
    for piece, following in zip(pieces, [*pieces[1:], SPACE], strict=True):
        letters = letters + 1 if piece.isalpha() else 0
        breaks = letters == SYLLABLE and following.isalpha()
        respelled.append(piece + SOFT_HYPHEN if breaks else piece)
        letters = 0 if breaks else letters
    return respelled


def add_zero_widths(pieces: Pieces) -> Pieces:
    """A zero-width character behind every fourth space, and inside every fourth word."""
    respelled, n_words = [], 0
    before = SPACE
    for piece, following in zip(pieces, [*pieces[1:], SPACE], strict=True):
        is_first = piece.isalpha() and not before.isalpha()
        n_words += is_first
        if piece == SPACE and n_words % 4 == 0:
            respelled.append(piece + ZERO_WIDTH_SPACE)
        elif is_first and following.isalpha() and n_words % 4 == 2:
            respelled.append(piece + (WORD_JOINER if n_words % 8 == 2 else JOINER))
        else:
            respelled.append(piece)
        before = piece
    return respelled


def wrap(pieces: Pieces) -> Pieces:
    breaks = {start for start, _, _ in wrap_lines("".join(pieces), COLUMN)}
    return [LINE_BREAK if i in breaks else piece for i, piece in enumerate(pieces)]


def decompose(pieces: Pieces) -> Pieces:
    return [unicodedata.normalize("NFD", piece) for piece in pieces]


def curl(pieces: Pieces) -> Pieces:
    """Typographic quotes: an opening one where none is open."""
    is_open = False
    respelled = []
    for piece in pieces:
        if piece == '"':
            piece, is_open = ("”" if is_open else "“"), not is_open
        respelled.append("’" if piece == "'" else piece)
    return respelled


straighten = translate({"’": "'", "‘": "'", "“": '"', "”": '"'})

RESPELLINGS: dict[str, Respelling] = {
    "two spaces": replace(SPACE, "  "),
    "no-break spaces": replace(SPACE, "\u00a0"),
    "every fourth space thin": replace(SPACE, "\u2009", 4),
    "soft hyphens": hyphenate,
    "capitals": lambda pieces: [piece.upper() for piece in pieces],
    f"lines wrapped near column {COLUMN}": wrap,
    "`\\r\\n` for `\\n`": replace(LINE_BREAK, "\r\n"),
    "U+2028 for `\\n`": replace(LINE_BREAK, "\u2028"),
    "tabs for spaces": replace(SPACE, "\t"),
    "form feeds, every fourth space": replace(SPACE, "\f", 4),
    "U+3000 for spaces": replace(SPACE, "\u3000"),
    "zero-width spaces and joiners": add_zero_widths,
    "NFD": decompose,
    "typographic quotes": curl,
    "straight quotes": straighten,
}


def mix(generator: random.Random) -> Respelling:
    """Spaces of several kinds, and for each narrative some of: soft hyphens, zero-width characters,
    other line ends, NFD, typographic quotes."""

    def respell(pieces: Pieces) -> Pieces:
        ways = [hyphenate, add_zero_widths, replace(LINE_BREAK, "\r\n"), decompose, curl]
        chosen = [way for way in ways if generator.random() < 0.5]
        for way in chosen:
            pieces = respell_again(pieces, way)
        kinds = ("  ", "\u00a0", "\u2009", "\t", "\u3000", " ", " ", " ")
        return [generator.choice(kinds) if piece == SPACE else piece for piece in pieces]

    return respell


def respell_again(pieces: Pieces, respelling: Respelling) -> Pieces:
    """Respell a text that was respelled before: still one piece for each original character."""
    ends = list(accumulate(len(piece) for piece in pieces))
    again = respelling(list("".join(pieces)))
    return ["".join(again[end - len(piece) : end]) for piece, end in zip(pieces, ends, strict=True)]


@dataclass(frozen=True)
class Answer:
    """What was said of a narrative, by the characters of its original text.

    valences: of the unit of each character, "" outside of all units.
    ends: how many characters that are not white space are there before each end of a unit.
    """

    valences: list[str]
    ends: set[int]
    whole: str


def answer_of(doc: Doc, original: str, pieces: Pieces) -> Answer:
    if doc.text != "".join(pieces):
        raise AssertionError("the text of the Doc is not the text as given")
    starts = [0, *accumulate(len(piece) for piece in pieces)]
    of_character = [""] * len(doc.text)
    ends = set()
    words = [0, *accumulate(not character.isspace() for character in original)]
    for unit in doc.spans[FU_KEY]:
        of_character[unit.start_char : unit.end_char] = [unit.label_] * len(unit.text)
        last = bisect_right(starts, unit.end_char - 1) - 1  # the original character it ends in
        ends.add(words[last + 1])
    valences = [
        of_character[start] if piece else ""
        for piece, start in zip(pieces, starts[:-1], strict=True)
    ]
    return Answer(valences, ends, doc._.valence)


def compare(texts: Sequence[str], first: Sequence[Answer], second: Sequence[Answer]) -> str:
    n = changed = narratives = found = expected = right = 0
    for text, before, after in zip(texts, first, second, strict=True):
        pairs = zip(text, before.valences, after.valences, strict=True)
        differs = [old != new for character, old, new in pairs if not character.isspace()]
        n += len(differs)
        changed += sum(differs)
        narratives += before.whole != after.whole
        found += len(after.ends)
        expected += len(before.ends)
        right += len(before.ends & after.ends)
    f1 = 2 * right / (found + expected)
    return f"{changed / n:.1%} | {narratives / len(texts):.1%} | {f1:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=Path("training/joint/model-best"))
    parser.add_argument("--data", type=Path, default=Path("data/test.jsonl"))
    parser.add_argument("--limit", type=int, help="read so many narratives")
    parser.add_argument("--seed", type=int, default=0, help="of the mix")
    parser.add_argument("--only", metavar="REGEX", default="", help="respellings to try")
    args = parser.parse_args()
    nlp = spacy.load(args.model)
    texts = [narrative.text for narrative in read_narratives(args.data).narratives][: args.limit]
    respellings = {**RESPELLINGS, "a mix of these": mix(random.Random(args.seed))}

    def answers(respelling: Respelling | None) -> list[Answer]:
        respelled = [respelling(list(text)) if respelling else list(text) for text in texts]
        docs = nlp.pipe("".join(pieces) for pieces in respelled)
        rows = zip(docs, texts, respelled, strict=True)
        return [answer_of(doc, text, pieces) for doc, text, pieces in rows]

    first = answers(None)
    print("| respelling | characters | narratives | boundary F1 |")
    print("| --- | ---: | ---: | ---: |")
    for name, respelling in respellings.items():
        if re.search(args.only, name):
            print(f"| {name} | {compare(texts, first, answers(respelling))} |", flush=True)


if __name__ == "__main__":
    main()
