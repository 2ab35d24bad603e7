"""Attributions of the valence of a unit to its tokens, and their overlap with carriers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import spacy
from helpers import (
    HOSTILE_TEXTS,
    NARRATIVES,
    annotation,
    assert_same_numbers,
    examples_of,
    gradients,
    initialized,
    make_nlp,
    parameters,
    shrunk_config,
)
from spacy import Language
from spacy.ml.models.tok2vec import build_Tok2Vec_model
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import load_model_from_config
from thinc.api import Linear, Model, Shim, chain, reduce_mean, set_dropout_rate, with_array

from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.explanation import Explainer, UnitAttribution, carrier_overlap
from spacy_valence_ec.models.valence_classifier import ValenceClassifier
from spacy_valence_ec.schema import EC_KEY, FU_KEY, VALENCES
from spacy_valence_ec.suggesters import CLOSED_CLASS


@pytest.fixture(scope="module")
def embedded() -> Language:
    """As the default pipeline: features of the lexicon beside the encoder, and a wide part.
    Random weights. Not to be altered."""
    return initialized(load_model_from_config(shrunk_config(), auto_fill=True))


def docs_of(nlp: Language) -> list[Doc]:
    """Docs with gold units and carriers."""
    docs = []
    for example in examples_of(nlp):
        doc = example.predicted
        doc.spans[EC_KEY] = [Span(doc, s.start, s.end) for s in example.reference.spans[EC_KEY]]
        docs.append(doc)
    return docs


def softmax(rows: np.ndarray) -> np.ndarray:
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    result: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return result


def assert_complete(nlp: Language, name: str, docs: list[Doc], *, within: float) -> None:
    """The attributions sum to the difference of the logits, which are the component's own."""
    head: Any = nlp.get_pipe(name)
    explainer = Explainer(nlp, name)
    n_telling = 0
    for doc in docs:
        found = {label: explainer.explain(doc, targets=label, steps=64) for label in VALENCES}
        units = list(zip(*found.values(), strict=True))
        assert len(units) == len(doc.spans[FU_KEY])
        if not units:
            continue
        nlp.get_pipe("tok2vec").set_annotations([doc], nlp.get_pipe("tok2vec").predict([doc]))
        logits = np.asarray([[given.logit for given in unit] for unit in units])
        np.testing.assert_allclose(softmax(logits), head.predict([doc])[1], atol=1e-5)
        for i, unit in enumerate(units):
            assert {given.predicted for given in unit} == {VALENCES[int(logits[i].argmax())]}
            span = doc.spans[FU_KEY][i]
            for given in unit:
                assert (given.unit, given.start, given.end) == (i, span.start, span.end)
                assert given.scores.shape == given.wide.shape == (len(span),)
                total = given.scores.sum() + given.context
                assert total == pytest.approx(given.logit - given.baseline, abs=within)
                assert given.gap == pytest.approx(given.logit - given.baseline - total, abs=1e-5)
                n_telling += bool(abs(given.scores).max() > 10 * within)
    assert n_telling > 10


def test_the_attributions_of_the_default_network_are_complete(embedded: Language) -> None:
    assert_complete(embedded, "valence_classifier", docs_of(embedded), within=0.03)


def test_the_attributions_of_a_second_step_are_complete() -> None:
    nlp = initialized(make_nlp("valence_on_carriers"))
    docs = docs_of(nlp)
    assert_complete(nlp, "valence_on_carriers", docs, within=0.01)
    explainer = Explainer(nlp)
    with_carriers = explainer.explain(docs[0])
    docs[0].spans[EC_KEY] = []
    without = explainer.explain(docs[0])
    assert not np.allclose(with_carriers[1].scores, without[1].scores, atol=1e-3)


