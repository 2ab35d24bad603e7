"""Public corpora, by hand-made samples in the layout of each."""

import json
from pathlib import Path

import pytest
from helpers import Cli

from spacy_valence_ec.corpus.jsonl import read_narratives
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.experiments.converters import CONVERTERS, LEFT_OUT
from spacy_valence_ec.experiments.parts import parts_of
from spacy_valence_ec.schema import Narrative

SECRET = "segretissimo"


def write(path: Path, content: str | list | dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")


def turn(number: int, text: str, emotion: str, *causes: tuple[object, str]) -> dict:
    found = {"turn": number, "speaker": "A", "utterance": text, "emotion": emotion}
    if causes:
        found["expanded emotion cause evidence"] = [at for at, _ in causes]
        found["expanded emotion cause span"] = [span for _, span in causes]
    return found


DIALOGUE = [
    turn(1, f"How was it ? {SECRET}", "neutral"),
    turn(
        2,
        " I got the  job ! Great !",
        "happiness",
        (1, "How was it ?"),  # of another turn
        ("b", "in the background"),
        (2, "i got the job !"),
        (2, "the job"),  # overlaps
        (2, "a raise"),  # not there
    ),
    turn(3, "I lost mine .", "sadness", (3, "lost mine .")),
]


def reccon(folder: Path) -> None:
    part = folder / "data" / "original_annotation"
    write(part / "dailydialog_train.json", {"tr_1": [DIALOGUE], "tr_2": [[turn(1, "Hm", "fear")]]})
    write(part / "dailydialog_valid.json", {"va_1": [[turn(1, "Oh !", "surprise")]]})
    write(part / "dailydialog_test.json", {"te_1": [DIALOGUE]})


def ecf(folder: Path) -> None:
    def scene(number: int) -> dict:
        texts = [(1, f"Hi . {SECRET}", "neutral"), (2, "You ate my cake !", "anger")]
        return {
            "conversation_ID": number,
            "conversation": [
                {"utterance_ID": i, "text": text, "speaker": "R", "emotion": emotion}
                for i, text, emotion in texts
            ],
            "emotion-cause_pairs": [["2_anger", "2_You ate my cake"], ["2_anger", "1_Hi ."]],
        }

    write(folder / "data" / "Subtask_1_train.json", [scene(n) for n in range(1, 30)])
    write(folder / "data" / "Subtask_1_test.json", [scene(99)])


def emoita(folder: Path) -> None:
    rows = [f"d{i}_{n}_{n + 9},{SECRET} frase {i},{v},3,3" for i in range(20) for n, v in RATINGS]
    write(folder / "corpus" / "EmoITA.csv", "\n".join(["id,text,V,A,D", *rows]))


RATINGS = ((10, "3.5"), (20, "3.9"), (30, "3.91"), (40, "3.09"), (50, "1.17"))


def xed(folder: Path) -> None:
    films = "\n".join(f"a\tfilm{i}\tb\tc\td\tbattuta {i}" for i in range(20))
    write(folder / "subtitle-retrieval" / "students" / "pairs-it.txt", films)
    rows = [f"battuta {i}\t{1 + i % 8}" for i in range(20)]
    rows += [
        "gioia e rabbia\t1, 5",
        "attesa e rabbia\t2, 1",
        f"{SECRET} altrove\t5",
        "battuta 1\t8",
    ]
    write(folder / "Projections" / "it-projections.tsv", "\n".join(rows))


SAMPLES = {"reccon": reccon, "ecf": ecf, "emoita": emoita, "xed": xed}


def spans(narrative: Narrative) -> list[str]:
    return [narrative.text[carrier.start : carrier.end] for carrier in narrative.carriers]


@pytest.mark.parametrize("name", CONVERTERS)
def test_the_command_writes_valid_narratives_in_parts(cli: Cli, tmp_path: Path, name: str) -> None:
    SAMPLES[name](tmp_path / "in")
    output = tmp_path / "out.jsonl"
    code, out, err = cli("import", name, tmp_path / "in", output)
    assert (code, err) == (0, "")
    assert "Proxy: " in out
    assert SECRET not in out
    result = read_narratives(output)
    assert result.problems == []
    assert {narrative.lang for narrative in result.narratives} == {CONVERTERS[name].lang}
    parts_of(result.narratives)  # no document, text or id is held out and trained on


def test_reccon(tmp_path: Path) -> None:
    reccon(tmp_path)
    by_id = {n.id: n for n in CONVERTERS["reccon"].narratives(tmp_path)}
    # The dialogue that is in two parts is kept in test.
    assert {n.id: n.extra["split"] for n in by_id.values()} == {
        "reccon-te_1": "test",
        "reccon-va_1": "dev",
        "reccon-tr_2": "train",
    }
    found = by_id["reccon-te_1"]
    assert [unit.valence for unit in found.units] == ["neutral", "positive", "negative"]
    assert spans(found) == ["I got the job", "lost mine"]
    assert found.extra[LEFT_OUT] == 2
    assert by_id["reccon-va_1"].units[0].valence == "neutral"


def test_ecf(tmp_path: Path) -> None:
    ecf(tmp_path)
    found = CONVERTERS["ecf"].narratives(tmp_path)
    assert spans(found[0]) == ["You ate my cake"]
    assert {n.extra["split"] for n in found[:-1]} == {"train", "dev"}
    assert (found[-1].id, found[-1].extra["split"]) == ("ecf-99", "test")


def test_emoita(tmp_path: Path) -> None:
    emoita(tmp_path)
    found = CONVERTERS["emoita"].narratives(tmp_path)
    assert len(found) == 20  # a document each
    expected = ["neutral", "neutral", "positive", "negative", "negative"]
    assert all([unit.valence for unit in n.units] == expected for n in found)


def test_xed(tmp_path: Path) -> None:
    xed(tmp_path)
    found = {n.id: n for n in CONVERTERS["xed"].narratives(tmp_path)}
    polarity = ["negative", "neutral", "negative", "negative", "positive", "negative", "neutral"]
    assert [found[f"xed-film{i}"].units[0].valence for i in range(7)] == polarity
    texts = [n.text for n in found.values()]
    assert "gioia e rabbia" not in texts
    assert found["xed-line-22"].units[0].valence == "negative"
    assert found["xed-line-23"].units[0].valence == "positive"
    assert texts.count("battuta 1") == 1


RECCON_TEST = "data/original_annotation/dailydialog_test.json"
BROKEN = [
    ("reccon", RECCON_TEST, "{"),
    ("reccon", RECCON_TEST, f'["{SECRET}"]'),
    ("reccon", RECCON_TEST, f'{{"x": [[{{"turn": "{SECRET}"}}]]}}'),
    ("ecf", "data/Subtask_1_train.json", '[{"conversation_ID": 1}]'),
    ("ecf", "data/Subtask_1_train.json", "[1]"),
    ("emoita", "corpus/EmoITA.csv", f"id,text,V\nx_1_2,{SECRET},molto"),
    ("emoita", "corpus/EmoITA.csv", f"id,text\nx_1_2,{SECRET}"),
    ("xed", "Projections/it-projections.tsv", f"{SECRET}\t9"),
    ("xed", "Projections/it-projections.tsv", f"{SECRET}\n{SECRET}"),
]


@pytest.mark.parametrize(("name", "file", "content"), BROKEN)
def test_another_layout_is_an_error_without_text(
    tmp_path: Path, name: str, file: str, content: str
) -> None:
    SAMPLES[name](tmp_path)
    write(tmp_path / file, content)
    with pytest.raises(ValenceECError, match="E012") as caught:
        CONVERTERS[name].narratives(tmp_path)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", CONVERTERS)
def test_a_folder_without_the_corpus_is_an_error(cli: Cli, tmp_path: Path, name: str) -> None:
    code, _, err = cli("import", name, tmp_path, tmp_path / "out.jsonl")
    assert code == 1
    assert "E013" in err
    assert cli("import", "another", tmp_path, tmp_path / "out.jsonl")[0] == 2
