"""Functional units, emotion valence and emotion carriers in personal narratives, for spaCy."""

from importlib.metadata import version

from .errors import ValenceECError, ValenceECWarning
from .extensions import install_extensions
from .sourcing import add_valence_pipes

__version__ = version("spacy_valence_ec")

__all__ = [
    "ValenceECError",
    "ValenceECWarning",
    "__version__",
    "add_valence_pipes",
    "install_extensions",
]
