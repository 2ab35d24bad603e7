"""`valence-ec explain`: what speaks for the valence of each unit, token by token."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..corpus.jsonl import is_jsonl, read_narratives, record_to_line
from ..errors import Errors, ValenceECError, ValenceECWarning, Warnings
from ..files import atomic_write
from ..schema import FU_KEY, NEGATIVE, NEUTRAL, POSITIVE, VALENCES, Narrative
from .console import err_console, fail
from .inputs import Reader, TextOption, as_file
from .loading import BatchSize, load_pipeline
from .outputs import print_part, show_results
from .terminal import ASCII_SYMBOLS, STYLES, SYMBOLS, escape_controls
from .validate import print_problems

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.training import Example

    from ..explanation import Overlap, UnitAttribution
    from ..explanation.view import Explained

EPILOG = """[bold]Examples[/bold]

valence-ec explain it_valence_ec "Ieri sono andata dal medico. Che paura!"

valence-ec explain it_valence_ec diario.txt --unit 2 --target negative

valence-ec explain it_valence_ec data/test.jsonl --gold --target gold --output test.html"""

MAX_GAP = 0.1  # of the logit, above which a person is told


class Format(str, Enum):
    """What the results look like."""

    TABLE = "table"
    JSONL = "jsonl"
    HTML = "html"


class Target(str, Enum):
    """Which label is explained."""

    PREDICTED = "predicted"
    GOLD = "gold"
    NEGATIVE = NEGATIVE
    NEUTRAL = NEUTRAL
    POSITIVE = POSITIVE


def explain(
    pipeline: Annotated[str, typer.Argument(help="Pipeline: name of a package, or a folder.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT or FILE]...",
            help="Texts, .txt files (one narrative each) and .jsonl files, as `analyze` takes; "
            "'-' is a text on standard input. With --gold annotated .jsonl files.",
            show_default=False,
        ),
    ] = None,
    text: TextOption = None,
    unit: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Number of a unit to explain; may be repeated. Default: all."),
    ] = None,
    target: Annotated[
        Target, typer.Option(help="The label to explain; 'gold' needs --gold.")
    ] = Target.PREDICTED,
    steps: Annotated[int, typer.Option(min=1, help="Points of the integral.")] = 32,
    output_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            help="Default: a table on a terminal, JSON Lines elsewhere; HTML for a file of "
            "that name.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write instead of printing.")
    ] = None,
    gold: Annotated[
        bool,
        typer.Option(
            "--gold", help="Explain the annotated units, and compare with the annotated carriers."
        ),
    ] = False,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="Put the text into JSON Lines too.")
    ] = False,
    batch_size: BatchSize = None,
) -> None:
    """Show what each token of a unit adds to the score of its valence (integrated gradients).

    In the table the strongest tokens have a number: above zero they speak for the label,
    below against it; the carriers stand in [ ]. JSON Lines hold ids, offsets and numbers, but
    no text. With --gold, tokens are compared with carriers: the report is printed with the
    table, and beside other formats on standard error. The time grows with the number of units
    times the length of the narrative.
    """
    if target is Target.GOLD and not gold:
        raise typer.BadParameter("'gold' needs annotated narratives: give --gold too.")
    if not inputs and not text:
        raise typer.BadParameter("give a text or a file.")
    if text and gold:
        raise typer.BadParameter("--gold takes files of annotated narratives, and no --text.")
    source: Reader | GoldReader = GoldReader() if gold else Reader()
    found: list[Any] = list(chain.from_iterable(map(source.read, inputs or ())))
    if isinstance(source, Reader):
        found.extend(source.read_texts(text or ()))
    if found:
        chosen = output_format or _default_format(output)
        with ExitStack() as stack:
            handle = stack.enter_context(atomic_write(output)) if output else None
            nlp = load_pipeline(pipeline)
            run = _Run(nlp, unit, target, steps, batch_size)
            _write(run, found, gold, chosen, handle, with_text)
            run.check()
    if source.failed:
        raise typer.Exit(1)


class GoldReader:
    """Reads files of annotated narratives. `failed` tells whether something was reported."""

    def __init__(self) -> None:
        self.failed = False

    def read(self, given: str) -> Iterator[Narrative]:
        try:
            path = as_file(given)
        except ValenceECError as error:
            self._report(str(error))
            return
        if path is None or not is_jsonl(path):
            self._report(Errors.M011)  # it may be a text, which is not to stand in a message
            return
        try:
            result = read_narratives(path)
        except OSError as error:
            self._report(f"{given}: {error.strerror or type(error).__name__}")
            return
        print_problems(result.problems)
        self.failed |= bool(result.problems)
        yield from result.narratives

    def _report(self, message: str) -> None:
        fail(message)
        self.failed = True


class _Run:
    """Explains narratives, and keeps what is said of all of them at the end."""

    def __init__(
        self,
        nlp: "Language",
        numbers: Sequence[int] | None,
        target: Target,
        steps: int,
        batch_size: int | None,
    ) -> None:
        from ..explanation import Explainer

        self.nlp = nlp
        self.explainer: Explainer = Explainer(nlp)
        self.numbers = numbers
        self.target = target
        self.steps = steps
        self.batch_size = batch_size
        self.compared: list[tuple[Example, Sequence[UnitAttribution]]] = []
        self.n_units = self.n_inexact = 0

    def of_records(self, records: Sequence[dict[str, Any]]) -> Iterator["Explained"]:
        from ..explanation.view import Explained
        from ..extensions import get_emotion_carriers

        pairs = [(record["text"], record) for record in records]
        self.nlp.max_length = max(self.nlp.max_length, *(len(text) for text, _ in pairs))
        for doc, record in self.nlp.pipe(pairs, as_tuples=True, batch_size=self.batch_size):
            carriers = {token.i for span in get_emotion_carriers(doc) for token in span}
            units = self._explain(doc, None)
            yield Explained(str(record.get("id", "")), doc, units, carriers)

    def of_narratives(self, narratives: Sequence[Narrative]) -> Iterator["Explained"]:
        from spacy.training import Example

        from ..corpus.docs import narratives_to_docs
        from ..evaluation import SEGMENTER_FACTORY, with_gold_units
        from ..explanation.view import Explained
        from ..pipeline.condition import gold_carrier_marks, gold_valences

        nlp = self.nlp
        nlp.max_length = max(nlp.max_length, *(len(n.text) for n in narratives))
        references, snapping = narratives_to_docs(narratives, nlp)
        snapping.warn()
        names = [n for n in nlp.pipe_names if nlp.get_pipe_meta(n).factory == SEGMENTER_FACTORY]
        docs = (with_gold_units(nlp, reference) for reference in references)
        with nlp.select_pipes(disable=names):
            analyzed = nlp.pipe(docs, batch_size=self.batch_size)
            for narrative, reference, doc in zip(narratives, references, analyzed, strict=True):
                example = Example(doc, reference)
                valences = [VALENCES[i] if i >= 0 else None for i in gold_valences(example)]
                carriers = set((gold_carrier_marks(example) == 1).nonzero()[0].tolist())
                units = self._explain(doc, valences)
                self.compared.append((example, units))
                yield Explained(narrative.id, doc, units, carriers, valences)

    def _explain(self, doc: Any, valences: Sequence[str | None] | None) -> "list[UnitAttribution]":
        targets: Any = self.target.value
        if self.target is Target.PREDICTED:
            targets = None
        elif self.target is Target.GOLD and valences is not None:
            targets = [valence or NEUTRAL for valence in valences]
        chosen = None
        if self.numbers is not None:
            n_units = len(doc.spans[FU_KEY]) if FU_KEY in doc.spans else 0
            chosen = sorted({number - 1 for number in self.numbers if number <= n_units})
        units = self.explainer.explain(doc, targets=targets, units=chosen, steps=self.steps)
        self.n_units += len(units)
        self.n_inexact += sum(abs(unit.gap) > MAX_GAP for unit in units)
        return units

    def overlap(self) -> "Overlap":
        from ..explanation import carrier_overlap

        return carrier_overlap(self.compared)

    def check(self) -> None:
        """Say what a person should know of the result.

        Raises: ValenceECError M012 when no narrative has one of the units asked for.
        """
        if self.numbers is not None and not self.n_units:
            raise ValenceECError(Errors.M012.format(numbers=self.numbers))
        if self.n_inexact:
            message = Warnings.W005.format(
                n=self.n_inexact, total=self.n_units, gap=MAX_GAP, steps=self.steps
            )
            warnings.warn(message, ValenceECWarning, stacklevel=2)


def _default_format(output: Path | None) -> Format:
    if output is not None and output.suffix.lower() in (".html", ".htm"):
        return Format.HTML
    return Format.TABLE if output is None and sys.stdout.isatty() else Format.JSONL


def _write(
    run: _Run,
    found: Sequence[Any],
    gold: bool,
    output_format: Format,
    handle: IO[str] | None,
    with_text: bool,
) -> None:
    from ..explanation.view import to_html, to_record

    with show_results(handle) as (console, progress):
        narratives = progress.track(
            run.of_narratives(found) if gold else run.of_records(found),
            total=len(found),
            description="explain",
        )
        if output_format is Format.HTML:
            explained = list(narratives)
            for part in to_html(explained, run.overlap() if gold else None):
                print_part(part, handle)
        for narrative in narratives if output_format is not Format.HTML else ():
            if output_format is Format.TABLE:
                print_table(narrative, console)
            else:
                print_part(record_to_line(to_record(narrative, with_text=with_text)), handle)
    if gold:
        beside = console if output_format is Format.TABLE else err_console
        beside.print(overlap_table(run.overlap()))


def print_table(narrative: "Explained", console: Console) -> None:
    """Each unit with its label, what is explained, and its tokens. Without color it says the
    same."""
    from ..explanation.view import pieces

    symbols = ASCII_SYMBOLS if console.options.ascii_only else SYMBOLS
    console.print(Text(f"{escape_controls(narrative.id)}:", style="bold"))
    if not narrative.units:
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("#", justify="right", style="dim")
    table.add_column("valence", no_wrap=True)
    table.add_column("explained", no_wrap=True)
    table.add_column("context", justify="right")
    table.add_column("functional unit", overflow="fold")
    for unit in narrative.units:
        text = Text()
        inside = False
        space = ""
        for piece in pieces(narrative, unit):
            if inside and not piece.is_carrier:
                text.append("]", style="bold")
            text.append(space)
            if piece.is_carrier and not inside:
                text.append("[", style="bold")
            inside = piece.is_carrier
            text.append(escape_controls(piece.text), style=_shade(piece.strength))
            if piece.figure:
                text.append(f"({piece.figure})", style="dim")
            space = escape_controls(piece.space)
        text.append("]" if inside else "", style="bold")
        style = STYLES.get(unit.predicted, "")
        table.add_row(
            str(unit.unit + 1),
            Text(f"{symbols.get(unit.predicted, '')} {unit.predicted}", style=style),
            unit.target,
            f"{unit.context:+.2f}",
            text,
        )
    console.print(table)


def _shade(strength: float) -> str:
    """A background of black letters, paler where the token adds less."""
    pale = round(255 - 155 * abs(strength))
    color = f"#{pale:02x}{pale:02x}ff" if strength > 0 else f"#ff{pale:02x}{pale:02x}"
    return f"#000000 on {color}"


def overlap_table(overlap: "Overlap") -> Table:
    """Every figure with what it means."""
    from ..explanation.view import DESCRIPTIONS

    table = Table("carriers among the strongest words")
    table.add_column("value", justify="right")
    for key, value in asdict(overlap).items():
        shown = "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
        table.add_row(DESCRIPTIONS[key], shown)
    return table
