"""The default pipeline on a small base: what it takes over, what it learns, what it stores."""

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import numpy as np
import pytest
import spacy
from helpers import (
    HOSTILE_TEXTS,
    NARRATIVES,
    ROOT,
    WIDTH,
    annotation,
    assert_same_annotation,
    examples_of,
    gradients,
    parameters,
    shrunk_config,
)
from small_base import SmallBase
from spacy import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from thinc.api import Model

from spacy_valence_ec.base.assets import WEIGHTS, has_asset
from spacy_valence_ec.base.encoders import EMBEDDED_ENCODER
from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.corpus.reader import Corpus
from spacy_valence_ec.errors import ValenceECError, ValenceECWarning
from spacy_valence_ec.finalize import finalize_pipeline
from spacy_valence_ec.lexicon import N_FEATURES
from spacy_valence_ec.schema import EC_CANDIDATES_KEY

HEADS = ["fu_segmenter", "valence_classifier", "ec_tagger"]
TEXTS = [*(text for text, _ in NARRATIVES), *HOSTILE_TEXTS[:-1]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.spacy"
    docs = [example.reference for example in examples_of(spacy.blank("it"))]
    DocBin(docs=docs).to_disk(path)
    return path


def config_of(base: Path, corpus: Path, **options: Any) -> Any:
    config = shrunk_config(base, **options)
    config["paths"].update(train=str(corpus), dev=str(corpus))
    config["training"].update(max_steps=3, max_epochs=0, eval_frequency=3, patience=0)
    return config


def values(model: Model) -> list[np.ndarray]:
    return [np.array(node.get_param(name)) for node, name in parameters(model)]


def told(doc: Doc) -> dict[str, Any]:
    """What another process can print of a Doc."""
    return {
        "spans": {key: [list(span) for span in spans] for key, spans in annotation(doc).items()},
        "pos": [token.pos_ for token in doc],
        "scores": [row.tolist() for row in doc.spans["fu"].attrs["scores"]],
    }


def assert_same_told(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert first["spans"] == second["spans"]
    assert first["pos"] == second["pos"]
    np.testing.assert_allclose(first["scores"], second["scores"], atol=1e-5)


def test_training_begins_from_the_base(small_base: SmallBase, corpus: Path) -> None:
    nlp = init_nlp(config_of(small_base.folder, corpus))
    assert nlp.pipe_names == ["tok2vec", *HEADS, "morphologizer", "ec_candidates"]
    origin = spacy.load(small_base.pipeline)
    for name in ("tok2vec", *HEADS, "morphologizer"):
        pairs = zip(
            values(nlp.get_pipe(name).model), values(origin.get_pipe(name).model), strict=True
        )
        assert all(np.array_equal(a, b.astype("float16")) for a, b in pairs), name
    doc = nlp(NARRATIVES[0][0])
    assert doc.tensor.shape == (len(doc), WIDTH + N_FEATURES)
    assert {token.pos_ for token in doc} == {"NOUN", "VERB", "DET", "PUNCT"}
    assert doc.spans[EC_CANDIDATES_KEY]


def test_every_part_but_the_tagger_is_trained(small_base: SmallBase, corpus: Path) -> None:
    """The last listener is the tagger of carriers: what stands behind it asks for no vectors."""
    nlp = init_nlp(config_of(small_base.folder, corpus))
    encoder: Any = nlp.get_pipe("tok2vec")
    assert encoder.listening_components == HEADS
    examples = list(Corpus(corpus, gold_units=True)(nlp))
    nlp.update(examples, sgd=False, exclude=["morphologizer"])
    for name in ("tok2vec", *HEADS):
        assert any(g.any() for g in gradients(nlp.get_pipe(name).model)), name
    assert not any(g.any() for g in gradients(nlp.get_pipe("morphologizer").model))
    nlp.config["training"]["frozen_components"] = ["morphologizer", "ec_tagger"]
    with pytest.raises(ValenceECError, match=r"V004.*'tok2vec'.*'ec_tagger'"):
        list(Corpus(corpus, gold_units=True)(nlp))


def test_a_trained_pipeline_needs_no_base(
    small_base: SmallBase, corpus: Path, tmp_path: Path
) -> None:
    base = copytree(small_base.folder, tmp_path / "base")
    nlp = init_nlp(config_of(base, corpus))
    names = [*nlp.pipe_names[:-1]]
    before = {name: values(nlp.get_pipe(name).model) for name in names}
    spacy_train(nlp, tmp_path, stdout=StringIO(), stderr=StringIO())
    trained = spacy.load(tmp_path / "model-last")
    for name in names:
        pairs = list(zip(before[name], values(trained.get_pipe(name).model), strict=True))
        moved = any(not np.array_equal(a, b) for a, b in pairs)
        assert moved == (name != "morphologizer"), name
    assert {"fu_f", "e2e_valence_macro_f", "ec_token_f"} <= set(trained.meta["performance"])

    expected = [trained(text) for text in TEXTS]
    rmtree(base)
    script = tmp_path / "use.py"
    script.write_text(
        f"""
import json, sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[1])]!r}
import spacy
nlp = spacy.load({str(tmp_path / "model-last")!r})
from test_embedded import TEXTS, told
print(json.dumps([told(doc) for doc in nlp.pipe(TEXTS, batch_size=4)]))
""",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for found, doc in zip(json.loads(done.stdout), expected, strict=True):
        assert_same_told(found, told(doc))


def test_finalizing_keeps_parts_of_speech_and_candidates(
    small_base: SmallBase, tmp_path: Path
) -> None:
    folder = copytree(small_base.pipeline, tmp_path / "model")
    before = list(spacy.load(folder).pipe(TEXTS))
    assert finalize_pipeline(folder, {"description": "small"}) > 0
    after = list(spacy.load(folder).pipe(TEXTS))
    for old, new in zip(before, after, strict=True):
        assert_same_annotation(old, new)
        assert [token.pos_ for token in new] == [token.pos_ for token in old]
    assert {token.pos_ for doc in after for token in doc} == {"NOUN", "VERB", "DET", "PUNCT"}
    assert sum(len(doc.spans[EC_CANDIDATES_KEY]) for doc in after) > 5
    stored = json.loads((folder / "vocab" / "strings.json").read_text("utf-8"))
    assert not {"gesso", "umiliato", "medico"} & set(stored)


def test_another_width_begins_from_random_weights_and_says_so(
    small_base: SmallBase, corpus: Path
) -> None:
    config = config_of(small_base.folder, corpus)
    config["components"]["ec_tagger"]["model"]["combine"]["nO"] = 32
    with pytest.warns(ValenceECWarning, match=r"\[W004\] The network of ec_tagger differs"):
        nlp = init_nlp(config)
    first = values(nlp.get_pipe("ec_tagger").model)
    assert any(array.any() for array in first)
    nlp.update(list(Corpus(corpus, gold_units=True)(nlp)), sgd=False, exclude=["morphologizer"])


@pytest.mark.parametrize("lost", ["vectors.npy", "lexicon.tsv", "checksums.json"])
def test_a_base_that_is_not_whole_is_named(
    small_base: SmallBase, corpus: Path, tmp_path: Path, lost: str
) -> None:
    base = copytree(small_base.folder, tmp_path / "base")
    (base / lost).unlink()
    config = config_of(base, corpus)
    if lost == "lexicon.tsv":  # read of the package, unless a path is given
        features = config["components"]["tok2vec"]["model"]["features"]
        features["lexicon"] = str(base / lost)
    with pytest.raises(ValenceECError, match=r"\[(B002|M004)\]"):
        init_nlp(config)


def test_workers_give_what_calling_gives(small_base: SmallBase) -> None:
    nlp: Language = spacy.load(small_base.pipeline)
    for doc, text in zip(nlp.pipe(TEXTS, n_process=2, batch_size=4), TEXTS, strict=True):
        assert_same_annotation(doc, nlp(text))
        assert [token.pos_ for token in doc] == [token.pos_ for token in nlp(text)]


def test_scores_do_not_depend_on_the_candidates(small_base: SmallBase) -> None:
    """They are suggestions: with and without them a pipeline is as good."""
    nlp: Language = spacy.load(small_base.pipeline)
    examples: list[Example] = examples_of(nlp, gold_units=False)
    scores = nlp.evaluate(examples)
    with nlp.select_pipes(disable=["ec_candidates", "morphologizer"]):
        without = nlp.evaluate(examples_of(nlp, gold_units=False))
    names = {name for name in without if name.startswith(("fu_", "e2e_", "ec_", "joint_"))}
    assert "ec_macro_f" in names
    assert {name: scores[name] for name in names} == {name: without[name] for name in names}


@pytest.mark.parametrize("backbone", ["embedded", "small"])
def test_the_shipped_base_fits_the_pipeline(corpus: Path, backbone: str) -> None:
    """Every network takes its weights: a warning, W004, would be an error. Of their quality only
    that the tagger knows the commonest words."""
    config = compose_config("joint", backbone, configs=ROOT / "configs")
    config["paths"].update(train=str(corpus), dev=str(corpus))
    nlp = init_nlp(config)
    for name in HEADS:
        folder = f"{EMBEDDED_ENCODER}/heads" if backbone == "embedded" else WEIGHTS
        assert has_asset(f"{folder}/{name}.safetensors"), name
    doc = nlp("Ieri sono andata dal medico e il treno era in ritardo.")
    tags = {token.text: token.pos_ for token in doc}
    assert [tags[word] for word in ("medico", "il", "treno", "e", ".")] == [
        *("NOUN", "DET", "NOUN", "CCONJ", "PUNCT")
    ]
    candidates = [span.text for span in doc.spans[EC_CANDIDATES_KEY]]
    assert {"medico", "il treno", "sono andata"} <= set(candidates)
