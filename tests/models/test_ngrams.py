"""The linear model over what stands in a unit and beside it."""

from typing import Any

import numpy as np
import pytest
import spacy
from helpers import assert_same_numbers, gradients, parameters, slope
from spacy.attrs import NORM
from spacy.tokens import Doc
from thinc.api import Model, NumpyOps
from thinc.types import Ragged

from spacy_valence_ec.models.ngrams import UnitNgrams, ngram_contributions
from spacy_valence_ec.models.spans import ragged_offsets

OPS = NumpyOps()
NLP = spacy.blank("it")
WORDS = ["io", "rido", "rido", "tu", "piangi"]
UNITS = [(0, 3), (3, 5)]


def doc_of(*words: str) -> Doc:
    return Doc(NLP.vocab, words=list(words))


def ragged(*spans: list[tuple[int, int]]) -> Ragged:
    return ragged_offsets([np.asarray(s, dtype="int32").reshape((-1, 2)) for s in spans], OPS)


def features(table: dict[str, list[float]]) -> Model:
    """Of each token what a table says of its form."""

    def forward(model: Model, docs: list[Doc], is_train: bool) -> tuple:
        rows = [[table.get(token.text, [0.0, 0.0]) for token in doc] for doc in docs]
        return [np.asarray(r, dtype="float32").reshape((-1, 2)) for r in rows], lambda d: []

    return Model("features", forward, dims={"nO": 2})


def extracted(model: Model, docs: list[Doc], units: Ragged) -> list[dict[int, float]]:
    """Keys and values of each unit."""
    (extract,) = (node for node in model.walk() if node.name == "extract_unit_features")
    keys, values, lengths = extract.predict((docs, units))
    assert (keys.dtype, values.dtype, lengths.dtype) == (np.uint64, np.float32, np.int32)
    assert len(keys) == len(values) == lengths.sum()
    ends = np.cumsum(lengths)
    found = []
    for end, n in zip(ends, lengths, strict=True):
        part = slice(end - n, end)
        pairs = dict(zip(keys[part].tolist(), values[part].tolist(), strict=True))
        assert len(pairs) == n  # no key twice
        found.append(pairs)
    return found


def sorted_values(unit: dict[int, float]) -> list[float]:
    return sorted(unit.values())


def test_each_ngram_counts_once_over_the_root_of_their_number() -> None:
    doc = doc_of(*WORDS)
    first, second = extracted(UnitNgrams(ngram_size=2), [doc], ragged(UNITS))
    # io, rido; io rido, rido rido
    assert sorted_values(first) == pytest.approx([1 / np.sqrt(4)] * 4)
    # tu, piangi; tu piangi
    assert sorted_values(second) == pytest.approx([1 / np.sqrt(3)] * 3)
    assert not first.keys() & second.keys()
    (alone,) = extracted(UnitNgrams(ngram_size=1), [doc], ragged([(0, 3)]))
    assert len(alone) == 2
    assert alone.keys() < first.keys()
    (three,) = extracted(UnitNgrams(ngram_size=3), [doc], ragged([(0, 3)]))
    assert len(three) == 5
    # No n-gram crosses the edge of a unit, and the order of words counts.
    (turned,) = extracted(UnitNgrams(ngram_size=2), [doc_of("piangi", "tu")], ragged([(0, 2)]))
    assert len(turned.keys() & second.keys()) == 2


def test_neighbors_have_keys_of_their_own_and_lesser_values() -> None:
    doc = doc_of("a", "a", "b", "c")
    model = UnitNgrams(ngram_size=2, neighbor_weight=0.5)
    units = extracted(model, [doc, doc_of("a")], ragged([(0, 1), (1, 2), (2, 4)], [(0, 1)]))
    first, middle, last, other = units
    # The same word: of the unit itself, of the one before, of the one after.
    assert len(first) == 1 + 1
    assert len(middle) == 1 + 1 + 2
    assert len(last) == 3 + 1
    assert other == {key: value for key, value in first.items() if value == 1.0}
    (own,) = other
    assert own in middle
    assert own not in last
    assert sorted_values(middle) == pytest.approx([0.5 / np.sqrt(2)] * 2 + [0.5, 1.0])
    assert sorted_values(last) == pytest.approx([0.5] + [1 / np.sqrt(3)] * 3)
    # What stands before is not what stands after.
    (before,) = last.keys() - extracted(UnitNgrams(), [doc], ragged([(2, 4)]))[0].keys()
    assert before in middle
    assert before not in first


def test_token_features_are_summed_over_the_unit_and_its_neighbors() -> None:
    table = {"rido": [0.0, 1.0], "tu": [0.5, 0.0], "piangi": [-0.5, 2.0]}
    plain = UnitNgrams(ngram_size=1, neighbor_weight=0.5)
    model = UnitNgrams(ngram_size=1, neighbor_weight=0.5, features=features(table))
    doc = doc_of(*WORDS)
    with_features = extracted(model, [doc], ragged(UNITS))
    added = [
        {key: value for key, value in unit.items() if key not in before}
        for unit, before in zip(with_features, extracted(plain, [doc], ragged(UNITS)), strict=True)
    ]
    # 0.5 and -0.5 of the second unit come to nothing.
    assert sorted(added[0].values()) == [1.0, 2.0]
    assert sorted(added[1].values()) == [1.0, 2.0]
    (own,) = added[0].keys() & added[1].keys()
    assert added[0][own] == added[1][own] == 2.0


