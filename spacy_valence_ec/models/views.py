"""Encoders that read a cleaned view of each Doc in place of the Doc."""

from collections.abc import Callable
from functools import partial
from typing import Any

from spacy.ml.models.tok2vec import build_Tok2Vec_model
from spacy.tokens import Doc
from thinc.api import Model, Ops
from thinc.types import Floats2d

from ..text_view import TextView, make_view

Encoder = Model[list[Doc], list[Floats2d]]

LINE_BREAKS = "line_breaks"  # among the attributes of an encoder that reads views


def read_views(encode: Encoder, *, line_breaks: bool = False) -> Encoder:
    """Let an encoder read views of Docs, and give a token that is not part of them a vector of
    zeros. The encoder is changed in place: its nodes, and so its stored weights, stay the same.

    line_breaks: whether the encoder sees where lines end.
    """
    if not reads_views(encode):
        encode._func = partial(_forward, encode._func)
    encode.attrs[LINE_BREAKS] = line_breaks
    return encode


def reads_views(encode: Model) -> bool:
    """Return True if `read_views` was applied to an encoder."""
    return LINE_BREAKS in encode.attrs


def ViewTok2Vec(
    embed: Model[list[Doc], list[Floats2d]],
    encode: Model[list[Floats2d], list[Floats2d]],
    line_breaks: bool = False,
) -> Encoder:
    """`spacy.Tok2Vec.v2`, of the words of a Doc in one spelling (`spacy_valence_ec.text_view`).

    line_breaks: whether it sees where lines end.
    """
    return read_views(build_Tok2Vec_model(embed, encode), line_breaks=line_breaks)


def spread(view: TextView, vectors: Floats2d, n_tokens: int, ops: Ops) -> Floats2d:
    """Vectors of the tokens of a view as those of the Doc, (n_tokens, width)."""
    if view.tokens is None:
        return vectors
    spread_out = ops.alloc2f(n_tokens, vectors.shape[1])
    spread_out[_rows(view, ops)] = vectors
    return spread_out


def gather(view: TextView, vectors: Floats2d, ops: Ops) -> Floats2d:
    """Vectors of the tokens of a Doc as those of its view."""
    if view.tokens is None:
        return vectors
    gathered: Floats2d = ops.xp.ascontiguousarray(vectors[_rows(view, ops)])
    return gathered


def _rows(view: TextView, ops: Ops) -> Any:
    tokens: Any = view.tokens
    return ops.asarray(tokens)


def _forward(
    forward: Callable, model: Model, docs: list[Doc], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    views = [make_view(doc, line_breaks=model.attrs[LINE_BREAKS]) for doc in docs]
    vectors, backprop = forward(model, [view.doc for view in views], is_train)
    if all(view.tokens is None for view in views):
        return vectors, backprop

    def backprop_views(d_vectors: list[Floats2d]) -> list[Doc]:
        pairs = zip(views, d_vectors, strict=True)
        backprop([gather(view, array, model.ops) for view, array in pairs])
        return docs

    rows = zip(views, vectors, docs, strict=True)
    return [spread(view, array, len(doc), model.ops) for view, array, doc in rows], backprop_views
