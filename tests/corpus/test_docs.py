import json
import random
import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from narrative_strategies import narratives, texts
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from spacy_valence_ec.corpus.docs import (
    Snapping,
    doc_to_narrative,
    doc_to_record,
    docs_to_bytes,
    narrative_to_doc,
    narratives_to_docs,
)
from spacy_valence_ec.corpus.jsonl import narrative_to_record
from spacy_valence_ec.errors import ValenceECError, ValenceECWarning
from spacy_valence_ec.schema import Narrative, Offsets, Unit

NLP = spacy.blank("it")
TEXT = "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!"


def narrative(text: str, units: list[tuple[int, int, str]], **more: Any) -> Narrative:
    return Narrative(id="n1", text=text, units=tuple(Unit(*unit) for unit in units), **more)


def spans(doc: Doc, key: str) -> list[tuple[str, str]]:
    return [(span.text, span.label_) for span in doc.spans[key]]


def test_the_annotation_becomes_span_groups() -> None:
    candidates = (Offsets(40, 54), Offsets(17, 27), Offsets(55, 63), Offsets(55, 57))
    doc, snapping = narrative_to_doc(
        narrative(
            TEXT,
            [(0, 28, "neutral"), (29, 64, "positive")],
            carriers=(Offsets(40, 63),),
            candidates=candidates,
            narrator="s1",
            extra={"mood": [1]},
        ),
        NLP,
    )
    assert spans(doc, "fu") == [
        ("Ieri sono andata dal medico.", "neutral"),
        ("Finalmente mi hanno tolto il gesso!", "positive"),
    ]
    assert spans(doc, "ec") == [("mi hanno tolto il gesso", "EC")]
    # "il" alone shares only a stop word with the carrier.
    assert spans(doc, "ec_candidates") == [
        ("dal medico", ""),
        ("mi hanno tolto", "EC"),
        ("il", ""),
        ("il gesso", "EC"),
    ]
    stored = doc.user_data["narrative"]
    assert stored == {"id": "n1", "narrator": "s1", "lang": "it", "extra": '{"mood": [1]}'}
    # Two units, a carrier and four candidates.
    assert snapping == Snapping(total=14)
    assert snapping.messages() == []


def test_a_candidate_counts_by_any_token_of_a_carrier_without_content() -> None:
    # "lui" is a stop word, and all that the carrier has.
    gold = narrative(
        "Era lui!",
        [(0, 8, "positive")],
        carriers=(Offsets(4, 7),),
        candidates=(Offsets(0, 3), Offsets(0, 7)),
    )
    doc, _ = narrative_to_doc(gold, NLP)
    assert spans(doc, "ec_candidates") == [("Era", ""), ("Era lui", "EC")]


def test_offsets_inside_tokens_are_snapped_outward_and_counted() -> None:
    # Tokens: bella | casadolce | finita. A unit ends and the next begins inside the second one.
    gold = narrative(
        "bella casadolce finita",
        [(0, 10, "positive"), (10, 22, "negative")],
        carriers=(Offsets(7, 10), Offsets(10, 15), Offsets(17, 20)),
        candidates=(Offsets(8, 9), Offsets(6, 15), Offsets(16, 22)),
    )
    doc, snapping = narrative_to_doc(gold, NLP)
    assert spans(doc, "fu") == [("bella casadolce", "positive"), ("finita", "negative")]
    # The second carrier lies in the token that the first unit, and the first carrier, took.
    assert spans(doc, "ec") == [("casadolce", "EC"), ("finita", "EC")]
    assert spans(doc, "ec_candidates") == [("casadolce", "EC"), ("finita", "EC")]
    # Units: end, start. Carriers: 7, 10; 10; 17, 20. Candidates: 8, 9.
    assert snapping == Snapping(
        total=16, snapped={"n1": 9}, dropped={"ec": {"n1": 1}, "ec_candidates": {"n1": 1}}
    )


