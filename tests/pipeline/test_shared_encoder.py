"""The silent traps of heads that share an encoder: each test would pass unnoticed in a training
run that learns nothing."""

from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import spacy
from helpers import (
    HOSTILE_TEXTS,
    NARRATIVES,
    WIDTH,
    clear_gradients,
    examples_of,
    gradients,
    initialized,
    make_nlp,
    shrunk_config,
    step,
    train,
    unannotated,
)
from spacy import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from spacy.util import load_model_from_config
from thinc.api import Adam

from spacy_valence_ec.corpus.reader import Corpus
from spacy_valence_ec.errors import ValenceECError, ValenceECWarning
from spacy_valence_ec.pipeline.fu_segmenter import FunctionalUnitSegmenter

HEADS = ("fu_segmenter", "valence_classifier", "ec_tagger")
ORDERS = [
    HEADS,
    ("valence_classifier", "ec_tagger", "fu_segmenter"),
    ("ec_ngrams", "fu_segmenter", "valence_classifier"),
    ("fu_segmenter", "valence_classifier", "ec_chunks"),
]

Batch = Callable[[Language], list[Example]]

BATCHES: dict[str, Batch] = {
    "usual, with empty and white-space Docs": examples_of,
    "all empty": lambda nlp: examples_of(nlp, [("", [])] * 3),
    "usual, after a batch that was all empty": examples_of,
    "no carrier": lambda nlp: examples_of(nlp, [NARRATIVES[5], NARRATIVES[4]]),
    "no unit in any predicted Doc": lambda nlp: [
        unannotated(nlp, "boh"),
        unannotated(nlp, ""),
        *without_units(examples_of(nlp)),
    ],
    "without annotation": lambda nlp: [
        unannotated(nlp, "Mia figlia ha riso.", [(0, 5)]),
        unannotated(nlp, "che gioia", [(0, 1), (1, 2)]),
    ],
    "some without annotation": lambda nlp: [
        unannotated(nlp, "Mia figlia ha riso.", [(0, 5)]),
        *examples_of(nlp),
    ],
    "white space alone": lambda nlp: examples_of(nlp, [NARRATIVES[4], NARRATIVES[3]]),
}
NOTHING_TO_LEARN = {"all empty", "without annotation", "white space alone"}


def without_units(examples: Sequence[Example]) -> list[Example]:
    for example in examples:
        example.predicted.spans["fu"] = []
    return list(examples)


def encoder_gradient(nlp: Language, examples: Sequence[Example]) -> list[np.ndarray]:
    """Of one batch, as `spacy train` collects it, dropout off."""
    clear_gradients(nlp.get_pipe("tok2vec").model)
    nlp.update(examples, sgd=False)
    return gradients(nlp.get_pipe("tok2vec").model)


def alone(joint: Language, head: str) -> Language:
    """A pipeline of one head alone, with the weights of the joint one."""
    single = make_nlp(head)
    for name in ("tok2vec", head):
        single.get_pipe(name).from_bytes(joint.get_pipe(name).to_bytes())
    return single


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_encoder_gets_the_sum_of_the_gradients_of_all_heads(order: tuple[str, ...]) -> None:
    joint = initialized(make_nlp(*order))
    singles = [alone(joint, head) for head in order]
    for kind, batch in BATCHES.items():
        together = encoder_gradient(joint, batch(joint))
        parts = [encoder_gradient(single, batch(single)) for single in singles]
        for total, *of_heads in zip(together, *parts, strict=True):
            np.testing.assert_allclose(total, sum(of_heads), rtol=1e-4, atol=1e-6, err_msg=kind)
        if kind.startswith("usual"):
            for of_encoder in parts:
                assert max(np.abs(g).max() for g in of_encoder) > 1e-3
        if kind in NOTHING_TO_LEARN:
            assert not any(g.any() for g in together), kind


