"""The base, from what its training left behind: small files, checksums and a model card."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import DocBin

from ..corpus.docs import narratives_to_docs, write_docs
from ..corpus.jsonl import read_narratives
from ..corpus.split import DEV, TEST, TRAIN
from ..pretraining.settings import TextSettings
from ..pretraining.text import read_text
from .assets import LEXICON, WEIGHTS, asset_path, write_checksums
from .floret import write_tokens
from .sources import SOURCES
from .treebank import read_treebank
from .vectors import write_vectors
from .weights import write_weights

TOKENS = "tokens.txt"
TAGGER = "tagger"
SILVER = "silver"
HELD_OUT_NARRATORS = 10  # one of so many narrators of the silver narratives is held out


@dataclass(frozen=True)
class Prepared:
    """How much there is to learn from: tokens of the vectors' text, sentences of the tagger's
    parts, narratives of the parts of the silver ones."""

    tokens: int
    sentences: dict[str, int]
    narratives: dict[str, int]


def prepare_base(
    text: Path, sources: Path, silver: Path, output: Path, settings: TextSettings
) -> Prepared:
    """Write what the parts of a base are trained on.

    text: folder that `pretrain-text` wrote, for the vectors: `tokens.txt`.
    sources: folder of the public corpora, for the tagger: `tagger/{train,dev,test}.spacy`.
    silver: annotated narratives for the intermediate training: `silver/{train,dev}.spacy`. Each
        tenth narrator, by name, is held out.

    Raises: ValenceECError B001 if the treebank is not there, P005 for a text that was altered, and
    those of `read_narratives`.
    """
    for folder in (output, output / TAGGER, output / SILVER):
        folder.mkdir(parents=True, exist_ok=True)
    n_tokens = write_tokens(read_text(text).train, settings.repeats, output / TOKENS)
    sentences = {}
    for part in (TRAIN, DEV, TEST):
        docs = read_treebank(sources / SOURCES["twittiro"].folder, part)
        DocBin(docs=docs).to_disk(output / TAGGER / f"{part}.spacy")
        sentences[part] = len(docs)
    narratives = read_narratives(silver).narratives
    held_out = set(sorted({str(n.narrator) for n in narratives})[::HELD_OUT_NARRATORS])
    nlp = spacy.blank("it")
    counts = {}
    for part in (TRAIN, DEV):
        chosen = [n for n in narratives if (str(n.narrator) in held_out) == (part == DEV)]
        docs, _ = narratives_to_docs(chosen, nlp)
        write_docs(output / SILVER / f"{part}.spacy", docs)
        counts[part] = len(chosen)
    return Prepared(n_tokens, sentences, counts)


def build_base(
    vectors: Path, tagger: Path, joint: Path, output: Path, components: Sequence[str]
) -> dict[str, str]:
    """Write the files of a base, with their checksums.

    vectors: a pipeline with the floret vectors (`spacy init vectors`).
    tagger: a trained pipeline with a `morphologizer`.
    joint: a pipeline trained on the silver narratives. Where there is none yet, the base is without
        its weights: it is then what that training starts from.
    components: those of `joint` whose weights are kept.
    output: folder; the lexicon of the package is copied there if it is another one.

    Returns: name and checksum of each file.
    """
    output.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(output / WEIGHTS, ignore_errors=True)
    lexicon = asset_path(LEXICON)
    if lexicon.resolve() != (output / LEXICON).resolve():
        shutil.copyfile(lexicon, output / LEXICON)
    write_vectors(spacy.load(vectors).vocab.vectors, output)
    trained = spacy.load(tagger)
    pipe: Any = trained.get_pipe("morphologizer")
    write_weights(pipe, "morphologizer", output)
    if joint.is_dir():
        nlp = spacy.load(joint)
        for name in components:
            pipe = nlp.get_pipe(name)
            write_weights(pipe, name, output)
    return write_checksums(output)
