"""The accessors `doc._`, `span._` and `token._`, and the functions behind them.

Every accessor is a getter over the span groups: nothing but labels, offsets and scores is
stored, so a `DocBin`, `to_bytes`, pickle and worker processes keep all that they need.

What a getter returns on a Doc that no component has seen (no span group of that name):
spans are an empty list, labels are `""`; an accessor that needs a score raises
`ValenceECError` V003, because a number that nobody computed would be read as a result.
On a Doc that was processed and has no unit (empty or white space), the valence is
`neutral`, the score 0.0 and the arc empty.

The spans of a group must be in order and without overlap, as the components of this package set
them. Where tokens were merged or split afterwards, spans are found again by their characters; where
a token then reaches over the edge of one, every getter that meets it raises V040.

All code of a process shares the attributes. One that somebody else has defined under a name of ours
stays theirs; `VALENCE_EC_EXTENSION_PREFIX` gives ours other names. Code of this package calls the
functions.
"""

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup, Token

from .errors import Errors, ValenceECError, ValenceECWarning, Warnings
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
from .span_groups import find_spans, read_spans

PREFIX_VARIABLE = "VALENCE_EC_EXTENSION_PREFIX"

# Accessors by what they show, as the arguments of `list_attributes`.
UNIT_ACCESSORS = ("functional_units", "functional_unit")
VALENCE_ACCESSORS = ("valence", "valence_score", "valence_scores", "valence_arc")
CARRIER_ACCESSORS = ("emotion_carriers", "is_emotion_carrier")

# Attributes of somebody else that a warning has named.
_named: set[tuple[str, str]] = set()


def install_extensions() -> None:
    """Register the accessors. Idempotent, and cheap: components call it at every use, because
    a spawned process starts without them.

    An attribute that was defined elsewhere is left alone, with one warning (W020).
    Raises: ValenceECError V041 for a prefix that makes no name.
    """
    prefix = read_prefix()
    foreign = []
    for kind, name, getter in GETTERS:
        attribute = prefix + name
        if not kind.has_extension(attribute):
            kind.set_extension(attribute, getter=getter)
        elif not _is_own(kind.get_extension(attribute)[2]):
            foreign.append((_owner(kind), attribute))
    unknown = [pair for pair in foreign if pair not in _named]
    if unknown:
        _named.update(unknown)
        names = ", ".join(f"{owner}._.{attribute}" for owner, attribute in unknown)
        message = Warnings.W020.format(names=names, variable=PREFIX_VARIABLE)
        warnings.warn(message, ValenceECWarning, stacklevel=2)


def read_prefix() -> str:
    """Return what the names of the attributes begin with: nothing, unless the environment variable
    `VALENCE_EC_EXTENSION_PREFIX` says otherwise.

    Raises: ValenceECError V041 for one that makes no name.
    """
    prefix = os.environ.get(PREFIX_VARIABLE, "")
    if not f"{prefix}valence".isidentifier():
        raise ValenceECError(Errors.V041.format(variable=PREFIX_VARIABLE, prefix=prefix))
    return prefix


def list_attributes(*names: str) -> list[str]:
    """Return the attributes of these accessors as `nlp.analyze_pipes` has them, such as
    "doc._.valence"."""
    prefix = read_prefix()
    return [f"{_owner(kind)}._.{prefix}{name}" for kind, name, _ in GETTERS if name in names]


def _owner(kind: type) -> str:
    return kind.__name__.lower()


def _is_own(getter: Callable | None) -> bool:
    """Return True for a getter of this module, loaded a second time as well."""
    return getattr(getter, "__module__", None) == __name__


def majority_valence(labels: Iterable[str]) -> str:
    """The label of several units: the majority of the non-neutral ones, `neutral` when there is
    none, `mixed` on a tie, and `""` when some unit has no label yet."""
    counts = Counter(labels)
    if counts[""]:
        return ""
    if counts[POSITIVE] == counts[NEGATIVE]:
        return MIXED if counts[POSITIVE] else NEUTRAL
    return POSITIVE if counts[POSITIVE] > counts[NEGATIVE] else NEGATIVE


def _read_scores(doc: Doc, owner: str, accessor: str) -> tuple[SpanGroup, np.ndarray]:
    group = doc.spans[FU_KEY] if FU_KEY in doc.spans else None
    scores = None if group is None else group.attrs.get(SCORES_ATTR)
    if group is None or scores is None:
        raise ValenceECError(
            Errors.V003.format(
                accessor=f"{owner}._.{read_prefix()}{accessor}",
                key=FU_KEY,
                component="valence_classifier",
            )
        )
    return group, np.asarray(scores)


