"""What the component takes for an answer: constrained, free, told what is known."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import NARRATIVES, examples_of
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from spacy import Language
from tiny_gpt import learn, make_generative, tagger, with_units

from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.generative.parsing import parse_answer
from spacy_valence_ec.schema import NEGATIVE, POSITIVE, VALENCES
from spacy_valence_ec.scorers import score_generative

WORDS = {
    "negative": "negativa",
    "neutral": "neutra",
    "positive": "positiva",
    "yes": "sì",
    "no": "no",
    "none": "nessuno",
}


# Rare characters take four pieces each: a prompt may be longer than what the tiny model reads, of
# which the component rightly warns. The answer must be valid all the same.
@pytest.mark.filterwarnings(r"ignore:\[G101\]")
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=60), cuts=st.lists(st.integers(1, 59), max_size=4))
def test_constrained_answers_are_always_valid(
    untrained: Language, text: str, cuts: list[int]
) -> None:
    doc = untrained.make_doc(text)
    edges = sorted({0, len(doc), *(cut for cut in cuts if cut < len(doc))})
    spans = [doc[a:b] for a, b in pairwise(edges)]
    doc.spans["fu"] = [span for span in spans if span.text.strip()]
    doc = untrained.get_pipe("generative_tagger")(doc)
    units = doc.spans["fu"]
    assert {unit.label_ for unit in units} <= set(VALENCES)
    np.testing.assert_allclose(units.attrs["scores"].sum(axis=1), 1.0, atol=1e-5)
    judged = doc.spans["ec_candidates"]
    assert {span.label_ for span in judged} <= {"", "EC"}
    assert np.isfinite(judged.attrs["scores"]).all()
    assert {(c.start, c.end) for c in doc.spans["ec"]} <= {(c.start, c.end) for c in judged}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" negativa\nil capo: sì\numiliato: no", ("negative", (True, False), True)),
        ("NEGATIVA. Il Capo = SI; umiliato -> No!", ("negative", (True, False), True)),
        ("la valenza è positiva\n- umiliato: no", ("positive", (False, False), False)),
        ("boh\nil capo: sì", (None, (True, False), False)),
        ("", (None, (False, False), False)),
        ("positiva negativa\nil capo: forse\numiliato: sì", ("positive", (False, True), False)),
        ("negativa il capo umiliato no", ("negative", (False, False), False)),
        ("negativamente", (None, (False, False), False)),
    ],
)
def test_free_answers_are_read_tolerantly(text: str, expected: Any) -> None:
    answer = parse_answer(text, WORDS, has_valence=True, candidates=["il capo", "umiliato"])
    assert answer == expected


def test_candidates_of_the_same_name_and_label_words_in_names() -> None:
    answer = parse_answer(
        "neutra\nuna risposta positiva: no\nno: sì\nno: no",
        WORDS,
        has_valence=True,
        candidates=["una risposta positiva", "no", "no"],
    )
    assert answer.valence == "neutral"
    assert answer.judgments[0] is False


@given(text=st.text(), names=st.lists(st.text(min_size=1), max_size=3))
def test_any_text_can_be_parsed(text: str, names: list[str]) -> None:
    answer = parse_answer(text, WORDS, has_valence=True, candidates=names)
    assert len(answer.judgments) == len(names)
    assert answer.valence is None or answer.valence in VALENCES


def test_free_decoding_learns_the_format_and_counts_what_it_cannot_read(
    geppetto_like: Path,
) -> None:
    nlp = make_generative(geppetto_like, decoding="free", loss_on="completion")
    examples = examples_of(nlp)
    nlp.initialize(lambda: examples)
    before = nlp.evaluate(examples_of(nlp))
    assert before["invalid_answers"] > 0.5
    learn(nlp, examples, below=0.005, most=250)
    scores = nlp.evaluate(examples_of(nlp))
    assert scores["invalid_answers"] == 0.0
    assert scores["valence_macro_f"] == scores["ec_macro_f"] == 1.0
    doc = nlp.get_pipe("generative_tagger")(with_units(nlp, NARRATIVES)[0])
    group = doc.spans["fu"]
    assert group.attrs["invalid_answers"].tolist() == [False] * len(group)
    assert set(np.unique(group.attrs["scores"])) == {0.0, 1.0}
    # The same weights, decoded with a constraint, say the same; and there is no such rate.
    tagger(nlp).decoding = "constrained"
    scores = nlp.evaluate(examples_of(nlp))
    assert scores["invalid_answers"] is None
    assert scores["valence_macro_f"] == 1.0


def told(nlp: Language, narrative: Any, **known: Any) -> list[str]:
    """The prompts of the second step, for a Doc on which something is known before."""
    prompts: list[str] = []
    pipe = tagger(nlp)
    write = pipe.writer.write

    def spy(template: Any, unit: Any) -> Any:
        if template.prompt in {pipe.templates[s].prompt for s in pipe.templates if "given" in s}:
            prompts.append(f"{unit.valence} {unit.carriers}")
        return write(template, unit)

    (doc,) = with_units(nlp, [narrative])
    for key, spans in known.items():
        doc.spans[key] = [doc.char_span(a, b, label=label) for a, b, label in spans]
    pipe.writer.write = spy  # type: ignore[method-assign]
    try:
        pipe(doc)
    finally:
        pipe.writer.write = write  # type: ignore[method-assign]
    return prompts


NARRATIVE = ("ho pianto per la festa", [("ho pianto per la festa", "negative", ["la festa"])])
UNIT = (0, 22)


@pytest.mark.parametrize("label", [NEGATIVE, POSITIVE])
def test_the_oracle_is_told_the_valence_of_the_doc(geppetto_like: Path, label: str) -> None:
    nlp = make_generative(geppetto_like, "two-step-valence-ec", condition_on="gold")
    nlp.initialize(lambda: examples_of(nlp))
    assert told(nlp, NARRATIVE, fu=[(*UNIT, label)]) == [f"{label} ()"]
    # Not so when it conditions on what it predicts.
    tagger(nlp).condition_on = "predicted"
    first = told(nlp, NARRATIVE, fu=[(*UNIT, NEGATIVE)])
    assert first == told(nlp, NARRATIVE, fu=[(*UNIT, POSITIVE)])


def test_the_oracle_is_told_the_carriers_of_the_doc(geppetto_like: Path) -> None:
    nlp = make_generative(geppetto_like, "two-step-ec-valence", condition_on="gold")
    nlp.initialize(lambda: examples_of(nlp))
    assert told(nlp, NARRATIVE, ec=[(14, 22, "EC")]) == ["None ('la festa',)"]
    assert told(nlp, NARRATIVE, ec=[]) == ["None ()"]
    tagger(nlp).condition_on = "predicted"
    first = told(nlp, NARRATIVE, ec=[(14, 22, "EC")])
    assert first == told(nlp, NARRATIVE, ec=[])


@pytest.mark.parametrize("setting", ["two-step-valence-ec", "two-step-ec-valence"])
def test_the_oracle_keeps_what_it_was_told(geppetto_like: Path, setting: str) -> None:
    nlp = make_generative(geppetto_like, setting, condition_on="gold")
    nlp.initialize(lambda: examples_of(nlp))
    for example in examples_of(nlp, NARRATIVES[:3]):
        doc = example.reference
        fu = [unit.label_ for unit in doc.spans["fu"]]
        ec = [(span.start, span.end) for span in doc.spans["ec"]]
        doc = nlp.get_pipe("generative_tagger")(doc)
        if setting == "two-step-valence-ec":
            assert [unit.label_ for unit in doc.spans["fu"]] == fu
            assert "scores" in doc.spans["ec"].attrs
        else:
            assert [(span.start, span.end) for span in doc.spans["ec"]] == ec
            assert "scores" in doc.spans["fu"].attrs


def test_the_oracle_without_gold_data(geppetto_like: Path) -> None:
    for setting, missing in (("two-step-valence-ec", "labels"), ("two-step-ec-valence", "'ec'")):
        nlp = make_generative(geppetto_like, setting, condition_on="gold")
        nlp.initialize(lambda nlp=nlp: examples_of(nlp))
        with pytest.raises(ValenceECError, match=rf"G009.*{missing}"):
            nlp.get_pipe("generative_tagger")(with_units(nlp, [NARRATIVE])[0])


def test_candidates_of_the_doc_come_first(untrained: Language) -> None:
    (doc,) = with_units(untrained, [NARRATIVE])
    doc.spans["ec_candidates"] = [doc[1:2]]
    doc = untrained.get_pipe("generative_tagger")(doc)
    assert [(span.start, span.end) for span in doc.spans["ec_candidates"]] == [(1, 2)]


def test_no_units_is_no_answer(untrained: Language) -> None:
    (doc,) = with_units(untrained, [("", [])])
    doc = untrained.get_pipe("generative_tagger")(doc)
    assert doc.spans["fu"].attrs["scores"].shape == (0, 3)
    assert list(doc.spans["ec"]) == []
    assert score_generative([])["invalid_answers"] is None
