"""What the package offers to Python."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas
import polars
import pytest
import spacy
from helpers import Cli
from spacy import displacy
from spacy.language import Language

import spacy_valence_ec
from spacy_valence_ec import (
    ValenceECError,
    analyze,
    displacy_options,
    evaluate,
    read_narratives,
    read_table,
    to_dataframe,
    write_narratives,
    write_records,
)
from spacy_valence_ec.schema import Narrative, Offsets, Unit

ROOT = Path(__file__).parents[1]
TEXT = "Ieri ho preso il treno. Mi hanno tolto il gesso!"
RECORDS: list[dict[str, Any]] = [
    {"id": "a", "text": TEXT, "narrator": "s1", "mood": 3, "tags": ["x"]},
    {"text": "Boh.", "mood": "so-so"},
    {"id": "c", "text": ""},
]


@pytest.fixture(scope="module")
def nlp(stand_in: Path) -> Language:
    return spacy.load(stand_in)


def test_importing_the_package_imports_little() -> None:
    code = (
        "import spacy, sys; before = set(sys.modules); import spacy_valence_ec\n"
        "print(*sorted(set(sys.modules) - before))\n"
        "assert set(spacy_valence_ec.__all__) <= set(dir(spacy_valence_ec))\n"
        "print('spacy_valence_ec.analysis' in sys.modules, spacy_valence_ec.analyze.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    imported, later = done.stdout.splitlines()
    assert set(imported.split()) <= {
        "spacy_valence_ec",
        "spacy_valence_ec.errors",
        "spacy_valence_ec.extensions",
        "spacy_valence_ec.schema",
        "spacy_valence_ec.span_groups",
    }
    assert later == "False spacy_valence_ec.analysis"


def test_each_name_is_there_and_described() -> None:
    for name in spacy_valence_ec.__all__:
        assert getattr(spacy_valence_ec, name).__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'analyse'"):
        _ = spacy_valence_ec.analyse  # type: ignore[attr-defined]


def test_analyze_gives_what_the_command_gives(cli: Cli, stand_in: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, RECORDS)), encoding="utf-8")
    _, out, _ = cli("analyze", "Zero.", path, TEXT, "-m", stand_in)
    expected = [json.loads(line) for line in out.splitlines()]
    first, *middle, last = expected
    assert (first["id"], middle[1]["id"], last["id"]) == ("text-1", "line-2", "text-2")
    assert analyze(["Zero.", TEXT], str(stand_in)) == [first, last]
    assert analyze(RECORDS, str(stand_in)) == middle
    assert analyze(RECORDS[0], str(stand_in)) == middle[:1]
    assert analyze("Zero.", str(stand_in)) == [first]
    assert analyze(read_narratives(path, gold=False).narratives, str(stand_in)) == middle

    written = tmp_path / "out.jsonl"
    write_records(written, middle)
    assert [json.loads(line) for line in written.read_text("utf-8").splitlines()] == middle


def test_fields_of_the_input_are_not_replaced(nlp: Language) -> None:
    gold = Narrative("n", TEXT, (Unit(0, len(TEXT), "positive"),), (Offsets(17, 22),))
    (record,) = analyze(gold, nlp)
    assert [unit["valence"] for unit in record["units"]] == ["positive"]
    assert [unit["valence"] for unit in record["predicted_units"]] == ["negative", "positive"]
    with pytest.raises(ValenceECError, match="T012"):
        analyze(record, nlp)
    (replaced,) = analyze(gold, nlp, overwrite=True)
    assert replaced["units"] == record["predicted_units"]
    (renamed,) = analyze(record, nlp, prefix="again_")
    assert renamed["again_units"] == record["predicted_units"]
    assert analyze([], nlp) == []


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([{"id": "x"}], r"record:1: -: \[text-missing\]"),
        (["Segreto.", {"text": 5}], r"record:2: -: \[text-type\]"),
        (["Segreto \ud83d."], r"record:1: -: \[lone-surrogate\]"),
        ([5, 6], r"2 problems .* record:1: -: \[not-an-object\]"),
    ],
)
def test_what_cannot_be_analyzed_is_named(nlp: Language, items: Any, expected: str) -> None:
    with pytest.raises(ValenceECError, match=expected) as raised:
        analyze(items, nlp)
    assert "Segreto" not in str(raised.value)


def test_a_pipeline_is_loaded_again_when_its_files_change(tmp_path: Path, nlp: Language) -> None:
    folder = tmp_path / "pipeline"
    nlp.to_disk(folder)
    assert "valence_score" in analyze(TEXT, str(folder))[0]
    with nlp.select_pipes(disable="stand_in_judge"):
        nlp.to_disk(folder)
    changed = spacy.load(folder, exclude="stand_in_judge")
    changed.to_disk(folder)
    assert "valence_score" not in analyze(TEXT, str(folder))[0]
    with pytest.raises(ValenceECError, match="M002"):
        analyze(TEXT, str(tmp_path / "none"))


UNITS = [
    ("a", "s1", 1, 0, 23, "Ieri ho preso il treno.", "negative", 0.8, 0.1, 0.1, "treno"),
    ("a", "s1", 2, 24, 48, "Mi hanno tolto il gesso!", "positive", 0.1, 0.1, 0.8, "gesso"),
    ("line-2", None, 1, 0, 4, "Boh.", "neutral", 0.1, 0.8, 0.1, ""),
]
CARRIERS = [
    ("a", "s1", 1, 17, 22, "treno", 0.9, "negative"),
    ("a", "s1", 2, 42, 47, "gesso", 0.9, "positive"),
]


def test_units_and_carriers_as_polars(nlp: Language) -> None:
    records = analyze(RECORDS, nlp)
    units = to_dataframe(records, "units", "polars")
    assert units.rows() == UNITS
    carriers = to_dataframe(records, "carriers", "polars")
    assert carriers.rows() == CARRIERS
    # Rows or none: the types are the same, so that frames can be joined.
    none = to_dataframe([records[2]], "carriers", "polars")
    assert none.is_empty()
    assert none.schema.items() <= carriers.schema.items()
    assert carriers.schema["start"] == polars.Int64
    assert carriers.schema["score"] == polars.Float64


def test_units_and_carriers_as_pandas(nlp: Language) -> None:
    records = analyze(RECORDS, nlp)
    units = to_dataframe(records, "units")
    assert units.astype(object).replace({pandas.NA: None}).to_records(index=False).tolist() == UNITS
    assert units.groupby("valence")["p_positive"].max().to_dict() == {
        "negative": 0.1,
        "neutral": 0.1,
        "positive": 0.8,
    }
    carriers = to_dataframe(records, "carriers", "pandas")
    none = to_dataframe(records[2], "carriers")
    assert len(none) == 0
    assert dict(none.dtypes).items() <= dict(carriers.dtypes).items()


@pytest.mark.parametrize("backend", ["pandas", "polars"])
def test_narratives(nlp: Language, backend: Any) -> None:
    big = 2**70
    more = [{"text": "Ciao.", "mood": True, "size": big, "half": "\ud83d"}, {"text": "", "size": 2}]
    records = analyze([*RECORDS, *more], nlp)
    frame = to_dataframe(records, backend=backend)
    found = frame.to_dict("records") if backend == "pandas" else frame.to_dicts()
    assert [row["id"] for row in found] == ["a", "line-2", "c", "line-4", "line-5"]
    assert [row["n_units"] for row in found] == [2, 1, 0, 1, 0]
    assert [row["valence"] for row in found] == [
        "mixed",
        "neutral",
        "neutral",
        "neutral",
        "neutral",
    ]
    assert [row["valence_score"] for row in found] == [0.0] * 5
    assert [row["mood"] for row in found if row["id"] in ("a", "line-2", "line-4")] == [
        "3",
        "so-so",
        "True",
    ]
    assert (found[3]["size"], found[4]["size"], found[3]["half"]) == (str(big), "2", "?")
    assert json.loads(found[0]["carriers"]) == records[0]["carriers"]


def test_docs_and_prefixes(nlp: Language) -> None:
    docs = list(nlp.pipe([TEXT, "Boh."]))
    rows = to_dataframe(docs, "units", "polars").rows(named=True)
    assert [(row["id"], row["start"]) for row in rows] == [
        ("text-1", 0),
        ("text-1", 24),
        ("text-2", 0),
    ]
    assert to_dataframe(docs[0], "units", "polars").rows(named=True) == rows[:2]
    named = analyze({"id": "text-1", "text": TEXT}, nlp, prefix="p_")
    found = to_dataframe(named, "units", "polars", prefix="p_").rows(named=True)
    assert [row["valence"] for row in found] == ["negative", "positive"]
    for nothing in (named, [{"id": "x"}], [nlp.make_doc(TEXT)]):
        with pytest.raises(ValenceECError, match=r"I002.*(units|text|fu)"):
            to_dataframe(nothing)


def test_a_missing_library_and_a_wrong_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ValenceECError, match=f"I003.*`pip install {name}`"):
            to_dataframe([], "units", name)  # type: ignore[call-overload]
    with pytest.raises(ValenceECError, match=r"I004.*narratives, units, carriers"):
        to_dataframe([], "unit")  # type: ignore[call-overload]
    with pytest.raises(ValenceECError, match=r"I004.*pandas, polars"):
        to_dataframe([], "units", "arrow")  # type: ignore[call-overload]


def test_tables_and_narratives(nlp: Language, tmp_path: Path) -> None:
    path = tmp_path / "diari.csv"
    path.write_text('Codice;Risposta aperta;eta\np1;"Il gesso; ecco.";31\n', encoding="cp1252")
    table = read_table(path, text_column="Risposta aperta")
    assert table.records == [{"id": "p1", "text": "Il gesso; ecco.", "eta": "31"}]
    assert "text 'Risposta aperta'" in table.description
    (record,) = analyze(table.records, nlp)
    assert (record["eta"], record["valence"]) == ("31", "positive")
    with pytest.raises(ValenceECError, match="T002"):
        read_table(path, text_column="Diario")

    narratives = read_narratives(ROOT / "corpus" / "narratives.jsonl").narratives[:5]
    write_narratives(tmp_path / "copy.jsonl", narratives)
    assert read_narratives(tmp_path / "copy.jsonl").narratives == narratives
    assert evaluate(nlp, narratives)["n_narratives"] == len(narratives)


@pytest.mark.parametrize(("key", "label"), [("fu", "negative"), ("fu", "positive"), ("ec", "EC")])
def test_displacy_shows_each_label_in_its_color(nlp: Language, key: str, label: str) -> None:
    options = displacy_options(key)
    html = displacy.render(nlp(TEXT + " <b>"), style="span", options=options, jupyter=False)
    assert options["colors"][label] in html
    assert "#ddd" not in html  # the color of a label that has none
    assert "<b>" not in html
    with pytest.raises(ValenceECError, match=r"I004"):
        displacy_options("sc")


SOCKETS = """
import sys
sys.path.insert(0, {tests!r})
opened = []

def note(event, arguments):
    if event.startswith("socket."):
        opened.append((event, arguments[1:]))

sys.addaudithook(note)
import stand_in  # the components of the pipeline
import spacy_valence_ec
# What spaCy imports, urllib3, tries on import whether there is IPv6, and sends nothing.
while opened:
    event, arguments = opened.pop()
    assert event == "socket.__new__" or (event, arguments) == ("socket.bind", (("::1", 0),))
for folder in {folders!r}:
    records = spacy_valence_ec.analyze([{text!r}] * 3, folder)
    assert len(records[2]["units"]) > 0
    print(*spacy_valence_ec.to_dataframe(records, "units").columns)
assert not opened, opened
"""


def test_neither_importing_nor_loading_nor_analyzing_opens_a_socket(
    stand_in: Path, trained: Language, tmp_path: Path
) -> None:
    trained.to_disk(tmp_path)
    folders = [str(stand_in), str(tmp_path)]
    code = SOCKETS.format(tests=str(ROOT / "tests"), folders=folders, text=TEXT)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
