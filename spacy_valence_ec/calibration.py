"""Fitting the temperatures of a pipeline on annotated narratives, and keeping them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import srsly
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from .errors import Errors, ValenceECError
from .evaluation import SEGMENTER_FACTORY, annotated_docs, with_gold_units
from .files import atomic_write
from .pipeline.calibrated import TEMPERATURE, CalibratedHead
from .pipeline.condition import gold_carrier_marks, gold_carrier_spans, gold_valences
from .pipeline.ec_tagger import EmotionCarrierTagger
from .pipeline.valence_classifier import ValenceClassifier
from .schema import EC_KEY, SCORES_ATTR, Narrative
from .temperature import AtTemperature, Fit, Predictions, fit_temperature

Annotated = Iterable[Narrative | Doc | Example]


@dataclass(frozen=True)
class Calibration:
    """Of a component: its fitted temperature, and its predictions on the narratives that this was
    fitted on, or on others, at temperature 1 and at the fitted one."""

    name: str
    fit: Fit
    before: Predictions
    after: Predictions


def calibrate(
    nlp: Language,
    data: Annotated,
    *,
    held_out: Annotated | None = None,
    batch_size: int | None = None,
) -> list[Calibration]:
    """Fit a temperature for each `valence_classifier` and `ec_tagger`, in their order, on gold
    units, and set it in the pipeline. The one that was there is not looked at.

    data: annotated narratives that the pipeline was not trained on, nor is tested on: dev.
    held_out: narratives to measure on; None to measure on `data`. Nothing is chosen by them.
    batch_size: Docs a batch; the pipeline's own when None.

    The valence is fitted to the gold labels of the units; each predicted carrier to what its score
    is the probability of: that these very tokens are one (`ec_tagger` over tokens), or that the
    candidate overlaps one.

    Raises: ValenceECError M001 when nothing is annotated, M020 when there is nothing to fit.
    """
    fitted_on = _evidence(nlp, data, batch_size)
    if not fitted_on:
        raise ValenceECError(Errors.M020.format(name=nlp.meta["name"]))
    measured_on = fitted_on if held_out is None else _evidence(nlp, held_out, batch_size)
    found = []
    for name, at in fitted_on.items():
        fit = fit_temperature(at)
        _heads(nlp)[name].temperature = fit.temperature
        before, after = (measured_on[name](t) for t in (1.0, fit.temperature))
        found.append(Calibration(name, fit, before, after))
    return found


def write_temperatures(folder: Path, temperatures: Mapping[str, float]) -> None:
    """Write temperatures into the components of a saved pipeline, by their names.

    Only their `cfg` files change: saving the pipeline would put the words of the narratives that
    it was calibrated on into its vocabulary. All files are complete before the first takes its
    place.
    """
    with ExitStack() as stack:
        handles = []
        for name, temperature in temperatures.items():
            path = folder / name / "cfg"
            content = {**srsly.read_json(path), TEMPERATURE: temperature}
            handles.append(stack.enter_context(atomic_write(path)))
            handles[-1].write(srsly.json_dumps(content))
        for handle in handles:
            handle.flush()


def _heads(nlp: Language) -> dict[str, CalibratedHead]:
    return {name: pipe for name, pipe in nlp.pipeline if isinstance(pipe, CalibratedHead)}


def _evidence(nlp: Language, data: Annotated, batch_size: int | None) -> dict[str, AtTemperature]:
    """What each component says of the gold units, at any temperature."""
    references = annotated_docs(nlp, data)
    docs = [with_gold_units(nlp, reference) for reference in references]
    heads = _heads(nlp)
    found: dict[str, AtTemperature] = {}
    for name, before in _stages(nlp, list(heads)):
        with nlp.select_pipes(enable=before):
            docs = list(nlp.pipe(docs, batch_size=batch_size))
        pairs = zip(docs, references, strict=True)
        examples = [Example(doc, reference) for doc, reference in pairs]
        head = heads[name]
        of = _of_valence if isinstance(head, ValenceClassifier) else _of_carriers
        found[name] = of(head, examples)
    return found


def _stages(nlp: Language, names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each component of `names`, and those to run before it, after the component yielded last.
    One that sets units does not run: the Docs have the gold ones."""
    waiting: list[str] = []
    for name in nlp.pipe_names:
        if name in names:
            yield name, waiting
            waiting = []
        if nlp.get_pipe_meta(name).factory != SEGMENTER_FACTORY:
            waiting.append(name)


def _of_valence(head: CalibratedHead, examples: Sequence[Example]) -> AtTemperature:
    raw = head.raw_scores([example.predicted for example in examples])
    gold = np.concatenate([gold_valences(example) for example in examples])
    known = gold >= 0

    def at(temperature: float) -> Predictions:
        predicted, probabilities = head.at_temperature(raw, temperature)
        return Predictions.of_classes(probabilities[known], predicted[known], gold[known])

    return at


def _of_carriers(head: CalibratedHead, examples: Sequence[Example]) -> AtTemperature:
    examples = [example for example in examples if EC_KEY in example.reference.spans]
    docs = [example.predicted for example in examples]
    if not docs:
        return lambda temperature: Predictions.joined([])
    raw = head.raw_scores(docs)
    head.set_annotations(docs, head.at_temperature(raw, 1.0))
    hits = [
        is_right(carrier.start, carrier.end)
        for example in examples
        for is_right in [_judge(head, example)]
        for carrier in example.predicted.spans[EC_KEY]
    ]

    def at(temperature: float) -> Predictions:
        head.set_annotations(docs, head.at_temperature(raw, temperature))
        scores = [doc.spans[EC_KEY].attrs[SCORES_ATTR] for doc in docs]
        return Predictions.of_events(np.concatenate([np.zeros(0), *scores]), np.asarray(hits))

    return at


def _judge(head: CalibratedHead, example: Example) -> Callable[[int, int], bool]:
    """Whether a predicted carrier is what its score is the probability of."""
    if isinstance(head, EmotionCarrierTagger):
        gold = set(gold_carrier_spans(example))
        return lambda start, end: (start, end) in gold
    marks = gold_carrier_marks(example)
    return lambda start, end: bool(marks[start:end].any())
