"""A tiny decoder, and a pipeline on it."""

from pathlib import Path

import pytest
from helpers import examples_of
from one_thread import all_on_one_thread  # noqa: F401
from spacy import Language
from tiny_gpt import make_generative, save_geppetto_like


@pytest.fixture(scope="session")
def geppetto_like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_geppetto_like(tmp_path_factory.mktemp("hub") / "geppetto")


@pytest.fixture(scope="session")
def untrained(geppetto_like: Path) -> Language:
    """The joint setting with random weights. Not to be altered."""
    nlp = make_generative(geppetto_like)
    nlp.initialize(lambda: examples_of(nlp))
    return nlp
