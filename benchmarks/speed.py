"""Speed and memory of the joint pipeline, as ratios within one run.

    python benchmarks/speed.py [--model training/joint/model-best] [--data data/test.jsonl]

Every pair is run in turn, round after round, and the median of the rounds' ratios is printed: the
speed of a machine drifts, a ratio within a round does not. A ratio above 1 says that the first of
the pair is the faster one. The transformer has random weights: its speed does not depend on them.
"""

import argparse
import gc
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
import spacy
import srsly
from spacy import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_model_from_config, minibatch

from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.corpus.docs import narrative_to_doc
from spacy_valence_ec.corpus.jsonl import read_narratives

CONFIGS = Path(__file__).parents[1] / "configs"
HEADS = ("valence_classifier", "ec_tagger")


def seconds(run: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def median_ratio(
    first: Callable[[], object], second: Callable[[], object], rounds: int
) -> tuple[float, float, float]:
    """Median of time(second) / time(first), and the median seconds of both."""
    first(), second()  # warm-up
    pairs = [(seconds(first), seconds(second)) for _ in range(rounds)]
    return (
        statistics.median(b / a for a, b in pairs),
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
    )


def exhaust(iterator: Iterable[object]) -> None:
    for _ in iterator:
        pass


def fresh(docs: list[Doc]) -> list[Doc]:
    return [
        Doc(doc.vocab, [t.text for t in doc], [bool(t.whitespace_) for t in doc]) for doc in docs
    ]


def pipeline_over_encoder(
    nlp: Language, texts: list[str], batch_size: int, rounds: int
) -> tuple[float, float, float]:
    """The whole pipeline from tokenized Docs, against its encoder alone on the same batches."""
    docs = [nlp.make_doc(text) for text in texts]
    encoder = nlp.get_pipe("tok2vec").model
    copies = iter([fresh(docs) for _ in range(rounds + 1)])

    def encode() -> None:
        for batch in minibatch(docs, batch_size):
            encoder.predict(batch)

    return median_ratio(
        lambda: exhaust(nlp.pipe(next(copies), batch_size=batch_size)), encode, rounds
    )


def joint_over_two(
    joint: Language, singles: list[Language], texts: list[str], batch_size: int, rounds: int
) -> tuple[float, float, float]:
    """One joint pipeline, against a single-task pipeline for each task run in turn, from text."""

    def run_singles() -> None:
        for nlp in singles:
            exhaust(nlp.pipe(texts, batch_size=batch_size))

    return median_ratio(
        lambda: exhaust(joint.pipe(texts, batch_size=batch_size)), run_singles, rounds
    )


def single_task(path: Path) -> list[Language]:
    """Pipelines that segment and do one task each, each with an encoder of its own."""
    return [spacy.load(path, exclude=[name for name in HEADS if name != head]) for head in HEADS]


def random_transformer(folder: Path, data: Path, layers: int) -> Path:
    """A joint pipeline on a BERT-base-sized encoder with random weights, saved."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = sorted({word for record in srsly.read_jsonl(data) for word in record["text"].split()})
    letters = sorted({letter for word in words for letter in word.lower()})
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [*special, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary += [word.lower() for word in words if len(word) > 1]
    encoder = folder / "encoder"
    encoder.mkdir()
    (encoder / "vocab.txt").write_text("\n".join(dict.fromkeys(vocabulary)), encoding="utf8")
    BertModel(
        BertConfig(vocab_size=len(set(vocabulary)), num_hidden_layers=layers)
    ).save_pretrained(encoder)
    BertTokenizerFast(str(encoder / "vocab.txt")).save_pretrained(encoder)
    config = compose_config("joint", str(encoder), configs=CONFIGS)
    nlp = load_model_from_config(config.interpolate(), auto_fill=True)
    examples = []
    for narrative in read_narratives(data).narratives[:8]:
        reference, _ = narrative_to_doc(narrative, nlp)
        examples.append(Example(nlp.make_doc(narrative.text), reference))
    # The tagger is not initialized from data: its weights are those of the base.
    with nlp.select_pipes(disable=nlp.config["training"]["frozen_components"]):
        nlp.initialize(lambda: examples)
    nlp.to_disk(folder / "pipeline")
    return folder / "pipeline"


def growth(nlp: Language, words: list[str], sizes: list[int]) -> list[tuple[int, float]]:
    """Microseconds a token of one Doc, by its number of tokens."""
    rows = []
    for size in sizes:
        text = " ".join((words * (size // len(words) + 1))[:size])
        nlp.max_length = max(nlp.max_length, len(text) + 1)
        nlp(text)
        best = min(seconds(lambda text=text: nlp(text)) for _ in range(3))
        rows.append((size, best / len(nlp.make_doc(text)) * 1e6))
    return rows


def memory(nlp: Language, texts: list[str], n_docs: int) -> list[tuple[int, float]]:
    """Resident megabytes of the process while `n_docs` Docs stream through `nlp.pipe`."""
    process = psutil.Process()
    rows = []
    stream = (texts[i % len(texts)] for i in range(n_docs))
    for i, _ in enumerate(nlp.pipe(stream, batch_size=64), 1):
        if i % (n_docs // 5) == 0:
            rows.append((i, process.memory_info().rss / 2**20))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=Path("training/joint/model-best"))
    parser.add_argument("--small", type=Path, help="a pipeline on the backbone `small`")
    parser.add_argument("--data", type=Path, default=Path("data/test.jsonl"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--layers", type=int, default=12, help="of the random transformer")
    parser.add_argument("--docs", type=int, default=2_000, help="that stream, for the memory")
    parser.add_argument("--only", choices=["model", "transformer"], help="default: both")
    args = parser.parse_args()

    texts = [record["text"] for record in srsly.read_jsonl(args.data)]
    machine = platform.processor() or platform.machine()
    print(f"{machine}, Python {platform.python_version()}, median of {args.rounds} rounds")
    if args.only != "transformer":
        measure_model(args.model, texts, args.rounds, args.docs)
        if args.small:
            compare(args.model, args.small, "small", texts, args.rounds)
    if args.only != "model":
        measure_transformer(args.model, args.data, texts[:16], args.layers, args.rounds)


def measure_model(path: Path, texts: list[str], rounds: int, n_docs: int) -> None:
    nlp = spacy.load(path)
    report_ratios(path.parent.name, nlp, single_task(path), texts, 64, rounds)
    words = " ".join(texts).split()
    rows = growth(nlp, words, [1_000, 10_000, 50_000])
    costs = ", ".join(f"{cost:.0f} at {size:,}" for size, cost in rows)
    print(f"microseconds a token of one Doc {costs}", end=" ")
    print(f"(longest over shortest {rows[-1][1] / rows[0][1]:.2f})")
    rows = memory(nlp, texts, n_docs)
    sizes = ", ".join(f"{megabytes:.0f} after {i:,}" for i, megabytes in rows)
    print(f"resident MB {sizes} Docs (last over first {rows[-1][1] / rows[0][1]:.3f})")


def compare(first: Path, second: Path, name: str, texts: list[str], rounds: int) -> None:
    """The speed of two pipelines in turn."""
    one, two = spacy.load(first), spacy.load(second)
    ratio, fast, slow = median_ratio(
        lambda: exhaust(one.pipe(texts, batch_size=16)),
        lambda: exhaust(two.pipe(texts, batch_size=16)),
        rounds,
    )
    n_words = sum(len(text.split()) for text in texts)
    print(f"speed over `{name}` {ratio:.2f}", end=" ")
    print(f"({n_words / fast:,.0f} and {n_words / slow:,.0f} words a second)")


def measure_transformer(
    model: Path, data: Path, texts: list[str], layers: int, rounds: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = random_transformer(Path(folder), data, layers)
        report_ratios("BERT-base size", spacy.load(path), single_task(path), texts, 16, rounds)
        compare(model, path, "BERT-base size", texts, rounds)


def report_ratios(
    name: str, nlp: Language, singles: list[Language], texts: list[str], batch: int, rounds: int
) -> None:
    n_tokens = sum(len(nlp.make_doc(text)) for text in texts)
    print(f"{name}: {len(texts)} narratives, {n_tokens} tokens")
    ratio, pipeline, encoder = pipeline_over_encoder(nlp, texts, batch, rounds)
    print(f"{name}: joint pipeline over bare encoder {ratio:.2f}", end=" ")
    print(f"({n_tokens / pipeline:,.0f} and {n_tokens / encoder:,.0f} tokens a second)")
    ratio, one, two = joint_over_two(nlp, singles, texts, batch, rounds)
    print(f"{name}: one joint pipeline over two single-task ones {ratio:.2f}", end=" ")
    print(f"({one:.2f} and {two:.2f} s)")


if __name__ == "__main__":
    main()
