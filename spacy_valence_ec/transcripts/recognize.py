"""Recognizing the turns of a transcript, a chat or subtitles.

A turn is a stretch of words of one person. What lies outside of all turns (time stamps, names,
numbers of cues) is metadata.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ..schema import Offsets


class Kind(str, Enum):
    """What kind of headers a text has."""

    AUTO = "auto"
    TRANSCRIPT = "transcript"
    WHATSAPP = "whatsapp"
    SRT = "srt"
    NONE = "none"


@dataclass(frozen=True)
class Turn(Offsets):
    """Words of one person. `speaker` is None where nobody is named; a turn that `continues` goes on
    with the sentence of the one before it."""

    speaker: str | None = None
    continues: bool = False


@dataclass(frozen=True)
class Speech:
    """What is said of the headers of texts.

    kind: of all texts; None for those of subtitles alone.
    narrator: the speaker whose units count for the narrative; None for all.
    subtitles: ids of the records that are subtitles.
    """

    kind: Kind | None = None
    narrator: str | None = None
    subtitles: frozenset[str] = frozenset()

    def kind_of(self, identity: str) -> Kind:
        """What kind of headers a record has, by its id."""
        if self.kind is None:
            return Kind.SRT if identity in self.subtitles else Kind.NONE
        return self.kind


# A line of a chat: 12/03/24, 21:15 - Anna: text (Android), [12/03/24, 21:15:03] Anna: text (iOS).
CHAT = re.compile(
    r"[\u200e\u202a]*\[?\d{1,4}[/.\-]\d{1,2}[/.\-]\d{1,4},?[ \u00a0\u202f]+\d{1,2}[:.]\d{2}"
    r"(?:[:.]\d{2})?(?:[ \u00a0\u202f]?[ap]\.?m\.?)?\]?(?:[ \u00a0]-)?[ \u00a0]+",
    re.IGNORECASE,
)
CHAT_NAME = re.compile(r"[\u200e\u202a]*([^:\n]{1,60}?)[\u202c]?:[ \u00a0]*")
PLACEHOLDER = re.compile(
    r"[\u200e]*<?(?:media omess[io]|media omitted|(?:immagine|video|audio|sticker|documento|gif) "
    r"omess[oa]|(?:image|video|audio|sticker|document|gif) omitted|allegato: .*|attached: .*)>?"
    r"|(?:questo messaggio è stato eliminato|hai eliminato questo messaggio|this message was "
    r"deleted)\.?",
    re.IGNORECASE,
)

TIME = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?"
TIMING = re.compile(rf"\s*{TIME}\s*-->\s*{TIME}.*")
CUE_START = re.compile(r"\s*\d+\s*|WEBVTT.*|NOTE\b.*|STYLE\b.*")
TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,40}>|\{\\[^{}\n]{0,40}\}")

STAMP = re.compile(rf"[\[(<]\s*{TIME}(?:\s*[-–]\s*{TIME})?\s*[\])>]|^\s*{TIME}(?=\s)", re.MULTILINE)
LABEL = re.compile(
    rf"\s*(?:[\[(<]?\s*{TIME}\s*[\])>]?\s*[-–]?\s*)?([^\W\d_][\w .'’\-]{{0,30}}):(?=\s|$)"
)
CODE = re.compile(r"[A-ZÀ-Ý]{1,3}\d{1,3}|[A-ZÀ-Ý]{2,12}\d?")  # P1, INT, S01, INTERVISTATORE

MIN_SHARE = 0.5  # of the lines that must be headed, for a kind to be recognized


def recognize(text: str) -> Kind:
    """The kind of a text: `NONE` where less than half of its lines have a header, or only one
    has."""
    lines = [line for line in text.splitlines() if line.strip()]
    if sum(bool(TIMING.fullmatch(line)) for line in lines) >= 1 and any(
        CUE_START.fullmatch(line) for line in lines
    ):
        return Kind.SRT
    if is_usual(sum(bool(CHAT.match(line)) for line in lines), len(lines)):
        return Kind.WHATSAPP
    labels = find_labels(lines)
    headed = sum(label_of(line, labels) is not None or bool(STAMP.match(line)) for line in lines)
    return Kind.TRANSCRIPT if is_usual(headed, len(lines)) else Kind.NONE


def is_usual(n_headed: int, n_lines: int) -> bool:
    """Return True if enough lines have a header."""
    return n_headed >= 2 and n_headed >= MIN_SHARE * n_lines


def find_turns(text: str, kind: Kind) -> list[Turn]:
    """The turns of a text, in order, without white space at their ends. `AUTO` recognizes the kind;
    a text of the kind `NONE` is one turn."""
    if kind is Kind.AUTO:
        kind = recognize(text)
    if kind is Kind.WHATSAPP:
        turns = chat_turns(text)
    elif kind is Kind.SRT:
        turns = subtitle_turns(text)
    elif kind is Kind.TRANSCRIPT:
        turns = transcript_turns(text)
    else:
        turns = iter([Turn(0, len(text))])
    return [turn for turn in (trim(text, turn) for turn in turns) if turn.start < turn.end]


def trim(text: str, turn: Turn) -> Turn:
    """A turn without the white space at its ends."""
    words = text[turn.start : turn.end]
    start = turn.start + len(words) - len(words.lstrip())
    return Turn(start, max(start, turn.start + len(words.rstrip())), turn.speaker, turn.continues)


def split_lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with its offset, without the line end."""
    start = 0
    for line in text.splitlines(keepends=True):
        yield start, line.rstrip("\r\n\u2028\u2029\x0b\x0c\x85")
        start += len(line)


