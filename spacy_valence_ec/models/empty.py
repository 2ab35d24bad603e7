"""Batches without a row, which thinc's layers do not all take."""

from collections.abc import Callable

from thinc.api import Model
from thinc.types import Floats2d


def skip_when_empty(
    layer: Model[list[Floats2d], list[Floats2d]], output: Model
) -> Model[list[Floats2d], list[Floats2d]]:
    """Run `layer` unless no array of the batch has a row: then give arrays without rows, of the
    width of `output`, the last layer inside, and a gradient without rows."""
    return Model("skip_when_empty", _forward, init=_init, layers=[layer], refs={"output": output})


def _init(model: Model, X: list[Floats2d] | None = None, Y: list[Floats2d] | None = None) -> None:
    if X and not any(len(array) for array in X):
        X = [model.ops.alloc2f(1, X[0].shape[1])]  # only the width counts here
    model.layers[0].initialize(X=X, Y=Y)


def _forward(
    model: Model, arrays: list[Floats2d], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    if any(len(array) for array in arrays):
        result: tuple[list[Floats2d], Callable] = model.layers[0](arrays, is_train)
        return result
    width = model.get_ref("output").get_dim("nO")

    def backprop_nothing(d_arrays: list[Floats2d]) -> list[Floats2d]:
        return [model.ops.alloc2f(*array.shape) for array in arrays]

    return [model.ops.alloc2f(0, width) for _ in arrays], backprop_nothing
