"""The scores that `spacy train` shows of a component, and what it chooses a model by.

None: measured, and shown, but no part of the choice.
"""

from ..schema import VALENCES

ScoreWeights = dict[str, float | None]

VALENCE: ScoreWeights = {
    "e2e_valence_macro_f": 1.0,
    **{f"e2e_valence_f_{label}": None for label in VALENCES},
}
CARRIERS: ScoreWeights = {
    "ec_token_f": 1.0,
    **{f"ec_token_{x}": None for x in "pr"},
    **{f"ec_{kind}_{x}": None for kind in ("exact", "partial") for x in "prf"},
    "ec_macro_f": None,
    "ec_positive_f": None,
    **{f"joint_{x}": None for x in "prf"},
}
BOTH: ScoreWeights = {**VALENCE, **CARRIERS, "e2e_valence_macro_f": 0.5, "ec_token_f": 0.5}
