"""INCEpTION: UIMA CAS JSON and XMI, by dkpro-cassis, WebAnno TSV 3, and exports of a project.

The layers that we write are `custom.FunctionalUnit` with a feature `valence` and
`custom.EmotionCarrier`. Layers of other projects are read by the names of their types and the
values of their features. Those of XMI are taken from the file itself: a type system that lacks one
would lose it.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from ..corpus.jsonl import Problem
from ..errors import missing_tool
from ..files import atomic_folder
from .alignment import blank_illegal
from .names import file_name, identity_of, stem_of
from .scored import Scored
from .sources import archive_members, check_xml, decode, parse_json, read_bytes
from .tasks import Annotation, Found, Mark, MistakeError, Notes, Task, guarded
from .webanno_tsv import parse_tsv

if TYPE_CHECKING:
    from cassis import Cas, TypeSystem

JSON, XMI, TSV, ZIP, SER = ".json", ".xmi", ".tsv", ".zip", ".ser"
DOCUMENTS = (JSON, XMI, TSV)
# Of documents that were uploaded; the first that fits is left out of the id.
NAME_SUFFIXES = (".cas.json", JSON, XMI, TSV, ".txt", ".xml", ZIP)

UNIT_TYPE, CARRIER_TYPE = "custom.FunctionalUnit", "custom.EmotionCarrier"
METADATA_TYPE = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData"
ANNOTATION, TOP, STRING = "uima.tcas.Annotation", "uima.cas.TOP", "uima.cas.String"

# Types that hold no annotation of a person.
NO_LAYERS = ("de.tudarmstadt.ukp.dkpro.core.api.segmentation.", METADATA_TYPE.rpartition(".")[0])
DOCUMENT_ANNOTATION = "uima.tcas.DocumentAnnotation"

CURATION, ANNOTATIONS = "curation", "annotation"
INITIAL = "INITIAL_CAS"
PROJECT_FILE = "exportedproject.json"

_XMI_NAMESPACE = "{http://www.omg.org/XMI}"
_BUILT_IN = "{http:///uima/cas.ecore}"


def read(path: Path, notes: Notes) -> Found:
    """The documents of a file, a folder or a .zip; of a project, the curated ones before those of
    annotators."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in DOCUMENTS:
                yield from _document(str(file), file.name, "inception", _content(file), notes)
    elif path.suffix.lower() == ZIP:
        yield from guarded(str(path), lambda: _archive(path, notes))
    else:
        yield from _document(str(path), path.name, "inception", _content(path), notes)


def _content(path: Path) -> Callable[[], bytes]:
    return lambda: read_bytes(path)


def _archive(path: Path, notes: Notes) -> Found:
    wanted = (*DOCUMENTS, ZIP, SER)
    members = [
        (PurePosixPath(name), content)
        for name, content in archive_members(path, lambda name: name.lower().endswith(wanted))
    ]
    is_project = any(name.name == PROJECT_FILE for name, _ in members)
    # folder/document/user.suffix
    by_document: dict[str, list[tuple[PurePosixPath, bytes]]] = {}
    for name, content in members:
        if name.suffix.lower() == SER or name.name == PROJECT_FILE or name.stem == INITIAL:
            continue
        if not is_project:
            yield from _document(f"{path}/{name}", name.name, "inception", _given(content), notes)
        elif len(name.parts) == 3 and name.parts[0] in (CURATION, ANNOTATIONS):
            by_document.setdefault(name.parts[1], []).append((name, content))
    if is_project and not by_document:
        raise MistakeError(
            "ser-only",
            "the project holds its annotations as .ser alone, which only UIMA reads: export it "
            "again with a secondary format, UIMA CAS JSON 0.4.0 or UIMA CAS XMI",
        )
    for document, files in by_document.items():
        curated = [entry for entry in files if entry[0].parts[0] == CURATION]
        notes["annotations passed over for curated ones"] += len(files) - len(curated or files)
        tasks = []
        for name, content in curated or files:
            content = _unpacked(content) if name.suffix.lower() == ZIP else content
            found = _document(f"{path}/{name}", document, name.stem, _given(content), notes)
            for item in found:
                if isinstance(item, Problem):
                    yield item
                else:
                    tasks.append(item)
        if tasks:
            annotations = tuple(a for task in tasks for a in task.annotations)
            first = tasks[0]
            identity = identity_of(stem_of(document, NAME_SUFFIXES))
            yield Task(first.file, 1, identity, first.text, annotations, first.fields)


