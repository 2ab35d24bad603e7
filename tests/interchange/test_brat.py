"""brat: its tutorial, our folders, and what is broken."""

from pathlib import Path

import pytest
from helpers import Cli
from hypothesis import HealthCheck, given, settings
from narrative_strategies import narratives
from trips import exported, imported, originals, sample, trimmed

from spacy_valence_ec.corpus.jsonl import read_narratives, write_narratives
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.interchange.names import file_name, identity_of
from spacy_valence_ec.interchange.narratives import ImportOptions, parse_labels
from spacy_valence_ec.schema import Narrative, Offsets, Unit

NAME = "brat"
TEXT = "Ieri 🎉 ero\r\nfelice.\r\nPoi ho perso il treno"
GOLD = Narrative(
    "n/1",
    TEXT,
    (Unit(0, 19, "positive"), Unit(21, 42, "negative")),
    (Offsets(28, 42),),
    narrator="s1",
)
NEWS = parse_labels(
    [
        *(f"{name}=EC" for name in ("Person", "Organization", "GPE", "Money", "Merge-org")),
        *("Transfer-money=negative", "Report=ignore"),
    ]
)
OURS = """\
T1\tpositive 0 10;11 18\tIeri 🎉 ero felice.
T2\tnegative 19 40\tPoi ho perso il treno
T3\tEC 26 40\tperso il treno
"""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(narratives().filter(lambda narrative: len(narrative.id.encode()) < 60))
def test_there_and_back(tmp_path: Path, narrative: Narrative) -> None:
    exported(NAME, tmp_path / "brat", [narrative])
    expected = trimmed(narrative)
    found, problems, _ = imported(NAME, tmp_path / "brat")
    if "\r" not in narrative.text:
        assert problems == []
        (back,) = found
        assert (back.id, back.text, back.units, back.carriers) == (
            *(narrative.id, narrative.text),
            *(expected.units, expected.carriers),
        )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(narratives().filter(lambda n: len(n.id.encode()) < 60))
def test_there_and_back_onto_the_original(tmp_path: Path, narrative: Narrative) -> None:
    exported(NAME, tmp_path / "brat", [narrative])
    found, problems, _ = imported(NAME, tmp_path / "brat", originals(narrative))
    assert problems == []
    (back,) = found
    expected = trimmed(narrative)
    assert (back.text, back.narrator, back.extra) == (
        *(narrative.text, narrative.narrator),
        narrative.extra,
    )
    assert (back.units, back.carriers) == (expected.units, expected.carriers)


def test_what_is_written(cli: Cli, tmp_path: Path) -> None:
    source, output = tmp_path / "n.jsonl", tmp_path / "brat"
    write_narratives(source, [GOLD, Narrative("empty", "")])
    code, out, err = cli("export", NAME, source, output)
    assert code == 0
    assert out.endswith("2 narratives, 2 units, 1 carriers\n")
    assert err == (
        "brat cannot hold: 1 texts whose line ends became \\n (--onto brings them back); "
        "1 narratives with other fields (--onto brings them back)\n"
    )
    assert sorted(path.name for path in output.iterdir()) == [
        "annotation.conf",
        "empty.ann",
        "empty.txt",
        "n%2F1.ann",
        "n%2F1.txt",
        "visual.conf",
    ]
    text = (output / "n%2F1.txt").read_bytes().decode()
    assert text == "Ieri 🎉 ero\nfelice.\nPoi ho perso il treno"
    lines = (output / "n%2F1.ann").read_text("utf-8").splitlines()
    assert lines == OURS.splitlines()
    back = tmp_path / "back.jsonl"
    assert cli("import", NAME, output, back, "--onto", source)[0] == 0
    assert {n.id: n for n in read_narratives(back).narratives}["n/1"] == GOLD


