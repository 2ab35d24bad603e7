"""The networks alone: token vectors go in as they are, and their gradient comes out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import COMBINE, REDUCER, assert_same_numbers, gradients, parameters, slope
from spacy import registry
from thinc.api import Linear, Model, NumpyOps
from thinc.types import Ragged

from spacy_valence_ec.models.blocks import BlockwiseEncoder
from spacy_valence_ec.models.condition import LabelEmbedding
from spacy_valence_ec.models.ec_candidates import CarrierCandidateClassifier
from spacy_valence_ec.models.ec_tagger import CarrierTagger, _join
from spacy_valence_ec.models.empty import skip_when_empty
from spacy_valence_ec.models.fu_segmenter import FunctionalUnitSegmenter
from spacy_valence_ec.models.reducers import AttentionReducer
from spacy_valence_ec.models.spans import pool_spans, ragged_offsets
from spacy_valence_ec.models.valence_classifier import ValenceClassifier

WIDTH = 6
OPS = NumpyOps()
ENCODER = {
    "@architectures": "spacy.MaxoutWindowEncoder.v2",
    "window_size": 1,
    "maxout_pieces": 2,
    "depth": 1,
}


def built(**config: Any) -> Model:
    return registry.resolve({"layer": config})["layer"]


def reducer() -> Model:
    return built(**{**REDUCER, "hidden_size": 4})


def combine() -> Model:
    return built(**{**COMBINE, "nO": 5})


def vectors_in() -> Model:
    """Stands where the listener would: gives its input, and its gradient back."""
    return Model("vectors", lambda model, X, is_train: (X, lambda dX: dX), dims={"nO": WIDTH})


# Five Docs: a usual one (its token 3 is in no unit), an empty one, one without units, one with a
# single unit, an empty one.
LENGTHS = (7, 0, 4, 3, 0)
UNITS = [[(0, 3), (4, 7)], [], [], [(1, 3)], []]
CANDIDATES = [[(0, 2), (1, 3), (5, 6)], [], [], [(1, 2)], []]
UNIT_OF = [0, 0, 1, 2]
N_UNITS = 3


@pytest.fixture(autouse=True)
def all_tokens_are_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays stand in for the Docs here: no row is white space."""
    name = "spacy_valence_ec.models.words.blank_tokens"
    monkeypatch.setattr(name, lambda array: np.zeros(len(array), dtype=bool))


def arrays(seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, WIDTH)).astype("float32") for n in LENGTHS]


def ragged(spans: list[list[tuple[int, int]]]) -> Ragged:
    return ragged_offsets([np.asarray(s, dtype="int32").reshape((-1, 2)) for s in spans], OPS)


def segmenter() -> Model:
    return FunctionalUnitSegmenter(vectors_in(), encode=built(**ENCODER, width=WIDTH))


def classifier(context: bool = True) -> Model:
    layer = built(**ENCODER, width=4) if context else None
    return ValenceClassifier(vectors_in(), reducer(), context=layer, nO=3)


def wide_classifier() -> Model:
    """With attention, and logits of another model of the units: here of their edges."""

    def forward(model: Model, inputs: Any, is_train: bool) -> tuple[np.ndarray, Any]:
        edges = inputs[1].dataXd.astype("float32")

        def backprop(dY: np.ndarray) -> list:
            model.inc_grad("W", edges.T @ dY)
            return []

        return edges @ model.get_param("W"), backprop

    wide = Model("wide", forward, params={"W": np.zeros((2, 3), dtype="float32")})
    return ValenceClassifier(vectors_in(), AttentionReducer(4), wide=wide, nO=3)


def tagger() -> Model:
    return CarrierTagger(vectors_in(), reducer(), combine(), encode=built(**ENCODER, width=5))


def candidate_classifier() -> Model:
    return CarrierCandidateClassifier(vectors_in(), reducer(), reducer(), combine())


def classifier_on_carriers() -> Model:
    return ValenceClassifier(vectors_in(), reducer(), nO=3, condition=LabelEmbedding())


def tagger_on_valence() -> Model:
    return CarrierTagger(vectors_in(), reducer(), combine(), condition=LabelEmbedding())


def candidate_classifier_on_valence() -> Model:
    return CarrierCandidateClassifier(
        vectors_in(), reducer(), reducer(), combine(), condition=LabelEmbedding()
    )


# What each network without a condition reads, and the labels of the first step. -1: unknown.
CONDITIONED = {
    classifier_on_carriers: (classifier, [0, 1, 1, 0, 0, 0, -1, *[1] * 4, 0, 1, 1]),
    tagger_on_valence: (tagger, [2, -1, 0]),
    candidate_classifier_on_valence: (candidate_classifier, [1, 2, -1]),
}


def network_input(
    build: Callable[[], Model], vectors: list[np.ndarray], labels: list[int] | None = None
) -> Any:
    if build in CONDITIONED:
        plain, default = CONDITIONED[build]
        given = default if labels is None else labels
        return (*network_input(plain, vectors), np.asarray(given, dtype="i"))
    if build is segmenter:
        return vectors
    if build is candidate_classifier:
        return vectors, ragged(UNITS), ragged(CANDIDATES), np.asarray(UNIT_OF, dtype="i")
    return vectors, ragged(UNITS)


