"""Network of `valence_classifier`: the valence of each unit, read in its narrative."""

from collections.abc import Callable

from spacy.tokens import Doc
from thinc.api import Linear, Model, Ops, chain, with_array
from thinc.types import Floats2d, Ints1d, Ragged

from .condition import Condition, set_n_labels
from .empty import skip_when_empty
from .initializers import zero_init
from .spans import pool_spans, span_lengths, split_offsets
from .words import Words

Input = tuple[list[Doc], Ragged] | tuple[list[Doc], Ragged, Ints1d]
VectorInput = tuple[list[Floats2d], Ragged] | tuple[list[Floats2d], Ragged, Ints1d]

N_MARKS = 2  # of the condition: a token outside of all carriers, a token of a carrier


def ValenceClassifier(
    tok2vec: Model[list[Doc], list[Floats2d]],
    reducer: Model[Ragged, Floats2d],
    context: Model[list[Floats2d], list[Floats2d]] | None = None,
    wide: Model[tuple[list[Doc], Ragged], Floats2d] | None = None,
    nO: int | None = None,
    condition: Condition | None = None,
) -> Model[Input, Floats2d]:
    """Logits of shape (n_units, nO), the units of all Docs in order.

    With a condition the input holds, besides Docs and units, the mark of each token of all Docs,
    int (n_tokens,): 1 in a carrier, 0 elsewhere, -1 where nobody knows.

    White space and invisible characters in a unit are not read.

    tok2vec: the token vectors, usually a listener to the shared encoder.
    reducer: pools the tokens of a unit, such as `spacy.mean_max_reducer.v1`.
    context: a layer over the sequence of the units of a narrative, so that neighbors help,
        such as `spacy.MaxoutWindowEncoder.v2` of the reducer's width; None to read each unit
        alone.
    wide: a model of its own of Docs and units, whose logits are added, such as
        `spacy_valence_ec.UnitNgrams.v1`; None for no further one.
    nO: number of labels, set from the data.
    condition: joins the marks to the token vectors, before these are pooled, such as
        `spacy_valence_ec.LabelEmbedding.v1`; None to read no carriers.
    """
    if condition is not None:
        set_n_labels(condition, N_MARKS)
    output: Model[Floats2d, Floats2d] = Linear(nO=nO, init_W=zero_init)
    classify: Model[list[Floats2d], list[Floats2d]] = with_array(output)
    if context is not None:
        classify = chain(context, classify)
    classify = skip_when_empty(classify, output)
    pool = pool_spans(reducer)
    further = [layer for layer in (wide, condition) if layer is not None]
    model: Model[Input, Floats2d] = Model(
        "valence_classifier",
        _forward,
        init=_init,
        layers=[tok2vec, pool, classify, *further],
        dims={"nO": nO},
        refs={"tok2vec": tok2vec, "output_layer": output, "wide": wide, "condition": condition},
    )
    return model


def _init(model: Model, X: Input | None = None, Y: Floats2d | None = None) -> None:
    tok2vec, pool, classify = model.layers[:3]
    wide = model.maybe_get_ref("wide")
    condition = model.maybe_get_ref("condition")
    output = model.get_ref("output_layer")
    if Y is not None and output.has_dim("nO") is None:
        output.set_dim("nO", Y.shape[1])
    if X is None:
        for layer in model.layers:
            layer.initialize()
    else:
        docs, units, *marks = X
        tok2vec.initialize(X=docs)
        words = Words(docs, split_offsets(units))
        vectors = words.take(tok2vec.predict(docs))
        marks = words.take_flat(marks)
        in_words = words.ragged(units, model.ops)
        if condition is not None:
            condition.initialize(X=(model.ops.flatten(vectors), marks[0]))
        pool.initialize(X=(vectors, in_words))
        pooled = pool.predict((vectors, in_words))
        classify.initialize(X=model.ops.unflatten(pooled, units.lengths))
        if wide is not None:
            wide.initialize(X=(docs, units), Y=Y)
    if output.has_dim("nO"):
        model.set_dim("nO", output.get_dim("nO"))


def _forward(model: Model, inputs: Input, is_train: bool) -> tuple[Floats2d, Callable]:
    tok2vec, pool, classify = model.layers[:3]
    wide = model.maybe_get_ref("wide")
    docs, units, *marks = inputs
    vectors, backprop_tok2vec = tok2vec(docs, is_train)
    layers = (pool, classify, model.maybe_get_ref("condition"))
    words = Words(docs, split_offsets(units))
    read = (words.take(vectors), words.ragged(units, model.ops), *words.take_flat(marks))
    logits, backprop_vectors = _classify(model.ops, layers, read, is_train)
    backprop_wide = None
    if wide is not None and len(logits):
        wide_logits, backprop_wide = wide((docs, units), is_train)
        logits = logits + wide_logits

    def backprop(d_logits: Floats2d) -> list[Doc]:
        if backprop_wide is not None:
            backprop_wide(d_logits)
        return backprop_tok2vec(words.put(backprop_vectors(d_logits)))

    return logits, backprop


def vector_classifier(model: Model[Input, Floats2d]) -> Model[VectorInput, Floats2d]:
    """A copy of the network between the token vectors and the logits, without the wide part: what
    is asked of it leaves no trace in `model`, neither gradients nor rates of dropout.

    Input: as that of `model`, with token vectors, (n_tokens, width) for each Doc, in place of the
    Docs, and without the tokens that are not read (`models.words`). Output: logits of shape
    (n_units, nO). Gradient: that of the token vectors.
    """
    condition = model.maybe_get_ref("condition")
    further = [condition] if condition is not None else []
    layers = [layer.copy() for layer in (*model.layers[1:3], *further)]
    return Model("vector_classifier", _forward_vectors, layers=layers)


def _forward_vectors(
    model: Model, inputs: VectorInput, is_train: bool
) -> tuple[Floats2d, Callable]:
    pool, classify, *condition = model.layers
    return _classify(model.ops, (pool, classify, next(iter(condition), None)), inputs, is_train)


def _classify(
    ops: Ops, layers: tuple[Model, Model, Model | None], inputs: VectorInput, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], list[Floats2d]]]:
    pool, classify, condition = layers
    vectors, units, *marks = inputs
    lengths = ops.asarray1i(span_lengths(units))
    n_tokens = ops.asarray1i([len(array) for array in vectors])
    backprop_condition = None
    if condition is not None and n_tokens.sum():
        marked, backprop_condition = condition((ops.flatten(vectors), marks[0]), is_train)
        vectors = ops.unflatten(marked, n_tokens)
    pooled, backprop_pool = pool((vectors, units), is_train)
    logits, backprop_classify = classify(ops.unflatten(pooled, lengths), is_train)

    def backprop(d_logits: Floats2d) -> list[Floats2d]:
        d_pooled = ops.flatten(backprop_classify(ops.unflatten(d_logits, lengths)))
        d_vectors: list[Floats2d] = backprop_pool(d_pooled)
        if backprop_condition is not None:
            d_marked, _ = backprop_condition(ops.flatten(d_vectors))
            d_vectors = ops.unflatten(d_marked, n_tokens)
        return d_vectors

    return ops.flatten(logits), backprop
