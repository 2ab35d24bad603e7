"""Every metric against a case worked out by hand, and against scikit-learn where it has it."""

import random
from itertools import pairwise

import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from spacy_valence_ec.metrics import (
    Analysis,
    Pair,
    candidate_metrics,
    carrier_metrics,
    functional_unit_metrics,
    joint_metrics,
    label_f_scores,
    macro,
    shares_content,
    token_valence_metrics,
    unit_valence_metrics,
    window_diff,
    window_size,
)
from spacy_valence_ec.schema import NEGATIVE, NEUTRAL, POSITIVE, VALENCES

NEG, NEU, POS = NEGATIVE, NEUTRAL, POSITIVE


def random_analysis(rng: random.Random, n_tokens: int) -> Analysis:
    edges = sorted({0, n_tokens, *(rng.randrange(1, n_tokens) for _ in range(n_tokens // 4))})
    units = tuple(pairwise(edges))
    carriers = tuple(
        (start, rng.randrange(start + 1, end + 1)) for start, end in units if rng.random() < 0.4
    )
    return Analysis(n_tokens, units, tuple(rng.choice(VALENCES) for _ in units), carriers)


def random_pairs(seed: int) -> list[Pair]:
    rng = random.Random(seed)
    lengths = [rng.randrange(2, 60) for _ in range(8)]
    return [(random_analysis(rng, n), random_analysis(rng, n)) for n in lengths]


# Ten tokens; gold units of 3, 3 and 4, predicted ones of 3, 4 and 3.
GOLD = Analysis(10, ((0, 3), (3, 6), (6, 10)), (NEU, NEG, POS), ((4, 6), (7, 8)))
PREDICTED = Analysis(10, ((0, 3), (3, 7), (7, 10)), (NEU, NEG, POS), ((4, 6), (7, 8)))


def test_functional_units_by_hand() -> None:
    scores = functional_unit_metrics([(GOLD, PREDICTED)])
    # Boundaries {3, 6} and {3, 7}, without the trivial 10: one of two is right, on both sides.
    assert scores["fu_boundary_p"] == scores["fu_boundary_r"] == scores["fu_boundary_f"] == 0.5
    # Units: (0, 3) of three.
    assert scores["fu_p"] == scores["fu_r"] == scores["fu_f"] == pytest.approx(1 / 3)
    # k = round(10 / 3 / 2) = 2, so 10 - 2 = 8 windows; window i spans the places i+1 and i+2:
    # 12 23 34 45 56 67 78 89; gold counts 0 1 1 0 1 1 0 0, predicted 0 1 1 0 0 1 1 0: two differ.
    assert scores["fu_windowdiff"] == 2 / 8


def test_functional_units_are_micro_averaged() -> None:
    # 1 of 2 boundaries right above; here predicted {2}, gold {2, 4, 6}: 2 of 3 and 2 of 5.
    gold = Analysis(8, ((0, 2), (2, 4), (4, 6), (6, 8)), (NEU,) * 4)
    predicted = Analysis(8, ((0, 2), (2, 8)), (NEU,) * 2)
    scores = functional_unit_metrics([(GOLD, PREDICTED), (gold, predicted)])
    assert scores["fu_boundary_p"] == pytest.approx(2 / 3)
    assert scores["fu_boundary_r"] == pytest.approx(2 / 5)
    assert scores["fu_boundary_f"] == pytest.approx(2 * 2 / (3 + 5))
    # Units: 1 of 3 and (0, 2) of 2 predicted, 4 gold: p = 2/5, r = 2/7.
    assert scores["fu_p"] == pytest.approx(2 / 5)
    assert scores["fu_r"] == pytest.approx(2 / 7)
    # k = half of (10 + 8) / 7 is 1.3, at least 2. Six windows 12 23 34 45 56 67 in the second
    # text: gold 1 1 1 1 1 1, predicted 1 1 0 0 0 0: four differ. Pooled: (2 + 4) / (8 + 6).
    assert scores["fu_windowdiff"] == pytest.approx(6 / 14)


@pytest.mark.parametrize(
    ("lengths", "k"),
    [([], 2), ([1, 1], 2), ([5], 3), ([4, 5], 2), ([10], 5), ([9], 5), ([7, 8], 4)],
)
def test_window_size_is_half_the_mean_rounded_half_up(lengths: list[int], k: int) -> None:
    # 5 / 2 = 2.5 -> 3; 4.5 / 2 = 2.25 -> 2; 9 / 2 = 4.5 -> 5; 7.5 / 2 = 3.75 -> 4
    texts = [Analysis(length, ((0, length),), (NEU,)) for length in lengths]
    assert window_size(texts) == k


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # The examples of the documentation of nltk.metrics.segmentation.windowdiff
        ("000100000010", "000100000010", 0.0),
        ("000100000010", "000010000100", 0.3),
        ("000010000100", "100000010000", 0.8),
    ],
)
def test_window_diff_agrees_with_nltk(first: str, second: str, expected: float) -> None:
    def boundaries(places: str) -> set[int]:
        return {i + 1 for i, place in enumerate(places) if place == "1"}

    differing, windows = window_diff(
        boundaries(first), boundaries(second), n_tokens=len(first) + 1, k=3
    )
    assert differing / windows == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_window_diff_agrees_with_its_formula(seed: int) -> None:
    for gold, predicted in random_pairs(seed):
        n, k = gold.n_tokens, 3
        a, b = gold.boundaries(), predicted.boundaries()
        # Pevzner and Hearst: positions 1 .. N, boundaries between position i and position i + k
        expected = sum(
            sum(i <= x < i + k for x in a) != sum(i <= x < i + k for x in b)
            for i in range(1, n - k + 1)
        )
        assert window_diff(a, b, n, k) == (expected, max(0, n - k))


def test_window_diff_of_a_short_text_is_not_defined() -> None:
    text = Analysis(2, ((0, 1), (1, 2)), (NEU, NEU))
    assert functional_unit_metrics([(text, text)])["fu_windowdiff"] is None
    assert functional_unit_metrics([])["fu_windowdiff"] is None


def test_unit_valence_by_hand() -> None:
    units = ((0, 1), (1, 2), (2, 3), (3, 4))
    gold = Analysis(4, units, (NEG, NEU, NEU, POS))
    predicted = Analysis(4, units, (NEG, NEU, POS, NEU))
    # negative: 1 right, none wrong; neutral: 1 right of 2 and 2; positive: none right of 1 and 1
    assert unit_valence_metrics([(gold, predicted)]) == {
        "valence_f_negative": 1.0,
        "valence_f_neutral": 0.5,
        "valence_f_positive": 0.0,
        "valence_macro_f": 0.5,
    }


def test_an_absent_class_counts_as_zero() -> None:
    units = ((0, 1), (1, 2))
    pair = Analysis(2, units, (NEU, NEU)), Analysis(2, units, (NEU, NEG))
    # neutral: 1 right of 2 gold and 1 predicted, 2/3; negative and positive 0: (2/3) / 3
    assert unit_valence_metrics([pair])["valence_macro_f"] == pytest.approx(2 / 9)
    assert set(unit_valence_metrics([]).values()) == {None}


def test_unit_valence_refuses_other_units() -> None:
    with pytest.raises(ValueError, match="gold units"):
        unit_valence_metrics([(GOLD, PREDICTED)])


def test_token_valence_by_hand() -> None:
    gold = Analysis(5, ((0, 2), (2, 5)), (NEG, NEU))
    predicted = Analysis(5, ((0, 3), (3, 5)), (NEG, NEU))
    # Tokens: NEG NEG NEU NEU NEU against NEG NEG NEG NEU NEU.
    # negative: 2 right of 2 and 3, 4/5; neutral: 2 right of 3 and 2, 4/5; positive 0.
    assert token_valence_metrics([(gold, predicted)]) == {
        "e2e_valence_f_negative": pytest.approx(0.8),
        "e2e_valence_f_neutral": pytest.approx(0.8),
        "e2e_valence_f_positive": 0.0,
        "e2e_valence_macro_f": pytest.approx(1.6 / 3),
    }


def test_a_token_without_a_prediction_is_a_miss_and_one_without_gold_is_left_out() -> None:
    gold = Analysis(4, ((0, 2), (2, 4)), (NEG, ""))
    predicted = Analysis(4, ((1, 4),), (NEG,))
    # Left: tokens 0 and 1, gold NEG NEG, predicted "" NEG: 1 right of 2 and 1.
    assert token_valence_metrics([(gold, predicted)])["e2e_valence_f_negative"] == pytest.approx(
        2 / 3
    )


def test_carriers_by_hand() -> None:
    gold = Analysis(10, carriers=((1, 4), (6, 8)))
    predicted = Analysis(10, carriers=((1, 4), (5, 7), (8, 9)))
    assert carrier_metrics([(gold, predicted)]) == {
        # Tokens {1 2 3 6 7} and {1 2 3 5 6 8}: 4 right.
        "ec_token_p": pytest.approx(4 / 6),
        "ec_token_r": pytest.approx(4 / 5),
        "ec_token_f": pytest.approx(2 * 4 / 11),
        # Spans: (1, 4).
        "ec_exact_p": pytest.approx(1 / 3),
        "ec_exact_r": pytest.approx(1 / 2),
        "ec_exact_f": pytest.approx(2 / 5),
        # (1, 4) and (5, 7) overlap a gold one; both gold ones overlap a predicted one.
        "ec_partial_p": pytest.approx(2 / 3),
        "ec_partial_r": pytest.approx(1.0),
        "ec_partial_f": pytest.approx(0.8),
    }


def test_partial_matches_need_not_be_one_to_one() -> None:
    pair = Analysis(6, carriers=((0, 6),)), Analysis(6, carriers=((0, 2), (4, 6)))
    scores = carrier_metrics([pair])
    assert (scores["ec_partial_p"], scores["ec_partial_r"], scores["ec_partial_f"]) == (1, 1, 1)
    assert scores["ec_exact_f"] == 0.0


def test_candidates_by_hand() -> None:
    judgments = [(True, True), (True, False), (False, False), (False, False), (False, True)]
    # carrier: 1 right of 2 and 2, 1/2; not: 2 right of 3 and 3, 2/3
    assert candidate_metrics(judgments) == {
        "ec_macro_f": pytest.approx((1 / 2 + 2 / 3) / 2),
        "ec_positive_f": pytest.approx(1 / 2),
    }
    # The class of carriers is absent: 0.
    assert candidate_metrics([(False, False)])["ec_macro_f"] == 0.5
    assert set(candidate_metrics([]).values()) == {None}


def test_joint_by_hand() -> None:
    gold = Analysis(12, ((0, 3), (3, 6), (6, 9), (9, 12)), (NEU, NEG, POS, NEU), ((4, 6), (7, 8)))
    predicted = Analysis(
        12,
        ((0, 3), (3, 6), (6, 9), (9, 11), (11, 12)),
        (NEU, NEG, NEG, NEU, NEU),
        ((4, 5), (7, 8)),
    )
    # (0, 3) is right. (3, 6) has another carrier, (6, 9) another valence, the rest other edges:
    # 1 of 5 predicted ones, of 4 gold ones.
    assert joint_metrics([(gold, predicted)]) == {
        "joint_p": pytest.approx(1 / 5),
        "joint_r": pytest.approx(1 / 4),
        "joint_f": pytest.approx(2 / 9),
    }
    assert joint_metrics([(gold, gold)])["joint_f"] == 1.0


def test_nothing_to_find_is_none_and_nothing_right_is_zero() -> None:
    empty, whole = Analysis(4), Analysis(4, ((0, 4),), (NEU,))
    assert set(carrier_metrics([(empty, empty)]).values()) == {None}
    assert set(joint_metrics([(empty, empty)]).values()) == {None}
    nothing = functional_unit_metrics([(whole, whole)])
    assert nothing["fu_boundary_f"] is None  # one unit has no boundary inside
    assert nothing["fu_f"] == 1.0
    carrier = Analysis(4, carriers=((1, 2),))
    for pair in ((carrier, empty), (empty, carrier)):
        assert set(carrier_metrics([pair]).values()) == {0.0}


def test_valences_must_fit_the_units() -> None:
    with pytest.raises(ValueError, match="1 units, 0 valences"):
        Analysis(3, ((0, 3),))


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [((0, 1), False), ((0, 2), False), ((1, 3), True), ((3, 5), False), ((2, 4), True)],
)
def test_a_candidate_needs_a_content_token_of_the_carrier(
    candidate: tuple[int, int], expected: bool
) -> None:
    # carrier: tokens 1 and 2, of which 2 is a content token
    content = [True, False, True, True, True]
    assert shares_content(candidate, (1, 3), content) is expected


def test_in_a_carrier_without_content_every_token_counts() -> None:
    content = [True, False, False, True]
    assert shares_content((0, 2), (1, 3), content)
    assert not shares_content((0, 1), (1, 3), content)


@pytest.mark.parametrize("seed", range(5))
def test_labels_agree_with_scikit_learn(seed: int) -> None:
    rng = random.Random(seed)
    labels = VALENCES[: rng.randrange(1, 4)]  # some classes absent
    gold = [rng.choice(labels) for _ in range(50)]
    predicted = [rng.choice((*labels, "")) for _ in range(50)]
    scores = label_f_scores(gold, predicted, VALENCES)
    expected = f1_score(gold, predicted, labels=VALENCES, average=None, zero_division=0)
    assert list(scores.values()) == pytest.approx(list(expected))
    assert macro(scores) == pytest.approx(
        f1_score(gold, predicted, labels=VALENCES, average="macro", zero_division=0)
    )


@pytest.mark.parametrize("seed", range(5))
def test_candidates_agree_with_scikit_learn(seed: int) -> None:
    rng = random.Random(seed)
    judgments = [(rng.random() < 0.2, rng.random() < 0.3) for _ in range(80)]
    gold, predicted = zip(*judgments, strict=True)
    scores = candidate_metrics(judgments)
    assert scores["ec_macro_f"] == pytest.approx(
        f1_score(gold, predicted, labels=[True, False], average="macro", zero_division=0)
    )
    assert scores["ec_positive_f"] == pytest.approx(f1_score(gold, predicted, zero_division=0))


@pytest.mark.parametrize("seed", range(5))
def test_tokens_and_boundaries_agree_with_scikit_learn(seed: int) -> None:
    pairs = random_pairs(seed)
    scores = {
        **carrier_metrics(pairs),
        **functional_unit_metrics(pairs),
        **token_valence_metrics(pairs),
    }

    def expected(gold: list[bool], predicted: list[bool]) -> list[float]:
        return list(
            precision_recall_fscore_support(gold, predicted, average="binary", zero_division=0)[:3]
        )

    tokens = [(g, p, i) for g, p in pairs for i in range(g.n_tokens)]
    assert [scores[f"ec_token_{x}"] for x in "prf"] == pytest.approx(
        expected(
            [i in g.carrier_tokens() for g, _, i in tokens],
            [i in p.carrier_tokens() for _, p, i in tokens],
        )
    )
    places = [(g, p, i) for g, p, i in tokens if i > 0]
    assert [scores[f"fu_boundary_{x}"] for x in "prf"] == pytest.approx(
        expected(
            [i in g.boundaries() for g, _, i in places],
            [i in p.boundaries() for _, p, i in places],
        )
    )
    gold = [label for g, _ in pairs for label in g.token_valences()]
    predicted = [label for _, p in pairs for label in p.token_valences()]
    assert scores["e2e_valence_macro_f"] == pytest.approx(
        f1_score(gold, predicted, labels=VALENCES, average="macro", zero_division=0)
    )


def test_a_perfect_prediction_is_perfect() -> None:
    pairs = [(gold, gold) for gold, _ in random_pairs(0)]
    scores = {
        **functional_unit_metrics(pairs),
        **unit_valence_metrics(pairs),
        **token_valence_metrics(pairs),
        **carrier_metrics(pairs),
        **joint_metrics(pairs),
    }
    assert scores.pop("fu_windowdiff") == 0.0
    assert set(scores.values()) == {1.0}
