"""What the second of two steps is told of the first one: a learned embedding of its labels."""

from collections.abc import Callable
from typing import Any

from thinc.api import Model
from thinc.types import Floats2d, Ints1d

UNKNOWN = -1

Condition = Model[tuple[Floats2d, Ints1d], Floats2d]


def LabelEmbedding(init_scale: float = 0.5) -> Condition:
    """Add to each row the learned vector of its label, as BERT adds that of a segment: rows
    (n, width) and labels, int (n,), to rows (n, width). A row whose label is -1, unknown, stays
    as it is.

    The rows keep their width, so that weights of a network without a condition fit the one with
    it. How many labels there are is set by the network.

    init_scale: standard deviation of the initial vectors, about that of the rows: smaller ones
        would hardly be seen beside them, at the low rates at which encoders are fine-tuned.
    """
    return Model(
        "label_embedding",
        _forward,
        init=_init,
        params={"E": None},
        dims={"nO": None, "nV": None},
        attrs={"init_scale": init_scale},
    )


def set_n_labels(condition: Condition, n_labels: int) -> None:
    """Tell a condition that wants to know it how many labels there are."""
    if condition.has_dim("nV") is None:
        condition.set_dim("nV", n_labels)


def _init(
    model: Condition, X: tuple[Floats2d, Ints1d] | None = None, Y: Floats2d | None = None
) -> None:
    if X is not None:
        model.set_dim("nO", X[0].shape[1])
    if model.has_dim("nO") and model.has_dim("nV"):
        shape = (model.get_dim("nV"), model.get_dim("nO"))
        vectors = model.ops.xp.random.normal(0.0, model.attrs["init_scale"], shape)
        model.set_param("E", model.ops.asarray2f(vectors.astype("float32")))


def _forward(
    model: Condition, inputs: tuple[Floats2d, Ints1d], is_train: bool
) -> tuple[Floats2d, Callable]:
    rows, labels = inputs
    vectors: Any = model.get_param("E")
    known = labels >= 0
    result = rows.copy()
    result[known] += vectors[labels[known]]

    def backprop(d_rows: Floats2d) -> tuple[Floats2d, Ints1d]:
        gradient = model.ops.alloc2f(*vectors.shape)
        model.ops.scatter_add(gradient, labels[known], d_rows[known])
        model.inc_grad("E", gradient)
        return d_rows, labels

    return result, backprop
