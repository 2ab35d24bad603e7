"""Bytes of a pipeline on a transformer: complete, and no way to run code."""

import io
import pickle
from pathlib import Path
from typing import Any

import pytest
import srsly
import torch
from helpers import assert_same_annotation, assert_same_numbers
from spacy import Language
from spacy.util import load_model_from_config
from tiny_pipelines import encoder_shim

TEXT = "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso! 😭"


def test_bytes_hold_the_whole_pipeline(nlp: Language) -> None:
    other = load_model_from_config(nlp.config, auto_fill=True).from_bytes(nlp.to_bytes())
    doc, again = nlp(TEXT), other(TEXT)
    assert_same_numbers(again.tensor, doc.tensor)
    assert_same_annotation(again, doc)


class Attack:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "harm")


def test_weights_cannot_run_code(nlp: Language, tmp_path: Path) -> None:
    message = srsly.msgpack_loads(encoder_shim(nlp).to_bytes())
    weights = torch.load(io.BytesIO(message["state"]), weights_only=True)
    assert set(weights) == set(encoder_shim(nlp)._model.state_dict())

    harm = tmp_path / "harm"
    buffer = io.BytesIO()
    torch.save({"weights": Attack(harm)}, buffer)
    message["state"] = buffer.getvalue()
    shim = encoder_shim(load_model_from_config(nlp.config, auto_fill=True))
    with pytest.raises(pickle.UnpicklingError):
        shim.from_bytes(srsly.msgpack_dumps(message))
    assert not harm.exists()
