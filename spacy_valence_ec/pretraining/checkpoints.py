"""What a run needs to go on exactly where it was."""

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import Errors, ValenceECError
from ..files import atomic_folder
from .models import WEIGHTS

OPTIMIZER, STATE = "optimizer.pt", "state.json"
TOKENIZER = "tokenizer"


@dataclass
class State:
    """`run`: a hash of settings and data. `step`: how many are done. `seconds`: of all parts of the
    run. `curve`, `dev`: what was logged."""

    run: str
    step: int
    seconds: float
    curve: list[dict[str, float]]
    dev: list[dict[str, float]]


def checkpoint_folder(output: Path) -> Path:
    """Beside the output folder: that is only written when all is done."""
    return output.with_name(output.name + ".checkpoint")


def save_checkpoint(
    folder: Path, state: State, model: Any, optimizer: torch.optim.Optimizer, tokenizer: Any
) -> None:
    """Write all of it, or leave the last checkpoint as it is."""
    from safetensors.torch import save_model

    with atomic_folder(folder) as new:
        save_model(model, str(new / WEIGHTS))
        torch.save(optimizer.state_dict(), new / OPTIMIZER)
        tokenizer.save_pretrained(new / TOKENIZER)
        (new / STATE).write_text(json.dumps(vars(state)), encoding="utf-8")


def load_state(folder: Path, run: str) -> State:
    """Raises: ValenceECError P006 for a checkpoint of another run, P012 for a broken one."""
    try:
        state = State(**json.loads((folder / STATE).read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ValenceECError(Errors.P012.format(path=folder)) from error
    if state.run != run:
        raise ValenceECError(Errors.P006.format(path=folder))
    return state


def load_tokenizer(folder: Path) -> Any:
    """Raises: ValenceECError P012."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder / TOKENIZER, local_files_only=True)
    except Exception as error:  # tokenizers has no class of its own for what it cannot read
        raise ValenceECError(Errors.P012.format(path=folder)) from error


def load_weights(folder: Path, model: Any, optimizer: torch.optim.Optimizer) -> None:
    """Put the weights and the state of the optimizer in place. No file can run code.

    Raises: ValenceECError P012.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    device = next(model.parameters()).device
    try:
        load_model(model, str(folder / WEIGHTS), device=str(device))
        # It moves what belongs beside the weights itself; the counts of steps stay here.
        optimizer.load_state_dict(
            torch.load(folder / OPTIMIZER, map_location="cpu", weights_only=True)
        )
    except (
        OSError,
        ValueError,
        KeyError,
        RuntimeError,
        SafetensorError,
        pickle.UnpicklingError,
    ) as error:
        raise ValenceECError(Errors.P012.format(path=folder)) from error
