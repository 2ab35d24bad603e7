"""The wide half of a wide-and-deep classifier of units: a linear model over n-grams."""

from collections.abc import Callable

import numpy as np
from spacy.attrs import NORM
from spacy.tokens import Doc
from thinc.api import Model, SparseLinear_v2, chain, with_cpu
from thinc.types import Floats2d, Ragged

from .spans import span_lengths


def UnitNgrams(
    ngram_size: int = 2, length: int = 2**17, nO: int | None = None
) -> Model[tuple[list[Doc], Ragged], Floats2d]:
    """Logits of shape (n_units, nO), a sum of weights of the unit's n-grams of normalized forms,
    each counted once and the sum divided by the square root of their number. The architecture is
    that of `spacy.TextCatBOW.v3`, over units in place of Docs.

    ngram_size: n-grams of up to so many tokens.
    length: rows of the hashed table of weights, a power of two.
    nO: number of labels, set from the data.
    """
    output = SparseLinear_v2(nO=nO, length=length)
    extract: Model = Model("extract_unit_ngrams", _extract, attrs={"ngram_size": ngram_size})
    model: Model[tuple[list[Doc], Ragged], Floats2d] = chain(extract, output)
    model = with_cpu(model, model.ops)
    model.set_ref("output_layer", output)
    return model


def _extract(
    model: Model, inputs: tuple[list[Doc], Ragged], is_train: bool
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], Callable]:
    docs, units = inputs
    size = model.attrs["ngram_size"]
    offsets = np.asarray(units.dataXd)
    keys: list[np.ndarray] = [np.zeros(0, dtype="uint64")]
    values: list[np.ndarray] = [np.zeros(0, dtype="float32")]
    lengths = []
    first = 0
    for doc, n_units in zip(docs, span_lengths(units), strict=True):
        norms = doc.to_array(NORM).astype("uint64")
        for start, end in offsets[first : first + n_units]:
            found = np.unique(_ngrams(norms[start:end], size))
            keys.append(found)
            values.append(np.full(len(found), 1.0 / np.sqrt(max(1, len(found))), dtype="float32"))
            lengths.append(len(found))
        first += n_units
    batch = np.concatenate(keys), np.concatenate(values), np.asarray(lengths, dtype="int32")
    return batch, _no_gradient


def _ngrams(keys: np.ndarray, size: int) -> np.ndarray:
    """Hashes of the n-grams of up to `size` keys; one end of the unit is part of them."""
    grams = [keys]
    current = keys
    with np.errstate(over="ignore"):
        for n in range(2, size + 1):
            if len(keys) < n:
                break
            current = current[:-1] * np.uint64(1_000_003) + keys[n - 1 :]
            grams.append(current)
    return np.concatenate(grams)


def _no_gradient(d_batch: tuple[np.ndarray, np.ndarray, np.ndarray]) -> list[Doc]:
    return []
