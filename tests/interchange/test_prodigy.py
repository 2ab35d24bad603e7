"""Prodigy: datasets of its recipes, and our tasks."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import spacy
from helpers import Cli
from hypothesis import HealthCheck, given, settings
from narrative_strategies import narratives
from trips import exported, imported, sample

from spacy_valence_ec.corpus.docs import doc_to_narrative, narrative_to_doc
from spacy_valence_ec.corpus.jsonl import write_narratives
from spacy_valence_ec.interchange.narratives import ImportOptions, parse_labels
from spacy_valence_ec.schema import Narrative, Offsets, Unit

NAME = "prodigy"
TEXT = "Ieri 🎉 ero felice. Poi ho perso il treno"
GOLD = Narrative(
    "n1",
    TEXT,
    (Unit(0, 18, "positive"), Unit(19, 40, "negative")),
    (Offsets(26, 40),),
    narrator="s1",
    extra={"date": "2024-01-29"},
)
TOKENIZERS = {lang: spacy.blank(lang) for lang in ("it", "en")}
BRANDS = ImportOptions({"FASHION_BRAND": "positive"}, fill_gaps=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(narratives())
def test_there_and_back_at_token_edges(tmp_path: Path, narrative: Narrative) -> None:
    path = tmp_path / "tasks.jsonl"
    exported(NAME, path, [narrative])
    doc, _ = narrative_to_doc(narrative, TOKENIZERS[narrative.lang])
    snapped = doc_to_narrative(doc, default_id="")
    expected = replace(narrative, units=snapped.units, carriers=snapped.carriers)
    found, problems, _ = imported(NAME, path)
    # A unit can lose its only token to the one before it: that is told on export.
    assert {problem.rule for problem in problems} <= {"uncovered-text"}
    assert problems or found == [expected]
    for line in path.read_text("utf-8").splitlines():
        check_tokens(json.loads(line))


def check_tokens(task: dict[str, Any]) -> None:
    for token in task["tokens"]:
        assert task["text"][token["start"] : token["end"]] == token["text"]
    for span in task["spans"]:
        first, last = task["tokens"][span["token_start"]], task["tokens"][span["token_end"]]
        assert (first["start"], last["end"]) == (span["start"], span["end"])


def test_our_tasks_have_the_shape_of_real_ones(cli: Cli, tmp_path: Path) -> None:
    source, path = tmp_path / "n.jsonl", tmp_path / "t.jsonl"
    write_narratives(source, [GOLD, replace(GOLD, id="n2", carriers=(Offsets(26, 30),))])
    code, _, err = cli("export", NAME, source, path)
    assert code == 0
    assert err == "prodigy cannot hold: 1 edges of spans inside a token, moved out to its edge\n"
    task = json.loads(path.read_text("utf-8").splitlines()[0])
    assert task["meta"] == {"id": "n1", "narrator": "s1", "lang": "it"}
    assert task["record"] == {"date": "2024-01-29"}
    assert [span["label"] for span in task["spans"]] == ["positive", "negative", "EC"]
    with sample("prodigy/ner_manual_emoji.jsonl").open(encoding="utf-8") as lines:
        real = [json.loads(line) for line in lines]
    for example in real:
        check_tokens(example)
    (span, *_) = [span for example in real for span in example["spans"]]
    assert span.keys() <= task["spans"][0].keys() | {"input_hash", "source", "text"}
    assert real[0]["tokens"][0].keys() <= task["tokens"][0].keys()


def test_datasets_of_prodigy_are_read() -> None:
    found, problems, _ = imported(NAME, sample("prodigy/ner_manual_emoji.jsonl"), BRANDS)
    assert problems == []
    brands = [n.text[u.start : u.end] for n in found for u in n.units if u.valence == "positive"]
    assert brands[0] == "north face"
    assert len(found) == 10
    assert found[0].extra == {"section": "malefashionadvice"}
    labels = parse_labels(["PERSON=positive"])
    found, problems, notes = imported(
        NAME, sample("prodigy/ner_ignore.jsonl"), ImportOptions(labels, fill_gaps=True)
    )
    assert problems == []
    assert len(found) == 5
    assert "4 examples left out (answer: ignore)" in notes
    labels = parse_labels(["GGP=negative"])
    found, problems, notes = imported(
        NAME, sample("prodigy/rel_manual.jsonl"), ImportOptions(labels, fill_gaps=True)
    )
    assert (len(found), problems) == (3, [])
    assert "14 relations passed over" in notes
    labels = parse_labels(
        ["Cuisine=positive", "Location=neutral", "Hours=neutral", "Rating=ignore"]
    )
    found, problems, _ = imported(
        NAME, sample("prodigy/review_versions.jsonl"), ImportOptions(labels, fill_gaps=True)
    )
    assert (len(found), problems) == (3, [])
    found, problems, _ = imported(
        NAME,
        sample("prodigy/choice_with_span.jsonl"),
        ImportOptions({"ORG": "positive"}, fill_gaps=True),
    )
    assert problems == []
    assert Counter(u.valence for n in found for u in n.units)["positive"] == 3


def test_rejected_examples_are_left_out() -> None:
    path = sample("prodigy/textcat_reject.jsonl")
    found, problems, notes = imported(NAME, path, ImportOptions(fill_gaps=True))
    assert problems == []
    assert len(found) == 3
    assert "4 examples left out (answer: reject)" in notes


def example(annotator: str, *spans: tuple[int, int, str], **more: Any) -> str:
    return json.dumps(
        {
            "text": TEXT,
            "_input_hash": 5,
            "_annotator_id": annotator,
            "answer": "accept",
            "spans": [{"start": s, "end": e, "label": label} for s, e, label in spans],
        }
        | more
    )


def test_several_sessions_need_a_choice(tmp_path: Path) -> None:
    gold = ((0, 18, "positive"), (19, 40, "negative"))
    lines = [example("anna", (0, 40, "neutral")), example("bruno", *gold), example("anna", *gold)]
    path = tmp_path / "db-out.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    _, problems, _ = imported(NAME, path)
    assert [(p.id, p.rule) for p in problems] == [("input5", "annotators")]
    for annotator in ("anna", "bruno"):
        found, problems, _ = imported(NAME, path, ImportOptions(annotator=annotator))
        assert problems == []
        assert found[0].units == GOLD.units


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (example("a", (0, 400, "positive")), "offsets"),
        (example("a", spans=[1]), "spans-type"),
        (example("a", spans=[{"start": 0, "end": 4, "label": "EC", "text": "segreto"}]), "offsets"),
        (example("a", spans=[{"start": "0", "end": 4, "label": "neutral"}]), "offset-type"),
        (example("a", text=["segreto"]), "text-missing"),
        (example("a")[:-4], "json"),
        ("[]", "text-missing"),
    ],
)  # fmt: skip
def test_what_is_broken_is_told_and_nothing_quoted(
    cli: Cli, tmp_path: Path, line: str, rule: str
) -> None:
    path = tmp_path / "db-out.jsonl"
    path.write_text(line, encoding="utf-8")
    code, _, err = cli("import", NAME, path, tmp_path / "out.jsonl")
    assert code == 1
    assert f"[{rule}]" in err, err
    assert "db-out.jsonl:1" in err
    assert "segreto" not in err
    assert "felice" not in err
