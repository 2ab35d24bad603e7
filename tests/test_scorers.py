import pickle

import numpy as np
import pytest
import spacy
from helpers import HOSTILE_TEXTS, NARRATIVES, annotate
from spacy import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_valence_ec import scorers
from spacy_valence_ec.schema import EC_CANDIDATES_KEY, EC_KEY, FU_KEY
from spacy_valence_ec.scorers import (
    Rows,
    judge_candidates,
    make_ec_scorer,
    make_fu_scorer,
    make_valence_scorer,
    score_carriers,
    score_functional_units,
    score_valence,
    to_pair,
)

SCORERS = (score_functional_units, score_valence, score_carriers)

Spans = list[tuple[int, int, str]]


@pytest.fixture(scope="module")
def vocab() -> Vocab:
    return spacy.blank("it").vocab


def make_doc(
    vocab: Vocab,
    words: list[str],
    spaces: list[bool] | None = None,
    **groups: Spans,
) -> Doc:
    doc = Doc(vocab, words=words, spaces=spaces)
    for key, spans in groups.items():
        doc.spans[key] = [Span(doc, start, end, label=label) for start, end, label in spans]
    return doc


def perfect_examples() -> list[Example]:
    nlp = spacy.blank("it")
    return [Example(annotate(nlp, n), annotate(nlp, n)) for n in NARRATIVES]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("fu_scorer", make_fu_scorer),
        ("valence_scorer", make_valence_scorer),
        ("ec_scorer", make_ec_scorer),
    ],
)
def test_scorers_are_registered_and_pickle(name: str, make: object) -> None:
    assert spacy.registry.scorers.get(f"spacy_valence_ec.{name}.v1") is make
    scorer = make()  # type: ignore[operator]
    assert pickle.loads(pickle.dumps(scorer)) is scorer
    assert scorer is getattr(scorers, scorer.__name__)


def test_a_perfect_prediction_is_perfect() -> None:
    examples = perfect_examples()
    scores = {key: value for score in SCORERS for key, value in score(examples).items()}
    assert scores.pop("fu_windowdiff") == 0.0
    assert set(scores.values()) == {1.0}


def test_the_names_of_the_scores_are_those_of_the_design() -> None:
    keys = {key for score in SCORERS for key in score(perfect_examples())}
    prf = {f"{name}_{x}" for x in "prf" for name in ("fu_boundary", "fu", "ec_token", "ec_exact")}
    prf |= {f"{name}_{x}" for x in "prf" for name in ("ec_partial", "joint")}
    labels = {f"valence_f_{label}" for label in ("negative", "neutral", "positive")}
    valence = {"valence_macro_f", *labels}
    assert keys == {
        *prf,
        *valence,
        *(f"e2e_{key}" for key in valence),
        "fu_windowdiff",
        "ec_macro_f",
        "ec_positive_f",
    }


def test_a_document_without_predictions_scores_zero() -> None:
    nlp = spacy.blank("it")
    examples = [Example(nlp.make_doc(n[0]), annotate(nlp, n)) for n in NARRATIVES]
    assert score_functional_units(examples)["fu_f"] == 0.0
    assert score_valence(examples)["e2e_valence_macro_f"] == 0.0
    assert score_valence(examples)["valence_macro_f"] is None
    scores = score_carriers(examples)
    assert scores["ec_positive_f"] == scores["ec_token_f"] == scores["joint_f"] == 0.0


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_nothing_raises_on_a_document_without_gold(text: str) -> None:
    nlp = spacy.blank("it")
    whole = nlp.make_doc(text)
    whole.spans[FU_KEY] = [whole[:]] if len(whole) else []
    for predicted, reference in (
        (nlp.make_doc(text), nlp.make_doc(text)),
        (whole, nlp.make_doc(text)),
        (nlp.make_doc(text), whole),
        (whole, whole),
    ):
        for score in SCORERS:
            score([Example(predicted, reference)])
    for score in SCORERS:
        score([])


def test_examples_without_gold_are_left_out() -> None:
    nlp = spacy.blank("it")
    examples = perfect_examples()
    stray = nlp.make_doc("Una riga. Due righe.")
    stray.spans[FU_KEY] = [stray[0:3], stray[3:6]]
    stray.spans[EC_KEY] = [stray[0:2]]
    without = Example(stray, nlp.make_doc(stray.text))
    for score in SCORERS:
        assert score([*examples, without]) == score(examples)


