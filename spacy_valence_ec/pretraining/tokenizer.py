"""Byte-level pieces learned from the text: nothing is unknown, accents and apostrophes stay."""

from collections.abc import Iterable
from typing import Any

from ..errors import Errors, ValenceECError
from .settings import BERT, Settings

PAD, UNK, CLS, SEP, MASK = BERT_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
END = "<|endoftext|>"  # the only special piece of a GPT-2: there is none for padding

# An elided word keeps its apostrophe (l', po'), a word its combining accents, and a word, a number
# or a row of signs the space before it. GPT-2's own pattern cuts 'm, 's or 't off, as English does.
WORDS = r" ?\p{L}[\p{L}\p{M}]*['’]?| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def train_tokenizer(texts: Iterable[str], settings: Settings) -> Any:
    """A byte-level BPE of `tokenizer.vocab_size` pieces, special ones included.

    The encoder's has the special pieces of BERT and puts [CLS] and [SEP] around a text; the
    decoder's is GPT-2's, without a piece for padding. Text is composed (NFC) first; decoding gives
    it back exactly.

    Raises: ValenceECError P008 if there is too little text for that many pieces.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers
    from tokenizers import pre_tokenizers as before
    from tokenizers import processors as after
    from tokenizers.trainers import BpeTrainer
    from transformers import GPT2TokenizerFast, PreTrainedTokenizerFast

    is_encoder = settings.model.type == BERT
    special = list(BERT_SPECIAL) if is_encoder else [END]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = before.Sequence(
        [
            before.Split(Regex(WORDS), behavior="isolated"),
            before.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=settings.tokenizer.vocab_size,
        min_frequency=settings.tokenizer.min_frequency,
        special_tokens=special,
        initial_alphabet=sorted(before.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    size = tokenizer.get_vocab_size()
    if size != settings.tokenizer.vocab_size:
        raise ValenceECError(Errors.P008.format(found=size, size=settings.tokenizer.vocab_size))

    trim = after.ByteLevel(trim_offsets=True)  # the space belongs to no word
    shared = {
        "model_max_length": settings.model.positions,
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
    }
    if not is_encoder:
        tokenizer.post_processor = trim
        return GPT2TokenizerFast(
            tokenizer_object=tokenizer, bos_token=END, eos_token=END, unk_token=END, **shared
        )
    around = after.TemplateProcessing(
        single=f"{CLS} $A {SEP}",
        pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
        special_tokens=[(name, special.index(name)) for name in (CLS, SEP)],
    )
    tokenizer.post_processor = after.Sequence([trim, around])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNK,
        cls_token=CLS,
        sep_token=SEP,
        mask_token=MASK,
        **shared,
    )
