"""The second of two steps: what it reads of the first one, in training and in prediction."""

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from helpers import (
    HOSTILE_TEXTS,
    NARRATIVES,
    Annotated,
    assert_same_annotation,
    assert_same_numbers,
    examples_of,
    gradients,
    initialized,
    make_nlp,
    train,
    unannotated,
)
from spacy import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.pipeline.condition import gold_carrier_marks, gold_valences
from spacy_valence_ec.pipeline.head import Head
from spacy_valence_ec.schema import EC_KEY, FU_KEY, VALENCES

SECOND = {
    "ec_on_valence": "valence_classifier",
    "ec_ngrams_on_valence": "valence_classifier",
    "valence_on_carriers": "ec_tagger",
}
second_step = pytest.mark.parametrize("head", SECOND)


def head_of(nlp: Language, name: str) -> Head:
    pipe = nlp.get_pipe(name)
    assert isinstance(pipe, Head)
    return pipe


def other_valence(doc: Doc) -> None:
    """Give each unit the next label."""
    doc.spans[FU_KEY] = [
        Span(doc, u.start, u.end, label=VALENCES[(VALENCES.index(u.label_) + 1) % 3])
        for u in doc.spans[FU_KEY]
    ]


def other_carriers(doc: Doc) -> None:
    """All of each unit that holds no carrier, and nothing of the others."""
    held = {token.i for carrier in doc.spans[EC_KEY] for token in carrier}
    free = [u for u in doc.spans[FU_KEY] if held.isdisjoint(range(u.start, u.end))]
    doc.spans[EC_KEY] = [Span(doc, u.start, u.end, label="EC") for u in free]


def alter_first(head: str, doc: Doc) -> None:
    """Change what `head` is conditioned on."""
    (other_carriers if head == "valence_on_carriers" else other_valence)(doc)


def with_first(examples: Sequence[Example], alter: Callable[[Doc], None] | None = None) -> list:
    """The examples with the gold annotation on the predicted Docs too, or an altered one."""
    for example in examples:
        doc = example.predicted
        for key in (FU_KEY, EC_KEY):
            gold = example.reference.spans[key]
            doc.spans[key] = [Span(doc, s.start, s.end, label=s.label_) for s in gold]
        if alter is not None:
            alter(doc)
    return list(examples)


def loss_and_gradient(nlp: Language, head: str, examples: list[Example]) -> np.ndarray:
    """Of one step, in one row; dropout off, gradients cleared."""
    pipe = head_of(nlp, head)
    for node in pipe.model.walk():
        for name in node.grad_names:
            node.set_grad(name, node.get_grad(name) * 0)
    losses = nlp.update(examples, sgd=False)
    rows = [gradient.ravel() for gradient in gradients(pipe.model)]
    return np.concatenate([[losses[head]], *rows])


@second_step
def test_teacher_forcing_reads_gold_in_update_and_nowhere_else(head: str) -> None:
    nlp = initialized(make_nlp(head))
    pipe = head_of(nlp, head)
    assert pipe.is_conditioned

    # Labels on the predicted Docs change nothing in training, gold ones do.
    bare = loss_and_gradient(nlp, head, examples_of(nlp))
    forced = loss_and_gradient(
        nlp, head, with_first(examples_of(nlp), lambda d: alter_first(head, d))
    )
    assert_same_numbers(forced, bare)
    read: list[int] = []
    gold_condition = pipe.gold_condition

    def spy(example: Example) -> np.ndarray:
        read.append(1)
        return gold_condition(example)

    pipe.gold_condition = spy  # type: ignore[method-assign]
    nlp.update(examples_of(nlp), sgd=False)
    assert len(read) == len(NARRATIVES)

    # In prediction it is the other way about: without labels on the Doc there is nothing to read.
    read.clear()
    with pytest.raises(ValenceECError, match=rf"V02[01].*{head}.*{SECOND[head]}"):
        nlp.evaluate(examples_of(nlp))
    nlp.evaluate(with_first(examples_of(nlp)))
    assert not read


@second_step
def test_sources_of_the_condition_in_training(head: str) -> None:
    def step(source: str, rate: float, examples: list[Example]) -> np.ndarray:
        nlp = initialized(make_nlp(head, condition_source=source, gold_rate=rate))
        return loss_and_gradient(nlp, head, examples)

    nlp = make_nlp()

    def altered() -> list[Example]:
        return with_first(examples_of(nlp), lambda doc: alter_first(head, doc))

    gold = step("gold", 0.5, altered())
    predicted = step("predicted", 0.5, altered())
    assert np.abs(gold - predicted).max() > 1e-3
    np.testing.assert_array_equal(step("mix", 1.0, altered()), gold)
    np.testing.assert_array_equal(step("mix", 0.0, altered()), predicted)
    # Where the first step is right, there is no difference.
    np.testing.assert_array_equal(
        step("predicted", 0.5, with_first(examples_of(nlp))),
        step("gold", 0.5, with_first(examples_of(nlp))),
    )
    with pytest.raises(ValenceECError, match=r"V02[01].*annotating_components"):
        step("predicted", 0.5, examples_of(nlp))


