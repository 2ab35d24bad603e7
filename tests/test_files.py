import os
from pathlib import Path

import pytest

from spacy_valence_ec.files import atomic_folder, atomic_write


def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    usual, new, old = tmp_path / "usual", tmp_path / "new", tmp_path / "old"
    usual.touch()
    old.touch(0o640)
    old.chmod(0o640)
    for path in (new, old):
        with atomic_write(path) as handle:
            handle.write("à\n")
        assert path.read_bytes() == b"\xc3\xa0\n"
    assert new.stat().st_mode == usual.stat().st_mode
    assert old.stat().st_mode & 0o777 == 0o640


def test_a_link_is_followed_and_a_pipe_written_to(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    with atomic_write(link, binary=True) as handle:
        handle.write(b"x")
    assert link.is_symlink()
    assert target.read_bytes() == b"x"

    read_end, write_end = os.pipe()
    with atomic_write(f"/dev/fd/{write_end}") as handle:
        handle.write("x")
    os.close(write_end)
    with open(read_end, "rb") as pipe:
        assert pipe.read() == b"x"


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "none" / "a", tmp_path / "file" / "a"):
        with pytest.raises(OSError, match=r"folder|directory") as caught, atomic_write(path):
            pass
        assert caught.value.filename == str(path)
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_is_swapped_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder"
    for name in ("a", "b"):
        with atomic_folder(target) as folder:
            (folder / name).touch()
        assert os.listdir(target) == [name]
    with pytest.raises(OSError, match="none"), atomic_folder(target) as folder:
        (folder / "none" / "c").touch()
    assert os.listdir(target) == ["b"]
    assert os.listdir(target.parent) == ["folder"]
    with pytest.raises(NotADirectoryError), atomic_folder(target / "b"):
        pass
