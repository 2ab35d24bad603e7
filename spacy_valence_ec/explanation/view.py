"""Attributions as a reader sees them: as records of JSON Lines, and as a page of HTML."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spacy.tokens import Doc

from .attribution import UnitAttribution
from .overlap import Overlap

# Tokens with this share of the strongest attribution of their unit have it written beside them.
STRONG = 0.3

# What each figure of an `Overlap` means.
DESCRIPTIONS = {
    "n_units": "units counted",
    "n_trivial": "units left out: all content words are carriers'",
    "precision": "carriers' words among the k strongest (k: as many as there are)",
    "chance": "the same by chance",
    "average_precision": "average precision of the ranking",
    "chance_average_precision": "the same by chance",
    "auc": "area under the ROC curve (0.5 by chance)",
}

_DECIMALS = 6


@dataclass(frozen=True)
class Explained:
    """A narrative with the attributions of its units, in order.

    carriers: indices of the tokens that are a carrier's: gold ones where `valences` is given.
    valences: the gold valence of each unit of the Doc, None where there is none.
    """

    id: str
    doc: Doc
    units: Sequence[UnitAttribution]
    carriers: Collection[int] = ()
    valences: Sequence[str | None] | None = None


@dataclass(frozen=True)
class Piece:
    """A token and the white space behind it, as it is shown.

    strength: of the attribution, from -1 to 1, the strongest of the unit being 1 or -1.
    figure: the attribution, where it is strong.
    """

    text: str
    space: str
    score: float
    strength: float
    figure: str
    is_carrier: bool


def pieces(narrative: Explained, unit: UnitAttribution) -> Iterator[Piece]:
    """The tokens of a unit in order."""
    most = float(abs(unit.scores).max())
    for i, score in zip(range(unit.start, unit.end), unit.scores.tolist(), strict=True):
        token = narrative.doc[i]
        strength = score / most if most else 0.0
        strong = abs(strength) >= STRONG and not token.is_space
        yield Piece(
            text=token.text,
            space=token.whitespace_,
            score=score,
            strength=strength,
            figure=f"{score:+.2f}" if strong else "",
            is_carrier=i in narrative.carriers,
        )


def to_record(narrative: Explained, *, with_text: bool = False) -> dict[str, Any]:
    """A line of JSON: offsets in code points and attributions; no text unless it is asked for."""
    doc = narrative.doc
    record: dict[str, Any] = {"id": narrative.id}
    if with_text:
        record["text"] = doc.text
    record["units"] = [_unit_record(narrative, unit, with_text) for unit in narrative.units]
    return record


def _unit_record(narrative: Explained, unit: UnitAttribution, with_text: bool) -> dict[str, Any]:
    span = narrative.doc[unit.start : unit.end]
    record: dict[str, Any] = {
        "unit": unit.unit + 1,
        "start": span.start_char,
        "end": span.end_char,
        "valence": unit.predicted,
        "target": unit.target,
    }
    if narrative.valences is not None:
        record["gold_valence"] = narrative.valences[unit.unit]
    for name in ("logit", "baseline", "context", "gap"):
        record[name] = round(getattr(unit, name), _DECIMALS)
    record["tokens"] = []
    for token, score, wide in zip(span, unit.scores.tolist(), unit.wide.tolist(), strict=True):
        found: dict[str, Any] = {"start": token.idx, "end": token.idx + len(token)}
        if with_text:
            found["text"] = token.text
        found |= {"score": round(score, _DECIMALS), "wide": round(wide, _DECIMALS)}
        found["carrier"] = token.i in narrative.carriers
        record["tokens"].append(found)
    return record


def to_html(narratives: Iterable[Explained], overlap: Overlap | None = None) -> Iterator[str]:
    """The parts of one page that needs nothing else."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__, "templates"), autoescape=True, undefined=StrictUndefined
    )
    figures: dict[str, Any] = {} if overlap is None else asdict(overlap)
    named = {DESCRIPTIONS[name]: value for name, value in figures.items()}
    template = environment.get_template("explain.html.j2")
    yield from template.generate(narratives=narratives, pieces=pieces, overlap=named)
