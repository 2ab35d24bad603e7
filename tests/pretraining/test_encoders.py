"""Pretrained models by name, in a pipeline."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
from helpers import (
    HOSTILE_TEXTS,
    ROOT,
    assert_same_annotation,
    assert_same_numbers,
    examples_of,
    step,
    without_base,
)
from spacy import Language
from spacy.util import load_model_from_config
from thinc.api import Adam

from spacy_valence_ec.base import encoders
from spacy_valence_ec.base.encoders import find_model, is_model_name
from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.text_view import blank_tokens

CONFIGS = ROOT / "configs"
TEXT = "Perché l'amica dell’amico … c’è 😭 🇮🇹 e po’ d’altro “così”, perché no? È lì."


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without models, and a package without."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(encoders, "ASSETS", tmp_path / "assets")
    return tmp_path


def put(folder: Path, width: int = 32) -> Path:
    folder.mkdir(parents=True)
    config = {"model_type": "bert", "hidden_size": width, "max_position_embeddings": 256}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def installed(folder: Path, name: str, code: str, value: str) -> None:
    """A package of models, as pip would leave it in `folder`."""
    package = folder / "some_models"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text(code)
    info = folder / "some_models-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some_models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[spacy_valence_ec_models]\n{name} = {value}\n")


def test_a_name_is_looked_for_in_order(empty: Path) -> None:
    with pytest.raises(ValenceECError) as error:
        compose_config("joint", "mini", configs=CONFIGS)
    assert re.search(
        r"P010.*'mini'.*project run language-model .*pretrain_config mini", str(error.value)
    )
    put(empty / "assets" / "mini", 48)
    config = compose_config("joint", "mini", configs=CONFIGS)
    assert config["backbone"]["width"] == 48
    assert config["backbone"]["name"] == "mini"
    assert find_model("mini") == empty / "assets" / "mini"
    own = put(empty / "training" / "pretrain" / "mini", 64)
    config = compose_config("joint", "mini", configs=CONFIGS).interpolate()
    assert config["backbone"]["width"] == 64
    model = config["components"]["tok2vec"]["model"]
    assert model["name"] == "mini"
    assert find_model("mini") == own
    assert model["tokenizer_config"] == {"use_fast": True, "model_max_length": 256}
    assert model["get_spans"]["window"] == 64


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("", "some_models"),
        (
            "from pathlib import Path\ndef find():\n    return Path(__file__).parent",
            "some_models:find",
        ),
    ],
    ids=["module", "function"],
)
def test_an_installed_package_of_models(
    empty: Path, monkeypatch: pytest.MonkeyPatch, code: str, value: str
) -> None:
    monkeypatch.syspath_prepend(empty)
    monkeypatch.delitem(sys.modules, "some_models", raising=False)
    assert not is_model_name("tiny-it")
    installed(empty, "tiny-it", code, value)
    assert is_model_name("tiny-it")
    with pytest.raises(ValenceECError, match=r"P011.*'tiny-it'.*config.json"):
        find_model("tiny-it")
    (empty / "some_models" / "config.json").write_bytes(
        (put(empty / "other") / "config.json").read_bytes()
    )
    config = compose_config("joint", "tiny-it", configs=CONFIGS)
    assert config["backbone"]["name"] == "tiny-it"
    assert find_model("tiny-it") == empty / "some_models"
    assert config["backbone"]["width"] == 32
    monkeypatch.delitem(sys.modules, "some_models", raising=False)


@pytest.fixture(scope="module")
def nlp(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Language:
    """A joint pipeline on the tiny encoder after some steps, saved, with the encoder's folder gone,
    and loaded. Not to be altered."""
    folder = tmp_path_factory.mktemp("joint")
    copy = folder / "encoder"
    shutil.copytree(encoder, copy)
    config = without_base(compose_config("joint", str(copy), configs=CONFIGS)).interpolate()
    nlp = load_model_from_config(config, auto_fill=True)
    nlp.initialize(lambda: examples_of(nlp))
    examples = examples_of(nlp)
    optimizer = Adam(0.001)
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    step(nlp, examples, optimizer, first)
    for _ in range(8):
        last = {}
        step(nlp, examples, optimizer, last)
    heads = set(first) - {"tok2vec"}
    assert len(heads) == 3
    assert all(last[head] < first[head] for head in heads)
    nlp.to_disk(folder / "model")
    shutil.rmtree(copy)
    loaded = spacy.load(folder / "model")
    for text in (TEXT, HOSTILE_TEXTS[4]):
        before, after = nlp(text), loaded(text)
        assert_same_numbers(before.tensor, after.tensor)
        assert_same_annotation(before, after)
    return loaded


@pytest.mark.parametrize(
    "narrative",
    [*HOSTILE_TEXTS, TEXT, "perche\u0301 \u0301 ma\u0303 \u0302 no"],
    ids=lambda text: ascii(text[:20]),
)
def test_every_token_has_pieces(nlp: Language, narrative: str) -> None:
    """All but those that are blank. Warnings are errors: one would say how many have none."""
    doc = nlp(narrative)
    words = np.flatnonzero(~blank_tokens(doc)).tolist()
    assert not [i for i in words if not doc.tensor[i].any()]
