"""Each setting learns a small corpus by heart, and keeps it when the first folder is gone."""

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import spacy
from helpers import assert_same_annotation, examples_of
from tiny_gpt import SETTINGS, learn, make_generative, tagger

from spacy_valence_ec.schema import VALENCES

VALENCE_SCORES, CARRIER_SCORES = ("valence_macro_f",), ("ec_macro_f", "ec_positive_f")
SCORES = {
    "single-valence": VALENCE_SCORES,
    "single-ec": CARRIER_SCORES,
    "two-step-valence-ec": VALENCE_SCORES + CARRIER_SCORES,
    "two-step-ec-valence": VALENCE_SCORES + CARRIER_SCORES,
    "joint": VALENCE_SCORES + CARRIER_SCORES,
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_overfitting_and_saving(setting: str, geppetto_like: Path, tmp_path: Path) -> None:
    source = shutil.copytree(geppetto_like, tmp_path / "source")
    nlp = make_generative(source, setting)
    examples = examples_of(nlp)
    nlp.initialize(lambda: examples)
    assert learn(nlp, examples, below=0.01)["generative_tagger"] < 0.01

    nlp.to_disk(tmp_path / "model")
    shutil.rmtree(source)
    saved = tmp_path / "model" / "generative_tagger"
    assert (saved / "model" / "model.safetensors").is_file()
    assert (saved / "prompts.json").is_file()
    assert not [path for path in saved.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]
    assert str(source) not in (saved / "model" / "config.json").read_text("utf-8")

    copy = make_generative(source, setting).from_bytes(nlp.to_bytes())
    expected = list(nlp.pipe(example.predicted for example in examples_of(nlp)))
    for pipeline in (nlp, spacy.load(tmp_path / "model"), copy):
        scores = pipeline.evaluate(examples_of(pipeline))
        assert {key: scores[key] for key in SCORES[setting]} == dict.fromkeys(SCORES[setting], 1.0)
        docs = pipeline.pipe(example.predicted for example in examples_of(pipeline))
        for doc, same in zip(docs, expected, strict=True):
            assert_same_annotation(doc, same)
            units = doc.spans["fu"]
            if "valence_macro_f" in SCORES[setting]:
                matrix = units.attrs["scores"]
                assert matrix.shape == (len(units), 3)
                np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-5)
                assert [VALENCES[i] for i in matrix.argmax(axis=1)] == [u.label_ for u in units]
            else:
                assert "scores" not in units.attrs
            if "ec_macro_f" in SCORES[setting]:
                judged = doc.spans["ec_candidates"]
                probabilities = judged.attrs["scores"]
                assert probabilities.dtype == np.float32
                assert [c.label_ for c in judged] == [
                    "EC" if p >= 0.5 else "" for p in probabilities
                ]
                assert all(a.end <= b.start for a, b in pairwise(doc.spans["ec"]))
            else:
                assert "ec" not in doc.spans
    assert tagger(copy).setting == setting
