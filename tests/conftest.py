"""Fixtures that the tests of components share."""

import pytest
import spacy
from helpers import NARRATIVES, examples_of, make_nlp, train
from small_project import small_project
from spacy import Language

__all__ = ["small_project"]  # a fixture too


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
