"""`spacy train` on a composed config, and its pipeline where there is nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
import torch
from helpers import NARRATIVES, ROOT, annotate
from spacy.cli.package import package
from spacy.cli.train import train
from spacy.tokens import DocBin
from spacy.util import load_model_from_config
from thinc.api import Config
from tiny_gpt import SETTINGS, language_model, save_geppetto_like, shrunk_generative, tagger

from spacy_valence_ec.base import encoders
from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.evaluation import evaluate
from spacy_valence_ec.finalize import finalize_pipeline

CONFIGS = ROOT / "configs"
TEXTS = [text for text, _ in NARRATIVES if text.strip()] + ["", "Che bello! Poi ho pianto."]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp = spacy.blank("it")
    path = tmp_path_factory.mktemp("corpus") / "narratives.spacy"
    DocBin(docs=[annotate(nlp, narrative) for narrative in NARRATIVES]).to_disk(path)
    return path


@pytest.fixture(scope="module")
def trained_folder(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `spacy train` wrote, in a folder with its log; the model it started from is gone."""
    folder = tmp_path_factory.mktemp("training")
    source = save_geppetto_like(folder / "source", resid_pdrop=0.5)
    config = shrunk_generative(source)
    config["paths"].update(train=str(corpus), dev=str(corpus))
    config["training"].update(max_steps=60, eval_frequency=20, accumulate_gradient=2)
    config["backbone"]["learn_rate_scale"] = 0.5
    rate = config["training"]["optimizer"]["learn_rate"]
    rate.update(warmup_steps=5, initial_rate=0.02)
    config["training"]["logger"]["progress_bar"] = None
    config["training"]["logger"]["output_file"] = str(folder / "log.jsonl")
    config.to_disk(folder / "train.cfg")
    train(folder / "train.cfg", folder / "model")
    shutil.rmtree(source)
    return folder


def test_training_lowers_the_loss_and_is_scored(trained_folder: Path) -> None:
    log = list(srsly.read_jsonl(trained_folder / "log.jsonl"))
    losses = [entry["losses"]["generative_tagger"] for entry in log]
    assert losses[-1] < losses[1] / 2
    nlp = spacy.load(trained_folder / "model" / "model-last")
    assert nlp.meta["performance"]["e2e_valence_macro_f"] > 0.6
    assert nlp.meta["performance"]["ec_token_f"] > 0.6
    assert "invalid_answers" in nlp.meta["performance"]


def test_evaluation_is_that_of_other_pipelines(trained_folder: Path) -> None:
    nlp = spacy.load(trained_folder / "model" / "model-last")
    metrics = evaluate(nlp, [annotate(nlp, narrative) for narrative in NARRATIVES])
    assert metrics["valence_macro_f"] > 0.6
    assert metrics["ec_macro_f"] > 0.6
    assert metrics["gold_units_joint_f"] is not None


