"""`valence-ec pretrain`: a small encoder or decoder from prepared text."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from .console import err_console
from .pretrain_text import Configs


def pretrain(
    setting: Annotated[
        str, typer.Argument(help="A file of configs/pretraining, such as 'mini' or 'mini-gpt'.")
    ],
    text: Annotated[Path, typer.Argument(help="Folder that `pretrain-text` wrote.")],
    output: Annotated[Path, typer.Argument(help="Folder of the model; made if missing.")],
    gpu: Annotated[int, typer.Option(help="GPU to train on; -1 for none.")] = -1,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew, and not at the last checkpoint.")
    ] = False,
    stop_after: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Seconds after which to stop, to be gone on with by the same command.",
            show_default=False,
        ),
    ] = None,
    configs: Configs = Path("configs"),
) -> None:
    """Pretrain a small language model, or go on where a run was interrupted.

    Writes half precision weights and the tokenizer, as `from_pretrained` reads them, with a log and
    a model card. The checkpoint, a folder beside it, is removed when all is done.

    Example: valence-ec pretrain mini data/pretraining training/pretrain/mini --gpu 0
    """
    from ..pretraining.settings import read_settings
    from ..pretraining.training import pretrain as pretrain_model

    settings = read_settings(setting, configs)
    with Progress(
        console=err_console, transient=True, disable=not err_console.is_terminal
    ) as progress:
        task = progress.add_task(setting, total=settings.training.steps)

        def show(step: int, line: dict[str, float] | None) -> None:
            progress.update(task, completed=step)
            if line:
                progress.console.print(
                    f"step {step:,}: loss {line['loss']:.3f}, {line['seconds']:,.0f} s"
                )

        log = pretrain_model(
            settings,
            text,
            output,
            gpu=gpu,
            restart=restart,
            stop_after=stop_after,
            on_step=show,
        )
    if log is None:
        typer.echo("Stopped at a checkpoint: the same command goes on.")
        return
    final = log["final"]
    typer.echo(
        f"{output}: {log['parameters']:,} parameters, {log['bytes'] / 1e6:.1f} MB; held-out "
        f"perplexity {final['perplexity']:.2f}, {final['accuracy']:.1%} of the pieces right"
    )
