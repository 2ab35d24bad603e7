"""The command line: one thin file a command over plain functions of the package."""

from .main import run

__all__ = ["run"]
