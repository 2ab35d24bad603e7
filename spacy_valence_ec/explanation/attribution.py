"""What each token of a unit adds to the logit of its valence: integrated gradients.

Mukund Sundararajan, Ankur Taly and Qiqi Yan. 2017. *Axiomatic Attribution for Deep Networks.*
In Proceedings of ICML.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from spacy import Language
from spacy.tokens import Doc
from thinc.api import to_numpy
from thinc.types import Floats2d, Ragged

from ..errors import Errors, ValenceECError
from ..models.ngrams import is_unit_ngrams, ngram_contributions
from ..models.spans import split_offsets
from ..models.valence_classifier import vector_classifier
from ..models.words import Words
from ..pipeline.valence_classifier import ValenceClassifier
from .cutting import cut_encoder
from .encoders import Embedded, undisturbed

FACTORY = "valence_classifier"
STEPS = 32

# So many rows (tokens or word pieces) go through the network at once: bounds the memory.
MAX_ROWS = 4096


@dataclass(frozen=True)
class UnitAttribution:
    """The difference that the text makes to the logit of a label, shared among the tokens.

    `scores` and `context` sum to `logit - baseline`, but for `gap`, the error of the integral.
    """

    unit: int
    """Index of the unit in `doc.spans["fu"]`."""
    start: int
    """First token of the unit."""
    end: int
    """The one after the last."""
    predicted: str
    """The label that the component gives to the unit."""
    target: str
    """The label whose logit is explained."""
    scores: np.ndarray
    """Of each token of the unit, float32 (end - start,): positive where it speaks for the label."""
    wide: np.ndarray
    """The part of `scores` that is from the linear part of the network, which is exact."""
    context: float
    """The sum over all other tokens of the narrative."""
    logit: float
    """The logit of the label."""
    baseline: float
    """The logit where nothing is known of any token."""

    @property
    def gap(self) -> float:
        """What the attributions lack (or have too much), by which one sees whether there were
        enough steps."""
        return self.logit - self.baseline - float(self.scores.sum()) - self.context


class Explainer:
    """Attributes the decisions of a component made by the factory `valence_classifier`. Works on
    copies and on gradients of the input alone: the pipeline stays as it is. What is trained later
    on is not seen: make a new one.

    name: of the component; by default the first of the pipeline.
    from_zero: whether the baseline is a vector of zeros in the place of each token.

    The input that is attributed to is the embedding of each token (for a transformer, of its word
    pieces), along a straight line from a baseline, where the mean of the Italian function words
    (for a transformer, the mask) stands in the place of each token. The condition of a second step
    is held fixed.

    Raises: ValenceECError V031 when there is no such component, V032 when its network is none that
    is known here.
    """

    def __init__(self, nlp: Language, name: str | None = None, *, from_zero: bool = False):
        found = {key: pipe for key, pipe in nlp.pipeline if isinstance(pipe, ValenceClassifier)}
        if not found or (name is not None and name not in found):
            named = "" if name is None else f" with the name '{name}'"
            raise ValenceECError(Errors.V031.format(factory=FACTORY, named=named))
        self.head = found[name] if name is not None else next(iter(found.values()))
        wide = self.head.model.maybe_get_ref("wide")
        if wide is not None and not is_unit_ngrams(wide):
            why = f"the wide part is '{wide.name}'"
            raise ValenceECError(Errors.V032.format(name=self.head.name, why=why))
        self._wide = wide
        self._encoder = cut_encoder(nlp, self.head, from_zero=from_zero)
        self._classify = undisturbed(vector_classifier(self.head.model))

    def explain(
        self,
        doc: Doc,
        *,
        targets: Sequence[str] | str | None = None,
        units: Sequence[int] | None = None,
        steps: int = STEPS,
    ) -> list[UnitAttribution]:
        """Attributions for units of a Doc.

        doc: with the units in `doc.spans["fu"]`, and the carriers in `doc.spans["ec"]` where the
            component is conditioned on them.
        targets: the label to explain, one for all or one for each unit of the Doc; by default the
            one that the component gives.
        units: indices of those to explain, by default all. The time grows with their number times
            the length of the Doc.
        steps: points of the integral, by the rule of Gauss and Legendre.

        Raises: ValenceECError V001 and V014 for the units, V021 for the carriers, V033 for an
        argument that does not fit.
        """
        inputs: Any = self.head.model_input([doc])
        spans = to_numpy(inputs[1].dataXd)
        chosen = list(range(len(spans)) if units is None else units)
        self._check(targets, chosen, len(spans), steps)
        if not chosen:
            return []
        embedded = self._encoder.embed(doc)
        logits, baselines = self._logits(inputs, embedded)
        predicted = [self.head.labels[column] for column in logits.argmax(axis=1)]
        if isinstance(targets, str):
            targets = [targets] * len(spans)
        named = predicted if targets is None else targets
        columns = [self.head.labels.index(named[unit]) for unit in chosen]
        deep = self._integrate(inputs, embedded, chosen, columns, steps)
        found = []
        for unit, column, row in zip(chosen, columns, deep, strict=True):
            start, end = spans[unit].tolist()
            wide = self._wide_scores(doc, spans, unit, column)
            scores = row + wide
            found.append(
                UnitAttribution(
                    unit=unit,
                    start=start,
                    end=end,
                    predicted=predicted[unit],
                    target=named[unit],
                    scores=scores[start:end].astype("float32"),
                    wide=wide[start:end].astype("float32"),
                    context=float(scores[:start].sum() + scores[end:].sum()),
                    logit=float(logits[unit, column]),
                    baseline=float(baselines[unit, column]),
                )
            )
        return found

    def _check(
        self, targets: Sequence[str] | str | None, units: list[int], n_units: int, steps: int
    ) -> None:
        labels = self.head.labels
        wanted = [targets] if isinstance(targets, str) else targets
        for setting, fits, expected, value in (
            ("steps", steps >= 1, "1 or more", steps),
            ("units", all(0 <= i < n_units for i in units), f"from 0 to {n_units - 1}", units),
            ("targets", wanted is None or set(wanted) <= set(labels), f"of {labels}", targets),
            (
                "targets",
                wanted is None or isinstance(targets, str) or len(wanted) == n_units,
                f"one for all or one for each of {n_units} units",
                targets,
            ),
        ):
            if not fits:
                message = Errors.V033.format(
                    name=self.head.name, setting=setting, expected=expected, value=value
                )
                raise ValenceECError(message)

    def _logits(self, inputs: Any, embedded: Embedded) -> tuple[np.ndarray, np.ndarray]:
        """Those of all units, (n_units, n_labels), of the text and of the baseline."""
        both = [embedded.inputs, embedded.baseline]
        vectors, _ = self._encoder.encode(embedded, both)
        read, _ = self._repeated(inputs, vectors)
        logits = to_numpy(self._classify.predict(read))
        text, baseline = np.split(logits.astype("float64"), 2)
        if self._wide is not None:
            text += to_numpy(self._wide.predict(inputs[:2]))
            baseline += to_numpy(self._wide.get_ref("output_layer").get_param("b"))
        return text, baseline

    def _wide_scores(self, doc: Doc, spans: np.ndarray, unit: int, column: int) -> np.ndarray:
        if self._wide is None:
            return np.zeros(len(doc))
        return ngram_contributions(self._wide, doc, spans, unit)[:, column].astype("float64")

    def _integrate(
        self,
        inputs: Any,
        embedded: Embedded,
        units: list[int],
        columns: list[int],
        steps: int,
    ) -> np.ndarray:
        """What the tokens add to one logit of each of `units` through the network without its
        linear part: float64 (len(units), n_tokens)."""
        n_units = len(inputs[1].dataXd)
        n_labels = len(self.head.labels)
        ops = self._classify.ops
        difference = embedded.inputs - embedded.baseline
        rows = np.zeros((len(units), len(difference)))
        for points, weights in _batches(steps, len(difference)):
            path = [embedded.baseline + float(point) * difference for point in points]
            vectors, backprop_encoder = self._encoder.encode(embedded, path)
            read, words = self._repeated(inputs, vectors)
            _, backprop = self._classify.begin_update(read)
            for i, (unit, column) in enumerate(zip(units, columns, strict=True)):
                d_logits = np.zeros((len(points), n_units, n_labels), dtype="float32")
                d_logits[:, unit, column] = weights
                gradient: Any = d_logits.reshape((-1, n_labels))
                d_vectors = words.put(backprop(ops.asarray(gradient)))
                for d_inputs in backprop_encoder(d_vectors):
                    rows[i] += to_numpy((difference * d_inputs).sum(axis=1))
        return rows @ embedded.to_tokens.T

    def _repeated(self, inputs: Any, vectors: list[Floats2d]) -> tuple[tuple, Words]:
        """The input of the classifier for several arrays of token vectors of one Doc, and which
        rows of these it reads."""
        docs, units, *marks = inputs
        ops, n = self._classify.ops, len(vectors)
        words = Words(docs * n, split_offsets(units) * n)
        repeated = Ragged(ops.xp.tile(units.dataXd, (n, 1)), ops.xp.tile(units.lengths, n))
        tiled = words.take_flat([ops.xp.tile(array, n) for array in marks])
        return (words.take(vectors), words.ragged(repeated, ops), *tiled), words


def _batches(steps: int, n_rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Points between 0 and 1 and their weights, as many at once as `MAX_ROWS` allows."""
    points, weights = np.polynomial.legendre.leggauss(steps)
    size = max(1, MAX_ROWS // n_rows)
    for first in range(0, steps, size):
        part = slice(first, first + size)
        yield (points[part] + 1) / 2, weights[part] / 2
