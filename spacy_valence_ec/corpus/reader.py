"""The corpus reader of the training config: DocBin files to examples."""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from spacy import Language, util
from spacy.tokens import Doc
from spacy.training import Example

from ..errors import Errors, ValenceECError
from ..pipeline.gradients import check_gradient_route
from ..pipeline.units import preset_gold_units
from ..schema import FU_KEY
from .docs import read_docs


def Corpus(
    path: Path | None,
    gold_units: bool = False,
    limit: int = 0,
    augmenter: Callable[[Language, Example], Iterable[Example]] | None = None,
    shuffle: bool = False,
) -> Callable[[Language], Iterator[Example]]:
    """Read a `.spacy` file, or all those of a folder. Docs without a token are left out, as
    spaCy's own reader does: its encoders cannot take them when frozen.

    path: what `valence-ec corpus` wrote.
    gold_units: give each predicted Doc the gold functional units, without their valence, as
        input of the components that need units (teacher forcing). Without, these components
        need `fu_segmenter` among `training.annotating_components`. In `corpora.dev` it changes
        nothing where the pipeline has a `fu_segmenter`, which sets units of its own; without
        one, the other components are evaluated on the gold units.
    limit: at most so many examples, 0 for all.
    augmenter: changes each example, such as `spacy_valence_ec.text_augmenter.v1`; null for none.
        spaCy reads the corpus once, unless `training.max_epochs` is -1: only then are the changes
        drawn anew in each pass.
    shuffle: another order in each pass, which spaCy does not make where `training.max_epochs` is
        -1. The components are then initialized with the first 100 examples.

    Before the first example it checks that the pipeline gives the shared encoder its gradient.
    Raises: ValenceECError V011 for a missing file, V012 for one that is no DocBin, V004 and
    V005 for a pipeline that would not train.
    """
    if path is None:
        raise ValenceECError(Errors.V011.format(path="`paths.train` or `paths.dev` (not set)"))
    location = util.ensure_path(path)

    def read(nlp: Language) -> Iterator[Example]:
        check_gradient_route(nlp)
        docs = (doc for file in corpus_files(location) for doc in read_docs(file, nlp.vocab))
        references: Iterable[Doc] = islice(filter(len, docs), limit or None)
        if shuffle:
            references = random.sample(found := list(references), len(found))
        for reference in references:
            predicted = nlp.make_doc(reference.text)
            example = Example(predicted, reference)
            for varied in augmenter(nlp, example) if augmenter else (example,):
                if gold_units and FU_KEY in varied.reference.spans:
                    preset_gold_units(varied.predicted, varied)
                yield varied

    return read


def corpus_files(path: Path) -> list[Path]:
    """The `.spacy` file, or all those of the folder, in order of their names.

    Raises: ValenceECError V011 if there is none.
    """
    files = sorted(path.glob("**/*.spacy")) if path.is_dir() else [path]
    if not files or not path.exists():
        raise ValenceECError(Errors.V011.format(path=path))
    return files
