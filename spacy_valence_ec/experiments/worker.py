"""One run, in a process of its own: `python -m spacy_valence_ec.experiments.worker JOB`.

JOB is a file of JSON that the runner writes (`Job`). The record is written to its `output` when all
is done, and not before.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import spacy
from spacy import Language, util
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config, fix_random_seed, require_gpu

from ..base.assets import sha256 as file_hash
from ..configs import compose_config, first_setting
from ..corpus.docs import narratives_to_docs, write_docs
from ..corpus.jsonl import read_narratives
from ..corpus.split import CHALLENGE, DEV, PARTS, TEST, TRAIN
from ..errors import Errors, ValenceECError
from ..evaluation import target_accuracy, valence_confusions, with_gold_units
from ..first_step import CONFUSION, PREDICTED, Confusions, parse_mode
from ..generative.templates import ASKS, STEPS
from ..metrics import Metrics
from ..pipeline.generative_tagger import GenerativeTagger
from ..pretraining.environment import describe_environment
from ..schema import NEUTRAL, Narrative
from ..scorers import score_carriers, score_valence
from .baselines import FITS
from .modes import evaluate_in_mode
from .overrides import apply_overrides
from .parts import Parts, parts_of
from .plan import Plan, Run
from .record import CARRIERS, FORMAT, TASKS, VALENCE, Record, predictions_of, write_record
from .stock import STOCK

LIBRARIES = ("spacy", "thinc", "spacy-transformers", "scikit-learn", "python-crfsuite")

# Which tasks a component of ours does; a pipeline does those of its components. Those of a
# `generative_tagger` depend on its setting.
TASKS_OF = {
    "valence_classifier": (VALENCE,),
    "ec_tagger": (CARRIERS,),
    "coupled_tagger": (VALENCE, CARRIERS),
}


@dataclass(frozen=True)
class Job:
    """What a process is told. Paths are strings, as JSON has them."""

    run: Run
    plan: Plan
    fingerprint: str
    data: str
    configs: str
    output: str
    split_seed: int = 0
    gpu: int = -1

    @classmethod
    def read(cls, path: Path) -> "Job":
        content = json.loads(path.read_text("utf-8"))
        run, plan = content.pop("run"), content.pop("plan")
        return cls(Run(**{**run, "modes": tuple(run["modes"])}), Plan(**plan), **content)


def run_job(job: Job) -> Record:
    """Train, evaluate, and put together the record.

    Raises: what reading the corpus, `parts_of`, `compose_config` and the training raise.
    """
    result = read_narratives(job.data)
    if result.problems:
        raise ValenceECError(Errors.D007.format(n=len(result.problems), path=job.data))
    run = job.run
    parts = parts_of(
        result.narratives,
        fold=run.fold,
        train_share=run.train_share,
        split_seed=job.split_seed,
        seed=run.seed,
    )
    challenge = read_narratives(job.plan.challenge).narratives if job.plan.challenge else []
    if job.gpu >= 0:
        require_gpu(job.gpu)
    fix_random_seed(run.seed)
    if run.setting in FITS:
        record = _baseline(job, parts, challenge)
    else:
        record = _pipeline(job, parts, challenge)
    import torch

    device = torch.device("cuda", job.gpu) if job.gpu >= 0 else torch.device("cpu")
    environment = describe_environment(device)
    environment["libraries"] |= {name: _version(name) for name in LIBRARIES}
    return {
        "format": FORMAT,
        "name": run.name,
        "fingerprint": job.fingerprint,
        "run": asdict(run),
        "lang": job.plan.lang,
        "environment": environment,
        "data": {
            "sha256": file_hash(Path(job.data)),
            "parts": {part: _size(parts[part]) for part in PARTS},
        },
        "peak_memory": peak_memory(),
        "peak_gpu_memory": torch.cuda.max_memory_allocated(job.gpu) if job.gpu >= 0 else None,
        **record,
    }


def _size(narratives: Sequence[Narrative]) -> dict[str, int]:
    units = [unit for narrative in narratives for unit in narrative.units]
    return {
        "narratives": len(narratives),
        "narrators": len({n.narrator or n.id for n in narratives}),
        "units": len(units),
        "non_neutral": sum(unit.valence != NEUTRAL for unit in units),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def peak_memory() -> int | None:
    """Most bytes of memory that this process has held; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _baseline(job: Job, parts: Parts, challenge: Sequence[Narrative]) -> Record:
    nlp = spacy.blank(job.plan.lang)
    train_docs, dev_docs = (narratives_to_docs(parts[part], nlp)[0] for part in (TRAIN, DEV))
    lexicon = Path(job.plan.lexicon) if job.plan.lexicon else None
    start = time.perf_counter()
    fitted = FITS[job.run.setting](train_docs, dev_docs, lexicon)
    seconds = time.perf_counter() - start
    evaluation = _on_gold_units(nlp, fitted.predict, fitted.tasks, parts, challenge)
    return {
        "tasks": list(fitted.tasks),
        "parameters": fitted.parameters,
        "train_seconds": seconds,
        "config_hash": None,
        "evaluations": {PREDICTED: evaluation},
    }


