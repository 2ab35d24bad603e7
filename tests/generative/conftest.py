"""A tiny decoder, and a pipeline on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers import examples_of
from spacy import Language
from tiny_gpt import make_generative, save_geppetto_like


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def geppetto_like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_geppetto_like(tmp_path_factory.mktemp("hub") / "geppetto")


@pytest.fixture(scope="session")
def untrained(geppetto_like: Path) -> Language:
    """The joint setting with random weights. Not to be altered."""
    nlp = make_generative(geppetto_like)
    nlp.initialize(lambda: examples_of(nlp))
    return nlp
