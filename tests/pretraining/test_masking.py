"""What is to be guessed: how much, in which spans, and what stands in its place."""

import numpy as np
import pytest
from small_texts import settings_of

from spacy_valence_ec.pretraining.masking import Vocabulary, mask_spans, rate_at
from spacy_valence_ec.pretraining.packing import IGNORED, Packed

VOCABULARY = Vocabulary(mask=4, n_special=5, size=500)
SHAPE = (400, 128)


def packed() -> Packed:
    ids = np.random.default_rng(0).integers(5, 500, SHAPE)
    ids[:, 0], ids[:, -1], ids[::3, 40] = 2, 3, 3
    ids[-1, 60:] = 0
    return Packed(ids, ids != 0)


def masked(rate: float, **changes: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    settings = settings_of("tiny", masking=changes).masking
    assert settings is not None
    found = packed()
    rng = np.random.default_rng(1)
    return found.ids, *mask_spans(found, rate, settings, VOCABULARY, rng)


@pytest.mark.parametrize("rate", [0.15, 0.4])
def test_rates(rate: float) -> None:
    ids, inputs, labels = masked(rate)
    chosen = labels != IGNORED
    np.testing.assert_array_equal(labels[chosen], ids[chosen])
    np.testing.assert_array_equal(inputs[~chosen], ids[~chosen])
    assert chosen[ids >= 5].mean() == pytest.approx(rate, rel=0.04)
    assert (inputs[chosen] == 4).mean() == pytest.approx(0.8, abs=0.03)
    same = inputs[chosen] == ids[chosen]
    assert same.mean() == pytest.approx(0.1, abs=0.02)
    other = inputs[chosen][~same & (inputs[chosen] != 4)]
    assert len(other) / chosen.sum() == pytest.approx(0.1, abs=0.02)
    assert other.min() >= 5
    assert other.max() < 500


def test_special_pieces_are_never_guessed() -> None:
    ids, inputs, labels = masked(0.9)
    special = ids < 5
    assert (labels[special] == IGNORED).all()
    np.testing.assert_array_equal(inputs[special], ids[special])


@pytest.mark.parametrize("mean_span", [1.0, 3.0])
def test_spans_are_geometric(mean_span: float) -> None:
    """At a low rate two spans seldom touch, so that runs of labels are spans."""
    _, _, labels = masked(0.02, mean_span=mean_span)
    edges = np.diff(np.pad((labels != IGNORED).astype(int), ((0, 0), (1, 1))))
    lengths = np.argwhere(edges == -1)[:, 1] - np.argwhere(edges == 1)[:, 1]
    assert lengths.mean() == pytest.approx(mean_span, rel=0.15)
    # Of a geometric distribution, the share of the spans of a single piece.
    assert (lengths == 1).mean() == pytest.approx(1 / mean_span, abs=0.1)


def test_a_span_has_one_fate() -> None:
    _, inputs, labels = masked(0.02, mean_span=4.0)
    inside = (labels[:, 1:] != IGNORED) & (labels[:, :-1] != IGNORED)
    is_mask = inputs == 4
    assert (is_mask[:, 1:] == is_mask[:, :-1])[inside].mean() > 0.97
    assert inside.sum() > 100


def test_the_rate_falls_on_a_line() -> None:
    settings = settings_of("tiny").masking
    assert settings is not None
    assert [rate_at(step, 11, settings) for step in (0, 5, 10)] == pytest.approx([0.3, 0.225, 0.15])
    assert rate_at(0, 1, settings) == 0.3
