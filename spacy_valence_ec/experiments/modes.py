"""How the first step of a two-step pipeline gets its labels when the pipeline is evaluated.

All that experiments know of it: `spacy_valence_ec.evaluation` does the work. A pipeline that does
both tasks at once, or only one of them, has a single mode, `predicted`.
"""

from collections.abc import Sequence

from spacy import Language
from spacy.training import Example

from ..errors import Errors, ValenceECError
from ..evaluation import Evaluation, evaluate_with_examples
from ..first_step import CONFUSION, ORACLE, PREDICTED, Confusions, Noise, parse_mode
from ..schema import Narrative
from .record import CARRIERS, VALENCE

# Settings of two steps, and those of a language model, by how their names begin.
TWO_STEP = "two-step-"
GENERATIVE = "generative-"


def is_generative(setting: str) -> bool:
    """Whether a setting is one of a causal language model."""
    return setting.startswith(GENERATIVE)


def is_two_step(setting: str) -> bool:
    """Whether a setting, generative or not, has two steps."""
    return setting.removeprefix(GENERATIVE).startswith(TWO_STEP)


def first_task(setting: str) -> str | None:
    """The task of the first of two steps; None for a setting without."""
    if not is_two_step(setting):
        return None
    order = setting.removeprefix(GENERATIVE).removeprefix(TWO_STEP)
    return VALENCE if order.startswith("valence") else CARRIERS


def modes_of(setting: str, modes: Sequence[str]) -> tuple[str, ...]:
    """Those that a setting can be evaluated in: all for two steps, else `predicted` alone. Carriers
    have no labels that could be confused."""
    first = first_task(setting)
    if first is None:
        return (PREDICTED,)
    return tuple(mode for mode in modes if first == VALENCE or parse_mode(mode).noise != CONFUSION)


def evaluate_in_mode(
    nlp: Language,
    narratives: Sequence[Narrative],
    mode: str,
    *,
    setting: str,
    seed: int,
    confusions: Confusions | None = None,
) -> tuple[Evaluation, list[Example]]:
    """What `evaluate` gives, and the examples predicted on gold units.

    seed: of the noise.
    confusions: of the real first step on dev, for noise of that shape.
    Raises: ValenceECError V024 for an unknown mode, E004 for one that the pipeline does not have.
    """
    parsed = parse_mode(mode)
    if parsed.kind == PREDICTED:
        return evaluate_with_examples(nlp, narratives, PREDICTED, None, None)
    if not is_two_step(setting):
        raise ValenceECError(Errors.E004.format(setting=setting, mode=mode))
    if parsed.kind == ORACLE:
        return evaluate_with_examples(nlp, narratives, ORACLE, None, None)
    shape = confusions if parsed.noise == CONFUSION else None
    noise = Noise(parsed.rate, seed, shape)
    return evaluate_with_examples(nlp, narratives, noise, None, None)
