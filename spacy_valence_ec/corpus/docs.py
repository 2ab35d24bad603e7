"""Narratives as Docs and Docs as narratives: offsets of characters against edges of tokens."""

import json
import os
import warnings
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

from ..errors import Errors, ValenceECError, ValenceECWarning, Warnings, listed
from ..extensions import majority_valence
from ..files import atomic_write
from ..schema import (
    EC_CANDIDATES_KEY,
    EC_KEY,
    EC_LABEL,
    FU_KEY,
    LABELS_ATTR,
    NEGATIVE,
    POSITIVE,
    SCORES_ATTR,
    VALENCES,
    Narrative,
    Offsets,
    ResultNames,
    Unit,
)
from ..span_groups import read_spans
from ..suggesters import content_mask
from .jsonl import narrative_to_record

NARRATIVE_KEY = "narrative"  # of Doc.user_data: what of the narrative is no annotation

_DECIMALS = 6  # of a probability in a record; float32 holds about seven

_Tokens = tuple[int, int]  # first token, and the one after the last


@dataclass(frozen=True)
class Snapping:
    """What it took to lay annotated offsets on tokens, for one narrative or many.

    `total` counts the offsets (two a span), `snapped` those inside a word, by narrative id, and
    `dropped`, by key of `doc.spans` and then by narrative id, the spans that were left with no
    token of their own.
    """

    total: int = 0
    snapped: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def merged(cls, parts: Iterable["Snapping"]) -> "Snapping":
        """The sum of `parts`."""
        total = 0
        snapped: Counter[str] = Counter()
        dropped: dict[str, Counter[str]] = {}
        for part in parts:
            total += part.total
            snapped.update(part.snapped)
            for key, ids in part.dropped.items():
                dropped.setdefault(key, Counter()).update(ids)
        return cls(total, dict(snapped), {key: dict(ids) for key, ids in dropped.items()})

    def messages(self) -> list[str]:
        """What a person should know: W001 and W003, or nothing."""
        found = []
        if self.snapped:
            found.append(
                Warnings.W001.format(
                    n=sum(self.snapped.values()), total=self.total, ids=listed([*self.snapped])
                )
            )
        for key, ids in self.dropped.items():
            found.append(Warnings.W003.format(n=sum(ids.values()), key=key, ids=listed([*ids])))
        return found

    def warn(self) -> None:
        """Issue `messages()` as `ValenceECWarning`."""
        for message in self.messages():
            warnings.warn(message, ValenceECWarning, stacklevel=2)


class _TokenEdges:
    """Character offsets to tokens of one Doc."""

    def __init__(self, doc: Doc) -> None:
        self.starts = [token.idx for token in doc]
        self.ends = [token.idx + len(token) for token in doc]
        self.is_space = [token.is_space for token in doc]
        self.total = 0
        self.snapped = 0

    def expand(self, span: Offsets) -> _Tokens:
        """The tokens that share a character with `span`; an offset inside a token is counted.

        An offset in white space cuts nothing and is not counted.
        """
        first = bisect_right(self.ends, span.start)
        last = bisect_left(self.starts, span.end)
        self.total += 2
        if first < last:
            self.snapped += self.starts[first] < span.start and not self.is_space[first]
            self.snapped += self.ends[last - 1] > span.end and not self.is_space[last - 1]
        return first, last

    def clip(self, tokens: _Tokens, low: int, high: int) -> _Tokens | None:
        """`tokens` within [low, high), without white space at the edges; None if none is left."""
        first, last = max(tokens[0], low), min(tokens[1], high)
        while first < last and self.is_space[first]:
            first += 1
        while first < last and self.is_space[last - 1]:
            last -= 1
        return (first, last) if first < last else None


