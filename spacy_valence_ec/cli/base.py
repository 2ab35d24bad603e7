"""`valence-ec base`: the steps that make the embedded Italian base."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .validate import SkipInvalid, read_valid

base: typer.Typer = typer.Typer(
    name="base",
    help="Steps that make the embedded Italian base: `spacy project run base` runs them all.",
    no_args_is_help=True,
)

HEADS = ("fu_segmenter", "valence_classifier", "ec_tagger")  # of the joint setting
EXISTING: dict[str, Any] = {"exists": True, "file_okay": False}


@base.command("prepare")
def prepare(
    text: Annotated[Path, typer.Argument(help="Folder that `pretrain-text` wrote.", **EXISTING)],
    sources: Annotated[Path, typer.Argument(help="Folder of the public corpora.", **EXISTING)],
    output: Annotated[Path, typer.Argument(help="Folder to write to; made if missing.")],
    silver: Annotated[Path, typer.Option(help="Narratives for the intermediate training.")] = Path(
        "corpus/silver.jsonl.gz"
    ),
    setting: Annotated[
        str, typer.Option(help="A file of configs/pretraining, for its text.repeats.")
    ] = "mini",
    skip_invalid: SkipInvalid = False,
    configs: Annotated[
        Path, typer.Option(help="Folder that holds pretraining/.", **EXISTING)
    ] = Path("configs"),
) -> None:
    """Write what vectors, tagger and intermediate training learn from."""
    from ..base.build import prepare_base
    from ..pretraining.settings import read_settings

    settings = read_settings(setting, configs)
    narratives = read_valid(silver, skip_invalid=skip_invalid)
    done = prepare_base(text, sources, narratives, output, settings.text)
    typer.echo(
        f"{output}: {done.tokens:,} tokens for the vectors; sentences for the tagger: "
        f"{_listed(done.sentences)}; silver narratives: {_listed(done.narratives)}"
    )


@base.command("vectors")
def vectors(
    tokens: Annotated[
        Path, typer.Argument(help="tokens.txt of `prepare`.", exists=True, dir_okay=False)
    ],
    output: Annotated[
        Path,
        typer.Argument(
            help="File of floret vectors to write, in a folder there is.", dir_okay=False
        ),
    ],
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the text.")] = 10,
    threads: Annotated[int, typer.Option(min=1, help="With 1 a run can be repeated.")] = 2,
) -> None:
    """Train subword vectors; `spacy init vectors --mode floret` reads them."""
    from ..base.floret import train_vectors

    train_vectors(tokens, output, epochs=epochs, threads=threads)
    typer.echo(f"{output}: {output.stat().st_size / 1e6:.1f} MB")


@base.command("build")
def build(
    folder: Annotated[
        Path, typer.Argument(help="Folder of `prepare`, with what was trained.", **EXISTING)
    ],
    output: Annotated[Path, typer.Argument(help="Folder of the base; made if missing.")],
    joint: Annotated[
        bool, typer.Option(help="Keep the joint pipeline's weights; not before it is trained.")
    ] = True,
) -> None:
    """Gather what was trained into small files, with checksums."""
    from ..base.build import build_base

    files = build_base(
        folder / "vectors",
        folder / "tagger" / "model-best",
        folder / "joint" / "model-best" if joint else None,
        output,
        ("tok2vec", *HEADS),
    )
    size = sum((output / name).stat().st_size for name in files)
    typer.echo(f"{output}: {len(files)} files, {size / 1e6:.1f} MB")


@base.command("silver")
def silver(
    narratives: Annotated[Path, typer.Argument(help="Annotated narratives.")],
    output: Annotated[Path, typer.Argument(help="Folder to write to; made if missing.")],
    skip_invalid: SkipInvalid = False,
) -> None:
    """Write narratives for the intermediate training; each tenth narrator is held out."""
    from ..base.build import prepare_silver

    parts = prepare_silver(read_valid(narratives, skip_invalid=skip_invalid), output)
    typer.echo(f"{output}: {_listed(parts)}")


@base.command("add-encoder")
def add_encoder(
    joint: Annotated[
        Path, typer.Argument(help="Pipeline trained on silver narratives.", **EXISTING)
    ],
    output: Annotated[Path, typer.Argument(help="Folder of the base.", **EXISTING)],
) -> None:
    """Add the encoder of a trained pipeline to the base, and the weights of its heads."""
    from ..base import build as building

    files = building.add_encoder(joint, output, HEADS)
    size = sum((output / name).stat().st_size for name in files)
    typer.echo(f"{output}: {len(files)} files, {size / 1e6:.1f} MB")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items())
