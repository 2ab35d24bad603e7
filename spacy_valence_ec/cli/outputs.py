"""Results in a file or on the screen, in each format."""

import io
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import IO, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from ..corpus.jsonl import is_jsonl, record_to_line
from ..errors import Errors, ValenceECError, ValenceECWarning, Warnings
from ..files import atomic_write
from ..schema import ResultNames
from ..tables.delimited import write_delimited
from ..tables.flat import flatten_carriers, flatten_narratives, flatten_units
from ..tables.parquet import write_parquet
from ..tables.people import flatten_people
from ..tables.sheets import LONGEST_CELL, write_workbook
from .console import err_console
from .terminal import print_table


class Format(str, Enum):
    """What the results look like."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    XLSX = "xlsx"
    PARQUET = "parquet"
    HTML = "html"


BINARY = (Format.XLSX, Format.PARQUET)
STREAMED = (Format.TABLE, Format.JSONL)  # a narrative at a time


def choose_format(output: Path | None, chosen: Format | None) -> Format:
    """The format that was asked for, or that of the file's suffix; else a table on a terminal and
    JSON Lines elsewhere.

    Raises: ValenceECError M016 for a binary format on standard output, M017 for a suffix that says
    nothing.
    """
    if chosen is None and output is not None:
        suffix = output.suffix.lower().lstrip(".")
        known = {member.value for member in Format} - {Format.TABLE.value}
        if is_jsonl(output) or not suffix:
            return Format.JSONL
        if suffix not in known:
            raise ValenceECError(
                Errors.M017.format(path=output, known=", ".join(f".{k}" for k in sorted(known)))
            )
        return Format(suffix)
    if chosen is None:
        return Format.TABLE if sys.stdout.isatty() else Format.JSONL
    if output is None and chosen in BINARY:
        raise ValenceECError(Errors.M016.format(format=chosen.value))
    return chosen


def write_records(
    records: list[dict[str, Any]],
    output_format: Format,
    output: Path | None,
    names: ResultNames,
    delimiter: str | None = None,
    language: str = "en",
) -> None:
    """Write analyzed narratives, to a file at once or not at all.

    delimiter: of a CSV file; None for a comma.
    language: of a page of HTML, "en" or "it".
    """
    if output_format in BINARY and output is not None:
        with atomic_write(output, binary=True) as handle:
            write_binary(handle, records, output_format, names)
        return
    with open_text(output) as text:
        console = Console(file=text, width=100) if output else Console()
        if output_format in (Format.CSV, Format.TSV):
            header, rows = flatten_narratives(records, names)
            sign = "\t" if output_format is Format.TSV else delimiter or ","
            if output:
                text.write("\ufeff")  # without it Excel takes the file for cp1252
            write_delimited(text, header, rows, sign)
            return
        if output_format is Format.HTML:
            from ..page import write_page

            write_page(usual_names(records, names), text, lang=language)
            return
        for record in records:
            if output_format is Format.TABLE:
                print_table(record, console, names)
            else:
                text.write(record_to_line(record))


def write_binary(
    handle: IO[bytes], records: list[dict[str, Any]], output_format: Format, names: ResultNames
) -> None:
    """Write an Excel or a Parquet file."""
    if output_format is Format.PARQUET:
        write_parquet(handle, records)
        return
    n_cut = write_workbook(
        handle,
        {
            "narratives": flatten_narratives(records, names),
            "units": flatten_units(records, names),
            "carriers": flatten_carriers(records, names),
            "people": flatten_people(usual_names(records, names)),
        },
    )
    if n_cut:
        message = Warnings.W012.format(n=n_cut, longest=LONGEST_CELL)
        warnings.warn(message, ValenceECWarning, stacklevel=2)


def usual_names(records: Iterable[dict[str, Any]], names: ResultNames) -> Iterator[dict[str, Any]]:
    """Records whose results have the usual names, in place of what the input calls so."""
    usual = ResultNames()
    for record in records:
        kept = {key: value for key, value in record.items() if key not in usual.all}
        results = zip(usual.all, names.all, strict=True)
        yield kept | {name: record[given] for name, given in results if given in record}


@contextmanager
def open_text(output: Path | None) -> Iterator[IO[str]]:
    """A file, or standard output as UTF-8 without changed line ends."""
    if output is not None:
        with atomic_write(output) as handle:
            yield handle
        return
    text = io.StringIO(newline="")
    yield text
    typer.echo(text.getvalue().encode("utf-8"), nl=False)


@contextmanager
def show_results(handle: IO[str] | None) -> Iterator[tuple[Console, Progress]]:
    """What results are printed by, to a file or on the screen, and a bar beside them."""
    to_screen = handle is None and sys.stdout.isatty()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without UTF-8
    console = Console(file=handle, width=100) if handle else Console()
    # A bar would break into results that appear on the same terminal.
    with show_progress(hidden=to_screen) as progress:
        yield console, progress


def show_progress(*, hidden: bool = False) -> Progress:
    """A bar on standard error with the rate and the remaining time."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err_console,
        transient=True,
        disable=hidden or not err_console.is_terminal,
    )


def print_part(part: str, handle: IO[str] | None) -> None:
    """Write a part of the results to a file, or as UTF-8 to standard output."""
    if handle:
        handle.write(part)
    else:
        typer.echo(part.encode("utf-8"), nl=False)
