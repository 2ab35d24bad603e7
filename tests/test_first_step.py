"""The first step as it is given in an evaluation: gold, or gold with noise."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.first_step import GivenFirstStep, Noise, parse_first_step, place
from spacy_valence_ec.schema import EC_KEY, FU_KEY, VALENCES

N_DOCS, N_UNITS, LENGTH = 60, 20, 8
VOCAB = spacy.blank("it").vocab
SHARES = {"negative": 0.5, "neutral": 0.4, "positive": 0.1}


def gold_docs() -> list[Doc]:
    """Units of eight tokens: half of them negative with a carrier of two tokens, and of these
    every fourth with a second one, of one token."""
    docs = []
    for _ in range(N_DOCS):
        doc = Doc(VOCAB, words=["x"] * (N_UNITS * LENGTH))
        units, carriers = [], []
        for i in range(N_UNITS):
            label = "negative" if i % 2 else "positive" if i in (0, 10) else "neutral"
            units.append(Span(doc, i * LENGTH, (i + 1) * LENGTH, label=label))
            if i % 2:
                carriers.append(Span(doc, i * LENGTH + 1, i * LENGTH + 3, label="EC"))
            if i % 8 == 1:
                carriers.append(Span(doc, i * LENGTH + 5, i * LENGTH + 6, label="EC"))
        doc.spans[FU_KEY], doc.spans[EC_KEY] = units, carriers
        docs.append(doc)
    return docs


GOLD = gold_docs()


def given(noise: Noise, of_valence: bool) -> list[Any]:
    """The labels of all units, or the carriers of all Docs with the place of the Doc."""
    examples = []
    for reference in GOLD:
        doc = Doc(VOCAB, words=[token.text for token in reference])
        doc.spans[FU_KEY] = [Span(doc, unit.start, unit.end) for unit in reference.spans[FU_KEY]]
        examples.append(Example(doc, reference))
    GivenFirstStep(noise, GOLD, of_valence).write(examples)
    docs = [example.predicted for example in examples]
    if of_valence:
        return [unit.label_ for doc in docs for unit in doc.spans[FU_KEY]]
    return [(i, c.start, c.end) for i, doc in enumerate(docs) for c in doc.spans[EC_KEY]]


LABELS = [unit.label_ for doc in GOLD for unit in doc.spans[FU_KEY]]
CARRIERS = [(i, c.start, c.end) for i, doc in enumerate(GOLD) for c in doc.spans[EC_KEY]]


def test_without_noise_it_is_the_gold_first_step() -> None:
    assert given(Noise(0.0), True) == LABELS
    assert given(Noise(0.0, seed=7), False) == CARRIERS


def test_noise_of_rate_1_has_the_distribution_of_the_labels() -> None:
    """Whatever the gold label is."""
    drawn = given(Noise(1.0), True)
    for gold in ("negative", "neutral"):
        rows = [label for label, truth in zip(drawn, LABELS, strict=True) if truth == gold]
        shares = {label: n / len(rows) for label, n in Counter(rows).items()}
        assert shares == pytest.approx(SHARES, abs=0.06)


def test_noise_of_rate_1_has_the_shape_of_the_confusions() -> None:
    confusions = {
        "negative": {"negative": 3, "positive": 1},
        "neutral": {"neutral": 0, "negative": 8},
        "positive": {"negative": 1, "neutral": 1, "positive": 2},
    }
    drawn = given(Noise(1.0, confusions=confusions), True)
    for gold, row in confusions.items():
        rows = [label for label, truth in zip(drawn, LABELS, strict=True) if truth == gold]
        expected = [row.get(label, 0) / sum(row.values()) for label in VALENCES]
        found = [rows.count(label) / len(rows) for label in VALENCES]
        assert found == pytest.approx(expected, abs=0.11)


def test_carriers_of_rate_1_are_those_of_a_unit_drawn_from_the_corpus() -> None:
    drawn = given(Noise(1.0), False)
    n_units = N_DOCS * N_UNITS
    per_unit = Counter((i, start // LENGTH) for i, start, _ in drawn)
    counts = Counter(per_unit.values())
    # Of 20 units 10 hold a carrier, and 3 of these (1, 9 and 17) two.
    assert (n_units - sum(counts.values())) / n_units == pytest.approx(0.5, abs=0.05)
    assert counts[2] / n_units == pytest.approx(0.15, abs=0.04)
    lengths = Counter(end - start for _, start, end in drawn)
    assert set(lengths) == {1, 2}
    assert lengths[1] / lengths[2] == pytest.approx(0.3, abs=0.08)
    # Dropped, spurious and shifted ones; each inside one unit, none overlapping.
    gold_units = {(i, start // LENGTH) for i, start, _ in CARRIERS}
    assert gold_units - set(per_unit)
    assert set(per_unit) - gold_units
    tokens = [(i, t) for i, start, end in drawn for t in range(start, end)]
    assert len(tokens) == len(set(tokens))
    assert all(start // LENGTH == (end - 1) // LENGTH for _, start, end in drawn)


@pytest.mark.parametrize("of_valence", [True, False])
def test_more_noise_adds_to_less(of_valence: bool) -> None:
    """What is replaced at a rate is replaced by the same at a higher one; about so much of it."""
    results = [given(Noise(rate, seed=3), of_valence) for rate in (0.0, 0.2, 0.5, 1.0)]
    if of_valence:
        for none, few, many, all_ in zip(*results, strict=True):
            assert few in (none, all_)
            assert many in (few, all_)
        changed = np.mean([a != b for a, b in zip(results[2], LABELS, strict=True)])
        # A replaced label is the gold one by chance.
        assert changed == pytest.approx(0.5 * (1 - sum(s * s for s in SHARES.values())), abs=0.04)
    else:
        none, few, many, all_ = (set(result) for result in results)
        assert few <= none | all_
        assert many <= few | all_
        kept = len(none & many) / len(none)
        assert kept == pytest.approx(0.5 + 0.5 * len(none & all_) / len(none), abs=0.05)
    assert given(Noise(0.5, seed=3), of_valence) == results[2]
    assert given(Noise(0.5, seed=4), of_valence) != results[2]


def test_places_of_carriers() -> None:
    rng = np.random.default_rng(0)
    starts = Counter(place([2], 10, 15, rng)[0][0] for _ in range(4000))
    assert {start: n / 4000 for start, n in starts.items()} == pytest.approx(
        dict.fromkeys(range(10, 14), 0.25), abs=0.03
    )
    pairs = Counter(tuple(place([1, 1], 0, 3, rng)) for _ in range(3000))
    assert set(pairs) == {((0, 1), (1, 2)), ((0, 1), (2, 3)), ((1, 2), (2, 3))}
    assert min(pairs.values()) > 850
    # What has no room is shortened, or left out.
    assert place([3, 2, 1], 4, 8, rng) == [(4, 7), (7, 8)]
    assert place([], 0, 3, rng) == place([2], 3, 3, rng) == []


def test_carriers_that_nobody_annotated_are_not_none() -> None:
    unknown = GOLD[0].copy()
    del unknown.spans["ec"]
    with pytest.raises(ValenceECError, match=rf"V029.* 1 of {len(GOLD) + 1} "):
        GivenFirstStep(Noise(0.0), [*GOLD, unknown], of_valence=False)
    GivenFirstStep(Noise(0.0), [*GOLD, unknown], of_valence=True)


def test_units_that_are_not_the_gold_ones() -> None:
    """As a segmenter cuts them: the label of the gold unit that shares most tokens, carriers cut
    at the edges."""
    reference = GOLD[0]
    doc = Doc(VOCAB, words=[token.text for token in reference])
    doc.spans[FU_KEY] = [Span(doc, 0, 10), Span(doc, 10, 160)]
    for of_valence in (True, False):
        GivenFirstStep(Noise(0.0), GOLD, of_valence).write([Example(doc, reference)])
    assert [unit.label_ for unit in doc.spans[FU_KEY]] == ["positive", "neutral"]
    first = [(carrier.start, carrier.end) for carrier in doc.spans[EC_KEY]][:2]
    assert first == [(9, 10), (10, 11)]


def test_ways_to_take_the_first_step() -> None:
    assert parse_first_step("predicted") is None
    assert parse_first_step("oracle") == Noise(0.0)
    assert parse_first_step("noise-distribution@0.3", 5) == Noise(0.3, 5)
    assert parse_first_step("noise-distribution@1e-05") == Noise(0.00001)
    counts = {v: {"neutral": 1} for v in VALENCES}
    assert parse_first_step("noise-confusion@0.3", 5, counts) == Noise(0.3, 5, counts)
    with pytest.raises(ValenceECError, match="V026"):
        parse_first_step("noise-confusion@0.3")
    assert parse_first_step(Noise(0.2, 1), 5) == Noise(0.2, 1)
    rates = ("", "2", "-1", "nan")
    for value in ("noise", "noise:0.3", *(f"noise-confusion@{r}" for r in rates), "gold", ""):
        with pytest.raises(ValenceECError, match=rf"V024.*'{value}'"):
            parse_first_step(value)
    for confusions in ({}, {"negative": {"joy": 1}}, {v: {"neutral": -1} for v in VALENCES}):
        with pytest.raises(ValenceECError, match="V025"):
            Noise(0.5, confusions=confusions)
