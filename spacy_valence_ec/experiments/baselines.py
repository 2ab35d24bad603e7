"""What a joint model has to beat: a majority, a lexicon, a linear model and a linear chain.

Each is fitted on annotated Docs and then fills in Docs that have gold units: the valence of the
units, or the carriers, or both.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup

from ..base.assets import LEXICON as LEXICON_ASSET
from ..base.assets import asset_path
from ..errors import Errors, ValenceECError
from ..lexicon import INTENSIFIER, NEGATOR, PolarityLexicon, parse_lexicon, read_lexicon_text
from ..metrics import f_score, label_f_scores, macro
from ..schema import (
    EC_KEY,
    EC_LABEL,
    FU_KEY,
    LABELS_ATTR,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    SCORES_ATTR,
    VALENCES,
)
from .plan import CRF, LEXICON, MAJORITY, TFIDF
from .record import CARRIERS, VALENCE

Predict = Callable[[Sequence[Doc]], None]

# Words after a negator whose polarity it turns round ("non sono per niente contenta").
NEGATED_WORDS = 4
INTENSIFIED = 1.5


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline: the tasks that it does, what fills in Docs, and its number of weights."""

    tasks: tuple[str, ...]
    predict: Predict
    parameters: int


Fit = Callable[[Sequence[Doc], Sequence[Doc], Path | None], Baseline]


def set_valences(
    doc: Doc, labels: Sequence[str], scores: Sequence[Sequence[float]] | None = None
) -> None:
    """Label the units of a Doc; `scores` are probabilities, in the order of `VALENCES`."""
    units = [
        Span(doc, u.start, u.end, label) for u, label in zip(doc.spans[FU_KEY], labels, strict=True)
    ]
    attrs: dict[str, Any] = {}
    if scores is not None:
        array = np.asarray(scores, dtype="float32").reshape(-1, len(VALENCES))
        attrs = {SCORES_ATTR: array, LABELS_ATTR: list(VALENCES)}
    doc.spans[FU_KEY] = SpanGroup(doc, name=FU_KEY, spans=units, attrs=attrs)


def fit_majority(train: Sequence[Doc], dev: Sequence[Doc], lexicon: Path | None) -> Baseline:
    """The most frequent valence, and no carrier: most candidates are none."""
    counts = Counter(unit.label_ for doc in train for unit in doc.spans[FU_KEY])
    label = max(VALENCES, key=lambda name: counts[name])

    def predict(docs: Sequence[Doc]) -> None:
        for doc in docs:
            set_valences(doc, [label] * len(doc.spans[FU_KEY]))
            doc.spans[EC_KEY] = []

    return Baseline((VALENCE, CARRIERS), predict, 0)


def fit_lexicon(train: Sequence[Doc], dev: Sequence[Doc], lexicon: Path | None) -> Baseline:
    """The sign of the sum of the polarities in a unit; nothing is learned.

    Raises: ValenceECError L001, M004 or M006 for a lexicon that cannot be read.
    """
    path = lexicon or asset_path(LEXICON_ASSET)
    entries = parse_lexicon(read_lexicon_text(path), path)

    def predict(docs: Sequence[Doc]) -> None:
        for doc in docs:
            sums = [polarity(entries, unit) for unit in doc.spans[FU_KEY]]
            labels = [POSITIVE if s > 0 else NEGATIVE if s < 0 else NEUTRAL for s in sums]
            set_valences(doc, labels)

    return Baseline((VALENCE,), predict, 0)


def polarity(lexicon: PolarityLexicon, unit: Span) -> float:
    """The sum of the polarities of a unit's entries: turned round for some words after a negator,
    greater right after a word that strengthens."""
    total, factor = 0.0, 1.0
    negated_until = -1
    for start, end, entry in lexicon.matches([t.text for t in unit if not t.is_space]):
        if entry.kind == NEGATOR:
            negated_until = end + NEGATED_WORDS
        elif entry.kind == INTENSIFIER:
            factor = INTENSIFIED
            continue
        else:
            total += factor * entry.polarity * (-1 if start < negated_until else 1)
        factor = 1.0
    return total


