"""`valence-ec finalize`: make a trained pipeline ready to be packaged."""

from pathlib import Path
from typing import Annotated, Any

import srsly
import typer


def finalize(
    model: Annotated[
        Path, typer.Argument(help="Folder of a trained pipeline.", exists=True, file_okay=False)
    ],
    meta: Annotated[
        Path | None,
        typer.Option(help="JSON file of fields to set in meta.json.", exists=True, dir_okay=False),
    ] = None,
    narratives: Annotated[
        str | None,
        typer.Option(
            help="File that the pipeline was trained on. If it is not the one that --meta names, "
            "only what the base obliges to is taken from there."
        ),
    ] = None,
) -> None:
    """Remove the words of the training data from a trained pipeline, and describe it.

    spaCy saves every word that it met in training; none is needed to predict. Run this before a
    pipeline trained on private narratives is packaged or shared.

    Example: valence-ec finalize training/joint/model-best --meta configs/meta.json
    """
    from ..finalize import choose_fields, finalize_pipeline

    fields = choose_fields(_read_fields(meta), narratives) if meta else {}
    removed = finalize_pipeline(model, fields)
    typer.echo(f"{model}: removed {removed} strings of the training data")


def _read_fields(path: Path) -> dict[str, Any]:
    try:
        fields = srsly.read_json(path)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise typer.BadParameter(f"{path}: not a JSON object.")
    return fields
