"""The package as pip installs it: entry points, files, versions."""

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from typing import Any

import catalogue
import pytest
import spacy
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from spacy import Language, registry

import spacy_valence_ec

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[1]
METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ENTRY_POINTS = [
    (group, name, value)
    for group, entries in METADATA["entry-points"].items()
    for name, value in entries.items()
]
FACTORIES = METADATA["entry-points"]["spacy_factories"]


def requirements(*extras: str) -> list[Requirement]:
    lists = [METADATA["dependencies"]]
    lists += [METADATA["optional-dependencies"][extra] for extra in extras]
    return [Requirement(line) for lines in lists for line in lines]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the wheel, by name. Built by setuptools from a copy: the build folder that it
    makes must not stay in the source."""
    source = tmp_path_factory.mktemp("source")
    ignored = ignore_patterns("__pycache__", "*.egg-info", ".git", "data", "training", "packages")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        copy(ROOT / name, source)
    for name in ("spacy_valence_ec", "configs", "corpus", "tests", "benchmarks"):
        copytree(ROOT / name, source / name, ignore=ignored)
    # Without `python -m build`, which would download setuptools again.
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('dist'))"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (path,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(("group", "name", "value"), ENTRY_POINTS)
def test_each_entry_point_is_what_spacy_finds(group: str, name: str, value: str) -> None:
    expected = importlib.metadata.EntryPoint(name, value, group).load()
    if group == "spacy_factories":
        # spaCy keeps factories by internal names, which `@Language.factory` sets: what the entry
        # point does is to import the module.
        assert spacy.blank("it").has_factory(name)
        assert Language.get_factory_meta(name).factory == name
        assert callable(expected)
    else:
        found = registry.get(group.partition("_")[2], name)
        assert found is expected
        assert callable(found)


@pytest.mark.parametrize("group", METADATA["entry-points"])
def test_the_installed_entry_points_are_those_of_pyproject(group: str) -> None:
    """An editable installation keeps the entry points of the time when it was made."""
    found = importlib.metadata.distribution(METADATA["name"]).entry_points.select(group=group)
    expected = METADATA["entry-points"][group]
    assert {entry.name: entry.value for entry in found} == expected, (
        "install again: pip install -c constraints.txt -e ."
    )


def test_nothing_of_ours_is_registered_by_import_alone() -> None:
    """What has no entry point is there only as long as some module happens to be imported."""
    code = "\n".join(
        [
            "import importlib, pkgutil, catalogue, spacy, spacy_valence_ec",
            "for m in pkgutil.walk_packages(spacy_valence_ec.__path__, 'spacy_valence_ec.'):",
            "    if not m.name.endswith('__main__'): importlib.import_module(m.name)",
            "for key in catalogue.REGISTRY:",
            "    if key[-1].startswith('spacy_valence_ec'): print(key[1], key[-1])",
        ]
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    named = {(group.partition("_")[2], name) for group, name, _ in ENTRY_POINTS}
    assert {tuple(line.split()) for line in done.stdout.splitlines()} <= named
    assert catalogue.REGISTRY  # the name is that of the library


def test_the_factories_work_with_their_default_config_in_a_new_process() -> None:
    """Found by their entry points: nobody imports the package first."""
    lines = ["import spacy, sys", "assert 'spacy_valence_ec' not in sys.modules"]
    lines += ["nlp = spacy.blank('it')"]
    lines += [f"nlp.add_pipe({name!r})" for name in FACTORIES]
    lines += ["print(*nlp.pipe_names)"]
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (0, list(FACTORIES)), done.stderr


def test_the_console_script_is_the_command_line() -> None:
    scripts = importlib.metadata.distribution(METADATA["name"]).entry_points
    (script,) = scripts.select(group="console_scripts")
    assert (
        METADATA["scripts"]
        == {script.name: script.value}
        == {"valence-ec": "spacy_valence_ec.cli:run"}
    )
    from spacy_valence_ec.cli import run

    assert script.load() is run


def test_the_versions_agree() -> None:
    assert spacy_valence_ec.__version__ == METADATA["version"]
    assert importlib.metadata.version(METADATA["name"]) == METADATA["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert METADATA["version"] in changelog or "Unreleased" in changelog


def test_the_constraints_lie_inside_the_bounds() -> None:
    bounds = {r.name: r.specifier for r in requirements("base", "test", "dev")}
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert {pin.name for pin in pinned} >= {
        "spacy",
        "spacy-transformers",
        "transformers",
        "torch",
        "thinc",
        "typer",
    }
    for pin in pinned:
        (exact,) = pin.specifier
        assert exact.operator == "=="
        assert Version(exact.version) in bounds[pin.name], pin


def test_what_is_installed_lies_inside_the_bounds() -> None:
    for requirement in requirements():
        version = importlib.metadata.version(requirement.name)
        assert requirement.specifier.contains(version), requirement


def test_transformers_stay_below_what_spacy_transformers_cannot_read() -> None:
    """spacy-transformers 1.4 names the bound itself: pip would not find a set of versions."""
    needed = [
        Requirement(line)
        for line in importlib.metadata.requires("spacy-transformers") or ()
        if line.startswith("transformers")
    ]
    (ours,) = [r for r in requirements() if r.name == "transformers"]
    highest = max(Version(s.version) for s in ours.specifier if s.operator == "<")
    for requirement in needed:
        for limit in requirement.specifier:
            if limit.operator == "<":
                assert highest <= Version(limit.version)


def test_the_python_versions_agree() -> None:
    supported = SpecifierSet(METADATA["requires-python"])
    named = [
        line.rpartition(" ")[2]
        for line in METADATA["classifiers"]
        if line.startswith("Programming Language :: Python :: 3.")
    ]
    assert named == [f"3.{minor}" for minor in range(6, 20) if f"3.{minor}" in supported]
    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"Python {named[0]} to {named[-1]}" in readme


def test_the_extras_and_the_license() -> None:
    assert set(METADATA["optional-dependencies"]) == {
        "base",
        "encoder",
        "experiments",
        "serve",
        "tables",
        "docs",
        "tools",
        "test",
        "dev",
    }
    assert METADATA["license"] == {"text": "MIT"}
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")


def test_the_wheel_holds_the_package_and_nothing_else(wheel: dict[str, bytes]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert tops == {"spacy_valence_ec", f"spacy_valence_ec-{METADATA['version']}.dist-info"}
    package = ROOT / "spacy_valence_ec"
    found = [*package.rglob("*.py"), package / "py.typed", *(package / "base/assets").rglob("*")]
    found += [*package.glob("*/templates/*"), *package.glob("page/assets/*")]
    expected = {str(path.relative_to(ROOT)) for path in found if path.is_file()}
    assert {name for name in wheel if name.startswith("spacy_valence_ec/")} == expected


def test_the_wheel_describes_itself(wheel: dict[str, bytes]) -> None:
    info: dict[str, Any] = {
        name.rpartition("/")[2]: content.decode()
        for name, content in wheel.items()
        if ".dist-info/" in name
    }
    assert "Name: spacy_valence_ec\n" in info["METADATA"].replace("-", "_")
    assert "License: MIT" in info["METADATA"] or "License_Expression: MIT" in info["METADATA"]
    assert info["LICENSE"] == (ROOT / "LICENSE").read_text("utf-8")
    assert "valence-ec = spacy_valence_ec.cli:run" in info["entry_points.txt"]
    for _, name, value in ENTRY_POINTS:
        assert f"{name} = {value}" in info["entry_points.txt"]
