"""`valence-ec experiments`: all runs of a plan, each in a process of its own."""

from pathlib import Path
from typing import Annotated

import typer

from .console import err_console

EPILOG = """[bold]Examples[/bold]

valence-ec experiments tiny corpus/narratives.jsonl runs/tiny

valence-ec experiments my_plan.cfg my_narratives.jsonl runs/mine --gpu 0"""


def experiments(
    plan: Annotated[
        str, typer.Argument(help="A file of configs/experiments, such as 'paper', or a .cfg file.")
    ],
    data: Annotated[Path, typer.Argument(help="Annotated narratives (JSON Lines).")],
    output: Annotated[Path, typer.Argument(help="Folder of the records; made if missing.")],
    gpu: Annotated[int, typer.Option(help="GPU to train on; -1 for none.")] = -1,
    split_seed: Annotated[
        int, typer.Option(min=0, help="Seed of the split, where the corpus has no field 'split'.")
    ] = 0,
    configs: Annotated[
        Path,
        typer.Option(help="Folder of the plans and configs.", exists=True, file_okay=False),
    ] = Path("configs"),
) -> None:
    """Train and evaluate all that a plan names, and keep a record of each run.

    A run that is finished is not repeated: after an interruption the same
    command goes on. No record holds any text of a narrative.
    """
    from ..experiments.plan import Run, read_plan
    from ..experiments.runner import jobs_of, run_plan

    jobs = jobs_of(
        read_plan(plan, configs), data, output, configs=configs, gpu=gpu, split_seed=split_seed
    )
    at = 0

    def show(run: Run, is_finished: bool) -> None:
        nonlocal at
        at += 1
        state = "finished before" if is_finished else "running"
        err_console.print(f"{at} of {len(jobs)}: {run.name}: {state}", markup=False)

    n_run = run_plan(jobs, output, on_run=show)
    typer.echo(f"{output}: {len(jobs)} records, {n_run} of them new")
