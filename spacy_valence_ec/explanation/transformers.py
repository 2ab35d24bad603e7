"""Transformers of spacy-transformers, cut between the embeddings of word pieces and the rest."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from spacy.tokens import Doc
from spacy_transformers.data_classes import FullTransformerBatch
from spacy_transformers.layers.transformer_model import TransformerModel
from thinc.api import Model, to_numpy, torch2xp, xp2torch
from thinc.types import Floats2d
from transformers.file_utils import ModelOutput

from .encoders import Backprop, CutEncoder, Embedded, undisturbed

SPLIT, POOL = "split-trf-batch", "trfs2arrays"


class CutTransformer:
    """A transformer from the embeddings of its word pieces (not yet with their positions) to token
    vectors.

    The baseline is the narrative with each piece masked, as in the pretraining of BERT: a word of
    which nothing is known. Without a mask it is padding, without that, or with `from_zero`, a
    vector of zeros. Special pieces, which are of no token, stay as they are.
    """

    def __init__(self, model: TransformerModel, pool: Model, *, from_zero: bool):
        self.model = model
        self.from_zero = from_zero
        self.pool = undisturbed(pool)
        self.pool.attrs["grad_factor"] = 1.0  # slows the training down: the true gradient is asked

    def embed(self, doc: Doc) -> Embedded:
        batch = self.model.predict([doc])
        table = self.model.transformer.get_input_embeddings()
        with torch.no_grad():
            pieces = table(self._arguments(batch)["input_ids"])
            width = pieces.shape[-1]
            inputs: Any = torch2xp(pieces).reshape((-1, width))
            neutral = self._neutral(table, width, pieces.device)
        to_tokens = _shares(batch, len(inputs))
        of_tokens = self.pool.ops.asarray(to_tokens.sum(axis=0) > 0)
        baseline = inputs.copy()
        baseline[of_tokens] = neutral
        return Embedded(inputs, baseline, to_tokens, batch)

    def encode(self, embedded: Embedded, inputs: list[Floats2d]) -> tuple[list[Floats2d], Backprop]:
        # One by one: each is a batch of its own, the spans of a narrative.
        found = [self._encode(embedded.batch, array) for array in inputs]

        def backprop(d_vectors: list[Floats2d]) -> list[Floats2d]:
            pairs = zip(found, d_vectors, strict=True)
            return [callback([d_array])[0] for (_, callback), d_array in pairs]

        return [vectors for vectors, _ in found], backprop

    def _encode(self, batch: FullTransformerBatch, array: Floats2d) -> tuple[Floats2d, Backprop]:
        arguments = self._arguments(batch)
        shape = (*arguments["input_ids"].shape, array.shape[1])
        device = arguments["input_ids"].device
        pieces = xp2torch(array, device=device).reshape(shape).detach().requires_grad_()
        with self._replaced_embeddings(pieces), torch.enable_grad():
            hidden = self.model.transformer(**arguments).last_hidden_state
        given = FullTransformerBatch(
            spans=batch.spans,
            wordpieces=batch.wordpieces,
            model_output=ModelOutput(last_hidden_state=hidden.detach()),
            align=batch.align,
        )
        (vectors,), backprop_pool = self.pool(given.doc_data, True)

        def backprop(d_vectors: list[Floats2d]) -> list[Floats2d]:
            (d_data,) = backprop_pool(list(d_vectors))
            d_hidden = xp2torch(d_data.model_output.last_hidden_state, device=device)
            # By the pieces alone: no parameter gets a gradient.
            (d_pieces,) = torch.autograd.grad(hidden, pieces, d_hidden, retain_graph=True)
            d_array: Any = torch2xp(d_pieces)
            return [d_array.reshape(array.shape)]

        return vectors, backprop

    @contextmanager
    def _replaced_embeddings(self, pieces: torch.Tensor) -> Iterator[None]:
        """Let the network, without dropout, read `pieces` whatever the ids. By a hook and not by
        `inputs_embeds`, with which some models number positions otherwise."""
        network = self.model.transformer
        was_training = network.training
        hook = network.get_input_embeddings().register_forward_hook(lambda *_: pieces)
        network.eval()
        try:
            yield
        finally:
            network.train(was_training)
            hook.remove()

    def _arguments(self, batch: FullTransformerBatch) -> dict[str, Any]:
        """Those of the network for the word pieces of a Doc."""
        wrapper = self.model.layers[0]
        converted, _ = wrapper.attrs["convert_inputs"](wrapper, batch.wordpieces, False)
        arguments: dict[str, Any] = converted.kwargs
        return arguments

    def _neutral(self, table: torch.nn.Module, width: int, device: torch.device) -> Any:
        tokenizer = self.model.tokenizer
        ids = () if self.from_zero else (tokenizer.mask_token_id, tokenizer.pad_token_id)
        piece = next((i for i in ids if i is not None), None)
        if piece is None:
            return self.pool.ops.alloc1f(width)
        return torch2xp(table(torch.tensor([piece], device=device)))[0]


def _shares(batch: FullTransformerBatch, n_rows: int) -> csr_array:
    """Word pieces to tokens: a piece that several tokens share counts in equal parts."""
    lengths = to_numpy(batch.align.lengths)
    pieces = to_numpy(batch.align.dataXd).ravel()
    tokens = np.repeat(np.arange(len(lengths)), lengths)
    owners = np.bincount(pieces, minlength=n_rows)
    return csr_array((1.0 / owners[pieces], (tokens, pieces)), shape=(len(lengths), n_rows))


def cut_transformer(steps: Sequence[Model], *, from_zero: bool) -> CutEncoder | None:
    """The encoder of these layers: a transformer and the pooling of its pieces; None for any
    other."""
    model, *rest = (step for step in steps if step.name != SPLIT)
    if isinstance(model, TransformerModel) and [layer.name for layer in rest] == [POOL]:
        return CutTransformer(model, rest[0], from_zero=from_zero)
    return None
