"""From what annotators marked to narratives: whose marks, what they are called, where they lie."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..corpus.jsonl import Problem, ReadResult, check_record, narrative_to_record, printable
from ..errors import Errors, ValenceECError, listed
from ..schema import EC_LABEL, NEUTRAL, VALENCES, Narrative, Offsets, Unit
from .alignment import alignment
from .offsets import Counted, OffsetUnit, choose_offsets, trim
from .tasks import Annotation, Mark, MistakeError, Notes, Task

IGNORE = "ignore"
TARGETS = (*VALENCES, EC_LABEL, IGNORE)

# What people and our own exports call them, whatever the case of the letters.
KNOWN_LABELS = {
    **{valence: valence for valence in VALENCES},
    "ec": EC_LABEL,
    "carrier": EC_LABEL,
    "emotioncarrier": EC_LABEL,
}

GROUND_TRUTH, EACH = "ground-truth", "each"

# Fields that `valence-ec analyze` computes beside units with scores: of no use after a correction.
COMPUTED_FIELDS = ("valence", "valence_score")


@dataclass(frozen=True)
class ImportOptions:
    """How annotations are taken.

    `labels` maps names of the tool to `TARGETS`; `annotator` is a name, `GROUND_TRUTH`, `EACH` or
    None; `offsets` says what the tool counts, where it cannot be told; `onto` holds the originals
    by id, as they are read for prediction.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    annotator: str | None = None
    fill_gaps: bool = False
    offsets: OffsetUnit | None = None
    onto: Mapping[str, Narrative] | None = None

    def target(self, mark: Mark) -> str | None:
        """What `mark` is, one of `TARGETS`; None if nobody knows."""
        for name in mark.names:
            if name in self.labels:
                return self.labels[name]
        for name in mark.names:
            if name.casefold() in KNOWN_LABELS:
                return KNOWN_LABELS[name.casefold()]
        return None


def parse_labels(given: Iterable[str]) -> dict[str, str]:
    """The mapping that arguments such as "Bad=negative" give.

    Raises:
        ValenceECError: one is of another form (X002).
    """
    labels = {}
    targets = {target.casefold(): target for target in TARGETS}
    for value in given:
        name, sign, target = value.rpartition("=")
        if not sign or not name or target.casefold() not in targets:
            known = ", ".join(TARGETS)
            raise ValenceECError(Errors.X002.format(value=printable(value), labels=known))
        labels[name] = targets[target.casefold()]
    return labels


def annotated_narratives(
    found: Iterable[Task | Problem],
    options: ImportOptions,
    units: Sequence[OffsetUnit],
    notes: Notes,
    path: object,
) -> dict[str, ReadResult]:
    """The narratives of all tasks by annotator; under "" where one is chosen for each text.

    `units` are what the tool may count, `path` is what errors name. A task with a problem gives no
    narrative and costs no other one.

    Raises:
        ValenceECError: no label is known (X001), or the annotator is not (X004).
    """
    tasks: list[Task] = []
    problems: list[Problem] = []
    for item in found:
        if isinstance(item, Task):
            tasks.append(item)
        else:
            problems.append(item)
    _check_annotator(tasks, options, path)
    layers = _known_layers(tasks, options, notes, path)
    results: dict[str, ReadResult] = {}
    seen: dict[tuple[str, str], Task] = {}
    for task in tasks:
        try:
            chosen = _chosen(task, options, notes)
        except MistakeError as mistake:
            problems.append(task.problem(mistake.rule, mistake.message))
            continue
        for annotator, annotation in chosen.items():
            result = results.setdefault(annotator, ReadResult())
            first = seen.setdefault((annotator, task.id), task)
            try:
                if first is not task:
                    where = f"{printable(first.file)}:{first.number}"
                    raise MistakeError("id-duplicate", f"also the id at {where}")
                record = _record(task, annotation, options, layers, units, notes)
            except MistakeError as mistake:
                result.problems.append(task.problem(mistake.rule, mistake.message))
                continue
            narrative, broken = check_record(record)
            result.problems.extend(task.problem(rule, message) for rule, message in broken)
            if narrative is not None:
                result.narratives.append(narrative)
    if not results:
        results[""] = ReadResult()
    first_result = next(iter(results.values()))
    first_result.problems[:0] = problems
    return results


def plain_narratives(found: Iterable[Task | Problem]) -> ReadResult:
    """The narratives of tasks that are nothing but texts."""
    result = ReadResult()
    seen: dict[str, Task] = {}
    for item in found:
        if isinstance(item, Problem):
            result.problems.append(item)
            continue
        first = seen.setdefault(item.id, item)
        if first is not item:
            where = f"{printable(first.file)}:{first.number}"
            result.problems.append(item.problem("id-duplicate", f"also the id at {where}"))
            continue
        fields = dict(item.fields)
        narrator, lang = fields.pop("narrator", None), fields.pop("lang", Narrative.lang)
        result.narratives.append(
            Narrative(item.id, item.text, narrator=narrator, lang=lang, extra=fields)
        )
    return result


def _check_annotator(tasks: Iterable[Task], options: ImportOptions, path: object) -> None:
    if options.annotator in (None, GROUND_TRUTH, EACH):
        return
    known = dict.fromkeys(a.annotator for task in tasks for a in task.annotations)
    if options.annotator not in known:
        names = listed([printable(name) for name in known], 20) or "none"
        annotator = printable(str(options.annotator))
        raise ValenceECError(Errors.X004.format(path=path, annotator=annotator, known=names))


