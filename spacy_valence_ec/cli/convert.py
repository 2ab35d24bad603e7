"""`valence-ec convert`: between the interchange format and spaCy's."""

from pathlib import Path
from typing import Annotated

import typer

from ..corpus.jsonl import SUFFIX, is_jsonl
from .console import err_console
from .corpus import Lang, blank_pipeline, tokenized
from .validate import SkipInvalid, read_valid, require_valid


def convert(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A .jsonl, .spacy or .txt file.")],
    output: Annotated[Path, typer.Argument(help="A .spacy, .jsonl or .txt file to write.")],
    skip_invalid: SkipInvalid = False,
    lang: Lang = "it",
) -> None:
    """Convert narratives from JSON Lines to a spaCy DocBin or to the line format, or back.

    The suffixes say which: .jsonl (.jsonl.gz), .spacy, .txt. Units, carriers, candidates, id,
    narrator and fields of your own are kept; in a DocBin, offsets inside a token are snapped
    outward, with a warning that counts them.

    Example: valence-ec convert corpus/narratives.jsonl narratives.spacy
    """
    suffixes = (_suffix(source), _suffix(output))
    if suffixes == (".jsonl", ".spacy"):
        from ..corpus.docs import write_docs

        nlp = blank_pipeline(lang)
        docs = tokenized(read_valid(source, skip_invalid=skip_invalid), nlp)
        write_docs(output, docs.values())
        written = len(docs)
    elif suffixes == (".spacy", ".jsonl"):
        from ..corpus.docs import doc_to_narrative, doc_to_record, read_docs
        from ..corpus.jsonl import narrative_to_record, write_records
        from ..schema import FU_KEY, SCORES_ATTR

        records = []
        for number, doc in enumerate(read_docs(source, blank_pipeline(lang).vocab), start=1):
            record = narrative_to_record(doc_to_narrative(doc, default_id=f"doc-{number}"))
            is_predicted = FU_KEY in doc.spans and SCORES_ATTR in doc.spans[FU_KEY].attrs
            records.append(doc_to_record(doc, record) if is_predicted else record)
        write_records(output, records)
        written = len(records)
    elif suffixes == (".jsonl", ".txt"):
        from ..corpus.lines import write_line_file

        narratives = read_valid(source, skip_invalid=skip_invalid)
        write_line_file(output, narratives)
        written = len(narratives)
    elif suffixes == (".txt", ".jsonl"):
        from ..corpus.jsonl import write_narratives
        from ..corpus.lines import read_line_files

        found = read_line_files([source])
        narratives = require_valid(found, source, skip_invalid=skip_invalid)
        write_narratives(output, narratives)
        written = len(narratives)
    else:
        raise typer.BadParameter(
            "one of the files must end in .jsonl and the other in .spacy or .txt."
        )
    err_console.print(f"{written} narratives written to {output}", markup=False)


def _suffix(path: Path) -> str:
    return SUFFIX if is_jsonl(path) else path.suffix.lower()
