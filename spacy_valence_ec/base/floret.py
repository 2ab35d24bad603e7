"""Subword vectors trained with floret on prepared text."""

import random
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import spacy

from ..errors import Errors, ValenceECError
from ..files import atomic_write

# Two hashes an n-gram in one table, as spaCy reads it. Words are keyed by their lower-case form.
WIDTH = 96
ROWS = 50_000
MIN_N, MAX_N = 4, 5
HASHES = 2
WINDOW = 6
MIN_COUNT = 8
NEGATIVE = 10
LEARN_RATE = 0.05

SAMPLE = 5000  # frequent words that the scale is measured on


def write_tokens(
    documents: Iterable[tuple[str, str]], repeats: Mapping[str, int], path: Path, *, seed: int = 0
) -> int:
    """Write the tokens of documents in lower case, a paragraph a line, in random order.

    documents: source and text of each; the paragraphs are set off by line feeds.
    repeats: how often the paragraphs of a source are written; once where it is not named.
    Returns: the number of tokens written.
    """
    tokenizer = spacy.blank("it").tokenizer
    lines: list[str] = []
    n_tokens = 0
    for source, text in documents:
        times = repeats.get(source, 1)
        for paragraph in filter(str.strip, text.split("\n")):
            words = [token.lower_ for token in tokenizer(paragraph) if not token.is_space]
            lines += [" ".join(words)] * times
            n_tokens += len(words) * times
    random.Random(seed).shuffle(lines)
    with atomic_write(path) as handle:
        handle.writelines(line + "\n" for line in lines)
    return n_tokens


def train_vectors(tokens: Path, output: Path, *, epochs: int = 10, threads: int = 2) -> None:
    """Train floret vectors (continuous bag of words, negative sampling) and write them in floret's
    text format, which `spacy init vectors --mode floret` reads. With more than one thread two runs
    differ a little.

    output: in a folder that is there.

    Raises: ValenceECError B004 if floret, of the extra `base`, is not installed, B006 if no word is
    frequent enough, B007 if the folder of the output is missing, B008 if the tokens are no text.
    """
    try:
        import floret
    except ImportError as error:
        raise ValenceECError(Errors.B004) from error
    if not output.parent.is_dir():
        raise ValenceECError(Errors.B007.format(path=output.parent))
    _check_text(tokens)
    options: dict[str, Any] = {
        "model": "cbow",
        "mode": "floret",
        "hashCount": HASHES,
        "bucket": ROWS,
        "minn": MIN_N,
        "maxn": MAX_N,
        "dim": WIDTH,
        "ws": WINDOW,
        "epoch": epochs,
        "minCount": MIN_COUNT,
        "neg": NEGATIVE,
        "lr": LEARN_RATE,
        "thread": threads,
        "verbose": 0,
    }
    try:
        model = floret.train_unsupervised(str(tokens), **options)
    except ValueError as error:
        raise ValenceECError(Errors.B006.format(path=tokens, n=MIN_COUNT)) from error
    deviation = np.std([model.get_word_vector(word) for word in model.words[:SAMPLE]])
    with tempfile.TemporaryDirectory(prefix=".valence-ec-", dir=output.parent) as folder:
        raw = Path(folder) / output.name
        model.save_floret_vectors(str(raw))
        _rescale(raw, output, 1.0 / float(deviation))


def _check_text(path: Path) -> None:
    """floret takes any bytes, and learns n-grams of them.

    Raises: ValenceECError B008 for a file that is not UTF-8, or that holds a zero byte.
    """
    try:
        with path.open(encoding="utf-8") as file:
            is_text = not any("\0" in line for line in file)
    except UnicodeDecodeError:
        is_text = False
    if not is_text:
        raise ValenceECError(Errors.B008.format(path=path))


def _rescale(source: Path, target: Path, factor: float) -> None:
    """Multiply the rows, so that the values of a frequent word's vector have a deviation of 1: the
    scale of what the networks add to them."""
    with source.open(encoding="utf-8") as file, atomic_write(target) as handle:
        handle.write(next(file))
        for line in file:
            row, *values = line.split()
            handle.write(" ".join([row, *(f"{float(x) * factor:.5g}" for x in values)]) + "\n")
