import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import torch
from helpers import Cli
from huggingface_hub import constants

from spacy_valence_ec.cli import doctor
from spacy_valence_ec.cli.doctor import (
    HUB_NAMES,
    Status,
    check_backbone,
    check_gpu,
    check_model,
    check_package,
    check_tokenizer,
)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A hub of names, a cache of (name, file), and what was asked for."""
    state: dict[str, Any] = {"names": set(), "cache": set(), "asked": []}

    def from_cache(name: str, file: str) -> str | None:
        return "/cache/" + file if (name, file) in state["cache"] else None

    def model_info(name: str, timeout: float) -> None:
        state["asked"].append(name)
        if name not in state["names"]:
            raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", from_cache)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: SimpleNamespace(model_info=model_info))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return state


def test_all_is_well(cli: Cli, stand_in: Path, hub: dict[str, Any]) -> None:
    code, out, err = cli("doctor", "--model", stand_in)
    assert (code, err) == (0, "")
    for name in ("python", "spacy", "spacy-transformers", "transformers", "torch", "thinc"):
        assert f" {name} " in out
    assert "spacy_valence_ec" in out
    assert "'positive'" in out
    assert "'gesso'" in out
    assert hub["asked"] == []


def test_a_missing_pipeline_is_a_note_unless_it_was_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "is_installed", lambda name: False)
    code, out, _ = cli("doctor")
    assert code == 0
    assert "python -m spacy project run all" in out
    assert cli("doctor", "--model", "it_no_such_pipeline")[0] == 1


def test_a_pipeline_that_does_not_load_fails(cli: Cli, tmp_path: Path) -> None:
    code, out, _ = cli("doctor", "--model", tmp_path)
    assert code == 1
    assert "M003" in out


def test_a_pipeline_that_does_not_run_fails(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> Callable[[str], None]:
        def run(text: str) -> None:
            raise RuntimeError("no weights")

        return run

    monkeypatch.setattr(doctor, "load_pipeline", broken)
    check = check_model(str(stand_in))
    assert check.status is Status.FAIL
    assert "no weights" in check.detail


def test_a_missing_package_fails() -> None:
    assert check_package("no-such-package-at-all").status is Status.FAIL
    assert check_package("spacy").status is Status.OK


def test_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert check_gpu().status is Status.NOTE
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "A GPU")
    assert check_gpu().detail == "A GPU"

    def broken() -> bool:
        raise OSError("libcuda")

    monkeypatch.setattr(torch.cuda, "is_available", broken)
    assert check_gpu().status is Status.FAIL


def test_the_tokenizer_works() -> None:
    assert check_tokenizer().status is Status.OK


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        (["config.json", "vocab.txt"], []),
        (["config.json", "tokenizer.json"], []),
        (["config.json", "vocab.json", "merges.txt"], []),
        (["config.json", "vocab.json"], ["tokenizer"]),
        (["vocab.txt"], ["config.json"]),
        ([], ["config.json", "tokenizer"]),
    ],
)
def test_a_folder_as_backbone(tmp_path: Path, files: list[str], missing: list[str]) -> None:
    for file in files:
        (tmp_path / file).write_text(json.dumps({}))
    check = check_backbone(str(tmp_path))
    assert check.status is (Status.FAIL if missing else Status.OK)
    assert all(name in check.detail for name in missing)


def test_a_folder_that_is_not_there(cli: Cli, stand_in: Path, tmp_path: Path) -> None:
    code, out, _ = cli("doctor", "-m", stand_in, "--backbone", tmp_path / "none")
    assert code == 1
    assert "no such folder" in out


def test_a_backbone_of_the_hub(hub: dict[str, Any]) -> None:
    alberto = HUB_NAMES["alberto"]
    check = check_backbone("alberto")
    assert check.status is Status.FAIL
    assert alberto in check.detail
    assert "not in the local cache" in check.detail
    assert "ConnectionError" in check.detail
    assert hub["asked"] == [alberto]

    hub["names"] = {alberto}
    assert check_backbone("alberto").status is Status.OK

    hub["asked"].clear()
    hub["cache"] = {(alberto, "config.json")}  # settings without weights are no model
    assert check_backbone("alberto").status is Status.OK
    assert hub["asked"] == [alberto]

    hub["asked"].clear()
    hub["cache"] |= {(alberto, "pytorch_model.bin")}
    check = check_backbone("alberto")
    assert check.status is Status.OK
    assert "in the local cache" in check.detail
    assert hub["asked"] == []


def test_an_offline_hub_is_not_asked(hub: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    check = check_backbone("xlm-roberta")
    assert check.status is Status.FAIL
    assert "HF_HUB_OFFLINE" in check.detail
    assert hub["asked"] == []


def test_what_can_be_no_name_of_the_hub() -> None:
    check = check_backbone("not a name//at all")
    assert check.status is Status.FAIL
    assert "neither a folder nor a name" in check.detail


def test_a_misspelt_backbone_gets_a_suggestion(hub: dict[str, Any]) -> None:
    assert "(did you mean 'alberto'?)" in check_backbone("albreto").detail
    assert "did you mean" not in check_backbone("alberto").detail
    assert "did you mean" not in check_backbone("someone/some-model").detail


@pytest.mark.parametrize("name", ["embedded", "small", "cnn"])
def test_a_backbone_of_the_package_is_not_looked_for(hub: dict[str, Any], name: str) -> None:
    assert check_backbone(name).status is Status.OK
    assert hub["asked"] == []


def test_help_holds_examples(cli: Cli) -> None:
    code, out, _ = cli("doctor", "--help")
    assert code == 0
    assert "valence-ec doctor --backbone alberto" in out
