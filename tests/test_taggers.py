"""Parts of speech from another pipeline than the base: `valence-ec compose --tagger`."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy
from helpers import ENCODER, LISTENER, ROOT, Cli, examples_of, shrunk_config
from small_base import SmallBase
from spacy import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.util import load_config
from thinc.api import Adam

from spacy_valence_ec.configs import compose_config, installed_tagger
from spacy_valence_ec.corpus.reader import Corpus
from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.schema import EC_CANDIDATES_KEY

CONFIGS = ROOT / "configs"
NAME = "it_core_news_sm"
TEXT = "domenica mamma cucina lenticchie"
HEADS = ["fu_segmenter", "valence_classifier", "ec_tagger"]


def parser_nlp(*, vectors: bool = False) -> Language:
    """A tagger and a parser that listen to one encoder, and know one sentence: its first two
    nouns are two phrases, which parts of speech alone do not tell."""
    nlp = spacy.blank("it")
    encoder = json.loads(json.dumps(ENCODER))
    encoder["model"]["embed"]["include_static_vectors"] = vectors
    nlp.add_pipe("tok2vec", config=encoder)
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": LISTENER}
    nlp.add_pipe("morphologizer", config={"model": tagger})
    parser = {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "parser",
        "extra_state_tokens": False,
        "hidden_width": 16,
        "maxout_pieces": 2,
        "use_upper": True,
        "tok2vec": LISTENER,
    }
    nlp.add_pipe("parser", config={"model": parser, "min_action_freq": 1})
    return nlp


def tree(nlp: Language) -> Doc:
    return Doc(
        nlp.vocab,
        words=TEXT.split(),
        pos=["NOUN", "NOUN", "VERB", "NOUN"],
        heads=[2, 2, 2, 2],
        deps=["obl", "nsubj", "ROOT", "obj"],
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that holds the pipeline, as pip would leave it."""
    folder = tmp_path_factory.mktemp("site")
    nlp = parser_nlp()
    examples = [Example(nlp.make_doc(TEXT), tree(nlp))]
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.02)
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    nlp.meta.update(name="core_news_sm", version="3.8.0")
    package = folder / NAME
    package.mkdir()
    nlp.to_disk(package / f"{NAME}-3.8.0")
    (package / "meta.json").write_bytes((package / f"{NAME}-3.8.0" / "meta.json").read_bytes())
    (package / "__init__.py").write_text(
        "from pathlib import Path\n"
        "from spacy.util import load_model_from_init_py\n\n"
        "def load(**overrides):\n"
        "    return load_model_from_init_py(Path(__file__), **overrides)\n"
    )
    info = folder / f"{NAME}-3.8.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 3.8.0\n")
    return folder


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    importlib.invalidate_caches()
    yield site
    sys.modules.pop(NAME, None)


@pytest.mark.parametrize(
    "options",
    [
        ("single-valence", "--tagger", "nonsense"),
        ("joint", "--seed", -1),
        ("joint", "--seed", 2**32),
        ("joint", "--max-epochs", -2),
    ],
)
def test_what_cannot_be_composed_is_wrong_usage(
    options: tuple[object, ...], cli: Cli, tmp_path: Path
) -> None:
    setting, name, value = options
    path = tmp_path / "new" / "some.cfg"
    code, out, err = cli("compose", setting, path, "--configs", CONFIGS, name, value)
    assert (code, out) == (2, "")
    assert ("C008" if name == "--tagger" else f"'{name}'") in err
    assert not path.parent.exists()


