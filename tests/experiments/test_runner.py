"""Plans, parts and runs: what is run, on whom, and how often."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import spacy
from helpers import ROOT, Cli
from sklearn.metrics import f1_score
from small_project import some_narratives
from small_runs import SMALL
from spacy.tokens import Doc
from spacy.util import dot_to_object
from tiny_gpt import make_generative, save_geppetto_like
from transformers import AutoModelForCausalLM

from spacy_valence_ec.corpus.docs import narrative_to_doc, write_docs
from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.experiments import runner, worker
from spacy_valence_ec.experiments.baselines import (
    FITS,
    fit_lexicon,
    fit_majority,
    fit_tfidf,
    polarity,
)
from spacy_valence_ec.experiments.modes import evaluate_in_mode, modes_of
from spacy_valence_ec.experiments.overrides import problem_of
from spacy_valence_ec.experiments.parts import check_parts, parts_of
from spacy_valence_ec.experiments.plan import FOLDER, Plan, Run, read_plan
from spacy_valence_ec.experiments.record import FORMAT, Record, read_record
from spacy_valence_ec.experiments.runner import is_finished, jobs_of, run_plan
from spacy_valence_ec.experiments.stock import STOCK
from spacy_valence_ec.experiments.worker import Job, composed, run_job, tasks_of
from spacy_valence_ec.lexicon import parse_lexicon
from spacy_valence_ec.metrics import label_f_scores, macro
from spacy_valence_ec.schema import VALENCES, Narrative, Unit

CONFIGS = ROOT / "configs"
PlanFile = Callable[..., Path]


def jobs(plan: Path, corpus: Path, output: Path) -> list[Job]:
    return jobs_of(read_plan(str(plan), CONFIGS), corpus, output, configs=CONFIGS)


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIGS / FOLDER).iterdir()))
def test_the_plans_of_the_project_can_be_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_geppetto_like(tmp_path / "training" / "pretrain" / "small-gpt")
    monkeypatch.chdir(tmp_path)
    plan = read_plan(name, CONFIGS)
    if plan.challenge:
        assert (ROOT / plan.challenge).is_file()
        plan = type(plan)(**{**asdict(plan), "challenge": str(ROOT / plan.challenge)})
    found = jobs_of(plan, ROOT / "corpus" / "narratives.jsonl", tmp_path, configs=CONFIGS)
    assert len({job.output for job in found}) == len(found) > 8
    assert len({job.fingerprint for job in found}) == len(found)


def test_the_plan_of_the_documentation_is_one(tmp_path: Path) -> None:
    document = (ROOT / "docs" / "experiments.md").read_text("utf-8")
    (block,) = re.findall(r"^```ini\n(.*?)^```$", document, re.M | re.S)
    (tmp_path / "plan.cfg").write_text(block, encoding="utf-8")
    plan = read_plan(str(tmp_path / "plan.cfg"), CONFIGS)
    assert plan.overrides == {"training.dropout": 0.3}
    named = set(re.findall(r"`(\w+)`", document))
    assert {field.name for field in fields(plan)} <= named
    assert {*FITS, *STOCK} == set(
        re.findall(r"^\| `([\w-]+)` \| (?:both|valence|carriers) ", document, re.M)
    )


BAD = [
    ({"baselines": ["majority"], "sedes": [1]}, "unknown field 'sedes'"),
    ({"baselines": []}, "neither a setting nor a baseline"),
    ({"baselines": ["majority"], "seeds": ["a"]}, "'seeds' is of another type"),
    ({"baselines": ["majority"], "seeds": [1, 1]}, "'seeds' has a value twice"),
    ({"baselines": ["majority"], "train_shares": [0]}, "'train_shares' must be above 0"),
    ({"baselines": ["majority"], "train_shares": [0.5, 0.501]}, "one name"),
    ({"baselines": ["majority"], "modes": ["gold"]}, "V024"),
    ({"baselines": ["majority"], "noise_kinds": ["x"]}, "V024"),
    ({"baselines": ["majority"], "folds": [7]}, r"E016.*fold 7: .* one of 0, 1, 2, 3, 4"),
    ({"baselines": ["majority"], "seeds": [-1]}, "'seeds' must be from 0 to 4294967295"),
    ({"baselines": ["majority"], "seeds": [2**32]}, "'seeds' must be from 0 to 4294967295"),
    ({"baselines": ["majority"], "max_epochs": -2}, "'max_epochs'"),
    ({"baselines": ["majority"], "lang": "klingon"}, "E002.*'lang'.*'klingon'"),
    ({"settings": ["joint"], "backbones": ["embedded"], "lang": "en"}, "E002.*Italian base"),
    ({"baselines": ["majorty"]}, r"E015.*'majorty' is no baseline.*majority, lexicon, .*stock-ner"),
    ({"settings": ["joint"], "baselines": ["joint"]}, "E002.*'joint' is among"),
    ({"baselines": ["joint"]}, "E015.*'joint' is a setting: .*`settings`"),
    ({"settings": ["tfidf"]}, "E015.*'tfidf' is a baseline .*`baselines`"),
    ({"settings": ["stock-ner"]}, "E015.*'stock-ner' is a baseline"),
    ({"baselines": ["majority"], "challenge": "nowhere.jsonl"}, "M004"),
    ({"settings": ["another"]}, "C001"),
    ({"settings": ["joint"], "backbones": []}, "'backbones' is empty, and 'joint'"),
    ({"settings": ["generative-joint"]}, "'causal_backbones' is empty, and 'generative-joint'"),
    ({"settings": ["joint"], "causal_backbones": ["geppetto"]}, "no setting is generative"),
    ({"settings": ["generative-joint"], "causal_backbones": ["embedded"]}, "C007"),
    ({"settings": ["generative-another"], "causal_backbones": ["embedded"]}, "C001"),
    ({"settings": ["joint"], "overrides": {"system.seed": 5}}, r"E002.*'system\.seed' itself"),
    ({"settings": ["joint"], "overrides": {"paths.train": "x"}}, r"E002.*'paths\.train' itself"),
    ({"baselines": ["lexicon"], "lang": "en"}, r"E002.*'lexicon' needs a file"),
    ({"settings": ["joint"], "overrides": {"training.typo.x": 1}}, r"E002.*training\.typo\.x"),
    (
        {"settings": ["joint"], "overrides": {"training.drpout": 0.1}},
        r"E002.*'training\.drpout'; did you mean 'training\.dropout'\?",
    ),
    (
        {"settings": ["joint"], "overrides": {"training.dropout": "x"}},
        r"E002.*'joint' on 'cnn': training\.dropout: .*number",
    ),
    (
        {"settings": ["joint"], "overrides": {"components.ec_tagger.loss_weight": "x"}},
        r"E002.*: components\.ec_tagger\.loss_weight: 'x'",
    ),
    (
        {"settings": ["joint"], "overrides": {"components.tok2vec.model.encode.depth.x": 1}},
        "no config of the plan has",
    ),
    (
        {"settings": ["joint"], "overrides": {"training.optimizer.@optimizers": "nope.v1"}},
        r"E002.*nope\.v1",
    ),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_what_is_wrong_is_told_before_anything_runs(
    values: dict[str, Any], message: str, plan_file: PlanFile, corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValenceECError, match=message):
        jobs(plan_file(**values), corpus, tmp_path)
    with pytest.raises(ValenceECError, match="E001"):
        read_plan("nowhere", CONFIGS)


def test_an_override_is_of_the_settings_that_have_it(
    plan_file: PlanFile, corpus: Path, tmp_path: Path
) -> None:
    """Written in the config, or a default of a factory, an architecture or of spaCy's."""
    overrides = {
        "components.ec_tagger.loss_weight": 0.5,
        "components.valence_classifier.label_smoothing": 0.25,
        "training.logger.progress_bar": "eval",
    }
    settings = ["joint", "single-valence", "two-step-valence-ec"]
    plan = read_plan(str(plan_file(settings=settings, overrides=overrides)), CONFIGS)
    found = {
        job.run.setting: worker.composed(job.run, plan, CONFIGS)
        for job in jobs_of(plan, corpus, tmp_path, configs=CONFIGS)
    }
    joint, single, second = (found[setting] for setting in settings)
    assert joint["components"]["ec_tagger"]["loss_weight"] == 0.5
    assert second["components"]["ec_tagger"]["loss_weight"] == 0.5
    assert "ec_tagger" not in single["components"]
    assert single["components"]["valence_classifier"]["label_smoothing"] == 0.25
    assert set(second["components"]["valence_classifier"]) == {"source"}
    for config in found.values():
        assert config["training"]["logger"]["progress_bar"] == "eval"
        assert problem_of(config) is None


