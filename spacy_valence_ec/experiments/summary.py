"""From the records of runs to the figures of the report; nothing here draws or writes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ..corpus.statistics import CoOccurrence, co_occurrence
from ..errors import Errors, ValenceECError, listed
from ..first_step import NOISE, ORACLE, PREDICTED, parse_mode
from ..schema import NEUTRAL, VALENCES
from ..temperature import AtTemperature, Fit, Predictions, fit_temperature, tempered
from .modes import GENERATIVE, first_task, is_generative
from .plan import CLASSICAL
from .record import CARRIERS, VALENCE, Record
from .statistics import (
    BreakEven,
    Comparison,
    Metric,
    break_even,
    cliffs_delta,
    cohen_d,
    compare,
    f_of_counts,
    holm,
    macro_f_of_confusion,
)
from .stock import STOCK

# Those of the paper, each with a discriminative and a generative model.
PAPER = ("single-valence", "single-ec", "two-step-valence-ec", "two-step-ec-valence", "joint")
COUPLED = "joint-coupled"
SETTINGS = (*CLASSICAL, *STOCK, *PAPER, COUPLED, *(GENERATIVE + setting for setting in PAPER))
# What the others are compared with: the single task where it was run, else the joint model; for a
# generative setting the generative one.
REFERENCES = {VALENCE: ("single-valence", "joint"), CARRIERS: ("single-ec", "joint")}

JOINT = "joint"


@dataclass(frozen=True)
class Measure:
    """A metric of the tables. `count` gives what a test sums over narratives; None where there is
    no test."""

    key: str
    title: str
    task: str
    metric: Metric | None = None
    count: Callable[[Record], list[int]] | None = None


def _valence_counts(prediction: Record) -> list[int]:
    table = np.zeros((len(VALENCES), len(VALENCES)), dtype=int)
    for gold, predicted in zip(prediction["gold"], prediction["predicted"], strict=True):
        table[VALENCES.index(gold), VALENCES.index(predicted)] += 1
    counts: list[int] = table.ravel().tolist()
    return counts


def _candidate_counts(prediction: Record) -> list[int]:
    table = np.zeros((2, 2), dtype=int)
    for gold, predicted in prediction["candidates"]:
        table[gold, predicted] += 1
    counts: list[int] = table.ravel().tolist()
    return counts


def _span_counts(kind: str) -> Callable[[Record], list[int]]:
    return lambda prediction: list(prediction["spans"][kind])


MEASURES = (
    Measure("valence_macro_f", "valence, macro F1", VALENCE, macro_f_of_confusion, _valence_counts),
    Measure(
        "gold_units_ec_macro_f",
        "carrier candidates, macro F1",
        CARRIERS,
        macro_f_of_confusion,
        _candidate_counts,
    ),
    Measure(
        "gold_units_ec_token_f", "carrier tokens, F1", CARRIERS, f_of_counts, _span_counts("token")
    ),
    Measure(
        "gold_units_ec_partial_f",
        "carriers, overlap F1",
        CARRIERS,
        f_of_counts,
        _span_counts("partial"),
    ),
    Measure(
        "gold_units_ec_exact_f",
        "carriers, exact F1",
        CARRIERS,
        f_of_counts,
        _span_counts("exact"),
    ),
    Measure("gold_units_joint_f", "units right in both, F1", JOINT),
)
END_TO_END = (
    Measure("fu_f", "units, F1", JOINT),
    Measure("e2e_valence_macro_f", "valence, macro F1 over tokens", VALENCE),
    Measure("ec_token_f", "carrier tokens, F1", CARRIERS),
    Measure("ec_partial_f", "carriers, overlap F1", CARRIERS),
    Measure("joint_f", "units right in all, F1", JOINT),
)
# The ones that curves are drawn of, and that are tested: each test more costs the others power.
MAIN = {VALENCE: MEASURES[0], CARRIERS: MEASURES[3]}
TESTED = (MEASURES[0], MEASURES[1], MEASURES[3])


@dataclass(frozen=True)
class System:
    """A setting on a backbone, trained on a share of the data and evaluated in one mode, with its
    runs."""

    setting: str
    backbone: str | None
    train_share: float
    mode: str
    runs: tuple[Record, ...]

    @property
    def name(self) -> str:
        """For people: what is the same for all is not said."""
        name = self.setting if self.mode == PREDICTED else f"{self.setting} [{self.mode}]"
        return f"{name} ({self.backbone})" if self.backbone else name

    @property
    def tasks(self) -> list[str]:
        return list(self.runs[0]["tasks"])

    @property
    def given(self) -> str | None:
        """The task of which this mode is given the gold labels, or noisy ones: its scores are no
        merit of the system."""
        return None if self.mode == PREDICTED else first_task(self.setting)

    @cached_property
    def evaluations(self) -> list[Record]:
        return [run["evaluations"][self.mode] for run in self.runs]

    @property
    def n_training(self) -> float:
        """Training narratives, on average over folds."""
        return float(np.mean([run["data"]["parts"]["train"]["narratives"] for run in self.runs]))

    def values(self, key: str) -> list[float]:
        """A metric of each run; none if some run does not have it."""
        found = [evaluation["metrics"].get(key) for evaluation in self.evaluations]
        return [] if any(value is None for value in found) else found

    def predictions(self) -> Iterable[Record]:
        for evaluation in self.evaluations:
            yield from evaluation["predictions"]

    def counts(self, measure: Measure, seeds: Sequence[int]) -> np.ndarray:
        """(n_seeds, n_narratives, k); the folds of a seed make one replicate."""
        assert measure.count is not None
        replicates = []
        for seed in seeds:
            by_id = {
                prediction["id"]: measure.count(prediction)
                for run, evaluation in zip(self.runs, self.evaluations, strict=True)
                if run["run"]["seed"] == seed
                for prediction in evaluation["predictions"]
            }
            replicates.append([by_id[identity] for identity in sorted(by_id)])
        return np.asarray(replicates)

    @property
    def seeds(self) -> list[int]:
        return sorted({run["run"]["seed"] for run in self.runs})


@dataclass(frozen=True)
class Tested:
    """A comparison with a reference; `adjusted` is the p-value after Holm's correction for all
    that are in the report."""

    system: System
    reference: System
    measure: Measure
    comparison: Comparison
    adjusted: float
    cohen_d: float | None
    cliffs_delta: float


@dataclass(frozen=True)
class Curve:
    """Means, and all values, of a measure along some quantity."""

    name: str
    x: list[float]
    y: list[list[float]]  # for each x the value of each run


@dataclass(frozen=True)
class NoiseCurve:
    """A two-step setting with a noisy first step, and its single-task reference."""

    curve: Curve
    measure: Measure
    reference: str | None
    level: list[float]
    even: BreakEven | None


@dataclass(frozen=True)
class SystemCalibration:
    """How sure the runs of a system are of what they predict on the test part: all of them
    together, as they are and, with a temperature that was fitted for each run on its dev part
    (`fits`), after. Without predictions on dev there is none."""

    before: Predictions
    fits: list[Fit]
    after: Predictions | None


@dataclass(frozen=True)
class WorstUnit:
    """A unit by where it is: `score` is the mean probability of its gold label over seeds."""

    id: str
    start: int
    end: int
    gold: str
    predicted: str
    score: float


def systems_of(records: Sequence[Record], folder: Path) -> list[System]:
    """The systems, baselines first.

    Raises: ValenceECError E011 for records that cannot stand in one table.
    """
    differing = [r["name"] for r in records if r["data"]["sha256"] != records[0]["data"]["sha256"]]
    tested: dict[Any, set[str]] = {}
    for record in records:
        for evaluation in record["evaluations"].values():
            ids = {prediction["id"] for prediction in evaluation["predictions"]}
            if tested.setdefault(record["run"]["fold"], ids) != ids:
                differing.append(record["name"])
    if differing:
        names = listed(sorted(set(differing)))
        raise ValenceECError(Errors.E011.format(folder=folder, names=names))
    groups: dict[tuple[str, str | None, float, str], list[Record]] = {}
    for record in records:
        run = record["run"]
        for mode in record["evaluations"]:
            key = (run["setting"], run["backbone"], run["train_share"], mode)
            groups.setdefault(key, []).append(record)
    systems = [
        System(*key, tuple(sorted(runs, key=lambda r: (r["run"]["seed"], r["run"]["fold"] or 0))))
        for key, runs in groups.items()
    ]
    return sorted(systems, key=_order)


def _order(system: System) -> tuple[Any, ...]:
    at = SETTINGS.index(system.setting) if system.setting in SETTINGS else len(SETTINGS)
    mode = parse_mode(system.mode)
    kinds = (PREDICTED, ORACLE, NOISE)
    return (
        at,
        system.setting,
        system.backbone or "",
        kinds.index(mode.kind),
        mode.noise or "",
        mode.rate,
        -system.train_share,
    )


def headline(systems: Sequence[System]) -> list[System]:
    """Those of the main tables: on the most training data, without noise."""
    most = max(system.train_share for system in systems)
    return [
        system
        for system in systems
        if system.train_share == most and parse_mode(system.mode).kind != NOISE
    ]


def reference_of(
    system: System, task: str, systems: Sequence[System], chosen: str | None = None
) -> System | None:
    """What a system is compared with: on its own backbone, or, for a baseline without one, on the
    first there is. `chosen` stands for its generative counterpart too."""
    kinds = ("", GENERATIVE) if system.backbone is None else (_kind(system),)
    names = [chosen.removeprefix(GENERATIVE)] if chosen else REFERENCES[task]
    for kind, name in product(kinds, names):
        found = [
            other
            for other in systems
            if other.setting == kind + name
            and other.mode == PREDICTED
            and task in other.tasks
            and (system.backbone is None or other.backbone == system.backbone)
        ]
        if found:
            return found[0]
    return None


def comparisons(systems: Sequence[System], chosen: str | None = None) -> list[Tested]:
    """Every system against its reference, in each measure of `TESTED`, with Holm's correction."""
    pairs = []
    for measure in TESTED:
        for system in systems:
            reference = reference_of(system, measure.task, systems, chosen)
            done = measure.task in system.tasks and measure.task != system.given
            if reference is None or reference is system or not done:
                continue
            seeds = sorted(set(system.seeds) & set(reference.seeds))
            if len(system.seeds) == 1:  # a baseline without a seed: against each seed of the other
                a = system.counts(measure, system.seeds)
                b = reference.counts(measure, reference.seeds)
                a = np.broadcast_to(a, (len(b), *a.shape[1:]))
            elif seeds:
                a, b = system.counts(measure, seeds), reference.counts(measure, seeds)
            else:
                continue
            # The first of two steps is the single task itself: there is nothing to compare.
            if a.shape == b.shape and (a != b).any() and measure.metric is not None:
                pairs.append((system, reference, measure, compare(a, b, measure.metric)))
    adjusted = holm([comparison.p_value for *_, comparison in pairs])
    return [
        Tested(
            system,
            reference,
            measure,
            comparison,
            p,
            cohen_d(system.values(measure.key), reference.values(measure.key)),
            cliffs_delta(system.values(measure.key), reference.values(measure.key)),
        )
        for (system, reference, measure, comparison), p in zip(pairs, adjusted, strict=True)
    ]


