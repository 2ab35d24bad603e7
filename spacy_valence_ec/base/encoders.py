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

MAX_LENGTH = 512  # pieces: of a window of 128 tokens, on average four a token
# Encoders that count positions from behind the padding token, as RoBERTa does.
OFFSET_POSITIONS = frozenset(
    {
        "camembert",
        "data2vec-text",
        "ibert",
        "longformer",
        "mpnet",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
    }
)


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
    command = f"language-model . --vars.pretrain_config {name}"
    if name == EMBEDDED_ENCODER:
        command = "base-encoder"
    message = Errors.P010.format(name=name, folder=PRETRAINED / name, group=GROUP, command=command)
    raise ValenceECError(message)


def _folder_of(load: Callable[[], Any]) -> Path | None:
    try:
        value = load()
        if isinstance(value, ModuleType):
            return Path(inspect.getfile(value)).parent
        return Path(value() if callable(value) else value)
    except Exception:  # of a package that is not ours
        return None


def max_length(encoder: Any) -> int:
    """How many pieces an encoder reads at once: what it has positions for, `MAX_LENGTH` at most."""
    positions = getattr(encoder, "max_position_embeddings", None) or 0
    if encoder.model_type in OFFSET_POSITIONS:
        positions -= encoder.pad_token_id + 1
    return min(positions, MAX_LENGTH) if positions > 0 else MAX_LENGTH
