"""What a language model is asked, and how it answers: text with fields, from the config."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

from ..errors import Errors, ValenceECError
from ..schema import VALENCES

CONTEXT, UNIT, CANDIDATES = "context", "unit", "candidates"
VALENCE, CARRIERS, CANDIDATE = "valence", "carriers", "candidate"
PROMPT_FIELDS = (CONTEXT, UNIT, CANDIDATES, VALENCE, CARRIERS)

YES, NO, NONE = "yes", "no", "none"
WORD_KEYS = (*VALENCES, YES, NO, NONE)

# The steps of each setting of the paper, in order; a step has a template of its own.
STEPS: dict[str, tuple[str, ...]] = {
    "single-valence": ("valence",),
    "single-ec": ("ec",),
    "two-step-valence-ec": ("valence", "ec_given_valence"),
    "two-step-ec-valence": ("ec", "valence_given_ec"),
    "joint": ("joint",),
}
# What each step asks for: the valence, the carriers.
ASKS = {
    "valence": (True, False),
    "ec": (False, True),
    "ec_given_valence": (False, True),
    "valence_given_ec": (True, False),
    "joint": (True, True),
}


@dataclass(frozen=True)
class Template:
    """The text of one step.

    prompt: what the model reads, with the fields of `PROMPT_FIELDS`.
    valence: what stands between the prompt and the word of the valence; None where the valence is
        not asked for.
    candidate: what stands before the yes or no of a candidate, with the field `candidate`; None
        where carriers are not asked for. It is asked for each candidate in turn, after the valence.
    end: what closes an answer.
    """

    prompt: str
    valence: str | None
    candidate: str | None
    end: str

    def asks_for(self, field: str) -> bool:
        """Whether the prompt has a field."""
        return field in _fields(self.prompt)

    def render(self, fields: Mapping[str, str]) -> tuple[str, str]:
        """The prompt before and after the place of the context. Where there is no such place, all
        of it is before."""
        parts = [""]
        for text, field, _, _ in Formatter().parse(self.prompt):
            parts[-1] += text
            if field == CONTEXT:
                parts.append("")
            elif field is not None:
                parts[-1] += fields[field]
        return parts[0], "".join(parts[1:])


def make_template(
    prompt: str, valence: str | None = None, candidate: str | None = None, end: str = "\n\n"
) -> Template:
    """`spacy_valence_ec.prompt_template.v1`

    Raises: ValenceECError G002 for a field that is not known, or one that must be there.
    """
    _check("prompt", prompt, PROMPT_FIELDS, UNIT)
    if candidate is not None:
        _check("candidate", candidate, (CANDIDATE,), CANDIDATE)
    if _fields(prompt).count(CONTEXT) > 1:
        raise ValenceECError(Errors.G002.format(part="prompt", why="{context} stands there twice"))
    return Template(prompt, valence, candidate, end)


def check_templates(name: str, setting: str, templates: Mapping[str, Template]) -> None:
    """Raises: ValenceECError G005 for an unknown setting, or one without the templates of its
    steps, G006 for a template that does not ask for what its step is for.
    """
    if setting not in STEPS:
        known = ", ".join(STEPS)
        raise ValenceECError(Errors.G005.format(name=name, setting=setting, known=known))
    for step in STEPS[setting]:
        template = templates.get(step)
        asked = ASKS[step]
        if template is None:
            why = "it is missing"
        elif ((template.valence is not None), (template.candidate is not None)) != asked:
            wanted = [key for key, asks in zip((VALENCE, CANDIDATE), asked, strict=True) if asks]
            why = f"it must have {' and '.join(wanted)}, and nothing else that is asked for"
        elif step == "ec_given_valence" and not template.asks_for(VALENCE):
            why = "its prompt lacks {valence}"
        elif step == "valence_given_ec" and not template.asks_for(CARRIERS):
            why = "its prompt lacks {carriers}"
        elif step in ("valence", "ec", "joint") and (
            template.asks_for(VALENCE) or template.asks_for(CARRIERS)
        ):
            why = "its prompt has {valence} or {carriers}, which are not known yet"
        else:
            continue
        raise ValenceECError(Errors.G006.format(name=name, step=step, why=why))


def _fields(text: str) -> list[str]:
    return [field for _, field, _, _ in Formatter().parse(text) if field is not None]


def _check(part: str, text: str, known: tuple[str, ...], needed: str) -> None:
    try:
        parsed = [entry[1:] for entry in Formatter().parse(text) if entry[1] is not None]
    except ValueError as error:
        why = f"{error}; a brace of the text itself is written twice"
        raise ValenceECError(Errors.G002.format(part=part, why=why)) from error
    for field, layout, conversion in parsed:
        if field not in known or layout or conversion:
            why = f"'{{{field}}}' is no field; there are: {', '.join(known)}"
            raise ValenceECError(Errors.G002.format(part=part, why=why))
    if needed not in [field for field, _, _ in parsed]:
        raise ValenceECError(
            Errors.G002.format(part=part, why=f"the field {{{needed}}} is missing")
        )