def _on_gold_units(
    nlp: Language,
    predict: Any,
    tasks: Sequence[str],
    parts: Parts,
    challenge: Sequence[Narrative],
) -> Record:
    """The evaluation of what has no units of its own: on gold units alone."""

    def predicted(some: Sequence[Narrative]) -> tuple[list[Example], float]:
        references, _ = narratives_to_docs(some, nlp)
        docs = [with_gold_units(nlp, reference) for reference in references]
        start = time.perf_counter()
        predict(docs)
        seconds = time.perf_counter() - start
        return [Example(doc, gold) for doc, gold in zip(docs, references, strict=True)], seconds

    examples, seconds = predicted(parts[TEST])
    return {
        "metrics": on_gold_units(examples, tasks),
        "inference_seconds": seconds,
        "challenge": _challenge(challenge, predicted(challenge)[0], tasks),
        "predictions": predictions_of(parts[TEST], examples, tasks),
        "dev_predictions": predictions_of(parts[DEV], predicted(parts[DEV])[0], tasks),
    }


def on_gold_units(examples: Sequence[Example], tasks: Sequence[str]) -> Metrics:
    """The metrics of the tasks that a system does; those of carriers are named
    `gold_units_...`, as in `evaluation`, which lacks those over candidates."""
    found: Metrics = {}
    if VALENCE in tasks:
        scores = score_valence(examples)
        found |= {key: value for key, value in scores.items() if key.startswith("valence_")}
    if CARRIERS in tasks:
        carriers = score_carriers(examples)
        if VALENCE not in tasks:
            carriers = {k: v for k, v in carriers.items() if not k.startswith("joint")}
        found |= {f"gold_units_{key}": value for key, value in carriers.items()}
    return found


def _challenge(
    narratives: Sequence[Narrative], examples: Sequence[Example], tasks: Sequence[str]
) -> dict[str, Record]:
    """For each group of the difficult set the number of target units, and the share whose valence
    is right."""
    if VALENCE not in tasks:
        return {}
    groups: dict[str, list[tuple[Narrative, Example]]] = {}
    for narrative, example in zip(narratives, examples, strict=True):
        group = str(narrative.extra.get(CHALLENGE, "-"))
        groups.setdefault(group, []).append((narrative, example))
    found = {}
    for group, pairs in sorted(groups.items()):
        n, accuracy = target_accuracy([n for n, _ in pairs], [e for _, e in pairs])
        found[group] = {"n": n, "accuracy": accuracy}
    return found


def composed(run: Run, plan: Plan, configs: Path, gpu: int = -1) -> Config:
    """The training config of a run, before the paths of its data are put in; with the overrides of
    what it has.

    Raises: ValenceECError as `compose_config`.
    """
    config = compose_config(
        run.setting,
        run.backbone or "",
        configs=configs,
        seed=run.seed,
        max_epochs=plan.max_epochs if plan.max_epochs >= 0 else None,
        gpu_allocator="pytorch" if gpu >= 0 else None,
    )
    if plan.lang != "it":
        _without_italian(config, plan.lang)
    apply_overrides(config, plan.overrides)
    return config


def _without_italian(config: Config, lang: str) -> None:
    """Another language: no tagger, chunker or weights of the Italian base."""
    config["nlp"]["lang"] = lang
    italian = [name for name in ("morphologizer", "ec_candidates") if name in config["components"]]
    for name in italian:
        del config["components"][name]
        config["nlp"]["pipeline"].remove(name)
    frozen = config["training"].get("frozen_components", [])
    config["training"]["frozen_components"] = [name for name in frozen if name not in italian]
    config["initialize"].update(before_init=None, after_init=None)
    for component in config["components"].values():
        _without_lexicon(component)


def _without_lexicon(section: Any) -> None:
    """Take what the Italian lexicon says of tokens out of what the linear part reads."""
    if not isinstance(section, dict):
        return
    features = section.get("features")
    if str(section.get("@architectures")).startswith("spacy_valence_ec.UnitNgrams.") and features:
        section["features"] = features if features.get("lexicon") else None
    for value in section.values():
        _without_lexicon(value)


