"""Analyzed narratives as data frames of pandas or Polars."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, overload

from spacy.tokens import Doc

from ..corpus.docs import doc_to_record
from ..errors import Errors, ValenceECError
from ..schema import FU_KEY, VALENCES, ResultNames
from .flat import FlatTable, flatten_carriers, flatten_narratives, flatten_units

if TYPE_CHECKING:
    import pandas
    import polars

Kind = Literal["narratives", "units", "carriers"]
Backend = Literal["pandas", "polars"]
Analyzed = Doc | Mapping[str, Any]
Column = tuple[type, list[Any]]

LARGEST = 2**63 - 1  # whole number that fits into a column

FLATTEN: dict[str, Callable[[Sequence[dict[str, Any]], ResultNames], FlatTable]] = {
    "narratives": flatten_narratives,
    "units": flatten_units,
    "carriers": flatten_carriers,
}

# The types of the columns that are no fields of the input.
TYPES: dict[str, type] = {"unit": int, "start": int, "end": int, "score": float}
TYPES |= {f"p_{valence}": float for valence in VALENCES}


@overload
def to_dataframe(
    docs_or_records: Analyzed | Iterable[Analyzed],
    kind: Kind = "narratives",
    backend: Literal["pandas"] = "pandas",
    *,
    prefix: str = "",
) -> "pandas.DataFrame": ...


@overload
def to_dataframe(
    docs_or_records: Analyzed | Iterable[Analyzed],
    kind: Kind = "narratives",
    *,
    backend: Literal["polars"],
    prefix: str = "",
) -> "polars.DataFrame": ...


@overload
def to_dataframe(
    docs_or_records: Analyzed | Iterable[Analyzed],
    kind: Kind,
    backend: Literal["polars"],
    *,
    prefix: str = "",
) -> "polars.DataFrame": ...


def to_dataframe(
    docs_or_records: Analyzed | Iterable[Analyzed],
    kind: Kind = "narratives",
    backend: Backend = "pandas",
    *,
    prefix: str = "",
) -> "pandas.DataFrame | polars.DataFrame":
    """Return a data frame with a row for each narrative, unit or carrier.

    Its columns are those that `valence-ec analyze` writes to the sheet of that name. A field of the
    input whose values have no type in common is written as text.

    docs_or_records: Docs that a pipeline has processed, or records of `analyze`; several or one.
        A Doc without an id is called `text-N`.
    prefix: of the fields of the records that hold the results.

    Raises: ValenceECError I002 for what was not analyzed, I003 if the library is missing, I004 for
        another kind or backend.
    """
    check_choice("kind", kind, FLATTEN)
    check_choice("backend", backend, BUILD)
    if isinstance(docs_or_records, (Doc, Mapping)):
        docs_or_records = [docs_or_records]
    names = ResultNames(prefix)
    numbered = enumerate(docs_or_records, start=1)
    records = [to_record(analyzed, number, names) for number, analyzed in numbered]
    header, rows = FLATTEN[kind](records, names)
    cells = {name: [row[i] for row in rows] for i, name in enumerate(header)}
    types = TYPES if kind != "narratives" else narrative_types(names)
    return BUILD[backend](
        {name: to_column(values, types.get(name)) for name, values in cells.items()}
    )


def to_record(analyzed: Analyzed, number: int, names: ResultNames) -> dict[str, Any]:
    """The record of a Doc, or one as it is.

    Raises: ValenceECError I002 if nothing has analyzed it.
    """
    if isinstance(analyzed, Doc):
        if FU_KEY not in analyzed.spans:
            what = f"doc.spans['{FU_KEY}']"
            raise ValenceECError(Errors.I002.format(kind="Doc", number=number, what=what))
        record = doc_to_record(analyzed, prefix=names.prefix)
        return {"id": f"text-{number}", **record}
    if "text" not in analyzed or names.units not in analyzed:
        what = f"field '{names.units if 'text' in analyzed else 'text'}'"
        raise ValenceECError(Errors.I002.format(kind="Record", number=number, what=what))
    return dict(analyzed)


def narrative_types(names: ResultNames) -> dict[str, type]:
    """The types of the columns of narratives that are no fields of the input."""
    counts = ["units", *VALENCES, "carriers"]
    return {names.valence_score: float} | {f"{names.prefix}n_{name}": int for name in counts}


def to_column(values: Sequence[Any], known: type | None) -> Column:
    """The type of a column (bool, int, float or str) and its values, None for those missing.

    known: the type of a column of numbers that is no field of the input.
    """
    kinds = {type(value) for value in values if value is not None}
    if known is not None and kinds <= {int, float}:
        kind = known
    elif kinds == {int, float}:
        kind = float
    elif len(kinds) == 1 and kinds <= {bool, int, float}:
        (kind,) = kinds
    else:
        kind = str
    if kind is int and any(value is not None and abs(value) > LARGEST for value in values):
        kind = str
    convert = as_text if kind is str else kind
    return kind, [None if value is None else convert(value) for value in values]


def as_text(value: Any) -> str:
    """A value as text that UTF-8 can encode: half an emoji becomes "?"."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def build_pandas(columns: Mapping[str, Column]) -> "pandas.DataFrame":
    """A data frame of pandas, whose whole numbers and truth values can be missing."""
    pandas = import_library("pandas")
    types = {bool: "boolean", int: "Int64", float: "float64", str: "string"}
    return pandas.DataFrame(
        {name: pandas.Series(values, dtype=types[kind]) for name, (kind, values) in columns.items()}
    )


def build_polars(columns: Mapping[str, Column]) -> "polars.DataFrame":
    """A data frame of Polars."""
    polars = import_library("polars")
    types = {bool: polars.Boolean, int: polars.Int64, float: polars.Float64, str: polars.String}
    return polars.DataFrame(
        {name: polars.Series(values, dtype=types[kind]) for name, (kind, values) in columns.items()}
    )


BUILD: dict[str, Callable[[Mapping[str, Column]], Any]] = {
    "pandas": build_pandas,
    "polars": build_polars,
}


def import_library(name: str) -> Any:
    """An optional library.

    Raises: ValenceECError I003 if it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ValenceECError(Errors.I003.format(name=name)) from error


def check_choice(name: str, value: str, known: Iterable[str]) -> None:
    """Raises: ValenceECError I004 if `value` is not among `known`."""
    known = list(known)
    if value not in known:
        raise ValenceECError(Errors.I004.format(name=name, known=", ".join(known), value=value))
