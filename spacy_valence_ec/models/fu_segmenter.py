"""Network of `fu_segmenter`: is there a unit boundary after this token?"""

from spacy.tokens import Doc
from thinc.api import Linear, Model, chain, with_array
from thinc.types import Floats2d

from .empty import skip_when_empty
from .initializers import zero_init


def FunctionalUnitSegmenter(
    tok2vec: Model[list[Doc], list[Floats2d]],
    encode: Model[list[Floats2d], list[Floats2d]] | None = None,
) -> Model[list[Doc], list[Floats2d]]:
    """One logit a token, shape (n_tokens, 1) for each Doc.

    tok2vec: the token vectors, usually a listener to the shared encoder.
    encode: a layer of the head's own over the tokens of a Doc, such as
        `spacy.MaxoutWindowEncoder.v2`; None where the encoder is deep enough.
    """
    output: Model[Floats2d, Floats2d] = Linear(nO=1, init_W=zero_init)
    decide: Model[list[Floats2d], list[Floats2d]] = with_array(output)
    if encode is not None:
        decide = chain(encode, decide)
    model: Model[list[Doc], list[Floats2d]] = chain(tok2vec, skip_when_empty(decide, output))
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("output_layer", output)
    return model
