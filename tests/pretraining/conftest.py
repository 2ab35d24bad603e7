"""A tiny encoder and a tiny decoder, pretrained on a few invented texts."""

from pathlib import Path

import pytest
from helpers import ROOT
from one_thread import all_on_one_thread  # noqa: F401
from small_texts import save_narratives, save_sources, settings_of

from spacy_valence_ec.pretraining.settings import read_settings
from spacy_valence_ec.pretraining.text import prepare_text
from spacy_valence_ec.pretraining.training import pretrain


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="session")
def narratives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_narratives(tmp_path_factory.mktemp("narratives") / "narratives.jsonl")


@pytest.fixture(scope="session")
def text(sources: Path, narratives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pretrain-text` writes. Not to be altered."""
    folder = tmp_path_factory.mktemp("pretraining") / "text"
    prepare_text(sources, narratives, folder, read_settings("tiny", ROOT / "configs").text)
    return folder


@pytest.fixture(scope="session", params=["tiny", "tiny-gpt"])
def pretrained(
    request: pytest.FixtureRequest, text: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What `pretrain` writes, for each class of model. Not to be altered."""
    folder = tmp_path_factory.mktemp("pretrained") / request.param
    pretrain(settings_of(request.param), text, folder)
    return folder


@pytest.fixture(scope="session")
def encoder(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrained") / "encoder"
    pretrain(settings_of("tiny"), text, folder)
    return folder
