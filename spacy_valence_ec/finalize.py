"""What a trained pipeline needs before it leaves the machine it was trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy import Language

from .base.assets import ASSETS
from .base.encoders import EMBEDDED_ENCODER
from .errors import Errors, ValenceECError
from .files import atomic_write

GENERAL_DESCRIPTION = (
    "Functional units, emotion valence and emotion carriers in personal narratives"
)
SHARE_ALIKE = "CC BY-SA 4.0"
ENCODER_LICENSE = "LICENSE-multilingual-e5-small.txt"

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
    meta: what to set in its `meta.json`, such as description and license. Its `sources` are
        written to a file LICENSES_SOURCES too.
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
    if meta.get("sources"):
        with atomic_write(path / "LICENSES_SOURCES") as handle:
            handle.write(describe_licenses(meta["sources"], nlp.config.to_str()))
    return len(set(strings) - keep)


def choose_fields(meta: dict[str, Any], narratives: str | None) -> dict[str, Any]:
    """Return the fields of `meta` that are true of a pipeline trained on `narratives`: all of them
    for the file that `meta["narratives"]` names, or where either names none. Of other narratives
    nothing is known but the sources of the base, marked `of_base`."""
    fields = {key: value for key, value in meta.items() if key != "narratives"}
    sources = fields.get("sources", [])
    own: Any = meta.get("narratives", narratives)
    if narratives is not None and Path(narratives).resolve() != Path(own).resolve():
        fields = {"description": GENERAL_DESCRIPTION, "author": "", "license": "", "url": ""}
        sources = [source for source in sources if source.get("of_base")]
    if sources:
        fields["sources"] = [
            {key: value for key, value in source.items() if key != "of_base"} for source in sources
        ]
    return fields


def describe_licenses(sources: Sequence[dict[str, str]], config: str) -> str:
    """Return the text of the file LICENSES_SOURCES, which `spacy package` puts into a package: each
    source with its license, and the notice of the encoder where the config names it."""
    lines = ["What this pipeline was made from, and under which licenses:", ""]
    lines += [f"- {s['name']} ({s.get('author', '')}): {s.get('license', '')}" for s in sources]
    if any(SHARE_ALIKE in source.get("license", "") for source in sources):
        lines += ["", f"Who passes on what was made from {SHARE_ALIKE} sources does so under it."]
    if EMBEDDED_ENCODER in config:
        notice = (ASSETS / ENCODER_LICENSE).read_text(encoding="utf-8")
        lines += ["", "multilingual-e5-small:", "", notice.rstrip()]
    return "\n".join(lines) + "\n"


def _is_safe(nlp: Language, name: str) -> bool:
    return nlp.get_pipe_meta(name).factory in SAFE_FACTORIES
