"""Analyzed narratives as flat tables: of narratives, units and carriers."""

from collections.abc import Iterator, Sequence
from typing import Any

import srsly

from ..schema import VALENCES, ResultNames

Row = list[Any]
FlatTable = tuple[list[str], list[Row]]

KEYS = ("id", "narrator", "date")  # by which units and carriers are joined to their narrative


def flatten_narratives(records: Sequence[dict[str, Any]], names: ResultNames) -> FlatTable:
    """A row a narrative: every field of the input, what holds lists as JSON, then the narrative's
    valence, its counts, and units and carriers as JSON."""
    fields = list(dict.fromkeys(name for record in records for name in record))
    fields = [name for name in fields if name not in names.all]
    counts = ["n_units", *(f"n_{valence}" for valence in VALENCES), "n_carriers"]
    counts = [names.prefix + name for name in counts]
    header = [*fields, names.valence, names.valence_score, *counts, names.units, names.carriers]
    rows = []
    for record in records:
        units = record.get(names.units, [])
        carriers = record.get(names.carriers, [])
        labels = [unit["valence"] for unit in units]
        rows.append(
            [
                *(to_cell(record.get(name)) for name in fields),
                record.get(names.valence),
                record.get(names.valence_score),
                len(units),
                *(labels.count(valence) for valence in VALENCES),
                len(carriers),
                srsly.json_dumps(units),
                srsly.json_dumps(carriers),
            ]
        )
    return header, rows


def flatten_units(records: Sequence[dict[str, Any]], names: ResultNames) -> FlatTable:
    """A row a unit: its narrative, number from 1, offsets in code points, text, valence, the
    probability of each, and its carriers, one a line."""
    keys = present_keys(records)
    probabilities = [f"p_{valence}" for valence in VALENCES]
    header = [*keys, "unit", "start", "end", "text", "valence", *probabilities, "carriers"]
    rows = []
    for record in records:
        text = record["text"]
        for number, unit, carriers in iterate_units(record, names):
            scores = unit.get("scores", {})
            rows.append(
                [
                    *(to_cell(record.get(key)) for key in keys),
                    number,
                    unit["start"],
                    unit["end"],
                    text[unit["start"] : unit["end"]],
                    unit["valence"],
                    *(scores.get(valence) for valence in VALENCES),
                    "\n".join(text[c["start"] : c["end"]] for c in carriers),
                ]
            )
    return header, rows


def flatten_carriers(records: Sequence[dict[str, Any]], names: ResultNames) -> FlatTable:
    """A row a carrier: its narrative, the number of its unit, offsets, text, score, and the valence
    of the unit."""
    keys = present_keys(records)
    header = [*keys, "unit", "start", "end", "carrier", "score", "valence"]
    rows = []
    for record in records:
        for number, unit, carriers in iterate_units(record, names):
            for carrier in carriers:
                rows.append(
                    [
                        *(to_cell(record.get(key)) for key in keys),
                        number,
                        carrier["start"],
                        carrier["end"],
                        record["text"][carrier["start"] : carrier["end"]],
                        carrier.get("score"),
                        unit["valence"],
                    ]
                )
    return header, rows


def iterate_units(
    record: dict[str, Any], names: ResultNames
) -> Iterator[tuple[int, dict[str, Any], list[dict[str, Any]]]]:
    """The units of a record: number from 1, unit, and the carriers that begin in it."""
    carriers = record.get(names.carriers, [])
    for number, unit in enumerate(record.get(names.units, []), start=1):
        yield number, unit, [c for c in carriers if unit["start"] <= c["start"] < unit["end"]]


def present_keys(records: Sequence[dict[str, Any]]) -> list[str]:
    """Those of `KEYS` that some record has."""
    return [key for key in KEYS if any(key in record for record in records)]


def to_cell(value: Any) -> Any:
    """A value as a cell: lists and objects as JSON."""
    return srsly.json_dumps(value) if isinstance(value, (list, dict, tuple)) else value
