"""Predictions do not depend on batches, order, workers or the kind of text."""

import multiprocessing
from collections.abc import Iterator

import numpy as np
import pytest
from helpers import (
    HOSTILE_TEXTS,
    NARRATIVES,
    annotation,
    assert_same_annotation,
    initialized,
    make_nlp,
)
from hypothesis import given
from hypothesis import strategies as st
from spacy import Language
from spacy.tokens import Doc, Span

from spacy_valence_ec import ValenceECError
from spacy_valence_ec.pipeline.annotations import without_overlap
from spacy_valence_ec.pipeline.fu_segmenter import units_of_boundaries
from spacy_valence_ec.schema import FU_KEY

TEXTS = [*HOSTILE_TEXTS, *(text for text, _ in NARRATIVES)]


@pytest.fixture(scope="module", params=["ec_tagger", "ec_ngrams", "ec_chunks"])
def nlp(request: pytest.FixtureRequest) -> Language:
    """Random weights without bias at the end: decisions go every way."""
    nlp = initialized(make_nlp("fu_segmenter", "valence_classifier", request.param), seed=9)
    for _, component in nlp.pipeline[1:]:
        output = component.model.get_ref("output_layer")
        output.set_param("b", np.zeros_like(output.get_param("b")))
    return nlp


def check_rules(doc: Doc) -> None:
    """What holds for every Doc: units in order, none overlapping, over every token that is not
    white space; carriers in order, none overlapping, each inside one unit."""
    units = [(unit.start, unit.end) for unit in doc.spans["fu"]]
    inside = [i for start, end in units for i in range(start, end)]
    assert inside == sorted(set(inside))
    assert {token.i for token in doc if not token.is_space} <= set(inside)
    for unit in doc.spans["fu"]:
        assert not unit[0].is_space
        assert not unit[-1].is_space
        assert unit.label_ in ("negative", "neutral", "positive")
    carriers = [(carrier.start, carrier.end) for carrier in doc.spans["ec"]]
    tokens = [i for start, end in carriers for i in range(start, end)]
    assert tokens == sorted(set(tokens))
    for start, end in carriers:
        assert any(a <= start < end <= b for a, b in units)
    candidates = doc.spans["ec_candidates"] if "ec_candidates" in doc.spans else []
    assert all(any(a <= c.start < c.end <= b for a, b in units) for c in candidates)
    for group in doc.spans.values():
        for value in group.attrs.values():
            if isinstance(value, np.ndarray):
                assert len(value) == len(group)
                assert np.isfinite(value).all()


def test_pipe_equals_calling(nlp: Language) -> None:
    expected = [nlp(text) for text in TEXTS]
    for doc, text in zip(expected, TEXTS, strict=True):
        assert doc.text == text
        check_rules(doc)
    # The test would prove little if all decisions were alike.
    assert sum(len(doc.spans["fu"]) > 1 for doc in expected) > 5
    assert len({unit.label_ for doc in expected for unit in doc.spans["fu"]}) > 1
    assert any(len(doc.spans["ec"]) for doc in expected)

    for batch_size in (1, 2, 3, 64):
        order = np.random.default_rng(batch_size).permutation(len(TEXTS))
        docs = list(nlp.pipe((TEXTS[i] for i in order), batch_size=batch_size))
        assert len(docs) == len(TEXTS)
        for doc, i in zip(docs, order, strict=True):
            assert_same_annotation(doc, expected[i])


def test_processing_a_doc_again_changes_nothing(nlp: Language) -> None:
    doc = nlp(TEXTS[-3])
    once = doc.copy()
    for name, component in nlp.pipeline:
        component(doc)
        if name == "valence_classifier":
            assert all(unit.label_ for unit in doc.spans["fu"])
    assert_same_annotation(doc, once)


def test_thresholds() -> None:
    """0 accepts every decision, more than 1 none."""
    for threshold in (0.0, 1.1):
        nlp = initialized(make_nlp("fu_segmenter"))
        nlp.get_pipe("fu_segmenter").threshold = threshold
        for doc in nlp.pipe(TEXTS):
            n_words = sum(not token.is_space for token in doc)
            assert len(doc.spans["fu"]) == (n_words if threshold == 0 else min(1, n_words))
        nlp = initialized(make_nlp("fu_segmenter", "ec_chunks", threshold=threshold))
        for doc in nlp.pipe(TEXTS):
            labels = {candidate.label_ for candidate in doc.spans["ec_candidates"]}
            assert labels <= ({"EC"} if threshold == 0 else {""})
            assert bool(doc.spans["ec"]) == (bool(labels) and threshold == 0)


