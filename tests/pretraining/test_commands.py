"""`valence-ec pretrain-text` and `valence-ec pretrain`: results, messages and exit codes."""

import json
import os
import shutil
from pathlib import Path

import pytest
from helpers import ROOT, Cli
from small_texts import FORBIDDEN, PLACES, write

CONFIGS = ("--configs", ROOT / "configs")

not_root = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere"
)


@pytest.mark.parametrize("command", ["pretrain-text", "pretrain"])
def test_help_holds_an_example(cli: Cli, command: str) -> None:
    code, out, err = cli(command, "--help")
    assert (code, err) == (0, "")
    assert f"Example: valence-ec {command} " in out


def test_from_sources_to_a_model(cli: Cli, sources: Path, narratives: Path, tmp_path: Path) -> None:
    text, model = tmp_path / "new" / "text", tmp_path / "new" / "models" / "tiny"
    options = ("--setting", "tiny", "--narratives", narratives, *CONFIGS)
    code, out, err = cli("pretrain-text", sources, text, *options)
    assert (code, err) == (0, "")
    rows = [line.split("│")[1:-1] for line in out.splitlines() if line.startswith("│")]
    counts = json.loads((text / "counts.json").read_text())
    assert [row[0].strip() for row in rows] == [*counts["sources"], "total"]
    assert rows[-1][3].strip() == f"{counts['total']['train']['words']:,}"
    assert "CC BY-SA 4.0" in out

    code, out, err = cli("pretrain", "tiny", text, model, "--stop-after", 0, *CONFIGS)
    assert (code, out) == (0, "Stopped at a checkpoint: the same command goes on.\n")
    assert err.startswith("step 5: loss ")
    code, out, err = cli("pretrain", "tiny", text, model, *CONFIGS)
    assert code == 0
    assert [line.split(":")[0] for line in err.splitlines()] == [
        f"step {step}" for step in (10, 15, 20, 25, 30)
    ]
    assert out.startswith(f"{model}: ")
    assert "held-out perplexity" in out
    assert {path.name for path in model.iterdir()} >= {
        *("README.md", "log.json", "config.json", "model.safetensors", "tokenizer.json")
    }
    code, out, err = cli("compose", "joint", tmp_path / "x.cfg", "--backbone", model, *CONFIGS)
    assert (code, err) == (0, "")
    code, out, err = cli("compose", "joint", tmp_path / "x.cfg", "--backbone", "mini-gp", *CONFIGS)
    assert code == 1
    assert "[C002] 'mini-gp'" in err


def test_what_is_wrong_is_named_and_nothing_is_written(
    cli: Cli, sources: Path, narratives: Path, text: Path, tmp_path: Path
) -> None:
    incomplete, configs, empty = (tmp_path / name for name in ("some", "configs", "empty"))
    shutil.copytree(sources, incomplete)
    shutil.rmtree(incomplete / "xed_it")
    shutil.copytree(ROOT / "configs" / "pretraining", configs / "pretraining")
    with (configs / "pretraining" / "tiny.cfg").open("a") as handle:
        handle.write("stepz = 3\n")
    empty.mkdir()
    file = tmp_path / "file"
    file.touch()
    before = sorted(tmp_path.rglob("*"))
    prepare = ("pretrain-text", sources, tmp_path / "out", "--narratives", narratives)
    train = ("pretrain", "tiny", text, tmp_path / "out")
    for args, expected, message in (
        ((*prepare, "--setting", "none", *CONFIGS), 1, "[P001] No pretraining setting 'none'"),
        ((*prepare, "--setting", "tiny", "--configs", configs), 1, "[P002]"),
        (("pretrain-text", incomplete, *prepare[2:], *CONFIGS), 1, "[B001]"),
        ((*prepare[:4], tmp_path / "none.jsonl", *CONFIGS), 1, "[M004]"),
        (("pretrain-text", sources, file / "x", *prepare[3:], *CONFIGS), 1, str(file)),
        (
            ("pretrain-text", tmp_path / "none", *prepare[2:], *CONFIGS),
            2,
            "Usage: valence-ec pretrain",
        ),
        (("pretrain-text", sources), 2, "Usage: valence-ec pretrain-text"),
        ((*train, "--configs", configs), 1, "unknown field 'stepz' in [training]"),
        (("pretrain", "tiny", empty, tmp_path / "out", *CONFIGS), 1, "[P005]"),
        (("pretrain", "tiny", text, file, *CONFIGS), 1, f"{file}: Not a directory"),
        (("pretrain", "tiny", text, file / "x", *CONFIGS), 1, str(file)),
        ((*train, "--gpu", 99, *CONFIGS), 1, "[P007] There is no GPU 99"),
        ((*train, "--stop-after", -1, *CONFIGS), 2, "--stop-after"),
        ((*train, "--configs", tmp_path / "none"), 2, "Usage: valence-ec pretrain"),
    ):
        code, out, err = cli(*args)
        assert (code, out) == (expected, ""), args
        assert message in err, args
        assert "unexpected" not in err
        assert not any(secret in err for secret in (FORBIDDEN, *PLACES))
        assert sorted(tmp_path.rglob("*")) == before, args


def test_an_empty_source(cli: Cli, sources: Path, narratives: Path, tmp_path: Path) -> None:
    """A source without text is none that is missing: the others are enough."""
    copy = tmp_path / "sources"
    shutil.copytree(sources, copy)
    write(copy / "common_voice_it/server/data/it/frasi.txt")
    options = ("--setting", "tiny", "--narratives", narratives, *CONFIGS)
    assert cli("pretrain-text", copy, tmp_path / "out", *options)[0] == 0
    counts = json.loads((tmp_path / "out" / "counts.json").read_text())
    assert counts["sources"]["common_voice"]["train"]["documents"] == 0


@not_root
def test_a_folder_that_cannot_be_written(cli: Cli, text: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    try:
        code, out, err = cli("pretrain", "tiny", text, folder / "tiny", *CONFIGS)
    finally:
        folder.chmod(0o700)
    assert (code, out) == (1, "")
    assert "Permission denied" in err
    # Before the training, and not after it.
    assert "step" not in err
