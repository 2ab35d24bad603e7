"""With what a model was made: recorded beside it."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

LIBRARIES = ("spacy_valence_ec", "torch", "transformers", "tokenizers", "safetensors", "numpy")


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Versions, hardware and the revision of the source; no name of a machine, person or folder."""
    if device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    else:
        hardware = f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} used"
    return {
        "revision": git_revision(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "hardware": hardware,
    }


def git_revision() -> str | None:
    """The commit of the source, with "+" behind it when files were altered; None outside of git."""
    folder = Path(__file__).parent
    try:
        # An installed package may lie in the repository of something else.
        _git(folder, "ls-files", "--error-unmatch", Path(__file__).name)
        revision = _git(folder, "rev-parse", "HEAD")
        return revision + ("+" if _git(folder, "status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *args: str) -> str:
    command = ["git", "-C", str(folder), *args]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()
