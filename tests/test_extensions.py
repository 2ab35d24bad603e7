"""The accessors `doc._`, `span._` and `token._`."""

import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import spacy
from helpers import (
    NARRATIVES,
    annotation,
    assert_same_annotation,
    examples_of,
    initialized,
    make_nlp,
)
from hypothesis import given
from hypothesis import strategies as st
from spacy import Language
from spacy.tokens import Doc, DocBin, Span, SpanGroup, Token

from spacy_valence_ec import extensions
from spacy_valence_ec.errors import ValenceECError, ValenceECWarning
from spacy_valence_ec.extensions import install_extensions, majority_valence

LABELS = ["negative", "neutral", "positive"]
DOC_ACCESSORS = ["functional_units", "emotion_carriers", "valence", "valence_score", "valence_arc"]
SPAN_ACCESSORS = [
    "functional_units",
    "emotion_carriers",
    "valence",
    "valence_scores",
    "valence_score",
]
TOKEN_ACCESSORS = ["functional_unit", "is_emotion_carrier"]
ACCESSORS = {Doc: DOC_ACCESSORS, Span: SPAN_ACCESSORS, Token: TOKEN_ACCESSORS}


@pytest.fixture
def doc() -> Doc:
    """Units [0, 3) positive, [3, 5) negative, a space, [6, 9) positive; carriers [1, 3), [6, 7)
    and [8, 9); token 9 is white space too."""
    install_extensions()
    words = ["a", "b", "c", "d", "e", "\n", "f", "g", "h", " "]
    doc = Doc(spacy.blank("it").vocab, words=words)
    units = [(0, 3, "positive"), (3, 5, "negative"), (6, 9, "positive")]
    scores = np.asarray([[0.1, 0.2, 0.7], [0.6, 0.4, 0.0], [0.25, 0.25, 0.5]], dtype="float32")
    doc.spans["fu"] = SpanGroup(
        doc,
        name="fu",
        spans=[Span(doc, a, b, label=label) for a, b, label in units],
        attrs={"scores": scores, "labels": LABELS},
    )
    doc.spans["ec"] = SpanGroup(
        doc,
        name="ec",
        spans=[Span(doc, a, b, label="EC") for a, b in ((1, 3), (6, 7), (8, 9))],
        attrs={"scores": np.asarray([0.9, 0.8, 0.7], dtype="float32")},
    )
    return doc


def edges(spans: list[Span]) -> list[tuple[int, int]]:
    return [(span.start, span.end) for span in spans]


def test_doc_accessors(doc: Doc) -> None:
    assert edges(doc._.functional_units) == [(0, 3), (3, 5), (6, 9)]
    assert edges(doc._.emotion_carriers) == [(1, 3), (6, 7), (8, 9)]
    assert doc._.valence == "positive"
    assert doc._.valence_arc == pytest.approx([0.6, -0.6, 0.25])
    assert doc._.valence_score == pytest.approx(0.25 / 3)
    assert all(type(value) is float for value in [*doc._.valence_arc, doc._.valence_score])


@pytest.mark.parametrize(
    ("span", "units", "carriers", "valence", "score"),
    [
        ((0, 3), [(0, 3)], [(1, 3)], "positive", 0.6),
        ((1, 2), [(0, 3)], [(1, 3)], "positive", 0.6),
        ((0, 1), [(0, 3)], [], "positive", 0.6),
        ((2, 4), [(0, 3), (3, 5)], [(1, 3)], "mixed", 0.0),
        ((4, 7), [(3, 5), (6, 9)], [(6, 7)], "mixed", -0.175),
        ((7, 8), [(6, 9)], [], "positive", 0.25),
        ((0, 10), [(0, 3), (3, 5), (6, 9)], [(1, 3), (6, 7), (8, 9)], "positive", 0.25 / 3),
        ((5, 6), [], [], "", 0.0),  # white space between two units
        ((9, 10), [], [], "", 0.0),
        ((4, 4), [], [], "", 0.0),  # no token
    ],
)
def test_span_accessors(
    doc: Doc,
    span: tuple[int, int],
    units: list[tuple[int, int]],
    carriers: list[tuple[int, int]],
    valence: str,
    score: float,
) -> None:
    view = doc[slice(*span)]._
    assert edges(view.functional_units) == units
    assert edges(view.emotion_carriers) == carriers
    assert view.valence == valence
    assert view.valence_score == pytest.approx(score, abs=1e-6)
    if units:
        assert set(view.valence_scores) == set(LABELS)
        assert sum(view.valence_scores.values()) == pytest.approx(1)
        assert view.valence_scores["positive"] - view.valence_scores["negative"] == (
            pytest.approx(score, abs=1e-6)
        )
    else:
        assert view.valence_scores == {}