def test_encoder_gradient_is_weighted_by_loss_weights() -> None:
    plain = initialized(make_nlp(*HEADS))
    parts = []
    for head in HEADS:
        for name in HEADS:
            plain.get_pipe(name).loss_weight = float(name == head)
        parts.append(encoder_gradient(plain, examples_of(plain)))
    for name, weight in zip(HEADS, (0.5, 2.0, 3.0), strict=True):
        plain.get_pipe(name).loss_weight = weight
    weighted = encoder_gradient(plain, examples_of(plain))
    for total, a, b, c in zip(weighted, *parts, strict=True):
        np.testing.assert_allclose(total, 0.5 * a + 2 * b + 3 * c, rtol=1e-4, atol=1e-6)


def test_frozen_head_before_a_trained_one_leaves_the_others_their_gradient() -> None:
    joint = initialized(make_nlp(*HEADS))
    nlp_gradient = []
    for frozen in ([], ["fu_segmenter"]):
        clear_gradients(joint.get_pipe("tok2vec").model)
        joint.update(examples_of(joint), sgd=False, exclude=frozen)
        nlp_gradient.append(gradients(joint.get_pipe("tok2vec").model))
    single = alone(joint, "fu_segmenter")
    segmenter = encoder_gradient(single, examples_of(single))
    for whole, rest, part in zip(*nlp_gradient, segmenter, strict=True):
        np.testing.assert_allclose(whole - rest, part, rtol=1e-3, atol=1e-6)


def test_heads_learn_on_a_frozen_encoder(tmp_path: Path) -> None:
    joint = initialized(make_nlp(*HEADS))
    joint.config["training"].update(
        frozen_components=["tok2vec"], annotating_components=["tok2vec"]
    )
    examples = list(Corpus(write_corpus(joint, tmp_path / "a.spacy"), gold_units=True)(joint))
    joint.update(examples, sgd=False, exclude=["tok2vec"], annotates=["tok2vec"])
    for head in HEADS:
        assert any(g.any() for g in gradients(joint.get_pipe(head).model))
    assert not any(g.any() for g in gradients(joint.get_pipe("tok2vec").model))


def write_corpus(nlp: Language, path: Path) -> Path:
    docs = [example.reference for example in examples_of(nlp)]
    DocBin(docs=docs).to_disk(path)
    return path


@pytest.mark.parametrize("last", ["ec_tagger", "ec_chunks"])
def test_frozen_last_head_is_refused_by_initialize(last: str) -> None:
    nlp = make_nlp("fu_segmenter", "valence_classifier", last)
    nlp.config["training"]["frozen_components"] = [last]
    with pytest.raises(ValenceECError, match=rf"V004.*'tok2vec'.*'{last}'"):
        nlp.initialize(lambda: examples_of(nlp))
    # Not refused: an encoder that is frozen too, or another head.
    nlp.config["training"]["frozen_components"] = [last, "tok2vec"]
    nlp.initialize(lambda: examples_of(nlp))
    nlp.config["training"]["frozen_components"] = ["fu_segmenter"]
    nlp.initialize(lambda: examples_of(nlp))


@pytest.mark.parametrize(
    ("sourced", "frozen", "refused"),
    [
        ((*HEADS, "tok2vec"), ["ec_tagger"], True),
        ((*HEADS, "tok2vec"), ["ec_tagger", "valence_classifier"], True),
        ((*HEADS, "tok2vec"), ["fu_segmenter"], False),
        (("ec_tagger",), ["ec_tagger"], True),
        (("tok2vec", "ec_tagger"), ["ec_tagger"], True),
        ((), ["ec_tagger"], True),
    ],
)
def test_frozen_last_head_is_refused_before_training(
    tmp_path: Path, sourced: tuple[str, ...], frozen: list[str], refused: bool
) -> None:
    """Through a config, as `spacy train` goes, new or resumed with components of a pipeline that
    was trained before."""
    corpus = write_corpus(spacy.blank("it"), tmp_path / "corpus.spacy")
    config = shrunk_config()
    config["paths"].update(train=str(corpus), dev=str(corpus))
    first = init_nlp(config)
    first.to_disk(tmp_path / "first")
    for name in sourced:
        config["components"][name] = {"source": str(tmp_path / "first")}
    config["training"]["frozen_components"] = frozen

    def start() -> Language:
        nlp = init_nlp(config)
        next(iter(Corpus(corpus, gold_units=True)(nlp)))  # what `spacy train` reads next
        return nlp

    if refused:
        with pytest.raises(ValenceECError, match=r"V004.*'tok2vec'.*'ec_tagger'"):
            start()
    else:
        start()