def test_the_package_works_alone_and_in_workers(trained_folder: Path, tmp_path: Path) -> None:
    model = shutil.copytree(trained_folder / "model" / "model-last", tmp_path / "model")
    assert finalize_pipeline(model, {"license": "MIT"}) > 0
    package(model, tmp_path, name="generative", create_sdist=False)
    packaged = tmp_path / "it_generative-0.0.0"
    shutil.copy(packaged / "meta.json", packaged / "it_generative")  # as its setup.py does
    script = Path(__file__).with_name("use_generative.py")
    results = tmp_path / "results.json"
    arguments = [packaged, trained_folder / "source", results, *TEXTS]
    done = subprocess.run(
        [sys.executable, script, *map(str, arguments)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        start_new_session=True,  # it ends itself, with its workers, where they hang
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(results.read_text("utf-8"))
    assert len(found["alone"]) == len(TEXTS)
    assert any(doc["carriers"] for doc in found["alone"])
    for way in ("fork", "spawn"):
        for doc, same in zip(found[way], found["alone"], strict=True):
            for key, value in same.items():
                if key in ("scores", "judged_scores", "arc"):
                    torch.testing.assert_close(
                        torch.tensor(doc[key]), torch.tensor(value), atol=1e-5, rtol=0
                    )
                else:
                    assert doc[key] == value


def test_dropout_is_that_of_the_training(trained_folder: Path) -> None:
    nlp = spacy.load(trained_folder / "model" / "model-last")
    nlp.get_pipe("generative_tagger").update([], drop=0.25)
    model = language_model(nlp)
    rates = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.25}


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_composes(setting: str, geppetto_like: Path) -> None:
    config = shrunk_generative(geppetto_like, f"generative-{setting}", seed=4)
    config = Config().from_str(config.to_str())
    component = config["components"]["generative_tagger"]
    assert component["setting"] == setting
    assert component["model"]["name"] == str(geppetto_like)
    assert config["training"]["seed"] == 4
    assert config["training"]["optimizer"]["learn_rate"]["@schedules"].endswith("warmup_linear.v1")
    weights = config["training"]["score_weights"]
    assert ("ec" in setting or setting == "joint") == (weights["ec_token_f"] is not None)
    assert (setting != "single-ec") == (weights["e2e_valence_macro_f"] is not None)
    nlp = load_model_from_config(config, auto_fill=True, validate=True)
    assert nlp.pipe_names == ["tok2vec", "fu_segmenter", "ec_candidates", "generative_tagger"]


def test_templates_of_the_config_are_those_of_the_component(geppetto_like: Path) -> None:
    """They stand there so that they can be changed."""
    nlp = spacy.blank("it")
    nlp.add_pipe("generative_tagger")
    default = nlp.get_pipe_config("generative_tagger")
    config = shrunk_generative(geppetto_like)["components"]["generative_tagger"]
    for key in ("words", "suggester", "threshold", "decoding", "loss_on"):
        assert config[key] == default[key], key
    assert config["templates"].keys() == default["templates"].keys()
    for step, template in config["templates"].items():
        assert template.items() <= default["templates"][step].items(), step


def test_the_tagger_runs_in_training_too() -> None:
    config = compose_config("generative-joint", "geppetto", configs=CONFIGS)
    assert config["training"]["frozen_components"] == ["morphologizer"]
    assert config["training"]["annotating_components"] == ["morphologizer", "ec_candidates"]
    model = config.interpolate()["components"]["generative_tagger"]["model"]
    assert model["name"] == "LorenzoDeMattei/GePpeTto"
    assert "extends" not in config


@pytest.mark.parametrize(("name", "scale"), [("mini-gpt", 0.6), ("small-gpt", 1.0)])
def test_a_decoder_is_found_by_its_name(
    name: str, scale: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(encoders, "ASSETS", tmp_path / "assets")
    with pytest.raises(ValenceECError, match=rf"P010.*'{name}'"):
        compose_config("generative-joint", name, configs=CONFIGS)
    own = save_geppetto_like(tmp_path / "training" / "pretrain" / name)
    config = compose_config("generative-joint", name, configs=CONFIGS).interpolate()
    model = config["components"]["generative_tagger"]["model"]
    assert model["name"] == str(own)
    assert model["learn_rate_scale"] == config["backbone"]["learn_rate_scale"] == scale


def bert(folder: Path) -> Path:
    folder.mkdir()
    config: dict[str, Any] = {"model_type": "bert", "hidden_size": 32}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_backbones_of_the_other_kind(tmp_path: Path) -> None:
    for setting, backbone in (
        ("generative-joint", "embedded"),
        ("generative-single-ec", "alberto"),
        ("joint", "geppetto"),
        ("joint", "mini-gpt"),
    ):
        with pytest.raises(ValenceECError, match=rf"C007.*'{setting}'.*'{backbone}'"):
            compose_config(setting, backbone, configs=CONFIGS)
    with pytest.raises(ValenceECError, match=r"G004.*bert"):
        compose_config("generative-joint", str(bert(tmp_path / "bert")), configs=CONFIGS)
    with pytest.raises(ValenceECError, match=r"C003.*config\.json"):
        compose_config("generative-joint", str(tmp_path), configs=CONFIGS)
    with pytest.raises(
        ValenceECError, match=r"C002.*'no/such'.*of geppetto, mini-gpt, small-gpt, nor"
    ):
        compose_config("generative-joint", "no/such", configs=CONFIGS)


def test_the_folder_of_a_component_is_whole_or_refused(
    trained_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(trained_folder / "model" / "model-last", tmp_path / "model")
    weights = folder / "generative_tagger" / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ValenceECError, match=r"G007"):
        spacy.load(folder)
    weights.unlink()
    with pytest.raises(ValenceECError, match=r"G007"):
        spacy.load(folder)


def test_bytes_name_no_other_files(trained_folder: Path) -> None:
    nlp = spacy.load(trained_folder / "model" / "model-last")
    shim = tagger(nlp).model.shims[0]
    files = srsly.msgpack_loads(shim.to_bytes())
    files["../../escaped"] = b"harm"
    files["pytorch_model.bin"] = b"harm"
    shim.from_bytes(srsly.msgpack_dumps(files))
    assert language_model(nlp).config.model_type == "gpt2"
