"""Pooling of the tokens of a span into one vector, where spaCy's reducers do not do."""

from thinc.api import (
    Maxout,
    Model,
    ParametricAttention_v2,
    chain,
    concatenate,
    reduce_first,
    reduce_last,
    reduce_max,
    reduce_mean,
    reduce_sum,
)
from thinc.types import Floats2d, Ragged


def AttentionReducer(hidden_size: int) -> Model[Ragged, Floats2d]:
    """`spacy.mean_max_reducer.v1` with a fifth view of the span beside its mean, maximum, first and
    last vector: the mean weighted by learned attention. Output: (n_spans, hidden_size)."""
    attention: Model[Ragged, Floats2d] = chain(ParametricAttention_v2(), reduce_sum())
    return chain(
        concatenate(
            attention,
            reduce_last(),
            reduce_first(),
            reduce_mean(),
            reduce_max(),
        ),
        Maxout(nO=hidden_size, normalize=True, dropout=0.0),
    )
