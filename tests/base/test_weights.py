"""Weights of a base: what is stored is what is set, or nothing is."""

import json
import struct
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import spacy
from helpers import examples_of, initialized, make_nlp, parameters, shrunk_config
from small_base import COMPONENTS, SmallBase, small_vectors
from spacy import Language
from spacy.util import load_model_from_config
from thinc.api import Model

from spacy_valence_ec.base.assets import WEIGHTS, write_checksums
from spacy_valence_ec.base.weights import (
    load_weights,
    make_base_weights,
    tagger_labels,
    write_weights,
)
from spacy_valence_ec.errors import ValenceECError, ValenceECWarning

HEADS = ("fu_segmenter", "valence_classifier", "ec_tagger")


def values(model: Model) -> list[np.ndarray]:
    return [np.array(node.get_param(name)) for node, name in parameters(model)]


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def halved(arrays: list[np.ndarray]) -> list[np.ndarray]:
    return [array.astype("float16").astype("float32") for array in arrays]


@pytest.fixture
def base(small_base: SmallBase, tmp_path: Path) -> Path:
    return copytree(small_base.folder, tmp_path / "base")


@pytest.mark.parametrize("name", ["tok2vec", *HEADS, "ec_chunks"])
def test_weights_are_those_that_were_stored_up_to_half_precision(tmp_path: Path, name: str) -> None:
    heads = (name,) if name == "ec_chunks" else HEADS
    pipe: Any = initialized(make_nlp(*heads), seed=1).get_pipe(name)
    write_weights(pipe, name, tmp_path)
    write_checksums(tmp_path)
    other: Any = initialized(make_nlp(*heads), seed=2).get_pipe(name)
    expected = halved(values(pipe.model))
    assert not same(values(other.model), expected)
    assert load_weights(other.model, name, tmp_path)
    assert same(values(other.model), expected)
    assert all(array.dtype == np.float32 for array in values(other.model))


def test_the_file_holds_numbers_alone(base: Path) -> None:
    """safetensors: a JSON header, and after it as many bytes as it says."""
    for path in (base / WEIGHTS).iterdir():
        content = path.read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        header.pop("__metadata__")
        assert {tensor["dtype"] for tensor in header.values()} == {"F16"}
        ends = [tensor["data_offsets"][1] for tensor in header.values()]
        assert 8 + length + max(ends) == len(content)


def test_a_network_that_differs_keeps_its_own_weights(base: Path) -> None:
    nlp = initialized(make_nlp(*HEADS))  # no lexicon beside the encoder: other widths
    before = {name: values(nlp.get_pipe(name).model) for name in nlp.pipe_names}
    for name in nlp.pipe_names:
        pipe: Any = nlp.get_pipe(name)
        assert not load_weights(pipe.model, name, base)
    message = r"\[W004\].*tok2vec, fu_segmenter, valence_classifier, ec_tagger differs"
    with pytest.warns(ValenceECWarning, match=message):
        make_base_weights(list(COMPONENTS), str(base))(nlp)
    for name, arrays in before.items():
        assert same(values(nlp.get_pipe(name).model), arrays)


def in_layout_of_base(base: Path) -> Language:
    """A pipeline with random weights whose networks are those of the small base."""
    config = shrunk_config(base)
    config["initialize"].update(before_init=None, after_init=None)
    nlp = load_model_from_config(config, auto_fill=True)
    nlp.vocab.vectors = small_vectors(nlp)
    with nlp.select_pipes(disable=["morphologizer"]):
        nlp.initialize(lambda: examples_of(nlp))
    return nlp


def test_the_components_named_get_the_weights_of_the_base(
    small_base: SmallBase, base: Path
) -> None:
    origin = spacy.load(small_base.pipeline)
    nlp = in_layout_of_base(base)
    segmenter = values(nlp.get_pipe("fu_segmenter").model)
    # One that the pipeline lacks, or the base, is passed over.
    names = ["tok2vec", "ec_tagger", "morphologizer", "senter", "ec_candidates"]
    make_base_weights(names, str(base))(nlp)
    for name in ("tok2vec", "ec_tagger", "morphologizer"):
        expected = halved(values(origin.get_pipe(name).model))
        assert same(values(nlp.get_pipe(name).model), expected)
        assert any(array.any() for array in expected)
    assert same(values(nlp.get_pipe("fu_segmenter").model), segmenter)


def test_a_frozen_tagger_gets_its_labels_too(small_base: SmallBase, base: Path) -> None:
    origin: Any = spacy.load(small_base.pipeline).get_pipe("morphologizer")
    nlp = in_layout_of_base(base)
    tagger: Any = nlp.get_pipe("morphologizer")
    assert not tagger.labels
    make_base_weights(["morphologizer"], str(base))(nlp)
    assert list(tagger.labels) == list(origin.labels) == tagger_labels("morphologizer", base)
    assert set(tagger.labels) >= {"POS=NOUN", "POS=VERB", "POS=DET", "POS=PUNCT"}
    text = "Mia figlia ha riso tanto, la sera ho mangiato!"
    other = spacy.load(small_base.pipeline)
    assert [t.pos_ for t in nlp(text)] == [t.pos_ for t in other(text)]
    assert {t.pos_ for t in nlp(text)} == {"NOUN", "VERB", "DET", "PUNCT"}


def test_a_base_without_weights_leaves_all_as_it_is(base: Path) -> None:
    for path in (base / WEIGHTS).iterdir():
        path.unlink()
    write_checksums(base)
    nlp = initialized(make_nlp(*HEADS))
    make_base_weights(list(COMPONENTS), str(base))(nlp)  # no warning


def test_an_altered_or_missing_file_is_refused(base: Path) -> None:
    nlp = initialized(make_nlp(*HEADS))
    path = base / WEIGHTS / "tok2vec.safetensors"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(ValenceECError, match=r"\[B003\].*tok2vec"):
        make_base_weights(["tok2vec"], str(base))(nlp)
    path.unlink()
    with pytest.raises(ValenceECError, match=r"\[B002\].*tok2vec"):
        make_base_weights(["tok2vec"], str(base))(nlp)


def test_the_callback_is_registered() -> None:
    found = spacy.registry.callbacks.get("spacy_valence_ec.base_weights.v1")
    assert found is make_base_weights
