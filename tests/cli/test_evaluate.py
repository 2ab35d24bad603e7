import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
from helpers import Cli, initialized, make_nlp
from rich.console import Console

from spacy_valence_ec import evaluation
from spacy_valence_ec.cli import evaluate as command
from spacy_valence_ec.cli.evaluate import DESCRIPTIONS, metrics_table
from spacy_valence_ec.corpus.docs import narratives_to_docs, write_docs
from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.first_step import Noise
from spacy_valence_ec.schema import INVALID_ATTR

# What the stand-in says, but for the last unit, whose carrier it does not know.
NARRATIVES = [
    {
        "id": "n1",
        "text": "Ieri dal medico. Via il gesso!",
        "units": [
            {"start": 0, "end": 16, "valence": "neutral"},
            {"start": 17, "end": 30, "valence": "positive"},
        ],
        "carriers": [{"start": 24, "end": 29}],
    },
    {
        "id": "n2",
        "text": "Perso il treno. Che caldo.",
        "units": [
            {"start": 0, "end": 15, "valence": "negative"},
            {"start": 16, "end": 26, "valence": "negative"},
        ],
        "carriers": [{"start": 9, "end": 14}, {"start": 20, "end": 25}],
    },
]
# Three of four units: negative 1 of 1 and 2, neutral 1 of 2 and 1, positive 1.
MACRO = (2 / 3 + 2 / 3 + 1) / 3


@pytest.fixture(autouse=True)
def _segmenter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SEGMENTER_FACTORY", "stand_in_segmenter")


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "test.jsonl", NARRATIVES)


def check(metrics: dict[str, Any]) -> None:
    assert metrics["fu_f"] == metrics["fu_boundary_f"] == 1.0
    assert metrics["valence_macro_f"] == pytest.approx(MACRO)
    assert metrics["ec_exact_p"] == 1.0
    assert metrics["ec_exact_r"] == pytest.approx(2 / 3)
    assert metrics["joint_f"] == metrics["gold_units_joint_f"] == pytest.approx(3 / 4)
    assert (metrics["n_narratives"], metrics["n_units"], metrics["n_carriers"]) == (2, 4, 3)


def test_json_where_there_is_no_terminal(cli: Cli, stand_in: Path, data: Path) -> None:
    code, out, err = cli("evaluate", stand_in, data)
    assert code == 0
    check(json.loads(out))
    assert "error" not in err
    # Only where a language model has written freely is there one more.
    assert set(json.loads(out)) == set(DESCRIPTIONS) - {INVALID_ATTR}