def test_bad_lines_are_shown(cli: Cli, plan_file: PlanFile, corpus: Path, tmp_path: Path) -> None:
    good = corpus.read_text("utf-8")
    bad = json.loads(good.splitlines()[0]) | {"id": "bad", "units": []}
    data = tmp_path / "mine.jsonl"
    data.write_text(good + (json.dumps(bad) + "\n") * 12, encoding="utf-8")
    plan = plan_file(baselines=["majority"])
    options = (tmp_path / "runs", "--configs", CONFIGS)
    code, out, err = cli("experiments", plan, data, *options)
    assert (code, out) == (1, "")
    assert "D009" in err
    assert "valence-ec validate" in err
    assert err.count("mine.jsonl:") == 10
    assert f"{data}:{len(good.splitlines()) + 1}: bad: [uncovered-text]" in err
    assert bad["text"][:20] not in err
    # So are those of the challenge set.
    plan = plan_file(baselines=["majority"], challenge=str(data))
    code, _, err = cli("experiments", plan, corpus, *options)
    assert code == 1
    assert "D009" in err
    assert not (tmp_path / "runs").exists()


def test_only_two_steps_have_modes() -> None:
    modes = ["predicted", "oracle", "noise-confusion@0.3"]
    assert modes_of("joint", modes) == ("predicted",)
    assert modes_of("generative-joint", modes) == ("predicted",)
    assert modes_of("two-step-valence-ec", modes) == tuple(modes)
    # Carriers have no labels to confuse.
    assert modes_of("two-step-ec-valence", modes) == ("predicted", "oracle")
    assert modes_of("generative-two-step-valence-ec", modes) == tuple(modes)
    for mode, code in (("oracle", "E004"), ("noise-confusion@2", "V024"), ("gold", "V024")):
        with pytest.raises(ValenceECError, match=code):
            evaluate_in_mode(None, [], mode, setting="joint", seed=0)  # type: ignore[arg-type]


