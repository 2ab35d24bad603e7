"""Heads whose probabilities can be calibrated by a temperature."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from spacy import Language, Vocab
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model

from ..errors import Errors, ValenceECError
from .head import Head

TEMPERATURE = "temperature"


class CalibratedHead(Head):
    """A head that reports its probabilities at a temperature, kept with the component: 1 until
    `valence-ec calibrate` fits another (Guo et al. 2017).

    Decisions are made, and losses computed, without it. It belongs to the weights: `initialize`
    sets it to 1, and after further training it has to be fitted anew.

    A subclass gives `raw_scores` and `at_temperature` in place of `predict`.
    """

    def __init__(self, vocab: Vocab, model: Model, name: str | None = None, **settings: Any):
        super().__init__(vocab, model, name, **settings)
        self.cfg[TEMPERATURE] = 1.0

    @property
    def temperature(self) -> float:
        """Setting it raises ValenceECError V030 for anything but a positive, finite number."""
        return float(self.cfg[TEMPERATURE])

    @temperature.setter
    def temperature(self, value: float) -> None:
        if not (math.isfinite(value) and value > 0):
            raise ValenceECError(Errors.V030.format(name=self.name, value=value))
        self.cfg[TEMPERATURE] = float(value)

    def raw_scores(self, docs: Sequence[Doc]) -> Any:
        """All that the decisions on the Docs, and their probabilities at any temperature, are
        computed from."""
        raise NotImplementedError

    def at_temperature(self, raw: Any, temperature: float) -> Any:
        """What `set_annotations` writes, from what `raw_scores` gave."""
        raise NotImplementedError

    def predict(self, docs: Iterable[Doc]) -> Any:
        """Decisions, and probabilities at the component's temperature."""
        return self.at_temperature(self.raw_scores(list(docs)), self.temperature)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[str] | None = None,
    ) -> None:
        super().initialize(get_examples, nlp=nlp, labels=labels)
        self.temperature = 1.0
