"""Ids of narratives as names of files, which must hold any id, and back."""

from pathlib import PurePath
from urllib.parse import quote, unquote

from ..corpus.jsonl import printable
from ..errors import Errors, ValenceECError

MOST_BYTES = 200  # of a name; most file systems take 255 with the suffix


def file_name(identity: str) -> str:
    """A name that every file system takes, and from which `identity_of` makes the id again.

    Raises:
        ValenceECError: the id is too long (X005).
    """
    name = quote(identity, safe="")
    if name.startswith((".", "~")):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if len(name) > MOST_BYTES:
        raise ValenceECError(Errors.X005.format(id=printable(identity)))
    return name


def identity_of(name: str) -> str:
    """The id that a file name, without its suffix, was made of; a name of another origin as it
    is."""
    try:
        identity = unquote(name, errors="strict")
        return identity if file_name(identity) == name else name
    except (UnicodeDecodeError, ValenceECError):
        return name


def stem_of(name: str, suffixes: tuple[str, ...]) -> str:
    """The last part of a path without the first of `suffixes` that it has, whatever their case."""
    last = PurePath(name).name
    for suffix in suffixes:
        if last.lower().endswith(suffix):
            return last[: -len(suffix)]
    return last
