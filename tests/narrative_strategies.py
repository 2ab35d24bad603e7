"""Narratives of every shape that the format allows."""

from itertools import pairwise

from hypothesis import strategies as st

from spacy_valence_ec.schema import NEUTRAL, VALENCES, Narrative, Offsets, Unit

# What people type and what breaks programs: words glued by apostrophes, emoji with modifiers and
# joiners, flags, combining marks, zero-width and right-to-left marks, line ends, NUL.
_PIECES = st.sampled_from(
    [
        "casa", "perche'", "l'acqua", "nn", "...", ",", "!?", "10.30", "www.a.it",
        " ", " ", " ", "  ", "\n", "\r\n", "\t", "\x0b", "\x1c", "\x85", "\u00a0", "\u2028",
        "\u3000", "\u200b", "\u200d", "\ufeff", "\u202e", "\u0301", "e\u0301", "\x00", "\x1b[31m",
        "\U0001f62d", "\U0001f469\U0001f3fd\u200d\U0001f52c", "\U0001f1ee\U0001f1f9", ":-)", "<3",
        "שלום", "مرحبا", "ß", "İ", "\U0010ffff",
    ]
)  # fmt: skip
_CHARACTERS = st.characters(exclude_categories=["Cs"])
texts = st.lists(_PIECES | _CHARACTERS, max_size=25).map("".join)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=5),  # lone surrogates too
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
names = texts.filter(str.strip)


@st.composite
def narratives(draw: st.DrawFn) -> Narrative:
    """A valid narrative; its offsets fall anywhere, inside tokens too."""
    text = draw(texts)
    offsets = st.integers(0, len(text))
    cuts = sorted(draw(st.sets(offsets, max_size=6)) | {0, len(text)})
    units = []
    carriers = []
    for start, end in pairwise(cuts):
        if not text[start:end].strip():
            continue
        if draw(st.booleans()):  # white space may lie in a unit or outside
            start += len(text[start:end]) - len(text[start:end].lstrip())
            end = start + len(text[start:end].strip())
        unit = Unit(start, end, draw(st.sampled_from(VALENCES)))
        units.append(unit)
        if unit.valence != NEUTRAL:
            edges = sorted(draw(st.sets(st.integers(start, end), max_size=4)))
            carriers += [Offsets(*edges[i : i + 2]) for i in range(0, len(edges) - 1, 2)]
    spans = st.tuples(offsets, offsets).filter(lambda pair: pair[0] < pair[1])
    candidates = draw(st.none() | st.lists(spans, max_size=4)) if text.strip() else None
    reserved = {"id", "narrator", "lang", "text", "units", "carriers", "candidates"}
    keys = st.text(st.characters(), max_size=5).filter(lambda key: key not in reserved)
    return Narrative(
        id=draw(names),
        text=text,
        units=tuple(units),
        carriers=tuple(c for c in carriers if text[c.start : c.end].strip()),
        candidates=candidates
        if candidates is None
        else tuple(Offsets(*pair) for pair in candidates if text[slice(*pair)].strip()),
        narrator=draw(st.none() | names),
        lang=draw(st.sampled_from(["it", "en"])),
        extra=draw(st.dictionaries(keys, json_values, max_size=3)),
    )
