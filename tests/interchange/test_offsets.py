"""What tools count, and the original text under a changed one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrative_strategies import texts

from spacy_valence_ec.interchange.alignment import alignment, blank_illegal, normalize_line_ends
from spacy_valence_ec.interchange.offsets import (
    Counted,
    OffsetUnit,
    choose_offsets,
    edges,
    from_code_points,
    to_code_points,
    trim,
)
from spacy_valence_ec.interchange.tasks import MistakeError
from spacy_valence_ec.schema import Offsets

FAMILY = "👩‍👩‍👧"  # five code points, eight UTF-16 units, one grapheme
ALL = tuple(OffsetUnit)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("code-points", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        ("utf-16", [0, 1, -1, 2, 3, -1, 4, 5, -1, 6, 7, 8, 9, -1, 10, 11]),
        ("graphemes", [0, 1, 6, 8, 9, 10, 11]),
    ],
)
def test_the_edges_of_what_is_counted(unit: str, expected: list[int]) -> None:
    assert list(edges("a👩‍👩‍👧e\u0301 🎉b", OffsetUnit(unit))) == expected


def spans_of(text: str) -> st.SearchStrategy[list[Offsets]]:
    pairs = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))
    return st.lists(pairs.filter(lambda p: p[0] < p[1]).map(lambda p: Offsets(*p)), max_size=4)


@given(st.data())
def test_utf_16_there_and_back(data: st.DataObject) -> None:
    text = data.draw(texts)
    spans = data.draw(spans_of(text)) if text else []
    counted = from_code_points(spans, text, OffsetUnit.UTF16)
    raw = text.encode("utf-16-le")
    for span, there in zip(spans, counted, strict=True):
        covered = raw[2 * there.start : 2 * there.end].decode("utf-16-le")
        assert covered == text[span.start : span.end]
    known = edges(text, OffsetUnit.UTF16)
    assert [to_code_points(span, known) for span in counted] == spans


@given(st.data())
def test_graphemes_hold_the_span_and_come_back_whole(data: st.DataObject) -> None:
    text = data.draw(texts)
    spans = data.draw(spans_of(text)) if text else []
    known = edges(text, OffsetUnit.GRAPHEMES)
    counted = from_code_points(spans, text, OffsetUnit.GRAPHEMES)
    for span, there in zip(spans, counted, strict=True):
        back = to_code_points(there, known)
        assert back is not None
        assert back.start <= span.start < span.end <= back.end
        # No smaller stretch of whole graphemes does.
        assert back.start == max(edge for edge in known if edge <= span.start)
        assert back.end == min(edge for edge in known if edge >= span.end)
        assert from_code_points([back], text, OffsetUnit.GRAPHEMES) == [there]


@pytest.mark.parametrize("unit", ALL)
def test_the_covered_text_tells_the_unit(unit: OffsetUnit) -> None:
    text = f"{FAMILY}🎉 che gioia, poi {FAMILY} a casa"
    spans = [Offsets(7, 16), Offsets(text.index("a casa"), len(text))]
    counted = [
        Counted(there.start, there.end, text[span.start : span.end])
        for span, there in zip(spans, from_code_points(spans, text, unit), strict=True)
    ]
    assert choose_offsets(counted, text, ALL) == spans


def test_without_the_covered_text_nobody_knows() -> None:
    text = "🎉 che gioia oggi"
    with pytest.raises(MistakeError, match="--offsets") as caught:
        choose_offsets([Counted(3, 6)], text, ALL)
    assert caught.value.rule == "offsets-unknown"
    assert "gioia" not in caught.value.message
    assert choose_offsets([Counted(3, 6)], text, [OffsetUnit.UTF16]) == [Offsets(2, 5)]
    # One that only one way of counting can hold.
    assert choose_offsets([Counted(0, 17)], text, ALL) == [Offsets(0, 16)]
    # Where all ways lead to one place there is nothing to ask.
    assert choose_offsets([Counted(4, 9)], "che gioia 🎉", ALL) == [Offsets(4, 9)]


def test_what_fits_nowhere_is_told_without_the_text() -> None:
    for counted in (Counted(4, 9, "altro"), Counted(4, 90), Counted(-1, 3), Counted(5, 5)):
        with pytest.raises(MistakeError) as caught:
            choose_offsets([Counted(0, 3), counted], "che gioia", ALL)
        assert caught.value.rule == "offsets"
        assert f"{counted.start}-{counted.end}" in caught.value.message


def test_white_space_of_the_covered_text_is_not_compared() -> None:
    text = "uno  due\r\ntre"
    for covered in ("uno  due\r\ntre", "uno due\\ntre", "uno due tre"):
        assert choose_offsets([Counted(0, 13, covered)], text, ALL) == [Offsets(0, 13)]


def test_ends_of_old_files_are_those_of_the_last_character() -> None:
    text = "ieri ero felice oggi"
    for end in (14, 15):
        spans = choose_offsets([Counted(9, end, "felice")], text, ALL, inclusive=True)
        assert trim(text, spans[0]) == Offsets(9, 15)
    assert choose_offsets([Counted(9, 14)], text, ALL, inclusive=True) == [Offsets(9, 15)]


@given(st.data())
def test_a_span_keeps_its_characters_when_line_ends_change(data: st.DataObject) -> None:
    text = data.draw(texts)
    changed, move = normalize_line_ends(text)
    assert "\r" not in changed
    back = alignment(changed, text)
    for span in data.draw(spans_of(text)) if text else []:
        span = trim(text, span)
        if span.start == span.end:
            continue
        moved = move(span)
        assert (
            changed[moved.start : moved.end] == normalize_line_ends(text[span.start : span.end])[0]
        )
        assert back(moved) == span


@given(texts)
def test_what_xml_cannot_hold_moves_nothing(text: str) -> None:
    move = alignment(blank_illegal(text), text)
    assert move(Offsets(0, len(text))) == Offsets(0, len(text))


def test_another_text_is_refused_with_the_offset() -> None:
    with pytest.raises(MistakeError, match="from offset 4 on") as caught:
        alignment("che gioia", "che\n noia")
    assert "gioia" not in caught.value.message
    with pytest.raises(MistakeError, match="from offset 9 on"):
        alignment("che gioia", "che gioia!")
    assert alignment("che gioia", " che \r\ngioia ")(Offsets(2, 5)) == Offsets(3, 8)
