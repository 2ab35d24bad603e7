"""The wide half of a wide-and-deep classifier of units: a linear model over sparse features."""

from collections.abc import Callable

import numpy as np
from spacy.attrs import NORM
from spacy.tokens import Doc
from thinc.api import Model, SparseLinear_v2, chain, to_numpy, with_cpu
from thinc.types import Floats2d, Ragged

from ..text_view import make_view
from .spans import split_offsets

Features = Model[list[Doc], list[Floats2d]]

# Keeps the features of a unit, and those of the units before and after it, apart.
_OWN, _BEFORE, _AFTER = np.uint64(1), np.uint64(2), np.uint64(3)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_COLUMN = np.uint64(8)  # bits that tell a column of token features from a side

_EXTRACT = "extract_unit_features"


def UnitNgrams(
    ngram_size: int = 2,
    neighbor_weight: float = 0.0,
    features: Features | None = None,
    length: int = 2**17,
    nO: int | None = None,
) -> Model[tuple[list[Doc], Ragged], Floats2d]:
    """Logits of shape (n_units, nO): a sum of learned weights of what stands in a unit, and in the
    ones before and after it in the narrative. Over units what `spacy.TextCatBOW.v3` is over Docs.

    The words are read in one spelling, without white space (`spacy_valence_ec.text_view`). The
    n-grams of normalized forms count once each, their values divided by the square root of
    their number.

    ngram_size: n-grams of up to so many tokens.
    neighbor_weight: factor of the values of the neighbors' words; 0 to read each unit alone.
    features: of tokens, such as `spacy_valence_ec.LexiconFeatures.v1`, whose sums over the unit
        (and its neighbors) are values too; None for none.
    length: rows of the hashed table of weights, a power of two.
    nO: number of labels, set from the data.
    """
    output = SparseLinear_v2(nO=nO, length=length)
    extract: Model = Model(
        _EXTRACT,
        _extract,
        layers=[features] if features is not None else [],
        attrs={"ngram_size": ngram_size, "neighbor_weight": neighbor_weight},
    )
    model: Model[tuple[list[Doc], Ragged], Floats2d] = chain(extract, output)
    model = with_cpu(model, model.ops)
    model.set_ref("output_layer", output)
    return model


def _extract(
    model: Model, inputs: tuple[list[Doc], Ragged], is_train: bool
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], Callable]:
    docs, units = inputs
    size, weight = model.attrs["ngram_size"], model.attrs["neighbor_weight"]
    views = [make_view(doc) for doc in docs]
    docs = [view.doc for view in views]
    tables = model.layers[0].predict(docs) if model.layers else [None] * len(docs)
    keys: list[np.ndarray] = [np.zeros(0, dtype="uint64")]
    values: list[np.ndarray] = [np.zeros(0, dtype="float32")]
    lengths = []
    for view, table, of_doc in zip(views, tables, split_offsets(units), strict=True):
        norms = view.doc.to_array(NORM).astype("uint64")
        spans = view.offsets(of_doc)
        columns = None if table is None else to_numpy(table)
        own = [_unit(norms[start:end], size) for start, end in spans]
        words = [_unit(norms[start:end], 1) for start, end in spans] if weight else []
        sums = [] if columns is None else [_sums(columns[start:end]) for start, end in spans]
        for i in range(len(spans)):
            parts = [(*found[i], _OWN, 1.0) for found in (own, sums) if found]
            if weight:
                for j, side in ((i - 1, _BEFORE), (i + 1, _AFTER)):
                    if 0 <= j < len(spans):
                        parts += [(*found[j], side, weight) for found in (words, sums) if found]
            with np.errstate(over="ignore"):
                keys += [(found ^ side) * _MIX for found, _, side, _ in parts]
            values += [(value * factor).astype("float32") for _, value, _, factor in parts]
            lengths.append(sum(len(found) for found, _, _, _ in parts))
    batch = np.concatenate(keys), np.concatenate(values), np.asarray(lengths, dtype="int32")
    return batch, _no_gradient