def _kind(system: System) -> str:
    """With what the name of a system's setting begins."""
    return GENERATIVE if is_generative(system.setting) else ""


def both_arms(systems: Sequence[System]) -> list[tuple[System, System]]:
    """The discriminative and the generative system of each setting and mode that both were run in,
    on each pair of backbones."""
    return [
        (one, other)
        for one in systems
        for other in systems
        if other.setting == GENERATIVE + one.setting
        and (other.mode, other.train_share) == (one.mode, one.train_share)
    ]


def co_occurrences(systems: Sequence[System]) -> list[tuple[str, CoOccurrence]]:
    """Of valence and carriers in the gold data, and in what each system of both tasks predicts,
    units of all runs together."""
    found: list[tuple[str, CoOccurrence]] = []
    for system in systems:
        if {VALENCE, CARRIERS} <= set(system.tasks):
            if not found:
                runs = [
                    evaluation
                    for run, evaluation in zip(system.runs, system.evaluations, strict=True)
                    if run["run"]["seed"] == system.seeds[0]
                ]
                gold = [p for evaluation in runs for p in evaluation["predictions"]]
                found.append(("gold", _co_occurrence(gold, "gold", "gold_carrier")))
            predictions = list(system.predictions())
            cells = _co_occurrence(predictions, "predicted", "predicted_carrier")
            found.append((system.name, cells))
    return found


