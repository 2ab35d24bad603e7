"""What is to be run: a file of configs/experiments, checked field by field."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, get_type_hints

from spacy import util

from ..configs import MAX_SEED
from ..errors import Errors, ValenceECError
from ..first_step import NOISE, PREDICTED, parse_mode
from .modes import is_generative, modes_of

FOLDER = "experiments"  # of the plans, in configs/

# Baselines that read no config of spaCy's, and are the same with every seed.
MAJORITY, LEXICON, TFIDF, CRF = CLASSICAL = ("majority", "lexicon", "tfidf", "crf")


# Fields that hold no value twice.
LISTS = (
    "settings",
    "baselines",
    "backbones",
    "causal_backbones",
    "seeds",
    "folds",
    "train_shares",
)


@dataclass(frozen=True)
class Run:
    """One training, and its evaluations. `fold` None: the split of the corpus. `backbone` None: a
    baseline without one. `train_share`: of the training narratives."""

    setting: str
    backbone: str | None
    seed: int
    fold: int | None
    train_share: float
    modes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of its files, and for people."""
        parts = [self.setting]
        if self.backbone:
            parts.append(re.sub(r"[^\w.-]+", "-", self.backbone).strip("-.")[-40:])
        parts.append(f"seed{self.seed}")
        if self.fold is not None:
            parts.append(f"fold{self.fold}")
        if self.train_share < 1:
            parts.append(f"train{round(100 * self.train_share)}")
        return "_".join(parts)


@dataclass(frozen=True)
class Plan:
    """`settings` and `baselines` are trained on each of `backbones` (generative settings on each of
    `causal_backbones`) with each of `seeds` (those in `CLASSICAL` once, on none), on the split of
    the corpus or on each of `folds`, with each of `train_shares`. Two-step settings are evaluated
    in each of `modes`, and with noise of each of `noise_kinds` at each of `noise_rates`.

    `max_epochs`: -1 for the backbone's. `challenge` and `lexicon`: files, or null. `overrides`:
    values of the composed configs by their dotted names, each for the settings that have it.
    """

    settings: list[str]
    baselines: list[str]
    backbones: list[str]
    seeds: list[int]
    causal_backbones: list[str] = field(default_factory=list)
    folds: list[int] = field(default_factory=list)
    train_shares: list[float] = field(default_factory=lambda: [1.0])
    modes: list[str] = field(default_factory=lambda: [PREDICTED])
    noise_kinds: list[str] = field(default_factory=list)
    noise_rates: list[float] = field(default_factory=list)
    max_epochs: int = -1
    lang: str = "it"
    challenge: str | None = None
    lexicon: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)

    def fold_or_none(self) -> list[int | None]:
        """The folds, or None for the split of the corpus."""
        return [*self.folds] or [None]

    def backbones_of(self, setting: str) -> list[str | None]:
        """Those that a setting or baseline is trained on; None for none."""
        if setting in CLASSICAL:
            return [None]
        return [*(self.causal_backbones if is_generative(setting) else self.backbones)]

    def runs(self) -> Iterator[Run]:
        """All runs, those of one fold and size together."""
        noise = [f"{NOISE}-{k}@{rate:g}" for k in self.noise_kinds for rate in self.noise_rates]
        modes = [*self.modes, *noise]
        for fold in self.fold_or_none():
            for share in self.train_shares:
                for setting in [*self.baselines, *self.settings]:
                    for backbone in self.backbones_of(setting):
                        for seed in self.seeds if backbone else self.seeds[:1]:
                            yield Run(
                                setting, backbone, seed, fold, share, modes_of(setting, modes)
                            )


