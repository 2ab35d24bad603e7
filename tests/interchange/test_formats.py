"""The table of formats, in the command and in the documents."""

from pathlib import Path

import pytest
from helpers import Cli
from trips import ROOT

from spacy_valence_ec.interchange import inception, offsets, subtitles
from spacy_valence_ec.interchange.formats import FORMATS


def test_the_table_of_the_document_is_that_of_the_code() -> None:
    text = (ROOT / "docs/interchange.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `") and "--" not in line[:6]]
    expected = [
        f"| `{found.name}` | {found.reads} | {found.writes or '-'} | {found.lost} |"
        for found in FORMATS.values()
    ]
    assert rows == expected


def test_the_command_lists_what_can_be_written(cli: Cli, tmp_path: Path) -> None:
    code, out, _ = cli("formats")
    assert code == 0
    source = tmp_path / "n.jsonl"
    source.write_text('{"text": "ciao"}\n', encoding="utf-8")
    for name, found in FORMATS.items():
        assert name in out
        code, _, err = cli("export", name, source, tmp_path / name)
        assert code == (0 if found.writes else 2), err


@pytest.mark.parametrize("name", ["cassis", "webvtt", "regex"])
def test_a_library_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    import sys

    from spacy_valence_ec.errors import ValenceECError
    from spacy_valence_ec.interchange.tasks import Notes

    monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "a.vtt"
    path.write_text("WEBVTT\n", encoding="utf-8")
    calls = {
        "cassis": lambda: inception.write_json(tmp_path / "out", [], Notes()),
        "webvtt": lambda: list(subtitles.read(path, Notes())),
        "regex": lambda: offsets.edges("a", offsets.OffsetUnit.GRAPHEMES),
    }
    with pytest.raises(ValenceECError, match=r"X003.*\[tools\]"):
        calls[name]()
