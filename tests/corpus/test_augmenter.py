"""The augmenter changes how a narrative is spelled, never what is said of it."""

import random
import re
import unicodedata

import pytest
import spacy
from helpers import NARRATIVES, ROOT, annotate
from hypothesis import given, settings
from hypothesis import strategies as st
from narrative_strategies import narratives
from spacy.training import Example

from spacy_valence_ec.corpus.augmenter import (
    apply_edits,
    make_text_augmenter,
    vary_narrative,
    wrap_lines,
)
from spacy_valence_ec.corpus.docs import doc_to_narrative, narrative_to_doc
from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.schema import EC_KEY, FU_KEY, Narrative, Offsets, Unit

CHANGES = (
    *("lower", "upper", "unpunctuated", "lines", "wrapped"),
    *("joined", "accents", "apostrophes", "spaces"),
)
TEXT = "Perché l’ho perso?  Boh... è andata così.\nPoi «ciao»,ha detto!"


def rates(*names: str, rate: float = 1.0) -> dict[str, float]:
    return {name: rate if name in names else 0.0 for name in CHANGES}


def letters(text: str) -> str:
    """Return the letters and digits of a text without accents, in lower case: no change touches
    them."""
    plain = unicodedata.normalize("NFD", text.casefold())
    return re.sub(r"[\W_]|[^\x00-\u02ff]", "", plain)


def spans(narrative: Narrative) -> list[str]:
    both: list[Offsets] = [*narrative.units, *narrative.carriers]
    return [letters(narrative.text[span.start : span.end]) for span in both]


@pytest.mark.parametrize("change", [*CHANGES, "all"])
def test_spans_of_the_corpus_keep_their_words(change: str) -> None:
    chosen = rates(change) if change != "all" else rates(*CHANGES, rate=0.4)
    generator = random.Random(0)
    nlp = spacy.blank("it")
    found = read_narratives(ROOT / "corpus" / "narratives.jsonl").narratives[:100]
    n_changed = 0
    for narrative in found:
        varied = vary_narrative(narrative, chosen, generator)
        n_changed += varied.text != narrative.text
        assert spans(varied) == spans(narrative)
        assert [u.valence for u in varied.units] == [u.valence for u in narrative.units]
        doc, snapping = narrative_to_doc(varied, nlp)
        assert len(doc.spans[FU_KEY]) == len(narrative.units)
        assert len(doc.spans[EC_KEY]) == len(narrative.carriers)
        assert not snapping.dropped
    assert n_changed > 30


@settings(max_examples=300, deadline=None)
@given(narratives(), st.integers(0, 1000))
def test_any_narrative_keeps_its_units(narrative: Narrative, seed: int) -> None:
    varied = vary_narrative(narrative, rates(*CHANGES, rate=0.5), random.Random(seed))
    assert len(varied.units) == len(narrative.units)
    end = 0
    for unit in varied.units:
        assert end <= unit.start <= unit.end <= len(varied.text)
        end = unit.end


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("lower", "perché l’ho perso?  boh... è andata così.\npoi «ciao»,ha detto!"),
        ("upper", "PERCHÉ L’HO PERSO?  BOH... È ANDATA COSÌ.\nPOI «CIAO»,HA DETTO!"),
        ("unpunctuated", "Perché l’ho perso  Boh è andata così\nPoi ciao ha detto"),
        ("joined", "Perché l’ho perso?  Boh... è andata così. Poi «ciao»,ha detto!"),
        ("lines", "Perché l’ho perso?\nBoh... è andata così.\nPoi «ciao»,ha detto!"),
        ("apostrophes", TEXT.replace("’", "'")),
    ],
)
def test_each_change(change: str, expected: str) -> None:
    units = (Unit(0, 18, "neutral"), Unit(20, 41, "negative"), Unit(42, 62, "neutral"))
    narrative = Narrative("a", TEXT, units, (Offsets(24, 40),))
    varied = vary_narrative(narrative, rates(change), random.Random(0))
    assert varied.text == expected


def test_accents_become_apostrophes_or_go() -> None:
    narrative = Narrative("a", "Perché è così? Città, però càmera", (Unit(0, 33, "neutral"),))
    texts = {
        vary_narrative(narrative, rates("accents"), random.Random(seed)).text for seed in range(9)
    }
    assert texts == {
        "Perche' e' cosi'? Citta', pero' càmera",
        "Perche e cosi? Citta, pero càmera",
    }


def test_punctuation_that_is_all_of_a_unit_stays() -> None:
    narrative = Narrative("a", "Boh. ...", (Unit(0, 4, "neutral"), Unit(5, 8, "neutral")))
    assert vary_narrative(narrative, rates("unpunctuated"), random.Random(0)) == narrative


def test_lines_are_wrapped_at_spaces() -> None:
    text = "uno due tre quattro cinque sei sette otto"
    narrative = Narrative("a", text, (Unit(0, len(text), "neutral"),))
    wrapped = apply_edits(narrative, wrap_lines(text, 12)).text
    assert wrapped.split() == text.split()
    assert all(len(line) <= 12 for line in wrapped.split("\n"))
    assert wrap_lines("parolalunghissima senza", 5) == [(17, 18, "\n")]


def test_offsets_follow_edits() -> None:
    narrative = Narrative("a", "0123456789", (Unit(0, 4, "neutral"), Unit(4, 10, "negative")), (
        Offsets(5, 7),
    ))  # fmt: skip
    edited = apply_edits(narrative, [(0, 1, "ab"), (4, 6, ""), (9, 10, "xyz")])
    assert edited.text == "ab123678xyz"
    assert [(u.start, u.end) for u in edited.units] == [(0, 5), (5, 11)]
    assert edited.carriers == (Offsets(5, 6),)


def test_an_edit_over_the_edge_of_two_units_goes_to_the_first() -> None:
    narrative = Narrative("a", "casa...casa", (Unit(0, 5, "neutral"), Unit(5, 11, "negative")))
    edited = apply_edits(narrative, [(4, 7, " ")])
    assert [(u.start, u.end) for u in edited.units] == [(0, 5), (5, 9)]


def test_the_augmenter_gives_examples_that_fit() -> None:
    nlp = spacy.blank("it")
    augment = make_text_augmenter(lower=0.5, wrapped=0.5)
    random.seed(0)
    seen = set()
    for _ in range(12):
        reference = annotate(nlp, NARRATIVES[0])
        (example,) = augment(nlp, Example(nlp.make_doc(reference.text), reference))
        assert example.predicted.text == example.reference.text
        assert not example.predicted.spans
        assert len(example.reference.spans[FU_KEY]) == len(reference.spans[FU_KEY])
        narrative = doc_to_narrative(example.reference, default_id="x")
        assert spans(narrative) == spans(doc_to_narrative(reference, default_id="x"))
        seen.add(example.predicted.text)
    assert len(seen) > 1


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValenceECError, match=r"V034.*text_augmenter.*`upper`"):
        make_text_augmenter(upper=1.5)
