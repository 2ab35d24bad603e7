"""What displaCy needs to know to show units and carriers."""

from typing import Any

from .errors import Errors, ValenceECError
from .schema import (
    EC_CANDIDATES_KEY,
    EC_KEY,
    EC_LABEL,
    FU_KEY,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
)

# Told apart by the color-blind too, and light enough for black letters.
COLORS = {NEGATIVE: "#f4a582", NEUTRAL: "#d9d9d9", POSITIVE: "#92c5de"}
CARRIER_COLORS = {EC_LABEL: "#ffe08a"}
OPTIONS = {
    FU_KEY: COLORS,
    EC_KEY: CARRIER_COLORS,
    EC_CANDIDATES_KEY: CARRIER_COLORS,
}


def displacy_options(key: str = FU_KEY) -> dict[str, Any]:
    """Return the options with which `displacy.render(doc, style="span", options=...)` shows a group
    of spans: its name and a color for each label.

    key: `fu`, `ec` or `ec_candidates`.

    Raises: ValenceECError I004 for another group.
    """
    if key not in OPTIONS:
        raise ValenceECError(Errors.I004.format(name="key", known=", ".join(OPTIONS), value=key))
    return {"spans_key": key, "colors": dict(OPTIONS[key])}
