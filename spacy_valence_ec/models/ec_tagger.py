"""Network of `ec_tagger` over tokens: outside, beginning or inside of a carrier?"""

from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc
from thinc.api import Linear, Model, chain, with_array
from thinc.types import Floats2d, Ints1d, Ragged

from ..schema import VALENCES
from .bio import N_TAGS
from .condition import Condition, set_n_labels
from .empty import skip_when_empty
from .initializers import zero_init
from .spans import pool_spans, span_lengths, split_offsets
from .words import Words

Input = tuple[list[Doc], Ragged] | tuple[list[Doc], Ragged, Ints1d]


def CarrierTagger(
    tok2vec: Model[list[Doc], list[Floats2d]],
    reducer: Model[Ragged, Floats2d],
    combine: Model[Floats2d, Floats2d],
    encode: Model[list[Floats2d], list[Floats2d]] | None = None,
    condition: Condition | None = None,
) -> Model[Input, list[Floats2d]]:
    """Scores of the tags of each token, shape (n_tokens, 3) for each Doc, columns as in
    `bio`: the emissions of a chain whose transitions are fixed; zeros for a token that is not read,
    which is white space or invisible.

    With a condition the input holds, besides Docs and units, the valence of each unit of all
    Docs, int (n_units,): the index of its label, -1 where nobody knows.

    tok2vec: the token vectors, usually a listener to the shared encoder.
    reducer: pools the tokens of a unit: whether a unit holds a carrier is seen from all of it.
    combine: joins a token's vector and its unit's, such as `Maxout`; a token outside of all
        units is given a unit vector of zeros.
    encode: a layer of the head's own over the tokens of a Doc; None for no further one.
    condition: joins the valences to the vectors of the units, such as
        `spacy_valence_ec.LabelEmbedding.v1`; None to read no valence.
    """
    if condition is not None:
        set_n_labels(condition, len(VALENCES))
    output: Model[Floats2d, Floats2d] = Linear(nO=N_TAGS, init_W=zero_init)
    tokens = [with_array(combine), *([encode] if encode is not None else []), with_array(output)]
    return Model(
        "carrier_tagger",
        _forward,
        init=_init,
        layers=[
            tok2vec,
            pool_spans(reducer),
            skip_when_empty(chain(*tokens), output),
            *([condition] if condition is not None else []),
        ],
        refs={"tok2vec": tok2vec, "output_layer": output, "condition": condition},
    )


def _init(model: Model, X: Input | None = None, Y: list[Floats2d] | None = None) -> None:
    tok2vec, pool, classify = model.layers[:3]
    condition = model.maybe_get_ref("condition")
    if X is None:
        for layer in model.layers:
            layer.initialize()
        return
    docs, units, *valences = X
    tok2vec.initialize(X=docs)
    words = Words(docs, split_offsets(units))
    vectors = words.take(tok2vec.predict(docs))
    units = words.ragged(units, model.ops)
    pool.initialize(X=(vectors, units))
    pooled = pool.predict((vectors, units))
    if condition is not None:
        condition.initialize(X=(pooled, valences[0]))
    joined, _ = _join(model, vectors, pooled, units)
    classify.initialize(X=joined)


def _forward(model: Model, inputs: Input, is_train: bool) -> tuple[list[Floats2d], Callable]:
    tok2vec, pool, classify = model.layers[:3]
    condition = model.maybe_get_ref("condition")
    docs, units, *valences = inputs
    vectors, backprop_tok2vec = tok2vec(docs, is_train)
    words = Words(docs, split_offsets(units))
    vectors, units = words.take(vectors), words.ragged(units, model.ops)
    pooled, backprop_pool = pool((vectors, units), is_train)
    backprop_condition = None
    if condition is not None and len(pooled):
        pooled, backprop_condition = condition((pooled, valences[0]), is_train)
    joined, backprop_join = _join(model, vectors, pooled, units)
    emissions, backprop_classify = classify(joined, is_train)

    def backprop(d_emissions: list[Floats2d]) -> list[Doc]:
        d_vectors, d_pooled = backprop_join(backprop_classify(words.take(d_emissions)))
        if backprop_condition is not None:
            d_pooled, _ = backprop_condition(d_pooled)
        for total, through_units in zip(d_vectors, backprop_pool(d_pooled), strict=True):
            total += through_units
        return backprop_tok2vec(words.put(d_vectors))

    return words.put(emissions), backprop


def _join(
    model: Model, vectors: list[Floats2d], pooled: Floats2d, units: Ragged
) -> tuple[list[Floats2d], Callable]:
    """Append to each token's vector the vector of the unit that holds it."""
    xp = model.ops.xp
    width = pooled.shape[1]
    rows: list[tuple[Any, Any]] = []  # of each Doc: the unit of each token, and if it has one
    joined: list[Floats2d] = []
    first = 0
    offsets: Any = units.dataXd
    for array, n_units in zip(vectors, span_lengths(units), strict=True):
        spans = offsets[first : first + n_units]
        # Units are in order and disjoint: a token's unit is the last one that starts before it.
        index = xp.searchsorted(spans[:, 0], xp.arange(len(array)), side="right") - 1
        inside = index >= 0
        if n_units:
            inside = inside & (xp.arange(len(array)) < spans[:, 1][index])
        index = xp.where(inside, index + first, 0)
        broadcast = model.ops.alloc2f(len(array), width)
        if n_units:
            broadcast[inside] = pooled[index[inside]]
        rows.append((index, inside))
        joined.append(xp.hstack([array, broadcast]))
        first += n_units

    def backprop(d_joined: list[Floats2d]) -> tuple[list[Floats2d], Floats2d]:
        d_pooled = model.ops.alloc2f(*pooled.shape)
        d_vectors = []
        for dX, (index, inside) in zip(d_joined, rows, strict=True):
            n = dX.shape[1] - width
            d_vectors.append(xp.ascontiguousarray(dX[:, :n]))
            if len(d_pooled):
                model.ops.scatter_add(d_pooled, index[inside], dX[inside][:, n:])
        return d_vectors, d_pooled

    return joined, backprop
