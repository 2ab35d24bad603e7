"""Pieces that lose nothing, in the layouts of a BERT and a GPT-2."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_texts import settings_of
from transformers import AutoTokenizer, GPT2TokenizerFast, PreTrainedTokenizerFast

from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.pretraining.tokenizer import train_tokenizer

TEXTS = [
    "Perché l'amica dell’amico c'è già stata, un po' come te, perché è così.",
    "L'ultima domenica di settembre l'autobus non è passato, e sono rimasta a piedi.",
] * 5
TRAINED = {
    name: train_tokenizer(TEXTS, settings_of(name, tokenizer={"vocab_size": 310}))
    for name in ("tiny", "tiny-gpt")
}
# Lone surrogates are no text: neither UTF-8 nor spaCy can hold them.
unicode_text = st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None)
@given(unicode_text)
def test_decoding_gives_the_composed_text_back(text: str) -> None:
    for tokenizer in TRAINED.values():
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == unicodedata.normalize("NFC", text)


@settings(deadline=None)
@given(unicode_text)
def test_every_character_but_white_space_lies_in_a_piece(text: str) -> None:
    for tokenizer in TRAINED.values():
        found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        covered = {i for start, end in found["offset_mapping"] for i in range(start, end)}
        assert covered >= {i for i, char in enumerate(text) if not char.isspace()}


def test_accents_apostrophes_and_case_are_kept() -> None:
    pieces = TRAINED["tiny"].tokenize("Perché l'amica po' c’è")
    shown = TRAINED["tiny"].convert_tokens_to_string(pieces)
    assert shown == "Perché l'amica po' c’è"
    # An elided word is one piece with its apostrophe, and no English ending is cut off.
    assert pieces[1] == "Ġl'"
    cut = TRAINED["tiny-gpt"].backend_tokenizer.pre_tokenizer.pre_tokenize_str("l'amica 'tutto'")
    assert [piece for piece, _ in cut] == ["l'", "amica", "Ġ'", "tutto'"]


def saved(name: str, folder: Path) -> Any:
    TRAINED[name].save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def test_the_encoders_has_the_special_pieces_of_bert(tmp_path: Path) -> None:
    tokenizer = saved("tiny", tmp_path)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    assert len(tokenizer) == 310
    assert tokenizer.convert_ids_to_tokens(range(5)) == [
        *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    ]
    assert tokenizer.pad_token_id == 0
    assert tokenizer.mask_token == "[MASK]"
    assert tokenizer.model_max_length == 128
    found = tokenizer("sì", "no")
    assert tokenizer.decode(found["input_ids"]) == "[CLS]sì[SEP]no[SEP]"
    assert found["token_type_ids"][-1] == 1


def test_the_decoders_has_the_layout_of_gpt2_and_no_piece_for_padding(tmp_path: Path) -> None:
    tokenizer = saved("tiny-gpt", tmp_path)
    assert isinstance(tokenizer, GPT2TokenizerFast)
    assert {"vocab.json", "merges.txt", "tokenizer.json"} <= {p.name for p in tmp_path.iterdir()}
    assert len(json.loads((tmp_path / "vocab.json").read_text("utf-8"))) == 310
    assert "pad_token" not in tokenizer.special_tokens_map
    assert tokenizer.bos_token == tokenizer.eos_token == tokenizer.unk_token == "<|endoftext|>"
    assert tokenizer("sì")["input_ids"] == tokenizer("sì", add_special_tokens=False)["input_ids"]


def test_too_little_text_for_so_many_pieces() -> None:
    with pytest.raises(ValenceECError, match=r"P008.* of 9000 pieces"):
        train_tokenizer(TEXTS, settings_of("tiny", tokenizer={"vocab_size": 9000}))
