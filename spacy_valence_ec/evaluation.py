"""A pipeline against annotated narratives: every metric, end to end and on gold units."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from .corpus.docs import Snapping, narrative_to_doc
from .errors import Errors, ValenceECError
from .first_step import PREDICTED, FirstStep, GivenFirstStep, parse_first_step, two_steps
from .schema import EC_KEY, FU_KEY, INVALID_ATTR, VALENCES, Narrative
from .scorers import (
    UNIT_VALENCE_KEYS,
    score_carriers,
    score_functional_units,
    score_invalid_answers,
    score_valence,
    to_pair,
)

SEGMENTER_FACTORY = "fu_segmenter"

# A narrative of a challenge set may name the units that are instances of its difficulty.
TARGETS_FIELD = "targets"
_FIELDS = ("id", "narrator", "lang")

Evaluation = dict[str, float | int | None]

_ON_GOLD_UNITS = ("ec_token_f", "ec_exact_f", "ec_partial_f", "joint_f")


def evaluate(
    nlp: Language,
    data: Iterable[Narrative | Doc | Example],
    *,
    first_step: FirstStep = PREDICTED,
    batch_size: int | None = None,
    on_doc: Callable[[], None] | None = None,
) -> Evaluation:
    """Run `nlp` twice over `data` and score it.

    data: annotated narratives, or Docs or Examples whose reference has the span groups `fu` and
        `ec`; those without `fu` are left out.
    first_step: of a pipeline of two steps: "predicted" by itself, as any other component; "oracle",
        the component that makes the labels of the first step does not run (a `generative_tagger`
        only its second step), and the gold ones are put on the Docs; "noise-distribution@RATE" or a
        `Noise`, a share of the gold ones is replaced. The metrics of the first step are those of
        the labels that were given.
    batch_size: Docs a batch; the pipeline's own when None.
    on_doc: called after each processed Doc, twice a narrative.

    End to end, the pipeline sees the text alone: `fu_*`, `e2e_valence_*`, `ec_*`, `joint_*` and
    `words_per_second` (tokens, white space not counted, tokenization included). On gold units,
    every Doc gets the annotated units without their valence and the components made by the
    factory `fu_segmenter` do not run: `valence_macro_f`, `valence_f_*`, `gold_units_ec_token_f`,
    `gold_units_ec_exact_f`, `gold_units_ec_partial_f`, `gold_units_joint_f`; those of the valence
    are None when another component sets units of its own. So are those of a task that no component
    does: `ec_*` when no Doc has a group of carriers, `e2e_valence_*` and `valence_*` when no unit
    has a label, `joint_*` when either lacks. Counts of the gold data: `n_narratives`, `n_units`,
    `n_carriers`, `n_tokens`. Where a language model has written freely, `invalid_answers` is the
    share of the units, end to end, of which something could not be read. The metrics are defined in
    `metrics`.

    `nlp.max_length`, a limit that guards parsers, is raised to the longest text. Offsets of
    narratives that do not fall on the token edges of `nlp` give a warning (W001).
    Raises: ValenceECError M001 when nothing is annotated, M009 when the pipeline sets no units,
    V023 when it has no first step to be given, V024 for a `first_step` that is none, V026 for
    "noise-confusion@RATE", which takes a `Noise` with the confusions.
    """
    return evaluate_with_examples(nlp, data, first_step, batch_size, on_doc)[0]


def valence_confusions(
    nlp: Language, data: Iterable[Narrative | Doc | Example], *, batch_size: int | None = None
) -> dict[str, dict[str, int]]:
    """For each gold label how often a pipeline gives which one, on gold units: the confusions of
    `Noise`.

    Raises: ValenceECError, as `evaluate`, and V028 for data that lack a label.
    """
    counts = {gold: dict.fromkeys(VALENCES, 0) for gold in VALENCES}
    for example in evaluate_with_examples(nlp, data, PREDICTED, batch_size, None)[1]:
        gold, predicted = to_pair(example)
        for label, given in zip(gold.valences, predicted.valences, strict=True):
            if label in counts and given in counts:
                counts[label][given] += 1
    check_labels(label for label, row in counts.items() if sum(row.values()))
    return counts


def check_labels(found: Iterable[str]) -> None:
    """That confusions of each label can be counted.

    Raises: ValenceECError V028 for a label that is not there.
    """
    known = set(found)
    missing = [label for label in VALENCES if label not in known]
    if missing:
        raise ValenceECError(Errors.V028.format(labels=", ".join(missing)))


def evaluate_with_examples(
    nlp: Language,
    data: Iterable[Narrative | Doc | Example],
    first_step: FirstStep,
    batch_size: int | None,
    on_doc: Callable[[], None] | None,
) -> tuple[Evaluation, list[Example]]:
    """What `evaluate` gives, and the examples predicted on gold units."""
    references = annotated_docs(nlp, data)
    run = _runner(nlp, references, first_step, batch_size, on_doc)

    start = time.perf_counter()
    end_to_end = run(nlp.make_doc(reference.text) for reference in references)
    seconds = time.perf_counter() - start
    if not any(FU_KEY in example.predicted.spans for example in end_to_end):
        raise ValenceECError(Errors.M009.format(key=FU_KEY))

    segmenters = [
        name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory == SEGMENTER_FACTORY
    ]
    with nlp.select_pipes(disable=segmenters):
        on_gold_units = run(with_gold_units(nlp, reference) for reference in references)

    valence, unit_valence = score_valence(end_to_end), score_valence(on_gold_units)
    carriers = score_carriers(on_gold_units)
    n_tokens = sum(not token.is_space for example in end_to_end for token in example.predicted)
    metrics: Evaluation = {
        **score_functional_units(end_to_end),
        **valence,
        **{key: unit_valence[key] for key in UNIT_VALENCE_KEYS},
        **score_carriers(end_to_end),
        **{f"gold_units_{key}": carriers[key] for key in _ON_GOLD_UNITS},
        "n_narratives": len(references),
        "n_units": sum(len(doc.spans[FU_KEY]) for doc in references),
        "n_carriers": sum(len(doc.spans[EC_KEY]) for doc in references if EC_KEY in doc.spans),
        "n_tokens": n_tokens,
        "words_per_second": n_tokens / seconds,
    }
    for key in _undone(end_to_end) & metrics.keys():
        metrics[key] = None
    invalid = score_invalid_answers(end_to_end)
    if invalid is not None:
        metrics[INVALID_ATTR] = invalid
    return metrics, on_gold_units


def evaluate_by(
    nlp: Language,
    narratives: Iterable[Narrative],
    field: str,
    *,
    first_step: FirstStep = PREDICTED,
    batch_size: int | None = None,
    on_doc: Callable[[], None] | None = None,
) -> dict[str, Evaluation]:
    """`evaluate` for each group of narratives with the same value of a field, in order of the
    values.

    field: "id", "narrator", "lang", or any further field of the narratives; those without it are
        left out.

    Besides the keys of `evaluate`, each group has `n_targets` and `target_accuracy`: on gold
    units, the share of units with the right valence among those that a narrative lists in its
    field `targets` (indices of units, from 0), or among all units where it has none.

    Raises: ValenceECError M007 if no narrative has the field.
    """
    groups: dict[str, list[Narrative]] = {}
    for narrative in narratives:
        value = getattr(narrative, field) if field in _FIELDS else narrative.extra.get(field)
        if value is not None:
            groups.setdefault(str(value), []).append(narrative)
    if not groups:
        raise ValenceECError(Errors.M007.format(field=field))
    found = {}
    for value, group in sorted(groups.items()):
        metrics, on_gold_units = evaluate_with_examples(nlp, group, first_step, batch_size, on_doc)
        metrics["n_targets"], metrics["target_accuracy"] = target_accuracy(group, on_gold_units)
        found[value] = metrics
    return found


def target_accuracy(
    narratives: Sequence[Narrative], on_gold_units: Sequence[Example]
) -> tuple[int, float | None]:
    """Number of the units that the narratives' field `targets` lists (all units where it is no
    list), and the share of them whose valence is right; None without any."""
    right = [
        predicted == narrative.units[i].valence
        for narrative, example in zip(narratives, on_gold_units, strict=True)
        for i, predicted in _labels(narrative, example.predicted)
        if i in _targets(narrative)
    ]
    return len(right), sum(right) / len(right) if right else None


def with_gold_units(nlp: Language, reference: Doc) -> Doc:
    """The text of `reference`, tokenized by `nlp`, with its units and not their valence."""
    doc = nlp.make_doc(reference.text)
    gold, _ = to_pair(Example(doc, reference))
    tokens = [token.i for token in doc if not token.is_space]
    doc.spans[FU_KEY] = [Span(doc, tokens[start], tokens[end - 1] + 1) for start, end in gold.units]
    return doc


def _targets(narrative: Narrative) -> Sequence[int]:
    """The indices in the field `targets`; all units where it is no list."""
    targets = narrative.extra.get(TARGETS_FIELD)
    return targets if isinstance(targets, list) else range(len(narrative.units))


def _labels(narrative: Narrative, doc: Doc) -> Iterator[tuple[int, str]]:
    """Index of each gold unit and the label of the unit of `doc` at its place; a unit that was
    dropped, because it shares its only token with another, is left out."""
    units = iter(doc.spans[FU_KEY])
    unit = next(units, None)
    for i, gold in enumerate(narrative.units):
        while unit is not None and unit.end_char <= gold.start:
            unit = next(units, None)
        if unit is not None and unit.start_char < gold.end:
            yield i, unit.label_
            unit = next(units, None)


def annotated_docs(nlp: Language, data: Iterable[Narrative | Doc | Example]) -> list[Doc]:
    """The annotated ones, as gold Docs. `nlp.max_length` is raised to the longest text; offsets of
    narratives that do not fall on token edges give a warning (W001).

    Raises: ValenceECError M001 when nothing is annotated.
    """
    references = [doc for doc in _references(nlp, data) if FU_KEY in doc.spans]
    if not references:
        raise ValenceECError(Errors.M001.format(key=FU_KEY))
    return references


def _references(nlp: Language, data: Iterable[Narrative | Doc | Example]) -> Iterable[Doc]:
    snappings = []
    for item in data:
        if isinstance(item, Narrative):
            nlp.max_length = max(nlp.max_length, len(item.text))
            doc, snapping = narrative_to_doc(item, nlp)
            snappings.append(snapping)
        else:
            doc = item.reference if isinstance(item, Example) else item
            nlp.max_length = max(nlp.max_length, len(doc.text))
        yield doc
    Snapping.merged(snappings).warn()


def _undone(examples: Sequence[Example]) -> set[str]:
    """The metrics of a task that no component of the pipeline does: a figure would be about
    nothing."""
    docs = [example.predicted for example in examples]
    undone: set[str] = set()
    if not any(EC_KEY in doc.spans for doc in docs):
        undone |= set(score_carriers([]))
        undone |= {f"gold_units_{key}" for key in _ON_GOLD_UNITS}
    units = [unit for doc in docs if FU_KEY in doc.spans for unit in doc.spans[FU_KEY]]
    if units and not any(unit.label_ for unit in units):
        joint = (key for key in score_carriers([]) if key.startswith("joint_"))
        undone |= {*score_valence([]), *joint, "gold_units_joint_f"}
    return undone


def _runner(
    nlp: Language,
    references: Sequence[Doc],
    first_step: FirstStep,
    batch_size: int | None,
    on_doc: Callable[[], None] | None,
) -> Callable[[Iterable[Doc]], list[Example]]:
    """What runs the pipeline over Docs, one for each reference."""
    noise = parse_first_step(first_step)
    if noise is None:
        return lambda docs: _run(nlp, references, docs, batch_size, on_doc)
    steps = two_steps(nlp)
    given = GivenFirstStep(noise, references, steps.of_valence)

    def only(names: Sequence[str]) -> AbstractContextManager:
        return nlp.select_pipes(disable=[name for name in nlp.pipe_names if name not in names])

    def run(docs: Iterable[Doc]) -> list[Example]:
        with only(steps.before):
            examples = _run(nlp, references, docs, batch_size, None)
        given.write(examples)
        with only(steps.after), steps.second.first_step_given():
            seen = (example.predicted for example in examples)
            return _run(nlp, references, seen, batch_size, on_doc)

    return run


def _run(
    nlp: Language,
    references: Sequence[Doc],
    docs: Iterable[Doc],
    batch_size: int | None,
    on_doc: Callable[[], None] | None,
) -> list[Example]:
    examples = []
    predicted = nlp.pipe(docs, batch_size=batch_size)
    for doc, reference in zip(predicted, references, strict=True):
        examples.append(Example(doc, reference))
        if on_doc is not None:
            on_doc()
    return examples
