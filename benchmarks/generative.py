"""Scores of all answers from a cached prefix, against one full pass for each word: in one run.

    python benchmarks/generative.py [--model mini-gpt] [--narratives 20] [--repeats 3]

The prompts are those of the joint setting, or of `--setting`, for the first narratives of the
corpus, with their gold units and the candidates of the chunk suggester. Without `--model` the model
has GPT-2's architecture, the size of `mini-gpt` and random weights: the time does not depend on
them. Both ways read the same batches, padded alike, and their scores are compared.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path

import numpy as np
import spacy
import torch
from spacy.training import Example

from spacy_valence_ec.base.encoders import find_model, is_model_name
from spacy_valence_ec.corpus.docs import narrative_to_doc
from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.generative.prompts import Query
from spacy_valence_ec.generative.scoring import Scores, score_answers, score_by_full_passes
from spacy_valence_ec.generative.templates import STEPS
from spacy_valence_ec.models.causal_lm import shim_of
from spacy_valence_ec.pipeline.units import preset_gold_units

CORPUS = Path(__file__).parents[1] / "corpus" / "narratives.jsonl"


def random_model(folder: Path, texts: list[str]) -> Path:
    """A GPT-2 of the size of `mini-gpt`, with pieces learned from some texts."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast

    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(texts, vocab_size=16384, show_progress=False)
    tokenizer.save_model(str(folder))
    GPT2TokenizerFast.from_pretrained(folder).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"n_embd": 384, "n_layer": 8, "n_head": 6, "n_inner": 1024, "n_positions": 512}
    GPT2LMHeadModel(GPT2Config(vocab_size=16384, **sizes)).save_pretrained(folder)
    return folder


def timed(score: Callable[[], list[Scores]]) -> tuple[float, list[Scores]]:
    start = time.perf_counter()
    found = score()
    return time.perf_counter() - start, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="name, folder or hub name")
    parser.add_argument("--setting", choices=list(STEPS), default="joint")
    parser.add_argument("--narratives", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    narratives = list(islice(read_narratives(CORPUS).narratives, args.narratives))
    with tempfile.TemporaryDirectory() as name:
        model_name = args.model or str(random_model(Path(name), [n.text for n in narratives]))
        if is_model_name(model_name):
            model_name = str(find_model(model_name))
        nlp = spacy.blank("it")
        model = {"@architectures": "spacy_valence_ec.CausalLM.v1", "name": model_name}
        pipe = nlp.add_pipe("generative_tagger", config={"model": model, "setting": args.setting})
        examples = []
        for narrative in narratives:
            reference, _ = narrative_to_doc(narrative, nlp)
            example = Example(nlp.make_doc(reference.text), reference)
            preset_gold_units(example.predicted, example)
            examples.append(example)
        pipe.initialize(lambda: examples)
    units = list(chain.from_iterable(pipe.units([example.predicted for example in examples])))
    lm = shim_of(pipe.model).language_model
    for step in STEPS[args.setting]:
        for unit in units:
            unit.valence = "neutral"
        queries: list[Query] = [query for unit in units for query in pipe._write(step, unit)]
        n_words = sum(len(slot.options) for query in queries for slot in query.slots)
        cached, full = [], []
        for _ in range(args.repeats):
            seconds, scores = timed(lambda: score_answers(lm, queries))  # noqa: B023
            cached.append(seconds)
            seconds, expected = timed(lambda: score_by_full_passes(lm, queries))  # noqa: B023
            full.append(seconds)
        difference = max(
            float(np.abs(p - q).max())
            for a, b in zip(scores, expected, strict=True)
            for p, q in zip(a, b, strict=True)
        )
        ratio = statistics.median(f / c for f, c in zip(full, cached, strict=True))
        print(
            f"{step}: {len(units)} units, {n_words} words scored; cached "
            f"{statistics.median(cached):.2f} s, full passes {statistics.median(full):.2f} s, "
            f"{ratio:.2f} times faster; scores differ by {difference:.1e} at most"
        )


if __name__ == "__main__":
    main()
