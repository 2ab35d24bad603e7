"""A small corpus, a small plan, and records of runs without a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT
from small_project import some_narratives
from small_runs import HOSTILE, a_record

from spacy_valence_ec.experiments.record import Record


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "narratives.jsonl"
    path.write_text("".join(some_narratives(9, 2)), encoding="utf-8")
    return path


@pytest.fixture
def challenge(tmp_path: Path) -> Path:
    path = tmp_path / "challenge.jsonl"
    lines = (ROOT / "corpus" / "challenge.jsonl").read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:4]), encoding="utf-8")
    return path


@pytest.fixture
def records() -> list[Record]:
    """A good joint model on two sizes of the data, a poor baseline, a two-step model that noise
    makes worse than the single task."""
    found = [a_record("majority", 0, skill=0.1, backbone=None)]
    for seed in range(3):
        found.append(a_record("joint", seed, skill=0.9))
        found.append(a_record("joint", seed, skill=0.5, train_share=0.5))
        found.append(a_record(HOSTILE, seed, skill=0.3))
        found.append(a_record("single-valence", seed, skill=0.6, tasks=("valence",)))
        two_step = a_record("two-step-ec-valence", seed, skill=0.7)
        for rate, skill in ((0.0, 0.8), (0.5, 0.4), (1.0, 0.1)):
            mode = f"noise-distribution@{rate:g}"
            other = a_record("two-step-ec-valence", seed, skill=skill, mode=mode)
            two_step["evaluations"] |= other["evaluations"]
        found.append(two_step)
    return found


@pytest.fixture
def plan_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a plan; values as in a config."""

    def write(**values: Any) -> Path:
        values = {
            "settings": [],
            "baselines": [],
            "backbones": ["cnn"],
            "seeds": [0],
            "max_epochs": 1,
        } | values
        path = tmp_path / "plan.cfg"
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        path.write_text("\n".join(["[plan]", *lines]), encoding="utf-8")
        return path

    return write
