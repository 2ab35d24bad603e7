"""Transcripts and chats: texts with speaker and time."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import Cli
from trips import sample

from spacy_valence_ec.corpus.jsonl import Problem
from spacy_valence_ec.interchange.formats import FORMATS
from spacy_valence_ec.interchange.tasks import Notes, Task


def read(name: str, path: Path) -> tuple[list[Task], list[Problem], list[str]]:
    notes = Notes()
    found = list(FORMATS[name].read(path, notes))
    tasks = [item for item in found if isinstance(item, Task)]
    for task in tasks:
        for segment in task.fields.get("segments", ()):
            covered = task.text[segment["start"] : segment["end"]]
            assert covered.strip() == covered != ""
    return tasks, [item for item in found if isinstance(item, Problem)], notes.lines()


@pytest.mark.parametrize(
    ("name", "lines", "begins"),
    [
        ("sample.srt", [f"Caption text #{i}" for i in range(1, 6)], 0.5),
        ("sample.vtt", [f"Caption text #{i}" for i in range(1, 17)], 0.5),
        ("captions_with_bom.vtt", [f"Caption text #{i}" for i in range(1, 5)], 0.5),
        ("using_identifiers.vtt", [f"Caption text #{i}" for i in range(1, 7)], 0.5),
        ("missing_caption_text.srt", [f"Caption text #{i}" for i in (1, 3, 4, 5)], 0.5),
        ("invalid_timeframe.srt", [f"Caption text #{i}" for i in range(1, 6)], 0.5),
        (
            "sample.sbv",
            [
                *("Caption text #1", "Caption text #2", "Caption text #3 (line 1)"),
                *("Caption text #3 (line 2)", "Caption text #4", "Caption text #5"),
            ],
            0.378,
        ),
        (
            "comments.vtt",
            [
                *("- Ta en kopp varmt te.", "- Det är inte varmt.", "- Har en kopp te."),
                *("- Det smakar som te.", "- Ta en kopp"),
            ],
            135.0,
        ),
        (
            "cue_tags.vtt",
            ["When the moon hits your eye", "Like a big-a pizza pie", "That's amore"],
            16.5,
        ),
        ("youtube_dl.vtt", ["yeah", "what", "this will happen is I'm telling"], 286.07),
    ],
)
def test_subtitles_of_others(name: str, lines: list[str], begins: float) -> None:
    (task,), problems, _ = read("subtitles", sample(f"subtitles/{name}"))
    assert problems == []
    assert task.text.split("\n") == lines
    assert task.fields["time"] == begins
    assert task.id == Path(name).stem


def test_speakers_braces_and_numbers_of_subtitles(tmp_path: Path) -> None:
    path = tmp_path / "intervista.vtt"
    cues = [
        ("<v Anna>Come va?", "00:01.000 --> 00:02.000"),
        ("<v.loud Bruno>Male &amp; peggio", "00:02.000 --> 00:03.500"),
        ("<v Anna>Perché?</v>", "00:03.500 --> 00:04.000"),
    ]
    text = "WEBVTT\n\nNOTE segreto\n\n" + "\n\n".join(f"{time}\n{cue}" for cue, time in cues)
    path.write_bytes(text.replace("\n", "\r\n").encode())
    tasks, problems, _ = read("subtitles", path)
    assert problems == []
    assert [(t.id, t.fields["narrator"], t.text) for t in tasks] == [
        ("intervista-1", "Anna", "Come va?\nPerché?"),
        ("intervista-2", "Bruno", "Male & peggio"),
    ]
    assert tasks[0].fields["segments"] == [
        {"start": 0, "end": 8, "begins": 1.0, "ends": 2.0},
        {"start": 9, "end": 16, "begins": 3.5, "ends": 4.0},
    ]
    path = tmp_path / "a.srt"
    path.write_text("1\n0:00:01,000 --> 0:00:02,000\nho {tanti} anni <3\n27", encoding="utf-8")
    (task,), _, _ = read("subtitles", path)
    assert task.text == "ho {tanti} anni <3\n27"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.vtt", "segreto\n\n00:01.000 --> 00:02.000\nsegreto"),
        ("a.vtt", "WEBVTT\n\n00:01 --> segreto\nsegreto"),
        ("a.srt", "segreto"),
        ("a.txt", "segreto"),
    ],
)
def test_broken_subtitles_are_told(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    tasks, problems, _ = read("subtitles", path)
    assert tasks == []
    assert [problem.rule for problem in problems] == ["subtitles"]
    assert "segreto" not in problems[0].message


CHAT = [
    ("00001", "John Doe", "2019-01-01T11:25:00", "Lorem ipsum dolor sit amet."),
    ("00002", "John Doe", "2019-01-20T11:23:00", "."),
    (
        *("00003", "Jahn Doe", "2019-01-30T20:49:00"),
        "Lorem ipsum dolor sit amet,\nconsectetur adipiscing elit. Duis libero.",
    ),
    ("00004", "John-John Doe", "2020-06-10T15:55:00", "Lorem ipsum : dolor sit amet."),
    ("00005", "John Doe 🤓", "2021-12-10T10:10:00", "Lorem ipsum 🤓"),
    ("00006", "🤓", "2021-12-20T12:10:00", "Lorem ipsum 🤓"),
    (
        *("00007", "John Doe", "2021-12-30T22:01:00"),
        "Lorem ipsum dolor sit amet,\nconsectetur adipiscing elit. Duis libero.",
    ),
]


@pytest.mark.parametrize("name", ["test_ddmmyy_24hrs", "test_mmddyyyy_12hrs"])
def test_chats_of_android(name: str) -> None:
    tasks, problems, notes = read("whatsapp", sample(f"whatsapp/{name}.txt"))
    assert problems == []
    assert [
        (t.id.removeprefix(f"{name}-"), t.fields["narrator"], t.fields["time"], t.text)
        for t in tasks
    ] == CHAT
    assert notes == ["2 lines of the system left out"]


def test_chats_of_ios_and_what_is_no_message(cli: Cli, tmp_path: Path) -> None:
    path, output = tmp_path / "_chat.txt", tmp_path / "out.jsonl"
    lines = [
        "\ufeff[05/03/24, 08:15:30] Anna: Buongiorno ☀️",
        "\u200e[05/03/24, 8:16:01\u202fPM] Bruno: \u200e<Media omessi>",
        "[05/03/24, 08:16:40] Bruno: \u200eimmagine omessa",
        "[05/03/24, 08:17:00] Bruno: Hai eliminato questo messaggio.",
        "[05/03/24, 08:18:00] Bruno: Ho detto: [basta] - ieri",
        "",
        "e poi niente",
    ]
    path.write_bytes("\r\n".join(lines).encode())
    code, out, err = cli("import", "whatsapp", path, output)
    assert code == 0, err
    assert "2 narratives\n" in out
    assert err == "3 messages without text left out (media, deleted)\n"
    records = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert records == [
        {
            **{"id": "_chat-00001", "narrator": "Anna", "lang": "it"},
            **{"text": "Buongiorno ☀️", "time": "2024-03-05T08:15:30"},
        },
        {
            **{"id": "_chat-00002", "narrator": "Bruno", "lang": "it"},
            "text": "Ho detto: [basta] - ieri\n\ne poi niente",
            "time": "2024-03-05T08:18:00",
        },
    ]
    for content, rule in (("segreto", "whatsapp"), ("45/45/24, 08:00 - A: segreto", "date")):
        path.write_text(content, encoding="utf-8")
        code, _, err = cli("import", "whatsapp", path, output)
        assert code == 1
        assert f"[{rule}]" in err
        assert "segreto" not in err


def test_files_of_elan() -> None:
    tasks, problems, notes = read("elan", sample("elan/test.eaf"))
    assert problems == []
    assert [task.fields["narrator"] for task in tasks] == ["marker", "P001"]
    utterances = tasks[1]
    table = sample("elan/test.eaf.tsv").read_text("utf-8").splitlines()
    rows: list[Any] = [
        line.split("\t") for line in table if line.startswith('"Person1 (Utterance)"')
    ]
    said = [row[5][1:-1].replace('""', '"') for row in rows]
    assert utterances.text.split("\n") == said
    times = [(segment["begins"], segment["ends"]) for segment in utterances.fields["segments"]]
    assert times == [(float(row[2].strip('"')), float(row[3].strip('"'))) for row in rows]
    assert notes == ["3 tiers that depend on another one left out"]
    tasks, problems, _ = read("elan", sample("elan/fables_01_03_aesop_64kb.eaf"))
    assert problems == []
    told = sample("elan/fables_01_03_aesop_64kb.txt").read_text("utf-8")
    longest = max(tasks, key=lambda task: len(task.text))
    said, sentence = " ".join(longest.text.split()), told.split("\n")[2]
    assert sentence in said


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("<x/>", "elan"),
        ("<ANNOTATION_DOCUMENT>", "xml"),
        ('<!DOCTYPE x [<!ENTITY e "segreto">]><ANNOTATION_DOCUMENT/>', "xml-entities"),
        (
            "<ANNOTATION_DOCUMENT><TIER TIER_ID='a'><ANNOTATION><ALIGNABLE_ANNOTATION/>"
            "</ANNOTATION></TIER></ANNOTATION_DOCUMENT>",
            "elan",
        ),
        (
            "<ANNOTATION_DOCUMENT><TIME_SLOT TIME_SLOT_ID='a' TIME_VALUE='segreto'/>"
            "</ANNOTATION_DOCUMENT>",
            "elan",
        ),
        ("\xff", "xml"),
    ],
)
def test_broken_files_of_elan_are_told(tmp_path: Path, content: str, rule: str) -> None:
    path = tmp_path / "a.eaf"
    path.write_text(content, encoding="latin-1")
    tasks, problems, _ = read("elan", path)
    assert tasks == []
    assert [problem.rule for problem in problems] == [rule]
    assert "segreto" not in problems[0].message
