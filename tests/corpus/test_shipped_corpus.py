"""The corpus of the repository: its shape, its splits, and that no text occurs twice."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import spacy

from spacy_valence_ec.corpus.agreement import annotation_agreement
from spacy_valence_ec.corpus.docs import narrative_to_doc
from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.corpus.split import split_by_narrator
from spacy_valence_ec.corpus.statistics import corpus_statistics
from spacy_valence_ec.schema import NEUTRAL, VALENCES, Narrative

CORPUS = Path(__file__).parents[2] / "corpus"
GROUPS = {
    "irony",
    "negation",
    "relief",
    "others-feelings",
    "emotion-words-in-neutral",
    "implicit-negative",
    "implicit-positive",
    "mixed",
}


def read(name: str) -> list[Narrative]:
    result = read_narratives(CORPUS / name)
    assert not result.problems
    return result.narratives


@pytest.fixture(scope="module")
def narratives() -> list[Narrative]:
    return read("narratives.jsonl")


@pytest.fixture(scope="module")
def challenge() -> list[Narrative]:
    return read("challenge.jsonl")


@pytest.fixture(scope="module")
def behavior() -> list[Narrative]:
    return read("behavior.jsonl")


@pytest.fixture(scope="module")
def silver() -> list[Narrative]:
    return read("silver.jsonl.gz")


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def test_it_has_the_papers_shape(narratives: list[Narrative]) -> None:
    found = corpus_statistics(narratives)
    assert (found.narratives, found.narrators) == (481, 45)
    assert found.units == pytest.approx(4273, rel=0.03)
    assert found.non_neutral_share == pytest.approx(0.40, abs=0.02)
    assert found.carrier_share == pytest.approx(0.185, abs=0.015)
    assert min(len(n.units) for n in narratives) >= 2
    assert max(len(n.units) for n in narratives) <= 30
    of_each = Counter(n.narrator for n in narratives)
    assert all(5 <= n <= 20 for n in of_each.values())
    speech = sum(n.extra["mode"] == "speech" for n in narratives)
    assert speech == pytest.approx(481 / 8, abs=1)
    unmoved = sum(all(u.valence == NEUTRAL for u in n.units) for n in narratives)
    assert 0.08 <= unmoved / 481 <= 0.15


def test_each_narrator_has_a_profile(narratives: list[Narrative]) -> None:
    lines = (CORPUS / "narrators.jsonl").read_text("utf-8").splitlines()
    profiles = {profile["narrator"]: profile for profile in map(json.loads, lines)}
    assert set(profiles) == {n.narrator for n in narratives}
    fields = {"age_band", "gender", "region", "work", "life", "style", "weighs"}
    assert all(all(profile[field] for field in fields) for profile in profiles.values())


def test_no_unit_and_no_8_gram_occurs_twice(
    narratives: list[Narrative], challenge: list[Narrative]
) -> None:
    units: Counter[str] = Counter()
    grams: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for narrative in [*narratives, *challenge]:
        for unit in narrative.units:
            found = words(narrative.text[unit.start : unit.end])
            if len(found) > 4:
                units[" ".join(found)] += 1
        whole = words(narrative.text)
        for i in range(len(whole) - 7):
            grams[tuple(whole[i : i + 8])].add(narrative.id)
    assert [unit for unit, n in units.items() if n > 1] == []
    assert [ids for ids in grams.values() if len(ids) > 1] == []


def test_transcripts_have_no_punctuation(narratives: list[Narrative]) -> None:
    for narrative in narratives:
        if narrative.extra["mode"] == "speech":
            assert narrative.text == narrative.text.lower(), narrative.id
            assert not re.search(r"[.,;:!?…]", narrative.text), narrative.id


def test_offsets_fall_on_token_edges(
    narratives: list[Narrative], challenge: list[Narrative]
) -> None:
    nlp = spacy.blank("it")
    for narrative in [*narratives, *challenge]:
        _, snapping = narrative_to_doc(narrative, nlp)
        assert not snapping.messages(), narrative.id


@pytest.mark.parametrize("field", ["split", "fold"])
def test_parts_share_no_narrator_and_are_alike(narratives: list[Narrative], field: str) -> None:
    parts: defaultdict[str, list[Narrative]] = defaultdict(list)
    for narrative in narratives:
        parts[str(narrative.extra[field])].append(narrative)
    owners = [{n.narrator for n in part} for part in parts.values()]
    assert sum(map(len, owners)) == 45
    found = {name: corpus_statistics(part) for name, part in parts.items()}
    sizes = {name: part.units / 4396 for name, part in found.items()}
    if field == "split":
        assert sizes == pytest.approx({"train": 0.7, "dev": 0.1, "test": 0.2}, abs=0.03)
        assert {k: len(v) for k, v in split_by_narrator(narratives).items()} == {
            k: len(v) for k, v in parts.items()
        }
    else:
        assert sorted(sizes) == list("01234")
        assert sizes == pytest.approx(dict.fromkeys(sizes, 0.2), abs=0.03)
    for label in VALENCES:
        shares = [part.valence_shares[label] for part in found.values()]
        assert max(shares) - min(shares) <= 0.03
    shares = [part.carrier_share for part in found.values()]
    assert max(shares) - min(shares) <= 0.03


def test_both_annotations_are_of_the_same_texts(narratives: list[Narrative]) -> None:
    """The figures of the data card."""
    nlp = spacy.blank("it")
    first, second = read("annotations/first.jsonl"), read("annotations/second.jsonl")
    overall, by_narrator = annotation_agreement(first, second, nlp)
    assert len(by_narrator) == 45
    card = (CORPUS / "README.md").read_text("utf-8")
    for name in ("boundary_f", "unit_f", "valence_kappa", "carrier_token_kappa"):
        assert f"{getattr(overall, name):.2f}" in card, name
    annotation_agreement(first, narratives, nlp)


def test_challenge_has_every_group(challenge: list[Narrative]) -> None:
    targets: Counter[str] = Counter()
    for narrative in challenge:
        assert narrative.extra["set"] == "challenge"
        indices = narrative.extra["targets"]
        assert indices
        assert all(0 <= i < len(narrative.units) for i in indices)
        targets[narrative.extra["challenge"]] += len(indices)
    assert set(targets) == GROUPS
    assert all(n >= 15 for n in targets.values())
    assert sum(targets.values()) >= 120
    both = split_by_narrator([*challenge, *read("narratives.jsonl")])
    assert sum(map(len, both.values())) == 481  # none of them is in a part


def test_the_behavior_suite_has_every_capability(behavior: list[Narrative]) -> None:
    card = (CORPUS / "README.md").read_text("utf-8")
    assert f"{len(behavior):,} short items" in card
    assert {narrative.extra["set"] for narrative in behavior} == {"behavior"}
    sizes = Counter(narrative.extra["capability"] for narrative in behavior)
    assert len(behavior) >= 400
    assert len(sizes) == 17
    assert min(sizes.values()) >= 30
    for name in ("invariance", "direction"):
        pairs: defaultdict[str, list[list[str]]] = defaultdict(list)
        for narrative in behavior:
            if narrative.extra["capability"] == name:
                valences = [unit.valence for unit in narrative.units]
                pairs[narrative.extra["pair"]].append(valences)
        assert len(pairs) == sizes[name] / 2
        for first, second in pairs.values():
            n_changed = sum(a != b for a, b in zip(first, second, strict=True))
            assert n_changed == (0 if name == "invariance" else 1)


def test_silver_narratives_are_for_training_alone(
    silver: list[Narrative], narratives: list[Narrative], challenge: list[Narrative]
) -> None:
    assert {n.extra["set"] for n in silver} == {"silver"}
    assert {n.extra["split"] for n in silver} == {"train"}
    others = [*narratives, *challenge]
    assert len({n.id for n in silver}) == len(silver)
    assert not {n.id for n in silver} & {n.id for n in others}
    assert None not in {n.narrator for n in silver}
    assert not {n.narrator for n in silver} & {n.narrator for n in others}
    # The figures of the data card.
    card = (CORPUS / "README.md").read_text("utf-8")
    found = corpus_statistics(silver)
    for figure in (found.narratives, found.narrators, found.units):
        assert f"{figure:,}" in card
    n_of, units_of = Counter[str](), Counter[str]()
    for narrative in silver:
        register = narrative.extra.get("register")
        name = f"`{register}`" if register else "(none)"
        n_of[name] += 1
        units_of[name] += len(narrative.units)
    rows = re.findall(r"^\| (`[\w-]+`|\(none\)) \| [^|]+ \| ([\d,]+) \| ([\d,]+) \|$", card, re.M)
    assert {row[0]: row[1:] for row in rows} == {
        name: (f"{n:,}", f"{units_of[name]:,}") for name, n in n_of.items()
    }


def test_no_silver_narrative_shares_eight_words_with_another(
    silver: list[Narrative],
    narratives: list[Narrative],
    challenge: list[Narrative],
    behavior: list[Narrative],
) -> None:
    """Least of all with one that something is evaluated on; but for pairs of the behavior suite."""
    grams: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for narrative in [*narratives, *challenge, *behavior, *silver]:
        whole = words(narrative.text)
        for i in range(len(whole) - 7):
            grams[tuple(whole[i : i + 8])].add(narrative.extra.get("pair", narrative.id))
    assert [ids for ids in grams.values() if len(ids) > 1] == []
