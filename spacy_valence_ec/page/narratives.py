"""Records of `valence-ec analyze` as typed narratives, with what is computed from each alone."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..corpus.jsonl import FIELDS, printable
from ..errors import Errors, ValenceECError
from ..extensions import majority_valence
from ..schema import MIXED, NEGATIVE, NEUTRAL, POSITIVE, VALENCES, Narrative, Offsets

Record = Mapping[str, Any]

# A unit is doubtful when its two likeliest labels are nearer to each other than this.
DOUBT_MARGIN = 0.2

# Fields that the page shows in a place of their own.
SHOWN_FIELDS = {*FIELDS, "date", "valence", "valence_score"}

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?)?)?")
_OFFSET_OF_ZONE = re.compile(r"(?<=:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)$")


@dataclass(frozen=True)
class AnalyzedUnit(Offsets):
    """A functional unit; `scores` holds the probabilities in the order of `VALENCES`, or None."""

    valence: str
    scores: tuple[float, float, float] | None = None

    @property
    def polarity(self) -> float:
        """P(positive) - P(negative); of a unit without probabilities 1, 0 or -1, by its label."""
        if self.scores is None:
            return {NEGATIVE: -1.0, NEUTRAL: 0.0, POSITIVE: 1.0}[self.valence]
        return self.scores[VALENCES.index(POSITIVE)] - self.scores[VALENCES.index(NEGATIVE)]

    @property
    def margin(self) -> float | None:
        """The highest probability minus the second one; None without probabilities."""
        if self.scores is None:
            return None
        _, second, first = sorted(self.scores)
        return first - second

    @property
    def is_doubtful(self) -> bool:
        """Whether another label is nearly as likely as the one that was given."""
        return self.margin is not None and self.margin < DOUBT_MARGIN


@dataclass(frozen=True)
class ScoredCarrier(Offsets):
    """An emotion carrier; `score` is its probability, or None."""

    score: float | None = None


@dataclass(frozen=True)
class AnalyzedNarrative:
    """A line of what `valence-ec analyze` writes.

    date: what the field `date` holds, as text; `when` is the time that it tells, None where it
        is missing or not written as ISO 8601 (2024, 2024-01, 2024-01-29, 2024-01-29T08:30).
    valence: that of the narrative, `""` where nobody told it.
    extra: the other fields.
    """

    id: str
    text: str
    units: tuple[AnalyzedUnit, ...] = ()
    carriers: tuple[ScoredCarrier, ...] = ()
    narrator: str | None = None
    date: str | None = None
    when: datetime | None = None
    lang: str = Narrative.lang
    valence: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def score(self) -> float | None:
        """The mean polarity of the units, from -1 to 1; None without units."""
        if not self.units:
            return None
        return math.fsum(unit.polarity for unit in self.units) / len(self.units)


def read_records(records: Iterable[Record]) -> list[AnalyzedNarrative]:
    """Return the narratives in order; one without an id is called by its number, from 1.

    Raises: ValenceECError H001 for a record that `valence-ec analyze` does not write.
    """
    return [_read_record(record, number) for number, record in enumerate(records, start=1)]


def _read_record(record: Record, number: int) -> AnalyzedNarrative:
    identity = _text_or_none(record.get("id")) or f"narrative-{number}"

    def check(holds: bool, field_name: str, expected: str) -> None:
        if not holds:
            message = Errors.H001.format(id=printable(identity), field=field_name, what=expected)
            raise ValenceECError(message)

    text = record.get("text")
    check(isinstance(text, str), "text", "a string")
    assert isinstance(text, str)
    spans: dict[str, list[Any]] = {}
    for name in ("units", "carriers"):
        found = record.get(name)
        check(found is None or isinstance(found, list), name, "a list")
        spans[name] = found or []
        for i, span in enumerate(spans[name], start=1):
            inside = isinstance(span, Mapping) and _is_inside(span, len(text))
            check(inside, f"{name}, no. {i}", "an object with `start` and `end` inside the text")
    units = []
    for i, item in enumerate(spans["units"], start=1):
        check(item.get("valence") in VALENCES, f"units, no. {i}", "labeled with a valence")
        scores = item.get("scores")
        known = scores is None or (
            isinstance(scores, Mapping) and all(_is_probability(scores.get(v)) for v in VALENCES)
        )
        check(known, f"units, no. {i}", "given the probability of each valence, or none")
        row = None if scores is None else tuple(float(scores[valence]) for valence in VALENCES)
        units.append(AnalyzedUnit(item["start"], item["end"], item["valence"], row))  # type: ignore[arg-type]
    carriers = []
    for i, item in enumerate(spans["carriers"], start=1):
        score = item.get("score")
        check(score is None or _is_probability(score), f"carriers, no. {i}", "a probability")
        carriers.append(ScoredCarrier(item["start"], item["end"], score))
    date = _text_or_none(record.get("date"))
    labels = [unit.valence for unit in units]
    given = record.get("valence")
    return AnalyzedNarrative(
        id=identity,
        text=text,
        units=tuple(sorted(units, key=lambda unit: unit.start)),
        carriers=tuple(sorted(carriers, key=lambda carrier: carrier.start)),
        narrator=_text_or_none(record.get("narrator")),
        date=date,
        when=read_date(date) if date else None,
        lang=_text_or_none(record.get("lang")) or Narrative.lang,
        valence=majority_valence(labels) if labels else given if given in _LABELS else "",
        extra={key: value for key, value in record.items() if key not in SHOWN_FIELDS},
    )


_LABELS = (*VALENCES, MIXED)


def read_date(text: str) -> datetime | None:
    """Return the local time that an ISO 8601 date tells, its first moment where it names a year, a
    month or a day only; None for another way of writing, which could mean two days."""
    text = _OFFSET_OF_ZONE.sub(r"\1", text.strip())
    if not _DATE.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(_completed(text))
    except ValueError:  # 2024-13-45
        return None


def _completed(date: str) -> str:
    """`date` with the month, the day and the microseconds that Python 3.10 needs."""
    day, separator, time = date.replace(" ", "T").partition("T")
    day += {4: "-01-01", 7: "-01"}.get(len(day), "")
    time, point, fraction = time.partition(".")
    return day + separator + time + point + fraction.ljust(6, "0") * bool(point)


def _text_or_none(value: object) -> str | None:
    """A string or a number as text; None for anything else and for white space."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value) if str(value).strip() else None


def _is_inside(span: Mapping[str, Any], length: int) -> bool:
    start, end = span.get("start"), span.get("end")
    is_whole = all(isinstance(x, int) and not isinstance(x, bool) for x in (start, end))
    return is_whole and 0 <= start <= end <= length  # type: ignore[operator]


def _is_probability(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= 1  # type: ignore[operator]
