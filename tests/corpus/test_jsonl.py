import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from narrative_strategies import json_values, narratives

from spacy_valence_ec.corpus.jsonl import (
    Problem,
    narrative_to_record,
    read_narratives,
    record_to_line,
    write_narratives,
)
from spacy_valence_ec.schema import Narrative, Offsets, Unit

TEXT = "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!"
GOLD: dict[str, Any] = {
    "id": "n0001",
    "narrator": "s01",
    "lang": "it",
    "text": TEXT,
    "units": [
        {"start": 0, "end": 28, "valence": "neutral"},
        {"start": 29, "end": 64, "valence": "positive"},
    ],
    "carriers": [{"start": 40, "end": 63}],
    "candidates": [{"start": 17, "end": 27}, {"start": 40, "end": 54}, {"start": 55, "end": 63}],
    "mood": {"scale": [1, 2.5, None]},
}
OTHER = record_to_line({**GOLD, "id": "other"}).encode()


def narrative(number: int) -> Narrative:
    units = (Unit(0, 28, "neutral"), Unit(29, 64, "positive"))
    return Narrative(f"n{number}", TEXT, units, (Offsets(40, 63),))


def unit(start: object, end: object, valence: object = "neutral") -> dict[str, object]:
    return {"start": start, "end": end, "valence": valence}


def found(path: Path, content: bytes, *, gold: bool = True) -> list[Problem]:
    path.write_bytes(content)
    return read_narratives(path, gold=gold).problems


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.jsonl"


def test_a_line_is_read_as_the_format_says(path: Path) -> None:
    path.write_text(json.dumps(GOLD))
    result = read_narratives(path)
    assert result.problems == []
    assert result.narratives == [
        Narrative(
            id="n0001",
            text=TEXT,
            units=(Unit(0, 28, "neutral"), Unit(29, 64, "positive")),
            carriers=(Offsets(40, 63),),
            candidates=(Offsets(17, 27), Offsets(40, 54), Offsets(55, 63)),
            narrator="s01",
            extra={"mood": {"scale": [1, 2.5, None]}},
        )
    ]


WHOLE = [unit(0, 64, "positive")]
BROKEN: list[tuple[dict[str, Any], set[str]]] = [
    ({"id": None}, {"id-type"}),
    ({"id": 7}, {"id-type"}),
    ({"id": " "}, {"id-empty"}),
    ({"id": "other"}, {"id-duplicate"}),
    ({"narrator": 3}, {"narrator-type"}),
    ({"narrator": ""}, {"narrator-empty"}),
    ({"lang": ["it"]}, {"lang-type"}),
    ({"text": None}, {"text-type"}),
    ({"text": TEXT[:-1] + "\ud83d"}, {"lone-surrogate"}),
    ({"units": None}, {"units-type"}),
    ({"units": {"0": WHOLE[0]}}, {"units-type"}),
    ({"units": [*GOLD["units"], [0, 1]]}, {"units-type"}),
    ({"units": [unit(0, 64.0)], "carriers": []}, {"offset-type", "uncovered-text"}),
    ({"units": [*GOLD["units"], unit(False, True)]}, {"offset-type"}),
    ({"units": [unit(-1, 28), GOLD["units"][1]]}, {"offset-negative"}),
    ({"units": [GOLD["units"][0], unit(29, 65, "positive")]}, {"offset-past-end"}),
    ({"units": [*GOLD["units"], unit(64, 64)]}, {"offset-order"}),
    ({"units": [*GOLD["units"], unit(10**30, 5)]}, {"offset-order", "offset-past-end"}),
    ({"units": GOLD["units"][::-1]}, {"unit-order"}),
    ({"units": [unit(0, 30), GOLD["units"][1]]}, {"unit-overlap"}),
    ({"units": [unit(0, 64, "positive"), unit(5, 9), unit(30, 39)]}, {"unit-overlap"}),
    ({"units": [unit(0, 27), GOLD["units"][1]]}, {"uncovered-text"}),
    ({"units": [unit(0, 28), unit(28, 29), GOLD["units"][1]]}, {"blank-span"}),
    ({"units": [unit(0, 28), unit(29, 64, "POSITIVE")]}, {"valence"}),
    ({"units": [unit(0, 28), unit(29, 64, ["positive"])]}, {"valence"}),
    ({"units": [unit(0, 28), {"start": 29, "end": 64}]}, {"valence"}),
    ({"carriers": "none"}, {"carriers-type"}),
    ({"carriers": [{"start": 40}]}, {"offset-type"}),
    ({"carriers": [{"start": 40, "end": 70}]}, {"offset-past-end"}),
    ({"carriers": [{"start": 20, "end": 35}]}, {"carrier-across-units"}),
    ({"carriers": [{"start": 28, "end": 33}]}, {"carrier-outside-units"}),
    ({"carriers": [{"start": 28, "end": 29}]}, {"carrier-outside-units", "blank-span"}),
    ({"carriers": [{"start": 17, "end": 27}]}, {"carrier-in-neutral-unit"}),
    ({"carriers": [{"start": 40, "end": 63}, {"start": 55, "end": 60}]}, {"carrier-overlap"}),
    ({"candidates": [{"start": 3, "end": 2}]}, {"offset-order"}),
    ({"candidates": 5}, {"candidates-type"}),
]


