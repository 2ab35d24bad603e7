import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy
from helpers import Cli
from rich.console import Console

from spacy_valence_ec.cli import analyze as command
from spacy_valence_ec.cli.inputs import Reader
from spacy_valence_ec.cli.terminal import escape_controls, print_table
from spacy_valence_ec.corpus.docs import doc_to_record
from spacy_valence_ec.journal import Journal
from spacy_valence_ec.schema import ResultNames

TEXT = "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!"


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def records(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_a_text(cli: Cli, stand_in: Path) -> None:
    code, out, err = cli("analyze", TEXT, "--model", stand_in)
    assert (code, err) == (0, "")
    (record,) = records(out)
    assert record["id"] == "text-1"
    assert record["text"] == TEXT
    assert [(unit["start"], unit["end"], unit["valence"]) for unit in record["units"]] == [
        (0, 28, "neutral"),
        (29, 64, "positive"),
    ]
    assert record["units"][1]["scores"] == {"negative": 0.1, "neutral": 0.1, "positive": 0.8}
    assert record["carriers"] == [{"start": 58, "end": 63, "score": 0.9}]
    assert record["valence"] == "positive"
    assert record["valence_score"] == pytest.approx(0.35)


def test_texts_and_files_keep_their_order(cli: Cli, stand_in: Path, tmp_path: Path) -> None:
    (tmp_path / "uno.txt").write_bytes("\ufeffPerché?\r\nNon so.".encode())
    lines = [{"text": "Due."}, {"id": "x", "text": "Tre.", "mood": [1, None], "narrator": "s1"}]
    (tmp_path / "due.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    code, out, _ = cli(
        "analyze", "Zero.", tmp_path / "uno.txt", tmp_path / "due.jsonl", "Fine.", "-m", stand_in
    )
    assert code == 0
    found = records(out)
    assert [record["text"] for record in found] == [
        "Zero.",
        "Perché?\r\nNon so.",
        "Due.",
        "Tre.",
        "Fine.",
    ]
    assert [record["id"] for record in found] == [
        "text-1",
        str(tmp_path / "uno.txt"),
        "line-1",
        "x",
        "text-2",
    ]
    assert found[3].items() >= lines[1].items()


def test_fields_of_the_input_are_kept(cli: Cli, stand_in: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    mine = {"id": "a", "text": "Ciao.", "units": "mine", "valence_score": 4}
    path.write_text(json.dumps(mine) + '\n{"text": "Ok."}')
    code, out, err = cli("analyze", path, "-m", stand_in)
    assert code == 0
    assert "predicted_units, predicted_valence" in err
    first, second = records(out)
    assert first.items() >= mine.items()
    assert first["predicted_units"][0]["valence"] == "neutral"
    assert "valence" not in first
    assert second["predicted_carriers"] == []  # all narratives have the same fields

    # Results that are there already are not replaced either, unless told.
    again = tmp_path / "again.jsonl"
    again.write_text(out)
    code, out, err = cli("analyze", again, "-m", stand_in)
    assert (code, out) == (1, "")
    assert "T012" in err
    code, out, _ = cli("analyze", again, "-m", stand_in, "--prefix", "second_")
    assert code == 0
    assert records(out)[0].items() >= first.items()
    assert records(out)[0]["second_valence"] == "neutral"
    code, out, err = cli("analyze", path, "-m", stand_in, "--overwrite")
    assert (code, err) == (0, "")
    assert records(out)[0]["units"][0]["valence"] == "neutral"
    assert records(out)[0]["valence_score"] == 0
    assert cli("analyze", path, "-m", stand_in, "--prefix", "=1")[0] == 1


def test_a_line_with_an_empty_text_has_no_result_yet(
    cli: Cli, stand_in: Path, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"id": "a", "text": " "}\n{"id": "b", "text": "Ciao."}')
    code, out, err = cli("analyze", path, "-m", stand_in)
    assert (code, err) == (0, "")
    assert [record["valence"] for record in records(out)] == ["neutral", "neutral"]


def test_broken_lines_are_reported_and_the_others_go_on(
    cli: Cli, stand_in: Path, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"text": "Uno."}\n{"text": \n{"id": "n3"}\n\xff\n{"text": "Due."}\n')
    code, out, err = cli("analyze", path, "-m", stand_in)
    assert code == 1
    assert [record["text"] for record in records(out)] == ["Uno.", "Due."]
    reports = err.splitlines()
    assert [line.split("[")[0] for line in reports] == [
        f"{path}:2: -: ",
        f"{path}:3: n3: ",
        f"{path}:4: -: ",
    ]
    assert "[text-missing]" in reports[1]
    assert "[utf-8]" in reports[2]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("in.txt", b"abc \xff", "M006"),
        ("in.doc", b"abc", "M005"),
        ("in.jsonl", b"", "empty-file"),
    ],
)
def test_a_file_that_cannot_be_read_costs_no_other(
    cli: Cli, stand_in: Path, tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    code, out, err = cli("analyze", tmp_path / name, "Ciao.", "-m", stand_in)
    assert code == 1
    assert expected in err
    assert name in err
    assert [record["text"] for record in records(out)] == ["Ciao."]


def test_a_missing_file_is_an_error_and_no_text(
    cli: Cli, stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("none.txt", "none.JSONL"):
        code, out, err = cli("analyze", tmp_path / name, "-m", stand_in)
        assert (code, out) == (1, "")
        assert "M004" in err
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    code, _, err = cli("analyze", "folder", "-m", stand_in)
    assert code == 1
    assert "M015" in err
    # So is what has a suffix or a separator, and no white space.
    for name in ("risposte.csv", "none.md", "data/diari", "..\\diari"):
        code, out, err = cli("analyze", name, "Ciao.", "-m", stand_in)
        assert code == 1
        assert f"{name}: no such file" in err
        assert [record["text"] for record in records(out)] == ["Ciao."]
    # Too long for a file name, several words, one word, said to be a text: texts.
    texts = ["ciao " * 1000, "Il file risposte.doc", "Basta...", "sì/no?!"]
    code, out, _ = cli("analyze", *texts[:3], "--text", texts[3], "-t", "a.csv", "-m", stand_in)
    assert code == 0
    assert [record["text"] for record in records(out)] == [*texts, "a.csv"]
    assert [record["id"] for record in records(out)] == [f"text-{i}" for i in range(1, 6)]


@pytest.mark.parametrize("args", [(), ("-",)])
def test_standard_input(
    cli: Cli, stand_in: Path, stdin: Callable[[bytes], None], args: tuple[str, ...]
) -> None:
    stdin("È finita.\nDavvero.".encode())
    code, out, _ = cli("analyze", *args, "-m", stand_in)
    assert code == 0
    (record,) = records(out)
    assert record["id"] == "<stdin>"
    assert record["text"] == "È finita.\nDavvero."


def test_json_lines_on_standard_input(
    cli: Cli, stand_in: Path, stdin: Callable[[bytes], None]
) -> None:
    stdin(b'{"id": "a", "text": "Uno."}\nno\n')
    code, out, err = cli("analyze", "--stdin-format", "jsonl", "-m", stand_in)
    assert code == 1
    assert [record["id"] for record in records(out)] == ["a"]
    assert err.startswith("<stdin>:2: -: [json]")


def test_nothing_given_on_a_terminal_is_wrong_usage(
    cli: Cli, stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    code, out, err = cli("analyze", "-m", stand_in)
    assert (code, out) == (2, "")
    assert "pipe" in err


@pytest.mark.parametrize("args", [("--format", "xml"), ("--batch-size", "0"), ("--no-such",)])
def test_wrong_usage(cli: Cli, args: tuple[str, ...]) -> None:
    assert cli("analyze", "ciao", *args)[0] == 2


def test_hostile_texts_come_back_whole(cli: Cli, stand_in: Path, tmp_path: Path) -> None:
    texts = ["", " \n ", "a\x00b\x1b[31m", "\u202egnissa\u202c", "🇮🇹 e\u0301", "x\u2028y", "\ud83d"]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    code, out, err = cli("analyze", path, "-m", stand_in)
    assert code == 1
    assert "lone-surrogate" in err  # no UTF-8 text holds the last one
    assert [json.loads(line)["text"] for line in out.split("\n")[:-1]] == texts[:-1]


def test_an_argument_that_is_not_utf8(
    cli: Cli, stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = cli("analyze", os.fsdecode(b"caff\xe8"), "-m", stand_in)
    assert (code, out) == (1, "")
    assert "M006" in err


def test_a_text_past_the_limit_of_spacy(
    cli: Cli, stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = command.load_pipeline

    def limited(name: str) -> spacy.Language:
        nlp = load(name)
        nlp.max_length = 5
        return nlp

    monkeypatch.setattr(command, "load_pipeline", limited)
    assert cli("analyze", TEXT, "-m", stand_in)[0] == 0


def test_output_file(cli: Cli, stand_in: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    code, out, err = cli("analyze", "È bello.", "Ciao.", "-m", stand_in, "--output", path)
    assert (code, out) == (0, "")
    assert err == f"{path}: 2 narratives, 2 units, 0 carriers.\n"
    assert [r["text"] for r in records(path.read_text(encoding="utf-8"))] == ["È bello.", "Ciao."]
    assert os.listdir(tmp_path) == ["out.jsonl"]
    code, out, _ = cli("analyze", TEXT, "-m", stand_in, "-o", path, "-f", "table")
    assert (code, out) == (0, "")
    assert "il [gesso]!" in path.read_text(encoding="utf-8")
    assert "\x1b" not in path.read_text(encoding="utf-8")


def test_an_output_that_cannot_be_written(cli: Cli, stand_in: Path, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "out.jsonl"):
        code, out, err = cli("analyze", "Ciao.", "-m", stand_in, "-o", path)
        assert (code, out) == (1, "")
        assert str(path) in err


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("ciao segreto")])
def test_an_interrupted_run_resumes(
    cli: Cli,
    stand_in: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    path, part = tmp_path / "out.jsonl", tmp_path / "out.jsonl.part"
    path.write_text("old")
    results = command.Run.results

    def interrupted(run: Any, n_done: int = 0) -> Iterator[dict[str, Any]]:
        yield next(results(run, n_done))
        raise error

    monkeypatch.delenv("VALENCE_EC_DEBUG", raising=False)
    with monkeypatch.context() as patch:
        patch.setattr(command.Run, "results", interrupted)
        code, out, err = cli("analyze", "Uno.", "Due.", "-m", stand_in, "-o", path)
    assert code != 0
    assert path.read_text() == "old"
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    assert "1 of 2 narratives are kept" in err
    assert "segreto" not in out + err

    # A line that a power cut left half does no harm.
    with part.open("a") as handle:
        handle.write('{"id": "text-2", "te')
    code, _, err = cli("analyze", "Uno.", "Due.", "-m", stand_in, "-o", path)
    assert code == 0
    assert "1 of 2 narratives were done: resuming." in err
    assert [record["text"] for record in records(path.read_text())] == ["Uno.", "Due."]
    assert os.listdir(tmp_path) == ["out.jsonl"]


def test_what_is_kept_of_another_run_is_not_taken(cli: Cli, stand_in: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with Journal(path, "other") as journal:
        journal.append({"text": "Altro."})
    code, _, err = cli("analyze", "Uno.", "-m", stand_in, "-o", path)
    assert code == 0
    assert "resuming" not in err
    assert [record["text"] for record in records(path.read_text())] == ["Uno."]


def test_a_pipeline_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli("analyze", "Ciao.", "--model", "it_no_such_pipeline")
    assert (code, out) == (1, "")
    assert "M002" in err
    assert "pip install -c constraints.txt -e . && python -m spacy project run all" in err
    code, _, err = cli("analyze", "Ciao.", "--model", tmp_path)
    assert code == 1
    assert "M003" in err


def test_the_table_says_the_same_without_color(cli: Cli, stand_in: Path, wide: None) -> None:
    code, out, _ = cli("analyze", TEXT, "Perso il treno.", "-m", stand_in, "--format", "table")
    assert code == 0
    assert "\x1b" not in out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "text-1: + positive (+0.35)" in lines
    assert "1 · neutral 0.80 Ieri sono andata dal medico." in lines
    assert "2 + positive 0.80 Finalmente mi hanno tolto il [gesso]!" in lines
    assert "text-2: − negative (-0.70)" in lines
    assert "1 − negative 0.80 Perso il [treno]." in lines


def test_the_table_of_texts_without_units(cli: Cli, stand_in: Path) -> None:
    code, out, _ = cli("analyze", "", "-m", stand_in, "-f", "table")
    assert code == 0
    assert out.split() == ["text-1:", "·", "neutral", "(+0.00)"]


def test_the_table_of_a_document_that_nothing_annotated() -> None:
    console = Console(file=io.StringIO(), width=80)
    print_table({"id": "[red]n1", "text": "Ciao."}, console, ResultNames())
    assert console.file.getvalue().split() == ["[red]n1:", "?"]  # type: ignore[attr-defined]


def test_markup_and_control_characters_do_not_steer_the_terminal(
    cli: Cli, stand_in: Path, wide: None, tmp_path: Path
) -> None:
    text = "[bold] il gesso [/bold] \x1b[31m\x07 \u202eabc\u202c :smile: [/x]\n fine\x85"
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"id": "a\x1b[2J", "text": text}))
    code, out, _ = cli("analyze", path, "-m", stand_in, "-f", "table")
    assert code == 0
    assert r"a\x1b[2J:" in out
    assert r"[bold] il [gesso] [/bold] \x1b[31m\x07 \u202eabc\u202c :smile: [/x]  fine\x85" in out


def test_escaping_keeps_what_is_harmless() -> None:
    for text in ("perché 😀", "👩‍👩‍👧", "🇮🇹", "e\u0301", "שלום", "a\u200bb"):
        assert escape_controls(text) == text
    assert escape_controls("a\r\n\tb\x00\u2028\u2066") == r"a   b\x00\u2028\u2066"


def test_a_terminal_without_utf8(stand_in: Path) -> None:
    console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"), width=80)
    doc = spacy.load(stand_in)("Perso il treno. Ok.")
    print_table(doc_to_record(doc, {"id": "n1"}), console, ResultNames())
    console.file.flush()
    shown = console.file.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert "n1: - negative (-0.35)" in shown
    assert ". neutral" in shown


def test_the_reader_counts_texts() -> None:
    reader = Reader()
    assert [r["id"] for text in ("a", "b") for r in reader.read(text)] == ["text-1", "text-2"]
    assert not reader.failed


def on_a_terminal(code: str) -> str:
    """What a program writes to the terminal that is its standard input, output and error."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    settings = {"TERM": "xterm-256color", "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment | settings,
    ) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:  # the program has closed it
                break
            if not chunk:
                break
            written += chunk
    os.close(ours)
    assert process.returncode == 0, written.decode()
    return written.decode()


def test_on_a_terminal(stand_in: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    shown = on_a_terminal(
        f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import stand_in  # the stand-in components
from spacy_valence_ec.cli import run
sys.argv = ['valence-ec', 'analyze', {TEXT!r}, '-m', {str(stand_in)!r}]
try:
    run()
except SystemExit as stop:
    assert not stop.code
print('BETWEEN', flush=True)
os.dup2(os.open({str(out)!r}, os.O_WRONLY | os.O_CREAT), 1)
run()
"""
    )
    table, bar = shown.split("BETWEEN")
    assert "\x1b[32m" in table  # green
    assert "gesso" in table
    assert "%" not in table  # a bar would break into it
    assert records(out.read_text(encoding="utf-8"))[0]["valence"] == "positive"
    assert "analyze" in bar
    assert "%" in bar


def test_help_holds_examples(cli: Cli, wide: None) -> None:
    code, out, _ = cli("analyze", "--help")
    assert code == 0
    assert "valence-ec analyze narratives.jsonl --output analyzed.jsonl" in out