def test_token_accessors(doc: Doc) -> None:
    held = [None if t._.functional_unit is None else t._.functional_unit.start for t in doc]
    assert held == [0, 0, 0, 3, 3, None, 6, 6, 6, None]
    assert [t.i for t in doc if t._.is_emotion_carrier] == [1, 2, 6, 8]


def test_scores_in_another_order_of_labels(doc: Doc) -> None:
    """The columns are named by `attrs["labels"]`."""
    group = doc.spans["fu"]
    group.attrs["labels"] = LABELS[::-1]
    assert doc._.valence_arc == pytest.approx([-0.6, 0.6, -0.25])
    assert doc[0:1]._.valence_scores == pytest.approx(
        {"positive": 0.1, "neutral": 0.2, "negative": 0.7}
    )


def test_accessors_of_processed_docs_without_a_unit(trained: Language) -> None:
    for text in ("", " \n "):
        doc = trained(text)
        assert doc._.functional_units == doc._.emotion_carriers == doc._.valence_arc == []
        assert doc._.valence == "neutral"
        assert doc._.valence_score == 0.0
        assert not any(token._.is_emotion_carrier for token in doc)
        assert {token._.functional_unit for token in doc} <= {None}
        assert doc[:]._.valence == ""
        assert doc[:]._.valence_scores == {}


def test_accessors_of_a_doc_that_no_component_has_seen(trained: Language) -> None:
    for text in ("", "ciao mamma"):
        doc = trained.make_doc(text)
        span = doc[:]
        for view in (doc._, span._):
            assert view.functional_units == view.emotion_carriers == []
            assert view.valence == ""
        assert [(t._.functional_unit, t._.is_emotion_carrier) for t in doc] == [
            (None, False) for _ in doc
        ]
        needs_scores: list[Callable[[], object]] = [
            lambda: doc._.valence_score,  # noqa: B023
            lambda: doc._.valence_arc,  # noqa: B023
            lambda: span._.valence_score,  # noqa: B023
            lambda: span._.valence_scores,  # noqa: B023
        ]
        for get in needs_scores:
            with pytest.raises(ValenceECError, match=r"V003.*valence_classifier"):
                get()


def test_units_without_a_label_have_no_valence(doc: Doc) -> None:
    doc.spans["fu"] = [Span(doc, 0, 5), Span(doc, 6, 9, label="positive")]
    assert doc._.valence == doc[0:2]._.valence == doc[4:7]._.valence == ""
    assert doc[6:9]._.valence == "positive"


@given(st.lists(st.sampled_from(LABELS)))
def test_majority_of_the_labels_that_are_not_neutral(labels: list[str]) -> None:
    found = majority_valence(labels)
    difference = labels.count("positive") - labels.count("negative")
    if difference:
        assert found == ("positive" if difference > 0 else "negative")
    else:
        assert found == ("mixed" if "positive" in labels else "neutral")
    assert majority_valence([*labels, ""]) == ""


def test_nothing_but_getters() -> None:
    install_extensions()
    for kind, names in ACCESSORS.items():
        for name in names:
            _, _, getter, setter = kind.get_extension(name)
            assert getter is not None
            assert setter is None


