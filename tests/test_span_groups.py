"""Span groups after `doc.retokenize()`."""

from itertools import pairwise

import pytest
import spacy
from helpers import NARRATIVES, assert_same_numbers
from hypothesis import given
from hypothesis import strategies as st
from spacy import Language
from spacy.tokens import Doc, Span

from spacy_valence_ec import extensions
from spacy_valence_ec.corpus.docs import doc_to_record
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.span_groups import find_spans, read_spans

WORDS = ["Ieri", "sono", "andata", "via", ".", "Che", "gioia", "!"]


def make_doc(units: list[tuple[int, int]]) -> Doc:
    doc = Doc(spacy.blank("it").vocab, words=WORDS)
    doc.spans["fu"] = [
        Span(doc, start, end, label="positive", span_id=f"u{start}") for start, end in units
    ]
    return doc


def merge(doc: Doc, start: int, end: int) -> None:
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[start:end])


def split(doc: Doc, i: int) -> None:
    token = doc[i]
    with doc.retokenize() as retokenizer:
        retokenizer.split(token, [token.text[:1], token.text[1:]], heads=[token, token])


def test_merged_tokens_in_a_unit_move_the_units_behind_it() -> None:
    doc = make_doc([(0, 5), (5, 8)])
    merge(doc, 0, 3)
    units = read_spans(doc, "fu")
    assert [(unit.start, unit.end) for unit in units] == [(0, 3), (3, 6)]
    assert [unit.text for unit in units] == ["Ieri sono andata via .", "Che gioia !"]
    assert [(unit.label_, unit.id_) for unit in units] == [("positive", "u0"), ("positive", "u5")]
    assert [find_spans(doc, "fu", token.idx, token.idx + 1)[0] for token in doc] == [0] * 3 + [
        1
    ] * 3


def test_split_tokens_move_the_units_behind_them() -> None:
    doc = make_doc([(0, 5), (5, 8)])
    split(doc, 2)
    units = read_spans(doc, "fu")
    assert [(unit.start, unit.end) for unit in units] == [(0, 6), (6, 9)]
    assert [unit.text for unit in units] == ["Ieri sono andata via .", "Che gioia !"]


def test_a_token_over_the_edge_of_a_unit_is_told() -> None:
    doc = make_doc([(0, 5), (5, 8)])
    merge(doc, 4, 6)
    for get in (
        lambda: read_spans(doc, "fu"),
        lambda: find_spans(doc, "fu", 0, 4),
        lambda: extensions.get_functional_units(doc),
        lambda: extensions.get_token_unit(doc[0]),
        lambda: extensions.get_span_valence(doc[0:2]),
        lambda: extensions.get_valence(doc),
    ):
        with pytest.raises(ValenceECError, match=r"V040.*'fu'.*characters 0 to 22\."):
            get()


@given(st.data())
def test_any_merging_and_splitting_gives_the_same_text_or_says_why(data: st.DataObject) -> None:
    edges = sorted(data.draw(st.sets(st.integers(0, 8), min_size=2)))
    doc = make_doc(list(pairwise(edges)))
    before = [(unit.text, unit.start_char) for unit in doc.spans["fu"]]
    for _ in range(data.draw(st.integers(1, 3))):
        i = data.draw(st.integers(0, len(doc) - 1))
        if data.draw(st.booleans()):
            merge(doc, i, data.draw(st.integers(i + 1, len(doc))))
        elif len(doc[i]) > 1 and " " not in doc[i].text:
            split(doc, i)
    starts = {token.idx for token in doc}
    ends = {token.idx + len(token) for token in doc}
    on_edges = all(at in starts and at + len(text) in ends for text, at in before)
    if on_edges:
        assert [(unit.text, unit.start_char) for unit in read_spans(doc, "fu")] == before
    else:
        with pytest.raises(ValenceECError, match="V040"):
            read_spans(doc, "fu")


def test_an_analysis_is_the_same_after_tokens_were_merged(trained: Language) -> None:
    text = NARRATIVES[0][0]
    doc, same = trained(text), trained(text)
    merge(doc, 0, 3)  # inside of the first unit
    units = extensions.get_functional_units(doc)
    assert [unit.text for unit in units] == [u.text for u in same._.functional_units]
    assert [c.text for c in doc._.emotion_carriers] == [c.text for c in same._.emotion_carriers]
    assert doc._.valence == same._.valence
    for unit, other in zip(units, same._.functional_units, strict=True):
        assert unit._.valence == other._.valence
        assert unit._.valence_scores == other._.valence_scores
        assert [c.text for c in unit._.emotion_carriers] == [
            c.text for c in other._.emotion_carriers
        ]
    assert [token._.functional_unit.text for token in doc if not token.is_space][:1] == [
        units[0].text
    ]
    assert doc_to_record(doc) == doc_to_record(same)


def test_components_go_on_behind_merged_tokens(trained: Language) -> None:
    """The vectors of merged tokens are others; the units are still those of the text."""
    doc = trained.make_doc(NARRATIVES[0][0])
    for name, component in trained.pipeline:
        doc = component(doc)
        if name == "fu_segmenter":
            before = [unit.text for unit in doc.spans["fu"]]
            merge(doc, 0, 3)
    assert [unit.text for unit in doc._.functional_units] == before
    assert all(unit.label_ for unit in doc._.functional_units)
    assert_same_numbers(sum(doc[:]._.valence_scores.values()), 1.0)
