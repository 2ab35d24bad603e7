"""The formats that `valence-ec import` reads and `valence-ec export` writes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import (
    brat,
    conll,
    doccano,
    elan,
    inception,
    label_studio,
    prodigy,
    subtitles,
    whatsapp,
)
from .offsets import OffsetUnit
from .scored import Scored
from .tasks import Found, Notes

Read = Callable[[Path, Notes], Found]
Write = Callable[[Path, list[Scored], Notes], list[Path]]
WriteCounted = Callable[[Path, list[Scored], Notes, OffsetUnit], list[Path]]


@dataclass(frozen=True)
class Format:
    """A format of another tool.

    `reads` and `writes` say what kinds of file, "" for none; `lost` is what it cannot hold.
    `offset_units` are what its files may count; `write_counted` writes what counts one of them.
    """

    name: str
    reads: str
    writes: str
    lost: str
    read: Read
    write: Write | None = None
    is_annotated: bool = True
    offset_units: tuple[OffsetUnit, ...] = (OffsetUnit.CODE_POINTS,)
    write_counted: WriteCounted | None = None


FORMATS = {
    found.name: found
    for found in (
        Format(
            "label-studio",
            reads=".json (JSON, JSON-MIN, before 1.0 too), .csv, .tsv",
            writes=".json, and .config.xml for the labels",
            lost="scores, on the way back",
            read=label_studio.read,
            write=label_studio.write,
            offset_units=label_studio.OFFSET_UNITS,
        ),
        Format(
            "brat",
            reads="a folder, .txt or .ann",
            writes="a folder, with its configuration",
            lost="scores; fields and \\r, but for --onto",
            read=brat.read,
            write=brat.write,
        ),
        Format(
            "doccano",
            reads=".jsonl, .json; of each user in a folder or .zip",
            writes=".jsonl",
            lost="scores; \\r, but for --onto",
            read=doccano.read,
            write=doccano.write,
            offset_units=doccano.OFFSET_UNITS,
            write_counted=doccano.write,
        ),
        Format(
            "prodigy",
            reads=".jsonl",
            writes=".jsonl",
            lost="edges of spans inside a token",
            read=prodigy.read,
            write=prodigy.write,
        ),
        Format(
            "inception",
            reads="CAS JSON, XMI, WebAnno TSV 3; a folder, a .zip, a project",
            writes="a folder of CAS JSON",
            lost="fields and control characters, but for --onto",
            read=inception.read,
            write=inception.write_json,
        ),
        Format(
            "inception-xmi",
            reads="the same",
            writes="a folder of XMI, with its type system",
            lost="the same",
            read=inception.read,
            write=inception.write_xmi,
        ),
        Format(
            "conll",
            reads="tokens and tags (BIO), a token a line",
            writes="one file, a column of units and one of carriers",
            lost="edges inside a token; white space and fields, but for --onto",
            read=conll.read,
            write=conll.write,
        ),
        Format(
            "subtitles",
            reads=".srt, .vtt, .sbv (texts alone)",
            writes="",
            lost="styles",
            read=subtitles.read,
            is_annotated=False,
        ),
        Format(
            "whatsapp",
            reads="the .txt of a chat (texts alone)",
            writes="",
            lost="media, lines of the system",
            read=whatsapp.read,
            is_annotated=False,
        ),
        Format(
            "elan",
            reads=".eaf (texts alone)",
            writes="",
            lost="tiers that depend on another one",
            read=elan.read,
            is_annotated=False,
        ),
    )
}
