import pickle
from itertools import pairwise

import numpy as np
import pytest
import spacy
from helpers import HOSTILE_TEXTS
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc
from thinc.api import get_current_ops

from spacy_valence_ec.schema import EC_KEY, FU_KEY
from spacy_valence_ec.suggesters import (
    candidate_coverage,
    chunk_edges,
    content_mask,
    make_chunk_suggester,
)

VOCAB = spacy.blank("it").vocab


@pytest.fixture(scope="module")
def nlp() -> spacy.Language:
    return spacy.blank("it")


def chunks(doc: Doc) -> list[str]:
    return [doc[start:end].text for start, end in chunk_edges(doc)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Finalmente mi hanno tolto il gesso!", ["mi hanno tolto", "il gesso"]),
        ("la discussione con il mio capo", ["la discussione", "il mio capo"]),
        ("non l'ho visto", ["non l'ho visto"]),
        ("me la sono presa con mio fratello", ["me la sono presa", "mio fratello"]),
        ("per me è tutto finito", ["tutto finito"]),
        ("mi sento uno straccio", ["mi sento", "uno straccio"]),
        ("il mare era bellissimo", ["il mare", "era bellissimo"]),
        ("nell’aria dell'inverno", ["aria", "inverno"]),
        ("ho già visto la più bella", ["ho già visto", "la più bella"]),
        ("andata a prendere mia sorella", ["andata", "prendere", "mia sorella"]),
        ("la cena preparata da mamma", ["la cena", "preparata", "mamma"]),
        ("NON MI HA CHIAMATO", ["NON MI HA CHIAMATO"]),
        ("perche' e' cosi'", []),
        ("... 😭 !!", []),
        ("«la festa»", ["la festa"]),
    ],
)
def test_chunks_by_closed_classes(nlp: spacy.Language, text: str, expected: list[str]) -> None:
    assert chunks(nlp(text)) == expected


def test_a_noun_phrase_is_bounded(nlp: spacy.Language) -> None:
    assert chunks(nlp("il sole luce vento neve"))[0] == "il sole luce vento"


def test_no_chunk_crosses_a_unit(nlp: spacy.Language) -> None:
    doc = nlp("non ho visto il mio cane")
    assert chunks(doc) == ["non ho visto", "il mio cane"]
    doc.spans[FU_KEY] = [doc[0:2], doc[2:5], doc[5:6]]
    assert chunks(doc) == ["visto", "cane"]
    doc.spans[FU_KEY] = []
    assert chunks(doc) == []


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_chunks_hold_content_and_no_white_space_or_punctuation_at_the_edges(
    nlp: spacy.Language, text: str
) -> None:
    doc = nlp(text)
    doc.spans[FU_KEY] = [doc[i : min(i + 4, len(doc))] for i in range(0, len(doc), 4)]
    edges = chunk_edges(doc)
    content = content_mask(doc)
    assert edges == sorted(set(edges))
    for start, end in edges:
        assert start < end
        assert any(content[start:end])
        assert start // 4 == (end - 1) // 4
        for edge in (doc[start], doc[end - 1]):
            assert not edge.is_space
            assert not edge.is_punct


def parsed(nlp: spacy.Language) -> Doc:
    #       0     1    2   3   4       5     6    7       8   9
    words = ["non", "l'", "ho", "visto", "dopo", "la", "cena", "lunga", "di", "ieri"]
    return Doc(
        nlp.vocab,
        words=words,
        pos=["ADV", "PRON", "AUX", "VERB", "ADP", "DET", "NOUN", "ADJ", "ADP", "ADV"],
        heads=[3, 3, 3, 3, 6, 6, 3, 6, 9, 6],
        deps=["advmod", "obj", "aux", "ROOT", "case", "det", "obl", "amod", "case", "nmod"],
    )


def test_with_a_parse_chunks_are_noun_chunks_and_verb_groups(nlp: spacy.Language) -> None:
    assert chunks(parsed(nlp)) == ["non l' ho visto", "la cena lunga"]


def test_noun_chunks_are_cut_at_the_edges_of_units(nlp: spacy.Language) -> None:
    doc = parsed(nlp)
    doc.spans[FU_KEY] = [doc[0:3], doc[3:7], doc[7:10]]
    assert chunks(doc) == ["visto", "la cena", "lunga"]


