"""Agreement of two annotations of the same narratives."""

from collections.abc import Sequence
from dataclasses import dataclass

from spacy import Language
from spacy.training import Example

from ..errors import Errors, ValenceECError
from ..metrics import Pair, carrier_metrics, cohen_kappa, functional_unit_metrics
from ..schema import Narrative
from ..scorers import to_pair
from .docs import narrative_to_doc


@dataclass(frozen=True)
class Agreement:
    """Figures of the whole corpus or of one narrator; an F1 takes neither side for the gold one.

    A figure is None when there is nothing to compare.
    """

    narratives: int
    units_first: int
    units_second: int
    boundary_f: float | None
    unit_f: float | None
    units_agreed: int
    valence_kappa: float | None
    """Cohen's kappa of the valence, over the units whose edges both annotators set alike."""
    carrier_token_kappa: float | None
    """Cohen's kappa over tokens: is it in a carrier?"""
    carrier_exact_f: float | None
    carrier_partial_f: float | None


def annotation_agreement(
    first: Sequence[Narrative], second: Sequence[Narrative], nlp: Language
) -> tuple[Agreement, dict[str, Agreement]]:
    """Agreement over all narratives, and per narrator, in the tokens of `nlp`.

    Raises: ValenceECError A001 if the two do not hold the same texts under the same ids.
    """
    others = {narrative.id: narrative for narrative in second}
    for narrative in first:
        other = others.get(narrative.id)
        if other is None or other.text != narrative.text:
            raise ValenceECError(Errors.A001.format(id=narrative.id))
    if len(others) != len(first):
        missing = sorted(set(others) - {narrative.id for narrative in first})
        raise ValenceECError(Errors.A001.format(id=missing[0]))
    pairs: dict[str, list[Pair]] = {}
    for narrative in first:
        reference, _ = narrative_to_doc(narrative, nlp)
        predicted, _ = narrative_to_doc(others[narrative.id], nlp)
        pair = to_pair(Example(predicted, reference))
        pairs.setdefault(narrative.narrator or narrative.id, []).append(pair)
    by_narrator = {narrator: _agreement(found) for narrator, found in pairs.items()}
    return _agreement([pair for found in pairs.values() for pair in found]), by_narrator


def _agreement(pairs: Sequence[Pair]) -> Agreement:
    units = functional_unit_metrics(pairs)
    carriers = carrier_metrics(pairs)
    agreed: list[tuple[str, str]] = []
    tokens: list[tuple[bool, bool]] = []
    for a, b in pairs:
        valence = dict(zip(b.units, b.valences, strict=True))
        agreed += [
            (label, valence[unit])
            for unit, label in zip(a.units, a.valences, strict=True)
            if unit in valence
        ]
        first, second = a.carrier_tokens(), b.carrier_tokens()
        tokens += [(i in first, i in second) for i in range(a.n_tokens)]
    return Agreement(
        narratives=len(pairs),
        units_first=sum(len(a.units) for a, _ in pairs),
        units_second=sum(len(b.units) for _, b in pairs),
        boundary_f=units["fu_boundary_f"],
        unit_f=units["fu_f"],
        units_agreed=len(agreed),
        valence_kappa=cohen_kappa([a for a, _ in agreed], [b for _, b in agreed]),
        carrier_token_kappa=cohen_kappa([a for a, _ in tokens], [b for _, b in tokens]),
        carrier_exact_f=carriers["ec_exact_f"],
        carrier_partial_f=carriers["ec_partial_f"],
    )