def _given(content: bytes) -> Callable[[], bytes]:
    return lambda: content


def _unpacked(content: bytes) -> bytes:
    """The document in the .zip of one annotator."""
    for _, inner in archive_members(content, lambda name: name.lower().endswith(DOCUMENTS)):
        return inner
    raise MistakeError("archive", "an archive in the archive holds no document")


def _document(
    file: str, name: str, annotator: str, content: Callable[[], bytes], notes: Notes
) -> Found:
    """The task that one document is; its kind is told by its first character."""

    def found() -> Found:
        raw = content()
        start = raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        title = name
        if start == b"<":
            check_xml(raw)
            text, marks, title_there = _of_cas(_load(lambda: _read_xmi(raw)))
            title = title_there or title
        elif start == b"{":
            decoded = decode(raw)
            parse_json(decoded)
            text, marks, title_there = _of_cas(_load(lambda: _read_json(decoded)))
            title = title_there or title
        else:
            text, found_marks, gaps = parse_tsv(decode(raw))
            marks = found_marks
            notes["characters between sentences taken for line ends (--onto)"] += gaps
        identity = identity_of(stem_of(title, NAME_SUFFIXES))
        annotation = Annotation(annotator, tuple(marks))
        yield Task(file, 1, identity, text, (annotation,))

    return guarded(file, found)


def _load(read_cas: Callable[[], "Cas"]) -> "Cas":
    """A CAS, or a mistake where cassis raises one of many exceptions or only warns."""
    try:
        with warnings.catch_warnings():
            # An offset outside of the text is only a warning there.
            warnings.simplefilter("error")
            return read_cas()
    except ImportError:
        raise missing_tool("dkpro-cassis", "reads and writes files of INCEpTION") from None
    except UserWarning:
        raise MistakeError("offsets", "an offset lies outside of the text") from None
    except Exception as error:
        kind = type(error).__name__
        raise MistakeError("cas", f"not a UIMA CAS that can be read ({kind})") from error


def _read_json(content: str) -> "Cas":
    from cassis import load_cas_from_json

    return load_cas_from_json(content)


def _read_xmi(content: bytes) -> "Cas":
    from cassis import load_cas_from_xmi

    typesystem = _types_of(content)
    return load_cas_from_xmi(BytesIO(content), typesystem=typesystem, trusted=True)


def _types_of(content: bytes) -> "TypeSystem":
    """A type for each kind of element of an XMI, with a string feature for each attribute."""
    from cassis import TypeSystem

    attributes: dict[str, dict[str, None]] = {}
    children: dict[str, dict[str, None]] = {}
    for element in ElementTree.fromstring(content):
        if element.tag.startswith((_BUILT_IN, _XMI_NAMESPACE)):
            continue
        name = _type_name(element.tag)
        attributes.setdefault(name, {}).update(dict.fromkeys(element.attrib))
        children.setdefault(name, {}).update(dict.fromkeys(child.tag for child in element))
    typesystem = TypeSystem()
    for name, found in attributes.items():
        if name in (ANNOTATION, DOCUMENT_ANNOTATION):
            continue
        is_annotation = {"begin", "end"} <= found.keys()
        new = typesystem.create_type(name, ANNOTATION if is_annotation else TOP)
        for feature in found:
            own = feature not in ("sofa", "begin", "end") or not is_annotation
            if own and not feature.startswith("{"):
                typesystem.create_feature(new, feature, STRING)
        for feature in children[name]:
            typesystem.create_feature(new, feature, "uima.cas.StringArray")
    return typesystem


def _type_name(tag: str) -> str:
    """`a.b.Type` for `{http:///a/b.ecore}Type`."""
    namespace, _, name = tag.removeprefix("{").partition("}")
    package = namespace.removeprefix("http:///").removesuffix(".ecore").replace("/", ".")
    return f"{package}.{name}" if package != "uima.noNamespace" else name


