"""The text to learn from: public sources and training narratives, without duplicates, with a part
held out by document."""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..corpus.jsonl import read_narratives, record_to_line
from ..corpus.sources import SOURCES, Document, clean, training_narratives
from ..corpus.split import TRAIN
from ..errors import Errors, ValenceECError
from ..files import atomic_write
from .settings import NARRATIVES, TextSettings

DEV = "dev"
TEXT_PARTS = (TRAIN, DEV)
COUNTS = "counts.json"

NARRATIVES_LICENSE = "CC BY 4.0"
NARRATIVES_CITATION = "The training narratives of this project's corpus, or the user's own"

Counts = dict[str, Any]


@dataclass(frozen=True)
class Text:
    """A text to learn from, as `read_text` gives it: of each part a source and a text a document,
    and what is known of it."""

    train: list[tuple[str, str]]
    dev: list[tuple[str, str]]
    counts: Counts


def prepare_text(sources: Path, narratives: Path, output: Path, settings: TextSettings) -> Counts:
    """Write `train.jsonl`, `dev.jsonl` and `counts.json` to the folder `output`.

    sources: folder of the public corpora (`corpus.sources.SOURCES`), read in place.
    narratives: file of annotated narratives; those whose field `split` is `train` are taken.

    A line is a document: `source`, `id`, `text`, the paragraphs of which are set off by line feeds.
    A paragraph that has come before, upper and lower case alike, is left out, and so is one of a
    narrative that is not for training. A document is in one part only, whatever the order of the
    files and whichever other documents of other sources there are.

    Returns: what `counts.json` holds. Raises: ValenceECError B001 for a source that is not there,
    M004 for narratives that are not, P003 if nothing is left, P004 if nothing is held out; OSError.
    """
    if not narratives.is_file():
        raise ValenceECError(Errors.M004.format(path=narratives))
    # Before anything else: a text that must not be learned counts as one that was seen.
    seen = {_key(paragraph) for paragraph in _forbidden(narratives)}
    forbidden = frozenset(seen)
    removed: Counter[str] = Counter()
    barred: Counter[str] = Counter()
    kept: dict[str, list[Document]] = defaultdict(list)
    for document in _documents(sources, narratives, settings):
        paragraphs = []
        # Narratives are as their writers want them: "27!!" is a line of one.
        is_public = document.source != NARRATIVES
        cleaned = map(tidy, document.paragraphs) if is_public else document.paragraphs
        for paragraph in filter(None, cleaned):
            key = _key(paragraph)
            if key in seen:
                (barred if key in forbidden else removed)[document.source] += 1
                continue
            seen.add(key)
            paragraphs.append(paragraph)
        if paragraphs:
            kept[document.source].append(replace(document, paragraphs=tuple(paragraphs)))
    parts = split_documents(kept, settings)
    for part in TEXT_PARTS:
        if not parts[part]:
            error = Errors.P003 if part == TRAIN else Errors.P004
            raise ValenceECError(error.format(path=sources))

    counts = _count(parts, removed, barred, settings)
    output.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        handles = {
            name: stack.enter_context(atomic_write(output / name, binary=True))
            for name in (*map(file_of, TEXT_PARTS), COUNTS)
        }
        for part in TEXT_PARTS:
            content = "".join(map(_line, parts[part])).encode("utf-8")
            counts["sha256"][file_of(part)] = sha256(content).hexdigest()
            handles[file_of(part)].write(content)
        as_json = json.dumps(counts, indent=2, ensure_ascii=False) + "\n"
        handles[COUNTS].write(as_json.encode("utf-8"))
        for handle in handles.values():
            handle.flush()
    return counts


def file_of(part: str) -> str:
    """The name of the file of a part, `train` or `dev`."""
    return f"{part}.jsonl"