@pytest.mark.parametrize("annotating", HEADS)
def test_annotating_head_without_the_encoder_is_refused(annotating: str) -> None:
    nlp = make_nlp(*HEADS)
    nlp.config["training"]["annotating_components"] = [annotating]
    with pytest.raises(ValenceECError, match=rf"V005.*{annotating}"):
        nlp.initialize(lambda: examples_of(nlp))
    nlp.config["training"]["annotating_components"] = ["tok2vec", annotating]
    nlp.initialize(lambda: examples_of(nlp))


def test_reader_refuses_an_annotating_head_without_the_encoder(tmp_path: Path) -> None:
    nlp = make_nlp(*HEADS)
    nlp.config["training"]["annotating_components"] = ["fu_segmenter"]
    corpus = write_corpus(nlp, tmp_path / "corpus.spacy")
    with pytest.raises(ValenceECError, match="V005"):
        next(iter(Corpus(corpus)(nlp)))


@pytest.mark.parametrize("order", [ORDERS[0], ORDERS[3]], ids="-".join)
def test_annotating_while_training_predicts_what_the_pipeline_does(order: tuple[str, ...]) -> None:
    """The annotations of an update are those of a prediction before it: not of zero vectors."""
    nlp = initialized(make_nlp(*order))
    seen: list[list[tuple[int, int]]] = []
    after = nlp.get_pipe(order[1])
    update = after.update

    def spy(examples: list[Example], **kwargs: object) -> object:
        seen.extend([(u.start, u.end) for u in eg.predicted.spans["fu"]] for eg in examples)
        return update(examples, **kwargs)

    after.update = spy
    examples = examples_of(nlp, gold_units=False)
    nlp.update(examples, sgd=False, annotates=["tok2vec", "fu_segmenter"])
    docs = nlp.pipe(text for text, _ in NARRATIVES)
    expected = [[(unit.start, unit.end) for unit in doc.spans["fu"]] for doc in docs]
    assert seen == expected
    assert any(len(units) > 1 for units in expected)


@pytest.mark.parametrize("head", [*HEADS, "ec_ngrams", "ec_chunks"])
@pytest.mark.parametrize("how", ["disabled", "removed", "not yet run"])
def test_predicting_without_the_encoder_is_refused(head: str, how: str) -> None:
    nlp = initialized(make_nlp(head))
    doc = examples_of(nlp)[0].predicted
    empty = examples_of(nlp)[3].predicted
    if how == "disabled":
        nlp.disable_pipe("tok2vec")
    elif how == "removed":
        nlp.remove_pipe("tok2vec")
    process = nlp.get_pipe(head) if how == "not yet run" else nlp
    message = f"V002.*{head}.*{len(doc)} tokens"
    with pytest.raises(ValenceECError, match=message):
        process(doc.copy())
    with pytest.raises(ValenceECError, match=message):
        list(process.pipe([empty.copy(), doc.copy()]))
    assert not len(process(empty.copy()))


def test_tokens_without_vectors_are_counted() -> None:
    nlp = initialized(make_nlp("fu_segmenter"))
    pipe = nlp.get_pipe("fu_segmenter")
    assert isinstance(pipe, FunctionalUnitSegmenter)
    first, second = (nlp.get_pipe("tok2vec")(nlp.make_doc(t)) for t in ("uno due\ntre", "ah oh"))
    first.tensor[[0, 2]] = 0  # the second of which is white space
    second.tensor[:] = 0
    with pytest.warns(ValenceECWarning, match="W002. 3 of 6 tokens"):
        pipe.predict([first, second])


def test_encoder_leaves_no_token_without_a_vector() -> None:
    nlp = initialized(make_nlp("fu_segmenter"))
    for doc in nlp.pipe(HOSTILE_TEXTS):
        if len(doc):
            assert doc.tensor.shape == (len(doc), WIDTH)
            assert doc.tensor.any(axis=1).all()


