"""Reading the narratives of a table."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Errors, ValenceECError
from .columns import ColumnOptions, Columns, choose_columns, make_record
from .delimited import DELIMITER_NAMES, decode, read_delimited
from .parquet import read_parquet
from .sheets import read_sheet

DELIMITED = (".csv", ".tsv", ".tab")
SHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
PARQUET = (".parquet",)
SUFFIXES = (*DELIMITED, *SHEETS, *PARQUET)


@dataclass(frozen=True)
class TableOptions:
    """What a user says of a table; None for what is to be recognized."""

    columns: ColumnOptions = field(default_factory=ColumnOptions)
    sheet: str | None = None
    delimiter: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Table:
    """The records of a table, and in a line how it was read. `delimiter` is that of a CSV file."""

    records: list[dict[str, Any]]
    description: str
    delimiter: str | None = None


def is_table(path: Path) -> bool:
    """Return True if a file is named as a table."""
    return path.suffix.lower() in SUFFIXES


def read_table(path: Path, options: TableOptions) -> Table:
    """Read a table, by its suffix. Every row is a record, one with an empty text too.

    Raises: OSError if the file cannot be read, ValenceECError T001 to T011.
    """
    suffix = path.suffix.lower()
    if suffix in DELIMITED:
        return parse_delimited(path.read_bytes(), str(path), options, tabs=suffix != ".csv")
    if suffix in SHEETS:
        sheet, header, rows = read_sheet(path, options.sheet, options.columns.text)
        return make_table(str(path), header, rows, options, f"sheet '{sheet}'")
    header, rows = read_parquet(path)
    return make_table(str(path), header, rows, options, "")


def parse_delimited(
    content: bytes, name: str, options: TableOptions, *, tabs: bool = False
) -> Table:
    """Read the content of a CSV or TSV file."""
    text, encoding = decode(content, options.encoding, name)
    given = options.delimiter or ("\t" if tabs else None)
    delimiter, header, rows = read_delimited(text, given, name)
    how = f"{encoding}, {DELIMITER_NAMES.get(delimiter, repr(delimiter))}"
    return make_table(name, header, rows, options, how, delimiter)


def make_table(
    name: str,
    header: list[str],
    rows: list[list[Any]],
    options: TableOptions,
    how: str,
    delimiter: str | None = None,
) -> Table:
    """The records of rows below a header.

    Raises: ValenceECError T002, T003 and T009, as `choose_columns`; T011 for no rows.
    """
    if not rows:
        raise ValenceECError(Errors.T011.format(path=name))
    columns = choose_columns(header, rows, options.columns, name)
    records = [make_record(header, row, i, columns) for i, row in enumerate(rows, start=1)]
    number_ids(records, columns)
    return Table(records, describe(name, len(rows), how, columns), delimiter)


def number_ids(records: list[dict[str, Any]], columns: Columns) -> None:
    """Make the ids of a table unique: one that was there before gets the number of its row."""
    if columns.id is None:
        return
    seen: set[str] = set()
    for number, record in enumerate(records, start=1):
        if record["id"] in seen:
            record["id"] = f"{record['id']}-row-{number}"
        seen.add(record["id"])


def describe(name: str, n_rows: int, how: str, columns: Columns) -> str:
    """How a table was read, in a line."""
    roles = [
        f"{role} '{column}'"
        for role in ("text", "id", "narrator", "date")
        if (column := getattr(columns, role)) is not None
    ]
    return f"{name}: {n_rows} rows ({', '.join([*filter(None, [how]), *roles])})"
