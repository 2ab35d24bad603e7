"""Files of a base: what is not there, or not what it was, is refused by name."""

import json
import os
from pathlib import Path
from shutil import copytree

import pytest
from small_base import SmallBase

from spacy_valence_ec.base import assets
from spacy_valence_ec.base.assets import (
    ASSETS,
    CHECKSUMS,
    LEXICON,
    VECTORS,
    asset_path,
    has_asset,
    sha256,
    write_checksums,
)
from spacy_valence_ec.errors import ValenceECError


@pytest.fixture
def base(small_base: SmallBase, tmp_path: Path) -> Path:
    return copytree(small_base.folder, tmp_path / "base")


def test_a_file_as_it_was_made(base: Path) -> None:
    names = set(json.loads((base / CHECKSUMS).read_text("utf-8")))
    files = {path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file()}
    assert names == files - {CHECKSUMS}
    assert len(names) == 8
    for name in names:
        assert asset_path(name, base) == base / name
        assert has_asset(name, base)


def test_the_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x").startswith("ba7816bf8f01cfea414140de5dae2223b00361a3")
    assert sha256(tmp_path / "x").endswith("96177a9cb410ff61f20015ad")


def test_an_altered_file_is_refused_also_after_it_was_read(base: Path) -> None:
    path = asset_path(VECTORS, base)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # of the same length
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
    with pytest.raises(ValenceECError, match=r"\[B003\].*vectors\.npy is not the file"):
        asset_path(VECTORS, base)
    path.write_bytes(content)
    assert asset_path(VECTORS, base) == path


def test_a_missing_file_is_named(base: Path, tmp_path: Path) -> None:
    (base / VECTORS).unlink()
    for name, folder in (
        (VECTORS, base),
        ("none", base),
        (CHECKSUMS, base),
        (f"../base/{LEXICON}", base),
        (LEXICON, tmp_path / "nowhere"),
    ):
        with pytest.raises(ValenceECError, match=r"\[B002\].*has no file '.*project run base"):
            asset_path(name, folder)
    assert not has_asset(VECTORS, tmp_path / "nowhere")
    # A file that nobody vouches for is none either.
    (base / "extra.bin").write_bytes(b"x")
    assert not has_asset("extra.bin", base)
    with pytest.raises(ValenceECError, match="B002"):
        asset_path("extra.bin", base)


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"'])
def test_a_broken_list_of_checksums_vouches_for_nothing(base: Path, content: str) -> None:
    (base / CHECKSUMS).write_text(content, encoding="utf-8")
    with pytest.raises(ValenceECError, match="B002"):
        asset_path(LEXICON, base)


def test_checksums_are_of_all_files_but_the_card(base: Path) -> None:
    before = write_checksums(base)
    (base / assets.CARD).write_text("A card.", encoding="utf-8")
    assert write_checksums(base) == before
    (base / LEXICON).write_text("non\t0\tnegator\n", encoding="utf-8")
    after = write_checksums(base)
    assert {name for name in after if after[name] != before[name]} == {LEXICON}


def test_the_shipped_base_is_whole() -> None:
    """Every file has its checksum, and is the one that it was made with."""
    listed = json.loads((ASSETS / CHECKSUMS).read_text("utf-8"))
    files = {path.relative_to(ASSETS).as_posix() for path in ASSETS.rglob("*") if path.is_file()}
    assert set(listed) == files - {CHECKSUMS, assets.CARD}
    for name in listed:
        assert asset_path(name)
    assert {LEXICON, VECTORS, assets.VECTORS_CONFIG} <= set(listed)
    parts = ("tok2vec", "fu_segmenter", "valence_classifier", "ec_tagger", "morphologizer")
    assert {f"{assets.WEIGHTS}/{part}.safetensors" for part in parts} <= set(listed)