def test_an_encoder_of_its_own_gives_the_same(embedded: Language) -> None:
    doc = docs_of(embedded)[0]
    expected = Explainer(embedded).explain(doc, steps=8)
    own = load_model_from_config(shrunk_config(), auto_fill=True)
    own = initialized(own)
    own.replace_listeners("tok2vec", "valence_classifier", ["model.tok2vec"])
    found = Explainer(own).explain(docs_of(own)[0], steps=8)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-5)


def test_the_wide_part_is_told_apart(embedded: Language) -> None:
    doc = docs_of(embedded)[0]
    (first, *_) = Explainer(embedded).explain(doc)
    model: Any = embedded.get_pipe("valence_classifier").model  # type: ignore[attr-defined]
    output = model.get_ref("wide").get_ref("output_layer")
    assert abs(first.wide).max() > 0
    zeroed = initialized(load_model_from_config(shrunk_config(), auto_fill=True))
    table = zeroed.get_pipe("valence_classifier").model.get_ref("wide").get_ref("output_layer")  # type: ignore[attr-defined]
    table.set_param("W", np.zeros_like(output.get_param("W")))
    (same, *_) = Explainer(zeroed).explain(docs_of(zeroed)[0], targets=first.target)
    assert not same.wide.any()
    np.testing.assert_allclose(first.scores - first.wide, same.scores, atol=1e-4)


WORDS = {"il": [1.0, 0.0], "lutto": [-2.0, 3.0], "pesa": [0.5, 0.5]}


def linear_pipeline() -> tuple[Language, np.ndarray]:
    """A classifier that is linear in the vectors of `WORDS`, and its matrix, (2, 3)."""

    def embed(model: Model, docs: list[Doc], is_train: bool) -> tuple:
        rows = [[WORDS.get(token.text, [0.0, 0.0]) for token in doc] for doc in docs]
        return [np.asarray(r, dtype="float32").reshape((-1, 2)) for r in rows], lambda d: []

    encode: Model = with_array(Linear(2, 2))
    tok2vec = build_Tok2Vec_model(Model("table", embed, dims={"nO": 2}), encode)
    network = ValenceClassifier(tok2vec, chain(reduce_mean(), Linear(2, 2)), nO=3)
    nlp = spacy.blank("it")
    head: Any = nlp.add_pipe("valence_classifier")
    doc = Doc(nlp.vocab, words=["il", "lutto"])
    doc.spans[FU_KEY] = [doc[:]]
    head.model = network
    network.initialize(X=head.model_input([doc]))
    rng = np.random.default_rng(0)
    matrix = np.eye(2)
    for node, name in parameters(network):
        node.set_param(name, rng.normal(size=node.get_param(name).shape).astype("float32"))
    for layer in (encode, network.layers[1].layers[1].layers[1], network.get_ref("output_layer")):
        linear = next(node for node in layer.walk() if node.name == "linear")
        matrix = matrix @ linear.get_param("W").T
    return nlp, matrix


@pytest.mark.parametrize("from_zero", [True, False])
def test_a_linear_network_is_attributed_exactly(from_zero: bool) -> None:
    nlp, matrix = linear_pipeline()
    doc = Doc(nlp.vocab, words=["il", "lutto", "pesa", "lutto", "il"])
    doc.spans[FU_KEY] = [Span(doc, 0, 3), Span(doc, 3, 5)]
    explainer = Explainer(nlp, from_zero=from_zero)
    # "il" is the only function word with a vector.
    origin = np.zeros(2) if from_zero else np.asarray(WORDS["il"]) / len(CLOSED_CLASS)
    for column, label in enumerate(VALENCES):
        first, second = explainer.explain(doc, targets=label, steps=1)
        effects = [(np.asarray(WORDS[t.text]) - origin) @ matrix[:, column] for t in doc]
        np.testing.assert_allclose(first.scores, np.asarray(effects[:3]) / 3, atol=1e-5)
        np.testing.assert_allclose(second.scores, np.asarray(effects[3:]) / 2, atol=1e-5)
        assert first.context == pytest.approx(0, abs=1e-6)
        assert first.gap == pytest.approx(0, abs=1e-5)


