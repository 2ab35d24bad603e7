"""What an encoder knows of Italian before it is fine-tuned: linear probes on frozen vectors.

    python benchmarks/probe.py training/pretrain/mini --sources sources [--pipeline it_valence_ec]

Two tasks. Tagging: the part of speech of each token of the development sets of Universal
Dependencies, by logistic regression; of each treebank, a random 30% of the sentences are scored and
the rest is learned from. Valence: the mean valence that readers gave to each sentence of EmoITA, by
ridge regression; no document lies on both sides of the split. The vector of a token is the mean of
the last hidden states of its pieces, that of a sentence the mean over its tokens.

Compared are the encoder, the same architecture with random weights, and the `tok2vec` of a spaCy
pipeline. A seed decides the splits and the random weights. The sentences of EmoITA, though not
their valences, are in the text that `valence-ec pretrain-text` prepares; those of the development
sets are not.
"""

import argparse
import csv
import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import torch
from scipy.stats import pearsonr
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers import AutoConfig, AutoModel, AutoTokenizer

from spacy_valence_ec.corpus.sources import SOURCES, emoita_document
from spacy_valence_ec.files import atomic_write

BATCH = 32
HELD_OUT = 0.3
ALPHAS = np.logspace(0, 5, 11)

Offsets = list[tuple[int, int]]
# Of a list of texts: the offsets of the pieces of each, and their vectors (n_pieces, width).
Encode = Callable[[Sequence[str]], Iterator[tuple[Offsets, np.ndarray]]]


@dataclass(frozen=True)
class Sentence:
    """A sentence of a treebank: offsets and tag of each token. A token of several words, such as
    "della", has the tags of all of them."""

    treebank: str
    text: str
    tokens: list[tuple[int, int, str]]


def read_treebank(path: Path) -> Iterator[Sentence]:
    """The sentences of a CoNLL-U file whose tokens are found in the text."""
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        lines = block.splitlines()
        text = next((line[9:] for line in lines if line.startswith("# text = ")), "")
        rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
        tokens, at, inside, tags = [], 0, 0, {row[0]: row[3] for row in rows}
        for row in rows:
            first, _, last = row[0].partition("-")
            if "." in first or (not last and int(first) <= inside):
                continue
            tag = row[3]
            if last:
                inside = int(last)
                tag = "+".join(tags[str(i)] for i in range(int(first), inside + 1))
            at = text.find(row[1], at)
            if at < 0:
                break
            tokens.append((at, at + len(row[1]), tag))
            at += len(row[1])
        if tokens and at >= 0:
            yield Sentence(path.parent.name, text, tokens)


def encode_with(folder: Path, seed: int | None) -> Encode:
    """An encoder in a folder; with a seed, the same one with random weights."""
    tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if seed is None:
        model = AutoModel.from_pretrained(folder)
    else:
        torch.manual_seed(seed)
        model = AutoModel.from_config(AutoConfig.from_pretrained(folder))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.float().to(device).eval()
    length = min(tokenizer.model_max_length, model.config.max_position_embeddings)

    def encode(texts: Sequence[str]) -> Iterator[tuple[Offsets, np.ndarray]]:
        for start in range(0, len(texts), BATCH):
            found = tokenizer(
                list(texts[start : start + BATCH]),
                return_tensors="pt",
                return_offsets_mapping=True,
                padding=True,
                truncation=True,
                max_length=length,
            )
            offsets = found.pop("offset_mapping").tolist()
            with torch.no_grad():
                states = model(**found.to(device)).last_hidden_state.float().cpu().numpy()
            for pairs, vectors in zip(offsets, states, strict=True):
                kept = [i for i, (first, last) in enumerate(pairs) if last > first]
                yield [tuple(pairs[i]) for i in kept], vectors[kept]

    return encode


def encode_with_pipeline(name: str) -> Encode:
    """The `tok2vec` of a spaCy pipeline."""
    nlp = spacy.load(name)
    nlp.select_pipes(enable=["tok2vec"])

    def encode(texts: Sequence[str]) -> Iterator[tuple[Offsets, np.ndarray]]:
        for doc in nlp.pipe(texts, batch_size=BATCH):
            yield [(token.idx, token.idx + len(token)) for token in doc], np.asarray(doc.tensor)

    return encode


def token_vectors(
    offsets: Offsets, vectors: np.ndarray, tokens: Sequence[tuple[int, int, str]]
) -> np.ndarray:
    """The mean over the pieces that share a character with each token; zeros where none does."""
    found = np.zeros((len(tokens), vectors.shape[-1]), dtype=np.float32)
    for row, (start, end, _) in enumerate(tokens):
        inside = [i for i, (first, last) in enumerate(offsets) if first < end and last > start]
        if inside:
            found[row] = vectors[inside].mean(axis=0)
    return found


