"""brat: a folder with a .txt and an .ann file for each narrative, and the configuration.

Offsets are code points of the text with line ends counted as one. A span over line breaks is
written as fragments, one a line, and read as one span from its first character to its last. The
name of the files is the id of the narrative.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..corpus.jsonl import Problem
from ..files import atomic_folder
from ..schema import EC_LABEL, VALENCES, Offsets
from .alignment import normalize_line_ends
from .names import file_name, identity_of
from .scored import Scored
from .sources import decode, read_bytes
from .tasks import Annotation, Found, Mark, MistakeError, Notes, Task

TEXT, ANNOTATION = ".txt", ".ann"

SPAN = re.compile(r"(T\S+)\t(\S+) (\d{1,9} \d{1,9}(?:;\d{1,9} \d{1,9})*)(?:\t(.*))?", re.DOTALL)
ATTRIBUTE = re.compile(r"[AM]\S*\t(\S+) (\S+)(?: (\S.*))?", re.DOTALL)

ANNOTATION_CONF = f"""\
[entities]
{chr(10).join((*VALENCES, EC_LABEL))}

[relations]
<OVERLAP> Arg1:<ENTITY>, Arg2:<ENTITY>, <OVL-TYPE>:<ANY>

[events]

[attributes]
"""

VISUAL_CONF = """\
[labels]

[drawing]
SPAN_DEFAULT fgColor:black, bgColor:lightgreen, borderColor:darken
negative bgColor:#d73027
neutral bgColor:#bdbdbd
positive bgColor:#1a9850
EC bgColor:#2166ac, fgColor:white
"""


def read(path: Path, notes: Notes) -> Found:
    """The texts of a folder and its folders, or one .txt or .ann file; a text without .ann file has
    no annotation."""
    folder = path if path.is_dir() else path.parent
    texts = sorted(path.rglob(f"*{TEXT}")) if path.is_dir() else [path.with_suffix(TEXT)]
    for annotation_path in path.rglob(f"*{ANNOTATION}") if path.is_dir() else ():
        if not annotation_path.with_suffix(TEXT).exists():
            yield Problem(str(annotation_path), 0, "", "text-missing", "no .txt file beside it")
    for text_path in texts:
        annotation_path = text_path.with_suffix(ANNOTATION)
        name = text_path.relative_to(folder).with_suffix("").as_posix()
        identity = identity_of(name)
        try:
            text = normalize_line_ends(decode(read_bytes(text_path), keep_mark=True))[0]
        except MistakeError as mistake:
            yield Problem(str(text_path), 0, identity, mistake.rule, mistake.message)
            continue
        try:
            annotations: tuple[Annotation, ...] = ()
            if annotation_path.exists():
                marks = tuple(_marks(decode(read_bytes(annotation_path)), text, notes))
                annotations = (Annotation("brat", marks),)
            yield Task(str(text_path), 1, identity, text, annotations)
        except MistakeError as mistake:
            yield Problem(str(annotation_path), 0, identity, mistake.rule, mistake.message)


def _marks(content: str, text: str, notes: Notes) -> Iterator[Mark]:
    """The text-bound annotations; attributes give further names, all else is passed over."""
    values: dict[str, list[str]] = {}
    spans: list[tuple[int, re.Match[str]]] = []
    for number, line in enumerate(content.split("\n"), start=1):
        line = line.removesuffix("\r")
        if line.startswith("T"):
            match = SPAN.fullmatch(line)
            if match is None:
                raise MistakeError("ann", f"line {number} is no text-bound annotation")
            spans.append((number, match))
        elif line.startswith(("A", "M")):
            match = ATTRIBUTE.fullmatch(line)
            if match is None:
                raise MistakeError("ann", f"line {number} is no attribute")
            name, target, value = match.groups()
            values.setdefault(target, []).append(value or name)
        elif line.startswith(("R", "E", "N", "#", "*")):
            kind = {"R": "relations", "E": "events", "*": "relations", "#": "notes"}
            notes[f"{kind.get(line[0], 'normalizations')} passed over"] += 1
        elif line.strip():
            raise MistakeError("ann", f"line {number} is no annotation")
    for number, match in spans:
        identity, name, offsets, covered = match.groups()
        fragments = [
            Offsets(int(start), int(end))
            for start, end in (pair.split() for pair in offsets.split(";"))
        ]
        _check_text(number, fragments, covered, text)
        notes["fragments of spans joined"] += len(fragments) - 1
        yield Mark(fragments[0].start, fragments[-1].end, (name, *values.get(identity, ())))


def _check_text(number: int, fragments: Iterable[Offsets], covered: str | None, text: str) -> None:
    """Compare the text of a line, in which fragments are joined by a blank, with that of the
    file."""
    done = 0
    parts = []
    for span in fragments:
        if not done <= span.start < span.end <= len(text):
            raise MistakeError("offsets", f"line {number}: {span.start}-{span.end} is no span")
        parts.append(text[span.start : span.end])
        done = span.end
    if covered is not None and covered.split() != " ".join(parts).split():
        raise MistakeError("ann-text", f"line {number}: the text is not that at its offsets")


def write(path: Path, items: list[Scored], notes: Notes) -> list[Path]:
    """Write a folder in place of what is at `path`."""
    with atomic_folder(path) as folder:
        for item in items:
            _write_narrative(folder, item, notes)
        (folder / "annotation.conf").write_text(ANNOTATION_CONF, encoding="utf-8")
        (folder / "visual.conf").write_text(VISUAL_CONF, encoding="utf-8")
    return [path]


def _write_narrative(folder: Path, item: Scored, notes: Notes) -> None:
    narrative = item.narrative
    text, move = normalize_line_ends(narrative.text)
    name = file_name(narrative.id)
    (folder / f"{name}{TEXT}").write_bytes(text.encode("utf-8"))
    notes["texts whose line ends became \\n (--onto brings them back)"] += text != narrative.text
    notes["narratives with other fields (--onto brings them back)"] += bool(
        narrative.extra or narrative.narrator or narrative.candidates
    )
    notes["scores"] += item.score is not None
    if not item.is_annotated:
        return
    marks = [(unit.valence, move(unit)) for unit in narrative.units]
    marks += [(EC_LABEL, move(span)) for span in narrative.carriers]
    lines = [_line(number, *mark, text) for number, mark in enumerate(marks, start=1)]
    (folder / f"{name}{ANNOTATION}").write_bytes("".join(lines).encode("utf-8"))


def _line(number: int, label: str, span: Offsets, text: str) -> str:
    r"""A text-bound annotation, with a fragment for each stretch without "\n"."""
    fragments = [
        (span.start + match.start(), span.start + match.end())
        for match in re.finditer(r"[^\n]+", text[span.start : span.end])
    ]
    offsets = ";".join(f"{start} {end}" for start, end in fragments)
    covered = " ".join(text[start:end] for start, end in fragments)
    return f"T{number}\t{label} {offsets}\t{covered}\n"
