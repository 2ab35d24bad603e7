"""CoNLL: a token a line, its tags as BIO in further columns, an empty line between sentences.

We write two columns of tags, of the units and of the carriers, behind a line `# newdoc id = ...`
for each narrative. White space is lost: the tokens of what is read are joined by blanks, sentences
by line ends, and --onto brings the text back.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from ..corpus.jsonl import Problem
from ..files import atomic_write
from ..schema import EC_KEY, EC_LABEL, FU_KEY
from .names import stem_of
from .scored import Scored
from .sources import decode, parse_json, read_bytes
from .tasks import Annotation, Found, Mark, MistakeError, Notes, Task, guarded
from .tokens import tokenized

NEW_DOCUMENT = "# newdoc id = "
DOCSTART = "-DOCSTART-"
TAG = re.compile(r"[BILUES]-\S.*|O")

Row = tuple[int, list[str]]  # number of the line, columns


def read(path: Path, notes: Notes) -> Found:
    """The documents of a file."""
    return guarded(str(path), lambda: _read(path, notes))


def _read(path: Path, notes: Notes) -> Found:
    stem = stem_of(str(path), (".conll", ".conllu", ".txt", ".tsv", ".bio"))
    for number, (identity, sentences) in enumerate(_documents(decode(read_bytes(path))), start=1):
        name = identity or f"{stem}-{number}"
        try:
            yield _task(str(path), number, name, sentences)
            notes["texts whose white space is that between tokens (--onto)"] += 1
        except MistakeError as mistake:
            yield Problem(str(path), sentences[0][0][0], name, mistake.rule, mistake.message)


def _documents(text: str) -> Iterator[tuple[str, list[list[Row]]]]:
    """The id, "" for none, and the sentences of each document."""
    identity = ""
    sentences: list[list[Row]] = [[]]
    for number, line in enumerate(re.split(r"\r?\n", text), start=1):
        is_comment = line.startswith("# ") and "\t" not in line
        if line.startswith((DOCSTART, NEW_DOCUMENT)):
            if any(sentences):
                yield identity, [sentence for sentence in sentences if sentence]
            identity, sentences = "", [[]]
            if is_comment:
                identity = _identity(line[len(NEW_DOCUMENT) :].strip())
        elif not line.strip():
            sentences.append([])
        elif not is_comment:
            columns = line.split("\t") if "\t" in line else line.split()
            sentences[-1].append((number, columns))
    if any(sentences):
        yield identity, [sentence for sentence in sentences if sentence]


def _identity(written: str) -> str:
    """An id, which is a string of JSON where we wrote it."""
    try:
        value = parse_json(written)
    except MistakeError:
        return written
    return value if isinstance(value, str) else written


def _task(file: str, number: int, identity: str, sentences: list[list[Row]]) -> Task:
    columns = _tag_columns(sentences)
    parts: list[str] = []
    marks: list[Mark] = []
    at = 0
    for sentence in sentences:
        edges = []
        for _, row in sentence:
            parts += [row[0], " "]
            edges.append((at, at + len(row[0])))
            at += len(row[0]) + 1
        parts[-1] = "\n"
        for column in columns:
            for label, first, last in _spans([row[column] for _, row in sentence]):
                marks.append(
                    Mark(edges[first][0], edges[last][1], (label,), f"column {column + 1}")
                )
    text = "".join(parts[:-1])
    return Task(file, number, identity, text, (Annotation("conll", tuple(marks)),))


def _tag_columns(sentences: list[list[Row]]) -> list[int]:
    """The columns that hold tags, and nothing but tags, from the second one on."""
    rows = [row for sentence in sentences for row in sentence]
    width = len(rows[0][1])
    for number, row in rows:
        if len(row) != width or width < 2:
            raise MistakeError("columns", f"line {number} has another number of columns")
    columns = [i for i in range(1, width) if all(TAG.fullmatch(row[i]) for _, row in rows)]
    if not columns:
        bad = next(number for number, row in rows if not TAG.fullmatch(row[-1]))
        raise MistakeError("tag", f"line {bad}: the last column is no tag of BIO")
    return columns


def _spans(tags: list[str]) -> Iterator[tuple[str, int, int]]:
    """Label, first and last token of each span."""
    from spacy.training.iob_utils import iob_to_biluo, tags_to_entities

    try:
        yield from tags_to_entities(iob_to_biluo(tags))
    except ValueError:
        raise MistakeError("tag", "the tags of a sentence do not follow BIO") from None


def write(path: Path, items: list[Scored], notes: Notes) -> list[Path]:
    """Write all narratives to one file."""
    with atomic_write(path) as handle:
        for item in items:
            handle.writelines(_lines(item, notes))
    return [path]


def _lines(item: Scored, notes: Notes) -> Iterator[str]:
    narrative = item.narrative
    doc = tokenized(narrative, notes)
    notes["narratives with white space and other fields (--onto brings them back)"] += 1
    unit_tags, carrier_tags = ["O"] * len(doc), ["O"] * len(doc)
    for tags, key in ((unit_tags, FU_KEY), (carrier_tags, EC_KEY)):
        for span in doc.spans[key]:
            label = span.label_ if key == FU_KEY else EC_LABEL
            tags[span.start : span.end] = [f"I-{label}"] * len(span)
            tags[span.start] = f"B-{label}"
    yield f"{NEW_DOCUMENT}{json.dumps(narrative.id)}\n"
    for token, unit, carrier in zip(doc, unit_tags, carrier_tags, strict=True):
        if not token.is_space:
            yield f"{token.text}\t{unit}\t{carrier}\n"
    yield "\n"
