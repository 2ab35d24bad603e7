"""`valence-ec analyze`: units, valence and emotion carriers of texts and files."""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..analysis import annotate_records, choose_names
from ..corpus.jsonl import record_to_line
from ..files import check_writable
from ..journal import Journal, describe_folder, make_fingerprint
from ..schema import ResultNames
from ..tables.columns import ColumnOptions
from ..tables.read import TableOptions
from ..transcripts.recognize import Kind, Speech
from .console import err_console
from .inputs import STDIN, InputFormat, Reader, Record, TextOption, is_terminal
from .loading import DEFAULT_MODEL, BatchSize, Model, load_pipeline
from .outputs import (
    STREAMED,
    Format,
    choose_format,
    print_part,
    show_results,
    usual_names,
    write_records,
)
from .terminal import print_table

if TYPE_CHECKING:
    from spacy.language import Language


class PageLanguage(str, Enum):
    """The language of a page."""

    ENGLISH = "en"
    ITALIAN = "it"


EPILOG = """[bold]Examples[/bold]

valence-ec analyze "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!"

valence-ec analyze diario.txt ricordi.txt

valence-ec analyze narratives.jsonl --output analyzed.jsonl

valence-ec analyze diari.xlsx --text-column Risposta --output risultati.xlsx

valence-ec analyze diari.csv --output diari.html --page-language it

cat diario.txt | valence-ec analyze --format table"""


def analyze(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT or FILE]...",
            help="Texts; files: .txt, .srt, .vtt (one narrative each), .jsonl (one a line; only "
            "'text' is required), .csv, .tsv, .xlsx, .ods, .parquet (one a row); folders of such "
            "files. '-', or nothing and a pipe, is standard input.",
            show_default=False,
        ),
    ] = None,
    text: TextOption = None,
    model: Model = DEFAULT_MODEL,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write instead of printing: .jsonl, .csv, .tsv, .xlsx, .parquet or "
            ".html. A run that was interrupted resumes.",
        ),
    ] = None,
    output_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            help="Default: by the suffix of the file; a table on a terminal, else JSON Lines.",
            show_default=False,
        ),
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="Column of a table that holds the narratives.")
    ] = None,
    id_column: Annotated[str | None, typer.Option(help="Column of their ids.")] = None,
    narrator_column: Annotated[
        str | None, typer.Option(help="Column of the person who tells each.")
    ] = None,
    date_column: Annotated[str | None, typer.Option(help="Column of their dates.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of a workbook.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Sign between the cells of a CSV file.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of .csv, .tsv and .txt files, such as cp1252.")
    ] = None,
    stdin_format: Annotated[
        InputFormat, typer.Option(help="What standard input holds.")
    ] = InputFormat.AUTO,
    page_language: Annotated[
        PageLanguage, typer.Option(help="Language of a page of HTML.")
    ] = PageLanguage.ENGLISH,
    plots: Annotated[
        Path | None,
        typer.Option(help="Folder for plots of persons and narratives, as SVG and PDF."),
    ] = None,
    strip: Annotated[
        Kind | None,
        typer.Option(
            help="Headers that are no narrative: names and time stamps of a transcript, a chat or "
            "subtitles. Default: those of .srt and .vtt files.",
            show_default=False,
        ),
    ] = None,
    narrator: Annotated[
        str | None,
        typer.Option(help="With --strip: the speaker whose units count for the narrative."),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(
            help="Prefix of the fields of results. Default: none, or 'predicted_' where the input "
            "has a field of that name.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace fields of the input by the results.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Analyze the first narratives only.")
    ] = None,
    batch_size: BatchSize = None,
    n_process: Annotated[int, typer.Option(min=1, help="Processes to analyze in.")] = 1,
) -> None:
    """Split narratives into functional units; tell the valence of each and its emotion carriers.

    In the table the carriers stand in [ ] and each unit has the sign of its valence. Files hold
    units, valence, scores and carriers, and every field of the input. An input that cannot be read
    is reported, the others go on, and the exit code is 1.
    """
    if not inputs and not text:
        if is_terminal():
            raise typer.BadParameter("give a text or a file, or pipe a text in.")
        inputs = [STDIN]
    if delimiter is not None:
        delimiter = delimiter.replace("\\t", "\t")
        if len(delimiter) != 1:
            raise typer.BadParameter("a delimiter is one sign; '\\t' is a tab.")
    if plots is not None and output is None:
        raise typer.BadParameter("--plots needs --output.")
    if narrator is not None and strip in (None, Kind.NONE):
        raise typer.BadParameter("--narrator names a speaker: give --strip too.")
    columns = ColumnOptions(text_column, id_column, narrator_column, date_column)
    reader = Reader(stdin_format, TableOptions(columns, sheet, delimiter, encoding))
    chosen = choose_format(output, output_format)
    if output is not None:
        check_writable(output)
    # All inputs are read before the pipeline is loaded, which takes much longer.
    read = chain(chain.from_iterable(map(reader.read, inputs or ())), reader.read_texts(text or ()))
    records = list(islice(read, limit))
    if records:
        names = choose_names(records, prefix, overwrite)
        if prefix is None and names.prefix:
            err_console.print(
                "The input has fields called as the results: these are written as "
                f"{', '.join(names.all)}. `--overwrite` replaces those of the input.",
                markup=False,
            )
        speech = Speech(strip, narrator, frozenset(reader.subtitles))
        run = Run(load_pipeline(model), records, names, speech, batch_size, n_process)
        if output is None and chosen in STREAMED:
            run.stream(chosen)
        elif output is None or (output.exists() and not output.is_file()):  # a pipe or device
            write_records(
                list(run.results()), chosen, output, names, reader.delimiter, page_language.value
            )
        else:
            run.write(output, chosen, reader.delimiter, page_language.value, plots)
    if reader.failed:
        raise typer.Exit(1)


