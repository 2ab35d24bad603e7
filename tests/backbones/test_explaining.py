"""Attributions through a transformer, down to its word pieces."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from helpers import HEADS, assert_same_numbers, examples_of
from spacy import Language
from spacy.tokens import Doc
from tiny_pipelines import Initialize, transformer

from spacy_valence_ec.explanation import Explainer
from spacy_valence_ec.schema import FU_KEY, VALENCES

# More words than a strided span holds: some are read twice.
LONG = "Ieri sono andata dal medico che mi ha tolto il gesso felicemente " * 14


def with_random_head(nlp: Language) -> Language:
    """Output layers start at zero: nothing would be attributed through them."""
    head: Any = nlp.get_pipe("valence_classifier")
    rng = np.random.default_rng(0)
    for node in head.model.walk():
        for name in node.param_names:
            shape = node.get_param(name).shape
            node.set_param(name, rng.normal(0, 0.3, shape).astype("float32"))
    return nlp


def units_of(nlp: Language, text: str, *edges: int) -> Doc:
    doc = nlp.make_doc(text.strip())
    bounds = [0, *edges, len(doc)]
    doc.spans[FU_KEY] = [doc[a:b] for a, b in pairwise(bounds)]
    return doc


def assert_explained(nlp: Language, encoder: str, doc: Doc) -> None:
    network = transformer(nlp) if encoder == "tok2vec" else nlp.get_pipe(encoder).model.transformer  # type: ignore[attr-defined]
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    head: Any = nlp.get_pipe("valence_classifier")
    explainer = Explainer(nlp)
    was_training = network.training
    found = [explainer.explain(doc, targets=label, steps=48) for label in VALENCES]
    assert network.training == was_training
    assert not any(p.grad is not None for p in network.parameters())
    assert not network.get_input_embeddings()._forward_hooks  # type: ignore[operator]
    for key, value in network.state_dict().items():
        assert torch.equal(value, weights[key]), key

    upstream: Any = nlp.get_pipe(encoder)
    upstream.set_annotations([doc], upstream.predict([doc]))
    logits = np.asarray([[given.logit for given in units] for units in found]).T
    powers = np.exp(logits)
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, head.predict([doc])[1], atol=1e-4)
    every = [given for units in found for given in units]
    # The maxima of the pooling make steps in the gradient.
    assert max(abs(given.gap) for given in every) < 0.04
    assert max(abs(given.scores).max() for given in every) > 0.15


@pytest.mark.parametrize("name", ["alberto_like", "roberta_like"])
def test_the_attributions_of_a_transformer_are_complete(
    initialize: Initialize, request: pytest.FixtureRequest, name: str
) -> None:
    encoder: Path = request.getfixturevalue(name)
    nlp = with_random_head(initialize(encoder))
    doc = units_of(nlp, "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso! 🎉", 6)
    assert_explained(nlp, "tok2vec", doc)


def test_what_is_read_twice_is_counted_once(initialize: Initialize, roberta_like: Path) -> None:
    nlp = with_random_head(initialize(roberta_like))
    doc = units_of(nlp, LONG, 100, 120)
    model: Any = nlp.get_pipe("tok2vec").model  # type: ignore[attr-defined]
    assert len(model.layers[0].layers[0].attrs["get_spans"]([doc])[0]) > 1
    assert_explained(nlp, "tok2vec", doc)


def test_a_training_rate_of_the_encoder_changes_nothing(
    initialize: Initialize, roberta_like: Path
) -> None:
    nlp = with_random_head(initialize(roberta_like))
    doc = units_of(nlp, "Ieri sono andata dal medico.")
    (expected,) = Explainer(nlp).explain(doc, steps=4)
    (pool,) = (n for n in nlp.get_pipe("tok2vec").model.walk() if n.name == "trfs2arrays")  # type: ignore[attr-defined]
    pool.attrs["grad_factor"] = 0.0
    (found,) = Explainer(nlp).explain(doc, steps=4)
    assert_same_numbers(found.scores, expected.scores)


def test_the_component_transformer_is_explained_too(roberta_like: Path) -> None:
    nlp = spacy.blank("it")
    spans = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 128, "stride": 96}
    model = {
        "@architectures": "spacy-transformers.TransformerModel.v3",
        "name": str(roberta_like),
        "get_spans": spans,
        "tokenizer_config": {"use_fast": True, "model_max_length": 512},
    }
    nlp.add_pipe("transformer", config={"model": model})
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "grad_factor": 1.0,
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    _, config = HEADS["valence_classifier"]
    config = {"model": {**config["model"], "tok2vec": listener}}
    nlp.add_pipe("valence_classifier", config=config)
    nlp.initialize(lambda: examples_of(nlp))
    with_random_head(nlp)
    doc = units_of(nlp, "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!", 6)
    assert_explained(nlp, "transformer", doc)
