"""What the components that listen to the shared encoder have in common."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from spacy import Language, Vocab
from spacy.pipeline import TrainablePipe
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from thinc.api import Model, Optimizer, set_dropout_rate
from thinc.types import Floats2d

from ..errors import Errors, ValenceECError, ValenceECWarning, Warnings
from ..extensions import install_extensions
from ..models.spans import group_offsets, ragged_offsets
from ..schema import FU_KEY
from ..text_view import blank_tokens
from .condition import GOLD, ConditionSource, Rate
from .gradients import check_gradient_route
from .units import preset_gold_units
from .workers import single_thread_in_worker

# How many examples `initialize` infers the shapes from, as spaCy's components do.
SAMPLE_SIZE = 10

ClassWeights = dict[str, float] | str | None


class Head(TrainablePipe):
    """A trainable component on top of the shared encoder.

    A subclass gives `predict`, `set_annotations`, `get_loss` and `initialize_labels`, and, where
    its model reads or gives something else, `model_input` and `sample_output`; `update` and
    `initialize` are the same for all.

    A head whose model has a condition is the second of two steps: it reads what the first one
    left on the Doc. In training, `condition_source` says where that comes from: "gold" is the
    reference (teacher forcing), "predicted" the Doc, which an annotating component has to fill,
    "mix" for each Doc one of both, drawn anew in each step; `gold_rate` is the probability of
    gold then, a number or a thinc schedule over the batches. Gold is read by `update` alone,
    never by `predict`.
    """

    default_name: str
    labels: tuple[str, ...] = ()

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str | None = None,
        *,
        loss_weight: float = 1.0,
        class_weights: ClassWeights = None,
        condition_source: str = GOLD,
        gold_rate: Rate = 0.5,
        scorer: Callable | None = None,
    ):
        install_extensions()
        self.vocab = vocab
        self.model = model
        self.name = name or self.default_name
        self.loss_weight = loss_weight
        self.scorer = scorer
        self.class_weights = class_weights
        self.condition_source = ConditionSource(self.name, condition_source, gold_rate)
        self.cfg: dict[str, Any] = {"class_weights": None}
        self._has_weights = False

    def __call__(self, doc: Doc) -> Doc:
        install_extensions()
        self.require_weights()
        return super().__call__(doc)

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        install_extensions()
        self.require_weights()
        single_thread_in_worker()
        yield from super().pipe(stream, batch_size=batch_size)

    def model_input(
        self, docs: Sequence[Doc], conditions: Sequence[np.ndarray] | None = None
    ) -> Any:
        """What the model reads: the Docs, the offsets of their units and, with a condition, the
        labels of the first step.

        conditions: these labels, one array a Doc; None for those on the Docs.

        Raises: ValenceECError V001 and V014, as `unit_offsets`; V020 or V021 for a Doc that lacks
        the labels.
        """
        units = ragged_offsets(self.unit_offsets(docs), self.model.ops)
        return self.with_condition((list(docs), units), docs, conditions)

    @property
    def is_conditioned(self) -> bool:
        """Whether this is the second of two steps."""
        return self.model.maybe_get_ref("condition") is not None

    def first_step_given(self) -> AbstractContextManager[None]:
        """While it lasts, the second of two steps reads the labels of the first one from the Docs,
        as it always does unless the component makes them itself."""
        return nullcontext()

    def given_condition(self, doc: Doc) -> np.ndarray:
        """The labels of the first step on a Doc, int, one a row that the model conditions on.

        Raises: ValenceECError V020 or V021 where they are missing.
        """
        raise NotImplementedError

    def gold_condition(self, example: Example) -> np.ndarray:
        """The gold ones, in the tokens and units of `example.predicted`; -1 where unknown."""
        raise NotImplementedError

    def with_condition(
        self, inputs: tuple, docs: Sequence[Doc], conditions: Sequence[np.ndarray] | None
    ) -> tuple:
        """`inputs`, and behind them the labels of the first step where the model reads them."""
        if not self.is_conditioned:
            return inputs
        if conditions is None:
            conditions = [self.given_condition(doc) for doc in docs]
        labels: Any = np.concatenate([np.zeros(0, dtype=int), *conditions]).astype("int32")
        return (*inputs, self.model.ops.asarray1i(labels))

    def training_conditions(self, examples: Sequence[Example]) -> list[np.ndarray]:
        """The labels of the first step for a step of the training, by `condition_source`."""
        self.unit_offsets([example.predicted for example in examples])  # its errors come first
        self.condition_source.next_batch()
        return [
            self.gold_condition(example)
            if self.condition_source.draws_gold()
            else self.given_condition(example.predicted)
            for example in examples
        ]

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch. The loss added to `losses` is the mean over the decisions of the
        batch, times `loss_weight`.

        The gradient is passed on even if the batch holds nothing to learn from: the last
        listener drives the shared encoder, and the gradients of all others wait for it.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.update")
        set_dropout_rate(self.model, drop)
        docs = [example.predicted for example in examples]
        for listener in listeners_of(self.model):
            level_empty_docs(listener)
        conditions = self.training_conditions(examples) if self.is_conditioned else None
        scores, backprop = self.model.begin_update(self.model_input(docs, conditions))
        with np.errstate(invalid="ignore", over="ignore"):
            loss, d_scores = self.get_loss(examples, scores)
        if not math.isfinite(loss):
            raise ValenceECError(Errors.V010.format(name=self.name))
        # Only a batch without a single token is not passed on: spaCy's encoders cannot take it.
        if any(len(doc) for doc in docs):
            backprop(d_scores)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[str] | None = None,
    ) -> None:
        """Set the labels and class weights from the data (or `labels` from a file made by
        `spacy init labels`) and the shapes of the model from a sample.

        Raises: ValenceECError if the data has no units, an unknown label, or the pipeline
        would leave the shared encoder without gradient.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        if nlp is not None:
            check_gradient_route(nlp)
        for label in labels or ():
            self.add_label(label)
        sample = self.initialize_labels(get_examples())
        docs = []
        for example in sample:
            doc = example.predicted.copy()
            preset_gold_units(doc, example)
            docs.append(doc)
        conditions = None
        if self.is_conditioned:
            pairs = zip(docs, sample, strict=True)
            conditions = [self.gold_condition(Example(doc, eg.reference)) for doc, eg in pairs]
        inputs = self.model_input(docs, conditions)
        self.model.initialize(X=inputs, Y=self.sample_output(docs))

    def initialize_labels(self, examples: Iterable[Example]) -> list[Example]:
        """Read all the examples once for labels and weights; give back a sample of annotated
        ones, never empty.

        Raises: ValenceECError V006 if none is annotated.
        """
        raise NotImplementedError

    def sample_output(self, docs: Sequence[Doc]) -> Any:
        """Output of the model's shape for a sample of Docs."""
        return None

    def add_label(self, label: str) -> int:
        """0 if the label is known.

        Raises: ValenceECError V007 for any other: the labels are those of the task.
        """
        if label not in self.labels:
            raise ValenceECError(Errors.V007.format(name=self.name, label=label))
        return 0

    @property
    def label_data(self) -> list[str]:
        """The labels, as `spacy init labels` stores them."""
        return list(self.labels)

    def require_weights(self) -> None:
        """Refuse to predict with a network that has no weights.

        Raises: ValenceECError V042.
        """
        if not self._has_weights:
            nodes = self.model.walk()
            if any(node.has_param(name) is None for node in nodes for name in node.param_names):
                raise ValenceECError(Errors.V042.format(name=self.name))
            self._has_weights = True

    def require_vectors(self, docs: Sequence[Doc]) -> None:
        """Refuse to predict from the zero vectors that a listener silently reads when the
        encoder has not run, or from those of another encoder, and warn about tokens that the
        encoder left without a vector.

        Raises: ValenceECError V002, V048.
        """
        listener = next(listeners_of(self.model), None)
        if listener is None:
            return
        missing = total = 0
        for doc in docs:
            if not len(doc):
                continue
            if doc.tensor.shape[0] != len(doc):
                raise ValenceECError(
                    Errors.V002.format(name=self.name, n=len(doc), upstream=upstream_name(listener))
                )
            if doc.tensor.shape[1] != listener.get_dim("nO"):
                expected, found = listener.get_dim("nO"), doc.tensor.shape[1]
                message = Errors.V048.format(name=self.name, expected=expected, found=found)
                raise ValenceECError(message)
            total += len(doc)
            empty = ~doc.tensor.any(axis=1)
            if empty.any():
                missing += int((self.to_cpu(empty) & ~blank_tokens(doc)).sum())
        if missing:
            # From this line for every head: Python shows one message of one place only once.
            message = Warnings.W002.format(n=missing, total=total)
            warnings.warn(message, ValenceECWarning, stacklevel=1)

    def unit_offsets(self, docs: Iterable[Doc]) -> list[np.ndarray]:
        """Token offsets of the units of each Doc, int32 (n_units, 2), end exclusive.

        Raises: ValenceECError V001 for a Doc that has no group of units, V014 for units, set by
        other code, that are empty, overlap or are out of order.
        """
        offsets = []
        for doc in docs:
            if FU_KEY not in doc.spans:
                raise ValenceECError(Errors.V001.format(name=self.name, key=FU_KEY))
            units = group_offsets(doc, FU_KEY)
            if (units[:, 0] >= units[:, 1]).any() or (units[1:, 0] < units[:-1, 1]).any():
                raise ValenceECError(Errors.V014.format(name=self.name, key=FU_KEY))
            offsets.append(units)
        return offsets

    def to_cpu(self, array: Any) -> np.ndarray:
        return np.asarray(self.model.ops.to_numpy(array))

    def from_cpu(self, array: np.ndarray) -> Floats2d:
        """A float32 matrix on the device of the model."""
        matrix: Any = array.astype("float32")
        return self.model.ops.asarray2f(matrix)

    def set_class_weights(self, counts: dict[str, int]) -> None:
        """Resolve the setting `class_weights` by how often each class occurs in the data.

        'balanced' is scikit-learn's: total / (classes * count), of the classes that occur.
        Raises: ValenceECError V008 for a setting that does not fit the labels.
        """
        setting = self.class_weights
        if setting is None or setting == {}:
            self.cfg["class_weights"] = None
        elif setting == "balanced":
            present = {label: n for label, n in counts.items() if n}
            total = sum(present.values())
            self.cfg["class_weights"] = {
                label: total / (len(present) * present[label]) if label in present else 1.0
                for label in counts
            }
        elif (
            isinstance(setting, dict)
            and set(setting) <= set(counts)
            and all(math.isfinite(weight) and weight > 0 for weight in setting.values())
        ):
            self.cfg["class_weights"] = {label: setting.get(label, 1.0) for label in counts}
        else:
            raise ValenceECError(
                Errors.V008.format(name=self.name, labels=list(counts), value=setting)
            )

    def class_weight_array(self, labels: Sequence[str]) -> np.ndarray:
        """The weight of each label, float32 (len(labels),): 1 without a setting."""
        weights = self.cfg["class_weights"] or {}
        return np.asarray([weights.get(label, 1.0) for label in labels], dtype="float32")


def listeners_of(model: Model) -> Iterator[Any]:
    """The listeners inside a component's model; none if it has an encoder of its own."""
    return (node for node in model.walk() if isinstance(node, Tok2VecListener))


def level_empty_docs(listener: Any) -> None:
    """Let the listener give an empty Doc vectors of shape (0, width), and pass their gradient
    back in the shape that the encoder gave: a transformer gives (0, 0), which numpy cannot add
    to it."""
    if not listener._outputs or all(map(len, listener._outputs)):
        return
    shapes = [array.shape for array in listener._outputs]
    empty = listener.ops.alloc2f(0, listener.get_dim("nO"))
    backprop = listener._backprop

    def backprop_in_shape(gradients: list[Floats2d]) -> Any:
        return backprop([dY.reshape(shape) for dY, shape in zip(gradients, shapes, strict=True)])

    outputs = [array if len(array) else empty for array in listener._outputs]
    listener.receive(listener._batch_id, outputs, backprop_in_shape)


def upstream_name(listener: Any) -> str:
    """The encoder that a listener names; 'tok2vec' for the wildcard."""
    name: str = listener.upstream_name
    return "tok2vec" if name == "*" else name