def state(nlp: Language) -> dict[str, Any]:
    """All that training and predicting depend on."""
    models = {name: pipe.model for name, pipe in nlp.pipeline if hasattr(pipe, "model")}
    return {
        "weights": {name: model.to_bytes() for name, model in models.items()},
        "gradients": {name: [g.tolist() for g in gradients(m)] for name, m in models.items()},
        "has gradient": {
            name: [node.has_grad(param) for node, param in parameters(model)]
            for name, model in models.items()
        },
        "dropout": [
            node.attrs["dropout_rate"]
            for model in models.values()
            for node in model.walk()
            if "dropout_rate" in node.attrs
        ],
    }


def test_the_pipeline_stays_as_it_is() -> None:
    nlp = initialized(load_model_from_config(shrunk_config(), auto_fill=True))
    examples = examples_of(nlp)
    nlp.update(examples, sgd=False, drop=0.3)  # gradients that wait for their step, and dropout
    text = NARRATIVES[0][0]
    before, doc = state(nlp), nlp(text)
    words = len(nlp.vocab.strings)
    scores = doc.spans[FU_KEY].attrs["scores"]
    spans, tensor = annotation(doc), doc.tensor.copy()
    explained = Explainer(nlp).explain(doc)
    assert any(given.scores.any() for given in explained)
    assert state(nlp) == before
    assert len(nlp.vocab.strings) == words
    assert annotation(doc) == spans
    np.testing.assert_array_equal(doc.tensor, tensor)
    assert_same_numbers(nlp(text).spans[FU_KEY].attrs["scores"], scores)


def test_dropout_has_no_part_in_it(embedded: Language) -> None:
    doc = docs_of(embedded)[0]
    nlp = initialized(load_model_from_config(shrunk_config(), auto_fill=True))
    for _, pipe in nlp.pipeline:
        if hasattr(pipe, "model"):
            set_dropout_rate(pipe.model, 0.5)
    for a, b in zip(
        Explainer(embedded).explain(doc), Explainer(nlp).explain(docs_of(nlp)[0]), strict=True
    ):
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-5)


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=range(len(HOSTILE_TEXTS)))
def test_every_text_is_explained(embedded: Language, text: str) -> None:
    doc = embedded(text)
    n_units = len(doc.spans[FU_KEY])
    found = Explainer(embedded).explain(doc, units=range(min(n_units, 2)), steps=2)
    assert len(found) == min(n_units, 2)
    for given in found:
        assert np.isfinite([*given.scores, given.context, given.gap]).all()
        assert len(given.scores) == given.end - given.start > 0


def test_units_and_targets_are_chosen(embedded: Language) -> None:
    doc = docs_of(embedded)[0]
    explainer = Explainer(embedded)
    every = explainer.explain(doc, targets=["negative", "neutral", "positive"], steps=4)
    assert [given.target for given in every] == ["negative", "neutral", "positive"]
    (last,) = explainer.explain(doc, targets="positive", units=[2], steps=4)
    np.testing.assert_allclose(last.scores, every[2].scores, atol=1e-5)
    own = explainer.explain(doc, steps=4)
    assert [given.target for given in own] == [given.predicted for given in own]
    for arguments in ({"targets": "sad"}, {"targets": ["neutral"]}, {"units": [3]}, {"steps": 0}):
        with pytest.raises(ValenceECError, match="V033"):
            explainer.explain(doc, **arguments)  # type: ignore[arg-type]


