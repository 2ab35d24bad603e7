"""Each component learns a small corpus by heart, and keeps it through saving and loading."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import spacy
from helpers import (
    NARRATIVES,
    annotation,
    assert_same_annotation,
    examples_of,
    make_nlp,
    train,
)
from spacy import Language
from spacy.tokens import Doc

from spacy_valence_ec.schema import VALENCES

HEADS = {
    "fu_segmenter": ("fu_f", "fu_boundary_f"),
    "valence_classifier": ("valence_macro_f", "e2e_valence_macro_f"),
    "ec_tagger": ("ec_token_f", "ec_exact_f"),
    "ec_ngrams": ("ec_macro_f", "ec_positive_f"),
    "ec_chunks": ("ec_macro_f", "ec_positive_f"),
}


def predict(nlp: Language) -> list[Doc]:
    return list(nlp.pipe(example.predicted for example in examples_of(nlp)))


def check_scores(head: str, doc: Doc) -> None:
    """Shapes, types and ranges of what a component leaves on a Doc."""
    if head == "fu_segmenter":
        scores = doc.spans["fu"].attrs["boundary_scores"]
        assert scores.shape == (len(doc.spans["fu"]),)
        assert (scores[-1:] == 1).all()
        assert (scores >= 0.5).all()
    elif head == "valence_classifier":
        group = doc.spans["fu"]
        scores = group.attrs["scores"]
        assert scores.shape == (len(group), 3)
        np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)
        assert tuple(group.attrs["labels"]) == VALENCES
        assert [VALENCES[i] for i in scores.argmax(axis=1)] == [unit.label_ for unit in group]
    else:
        scores = doc.spans["ec"].attrs["scores"]
        assert scores.shape == (len(doc.spans["ec"]),)
        assert {carrier.label_ for carrier in doc.spans["ec"]} <= {"EC"}
        assert all(a.end <= b.start for a, b in pairwise(doc.spans["ec"]))
    if head in ("ec_ngrams", "ec_chunks"):
        candidates = doc.spans["ec_candidates"]
        judged = candidates.attrs["scores"]
        assert judged.shape == (len(candidates),)
        assert judged.dtype == np.float32
        assert [c.label_ for c in candidates] == ["EC" if p >= 0.5 else "" for p in judged]
        probability = {(c.start, c.end): p for c, p in zip(candidates, judged, strict=True)}
        assert [probability[c.start, c.end] for c in doc.spans["ec"]] == scores.tolist()
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("head", HEADS)
def test_overfitting_and_saving(head: str, tmp_path: Path) -> None:
    nlp = make_nlp(head)
    losses = train(nlp, examples_of(nlp), below=0.01)
    assert losses[head] < 0.01

    nlp.to_disk(tmp_path)
    copy = make_nlp(head).from_bytes(nlp.to_bytes())
    expected = predict(nlp)
    for pipeline in (nlp, spacy.load(tmp_path), copy):
        scores = pipeline.evaluate(examples_of(pipeline))
        assert {key: scores[key] for key in HEADS[head]} == dict.fromkeys(HEADS[head], 1.0)
        docs = predict(pipeline)
        for doc, same in zip(docs, expected, strict=True):
            check_scores(head, doc)
            assert_same_annotation(doc, same)


def test_joint_pipeline_knows_its_corpus_end_to_end(trained: Language) -> None:
    scores = trained.evaluate(examples_of(trained, gold_units=False))
    names = ("fu_f", "e2e_valence_macro_f", "ec_token_f", "joint_f")
    assert [scores[name] for name in names] == [1.0] * 4
    for doc, example in zip(
        trained.pipe(text for text, _ in NARRATIVES), examples_of(trained), strict=True
    ):
        assert annotation(doc) == annotation(example.reference)
        assert set(doc.spans["fu"].attrs) == {"boundary_scores", "scores", "labels"}
