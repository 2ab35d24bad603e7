"""`spacy_valence_ec.MultiHashEmbed.v1`: spaCy's, which says what is wrong with static vectors."""

from collections.abc import Callable

from spacy.ml.models.tok2vec import MultiHashEmbed as SpacyMultiHashEmbed
from spacy.ml.staticvectors import forward as read_vectors
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d, Ragged

from ..errors import Errors, ValenceECError


def MultiHashEmbed(
    width: int, attrs: list[str | int], rows: list[int], include_static_vectors: bool
) -> Model[list[Doc], list[Floats2d]]:
    """`spacy.MultiHashEmbed.v2`, with the same arguments and weights.

    A component that was taken from another pipeline may meet a table of vectors that is not the one
    it was trained with, or none, where spaCy's gives an IndexError.
    """
    model: Model[list[Doc], list[Floats2d]] = SpacyMultiHashEmbed(
        width=width, attrs=attrs, rows=rows, include_static_vectors=include_static_vectors
    )
    for node in model.walk():
        if node.name == "static_vectors":
            # In place: weights are stored by the place of their node in the network.
            node._func = _forward
    return model


def _forward(
    model: Model[list[Doc], Ragged], docs: list[Doc], is_train: bool
) -> tuple[Ragged, Callable]:
    """Raises: ValenceECError V043 for vectors of another width."""
    expected = model.get_dim("nM")
    if docs and docs[0].vocab.vectors_length != expected:
        found = docs[0].vocab.vectors_length
        raise ValenceECError(Errors.V043.format(expected=expected, found=found))
    return read_vectors(model, docs, is_train)