def chat_turns(text: str) -> Iterator[Turn]:
    """A turn for each message, of several lines perhaps; what the program itself says, and
    placeholders for pictures, are none."""
    speaker: str | None = None
    is_message = True  # of what comes before the first header
    continues = False
    for start, line in split_lines(text):
        if header := CHAT.match(line):
            name = CHAT_NAME.match(line, header.end())
            is_message, continues = name is not None, False
            if name is None:
                continue
            speaker = name[1].strip()
            offset = name.end()
        else:
            offset = 0
        if is_message and not PLACEHOLDER.fullmatch(line[offset:].strip()):
            yield Turn(start + offset, start + len(line), speaker, continues)
            continues = True


def subtitle_turns(text: str) -> Iterator[Turn]:
    """A turn for each stretch of a cue; the sentence goes on from cue to cue."""
    first = True
    in_cue = False
    lines = list(split_lines(text))
    for i, (start, line) in enumerate(lines):
        if TIMING.fullmatch(line):
            in_cue = True
        elif not line.strip():
            in_cue = False
        elif in_cue or not (
            CUE_START.fullmatch(line) or (i + 1 < len(lines) and TIMING.fullmatch(lines[i + 1][1]))
        ):
            for begin, end in outside(line, TAG):
                yield Turn(start + begin, start + end, None, not first)
                first = False


def transcript_turns(text: str) -> Iterator[Turn]:
    """A turn for each stretch of words between names and time stamps."""
    labels = find_labels(text.splitlines())
    speaker: str | None = None
    continues = False
    for start, line in split_lines(text):
        offset = 0
        if (label := label_of(line, labels)) is not None:
            speaker, continues = label[1].strip(), False
            offset = label.end()
        for begin, end in outside(line[offset:], STAMP):
            if line[offset + begin : offset + end].strip():
                yield Turn(start + offset + begin, start + offset + end, speaker, continues)
                continues = True


def find_labels(lines: list[str]) -> set[str]:
    """The names before a colon that are speakers: codes such as P1 and INT, and names that begin
    with a capital letter and come back."""
    counts = Counter(match[1].strip() for line in lines if (match := LABEL.match(line)))
    return {
        name
        for name, n in counts.items()
        if CODE.fullmatch(name) or (n > 1 and name[0].isupper() and len(name.split()) <= 3)
    }


def label_of(line: str, labels: set[str]) -> re.Match[str] | None:
    """The header of a line that begins with the name of a speaker."""
    match = LABEL.match(line)
    return match if match and match[1].strip() in labels else None


def outside(line: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """The stretches of a line that a pattern does not match."""
    start = 0
    for match in pattern.finditer(line):
        yield start, match.start()
        start = match.end()
    yield start, len(line)
