"""Transcripts: what a speaker says in stretches with times, as one text."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .tasks import Task


@dataclass(frozen=True)
class Segment:
    """A stretch of a transcript; times are seconds from the beginning, None where they are not
    known."""

    text: str
    begin: float | None
    end: float | None
    speaker: str | None = None


@dataclass
class _Turn:
    text: str = ""
    segments: list[dict[str, Any]] = field(default_factory=list)


def by_speaker(
    file: str, stem: str, segments: Iterable[Segment], *, separator: str = "\n"
) -> list[Task]:
    """A text for each speaker, in the order of their first words.

    Its fields are `narrator`, `time` (when it begins) and `segments`, each with `start` and `end`
    in the text and the times `begins` and `ends`.
    """
    turns: dict[str | None, _Turn] = {}
    for segment in segments:
        text = segment.text.strip()
        if not text:
            continue
        turn = turns.setdefault(segment.speaker, _Turn())
        start = len(turn.text) + (len(separator) if turn.text else 0)
        turn.text += (separator if turn.text else "") + text
        turn.segments.append(
            {
                "start": start,
                "end": start + len(text),
                "begins": segment.begin,
                "ends": segment.end,
            }
        )
    tasks = []
    for number, (speaker, turn) in enumerate(turns.items(), start=1):
        fields: dict[str, Any] = {} if speaker is None else {"narrator": speaker}
        fields |= {"time": turn.segments[0]["begins"], "segments": turn.segments}
        identity = stem if len(turns) == 1 else f"{stem}-{number}"
        tasks.append(Task(file, number, identity, turn.text, (), fields))
    return tasks
