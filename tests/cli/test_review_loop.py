"""analyze, export, correct, import, agreement, validate: what docs/interchange.md tells."""

import json
from pathlib import Path

from helpers import Cli

from spacy_valence_ec.corpus.jsonl import read_narratives

RECORDS = [
    {"text": "Ieri ho preso il treno.\r\nPoi mi hanno tolto il gesso! 🎉", "mood": 3},
    {"id": "b", "text": "Ieri ha piovuto. Il treno era in ritardo.", "narrator": "s1"},
]


def test_the_review_loop(cli: Cli, tmp_path: Path, stand_in: Path) -> None:
    source, analyzed, tasks, corrected, back = (
        tmp_path / name
        for name in ("in.jsonl", "analyzed.jsonl", "tasks.json", "corrected.json", "back.jsonl")
    )
    source.write_text("\n".join(map(json.dumps, RECORDS)), encoding="utf-8")
    code, _, err = cli("analyze", source, "--model", stand_in, "--output", analyzed)
    assert code == 0, err
    assert cli("export", "label-studio", analyzed, tasks)[0] == 0

    found = json.loads(tasks.read_text("utf-8"))
    for task in found:
        (prediction,) = task["predictions"]
        results = prediction["result"]
        assert results[0]["value"]["labels"] == ["negative" if task == found[0] else "neutral"]
        # A person accepts the suggestion, but for the first unit of the first task.
        if task is found[0]:
            results[0]["value"]["labels"] = ["positive"]
        annotation = {"id": 1, "completed_by": 1, "result": results}
        task["annotations"] = [annotation]
    corrected.write_text(json.dumps(found), encoding="utf-8")

    code, _, err = cli("import", "label-studio", corrected, back, "--onto", analyzed)
    assert code == 0, err
    code, out, _ = cli("validate", back)
    assert (code, "2 valid narratives, 0 problems" in out) == (0, True)
    read = {narrative.id: narrative for narrative in read_narratives(back).narratives}
    assert read["line-1"].text == RECORDS[0]["text"]
    # What analyze computed of the units it found is gone: they are others now.
    assert read["line-1"].extra == {"mood": 3}
    assert read["b"].narrator == "s1"
    code, out, _ = cli("agreement", analyzed, back, "--json")
    assert code == 0
    figures = json.loads(out)["all"]
    assert figures["unit_f"] == 1.0
    assert figures["valence_kappa"] < 1.0
