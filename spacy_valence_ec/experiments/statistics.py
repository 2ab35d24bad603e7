"""Whether one system is better than another: resampling of narratives, and of seeds.

A system is an array of counts (n_replicates, n_narratives, k): a replicate is a run of another
seed, and k counts of a narrative, summed over narratives, are all that a metric needs. A metric is
a function of such sums, (..., k) to (...), so that a thousand resamples are one matrix product.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Metric = Callable[[np.ndarray], np.ndarray]
Counts = np.ndarray

# 2 to the power of so many narratives: below, every assignment is tried and not a sample of them.
MOST_EXACT = 13
_CHUNK = 2000  # resamples at once: bounds the memory


@dataclass(frozen=True)
class Comparison:
    """Of two systems on the same narratives: the difference of their means over replicates, its
    95% bootstrap interval, and the two-sided p-value."""

    difference: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class BreakEven:
    """The least noise at which the curve is below the reference, None if it never is; `low` and
    `high` hold 95% of the bootstrap samples of seeds, infinity where one never is below."""

    rate: float | None
    low: float
    high: float


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation, which a single value does not have."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def macro_f_of_confusion(counts: Counts) -> np.ndarray:
    """Macro F1 from flattened confusion matrices (..., n * n), rows gold; an absent class is 0."""
    n = round(counts.shape[-1] ** 0.5)
    table = counts.reshape(*counts.shape[:-1], n, n)
    right = np.diagonal(table, axis1=-2, axis2=-1)
    scores: np.ndarray = _ratio(2 * right, table.sum(-1) + table.sum(-2)).mean(-1)
    return scores


def f_of_counts(counts: Counts) -> np.ndarray:
    """F1 from (..., 4): right predicted, predicted, found gold, gold, as `metrics` counts."""
    p = _ratio(counts[..., 0], counts[..., 1])
    r = _ratio(counts[..., 2], counts[..., 3])
    return _ratio(2 * p * r, p + r)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape), where=b > 0)


def approximate_randomization(
    a: Counts, b: Counts, metric: Metric, *, resamples: int = 9999, seed: int = 0
) -> float:
    """Two-sided p-value of the difference of two systems (Noreen 1989), paired over narratives: how
    often a difference as large comes about when each narrative's predictions are exchanged by
    chance, those of all replicates together. Exact for few narratives.
    """
    if a.shape != b.shape:
        raise ValueError(f"systems of different narratives: {a.shape}, {b.shape}")
    n = a.shape[1]
    observed = abs(float((metric(a.sum(1)) - metric(b.sum(1))).mean()))
    if n <= MOST_EXACT:
        every = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        return float(np.mean(_exchanged(a, b, metric, every) >= observed - 1e-12))
    rng = np.random.default_rng(seed)
    n_larger = 0
    for first in range(0, resamples, _CHUNK):
        swaps = rng.integers(0, 2, size=(min(_CHUNK, resamples - first), n))
        n_larger += int(np.sum(_exchanged(a, b, metric, swaps) >= observed - 1e-12))
    return (n_larger + 1) / (resamples + 1)


def _exchanged(a: Counts, b: Counts, metric: Metric, swaps: np.ndarray) -> np.ndarray:
    """The absolute difference under each row of `swaps` (n_resamples, n_narratives)."""
    moved = np.einsum("sn,rnk->srk", swaps.astype(float), (b - a).astype(float), optimize=True)
    scores = metric(a.sum(1) + moved) - metric(b.sum(1) - moved)
    difference: np.ndarray = np.abs(scores.mean(-1))
    return difference


def bootstrap_interval(
    a: Counts,
    metric: Metric,
    *,
    other: Counts | None = None,
    level: float = 0.95,
    resamples: int = 5000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the mean over replicates of a metric, or of its difference from
    that of `other`, over samples of narratives with replacement."""
    n = a.shape[1]
    rng = np.random.default_rng(seed)
    found = []
    for first in range(0, resamples, _CHUNK):
        weights = rng.multinomial(n, np.full(n, 1 / n), size=min(_CHUNK, resamples - first))
        scores = metric(np.einsum("sn,rnk->srk", weights.astype(float), a, optimize=True))
        if other is not None:
            drawn = np.einsum("sn,rnk->srk", weights.astype(float), other, optimize=True)
            scores = scores - metric(drawn)
        found.append(scores.mean(-1))
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(found), [tail, 1 - tail])
    return float(low), float(high)


def compare(a: Counts, b: Counts, metric: Metric, *, seed: int = 0) -> Comparison:
    """Difference, interval and p-value of two systems, a minus b."""
    difference = float((metric(a.sum(1)) - metric(b.sum(1))).mean())
    low, high = bootstrap_interval(a, metric, other=b, seed=seed)
    return Comparison(difference, low, high, approximate_randomization(a, b, metric, seed=seed))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979): the family-wise error holds for all comparisons together."""
    n = len(p_values)
    adjusted = [0.0] * n
    largest = 0.0
    for rank, i in enumerate(sorted(range(n), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (n - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def cohen_d(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Difference of the means in pooled standard deviations; None where there is no deviation."""
    if len(a) < 2 or len(b) < 2:
        return None
    freedom = len(a) + len(b) - 2
    pooled = ((len(a) - 1) * np.var(a, ddof=1) + (len(b) - 1) * np.var(b, ddof=1)) / freedom
    return float((np.mean(a) - np.mean(b)) / np.sqrt(pooled)) if pooled > 0 else None


def cliffs_delta(a: Sequence[float], b: Sequence[float]) -> float:
    """P(a > b) - P(a < b) over all pairs, from -1 to 1."""
    return float(np.sign(np.subtract.outer(np.asarray(a), np.asarray(b))).mean())


def break_even(
    rates: Sequence[float],
    curve: np.ndarray,
    reference: Sequence[float],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> BreakEven:
    """Where a curve of scores falls below a reference, by linear interpolation.

    curve: (n_seeds, n_rates), rates in order; reference: a score a seed, not the same seeds.
    """
    base = np.asarray(reference, dtype=float)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        rows = curve[rng.integers(0, len(curve), len(curve))]
        level = base[rng.integers(0, len(base), len(base))].mean()
        rate = _first_below(rates, rows.mean(0), level)
        drawn.append(np.inf if rate is None else rate)
    # Without interpolation: it would make a number of infinity minus infinity.
    low, high = np.quantile(drawn, [0.025, 0.975], method="inverted_cdf")
    return BreakEven(_first_below(rates, curve.mean(0), base.mean()), float(low), float(high))


def _first_below(rates: Sequence[float], scores: np.ndarray, level: float) -> float | None:
    for i, score in enumerate(scores):
        if score < level:
            if i == 0:
                return float(rates[0])
            share = (scores[i - 1] - level) / (scores[i - 1] - score)
            return float(rates[i - 1] + share * (rates[i] - rates[i - 1]))
    return None
