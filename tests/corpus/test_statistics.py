import json
from dataclasses import asdict

import pytest
from scipy.stats.contingency import odds_ratio

from spacy_valence_ec.corpus.statistics import (
    CoOccurrence,
    Distribution,
    co_occurrence,
    corpus_statistics,
)
from spacy_valence_ec.schema import Narrative, Offsets, Unit


def test_a_corpus_counted_by_hand() -> None:
    found = corpus_statistics(
        [
            Narrative(
                id="a",
                # 0        9 10                     33 34
                text="Ho corso. L'autobus è partito... che rabbia!",
                units=(
                    Unit(0, 9, "neutral"),
                    Unit(10, 32, "negative"),
                    Unit(33, 44, "negative"),
                ),
                # Two carriers in one unit.
                carriers=(Offsets(10, 19), Offsets(20, 29)),
                narrator="s1",
            ),
            Narrative(id="b", text="Piove.", units=(Unit(0, 6, "neutral"),), narrator="s1"),
            Narrative(id="c", text="", narrator=None),
        ]
    )
    assert (found.narratives, found.narrators, found.without_narrator) == (3, 1, 1)
    # Ho corso | L autobus è partito | che rabbia | Piove
    assert (found.words, found.characters) == (9, 50)
    assert (found.units, found.carriers) == (4, 2)
    assert found.valences == {"negative": 2, "neutral": 2, "positive": 0}
    assert found.valence_shares == {"negative": 0.5, "neutral": 0.5, "positive": 0.0}
    assert found.non_neutral_share == 0.5
    assert (found.units_with_carrier, found.carrier_share) == (1, 0.25)
    assert found.units_per_narrative == Distribution(4 / 3, 0, 1.0, 3)
    assert found.words_per_unit == Distribution(2.25, 1, 2.0, 4)
    assert found.words_per_carrier == Distribution(2.0, 2, 2.0, 2)
    cells = found.co_occurrence
    assert (cells.non_neutral_with, cells.non_neutral_without) == (1, 1)
    assert (cells.neutral_with, cells.neutral_without) == (0, 2)
    # (1.5 * 2.5) / (1.5 * 0.5)
    assert cells.odds_ratio == pytest.approx(5.0)
    assert cells.corrected
    assert json.loads(json.dumps(asdict(found))) == asdict(found)


def test_the_interval_is_the_one_of_scipy_and_of_the_textbook() -> None:
    found = co_occurrence(20, 80, 10, 190)
    expected = odds_ratio([[20, 80], [10, 190]], kind="sample")
    interval = expected.confidence_interval(0.95)
    # ln 4.75 +- 1.96 * sqrt(1/20 + 1/80 + 1/10 + 1/190) = 1.55814 +- 0.80300
    assert found.odds_ratio == pytest.approx(4.75)
    assert found.odds_ratio == pytest.approx(expected.statistic)
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))
    assert (found.ci_low, found.ci_high) == pytest.approx((2.128, 10.603), abs=0.01)
    assert not found.corrected


def test_a_table_with_nothing_to_compare_has_no_odds_ratio() -> None:
    assert co_occurrence(0, 0, 0, 9) == CoOccurrence(0, 0, 0, 9, None, None, None, corrected=False)
    empty = corpus_statistics([])
    assert (empty.units, empty.non_neutral_share, empty.words_per_unit) == (0, 0.0, None)
    assert empty.co_occurrence.odds_ratio is None