def test_no_tagger_is_named_where_there_is_none(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "some.cfg"
    for tagger in ("auto", "embedded"):
        options = (path, "--configs", CONFIGS, "--tagger", tagger)
        assert cli("compose", "single-valence", *options) == (
            0,
            f"single-valence on embedded: {path}\n",
            "",
        )


def test_an_installed_pipeline_is_found(
    site: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def composed(*options: object) -> tuple[Any, str]:
        path = tmp_path / "joint.cfg"
        code, out, err = cli("compose", "joint", path, "--configs", CONFIGS, *options)
        assert (code, err) == (0, "")
        return load_config(path), out

    if installed_tagger() == "embedded":  # unless this environment has the real one
        config, out = composed()
        assert "tagger embedded" in out
        assert config["components"]["morphologizer"]["factory"] == "morphologizer"
    monkeypatch.syspath_prepend(site)
    assert installed_tagger() == NAME
    config, out = composed()
    assert f"tagger {NAME}" in out
    assert config == composed("--tagger", "auto")[0]
    taken = ["morphologizer", "parser"]
    assert config["nlp"]["pipeline"] == ["tok2vec", *HEADS, *taken, "ec_candidates"]
    assert config["training"]["frozen_components"] == taken
    for name in taken:
        assert config["components"][name] == {
            "source": NAME,
            "replace_listeners": ["model.tok2vec"],
        }
    assert config["initialize"]["after_init"]["components"] == ["tok2vec", *HEADS]
    assert "source" not in composed("--tagger", "embedded")[0]["components"]["morphologizer"]


# spaCy warns of every sourced component whose table is another one, whether it reads it or not.
@pytest.mark.filterwarnings("ignore:.*W113:UserWarning")
@pytest.mark.usefixtures("installed")
def test_candidates_come_from_its_noun_chunks(small_base: SmallBase, tmp_path: Path) -> None:
    nlp = spacy.blank("it")
    path = tmp_path / "corpus.spacy"
    DocBin(docs=[example.reference for example in examples_of(nlp)]).to_disk(path)
    config = shrunk_config(small_base.folder, tagger=NAME)
    config["paths"].update(train=str(path), dev=str(path))
    nlp = init_nlp(config)
    # Each with an encoder of its own: the shared one is asked by our heads alone.
    encoder: Any = nlp.get_pipe("tok2vec")
    assert encoder.listening_components == HEADS
    frozen = ("morphologizer", "parser")
    before = [nlp.get_pipe(name).to_bytes(exclude=["vocab"]) for name in frozen]
    examples = list(Corpus(path, gold_units=True)(nlp))
    nlp.update(examples, sgd=Adam(0.01), exclude=list(frozen))
    assert [nlp.get_pipe(name).to_bytes(exclude=["vocab"]) for name in frozen] == before
    nlp.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    for pipeline in (nlp, loaded):
        pipeline.get_pipe("fu_segmenter").threshold = 1.1  # one unit
        doc = pipeline(TEXT)
        assert [token.pos_ for token in doc] == [token.pos_ for token in tree(nlp)]
        assert [chunk.text for chunk in doc.noun_chunks] == ["domenica", "mamma", "lenticchie"]
        assert [span.text for span in doc.spans[EC_CANDIDATES_KEY]] == TEXT.split()
        with pipeline.select_pipes(disable=["parser"]):
            doc = pipeline(TEXT)
        tagged = [span.text for span in doc.spans[EC_CANDIDATES_KEY]]
        assert tagged == ["domenica mamma", "cucina", "lenticchie"]


def test_a_folder_is_taken_from_wherever_it_is_composed(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site / NAME)
    config = compose_config("joint", "embedded", configs=CONFIGS, tagger=f"{NAME}-3.8.0")
    assert config["components"]["parser"]["source"] == str(site / NAME / f"{NAME}-3.8.0")


def test_a_tagger_alone_leaves_no_parser(site: Path, tmp_path: Path) -> None:
    nlp = spacy.load(site / NAME / f"{NAME}-3.8.0", exclude=["parser"])
    nlp.to_disk(tmp_path / "tagger")
    config = compose_config("joint", "cnn", configs=CONFIGS, tagger=str(tmp_path / "tagger"))
    assert "parser" not in config["nlp"]["pipeline"]
    assert "parser" not in config["components"]
    assert config["training"]["frozen_components"] == ["morphologizer"]
    assert config["initialize"]["after_init"]["components"] == []


@pytest.mark.parametrize("kind", ["missing", "empty", "no folder", "broken", "untagged", "name"])
def test_an_unknown_tagger_is_refused(tmp_path: Path, cli: Cli, kind: str) -> None:
    folder = tmp_path / "tagger"
    folder.mkdir()
    name = {"missing": str(tmp_path / "none"), "name": "it_no_such_pipeline", "empty": ""}.get(
        kind, str(folder)
    )
    if kind == "broken":
        (folder / "config.cfg").write_text("[nlp\npipeline = ", encoding="utf-8")
    elif kind == "untagged":
        spacy.blank("it").to_disk(folder)
    output = tmp_path / "joint.cfg"
    code, out, err = cli("compose", "joint", output, "--configs", CONFIGS, "--tagger", name)
    assert (code, out) == (1, "")
    assert f"[C005] '{name}' is no pipeline with a 'morphologizer'" in err
    assert not output.exists()


def test_a_tagger_that_reads_vectors_of_its_own_is_refused(tmp_path: Path) -> None:
    """As the larger Italian pipelines do: the table of the base would be laid under it."""
    parser_nlp(vectors=True).config.to_disk(tmp_path / "config.cfg")
    with pytest.raises(ValenceECError, match=r"\[C006\].*it_core_news_sm"):
        compose_config("joint", "embedded", configs=CONFIGS, tagger=str(tmp_path))
