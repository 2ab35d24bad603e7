"""How probable a language model holds each word that may stand in an answer: exactly, from a
cached prefix, for the queries of many units at once."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import DynamicCache

from .prompts import Pieces, Query

# For a query: the probability of each word of each slot, float32 (n_options,). Those of a slot
# hold given the words chosen in the slots before it.
Scores = list[np.ndarray]


class Padded(NamedTuple):
    """Texts of different lengths, aligned at their end. All int64 (n, length).

    pieces: 0 in front of a text; nothing depends on which piece that is.
    mask: 1 where there is a text, else 0.
    positions: those within each text, from what was given as its start; 0 in front of it.
    """

    pieces: torch.Tensor
    mask: torch.Tensor
    positions: torch.Tensor


def pad_left(texts: Sequence[Pieces], starts: Sequence[int], device: Any = None) -> Padded:
    """`starts`: the position of the first piece of each text."""
    length = max(map(len, texts))
    pieces, mask, positions = (np.zeros((len(texts), length), dtype="int64") for _ in range(3))
    for row, (text, start) in enumerate(zip(texts, starts, strict=True)):
        if text:
            pieces[row, -len(text) :] = text
            mask[row, -len(text) :] = 1
            positions[row, -len(text) :] = np.arange(start, start + len(text))
    return Padded(*(torch.from_numpy(array).to(device) for array in (pieces, mask, positions)))


def hidden_states(model: Any, padded: Padded, **options: Any) -> Any:
    """The output of a causal model below its layer of scores, which costs much where there are
    many pieces."""
    return model.base_model(
        input_ids=padded.pieces, position_ids=padded.positions, return_dict=True, **options
    )


def log_probabilities(model: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Of each piece of the vocabulary, float32 (..., n_pieces)."""
    return torch.log_softmax(model.get_output_embeddings()(hidden).float(), dim=-1)


class Reading:
    """Texts that a model has begun to read, with what it has cached of them."""

    def __init__(self, model: Any, n: int):
        self.model = model
        self.device = next(model.parameters()).device
        self.lengths = [0] * n
        self.mask = torch.zeros((n, 0), dtype=torch.int64, device=self.device)
        self.cache: Any = DynamicCache()

    def read(self, texts: Sequence[Pieces]) -> torch.Tensor:
        """Go on with a text each: hidden states, (n, length, width), aligned at the end."""
        padded = pad_left(texts, self.lengths, self.device)
        self.mask = torch.cat([self.mask, padded.mask], dim=1)
        output = hidden_states(
            self.model,
            padded,
            attention_mask=self.mask,
            past_key_values=self.cache,
            use_cache=True,
        )
        self.cache = output.past_key_values
        self.lengths = [
            length + len(text) for length, text in zip(self.lengths, texts, strict=True)
        ]
        return output.last_hidden_state

    def taken(self, rows: Sequence[int]) -> "Reading":
        """A copy of some of the texts, each as often as it is named."""
        copy = Reading(self.model, len(rows))
        index = torch.tensor(list(rows), device=self.device)
        copy.lengths = [self.lengths[row] for row in rows]
        copy.mask = self.mask[index]
        layers = self.cache.to_legacy_cache()
        copy.cache = DynamicCache.from_legacy_cache(
            tuple((keys[index], values[index]) for keys, values in layers)
        )
        return copy


