"""`valence-ec evaluate`: every metric of a pipeline on annotated narratives."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..corpus.jsonl import is_jsonl
from ..errors import Errors, ValenceECError
from ..evaluation import Evaluation, evaluate_by, valence_confusions
from ..evaluation import evaluate as evaluate_pipeline
from ..files import atomic_write
from ..first_step import CONFUSION, NOISE, PREDICTED, parse_first_step, parse_mode, two_steps
from ..schema import Narrative
from .console import err_console
from .corpus import tokenized
from .loading import BatchSize, load_pipeline
from .validate import SkipInvalid, read_valid

if TYPE_CHECKING:
    from spacy.language import Language
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
            "labels, 'noise-distribution@RATE' for gold labels of which this share is replaced, "
            "or 'noise-confusion@RATE' for replacing them as the first step confuses them."
        ),
    ] = PREDICTED,
    confusions_on: Annotated[
        Path | None,
        typer.Option(
            help="Annotated narratives to count these confusions on: .jsonl or .spacy, such as "
            "the dev part, and not the narratives that are evaluated on.",
            dir_okay=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the noise.")] = 0,
    skip_invalid: SkipInvalid = False,
    batch_size: BatchSize = None,
) -> None:
    """Score a pipeline on annotated narratives, end to end and on the annotated units.

    Prints a table on a terminal, or when --output takes the JSON; JSON elsewhere. A metric that
    is not defined (nothing to find, nothing found) is "-" in the table and null in JSON.

    With --by there is one row a group: the accuracy of the valence is that of the units in the
    narratives' field "targets", or of all.
    """
    for path in [data, *([confusions_on] if confusions_on else [])]:
        check_annotated(path)
    if by is not None and not is_jsonl(data):
        raise ValenceECError(Errors.M008.format(path=data))
    try:
        mode = parse_mode(first_step)
    except ValenceECError as error:
        raise typer.BadParameter(str(error)) from error
    if (mode.noise == CONFUSION) != (confusions_on is not None):
        raise typer.BadParameter(
            f"'{NOISE}-{CONFUSION}@RATE' and --confusions-on go together: give both, or neither."
        )

    if confusions_on is not None and confusions_on.resolve() == data.resolve():
        raise typer.BadParameter("--confusions-on must not be the file that is evaluated on.")

    def evaluated() -> "Evaluation | dict[str, Evaluation]":
        return _evaluate(model, data, by, first_step, seed, confusions_on, skip_invalid, batch_size)

    if output is None:
        metrics = evaluated()
    else:
        with atomic_write(output) as handle:
            metrics = evaluated()
            handle.write(_as_json(metrics))
    if output is None and not sys.stdout.isatty():
        typer.echo(_as_json(metrics), nl=False)
    elif by is None:
        Console().print(metrics_table(cast(Evaluation, metrics)))
    else:
        Console().print(groups_table(by, cast("dict[str, Evaluation]", metrics)))


def check_annotated(data: Path) -> None:
    """Raises: ValenceECError M005 for a file that is neither .jsonl nor .spacy, M004 for none."""
    if not is_jsonl(data) and data.suffix.lower() != ".spacy":
        raise ValenceECError(Errors.M005.format(path=data, suffixes=".jsonl or .spacy"))
    if not data.is_file():
        raise ValenceECError(Errors.M004.format(path=data))


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
    first_step: str,
    seed: int,
    confusions_on: Path | None,
    skip_invalid: bool,
    batch_size: int | None,
) -> "Evaluation | dict[str, Evaluation]":
    # What is wrong with the narratives is told before the pipeline is loaded.
    read = {
        path: read_valid(path, skip_invalid=skip_invalid)
        for path in (data, confusions_on)
        if path is not None and is_jsonl(path)
    }
    nlp = load_pipeline(model)
    confusions = None
    if confusions_on is not None:
        if not two_steps(nlp).of_valence:
            raise ValenceECError(Errors.V027.format(value=first_step))
        dev = _items(confusions_on, read, nlp)
        confusions = valence_confusions(nlp, dev, batch_size=batch_size)
    given = parse_first_step(first_step, seed, confusions) or first_step
    items: Sequence[Doc | Narrative] = read[data] if by else _items(data, read, nlp)
    with Progress(
        console=err_console, transient=True, disable=not err_console.is_terminal
    ) as progress:
        task = progress.add_task("evaluate", total=2 * len(items))

        def advance() -> None:
            progress.advance(task)

        if by is not None:
            return evaluate_by(
                nlp, read[data], by, first_step=given, batch_size=batch_size, on_doc=advance
            )
        return evaluate_pipeline(
            nlp, items, first_step=given, batch_size=batch_size, on_doc=advance
        )


def _items(path: Path, read: Mapping[Path, list[Narrative]], nlp: "Language") -> "list[Doc]":
    from ..corpus.docs import read_docs

    if path in read:
        return list(tokenized(read[path], nlp).values())
    return read_docs(path, nlp.vocab)


def _as_json(metrics: "Evaluation | dict[str, Evaluation]") -> str:
    return json.dumps(metrics, indent=2) + "\n"