def ready(docs: list[Doc], units: Ragged, **config: Any) -> Model:
    model = UnitNgrams(length=2**10, nO=3, **config)
    model.initialize(X=(docs, units), Y=np.zeros((int(units.lengths.sum()), 3), dtype="float32"))
    rng = np.random.default_rng(1)
    for node, name in parameters(model):
        shape = node.get_param(name).shape
        node.set_param(name, rng.normal(size=shape).astype("float32"))
    return model


def test_gradient_of_the_weights() -> None:
    docs = [doc_of(*WORDS), doc_of(), doc_of("boh"), doc_of("io", "piangi")]
    units = ragged(UNITS, [], [], [(0, 1), (1, 2)])
    config = {"neighbor_weight": 0.3, "features": features({"rido": [1.0, -2.0]})}
    model = ready(docs, units, **config)
    rng = np.random.default_rng(2)
    Y, backprop = model((docs, units), is_train=True)
    assert Y.shape == (4, 3)
    weights = rng.normal(size=Y.shape).astype("float32")
    assert backprop(weights) == []
    grads = gradients(model)
    moves = [rng.normal(size=g.shape) for g in grads]
    kept = [node.get_param(name).copy() for node, name in parameters(model)]

    def moved(eps: float) -> float:
        for (node, name), value, move in zip(parameters(model), kept, moves, strict=True):
            node.set_param(name, (value + eps * move).astype("float32"))
        return float((model.predict((docs, units)) * weights).sum())

    expected = float(sum((g * m).sum() for g, m in zip(grads, moves, strict=True)))
    assert abs(expected) > 0.1
    assert slope(moved, 1e-2) == pytest.approx(expected, rel=1e-3)


def test_a_unit_has_the_same_logits_in_every_batch() -> None:
    docs = [doc_of(*WORDS), doc_of(), doc_of("io", "piangi")]
    units = [UNITS, [], [(0, 2)]]
    model = ready(docs, ragged(*units), neighbor_weight=0.3)
    together = model.predict((docs, ragged(*units)))
    alone = [model.predict(([d], ragged(u))) for d, u in zip(docs, units, strict=True)]
    assert_same_numbers(together, np.concatenate(alone))
    loaded = UnitNgrams(length=2**10, neighbor_weight=0.3, nO=3).from_bytes(model.to_bytes())
    assert_same_numbers(loaded.predict((docs, ragged(*units))), together)


@pytest.mark.parametrize("docs", [[], [doc_of()], [doc_of("io"), doc_of()]], ids=len)
def test_no_unit_no_row(docs: list[Doc]) -> None:
    model = ready([doc_of(*WORDS)], ragged(UNITS), neighbor_weight=0.3, features=features({}))
    nothing = ragged(*([[]] * len(docs)))
    assert model.predict((docs, nothing)).shape == (0, 3)


def test_forms_are_the_normalized_ones() -> None:
    doc = NLP("Rido rido RIDO")
    assert len(set(doc.to_array(NORM).tolist())) == 1
    (unit,) = extracted(UnitNgrams(ngram_size=1), [doc], ragged([(0, 3)]))
    assert list(unit.values()) == [1.0]


@pytest.mark.parametrize("with_features", [False, True])
def test_contributions_sum_to_the_logits(with_features: bool) -> None:
    table = features({"rido": [2.0, 0.0], "tu": [1.0, -1.0], "io": [-1.0, 1.0]})
    model = UnitNgrams(2, 0.5, table if with_features else None, length=1024, nO=3)
    docs = [doc_of(*WORDS)]
    model.initialize(X=(docs, ragged(UNITS)), Y=np.zeros((2, 3), dtype="float32"))
    rng = np.random.default_rng(0)
    for node, name in parameters(model):
        node.set_param(name, rng.normal(size=node.get_param(name).shape).astype("float32"))
    bias = model.get_ref("output_layer").get_param("b")
    logits = model.predict((docs, ragged(UNITS)))
    for i in range(2):
        added = ngram_contributions(model, docs[0], np.asarray(UNITS), i)
        assert added.shape == (5, 3)
        np.testing.assert_allclose(added.sum(axis=0) + bias, logits[i], atol=1e-5)
        assert added[3:].any()
    # A word counts once, and both of its places have the half of it.
    alone = UnitNgrams(1, 0.0, None, length=1024, nO=3)
    alone.initialize(X=(docs, ragged(UNITS)), Y=np.zeros((2, 3), dtype="float32"))
    output = alone.get_ref("output_layer")
    output.set_param("W", rng.normal(size=output.get_param("W").shape).astype("float32"))
    added = ngram_contributions(alone, docs[0], np.asarray(UNITS), 0)
    assert added.any()
    assert_same_numbers(added[1], added[2])
    assert not added[3:].any()
