"""`valence-ec validate`, and reading a corpus for the other commands."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from ..corpus.jsonl import Problem, ReadResult, printable, read_narratives
from ..errors import Errors, ValenceECError
from ..schema import Narrative
from .console import fail

SkipInvalid = Annotated[
    bool, typer.Option("--skip-invalid", help="Go on without the lines that break a rule.")
]


def validate(
    files: Annotated[list[Path], typer.Argument(help="Annotated narratives (JSON Lines).")],
) -> None:
    """Check annotated narratives against every rule of the format.

    All problems of all files are listed on standard error, one a line: file,
    line, id, rule and what is wrong. No text of a narrative is shown.
    Exit code 1 if there is any.

    Example: valence-ec validate corpus/narratives.jsonl
    """
    all_valid = True
    for path in files:
        try:
            result = read_narratives(path)
        except OSError as error:
            fail(f"{path}: {error.strerror}")
            all_valid = False
            continue
        print_problems(result.problems)
        all_valid &= not result.problems
        valid, problems = len(result.narratives), len(result.problems)
        typer.echo(f"{printable(str(path))}: {valid} valid narratives, {problems} problems")
    if not all_valid:
        raise typer.Exit(1)


def read_valid(path: Path, *, skip_invalid: bool) -> list[Narrative]:
    """The valid narratives of `path`; what is not valid is listed on standard error.

    Raises:
        ValenceECError: something is not valid and `skip_invalid` is not given (D007), or nothing
            is valid (D008).
        OSError: the file is missing or cannot be read.
    """
    return require_valid(read_narratives(path), path, skip_invalid=skip_invalid)


def require_valid(result: ReadResult, path: Path, *, skip_invalid: bool) -> list[Narrative]:
    """The narratives of what was read from `path`; what is not valid is listed on standard error.

    Raises:
        ValenceECError: as `read_valid`.
    """
    problems = result.problems
    print_problems(problems)
    if problems and not skip_invalid:
        raise ValenceECError(Errors.D007.format(n=len(problems), path=path))
    if not result.narratives:
        raise ValenceECError(Errors.D008.format(path=path))
    if problems:
        skipped = {problem.line: problem.id for problem in problems}
        lines = ", ".join(
            f"{n} ({printable(id_)})" if id_ else f"{n}" for n, id_ in skipped.items()
        )
        typer.echo(f"skipped {len(skipped)} lines of {printable(str(path))}: {lines}", err=True)
    return result.narratives


def print_problems(problems: Iterable[Problem]) -> None:
    """One a line, on standard error."""
    for problem in problems:
        typer.echo(str(problem), err=True)
