"""Components of this package in somebody else's pipeline."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import spacy
from helpers import (
    ENCODER,
    HEADS,
    NARRATIVES,
    WIDTH,
    annotate,
    annotation,
    assert_same_annotation,
    assert_same_numbers,
    examples_of,
    make_nlp,
    shrunk_config,
)
from small_base import SmallBase, tag
from spacy import Language
from spacy.training import Example
from spacy.util import load_model_from_config
from spacy.vectors import Vectors

from spacy_valence_ec import add_valence_pipes
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.schema import EC_KEY, FU_KEY

TEXT = NARRATIVES[0][0]
OWN = ["fu_segmenter", "valence_classifier", "ec_tagger"]


@pytest.fixture
def users() -> Language:
    """A pipeline with an encoder and a tagger of its own, both under the names of ours."""
    nlp = spacy.blank("it")
    nlp.add_pipe("tok2vec", config=ENCODER)
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": WIDTH, "upstream": "tok2vec"}
    nlp.add_pipe("morphologizer", config={"model": {"tok2vec": listener}})
    examples = [Example(nlp.make_doc(text), tag(nlp.make_doc(text))) for text, _ in NARRATIVES]
    nlp.initialize(lambda: [eg for eg in examples if len(eg.reference)])
    return nlp


@pytest.fixture
def with_vectors(small_base: SmallBase) -> Language:
    """A joint pipeline whose encoder and tagger read static vectors."""
    return spacy.load(small_base.pipeline)


def tags_of(nlp: Language) -> list[list[str]]:
    return [[token.pos_ for token in nlp(text)] for text, _ in NARRATIVES]


def assert_same_results(nlp: Language, source: Language) -> None:
    for text, _ in NARRATIVES:
        doc, same = nlp(text), source(text)
        for key in (FU_KEY, EC_KEY):
            assert annotation(doc)[key] == annotation(same)[key]
            for name, value in same.spans[key].attrs.items():
                if isinstance(value, np.ndarray):
                    assert_same_numbers(doc.spans[key].attrs[name], value)


def test_added_pipes_tag_as_the_source_and_leave_both_pipelines_as_they_were(
    trained: Language, users: Language, tmp_path: Path
) -> None:
    before, tags = [trained(text) for text, _ in NARRATIVES], tags_of(users)
    assert any(tag for row in tags for tag in row)
    names = add_valence_pipes(users, trained)
    assert names == ["valence_tok2vec", *OWN]
    assert users.pipe_names == ["tok2vec", "morphologizer", *names]
    assert_same_results(users, trained)
    assert tags_of(users) == tags
    for text, doc in zip((text for text, _ in NARRATIVES), before, strict=True):
        assert_same_annotation(trained(text), doc)
    users.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert_same_results(loaded, trained)
    assert tags_of(loaded) == tags


def test_static_vectors_and_tagger_come_along_where_there_are_none(with_vectors: Language) -> None:
    nlp = spacy.blank("it")
    assert add_valence_pipes(nlp, with_vectors) == with_vectors.pipe_names
    assert nlp.vocab.vectors is not with_vectors.vocab.vectors
    for text, _ in NARRATIVES:
        assert_same_annotation(nlp(text), with_vectors(text))
    assert tags_of(nlp) == tags_of(with_vectors)


def test_other_static_vectors_are_refused_before_anything_is_added(with_vectors: Language) -> None:
    nlp = spacy.blank("it")
    vectors = Vectors(strings=nlp.vocab.strings, data=np.ones((2, 6), "f"), keys=["ieri", "sono"])
    nlp.vocab.vectors = vectors
    with pytest.raises(ValenceECError, match=r"V047.*tok2vec, morphologizer"):
        add_valence_pipes(nlp, with_vectors)
    assert nlp.pipe_names == []
    assert nlp.vocab.vectors is vectors


def test_a_tagger_of_the_user_serves_in_place_of_the_one_that_needs_vectors(
    trained: Language, with_vectors: Language, users: Language
) -> None:
    source = spacy.blank("it")
    source.vocab.vectors = with_vectors.vocab.vectors
    add_valence_pipes(source, trained)
    source.add_pipe("morphologizer", source=with_vectors)
    source.add_pipe("ec_candidates")
    users.vocab.vectors = Vectors(
        strings=users.vocab.strings, data=np.ones((1, 3), "f"), keys=["x"]
    )
    tags = tags_of(users)
    assert add_valence_pipes(users, source) == ["valence_tok2vec", *OWN, "ec_candidates"]
    assert_same_results(users, source)
    assert tags_of(users) == tags
    assert users(TEXT).spans["ec_candidates"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (lambda: spacy.blank("en"), r"V044.*'it'.*'en'"),
        (lambda: make_nlp("fu_segmenter"), r"V046.*fu_segmenter"),
    ],
)
def test_pipelines_that_do_not_fit_are_refused(
    trained: Language, target: Callable[[], Language], message: str
) -> None:
    with pytest.raises(ValenceECError, match=message):
        add_valence_pipes(target(), trained)


def test_a_source_without_our_components_is_refused(users: Language) -> None:
    with pytest.raises(ValenceECError, match=r"V045.*tok2vec, morphologizer"):
        add_valence_pipes(spacy.blank("it"), users)


def test_single_components_can_be_sourced_with_their_encoder(trained: Language) -> None:
    nlp = spacy.blank("it")
    for name in ("tok2vec", *OWN):
        nlp.add_pipe(name, source=trained)
    for text, _ in NARRATIVES:
        assert_same_annotation(nlp(text), trained(text))


def test_a_component_that_is_sourced_alone_says_what_is_missing(
    trained: Language, with_vectors: Language
) -> None:
    nlp = spacy.blank("it")
    nlp.add_pipe("fu_segmenter", source=trained)
    with pytest.raises(ValenceECError, match=r"V002.*'tok2vec'.*add_valence_pipes"):
        nlp(TEXT)

    # An encoder of another width under the same name.
    nlp = spacy.blank("it")
    nlp.add_pipe("tok2vec").initialize(lambda: examples_of(nlp), nlp=nlp)
    nlp.add_pipe("fu_segmenter", source=trained)
    with pytest.raises(ValenceECError, match=rf"V048.* 96 values.* {WIDTH}: .*add_valence_pipes"):
        nlp(TEXT)


@pytest.mark.parametrize("name", ["tok2vec", "morphologizer"])
@pytest.mark.filterwarnings("ignore:.*W113")
def test_a_component_without_its_static_vectors_says_so(with_vectors: Language, name: str) -> None:
    nlp = spacy.blank("it")
    nlp.add_pipe(name, source=with_vectors)
    with pytest.raises(ValenceECError, match=r"V043.* 6 values.* 0: .*add_valence_pipes"):
        nlp(TEXT)
    assert len(nlp("")) == 0


@pytest.mark.parametrize("head", [*HEADS])
@pytest.mark.parametrize("is_stream", [False, True])
def test_an_untrained_component_says_so(head: str, is_stream: bool) -> None:
    nlp = make_nlp(head)
    doc = annotate(nlp, NARRATIVES[0])
    doc.tensor = np.ones((len(doc), WIDTH), dtype="float32")
    pipe = nlp.get_pipe(head)
    with pytest.raises(ValenceECError, match=rf"V042\] {head}: not trained"):
        list(pipe.pipe([doc])) if is_stream else pipe(doc)
    with pytest.raises(ValueError, match=r"\[E109\].*'tok2vec'"):
        nlp(TEXT)


def test_an_untrained_default_encoder_says_so() -> None:
    config = shrunk_config().copy()
    nlp = load_model_from_config(config, auto_fill=True)
    with pytest.raises(ValueError, match=r"\[E109\].*'tok2vec'"):
        nlp(TEXT)
    transformer = {
        "@architectures": "spacy_valence_ec.TransformerEncoder.v1",
        "name": "e5-small-it",
        "get_spans": {
            "@span_getters": "spacy-transformers.strided_spans.v1",
            "window": 128,
            "stride": 96,
        },
        "tokenizer_config": {},
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    nlp = spacy.blank("it")
    nlp.add_pipe("tok2vec", config={"model": transformer})
    for run in (lambda: nlp(TEXT), lambda: list(nlp.pipe([TEXT]))):
        with pytest.raises(ValenceECError, match=r"V042\] TransformerEncoder: not trained"):
            run()
