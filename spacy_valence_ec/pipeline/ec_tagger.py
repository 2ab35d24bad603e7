"""`ec_tagger`: the emotion carriers of each functional unit, from its tokens."""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from spacy import Language, Vocab
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config, Model
from thinc.types import Floats2d

from ..errors import Errors, ValenceECError
from ..extensions import CARRIER_ACCESSORS, list_attributes
from ..models.bio import B, Chains, I, O, spans_of_tags
from ..models.spans import group_offsets
from ..models.words import Words
from ..schema import EC_KEY, EC_LABEL, FU_KEY, NEUTRAL
from ..span_groups import read_spans
from ..text_view import blank_tokens
from .annotations import set_carriers
from .carrier_pipe import WITHOUT, CarrierPipe
from .condition import gold_carrier_spans
from .ec_candidate_classifier import EmotionCarrierCandidateClassifier
from .head import SAMPLE_SIZE
from .score_weights import CARRIERS

DEFAULT_MODEL = """
[model]
@architectures = "spacy_valence_ec.CarrierTagger.v1"
encode = null

[model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = 96
upstream = "*"

[model.reducer]
@layers = "spacy.mean_max_reducer.v1"
hidden_size = 32

[model.combine]
@layers = "Maxout.v1"
nO = 64
nP = 2
normalize = true
dropout = 0.0
"""


@Language.factory(
    "ec_tagger",
    requires=["doc.spans", *list_attributes("functional_units")],
    assigns=["doc.spans", *list_attributes(*CARRIER_ACCESSORS)],
    default_config={
        "model": Config().from_str(DEFAULT_MODEL)["model"],
        "suggester": None,
        "threshold": 0.5,
        "loss_weight": 1.0,
        "class_weights": None,
        "condition_source": "gold",
        "gold_rate": 0.5,
        "scorer": {"@scorers": "spacy_valence_ec.ec_scorer.v1"},
    },
    default_score_weights=CARRIERS,
)
def make_ec_tagger(
    nlp: Language,
    name: str,
    model: Model,
    suggester: Callable | None,
    threshold: float,
    loss_weight: float,
    class_weights: dict[str, float] | str | None,
    condition_source: str,
    gold_rate: float | Generator,
    scorer: Callable | None,
) -> "CarrierPipe":
    """Construct an `EmotionCarrierTagger`, or, with a suggester, the paper's
    `EmotionCarrierCandidateClassifier`.

    model: `spacy_valence_ec.CarrierTagger.v1`, or with a suggester
        `spacy_valence_ec.CarrierCandidateClassifier.v1`.
    suggester: any registered one, such as `spacy.ngram_suggester.v1`; null to tag tokens.
    threshold: least probability that a unit holds a carrier, for its most probable carriers to be
        taken; with a suggester, that a candidate is one. Before the temperature of a calibrated
        component, which changes no decision.
    loss_weight: weight of this component's loss in the sum that trains the shared encoder.
    class_weights: of the units (with a suggester: candidates) that hold a carrier, "EC", and of
        those that do not, "none"; "balanced"; or null.
    condition_source: where a model with a condition takes the valence of the units from in
        training: "gold", "predicted" (by a `valence_classifier` among
        `training.annotating_components`) or "mix".
    gold_rate: with "mix", the probability that a Doc is read with its gold valences: a number, or
        a schedule over the batches such as `decaying.v1`.

    Raises: ValenceECError V009 if model and setting do not fit, V022 for another source or rate.
    """
    expected = "carrier_candidate_classifier" if suggester else "carrier_tagger"
    known = {"carrier_candidate_classifier", "carrier_tagger"}
    if model.name in known and model.name != expected:
        why = (
            "With a suggester use spacy_valence_ec.CarrierCandidateClassifier.v1, "
            "without one spacy_valence_ec.CarrierTagger.v1."
        )
        raise ValenceECError(Errors.V009.format(name=name, model=model.name, why=why))
    if suggester is None:
        return EmotionCarrierTagger(
            nlp.vocab,
            model,
            name,
            threshold=threshold,
            loss_weight=loss_weight,
            class_weights=class_weights,
            condition_source=condition_source,
            gold_rate=gold_rate,
            scorer=scorer,
        )
    return EmotionCarrierCandidateClassifier(
        nlp.vocab,
        model,
        suggester,
        name,
        threshold=threshold,
        loss_weight=loss_weight,
        class_weights=class_weights,
        condition_source=condition_source,
        gold_rate=gold_rate,
        scorer=scorer,
    )


@dataclass(frozen=True)
class Decoded:
    """The chains of a batch of Docs and their most probable carriers, [start, end) in the words of
    all Docs one after the other."""

    chains: Chains
    carriers: list[tuple[int, int]]
    words: Words


