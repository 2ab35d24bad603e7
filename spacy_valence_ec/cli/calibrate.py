"""`valence-ec calibrate`: temperatures for the probabilities of a trained pipeline."""

from collections.abc import Sequence
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from ..files import atomic_folder
from ..schema import Narrative
from .console import err_console
from .evaluate import check_annotated
from .loading import BatchSize, load_pipeline
from .validate import SkipInvalid, read_valid

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from ..calibration import Calibration

EPILOG = """[bold]Examples[/bold]

valence-ec calibrate training/joint/model-best data/dev.spacy

valence-ec calibrate training/joint/model-best data/dev.spacy --test data/test.jsonl --output
training/calibrated"""

DASH = "-"


def calibrate(
    pipeline: Annotated[
        Path, typer.Argument(help="Folder of a trained pipeline.", exists=True, file_okay=False)
    ],
    data: Annotated[
        Path,
        typer.Argument(
            help="Annotated narratives (.jsonl or .spacy) that it was not trained on: dev."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder to write the calibrated pipeline to. Default: in place.",
            show_default=False,
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            help="Annotated narratives to measure on; nothing is chosen by them.",
            show_default=False,
        ),
    ] = None,
    skip_invalid: SkipInvalid = False,
    batch_size: BatchSize = None,
) -> None:
    """Fit a temperature for the probabilities of the valence and of the carriers.

    The logits are divided by it, which changes no label and no carrier, only how sure the pipeline
    says that it is (Guo et al. 2017). It is the one of least negative log-likelihood on DATA, with
    the annotated units. Not to be fitted on the narratives that the pipeline is trained or tested
    on.

    Prints the expected calibration error (ECE, ten bins) and the negative log-likelihood (NLL)
    without a temperature and with it, on DATA or on --test. Few predictions leave the temperature
    at 1.
    """
    from ..calibration import calibrate as fit
    from ..calibration import write_temperatures

    for path in filter(None, (data, test)):
        check_annotated(path)
    if output is not None:
        _check_output(output, pipeline)
    nlp = load_pipeline(str(pipeline))
    fitted_on = _read(data, nlp, skip_invalid)
    held_out = _read(test, nlp, skip_invalid) if test else None
    with err_console.status("calibrate"):
        found = fit(nlp, fitted_on, held_out=held_out, batch_size=batch_size)
    temperatures = {item.name: item.fit.temperature for item in found}
    if output is None:
        write_temperatures(pipeline, temperatures)
    else:
        with atomic_folder(output) as folder:
            copytree(pipeline, folder, dirs_exist_ok=True)
            write_temperatures(folder, temperatures)
    Console().print(_table(found))
    for item in found:
        if item.fit.kept:
            typer.echo(f"{item.name}: left at 1: {item.fit.kept}")


def _read(path: Path, nlp: "Language", skip_invalid: bool) -> "Sequence[Doc | Narrative]":
    from ..corpus.docs import read_docs

    if path.suffix.lower() == ".spacy":
        return read_docs(path, nlp.vocab)
    return read_valid(path, skip_invalid=skip_invalid)


def _check_output(output: Path, pipeline: Path) -> None:
    """Raises: typer.BadParameter for a folder that holds something, or lies in the pipeline."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise typer.BadParameter(f"{output} is there and not empty: give another folder.")
    if output.resolve().is_relative_to(pipeline.resolve()):
        raise typer.BadParameter(f"{output} lies in the pipeline: give another folder.")


def _table(found: "list[Calibration]") -> Table:
    table = Table(Column("component", no_wrap=True, min_width=max(len(i.name) for i in found)))
    for title in ("fitted on", "temperature", "measured on", "ECE", "after", "NLL", "after"):
        table.add_column(title, justify="right")
    for item in found:
        before, after = item.before, item.after
        table.add_row(
            item.name,
            str(item.fit.n),
            f"{item.fit.temperature:.3f}",
            str(len(before)),
            _shown(before.calibration_error),
            _shown(after.calibration_error),
            _shown(before.negative_log_likelihood),
            _shown(after.negative_log_likelihood),
        )
    return table


def _shown(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"
