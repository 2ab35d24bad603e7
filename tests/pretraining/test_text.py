"""The text to learn from: what is in it, and what must not be."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from helpers import ROOT
from small_texts import FORBIDDEN, PLACES, SHARED, settings_of, write

from spacy_valence_ec.corpus.sources import SOURCES, Document, clean
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.pretraining.text import (
    prepare_text,
    read_text,
    split_documents,
    tidy,
)

SETTINGS = settings_of("tiny").text


def records(folder: Path, part: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / f"{part}.jsonl").read_text("utf-8").splitlines()]


def test_every_source_is_there_and_no_narrative_of_dev_or_test(
    text: Path, narratives: Path
) -> None:
    found = records(text, "train") + records(text, "dev")
    assert {record["source"] for record in found} == {*SOURCES, "narratives"}
    words = " ".join(record["text"] for record in found)
    for secret in (FORBIDDEN, "zanzibar0", "zanzibar1", "secret-"):
        assert secret not in words
    training = [json.loads(line) for line in narratives.read_text("utf-8").splitlines()][:-2]
    for record in training:
        assert all(clean(part) in words for part in record["text"].splitlines())


def test_of_the_shipped_corpus_only_training_narratives_are_taken(
    sources: Path, tmp_path: Path
) -> None:
    corpus = ROOT / "corpus" / "narratives.jsonl"
    prepare_text(sources, corpus, tmp_path, SETTINGS)
    found = records(tmp_path, "train") + records(tmp_path, "dev")
    taken = {record["id"] for record in found if record["source"] == "narratives"}
    split = {}
    for line in corpus.read_text("utf-8").splitlines():
        record = json.loads(line)
        split[record["id"]] = record["split"]
    assert taken == {name for name, part in split.items() if part == "train"}


def test_a_paragraph_is_kept_once(text: Path) -> None:
    paragraphs = [
        paragraph.casefold()
        for part in ("train", "dev")
        for record in records(text, part)
        for paragraph in record["text"].split("\n")
    ]
    assert len(paragraphs) == len(set(paragraphs))
    assert SHARED.casefold() in paragraphs
    counts = json.loads((text / "counts.json").read_text("utf-8"))["sources"]
    # In the second and third novel, and, in capitals, among the sentences.
    assert counts["eltec"]["duplicates_removed"] == 2
    assert counts["common_voice"]["duplicates_removed"] == 1
    assert counts["common_voice"]["paragraphs_of_held_out_narratives_removed"] == 1


def test_counts_licenses_and_hashes_are_recorded(text: Path) -> None:
    counts = json.loads((text / "counts.json").read_text("utf-8"))
    for part in ("train", "dev"):
        found = records(text, part)
        assert (
            counts["sha256"][f"{part}.jsonl"]
            == sha256((text / f"{part}.jsonl").read_bytes()).hexdigest()
        )
        for name, source in counts["sources"].items():
            texts = [record["text"] for record in found if record["source"] == name]
            assert source[part]["documents"] == len(texts)
            assert source[part]["words"] == len(" ".join(texts).split())
            assert source[part]["characters"] == len("".join(texts).replace("\n", ""))
        assert counts["total"][part]["documents"] == len(found) > 0
    licenses = {name: source["license"] for name, source in counts["sources"].items()}
    assert licenses.pop("narratives") == "CC BY 4.0"
    assert licenses == {name: source.license for name, source in SOURCES.items()}


def test_the_same_input_gives_the_same_files(
    sources: Path, narratives: Path, text: Path, tmp_path: Path
) -> None:
    prepare_text(sources, narratives, tmp_path, SETTINGS)
    for path in text.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_a_document_is_in_one_part_and_stays_there() -> None:
    found = [Document("a", f"d{i}", ("x",)) for i in range(100)]
    other = [Document("b", f"d{i}", ("y",)) for i in range(7)]
    settings = settings_of("tiny", text={"dev_share": 0.1}).text
    parts = split_documents({"a": found, "b": other}, settings)
    train, dev = ({(d.source, d.id) for d in parts[part]} for part in ("train", "dev"))
    assert not train & dev
    assert len(train | dev) == 107
    assert [sum(source == name for source, _ in dev) for name in "ab"] == [10, 1]
    # Neither the order nor the other sources matter; the seed does.
    again = split_documents({"a": found[::-1]}, settings)
    assert {d.id for d in again["dev"]} == {name for source, name in dev if source == "a"}
    seeded = settings_of("tiny", text={"dev_share": 0.1, "seed": 1}).text
    assert {d.id for d in split_documents({"a": found}, seeded)["dev"]} != {
        name for source, name in dev if source == "a"
    }


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        ("Disse [12] di sì.", "Disse di sì."),
        ("* * * * *", ""),
        ("—— 1848 ——", ""),
        ("L'età: 40 anni", "L'età: 40 anni"),
    ],
)
def test_tidy(paragraph: str, expected: str) -> None:
    assert tidy(paragraph) == expected


def test_a_source_of_no_repeats_is_not_even_looked_for(
    sources: Path, narratives: Path, tmp_path: Path
) -> None:
    shutil.copytree(sources, tmp_path / "sources")
    shutil.rmtree(tmp_path / "sources" / "emoita")
    with pytest.raises(ValenceECError, match=r"B001.*emoita"):
        prepare_text(tmp_path / "sources", narratives, tmp_path / "out", SETTINGS)
    assert not (tmp_path / "out").exists()
    repeats = {**SETTINGS.repeats, "emoita": 0}
    settings = settings_of("tiny", text={"repeats": repeats}).text
    counts = prepare_text(tmp_path / "sources", narratives, tmp_path / "out", settings)
    assert "emoita" not in counts["sources"]


def test_too_little_text(narratives: Path, tmp_path: Path) -> None:
    only = {name: int(name == "common_voice") for name in SETTINGS.repeats}
    settings = settings_of("tiny", text={"repeats": only}).text
    path = tmp_path / "common_voice_it/server/data/it/frasi.txt"
    write(path)
    with pytest.raises(ValenceECError, match="P003"):
        prepare_text(tmp_path, narratives, tmp_path / "out", settings)
    write(path, f"Una frase sola da {PLACES[0]}.")
    with pytest.raises(ValenceECError, match="P004"):
        prepare_text(tmp_path, narratives, tmp_path / "out", settings)
    with pytest.raises(ValenceECError, match="M004"):
        prepare_text(tmp_path, tmp_path / "none.jsonl", tmp_path / "out", settings)


def test_a_text_that_was_altered_is_refused(text: Path, tmp_path: Path) -> None:
    folder = tmp_path / "text"
    shutil.copytree(text, folder)
    assert len(read_text(folder).train) == len(records(text, "train"))
    with (folder / "train.jsonl").open("a", encoding="utf-8") as handle:
        handle.write('{"source": "eltec", "text": "In più."}\n')
    for _ in range(2):
        with pytest.raises(ValenceECError, match=r"P005.*pretrain-text"):
            read_text(folder)
        (folder / "dev.jsonl").unlink(missing_ok=True)