@pytest.mark.parametrize("how", ["constructor", "call", "pipe"])
@pytest.mark.parametrize("head", ["fu_segmenter", "valence_classifier", "ec_tagger", "ec_chunks"])
def test_every_component_installs_the_accessors(how: str, head: str) -> None:
    """A spawned worker starts without them, and meets components in any of these ways."""
    nlp = initialized(make_nlp(head))
    doc = examples_of(nlp)[0].predicted
    nlp.get_pipe("tok2vec")(doc)
    for kind, names in ACCESSORS.items():
        for name in names:
            kind.remove_extension(name)
    try:
        if how == "constructor":
            make_nlp(head)
        elif how == "call":
            nlp.get_pipe(head)(doc)
        else:
            list(nlp.get_pipe(head).pipe([doc]))
        for kind, names in ACCESSORS.items():
            assert all(kind.has_extension(name) for name in names)
    finally:
        install_extensions()


def test_reading_stores_nothing(trained: Language) -> None:
    doc = trained(NARRATIVES[1][0])
    for name in DOC_ACCESSORS:
        getattr(doc._, name)
    for span in (doc[:], *doc.spans["fu"]):
        for name in SPAN_ACCESSORS:
            getattr(span._, name)
    for token in doc:
        for name in TOKEN_ACCESSORS:
            getattr(token._, name)
    assert doc.user_data == {}


def round_trips(doc: Doc, nlp: Language) -> dict[str, Doc]:
    plain = DocBin().from_bytes(DocBin(docs=[doc]).to_bytes())
    return {
        "DocBin": next(iter(plain.get_docs(nlp.vocab))),
        "DocBin, another vocabulary": next(iter(plain.get_docs(spacy.blank("it").vocab))),
        "to_bytes": Doc(nlp.vocab).from_bytes(doc.to_bytes()),
        "pickle": pickle.loads(pickle.dumps(doc)),
        "copy": doc.copy(),
    }


@pytest.mark.parametrize("row", range(len(NARRATIVES)))
def test_round_trips_keep_everything(trained: Language, row: int) -> None:
    doc = trained(NARRATIVES[row][0])
    for copy in round_trips(doc, trained).values():
        assert_same_annotation(copy, doc, exact=True)
        assert copy._.valence == doc._.valence
        assert copy._.valence_arc == doc._.valence_arc
        assert edges(copy._.emotion_carriers) == edges(doc._.emotion_carriers)
        for unit, same in zip(copy._.functional_units, doc._.functional_units, strict=True):
            assert unit._.valence_scores == same._.valence_scores


def test_joining_docs_and_json_keep_labels_but_no_scores(trained: Language) -> None:
    first, second = (trained(NARRATIVES[i][0]) for i in (0, 1))
    joined = Doc.from_docs([first, second])
    from_json = Doc(trained.vocab).from_json(first.to_json())
    assert annotation(from_json) == annotation(first)
    shifted = [(a + len(first), b + len(first), label) for a, b, label in annotation(second)["fu"]]
    assert annotation(joined)["fu"] == annotation(first)["fu"] + shifted
    for doc in (joined, from_json):
        assert doc._.valence
        assert [unit._.valence for unit in doc._.functional_units]
        for get in (lambda d: d._.valence_score, lambda d: d[:]._.valence_scores):
            with pytest.raises(ValenceECError, match=r"V003.*from_docs or JSON"):
                get(doc)


