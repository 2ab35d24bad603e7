"""`cut_encoder`: finds the encoder that a component reads, and cuts it at its embedded input."""

from collections.abc import Iterator

from spacy import Language
from thinc.api import Model

from ..errors import Errors, ValenceECError
from ..models.views import LINE_BREAKS, reads_views
from ..pipeline.head import Head
from .encoders import CutEncoder, CutTok2Vec, CutView


def cut_encoder(nlp: Language, head: Head, *, from_zero: bool) -> CutEncoder:
    """The encoder that a component has, or listens to.

    from_zero: whether the baseline is a vector of zeros, in place of the encoder's own.

    Raises: ValenceECError V032 for one that is not known here.
    """
    tok2vec = head.model.get_ref("tok2vec")
    encoder = _cut(list(_steps(tok2vec, nlp)), nlp, head, from_zero=from_zero)
    source = _upstream(tok2vec, nlp) or tok2vec
    for node in source.walk():
        if reads_views(node):
            return CutView(encoder, node.ops, line_breaks=node.attrs[LINE_BREAKS])
    return encoder


def _cut(steps: list[Model], nlp: Language, head: Head, *, from_zero: bool) -> CutEncoder:
    if len(steps) == 1 and (parts := _tok2vec_parts(steps[0])):
        if any(node.shims for node in steps[0].walk()):
            why = "a part of its encoder is of another library than thinc"
            raise ValenceECError(Errors.V032.format(name=head.name, why=why))
        return CutTok2Vec(parts, None if from_zero else nlp.vocab)
    from .transformers import cut_transformer  # loads torch

    encoder = cut_transformer(steps, from_zero=from_zero)
    if encoder is None:
        names = ", ".join(step.name for step in steps)
        why = f"the encoder is made of '{names}', or it is not in the pipeline"
        raise ValenceECError(Errors.V032.format(name=head.name, why=why))
    return encoder


def _steps(model: Model, nlp: Language) -> Iterator[Model]:
    """The layers that a Doc goes through one after the other: those of a chain, and in place of a
    listener those of the encoder that it listens to."""
    upstream = _upstream(model, nlp)
    if upstream is not None:
        yield from _steps(upstream, nlp)
    elif not _tok2vec_parts(model) and _is_chain(model):
        for layer in model.layers:
            yield from _steps(layer, nlp)
    else:
        yield model


def _upstream(model: Model, nlp: Language) -> Model | None:
    """The encoder that a listener listens to; None for a model that is none."""
    for _, pipe in nlp.components:
        if any(listener is model for listener in getattr(pipe, "listeners", ())):
            found: Model = pipe.model  # type: ignore[attr-defined]
            return found
    return None


def _is_chain(model: Model) -> bool:
    return _is_joined(model, ">>")


def _is_joined(model: Model, sign: str) -> bool:
    """Whether a combinator of thinc made a model, told by the name that it gives."""
    return len(model.layers) > 1 and model.name == sign.join(layer.name for layer in model.layers)


def _tok2vec_parts(model: Model) -> list[tuple[Model, Model | None]]:
    """Those of `CutTok2Vec`; none if the model is neither of the two."""
    if model.has_ref("embed") and model.has_ref("encode"):
        return [(model.get_ref("embed"), model.get_ref("encode"))]
    if _is_joined(model, "|"):
        found = [_tok2vec_parts(layer) or [(layer, None)] for layer in model.layers]
        parts = [part for of_layer in found for part in of_layer]
        return parts if any(encode for _, encode in parts) else []
    # A copy, which `Language.replace_listeners` makes, has lost the references.
    if _is_chain(model) and len(model.layers) == 2:
        embed, encode = model.layers
        if any(node.name == "extract_features" for node in embed.walk()):
            return [(embed, encode)]
    return []
