"""`fu_segmenter`: cuts a narrative into functional units."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from spacy import Language, Vocab
from spacy.attrs import IS_SPACE
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example
from thinc.api import Config, Model
from thinc.types import Floats2d

from ..alignment import aligned_spans
from ..errors import Errors, ValenceECError
from ..extensions import UNIT_ACCESSORS, list_attributes
from ..schema import BREAKS_KEY, FU_KEY
from ..text_view import blank_tokens
from .edges import move_boundaries
from .head import SAMPLE_SIZE, ClassWeights, Head

BOUNDARY = "boundary"
INSIDE = "inside"
BOUNDARY_SCORES_ATTR = "boundary_scores"

DEFAULT_MODEL = """
[model]
@architectures = "spacy_valence_ec.FunctionalUnitSegmenter.v1"
encode = null

[model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = 96
upstream = "*"
"""


@Language.factory(
    "fu_segmenter",
    assigns=["doc.spans", *list_attributes(*UNIT_ACCESSORS)],
    default_config={
        "model": Config().from_str(DEFAULT_MODEL)["model"],
        "threshold": 0.5,
        "loss_weight": 1.0,
        "class_weights": None,
        "scorer": {"@scorers": "spacy_valence_ec.fu_scorer.v1"},
    },
    default_score_weights={
        "fu_f": 1.0,
        "fu_p": None,
        "fu_r": None,
        "fu_boundary_p": None,
        "fu_boundary_r": None,
        "fu_boundary_f": None,
        "fu_windowdiff": None,
    },
)
def make_fu_segmenter(
    nlp: Language,
    name: str,
    model: Model,
    threshold: float,
    loss_weight: float,
    class_weights: dict[str, float] | str | None,
    scorer: Callable | None,
) -> "FunctionalUnitSegmenter":
    """Construct a `FunctionalUnitSegmenter`.

    model: maps Docs to one logit a token (n_tokens, 1), see
        `spacy_valence_ec.FunctionalUnitSegmenter.v1`.
    threshold: a boundary is set after a token whose probability is at least this.
    loss_weight: weight of this component's loss in the sum that trains the shared encoder.
    class_weights: of "boundary" and "inside", "balanced", or null.
    """
    return FunctionalUnitSegmenter(
        nlp.vocab,
        model,
        name,
        threshold=threshold,
        loss_weight=loss_weight,
        class_weights=class_weights,
        scorer=scorer,
    )


class FunctionalUnitSegmenter(Head):
    """Decides after each token whether a functional unit ends there.

    Sets `doc.spans["fu"]`: units in order that cover every token but white space between two
    units, with labels "" and `attrs["boundary_scores"]`, float32 (n_units,): the probability
    of the boundary at which each unit ends (1.0 for the last one, where the text ends).

    A unit begins at each character that `doc.user_data["unit_breaks"]` names, where another person
    begins to speak.
    """

    default_name = "fu_segmenter"
    labels = (INSIDE, BOUNDARY)

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str | None = None,
        *,
        threshold: float = 0.5,
        loss_weight: float = 1.0,
        class_weights: ClassWeights = None,
        scorer: Callable | None = None,
    ):
        super().__init__(
            vocab, model, name, loss_weight=loss_weight, scorer=scorer, class_weights=class_weights
        )
        self.threshold = threshold

    def model_input(
        self, docs: Sequence[Doc], conditions: Sequence[np.ndarray] | None = None
    ) -> list[Doc]:
        return list(docs)

    def predict(self, docs: Iterable[Doc]) -> list[np.ndarray]:
        """P(boundary after the token), float32 (n_tokens,) for each Doc; 0 where none can be."""
        docs = list(docs)
        self.require_vectors(docs)
        logits = self.model.predict(docs)
        return [
            move_boundaries(doc, sigmoid(self.to_cpu(array)[:, 0]))
            for doc, array in zip(docs, logits, strict=True)
        ]

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[np.ndarray]) -> None:
        for doc, probabilities in zip(docs, scores, strict=True):
            probabilities = force_breaks(doc, probabilities)
            units = units_of_boundaries(white_space(doc), probabilities >= self.threshold)
            ends = probabilities[[end - 1 for _, end in units]] if units else np.zeros(0)
            ends = ends.astype("float32")
            ends[-1:] = 1.0
            doc.spans[FU_KEY] = SpanGroup(
                doc,
                name=FU_KEY,
                spans=[Span(doc, start, end) for start, end in units],
                attrs={BOUNDARY_SCORES_ATTR: ends},
            )

    def get_loss(
        self, examples: Iterable[Example], scores: Sequence[Floats2d]
    ) -> tuple[float, list[Floats2d]]:
        """Binary cross-entropy, the weighted mean over the tokens that are not blank nor
        the last of the text (after it a unit always ends), and its gradient by the logits."""
        examples = list(examples)
        weights = self.class_weight_array(self.labels)
        targets, masks = [], []
        for example in examples:
            target, mask = gold_boundaries(example)
            targets.append(target)
            masks.append(mask * weights[target])
        total = float(sum(mask.sum() for mask in masks)) or 1.0
        loss = 0.0
        gradients = []
        for logits, target, mask in zip(scores, targets, masks, strict=True):
            x = self.to_cpu(logits)[:, 0]
            loss += float((mask * (np.logaddexp(0.0, x) - x * target)).sum())
            gradient = mask * (sigmoid(x) - target) * (self.loss_weight / total)
            gradients.append(self.from_cpu(gradient[:, None]))
        return self.loss_weight * loss / total, gradients

    def initialize_labels(self, examples: Iterable[Example]) -> list[Example]:
        sample: list[Example] = []
        counts = np.zeros(2, dtype=int)
        for example in examples:
            if FU_KEY in example.reference.spans:
                target, mask = gold_boundaries(example)
                counts += np.bincount(target[mask], minlength=2)
                if len(sample) < SAMPLE_SIZE:
                    sample.append(example)
        if not sample:
            raise ValenceECError(Errors.V006.format(name=self.name, key=FU_KEY))
        self.set_class_weights(dict(zip(self.labels, counts.tolist(), strict=True)))
        return sample


def gold_boundaries(example: Example) -> tuple[np.ndarray, np.ndarray]:
    """Where the gold units end (int 0/1, (n_tokens,)) and which tokens count in the loss (bool,
    (n_tokens,)): none of an example without gold units."""
    doc = example.predicted
    target = np.zeros(len(doc), dtype=int)
    mask = ~blank_tokens(doc)
    if FU_KEY not in example.reference.spans:
        mask[:] = False
        return target, mask
    words = np.flatnonzero(mask)
    for start, end, _ in aligned_spans(example, FU_KEY):
        # A unit that was annotated with the white space after it ends at its last word.
        last = np.searchsorted(words, end) - 1
        if last >= 0 and words[last] >= start:
            target[words[last]] = 1
    mask[words[-1:]] = False
    return target, mask


def force_breaks(doc: Doc, probabilities: np.ndarray) -> np.ndarray:
    """Probabilities of a boundary after each token, float32 (n_tokens,), 1 before the characters
    at which a unit has to begin."""
    breaks = doc.user_data.get(BREAKS_KEY)
    if not breaks:
        return probabilities
    words = np.flatnonzero(~white_space(doc))
    offsets = [doc[i].idx for i in words.tolist()]
    forced = probabilities.copy()
    for position in np.searchsorted(offsets, breaks):
        if position:
            forced[words[position - 1]] = 1.0
    return forced


def units_of_boundaries(space: np.ndarray, boundary: np.ndarray) -> list[tuple[int, int]]:
    """Units [start, end) from a decision after each token: they begin and end at a token that
    is not white space, and cover all of those.

    space: whether the token is white space, bool (n_tokens,).
    boundary: whether a unit ends after the token, bool (n_tokens,); not read at white space.
    """
    tokens = np.flatnonzero(~space)
    if not len(tokens):
        return []
    ends = boundary[tokens].copy()
    ends[-1] = True
    starts = np.append(True, ends[:-1])
    return list(zip(tokens[starts].tolist(), (tokens[ends] + 1).tolist(), strict=True))


def white_space(doc: Doc) -> np.ndarray:
    """Which tokens are white space alone: bool, (n_tokens,)."""
    return np.asarray(doc.to_array([IS_SPACE]).reshape(-1), dtype=bool)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """The logistic function, without overflow, float32."""
    return np.exp(-np.logaddexp(0.0, -x)).astype("float32")
