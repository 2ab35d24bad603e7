"""Narratives to be given to other tools: annotated, analyzed (with probabilities) or bare."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..corpus.jsonl import Problem, check_record, narrative_to_record, read_narratives
from ..schema import Narrative
from .narratives import COMPUTED_FIELDS


@dataclass(frozen=True)
class Scored:
    """A narrative and the probabilities of its units' valences and of its carriers.

    `is_annotated` is False where nobody, person or pipeline, has set units. Scores are None for
    what a person annotated.
    """

    narrative: Narrative
    is_annotated: bool
    unit_scores: tuple[float, ...] | None = None
    carrier_scores: tuple[float, ...] | None = None

    @property
    def score(self) -> float | None:
        """That of the least certain unit; None for what was not predicted."""
        return min(self.unit_scores, default=1.0) if self.unit_scores is not None else None


@dataclass(frozen=True)
class ScoredResult:
    """Narratives in the order of the file, and what is wrong with the others."""

    items: list[Scored] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_scored(path: str | os.PathLike[str]) -> ScoredResult:
    """Read narratives, each annotated by the rules of the format, or not at all.

    Raises:
        OSError: the file is missing or cannot be read.
    """
    read = read_narratives(path, gold=False)
    result = ScoredResult(problems=list(read.problems))
    seen: set[str] = set()
    for number, narrative in enumerate(read.narratives, start=1):
        problems = []
        item = None
        if narrative.id in seen:
            problems.append(("id-duplicate", "an earlier narrative has this id"))
        seen.add(narrative.id)
        record = narrative_to_record(narrative)
        if "units" in narrative.extra:
            gold, broken = check_record(record)
            problems += broken
            if gold is not None:
                item = _scored(gold, narrative.extra)
        else:
            item = Scored(narrative, is_annotated=False)
        for rule, message in problems:
            result.problems.append(Problem(str(path), number, narrative.id, rule, message))
        if item is not None and not problems:
            result.items.append(item)
    return result


def doubtful_first(items: list[Scored]) -> list[Scored]:
    """The predicted ones by `score`, the least certain first, and then the others as they came."""
    return sorted(items, key=lambda item: (item.score is None, item.score or 0.0))


def _scored(narrative: Narrative, record: Mapping[str, Any]) -> Scored:
    units = _scores(record["units"], lambda unit: unit["scores"][unit["valence"]])
    carriers = _scores(record["carriers"], lambda carrier: carrier["score"])
    if units is not None:
        extra = {k: v for k, v in narrative.extra.items() if k not in COMPUTED_FIELDS}
        narrative = replace(narrative, extra=extra)
    return Scored(narrative, True, units, carriers)


def _scores(spans: list[dict[str, Any]], score_of: Any) -> tuple[float, ...] | None:
    """The score of each span; None if one has none."""
    try:
        found = tuple(float(score_of(span)) for span in spans)
    except (KeyError, TypeError, ValueError):
        return None
    return found or None
