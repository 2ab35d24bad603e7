"""A setting is checked before anything is done with it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT
from small_texts import settings_of

from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.pretraining.models import build_model
from spacy_valence_ec.pretraining.packing import Separators
from spacy_valence_ec.pretraining.settings import NARRATIVES, check_settings, read_settings

CONFIGS = ROOT / "configs"
NAMES = ["mini", "mini-gpt", "small-gpt", "tiny", "tiny-gpt"]


def test_every_file_is_valid() -> None:
    assert sorted(path.stem for path in (CONFIGS / "pretraining").glob("*.cfg")) == NAMES
    found = [read_settings(name, CONFIGS) for name in NAMES]
    assert len({settings.fingerprint for settings in found}) == len(NAMES)
    assert read_settings("mini", CONFIGS) == found[0]


@pytest.mark.parametrize("name", ["mini", "mini-gpt"])
def test_what_is_shipped_is_small_enough(name: str) -> None:
    settings = read_settings(name, CONFIGS)
    model = build_model(settings, Separators(2, 3, 0))
    n = sum(parameter.numel() for parameter in model.parameters())
    assert 10e6 < n <= 20e6
    assert 2 * n <= 40e6  # bytes in half precision
    assert settings.model.positions >= 256


def test_the_small_decoder_needs_no_public_source() -> None:
    settings = read_settings("small-gpt", CONFIGS)
    assert {name for name, n in settings.text.repeats.items() if n} == {NARRATIVES}
    model = build_model(settings, Separators(2, 3, 0))
    assert 1e6 < sum(parameter.numel() for parameter in model.parameters()) < 3e6


def test_unknown_setting() -> None:
    with pytest.raises(ValenceECError, match=r"P001.*'minni'.*mini, mini-gpt, small-gpt, tiny"):
        read_settings("minni", CONFIGS)


@pytest.mark.parametrize(
    ("section", "fields", "why"),
    [
        ("training", {"stepz": 3}, r"unknown field 'stepz' in \[training\]; known: .*steps"),
        ("training", {"steps": "many"}, "training.steps must be of type int"),
        ("training", {"steps": True}, "training.steps must be of type int"),
        ("training", {"steps": 0}, "training.steps must be 1 at least"),
        ("training", {"warmup_steps": 30}, "warmup_steps must be"),
        ("training", {"pieces_per_pass": 64}, "pieces_per_pass must be"),
        ("training", {"checkpoint_every": 7}, "multiple of training.log_every"),
        ("training", {"learning_rate": 0.0}, "learning_rate must"),
        ("text", {"repeats": {"eltec": 1}}, r"\[text.repeats\] must have a number for each"),
        ("text", {"dev_share": 1.0}, "dev_share"),
        ("model", {"type": "t5"}, "model.type must be bert or gpt2"),
        ("model", {"heads": 3}, "multiple of model.heads"),
        ("model", {"positions": 64}, "model.positions"),
        ("packing", {"lengths": []}, "packing.lengths"),
        ("packing", {"lengths": [32, 64, 128]}, "of the same length"),
        ("masking", {"first_rate": 0.1}, "masking.first_rate"),
        ("masking", {"masked": 0.95}, "sum of 1"),
        ("masking", {"mean_span": 0.5}, "mean_span"),
    ],
)
def test_a_wrong_value_is_named(section: str, fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValenceECError, match=rf"P002\] tiny.cfg: .*{why}"):
        settings_of("tiny", **{section: fields})


def test_sections_are_all_there_and_no_others() -> None:
    values = asdict(settings_of("tiny"))
    path = Path("mine.cfg")
    with pytest.raises(ValenceECError, match=r"P002\] mine.cfg: unknown section \[optimizer\]"):
        check_settings({**values, "optimizer": {}}, path)
    for name in ("text", "model", "training"):
        with pytest.raises(ValenceECError, match=rf"section \[{name}\] is missing"):
            check_settings({key: value for key, value in values.items() if key != name}, path)
    del values["model"]["layers"]
    with pytest.raises(ValenceECError, match="the field 'layers' is missing in"):
        check_settings(values, path)
    with pytest.raises(ValenceECError, match=r"\[masking\] is for model.type 'bert' only"):
        settings_of("tiny-gpt", masking=asdict(settings_of("tiny"))["masking"])


def test_a_file_that_is_no_config(tmp_path: Path) -> None:
    (tmp_path / "pretraining").mkdir()
    (tmp_path / "pretraining" / "bad.cfg").write_text("steps = 3\n[text\n")
    with pytest.raises(ValenceECError, match=r"P002.*bad.cfg"):
        read_settings("bad", tmp_path)
