"""Prints the examples of docs/generative.md: what each step of each setting reads and answers.

    python docs/make_prompts.py

The templates and words are those of configs/settings/generative-joint.cfg.
"""

from dataclasses import replace
from pathlib import Path

from spacy import registry, util

from spacy_valence_ec.generative.prompts import UnitText, render, right_answer
from spacy_valence_ec.generative.templates import ASKS, STEPS

CONFIG = Path(__file__).parents[1] / "configs" / "settings" / "generative-joint.cfg"

UNIT = UnitText(
    unit="Finalmente mi hanno tolto il gesso!",
    context="Ieri sono andata dal medico.",
    candidates=("mi hanno tolto", "il gesso"),
    valence="positive",
    carriers=("mi hanno tolto", "il gesso"),
)
JUDGMENTS = (True, True)


def examples() -> str:
    """Markdown: for each step the prompt, and behind a sign the answer."""
    component = util.load_config(CONFIG, interpolate=False)["components"]["generative_tagger"]
    templates = registry.resolve({"templates": component["templates"]})["templates"]
    words = component["words"]
    parts = []
    for step in ASKS:
        settings = ", ".join(f"`{setting}`" for setting, steps in STEPS.items() if step in steps)
        unit = UNIT if ASKS[step][0] or step == "ec_given_valence" else replace(UNIT, valence=None)
        before, after = render(templates[step], unit, unit.candidates, words)
        answer = right_answer(templates[step], unit, JUDGMENTS, words)
        text = f"{before}{unit.context}{after}»{answer}"
        parts.append(f"`{step}` (in {settings}):\n\n```text\n{text.rstrip()}\n```")
    return "\n\n".join(parts)


if __name__ == "__main__":
    print(examples())