def test_the_tutorial_of_brat_is_read() -> None:
    options = ImportOptions(NEWS, fill_gaps=True)
    found, problems, notes = imported(NAME, sample("brat/news"), options)
    # Its entities as carriers: all but those in a unit that is not neutral are refused, by offset.
    assert {problem.rule for problem in problems} == {"carrier-in-neutral-unit"}
    assert [narrative.id for narrative in found] == ["999-complete"]
    assert found[0].units == (Unit(0, 219, "neutral"),)
    told = {note.split(maxsplit=1)[1]: int(note.split()[0]) for note in notes}
    assert told["events passed over"] == 13
    assert told["notes passed over"] == 4
    labels = NEWS | {name: "ignore" for name, target in NEWS.items() if target == "EC"}
    found, problems, _ = imported(NAME, sample("brat/news"), ImportOptions(labels, fill_gaps=True))
    assert problems == []
    felt = [
        (n.id, n.text[u.start : u.end]) for n in found for u in n.units if u.valence != "neutral"
    ]
    assert felt == [("000-introduction", "moving")]
    found, problems, _ = imported(NAME, sample("brat/news/999-complete.ann"))
    assert [problem.rule for problem in problems] == ["uncovered-text"]


def folder_of(folder: Path, annotation: str | bytes | None, text: str = TEXT) -> Path:
    (folder / "n1.txt").write_bytes(text.encode())
    if annotation is not None:
        content = annotation if isinstance(annotation, bytes) else annotation.encode()
        (folder / "n1.ann").write_bytes(content)
    return folder


def test_attributes_are_names_too(tmp_path: Path) -> None:
    lines = [
        "T1\tUnit 0 10;11 18\tIeri 🎉 ero felice.",
        "A1\tValence T1 positive",
        "T2\tUnit 19 40\tPoi ho perso il treno",
        "M2\tnegative T2",
        "#1\tAnnotatorNotes T2\tboh",
        "R1\tBecause Arg1:T1 Arg2:T2\t",
        "*\tEquiv T1 T2",
        "",
    ]
    found, problems, notes = imported(NAME, folder_of(tmp_path, "\n".join(lines)))
    assert problems == []
    assert [unit.valence for unit in found[0].units] == ["positive", "negative"]
    assert notes == [
        "1 notes passed over",
        "2 relations passed over",
        "1 fragments of spans joined",
    ]


def test_an_empty_annotation_is_one_and_a_missing_one_is_none(cli: Cli, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    code, _, err = cli("import", NAME, folder_of(tmp_path, None), output)
    assert code == 1
    assert "1 texts without annotation left out" in err
    code, _, err = cli("import", NAME, folder_of(tmp_path, ""), output, "--gaps", "neutral")
    assert code == 0, err
    assert len(read_narratives(output).narratives[0].units) == 1


@pytest.mark.parametrize(
    ("annotation", "rule"),
    [
        ("T1 positive 0 5\tIeri ", "ann"),
        ("T1\tpositive 0 x\tIeri", "ann"),
        ("T1\tpositive 0 99999999999\tIeri", "ann"),
        ("T1\tpositive 0 4000\tIeri", "offsets"),
        ("T1\tpositive 5 5\t", "offsets"),
        ("T1\tpositive 5 8;2 4\tIeri", "offsets"),
        ("T1\tpositive 0 5\tsegreto", "ann-text"),
        ("A1\tValence", "ann"),
        ("segreto", "ann"),
        (b"T1\tpositive 0 5\t\xff\xff\xff", "encoding"),
    ],
)
def test_what_is_broken_is_told_and_nothing_quoted(
    cli: Cli, tmp_path: Path, annotation: str | bytes, rule: str
) -> None:
    code, _, err = cli("import", NAME, folder_of(tmp_path, annotation), tmp_path / "out.jsonl")
    assert code == 1
    assert f"[{rule}]" in err, err
    assert "n1.ann" in err
    assert "segreto" not in err


@given(narratives())
def test_ids_are_names_of_files(narrative: Narrative) -> None:
    if len(narrative.id.encode()) > 60:
        return
    name = file_name(narrative.id)
    assert identity_of(name) == narrative.id
    assert name.isascii()
    assert not set(name) & set('/\\:*?"<>| \x00')
    assert not name.startswith(".")


def test_names_of_another_origin_stay() -> None:
    for name in ("a b", "100%", "%2f", "%FF", "n1", "caffè"):
        assert identity_of(name) == name
    with pytest.raises(ValenceECError, match="X005"):
        file_name("è" * 100)
