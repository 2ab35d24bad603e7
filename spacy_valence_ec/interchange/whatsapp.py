"""WhatsApp: exported chats of Android and iOS, a text for each message.

Lines of the system have no sender and are left out, as are those that stand for media. Whether the
day or the month comes first is told by all dates of the chat; where they allow both, the day, as in
Italy.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .names import stem_of
from .sources import decode, read_bytes
from .tasks import Found, MistakeError, Notes, Task, guarded

# Marks of direction, and blanks that are none to a program.
INVISIBLE = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
BLANKS = re.compile("[\u202f\u00a0\u2009]")

DATE = r"(\d{1,4})[./-](\d{1,2})[./-](\d{2,4})"
TIME = r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?: ?([ap])\.? ?m\.?)?"
ANDROID = re.compile(rf"{DATE},? {TIME} - ", re.IGNORECASE)
IOS = re.compile(rf"\[{DATE},? {TIME}\] ?", re.IGNORECASE)
# A name, and a colon with the message; some messages follow it without a blank.
SENDER = re.compile(r"([^:\n]{1,80}?):(?: |(?=\S|$))(.*)", re.DOTALL)

MEDIA = re.compile(
    r"<?(?:media|immagine|video|audio|sticker|documento|image|document|gif)s? "
    r"(?:omess[oaie]|omitted|absente?)>?|<(?:allegato|attached): [^>]*>",
    re.IGNORECASE,
)
DELETED = re.compile(
    r"(?:questo messaggio è stato eliminato|hai eliminato questo messaggio"
    r"|this message was deleted|you deleted this message)\.?",
    re.IGNORECASE,
)


@dataclass
class _Message:
    """A message while its lines are read: the numbers of its date, its time and its lines."""

    line: int
    date: tuple[int, int, int]
    time: tuple[int, int, int]
    lines: list[str]


def read(path: Path, notes: Notes) -> Found:
    """The messages of a chat; lines without a date go on with the message before."""
    return guarded(str(path), lambda: _read(path, notes))


def _read(path: Path, notes: Notes) -> Found:
    messages = list(_messages(decode(read_bytes(path))))
    if not messages:
        raise MistakeError("whatsapp", "no line begins with a date and a time, as an export's do")
    is_month_first = _is_month_first(messages)
    stem = stem_of(path.name, (".txt",))
    number = 0
    for message in messages:
        match = SENDER.fullmatch("\n".join(message.lines))
        text = match[2].strip("\u200e\u200f \n") if match else ""
        if not match:
            notes["lines of the system left out"] += 1
        elif MEDIA.fullmatch(text) or DELETED.fullmatch(text) or not text:
            notes["messages without text left out (media, deleted)"] += 1
        else:
            number += 1
            fields = {"narrator": match[1].strip(), "time": _moment(message, is_month_first)}
            yield Task(str(path), message.line, f"{stem}-{number:05}", text, (), fields)


def _messages(text: str) -> Iterator[_Message]:
    message: _Message | None = None
    for number, raw in enumerate(re.split(r"\r?\n", text), start=1):
        line = INVISIBLE.sub("", raw) if INVISIBLE.match(raw) else raw
        # Only what stands before the message is made plain: the text stays as it is.
        match = ANDROID.match(BLANKS.sub(" ", line)) or IOS.match(BLANKS.sub(" ", line))
        if match:
            if message:
                yield message
            a, b, c, hour, minute, second, half = match.groups()
            hours = int(hour) % 12 + 12 * (half in "pP") if half else int(hour)
            time = (hours, int(minute), int(second or 0))
            rest = line[match.end() :].lstrip("\u200e\u200f")
            message = _Message(number, (int(a), int(b), int(c)), time, [rest])
        elif message:
            message.lines.append(line)
    if message:
        yield message


def _is_month_first(messages: list[_Message]) -> bool:
    """Whether some date holds in this order only, and none in the other only."""
    return any(m.date[1] > 12 for m in messages) and not any(12 < m.date[0] < 32 for m in messages)


def _moment(message: _Message, is_month_first: bool) -> str:
    """Date and time as ISO 8601.

    Raises:
        MistakeError: there is no such moment.
    """
    first, second, third = message.date
    if first > 31:
        year, month, day = message.date
    else:
        day, month = (second, first) if is_month_first else (first, second)
        year = third if third > 99 else 2000 + third
    try:
        return datetime(year, month, day, *message.time).isoformat()
    except ValueError:
        raise MistakeError("date", f"line {message.line}: there is no such date") from None
