"""The temperature of a component, and `valence-ec calibrate`, from a small pipeline to its file."""

import json
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from helpers import (
    HOSTILE_TEXTS,
    NARRATIVES,
    Cli,
    annotate,
    annotation,
    assert_same_annotation,
    examples_of,
    initialized,
    make_nlp,
)
from small_project import files_of
from spacy import Language
from spacy.tokens import Doc

from spacy_valence_ec.calibration import calibrate
from spacy_valence_ec.corpus.docs import write_docs
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.evaluation import evaluate_with_examples
from spacy_valence_ec.models.bio import B, Chains, I, O, spans_of_tags
from spacy_valence_ec.pipeline.calibrated import CalibratedHead
from spacy_valence_ec.scorers import score_carriers

TEXTS = [*HOSTILE_TEXTS, *(text for text, _ in NARRATIVES)]
HEADS = ["ec_tagger", "ec_ngrams"]


def random_nlp(carriers: str, scale: float = 1.0, seed: int = 5, **settings: Any) -> Language:
    """Random weights without bias at the end, and sure: decisions go every way."""
    names = ("fu_segmenter", "valence_classifier", carriers)
    nlp = initialized(make_nlp(*names, **settings), seed=seed)
    for _, component in nlp.pipeline[1:]:
        output = component.model.get_ref("output_layer")  # type: ignore[attr-defined]
        output.set_param("b", np.zeros_like(output.get_param("b")))
        output.set_param("W", scale * output.get_param("W"))
    return nlp


def heads(nlp: Language) -> dict[str, CalibratedHead]:
    return {name: pipe for name, pipe in nlp.pipeline if isinstance(pipe, CalibratedHead)}


def set_temperatures(nlp: Language, *values: float) -> None:
    for head, value in zip(heads(nlp).values(), values, strict=True):
        head.temperature = value


def scores(docs: list[Doc], key: str) -> np.ndarray:
    return np.concatenate([doc.spans[key].attrs["scores"] for doc in docs])


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_a_tempered_chain_is_the_distribution_to_a_power(temperature: float) -> None:
    """Against all taggings of a unit of four tokens."""
    emissions = np.random.default_rng(5).normal(0, 2, (5, 3))
    chains = Chains(emissions, np.asarray([(0, 4)]))  # the last token lies outside
    weights = {
        tags: np.exp(emissions[np.arange(4), tags].sum()) ** (1 / temperature)
        for tags in product((O, B, I), repeat=4)
        if tags[0] != I and all(b != I or a != O for a, b in pairwise(tags))
    }
    total = sum(weights.values())
    expected: dict[tuple[int, int], float] = {}
    for tags, weight in weights.items():
        for span in spans_of_tags(np.asarray(tags)):
            expected[span] = expected.get(span, 0.0) + weight / total
    assert len(expected) == 10
    tempered = chains.tempered(temperature)
    np.testing.assert_allclose(
        tempered.span_probabilities(list(expected)), list(expected.values()), rtol=1e-5
    )
    np.testing.assert_array_equal(tempered.decode(), chains.decode())


