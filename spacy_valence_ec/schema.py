"""The data model: span keys, labels and the typed records of the interchange format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FU_KEY = "fu"
EC_KEY = "ec"
EC_CANDIDATES_KEY = "ec_candidates"

EC_LABEL = "EC"

NEGATIVE = "negative"
NEUTRAL = "neutral"
POSITIVE = "positive"
VALENCES = (NEGATIVE, NEUTRAL, POSITIVE)
MIXED = "mixed"  # label of a narrative whose non-neutral units are balanced

SCORES_ATTR = "scores"
LABELS_ATTR = "labels"
TURNS_FIELD = "turns"  # of a record: who speaks where
METADATA_FIELD = "metadata"  # of a record: stretches of the text that are no narrative
BREAKS_KEY = "unit_breaks"  # of Doc.user_data: characters at which a unit begins

INVALID_ATTR = "invalid_answers"  # of units, where answers are written freely


@dataclass(frozen=True)
class Offsets:
    """A stretch of text: Unicode code points, end exclusive."""

    start: int
    end: int


@dataclass(frozen=True)
class Unit(Offsets):
    """A functional unit with its valence, one of `VALENCES`."""

    valence: str


@dataclass(frozen=True)
class Narrative:
    """One line of the interchange format.

    `extra` holds every field that the format does not name, in the order of the line;
    it is given back on export. `candidates` is None where nobody annotated any.
    """

    id: str
    text: str
    units: tuple[Unit, ...] = ()
    carriers: tuple[Offsets, ...] = ()
    candidates: tuple[Offsets, ...] | None = None
    narrator: str | None = None
    lang: str = "it"
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ResultNames:
    """The fields of a record that hold what is predicted of it. With a prefix they do not clash
    with fields of the same names that a person filled."""

    prefix: str = ""

    @property
    def units(self) -> str:
        return f"{self.prefix}units"

    @property
    def carriers(self) -> str:
        return f"{self.prefix}carriers"

    @property
    def valence(self) -> str:
        return f"{self.prefix}valence"

    @property
    def valence_score(self) -> str:
        return f"{self.prefix}valence_score"

    @property
    def all(self) -> tuple[str, ...]:
        """All of them."""
        return (self.units, self.valence, self.valence_score, self.carriers)
