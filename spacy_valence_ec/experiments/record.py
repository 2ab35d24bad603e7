"""What a run leaves: one file of JSON, without any text of a narrative."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example

from ..errors import Errors, ValenceECError
from ..files import atomic_write
from ..metrics import Edges, Pair
from ..schema import EC_KEY, FU_KEY, LABELS_ATTR, SCORES_ATTR, VALENCES, Narrative
from ..scorers import judge_candidates, to_pair

FORMAT = 2
DECIMALS = 6
# What a report asks of a record.
NEEDED = {"name", "run", "tasks", "data", "environment", "parameters", "evaluations"}

VALENCE, CARRIERS = TASKS = ("valence", "carriers")

Record = dict[str, Any]


def predictions_of(
    narratives: Sequence[Narrative], examples: Sequence[Example], tasks: Sequence[str]
) -> list[Record]:
    """For each narrative what significance tests and the report need, predicted on gold units.

    `units` are offsets of characters; `scores` the probabilities of each unit, in the order of
    `VALENCES`, or None; `candidates` pairs of gold and predicted judgment; `spans` the counts
    (right predicted, predicted, found gold, gold) by which carriers are scored; `carrier_scores`
    the probability of each predicted carrier and whether it overlaps a gold one. What the system
    does not do is None.
    """
    return [
        _prediction(narrative.id, example, tasks)
        for narrative, example in zip(narratives, examples, strict=True)
    ]


def _prediction(identity: str, example: Example, tasks: Sequence[str]) -> Record:
    pair = to_pair(example)
    gold, predicted = pair
    units = list(example.predicted.spans[FU_KEY])
    if gold.units != predicted.units or len(units) != len(gold.units):
        raise ValueError(f"{identity}: not predicted on the gold units")
    found: Record = {
        "id": identity,
        "units": [[unit.start_char, unit.end_char] for unit in units],
        "gold": list(gold.valences),
        "predicted": None,
        "scores": None,
        "gold_carrier": _holds_carrier(gold.units, gold.carrier_tokens()),
        "predicted_carrier": None,
        "candidates": None,
        "spans": None,
        "carrier_scores": None,
    }
    if VALENCE in tasks:
        found["predicted"] = list(predicted.valences)
        found["scores"] = _unit_scores(example.predicted)
    if CARRIERS in tasks:
        found["predicted_carrier"] = _holds_carrier(predicted.units, predicted.carrier_tokens())
        found["candidates"] = [[int(g), int(p)] for g, p in judge_candidates(example, pair)]
        found["spans"] = _span_counts(pair)
        found["carrier_scores"] = _carrier_scores(example.predicted, pair)
    return found


def _holds_carrier(units: Sequence[Edges], tokens: set[int]) -> list[int]:
    return [int(any(i in tokens for i in range(*unit))) for unit in units]


def _unit_scores(doc: Doc) -> list[list[float]] | None:
    group = doc.spans[FU_KEY]
    scores = group.attrs.get(SCORES_ATTR)
    if scores is None:
        return None
    labels = list(group.attrs.get(LABELS_ATTR, VALENCES))
    columns = [labels.index(label) for label in VALENCES]
    return [[round(float(row[i]), DECIMALS) for i in columns] for row in scores]


def _span_counts(pair: Pair) -> dict[str, list[int]]:
    gold, predicted = pair
    in_gold, in_predicted = gold.carrier_tokens(), predicted.carrier_tokens()
    exact = len(set(gold.carriers) & set(predicted.carriers))
    token = len(in_gold & in_predicted)
    n_predicted, n_gold = len(set(predicted.carriers)), len(set(gold.carriers))
    return {
        "token": [token, len(in_predicted), token, len(in_gold)],
        "exact": [exact, n_predicted, exact, n_gold],
        "partial": [
            sum(_overlaps(span, in_gold) for span in predicted.carriers),
            n_predicted,
            sum(_overlaps(span, in_predicted) for span in gold.carriers),
            n_gold,
        ],
    }


def _overlaps(span: Edges, tokens: set[int]) -> bool:
    return any(i in tokens for i in range(*span))


def _carrier_scores(doc: Doc, pair: Pair) -> list[list[float]] | None:
    group = doc.spans[EC_KEY] if EC_KEY in doc.spans else None
    scores = group.attrs.get(SCORES_ATTR) if group is not None else None
    in_gold = pair[0].carrier_tokens()
    if scores is None or len(scores) != len(pair[1].carriers):
        return None
    return [
        [round(float(score), DECIMALS), int(_overlaps(span, in_gold))]
        for score, span in zip(scores, pair[1].carriers, strict=True)
    ]


def write_record(path: Path, record: Record) -> None:
    """Write a record in place of what is at `path`, or leave that as it is on any error."""
    with atomic_write(path) as handle:
        json.dump(record, handle, allow_nan=False, sort_keys=True)
        handle.write("\n")


def read_record(path: Path) -> Record:
    """Raises: ValenceECError E008 for a file that is no record of this format."""
    try:
        record = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValenceECError(Errors.E008.format(path=path, why="not JSON")) from error
    if not isinstance(record, dict) or not {"run", "evaluations", "data"} <= record.keys():
        raise ValenceECError(Errors.E008.format(path=path, why="fields are missing"))
    if record.get("format") != FORMAT:
        why = f"of format {record.get('format')}, not {FORMAT}"
        raise ValenceECError(Errors.E008.format(path=path, why=why))
    return record


def read_records(folder: Path) -> list[Record]:
    """The records of a folder, in order of their files.

    Raises: ValenceECError E008, or E009 if there is none.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        record = read_record(path)
        if not (record.keys() >= NEEDED and record["evaluations"] and record["run"]):
            raise ValenceECError(Errors.E008.format(path=path, why="fields are missing"))
        found.append(record)
    if not found:
        raise ValenceECError(Errors.E009.format(folder=folder))
    return found