def narrators(narratives: list[Narrative]) -> set[str | None]:
    return {narrative.narrator for narrative in narratives}


@pytest.mark.parametrize("fold", [None, 0, 3])
def test_nobody_is_held_out_and_trained_on(fold: int | None) -> None:
    everything = read_narratives(ROOT / "corpus" / "narratives.jsonl").narratives
    parts = parts_of(everything, fold=fold)
    assert sum(map(len, parts.values())) == len(everything)
    held_out = narrators(parts["test"]) | narrators(parts["dev"])
    assert not held_out & narrators(parts["train"])
    assert not narrators(parts["test"]) & narrators(parts["dev"])
    if fold is not None:
        assert {n.extra["fold"] for n in parts["test"]} == {fold}
    half, quarter = (parts_of(everything, fold=fold, train_share=s) for s in (0.5, 0.25))
    ids = [{n.id for n in p["train"]} for p in (quarter, half, parts)]
    assert ids[0] < ids[1] < ids[2]
    assert abs(len(ids[1]) / len(ids[2]) - 0.5) < 0.01
    assert half["test"] == parts["test"]


def test_a_leak_is_refused(corpus: Path, tmp_path: Path) -> None:
    """By narrator, by id or by text, whatever made the parts."""
    text = "una frase lunga che nessuno scriverebbe due volte nello stesso modo oggi"

    def one(identity: str, narrator: str, words: str = "boh") -> Narrative:
        return Narrative(identity, words, (Unit(0, len(words), "neutral"),), narrator=narrator)

    fine = {"train": [one("a", "x")], "dev": [one("b", "y")], "test": [one("c", "z")]}
    check_parts(fine)
    for other in (one("d", "x"), one("a", "w")):
        with pytest.raises(ValenceECError, match="E005"):
            check_parts(fine | {"test": [other]})
    with pytest.raises(ValenceECError, match=r"E005.*: e\."):
        check_parts(fine | {"train": [one("d", "v", text)], "test": [one("e", "u", text)]})
    with pytest.raises(ValenceECError, match="E014"):
        check_parts(fine | {"dev": []})

    # A fold that shares a narrator with another reaches no training either.
    mixed = read_narratives(corpus).narratives
    mixed = [
        Narrative(**{**vars(n), "extra": {**n.extra, "fold": i % 3}}) for i, n in enumerate(mixed)
    ]
    with pytest.raises(ValenceECError, match="E005"):
        parts_of(mixed, fold=0)


