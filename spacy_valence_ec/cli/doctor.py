"""`valence-ec doctor`: is everything there that is needed, and does it work?"""

import difflib
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..base.encoders import MODELS, find_model, is_model_name
from ..errors import Errors, ValenceECError
from ..extensions import get_emotion_carriers, get_functional_units, get_valence
from .loading import DEFAULT_MODEL, Model, is_installed, load_pipeline

EPILOG = """[bold]Examples[/bold]

valence-ec doctor

valence-ec doctor --backbone alberto

valence-ec doctor --model training/joint/model-best --backbone ./my-bert"""

PACKAGES = ("spacy_valence_ec", "spacy", "spacy-transformers", "transformers", "torch", "thinc")

EMBEDDED = "embedded"
IN_PACKAGE = (EMBEDDED, "small", "cnn")
# The backbones of the project that come from the Hugging Face hub.
HUB_NAMES = {
    "alberto": "m-polignano-uniba/bert_uncased_L-12_H-768_A-12_italian_alb3rt0",
    "xlm-roberta": "xlm-roberta-base",
}
# One of these groups makes up a tokenizer.
TOKENIZER_FILES = (
    ("tokenizer.json",),
    ("vocab.txt",),
    ("vocab.json", "merges.txt"),
    ("sentencepiece.bpe.model",),
    ("spiece.model",),
    ("tokenizer.model",),
)

# Settings, and the two forms of weights.
HUB_FILES = ("config.json", "model.safetensors", "pytorch_model.bin")

SENTENCE = "Finalmente mi hanno tolto il gesso!"
HUB_TIMEOUT = 10.0  # seconds


class Status(str, Enum):
    """Only `FAIL` makes the exit code 1."""

    OK = "ok"
    NOTE = "note"
    FAIL = "fail"


STYLES = {Status.OK: "green", Status.NOTE: "yellow", Status.FAIL: "bold red"}


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    status: Status
    detail: str


def doctor(
    model: Model = DEFAULT_MODEL,
    backbone: Annotated[
        str,
        typer.Option(
            help="Encoder to look for: embedded, mini, alberto, xlm-roberta, a folder, or a name "
            "on the Hugging Face hub."
        ),
    ] = EMBEDDED,
) -> None:
    """Check versions, GPU, pipeline and backbone, and analyze one built-in sentence.

    The hub is asked only for a backbone that you name and that is not in the local cache. Exit
    code 1 if something that is needed fails.
    """
    table = Table("check", "status", "detail")
    failed = False
    for check in checks(model, backbone):
        status = Text(check.status.value, style=STYLES[check.status])
        table.add_row(check.name, status, Text(check.detail, overflow="fold"))
        failed |= check.status is Status.FAIL
    Console().print(table)
    if failed:
        raise typer.Exit(1)


def checks(model: str, backbone: str) -> Iterator[Check]:
    """Every check, in order."""
    yield Check("python", Status.OK, platform.python_version())
    for package in PACKAGES:
        yield check_package(package)
    yield check_gpu()
    yield check_tokenizer()
    yield check_backbone(backbone)
    yield check_model(model)


def check_package(name: str) -> Check:
    try:
        return Check(name, Status.OK, version(name))
    except PackageNotFoundError:
        return Check(name, Status.FAIL, "not installed: pip install -c constraints.txt -e .")


def check_gpu() -> Check:
    """A GPU is not needed: to have none is a note."""
    try:
        import torch

        if torch.cuda.is_available():
            return Check("gpu", Status.OK, torch.cuda.get_device_name(0))
    except Exception as error:  # a broken driver or library has errors of its own
        return Check("gpu", Status.FAIL, f"torch does not work: {type(error).__name__}: {error}")
    return Check("gpu", Status.NOTE, "none (torch.cuda): everything runs on the processor")


