"""CSV and TSV files: encoding and delimiter are recognized."""

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from typing import IO, Any

from ..errors import Errors, ValenceECError

DELIMITERS = ",;\t|"
DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
LEGACY = ("cp1252", "mac_roman")  # what older programs in Western Europe write
SAMPLE = 200  # rows by which the delimiter is recognized
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
MAX_CELL = 2**31 - 1


def decode(content: bytes, encoding: str | None, path: str) -> tuple[str, str]:
    """The text of a file and the name of its encoding: the one given, that of its byte-order mark,
    UTF-8, or the one that charset-normalizer holds for the most probable.

    Raises: ValenceECError T004 where it does not fit, T005 where none is probable.
    """
    if encoding is None:
        encoding = next((name for bom, name in BOMS.items() if content.startswith(bom)), None)
    if encoding is not None:
        try:
            return content.decode(encoding), encoding
        except LookupError as error:
            raise ValenceECError(Errors.T005.format(path=path, encoding=encoding)) from error
        except UnicodeDecodeError as error:
            raise ValenceECError(
                Errors.T004.format(path=path, encoding=encoding, offset=error.start)
            ) from error
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        offset = error.start
    from charset_normalizer import from_bytes

    best = from_bytes(content, cp_isolation=["utf_16_le", "utf_16_be", *LEGACY]).best()
    if best is None:
        raise ValenceECError(Errors.T004.format(path=path, encoding="UTF-8", offset=offset))
    return str(best), best.encoding


def find_delimiter(text: str) -> str | None:
    """The delimiter that gives all rows the same number of cells, at least two; None if there is
    no such. Of several that do, the one that gives most."""
    found: dict[str, int] = {}
    for delimiter in DELIMITERS:
        rows = [row for row, _ in zip(parse(text, delimiter), range(SAMPLE), strict=False) if row]
        widths = {len(row) for row in rows}
        if len(rows) > 1 and len(widths) == 1 and widths != {1}:
            found[delimiter] = widths.pop()
    return max(found, key=lambda delimiter: found[delimiter]) if found else None


def parse(text: str, delimiter: str) -> Iterable[list[str]]:
    """The rows of a text."""
    csv.field_size_limit(MAX_CELL)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def read_delimited(
    text: str, delimiter: str | None, path: str
) -> tuple[str, list[str], list[list[Any]]]:
    """The delimiter, the header and the rows below it. Rows that are too short are filled up;
    empty ones at the end are left out.

    Raises: ValenceECError T006 for a row that is longer than the header, T007 if no delimiter fits.
    """
    if delimiter is None:
        delimiter = find_delimiter(text)
    if delimiter is None:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and any(sign in lines[0] for sign in DELIMITERS):
            raise ValenceECError(Errors.T007.format(path=path))
        delimiter = ","  # a single column, in which a comma is a comma
        return delimiter, [lines[0].strip('"')] if lines else [], read_column(text)
    header, *rows = list(parse(text, delimiter)) or [[]]
    while rows and not any(rows[-1]):
        rows.pop()
    for number, row in enumerate(rows, start=2):
        if len(row) > len(header):
            raise ValenceECError(
                Errors.T006.format(path=path, row=number, n=len(row), expected=len(header))
            )
        row.extend([""] * (len(header) - len(row)))
        row[:] = map(restore, row)
    return delimiter, [name.strip() for name in header], rows


def read_column(text: str) -> list[list[Any]]:
    """The rows of a table of one column, below its header: its cells may be quoted, and no sign
    divides them."""
    rows = list(parse(text, "\x1f"))[1:]
    return [row or [""] for row in rows]


def write_delimited(
    handle: IO[str], header: Sequence[str], rows: Iterable[Sequence[Any]], delimiter: str
) -> None:
    """Write a table. A text that a spreadsheet would take for a formula begins with an
    apostrophe."""
    writer = csv.writer(handle, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow([disarm(name) for name in header])
    writer.writerows([disarm(cell) for cell in row] for row in rows)


def disarm(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def restore(cell: str) -> str:
    """A cell without the apostrophe that `disarm` puts before it."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA_STARTS) else cell