def read_plan(name: str, configs: Path) -> Plan:
    """The plan in `configs/experiments/<name>.cfg`, or in the file of that name.

    Raises: ValenceECError E001 if there is no such file, E002 for what is wrong in it, V024 for an
    unknown mode.
    """
    path = Path(name)
    if path.suffix != ".cfg":
        path = configs / FOLDER / f"{name}.cfg"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in (configs / FOLDER).glob("*.cfg"))) or "none"
        raise ValenceECError(Errors.E001.format(name=name, folder=configs / FOLDER, known=known))
    try:
        config = util.load_config(path)
    except ValueError as error:
        raise ValenceECError(Errors.E002.format(path=path, why="not a config")) from error
    section = config.get("plan")
    if not isinstance(section, dict):
        raise ValenceECError(Errors.E002.format(path=path, why="there is no section [plan]"))
    plan = _checked(section, path)
    for mode in plan.modes:
        parse_mode(mode)
    return plan


def _checked(section: dict[str, Any], path: Path) -> Plan:
    def refuse(why: str) -> ValenceECError:
        return ValenceECError(Errors.E002.format(path=path, why=why))

    hints = get_type_hints(Plan)
    unknown = sorted(set(section) - set(hints))
    if unknown:
        raise refuse(f"unknown field '{unknown[0]}'")
    for item in fields(Plan)[:4]:
        if item.name not in section:
            raise refuse(f"there is no '{item.name}'")
    for name, value in section.items():
        if not _is_of(value, hints[name]):
            raise refuse(f"'{name}' is of another type than {hints[name]}")
    values: dict[str, Any] = {
        name: [float(v) for v in value] if hints[name] == list[float] else value
        for name, value in section.items()
    }
    plan = Plan(**values)
    for name in ("seeds", "train_shares"):
        if not values.get(name, [1]):
            raise refuse(f"'{name}' is empty")
    if not plan.settings and not plan.baselines:
        raise refuse("there is neither a setting nor a baseline")
    for setting in (*plan.baselines, *plan.settings):
        if not plan.backbones_of(setting):
            name = "causal_backbones" if is_generative(setting) else "backbones"
            raise refuse(f"'{name}' is empty, and '{setting}' needs one")
    if plan.causal_backbones and not any(map(is_generative, plan.settings)):
        raise refuse("no setting is generative, and 'causal_backbones' are for such alone")
    for name in LISTS:
        found = getattr(plan, name)
        if len(set(found)) < len(found):
            raise refuse(f"'{name}' has a value twice")
    both = sorted({*plan.settings} & {*plan.baselines})
    if both:
        raise refuse(f"'{both[0]}' is among the settings and the baselines")
    names = [run.name for run in plan.runs()]
    if len(set(names)) < len(names):
        raise refuse("two runs would have one name: backbones or shares that hardly differ")
    if not all(0 < share <= 1 for share in plan.train_shares):
        raise refuse("'train_shares' must be above 0, and 1 at most")
    if not all(0 <= rate <= 1 for rate in plan.noise_rates):
        raise refuse("'noise_rates' must be from 0 to 1")
    if not all(0 <= seed < MAX_SEED for seed in plan.seeds):
        raise refuse(f"'seeds' must be from 0 to {MAX_SEED - 1}")
    if plan.max_epochs < -1:
        raise refuse("'max_epochs' must be 0 or more, or -1 for the backbone's")
    for kind in plan.noise_kinds:
        parse_mode(f"{NOISE}-{kind}@0")
    return plan


def _is_of(value: Any, kind: Any) -> bool:
    """Whether a value of a config has the type of a field."""
    if kind == str | None:
        return value is None or isinstance(value, str)
    if kind == dict[str, Any]:
        return isinstance(value, dict)
    if kind in (list[str], list[int], list[float]):
        (inner,) = kind.__args__
        wanted: Any = (int, float) if inner is float else inner
        return isinstance(value, list) and all(
            isinstance(v, wanted) and not isinstance(v, bool) for v in value
        )
    return isinstance(value, kind) and not isinstance(value, bool)


def fingerprint(content: dict[str, Any]) -> str:
    """Equal for equal content, and for no other."""
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
