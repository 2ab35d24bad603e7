"""Draw docs/page.png: the page of corpus narratives of three people.

python docs/make_page.py [PIPELINE]

The picture is taken by the Chromium of the machine, through playwright.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import spacy
import srsly
from playwright.sync_api import sync_playwright

from spacy_valence_ec.corpus.docs import doc_to_record
from spacy_valence_ec.files import atomic_write
from spacy_valence_ec.page import write_page

ROOT = Path(__file__).parents[1]
NARRATORS = ("s01", "s03", "s17")


def main() -> None:
    nlp = spacy.load(sys.argv[1] if len(sys.argv) > 1 else "it_valence_ec")
    given = srsly.read_jsonl(ROOT / "corpus" / "narratives.jsonl")
    chosen = [record for record in given if record["narrator"] in NARRATORS]
    records = [doc_to_record(nlp(record["text"]), record) for record in chosen]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        with atomic_write(path) as handle:
            write_page(records, handle, title="Three diaries")
        take_picture(path, ROOT / "docs" / "page.png")


def take_picture(page: Path, picture: Path) -> None:
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        view = browser.new_page(viewport={"width": 1280, "height": 820}, color_scheme="light")
        view.goto(page.as_uri())
        view.locator("#reading .unit[role]").nth(3).click()
        view.mouse.move(0, 0)
        view.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main()
