"""What an encoder has to guess: whole spans, fewer of them as the training goes on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .packing import IGNORED, Packed
from .settings import MaskingSettings
from .tokenizer import BERT_SPECIAL


@dataclass(frozen=True)
class Vocabulary:
    """What masking needs of a tokenizer: `special` ids come first, and are never masked."""

    mask: int
    n_special: int
    size: int

    @classmethod
    def of(cls, tokenizer: Any) -> "Vocabulary":
        return cls(tokenizer.mask_token_id, len(BERT_SPECIAL), len(tokenizer))


def rate_at(step: int, steps: int, settings: MaskingSettings) -> float:
    """The share of the pieces to guess: on a line from the first to the last rate."""
    done = step / max(1, steps - 1)
    return settings.first_rate + (settings.last_rate - settings.first_rate) * done


def mask_spans(
    packed: Packed,
    rate: float,
    settings: MaskingSettings,
    vocabulary: Vocabulary,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels, both int64 of the shape of `packed.ids`; a label is IGNORED where nothing
    is to be guessed.

    The sequences are cut into spans of geometric length, at special pieces in any case. A span is
    chosen with the probability `rate`, whole; of the chosen spans, `masked` become [MASK],
    `replaced` other pieces, and the rest stays as it is.
    """
    ids = packed.ids
    is_special = ids < vocabulary.n_special
    begins = rng.random(ids.shape) < 1 / settings.mean_span
    begins[:, 0] = True
    begins[:, 1:] |= is_special[:, 1:] | is_special[:, :-1]
    span = np.cumsum(begins).reshape(ids.shape) - 1
    n_spans = int(span[-1, -1]) + 1
    chosen = (rng.random(n_spans) < rate)[span] & ~is_special
    fate = rng.random(n_spans)[span]
    labels = np.where(chosen, ids, IGNORED)
    inputs = np.where(chosen & (fate < settings.masked), vocabulary.mask, ids)
    is_replaced = chosen & (fate >= settings.masked) & (fate < settings.masked + settings.replaced)
    others = rng.integers(vocabulary.n_special, vocabulary.size, ids.shape)
    return np.where(is_replaced, others, inputs), labels
