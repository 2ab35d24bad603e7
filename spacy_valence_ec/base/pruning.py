"""Encoders with a smaller vocabulary: the word pieces that the text of some languages needs."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from ..errors import Errors, ValenceECError

UNIGRAM, WORDPIECE = PRUNABLE = ("Unigram", "WordPiece")
MIN_PIECES = 500  # a vocabulary of fewer, beside single characters, cannot hold a language
OTHER_SCRIPTS = 0x370, 0x1F000  # from Greek to the blocks of emoji
BATCH = 2000  # texts that are tokenized at once
SPECIAL = (
    "unk_token",
    "pad_token",
    "cls_token",
    "sep_token",
    "mask_token",
    "bos_token",
    "eos_token",
)


@dataclass(frozen=True)
class Coverage:
    """How well the kept pieces fit the text of a language: the pieces counted in it, the share of
    them that is kept, and the share of unknown pieces when the text is tokenized with those."""

    pieces: int
    kept: float
    unknown: float


def count_pieces(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[int]:
    """How often each piece, by its id, occurs in texts."""
    counts: Counter[int] = Counter()
    for encoding in _encode(tokenizer, texts):
        counts.update(encoding)
    return counts


def choose_pieces(
    content: Mapping[str, Any],
    counts: Mapping[str, Counter[int]],
    *,
    min_count: int,
    always: Iterable[int] = (),
) -> list[int]:
    """Ids of the pieces to keep, in order: those that occur at least `min_count` times in the text
    of a language, special ones, and single characters that any text may hold (Latin letters,
    digits, punctuation, symbols, emoji), without which it would have unknown pieces.

    content: of tokenizer.json. counts: of the pieces, by language. always: ids that are kept.

    Raises: ValenceECError B014 if the text of a language has too few pieces, B015 for a tokenizer
    of another kind than Unigram or WordPiece.
    """
    kept = set(always) | {token["id"] for token in content.get("added_tokens", ())}
    for language, counted in counts.items():
        frequent = {piece for piece, n in counted.items() if n >= min_count}
        if len(frequent) < MIN_PIECES:
            message = Errors.B014.format(language=language, n=len(frequent), min_count=min_count)
            raise ValenceECError(message)
        kept |= frequent
    kept |= {i for i, piece in enumerate(vocabulary(content)) if _is_needed_character(piece)}
    return sorted(kept)


def vocabulary(content: Mapping[str, Any]) -> list[str]:
    """The pieces of tokenizer.json in the order of their ids.

    Raises: ValenceECError B015 for a tokenizer that cannot be pruned.
    """
    kind = content["model"].get("type")
    if kind not in PRUNABLE:
        raise ValenceECError(Errors.B015.format(kind=kind, known=" or ".join(PRUNABLE)))
    pieces = content["model"]["vocab"]
    if kind == UNIGRAM:
        return [piece for piece, _ in pieces]
    return sorted(pieces, key=pieces.__getitem__)


def prune_tokenizer(content: Mapping[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    """The content of tokenizer.json with some of its pieces, numbered anew in their order."""
    pruned: dict[str, Any] = json.loads(json.dumps(content))
    new = {old: i for i, old in enumerate(kept)}
    model = pruned["model"]
    if model["type"] == UNIGRAM:
        model["vocab"] = [model["vocab"][i] for i in kept]
        model["unk_id"] = new[model["unk_id"]]
    else:
        pieces = vocabulary(content)
        model["vocab"] = {pieces[old]: i for old, i in new.items()}
    for token in pruned.get("added_tokens", ()):
        token["id"] = new[token["id"]]
    processor = pruned.get("post_processor") or {}
    for token in processor.get("special_tokens", {}).values():
        token["ids"] = [new[i] for i in token["ids"]]
    for key in ("cls", "sep"):
        if key in processor:
            piece, old = processor[key]
            processor[key] = [piece, new[old]]
    return pruned


def prune_transformer(transformer: PreTrainedModel, kept: Sequence[int]) -> None:
    """Keep these rows of the embeddings of word pieces, and number them anew."""
    rows = torch.tensor(kept)
    old: Any = transformer.get_input_embeddings()
    pad = transformer.config.pad_token_id
    new = torch.nn.Embedding(
        len(kept),
        old.weight.shape[1],
        padding_idx=None if old.padding_idx is None else kept.index(old.padding_idx),
    )
    new.weight.data = old.weight.data[rows].clone()
    transformer.set_input_embeddings(new)
    transformer.config.vocab_size = len(kept)
    for key in ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"):
        value = getattr(transformer.config, key, None)
        if value is not None:
            setattr(transformer.config, key, kept.index(value) if value in kept else None)
    if pad is not None and transformer.config.pad_token_id != pad:
        # RoBERTa counts positions from behind the id of padding.
        raise AssertionError("the pieces before that of padding are always kept")


def make_fast_tokenizer(
    content: Mapping[str, Any], special: Mapping[str, str], max_length: int
) -> PreTrainedTokenizerFast:
    """A Hugging Face tokenizer from the content of tokenizer.json.

    special: the special pieces, by names such as "pad_token". max_length: pieces at once.
    """
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)),
        model_max_length=max_length,
        **{name: piece for name, piece in special.items() if name in SPECIAL},
    )


def measure_coverage(
    tokenizer: Tokenizer, counts: Counter[int], kept: Sequence[int], texts: Iterable[str]
) -> Coverage:
    """How well the kept pieces fit the text of a language.

    tokenizer: the pruned one. counts: of the pieces of the whole vocabulary in the text.
    """
    total = sum(counts.values())
    inside = set(kept)
    model = json.loads(tokenizer.to_str())["model"]
    unknown = model["unk_id"] if model["type"] == UNIGRAM else model["vocab"][model["unk_token"]]
    after = count_pieces(tokenizer, texts)
    return Coverage(
        total,
        sum(n for piece, n in counts.items() if piece in inside) / max(1, total),
        after[unknown] / max(1, sum(after.values())),
    )


def _encode(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterator[list[int]]:
    iterator = iter(texts)
    while batch := list(islice(iterator, BATCH)):
        for encoding in tokenizer.encode_batch(batch, add_special_tokens=False):
            yield encoding.ids


def _is_needed_character(piece: str) -> bool:
    character = piece.removeprefix("##").removeprefix("▁") or "▁"
    if len(character) != 1:
        return False
    category = unicodedata.category(character)
    if category[0] == "L":
        return unicodedata.name(character, "").startswith("LATIN")
    # Symbols between these blocks belong to scripts that a text in Latin letters does not use.
    is_common = ord(character) < OTHER_SCRIPTS[0] or 0x2000 <= ord(character) < 0x3000
    return category[0] in "NPSMC" and (is_common or ord(character) >= OTHER_SCRIPTS[1])
