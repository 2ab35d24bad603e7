"""The polarity lexicon: its file, its matches, and what they say of tokens."""

import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import spacy
from helpers import HOSTILE_TEXTS
from hypothesis import example, given
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_valence_ec.base.assets import LEXICON, asset_path
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.lexicon import (
    KINDS,
    N_FEATURES,
    POLAR_KINDS,
    Entry,
    PolarityLexicon,
    feature_of,
    fold,
    parse_lexicon,
    read_lexicon_text,
)

TEXT = """\
# pattern, polarity, kind
gio*	-1	sign
gioi*	2	feeling
gioia	1	feeling
perdere il treno	-2	event
perd* il*	-1	event
il	1	sign
treno	-1	event

non	0	negator
molto	0	intensifier
"""


@pytest.fixture(scope="module")
def lexicon() -> PolarityLexicon:
    return parse_lexicon(TEXT, "test.tsv")


def found(lexicon: PolarityLexicon, text: str) -> list[tuple[int, int, str]]:
    return [(i, j, " ".join(e.words)) for i, j, e in lexicon.matches(text.split())]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("PERCHÉ", "perche"),
        ("perche'", "perche"),
        ("xké", "perche"),
        ("XKE", "perche"),
        ("nn", "non"),
        ("nooooo", "no"),
        ("all’", "all"),
        ("bello", "bello"),
        ("1000", "1000"),
        ("___", "___"),
        ("'", ""),
        ("", ""),
        ("e\u0300", "e"),
        ("🎉🎉🎉", "🎉🎉🎉"),
    ],
)
def test_fold(form: str, expected: str) -> None:
    assert fold(form) == expected


@given(st.text(max_size=20))
@example("'nnn'")
@example("İ\u0301'")
def test_fold_is_idempotent_and_ignores_case_and_composition(form: str) -> None:
    folded = fold(form)
    assert fold(folded) == folded
    assert fold(unicodedata.normalize("NFC", form)) == folded
    assert fold(unicodedata.normalize("NFD", form)) == folded
    assert not any(unicodedata.combining(char) for char in folded)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gioia", [(0, 1, "gioia")]),  # the whole word before a stem, however polar
        ("gioie Gioìre", [(0, 1, "gioi*"), (1, 2, "gioi*")]),
        ("giorno gi", [(0, 1, "gio*")]),
        # Most words first; of as many, the most letters given.
        ("perdere il treno", [(0, 3, "perdere il treno")]),
        ("perdere il posto", [(0, 2, "perd* il*")]),
        ("perdo illusioni", [(0, 2, "perd* il*")]),
        ("perdere tempo il treno", [(2, 3, "il"), (3, 4, "treno")]),
        # A match is used up: "il" belongs to the phrase before it.
        ("non perdo il treno", [(0, 1, "non"), (1, 3, "perd* il*"), (3, 4, "treno")]),
        ("", []),
    ],
)
def test_the_longest_entry_is_taken_from_the_left(
    lexicon: PolarityLexicon, text: str, expected: list[tuple[int, int, str]]
) -> None:
    assert found(lexicon, text) == expected


WORDS = st.sampled_from(["a", "b", "ab", "abc", "ba", "c"])
PATTERNS = st.lists(st.tuples(WORDS, st.booleans()), min_size=1, max_size=4)


def fits(entry: Entry, forms: list[str], i: int) -> bool:
    """By definition, without a trie."""
    if i + len(entry.words) > len(forms):
        return False
    return all(
        form.startswith(word[:-1]) if word.endswith("*") else form == word
        for word, form in zip(entry.words, forms[i:], strict=False)
    )


@given(st.lists(PATTERNS, max_size=8), st.lists(WORDS, max_size=12))
def test_matches_are_those_of_a_search_without_an_index(
    patterns: list[list[tuple[str, bool]]], forms: list[str]
) -> None:
    """In order, without overlap, inside the text, longest first, and none is missed."""
    entries = [
        Entry(tuple(word + "*" * is_stem for word, is_stem in pattern), 1, KINDS[0])
        for pattern in patterns
    ]
    end = 0
    for start, stop, entry in [
        *PolarityLexicon(entries).matches(forms),
        (len(forms), len(forms), None),
    ]:
        assert end <= start <= stop <= len(forms)
        for i in range(end, start):
            assert not any(fits(other, forms, i) for other in entries)
        if entry is not None:
            assert fits(entry, forms, start)
            longest = max(len(e.words) for e in entries if fits(e, forms, start))
            assert stop - start == len(entry.words) == longest
        end = stop


