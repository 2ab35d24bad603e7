"""Tiny encoders, and a joint pipeline trained on one in AlBERTo's layout."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import spacy
import srsly
import torch
from helpers import NARRATIVES, annotate
from one_thread import one_thread
from spacy import Language
from spacy.cli.package import package
from spacy.cli.train import train
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from tiny_encoders import save_alberto_like, save_roberta_like
from tiny_pipelines import Initialize, TrainedPipeline, composed


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="session")
def alberto_like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_alberto_like(tmp_path_factory.mktemp("hub") / "bert_uncased_L-12_H-24_italian")


@pytest.fixture(scope="session")
def roberta_like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_roberta_like(tmp_path_factory.mktemp("hub") / "xlmr")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp = spacy.blank("it")
    path = tmp_path_factory.mktemp("corpus") / "narratives.spacy"
    DocBin(docs=[annotate(nlp, narrative) for narrative in NARRATIVES * 3]).to_disk(path)
    return path


@pytest.fixture(scope="session")
def initialize(corpus: Path) -> Initialize:
    """Initialize an untrained joint pipeline on an encoder, with other tokenizer settings."""

    def make(encoder: Path, **tokenizer_config: object) -> Language:
        config = composed(encoder, corpus)
        config["components"]["tok2vec"]["model"]["tokenizer_config"].update(tokenizer_config)
        return init_nlp(config.interpolate())

    return make


@pytest.fixture(scope="session")
def alberto_joint(
    alberto_like: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> TrainedPipeline:
    folder = tmp_path_factory.mktemp("training")
    encoder = folder / alberto_like.name
    shutil.copytree(alberto_like, encoder)
    config = composed(encoder, corpus)
    config["training"].update(max_steps=120, eval_frequency=30)
    config["training"]["batcher"]["size"] = 60
    config["training"]["optimizer"]["learn_rate"].update(warmup_steps=10, initial_rate=0.003)
    # The encoder has random weights: it has as much to learn as the heads.
    config["components"]["tok2vec"]["model"].update(rate_factor=1.0, layer_decay=1.0)
    config["training"]["logger"]["progress_bar"] = None
    config["training"]["logger"]["output_file"] = str(folder / "log.jsonl")
    config.to_disk(folder / "joint.cfg")
    with one_thread():
        train(folder / "joint.cfg", folder / "model")
    shutil.rmtree(encoder)

    package(folder / "model" / "model-last", folder, name="tiny", create_sdist=False)
    packaged = folder / "it_tiny-0.0.0"
    shutil.copy(packaged / "meta.json", packaged / "it_tiny")  # as its setup.py does
    return TrainedPipeline(
        model=folder / "model" / "model-last",
        package=packaged,
        encoder=encoder,
        weights=torch.load(alberto_like / "pytorch_model.bin"),
        log=list(srsly.read_jsonl(folder / "log.jsonl")),
    )


@pytest.fixture(scope="session")
def nlp(alberto_joint: TrainedPipeline) -> Language:
    """The trained pipeline. Not to be altered."""
    return spacy.load(alberto_joint.model)
