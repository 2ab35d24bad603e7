"""Does a further stage on rated Italian sentences help: EmoITA's valence, XED's polarity?

    python benchmarks/rated.py --sources FOLDER --output FILE [--seeds 3] [--epochs 1]

The default backbone starts from the base, learns the valence of the sentences (each a narrative of
one unit; the other heads learn nothing from them), and then the corpus, against the same without
that stage; evaluated on the dev split. EmoITA: up to 2.75 is negative, from 4.25 positive. XED: the
lines whose emotions are of one polarity.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.training.batchers import minibatch_by_words
from spacy.training.initialize import init_nlp
from spacy.util import registry
from thinc.api import fix_random_seed
from variants import composed

from spacy_valence_ec.corpus.docs import read_docs
from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.corpus.sources import SOURCES, read_lines
from spacy_valence_ec.evaluation import evaluate
from spacy_valence_ec.files import atomic_write
from spacy_valence_ec.pipeline.units import preset_gold_units
from spacy_valence_ec.schema import FU_KEY, NEGATIVE, NEUTRAL, POSITIVE

# Not by `experiments.converters`, whose band of neutral is narrower and which keeps lines without
# emotion: docs/rated.json was measured with clear cases alone.
LOW, HIGH = 2.75, 4.25
POSITIVE_EMOTIONS, NEGATIVE_EMOTIONS = {"5", "8"}, {"1", "3", "4", "6"}  # joy, trust; anger, ...
METRICS = ("valence_macro_f", "e2e_valence_macro_f", "ec_macro_f", "fu_f")
EPOCHS = 12
HEADS = ("fu_segmenter", "valence_classifier", "ec_tagger")


def rated_sentences(sources: Path) -> Iterator[tuple[str, str]]:
    path = sources / SOURCES["emoita"].folder / "corpus" / "EmoITA.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            rating = float(row["V"])
            label = NEGATIVE if rating <= LOW else POSITIVE if rating >= HIGH else NEUTRAL
            yield row["text"].strip(), label
    for line in read_lines(sources / SOURCES["xed"].folder / "Projections" / "it-projections.tsv"):
        text, _, emotions = line.rpartition("\t")
        found = set(emotions.replace(" ", "").split(","))
        positive, negative = bool(found & POSITIVE_EMOTIONS), bool(found & NEGATIVE_EMOTIONS)
        if text and positive != negative:
            yield text.strip(), POSITIVE if positive else NEGATIVE


def one_unit(nlp: Language, text: str, label: str) -> Doc:
    doc = nlp.make_doc(text)
    doc.spans[FU_KEY] = [Span(doc, 0, len(doc), label=label)]
    return doc


def pass_over(nlp: Language, references: list[Doc], optimizer: Any, rng: Any, drop: float) -> None:
    shuffled = [references[i] for i in rng.permutation(len(references))]
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in shuffled]
    for batch in minibatch_by_words(examples, size=600, tolerance=0.2, discard_oversize=False):
        for example in batch:
            preset_gold_units(example.predicted, example)
        nlp.update(batch, drop=drop, sgd=False, losses={}, exclude=["morphologizer"])
        for name in ("tok2vec", *HEADS):
            pipe: Any = nlp.get_pipe(name)
            pipe.finish_update(optimizer)
        optimizer.step_schedules()


def run(args: argparse.Namespace, seed: int, epochs: int) -> dict[str, float | None]:
    fix_random_seed(seed)
    config = composed("small", {}, seed, args.corpus)
    nlp = init_nlp(config)
    optimizer = registry.resolve({"it": config["training"]["optimizer"]})["it"]
    rng = np.random.default_rng(seed)
    drop = config["training"]["dropout"]
    rated = [one_unit(nlp, *pair) for pair in rated_sentences(args.sources)]
    segmenter: Any = nlp.get_pipe("fu_segmenter")
    segmenter.loss_weight = 0.0  # a sentence that is one unit teaches nothing of boundaries
    for _ in range(epochs):
        pass_over(nlp, rated, optimizer, rng, drop)
    segmenter.loss_weight = 1.0
    narratives = read_docs(args.corpus / "train.spacy", nlp.vocab)
    for _ in range(EPOCHS):
        pass_over(nlp, narratives, optimizer, rng, drop)
    with nlp.use_params(optimizer.averages):
        found = evaluate(nlp, read_narratives(args.data).narratives)
    return {metric: found[metric] for metric in METRICS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sources", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=Path("data"))
    parser.add_argument("--data", type=Path, default=Path("data/dev.jsonl"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1, help="passes over the sentences")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    record: dict[str, list[dict[str, float | None]]] = {}
    for title, epochs in (("without", 0), ("with", args.epochs)):
        record[title] = [run(args, seed, epochs) for seed in range(args.seeds)]
        print(title, record[title], flush=True)
        with atomic_write(args.output) as file:
            json.dump(record, file, indent=1)


if __name__ == "__main__":
    main()
