"""`valence-ec analyze` on transcripts, chats and subtitles."""

import json
from pathlib import Path
from typing import Any

from helpers import Cli

from spacy_valence_ec.corpus.jsonl import read_narratives

TRANSCRIPT = """[00:00:02] INT: Come è andata?
P1: Ho perso il treno, [00:00:09] e poi piangevo.
INT: E dopo?
P1: Niente.
"""
CHAT = "12/03/24, 21:15 - Anna: Ho perso il treno\n12/03/24, 21:17 - Bea: Davvero?\n"
SRT = "1\n00:00:01,000 --> 00:00:02,500\nHo perso il treno.\n"


def analyze(cli: Cli, *args: Any) -> list[dict[str, Any]]:
    code, out, err = cli("analyze", *args)
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def test_analyze_strips_what_validate_accepts(cli: Cli, stand_in: Path, tmp_path: Path) -> None:
    paths = {"a.txt": TRANSCRIPT, "b.txt": CHAT, "c.srt": SRT, "d.txt": "Ho perso il treno."}
    for name, text in paths.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    records = analyze(cli, tmp_path, "-m", stand_in, "--strip", "auto", "--narrator", "P1")
    first = records[0]
    assert first["text"] == TRANSCRIPT
    assert {unit["speaker"] for unit in first["units"]} == {"INT", "P1"}
    units = [TRANSCRIPT[unit["start"] : unit["end"]] for unit in first["units"]]
    assert not any("INT" in unit or "P1" in unit for unit in units)
    assert "metadata" not in records[3]
    path = tmp_path / "out.jsonl"
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    assert read_narratives(path).problems == []

    # Subtitles are known by their suffix, other texts are left as they are.
    plain = analyze(cli, tmp_path / "a.txt", tmp_path / "c.srt", "-m", stand_in)
    assert "turns" not in plain[0]
    assert plain[1]["metadata"][0] == {"start": 0, "end": 31}
    assert cli("analyze", "Ciao.", "-m", stand_in, "--narrator", "P1")[0] == 2
