"""Runs a plan, a process a run; what is finished is not repeated."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ..base.assets import sha256
from ..corpus.jsonl import read_narratives
from ..errors import Errors, ValenceECError, listed
from ..models.causal_lm import WEIGHTS
from .baselines import FITS
from .parts import parts_of
from .plan import Plan, Run, fingerprint
from .record import FORMAT, read_record
from .worker import Job, composed

LOGS = "logs"
OUTDATED = "outdated"  # records of other configs or data, which the report must not mix in
PICKLED_WEIGHTS = "pytorch_model.bin"  # as older models of the hub have them
WORK = ".work-*"  # what a killed run leaves behind


def jobs_of(
    plan: Plan, data: Path, output: Path, *, configs: Path, gpu: int = -1, split_seed: int = 0
) -> list[Job]:
    """A job for each run of the plan, after a look at all that can be wrong with them before hours
    have gone by.

    Raises: ValenceECError of an unknown setting or backbone, an override without effect, a missing
    file, parts that cannot be made or share a narrator.
    """
    result = read_narratives(data)
    if result.problems:
        raise ValenceECError(Errors.D007.format(n=len(result.problems), path=data))
    files = {"data": sha256(data)}
    for name in ("challenge", "lexicon"):
        path = getattr(plan, name)
        if path is not None:
            if not Path(path).is_file():
                raise ValenceECError(Errors.M004.format(path=path))
            files[name] = sha256(Path(path))
    for fold in plan.fold_or_none():
        for share in plan.train_shares:
            parts_of(result.narratives, fold=fold, train_share=share, split_seed=split_seed)
    jobs = []
    hashes: dict[str | None, dict[str, str]] = {}
    for run in plan.runs():
        config = None
        weights: dict[str, str] = {}
        if run.setting not in FITS:
            composition = composed(run, plan, configs, gpu)
            config = composition.to_str()
            model = composition["backbone"].get("name")
            if model not in hashes:
                hashes[model] = _weights(model)
            weights = hashes[model]
        mark = fingerprint(
            {
                "format": FORMAT,
                "run": asdict(run),
                "files": files | weights,
                "split_seed": split_seed,
                "lang": plan.lang,
                "config": config,
            }
        )
        path = output / f"{run.name}.json"
        jobs.append(Job(run, plan, mark, str(data), str(configs), str(path), split_seed, gpu))
    return jobs


def _weights(model: str | None) -> dict[str, str]:
    """The hashes of the weights of a model in a folder, which may be trained anew under its name;
    nothing for one of the hub, or none."""
    paths = [Path(model) / name for name in (WEIGHTS, PICKLED_WEIGHTS)] if model else []
    return {path.name: sha256(path) for path in paths if path.is_file()}


def is_finished(job: Job) -> bool:
    """Whether the record of exactly this run is there.

    Raises: ValenceECError E008 for a file in its place that is none.
    """
    path = Path(job.output)
    return path.is_file() and read_record(path)["fingerprint"] == job.fingerprint


def _put_aside(path: Path) -> None:
    """Keep a record that is no longer of the plan, where no report finds it."""
    if path.is_file():
        mark = read_record(path)["fingerprint"][:8]
        folder = path.parent / OUTDATED
        folder.mkdir(exist_ok=True)
        path.replace(folder / f"{path.stem}_{mark}.json")


def run_plan(
    jobs: list[Job], output: Path, *, on_run: Callable[[Run, bool], None] | None = None
) -> int:
    """Run what is not finished, one after another, and go on after a failure.

    output: the folder of the records; made if missing.
    on_run: called before each run, and whether it is finished already.

    Returns: how many were run.
    Raises: ValenceECError E007, at the end, if some failed.
    """
    (output / LOGS).mkdir(parents=True, exist_ok=True)
    for left in output.glob(WORK):
        shutil.rmtree(left, ignore_errors=True)
    failed = []
    n_run = 0
    for job in jobs:
        finished = is_finished(job)
        if on_run is not None:
            on_run(job.run, finished)
        if finished:
            continue
        n_run += 1
        _put_aside(Path(job.output))
        if not _run(job, output / LOGS):
            failed.append(job.run.name)
    if failed:
        raise ValenceECError(
            Errors.E007.format(
                n=len(failed), total=len(jobs), names=listed(failed), folder=output / LOGS
            )
        )
    return n_run


def _run(job: Job, logs: Path) -> bool:
    """Run one job; whether it left a record."""
    name = Path(job.output).stem
    path = logs / f"{name}.job.json"
    path.write_text(json.dumps(asdict(job), indent=1), encoding="utf-8")
    command = [sys.executable, "-m", f"{__package__}.worker", str(path)]
    with (logs / f"{name}.log").open("w", encoding="utf-8") as log:
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
    return done.returncode == 0 and Path(job.output).is_file()
