"""Encoders in 8 bits: how near they are to what was packed, and as a part of the base."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import srsly
from helpers import NARRATIVES, ROOT, Cli, annotate
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_base import SmallBase
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from thinc.api import Config
from tiny_e5 import WIDTH, save_tiny_e5

from spacy_valence_ec.base import encoders
from spacy_valence_ec.base.encoder import make_encoder
from spacy_valence_ec.base.encoders import EMBEDDED_ENCODER
from spacy_valence_ec.base.packed import (
    PACKED_WEIGHTS,
    pack_tensors,
    read_packed_encoder,
    unpack_tensors,
    write_packed_encoder,
)
from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.models.transformer_encoder import transformer_of

HEADS = ("fu_segmenter", "valence_classifier", "ec_tagger")
FINITE = st.floats(-100, 100, width=32)


@given(arrays("float32", st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=FINITE))
def test_a_value_moves_by_half_a_step_at_most(matrix: np.ndarray) -> None:
    packed = pack_tensors({"m": matrix, "v": matrix[0]})
    assert packed["m"].dtype == np.int8
    unpacked = unpack_tensors(packed)
    step = np.abs(matrix).max(axis=1, keepdims=True) / 127
    assert (np.abs(unpacked["m"] - matrix) <= 0.501 * step + 1e-30).all()
    np.testing.assert_array_equal(unpacked["v"], matrix[0])
    again = pack_tensors({"m": unpacked["m"]})
    np.testing.assert_allclose(unpack_tensors(again)["m"], unpacked["m"], rtol=1e-6, atol=1e-30)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("e5")
    files = save_tiny_e5(folder)
    make_encoder(folder / "encoder", {}, weights=files.weights, tokenizer=files.tokenizer)
    return folder / "encoder"


def composed(corpus: Path, backbone: str, base: Path | None = None) -> Config:
    config = compose_config("joint", backbone, configs=ROOT / "configs")
    config["paths"].update(train=str(corpus), dev=str(corpus), base=base and str(base))
    config["nlp"]["pipeline"].remove("morphologizer")
    del config["components"]["morphologizer"]
    config["training"]["frozen_components"] = []
    config["initialize"]["before_init"] = None
    started = config["initialize"]["after_init"]["components"]
    config["initialize"]["after_init"]["components"] = [c for c in started if c != "morphologizer"]
    return config


def test_an_encoder_is_added_to_the_base_and_begun_from(
    cli: Cli,
    source: Path,
    small_base: SmallBase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    corpus = tmp_path / "narratives.spacy"
    nlp = spacy.blank("it")
    DocBin(docs=[annotate(nlp, narrative) for narrative in NARRATIVES]).to_disk(corpus)
    trained = init_nlp(composed(corpus, str(source)).interpolate())
    for pipe in map(trained.get_pipe, HEADS):
        output: Any = pipe.model.get_ref("output_layer")  # type: ignore[attr-defined]
        output.set_param("b", np.full_like(output.get_param("b"), 0.25))
    trained.to_disk(tmp_path / "trained")
    base = shutil.copytree(small_base.folder, tmp_path / "base")
    before = srsly.read_json(base / "checksums.json")
    code, out, err = cli("base", "add-encoder", tmp_path / "trained", base)
    assert (code, err) == (0, "")
    listed = srsly.read_json(base / "checksums.json")
    assert before.items() <= listed.items()
    added = {name.removeprefix(f"{EMBEDDED_ENCODER}/") for name in set(listed) - set(before)}
    heads = {f"heads/{name}.safetensors" for name in HEADS}
    assert heads | {"config.json", "tokenizer.json", PACKED_WEIGHTS} <= added
    assert f"{len(listed)} files" in out

    # The base of the package, and another one that `paths.base` names.
    monkeypatch.setattr(encoders, "ASSETS", base)
    other = shutil.copytree(base, tmp_path / "other")
    begun = init_nlp(composed(corpus, "embedded", other).interpolate())
    assert transformer_of(begun.get_pipe("tok2vec").model).transformer.config.hidden_size == WIDTH
    text = "Ieri ho visto il mare, che bello!"
    expected, found = trained(text), begun(text)
    scale = np.abs(expected.tensor).max()
    assert np.abs(found.tensor - expected.tensor).max() < 0.05 * scale
    for name in HEADS:
        mine: Any = begun.get_pipe(name).model.get_ref("output_layer")  # type: ignore[attr-defined]
        assert (mine.get_param("b") == 0.25).all(), name

    path = other / EMBEDDED_ENCODER / PACKED_WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValenceECError, match="B003"):
        init_nlp(composed(corpus, "embedded", other).interpolate())


def test_only_a_transformer_is_added(cli: Cli, small_base: SmallBase, tmp_path: Path) -> None:
    base = shutil.copytree(small_base.folder, tmp_path / "base")
    before = {path: path.read_bytes() for path in base.rglob("*") if path.is_file()}
    code, _, err = cli("base", "add-encoder", small_base.pipeline, base)
    assert code == 1
    assert "[M003]" in err
    assert before == {path: path.read_bytes() for path in base.rglob("*") if path.is_file()}


def test_weights_of_another_network_are_refused(source: Path, tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    network, tokenizer = AutoModel.from_pretrained(source), AutoTokenizer.from_pretrained(source)
    write_packed_encoder(network, tokenizer, tmp_path / "packed")
    found = read_packed_encoder(tmp_path / "packed", {}, {})
    assert not found.transformer.training
    config = srsly.read_json(tmp_path / "packed" / "config.json")
    srsly.write_json(tmp_path / "packed" / "config.json", {**config, "num_hidden_layers": 3})
    with pytest.raises(ValenceECError, match=r"\[B009\].*encoder\.layer\.2"):
        read_packed_encoder(tmp_path / "packed", {}, {})
