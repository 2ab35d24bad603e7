import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from helpers import Cli
from spacy.tokens import DocBin

from spacy_valence_ec.corpus import docs
from spacy_valence_ec.corpus.jsonl import read_narratives, write_narratives
from spacy_valence_ec.schema import Narrative, Offsets, Unit

COMMANDS = ("validate", "corpus", "convert", "stats")
OUTPUTS = [f"{part}.{suffix}" for part in ("dev", "test", "train") for suffix in ("jsonl", "spacy")]


def some(n: int = 12) -> list[Narrative]:
    text = "Ieri ha piovuto. L'autobus perso, che rabbia!"
    return [
        Narrative(
            id=f"n{i}",
            text=text,
            units=(Unit(0, 16, "neutral"), Unit(17, 45, "negative")),
            carriers=(Offsets(17, 32),),
            candidates=(Offsets(17, 26), Offsets(38, 44)),
            narrator=f"s{i // 2}",
            extra={"mood": i, "tags": ["a"]},
        )
        for i in range(n)
    ]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    write_narratives(path, some())
    return path


@pytest.fixture
def broken(data: Path) -> Path:
    with data.open("a") as handle:
        handle.write('{"id": "n0", "text": "segreto"}\n{"id": "last", "segreto\n')
    return data


@pytest.mark.parametrize("command", COMMANDS)
def test_help_holds_an_example(cli: Cli, command: str) -> None:
    code, out, err = cli(command, "--help")
    assert code == 0
    assert f"Example: valence-ec {command} " in out
    assert err == ""


