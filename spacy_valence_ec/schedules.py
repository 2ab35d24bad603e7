"""`spacy_valence_ec.warmup_linear.v1`: a learning rate that rises, and falls to zero."""

from collections.abc import Iterator
from itertools import count

from thinc.schedules import warmup_linear


def make_warmup_linear(
    initial_rate: float, warmup_steps: int, total_steps: int | str
) -> Iterator[float]:
    """thinc's `warmup_linear.v1`, for a `total_steps` that refers to another setting.

    `nlp.create_optimizer`, which `nlp.resume_training`, `nlp.initialize` and `spacy debug data`
    call, resolves the optimizer alone: a reference such as "${training.max_steps}" stays a string,
    which thinc's schedule does not take. The rate then rises in the same way, and stays.
    """
    if isinstance(total_steps, int):
        return iter(warmup_linear(initial_rate, warmup_steps, total_steps))
    return (initial_rate * min(1.0, step / max(1, warmup_steps)) for step in count())
