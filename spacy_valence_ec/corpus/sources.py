"""Italian text to learn from: corpora read in place, each with its licence."""

import csv
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ..errors import Errors, ValenceECError
from .jsonl import read_narratives
from .split import TRAIN


@dataclass(frozen=True)
class Document:
    """A text that is never divided between training and held-out data.

    `paragraphs` are cleaned: one line each, without white space at the edges, none empty.
    """

    source: str
    id: str
    paragraphs: tuple[str, ...]

    @property
    def n_words(self) -> int:
        """Stretches between white space."""
        return sum(len(paragraph.split()) for paragraph in self.paragraphs)


@dataclass(frozen=True)
class Source:
    """A corpus: where it lies in the folder of all sources, what it permits, how it is read."""

    name: str
    folder: str
    license: str
    citation: str
    read: Callable[[Path], Iterable[tuple[str, list[str]]]]

    def documents(self, root: Path) -> Iterator[Document]:
        """The documents of the corpus in `root`, in the order of its files; without text, none.

        Raises: ValenceECError B001 if the folder of the corpus is not there.
        """
        folder = root / self.folder
        if not folder.exists():
            raise ValenceECError(Errors.B001.format(name=self.name, path=folder))
        for identifier, paragraphs in self.read(folder):
            cleaned = tuple(part for text in paragraphs for part in pieces(clean(text)))
            if cleaned:
                yield Document(self.name, identifier, cleaned)


def clean(text: str) -> str:
    """One line in composed characters (NFC), without control characters, soft hyphens, marks of
    subtitles (a dialogue dash, tags) and doubled white space."""
    text = unicodedata.normalize("NFC", text).replace("\u00ad", "").replace("\ufeff", "")
    text = re.sub(r"</?[ib]>|\{\\[^}]*\}", "", text)
    text = "".join(" " if unicodedata.category(char) in ("Cc", "Cf") else char for char in text)
    return re.sub(r"^[-–—]\s+", "", " ".join(text.split()))


def pieces(paragraph: str, limit: int = 2000) -> Iterator[str]:
    """A paragraph, cut at sentence ends into parts of about `limit` characters at most: some
    novels are one line."""
    part = ""
    for sentence in re.split(r"(?<=[.!?…»])\s+", paragraph):
        if part and len(part) + len(sentence) >= limit:
            yield part
            part = ""
        part = f"{part} {sentence}" if part else sentence
    if part:
        yield part


def read_lines(path: Path) -> list[str]:
    """Lines of a UTF-8 text file, without their ends.

    Raises: ValenceECError M006 for another encoding.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValenceECError(Errors.M006.format(path=path, offset=error.start)) from error


def read_text_files(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A document a `.txt` file; paragraphs are set off by blank lines."""
    for path in sorted(folder.rglob("*.txt")):
        yield path.stem, paragraphs_of(read_lines(path))


def paragraphs_of(lines: Iterable[str]) -> list[str]:
    """Join the lines between blank ones."""
    blocks = groupby(lines, key=lambda line: bool(line.strip()))
    return [" ".join(block) for filled, block in blocks if filled]


def _read_common_voice(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for path in sorted(folder.rglob("*.txt")):
        for number, line in enumerate(read_lines(path), 1):
            yield f"{path.stem}:{number}", [line]


def _read_xed(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A document a film: the Italian side of the aligned subtitles."""
    rows = [line.split("\t") for line in read_lines(folder / XED_PAIRS)]
    films: dict[str, list[str]] = {}
    for row in rows:
        if len(row) == XED_COLUMNS:
            films.setdefault(row[1], []).append(row[-1])
    yield from films.items()


XED_PAIRS = "subtitle-retrieval/students/pairs-it.txt"
XED_COLUMNS = 6


def emoita_document(identifier: str) -> str:
    """The document of EmoBank that a sentence stands in: its id without the offsets."""
    return re.sub(r"_\d+_\d+$", "", identifier)


def _read_emoita(folder: Path) -> Iterator[tuple[str, list[str]]]:
    with (folder / "corpus" / "EmoITA.csv").open(encoding="utf-8-sig", newline="") as file:
        texts: dict[str, list[str]] = {}
        for row in csv.DictReader(file):
            texts.setdefault(emoita_document(row["id"]), []).append(row["text"])
    yield from texts.items()


def _read_conllu_text(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A document a sentence of the training part of a treebank."""
    mark = "# text = "
    for path in sorted(folder.glob("*-ud-train.conllu")):
        for number, line in enumerate(read_lines(path), 1):
            if line.startswith(mark):
                yield f"{path.stem}:{number}", [line.removeprefix(mark)]


def training_narratives(path: Path) -> Iterator[Document]:
    """The narratives whose field `split` is `train`, and no other: no text of a dev or test
    narrative may reach what is trained here."""
    for narrative in read_narratives(path).narratives:
        if narrative.extra.get("split") == TRAIN:
            lines = tuple(filter(None, map(clean, narrative.text.splitlines())))
            yield Document("narratives", narrative.id, lines)


SOURCES = {
    source.name: source
    for source in (
        Source(
            "eltec",
            "eltec_ita/Orig",
            "public domain",
            "ELTeC-ita, COST Action Distant Reading for European Literary History: Italian novels "
            "of 1840 to 1920",
            read_text_files,
        ),
        Source(
            "common_voice",
            "common_voice_it/server/data/it",
            "CC0 1.0",
            "Mozilla Common Voice, Italian prompt sentences",
            _read_common_voice,
        ),
        Source(
            "xed",
            "xed_it",
            "CC BY 4.0",
            "XED, Öhman et al. 2020: Italian subtitles of OPUS OpenSubtitles",
            _read_xed,
        ),
        Source(
            "emoita",
            "emoita",
            "CC BY-SA 4.0",
            "EmoITA, Gafà, Cutugno and Venuti 2023: Italian translation of EmoBank",
            _read_emoita,
        ),
        Source(
            "twittiro",
            "ud_twittiro",
            "CC BY-SA 4.0",
            "UD Italian-TWITTIRO, Cignarella et al. 2019: ironic tweets",
            _read_conllu_text,
        ),
    )
}
