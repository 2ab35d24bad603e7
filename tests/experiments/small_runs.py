"""Records of runs without a run, and settings of a run of seconds."""

import numpy as np

from spacy_valence_ec.experiments.record import FORMAT, Record
from spacy_valence_ec.schema import VALENCES

# A network so small that an epoch takes a second.
SMALL = {
    "backbone.width": 16,
    "components.tok2vec.model.embed.attrs": ["NORM", "SHAPE"],
    "components.tok2vec.model.embed.rows": [300, 100],
    "components.tok2vec.model.encode.encode.depth": 1,
}

HOSTILE = "<script>alert(1)</script>|*_"


def a_record(
    setting: str,
    seed: int,
    *,
    skill: float,
    backbone: str | None = "cnn",
    mode: str = "predicted",
    train_share: float = 1.0,
    tasks: tuple[str, ...] = ("valence", "carriers"),
    narratives: int = 15,
) -> Record:
    """As a run would have left it: labels are right with the probability `skill`."""
    gold_rng = np.random.default_rng(0)
    rng = np.random.default_rng([seed, int(100 * skill), len(setting)])
    predictions = []
    right = total = 0
    for i in range(narratives):
        gold = gold_rng.integers(0, 3, 4)
        found = np.where(rng.random(4) < skill, gold, rng.integers(0, 3, 4))
        carriers = [int(g != 1) for g in gold]
        spans = [min(sum(carriers), 2), 3, min(sum(carriers), 2), sum(carriers)]
        right, total = right + int((gold == found).sum()), total + 4
        predictions.append(
            {
                "id": f"n{i}",
                "units": [[10 * j, 10 * j + 9] for j in range(4)],
                "gold": [VALENCES[g] for g in gold],
                "predicted": [VALENCES[f] for f in found],
                "scores": [[0.8 if v == f else 0.1 for v in range(3)] for f in found.tolist()],
                "gold_carrier": carriers,
                "predicted_carrier": [int(f != 1) for f in found],
                "candidates": [[c, int(f != 1)] for c, f in zip(carriers, found, strict=True)],
                "spans": dict.fromkeys(("token", "exact", "partial"), spans),
                "carrier_scores": [[0.7, 1], [0.6, 0]],
            }
        )
    metrics = {
        "valence_macro_f": right / total,
        "gold_units_ec_macro_f": right / total,
        "gold_units_ec_partial_f": right / total / 2,
        "fu_f": 0.5,
    }
    evaluation = {
        "metrics": metrics,
        "inference_seconds": 0.5,
        "challenge": {HOSTILE: {"n": 4, "accuracy": skill}},
        "predictions": predictions,
        "dev_predictions": predictions,
    }
    part = {"narratives": round(60 * train_share), "narrators": 6, "units": 240, "non_neutral": 80}
    return {
        "format": FORMAT,
        "name": f"{setting}_{backbone}_seed{seed}_{train_share}",
        "fingerprint": "0" * 64,
        "run": {
            "setting": setting,
            "backbone": backbone,
            "seed": seed,
            "fold": None,
            "train_share": train_share,
            "modes": [mode],
        },
        "lang": "it",
        "environment": {
            "revision": "abc",
            "python": "3",
            "libraries": {"spacy": "3"},
            "hardware": "h",
        },
        "data": {"sha256": "1" * 64, "parts": {"train": part, "dev": part, "test": part}},
        "peak_memory": 10**9,
        "peak_gpu_memory": None,
        "tasks": list(tasks),
        "parameters": 1000,
        "train_seconds": 2.0,
        "config_hash": None,
        "evaluations": {mode: evaluation},
    }
