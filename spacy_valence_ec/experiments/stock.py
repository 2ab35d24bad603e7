"""spaCy's own components on the same data, encoder and budget: what a user would pick instead.

Their configs are settings like ours (`configs/settings/stock-*.cfg`); here is how the annotation is
laid out for them, and their output turned back into ours.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from spacy import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ..schema import EC_KEY, EC_LABEL, FU_KEY, NEUTRAL, VALENCES
from .baselines import set_valences
from .record import CARRIERS, VALENCE

VALENCE_KEY, CARRIERS_KEY = "valence", "carriers"  # as the configs name them


@dataclass(frozen=True)
class Stock:
    """A setting of spaCy's own: the task that it does, its training data from annotated Docs, and
    how it fills in Docs that have gold units."""

    task: str
    data: Callable[[Language, Iterable[Doc]], Iterator[Doc]]
    predict: Callable[[Language, Sequence[Doc]], None]


def _single_units(nlp: Language, docs: Iterable[Doc]) -> Iterator[Doc]:
    for doc in docs:
        for unit in doc.spans[FU_KEY]:
            single = nlp.make_doc(unit.text)
            single.cats = {label: float(label == unit.label_) for label in VALENCES}
            yield single


def _predict_single_units(nlp: Language, docs: Sequence[Doc]) -> None:
    for doc in docs:
        found = [single.cats for single in nlp.pipe(unit.text for unit in doc.spans[FU_KEY])]
        scores = [[cats.get(label, 0.0) for label in VALENCES] for cats in found]
        labels = [VALENCES[row.index(max(row))] for row in scores]
        set_valences(doc, labels, scores)


def _valence_spans(nlp: Language, docs: Iterable[Doc]) -> Iterator[Doc]:
    for doc in docs:
        doc.spans[VALENCE_KEY] = list(doc.spans[FU_KEY])
        yield doc


def _predict_valence_spans(nlp: Language, docs: Sequence[Doc]) -> None:
    for doc in nlp.pipe(docs):
        found = {(span.start, span.end): span.label_ for span in doc.spans[VALENCE_KEY]}
        # The component can also leave a span without a label, which it never saw in training.
        labels = [found.get((unit.start, unit.end), NEUTRAL) for unit in doc.spans[FU_KEY]]
        set_valences(doc, labels)


def _carrier_spans(nlp: Language, docs: Iterable[Doc]) -> Iterator[Doc]:
    for doc in docs:
        doc.spans[CARRIERS_KEY] = list(doc.spans[EC_KEY])
        yield doc


def _predict_carrier_spans(nlp: Language, docs: Sequence[Doc]) -> None:
    for doc in nlp.pipe(docs):
        _set_carriers(doc, doc.spans[CARRIERS_KEY])


def _entities(nlp: Language, docs: Iterable[Doc]) -> Iterator[Doc]:
    for doc in docs:
        doc.set_ents(list(doc.spans[EC_KEY]), default="outside")
        yield doc


def _predict_entities(nlp: Language, docs: Sequence[Doc]) -> None:
    for doc in nlp.pipe(docs):
        _set_carriers(doc, doc.ents)


def _set_carriers(doc: Doc, spans: Iterable[Span]) -> None:
    """Carriers do not overlap: of those that do, the longest is kept, as in spaCy's own filter."""
    kept = filter_spans(spans)
    doc.spans[EC_KEY] = [Span(doc, span.start, span.end, label=EC_LABEL) for span in kept]


STOCK = {
    "stock-textcat": Stock(VALENCE, _single_units, _predict_single_units),
    "stock-spancat-valence": Stock(VALENCE, _valence_spans, _predict_valence_spans),
    "stock-spancat-carriers": Stock(CARRIERS, _carrier_spans, _predict_carrier_spans),
    "stock-ner": Stock(CARRIERS, _entities, _predict_entities),
}
