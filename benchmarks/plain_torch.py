"""`spacy train` against a plain PyTorch loop over the same encoder and text, on the dev split.

    python benchmarks/plain_torch.py --output docs/plain_torch.json [--seeds 3] [--steps 160]

The plain loop fine-tunes the encoder of the base with three linear layers over its token vectors
(boundary, valence of the unit by mean pooling, carrier tags without a chain), AdamW, warm-up and
linear decay, the same number of batches of the same number of words, no augmentation. The pipeline
is the `joint` setting, of which only the encoder is taken from the base: both begin with heads that
have learned nothing. Records of the runs are in the output; what is there is not repeated.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_model
from torch import Tensor, nn
from variants import CONFIGS, completed

from spacy_valence_ec.base.encoders import find_model
from spacy_valence_ec.base.packed import read_packed_encoder
from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.corpus.docs import narrative_to_doc
from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.evaluation import evaluate
from spacy_valence_ec.files import atomic_write
from spacy_valence_ec.pipeline.annotations import set_carriers, set_valences
from spacy_valence_ec.pipeline.edges import move_boundaries
from spacy_valence_ec.pipeline.fu_segmenter import (
    gold_boundaries,
    units_of_boundaries,
    white_space,
)
from spacy_valence_ec.schema import EC_KEY, FU_KEY, NEUTRAL, VALENCES
from spacy_valence_ec.scorers import (
    score_carriers,
    score_functional_units,
    score_valence,
)

METRICS = ("fu_boundary_f", "fu_f", "valence_macro_f", "e2e_valence_macro_f", "ec_partial_f")
WORDS = 800  # a batch
RATE = 2e-4


class PlainTagger(nn.Module):
    """An encoder with a linear layer for each task."""

    def __init__(self) -> None:
        super().__init__()
        loaded = read_packed_encoder(str(find_model("e5-small-it")), {"use_fast": True}, {})
        self.encoder, self.tokenizer = loaded.transformer, loaded.tokenizer
        width = self.encoder.config.hidden_size
        self.boundary = nn.Linear(width, 1)
        self.valence = nn.Linear(width, len(VALENCES))
        self.carrier = nn.Linear(width, 3)  # outside, begin, inside

    def forward(self, docs: list[Doc]) -> list[Tensor]:
        """The vectors of the tokens of each Doc: the mean of their pieces."""
        words = [[token.text for token in doc] for doc in docs]
        batch = self.tokenizer(
            words,
            is_split_into_words=True,
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=512,
        )
        hidden = self.encoder(**batch).last_hidden_state
        vectors = []
        for row, doc in enumerate(docs):
            ids = torch.tensor([-1 if i is None else i for i in batch.word_ids(row)])
            member = (ids[None] == torch.arange(len(doc))[:, None]).float()
            member = member / member.sum(dim=1, keepdim=True).clamp(min=1.0)
            vectors.append(member @ hidden[row])
        return vectors


def batches(docs: list[Doc], rng: random.Random) -> Iterator[list[Doc]]:
    """Batches of about `WORDS` words, in a new order in each pass, for ever."""
    while True:
        rng.shuffle(docs)
        batch: list[Doc] = []
        for doc in docs:
            batch.append(doc)
            if sum(map(len, batch)) >= WORDS:
                yield batch
                batch = []


def loss_of(model: PlainTagger, docs: list[Doc]) -> Tensor:
    """The sum of the mean losses of the three tasks."""
    losses: list[list[Tensor]] = [[], [], []]
    functional = nn.functional
    for doc, vectors in zip(docs, model(docs), strict=True):
        target, mask = gold_boundaries(Example(doc, doc))
        keep = torch.tensor(mask)
        logits = model.boundary(vectors)[:, 0]
        gold = torch.tensor(target, dtype=torch.float32)
        losses[0].append(
            functional.binary_cross_entropy_with_logits(logits[keep], gold[keep], reduction="none")
        )
        units = list(doc.spans[FU_KEY])
        pooled = torch.stack([vectors[unit.start : unit.end].mean(dim=0) for unit in units])
        labels = torch.tensor([VALENCES.index(unit.label_) for unit in units])
        losses[1].append(functional.cross_entropy(model.valence(pooled), labels, reduction="none"))
        tags = torch.zeros(len(doc), dtype=torch.long)
        for span in doc.spans[EC_KEY]:
            tags[span.start : span.end] = 2
            tags[span.start] = 1
        losses[2].append(functional.cross_entropy(model.carrier(vectors), tags, reduction="none"))
    return torch.stack([torch.cat(parts).mean() for parts in losses]).sum()


@torch.inference_mode()
def predict(model: PlainTagger, doc: Doc, gold_units: list[Span] | None) -> None:
    """Set units (those given, or its own), valences and carriers of a Doc."""
    (vectors,) = model([doc])
    if gold_units is None:
        probabilities = torch.sigmoid(model.boundary(vectors)[:, 0]).numpy()
        boundary = move_boundaries(doc, probabilities) >= 0.5
        cuts = units_of_boundaries(white_space(doc), boundary)
    else:
        cuts = [(unit.start, unit.end) for unit in gold_units]
    doc.spans[FU_KEY] = [Span(doc, start, end) for start, end in cuts]
    pooled = torch.stack([vectors[start:end].mean(dim=0) for start, end in cuts])
    scores = torch.softmax(model.valence(pooled), dim=1).numpy()
    labels = [VALENCES[i] for i in scores.argmax(axis=1)]
    set_valences(doc, labels, scores)
    tags = model.carrier(vectors).argmax(dim=1).numpy()
    carriers: list[tuple[int, int]] = []
    for (start, end), label in zip(cuts, labels, strict=True):
        opened: int | None = None
        for i in range(start, end + 1):
            inside = i < end and tags[i] > 0 and label != NEUTRAL
            if opened is not None and (not inside or tags[i] == 1):
                carriers.append((opened, i))
                opened = None
            if inside and opened is None:
                opened = i
    set_carriers(doc, carriers, np.ones(len(carriers), dtype="float32"))


def run_plain(seed: int, steps: int, nlp: Any, docs: dict[str, list[Doc]]) -> dict[str, Any]:
    """Train and evaluate the plain loop."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    model = PlainTagger()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min(1.0, (i + 1) / 20) * max(0.0, 1 - i / steps)
    )
    model.train()
    stream = batches(list(docs["train"]), rng)
    for _ in range(steps):
        loss_of(model, next(stream)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.eval()
    own, given = [], []
    for reference in docs["dev"]:
        for examples, units in ((own, None), (given, list(reference.spans[FU_KEY]))):
            doc = nlp.make_doc(reference.text)
            predict(model, doc, units)
            examples.append(Example(doc, reference))
    result = {**score_functional_units(own), **score_carriers(own)}
    result["e2e_valence_macro_f"] = score_valence(own)["e2e_valence_macro_f"]
    result["valence_macro_f"] = score_valence(given)["e2e_valence_macro_f"]
    return result


def run_spacy(seed: int, steps: int, corpus: Path) -> dict[str, Any]:
    """Train and evaluate the pipeline, its heads from random weights."""
    config = compose_config("joint", "embedded", configs=CONFIGS, seed=seed)
    config["initialize"]["after_init"]["components"] = ["tok2vec", "morphologizer"]
    config["training"]["max_steps"] = steps
    config["training"]["eval_frequency"] = steps // 4
    config["components"]["tok2vec"]["model"]["rate_factor"] = 0.2
    nlp = init_nlp(completed(config, corpus, {}))
    with tempfile.TemporaryDirectory() as folder:
        train(nlp, Path(folder))
        best = load_model(Path(folder) / "model-best")
    return evaluate(best, read_narratives(corpus / "dev.jsonl").narratives)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=Path("data"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=160)
    args = parser.parse_args()
    runs = json.loads(args.output.read_text()) if args.output.exists() else {}
    nlp = init_nlp(completed(compose_config("joint", "embedded", configs=CONFIGS), args.corpus, {}))
    docs = {
        part: [
            narrative_to_doc(narrative, nlp)[0]
            for narrative in read_narratives(args.corpus / f"{part}.jsonl").narratives
        ]
        for part in ("train", "dev")
    }
    for seed in range(args.seeds):
        for name in ("plain PyTorch", "spacy train"):
            if str(seed) in runs.get(name, {}):
                continue
            start = time.perf_counter()
            if name == "spacy train":
                result = run_spacy(seed, args.steps, args.corpus)
            else:
                result = run_plain(seed, args.steps, nlp, docs)
            record = {key: result[key] for key in METRICS}
            record["seconds"] = round(time.perf_counter() - start)
            runs.setdefault(name, {})[str(seed)] = record
            with atomic_write(args.output) as handle:
                handle.write(json.dumps(runs, indent=1) + "\n")
    print("|", *METRICS, "seconds", sep=" | ", end=" |\n")
    for name, by_seed in runs.items():
        cells = []
        for key in (*METRICS, "seconds"):
            values = [record[key] for record in by_seed.values()]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            cells.append(f"{statistics.mean(values):.3f} ± {spread:.3f}")
        print("|", name, "|", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
