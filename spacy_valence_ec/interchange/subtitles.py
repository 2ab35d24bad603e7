"""Subtitles and captions: SRT, WebVTT and SBV, by webvtt-py.

The text of a speaker is that of the cues, a line for each of theirs. Where captions roll, so that
the lines of one cue come again in the next, each line is taken once. pysubs2 is not used: it drops
what stands in braces, and a number in the last line.
"""

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import missing_tool
from .names import stem_of
from .segments import Segment, by_speaker
from .sources import decode, read_bytes
from .tasks import Found, MistakeError, Notes, guarded

FORMATS = {".srt": "srt", ".vtt": "vtt", ".sbv": "sbv"}

VOICE = re.compile(r"<v(?:\.[^ >]*)?[ \t]+([^>]+)>")
TAG = re.compile(r"</?[a-z0-9:.]+[^<>]*>", re.IGNORECASE)
ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", "\u00a0"), ("&amp;", "&"))
TIME = r"(?:\d+:)?\d{1,2}:\d{1,2}[,.]\d{1,3}"
TIMES = re.compile(rf"\s*{TIME}\s*-->\s*{TIME}")


def read(path: Path, notes: Notes) -> Found:
    """The text of each speaker of a file."""
    return guarded(str(path), lambda: _read(path, notes))


def _read(path: Path, notes: Notes) -> Found:
    try:
        import webvtt
        from webvtt.errors import MalformedCaptionError, MalformedFileError
    except ImportError:
        raise missing_tool("webvtt-py", "reads subtitles") from None
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise MistakeError("subtitles", f"the name must end in {', '.join(FORMATS)}")
    text = re.sub(r"\r\n?", "\n", decode(read_bytes(path)))
    _check_times(text)
    try:
        captions = webvtt.from_buffer(io.StringIO(text), format=FORMATS[suffix]).captions
    except (MalformedFileError, MalformedCaptionError):
        raise MistakeError("subtitles", f"not the format that {suffix} files have") from None
    segments = _unrolled(map(_segment, captions), notes)
    yield from by_speaker(str(path), stem_of(path.name, (suffix,)), segments)


def _check_times(text: str) -> None:
    """Refuse lines with an arrow that hold no times, which a lenient reader would pass over."""
    for number, line in enumerate(text.split("\n"), start=1):
        if "-->" in line and not TIMES.match(line):
            raise MistakeError("subtitles", f"line {number} holds no times")


def _segment(caption: Any) -> Segment:
    voice = VOICE.search(caption.raw_text)
    speaker = voice[1].strip() if voice else None
    return Segment(
        _plain(caption.raw_text), _seconds(caption.start), _seconds(caption.end), speaker or None
    )


def _seconds(time: str) -> float:
    """Seconds of "HH:MM:SS.mmm"."""
    hours, minutes, seconds = time.split(":")
    return round(3600 * int(hours) + 60 * int(minutes) + float(seconds), 3)


def _plain(text: str) -> str:
    """`text` without tags, its characters for entities, a line each."""
    bare = TAG.sub("", text)
    for name, character in ENTITIES:
        bare = bare.replace(name, character)
    return "\n".join(line.strip() for line in bare.split("\n") if line.strip())


def _unrolled(segments: Iterable[Segment], notes: Notes) -> Iterator[Segment]:
    """The segments without the lines at their beginning that end the one before."""
    before: list[str] = []
    for segment in segments:
        lines = segment.text.split("\n") if segment.text else []
        same = next(
            (n for n in range(min(len(before), len(lines)), 0, -1) if before[-n:] == lines[:n]), 0
        )
        notes["lines of rolling captions taken once"] += same
        yield Segment("\n".join(lines[same:]), segment.begin, segment.end, segment.speaker)
        before = lines
