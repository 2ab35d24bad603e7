"""`valence-ec compose`: a training config from a setting and a backbone."""

from pathlib import Path
from typing import Annotated

import typer

from ..configs import (
    EMBEDDED_TAGGER,
    MAX_SEED,
    compose_config,
    fill_defaults,
    has_tagger,
    installed_tagger,
)
from ..errors import Errors
from ..files import atomic_write

AUTO = "auto"


def compose(
    setting: Annotated[str, typer.Argument(help="A file of configs/settings, such as 'joint'.")],
    output: Annotated[Path, typer.Argument(help="The config to write.")],
    backbone: Annotated[
        str,
        typer.Option(
            help="A file of configs/backbones, a pretrained model, or a local folder or hub name "
            "of an encoder."
        ),
    ] = "embedded",
    configs: Annotated[
        Path, typer.Option(help="Folder of the halves.", exists=True, file_okay=False)
    ] = Path("configs"),
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED - 1, help="Seed of everything random.")
    ] = 0,
    max_epochs: Annotated[
        int,
        typer.Option(
            min=-1, help="Most passes over the training data; -1 for the backbone's default."
        ),
    ] = -1,
    gpu: Annotated[int, typer.Option(min=-1, help="GPU that will be used; -1 for none.")] = -1,
    tagger: Annotated[
        str,
        typer.Option(
            help="Parts of speech for the carrier candidates: 'embedded', a pipeline such as "
            "'it_core_news_sm', or 'auto' for that one if it is installed, else the embedded one."
        ),
    ] = AUTO,
) -> None:
    """Merge a setting of the paper and a backbone into one training config.

    Example: valence-ec compose joint training/joint.cfg --backbone embedded
    """
    has_one = has_tagger(setting, configs=configs)
    if tagger == AUTO:
        tagger = installed_tagger() if has_one else EMBEDDED_TAGGER
    elif tagger != EMBEDDED_TAGGER and not has_one:
        raise typer.BadParameter(Errors.C008.format(setting=setting, name=tagger))
    config = compose_config(
        setting,
        backbone,
        configs=configs,
        seed=seed,
        max_epochs=None if max_epochs < 0 else max_epochs,
        gpu_allocator="pytorch" if gpu >= 0 else None,
        tagger=tagger,
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(output) as file:
        file.write(fill_defaults(config).to_str())
    shown = f", tagger {tagger}" if has_one else ""
    typer.echo(f"{setting} on {backbone}{shown}: {output}")
