"""Lines and arcs as files: complete, with names that files and drawings can bear."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from small_records import a_record, hostile_records, some_records

from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.page import write_plots


def test_a_file_of_each_kind_for_all_for_each_person_and_narrative(tmp_path: Path) -> None:
    written = write_plots(some_records(), tmp_path / "plots")
    names = {
        "overall",
        *(f"people/{name}" for name in ("Anna", "Bruno", "nobody-named")),
        *(f"arcs/{name}" for name in ("a1", "a2", "a3", "b1", "x")),  # b2 has no unit
    }
    expected = {f"{name}.{suffix}" for name in names for suffix in ("svg", "pdf")}
    assert {str(path.relative_to(tmp_path / "plots")) for path in written} == expected
    for path in written:
        content = path.read_bytes()
        assert content.startswith(b"%PDF" if path.suffix == ".pdf" else b"<?xml")
    again = write_plots(some_records(), tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]


def test_names_that_are_no_names_of_files(tmp_path: Path) -> None:
    others = [
        a_record(identity, ("Bello.", "positive", ""), narrator=r"$\frac{")
        for identity in ("../../up", "A", "a", "\x00🎉\ud83c", "-rf")
    ]
    records = [record for record in hostile_records() if record["id"] != "long"] + others
    written = write_plots(records, tmp_path / "plots")
    assert all(tmp_path / "plots" in path.resolve().parents for path in written)
    assert len({str(path).casefold() for path in written}) == len(written)
    assert {"A.svg", "a-2.svg", "unnamed.svg", "rf.svg"} <= {path.name for path in written}
    for path in written:
        if path.suffix == ".svg":
            ElementTree.parse(path)


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ValenceECError, match=r"E010.*matplotlib.*\[experiments\]"):
        write_plots(some_records(), tmp_path / "plots")
    assert not (tmp_path / "plots").exists()
