"""The corpus reader of the training config, alone and in training."""

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import spacy
from helpers import NARRATIVES, annotate, annotation, shrunk_config
from spacy import registry
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import create_train_batches
from spacy.training.loop import train as spacy_train
from spacy.util import fix_random_seed

from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.corpus.reader import Corpus
from spacy_valence_ec.errors import ValenceECError

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    nlp = spacy.blank("it")
    path = tmp_path / "corpus.spacy"
    DocBin(docs=[annotate(nlp, narrative) for narrative in NARRATIVES]).to_disk(path)
    return path


@pytest.mark.parametrize("gold_units", [True, False])
def test_reading(corpus: Path, gold_units: bool) -> None:
    nlp = spacy.blank("it")
    examples = list(Corpus(corpus, gold_units=gold_units)(nlp))
    # All but the one without a token.
    assert [example.reference.text for example in examples] == [t for t, _ in NARRATIVES if t]
    for example in examples:
        gold = annotation(example.reference)["fu"]
        units = [(start, end, "") for start, end, _ in gold]
        expected = {"fu": units} if gold_units else {}
        assert annotation(example.predicted) == expected  # the units, and not their valence
        assert example.predicted.text == example.reference.text


def test_doc_without_gold_units_gets_none(tmp_path: Path) -> None:
    nlp = spacy.blank("it")
    DocBin(docs=[nlp.make_doc("ciao")]).to_disk(tmp_path / "a.spacy")
    example = next(iter(Corpus(tmp_path, gold_units=True)(nlp)))
    assert "fu" not in example.predicted.spans


def test_reading_again_gives_fresh_docs(corpus: Path) -> None:
    nlp = spacy.blank("it")
    read = Corpus(corpus)
    first = next(iter(read(nlp)))
    first.predicted.spans["fu"] = []
    second = next(iter(read(nlp)))
    assert "fu" not in second.predicted.spans


def test_gold_units_on_the_tokens_of_the_pipeline(tmp_path: Path) -> None:
    """The corpus was tokenized in another way."""
    nlp = spacy.blank("it")
    reference = Doc(
        nlp.vocab,
        words=["Che", " ", "bel", "lo", "!", "Ho", "riso", "."],
        spaces=[False, False, False, False, False, True, False, False],
    )
    reference.spans["fu"] = [reference[0:5], reference[5:8]]
    DocBin(docs=[reference]).to_disk(tmp_path / "a.spacy")
    predicted = next(iter(Corpus(tmp_path, gold_units=True)(nlp))).predicted
    units = predicted.spans["fu"]
    assert [token.text for token in predicted] == ["Che", "bello!Ho", "riso", "."]
    assert [(unit.start, unit.end) for unit in units] == [(0, 2), (2, 4)]


@pytest.mark.parametrize(("limit", "n"), [(0, 5), (2, 2), (99, 5)])
def test_limit(corpus: Path, limit: int, n: int) -> None:
    assert len(list(Corpus(corpus, limit=limit)(spacy.blank("it")))) == n


def test_folder_is_read_in_order_of_the_names(tmp_path: Path) -> None:
    nlp = spacy.blank("it")
    (tmp_path / "b").mkdir()
    for name in ("c.spacy", "a.spacy", "b/d.spacy"):
        DocBin(docs=[nlp.make_doc(name)]).to_disk(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no DocBin")
    texts = [example.reference.text for example in Corpus(tmp_path)(nlp)]
    assert texts == ["a.spacy", "b/d.spacy", "c.spacy"]


def test_no_corpus(tmp_path: Path) -> None:
    nlp = spacy.blank("it")
    for path in (tmp_path / "none.spacy", tmp_path):  # a folder without a corpus
        with pytest.raises(ValenceECError, match=f"V011.*{path}.*valence-ec corpus"):
            next(iter(Corpus(path)(nlp)))
    with pytest.raises(ValenceECError, match=r"V011.*paths\.train"):
        Corpus(None)


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\x00" * 99, b"PK\x03\x04"])
def test_file_that_is_no_docbin(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "corpus.spacy"
    path.write_bytes(content)
    with pytest.raises(ValenceECError, match=f"V012.*{path}"):
        next(iter(Corpus(path)(spacy.blank("it"))))


def trained_weights(corpus: Path, seed: int = 0, **training: object) -> dict[str, bytes]:
    config = shrunk_config(seed=seed)
    config["paths"].update(train=str(corpus), dev=str(corpus))
    config["training"].update(max_steps=4, max_epochs=0, eval_frequency=2, **training)
    config["training"]["batcher"]["size"] = 25
    if training:
        config["corpora"]["train"]["gold_units"] = False
    nlp, _ = spacy_train(init_nlp(config), None, stdout=StringIO(), stderr=StringIO())
    return {
        name: pipe.to_bytes(exclude=["vocab"])
        for name, pipe in nlp.pipeline
        if isinstance(pipe, TrainablePipe)
    }


def test_same_seed_same_weights(corpus: Path) -> None:
    first = trained_weights(corpus, seed=7)
    np.random.default_rng().normal()
    assert trained_weights(corpus, seed=7) == first
    other = trained_weights(corpus, seed=8)
    assert all(other[name] != first[name] for name in first)


def test_training_on_predicted_units(corpus: Path) -> None:
    annotating = ["tok2vec", "fu_segmenter"]
    on_predicted = trained_weights(corpus, annotating_components=annotating)
    on_gold = trained_weights(corpus)
    assert on_predicted["valence_classifier"] != on_gold["valence_classifier"]
    with pytest.raises(ValenceECError, match=r"V001.*gold_units = true"):
        trained_weights(corpus, annotating_components=[])


def test_shuffled_passes_hold_all_each_in_another_order(corpus: Path) -> None:
    nlp = spacy.blank("it")
    in_order = [example.reference.text for example in Corpus(corpus)(nlp)]
    read = Corpus(corpus, shuffle=True)
    fix_random_seed(3)
    passes = [[example.reference.text for example in read(nlp)] for _ in range(4)]
    assert all(sorted(found) == sorted(in_order) for found in passes)
    assert len({tuple(found) for found in passes}) > 1
    fix_random_seed(3)
    assert [example.reference.text for example in read(nlp)] == passes[0]


def test_a_transformer_is_trained_on_spellings_drawn_anew_in_each_pass(corpus: Path) -> None:
    """As its backbone is configured, through spaCy's own reading of passes."""
    config = compose_config("joint", "embedded", configs=CONFIGS)
    max_epochs = config["training"]["max_epochs"]
    section = config["corpora"]["train"] | {"path": str(corpus)}
    section["augmenter"] = section["augmenter"] | {"lower": 0.5, "spaces": 0.5}
    read = registry.resolve({"corpus": section})["corpus"]
    nlp = spacy.blank("it")
    fix_random_seed(0)
    batches = create_train_batches(nlp, read, lambda examples: [list(examples)], max_epochs)
    passes = [sorted(e.reference.text for e in next(batches)[1]) for _ in range(4)]
    assert len({tuple(texts) for texts in passes}) == 4
