"""The metrics, as pure functions over plain data (no spaCy).

Conventions, the same everywhere:

- A text is a row of `n_tokens` tokens **without the white-space tokens**; an edge pair
  `(start, end)` is a stretch of it, end exclusive.
- Precision, recall and F1 are fractions in [0, 1], micro-averaged over all the texts. When
  there is nothing to find and nothing was found, all three are None: no figure can be given.
  When only one side is empty, all three are 0.0.
- A macro F1 is the unweighted mean over **all** the classes; a class that occurs on neither
  side counts as 0.0 (scikit-learn: `f1_score(labels=all, average="macro", zero_division=0)`).
  Without a single gold label, it and the F1 of each class are None.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .schema import VALENCES

Edges = tuple[int, int]
Metrics = dict[str, float | None]

CARRIER = "carrier"
NOT_CARRIER = "not"


@dataclass(frozen=True)
class Analysis:
    """What one side, gold or predicted, says of one text.

    Units are in order and do not overlap; `valences` has one label a unit (`""`: none).
    """

    n_tokens: int
    units: tuple[Edges, ...] = ()
    valences: tuple[str, ...] = ()
    carriers: tuple[Edges, ...] = ()

    def __post_init__(self) -> None:
        if len(self.units) != len(self.valences):
            raise ValueError(f"{len(self.units)} units, {len(self.valences)} valences")

    def boundaries(self) -> set[int]:
        """The boundaries inside the text: b stands after token b - 1. The end of the text, which
        is one in every segmentation, is not counted."""
        edges = {edge for unit in self.units for edge in unit}
        return edges - {0, self.n_tokens}

    def token_valences(self) -> list[str]:
        """For each token the valence of its unit, `""` outside of all units."""
        labels = [""] * self.n_tokens
        for (start, end), valence in zip(self.units, self.valences, strict=True):
            labels[start:end] = [valence] * (end - start)
        return labels

    def carrier_tokens(self) -> set[int]:
        return {i for start, end in self.carriers for i in range(start, end)}

    def joint_units(self) -> set[tuple[Edges, str, frozenset[Edges]]]:
        """Each unit with its valence and the set of carriers that share a token with it."""
        at_token: dict[int, list[Edges]] = {}
        for carrier in self.carriers:
            for i in range(*carrier):
                at_token.setdefault(i, []).append(carrier)
        return {
            (unit, valence, frozenset(c for i in range(*unit) for c in at_token.get(i, ())))
            for unit, valence in zip(self.units, self.valences, strict=True)
        }


Pair = tuple[Analysis, Analysis]
"""Gold, predicted: of the same text, over the same tokens."""


def shares_content(candidate: Edges, carrier: Edges, content: Sequence[bool]) -> bool:
    """The rule of the annotation guide: whether a candidate overlaps a carrier by at least one
    content token. In a carrier without any content token ("ce l'ho"), every token counts."""
    shared = range(max(candidate[0], carrier[0]), min(candidate[1], carrier[1]))
    if not any(content[carrier[0] : carrier[1]]):
        return len(shared) > 0
    return any(content[i] for i in shared)


def f_score(n_right: int, n_predicted: int, n_gold: int) -> Metrics:
    """`p`, `r` and `f` from counts: right ones, predicted ones, gold ones."""
    return f_score_two_sided(n_right, n_predicted, n_right, n_gold)


def f_score_two_sided(
    n_right_predicted: int, n_predicted: int, n_found_gold: int, n_gold: int
) -> Metrics:
    """`p`, `r` and `f` where the right predictions and the gold ones that were found are counted
    apart, as in a partial match, which need not be one to one."""
    if not n_predicted and not n_gold:
        return {"p": None, "r": None, "f": None}
    p = n_right_predicted / n_predicted if n_predicted else 0.0
    r = n_found_gold / n_gold if n_gold else 0.0
    return {"p": p, "r": r, "f": 2 * p * r / (p + r) if p + r else 0.0}


def label_f_scores(
    gold: Sequence[str], predicted: Sequence[str], labels: Iterable[str]
) -> dict[str, float]:
    """F1 of each of `labels`, 0.0 for one that occurs on neither side. A label outside of
    `labels`, such as `""`, is a miss on the other side and gets no score of its own."""
    scores = {}
    for label in labels:
        right = sum(g == p == label for g, p in zip(gold, predicted, strict=True))
        total = sum(g == label for g in gold) + sum(p == label for p in predicted)
        scores[label] = 2 * right / total if total else 0.0
    return scores


def macro(scores: dict[str, float]) -> float:
    """The unweighted mean."""
    return sum(scores.values()) / len(scores)


def window_size(gold: Iterable[Analysis]) -> int:
    """WindowDiff's k: half the mean length of a gold unit, in tokens, rounded half up, at least
    2."""
    lengths = [end - start for text in gold for start, end in text.units]
    if not lengths:
        return 2
    return max(2, math.floor(sum(lengths) / len(lengths) / 2 + 0.5))


def window_diff(gold: set[int], predicted: set[int], n_tokens: int, k: int) -> tuple[int, int]:
    """WindowDiff of one text as counts: windows that differ, windows.

    Pevzner and Hearst (2002, "A Critique and Improvement of an Evaluation Metric for Text
    Segmentation"): 1/(N-k) times the number of i in 1 .. N-k for which the number of boundaries
    between positions i and i+k is not the same. A window thus spans k of the N-1 places between
    tokens; nltk's `windowdiff` gives the same on strings of N-1 places.
    """
    n_windows = n_tokens - k
    if n_windows <= 0:
        return 0, 0

    def cumulated(boundaries: set[int]) -> list[int]:
        counts = [0]
        for place in range(1, n_tokens):
            counts.append(counts[-1] + (place in boundaries))
        return counts

    a, b = cumulated(gold), cumulated(predicted)
    differing = sum(a[i + k] - a[i] != b[i + k] - b[i] for i in range(n_windows))
    return differing, n_windows


def functional_unit_metrics(pairs: Sequence[Pair]) -> Metrics:
    """`fu_boundary_p/r/f`, `fu_p/r/f` (units with both edges right), `fu_windowdiff` (share of
    all windows of all texts that differ; lower is better, None without any window)."""
    boundaries = [(gold.boundaries(), predicted.boundaries()) for gold, predicted in pairs]
    k = window_size(gold for gold, _ in pairs)
    windows = [
        window_diff(gold, predicted, pair[0].n_tokens, k)
        for pair, (gold, predicted) in zip(pairs, boundaries, strict=True)
    ]
    n_windows = sum(n for _, n in windows)
    return {
        **_named("fu_boundary", _set_scores(boundaries)),
        **_named("fu", _set_scores([(set(g.units), set(p.units)) for g, p in pairs])),
        "fu_windowdiff": sum(d for d, _ in windows) / n_windows if n_windows else None,
    }


def unit_valence_metrics(pairs: Sequence[Pair]) -> Metrics:
    """`valence_macro_f` and `valence_f_<label>` over units, which must be the same on both
    sides. A unit without a gold valence is left out."""
    gold: list[str] = []
    predicted: list[str] = []
    for a, b in pairs:
        if a.units != b.units:
            raise ValueError("valence_macro_f needs the gold units on both sides")
        labelled = [(g, p) for g, p in zip(a.valences, b.valences, strict=True) if g]
        gold.extend(g for g, _ in labelled)
        predicted.extend(p for _, p in labelled)
    return _valence_scores("valence", gold, predicted)


def token_valence_metrics(pairs: Sequence[Pair]) -> Metrics:
    """`e2e_valence_macro_f` and `e2e_valence_f_<label>` over tokens, each with the valence of its
    unit, whatever the units are. A token without a gold valence is left out."""
    gold: list[str] = []
    predicted: list[str] = []
    for a, b in pairs:
        for g, p in zip(a.token_valences(), b.token_valences(), strict=True):
            if g:
                gold.append(g)
                predicted.append(p)
    return _valence_scores("e2e_valence", gold, predicted)


def carrier_metrics(pairs: Sequence[Pair]) -> Metrics:
    """`ec_token_p/r/f` over tokens, `ec_exact_p/r/f` over spans with both edges right,
    `ec_partial_p/r/f` over spans that share a token: precision is the share of the predicted
    ones that overlap a gold one, recall the share of the gold ones that overlap a predicted
    one (Tammewar et al. 2021)."""
    return {
        **_named(
            "ec_token", _set_scores([(g.carrier_tokens(), p.carrier_tokens()) for g, p in pairs])
        ),
        **_named("ec_exact", _set_scores([(set(g.carriers), set(p.carriers)) for g, p in pairs])),
        **_named(
            "ec_partial",
            f_score_two_sided(
                sum(_n_overlapping(p.carriers, g.carrier_tokens()) for g, p in pairs),
                sum(len(p.carriers) for _, p in pairs),
                sum(_n_overlapping(g.carriers, p.carrier_tokens()) for g, p in pairs),
                sum(len(g.carriers) for g, _ in pairs),
            ),
        ),
    }


def candidate_metrics(judgments: Sequence[tuple[bool, bool]]) -> Metrics:
    """`ec_macro_f`, the mean F1 of the two classes, and `ec_positive_f`, that of the carriers,
    over candidates: whether each is a carrier, gold and predicted. None without candidates."""
    if not judgments:
        return {"ec_macro_f": None, "ec_positive_f": None}
    names = {True: CARRIER, False: NOT_CARRIER}
    scores = label_f_scores(
        [names[gold] for gold, _ in judgments],
        [names[predicted] for _, predicted in judgments],
        (CARRIER, NOT_CARRIER),
    )
    return {"ec_macro_f": macro(scores), "ec_positive_f": scores[CARRIER]}


def joint_metrics(pairs: Sequence[Pair]) -> Metrics:
    """`joint_p/r/f` over units: one is right when its edges, its valence and its set of carriers
    are."""
    return _named("joint", _set_scores([(g.joint_units(), p.joint_units()) for g, p in pairs]))


def cohen_kappa(first: Sequence[object], second: Sequence[object]) -> float | None:
    """Agreement of two annotators over the same items, corrected for chance (Cohen 1960): 1.0 when
    they always agree, 0.0 as by chance; None without items, or when chance alone explains all,
    because both gave one and the same label throughout."""
    if not first:
        return None
    n = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    counts, others = Counter(first), Counter(second)
    by_chance = sum(counts[label] * others[label] for label in counts) / n**2
    return (observed - by_chance) / (1 - by_chance) if by_chance < 1 else None


def _set_scores(sets: Sequence[tuple[set, set]]) -> Metrics:
    """Scores of what is found exactly, micro over texts: (gold, predicted) for each."""
    return f_score(
        sum(len(gold & predicted) for gold, predicted in sets),
        sum(len(predicted) for _, predicted in sets),
        sum(len(gold) for gold, _ in sets),
    )


def _n_overlapping(spans: Sequence[Edges], tokens: set[int]) -> int:
    return sum(any(i in tokens for i in range(*span)) for span in spans)


def _valence_scores(name: str, gold: Sequence[str], predicted: Sequence[str]) -> Metrics:
    if not gold:
        return {f"{name}_macro_f": None, **{f"{name}_f_{label}": None for label in VALENCES}}
    scores = label_f_scores(gold, predicted, VALENCES)
    return {
        f"{name}_macro_f": macro(scores),
        **{f"{name}_f_{label}": score for label, score in scores.items()},
    }


def _named(name: str, scores: Metrics) -> Metrics:
    return {f"{name}_{key}": value for key, value in scores.items()}
