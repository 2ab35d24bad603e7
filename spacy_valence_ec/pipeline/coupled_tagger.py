"""`coupled_tagger`: valence and carriers of each functional unit, from one distribution."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from spacy import Language, Vocab
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config, Model
from thinc.types import Floats2d

from ..errors import Errors, ValenceECError
from ..extensions import CARRIER_ACCESSORS, VALENCE_ACCESSORS, list_attributes
from ..models.bio import Chains, O, spans_of_tags
from ..models.coupling import ABSENT, PRESENT, Coupled
from ..models.words import Words
from ..schema import EC_KEY, EC_LABEL, FU_KEY, NEUTRAL, VALENCES
from .annotations import set_carriers, set_valences
from .carrier_pipe import WITHOUT
from .condition import gold_valences
from .ec_tagger import DEFAULT_MODEL as CARRIER_MODEL
from .ec_tagger import (
    EmotionCarrierTagger,
    by_doc,
    chains_of,
    gold_tags,
    holds_carrier,
    words_of,
)
from .head import ClassWeights, Head
from .score_weights import BOTH
from .valence_classifier import DEFAULT_MODEL as VALENCE_MODEL
from .valence_classifier import ValenceClassifier

# The networks of the two tasks, by the references of the model, and their names.
PARTS = {"valence": "valence_classifier", "carriers": "carrier_tagger"}
CARRIER_CLASSES = (WITHOUT, EC_LABEL)
NEUTRAL_INDEX = VALENCES.index(NEUTRAL)
LARGEST = 700.0  # of a logarithm: there is no float64 of a larger one


@Language.factory(
    "coupled_tagger",
    requires=["doc.spans", *list_attributes("functional_units")],
    assigns=["doc.spans", *list_attributes(*VALENCE_ACCESSORS, *CARRIER_ACCESSORS)],
    default_config={
        "model": {
            "@architectures": "spacy_valence_ec.CoupledTagger.v1",
            "valence": Config().from_str(VALENCE_MODEL)["model"],
            "carriers": Config().from_str(CARRIER_MODEL)["model"],
        },
        "coupled": True,
        "loss_weight": 1.0,
        "carrier_loss_weight": 1.0,
        "class_weights": None,
        "carrier_class_weights": None,
        "scorer": {"@scorers": "spacy_valence_ec.coupled_scorer.v1"},
    },
    default_score_weights=BOTH,
)
def make_coupled_tagger(
    nlp: Language,
    name: str,
    model: Model,
    coupled: bool,
    loss_weight: float,
    carrier_loss_weight: float,
    class_weights: dict[str, float] | str | None,
    carrier_class_weights: dict[str, float] | str | None,
    scorer: Callable | None,
) -> "CoupledTagger":
    """Construct a `CoupledTagger`.

    model: `spacy_valence_ec.CoupledTagger.v1`.
    coupled: whether the two tasks share a distribution, and are decoded together; if not, this is
        a `valence_classifier` and an `ec_tagger` in one.
    loss_weight, carrier_loss_weight: of the two tasks, in the sum that trains the shared encoder.
    class_weights: of the labels of the valence, "balanced", or null.
    carrier_class_weights: of the units that hold a carrier, "EC", and of those that do not, "none";
        "balanced"; or null.

    Raises: ValenceECError V009 for a model that is not of this component, or has a condition.
    """
    parts = [(model.maybe_get_ref(ref), kind) for ref, kind in PARTS.items()]
    if any(p is None or p.name != kind or p.maybe_get_ref("condition") for p, kind in parts):
        why = (
            "Use spacy_valence_ec.CoupledTagger.v1 over ValenceClassifier.v1 and CarrierTagger.v1, "
            "both without a condition: each of the two tasks sees the other one here."
        )
        raise ValenceECError(Errors.V009.format(name=name, model=model.name, why=why))
    return CoupledTagger(
        nlp.vocab,
        model,
        name,
        coupled=coupled,
        loss_weight=loss_weight,
        carrier_loss_weight=carrier_loss_weight,
        class_weights=class_weights,
        carrier_class_weights=carrier_class_weights,
        scorer=scorer,
    )


@dataclass(frozen=True)
class UnitLabels:
    """What is predicted of a Doc: of each unit the index of its valence, int (n_units,), and the
    probability of each one, float32 (n_units, 3); and carriers [start, end) with theirs."""

    valences: np.ndarray
    scores: np.ndarray
    carriers: list[tuple[int, int]]
    carrier_scores: np.ndarray


class CoupledTagger(Head):
    """Gives each unit its valence and its carriers: the most probable pair of a valence and whether
    there is a carrier, and given this, the most probable carriers. So a neutral unit never has one.

    The distribution is that of `models.coupling`. Sets what `valence_classifier` and `ec_tagger`
    set: the scores of the units are the marginal probabilities of the labels, that of a carrier is
    the probability, over all valences, that exactly these tokens are one.

    The loss is the negative log-likelihood of the valence, the carriers summed out, and that of the
    carriers, the valence summed out: each is weighted as in the component of that task alone.
    """

    default_name = "coupled_tagger"
    labels = VALENCES

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str | None = None,
        *,
        coupled: bool = True,
        loss_weight: float = 1.0,
        carrier_loss_weight: float = 1.0,
        class_weights: ClassWeights = None,
        carrier_class_weights: ClassWeights = None,
        scorer: Callable | None = None,
    ):
        super().__init__(
            vocab, model, name, loss_weight=loss_weight, class_weights=class_weights, scorer=scorer
        )
        self.coupled = coupled
        self.carrier_loss_weight = carrier_loss_weight
        self.carrier_class_weights = carrier_class_weights

    def pretrained_parts(self) -> dict[str, Model]:
        """The networks for which a base has weights, by the names that they have there."""
        return {
            ValenceClassifier.default_name: self.model.get_ref("valence"),
            EmotionCarrierTagger.default_name: self.model.get_ref("carriers"),
        }

    def predict(self, docs: Iterable[Doc]) -> list[UnitLabels]:
        docs = list(docs)
        inputs = self.model_input(docs)
        self.require_vectors(docs)
        words = words_of(docs)
        chains, coupled = self._distribution(docs, words, self.model.predict(inputs))
        scores = coupled.valence
        if self.coupled:
            valences, holds = coupled.decode()
            tags = chains.decode_given(holds)
        else:
            valences = scores.argmax(axis=1)
            tags = chains.decode_given(holds_carrier(chains, valences != NEUTRAL_INDEX))
        carriers = spans_of_tags(tags)
        probabilities = chains.span_probabilities(carriers)
        if self.coupled:
            # As the chain alone has it, times how much more probable the coupling makes a carrier.
            log_ratio = coupled.log_presence[:, PRESENT] - (chains.log_with - chains.log_z)
            ratio = np.exp(np.minimum(log_ratio, LARGEST))
            units = np.searchsorted(chains.spans[:, 0], [start for start, _ in carriers], "right")
            probabilities = np.minimum(1.0, probabilities * ratio[units - 1])
        ends = np.cumsum([len(doc.spans[FU_KEY]) for doc in docs])[:-1]
        return [
            UnitLabels(labels, rows, *found)
            for labels, rows, found in zip(
                np.split(valences, ends),
                np.split(scores, ends),
                by_doc(words, carriers, probabilities),
                strict=True,
            )
        ]

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[UnitLabels]) -> None:
        for doc, found in zip(docs, scores, strict=True):
            set_valences(doc, (self.labels[i] for i in found.valences), found.scores)
            set_carriers(doc, found.carriers, found.carrier_scores)

    def get_loss(
        self, examples: Iterable[Example], scores: tuple[Floats2d, list[Floats2d], Floats2d]
    ) -> tuple[float, tuple[Floats2d, list[Floats2d], Floats2d]]:
        """The sum of both losses, each the weighted mean over the units whose gold label is known,
        and its gradient by logits, emissions and factor. Carriers of a gold unit that is neutral
        count as unknown: under this distribution there is none."""
        examples = list(examples)
        docs = [example.predicted for example in examples]
        words = words_of(docs)
        chains, coupled = self._distribution(docs, words, scores)
        gold = _Gold.of(examples, words, chains, self.coupled)
        n = np.arange(len(gold.valence))
        p = np.exp(coupled.log_p)

        weights, total = _weights(self.class_weight_array(VALENCES), gold.valence)
        weights *= self.loss_weight / total
        loss = -float((weights * coupled.log_valence[n, gold.valence]).sum())
        gradient = weights[:, None, None] * p  # by the scores of the pairs
        of_gold = coupled.log_p[n, gold.valence] - coupled.log_valence[n, gold.valence][:, None]
        gradient[n, gold.valence] -= weights[:, None] * np.exp(of_gold)

        weights, total = _weights(self.class_weight_array(CARRIER_CLASSES), gold.presence)
        weights *= self.carrier_loss_weight / total
        holds = gold.presence == PRESENT
        log_p = coupled.log_presence[n, gold.presence]
        log_p[holds] += (chains.log_weights(gold.tags) - chains.log_with)[holds]
        loss -= float((weights * log_p).sum())
        gradient += weights[:, None, None] * p
        of_gold = coupled.log_p[n, :, gold.presence]
        of_gold = of_gold - coupled.log_presence[n, gold.presence][:, None]
        gradient[n, :, gold.presence] -= weights[:, None] * np.exp(of_gold)

        d_factor = gradient.sum(axis=0) * float(self.coupled)
        d_emissions = _emission_gradient(chains, gold.tags, gradient.sum(axis=1), weights * holds)
        return loss, (
            self.from_cpu(gradient.sum(axis=2)),
            [self.from_cpu(part) for part in words.put_flat(d_emissions)],
            self.from_cpu(d_factor),
        )

    def initialize_labels(self, examples: Iterable[Example]) -> list[Example]:
        examples = list(examples)
        tasks = (
            ValenceClassifier(self.vocab, self.model, self.name, class_weights=self.class_weights),
            EmotionCarrierTagger(
                self.vocab, self.model, self.name, class_weights=self.carrier_class_weights
            ),
        )
        samples = [task.initialize_labels(examples) for task in tasks]
        # No label of one task is one of the other.
        self.cfg["class_weights"] = {
            label: weight
            for task in tasks
            for label, weight in (task.cfg["class_weights"] or {}).items()
        }
        return samples[0]

    def sample_output(self, docs: Sequence[Doc]) -> Floats2d:
        return self.model.ops.alloc2f(1, len(self.labels))

    def _distribution(
        self, docs: Sequence[Doc], words: Words, scores: tuple[Floats2d, list[Floats2d], Floats2d]
    ) -> tuple[Chains, Coupled]:
        logits, emissions, factor = scores
        chains = chains_of(docs, words, [self.to_cpu(array) for array in emissions])
        given = self.to_cpu(factor) * float(self.coupled)
        coupled = Coupled.of(self.to_cpu(logits), chains, given, exclusive=self.coupled)
        return chains, coupled


@dataclass(frozen=True)
class _Gold:
    """Of each unit the index of its valence and whether it holds a carrier (`ABSENT`, `PRESENT`),
    int (n_units,), -1 where unknown; of each token its tag."""

    valence: np.ndarray
    presence: np.ndarray
    tags: np.ndarray

    @classmethod
    def of(
        cls, examples: Sequence[Example], words: Words, chains: Chains, exclusive: bool
    ) -> "_Gold":
        none = np.zeros(0, dtype=int)
        tags = np.concatenate([none, *words.take([*map(gold_tags, examples)])])
        valence = np.concatenate([none, *map(gold_valences, examples)])
        holds = [bool((tags[start:end] != O).any()) for start, end in chains.spans]
        presence = np.where(np.asarray(holds, dtype=bool), PRESENT, ABSENT)
        known = [
            EC_KEY in example.reference.spans
            for example in examples
            for _ in example.predicted.spans[FU_KEY]
        ]
        presence[~np.asarray(known, dtype=bool)] = -1
        if exclusive:
            presence[(valence == NEUTRAL_INDEX) & (presence == PRESENT)] = -1
        return cls(valence, presence, tags)


def _weights(of_class: np.ndarray, gold: np.ndarray) -> tuple[np.ndarray, float]:
    """The weight of each unit, zero where the label is unknown, and their sum, one for none."""
    weights = np.where(gold >= 0, of_class[gold], 0.0)
    return weights, float(weights.sum()) or 1.0


def _emission_gradient(
    chains: Chains, tags: np.ndarray, d_presence: np.ndarray, with_carrier: np.ndarray
) -> np.ndarray:
    """The gradient by the emissions, (n_tokens, 3).

    d_presence: by the log weights of all taggings without and with a carrier, (n_units, 2).
    with_carrier: weight of -log P(tags | a carrier) of each unit, (n_units,).
    """
    expected = chains.marginals_with()
    gradient = np.zeros_like(expected)
    inside = [np.arange(start, end) for start, end in chains.spans]
    rows = np.concatenate([np.zeros(0, dtype=int), *inside])
    unit = np.repeat(np.arange(len(chains.spans)), chains.lengths)
    gradient[rows] = (d_presence[:, PRESENT] + with_carrier)[unit, None] * expected[rows]
    gradient[rows, O] += d_presence[unit, ABSENT]
    gradient[rows, tags[rows]] -= with_carrier[unit]
    return gradient