def test_output_file_and_table(
    cli: Cli, stand_in: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    path = tmp_path / "metrics.json"
    code, out, _ = cli("evaluate", stand_in, data, "--output", path, "--batch-size", "1")
    assert code == 0
    metrics = json.loads(path.read_text(encoding="utf-8"))
    check(metrics)
    for key in metrics:
        assert f" {key} " in out
    assert f"{MACRO:.3f}" in out


def test_a_docbin(cli: Cli, stand_in: Path, data: Path, tmp_path: Path) -> None:
    docs, _ = narratives_to_docs(read_narratives(data).narratives, spacy.blank("it"))
    write_docs(tmp_path / "test.spacy", docs)
    code, out, _ = cli("evaluate", stand_in, tmp_path / "test.spacy")
    assert code == 0
    check(json.loads(out))


def test_invalid_narratives(cli: Cli, stand_in: Path, tmp_path: Path) -> None:
    broken = {**NARRATIVES[0], "id": "n3", "units": []}
    path = write(tmp_path / "broken.jsonl", [*NARRATIVES, broken])
    output = tmp_path / "metrics.json"
    code, out, err = cli("evaluate", stand_in, path, "--output", output)
    assert (code, out) == (1, "")
    assert f"{path}:3: n3: [uncovered-text]" in err
    assert "D007" in err
    assert not output.exists()
    code, out, err = cli("evaluate", stand_in, path, "--skip-invalid")
    assert code == 0
    check(json.loads(out))
    assert "[uncovered-text]" in err
    assert "skipped 1" in err


def test_nothing_annotated(cli: Cli, stand_in: Path, tmp_path: Path) -> None:
    write_docs(tmp_path / "test.spacy", [spacy.blank("it")("Ciao.")])
    code, _, err = cli("evaluate", stand_in, tmp_path / "test.spacy")
    assert code == 1
    assert "M001" in err


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("none.jsonl", None, "M004"),
        ("none.spacy", None, "M004"),
        ("test.csv", b"a,b", "M005"),
        ("test.spacy", b"no DocBin", "V012"),
        ("test.jsonl", b"", "empty-file"),
    ],
)
def test_data_that_cannot_be_read(
    cli: Cli, stand_in: Path, tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, out, err = cli("evaluate", stand_in, tmp_path / name)
    assert (code, out) == (1, "")
    assert expected in err


def test_offsets_inside_tokens_are_counted(cli: Cli, stand_in: Path, tmp_path: Path) -> None:
    snapped = {**NARRATIVES[0], "carriers": [{"start": 25, "end": 29}]}
    code, out, err = cli("evaluate", stand_in, write(tmp_path / "in.jsonl", [snapped]))
    assert code == 0
    assert json.loads(out)["ec_exact_f"] == 1.0
    assert "W001" in err


def test_a_pipeline_that_is_not_there(cli: Cli, data: Path) -> None:
    code, _, err = cli("evaluate", "it_no_such_pipeline", data)
    assert code == 1
    assert "M002" in err


def test_an_unwritable_output_is_told_before_the_work(
    cli: Cli, stand_in: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "load_pipeline", lambda name: pytest.fail("too late"))
    code, _, err = cli("evaluate", stand_in, data, "-o", tmp_path / "no" / "metrics.json")
    assert code == 1
    assert "metrics.json" in err


def test_an_interrupted_run_leaves_the_old_output(
    cli: Cli, stand_in: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "evaluate_pipeline", interrupted)
    output = tmp_path / "metrics.json"
    output.write_text("old")
    assert cli("evaluate", stand_in, data, "-o", output)[0] != 0
    assert output.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.json", "test.jsonl"]


def test_the_table_on_a_terminal(
    cli: Cli, stand_in: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, _ = cli("evaluate", stand_in, data)
    assert code == 0
    assert "valence_macro_f" in out
    assert not out.lstrip().startswith("{")


def test_the_table_shows_what_is_not_defined_and_what_it_does_not_know() -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(metrics_table({"ec_token_f": None, "new": 0.5, "words_per_second": 1234.5}))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    rows = [line.split("│") for line in shown.splitlines() if "│" in line]
    assert [(row[2].strip(), row[3].strip()) for row in rows] == [
        ("ec_token_f", "-"),
        ("words_per_second", "1234"),
        ("new", "0.500"),
    ]


@pytest.fixture(scope="module")
def two_steps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pipelines of two steps that have learned nothing, by their second step."""
    found = {}
    for second, first in (
        ("ec_on_valence", "valence_classifier"),
        ("valence_on_carriers", "ec_tagger"),
    ):
        nlp = initialized(make_nlp("fu_segmenter", first, second))
        found[second] = tmp_path_factory.mktemp("two-steps") / second
        nlp.to_disk(found[second])
    return found


def test_noise_in_the_shape_of_the_confusions_on_another_file(
    cli: Cli,
    two_steps: dict[str, Path],
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    dev = write(tmp_path / "dev.jsonl", [{**n, "id": f"d{n['id']}"} for n in NARRATIVES])
    folder = two_steps["ec_on_valence"]
    noise = ("--first-step", "noise-confusion@0.7", "--seed", 3)
    code, out, err = cli("evaluate", folder, data, *noise, "--confusions-on", dev)
    assert code == 0, err
    nlp = spacy.load(folder)
    confusions = evaluation.valence_confusions(nlp, read_narratives(dev).narratives)
    given = Noise(0.7, 3, confusions)
    expected = evaluation.evaluate(nlp, read_narratives(data).narratives, first_step=given)
    found = json.loads(out)
    assert found.pop("words_per_second") > 0
    del expected["words_per_second"]
    assert found == expected
    # Neither of the two alone, nor where there is nothing to confuse.
    code, _, err = cli("evaluate", folder, data, *noise, "--confusions-on", data)
    assert code == 2
    assert "evaluated on" in err
    code, _, err = cli("evaluate", folder, data, "--first-step", "foo")
    assert code == 2
    assert "V024" in err
    for options in (noise, ("--confusions-on", dev)):
        code, _, err = cli("evaluate", folder, data, *options)
        assert code == 2
        assert "go together" in err
    poor = write(tmp_path / "poor.jsonl", NARRATIVES[1:])
    code, _, err = cli("evaluate", folder, data, *noise, "--confusions-on", poor)
    assert code == 1
    assert "V028" in err
    assert "neutral, positive" in err
    carriers_first = two_steps["valence_on_carriers"]
    code, _, err = cli("evaluate", carriers_first, data, *noise, "--confusions-on", dev)
    assert code == 1
    assert "V027" in err


def test_help_holds_examples(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    code, out, _ = cli("evaluate", "--help")
    assert code == 0
    assert "valence-ec evaluate it_valence_ec" in out
