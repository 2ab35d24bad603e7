"""A stand-in for the trained pipeline: units end at final punctuation, a word list judges them."""

from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup

CARRIERS = {"gesso": "positive", "treno": "negative"}


@Language.component("stand_in_segmenter")
def stand_in_segmenter(doc: Doc) -> Doc:
    ends = [t.i + 1 for t in doc if t.text in (".", "!", "?")]
    ends += [len(doc)] if len(doc) and ends[-1:] != [len(doc)] else []
    doc.spans["fu"] = [Span(doc, start, end) for start, end in zip([0, *ends], ends, strict=False)]
    return doc


@Language.component("stand_in_judge")
def stand_in_judge(doc: Doc) -> Doc:
    labels = ["negative", "neutral", "positive"]
    units, scores = [], []
    for unit in doc.spans["fu"]:
        found = [CARRIERS[token.text] for token in unit if token.text in CARRIERS]
        label = found[0] if found else "neutral"
        units.append(Span(doc, unit.start, unit.end, label=label))
        scores.append([0.8 if name == label else 0.1 for name in labels])
    array = np.asarray(scores, dtype="float32").reshape((-1, 3))
    doc.spans["fu"] = SpanGroup(
        doc, name="fu", spans=units, attrs={"scores": array, "labels": labels}
    )
    carriers = [Span(doc, t.i, t.i + 1, label="EC") for t in doc if t.text in CARRIERS]
    doc.spans["ec"] = SpanGroup(
        doc, name="ec", spans=carriers, attrs={"scores": np.full(len(carriers), 0.9, "float32")}
    )
    return doc


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp = spacy.blank("it")
    nlp.add_pipe("stand_in_segmenter")
    nlp.add_pipe("stand_in_judge")
    path = tmp_path_factory.mktemp("pipelines") / "stand-in"
    nlp.to_disk(path)
    return path
