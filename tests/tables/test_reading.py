"""Tables as spreadsheets and other programs write them."""

import csv
import datetime
import io
import os
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.tables.columns import ColumnOptions
from spacy_valence_ec.tables.delimited import FORMULA_STARTS, write_delimited
from spacy_valence_ec.tables.read import TableOptions, parse_delimited, read_table

SAMPLES = Path(os.environ.get("FORMAT_SAMPLES", Path(__file__).parents[3] / "shared" / "formats"))
ROWS = (
    "codice;Racconto;età\n"
    "p1;Perché è così, però va;3,5\n"
    'p2;"Ciò che più mi pesa; è la città\ngrande";4\n'
    "p3;;5\n"
)
EXPECTED = [
    {"id": "p1", "text": "Perché è così, però va", "età": "3,5"},
    {"id": "p2", "text": "Ciò che più mi pesa; è la città\ngrande", "età": "4"},
    {"id": "p3", "text": "", "età": "5"},
]


def parse(text: str | bytes, **options: Any) -> list[dict[str, Any]]:
    content = text if isinstance(text, bytes) else text.encode()
    return parse_delimited(content, "t.csv", TableOptions(**options)).records


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "mac_roman"]
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_encodings_are_recognized(encoding: str, line_end: str) -> None:
    content = ROWS.replace("\n", line_end).encode(encoding)
    expected = [{**r, "text": r["text"].replace("\n", line_end)} for r in EXPECTED]
    assert parse(content) == expected
    assert parse(content, encoding=encoding) == expected


@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";"])
def test_delimiters_are_recognized(delimiter: str) -> None:
    text = f"testo{delimiter}nota\n" + f'"Ieri; oggi, e\tpoi|ora"{delimiter}ok\n' * 2
    assert [record["text"] for record in parse(text)] == ["Ieri; oggi, e\tpoi|ora"] * 2
    assert parse(text, delimiter=delimiter) == parse(text)


def test_a_single_column_is_the_text() -> None:
    text = "Diario di marzo\nSono andata, poi tornata\n\n\"Ho detto; 'no'\"\n"
    assert [record["text"] for record in parse(text)] == [
        "Sono andata, poi tornata",
        "",
        "Ho detto; 'no'",
    ]
    assert parse(text)[0]["id"] == "row-1"


def test_the_column_that_is_by_far_the_longest_is_the_text() -> None:
    rows = "a,b,c\n" + "uno,Ieri sono andata al mare con loro,x\n" * 3
    assert parse(rows)[0] == {
        "id": "row-1",
        "text": "Ieri sono andata al mare con loro",
        "a": "uno",
        "c": "x",
    }


def test_columns_that_are_named_and_clash() -> None:
    rows = "text,id,chi,quando\nnota,7,Anna,oggi\nnota,7,Anna,oggi\n"
    columns = ColumnOptions(text="quando", narrator="chi", id="id")
    assert parse(rows, columns=columns) == [
        {"id": "7", "text": "oggi", "narrator": "Anna", "text_column": "nota"},
        {"id": "7-row-2", "text": "oggi", "narrator": "Anna", "text_column": "nota"},
    ]


@pytest.mark.parametrize(
    ("content", "options", "code"),
    [
        ("a,b\nx,y\n", {}, "T003"),
        ("a,b\nx,y\n", {"columns": ColumnOptions(text="c")}, "T002"),
        ("text,a\nx,y\nx,y,z\n", {"delimiter": ","}, "T006"),
        ("text,a\nx,y\nx,y,z\n", {}, "T007"),
        ("text,text\nx,y\n", {}, "T009"),
        ("text,a\n", {}, "T011"),
        ("", {}, "T011"),
        (b"text\n\xe8", {"encoding": "utf-8"}, "T004"),
        ("text\nx", {"encoding": "utf-99"}, "T005"),
    ],
)
def test_errors_name_no_text(content: str | bytes, options: dict[str, Any], code: str) -> None:
    with pytest.raises(ValenceECError, match=code):
        parse(content, **options)


