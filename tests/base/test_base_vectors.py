"""The table of static vectors: stored in half precision, read as data and never as code."""

from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import spacy
from small_base import VECTOR_WIDTH, SmallBase, small_vectors
from spacy.attrs import LOWER

from spacy_valence_ec.base.assets import VECTORS, VECTORS_CONFIG, write_checksums
from spacy_valence_ec.base.vectors import make_base_vectors, read_vectors, write_vectors
from spacy_valence_ec.errors import ValenceECError

WORDS = ["gesso", "Gesso", "GESSO", "gessooo", "è", "🎉", "x"]


@pytest.fixture
def base(small_base: SmallBase, tmp_path: Path) -> Path:
    return copytree(small_base.folder, tmp_path / "base")


def test_what_is_read_is_what_was_written_up_to_half_precision(tmp_path: Path) -> None:
    nlp = spacy.blank("it")
    table = small_vectors(nlp)
    write_vectors(table, tmp_path)
    write_checksums(tmp_path)
    read = read_vectors(spacy.blank("it"), tmp_path)
    assert read.data.dtype == np.float32
    np.testing.assert_array_equal(read.data, table.data.astype("float16").astype("float32"))
    for name in ("mode", "minn", "maxn", "hash_count", "hash_seed", "bow", "eow"):
        assert getattr(read, name) == getattr(table, name)
    assert read.attr == LOWER
    # The same rows are hashed to.
    np.testing.assert_allclose(read.get_batch(WORDS), table.get_batch(WORDS), atol=0.01)
    assert np.load(tmp_path / VECTORS).dtype == np.float16


def test_the_callback_gives_a_pipeline_the_table(base: Path) -> None:
    callback = spacy.registry.callbacks.get("spacy_valence_ec.base_vectors.v1")
    assert callback is make_base_vectors
    nlp = spacy.blank("it")
    make_base_vectors(str(base))(nlp)
    assert nlp.vocab.vectors.shape == (64, VECTOR_WIDTH)
    doc = nlp("gesso Gesso oggi")
    # Every form has a vector, and case makes none of its own.
    assert all(token.has_vector for token in doc)
    batch = nlp.vocab.vectors.get_batch([token.lower_ for token in doc])
    np.testing.assert_array_equal(batch[0], batch[1])
    assert not np.array_equal(batch[0], batch[2])


def test_a_tampered_table_is_refused(base: Path) -> None:
    np.save(base / VECTORS, np.ones((64, VECTOR_WIDTH), dtype="float16"))
    with pytest.raises(ValenceECError, match=r"\[B003\].*vectors\.npy"):
        make_base_vectors(str(base))(spacy.blank("it"))


class Trap:
    """Would tell, by a file, that it was unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_no_code_is_run_by_a_table_whose_checksum_was_forged(base: Path, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    np.save(base / VECTORS, np.asarray([Trap(sprung)], dtype=object), allow_pickle=True)
    write_checksums(base)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_vectors(spacy.blank("it"), base)
    assert not sprung.exists()


@pytest.mark.parametrize("name", [VECTORS, VECTORS_CONFIG])
def test_a_missing_file(base: Path, name: str) -> None:
    (base / name).unlink()
    with pytest.raises(ValenceECError, match=rf"\[B002\].*{name}"):
        make_base_vectors(str(base))(spacy.blank("it"))
