"""Where the pretrained models lie that have a name of their own."""

import inspect
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import Errors, ValenceECError
from .assets import ASSETS, asset_path, listed_files

GROUP = "spacy_valence_ec_models"
EMBEDDED_ENCODER = "e5-small-it"  # of the base, with the weights of its heads beside it
MODELS = (EMBEDDED_ENCODER, "mini", "mini-gpt", "small-gpt")

PRETRAINED = Path("training") / "pretrain"  # what the project command `pretrain` makes
CONFIG = "config.json"


def is_model_name(name: str) -> bool:
    """Whether `name` is a model of this project, or of an installed package."""
    return name in MODELS or bool(entry_points(group=GROUP, name=name))


def find_model(name: str) -> Path:
    """The folder of a pretrained model, with config.json, weights and tokenizer.

    The user's own comes first: `training/pretrain/<name>` in the working directory. Then the one
    in this package, then the entry point `name` of the group `spacy_valence_ec_models` of an
    installed package: a module, whose folder is meant, or a function without arguments that gives
    the folder.

    Raises: ValenceECError P010 if there is none, P011 for an entry point that gives no model, B003
    for a file of the package that was altered.
    """
    own = PRETRAINED / name
    if (own / CONFIG).is_file():
        return own.resolve()
    if (ASSETS / name / CONFIG).is_file():
        for file in listed_files(name, ASSETS):
            asset_path(file, ASSETS)
        return (ASSETS / name).resolve()
    for entry in entry_points(group=GROUP, name=name):
        found = _folder_of(entry.load)
        if found is None or not (found / CONFIG).is_file():
            raise ValenceECError(Errors.P011.format(name=name, group=GROUP))
        return found.resolve()
    raise ValenceECError(Errors.P010.format(name=name, folder=PRETRAINED / name, group=GROUP))


def _folder_of(load: Callable[[], Any]) -> Path | None:
    try:
        value = load()
        if isinstance(value, ModuleType):
            return Path(inspect.getfile(value)).parent
        return Path(value() if callable(value) else value)
    except Exception:  # of a package that is not ours
        return None
