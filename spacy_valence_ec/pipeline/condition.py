"""The labels of the first step that the second one reads: those on a Doc, and the gold ones."""

import random
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example

from ..alignment import aligned_spans
from ..errors import Errors, ValenceECError
from ..models.condition import UNKNOWN
from ..models.spans import group_offsets
from ..schema import EC_KEY, FU_KEY, VALENCES
from ..span_groups import read_spans
from .units import best_overlap

GOLD, PREDICTED, MIX = "gold", "predicted", "mix"
SOURCES = (GOLD, PREDICTED, MIX)

Rate = float | Generator


class ConditionSource:
    """Where a step of the training takes the labels of the first step from: for each Doc from the
    reference, or from the Doc.

    source: one of `SOURCES`.
    rate: with "mix" the probability of the reference: a number, or one a batch from a schedule,
        which stays at its last number when it ends, and when it is pickled.

    Raises: ValenceECError V022 for settings that make no sense.
    """

    def __init__(self, name: str, source: str, rate: Rate):
        number = isinstance(rate, int | float)
        if source not in SOURCES or (number and not 0.0 <= rate <= 1.0):  # type: ignore[operator]
            message = Errors.V022.format(name=name, sources=SOURCES, value=(source, rate))
            raise ValenceECError(message)
        self.source = source
        self.rate = float(rate) if isinstance(rate, int | float) else 1.0
        self._schedule = None if isinstance(rate, int | float) else rate

    def __getstate__(self) -> dict[str, Any]:
        return {"source": self.source, "rate": self.rate, "_schedule": None}

    def next_batch(self) -> None:
        """Go on in the schedule."""
        if self._schedule is not None:
            self.rate = float(next(self._schedule, self.rate))

    def draws_gold(self) -> bool:
        """Whether a Doc is read with its gold labels."""
        return self.source == GOLD or (self.source == MIX and random.random() < self.rate)


def valences_of(doc: Doc, name: str) -> np.ndarray:
    """Index of the label of each unit on a Doc, int (n_units,).

    Raises: ValenceECError V020 for a unit without one of the three labels.
    """
    labels = [unit.label_ for unit in read_spans(doc, FU_KEY)]
    if not set(labels) <= set(VALENCES):
        raise ValenceECError(Errors.V020.format(name=name, key=FU_KEY))
    return np.asarray([VALENCES.index(label) for label in labels], dtype=int)


def carrier_marks_of(doc: Doc, name: str) -> np.ndarray:
    """1 for each token in a carrier on a Doc, else 0: int (n_tokens,).

    Raises: ValenceECError V021 for a Doc without a group of carriers.
    """
    if EC_KEY not in doc.spans:
        raise ValenceECError(Errors.V021.format(name=name, key=EC_KEY))
    return _marks(doc, [(int(start), int(end)) for start, end in group_offsets(doc, EC_KEY)])


def gold_valences(example: Example) -> np.ndarray:
    """Index of the gold label of each unit of `example.predicted`, that of the gold unit that
    shares most of its tokens: int (n_units,); -1 where nothing is annotated."""
    units = group_offsets(example.predicted, FU_KEY)
    gold = aligned_spans(example, FU_KEY)
    index = best_overlap(units, gold, len(example.predicted))
    labels = [VALENCES.index(label) if label else UNKNOWN for _, _, label in gold]
    return np.asarray([labels[i] if i >= 0 else UNKNOWN for i in index], dtype=int)


def gold_carrier_marks(example: Example) -> np.ndarray:
    """1 for each token of `example.predicted` in a gold carrier, else 0; -1 throughout where no
    carriers are annotated: int (n_tokens,). A token outside of all units is in no carrier."""
    if EC_KEY not in example.reference.spans:
        return np.full(len(example.predicted), UNKNOWN)
    return _marks(example.predicted, gold_carrier_spans(example))


def gold_carrier_spans(example: Example) -> list[tuple[int, int]]:
    """The gold carriers in the tokens of `example.predicted`, cut where a unit of this Doc begins
    or ends, and left out where there is no unit."""
    carriers = [(start, end) for start, end, _ in aligned_spans(example, EC_KEY)]
    parts = []
    for first, last in group_offsets(example.predicted, FU_KEY).tolist():
        cut = [(max(first, start), min(last, end)) for start, end in carriers]
        parts += [(start, end) for start, end in cut if start < end]
    return parts


def _marks(doc: Doc, spans: Sequence[tuple[int, int]]) -> np.ndarray:
    marks = np.zeros(len(doc), dtype=int)
    for start, end in spans:
        marks[start:end] = 1
    return marks
