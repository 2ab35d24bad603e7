"""A given first step: what the second one is told, and that nothing leaks without it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from helpers import NARRATIVES, annotate, assert_same_numbers, examples_of
from spacy import Language
from spacy.tokens import Doc, Span
from tiny_gpt import learn, make_generative, tagger

from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.evaluation import evaluate
from spacy_valence_ec.schema import FU_KEY, VALENCES

TWO_STEP = ("two-step-valence-ec", "two-step-ec-valence")


@Language.component("units_by_line")
def units_by_line(doc: Doc) -> Doc:
    """Units of four tokens, for want of a segmenter; gold ones are kept."""
    if FU_KEY not in doc.spans:
        doc.spans[FU_KEY] = [doc[i : min(i + 4, len(doc))] for i in range(0, len(doc), 4)]
    return doc


@pytest.fixture(scope="module", params=TWO_STEP)
def taught(request: pytest.FixtureRequest, geppetto_like: Path) -> Iterator[Language]:
    """A pipeline that knows its narratives. Not to be altered."""
    nlp = make_generative(geppetto_like, request.param)
    examples = examples_of(nlp)
    nlp.initialize(lambda: examples)
    learn(nlp, examples, below=0.01)
    nlp.add_pipe("units_by_line", first=True)
    return nlp


def shuffled(nlp: Language) -> list[Doc]:
    """Gold Docs with other labels of the first step."""
    docs = [annotate(nlp, narrative) for narrative in NARRATIVES]
    for doc in docs:
        units = list(doc.spans[FU_KEY])
        if tagger(nlp).asks_valence_first:
            doc.spans[FU_KEY] = [
                Span(doc, u.start, u.end, label=VALENCES[(VALENCES.index(u.label_) + 1) % 3])
                for u in units
            ]
        else:
            held = {token.i for carrier in doc.spans["ec"] for token in carrier}
            free = [u for u in units if held.isdisjoint(range(u.start, u.end))]
            doc.spans["ec"] = [Span(doc, u.start, u.end, label="EC") for u in free]
    return docs


def test_the_oracle_is_told_gold_and_the_pipeline_itself_never(
    taught: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tagger(taught)
    second = ("valence", "ec_given_valence", "ec", "valence_given_ec")
    steps: list[str] = []
    told: list[Any] = []
    scores: list[np.ndarray] = []
    ask = pipe._ask

    def spy(step: str, units: Any) -> None:
        steps.append(step)
        if "given" in step:
            told.extend(unit.valence if "ec_" in step else unit.carriers for unit in units)
        ask(step, units)
        if "given" in step:
            scores.extend(
                unit.candidate_scores if "ec_" in step else unit.valence_scores for unit in units
            )

    monkeypatch.setattr(pipe, "_ask", spy)

    def said(docs: list[Doc], first_step: str) -> tuple[np.ndarray, list[Any]]:
        for found in (steps, told, scores):
            found.clear()
        evaluate(taught, docs, first_step=first_step)
        own = [step for step in second if step in pipe.templates]
        assert set(steps) == set(own if first_step == "predicted" else own[1:])
        return np.concatenate(scores), list(told)

    gold = [annotate(taught, narrative) for narrative in NARRATIVES]
    other = shuffled(taught)
    own, own_told = said(gold, "predicted")
    leaked, leaked_told = said(other, "predicted")
    assert_same_numbers(own, leaked)
    assert own_told == leaked_told

    oracle, oracle_told = said(gold, "oracle")
    misled, misled_told = said(other, "oracle")
    assert oracle_told != misled_told
    assert np.abs(oracle - misled).max() > 0.05
    if pipe.asks_valence_first:
        on_gold_units = [unit.label_ for doc in gold for unit in doc.spans[FU_KEY]]
        assert oracle_told[-len(on_gold_units) :] == on_gold_units
    assert_same_numbers(said(gold, "noise-distribution@0")[0], oracle)
    assert said(gold, "noise-distribution@1")[1] != oracle_told


def test_what_is_given_is_what_is_scored(taught: Language) -> None:
    docs = [annotate(taught, narrative) for narrative in NARRATIVES]
    before = taught.to_bytes()
    own = evaluate(taught, docs)
    oracle = evaluate(taught, docs, first_step="oracle")
    assert oracle["valence_macro_f"] == own["valence_macro_f"] == 1.0
    # Candidates are not cut as the gold carriers are: only given ones are exact.
    given = not tagger(taught).asks_valence_first
    assert (oracle["gold_units_ec_exact_f"] == 1.0) == given
    assert given or oracle["gold_units_joint_f"] == own["gold_units_joint_f"]
    noisy = evaluate(taught, docs, first_step="noise-distribution@1")
    first = "gold_units_ec_exact_f" if given else "valence_macro_f"
    assert noisy[first] is not None
    assert noisy[first] < 0.8
    # The pipeline is what it was, and so it is after an error.
    assert tagger(taught).condition_on == "predicted"
    assert taught.to_bytes() == before
    with pytest.raises(RuntimeError, match="interrupted"), tagger(taught).first_step_given():
        raise RuntimeError("interrupted")
    assert tagger(taught).condition_on == "predicted"


def test_a_pipeline_that_reads_gold_has_an_oracle_alone(taught: Language, tmp_path: Path) -> None:
    taught.to_disk(tmp_path)
    override = {"components": {"generative_tagger": {"condition_on": "gold"}}}
    nlp = spacy.load(tmp_path, config=override)
    docs = [annotate(nlp, narrative) for narrative in NARRATIVES]
    assert evaluate(nlp, docs, first_step="oracle")["valence_macro_f"] == 1.0
    assert tagger(nlp).condition_on == "gold"
    with pytest.raises(ValenceECError, match="G009"):
        evaluate(nlp, docs)


def test_one_step_has_no_first_one(untrained: Language) -> None:
    docs = [annotate(untrained, narrative) for narrative in NARRATIVES]
    with pytest.raises(ValenceECError, match="V023"):
        evaluate(untrained, docs, first_step="oracle")
