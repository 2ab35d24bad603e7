"""How far probabilities can be believed, and the temperature that mends them (Guo et al. 2017,
*On Calibration of Modern Neural Networks*): plain numbers, without a pipeline.

A temperature T divides the logits. Above 1 it makes a model less sure of itself; the most probable
class stays the same. It is the T of least negative log-likelihood on data that was not trained on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

# Of a probability, before its logarithm: float32 has no smaller distance from one.
FLOOR = 1e-7
# Of a fit: fewer predictions say next to nothing about a temperature.
LEAST = 20
_LOG_BOUND = 3.0  # temperatures from 1/20 to 20
_GRID = np.linspace(-_LOG_BOUND, _LOG_BOUND, 25)


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions of like confidence: how many, how sure on average, and how often right."""

    n: int
    confidence: float
    accuracy: float


def reliability(
    confidences: Sequence[float] | np.ndarray, right: Sequence[bool] | np.ndarray, *, bins: int = 10
) -> tuple[list[ReliabilityBin], float | None]:
    """The bins of equal width that are not empty, and the expected calibration error (Guo et al.
    2017): the mean over predictions of |accuracy - confidence| of their bin."""
    p, hit = np.asarray(confidences, dtype=float), np.asarray(right, dtype=float)
    # As in the paper a bin is open below: (0.1, 0.2].
    index = np.clip(np.ceil(p * bins) - 1, 0, bins - 1)
    found = [
        ReliabilityBin(int(chosen.sum()), float(p[chosen].mean()), float(hit[chosen].mean()))
        for chosen in (index == i for i in range(bins))
        if chosen.any()
    ]
    if not found:
        return [], None
    error = sum(b.n * abs(b.accuracy - b.confidence) for b in found) / len(p)
    return found, error


@dataclass(frozen=True)
class Predictions:
    """What a system said, and what was true: arrays (n,).

    confidence: the probability of what was predicted. right: whether that was true. truth: the
    probability given to what was true, whatever was predicted.
    """

    confidence: np.ndarray
    right: np.ndarray
    truth: np.ndarray

    @classmethod
    def of_classes(
        cls, probabilities: np.ndarray, predicted: np.ndarray, gold: np.ndarray
    ) -> "Predictions":
        """Of each row of `probabilities`, (n, k), the class that was predicted, which need not be
        the most probable one; `predicted` and `gold` are int (n,)."""
        p = np.asarray(probabilities, dtype=float)
        rows = np.arange(len(p))
        return cls(p[rows, predicted], predicted == gold, p[rows, gold])

    @classmethod
    def of_events(cls, probabilities: np.ndarray, happened: np.ndarray) -> "Predictions":
        """Events that were all predicted, each with its probability: both (n,)."""
        p, true = np.asarray(probabilities, dtype=float), np.asarray(happened, dtype=bool)
        return cls(p, true, np.where(true, p, 1.0 - p))

    @classmethod
    def joined(cls, several: Sequence["Predictions"]) -> "Predictions":
        """Those of several systems together."""
        none = np.zeros(0)
        return cls(
            np.concatenate([none, *(some.confidence for some in several)]),
            np.concatenate([none.astype(bool), *(some.right for some in several)]),
            np.concatenate([none, *(some.truth for some in several)]),
        )

    def __len__(self) -> int:
        return len(self.right)

    @property
    def calibration_error(self) -> float | None:
        """The expected calibration error in ten bins; None without a prediction."""
        return reliability(self.confidence, self.right)[1]

    @property
    def negative_log_likelihood(self) -> float | None:
        """The mean of -log of what was given to the truth; None without a prediction."""
        return float(-np.log(np.maximum(self.truth, FLOOR)).mean()) if len(self) else None


AtTemperature = Callable[[float], Predictions]
"""The same predictions at any temperature."""


@dataclass(frozen=True)
class Fit:
    """A temperature and what it was fitted to; `kept` says why it was left at 1."""

    temperature: float
    n: int
    kept: str | None = None


def fit_temperature(at: AtTemperature) -> Fit:
    """The temperature of least negative log-likelihood, from 1/20 to 20.

    It is left at 1 for fewer than `LEAST` predictions, and where the best one is at the end of the
    range: all are right, or none, or the scores say nothing about it.
    """
    plain = at(1.0)
    n = len(plain)
    if n < LEAST:
        return Fit(1.0, n, f"fewer than {LEAST} predictions")
    if plain.right.all() or not plain.right.any():
        return Fit(1.0, n, "all are right" if plain.right.all() else "none is right")

    def loss(log_temperature: float) -> float:
        value = at(float(np.exp(log_temperature))).negative_log_likelihood
        assert value is not None
        return value

    # A tempered chain need not have a single minimum: look around before going down.
    best = int(np.argmin([loss(x) for x in _GRID]))
    if best in (0, len(_GRID) - 1):
        return Fit(1.0, n, "the best is at the end of the range")
    bounds = (_GRID[best - 1], _GRID[best + 1])
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return Fit(float(np.exp(found.x)), n)


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (n, k) at a temperature: p^(1/T), normalized, which is what dividing the
    logits by T gives."""
    powers = np.maximum(np.asarray(probabilities, dtype=float), FLOOR) ** (1.0 / temperature)
    result: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return result
