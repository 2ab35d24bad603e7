"""`valence-ec analyze`: units, valence and emotion carriers of texts and files."""

import io
import os
import re
import sys
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from ..corpus.jsonl import is_jsonl, narrative_to_record, read_narratives, record_to_line
from ..errors import Errors, ValenceECError
from ..files import atomic_write
from ..schema import FU_KEY, LABELS_ATTR, MIXED, NEGATIVE, NEUTRAL, POSITIVE, SCORES_ATTR, VALENCES
from .console import err_console, fail
from .loading import DEFAULT_MODEL, BatchSize, Model, load_pipeline
from .validate import print_problems

if TYPE_CHECKING:
    from spacy.tokens import Doc

Record = Mapping[str, Any]

EPILOG = """[bold]Examples[/bold]

valence-ec analyze "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!"

valence-ec analyze diario.txt ricordi.txt

valence-ec analyze narratives.jsonl --output analyzed.jsonl

cat diario.txt | valence-ec analyze --format table"""

FILE_NAME = re.compile(r"\S*(\.\w{1,8}|[/\\]\S*)")  # a suffix or a separator, no white space

STDIN = "-"
STDIN_NAME = "<stdin>"

STYLES = {POSITIVE: "green", NEGATIVE: "red", NEUTRAL: "dim", MIXED: "yellow"}
SYMBOLS = {POSITIVE: "+", NEGATIVE: "−", NEUTRAL: "·", MIXED: "±"}
ASCII_SYMBOLS = {POSITIVE: "+", NEGATIVE: "-", NEUTRAL: ".", MIXED: "~"}
CARRIER_STYLE = "bold underline"


class Format(str, Enum):
    """What the results look like."""

    TABLE = "table"
    JSONL = "jsonl"


class InputFormat(str, Enum):
    """What standard input holds."""

    TEXT = "text"
    JSONL = "jsonl"


TextOption = Annotated[
    list[str] | None,
    typer.Option("--text", "-t", help="A text, whatever it looks like; may be repeated."),
]


def analyze(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT or FILE]...",
            help="Texts, .txt files (one narrative each) and .jsonl files (one a line; only "
            "'text' is required). '-', or nothing and a pipe, is standard input.",
            show_default=False,
        ),
    ] = None,
    text: TextOption = None,
    model: Model = DEFAULT_MODEL,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write instead of printing.")
    ] = None,
    output_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            help="Default: a table on a terminal, JSON Lines elsewhere.",
            show_default=False,
        ),
    ] = None,
    stdin_format: Annotated[
        InputFormat, typer.Option(help="What standard input holds: one text, or JSON Lines.")
    ] = InputFormat.TEXT,
    batch_size: BatchSize = None,
) -> None:
    """Split narratives into functional units; tell the valence of each and its emotion carriers.

    In the table the carriers stand in [ ] and each unit has the sign of its valence. JSON Lines
    hold units, valence, scores and carriers, and every field of the input. An input that cannot
    be read is reported, the others go on, and the exit code is 1.
    """
    if not inputs and not text:
        if sys.stdin.isatty():
            raise typer.BadParameter("give a text or a file, or pipe a text in.")
        inputs = [STDIN]
    records = Reader(stdin_format)
    # All inputs are read before the pipeline is loaded, which takes much longer.
    found = [*chain.from_iterable(map(records.read, inputs or ())), *records.read_texts(text or ())]
    if found:
        chosen = output_format or _default_format(output)
        with ExitStack() as stack:
            handle = stack.enter_context(atomic_write(output)) if output else None
            _write(found, model, batch_size, chosen, handle)
    if records.failed:
        raise typer.Exit(1)


class Reader:
    """Reads inputs as records. `failed` tells whether something was reported."""

    def __init__(self, stdin_format: InputFormat = InputFormat.TEXT) -> None:
        self.stdin_format = stdin_format
        self.failed = False
        self._n_texts = 0

    def read(self, given: str) -> Iterator[Record]:
        """The records of a text, a file or standard input; what cannot be read is reported."""
        try:
            if given == STDIN:
                yield from self._read_stdin()
            elif (path := as_file(given)) is None:
                yield from self.read_texts([given])
            elif is_jsonl(path):
                yield from self._read_jsonl(path, str(path))
            else:
                yield _text_record(str(path), path.read_bytes())
        except ValenceECError as error:
            self._report(str(error))
        except OSError as error:
            self._report(f"{given}: {error.strerror or type(error).__name__}")

    def read_texts(self, texts: Iterable[str]) -> Iterator[Record]:
        """A record of each text, whatever it looks like; what is not UTF-8 is reported."""
        for text in texts:
            self._n_texts += 1
            try:
                yield _text_record(f"text-{self._n_texts}", os.fsencode(text))
            except ValenceECError as error:
                self._report(str(error))

    def _read_stdin(self) -> Iterator[Record]:
        content = sys.stdin.buffer.read()
        if self.stdin_format is InputFormat.TEXT:
            yield _text_record(STDIN_NAME, content)
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "stdin.jsonl"
            path.write_bytes(content)
            yield from self._read_jsonl(path, STDIN_NAME)

    def _read_jsonl(self, path: Path, name: str) -> Iterator[Record]:
        result = read_narratives(path, gold=False)
        if result.problems:
            print_problems(replace(problem, file=name) for problem in result.problems)
            self.failed = True
        yield from map(narrative_to_record, result.narratives)

    def _report(self, message: str) -> None:
        fail(message)
        self.failed = True


