"""Encoders stored in 8 bits a weight: a Hugging Face folder whose weights take a quarter of the
space."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from ..errors import Errors, ValenceECError
from ..files import atomic_write

PACKED_WEIGHTS = "weights.int8.safetensors"
SCALE = ".scale"  # suffix of the name of a matrix: its scales, one a row
LARGEST = 127  # of a signed byte, the same in both directions


def pack_tensors(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tensors in 8 bits: each row of a matrix becomes int8 times a float32 scale, its largest value
    over 127. Vectors stay float32."""
    packed: dict[str, np.ndarray] = {}
    for name, values in tensors.items():
        if values.ndim != 2:
            packed[name] = np.ascontiguousarray(values, dtype="float32")
            continue
        scale = np.abs(values).max(axis=1).astype("float32") / LARGEST
        safe = np.where(scale > 0, scale, 1.0)[:, None]
        packed[name] = np.round(values / safe).astype("int8")
        packed[name + SCALE] = scale
    return packed


def unpack_tensors(packed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The float32 tensors that `pack_tensors` was given, up to half a step of 1/127 of the largest
    value of a row."""
    return {
        name: values.astype("float32") * packed[name + SCALE][:, None]
        if name + SCALE in packed
        else values
        for name, values in packed.items()
        if not name.endswith(SCALE)
    }


def is_packed(folder: str | Path) -> bool:
    """Return True if a folder holds an encoder in 8 bits."""
    return (Path(folder) / PACKED_WEIGHTS).is_file()


def write_packed_encoder(transformer: Any, tokenizer: Any, folder: Path) -> None:
    """Write a Hugging Face encoder and its tokenizer: `config.json`, the files of the tokenizer,
    and the weights in 8 bits. A pooling layer, which no component reads, is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(str(folder))
    transformer.config.save_pretrained(str(folder))
    tensors = {
        name: tensor.detach().cpu().float().numpy()
        for name, tensor in transformer.state_dict().items()
        if tensor.is_floating_point() and not name.startswith("pooler.")
    }
    with atomic_write(folder / PACKED_WEIGHTS, binary=True) as handle:
        handle.write(save_tensors(pack_tensors(tensors)))


def read_packed_encoder(
    folder: str | Path, tokenizer_config: dict[str, Any], transformer_config: dict[str, Any]
) -> Any:
    """The network and tokenizer that `write_packed_encoder` wrote, as `HFObjects` of
    spacy-transformers, in evaluation mode.

    tokenizer_config, transformer_config: settings in place of those of the files.

    Raises: ValenceECError B009 for weights that are not those of the network in config.json.
    """
    import torch
    from spacy_transformers.data_classes import HFObjects
    from thinc.api import get_torch_default_device
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    path = Path(folder)
    tokenizer = AutoTokenizer.from_pretrained(str(path), **tokenizer_config)
    config = AutoConfig.from_pretrained(str(path), **transformer_config, return_dict=True)
    transformer = AutoModel.from_config(config)
    tensors = unpack_tensors(load_tensors((path / PACKED_WEIGHTS).read_bytes()))
    state = transformer.state_dict()
    for name, values in state.items():
        if name.startswith("pooler."):
            values.zero_()
        elif name in tensors and values.shape == tensors[name].shape:
            values.copy_(torch.from_numpy(tensors[name]))
        elif values.is_floating_point():
            raise ValenceECError(Errors.B009.format(path=path / PACKED_WEIGHTS, name=name))
    transformer.to(get_torch_default_device())
    transformer.eval()
    return HFObjects(tokenizer, transformer, None)
