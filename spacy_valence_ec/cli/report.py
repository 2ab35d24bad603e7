"""`valence-ec report`: tables, tests and figures from the records of runs."""

from pathlib import Path
from typing import Annotated

import typer

from .validate import read_valid

EPILOG = """[bold]Examples[/bold]

valence-ec report runs/tiny runs/tiny/report

valence-ec report runs/mine report --reference joint --texts my_narratives.jsonl"""


def report(
    runs: Annotated[
        Path,
        typer.Argument(
            help="Folder of the records that `experiments` wrote.", exists=True, file_okay=False
        ),
    ],
    output: Annotated[Path, typer.Argument(help="Folder to write to; made if missing.")],
    reference: Annotated[
        str | None,
        typer.Option(
            help="Setting that the others are compared with; by default the single task, or the "
            "joint model where that was not run.",
            show_default=False,
        ),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(
            help="The narratives, to quote the worst units: the report then holds their text.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write report.html, report.md, results.csv, comparisons.csv and results.tex.

    The page needs nothing else and can be printed. It names narratives by
    their ids and quotes none, unless --texts is given.
    """
    from ..experiments.record import read_records
    from ..experiments.report import write_report

    narratives = read_valid(texts, skip_invalid=False) if texts else None
    records = read_records(runs)
    for path in write_report(records, output, folder=runs, reference=reference, texts=narratives):
        typer.echo(str(path))
