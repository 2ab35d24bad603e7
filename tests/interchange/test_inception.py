"""INCEpTION: CAS JSON, XMI and TSV of its own and of ours, and what is hostile."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from narrative_strategies import narratives
from test_doccano import archive_of
from trips import SAMPLES, exported, imported, originals, sample, trimmed

from spacy_valence_ec.interchange import inception
from spacy_valence_ec.interchange.alignment import blank_illegal
from spacy_valence_ec.interchange.narratives import ImportOptions, parse_labels
from spacy_valence_ec.interchange.scored import Scored
from spacy_valence_ec.interchange.tasks import Notes, Task
from spacy_valence_ec.schema import Narrative, Offsets, Unit

NAME = "inception"
TEXT = "Ieri 👩‍👩‍👧 ero\r\nfelice. Poi ho perso il treno"
GOLD = Narrative(
    "n/1", TEXT, (Unit(0, 23, "positive"), Unit(24, 45, "negative")), (Offsets(31, 45),)
)
TSV = sorted(path.name for path in (SAMPLES / "inception/tsv3").glob("*.tsv"))
# The blank at the edge of the span, which TSV cannot hold.
DIFFERENT = "testAnnotationWithLeadingWhitespace.tsv"


def visible(narrative: Narrative) -> bool:
    """Whether no span is left with nothing where XML cannot hold a character."""
    text = blank_illegal(narrative.text)
    spans = (*narrative.units, *narrative.carriers)
    return len(narrative.id.encode()) < 60 and all(
        text[span.start : span.end] == text[span.start : span.end].strip() for span in spans
    )


@pytest.mark.parametrize("name", ["inception", "inception-xmi"])
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(narrative=narratives().map(trimmed).filter(visible))
def test_there_and_back(tmp_path: Path, name: str, narrative: Narrative) -> None:
    exported(name, tmp_path / "out", [narrative])
    found, problems, _ = imported(name, tmp_path / "out", originals(narrative))
    assert (found, problems) == ([replace(narrative, candidates=None)], [])
    (bare,), problems, _ = imported(name, tmp_path / "out")
    assert problems == []
    assert (bare.id, bare.text) == (narrative.id, blank_illegal(narrative.text))
    assert (bare.units, bare.carriers) == (narrative.units, narrative.carriers)


def test_offsets_are_utf_16_units_and_scores_features(tmp_path: Path) -> None:
    item = Scored(GOLD, True, (0.75, 0.5), (0.25,))
    inception.write_json(tmp_path / "out", [item], Notes())
    cas = json.loads((tmp_path / "out" / "n%2F1.json").read_text("utf-8"))
    found = {
        (fs["%TYPE"], fs["begin"], fs["end"], fs.get("valence"), fs.get("score"))
        for fs in cas["%FEATURE_STRUCTURES"]
        if fs["%TYPE"].startswith("custom.")
    }
    assert found == {
        ("custom.FunctionalUnit", 0, 26, "positive", 0.75),
        ("custom.FunctionalUnit", 27, 48, "negative", 0.5),
        ("custom.EmotionCarrier", 34, 48, None, 0.25),
    }


def read_one(path: Path) -> Task:
    (task,) = inception.read(path, Notes())
    assert isinstance(task, Task), task
    return task


@pytest.mark.parametrize("name", TSV)
def test_tsv_and_xmi_of_one_document_are_the_same(name: str) -> None:
    """The oracle of the reader of TSV: the XMI beside it, read by cassis."""
    tsv, xmi = (
        read_one(sample(f"inception/tsv3/{name}").with_suffix(suffix))
        for suffix in (".tsv", ".xmi")
    )
    assert tsv.text == xmi.text
    found = [
        sorted((m.start, m.end, m.names[2:]) for m in task.annotations[0].marks)
        for task in (tsv, xmi)
    ]
    if name == DIFFERENT:
        assert [found[0][0][:2], found[1][0][:2]] == [(5, 8), (4, 8)]
    else:
        assert found[0] == found[1]


def test_emoji_are_where_java_says(tmp_path: Path) -> None:
    words = ["🥳", "This", "👳🏻‍♀️", "is", "✆", "a", "🧔🏾‍♂️", "test", "👻"]
    for name in ("emoji.cas.json", "emoji.xmi"):
        task = read_one(sample(f"inception/{name}"))
        (annotation,) = task.annotations
        assert [task.text[m.start : m.end] for m in annotation.marks] == words
        assert task.id == "emoji"
    task = read_one(sample("inception/emoji_named_entities.xmi"))
    assert task.id == "huggingface"
    marked = [task.text[m.start : m.end] for m in task.annotations[0].marks]
    assert marked
    assert all(word == word.strip() != "" for word in marked)


def test_layers_of_others_are_named() -> None:
    path = sample("inception/crlf_custom_layers.xmi")
    labels = parse_labels(["city=positive", "state=negative"])
    (found,), problems, notes = imported(NAME, path, ImportOptions(labels, fill_gaps=True))
    assert problems == []
    felt = [(found.text[u.start : u.end], u.valence) for u in found.units]
    assert [pair for pair in felt if pair[1] != "neutral"] == [
        ("Darmstadt", "positive"),
        ("Hessen", "negative"),
        ("Hannover", "positive"),
        ("Lower Saxony", "negative"),
    ]
    assert "\r\n" in found.text
    assert "1 spans of other layers passed over: webanno.custom.MyRelationLayer" in notes
    labels = parse_labels(["webanno.custom.MyRelationBase=neutral"])
    (found,), problems, _ = imported(NAME, path, ImportOptions(labels, fill_gaps=True))
    assert {unit.valence for unit in found.units} == {"neutral"}


def cas_of(folder: Path, valence: str) -> bytes:
    narrative = replace(GOLD, units=(Unit(0, 45, valence),), carriers=())
    exported(NAME, folder, [narrative])
    (path,) = folder.iterdir()
    return path.read_bytes()


def test_the_curated_document_comes_before_those_of_annotators(tmp_path: Path) -> None:
    positive, negative = (cas_of(tmp_path / v, v) for v in ("positive", "negative"))
    xmi_folder = tmp_path / "xmi"
    exported(
        "inception-xmi", xmi_folder, [replace(GOLD, units=(Unit(0, 45, "neutral"),), carriers=())]
    )
    inner = archive_of(
        {path.name: path.read_bytes() for path in xmi_folder.iterdir() if path.suffix == ".xmi"}
    )
    files = {
        "exportedproject.json": b"{}",
        "source/n1.txt": b"",
        "annotation_ser/n1.txt/anna.ser": b"",
        "annotation/n1.txt/INITIAL_CAS.json": positive,
        "annotation/n1.txt/anna.json": positive,
        "annotation/n1.txt/bruno.json": negative,
        "annotation/n2.txt/carla.zip": inner,
    }
    path = tmp_path / "project.zip"
    path.write_bytes(archive_of(files))
    found, problems, _ = imported(NAME, path)
    assert [(n.id, n.units[0].valence) for n in found] == [("n2", "neutral")]
    assert [(p.id, p.rule) for p in problems] == [("n1", "annotators")]
    assert "anna, bruno" in problems[0].message
    path.write_bytes(archive_of(files | {"curation/n1.txt/CURATION_USER.json": negative}))
    found, problems, notes = imported(NAME, path)
    assert problems == []
    assert [(n.id, n.units[0].valence) for n in found] == [("n1", "negative"), ("n2", "neutral")]
    assert "2 annotations passed over for curated ones" in notes


def test_a_project_of_ser_alone_says_what_to_export() -> None:
    found, problems, _ = imported(NAME, sample("inception/project_export_ser_only.zip"))
    assert found == []
    assert [problem.rule for problem in problems] == ["ser-only"]
    assert "UIMA CAS JSON" in problems[0].message


LAUGHS = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))
SECRET = "segreto"
TSV_HEAD = "#FORMAT=WebAnno TSV 3.3\n#T_SP=custom.FunctionalUnit|valence\n\n\n#Text=segreto e\n"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', "xml-entities"),
        (f'<!DOCTYPE x [<!ENTITY l0 "segreto">{LAUGHS}]><x>&l9;</x>', "xml-entities"),
        ('<?xml version="1.0"?><x>segreto', "xml"),
        ("<x>segreto</x>", "cas"),
        ('{"text": "segreto"}', "cas"),
        ('{"%TYPES": {}, "%FEATURE_STRUCTURES": [], "%VIEWS": {}}', "text-missing"),
        ('{"%TYPES": {"segreto', "json"),
        ("segreto", "tsv"),
        (f"{TSV_HEAD}1-1\t0-7\tsegret!\tpositive\t\n", "offsets"),
        (f"{TSV_HEAD}1-1\t0-7\tsegreto\t\n", "tsv"),
        (f"{TSV_HEAD}1-1\t0-7\tsegreto\tpositive\t\nsegreto\n", "tsv"),
        (f"{TSV_HEAD}1-1\t0-700\tsegreto\tpositive\t\n", "offsets"),
    ],
)
def test_what_is_broken_or_hostile_is_told(tmp_path: Path, content: str, rule: str) -> None:
    for name in ("n1.xmi", "n1.json", "n1.tsv"):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        found, problems, _ = imported(NAME, path)
        assert found == []
        assert [problem.rule for problem in problems] == [rule]
        assert str(path) in str(problems[0])
        assert SECRET not in problems[0].message


def test_offsets_outside_of_the_text_are_no_warning(tmp_path: Path) -> None:
    for name, old in (("inception", '"end" : 45'), ("inception-xmi", 'end="48"')):
        exported(name, tmp_path / name, [GOLD])
        (path,) = (tmp_path / name).glob("n%2F1.*")
        content = path.read_text("utf-8")
        content = content.replace('"end": 48', '"end": 480').replace('end="48"', 'end="480"')
        assert "480" in content, old
        path.write_text(content, encoding="utf-8")
        found, problems, _ = imported(name, path)
        assert found == []
        assert [problem.rule for problem in problems] == ["offsets"]


def test_text_between_sentences_is_told_and_restored(tmp_path: Path) -> None:
    lines = [
        "#FORMAT=WebAnno TSV 3.3",
        "#T_CH=some.Chain|a|b",
        "#T_SP=custom.FunctionalUnit|valence",
        "#T_SP=custom.EmotionCarrier",
        "",
        "#Text=Ieri 🎉 bene.",
        "1-1\t0-4\tIeri\t_\t_\tpositive[1]\t_\t",
        "1-2\t5-7\t🎉\t_\t_\tpositive[1]\t_\t",
        "1-3\t8-12\tbene\t*->1\t_\tpositive[1]\t*\t",
        "1-4\t12-13\t.\t_\t_\tpositive[1]\t_\t",
        "",
        "#Text=Poi male.",
        "2-1\t15-18\tPoi\t_\t_\tnegative[2]\t_\t",
        "2-2\t19-24\tmale.\t_\t_\tnegative[2]\t_\t",
    ]
    path = tmp_path / "n1.tsv"
    path.write_text("\r\n".join(lines), encoding="utf-8")
    (found,), problems, notes = imported(NAME, path)
    assert problems == []
    assert found.text == "Ieri 🎉 bene.\n\nPoi male."
    assert found.units == (Unit(0, 12, "positive"), Unit(14, 23, "negative"))
    assert found.carriers == (Offsets(7, 11),)
    assert notes == ["2 characters between sentences taken for line ends (--onto)"]
    original = replace(found, text=found.text.replace("\n\n", " \t"))
    (found,), _, _ = imported(NAME, path, originals(original))
    assert found.text == original.text