@pytest.mark.parametrize(("change", "rules"), BROKEN)
def test_each_rule_is_reported_and_costs_no_other_line(
    path: Path, change: dict[str, Any], rules: set[str]
) -> None:
    # As escapes, so that half a surrogate pair can be written at all.
    path.write_bytes(OTHER + json.dumps({**GOLD, **change}).encode() + b"\n")
    result = read_narratives(path)
    assert {problem.rule for problem in result.problems} == rules
    assert {problem.line for problem in result.problems} == {2}
    assert [narrative.id for narrative in result.narratives] == ["other"]
    messages = " ".join(map(str, result.problems))
    assert not any(word in messages for word in ("medico", "gesso", "POSITIVE"))


@pytest.mark.parametrize("name", ["id", "text", "units", "carriers"])
def test_a_missing_field_is_reported(path: Path, name: str) -> None:
    record = {key: value for key, value in GOLD.items() if key != name}
    assert [p.rule for p in found(path, json.dumps(record).encode())] == [f"{name}-missing"]


@pytest.mark.parametrize(
    ("line", "rule", "message"),
    [
        (b"{oops", "json", "offset 1 of the line"),
        (b'{"id": "a", "text": "segreto\\q"}', "json", "Invalid \\escape at offset 28"),
        (b'{"text": NaN}', "json", "NaN"),
        (b'{"text": 1e999}', "json", "infinite"),
        (b'{"a": ' + b"9" * 5000 + b"}", "json", "too long"),
        (b"[" * 100_000, "json", "nested too deeply"),
        (b'"segreto"', "not-an-object", "no object"),
        (b'{"text": "segret\xf2"}', "utf-8", "offset 16 of the line"),
    ],
)
@pytest.mark.parametrize("gold", [True, False])
def test_a_line_that_is_no_json_object(
    path: Path, line: bytes, rule: str, message: str, gold: bool
) -> None:
    path.write_bytes(line + b"\n" + OTHER)
    result = read_narratives(path, gold=gold)
    assert [(p.line, p.id, p.rule) for p in result.problems] == [(1, "", rule)]
    assert message in result.problems[0].message
    assert "segret" not in str(result.problems[0])
    assert [narrative.id for narrative in result.narratives] == ["other"]


def test_all_problems_of_a_file_are_reported_at_once(path: Path) -> None:
    record = {**GOLD, "units": [unit(5, 28), unit(29, 66, "joy")], "lang": 1}
    twice = json.dumps(GOLD)[:-1] + ', "segreto": 1, "segreto": 2, "id": "n\\u001b2"}'
    path.write_text(f"{json.dumps(record)}\n\n{{\n{twice}\n")
    assert [str(problem) for problem in read_narratives(path).problems] == [
        f"{path}:1: n0001: [lang-type] 'lang' must be a string",
        f"{path}:1: n0001: [offset-past-end] units[1]: past the end of the text, 64",
        f"{path}:1: n0001: [valence] units[1]: 'valence' must be negative, neutral or positive",
        f"{path}:1: n0001: [uncovered-text] the text at 0-4 lies in no unit",
        f"{path}:3: -: [json] not JSON: Expecting property name enclosed in double quotes at "
        "offset 1 of the line",
        f"{path}:4: n\\x1b2: [duplicate-key] a field is given more than once",
        f"{path}:4: n\\x1b2: [duplicate-key] 'id' is given more than once",
    ]


