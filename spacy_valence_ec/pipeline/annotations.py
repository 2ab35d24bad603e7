"""How predictions are written on a Doc: the span groups of valences, carriers and candidates."""

from collections.abc import Iterable, Sequence

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup

from ..schema import (
    EC_CANDIDATES_KEY,
    EC_KEY,
    EC_LABEL,
    FU_KEY,
    LABELS_ATTR,
    SCORES_ATTR,
    VALENCES,
)
from ..span_groups import read_spans
from .edges import snap_carriers


def set_valences(doc: Doc, labels: Iterable[str], scores: np.ndarray) -> None:
    """Give the units of `doc.spans["fu"]` their labels and the group its scores, float32
    (n_units, 3): the probability of each of `VALENCES`."""
    group = doc.spans[FU_KEY]
    units = [
        Span(doc, unit.start, unit.end, label=label)
        for unit, label in zip(read_spans(doc, FU_KEY), labels, strict=True)
    ]
    attrs = {**group.attrs, SCORES_ATTR: scores, LABELS_ATTR: list(VALENCES)}
    doc.spans[FU_KEY] = SpanGroup(doc, name=FU_KEY, spans=units, attrs=attrs)


def set_carriers(doc: Doc, carriers: Sequence[tuple[int, int]], scores: np.ndarray) -> None:
    """Write `doc.spans["ec"]`, with edges where a carrier can have them; `scores` is float32
    (n_carriers,)."""
    carriers, scores = snap_carriers(doc, carriers, scores)
    doc.spans[EC_KEY] = SpanGroup(
        doc,
        name=EC_KEY,
        spans=[Span(doc, start, end, label=EC_LABEL) for start, end in carriers],
        attrs={SCORES_ATTR: np.asarray(scores, dtype="float32")},
    )


def set_judgments(
    doc: Doc,
    candidates: np.ndarray,
    probabilities: np.ndarray,
    threshold: float,
    scores: np.ndarray | None = None,
) -> None:
    """Write `doc.spans["ec_candidates"]`, label "EC" where the probability reaches the threshold,
    else "", and `doc.spans["ec"]`: of accepted candidates that overlap, the most probable one.

    candidates: int32 (n, 3), start and end token, and the unit. probabilities: float (n,), by
    which is decided. scores: those that are written, where they are others.
    """
    accepted = probabilities >= threshold
    shown = probabilities if scores is None else scores
    doc.spans[EC_CANDIDATES_KEY] = SpanGroup(
        doc,
        name=EC_CANDIDATES_KEY,
        spans=[
            Span(doc, int(start), int(end), label=EC_LABEL if positive else "")
            for (start, end, _), positive in zip(candidates, accepted, strict=True)
        ],
        attrs={SCORES_ATTR: shown.astype("float32")},
    )
    chosen = without_overlap(candidates, probabilities, accepted)
    carriers = [(int(start), int(end)) for start, end, _ in candidates[chosen]]
    set_carriers(doc, carriers, shown[chosen])


def without_overlap(
    candidates: np.ndarray, probabilities: np.ndarray, accepted: np.ndarray
) -> list[int]:
    """Indices, in order of the text, of the accepted candidates that no more probable accepted
    one overlaps."""
    taken: set[int] = set()
    chosen = []
    rows = np.flatnonzero(accepted)
    for row in sorted(rows, key=lambda i: (-probabilities[i], candidates[i][0], candidates[i][1])):
        tokens = range(int(candidates[row][0]), int(candidates[row][1]))
        if taken.isdisjoint(tokens):
            taken.update(tokens)
            chosen.append(int(row))
    return sorted(chosen, key=lambda i: int(candidates[i][0]))
