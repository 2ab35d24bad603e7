"""`valence-ec encoder`: files of the known layout become a Hugging Face encoder with the word
pieces of some languages, and of others nothing is written."""

import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from helpers import Cli
from tiny_e5 import INNER, LAYERS, PIECES, SYLLABLES, WIDTH, TinyE5, save_tiny_e5
from tokenizers import Tokenizer
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, BertTokenizerFast

from spacy_valence_ec.base import e5, pruning
from spacy_valence_ec.base.e5 import Carrier, read_tokenizer, read_weights
from spacy_valence_ec.base.encoder import make_encoder
from spacy_valence_ec.errors import ValenceECError

SENTENCE = "baba dado 😭 cebi A7!"
SECRET = "segreto"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TinyE5:
    return save_tiny_e5(tmp_path_factory.mktemp("e5"))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three times each pair of the first syllables: most pieces that begin a word."""
    path = tmp_path_factory.mktemp("text") / "it.txt"
    words = [f"{a}{b}" for a in SYLLABLES[:35] for b in SYLLABLES[:18]]
    path.write_text("\n".join([" ".join(words)] * 3), encoding="utf-8")
    return path


def of_files(files: TinyE5) -> tuple[object, ...]:
    return ("--weights", files.weights, "--tokenizer", files.tokenizer)


def test_the_weights_are_those_of_the_file(files: TinyE5) -> None:
    model = read_weights(files.weights)
    assert model.pieces == PIECES
    assert (model.sizes.width, model.sizes.layers, model.sizes.inner_width) == (
        WIDTH,
        LAYERS,
        INNER,
    )
    np.testing.assert_array_equal(
        model.tensors["embeddings.word_embeddings.weight"], files.tensors["emb.word"]
    )
    np.testing.assert_array_equal(
        model.tensors["encoder.layer.1.intermediate.dense.weight"], files.tensors["l1.fi.w"]
    )
    np.testing.assert_array_equal(
        model.tensors["encoder.layer.0.output.LayerNorm.bias"], files.tensors["l0.oln.b"]
    )
    assert read_tokenizer(files.tokenizer, model.pieces)["model"]["type"] == "Unigram"


def test_a_pruned_encoder_gives_the_same_vectors(
    cli: Cli, files: TinyE5, text: Path, tmp_path: Path
) -> None:
    whole, pruned = tmp_path / "whole", tmp_path / "new" / "pruned"
    assert cli("encoder", whole, "--language", "all", *of_files(files))[0] == 0
    code, out, err = cli("encoder", pruned, "--text", f"it={text}", *of_files(files))
    assert (code, err) == (0, "")
    vectors, pieces, sizes = [], [], []
    for folder in (whole, pruned):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert tokenizer.is_fast
        model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
        read = tokenizer(SENTENCE, return_tensors="pt", return_token_type_ids=False)
        pieces.append(tokenizer.convert_ids_to_tokens(read["input_ids"][0].tolist()))
        with torch.no_grad():
            vectors.append(model(**read).last_hidden_state)
        sizes.append(len(tokenizer))
        assert model.config.vocab_size == len(tokenizer)
        assert tokenizer.convert_ids_to_tokens(model.config.pad_token_id) == "<pad>"
    assert pieces[0] == pieces[1]
    assert pieces[0][0] == "<s>"
    assert "😭" in pieces[0]
    torch.testing.assert_close(*vectors)
    assert sizes[0] == len(PIECES) + 1
    assert pruning.MIN_PIECES < sizes[1] < sizes[0]
    assert "100.000% of" in out
    assert "0.0000% unknown" in out
    card = (pruned / "README.md").read_text("utf-8")
    for part in ("Wang et al. 2024", "MIT License", "Intfloat", f"{sizes[1]:,} of {sizes[0]:,}"):
        assert part in card
    # Letters of other scripts go where no text needs them, those of Latin stay.
    known = set(AutoTokenizer.from_pretrained(pruned).get_vocab())
    assert "я" not in known
    assert {"A", "è", "7", "!", "😭", "▁", "<mask>"} <= known


def test_languages_are_kept_together(cli: Cli, files: TinyE5, text: Path, tmp_path: Path) -> None:
    other = tmp_path / "en.jsonl"
    words = [f"{a}{b}" for a in SYLLABLES[:35] for b in SYLLABLES[2:20]]
    other.write_text("\n".join([json.dumps({"text": " ".join(words)})] * 3), encoding="utf-8")
    output = tmp_path / "both"
    both = ("--language", "it+en", "--text", f"it={text}", "--text", f"en={other}")
    code, out, err = cli("encoder", output, *both, *of_files(files))
    assert (code, err) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines()[1:]] == ["it", "en"]
    known = AutoTokenizer.from_pretrained(output).get_vocab()
    assert f"▁{SYLLABLES[0]}{SYLLABLES[0]}" in known
    assert f"▁{SYLLABLES[0]}{SYLLABLES[19]}" in known


def test_another_encoder_is_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["ho", "visto", "il", "mare", "##tta", "я", "##no", *"abcdefghilmnoprstuvz"]
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    source = tmp_path / "bert"
    source.mkdir()
    (source / "vocab.txt").write_text("\n".join(vocab), encoding="utf-8")
    BertTokenizerFast(str(source / "vocab.txt")).save_pretrained(source)
    config = BertConfig(
        vocab_size=len(vocab),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    BertModel(config).save_pretrained(source)
    monkeypatch.setattr(pruning, "MIN_PIECES", 2)
    made = make_encoder(tmp_path / "out", {"it": ["ho visto il mare"] * 3}, folder=source)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert made.pieces == len(tokenizer) < len(vocab)
    assert tokenizer.tokenize("ho visto il mare") == ["ho", "visto", "il", "mare"]
    assert not {"##tta", "##no", "я"} & set(tokenizer.get_vocab())
    results = []
    for folder in (source, tmp_path / "out"):
        read = AutoTokenizer.from_pretrained(folder)("ho visto il mare", return_tensors="pt")
        with torch.no_grad():
            results.append(AutoModel.from_pretrained(folder).eval()(**read).last_hidden_state)
    torch.testing.assert_close(*results)


def test_what_is_wrong_is_named_and_nothing_is_written(
    cli: Cli, files: TinyE5, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = Carrier("no-such-package", "1.0", "x.bin", "0" * 64)
    monkeypatch.setattr(e5, "WEIGHTS", missing)
    cut = tmp_path / "cut.bin"
    content = files.weights.read_bytes()
    cut.write_bytes(content[:-9])
    head = tmp_path / "head.bin"
    head.write_bytes(content[:300])
    empty = tmp_path / "empty.bin"
    empty.touch()
    other = tmp_path / "tokenizer.json"
    changed = json.loads(files.tokenizer.read_text("utf-8"))
    changed["model"]["vocab"][9][0] = SECRET
    other.write_text(json.dumps(changed), encoding="utf-8")
    short = tmp_path / "short.txt"
    short.write_text(SECRET, encoding="utf-8")
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "' + SECRET, encoding="utf-8")
    output = tmp_path / "out"
    full = (*of_files(files), "--text", f"it={text}")
    for arguments, expected, message in (
        ((*full, "--weights", cut), 1, "[B012]"),
        ((*full, "--weights", head), 1, "[B012]"),
        ((*full, "--weights", empty), 1, "[B012]"),
        ((*full, "--weights", files.tokenizer), 1, "[B012]"),
        ((*full, "--tokenizer", other), 1, "[B013]"),
        ((*full, "--tokenizer", files.weights), 1, "[B012]"),
        ((*of_files(files), "--text", f"it={short}"), 1, "[B014] The text of 'it'"),
        ((*of_files(files), "--text", f"it={broken}"), 1, "[D010]"),
        ((*of_files(files), "--text", f"it={tmp_path / 'none.txt'}"), 1, "none.txt"),
        ((*of_files(files), "--text", str(text)), 2, "LANGUAGE=FILE"),
        ((*of_files(files), "--text", f"en={text}"), 2, "LANGUAGE=FILE"),
        (of_files(files), 2, "--text it=FILE"),
        (("--text", f"it={text}"), 1, "[B010] The package 'no-such-package' 1.0"),
        (("--text", f"it={text}", "--from", tmp_path), 1, "[C003]"),
    ):
        code, out, err = cli("encoder", output, *arguments)
        assert code == expected, (arguments, err)
        assert message in err, (arguments, err)
        assert "unexpected" not in err
        assert SECRET not in out + err
        assert not output.exists(), arguments


def test_another_file_than_the_known_one_is_refused(files: TinyE5) -> None:
    with pytest.raises(ValenceECError, match=r"\[B011\].*extra `encoder`"):
        e5.check_file(files.weights, e5.WEIGHTS.checksum)


def test_a_tokenizer_of_another_kind_is_refused() -> None:
    with pytest.raises(ValenceECError, match=r"\[B015\].*'BPE'"):
        pruning.vocabulary({"model": {"type": "BPE", "vocab": {}}})


def test_what_was_there_goes_when_all_is_done(files: TinyE5, tmp_path: Path) -> None:
    output = tmp_path / "encoder"
    output.mkdir()
    (output / "old.txt").write_text("old")
    make_encoder(output, {}, weights=files.weights, tokenizer=files.tokenizer)
    assert not (output / "old.txt").exists()
    again = copytree(output, tmp_path / "again")
    made = make_encoder(tmp_path / "second", {}, folder=again)
    assert made.pieces == len(PIECES) + 1
    first, second = (
        Tokenizer.from_file(str(folder / "tokenizer.json")).encode(SENTENCE).ids
        for folder in (again, tmp_path / "second")
    )
    assert first == second
