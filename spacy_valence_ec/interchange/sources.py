"""Reading files that a stranger may have made: no file is larger than memory allows, XML declares
no entities, and archives are read in memory, never unpacked.

What is wrong with a file is a `MistakeError`; one that is missing is an OSError.
"""

import json
import math
import stat
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any
from xml.parsers import expat

from .tasks import MistakeError

MIB = 2**20
MOST_BYTES = 256 * MIB  # of a file, and of all that is taken out of an archive
MOST_MEMBERS = 100_000
MOST_EXPANSION = 200  # text is rarely packed by more than 20
SMALL = MIB  # below which expansion does no harm


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        MistakeError: it is larger than `MOST_BYTES`.
        OSError: it is missing or cannot be read.
    """
    with open(path, "rb") as handle:
        content = handle.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise MistakeError("too-large", f"the file has more than {MOST_BYTES // MIB} MiB")
    return content


def decode(content: bytes, *, keep_mark: bool = False) -> str:
    """UTF-8, with or without a byte-order mark, or UTF-16 with one. With `keep_mark`, for tools
    that count the mark of UTF-8 as a character, it stays.

    Raises:
        MistakeError: it is neither.
    """
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if keep_mark:
        encoding = "utf-8"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise MistakeError(
            "encoding", f"the byte at offset {error.start} is not {encoding[:6].upper()}"
        ) from None


def parse_json(text: str) -> Any:
    """The value that `text` is as JSON.

    Raises:
        MistakeError: it is none, or one that Python cannot hold.
    """

    def finite(number: str) -> float:
        value = float(number)
        if not math.isfinite(value):
            raise ValueError
        return value

    try:
        return json.loads(text, parse_constant=finite, parse_float=finite)
    except json.JSONDecodeError as error:
        # After a colon some messages of the json module quote the text.
        what = error.msg.split(":")[0]
        raise MistakeError("json", f"not JSON: {what} at offset {error.pos}") from None
    except RecursionError:
        raise MistakeError("json", "not JSON that can be read: nested too deeply") from None
    except ValueError:
        why = "NaN, an infinite number or one too long"
        raise MistakeError("json", f"not JSON that can be read: {why}") from None


def json_lines(text: str) -> Iterator[tuple[int, Any]]:
    """The number and the value of each line that is not empty, or the MistakeError instead of it,
    so that a broken line costs no other one."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            value: Any
            try:
                value = parse_json(line)
            except MistakeError as mistake:
                value = mistake
            yield number, value


def check_xml(content: bytes) -> None:
    """Refuse XML that is broken or has a document type, which could declare entities.

    Raises:
        MistakeError: it is such a file; with line and column.
    """
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise MistakeError("xml-entities", f"a document type in line {parser.CurrentLineNumber}")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        what = expat.errors.messages[error.code]
        where = f"line {error.lineno}, column {error.offset}"
        raise MistakeError("xml", f"not XML: {what} at {where}") from None


def archive_members(
    source: Path | bytes, is_wanted: Callable[[str], bool]
) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files of a .zip that are wanted, sorted by name.

    Raises:
        MistakeError: it is broken or encrypted, or made to do harm: names that lead out of it,
        links,
            or content that grows beyond measure.
        OSError: it is missing or cannot be read.
    """
    try:
        with zipfile.ZipFile(BytesIO(source) if isinstance(source, bytes) else source) as archive:
            left = MOST_BYTES
            if len(archive.infolist()) > MOST_MEMBERS:
                raise MistakeError("archive", f"more than {MOST_MEMBERS:,} files in the archive")
            # Every name is checked before any content is looked at.
            infos = [info for info in archive.infolist() if not info.is_dir()]
            for info in infos:
                _check_member(info)
            for info in sorted(infos, key=lambda info: info.filename):
                if is_wanted(info.filename):
                    with archive.open(info) as handle:
                        content = _read_member(handle, info, left)
                    left -= len(content)
                    yield info.filename, content
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, ValueError):
        raise MistakeError("archive", "not a .zip file, or a damaged one") from None
    except RuntimeError:  # as zipfile says that a password is missing
        raise MistakeError("archive", "the archive is encrypted") from None


def _check_member(info: zipfile.ZipInfo) -> None:
    name = info.filename.replace("\\", "/")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or name[1:2] == ":":
        raise MistakeError("archive", "a file of the archive is named outside of it")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise MistakeError("archive", "a file of the archive is a link")


def _read_member(handle: IO[bytes], info: zipfile.ZipInfo, left: int) -> bytes:
    """The content, no more of it than is allowed: what the archive says of its size may be a
    lie."""
    allowed = min(left, max(SMALL, MOST_EXPANSION * info.compress_size))
    try:
        content = handle.read(allowed + 1)
    except Exception as error:  # zlib, lzma and bz2 each have exceptions of their own
        raise MistakeError("archive", "a file of the archive is damaged") from error
    if len(content) > allowed:
        raise MistakeError("archive", "the archive grows beyond measure when it is unpacked")
    return content