def test_line_ends_byte_order_mark_and_odd_characters(path: Path) -> None:
    text = "a\u2028b\x85c\x00d\x1c\r\ne"
    record = {"id": "n", "text": text, "units": [unit(0, len(text))], "carriers": []}
    line = json.dumps(record, ensure_ascii=False).encode()
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n \r\n\n" + OTHER.rstrip())
    result = read_narratives(path)
    assert result.problems == []
    assert [narrative.id for narrative in result.narratives] == ["n", "other"]
    assert result.narratives[0].text == text


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("gold", [True, False])
def test_an_empty_file_is_a_problem(path: Path, content: bytes, gold: bool) -> None:
    (problem,) = found(path, content, gold=gold)
    assert str(problem) == f"{path}:0: -: [empty-file] there is no narrative"


def test_input_for_prediction_needs_only_text(path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "Piove."},
        {"id": 7, "text": "Piove.", "narrator": None, "units": "none", "mood": 1},
        {"id": "same", "lang": "en", "text": ""},
        {"id": "same", "text": "Piove."},
        {"id": "no text"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    result = read_narratives(path, gold=False)
    assert [(p.line, p.id, p.rule) for p in result.problems] == [(5, "no text", "text-missing")]
    assert [n.id for n in result.narratives] == ["line-1", "line-2", "same", "same"]
    # Every field comes back as it was.
    for narrative, row in zip(result.narratives, rows, strict=False):
        assert row.items() <= narrative_to_record(narrative).items()
    assert "units" not in narrative_to_record(result.narratives[0])


@settings(deadline=None)
@given(st.lists(narratives(), min_size=1, max_size=3, unique_by=lambda narrative: narrative.id))
def test_reading_what_was_written_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, written: list[Narrative]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.jsonl"
    write_narratives(path, written)
    result = read_narratives(path)
    assert [problem.rule for problem in result.problems] == []
    assert result.narratives == written
    # One line each also for a reader that takes U+2028 and its like for the end of a line.
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(written)
    content = path.read_bytes()
    write_narratives(path, result.narratives)
    assert path.read_bytes() == content


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*GOLD]), json_values | st.sampled_from([GOLD[key] for key in GOLD])
    )
    | st.binary()
)
def test_no_line_can_make_reading_fail(
    tmp_path_factory: pytest.TempPathFactory, line: dict[str, Any] | bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    content = line if isinstance(line, bytes) else json.dumps({**GOLD, **line}).encode()
    path.write_bytes(content + b"\n" + OTHER)
    for gold in (True, False):
        assert read_narratives(path, gold=gold).narratives[-1].id == "other"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    path: Path, error: type[BaseException]
) -> None:
    path.write_text("old")

    def some() -> Any:
        yield Narrative(id="a", text="")
        raise error

    with pytest.raises(error):
        write_narratives(path, some())
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == [path.name]


def test_a_compressed_file_holds_the_same_and_is_made_the_same(tmp_path: Path) -> None:
    found = [narrative(i) for i in range(3)]
    first, second, plain = (tmp_path / name for name in ("a.jsonl.gz", "b.jsonl.GZ", "c.jsonl"))
    for target in (first, second, plain):
        write_narratives(target, found)
    assert read_narratives(first).narratives == read_narratives(plain).narratives == found
    assert not read_narratives(first).problems
    assert first.read_bytes() == second.read_bytes()
    assert gzip.decompress(first.read_bytes()) == plain.read_bytes()


@pytest.mark.parametrize("part", ["no gzip", "cut", "altered"])
def test_a_damaged_compressed_file_is_a_problem(tmp_path: Path, part: str) -> None:
    path = tmp_path / "a.jsonl.gz"
    written = [narrative(i) for i in range(50)]
    write_narratives(path, written)
    content = path.read_bytes()
    damaged = {
        "no gzip": b"{}\n",
        "cut": content[: len(content) // 2],
        "altered": content[:-8] + bytes(4) + content[-4:],  # the checksum
    }
    path.write_bytes(damaged[part])
    result = read_narratives(path)
    assert [problem.rule for problem in result.problems] == ["gzip"]
    # The lines before the damage are kept.
    assert result.narratives == written[: len(result.narratives)]
