"""Which column of a table holds what."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ..errors import Errors, ValenceECError

# Names by which a column is known, lower case, by the field that it fills.
NAMES = {
    "text": """
        text testo narrative narrativa narrazione racconto diario diary entry risposta answer
        response contenuto content messaggio message
        """.split(),  # noqa: SIM905
    "id": ["id", "codice", "code", "id_risposta", "response_id", "entry_id", "narrative_id"],
    "narrator": """
        narrator narratore person persona participant partecipante soggetto subject paziente patient
        autore author user utente
        """.split(),  # noqa: SIM905
    "date": ["date", "data", "giorno", "day", "timestamp", "datetime", "data_ora", "created_at"],
}
LONGEST_NAME = 40  # of a column: what is longer may be a narrative in a table without header
CLEARLY_LONGER = 3.0  # times that the text column is longer than any other


@dataclass(frozen=True)
class ColumnOptions:
    """The columns that a user names; None for those that are to be recognized."""

    text: str | None = None
    id: str | None = None
    narrator: str | None = None
    date: str | None = None


@dataclass(frozen=True)
class Columns:
    """The columns that hold the fields of a narrative; None where a table has none."""

    text: str
    id: str | None
    narrator: str | None
    date: str | None


def choose_columns(
    header: Sequence[str], rows: Sequence[Sequence[Any]], options: ColumnOptions, path: str
) -> Columns:
    """The columns that a user named, and for the others those with a usual name. The text is in the
    only column, or in the one whose cells are by far the longest, if none is named so.

    Raises: ValenceECError T002 for a column that is missing, T003 if it is unclear which column
    holds the text, T009 for two columns of one name.
    """
    for name in header:
        if name and header.count(name) > 1:
            raise ValenceECError(Errors.T009.format(path=path, column=name[:LONGEST_NAME]))
    chosen: dict[str, str | None] = {}
    for field in (field.name for field in fields(options)):
        name = getattr(options, field)
        if name is not None and name not in header:
            raise ValenceECError(
                Errors.T002.format(
                    path=path, column=name, option=f"--{field}-column", known=list_names(header)
                )
            )
        chosen[field] = name
    taken = set(chosen.values())
    for field, names in NAMES.items():
        if chosen[field] is None:
            known = [name for name in header if name.strip().lower() in names]
            ranked = sorted(known, key=lambda name: names.index(name.strip().lower()))
            chosen[field] = next((name for name in ranked if name not in taken), None)
            taken.add(chosen[field])
    text = chosen["text"] or find_longest(header, rows, taken)
    if text is None:
        raise ValenceECError(Errors.T003.format(path=path, known=list_names(header)))
    return Columns(text, chosen["id"], chosen["narrator"], chosen["date"])


def find_longest(
    header: Sequence[str], rows: Sequence[Sequence[Any]], taken: set[str | None]
) -> str | None:
    """The column whose cells are several times as long as those of any other that is free."""
    lengths = {
        name: sum(len(row[i]) for row in rows if isinstance(row[i], str)) / max(1, len(rows))
        for i, name in enumerate(header)
        if name not in taken
    }
    if not lengths:
        return None
    first, *others = sorted(lengths, key=lambda name: -lengths[name])
    if not lengths[first] or any(lengths[first] < CLEARLY_LONGER * lengths[o] for o in others):
        return None
    return first


def list_names(header: Sequence[str]) -> str:
    """The names of the columns, those that may be text left out."""
    names = [name for name in header if 0 < len(name) <= LONGEST_NAME]
    hidden = len(header) - len(names)
    return ", ".join(names) + (f" and {hidden} without a short name" if hidden else "")


def make_record(
    header: Sequence[str], row: Sequence[Any], number: int, columns: Columns
) -> dict[str, Any]:
    """A row as a record: `id`, `text`, and where there are such columns `narrator` and `date`, then
    every other column by its name. `number` is that of the row, by which it is called without an
    id. A column that is called like one of these fields and holds something else is kept as
    `NAME_column`."""
    cells = {name: plain_value(cell) for name, cell in zip(header, row, strict=True) if name}
    record: dict[str, Any] = {
        "id": f"row-{number}",
        "text": as_text(cells.pop(columns.text)),
    }
    for field in ("id", "narrator", "date"):
        name = getattr(columns, field)
        if name is not None and (value := cells.pop(name)) is not None:
            record[field] = value if field == "date" else as_text(value)
    for name, value in cells.items():
        record[f"{name}_column" if name in ("id", "text", "narrator", "date") else name] = value
    return record


def plain_value(cell: Any) -> Any:
    """A cell as JSON holds it: dates and times in ISO format, whole numbers without a fraction,
    None for an empty one."""
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        cell = cell.date()
    if isinstance(cell, (datetime.date, datetime.time)):
        return cell.isoformat()
    if isinstance(cell, datetime.timedelta):
        return str(cell)
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() else None if cell != cell else cell
    if isinstance(cell, Mapping):
        return {str(key): plain_value(value) for key, value in cell.items()}
    if isinstance(cell, (list, tuple)):
        return [plain_value(value) for value in cell]
    if cell is None or isinstance(cell, (str, int, bool)):
        return None if cell == "" else cell
    return str(cell)


def as_text(value: Any) -> str:
    """A cell as text; an empty one as an empty text."""
    return "" if value is None else str(value)
