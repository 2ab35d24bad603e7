"""Treebanks as Docs: words and parts of speech, and nothing else."""

from pathlib import Path

import pytest

from spacy_valence_ec.base.treebank import read_treebank
from spacy_valence_ec.errors import ValenceECError

TREES = """\
# sent_id = 1
# text = L'amica della Rosa, dammelo!
1\tL'\til\tDET\tRD\tDefinite=Def\t2\tdet\t_\tSpaceAfter=No
2\tamica\tamica\tNOUN\tS\tGender=Fem\t0\troot\t_\t_
3-4\tdella\t_\t_\t_\t_\t_\t_\t_\t_
3\tdi\tdi\tADP\tE\t_\t5\tcase\t_\t_
4\tla\til\tDET\tRD\t_\t5\tdet\t_\t_
5\tRosa\tRosa\tPROPN\tSP\t_\t2\tnmod\t_\tSpaceAfter=No
6\t,\t,\tPUNCT\tFF\t_\t2\tpunct\t_\t_
7-9\tdammelo\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
7\tda\tdare\tVERB\tV\t_\t2\tparataxis\t_\t_
8\tme\tmi\tPRON\tPC\t_\t7\tiobj\t_\t_
9\tlo\tlo\tPRON\tPC\t_\t7\tobj\t_\t_
10\t!\t!\tPUNCT\tFS\t_\t2\tpunct\t_\t_

# sent_id = 2
# text = boh 😭
1\tboh\tboh\tINTJ\tI\t_\t0\troot\t_\t_
2\t😭\t😭\tSYM\tSYM\t_\t1\tdiscourse\t_\t_

"""


def test_words_written_as_one_are_one_token(tmp_path: Path) -> None:
    (tmp_path / "it_x-ud-train.conllu").write_text(TREES, encoding="utf-8")
    (tmp_path / "it_y-ud-train.conllu").write_text(TREES.split("\n\n")[1] + "\n", encoding="utf-8")
    (tmp_path / "it_x-ud-dev.conllu").write_text(TREES.split("\n\n")[0] + "\n", encoding="utf-8")
    first, second, third = read_treebank(tmp_path, "train")
    assert first.text.strip() == "L'amica della Rosa, dammelo!"
    tags = {token.text: token.pos_ for token in first}
    assert tags == {
        "L'": "DET",
        "amica": "NOUN",
        "della": "ADP",
        "Rosa": "PROPN",
        ",": "PUNCT",
        "dammelo": "VERB",
        "!": "PUNCT",
    }
    assert [(token.text, token.pos_) for token in second] == [("boh", "INTJ"), ("😭", "SYM")]
    assert [token.text for token in third] == ["boh", "😭"]
    for doc in (first, second):
        assert not doc.has_annotation("DEP")
        assert not doc.has_annotation("TAG")
        assert not any(token.morph for token in doc)
    assert len(read_treebank(tmp_path, "dev")) == 1


def test_a_part_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "it_x-ud-train.conllu").write_text(TREES, encoding="utf-8")
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValenceECError, match=r"\[B001\].*'test'"):
            read_treebank(folder, "test")
