"""Span groups as the Ragged arrays that networks read, and pooling of token vectors over them."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from spacy.ml.extract_spans import extract_spans
from spacy.tokens import Doc
from thinc.api import Model, Ops, to_numpy
from thinc.types import Floats2d, Ragged

from ..span_groups import read_spans


def group_offsets(doc: Doc, key: str) -> np.ndarray:
    """Token offsets of the spans of `doc.spans[key]`: int32, shape (n_spans, 2), end exclusive."""
    offsets = [(span.start, span.end) for span in read_spans(doc, key)]
    return np.asarray(offsets, dtype="int32").reshape((-1, 2))


def ragged_offsets(offsets: Sequence[np.ndarray], ops: Ops) -> Ragged:
    """One array of offsets a Doc, as spaCy's suggesters give them: data (n_spans, 2), lengths
    (n_docs,)."""
    data = np.concatenate(offsets) if offsets else np.zeros((0, 2), dtype="int32")
    lengths = [len(spans) for spans in offsets]
    rows: Any = data.astype("int32")
    return Ragged(ops.asarray2i(rows), ops.asarray1i(lengths))


def span_lengths(spans: Ragged) -> list[int]:
    """How many spans each Doc has."""
    return [int(n) for n in to_numpy(spans.lengths)]


def split_offsets(spans: Ragged) -> list[np.ndarray]:
    """The spans of each Doc, int (n_spans, 2)."""
    rows = to_numpy(spans.dataXd)
    lengths = span_lengths(spans)
    ends = accumulate(lengths)
    return [rows[end - n : end] for n, end in zip(lengths, ends, strict=True)]


def pool_spans(reducer: Model[Ragged, Floats2d]) -> Model[tuple[list[Floats2d], Ragged], Floats2d]:
    """Pool the token vectors of each span into one vector.

    Input: token vectors, one (n_tokens, width) array a Doc, and the offsets of the spans.
    Output: (n_spans, nO), the spans of all Docs in order; no row when there is no span, in
    which case the gradient of the token vectors is zero, never missing: the shared encoder
    waits for it.
    """
    return Model("pool_spans", _forward, init=_init, layers=[extract_spans(), reducer])


def _init(
    model: Model, X: tuple[list[Floats2d], Ragged] | None = None, Y: Floats2d | None = None
) -> None:
    extract: Model = model.layers[0]
    reducer: Model = model.layers[1]
    if X is not None:
        vectors, spans = X
        tokens = _as_ragged(model.ops, vectors)
        if len(spans.dataXd):
            sample = extract.predict((tokens, spans))
        else:  # a reducer cannot take nothing: only the width counts here
            sample = Ragged(model.ops.alloc2f(1, vectors[0].shape[1]), model.ops.asarray1i([1]))
        reducer.initialize(X=sample, Y=Y)
    else:
        reducer.initialize(Y=Y)


def _forward(
    model: Model, inputs: tuple[list[Floats2d], Ragged], is_train: bool
) -> tuple[Floats2d, Callable]:
    extract, reducer = model.layers
    vectors, spans = inputs
    if not len(spans.dataXd):
        width = reducer.get_dim("nO")

        def backprop_nothing(dY: Floats2d) -> list[Floats2d]:
            return [model.ops.alloc2f(*array.shape) for array in vectors]

        return model.ops.alloc2f(0, width), backprop_nothing

    tokens, backprop_extract = extract((_as_ragged(model.ops, vectors), spans), is_train)
    pooled, backprop_reduce = reducer(tokens, is_train)

    def backprop(dY: Floats2d) -> list[Floats2d]:
        d_vectors, _ = backprop_extract(backprop_reduce(dY))
        return model.ops.unflatten(d_vectors.dataXd, d_vectors.lengths)

    return pooled, backprop


def _as_ragged(ops: Ops, vectors: list[Floats2d]) -> Ragged:
    lengths = ops.asarray1i([len(array) for array in vectors])
    return Ragged(ops.flatten(vectors), lengths)
