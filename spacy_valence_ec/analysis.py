"""Texts and records in, records with units, valence and emotion carriers out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from .corpus.docs import doc_to_record
from .corpus.jsonl import Problem, check_input, input_to_record
from .errors import Errors, ValenceECError
from .journal import describe_folder
from .loading import DEFAULT_MODEL, load_pipeline
from .schema import FU_KEY, Narrative, ResultNames
from .transcripts.recognize import Kind, Speech
from .transcripts.strip import StrippedText, restore_record

Record = Mapping[str, Any]
Item = str | Record | Narrative

PLAIN = Speech()  # no headers
PREFIX = "predicted_"  # of result fields, where the input has fields of their names


def analyze(
    texts: Item | Iterable[Item],
    model: str | Language = DEFAULT_MODEL,
    *,
    prefix: str | None = None,
    overwrite: bool = False,
    batch_size: int | None = None,
    n_process: int = 1,
    strip: str | None = None,
    narrator: str | None = None,
) -> list[dict[str, Any]]:
    """Return a record for each text, with all that `valence-ec analyze` writes of it.

    texts: a text or several; or records, which must have a `text` and keep their other fields; or
        narratives.
    model: the name of a package or a folder, which is loaded once; or a pipeline.
    prefix: of the fields that hold the results. By default none, or `predicted_` where the input
        has a field of such a name.
    overwrite: replace fields of the input by the results.
    batch_size: texts a batch; by default the pipeline's own.
    n_process: processes to analyze in.
    strip: headers that are taken out of what is read: "transcript", "whatsapp", "srt" or "auto".
    narrator: the speaker whose units alone count for the narrative.

    Raises: ValueError for another value of `strip`; ValenceECError I001 for what cannot be
        analyzed, M002 and M003 for a pipeline that is missing or broken, M009 for one without
        functional units, T012 for fields that would be replaced, M018 for a prefix that is no
        name.
    """
    items = [texts] if isinstance(texts, (str, Mapping, Narrative)) else texts
    records, problems = to_records(items)
    if problems:
        raise ValenceECError(Errors.I001.format(n=len(problems), first=problems[0]))
    names = choose_names(records, prefix, overwrite)
    nlp = load_cached(model) if isinstance(model, str) else model
    pairs = [(record, names) for record in records]
    speech = Speech(Kind(strip) if strip else None, narrator)
    return list(annotate_records(nlp, pairs, batch_size, n_process, speech))


def to_records(items: Iterable[Item]) -> tuple[list[Record], list[Problem]]:
    """The records of texts, records and narratives, and what is wrong with them. A text is called
    `text-N`, a record without an id `line-N`, as in a file."""
    records: list[Record] = []
    problems: list[Problem] = []
    n_texts = 0
    for number, item in enumerate(items, start=1):
        if isinstance(item, str):
            n_texts += 1
            record: Record = {"id": f"text-{n_texts}", "text": item}
            _, found = check_input(record, number)
        else:
            given = input_to_record(item) if isinstance(item, Narrative) else item
            narrative, found = check_input(given, number)
            record = input_to_record(narrative) if narrative else {}
        problems += found
        if not found:
            records.append(record)
    return records, problems


def choose_names(records: Iterable[Record], prefix: str | None, overwrite: bool) -> ResultNames:
    """The fields that hold the results: without `overwrite` none that the records have.

    Raises: ValenceECError T012 if they have such a field, M018 for a prefix that is no name.
    """
    records = list(records)
    if prefix and not (prefix[0].isalpha() or prefix[0] == "_"):
        raise ValenceECError(Errors.M018.format(prefix=prefix))
    names = ResultNames(prefix or "")
    if overwrite:
        return names
    if prefix is None and find_clash(records, names):
        names = ResultNames(PREFIX)
    if clash := find_clash(records, names):
        n = sum(clash in record for record in records)
        raise ValenceECError(Errors.T012.format(n=n, field=clash))
    return names


def find_clash(records: Sequence[Record], names: ResultNames) -> str | None:
    """The first field for results that some record has already."""
    return next((name for name in names.all if any(name in record for record in records)), None)


def annotate_records(
    nlp: Language,
    records: Sequence[tuple[Record, ResultNames]],
    batch_size: int | None = None,
    n_process: int = 1,
    speech: Speech = PLAIN,
) -> Iterator[dict[str, Any]]:
    """Each record with what is predicted of it, in the fields that stand beside it.

    speech: the headers that are taken out of the texts.

    Raises: ValenceECError M009 for a pipeline without functional units.
    """
    # spaCy's limit guards parsers; these components need memory in proportion to the text.
    longest = max((len(record["text"]) for record, _ in records), default=0)
    nlp.max_length = max(nlp.max_length, longest)

    def to_pairs() -> Iterator[tuple[str | Doc, tuple[Record, ResultNames, StrippedText | None]]]:
        for record, names in records:
            kind = speech.kind_of(record["id"])
            if kind is Kind.NONE:
                yield record["text"], (record, names, None)
            else:
                stripped = StrippedText.of(record["text"], kind)
                words = {**record, "text": stripped.words}
                yield stripped.make_doc(nlp), (words, names, stripped)

    analyzed = nlp.pipe(to_pairs(), as_tuples=True, batch_size=batch_size, n_process=n_process)
    for doc, (record, names, stripped) in analyzed:
        if FU_KEY not in doc.spans:
            raise ValenceECError(Errors.M009.format(key=FU_KEY))
        result = doc_to_record(doc, record, prefix=names.prefix)
        if stripped is not None:
            result = restore_record(result, stripped, names, speech.narrator)
        yield result


def load_cached(name: str) -> Language:
    """The pipeline of that name or folder: the one that was loaded last, unless its files have
    changed since.

    Raises: ValenceECError M002 or M003, as `load_pipeline`.
    """
    return _load(name, tuple(describe_folder(Path(name))))


@lru_cache(maxsize=1)
def _load(name: str, files: tuple[tuple[str, int, int], ...]) -> Language:
    return load_pipeline(name)
