"""The Typer application and what turns an exception into a message and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import errno
import inspect
import os
import sys
import warnings
from collections.abc import Callable

import typer

from ..errors import ValenceECError, ValenceECWarning
from . import (
    agreement,
    analyze,
    base,
    calibrate,
    check_project,
    compose,
    convert,
    corpus,
    describe,
    doctor,
    encoder,
    evaluate,
    experiments,
    explain,
    export,
    finalize,
    formats,
    import_corpus,
    pretrain,
    pretrain_text,
    report,
    stats,
    validate,
)
from .console import err_console, fail

app = typer.Typer(
    name="valence-ec",
    help="Functional units, emotion valence and emotion carriers in personal narratives.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED = 130  # what Typer exits with on Ctrl-C


def _show_warning(
    message: Warning | str, category: type[Warning], *args: object, **kwargs: object
) -> None:
    """A warning of this package as a message; of others, which may quote their input, the kind."""
    err_console.print("warning:", style="bold yellow", end=" ")
    own = issubclass(category, ValenceECWarning)
    err_console.print(str(message) if own else category.__name__, markup=False)


def reflowed(command: Callable[..., None]) -> str:
    """The docstring of a command as help, one line a paragraph, for Typer to wrap."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def run() -> None:
    """Entry point of `valence-ec` and `python -m spacy_valence_ec`."""
    warnings.showwarning = _show_warning
    try:
        app(prog_name="valence-ec")
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            fail("interrupted: what was already there is as it was")
        raise
    except ValenceECError as error:
        fail(str(error))
    except OSError as error:
        name = str(error.filename or "input/output")
        # What is too long for the name of a file may be a text.
        shown = "an argument" if error.errno == errno.ENAMETOOLONG else name
        fail(f"{shown}: {error.strerror or type(error).__name__}")
    except Exception as error:
        if os.environ.get("VALENCE_EC_DEBUG"):
            raise
        # The message of an unforeseen exception may quote the narrative: only its type is shown.
        fail(
            f"unexpected {type(error).__name__}. Set VALENCE_EC_DEBUG=1 to see the traceback "
            "(it may quote the input)."
        )
    else:
        return
    sys.exit(1)


for name, module in (
    ("analyze", analyze),
    ("validate", validate),
    ("stats", stats),
    ("agreement", agreement),
    ("convert", convert),
    ("corpus", corpus),
    ("compose", compose),
    ("evaluate", evaluate),
    ("calibrate", calibrate),
    ("explain", explain),
    ("finalize", finalize),
    ("doctor", doctor),
    ("check-project", check_project),
    ("describe", describe),
    ("encoder", encoder),
    ("pretrain-text", pretrain_text),
    ("pretrain", pretrain),
    ("experiments", experiments),
    ("report", report),
    ("import", import_corpus),  # a keyword of Python
    ("export", export),
    ("formats", formats),
):
    command = getattr(module, module.__name__.rpartition(".")[2])
    app.command(name, help=reflowed(command), epilog=getattr(module, "EPILOG", None))(command)

app.add_typer(base.base)