def _pipeline(job: Job, parts: Parts, challenge: Sequence[Narrative]) -> Record:
    run = job.run
    config = composed(run, job.plan, Path(job.configs), job.gpu)
    config_hash = sha256(config.to_str().encode()).hexdigest()
    stock = STOCK.get(run.setting)
    # Beside the records, where there is room for a transformer; another run's is not in the way.
    with tempfile.TemporaryDirectory(prefix=".work-", dir=Path(job.output).parent) as work:
        folder = Path(work)
        blank = spacy.blank(job.plan.lang)
        for part in (TRAIN, DEV):
            docs, _ = narratives_to_docs(parts[part], blank)
            laid_out = list(stock.data(blank, docs)) if stock else docs
            write_docs(folder / f"{part}.spacy", laid_out)
            config["paths"][part] = str(folder / f"{part}.spacy")
        start = time.perf_counter()
        first = first_setting(run.setting, configs=Path(job.configs))
        parameters = 0
        if first:
            step = composed(replace(run, setting=first), job.plan, Path(job.configs), job.gpu)
            config_hash = sha256((step.to_str() + config.to_str()).encode()).hexdigest()
            step["paths"].update({part: config["paths"][part] for part in (TRAIN, DEV)})
            trained = _trained(step, folder / "first", job.gpu)
            parameters = count_parameters(trained)
            trained.to_disk(folder / "first-best")
            config["paths"]["first"] = str(folder / "first-best")
        nlp = _trained(config, folder / "model", job.gpu)
        seconds = time.perf_counter() - start
    if stock is not None:
        tasks: Sequence[str] = (stock.task,)
        predict = stock.predict
        found = _on_gold_units(nlp, lambda docs: predict(nlp, docs), tasks, parts, challenge)
        evaluations = {PREDICTED: found}
    else:
        tasks = tasks_of(nlp)
        shaped = any(parse_mode(mode).noise == CONFUSION for mode in run.modes)
        confusions = valence_confusions(nlp, parts[DEV]) if shaped else None
        evaluations = {
            mode: _in_mode(nlp, mode, run, tasks, parts, challenge, confusions)
            for mode in run.modes
        }
    return {
        "tasks": list(tasks),
        # Those of a first step that was trained before are frozen in the pipeline of both.
        "parameters": parameters + count_parameters(nlp),
        "train_seconds": seconds,
        "config_hash": config_hash,
        "evaluations": evaluations,
    }


def _trained(config: Config, folder: Path, gpu: int) -> Language:
    """The pipeline of the best score on dev, or the last one if none was evaluated."""
    folder.mkdir(parents=True)
    nlp = init_nlp(Config().from_str(config.to_str()).interpolate(), use_gpu=gpu)
    with Path(os.devnull).open("w") as nowhere:
        trained, best = train(nlp, folder, use_gpu=gpu, stdout=sys.stdout, stderr=nowhere)
    return util.load_model(best) if best else trained


def tasks_of(nlp: Language) -> list[str]:
    """What the components of a pipeline do."""
    factories = {nlp.get_pipe_meta(name).factory for name in nlp.pipe_names}
    found = {task for factory in factories for task in TASKS_OF.get(factory, ())}
    for _, pipe in nlp.pipeline:
        if isinstance(pipe, GenerativeTagger):
            for step in STEPS[pipe.setting]:
                found |= {task for task, asks in zip(TASKS, ASKS[step], strict=True) if asks}
    return [task for task in TASKS if task in found]


def count_parameters(nlp: Language) -> int:
    """The weights that were trained: those of the networks, with what they wrap of PyTorch's;
    neither vectors nor frozen components."""
    frozen = nlp.config["training"].get("frozen_components", [])
    seen: set[int] = set()
    n = 0
    for name, pipe in nlp.components:
        model: Any = getattr(pipe, "model", None)
        if name in frozen or not hasattr(model, "walk"):
            continue
        for node in model.walk():
            if node.id in seen:
                continue
            seen.add(node.id)
            n += sum(node.get_param(p).size for p in node.param_names if node.has_param(p))
            for shim in node.shims:
                wrapped: Any = getattr(shim, "_model", None)
                if hasattr(wrapped, "parameters"):
                    n += sum(p.numel() for p in wrapped.parameters())
    return int(n)


def _in_mode(
    nlp: Language,
    mode: str,
    run: Run,
    tasks: Sequence[str],
    parts: Parts,
    challenge: Sequence[Narrative],
    confusions: Confusions | None,
) -> Record:
    def evaluated(some: Sequence[Narrative]) -> tuple[dict[str, Any], list[Example]]:
        metrics, examples = evaluate_in_mode(
            nlp, some, mode, setting=run.setting, seed=run.seed, confusions=confusions
        )
        return dict(metrics), examples

    metrics, examples = evaluated(parts[TEST])
    # Of the machine, and not of the system: the row of a seed is the same every time without.
    speed = metrics.pop("words_per_second")
    if VALENCE not in tasks:
        metrics = {key: value for key, value in metrics.items() if "valence" not in key}
    if CARRIERS not in tasks:
        metrics = {key: value for key, value in metrics.items() if "ec_" not in key}
    if len(tasks) < 2:
        metrics = {key: value for key, value in metrics.items() if "joint" not in key}
    return {
        "metrics": metrics | on_gold_units(examples, tasks),
        "inference_seconds": metrics["n_tokens"] / speed if speed else None,
        "challenge": _challenge(challenge, evaluated(challenge)[1] if challenge else [], tasks),
        "predictions": predictions_of(parts[TEST], examples, tasks),
        # By which a temperature is fitted; dev is where choices are made.
        "dev_predictions": predictions_of(parts[DEV], evaluated(parts[DEV])[1], tasks)
        if mode == PREDICTED
        else None,
    }


def main() -> None:
    job = Job.read(Path(sys.argv[1]))
    write_record(Path(job.output), run_job(job))


if __name__ == "__main__":
    main()
