"""The base, from what its training left behind: small files, checksums and a model card."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy
from spacy import Language
from spacy.attrs import LOWER
from spacy.tokens import DocBin

from ..corpus.docs import narratives_to_docs, write_docs
from ..corpus.sources import SOURCES
from ..corpus.split import DEV, TEST, TRAIN
from ..errors import Errors, ValenceECError
from ..pretraining.settings import TextSettings
from ..pretraining.text import read_text
from ..schema import Narrative
from .assets import LEXICON, WEIGHTS, asset_path, write_checksums
from .encoders import EMBEDDED_ENCODER
from .floret import write_tokens
from .treebank import read_treebank
from .vectors import write_vectors
from .weights import HEADS, write_weights

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
    text: Path,
    sources: Path,
    silver: Sequence[Narrative],
    output: Path,
    settings: TextSettings,
) -> Prepared:
    """Write what the parts of a base are trained on.

    text: folder that `pretrain-text` wrote, for the vectors: `tokens.txt`.
    sources: folder of the public corpora, for the tagger: `tagger/{train,dev,test}.spacy`.
    silver: annotated narratives, for the intermediate training: `silver/{train,dev}.spacy`
        (`prepare_silver`).

    Raises: ValenceECError B001 if the treebank is not there, P005 for a text that was altered.
    """
    # All is read before the first file is written.
    documents = read_text(text).train
    treebank = SOURCES["twittiro"].folder
    sentences = {part: read_treebank(sources / treebank, part) for part in (TRAIN, DEV, TEST)}
    (output / TAGGER).mkdir(parents=True, exist_ok=True)
    for part, docs in sentences.items():
        DocBin(docs=docs).to_disk(output / TAGGER / f"{part}.spacy")
    return Prepared(
        write_tokens(documents, settings.repeats, output / TOKENS),
        {part: len(docs) for part, docs in sentences.items()},
        prepare_silver(silver, output / SILVER),
    )


def prepare_silver(silver: Sequence[Narrative], output: Path) -> dict[str, int]:
    """Write annotated narratives for the intermediate training, `train.spacy` and `dev.spacy`: each
    tenth narrator, by name, is held out. Returns the number of narratives of each part."""
    held_out = set(sorted({str(n.narrator) for n in silver})[::HELD_OUT_NARRATORS])
    nlp = spacy.blank("it")
    output.mkdir(parents=True, exist_ok=True)
    sizes = {}
    for part in (TRAIN, DEV):
        chosen = [n for n in silver if (str(n.narrator) in held_out) == (part == DEV)]
        docs, _ = narratives_to_docs(chosen, nlp)
        write_docs(output / f"{part}.spacy", docs)
        sizes[part] = len(docs)
    return sizes


def add_encoder(joint: Path, output: Path, components: Sequence[str]) -> dict[str, str]:
    """Add the encoder of a pipeline that was trained on silver narratives to a base, in 8 bits,
    and beside it the weights of components that listen to it.

    Returns: name and checksum of each file of the base.
    Raises: ValenceECError M003 for a pipeline that is not there, has no such encoder or lacks a
    component. Nothing is written then.
    """
    from ..models.transformer_encoder import has_transformer, transformer_of
    from .packed import write_packed_encoder

    nlp = _load(joint)
    encoder = _component(joint, nlp, "tok2vec").model
    if not has_transformer(encoder):
        message = Errors.M003.format(name=joint, why="its encoder is no transformer")
        raise ValenceECError(message)
    pipes = {name: _component(joint, nlp, name) for name in components}
    folder = output / EMBEDDED_ENCODER
    shutil.rmtree(folder, ignore_errors=True)
    transformer = transformer_of(encoder)
    write_packed_encoder(transformer.transformer, transformer.tokenizer, folder)
    for name, pipe in pipes.items():
        write_weights(pipe, name, output, f"{EMBEDDED_ENCODER}/{HEADS}")
    return write_checksums(output)


def build_base(
    vectors: Path, tagger: Path, joint: Path | None, output: Path, components: Sequence[str]
) -> dict[str, str]:
    """Write the files of a base, with their checksums.

    vectors: a pipeline with the floret vectors (`spacy init vectors`).
    tagger: a trained pipeline with a `morphologizer`.
    joint: a pipeline trained on the silver narratives. None where there is none yet: the base is
        then without its weights, and what that training starts from.
    components: those of `joint` whose weights are kept.
    output: folder; the lexicon of the package is copied there if it is another one.

    Returns: name and checksum of each file.
    Raises: ValenceECError M003 for a pipeline that is not there, or lacks a component, B005 if the
    vectors are no floret table for `LOWER`. Nothing is written then.
    """
    table = _load(vectors).vocab.vectors
    if table.mode != "floret" or table.attr != LOWER:
        raise ValenceECError(Errors.B005.format(path=vectors))
    pipes = [("morphologizer", _component(tagger, _load(tagger), "morphologizer"))]
    if joint is not None:
        nlp = _load(joint)
        pipes += [(name, _component(joint, nlp, name)) for name in components]
    output.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(output / WEIGHTS, ignore_errors=True)
    lexicon = asset_path(LEXICON)
    if lexicon.resolve() != (output / LEXICON).resolve():
        shutil.copyfile(lexicon, output / LEXICON)
    write_vectors(table, output)
    for name, pipe in pipes:
        write_weights(pipe, name, output)
    return write_checksums(output)


def _load(path: Path) -> Language:
    try:
        return spacy.load(path)
    except Exception as error:
        why = str(error) or type(error).__name__
        raise ValenceECError(Errors.M003.format(name=path, why=why)) from error


def _component(path: Path, nlp: Language, name: str) -> Any:
    if not nlp.has_pipe(name):
        why = f"it has no component '{name}'"
        raise ValenceECError(Errors.M003.format(name=path, why=why))
    return nlp.get_pipe(name)
