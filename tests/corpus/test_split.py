import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_valence_ec.corpus.split import PARTS, split_by_narrator
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.schema import Narrative, Unit


def narrative(
    id_: str, narrator: str | None, n_units: int = 1, emotional: int = 0, **extra: object
) -> Narrative:
    valences = ["positive"] * emotional + ["neutral"] * (n_units - emotional)
    units = tuple(Unit(2 * i, 2 * i + 1, valence) for i, valence in enumerate(valences))
    return Narrative(id_, "a " * n_units, units, narrator=narrator, extra=extra)


def corpus(narrators: int = 45, narratives: int = 480) -> list[Narrative]:
    """Narrators differ in how much they write, and in how emotionally."""
    rng = random.Random(7)
    made = []
    for i in range(narratives):
        narrator = int(narrators * rng.random() ** 2)
        n_units = rng.randint(2, 16)
        emotional = round(n_units * min(1.0, rng.random() * (0.4 + narrator % 4 / 4)))
        made.append(narrative(f"n{i}", f"s{narrator}", n_units, emotional))
    return made


def test_parts_share_no_narrator_and_meet_their_targets() -> None:
    narratives = corpus()
    parts = split_by_narrator(narratives)
    assert [*parts] == ["train", "dev", "test"]
    assert sorted(n.id for part in PARTS for n in parts[part]) == sorted(n.id for n in narratives)
    narrators = [{n.narrator for n in parts[part]} for part in PARTS]
    assert sum(map(len, narrators)) == len(set().union(*narrators))

    def units_and_share(some: list[Narrative]) -> tuple[int, float]:
        valences = [unit.valence for n in some for unit in n.units]
        return len(valences), 1 - valences.count("neutral") / len(valences)

    total, share = units_and_share(narratives)
    for part, ratio in zip(PARTS, (0.7, 0.1, 0.2), strict=True):
        units, of_part = units_and_share(parts[part])
        assert units / total == pytest.approx(ratio, abs=0.02)
        assert of_part == pytest.approx(share, abs=0.02)


def test_the_seed_decides_and_not_the_order_of_the_lines() -> None:
    narratives = corpus(narrators=12, narratives=60)
    shuffled = random.Random(1).sample(narratives, len(narratives))

    def ids(some: list[Narrative], seed: int) -> dict[str, set[str]]:
        parts = split_by_narrator(some, seed=seed)
        return {part: {n.id for n in parts[part]} for part in PARTS}

    assert ids(narratives, 3) == ids(shuffled, 3)
    assert ids(narratives, 3) != ids(narratives, 4)
    train = split_by_narrator(shuffled)["train"]
    assert train == [n for n in shuffled if n in train]


@settings(deadline=None, max_examples=10)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), min_size=3, max_size=20),
    st.tuples(*[st.floats(0.01, 1)] * 3),
)
def test_no_part_is_empty(rows: list[tuple[int, int]], ratios: tuple[float, float, float]) -> None:
    narratives = [narrative(f"n{i}", f"s{who}", n) for i, (who, n) in enumerate(rows)]
    narratives += [narrative(f"x{i}", None) for i in range(3)]
    parts = split_by_narrator(narratives, ratios=ratios)
    assert all(parts[part] for part in PARTS)
    assert sum(map(len, parts.values())) == len(narratives)


def test_a_part_may_be_left_out_and_challenge_narratives_are() -> None:
    narratives = [narrative("a", "s1"), narrative("b", "s2"), narrative("c", "s3", set="challenge")]
    parts = split_by_narrator(narratives, ratios=(1, 0, 1))
    assert {n.id for n in parts["train"] + parts["test"]} == {"a", "b"}
    assert parts["dev"] == []


def test_a_split_of_the_users_own_is_followed() -> None:
    own = [
        narrative("a", "s1", split="test"),
        narrative("b", "s2", split="train"),
        narrative("c", "s1", split="test"),
        narrative("d", "s1", set="challenge"),
    ]
    parts = split_by_narrator(own)
    assert {part: [n.id for n in parts[part]] for part in PARTS} == {
        "train": ["b"],
        "dev": [],
        "test": ["a", "c"],
    }


@pytest.mark.parametrize(
    ("narratives", "code"),
    [
        ([narrative("a", "s1"), narrative("b", "s1"), narrative("c", "s2")], "D003"),
        ([], "D003"),
        ([narrative("a", "s1", split="dev"), narrative("b", "s2", split=["dev"])], "D004"),
        ([narrative("a", "s1", split="dev"), narrative("b", "s1", split="test")], "D005"),
    ],
)
def test_what_cannot_be_split(narratives: list[Narrative], code: str) -> None:
    with pytest.raises(ValenceECError, match=code):
        split_by_narrator(narratives)


@pytest.mark.parametrize("ratios", [(0.5, 0.5), (1, -1, 1), (0, 0, 0), (float("nan"), 1, 1)])
def test_ratios_that_are_none(ratios: tuple[float, ...]) -> None:
    with pytest.raises(ValenceECError, match="D006"):
        split_by_narrator(corpus(4, 8), ratios=ratios)
