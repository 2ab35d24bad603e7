"""Encoders of a tiny width and random weights, saved in the file layouts that users have."""

import json
from pathlib import Path

WIDTH = 24
LAYERS = 12

WORDS = """
    e il la lo un una di del dal al ho ha è sono siamo mi ti ci si che non ieri oggi poi più
    andata andato medico paura felice triste gioia gesso tolto hanno finalmente casa mamma
    piango rido bello brutto giorno notte
""".split()
PIECES = ["##re", "##to", "##ta", "##mente", "##no"]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
PUNCTUATION = ".,;:!?'\"()-"


def save_alberto_like(folder: Path, *, words: int = 0, **config: object) -> Path:
    """An uncased BERT in AlBERTo's layout: vocab.txt, config.json without a `model_type`, and
    the pickled weights of the pretraining model; no settings of the tokenizer.

    words: leave out all the ordinary words but so many, so that a word is cut into letters.
    """
    import torch
    from transformers import BertConfig, BertForPreTraining

    folder.mkdir(parents=True)
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PUNCTUATION, *LETTERS]
    vocab += [f"##{letter}" for letter in LETTERS] + PIECES
    vocab += [word for word in WORDS if len(word) > 1 and word.isascii()]
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    settings = {
        "attention_probs_dropout_prob": 0.1,
        "directionality": "bidi",
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": WIDTH,
        "initializer_range": 0.2,
        "intermediate_size": 32,
        "max_position_embeddings": 512,
        "num_attention_heads": 2,
        "num_hidden_layers": LAYERS,
        "type_vocab_size": 2,
        "vocab_size": len(vocab),
        **config,
    }
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    torch.manual_seed(0)
    model = BertForPreTraining(BertConfig.from_json_file(folder / "config.json"))
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


def save_roberta_like(folder: Path) -> Path:
    """A cased RoBERTa whose byte-level BPE is saved as vocab.json and merges.txt, and whose
    weights are safetensors. Its positions start behind the padding, as XLM-RoBERTa's do."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaModel

    folder.mkdir(parents=True)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        [" ".join(WORDS)] * 3,
        vocab_size=400,
        min_frequency=1,
        show_progress=False,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    )
    tokenizer.save_model(str(folder))
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=WIDTH,
        intermediate_size=32,
        num_attention_heads=2,
        num_hidden_layers=2,
        max_position_embeddings=514,
        type_vocab_size=1,
        initializer_range=0.2,
    )
    RobertaModel(config).save_pretrained(folder)
    return folder