def _known_layers(
    tasks: Iterable[Task], options: ImportOptions, notes: Notes, path: object
) -> set[str]:
    """The layers in which any label is known; the others are told."""
    marks = [mark for task in tasks for a in task.annotations for mark in a.marks]
    known = {mark.layer for mark in marks if options.target(mark) is not None}
    other = Counter(mark.layer for mark in marks if mark.layer not in known)
    if marks and not known:
        names = list(dict.fromkeys(printable(name, 40) for m in marks for name in m.names))
        example = names[0] if names else "NAME"
        raise ValenceECError(
            Errors.X001.format(path=path, labels=listed(names, 12), example=example)
        )
    if other:
        shown = listed([printable(layer, 60) for layer in other], 8)
        notes[f"spans of other layers passed over: {shown}"] += sum(other.values())
    return known


def _chosen(task: Task, options: ImportOptions, notes: Notes) -> dict[str, Annotation]:
    """The annotations to take, by the name that they go under."""
    wanted = options.annotator
    by_annotator: dict[str, Annotation] = {}
    for annotation in task.annotations:
        if wanted == GROUND_TRUTH:
            if not annotation.is_ground_truth:
                continue
        elif wanted in (None, EACH):
            if annotation.is_prediction:
                continue
        elif annotation.annotator != wanted:
            continue
        if annotation.annotator in by_annotator:
            notes["annotations replaced by later ones of the same annotator"] += 1
        by_annotator[annotation.annotator] = annotation
    if wanted == EACH and by_annotator:
        return by_annotator
    if len(by_annotator) > 1:
        names = listed([printable(name) for name in by_annotator], 10)
        raise MistakeError(
            "annotators", f"annotated by {names}: choose with --annotator NAME, or take `each`"
        )
    if not by_annotator:
        whose = "annotation" if wanted in (None, EACH) else f"annotation ({printable(wanted)})"
        notes[f"texts without {whose} left out"] += 1
    return dict(zip([""], by_annotator.values(), strict=False))


def _record(
    task: Task,
    annotation: Annotation,
    options: ImportOptions,
    layers: set[str],
    tool_units: Sequence[OffsetUnit],
    notes: Notes,
) -> dict[str, Any]:
    """The line of the interchange format, not yet checked."""
    taken: list[tuple[Mark, str]] = []
    unknown: dict[str, None] = {}
    for mark in annotation.marks:
        target = options.target(mark)
        if target is None and mark.layer in layers:
            unknown[printable(mark.names[0] if mark.names else mark.layer, 40)] = None
        elif target is not None and target != IGNORE:
            if mark.start == mark.end and not annotation.inclusive:
                notes["empty spans left out"] += 1
            else:
                taken.append((mark, target))
    if unknown:
        names = listed([*unknown], 8)
        raise MistakeError("label", f"neither unit nor carrier: {names}; say what it is with --map")
    counted = [Counted(mark.start, mark.end, mark.covered) for mark, _ in taken]
    ways = tool_units if options.offsets is None else (options.offsets,)
    spans = choose_offsets(counted, task.text, ways, inclusive=annotation.inclusive)
    units: dict[Unit, None] = {}
    carriers: dict[Offsets, None] = {}
    original = _original(task, options)
    move = alignment(task.text, original.text) if original else (lambda span: span)
    for span, (_, target) in zip(spans, taken, strict=True):
        trimmed = trim(task.text, span)
        notes["spans trimmed of white space at their edges"] += trimmed != span
        if trimmed.start == trimmed.end:
            notes["spans of white space left out"] += 1
            continue
        moved = move(trimmed)
        if target == EC_LABEL:
            notes["spans that were marked twice taken once"] += moved in carriers
            carriers[moved] = None
        else:
            unit = Unit(moved.start, moved.end, target)
            notes["spans that were marked twice taken once"] += unit in units
            units[unit] = None
    fields = dict(task.fields) if original is None else _fields(original)
    text = task.text if original is None else original.text
    if options.fill_gaps:
        gaps = _gaps(text, units)
        notes["gaps filled with neutral units"] += len(gaps)
        units.update(dict.fromkeys(gaps))
    fields |= {
        "id": task.id,
        "text": text,
        "units": [
            {"start": unit.start, "end": unit.end, "valence": unit.valence}
            for unit in sorted(units, key=lambda unit: (unit.start, unit.end))
        ],
        "carriers": [
            {"start": span.start, "end": span.end}
            for span in sorted(carriers, key=lambda span: (span.start, span.end))
        ],
    }
    return fields


def _original(task: Task, options: ImportOptions) -> Narrative | None:
    if options.onto is None:
        return None
    if task.id not in options.onto:
        raise MistakeError("onto-missing", "no narrative of --onto has this id")
    return options.onto[task.id]


def _fields(original: Narrative) -> dict[str, Any]:
    """All of the original but its annotation, and what was computed with it."""
    record = narrative_to_record(replace(original, units=(), carriers=()))
    units = record.pop("units", None)
    record.pop("carriers", None)
    if isinstance(units, list) and any(
        isinstance(unit, dict) and "scores" in unit for unit in units
    ):
        for name in COMPUTED_FIELDS:
            record.pop(name, None)
    return record


def _gaps(text: str, units: Iterable[Unit]) -> list[Unit]:
    """Neutral units for the text outside of `units`, white space apart."""
    gaps = []
    done = 0
    for start, end in [*sorted((u.start, u.end) for u in units), (len(text), len(text))]:
        gap = trim(text, Offsets(done, max(start, done)))
        if gap.start < gap.end:
            gaps.append(Unit(gap.start, gap.end, NEUTRAL))
        done = max(done, end)
    return gaps