def test_features_are_those_of_the_entry_on_every_token_of_it(lexicon: PolarityLexicon) -> None:
    nlp = spacy.blank("it")
    # White space between the words of a phrase is none of it.
    doc = nlp("Non perdere  il\ntreno, molto gioiosa")
    words = [token.text for token in doc]
    assert words == ["Non", "perdere", " ", "il", "\n", "treno", ",", "molto", "gioiosa"]
    table = lexicon.features(doc)
    assert table.dtype == np.float32
    expected = np.zeros((9, N_FEATURES), dtype="float32")
    expected[0, 6] = 1.0  # negates
    expected[[1, 3, 5], 2] = 1.0  # event, bad
    expected[7, 7] = 1.0  # strengthens
    expected[8, 1] = 1.0  # feeling, good
    np.testing.assert_array_equal(table, expected)


def test_each_kind_and_sign_has_a_column_of_its_own() -> None:
    entries = [Entry(("x",), sign, kind) for kind in POLAR_KINDS for sign in (-1, 1)]
    entries += [Entry(("x",), 0, kind) for kind in KINDS if kind not in POLAR_KINDS]
    assert [feature_of(entry)[0] for entry in entries] == list(range(N_FEATURES))
    assert [feature_of(entry)[1] for entry in entries] == [0.5] * 6 + [1.0] * 2


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_features_of_hostile_texts(lexicon: PolarityLexicon, text: str) -> None:
    doc = spacy.blank("it")(text)
    table = lexicon.features(doc)
    assert table.shape == (len(doc), N_FEATURES)
    assert ((table >= 0) & (table <= 1)).all()
    assert not table[[token.i for token in doc if token.is_space]].any()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("gioia 2 feeling", "three fields"),
        ("gioia\t2", "three fields"),
        ("gioia\t2\tfeeling\t", "three fields"),
        ("uno due tre quattro cinque\t1\tevent", "one to 4 words"),
        (" \t1\tevent", "one to 4 words"),
        ("*\t1\tevent", "one to 4 words"),
        ("bella '\t1\tevent", "one to 4 words"),
        ("gioia\t2\tjoy", "feeling, event, sign, negator, intensifier"),
        ("gioia\t3\tfeeling", "-2, -1, 0, 1 or 2"),
        ("gioia\t+1\tfeeling", "-2, -1, 0, 1 or 2"),
        ("gioia\t0\tfeeling", "of every other kind"),
        ("non\t1\tnegator", "of a negator"),
    ],
)
def test_a_line_that_breaks_the_format(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text(f"# mine\n\n{line}\n", encoding="utf-8")
    pattern = rf"\[L001\] {re.escape(str(path))}:3: .*{re.escape(why)}"
    with pytest.raises(ValenceECError, match=pattern):
        read_lexicon_text(path)


def test_a_file_that_is_not_there_or_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(ValenceECError, match=r"\[M004\].*none.tsv"):
        read_lexicon_text(tmp_path / "none.tsv")
    path = tmp_path / "latin.tsv"
    path.write_bytes("felicità\t2\tfeeling\n".encode("latin-1"))
    with pytest.raises(ValenceECError, match=r"\[M006\].*offset 7"):
        read_lexicon_text(path)
    path.write_bytes("# mine\nfelicità\t2\tfeeling\r\n".encode("utf-8-sig"))
    assert found(parse_lexicon(read_lexicon_text(path), path), "FELICITA'") == [(0, 1, "felicità")]


def test_the_shipped_lexicon() -> None:
    """Valid, of some size, no pattern twice; and it knows what it should."""
    lexicon = parse_lexicon(read_lexicon_text(asset_path(LEXICON)), LEXICON)
    assert len(lexicon.entries) > 10_000
    patterns = [tuple(word.lower() for word in entry.words) for entry in lexicon.entries]
    assert len(set(patterns)) == len(patterns)
    assert {entry.kind for entry in lexicon.entries} == set(KINDS)
    nlp = spacy.blank("it")

    def sums(text: str) -> np.ndarray:
        table = lexicon.features(Doc(nlp.vocab, words=text.split()))
        return np.asarray(table.sum(axis=0))

    assert sums("che gioia")[1] > 0
    assert sums("ho paura")[0] > 0
    assert sums("non")[6] == 1
    assert sums("molto")[7] == 1
    assert not sums("il tavolo").any()
