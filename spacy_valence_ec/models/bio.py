"""A linear chain over the tags O, B, I whose only transitions of weight zero are the valid ones:
I follows B or I of the same unit. Emissions are learned, transitions are fixed.

Every decision of the tagger and every probability it reports comes from this one distribution
over valid tag sequences: the loss is its exact negative log-likelihood, the decoding its exact
mode, a carrier's score the exact marginal probability that these very tokens, no more and no
fewer, are a carrier.

Each unit is a chain of its own, so that no carrier leaves its unit. Chains are run together,
in batches of like lengths, so that one long unit never pads many short ones.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

O, B, I = range(3)  # noqa: E741
N_TAGS = 3

_IMPOSSIBLE = np.float32(-1e30)


class Chains:
    """The units of a batch of token sequences, as chains.

    emissions: float32 (n_tokens, 3), all tokens of the batch.
    spans: int (n_units, 2), token offsets into `emissions`, end exclusive, none empty.
    plus: how the weights of several taggings are put together; with `np.maximum` all that is
        a sum here is the weight of the best tagging.
    """

    def __init__(self, emissions: np.ndarray, spans: np.ndarray, plus: np.ufunc = np.logaddexp):
        self.emissions = np.asarray(emissions, dtype="float64")
        self.spans = np.asarray(spans, dtype="int64").reshape((-1, 2))
        self.lengths = self.spans[:, 1] - self.spans[:, 0]
        self._plus = plus

    @cached_property
    def _tables(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log of the summed weight of all valid prefixes (suffixes) of a unit that end in (follow
        on) the tag at the token, zero at tokens outside of all units; and of all taggings of each
        unit."""
        n = len(self.emissions)
        forward, backward = np.zeros((n, N_TAGS)), np.zeros((n, N_TAGS))
        log_z = np.zeros(len(self.spans))
        for units, tokens, mask in self._batches():
            forward[tokens[mask]], backward[tokens[mask]], at_end = self._run(tokens, mask)
            log_z[units] = self._plus.reduce(at_end, axis=1)
        return forward, backward, log_z

    @property
    def forward(self) -> np.ndarray:
        return self._tables[0]

    @property
    def backward(self) -> np.ndarray:
        return self._tables[1]

    @property
    def log_z(self) -> np.ndarray:
        return self._tables[2]

    def tempered(self, temperature: float) -> "Chains":
        """The chains with all emissions divided by a temperature: each tagging has its probability
        to the power 1/T, normalized, and the most probable one stays the same."""
        if temperature == 1.0:
            return self
        return Chains(self.emissions / temperature, self.spans)

    def _batches(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Units of lengths between two powers of two: their indices (n,), the indices of their
        tokens (n, longest), those past the end repeating the last, and the mask of real ones."""
        if not len(self.lengths):
            return
        size = np.ceil(np.log2(self.lengths)).astype(int)
        for bucket in np.unique(size):
            units = np.flatnonzero(size == bucket)
            steps = np.arange(self.lengths[units].max())
            mask = steps < self.lengths[units][:, None]
            last = (self.lengths[units] - 1)[:, None]
            yield units, self.spans[units, :1] + np.minimum(steps, last), mask

    def _run(
        self, tokens: np.ndarray, mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        scores = self.emissions[tokens]  # (n, longest, 3)
        n, longest = mask.shape
        forward = np.empty_like(scores)
        forward[:, 0] = scores[:, 0]
        forward[:, 0, I] = _IMPOSSIBLE
        for t in range(1, longest):
            inside = self._plus(forward[:, t - 1, B], forward[:, t - 1, I])
            anything = self._plus(forward[:, t - 1, O], inside)
            forward[:, t] = scores[:, t]
            forward[:, t, :I] += anything[:, None]
            forward[:, t, I] += inside
        backward = np.zeros_like(scores)
        for t in range(longest - 2, -1, -1):
            follow = scores[:, t + 1] + backward[:, t + 1]
            after_o = self._plus(follow[:, O], follow[:, B])
            after_b = self._plus(after_o, follow[:, I])
            real = mask[:, t + 1]
            backward[:, t, O] = np.where(real, after_o, 0.0)
            backward[:, t, B:] = np.where(real, after_b, 0.0)[:, None]
        at_end = forward[np.arange(n), mask.sum(axis=1) - 1]
        return forward[mask], backward[mask], at_end

    def _unit_of_token(self) -> np.ndarray:
        unit = np.full(len(self.emissions), -1)
        unit[_token_indices(self.spans)] = np.repeat(np.arange(len(self.spans)), self.lengths)
        return unit

    def marginals(self) -> np.ndarray:
        """P(tag) of each token, (n_tokens, 3); zeros for a token outside of all units."""
        unit = self._unit_of_token()
        inside = unit >= 0
        result = np.zeros_like(self.emissions)
        forward, backward, log_z = self._tables
        total = forward[inside] + backward[inside]
        result[inside] = np.exp(total - log_z[unit[inside]][:, None])
        return result

    @cached_property
    def log_without(self) -> np.ndarray:
        """Log weight of the tagging without a carrier, (n_units,)."""
        return self._sums(self.emissions[:, O])

    @cached_property
    def log_with(self) -> np.ndarray:
        """Log of the summed weight of all taggings with a carrier, (n_units,)."""
        starts = np.cumsum(self.lengths) - self.lengths
        firsts = self._log_first_carrier()
        return np.asarray(self._plus.reduceat(firsts, starts)) if len(starts) else np.zeros(0)

    def marginals_with(self) -> np.ndarray:
        """P(tag) of each token given that its unit holds a carrier, (n_tokens, 3); zeros for
        a token outside of all units."""
        unit = self._unit_of_token()
        inside = unit >= 0
        result = np.zeros_like(self.emissions)
        total = (self.forward[inside] + self.backward[inside])[:, B:]
        result[inside, B:] = np.exp(total - self.log_with[unit[inside]][:, None])
        result[inside, O] = np.clip(1.0 - result[inside, B:].sum(axis=1), 0.0, 1.0)
        return result

    def decode_given(self, holds: np.ndarray) -> np.ndarray:
        """The most probable tagging of each unit among those with a carrier where `holds`, bool
        (n_units,), else the one without: int (n_tokens,)."""
        best = Chains(self.emissions, self.spans, np.maximum)
        firsts = best._log_first_carrier()
        forced = self.emissions.copy()
        ends = np.cumsum(self.lengths)
        for (start, end), last, held in zip(self.spans, ends, holds, strict=True):
            at = int(np.argmax(firsts[last - (end - start) : last])) if held else end - start
            forced[start : start + at, B:] = _IMPOSSIBLE
            if held:
                forced[start + at, [O, I]] = _IMPOSSIBLE
        return Chains(forced, self.spans, np.maximum).decode()

    def _log_first_carrier(self) -> np.ndarray:
        """For each token of a unit, those of all units in order, the log weight of the taggings
        whose first carrier begins there."""
        indices = _token_indices(self.spans)
        outside = self.emissions[indices, O]
        before = np.cumsum(outside) - outside
        starts = np.cumsum(self.lengths) - self.lengths
        before -= np.repeat(before[starts], self.lengths)
        return np.asarray(before + self.emissions[indices, B] + self.backward[indices, B])

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Of the tokens of each unit, (n_units,)."""
        starts = np.cumsum(self.lengths) - self.lengths
        found = values[_token_indices(self.spans)]
        return np.asarray(np.add.reduceat(found, starts)) if len(starts) else np.zeros(0)

    def negative_log_likelihood(self, tags: np.ndarray) -> np.ndarray:
        """Of each unit's gold tags, (n_units,); `tags` is int (n_tokens,)."""
        return np.asarray(self.log_z - self.log_weights(tags))

    def log_weights(self, tags: np.ndarray) -> np.ndarray:
        """Log weight of a tagging of each unit, (n_units,); `tags` is int (n_tokens,)."""
        return self._sums(self.emissions[np.arange(len(tags)), tags])

    def decode(self) -> np.ndarray:
        """The most probable valid sequence of tags: int (n_tokens,), O outside of all units."""
        tags = np.full(len(self.emissions), O)
        for _, tokens, mask in self._batches():
            scores = self.emissions[tokens]
            n, longest = mask.shape
            best = scores[:, 0].copy()
            best[:, I] = _IMPOSSIBLE
            back = np.zeros((n, longest, N_TAGS), dtype=int)
            for t in range(1, longest):
                inside = np.where(best[:, B] >= best[:, I], B, I)
                rows = np.arange(n)
                anything = np.where(best[:, O] >= best[rows, inside], O, inside)
                step = scores[:, t].copy()
                step[:, :I] += best[rows, anything][:, None]
                step[:, I] += best[rows, inside]
                back[:, t, :I] = anything[:, None]
                back[:, t, I] = inside
                # Past the end of a unit its scores stand still, and so does its last tag.
                real = mask[:, t, None]
                best = np.where(real, step, best)
                back[:, t] = np.where(real, back[:, t], np.arange(N_TAGS))
            tag = best.argmax(axis=1)
            for t in range(longest - 1, -1, -1):
                tags[tokens[mask[:, t], t]] = tag[mask[:, t]]
                tag = back[np.arange(n), t, tag]
        return tags

    def span_probabilities(self, spans: Sequence[tuple[int, int]]) -> np.ndarray:
        """The probability that exactly these tokens are a carrier, float32 (n,). Each span
        [start, end) lies inside one unit."""
        if not len(spans):
            return np.zeros(0, dtype="float32")
        unit_of = self._unit_of_token()
        forward, backward, log_z = self._tables
        result = np.zeros(len(spans))
        for row, (start, end) in enumerate(spans):
            unit = unit_of[start]
            first, last = self.spans[unit]
            log_p = self.emissions[start, B] + self.emissions[start + 1 : end, I].sum()
            if start > first:
                log_p += np.logaddexp.reduce(forward[start - 1])
            if end < last:
                log_p += np.logaddexp.reduce((self.emissions[end] + backward[end])[:I])
            result[row] = np.exp(min(0.0, log_p - log_z[unit]))
        return result.astype("float32")


def spans_of_tags(tags: np.ndarray) -> list[tuple[int, int]]:
    """The carriers that a valid sequence of tags spells: (start, end) each, end exclusive."""
    starts = np.flatnonzero(tags == B)
    padded = np.append(tags, O)
    stops = np.flatnonzero(padded != I)
    ends = stops[np.searchsorted(stops, starts, side="right")]
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def _token_indices(spans: np.ndarray) -> np.ndarray:
    if not len(spans):
        return np.zeros(0, dtype=int)
    return np.concatenate([np.arange(start, end) for start, end in spans])
