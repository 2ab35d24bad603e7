"""The losses, their gradients and what the settings do to them."""

from typing import Any

import numpy as np
import pytest
from helpers import HEADS as CONFIGS
from helpers import (
    NARRATIVES,
    NGRAMS,
    assert_same_numbers,
    examples_of,
    gradients,
    initialized,
    make_nlp,
    parameters,
    slope,
    unannotated,
)
from spacy import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_valence_ec.alignment import aligned_spans
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.pipeline.ec_tagger import gold_tags
from spacy_valence_ec.pipeline.fu_segmenter import gold_boundaries
from spacy_valence_ec.pipeline.head import Head
from spacy_valence_ec.pipeline.units import best_overlap, preset_gold_units
from spacy_valence_ec.pipeline.valence_classifier import gold_valences
from spacy_valence_ec.suggesters import content_mask

HEADS = ["fu_segmenter", "valence_classifier", "ec_tagger", "ec_ngrams", "ec_chunks"]
CLASSES = {
    "fu_segmenter": ("inside", "boundary"),
    "valence_classifier": ("negative", "neutral", "positive"),
    "ec_tagger": ("none", "EC"),
    "ec_ngrams": ("none", "EC"),
    "ec_chunks": ("none", "EC"),
}


def flat(scores: Any) -> np.ndarray:
    return np.concatenate(scores) if isinstance(scores, list) else np.asarray(scores)


def batch(nlp: Language) -> list[Example]:
    """The corpus, a text without annotation, and one whose units are not the gold ones."""
    examples = [*examples_of(nlp), unannotated(nlp, "chi lo sa, boh!", [(0, 3), (4, 6)])]
    moved = examples_of(nlp, NARRATIVES[:1])[0]
    moved.predicted.spans["fu"] = [Span(moved.predicted, *edges) for edges in ((0, 9), (9, 13))]
    return [*examples, moved]


def head_and_scores(head: str, seed: int = 0, **settings: Any) -> tuple[Head, list[Example], Any]:
    """A component, a batch and random scores of the right shapes, in double precision."""
    nlp = initialized(make_nlp(head, **settings))
    pipe = nlp.get_pipe(head)
    assert isinstance(pipe, Head)
    examples = batch(nlp)
    docs = [example.predicted for example in examples]
    shapes = pipe.model.predict(pipe.model_input(docs))
    rng = np.random.default_rng(seed)
    if isinstance(shapes, list):
        return pipe, examples, [rng.normal(0, 1.5, array.shape) for array in shapes]
    return pipe, examples, rng.normal(0, 1.5, shapes.shape)


@pytest.mark.parametrize("head", HEADS)
def test_gradient_is_the_derivative_of_the_loss(head: str) -> None:
    weights = dict(zip(CLASSES[head], (0.5, 3.0, 1.7), strict=False))
    pipe, examples, scores = head_and_scores(head, class_weights=weights, loss_weight=0.7)
    _, gradient = pipe.get_loss(examples, scores)
    arrays = scores if isinstance(scores, list) else [scores]
    slopes = []
    for array in arrays:
        numeric = np.zeros_like(array)
        for index in np.ndindex(*array.shape):
            kept = array[index]

            def loss(eps: float) -> float:
                array[index] = kept + eps  # noqa: B023
                return pipe.get_loss(examples, scores)[0]

            numeric[index] = slope(loss, 1e-4)
            array[index] = kept
        slopes.append(numeric)
    np.testing.assert_allclose(flat(gradient), np.concatenate(slopes), atol=2e-7)
    assert flat(gradient).dtype == np.float32


@pytest.mark.parametrize("head", HEADS)
def test_loss_weight_scales_loss_and_gradient(head: str) -> None:
    results, reported = [], []
    for weight in (1.0, 2.5):
        pipe, examples, scores = head_and_scores(head, loss_weight=weight)
        loss, gradient = pipe.get_loss(examples, scores)
        results.append((loss, flat(gradient)))
        losses: dict[str, float] = {}
        nlp = initialized(make_nlp(head, loss_weight=weight))
        nlp.update(batch(nlp), sgd=False, losses=losses)
        reported.append(losses[head])
    assert results[1][0] == pytest.approx(2.5 * results[0][0])
    assert reported[1] == pytest.approx(2.5 * reported[0])
    assert_same_numbers(results[1][1], 2.5 * results[0][1])


