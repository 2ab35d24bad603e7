"""`valence-ec formats`: what can be imported and exported, and what is lost on the way."""

from rich import box
from rich.console import Console
from rich.table import Table

from ..interchange.formats import FORMATS


def formats() -> None:
    """List the formats of other tools: what is read, what is written, what they cannot hold.

    Example: valence-ec formats
    """
    table = Table("format", "import reads", "export writes", "lost", box=box.SIMPLE_HEAD)
    for found in FORMATS.values():
        table.add_row(found.name, found.reads, found.writes or "-", found.lost or "-")
    Console().print(table)
