"""A GPT-2 of a tiny width in GePpeTto's file layout, and pipelines on it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy
import torch
from helpers import NARRATIVES, ROOT, WIDTH, Annotated, without_base
from spacy import Language
from spacy.training import Example
from thinc.api import Adam
from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.lexicon import N_FEATURES
from spacy_valence_ec.models.causal_lm import shim_of
from spacy_valence_ec.pipeline.generative_tagger import GenerativeTagger

NAME = "generative_tagger"
POSITIONS = 160
SETTINGS = ("single-valence", "single-ec", "two-step-valence-ec", "two-step-ec-valence", "joint")
PROMPT_TEXT = "Prima: Frase: Candidati: Valenza: Portatori: negativa neutra positiva nessuno sì no"


def save_geppetto_like(folder: Path, *, seed: int = 0, **settings: Any) -> Path:
    """Its tokenizer in vocab.json and merges.txt, without a piece for padding, the weights in a
    pickle; no settings of the tokenizer."""
    folder.mkdir(parents=True)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        [PROMPT_TEXT, *(text for text, _ in NARRATIVES)],
        vocab_size=340,
        min_frequency=1,
        show_progress=False,
        special_tokens=["<|endoftext|>"],
    )
    tokenizer.save_model(str(folder))
    config = {
        "model_type": "gpt2",
        "vocab_size": tokenizer.get_vocab_size(),
        "n_positions": POSITIONS,
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 2,
        "initializer_range": 0.1,
        **settings,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.manual_seed(seed)
    model = GPT2LMHeadModel(GPT2Config.from_json_file(folder / "config.json"))
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


def make_generative(folder: Path, setting: str = "joint", **settings: Any) -> Language:
    """A pipeline of the component alone: its units are those of the Doc."""
    nlp = spacy.blank("it")
    model = {"@architectures": "spacy_valence_ec.CausalLM.v1", "name": str(folder)}
    nlp.add_pipe(NAME, config={"model": model, "setting": setting, **settings})
    return nlp


def shrunk_generative(folder: Path, setting: str = "generative-joint", **options: Any) -> Any:
    """A composed config on a causal model, whose segmenter is tiny and needs no base."""
    config = compose_config(setting, str(folder), configs=ROOT / "configs", **options)
    config["backbone"].update(width=WIDTH + N_FEATURES, encoder_width=WIDTH)
    encoder = config["components"]["tok2vec"]["model"]["tok2vec"]
    encoder["embed"].update(attrs=["NORM", "SHAPE"], rows=[300, 100])
    encoder["embed"]["include_static_vectors"] = False
    encoder["encode"]["encode"]["depth"] = 1
    return without_base(config)


def tagger(nlp: Language) -> GenerativeTagger:
    pipe: Any = nlp.get_pipe(NAME)
    return pipe


def language_model(nlp: Language) -> Any:
    return shim_of(tagger(nlp).model).language_model


def learn(
    nlp: Language, examples: Sequence[Example], *, below: float, most: int = 200
) -> dict[str, float]:
    """Train as `spacy train` does until the loss is below `below`: that of the last step."""
    optimizer = Adam(0.01)
    losses: dict[str, float] = {}
    for _ in range(most):
        losses = {}
        nlp.update(examples, sgd=False, losses=losses)
        tagger(nlp).finish_update(optimizer)
        if losses[NAME] < below:
            break
    return losses


def with_units(nlp: Language, narratives: Sequence[Annotated]) -> list[Any]:
    """Docs with the gold units, without labels."""
    from helpers import examples_of

    return [example.predicted for example in examples_of(nlp, narratives)]
