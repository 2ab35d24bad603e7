"""Runs a plan, a process a run; what is finished is not repeated."""

import difflib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import spacy

from ..base.assets import sha256
from ..configs import SETTINGS, first_setting, is_italian
from ..corpus.jsonl import read_narratives
from ..corpus.split import DEV
from ..errors import Errors, ValenceECError, listed
from ..evaluation import check_labels
from ..first_step import CONFUSION, parse_mode
from ..lexicon import parse_lexicon, read_lexicon_text
from ..models.causal_lm import WEIGHTS
from ..schema import Narrative
from .baselines import FITS
from .overrides import apply_overrides, paths_of, problem_of
from .parts import parts_of
from .plan import LEXICON, Plan, Run, fingerprint
from .record import FORMAT, read_record
from .stock import STOCK
from .worker import Job, composed

LOGS = "logs"
OUTDATED = "outdated"  # records of other configs or data, which the report must not mix in
PICKLED_WEIGHTS = "pytorch_model.bin"  # as older models of the hub have them
WORK = ".work-*"  # what a killed run leaves behind
PLAN = "[plan]"  # where a person is to look
SHOWN = 10  # bad lines of a file
# What a run sets in its config, for no override.
OWN = ("paths", "system.seed", "training.seed", "nlp.lang")


def jobs_of(
    plan: Plan, data: Path, output: Path, *, configs: Path, gpu: int = -1, split_seed: int = 0
) -> list[Job]:
    """A job for each run of the plan, after a look at all that can be wrong with them before hours
    have gone by.

    Raises: ValenceECError of an unknown setting, baseline, backbone or language, an override that
    no config has or that does not fit, a file that is missing or has bad lines, parts that cannot
    be made or share a narrator.
    """
    _check_names(plan, configs)
    _check_lexicon(plan)
    narratives = _narratives(data)
    files = {"data": sha256(data)}
    for name in ("challenge", "lexicon"):
        path = getattr(plan, name)
        if path is not None:
            if not Path(path).is_file():
                raise ValenceECError(Errors.M004.format(path=path))
            files[name] = sha256(Path(path))
    if plan.challenge is not None:
        _narratives(Path(plan.challenge))
    if plan.lexicon is not None:
        parse_lexicon(read_lexicon_text(Path(plan.lexicon)), plan.lexicon)
    for fold in plan.fold_or_none():
        for share in plan.train_shares:
            parts = parts_of(narratives, fold=fold, train_share=share, split_seed=split_seed)
        if any(parse_mode(mode).noise == CONFUSION for run in plan.runs() for mode in run.modes):
            check_labels({unit.valence for n in parts[DEV] for unit in n.units})
    _check_configs(plan, configs, gpu)
    jobs = []
    hashes: dict[str | None, dict[str, str]] = {}
    for run in plan.runs():
        config: str | None = None
        weights: dict[str, str] = {}
        if run.setting not in FITS:
            composition = composed(run, plan, configs, gpu)
            steps = [composition.to_str()]
            if first := first_setting(run.setting, configs=configs):
                step = composed(replace(run, setting=first), plan, configs, gpu)
                steps.append(step.to_str())
            config = "".join(steps)
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


def _narratives(path: Path) -> list[Narrative]:
    """Raises: ValenceECError D009 with the first of the problems, OSError for no file."""
    result = read_narratives(path)
    if result.problems:
        first = "\n".join(map(str, result.problems[:SHOWN]))
        message = Errors.D009.format(n=len(result.problems), path=path, first=first)
        raise ValenceECError(message)
    return result.narratives


def _check_names(plan: Plan, configs: Path) -> None:
    """Raises: ValenceECError E015 for a baseline that is none, or a setting that is one, E002 for
    an unknown language."""
    known = [*FITS, *STOCK]
    for name in plan.baselines:
        if name not in known:
            is_setting = (configs / SETTINGS / f"{name}.cfg").is_file()
            what = "a setting: name it in `settings`" if is_setting else "no baseline"
            raise ValenceECError(Errors.E015.format(name=name, what=what, known=", ".join(known)))
    for name in plan.settings:
        if name in known:
            what = "a baseline and no setting: name it in `baselines`"
            raise ValenceECError(Errors.E015.format(name=name, what=what, known=", ".join(known)))
    try:
        spacy.blank(plan.lang)
    except (ImportError, ValueError) as error:
        why = f"'lang': spaCy has no language '{plan.lang}', or lacks a library for it"
        raise ValenceECError(Errors.E002.format(path=PLAN, why=why)) from error


def _check_lexicon(plan: Plan) -> None:
    """Raises: ValenceECError E002 for the Italian lexicon as a baseline of another language."""
    if plan.lang != "it" and LEXICON in plan.baselines and plan.lexicon is None:
        why = f"the baseline '{LEXICON}' needs a file: that of the package is Italian"
        raise ValenceECError(Errors.E002.format(path=f"{PLAN}: 'lexicon'", why=why))


def _check_configs(plan: Plan, configs: Path, gpu: int) -> None:
    """Compose each setting, and its first step, on each backbone, and look whether it can be
    trained.

    Raises: ValenceECError as `compose_config`, and E002 for an override that no config has, or for
    a config that cannot be.
    """
    for path in plan.overrides:
        if path.startswith(OWN):
            own = f"the plan sets '{path}' itself, for each run"
            raise ValenceECError(Errors.E002.format(path=f"{PLAN}: 'overrides'", why=own))
    plain = replace(plan, overrides={})
    used: set[str] = set()
    paths: set[str] = set()
    seen: set[tuple[str, str | None]] = set()
    for run in plan.runs():
        if run.setting in FITS or (run.setting, run.backbone) in seen:
            continue
        seen.add((run.setting, run.backbone))
        first = first_setting(run.setting, configs=configs)
        for setting in [*([first] if first else []), run.setting]:
            config = composed(replace(run, setting=setting), plain, configs, gpu)
            paths.update(paths_of(config) if plan.overrides else ())
            used |= apply_overrides(config, plan.overrides)
            why = problem_of(config)
            if why is None and plan.lang != "it" and is_italian(config):
                why = "the encoder is that of the Italian base: take 'cnn', or another"
            if why is not None:
                where = f"{PLAN}: '{setting}' on '{run.backbone}'"
                raise ValenceECError(Errors.E002.format(path=where, why=why))
    for path in plan.overrides:
        if path not in used:
            close = difflib.get_close_matches(path, sorted(paths), 1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            why = f"no config of the plan has '{path}'{hint}"
            raise ValenceECError(Errors.E002.format(path=f"{PLAN}: 'overrides'", why=why))


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