def read_text(folder: Path) -> Text:
    """What `prepare_text` wrote.

    Raises: ValenceECError P005 if a file is missing, or is not the one that was written, P003 if
    there is no text.
    """
    try:
        counts = json.loads((folder / COUNTS).read_text("utf-8"))
        expected = counts["sha256"]
        contents = {part: (folder / file_of(part)).read_bytes() for part in TEXT_PARTS}
        parts = {part: list(_read_lines(content)) for part, content in contents.items()}
        hashes = {file_of(part): sha256(content).hexdigest() for part, content in contents.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValenceECError(Errors.P005.format(path=folder)) from error
    if hashes != expected:
        raise ValenceECError(Errors.P005.format(path=folder))
    if not parts[TRAIN] or not parts[DEV]:
        raise ValenceECError(Errors.P003.format(path=folder))
    return Text(parts[TRAIN], parts[DEV], counts)


def tidy(paragraph: str) -> str:
    """A paragraph without numbers of notes, such as [12]; empty when it is not mostly letters."""
    paragraph = " ".join(re.sub(r"\[\d+\]", " ", paragraph).split())
    letters = sum(char.isalpha() or char.isspace() for char in paragraph)
    return paragraph if 2 * letters > len(paragraph) else ""


def split_documents(
    documents: dict[str, list[Document]], settings: TextSettings
) -> dict[str, list[Document]]:
    """The documents of both parts, in their order.

    Of each source, the share `dev_share` is held out, one document at least where there are two:
    those whose hash, of seed, source and id, is the smallest.
    """
    parts: dict[str, list[Document]] = {part: [] for part in TEXT_PARTS}
    for source, found in documents.items():
        ranks = {_rank(source, document.id, settings.seed): document.id for document in found}
        size = max(1, math.floor(settings.dev_share * len(ranks) + 0.5)) if len(ranks) > 1 else 0
        held_out = {ranks[rank] for rank in sorted(ranks)[:size]}
        for document in found:
            parts[DEV if document.id in held_out else TRAIN].append(document)
    return parts


def _rank(source: str, identifier: str, seed: int) -> str:
    return sha256(f"{seed}\0{source}\0{identifier}".encode()).hexdigest()


def _documents(sources: Path, narratives: Path, settings: TextSettings) -> Iterator[Document]:
    for name, source in SOURCES.items():
        if settings.repeats[name]:
            yield from source.documents(sources)
    if settings.repeats[NARRATIVES]:
        yield from training_narratives(narratives)


def _forbidden(narratives: Path) -> Iterator[str]:
    """The lines of the narratives that are not for training, and each of them as a whole."""
    for narrative in read_narratives(narratives).narratives:
        if narrative.extra.get("split") != TRAIN:
            yield from filter(None, map(clean, narrative.text.splitlines()))
            yield clean(narrative.text)


def _key(paragraph: str) -> bytes:
    return sha256(paragraph.casefold().encode("utf-8")).digest()


def _line(document: Document) -> str:
    record = {"source": document.source, "id": document.id, "text": "\n".join(document.paragraphs)}
    return record_to_line(record)


def _read_lines(content: bytes) -> Iterator[tuple[str, str]]:
    for line in filter(None, content.decode("utf-8").split("\n")):
        record = json.loads(line)
        yield record["source"], record["text"]


def _count(
    parts: dict[str, list[Document]],
    removed: Counter[str],
    barred: Counter[str],
    settings: TextSettings,
) -> Counts:
    found: dict[str, Any] = {}
    for name in (*SOURCES, NARRATIVES):
        if not settings.repeats[name]:
            continue
        source = SOURCES.get(name)
        found[name] = {
            "license": source.license if source else NARRATIVES_LICENSE,
            "citation": source.citation if source else NARRATIVES_CITATION,
            "duplicates_removed": removed[name],
            "paragraphs_of_held_out_narratives_removed": barred[name],
            **{
                part: _sizes([document for document in parts[part] if document.source == name])
                for part in TEXT_PARTS
            },
        }
    return {
        "seed": settings.seed,
        "dev_share": settings.dev_share,
        "sources": found,
        "total": {part: _sizes(parts[part]) for part in TEXT_PARTS},
        "sha256": {},
    }


def _sizes(documents: list[Document]) -> dict[str, int]:
    return {
        "documents": len(documents),
        "words": sum(document.n_words for document in documents),
        "characters": sum(len(part) for document in documents for part in document.paragraphs),
    }