def decisions(head: str, pipe: Head, examples: list[Example]) -> tuple[np.ndarray, np.ndarray]:
    """Class of each row of the scores, -1 for none, and the decision it belongs to; written
    anew from the definition, slowly."""
    labels: list[int] = []
    owner: list[int] = []
    n = 0
    for example in examples:
        doc, reference = example.predicted, example.reference
        known = "fu" in reference.spans
        units = [(unit.start, unit.end) for unit in doc.spans["fu"]]
        if head == "fu_segmenter":
            ends = {end for _, end, _ in aligned_spans(example, "fu")}
            last = max((token.i for token in doc if not token.is_space), default=-1)
            for token in doc:
                counts = known and not token.is_space and token.i != last
                labels.append(int(token.i + 1 in ends) if counts else -1)
                owner.append(n := n + 1)
        elif head == "valence_classifier":
            for start, end in units:
                shared = [
                    (len(set(range(start, end)) & set(range(a, b))), -i, label)
                    for i, (a, b, label) in enumerate(aligned_spans(example, "fu"))
                ]
                n_shared, _, label = max(shared, default=(0, 0, ""))
                labels.append(CLASSES[head].index(label) if n_shared else -1)
                owner.append(n := n + 1)
        elif head == "ec_tagger":
            carrier = {i for a, b, _ in aligned_spans(example, "ec") for i in range(a, b)}
            for token in doc:
                unit = next((u for u in units if u[0] <= token.i < u[1]), None)
                held = unit is not None and bool(carrier & set(range(*unit)))
                labels.append(int(held) if known and unit is not None else -1)
                owner.append(-1 if unit is None else n + units.index(unit) + 1)
            n += len(units)
        else:
            content = content_mask(doc)
            for start, end, _ in pipe.candidates([doc])[0]:
                words = [
                    (a, b)
                    for a, b, _ in aligned_spans(example, "ec")
                    if any(content[i] for i in range(max(a, start), min(b, end)))
                ]
                labels.append(int(bool(words)) if known else -1)
                owner.append(n := n + 1)
    return np.asarray(labels), np.asarray(owner)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("setting", ["balanced", "mapping"])
def test_class_weights_change_the_gradient_as_computed_by_hand(head: str, setting: str) -> None:
    plain, examples, scores = head_and_scores(head)
    _, unweighted = plain.get_loss(examples, scores)
    label, owner = decisions(head, plain, examples)
    classes = CLASSES[head]
    if setting == "mapping":
        given: Any = {classes[1]: 4.0}
        weights = [4.0 if c == classes[1] else 1.0 for c in classes]
    else:
        given = "balanced"
        # Counted over the training corpus, which `initialize` reads, not over this batch.
        corpus = examples_of(make_nlp())
        of_corpus, of_owner = decisions(head, plain, corpus)
        seen = {o: c for c, o in zip(of_corpus, of_owner, strict=True) if c >= 0}
        counts = np.bincount(list(seen.values()), minlength=len(classes))
        weights = [sum(counts) / (len(counts) * n) for n in counts]
    weighted, examples, _ = head_and_scores(head, class_weights=given)
    _, gradient = weighted.get_loss(examples, scores)
    assert weighted.cfg["class_weights"] == pytest.approx(dict(zip(classes, weights, strict=True)))

    of_row = np.where(label >= 0, np.asarray(weights)[label], 0.0)
    n_decisions = len({o for o, c in zip(owner, label, strict=True) if c >= 0})
    total = sum(dict(zip(owner, of_row, strict=True)).values())
    expected = flat(unweighted) * n_decisions * of_row[:, None] / total
    assert np.abs(expected - flat(unweighted)).max() > 1e-3
    assert_same_numbers(flat(gradient), expected)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    "value", ["even", {"joy": 2.0}, {"EC": 0.0, "boundary": 0.0, "neutral": 0.0}]
)
def test_class_weights_that_make_no_sense(head: str, value: Any) -> None:
    nlp = make_nlp(head, class_weights=value)
    with pytest.raises(ValenceECError, match=rf"V008.*{head}.*{CLASSES[head][1]}"):
        nlp.initialize(lambda: examples_of(nlp))


