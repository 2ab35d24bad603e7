"""The spans of a group, on the tokens that a Doc has now.

`doc.retokenize()` leaves span groups as they were: their offsets of tokens are those of before, so
that spaCy gives shifted text or an IndexError. Their offsets of characters stay right.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from spacy.tokens import Doc, Span, SpanGroup

from .errors import Errors, ValenceECError


def read_spans(doc: Doc, key: str) -> list[Span]:
    """Return the spans of `doc.spans[key]` in order, [] where there is no such group.

    Raises: ValenceECError V040 if tokens were merged over the edge of a span.
    """
    if key not in doc.spans:
        return []
    try:
        spans = list(doc.spans[key])
    except IndexError:  # of more tokens than there are left
        return _lay_on_tokens(doc, key)
    return spans if all(map(_is_in_place, spans)) else _lay_on_tokens(doc, key)


def find_spans(doc: Doc, key: str, start: int, end: int) -> tuple[int, list[Span]]:
    """Return the spans of `doc.spans[key]` that share a character with [start, end) of the text,
    and the place of the first one in the group. Those of the group are in order and do not
    overlap: some are looked at, not all.

    Raises: ValenceECError V040, as `read_spans`.
    """
    if key not in doc.spans or start >= end:
        return 0, []
    try:
        found = _find(doc.spans[key], start, end)
        if all(map(_is_in_place, found[1])):
            return found
    except IndexError:
        pass
    return _find(_lay_on_tokens(doc, key), start, end)


def _find(spans: Sequence[Span] | SpanGroup, start: int, end: int) -> tuple[int, list[Span]]:
    first = bisect_right(spans, start, key=lambda span: span.end_char)
    last = bisect_left(spans, end, lo=first, key=lambda span: span.start_char)
    return first, [spans[i] for i in range(first, last)]


def _is_in_place(span: Span) -> bool:
    """Return False if the first and last token are not where the text of the span is."""
    if span.start >= span.end:
        return True
    doc = span.doc
    if span.end > len(doc):
        return False
    last = doc[span.end - 1]
    return doc[span.start].idx == span.start_char and last.idx + len(last) == span.end_char


def _lay_on_tokens(doc: Doc, key: str) -> list[Span]:
    # spaCy gives no span whose tokens are gone: the group is read on a Doc of enough tokens.
    long_enough = Doc(doc.vocab, words=["x"] * len(doc.text))
    spans = []
    for old in SpanGroup(long_enough).from_bytes(doc.spans[key].to_bytes()):
        span = doc.char_span(
            old.start_char, old.end_char, label=old.label, kb_id=old.kb_id, span_id=old.id
        )
        if span is None:
            raise ValenceECError(
                Errors.V040.format(key=key, start=old.start_char, end=old.end_char)
            )
        spans.append(span)
    return spans
