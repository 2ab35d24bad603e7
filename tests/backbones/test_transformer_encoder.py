"""`TransformerEncoder`: the vectors that spacy-transformers gives, safe for threads, at the
rates that the config names."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from helpers import assert_same_numbers
from spacy import registry
from spacy.tokens import Doc
from thinc.api import Model, reduce_mean
from tiny_encoders import LAYERS, save_alberto_like
from tiny_pipelines import Initialize, transformer

from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.models import transformer_encoder
from spacy_valence_ec.models.transformer_encoder import (
    EncoderShim,
    TransformerEncoder,
    training_precision,
    transformer_of,
)

TEXTS = [
    "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!",
    "mamma",
    "Oggi ho paura, non dormo di notte. Poi la mamma mi chiama. " * 3,
    "",
    "ciao bello 😭",
]


def make(name: Path | str, architecture: Any = TransformerEncoder, **settings: Any) -> Model:
    spans = registry.get("span_getters", "spacy-transformers.strided_spans.v1")(16, 12)
    config = {"use_fast": True, "model_max_length": 512}
    model: Model = architecture(str(name), spans, config, reduce_mean(), **settings)
    return model


def docs() -> list[Doc]:
    nlp = spacy.blank("it")
    return [nlp(text) for text in TEXTS]


@pytest.mark.parametrize("max_pieces", [1, 40, 2048])
def test_the_vectors_are_those_of_spacy_transformers(alberto_like: Path, max_pieces: int) -> None:
    stock = make(
        alberto_like, registry.architectures.get("spacy-transformers.Tok2VecTransformer.v3")
    )
    model = make(alberto_like, max_pieces=max_pieces)
    for each in (stock, model):
        each.initialize(X=docs())
    for mine, theirs in zip(model.predict(docs()), stock.predict(docs()), strict=True):
        assert_same_numbers(mine, theirs)

    # In training too: outputs, and the gradient of each parameter.
    gradients = []
    for each in (stock, model):
        vectors, backprop = each.begin_update(docs())
        backprop([np.cos(array) for array in vectors])
        network = transformer_of(each).transformer
        named = network.named_parameters()
        gradients.append({name: p.grad.clone() for name, p in named if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-3, atol=1e-4)


def test_a_call_reads_no_more_pieces_than_allowed(alberto_like: Path) -> None:
    model = make(alberto_like, max_pieces=40)
    model.initialize(X=docs())
    network = transformer_of(model).transformer
    shapes: list[tuple[int, int]] = []
    with hook(network, lambda shape: shapes.append(shape)):
        model.predict(docs())
        in_prediction = shapes.copy()
        model.begin_update(docs())
    assert len(in_prediction) > 1
    assert shapes == in_prediction * 2
    assert all(n_rows == 1 or n_rows * length <= 40 for n_rows, length in shapes)
    lengths = [length for _, length in in_prediction]
    assert lengths == sorted(lengths)


@contextmanager
def hook(network: torch.nn.Module, see: Any) -> Iterator[None]:
    def before(module: Any, args: Any, kwargs: Any) -> None:
        see(tuple(kwargs["input_ids"].shape))

    handle = network.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def test_threads_that_share_a_pipeline_predict_without_dropout(
    tmp_path: Path, initialize: Initialize
) -> None:
    encoder = save_alberto_like(tmp_path / "bert", hidden_dropout_prob=0.5)
    nlp = initialize(encoder)
    texts = [text for text in TEXTS if text] * 12
    expected = [nlp(text).tensor for text in texts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: nlp(text).tensor, texts))
    for mine, wanted in zip(found, expected, strict=True):
        assert_same_numbers(mine, wanted)
    assert not transformer(nlp).training


def test_training_mode_lasts_for_the_update_alone(alberto_like: Path) -> None:
    model = make(alberto_like, transformer_config={"hidden_dropout_prob": 0.5})
    model.initialize(X=docs())
    first, _ = model.begin_update(docs())
    second, _ = model.begin_update(docs())
    assert np.abs(first[0] - second[0]).max() > 1e-3
    assert_same_numbers(model.predict(docs())[0], model.predict(docs())[0])
    copy = make(alberto_like).from_bytes(model.to_bytes())
    for each in (model, copy):
        network = transformer_of(each).transformer
        norms = [m for m in network.modules() if isinstance(m, torch.nn.LayerNorm)]
        assert {norm.eps for norm in norms} == {1e-12}
        assert network.config.layer_norm_eps == 1e-12
    assert_same_numbers(copy.predict(docs())[0], model.predict(docs())[0])


def test_each_layer_has_its_rate(alberto_like: Path) -> None:
    model = make(alberto_like, rate_factor=0.5, layer_decay=0.8)
    model.initialize(X=docs())
    shim = shim_of(model)
    rates: dict[str, float] = {}

    def optimizer(key: Any, weights: Any, gradient: Any, lr_scale: float) -> tuple[Any, Any]:
        rates[key[1]] = lr_scale
        return weights - lr_scale * gradient, gradient

    vectors, backprop = model.begin_update(docs())
    backprop([np.ones_like(array) for array in vectors])
    network = transformer_of(model).transformer
    before = {
        name: (p.detach().clone(), p.grad.clone())
        for name, p in network.named_parameters()
        if p.grad is not None
    }
    model.finish_update(optimizer)
    for name, parameter in network.named_parameters():
        if name not in before:
            continue
        weights, gradient = before[name]
        torch.testing.assert_close(parameter, weights - rates[name] * gradient)
        assert not parameter.grad.any()
    key = "encoder.layer.{}.output.dense.weight"
    assert rates[key.format(LAYERS - 1)] == pytest.approx(0.5)
    assert rates[key.format(0)] == pytest.approx(0.5 * 0.8 ** (LAYERS - 1))
    assert rates["embeddings.word_embeddings.weight"] == pytest.approx(0.5 * 0.8**LAYERS)
    assert shim.rate_of("pooler.dense.weight") == 0.5


def test_a_rate_of_zero_leaves_the_encoder_as_it_is(alberto_like: Path) -> None:
    model = make(alberto_like, rate_factor=0.0)
    model.initialize(X=docs())
    before = model.predict(docs())[0]
    vectors, backprop = model.begin_update(docs())
    backprop([np.ones_like(array) for array in vectors])
    model.finish_update(lambda key, weights, gradient, lr_scale: (weights + 1, gradient))
    np.testing.assert_array_equal(model.predict(docs())[0], before)


def test_precision_follows_the_processor(
    alberto_like: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformer_encoder, "has_bfloat16", lambda: False)
    assert training_precision("auto") == "float32"
    monkeypatch.setattr(transformer_encoder, "has_bfloat16", lambda: True)
    assert training_precision("auto") == "bfloat16"
    assert training_precision("float32") == "float32"

    results = {}
    for precision in ("float32", "bfloat16"):
        model = make(alberto_like, precision=precision)
        model.initialize(X=docs())
        vectors, backprop = model.begin_update(docs())
        backprop([np.ones_like(array) for array in vectors])
        results[precision] = vectors[0]
        gradient = transformer_of(model).transformer.embeddings.word_embeddings.weight.grad
        assert gradient.dtype == torch.float32
        assert gradient.any()
    difference = np.abs(results["float32"] - results["bfloat16"]).max()
    assert 1e-5 < difference < 0.1


@pytest.mark.parametrize(
    "wrong",
    [{"precision": "half"}, {"max_pieces": 0}, {"rate_factor": -1.0}, {"layer_decay": 0.0}],
    ids=str,
)
def test_an_argument_out_of_range_is_refused(alberto_like: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValenceECError, match=f"V034.*{next(iter(wrong))}"):
        make(alberto_like, **wrong)


def shim_of(model: Model) -> EncoderShim:
    (shim,) = (shim for node in model.walk() for shim in node.shims)
    assert isinstance(shim, EncoderShim)
    return shim


def test_memory_is_trimmed_again_and_again(
    alberto_like: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trimmed: list[int] = []
    model = make(alberto_like)
    model.initialize(X=docs())
    monkeypatch.setattr(transformer_encoder, "trim_memory", lambda: trimmed.append(len(trimmed)))
    monkeypatch.setattr(transformer_encoder, "STEPS_TO_TRIM", 2)
    for _ in range(5):
        vectors, backprop = model.begin_update(docs())
        backprop(vectors)
        model.finish_update(lambda key, weights, gradient, lr_scale: (weights, gradient))
    assert trimmed == [0, 1]