@pytest.mark.parametrize("head", HEADS)
def test_loss_is_a_mean_however_small_the_weights(head: str) -> None:
    plain, examples, scores = head_and_scores(head)
    light, _, _ = head_and_scores(head, class_weights=dict.fromkeys(CLASSES[head], 1e-3))
    loss, gradient = plain.get_loss(examples, scores)
    same, same_gradient = light.get_loss(examples, scores)
    assert same == pytest.approx(loss)
    np.testing.assert_allclose(flat(same_gradient), flat(gradient), rtol=1e-4, atol=1e-8)


def test_class_weights_are_saved() -> None:
    nlp = initialized(make_nlp("valence_classifier", class_weights="balanced"))
    copy = make_nlp("valence_classifier", class_weights="balanced").from_bytes(nlp.to_bytes())
    # Units: 3 negative, 4 neutral, 4 positive.
    expected = {"negative": 11 / 9, "neutral": 11 / 12, "positive": 11 / 12}
    for pipeline in (nlp, copy):
        cfg = pipeline.get_pipe("valence_classifier").cfg
        assert cfg["class_weights"] == pytest.approx(expected)


@pytest.mark.parametrize("head", HEADS)
def test_update_gives_every_parameter_its_gradient(head: str) -> None:
    """A step along the gradient of all parameters, of the head and of the encoder, changes the
    loss as the gradient says."""
    nlp = initialized(make_nlp(head))
    examples = batch(nlp)
    nlp.update(examples, sgd=False)
    rng = np.random.default_rng(1)
    total = 0.0
    moves = []
    for _, component in nlp.pipeline:
        model = component.model
        for (node, name), gradient in zip(parameters(model), gradients(model), strict=True):
            direction = rng.normal(size=gradient.shape) * (gradient != 0)
            moves.append((node, name, node.get_param(name).copy(), direction))
            total += float((gradient * direction).sum())

    def loss(eps: float) -> float:
        for node, name, kept, direction in moves:
            node.set_param(name, (kept + eps * direction).astype("float32"))
        return nlp.update(examples, sgd=False)[head]

    assert abs(total) > 1e-2
    assert slope(loss, 2e-4) == pytest.approx(total, rel=0.02)


def make_example(words: str, other: str, **groups: list[tuple[int, int, str]]) -> Example:
    """A reference of one tokenization, with span groups, and a predicted Doc of another; `_` is
    a space."""
    nlp = make_nlp()

    def doc(text: str) -> Doc:
        pieces = [piece.replace("_", " ") for piece in text.split("|")]
        return Doc(nlp.vocab, words=pieces, spaces=[False] * len(pieces))

    reference = doc(words)
    for key, spans in groups.items():
        reference.spans[key] = [Span(reference, a, b, label=label) for a, b, label in spans]
    return Example(doc(other), reference)


def test_gold_unit_that_ends_in_white_space_ends_at_its_last_word() -> None:
    example = make_example("a|b|_|c|_", "a|b|_|c|_", fu=[(0, 3, ""), (3, 5, "")])
    target, mask = gold_boundaries(example)
    assert target.tolist() == [0, 1, 0, 1, 0]
    assert mask.tolist() == [True, True, False, False, False]


def test_gold_units_of_another_tokenization_do_not_overlap() -> None:
    fu = [(0, 2, "neutral"), (2, 3, "negative"), (3, 4, "positive"), (4, 6, "neutral")]
    example = make_example("a|b|c|d|e|f", "a|bcd|e|f", fu=fu)
    preset_gold_units(example.predicted, example)
    units = [(unit.start, unit.end, unit.label_) for unit in example.predicted.spans["fu"]]
    assert units == [(0, 2, ""), (2, 4, "")]
    target, _ = gold_boundaries(example)
    assert target.tolist() == [0, 1, 0, 1]


def test_unit_learns_from_the_gold_unit_that_shares_most_tokens() -> None:
    units = np.asarray([(0, 3), (3, 6), (6, 8)])
    assert best_overlap(units, [(0, 2, "a"), (2, 4, "b"), (4, 6, "c")], 8) == [0, 2, -1]
    assert best_overlap(units, [], 8) == [-1, -1, -1]


