"""Every setting of the paper: composed, trained, saved, chained and evaluated."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from helpers import (
    NARRATIVES,
    ROOT,
    annotate,
    annotation,
    assert_same_annotation,
    assert_same_numbers,
    gradients,
    shrunk_config,
)
from small_base import SmallBase
from spacy import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_model_from_config
from thinc.api import Config

from spacy_valence_ec.base.weights import load_weights
from spacy_valence_ec.configs import compose_config, first_setting
from spacy_valence_ec.corpus.reader import Corpus
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.evaluation import evaluate, valence_confusions
from spacy_valence_ec.first_step import Noise, two_steps
from spacy_valence_ec.pipeline.head import Head
from spacy_valence_ec.schema import EC_KEY, FU_KEY, VALENCES

CONFIGS = ROOT / "configs"
SINGLE = ("single-valence", "single-ec")
SHARED = ("two-step-valence-ec-shared", "two-step-ec-valence-shared")
TWO_STEP = {"two-step-valence-ec": "single-valence", "two-step-ec-valence": "single-ec"}
SETTINGS = (*SINGLE, *SHARED, *TWO_STEP)
# What a pipeline that knows its corpus by heart scores end to end.
SCORES = {
    "single-valence": ("fu_f", "e2e_valence_macro_f"),
    "single-ec": ("fu_f", "ec_exact_f"),
    **dict.fromkeys((*SHARED, *TWO_STEP), ("fu_f", "e2e_valence_macro_f", "ec_exact_f", "joint_f")),
}

Trained = Callable[[str], Path]


def write_corpus(folder: Path) -> Path:
    path = folder / "corpus.spacy"
    docs = [annotate(spacy.blank("it"), narrative) for narrative in NARRATIVES]
    DocBin(docs=docs).to_disk(path)
    return path


def prepared(setting: str, corpus: Path, first: Path | None = None) -> Any:
    """The tiny config of a setting, for quick overfitting."""
    config = shrunk_config(setting=setting)
    config["paths"].update(train=str(corpus), dev=str(corpus))
    if first is not None:
        config["paths"]["first"] = str(first)
    config["training"].update(
        dropout=0.0, max_steps=120, max_epochs=0, eval_frequency=20, patience=0
    )
    config["training"]["optimizer"]["learn_rate"] = 0.02
    return Config().from_str(config.to_str())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Trains a setting once, by `spacy train`'s loop, its first step before it: the folder of the
    best model."""
    folder = tmp_path_factory.mktemp("settings")
    corpus = write_corpus(folder)

    def best(setting: str) -> Path:
        path = folder / setting / "model-best"
        if not path.exists():
            first = first_setting(setting, configs=CONFIGS)
            config = prepared(setting, corpus, best(first) if first else None)
            path.parent.mkdir()
            train(init_nlp(config), path.parent, stdout=StringIO(), stderr=StringIO())
        return path

    return best


@pytest.mark.parametrize("setting", SETTINGS)
def test_overfitting_and_saving(trained: Trained, setting: str, tmp_path: Path) -> None:
    nlp = spacy.load(trained(setting))
    nlp.to_disk(tmp_path)
    copy = spacy.load(tmp_path)
    docs = [annotate(nlp, narrative) for narrative in NARRATIVES]
    for pipeline in (nlp, copy):
        scores = evaluate(pipeline, docs)
        assert {key: scores[key] for key in SCORES[setting]} == dict.fromkeys(SCORES[setting], 1.0)
    # A task that the pipeline does not do has no figures.
    if setting == "single-valence":
        assert scores["ec_token_f"] is scores["joint_f"] is scores["gold_units_joint_f"] is None
    if setting == "single-ec":
        assert (
            scores["valence_macro_f"] is scores["e2e_valence_macro_f"] is scores["joint_f"] is None
        )
        assert scores["gold_units_ec_exact_f"] == 1.0
    texts = [text for text, _ in NARRATIVES]
    for doc, text in zip(nlp.pipe(texts, batch_size=2), texts, strict=True):
        assert_same_annotation(doc, copy(text))


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_encoder_gets_gradient_and_a_frozen_first_step_none(
    trained: Trained, setting: str, tmp_path: Path
) -> None:
    first = first_setting(setting, configs=CONFIGS)
    corpus = write_corpus(tmp_path)
    nlp = init_nlp(prepared(setting, corpus, trained(first) if first else None))
    frozen = nlp.config["training"]["frozen_components"]
    examples = list(Corpus(corpus, gold_units=True)(nlp))
    for _, pipe in nlp.pipeline:  # output layers start at zero, and would let nothing through
        if isinstance(pipe, Head) and pipe.name not in frozen:
            output = pipe.model.get_ref("output_layer")
            shape = output.get_param("W").shape
            output.set_param("W", np.random.default_rng(0).normal(size=shape).astype("float32"))
    nlp.update(examples, sgd=False, exclude=frozen)
    encoder = "tok2vec_second" if first else "tok2vec"
    for name in nlp.pipe_names:
        pipe: Any = nlp.get_pipe(name)
        if name in frozen:
            assert not any(g.any() for g in gradients(pipe.model)), name
        elif name == encoder or isinstance(pipe, Head):
            assert max(np.abs(g).max() for g in gradients(pipe.model)) > 1e-5, name