@pytest.mark.parametrize("head", ["valence_classifier", "ec_tagger", "ec_ngrams", "ec_chunks"])
def test_doc_without_units_is_refused(head: str) -> None:
    nlp = initialized(make_nlp(head))
    with pytest.raises(ValenceECError, match=rf"V001.*{head}"):
        nlp("Ieri sono andata dal medico.")
    with pytest.raises(ValenceECError, match=rf"V001.*{head}"):
        nlp.update(examples_of(nlp, gold_units=False), sgd=False)


def test_one_step_moves_the_encoder() -> None:
    """`finish_update` after all gradients are in, as `spacy train` does: `sgd=` would step the
    encoder one call late."""
    nlp = initialized(make_nlp(*HEADS))
    before = nlp.get_pipe("tok2vec").model.to_bytes()
    step(nlp, examples_of(nlp), Adam(0.01), {})
    assert nlp.get_pipe("tok2vec").model.to_bytes() != before


def test_untrained_pipeline_scores_all_that_selects_the_best_model() -> None:
    """spaCy drops, for good, a score that is not given at the first evaluation: a weight of a
    name that no scorer knows, or of a score that is None at first, would be lost unseen."""
    nlp = load_model_from_config(shrunk_config(), auto_fill=True)
    nlp.initialize(lambda: examples_of(nlp))
    scores = nlp.evaluate(examples_of(nlp, gold_units=False))
    weights = nlp.config["training"]["score_weights"]
    positive = {name: weight for name, weight in weights.items() if weight}
    assert set(positive) == {"fu_f", "e2e_valence_macro_f", "ec_token_f"}
    assert all(weight == pytest.approx(1 / 3, abs=0.01) for weight in positive.values())
    assert sum(positive.values()) == pytest.approx(1.0)
    assert all(isinstance(scores[name], float) for name in positive)


@pytest.mark.parametrize("head", [*HEADS, "ec_ngrams"])
def test_default_score_weights_are_the_names_of_the_scores(head: str) -> None:
    nlp = initialized(make_nlp(head))
    weights = nlp.get_pipe_meta(head).default_score_weights
    scores = nlp.get_pipe(head).score(examples_of(nlp))
    assert set(weights) <= set(scores)
    assert sum(weight or 0.0 for weight in weights.values()) == 1.0


def test_best_model_is_that_of_the_best_mean_of_the_three_tasks(tmp_path: Path) -> None:
    config = shrunk_config()
    corpus = write_corpus(spacy.blank("it"), tmp_path / "corpus.spacy")
    config["paths"].update(train=str(corpus), dev=str(corpus))
    config["training"].update(max_steps=30, max_epochs=0, eval_frequency=5, patience=0)
    config["training"]["optimizer"]["learn_rate"] = 0.02
    spacy_train(init_nlp(config), tmp_path, stdout=StringIO(), stderr=StringIO())
    best = spacy.load(tmp_path / "model-best")
    performance = best.meta["performance"]
    scores = best.evaluate(list(Corpus(corpus)(best)))
    for name in ("fu_f", "e2e_valence_macro_f", "ec_token_f"):
        assert scores[name] == pytest.approx(performance[name])
        assert scores[name] > 0


def test_head_with_an_encoder_of_its_own() -> None:
    """`replace_listeners` finds the listener at `model.tok2vec`, and nothing asks for the shared
    encoder any more."""
    nlp = initialized(make_nlp(*HEADS))
    expected = [doc.spans["fu"].attrs["scores"] for doc in nlp.pipe(t for t, _ in NARRATIVES)]
    for head in HEADS:
        nlp.replace_listeners("tok2vec", head, ["model.tok2vec"])
    nlp.remove_pipe("tok2vec")
    docs: list[Doc] = list(nlp.pipe(text for text, _ in NARRATIVES))
    for doc, scores in zip(docs, expected, strict=True):
        np.testing.assert_allclose(doc.spans["fu"].attrs["scores"], scores, atol=1e-5)
    nlp.update(examples_of(nlp), sgd=False)


def test_default_models_share_the_encoder() -> None:
    nlp = spacy.blank("it")
    encoder = nlp.add_pipe("tok2vec")
    for head in HEADS:
        nlp.add_pipe(head)
    assert encoder.listening_components == list(HEADS)
    losses = train(nlp, examples_of(nlp), below=0.1, most=20)
    assert max(losses.values()) < 0.1