def test_a_unit_without_a_token_of_its_own_is_dropped_with_its_carriers() -> None:
    gold = narrative(
        "casadolce!",
        [(0, 3, "neutral"), (3, 6, "positive"), (6, 10, "negative")],
        carriers=(Offsets(3, 6),),
    )
    doc, snapping = narrative_to_doc(gold, NLP)
    assert spans(doc, "fu") == [("casadolce", "neutral"), ("!", "negative")]
    assert spans(doc, "ec") == []
    assert snapping.dropped == {"fu": {"n1": 1}, "ec": {"n1": 1}}
    docs, both = narratives_to_docs([gold, Narrative("n2", "casa", (Unit(0, 2, "neutral"),))], NLP)
    assert len(docs) == 2
    with pytest.warns(ValenceECWarning) as caught:
        both.warn()
    told = [str(warning.message) for warning in caught]
    assert told[0].startswith("[W001] 7 of 10 offsets")
    assert "(narratives: n1, n2)" in told[0]
    assert told[1].startswith("[W003] 1 annotated spans of 'fu'")
    assert told[2].startswith("[W003] 1 annotated spans of 'ec'")


def test_white_space_is_never_at_the_edge_of_a_unit() -> None:
    text = "  \n casa  \n\n  dolce \n"
    doc, snapping = narrative_to_doc(
        narrative(text, [(0, 11, "neutral"), (11, 21, "neutral")]), NLP
    )
    assert spans(doc, "fu") == [("casa", "neutral"), ("dolce", "neutral")]
    # The cut goes through a token of white space: nothing is lost by that.
    assert snapping == Snapping(total=4)
    whole, _ = narrative_to_doc(narrative(text, [(0, 21, "neutral")]), NLP)
    assert spans(whole, "fu") == [("casa  \n\n  dolce", "neutral")]


@settings(deadline=None)
@given(narratives())
def test_each_token_goes_to_the_first_unit_that_it_touches(gold: Narrative) -> None:
    doc, snapping = narrative_to_doc(gold, NLP)
    assert doc.text == gold.text
    owned: dict[Unit, list[int]] = {}
    for token in doc:
        if not token.is_space:
            end = token.idx + len(token)
            owner = next(u for u in gold.units if u.start < end and token.idx < u.end)
            owned.setdefault(owner, []).append(token.i)
    assert [(span.start, span.end, span.label_) for span in doc.spans["fu"]] == [
        (tokens[0], tokens[-1] + 1, unit.valence) for unit, tokens in owned.items()
    ]
    lost = len(gold.units) - len(owned)
    assert snapping.dropped.get("fu", {}) == ({gold.id: lost} if lost else {})
    for key in ("ec", "ec_candidates"):
        for span in doc.spans.get(key, ()):
            assert any(u.start <= span.start and span.end <= u.end for u in doc.spans["fu"])
            assert not span[0].is_space
            assert not span[-1].is_space
    assert all(one.end <= two.start for one, two in pairwise(doc.spans["ec"]))
    assert len(doc.spans["ec"]) + snapping.dropped.get("ec", {}).get(gold.id, 0) == len(
        gold.carriers
    )


@settings(deadline=None)
@given(narratives())
def test_docs_keep_a_narrative_on_token_edges_through_a_docbin(gold: Narrative) -> None:
    doc, _ = narrative_to_doc(gold, NLP)
    on_tokens = doc_to_narrative(doc, default_id="")
    assert (on_tokens.id, on_tokens.narrator, on_tokens.lang) == (gold.id, gold.narrator, gold.lang)
    assert on_tokens.extra == gold.extra
    again, snapping = narrative_to_doc(on_tokens, NLP)
    assert (snapping.snapped, snapping.dropped) == ({}, {})
    (back,) = DocBin().from_bytes(docs_to_bytes([again])).get_docs(spacy.blank("it").vocab)
    assert back.text == gold.text
    assert doc_to_narrative(back, default_id="") == on_tokens
    for key in doc.spans:
        assert spans(back, key) == spans(doc, key)


