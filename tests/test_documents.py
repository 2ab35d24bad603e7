"""What the documents say, executed: code, commands, examples of data, links, names."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from shutil import copytree
from typing import NamedTuple

import pytest
from helpers import without_base
from small_project import SmallProject, copy_project
from spacy.tokens.underscore import Underscore
from typer.testing import CliRunner
from weasel.util import load_project_config

from spacy_valence_ec.cli import run
from spacy_valence_ec.cli.main import app
from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.errors import Errors, Warnings
from spacy_valence_ec.extensions import install_extensions

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
FORMAT = ROOT / "docs" / "data-format.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "corpus/README.md"])
each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)

INSTALL = "pip install -c constraints.txt -e "
PROJECT_RUN = "python -m spacy project run "
# Run by `.ci/run`, or by whoever runs this test.
CHECKS = ("python -m pytest", "ruff check . && ruff format --check . && mypy")

DIARY = "Oggi ho finito l'esame. Che sollievo!\nPoi ho dormito."
# What people made of `RECORDS` in Label Studio.
CORRECTED = [
    {
        "data": {"narrative_id": identity, "text": text},
        "annotations": [
            {
                "completed_by": 1,
                "result": [
                    {
                        "type": "labels",
                        "from_name": "unit",
                        "value": {"start": 0, "end": len(text), "text": text, "labels": [label]},
                    }
                ],
            }
        ],
    }
    for identity, text, label in (
        ("line-1", DIARY, "positive"),
        ("b", "Ieri ha piovuto.", "neutral"),
    )
]
INTERVIEW = "INT: E poi?\nP1: Ho perso il treno."
RECORDS = [{"text": DIARY}, {"id": "b", "text": "Ieri ha piovuto.", "mood": 3}]


class Block(NamedTuple):
    """A fenced block of a document."""

    document: str
    line: int
    language: str
    content: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(document: Path) -> list[Block]:
    lines = document.read_text("utf-8").splitlines()
    name = str(document.relative_to(ROOT))
    fences = [i for i, line in enumerate(lines) if line.startswith("```")]
    assert len(fences) % 2 == 0, name
    return [
        Block(name, first + 2, lines[first][3:].strip(), "\n".join(lines[first + 1 : last]) + "\n")
        for first, last in zip(fences[::2], fences[1::2], strict=True)
    ]


def prose(document: Path) -> str:
    """The text of a document without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]
CODE = [block for block in BLOCKS if block.language == "python"]
WITH_CODE = sorted({block.document for block in CODE})
COMMANDS = list(
    dict.fromkeys(
        line.removeprefix("$ ")
        for block in BLOCKS
        if block.language == "console"
        for line in block.content.splitlines()
    )
)
OURS = [command for command in COMMANDS if re.search(r"(^|\| )valence-ec ", command)]


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert {block.language for block in BLOCKS} == {"python", "console", "json", "ini"}
    assert "README.md" in WITH_CODE
    kinds: tuple[str, ...] = (INSTALL, PROJECT_RUN, *CHECKS)
    assert not [c for c in COMMANDS if c not in OURS and not c.startswith(kinds)]
    assert len(OURS) >= 7


