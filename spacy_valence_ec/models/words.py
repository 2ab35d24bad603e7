"""Which tokens of a batch count: all but white space and invisible characters."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from spacy.tokens import Doc
from thinc.api import Ops, get_array_module
from thinc.types import Ragged

from ..text_view import blank_tokens
from .spans import ragged_offsets, split_offsets


class Words:
    """The tokens of several Docs that are not blank. A span that has no others keeps its own.

    spans: those that are read, of each kind: for each Doc int (n_spans, 2), in its tokens.
    """

    def __init__(self, docs: Sequence[Doc], *spans: Sequence[np.ndarray]):
        self.masks = [~blank_tokens(doc) for doc in docs]
        self.are_all = all(mask.all() for mask in self.masks)
        if not self.are_all:
            for of_kind in spans:
                for mask, rows in zip(self.masks, of_kind, strict=True):
                    for start, end in rows:
                        if not mask[start:end].any():
                            mask[start:end] = True
        self.lengths = [int(mask.sum()) for mask in self.masks]

    def take(self, arrays: Sequence[Any]) -> list[Any]:
        """The rows of the words, of arrays with a row for each token of a Doc."""
        if self.are_all:
            return list(arrays)
        pairs = zip(arrays, self.masks, strict=True)
        return [array[get_array_module(array).asarray(mask)] for array, mask in pairs]

    def take_flat(self, arrays: Sequence[Any]) -> list[Any]:
        """The same of arrays with a row for each token of all Docs."""
        if self.are_all:
            return list(arrays)
        mask = np.concatenate(self.masks)
        return [array[get_array_module(array).asarray(mask)] for array in arrays]

    def put(self, arrays: Sequence[Any]) -> list[Any]:
        """Rows of the words as rows of all tokens, with zeros for the others."""
        if self.are_all:
            return list(arrays)
        found = []
        for array, mask in zip(arrays, self.masks, strict=True):
            xp = get_array_module(array)
            rows = xp.zeros((len(mask), *array.shape[1:]), dtype=array.dtype)
            rows[xp.asarray(mask)] = array
            found.append(rows)
        return found

    def offsets(self, spans: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Spans in tokens of each Doc, int (n_spans, 2), as spans in its words."""
        if self.are_all:
            return list(spans)
        return [
            np.searchsorted(np.flatnonzero(mask), rows).astype("int32")
            for mask, rows in zip(self.masks, spans, strict=True)
        ]

    def put_flat(self, array: Any) -> list[Any]:
        """Rows of the words of all Docs as rows of all tokens of each Doc."""
        return self.put(np.split(array, np.cumsum(self.lengths)[:-1]) if self.lengths else [])

    def ragged(self, spans: Ragged, ops: Ops) -> Ragged:
        """As `offsets`, of the spans of all Docs."""
        if self.are_all:
            return spans
        return ragged_offsets(self.offsets(split_offsets(spans)), ops)
