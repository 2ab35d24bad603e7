"""`valence_classifier`: negative, neutral or positive, for each functional unit."""

from collections.abc import Callable, Generator, Iterable, Sequence

import numpy as np
from scipy.special import softmax
from spacy import Language, Vocab
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config, Model
from thinc.types import Floats2d

from ..errors import Errors, ValenceECError
from ..extensions import VALENCE_ACCESSORS, list_attributes
from ..schema import FU_KEY, VALENCES
from .annotations import set_valences
from .calibrated import CalibratedHead
from .condition import GOLD, Rate, carrier_marks_of, gold_carrier_marks, gold_valences
from .head import SAMPLE_SIZE, ClassWeights
from .score_weights import VALENCE

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
    requires=["doc.spans", *list_attributes("functional_units")],
    assigns=["doc.spans", *list_attributes(*VALENCE_ACCESSORS)],
    default_config={
        "model": Config().from_str(DEFAULT_MODEL)["model"],
        "loss_weight": 1.0,
        "class_weights": None,
        "label_smoothing": 0.0,
        "condition_source": "gold",
        "gold_rate": 0.5,
        "scorer": {"@scorers": "spacy_valence_ec.valence_scorer.v1"},
    },
    default_score_weights=VALENCE,
)
def make_valence_classifier(
    nlp: Language,
    name: str,
    model: Model,
    loss_weight: float,
    class_weights: dict[str, float] | str | None,
    label_smoothing: float,
    condition_source: str,
    gold_rate: float | Generator,
    scorer: Callable | None,
) -> "ValenceClassifier":
    """Construct a `ValenceClassifier`.

    model: maps Docs and the offsets of their units to logits (n_units, 3), see
        `spacy_valence_ec.ValenceClassifier.v1`.
    loss_weight: weight of this component's loss in the sum that trains the shared encoder.
    class_weights: of the labels, "balanced", or null.
    label_smoothing: share of the target that is spread over all labels, from 0 to less than 1.
    condition_source: where a model with a condition takes the carriers from in training: "gold",
        "predicted" (by an `ec_tagger` among `training.annotating_components`) or "mix".
    gold_rate: with "mix", the probability that a Doc is read with its gold carriers: a number, or
        a schedule over the batches such as `decaying.v1`.

    Raises: ValenceECError V015 for another share, V022 for another source or rate.
    """
    return ValenceClassifier(
        nlp.vocab,
        model,
        name,
        loss_weight=loss_weight,
        class_weights=class_weights,
        label_smoothing=label_smoothing,
        condition_source=condition_source,
        gold_rate=gold_rate,
        scorer=scorer,
    )


class ValenceClassifier(CalibratedHead):
    """Gives each unit of `doc.spans["fu"]` its valence as the label, and the group
    `attrs["scores"]`, float32 (n_units, 3): the probability of each of `attrs["labels"]`.

    In training, a predicted unit learns the valence of the gold unit that shares most of its
    tokens.

    A model with a condition reads the carriers in `doc.spans["ec"]`: then this is the second of
    two steps.
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
        condition_source: str = GOLD,
        gold_rate: Rate = 0.5,
        scorer: Callable | None = None,
    ):
        super().__init__(
            vocab,
            model,
            name,
            loss_weight=loss_weight,
            class_weights=class_weights,
            condition_source=condition_source,
            gold_rate=gold_rate,
            scorer=scorer,
        )
        if not 0.0 <= label_smoothing < 1.0:
            raise ValenceECError(Errors.V015.format(name=self.name, value=label_smoothing))
        self.label_smoothing = label_smoothing

    def given_condition(self, doc: Doc) -> np.ndarray:
        return carrier_marks_of(doc, self.name)

    def gold_condition(self, example: Example) -> np.ndarray:
        return gold_carrier_marks(example)

    def raw_scores(self, docs: Sequence[Doc]) -> np.ndarray:
        """The logits of the units of all Docs in order, float32 (n_units, 3)."""
        inputs = self.model_input(docs)
        self.require_vectors(docs)
        return self.to_cpu(self.model.predict(inputs))

    def at_temperature(self, raw: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
        """Of each unit the index of the most probable label, int (n_units,), which is that of the
        logits, and P(label), float32 (n_units, 3)."""
        return raw.argmax(axis=1), softmax(raw / temperature, axis=1).astype("float32")

    def set_annotations(self, docs: Iterable[Doc], scores: tuple[np.ndarray, np.ndarray]) -> None:
        first = 0
        for doc in docs:
            last = first + len(doc.spans[FU_KEY])
            labels, rows = (array[first:last] for array in scores)
            set_valences(doc, (self.labels[i] for i in labels), rows)
            first = last

    def get_loss(self, examples: Iterable[Example], scores: Floats2d) -> tuple[float, Floats2d]:
        """Cross-entropy with the smoothed target, the weighted mean over the units that have a gold
        valence, and its gradient by the logits."""
        target = np.concatenate(
            [np.zeros(0, dtype=int), *(gold_valences(example) for example in examples)]
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
