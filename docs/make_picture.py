"""Draw docs/analyze.svg: what `valence-ec analyze corpus/sample.jsonl` prints.

python docs/make_picture.py
"""

import io
import re
from pathlib import Path

import spacy
import srsly
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from spacy_valence_ec.cli.terminal import print_table
from spacy_valence_ec.corpus.docs import doc_to_record
from spacy_valence_ec.schema import ResultNames

ROOT = Path(__file__).parents[1]
# Without the web fonts of Rich's template: whoever opens the picture calls nobody.
TEMPLATE = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def main() -> None:
    nlp = spacy.load("it_valence_ec")
    console = Console(record=True, width=84, file=io.StringIO(), force_terminal=True)
    for record in srsly.read_jsonl(ROOT / "corpus" / "sample.jsonl"):
        text = {"id": record["id"], "text": record["text"]}
        print_table(doc_to_record(nlp(record["text"]), text), console, ResultNames())
    picture = console.export_svg(
        title="valence-ec analyze corpus/sample.jsonl", code_format=TEMPLATE
    )
    (ROOT / "docs" / "analyze.svg").write_text(picture, encoding="utf8")


if __name__ == "__main__":
    main()
