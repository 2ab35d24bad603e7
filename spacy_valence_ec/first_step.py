"""The first of two steps as an evaluation takes it: predicted, gold (the oracle), or gold with
noise of a known share.

Noise replaces the labels of the first step, each with the probability `rate`, by ones drawn
without a look at the text: from the distribution of the labels in the gold data, or from a
matrix of confusions; carriers, unit by unit, by the carriers of a unit drawn from the gold data
(how many and how long), at places drawn evenly. So some are dropped, some spurious, some shifted,
in the proportions of the corpus. A replaced label may be the right one by chance.

One seed replaces at a higher rate what it replaces at a lower one, and by the same: a curve over
rates is not shaken by draws.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

from .errors import Errors, ValenceECError
from .models.spans import group_offsets
from .pipeline.condition import gold_carrier_spans, gold_valences
from .pipeline.generative_tagger import GenerativeTagger
from .pipeline.head import Head
from .pipeline.valence_classifier import ValenceClassifier
from .schema import EC_KEY, EC_LABEL, FU_KEY, NEUTRAL, VALENCES

PREDICTED, ORACLE, NOISE = "predicted", "oracle", "noise"
DISTRIBUTION, CONFUSION = NOISE_KINDS = ("distribution", "confusion")

Confusions = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Noise:
    """Gold labels of the first step, a share of them replaced.

    rate: the probability with which each is, from 0 (the oracle) to 1.
    confusions: of valences: for each gold label how often (counts or shares) which label takes its
        place, as `evaluation.valence_confusions` counts them; None for the distribution of the
        labels. Where carriers are the first step, they are not read.

    Raises: ValenceECError V024 for another rate, V025 for confusions that are none.
    """

    rate: float
    seed: int = 0
    confusions: Confusions | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate <= 1.0:
            kind = DISTRIBUTION if self.confusions is None else CONFUSION
            raise ValenceECError(Errors.V024.format(value=f"{NOISE}-{kind}@{self.rate}"))
        if self.confusions is not None:
            rows = [self.confusions.get(label, {}) for label in VALENCES]
            values = [value for row in rows for value in row.values()]
            known = all(set(row) <= set(VALENCES) and sum(row.values()) > 0 for row in rows)
            if not known or min(values) < 0:
                raise ValenceECError(Errors.V025.format(labels=list(VALENCES)))


FirstStep = str | Noise
"""`"predicted"`, `"oracle"`, `"noise-KIND@RATE"` or a `Noise`."""


@dataclass(frozen=True)
class Mode:
    """What a way to take the first step says. `noise`: of which kind, drawn from the distribution
    of the labels or shaped like the confusions of a real first step; None without."""

    kind: str
    noise: str | None = None
    rate: float = 0.0


def parse_mode(name: str) -> Mode:
    """`"predicted"`, `"oracle"`, or `"noise-KIND@RATE"`, such as `"noise-distribution@0.3"`.

    Raises: ValenceECError V024 for anything else.
    """
    if name in (PREDICTED, ORACLE):
        return Mode(name)
    number = r"\d+(?:\.\d+)?(?:e-?\d+)?"
    found = re.fullmatch(rf"{NOISE}-({'|'.join(NOISE_KINDS)})@({number})", name)
    if found is None or float(found[2]) > 1:
        raise ValenceECError(Errors.V024.format(value=name))
    return Mode(NOISE, found[1], float(found[2]))


def parse_first_step(
    value: FirstStep, seed: int = 0, confusions: Confusions | None = None
) -> Noise | None:
    """None for the pipeline's own first step; the oracle is noise of rate 0.

    confusions: for noise of that kind.
    Raises: ValenceECError V024 for a string that is no way to take the first step, V026 for noise
    of the kind "confusion" without confusions.
    """
    if isinstance(value, Noise):
        return value
    mode = parse_mode(value)
    if mode.kind == PREDICTED:
        return None
    if mode.noise != CONFUSION:
        return Noise(mode.rate, seed)
    if confusions is None:
        raise ValenceECError(Errors.V026.format(value=value))
    return Noise(mode.rate, seed, confusions)


@dataclass(frozen=True)
class Steps:
    """The components of a two-step pipeline, by their names.

    before: those in front of the first step; first: those that make its labels, none where one
        component takes both steps; after: all others.
    second: the component that reads the labels of the first step.
    of_valence: whether the first step is that of the valence, else of the carriers.
    """

    before: tuple[str, ...]
    first: tuple[str, ...]
    after: tuple[str, ...]
    second: Head
    of_valence: bool


def two_steps(nlp: Language) -> Steps:
    """Which components are the first step of a pipeline.

    Raises: ValenceECError V023 if no component reads the labels of another one.
    """
    heads = [(name, pipe) for name, pipe in nlp.pipeline if isinstance(pipe, Head)]
    conditioned = [(name, pipe) for name, pipe in heads if pipe.is_conditioned]
    if not conditioned:
        raise ValenceECError(Errors.V023)
    second, pipe = conditioned[0]
    of_valence = _reads_valence(pipe)
    first = [name for name, pipe in heads if _makes(pipe, of_valence) and not pipe.is_conditioned]
    names = list(nlp.pipe_names)
    at = names.index(first[0] if first else second)
    return Steps(
        before=tuple(names[:at]),
        first=tuple(first),
        after=tuple(name for name in names[at:] if name not in first),
        second=pipe,
        of_valence=of_valence,
    )


def _reads_valence(pipe: Head) -> bool:
    """Whether a head that reads the labels of a first step reads the valence, else the carriers."""
    if isinstance(pipe, GenerativeTagger):
        return pipe.asks_valence_first
    return not isinstance(pipe, ValenceClassifier)


def _makes(pipe: Head, valence: bool) -> bool:
    """Whether a head is one of the valence, or, otherwise, one of the carriers."""
    return isinstance(pipe, ValenceClassifier) if valence else EC_LABEL in pipe.labels


class GivenFirstStep:
    """Writes gold labels of the first step on Docs, some of them replaced by noise.

    references: the gold Docs whose labels, or carriers, noise is drawn from.

    Raises: ValenceECError V029 where the first step is the carriers, and some Docs have none
    annotated, not even as none.
    """

    def __init__(self, noise: Noise, references: Sequence[Doc], of_valence: bool):
        lacking = sum(EC_KEY not in doc.spans for doc in references)
        if lacking and not of_valence:
            message = Errors.V029.format(n=lacking, total=len(references), key=EC_KEY)
            raise ValenceECError(message)
        self.noise = noise
        self.of_valence = of_valence
        self.patterns: list[list[int]] = []  # the lengths of the carriers of each gold unit
        distribution = np.zeros(len(VALENCES))
        for doc in references:
            carriers = group_offsets(doc, EC_KEY)
            for unit in doc.spans[FU_KEY]:
                if unit.label_:
                    distribution[VALENCES.index(unit.label_)] += 1
                inside = (unit.start <= carriers[:, 0]) & (carriers[:, 1] <= unit.end)
                self.patterns.append([int(end - start) for start, end in carriers[inside]])
        rows = np.tile(distribution, (len(VALENCES), 1))
        if noise.confusions is not None:
            rows = np.asarray(
                [[noise.confusions[g].get(label, 0.0) for label in VALENCES] for g in VALENCES]
            )
        # A corpus without a single label has nothing to draw: what is drawn then is not used.
        totals = rows.sum(axis=1, keepdims=True)
        self.shares = np.where(totals > 0, rows / np.maximum(totals, 1e-12), 1 / len(VALENCES))

    def write(self, examples: Iterable[Example]) -> None:
        """Set the labels of the units, or the carriers, of each predicted Doc, by its place among
        the examples; the seed and this place determine the noise."""
        for index, example in enumerate(examples):
            rng = np.random.default_rng([self.noise.seed, index])
            if self.of_valence:
                self._write_valences(example, rng)
            else:
                self._write_carriers(example, rng)

    def _write_valences(self, example: Example, rng: np.random.Generator) -> None:
        doc = example.predicted
        group = doc.spans[FU_KEY]
        labels = []
        for gold in gold_valences(example):
            chance, draw = rng.random(2)
            row = int(gold) if gold >= 0 else VALENCES.index(NEUTRAL)
            if chance < self.noise.rate:
                row = min(int(np.searchsorted(self.shares[row].cumsum(), draw, "right")), 2)
            labels.append(VALENCES[row])
        spans = [
            Span(doc, unit.start, unit.end, label=label)
            for unit, label in zip(group, labels, strict=True)
        ]
        doc.spans[FU_KEY] = SpanGroup(doc, name=FU_KEY, spans=spans, attrs=dict(group.attrs))

    def _write_carriers(self, example: Example, rng: np.random.Generator) -> None:
        doc = example.predicted
        gold = gold_carrier_spans(example)
        found: list[tuple[int, int]] = []
        for start, end in group_offsets(doc, FU_KEY).tolist():
            chance = rng.random()
            pattern = self.patterns[rng.integers(len(self.patterns))]
            drawn = place(pattern, start, end, rng)
            own = [carrier for carrier in gold if start <= carrier[0] < end]
            found += drawn if chance < self.noise.rate else own
        spans = [Span(doc, start, end, label=EC_LABEL) for start, end in found]
        doc.spans[EC_KEY] = SpanGroup(doc, name=EC_KEY, spans=spans)


def place(
    lengths: Sequence[int], start: int, end: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Spans of these lengths between two tokens, in order, without overlap, at places drawn
    evenly; what has no room is shortened, or left out."""
    room = end - start
    fitting: list[int] = []
    for length in lengths:
        fitted = min(length, room - sum(fitting))
        if fitted > 0:
            fitting.append(fitted)
    free = room - sum(fitting)
    # Each arrangement of the spans among the free tokens is as probable as any other.
    places = np.sort(rng.choice(free + len(fitting), len(fitting), replace=False))
    spans = []
    first = start
    for i, (at, length) in enumerate(zip(places.tolist(), fitting, strict=True)):
        spans.append((first + at - i, first + at - i + length))
        first += length
    return spans
