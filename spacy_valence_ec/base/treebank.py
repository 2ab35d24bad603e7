"""Treebanks of Universal Dependencies as training data of the tagger."""

from collections.abc import Iterator
from pathlib import Path

from spacy.tokens import Doc
from spacy.training.converters import conllu_to_docs

from ..corpus.sources import read_lines
from ..errors import Errors, ValenceECError


def read_treebank(folder: Path, part: str) -> list[Doc]:
    """The sentences of `*-ud-<part>.conllu`, a Doc each, with the universal part of speech of each
    token and nothing else. Words that are written as one ("della", "dammelo") are one token.

    Raises: ValenceECError B001 if the folder has no such file.
    """
    paths = sorted(folder.glob(f"*-ud-{part}.conllu"))
    if not paths:
        raise ValenceECError(Errors.B001.format(name=part, path=folder))
    return [doc for path in paths for doc in _sentences(path)]


def _sentences(path: Path) -> Iterator[Doc]:
    text = "\n".join(read_lines(path)) + "\n"
    for doc in conllu_to_docs(text, n_sents=1, merge_subtokens=True, no_print=True):
        yield Doc(
            doc.vocab,
            words=[token.text for token in doc],
            spaces=[bool(token.whitespace_) for token in doc],
            pos=[token.pos_ or "X" for token in doc],
        )
