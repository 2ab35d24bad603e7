"""Reading a table from Python, with what is known of it as arguments."""

import os
from pathlib import Path

from .columns import ColumnOptions
from .read import Table, TableOptions
from .read import read_table as read_with_options


def read_table(
    path: str | os.PathLike[str],
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    narrator_column: str | None = None,
    date_column: str | None = None,
    sheet: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Table:
    """Return the rows of a .csv, .tsv, .xlsx, .ods or .parquet file as `records`, and in
    `description` how they were read.

    What is not given is recognized. The text, id, narrator and date of a narrative stand in the
    fields `text`, `id`, `narrator` and `date` of its record, every other column in one of its name.

    Raises: OSError if the file cannot be read, ValenceECError T001 to T011.
    """
    columns = ColumnOptions(text_column, id_column, narrator_column, date_column)
    return read_with_options(Path(path), TableOptions(columns, sheet, delimiter, encoding))
