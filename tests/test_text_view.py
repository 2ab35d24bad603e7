"""The view of a Doc that networks read."""

from pathlib import Path

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.text_view import blank_tokens, make_view

CORPUS = Path(__file__).parents[1] / "corpus"
nlp = spacy.blank("it")


def words_of(text: str, **options: bool) -> list[str]:
    return [token.text for token in make_view(nlp(text), **options).doc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ciao  mamma\u00a0bella\t\u2009sera ", "Ciao mamma bella sera"),
        ("pre\u00adsto, a\u200bb \u200b \ufeffno\u2060", "presto , ab no"),
        ("perche\u0301 e\u0300 vero", "perché è vero"),
        ("L’ho “detto” a lui", 'L\' ho " detto " a lui'),
        ("OGGI NON HO DORMITO PER NIENTE", "oggi non ho dormito per niente"),
        ("NON DORMO. Oggi sono stanca, poi", "NON DORMO . Oggi sono stanca , poi"),
        ("CIAO A TUTTI", "CIAO A TUTTI"),  # too short to tell
        ("no \u200d👩\u200d❤️\u200d👨 si\u200d", "no 👩 \u200d ❤ ️\u200d 👨 si"),
    ],
)
def test_words_are_read_in_one_spelling(text: str, expected: str) -> None:
    assert words_of(text) == expected.split(" ")


@pytest.mark.parametrize(
    "line_break", ["\n", "\r\n", "\r", "\u2028", "\u0085", " \n\t", "\u00a0\n"]
)
def test_line_breaks_are_one(line_break: str) -> None:
    doc = nlp(f"Ciao{line_break}mamma")
    view = make_view(doc, line_breaks=True)
    assert view.doc.text == "Ciao\nmamma"
    assert make_view(doc).doc.text == "Ciao mamma"


def test_more_than_two_line_breaks_are_two() -> None:
    assert words_of("Ciao\n \n\r\n\nmamma", line_breaks=True) == ["Ciao", "\n\n", "mamma"]


def test_quotes_and_capitals_are_left_on_demand() -> None:
    text = "“NON HO DORMITO PER NIENTE,\u00ad L’HO DETTO”"
    assert "".join(words_of(text, is_folded=False)) == "“NONHODORMITOPERNIENTE,L’HODETTO”"


def test_ordinary_narratives_are_their_own_view() -> None:
    n_same = n = 0
    for narrative in read_narratives(CORPUS / "narratives.jsonl").narratives:
        doc = nlp(narrative.text)
        n += 1
        n_same += make_view(doc, line_breaks=True).doc is doc
    assert n_same > 0.95 * n


CHARACTERS = "aè E’'“.,!\n\r\t\u00a0\u2009\u2028\u3000\u0301\u00ad\u200b\u200d\ufeff👩❤"


@given(st.text(alphabet=CHARACTERS, max_size=30), st.booleans(), st.booleans())
def test_tokens_of_a_view_stand_for_those_of_the_doc(text, line_breaks, is_folded):
    doc = nlp(text)
    options = {"line_breaks": line_breaks, "is_folded": is_folded}
    view = make_view(doc, **options)
    assert doc.text == text
    places = [view.place(i) for i in range(len(view.doc))]
    assert places == sorted(set(places))
    words = np.flatnonzero(~blank_tokens(doc)).tolist()
    if words:
        assert set(words) <= set(places)
        assert line_breaks or places == words
        again = make_view(view.doc, **options)
        assert [token.text for token in again.doc] == [token.text for token in view.doc]
    spans = np.asarray([(i, i + 1) for i in words]).reshape((-1, 2))
    found = [(view.place(start), view.place(end - 1) + 1) for start, end in view.offsets(spans)]
    assert found == [tuple(row) for row in spans.tolist()]