def test_units_without_annotated_carriers_say_nothing_of_carriers() -> None:
    nlp = spacy.blank("it")
    reference = nlp.make_doc("Una riga")
    reference.spans[FU_KEY] = [reference[:]]
    predicted = reference.copy()
    predicted.spans[EC_KEY] = [predicted[0:2]]
    assert score_carriers([Example(predicted, reference)])["ec_token_f"] is None
    assert score_functional_units([Example(predicted, reference)])["fu_f"] == 1.0


def test_another_tokenization_is_mapped_through_characters(vocab: Vocab) -> None:
    # Gold: l' acqua | è fredda; predicted tokens: l'acqua è fredda
    reference = make_doc(
        vocab,
        ["l'", "acqua", "è", "fredda"],
        [False, True, True, False],
        fu=[(0, 2, "neutral"), (2, 4, "negative")],
        ec=[(1, 2, "EC")],
    )
    predicted = make_doc(
        vocab,
        ["l'acqua", "è", "fredda"],
        [True, True, False],
        fu=[(0, 1, "neutral"), (1, 3, "negative")],
        ec=[(0, 1, "EC")],
    )
    gold, system = to_pair(Example(predicted, reference))
    assert gold.n_tokens == 3
    assert gold == system
    assert score_valence([Example(predicted, reference)])["valence_macro_f"] == pytest.approx(2 / 3)


def test_a_boundary_inside_a_token_leaves_it_to_the_first_unit(vocab: Vocab) -> None:
    reference = make_doc(
        vocab,
        ["sì", "boh", "no"],
        [False, False, False],
        fu=[(0, 1, "positive"), (1, 2, "neutral"), (2, 3, "negative")],
    )
    # One token for the first two units, which overlap once expanded: the second is left with none.
    predicted = make_doc(vocab, ["sìboh", "no"], [False, False])
    gold, _ = to_pair(Example(predicted, reference))
    assert gold.units == ((0, 1), (1, 2))
    assert gold.valences == ("positive", "negative")


def test_white_space_does_not_count(vocab: Vocab) -> None:
    reference = make_doc(
        vocab,
        ["uno", "\n\n", "due", " "],
        [False, False, False, False],
        fu=[(0, 1, "neutral"), (2, 3, "neutral")],
        ec=[],
    )
    # The predicted units hold the white space.
    predicted = make_doc(
        vocab,
        ["uno", "\n\n", "due", " "],
        [False, False, False, False],
        fu=[(0, 2, "neutral"), (2, 4, "neutral")],
        ec=[(1, 2, "EC")],
    )
    example = Example(predicted, reference)
    assert to_pair(example)[0] == to_pair(example)[1]
    assert score_functional_units([example])["fu_f"] == 1.0
    assert score_valence([example])["valence_f_neutral"] == 1.0
    assert score_carriers([example])["joint_f"] == 1.0


def test_rows_expand() -> None:
    fine, coarse = Rows([0, 1, 2, 3], [0, 2, 4], [2, 4, 6]), Rows([0, 1, 2], [0, 3], [3, 6])
    assert coarse.expand((1, 2), fine) == (0, 2)
    assert coarse.expand((0, 1), fine) == (0, 1)
    assert fine.expand((1, 2), coarse) == (1, 3)
    assert Rows([0], [], []).expand((0, 1), fine) is None


# Candidates "il treno" and "la casa" of "ho perso il treno per la casa"
WORDS = ["ho", "perso", "il", "treno", "per", "la", "casa"]
UNIT: Spans = [(0, 7, "negative")]


def judged(vocab: Vocab, gold: Spans, candidates: Spans, system: Spans, **predicted: Spans) -> dict:
    reference = make_doc(vocab, WORDS, fu=UNIT, ec=gold, ec_candidates=candidates)
    doc = make_doc(vocab, WORDS, fu=UNIT, ec=system, **predicted)
    for group in predicted:  # judged by a component: there are scores
        doc.spans[group].attrs["scores"] = np.ones(len(doc.spans[group]), dtype="float32")
    return score_carriers([Example(doc, reference)])


def test_annotated_candidates_are_judged_by_overlap(vocab: Vocab) -> None:
    candidates: Spans = [(2, 4, ""), (5, 7, "")]
    # Gold: the first; predicted: the second. Nothing right in either class.
    scores = judged(vocab, [(1, 4, "EC")], candidates, [(6, 7, "EC")])
    assert scores["ec_macro_f"] == 0.0
    # The predicted carrier "il" holds no content token: its one token counts.
    scores = judged(vocab, [(1, 4, "EC")], candidates, [(2, 3, "EC")])
    assert scores["ec_macro_f"] == 1.0
    # "perso il" does, and shares "il" alone: nothing predicted. carrier 0; not: 1 right of 1 and 2
    scores = judged(vocab, [(1, 4, "EC")], candidates, [(1, 3, "EC")])
    assert scores["ec_positive_f"] == 0.0
    assert scores["ec_macro_f"] == pytest.approx((0 + 2 / 3) / 2)


