"""CoNLL: files of others, and ours, put back on the original text."""

from dataclasses import replace
from pathlib import Path

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from narrative_strategies import narratives
from trips import exported, imported, originals, sample

from spacy_valence_ec.corpus.docs import doc_to_narrative, narrative_to_doc
from spacy_valence_ec.interchange.narratives import ImportOptions, parse_labels
from spacy_valence_ec.schema import Narrative, Offsets, Unit

NAME = "conll"
TOKENIZERS = {lang: spacy.blank(lang) for lang in ("it", "en")}
LABELS = ImportOptions(
    parse_labels(["LOC=positive", "PER=negative", "ORG=neutral", "12=positive", "13=negative",
                  "14=neutral"]),
    fill_gaps=True,
)  # fmt: skip


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(narratives())
def test_there_and_back_onto_the_original(tmp_path: Path, narrative: Narrative) -> None:
    doc, snapping = narrative_to_doc(narrative, TOKENIZERS[narrative.lang])
    snapped = doc_to_narrative(doc, default_id="")
    expected = replace(narrative, units=snapped.units, carriers=snapped.carriers, candidates=None)
    path = tmp_path / "out.conll"
    exported(NAME, path, [narrative])
    found, problems, _ = imported(NAME, path, originals(narrative))
    if not narrative.text.strip():
        assert (found, problems) == ([], [])  # no token, no document
    elif "fu" in snapping.dropped:
        assert {problem.rule for problem in problems} <= {"uncovered-text"}
    else:
        assert (found, problems) == ([expected], [])


def test_what_is_written(tmp_path: Path) -> None:
    narrative = Narrative(
        'a "b"',
        "Ieri pioveva.\nChe #gioia",
        (Unit(0, 13, "neutral"), Unit(14, 24, "positive")),
        (Offsets(18, 24),),
    )
    path = tmp_path / "out.conll"
    assert exported(NAME, path, [narrative]) == [
        "1 narratives with white space and other fields (--onto brings them back)"
    ]
    assert path.read_text("utf-8").split("\n") == [
        '# newdoc id = "a \\"b\\""',
        "Ieri\tB-neutral\tO",
        "pioveva\tI-neutral\tO",
        ".\tI-neutral\tO",
        "Che\tB-positive\tO",
        "#\tI-positive\tB-EC",
        "gioia\tI-positive\tI-EC",
        "",
        "",
    ]
    found, problems, _ = imported(NAME, path)
    assert problems == []
    assert found[0].text == "Ieri pioveva . Che # gioia"
    assert found[0].carriers == (Offsets(19, 26),)


@pytest.mark.parametrize(
    ("name", "felt"),
    [
        ("conll/example.conll", [["JAPAN", "Nadim Ladki"]]),
        ("conll/labeling.trailing.conll", [["JAPAN", "CHINA"]]),
        (
            "doccano/old_labeling.conll2003.user2",
            [
                ["JAPAN", "CHINA", "Nadim Ladki", "AL-AIN", "United Arab Emirates"],
                ["CUTTITTA", "ITALY", "ROME", "Italy", "Marcello Cuttitta"],
            ],
        ),
    ],
)
def test_files_of_others_are_read(name: str, felt: list[list[str]]) -> None:
    found, problems, _ = imported(NAME, sample(name), LABELS)
    assert problems == []
    assert [
        [n.text[u.start : u.end] for u in n.units if u.valence != "neutral"] for n in found
    ] == felt


def test_the_export_of_label_studio_is_read() -> None:
    labels = parse_labels(
        ["DISEASE=negative", "SYMPTOM=negative", "MEDICATION=ignore", "ANATOMY=ignore"]
    )
    path = sample("label_studio/labic.conll")
    found, problems, _ = imported(NAME, path, ImportOptions(labels, fill_gaps=True))
    assert problems == []
    felt = [found[0].text[u.start : u.end] for u in found[0].units if u.valence == "negative"]
    assert felt[0] == "com quadro de tontura."


@pytest.mark.parametrize(
    ("content", "rule", "line"),
    [
        ("segreto\n", "columns", 1),
        ("segreto\tB-EC\nsegreto\n", "columns", 1),
        ("segreto\tnegative\n", "tag", 1),
        ("segreto\tB-\n", "tag", 1),
    ],
)
def test_what_is_broken_is_told(tmp_path: Path, content: str, rule: str, line: int) -> None:
    path = tmp_path / "in.conll"
    path.write_text(content, encoding="utf-8")
    found, problems, _ = imported(NAME, path)
    assert found == []
    assert [(p.line, p.rule) for p in problems] == [(line, rule)]
    assert "segreto" not in problems[0].message


def test_a_broken_line_of_a_real_file_is_told() -> None:
    found, problems, _ = imported(NAME, sample("conll/labeling.invalid.conll"), LABELS)
    assert found == []
    assert [problem.rule for problem in problems] == ["columns"]