def as_file(given: str) -> Path | None:
    """The file that an argument names, None when it is a text. An argument without white space that
    has a suffix or a path separator names a file.

    Raises: ValenceECError M004, M010 or M013 for a missing file, M005 for one of another kind than
    .txt and .jsonl.
    """
    if not given:
        return None
    path = Path(given)
    named_like_one = is_jsonl(path) or path.suffix.lower() == ".txt"
    try:
        exists = path.exists()
    except (OSError, ValueError):  # too long for a file name, or with a NUL
        return None
    if exists:
        if not named_like_one:
            raise ValenceECError(Errors.M005.format(path=given, suffixes=".txt or .jsonl"))
        return path
    if named_like_one:
        # A text may end like this too: it is not to stand in a message.
        if any(char.isspace() for char in given):
            raise ValenceECError(Errors.M010.format(suffix=path.suffix))
        raise ValenceECError(Errors.M004.format(path=given))
    if FILE_NAME.fullmatch(given):
        raise ValenceECError(Errors.M013.format(path=given))
    return None


def _text_record(name: str, content: bytes) -> Record:
    try:
        return {"id": name, "text": content.decode("utf-8-sig")}
    except UnicodeDecodeError as error:
        raise ValenceECError(Errors.M006.format(path=name, offset=error.start)) from error


def _default_format(output: Path | None) -> Format:
    return Format.TABLE if output is None and sys.stdout.isatty() else Format.JSONL


def _write(
    records: Sequence[Record],
    model: str,
    batch_size: int | None,
    output_format: Format,
    handle: IO[str] | None,
) -> None:
    from ..corpus.docs import doc_to_record

    with results_shown(handle) as (console, progress):
        for doc, record in progress.track(
            analyzed(records, model, batch_size), total=len(records), description="analyze"
        ):
            if output_format is Format.TABLE:
                print_table(doc, record, console)
            else:
                print_part(record_to_line(doc_to_record(doc, record)), handle)


@contextmanager
def results_shown(handle: IO[str] | None) -> Iterator[tuple[Console, Progress]]:
    """What results are printed by, to a file or on the screen, and a bar beside them."""
    to_screen = handle is None and sys.stdout.isatty()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without UTF-8
    console = Console(file=handle, width=100) if handle else Console()
    # A bar would break into results that appear on the same terminal.
    hidden = not err_console.is_terminal or to_screen
    with Progress(console=err_console, transient=True, disable=hidden) as progress:
        yield console, progress


def print_part(part: str, handle: IO[str] | None) -> None:
    """Write a part of the results to a file, or as UTF-8 to standard output."""
    if handle:
        handle.write(part)
    else:
        typer.echo(part.encode("utf-8"), nl=False)


def analyzed(
    records: Iterable[Record], model: str, batch_size: int | None
) -> Iterator[tuple["Doc", Record]]:
    """Each record with its analyzed Doc, in order."""
    nlp = load_pipeline(model)
    pairs = [(record["text"], record) for record in records]
    # spaCy's limit guards parsers; these components need memory in proportion to the text.
    nlp.max_length = max(nlp.max_length, *(len(text) for text, _ in pairs))
    for doc, record in nlp.pipe(pairs, as_tuples=True, batch_size=batch_size):
        if FU_KEY not in doc.spans:
            raise ValenceECError(Errors.M009.format(key=FU_KEY))
        yield doc, record


def print_table(doc: "Doc", record: Record, console: Console) -> None:
    """The narrative's valence, then its units: valence, probability, text with the carriers in
    brackets. Without color it says the same."""
    symbols = ASCII_SYMBOLS if console.options.ascii_only else SYMBOLS
    group = doc.spans.get(FU_KEY)
    scores = group.attrs.get(SCORES_ATTR) if group is not None else None
    valence = doc._.valence
    title = Text(f"{displayed(str(record.get('id', '')))}: ", style="bold")
    title.append(f"{symbols.get(valence, '')} {valence or '?'}", style=STYLES.get(valence, ""))
    if scores is not None:
        title.append(f" ({doc._.valence_score:+.2f})", style="not bold")
    console.print(title)
    if not group:
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("#", justify="right", style="dim")
    table.add_column("valence", no_wrap=True)
    table.add_column("p", justify="right")
    table.add_column("functional unit", overflow="fold")
    labels = list(group.attrs.get(LABELS_ATTR, VALENCES))
    narrative = doc.text  # made anew, at the cost of its length, at every use
    for i, unit in enumerate(group):
        label = unit.label_
        probability = ""
        if scores is not None and label in labels:
            probability = f"{scores[i][labels.index(label)]:.2f}"
        style = STYLES.get(label, "")
        text = Text(style=style)
        offset = unit.start_char
        for carrier in unit._.emotion_carriers:
            start = max(carrier.start_char, unit.start_char)
            end = min(carrier.end_char, unit.end_char)
            text.append(displayed(narrative[offset:start]))
            text.append(f"[{displayed(narrative[start:end])}]", style=CARRIER_STYLE)
            offset = end
        text.append(displayed(narrative[offset : unit.end_char]))
        table.add_row(
            str(i + 1),
            Text(f"{symbols.get(label, '')} {label}", style=style),
            probability,
            text,
        )
    console.print(table)


def displayed(text: str) -> str:
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
