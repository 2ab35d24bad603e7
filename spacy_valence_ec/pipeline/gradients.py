"""Two silent traps of listening components, refused before training starts."""

from collections.abc import Iterator

from spacy import Language
from spacy.pipeline.tok2vec import Tok2Vec

from ..errors import Errors, ValenceECError


def check_gradient_route(nlp: Language) -> None:
    """Check that the shared encoder will be trained, and that what annotates during training
    sees its vectors.

    - The last listener in the pipeline drives the backward pass of the encoder
      (`spacy.pipeline.tok2vec.Tok2Vec.update`): if it is frozen, no gradient reaches it.
    - A listening component in `training.annotating_components` predicts from missing vectors
      unless the encoder annotates before it.

    Raises: ValenceECError V004 or V005.
    """
    training = nlp.config.get("training", {})
    frozen = set(training.get("frozen_components") or ())
    annotating = list(training.get("annotating_components") or ())
    for upstream, listeners in _encoders(nlp):
        if upstream not in frozen and listeners[-1] in frozen:
            raise ValenceECError(Errors.V004.format(upstream=upstream, name=listeners[-1]))
        for name in listeners:
            if name in annotating and upstream not in annotating:
                raise ValenceECError(Errors.V005.format(upstream=upstream, name=name))


def _encoders(nlp: Language) -> Iterator[tuple[str, list[str]]]:
    """Each shared encoder and the names of the components that listen to it, in the order in
    which it serves them."""
    for name, component in nlp.components:
        if isinstance(component, Tok2Vec):
            order = [
                listener_name
                for listener in component.listeners
                for listener_name, own in component.listener_map.items()
                if listener in own
            ]
            if order:
                yield name, order