def probe_tagging(encode: Encode, sentences: Sequence[Sentence], seed: int) -> dict[str, float]:
    """Accuracy for each treebank, and over all tokens."""
    encoded = encode([sentence.text for sentence in sentences])
    vectors = [
        token_vectors(*found, sentence.tokens)
        for found, sentence in zip(encoded, sentences, strict=True)
    ]
    is_test = np.random.default_rng(seed).random(len(sentences)) < HELD_OUT
    learned = [i for i in range(len(sentences)) if not is_test[i]]
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=100, tol=1e-3))
    probe.fit(
        np.concatenate([vectors[i] for i in learned]),
        [tag for i in learned for _, _, tag in sentences[i].tokens],
    )
    right: dict[str, list[bool]] = {}
    for i in np.flatnonzero(is_test):
        tags = [tag for _, _, tag in sentences[i].tokens]
        found = list(probe.predict(vectors[i]) == np.asarray(tags))
        right.setdefault(sentences[i].treebank, []).extend(found)
    scores = {f"accuracy {name}": float(np.mean(found)) for name, found in right.items()}
    return {**scores, "accuracy": float(np.mean([x for found in right.values() for x in found]))}


def probe_valence(encode: Encode, rows: Sequence[dict[str, str]], seed: int) -> dict[str, float]:
    """Pearson's correlation with the readers' valence."""
    texts = [row["text"] for row in rows]
    vectors = np.stack([found.mean(axis=0) for _, found in encode(texts)])
    gold = np.asarray([float(row["V"]) for row in rows])
    groups = [emoita_document(row["id"]) for row in rows]
    splitter = GroupShuffleSplit(n_splits=1, test_size=HELD_OUT, random_state=seed)
    ((learned, scored),) = splitter.split(vectors, groups=groups)
    probe = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
    probe.fit(vectors[learned], gold[learned])
    return {"pearson": float(pearsonr(probe.predict(vectors[scored]), gold[scored]).statistic)}


def read_emoita(sources: Path) -> list[dict[str, str]]:
    path = sources / SOURCES["emoita"].folder / "corpus" / "EmoITA.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row for row in csv.DictReader(file) if row["text"].strip()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("encoder", type=Path, help="folder of an encoder")
    parser.add_argument("--sources", type=Path, required=True, help="folder of the public corpora")
    parser.add_argument("--pipeline", help="spaCy pipeline with a tok2vec, by name or folder")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sentences", type=int, default=500, help="most of each treebank")
    parser.add_argument("--emoita", type=int, default=100_000, help="most sentences of EmoITA")
    parser.add_argument("--output", type=Path, help="JSON file")
    args = parser.parse_args()

    sentences = []
    for path in sorted(args.sources.glob("ud_*/*-ud-dev.conllu")):
        sentences += list(read_treebank(path))[: args.sentences]
    rows = read_emoita(args.sources)[: args.emoita]
    compared: dict[str, Callable[[int], Encode]] = {
        "encoder": lambda seed: encode_with(args.encoder, None),
        "untrained": lambda seed: encode_with(args.encoder, seed),
    }
    if args.pipeline:
        compared["pipeline"] = lambda seed: encode_with_pipeline(args.pipeline)
    results: dict[str, dict[str, Any]] = {}
    for name, make in compared.items():
        runs = []
        for seed in range(args.seeds):
            encode = make(seed)
            tagging = probe_tagging(encode, sentences, seed)
            runs.append({**tagging, **probe_valence(encode, rows, seed)})
        results[name] = {
            metric: {
                "mean": statistics.fmean(run[metric] for run in runs),
                "stdev": statistics.stdev(run[metric] for run in runs) if len(runs) > 1 else 0.0,
                "runs": [run[metric] for run in runs],
            }
            for metric in runs[0]
        }
    size = f"{len(sentences)} sentences of treebanks, {len(rows)} of EmoITA, {args.seeds} seeds"
    print(size)
    for name, metrics in results.items():
        shown = (
            f"{key} {found['mean']:.3f} ± {found['stdev']:.3f}" for key, found in metrics.items()
        )
        print(f"{name:10}", ", ".join(shown))
    if args.output:
        with atomic_write(args.output) as file:
            json.dump({"what": size, "encoder": args.encoder.name, **results}, file, indent=2)


if __name__ == "__main__":
    main()
