"""Documents as sequences of one length, without padding but at the very end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .settings import BERT, PackingSettings, Settings

IGNORED = -100  # the label that PyTorch's loss leaves out


@dataclass(frozen=True)
class Separators:
    """Ids put around sequences and behind documents. A GPT-2 has `end` only, and pads with it."""

    start: int | None
    end: int
    pad: int

    @property
    def around(self) -> int:
        """How many ids of a sequence are not the text's."""
        return 0 if self.start is None else 2


@dataclass(frozen=True)
class Packed:
    """`ids`: int64 (n_sequences, length). `is_text`: bool, of the same shape, False for padding."""

    ids: np.ndarray
    is_text: np.ndarray


@dataclass(frozen=True)
class Phase:
    """Steps `first` to `last` (without it) read `n_sequences` of `length` pieces each."""

    length: int
    first: int
    last: int
    n_sequences: int


def separators_of(tokenizer: Any, model_type: str) -> Separators:
    if model_type == BERT:
        return Separators(tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
    return Separators(None, tokenizer.eos_token_id, tokenizer.eos_token_id)


def encode(tokenizer: Any, texts: Sequence[str]) -> list[np.ndarray]:
    """The ids of each text, int32, without special ones."""
    found: list[np.ndarray] = []
    for start in range(0, len(texts), 256):
        # The fast tokenizer itself: its wrapper warns of texts longer than the model reads.
        encoded = tokenizer.backend_tokenizer.encode_batch_fast(
            list(texts[start : start + 256]), add_special_tokens=False
        )
        found += [np.asarray(item.ids, dtype=np.int32) for item in encoded]
    return found


def pack(documents: Sequence[np.ndarray], length: int, separators: Separators) -> Packed:
    """Join documents, a separator behind each, and cut what results into sequences of `length`.

    An encoder's sequence begins with [CLS] and ends with [SEP]. No id of a document is lost, none
    occurs twice; the last sequence is filled with padding.
    """
    end = np.asarray([separators.end], dtype=np.int64)
    stream = np.concatenate([part for document in documents for part in (document, end)])
    room = length - separators.around
    n = -(-len(stream) // room)
    body = np.full(n * room, separators.pad, dtype=np.int64)
    body[: len(stream)] = stream
    filled = np.arange(n * room) < len(stream)
    ids, is_text = body.reshape(n, room), filled.reshape(n, room)
    if separators.start is not None:
        edge = np.ones((n, 1), dtype=np.int64)
        ids = np.hstack([edge * separators.start, ids, edge * separators.end])
        is_text = np.hstack([edge == 1, is_text, edge == 1])
        # The last one ends where its text does, and not with a [SEP] behind the padding.
        if not filled[-1]:
            last = int(is_text[-1, :-1].sum())
            ids[-1, -1], is_text[-1, -1] = separators.pad, False
            ids[-1, last], is_text[-1, last] = separators.end, True
    return Packed(ids, is_text)


def phases(settings: Settings) -> list[Phase]:
    """Which steps read sequences of which length; all read `training.pieces_per_step` pieces."""
    packing: PackingSettings = settings.packing
    steps, total = settings.training.steps, sum(packing.shares)
    edges = [round(steps * share / total) for share in np.cumsum([0.0, *packing.shares])]
    return [
        Phase(length, first, last, max(1, settings.training.pieces_per_step // length))
        for length, first, last in zip(packing.lengths, edges[:-1], edges[1:], strict=True)
    ]


class Batches:
    """The sequences of each step, as a pure function of the step: a run that is gone on with reads
    what it would have read.

    documents: the ids of each, as `encode` gives them.
    repeats: how often a pass over the text reads each. A pass shuffles the documents, packs them
        and shuffles the sequences; a step may reach from one pass into the next.
    """

    def __init__(
        self,
        documents: Sequence[np.ndarray],
        repeats: Sequence[int],
        settings: Settings,
        separators: Separators,
    ):
        self.phases = phases(settings)
        self._documents = documents
        self._indices = np.repeat(np.arange(len(documents)), repeats)
        self._seed = settings.training.seed
        self._separators = separators
        sizes = np.asarray([len(document) + 1 for document in documents])
        self.n_pieces = int(sizes[self._indices].sum())  # of a pass, ends of documents included
        self._passes: dict[tuple[int, int], Packed] = {}

    def phase_of(self, step: int) -> Phase:
        return next(phase for phase in self.phases if phase.first <= step < phase.last)

    def __getitem__(self, step: int) -> Packed:
        phase = self.phase_of(step)
        size = -(-self.n_pieces // (phase.length - self._separators.around))
        number, at = divmod((step - phase.first) * phase.n_sequences, size)
        parts: list[Packed] = []
        needed = phase.n_sequences
        while needed:
            packed = self._pass(phase.length, number)
            taken = slice(at, at + needed)
            parts.append(Packed(packed.ids[taken], packed.is_text[taken]))
            needed -= len(parts[-1].ids)
            number, at = number + 1, 0
        return Packed(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.is_text for part in parts]),
        )

    def _pass(self, length: int, number: int) -> Packed:
        if (length, number) not in self._passes:
            rng = np.random.default_rng([self._seed, length, number])
            documents = [self._documents[i] for i in rng.permutation(self._indices)]
            packed = pack(documents, length, self._separators)
            order = rng.permutation(len(packed.ids))
            while len(self._passes) > 1:
                self._passes.pop(next(iter(self._passes)))
            self._passes[length, number] = Packed(packed.ids[order], packed.is_text[order])
        return self._passes[length, number]