@pytest.mark.parametrize("setting", TWO_STEP)
def test_the_chained_pipeline_is_the_two_run_in_turn(trained: Trained, setting: str) -> None:
    first, chained = spacy.load(trained(TWO_STEP[setting])), spacy.load(trained(setting))
    key = FU_KEY if setting == "two-step-valence-ec" else EC_KEY
    steps = two_steps(chained)
    texts = [*(text for text, _ in NARRATIVES), "Il capo ha riso. Ieri ero felice, poi stanca."]
    for text in texts:
        alone, together = first(text), chained(text)
        assert annotation(alone)[key] == annotation(together)[key]
        with chained.select_pipes(disable=[*steps.before, *steps.first]):
            in_turn = chained(alone)
        assert_same_annotation(in_turn, together)
    for name in (*steps.before, *steps.first):
        pipe: Any = chained.get_pipe(name)
        own: Any = first.get_pipe(name)
        assert pipe.model.to_bytes() == own.model.to_bytes(), name
    encoders: list[Any] = [chained.get_pipe(name) for name in ("tok2vec", "tok2vec_second")]
    assert encoders[0].listening_components == ["fu_segmenter", *steps.first]
    assert len(encoders[1].listening_components) == 1
    assert steps.first == (("valence_classifier",) if key == FU_KEY else ("ec_tagger",))


def shuffled(nlp: Language, setting: str) -> list[Doc]:
    """Gold Docs with other labels of the first step."""
    docs = [annotate(nlp, narrative) for narrative in NARRATIVES]
    for doc in docs:
        units = list(doc.spans[FU_KEY])
        if "valence-ec" in setting:
            doc.spans[FU_KEY] = [
                Span(doc, u.start, u.end, label=VALENCES[(VALENCES.index(u.label_) + 1) % 3])
                for u in units
            ]
        else:
            held = {token.i for carrier in doc.spans[EC_KEY] for token in carrier}
            free = [u for u in units if held.isdisjoint(range(u.start, u.end))]
            doc.spans[EC_KEY] = [Span(doc, u.start, u.end, label="EC") for u in free]
    return docs


