"""Calibration error and temperature against systems whose truth is known, and scikit-learn."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from spacy_valence_ec.temperature import (
    LEAST,
    AtTemperature,
    Predictions,
    fit_temperature,
    reliability,
    tempered,
)


def test_reliability_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(500)
    right = rng.random(500) < p**2
    bins, error = reliability(p, right)
    accuracy, confidence = calibration_curve(right, p, n_bins=10)
    np.testing.assert_allclose([b.accuracy for b in bins], accuracy)
    np.testing.assert_allclose([b.confidence for b in bins], confidence)
    assert error == pytest.approx(sum(b.n * abs(b.accuracy - b.confidence) for b in bins) / 500)
    # By hand: 0.9 right, 0.9 wrong: sure by 0.9, right in half.
    assert reliability([0.9, 0.9], [True, False])[1] == pytest.approx(0.4)
    assert reliability([], []) == ([], None)


def test_predictions_by_hand() -> None:
    probabilities = np.asarray([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4]])
    found = Predictions.of_classes(probabilities, np.array([0, 1]), np.array([0, 2]))
    assert found.confidence.tolist() == [0.7, 0.5]
    assert found.right.tolist() == [True, False]
    assert found.truth.tolist() == [0.7, 0.4]
    assert found.negative_log_likelihood == pytest.approx(-np.log([0.7, 0.4]).mean())
    assert found.calibration_error == pytest.approx((0.3 + 0.5) / 2)
    events = Predictions.of_events(np.asarray([0.9, 0.8]), np.asarray([True, False]))
    assert events.truth == pytest.approx([0.9, 0.2])
    assert events.negative_log_likelihood == pytest.approx(
        log_loss([1, 0], [0.9, 0.8], labels=[0, 1])
    )
    both = Predictions.joined([found, events])
    assert len(both) == 4
    assert both.confidence.tolist() == [0.7, 0.5, 0.9, 0.8]
    nothing = Predictions.joined([])
    assert (nothing.calibration_error, nothing.negative_log_likelihood) == (None, None)


def sure_classes(temperature: float, seed: int) -> AtTemperature:
    """A classifier whose logits are too large by a factor: gold labels are drawn without it."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (20000, 3))
    p = softmax(logits, axis=1)
    gold = (rng.random((len(p), 1)) > p.cumsum(axis=1)[:, :2]).sum(axis=1)
    predicted = logits.argmax(axis=1)
    return lambda t: Predictions.of_classes(
        softmax(temperature * logits / t, axis=1), predicted, gold
    )


def sure_events(temperature: float, seed: int) -> AtTemperature:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, 20000)
    happened = rng.random(len(logits)) < expit(logits)
    return lambda t: Predictions.of_events(expit(temperature * logits / t), happened)


@pytest.mark.parametrize("system", [sure_classes, sure_events])
@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
def test_a_known_temperature_is_found(system: AtTemperature, true: float) -> None:
    at = system(true, 1)  # type: ignore[call-arg]
    fit = fit_temperature(at)
    assert fit.temperature == pytest.approx(true, rel=0.04)
    assert fit.kept is None
    before, after = at(1.0), at(fit.temperature)
    assert fit.n == len(before) == 20000
    assert after.calibration_error is not None
    assert before.calibration_error is not None
    assert after.calibration_error < 0.015
    if true != 1.0:
        assert before.calibration_error > 0.1
    np.testing.assert_array_equal(before.right, after.right)
    # No other temperature is better.
    assert after.negative_log_likelihood is not None
    for other in (0.9, 0.97, 1.03, 1.1):
        loss = at(other * fit.temperature).negative_log_likelihood
        assert loss is not None
        assert loss > after.negative_log_likelihood


def test_what_says_too_little_leaves_it_at_one() -> None:
    p = np.full(LEAST, 0.9)
    half = np.arange(LEAST) % 2 == 0

    def fitted(p: np.ndarray, hit: np.ndarray) -> tuple[float, str | None]:
        pairs = np.stack([p, 1 - p], axis=1)
        fit = fit_temperature(lambda t: Predictions.of_events(tempered(pairs, t)[:, 0], hit))
        return fit.temperature, fit.kept

    # Right in half of all cases, however sure: the least sure one of the range, if any.
    assert fitted(p, half) == (1.0, "the best is at the end of the range")
    assert fitted(p[1:], half[1:]) == (1.0, "fewer than 20 predictions")
    assert fitted(p[:0], half[:0]) == (1.0, "fewer than 20 predictions")
    assert fitted(p, half | True) == (1.0, "all are right")
    assert fitted(p, half & False) == (1.0, "none is right")


def test_tempered_probabilities_are_those_of_divided_logits() -> None:
    logits = np.random.default_rng(2).normal(0, 3, (50, 3))
    for t in (0.5, 1.0, 7.0):
        np.testing.assert_allclose(
            tempered(softmax(logits, axis=1), t), softmax(logits / t, axis=1), atol=1e-6
        )
    # What was rounded to nothing is not impossible at another temperature.
    (row,) = tempered(np.asarray([[1.0, 0.0, 0.0]]), 5.0)
    assert row[1] == row[2] > 0.01
    assert row.sum() == pytest.approx(1.0)
