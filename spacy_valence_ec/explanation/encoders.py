"""Encoders cut in two at their embedded input: what embeds a Doc, and what makes token vectors of
it, with the gradient of these by the embedded input."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_array, eye_array
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model, Ops, set_dropout_rate
from thinc.types import Floats2d

from ..models.views import gather, spread
from ..suggesters import CLOSED_CLASS
from ..text_view import make_view

Backprop = Callable[[list[Floats2d]], list[Floats2d]]


@dataclass(frozen=True)
class Embedded:
    """A Doc at the cut.

    inputs: of the upper half, one row a token or word piece, (n_rows, width).
    baseline: what stands there for a text that says nothing, of the same shape.
    to_tokens: the share of each row that belongs to each token, (n_tokens, n_rows).
    batch: what else the upper half needs to know.
    """

    inputs: Floats2d
    baseline: Floats2d
    to_tokens: csr_array
    batch: Any = None


class CutEncoder(Protocol):
    """Neither method changes the network that was cut, nor its gradients."""

    def embed(self, doc: Doc) -> Embedded:
        """The lower half, of a Doc with at least one token."""

    def encode(self, embedded: Embedded, inputs: list[Floats2d]) -> tuple[list[Floats2d], Backprop]:
        """The upper half, of several inputs in place of those of one Doc: for each the token
        vectors, (n_tokens, width), and a function from their gradients to those of the inputs,
        which can be called again and again."""


class CutView:
    """An encoder that reads a view of the Doc: what it says of the tokens of the view is said of
    those of the Doc.

    line_breaks: whether the view holds them.
    """

    def __init__(self, encoder: CutEncoder, ops: Ops, *, line_breaks: bool):
        self.encoder = encoder
        self.ops = ops
        self.line_breaks = line_breaks

    def embed(self, doc: Doc) -> Embedded:
        view = make_view(doc, line_breaks=self.line_breaks)
        embedded = self.encoder.embed(view.doc)
        to_tokens = embedded.to_tokens
        if view.tokens is not None:
            entries = to_tokens.tocoo()
            places = (view.tokens[entries.coords[0]], entries.coords[1])
            to_tokens = csr_array((entries.data, places), shape=(len(doc), to_tokens.shape[1]))
        batch = (view, embedded, len(doc))
        return Embedded(embedded.inputs, embedded.baseline, to_tokens, batch)

    def encode(self, embedded: Embedded, inputs: list[Floats2d]) -> tuple[list[Floats2d], Backprop]:
        view, of_view, n_tokens = embedded.batch
        vectors, backprop = self.encoder.encode(of_view, inputs)

        def backprop_view(d_vectors: list[Floats2d]) -> list[Floats2d]:
            return backprop([gather(view, array, self.ops) for array in d_vectors])

        return [spread(view, array, n_tokens, self.ops) for array in vectors], backprop_view


class CutTok2Vec:
    """`spacy.Tok2Vec`, cut between `embed` and `encode`, or `LexicalTok2Vec`, whose features are
    embedded input too.

    parts: what embeds, and what encodes that, if anything does; the results stand side by side.
    vocab: with it the baseline of each token is the mean of the function words; without it is zero.
        Near zero a network with layer normalization turns so sharply that the integral along the
        line takes thousands of steps.
    """

    def __init__(self, parts: list[tuple[Model, Model | None]], vocab: Vocab | None):
        self.embeds = [embed for embed, _ in parts]
        self.encodes = [undisturbed(encode) if encode else None for _, encode in parts]
        self.ops = self.embeds[0].ops
        self.neutral: Any = 0.0
        if vocab is not None:
            # The words stay no longer than they are needed.
            with vocab.memory_zone():
                docs = [Doc(vocab, words=[word]) for word in sorted(CLOSED_CLASS)]
                rows = [self.ops.xp.vstack(embed.predict(docs)) for embed in self.embeds]
            self.neutral = self.ops.xp.hstack(rows).mean(axis=0)

    def embed(self, doc: Doc) -> Embedded:
        found = [embed.predict([doc])[0] for embed in self.embeds]
        inputs = self.ops.xp.hstack(found)
        widths = [array.shape[1] for array in found]
        identity = csr_array(eye_array(len(doc)))
        baseline = self.ops.xp.zeros_like(inputs) + self.neutral
        return Embedded(inputs, baseline, identity, batch=widths)

    def encode(self, embedded: Embedded, inputs: list[Floats2d]) -> tuple[list[Floats2d], Backprop]:
        outputs, callbacks = [], []
        parts = self._split(inputs, embedded.batch)
        for encode, part in zip(self.encodes, parts, strict=True):
            found, backprop = encode(part, True) if encode else (part, _unchanged)
            outputs.append(found)
            callbacks.append(backprop)
        widths = [found[0].shape[1] for found in outputs]

        def backprop_all(d_vectors: list[Floats2d]) -> list[Floats2d]:
            d_parts = self._split(d_vectors, widths)
            return self._joined(
                [callback(part) for callback, part in zip(callbacks, d_parts, strict=True)]
            )

        return self._joined(outputs), backprop_all

    def _split(self, arrays: list[Floats2d], widths: list[int]) -> list[list[Floats2d]]:
        """For each part its columns of all arrays."""
        xp = self.ops.xp
        ends = np.cumsum(widths).tolist()
        edges = zip([0, *ends[:-1]], ends, strict=True)
        return [
            [xp.ascontiguousarray(array[:, start:end]) for array in arrays] for start, end in edges
        ]

    def _joined(self, parts: list[list[Floats2d]]) -> list[Floats2d]:
        return [self.ops.xp.hstack(arrays) for arrays in zip(*parts, strict=True)]


def _unchanged(arrays: list[Floats2d]) -> list[Floats2d]:
    return arrays


def undisturbed(model: Model) -> Model:
    """A copy that gives gradients without dropout, and whose own gradients are nobody's."""
    copy: Model = model.copy()
    set_dropout_rate(copy, 0.0)
    return copy
