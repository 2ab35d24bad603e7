"""Gold units and predicted units of one Doc."""

from collections.abc import Sequence

import numpy as np
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..alignment import aligned_spans
from ..schema import FU_KEY


def preset_gold_units(doc: Doc, example: Example) -> None:
    """Give a Doc of the tokens of `example.predicted` the gold units, without their valence. A
    token that two of them claim, where the tokenizations differ, goes to the first."""
    units: list[Span] = []
    end_of_last = 0
    for start, end, _ in aligned_spans(example, FU_KEY):
        start = max(start, end_of_last)
        if start < end:
            units.append(Span(doc, start, end))
            end_of_last = end
    doc.spans[FU_KEY] = units


def best_overlap(
    units: np.ndarray, gold: Sequence[tuple[int, int, str]], n_tokens: int
) -> list[int]:
    """For each unit, the index of the gold unit that shares most tokens with it (the first of
    several), or -1 for none. `units` is int (n_units, 2); both are in order, end exclusive."""
    owner = np.full(n_tokens, -1)
    for i, (start, end, _) in enumerate(gold):
        owner[start:end] = i
    best = []
    for start, end in units:
        inside = owner[start:end]
        inside = inside[inside >= 0]
        best.append(int(np.bincount(inside).argmax()) if len(inside) else -1)
    return best


def within_units(spans: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Those of some spans that lie inside one unit, int32 (n, 3): start, end, and the unit, by its
    place. `spans` is int (n_spans, 2), `units` int (n_units, 2) in order, ends exclusive."""
    unit = np.searchsorted(units[:, 0], spans[:, 0], side="right") - 1
    if len(units):
        inside = (unit >= 0) & (spans[:, 1] <= units[unit, 1]) & (spans[:, 0] < spans[:, 1])
    else:
        inside = np.zeros(len(spans), dtype=bool)
    return np.column_stack([spans, unit])[inside].astype("int32")