def empty_input(build: Callable[[], Model], vectors: list[np.ndarray]) -> Any:
    if build in CONDITIONED:
        n_tokens = sum(map(len, vectors)) if build is classifier_on_carriers else 0
        labels = np.zeros(n_tokens, dtype="i")
        return (*empty_input(CONDITIONED[build][0], vectors), labels)
    nothing = ragged([[]] * len(vectors))
    if build is segmenter:
        return vectors
    if build is candidate_classifier:
        return vectors, nothing, nothing, np.zeros(0, dtype="i")
    return vectors, nothing


def ready(model: Model, X: Any) -> Model:
    model.initialize(X=X)
    rng = np.random.default_rng(7)
    for node, name in parameters(model):
        shape = node.get_param(name).shape
        node.set_param(name, rng.normal(0, 0.6, shape).astype("float32"))
    return model


def flat(Y: Any) -> np.ndarray:
    return np.concatenate(Y).astype("float64") if isinstance(Y, list) else Y.astype("float64")


NETWORKS = [segmenter, classifier, wide_classifier, tagger, candidate_classifier, *CONDITIONED]


@pytest.mark.parametrize("build", NETWORKS)
def test_gradient_of_token_vectors_and_weights(build: Callable[[], Model]) -> None:
    vectors = arrays()
    model = ready(build(), network_input(build, vectors))
    Y, backprop = model(network_input(build, vectors), is_train=True)
    rng = np.random.default_rng(2)
    weights = rng.normal(size=flat(Y).shape)
    dY = weights.astype("float32")
    if isinstance(Y, list):
        dY = np.split(dY, np.cumsum([len(array) for array in Y])[:-1])
    d_vectors = backprop(dY)
    assert [d.shape for d in d_vectors] == [v.shape for v in vectors]

    def along(direction: list[np.ndarray]) -> Callable[[float], float]:
        def f(eps: float) -> float:
            moved = [
                (v + eps * d).astype("float32") for v, d in zip(vectors, direction, strict=True)
            ]
            return float((flat(model.predict(network_input(build, moved))) * weights).sum())

        return f

    for row, array in enumerate(vectors):
        for i in range(len(array)):
            direction = [np.zeros_like(v) for v in vectors]
            direction[row][i] = rng.normal(size=WIDTH)
            expected = float((d_vectors[row][i] * direction[row][i]).sum())
            assert slope(along(direction), 1e-3) == pytest.approx(expected, abs=0.02, rel=0.02)

    grads = gradients(model)
    moves = [rng.normal(size=g.shape) for g in grads]
    kept = [node.get_param(name).copy() for node, name in parameters(model)]

    def with_weights(eps: float) -> float:
        for (node, name), value, move in zip(parameters(model), kept, moves, strict=True):
            node.set_param(name, (value + eps * move).astype("float32"))
        return float((flat(model.predict(network_input(build, vectors))) * weights).sum())

    expected = float(sum((g * m).sum() for g, m in zip(grads, moves, strict=True)))
    assert abs(expected) > 0.1
    assert slope(with_weights, 3e-4) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("build", NETWORKS)
@pytest.mark.parametrize("lengths", [(0,), (0, 0, 0), (3, 0)])
def test_batches_without_anything(build: Callable[[], Model], lengths: tuple[int, ...]) -> None:
    """No row in, no row out; and every token still gets its gradient, zeros."""
    model = ready(build(), network_input(build, arrays()))
    vectors = [np.ones((n, WIDTH), dtype="float32") for n in lengths]
    Y, backprop = model(empty_input(build, vectors), is_train=True)
    plain = CONDITIONED[build][0] if build in CONDITIONED else build
    if plain in (classifier, wide_classifier, candidate_classifier):
        assert Y.shape == (0, 1 if plain is candidate_classifier else 3)
    else:
        assert [len(array) for array in Y] == list(lengths)
    dY = [np.zeros_like(y) for y in Y] if isinstance(Y, list) else Y
    d_vectors = backprop(dY)
    assert [d.shape for d in d_vectors] == [v.shape for v in vectors]
    assert not any(d.any() for d in d_vectors)


