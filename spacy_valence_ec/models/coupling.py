"""The joint distribution over the valence of a unit and its carriers.

For a unit with the valence logits v, the chain score s over taggings t (`bio`), and h(t) = 1 where
t holds a carrier, else 0:

    P(y, t) = exp(v[y] + s(t) + c[y, h(t)]) / Z

with the learned factor c, the same for all units. A neutral unit has no carrier: there c is minus
infinity. All taggings with (without) a carrier are summed by the chain, so that six numbers a unit
say all there is to know about the coupling, and every sum is exact.
"""

from dataclasses import dataclass

import numpy as np

from ..schema import NEUTRAL, VALENCES
from .bio import Chains

ABSENT, PRESENT = range(2)

# Where a factor is impossible; finite, so that no difference of two of them is undefined.
_IMPOSSIBLE = -1e30


@dataclass(frozen=True)
class Coupled:
    """The distribution of the units of a batch.

    log_p: float64 (n_units, 3, 2), log P(valence, holds a carrier).
    """

    log_p: np.ndarray

    @classmethod
    def of(
        cls, logits: np.ndarray, chains: Chains, factor: np.ndarray, *, exclusive: bool = True
    ) -> "Coupled":
        """logits: (n_units, 3). factor: (3, 2). exclusive: whether a neutral unit has no
        carrier."""
        presence = np.stack([chains.log_without, chains.log_with], axis=1)
        scores = logits[:, :, None].astype("float64") + presence[:, None, :] + factor
        if exclusive:
            scores[:, VALENCES.index(NEUTRAL), PRESENT] = _IMPOSSIBLE
        log_z = np.logaddexp.reduce(scores.reshape(-1, 6), axis=1)
        return cls(scores - log_z[:, None, None])

    @property
    def valence(self) -> np.ndarray:
        """P(valence), float32 (n_units, 3)."""
        return np.exp(self.log_valence).astype("float32")

    @property
    def log_valence(self) -> np.ndarray:
        """(n_units, 3)"""
        return np.asarray(np.logaddexp.reduce(self.log_p, axis=2))

    @property
    def log_presence(self) -> np.ndarray:
        """Log of the probability of no carrier, and of some, (n_units, 2)."""
        return np.asarray(np.logaddexp.reduce(self.log_p, axis=1))

    def decode(self) -> tuple[np.ndarray, np.ndarray]:
        """The most probable pair of each unit: its valence, int (n_units,), and whether it holds
        a carrier, bool (n_units,)."""
        best = self.log_p.reshape(-1, 6).argmax(axis=1)
        return best // 2, (best % 2).astype(bool)
