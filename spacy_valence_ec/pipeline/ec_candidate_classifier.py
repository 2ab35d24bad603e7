"""`ec_tagger` with a suggester: accepts or rejects each candidate, as the paper does."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from spacy import Vocab
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model, to_numpy
from thinc.types import Floats2d, Ragged

from ..alignment import aligned_spans
from ..metrics import shares_content
from ..models.spans import group_offsets, ragged_offsets
from ..schema import EC_KEY, EC_LABEL, FU_KEY
from ..suggesters import content_mask
from .annotations import set_judgments
from .carrier_pipe import WITHOUT, CarrierPipe
from .condition import GOLD, Rate
from .fu_segmenter import sigmoid
from .head import SAMPLE_SIZE, ClassWeights
from .units import preset_gold_units, within_units


class EmotionCarrierCandidateClassifier(CarrierPipe):
    """Judges each candidate of a suggester that lies inside one unit.

    Sets `doc.spans["ec_candidates"]`, label "EC" if accepted, else "", and `doc.spans["ec"]`:
    of accepted candidates that overlap, the most probable one. The scores of both groups are
    float32 (n,): the probability that the candidate is a carrier. The threshold is for the
    probability before the temperature, so that calibrating changes no decision.

    In training a candidate is positive when it overlaps a gold carrier by a content token.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        suggester: Callable[..., Ragged],
        name: str | None = None,
        *,
        threshold: float = 0.5,
        loss_weight: float = 1.0,
        class_weights: ClassWeights = None,
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
        self.suggester = suggester
        self.threshold = threshold

    def candidates(self, docs: Sequence[Doc]) -> list[np.ndarray]:
        """The candidates of each Doc, int32 (n, 3): start and end token, and the unit, by its
        place in the Doc. What the suggester proposes across units is left out."""
        all_units = self.unit_offsets(docs)
        proposed = self.suggester(docs, ops=self.model.ops)
        offsets = np.asarray(to_numpy(proposed.dataXd), dtype="int32").reshape((-1, 2))
        ends = np.cumsum(to_numpy(proposed.lengths))[:-1]
        return [
            within_units(spans, units)
            for units, spans in zip(all_units, np.split(offsets, ends), strict=True)
        ]

    def model_input(
        self, docs: Sequence[Doc], conditions: Sequence[np.ndarray] | None = None
    ) -> tuple:
        """Raises: ValenceECError V001 and V014, as `unit_offsets`; V020 for a Doc without the
        valences that the model reads."""
        return self._model_input(docs, self.candidates(docs), conditions)

    def _model_input(
        self,
        docs: Sequence[Doc],
        candidates: Sequence[np.ndarray],
        conditions: Sequence[np.ndarray] | None = None,
    ) -> tuple:
        ops = self.model.ops
        units = [group_offsets(doc, FU_KEY) for doc in docs]
        first_units = np.cumsum([0, *(len(spans) for spans in units)])[:-1]
        unit_of = [
            spans[:, 2] + first for spans, first in zip(candidates, first_units, strict=True)
        ]
        inputs = (
            list(docs),
            ragged_offsets(units, ops),
            ragged_offsets([spans[:, :2] for spans in candidates], ops),
            ops.asarray1i(np.concatenate([np.zeros(0, dtype="int32"), *unit_of]).tolist()),
        )
        return self.with_condition(inputs, docs, conditions)

    def raw_scores(self, docs: Sequence[Doc]) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each Doc its candidates, int32 (n, 3) as in `candidates`, and their logits, float32
        (n,)."""
        candidates = self.candidates(docs)
        self.require_vectors(docs)
        logits = self.to_cpu(self.model.predict(self._model_input(docs, candidates))).reshape(-1)
        ends = np.cumsum([len(spans) for spans in candidates])[:-1]
        return list(zip(candidates, np.split(logits, ends), strict=True))

    def at_temperature(
        self, raw: list[tuple[np.ndarray, np.ndarray]], temperature: float
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """For each Doc its candidates, their probabilities at the temperature 1, which decide,
        and those at the given one: both float32 (n,)."""
        return [
            (candidates, sigmoid(logits), sigmoid(logits / temperature))
            for candidates, logits in raw
        ]

    def set_annotations(
        self, docs: Iterable[Doc], scores: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]
    ) -> None:
        for doc, (candidates, probabilities, shown) in zip(docs, scores, strict=True):
            set_judgments(doc, candidates, probabilities, self.threshold, shown)

    def get_loss(self, examples: Iterable[Example], scores: Floats2d) -> tuple[float, Floats2d]:
        """Binary cross-entropy, the weighted mean over the candidates of annotated examples, and
        its gradient by the logits."""
        examples = list(examples)
        docs = [example.predicted for example in examples]
        candidates = self.candidates(docs)
        targets, known = [np.zeros(0, dtype=int)], [np.zeros(0)]
        for example, spans in zip(examples, candidates, strict=True):
            targets.append(gold_judgments(example, spans))
            known.append(np.full(len(spans), float(EC_KEY in example.reference.spans)))
        target = np.concatenate(targets)
        weights = self.class_weight_array(self.classes)[target] * np.concatenate(known)
        total = float(weights.sum()) or 1.0
        x = self.to_cpu(scores).reshape(-1)
        loss = float((weights * (np.logaddexp(0.0, x) - x * target)).sum())
        gradient = weights * (sigmoid(x) - target) * (self.loss_weight / total)
        return self.loss_weight * loss / total, self.from_cpu(gradient[:, None])

    def initialize_labels(self, examples: Iterable[Example]) -> list[Example]:
        found = self.annotated(examples)
        counts = np.zeros(2, dtype=int)
        for example in found:
            doc = example.predicted.copy()
            preset_gold_units(doc, example)
            judged = gold_judgments(example, self.candidates([doc])[0])
            counts += np.bincount(judged, minlength=2)
        self.set_class_weights({WITHOUT: int(counts[0]), EC_LABEL: int(counts[1])})
        return found[:SAMPLE_SIZE]


def gold_judgments(example: Example, candidates: np.ndarray) -> np.ndarray:
    """1 for a candidate that overlaps a gold carrier by at least one content token, else 0:
    int (n,)."""
    carriers = [(start, end) for start, end, _ in aligned_spans(example, EC_KEY)]
    content = content_mask(example.predicted)
    return np.asarray(
        [
            any(shares_content((int(start), int(end)), carrier, content) for carrier in carriers)
            for start, end, _ in candidates
        ],
        dtype=int,
    )
