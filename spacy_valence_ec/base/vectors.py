"""The static vectors of the base: a floret table of half precision beside its settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from spacy.language import Language
from spacy.vectors import Vectors

from ..files import atomic_write
from .assets import VECTORS, VECTORS_CONFIG, asset_path

KEY_ATTR = "LOWER"  # vectors are those of the lower-case form of a token


def write_vectors(vectors: Vectors, folder: Path) -> None:
    """Write a floret table as `vectors.npy` (float16, (n_rows, width)) and `vectors.json`."""
    settings: dict[str, Any] = {
        "mode": "floret",
        "minn": vectors.minn,
        "maxn": vectors.maxn,
        "hash_count": vectors.hash_count,
        "hash_seed": vectors.hash_seed,
        "bow": vectors.bow,
        "eow": vectors.eow,
        "attr": KEY_ATTR,
    }
    with atomic_write(folder / VECTORS, binary=True) as handle:
        np.save(handle, vectors.data.astype("float16"), allow_pickle=False)
    with atomic_write(folder / VECTORS_CONFIG) as handle:
        handle.write(srsly.json_dumps(settings, indent=2) + "\n")


def read_vectors(nlp: Language, folder: Path | None = None) -> Vectors:
    """The table of a base, float32, for the vocabulary of `nlp`.

    Raises: ValenceECError B002 and B003, as `asset_path`.
    """
    settings = srsly.read_json(asset_path(VECTORS_CONFIG, folder))
    data = np.load(asset_path(VECTORS, folder), allow_pickle=False)
    return Vectors(strings=nlp.vocab.strings, data=data.astype("float32"), **settings)


def make_base_vectors(path: str | None = None) -> Callable[[Language], None]:
    """`spacy_valence_ec.base_vectors.v1`, for `[initialize.before_init]`: gives the pipeline the
    static vectors of a base.

    path: folder of the base; null for the one of this package.
    """

    def set_vectors(nlp: Language) -> None:
        nlp.vocab.vectors = read_vectors(nlp, None if path is None else Path(path))

    return set_vectors