class Run:
    """Analyzes records with a pipeline."""

    def __init__(
        self,
        nlp: "Language",
        records: Sequence[Record],
        names: ResultNames,
        speech: Speech,
        batch_size: int | None = None,
        n_process: int = 1,
    ):
        self.nlp = nlp
        self.records = records
        self.names = names
        self.speech = speech
        self.batch_size = batch_size
        self.n_process = n_process

    def results(self, n_done: int = 0) -> Iterator[dict[str, Any]]:
        """Each record, from the one behind `n_done`, with what is predicted of it.

        Raises: ValenceECError M009 for a pipeline without functional units.
        """
        pairs = [(record, self.names) for record in self.records[n_done:]]
        return annotate_records(self.nlp, pairs, self.batch_size, self.n_process, self.speech)

    def stream(self, output_format: Format) -> None:
        """Print each narrative as soon as it is analyzed."""
        with show_results(None) as (console, progress):
            results = self.results()
            for record in progress.track(results, len(self.records), description="analyze"):
                if output_format is Format.TABLE:
                    print_table(record, console, self.names)
                else:
                    print_part(record_to_line(record), None)

    def write(
        self,
        output: Path,
        output_format: Format,
        delimiter: str | None = None,
        language: str = "en",
        plots: Path | None = None,
    ) -> None:
        """Write a file. What is done is kept beside it until it is whole: a run of the same
        records with the same pipeline that was interrupted goes on from there."""
        total = len(self.records)
        with Journal(output, self.fingerprint()) as journal:
            if journal.n_done:
                err_console.print(f"{journal.n_done} of {total} narratives were done: resuming.")
            try:
                self._fill(journal)
            except BaseException:
                if journal.n_done:
                    err_console.print(
                        f"{journal.n_done} of {total} narratives are kept in {journal.path}: the "
                        "same command resumes.",
                        markup=False,
                    )
                else:
                    journal.remove()
                raise
            results = list(journal.read())
            write_records(results, output_format, output, self.names, delimiter, language)
            if plots is not None:
                from ..page import write_plots

                write_plots(usual_names(results, self.names), plots)
            journal.remove()
        err_console.print(f"{output}: {self.describe(results)}", markup=False)

    def _fill(self, journal: Journal) -> None:
        with show_results(None) as (_, progress):
            task = progress.add_task("analyze", total=len(self.records), completed=journal.n_done)
            for record in self.results(journal.n_done):
                journal.append(record)
                progress.advance(task)

    def fingerprint(self) -> str:
        """A hash of the records, the pipeline and the names of results."""
        files = describe_folder(self.nlp.path)
        settings = (self.names.prefix, self.speech.kind, self.speech.narrator)
        return make_fingerprint(self.records, self.nlp.meta, files, settings)

    def describe(self, results: Iterable[dict[str, Any]]) -> str:
        """Counts of what was found."""
        results = list(results)
        n_units = sum(len(record[self.names.units]) for record in results)
        n_carriers = sum(len(record.get(self.names.carriers, ())) for record in results)
        return f"{len(results)} narratives, {n_units} units, {n_carriers} carriers."
