"""A tiny multilingual-e5-small: both files, in the layout of the packages that carry them."""

import json
import struct
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

WIDTH, LAYERS, HEADS, INNER, POSITIONS = 32, 2, 2, 64, 64
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
SYLLABLES = ["".join(pair) for pair in product("bcdfglmnprstvz", "aeiou")]
PIECES = [
    *SPECIAL,
    "▁",
    *"abcdefghijklmnopqrstuvwxyzèàABC0123456789.,!?'😭я",
    *SYLLABLES,
    *(f"▁{syllable}" for syllable in SYLLABLES),
    *(f"▁{a}{b}" for a, b in product(SYLLABLES[:35], SYLLABLES[:20])),
]
PADDING_ROWS = 3  # behind the mask, of no piece


@dataclass(frozen=True)
class TinyE5:
    weights: Path
    tokenizer: Path
    tensors: dict[str, np.ndarray]  # by their names in the file, as the blocks round them


def save_tiny_e5(folder: Path) -> TinyE5:
    folder.mkdir(parents=True, exist_ok=True)
    rows = len(PIECES) + 1 + PADDING_ROWS
    random = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (rows, WIDTH),
        "emb.pos": (POSITIONS, WIDTH),
        "emb.type": (2, WIDTH),
        "emb.ln.w": (WIDTH,),
        "emb.ln.b": (WIDTH,),
    }
    for i in range(LAYERS):
        for name in ("q", "k", "v", "ao", "fi", "fo"):
            n_out = INNER if name == "fi" else WIDTH
            n_in = INNER if name == "fo" else WIDTH
            shapes |= {f"l{i}.{name}.w": (n_out, n_in), f"l{i}.{name}.b": (n_out,)}
        for name in ("aln", "oln"):
            shapes |= {f"l{i}.{name}.w": (WIDTH,), f"l{i}.{name}.b": (WIDTH,)}
    tensors, data, table = {}, b"", []
    for name, shape in shapes.items():
        values = random.normal(scale=0.2, size=shape).astype("float32")
        is_packed = len(shape) == 2 and name not in ("emb.pos", "emb.type")
        if is_packed:
            content, values = blocks(values)
        else:
            content = values.astype("<f4").tobytes()
        tensors[name] = values
        table.append((name, int(is_packed), values.size, len(data), len(content)))
        data += content
    (folder / "weights.bin").write_bytes(packed(rows, table, data))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()), encoding="utf-8")
    return TinyE5(folder / "weights.bin", folder / "tokenizer.json", tensors)


def blocks(values: np.ndarray) -> tuple[bytes, np.ndarray]:
    """4 bits a value in blocks of 32, and the values that they stand for."""
    flat = values.reshape(-1, 32)
    scale = (np.abs(flat).max(axis=1) / 7).astype("<f2")
    levels = np.clip(np.round(flat / scale.astype("float32")[:, None]), -8, 7).astype(int) + 8
    content = b"".join(
        step.tobytes() + bytes((row[:16] | row[16:] << 4).astype("uint8"))
        for step, row in zip(scale, levels, strict=True)
    )
    rounded = (levels - 8) * scale.astype("float32")[:, None]
    return content, rounded.reshape(values.shape).astype("float32")


def packed(rows: int, table: list[tuple[str, int, int, int, int]], data: bytes) -> bytes:
    texts = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, texts)])
    head = b"E5S1" + struct.pack("<I", 1)
    head += struct.pack("<7i", WIDTH, LAYERS, HEADS, INNER, rows, POSITIONS, 2)
    head += struct.pack("<fi", 1e-12, 32)
    head += struct.pack("<5i", len(PIECES), 0, 2, 1, 3)
    head += struct.pack("<Q", offsets[-1])
    head += offsets.astype("<u4").tobytes() + np.zeros(len(PIECES), "<f4").tobytes()
    head += b"".join(texts)
    head += struct.pack("<iI", 1, 5) + b"extra"
    head += struct.pack("<i", len(table))
    entries = sum(2 + len(name) + 1 + 4 + 8 + 8 for name, *_ in table)
    start = len(head) + entries
    for name, kind, size, place, length in table:
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", kind, size, start + place, length)
    return head + data


def score(piece: str) -> float:
    return 0.0 if piece in SPECIAL else -5.0 - 0.1 * len(piece)


def tokenizer() -> dict[str, object]:
    """Content of tokenizer.json: the pieces, and a mask behind them."""
    ids = {piece: i for i, piece in enumerate([*PIECES, "<mask>"])}
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    around = [
        {"SpecialToken": {"id": "<s>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "</s>", "type_id": 0}},
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": ids[piece], "content": piece, "special": True, **special}
            for piece in (*SPECIAL, "<mask>")
        ],
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": metaspace,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": around,
            "pair": [*around, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {
                piece: {"id": piece, "ids": [ids[piece]], "tokens": [piece]}
                for piece in ("<s>", "</s>")
            },
        },
        "decoder": metaspace,
        "model": {
            "type": "Unigram",
            "unk_id": 3,
            "vocab": [
                [piece, 0.0 if piece in SPECIAL else -5.0 - 0.1 * len(piece)] for piece in ids
            ],
            "byte_fallback": False,
        },
    }