@pytest.mark.parametrize(
    ("tagged", "expected"),
    [
        # With articles, numbers and adjectives; a preposition is outside.
        ("la/DET cena/NOUN lunga/ADJ di/ADP ieri/ADV", ["la cena lunga"]),
        ("due/NUM gatti/NOUN e/CCONJ Rosa/PROPN", ["due gatti", "Rosa"]),
        # An adverb belongs to the adjective behind it alone.
        ("una/DET cosa/NOUN davvero/ADV brutta/ADJ", ["una cosa davvero brutta"]),
        ("il/DET cane/NOUN forte/ADV abbaia/VERB", ["il cane", "abbaia"]),
        # A determiner after a noun opens a phrase of its own; one before it does not.
        ("mamma/NOUN la/DET domenica/NOUN", ["mamma", "la domenica"]),
        ("tutti/DET i/DET miei/DET amici/NOUN", ["tutti i miei amici"]),
        # Without a head there is no phrase, and without content no candidate.
        ("quella/DET ,/PUNCT quel/DET", []),
        ("è/AUX", []),
        # Verbs with what stands before them, up to a word of another kind.
        ("non/ADV l'/PRON ho/AUX visto/VERB", ["non l' ho visto"]),
        ("ho/AUX subito/ADV pianto/VERB", ["pianto"]),
        ("era/AUX stanca/ADJ", ["stanca"]),
        ("tentare/VERB dormire/VERB", ["tentare", "dormire"]),
        ("boh/INTJ 😭/SYM", []),
        ("casa/X", ["casa"]),
        ("", []),
    ],
)
def test_with_a_tagger_alone_chunks_are_sequences_of_parts_of_speech(
    nlp: spacy.Language, tagged: str, expected: list[str]
) -> None:
    pairs = [pair.split("/") for pair in tagged.split()]
    doc = Doc(nlp.vocab, words=[w for w, _ in pairs], pos=[p for _, p in pairs])
    assert chunks(doc) == expected


def test_phrases_of_a_tagger_are_cut_at_the_edges_of_units(nlp: spacy.Language) -> None:
    words, tags = ["la", "cena", "lunga", "mi", "piace"], ["DET", "NOUN", "ADJ", "PRON", "VERB"]
    doc = Doc(nlp.vocab, words=words, pos=tags)
    assert chunks(doc) == ["la cena lunga", "mi piace"]
    doc.spans[FU_KEY] = [doc[0:2], doc[2:4], doc[4:5]]
    assert chunks(doc) == ["la cena", "lunga", "piace"]
    doc.spans[FU_KEY] = [doc[0:2]]
    assert chunks(doc) == ["la cena"]


TAGS = ["DET", "NUM", "ADJ", "NOUN", "PROPN", "X", "ADV", "VERB", "AUX", "PRON", "ADP", "PUNCT"]
TAGGED = st.lists(
    st.tuples(st.sampled_from(["il", "casa", "non", "mi", ",", "ho", " "]), st.sampled_from(TAGS)),
    max_size=12,
)


@given(TAGGED, st.lists(st.booleans(), min_size=12, max_size=12))
def test_whatever_the_tags_say_candidates_keep_their_rules(
    tagged: list[tuple[str, str]], ends: list[bool]
) -> None:
    doc = Doc(VOCAB, words=[w for w, _ in tagged], pos=[p for _, p in tagged])
    cuts = [0, *(i for i in range(1, len(doc)) if ends[i]), len(doc)]
    units = [(a, b) for a, b in pairwise(cuts) if a < b]
    doc.spans[FU_KEY] = [doc[a:b] for a, b in units]
    edges = chunk_edges(doc)
    content = content_mask(doc)
    assert edges == sorted(set(edges))
    for start, end in edges:
        assert any(a <= start < end <= b for a, b in units)
        assert any(content[start:end])
        assert {doc[start].text, doc[end - 1].text}.isdisjoint({",", " "})


def test_an_auxiliary_alone_is_no_chunk_without_content(nlp: spacy.Language) -> None:
    doc = Doc(
        nlp.vocab,
        words=["c'", "era", "vento"],
        pos=["PRON", "AUX", "NOUN"],
        heads=[1, 1, 1],
        deps=["expl", "ROOT", "nsubj"],
    )
    assert chunks(doc) == ["vento"]


def test_the_suggester_is_registered_and_gives_rows(nlp: spacy.Language) -> None:
    assert spacy.registry.misc.get("spacy_valence_ec.chunk_suggester.v1") is make_chunk_suggester
    suggester = make_chunk_suggester()
    assert pickle.loads(pickle.dumps(suggester)) is suggester
    docs = [nlp("il gesso"), nlp(""), nlp("mio fratello, la casa")]
    rows = suggester(docs, ops=get_current_ops())
    assert rows.dataXd.dtype == np.int32
    assert rows.dataXd.tolist() == [[0, 2], [0, 2], [3, 5]]
    assert rows.lengths.tolist() == [1, 0, 2]


@pytest.mark.parametrize("n_docs", [0, 1, 2])
def test_no_candidate_at_all(nlp: spacy.Language, n_docs: int) -> None:
    rows = make_chunk_suggester()([nlp("...") for _ in range(n_docs)])
    assert rows.dataXd.shape == (0, 2)
    assert rows.lengths.tolist() == [0] * n_docs


def test_coverage(nlp: spacy.Language) -> None:
    doc = nlp("ho perso il treno. Chi ero io")
    doc.spans[FU_KEY] = [doc[0:5], doc[5:8]]
    # Candidates "ho perso" and "il treno"; "Chi ero" is in none.
    doc.spans[EC_KEY] = [doc[2:4], doc[5:7]]
    coverage = candidate_coverage([doc, nlp("boh")], make_chunk_suggester())
    assert coverage == {"recall": 0.5, "per_unit": pytest.approx(2 / 3)}
    assert candidate_coverage([], make_chunk_suggester()) == {"recall": None, "per_unit": None}


def test_content_words(nlp: spacy.Language) -> None:
    doc = nlp("Il mio cane, \n non ha 3 zampe 😀")
    assert [t.text for t, c in zip(doc, content_mask(doc), strict=True) if c] == [
        "cane",
        "3",
        "zampe",
    ]
