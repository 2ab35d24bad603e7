"""Narratives in tokens, for tools that know spans of whole tokens only."""

from functools import lru_cache
from typing import TYPE_CHECKING

from ..schema import EC_KEY, FU_KEY, Narrative
from .tasks import Notes

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc


def tokenized(narrative: Narrative, notes: Notes) -> "Doc":
    """The Doc of a narrative by spaCy's tokenizer of its language; what had to be snapped to tokens
    or was left with none is counted."""
    from ..corpus.docs import narrative_to_doc

    doc, snapping = narrative_to_doc(narrative, _tokenizer(narrative.lang))
    notes["edges of spans inside a token, moved out to its edge"] += sum(snapping.snapped.values())
    for key in (FU_KEY, EC_KEY):
        lost = sum(snapping.dropped.get(key, {}).values())
        notes[f"spans of '{key}' without a token of their own"] += lost
    return doc


@lru_cache(maxsize=4)
def _tokenizer(lang: str) -> "Language":
    """spaCy's tokenizer of a language; that of all languages where it has none."""
    import spacy

    try:
        return spacy.blank(lang)
    except ImportError:
        return spacy.blank("xx")
