"""Figures of people, against figures computed by hand, and how records are read."""

import math
from datetime import datetime
from typing import Any

import pytest
from small_records import a_record, some_records

from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.page import summarize_people
from spacy_valence_ec.page.narratives import read_date, read_records
from spacy_valence_ec.page.people import (
    MOST_CARRIERS,
    CarrierCount,
    Mean,
    Month,
    carrier_form,
    mean_with_interval,
)

# Polarities: negative -0.9, neutral 0, positive 0.9, doubtful 0.15 - 0.45 = -0.3.
T_2 = 4.302653  # Student's t with 2 degrees of freedom at 0.975, from a printed table
T_1 = 12.706205


def test_a_person() -> None:
    anna = summarize_people(some_records()).people[0]
    assert (anna.narrator, anna.n_narratives, anna.n_scored, anna.n_units) == ("Anna", 3, 3, 4)
    # Scores -0.45, 0.9, -0.3: mean 0.05, deviations -0.5, 0.85, -0.35.
    assert anna.score is not None
    assert anna.score.value == pytest.approx(0.05)
    reach = T_2 * math.sqrt((0.5**2 + 0.85**2 + 0.35**2) / 2) / math.sqrt(3)
    assert reach > 1.05  # so that both ends are those of the scale
    assert (anna.score.low, anna.score.high) == (-1, 1)
    # Shares of negative units by narrative: 1/2, 0, 1; each narrative counts the same.
    assert anna.shares["negative"].value == pytest.approx(0.5)
    assert anna.shares["neutral"].value == pytest.approx(1 / 6)
    assert anna.shares["positive"].value == pytest.approx(1 / 3)
    assert anna.doubtful is not None
    assert anna.doubtful.value == pytest.approx(1 / 3)
    assert anna.valences == {"negative": 2, "neutral": 0, "positive": 1, "mixed": 0}


def test_an_interval() -> None:
    # Of 0.1, 0.2, 0.3: standard deviation 0.1.
    mean = mean_with_interval([0.1, 0.2, 0.3], low=-1, high=1)
    reach = T_2 * 0.1 / math.sqrt(3)
    assert (mean.value, mean.n) == (pytest.approx(0.2), 3)
    assert (mean.low, mean.high) == (pytest.approx(0.2 - reach), pytest.approx(0.2 + reach))
    # Of two, 0.4 and 0.42: standard deviation 0.02 / sqrt(2).
    pair = mean_with_interval([0.4, 0.42], low=-1, high=1)
    assert pair.high == pytest.approx(0.41 + T_1 * 0.01)
    assert mean_with_interval([0.4], low=-1, high=1) == Mean(0.4, None, None, 1)


def test_the_line_is_in_order_of_time_with_quartiles() -> None:
    anna, bruno, nobody = summarize_people(some_records()).people
    assert [point.index for point in anna.points] == [1, 0, 2]
    assert [point.score for point in anna.points] == pytest.approx([0.9, -0.45, -0.3])
    # Units -0.9 and 0: the quartiles lie a quarter of the way from each.
    assert (anna.points[1].low, anna.points[1].high) == pytest.approx((-0.675, -0.225))
    assert [month.month for month in anna.months] == ["2024-01", "2024-03"]
    assert anna.months[1] == Month("2024-03", pytest.approx(-0.375), 2)
    # "ieri" is no date: the narratives stand in the order of the input.
    assert [point.index for point in bruno.points] == [3]
    assert (bruno.n_undated, bruno.months, bruno.n_narratives) == (1, [], 2)
    assert nobody.narrator is None


def test_all_together() -> None:
    people = summarize_people(some_records())
    # Scores -0.45, 0.9, -0.3, 0, 0: b2 has no unit.
    assert people.overall.score is not None
    assert (people.overall.score.value, people.overall.score.n) == (pytest.approx(0.03), 5)
    assert (people.overall.n_narratives, people.overall.n_scored) == (6, 5)
    assert len(people.overall.points) == 3  # the undated ones are left out
    assert people.overall.n_undated == 2
    # Over people with a name: 0.05 and 0.
    assert people.score_of_people is not None
    assert (people.score_of_people.value, people.score_of_people.n) == (pytest.approx(0.025), 2)


