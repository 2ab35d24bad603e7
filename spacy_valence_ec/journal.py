"""Results that are kept while a long run is under way, so that it can be resumed."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

SUFFIX = ".part"
KEY = "valence_ec_run"


class Journal:
    """A file beside the output that holds a line for every result, in the order of the input. Its
    first line names the run by its fingerprint: results of another run are not taken over.

    Only its owner can read it. It is removed with `remove`, once the output is written.
    """

    def __init__(self, output: Path, fingerprint: str):
        self.path = output.with_name(output.name + SUFFIX)
        self.fingerprint = fingerprint
        self.n_done = 0

    def __enter__(self) -> "Journal":
        end = self._find_end()
        if end == 0:
            self.n_done = 0
        flags = os.O_RDWR | os.O_CREAT
        self._handle = os.fdopen(os.open(self.path, flags, 0o600), "r+b")
        self._handle.truncate(end)
        self._handle.seek(end)
        if end == 0:
            self._write({KEY: self.fingerprint})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._handle.close()

    def append(self, record: dict[str, Any]) -> None:
        """Keep a result."""
        self._write(record)
        self.n_done += 1

    def read(self) -> Iterator[dict[str, Any]]:
        """The results, in order."""
        with self.path.open("rb") as handle:
            handle.readline()
            for line in handle:
                yield json.loads(line)

    def remove(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)

    def _write(self, record: dict[str, Any]) -> None:
        self._handle.write(json.dumps(record).encode() + b"\n")
        self._handle.flush()

    def _find_end(self) -> int:
        """Where the last whole line of this run ends; 0 if there is none of it. Counts the
        results."""
        end = 0
        try:
            with self.path.open("rb") as handle:
                if is_header(handle.readline(), self.fingerprint):
                    end = handle.tell()
                    for line in handle:
                        if not is_complete(line):
                            break
                        end += len(line)
                        self.n_done += 1
        except FileNotFoundError:
            pass
        return end


def is_header(line: bytes, fingerprint: str) -> bool:
    """Return True if a line is the first one of a run with this fingerprint."""
    return is_complete(line) and json.loads(line) == {KEY: fingerprint}


def is_complete(line: bytes) -> bool:
    """Return True if a line was written to its end."""
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False


def make_fingerprint(*parts: Any) -> str:
    """A hash of values that JSON can hold."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(json.dumps(part, sort_keys=True, default=str).encode() + b"\n")
    return digest.hexdigest()


def describe_folder(path: Path | None) -> list[tuple[str, int, int]]:
    """Name, size and time of change (nanoseconds) of every file of a folder."""
    if path is None:
        return []
    files = sorted(file for file in path.rglob("*") if file.is_file())
    stats = [(file.relative_to(path).as_posix(), file.stat()) for file in files]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
