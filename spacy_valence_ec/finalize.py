"""What a trained pipeline needs before it leaves the machine it was trained on."""

from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy import Language

from .errors import Errors, ValenceECError
from .files import atomic_write

# Components known to look no string up that is not a label.
SAFE_FACTORIES = {
    "tok2vec",
    "fu_segmenter",
    "valence_classifier",
    "ec_tagger",
    "coupled_tagger",
    "ec_candidates",
    "generative_tagger",
    "morphologizer",
    "parser",
    "doc_cleaner",
}


def finalize_pipeline(path: Path, meta: dict[str, Any]) -> int:
    """Remove the words of the training data from a saved pipeline, and describe it.

    spaCy stores every string that it has seen in training in `vocab/strings.json`: the words of
    private narratives, names among them, would travel with the package. None is needed to
    predict.

    path: the folder of the pipeline, changed in place.
    meta: what to set in its `meta.json`, such as description and license.
    Returns: how many strings were removed.
    Raises: ValenceECError V013 if the pipeline has a component that may need its strings, M003
    if the folder is no pipeline.
    """
    try:
        nlp = spacy.load(path)
    except Exception as error:
        why = str(error) or type(error).__name__
        raise ValenceECError(Errors.M003.format(name=path, why=why)) from error
    unknown = [name for name in nlp.pipe_names if not _is_safe(nlp, name)]
    if unknown:
        raise ValenceECError(Errors.V013.format(path=path, names=", ".join(unknown)))
    keep = set(spacy.blank(nlp.meta["lang"]).vocab.strings)
    for labels in nlp.pipe_labels.values():
        keep.update(labels)
    file = path / "vocab" / "strings.json"
    strings = srsly.read_json(file)
    with atomic_write(file) as handle:
        handle.write(srsly.json_dumps(sorted(keep)))
    with atomic_write(path / "meta.json") as handle:
        handle.write(srsly.json_dumps({**nlp.meta, **meta}, indent=2))
    return len(set(strings) - keep)


def _is_safe(nlp: Language, name: str) -> bool:
    return nlp.get_pipe_meta(name).factory in SAFE_FACTORIES
