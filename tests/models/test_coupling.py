"""The coupled distribution against the enumeration of all pairs of a valence and a tagging."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_valence_ec.models.bio import B, Chains, I, O
from spacy_valence_ec.models.coupling import PRESENT, Coupled
from spacy_valence_ec.schema import VALENCES

NEUTRAL = VALENCES.index("neutral")
Tags = tuple[int, ...]


def taggings(scores: np.ndarray) -> dict[Tags, float]:
    """The log weight of each valid tagging of one unit."""
    n = len(scores)
    return {
        tags: float(scores[np.arange(n), tags].sum())
        for tags in product((O, B, I), repeat=n)
        if tags[0] != I and all(b != I or a != O for a, b in pairwise(tags))
    }


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5)), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.1, 2.0, 30.0]),
    st.booleans(),
)
def test_every_sum_and_choice_is_exact(
    layout: list[tuple[int, int]], seed: int, scale: float, exclusive: bool
) -> None:
    spans, n = [], 0
    for gap, length in layout:
        spans.append((n + gap, n + gap + length))
        n += gap + length
    rng = np.random.default_rng(seed)
    emissions = rng.normal(0, scale, (n + 1, 3))
    logits, factor = rng.normal(0, scale, (len(spans), 3)), rng.normal(0, 1, (3, 2))
    chains = Chains(emissions, np.asarray(spans))
    coupled = Coupled.of(logits, chains, factor, exclusive=exclusive)
    valences, holds = coupled.decode()
    forced = {held: chains.decode_given(np.full(len(spans), held)) for held in (True, False)}
    decoded, expected_tags = chains.decode_given(holds), chains.marginals_with()

    for u, (start, end) in enumerate(spans):
        weights = taggings(emissions[start:end])
        pairs = {
            (y, tags): logits[u, y] + weight + factor[y, int(B in tags)]
            for y in range(3)
            for tags, weight in weights.items()
            if not (exclusive and y == NEUTRAL and B in tags)
        }
        log_z = np.logaddexp.reduce(list(pairs.values()))
        cells = np.zeros((3, 2))
        for (y, tags), weight in pairs.items():
            cells[y, int(B in tags)] += np.exp(weight - log_z)
        np.testing.assert_allclose(np.exp(coupled.log_p[u]), cells, atol=1e-9)
        np.testing.assert_allclose(coupled.valence[u], cells.sum(axis=1), atol=1e-6)
        np.testing.assert_allclose(np.exp(coupled.log_presence[u]), cells.sum(axis=0), atol=1e-9)
        assert cells[valences[u], int(holds[u])] == pytest.approx(cells.max())

        held = {tags: weight for tags, weight in weights.items() if B in tags}
        log_with = np.logaddexp.reduce(list(held.values()))
        assert chains.log_with[u] == pytest.approx(log_with)
        assert chains.log_without[u] == pytest.approx(weights[(O,) * (end - start)])
        by_tag = np.zeros((end - start, 3))
        for tags, weight in held.items():
            by_tag[np.arange(end - start), tags] += np.exp(weight - log_with)
        np.testing.assert_allclose(expected_tags[start:end], by_tag, atol=1e-9)

        best = forced[True][start:end]
        assert weights[tuple(best.tolist())] == pytest.approx(max(held.values()))
        assert B in best
        assert not forced[False][start:end].any()
        np.testing.assert_array_equal(decoded[start:end], forced[bool(holds[u])][start:end])
        if exclusive and valences[u] == NEUTRAL:
            assert not holds[u]
    outside = np.ones(n + 1, dtype=bool)
    for start, end in spans:
        outside[start:end] = False
    assert not decoded[outside].any()
    assert not expected_tags[outside].any()


def test_no_unit() -> None:
    chains = Chains(np.zeros((4, 3)), np.zeros((0, 2), dtype=int))
    coupled = Coupled.of(np.zeros((0, 3)), chains, np.zeros((3, 2)))
    assert coupled.valence.shape == (0, 3)
    valences, holds = coupled.decode()
    assert len(valences) == len(holds) == 0
    assert not chains.decode_given(holds).any()


def test_certainty_has_no_nan() -> None:
    """Where no carrier could hardly be more probable, or less."""
    for emission in (300.0, -300.0):
        emissions = np.zeros((3, 3))
        emissions[:, B] = emission
        chains = Chains(emissions, np.asarray([(0, 3)]))
        coupled = Coupled.of(np.zeros((1, 3)), chains, np.zeros((3, 2)))
        assert np.isfinite(coupled.log_presence).all()
        assert np.isfinite(chains.marginals_with()).all()
        assert (np.exp(coupled.log_presence[0, PRESENT]) > 0.5) == (emission > 0)