def check_tokenizer() -> Check:
    """spaCy's Italian tokenizer, on a built-in sentence."""
    import spacy

    doc = spacy.blank("it")(SENTENCE)
    status = Status.OK if doc.text == SENTENCE and len(doc) == 7 else Status.FAIL
    return Check("tokenizer", status, f"{len(doc)} tokens of 7 in a built-in sentence")


def check_model(name: str) -> Check:
    """Not to have the default pipeline, which a person may not have made yet, is a note; one
    that was named, or does not work, is needed."""
    if not is_installed(name):
        status = Status.NOTE if name == DEFAULT_MODEL else Status.FAIL
        return Check(name, status, Errors.M002.format(name=name))
    try:
        nlp = load_pipeline(name)
        doc = nlp(SENTENCE)
    except ValenceECError as error:
        return Check(name, Status.FAIL, str(error))
    except Exception as error:
        # The only text it has seen is the built-in sentence.
        return Check(name, Status.FAIL, f"does not run: {type(error).__name__}: {error}")
    units, valence = len(get_functional_units(doc)), get_valence(doc)
    carriers = [carrier.text for carrier in get_emotion_carriers(doc)]
    status = Status.OK if units and valence else Status.FAIL
    detail = (
        f"version {nlp.meta.get('version')}; a built-in sentence has {units} unit(s), "
        f"valence '{valence}', carriers {carriers}"
    )
    return Check(name, status, detail)


def check_backbone(name: str) -> Check:
    """Whether training could read this encoder: without network for a folder and for what is in
    the cache of the hub."""
    title = f"backbone {name}"
    if name in IN_PACKAGE:
        return Check(title, Status.OK, "part of this package, nothing to download")
    if is_model_name(name):
        try:
            return _check_folder(title, find_model(name))
        except ValenceECError as error:
            return Check(title, Status.FAIL, str(error))
    folder = Path(name)
    if folder.is_dir():
        return _check_folder(title, folder)
    if name.startswith((".", "/", "~")):
        return Check(title, Status.FAIL, "no such folder")
    return _check_hub(title, HUB_NAMES.get(name, name))


def _check_folder(title: str, folder: Path) -> Check:
    missing = [] if (folder / "config.json").is_file() else ["config.json"]
    if not any(all((folder / file).is_file() for file in files) for files in TOKENIZER_FILES):
        choices = ", ".join("+".join(files) for files in TOKENIZER_FILES)
        missing.append(f"a tokenizer (one of {choices})")
    if missing:
        return Check(title, Status.FAIL, f"the folder has no {' and no '.join(missing)}")
    return Check(title, Status.OK, "folder with config.json and a tokenizer")


def _check_hub(title: str, name: str) -> Check:
    from huggingface_hub import HfApi, constants, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = [isinstance(try_to_load_from_cache(name, file), str) for file in HUB_FILES]
        if cached[0] and any(cached[1:]):
            return Check(title, Status.OK, f"{name}: in the local cache of the hub")
        if constants.HF_HUB_OFFLINE:
            why = "and HF_HUB_OFFLINE forbids to ask the hub"
        else:
            HfApi().model_info(name, timeout=HUB_TIMEOUT)
            return Check(title, Status.OK, f"{name}: on the hub, downloaded when training starts")
    except HFValidationError:
        why = f"{name}: neither a folder nor a name of the hub{suggest_backbone(name)}"
        return Check(title, Status.FAIL, why)
    except Exception as error:  # of the network, the hub, a proxy, a certificate
        why = f"and the hub did not give it ({type(error).__name__})"
    return Check(
        title,
        Status.FAIL,
        f"{name}: not in the local cache, {why}{suggest_backbone(name)}. Give a local folder with "
        "the model instead.",
    )


def suggest_backbone(name: str) -> str:
    """Return a question after the backbone that may be meant, "" for none."""
    known = [*IN_PACKAGE, *HUB_NAMES, *MODELS]
    close = difflib.get_close_matches(name, known, 1)
    return f" (did you mean '{close[0]}'?)" if close and close[0] != name else ""
