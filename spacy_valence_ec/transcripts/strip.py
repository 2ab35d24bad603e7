"""A text without its metadata, and offsets back into the text as given."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..extensions import majority_valence
from ..schema import (
    BREAKS_KEY,
    METADATA_FIELD,
    NEGATIVE,
    POSITIVE,
    TURNS_FIELD,
    Offsets,
    ResultNames,
)
from .recognize import Kind, Turn, find_turns

DECIMALS = 6  # of a score, as `doc_to_record` writes it


@dataclass(frozen=True)
class StrippedText:
    """The words of a text, turn by turn. `starts` are the offsets of the turns in `words`."""

    given: str
    turns: Sequence[Turn]
    words: str
    starts: Sequence[int]

    @classmethod
    def of(cls, text: str, kind: Kind) -> "StrippedText":
        """Strip the metadata of a text. Turns are joined by a line break, those that go on with a
        sentence by a space."""
        turns = find_turns(text, kind)
        parts = [text[turn.start : turn.end] for turn in turns]
        words = ""
        for part, turn in zip(parts, turns, strict=True):
            joint = " " if turn.continues else "\n"
            words += joint + part if words else part
        lengths = [len(part) + 1 for part in parts]
        return cls(text, turns, words, list(accumulate(lengths, initial=0))[: len(turns)])

    @property
    def metadata(self) -> list[Offsets]:
        """What lies between the turns, white space left out."""
        edges = [0, *(edge for turn in self.turns for edge in (turn.start, turn.end))]
        stretches = []
        for start, end in zip(edges[::2], [*edges[1::2], len(self.given)], strict=True):
            inside = self.given[start:end]
            if inside.strip():
                begin = start + len(inside) - len(inside.lstrip())
                stretches.append(Offsets(begin, start + len(inside.rstrip())))
        return stretches

    def make_doc(self, nlp: Language) -> Doc:
        """A Doc of the words, in which a unit ends with every turn."""
        doc = nlp.make_doc(self.words)
        doc.user_data[BREAKS_KEY] = self.breaks
        return doc

    @property
    def breaks(self) -> list[int]:
        """Where in the words a turn begins that does not go on with a sentence."""
        pairs = zip(self.starts, self.turns, strict=True)
        return [start for start, turn in pairs if not turn.continues]

    def turn_at(self, offset: int) -> int:
        """The turn that a character of the words is in, by its place."""
        return bisect_right(self.starts, offset) - 1

    def cut(self, units: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Units, cut where another turn begins: not every pipeline heeds `unit_breaks`."""
        breaks = self.breaks
        for unit in units:
            edges = [start for start in breaks if unit["start"] < start < unit["end"]]
            starts, ends = [unit["start"], *edges], [*edges, unit["end"]]
            for start, end in zip(starts, ends, strict=True):
                words = self.words[start:end]
                if words.strip():
                    begin = start + len(words) - len(words.lstrip())
                    yield {**unit, "start": begin, "end": start + len(words.rstrip())}

    def restore(self, start: int, end: int) -> tuple[int, int]:
        """A stretch of the words, as offsets into the text as given."""
        first, last = self.turn_at(start), self.turn_at(end - 1)
        return (
            self.turns[first].start + start - self.starts[first],
            self.turns[last].start + end - self.starts[last],
        )


def restore_record(
    record: dict[str, Any], stripped: StrippedText, names: ResultNames, narrator: str | None
) -> dict[str, Any]:
    """The record of the words of a text as one of the text as given: with its offsets, the speaker
    of each unit, the `turns` and the `metadata`. Where the narrator is named, the narrative's
    valence and its score are those of the narrator's units."""
    units = []
    for unit in stripped.cut(record[names.units]):
        speaker = stripped.turns[stripped.turn_at(unit["start"])].speaker
        start, end = stripped.restore(unit["start"], unit["end"])
        named = {"speaker": speaker} if speaker is not None else {}
        units.append({**unit, "start": start, "end": end, **named})
    carriers = []
    for carrier in record.get(names.carriers, ()):
        start, end = stripped.restore(carrier["start"], carrier["end"])
        carriers.append({**carrier, "start": start, "end": end})
    restored = {**record, "text": stripped.given, names.units: units}
    if names.carriers in record:
        restored[names.carriers] = carriers
    if narrator is not None and any("speaker" in unit for unit in units):
        own = [unit for unit in units if unit.get("speaker") == narrator]
        restored[names.valence] = majority_valence(unit["valence"] for unit in own)
        scores = [unit["scores"] for unit in own if "scores" in unit]
        if names.valence_score in record:
            polarity = [score[POSITIVE] - score[NEGATIVE] for score in scores]
            mean = sum(polarity) / max(1, len(polarity))
            restored[names.valence_score] = round(mean, DECIMALS)
    if stripped.metadata:
        restored[TURNS_FIELD] = [
            {"start": turn.start, "end": turn.end, "speaker": turn.speaker}
            for turn in stripped.turns
        ]
        restored[METADATA_FIELD] = [{"start": s.start, "end": s.end} for s in stripped.metadata]
    return restored