def test_a_table_without_header_is_not_quoted() -> None:
    secret = "Ieri ho litigato con Marta e non ne ho parlato con nessuno al mondo"
    with pytest.raises(ValenceECError) as raised:
        parse(f"{secret},{secret}!\n{secret},{secret}!\n")
    assert "Marta" not in str(raised.value)


def write_workbook(path: Path, options: dict[str, Any] | None = None) -> None:
    workbook = xlsxwriter.Workbook(str(path), options or {})
    workbook.add_worksheet("vuoto")
    sheet = workbook.add_worksheet("diari")
    sheet.write(0, 0, "Diari raccolti nel 2024")  # a title above the header
    for column, name in enumerate(["ID", "Diario", "Data", "peso", "sì"]):
        sheet.write(2, column, name)
    day = workbook.add_format({"num_format": "dd/mm/yyyy"})
    sheet.write(3, 0, 12)
    sheet.write(3, 1, "Ho perso il treno")
    sheet.write_datetime(3, 2, datetime.datetime(2024, 3, 5), day)
    sheet.write(3, 3, 61.5)
    sheet.write(3, 4, True)
    sheet.write(4, 0, 13)
    workbook.close()


@pytest.mark.parametrize("options", [{}, {"date_1904": True}])
def test_a_workbook(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "diari.xlsx"
    write_workbook(path, options)
    table = read_table(path, TableOptions())
    assert table.records[0] == {
        "id": "12",
        "text": "Ho perso il treno",
        "date": "2024-03-05",
        "peso": 61.5,
        "sì": True,
    }
    assert table.records[1]["text"] == ""
    assert len(table.records) == 2
    assert "sheet 'diari'" in table.description
    with pytest.raises(ValenceECError, match="T010"):
        read_table(path, TableOptions(sheet="Marzo"))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValenceECError, match="T008"):
        read_table(path, TableOptions())


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples of other tools are not here")
@pytest.mark.parametrize(
    ("name", "column", "n_rows"),
    [
        ("doccano/example.utf16.csv", None, 3),
        ("doccano/example_empty_cells.csv", None, 3),
        ("doccano/example.xlsx", None, 3),
        ("spreadsheets/empty_s_attribute.xlsx", "Name", 4),
        ("spreadsheets/header-row.xlsx", "Columns", 1),
        ("spreadsheets/date.ods", "2021-01-01", None),
        ("spreadsheets/date.xlsx", "2021-01-01", None),
        ("spreadsheets/date_iso.xlsx", "2021-01-01", None),
        ("spreadsheets/merge_cells.xlsx", "Not Merged", None),
        ("spreadsheets/merged_range.xlsx", "A1", None),
        ("tables/docs.parquet", "note_text", 3),
    ],
)
def test_files_of_other_tools(name: str, column: str | None, n_rows: int | None) -> None:
    table = read_table(SAMPLES / name, TableOptions(ColumnOptions(text=column)))
    assert len(table.records) == n_rows or n_rows is None
    assert all(isinstance(record["text"], str) for record in table.records)
    assert len({record["id"] for record in table.records}) == len(table.records)


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=12)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_whatever_was_written_is_read(rows: list[tuple[str, str]], delimiter: str) -> None:
    handle = io.StringIO(newline="")
    filled = [(f"x{text}", note) for text, note in rows]  # no empty rows at the end
    write_delimited(handle, ["testo", "nota"], filled, delimiter)
    records = parse(handle.getvalue(), delimiter=delimiter)
    assert [(r["text"], r["nota"] or "") for r in records] == [
        (text, note[1:] if note[:1] == "'" and note[1:].startswith(FORMULA_STARTS) else note)
        for text, note in filled
    ]
    # Nothing that a spreadsheet runs.
    content = io.StringIO(handle.getvalue(), newline="")
    cells = [cell for row in csv.reader(content, delimiter=delimiter) for cell in row]
    assert not any(cell.startswith(FORMULA_STARTS) for cell in cells)