def _polarity(group: SpanGroup, scores: np.ndarray) -> np.ndarray:
    """P(positive) - P(negative) of each row of `scores`, shape (n,)."""
    labels = list(group.attrs.get(LABELS_ATTR, VALENCES))
    polarity: np.ndarray = scores[:, labels.index(POSITIVE)] - scores[:, labels.index(NEGATIVE)]
    return polarity


def get_functional_units(doc: Doc) -> list[Span]:
    """`doc._.functional_units`"""
    return read_spans(doc, FU_KEY)


def get_emotion_carriers(doc: Doc) -> list[Span]:
    """`doc._.emotion_carriers`"""
    return read_spans(doc, EC_KEY)


def get_valence(doc: Doc) -> str:
    """`doc._.valence`"""
    if FU_KEY not in doc.spans:
        return ""
    return majority_valence(unit.label_ for unit in read_spans(doc, FU_KEY))


def get_valence_arc(doc: Doc) -> list[float]:
    """`doc._.valence_arc`"""
    group, scores = _read_scores(doc, "doc", "valence_arc")
    return [float(x) for x in _polarity(group, scores)]


def get_valence_score(doc: Doc) -> float:
    """`doc._.valence_score`"""
    group, scores = _read_scores(doc, "doc", "valence_score")
    return float(_polarity(group, scores).mean()) if len(scores) else 0.0


def get_span_units(span: Span) -> list[Span]:
    """`span._.functional_units`"""
    return find_spans(span.doc, FU_KEY, span.start_char, span.end_char)[1]


def get_span_carriers(span: Span) -> list[Span]:
    """`span._.emotion_carriers`"""
    return find_spans(span.doc, EC_KEY, span.start_char, span.end_char)[1]


def get_span_valence(span: Span) -> str:
    """`span._.valence`"""
    units = get_span_units(span)
    return majority_valence(unit.label_ for unit in units) if units else ""


def get_span_valence_scores(span: Span) -> dict[str, float]:
    """`span._.valence_scores`: the mean probability of each label over the units that the span
    overlaps."""
    group, scores = _read_scores(span.doc, "span", "valence_scores")
    labels = list(group.attrs.get(LABELS_ATTR, VALENCES))
    rows = _rows_of(span, scores)
    if not len(rows):
        return {}
    return {label: float(p) for label, p in zip(labels, rows.mean(axis=0), strict=True)}


def get_span_valence_score(span: Span) -> float:
    """`span._.valence_score`: the mean P(positive) - P(negative) over the units that the span
    overlaps; 0.0 for none."""
    group, scores = _read_scores(span.doc, "span", "valence_score")
    rows = _rows_of(span, scores)
    return float(_polarity(group, rows).mean()) if len(rows) else 0.0


def _rows_of(span: Span, scores: np.ndarray) -> np.ndarray:
    """The rows of the units that a span overlaps."""
    first, units = find_spans(span.doc, FU_KEY, span.start_char, span.end_char)
    return scores[first : first + len(units)]


def get_token_unit(token: Token) -> Span | None:
    """`token._.functional_unit`"""
    units = find_spans(token.doc, FU_KEY, token.idx, token.idx + len(token))[1]
    return units[0] if units else None


def is_in_emotion_carrier(token: Token) -> bool:
    """`token._.is_emotion_carrier`"""
    return bool(find_spans(token.doc, EC_KEY, token.idx, token.idx + len(token))[1])


# The class, the name without prefix, the function.
GETTERS: tuple[tuple[Any, str, Callable], ...] = (
    (Doc, "functional_units", get_functional_units),
    (Doc, "emotion_carriers", get_emotion_carriers),
    (Doc, "valence", get_valence),
    (Doc, "valence_score", get_valence_score),
    (Doc, "valence_arc", get_valence_arc),
    (Span, "functional_units", get_span_units),
    (Span, "emotion_carriers", get_span_carriers),
    (Span, "valence", get_span_valence),
    (Span, "valence_scores", get_span_valence_scores),
    (Span, "valence_score", get_span_valence_score),
    (Token, "functional_unit", get_token_unit),
    (Token, "is_emotion_carrier", is_in_emotion_carrier),
)