def narrative_to_doc(narrative: Narrative, nlp: Language) -> tuple[Doc, Snapping]:
    """A Doc with the annotation of `narrative` as span groups, tokenized by `nlp.make_doc`.

    Units go to `doc.spans["fu"]` (label: the valence), carriers to `doc.spans["ec"]`, candidates,
    where there are any, to `doc.spans["ec_candidates"]`: label `EC` where they share a content
    token with a carrier (any token when the carrier has no content token), else `""`.
    `doc.user_data["narrative"]` holds `id`, `narrator`, `lang` and, where there are any, the
    fields of the user's own as a string of JSON.

    Offsets inside a token are snapped outward and counted. A token that two units then share
    belongs to the first one; carriers and candidates stay within their unit; a span that is left
    with no token is dropped and counted.

    Raises:
        ValenceECError: the tokenizer of `nlp` does not keep the text as it is (D001).
    """
    doc = nlp.make_doc(narrative.text)
    if doc.text != narrative.text:
        raise ValenceECError(Errors.D001.format(id=narrative.id))
    edges = _TokenEdges(doc)
    dropped: Counter[str] = Counter()

    units: list[Span] = []
    unit_offsets = sorted(narrative.units, key=lambda unit: unit.start)
    unit_tokens: list[_Tokens | None] = []
    free = 0
    for unit in unit_offsets:
        tokens = edges.clip(edges.expand(unit), free, len(doc))
        unit_tokens.append(tokens)
        if tokens:
            units.append(Span(doc, *tokens, label=unit.valence))
            free = tokens[1]
        else:
            dropped[FU_KEY] += 1
    doc.spans[FU_KEY] = units

    unit_starts = [unit.start for unit in unit_offsets]

    def inside_unit(span: Offsets, free: int) -> _Tokens | None:
        tokens = edges.expand(span)
        index = bisect_right(unit_starts, span.start) - 1
        held = unit_tokens[index] if index >= 0 else None
        return edges.clip(tokens, max(held[0], free), held[1]) if held else None

    carriers: list[Span] = []
    free = 0
    for carrier in sorted(narrative.carriers, key=lambda span: (span.start, span.end)):
        tokens = inside_unit(carrier, free)
        if tokens:
            carriers.append(Span(doc, *tokens, label=EC_LABEL))
            free = tokens[1]
        else:
            dropped[EC_KEY] += 1
    doc.spans[EC_KEY] = carriers

    if narrative.candidates is not None:
        found: set[_Tokens] = set()
        for candidate in narrative.candidates:
            tokens = inside_unit(candidate, 0)
            if tokens is None or tokens in found:
                dropped[EC_CANDIDATES_KEY] += 1
            else:
                found.add(tokens)
        gold = carrier_tokens(carriers)
        doc.spans[EC_CANDIDATES_KEY] = [
            Span(doc, *tokens, label=EC_LABEL if gold.intersection(range(*tokens)) else "")
            for tokens in sorted(found)
        ]

    doc.user_data[NARRATIVE_KEY] = {
        "id": narrative.id,
        "narrator": narrative.narrator,
        "lang": narrative.lang,
    }
    if narrative.extra:
        # As a string: msgpack, which stores user_data, cannot hold all that JSON can.
        doc.user_data[NARRATIVE_KEY]["extra"] = json.dumps(dict(narrative.extra))
    snapped = {narrative.id: edges.snapped} if edges.snapped else {}
    lost = {key: {narrative.id: n} for key, n in dropped.items()}
    return doc, Snapping(edges.total, snapped, lost)


def carrier_tokens(carriers: Iterable[Span]) -> set[int]:
    """Indices of the tokens by which a candidate counts as a carrier: the content tokens of each
    carrier, or all of its tokens when it has no content token."""
    found: set[int] = set()
    content: list[bool] = []
    for carrier in carriers:
        content = content or content_mask(carrier.doc)
        tokens = range(carrier.start, carrier.end)
        found |= {i for i in tokens if content[i]} or set(tokens)
    return found


def narratives_to_docs(
    narratives: Iterable[Narrative], nlp: Language
) -> tuple[list[Doc], Snapping]:
    """`narrative_to_doc` of each, and one `Snapping` for all, for the caller to warn with."""
    docs: list[Doc] = []
    parts: list[Snapping] = []
    for narrative in narratives:
        doc, part = narrative_to_doc(narrative, nlp)
        docs.append(doc)
        parts.append(part)
    return docs, Snapping.merged(parts)


def doc_to_narrative(doc: Doc, *, default_id: str) -> Narrative:
    """The narrative that `doc` holds, its annotation included; `default_id` if it names none."""
    stored = doc.user_data.get(NARRATIVE_KEY, {})
    groups = {
        key: tuple(Offsets(span.start_char, span.end_char) for span in read_spans(doc, key))
        for key in (EC_KEY, EC_CANDIDATES_KEY)
        if key in doc.spans
    }
    units = read_spans(doc, FU_KEY)
    return Narrative(
        id=stored.get("id", default_id),
        text=doc.text,
        units=tuple(Unit(unit.start_char, unit.end_char, unit.label_) for unit in units),
        carriers=groups.get(EC_KEY, ()),
        candidates=groups.get(EC_CANDIDATES_KEY),
        narrator=stored.get("narrator"),
        lang=stored.get("lang", doc.lang_ or Narrative.lang),
        extra=json.loads(stored.get("extra", "{}")),
    )


