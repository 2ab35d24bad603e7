"""`valence-ec check-project`: what would stop a run of the project, told before anything is run."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import Errors, ValenceECError
from ..files import atomic_write
from .doctor import Status, check_backbone

FOLDERS = ("data", "training", "metrics")
MARKER = Path("data") / "project.txt"  # holds the name of the pipeline that the folder is of


def check_project(
    name: Annotated[str, typer.Argument(help="Name of the pipeline, without the language.")],
    folder: Annotated[str, typer.Option(help="Folder of data, training and metrics.")] = "",
    backbone: Annotated[str, typer.Option(help="As of `valence-ec compose`.")] = "embedded",
) -> None:
    """Check that the backbone can be had, and that no other pipeline is in the folder.

    Example: valence-ec check-project valence_ec_clinic --folder clinic --backbone alberto
    """
    check = check_backbone(backbone)
    if check.status is Status.FAIL:
        raise ValenceECError(Errors.C009.format(name=backbone, why=check.detail))
    claim_folder(Path(folder), name)
    typer.echo(f"{check.name}: {check.detail}")


def claim_folder(folder: Path, name: str) -> None:
    """Note in a folder that it is of the pipeline `name`; its parts are made where missing.

    Raises: ValenceECError C010 if it is of another one.
    """
    marker = folder / MARKER
    found = marker.read_text(encoding="utf-8").strip() if marker.is_file() else name
    if found != name:
        message = Errors.C010.format(folder=folder, found=found, name=name, marker=marker)
        raise ValenceECError(message)
    for part in FOLDERS:
        (folder / part).mkdir(parents=True, exist_ok=True)
    if not marker.exists():
        with atomic_write(marker) as handle:
            handle.write(f"{name}\n")
