"""The tagger of the base, and the carrier candidates that follow from it.

    python benchmarks/candidates.py it_valence_ec --sources FOLDER [--output FILE]

Accuracy of the universal parts of speech on the test parts of Italian treebanks (read in place,
those that are there), and of each way to find candidates: the share of the gold carriers that some
candidate overlaps by a content word, and the number of candidates in a unit. Seconds are those of
the whole pipeline with and without the tagger and the candidates, in one run.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import spacy
from spacy import Language, registry
from spacy.tokens import Doc
from spacy.training import Example

from spacy_valence_ec.base.treebank import read_treebank
from spacy_valence_ec.corpus.docs import narrative_to_doc
from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.files import atomic_write
from spacy_valence_ec.schema import EC_CANDIDATES_KEY, FU_KEY
from spacy_valence_ec.suggesters import candidate_coverage, suggest_chunks

TREEBANKS = ("ud_twittiro", "ud_isdt", "ud_vit", "ud_partut", "ud_kiparlaforest")
TAGGER = ("morphologizer", "ec_candidates")


def accuracy(nlp: Language, docs: list[Doc]) -> float:
    tagger: Any = nlp.get_pipe("morphologizer")
    texts = [Doc(nlp.vocab, [t.text for t in d], [bool(t.whitespace_) for t in d]) for d in docs]
    predicted = list(tagger.pipe(texts, batch_size=128))
    examples = [Example(*pair) for pair in zip(predicted, docs, strict=True)]
    scores = spacy.scorer.Scorer.score_token_attr(examples, "pos")
    return float(scores["pos_acc"])


def coverage(nlp: Language, path: Path) -> dict[str, dict[str, float | None]]:
    plain, tagged = [], []
    tagger: Any = nlp.get_pipe("morphologizer")
    for narrative in read_narratives(path).narratives:
        plain.append(narrative_to_doc(narrative, nlp)[0])
        tagged.append(tagger(narrative_to_doc(narrative, nlp)[0]))
    ngrams: Callable = registry.misc.get("spacy.ngram_suggester.v1")([1, 2, 3, 4])
    found = {
        "tagger": candidate_coverage(tagged, suggest_chunks),
        "closed classes": candidate_coverage(plain, suggest_chunks),
        "n-grams of 1 to 4": candidate_coverage(plain, ngrams),
    }
    if all(EC_CANDIDATES_KEY in doc.spans for doc in plain):
        preset: Callable = registry.misc.get("spacy.preset_spans_suggester.v1")(EC_CANDIDATES_KEY)
        found["gold"] = candidate_coverage(plain, preset)
    return found


def seconds(nlp: Language, texts: list[str], runs: int = 5) -> dict[str, float]:
    """The least of several runs each, run in turn."""
    least: dict[str, float] = {}
    for _ in range(runs):
        for title, disabled in (("with", ()), ("without", TAGGER)):
            with nlp.select_pipes(disable=list(disabled)):
                start = time.perf_counter()
                for doc in nlp.pipe(texts):
                    assert FU_KEY in doc.spans
                least[title] = min(least.get(title, 1e9), time.perf_counter() - start)
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a pipeline with the base's tagger")
    parser.add_argument("--sources", type=Path, help="folder of the treebanks")
    parser.add_argument("--corpus", type=Path, default=Path("data"))
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    nlp = spacy.load(args.model)
    found: dict[str, Any] = {"pos_accuracy": {}, "coverage": {}}
    for name in TREEBANKS:
        folder = args.sources / name if args.sources else None
        if folder and folder.is_dir():
            docs = read_treebank(folder, "test")
            found["pos_accuracy"][name] = accuracy(nlp, docs)
    for part in ("dev", "test"):
        found["coverage"][part] = coverage(nlp, args.corpus / f"{part}.jsonl")
    narratives = read_narratives(args.corpus / "train.jsonl").narratives
    times = seconds(nlp, [narrative.text for narrative in narratives])
    found["speed_without_over_with"] = times["with"] / times["without"]
    text = json.dumps(found, indent=2) + "\n"
    print(text, end="")
    if args.output:
        with atomic_write(args.output) as file:
            file.write(text)


if __name__ == "__main__":
    main()
