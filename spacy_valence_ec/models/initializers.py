"""Initial weights of output layers."""

from thinc.api import Ops
from thinc.types import FloatsXd


def zero_init(ops: Ops, shape: tuple[int, ...]) -> FloatsXd:
    """All zeros: the head starts from even odds, as spaCy's Softmax layers do."""
    return ops.alloc_f(shape)
