"""project.yml, by running it: from annotated narratives to an installed pipeline."""

import json
import re
import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from small_project import SmallProject, copy_project, some_narratives
from typer.testing import CliRunner
from weasel.util import load_project_config

from spacy_valence_ec.corpus.sources import SOURCES
from spacy_valence_ec.finalize import choose_fields

ROOT = Path(__file__).parents[1]

# The names of the design.
METRICS = {
    "fu_boundary_p",
    "fu_boundary_r",
    "fu_boundary_f",
    "fu_f",
    "fu_windowdiff",
    "valence_macro_f",
    "valence_f_negative",
    "valence_f_neutral",
    "valence_f_positive",
    "e2e_valence_macro_f",
    "ec_macro_f",
    "ec_token_f",
    "ec_exact_f",
    "ec_partial_f",
    "joint_f",
}
ON_PERSON = "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!"
POS_TAGS = (
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN"),
    *("PUNCT", "SCONJ", "SYM", "VERB", "X"),
)
SKIPPED = "Skipping '{}': nothing changed"

ProjectRun = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def config(small_project: SmallProject) -> dict[str, Any]:
    """project.yml with its variables put in."""
    return dict(load_project_config(small_project.folder))


@pytest.fixture
def project_copy(small_project: SmallProject, tmp_path: Path) -> Path:
    """A copy of the project after its workflow, to run more in."""
    return copytree(small_project.folder, tmp_path / "copy")


@pytest.fixture
def project_run(monkeypatch: pytest.MonkeyPatch) -> ProjectRun:
    """`spacy project run`, from inside a folder: exit code, and what it prints itself. What its
    commands print goes to the captured file descriptors."""

    def call(folder: Path, name: str, *options: object) -> tuple[int, str]:
        from spacy.cli import app

        monkeypatch.chdir(folder)
        result = CliRunner().invoke(app, ["project", "run", name, ".", *map(str, options)])
        return result.exit_code, result.output

    return call


def times(folder: Path) -> dict[str, int]:
    """When each file was written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return {str(path): path.stat().st_mtime_ns for path in files}


# Workflows of their own: they need public corpora, and hours or a GPU.
PRETRAINING = ["pretrain-text", "pretrain"]
# What the repository holds, or the user points at.
GIVEN = ("data", "sources", "silver", "base")
# Of the other half of the comparison.
GENERATIVE = ["train-generative", "evaluate-generative"]
# Of no workflow: for who makes the base anew, and for who compares settings.
OTHERS = {"base", "encoder", "base-encoder", "experiments"}
# The other settings of the paper, in workflows of their own.
SETTINGS = [
    "train-joint-coupled",
    "train-single-valence",
    "train-single-ec",
    "train-two-step-valence-ec",
    "train-two-step-ec-valence",
]


def test_all_is_every_command_in_an_order_in_which_inputs_are_there(config: dict[str, Any]) -> None:
    commands = {command["name"]: command for command in config["commands"]}
    assert config["workflows"]["language-model"] == PRETRAINING
    assert config["workflows"]["generative"] == ["corpus", *GENERATIVE]
    in_order = [*config["workflows"]["all"], *SETTINGS, *PRETRAINING, *GENERATIVE]
    assert in_order == [c for c in commands if c not in OTHERS]
    assert set(commands) >= OTHERS
    assert {"validate", "corpus", "train-joint", "evaluate"} <= set(commands)
    assert {"package", "install", "analyze-sample"} <= set(commands)
    for workflow in config["workflows"].values():
        there = {"configs", *(config["vars"][name] for name in GIVEN)}
        for name in workflow:
            assert set(commands[name].get("deps", ())) <= there, name
            there.update(commands[name].get("outputs", ()))


def test_every_variable_is_used_and_nothing_else(config: dict[str, Any]) -> None:
    used = set(re.findall(r"\$\{vars\.(\w+)\}", (ROOT / "project.yml").read_text("utf-8")))
    assert used == set(config["vars"])
    assert used >= {"data", "backbone", "seed", "split_seed", "gpu", "epochs", *GIVEN}


def test_every_command_ran_and_left_its_outputs(
    small_project: SmallProject, config: dict[str, Any]
) -> None:
    plain = re.sub(r"\x1b\[[\d;]*m", "", small_project.output)
    ran = re.findall(r"^=+ ([\w-]+) =+$", plain, flags=re.MULTILINE)
    assert ran == config["workflows"]["all"]
    assert "Traceback" not in small_project.output
    outputs = [
        output
        for command in config["commands"]
        if command["name"] in ran
        for output in command.get("outputs", ())
    ]
    assert len(outputs) >= 7
    for output in outputs:
        path = small_project.folder / output
        assert times(path) if path.is_dir() else path.stat().st_size, output


def test_progress_and_results_are_shown(small_project: SmallProject) -> None:
    output = small_project.output
    assert re.search(r"^E +# +LOSS", output, flags=re.MULTILINE)
    assert "valid narratives, 0 problems" in output
    assert re.search(r"train .*%", output)  # the parts of the corpus
    assert "valence_macro_f" in output
    samples = (ROOT / "corpus" / "sample.jsonl").read_text("utf-8").splitlines()
    assert len(samples) == 3
    for line in samples:
        assert f"\n{json.loads(line)['id']}: " in output


def test_the_pipeline_loads_from_any_folder_and_has_the_accessors(
    small_project: SmallProject, tmp_path: Path
) -> None:
    script = tmp_path / "use.py"
    script.write_text(
        f"""
