"""`ec_candidates`: candidates in every Doc, judged by nobody."""

import pytest
import spacy
from helpers import HOSTILE_TEXTS, NARRATIVES, annotation, initialized, make_nlp
from spacy import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example

from spacy_valence_ec.pipeline.ec_candidates import EmotionCarrierCandidates
from spacy_valence_ec.schema import EC_CANDIDATES_KEY, FU_KEY, SCORES_ATTR
from spacy_valence_ec.suggesters import chunk_edges

TEXTS = [*HOSTILE_TEXTS[:-1], *(text for text, _ in NARRATIVES)]


@pytest.fixture(scope="module")
def nlp() -> Language:
    nlp = initialized(make_nlp("fu_segmenter"), seed=3)
    nlp.add_pipe("ec_candidates")
    return nlp


def texts_of(doc: Doc) -> list[str]:
    return [span.text for span in doc.spans[EC_CANDIDATES_KEY]]


def test_candidates_are_those_of_the_suggester_inside_the_units() -> None:
    nlp = spacy.blank("it")
    pipe = nlp.add_pipe("ec_candidates")
    assert isinstance(pipe, EmotionCarrierCandidates)
    doc = nlp("Finalmente mi hanno tolto il gesso!")
    assert texts_of(doc) == ["mi hanno tolto", "il gesso"]
    doc.spans[FU_KEY] = [doc[0:4], doc[4:7]]
    assert texts_of(pipe(doc)) == ["mi hanno tolto", "il gesso"]
    doc.spans[FU_KEY] = [doc[0:3], doc[3:7]]
    assert texts_of(pipe(doc)) == ["tolto", "il gesso"]
    doc.spans[FU_KEY] = []
    assert texts_of(pipe(doc)) == []
    group = doc.spans[EC_CANDIDATES_KEY]
    assert (group.name, group.attrs) == (EC_CANDIDATES_KEY, {})


def test_any_suggester_can_take_the_place_of_the_default() -> None:
    nlp = spacy.blank("it")
    suggester = {"@misc": "spacy.ngram_suggester.v1", "sizes": [2]}
    nlp.add_pipe("ec_candidates", config={"suggester": suggester})
    assert texts_of(nlp("uno due tre")) == ["uno due", "due tre"]
    assert texts_of(nlp("")) == []


def test_candidates_without_labels_or_scores_in_every_text(nlp: Language) -> None:
    expected = [nlp(text) for text in TEXTS]
    for doc in expected:
        edges = [(span.start, span.end) for span in doc.spans[EC_CANDIDATES_KEY]]
        assert edges == chunk_edges(doc)
        assert {span.label_ for span in doc.spans[EC_CANDIDATES_KEY]} <= {""}
        assert doc.spans[EC_CANDIDATES_KEY].attrs == {}
    assert sum(len(doc.spans[EC_CANDIDATES_KEY]) for doc in expected) > 10
    for batch_size in (1, 3, 64):
        for doc, wanted in zip(nlp.pipe(TEXTS, batch_size=batch_size), expected, strict=True):
            assert annotation(doc) == annotation(wanted)
    for doc, wanted in zip(nlp.pipe(TEXTS, n_process=2, batch_size=5), expected, strict=True):
        assert annotation(doc) == annotation(wanted)
    stored = DocBin(docs=expected).to_bytes()
    for doc, wanted in zip(DocBin().from_bytes(stored).get_docs(nlp.vocab), expected, strict=True):
        assert annotation(doc) == annotation(wanted)


def test_judged_candidates_stay() -> None:
    """Of a tagger with a suggester, whatever candidates this component would find."""
    nlp = initialized(make_nlp("fu_segmenter", "ec_ngrams", threshold=0.0), seed=3)
    nlp.add_pipe("ec_candidates")
    text = NARRATIVES[0][0]
    judged = nlp(text)
    scores = judged.spans[EC_CANDIDATES_KEY].attrs[SCORES_ATTR]
    assert len(scores) == len(judged.spans[EC_CANDIDATES_KEY]) > 2
    with nlp.select_pipes(disable=["ec_candidates"]):
        assert annotation(nlp(text)) == annotation(judged)
    assert {span.label_ for span in judged.spans[EC_CANDIDATES_KEY]} == {"EC"}


def test_candidates_are_no_prediction_and_have_no_score(nlp: Language) -> None:
    doc = nlp(NARRATIVES[0][0])
    pipe = nlp.get_pipe("ec_candidates")
    assert pipe.score([Example(doc, doc)]) == {}
    assert nlp.get_pipe_meta("ec_candidates").default_score_weights == {}
