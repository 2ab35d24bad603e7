"""Figures of each person and of all together, over analyzed narratives.

Every narrative counts the same, however long it is. A mean has a 95% interval of Student's t over
narratives, cut at the ends of the scale; from a single narrative there is none. The narratives of
one person resemble each other, so that of all narratives the interval is too narrow: beside it
stands the mean over persons, with an interval over persons.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ..schema import MIXED, NEGATIVE, NEUTRAL, POSITIVE, VALENCES
from .narratives import AnalyzedNarrative, AnalyzedUnit, Record, read_records

LEVEL = 0.95
MOST_CARRIERS = 15  # of each valence


@dataclass(frozen=True)
class Mean:
    """A mean of `n` values; `low` and `high` hold its interval, None for fewer than two values."""

    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Point:
    """A narrative in a person's line: its place in the input, its score, and the quartiles of the
    polarity of its units."""

    index: int
    score: float
    low: float
    high: float


@dataclass(frozen=True)
class Month:
    """The mean score of the `n` narratives of a month, which is written as 2024-01."""

    month: str
    value: float
    n: int


@dataclass(frozen=True)
class CarrierCount:
    """How often a carrier is in units of one valence, and in how many narratives.

    form: its words in small letters, without marks at the edges.
    """

    form: str
    n: int
    n_narratives: int


@dataclass(frozen=True)
class Summary:
    """Figures of some narratives.

    narrator: whose they are; None for those that name nobody, and for all together.
    n_scored: narratives with a unit, which are what means are of.
    score: mean of the narratives' scores, None without any.
    shares: by valence the share of units, as mean over narratives; empty without any.
    doubtful: the share of doubtful units, likewise; None where no unit has probabilities.
    valences: how many narratives have which valence, in the order negative, neutral, positive,
        mixed.
    points: in order of time; those without a date are left out, unless none has one: then all
        are there, in the order of the input.
    months: of the points that have a date, in order.
    carriers: by the valence of the unit, the most frequent first.
    """

    narrator: str | None
    n_narratives: int
    n_scored: int
    n_units: int
    n_undated: int
    score: Mean | None
    shares: Mapping[str, Mean]
    doubtful: Mean | None
    valences: Mapping[str, int]
    points: Sequence[Point]
    months: Sequence[Month]
    carriers: Mapping[str, Sequence[CarrierCount]]


@dataclass(frozen=True)
class People:
    """Figures of all narratives, and of each person in order of first appearance.

    score_of_people: the mean over persons of their mean scores; None without any.
    """

    overall: Summary
    people: Sequence[Summary]
    score_of_people: Mean | None


def summarize_people(records: Iterable[Record]) -> People:
    """Return the figures of records as `valence-ec analyze` writes them.

    Raises: ValenceECError H001 for a record that it does not write.
    """
    return summarize_narratives(read_records(records))


def summarize_narratives(narratives: Sequence[AnalyzedNarrative]) -> People:
    """`summarize_people` of narratives that were read."""
    groups: dict[str | None, list[int]] = defaultdict(list)
    for i, narrative in enumerate(narratives):
        groups[narrative.narrator].append(i)
    people = [_summarize(name, narratives, indices) for name, indices in groups.items()]
    means = [
        person.score.value for person in people if person.score and person.narrator is not None
    ]
    return People(
        overall=_summarize(None, narratives, range(len(narratives))),
        people=people,
        score_of_people=mean_with_interval(means, low=-1, high=1) if means else None,
    )


def _summarize(
    narrator: str | None, narratives: Sequence[AnalyzedNarrative], indices: Sequence[int]
) -> Summary:
    chosen = [narratives[i] for i in indices]
    scored = [narrative for narrative in chosen if narrative.units]
    judged = [n for n in scored if any(unit.scores for unit in n.units)]
    points = _points(narratives, indices)
    undated = [narrative for narrative in scored if narrative.when is None]
    return Summary(
        narrator=narrator,
        n_narratives=len(chosen),
        n_scored=len(scored),
        n_units=sum(len(narrative.units) for narrative in scored),
        n_undated=len(undated),
        score=_mean_score(scored),
        shares={
            valence: _mean_share(scored, lambda unit, v=valence: unit.valence == v)  # type: ignore[misc]
            for valence in VALENCES
            if scored
        },
        doubtful=_mean_share(judged, lambda unit: unit.is_doubtful) if judged else None,
        valences={
            label: sum(narrative.valence == label for narrative in chosen)
            for label in (NEGATIVE, NEUTRAL, POSITIVE, MIXED)
        },
        points=points,
        months=_months(narratives, points),
        carriers=_carriers(chosen),
    )


def mean_with_interval(values: Sequence[float], *, low: float, high: float) -> Mean:
    """Return the mean of at least one value, with the interval of Student's t cut at the ends of
    the scale, `low` and `high`."""
    n = len(values)
    mean = float(np.mean(values))
    if n < 2:
        return Mean(mean, None, None, n)
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, n - 1))
    reach = quantile * float(np.std(values, ddof=1)) / n**0.5
    return Mean(mean, max(low, mean - reach), min(high, mean + reach), n)


def _mean_score(scored: Sequence[AnalyzedNarrative]) -> Mean | None:
    scores = [narrative.score for narrative in scored if narrative.score is not None]
    return mean_with_interval(scores, low=-1, high=1) if scores else None


def _mean_share(
    narratives: Sequence[AnalyzedNarrative], holds: Callable[[AnalyzedUnit], bool]
) -> Mean:
    """Of the units for which `holds` is true."""
    shares = [sum(map(holds, n.units)) / len(n.units) for n in narratives]
    return mean_with_interval(shares, low=0, high=1)


def _points(narratives: Sequence[AnalyzedNarrative], indices: Sequence[int]) -> list[Point]:
    scored = [i for i in indices if narratives[i].units]
    dated = [(when, i) for i in scored if (when := narratives[i].when) is not None]
    return [_point(narratives[i], i) for i in ([i for _, i in sorted(dated)] or scored)]


def _point(narrative: AnalyzedNarrative, index: int) -> Point:
    assert narrative.score is not None
    low, high = np.quantile([unit.polarity for unit in narrative.units], [0.25, 0.75])
    return Point(index, narrative.score, float(low), float(high))


def _months(narratives: Sequence[AnalyzedNarrative], points: Sequence[Point]) -> list[Month]:
    scores: dict[str, list[float]] = defaultdict(list)
    for point in points:
        when = narratives[point.index].when
        if when is not None:
            scores[when.date().isoformat()[:7]].append(point.score)
    return [Month(month, float(np.mean(found)), len(found)) for month, found in scores.items()]


def _carriers(narratives: Sequence[AnalyzedNarrative]) -> dict[str, list[CarrierCount]]:
    """By count, then by the sum of their probabilities, so that of those that are there once the
    surest come first; then by the alphabet."""
    found: dict[str, dict[str, list[tuple[int, float]]]] = {
        valence: defaultdict(list) for valence in VALENCES
    }
    for i, narrative in enumerate(narratives):
        for carrier in narrative.carriers:
            form = carrier_form(narrative.text[carrier.start : carrier.end])
            holding = [u for u in narrative.units if u.start <= carrier.start < u.end]
            if form and holding:
                found[holding[0].valence][form].append((i, carrier.score or 0.0))
    return {
        valence: [
            CarrierCount(form, len(places), len({i for i, _ in places}))
            for form, places in sorted(
                forms.items(), key=lambda x: (-len(x[1]), -sum(p for _, p in x[1]), x[0])
            )[:MOST_CARRIERS]
        ]
        for valence, forms in found.items()
    }


def carrier_form(text: str) -> str:
    """Return the words by which carriers are counted as one: small letters, single blanks, no
    punctuation at the edges."""
    words = " ".join(text.casefold().split())
    edges = "".join({char for char in words if not char.isalnum()})
    return words.strip(edges) or words
