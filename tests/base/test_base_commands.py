"""`valence-ec base`: from sources to a base, messages, and that nothing is half done."""

import json
from pathlib import Path
from shutil import copytree, rmtree

import pytest
import spacy
from helpers import ROOT, Cli
from small_base import SmallBase, small_vectors
from small_texts import FORBIDDEN, PLACES, save_sources, write
from spacy.tokens import DocBin

from spacy_valence_ec.base.assets import CHECKSUMS, asset_path
from spacy_valence_ec.pretraining.settings import read_settings
from spacy_valence_ec.pretraining.text import prepare_text

CONFIGS = ("--configs", ROOT / "configs")
WEIGHTS = ["ec_tagger", "fu_segmenter", "morphologizer", "tok2vec", "valence_classifier"]


def narrative(number: int) -> str:
    text = f"Ho visto {PLACES[number % len(PLACES)]} {number}."
    units = [{"start": 0, "end": len(text), "valence": "neutral"}]
    record = {"id": f"s{number}", "narrator": f"p{number % 20:02}", "split": "train"}
    return json.dumps({**record, "text": text, "units": units, "carriers": []})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources with a whole treebank, silver narratives, and the text prepared. Not to be
    altered."""
    folder = tmp_path_factory.mktemp("base-commands")
    sources = save_sources(folder / "sources")
    treebank = sources / "ud_twittiro"
    dev = (treebank / "it_twittiro-ud-dev.conllu").read_text("utf-8")
    write(treebank / "it_twittiro-ud-test.conllu", dev)
    write(folder / "silver.jsonl", *map(narrative, range(40)))
    settings = read_settings("tiny", ROOT / "configs").text
    prepare_text(sources, folder / "silver.jsonl", folder / "text", settings)
    return folder


def prepare(place: Path, output: Path) -> tuple[object, ...]:
    silver = ("--silver", place / "silver.jsonl", "--setting", "tiny")
    return ("base", "prepare", place / "text", place / "sources", output, *silver, *CONFIGS)


def test_prepare_writes_what_the_parts_learn_from(cli: Cli, place: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "base"
    code, out, err = cli(*prepare(place, output))
    assert (code, err) == (0, "")
    files = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    tagger = {f"tagger/{part}.spacy" for part in ("train", "dev", "test")}
    silver = {"silver/train.spacy", "silver/dev.spacy"}
    assert files == {"tokens.txt", *tagger, *silver}
    nlp = spacy.blank("it")
    docs = {
        name: list(DocBin().from_disk(output / name).get_docs(nlp.vocab))
        for name in tagger | silver
    }
    assert len(docs["tagger/train.spacy"]) == len(PLACES)
    assert {doc[3].pos_ for doc in docs["tagger/dev.spacy"]} == {"PROPN"}
    # Each tenth of the twenty narrators is held out, with both narratives.
    assert len(docs["silver/dev.spacy"]) == 4
    assert len(docs["silver/train.spacy"]) == 36
    assert all(doc.spans["fu"] for doc in docs["silver/train.spacy"])
    tokens = (output / "tokens.txt").read_text("utf-8")
    assert f"{len(tokens.split()):,} tokens" in out
    assert "36 train, 4 dev" in out
    assert tokens == tokens.lower()
    # What is held out of the text is no part of it.
    held_out = (place / "text" / "dev.jsonl").read_text("utf-8").splitlines()
    paragraph = json.loads(held_out[0])["text"].split("\n")[0]
    line = " ".join(token.lower_ for token in nlp(paragraph))
    assert line not in tokens.splitlines()


def test_build_gathers_a_base(cli: Cli, small_base: SmallBase, tmp_path: Path) -> None:
    work, output = tmp_path / "work", tmp_path / "new" / "base"
    copytree(small_base.pipeline, work / "vectors")
    copytree(small_base.pipeline, work / "tagger" / "model-best")
    code, out, err = cli("base", "build", work, output, "--no-joint")
    assert (code, err) == (0, "")
    assert "4 files" in out
    assert [path.stem for path in (output / "weights").iterdir()] == ["morphologizer"]
    copytree(small_base.pipeline, work / "joint" / "model-best")
    assert cli("base", "build", work, output)[0] == 0
    assert sorted(path.stem for path in (output / "weights").iterdir()) == WEIGHTS
    for name in json.loads((output / CHECKSUMS).read_text("utf-8")):
        assert asset_path(name, output).read_bytes() == (small_base.folder / name).read_bytes()
    # Weights that are there from before do not stay.
    assert cli("base", "build", work, output, "--no-joint")[0] == 0
    assert [path.stem for path in (output / "weights").iterdir()] == ["morphologizer"]


def contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_what_is_wrong_is_named_and_nothing_is_written(
    cli: Cli, place: Path, small_base: SmallBase, tmp_path: Path
) -> None:
    no_tree, no_text, none = (tmp_path / name for name in ("no-tree", "no-text", "none"))
    copytree(place, no_tree)
    (no_tree / "sources" / "ud_twittiro" / "it_twittiro-ud-test.conllu").unlink()
    copytree(place, no_text)
    (no_text / "text" / "train.jsonl").unlink()
    broken = tmp_path / "broken.jsonl"
    write(broken, narrative(0), json.dumps({"id": "b", "text": FORBIDDEN}))
    file = tmp_path / "file"
    file.touch()
    base = copytree(small_base.folder, tmp_path / "base")
    work = tmp_path / "work"
    (work / "vectors").mkdir(parents=True)
    complete = tmp_path / "complete"
    for name in ("vectors", "tagger/model-best", "joint/model-best"):
        copytree(small_base.pipeline, complete / name)
    for name in ("no-table", "no-tagger", "no-joint"):
        copytree(complete, tmp_path / name)
    plain = spacy.blank("it")
    plain.to_disk(tmp_path / "no-table" / "vectors")
    plain.to_disk(tmp_path / "no-tagger" / "tagger" / "model-best")
    rmtree(tmp_path / "no-joint" / "joint")
    before = contents(tmp_path)
    args = prepare(place, tmp_path / "out")
    vectors = ("base", "vectors", place / "silver.jsonl", tmp_path / "out")
    for call, expected, message in (
        (("base",), 2, "Usage: valence-ec base"),
        (("base", "text"), 2, "No such command 'text'"),
        ((*args[:2], none, *args[3:]), 2, "Usage: valence-ec base prepare"),
        ((*args[:3], none, *args[4:]), 2, "Usage: valence-ec base prepare"),
        ((*args[:2], file, *args[3:]), 2, "Usage: valence-ec base prepare"),
        ((*args[:-1], none), 2, "Usage: valence-ec base prepare"),
        (prepare(no_tree, tmp_path / "out"), 1, "[B001] There is no text of 'test'"),
        (prepare(no_text, tmp_path / "out"), 1, "[P005]"),
        ((*args, "--silver", none), 1, str(none)),
        ((*args, "--silver", broken), 1, "[D007] 2 problems"),
        ((*args, "--setting", "none"), 1, "[P001]"),
        ((*args[:4], file / "x", *args[5:]), 1, str(file)),
        ((*vectors[:2], none, tmp_path / "out"), 2, "Usage: valence-ec base vectors"),
        ((*vectors, "--epochs", 0), 2, "--epochs"),
        (("base", "build", none, base), 2, "Usage: valence-ec base build"),
        (("base", "build", work, base), 1, "[M003]"),
        (("base", "build", tmp_path / "no-table", base), 1, "[B005]"),
        (("base", "build", tmp_path / "no-tagger", base), 1, "no component 'morphologizer'"),
        (("base", "build", tmp_path / "no-joint", base), 1, "[M003]"),
        (("base", "build", complete, file), 1, str(file)),
    ):
        code, out, err = cli(*call)
        assert code == expected, (call, err)
        assert message in out + err, (call, err)
        assert expected == 2 or out == ""
        assert "unexpected" not in err
        assert FORBIDDEN not in err
        assert contents(tmp_path) == before, call


def test_vectors_of_forms_as_they_stand_are_not_taken(
    cli: Cli, small_base: SmallBase, tmp_path: Path
) -> None:
    copytree(small_base.pipeline, tmp_path / "work" / "tagger" / "model-best")
    nlp = spacy.blank("it")
    nlp.vocab.vectors = small_vectors(nlp, attr="ORTH")
    nlp.to_disk(tmp_path / "work" / "vectors")
    code, _, err = cli("base", "build", tmp_path / "work", tmp_path / "base", "--no-joint")
    assert code == 1
    assert "[B005]" in err
    assert "--attr LOWER" in err
    assert not (tmp_path / "base").exists()


def test_each_step_has_its_help(cli: Cli) -> None:
    code, out, err = cli("base", "--help")
    assert (code, err) == (0, "")
    for step in ("prepare", "vectors", "build"):
        assert f" {step} " in out
        code, _, err = cli("base", step, "--help")
        assert (code, err) == (0, "")