import json, spacy, it_valence_ec
nlp = spacy.load("it_valence_ec")
doc, empty = nlp({ON_PERSON!r}), nlp("")
units = doc._.functional_units
print(json.dumps({{
    "file": it_valence_ec.__file__,
    "pipeline": nlp.pipe_names,
    "text": "".join(unit.text for unit in units).replace(" ", ""),
    "valences": [unit._.valence for unit in units],
    "carriers": [c.text for unit in units for c in unit._.emotion_carriers],
    "all_carriers": [c.text for c in doc._.emotion_carriers],
    "arc": doc._.valence_arc,
    "valence": doc._.valence,
    "score": doc._.valence_score,
    "scores": doc[0:2]._.valence_scores,
    "unit": doc[0]._.functional_unit.text,
    "is_carrier": doc[0]._.is_emotion_carrier,
    "candidates": [c.text for c in doc.spans["ec_candidates"]],
    "tags": [token.pos_ for token in doc],
    "empty": [empty._.valence, empty._.functional_units, empty._.valence_arc],
}}))
""",
        encoding="utf-8",
    )
    done = small_project.run("-W", "error", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # Not into the environment of the tests, where the user's own pipeline is.
    assert Path(found["file"]).is_relative_to(small_project.environment)
    heads = ["fu_segmenter", "valence_classifier", "ec_tagger"]
    assert found["pipeline"][:4] == ["tok2vec", *heads]
    # With a parser between them where a pipeline that has one is installed.
    assert [name for name in found["pipeline"][4:] if name != "parser"] == [
        *("morphologizer", "ec_candidates")
    ]
    assert found["candidates"]
    assert set(found["tags"]) <= set(POS_TAGS)
    assert found["text"] == ON_PERSON.replace(" ", "")
    assert set(found["valences"]) <= {"negative", "neutral", "positive"}
    assert found["valence"] in {"negative", "neutral", "positive", "mixed"}
    assert found["carriers"] == found["all_carriers"]
    assert len(found["arc"]) == len(found["valences"])
    assert found["score"] == pytest.approx(sum(found["arc"]) / len(found["arc"]))
    assert sum(found["scores"].values()) == pytest.approx(1.0, abs=1e-5)
    assert ON_PERSON.startswith(found["unit"])
    assert type(found["is_carrier"]) is bool
    assert found["empty"] == ["neutral", [], []]


def test_the_package_says_what_it_is_and_what_it_needs(
    small_project: SmallProject, config: dict[str, Any]
) -> None:
    (output,) = next(c["outputs"] for c in config["commands"] if c["name"] == "package")
    with zipfile.ZipFile(small_project.folder / output) as wheel:
        names = wheel.namelist()
        meta = json.loads(wheel.read("it_valence_ec/meta.json"))
        (metadata,) = (wheel.read(name).decode() for name in names if name.endswith("/METADATA"))
    assert (meta["lang"], meta["name"], meta["version"]) == ("it", "valence_ec", "0.1.0")
    required = {re.split(r"[<>=]", requirement)[0] for requirement in meta["requirements"]}
    names_of_packages = {requirement.replace("_", "-") for requirement in required}
    assert names_of_packages - {"spacy"} == {"spacy-valence-ec"}
    for requirement in required:
        assert re.search(rf"^Requires-Dist: {requirement}\b", metadata, flags=re.MULTILINE)
    expected = json.loads((ROOT / "configs" / "meta.json").read_text("utf-8"))
    assert expected["description"]
    # That of the code is MIT; what was learned from a text is under the license of the text.
    assert expected["license"] == "CC BY-SA 4.0"
    licenses = {source["license"] for source in expected["sources"]}
    assert licenses == {*(source.license for source in SOURCES.values()), "CC BY 4.0", "MIT"}
    fields = choose_fields(expected, expected["narratives"])
    assert {key: meta[key] for key in fields} == fields
    # At the top of the package, and among the files of its metadata.
    name = next(name for name in names if name.endswith("/LICENSES_SOURCES"))
    with zipfile.ZipFile(small_project.folder / output) as wheel:
        assert "UD Italian-TWITTIRO" in wheel.read(name).decode()
    assert f"Summary: {expected['description']}" in metadata
    assert meta["performance"]["fu_f"] is not None
    # No file of the corpus travels along.
    assert not [name for name in names if name.endswith((".jsonl", ".spacy"))]


def test_the_package_holds_no_word_of_the_corpus(small_project: SmallProject) -> None:
    """But those that every Italian pipeline of spaCy holds."""
    import spacy

    lines = (small_project.folder / "corpus" / "narratives.jsonl").read_text("utf-8").splitlines()
    words = {word for line in lines for word in re.findall(r"\w{4,}", json.loads(line)["text"])}
    known = set(spacy.blank("it").vocab.strings)
    folder = small_project.folder / "training" / "joint" / "model-best"
    stored = set(json.loads((folder / "vocab" / "strings.json").read_text("utf-8")))
    assert len(words - known) > 500
    assert not (words - known) & stored


def test_every_metric_of_the_design_is_measured(small_project: SmallProject) -> None:
    metrics = json.loads((small_project.folder / "metrics" / "joint.json").read_text("utf-8"))
    assert set(metrics) >= METRICS
    for name in METRICS:
        assert metrics[name] is None or 0.0 <= metrics[name] <= 1.0, name
    test = (small_project.folder / "data" / "test.jsonl").read_text("utf-8").splitlines()
    assert metrics["n_narratives"] == len(test) > 0
    assert metrics["n_units"] == sum(len(json.loads(line)["units"]) for line in test)


def test_an_unchanged_step_is_skipped(project_run: ProjectRun, project_copy: Path) -> None:
    before = {name: times(project_copy / name) for name in ("data", "training", "metrics")}
    code, output = project_run(project_copy, "joint", "--vars.epochs", 2)
    assert code == 0
    for name in ("corpus", "train-joint", "evaluate"):
        assert SKIPPED.format(name) in output
    assert output.count("Running command") == 1  # check
    assert {name: times(project_copy / name) for name in before} == before


def test_a_two_step_setting_is_trained_behind_its_first_step(
    project_run: ProjectRun, project_copy: Path
) -> None:
    code, output = project_run(project_copy, "two-step-valence-ec", "--vars.epochs", 1)
    assert code == 0, output
    names = ("single-valence", "two-step-valence-ec", "two-step-valence-ec-oracle")
    single, chained, oracle = (
        json.loads((project_copy / "metrics" / f"{name}.json").read_text("utf-8")) for name in names
    )
    # The first step is that of the other pipeline, or gold.
    assert single["joint_f"] is None
    assert chained["valence_macro_f"] == pytest.approx(single["valence_macro_f"])
    assert oracle["valence_macro_f"] == 1.0
    assert {chained["n_units"], oracle["n_units"]} == {single["n_units"]}
    code, output = project_run(project_copy, "two-step-valence-ec", "--vars.epochs", 1, "--dry")
    assert SKIPPED.format("train-two-step-valence-ec") in output


def test_a_users_own_file_and_training_alone(
    project_run: ProjectRun, project_copy: Path, tmp_path: Path
) -> None:
    """Other data, at an absolute path: the split is made anew, and all that depends on it."""
    data = tmp_path / "my_narratives.jsonl"
    mine = []
    for line in map(json.loads, some_narratives(4, 2)):
        kept = {key: line[key] for key in ("text", "units", "carriers")}
        mine.append({**kept, "id": f"my-{line['id']}", "narrator": f"person {line['narrator']}"})
    data.write_text("".join(json.dumps(line) + "\n" for line in mine), encoding="utf-8")
    best = project_copy / "training" / "joint" / "model-best"
    before = times(best)

    code, output = project_run(project_copy, "corpus", "--vars.data", data)
    assert code == 0, output
    parts = [project_copy / "data" / f"{part}.jsonl" for part in ("train", "dev", "test")]
    lines = [line for part in parts for line in part.read_text("utf-8").splitlines()]
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(line["id"] for line in mine)

    options = ("--vars.data", data, "--vars.epochs", 1)
    code, output = project_run(project_copy, "train-joint", *options)
    assert code == 0, output
    after = times(best)
    assert all(after[path] > time for path, time in before.items())

    code, output = project_run(project_copy, "joint", *options, "--dry")
    assert code == 0
    assert SKIPPED.format("corpus") in output
    assert SKIPPED.format("train-joint") in output
    assert SKIPPED.format("evaluate") not in output


def test_two_pipelines_do_not_share_a_folder(
    project_run: ProjectRun, project_copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = times(project_copy)
    code, _ = project_run(project_copy, "all", "--vars.name", "clinic")
    err = capfd.readouterr().err
    assert code == 1
    assert "[C010]" in err
    assert "`--vars.folder clinic/`" in err
    assert times(project_copy) == before

    code, output = project_run(
        project_copy, "check", "--vars.name", "clinic", "--vars.folder", "clinic/"
    )
    assert code == 0, output
    assert (project_copy / "clinic" / "data" / "project.txt").read_text("utf-8") == "clinic\n"


def test_narratives_that_break_a_rule_stop_the_workflow(
    project_run: ProjectRun,
    project_copy: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = tmp_path / "broken.jsonl"
    data.write_text('{"id": "n1", "text": "un segreto"}\n', encoding="utf-8")
    before = times(project_copy)
    code, output = project_run(project_copy, "all", "--vars.data", data)
    out, err = capfd.readouterr()
    assert code == 1
    assert f"{data}:1: n1: [units-missing]" in err
    assert "segreto" not in out + err + output
    assert "Traceback" not in err
    assert output.count("Running command") == 2  # check, validate
    after = times(project_copy)
    lock = str(project_copy / "project.lock")  # notes that the check was done
    assert {**after, lock: 0} == {**before, lock: 0}


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("backbone", "alberto", "compose joint training/joint.cfg --backbone alberto "),
        ("backbone", "/models/my-bert", "--backbone /models/my-bert "),
        ("split_seed", 3, "corpus corpus/narratives.jsonl data --seed 3 "),
        ("backbone", "cnn", "compose joint training/joint.cfg --backbone cnn "),
        ("seed", 3, "compose joint training/joint.cfg --backbone small --seed 3 "),
        ("base", "my-base", " --paths.base my-base "),
        ("epochs", 7, "--max-epochs 7 "),
        ("gpu", 0, "--gpu-id 0 "),
        ("folder", "clinic/", "--output clinic/metrics/joint.json"),
        ("author", "Clinica d'Ivrea", "--author " + shlex.quote("Clinica d'Ivrea") + " "),
    ],
)
def test_variables_reach_the_commands(
    project_run: ProjectRun, tmp_path: Path, variable: str, value: object, expected: str
) -> None:
    folder = tmp_path / "project"
    copy_project(folder)
    code, output = project_run(folder, "all", f"--vars.{variable}", value, "--dry")
    assert code == 0
    assert expected in output.replace("\n", " ")


def test_pretraining_takes_its_sources_and_setting(project_run: ProjectRun, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    copy_project(folder)
    (tmp_path / "texts").mkdir()
    variables = {"sources": tmp_path / "texts", "pretrain_config": "mini-gpt", "gpu": 0}
    options = [part for name, value in variables.items() for part in (f"--vars.{name}", value)]
    code, output = project_run(folder, "language-model", *options, "--dry")
    assert code == 0
    plain = " ".join(output.split())
    assert f"pretrain-text {tmp_path}/texts data/pretraining --setting mini-gpt " in plain
    assert "pretrain mini-gpt data/pretraining --gpu 0 training/pretrain/mini-gpt" in plain

    code, output = project_run(folder, "language-model", "--vars.sources", "nowhere")
    assert code == 1
    assert "nowhere" in output


def test_the_base_takes_its_sources_and_writes_where_it_is_told(
    project_run: ProjectRun, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    copy_project(folder)
    (tmp_path / "texts").mkdir()
    (tmp_path / "silver.jsonl").touch()
    (folder / "data" / "pretraining").mkdir(parents=True)
    (folder / "data" / "pretraining" / "train.jsonl").touch()
    options = ("--vars.sources", tmp_path / "texts", "--vars.silver", tmp_path / "silver.jsonl")
    code, output = project_run(folder, "base", *options, "--vars.base", "mine", "--dry")
    assert code == 0, output
    plain = " ".join(output.split())
    assert f"base prepare data/pretraining {tmp_path}/texts training/base " in plain
    assert f"--silver {tmp_path}/silver.jsonl" in plain
    assert "spacy init vectors it training/base/vectors.floret training/base/vectors " in plain
    # `base build` gathers the weights of `small`, which is not the default.
    assert "compose joint training/base/joint.cfg --backbone small " in plain
    # First without the weights that are then trained from it.
    first, second = plain.split("--paths.base mine ")
    assert "base build training/base mine --no-joint" in first
    assert "base build training/base mine" in second
    assert "--no-joint" not in second


def test_a_pipeline_of_another_name_is_packaged_installed_and_used(
    project_run: ProjectRun, small_project: SmallProject
) -> None:
    options = ("--vars.name", "valence_ec_clinic", "--vars.version", "1.2.3", "--dry")
    code, output = project_run(small_project.folder, "all", *options)
    wheel = "packages/it_valence_ec_clinic-1.2.3/dist/it_valence_ec_clinic-1.2.3-py3-none-any.whl"
    assert code == 0
    assert "packages --name valence_ec_clinic --version 1.2.3 " in output
    assert output.count(wheel) == 1  # what pip is given
    assert "analyze corpus/sample.jsonl --model it_valence_ec_clinic " in output


def test_the_documentation_of_the_project_is_up_to_date(tmp_path: Path) -> None:
    """Its section is in one file: README.md or docs/project.md."""
    from spacy.cli import app

    target = tmp_path / "project.md"
    args = ["project", "document", str(ROOT), "--output", str(target)]
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, result.output
    generated = target.read_text("utf-8")
    marker = generated.splitlines()[0]
    assert "AUTO-GENERATED DOCS START" in marker
    candidates = [ROOT / "README.md", ROOT / "docs" / "project.md"]
    (holder,) = [path for path in candidates if path.exists() and marker in path.read_text("utf-8")]
    if holder.parent != ROOT:
        # The link that spaCy writes is that of a file beside project.yml.
        generated = generated.replace("](project.yml)", "](../project.yml)")
    assert generated.strip() in holder.read_text("utf-8"), (
        f"outdated: python -m spacy project document . --output {holder.relative_to(ROOT)}"
        " (and in docs/ the link to project.yml must begin with ../)"
    )