def fit_tfidf(train: Sequence[Doc], dev: Sequence[Doc], lexicon: Path | None) -> Baseline:
    """TF-IDF of words and characters, each unit alone, and logistic regression; regularization,
    features and class weights are those of the best macro F1 on dev.

    Raises: ValenceECError E010 without scikit-learn.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union
    except ImportError as error:
        what = "fits the baseline 'tfidf'"
        raise ValenceECError(Errors.E010.format(name="scikit-learn", what=what)) from error

    texts, gold = _units(train)
    dev_texts, dev_gold = _units(dev)
    best: tuple[float, Any] = (-1.0, None)
    for characters, c, weight in product((False, True), (1.0, 3.0, 10.0), (None, "balanced")):
        views = [TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)]
        if characters:
            views.append(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True))
        regression = LogisticRegression(C=c, class_weight=weight, max_iter=2000)
        model = make_pipeline(make_union(*views), regression).fit(texts, gold)
        found = [str(label) for label in model.predict(dev_texts)]
        score = macro(label_f_scores(dev_gold, found, VALENCES))
        if score > best[0]:
            best = (score, model)
    model = best[1]
    columns = {label: i for i, label in enumerate(model.classes_)}

    def predict(docs: Sequence[Doc]) -> None:
        for doc in docs:
            units = [unit.text for unit in doc.spans[FU_KEY]]
            if units:
                table = model.predict_proba(units)
                rows = [[r[columns[v]] if v in columns else 0.0 for v in VALENCES] for r in table]
                set_valences(doc, [VALENCES[int(np.argmax(row))] for row in rows], rows)

    coefficients = model[-1]
    n = coefficients.coef_.size + coefficients.intercept_.size
    return Baseline((VALENCE,), predict, int(n))


def _units(docs: Sequence[Doc]) -> tuple[list[str], list[str]]:
    units = [unit for doc in docs for unit in doc.spans[FU_KEY]]
    return [unit.text for unit in units], [unit.label_ for unit in units]


def fit_crf(train: Sequence[Doc], dev: Sequence[Doc], lexicon: Path | None) -> Baseline:
    """A linear chain over the tokens of a unit, with tags for the begin and inside of a carrier;
    regularization is that of the best token F1 on dev.

    Raises: ValenceECError E010 without python-crfsuite, and as `fit_lexicon`.
    """
    try:
        import pycrfsuite
    except ImportError as error:
        what = f"fits the baseline '{CRF}'"
        raise ValenceECError(Errors.E010.format(name="python-crfsuite", what=what)) from error

    # The one of the package says nothing of other languages.
    own = asset_path(LEXICON_ASSET) if {doc.lang_ for doc in train} == {"it"} else None
    path = lexicon or own
    entries = parse_lexicon(read_lexicon_text(path), path) if path else PolarityLexicon([])
    sequences = [
        (crf_features(unit, entries), _tags(unit)) for d in train for unit in d.spans[FU_KEY]
    ]
    held_out = [(crf_features(unit, entries), _tags(unit)) for d in dev for unit in d.spans[FU_KEY]]
    best: tuple[float, Any, bytes] = (-1.0, None, b"")
    with tempfile.TemporaryDirectory() as folder:
        for number, (c1, c2) in enumerate(product((0.0, 0.1), (0.01, 0.1, 1.0))):
            trainer = pycrfsuite.Trainer(verbose=False)
            for features, tags in sequences:
                trainer.append(features, tags)
            trainer.set_params({"c1": c1, "c2": c2, "max_iterations": 200})
            model = str(Path(folder) / f"{number}.crf")
            trainer.train(model)
            tagger = pycrfsuite.Tagger()
            # By its content: the file is gone when the tagger is used. The tagger copies nothing.
            content = Path(model).read_bytes()
            tagger.open_inmemory(content)
            pairs = [(tagger.tag(features), tags) for features, tags in held_out]
            score = _token_f(pairs)
            if score > best[0]:
                best = (score, tagger, content)
    _, tagger, content = best
    info = tagger.info()

    def predict(docs: Sequence[Doc]) -> None:
        for doc in docs:
            carriers = []
            for unit in doc.spans[FU_KEY]:
                tokens = _tokens(unit)
                edges = _edges(tagger.tag(crf_features(unit, entries)))
                carriers += [
                    Span(doc, tokens[a], tokens[b - 1] + 1, label=EC_LABEL) for a, b in edges
                ]
            doc.spans[EC_KEY] = carriers

    # The memory that the tagger reads must live as long as `predict`.
    predict.model = content  # type: ignore[attr-defined]
    return Baseline((CARRIERS,), predict, len(info.state_features) + len(info.transitions))


BEGIN, INSIDE, OUTSIDE = "B", "I", "O"


def _tokens(unit: Span) -> list[int]:
    return [token.i for token in unit if not token.is_space]


def _tags(unit: Span) -> list[str]:
    tags = dict.fromkeys(_tokens(unit), OUTSIDE)
    for carrier in unit.doc.spans[EC_KEY]:
        if unit.start <= carrier.start < unit.end:
            inside = [i for i in _tokens(carrier) if i in tags]
            tags.update(dict.fromkeys(inside, INSIDE))
            if inside:
                tags[inside[0]] = BEGIN
    return list(tags.values())


def _edges(tags: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Begin and end of each carrier in a sequence of tags."""
    start: int | None = None
    for i, tag in enumerate([*tags, OUTSIDE]):
        if start is not None and tag != INSIDE:
            yield start, i
            start = None
        if tag == BEGIN or (tag == INSIDE and start is None):
            start = i


def _token_f(pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> float:
    flat = [
        (a != OUTSIDE, b != OUTSIDE)
        for found, gold in pairs
        for a, b in zip(found, gold, strict=True)
    ]
    right = sum(a and b for a, b in flat)
    return f_score(right, sum(a for a, _ in flat), sum(b for _, b in flat))["f"] or 0.0


def crf_features(unit: Span, lexicon: PolarityLexicon) -> list[list[str]]:
    """The features of each token that is not white space: forms and endings of it and its
    neighbors, its shape and place, and what the lexicon says of it."""
    tokens = [unit.doc[i] for i in _tokens(unit)]
    kinds = [""] * len(tokens)
    for start, end, entry in lexicon.matches([token.text for token in tokens]):
        kinds[start:end] = [f"{entry.kind}{entry.polarity:+d}"] * (end - start)
    present = sorted({kind for kind in kinds if kind})
    rows = []
    for i, token in enumerate(tokens):
        row = [f"place={min(i, 3)}", f"left={min(len(tokens) - 1 - i, 3)}", f"shape={token.shape_}"]
        row += [f"unit={kind}" for kind in present]
        for offset in (-2, -1, 0, 1, 2):
            if 0 <= i + offset < len(tokens):
                form = tokens[i + offset].lower_
                row += [f"{offset}:form={form}", f"{offset}:end={form[-3:]}"]
                row.append(f"{offset}:kind={kinds[i + offset]}")
            else:
                row.append(f"{offset}:none")
        rows.append(row)
    return rows


FITS: dict[str, Fit] = {
    MAJORITY: fit_majority,
    LEXICON: fit_lexicon,
    TFIDF: fit_tfidf,
    CRF: fit_crf,
}
