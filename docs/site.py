"""MkDocs hook: takes in the pages that lie outside of docs/, and makes their links those of the
site."""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
# Pages of the site by their place in the project.
PAGES = {
    "README.md": "index.md",
    "corpus/README.md": "corpus.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    for source, page in PAGES.items():
        content = (ROOT / source).read_text("utf-8")
        files.append(File.generated(config, page, content=move_links(content, source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Move the links of a page of docs/."""
    if page.file.src_uri in PAGES.values():
        return markdown
    return move_links(markdown, f"docs/{page.file.src_uri}")


def move_links(markdown: str, source: str) -> str:
    """Markdown whose links lead to pages of the site; those to files that are none become text."""

    def move(match: re.Match[str]) -> str:
        image, text, target = match.groups()
        if "://" in target or target.startswith("#"):
            return match[0]
        path, sign, anchor = target.partition("#")
        place = normpath(PurePosixPath(source).parent / path)
        page = PAGES.get(place)
        if page is None and place.startswith("docs/"):
            page = place.removeprefix("docs/")
        return f"{image}[{text}]({page}{sign}{anchor})" if page else text

    return LINK.sub(move, markdown)
