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
    """

    def __init__(self, emissions: np.ndarray, spans: np.ndarray):
        self.emissions = np.asarray(emissions, dtype="float64")
        self.spans = np.asarray(spans, dtype="int64").reshape((-1, 2))
        self.lengths = self.spans[:, 1] - self.spans[:, 0]

    def tempered(self, temperature: float) -> "Chains":
        """The chains with all emissions divided by a temperature: each tagging has its probability
        to the power 1/T, normalized, and the most probable one stays the same."""
        if temperature == 1.0:
            return self
        return Chains(self.emissions / temperature, self.spans)

    @property
    def log_z(self) -> np.ndarray:
        """Log of the summed weight of all valid taggings of each unit, (n_units,)."""
        return self._sums[2]

    @cached_property
    def _sums(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`forward` and `backward`, (n_tokens, 3): log of the summed weight of all valid prefixes
        (suffixes) of a unit that end in (follow on) the tag at the token, zero at tokens outside
        of all units; and `log_z`. Decoding does without them."""
        shape = (len(self.emissions), N_TAGS)
        sums = np.zeros(shape), np.zeros(shape), np.zeros(len(self.spans))
        for units, tokens, mask in self._batches():
            self._forward_backward(units, tokens, mask, sums)
        return sums

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

    def _forward_backward(
        self,
        units: np.ndarray,
        tokens: np.ndarray,
        mask: np.ndarray,
        sums: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> None:
        """Put those of a batch into `sums`."""
        scores = self.emissions[tokens]  # (n, longest, 3)
        n, longest = mask.shape
        forward = np.empty_like(scores)
        forward[:, 0] = scores[:, 0]
        forward[:, 0, I] = _IMPOSSIBLE
        for t in range(1, longest):
            inside = np.logaddexp(forward[:, t - 1, B], forward[:, t - 1, I])
            anything = np.logaddexp(forward[:, t - 1, O], inside)
            forward[:, t] = scores[:, t]
            forward[:, t, :I] += anything[:, None]
            forward[:, t, I] += inside
        backward = np.zeros_like(scores)
        for t in range(longest - 2, -1, -1):
            follow = scores[:, t + 1] + backward[:, t + 1]
            after_o = np.logaddexp(follow[:, O], follow[:, B])
            after_b = np.logaddexp(after_o, follow[:, I])
            real = mask[:, t + 1]
            backward[:, t, O] = np.where(real, after_o, 0.0)
            backward[:, t, B:] = np.where(real, after_b, 0.0)[:, None]
        sums[0][tokens[mask]] = forward[mask]
        sums[1][tokens[mask]] = backward[mask]
        at_end = forward[np.arange(n), mask.sum(axis=1) - 1]
        sums[2][units] = np.logaddexp.reduce(at_end, axis=1)

    def _unit_of_token(self) -> np.ndarray:
        unit = np.full(len(self.emissions), -1)
        unit[_token_indices(self.spans)] = np.repeat(np.arange(len(self.spans)), self.lengths)
        return unit

    def marginals(self) -> np.ndarray:
        """P(tag) of each token, (n_tokens, 3); zeros for a token outside of all units."""
        unit = self._unit_of_token()
        inside = unit >= 0
        result = np.zeros_like(self.emissions)
        forward, backward, log_z = self._sums
        total = forward[inside] + backward[inside]
        result[inside] = np.exp(total - log_z[unit[inside]][:, None])
        return result

    def negative_log_likelihood(self, tags: np.ndarray) -> np.ndarray:
        """Of each unit's gold tags, (n_units,); `tags` is int (n_tokens,)."""
        indices = _token_indices(self.spans)
        gold = self.emissions[indices, tags[indices]]
        starts = np.cumsum(self.lengths) - self.lengths
        gold_score = np.add.reduceat(gold, starts) if len(starts) else np.zeros(0)
        return np.asarray(self.log_z - gold_score)

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
        forward, backward, log_z = self._sums
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
