import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import spacy
from helpers import NARRATIVES, annotate
from spacy import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_valence_ec import evaluation
from spacy_valence_ec.corpus.docs import doc_to_narrative
from spacy_valence_ec.errors import ValenceECError, ValenceECWarning
from spacy_valence_ec.evaluation import evaluate, evaluate_by, with_gold_units
from spacy_valence_ec.schema import EC_KEY, FU_KEY, Narrative, Offsets, Unit

N_RUNS = 2  # end to end, and on gold units


@Language.component("halves_segmenter")
def halves_segmenter(doc: Doc) -> Doc:
    """Two units, whatever the text."""
    middle = len(doc) // 2
    doc.spans[FU_KEY] = [Span(doc, 0, middle), Span(doc, middle, len(doc))]
    return doc


@Language.component("all_neutral")
def all_neutral(doc: Doc) -> Doc:
    assert not any(unit.label_ for unit in doc.spans[FU_KEY])
    doc.spans[FU_KEY] = [Span(doc, u.start, u.end, label="neutral") for u in doc.spans[FU_KEY]]
    doc.spans[EC_KEY] = []
    return doc


@pytest.fixture
def nlp(monkeypatch: pytest.MonkeyPatch) -> Language:
    monkeypatch.setattr(evaluation, "SEGMENTER_FACTORY", "halves_segmenter")
    nlp = spacy.blank("it")
    nlp.add_pipe("halves_segmenter", name="a name of its own")
    nlp.add_pipe("all_neutral")
    return nlp


# Tokens: a b | c d e f
NARRATIVE = Narrative(
    id="n1",
    text="a b c d e f",
    units=(Unit(0, 3, "neutral"), Unit(4, 11, "negative")),
    carriers=(Offsets(6, 7),),
)


def test_end_to_end_and_on_gold_units(nlp: Language) -> None:
    seen: list[None] = []
    scores = evaluate(nlp, [NARRATIVE], on_doc=lambda: seen.append(None))
    # End to end: units a b c | d e f, all neutral.
    assert scores["fu_f"] == 0.0
    assert scores["fu_boundary_f"] == 0.0
    assert scores["e2e_valence_f_neutral"] == pytest.approx(2 * 2 / (2 + 6))
    assert scores["joint_f"] == 0.0
    # On gold units: one of two is neutral; 1 right of 1 and 2.
    assert scores["valence_f_neutral"] == pytest.approx(2 / 3)
    assert scores["valence_macro_f"] == pytest.approx(2 / 9)
    assert scores["gold_units_joint_f"] == pytest.approx(1 / 2)
    assert scores["gold_units_ec_token_f"] == scores["ec_token_f"] == 0.0
    counts = {key: value for key, value in scores.items() if key.startswith("n_")}
    assert counts == {"n_narratives": 1, "n_units": 2, "n_carriers": 1, "n_tokens": 6}
    assert isinstance(scores["words_per_second"], float)
    assert len(seen) == N_RUNS
    assert nlp.pipe_names == ["a name of its own", "all_neutral"]


def test_a_segmenter_of_another_factory_leaves_no_figures_on_gold_units(
    nlp: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "SEGMENTER_FACTORY", "fu_segmenter")
    scores = evaluate(nlp, [NARRATIVE])
    assert scores["valence_macro_f"] is scores["valence_f_neutral"] is None


def test_narratives_docs_and_examples_score_alike(nlp: Language) -> None:
    docs = [annotate(nlp, narrative) for narrative in NARRATIVES]
    by_doc = evaluate(nlp, docs, batch_size=2)
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    narratives = [doc_to_narrative(doc, default_id=str(i)) for i, doc in enumerate(docs)]
    for data in (examples, narratives, iter(docs)):
        scores = evaluate(nlp, data)
        assert scores.pop("words_per_second") is not None
        assert scores == {k: v for k, v in by_doc.items() if k != "words_per_second"}


