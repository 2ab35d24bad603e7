"""`valence-ec finalize`: make a trained pipeline ready to be packaged."""

from pathlib import Path
from typing import Annotated

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
) -> None:
    """Remove the words of the training data from a trained pipeline, and describe it.

    spaCy saves every word that it met in training; none is needed to predict. Run this before a
    pipeline trained on private narratives is packaged or shared.

    Example: valence-ec finalize training/joint/model-best --meta configs/meta.json
    """
    from ..finalize import finalize_pipeline

    removed = finalize_pipeline(model, srsly.read_json(meta) if meta else {})
    typer.echo(f"{model}: removed {removed} strings of the training data")
