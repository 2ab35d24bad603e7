"""Units and carriers begin and end only where an edge can be."""

from pathlib import Path

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.pipeline.edges import (
    CLOSING,
    EMOJI,
    FREE,
    OPENING,
    WITHIN,
    classify_edges,
    move_boundaries,
    snap_carriers,
)

CORPUS = Path(__file__).parents[2] / "corpus"
nlp = spacy.blank("it")
MARKS = {WITHIN: "+", OPENING: "(", CLOSING: ">", EMOJI: "~"}


def edge_string(text: str) -> str:
    """The tokens of a text, with a sign at each edge where no unit can end."""
    doc = nlp(text)
    edges = classify_edges(doc)
    return "".join(
        token.text + MARKS.get(edge, " ")
        for token, edge in zip(doc, edges, strict=True)
        if not token.is_space
    ).strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("«Non ti voglio.» Io esco", "«(Non ti voglio>.>» Io esco"),
        ("“Dai!” dice", "“(Dai>!>” dice"),
        ('dice "no" e va', 'dice "(no>" e va'),
        ('"Che bello!!" Ho riso...', '"(Che bello>!>!>" Ho riso>...'),
        ("ciao , dice (piano) .", "ciao>, dice ((piano>)>."),
        ("in fila\n» altro", "in fila » altro"),
        ("il biglietto A/R e via", "il biglietto A+/+R e via"),
        ("sono l'unica perche' vado", "sono l'(unica perche>' vado"),
        ("il dott. Rossi, l'ing. Bi", "il dott>.+Rossi>, l'(ing>.+Bi"),
        ("al n. 5 di via G. Verdi", "al n.+5 di via G.+Verdi"),
        ("pane ecc. Poi casa", "pane ecc. Poi casa"),
        ("nella scala B. Poi su", "nella scala B. Poi su"),
        ("S. Giovanni e p.zza Roma", "S.+Giovanni e p.zza+Roma"),
        ("🇮🇹 sì 👍🏽 👩‍❤️‍👨 no❤️", "🇮~🇹 sì>👍~🏽>👩~‍~❤~️‍~👨 no>❤~️"),
        ("sì \u200b ma \u00ad \ufeff. Poi \u200b", "sì>\u200b ma>\u00ad>\ufeff. Poi>\u200b"),
        ("ok 😂😂 vado :) e <3", "ok>😂~😂 vado>:) e><3"),
    ],
)
def test_edges_between_words(text, expected):
    assert edge_string(text) == expected


def test_annotators_put_no_unit_at_a_forbidden_edge():
    ends = forbidden = 0
    for narrative in read_narratives(CORPUS / "narratives.jsonl").narratives:
        doc = nlp(narrative.text)
        edges = classify_edges(doc)
        unit_ends = {unit.end for unit in narrative.units[:-1]}
        at_end = np.asarray([token.idx + len(token) in unit_ends for token in doc])
        ends += int(at_end.sum())
        forbidden += int((edges[at_end] != FREE).sum())
    assert ends > 3000
    assert forbidden <= 1  # "le canne vanno legate a X. Mi ha ..."


def test_a_boundary_moves_behind_the_marks():
    doc = nlp("Dai!” Poi")
    # Dai ! ” Poi
    moved = move_boundaries(doc, np.asarray([0.2, 0.9, 0.4, 0.1], dtype="float32"))
    assert moved.tolist() == pytest.approx([0.0, 0.0, 0.9, 0.1])


def test_no_boundary_before_the_name_of_a_title():
    doc = nlp("Il dott. Rossi parla")
    moved = move_boundaries(doc, np.full(len(doc), 0.9, dtype="float32"))
    assert (moved > 0).tolist() == [True, False, False, True, True]


def test_carriers_take_whole_words_and_leave_marks():
    doc = nlp("«Il biglietto A/R 👍🏽»")
    assert [token.text for token in doc] == ["«", "Il", "biglietto", "A", "/", "R", "👍", "🏽", "»"]
    scores = np.asarray([0.5, 0.6, 0.7], dtype="float32")
    carriers, kept = snap_carriers(doc, [(0, 1), (2, 4), (5, 7)], scores)
    assert carriers == [(3, 8)]  # both claim "A/R", the second is more probable
    assert kept.tolist() == pytest.approx([0.7])
    assert snap_carriers(doc, [(1, 3)], scores[:1])[0] == [(1, 3)]
    assert snap_carriers(doc, [(8, 9)], scores[:1])[0] == []


@given(st.text(alphabet="ab A1.,!»«”“\"'’/-()\n 👍🏽🇮❤\u200d\ufe0fdott", max_size=40), st.data())
def test_results_are_always_at_free_edges(text, data):
    doc = nlp(text)
    edges = classify_edges(doc)
    assert edges.shape == (len(doc),)
    probabilities = np.asarray(
        data.draw(st.lists(st.floats(0, 1, width=32), min_size=len(doc), max_size=len(doc))),
        dtype="float32",
    )
    moved = move_boundaries(doc, probabilities)
    assert not moved[edges != FREE].any()
    assert moved.max(initial=0.0) <= probabilities.max(initial=0.0)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(doc)), max_size=6)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    carriers, scores = snap_carriers(doc, pairs, probabilities[: len(pairs)])
    assert len(carriers) == len(scores)
    check_carriers(doc, edges, carriers)


def check_carriers(doc: Doc, edges: np.ndarray, carriers: list[tuple[int, int]]) -> None:
    """Carriers are not empty, do not overlap, and begin and end at edges of theirs."""
    end_of_last = 0
    for start, end in carriers:
        assert end_of_last <= start < end <= len(doc)
        end_of_last = end
        assert not doc[start].is_space
        assert not doc[end - 1].is_space
        assert not start or edges[start - 1] in (FREE, OPENING)
        assert end == len(doc) or edges[end - 1] in (FREE, CLOSING)
