"""The gradients of all heads reach the transformer, summed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import spacy
from helpers import NARRATIVES, Annotated, examples_of, unannotated
from spacy import Language
from spacy.training import Example
from tiny_pipelines import TrainedPipeline, transformer

HEADS = ("fu_segmenter", "valence_classifier", "ec_tagger")

BATCHES: dict[str, Callable[[Language], list[Example]]] = {
    "all": examples_of,
    "no carrier": lambda nlp: examples_of(nlp, [without_carriers(*NARRATIVES[0]), NARRATIVES[4]]),
    "no unit": lambda nlp: without_units(examples_of(nlp)),
    "not annotated": lambda nlp: [unannotated(nlp, "Oggi ho paura."), unannotated(nlp, "")],
}


def without_carriers(text: str, units: list[tuple[str, str, list[str]]]) -> Annotated:
    return text, [(unit, valence, []) for unit, valence, _ in units]


def without_units(examples: list[Example]) -> list[Example]:
    for example in examples:
        example.predicted.spans["fu"] = []
    return examples


def encoder_gradients(
    trained: TrainedPipeline, heads: tuple[str, ...], batch: str
) -> dict[str, np.ndarray]:
    nlp = spacy.load(trained.model, exclude=[head for head in HEADS if head not in heads])
    nlp.update(BATCHES[batch](nlp), sgd=False, drop=0.0)  # type: ignore[arg-type]
    return {
        name: weights.grad.numpy()
        for name, weights in transformer(nlp).named_parameters()
        if weights.grad is not None
    }


@pytest.mark.parametrize("batch", BATCHES)
def test_the_encoder_gets_the_sum_of_the_heads(alberto_joint: TrainedPipeline, batch: str) -> None:
    joint = encoder_gradients(alberto_joint, HEADS, batch)
    single = [encoder_gradients(alberto_joint, (head,), batch) for head in HEADS]
    assert len(joint) > 12 * 16
    # Some gradients are sums that cancel out, such as those of the biases of the keys.
    rounding = 1e-5 * max(np.abs(gradient).max() for gradient in joint.values())
    for name, gradient in joint.items():
        parts: Any = [found[name] for found in single]
        np.testing.assert_allclose(gradient, sum(parts), rtol=1e-3, atol=rounding, err_msg=name)

    # In the embeddings: which head alone gives something.
    taught = {
        head
        for head, found in zip(HEADS, single, strict=True)
        if found["embeddings.word_embeddings.weight"].any()
    }
    expected = {"no unit": {"fu_segmenter"}, "not annotated": set()}
    assert taught == expected.get(batch, set(HEADS))