def test_a_schedule_of_the_rate_of_gold(tmp_path: Path) -> None:
    schedule = {"@schedules": "compounding.v1", "start": 1.0, "stop": 0.25, "compound": 0.5}
    nlp = initialized(make_nlp("ec_on_valence", condition_source="mix", gold_rate=schedule))
    source = head_of(nlp, "ec_on_valence").condition_source
    rates = []
    for _ in range(4):
        nlp.update(with_first(examples_of(nlp)), sgd=False)
        rates.append(source.rate)
    assert rates == [1.0, 0.5, 0.25, 0.25]
    assert pickle.loads(pickle.dumps(source)).rate == 0.25
    source.rate, source._schedule = 0.3, None
    spacy.util.fix_random_seed(0)
    drawn = [source.draws_gold() for _ in range(2000)]
    assert np.mean(drawn) == pytest.approx(0.3, abs=0.04)
    nlp.to_disk(tmp_path)
    saved = spacy.load(tmp_path).config["components"]["ec_on_valence"]["gold_rate"]
    assert saved.items() >= schedule.items()


@pytest.mark.parametrize(
    "settings", [{"condition_source": "silver"}, {"gold_rate": 1.5}, {"gold_rate": -1}]
)
@second_step
def test_settings_that_make_no_sense(head: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ValenceECError, match=rf"V022.*{head}"):
        make_nlp(head, **settings)


def test_gold_labels_of_the_first_step_by_hand() -> None:
    nlp = spacy.blank("it")
    reference = nlp.make_doc("a b c d e f g")
    reference.spans[FU_KEY] = [
        Span(reference, 0, 3, label="negative"),
        Span(reference, 3, 5, label=""),
        Span(reference, 5, 7, label="positive"),
    ]
    reference.spans[EC_KEY] = [Span(reference, 1, 4, label="EC"), Span(reference, 6, 7, label="EC")]
    predicted = nlp.make_doc("a b c d e f g")
    predicted.spans[FU_KEY] = [Span(predicted, *edges) for edges in ((0, 2), (2, 5), (6, 7))]
    example = Example(predicted, reference)
    # The second unit shares two tokens with the one without a label; the sixth token is in none.
    assert gold_valences(example).tolist() == [0, -1, 2]
    assert gold_carrier_marks(example).tolist() == [0, 1, 1, 1, 0, 0, 1]
    nothing = unannotated(nlp, "a b", [(0, 1)])
    assert gold_valences(nothing).tolist() == [-1]
    assert gold_carrier_marks(nothing).tolist() == [-1, -1]


@second_step
def test_the_encoder_gets_its_gradient(head: str) -> None:
    nlp = initialized(make_nlp(head))
    nlp.update(examples_of(nlp), sgd=False)
    encoder: Any = nlp.get_pipe("tok2vec")
    assert max(np.abs(g).max() for g in gradients(encoder.model)) > 1e-3
    # Also from batches that hold nothing.
    nlp.update([unannotated(nlp, "boh", [(0, 1)]), *examples_of(nlp, [("", [])])], sgd=False)
    nlp.update(examples_of(nlp, [("", []), (" ", [])]), sgd=False)


# The same text twice: what the second step says can only come from the first one.
TWINS: list[Annotated] = [
    ("il capo ha parlato", [("il capo ha parlato", "negative", ["il capo"])]),
    ("il capo ha parlato", [("il capo ha parlato", "neutral", [])]),
]


@second_step
def test_the_condition_decides_and_is_saved(head: str, tmp_path: Path) -> None:
    nlp = make_nlp(head)
    losses = train(nlp, examples_of(nlp, TWINS), below=0.01)
    assert losses[head] < 0.01
    nlp.to_disk(tmp_path)
    metric = "valence_macro_f" if head == "valence_on_carriers" else "ec_macro_f"
    for pipeline in (nlp, spacy.load(tmp_path), make_nlp(head).from_bytes(nlp.to_bytes())):
        examples = with_first(examples_of(pipeline, TWINS))
        scores = pipeline.evaluate(examples)
        if head == "valence_on_carriers":
            assert [eg.predicted.spans[FU_KEY][0].label_ for eg in examples] == [
                "negative",
                "neutral",
            ]
        else:
            assert [len(eg.predicted.spans[EC_KEY]) for eg in examples] == [1, 0]
            assert scores[metric] == 1.0


@pytest.fixture(scope="module", params=SECOND)
def chained(request: pytest.FixtureRequest) -> Language:
    """Three heads with random weights, the last one conditioned on the one before it."""
    nlp = initialized(make_nlp("fu_segmenter", SECOND[request.param], request.param), seed=10)
    for _, component in nlp.pipeline[1:]:
        output = component.model.get_ref("output_layer")
        output.set_param("b", np.zeros_like(output.get_param("b")))
    return nlp


def test_pipe_equals_calling(chained: Language) -> None:
    texts = [*HOSTILE_TEXTS, *(text for text, _ in NARRATIVES)]
    expected = [chained(text) for text in texts]
    assert any(len(doc.spans[EC_KEY]) for doc in expected)
    for batch_size in (1, 3, 64):
        docs = chained.pipe(texts, batch_size=batch_size)
        for doc, same in zip(docs, expected, strict=True):
            assert_same_annotation(doc, same)


def test_the_first_step_is_read_in_prediction(chained: Language) -> None:
    """What follows from other labels on the Doc is something else."""
    *before, (name, second) = chained.pipeline
    scores: list[list[np.ndarray]] = [[], []]
    for found, altered in zip(scores, (False, True), strict=True):
        for text, _ in NARRATIVES:
            doc = chained.make_doc(text)
            for _, component in before:
                component(doc)
            if altered:
                alter_first(name, doc)
            output = second.model.predict(second.model_input([doc]))
            found.append(np.concatenate(output) if isinstance(output, list) else output)
    changes = [np.abs(a - b).max(initial=0.0) for a, b in zip(*scores, strict=True)]
    assert max(changes) > 0.01