@pytest.mark.parametrize("build", CONDITIONED)
def test_gradient_of_the_embedding_of_each_label(build: Callable[[], Model]) -> None:
    """By finite differences; an unknown label has no vector, and without any known one the network
    is that without a condition."""
    vectors = arrays()
    _, labels = CONDITIONED[build]
    model = ready(build(), network_input(build, vectors))
    embedding = model.get_ref("condition")
    Y, backprop = model(network_input(build, vectors), is_train=True)
    dY = [np.ones_like(y) for y in Y] if isinstance(Y, list) else np.ones_like(Y)
    backprop(dY)
    gradient = np.array(embedding.get_grad("E"))
    kept = embedding.get_param("E").copy()
    n_labels = 2 if build is classifier_on_carriers else 3
    assert kept.shape == (n_labels, WIDTH if build is classifier_on_carriers else 4)
    for index in np.ndindex(*kept.shape):

        def output(eps: float) -> float:
            moved = kept.copy()
            moved[index] += eps  # noqa: B023
            embedding.set_param("E", moved)
            return float(flat(model.predict(network_input(build, vectors))).sum())

        assert slope(output, 1e-3) == pytest.approx(gradient[index], abs=0.02, rel=0.02)
    known = sorted({label for label in labels if label >= 0})
    assert np.abs(gradient[known]).max(axis=1).min() > 1e-3

    embedding.set_param("E", kept)
    unknown = network_input(build, vectors, [-1] * len(labels))
    assert np.abs(flat(model.predict(unknown)) - flat(Y)).max() > 0.01
    embedding.set_param("E", np.zeros_like(kept))
    none = flat(model.predict(network_input(build, vectors)))
    assert_same_numbers(flat(model.predict(unknown)), none)


def test_pooling_reads_each_span_and_nothing_else() -> None:
    vectors = arrays()
    pool = pool_spans(built(**{"@layers": "reduce_mean.v1"}))
    pool.initialize(X=(vectors, ragged(UNITS)))
    pooled = pool.predict((vectors, ragged(UNITS)))
    expected = [vectors[0][0:3], vectors[0][4:7], vectors[3][1:3]]
    assert_same_numbers(pooled, [v.mean(axis=0) for v in expected])


def test_join_gives_each_token_the_vector_of_its_unit() -> None:
    vectors = arrays()
    pooled = np.arange(N_UNITS * 2, dtype="float32").reshape((N_UNITS, 2)) + 1
    joined, backprop = _join(tagger(), vectors, pooled, ragged(UNITS))
    none = [0.0, 0.0]
    assert joined[0][:, WIDTH:].tolist() == [[1, 2]] * 3 + [none] + [[3, 4]] * 3
    assert joined[2][:, WIDTH:].tolist() == [none] * 4
    assert joined[3][:, WIDTH:].tolist() == [none, [5, 6], [5, 6]]
    for array, vector in zip(joined, vectors, strict=True):
        assert (array[:, :WIDTH] == vector).all()
    d_vectors, d_pooled = backprop([np.ones_like(array) for array in joined])
    assert d_pooled.tolist() == [[3, 3], [3, 3], [2, 2]]
    assert [d.shape for d in d_vectors] == [v.shape for v in vectors]


def test_skip_when_empty_is_the_layer_where_there_is_a_row() -> None:
    inner = built(**ENCODER, width=WIDTH)
    output = Linear(nO=WIDTH)
    layer = skip_when_empty(inner, output)
    layer.initialize(X=arrays())
    for mine, plain in zip(layer.predict(arrays()), inner.predict(arrays()), strict=True):
        np.testing.assert_array_equal(mine, plain)


@pytest.mark.parametrize("context", [True, False])
def test_neighboring_units_count_when_there_is_a_context(context: bool) -> None:
    vectors = arrays()
    model = ready(classifier(context), (vectors, ragged(UNITS)))
    before = model.predict((vectors, ragged(UNITS)))
    vectors[0][5] += 3.0  # in the second unit of the first Doc
    after = model.predict((vectors, ragged(UNITS)))
    changed = np.abs(after - before).max(axis=1) > 1e-4
    assert changed.tolist() == [context, True, False]


@pytest.mark.parametrize("lengths", [(1, 30, 7), (31, 0, 9, 10), (101,), (0,), (23, 29)])
def test_encoding_in_blocks_is_encoding_the_whole(lengths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    vectors = [rng.normal(size=(n, WIDTH)).astype("float32") for n in lengths]
    whole = ready(built(**{**ENCODER, "depth": 3}, width=WIDTH), vectors)
    blocks = BlockwiseEncoder(whole, block_size=10, margin=3)
    for mine, expected in zip(blocks.predict(vectors), whole.predict(vectors), strict=True):
        np.testing.assert_allclose(mine, expected, atol=1e-5)
    if sum(lengths):
        Y, backprop = blocks(vectors, is_train=True)
        expected_gradient = whole(vectors, is_train=True)[1](Y)
        for mine, expected in zip(backprop(Y), expected_gradient, strict=True):
            np.testing.assert_allclose(mine, expected, atol=1e-5)


def test_the_attention_view_of_a_span_is_a_weighted_mean() -> None:
    """Of one vector it is that vector, whatever the weights."""
    vectors = arrays()
    spans = Ragged(np.concatenate([vectors[0][:3], vectors[3][:1]]), np.asarray([3, 1], dtype="i"))
    attention = ready(AttentionReducer(4), spans).layers[0].layers[0]
    mean, single = attention.predict(spans)
    assert_same_numbers(single, vectors[3][0])
    shares, *_ = np.linalg.lstsq(vectors[0][:3].T, mean, rcond=None)
    np.testing.assert_allclose(vectors[0][:3].T @ shares, mean, atol=1e-4)
    assert shares.sum() == pytest.approx(1.0, abs=1e-3)
    assert (shares > 0).all()
    assert np.ptp(shares) > 0.01
