"""Excel and OpenDocument files."""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ..errors import Errors, ValenceECError

LONGEST_CELL = 32_767  # characters, of Excel


def read_sheet(
    path: Path, sheet: str | None, text_column: str | None = None
) -> tuple[str, list[str], list[list[Any]]]:
    """The name of a sheet, its header and the rows below it. Without a name it is the only sheet
    that is not empty, or the first one. The header is the first row that holds two cells, or the
    name of the text column; empty rows at the end are left out.

    Raises: ValenceECError T001 without the library, T008 for a file that cannot be read, T010 for
    a sheet that is missing.
    """
    try:
        from python_calamine import CalamineWorkbook
    except ImportError as error:
        raise ValenceECError(
            Errors.T001.format(path=path, kind=path.suffix, library="python-calamine")
        ) from error
    content = path.read_bytes()  # an OSError of ours names the file
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        names = list(workbook.sheet_names)
        if sheet is not None and sheet not in names:
            raise ValenceECError(Errors.T010.format(path=path, sheet=sheet, known=", ".join(names)))
        for name in [sheet] if sheet is not None else names:
            rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=True)
            if sheet is not None or any(any(is_filled(cell) for cell in row) for row in rows):
                return name, *split_header(rows, text_column)
    except ValenceECError:
        raise
    except Exception as error:  # calamine has an exception for each kind of file
        why = type(error).__name__
        raise ValenceECError(Errors.T008.format(path=path, kind=path.suffix, why=why)) from error
    return names[0] if names else "", [], []


def split_header(
    rows: Sequence[Sequence[Any]], text_column: str | None
) -> tuple[list[str], list[list[Any]]]:
    """The header of a sheet and the rows below it: a title above the header is passed over."""
    if not rows:
        return [], []
    filled = [sum(map(is_filled, row)) for row in rows]
    candidates = (
        i for i, row in enumerate(rows) if (text_column in row if text_column else filled[i] > 1)
    )
    single = (i for i, n in enumerate(filled) if n)
    start = next(candidates, next(single, 0))
    header = [str(cell).strip() if is_filled(cell) else "" for cell in rows[start]]
    body = [list(row) for row in rows[start + 1 :]]
    while body and not any(map(is_filled, body[-1])):
        body.pop()
    return header, body


def is_filled(cell: Any) -> bool:
    """Return True if a cell holds something."""
    return cell is not None and cell != ""


def write_workbook(
    handle: IO[bytes], tables: Mapping[str, tuple[Sequence[str], Iterable[Sequence[Any]]]]
) -> int:
    """Write each table as a sheet, texts as texts and never as formulas or links. Returns the
    number of cells that were cut, since Excel holds no longer ones.

    Raises: ValenceECError T001 without the library.
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise ValenceECError(
            Errors.T001.format(path="output", kind=".xlsx", library="XlsxWriter")
        ) from error
    n_cut = 0
    workbook = xlsxwriter.Workbook(handle, {"in_memory": True, "constant_memory": True})
    bold = workbook.add_format({"bold": True})
    for name, (header, rows) in tables.items():
        sheet = workbook.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for column, title in enumerate(header):
            sheet.write_string(0, column, title, bold)
            sheet.set_column(column, column, 60 if title in ("text", "carrier") else 14)
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                if isinstance(cell, bool):
                    sheet.write_boolean(number, column, cell)
                elif isinstance(cell, (int, float)):
                    sheet.write_number(number, column, cell)
                elif cell is not None:
                    text = str(cell)
                    n_cut += len(text) > LONGEST_CELL
                    sheet.write_string(number, column, text[:LONGEST_CELL])
    workbook.close()
    return n_cut
