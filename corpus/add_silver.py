"""Add narratives in the line format to the silver narratives.

python corpus/add_silver.py FOLDER

Reads every .txt file of the folder (`spacy_valence_ec.corpus.lines`). A narrative that shares
eight words in a row with one of the corpus, of the difficult set or of the behavior suite, or with
a silver one before it, is left out. Ids are `silver-` and the name of the file with the narrative's
number there, narrators get `silver-` before their names. Files added before are replaced.
"""

import re
import sys
from dataclasses import replace
from pathlib import Path

from spacy_valence_ec.corpus.jsonl import read_narratives, write_narratives
from spacy_valence_ec.corpus.lines import read_line_files
from spacy_valence_ec.schema import Narrative

CORPUS = Path(__file__).parent
SILVER = CORPUS / "silver.jsonl.gz"
EVALUATED = ("narratives.jsonl", "challenge.jsonl", "behavior.jsonl")
N_WORDS = 8  # so many in a row are the same text
SPOKEN = {"voice-note", "interview"}  # registers


def grams(text: str) -> set[tuple[str, ...]]:
    """The stretches of `N_WORDS` words of a text, in lower case."""
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + N_WORDS]) for i in range(len(words) - N_WORDS + 1)}


def to_silver(narrative: Narrative) -> Narrative:
    """A narrative of a line file with the fields of the silver ones."""
    register = narrative.extra["register"]
    mode = "speech" if register in SPOKEN else "typed"
    extra = {"mode": mode, "register": register, "set": "silver", "split": "train"}
    return replace(
        narrative,
        id=f"silver-{narrative.id}",
        narrator=f"silver-{narrative.narrator}",
        extra=extra,
    )


def main(folder: Path) -> None:
    result = read_line_files(sorted(folder.glob("*.txt")))
    for problem in result.problems:
        print(problem, file=sys.stderr)
    new = [to_silver(narrative) for narrative in result.narratives]
    replaced = {narrative.id for narrative in new}
    silver = [n for n in read_narratives(SILVER).narratives if n.id not in replaced]
    seen: set[tuple[str, ...]] = set()
    for narrative in [n for name in EVALUATED for n in read_narratives(CORPUS / name).narratives]:
        seen |= grams(narrative.text)
    for narrative in silver:
        seen |= grams(narrative.text)
    kept = []
    for narrative in new:
        own = grams(narrative.text)
        if seen.isdisjoint(own):
            kept.append(narrative)
            seen |= own
    write_narratives(SILVER, [*silver, *kept])
    print(f"{len(kept):,} added, {len(new) - len(kept):,} left out, {len(result.problems):,} bad")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
