"""Weights of components that were trained before, by place in the network, without pickle."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors
from spacy.language import Language
from spacy.pipeline import Morphologizer, Tok2Vec, TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model, to_numpy

from ..errors import ValenceECWarning, Warnings
from ..files import atomic_write
from .assets import WEIGHTS, asset_path, has_asset

SUFFIX = ".safetensors"
HEADS = "heads"  # folder beside an encoder: the weights of components that listen to it
LABELS = "labels"  # in the metadata of a file: those of a component that has them from its data


def write_weights(pipe: TrainablePipe, name: str, folder: Path, inside: str = WEIGHTS) -> None:
    """Write the parameters of a component as float16 to `weights/<name>.safetensors`.

    inside: another folder of the base than `weights`.
    """
    tensors = {
        key: np.ascontiguousarray(to_numpy(node.get_param(param)).astype("float16"))
        for key, node, param in _parameters(pipe.model)
    }
    labels = list(pipe.labels) if isinstance(pipe, Morphologizer) else []
    (folder / inside).mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / inside / f"{name}{SUFFIX}", binary=True) as handle:
        handle.write(save_tensors(tensors, metadata={LABELS: "\n".join(labels)}))


def load_weights(
    model: Model, name: str, folder: Path | None = None, inside: str = WEIGHTS
) -> bool:
    """Set the parameters of an initialized network to those of a base.

    inside: another folder of the base than `weights`.

    Returns: whether that was done. Not so for a network that differs from the one that the weights
    are of (another width, say), which is left as it is.
    Raises: ValenceECError B002 and B003, as `asset_path`.
    """
    content = asset_path(f"{inside}/{name}{SUFFIX}", folder).read_bytes()
    tensors = load_tensors(content)
    own = {key: (node, param) for key, node, param in _parameters(model)}
    shapes = {key: node.get_param(param).shape for key, (node, param) in own.items()}
    if shapes != {key: tensor.shape for key, tensor in tensors.items()}:
        return False
    for key, (node, param) in own.items():
        values: Any = tensors[key].astype("float32")
        array: Any = node.ops.asarray(values)
        node.set_param(param, array)
    return True


def make_base_weights(
    components: list[str],
    path: str | None = None,
    names: dict[str, str] | None = None,
    encoder: str | None = None,
) -> Callable[[Language], None]:
    """`spacy_valence_ec.base_weights.v1`, for `[initialize.after_init]`: starts components from the
    weights of a base in place of random ones.

    components: those to start so, by their names; one that the pipeline lacks is passed over, one
        whose network differs keeps its random weights, with a warning (W004). A component that
        holds several of these networks (`pretrained_parts`) is asked for each.
    path: folder of the base; null for the one of this package.
    names: of a component that has another name in the base, the name there.
    encoder: an encoder of the base, such as "e5-small-it": components get the weights that were
        trained with it, and, with `path`, the shared encoder the weights of the one in that folder.
    """

    def set_weights(nlp: Language) -> None:
        folder = None if path is None else Path(path)
        differing = []
        heads = f"{encoder}/{HEADS}"
        for name, pipe in nlp.components:
            parts: dict[str, Model] = getattr(pipe, "pretrained_parts", dict)()
            for part in (name, *parts):
                in_base = (names or {}).get(part, part)
                if part not in components:
                    continue
                if encoder is not None and isinstance(pipe, Tok2Vec):
                    if folder is not None:
                        load_encoder(pipe.model, encoder, folder)
                    continue
                inside = heads if has_asset(f"{heads}/{in_base}{SUFFIX}", folder) else WEIGHTS
                if not has_asset(f"{inside}/{in_base}{SUFFIX}", folder):
                    continue
                if isinstance(pipe, Morphologizer):
                    initialize_tagger(pipe, nlp, in_base, folder)
                model = parts[part] if part in parts else pipe.model  # type: ignore[attr-defined]
                if not load_weights(model, in_base, folder, inside):
                    differing.append(name if part == name else f"{name} ({part})")
        if differing:
            message = Warnings.W004.format(names=", ".join(differing))
            warnings.warn(message, ValenceECWarning, stacklevel=2)

    return set_weights


def load_encoder(model: Model, name: str, folder: Path) -> None:
    """Put the encoder `name` of a base in the place of the one in an initialized network.

    Raises: ValenceECError B002 and B003, as `asset_path`, B009 as `read_packed_encoder`.
    """
    from ..models.transformer_encoder import set_transformer, transformer_of
    from .packed import PACKED_WEIGHTS, read_packed_encoder

    source = asset_path(f"{name}/{PACKED_WEIGHTS}", folder).parent
    transformer = transformer_of(model)
    settings = (transformer._init_tokenizer_config, dict(transformer._init_transformer_config))
    set_transformer(model, read_packed_encoder(source, *settings))


def initialize_tagger(
    pipe: Morphologizer, nlp: Language, name: str, folder: Path | None = None
) -> None:
    """Give a tagger the labels and shapes of the base: a frozen component is not initialized by
    `spacy train`."""
    for label in tagger_labels(name, folder):
        pipe.add_label(label)
    words = ["Ieri", "ha", "piovuto"]
    doc = Doc(nlp.vocab, words=words)
    example = Example(doc, Doc(nlp.vocab, words=words, pos=["ADV", "AUX", "VERB"]))
    data: Any = pipe.label_data
    pipe.initialize(lambda: [example], nlp=nlp, labels=data)


def read_tagger_labels(name: str = "morphologizer", path: str | None = None) -> Any:
    """`spacy_valence_ec.base_tagger_labels.v1`, for `[initialize.components.morphologizer.labels]`:
    the labels of a tagger of the base, as `spacy init labels` writes them.

    `spacy train` does not initialize a frozen tagger. `spacy debug data` does, and the corpus has
    no parts of speech that it could take the labels from.

    path: folder of the base; null for the one of this package.
    Raises: ValenceECError B002 and B003, as `asset_path`.
    """
    pipe: Any = Language().add_pipe("morphologizer")
    for label in tagger_labels(name, None if path is None else Path(path)):
        pipe.add_label(label)
    return pipe.label_data


def tagger_labels(name: str, folder: Path | None = None) -> list[str]:
    """The labels of a tagger of the base, in the order of its output."""
    from safetensors import safe_open

    path = asset_path(f"{WEIGHTS}/{name}{SUFFIX}", folder)
    with safe_open(path, framework="numpy") as file:
        return list((file.metadata() or {}).get(LABELS, "").split("\n"))


def _parameters(model: Model) -> list[tuple[str, Model, str]]:
    """A name, the node and the name there of each parameter, in the order of the network. Those of
    a condition are left out: the weights of a network without one fit all the rest."""
    condition = model.maybe_get_ref("condition")
    left_out = set() if condition is None else {id(node) for node in condition.walk()}
    nodes = [node for node in model.walk() if id(node) not in left_out]
    return [
        (f"{i}.{node.name}.{param}", node, param)
        for i, node in enumerate(nodes)
        for param in sorted(node.param_names)
        if node.has_param(param)
    ]