def test_validate_lists_every_problem_of_every_file(cli: Cli, broken: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    code, out, err = cli("validate", broken, tmp_path / "none.jsonl", empty)
    assert code == 1
    assert err.splitlines() == [
        f"{broken}:13: n0: [id-duplicate] also the id of line 1",
        f"{broken}:13: n0: [units-missing] there is no 'units'",
        f"{broken}:13: n0: [carriers-missing] there is no 'carriers'",
        f"{broken}:14: -: [json] not JSON: Unterminated string starting at at offset 15 "
        "of the line",
        f"error: {tmp_path}/none.jsonl: No such file or directory",
        f"{empty}:0: -: [empty-file] there is no narrative",
    ]
    assert out.splitlines() == [
        f"{broken}: 12 valid narratives, 4 problems",
        f"{empty}: 0 valid narratives, 1 problems",
    ]


def test_corpus_writes_the_parts_in_both_formats(cli: Cli, data: Path, tmp_path: Path) -> None:
    with data.open("a") as handle:
        handle.write('{"id":"c","text":"","units":[],"carriers":[],"set":"challenge"}\n')
    output = tmp_path / "new" / "corpus"
    code, out, err = cli("corpus", data, output, "--seed", 3)
    assert code == 0
    assert sorted(os.listdir(output)) == OUTPUTS
    rows = {line.split()[1]: line.split() for line in out.splitlines() if "%" in line}
    read = []
    for part in ("train", "dev", "test"):
        narratives = read_narratives(output / f"{part}.jsonl").narratives
        stored = DocBin().from_disk(output / f"{part}.spacy")
        made = list(stored.get_docs(spacy.blank("it").vocab))
        assert [docs.doc_to_narrative(doc, default_id="") for doc in made] == narratives
        assert [span.label_ for doc in made[:1] for span in doc.spans["ec_candidates"]] == [
            "EC",
            "",
        ]
        n = len(narratives)
        assert rows[part][3:12:2] == [f"{n}", f"{n // 2}", f"{n * 2}", "50.0%", "50.0%"]
        read += narratives
    assert sorted(n.id for n in read) == sorted(n.id for n in some())
    assert err == "1 narratives of the challenge set were left out.\n"

    before = {name: (output / name).read_bytes() for name in OUTPUTS}
    assert cli("corpus", data, output, "--seed", 3)[0] == 0
    assert {name: (output / name).read_bytes() for name in OUTPUTS} == before


def test_corpus_goes_on_without_invalid_lines_only_when_told_to(
    cli: Cli, broken: Path, tmp_path: Path
) -> None:
    output = tmp_path / "corpus"
    code, out, err = cli("corpus", broken, output)
    assert (code, out, output.exists()) == (1, "", False)
    assert err.count("n0: [") == 3
    assert "error: [D007] 4 problems in" in err
    assert "segreto" not in err

    code, _, err = cli("corpus", broken, output, "--skip-invalid")
    assert (code, sorted(os.listdir(output))) == (0, OUTPUTS)
    assert err.count("n0: [") == 3
    assert f"skipped 2 lines of {broken}: 13 (n0), 14\n" in err

    broken.write_text("{\n")
    code, _, err = cli("corpus", broken, output, "--skip-invalid")
    assert code == 1
    assert "error: [D008]" in err


def test_annotation_inside_tokens_is_told_once(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    units = (Unit(0, 2, "neutral"), Unit(2, 4, "neutral"), Unit(4, 9, "neutral"))
    write_narratives(
        path, [Narrative(f"n{i}", "casa mia.", units, narrator=f"s{i}") for i in range(7)]
    )
    code, _, err = cli("corpus", path, tmp_path / "corpus")
    assert code == 0
    assert err.count("warning: [W001] 14 of 42 offsets") == 1
    assert err.count("warning: [W003] 7 annotated spans of 'fu'") == 1
    assert err.count("and 2 more") == 2


def test_narratives_without_narrator_are_told(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    write_narratives(path, [*some(), replace(some()[0], id="anonymous", narrator=None)])
    code, _, err = cli("corpus", path, tmp_path / "parts")
    assert code == 0
    assert err.count("[W021] 1 of 13 narratives have no field `narrator`") == 1


def test_convert_there_and_back_keeps_everything(cli: Cli, data: Path, tmp_path: Path) -> None:
    assert cli("convert", data, tmp_path / "a.spacy")[:2] == (0, "")
    assert cli("convert", tmp_path / "a.spacy", tmp_path / "b.jsonl")[:2] == (0, "")
    assert (tmp_path / "b.jsonl").read_bytes() == data.read_bytes()


def test_convert_keeps_the_scores_of_a_prediction(cli: Cli, tmp_path: Path) -> None:
    doc, _ = docs.narrative_to_doc(some(1)[0], spacy.blank("it"))
    doc.spans["fu"].attrs["scores"] = np.full((2, 3), 0.25)
    plain = spacy.blank("it")("Piove.")
    docs.write_docs(tmp_path / "a.spacy", [doc, plain])
    assert cli("convert", tmp_path / "a.spacy", tmp_path / "b.jsonl")[0] == 0
    first, second = map(json.loads, (tmp_path / "b.jsonl").read_text().splitlines())
    assert first["units"][0]["scores"] == {"negative": 0.25, "neutral": 0.25, "positive": 0.25}
    assert first["mood"] == 0
    assert second == {"id": "doc-2", "lang": "it", "text": "Piove."}


def test_stats_as_a_table_and_as_json(cli: Cli, data: Path) -> None:
    code, out, err = cli("stats", data)
    assert (code, err) == (0, "")
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    assert ["units", "24", "4,273"] in cells
    assert ["non-neutral units", "50.0%", "40%"] in cells
    assert ["units with a carrier", "50.0%", "18.5%"] in cells
    assert ["words per unit", "4.0 (3, 4, 5)", ""] in cells
    assert "Haldane-Anscombe" in out
    code, out, _ = cli("stats", data, "--json")
    assert json.loads(out)["narrators"] == 6


def test_wrong_usage(cli: Cli, data: Path, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes(data.read_bytes())
    before = sorted(os.listdir(tmp_path))
    for args in (
        ["convert", data, tmp_path / "b.jsonl"],
        ["convert", data, tmp_path / "b.spacy", "--lang", "zz"],
        ["corpus", data, tmp_path, "--seed", "-1"],
        ["corpus", tmp_path / "train.jsonl", tmp_path],  # its input is one of its outputs
        ["stats"],
    ):
        code, out, err = cli(*args)
        assert (code, out) == (2, "")
        assert err
    assert sorted(os.listdir(tmp_path)) == before


def test_what_cannot_be_read_or_written_is_named(cli: Cli, data: Path, tmp_path: Path) -> None:
    none = tmp_path / "none.jsonl"
    no_docbin = tmp_path / "no.spacy"
    no_docbin.write_text("no DocBin")
    before = sorted(os.listdir(tmp_path))
    for args, named in (
        (["stats", none], none),
        (["corpus", none, tmp_path / "out"], none),
        (["corpus", data, data], data),
        (["corpus", data, data / "out"], data / "out"),
        (["convert", none, tmp_path / "b.spacy"], none),
        (["convert", tmp_path / "none.spacy", none], tmp_path / "none.spacy"),
        (["convert", no_docbin, none], no_docbin),
        (["convert", data, tmp_path / "no" / "b.spacy"], tmp_path / "no" / "b.spacy"),
    ):
        code, out, err = cli(*args)
        assert (code, out) == (1, "")
        assert err.startswith("error: ")
        assert str(named) in err
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("calls", [0, 2])
def test_an_interrupted_run_leaves_the_old_outputs_and_nothing_else(
    cli: Cli, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    output = tmp_path / "corpus"
    output.mkdir()
    for name in OUTPUTS:
        (output / name).write_text("old")
    original = docs.docs_to_bytes
    left = [original] * calls

    def interrupted(some_docs: Any) -> bytes:
        if left:
            return left.pop()(some_docs)
        raise KeyboardInterrupt

    monkeypatch.setattr(docs, "docs_to_bytes", interrupted)
    code, out, _ = cli("corpus", data, output)
    assert code not in (0, 2)
    assert out == ""
    assert sorted(os.listdir(output)) == OUTPUTS
    assert {(output / name).read_text() for name in OUTPUTS} == {"old"}


def test_the_installed_entry_point(broken: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "spacy_valence_ec", "validate", broken],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 4)
    assert done.stdout == f"{broken}: 12 valid narratives, 4 problems\n"
