"""`spacy debug config` and `spacy debug data` on what `valence-ec compose` writes."""

from pathlib import Path

import pytest
import spacy
from helpers import ROOT, Cli, annotate
from spacy.cli import app
from typer.testing import CliRunner

from spacy_valence_ec.configs import compose_config, fill_defaults
from spacy_valence_ec.corpus.docs import write_docs
from spacy_valence_ec.schedules import make_warmup_linear

N_TRAIN, N_DEV = 100, 10  # spaCy asks for a hundred


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that name a corpus."""
    folder = tmp_path_factory.mktemp("parts")
    nlp = spacy.blank("it")
    docs = []
    for i in range(N_TRAIN + N_DEV):
        valence = ("negative", "neutral", "positive")[i % 3]
        units = [
            (f"Ieri era il giorno {i}.", "neutral", []),
            ("Poi ho visto il mare!", valence, [] if valence == "neutral" else ["il mare"]),
        ]
        docs.append(annotate(nlp, (" ".join(text for text, _, _ in units), units)))
    write_docs(folder / "train.spacy", docs[:N_TRAIN])
    write_docs(folder / "dev.spacy", docs[N_TRAIN:])
    return [f"--paths.{part}={folder / part}.spacy" for part in ("train", "dev")]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("backbone", ["small", "embedded"])
def test_a_composed_config_passes(
    cli: Cli, tmp_path: Path, parts: list[str], backbone: str
) -> None:
    path = tmp_path / "joint.cfg"
    options = ("--backbone", backbone, "--configs", ROOT / "configs", "--tagger", "embedded")
    code, _, err = cli("compose", "joint", path, *options)
    assert code == 0, err
    for command in ("config", "data"):
        result = CliRunner().invoke(app, ["debug", command, str(path), *parts])
        assert result.exit_code == 0, (command, result.output, result.exception)


def test_the_optimizer_of_a_composed_config_can_be_made_alone() -> None:
    """As `nlp.create_optimizer` makes it, which puts no variables in."""
    config = fill_defaults(compose_config("joint", "embedded", configs=ROOT / "configs"))
    nlp = spacy.blank("it")
    nlp.config = nlp.config.merge({"training": config["training"]})
    assert "${" in str(nlp.config["training"]["optimizer"])
    optimizer = nlp.create_optimizer()
    assert optimizer.learn_rate == 0.0


def test_the_learning_rate_rises_and_falls_or_stays_where_the_end_is_unknown() -> None:
    falling = make_warmup_linear(0.5, 2, 6)
    assert [next(falling) for _ in range(8)] == [0.0, 0.25, 0.5, 0.375, 0.25, 0.125, 0.0, 0.0]
    staying = make_warmup_linear(0.5, 2, "${training.max_steps}")
    assert [next(staying) for _ in range(5)] == [0.0, 0.25, 0.5, 0.5, 0.5]
