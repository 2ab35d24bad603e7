"""The workflow of project.yml, run once for all tests that need its results."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copy, copytree

import pytest

ROOT = Path(__file__).parents[1]

NARRATORS = 12
NARRATIVES_OF_EACH = 5
EPOCHS = 2

INSTALLED = "it_valence_ec"
BASE = "spacy_valence_ec/base/assets"
DEFAULT, BACKBONE = 'backbone: "embedded"', 'backbone: "small"'


@dataclass(frozen=True)
class SmallProject:
    """A copy of the project in which `spacy project run all` has been run, and the environment
    into which that has installed its pipeline."""

    folder: Path
    environment: Path
    output: str

    @property
    def python(self) -> Path:
        return Path(scripts_of(self.environment)) / Path(sys.executable).name

    def run(self, *args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run Python in the environment, by default in the folder of the project."""
        return self._run([str(self.python), *map(str, args)], cwd)

    def shell(self, command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a command line as a person would who has activated the environment."""
        return self._run(["bash", "-e", "-o", "pipefail", "-c", command], cwd)

    def _run(self, command: Sequence[str], cwd: Path | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd or self.folder,
            env=environment_variables(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )


@pytest.fixture(scope="session")
def small_project(tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    """`spacy project run all` on a few narratives and epochs. Not to be altered: copy its folder
    to run more."""
    base = tmp_path_factory.mktemp("project")
    project = SmallProject(base / "project", base / "environment", "")
    make_environment(project.environment)
    copy_project(project.folder)
    done = project.run("-m", "spacy", "project", "run", "all", ".", "--vars.epochs", EPOCHS)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return SmallProject(project.folder, project.environment, done.stdout + done.stderr)


def copy_project(folder: Path) -> None:
    """Copy the files that `spacy project run all` reads, with a corpus of CI size and the backbone
    that is trained fastest. The default one is trained by the first command of the README, which CI
    runs."""
    (folder / "corpus").mkdir(parents=True)
    text = (ROOT / "project.yml").read_text(encoding="utf-8")
    assert text.count(BASE) == text.count(DEFAULT) == 1
    # In place: a folder of the package's name would hide the package.
    text = text.replace(BASE, str(ROOT / BASE)).replace(DEFAULT, BACKBONE)
    (folder / "project.yml").write_text(text, encoding="utf-8")
    copytree(ROOT / "configs", folder / "configs")
    copy(ROOT / "corpus" / "sample.jsonl", folder / "corpus")
    lines = some_narratives(NARRATORS, NARRATIVES_OF_EACH)
    (folder / "corpus" / "narratives.jsonl").write_text("".join(lines), encoding="utf-8")


def some_narratives(narrators: int, of_each: int) -> list[str]:
    """Lines of the corpus: the first narratives of the first narrators of each part."""
    text = (ROOT / "corpus" / "narratives.jsonl").read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    part_of = {record["narrator"]: record.get("split") for record in map(json.loads, lines)}
    firsts = {part: narrator for narrator, part in reversed(part_of.items())}
    chosen = [*dict.fromkeys([*firsts.values(), *part_of])][:narrators]
    counts: Counter[str] = Counter()
    found = []
    for line in lines:
        narrator = json.loads(line)["narrator"]
        counts[narrator] += 1
        if narrator in chosen and counts[narrator] <= of_each:
            found.append(line)
    assert len(found) == narrators * of_each
    return found


def make_environment(folder: Path) -> None:
    """An environment that has all that this one has, and into which pip installs: the user's own
    pipeline is not replaced by a test's."""
    venv.EnvBuilder(symlinks=os.name != "nt").create(folder)
    paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    own = sysconfig.get_path("purelib", "venv", vars={"base": str(folder)})
    lines = (f"import site; site.addsitedir({path!r})\n" for path in paths)
    (Path(own) / "outer.pth").write_text("".join(lines), encoding="utf-8")
    # What pip would make of `project.scripts`.
    script = Path(scripts_of(folder)) / "valence-ec"
    python = Path(scripts_of(folder)) / Path(sys.executable).name
    script.write_text(f"#!{python}\nfrom spacy_valence_ec.cli import run\n\nrun()\n")
    script.chmod(0o755)


def scripts_of(environment: Path) -> str:
    return sysconfig.get_path("scripts", "venv", vars={"base": str(environment)})


def environment_variables(environment: Path) -> dict[str, str]:
    """Those of this process, without what would lead Python or pip elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PYTEST_", "COV_")) or name in PIP_NETWORK
        if name not in ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "VALENCE_EC_DEBUG")
    }
    path = scripts_of(environment) + os.pathsep + kept.get("PATH", "")
    return kept | {
        "PATH": path,
        "VIRTUAL_ENV": str(environment),
        "PYTHONUTF8": "1",
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


# How to reach a package index, which building a wheel needs.
PIP_NETWORK = frozenset(
    f"PIP_{name}"
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "TRUSTED_HOST", "PROXY", "CERT", "FIND_LINKS")
)


def files_of(folder: Path, ignored: Iterable[str] = ()) -> dict[str, bytes]:
    """The content of every file, by its path in `folder`."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ignored
    }