def test_a_pipeline_that_knows_the_texts_is_perfect(trained: Language) -> None:
    docs = [annotate(trained, narrative) for narrative in NARRATIVES]
    scores = evaluate(trained, docs)
    assert scores["fu_f"] == scores["joint_f"] == scores["gold_units_joint_f"] == 1.0
    assert scores["valence_macro_f"] == scores["ec_macro_f"] == 1.0


def test_a_disabled_segmenter_stays_disabled(nlp: Language) -> None:
    nlp.add_pipe("halves_segmenter", name="off", first=True)
    nlp.disable_pipe("off")
    evaluate(nlp, [NARRATIVE])
    assert nlp.disabled == ["off"]


def test_nothing_annotated_is_an_error(nlp: Language) -> None:
    with pytest.raises(ValenceECError, match="M001"):
        evaluate(nlp, [nlp.make_doc("a b")])
    with pytest.raises(ValenceECError, match="M001"):
        evaluate(nlp, [])


def test_unannotated_docs_are_left_out(nlp: Language) -> None:
    scores = evaluate(nlp, [annotate(nlp, NARRATIVES[0]), nlp.make_doc("a b")])
    assert scores["n_narratives"] == 1


def test_offsets_inside_a_token_are_counted_in_a_warning(nlp: Language) -> None:
    inside = Narrative(
        id="n7", text="aa bb", units=(Unit(0, 5, "neutral"),), carriers=(Offsets(1, 2),)
    )
    with pytest.warns(ValenceECWarning, match=r"1 of 4 offsets.*n7"):
        evaluate(nlp, [inside])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(nlp, [NARRATIVE])


def test_gold_units_in_another_tokenization(nlp: Language) -> None:
    words = ["a", " ", "b"]
    reference = Doc(nlp.vocab, words=words, spaces=[False, False, False])
    reference.spans[FU_KEY] = [reference[0:1], reference[2:3]]
    doc = with_gold_units(nlp, reference)
    assert [token.text for token in doc] == ["a", "b"]
    assert [unit.text for unit in doc.spans[FU_KEY]] == ["a", "b"]


def test_a_text_longer_than_the_limit_of_spacy(nlp: Language) -> None:
    nlp.max_length = 5
    assert evaluate(nlp, [NARRATIVE])["n_tokens"] == 6


def numbers(scores: dict) -> Iterator[float]:
    return (value for value in scores.values() if value is not None)


def test_every_figure_is_a_plain_number(nlp: Language) -> None:
    scores = evaluate(nlp, [annotate(nlp, narrative) for narrative in NARRATIVES])
    assert all(type(value) in (int, float) for value in numbers(scores))
    assert not any(isinstance(value, np.generic) for value in scores.values())


def test_groups_survive_dropped_units_and_odd_targets() -> None:
    """Two units in one token: one is dropped, the others keep their labels; `targets` that is no
    list counts all units."""
    text = "Casamare bello. Poi piove."
    edges = [(0, 4, "negative"), (4, 8, "neutral"), (9, 15, "neutral"), (16, 26, "positive")]
    narrative = Narrative(
        "a", text, tuple(Unit(*edge) for edge in edges), (), None, "s1", extra={"targets": None}
    )
    nlp = spacy.blank("it")

    @spacy.Language.component("all_positive")
    def all_positive(doc):  # type: ignore[no-untyped-def]
        units = list(doc.spans["fu"]) if "fu" in doc.spans else [doc[:]]
        doc.spans["fu"] = [Span(doc, u.start, u.end, label="positive") for u in units]
        doc.spans["ec"] = []
        return doc

    nlp.add_pipe("all_positive")
    with pytest.warns(ValenceECWarning):
        found = evaluate_by(nlp, [narrative], "narrator")
    assert (found["s1"]["n_targets"], found["s1"]["target_accuracy"]) == (3, pytest.approx(1 / 3))


def test_a_pipeline_without_units_is_refused() -> None:
    narrative = Narrative("a", "Piove.", (Unit(0, 6, "neutral"),))
    with pytest.raises(ValenceECError, match="M009"):
        evaluate(spacy.blank("it"), [narrative])
