"""`CarrierPipe`: the base class of the components that mark emotion carriers."""

from collections.abc import Iterable

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example

from ..errors import Errors, ValenceECError
from ..schema import EC_KEY, EC_LABEL, FU_KEY
from .calibrated import CalibratedHead
from .condition import gold_valences, valences_of

WITHOUT = "none"  # the class of a unit (a candidate) without a carrier


class CarrierPipe(CalibratedHead):
    """What both carrier components share: the label, the classes and that,
    with a condition, they are the second of two steps and read the labels of
    `doc.spans["fu"]`."""

    default_name = "ec_tagger"
    labels = (EC_LABEL,)
    classes = (WITHOUT, EC_LABEL)

    def given_condition(self, doc: Doc) -> np.ndarray:
        return valences_of(doc, self.name)

    def gold_condition(self, example: Example) -> np.ndarray:
        return gold_valences(example)

    def annotated(self, examples: Iterable[Example]) -> list[Example]:
        """The examples with gold units and gold carriers (maybe none in the text).

        Raises: ValenceECError V006 if there is no such example."""
        found = [
            example
            for example in examples
            if FU_KEY in example.reference.spans and EC_KEY in example.reference.spans
        ]
        if not found:
            raise ValenceECError(Errors.V006.format(name=self.name, key=EC_KEY))
        return found