@pytest.fixture
def without_attributes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process in which nobody has defined any attribute, or was warned of one."""
    monkeypatch.setattr(extensions, "_named", set())
    for kind, names in ACCESSORS.items():
        for name in names:
            if kind.has_extension(name):
                kind.remove_extension(name)
    yield
    monkeypatch.undo()
    for kind in ACCESSORS:
        for name in [n for own in ACCESSORS[kind] for n in (own, f"ec_{own}")]:
            if kind.has_extension(name):
                kind.remove_extension(name)
    install_extensions()


def test_an_attribute_of_the_user_stays_and_is_named_once(without_attributes: None) -> None:
    Doc.set_extension("valence", default="mine")
    with pytest.warns(ValenceECWarning, match=r"W020.*doc\._\.valence:.*VALENCE_EC_EXTENSION"):
        nlp = initialized(make_nlp("fu_segmenter", "valence_classifier"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doc = nlp(NARRATIVES[0][0])
        (same,) = nlp.pipe([NARRATIVES[0][0]])
    assert doc._.valence == same._.valence == "mine"
    assert len(doc._.functional_units) == len(doc._.valence_arc) > 0
    assert extensions.get_valence(doc) in {*LABELS, "mixed"}
    # One more that is defined later, over ours.
    Span.set_extension("valence", default="mine", force=True)
    with pytest.warns(ValenceECWarning, match=r"W020\] Other code has defined span\._\.valence:"):
        nlp(NARRATIVES[0][0])


def test_a_prefix_gives_all_attributes_other_names(
    without_attributes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALENCE_EC_EXTENSION_PREFIX", "ec_")
    Doc.set_extension("valence", default="mine")
    nlp = initialized(make_nlp("fu_segmenter", "valence_classifier", "ec_tagger"))
    doc = nlp(NARRATIVES[0][0])
    assert doc._.valence == "mine"
    assert doc._.ec_valence == extensions.get_valence(doc)
    for kind, names in ACCESSORS.items():
        assert all(kind.has_extension(f"ec_{name}") for name in names)
        assert not any(kind.has_extension(name) for name in names if name != "valence")
    with pytest.raises(ValenceECError, match=r"V003.*doc\._\.ec_valence_arc"):
        nlp.make_doc("ciao")._.ec_valence_arc  # noqa: B018
    assert extensions.list_attributes("valence") == ["doc._.ec_valence", "span._.ec_valence"]
    monkeypatch.setenv("VALENCE_EC_EXTENSION_PREFIX", "ec-")
    with pytest.raises(ValenceECError, match=r"V041.*'ec-'"):
        make_nlp("fu_segmenter")


def test_an_unrelated_pipeline_gets_no_attributes() -> None:
    """spaCy imports every factory of every installed package when it makes a pipeline."""
    script = """
import spacy, sys
from spacy.tokens import Doc, Span, Token
nlp = spacy.blank("it")
assert nlp.has_factory("fu_segmenter") and "spacy_valence_ec" in sys.modules
print([name for kind in (Doc, Span, Token) for name in NAMES if kind.has_extension(name)])
nlp.add_pipe("fu_segmenter")
print(Doc.has_extension("valence"))
"""
    names = sorted({name for names in ACCESSORS.values() for name in names})
    code = f"NAMES = {names!r}\n{script}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:2] == ["[]", "True"], done.stderr


def test_analyze_pipes_lists_what_each_component_assigns_and_requires() -> None:
    nlp = make_nlp("fu_segmenter", "valence_classifier", "ec_tagger")
    found = nlp.analyze_pipes()
    summary = found["summary"]
    assert not any(found["problems"].values())
    assert {"doc.spans", "doc._.functional_units", "token._.functional_unit"} <= set(
        summary["fu_segmenter"]["assigns"]
    )
    assert set(summary["valence_classifier"]["assigns"]) == {
        "doc.spans",
        *(f"doc._.{name}" for name in ("valence", "valence_score", "valence_arc")),
        *(f"span._.{name}" for name in ("valence", "valence_score", "valence_scores")),
    }
    assert set(summary["ec_tagger"]["assigns"]) == {
        *("doc.spans", "doc._.emotion_carriers", "span._.emotion_carriers"),
        "token._.is_emotion_carrier",
    }
    assert found["attrs"]["doc._.valence"]["assigns"] == ["valence_classifier"]
    nlp.remove_pipe("fu_segmenter")
    problems = nlp.analyze_pipes()["problems"]
    assert "doc._.functional_units" in problems["valence_classifier"]
    assert "doc._.functional_units" in problems["ec_tagger"]