def batches(lengths: Sequence[int], max_pieces: int) -> Iterator[list[int]]:
    """Indices of texts of like length, together at most so many pieces with the padding, but at
    least one text."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > max_pieces:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def score_answers(model: Any, queries: Sequence[Query], max_pieces: int = 4096) -> list[Scores]:
    """The scores of each query. Its prompt is read once, each word of the answer after it.

    max_pieces: read at once, padding included.
    """
    found: list[Scores] = [[] for _ in queries]
    model.eval()
    with torch.inference_mode():
        for batch in batches([len(query.prompt) for query in queries], max_pieces):
            for i, scores in zip(batch, _score(model, [queries[i] for i in batch]), strict=True):
                found[i] = scores
    return found


def _score(model: Any, queries: Sequence[Query]) -> list[Scores]:
    found: list[Scores] = [[] for _ in queries]
    active = [i for i, query in enumerate(queries) if query.slots]
    if not active:
        return found
    reading = Reading(model, len(active))
    texts = [queries[i].prompt + queries[i].slots[0].lead for i in active]
    for n in range(max(len(query.slots) for query in queries)):
        hidden = reading.read(texts)[:, -1]
        slots = [queries[i].slots[n] for i in active]
        probabilities = _option_probabilities(reading, hidden, [slot.options for slot in slots])
        texts, rows = [], []
        for row, (i, slot, p) in enumerate(zip(active, slots, probabilities, strict=True)):
            found[i].append(p)
            if n + 1 < len(queries[i].slots):
                texts.append(slot.options[slot.choose(p)] + queries[i].slots[n + 1].lead)
                rows.append(row)
        if not rows:
            break
        # Those with an answer of fewer words are done.
        if len(rows) < len(active):
            active = [active[row] for row in rows]
            reading = reading.taken(rows)
    return found


def _option_probabilities(
    reading: Reading, hidden: torch.Tensor, options: Sequence[Sequence[Pieces]]
) -> list[np.ndarray]:
    """For each text, the probability of each of its words, among them, to come next.

    hidden: where each text ends now, (n, width).
    """
    first = log_probabilities(reading.model, hidden)
    pairs = [(row, k) for row, words in enumerate(options) for k in range(len(words))]
    index = torch.tensor([row for row, _ in pairs], device=hidden.device)
    heads = torch.tensor([options[row][k][0] for row, k in pairs], device=hidden.device)
    totals = first[index, heads].double().cpu().numpy()
    # Most words are one piece, which is scored by now; the others are read to their end.
    longer = [i for i, (row, k) in enumerate(pairs) if len(options[row][k]) > 1]
    if longer:
        words = [options[pairs[i][0]][pairs[i][1]] for i in longer]
        branch = reading.taken([pairs[i][0] for i in longer])
        states = branch.read([word[:-1] for word in words])
        for i, word, state in zip(longer, words, states, strict=True):
            logs = log_probabilities(reading.model, state[1 - len(word) :])
            places = torch.arange(len(word) - 1, device=logs.device)
            chosen = logs[places, torch.tensor(word[1:], device=logs.device)]
            totals[i] += float(chosen.double().sum())
    found, at = [], 0
    for words_of_row in options:
        logits = totals[at : at + len(words_of_row)]
        at += len(words_of_row)
        weights = np.exp(logits - logits.max())
        found.append((weights / weights.sum()).astype("float32"))
    return found


def score_by_full_passes(
    model: Any, queries: Sequence[Query], max_pieces: int = 4096
) -> list[Scores]:
    """What `score_answers` gives, by reading the whole text anew for each word of each slot: the
    reference that tests and benchmarks compare it with."""
    found: list[Scores] = [[] for _ in queries]
    texts = [query.prompt for query in queries]
    model.eval()
    for n in range(max((len(query.slots) for query in queries), default=0)):
        active = [i for i, query in enumerate(queries) if n < len(query.slots)]
        for i in active:
            texts[i] += queries[i].slots[n].lead
        keys = [(i, k) for i in active for k in range(len(queries[i].slots[n].options))]
        wholes = [(texts[i], queries[i].slots[n].options[k]) for i, k in keys]
        totals: dict[tuple[int, int], float] = {}
        with torch.inference_mode():
            for batch in batches([len(text) + len(word) for text, word in wholes], max_pieces):
                padded = pad_left([wholes[j][0] + wholes[j][1] for j in batch], [0] * len(batch))
                padded = Padded(*(part.to(next(model.parameters()).device) for part in padded))
                output = hidden_states(model, padded, attention_mask=padded.mask, use_cache=False)
                for j, states in zip(batch, output.last_hidden_state, strict=True):
                    word = wholes[j][1]
                    logs = log_probabilities(model, states[-len(word) - 1 : -1])
                    places = torch.arange(len(word), device=logs.device)
                    chosen = logs[places, torch.tensor(word, device=logs.device)]
                    totals[keys[j]] = float(chosen.double().sum())
        for i in active:
            slot = queries[i].slots[n]
            logits = np.array([totals[i, k] for k in range(len(slot.options))])
            weights = np.exp(logits - logits.max())
            probabilities = (weights / weights.sum()).astype("float32")
            found[i].append(probabilities)
            texts[i] += slot.options[slot.choose(probabilities)]
    return found


def generate(
    model: Any, prompts: Sequence[Pieces], most: Sequence[int], ends: Any, max_pieces: int = 4096
) -> list[Pieces]:
    """What a model writes after each prompt, always the most probable piece, without any
    constraint.

    most: how many pieces, at most, for each prompt.
    ends: called with the pieces written so far; true when nothing more is wanted.
    """
    found: list[Pieces] = [() for _ in prompts]
    model.eval()
    with torch.inference_mode():
        for batch in batches([len(prompt) for prompt in prompts], max_pieces):
            active = list(batch)
            reading = Reading(model, len(active))
            texts = [prompts[i] for i in active]
            while active:
                hidden = reading.read(texts)[:, -1]
                best = log_probabilities(model, hidden).argmax(dim=-1).tolist()
                rows, texts = [], []
                for row, (i, piece) in enumerate(zip(active, best, strict=True)):
                    found[i] = (*found[i], piece)
                    if len(found[i]) < most[i] and not ends(found[i]):
                        rows.append(row)
                        texts.append((piece,))
                if rows and len(rows) < len(active):
                    reading = reading.taken(rows)
                active = [active[row] for row in rows]
    return found