@pytest.mark.parametrize("setting", [*SHARED, *TWO_STEP])
def test_the_oracle_reads_gold_and_the_pipeline_itself_never(
    trained: Trained, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leak would show: other gold labels of the first step change what the second one says under
    the oracle, and nothing when the first step is predicted."""
    nlp = spacy.load(trained(setting))
    second: Any = nlp.get_pipe("ec_tagger" if "valence-ec" in setting else "valence_classifier")
    outputs: list[np.ndarray] = []
    predict = second.predict

    def spy(docs: Any) -> Any:
        docs = list(docs)
        result = second.model.predict(second.model_input(docs))
        outputs.append(np.concatenate(result) if isinstance(result, list) else result)
        return predict(docs)

    monkeypatch.setattr(second, "predict", spy)

    def said(docs: list[Doc], first_step: Any) -> np.ndarray:
        outputs.clear()
        evaluate(nlp, docs, first_step=first_step)
        return np.concatenate(outputs)

    gold = [annotate(nlp, narrative) for narrative in NARRATIVES]
    other = shuffled(nlp, setting)
    assert_same_numbers(said(gold, "predicted"), said(other, "predicted"))
    assert np.abs(said(gold, "oracle") - said(other, "oracle")).max() > 0.05
    # This first step is always right: its predictions are the oracle.
    np.testing.assert_allclose(said(gold, "oracle"), said(gold, "predicted"), atol=1e-4)
    assert_same_numbers(said(gold, "noise-distribution@0"), said(gold, "oracle"))
    assert np.abs(said(gold, "noise-distribution@1") - said(gold, "oracle")).max() > 0.05
    assert nlp.pipe_names == spacy.load(trained(setting)).pipe_names


@pytest.mark.parametrize("setting", TWO_STEP)
def test_metrics_with_a_given_first_step(trained: Trained, setting: str) -> None:
    nlp = spacy.load(trained(setting))
    docs = [annotate(nlp, narrative) for narrative in NARRATIVES]
    seen: list[None] = []
    oracle = evaluate(nlp, docs, first_step="oracle", on_doc=lambda: seen.append(None))
    assert len(seen) == 2 * len(docs)
    assert oracle["joint_f"] == oracle["gold_units_joint_f"] == 1.0
    noisy = evaluate(nlp, docs, first_step=Noise(1.0, seed=1))
    first = "valence_macro_f" if "valence-ec" in setting else "gold_units_ec_exact_f"
    assert noisy[first] is not None
    assert noisy[first] < 0.8
    assert evaluate(nlp, docs, first_step=Noise(1.0, seed=1))[first] == noisy[first]


def test_confusions_are_counted_on_gold_units(trained: Trained) -> None:
    nlp = spacy.load(trained("single-valence"))
    docs = [annotate(nlp, narrative) for narrative in NARRATIVES]
    found = valence_confusions(nlp, docs)
    assert {gold: {g: n for g, n in row.items() if n} for gold, row in found.items()} == {
        "negative": {"negative": 3},
        "neutral": {"neutral": 4},
        "positive": {"positive": 4},
    }
    with pytest.raises(ValenceECError, match="V023"):
        evaluate(nlp, docs, first_step="oracle")


@pytest.mark.parametrize("source", ["predicted", "mix"])
@pytest.mark.parametrize("setting", [*SHARED, *TWO_STEP])
def test_training_on_the_predicted_first_step(
    trained: Trained, setting: str, source: str, tmp_path: Path
) -> None:
    first = first_setting(setting, configs=CONFIGS)
    config = prepared(setting, write_corpus(tmp_path), trained(first) if first else None)
    names = ("valence_classifier", "ec_tagger")
    of_first, second = names if "valence-ec" in setting else names[::-1]
    config["components"][second]["condition_source"] = source
    config["training"].update(max_steps=3, annotating_components=["tok2vec", of_first])
    nlp, _ = train(init_nlp(config), tmp_path, stdout=StringIO(), stderr=StringIO())
    assert nlp.get_pipe(second).condition_source.source == source
    config["training"]["annotating_components"] = []
    with pytest.raises(ValenceECError, match=rf"V02[01].*{second}"):
        train(init_nlp(config), tmp_path, stdout=StringIO(), stderr=StringIO())


@pytest.mark.parametrize("backbone", ["embedded", "small", "cnn", "alberto"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_is_composed_with_every_backbone(setting: str, backbone: str) -> None:
    config = compose_config(setting, backbone, configs=CONFIGS, seed=4)
    config = Config().from_str(config.to_str())
    pipeline = config["nlp"]["pipeline"]
    assert set(config["components"]) == set(pipeline)
    assert not {"extends", "two_step"} & set(config)
    # Only trained components and those of the base are given weights of the base.
    sourced = {n for n, c in config["components"].items() if "source" in c}
    assert sourced.isdisjoint(config["initialize"]["after_init"]["components"])
    assert sourced <= set(config["training"]["frozen_components"]) <= set(pipeline)
    encoder = "tok2vec_second" if setting in TWO_STEP else "tok2vec"
    width = config["backbone"]["width"]
    for name in ("fu_segmenter", "valence_classifier", "ec_tagger"):
        if name in set(pipeline) - sourced:
            listener = config["components"][name]["model"]["tok2vec"]
            assert (listener["upstream"], listener["width"]) == (encoder, width)
    weights = config["training"]["score_weights"]
    assert sum(weight or 0 for weight in weights.values()) == pytest.approx(1.0)
    if not sourced and backbone in ("embedded", "small"):
        load_model_from_config(config, auto_fill=True, validate=True)


def test_the_second_step_starts_from_the_base(
    small_base: SmallBase, trained: Trained, tmp_path: Path
) -> None:
    """All of it but the embedding of the condition, and the first step keeps its own weights."""
    corpus = write_corpus(tmp_path)
    firsts = tmp_path / "first"
    config = shrunk_config(small_base.folder, setting="single-valence")
    config["paths"].update(train=str(corpus), dev=str(corpus))
    init_nlp(Config().from_str(config.to_str())).to_disk(firsts)
    config = shrunk_config(small_base.folder, setting="two-step-valence-ec")
    config["paths"].update(train=str(corpus), dev=str(corpus), first=str(firsts))
    nlp = init_nlp(Config().from_str(config.to_str()))
    for name, in_base in (("tok2vec_second", "tok2vec"), ("ec_tagger", "ec_tagger")):
        pipe: Any = nlp.get_pipe(name)
        before = pipe.model.to_bytes()
        assert load_weights(pipe.model, in_base, small_base.folder)
        assert pipe.model.to_bytes() == before
    assert nlp.get_pipe("ec_tagger").model.get_ref("condition").get_param("E").any()


def test_each_step_has_a_backbone_of_its_own(trained: Trained, tmp_path: Path) -> None:
    config = prepared("two-step-valence-ec", write_corpus(tmp_path), trained("single-valence"))
    wide = shrunk_config(setting="two-step-valence-ec")
    wide["backbone"].update(width=20, encoder_width=12)
    wide["paths"] = config["paths"]
    nlp = init_nlp(Config().from_str(wide.to_str()))
    encoders: list[Any] = [nlp.get_pipe(name) for name in ("tok2vec", "tok2vec_second")]
    assert [encoder.model.get_dim("nO") for encoder in encoders] == [24, 20]
    assert EC_KEY in nlp(NARRATIVES[0][0]).spans


def test_first_setting() -> None:
    assert {s: first_setting(s, configs=CONFIGS) for s in SETTINGS if s in TWO_STEP} == TWO_STEP
    assert not any(first_setting(s, configs=CONFIGS) for s in (*SINGLE, *SHARED, "joint"))
    with pytest.raises(ValenceECError, match="C001"):
        first_setting("none", configs=CONFIGS)
