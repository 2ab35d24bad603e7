"""The accessors `doc._`, `span._` and `token._`.

Every accessor is a getter over the span groups: nothing but labels, offsets and scores is
stored, so a `DocBin`, `to_bytes`, pickle and worker processes keep all that they need.

What a getter returns on a Doc that no component has seen (no span group of that name):
spans are an empty list, labels are `""`; an accessor that needs a score raises
`ValenceECError` V003, because a number that nobody computed would be read as a result.
On a Doc that was processed and has no unit (empty or white space), the valence is
`neutral`, the score 0.0 and the arc empty.

The spans of a group must be in order and without overlap, as the components of this package set
them.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup, Token

from .errors import Errors, ValenceECError
from .schema import (
    EC_KEY,
    FU_KEY,
    LABELS_ATTR,
    MIXED,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    SCORES_ATTR,
    VALENCES,
)


def install_extensions() -> None:
    """Register the accessors. Idempotent, and cheap: components call it at every use, because
    a spawned process starts without them."""
    if Doc.has_extension("functional_units"):
        return
    Doc.set_extension("functional_units", getter=_doc_functional_units, force=True)
    Doc.set_extension("emotion_carriers", getter=_doc_emotion_carriers, force=True)
    Doc.set_extension("valence", getter=_doc_valence, force=True)
    Doc.set_extension("valence_score", getter=_doc_valence_score, force=True)
    Doc.set_extension("valence_arc", getter=_doc_valence_arc, force=True)
    Span.set_extension("functional_units", getter=_span_functional_units, force=True)
    Span.set_extension("emotion_carriers", getter=_span_emotion_carriers, force=True)
    Span.set_extension("valence", getter=_span_valence, force=True)
    Span.set_extension("valence_scores", getter=_span_valence_scores, force=True)
    Span.set_extension("valence_score", getter=_span_valence_score, force=True)
    Token.set_extension("functional_unit", getter=_token_functional_unit, force=True)
    Token.set_extension("is_emotion_carrier", getter=_token_is_emotion_carrier, force=True)


def majority_valence(labels: Iterable[str]) -> str:
    """The label of several units: the majority of the non-neutral ones, `neutral` when there is
    none, `mixed` on a tie, and `""` when some unit has no label yet."""
    counts = Counter(labels)
    if counts[""]:
        return ""
    if counts[POSITIVE] == counts[NEGATIVE]:
        return MIXED if counts[POSITIVE] else NEUTRAL
    return POSITIVE if counts[POSITIVE] > counts[NEGATIVE] else NEGATIVE


def _overlapping(doc: Doc, key: str, start: int, end: int) -> tuple[int, int]:
    """First and end index, in `doc.spans[key]`, of the spans that share a token with
    [start, end). The spans are in order and do not overlap, so both edges are sorted."""
    if key not in doc.spans or start >= end:
        return 0, 0
    group = doc.spans[key]
    first = bisect_right(group, start, key=lambda span: span.end)
    last = bisect_left(group, end, lo=first, key=lambda span: span.start)
    return first, last


def _slice(doc: Doc, key: str, first: int, last: int) -> list[Span]:
    if first >= last:
        return []
    group = doc.spans[key]
    return [group[i] for i in range(first, last)]


def _scores(doc: Doc, accessor: str) -> tuple[SpanGroup, np.ndarray]:
    group = doc.spans[FU_KEY] if FU_KEY in doc.spans else None
    scores = None if group is None else group.attrs.get(SCORES_ATTR)
    if group is None or scores is None:
        raise ValenceECError(
            Errors.V003.format(accessor=accessor, key=FU_KEY, component="valence_classifier")
        )
    return group, np.asarray(scores)


def _polarity(group: SpanGroup, scores: np.ndarray) -> np.ndarray:
    """P(positive) - P(negative) of each row of `scores`, shape (n,)."""
    labels = list(group.attrs.get(LABELS_ATTR, VALENCES))
    polarity: np.ndarray = scores[:, labels.index(POSITIVE)] - scores[:, labels.index(NEGATIVE)]
    return polarity


def _doc_functional_units(doc: Doc) -> list[Span]:
    return list(doc.spans[FU_KEY]) if FU_KEY in doc.spans else []


def _doc_emotion_carriers(doc: Doc) -> list[Span]:
    return list(doc.spans[EC_KEY]) if EC_KEY in doc.spans else []


def _doc_valence(doc: Doc) -> str:
    if FU_KEY not in doc.spans:
        return ""
    return majority_valence(unit.label_ for unit in doc.spans[FU_KEY])


def _doc_valence_arc(doc: Doc) -> list[float]:
    group, scores = _scores(doc, "doc._.valence_arc")
    return [float(x) for x in _polarity(group, scores)]


def _doc_valence_score(doc: Doc) -> float:
    group, scores = _scores(doc, "doc._.valence_score")
    return float(_polarity(group, scores).mean()) if len(scores) else 0.0


def _span_functional_units(span: Span) -> list[Span]:
    return _slice(span.doc, FU_KEY, *_overlapping(span.doc, FU_KEY, span.start, span.end))


def _span_emotion_carriers(span: Span) -> list[Span]:
    return _slice(span.doc, EC_KEY, *_overlapping(span.doc, EC_KEY, span.start, span.end))


def _span_valence(span: Span) -> str:
    units = _span_functional_units(span)
    return majority_valence(unit.label_ for unit in units) if units else ""


def _span_valence_scores(span: Span) -> dict[str, float]:
    """The mean probability of each label over the units that the span overlaps."""
    group, scores = _scores(span.doc, "span._.valence_scores")
    labels = list(group.attrs.get(LABELS_ATTR, VALENCES))
    first, last = _overlapping(span.doc, FU_KEY, span.start, span.end)
    if first >= last:
        return {}
    return {
        label: float(p) for label, p in zip(labels, scores[first:last].mean(axis=0), strict=True)
    }


def _span_valence_score(span: Span) -> float:
    """The mean P(positive) - P(negative) over the units that the span overlaps; 0.0 for none."""
    group, scores = _scores(span.doc, "span._.valence_score")
    first, last = _overlapping(span.doc, FU_KEY, span.start, span.end)
    return float(_polarity(group, scores[first:last]).mean()) if first < last else 0.0


def _token_functional_unit(token: Token) -> Span | None:
    first, last = _overlapping(token.doc, FU_KEY, token.i, token.i + 1)
    return token.doc.spans[FU_KEY][first] if first < last else None


def _token_is_emotion_carrier(token: Token) -> bool:
    first, last = _overlapping(token.doc, EC_KEY, token.i, token.i + 1)
    return first < last
