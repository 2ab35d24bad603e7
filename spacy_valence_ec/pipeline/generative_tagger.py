"""`generative_tagger`: valence and carriers of each unit, asked of a causal language model."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from spacy import Language, Vocab, util
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from thinc.api import Config, Model, Optimizer, to_numpy
from thinc.types import Floats2d, Ragged

from ..alignment import aligned_spans
from ..errors import Errors, ValenceECError, ValenceECWarning, Warnings
from ..extensions import CARRIER_ACCESSORS, VALENCE_ACCESSORS, list_attributes
from ..generative.parsing import parse_answer
from ..generative.prompts import Lesson, PromptWriter, Query, UnitText, one_line
from ..generative.templates import ASKS, STEPS, Template, check_templates, make_template
from ..metrics import shares_content
from ..models.causal_lm import shim_of
from ..models.spans import group_offsets
from ..schema import (
    EC_CANDIDATES_KEY,
    EC_KEY,
    FU_KEY,
    INVALID_ATTR,
    NEUTRAL,
    VALENCES,
)
from ..span_groups import read_spans
from ..suggesters import content_mask
from .annotations import set_judgments, set_valences, without_overlap
from .ec_candidate_classifier import gold_judgments
from .head import ClassWeights, Head
from .score_weights import BOTH
from .units import best_overlap, preset_gold_units, within_units

PREDICTED, GOLD = CONDITIONS = ("predicted", "gold")
CONSTRAINED, FREE = DECODINGS = ("constrained", "free")
WORDS, COMPLETION = LOSSES = ("words", "completion")
SPARE_PIECES = 16  # that a free answer may be longer than the longest right one

DEFAULTS = r"""
[generative_tagger]
setting = "joint"
condition_on = "predicted"
decoding = "constrained"
loss_on = "words"
threshold = 0.5
loss_weight = 1.0
class_weights = null
batch_pieces = 4096

[generative_tagger.model]
@architectures = "spacy_valence_ec.CausalLM.v1"
name = "mini-gpt"
max_length = null
learn_rate_scale = 1.0

[generative_tagger.suggester]
@misc = "spacy_valence_ec.chunk_suggester.v1"

[generative_tagger.words]
negative = "negativa"
neutral = "neutra"
positive = "positiva"
yes = "sì"
no = "no"
none = "nessuno"

[generative_tagger.templates]

[generative_tagger.templates.valence]
@misc = "spacy_valence_ec.prompt_template.v1"
prompt = "Prima: {context}\nFrase: {unit}\nValenza:"
valence = ""

[generative_tagger.templates.ec]
@misc = "spacy_valence_ec.prompt_template.v1"
prompt = "Prima: {context}\nFrase: {unit}\nCandidati: {candidates}\nPortatori:"
candidate = "\n{candidate}:"

[generative_tagger.templates.ec_given_valence]
@misc = "spacy_valence_ec.prompt_template.v1"
prompt = "Prima: {context}\nFrase: {unit}\nValenza: {valence}\nCandidati: {candidates}\nPortatori:"
candidate = "\n{candidate}:"

[generative_tagger.templates.valence_given_ec]
@misc = "spacy_valence_ec.prompt_template.v1"
prompt = "Prima: {context}\nFrase: {unit}\nPortatori: {carriers}\nValenza:"
valence = ""

[generative_tagger.templates.joint]
@misc = "spacy_valence_ec.prompt_template.v1"
prompt = "Prima: {context}\nFrase: {unit}\nCandidati: {candidates}\nValenza:"
valence = ""
candidate = "\n{candidate}:"

