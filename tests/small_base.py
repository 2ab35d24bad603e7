"""A base as `valence-ec base build` makes it, of a few rows and a few steps of training."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from helpers import examples_of, shrunk_config, step
from spacy import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_model_from_config
from spacy.vectors import Vectors
from thinc.api import Adam

from spacy_valence_ec.base.build import build_base

COMPONENTS = ("tok2vec", "fu_segmenter", "valence_classifier", "ec_tagger")
VECTOR_WIDTH = 6
DETERMINERS = {"il", "l'", "la", "una", "mia"}
VERBS = {"sono", "hanno", "ho", "ha", "ero", "andata", "tolto", "preso", "dormito", "mangiato"}


@dataclass(frozen=True)
class SmallBase:
    """The folder of the base, and the saved pipeline that its parts are from."""

    folder: Path
    pipeline: Path


@pytest.fixture(scope="session")
def small_base(tmp_path_factory: pytest.TempPathFactory) -> SmallBase:
    """Not to be altered: copy the folder."""
    folder = tmp_path_factory.mktemp("base")
    base = SmallBase(folder / "base", folder / "pipeline")
    trained_for_base().to_disk(base.pipeline)
    build_base(*(base.pipeline,) * 3, base.folder, COMPONENTS)
    return base


def small_vectors(nlp: Language, attr: str = "LOWER") -> Vectors:
    """A floret table of random values."""
    data = np.random.default_rng(1).normal(size=(64, VECTOR_WIDTH)).astype("float32")
    settings = {"minn": 3, "maxn": 4, "hash_count": 2, "hash_seed": 7, "bow": "<", "eow": ">"}
    strings = nlp.vocab.strings
    return Vectors(strings=strings, data=data, mode="floret", attr=attr, **settings)


def trained_for_base() -> Language:
    """A joint pipeline after some steps, the tagger among the components that are trained."""
    config = shrunk_config(Path("nowhere"))
    config["training"]["frozen_components"] = []
    config["initialize"].update(before_init=None, after_init=None, components={})
    nlp = load_model_from_config(config, auto_fill=True)
    nlp.vocab.vectors = small_vectors(nlp)
    examples = examples_of(nlp)
    for example in examples:
        tag(example.reference)
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.02)
    for _ in range(25):
        step(nlp, examples, optimizer, {})
    return nlp


def tag(doc: Doc) -> Doc:
    """Parts of speech by form, good enough to learn from."""
    for token in doc:
        form = token.lower_
        if not token.is_alpha and form not in DETERMINERS:
            token.pos_ = "PUNCT"
        elif form in DETERMINERS:
            token.pos_ = "DET"
        else:
            token.pos_ = "VERB" if form in VERBS else "NOUN"
    return doc


def tagged_examples(nlp: Language) -> list[Example]:
    """Those of `examples_of`, with gold parts of speech."""
    examples = examples_of(nlp)
    for example in examples:
        tag(example.reference)
    return examples
