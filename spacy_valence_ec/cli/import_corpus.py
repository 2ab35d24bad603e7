"""`valence-ec import`: public corpora in the interchange format."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

EPILOG = """[bold]Examples[/bold]

valence-ec import reccon sources/reccon reccon.jsonl

valence-ec import emoita sources/emoita emoita.jsonl"""


def import_corpus(
    corpus: Annotated[str, typer.Argument(help="reccon, ecf, emoita or xed.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the corpus, as it is published.")],
    output: Annotated[Path, typer.Argument(help="The .jsonl file to write.")],
) -> None:
    """Convert a public corpus, with the split that experiments follow.

    None of them is annotated for functional units, valence and carriers: what stands for these is
    told when it is converted. RECCON and ECF are English (`lang = "en"` in a plan).
    """
    from ..corpus.jsonl import write_narratives
    from ..corpus.split import SPLIT_FIELD
    from ..experiments.converters import CONVERTERS, LEFT_OUT

    if corpus not in CONVERTERS:
        raise typer.BadParameter(f"there is no '{corpus}': give one of {', '.join(CONVERTERS)}.")
    converter = CONVERTERS[corpus]
    narratives = converter.narratives(folder)
    write_narratives(output, narratives)
    parts = Counter(narrative.extra[SPLIT_FIELD] for narrative in narratives)
    units = sum(len(narrative.units) for narrative in narratives)
    carriers = sum(len(narrative.carriers) for narrative in narratives)
    left_out = sum(narrative.extra.get(LEFT_OUT, 0) for narrative in narratives)
    sizes = ", ".join(f"{n:,} {part}" for part, n in sorted(parts.items()))
    typer.echo(f"{output}: {len(narratives):,} narratives ({sizes}), {units:,} units")
    typer.echo(f"{carriers:,} carriers; {left_out:,} could not be kept")
    typer.echo(f"Proxy: {converter.proxy}")