def test_of_candidates_that_overlap_the_most_probable_is_the_carrier() -> None:
    candidates = np.asarray([(0, 3, 0), (2, 4, 0), (3, 5, 0), (5, 6, 0), (5, 7, 0), (8, 9, 0)])
    probabilities = np.asarray([0.8, 0.9, 0.7, 0.6, 0.6, 0.2])
    accepted = probabilities >= 0.5
    # The third touches the second, and of two alike the shorter one is taken.
    assert without_overlap(candidates, probabilities, accepted) == [1, 3]


def test_very_long_narrative(trained: Language) -> None:
    sentence = "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!\n"
    text = (sentence * 3077)[:200_000]
    doc = trained(text)
    assert doc.text == text
    check_rules(doc)
    assert doc._.valence == "positive"
    assert len(doc._.valence_arc) == len(doc._.functional_units) > 6000
    assert doc._.functional_units[3000]._.valence
    assert doc[-1]._.functional_unit is not None
    # The same sentences are cut and labelled alike, wherever they stand.
    labels = [unit.label_ for unit in doc.spans["fu"]][2:-2]
    assert labels[::2] == [labels[0]] * len(labels[::2])


@st.composite
def decisions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(0, 30))
    flags = st.lists(st.booleans(), min_size=n, max_size=n)
    return np.asarray(draw(flags), dtype=bool), np.asarray(draw(flags), dtype=bool)


@given(decisions())
def test_units_of_boundaries(case: tuple[np.ndarray, np.ndarray]) -> None:
    space, boundary = case
    units = units_of_boundaries(space, boundary)
    inside = [i for start, end in units for i in range(start, end)]
    assert inside == sorted(set(inside))
    assert set(np.flatnonzero(~space)) <= set(inside)
    for start, end in units:
        assert not space[start]
        assert not space[end - 1]
    ends = {end - 1 for _, end in units}
    words = np.flatnonzero(~space)
    assert ends == {i for i in words if boundary[i] or i == words[-1]}


def accessors(doc: Doc) -> dict[str, object]:
    """Everything the accessors say of a Doc, as plain values."""
    return {
        "valence": doc._.valence,
        "score": doc._.valence_score,
        "arc": doc._.valence_arc,
        "units": [
            (u.start, u.end, u._.valence, u._.valence_score, u._.valence_scores)
            for u in doc._.functional_units
        ],
        "carriers": [[(c.start, c.end) for c in u._.emotion_carriers] for u in doc.spans["fu"]],
        "tokens": [t._.is_emotion_carrier for t in doc],
        "unit of token": [
            None if t._.functional_unit is None else t._.functional_unit.start for t in doc
        ],
    }


@pytest.fixture
def start_method(request: pytest.FixtureRequest) -> Iterator[str]:
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method(request.param or before, force=True)
    yield request.param
    multiprocessing.set_start_method(before, force=True)


@pytest.mark.parametrize("start_method", [None, "spawn"], ids=str, indirect=True)
def test_workers_give_what_calling_gives(trained: Language, start_method: str | None) -> None:
    texts = TEXTS[:8] + TEXTS[-6:]
    docs = list(trained.pipe(texts, n_process=2, batch_size=3))
    for doc, text in zip(docs, texts, strict=True):
        expected = trained(text)
        assert_same_annotation(doc, expected)
        said, wanted = accessors(doc), accessors(expected)
        assert said.keys() == wanted.keys()
        np.testing.assert_allclose(said.pop("arc"), wanted.pop("arc"), atol=1e-5)
        assert said.pop("score") == pytest.approx(wanted.pop("score"), abs=1e-5)
        assert [u[:3] for u in said.pop("units")] == [u[:3] for u in wanted.pop("units")]
        assert said == wanted
    assert annotation(docs[-6]) == annotation(trained(NARRATIVES[0][0]))


@pytest.mark.parametrize("units", [[(2, 4), (0, 2)], [(0, 3), (2, 5)], [(0, 2), (2, 2)]])
@pytest.mark.parametrize("head", ["valence_classifier", "ec_tagger"])
def test_units_of_other_code_must_be_in_order(
    trained: Language, head: str, units: list[tuple[int, int]]
) -> None:
    doc = trained.get_pipe("tok2vec")(trained.make_doc("uno due tre quattro cinque"))
    doc.spans[FU_KEY] = [Span(doc, *edges) for edges in units]
    with pytest.raises(ValenceECError, match="V014"):
        trained.get_pipe(head)(doc)
