"""Lessons as batches that a model learns from."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ..models.causal_lm import Batch
from .prompts import Lesson
from .scoring import pad_left


class Targets(NamedTuple):
    """The pieces that are to be guessed, int64 (n_learned,), and the weight of each in the loss,
    float32 (n_learned,)."""

    pieces: np.ndarray
    weights: np.ndarray


def learned_batch(lessons: Sequence[Lesson], device: Any = None) -> tuple[Batch, Targets]:
    """What a model reads of some lessons, and what it is to guess. A first piece is never learned:
    nothing stands before it."""
    padded = pad_left([lesson.pieces for lesson in lessons], [0] * len(lessons), device)
    length = padded.pieces.shape[1]
    rows, places, pieces, weights = [], [], [], []
    for row, lesson in enumerate(lessons):
        shift = length - len(lesson.pieces)
        for i, weight in enumerate(lesson.weights):
            if weight and i:
                rows.append(row)
                places.append(shift + i - 1)
                pieces.append(lesson.pieces[i])
                weights.append(weight)
    index = [torch.tensor(values, dtype=torch.int64, device=device) for values in (rows, places)]
    targets = Targets(np.asarray(pieces, dtype="int64"), np.asarray(weights, dtype="float32"))
    return Batch(*padded, *index), targets
