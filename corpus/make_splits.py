"""Fix the split and the cross-validation folds of the corpus, by narrator.

python corpus/make_splits.py

Of many random assignments of the narrators, with a fixed seed, takes the one whose parts are
closest to their size (70, 10 and 20% of the units; a fifth for each fold) and to each other in the
shares of each valence and of units with a carrier, and of transcribed speech. Writes the fields
`split` and `fold` of every narrative of narratives.jsonl, which `valence-ec corpus` follows.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np

from spacy_valence_ec.corpus.jsonl import narrative_to_record, read_narratives, write_records
from spacy_valence_ec.schema import VALENCES, Narrative

FILE = Path(__file__).parent / "narratives.jsonl"
SEED = 0
SHARES_WEIGHT = 4.0


def counts(narrative: Narrative) -> np.ndarray:
    """Units, units of each valence, with a carrier, of speech."""
    units = narrative.units
    held = sum(any(u.start <= c.start < u.end for c in narrative.carriers) for u in units)
    speech = len(units) if narrative.extra["mode"] == "speech" else 0
    return np.array(
        [len(units), *(sum(u.valence == v for u in units) for v in VALENCES), held, speech]
    )


def best_assignment(
    table: np.ndarray, ratios: np.ndarray, size_weight: float, trials: int, seed: int
) -> np.ndarray:
    """The part of each narrator; `table` is (n_narrators, n_counts)."""
    rng = np.random.default_rng(seed)
    total = table.sum(axis=0)
    best, best_cost = np.zeros(0), np.inf
    for _ in range(trials):
        parts = rng.choice(len(ratios), size=len(table), p=ratios)
        sums = np.stack([table[parts == part].sum(axis=0) for part in range(len(ratios))])
        if not sums[:, 0].all():
            continue
        size = np.abs(sums[:, 0] / total[0] - ratios).sum()
        shares = np.ptp(sums[:, 1:] / sums[:, :1], axis=0)
        cost = size_weight * size + SHARES_WEIGHT * shares[:-1].max() + shares[-1]
        if cost < best_cost:
            best, best_cost = parts, cost
    return best


def main() -> None:
    narratives = read_narratives(FILE).narratives
    sums: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(6, dtype=int))
    for narrative in narratives:
        sums[str(narrative.narrator)] += counts(narrative)
    names = sorted(sums)
    table = np.stack([sums[name] for name in names])
    split = best_assignment(table, np.array([0.7, 0.1, 0.2]), 1.0, 20_000, SEED)
    fold = best_assignment(table, np.full(5, 0.2), 2.0, 80_000, SEED + 1)
    parts = ("train", "dev", "test")
    fields = {
        name: {"split": parts[split[i]], "fold": int(fold[i])} for i, name in enumerate(names)
    }
    records = [narrative_to_record(n) | fields[str(n.narrator)] for n in narratives]
    write_records(FILE, records)


if __name__ == "__main__":
    main()
