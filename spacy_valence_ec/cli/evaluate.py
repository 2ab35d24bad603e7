"""`valence-ec evaluate`: every metric of a pipeline on annotated narratives."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..errors import Errors, ValenceECError
from ..evaluation import Evaluation, evaluate_by
from ..evaluation import evaluate as evaluate_pipeline
from ..files import atomic_write
from ..first_step import FirstStep, parse_first_step
from ..schema import Narrative
from .corpus import tokenized
from .loading import BatchSize, load_pipeline
from .main import err_console
from .validate import SkipInvalid, read_valid

if TYPE_CHECKING:
    from spacy.tokens import Doc

EPILOG = """[bold]Examples[/bold]

valence-ec evaluate it_valence_ec data/test.jsonl

valence-ec evaluate training/joint/model-best mine.jsonl --skip-invalid --output metrics.json

valence-ec evaluate it_valence_ec corpus/challenge.jsonl --by challenge

valence-ec evaluate training/two-step-valence-ec/model-best data/test.jsonl --first-step oracle"""

# The columns of the table of groups; the JSON has every metric.
GROUP_COLUMNS = {
    "n_narratives": "n",
    "n_targets": "units",
    "target_accuracy": "val. acc.",
    "valence_macro_f": "val. F",
    "gold_units_ec_partial_f": "EC ~F",
    "fu_f": "FU F",
    "joint_f": "joint F",
}

# What each key means, in the order of the table; a key that is not here is shown all the same.
DESCRIPTIONS = {
    "fu_boundary_p": "unit boundaries, precision",
    "fu_boundary_r": "unit boundaries, recall",
    "fu_boundary_f": "unit boundaries, F1",
    "fu_p": "units with both edges right, precision",
    "fu_r": "units with both edges right, recall",
    "fu_f": "units with both edges right, F1",
    "fu_windowdiff": "WindowDiff (lower is better)",
    "valence_macro_f": "valence on gold units, macro F1",
    "valence_f_negative": "valence on gold units, F1 of negative",
    "valence_f_neutral": "valence on gold units, F1 of neutral",
    "valence_f_positive": "valence on gold units, F1 of positive",
    "e2e_valence_macro_f": "valence end to end, over tokens, macro F1",
    "e2e_valence_f_negative": "valence end to end, F1 of negative",
    "e2e_valence_f_neutral": "valence end to end, F1 of neutral",
    "e2e_valence_f_positive": "valence end to end, F1 of positive",
    "ec_macro_f": "carrier candidates, macro F1 (the paper's)",
    "ec_positive_f": "carrier candidates, F1 of the carriers",
    "ec_token_p": "carrier tokens, precision",
    "ec_token_r": "carrier tokens, recall",
    "ec_token_f": "carrier tokens, F1",
    "ec_exact_p": "carriers with both edges right, precision",
    "ec_exact_r": "carriers with both edges right, recall",
    "ec_exact_f": "carriers with both edges right, F1",
    "ec_partial_p": "carriers, any overlap, precision",
    "ec_partial_r": "carriers, any overlap, recall",
    "ec_partial_f": "carriers, any overlap, F1",
    "joint_p": "units right in edges, valence and carriers, precision",
    "joint_r": "units right in edges, valence and carriers, recall",
    "joint_f": "units right in edges, valence and carriers, F1",
    "gold_units_ec_token_f": "carrier tokens on gold units, F1",
    "gold_units_ec_exact_f": "exact carriers on gold units, F1",
    "gold_units_ec_partial_f": "overlapping carriers on gold units, F1",
    "gold_units_joint_f": "valence and carriers right on gold units, F1",
    "invalid_answers": "units whose freely written answer could not be read, share",
    "n_narratives": "narratives",
    "n_units": "annotated units",
    "n_carriers": "annotated carriers",
    "n_tokens": "tokens",
    "words_per_second": "tokens a second, end to end",
}


def evaluate(
    model: Annotated[str, typer.Argument(help="Pipeline: name of a package, or a folder.")],
    data: Annotated[Path, typer.Argument(help="Annotated narratives: .jsonl or .spacy.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write the metrics to, as JSON.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="Score each group of narratives with the same value of this field."),
    ] = None,
    first_step: Annotated[
        str,
        typer.Option(
            help="First step of a two-step pipeline: 'predicted' by itself, 'oracle' for the gold "
            "labels, or 'noise:RATE' for gold labels of which this share is replaced."
        ),
    ] = "predicted",
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    skip_invalid: SkipInvalid = False,
    batch_size: BatchSize = None,
) -> None:
    """Score a pipeline on annotated narratives, end to end and on the annotated units.

    Prints a table on a terminal, or when --output takes the JSON; JSON elsewhere. A metric that
    is not defined (nothing to find, nothing found) is "-" in the table and null in JSON.

    With --by there is one row a group: the accuracy of the valence is that of the units in the
    narratives' field "targets", or of all.
    """
    if data.suffix.lower() not in (".jsonl", ".spacy"):
        raise ValenceECError(Errors.M005.format(path=data, suffixes=".jsonl or .spacy"))
    if not data.is_file():
        raise ValenceECError(Errors.M004.format(path=data))
    if by is not None and data.suffix.lower() != ".jsonl":
        raise ValenceECError(Errors.M008.format(path=data))
    given = parse_first_step(first_step, seed) or first_step
    if output is None:
        metrics = _evaluate(model, data, by, given, skip_invalid, batch_size)
    else:
        with atomic_write(output) as handle:
            metrics = _evaluate(model, data, by, given, skip_invalid, batch_size)
            handle.write(_as_json(metrics))
    if output is None and not sys.stdout.isatty():
        typer.echo(_as_json(metrics), nl=False)
    elif by is None:
        Console().print(metrics_table(cast(Evaluation, metrics)))
    else:
        Console().print(groups_table(by, cast("dict[str, Evaluation]", metrics)))


def metrics_table(metrics: Evaluation) -> Table:
    """Every metric with its key in the JSON."""
    table = Table("metric", "key")
    table.add_column("value", justify="right")
    known = [key for key in DESCRIPTIONS if key in metrics]
    for key in [*known, *(key for key in metrics if key not in DESCRIPTIONS)]:
        shown = _shown(key, metrics[key])
        table.add_row(DESCRIPTIONS.get(key, ""), key, shown)
    return table


def groups_table(field: str, groups: dict[str, Evaluation]) -> Table:
    """One row a group, with the metrics of `GROUP_COLUMNS`."""
    table = Table()
    table.add_column(field, no_wrap=True)
    for title in GROUP_COLUMNS.values():
        table.add_column(title, justify="right")
    for value, metrics in groups.items():
        table.add_row(value, *(_shown(key, metrics[key]) for key in GROUP_COLUMNS))
    return table


def _shown(key: str, value: float | int | None) -> str:
    if value is None:
        return "-"
    if key == "words_per_second":
        return f"{value:.0f}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _evaluate(
    model: str,
    data: Path,
    by: str | None,
    first_step: FirstStep,
    skip_invalid: bool,
    batch_size: int | None,
) -> "Evaluation | dict[str, Evaluation]":
    from ..corpus.docs import read_docs

    items: Sequence[Doc | Narrative]
    if data.suffix.lower() == ".spacy":
        nlp = load_pipeline(model)
        items = read_docs(data, nlp.vocab)
    else:
        narratives = read_valid(data, skip_invalid=skip_invalid)
        nlp = load_pipeline(model)
        items = narratives if by else list(tokenized(narratives, nlp).values())
    with Progress(
        console=err_console, transient=True, disable=not err_console.is_terminal
    ) as progress:
        task = progress.add_task("evaluate", total=2 * len(items))

        def advance() -> None:
            progress.advance(task)

        if by is not None:
            return evaluate_by(
                nlp, narratives, by, first_step=first_step, batch_size=batch_size, on_doc=advance
            )
        return evaluate_pipeline(
            nlp, items, first_step=first_step, batch_size=batch_size, on_doc=advance
        )


def _as_json(metrics: "Evaluation | dict[str, Evaluation]") -> str:
    return json.dumps(metrics, indent=2) + "\n"
