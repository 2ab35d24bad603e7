"""Gold spans of a reference Doc, in tokens of the predicted Doc."""

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example


def aligned_spans(example: Example, key: str) -> list[tuple[int, int, str]]:
    """(start, end, label) of each span of `example.reference.spans[key]`, in tokens of
    `example.predicted`, snapped outward where the two tokenizations differ; a span of no token
    is left out. An empty list when the group is missing."""
    reference, predicted = example.reference, example.predicted
    if key not in reference.spans:
        return []
    spans = reference.spans[key]
    if same_tokens(predicted, reference):
        return [(span.start, span.end, span.label_) for span in spans]
    aligned = []
    for span in spans:
        moved = predicted.char_span(span.start_char, span.end_char, alignment_mode="expand")
        if moved is not None and len(moved):
            aligned.append((moved.start, moved.end, span.label_))
    return aligned


def same_tokens(first: Doc, second: Doc) -> bool:
    """Whether both Docs hold the same text, split at the same places."""
    attrs: list[int | str] = ["ORTH", "SPACY"]
    return len(first) == len(second) and np.array_equal(
        first.to_array(attrs), second.to_array(attrs)
    )