def _co_occurrence(predictions: Sequence[Record], labels: str, carriers: str) -> CoOccurrence:
    cells = np.zeros((2, 2), dtype=int)
    for prediction in predictions:
        for label, carrier in zip(prediction[labels], prediction[carriers], strict=True):
            cells[int(label == NEUTRAL), 1 - carrier] += 1
    (a, b), (c, d) = cells.tolist()
    return co_occurrence(a, b, c, d)


def confusion(system: System) -> np.ndarray:
    """Units by gold (rows) and predicted valence, summed over runs."""
    table = sum(np.asarray(_valence_counts(prediction)) for prediction in system.predictions())
    return np.asarray(table).reshape(len(VALENCES), len(VALENCES))


def learning_curves(systems: Sequence[System], measure: Measure) -> list[Curve]:
    """Of the systems that were trained on several shares of the data."""
    groups: dict[str, list[System]] = {}
    for system in systems:
        if system.mode == PREDICTED and system.values(measure.key):
            groups.setdefault(system.name, []).append(system)
    found = []
    for name, group in groups.items():
        group = sorted(group, key=lambda system: system.n_training)
        if len(group) > 1:
            x = [system.n_training for system in group]
            found.append(Curve(name, x, [system.values(measure.key) for system in group]))
    return found


def noise_curves(systems: Sequence[System]) -> list[NoiseCurve]:
    """Of two-step settings, in the measure of their second task, and where they fall below the
    single task."""
    groups: dict[tuple[str, str | None, str], list[System]] = {}
    for system in systems:
        mode = parse_mode(system.mode)
        if mode.kind == NOISE and mode.noise:
            groups.setdefault((system.setting, system.backbone, mode.noise), []).append(system)
    found = []
    for (setting, _, kind), group in groups.items():
        most = max(system.train_share for system in group)
        group = sorted(
            (system for system in group if system.train_share == most),
            key=lambda system: parse_mode(system.mode).rate,
        )
        measure = MAIN[CARRIERS if setting.endswith("-ec") else VALENCE]
        rates = [parse_mode(system.mode).rate for system in group]
        values = [system.values(measure.key) for system in group]
        curve = Curve(f"{setting}, {kind}", rates, values)
        reference = reference_of(group[0], measure.task, headline(systems))
        level = reference.values(measure.key) if reference else []
        even = break_even(rates, np.asarray(values).T, level) if level and all(values) else None
        name = reference.name if reference else None
        found.append(NoiseCurve(curve, measure, name, level, even))
    return found