def doc_to_record(
    doc: Doc, record: Mapping[str, Any] | None = None, *, prefix: str = ""
) -> dict[str, Any]:
    """The annotation of `doc` as a line of the interchange format.

    Every field of `record`, the line that the text came from, is kept (default: what
    `narrative_to_doc` stored on the Doc). Put in are, for the span groups that the Doc has:
    `units` with `start`, `end`, `valence` and, if there are any, `scores` (the probability of
    each label); `carriers` with `start`, `end` and, if there is any, `score`; the narrative's
    `valence`, and its `valence_score` (mean of P(positive) - P(negative)) if there are scores.
    Offsets are code points of the text. The names of these fields begin with `prefix`.

    Raises:
        ValenceECError: the text of `record` is not the one of `doc` (D002).
    """
    names = ResultNames(prefix)
    if record is None:
        record = _stored_record(doc)
    elif record.get("text", doc.text) != doc.text:
        raise ValenceECError(Errors.D002.format(id=record.get("id", "")))
    found: dict[str, Any] = {**record, "text": doc.text}
    if FU_KEY in doc.spans:
        group = doc.spans[FU_KEY]
        spans = read_spans(doc, FU_KEY)
        units = [_span_record(span) | {"valence": span.label_} for span in spans]
        found[names.units] = units
        found[names.valence] = majority_valence(span.label_ for span in spans)
        scores = group.attrs.get(SCORES_ATTR)
        if scores is not None:
            labels = list(group.attrs.get(LABELS_ATTR, VALENCES))
            for unit, row in zip(units, scores, strict=True):
                unit["scores"] = dict(zip(labels, _rounded(row), strict=True))
            polarity = [
                float(row[labels.index(POSITIVE)] - row[labels.index(NEGATIVE)]) for row in scores
            ]
            mean = sum(polarity) / len(polarity) if polarity else 0.0
            found[names.valence_score] = round(mean, _DECIMALS)
    if EC_KEY in doc.spans:
        group = doc.spans[EC_KEY]
        carriers = [_span_record(span) for span in read_spans(doc, EC_KEY)]
        found[names.carriers] = carriers
        scores = group.attrs.get(SCORES_ATTR)
        if scores is not None:
            for carrier, score in zip(carriers, _rounded(scores), strict=True):
                carrier["score"] = score
    return found


def _stored_record(doc: Doc) -> dict[str, Any]:
    record = narrative_to_record(doc_to_narrative(doc, default_id=""))
    if not record["id"]:
        del record["id"]
    return record


def _span_record(span: Span) -> dict[str, Any]:
    return {"start": span.start_char, "end": span.end_char}


def _rounded(row: Iterable[float]) -> list[float]:
    return [round(float(p), _DECIMALS) for p in row]


def write_docs(path: str | os.PathLike[str], docs: Iterable[Doc]) -> None:
    """Write `docs`, with user data, as a spaCy DocBin, or leave `path` as it is on any error.

    Raises:
        OSError: `path` cannot be written.
    """
    with atomic_write(path, binary=True) as handle:
        handle.write(docs_to_bytes(docs))


def docs_to_bytes(docs: Iterable[Doc]) -> bytes:
    """`docs`, with user data, as a spaCy DocBin."""
    content: bytes = DocBin(docs=docs, store_user_data=True).to_bytes()
    return content


def read_docs(path: str | os.PathLike[str], vocab: Vocab) -> list[Doc]:
    """The Docs of a spaCy DocBin.

    Raises:
        OSError: the file is missing or cannot be read.
        ValenceECError: it is no DocBin (V012).
    """
    with open(path, "rb") as handle:
        content = handle.read()
    try:
        return list(DocBin().from_bytes(content).get_docs(vocab))
    except Exception as error:  # zlib, msgpack and spaCy each have exceptions of their own
        why = type(error).__name__
        raise ValenceECError(Errors.V012.format(path=path, why=why)) from error
