"""Subword vectors: the text they are trained on, and what spaCy reads of them."""

import builtins
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy

from spacy_valence_ec.base import floret as training
from spacy_valence_ec.base.assets import write_checksums
from spacy_valence_ec.base.floret import train_vectors, write_tokens
from spacy_valence_ec.base.vectors import read_vectors, write_vectors
from spacy_valence_ec.errors import ValenceECError


def test_paragraphs_are_lines_of_lower_case_tokens_in_random_order(tmp_path: Path) -> None:
    path = tmp_path / "tokens.txt"
    documents = [
        ("xed", "L'amica È qui!\n \nCiao  a tutti"),
        ("eltec", "una riga"),
        ("none", "mai"),
    ]
    n = write_tokens(documents, {"xed": 2, "none": 0}, path)
    lines = path.read_text("utf-8").splitlines()
    assert sorted(lines) == sorted(["l' amica è qui !", "ciao a tutti"] * 2 + ["una riga"])
    assert n == sum(len(line.split()) for line in lines)
    many = [("eltec", "\n".join(f"riga {i}" for i in range(100)))]
    contents = []
    for seed in (0, 0, 1):
        write_tokens(many, {}, path, seed=seed)
        contents.append(path.read_text("utf-8"))
    assert contents[0] == contents[1] != contents[2]
    assert sorted(contents[0]) == sorted(contents[2])


def test_without_floret_it_is_said_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name == "floret":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValenceECError, match=r"\[B004\].*pip install"):
        train_vectors(tmp_path / "tokens.txt", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_too_little_text_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    pytest.importorskip("floret")
    tokens = tmp_path / "tokens.txt"
    for content in ("", "una riga sola\n"):
        tokens.write_text(content, encoding="utf-8")
        with pytest.raises(ValenceECError, match=r"\[B006\].*tokens\.txt.*8 times"):
            train_vectors(tokens, tmp_path / "vectors.floret", threads=1)
        assert list(tmp_path.iterdir()) == [tokens]


def test_what_is_no_text_or_has_no_place_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("floret")
    tokens = tmp_path / "tokens.txt"
    for content in (b"una riga\0 e\n" * 99, bytes(range(256)) * 99):
        tokens.write_bytes(content)
        with pytest.raises(ValenceECError, match=r"\[B008\].*tokens\.txt"):
            train_vectors(tokens, tmp_path / "vectors.floret", threads=1)
    tokens.write_text("una riga\n" * 99, encoding="utf-8")
    with pytest.raises(ValenceECError, match=r"\[B007\].*new"):
        train_vectors(tokens, tmp_path / "new" / "vectors.floret", threads=1)
    assert list(tmp_path.iterdir()) == [tokens]


def invented(n: int, rng: random.Random) -> list[str]:
    """Words of four syllables that look alike in nothing."""
    syllables = [first + second for first in "bcdfglmnprstvz" for second in "aeiou"]
    return ["".join(rng.choices(syllables, k=4)) for _ in range(n)]


def test_spacy_reads_what_floret_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("floret")
    monkeypatch.setattr(training, "ROWS", 2000)
    monkeypatch.setattr(training, "WIDTH", 16)
    tokens, output = tmp_path / "tokens.txt", tmp_path / "new" / "vectors.floret"
    output.parent.mkdir()
    rng = random.Random(0)
    topics = [invented(6, rng) for _ in range(12)]
    lines = [" ".join(rng.choices(rng.choice(topics), k=8)) for _ in range(600)]
    write_tokens([("x", "\n".join(lines))], {}, tokens)
    train_vectors(tokens, output, epochs=60, threads=1)
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    command = ["init", "vectors", "it", output, tmp_path / "nlp", "--mode", "floret"]
    done = subprocess.run(
        [sys.executable, "-m", "spacy", *map(str, command), "--attr", "LOWER"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = spacy.load(tmp_path / "nlp").vocab.vectors
    assert made.shape == (2000, 16)
    (tmp_path / "base").mkdir()
    write_vectors(made, tmp_path / "base")
    write_checksums(tmp_path / "base")
    nlp = spacy.blank("it")
    nlp.vocab.vectors = read_vectors(nlp, tmp_path / "base")
    assert (made.hash_count, made.minn, made.maxn) == (2, 4, 5)

    def vector(word: str) -> np.ndarray:
        return np.asarray(nlp.make_doc(word)[0].vector)

    def nearness(first: str, second: str) -> float:
        a, b = vector(first), vector(second)
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    words = [topic[0] for topic in topics]
    for word in words:
        np.testing.assert_array_equal(vector(word.upper()), vector(word))
        # Forms that the text does not hold, beside words of other topics.
        others = [nearness(word, other) for other in words if other != word]
        for variant in (word + word[-1] * 3, word[:-1] + "e", word[1:]):
            assert nearness(word, variant) > max(others), (word, variant)
    # The scale: values of frequent words deviate by about 1.
    assert 0.5 < np.std([vector(word) for word in words]) < 2.0
