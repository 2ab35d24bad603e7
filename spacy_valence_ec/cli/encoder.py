"""`valence-ec encoder`: a pretrained encoder whose vocabulary fits some languages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

ALL = "all"

EPILOG = """[bold]Examples[/bold]

valence-ec encoder training/encoder --text it=corpus/silver.jsonl.gz --text it=text.txt

valence-ec encoder training/xlm-r-it --from xlm-roberta-base --text it=text.txt

valence-ec encoder training/e5-small --language all"""


def encoder(
    output: Annotated[Path, typer.Argument(help="Folder to write; replaced if it is there.")],
    language: Annotated[
        str, typer.Option(help="Languages to keep, such as 'it' or 'it+en', or 'all'.")
    ] = "it",
    text: Annotated[
        list[str] | None,
        typer.Option(help="LANGUAGE=FILE: .txt, or .jsonl with a field `text`. May be repeated."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--from", help="A Hugging Face encoder in place of multilingual-e5-small."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="e5-small-q4.bin, if not of the package.", exists=True, dir_okay=False),
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(help="tokenizer.json, if not of the package.", exists=True, dir_okay=False),
    ] = None,
    min_count: Annotated[
        int, typer.Option(min=1, help="Keep pieces that occur so often in a language.")
    ] = 3,
) -> None:
    """Write an encoder as a Hugging Face folder, with the word pieces that some languages need.

    multilingual-e5-small is read from two packages (extra `encoder`), as data: nothing of them is
    run. No network is used.
    """
    from ..base.encoder import make_encoder

    languages = [] if language == ALL else language.split("+")
    files: dict[str, list[Path]] = {name: [] for name in languages}
    for argument in text or ():
        name, _, path = argument.partition("=")
        if name not in files or not path:
            raise typer.BadParameter(
                f"write LANGUAGE=FILE, with a language of --language ({language}).",
                param_hint="--text",
            )
        files[name].append(Path(path))
    missing = [name for name, own in files.items() if not own]
    if missing:
        raise typer.BadParameter(
            f"no text of '{missing[0]}' to choose word pieces by: give --text {missing[0]}=FILE.",
            param_hint="--text",
        )
    texts = {
        name: [line for path in own for line in read_text(path)] for name, own in files.items()
    }
    made = make_encoder(
        output, texts, folder=folder, weights=weights, tokenizer=tokenizer, min_count=min_count
    )
    typer.echo(
        f"{output}: {made.pieces:,} word pieces, {made.parameters / 1e6:.1f} million parameters"
    )
    for name, coverage in made.coverage.items():
        typer.echo(
            f"{name}: {100 * coverage.kept:.3f}% of {coverage.pieces:,} pieces kept, "
            f"{100 * coverage.unknown:.4f}% unknown"
        )


def read_text(path: Path) -> Iterator[str]:
    """The lines of a text file, or the texts of a file of JSON Lines; empty ones are left out.

    Raises: ValenceECError D010 for a file that is neither.
    """
    import srsly

    from ..corpus.jsonl import is_compressed, is_jsonl
    from ..errors import Errors, ValenceECError

    try:
        if is_jsonl(path):
            read = srsly.read_gzip_jsonl if is_compressed(path) else srsly.read_jsonl
            lines: Iterator[str] = (record["text"] for record in read(path))
        else:
            lines = iter(path.read_text(encoding="utf-8").splitlines())
        yield from (line for line in lines if line.strip())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValenceECError(Errors.D010.format(path=path)) from error
