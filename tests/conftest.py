"""Fixtures that several folders of tests share."""

import sys
from typing import Any

import pytest
import spacy
from helpers import NARRATIVES, Cli, examples_of, make_nlp, train
from hypothesis import HealthCheck, settings
from small_base import small_base
from small_project import small_project
from spacy import Language
from stand_in import stand_in

from spacy_valence_ec.cli import run

# A machine that does other things too is slow, not wrong.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

__all__ = ["small_base", "small_project", "stand_in"]  # fixtures too


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Language:
    """A joint pipeline that knows `helpers.NARRATIVES` by heart, as it is loaded from disk. Not
    to be altered."""
    nlp = make_nlp("fu_segmenter", "valence_classifier", "ec_tagger")
    losses = train(nlp, examples_of(nlp, NARRATIVES), below=0.01)
    assert max(losses.values()) < 0.01
    folder = tmp_path_factory.mktemp("trained")
    nlp.to_disk(folder)
    return spacy.load(folder)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    """Runs the entry point: exit code, standard output, standard error."""

    def call(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["valence-ec", *map(str, args)])
        code: Any = 0
        try:
            run()
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call
