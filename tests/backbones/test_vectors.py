"""No token is left without a vector but those that the encoder's tokenizer drops."""

import re
import warnings
from pathlib import Path

import pytest
from helpers import HOSTILE_TEXTS, unannotated
from spacy import Language
from spacy.tokens import Doc
from tiny_pipelines import Initialize, tokenizer
from transformers import BertTokenizerFast, RobertaTokenizerFast

from spacy_valence_ec import ValenceECWarning
from spacy_valence_ec.text_view import blank_tokens

TEXTS = [
    *HOSTILE_TEXTS,
    "L’amica dell’amico … c’è 😭 🇮🇹 e po’ d’altro “così”, perché no?",
    "perche\u0301 \u0301 ma\u0303 \u0302\u0303 no",
    "a\u200bb \u200b \u200d \ufeff \u00ad fine \x00 \x01\x02 \x7f",
    "שלום עולם \u202e بيت \u202c \u200f fine",
    "  due  spazi \n\n\t riga \u00a0 \u3000 fine ",
    "mamma ciao " * 350,  # several windows, more than 512 pieces
    "zq" * 150 + " ciao mamma",
    "ciao mamma " + "zq" * 2500,
    "https://www.esempio.it/" + "a-b." * 100 + " ciao",
]


def dropped(nlp: Language, doc: Doc) -> set[int]:
    """The tokens that the tokenizer, reading each alone, turns into nothing."""
    if not len(doc):
        return set()
    pieces = tokenizer(nlp)([token.text for token in doc], add_special_tokens=False)["input_ids"]
    return {i for i, ids in enumerate(pieces) if not ids}


def stands_alone(doc: Doc, i: int) -> bool:
    """Whether there is white space, or nothing, on both sides of a token: inside a word a piece
    may cover it, such as the joiner of an emoji."""
    before, after = doc.text[: doc[i].idx], doc.text[doc[i].idx + len(doc[i]) :]
    return not before[-1:].strip() and not after[:1].strip()


def read(nlp: Language, text: str) -> tuple[Doc, set[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        doc = nlp(text)
    assert {warning.category for warning in caught} <= {ValenceECWarning}
    return doc, {str(warning.message) for warning in caught}


def zero_vectors(doc: Doc) -> list[int]:
    return [token.i for token in doc if not doc.tensor[token.i].any()]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:20]))
def test_only_dropped_tokens_have_no_vector_and_are_counted(nlp: Language, text: str) -> None:
    doc, messages = read(nlp, text)
    zeros = zero_vectors(doc)
    unread = dropped(nlp, doc)
    assert set(zeros) <= unread
    assert set(zeros) >= {i for i in unread if stands_alone(doc, i)}
    counted = [i for i in zeros if not blank_tokens(doc)[i]]
    if counted:
        (message,) = messages
        assert re.search(rf"\[W002\] {len(counted)} of {len(doc)} tokens", message)
    else:
        assert not messages


@pytest.mark.parametrize("token", list("\u200b\ufeff\u202e\u00ad"))
def test_invisible_characters_have_no_vector_and_no_warning(nlp: Language, token: str) -> None:
    doc, messages = read(nlp, f"ciao {token} mamma")
    assert [doc[i].text for i in zero_vectors(doc)] == [token]
    assert not messages


@pytest.mark.parametrize("token", list("\x00\x07\u0301"))
def test_an_uncased_bert_drops_control_and_combining_characters(nlp: Language, token: str) -> None:
    doc, (message,) = read(nlp, f"ciao {token} mamma")
    assert [doc[i].text for i in zero_vectors(doc)] == [token]
    assert "[W002] 1 of 3 tokens" in message


@pytest.mark.parametrize(
    "token", ["😭", "🇮🇹", "👩🏽‍🔬", "…", "’", "“", "e\u0301", "a\u200bb", "שלום", "\U0010ffff", "#"]
)
def test_an_uncased_bert_reads_what_it_does_not_know(nlp: Language, token: str) -> None:
    doc, messages = read(nlp, f"ciao {token} mamma")
    assert len(doc) >= 3
    assert not zero_vectors(doc)
    assert not messages


def test_white_space_has_no_vector_no_warning_and_no_loss(nlp: Language) -> None:
    head = nlp.get_pipe("fu_segmenter")
    text = "Ieri sono andata\n\ndal medico. \t Oggi no. "
    example = unannotated(nlp, text, [(0, 3)])
    example.reference.spans["fu"] = [example.reference[0:7], example.reference[7:11]]
    doc, messages = read(nlp, text)
    spaces = [token.i for token in doc if token.is_space]
    assert spaces == zero_vectors(doc)
    assert len(spaces) == 2
    assert not messages

    logits = head.model.predict([doc])  # type: ignore[attr-defined]
    _, (gradient,) = head.get_loss([example], logits)  # type: ignore[attr-defined]
    assert not gradient[spaces].any()
    words = [token.i for token in doc if not token.is_space]
    assert gradient[words[:-1]].all()


def test_a_byte_level_encoder_drops_nothing(roberta_like: Path, initialize: Initialize) -> None:
    nlp = initialize(roberta_like)
    assert isinstance(tokenizer(nlp), RobertaTokenizerFast)
    for text in TEXTS:
        if "zq" * 2500 in text:
            continue  # alone longer than the encoder reads at once: the next test
        doc, messages = read(nlp, text)
        assert blank_tokens(doc)[zero_vectors(doc)].all(), text
        assert not messages


def test_what_is_cut_off_behind_an_endless_token_is_counted(
    roberta_like: Path, initialize: Initialize
) -> None:
    nlp = initialize(roberta_like)
    doc, (message,) = read(nlp, "mamma " * 20 + "zq" * 2500 + " ciao mamma" * 100)
    zeros = zero_vectors(doc)
    assert doc[20].text == "zq" * 2500
    assert zeros == list(range(21, 96))  # up to where the next window starts
    assert f"[W002] {len(zeros)} of {len(doc)} tokens" in message


def test_a_vocabulary_alone_gives_a_fast_tokenizer_of_a_set_length(
    alberto_like: Path, initialize: Initialize
) -> None:
    assert {path.name for path in alberto_like.iterdir()} == {
        "vocab.txt",
        "config.json",
        "pytorch_model.bin",
    }
    loaded = tokenizer(initialize(alberto_like))
    assert isinstance(loaded, BertTokenizerFast)
    assert loaded.model_max_length == 512
    assert loaded.tokenize("PERCHÉ") == loaded.tokenize("perche")
    # Without the setting there would be no limit, and a crash behind the last position.
    assert BertTokenizerFast.from_pretrained(alberto_like).model_max_length > 10**9


def test_a_slow_tokenizer_would_lose_words(alberto_like: Path, initialize: Initialize) -> None:
    """Why `use_fast = true` is set."""
    doc, (message,) = read(initialize(alberto_like, use_fast=False), "Non dormo 😭 … ciao 🇮🇹")
    lost = [doc[i].text for i in zero_vectors(doc)]
    assert lost == ["😭", "…", "🇮", "🇹"]
    assert f"[W002] {len(lost)} of {len(doc)} tokens" in message
