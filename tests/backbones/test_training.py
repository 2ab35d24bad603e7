"""A joint pipeline on an encoder in AlBERTo's layout: composed, trained, packaged, used offline."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import srsly
import torch
from helpers import HOSTILE_TEXTS, ROOT, assert_same_annotation
from spacy import Language
from spacy.tokens import Doc
from tiny_encoders import LAYERS, WIDTH, save_alberto_like
from tiny_pipelines import Initialize, TrainedPipeline, transformer

from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.errors import ValenceECError

HEADS = ("fu_segmenter", "valence_classifier", "ec_tagger")
TEXTS = [
    "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!",
    "Oggi ho paura, non dormo di notte. Poi la mamma mi chiama.",
    "",
    "L’amica 😭 … ha detto ciao.",
    "Mia figlia ha riso tanto, che gioia! " * 30,
]


def test_composed_config_describes_the_encoder(alberto_like: Path, roberta_like: Path) -> None:
    config = compose_config("joint", str(alberto_like), configs=ROOT / "configs").interpolate()
    encoder = config["components"]["tok2vec"]["model"]
    assert encoder["name"] == str(alberto_like)
    assert encoder["tokenizer_config"] == {"use_fast": True, "model_max_length": 512}
    assert encoder["get_spans"]["window"] == 128
    assert encoder["get_spans"]["stride"] == 96
    for head in HEADS:
        assert config["components"][head]["model"]["tok2vec"]["width"] == WIDTH
    training = config["training"]
    assert training["optimizer"]["learn_rate"]["total_steps"] == training["max_steps"] > 0

    # 514 positions, of which the padding takes two.
    config = compose_config("joint", str(roberta_like), configs=ROOT / "configs")
    assert config["backbone"]["max_length"] == 512


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("alberto", "m-polignano-uniba/bert_uncased_L-12_H-768_A-12_italian_alb3rt0"),
        ("xlm-roberta", "xlm-roberta-base"),
    ],
)
def test_named_backbones_are_composed_without_the_hub(name: str, encoder: str) -> None:
    config = compose_config("joint", name, configs=ROOT / "configs").interpolate()
    model = config["components"]["tok2vec"]["model"]
    assert model["name"] == encoder
    assert model["tokenizer_config"] == {"use_fast": True, "model_max_length": 512}


def test_a_folder_without_an_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValenceECError, match="C003"):
        compose_config("joint", str(tmp_path), configs=ROOT / "configs")


def test_training_lowers_the_losses_and_reaches_every_layer(
    alberto_joint: TrainedPipeline, nlp: Language
) -> None:
    first, last = alberto_joint.log[1], alberto_joint.log[-1]
    for head in HEADS:
        assert last["losses"][head] < 0.5 * first["losses"][head], head
    assert last["score"] > 0.9

    changed = set()
    for name, weights in transformer(nlp).named_parameters():
        if weights.dim() == 2 and not name.startswith("pooler"):
            assert not torch.equal(weights, alberto_joint.weights[f"bert.{name}"]), name
            changed.add(name.split("layer.")[-1].split(".")[0])
    assert changed == {"embeddings", *map(str, range(LAYERS))}


def test_the_package_names_what_it_needs(alberto_joint: TrainedPipeline) -> None:
    meta = srsly.read_json(alberto_joint.package / "meta.json")
    names = {requirement.split(">")[0].replace("_", "-") for requirement in meta["requirements"]}
    assert names == {"spacy-valence-ec", "spacy-transformers"}
    assert meta["spacy_version"].startswith(">=3.8")


def test_the_package_runs_offline_without_the_encoders_folder_and_in_workers(
    alberto_joint: TrainedPipeline, nlp: Language, tmp_path: Path
) -> None:
    assert not alberto_joint.encoder.exists()
    script = Path(__file__).with_name("use_pipeline.py")
    arguments = [alberto_joint.package, alberto_joint.encoder, tmp_path, *TEXTS]
    subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        check=True,
        cwd=tmp_path,
        start_new_session=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
    )
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    for way in ("alone", "fork", "spawn"):
        for text, found in zip(TEXTS, results[way], strict=True):
            assert_same_result(found, nlp(text))
    # Both workers ran the encoder, from the first time on with a single thread.
    for way, threads in {"alone": ["2"], "fork": ["1", "1"], "spawn": ["1", "1"]}.items():
        notes = [set(path.read_text().split()) for path in tmp_path.glob(f"{way}-*")]
        assert notes == [{n} for n in threads], way


def assert_same_result(found: dict[str, Any], doc: Doc) -> None:
    units, carriers = doc.spans["fu"], doc.spans["ec"]
    assert found["units"] == [[unit.start, unit.end, unit.label_] for unit in units]
    assert found["carriers"] == [[carrier.start, carrier.end] for carrier in carriers]
    scores = np.reshape(found["scores"], (-1, 3))
    np.testing.assert_allclose(scores, units.attrs["scores"], atol=1e-4)
    np.testing.assert_allclose(found["carrier_scores"], carriers.attrs["scores"], atol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 3, 16])
@pytest.mark.filterwarnings("ignore:.*W002:spacy_valence_ec.ValenceECWarning")
def test_pipe_equals_calling(nlp: Language, batch_size: int) -> None:
    texts = TEXTS + HOSTILE_TEXTS[::-1] + TEXTS[::-1]
    for text, doc in zip(texts, nlp.pipe(texts, batch_size=batch_size), strict=True):
        alone = nlp(text)
        if text:
            np.testing.assert_allclose(doc.tensor, alone.tensor, atol=1e-4)
        assert_same_annotation(doc, alone)


def test_a_doc_keeps_one_vector_a_token_and_nothing_more(nlp: Language) -> None:
    doc = nlp(TEXTS[0])
    assert doc.tensor.shape == (len(doc), WIDTH)
    assert doc.tensor.dtype == np.float32
    assert doc.user_data == {}


def test_an_encoder_of_few_positions_reads_every_token(
    tmp_path: Path, initialize: Initialize
) -> None:
    encoder = save_alberto_like(tmp_path / "bert-short", max_position_embeddings=64)
    nlp = initialize(encoder)
    assert nlp.config["components"]["tok2vec"]["model"]["get_spans"]["window"] == 16
    assert nlp("mamma ciao " * 100).tensor.any(axis=1).all()
