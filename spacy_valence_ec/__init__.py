"""Functional units, emotion valence and emotion carriers in personal narratives, for spaCy."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from .errors import ValenceECError, ValenceECWarning
from .extensions import install_extensions

if TYPE_CHECKING:
    from .analysis import analyze
    from .corpus.jsonl import read_narratives, write_narratives, write_records
    from .display import displacy_options
    from .evaluation import evaluate
    from .sourcing import add_valence_pipes
    from .tables.frames import to_dataframe
    from .tables.interface import read_table
else:
    # What a component that is loaded by spaCy does not need is imported when it is asked for.
    _MODULES = {
        "add_valence_pipes": ".sourcing",
        "analyze": ".analysis",
        "displacy_options": ".display",
        "evaluate": ".evaluation",
        "read_narratives": ".corpus.jsonl",
        "read_table": ".tables.interface",
        "to_dataframe": ".tables.frames",
        "write_narratives": ".corpus.jsonl",
        "write_records": ".corpus.jsonl",
    }

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_MODULES[name], __name__), name)

    def __dir__():
        return sorted({*globals(), *_MODULES})


__version__ = version("spacy_valence_ec")

__all__ = [
    "ValenceECError",
    "ValenceECWarning",
    "__version__",
    "add_valence_pipes",
    "analyze",
    "displacy_options",
    "evaluate",
    "install_extensions",
    "read_narratives",
    "read_table",
    "to_dataframe",
    "write_narratives",
    "write_records",
]
