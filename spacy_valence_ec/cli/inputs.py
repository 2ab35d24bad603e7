"""Texts and files that are given to a command, read as records."""

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..corpus.jsonl import input_to_record, is_jsonl, read_narratives
from ..errors import Errors, ValenceECError
from ..tables.columns import NAMES
from ..tables.delimited import decode, find_delimiter, parse
from ..tables.read import SUFFIXES, Table, TableOptions, is_table, parse_delimited, read_table
from .console import err_console, fail
from .validate import print_problems

Record = Mapping[str, Any]

FILE_NAME = re.compile(r"\S*(\.\w{1,8}|[/\\]\S*)")  # a suffix or a separator, no white space
ZIP_START = b"PK\x03\x04"  # of an Excel or OpenDocument file

SUBTITLES = (".srt", ".vtt")
TEXTS = (".txt", *SUBTITLES)

STDIN = "-"
STDIN_NAME = "<stdin>"

TextOption = Annotated[
    list[str] | None,
    typer.Option("--text", "-t", help="A text, whatever it looks like; may be repeated."),
]


class InputFormat(str, Enum):
    """What standard input holds."""

    AUTO = "auto"
    TEXT = "text"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"


def is_terminal() -> bool:
    """Return True if standard input is a terminal, on which nothing is piped in."""
    return sys.stdin.isatty()


class Reader:
    """Reads inputs as records. `failed` tells whether something was reported; `delimiter` is that
    of the first CSV file, `subtitles` are the ids of files of subtitles."""

    def __init__(
        self,
        stdin_format: InputFormat = InputFormat.AUTO,
        table_options: TableOptions | None = None,
    ) -> None:
        self.stdin_format = stdin_format
        self.table_options = table_options or TableOptions()
        self.failed = False
        self.delimiter: str | None = None
        self.subtitles: set[str] = set()
        self._n_texts = 0

    def read(self, given: str) -> Iterator[Record]:
        """The records of a text, a file, a folder or standard input; what cannot be read is
        reported."""
        try:
            if given == STDIN:
                yield from self._read_stdin()
            elif (path := as_file(given)) is None:
                yield from self.read_texts([given])
            elif path.is_dir():
                for file in list_files(path):
                    yield from self.read(str(file))
            elif is_jsonl(path):
                yield from self._read_jsonl(path, str(path))
            elif is_table(path):
                yield from self._records_of(read_table(path, self.table_options))
            else:
                if path.suffix.lower() in SUBTITLES:
                    self.subtitles.add(str(path))
                yield make_text_record(str(path), path.read_bytes(), self.table_options.encoding)
        except ValenceECError as error:
            self._report(str(error))
        except OSError as error:
            self._report(f"{given}: {error.strerror or type(error).__name__}")

    def read_texts(self, texts: Iterable[str]) -> Iterator[Record]:
        """A record of each text, whatever it looks like; what is not UTF-8 is reported."""
        for text in texts:
            self._n_texts += 1
            try:
                yield make_text_record(f"text-{self._n_texts}", os.fsencode(text))
            except ValenceECError as error:
                self._report(str(error))

    def _read_stdin(self) -> Iterator[Record]:
        content = sys.stdin.buffer.read()
        kind = self.stdin_format
        if kind is InputFormat.AUTO:
            kind = recognize(content)
            if kind is not InputFormat.TEXT:
                note = f"{STDIN_NAME}: read as {kind.value}. `--stdin-format` says otherwise."
                err_console.print(note, markup=False)
        if kind is InputFormat.TEXT:
            if content.startswith(ZIP_START):
                raise ValenceECError(Errors.M014.format(path=STDIN_NAME))
            yield make_text_record(STDIN_NAME, content, self.table_options.encoding)
        elif kind is InputFormat.JSONL:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "stdin.jsonl"
                path.write_bytes(content)
                yield from self._read_jsonl(path, STDIN_NAME)
        else:
            tabs = kind is InputFormat.TSV
            table = parse_delimited(content, STDIN_NAME, self.table_options, tabs=tabs)
            yield from self._records_of(table)

    def _records_of(self, table: Table) -> Iterator[Record]:
        err_console.print(table.description, markup=False)
        self.delimiter = self.delimiter or table.delimiter
        yield from table.records

    def _read_jsonl(self, path: Path, name: str) -> Iterator[Record]:
        result = read_narratives(path, gold=False)
        if result.problems:
            print_problems(replace(problem, file=name) for problem in result.problems)
            self.failed = True
        yield from map(input_to_record, result.narratives)

    def _report(self, message: str) -> None:
        fail(message)
        self.failed = True


def recognize(content: bytes) -> InputFormat:
    """What the content of standard input is: JSON Lines if its first line is an object with a text,
    a table if a usual name stands in a header and all rows are of one length, else a text."""
    first = content.lstrip(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0]
    try:
        record = json.loads(first)
    except ValueError:
        record = None
    if isinstance(record, dict) and "text" in record:
        return InputFormat.JSONL
    try:
        text, _ = decode(content, None, STDIN_NAME)
    except ValenceECError:
        return InputFormat.TEXT
    delimiter = find_delimiter(text)
    if delimiter is None:
        return InputFormat.TEXT
    header = {name.strip().lower() for name in next(iter(parse(text, delimiter)))}
    if header.isdisjoint(NAMES["text"]):
        return InputFormat.TEXT
    return InputFormat.TSV if delimiter == "\t" else InputFormat.CSV


def as_file(given: str) -> Path | None:
    """The file or folder that an argument names, None when it is a text. An argument without white
    space that has a suffix or a path separator names a file.

    Raises: ValenceECError M004, M010 or M013 for a missing file, M005 for one of another kind than
    .txt, .jsonl and tables.
    """
    if not given:
        return None
    path = Path(given)
    try:
        exists = path.exists()
    except (OSError, ValueError):  # too long for a file name, or with a NUL
        return None
    if exists:
        if not path.is_dir() and not is_readable(path):
            suffixes = ", ".join([*TEXTS, ".jsonl", *SUFFIXES])
            raise ValenceECError(Errors.M005.format(path=given, suffixes=f"one of {suffixes}"))
        return path
    if is_readable(path):
        # A text may end like this too: it is not to stand in a message.
        if any(char.isspace() for char in given):
            raise ValenceECError(Errors.M010.format(suffix=path.suffix))
        raise ValenceECError(Errors.M004.format(path=given))
    if FILE_NAME.fullmatch(given):
        raise ValenceECError(Errors.M013.format(path=given))
    return None


def is_readable(path: Path) -> bool:
    """Return True if a file is named as one that can be read."""
    return is_jsonl(path) or is_table(path) or path.suffix.lower() in TEXTS


def list_files(folder: Path) -> list[Path]:
    """The files of a folder that can be read, by name.

    Raises: ValenceECError M015 if there is none.
    """
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and is_readable(path)]
    if not files:
        raise ValenceECError(Errors.M015.format(path=folder))
    return files


def make_text_record(name: str, content: bytes, encoding: str | None = None) -> Record:
    """A text as a record.

    Raises: ValenceECError M006 if it is not UTF-8, T004 or T005 if it does not fit an encoding that
    is named.
    """
    if encoding is not None:
        return {"id": name, "text": decode(content, encoding, name)[0]}
    try:
        return {"id": name, "text": content.decode("utf-8-sig")}
    except UnicodeDecodeError as error:
        raise ValenceECError(Errors.M006.format(path=name, offset=error.start)) from error
