"""`valence-ec explain`: formats, escaping, the report with gold carriers, errors."""

import json
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import spacy
from helpers import NARRATIVES, Cli
from spacy import Language

from spacy_valence_ec.cli import explain as command

TEXT = "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!"
SECRET = "il capo mi ha umiliato"


@pytest.fixture(scope="module")
def pipeline(trained: Language, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explained") / "pipeline"
    trained.to_disk(path)
    return path


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "gold.jsonl"
    lines = []
    for number, (text, given) in enumerate(NARRATIVES[:3]):
        units: list[dict[str, Any]] = []
        carriers = []
        start = 0
        for unit, valence, inside in given:
            start = text.index(unit, start)
            units.append({"start": start, "end": start + len(unit), "valence": valence})
            for carrier in inside:
                at = text.index(carrier, start)
                carriers.append({"start": at, "end": at + len(carrier)})
            start += len(unit)
        record = {"id": f"n{number}", "text": text, "units": units, "carriers": carriers}
        lines.append(json.dumps(record))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _great_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline that knows its texts by heart is too sure of itself for the usual bound."""
    monkeypatch.setattr(command, "MAX_GAP", 5.0)


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


class Page(HTMLParser):
    """The text of the cells, and every tag and address."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not {"src", "href"} & {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_json_lines_hold_numbers_and_no_text(cli: Cli, pipeline: Path) -> None:
    code, out, err = cli("explain", pipeline, TEXT)
    assert (code, err) == (0, "")
    (record,) = map(json.loads, out.splitlines())
    assert record["id"] == "text-1"
    assert [(unit["start"], unit["end"]) for unit in record["units"]] == [(0, 28), (29, 64)]
    for unit in record["units"]:
        assert unit["target"] == unit["valence"]
        edges = [(token["start"], token["end"]) for token in unit["tokens"]]
        assert edges[0][0] == unit["start"]
        assert edges[-1][1] == unit["end"]
        total = sum(token["score"] for token in unit["tokens"]) + unit["context"]
        assert total + unit["gap"] == pytest.approx(unit["logit"] - unit["baseline"], abs=1e-4)
    assert "gesso" not in out
    _, out, _ = cli("explain", pipeline, TEXT, "--with-text", "--unit", 2, "--target", "negative")
    (record,) = map(json.loads, out.splitlines())
    assert record["text"] == TEXT
    (unit,) = record["units"]
    assert (unit["unit"], unit["target"]) == (2, "negative")
    assert [token["text"] for token in unit["tokens"]][-2:] == ["gesso", "!"]


def test_the_table_says_it_without_color(cli: Cli, pipeline: Path, wide: None) -> None:
    code, out, _ = cli("explain", pipeline, TEXT, "--format", "table")
    assert code == 0
    assert "\x1b" not in out
    nlp = spacy.load(pipeline)
    doc = nlp(TEXT)
    (line,) = (line for line in out.splitlines() if "Finalmente" in line)
    _, _, label, target, context, *words = line.split()
    assert label == target == doc._.functional_units[1]._.valence
    assert float(context) != 0
    shown = " ".join(words)
    assert "[" in shown
    assert "]" in shown
    (given,) = command._Run(nlp, [2], command.Target.PREDICTED, 32, None)._explain(doc, None)
    strongest = int(abs(given.scores).argmax())
    assert f"{doc[given.start + strongest].text}({given.scores[strongest]:+.2f})" in shown


def test_the_page_escapes_text_and_needs_nothing_else(
    cli: Cli, pipeline: Path, tmp_path: Path
) -> None:
    text = "<script>alert('x')</script> & \"ciao\" il gesso"
    path, page = tmp_path / "in.jsonl", tmp_path / "out.html"
    path.write_text(json.dumps({"id": "<b>n1</b>", "text": text}), encoding="utf-8")
    code, out, err = cli("explain", pipeline, path, "--output", page)
    assert (code, out, err) == (0, "", "")
    content = page.read_text(encoding="utf-8")
    found = Page(content)
    assert not {"script", "b", "link", "img"} & found.tags
    assert "<b>n1</b>" in found.text
    assert "http" not in content
    # Of the text, token by token with figures between, every word is there.
    for word in ("script", "alert", "&", "ciao", "gesso"):
        assert word in found.text


def test_attributions_are_compared_with_gold_carriers(
    cli: Cli, pipeline: Path, annotated: Path, tmp_path: Path, wide: None
) -> None:
    code, out, err = cli("explain", pipeline, annotated, "--gold", "--target", "gold")
    assert code == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["id"] for record in records] == ["n0", "n1", "n2"]
    for record, (_, units) in zip(records, NARRATIVES, strict=False):
        assert [unit["gold_valence"] for unit in record["units"]] == [
            label for _, label, _ in units
        ]
        assert [unit["target"] for unit in record["units"]] == [label for _, label, _ in units]
    (unit,) = (unit for unit in records[0]["units"] if unit["gold_valence"] == "positive")
    assert [token["carrier"] for token in unit["tokens"]] == [False, *[True] * 5, False]
    rows = dict(line.strip("│ ").split("│") for line in err.splitlines() if line.startswith("│"))
    figures = {key.strip(): value.strip() for key, value in rows.items()}
    # "la sera ero stanca" alone has a content word that is no carrier's, of the seven not neutral.
    assert figures["units counted"] == "1"
    assert figures["units left out: all content words are carriers'"] == "6"
    assert figures["area under the ROC curve (0.5 by chance)"] in ("0.000", "1.000")
    page = tmp_path / "out.html"
    code, _, err = cli("explain", pipeline, annotated, "--gold", "-o", page)
    assert code == 0
    assert "units counted" in err
    assert "units counted" in Page(page.read_text("utf-8")).text
    code, out, err = cli("explain", pipeline, annotated, "--gold", "-f", "table")
    assert "units counted" in out
    assert err == ""