def _of_cas(cas: "Cas") -> tuple[str, list[Mark], str]:
    """The text, its marks and the title of the document."""
    if not isinstance(cas.sofa_string, str):
        raise MistakeError("text-missing", "the CAS holds no text")
    title = ""
    marks = []
    for found in cas.select(ANNOTATION):
        name = found.type.name
        if name == METADATA_TYPE:
            title = found.get("documentTitle") or ""
        if name == DOCUMENT_ANNOTATION or name.startswith(NO_LAYERS):
            continue
        values = [found.get(feature.name) for feature in found.type.all_features]
        names = (found.type.short_name, name, *(v for v in values if isinstance(v, str)))
        marks.append(Mark(int(found.begin), int(found.end), names, name))
    return cas.sofa_string, marks, title


def write_json(path: Path, items: list[Scored], notes: Notes) -> list[Path]:
    """Write a folder with a CAS JSON 0.4 of each narrative in place of what is at `path`."""
    return _write(path, items, notes, JSON, lambda cas, file: cas.to_json(file))


def write_xmi(path: Path, items: list[Scored], notes: Notes) -> list[Path]:
    """Write a folder with an XMI of each narrative and their type system."""

    def write_cas(cas: "Cas", file: Path) -> None:
        cas.to_xmi(file)
        cas.typesystem.to_xml(file.with_name("TypeSystem.xml"))

    return _write(path, items, notes, XMI, write_cas)


def _write(
    path: Path,
    items: Iterable[Scored],
    notes: Notes,
    suffix: str,
    write_cas: Callable[["Cas", Path], Any],
) -> list[Path]:
    typesystem = _our_types()
    with atomic_folder(path) as folder:
        for item in items:
            narrative = item.narrative
            name = f"{file_name(narrative.id)}{suffix}"
            text = blank_illegal(narrative.text)
            notes["texts with characters that XML cannot hold, blanked (--onto)"] += (
                text != narrative.text
            )
            notes["narratives with other fields (--onto brings them back)"] += bool(
                narrative.extra or narrative.narrator or narrative.candidates
            )
            write_cas(_cas(item, text, name, typesystem), folder / name)
    return [path]


def _our_types() -> "TypeSystem":
    try:
        from cassis import TypeSystem
    except ImportError:
        raise missing_tool("dkpro-cassis", "reads and writes files of INCEpTION") from None
    typesystem = TypeSystem()
    unit = typesystem.create_type(UNIT_TYPE, ANNOTATION)
    typesystem.create_feature(unit, "valence", STRING)
    carrier = typesystem.create_type(CARRIER_TYPE, ANNOTATION)
    for scored in (unit, carrier):
        typesystem.create_feature(scored, "score", "uima.cas.Double")
    metadata = typesystem.create_type(METADATA_TYPE, DOCUMENT_ANNOTATION)
    typesystem.create_feature(metadata, "documentTitle", STRING)
    return typesystem


def _cas(item: Scored, text: str, name: str, typesystem: "TypeSystem") -> "Cas":
    from cassis import Cas

    narrative = item.narrative
    cas = Cas(typesystem=typesystem)
    cas.sofa_string = text
    cas.sofa_mime = "text/plain"
    metadata = typesystem.get_type(METADATA_TYPE)
    cas.add(metadata(begin=0, end=len(text), language=narrative.lang, documentTitle=name))
    unit_type, carrier_type = typesystem.get_type(UNIT_TYPE), typesystem.get_type(CARRIER_TYPE)
    for span, score in _scored(narrative.units, item.unit_scores):
        cas.add(unit_type(begin=span.start, end=span.end, valence=span.valence, score=score))
    for span, score in _scored(narrative.carriers, item.carrier_scores):
        cas.add(carrier_type(begin=span.start, end=span.end, score=score))
    return cas


def _scored(spans: Iterable[Any], scores: Iterable[float] | None) -> Iterator[tuple[Any, Any]]:
    spans = list(spans)
    given: Any = scores or [None] * len(spans)
    return zip(spans, given, strict=True)
