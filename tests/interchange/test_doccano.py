"""doccano: its exports of several years, ours, and those of several users."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import Cli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from narrative_strategies import narratives
from trips import exported, imported, originals, sample, trimmed

from spacy_valence_ec.corpus.jsonl import read_narratives, write_narratives
from spacy_valence_ec.interchange import sources
from spacy_valence_ec.interchange.narratives import ImportOptions, parse_labels
from spacy_valence_ec.interchange.offsets import OffsetUnit
from spacy_valence_ec.schema import Narrative, Offsets, Unit

NAME = "doccano"
UTF16 = ImportOptions(offsets=OffsetUnit.UTF16)
FAMILY = "👩‍👩‍👧"
TEXT = f"Ieri {FAMILY} ero felice. Poi ho perso il treno"
GOLD = Narrative(
    "n1", TEXT, (Unit(0, 22, "positive"), Unit(23, 44, "negative")), (Offsets(30, 44),)
)
ENTITIES = ImportOptions(
    parse_labels(["ORG=negative", "PERSON=positive", "PER=positive", "LOC=negative", "MISC=neutral",
                  "DATE=neutral"]),
    fill_gaps=True,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(narratives())
def test_there_and_back(tmp_path: Path, narrative: Narrative) -> None:
    path = tmp_path / "admin.jsonl"
    exported(NAME, path, [narrative])
    found, problems, _ = imported(NAME, path, UTF16)
    assert problems == []
    if "\r" not in narrative.text:
        assert found == [trimmed(narrative)]
    onto = originals(narrative).onto
    found, problems, _ = imported(NAME, path, replace(UTF16, onto=onto))
    assert (found, problems) == ([replace(trimmed(narrative), candidates=None)], [])


@pytest.mark.parametrize(
    ("unit", "spans"),
    [
        ("utf-16", [[0, 25, "positive"], [26, 47, "negative"], [33, 47, "EC"]]),
        ("graphemes", [[0, 18, "positive"], [19, 40, "negative"], [26, 40, "EC"]]),
    ],
)
def test_what_is_counted_is_chosen_on_both_ways(
    cli: Cli, tmp_path: Path, unit: str, spans: list[object]
) -> None:
    source, tasks, back = (tmp_path / name for name in ("n.jsonl", "t.jsonl", "b.jsonl"))
    write_narratives(source, [GOLD])
    assert cli("export", NAME, source, tasks, "--offsets", unit)[0] == 0
    record = json.loads(tasks.read_text("utf-8"))
    assert record["label"] == spans
    assert record["narrative_id"] == "n1"
    code, _, err = cli("import", NAME, tasks, back, "--offsets", unit)
    assert code == 0, err
    assert read_narratives(back).narratives == [GOLD]
    code, _, err = cli("import", NAME, tasks, back)
    assert code == (0 if unit == "utf-16" else 1)  # one way of counting leaves the text
    assert ("say which with --offsets" in err) == (unit == "graphemes")
    assert cli("export", NAME, source, tasks, "--offsets", "code-points")[0] == 2
    assert cli("export", "brat", source, tmp_path / "brat", "--offsets", "utf-16")[0] == 2


def test_an_edge_inside_a_grapheme_is_widened_and_told(cli: Cli, tmp_path: Path) -> None:
    narrative = replace(GOLD, carriers=(Offsets(5, 7),), units=(Unit(0, 44, "positive"),))
    source, tasks = tmp_path / "n.jsonl", tmp_path / "t.jsonl"
    write_narratives(source, [narrative])
    code, _, err = cli("export", NAME, source, tasks, "--offsets", "graphemes")
    assert (code, err) == (0, "doccano cannot hold: 1 spans widened to whole graphemes\n")
    assert json.loads(tasks.read_text("utf-8"))["label"][1] == [5, 6, "EC"]


def test_the_users_of_one_text_are_its_annotators(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "download"
    folder.mkdir()
    source = tmp_path / "n.jsonl"
    write_narratives(source, [GOLD, replace(GOLD, id="n2")])
    assert cli("export", NAME, source, folder / "anna.jsonl")[0] == 0
    text = (folder / "anna.jsonl").read_text("utf-8")
    (folder / "bruno.jsonl").write_text(text.replace("negative", "positive"), encoding="utf-8")
    archive = tmp_path / "download.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in folder.iterdir():
            packed.write(path, path.name)
    output = tmp_path / "out.jsonl"
    for download in (folder, archive):
        code, _, err = cli("import", NAME, download, output, "--offsets", "utf-16")
        assert code == 1
        assert err.count("annotated by anna, bruno") == 2
        code, _, err = cli(
            "import", NAME, download, output, "--offsets", "utf-16", "--annotator", "each"
        )
        assert code == 0, err
        assert read_narratives(tmp_path / "out.anna.jsonl").narratives[0] == GOLD
        other = read_narratives(tmp_path / "out.bruno.jsonl").narratives[1]
        assert {unit.valence for unit in other.units} == {"positive"}


@pytest.mark.parametrize(
    ("name", "ids", "felt"),
    [
        ("export_sequence_labeling.jsonl", None, ["EU", "Peter Blackburn", "Obama"]),
        ("export_relation_extraction.json", None, ["Google", "Larry Page", "Sergey Brin"]),
        ("import_relation_extraction.jsonl", None, ["Google", "Larry Page", "Sergey Brin"]),
        ("import_overlapping.jsonl", None, ["e"]),
        (
            "old_labeling_text_label.jsonl",
            ["doccano-2578", "doccano-2580"],
            ["JAPAN", "CHINA", "Nadim Ladki", "AL-AIN", "United Arab Emirates", "RUGBY UNION"],
        ),
    ],
)
def test_the_exports_of_doccano_are_read(name: str, ids: list[str] | None, felt: list[str]) -> None:
    found, problems, _ = imported(NAME, sample(f"doccano/{name}"), ENTITIES)
    assert problems == []
    if ids:
        assert [narrative.id for narrative in found] == ids
    marked = [n.text[u.start : u.end] for n in found for u in n.units if u.valence != "neutral"]
    assert marked[: len(felt)] == felt


def test_a_record_without_text_costs_no_other() -> None:
    path = sample("doccano/import_sequence_labeling.jsonl")
    found, problems, _ = imported(NAME, path, ENTITIES)
    assert [narrative.extra for narrative in found] == [{"wikiPageID": 1}, {"wikiPageID": 2}]
    assert [(p.line, p.rule) for p in problems] == [(3, "text-missing")]


@pytest.mark.parametrize("name", ["example.utf16.csv", "example_empty_cells.csv", "example.xlsx"])
def test_tables_are_no_sequence_labeling(name: str) -> None:
    found, problems, _ = imported(NAME, sample(f"doccano/{name}"))
    assert found == []
    assert {problem.rule for problem in problems} <= {"json", "encoding"}
    assert problems


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('{"text": "segreto", "label": [[0, 3]]}', "label-type"),
        ('{"text": "segreto", "label": ["negative"]}', "label-type"),
        ('{"text": "segreto", "label": [[0, 3.5, "negative"]]}', "offset-type"),
        ('{"text": "segreto", "label": [[0, 99, "negative"]]}', "offsets"),
        ('{"text": "segreto", "label": [[-1, 7, "negative"]]}', "offsets"),
        ('["segreto"]', "not-an-object"),
        ('{"text": "segreto", "label": [[0, 7, "negative"]', "json"),
        ("", "empty"),
    ],
)
def test_what_is_broken_is_told_and_nothing_quoted(
    cli: Cli, tmp_path: Path, line: str, rule: str
) -> None:
    path = tmp_path / "admin.jsonl"
    path.write_text(line, encoding="utf-8")
    code, _, err = cli("import", NAME, path, tmp_path / "out.jsonl")
    assert code == 1
    assert f"[{rule}]" in err or (rule == "empty" and "D008" in err)
    assert "admin.jsonl" in err
    assert "segreto" not in err


@given(
    st.sampled_from(["/etc/x.jsonl", "../x.jsonl", "a/../../x.jsonl", "C:\\x.jsonl", "\\x.jsonl"])
)
def test_archives_with_names_that_lead_outside(name: str) -> None:
    with pytest.raises(sources.MistakeError, match="outside"):
        list(sources.archive_members(archive_of({name: b"{}"}), lambda _: True))


def archive_of(files: dict[str, bytes], mode: int = 0o100644) -> bytes:
    from io import BytesIO

    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(info, content)
    return target.getvalue()


def test_hostile_archives(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = archive_of({"a.jsonl": b" " * 30_000_000})
    good = archive_of({"a.jsonl": b'{"text": "x"}'})
    cases = {
        "bomb": (bomb, "beyond measure"),
        "link": (archive_of({"a.jsonl": b"/etc/passwd"}, 0o120777), "is a link"),
        "cut": (good[:-30], "not a .zip"),
        "none": (b"segreto", "not a .zip"),
        "damaged": (good.replace(b"a.jsonl", b"b.jsonl", 1), "archive"),
    }
    for name, (content, message) in cases.items():
        path = tmp_path / f"{name}.zip"
        path.write_bytes(content)
        code, _, err = cli("import", NAME, path, tmp_path / "out.jsonl")
        assert code == 1, name
        assert message in err, name
        assert f"{name}.zip" in err
        assert "segreto" not in err
    monkeypatch.setattr(sources, "MOST_BYTES", 10)
    with pytest.raises(sources.MistakeError, match="MiB"):
        sources.read_bytes(tmp_path / "bomb.zip")
    with pytest.raises(sources.MistakeError, match="beyond measure"):
        list(sources.archive_members(good, lambda _: True))
