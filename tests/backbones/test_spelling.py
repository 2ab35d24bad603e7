"""The same narrative gets the same answer however it is spelled, from either kind of encoder."""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import (
    NARRATIVES,
    Annotated,
    annotate,
    assert_same_numbers,
    gradients,
    initialized,
    shrunk_config,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_model_from_config
from tiny_pipelines import Initialize

from spacy_valence_ec.explanation.attribution import Explainer
from spacy_valence_ec.pipeline.units import preset_gold_units
from spacy_valence_ec.text_view import blank_tokens

TEXT = (
    'Ieri sono andata dal medico, perché l\'amico ha detto "vai"! Finalmente mi hanno tolto il '
    "gesso e ciao.\nChe felice giorno 👩‍👩‍👧, però la notte no."
)
LOWER = TEXT.replace("\n", " ").lower()

# The text that is read, and another spelling of it, word by word.
RESPELLINGS: dict[str, tuple[str, str]] = {
    "two spaces": (TEXT, TEXT.replace(" ", "  ")),
    "no-break spaces": (TEXT, TEXT.replace(" ", "\u00a0")),
    "tabs": (TEXT, TEXT.replace(" ", "\t")),
    "wide spaces": (TEXT, TEXT.replace(" ", "\u3000", 3).replace(" ", " \u2009 ")),
    "white space around": (TEXT, f" \t{TEXT} "),
    "line ends": (TEXT, TEXT.replace("\n", " \r\n")),
    "line separators": (TEXT, TEXT.replace("\n", "\u2028")),
    "soft hyphens": (TEXT, TEXT.replace("ed", "e\u00add").replace("al", "a\u00adl")),
    "zero width": (TEXT, TEXT.replace("o d", "\u2060o \u200bd").replace("mi", "m\u200bi")),
    "zero width alone": (TEXT, TEXT.replace(" mi ", " \u200b mi \ufeff ")),
    "NFD": (TEXT, unicodedata.normalize("NFD", TEXT)),
    "typographic": (TEXT, TEXT.replace("'", "’").replace('"v', "“v").replace('i"', "i”")),
    "capitals": (LOWER, LOWER.upper()),
}


@pytest.fixture(scope="module", params=["small", "coupled", "roberta", "alberto"])
def nlp(
    request: pytest.FixtureRequest, roberta_like: Path, alberto_like: Path, initialize: Initialize
) -> Language:
    """Pipelines with random weights."""
    if request.param in ("small", "coupled"):
        setting = "joint" if request.param == "small" else "joint-coupled"
        found = initialized(load_model_from_config(shrunk_config(setting=setting), auto_fill=True))
    else:
        folder = roberta_like if request.param == "roberta" else alberto_like
        found = initialized(initialize(folder))
    if found.has_pipe("ec_tagger"):
        found.get_pipe("ec_tagger").threshold = 0.0  # type: ignore[attr-defined]
    return found


def analyze(nlp: Language, text: str) -> Doc:
    """The Doc with boundaries after every fourth word: random weights would set none or all."""
    doc = nlp.make_doc(text)
    for name, pipe in nlp.pipeline:
        doc = pipe(doc)
        if name == "fu_segmenter":
            words = np.flatnonzero(~blank_tokens(doc)).tolist()
            ends = [*words[4::4], len(doc)]
            starts = [words[0], *ends[:-1]]
            doc.spans["fu"] = [doc[s:e] for s, e in zip(starts, ends, strict=True)]
    return doc


def answer(doc: Doc) -> dict[str, list[Any]]:
    """What was said of a Doc, in words."""
    words = np.flatnonzero(~blank_tokens(doc))
    return {
        key: [
            (*np.searchsorted(words, (span.start, span.end)).tolist(), span.label_)
            for span in group
        ]
        for key, group in doc.spans.items()
    }


@pytest.mark.parametrize("name", RESPELLINGS)
def test_word_by_word_the_same_vectors_and_answers(nlp: Language, name: str) -> None:
    text, other = RESPELLINGS[name]
    first, second = analyze(nlp, text), analyze(nlp, other)
    assert second.text == other
    assert text != other
    words, others = ~blank_tokens(first), ~blank_tokens(second)
    assert first.tensor[words].any(axis=1).all()
    assert_same_numbers(first.tensor[words], second.tensor[others])
    assert answer(first) == answer(second)
    assert first.spans["ec"], "nothing would be compared"
    for key in ("fu", "ec"):
        assert_same_numbers(first.spans[key].attrs["scores"], second.spans[key].attrs["scores"])


@pytest.mark.parametrize("name", RESPELLINGS)
def test_units_are_cut_at_the_same_words(nlp: Language, name: str) -> None:
    found = []
    segmenter: Any = nlp.get_pipe("fu_segmenter")
    for text in RESPELLINGS[name]:
        doc = nlp.get_pipe("tok2vec")(nlp.make_doc(text))  # type: ignore[operator]
        (probabilities,) = segmenter.predict([doc])
        visible = [token.i for token in doc if not token.is_space]
        ends = [visible[k] for k in range(len(visible)) if is_last_of_word(doc, visible, k)]
        found.append(probabilities[ends])
    assert_same_numbers(*found)


def is_last_of_word(doc: Doc, visible: list[int], k: int) -> bool:
    """Whether no invisible token follows, which belongs to the word before it."""
    return k + 1 == len(visible) or not blank_tokens(doc)[visible[k + 1]]


def test_clean_text_is_read_as_without_views(nlp: Language) -> None:
    encoder: Any = nlp.get_pipe("tok2vec")
    docs = [nlp.make_doc(text) for text in (TEXT, *(text for text, _ in NARRATIVES if text))]
    docs = [doc for doc in docs if not doc.text.isspace()]
    plain, _ = encoder.model._func.args[0](encoder.model, docs, False)
    for vectors, expected in zip(encoder.model.predict(docs), plain, strict=True):
        np.testing.assert_array_equal(vectors, expected)


def respelled(narrative: Annotated, respell: Callable[[str], str]) -> Annotated:
    text, units = narrative
    return respell(text), [
        (respell(unit), valence, [respell(carrier) for carrier in carriers])
        for unit, valence, carriers in units
    ]


def test_training_sees_the_same(nlp: Language) -> None:
    results = []
    for respell in (str, lambda text: text.replace(" ", "  "), lambda t: t.replace("e", "e\u00ad")):
        examples = []
        for narrative in NARRATIVES[:3]:
            reference = annotate(nlp, respelled(narrative, respell))
            example = Example(nlp.make_doc(reference.text), reference)
            preset_gold_units(example.predicted, example)
            examples.append(example)
        torch.manual_seed(0)  # of dropout in a transformer
        losses = nlp.update(examples, sgd=False)
        grads = [gradients(pipe.model) for name, pipe in nlp.pipeline if hasattr(pipe, "model")]
        results.append((losses, [array for of_pipe in grads for array in of_pipe]))
        clear(nlp)
    (losses, grads), *others = results
    assert sum(np.abs(array).sum() for array in grads) > 0
    for other_losses, other_grads in others:
        assert other_losses == pytest.approx(losses, rel=1e-3)
        for array, other in zip(grads, other_grads, strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-3, atol=1e-4)


def clear(nlp: Language) -> None:
    for _, pipe in nlp.pipeline:
        for node in getattr(pipe, "model", None).walk() if hasattr(pipe, "model") else ():
            for name in node.param_names:
                if node.has_grad(name):
                    node.set_grad(name, np.zeros_like(node.get_param(name)))
            for shim in node.shims:
                for parameter in shim._model.parameters():
                    parameter.grad = None


def test_explanations_are_the_same(nlp: Language) -> None:
    if "valence_classifier" not in nlp.pipe_names:
        pytest.skip("explains the component valence_classifier")
    explainer = Explainer(nlp)
    text, other = RESPELLINGS["two spaces"]
    docs = [analyze(nlp, text), analyze(nlp, other)]
    found = [explainer.explain(doc, units=[1], steps=4)[0] for doc in docs]
    shown = [
        each.scores[~blank_tokens(doc)[each.start : each.end]]
        for each, doc in zip(found, docs, strict=True)
    ]
    np.testing.assert_allclose(*shown, rtol=1e-3, atol=1e-4)
    assert found[0].logit == pytest.approx(found[1].logit, abs=1e-4)


SPACES = st.text(alphabet=" \t\u00a0\u2009\u3000\f\v", min_size=1, max_size=3)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SPACES, min_size=22, max_size=22))
def test_any_white_space_between_words(nlp: Language, spaces: list[str]) -> None:
    parts = TEXT.split(" ")
    spaces = (spaces * 2)[: len(parts) - 1]
    other = "".join(a + b for a, b in zip(parts, [*spaces, ""], strict=True))
    first, second = analyze(nlp, TEXT), analyze(nlp, other)
    assert answer(first) == answer(second)
    assert_same_numbers(first.tensor[~blank_tokens(first)], second.tensor[~blank_tokens(second)])


ANYTHING = "aeè O’'“.,!\n\r\t\u00a0\u2028\u0301\u00ad\u200b\u200d\ufeff👩"


# An uncased BERT drops an accent that stands alone, and says so.
@pytest.mark.filterwarnings("ignore:\\[W002\\]")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=ANYTHING, max_size=40))
def test_offsets_are_those_of_the_text_as_given(nlp: Language, text: str) -> None:
    doc = nlp(text)
    assert doc.text == text
    covered = np.zeros(len(text), dtype=bool)
    for unit in doc.spans["fu"]:
        assert text[unit.start_char : unit.end_char] == unit.text
        assert unit.text.strip()
        covered[unit.start_char : unit.end_char] = True
    if doc.spans["fu"]:
        assert all(
            character.isspace() for character, is_in in zip(text, covered, strict=True) if not is_in
        )
    units = [(unit.start_char, unit.end_char) for unit in doc.spans["fu"]]
    for carrier in doc.spans["ec"]:
        assert any(s <= carrier.start_char < carrier.end_char <= e for s, e in units)