[generative_tagger.scorer]
@scorers = "spacy_valence_ec.generative_scorer.v1"
"""


@Language.factory(
    "generative_tagger",
    requires=["doc.spans", *list_attributes("functional_units")],
    assigns=["doc.spans", *list_attributes(*VALENCE_ACCESSORS, *CARRIER_ACCESSORS)],
    default_config=Config().from_str(DEFAULTS)["generative_tagger"],
    default_score_weights={**BOTH, INVALID_ATTR: None},
)
def make_generative_tagger(
    nlp: Language,
    name: str,
    model: Model,
    setting: str,
    templates: dict[str, Any],
    words: dict[str, str],
    suggester: Callable,
    condition_on: str,
    decoding: str,
    loss_on: str,
    threshold: float,
    loss_weight: float,
    class_weights: dict[str, float] | str | None,
    batch_pieces: int,
    scorer: Callable | None,
) -> "GenerativeTagger":
    """Construct a `GenerativeTagger`.

    model: `spacy_valence_ec.CausalLM.v1`.
    setting: "single-valence", "single-ec", "two-step-valence-ec", "two-step-ec-valence" or "joint".
    templates: one for each step: "valence", "ec", "ec_given_valence", "valence_given_ec", "joint";
        those of other settings are not read.
    words: that stand for "negative", "neutral", "positive", "yes", "no", and "none": no candidates,
        or no carriers.
    suggester: of the candidates, where the Doc has no group `ec_candidates`.
    condition_on: in a two-step setting, what the second step is told: what the first one
        "predicted", or what the Doc says before (its "gold" labels: the oracle), in which case the
        first step is not run.
    decoding: "constrained", the most probable word in each place; or "free", whatever the model
        writes, read tolerantly.
    loss_on: "words", those that are chosen in constrained decoding; or "completion", the whole
        answer, which free decoding needs.
    threshold: the least probability of a candidate that is accepted.
    loss_weight: of the loss in the sum that is printed; the model shares nothing.
    class_weights: of the valences, "balanced", or null.
    batch_pieces: how many pieces are read at once, in training too.

    Raises: ValenceECError G005, G006 and G010 for settings that do not fit.
    """
    return GenerativeTagger(
        nlp.vocab,
        model,
        name,
        setting=setting,
        templates=templates,
        words=words,
        suggester=suggester,
        condition_on=condition_on,
        decoding=decoding,
        loss_on=loss_on,
        threshold=threshold,
        loss_weight=loss_weight,
        class_weights=class_weights,
        batch_pieces=batch_pieces,
        scorer=scorer,
    )


@dataclass
class UnitAnswers:
    """A unit, and what is known of it by now.

    candidates: int32 (n, 3), as `GenerativeTagger.candidates` gives them. valence: its label.
    carriers: the text of each. valence_scores: float32 (3,). candidate_scores: float32 (n,).
    """

    unit: str
    context: str
    candidates: np.ndarray
    names: tuple[str, ...]
    valence: str | None = None
    carriers: tuple[str, ...] = ()
    valence_scores: np.ndarray | None = None
    candidate_scores: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype="float32"))
    is_valid: bool = True

    def text(self) -> UnitText:
        return UnitText(self.unit, self.context, self.names, self.valence, self.carriers)


class GenerativeTagger(Head):
    """Asks a causal language model what the valence of each unit is, and of each candidate inside
    of it whether it carries the emotion; which of both, and in which order, is the setting.

    Sets what `valence_classifier` and `ec_tagger` with a suggester set: the labels and scores of
    `doc.spans["fu"]`, `doc.spans["ec_candidates"]` and `doc.spans["ec"]`. The scores are exact: the
    probability of a word among those that may stand in its place, given the prompt and the words
    chosen before. In free decoding they are 1 or 0 (a third each for a valence that could not be
    read, which counts as neutral), and `doc.spans["fu"].attrs["invalid_answers"]`, bool (n_units,),
    tells of which units some answer could not be read.
    """

    default_name = "generative_tagger"
    labels = VALENCES

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str | None = None,
        *,
        setting: str,
        templates: dict[str, Template],
        words: dict[str, str],
        suggester: Callable[..., Ragged],
        condition_on: str = PREDICTED,
        decoding: str = CONSTRAINED,
        loss_on: str = WORDS,
        threshold: float = 0.5,
        loss_weight: float = 1.0,
        class_weights: ClassWeights = None,
        batch_pieces: int = 4096,
        scorer: Callable | None = None,
    ):
        super().__init__(
            vocab, model, name, loss_weight=loss_weight, class_weights=class_weights, scorer=scorer
        )
        for key, value, known in (
            ("condition_on", condition_on, CONDITIONS),
            ("decoding", decoding, DECODINGS),
            ("loss_on", loss_on, LOSSES),
        ):
            if value not in known:
                raise self._wrong(key, value, " or ".join(f"'{choice}'" for choice in known))
        if not 0.0 <= threshold <= 1.0:
            raise self._wrong("threshold", threshold, "a number from 0 to 1")
        if batch_pieces < 1:
            raise self._wrong("batch_pieces", batch_pieces, "above zero")
        check_templates(self.name, setting, templates)
        self.setting = setting
        self.templates = {step: templates[step] for step in STEPS[setting]}
        self.words = dict(words)
        self.suggester = suggester
        self.condition_on = condition_on
        self.decoding = decoding
        self.loss_on = loss_on
        self.threshold = threshold
        self.batch_pieces = batch_pieces
        self._writer: PromptWriter | None = None

    @property
    def is_conditioned(self) -> bool:
        """Whether the setting has two steps, both of which this component takes."""
        return len(STEPS[self.setting]) > 1

    @property
    def asks_valence_first(self) -> bool:
        """Whether the first step asks for the valence."""
        return ASKS[STEPS[self.setting][0]][0]

    @contextmanager
    def first_step_given(self) -> Iterator[None]:
        """While it lasts, `condition_on` is "gold"."""
        own, self.condition_on = self.condition_on, GOLD
        try:
            yield
        finally:
            self.condition_on = own

    def _wrong(self, setting: str, value: object, expected: str) -> ValenceECError:
        return ValenceECError(
            Errors.G010.format(name=self.name, setting=setting, expected=expected, value=value)
        )

    @property
    def writer(self) -> PromptWriter:
        """Writes the prompts, for the model that is loaded.

        Raises: ValenceECError G008 if none is, G003 for words that its tokenizer cannot write.
        """
        if self._writer is None:
            shim = shim_of(self.model)
            most, chosen = shim.max_length(), self.model.attrs["max_length"]
            n_pieces = shim.language_model.get_input_embeddings().weight.shape[0]
            self._writer = PromptWriter(
                shim.tokenizer,
                most if chosen is None else min(most, chosen),
                self.words,
                n_pieces,
                self.threshold,
            )
        return self._writer

    def candidates(self, docs: Sequence[Doc]) -> list[np.ndarray]:
        """The candidates of each Doc, int32 (n, 3): start and end token, and the unit, by its place
        in the Doc. Those of `doc.spans["ec_candidates"]`, or of the suggester where there is no
        such group; what crosses units is left out."""
        found = []
        for doc, units in zip(docs, self.unit_offsets(docs), strict=True):
            if EC_CANDIDATES_KEY in doc.spans:
                spans = group_offsets(doc, EC_CANDIDATES_KEY)
            else:
                proposed = to_numpy(self.suggester([doc], ops=self.model.ops).dataXd)
                spans = np.asarray(proposed, dtype="int32").reshape((-1, 2))
            found.append(within_units(spans, units))
        return found

    def units(self, docs: Sequence[Doc]) -> list[list[UnitAnswers]]:
        """The units of each Doc, of which nothing is known yet.

        Raises: ValenceECError V001 and V014, as `unit_offsets`.
        """
        reach = self.writer.max_length
        found = []
        for doc, candidates in zip(docs, self.candidates(docs), strict=True):
            offsets = group_offsets(doc, FU_KEY)
            ends = np.searchsorted(candidates[:, 2], np.arange(len(offsets) + 1))
            if (np.diff(candidates[:, 2]) < 0).any():
                candidates = candidates[np.argsort(candidates[:, 2], kind="stable")]
                ends = np.searchsorted(candidates[:, 2], np.arange(len(offsets) + 1))
            of_doc = []
            for i, (start, end) in enumerate(offsets.tolist()):
                own = candidates[ends[i] : ends[i + 1]]
                of_doc.append(
                    UnitAnswers(
                        unit=one_line(doc[start:end].text),
                        # A token has at least one piece: what lies further back does not fit.
                        context=one_line(doc[max(start - reach, 0) : start].text),
                        candidates=own,
                        names=tuple(one_line(doc[int(a) : int(b)].text) for a, b, _ in own),
                        candidate_scores=np.zeros(len(own), dtype="float32"),
                    )
                )
            found.append(of_doc)
        return found

    def predict(self, docs: Iterable[Doc]) -> list[list[UnitAnswers]]:
        """The answers for each unit of each Doc.

        Raises: ValenceECError G009 if a Doc lacks what `condition_on = "gold"` reads.
        """
        docs = list(docs)
        found = self.units(docs)
        units = list(chain.from_iterable(found))
        steps = STEPS[self.setting]
        if self.condition_on == GOLD and self.is_conditioned:
            for doc, of_doc in zip(docs, found, strict=True):
                self._read_gold(doc, of_doc, self.asks_valence_first)
            steps = steps[1:]
        for step in steps:
            self._ask(step, units)
        return found

    def _read_gold(self, doc: Doc, units: Sequence[UnitAnswers], valence: bool) -> None:
        """Take over the valence, or the carriers, that a Doc has."""
        labels = [unit.label_ for unit in read_spans(doc, FU_KEY)]
        if valence and not all(label in VALENCES for label in labels):
            what = f"the labels of doc.spans['{FU_KEY}']"
            raise ValenceECError(Errors.G009.format(name=self.name, what=what))
        if not valence and EC_KEY not in doc.spans:
            what = f"doc.spans['{EC_KEY}']"
            raise ValenceECError(Errors.G009.format(name=self.name, what=what))
        carriers = []
        if not valence:
            edges = [(span.start, span.end) for span in read_spans(doc, EC_KEY)]
            carriers = _carriers_of(doc, units, edges)
        for i, unit in enumerate(units):
            if valence:
                unit.valence = labels[i]
            else:
                unit.carriers = carriers[i]

    def _ask(self, step: str, units: Sequence[UnitAnswers]) -> None:
        """Ask one step of all units, and note the answers."""
        asked = [(unit, query) for unit in units for query in self._write(step, unit)]
        cut = sum(query.is_cut for _, query in asked)
        if cut:
            message = Warnings.G101.format(name=self.name, n=cut, total=len(asked))
            warnings.warn(message, ValenceECWarning, stacklevel=2)
        queries = [query for _, query in asked]
        answer = self._answer_freely if self.decoding == FREE else self._answer
        for (unit, query), (valence, judgments, is_valid) in zip(
            asked, answer(step, asked, queries), strict=True
        ):
            unit.is_valid = unit.is_valid and is_valid
            if valence is not None and unit.valence_scores is None:
                unit.valence_scores = valence
                best = int(valence.argmax()) if valence.any() else VALENCES.index(NEUTRAL)
                unit.valence = VALENCES[best]
            unit.candidate_scores[list(query.candidates)] = judgments
        if ASKS[step][1]:
            for unit in units:
                accepted = unit.candidate_scores >= self.threshold
                chosen = without_overlap(unit.candidates, unit.candidate_scores, accepted)
                unit.carriers = tuple(unit.names[i] for i in chosen)

    def _write(self, step: str, unit: UnitAnswers) -> list[Query]:
        return self.writer.write(self.templates[step], unit.text())

    def _answer(
        self, step: str, asked: Sequence[tuple[UnitAnswers, Query]], queries: Sequence[Query]
    ) -> list[tuple[np.ndarray | None, np.ndarray, bool]]:
        """For each query the probabilities of the valences, if they are asked for, and that of each
        candidate to be a carrier; and that the answer is valid."""
        from ..generative.scoring import score_answers

        model = shim_of(self.model).language_model
        found: list[tuple[np.ndarray | None, np.ndarray, bool]] = []
        for query, scores in zip(
            queries, score_answers(model, queries, self.batch_pieces), strict=True
        ):
            valence = scores[0] if query.has_valence else None
            judged = [p[1] for p in scores[int(query.has_valence) :]]
            found.append((valence, np.asarray(judged, dtype="float32"), True))
        return found

    def _answer_freely(
        self, step: str, asked: Sequence[tuple[UnitAnswers, Query]], queries: Sequence[Query]
    ) -> list[tuple[np.ndarray | None, np.ndarray, bool]]:
        """As `_answer`, from what the model writes."""
        from ..generative.scoring import generate

        shim = shim_of(self.model)
        end = self.templates[step].end
        prompts = [
            query.prompt + (query.slots[0].lead if query.has_valence else ()) for query in queries
        ]
        most = []
        for query, prompt in zip(queries, prompts, strict=True):
            longest = sum(len(slot.lead) + max(map(len, slot.options)) for slot in query.slots)
            room = self.writer.max_length - len(prompt)
            most.append(max(min(longest + len(query.end) + SPARE_PIECES, room), 1))

        def text_of(pieces: Sequence[int]) -> str:
            text: str = shim.tokenizer.decode(
                list(pieces), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            return text

        def ends(pieces: Sequence[int]) -> bool:
            return pieces[-1] == shim.tokenizer.eos_token_id or bool(end and end in text_of(pieces))

        written = generate(shim.language_model, prompts, most, ends, self.batch_pieces)
        found = []
        for (unit, query), pieces in zip(asked, written, strict=True):
            text = text_of(pieces)
            answer = parse_answer(
                text.split(end)[0] if end else text,
                self.words,
                has_valence=query.has_valence,
                candidates=[unit.names[i] for i in query.candidates],
            )
            valence = None
            if query.has_valence:
                valence = np.full(len(VALENCES), 1 / len(VALENCES), dtype="float32")
                if answer.valence is not None:
                    valence = np.asarray([label == answer.valence for label in VALENCES])
            found.append(
                (
                    None if valence is None else valence.astype("float32"),
                    np.asarray(answer.judgments, dtype="float32"),
                    answer.is_valid,
                )
            )
        return found

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[list[UnitAnswers]]) -> None:
        steps = STEPS[self.setting]
        if self.condition_on == GOLD and self.is_conditioned:
            steps = steps[1:]
        for doc, units in zip(docs, scores, strict=True):
            if any(ASKS[step][0] for step in steps):
                self._set_valences(doc, units)
            if self.decoding == FREE:
                doc.spans[FU_KEY].attrs[INVALID_ATTR] = np.asarray(
                    [not unit.is_valid for unit in units], dtype=bool
                )
            if any(ASKS[step][1] for step in steps):
                self._set_carriers(doc, units)

    def _set_valences(self, doc: Doc, units: Sequence[UnitAnswers]) -> None:
        rows = [unit.valence_scores for unit in units]
        matrix = np.asarray(rows, dtype="float32").reshape((-1, len(VALENCES)))
        set_valences(doc, (unit.valence or NEUTRAL for unit in units), matrix)

    def _set_carriers(self, doc: Doc, units: Sequence[UnitAnswers]) -> None:
        none = np.zeros((0, 3), dtype="int32")
        candidates = np.concatenate([none, *(unit.candidates for unit in units)])
        scores = np.concatenate(
            [np.zeros(0, dtype="float32"), *(unit.candidate_scores for unit in units)]
        )
        set_judgments(doc, candidates, scores, self.threshold)

    def lessons(self, examples: Sequence[Example]) -> list[tuple[Lesson, bool]]:
        """The prompts and right answers of all steps, and whether each had to be cut. The second
        step is told what is right of the first one (teacher forcing). A unit without the gold data
        of a step gives none.
        """
        docs = [example.predicted for example in examples]
        weights = self.class_weight_array(VALENCES)
        rest = float(self.loss_on == COMPLETION)
        found = []
        for example, units in zip(examples, self.units(docs), strict=True):
            doc = example.predicted
            gold = aligned_spans(example, FU_KEY)
            index = best_overlap(group_offsets(doc, FU_KEY), gold, len(doc))
            has_carriers = EC_KEY in example.reference.spans
            spans = [(start, end) for start, end, _ in aligned_spans(example, EC_KEY)]
            carriers = _carriers_of(doc, units, spans)
            for i, unit in enumerate(units):
                label = gold[index[i]][2] if index[i] >= 0 else ""
                judgments = gold_judgments(example, unit.candidates)
                for step in STEPS[self.setting]:
                    asks_valence, asks_carriers = ASKS[step]
                    needs_valence = asks_valence or step == "ec_given_valence"
                    needs_carriers = asks_carriers or step == "valence_given_ec"
                    if (needs_valence and not label) or (needs_carriers and not has_carriers):
                        continue
                    unit.valence = label or None
                    unit.carriers = carriers[i]
                    for query in self._write(step, unit):
                        answers = [int(judgments[k]) for k in query.candidates]
                        of_words = [1.0] * len(answers)
                        if query.has_valence:
                            answers.insert(0, VALENCES.index(label))
                            of_words.insert(0, float(weights[answers[0]]))
                        lesson = self.writer.lesson(query, answers, of_words, rest)
                        found.append((lesson, query.is_cut))
        return found

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch. The loss added to `losses` is the mean over the pieces that are
        learned, times `loss_weight`; the gradient adds to what is there already.

        drop: rate of every layer of dropout of the model.
        """
        from ..generative.learning import learned_batch
        from ..generative.scoring import batches

        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.update")
        shim = shim_of(self.model)
        shim.set_dropout(drop)
        lessons = [lesson for lesson, _ in self.lessons(examples)]
        total = float(sum(sum(lesson.weights) for lesson in lessons)) or 1.0
        for batch in batches([len(lesson.pieces) for lesson in lessons], self.batch_pieces):
            inputs, targets = learned_batch([lessons[i] for i in batch], shim.device)
            if not len(targets.pieces):
                continue
            scores, backprop = self.model.begin_update(inputs)
            loss, d_scores = self.get_loss(targets, scores, total)
            if not math.isfinite(loss):
                raise ValenceECError(Errors.V010.format(name=self.name))
            backprop(d_scores)
            losses[self.name] += loss
        if sgd is not None:
            self.finish_update(sgd)
        return losses

    def get_loss(self, targets: Any, scores: Floats2d, total: float) -> tuple[float, Floats2d]:
        """Cross-entropy of the pieces to be guessed, `targets` of `generative.learning`: their
        weighted sum over `total`, and its gradient by the scores over the vocabulary."""
        xp = self.model.ops.xp
        rows = xp.arange(len(scores))
        pieces, weights = xp.asarray(targets.pieces), xp.asarray(targets.weights)
        log_p = scores - xp.max(scores, axis=1, keepdims=True)
        log_p = log_p - xp.log(xp.exp(log_p).sum(axis=1, keepdims=True))
        scale = self.loss_weight / total
        loss = -scale * float((weights * log_p[rows, pieces]).sum())
        gradient = xp.exp(log_p)
        gradient[rows, pieces] -= 1.0
        gradient *= (weights * scale)[:, None]
        return loss, gradient

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[str] | None = None,
    ) -> None:
        """Load the language model, and check on all of the data that it can be asked.

        Raises: ValenceECError G004 for a model that is not causal, G003 for a word that it cannot
        write, V006 if nothing is annotated, V007 for an unknown label, V008 for class weights that
        do not fit, G001 if a unit does not fit into the context.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        self.model.initialize()
        self._writer = None
        for label in labels or ():
            self.add_label(label)
        asks_valence = any(ASKS[step][0] for step in STEPS[self.setting])
        key = FU_KEY if asks_valence else EC_KEY
        counts = dict.fromkeys(VALENCES, 0)
        too_long: list[tuple[int, int, int, int]] = []
        n_annotated = 0
        for n, example in enumerate(get_examples()):
            if FU_KEY not in example.reference.spans or key not in example.reference.spans:
                continue
            n_annotated += 1
            for span in example.reference.spans[FU_KEY]:
                if span.label_:
                    self.add_label(span.label_)
                    counts[span.label_] += 1
            doc = example.predicted.copy()
            preset_gold_units(doc, example)
            too_long += [(n, *edges) for edges in self._too_long(doc)]
        if not n_annotated or (asks_valence and not any(counts.values())):
            raise ValenceECError(Errors.V006.format(name=self.name, key=key))
        if too_long:
            text, start, end, pieces = too_long[0]
            raise ValenceECError(
                Errors.G001.format(
                    name=self.name,
                    n=len(too_long),
                    length=self.writer.max_length,
                    start=start,
                    end=end,
                    text=text,
                    pieces=pieces,
                )
            )
        self.set_class_weights(counts)

    def _too_long(self, doc: Doc) -> list[tuple[int, int, int]]:
        """Start and end token, and length in pieces, of each unit that has to be cut."""
        found = []
        (units,) = self.units([doc])
        for (start, end), unit in zip(group_offsets(doc, FU_KEY).tolist(), units, strict=True):
            # The longest words stand for an answer that may be any.
            unit.valence = max(VALENCES, key=lambda label: len(self.words[label]))
            steps = STEPS[self.setting]
            if any(query.is_cut for step in steps for query in self._write(step, unit)):
                found.append((start, end, len(self.writer.encode(unit.unit))))
        return found

    def initialize_labels(self, examples: Iterable[Example]) -> list[Example]:
        """Nothing: `initialize` reads the examples itself."""
        return []

    def _prompts(self) -> dict[str, Any]:
        """What belongs to the weights, which were trained with it."""
        templates = {step: vars(template) for step, template in self.templates.items()}
        return {"setting": self.setting, "words": self.words, "templates": templates}

    def _set_prompts(self, prompts: dict[str, Any]) -> None:
        templates = {step: make_template(**parts) for step, parts in prompts["templates"].items()}
        check_templates(self.name, prompts["setting"], templates)
        self.setting, self.words, self.templates = prompts["setting"], prompts["words"], templates
        self._writer = None

    def to_disk(self, path: Any, *, exclude: Iterable[str] = ()) -> None:
        """Write the weights and the tokenizer (folder `model`), and the templates and words
        (prompts.json): all that is needed without the folder or hub that the model came from."""
        serialize: dict[str, Callable[[Path], Any]] = {
            "cfg": lambda p: srsly.write_json(p, self.cfg),
            "prompts.json": lambda p: srsly.write_json(p, self._prompts()),
            "model": shim_of(self.model).save,
        }
        util.to_disk(path, serialize, exclude)

    def from_disk(self, path: Any, *, exclude: Iterable[str] = ()) -> "GenerativeTagger":
        """Raises: ValenceECError G007 for a folder that is not whole."""
        deserialize: dict[str, Callable[[Path], Any]] = {
            "cfg": lambda p: self.cfg.update(srsly.read_json(p)),
            "prompts.json": lambda p: self._set_prompts(srsly.read_json(p)),
            "model": shim_of(self.model).restore,
        }
        util.from_disk(path, deserialize, exclude)
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        serialize: dict[str, Callable[[], Any]] = {
            "cfg": lambda: srsly.json_dumps(self.cfg),
            "prompts": lambda: srsly.json_dumps(self._prompts()),
            "model": shim_of(self.model).to_bytes,
        }
        content: bytes = util.to_bytes(serialize, exclude)
        return content

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> "GenerativeTagger":
        deserialize: dict[str, Callable[[Any], Any]] = {
            "cfg": lambda b: self.cfg.update(srsly.json_loads(b)),
            "prompts": lambda b: self._set_prompts(srsly.json_loads(b)),
            "model": shim_of(self.model).from_bytes,
        }
        util.from_bytes(bytes_data, deserialize, exclude)
        return self


def _carriers_of(
    doc: Doc, units: Sequence[UnitAnswers], carriers: Sequence[tuple[int, int]]
) -> list[tuple[str, ...]]:
    """For each unit, how carriers that are known are told to the model: as those of its candidates
    that share a content word with one, as they are when it found them itself; a carrier without
    such a candidate in its own words."""
    content = content_mask(doc)
    found = []
    for unit, (start, end) in zip(units, group_offsets(doc, FU_KEY).tolist(), strict=True):
        own = [edges for edges in carriers if start <= edges[0] < end]
        rows = [(int(a), int(b)) for a, b, _ in unit.candidates]
        accepted = np.asarray(
            [any(shares_content(row, edges, content) for edges in own) for row in rows], dtype=bool
        )
        chosen = [rows[i] for i in without_overlap(unit.candidates, np.ones(len(rows)), accepted)]
        chosen += [
            edges for edges in own if not any(shares_content(row, edges, content) for row in rows)
        ]
        found.append(tuple(one_line(doc[a:b].text) for a, b in sorted(chosen)))
    return found