def test_gold_carriers_are_cut_at_the_units_of_the_predicted_doc() -> None:
    example = make_example("a|b|c|d|_|e|f", "a|b|c|d|_|e|f", ec=[(1, 3, "EC"), (3, 6, "EC")])
    predicted = example.predicted
    predicted.spans["fu"] = [Span(predicted, 0, 2), Span(predicted, 2, 4), Span(predicted, 5, 7)]
    # 0 outside, 1 begins, 2 inside: the white space belongs to no unit.
    assert gold_tags(example).tolist() == [0, 1, 1, 1, 0, 1, 0]


@pytest.mark.parametrize("head", HEADS)
def test_initialize_without_gold_data_or_with_an_unknown_label(head: str) -> None:
    nlp = make_nlp(head)
    with pytest.raises(ValenceECError, match=rf"V006.*{head}"):
        nlp.initialize(lambda: [unannotated(nlp, "ciao mamma")])
    with pytest.raises(ValenceECError, match=rf"V007.*{head}.*'joy'"):
        nlp.get_pipe(head).add_label("joy")
    if head == "valence_classifier":
        with pytest.raises(ValenceECError, match=r"V007.*'joy'"):
            nlp.initialize(lambda: examples_of(nlp, [("ciao", [("ciao", "joy", [])])]))


@pytest.mark.parametrize("head", HEADS)
def test_labels_from_a_file(head: str) -> None:
    nlp = make_nlp(head)
    pipe = nlp.get_pipe(head)
    data = pipe.label_data
    assert data == list(pipe.labels)
    nlp.config["initialize"]["components"] = {head: {"labels": data}}
    nlp.initialize(lambda: examples_of(nlp))


@pytest.mark.parametrize("head", HEADS)
def test_initialize_when_the_first_texts_hold_nothing(head: str) -> None:
    """The shapes come from the first ten examples, which may all be without a unit."""
    nlp = make_nlp(head)
    empty = [("", []), (" ", [])] * 6
    data = examples_of(nlp, [*empty, *NARRATIVES])
    nlp.get_pipe("tok2vec").initialize(lambda: examples_of(nlp), nlp=nlp)
    nlp.get_pipe(head).initialize(lambda: data, nlp=nlp)
    assert head in nlp.update(data, sgd=False)
    list(nlp.pipe(example.predicted for example in data))


def test_loss_that_is_not_a_number_is_refused() -> None:
    nlp = initialized(make_nlp("valence_classifier"))
    output = nlp.get_pipe("valence_classifier").model.get_ref("output_layer")
    output.set_param("b", np.full(3, np.nan, dtype="float32"))
    with pytest.raises(ValenceECError, match=r"V010.*valence_classifier"):
        nlp.update(examples_of(nlp), sgd=False)


def test_model_must_fit_the_setting() -> None:
    for head, suggester in (("ec_tagger", NGRAMS), ("ec_ngrams", None)):
        config = {**CONFIGS[head][1], "suggester": suggester}
        with pytest.raises(ValenceECError, match=r"V009.*ec_tagger"):
            make_nlp().add_pipe("ec_tagger", config=config)


def test_label_smoothing_moves_a_share_of_the_target_to_all_labels() -> None:
    """Of a unit with gold label l and probabilities p: (1 - e) * -log p_l + e * mean(-log p)."""
    pipe, examples, scores = head_and_scores("valence_classifier", label_smoothing=0.3)
    target = np.concatenate([gold_valences(example) for example in examples])
    known = target >= 0
    assert known.any()
    assert not known.all()
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    own = -log_p[known, target[known]]
    expected = (0.7 * own + 0.3 * -log_p[known].mean(axis=1)).mean()
    loss, gradient = pipe.get_loss(examples, scores)
    assert loss == pytest.approx(expected)
    assert not gradient[~known].any()
    np.testing.assert_allclose(gradient.sum(axis=1), 0.0, atol=1e-6)
    # What was learned wholly is unlearned a little: the target is never certain.
    certain = np.where(np.arange(3) == np.maximum(target, 0)[:, None], 50.0, -50.0)
    _, back = pipe.get_loss(examples, certain)
    assert (back[known, target[known]] > 0).all()


@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_label_smoothing_that_makes_no_sense(value: float) -> None:
    with pytest.raises(ValenceECError, match=r"V015.*label_smoothing"):
        make_nlp("valence_classifier", label_smoothing=value)
