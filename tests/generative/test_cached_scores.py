"""Scores from a cached prefix against full passes, and batches against single units."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import HOSTILE_TEXTS, NARRATIVES, assert_same_annotation, examples_of
from spacy import Language
from spacy.tokens import Doc
from tiny_gpt import language_model, learn, make_generative, save_geppetto_like, tagger, with_units

from spacy_valence_ec.generative.prompts import Query
from spacy_valence_ec.generative.scoring import (
    Reading,
    batches,
    generate,
    pad_left,
    score_answers,
    score_by_full_passes,
)


def queries_of(nlp: Language, docs: list[Doc], step: str = "joint") -> list[Query]:
    pipe = tagger(nlp)
    return [q for units in pipe.units(docs) for unit in units for q in pipe._write(step, unit)]


@pytest.fixture(scope="module")
def queries(untrained: Language) -> list[Query]:
    """Of several Docs, of different lengths, with words of one piece and of several."""
    found = queries_of(untrained, with_units(untrained, NARRATIVES))
    assert len({len(query.prompt) for query in found}) > 5
    assert len({len(query.slots) for query in found}) > 2
    sizes = {len(option) for query in found for slot in query.slots for option in slot.options}
    assert len(sizes) > 1
    return found


def assert_same_scores(first: Any, second: Any, atol: float = 1e-5) -> None:
    for scores, others in zip(first, second, strict=True):
        for p, q in zip(scores, others, strict=True):
            assert p.dtype == np.float32
            np.testing.assert_allclose(p, q, atol=atol)
            assert p.sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("max_pieces", [1, 300, 100_000])
def test_cached_scores_equal_full_passes(
    untrained: Language, queries: list[Query], max_pieces: int
) -> None:
    model = language_model(untrained)
    expected = score_by_full_passes(model, queries, max_pieces=1)
    assert max(p.max() - p.min() for scores in expected for p in scores) > 0.01
    assert_same_scores(score_answers(model, queries, max_pieces), expected)
    assert_same_scores(score_by_full_passes(model, queries, max_pieces), expected)


def test_the_reference_is_what_transformers_gives(
    untrained: Language, queries: list[Query]
) -> None:
    """One text at a time, without mask, positions or padding."""
    model = language_model(untrained)
    for query, scores in zip(queries, score_answers(model, queries), strict=True):
        text = query.prompt
        for slot, p in zip(query.slots, scores, strict=True):
            text += slot.lead
            logs = []
            for option in slot.options:
                with torch.inference_mode():
                    logits = model(torch.tensor([text + option])).logits[0].double()
                log_p = torch.log_softmax(logits, dim=-1)
                places = range(len(text) - 1, len(text) + len(option) - 1)
                logs.append(
                    sum(log_p[i, piece].item() for i, piece in zip(places, option, strict=True))
                )
            weights = np.exp(logs)
            np.testing.assert_allclose(p, weights / weights.sum(), atol=1e-5)
            text += slot.options[slot.choose(p)]


def test_other_classes_of_decoder(tmp_path: Path, queries: list[Query]) -> None:
    """Positions that are rotated, and an output layer of its own."""
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    torch.manual_seed(0)
    model = GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=400,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=200,
            initializer_range=0.2,
        )
    )
    assert_same_scores(score_answers(model, queries), score_by_full_passes(model, queries, 1))


@pytest.mark.parametrize("decoding", ["constrained", "free"])
def test_one_doc_at_a_time_equals_many(geppetto_like: Path, decoding: str) -> None:
    nlp = make_generative(geppetto_like, decoding=decoding, loss_on="completion")
    nlp.initialize(lambda: examples_of(nlp))
    learn(nlp, examples_of(nlp), below=0.5, most=15)
    together = list(nlp.pipe(with_units(nlp, NARRATIVES), batch_size=100))
    tagger(nlp).batch_pieces = 1
    for doc, expected in zip(with_units(nlp, NARRATIVES), together, strict=True):
        assert_same_annotation(nlp.get_pipe("generative_tagger")(doc), expected)


def test_padding_is_in_front_and_has_no_position() -> None:
    padded = pad_left([(5, 6, 7), (), (8,)], [0, 4, 9])
    assert padded.pieces.tolist() == [[5, 6, 7], [0, 0, 0], [0, 0, 8]]
    assert padded.mask.tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 1]]
    assert padded.positions.tolist() == [[0, 1, 2], [0, 0, 0], [0, 0, 9]]


def test_batches_hold_every_text_once() -> None:
    lengths = [3, 9, 1, 4, 4, 20, 2]
    found = list(batches(lengths, 12))
    assert sorted(i for batch in found for i in batch) == list(range(len(lengths)))
    assert all(
        len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 12 for batch in found
    )
    assert list(batches([], 12)) == []


def test_free_generation_is_that_of_transformers(untrained: Language, queries: list[Query]) -> None:
    model = language_model(untrained)
    prompts = [query.prompt for query in queries]
    written = generate(model, prompts, [12] * len(prompts), lambda pieces: False)
    for prompt, pieces in zip(prompts, written, strict=True):
        text = list(prompt)
        for _ in range(12):
            with torch.inference_mode():
                text.append(int(model(torch.tensor([text])).logits[0, -1].argmax()))
        assert list(pieces) == text[len(prompt) :]


def test_a_reading_goes_on_where_it_stopped(untrained: Language, queries: list[Query]) -> None:
    model = language_model(untrained).eval()
    first, second = queries[0].prompt[:11], queries[1].prompt[:7]
    with torch.inference_mode():
        reading = Reading(model, 2)
        reading.read([first[:4], second[:6]])
        states = reading.taken([1, 0, 1]).read([second[6:], first[4:], second[6:]])[:, -1]
        for text, state in zip((second, first, second), states, strict=True):
            whole = model.base_model(torch.tensor([text])).last_hidden_state[0, -1]
            torch.testing.assert_close(state, whole, atol=1e-5, rtol=1e-4)


def test_texts_that_look_like_special_pieces(untrained: Language) -> None:
    pieces = tagger(untrained).writer.encode("ciao <|endoftext|> ciao")
    model = language_model(untrained)
    assert max(pieces) < model.config.vocab_size
    assert untrained.get_pipe("generative_tagger").writer.tokenizer.eos_token_id not in pieces


def test_any_text_is_read(geppetto_like: Path) -> None:
    nlp = make_generative(geppetto_like)
    nlp.initialize(lambda: examples_of(nlp))
    texts = [*HOSTILE_TEXTS[:-1], "<|endoftext|> ciao", "{unit} {ciao} %s \\n"]
    for text in texts:
        doc = nlp.make_doc(text)
        words = [token.i for token in doc if not token.is_space]
        doc.spans["fu"] = [doc[words[0] : words[-1] + 1]] if words else []
        doc = nlp.get_pipe("generative_tagger")(doc)
        assert doc.spans["fu"].attrs["scores"].shape == (len(doc.spans["fu"]), 3)
        assert all(span.label_ for span in doc.spans["fu"])


def test_layout_of_the_tiny_model(tmp_path: Path) -> None:
    folder = save_geppetto_like(tmp_path / "model")
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "merges.txt",
        "pytorch_model.bin",
        "vocab.json",
    }
