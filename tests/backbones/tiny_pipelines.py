"""A joint pipeline on a tiny transformer: its config, and what training it gives."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from helpers import ROOT, without_base
from spacy import Language
from thinc.api import Config
from transformers import PreTrainedTokenizerBase

from spacy_valence_ec.configs import compose_config

Initialize = Callable[..., Language]


@dataclass(frozen=True)
class TrainedPipeline:
    """A joint pipeline that was trained and packaged, and whose encoder's folder is gone."""

    model: Path  # what `spacy train` wrote
    package: Path  # what `spacy package` wrote
    encoder: Path  # the folder that was deleted
    weights: dict[str, torch.Tensor]  # of the encoder before the training
    log: list[dict[str, Any]]  # of each evaluation


def composed(encoder: Path, corpus: Path) -> Config:
    config = without_base(compose_config("joint", str(encoder), configs=ROOT / "configs"))
    config["paths"].update(train=str(corpus), dev=str(corpus))
    return config


def encoder_shim(nlp: Language) -> Any:
    """What holds the Hugging Face model inside the pipeline, and stores it."""
    encoder: Any = nlp.get_pipe("tok2vec")
    (shim,) = (shim for node in encoder.model.walk() for shim in node.shims)
    return shim


def transformer(nlp: Language) -> torch.nn.Module:
    model: torch.nn.Module = encoder_shim(nlp)._model
    return model


def tokenizer(nlp: Language) -> PreTrainedTokenizerBase:
    found: PreTrainedTokenizerBase = encoder_shim(nlp)._hfmodel.tokenizer
    return found