@settings(deadline=None)
@given(texts)
def test_a_record_of_an_unprocessed_doc_is_its_input(text: str) -> None:
    record = {"text": text, "units": "kept", "mood": None}
    assert doc_to_record(NLP(text), record) == record


def predicted(scores: bool) -> Doc:
    doc = NLP("Che bello. Torno a casa.")
    doc.spans["fu"] = [Span(doc, 0, 3, label="positive"), Span(doc, 3, 7, label="neutral")]
    doc.spans["ec"] = [Span(doc, 5, 6, label="EC")]
    if scores:
        # Columns in an order of their own.
        doc.spans["fu"].attrs["labels"] = ["positive", "neutral", "negative"]
        doc.spans["fu"].attrs["scores"] = np.array(
            [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]], dtype="float32"
        )
        doc.spans["ec"].attrs["scores"] = np.array([0.9], dtype="float32")
    return doc


def test_a_prediction_as_a_record() -> None:
    record = {"id": 7, "mood": 1, "text": "Che bello. Torno a casa.", "units": "stale"}
    found = doc_to_record(predicted(scores=True), record)
    assert found == {
        "id": 7,
        "mood": 1,
        "text": "Che bello. Torno a casa.",
        "units": [
            {
                "start": 0,
                "end": 10,
                "valence": "positive",
                "scores": {"positive": 0.7, "neutral": 0.2, "negative": 0.1},
            },
            {
                "start": 11,
                "end": 24,
                "valence": "neutral",
                "scores": {"positive": 0.1, "neutral": 0.8, "negative": 0.1},
            },
        ],
        "carriers": [{"start": 19, "end": 23, "score": 0.9}],
        "valence": "positive",
        "valence_score": 0.3,
    }
    assert json.loads(json.dumps(found)) == found
    assert record["units"] == "stale"

    plain = doc_to_record(predicted(scores=False))
    assert plain["carriers"] == [{"start": 19, "end": 23}]
    assert not {"valence_score", "id"} & plain.keys()
    with pytest.raises(ValenceECError, match="D002"):
        doc_to_record(predicted(scores=True), {"text": "Che bello."})


def test_a_gold_doc_gives_back_its_line() -> None:
    gold = narrative(TEXT, [(0, 64, "positive")], narrator="s1", extra={"mood": 3})
    doc, _ = narrative_to_doc(gold, NLP)
    assert doc_to_record(doc) == narrative_to_record(gold) | {"valence": "positive"}
    empty, _ = narrative_to_doc(Narrative(id="e", text=" \n "), NLP)
    assert doc_to_record(empty)["valence"] == "neutral"
    assert doc_to_record(empty)["units"] == []


def test_a_tokenizer_that_alters_the_text_is_refused() -> None:
    nlp = Language()
    nlp.tokenizer = lambda text: Doc(nlp.vocab, words=text.split())
    with pytest.raises(ValenceECError, match="D001"):
        narrative_to_doc(narrative("a  b", [(0, 4, "neutral")]), nlp)


def test_a_very_long_narrative() -> None:
    rng = random.Random(0)
    text = " ".join("a" * rng.randint(1, 9) for _ in range(33_000))[:200_000]
    cuts = [0, *sorted(rng.sample(range(1, len(text)), 20_000)), len(text)]
    units = [(a, b, "positive") for a, b in pairwise(cuts) if text[a:b].strip()]
    carriers = tuple(Offsets(a, b) for a, b, _ in units)
    doc, snapping = narrative_to_doc(narrative(text, units, carriers=carriers), NLP)
    assert doc.text == text
    assert len(doc.spans["fu"]) + snapping.dropped["fu"]["n1"] == len(units)
    covered = sum(len(unit) for unit in doc.spans["fu"])
    assert covered == sum(not token.is_space for token in doc)


def test_nothing_is_told_when_nothing_happened() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Snapping().warn()
