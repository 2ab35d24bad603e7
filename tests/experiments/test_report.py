"""The report of a fixture of runs: complete, escaped, the same every time."""

import csv
import html.parser
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import Cli
from small_runs import HOSTILE, a_record

from spacy_valence_ec.corpus.jsonl import write_narratives
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.experiments.baselines import fit_crf
from spacy_valence_ec.experiments.record import FORMAT, Record, read_record, write_record
from spacy_valence_ec.experiments.report import write_report
from spacy_valence_ec.experiments.statistics import macro_f_of_confusion
from spacy_valence_ec.experiments.summary import (
    MEASURES,
    calibration,
    comparisons,
    confusion,
    headline,
    noise_curves,
    reference_of,
    systems_of,
    worst_units,
)
from spacy_valence_ec.schema import Narrative, Unit

ARMS = "Discriminative and generative"
VOID = {"meta", "link", "br", "hr", "img"}


class Checker(html.parser.HTMLParser):
    """Whether every element is closed, and what each is."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def written(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in folder.iterdir()}


def test_the_command_writes_a_page_that_needs_nothing_else(
    cli: Cli, records: list[Record], tmp_path: Path
) -> None:
    (tmp_path / "runs").mkdir()
    for i, record in enumerate(records):
        write_record(tmp_path / "runs" / f"{i}.json", record)
        assert read_record(tmp_path / "runs" / f"{i}.json") == record
    code, out, err = cli("report", tmp_path / "runs", tmp_path / "report")
    assert (code, err) == (0, "")
    files = written(tmp_path / "report")
    assert {Path(line).name for line in out.splitlines()} == set(files)
    page = files["report.html"]
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.seen.count("svg") == 7  # two learning curves, noise, four of calibration
    assert "script" not in checker.seen
    # Nothing is loaded: what looks like an address is the name of a namespace.
    addresses = set(re.findall(r"https?://[^\"'\s<)]+", page))
    assert all(address.startswith("http://www.w3.org/") for address in addresses)
    for title in ("Results", "Comparisons", "Co-occurrence", "Noise", "Errors", "Environment"):
        assert title in page
        assert f"## {title}" in files["report.md"]
    # A name with markup is text everywhere.
    assert "<script>" not in page + files["report.md"]
    assert "&lt;script&gt;" in page
    assert r"alert(1)\&lt;" not in files["report.md"]
    assert r"$^{*}$\_" in files["results.tex"]
    rows = list(csv.DictReader(files["results.csv"].splitlines()))
    assert len(rows) == sum(len(record["evaluations"]) for record in records)
    assert {row["setting"] for row in rows} >= {"joint", HOSTILE}


def test_the_same_records_give_the_same_files(records: list[Record], tmp_path: Path) -> None:
    write_report(records, tmp_path / "a", folder=tmp_path)
    write_report(records[::-1], tmp_path / "b", folder=tmp_path)
    a, b = written(tmp_path / "a"), written(tmp_path / "b")
    assert a == b


def test_best_and_significant(records: list[Record], tmp_path: Path) -> None:
    write_report(records, tmp_path, folder=tmp_path)
    markdown = (tmp_path / "report.md").read_text("utf-8")
    (joint,) = [x for x in markdown.splitlines() if x.startswith("| joint (cnn) | 3 |")][:1]
    (majority,) = [x for x in markdown.splitlines() if x.startswith("| majority | 1 |")][:1]
    first, other = joint.split(" | ")[2], majority.split(" | ")[2]
    assert re.fullmatch(r"\*\*0\.\d{3} ± 0\.\d{3}\\\*\*\*", first)  # bold, and better
    assert re.fullmatch(r"0\.\d{3}†", other)  # one run, and worse


def test_comparisons_are_paired_and_corrected(records: list[Record], tmp_path: Path) -> None:
    tested = comparisons(headline(systems_of(records, tmp_path)))
    valence = {t.system.setting: t for t in tested if t.measure.key == "valence_macro_f"}
    assert {t.reference.setting for t in valence.values()} == {"single-valence"}
    assert valence["joint"].comparison.difference > 0 > valence["majority"].comparison.difference
    assert all(t.adjusted >= t.comparison.p_value for t in tested)
    # Carriers have no single task here: the joint model stands in.
    carriers = {t.reference.setting for t in tested if t.measure.task == "carriers"}
    assert carriers == {"joint"}


def test_counts_give_the_figures_of_the_runs(tmp_path: Path) -> None:
    (system,) = systems_of([a_record("joint", s, skill=0.7) for s in range(2)], tmp_path)
    counts = system.counts(MEASURES[0], system.seeds)
    assert counts.shape == (2, 15, 9)
    table = confusion(system)
    np.testing.assert_array_equal(counts.sum((0, 1)).reshape(3, 3), table)
    assert table.sum() == 2 * 15 * 4
    accuracy = np.trace(table) / table.sum()
    assert accuracy == pytest.approx(np.mean(system.values("valence_macro_f")))
    assert 0 < macro_f_of_confusion(counts.sum(1)).mean() < 1


def test_noise_breaks_even(records: list[Record], tmp_path: Path) -> None:
    (found,) = noise_curves(systems_of(records, tmp_path))
    assert found.curve.x == [0.0, 0.5, 1.0]
    assert found.reference == "single-valence (cnn)"
    assert found.even is not None
    assert found.even.rate is not None
    assert 0 < found.even.low <= found.even.rate <= found.even.high < 1


def test_a_temperature_is_fitted_on_dev_alone(tmp_path: Path) -> None:
    """Sure by 0.8 and right in half on dev, so less sure on test, whatever is right there."""
    found = []
    for test_skill in (0.3, 0.9):
        record, dev = a_record("joint", 0, skill=test_skill), a_record("joint", 1, skill=0.25)
        evaluation = record["evaluations"]["predicted"]
        evaluation["dev_predictions"] = dev["evaluations"]["predicted"]["predictions"]
        (system,) = systems_of([record], tmp_path)
        valence = calibration(system, "valence")
        assert valence is not None
        assert valence.after is not None
        assert (valence.before.confidence == 0.8).all()
        found.append((valence.fits, valence.after.confidence.tolist()))
        carriers = calibration(system, "carriers")
        assert carriers is not None
        assert carriers.after is not None
        # Of each pair 0.7 is right and 0.6 wrong, by the logit alone.
        (fit,) = carriers.fits
        logit = np.log(0.7 / 0.3) / fit.temperature
        assert carriers.after.confidence[0] == pytest.approx(1 / (1 + np.exp(-logit)))
    assert found[0] == found[1]
    (fit,), confidences = found[0]
    predictions = dev["evaluations"]["predicted"]["predictions"]
    share = np.mean(
        [g == p for x in predictions for g, p in zip(x["gold"], x["predicted"], strict=True)]
    )
    # The likelihood of a single confidence is greatest where it is the share that is right.
    assert confidences == pytest.approx([share] * len(confidences), abs=0.001)
    expected = np.log(0.8 / 0.1) / np.log(share / ((1 - share) / 2))
    assert fit.temperature == pytest.approx(expected, rel=0.01)

    del evaluation["dev_predictions"]
    write_report([record], tmp_path, folder=tmp_path)
    markdown = (tmp_path / "report.md").read_text("utf-8")
    (row,) = (x for x in markdown.splitlines() if x.startswith("| joint (cnn) | valence of gold"))
    assert row.split(" | ")[3] == row.split(" | ")[5] == "–"
    evaluation["dev_predictions"] = predictions
    write_report([record], tmp_path, folder=tmp_path)
    markdown = (tmp_path / "report.md").read_text("utf-8")
    (row,) = (x for x in markdown.splitlines() if x.startswith("| joint (cnn) | valence of gold"))
    cells = row.split(" | ")
    assert cells[3] == f"{fit.temperature:.2f}"
    accuracy = valence.before.right.mean()
    assert cells[4:6] == [f"{abs(accuracy - x):.3f}" for x in (0.8, confidences[0])]


def both_arms_records() -> list[Record]:
    """The joint and a two-step setting in both arms, the generative one four times as expensive,
    and a single task that one arm lacks."""
    found = []
    for seed in range(3):
        for setting, skill in (("joint", 0.8), ("two-step-valence-ec", 0.7)):
            for prefix, backbone in (("", "cnn"), ("generative-", "small")):
                record = a_record(prefix + setting, seed, skill=skill, backbone=backbone)
                if "two-step" in setting:
                    other = a_record(prefix + setting, seed, skill=1.0, mode="oracle")
                    record["evaluations"] |= other["evaluations"]
                if prefix:
                    for key in ("parameters", "train_seconds", "peak_memory"):
                        record[key] *= 4
                    for evaluation in record["evaluations"].values():
                        evaluation["inference_seconds"] *= 8
                        evaluation["metrics"]["invalid_answers"] = 0.25
                found.append(record)
        found.append(a_record("single-valence", seed, skill=0.6, tasks=("valence",)))
        name = "generative-single-ec"
        found.append(a_record(name, seed, skill=0.6, backbone="small", tasks=("carriers",)))
    found.append(a_record("majority", 0, skill=0.1, backbone=None))
    return found


def rows_of(markdown: str, title: str) -> list[list[str]]:
    """The rows of all tables of a section."""
    section = markdown.split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines if not line.startswith("| ---")]


def test_both_arms_side_by_side(tmp_path: Path) -> None:
    records = both_arms_records()
    write_report(records, tmp_path / "both", folder=tmp_path)
    rows = rows_of((tmp_path / "both" / "report.md").read_text("utf-8"), ARMS)
    names = [
        "two-step-valence-ec (cnn)",
        "generative-two-step-valence-ec (small)",
        r"two-step-valence-ec \[oracle\] (cnn)",
        r"generative-two-step-valence-ec \[oracle\] (small)",
        "joint (cnn)",
        "generative-joint (small)",
    ]
    heads, *scores = rows[:10]
    expected = [[*names[i : i + 2], "difference"] for i in (0, 2, 4)]
    assert [row[0] for row in scores] == [name for triple in expected for name in triple]
    column = heads.index("valence, macro F1")
    oracle = scores[3:6]
    assert [row[column] for row in oracle] == ["given", "given", "–"]
    assert oracle[0][heads.index("carrier candidates, macro F1")] != "given"
    scores = [*scores[:3], *scores[6:]]
    for one, other, difference in zip(scores[::3], scores[1::3], scores[2::3], strict=True):
        means = [float(row[column].split(" ± ")[0]) for row in (one, other)]
        assert float(difference[column]) == pytest.approx(means[1] - means[0], abs=0.0011)
    assert float(scores[5][column]) != 0
    costs = rows[10:17]
    assert [row[0] for row in costs[1:]] == [*names[:2], "ratio", *names[4:], "ratio"]
    assert costs[1] == [names[0], "1,000", "2.0", "0.50", "1,000"]
    assert costs[2] == [names[1], "4,000", "8.0", "4.00", "4,000"]
    assert costs[3] == costs[6] == ["ratio", "4.00", "4.00", "8.00", "4.00"]
    assert [names[1], "25.0%"] in rows[17:]

    # One arm alone, or arms without a setting in common, have no such section.
    one_arm = [r for r in records if not r["run"]["setting"].startswith("generative-")]
    apart = [r for r in records if "single" in r["run"]["setting"]]
    for i, some in enumerate((one_arm, apart)):
        write_report(some, tmp_path / str(i), folder=tmp_path)
        assert ARMS not in (tmp_path / str(i) / "report.md").read_text("utf-8")


def test_each_arm_has_its_own_reference(tmp_path: Path) -> None:
    systems = headline(systems_of(both_arms_records(), tmp_path))
    settings = list(dict.fromkeys(system.setting for system in systems))
    assert settings == [
        "majority",
        "single-valence",
        "two-step-valence-ec",
        "joint",
        "generative-single-ec",
        "generative-two-step-valence-ec",
        "generative-joint",
    ]

    def references(task: str, chosen: str | None = None) -> dict[str, str]:
        found = {s.setting: reference_of(s, task, systems, chosen) for s in systems}
        return {name: other.name for name, other in found.items() if other is not None}

    discriminative, generative = settings[:4], settings[4:]
    for task, chosen, one, other in (
        ("valence", None, "single-valence (cnn)", "generative-joint (small)"),
        ("carriers", None, "joint (cnn)", "generative-single-ec (small)"),
        ("carriers", "joint", "joint (cnn)", "generative-joint (small)"),
        ("valence", "generative-joint", "joint (cnn)", "generative-joint (small)"),
    ):
        expected = dict.fromkeys(discriminative, one) | dict.fromkeys(generative, other)
        assert references(task, chosen) == expected


def test_what_a_system_is_given_is_no_merit(tmp_path: Path) -> None:
    """The oracle of a first step is neither tested nor the best, nor has it confusions."""
    records = []
    for seed in range(3):
        for setting in ("two-step-valence-ec", "two-step-ec-valence"):
            record = a_record(setting, seed, skill=0.6)
            other = a_record(setting, seed, skill=1.0, mode="oracle")
            record["evaluations"] |= other["evaluations"]
            records.append(record)
        records += [a_record("single-valence", seed, skill=0.5, tasks=("valence",))]
        records += [a_record("single-ec", seed, skill=0.5, tasks=("carriers",))]
    systems = headline(systems_of(records, tmp_path))
    given = {system.name: system.given for system in systems}
    assert given["two-step-valence-ec [oracle] (cnn)"] == "valence"
    assert given["two-step-ec-valence [oracle] (cnn)"] == "carriers"
    assert [name for name, task in given.items() if task is None] == [
        "single-valence (cnn)",
        "single-ec (cnn)",
        "two-step-valence-ec (cnn)",
        "two-step-ec-valence (cnn)",
    ]
    tested = {(t.system.name, t.measure.task) for t in comparisons(systems)}
    assert ("two-step-valence-ec [oracle] (cnn)", "carriers") in tested
    assert ("two-step-valence-ec [oracle] (cnn)", "valence") not in tested
    assert ("two-step-ec-valence [oracle] (cnn)", "carriers") not in tested
    # Nor is the very same system as the reference, under another name.
    same = a_record("two-step-valence-ec", 0, skill=0.5)
    alone = a_record("single-valence", 0, skill=0.5, tasks=("valence",))
    alone["evaluations"]["predicted"]["predictions"] = same["evaluations"]["predicted"][
        "predictions"
    ]
    assert not comparisons(systems_of([same, alone], tmp_path))
    write_report(records, tmp_path, folder=tmp_path)
    markdown = (tmp_path / "report.md").read_text("utf-8")
    heads, *rows = rows_of(markdown, "Results")
    cells = {row[0]: dict(zip(heads, row, strict=True)) for row in rows[: len(systems)]}
    oracle = cells[r"two-step-valence-ec \[oracle\] (cnn)"]
    assert oracle["valence, macro F1"] == "given"
    assert oracle["carrier candidates, macro F1"].startswith("1.000")
    assert cells["two-step-valence-ec (cnn)"]["valence, macro F1"].startswith("**0.")
    confusions = markdown.split("## Confusions")[1].split("## ")[0]
    assert "two-step-ec-valence \\[oracle" in confusions
    assert "two-step-valence-ec \\[oracle" not in confusions


def test_the_worst_units_are_quoted_on_demand_only(
    cli: Cli, records: list[Record], tmp_path: Path
) -> None:
    text = "segreto <b> segreto segreto segreto segreto"
    narratives = [Narrative(f"n{i}", text, (Unit(0, len(text), "neutral"),)) for i in range(15)]
    write_narratives(tmp_path / "data.jsonl", narratives)
    (tmp_path / "runs").mkdir()
    for i, record in enumerate(records):
        write_record(tmp_path / "runs" / f"{i}.json", record)
    joint = next(s for s in systems_of(records, tmp_path) if s.setting == "joint")
    assert all(unit.gold != unit.predicted for unit in worst_units(joint))
    for options, quoted in ((), False), (("--texts", tmp_path / "data.jsonl"), True):
        assert cli("report", tmp_path / "runs", tmp_path / "out", *options)[0] == 0
        files = written(tmp_path / "out")
        assert any("segreto" in content for content in files.values()) == quoted
        assert "segreto <b>" not in files["report.html"] + files["report.md"]


def test_records_that_cannot_stand_together(records: list[Record], tmp_path: Path) -> None:
    other = a_record("joint", 9, skill=0.5, narratives=3)
    with pytest.raises(ValenceECError, match=r"E011.*seed9"):
        systems_of([*records, other], tmp_path)
    other = a_record("joint", 9, skill=0.5)
    other["data"]["sha256"] = "2" * 64
    with pytest.raises(ValenceECError, match=r"E011.*seed9"):
        systems_of([*records, other], tmp_path)


EMPTY = {"format": FORMAT, "run": {}, "evaluations": {}, "data": {}}


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"run": 1, "evaluations": 1, "data": 1}', json.dumps(EMPTY)]
)
def test_what_is_no_record(cli: Cli, tmp_path: Path, content: str) -> None:
    (tmp_path / "runs").mkdir()
    code, _, err = cli("report", tmp_path / "runs", tmp_path / "out")
    assert code == 1
    assert "E009" in err
    (tmp_path / "runs" / "a.json").write_text(content)
    code, _, err = cli("report", tmp_path / "runs", tmp_path / "out")
    assert code == 1
    assert "E008" in err


def test_what_to_install_is_said(
    monkeypatch: pytest.MonkeyPatch, records: list[Record], tmp_path: Path
) -> None:
    for name in ("matplotlib", "pycrfsuite"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValenceECError, match=r"E010.*matplotlib.*\[experiments\]"):
        write_report(records, tmp_path / "out", folder=tmp_path)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValenceECError, match=r"E010.*python-crfsuite"):
        fit_crf([], [], None)
