"""A convolutional encoder run over a long text block by block."""

from collections.abc import Callable, Iterator

from thinc.api import Model
from thinc.types import Floats2d


def BlockwiseEncoder(
    encode: Model[list[Floats2d], list[Floats2d]], block_size: int, margin: int
) -> Model[list[Floats2d], list[Floats2d]]:
    """Predict texts of more than `block_size` tokens in blocks, so that the cost of a token does
    not grow once the arrays of a whole text have outgrown the processor's caches.

    encode: a layer over the tokens of a Doc, such as `spacy.MaxoutWindowEncoder.v2`.
    margin: tokens of context read on each side of a block. With at least the receptive field of
        `encode` on one side (window_size * depth), the result is that of the whole text.

    Training is not changed.
    """
    model: Model[list[Floats2d], list[Floats2d]] = Model(
        "blockwise_encoder",
        _forward,
        init=_init,
        layers=[encode],
        dims={"nO": encode.maybe_get_dim("nO"), "nI": encode.maybe_get_dim("nI")},
        attrs={"block_size": block_size, "margin": margin},
    )
    return model


def _init(model: Model, X: list[Floats2d] | None = None, Y: list[Floats2d] | None = None) -> None:
    model.layers[0].initialize(X=X, Y=Y)


def _forward(
    model: Model, arrays: list[Floats2d], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    encode = model.layers[0]
    size = model.attrs["block_size"]
    if is_train or all(len(array) <= size for array in arrays):
        result: tuple[list[Floats2d], Callable] = encode(arrays, is_train)
        return result
    short = [array for array in arrays if len(array) <= size]
    encoded = iter(encode.predict(short) if short else [])
    outputs = [
        next(encoded) if len(array) <= size else _encode_blocks(model, array) for array in arrays
    ]
    return outputs, _no_backprop


def _encode_blocks(model: Model, array: Floats2d) -> Floats2d:
    encode = model.layers[0]
    parts = [
        encode.predict([array[first:last]])[0][start - first : stop - first]
        for first, start, stop, last in _blocks(len(array), **model.attrs)
    ]
    joined: Floats2d = model.ops.xp.concatenate(parts)
    return joined


def _blocks(n: int, block_size: int, margin: int) -> Iterator[tuple[int, int, int, int]]:
    """First row read, first kept, end of those kept, end of those read."""
    for start in range(0, n, block_size):
        stop = min(n, start + block_size)
        yield max(0, start - margin), start, stop, min(n, stop + margin)


def _no_backprop(d_arrays: list[Floats2d]) -> list[Floats2d]:
    raise ValueError("the blocks of a long text are only predicted")
