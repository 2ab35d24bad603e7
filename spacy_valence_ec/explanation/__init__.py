"""Why a unit was given its valence: what each token adds to the logit, and whether the tokens that
add most are emotion carriers."""

from .attribution import Explainer, UnitAttribution
from .overlap import Overlap, carrier_overlap

__all__ = ["Explainer", "Overlap", "UnitAttribution", "carrier_overlap"]
