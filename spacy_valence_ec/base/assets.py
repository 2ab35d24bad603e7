"""The files of the base: where they are, and that they are what they were when they were made."""

import hashlib
from functools import lru_cache
from pathlib import Path

import srsly

from ..errors import Errors, ValenceECError
from ..files import atomic_write

ASSETS = Path(__file__).parent / "assets"

CHECKSUMS = "checksums.json"
LEXICON = "lexicon.tsv"
VECTORS = "vectors.npy"
VECTORS_CONFIG = "vectors.json"
WEIGHTS = "weights"  # folder: a file a component
CARD = "README.md"
E5_LICENSE = "LICENSE-multilingual-e5-small.txt"


def asset_path(name: str, folder: Path | None = None) -> Path:
    """Path of a file of the base, after its checksum has been compared.

    name: relative to the folder, such as "lexicon.tsv".
    folder: of the base; None for the one of this package.
    Raises: ValenceECError B002 if the file, or the list of checksums, is not there, B003 if it is
    not the file that the list was made of.
    """
    base = ASSETS if folder is None else folder
    path = base / name
    expected = _checksums(base).get(name)
    if expected is None or not path.is_file():
        raise ValenceECError(Errors.B002.format(name=name, folder=base))
    stat = path.stat()
    if _checksum(path, stat.st_size, stat.st_mtime_ns) != expected:
        raise ValenceECError(Errors.B003.format(path=path))
    return path


def has_asset(name: str, folder: Path | None = None) -> bool:
    """Whether a base has a file."""
    return name in _checksums(ASSETS if folder is None else folder)


def listed_files(inside: str, folder: Path) -> list[str]:
    """The files of a base that lie in one of its folders and have a checksum."""
    return [name for name in _checksums(folder) if name.startswith(f"{inside}/")]


def write_checksums(folder: Path) -> dict[str, str]:
    """Write `checksums.json`: the SHA-256 of every other file of the base but its card."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in (CHECKSUMS, CARD):
            found[name] = sha256(path)
    with atomic_write(folder / CHECKSUMS) as handle:
        handle.write(srsly.json_dumps(found, indent=2) + "\n")
    return found


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@lru_cache(maxsize=32)
def _checksum(path: Path, size: int, modified: int) -> str:
    """Once for each state of a file in a process."""
    return sha256(path)


def _checksums(folder: Path) -> dict[str, str]:
    path = folder / CHECKSUMS
    try:
        found = srsly.read_json(path)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
