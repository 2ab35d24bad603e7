"""Analyzed narratives on a terminal."""

import unicodedata
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..schema import MIXED, NEGATIVE, NEUTRAL, POSITIVE, ResultNames
from ..tables.flat import iterate_units

STYLES = {POSITIVE: "green", NEGATIVE: "red", NEUTRAL: "dim", MIXED: "yellow"}
SYMBOLS = {POSITIVE: "+", NEGATIVE: "−", NEUTRAL: "·", MIXED: "±"}
ASCII_SYMBOLS = {POSITIVE: "+", NEGATIVE: "-", NEUTRAL: ".", MIXED: "~"}
CARRIER_STYLE = "bold underline"


def print_table(record: dict[str, Any], console: Console, names: ResultNames) -> None:
    """The narrative's valence, then its units: valence, probability, text with the carriers in
    brackets. Without color it says the same."""
    symbols = ASCII_SYMBOLS if console.options.ascii_only else SYMBOLS
    valence = record.get(names.valence)
    title = Text(f"{escape_controls(str(record.get('id', '')))}: ", style="bold")
    title.append(
        f"{symbols.get(valence or '', '')} {valence or '?'}", STYLES.get(valence or "", "")
    )
    if names.valence_score in record:
        title.append(f" ({record[names.valence_score]:+.2f})", style="not bold")
    console.print(title)
    if not record.get(names.units):
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("#", justify="right", style="dim")
    table.add_column("valence", no_wrap=True)
    table.add_column("p", justify="right")
    table.add_column("functional unit", overflow="fold")
    for number, unit, carriers in iterate_units(record, names):
        label = unit["valence"]
        probability = unit.get("scores", {}).get(label)
        style = STYLES.get(label, "")
        table.add_row(
            str(number),
            Text(f"{symbols.get(label, '')} {label}", style=style),
            "" if probability is None else f"{probability:.2f}",
            mark_carriers(record["text"], unit, carriers, style),
        )
    console.print(table)


def mark_carriers(
    text: str, unit: dict[str, Any], carriers: list[dict[str, Any]], style: str
) -> Text:
    """The text of a unit with its carriers in brackets."""
    marked = Text(style=style)
    offset = unit["start"]
    for carrier in carriers:
        end = min(carrier["end"], unit["end"])
        marked.append(escape_controls(text[offset : carrier["start"]]))
        marked.append(f"[{escape_controls(text[carrier['start'] : end])}]", style=CARRIER_STYLE)
        offset = end
    marked.append(escape_controls(text[offset : unit["end"]]))
    return marked


def escape_controls(text: str) -> str:
    """`text` in a form that cannot steer a terminal: line breaks and tabs as spaces, control
    characters and those that turn the direction of writing as escapes."""
    return "".join(
        " " if char in "\n\r\t" else _escaped(char) if _steers(char) else char for char in text
    )


def _steers(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(
        char
    ) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