def test_the_judgment_of_the_pipeline_counts_before_overlap(vocab: Vocab) -> None:
    candidates: Spans = [(2, 4, ""), (5, 7, "")]
    # The first was accepted, but gave way to an overlapping one in doc.spans["ec"].
    scores = judged(
        vocab,
        [(1, 4, "EC")],
        candidates,
        [(0, 2, "EC")],
        ec_candidates=[(2, 4, "EC"), (0, 2, "EC"), (5, 7, "")],
    )
    assert scores["ec_macro_f"] == 1.0


def test_without_annotated_candidates_the_chunks_of_the_gold_units_serve(vocab: Vocab) -> None:
    reference = make_doc(vocab, WORDS, fu=UNIT, ec=[(2, 4, "EC")])
    # The units of the pipeline do not matter.
    predicted = make_doc(vocab, WORDS, fu=[(0, 3, "neutral"), (3, 7, "neutral")], ec=[])
    scores = score_carriers([Example(predicted, reference)])
    # Chunks "ho perso", "il treno", "la casa", one of them gold: not: 2 right of 2 and 3
    assert EC_CANDIDATES_KEY not in reference.spans
    assert scores["ec_macro_f"] == pytest.approx((0 + 4 / 5) / 2)
    assert scores["ec_positive_f"] == 0.0


def test_candidates_that_nobody_judged_count_by_their_overlap_with_the_carriers(
    vocab: Vocab,
) -> None:
    """Those of `ec_candidates` have no scores, and their empty label says nothing: a pipeline is
    scored alike with and without that component."""
    words = ["la", "cena", "lunga", "mi", "piace"]
    units, carriers = [(0, 5, "positive")], [(0, 2, "EC")]
    candidates = [(0, 3, ""), (3, 5, "")]
    gold = make_doc(vocab, words, fu=units, ec=carriers, ec_candidates=candidates)
    plain = make_doc(vocab, words, fu=units, ec=carriers)
    unjudged = make_doc(vocab, words, fu=units, ec=carriers, ec_candidates=candidates)
    judged = make_doc(vocab, words, fu=units, ec=carriers, ec_candidates=candidates)
    judged.spans[EC_CANDIDATES_KEY].attrs["scores"] = np.asarray([0.1, 0.2], dtype="float32")
    expected = [(True, True), (False, False)]
    for predicted in (plain, unjudged):
        example = Example(predicted, gold)
        assert judge_candidates(example, to_pair(example)) == expected
        assert score_carriers([example])["ec_macro_f"] == 1.0
    example = Example(judged, gold)
    assert judge_candidates(example, to_pair(example)) == [(True, False), (False, False)]


def test_nlp_evaluate_gives_none_for_what_nobody_annotated(trained: Language) -> None:
    text = NARRATIVES[0][0]
    own = {key for pipe in trained.pipeline for key in _score_names(trained, pipe[0])}
    nothing = trained.evaluate([Example(trained.make_doc(text), trained.make_doc(text))])
    assert {key: nothing[key] for key in own} == dict.fromkeys(own)

    units = annotate(trained, NARRATIVES[0])
    del units.spans["ec"]
    units.spans["fu"] = [Span(units, unit.start, unit.end) for unit in units.spans["fu"]]
    scores = trained.evaluate([Example(trained.make_doc(text), units)])
    assert {key for key in own if scores[key] is not None} == {
        key for key in own if key.startswith("fu_")
    }

    # Carriers are annotated, and no unit has a valence.
    carriers = annotate(trained, NARRATIVES[0])
    carriers.spans["fu"] = units.spans["fu"].copy(doc=carriers)
    scores = trained.evaluate([Example(trained.make_doc(text), carriers)])
    assert scores["ec_token_f"] == scores["ec_exact_f"] == 1.0
    assert scores["joint_f"] is scores["e2e_valence_macro_f"] is None

    # Of everything, for comparison.
    scores = trained.evaluate([Example(trained.make_doc(text), annotate(trained, NARRATIVES[0]))])
    assert scores["fu_f"] == scores["joint_f"] == 1.0


def _score_names(nlp: Language, pipe: str) -> list[str]:
    return list(nlp.get_pipe_meta(pipe).default_score_weights)
