"""The figures of each person as a table."""

from collections.abc import Iterable
from typing import Any

from ..page.people import Summary, summarize_people
from ..schema import VALENCES
from .flat import FlatTable, Row


def flatten_people(records: Iterable[dict[str, Any]]) -> FlatTable:
    """A row a person, and the last one for all: number of narratives and units, mean score with its
    95% interval, and the mean share of the units of each valence."""
    people = summarize_people(records)
    shares = [f"share_{valence}" for valence in VALENCES]
    counts = ["n_narratives", "n_units"]
    header = ["narrator", *counts, "score", "score_low", "score_high", *shares]
    rows = [summary_row(person.narrator or "", person) for person in people.people]
    return header, [*rows, summary_row("(all)", people.overall)]


def summary_row(name: str, summary: Summary) -> Row:
    """The figures of some narratives as cells."""
    score = summary.score
    means = [summary.shares.get(valence) for valence in VALENCES]
    return [
        name,
        summary.n_narratives,
        summary.n_units,
        *((score.value, score.low, score.high) if score else (None, None, None)),
        *(mean.value if mean else None for mean in means),
    ]
