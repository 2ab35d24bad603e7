"""Agreement of two annotations, against cases worked out by hand and scikit-learn."""

import random
from dataclasses import replace

import pytest
import spacy
from sklearn.metrics import cohen_kappa_score

from spacy_valence_ec import ValenceECError
from spacy_valence_ec.corpus.agreement import annotation_agreement
from spacy_valence_ec.metrics import cohen_kappa
from spacy_valence_ec.schema import Narrative, Offsets, Unit

NLP = spacy.blank("it")
#       0         1         2         3
#       0123456789012345678901234567890123
TEXT = "ho perso il treno e sono tornato li"


def narrative(units: str, carriers: list[tuple[int, int]], **fields: str) -> Narrative:
    """`units` as "end:label ..." in characters; the first begins at 0."""
    found, start = [], 0
    for unit in units.split():
        end, label = unit.split(":")
        found.append(Unit(start, int(end), label))
        start = int(end) + 1
    spans = tuple(Offsets(*edges) for edges in carriers)
    return Narrative(
        **{"id": "n1", "narrator": "s1", **fields}, text=TEXT, units=tuple(found), carriers=spans
    )


def test_agreement_by_hand() -> None:
    # 8 tokens. First: units [0,4) negative and [4,8) neutral, carrier "il treno" (2 tokens).
    # Second: [0,4) negative, [4,6) neutral, [6,8) positive; carrier "ho perso il treno" (4).
    first = narrative("17:negative 35:neutral", [(9, 17)])
    second = narrative("17:negative 24:neutral 35:positive", [(0, 17)])
    overall, by_narrator = annotation_agreement([first], [second], NLP)
    assert by_narrator == {"s1": overall}
    assert (overall.narratives, overall.units_first, overall.units_second) == (1, 2, 3)
    # Boundaries {4} and {4, 6}: P = 1/2, R = 1, F = 2/3. Units alike: 1 of 3 and of 2.
    assert overall.boundary_f == pytest.approx(2 / 3)
    assert overall.unit_f == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))
    assert overall.units_agreed == 1
    assert overall.valence_kappa is None  # one unit, one label: chance alone explains it
    # Tokens in a carrier: 2 and 4 of 8, 2 in common: 6 of 8 alike; by chance
    # 2/8 * 4/8 + 6/8 * 4/8 = 1/2; kappa = (3/4 - 1/2) / (1/2).
    assert overall.carrier_token_kappa == pytest.approx(0.5)
    assert (overall.carrier_exact_f, overall.carrier_partial_f) == (0.0, 1.0)


def test_the_same_annotation_agrees_with_itself() -> None:
    one = narrative("17:negative 35:neutral", [(9, 17)])
    other = replace(one, id="n2", narrator="s2")
    overall, by_narrator = annotation_agreement([one, other], [other, one], NLP)
    assert set(by_narrator) == {"s1", "s2"}
    assert overall.units_agreed == 4
    figures = (overall.boundary_f, overall.unit_f, overall.valence_kappa)
    assert {*figures, overall.carrier_token_kappa, overall.carrier_exact_f} == {1.0}


@pytest.mark.parametrize("change", [{"id": "n9"}, {"text": TEXT + "!"}])
def test_other_texts_are_refused(change: dict[str, str]) -> None:
    one = narrative("17:negative 35:neutral", [])
    with pytest.raises(ValenceECError, match=r"A001.*n1"):
        annotation_agreement([one], [replace(one, **change)], NLP)
    with pytest.raises(ValenceECError, match=r"A001.*n2"):
        annotation_agreement([one], [one, replace(one, id="n2")], NLP)


def test_kappa_is_that_of_scikit_learn() -> None:
    rng = random.Random(0)
    for n in (2, 10, 200):
        first = [rng.choice("abc") for _ in range(n)] + ["a", "b"]
        second = [a if rng.random() < 0.7 else rng.choice("abc") for a in first]
        assert cohen_kappa(first, second) == pytest.approx(cohen_kappa_score(first, second))
    assert cohen_kappa([], []) is None
