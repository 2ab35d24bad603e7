"""Label Studio: its own files, ours, and those that are broken."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from helpers import Cli
from hypothesis import HealthCheck, given, settings
from narrative_strategies import narratives
from trips import exported, imported, sample, trimmed

from spacy_valence_ec.corpus.jsonl import read_narratives, write_narratives, write_records
from spacy_valence_ec.interchange.label_studio import CONFIG
from spacy_valence_ec.interchange.narratives import ImportOptions, parse_labels
from spacy_valence_ec.interchange.offsets import OffsetUnit, from_code_points
from spacy_valence_ec.schema import Narrative, Offsets, Unit

NAME = "label-studio"
TEXT = "Ieri 🎉 ero felice. Poi ho perso il treno"
GOLD = Narrative(
    "n1",
    TEXT,
    (Unit(0, 18, "positive"), Unit(19, 40, "negative")),
    (Offsets(27, 40),),
    narrator="s1",
    extra={"date": "2024-01-29", "mood": {"a": [1, None]}},
)
LABIC = parse_labels(
    ["DISEASE=negative", "SYMPTOM=negative", "MEDICATION=ignore", "ANATOMY=ignore"]
)
ONE_LAYER = ImportOptions(labels=LABIC, fill_gaps=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(narratives())
def test_there_and_back(tmp_path: Path, narrative: Narrative) -> None:
    path = tmp_path / "tasks.json"
    assert exported(NAME, path, [narrative]) == []
    found, problems, _ = imported(NAME, path)
    assert (found, problems) == ([trimmed(narrative)], [])


def test_the_config_has_the_controls_and_data_of_the_tasks(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    exported(NAME, path, [GOLD])
    assert (tmp_path / "tasks.config.xml").read_text("utf-8") == CONFIG
    view = ElementTree.fromstring(CONFIG)
    controls = {
        tag.attrib["name"]: {label.attrib["value"] for label in tag} for tag in view.iter("Labels")
    }
    (task,) = json.loads(path.read_text("utf-8"))
    (annotation,) = task["annotations"]
    for result in annotation["result"]:
        assert set(result["value"]["labels"]) <= controls[result["from_name"]]
        value = result["value"]
        assert value["text"] == TEXT[value["start"] : value["end"]]
    named = {
        word.strip("$")
        for tag in view.iter()
        for word in tag.attrib.get("value", "").split()
        if word.startswith("$")
    }
    assert named == {"narrative_id", "narrator", "date", "text"}
    assert named <= {key for key, value in task["data"].items() if isinstance(value, str)}
    # Label Studio takes a value that begins with "$" for the name of a key, all of it.
    keys = [
        tag.attrib["value"][1:] for tag in view.iter() if tag.attrib.get("value", "")[:1] == "$"
    ]
    assert keys == ["text"]


def analyzed(identity: str, *scores: float) -> dict[str, Any]:
    text = "ieri male. " * len(scores)
    units = [
        {
            "start": 11 * i,
            "end": 11 * i + 10,
            "valence": "negative",
            "scores": {"negative": score, "neutral": 1 - score, "positive": 0.0},
        }
        for i, score in enumerate(scores)
    ]
    carriers = [{"start": 5, "end": 9, "score": 0.25}]
    computed = {"valence": "negative", "valence_score": -0.5}
    return {"id": identity, "text": text, "units": units, "carriers": carriers, **computed}


def test_predictions_go_out_the_doubtful_first(cli: Cli, tmp_path: Path) -> None:
    source, tasks, back = (tmp_path / name for name in ("a.jsonl", "t.json", "b.jsonl"))
    records = [analyzed("sure", 0.9, 0.8), analyzed("doubtful", 0.95, 0.5), {"text": "ciao"}]
    write_records(source, records)
    code, _, err = cli("export", NAME, source, tasks)
    assert (code, err) == (0, "")
    found = json.loads(tasks.read_text("utf-8"))
    assert [task["data"]["narrative_id"] for task in found] == ["doubtful", "sure", "line-3"]
    (prediction,) = found[0]["predictions"]
    assert prediction["model_version"] == "valence-ec"
    assert prediction["score"] == 0.5
    assert [result["score"] for result in prediction["result"]] == [0.95, 0.5, 0.25]
    assert "annotations" not in found[0]
    assert found[2].keys() == {"data"}
    # What nobody has looked at is no annotation; it is taken by its name only.
    code, _, err = cli("import", NAME, tasks, back)
    assert code == 1
    assert "3 texts without annotation left out" in err
    code, _, err = cli("import", NAME, tasks, back, "--annotator", "valence-ec")
    assert code == 0, err
    read = read_narratives(back)
    assert read.problems == []
    assert [narrative.id for narrative in read.narratives] == ["doubtful", "sure"]
    # What analyze computed of the units would be wrong after a correction.
    assert [narrative.extra for narrative in read.narratives] == [{}, {}]


def task_of(*annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"id": 7, "data": {"text": TEXT, **data}, "annotations": list(annotations)}


def region(start: int, end: int, label: str, control: str = "unit") -> dict[str, Any]:
    value = {"start": start, "end": end, "text": TEXT[start:end], "labels": [label]}
    shared = {"to_name": "text", "type": "labels", "from_name": control}
    return {"id": f"{control}{start}", **shared, "value": value}


def by(annotator: object, *results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 1, "completed_by": annotator, "result": list(results), **more}


FIRST = (region(0, 19, "positive"), region(19, 40, "negative"), region(27, 40, "EC", "carrier"))
SECOND = (region(0, 40, "neutral"),)


def written(path: Path, *tasks: Any) -> Path:
    path.write_text(json.dumps(tasks), encoding="utf-8")
    return path


def test_blanks_at_the_edges_are_trimmed_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "t.json", task_of(by(1, *FIRST), narrative_id="x", mood=3))
    found, problems, notes = imported(NAME, path)
    expected = replace(GOLD, id="x", narrator=None, extra={"mood": 3})
    assert (found, problems) == ([expected], [])
    assert notes == ["1 spans trimmed of white space at their edges"]


def test_two_annotators_need_a_choice(cli: Cli, tmp_path: Path) -> None:
    first = by({"id": 1, "email": "anna@example.com"}, *FIRST)
    second = by(2, *SECOND, ground_truth=True)
    path = written(tmp_path / "t.json", task_of(first, second))
    output = tmp_path / "out.jsonl"
    code, _, err = cli("import", NAME, path, output)
    assert code == 1
    assert "task-7: [annotators] annotated by anna@example.com, 2: choose" in err
    assert not output.exists()
    for choice, n_units in (("anna@example.com", 2), ("2", 1), ("ground-truth", 1)):
        code, _, err = cli("import", NAME, path, output, "--annotator", choice)
        assert code == 0, err
        assert len(read_narratives(output).narratives[0].units) == n_units
    code, _, err = cli("import", NAME, path, output, "--annotator", "bruno")
    assert code == 1
    assert "X004" in err
    assert "anna@example.com, 2" in err
    output.unlink()
    assert cli("import", NAME, path, output, "--annotator", "each")[0] == 0
    assert sorted(file.name for file in tmp_path.glob("*.jsonl")) == [
        "out.2.jsonl",
        "out.anna@example.com.jsonl",
    ]
    code, _, err = cli("agreement", *sorted(tmp_path.glob("out.*")))
    assert code == 0, err


def test_a_later_annotation_replaces_one_of_the_same_person(tmp_path: Path) -> None:
    late = by(2, *FIRST, updated_at="2026-02-01")
    early = by(2, *SECOND, updated_at="2026-01-01")
    gone = by(3, *SECOND, was_cancelled=True)
    path = written(tmp_path / "t.json", task_of(late, early, gone))
    found, problems, notes = imported(NAME, path)
    assert problems == []
    assert len(found[0].units) == 2
    assert "1 annotations replaced by later ones of the same annotator" in notes
    assert "1 cancelled annotations left out" in notes


def test_one_id_for_two_labels_and_a_choice(tmp_path: Path) -> None:
    """Labels of two controls that are set at once share an id; so does a choice for a region."""
    unit, carrier = region(0, 18, "Unità"), region(5, 17, "EC", "carrier")
    choice = {"type": "choices", "from_name": "valence", "to_name": "text"}
    results = [
        unit,
        carrier,
        {**choice, "value": {"choices": ["positive"]}},
        region(19, 40, "neutral"),
    ]
    for result in results[:3]:
        result["id"] = "same"
    path = written(tmp_path / "t.json", task_of(by(1, *results)))
    found, problems, _ = imported(NAME, path)
    assert problems == []
    assert found[0].units == (Unit(0, 18, "positive"), Unit(19, 40, "neutral"))
    assert found[0].carriers == (Offsets(5, 17),)


@pytest.mark.parametrize("unit", list(OffsetUnit))
def test_old_offsets_are_found_by_the_covered_text(tmp_path: Path, unit: OffsetUnit) -> None:
    results = [region(0, 18, "positive"), region(19, 40, "negative")]
    spans = from_code_points([Offsets(0, 18), Offsets(19, 40)], TEXT, unit)
    for result, span in zip(results, spans, strict=True):
        result["value"] |= {"start": span.start, "end": span.end}
    path = written(tmp_path / "t.json", task_of(by(1, *results)))
    assert imported(NAME, path)[0][0].units == GOLD.units


def test_before_version_1_ends_were_inclusive(tmp_path: Path) -> None:
    results = [region(0, 17, "positive"), region(19, 39, "negative")]
    for result in results:
        result["value"]["text"] += TEXT[result["value"]["end"]]
    task = task_of() | {"completions": [by(None, *results)]}
    path = written(tmp_path / "t.json", task)
    assert imported(NAME, path)[0][0].units == GOLD.units
    path = sample("label_studio/legacy_completions.json")
    (old,), _, _ = imported(NAME, path, ImportOptions({"Date": "positive"}, fill_gaps=True))
    path = sample("label_studio/named_entity_annotations_1.json")
    (new,), _, _ = imported(NAME, path, ImportOptions({"Date": "positive"}, fill_gaps=True))
    assert old.units == new.units
    (date,) = [unit for unit in new.units if unit.valence == "positive"]
    assert new.text[date.start : date.end] == "February 22"


def test_gaps_are_an_error_or_neutral(cli: Cli, tmp_path: Path) -> None:
    path = written(tmp_path / "t.json", task_of(by(1, region(5, 18, "positive"))))
    output = tmp_path / "out.jsonl"
    code, _, err = cli("import", NAME, path, output)
    assert code == 1
    assert "[uncovered-text] the text at 0-4 lies in no unit" in err
    assert "--gaps neutral" in err
    code, _, err = cli("import", NAME, path, output, "--gaps", "neutral")
    assert (code, err) == (0, "2 gaps filled with neutral units\n")
    (narrative,) = read_narratives(output).narratives
    assert narrative.units == (
        Unit(0, 4, "neutral"),
        Unit(5, 18, "positive"),
        Unit(19, 40, "neutral"),
    )


def test_onto_gives_text_and_fields_back(cli: Cli, tmp_path: Path) -> None:
    original = replace(
        GOLD,
        text=TEXT.replace(". ", ".\r\n\r\n"),
        units=(Unit(0, 18, "positive"), Unit(22, 43, "negative")),
        carriers=(Offsets(30, 43),),
        candidates=(Offsets(30, 43),),
    )
    onto, output = tmp_path / "original.jsonl", tmp_path / "out.jsonl"
    write_narratives(onto, [original])
    path = written(tmp_path / "t.json", task_of(by(1, *FIRST), narrative_id="n1"))
    code, _, err = cli("import", NAME, path, output, "--onto", onto)
    assert code == 0, err
    assert read_narratives(output).narratives == [original]
    for change, rule in (
        ({"narrative_id": "n2"}, "onto-missing"),
        ({"text": TEXT + "!"}, "onto-text"),
    ):
        bad = task_of(by(1, *FIRST), narrative_id="n1")
        bad["data"] |= change
        code, _, err = cli("import", NAME, written(path, bad), output, "--onto", onto)
        assert code == 1
        assert f"[{rule}]" in err
        assert "felice" not in err


def test_the_four_exports_of_real_tasks_are_one(tmp_path: Path) -> None:
    found = {}
    for name in ("labic_tasks.json", "labic_json_min.json", "labic.csv", "labic.tsv"):
        narratives, problems, _ = imported(NAME, sample(f"label_studio/{name}"), ONE_LAYER)
        assert problems == []
        assert len(narratives) == 13
        found[name] = narratives
    tasks = found.pop("labic_tasks.json")
    assert tasks[0].extra["batch"] == "batch_01"
    for narratives in found.values():
        assert narratives == tasks
    (felt, *_) = [unit for unit in tasks[0].units if unit.valence == "negative"]
    assert tasks[0].text[felt.start : felt.end] == "com quadro de tontura"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("labic_by_project.json", "label-studio"),
        ("choices_nasty.json", "text-missing"),
        ("choices_nasty_result.tsv", "text-missing"),
        ("classification_mixed_annotations_1.json", "text-missing"),
    ],
)
def test_what_is_no_export_of_spans_is_refused(name: str, rule: str) -> None:
    found, problems, _ = imported(NAME, sample(f"label_studio/{name}"))
    assert found == []
    assert {problem.rule for problem in problems} == {rule}


def test_predictions_without_annotation_are_left_out() -> None:
    for name in ("two_predictions.json", "named_entity_tasks.json"):
        found, problems, notes = imported(
            NAME, sample(f"label_studio/{name}"), ImportOptions({"Date": "positive"})
        )
        assert (found, problems) == ([], [])
        assert "1 texts without annotation left out" in notes


SECRET = "segreto"
BROKEN: list[tuple[str, Callable[[str], str], str]] = [
    ("cut off", lambda text: text[:-40], "json"),
    ("no JSON", lambda _: SECRET, "json"),
    ("a number", lambda _: "7", "label-studio"),
    ("NaN", lambda _: "[NaN]", "json"),
    ("deep", lambda _: "[" * 100_000, "json"),
    ("a list of numbers", lambda _: "[1]", "label-studio"),
    ("an offset as text", lambda text: text.replace('"start": 0', '"start": "0"'), "offset-type"),
    ("an offset too large", lambda text: text.replace('"end": 40', '"end": 4000'), "offsets"),
    ("another text", lambda text: text.replace("felice", SECRET), "offsets"),
    ("data that are none", lambda text: text.replace('"data"', '"dato"', 1), "text-missing"),
    ("results that are none", lambda text: text.replace('"result": [', '"result": 1, "r": ['),
     "result-type"),
    ("a strange label", lambda text: text.replace('"positive"', '"boh"'), "label"),
    ("a carrier in a neutral unit", lambda text: text.replace('"negative"', '"neutral"'),
     "carrier-in-neutral-unit"),
    ("half an emoji", lambda text: text.replace("🎉", "\\ud83c"), "lone-surrogate"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "damage", "rule"), BROKEN, ids=[kind for kind, _, _ in BROKEN])
def test_what_is_broken_is_told_and_nothing_quoted(
    cli: Cli, tmp_path: Path, kind: str, damage: Callable[[str], str], rule: str
) -> None:
    results = [region(0, 18, "positive"), region(19, 40, "negative"), FIRST[2]]
    for result in results:
        if kind == "half an emoji":
            del result["value"]["text"]
    path = tmp_path / "t.json"
    text = json.dumps([task_of(by(1, *results))], ensure_ascii=False)
    if kind == "another text":
        text = text.replace(TEXT, TEXT.replace("felice", SECRET), 1)
        damage = str
    path.write_text(damage(text), encoding="utf-8")
    output = tmp_path / "out.jsonl"
    output.write_text("before", encoding="utf-8")
    code, _, err = cli("import", NAME, path, output)
    assert code == 1
    assert f"[{rule}]" in err, err
    assert str(path) in err
    assert output.read_text("utf-8") == "before"
    assert SECRET not in err
    assert "felice" not in err


def test_one_broken_task_costs_no_other(cli: Cli, tmp_path: Path) -> None:
    bad = task_of(by(1, region(0, 4000, "positive")), narrative_id="bad")
    path = written(tmp_path / "t.json", bad, task_of(by(1, *FIRST), narrative_id="good"))
    output = tmp_path / "out.jsonl"
    code, _, err = cli("import", NAME, path, output, "--skip-invalid")
    assert code == 0
    assert f"{path}:1: bad: [offsets]" in err
    assert [n.id for n in read_narratives(output).narratives] == ["good"]


def test_wrong_usage(cli: Cli, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    path = written(tmp_path / "t.json", task_of(by(1, *FIRST)))
    assert cli("import", "nothing", path, output)[0] == 2
    assert cli("export", "nothing", path, output)[0] == 2
    assert cli("import", "lines", path, output, "--annotator", "each")[0] == 2
    code, _, err = cli("import", NAME, path, output, "--map", "positive=happy")
    assert code == 1
    assert "X002" in err
    labels = ("--map", "positive=ignore", "--map", "negative=EC", "--map", "EC=ignore")
    code, _, err = cli("import", NAME, path, output, *labels)
    assert code == 1
    assert "uncovered-text" in err
    code, _, err = cli("import", NAME, tmp_path / "none.json", output)
    assert code == 1
    assert "No such file" in err
    code, out, _ = cli("formats")
    assert code == 0
    assert NAME in out
