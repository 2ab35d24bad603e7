"""Whether the tokens that speak most for a valence are emotion carriers.

After Seyed Mahed Mousavi, Gabriel Roccabruna, Aniruddha Tammewar, Steve Azzolin and Giuseppe
Riccardi. 2022. *Can Emotion Carriers Explain Automatic Sentiment Prediction? A Study on Personal
Narratives.* In Proceedings of WASSA.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata
from spacy.training import Example

from ..pipeline.condition import gold_carrier_marks, gold_valences
from ..schema import NEUTRAL, VALENCES
from ..suggesters import content_mask
from .attribution import UnitAttribution


@dataclass(frozen=True)
class Overlap:
    """Means over the units that were counted; None without any."""

    n_units: int
    """Units counted: not neutral, with content words some of which, and not all, are carriers'."""
    n_trivial: int
    """Units left out because all of their content words are carriers'."""
    precision: float | None
    """Of the k content words of highest attribution, the share that is a carrier's; k is the number
    of the unit's content words that are."""
    chance: float | None
    """The same for k content words drawn at random, in the long run."""
    average_precision: float | None
    """Of the ranking of the content words by attribution."""
    chance_average_precision: float | None
    """The same for a random ranking, in the long run."""
    auc: float | None
    """How often a carrier's word is ranked above one that is not (0.5 by chance)."""


def carrier_overlap(explained: Iterable[tuple[Example, Sequence[UnitAttribution]]]) -> Overlap:
    """Compare attributions with the gold carriers.

    explained: Docs with their reference, which has the span groups `fu` and `ec`, and the
        attributions of units of the Doc. Units that are annotated as neutral, or not at all, and
        those without a gold carrier that has a content word are left out.
    """
    found = []
    n_trivial = 0
    for example, attributions in explained:
        carriers = gold_carrier_marks(example) == 1
        valences = gold_valences(example)
        content = np.asarray(content_mask(example.predicted), dtype=bool)
        for given in attributions:
            if valences[given.unit] < 0 or VALENCES[valences[given.unit]] == NEUTRAL:
                continue
            words = content[given.start : given.end]
            relevant = carriers[given.start : given.end][words]
            if relevant.all() and len(relevant):
                n_trivial += 1
            elif relevant.any():
                found.append(_ranking(given.scores[words], relevant))
    if not found:
        return Overlap(0, n_trivial, None, None, None, None, None)
    return Overlap(len(found), n_trivial, *np.mean(found, axis=0).tolist())


def _ranking(scores: np.ndarray, relevant: np.ndarray) -> tuple[float, float, float, float, float]:
    """Of one unit the figures of `Overlap`, in their order. Of equal scores the first is ranked
    first; in the AUC they count half."""
    n, k = len(relevant), int(relevant.sum())
    ranked = relevant[np.argsort(-scores, kind="stable")]
    places = np.arange(1, n + 1)
    average = float((ranked.cumsum() / places)[ranked].mean())
    # Above a relevant word at place i stand (i - 1)(k - 1)/(n - 1) relevant ones, on average.
    by_chance = float(((1 + (places - 1) * (k - 1) / (n - 1)) / places).mean())
    ranks = rankdata(scores)[relevant].sum()
    auc = float((ranks - k * (k + 1) / 2) / (k * (n - k)))
    return float(ranked[:k].mean()), k / n, average, by_chance, auc