@pytest.mark.parametrize("carriers", HEADS)
@pytest.mark.parametrize("threshold", [0.3, 0.6])
def test_no_decision_changes(carriers: str, threshold: float) -> None:
    nlp = random_nlp(carriers, 4.0, threshold=threshold)
    plain = list(nlp.pipe(TEXTS))
    assert len({unit.label_ for doc in plain for unit in doc.spans["fu"]}) > 1
    assert any(doc.spans["ec"] for doc in plain)
    for temperature in (0.5, 5.0):
        set_temperatures(nlp, temperature, temperature)
        docs = list(nlp.pipe(TEXTS))
        assert [annotation(doc) for doc in docs] == [annotation(doc) for doc in plain]
        p, q = scores(plain, "fu"), scores(docs, "fu")
        np.testing.assert_allclose(q.sum(axis=1), 1.0, rtol=1e-5)
        powers = p.astype(float) ** (1 / temperature)
        np.testing.assert_allclose(q, powers / powers.sum(axis=1, keepdims=True), atol=1e-5)
        assert np.abs(scores(docs, "ec") - scores(plain, "ec")).max() > 0.05
        if carriers == "ec_ngrams":
            p, q = (scores(some, "ec_candidates").astype(float) for some in (plain, docs))
            expected = np.log(p / (1 - p)) / temperature
            np.testing.assert_allclose(np.log(q / (1 - q)), expected, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("carriers", HEADS)
def test_training_does_not_see_it(carriers: str) -> None:
    nlp = random_nlp(carriers)
    losses = []
    for temperature in (1.0, 6.0):
        set_temperatures(nlp, temperature, temperature)
        losses.append(nlp.update(examples_of(nlp), sgd=False))
    assert losses[0] == losses[1]
    nlp.initialize(lambda: examples_of(nlp))
    assert [head.temperature for head in heads(nlp).values()] == [1.0, 1.0]


@pytest.mark.parametrize("carriers", HEADS)
def test_it_is_kept_and_older_pipelines_load(carriers: str, tmp_path: Path) -> None:
    nlp = random_nlp(carriers)
    plain = list(nlp.pipe(TEXTS))
    set_temperatures(nlp, 2.5, 0.4)
    docs = list(nlp.pipe(TEXTS))
    nlp.to_disk(tmp_path)
    for loaded in (spacy.load(tmp_path), make_loaded(nlp)):
        assert [head.temperature for head in heads(loaded).values()] == [2.5, 0.4]
        for old, new in zip(docs, loaded.pipe(TEXTS), strict=True):
            assert_same_annotation(old, new)
    for name in heads(nlp):
        path = tmp_path / name / "cfg"
        cfg = json.loads(path.read_text("utf-8"))
        del cfg["temperature"]
        path.write_text(json.dumps(cfg), encoding="utf-8")
    for old, new in zip(plain, spacy.load(tmp_path).pipe(TEXTS), strict=True):
        assert_same_annotation(old, new)


def make_loaded(nlp: Language) -> Language:
    return spacy.blank("it").from_config(nlp.config).from_bytes(nlp.to_bytes())


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_temperature(value: float) -> None:
    head = heads(random_nlp("ec_tagger"))["ec_tagger"]
    with pytest.raises(ValenceECError, match=r"V030.*ec_tagger"):
        head.temperature = value
    assert head.temperature == 1.0


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Path]:
    """A pipeline that is far too sure of what it has by chance, and annotated narratives."""
    nlp = random_nlp("ec_tagger", scale=3.0, seed=11)
    nlp.to_disk(tmp_path / "model")
    gold = [annotate(nlp, narrative) for narrative in NARRATIVES for _ in range(4)]
    write_docs(tmp_path / "dev.spacy", gold)
    return tmp_path / "model", tmp_path / "dev.spacy"