def challenge_scores(systems: Sequence[System]) -> dict[str, dict[str, float]]:
    """For each group of the difficult set the mean accuracy of each system's name."""
    found: dict[str, dict[str, float]] = {}
    for system in systems:
        if system.given == VALENCE:
            continue
        for group in system.evaluations[0]["challenge"]:
            values = [e["challenge"][group]["accuracy"] for e in system.evaluations]
            if all(value is not None for value in values):
                found.setdefault(group, {})[system.name] = float(np.mean(values))
    return found


def worst_units(system: System, most: int = 20) -> list[WorstUnit]:
    """The units whose gold label gets the least probability, on average over seeds."""
    scores: dict[tuple[str, int, int, str], list[list[float]]] = {}
    for prediction in system.predictions():
        if prediction["scores"] is None:
            return []
        rows = zip(prediction["units"], prediction["gold"], prediction["scores"], strict=True)
        for (start, end), gold, row in rows:
            scores.setdefault((prediction["id"], start, end, gold), []).append(row)
    found = []
    for (identity, start, end, gold), rows_ in scores.items():
        mean = np.mean(rows_, axis=0)
        predicted = VALENCES[int(mean.argmax())]
        if predicted != gold:
            score = float(mean[VALENCES.index(gold)])
            found.append(WorstUnit(identity, start, end, gold, predicted, score))
    return sorted(found, key=lambda unit: (unit.score, unit.id, unit.start))[:most]


def calibration(system: System, task: str) -> SystemCalibration | None:
    """Of the valence of gold units, or of predicted carriers, which are right when they overlap a
    gold one. A run evaluated in another mode has the temperature of its mode "predicted".

    None for a system without probabilities."""
    test = [_at_temperature(e["predictions"], task) for e in system.evaluations]
    before = Predictions.joined([at(1.0) for at in test])
    if not len(before):
        return None
    dev = [run["evaluations"].get(PREDICTED, {}).get("dev_predictions") for run in system.runs]
    if None in dev:
        return SystemCalibration(before, [], None)
    fits = [fit_temperature(_at_temperature(predictions, task)) for predictions in dev]
    after = [at(fit.temperature) for at, fit in zip(test, fits, strict=True)]
    return SystemCalibration(before, fits, Predictions.joined(after))


def _at_temperature(predictions: Sequence[Record], task: str) -> AtTemperature:
    """From the probabilities of a record: for the valence their powers, normalized, for a carrier
    with the logit of its probability divided."""
    if task == VALENCE:
        judged = [p for p in predictions if p["scores"] is not None]
        probabilities = np.asarray([row for p in judged for row in p["scores"]])
        probabilities = probabilities.reshape(-1, len(VALENCES))
        predicted, gold = (
            np.asarray([VALENCES.index(label) for p in judged for label in p[side]], dtype=int)
            for side in ("predicted", "gold")
        )
        return lambda t: Predictions.of_classes(_tempered(probabilities, t), predicted, gold)
    pairs = [pair for p in predictions for pair in p["carrier_scores"] or ()]
    p, hits = np.asarray(pairs, dtype=float).reshape(-1, 2).T
    carrier_or_not = np.stack([p, 1.0 - p], axis=1)
    return lambda t: Predictions.of_events(_tempered(carrier_or_not, t)[:, 0], hits > 0)


def _tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    # Not even rounded: a bin has edges.
    return probabilities if temperature == 1.0 else tempered(probabilities, temperature)
