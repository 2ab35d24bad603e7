"""Network of `coupled_tagger`: the networks of both tasks, and what couples their outputs."""

from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d, Ragged

from ..schema import VALENCES

Input = tuple[list[Doc], Ragged]
Output = tuple[Floats2d, list[Floats2d], Floats2d]

FACTOR = "coupling"


def CoupledTagger(
    valence: Model[Input, Floats2d], carriers: Model[Input, list[Floats2d]]
) -> Model[Input, Output]:
    """Logits of the valence of each unit, (n_units, 3), the scores of the tags of each token,
    (n_tokens, 3) for each Doc, and the factor, (3, 2): what is added for each valence of a unit
    without, and with, a carrier. The factor is the same for all units, and zero at first.

    valence: such as `spacy_valence_ec.ValenceClassifier.v1`, without a condition.
    carriers: such as `spacy_valence_ec.CarrierTagger.v1`, without a condition.
    """
    return Model(
        "coupled_tagger",
        _forward,
        init=_init,
        layers=[valence, carriers],
        params={FACTOR: None},
        refs={"valence": valence, "carriers": carriers},
    )


def _init(model: Model, X: Input | None = None, Y: Floats2d | None = None) -> None:
    valence, carriers = model.layers
    valence.initialize(X=X, Y=Y)
    carriers.initialize(X=X)
    model.set_param(FACTOR, model.ops.alloc2f(len(VALENCES), 2))


def _forward(model: Model, inputs: Input, is_train: bool) -> tuple[Output, Callable]:
    valence, carriers = model.layers
    logits, backprop_valence = valence(inputs, is_train)
    emissions, backprop_carriers = carriers(inputs, is_train)
    factor: Any = model.get_param(FACTOR)

    def backprop(gradients: Output) -> list[Doc]:
        d_logits, d_emissions, d_factor = gradients
        model.inc_grad(FACTOR, d_factor)
        # In the order in which a shared encoder serves its listeners: the last one drives it.
        backprop_valence(d_logits)
        docs: list[Doc] = backprop_carriers(d_emissions)
        return docs

    return (logits, emissions, factor), backprop
