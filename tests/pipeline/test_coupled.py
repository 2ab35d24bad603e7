"""`coupled_tagger`: valence and carriers of one distribution."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from helpers import (
    CONDITION,
    HEADS,
    HOSTILE_TEXTS,
    NARRATIVES,
    assert_same_annotation,
    examples_of,
    initialized,
    make_nlp,
    parameters,
    shrunk_config,
    slope,
    train,
    unannotated,
)
from small_base import SmallBase
from spacy import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import load_model_from_config

from spacy_valence_ec.base.weights import make_base_weights
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.models.coupled_tagger import FACTOR
from spacy_valence_ec.pipeline.coupled_tagger import CoupledTagger
from spacy_valence_ec.pipeline.ec_tagger import words_of

TEXTS = [*HOSTILE_TEXTS, *(text for text, _ in NARRATIVES)]
SCORES = {"valence_macro_f": 1.0, "ec_token_f": 1.0, "ec_exact_f": 1.0, "joint_f": 1.0}


def coupled_pipe(nlp: Language) -> CoupledTagger:
    pipe = nlp.get_pipe("coupled_tagger")
    assert isinstance(pipe, CoupledTagger)
    return pipe


def batch(nlp: Language) -> list[Example]:
    """The corpus; a text without annotation; one whose units are not the gold ones; one without
    valence, one without carriers; and a neutral unit with a carrier, which cannot be."""
    examples = [*examples_of(nlp), unannotated(nlp, "chi lo sa, boh!", [(0, 3), (4, 6)])]
    moved, no_valence, no_carriers = examples_of(nlp, NARRATIVES[:3])
    moved.predicted.spans["fu"] = [Span(moved.predicted, *edges) for edges in ((0, 9), (9, 13))]
    gold = no_valence.reference
    gold.spans["fu"] = [Span(gold, unit.start, unit.end) for unit in gold.spans["fu"]]
    del no_carriers.reference.spans["ec"]
    (impossible,) = examples_of(
        nlp, [("boh era così", [("boh", "neutral", ["boh"]), ("era così", "positive", ["così"])])]
    )
    return [*examples, moved, no_valence, no_carriers, impossible]


def with_scores(
    make: Callable[[Language], list[Example]], **settings: Any
) -> tuple[CoupledTagger, list[Example], Any]:
    """A component, a batch and random scores of the right shapes, in double precision."""
    nlp = initialized(make_nlp("coupled_tagger", **settings))
    pipe, examples = coupled_pipe(nlp), make(nlp)
    docs = [example.predicted for example in examples]
    logits, emissions, factor = pipe.model.predict(pipe.model_input(docs))
    rng = np.random.default_rng(0)
    return (
        pipe,
        examples,
        (
            rng.normal(0, 1.5, logits.shape),
            [rng.normal(0, 1.5, array.shape) for array in emissions],
            rng.normal(0, 1.0, factor.shape),
        ),
    )


WEIGHTS = {
    "class_weights": {"negative": 0.5, "neutral": 3.0, "positive": 1.7},
    "carrier_class_weights": {"EC": 2.5},
    "loss_weight": 0.7,
    "carrier_loss_weight": 1.3,
}


@pytest.mark.parametrize("coupled", [True, False])
def test_gradient_is_the_derivative_of_the_loss(coupled: bool) -> None:
    """Along random directions, each through the scores of all units and tokens."""
    pipe, examples, scores = with_scores(batch, coupled=coupled, **WEIGHTS)
    loss, gradient = pipe.get_loss(examples, scores)
    assert loss > 0
    arrays, found = [scores[0], *scores[1]], [gradient[0], *gradient[1]]
    if coupled:
        arrays, found = [*arrays, scores[2]], [*found, gradient[2]]
    else:
        assert not gradient[2].any()
    rng = np.random.default_rng(1)
    for _ in range(12):
        # Few numbers are moved, so that no error hides among many.
        steps = [rng.normal(size=a.shape) * (rng.random(a.shape) < 0.1) for a in arrays]

        def loss_at(eps: float) -> float:
            for array, step in zip(arrays, steps, strict=True):  # noqa: B023
                array += eps * step
            moved = pipe.get_loss(examples, scores)[0]
            for array, step in zip(arrays, steps, strict=True):  # noqa: B023
                array -= eps * step
            return moved

        expected = sum(float((g * step).sum()) for g, step in zip(found, steps, strict=True))
        assert slope(loss_at, 1e-4) == pytest.approx(expected, abs=2e-6)


def test_the_loss_is_that_of_each_task_with_the_other_summed_out() -> None:
    """The mean of -log P(valence) - log P(carriers), written anew."""
    pipe, examples, scores = with_scores(examples_of)
    docs = [example.predicted for example in examples]
    chains, coupled = pipe._distribution(docs, words_of(docs), scores)
    expected, u = 0.0, 0
    for example in examples:
        for unit in example.reference.spans["fu"]:
            carriers = [
                c for c in example.reference.spans["ec"] if unit.start <= c.start < unit.end
            ]
            y = ("negative", "neutral", "positive").index(unit.label_)
            expected -= np.log(np.exp(coupled.log_p[u, y]).sum())
            expected -= np.log(np.exp(coupled.log_p[u, :, int(bool(carriers))]).sum())
            if carriers:
                tags = np.zeros(len(chains.emissions), dtype=int)
                first = chains.spans[u][0] - unit.start
                for carrier in carriers:
                    tags[first + carrier.start : first + carrier.end] = 2
                    tags[first + carrier.start] = 1
                expected -= chains.log_weights(tags)[u] - chains.log_with[u]
            u += 1
    assert u == len(chains.spans) > 8
    assert pipe.get_loss(examples, scores)[0] == pytest.approx(expected / u)


def test_uncoupled_it_is_the_two_components_in_one() -> None:
    nlp = initialized(make_nlp("fu_segmenter", "coupled_tagger", coupled=False, **WEIGHTS))
    apart = make_nlp("fu_segmenter", "valence_classifier", "ec_tagger")
    for name, of_carriers in (("valence_classifier", False), ("ec_tagger", True)):
        pipe: Any = apart.get_pipe(name)
        prefix = "carrier_" if of_carriers else ""
        pipe.class_weights = WEIGHTS[f"{prefix}class_weights"]
        pipe.loss_weight = WEIGHTS[f"{prefix}loss_weight"]
    initialized(apart)
    part = coupled_pipe(nlp).pretrained_parts()
    pairs = [(name, part[name]) for name in part]
    for name in ("tok2vec", "fu_segmenter"):
        own: Any = nlp.get_pipe(name)
        pairs.append((name, own.model))
    for name, model in pairs:
        other: Any = apart.get_pipe(name)
        for (node, param), (own_node, _) in zip(
            parameters(other.model), parameters(model), strict=True
        ):
            node.set_param(param, own_node.get_param(param).copy())
    coupled_pipe(nlp).model.set_param(FACTOR, np.zeros((3, 2), dtype="float32"))
    for one, two in zip(nlp.pipe(TEXTS), apart.pipe(TEXTS), strict=True):
        assert_same_annotation(one, two)
    losses: list[dict[str, float]] = [{}, {}]
    for pipeline, found in zip((nlp, apart), losses, strict=True):
        pipeline.update(batch(pipeline), sgd=False, losses=found)
    together = losses[1]["valence_classifier"] + losses[1]["ec_tagger"]
    assert losses[0]["coupled_tagger"] == pytest.approx(together, rel=1e-5)
    assert losses[0]["tok2vec"] == pytest.approx(losses[1]["tok2vec"], rel=1e-4)


def consistent(doc: Doc) -> bool:
    neutral = {i for u in doc.spans["fu"] if u.label_ == "neutral" for i in range(u.start, u.end)}
    return not any(i in neutral for c in doc.spans["ec"] for i in range(c.start, c.end))


def test_a_neutral_unit_has_no_carrier() -> None:
    """On any text, with any weights, coupled or not."""
    for seed in range(4):
        nlp = initialized(make_nlp("fu_segmenter", "coupled_tagger"), seed=seed)
        docs = list(nlp.pipe(TEXTS))
        assert all(map(consistent, docs))
        assert any(len(doc.spans["ec"]) for doc in docs)
        for doc in docs:
            for group in doc.spans.values():
                for value in group.attrs.values():
                    if isinstance(value, np.ndarray):
                        assert len(value) == len(group)
                        assert ((value >= 0) & (value <= 1 + 1e-6)).all()
        coupled_pipe(nlp).coupled = False
        assert all(map(consistent, nlp.pipe(TEXTS)))


def test_pipe_equals_calling() -> None:
    nlp = initialized(make_nlp("fu_segmenter", "coupled_tagger"), seed=10)
    expected = [nlp(text) for text in TEXTS]
    assert len({unit.label_ for doc in expected for unit in doc.spans["fu"]}) == 3
    assert any(len(doc.spans["ec"]) for doc in expected)
    for batch_size in (1, 3, 64):
        order = np.random.default_rng(batch_size).permutation(len(TEXTS))
        docs = nlp.pipe((TEXTS[i] for i in order), batch_size=batch_size)
        for doc, i in zip(docs, order, strict=True):
            assert_same_annotation(doc, expected[i])


def test_overfitting_and_saving(tmp_path: Path) -> None:
    nlp = make_nlp("coupled_tagger")
    assert train(nlp, examples_of(nlp), below=0.01)["coupled_tagger"] < 0.01
    factor = coupled_pipe(nlp).model.get_param(FACTOR)
    assert np.abs(factor).max() > 0.01  # it learns with the rest
    nlp.to_disk(tmp_path)
    copy = make_nlp("coupled_tagger").from_bytes(nlp.to_bytes())
    expected = list(nlp.pipe(example.predicted for example in examples_of(nlp)))
    for pipeline in (nlp, spacy.load(tmp_path), copy):
        scores = pipeline.evaluate(examples_of(pipeline))
        assert {key: scores[key] for key in SCORES} == SCORES
        docs = pipeline.pipe(example.predicted for example in examples_of(pipeline))
        for doc, same in zip(docs, expected, strict=True):
            assert_same_annotation(doc, same)


def test_each_task_is_taught_by_the_other() -> None:
    """The labels of one task move the weights that are the other's alone."""

    def without_carriers(nlp: Language) -> list[Example]:
        (example,) = examples_of(nlp, NARRATIVES[1:2])
        del example.reference.spans["ec"]
        return [example]

    def without_valence(nlp: Language) -> list[Example]:
        (example,) = examples_of(nlp, NARRATIVES[1:2])
        gold = example.reference
        gold.spans["fu"] = [Span(gold, unit.start, unit.end) for unit in gold.spans["fu"]]
        return [example]

    for coupled in (True, False):
        pipe, examples, scores = with_scores(without_carriers, coupled=coupled)
        _, (d_logits, d_emissions, _) = pipe.get_loss(examples, scores)
        assert np.abs(d_logits).max() > 1e-3
        assert bool(np.abs(d_emissions[0]).max() > 1e-6) == coupled
        pipe, examples, scores = with_scores(without_valence, coupled=coupled)
        _, (d_logits, d_emissions, _) = pipe.get_loss(examples, scores)
        assert np.abs(d_emissions[0]).max() > 1e-3
        assert bool(np.abs(d_logits).max() > 1e-6) == coupled


