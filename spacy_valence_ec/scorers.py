"""The scorers of the components, and what turns a pair of Docs into the data of the metrics.

They compare `example.predicted` with `example.reference` over the predicted Doc's tokens. Gold
spans are mapped to these through their characters (white space not counted) and expanded to
token edges, so the two Docs need not be tokenized alike. Examples whose reference has no span
group `fu` (for the carriers: no `fu` or no `ec`) hold no gold data and are left out: where none is
left, nothing can be measured, and the scores are None. A predicted Doc without a span group has
predicted nothing. The names of the scores are those of `metrics`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example

from .metrics import (
    Analysis,
    Edges,
    Metrics,
    Pair,
    candidate_metrics,
    carrier_metrics,
    functional_unit_metrics,
    joint_metrics,
    shares_content,
    token_valence_metrics,
    unit_valence_metrics,
)
from .schema import (
    EC_CANDIDATES_KEY,
    EC_KEY,
    EC_LABEL,
    FU_KEY,
    INVALID_ATTR,
    SCORES_ATTR,
    VALENCES,
)
from .span_groups import read_spans
from .suggesters import chunk_edges, content_mask

Scorer = Callable[..., Metrics]

UNIT_VALENCE_KEYS = ("valence_macro_f", *(f"valence_f_{label}" for label in VALENCES))


@dataclass(frozen=True)
class Rows:
    """The tokens of a Doc that are not white space, numbered from 0.

    `before[i]` is the number of them before token i (one entry more than the Doc has tokens);
    row r covers the non-space characters `starts[r]` to `ends[r]` of the text.
    """

    before: list[int]
    starts: list[int]
    ends: list[int]

    @classmethod
    def of(cls, doc: Doc) -> "Rows":
        before, starts, ends = [0], [], []
        n_characters = 0
        for token in doc:
            if not token.is_space:
                starts.append(n_characters)
                n_characters += sum(not character.isspace() for character in token.text)
                ends.append(n_characters)
            before.append(len(starts))
        return cls(before, starts, ends)

    def edges(self, start: int, end: int) -> Edges | None:
        """The rows of the tokens from `start` to `end`; None if they are all white space."""
        first, last = self.before[start], self.before[end]
        return (first, last) if first < last else None

    def expand(self, edges: Edges, source: "Rows") -> Edges | None:
        """The rows that share a character with rows of another tokenization of the same text."""
        start, end = source.starts[edges[0]], source.ends[edges[1] - 1]
        first, last = bisect_right(self.ends, start), bisect_left(self.starts, end)
        return (first, last) if first < last else None


def project(doc: Doc, source: Rows, target: Rows) -> Analysis:
    """What the span groups of `doc` say, in the rows of `target`.

    A token that two units claim, because their boundary lies inside it, goes to the first.
    """
    units: list[Edges] = []
    valences: list[str] = []
    end_of_last = 0
    for label, (start, end) in _spans(doc, FU_KEY, source, target):
        start = max(start, end_of_last)
        if start < end:
            units.append((start, end))
            valences.append(label)
            end_of_last = end
    carriers = dict.fromkeys(edges for _, edges in _spans(doc, EC_KEY, source, target))
    return Analysis(len(target.starts), tuple(units), tuple(valences), tuple(carriers))


def to_pair(example: Example) -> Pair:
    """Gold and predicted analysis of one text, over the tokens of the predicted Doc."""
    target = Rows.of(example.predicted)
    gold = project(example.reference, Rows.of(example.reference), target)
    return gold, project(example.predicted, target, target)


def judge_candidates(example: Example, pair: Pair) -> list[tuple[bool, bool]]:
    """For each carrier candidate of the reference: is it a carrier, gold and predicted?

    The candidates are those annotated in the reference; where there are none, those of the chunk
    suggester inside the gold units, the same ones for every pipeline. A candidate that the
    pipeline has judged itself (`doc.spans["ec_candidates"]` with scores) has that judgment;
    another is positive when it overlaps a predicted carrier, by the rule that holds for the gold
    ones.
    """
    reference, predicted = example.reference, example.predicted
    source, target = Rows.of(reference), Rows.of(predicted)
    if EC_CANDIDATES_KEY in reference.spans:
        found = [edges for _, edges in _spans(reference, EC_CANDIDATES_KEY, source, target)]
    else:
        rows = [source.edges(*edges) for edges in chunk_edges(reference)]
        expanded = [target.expand(edges, source) for edges in rows if edges]
        found = [edges for edges in expanded if edges]
    judged = {
        edges: label == EC_LABEL
        for label, edges in _spans(predicted, EC_CANDIDATES_KEY, target, target)
        if SCORES_ATTR in predicted.spans[EC_CANDIDATES_KEY].attrs
    }
    mask = content_mask(predicted)
    content = [mask[token.i] for token in predicted if not token.is_space]
    gold, system = pair
    near_gold, near_system = _by_token(gold.carriers), _by_token(system.carriers)

    def positive(candidate: Edges, near: dict[int, list[Edges]]) -> bool:
        return any(
            shares_content(candidate, carrier, content)
            for i in range(*candidate)
            for carrier in near.get(i, ())
        )

    return [
        (
            positive(candidate, near_gold),
            judged[candidate] if candidate in judged else positive(candidate, near_system),
        )
        for candidate in dict.fromkeys(found)
    ]


def score_functional_units(examples: Iterable[Example], **kwargs: Any) -> Metrics:
    """`fu_boundary_p/r/f`, `fu_p/r/f`, `fu_windowdiff`."""
    return functional_unit_metrics([to_pair(eg) for eg in examples if _has_gold(eg, FU_KEY)])


def score_valence(examples: Iterable[Example], **kwargs: Any) -> Metrics:
    """`e2e_valence_macro_f` and its labels over tokens; `valence_macro_f` and its labels over
    units, None unless every predicted Doc has the gold units."""
    pairs = [to_pair(eg) for eg in examples if _has_gold(eg, FU_KEY)]
    if all(gold.units == predicted.units for gold, predicted in pairs):
        on_units = unit_valence_metrics(pairs)
    else:
        on_units = dict.fromkeys(UNIT_VALENCE_KEYS)
    return {**token_valence_metrics(pairs), **on_units}


def score_carriers(examples: Iterable[Example], **kwargs: Any) -> Metrics:
    """`ec_macro_f`, `ec_positive_f` over candidates; `ec_token_*`, `ec_exact_*`, `ec_partial_*`;
    `joint_*` over units, of the texts whose gold units all have a valence."""
    annotated = [eg for eg in examples if _has_gold(eg, FU_KEY, EC_KEY)]
    pairs = [to_pair(eg) for eg in annotated]
    judgments = [
        judgment
        for eg, pair in zip(annotated, pairs, strict=True)
        for judgment in judge_candidates(eg, pair)
    ]
    labeled = [pair for pair in pairs if all(pair[0].valences)]
    return {**candidate_metrics(judgments), **carrier_metrics(pairs), **joint_metrics(labeled)}


def score_generative(examples: Iterable[Example], **kwargs: Any) -> Metrics:
    """The scores of valence and carriers, and `invalid_answers`, as `score_invalid_answers`."""
    examples = list(examples)
    return {**score_coupled(examples), INVALID_ATTR: score_invalid_answers(examples)}


def score_invalid_answers(examples: Iterable[Example]) -> float | None:
    """The share of the units of which a freely written answer could not be read; None where nothing
    was written freely."""
    groups = [eg.predicted.spans[FU_KEY] for eg in examples if FU_KEY in eg.predicted.spans]
    flags = [flag for group in groups for flag in group.attrs.get(INVALID_ATTR, ())]
    return sum(map(bool, flags)) / len(flags) if flags else None


def score_coupled(examples: Iterable[Example], **kwargs: Any) -> Metrics:
    """The scores of valence and carriers."""
    examples = list(examples)
    return {**score_valence(examples), **score_carriers(examples)}


def make_coupled_scorer() -> Scorer:
    """`spacy_valence_ec.coupled_scorer.v1`"""
    return score_coupled


def make_generative_scorer() -> Scorer:
    """`spacy_valence_ec.generative_scorer.v1`"""
    return score_generative


def make_fu_scorer() -> Scorer:
    """`spacy_valence_ec.fu_scorer.v1`"""
    return score_functional_units


def make_valence_scorer() -> Scorer:
    """`spacy_valence_ec.valence_scorer.v1`"""
    return score_valence


def make_ec_scorer() -> Scorer:
    """`spacy_valence_ec.ec_scorer.v1`"""
    return score_carriers


def _has_gold(example: Example, *keys: str) -> bool:
    return all(key in example.reference.spans for key in keys)


def _spans(doc: Doc, key: str, source: Rows, target: Rows) -> Iterable[tuple[str, Edges]]:
    """Label and rows of each span of a group that holds more than white space."""
    for span in read_spans(doc, key):
        edges = source.edges(span.start, span.end)
        if edges and source is not target:
            edges = target.expand(edges, source)
        if edges:
            yield span.label_, edges


def _by_token(spans: Iterable[Edges]) -> dict[int, list[Edges]]:
    found: dict[int, list[Edges]] = {}
    for span in spans:
        for i in range(*span):
            found.setdefault(i, []).append(span)
    return found
