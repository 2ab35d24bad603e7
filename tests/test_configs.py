"""Configs put together from a setting and a backbone."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT
from requests import Response, Session
from spacy.util import load_model_from_config
from thinc.api import Config
from transformers import AutoConfig, BertConfig

from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.lexicon import N_FEATURES

CONFIGS = ROOT / "configs"
HEADS = ["fu_segmenter", "valence_classifier", "ec_tagger"]
PIPELINE = ["tok2vec", *HEADS, "morphologizer", "ec_candidates"]


def compose(setting: str, backbone: str, **options: Any) -> Config:
    """As `spacy train` reads it from a file."""
    config = compose_config(setting, backbone, configs=CONFIGS, **options)
    return Config().from_str(config.to_str())


def check_widths(config: Config, width: int) -> None:
    assert config["backbone"]["width"] == width
    for head in HEADS:
        listener = config["components"][head]["model"]["tok2vec"]
        assert listener["width"] == width
        assert listener["upstream"] == "tok2vec"


def test_joint_on_small() -> None:
    config = compose("joint", "small", seed=5, max_epochs=3)
    check_widths(config, 96 + N_FEATURES)
    assert config["nlp"]["pipeline"] == PIPELINE
    assert config["training"]["frozen_components"] == ["morphologizer"]
    assert config["training"]["seed"] == config["system"]["seed"] == 5
    assert config["training"]["max_epochs"] == 3
    assert config["training"]["gpu_allocator"] is None
    assert compose("joint", "small")["training"]["max_epochs"] > 0
    nlp = load_model_from_config(config, auto_fill=True, validate=True)
    encoder = nlp.get_pipe("tok2vec")
    assert encoder.listening_components == HEADS
    assert encoder.model.get_dim("nO") == 96 + N_FEATURES == 104
    # All that is trained begins from the base, and so does the tagger.
    started = config["initialize"]["after_init"]["components"]
    assert sorted(started) == sorted(set(PIPELINE) - {"ec_candidates"})


def test_joint_on_embedded() -> None:
    """The encoder is named, not placed: a trained pipeline tells no path of a machine."""
    config = compose("joint", "embedded")
    check_widths(config, 384)
    model = config["components"]["tok2vec"]["model"]
    assert model["@architectures"] == "spacy_valence_ec.TransformerEncoder.v1"
    assert model["name"] == "e5-small-it"
    assert str(ROOT) not in config.to_str()
    started = config["initialize"]["after_init"]
    assert sorted(started["components"]) == sorted(set(PIPELINE) - {"ec_candidates"})
    assert started["encoder"] == "e5-small-it"
    load_model_from_config(config, auto_fill=True, validate=True)


def test_joint_on_a_network_without_a_base() -> None:
    config = compose("joint", "cnn")
    check_widths(config, 96)
    assert config["nlp"]["pipeline"] == PIPELINE
    embed = config["components"]["tok2vec"]["model"]["embed"]
    assert embed["include_static_vectors"] is False
    # But for the tagger.
    assert config["initialize"]["after_init"]["components"] == ["morphologizer"]
    nlp = load_model_from_config(config, auto_fill=True, validate=True)
    assert nlp.get_pipe("tok2vec").model.get_dim("nO") == 96


def test_the_tagger_is_the_one_that_the_base_is_made_with() -> None:
    """Its weights are laid on the network of the joint setting."""
    trained = Config().from_disk(CONFIGS / "base" / "tagger.cfg")
    joint = compose("joint", "embedded")
    model = joint["components"]["morphologizer"]["model"]
    assert model == trained["components"]["morphologizer"]["model"]


@pytest.mark.parametrize("backbone", ["embedded", "small", "cnn", "alberto"])
def test_one_path_says_where_the_base_is(backbone: str) -> None:
    config = compose_config("joint", backbone, configs=CONFIGS)
    assert config["paths"]["base"] is None
    config["paths"]["base"] = "elsewhere"
    initialize = config.interpolate()["initialize"]
    assert {initialize[name]["path"] for name in ("before_init", "after_init")} == {"elsewhere"}


@pytest.mark.parametrize(
    ("backbone", "name"),
    [
        ("alberto", "m-polignano-uniba/bert_uncased_L-12_H-768_A-12_italian_alb3rt0"),
        ("xlm-roberta", "xlm-roberta-base"),
    ],
)
def test_joint_on_a_named_transformer(backbone: str, name: str) -> None:
    """Without network: nothing is asked of the hub before training."""
    config = compose("joint", backbone, gpu_allocator="pytorch")
    check_widths(config, 768)
    model = config["components"]["tok2vec"]["model"]
    assert config["components"]["tok2vec"]["factory"] == "tok2vec"
    assert model["@architectures"] == "spacy_valence_ec.TransformerEncoder.v1"
    assert model["name"] == config["backbone"]["name"] == name
    assert model["tokenizer_config"]["use_fast"] is True
    assert 0 < model["tokenizer_config"]["model_max_length"] <= 512
    spans = model["get_spans"]
    assert spans["@span_getters"] == "spacy-transformers.strided_spans.v1"
    assert 0 < spans["stride"] < spans["window"]
    assert config["training"]["gpu_allocator"] == "pytorch"
    assert "extends" not in config


def encoder_folder(folder: Path, **fields: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **fields}))
    return folder


def test_joint_on_a_local_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder_folder(tmp_path / "mine" / "bert", hidden_size=48, num_attention_heads=4)
    monkeypatch.chdir(tmp_path)
    for name in ("mine/bert", str(tmp_path / "mine" / "bert")):
        config = compose("joint", name)
        check_widths(config, 48)
        model = config["components"]["tok2vec"]["model"]
        # Absolute: the config works from any folder.
        assert model["name"] == str(tmp_path / "mine" / "bert")


@pytest.mark.parametrize(
    ("fields", "max_length"),
    [
        ({"model_type": "bert", "max_position_embeddings": 128}, 128),
        ({"model_type": "bert", "max_position_embeddings": 4096}, 512),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "camembert", "max_position_embeddings": 130, "pad_token_id": 1}, 128),
    ],
)
def test_windows_fit_the_positions_of_the_encoder(
    tmp_path: Path, fields: dict[str, Any], max_length: int
) -> None:
    folder = encoder_folder(tmp_path / "encoder", hidden_size=32, **fields)
    model = compose("joint", str(folder))["components"]["tok2vec"]["model"]
    assert model["tokenizer_config"]["model_max_length"] == max_length
    assert model["get_spans"]["window"] == max_length // 4
    assert model["get_spans"]["stride"] < model["get_spans"]["window"]


def test_unknown_setting_and_backbones(tmp_path: Path) -> None:
    with pytest.raises(ValenceECError, match=r"C001.*'jiont'.*joint"):
        compose("jiont", "embedded")
    with pytest.raises(
        ValenceECError, match=r"C002.*'no/such/model'.*alberto, cnn, embedded, mini, small, xlm"
    ):
        compose("joint", "no/such/model")
    with pytest.raises(ValenceECError, match=r"C003.*config.json"):
        compose("joint", str(tmp_path))
    # No encoder: nothing says how wide it is.
    for content in ('{"model_type": "unheard-of"}', '{"hidden_size": 8}'):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(ValenceECError, match=r"C004.*model_type"):
            compose("joint", str(tmp_path))


def test_a_misspelt_name_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is asked once, and for a second or two, by whatever is no file and no folder."""
    asked = []

    def head(self: Session, url: str, **options: Any) -> Response:
        asked.append((url, options["timeout"]))
        raise ConnectionError("no network here")

    monkeypatch.setattr(Session, "head", head)
    monkeypatch.setattr(Session, "request", lambda *_, **__: pytest.fail("asked again"))
    with pytest.raises(ValenceECError, match=r"C002.*'embeded'.*did you mean 'embedded'\?"):
        compose("joint", "embeded")
    ((url, seconds),) = asked
    assert url.endswith("/embeded/resolve/main/config.json")
    assert seconds <= 3
    with pytest.raises(ValenceECError, match=r"C001.*did you mean 'joint'\?"):
        compose("jont", "embedded")


def test_a_hub_name_without_a_slash_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "head", lambda *_, **__: Response())
    looked_up = []

    def from_pretrained(name: str, *, local_files_only: bool) -> BertConfig:
        looked_up.append((name, local_files_only))
        return BertConfig(hidden_size=48)

    monkeypatch.setattr(AutoConfig, "from_pretrained", from_pretrained)
    check_widths(compose("joint", "bert-base-multilingual-cased"), 48)
    assert looked_up == [("bert-base-multilingual-cased", False)]


def test_generic_half_is_no_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`transformer.cfg` has no name of its own: 'transformer' can only be a folder."""
    monkeypatch.chdir(tmp_path)
    encoder_folder(tmp_path / "transformer", hidden_size=16)
    config = compose("joint", "transformer")
    check_widths(config, 16)
    assert config["backbone"]["name"] == str(tmp_path / "transformer")