def wait_for(path: Path, process: subprocess.Popen) -> None:
    end = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_killed_plan_goes_on_where_it_was(
    cli: Cli, corpus: Path, plan_file: PlanFile, tmp_path: Path
) -> None:
    plan = plan_file(baselines=["majority", "lexicon"])
    runs = tmp_path / "runs"
    command = [sys.executable, "-m", "spacy_valence_ec", "experiments"]
    process = subprocess.Popen(
        [*command, str(plan), str(corpus), str(runs), "--configs", str(CONFIGS)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    first = runs / "majority_seed0.json"
    wait_for(first, process)
    process.kill()
    process.wait()
    (runs / ".work-left").mkdir()  # as of a run that was killed in its training
    before = (first.stat().st_mtime_ns, first.read_bytes())
    options = (plan, corpus, runs, "--configs", CONFIGS)

    code, out, err = cli("experiments", *options)
    assert code == 0, err
    assert "majority_seed0: finished before" in err
    assert "lexicon_seed0: running" in err
    assert out == f"{runs}: 2 records, 1 of them new\n"
    assert (first.stat().st_mtime_ns, first.read_bytes()) == before
    assert not list(runs.glob(".work*"))
    read_record(runs / "lexicon_seed0.json")


def test_a_record_knows_its_first_step(corpus: Path, plan_file: PlanFile, tmp_path: Path) -> None:
    """What only the first of two steps is changed by makes the record another one."""
    marks = []
    for changed in ({}, {"components.valence_classifier.loss_weight": 0.5}):
        plan = plan_file(settings=["two-step-valence-ec"], overrides=changed)
        marks.append(jobs(plan, corpus, tmp_path)[0].fingerprint)
    assert len(set(marks)) == 2


def test_another_language_reads_no_italian_lexicon() -> None:
    plan = Plan(settings=["joint"], baselines=[], backbones=["cnn"], seeds=[0], lang="en")
    for setting, path in (
        ("joint", "components.valence_classifier.model.wide"),
        ("joint-coupled", "components.coupled_tagger.model.valence.wide"),
    ):
        config = composed(Run(setting, "cnn", 0, None, 1.0, ("predicted",)), plan, CONFIGS)
        assert dot_to_object(config, path)["features"] is None


def test_another_plan_puts_the_old_record_aside(
    corpus: Path, plan_file: PlanFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(job: Job, logs: Path) -> bool:
        content = {"format": FORMAT, "fingerprint": job.fingerprint, "run": {}, "data": {}}
        Path(job.output).write_text(json.dumps(content | {"evaluations": {}}))
        return job.run.seed != 1

    monkeypatch.setattr(runner, "_run", run)
    plan = {"settings": ["joint"], "seeds": [0]}
    (old,) = jobs(plan_file(**plan), corpus, tmp_path)
    assert run_plan([old], tmp_path) == 1
    assert run_plan([old], tmp_path) == 0
    (new,) = jobs(plan_file(**plan, max_epochs=2), corpus, tmp_path)
    assert new.output == old.output
    assert not is_finished(new)
    assert run_plan([new], tmp_path) == 1
    assert is_finished(new)
    assert len(list((tmp_path / "outdated").iterdir())) == 1
    # One that fails does not keep the others from running.
    with pytest.raises(ValenceECError, match=r"E007.*1 of 3 .*seed1"):
        run_plan(jobs(plan_file(**{**plan, "seeds": [0, 1, 2]}), corpus, tmp_path), tmp_path)
    assert (tmp_path / "joint_cnn_seed2.json").is_file()


COSTS = ("train_seconds", "peak_memory", "peak_gpu_memory", "environment")


def row(record: Record) -> Record:
    """A record without what the machine has a part in."""
    found = {key: value for key, value in record.items() if key not in COSTS}
    found["evaluations"] = {
        mode: {key: value for key, value in e.items() if key != "inference_seconds"}
        for mode, e in record["evaluations"].items()
    }
    return found


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [s for item in value.items() for v in item for s in strings(v)]
    if isinstance(value, (list, tuple)):
        return [s for item in value for s in strings(item)]
    return [value] if isinstance(value, str) else []


ALL = ["crf", "stock-textcat", "stock-spancat-valence", "stock-spancat-carriers", "stock-ner"]


def test_the_same_seed_gives_the_same_row(
    corpus: Path, challenge: Path, plan_file: PlanFile, tmp_path: Path
) -> None:
    plan = plan_file(settings=["joint"], challenge=str(challenge), overrides=SMALL)
    (job,) = jobs(plan, corpus, tmp_path)
    first, second = run_job(job), run_job(job)
    assert row(first) == row(second)
    json.dumps(first, allow_nan=False)
    evaluation = first["evaluations"]["predicted"]
    predictions = evaluation["predictions"]
    gold = [label for p in predictions for label in p["gold"]]
    found = [label for p in predictions for label in p["predicted"]]
    assert evaluation["metrics"]["valence_macro_f"] == pytest.approx(
        f1_score(gold, found, labels=list(VALENCES), average="macro", zero_division=0)
    )
    judged = [pair for p in predictions for pair in p["candidates"]]
    assert evaluation["metrics"]["gold_units_ec_macro_f"] == pytest.approx(
        f1_score(*zip(*judged, strict=True), labels=[0, 1], average="macro", zero_division=0)
    )
    test = parts_of(read_narratives(corpus).narratives)["test"]
    assert [p["id"] for p in predictions] == [n.id for n in test]
    assert [tuple(u) for u in predictions[0]["units"]] == [(u.start, u.end) for u in test[0].units]
    assert first["parameters"] > 1000
    assert sum(group["n"] for group in evaluation["challenge"].values()) > 0
    # No text of a narrative: nothing longer than a name.
    texts = [n.text for n in test]
    assert not [s for s in strings(first) if any(s in text for text in texts) and " " in s]


def test_two_steps_are_trained_chained_and_given_their_first_step(
    corpus: Path, plan_file: PlanFile, tmp_path: Path
) -> None:
    enough = tmp_path / "enough.jsonl"
    enough.write_text("".join(some_narratives(9, 5)), encoding="utf-8")
    second = {path.replace(".tok2vec.", ".tok2vec_second."): SMALL[path] for path in SMALL}
    plan = plan_file(
        settings=["two-step-valence-ec"],
        overrides=SMALL | second,
        modes=["predicted", "oracle"],
        noise_kinds=["distribution", "confusion"],
        noise_rates=[0.0, 1.0],
    )
    with pytest.raises(ValenceECError, match=r"V028.*positive"):
        jobs(plan, corpus, tmp_path)
    (job,) = jobs(plan, enough, tmp_path)
    record = run_job(job)
    assert record["tasks"] == ["valence", "carriers"]
    labels, metrics = {}, {}
    for mode, evaluation in record["evaluations"].items():
        predictions = evaluation["predictions"]
        gold = [label for p in predictions for label in p["gold"]]
        labels[mode] = [label for p in predictions for label in p["predicted"]]
        metrics[mode] = evaluation["metrics"]
        assert metrics[mode]["gold_units_ec_token_f"] is not None
    assert set(labels) == {"predicted", "oracle"} | {
        f"noise-{kind}@{rate}" for kind in ("distribution", "confusion") for rate in (0, 1)
    }
    # What the second step was given: the gold labels, or others drawn in one of two ways.
    for mode in ("oracle", "noise-distribution@0", "noise-confusion@0"):
        assert labels[mode] == gold
        assert metrics[mode]["valence_macro_f"] == 1
        assert metrics[mode] == metrics["oracle"]
    assert labels["predicted"] != gold
    assert gold != labels["noise-distribution@1"] != labels["noise-confusion@1"] != gold


@pytest.mark.parametrize("setting", ALL)
def test_a_peer_trains_and_is_scored(
    setting: str,
    corpus: Path,
    plan_file: PlanFile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    overrides = {} if setting == "crf" else SMALL
    (job,) = jobs(plan_file(baselines=[setting], overrides=overrides), corpus, tmp_path)
    fitted: dict[str, str] = {}

    def spy(path: Path, docs: list[Doc]) -> None:
        fitted.update({doc.text: path.stem for doc in docs})
        write_docs(path, docs)

    monkeypatch.setattr(worker, "write_docs", spy)
    record = run_job(job)
    # What training reads is of the narrators of training, and is theirs alone.
    for part, narratives in parts_of(read_narratives(corpus).narratives).items():
        if part == "test" and setting != "stock-textcat":
            assert not [n.id for n in narratives if n.text in fitted]
        elif fitted and setting != "stock-textcat":
            assert {fitted[n.text] for n in narratives} == {part}
    (task,) = record["tasks"]
    metrics = record["evaluations"]["predicted"]["metrics"]
    assert record["parameters"] > 0
    predictions = record["evaluations"]["predicted"]["predictions"]
    if task == "valence":
        gold = [label for p in predictions for label in p["gold"]]
        found = [label for p in predictions for label in p["predicted"]]
        assert set(found) <= set(VALENCES)
        assert metrics["valence_macro_f"] == macro(label_f_scores(gold, found, VALENCES))
        assert not [key for key in metrics if "ec_" in key or "joint" in key]
    else:
        assert metrics["gold_units_ec_token_f"] is not None
        assert not [key for key in metrics if "valence" in key or "joint" in key]
        assert predictions[0]["predicted"] is None


GENERATIVE_TASKS = {
    "generative-single-valence": ["valence"],
    "generative-single-ec": ["carriers"],
    "generative-two-step-valence-ec": ["valence", "carriers"],
    "generative-two-step-ec-valence": ["valence", "carriers"],
    "generative-joint": ["valence", "carriers"],
}


def generative_jobs(corpus: Path, plan_file: PlanFile, tmp_path: Path, **values: Any) -> list[Job]:
    values = {
        "settings": list(GENERATIVE_TASKS),
        "backbones": [],
        "causal_backbones": [str(tmp_path / "decoder")],
        "max_epochs": 0,
        "overrides": {"training.max_steps": 1, "training.eval_frequency": 1},
    } | values
    return jobs(plan_file(**values), corpus, tmp_path)


def test_arms_are_run_on_their_own_backbones(
    corpus: Path, plan_file: PlanFile, tmp_path: Path
) -> None:
    decoder = save_geppetto_like(tmp_path / "decoder")
    both = {"settings": ["joint", "generative-joint"], "backbones": ["cnn"], "seeds": [0, 1]}
    found = generative_jobs(corpus, plan_file, tmp_path, **both)
    pairs = [(job.run.setting, job.run.backbone) for job in found]
    assert pairs == [("joint", "cnn")] * 2 + [("generative-joint", str(decoder))] * 2
    before = [job.fingerprint for job in found]
    again = generative_jobs(corpus, plan_file, tmp_path, **both)
    assert [job.fingerprint for job in again] == before
    # Another model under the same name is another run, of its arm alone.
    save_geppetto_like(tmp_path / "another", seed=1)
    (tmp_path / "another" / "pytorch_model.bin").replace(decoder / "pytorch_model.bin")
    after = [job.fingerprint for job in generative_jobs(corpus, plan_file, tmp_path, **both)]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False, False]


def test_tasks_of_a_generative_setting(tmp_path: Path) -> None:
    for setting, tasks in GENERATIVE_TASKS.items():
        nlp = make_generative(tmp_path, setting.removeprefix("generative-"))
        assert tasks_of(nlp) == tasks


def test_a_generative_setting_trains_and_is_scored(plan_file: PlanFile, tmp_path: Path) -> None:
    decoder = save_geppetto_like(tmp_path / "decoder", n_positions=256, n_layer=1)
    few = tmp_path / "few.jsonl"
    few.write_text("".join(some_narratives(3, 1)), encoding="utf-8")
    modes = ["predicted", "oracle"]
    (job,) = generative_jobs(
        few, plan_file, tmp_path, settings=["generative-two-step-valence-ec"], modes=modes
    )
    record = run_job(job)
    json.dumps(record, allow_nan=False)
    assert record["tasks"] == ["valence", "carriers"]
    weights = AutoModelForCausalLM.from_pretrained(decoder)
    assert record["parameters"] > sum(p.numel() for p in weights.parameters())
    assert record["train_seconds"] > 0
    assert set(record["evaluations"]) == set(modes)
    evaluations = {mode: record["evaluations"][mode] for mode in modes}
    assert all(e["inference_seconds"] > 0 for e in evaluations.values())
    # The given first step is what is scored, and it is gold under the oracle alone.
    right = {
        mode: [p["predicted"] == p["gold"] for p in e["predictions"]]
        for mode, e in evaluations.items()
    }
    assert all(right["oracle"])
    assert not all(right["predicted"])
    for evaluation in evaluations.values():
        predictions = evaluation["predictions"]
        assert all(p["predicted"] and p["carrier_scores"] is not None for p in predictions)
    scores = evaluations["predicted"]["predictions"][0]["scores"]
    assert [sum(row) for row in scores] == pytest.approx([1.0] * len(scores), abs=1e-5)


def test_the_first_step_of_two_is_counted(
    corpus: Path, plan_file: PlanFile, tmp_path: Path
) -> None:
    """It is trained before, and frozen in the pipeline of both."""
    settings = ["single-valence", "two-step-valence-ec"]
    found = [
        run_job(job)["parameters"]
        for job in jobs(
            plan_file(settings=settings, overrides={"backbone.width": 16}), corpus, tmp_path
        )
    ]
    assert found[1] > found[0]


def test_the_lexicon_turns_round_and_strengthens(tmp_path: Path) -> None:
    text = "felic*\t1\tfeeling\nperso\t-2\tevent\nnon\t0\tnegator\nmolto\t0\tintensifier\n"
    lexicon = parse_lexicon(text, "test")
    nlp = spacy.blank("it")
    for words, expected in (
        ("sono felice", 1.0),
        ("sono molto felice", 1.5),
        ("non sono felice", -1.0),
        ("non sono per niente molto felice oggi", 1.5),  # the negator is too far away
        ("non ho perso ma sono felice", 2.0 + 1.0),
        ("niente", 0.0),
    ):
        assert polarity(lexicon, nlp(words)[:]) == pytest.approx(expected), words
    (tmp_path / "mine.tsv").write_text("gatto\t2\tevent\n", encoding="utf-8")
    fitted = fit_lexicon([], [], tmp_path / "mine.tsv")
    doc = nlp("il gatto . il cane")
    doc.spans["fu"] = [doc[:3], doc[3:]]
    fitted.predict([doc])
    assert [unit.label_ for unit in doc.spans["fu"]] == ["positive", "neutral"]


def test_majority_and_tfidf_by_hand() -> None:
    nlp = spacy.blank("it")
    words = [("bello", "positive"), ("brutto", "negative"), ("treno", "neutral")] * 6
    words.append(("treno", "neutral"))
    narratives = [
        Narrative(f"n{i}", word, (Unit(0, len(word), label),))
        for i, (word, label) in enumerate(words)
    ]
    docs = [narrative_to_doc(n, nlp)[0] for n in narratives]
    for fit, expected in (
        (fit_majority, ["neutral"] * 3),
        (fit_tfidf, ["positive", "negative", "neutral"]),
    ):
        fitted = fit(docs, docs, None)
        some = [narrative_to_doc(n, nlp)[0] for n in narratives[:3]]
        fitted.predict(some)
        assert [doc.spans["fu"][0].label_ for doc in some] == expected
