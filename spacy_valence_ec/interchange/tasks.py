"""What the reader of every format yields: a text and what annotators marked in it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..corpus.jsonl import Problem


@dataclass(frozen=True)
class Mark:
    """A span as a tool wrote it, in what that tool counts.

    `names` are what it may be called by, and the first that is known counts: its label, then the
    values of its attributes. `layer` is the group that it was marked in, where a
    tool has several. `covered` is the text at the span, where the tool says it.
    """

    start: int
    end: int
    names: tuple[str, ...]
    layer: str = ""
    covered: str | None = None


@dataclass(frozen=True)
class Annotation:
    """The marks of one annotator in one text. A later one of the same annotator replaces it.

    `inclusive` tells of files whose ends may be those of the last character. A prediction is taken
    by its name only.
    """

    annotator: str
    marks: tuple[Mark, ...]
    is_ground_truth: bool = False
    is_prediction: bool = False
    inclusive: bool = False


@dataclass(frozen=True)
class Task:
    """A text with its annotations and other fields of a narrative; `number` counts from 1 in the
    file."""

    file: str
    number: int
    id: str
    text: str
    annotations: tuple[Annotation, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)

    def problem(self, rule: str, message: str) -> Problem:
        """A broken rule of this task."""
        return Problem(self.file, self.number, self.id, rule, message)


Found = Iterator[Task | Problem]


class MistakeError(Exception):
    """What is wrong with a task or file: a rule and a message without any text of a narrative."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(rule, message)
        self.rule = rule
        self.message = message


class Notes(Counter[str]):
    """What a person should know of a conversion, each with how often it happened."""

    def lines(self) -> list[str]:
        """One line for each, in the order of their first time."""
        return [f"{n:,} {what}" for what, n in self.items() if n]


def whole(value: object) -> int:
    """`value`, if it is a whole number, as an offset must be.

    Raises:
        MistakeError: it is anything else.
    """
    if type(value) is not int:  # a bool is an int in Python, and none in JSON
        raise MistakeError("offset-type", "an offset of a span is no whole number")
    return value


def guarded(file: str, read: Callable[[], Found]) -> Found:
    """What `read` yields; a mistake that it raises becomes a problem of the whole file."""
    try:
        yield from read()
    except MistakeError as mistake:
        yield Problem(file, 0, "", mistake.rule, mistake.message)
