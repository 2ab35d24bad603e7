"""Network of `valence_classifier`: the valence of each unit, read in its narrative."""

from collections.abc import Callable

from spacy.tokens import Doc
from thinc.api import Linear, Model, chain, with_array
from thinc.types import Floats2d, Ragged

from .empty import skip_when_empty
from .initializers import zero_init
from .spans import pool_spans, span_lengths


def ValenceClassifier(
    tok2vec: Model[list[Doc], list[Floats2d]],
    reducer: Model[Ragged, Floats2d],
    context: Model[list[Floats2d], list[Floats2d]] | None = None,
    wide: Model[tuple[list[Doc], Ragged], Floats2d] | None = None,
    nO: int | None = None,
) -> Model[tuple[list[Doc], Ragged], Floats2d]:
    """Logits of shape (n_units, nO), the units of all Docs in order.

    tok2vec: the token vectors, usually a listener to the shared encoder.
    reducer: pools the tokens of a unit, such as `spacy.mean_max_reducer.v1`.
    context: a layer over the sequence of the units of a narrative, so that neighbors help,
        such as `spacy.MaxoutWindowEncoder.v2` of the reducer's width; None to read each unit
        alone.
    wide: a model of its own of Docs and units, whose logits are added, such as
        `spacy_valence_ec.UnitNgrams.v1`; None for no further one.
    nO: number of labels, set from the data.
    """
    output: Model[Floats2d, Floats2d] = Linear(nO=nO, init_W=zero_init)
    classify: Model[list[Floats2d], list[Floats2d]] = with_array(output)
    if context is not None:
        classify = chain(context, classify)
    classify = skip_when_empty(classify, output)
    pool = pool_spans(reducer)
    model: Model[tuple[list[Doc], Ragged], Floats2d] = Model(
        "valence_classifier",
        _forward,
        init=_init,
        layers=[tok2vec, pool, classify, *([wide] if wide is not None else [])],
        dims={"nO": nO},
        refs={"tok2vec": tok2vec, "output_layer": output, "wide": wide},
    )
    return model


def _init(
    model: Model, X: tuple[list[Doc], Ragged] | None = None, Y: Floats2d | None = None
) -> None:
    tok2vec, pool, classify = model.layers[:3]
    wide = model.maybe_get_ref("wide")
    output = model.get_ref("output_layer")
    if Y is not None and output.has_dim("nO") is None:
        output.set_dim("nO", Y.shape[1])
    if X is None:
        for layer in model.layers:
            layer.initialize()
    else:
        docs, units = X
        tok2vec.initialize(X=docs)
        vectors = tok2vec.predict(docs)
        pool.initialize(X=(vectors, units))
        pooled = pool.predict((vectors, units))
        classify.initialize(X=model.ops.unflatten(pooled, units.lengths))
        if wide is not None:
            wide.initialize(X=X, Y=Y)
    if output.has_dim("nO"):
        model.set_dim("nO", output.get_dim("nO"))


def _forward(
    model: Model, inputs: tuple[list[Doc], Ragged], is_train: bool
) -> tuple[Floats2d, Callable]:
    tok2vec, pool, classify = model.layers[:3]
    wide = model.maybe_get_ref("wide")
    docs, units = inputs
    lengths = span_lengths(units)
    vectors, backprop_tok2vec = tok2vec(docs, is_train)
    pooled, backprop_pool = pool((vectors, units), is_train)
    logits, backprop_classify = classify(
        model.ops.unflatten(pooled, model.ops.asarray1i(lengths)), is_train
    )

    flat = model.ops.flatten(logits)
    backprop_wide = None
    if wide is not None and len(flat):
        wide_logits, backprop_wide = wide(inputs, is_train)
        flat = flat + wide_logits

    def backprop(d_logits: Floats2d) -> list[Doc]:
        if backprop_wide is not None:
            backprop_wide(d_logits)
        d_narratives = model.ops.unflatten(d_logits, model.ops.asarray1i(lengths))
        d_pooled = model.ops.flatten(backprop_classify(d_narratives))
        return backprop_tok2vec(backprop_pool(d_pooled))

    return flat, backprop
