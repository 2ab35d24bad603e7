"""Functional units, emotion valence and emotion carriers in personal narratives, for spaCy."""

from importlib.metadata import version

from .errors import ValenceECError, ValenceECWarning
from .extensions import install_extensions

__version__ = version("spacy_valence_ec")

__all__ = ["ValenceECError", "ValenceECWarning", "__version__", "install_extensions"]

install_extensions()
