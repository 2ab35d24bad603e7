"""Writing files so that a reader never meets half of one."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def check_writable(path: Path) -> None:
    """Raise the OSError that writing `path` would meet, naming `path` and not a temporary file."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    # A folder that is writable would let os.replace() swap out a file that is write-protected.
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, binary: bool = False) -> Iterator[IO[Any]]:
    r"""A file handle whose content takes the place of `path` when the block ends without error.

    On any exception, KeyboardInterrupt included, what was at `path` stays as it was and the
    temporary file is removed. Text is UTF-8 with "\n" line ends. A link is followed; a device or
    pipe, such as /dev/stdout, is written directly.

    Raises:
        OSError: `path` is a folder, lies in none, or cannot be written. `filename` is `path`.
    """
    target = Path(os.path.realpath(path))
    options: dict[str, Any] = {} if binary else {"encoding": "utf-8", "newline": "\n"}
    mode = "wb" if binary else "w"
    # By the name given: /dev/stdout resolves to a name that does not exist when it is a pipe.
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        with open(path, mode, **options) as handle:
            yield handle
        return
    check_writable(target)
    try:
        descriptor, name = tempfile.mkstemp(prefix=".valence-ec-", dir=target.parent)
    except OSError as error:
        error.filename = str(target)
        raise
    try:
        with open(descriptor, mode, **options) as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        # mkstemp makes files that nobody else may read: give the usual permissions instead.
        os.chmod(name, _permissions(target))
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new folder, whose files take the place of all that is in the folder `path` when the block
    ends without error. On any exception what was there stays as it was. Its parents are made.

    Raises:
        OSError: `path` is a file, or its parent cannot be written.
    """
    target = Path(path)
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        made = Path(tempfile.mkdtemp(prefix=".valence-ec-", dir=target.parent))
    except OSError as error:
        error.filename = str(target)
        raise
    try:
        new = made / "new"
        new.mkdir()
        yield new
        # Two renames: for a moment there is no folder, but never a half one.
        if target.exists():
            target.rename(made / "old")
        new.rename(target)
    finally:
        if (made / "old").exists() and not target.exists():
            (made / "old").rename(target)
        shutil.rmtree(made, ignore_errors=True)


def _permissions(path: Path) -> int:
    """Those of the file that is replaced, or what the process gives to a new file."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