def test_what_cannot_be_explained_is_refused() -> None:
    with pytest.raises(ValenceECError, match="V031"):
        Explainer(make_nlp("fu_segmenter", "ec_tagger"))
    nlp = make_nlp("valence_classifier")
    with pytest.raises(ValenceECError, match=r"V031.*'second'"):
        Explainer(nlp, "second")
    with pytest.raises(ValenceECError, match="V001"):
        Explainer(initialized(nlp)).explain(nlp.make_doc("ciao"))
    alone = make_nlp("valence_classifier")
    alone.remove_pipe("tok2vec")
    with pytest.raises(ValenceECError, match=r"V032.*tok2vec-listener"):
        Explainer(alone)
    of_torch = make_nlp("valence_classifier")
    encoder: Any = of_torch.get_pipe("tok2vec")
    encoder.model.layers[0].shims.append(Shim(None))
    with pytest.raises(ValenceECError, match=r"V032.*another library"):
        Explainer(of_torch)
    nlp, _ = linear_pipeline()
    model: Any = nlp.get_pipe("valence_classifier").model  # type: ignore[attr-defined]
    model.set_ref("wide", model.layers[0])
    with pytest.raises(ValenceECError, match=r"V032.*wide"):
        Explainer(nlp)


Explained = tuple[Example, list[UnitAttribution]]


@pytest.fixture(scope="module")
def explained() -> Callable[..., Explained]:
    """A narrative of one unit with made-up attributions."""
    vocab = spacy.blank("it").vocab

    def make(scores: list[float], carriers: list[tuple[int, int]], label: str) -> Explained:
        words = ["medico", "il", "paura", "treno", ",", "casa"]
        reference, doc = Doc(vocab, words=words), Doc(vocab, words=words)
        reference.spans[FU_KEY] = [Span(reference, 0, 6, label=label)]
        reference.spans[EC_KEY] = [Span(reference, *carrier) for carrier in carriers]
        doc.spans[FU_KEY] = [doc[:]]
        array = np.asarray(scores, dtype="float32")
        given = UnitAttribution(0, 0, 6, label, label, array, array * 0, 0.0, 0.0, 0.0)
        return Example(doc, reference), [given]

    return make


def test_the_overlap_is_that_computed_by_hand(explained: Callable[..., Explained]) -> None:
    """Content words: medico, paura, treno, casa. In the first unit paura and treno are carriers,
    ranked first and third; in the second medico is, ranked last of four, after a tie."""
    units = [
        explained([0.2, 9.0, 0.5, 0.1, 9.0, -0.3], [(1, 4)], "negative"),
        explained([0.1, 0.0, 0.2, 0.3, 0.0, 0.1], [(0, 1)], "positive"),
    ]
    left_out = [
        explained([1.0] * 6, [(0, 1)], "neutral"),
        explained([1.0] * 6, [], "negative"),
        explained([1.0] * 6, [(1, 2)], "negative"),
        explained([1.0] * 6, [(0, 6)], "negative"),
    ]
    found = carrier_overlap([*units, *left_out])
    assert (found.n_units, found.n_trivial) == (2, 1)
    # Of the two strongest, paura and medico, one; of the strongest one, treno, none.
    assert found.precision == pytest.approx((1 / 2 + 0) / 2)
    assert found.chance == pytest.approx((2 / 4 + 1 / 4) / 2)
    # medico and casa tie, and the first one is ranked first: third.
    assert found.average_precision == pytest.approx(((1 + 2 / 3) / 2 + 1 / 3) / 2)
    one_of_four = (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4
    two_of_four = np.mean([1, (1 + 1 / 3) / 2, (1 + 2 / 3) / 3, (1 + 3 / 3) / 4])
    assert found.chance_average_precision == pytest.approx((one_of_four + two_of_four) / 2)
    # Pairs ordered right: paura above both others, treno above casa alone; medico ties with casa.
    assert found.auc == pytest.approx((3 / 4 + (0 + 0 + 0.5) / 3) / 2)


def test_nothing_to_compare(explained: Callable[..., Explained]) -> None:
    found = carrier_overlap([explained([1.0] * 6, [], "negative")])
    assert found.n_units == 0
    assert found.precision is found.chance is found.auc is None