def test_the_command_calibrates_in_place(
    cli: Cli, saved: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    model, dev = saved
    before = files_of(model)
    code, out, err = cli("calibrate", model, dev, "--output", tmp_path / "new", "--test", dev)
    assert (code, err) == (0, "")
    assert files_of(model) == before
    code, again, _ = cli("calibrate", model, dev)
    assert code == 0
    assert again == out  # measured on the same narratives
    after = files_of(model)
    assert after == files_of(tmp_path / "new")
    # The words of the narratives do not come into the vocabulary.
    changed = {name for name in before if before[name] != after[name]}
    assert after.keys() == before.keys()
    assert changed == {"valence_classifier/cfg", "ec_tagger/cfg"}

    nlp, plain = spacy.load(model), spacy.load(model)
    set_temperatures(plain, 1.0, 1.0)
    gold = [annotate(nlp, narrative) for narrative in NARRATIVES for _ in range(4)]
    for item in calibrate(plain, gold):
        row = next(line for line in out.splitlines() if item.name in line)
        cells = [cell.strip() for cell in row.strip("│ ").split("│")]
        assert heads(nlp)[item.name].temperature == pytest.approx(item.fit.temperature)
        errors = item.before.calibration_error, item.after.calibration_error
        losses = item.before.negative_log_likelihood, item.after.negative_log_likelihood
        assert losses[0] is not None
        assert losses[1] is not None
        if item.name == "ec_tagger":  # too few right for a temperature
            assert item.fit.temperature == 1.0
            assert f"ec_tagger: left at 1: {item.fit.kept}\n" in out
        else:
            assert losses[0] > losses[1] + 0.01
            assert item.fit.temperature > 1.5
            assert errors[0] is not None
            assert errors[1] is not None
            assert errors[0] > errors[1]
        assert cells[1] == cells[3] == str(len(item.before))
        assert cells[4:] == [f"{value:.3f}" for value in (*errors, *losses)]
    # Fitted from the weights, not from what was fitted before.
    assert cli("calibrate", model, dev)[1] == out
    assert files_of(model) == after


def test_predictions_are_those_of_gold_units(saved: tuple[Path, Path]) -> None:
    nlp = spacy.load(saved[0])
    gold = [annotate(nlp, narrative) for narrative in NARRATIVES for _ in range(4)]
    valence, carriers = calibrate(nlp, gold)
    n_units = 4 * sum(len(units) for _, units in NARRATIVES)
    assert len(valence.before) == n_units
    n_hits, n = int(carriers.before.right.sum()), len(carriers.before)
    assert 0 < n_hits < n
    examples = evaluate_with_examples(nlp, gold, "predicted", None, None)[1]
    assert score_carriers(examples)["ec_exact_p"] == pytest.approx(n_hits / n)
    right = sum(
        a.label_ == b.label_
        for eg in examples
        for a, b in zip(eg.predicted.spans["fu"], eg.reference.spans["fu"], strict=True)
    )
    assert int(valence.before.right.sum()) == right


def test_without_annotated_carriers_there_is_nothing_to_fit_them_to() -> None:
    for name in HEADS:
        nlp = random_nlp(name)
        gold = [annotate(nlp, narrative) for narrative in NARRATIVES for _ in range(4)]
        for doc in gold:
            del doc.spans["ec"]
        _, carriers = calibrate(nlp, gold)
        assert (carriers.fit.n, carriers.fit.temperature, len(carriers.before)) == (0, 1.0, 0)


def test_no_label_changes_by_a_hair() -> None:
    """Logits that differ by less than float32 can tell of their probabilities."""
    pipe: Any = initialized(make_nlp("valence_classifier")).get_pipe("valence_classifier")
    raw = np.asarray([[1.0, np.nextafter(np.float32(1.0), np.float32(2.0)), -3.0]], dtype="float32")
    for temperature in (1.0, 5.0, 20.0):
        assert pipe.at_temperature(raw, temperature)[0].tolist() == [1]


def test_too_little_leaves_it_at_one(cli: Cli, saved: tuple[Path, Path], tmp_path: Path) -> None:
    nlp = spacy.load(saved[0])
    write_docs(tmp_path / "few.spacy", [annotate(nlp, NARRATIVES[1])])
    before = files_of(saved[0])
    code, out, _ = cli("calibrate", saved[0], tmp_path / "few.spacy")
    assert code == 0
    assert "valence_classifier: left at 1: fewer than 20 predictions" in out
    assert "ec_tagger: left at 1: fewer than 20 predictions" in out
    for name, content in files_of(saved[0]).items():
        if name.endswith("/cfg"):
            assert json.loads(content) == json.loads(before[name])


def test_wrong_calls(cli: Cli, saved: tuple[Path, Path], tmp_path: Path) -> None:
    model, dev = saved
    before = files_of(model)
    for output in (model, model / "inside", tmp_path):
        code, out, err = cli("calibrate", model, dev, "--output", output)
        assert (code, out) == (2, "")
        assert "another folder" in err
    assert cli("calibrate", tmp_path / "none", dev)[0] == 2
    code, _, err = cli("calibrate", model, tmp_path / "none.jsonl")
    assert code == 1
    assert "M004" in err
    assert files_of(model) == before
    spacy.blank("it").to_disk(tmp_path / "blank")
    code, _, err = cli("calibrate", tmp_path / "blank", dev)
    assert code == 1
    assert "M020" in err
