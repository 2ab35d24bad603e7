"""The reference for the valence of gold units: TF-IDF and logistic regression.

    python benchmarks/tfidf.py [--silver corpus/silver.jsonl.gz]

Words and character n-grams, each unit alone. Regularization, features and class weights are chosen
on data/dev.jsonl; the choice is then evaluated once on data/test.jsonl.
"""

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import Pipeline, make_pipeline, make_union

from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.schema import VALENCES

Units = tuple[list[str], list[str]]  # texts, valences


def units_of(paths: Sequence[Path]) -> Units:
    units = [
        (narrative.text[unit.start : unit.end], unit.valence)
        for path in paths
        for narrative in read_narratives(path).narratives
        for unit in narrative.units
    ]
    return [text for text, _ in units], [valence for _, valence in units]


def classifier(characters: bool, c: float, class_weight: str | None) -> Pipeline:
    views = [TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)]
    if characters:
        views.append(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True))
    regression = LogisticRegression(C=c, class_weight=class_weight, max_iter=2000)
    return make_pipeline(make_union(*views), regression)


def macro_f(model: Pipeline, units: Units) -> float:
    texts, gold = units
    return float(f1_score(gold, model.predict(texts), average="macro", labels=list(VALENCES)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, default=Path("data"), help="train, dev, test .jsonl")
    parser.add_argument("--silver", type=Path, help="further narratives to train on")
    args = parser.parse_args()
    train = units_of([args.corpus / "train.jsonl", *([args.silver] if args.silver else [])])
    dev, test = (units_of([args.corpus / f"{part}.jsonl"]) for part in ("dev", "test"))
    best = (-1.0, None, {})
    for characters, c, weight in product((False, True), (1.0, 3.0, 10.0), (None, "balanced")):
        model = classifier(characters, c, weight).fit(*train)
        score = macro_f(model, dev)
        if score > best[0]:
            best = (score, model, {"characters": characters, "C": c, "class_weight": weight})
    found = {"n_train": len(train[0]), **best[2], "dev": best[0], "test": macro_f(best[1], test)}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
