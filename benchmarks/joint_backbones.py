"""The joint pipeline on several backbones: how good, how fast and how large it gets.

    python benchmarks/joint_backbones.py small mini mini@untrained --seeds 3 [--gpu 0]

Each backbone, a name or folder that `valence-ec compose` takes, is trained by `spacy train` with
each seed on data/train.spacy, and evaluated on data/dev.jsonl: the test split is for no choice.
`@untrained` behind a backbone gives its encoder random weights, and leaves all settings as is.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import spacy
from thinc.api import Config

from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.evaluation import evaluate
from spacy_valence_ec.files import atomic_write

CONFIGS = Path(__file__).parents[1] / "configs"
UNTRAINED = "@untrained"

# Of the JSON of `evaluate`, what the table shows.
METRICS = {
    "valence_macro_f": "valence F",
    "e2e_valence_macro_f": "end to end",
    "gold_units_ec_partial_f": "carrier ~F",
    "ec_macro_f": "carrier macro F",
    "fu_f": "unit F",
    "fu_boundary_f": "boundary F",
    "seconds_to_train": "train s",
    "words_per_second": "words/s",
    "megabytes": "MB",
}


def composed(backbone: str, seed: int, args: argparse.Namespace, folder: Path) -> Config:
    name = backbone.removesuffix(UNTRAINED)
    config = compose_config(
        "joint",
        name,
        configs=CONFIGS,
        seed=seed,
        max_epochs=args.max_epochs,
        gpu_allocator="pytorch" if args.gpu >= 0 else None,
    )
    if args.max_steps is not None:
        config["training"].update(max_steps=args.max_steps, eval_frequency=args.max_steps)
    if backbone != name:
        config["backbone"]["name"] = str(untrained(config["backbone"]["name"], seed, folder))
    return config


def untrained(name: str, seed: int, folder: Path) -> Path:
    """A copy of an encoder, with random weights."""
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    torch.manual_seed(seed)
    target = folder / "untrained"
    AutoModel.from_config(AutoConfig.from_pretrained(name)).float().save_pretrained(target)
    AutoTokenizer.from_pretrained(name).save_pretrained(target)
    return target


def measure(backbone: str, seed: int, args: argparse.Namespace) -> dict[str, float | None]:
    folder = Path(tempfile.mkdtemp())
    try:
        config = composed(backbone, seed, args, folder)
        config.to_disk(folder / "joint.cfg")
        command = [sys.executable, "-m", "spacy", "train", str(folder / "joint.cfg")]
        command += ["--output", str(folder / "out"), "--gpu-id", str(args.gpu)]
        for part in ("train", "dev"):
            command += [f"--paths.{part}", str(args.corpus / f"{part}.spacy")]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=sys.stderr)
        seconds = time.perf_counter() - start
        best = folder / "out" / "model-best"
        size = sum(path.stat().st_size for path in best.rglob("*") if path.is_file())
        found = evaluate(spacy.load(best), read_narratives(args.data).narratives)
        return {**found, "seconds_to_train": seconds, "megabytes": size / 1e6}
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("backbones", nargs="+")
    parser.add_argument("--corpus", type=Path, default=Path("data"), help="train and dev .spacy")
    parser.add_argument("--data", type=Path, default=Path("data/dev.jsonl"), help="to evaluate on")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-epochs", type=int, help="default: the backbone's own")
    parser.add_argument("--max-steps", type=int, help="default: the backbone's own")
    parser.add_argument("--gpu", type=int, default=-1)
    parser.add_argument("--output", type=Path, help="JSON file")
    args = parser.parse_args()

    runs: dict[str, list[dict[str, Any]]] = {}
    for backbone in args.backbones:
        runs[backbone] = [measure(backbone, seed, args) for seed in range(args.seeds)]
        means = []
        for metric, title in METRICS.items():
            values = [run[metric] for run in runs[backbone] if run[metric] is not None]
            digits = 3 if metric.endswith("_f") else 0
            shown = f"{statistics.fmean(values):.{digits}f}" if values else "-"
            if len(values) > 1:
                shown += f" ± {statistics.stdev(values):.{digits}f}"
            means.append(f"{title} {shown}")
        print(f"{backbone}, {args.seeds} seeds: {', '.join(means)}", flush=True)
        if args.output:  # after each, for a run that is interrupted
            with atomic_write(args.output) as file:
                json.dump(runs, file, indent=2)


if __name__ == "__main__":
    main()
