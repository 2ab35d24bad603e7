"""The line format: what is typed, what is read from it, and the way back."""

from pathlib import Path

import pytest
from helpers import ROOT, Cli
from hypothesis import HealthCheck, given, settings
from narrative_strategies import narratives

from spacy_valence_ec.corpus.jsonl import read_narratives, write_narratives
from spacy_valence_ec.corpus.lines import read_line_files, write_line_file
from spacy_valence_ec.schema import Narrative, Offsets, Unit

TYPED = """\
# narrator: lucia, register: plain-diary
= Stamattina sono andata in comune,
- [ho perso due ore]
/
/
+ Stasera \\[finalmente\\] mi ha telefonato [mio figlio] 😊

- che noia

# {"id": "x-1", "lang": "it", "narrator": "s,1", "hours": 3}
/ "\\t"
= perche'
/ ""
= ...
"""
SECRET = "segreto"


def test_what_is_typed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"\xef\xbb\xbf" + TYPED.replace("\n", "\r\n").encode())
    result = read_line_files([path])
    assert result.problems == []
    first, second, third = result.narratives
    assert first.id == "notes-001"
    assert first.narrator == "lucia"
    assert first.extra == {"register": "plain-diary"}
    assert first.text == (
        "Stamattina sono andata in comune, ho perso due ore\n\n"
        "Stasera [finalmente] mi ha telefonato mio figlio 😊"
    )
    assert [first.text[unit.start : unit.end] for unit in first.units] == [
        "Stamattina sono andata in comune,",
        "ho perso due ore",
        "Stasera [finalmente] mi ha telefonato mio figlio 😊",
    ]
    assert [unit.valence for unit in first.units] == ["neutral", "negative", "positive"]
    told = [first.text[carrier.start : carrier.end] for carrier in first.carriers]
    assert told == ["ho perso due ore", "mio figlio"]
    assert second == Narrative("notes-002", "che noia", (Unit(0, 8, "negative"),))
    assert third.id == "x-1"
    assert third.narrator == "s,1"
    assert third.extra == {"hours": 3}
    assert third.text == "\tperche'..."


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(narratives())
def test_every_narrative_comes_back(
    tmp_path_factory: pytest.TempPathFactory, narrative: Narrative
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.txt"
    write_line_file(path, [narrative])
    result = read_line_files([path])
    assert result.problems == []
    assert result.narratives == [narrative]


@pytest.mark.parametrize("name", ["narratives.jsonl", "silver.jsonl.gz", "challenge.jsonl"])
def test_the_corpus_comes_back(tmp_path: Path, name: str) -> None:
    source = read_narratives(ROOT / "corpus" / name).narratives
    write_line_file(tmp_path / "lines.txt", source)
    assert read_line_files([tmp_path / "lines.txt"]).narratives == source


@pytest.mark.parametrize(
    ("lines", "line", "rule"),
    [
        (f"= {SECRET}\n* {SECRET}", 2, "line"),
        (f"={SECRET}", 1, "line"),
        ("- ", 1, "line"),
        (f"=  {SECRET}", 1, "unit-space"),
        (f"= [{SECRET}]", 1, "carrier-neutral"),
        (f"- [{SECRET} [x]]", 1, "carrier-nested"),
        (f"- [{SECRET}", 1, "carrier-bracket"),
        (f"- {SECRET}]", 1, "carrier-bracket"),
        ("- ho [ ] perso", 1, "carrier-empty"),
        (f"- {SECRET}\\x", 1, "escape"),
        (f"- {SECRET}\\u12", 1, "escape"),
        (f'- a\n/ "{SECRET}"\n- b', 2, "gap"),
        (f"- a\n/ {SECRET}\n- b", 2, "gap"),
        (f"# {SECRET}\n- a", 1, "header"),
        (f'# {{"{SECRET}"\n- a', 1, "header"),
        ('# {"candidates": [1]}\n- a', 2, "candidates"),
        ("# narrator: a", 1, "units-empty"),
        ("# id: same\n= a\n\n# id: same\n= b", 4, "id-duplicate"),
    ],
)
def test_a_mistake_costs_its_narrative_alone(
    tmp_path: Path, lines: str, line: int, rule: str
) -> None:
    path = tmp_path / "lines.txt"
    path.write_text(f"{lines}\n\n+ bello\n", encoding="utf-8")
    result = read_line_files([path])
    assert [(problem.line, problem.rule) for problem in result.problems] == [(line, rule)]
    assert SECRET not in str(result.problems[0])
    assert result.narratives[-1].text == "bello"


def test_the_commands(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text(TYPED, encoding="utf-8")
    (folder / "b.txt").write_text("+ [Ho vinto]!\n", encoding="utf-8")
    output = tmp_path / "notes.jsonl"
    code, out, err = cli("import", "lines", folder, output)
    assert (code, err) == (0, "")
    assert "4 narratives, 7 units, 3 carriers" in out
    assert cli("validate", output)[0] == 0
    found = read_narratives(output).narratives
    assert found[-1] == Narrative("b-001", "Ho vinto!", (Unit(0, 9, "positive"),), (Offsets(0, 8),))

    lines = tmp_path / "back.txt"
    assert cli("convert", output, lines)[0] == 0
    again = tmp_path / "again.jsonl"
    assert cli("convert", lines, again)[0] == 0
    assert again.read_bytes() == output.read_bytes()

    (folder / "c.txt").write_text(f"* {SECRET}\n\n= ciao\n", encoding="utf-8")
    (folder / "d.txt").write_bytes(b"\xff\xfe")
    (folder / "e.txt").touch()
    code, out, err = cli("import", "lines", folder, tmp_path / "new.jsonl")
    assert code == 1
    assert "[D007]" in err
    for name, rule in (("c.txt:1", "line"), ("d.txt", "encoding"), ("e.txt", "empty-file")):
        assert any(name in line and f"[{rule}]" in line for line in err.splitlines()), name
    assert SECRET not in err
    assert not (tmp_path / "new.jsonl").exists()
    assert cli("import", "lines", folder, tmp_path / "new.jsonl", "--skip-invalid")[0] == 0
    assert len(read_narratives(tmp_path / "new.jsonl").narratives) == 5
    code, _, err = cli("import", "lines", tmp_path / "none.txt", tmp_path / "x.jsonl")
    assert code == 1
    assert "none.txt" in err


def test_files_share_their_ids(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("# id: one\n= ciao\n", encoding="utf-8")
    result = read_line_files([tmp_path / "a.txt", tmp_path / "b.txt"])
    assert [problem.rule for problem in result.problems] == ["id-duplicate"]
    assert "a.txt:1" in result.problems[0].message


def test_written_lines_are_read_by_the_format_of_the_corpus(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text(TYPED, encoding="utf-8")
    found = read_line_files([path]).narratives
    write_narratives(tmp_path / "a.jsonl", found)
    result = read_narratives(tmp_path / "a.jsonl")
    assert (result.narratives, result.problems) == (found, [])
