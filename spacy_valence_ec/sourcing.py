"""Adding the components of one pipeline to another one."""

from collections.abc import Iterator
from typing import Any

from spacy import Language
from spacy.pipeline.tok2vec import Tok2Vec
from spacy.vectors import Vectors

from .configs import reads_vectors
from .errors import Errors, ValenceECError

OWN_FACTORIES = frozenset(
    {
        "fu_segmenter",
        "valence_classifier",
        "ec_tagger",
        "coupled_tagger",
        "generative_tagger",
        "ec_candidates",
    }
)
# What a candidate is depends on them, where they stand in front of it.
TAGGERS = frozenset({"morphologizer", "parser"})
PREFIX = "valence_"  # of names that are taken


def add_valence_pipes(nlp: Language, source: Language) -> list[str]:
    """Add the components of this package in `source` to the end of another pipeline, with the
    encoder that they listen to, and return the names that they have there.

    They are copies: neither pipeline changes the other. On the same tokens they find the same
    units, valences and carriers as in `source`. The tagger and parser of `source`, which only the
    candidates of carriers depend on, are added unless `nlp` has components that set what they set:
    then these serve. A name that is taken gets the prefix "valence_". Static vectors, where the
    components read any, are those of `source`; `doc.tensor` holds the vectors of the encoder that
    ran last.

    Raises: ValenceECError V044 if the pipelines are of two languages, V045 if `source` has no
    component of this package, V046 if `nlp` has one already, V047 if the components read static
    vectors and `nlp` has others; `nlp` is as before then.
    """
    if nlp.lang != source.lang:
        raise ValenceECError(Errors.V044.format(lang=nlp.lang, source=source.lang))
    own = [name for name in source.pipe_names if _factory(source, name) in OWN_FACTORIES]
    if not own:
        raise ValenceECError(Errors.V045.format(names=", ".join(source.pipe_names) or "none"))
    present = [name for name in nlp.component_names if _factory(nlp, name) in OWN_FACTORIES]
    if present:
        raise ValenceECError(Errors.V046.format(names=", ".join(present)))
    chosen = _choose(nlp, source, own)
    names = {name: _free_name(nlp, name) for name in chosen}
    sections: dict[str, Any] = source.config.interpolate()["components"]
    _give_vectors(nlp, source, [name for name in chosen if reads_vectors(sections[name])])
    for string in source.vocab.strings:
        nlp.vocab.strings.add(string)
    encoders = {own: encoder for encoder, own in _listening(source)}
    for name in chosen:
        _listen_to(sections[name], names.get(encoders.get(name, "")))
        _add_copy(nlp, source, name, names[name], sections[name])
    return list(names.values())


def _choose(nlp: Language, source: Language, own: list[str]) -> list[str]:
    """The components to add, in the order of `source`."""
    encoders = {encoder for encoder, listener in _listening(source) if listener in own}
    assigned = {attr for name in nlp.pipe_names for attr in nlp.get_pipe_meta(name).assigns}
    taggers = {
        name
        for name in source.pipe_names
        if _factory(source, name) in TAGGERS
        and assigned.isdisjoint(source.get_pipe_meta(name).assigns)
    }
    encoders |= {encoder for encoder, listener in _listening(source) if listener in taggers}
    return [name for name in source.pipe_names if name in {*own, *encoders, *taggers}]


def _listening(nlp: Language) -> Iterator[tuple[str, str]]:
    """Each shared encoder with each component that listens to it."""
    for name, component in nlp.pipeline:
        if isinstance(component, Tok2Vec):
            yield from ((name, listener) for listener in component.listening_components)


def _factory(nlp: Language, name: str) -> str:
    return nlp.get_pipe_meta(name).factory


def _free_name(nlp: Language, name: str) -> str:
    while name in nlp.component_names:
        name = f"{PREFIX}{name}"
    return name


def _give_vectors(nlp: Language, source: Language, readers: list[str]) -> None:
    """Give `nlp` a copy of the static vectors of `source` if some component reads them."""
    vectors: Any = source.vocab.vectors
    if not readers or nlp.vocab.vectors == vectors:
        return
    if nlp.vocab.vectors_length:
        raise ValenceECError(Errors.V047.format(names=", ".join(readers)))
    copy = Vectors(strings=nlp.vocab.strings)
    nlp.vocab.vectors = copy.from_bytes(vectors.to_bytes(exclude=["strings"]))


def _listen_to(section: Any, encoder: str | None) -> None:
    """Set the encoder that every listener in the config of a component names."""
    if not isinstance(section, dict):
        return
    if str(section.get("@architectures", "")).startswith("spacy.Tok2VecListener"):
        section["upstream"] = encoder
    for value in section.values():
        _listen_to(value, encoder)


def _add_copy(
    nlp: Language, source: Language, name: str, new_name: str, section: dict[str, Any]
) -> None:
    config = {key: value for key, value in section.items() if key != "factory"}
    added = nlp.add_pipe(section["factory"], name=new_name, config=config)
    original = source.get_pipe(name)
    if hasattr(original, "to_bytes"):
        content = original.to_bytes(exclude=["vocab"])
        added.from_bytes(content, exclude=["vocab"])  # type: ignore[attr-defined]
