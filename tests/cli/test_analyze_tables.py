"""`valence-ec analyze` on tables, and to them."""

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import Cli
from pyarrow import parquet
from python_calamine import CalamineWorkbook

TABLE = (
    "Nome;Racconto;Nota\n"
    "Anna;Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!;=1+1\n"
    "Bea;;\n"
    "Anna;Perso il treno. Perché?;3,5\n"
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "diari.csv"
    path.write_bytes(TABLE.encode("cp1252"))
    return path


def test_csv_in_csv_out(cli: Cli, stand_in: Path, table: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    code, out, err = cli(
        "analyze", table, "-m", stand_in, "-o", output, "--narrator-column", "Nome"
    )
    assert (code, out) == (0, "")
    assert "3 rows (cp1252, semicolons, text 'Racconto', narrator 'Nome')" in err
    content = output.read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content, newline=""), delimiter=";"))
    assert [row["narrator"] for row in rows] == ["Anna", "Bea", "Anna"]
    assert [row["valence"] for row in rows] == ["positive", "neutral", "negative"]
    assert rows[0]["Nota"] == "'=1+1"
    assert (rows[0]["n_units"], rows[0]["n_positive"], rows[0]["n_carriers"]) == ("2", "1", "1")
    assert json.loads(rows[0]["carriers"]) == [{"start": 58, "end": 63, "score": 0.9}]

    # What was written can be read again: all columns come back, nothing is replaced.
    code, out, err = cli("analyze", output, "-m", stand_in, "-f", "csv")
    assert code == 0
    again = list(csv.DictReader(io.StringIO(out, newline=""), delimiter=";"))
    assert [row["Nota"] for row in again] == ["'=1+1", "", "3,5"]
    assert [row["valence"] for row in again] == [row["valence"] for row in rows]
    assert [row["predicted_valence"] for row in again] == [row["valence"] for row in rows]


def test_a_workbook_has_a_sheet_for_units_and_carriers(
    cli: Cli, stand_in: Path, table: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.xlsx"
    assert cli("analyze", table, "-m", stand_in, "-o", output)[0] == 0
    workbook = CalamineWorkbook.from_path(str(output))
    assert workbook.sheet_names == ["narratives", "units", "carriers", "people"]
    narratives, units, carriers, people = (
        workbook.get_sheet_by_name(name).to_python() for name in workbook.sheet_names
    )
    assert narratives[1][narratives[0].index("Nota")] == "=1+1"  # a text, no formula
    assert len(narratives) == 4
    assert units[0][:5] == ["id", "unit", "start", "end", "text"]
    assert units[2][1:6] == [2, 29, 64, "Finalmente mi hanno tolto il gesso!", "positive"]
    assert carriers[1][1:5] == [2, 58, 63, "gesso"]
    assert people[-1][:3] == ["(all)", 3, 4]


def test_a_page_and_plots(cli: Cli, stand_in: Path, table: Path, tmp_path: Path) -> None:
    page, plots = tmp_path / "out.html", tmp_path / "plots"
    options = ("--narrator-column", "Nome", "--page-language", "it", "--plots", plots)
    assert cli("analyze", table, "-m", stand_in, "-o", page, *options)[0] == 0
    html = page.read_text("utf-8")
    assert '<html lang="it"' in html
    assert "Finalmente mi hanno tolto il gesso!" in html
    assert {path.stem for path in (plots / "people").glob("*.svg")} == {"Anna"}  # Bea says nothing
    assert cli("analyze", table, "-m", stand_in, "--plots", plots)[0] == 2

    # Results that have a prefix are shown all the same.
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "Perso il treno.", "valence": "my own"}', encoding="utf-8")
    assert cli("analyze", path, "-m", stand_in, "-o", page)[0] == 0
    assert "my own" not in page.read_text("utf-8")


def test_parquet_holds_nested_units(cli: Cli, stand_in: Path, table: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.parquet"
    assert cli("analyze", table, "-m", stand_in, "-o", output)[0] == 0
    rows = parquet.read_table(output).to_pylist()
    assert [len(row["units"]) for row in rows] == [2, 0, 2]
    assert rows[0]["units"][1]["scores"]["positive"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("content", "kind", "n"),
    [
        (TABLE.encode("cp1252"), "csv", 3),
        (b"testo\tnota\nUno.\ta\nDue.\tb\n", "tsv", 2),
        (b'\xef\xbb\xbf{"text": "Uno."}\n{"text": "Due."}\n', "jsonl", 2),
        (b"Ieri, al mare,\ncon Anna, che gioia,\n", None, 1),
        (b"text\nUno.\n", None, 1),  # one column: a text
    ],
)
def test_standard_input_is_recognized(
    cli: Cli,
    stand_in: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    kind: str | None,
    n: int,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    code, out, err = cli("analyze", "-", "-m", stand_in)
    assert code == 0
    assert len(out.splitlines()) == n
    assert f"<stdin>: read as {kind}" in err if kind else err == ""


def test_a_spreadsheet_on_standard_input_is_refused(
    cli: Cli, stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"PK\x03\x04\xff\xff")))
    code, out, err = cli("analyze", "-", "-m", stand_in)
    assert (code, out) == (1, "")
    assert "M014" in err


def test_a_folder_and_a_limit(cli: Cli, stand_in: Path, table: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Uno.")
    (tmp_path / "notes.doc").write_text("no")
    code, out, _ = cli("analyze", tmp_path, "-m", stand_in, "--limit", "3")
    assert code == 0
    ids = [json.loads(line)["id"] for line in out.splitlines()]
    assert ids == [str(tmp_path / "a.txt"), "row-1", "row-2"]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("-f", "xlsx"), "M016"),
        (("-o", "out.docx"), "M017"),
        (("-o", "out.xlsx", "--text-column", "Testo"), "T002"),
    ],
)
def test_what_cannot_be_done_is_said(
    cli: Cli,
    stand_in: Path,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    code: str,
) -> None:
    monkeypatch.chdir(table.parent)
    status, out, err = cli("analyze", table, "-m", stand_in, *args)
    assert (status, out) == (1, "")
    assert code in err


@pytest.mark.parametrize(
    ("library", "args"),
    [("python_calamine", ("in.xlsx",)), ("xlsxwriter", ("diari.csv", "-o", "out.xlsx"))],
)
def test_a_missing_library_is_named(
    cli: Cli,
    stand_in: Path,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    library: str,
    args: tuple[str, ...],
) -> None:
    monkeypatch.chdir(table.parent)
    Path("in.xlsx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, library, None)
    status, _, err = cli("analyze", *args, "-m", stand_in)
    assert status == 1
    assert "pip install 'spacy_valence_ec[tables]'" in err


def test_two_processes_give_the_same(
    cli: Cli, stand_in: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs: list[str] = []
    call: Callable[..., tuple[int, str, str]] = cli
    for n in ("1", "2"):
        code, out, _ = call("analyze", table, "-m", stand_in, "--n-process", n)
        assert code == 0
        outputs.append(out)
    assert outputs[0] == outputs[1]