@pytest.mark.parametrize("document", WITH_CODE)
def test_the_code_of_a_document_runs_in_order(
    small_project: SmallProject, tmp_path: Path, document: str
) -> None:
    script = tmp_path / "blocks.py"
    lines = [
        f"exec(compile({block.content!r}, {str(block)!r}, 'exec'))"
        for block in CODE
        if block.document == document
    ]
    script.write_text("\n".join(lines), encoding="utf-8")
    done = small_project.run("-W", "error", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    if document == "README.md":
        printed = done.stdout.splitlines()
        assert printed[0] in ("negative", "neutral", "positive", "mixed")
        assert any(line.startswith("Ieri ") for line in printed[1:])


@pytest.fixture(scope="module")
def workplace(small_project: SmallProject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after its workflow, with the files of a user beside it."""
    folder = copytree(small_project.folder, tmp_path_factory.mktemp("docs") / "project")
    small = (folder / "corpus" / "narratives.jsonl").read_bytes()
    copytree(ROOT / "corpus", folder / "corpus", dirs_exist_ok=True)
    (folder / "corpus" / "narratives.jsonl").write_bytes(small)
    (folder / "diary.txt").write_text(DIARY, encoding="utf-8")
    (folder / "diaries.csv").write_text(f'id;testo\n1;"{DIARY}"\n', encoding="cp1252")
    (folder / "interview.txt").write_text(INTERVIEW, encoding="utf-8")
    (folder / "chat.txt").write_text(f"12/03/24, 21:15 - Anna: {DIARY}", encoding="utf-8")
    lines = "\n".join(map(json.dumps, RECORDS))
    (folder / "narratives.jsonl").write_text(lines, encoding="utf-8")
    (folder / "corrected.json").write_text(json.dumps(CORRECTED), encoding="utf-8")
    return folder


@pytest.mark.parametrize("command", OURS)
def test_the_commands_run(small_project: SmallProject, workplace: Path, command: str) -> None:
    done = small_project.shell(command, workplace)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert not re.search("error|warning|Traceback", done.stderr), done.stderr
    redirected = re.search(r"(?:> |--output )(\S+)", command)
    if not redirected:
        assert done.stdout.strip()
        return
    if not redirected[1].endswith(".jsonl"):
        assert (workplace / redirected[1]).stat().st_size > 100
        return
    content = (workplace / redirected[1]).read_text("utf-8")
    expected = RECORDS
    for name, text in {"diary.txt": DIARY, "interview.txt": INTERVIEW}.items():
        if name in command:
            expected = [{"id": name, "text": text}]
    for record, line in zip(expected, content.splitlines(), strict=True):
        assert record.items() <= json.loads(line).items()


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith(PROJECT_RUN)])
def test_the_workflows_would_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spacy.cli import app as spacy_app

    folder = tmp_path / "project"
    copy_project(folder)
    (folder / "my_narratives.jsonl").write_bytes((folder / "corpus/narratives.jsonl").read_bytes())
    monkeypatch.chdir(folder)
    args = shlex.split(command)
    options = args[args.index(".") + 1 :] if "." in args else []
    # An override of a variable that there is not would change nothing, and say nothing.
    names = {name.removeprefix("--vars.") for name in options[::2]}
    assert names <= set(load_project_config(folder)["vars"])
    result = CliRunner().invoke(spacy_app, [*args[3:], "--dry"])
    assert result.exit_code == 0, result.output
    assert "Missing dependency specified by command 'validate'" not in result.output
    for value in options[1::2]:
        # Some are the end of a name, as in generative-joint.
        assert re.search(rf"[ -]{re.escape(value)} ", " ".join(result.output.split()))


def test_the_two_commands_are_found_by_ci() -> None:
    ci = ROOT / ".ci" / "run"
    assert os.access(ci, os.X_OK)
    assert subprocess.run(["bash", "-n", str(ci)], check=False).returncode == 0
    (extraction,) = re.findall(r"< <\((grep .* README\.md .*)\)$", ci.read_text("utf-8"), re.M)
    done = subprocess.run(
        ["bash", "-c", extraction], cwd=ROOT, capture_output=True, text=True, check=True
    )
    expected = [
        "pip install -c constraints.txt -e . && python -m spacy project run all",
        "pip install -c constraints.txt -e '.[test]' && python -m pytest",
    ]
    assert done.stdout.splitlines() == expected
    # Each is all of a block of the README, and these blocks are the first.
    consoles = [block.content for block in blocks(README) if block.language == "console"]
    assert consoles[:2] == [f"$ {command}\n" for command in expected]


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "json"], ids=str)
def test_the_examples_of_data_are_valid(
    block: Block,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "example.jsonl"
    path.write_text(json.dumps(json.loads(block.content)) + "\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["valence-ec", "validate", str(path)])
    with pytest.raises(SystemExit) as stop:
        run()
    out, err = capfd.readouterr()
    assert (stop.value.code or 0, err) == (0, "")
    assert "1 valid narratives, 0 problems" in out


def test_the_fields_of_the_data_format_are_required_or_not(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (yes|no)\b", FORMAT.read_text("utf-8"), flags=re.MULTILINE)
    assert dict(rows).keys() >= {"id", "text", "units", "carriers", "candidates", "narrator"}
    (example,) = (json.loads(b.content) for b in blocks(FORMAT) if b.language == "json")
    path = tmp_path / "in.jsonl"
    for name, required in rows:
        record = {key: value for key, value in example.items() if key != name}
        path.write_text(json.dumps(record), encoding="utf-8")
        found = {problem.rule for problem in read_narratives(path).problems}
        assert (f"{name}-missing" in found) == bool(found) == (required == "yes"), name


def test_the_accessors_named_are_those_there_are() -> None:
    install_extensions()
    page = (ROOT / "docs" / "doc.md").read_text("utf-8")
    named = re.findall(r"`(doc|span|token)\._\.(\w+)`", page)
    there = {("doc", name) for name in Underscore.doc_extensions}
    there |= {("span", name) for name in Underscore.span_extensions}
    there |= {("token", name) for name in Underscore.token_extensions}
    # spacy-transformers and spaCy's converter of treebanks, once they have run, have their own.
    ours = {(kind, name) for kind, name in there if not re.match("trf_data|merged_", name)}
    assert set(named) == ours


def test_the_commands_named_are_there() -> None:
    """In prose, in tables and in the messages, which tell a person what to do."""
    commands = {info.name for info in app.registered_commands}
    groups = {str(info.typer_instance.info.name): info for info in app.registered_groups}
    assert set(groups) == {"base"}
    messages = [str(text) for texts in (Errors, Warnings) for text in vars(texts).values()]
    texts = [document.read_text("utf-8") for document in DOCUMENTS] + messages
    named = {name for text in texts for name in re.findall(r"valence-ec ([a-z]\w+)", text)}
    assert {"analyze", "validate", "corpus"} <= named
    assert named <= commands | set(groups)
    for group, info in groups.items():
        assert info.typer_instance is not None
        steps = {step.name for step in info.typer_instance.registered_commands}
        found = {
            step
            for text in texts
            for step in re.findall(rf"valence-ec {group} ([a-z][\w-]+)", text)
        }
        assert found <= steps


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", prose(document), flags=re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {name.strip().replace(" ", "-") for name in words}


@each_document
def test_the_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        target, _, anchor = link.partition("#")
        if target.startswith("https://"):
            continue
        assert not re.match(r"\w+:|/", target), f"neither relative nor https: {link}"
        path = document.parent / target if target else document
        assert path.exists(), link
        if anchor:
            assert anchor in anchors(path), link


@each_document
def test_the_files_named_are_there(document: Path) -> None:
    """Paths of this project in code style, such as `configs/meta.json`."""
    sources = {path.name for path in ROOT.iterdir()} - {"data", "training", "metrics", "packages"}
    for name in re.findall(r"`([\w.-]+/[\w./-]*)`", prose(document)):
        if name.split("/")[0] in sources:
            assert (ROOT / name).exists(), name


@each_document
def test_nothing_is_left_to_be_filled_in(document: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", prose(document))
    gaps = r"^[A-Z_]{4,}$|\b[A-Z]+_[A-Z_]+\b|\b(?:TODO|TBD|XXX)\b"
    assert not re.findall(gaps, text, flags=re.MULTILINE)


def test_the_readme_has_what_a_newcomer_needs() -> None:
    text = README.read_text("utf-8")
    headings = "\n".join(re.findall(r"^#+ .*$", text, flags=re.MULTILINE)).lower()
    for topic in ("install", "command line", "data format", "your own", "intended use", "citing"):
        assert topic in headings
    assert len(text.splitlines()) <= 150
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"api.md"}
    assert pages <= set(re.findall(r"\(docs/([\w-]+\.md)\)", text)), "pages that nothing leads to"
    assert "no diagnostic instrument" in text


def test_the_picture_of_the_readme_calls_nobody() -> None:
    """It loads no font from elsewhere."""
    (name,) = re.findall(r"!\[[^\]]+\]\(([^)]+\.svg)\)", README.read_text("utf-8"))
    picture = (ROOT / name).read_text("utf-8")
    urls = set(re.findall(r"https?://[^\"')\s<]+", picture))
    assert urls <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}


def test_the_site_is_built(tmp_path: Path) -> None:
    """Every link of it leads somewhere."""
    pytest.importorskip("mkdocs", reason="the site needs the extra docs")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path / "site")],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    home = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert 'href="data-format.html"' in home
    assert "https://fonts" not in home


def test_the_config_of_the_candidate_mode_is_complete(tmp_path: Path) -> None:
    """The ini block of docs/training.md, in place of the tagger's, gives a pipeline."""
    from spacy.util import load_model_from_config
    from thinc.api import Config

    from spacy_valence_ec.configs import compose_config

    (block,) = re.findall(
        r"^```ini\n(.*?)^```$", (ROOT / "docs/training.md").read_text("utf-8"), re.M | re.S
    )
    config = without_base(compose_config("joint", "embedded", configs=ROOT / "configs"))
    parts = Config().from_str("[components]\n\n" + block, interpolate=False)
    config["components"]["ec_tagger"] = parts["components"]["ec_tagger"]
    nlp = load_model_from_config(Config(config).interpolate(), auto_fill=True)
    assert type(nlp.get_pipe("ec_tagger")).__name__ == "EmotionCarrierCandidateClassifier"
