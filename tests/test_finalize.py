"""What is left of the training data in a pipeline that is packaged."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
from helpers import HOSTILE_TEXTS, NARRATIVES, assert_same_annotation
from small_project import ROOT, files_of
from spacy import Language

from spacy_valence_ec.cli import run
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.finalize import finalize_pipeline

META = {"description": "Of a test", "license": "MIT", "sources": [{"name": "invented"}]}
TEXTS = [text for text, _ in NARRATIVES] + HOSTILE_TEXTS + ["Una parolamaivista, di nuovo."]


@pytest.fixture
def saved(trained: Language, tmp_path: Path) -> Path:
    """A pipeline as `spacy train` saves it, that has seen names and words."""
    folder = tmp_path / "model-best"
    trained.to_disk(folder)
    return folder


def private_words() -> set[str]:
    """The words of the training data that are not in every Italian pipeline of spaCy."""
    words = {word for text, _ in NARRATIVES for word in re.findall(r"\w{5,}", text)}
    return words - set(spacy.blank("it").vocab.strings)


def holders(folder: Path, word: str) -> list[str]:
    """The files that hold `word`, as it is or as JSON escapes it."""
    forms = {word.encode(), word.encode("utf-16-le"), json.dumps(word)[1:-1].encode()}
    return [name for name, content in files_of(folder).items() if any(f in content for f in forms)]


def test_no_file_holds_a_word_of_the_training_data(saved: Path) -> None:
    words = private_words()
    assert {"medico", "umiliato", "Finalmente", "mangiato"} <= words
    before = {word for word in words if holders(saved, word)}
    assert before == words
    strings = json.loads((saved / "vocab" / "strings.json").read_text("utf-8"))
    removed = finalize_pipeline(saved, {})
    assert removed == len(strings) - len(
        set(strings) & set(json.loads((saved / "vocab" / "strings.json").read_text("utf-8")))
    )
    assert removed >= len(words)
    assert {word: found for word in words if (found := holders(saved, word))} == {}


def test_the_predictions_stay_the_same(saved: Path) -> None:
    before = list(spacy.load(saved).pipe(TEXTS))
    finalize_pipeline(saved, META)
    after = list(spacy.load(saved).pipe(TEXTS))
    assert any(doc.spans["ec"] for doc in before)
    for old, new in zip(before, after, strict=True):
        assert_same_annotation(old, new)
    # The getters read labels, which must have kept their strings.
    assert [doc._.valence for doc in after] == [doc._.valence for doc in before]
    assert {fu.label_ for doc in after for fu in doc.spans["fu"]} >= {"negative", "positive"}


def test_a_second_time_changes_nothing(saved: Path) -> None:
    finalize_pipeline(saved, META)
    before = files_of(saved)
    assert finalize_pipeline(saved, META) == 0
    assert files_of(saved) == before


def test_the_meta_data_is_set_and_the_rest_is_kept(saved: Path) -> None:
    file = saved / "meta.json"
    old = json.loads(file.read_text("utf-8")) | {"performance": {"fu_f": 0.5}, "version": "1.2.3"}
    file.write_text(json.dumps(old), encoding="utf-8")
    finalize_pipeline(saved, META)
    new = json.loads(file.read_text("utf-8"))
    assert {key: new[key] for key in META} == META
    assert new["performance"] == {"fu_f": 0.5}
    for key in old:
        if key not in META:
            assert new[key] == old[key], key
    assert spacy.load(saved).meta["description"] == META["description"]


def test_a_pipeline_that_may_need_its_strings_is_refused_and_untouched(
    saved: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    nlp = spacy.load(saved)
    ruler: Any = nlp.add_pipe("entity_ruler", name="places")
    ruler.add_patterns([{"label": "LOC", "pattern": "Cernusco"}])
    nlp.to_disk(saved)
    before = files_of(saved)
    with pytest.raises(ValenceECError, match=r"\[V013\].*components places may"):
        finalize_pipeline(saved, META)
    assert files_of(saved) == before

    meta = ROOT / "configs" / "meta.json"
    monkeypatch.setattr(sys, "argv", ["valence-ec", "finalize", str(saved), "--meta", str(meta)])
    with pytest.raises(SystemExit) as stop:
        run()
    out, err = capfd.readouterr()
    assert stop.value.code == 1
    assert out == ""
    assert "[V013]" in err
    assert "Cernusco" not in err
    assert files_of(saved) == before


@pytest.mark.parametrize("content", ["", "{", "[1]", '"text"'])
def test_meta_data_that_is_none(
    saved: Path,
    tmp_path: Path,
    content: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Is refused before anything is changed, with the name of the file."""
    meta = tmp_path / "meta.json"
    meta.write_text(content, encoding="utf-8")
    before = files_of(saved)
    monkeypatch.setattr(sys, "argv", ["valence-ec", "finalize", str(saved), "--meta", str(meta)])
    with pytest.raises(SystemExit) as stop:
        run()
    _, err = capfd.readouterr()
    assert stop.value.code in (1, 2)
    assert "meta.json" in err.replace("\n", "")
    assert "unexpected" not in err
    assert files_of(saved) == before


def test_a_folder_that_is_no_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(sys, "argv", ["valence-ec", "finalize", str(tmp_path / "empty")])
    with pytest.raises(SystemExit) as stop:
        run()
    _, err = capfd.readouterr()
    assert stop.value.code in (1, 2)
    assert "unexpected" not in err
    assert str(tmp_path / "empty") in err.replace("\n", "")
    assert files_of(tmp_path) == {}