def test_texts_without_words_are_explained(cli: Cli, pipeline: Path) -> None:
    for output_format in ("table", "jsonl", "html"):
        code, out, err = cli("explain", pipeline, "", " \n ", "🎉", "-f", output_format)
        assert (code, err) == (0, "")
        assert "text-3" in out


def test_what_cannot_be_read_is_reported_and_the_rest_goes_on(
    cli: Cli, pipeline: Path, tmp_path: Path, annotated: Path
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"id": "a", "text": "Uno."}\n{"text": \n')
    code, out, err = cli("explain", pipeline, path)
    assert code == 1
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["a"]
    assert err.startswith(f"{path}:2: -: ")
    code, out, err = cli("explain", pipeline, SECRET, tmp_path / "no.jsonl", annotated, "--gold")
    assert code == 1
    assert len(out.splitlines()) == 3
    assert "M011" in err
    assert "M004" in err
    assert SECRET not in err
    # What may be a text is in no message, however it ends.
    for text in ("SEGRETO ieri sono andata.jsonl", "SEGRETO" * 60 + ".jsonl"):
        code, _, err = cli("explain", pipeline, text, "--gold")
        assert code == 1
        assert "SEGRETO" not in err


def test_errors_and_wrong_usage(
    cli: Cli, pipeline: Path, stand_in: Path, tmp_path: Path, annotated: Path
) -> None:
    code, out, err = cli("explain", stand_in, TEXT)
    assert (code, out) == (1, "")
    assert "V031" in err
    code, _, err = cli("explain", "it_no_such_pipeline", TEXT)
    assert code == 1
    assert "M002" in err
    page = tmp_path / "out.jsonl"
    page.write_text("old")
    code, _, err = cli("explain", pipeline, TEXT, "--unit", 9, "--output", page)
    assert code == 1
    assert "M012" in err
    assert page.read_text() == "old"
    assert cli("explain", pipeline, TEXT, "--target", "gold")[0] == 2
    assert cli("explain", pipeline, TEXT, "--unit", "0")[0] == 2
    assert cli("explain", pipeline)[0] == 2


def test_too_few_steps_are_told(cli: Cli, pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "MAX_GAP", 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        code, out, err = cli("explain", pipeline, TEXT, "--steps", 1)
    assert code == 0
    assert out
    assert err.startswith("warning: [W005] In 2 of 2 units")