def test_carriers_are_counted_by_the_valence_of_their_unit() -> None:
    overall = summarize_people(some_records()).overall
    assert overall.carriers == {
        "negative": [CarrierCount("il treno", 2, 2)],  # "Il treno", "il treno"
        "neutral": [],
        "positive": [CarrierCount("bello", 1, 1), CarrierCount("è tornata", 1, 1)],
    }
    many = [a_record(f"m{i}", (f"La cosa {i:02}.", "negative", f"cosa {i:02}")) for i in range(20)]
    many.append(a_record("last", ("Cosa 19, cosa.", "negative", "Cosa 19")))
    found = summarize_people(many).overall.carriers["negative"]
    assert len(found) == MOST_CARRIERS
    assert found[:2] == [CarrierCount("cosa 19", 2, 2), CarrierCount("cosa 00", 1, 1)]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (" La\n Schiena, ", "la schiena"),
        ("«l'esame»", "l'esame"),
        ("l'ho fatta!!", "l'ho fatta"),
        ("🎉", "🎉"),
    ],
)
def test_the_form_of_a_carrier(text: str, form: str) -> None:
    assert carrier_form(text) == form


def test_without_probabilities_labels_count() -> None:
    text = "Bello. Brutto. Bello."
    units = [(0, 6, "positive"), (7, 14, "negative"), (15, 21, "positive")]
    spans = [{"start": a, "end": b, "valence": valence} for a, b, valence in units]
    overall = summarize_people([{"id": "1", "text": text, "units": spans}]).overall
    assert overall.score == Mean(pytest.approx(1 / 3), None, None, 1)
    assert overall.doubtful is None


def test_nothing_at_all() -> None:
    people = summarize_people([])
    assert (people.people, people.score_of_people, people.overall.score) == ([], None, None)
    empty = summarize_people([{"id": "1", "text": "", "units": [], "valence": "neutral"}])
    assert empty.overall.score is None
    assert empty.overall.valences["neutral"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024", datetime(2024, 1, 1)),
        ("2024-02", datetime(2024, 2, 1)),
        ("2024-02-29", datetime(2024, 2, 29)),
        ("2024-02-29T08:30", datetime(2024, 2, 29, 8, 30)),
        ("2024-02-29 08:30:05.25", datetime(2024, 2, 29, 8, 30, 5, 250_000)),
        ("2024-02-29T08:30:05Z", datetime(2024, 2, 29, 8, 30, 5)),
        ("2024-02-29T08:30:05.5+02:00", datetime(2024, 2, 29, 8, 30, 5, 500_000)),
        ("2023-02-29", None),
        ("29/02/2024", None),
        ("ieri", None),
    ],
)
def test_dates(text: str, expected: datetime | None) -> None:
    assert read_date(text) == expected


def test_what_records_may_lack() -> None:
    (bare, numbered) = read_records([{"text": "ciao"}, {"id": 7, "text": "x", "narrator": 3}])
    assert (bare.id, bare.narrator, bare.score, bare.valence) == ("narrative-1", None, None, "")
    assert (numbered.id, numbered.narrator) == ("7", "3")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"text": None}, "`text`"),
        ({"units": {}}, "`units`"),
        ({"units": "all"}, "`units`"),
        ({"units": [{"start": 0, "end": 99, "valence": "neutral"}]}, "`units, no. 1`"),
        ({"units": [{"start": 0, "end": 2, "valence": "happy"}]}, "`units, no. 1`"),
        (
            {"units": [{"start": 0, "end": 2, "valence": "neutral", "scores": {"neutral": 1}}]},
            "`units, no. 1`",
        ),
        ({"carriers": [{"start": 2, "end": 1}]}, "`carriers, no. 1`"),
        ({"carriers": [{"start": 0, "end": 1, "score": float("nan")}]}, "`carriers, no. 1`"),
    ],
)
def test_a_broken_record_is_named(fields: dict[str, Any], named: str) -> None:
    record = {"id": "n1", "text": "segreto"} | fields
    with pytest.raises(ValenceECError, match=r"\[H001\] n1: ") as caught:
        summarize_people([record])
    assert named in str(caught.value)
    assert "segreto" not in str(caught.value)
