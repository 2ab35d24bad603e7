"""`valence-ec describe`: say whose a pipeline is, before it is packaged."""

from pathlib import Path
from shutil import copytree
from typing import Annotated

import srsly
import typer

from ..files import atomic_folder, atomic_write


def describe(
    model: Annotated[
        Path, typer.Argument(help="Folder of a trained pipeline.", exists=True, file_okay=False)
    ],
    output: Annotated[Path, typer.Argument(help="Folder of the copy that is described.")],
    author: Annotated[str, typer.Option(help="Who answers for the pipeline.")] = "",
    license: Annotated[str, typer.Option(help="Under which license it is given.")] = "",
    description: Annotated[str, typer.Option(help="What it is, in a sentence.")] = "",
    url: Annotated[str, typer.Option(help="Where more is told of it.")] = "",
) -> None:
    """Copy a trained pipeline, with the given fields set in its meta.json. An empty one leaves what
    is there.

    Example: valence-ec describe training/joint/model-best described --author "Clinica di Siena"
    """
    given = {"author": author, "license": license, "description": description, "url": url}
    with atomic_folder(output) as new:
        copytree(model, new, dirs_exist_ok=True)
        meta = srsly.read_json(new / "meta.json")
        meta.update({field: value for field, value in given.items() if value})
        with atomic_write(new / "meta.json") as handle:
            handle.write(srsly.json_dumps(meta, indent=2))
    missing = [field for field in ("author", "license") if not meta.get(field)]
    for field in missing:
        typer.echo(f"{output}: no {field} is set (--vars.{field}, or --{field}).", err=True)
