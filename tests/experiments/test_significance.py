"""The statistics against cases worked out by hand, SciPy and scikit-learn."""

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import confusion_matrix, f1_score

from spacy_valence_ec.experiments import statistics as st
from spacy_valence_ec.metrics import f_score_two_sided


def system(seed: int, narratives: int = 8, replicates: int = 1) -> tuple[np.ndarray, list]:
    """Counts of random labels, and the labels: the gold ones are the same for every seed."""
    gold_rng, rng = np.random.default_rng(99), np.random.default_rng(seed)
    gold = gold_rng.integers(0, 3, size=(narratives, 5))
    predicted = rng.integers(0, 3, size=(replicates, narratives, 5))
    predicted = np.where(rng.random(predicted.shape) < 0.5, gold, predicted)
    counts = np.array(
        [
            [
                confusion_matrix(g, p, labels=range(3)).ravel()
                for g, p in zip(gold, run, strict=True)
            ]
            for run in predicted
        ]
    )
    return counts, [(gold.ravel(), run.ravel()) for run in predicted]


def test_macro_f_is_that_of_scikit_learn() -> None:
    counts, runs = system(1, replicates=3)
    expected = [f1_score(g, p, labels=range(3), average="macro") for g, p in runs]
    np.testing.assert_allclose(st.macro_f_of_confusion(counts.sum(1)), expected)
    absent = np.array([2, 1, 0, 0, 3, 0, 0, 0, 0])  # no third class on either side
    assert st.macro_f_of_confusion(absent) == pytest.approx((2 * 2 / 5 + 2 * 3 / 7 + 0) / 3)


def test_f_of_counts_is_that_of_the_metrics() -> None:
    for counts in ([2, 3, 1, 4], [0, 3, 0, 4], [0, 0, 0, 2], [1, 1, 1, 1]):
        assert st.f_of_counts(np.array(counts)) == f_score_two_sided(*counts)["f"]


@pytest.mark.parametrize("seeds", [(1, 2), (3, 4), (1, 1)])
def test_exact_randomization_is_that_of_scipy(seeds: tuple[int, int]) -> None:
    (a, _), (b, _) = (system(seed, narratives=7) for seed in seeds)

    def statistic(i: np.ndarray, j: np.ndarray, axis: int = -1) -> np.ndarray:
        """Of indices: SciPy exchanges numbers, which here name a narrative and a system."""
        rows = np.concatenate([a[0], b[0]])
        scores = st.macro_f_of_confusion(rows[i.astype(int)].sum(-2))
        return scores - st.macro_f_of_confusion(rows[j.astype(int)].sum(-2))

    names = (np.arange(7), np.arange(7, 14))
    expected = scipy.stats.permutation_test(
        names, statistic, permutation_type="samples", vectorized=True, n_resamples=np.inf
    )
    found = st.approximate_randomization(a, b, st.macro_f_of_confusion)
    assert found == pytest.approx(expected.pvalue)
    assert (found == 1.0) == (seeds[0] == seeds[1])


def test_sampled_randomization_approaches_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    (a, _), (b, _) = (system(seed, narratives=10, replicates=3) for seed in (5, 6))
    exact = st.approximate_randomization(a, b, st.macro_f_of_confusion)
    monkeypatch.setattr(st, "MOST_EXACT", 0)
    sampled = st.approximate_randomization(a, b, st.macro_f_of_confusion, resamples=19999)
    assert 0.05 < exact < 0.95
    assert sampled == pytest.approx(exact, abs=0.015)
    with pytest.raises(ValueError, match="different narratives"):
        st.approximate_randomization(a, b[:, :5], st.macro_f_of_confusion)


def test_the_interval_is_that_of_scipy() -> None:
    counts, _ = system(7, narratives=40)

    def statistic(i: np.ndarray, axis: int = -1) -> np.ndarray:
        return st.macro_f_of_confusion(counts[0][i.astype(int)].sum(-2))

    expected = scipy.stats.bootstrap(
        (np.arange(40),), statistic, method="percentile", n_resamples=5000, rng=0
    ).confidence_interval
    assert st.bootstrap_interval(counts, st.macro_f_of_confusion) == pytest.approx(
        tuple(expected), abs=0.01
    )
    same = st.bootstrap_interval(counts, st.macro_f_of_confusion, other=counts)
    assert same == (0.0, 0.0)


def test_holm_by_hand() -> None:
    assert st.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert st.holm([0.9, 0.8]) == [1.0, 1.0]
    assert st.holm([]) == []


def test_effect_sizes_by_hand() -> None:
    assert st.cohen_d([2.0, 4.0], [1.0, 3.0]) == pytest.approx(1 / 2**0.5)
    assert st.cohen_d([1.0, 1.0], [2.0, 2.0]) is None
    assert st.cliffs_delta([1, 2, 3], [2, 2]) == pytest.approx((2 - 2) / 6)
    assert st.cliffs_delta([3, 4], [1, 2]) == 1.0
    assert st.mean_and_deviation([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
    assert st.mean_and_deviation([1.0]) == (1.0, None)


def test_break_even_by_hand() -> None:
    curve = np.array([[0.8, 0.6, 0.2], [0.6, 0.4, 0.2]])  # mean 0.7, 0.5, 0.2
    found = st.break_even([0.0, 0.5, 1.0], curve, [0.4, 0.4])
    assert found.rate == pytest.approx(0.5 + 0.5 * 0.1 / 0.3)
    # With the first seed alone 0.75, with the second one 0.5.
    assert (found.low, found.high) == pytest.approx((0.5, 0.75))
    assert st.break_even([0.0, 1.0], curve[:, :2], [0.1]).rate is None
    assert st.break_even([0.0, 1.0], curve[:, :2], [0.1]).high == np.inf
    assert st.break_even([0.0, 1.0], curve[:, :2], [0.9]).rate == 0.0
