"""Ablation of the `small` backbone and of the heads, on the dev split.

    python benchmarks/variants.py --output docs/variants.json [--seeds 3] [--only NAME ...]

Every variant is the joint setting with some settings changed, trained by spaCy's own loop on
data/train.spacy with each seed, and evaluated on data/dev.jsonl: the test split is for no choice.
Runs that are in the output already are not repeated. Prints docs/variants.md's table.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_model, set_dot_to_object
from thinc.api import Config

from spacy_valence_ec.base.assets import sha256
from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.evaluation import evaluate
from spacy_valence_ec.files import atomic_write
from spacy_valence_ec.pretraining.environment import git_revision

CONFIGS = Path(__file__).parents[1] / "configs"
METRICS = {
    "valence_macro_f": "valence macro F1",
    "e2e_valence_macro_f": "end to end",
    "ec_macro_f": "carrier macro F1",
    "gold_units_ec_partial_f": "carriers, overlap F1",
    "fu_f": "unit F1",
}

Overrides = dict[str, Any]

VALENCE = "components.valence_classifier"
HEAD = f"{VALENCE}.model"
EMBED = "components.tok2vec.model.tok2vec.embed"
LEXICON = {"@architectures": "spacy_valence_ec.LexiconFeatures.v1", "lexicon": None}
WIDE = {
    "@architectures": "spacy_valence_ec.UnitNgrams.v1",
    "ngram_size": 2,
    "neighbor_weight": 0.5,
    "features": LEXICON,
    "length": 262144,
    "nO": None,
}
WINDOW = {
    "@architectures": "spacy.MaxoutWindowEncoder.v2",
    "width": 64,
    "window_size": 1,
    "maxout_pieces": 3,
    "depth": 1,
}
LSTM = {"@architectures": "spacy.TorchBiLSTMEncoder.v1", "width": 64, "depth": 1, "dropout": 0.2}
MEAN_MAX = {"@layers": "spacy.mean_max_reducer.v1", "hidden_size": 64}
ATTENTION = {"@layers": "spacy_valence_ec.AttentionReducer.v1", "hidden_size": 64}
NO_WEIGHTS = {"initialize.after_init.components": ["morphologizer"]}
# Of the training from random weights: longer and faster than from those of the base.
LONG = {
    **NO_WEIGHTS,
    "training.max_epochs": 12,
    "training.eval_frequency": 40,
    "training.dropout": 0.3,
    "training.optimizer.learn_rate": 0.001,
}
PLAIN = {
    **LONG,
    f"{HEAD}.wide": None,
    f"{HEAD}.reducer": MEAN_MAX,
    f"{HEAD}.context": WINDOW,
    f"{VALENCE}.class_weights": None,
    f"{VALENCE}.label_smoothing": 0.0,
}

# Name: backbone, and what is changed in the composed config.
VARIANTS: dict[str, tuple[str, Overrides]] = {
    "cnn: no base": ("cnn", {**PLAIN}),
    "+ vectors": ("small", {**PLAIN, "without_lexicon": True}),
    "+ lexicon": ("small", {**PLAIN, f"{EMBED}.include_static_vectors": False}),
    "+ vectors + lexicon": ("small", PLAIN),
    "... without context of units": ("small", {**PLAIN, f"{HEAD}.context": None}),
    "... recurrent context (LSTM)": ("small", {**PLAIN, f"{HEAD}.context": LSTM}),
    "... attention pooling": ("small", {**PLAIN, f"{HEAD}.reducer": ATTENTION}),
    "... balanced class weights": ("small", {**PLAIN, f"{VALENCE}.class_weights": "balanced"}),
    "... label smoothing 0.1": ("small", {**PLAIN, f"{VALENCE}.label_smoothing": 0.1}),
    "... wide part": ("small", {**PLAIN, f"{HEAD}.wide": WIDE}),
    "... valence loss twice": ("small", {**PLAIN, f"{VALENCE}.loss_weight": 2.0}),
    "... dropout 0.5": ("small", {**PLAIN, "training.dropout": 0.5}),
    "... without averaged weights": (
        "small",
        {**PLAIN, "training.optimizer.use_averages": False},
    ),
    "... trained twice as long": ("small", {**PLAIN, "training.max_epochs": 24}),
    "default heads, random weights": ("small", LONG),
    "default: from the base": ("small", {}),
}


def composed(backbone: str, overrides: Overrides, seed: int, corpus: Path) -> Config:
    config = compose_config("joint", backbone, configs=CONFIGS, seed=seed)
    changes = dict(overrides)
    if changes.pop("without_lexicon", False):
        config["components"]["tok2vec"]["model"] = config["components"]["tok2vec"]["model"][
            "tok2vec"
        ]
        config["backbone"]["width"] = config["backbone"]["encoder_width"]
    return completed(config, corpus, changes)


def completed(config: Config, corpus: Path, overrides: Overrides) -> Config:
    """Set the corpus and the overrides of a composed config, and interpolate it."""
    config["paths"].update(train=str(corpus / "train.spacy"), dev=str(corpus / "dev.spacy"))
    for path, value in overrides.items():
        set_dot_to_object(config, path, value)
    return Config().from_str(config.to_str()).interpolate()


def measure(config: Config, data: Path) -> dict[str, float | int | None]:
    start = time.perf_counter()
    nlp = init_nlp(config)
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        trained, best = train(nlp, Path(folder), stdout=nowhere, stderr=nowhere)
        seconds = time.perf_counter() - start
        nlp = load_model(best) if best else trained
        found = evaluate(nlp, read_narratives(data).narratives)
    return {**found, "seconds_to_train": seconds}


def run_variants(
    description: str,
    variants: Mapping[str, tuple[str, Overrides]],
    compose: Callable[[str, Overrides, int, Path], Config],
    prepare: Callable[[Path], None] | None = None,
) -> None:
    """Train and evaluate the variants that the command line names, keep the records of their runs,
    and print a table.

    variants: by name, the first two arguments of `compose`.
    compose: makes the config from these, a seed and the folder of the corpus.
    prepare: called once with the folder of the corpus, before the first run.
    """
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--corpus", type=Path, default=Path("data"), help="train and dev .spacy")
    parser.add_argument("--data", type=Path, default=Path("data/dev.jsonl"), help="to evaluate on")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="names of variants; default: all")
    parser.add_argument("--output", type=Path, required=True, help="JSON file")
    args = parser.parse_args()

    record: dict[str, Any] = {"runs": {}}
    if args.output.is_file():
        record = json.loads(args.output.read_text("utf-8"))
    record["data"] = {"train": sha256(args.corpus / "train.spacy"), "dev": sha256(args.data)}
    if prepare is not None:
        prepare(args.corpus)
    for name, (part, overrides) in variants.items():
        if args.only and name not in args.only:
            continue
        runs = record["runs"].setdefault(name, {})
        for seed in map(str, range(args.seeds)):
            if seed not in runs:
                config = compose(part, overrides, int(seed), args.corpus)
                runs[seed] = {**measure(config, args.data), "revision": git_revision()}
                with atomic_write(args.output) as file:
                    json.dump(record, file, indent=1)
    print(f"| variant | {' | '.join(METRICS.values())} | seconds |")
    print("| --- " + "| ---: " * (len(METRICS) + 1) + "|")
    for name, runs in record["runs"].items():
        cells = [_cell([run[metric] for run in runs.values()], 3) for metric in METRICS]
        cells.append(_cell([run["seconds_to_train"] for run in runs.values()], 0))
        print(f"| {name} | {' | '.join(cells)} |")


def _cell(values: list[float | None], digits: int) -> str:
    known = [value for value in values if value is not None]
    spread = f" ± {statistics.stdev(known):.{digits}f}" if len(known) > 1 else ""
    return f"{statistics.fmean(known):.{digits}f}{spread}" if known else "-"


if __name__ == "__main__":
    run_variants(__doc__, VARIANTS, composed)
