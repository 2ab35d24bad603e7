"""Public corpora in the interchange format, so that the same experiments run on them.

None of them was annotated for functional units, valence and emotion carriers: each stands for these
by way of something else, and each function says what. A corpus is read where it lies; what is
written stays under its own licence.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..corpus.sources import XED_COLUMNS, XED_PAIRS, emoita_document, read_lines
from ..corpus.split import DEV, SPLIT_FIELD, TEST, TRAIN
from ..errors import Errors, ValenceECError
from ..schema import NEGATIVE, NEUTRAL, POSITIVE, Narrative, Offsets, Unit

# Emotions by valence. Surprise is neither good nor bad: neutral, and its causes are left out.
EMOTIONS = {
    "happiness": POSITIVE,
    "happines": POSITIVE,  # written so once in RECCON
    "happy": POSITIVE,
    "joy": POSITIVE,
    "excited": POSITIVE,
    "anger": NEGATIVE,
    "angry": NEGATIVE,
    "disgust": NEGATIVE,
    "fear": NEGATIVE,
    "sad": NEGATIVE,
    "sadness": NEGATIVE,
    "neutral": NEUTRAL,
    "surprise": NEUTRAL,
    "surprised": NEUTRAL,
}

# Of EmoITA's mean ratings from 1 to 5: what says nothing ("P.S.") got 3.5, which is the median too.
RATING_CENTER = 3.5
NEUTRAL_MARGIN = 0.4

MOST_STRAY = 0.1  # of the lines of XED, without labels of their own

# Plutchik's emotions as XED numbers them; anticipation and surprise are neither good nor bad.
XED_POLARITY = {
    "0": NEUTRAL,
    "1": NEGATIVE,
    "2": NEUTRAL,
    "3": NEGATIVE,
    "4": NEGATIVE,
    "5": POSITIVE,
    "6": NEGATIVE,
    "7": NEUTRAL,
    "8": POSITIVE,
}


LEFT_OUT = "carriers_left_out"


@dataclass(frozen=True)
class Utterance:
    """A unit to be: its text, its valence, and the texts of carriers that are to lie in it."""

    text: str
    valence: str
    carriers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Converter:
    """How a corpus is read, and what in it is a stand-in, for the report."""

    name: str
    lang: str
    proxy: str
    read: Callable[[Path], Iterator[Narrative]]

    def narratives(self, folder: Path) -> list[Narrative]:
        """Every text of the corpus in `folder`.

        Raises: ValenceECError E013 for a folder without the corpus, E012 for a file of another
        layout.
        """
        found = list(self.read(folder))
        if not found:
            raise ValenceECError(Errors.E013.format(name=self.name, path=folder))
        return found


def joined(
    identity: str,
    utterances: Sequence[Utterance],
    *,
    lang: str,
    split: str,
    narrator: str | None = None,
    corpus: str,
) -> Narrative | None:
    """A narrative with a line a unit; None without any text.

    A carrier is found by its text in its unit; one that is not there as written, overlaps an
    earlier one or lies in a neutral unit is left out, and counted in the field `LEFT_OUT`.
    """
    text = ""
    units: list[Unit] = []
    carriers: list[Offsets] = []
    left_out = 0
    for utterance in utterances:
        line = " ".join(utterance.text.split())
        if not line:
            continue
        start = len(text) + (1 if text else 0)
        text += ("\n" if text else "") + line
        units.append(Unit(start, len(text), utterance.valence))
        taken: list[Offsets] = []
        for carrier in utterance.carriers:
            span = _located(line, carrier, start)
            is_free = span and all(span.end <= t.start or t.end <= span.start for t in taken)
            if span is None or not is_free or utterance.valence == NEUTRAL:
                left_out += 1
            else:
                taken.append(span)
        carriers += sorted(taken, key=lambda span: span.start)
    if not units:
        return None
    extra: dict[str, Any] = {SPLIT_FIELD: split, "corpus": corpus}
    if left_out:
        extra[LEFT_OUT] = left_out
    return Narrative(
        id=identity,
        text=text,
        units=tuple(units),
        carriers=tuple(carriers),
        narrator=narrator,
        lang=lang,
        extra=extra,
    )


def _located(line: str, carrier: str, start: int) -> Offsets | None:
    """Where a text lies in a line, without final punctuation, which no carrier takes in."""
    wanted = re.sub(r"[\s.,;:!?…]+$", "", " ".join(carrier.split()))
    at = line.lower().find(wanted.lower()) if wanted else -1
    # `lower` can change the length ("İ"): then the offsets mean nothing.
    if at < 0 or len(line.lower()) != len(line):
        return None
    return Offsets(start + at, start + at + len(wanted))


def read_reccon(folder: Path) -> Iterator[Narrative]:
    """RECCON (Poria et al. 2021), the dialogues of DailyDialog: English.

    Proxy: a turn of a dialogue between two, in place of a functional unit of one narrator's text;
    the emotion of the turn mapped to a valence; the span that caused it, where it lies in the same
    turn, as the carrier. Causes in other turns are left out, so that many units that are not
    neutral hold none. Emotion and cause were annotated one after the other: the cause given the
    emotion. The original split has the same dialogues in several parts: they are kept in test, or
    else in dev, alone.
    """
    seen: set[str] = set()
    for part, name in ((TEST, "test"), (DEV, "valid"), (TRAIN, "train")):
        path = _reccon_file(folder, name)
        content = _json(path, "reccon", dict)
        for identity, dialogues in content.items():
            with _layout(path, "reccon", identity):
                utterances = [_reccon_turn(turn) for turn in dialogues[0]]
                speaker = f"reccon-{identity}"
                found = joined(
                    speaker, utterances, lang="en", split=part, narrator=speaker, corpus="reccon"
                )
            if found is not None and found.text not in seen:
                seen.add(found.text)
                yield found


def _reccon_file(folder: Path, name: str) -> Path:
    return folder / "data" / "original_annotation" / f"dailydialog_{name}.json"


def _reccon_turn(turn: Mapping[str, Any]) -> Utterance:
    evidence = turn.get("expanded emotion cause evidence", [])
    spans = turn.get("expanded emotion cause span", [])
    inside = [span for at, span in zip(evidence, spans, strict=False) if at == turn["turn"]]
    return Utterance(turn["utterance"], EMOTIONS[turn["emotion"]], tuple(inside))


def read_ecf(folder: Path) -> Iterator[Narrative]:
    """ECF 2.0 (SemEval-2024 task 3, Wang et al. 2024): scenes of a sitcom, English.

    Proxy: an utterance of a conversation of several, in place of a functional unit; its emotion
    mapped to a valence; the span that caused it, where it lies in the same utterance, as the
    carrier. It is scripted speech, and its speakers come back in every scene, in training and in
    test. Dev is a tenth of the training scenes, drawn by number.
    """
    for part, name in ((TRAIN, "train"), (TEST, "test")):
        path = folder / "data" / f"Subtask_1_{name}.json"
        for conversation in _json(path, "ecf", list):
            identity = str(conversation.get("conversation_ID", "?"))
            with _layout(path, "ecf", identity):
                causes: dict[int, list[str]] = {}
                for effect, cause in conversation.get("emotion-cause_pairs", []):
                    number, _, text = cause.partition("_")
                    if effect.split("_")[0] == number:
                        causes.setdefault(int(number), []).append(text)
                utterances = [
                    Utterance(
                        item["text"],
                        EMOTIONS[item["emotion"]],
                        tuple(causes.get(item["utterance_ID"], ())),
                    )
                    for item in conversation["conversation"]
                ]
                split = DEV if part == TRAIN and _drawn(identity) == 0 else part
                name = f"ecf-{identity}"
                found = joined(
                    name, utterances, lang="en", split=split, narrator=name, corpus="ecf"
                )
            if found is not None:
                yield found


def read_emoita(folder: Path) -> Iterator[Narrative]:
    """EmoITA (Gafà et al. 2023), the Italian translation of EmoBank: valence only.

    Proxy: a sentence in place of a functional unit; the valence that a reader of the sentence felt,
    a mean of ratings from 1 to 5, neutral from 3.1 to 3.9, in place of the narrator's.
    There are no carriers. News, essays, fiction, letters and blogs, hardly any personal narrative.
    The split is by document: that of the shared task divides documents.
    """
    path = folder / "corpus" / "EmoITA.csv"
    documents: dict[str, list[Utterance]] = {}
    lines = _lines(path, "emoita")
    for number, row in enumerate(csv.DictReader(lines), 2):
        with _layout(path, "emoita", f"line {number}"):
            rating = float(row["V"])
            # One mean is 5.5.
            if not 0 < rating < 6:
                raise ValueError
            valence = NEUTRAL
            # Ratings have two decimals; 3.9 - 3.5 is a little above 0.4.
            if round(abs(rating - RATING_CENTER), 2) > NEUTRAL_MARGIN:
                valence = POSITIVE if rating > RATING_CENTER else NEGATIVE
            document = emoita_document(row["id"])
            documents.setdefault(document, []).append(Utterance(row["text"], valence))
    yield from _by_document("emoita", documents)


def read_xed(folder: Path) -> Iterator[Narrative]:
    """XED (Öhman et al. 2020), Italian subtitles with projected emotions: valence only.

    Proxy: a subtitle line in place of a functional unit, without its context; Plutchik's emotions,
    annotated in English and projected, mapped to a polarity (lines whose emotions disagree are left
    out). There are no carriers. A line is of its film where the aligned subtitles name it, else a
    document of its own.
    """
    path = folder / "Projections" / "it-projections.tsv"
    films: dict[str, str] = {}
    for line in _lines(folder / XED_PAIRS, "xed"):
        row = line.split("\t")
        if len(row) == XED_COLUMNS:
            films.setdefault(row[-1].strip(), row[1])
    documents: dict[str, list[Utterance]] = {}
    seen: set[str] = set()
    lines = _lines(path, "xed")
    # Some aligned subtitles stand among the projected ones.
    if sum(line.count("\t") != 1 for line in lines) > MOST_STRAY * len(lines):
        why = "most lines are not a text, a tab and numbers"
        raise ValenceECError(Errors.E012.format(path=path, name="xed", why=why))
    for number, line in enumerate(lines, 1):
        if line.count("\t") != 1:
            continue
        with _layout(path, "xed", f"line {number}"):
            text, labels = line.rsplit("\t", 1)
            polarities = {XED_POLARITY[label.strip()] for label in labels.split(",")}
        emotional = polarities - {NEUTRAL}
        text = text.strip()
        if len(emotional) > 1 or not text or text in seen:
            continue
        seen.add(text)
        valence = emotional.pop() if emotional else NEUTRAL
        document = films.get(text, f"line-{number}")
        documents.setdefault(document, []).append(Utterance(text, valence))
    yield from _by_document("xed", documents)


def _by_document(corpus: str, documents: Mapping[str, Iterable[Utterance]]) -> Iterator[Narrative]:
    for document, utterances in documents.items():
        number = _drawn(document)
        split = TEST if number in (0, 1) else DEV if number == 2 else TRAIN
        name = f"{corpus}-{document}"
        found = joined(name, list(utterances), lang="it", split=split, narrator=name, corpus=corpus)
        if found is not None:
            yield found


def _drawn(name: str) -> int:
    """A number from 0 to 9 that a name always has, whatever else is in the corpus."""
    return int(sha256(name.encode()).hexdigest(), 16) % 10


class _layout:  # noqa: N801 - used like a function
    """Turns what goes wrong with one item of a corpus into E012, without its text."""

    def __init__(self, path: Path, name: str, item: str) -> None:
        self.path, self.name, self.item = path, name, item

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind and issubclass(kind, (LookupError, ValueError, TypeError, AttributeError)):
            why = f"{self.item} lacks a field, or has another value than there may be"
            message = Errors.E012.format(path=self.path, name=self.name, why=why)
            raise ValenceECError(message) from None


def _lines(path: Path, name: str) -> list[str]:
    if not path.is_file():
        raise ValenceECError(Errors.E013.format(name=name, path=path))
    return read_lines(path)


def _json(path: Path, name: str, kind: type) -> Any:
    try:
        content = json.loads("\n".join(_lines(path, name)))
    except json.JSONDecodeError as error:
        why = f"not JSON at line {error.lineno}"
        raise ValenceECError(Errors.E012.format(path=path, name=name, why=why)) from None
    items = content.values() if isinstance(content, dict) else content
    if not isinstance(content, kind) or not all(isinstance(i, (list, dict)) for i in items):
        why = "the file holds something else than dialogues"
        raise ValenceECError(Errors.E012.format(path=path, name=name, why=why))
    return content


CONVERTERS = {
    converter.name: converter
    for converter in (
        Converter(
            "reccon",
            "en",
            "turns of dialogues for units, emotion classes for valence, causes in the same turn "
            "for carriers; two speakers, written English",
            read_reccon,
        ),
        Converter(
            "ecf",
            "en",
            "utterances of a sitcom for units, emotion classes for valence, causes in the same "
            "utterance for carriers; the same speakers in training and test",
            read_ecf,
        ),
        Converter(
            "emoita",
            "it",
            "sentences for units, the reader's mean rating for the narrator's valence, no carriers",
            read_emoita,
        ),
        Converter(
            "xed",
            "it",
            "subtitle lines without context for units, projected emotions for valence, no carriers",
            read_xed,
        ),
    )
}
