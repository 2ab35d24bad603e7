"""What the command line makes of input that is not as it should be: a clear error or a sensible
result, nothing lost, no traceback, and no word of a narrative on standard error.

The rules of the format, one by one, are in `corpus/test_jsonl.py`; each command in `cli/`.
"""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import HOSTILE_TEXTS, Cli
from spacy import Language

from spacy_valence_ec.corpus.jsonl import read_narratives

SECRET = "zanzibar"  # in every text: no message may hold it
TEXT = f"Ieri ho visto {SECRET}. Che gioia!"  # of 33 characters; units at 0-23 and 24-33
FULL = Path("/dev/full")

needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")


@pytest.fixture
def cli(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """The shared one. Whatever it is given, there is neither a traceback nor a word of a narrative
    on standard error, and no temporary file is left."""
    monkeypatch.delenv("VALENCE_EC_DEBUG", raising=False)

    def call(*args: object) -> tuple[int, str, str]:
        code, out, err = cli(*args)
        assert "unexpected" not in err
        assert SECRET not in err
        assert leftovers(tmp_path) == []
        return code, out, err

    return call


@pytest.fixture(scope="module")
def model(trained: Language, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad-input") / "model"
    trained.to_disk(folder)
    return folder


def leftovers(folder: Path) -> list[Path]:
    return [*folder.rglob(".valence-ec-*"), *folder.rglob("*.part")]


def gold(**changes: object) -> dict[str, Any]:
    """A valid narrative, changed."""
    record = {
        "id": "n1",
        "narrator": "s1",
        "text": TEXT,
        "units": [
            {"start": 0, "end": 23, "valence": "neutral"},
            {"start": 24, "end": 34, "valence": "positive"},
        ],
        "carriers": [{"start": 28, "end": 33}],
        "mood": SECRET,
    }
    return record | changes


def units(*offsets: tuple[int, int], valence: str = "positive") -> list[dict[str, Any]]:
    return [{"start": start, "end": end, "valence": valence} for start, end in offsets]


# --- texts

LONG = f"Ieri sono andata dal medico, poi {SECRET} e la sera ero stanca ma felice. " * 3000
UNUSUAL_TEXTS = [
    *HOSTILE_TEXTS,
    LONG[:200_000],
    "a" * 200_000,  # one token
    "e" + "\u0301" * 10_000,
    "🎉" * 500 + "🇮🇹" * 500,
    "\r\n" * 10_000 + "fine",
    "\ufeff\ufeffdue segni",
    "\x1c\x1d\x1e\x1f \x0b\x0c\u2028\u2029 separatori",
]


@pytest.fixture(scope="module")
def text_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("texts")
    paths = [folder / f"{i}.txt" for i in range(len(UNUSUAL_TEXTS))]
    for path, text in zip(paths, UNUSUAL_TEXTS, strict=True):
        path.write_bytes(text.encode())
    return paths


def test_unusual_texts_are_among_them() -> None:
    assert len(LONG[:200_000]) == 200_000
    assert any(len(text.split()) >= 3000 and not set(text) & set(".,!?") for text in HOSTILE_TEXTS)
    for part in ("\x00", "\r\n", "\u200b", "🇮🇹", "e\u0300", "ש", "\u202e", "\x1b"):
        assert any(part in text for text in UNUSUAL_TEXTS), part


def test_every_text_is_analyzed_and_none_of_it_lost(
    cli: Cli, model: Path, text_files: list[Path], tmp_path: Path
) -> None:
    code, out, err = cli("analyze", *text_files, "--model", model)
    assert (code, err) == (0, "")
    records = [json.loads(line) for line in out.removesuffix("\n").split("\n")]
    texts = [text.removeprefix("\ufeff") for text in UNUSUAL_TEXTS]  # the byte-order mark
    for text, path, record in zip(texts, text_files, records, strict=True):
        assert record["id"] == str(path)
        assert record["text"] == text
        covered = 0
        for unit in record["units"]:
            assert not text[covered : unit["start"]].strip()
            assert unit["start"] < unit["end"]
            assert unit["valence"] in ("negative", "neutral", "positive")
            assert sum(unit["scores"].values()) == pytest.approx(1.0, abs=1e-3)
            covered = unit["end"]
        assert not text[covered:].strip()
        bounds = [(unit["start"], unit["end"]) for unit in record["units"]]
        for carrier in record["carriers"]:
            assert any(start <= carrier["start"] < carrier["end"] <= end for start, end in bounds)
        assert record["valence"] in ("negative", "neutral", "positive", "mixed")
        assert -1.0 <= record["valence_score"] <= 1.0
        if not text.strip():
            assert (record["units"], record["valence"]) == ([], "neutral")

    # The same from JSON Lines as Windows writes them, and as a table.
    path = tmp_path / "in.jsonl"
    lines = [
        json.dumps({"id": str(file), "text": text}, ensure_ascii=i % 2 == 0)
        for i, (file, text) in enumerate(zip(text_files, texts, strict=True))
    ]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    output = tmp_path / "out.jsonl"
    code, out, err = cli("analyze", path, "--model", model, "-o", output)
    assert (code, out) == (0, "")
    assert err.startswith(f"{output}: ")
    found = [json.loads(line) for line in output.read_text("utf-8").split("\n")[:-1]]
    assert list(map(units_of, found)) == list(map(units_of, records))
    code, out, err = cli("analyze", path, "--model", model, "--format", "table")
    assert (code, err) == (0, "")
    assert out.count("functional unit") == sum(bool(text.strip()) for text in texts)
    assert not set(out) & set("\x00\x07\x1b\x7f\x85\u202e")


def units_of(record: dict[str, Any]) -> tuple[object, ...]:
    """What was found, without the probabilities: these depend a little on the batch."""
    found = [(unit["start"], unit["end"], unit["valence"]) for unit in record["units"]]
    carriers = [(carrier["start"], carrier["end"]) for carrier in record["carriers"]]
    return record["id"], record["text"], found, carriers


def test_nul_and_line_ends_on_standard_input(
    cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offsets count what was sent, character for character."""
    text = "riga uno\r\nri\x00ga due\r\n\x1a fine"
    # As Python opens it, which would make every line end "\n".
    stream = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="ascii")
    monkeypatch.setattr(sys, "stdin", stream)
    code, out, err = cli("analyze", "--model", model)
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert record["text"] == text
    assert record["units"][-1]["end"] == len(text)


# --- files of narratives

NO_UTF8 = json.dumps(gold(id="n2")).encode().replace(SECRET.encode(), SECRET.encode() + b"\xe8", 1)
BROKEN: dict[str, tuple[bytes, str]] = {
    "a broken line": (b'{"id": "n2", "text": "' + SECRET.encode() + b'", ', "json"),
    "half a string": (b'{"id": "n2", "text": "' + SECRET.encode(), "json"),
    "a non-UTF-8 byte": (NO_UTF8, "utf-8"),
    "a duplicate id": (json.dumps(gold()).encode(), "id-duplicate"),
    "overlapping units": (
        json.dumps(gold(id="n2", units=units((0, 25), (24, 34)), carriers=[])).encode(),
        "unit-overlap",
    ),
    "a carrier across units": (
        json.dumps(
            gold(id="n2", units=units((0, 23), (24, 34)), carriers=[{"start": 20, "end": 28}])
        ).encode(),
        "carrier-across-units",
    ),
    "an offset past the end": (
        json.dumps(gold(id="n2", units=units((0, 23), (24, 35)))).encode(),
        "offset-past-end",
    ),
    "an unknown valence": (
        json.dumps(gold(id="n2", units=units((0, 23), (24, 34), valence=SECRET))).encode(),
        "valence",
    ),
    "text in no unit": (
        json.dumps(gold(id="n2", units=units((0, 23)), carriers=[])).encode(),
        "uncovered-text",
    ),
}


def written(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def valid(i: int) -> bytes:
    return json.dumps(gold(id=f"ok{i}", narrator=f"s{i}")).encode()


def test_the_valid_narrative_is_valid(cli: Cli, tmp_path: Path) -> None:
    data = written(tmp_path / "in.jsonl", json.dumps(gold()).encode())
    assert cli("validate", data)[0] == 0


@pytest.mark.parametrize("name", BROKEN)
def test_a_line_that_breaks_a_rule(cli: Cli, tmp_path: Path, name: str) -> None:
    """Is named with file, line and rule by every command that reads narratives; nothing is done,
    or, when told so, the others are."""
    line, rule = BROKEN[name]
    first = json.dumps(gold()).encode()
    data = written(tmp_path / "in.jsonl", first, line, valid(1), valid(2), valid(3))
    out_path, folder = tmp_path / "out.spacy", tmp_path / "data"
    out_path.write_text("old")
    commands: list[list[object]] = [
        ["validate", data],
        ["stats", data],
        ["convert", data, out_path],
        ["corpus", data, folder],
    ]
    for args in commands:
        code, _, err = cli(*args)
        assert code == 1, args
        reports = [line for line in err.splitlines() if f"[{rule}]" in line]
        assert reports, (args, err)
        assert all(report.startswith(f"{data}:2: ") for report in reports)
    assert out_path.read_text() == "old"
    assert not folder.exists()

    for args in commands[1:]:
        code, _, err = cli(*args, "--skip-invalid")
        assert code == 0, (args, err)
        assert f"[{rule}]" in err
        assert f"skipped 1 lines of {data}: 2" in err
    kept = [
        narrative.id
        for part in ("train", "dev", "test")
        for narrative in read_narratives(folder / f"{part}.jsonl").narratives
    ]
    assert sorted(kept) == ["n1", "ok1", "ok2", "ok3"]


def test_all_rules_of_all_lines_are_named_at_once(cli: Cli, tmp_path: Path) -> None:
    first = json.dumps(gold()).encode()
    data = written(tmp_path / "in.jsonl", first, *(line for line, _ in BROKEN.values()))
    code, out, err = cli("validate", data)
    assert code == 1
    for number, (_, rule) in enumerate(BROKEN.values(), start=2):
        reports = [line for line in err.splitlines() if line.startswith(f"{data}:{number}: ")]
        assert any(f"[{rule}]" in line for line in reports), rule
    assert out.startswith(f"{data}: 1 valid narratives, ")


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem(cli: Cli, tmp_path: Path) -> None:
    data = tmp_path / "in.jsonl"
    data.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join([valid(1), b"", valid(2)]) + b"\r\n")
    code, out, err = cli("validate", data)
    assert (code, err) == (0, "")
    assert "2 valid narratives, 0 problems" in out


def test_a_byte_order_mark_of_another_encoding(cli: Cli, model: Path, tmp_path: Path) -> None:
    """What Windows calls Unicode."""
    data = tmp_path / "in.jsonl"
    data.write_bytes(json.dumps(gold()).encode("utf-16"))
    code, _, err = cli("validate", data)
    assert code == 1
    assert f"{data}:1: -: [utf-8]" in err
    text = tmp_path / "in.txt"
    text.write_bytes(TEXT.encode("utf-16"))
    code, out, err = cli("analyze", text, "--model", model)
    assert (code, out) == (1, "")
    assert "M006" in err
    assert str(text) in err


@pytest.mark.parametrize("content", [b"", b"\n \r\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file(cli: Cli, model: Path, tmp_path: Path, content: bytes) -> None:
    data = tmp_path / "in.jsonl"
    data.write_bytes(content)
    output = tmp_path / "out.jsonl"
    for args in (
        ["validate", data],
        ["stats", data],
        ["stats", data, "--skip-invalid"],
        ["convert", data, tmp_path / "out.spacy"],
        ["corpus", data, tmp_path / "data"],
        ["corpus", data, tmp_path / "data", "--skip-invalid"],
        ["evaluate", model, data, "--output", output],
        ["analyze", data, "--model", model, "--output", output],
    ):
        code, _, err = cli(*args)
        assert code == 1, args
        assert "[empty-file]" in err
        assert str(data) in err
    assert os.listdir(tmp_path) == ["in.jsonl"]


def test_a_missing_file(cli: Cli, model: Path, tmp_path: Path) -> None:
    none = tmp_path / "none.jsonl"
    for args in (
        ["validate", none],
        ["stats", none],
        ["convert", none, tmp_path / "out.spacy"],
        ["corpus", none, tmp_path / "data"],
        ["evaluate", model, none],
        ["analyze", none, "--model", model],
    ):
        code, out, err = cli(*args)
        assert (code, out) == (1, ""), args
        assert str(none) in err
    assert os.listdir(tmp_path) == []


# --- outputs


def outputs(model: Path, data: Path, output: Path) -> Iterator[list[object]]:
    """Every command that writes a file."""
    yield ["analyze", data, "--model", model, "--output", output, "--format", "jsonl"]
    yield ["evaluate", model, data, "--output", output]
    yield ["convert", data, output]
    yield ["corpus", data, output]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return written(tmp_path / "data.jsonl", *(valid(i) for i in range(6)))


def test_a_folder_in_place_of_a_file_and_a_missing_folder(
    cli: Cli, model: Path, data: Path, tmp_path: Path
) -> None:
    folder, missing = tmp_path / "folder.spacy", tmp_path / "no" / "out.spacy"
    folder.mkdir()
    for path in (folder, missing):
        for args in list(outputs(model, data, path))[:3]:
            code, out, err = cli(*args)
            assert (code, out) == (1, ""), args
            assert str(path) in err
    file = tmp_path / "file"
    file.write_text("old")
    for path in (file, file / "below"):  # `corpus` wants a folder
        code, out, err = cli("corpus", data, path)
        assert (code, out) == (1, "")
        assert str(path) in err
    assert file.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["data.jsonl", "file", "folder.spacy"]
    assert os.listdir(folder) == []


@needs_full
def test_a_full_disk(cli: Cli, model: Path, data: Path, tmp_path: Path) -> None:
    full = tmp_path / "full.spacy"
    full.symlink_to(FULL)
    for args in list(outputs(model, data, full))[:3]:
        code, _, err = cli(*args)
        assert code == 1, args
        assert "No space left on device" in err
    folder = tmp_path / "split"
    folder.mkdir()
    (folder / "train.spacy").symlink_to(FULL)
    (folder / "test.spacy").write_text("old")
    code, out, err = cli("corpus", data, folder)
    assert (code, out) == (1, "")
    assert "No space left on device" in err
    assert (folder / "test.spacy").read_text() == "old"
    assert sorted(os.listdir(folder)) == ["test.spacy", "train.spacy"]


@needs_full
def test_standard_output_on_a_full_disk(data: Path) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "spacy_valence_ec", "validate", str(data)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="no SIGINT to a process of its own")
@pytest.mark.parametrize("command", ["analyze", "corpus"])
def test_an_interrupted_run(model: Path, tmp_path: Path, command: str) -> None:
    """Control-C in the middle of writing: what was there is as it was, and what `analyze` has done
    is kept beside it."""
    data = tmp_path / "data.jsonl"
    # Many: the run must still go on when the signal comes.
    n = 20_000 if command == "analyze" else 3000
    written(data, *(json.dumps(gold(id=f"n{i}", narrator=f"s{i % 9}")).encode() for i in range(n)))
    folder = tmp_path / "out"
    folder.mkdir()
    names = (
        ["out.jsonl"]
        if command == "analyze"
        else [f"{part}.{kind}" for part in ("dev", "test", "train") for kind in ("jsonl", "spacy")]
    )
    for name in names:
        (folder / name).write_text("old")
    args = (
        ["analyze", data, "--model", model, "--output", folder / "out.jsonl"]
        if command == "analyze"
        else ["corpus", data, folder]
    )

    process = subprocess.Popen(
        [sys.executable, "-m", "spacy_valence_ec", *map(str, args)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # The default handler: a shell starts background commands with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        # That of `analyze` has results behind its first line; `corpus` fills its files at the end.
        least = 1000 if command == "analyze" else 0
        deadline = time.monotonic() + 100
        while process.poll() is None and time.monotonic() < deadline:
            if any(path.stat().st_size >= least for path in leftovers(folder)):
                break
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, (out, err)
    last = err.splitlines()[-1]
    assert last == "error: interrupted: what was already there is as it was"
    assert out == ""
    kept = [path.name for path in folder.glob("*.part")]
    assert kept == (["out.jsonl.part"] if command == "analyze" else [])
    assert all(f"are kept in {folder / name}" in err for name in kept)
    assert sorted(os.listdir(folder)) == names + kept
    assert {(folder / name).read_text() for name in names} == {"old"}
