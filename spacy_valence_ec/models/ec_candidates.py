"""Network of `ec_tagger` over candidates: does this candidate of its unit carry the emotion?"""

from collections.abc import Callable

from spacy.tokens import Doc
from thinc.api import Linear, Model, chain
from thinc.types import Floats2d, Ints1d, Ragged

from ..schema import VALENCES
from .condition import Condition, set_n_labels
from .initializers import zero_init
from .spans import pool_spans, split_offsets
from .words import Words

Input = tuple[list[Doc], Ragged, Ragged, Ints1d] | tuple[list[Doc], Ragged, Ragged, Ints1d, Ints1d]


def CarrierCandidateClassifier(
    tok2vec: Model[list[Doc], list[Floats2d]],
    candidate_reducer: Model[Ragged, Floats2d],
    unit_reducer: Model[Ragged, Floats2d],
    combine: Model[Floats2d, Floats2d],
    condition: Condition | None = None,
) -> Model[Input, Floats2d]:
    """One logit a candidate, shape (n_candidates, 1), the candidates of all Docs in order.

    The input names, besides Docs, units and candidates, the unit of each candidate: its row
    among the units of all Docs. With a condition, it holds the valence of each unit too, int
    (n_units,): the index of its label, -1 where nobody knows.

    tok2vec: the token vectors, usually a listener to the shared encoder.
    candidate_reducer, unit_reducer: pool the tokens of a candidate and of its unit.
    combine: joins both vectors, such as `Maxout`.
    condition: joins the valences to the vectors of the units, such as
        `spacy_valence_ec.LabelEmbedding.v1`; None to read no valence.
    """
    if condition is not None:
        set_n_labels(condition, len(VALENCES))
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
            *([condition] if condition is not None else []),
        ],
        refs={"tok2vec": tok2vec, "output_layer": output, "condition": condition},
    )


def _init(model: Model, X: Input | None = None, Y: Floats2d | None = None) -> None:
    if X is None:
        for layer in model.layers:
            layer.initialize()
        return
    tok2vec, pool_candidates, pool_units, classify = model.layers[:4]
    condition = model.maybe_get_ref("condition")
    docs, units, candidates, unit_of, *valences = X
    tok2vec.initialize(X=docs)
    words = Words(docs, split_offsets(units), split_offsets(candidates))
    vectors = words.take(tok2vec.predict(docs))
    units, candidates = words.ragged(units, model.ops), words.ragged(candidates, model.ops)
    pool_candidates.initialize(X=(vectors, candidates))
    pool_units.initialize(X=(vectors, units))
    pooled = pool_units.predict((vectors, units))
    if condition is not None:
        condition.initialize(X=(pooled, valences[0]))
    joined = model.ops.xp.hstack([pool_candidates.predict((vectors, candidates)), pooled[unit_of]])
    classify.initialize(X=joined)


def _forward(model: Model, inputs: Input, is_train: bool) -> tuple[Floats2d, Callable]:
    tok2vec, pool_candidates, pool_units, classify = model.layers[:4]
    condition = model.maybe_get_ref("condition")
    docs, units, candidates, unit_of, *valences = inputs
    xp = model.ops.xp
    vectors, backprop_tok2vec = tok2vec(docs, is_train)
    if not len(unit_of):
        # thinc's layers do not take a batch without a row; the shared encoder still waits for
        # its gradient.

        def backprop_nothing(d_logits: Floats2d) -> list[Doc]:
            return backprop_tok2vec([model.ops.alloc2f(*array.shape) for array in vectors])

        return model.ops.alloc2f(0, 1), backprop_nothing

    words = Words(docs, split_offsets(units), split_offsets(candidates))
    vectors = words.take(vectors)
    units, candidates = words.ragged(units, model.ops), words.ragged(candidates, model.ops)
    pooled, backprop_candidates = pool_candidates((vectors, candidates), is_train)
    pooled_units, backprop_units = pool_units((vectors, units), is_train)
    backprop_condition = None
    if condition is not None:
        pooled_units, backprop_condition = condition((pooled_units, valences[0]), is_train)
    logits, backprop_classify = classify(xp.hstack([pooled, pooled_units[unit_of]]), is_train)

    def backprop(d_logits: Floats2d) -> list[Doc]:
        d_joined = backprop_classify(d_logits)
        n = pooled.shape[1]
        d_units = model.ops.alloc2f(*pooled_units.shape)
        model.ops.scatter_add(d_units, unit_of, d_joined[:, n:])
        if backprop_condition is not None:
            d_units, _ = backprop_condition(d_units)
        d_vectors = backprop_candidates(xp.ascontiguousarray(d_joined[:, :n]))
        for total, through_units in zip(d_vectors, backprop_units(d_units), strict=True):
            total += through_units
        return backprop_tok2vec(words.put(d_vectors))

    return logits, backprop
