"""Parquet files."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from ..errors import Errors, ValenceECError


def read_parquet(path: Path) -> tuple[list[str], list[list[Any]]]:
    """The columns and rows of a file.

    Raises: ValenceECError T001 without the library, T008 for a file that cannot be read.
    """
    parquet = import_parquet(path)
    with path.open("rb") as handle:
        try:
            table = parquet.read_table(handle)
        except Exception as error:  # pyarrow's exceptions quote the file
            why = type(error).__name__
            raise ValenceECError(Errors.T008.format(path=path, kind=".parquet", why=why)) from error
    columns = [column.to_pylist() for column in table.columns]
    return list(table.column_names), [list(row) for row in zip(*columns, strict=True)]


def write_parquet(handle: IO[bytes], records: Sequence[dict[str, Any]]) -> None:
    """Write records, with nested units and carriers. A field whose values have no type in common
    is written as JSON.

    Raises: ValenceECError T001 without the library.
    """
    parquet = import_parquet("output")
    import pyarrow
    import srsly

    names = list(dict.fromkeys(name for record in records for name in record))
    arrays = []
    for name in names:
        values = [record.get(name) for record in records]
        try:
            arrays.append(pyarrow.array(values))
        except pyarrow.ArrowException:
            json = [None if value is None else srsly.json_dumps(value) for value in values]
            arrays.append(pyarrow.array(json, pyarrow.string()))
    parquet.write_table(pyarrow.table(arrays, names=names), handle)


def import_parquet(path: Path | str) -> Any:
    """The module of pyarrow that reads and writes these files."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ValenceECError(
            Errors.T001.format(path=path, kind=".parquet", library="pyarrow")
        ) from error
    return parquet
