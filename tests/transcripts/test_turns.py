"""Who speaks in a transcript, a chat and subtitles, and what is no narrative."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_valence_ec.schema import ResultNames
from spacy_valence_ec.transcripts.recognize import Kind, find_turns, recognize
from spacy_valence_ec.transcripts.strip import StrippedText, restore_record

SAMPLES = Path(os.environ.get("FORMAT_SAMPLES", Path(__file__).parents[3] / "shared" / "formats"))

TRANSCRIPT = """[00:00:02] INT: Come è andata?
[00:00:05] P1: Ho perso il treno, [00:00:09] e poi (00:10) piangevo.
Poi niente.
INT: E dopo?
P1: Sono tornata: che gioia!
"""
CHAT = """12/03/24, 21:15 - I messaggi sono crittografati end-to-end.
12/03/24, 21:15 - Anna: Ho perso il treno
e poi piangevo
12/03/24, 21:16 - Bea Rossi: <Media omessi>
12/03/24, 21:17 - Bea Rossi: No: davvero?
12/03/24, 21:18 - Anna: Questo messaggio è stato eliminato
"""
IPHONE = (
    "\u200e[12/03/24, 21:15:03] Anna: Ho perso il treno\r\n"
    "[12/03/24, 21:15:09] Bea: \u200eimmagine omessa\r\n"
    "[12/03/24, 9:16:00\u202fPM] Bea: Davvero?\r\n"
)
SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Ho perso</i>

2
00:00:02,500 --> 00:00:04,000
il treno.
{\\an8}Che rabbia
"""
VTT = """WEBVTT

NOTE una nota

00:01.000 --> 00:02.500 align:start
Ho perso il treno.
"""


def spoken(text: str, kind: Kind = Kind.AUTO) -> list[tuple[str | None, str]]:
    return [(turn.speaker, text[turn.start : turn.end]) for turn in find_turns(text, kind)]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (
            TRANSCRIPT,
            Kind.TRANSCRIPT,
            [
                ("INT", "Come è andata?"),
                ("P1", "Ho perso il treno,"),
                ("P1", "e poi"),
                ("P1", "piangevo."),
                ("P1", "Poi niente."),
                ("INT", "E dopo?"),
                ("P1", "Sono tornata: che gioia!"),
            ],
        ),
        (
            CHAT,
            Kind.WHATSAPP,
            [
                ("Anna", "Ho perso il treno"),
                ("Anna", "e poi piangevo"),
                ("Bea Rossi", "No: davvero?"),
            ],
        ),
        (IPHONE, Kind.WHATSAPP, [("Anna", "Ho perso il treno"), ("Bea", "Davvero?")]),
        (SRT, Kind.SRT, [(None, "Ho perso"), (None, "il treno."), (None, "Che rabbia")]),
        (VTT, Kind.SRT, [(None, "Ho perso il treno.")]),
        (
            "Giovedì: al mercato, poi a casa.\nAlle 10:30 ho visto Marta: era triste.",
            Kind.NONE,
            [(None, "Giovedì: al mercato, poi a casa.\nAlle 10:30 ho visto Marta: era triste.")],
        ),
        ("", Kind.NONE, []),
    ],
)
def test_turns(text: str, kind: Kind, expected: list[tuple[str | None, str]]) -> None:
    assert recognize(text) is kind
    assert spoken(text) == spoken(text, kind) == expected


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples of other tools are not here")
def test_files_of_other_tools() -> None:
    kinds = {"subtitles": {".srt", ".vtt"}, "whatsapp": {".txt"}}
    n_read = 0
    for folder, suffixes in kinds.items():
        for path in sorted((SAMPLES / folder).rglob("*")):
            if path.suffix in suffixes and path.name != "PROVENANCE.txt":
                text = path.read_bytes().decode("utf-8-sig", errors="replace")
                expected = Kind.SRT if folder == "subtitles" else Kind.WHATSAPP
                assert recognize(text) is expected, path.name
                turns = find_turns(text, expected)
                assert turns, path.name
                assert not any("-->" in text[turn.start : turn.end] for turn in turns)
                n_read += 1
    assert n_read >= 2


PIECES = st.lists(
    st.sampled_from([*TRANSCRIPT.splitlines(), *CHAT.splitlines(), *SRT.splitlines(), "ciao "]),
    max_size=12,
)


@given(PIECES, st.sampled_from(list(Kind)), st.sampled_from(["\n", "\r\n", "\u2028"]))
def test_offsets_come_back(pieces: list[str], kind: Kind, line_end: str) -> None:
    text = line_end.join(pieces)
    stripped = StrippedText.of(text, kind)
    for start, turn in zip(stripped.starts, stripped.turns, strict=True):
        length = turn.end - turn.start
        assert stripped.words[start : start + length] == text[turn.start : turn.end]
        assert stripped.restore(start, start + length) == (turn.start, turn.end)
    covered = [*stripped.turns, *stripped.metadata]
    inside = {i for stretch in covered for i in range(stretch.start, stretch.end)}
    assert sum(s.end - s.start for s in covered) == len(inside)
    assert not [c for i, c in enumerate(text) if i not in inside and not c.isspace()]


def test_the_narrator_alone_counts_for_the_narrative() -> None:
    text = "INT: Bene?\nP1: No."
    stripped = StrippedText.of(text, Kind.TRANSCRIPT)
    assert stripped.words == "Bene?\nNo."
    scores = [
        {"negative": 0.1, "neutral": 0.1, "positive": 0.8},
        {"negative": 0.9, "neutral": 0.1, "positive": 0.0},
    ]
    record = {
        "text": stripped.words,
        "units": [
            {"start": 0, "end": 5, "valence": "positive", "scores": scores[0]},
            {"start": 6, "end": 9, "valence": "negative", "scores": scores[1]},
        ],
        "carriers": [{"start": 6, "end": 8}],
        "valence": "mixed",
        "valence_score": -0.1,
    }
    restored = restore_record(record, stripped, ResultNames(), "P1")
    assert restored["text"] == text
    assert [(u["start"], u["end"], u["speaker"]) for u in restored["units"]] == [
        (5, 10, "INT"),
        (15, 18, "P1"),
    ]
    assert restored["carriers"] == [{"start": 15, "end": 17}]
    assert (restored["valence"], restored["valence_score"]) == ("negative", -0.9)
    assert restored["metadata"] == [{"start": 0, "end": 4}, {"start": 11, "end": 14}]
    assert restore_record(record, stripped, ResultNames(), None)["valence"] == "mixed"
