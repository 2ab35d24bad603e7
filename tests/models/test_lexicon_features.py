"""The lexicon as an input of networks, and as a part of what a pipeline stores."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import spacy
from helpers import HOSTILE_TEXTS, LISTENER, NARRATIVES, assert_same_annotation, initialized
from spacy import Language, registry
from spacy.tokens import Doc
from thinc.api import Model

from spacy_valence_ec.base.assets import LEXICON, asset_path
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.lexicon import N_FEATURES, parse_lexicon, read_lexicon_text
from spacy_valence_ec.models.lexicon import LexicalTok2Vec, LexiconFeatures

MINE = "gess*\t-2\tevent\nnon\t0\tnegator\n"
TEXTS = [*HOSTILE_TEXTS[:-1], *(text for text, _ in NARRATIVES)]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.tsv"
    path.write_text(MINE, encoding="utf-8")
    return path


def vectors(width: int = 3) -> Model:
    """Stands for an encoder: of each token its length, `width` times."""

    def forward(model: Model, docs: list[Doc], is_train: bool) -> tuple:
        arrays = [
            np.repeat([[float(len(token))] for token in doc], width, axis=1).astype("float32")
            if len(doc)
            else np.zeros((0, width), dtype="float32")
            for doc in docs
        ]

        def backprop(gradients: list[np.ndarray]) -> list[Doc]:
            seen.extend(gradients)
            return []

        return arrays, backprop

    seen: list[np.ndarray] = []
    return Model("vectors", forward, dims={"nO": width}, attrs={"seen": seen})


def test_the_default_is_the_lexicon_of_the_package() -> None:
    docs = [spacy.blank("it")(text) for text in TEXTS]
    model = LexiconFeatures()
    model.initialize()
    lexicon = parse_lexicon(read_lexicon_text(asset_path(LEXICON)), LEXICON)
    tables = model.predict(docs)
    assert any(table.any() for table in tables)
    for doc, table in zip(docs, tables, strict=True):
        assert table.shape == (len(doc), model.get_dim("nO"))
        np.testing.assert_array_equal(table, lexicon.features(doc))
    assert model.predict([]) == []


def test_the_lexicon_is_part_of_the_model(mine: Path) -> None:
    """It is not asked for again once the model is initialized: neither in a copy, nor in one that
    is made from the same config and loaded."""
    docs = [spacy.blank("it")("non il gesso")]
    model = LexiconFeatures(str(mine))
    model.initialize()
    mine.unlink()
    loaded = LexiconFeatures(str(mine)).from_bytes(model.to_bytes())
    for holder in (model, model.copy(), loaded):
        (table,) = holder.predict(docs)
        assert np.argwhere(table).tolist() == [[0, 6], [2, 2]]
    with pytest.raises(ValenceECError, match=r"M004.*mine\.tsv"):
        LexiconFeatures(str(mine)).initialize()


def test_vectors_and_features_side_by_side(mine: Path) -> None:
    nlp = spacy.blank("it")
    encoder = vectors()
    model = LexicalTok2Vec(encoder, LexiconFeatures(str(mine)))
    assert model.get_dim("nO") == 3 + N_FEATURES
    docs = [nlp("non il gesso"), nlp(""), nlp("no")]
    model.initialize(X=docs)
    Y, backprop = model(docs, is_train=True)
    assert [array.shape for array in Y] == [(len(doc), 3 + N_FEATURES) for doc in docs]
    np.testing.assert_array_equal(Y[0][:, :3], [[3.0] * 3, [2.0] * 3, [5.0] * 3])
    assert np.argwhere(Y[0][:, 3:]).tolist() == [[0, 6], [2, 2]]
    rng = np.random.default_rng(0)
    dY = [rng.normal(size=array.shape).astype("float32") for array in Y]
    assert backprop(dY) == []
    # The encoder gets its own columns of the gradient.
    for gradient, whole in zip(encoder.attrs["seen"], dY, strict=True):
        np.testing.assert_array_equal(gradient, whole[:, :3])


def lexical_nlp(mine: Path) -> Language:
    """A classifier with all that may read a lexicon: encoder, attention, n-grams."""
    width = LISTENER["width"] + N_FEATURES
    features = {"@architectures": "spacy_valence_ec.LexiconFeatures.v1", "lexicon": str(mine)}
    encoder = {
        "@architectures": "spacy.HashEmbedCNN.v2",
        "pretrained_vectors": None,
        "width": LISTENER["width"],
        "depth": 1,
        "embed_size": 100,
        "window_size": 1,
        "maxout_pieces": 2,
        "subword_features": False,
    }
    nlp = spacy.blank("it")
    lexical = "spacy_valence_ec.LexicalTok2Vec.v1"
    model = {"@architectures": lexical, "tok2vec": encoder, "features": features}
    nlp.add_pipe("tok2vec", config={"model": model})
    listener = {**LISTENER, "width": width}
    segmenter = {
        "@architectures": "spacy_valence_ec.FunctionalUnitSegmenter.v1",
        "tok2vec": listener,
        "encode": None,
    }
    nlp.add_pipe("fu_segmenter", config={"model": segmenter})
    classifier = {
        "@architectures": "spacy_valence_ec.ValenceClassifier.v1",
        "tok2vec": listener,
        "reducer": {"@layers": "spacy_valence_ec.AttentionReducer.v1", "hidden_size": 8},
        "context": None,
        "wide": {
            "@architectures": "spacy_valence_ec.UnitNgrams.v1",
            "neighbor_weight": 0.5,
            "features": features,
            "length": 1024,
        },
    }
    nlp.add_pipe("valence_classifier", config={"model": classifier})
    nlp.add_pipe("ec_candidates")
    return nlp


@pytest.fixture
def start_method(request: pytest.FixtureRequest) -> Iterator[None]:
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method(request.param, force=True)
    yield
    multiprocessing.set_start_method(before, force=True)


@pytest.mark.parametrize("start_method", ["spawn"], indirect=True)
@pytest.mark.usefixtures("start_method")
def test_a_saved_pipeline_needs_no_file_and_works_in_batches_and_workers(
    mine: Path, tmp_path: Path
) -> None:
    nlp = initialized(lexical_nlp(mine), seed=5)
    expected = [nlp(text) for text in TEXTS]
    assert len({unit.label_ for doc in expected for unit in doc.spans["fu"]}) > 1
    nlp.to_disk(tmp_path / "model")
    mine.unlink()
    loaded = spacy.load(tmp_path / "model")
    for options in ({"batch_size": 1}, {"batch_size": 64}, {"n_process": 2, "batch_size": 5}):
        for doc, wanted in zip(loaded.pipe(TEXTS, **options), expected, strict=True):
            assert_same_annotation(doc, wanted)


def test_the_architectures_are_registered() -> None:
    for model in (LexiconFeatures, LexicalTok2Vec):
        assert registry.architectures.get(f"spacy_valence_ec.{model.__name__}.v1") is model