def is_unit_ngrams(model: Model) -> bool:
    """Whether `UnitNgrams` made a model."""
    return any(node.name == _EXTRACT for node in model.walk())


def ngram_contributions(
    model: Model[tuple[list[Doc], Ragged], Floats2d], doc: Doc, units: np.ndarray, index: int
) -> np.ndarray:
    """What each token adds to the logits of one unit: float32 (n_tokens, nO). The sum over the
    tokens is what the model gives, without its bias: it is linear.

    An n-gram is shared evenly by the tokens of all places of the unit where it stands; features
    belong to their token.

    model: one that `UnitNgrams` made.
    units: token offsets of the units of the Doc, int (n_units, 2).
    """
    extract = next(node for node in model.walk() if node.name == _EXTRACT)
    output = model.get_ref("output_layer")
    size, weight = extract.attrs["ngram_size"], extract.attrs["neighbor_weight"]
    sides = [(index, _OWN, size, 1.0)]
    if weight:
        sides += [(index - 1, _BEFORE, 1, weight), (index + 1, _AFTER, 1, weight)]
    view = make_view(doc)
    units = view.offsets(units)
    table = to_numpy(extract.layers[0].predict([view.doc])[0]) if extract.layers else None
    norms = view.doc.to_array(NORM).astype("uint64")
    added = np.zeros((len(view.doc), output.get_dim("nO")), dtype="float32")
    for i, side, length, factor in sides:
        if not 0 <= i < len(units):
            continue
        start, end = units[i]
        if start == end:
            continue
        keys, values = _unit(norms[start:end], length)
        effects = _effects(output, keys ^ side, values * factor)
        places = [np.searchsorted(keys, grams) for grams in _ngrams(norms[start:end], length)]
        effects /= np.bincount(np.concatenate(places), minlength=len(keys))[:, None]
        for n, found in enumerate(places, 1):
            for first in range(start, start + n):
                added[first : first + len(found)] += effects[found] / n
        if table is not None:
            columns = np.arange(table.shape[1], dtype="uint64") << _COLUMN
            factors = np.full(len(columns), factor)
            added[start:end] += table[start:end] @ _effects(output, columns ^ side, factors)
    if view.tokens is None:
        return added
    of_tokens = np.zeros((len(doc), added.shape[1]), dtype="float32")
    of_tokens[view.tokens] = added
    return of_tokens


def _effects(output: Model, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """What each feature alone adds to the logits, float32 (n_features, nO)."""
    with np.errstate(over="ignore"):
        mixed = keys * _MIX
    alone = np.ones(len(keys), dtype="int32")
    effects: np.ndarray = output.predict((mixed, values.astype("float32"), alone))
    return effects - output.get_param("b")


def _unit(norms: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys of the n-grams of up to `size` words, each once, and their values."""
    keys = np.unique(np.concatenate(_ngrams(norms, size)))
    return keys, np.full(len(keys), 1.0 / np.sqrt(max(1, len(keys))))


def _ngrams(norms: np.ndarray, size: int) -> list[np.ndarray]:
    """Keys of the n-grams at every place, those of one word first."""
    grams = [norms]
    current = norms
    with np.errstate(over="ignore"):
        for n in range(2, size + 1):
            if len(norms) < n:
                break
            current = current[:-1] * np.uint64(1_000_003) + norms[n - 1 :]
            grams.append(current)
    return grams


def _sums(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keys and sums of the columns of token features that are not zero in a unit."""
    sums = columns.sum(axis=0)
    filled = np.flatnonzero(sums)
    return filled.astype("uint64") << _COLUMN, sums[filled]


def _no_gradient(d_batch: tuple[np.ndarray, np.ndarray, np.ndarray]) -> list[Doc]:
    return []
