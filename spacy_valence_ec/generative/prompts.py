"""From units and templates to the pieces that a language model reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from unicodedata import normalize

from ..errors import Errors, ValenceECError
from ..schema import VALENCES
from .templates import (
    CANDIDATE,
    CANDIDATES,
    CARRIERS,
    CONTEXT,
    NO,
    NONE,
    UNIT,
    VALENCE,
    WORD_KEYS,
    YES,
    Template,
)

Pieces = tuple[int, ...]

JUDGMENTS = (NO, YES)
LIST_SEPARATOR = "; "


@dataclass(frozen=True)
class UnitText:
    """What a prompt can say of a unit. `context`: the text before it. `valence`: its label, where
    the prompt is to give it. `carriers`: likewise."""

    unit: str
    context: str = ""
    candidates: tuple[str, ...] = ()
    valence: str | None = None
    carriers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slot:
    """A place in an answer where one of several words must stand.

    lead: pieces of the fixed text before it.
    options: pieces of each word; none begins with another one.
    threshold: of two words the second is chosen if its probability is at least this; None for the
        most probable one.
    """

    lead: Pieces
    options: tuple[Pieces, ...]
    threshold: float | None = None

    def choose(self, probabilities: Any) -> int:
        """The index of the word to take, given the probabilities, (n_options,)."""
        if self.threshold is None:
            return int(probabilities.argmax())
        return int(probabilities[1] >= self.threshold)


@dataclass(frozen=True)
class Query:
    """A prompt and the slots of its answer.

    has_valence: whether the first slot is that of the valence, in the order of `VALENCES`.
    candidates: which candidates of the unit the other slots ask for, each no or yes.
    is_cut: whether more than the context had to be left out.
    """

    prompt: Pieces
    slots: tuple[Slot, ...]
    end: Pieces
    has_valence: bool
    candidates: tuple[int, ...]
    is_cut: bool = False


class Lesson(NamedTuple):
    """Pieces to learn from, and the weight of each in the loss: 0 where nothing is learned."""

    pieces: Pieces
    weights: tuple[float, ...]


class PromptWriter:
    """Writes queries for one tokenizer, none longer than `max_length` pieces.

    words: for each of `WORD_KEYS`, the word in the prompts and answers.
    n_pieces: how many pieces the model has vectors for.

    Raises: ValenceECError G003 for words that are missing or that the tokenizer cannot write, or
    that cannot be told apart.
    """

    def __init__(
        self,
        tokenizer: Any,
        max_length: int,
        words: Mapping[str, str],
        n_pieces: int,
        threshold: float | None = None,
    ):
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.n_pieces = n_pieces
        self.threshold = threshold
        missing = set(WORD_KEYS) ^ set(words)
        if missing:
            why = f"there must be one for each of {', '.join(WORD_KEYS)} and no other"
            raise ValenceECError(Errors.G003.format(word=", ".join(sorted(missing)), why=why))
        self.words = dict(words)
        self.valences = self._options(VALENCES)
        self.judgments = self._options(JUDGMENTS)

    def encode(self, text: str) -> Pieces:
        """The pieces of a text. What looks like a special piece is text like any other."""
        if not text:
            return ()
        encoded = self.tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, verbose=False
        )
        return tuple(encoded["input_ids"])

    def write(self, template: Template, unit: UnitText) -> list[Query]:
        """The queries of one unit: one, or several that share its candidates out where all do not
        fit. None if there is nothing to ask: carriers alone, and no candidate.

        The context is cut from the left. Where even the unit does not fit, the query is cut there
        too, and says so.
        """
        if template.valence is None and not unit.candidates:
            return []
        return self._write(template, unit, tuple(range(len(unit.candidates))))

    def _write(self, template: Template, unit: UnitText, asked: tuple[int, ...]) -> list[Query]:
        candidates = [unit.candidates[i] for i in asked]
        texts = render(template, unit, candidates, self.words)
        before, after = (self.encode(text) for text in texts)
        slots = []
        if template.valence is not None:
            slots.append(Slot(self.encode(template.valence), self.valences))
        if template.candidate is not None:
            slots += [
                Slot(
                    self.encode(template.candidate.format(**{CANDIDATE: text})),
                    self.judgments,
                    self.threshold,
                )
                for text in candidates
            ]
        end = self.encode(template.end)
        answer = sum(len(slot.lead) + max(map(len, slot.options)) for slot in slots) + len(end)
        room = self.max_length - answer - len(before) - len(after)
        has_valence = template.valence is not None
        judged = asked if template.candidate is not None else ()
        if room < 0 and len(judged) > 1:
            half = len(asked) // 2
            return [
                query
                for part in (asked[:half], asked[half:])
                for query in self._write(template, unit, part)
            ]
        if room < 0 or not (before or after):
            prompt, slots = self._cut(before + after, slots, len(end))
            return [Query(prompt, tuple(slots), end, has_valence, judged, is_cut=True)]
        context: Pieces = ()
        if unit.context and template.asks_for(CONTEXT):
            context = self.encode(unit.context)
            context = context[max(len(context) - room, 0) :]
        return [Query(before + context + after, tuple(slots), end, has_valence, judged)]

    def _cut(self, prompt: Pieces, slots: list[Slot], end: int) -> tuple[Pieces, list[Slot]]:
        """The last pieces that fit, at least one, of a prompt and of the leads of its slots."""
        words = sum(max(map(len, slot.options)) for slot in slots) + end
        share = max(self.max_length - words - 1, 0) // (2 * len(slots))
        slots = [
            Slot(slot.lead[max(len(slot.lead) - share, 0) :], slot.options, slot.threshold)
            for slot in slots
        ]
        room = max(self.max_length - words - sum(len(slot.lead) for slot in slots), 1)
        # A tokenizer that knows none of the characters gives nothing: any piece must stand there.
        return (prompt or (0,))[-room:], slots

    def lesson(
        self, query: Query, answers: Sequence[int], weights: Sequence[float], rest: float
    ) -> Lesson:
        """A query with its answer, to learn from.

        answers: the word of each slot. weights: of the pieces of each of these words in the loss.
        rest: of all other pieces behind the prompt.
        """
        pieces = list(query.prompt)
        learned = [0.0] * len(pieces)
        for slot, answer, weight in zip(query.slots, answers, weights, strict=True):
            word = slot.options[answer]
            pieces += slot.lead + word
            learned += [rest] * len(slot.lead) + [weight] * len(word)
        learned += [rest] * len(query.end)
        return Lesson((*pieces, *query.end), tuple(learned))

    def _options(self, keys: Sequence[str]) -> tuple[Pieces, ...]:
        options = []
        for key in keys:
            word = self.words[key]
            pieces = self.encode(f" {word}")
            unknown = getattr(self.tokenizer, "unk_token_id", None)
            if (
                not word.strip()
                or not pieces
                or unknown in pieces
                or max(pieces) >= self.n_pieces
                or _plain(self.tokenizer.decode(list(pieces))) != _plain(word)
            ):
                why = "the tokenizer has no pieces for it"
                raise ValenceECError(Errors.G003.format(word=word, why=why))
            options.append(pieces)
        for i, first in enumerate(options):
            for j, second in enumerate(options):
                if i != j and second[: len(first)] == first:
                    why = f"it begins as '{self.words[keys[j]]}' does: they cannot be told apart"
                    raise ValenceECError(Errors.G003.format(word=self.words[keys[i]], why=why))
        return tuple(options)


def render(
    template: Template, unit: UnitText, candidates: Sequence[str], words: Mapping[str, str]
) -> tuple[str, str]:
    """A prompt before and after the place of the context."""
    none = words[NONE]
    fields = {
        UNIT: unit.unit,
        CANDIDATES: LIST_SEPARATOR.join(candidates) or none,
        CARRIERS: LIST_SEPARATOR.join(unit.carriers) or none,
        VALENCE: words[unit.valence] if unit.valence else "",
    }
    return template.render(fields)


def right_answer(
    template: Template, unit: UnitText, judgments: Sequence[bool], words: Mapping[str, str]
) -> str:
    """The text that is to follow a prompt for a unit whose valence, and whose judgments of the
    candidates, are known."""
    text = ""
    if template.valence is not None and unit.valence is not None:
        text += f"{template.valence} {words[unit.valence]}"
    if template.candidate is not None:
        for name, judgment in zip(unit.candidates, judgments, strict=True):
            text += template.candidate.format(**{CANDIDATE: name})
            text += f" {words[JUDGMENTS[int(judgment)]]}"
    return text + template.end


def _plain(text: str) -> str:
    return normalize("NFC", text).strip()


def one_line(text: str) -> str:
    """The text with each stretch of white space as one space: a template's lines are its own."""
    return " ".join(text.split())
