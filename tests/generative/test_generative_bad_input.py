"""What cannot work is refused when the pipeline is made or initialized, not in training."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import NARRATIVES, examples_of, unannotated
from tiny_gpt import language_model, make_generative, save_geppetto_like, tagger

from spacy_valence_ec.errors import ValenceECError, ValenceECWarning
from spacy_valence_ec.generative.templates import make_template

NARRATIVE = ("il gatto " * 60 + "nero", [("il gatto " * 60 + "nero", "neutral", [])])
TEMPLATE = {"@misc": "spacy_valence_ec.prompt_template.v1"}


def refused(folder: Path, message: str, **settings: Any) -> None:
    nlp = make_generative(folder, **settings)
    with pytest.raises(ValenceECError, match=message):
        nlp.initialize(lambda: examples_of(nlp))


def test_a_unit_longer_than_the_context(geppetto_like: Path) -> None:
    nlp = make_generative(geppetto_like)
    with pytest.raises(ValenceECError) as error:
        nlp.initialize(lambda: examples_of(nlp, [*NARRATIVES[:2], NARRATIVE]))
    assert re.search(r"G001.* 1 units .* 160 pieces .* 0 to 121 of text 2", str(error.value))
    assert "gatto" not in str(error.value)


def test_prediction_cuts_such_a_unit_and_says_so(geppetto_like: Path) -> None:
    nlp = make_generative(geppetto_like, "two-step-valence-ec")
    nlp.initialize(lambda: examples_of(nlp))
    (example,) = examples_of(nlp, [NARRATIVE])
    with pytest.warns(ValenceECWarning, match=r"G101.*\d+ of \d+ prompts"):
        doc = nlp.get_pipe("generative_tagger")(example.predicted)
    assert doc.spans["fu"][0].label_


def test_the_context_is_cut_from_the_left_and_never_the_unit(geppetto_like: Path) -> None:
    nlp = make_generative(geppetto_like)
    nlp.initialize(lambda: examples_of(nlp))
    pipe = tagger(nlp)
    narrative = (
        "il gatto " * 60 + "ha riso",
        [("il gatto", "neutral", []), ("ha riso", "positive", [])],
    )
    (example,) = examples_of(nlp, [narrative])
    last = pipe.units([example.predicted])[0][1]
    (query,) = pipe._write("joint", last)
    text = pipe.writer.tokenizer.decode(query.prompt)
    answer = sum(len(s.lead) + max(map(len, s.options)) for s in query.slots) + len(query.end)
    assert len(query.prompt) + answer == pipe.writer.max_length == 160
    assert text.startswith("Prima: ")
    assert "il gatto\nFrase: ha riso\nCandidati: " in text
    assert text.count("gatto") < 60
    assert not query.is_cut


def test_candidates_that_do_not_fit_are_asked_in_parts(geppetto_like: Path) -> None:
    nlp = make_generative(geppetto_like)
    nlp.initialize(lambda: examples_of(nlp))
    pipe = tagger(nlp)
    (example,) = examples_of(
        nlp, [("ho mangiato una mela", [("ho mangiato una mela", "neutral", [])])]
    )
    doc = example.predicted
    doc.spans["ec_candidates"] = [doc[i:j] for i in range(4) for j in range(i + 1, 5) if j <= 4] * 2
    queries = pipe._write("joint", pipe.units([doc])[0][0])
    assert len(queries) > 1
    assert [i for query in queries for i in query.candidates] == list(range(20))
    assert all(query.has_valence and not query.is_cut for query in queries)
    assert len(pipe(doc).spans["ec_candidates"].attrs["scores"]) == 20


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"prompt": "{frase}"}, r"G002.*`prompt`.*\{frase\}.*context, unit"),
        ({"prompt": "{unit.text}"}, r"G002.*unit\.text"),
        ({"prompt": "{unit!r}"}, "G002"),
        ({"prompt": "{unit:>9}"}, "G002"),
        ({"prompt": "{unit"}, "G002.*brace"),
        ({"prompt": "Frase:"}, r"G002.*\{unit\} is missing"),
        ({"prompt": "{context}{unit}{context}"}, r"G002.*twice"),
        ({"prompt": "{unit}", "candidate": "{unit}:"}, r"G002.*`candidate`"),
        ({"prompt": "{unit}", "candidate": "?"}, r"G002.*\{candidate\} is missing"),
    ],
)
def test_templates_with_wrong_fields(parts: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValenceECError, match=message):
        make_template(**parts)
    with pytest.raises(ValenceECError, match=message):
        make_generative(tmp_path, templates={"joint": {**TEMPLATE, **parts}})


@pytest.mark.parametrize(
    ("setting", "step", "parts", "why"),
    [
        (
            "joint",
            "joint",
            {"prompt": "{unit}", "valence": None},
            "must have valence and candidate",
        ),
        ("single-valence", "valence", {"prompt": "{unit}{valence}"}, "not known yet"),
        ("two-step-valence-ec", "ec_given_valence", {"prompt": "{unit}"}, r"lacks \{valence\}"),
        ("two-step-ec-valence", "valence_given_ec", {"prompt": "{unit}"}, r"lacks \{carriers\}"),
        ("single-ec", "ec", {"candidate": None}, "must have candidate"),
    ],
)
def test_templates_that_do_not_fit_their_step(
    setting: str, step: str, parts: dict[str, Any], why: str, tmp_path: Path
) -> None:
    templates = {step: {**TEMPLATE, **parts}}
    with pytest.raises(ValenceECError, match=rf"G006.*'{step}'.*{why}"):
        make_generative(tmp_path, setting, templates=templates)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"setting": "jiont"}, "G005.*'jiont'.*joint"),
        ({"condition_on": "oracle"}, "G010.*`condition_on`.*'gold'"),
        ({"decoding": "beam"}, "G010.*`decoding`"),
        ({"loss_on": "all"}, "G010.*`loss_on`"),
        ({"threshold": 1.5}, "G010.*`threshold`"),
        ({"batch_pieces": 0}, "G010.*`batch_pieces`"),
    ],
)
def test_settings_that_do_not_exist(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValenceECError, match=message):
        make_generative(tmp_path, **settings)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"yes": " "}, "G003.*no pieces"),
        ({"yes": "no"}, "G003.*'no'.*told apart"),
        ({"yes": "nonostante"}, "G003.*'no'.*told apart"),
        ({"maybe": "forse"}, "G003.*'maybe'"),
    ],
)
def test_words_that_cannot_be_answers(
    geppetto_like: Path, words: dict[str, str], message: str
) -> None:
    refused(geppetto_like, message, words=words)


def test_words_that_are_not_in_the_vocabulary(tmp_path: Path) -> None:
    """A vocabulary that lacks some bytes: "sì" has pieces for its s only."""
    folder = save_geppetto_like(tmp_path / "model")
    vocab = json.loads((folder / "vocab.json").read_text("utf-8"))
    lacking = {piece: i for piece, i in vocab.items() if "Ã" not in piece and "¬" not in piece}
    assert len(lacking) < len(vocab)
    merges = (folder / "merges.txt").read_text("utf-8").splitlines()
    kept = [line for line in merges if "Ã" not in line and "¬" not in line]
    (folder / "vocab.json").write_text(json.dumps(lacking), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(kept) + "\n", encoding="utf-8")
    refused(folder, r"G003.*'sì'.*no pieces")


def test_folders_that_hold_no_causal_model(geppetto_like: Path, tmp_path: Path) -> None:
    refused(tmp_path, r"G004.*config\.json")
    from transformers import BertConfig, BertForMaskedLM

    sizes = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1}
    model = BertForMaskedLM(BertConfig(vocab_size=50, intermediate_size=8, **sizes))
    model.save_pretrained(tmp_path / "bert")
    refused(tmp_path / "bert", r"G004.*'bert'")
    broken = shutil.copytree(geppetto_like, tmp_path / "broken")
    (broken / "pytorch_model.bin").write_bytes(b"no weights")
    refused(broken, r"G004.*weights")
    (broken / "pytorch_model.bin").unlink()
    refused(broken, r"G004.*weights")
    shutil.copy(geppetto_like / "pytorch_model.bin", broken)
    (broken / "vocab.json").write_text("{", encoding="utf-8")
    refused(broken, r"G004.*tokenizer")


def test_nothing_annotated(geppetto_like: Path) -> None:
    for setting, key in (("joint", "fu"), ("single-ec", "ec")):
        nlp = make_generative(geppetto_like, setting)
        with pytest.raises(ValenceECError, match=rf"V006.*'{key}'"):
            nlp.initialize(lambda nlp=nlp: [unannotated(nlp, "ciao", [(0, 1)])])


def test_not_initialized(geppetto_like: Path, tmp_path: Path) -> None:
    nlp = make_generative(geppetto_like)
    doc = nlp.make_doc("ciao")
    with pytest.raises(ValenceECError, match=r"V001|G008"):
        nlp.get_pipe("generative_tagger")(doc)
    with pytest.raises(ValenceECError, match="G008"):
        nlp.to_disk(tmp_path / "model")


def test_a_loss_that_is_no_number(geppetto_like: Path) -> None:
    nlp = make_generative(geppetto_like)
    nlp.initialize(lambda: examples_of(nlp))
    with torch.no_grad():
        next(language_model(nlp).parameters()).fill_(float("nan"))
    with pytest.raises(ValenceECError, match="V010"):
        nlp.update(examples_of(nlp))


def test_a_batch_without_gold_data_changes_nothing(geppetto_like: Path) -> None:
    nlp = make_generative(geppetto_like)
    nlp.initialize(lambda: examples_of(nlp))
    before = [p.clone() for p in language_model(nlp).parameters()]
    losses = nlp.update([unannotated(nlp, "ciao", [(0, 1)])], losses={})
    assert losses["generative_tagger"] == 0.0
    for old, new in zip(before, language_model(nlp).parameters(), strict=True):
        assert torch.equal(old, new)