class EmotionCarrierTagger(CarrierPipe):
    """Tags the tokens of each unit. A unit that probably holds a carrier gets its most probable
    carriers; one that is labeled neutral gets none.

    Sets `doc.spans["ec"]`, label "EC", with `attrs["scores"]`, float32 (n_carriers,): the
    probability, under the distribution over all valid taggings of the unit at the component's
    temperature, that exactly these tokens are a carrier.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str | None = None,
        *,
        threshold: float = 0.5,
        **settings: Any,
    ):
        super().__init__(vocab, model, name, **settings)
        self.threshold = threshold

    def raw_scores(self, docs: Sequence[Doc]) -> Decoded:
        inputs = self.model_input(docs)
        self.require_vectors(docs)
        emissions = self.model.predict(inputs)
        words = words_of(docs)
        chains = chains_of(docs, words, [self.to_cpu(array) for array in emissions])
        felt = [unit.label_ != NEUTRAL for doc in docs for unit in read_spans(doc, FU_KEY)]
        holds = holds_carrier(chains, np.asarray(felt, dtype=bool), self.threshold)
        carriers = spans_of_tags(chains.decode_given(holds))
        return Decoded(chains, carriers, words)

    def at_temperature(
        self, raw: Decoded, temperature: float
    ) -> list[tuple[list[tuple[int, int]], np.ndarray]]:
        """For each Doc its carriers [start, end) and their probabilities, float32 (n,), in the
        distribution over taggings of which all emissions are divided by the temperature."""
        probabilities = raw.chains.tempered(temperature).span_probabilities(raw.carriers)
        return by_doc(raw.words, raw.carriers, probabilities)

    def set_annotations(
        self,
        docs: Iterable[Doc],
        scores: Sequence[tuple[list[tuple[int, int]], np.ndarray]],
    ) -> None:
        for doc, (carriers, probabilities) in zip(docs, scores, strict=True):
            set_carriers(doc, carriers, probabilities)

    def get_loss(
        self, examples: Iterable[Example], scores: Sequence[Floats2d]
    ) -> tuple[float, list[Floats2d]]:
        """Negative log-likelihood of the gold tags, the weighted mean over the units, and its
        gradient by the emissions: marginals minus gold."""
        examples = list(examples)
        docs = [example.predicted for example in examples]
        words = words_of(docs)
        chains = chains_of(docs, words, [self.to_cpu(array) for array in scores])
        tags, known = [], []
        for example in examples:
            annotated = EC_KEY in example.reference.spans
            tags.append(gold_tags(example))
            known += [annotated] * len(example.predicted.spans[FU_KEY])
        flat = np.concatenate([np.zeros(0, dtype=int), *words.take(tags)])
        holds = [bool((flat[start:end] != O).any()) for start, end in chains.spans]
        weights = self.class_weight_array(self.classes)[np.asarray(holds, dtype=int)]
        weights = weights * np.asarray(known, dtype=float)
        total = float(weights.sum()) or 1.0
        loss = float((weights * chains.negative_log_likelihood(flat)).sum())

        gradient = chains.marginals()
        token_weights = np.zeros(len(flat))
        for (start, end), weight in zip(chains.spans, weights, strict=True):
            token_weights[start:end] = weight
        gradient[np.arange(len(flat)), flat] -= 1.0
        gradient *= token_weights[:, None] * (self.loss_weight / total)
        gradients = [self.from_cpu(part) for part in words.put_flat(gradient)]
        return self.loss_weight * loss / total, gradients

    def initialize_labels(self, examples: Iterable[Example]) -> list[Example]:
        found = self.annotated(examples)
        n_units = n_holding = 0
        for example in found:
            units = group_offsets(example.reference, FU_KEY)
            starts = group_offsets(example.reference, EC_KEY)[:, 0]
            n_units += len(units)
            n_holding += sum(((start <= starts) & (starts < end)).any() for start, end in units)
        self.set_class_weights({WITHOUT: n_units - int(n_holding), EC_LABEL: int(n_holding)})
        return found[:SAMPLE_SIZE]


def holds_carrier(chains: Chains, felt: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Which units are given a carrier, bool (n_units,): those that are felt, bool (n_units,), and
    whose taggings with a carrier have at least the probability `threshold` together."""
    return felt & (np.exp(chains.log_with - chains.log_z) >= threshold)


def words_of(docs: Sequence[Doc]) -> Words:
    """The tokens of Docs with units that can be part of a carrier."""
    return Words(docs, [group_offsets(doc, FU_KEY) for doc in docs])


def chains_of(docs: Sequence[Doc], words: Words, emissions: Sequence[np.ndarray]) -> Chains:
    """The units of all Docs as chains over the emissions of their words.

    emissions: of each Doc those of all its tokens, (n_tokens, 3).
    """
    units = words.offsets([group_offsets(doc, FU_KEY) for doc in docs])
    firsts = np.cumsum([0, *words.lengths])
    return Chains(
        np.concatenate([np.zeros((0, 3), dtype="float32"), *words.take(emissions)]),
        np.concatenate(
            [
                np.zeros((0, 2), dtype=int),
                *(rows + first for rows, first in zip(units, firsts[:-1], strict=True)),
            ]
        ),
    )


def by_doc(
    words: Words, carriers: Sequence[tuple[int, int]], probabilities: np.ndarray
) -> list[tuple[list[tuple[int, int]], np.ndarray]]:
    """Carriers in the words of all Docs, in order, as those in the tokens of each Doc, with their
    probabilities."""
    result = []
    first_word = first = 0
    for mask, length in zip(words.masks, words.lengths, strict=True):
        last = first
        while last < len(carriers) and carriers[last][0] < first_word + length:
            last += 1
        tokens = np.flatnonzero(mask)
        own = [
            (int(tokens[start - first_word]), int(tokens[end - 1 - first_word]) + 1)
            for start, end in carriers[first:last]
        ]
        result.append((own, probabilities[first:last]))
        first, first_word = last, first_word + length
    return result


def gold_tags(example: Example) -> np.ndarray:
    """The tag of each token of `example.predicted`, int (n_tokens,): gold carriers, cut where a
    unit of the predicted Doc ends, and left out where there is no unit. They begin at a word."""
    tags = np.full(len(example.predicted), O)
    words = np.flatnonzero(~blank_tokens(example.predicted))
    for start, end in gold_carrier_spans(example):
        first = np.searchsorted(words, start)
        if first < len(words) and words[first] < end:
            tags[words[first] : end] = I
            tags[words[first]] = B
    return tags
