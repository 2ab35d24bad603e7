"""The options of the commands that run a pipeline."""

from typing import Annotated

import typer

from ..loading import DEFAULT_MODEL, is_installed, load_pipeline

__all__ = ["DEFAULT_MODEL", "BatchSize", "Model", "is_installed", "load_pipeline"]

Model = Annotated[
    str, typer.Option("--model", "-m", help="Pipeline: name of a package, or a folder.")
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1, help="Narratives a batch. Default: the pipeline's own.", show_default=False
    ),
]
