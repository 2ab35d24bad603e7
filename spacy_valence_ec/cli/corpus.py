"""`valence-ec corpus`: annotated narratives to the files that training reads."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..corpus.statistics import corpus_statistics
from ..errors import Warnings
from ..files import atomic_write
from ..schema import Narrative
from .console import err_console
from .validate import SkipInvalid, read_valid

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

Lang = Annotated[str, typer.Option(help="Language of the tokenizer (a code of spaCy's).")]


def corpus(
    data: Annotated[Path, typer.Argument(help="Annotated narratives (JSON Lines).")],
    output_dir: Annotated[Path, typer.Argument(help="Folder to write to; made if missing.")],
    skip_invalid: SkipInvalid = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split.")] = 0,
    lang: Lang = "it",
) -> None:
    """Split annotated narratives by narrator, and write what training reads.

    Writes train, dev and test (70, 10 and 20% of the units), each as .spacy
    and as .jsonl. No narrator is in two parts; each part has about the same
    share of non-neutral units.

    A field "split" (train, dev, test) on every narrative is followed instead;
    narratives with "set": "challenge" are left out.

    Example: valence-ec corpus my_narratives.jsonl data --seed 1
    """
    from ..corpus.docs import docs_to_bytes
    from ..corpus.jsonl import narrative_to_record, record_to_line
    from ..corpus.split import PARTS, is_challenge, split_by_narrator

    outputs = [output_dir / f"{part}{suffix}" for part in PARTS for suffix in (".spacy", ".jsonl")]
    if data.resolve() in {path.resolve() for path in outputs}:
        raise typer.BadParameter(f"{data} would be overwritten: give another folder.")
    nlp = blank_pipeline(lang)
    narratives = read_valid(data, skip_invalid=skip_invalid)
    parts = split_by_narrator(narratives, seed=seed)
    split = [narrative for part in PARTS for narrative in parts[part]]
    unnamed = sum(narrative.narrator is None for narrative in split)
    if unnamed:
        err_console.print("warning:", style="bold yellow", end=" ")
        err_console.print(Warnings.W021.format(n=unnamed, total=len(split)), markup=False)
    docs = tokenized(split, nlp)
    output_dir.mkdir(parents=True, exist_ok=True)
    # All files are complete, and on the disk, before the first takes its place: no mixture of two
    # splits.
    with ExitStack() as stack:
        handles = []
        for part in PARTS:
            path = output_dir / part
            binary = stack.enter_context(atomic_write(path.with_suffix(".spacy"), binary=True))
            text = stack.enter_context(atomic_write(path.with_suffix(".jsonl")))
            binary.write(docs_to_bytes(docs[narrative.id] for narrative in parts[part]))
            text.writelines(record_to_line(narrative_to_record(n)) for n in parts[part])
            handles += [binary, text]
        for handle in handles:
            handle.flush()
    Console().print(_table(parts))
    challenge = sum(map(is_challenge, narratives))
    if challenge:
        typer.echo(f"{challenge} narratives of the challenge set were left out.", err=True)


def blank_pipeline(lang: str) -> "Language":
    """spaCy's tokenizer for a language.

    Raises:
        typer.BadParameter: spaCy has no such language.
    """
    import spacy

    try:
        return spacy.blank(lang)
    except ImportError:
        raise typer.BadParameter(f"spaCy has no language '{lang}'.") from None


def tokenized(narratives: Sequence[Narrative], nlp: "Language") -> dict[str, "Doc"]:
    """The Docs by id, with a progress bar; snapped and dropped annotation is told once."""
    from tqdm import tqdm

    from ..corpus.docs import narratives_to_docs

    bar: Iterable[Narrative] = tqdm(narratives, desc="tokenize", unit="narrative", disable=None)
    docs, snapping = narratives_to_docs(bar, nlp)
    for message in snapping.messages():
        err_console.print("warning:", style="bold yellow", end=" ")
        err_console.print(message, markup=False)
    return {narrative.id: doc for narrative, doc in zip(narratives, docs, strict=True)}


def _table(parts: Mapping[str, Sequence[Narrative]]) -> Table:
    table = Table("part", "narratives", "narrators", "units", "non-neutral", "with carrier")
    for column in table.columns[1:]:
        column.justify = "right"
    for part, narratives in parts.items():
        found = corpus_statistics(narratives)
        table.add_row(
            part,
            f"{found.narratives:,}",
            f"{found.narrators + found.without_narrator:,}",
            f"{found.units:,}",
            f"{found.non_neutral_share:.1%}",
            f"{found.carrier_share:.1%}",
        )
    return table
