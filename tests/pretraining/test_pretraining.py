"""The loop: it learns, goes on where it was interrupted, and writes what others can load."""

import json
import math
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from small_texts import settings_of
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.pretraining.card import render_card
from spacy_valence_ec.pretraining.checkpoints import checkpoint_folder
from spacy_valence_ec.pretraining.settings import NARRATIVES, Settings
from spacy_valence_ec.pretraining.text import read_text
from spacy_valence_ec.pretraining.training import Trainer, learning_rate, pretrain

BOTH = pytest.mark.parametrize("name", ["tiny", "tiny-gpt"])


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "model.safetensors"))


def assert_same_weights(first: Path, second: Path) -> None:
    ours, theirs = weights(first), weights(second)
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        assert torch.equal(values, theirs[name]), name


def short(name: str, **training: Any) -> Settings:
    """A run of eight steps over both lengths, with dropout, in two passes a step."""
    fields = {"steps": 8, "warmup_steps": 2, "log_every": 1, "eval_every": 4, **training}
    return settings_of(
        name, model={"dropout": 0.2}, training={"checkpoint_every": 3, "seed": 3, **fields}
    )


@BOTH
def test_a_run_that_was_interrupted_ends_like_one_that_was_not(
    name: str, text: Path, tmp_path: Path
) -> None:
    settings = short(name)
    whole = pretrain(settings, text, tmp_path / "whole")

    def interrupt(step: int, _: object) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(settings, text, tmp_path / "parts", on_step=interrupt)
    checkpoint = checkpoint_folder(tmp_path / "parts")
    assert json.loads((checkpoint / "state.json").read_text())["step"] == 3
    assert not (tmp_path / "parts").exists()
    steps: list[int] = []
    # Stopped at once, with a checkpoint; then to the end.
    stopped = pretrain(
        settings,
        text,
        tmp_path / "parts",
        stop_after=0.0,
        on_step=lambda step, _: steps.append(step),
    )
    assert stopped is None
    log = pretrain(settings, text, tmp_path / "parts", on_step=lambda step, _: steps.append(step))
    assert steps == [4, 5, 6, 7, 8]
    assert_same_weights(tmp_path / "parts", tmp_path / "whole")
    assert log is not None
    assert whole is not None
    assert [line["loss"] for line in log["curve"]] == [line["loss"] for line in whole["curve"]]
    assert log["dev"] == whole["dev"]
    assert log["final"] == whole["final"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts", "whole"]


def test_the_seed_decides(text: Path, tmp_path: Path) -> None:
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        pretrain(short("tiny", seed=seed), text, tmp_path / folder)
    assert_same_weights(tmp_path / "a", tmp_path / "b")
    with pytest.raises(AssertionError):
        assert_same_weights(tmp_path / "a", tmp_path / "c")


@BOTH
def test_the_passes_of_a_step_add_up(name: str, text: Path) -> None:
    from spacy_valence_ec.pretraining.tokenizer import train_tokenizer

    found = read_text(text)
    losses, updated = [], []
    for pieces in (256, 512):
        settings = settings_of(name, training={"pieces_per_pass": pieces})
        tokenizer = train_tokenizer((document for _, document in found.train), settings)
        trainer = Trainer(settings, found, tokenizer, torch.device("cpu"))
        losses.append(float(trainer.step(0)))
        updated.append(torch.cat([p.detach().ravel() for p in trainer.model.parameters()]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    # Rounding differs, and the first step of Adam is a whole one where the gradient is all noise.
    assert ((updated[0] - updated[1]).abs() < 1e-5).float().mean() > 0.98


@BOTH
def test_a_little_text_is_learned_by_heart(name: str, text: Path) -> None:
    from spacy_valence_ec.pretraining.tokenizer import train_tokenizer

    found = read_text(text)
    few = [pair for pair in found.train if pair[0] == "twittiro"]
    settings = settings_of(
        name,
        model={"hidden_size": 64},
        packing={"lengths": [32, 128], "shares": [99.0, 1.0]},
        training={"steps": 200, "warmup_steps": 10, "learning_rate": 0.003, "weight_decay": 0.0},
    )
    tokenizer = train_tokenizer((document for _, document in found.train), settings)
    small = type(found)(few, few * 8, found.counts)
    trainer = Trainer(settings, small, tokenizer, torch.device("cpu"))
    before = trainer.evaluate(32)
    first = float(trainer.step(0))
    # A model that knows nothing: each piece is as good as another.
    assert first == pytest.approx(math.log(400), rel=0.05)
    for step in range(1, 150):
        last = float(trainer.step(step))
    assert last < 0.35 * first
    # A masked name of a place cannot always be known from the rest: not all are right.
    after = trainer.evaluate(32)
    assert after["accuracy"] > 0.4 > 0.1 > before["accuracy"]
    assert after["perplexity"] == pytest.approx(math.exp(after["loss"]))


def test_the_rate_rises_and_falls() -> None:
    settings = settings_of("tiny", training={"steps": 100, "warmup_steps": 10}).training
    rates = [learning_rate(step, settings) for step in range(100)]
    assert 0 < rates[0] < rates[9] < max(rates) == rates[10] == settings.learning_rate
    assert np.all(np.diff(rates[10:]) < 0)
    assert rates[-1] == pytest.approx(settings.last_learning_rate)


def test_what_is_written_loads_offline_as_standard_classes(
    pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    is_encoder = pretrained.name == "tiny"
    with safe_open(pretrained / "model.safetensors", framework="pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    config = json.loads((pretrained / "config.json").read_text())
    assert config["torch_dtype"] == "float16"
    assert "auto_map" not in config  # no code of ours is needed
    tokenizer = AutoTokenizer.from_pretrained(pretrained, local_files_only=True)
    body = AutoModel.from_pretrained(pretrained, local_files_only=True)
    assert type(body).__name__ == ("BertModel" if is_encoder else "GPT2Model")
    states = body(**tokenizer("Perché l'autobus?", return_tensors="pt")).last_hidden_state
    assert states.shape[-1] == 32
    assert states.isfinite().all()
    assert len(tokenizer) == config["vocab_size"] == 400
    with_head = AutoModelForMaskedLM if is_encoder else AutoModelForCausalLM
    model, info = with_head.from_pretrained(
        pretrained, local_files_only=True, output_loading_info=True
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    # What the log says is true of the weights that are given away.
    if not is_encoder:
        assert model.config.eos_token_id == tokenizer.eos_token_id == 0


def test_a_model_of_narratives_alone_has_a_card(text: Path, tmp_path: Path) -> None:
    settings = short("tiny-gpt", steps=3, eval_every=3)
    repeats = dict.fromkeys(settings.text.repeats, 0) | {NARRATIVES: 1}
    alone = replace(settings, text=replace(settings.text, repeats=repeats))
    log = pretrain(alone, text, tmp_path / "model")
    assert log is not None
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    assert "license: cc-by-4.0\n" in card
    assert f"| {NARRATIVES} | CC BY 4.0 |" in card
    data = card.split("## Data")[1].split("## ")[0]
    assert "eltec" not in data  # of which the held-out part may still be measured on
    assert "novels" not in card


def test_the_log_and_the_card_say_what_was_done(pretrained: Path, text: Path) -> None:
    log = json.loads((pretrained / "log.json").read_text())
    counts = json.loads((text / "counts.json").read_text())
    assert log["data_sha256"] == counts["sha256"]
    assert [line["step"] for line in log["curve"]] == [5, 10, 15, 20, 25, 30]
    assert log["curve"][-1]["loss"] < log["curve"][0]["loss"]
    assert [line["step"] for line in log["dev"]] == [10, 20]
    assert log["seconds"] >= log["curve"][0]["seconds"] > 0
    assert log["bytes"] == (pretrained / "model.safetensors").stat().st_size
    assert set(log["final"]["by_source"]) == set(counts["sources"])
    assert set(log["environment"]) == {"revision", "python", "libraries", "hardware"}

    card = (pretrained / "README.md").read_text("utf-8")
    assert card == render_card(pretrained.name, counts, log)
    assert card.startswith("---\nlanguage: it\nlicense: cc-by-sa-4.0\n")
    for name, source in counts["sources"].items():
        row = next(line for line in card.splitlines() if line.startswith(f"| {name} |"))
        assert f"| {source['license']} | {source['train']['documents']} " in row
    assert f"| all | {log['final']['loss']:.3f} | {log['final']['perplexity']:.2f} " in card
    assert f"| 30 | 128 | {log['curve'][-1]['loss']:.3f} |" in card
    assert not [line for line in card.splitlines() if line.endswith(" ")]


def test_a_checkpoint_of_another_run_is_not_gone_on_with(text: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    assert pretrain(short("tiny"), text, output, stop_after=0.0) is None
    with pytest.raises(ValenceECError, match=r"P006.*model.checkpoint.*--restart"):
        pretrain(short("tiny", learning_rate=0.002), text, output)
    assert pretrain(short("tiny", steps=3, eval_every=3), text, output, restart=True)
    assert not checkpoint_folder(output).exists()


class Attack:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "harm")


@pytest.mark.parametrize(
    "file", ["state.json", "model.safetensors", "optimizer.pt", "tokenizer/tokenizer.json"]
)
def test_a_broken_checkpoint_is_refused_and_runs_no_code(
    file: str, text: Path, tmp_path: Path
) -> None:
    output, harm = tmp_path / "model", tmp_path / "harm"
    settings = short("tiny")
    pretrain(settings, text, output, stop_after=0.0)
    path = checkpoint_folder(output) / file
    if file == "optimizer.pt":
        torch.save({"state": Attack(harm)}, path)
        with pytest.raises(pickle.UnpicklingError):
            torch.load(path, weights_only=True)
    else:
        path.write_bytes(b"{")
    with pytest.raises(ValenceECError, match=r"P012.*model.checkpoint"):
        pretrain(settings, text, output)
    assert not harm.exists()


def test_what_is_there_stays_when_a_run_fails(text: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    output.mkdir()
    (output / "old").write_text("old")
    settings = short("tiny", learning_rate=1e30, last_learning_rate=1e30)
    with pytest.raises(ValenceECError, match=r"P009.*at step"):
        pretrain(settings, text, output)
    assert [path.name for path in output.iterdir()] == ["old"]
    with pytest.raises(ValenceECError, match="P007"):
        pretrain(settings, text, output, gpu=99)
    shutil.rmtree(output)
    output.write_text("a file")
    with pytest.raises(NotADirectoryError):
        pretrain(settings, text, output)
