"""The chain against the enumeration of all tag sequences."""

from itertools import pairwise, product

import numpy as np
import pytest
from helpers import slope
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_valence_ec.models.bio import B, Chains, I, O, spans_of_tags


def valid(tags: tuple[int, ...]) -> bool:
    return tags[0] != I and all(b != I or a != O for a, b in pairwise(tags))


def all_sequences(scores: np.ndarray) -> dict[tuple[int, ...], float]:
    """The weight of each valid tag sequence of one unit, before normalizing."""
    n = len(scores)
    return {
        tags: float(scores[np.arange(n), tags].sum())
        for tags in product((O, B, I), repeat=n)
        if valid(tags)
    }


# Lengths of the units and of the gaps (tokens of no unit) before them.
layouts = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(layouts, st.integers(0, 2**32 - 1), st.sampled_from([0.1, 2.0, 50.0]))
def test_chain_is_the_distribution_over_valid_sequences(
    layout: list[tuple[int, int]], seed: int, scale: float
) -> None:
    spans, n = [], 0
    for gap, length in layout:
        spans.append((n + gap, n + gap + length))
        n += gap + length
    rng = np.random.default_rng(seed)
    emissions = rng.normal(0, scale, (n + 1, 3))
    chains = Chains(emissions, np.asarray(spans))
    decoded, marginals = chains.decode(), chains.marginals()
    inside = np.zeros(n + 1, dtype=bool)
    gold = np.full(n + 1, O)
    expected_nll = []
    for (start, end), log_z in zip(spans, chains.log_z, strict=True):
        inside[start:end] = True
        weights = all_sequences(emissions[start:end])
        expected = np.logaddexp.reduce(list(weights.values()))
        assert log_z == pytest.approx(expected)

        probability = {tags: np.exp(weight - expected) for tags, weight in weights.items()}
        by_tag = np.zeros((end - start, 3))
        by_span: dict[tuple[int, int], float] = {}
        for tags, p in probability.items():
            by_tag[np.arange(end - start), tags] += p
            for first, last in spans_of_tags(np.asarray(tags)):
                by_span[first, last] = by_span.get((first, last), 0.0) + p
        np.testing.assert_allclose(marginals[start:end], by_tag, atol=1e-9)
        at = [(start + first, start + last) for first, last in by_span]
        np.testing.assert_allclose(
            chains.span_probabilities(at), list(by_span.values()), rtol=1e-5, atol=1e-7
        )
        best = tuple(int(tag) for tag in decoded[start:end])
        assert valid(best)
        assert weights[best] == pytest.approx(max(weights.values()))

        tags = list(weights)[int(rng.integers(len(weights)))]
        gold[start:end] = tags
        expected_nll.append(expected - weights[tags])
    np.testing.assert_allclose(chains.negative_log_likelihood(gold), expected_nll, atol=1e-9)
    assert not marginals[~inside].any()
    assert (decoded[~inside] == O).all()


def test_marginals_minus_gold_is_the_gradient() -> None:
    rng = np.random.default_rng(0)
    emissions = rng.normal(size=(9, 3))
    spans = np.asarray([(0, 4), (5, 9)])
    gold = np.asarray([O, B, I, O, O, B, B, I, I])
    gradient = Chains(emissions, spans).marginals()
    inside = np.asarray([True] * 4 + [False] + [True] * 4)
    gradient[inside, gold[inside]] -= 1
    for index in np.ndindex(9, 3):

        def loss(eps: float) -> float:
            moved = emissions.copy()
            moved[index] += eps  # noqa: B023
            return float(Chains(moved, spans).negative_log_likelihood(gold).sum())

        assert slope(loss, 1e-5) == pytest.approx(gradient[index], abs=1e-6)


def test_long_unit_beside_short_ones_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    lengths = [1, 700, 2, 3, 700, 1, 64, 65]
    ends = np.cumsum(lengths)
    spans = np.column_stack([ends - lengths, ends])
    emissions = rng.normal(0, 3, (ends[-1], 3))
    together = Chains(emissions, spans)
    found = spans_of_tags(together.decode())
    probabilities = dict(zip(found, together.span_probabilities(found), strict=True))
    np.testing.assert_allclose(together.marginals().sum(axis=1), 1.0)
    for i, (start, end) in enumerate(spans):
        alone = Chains(emissions[start:end], np.asarray([(0, end - start)]))
        assert together.log_z[i] == pytest.approx(alone.log_z[0])
        assert (together.decode()[start:end] == alone.decode()).all()
        np.testing.assert_allclose(together.marginals()[start:end], alone.marginals(), atol=1e-9)
        own = spans_of_tags(alone.decode())
        for (first, last), p in zip(own, alone.span_probabilities(own), strict=True):
            assert probabilities[start + first, start + last] == pytest.approx(p)


def test_carrier_never_leaves_its_unit() -> None:
    """Even where every token asks to go on with the carrier."""
    emissions = np.tile(np.asarray([0.0, 1.0, 100.0], dtype="float32"), (7, 1))
    chains = Chains(emissions, np.asarray([(0, 3), (3, 4), (5, 7)]))
    carriers = spans_of_tags(chains.decode())
    assert carriers == [(0, 3), (3, 4), (5, 7)]
    np.testing.assert_allclose(chains.span_probabilities(carriers), [1, 0.7311, 1], atol=1e-3)


def test_last_tag_of_a_unit_shorter_than_others_of_its_batch() -> None:
    """A token more, like the last one, would make I the better tag."""
    emissions = np.zeros((7, 3))
    emissions[:2, O] = 10.0
    emissions[2] = [0.0, 4.0, 5.0]
    chains = Chains(emissions, np.asarray([(0, 3), (3, 7)]))
    assert chains.decode()[:3].tolist() == [O, O, B]


def test_nothing_to_decode() -> None:
    for n in (0, 4):
        chains = Chains(np.ones((n, 3)), np.zeros((0, 2)))
        assert chains.decode().tolist() == [O] * n
        assert chains.marginals().tolist() == [[0.0] * 3] * n
        assert chains.negative_log_likelihood(np.zeros(n, dtype=int)).shape == (0,)
        assert chains.span_probabilities([]).dtype == np.float32


def test_untrained_scores_give_no_carrier() -> None:
    chains = Chains(np.zeros((5, 3)), np.asarray([(0, 5)]))
    assert spans_of_tags(chains.decode()) == []


def test_spans_of_tags() -> None:
    assert spans_of_tags(np.asarray([B, B, I, O, B, I])) == [(0, 1), (1, 3), (4, 6)]
    assert spans_of_tags(np.zeros(0, dtype=int)) == []
