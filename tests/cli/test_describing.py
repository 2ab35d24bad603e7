"""Whose a pipeline is: `check-project`, `finalize --narratives`, `describe`."""

import json
from pathlib import Path

import pytest
from helpers import ROOT, Cli
from spacy import Language

from spacy_valence_ec.finalize import choose_fields, describe_licenses

META = json.loads((ROOT / "configs" / "meta.json").read_text("utf-8"))
OURS = META["author"]


def test_of_other_narratives_only_what_the_base_obliges_to_is_taken() -> None:
    fields = choose_fields(META, "my_narratives.jsonl")
    assert {fields[key] for key in ("author", "license", "url")} == {""}
    assert "trained jointly" not in fields["description"]
    names = [source["name"] for source in fields["sources"]]
    assert [name for name in names if "multilingual-e5-small" in name]
    assert [name for name in names if "polarity lexicon" in name]
    assert not [name for name in names if name.startswith("Narratives")]
    assert all(set(source) == {"name", "license", "author"} for source in fields["sources"])


def test_of_the_corpus_all_is_taken() -> None:
    fields = choose_fields(META, "corpus/../corpus/narratives.jsonl")
    assert fields == choose_fields(META, None)
    assert fields["author"] == OURS
    assert len(fields["sources"]) == len(META["sources"])
    assert "narratives" not in fields


def test_the_notice_of_the_encoder_goes_with_its_weights() -> None:
    sources = choose_fields(META, "mine.jsonl")["sources"]
    assert "Permission is hereby granted" in describe_licenses(sources, 'name = "e5-small-it"')
    text = describe_licenses(sources, 'name = "my-bert"')
    assert "Permission is hereby granted" not in text
    assert "CC BY-SA 4.0 sources" in text


def test_a_pipeline_of_the_user_is_signed_by_the_user(
    cli: Cli, trained: Language, tmp_path: Path
) -> None:
    model, described = tmp_path / "model", tmp_path / "described"
    trained.to_disk(model)
    meta = ("--meta", ROOT / "configs" / "meta.json", "--narratives", tmp_path / "mine.jsonl")
    code, _, err = cli("finalize", model, *meta)
    assert code == 0, err
    code, _, err = cli("describe", model, described, "--author", "Clinica d'Ivrea", "--license", "")
    assert code == 0
    assert "no license is set" in err
    assert "author" not in err
    found = json.loads((described / "meta.json").read_text("utf-8"))
    assert (found["author"], found["license"]) == ("Clinica d'Ivrea", "")
    own = [key for key in found if key != "sources" and OURS in json.dumps(found[key])]
    assert own == []
    assert "CC BY 4.0" in (described / "LICENSES_SOURCES").read_text("utf-8")
    assert json.loads((model / "meta.json").read_text("utf-8"))["author"] == ""


def test_a_folder_is_of_one_pipeline(cli: Cli, tmp_path: Path) -> None:
    for _ in range(2):
        code, _, err = cli("check-project", "clinic", "--folder", tmp_path / "one")
        assert code == 0, err
    code, _, err = cli("check-project", "school", "--folder", tmp_path / "one")
    assert code == 1
    assert "'clinic'" in err
    assert "[C010]" in err
    code, _, _ = cli("check-project", "school", "--folder", tmp_path / "other")
    assert code == 0


def test_a_backbone_out_of_reach_is_told_in_one_line_and_nothing_is_made(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    code, out, err = cli(
        *("check-project", "clinic", "--folder", tmp_path / "one", "--backbone", "alberto")
    )
    assert (code, out) == (1, "")
    assert err.startswith("error: [C009] The backbone 'alberto' cannot be had. m-polignano-uniba/")
    assert err.count("\n") == 1
    assert not (tmp_path / "one").exists()
