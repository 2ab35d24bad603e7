"""Standard error, and how a failure is told there."""

from rich.console import Console

# Progress, warnings and errors go here: standard output holds results alone.
err_console = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str) -> None:
    """Print what went wrong, without markup: the message may hold brackets."""
    err_console.print("error:", style="bold red", end=" ")
    err_console.print(message, markup=False)
