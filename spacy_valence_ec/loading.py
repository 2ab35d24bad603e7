"""Loading a pipeline by its name or folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from .errors import Errors, ValenceECError

if TYPE_CHECKING:
    from spacy.language import Language

DEFAULT_MODEL = "it_valence_ec"


def is_installed(name: str) -> bool:
    """Whether a pipeline is there as a package or a folder."""
    from spacy.util import is_package

    return is_package(name) or Path(name).exists()


def load_pipeline(name: str) -> "Language":
    """The pipeline of that name, or in that folder.

    Raises:
        ValenceECError: there is none (M002), or it does not load (M003).
    """
    import spacy

    if not is_installed(name):
        raise ValenceECError(Errors.M002.format(name=name))
    try:
        return spacy.load(name)
    except Exception as error:
        # No narrative has been read: what goes wrong here is about files and settings.
        why = str(error) or type(error).__name__
        raise ValenceECError(Errors.M003.format(name=name, why=why)) from error
