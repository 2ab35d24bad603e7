"""`valence_classifier`: negative, neutral or positive, for each functional unit."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from spacy import Language, Vocab
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example
from thinc.api import Config, Model
from thinc.types import Floats2d

from ..alignment import aligned_spans
from ..errors import Errors, ValenceECError
from ..models.spans import group_offsets
from ..schema import FU_KEY, LABELS_ATTR, SCORES_ATTR, VALENCES
from .head import SAMPLE_SIZE, ClassWeights, Head
from .units import best_overlap

DEFAULT_MODEL = """
[model]
@architectures = "spacy_valence_ec.ValenceClassifier.v1"
nO = null

[model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = 96
upstream = "*"

[model.reducer]
@layers = "spacy.mean_max_reducer.v1"
hidden_size = 64

[model.context]
@architectures = "spacy.MaxoutWindowEncoder.v2"
width = 64
window_size = 1
maxout_pieces = 3
depth = 1
"""


@Language.factory(
    "valence_classifier",
    requires=["doc.spans"],
    assigns=["doc.spans"],
    default_config={
        "model": Config().from_str(DEFAULT_MODEL)["model"],
        "loss_weight": 1.0,
        "class_weights": None,
        "label_smoothing": 0.0,
        "scorer": {"@scorers": "spacy_valence_ec.valence_scorer.v1"},
    },
    default_score_weights={
        "e2e_valence_macro_f": 1.0,
        **{f"e2e_valence_f_{label}": None for label in VALENCES},
    },
)
def make_valence_classifier(
    nlp: Language,
    name: str,
    model: Model,
    loss_weight: float,
    class_weights: dict[str, float] | str | None,
    label_smoothing: float,
    scorer: Callable | None,
) -> "ValenceClassifier":
    """Construct a `ValenceClassifier`.

    model: maps Docs and the offsets of their units to logits (n_units, 3), see
        `spacy_valence_ec.ValenceClassifier.v1`.
    loss_weight: weight of this component's loss in the sum that trains the shared encoder.
    class_weights: of the labels, "balanced", or null.
    label_smoothing: share of the target that is spread over all labels, from 0 to less than 1.

    Raises: ValenceECError V015 for another share.
    """
    return ValenceClassifier(
        nlp.vocab,
        model,
        name,
        loss_weight=loss_weight,
        class_weights=class_weights,
        label_smoothing=label_smoothing,
        scorer=scorer,
    )


class ValenceClassifier(Head):
    """Gives each unit of `doc.spans["fu"]` its valence as the label, and the group
    `attrs["scores"]`, float32 (n_units, 3): the probability of each of `attrs["labels"]`.

    In training, a predicted unit learns the valence of the gold unit that shares most of its
    tokens.
    """

    default_name = "valence_classifier"
    labels = VALENCES

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str | None = None,
        *,
        loss_weight: float = 1.0,
        class_weights: ClassWeights = None,
        label_smoothing: float = 0.0,
        scorer: Callable | None = None,
    ):
        super().__init__(
            vocab, model, name, loss_weight=loss_weight, class_weights=class_weights, scorer=scorer
        )
        if not 0.0 <= label_smoothing < 1.0:
            raise ValenceECError(Errors.V015.format(name=self.name, value=label_smoothing))
        self.label_smoothing = label_smoothing

    def predict(self, docs: Iterable[Doc]) -> np.ndarray:
        """P(label) of the units of all Docs in order, float32 (n_units, 3)."""
        docs = list(docs)
        inputs = self.model_input(docs)
        self.require_vectors(docs)
        logits = self.model.predict(inputs)
        return np.asarray(self.to_cpu(self.model.ops.softmax(logits, axis=-1)), dtype="float32")

    def set_annotations(self, docs: Iterable[Doc], scores: np.ndarray) -> None:
        first = 0
        for doc in docs:
            group = doc.spans[FU_KEY]
            rows = scores[first : first + len(group)]
            first += len(group)
            best = rows.argmax(axis=1)
            units = [
                Span(doc, unit.start, unit.end, label=self.labels[i])
                for unit, i in zip(group, best, strict=True)
            ]
            attrs = {**group.attrs, SCORES_ATTR: rows, LABELS_ATTR: list(self.labels)}
            doc.spans[FU_KEY] = SpanGroup(doc, name=FU_KEY, spans=units, attrs=attrs)

    def get_loss(self, examples: Iterable[Example], scores: Floats2d) -> tuple[float, Floats2d]:
        """Cross-entropy with the smoothed target, the weighted mean over the units that have a gold
        valence, and its gradient by the logits."""
        target = np.concatenate(
            [np.zeros(0, dtype=int), *(gold_valences(self, example) for example in examples)]
        )
        known = target >= 0
        weights = np.zeros(len(target), dtype="float32")
        weights[known] = self.class_weight_array(self.labels)[target[known]]
        total = float(weights.sum()) or 1.0
        logits = self.to_cpu(scores)
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        rows = np.flatnonzero(known)
        truth = np.zeros_like(log_p)
        truth[rows, target[rows]] = 1.0 - self.label_smoothing
        truth[rows] += self.label_smoothing / len(self.labels)
        loss = -float((weights[:, None] * truth * log_p).sum())
        gradient = np.exp(log_p) - truth
        gradient *= weights[:, None] * (self.loss_weight / total)
        return self.loss_weight * loss / total, self.from_cpu(gradient)

    def initialize_labels(self, examples: Iterable[Example]) -> list[Example]:
        sample: list[Example] = []
        counts = dict.fromkeys(self.labels, 0)
        for example in examples:
            if FU_KEY not in example.reference.spans:
                continue
            for unit in example.reference.spans[FU_KEY]:
                if unit.label_:
                    self.add_label(unit.label_)
                    counts[unit.label_] += 1
            if len(sample) < SAMPLE_SIZE:
                sample.append(example)
        if not any(counts.values()):
            raise ValenceECError(Errors.V006.format(name=self.name, key=FU_KEY))
        self.set_class_weights(counts)
        return sample

    def sample_output(self, docs: Sequence[Doc]) -> Floats2d:
        return self.model.ops.alloc2f(1, len(self.labels))


def gold_valences(pipe: ValenceClassifier, example: Example) -> np.ndarray:
    """Index of the gold label of each unit of `example.predicted`, int (n_units,); -1 where
    nothing is annotated."""
    units = group_offsets(example.predicted, FU_KEY)
    gold = aligned_spans(example, FU_KEY)
    index = best_overlap(units, gold, len(example.predicted))
    labels = [pipe.labels.index(label) if label else -1 for _, _, label in gold]
    return np.asarray([labels[i] if i >= 0 else -1 for i in index], dtype=int)
