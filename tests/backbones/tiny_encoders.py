"""Encoders of a tiny width and random weights, saved in the file layouts that users have."""

import json
from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import BertConfig, BertForPreTraining, RobertaConfig, RobertaModel

WIDTH = 24
LAYERS = 12

COMMON = """
    il la lo un una di del dal al ho ha sono siamo mi ti ci si che non ieri oggi poi andata andato
    medico paura felice triste gioia gesso tolto hanno finalmente casa mamma ciao bello brutto
    giorno notte
"""
WORDS = COMMON.split()
PIECES = ["##re", "##to", "##ta", "##mente", "##no"]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
PUNCTUATION = ".,;:!?'\"()-"


def save_alberto_like(folder: Path, **settings: object) -> Path:
    """An uncased BERT in AlBERTo's layout: vocab.txt, a config.json without a `model_type`, and
    the weights of the pretraining model in a pickle; no settings of the tokenizer."""
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PUNCTUATION, *LETTERS]
    vocab += [f"##{letter}" for letter in LETTERS] + PIECES + WORDS
    config = {
        "attention_probs_dropout_prob": 0.0,
        "directionality": "bidi",
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "hidden_size": WIDTH,
        "initializer_range": 0.05,
        "intermediate_size": 32,
        "max_position_embeddings": 512,
        "num_attention_heads": 2,
        "num_hidden_layers": LAYERS,
        "type_vocab_size": 2,
        "vocab_size": len(vocab),
        **settings,
    }
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.manual_seed(0)
    model = BertForPreTraining(BertConfig.from_json_file(folder / "config.json"))
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


def save_roberta_like(folder: Path) -> Path:
    """A cased RoBERTa: a byte-level BPE in vocab.json and merges.txt, safetensors weights, and
    positions that start behind the padding, as XLM-RoBERTa's do."""
    folder.mkdir(parents=True)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        [" ".join(WORDS)],
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
