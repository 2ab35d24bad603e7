"""Sequences of one length that hold every piece of the text once."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_texts import settings_of

from spacy_valence_ec.pretraining.packing import Batches, Packed, Separators, pack, phases

BERT = Separators(start=2, end=3, pad=0)
GPT = Separators(start=None, end=0, pad=0)
EITHER = pytest.mark.parametrize("separators", [BERT, GPT], ids=["bert", "gpt"])

documents = st.lists(
    st.lists(st.integers(5, 99), max_size=40).map(lambda ids: np.asarray(ids, dtype=np.int32)),
    min_size=1,
    max_size=8,
)


def content(packed: Packed, separators: Separators) -> list[int]:
    """All ids, without those put around the sequences and without padding."""
    found: list[int] = []
    for row, is_text in zip(packed.ids, packed.is_text, strict=True):
        ids = list(row[is_text])
        assert not any(row[~is_text])
        if separators.start is not None:
            assert ids[0] == separators.start
            assert ids[-1] == separators.end
            ids = ids[1:-1]
        found += ids
    return found


@EITHER
@settings(deadline=None)
@given(documents=documents, length=st.integers(4, 30))
def test_no_piece_is_lost_or_doubled(
    separators: Separators, documents: list[np.ndarray], length: int
) -> None:
    packed = pack(documents, length, separators)
    expected = [int(i) for document in documents for i in [*document, separators.end]]
    assert content(packed, separators) == expected
    assert packed.ids.shape == packed.is_text.shape
    assert packed.ids.shape[1] == length
    assert packed.is_text[:-1].all()  # padding at the very end only


def test_lengths_follow_their_shares() -> None:
    chosen = settings_of(
        "tiny",
        packing={"lengths": [16, 32, 128], "shares": [2.0, 1.0, 1.0]},
        training={"steps": 40, "pieces_per_step": 512},
    )
    found = phases(chosen)
    assert [(p.length, p.first, p.last, p.n_sequences) for p in found] == [
        (16, 0, 20, 32),
        (32, 20, 30, 16),
        (128, 30, 40, 4),
    ]


@EITHER
def test_a_pass_reads_each_document_as_often_as_is_set(separators: Separators) -> None:
    texts = [np.full(7 + i, 10 + i, dtype=np.int32) for i in range(6)]
    repeats = [1, 1, 2, 0, 1, 3]
    chosen = settings_of(
        "tiny",
        model={"positions": 16},
        packing={"lengths": [16], "shares": [1.0]},
        training={"steps": 60, "pieces_per_step": 32, "pieces_per_pass": 32},
    )
    batches = Batches(texts, repeats, chosen, separators)
    size = -(-batches.n_pieces // (16 - separators.around))
    rows = np.concatenate([batches[step].ids for step in range(60)])
    assert rows.shape == (120, 16)
    passes = [rows[start : start + size] for start in range(0, 120 - size, size)]
    for one in passes:
        counts = Counter(one.ravel().tolist())
        assert {10 + i: counts[10 + i] for i in range(6)} == {
            10 + i: (7 + i) * n for i, n in enumerate(repeats)
        }
    assert not np.array_equal(passes[0], passes[1])


def test_a_step_is_the_same_wherever_a_run_begins() -> None:
    texts = [np.arange(5, 30 + i, dtype=np.int32) for i in range(9)]
    chosen = settings_of("tiny")

    def batches() -> Batches:
        return Batches(texts, [2] * 9, chosen, BERT)

    whole = batches()
    expected = [whole[step].ids for step in range(chosen.training.steps)]
    for first in (29, 14, 3):
        np.testing.assert_array_equal(batches()[first].ids, expected[first])
    other = settings_of("tiny", training={"seed": 1})
    assert not np.array_equal(Batches(texts, [2] * 9, other, BERT)[0].ids, expected[0])