def test_settings_that_make_no_sense() -> None:
    nlp = make_nlp("coupled_tagger", carrier_class_weights={"negative": 2.0})
    with pytest.raises(ValenceECError, match=r"V008.*coupled_tagger.*EC"):
        nlp.initialize(lambda: examples_of(nlp))
    model = dict(HEADS["coupled_tagger"][1]["model"])
    model["valence"] = {**model["valence"], "condition": CONDITION}
    swapped = HEADS["coupled_tagger"][1]["model"]
    swapped = {**swapped, "valence": swapped["carriers"], "carriers": swapped["valence"]}
    for wrong in (model, swapped, HEADS["ec_tagger"][1]["model"]):
        with pytest.raises(ValenceECError, match=r"V009.*coupled_tagger.*CoupledTagger.v1"):
            make_nlp("coupled_tagger", model=wrong)


def test_it_starts_from_the_weights_of_the_base(small_base: SmallBase) -> None:
    config = shrunk_config(small_base.folder, "joint-coupled")
    assert config["initialize"]["after_init"]["components"][2:4] == [
        "valence_classifier",
        "ec_tagger",
    ]
    nlp = load_model_from_config(config, auto_fill=True)
    config["initialize"].update(before_init=None, after_init=None)
    origin = spacy.load(small_base.pipeline)
    nlp.vocab.vectors = origin.vocab.vectors
    with nlp.select_pipes(disable=["morphologizer"]):
        nlp.initialize(lambda: examples_of(nlp))
    make_base_weights(["valence_classifier", "ec_tagger"], str(small_base.folder))(nlp)
    for name, model in coupled_pipe(nlp).pretrained_parts().items():
        other: Any = origin.get_pipe(name)
        compared = 0
        for (node, param), (same, _) in zip(
            parameters(model), parameters(other.model), strict=True
        ):
            np.testing.assert_allclose(node.get_param(param), same.get_param(param), atol=1e-3)
            compared += 1
        assert compared > 2


def test_its_networks_are_those_of_the_joint_setting() -> None:
    joint, coupled = (shrunk_config(None, name) for name in ("joint", "joint-coupled"))
    own = coupled["components"]["coupled_tagger"]
    for part, name in (("valence", "valence_classifier"), ("carriers", "ec_tagger")):
        assert own["model"][part] == joint["components"][name]["model"]
