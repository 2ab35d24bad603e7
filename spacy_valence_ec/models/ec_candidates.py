"""Network of `ec_tagger` over candidates: does this candidate of its unit carry the emotion?"""

from collections.abc import Callable

from spacy.tokens import Doc
from thinc.api import Linear, Model, chain
from thinc.types import Floats2d, Ints1d, Ragged

from .initializers import zero_init
from .spans import pool_spans


def CarrierCandidateClassifier(
    tok2vec: Model[list[Doc], list[Floats2d]],
    candidate_reducer: Model[Ragged, Floats2d],
    unit_reducer: Model[Ragged, Floats2d],
    combine: Model[Floats2d, Floats2d],
) -> Model[tuple[list[Doc], Ragged, Ragged, Ints1d], Floats2d]:
    """One logit a candidate, shape (n_candidates, 1), the candidates of all Docs in order.

    The input names, besides Docs, units and candidates, the unit of each candidate: its row
    among the units of all Docs.

    tok2vec: the token vectors, usually a listener to the shared encoder.
    candidate_reducer, unit_reducer: pool the tokens of a candidate and of its unit.
    combine: joins both vectors, such as `Maxout`.
    """
    output: Model[Floats2d, Floats2d] = Linear(nO=1, init_W=zero_init)
    return Model(
        "carrier_candidate_classifier",
        _forward,
        init=_init,
        layers=[
            tok2vec,
            pool_spans(candidate_reducer),
            pool_spans(unit_reducer),
            chain(combine, output),
        ],
        refs={"tok2vec": tok2vec, "output_layer": output},
    )


def _init(
    model: Model,
    X: tuple[list[Doc], Ragged, Ragged, Ints1d] | None = None,
    Y: Floats2d | None = None,
) -> None:
    if X is None:
        for layer in model.layers:
            layer.initialize()
        return
    tok2vec, pool_candidates, pool_units, classify = model.layers
    docs, units, candidates, unit_of = X
    tok2vec.initialize(X=docs)
    vectors = tok2vec.predict(docs)
    pool_candidates.initialize(X=(vectors, candidates))
    pool_units.initialize(X=(vectors, units))
    joined = model.ops.xp.hstack(
        [
            pool_candidates.predict((vectors, candidates)),
            pool_units.predict((vectors, units))[unit_of],
        ]
    )
    classify.initialize(X=joined)


def _forward(
    model: Model, inputs: tuple[list[Doc], Ragged, Ragged, Ints1d], is_train: bool
) -> tuple[Floats2d, Callable]:
    tok2vec, pool_candidates, pool_units, classify = model.layers
    docs, units, candidates, unit_of = inputs
    xp = model.ops.xp
    vectors, backprop_tok2vec = tok2vec(docs, is_train)
    if not len(unit_of):
        # thinc's layers do not take a batch without a row; the shared encoder still waits for
        # its gradient.

        def backprop_nothing(d_logits: Floats2d) -> list[Doc]:
            return backprop_tok2vec([model.ops.alloc2f(*array.shape) for array in vectors])

        return model.ops.alloc2f(0, 1), backprop_nothing

    pooled, backprop_candidates = pool_candidates((vectors, candidates), is_train)
    pooled_units, backprop_units = pool_units((vectors, units), is_train)
    logits, backprop_classify = classify(xp.hstack([pooled, pooled_units[unit_of]]), is_train)

    def backprop(d_logits: Floats2d) -> list[Doc]:
        d_joined = backprop_classify(d_logits)
        n = pooled.shape[1]
        d_units = model.ops.alloc2f(*pooled_units.shape)
        model.ops.scatter_add(d_units, unit_of, d_joined[:, n:])
        d_vectors = backprop_candidates(xp.ascontiguousarray(d_joined[:, :n]))
        for total, through_units in zip(d_vectors, backprop_units(d_units), strict=True):
            total += through_units
        return backprop_tok2vec(d_vectors)

    return logits, backprop
