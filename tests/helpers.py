"""Small pipelines and annotated texts that the tests of components share."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Adam, Model, Optimizer

from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.lexicon import N_FEATURES
from spacy_valence_ec.pipeline.units import preset_gold_units
from spacy_valence_ec.schema import EC_KEY, FU_KEY

ROOT = Path(__file__).parents[1]
WIDTH = 16

ENCODER = {
    "model": {
        "@architectures": "spacy.Tok2Vec.v2",
        "embed": {
            "@architectures": "spacy.MultiHashEmbed.v2",
            "width": WIDTH,
            "attrs": ["NORM", "SHAPE"],
            "rows": [300, 100],
            "include_static_vectors": False,
        },
        "encode": {
            "@architectures": "spacy.MaxoutWindowEncoder.v2",
            "width": WIDTH,
            "depth": 2,
            "window_size": 1,
            "maxout_pieces": 2,
        },
    }
}
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": WIDTH, "upstream": "tok2vec"}
REDUCER = {"@layers": "spacy.mean_max_reducer.v1", "hidden_size": 16}
COMBINE = {"@layers": "Maxout.v1", "nO": 16, "nP": 2, "normalize": True, "dropout": 0.0}
NGRAMS = {"@misc": "spacy.ngram_suggester.v1", "sizes": [1, 2, 3]}
CHUNKS = {"@misc": "spacy_valence_ec.chunk_suggester.v1"}

HEADS: dict[str, tuple[str, dict[str, Any]]] = {
    "fu_segmenter": (
        "fu_segmenter",
        {
            "model": {
                "@architectures": "spacy_valence_ec.FunctionalUnitSegmenter.v1",
                "tok2vec": LISTENER,
            }
        },
    ),
    "valence_classifier": (
        "valence_classifier",
        {
            "model": {
                "@architectures": "spacy_valence_ec.ValenceClassifier.v1",
                "tok2vec": LISTENER,
                "reducer": REDUCER,
                "context": {
                    "@architectures": "spacy.MaxoutWindowEncoder.v2",
                    "width": 16,
                    "depth": 1,
                    "window_size": 1,
                    "maxout_pieces": 2,
                },
            }
        },
    ),
    "ec_tagger": (
        "ec_tagger",
        {
            "model": {
                "@architectures": "spacy_valence_ec.CarrierTagger.v1",
                "tok2vec": LISTENER,
                "reducer": REDUCER,
                "combine": COMBINE,
            }
        },
    ),
}
for _name, _suggester in (("ec_ngrams", NGRAMS), ("ec_chunks", CHUNKS)):
    HEADS[_name] = (
        "ec_tagger",
        {
            "suggester": _suggester,
            "model": {
                "@architectures": "spacy_valence_ec.CarrierCandidateClassifier.v1",
                "tok2vec": LISTENER,
                "candidate_reducer": REDUCER,
                "unit_reducer": REDUCER,
                "combine": COMBINE,
            },
        },
    )

# The second of two steps, by what it reads.
CONDITION = {"@layers": "spacy_valence_ec.LabelEmbedding.v1", "init_scale": 0.5}
for _name, _second in (
    ("valence_on_carriers", "valence_classifier"),
    ("ec_on_valence", "ec_tagger"),
    ("ec_ngrams_on_valence", "ec_ngrams"),
):
    _factory, _config = HEADS[_second]
    HEADS[_name] = (_factory, {**_config, "model": {**_config["model"], "condition": CONDITION}})

HEADS["coupled_tagger"] = (
    "coupled_tagger",
    {
        "model": {
            "@architectures": "spacy_valence_ec.CoupledTagger.v1",
            "valence": HEADS["valence_classifier"][1]["model"],
            "carriers": HEADS["ec_tagger"][1]["model"],
        }
    },
)

# Runs the command line: exit code, standard output, standard error. The fixture `cli`.
Cli = Callable[..., tuple[int, str, str]]

# Text with the units of a narrative: between them white space, in each carriers by their text.
Annotated = tuple[str, list[tuple[str, str, list[str]]]]

NARRATIVES: list[Annotated] = [
    (
        "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!\nPoi ho preso l'autobus.",
        [
            ("Ieri sono andata dal medico.", "neutral", []),
            ("Finalmente mi hanno tolto il gesso!", "positive", ["mi hanno tolto il gesso"]),
            ("Poi ho preso l'autobus.", "neutral", []),
        ],
    ),
    (
        "non ho dormito\nil capo mi ha umiliato davanti a tutti\n\nho mangiato una mela",
        [
            ("non ho dormito", "negative", ["non ho dormito"]),
            ("il capo mi ha umiliato davanti a tutti", "negative", ["il capo", "umiliato"]),
            ("ho mangiato una mela", "neutral", []),
        ],
    ),
    (
        "Mia figlia ha riso tanto, che gioia 🎉 la sera ero stanca ma felice",
        [
            ("Mia figlia ha riso tanto,", "positive", ["Mia figlia", "ha riso"]),
            ("che gioia 🎉", "positive", ["gioia"]),
            ("la sera ero stanca", "negative", ["ero stanca"]),
            ("ma felice", "positive", ["felice"]),
        ],
    ),
    ("", []),
    (" \n\n ", []),
    ("boh", [("boh", "neutral", [])]),
]

# Every kind of text that a person may paste.
HOSTILE_TEXTS = [
    "",
    " \t\n  ",
    "ciao",
    "🎉",
    "Che 🇮🇹 bella 👩‍👩‍👧 giornata 👍🏽!",
    "perche\u0301 no\u0303\u0301\u0323 e\u0300",
    "zero\u200bwidth \u200d \ufeff \u2060 fine",
    "שלום עולם, ieri مرحبا \u202eotlom\u202c bene",
    "a\x00b \x00 \x07\x1b[31m \x7f \x85 fine",
    "riga uno\r\nriga due\r\n\r\nriga tre",
    "Ieri sono andata dal medico. Finalmente mi hanno tolto il gesso!",
    "  spazi   davanti e dietro  ",
    " ".join(["ieri", "sono", "stanca", "ma", "il", "capo", "che"] * 429)[:-1],
]


def annotate(nlp: Language, narrative: Annotated, *, tokens: Doc | None = None) -> Doc:
    """A gold Doc of `narrative`."""
    text, units = narrative
    doc = nlp.make_doc(text) if tokens is None else tokens
    fu, ec, start = [], [], 0
    for unit, valence, carriers in units:
        start = text.index(unit, start)
        span = doc.char_span(start, start + len(unit), label=valence)
        assert span is not None, unit
        fu.append(span)
        inside = start
        for carrier in carriers:
            inside = text.index(carrier, inside)
            span = doc.char_span(inside, inside + len(carrier), label="EC")
            assert span is not None, carrier
            ec.append(span)
        start += len(unit)
    doc.spans[FU_KEY] = fu
    doc.spans[EC_KEY] = ec
    return doc


def examples_of(
    nlp: Language, narratives: Iterable[Annotated] = NARRATIVES, *, gold_units: bool = True
) -> list[Example]:
    """Examples, with the gold units on the predicted Doc or without."""
    found = []
    for narrative in narratives:
        example = Example(nlp.make_doc(narrative[0]), annotate(nlp, narrative))
        if gold_units:
            preset_gold_units(example.predicted, example)
        found.append(example)
    return found


def unannotated(nlp: Language, text: str, units: Sequence[tuple[int, int]] = ()) -> Example:
    """An example whose reference holds nothing; the predicted Doc has `units`."""
    example = Example(nlp.make_doc(text), nlp.make_doc(text))
    example.predicted.spans[FU_KEY] = [Span(example.predicted, *unit) for unit in units]
    return example


def make_nlp(*heads: str, **settings: Any) -> Language:
    """An encoder and heads, names of `HEADS`; `settings` go to the last one."""
    nlp = spacy.blank("it")
    nlp.add_pipe("tok2vec", config=ENCODER)
    for head in heads:
        factory, config = HEADS[head]
        extra = settings if head == heads[-1] else {}
        nlp.add_pipe(factory, name=head, config={**config, **extra})
    return nlp


def initialized(nlp: Language, *, seed: int = 0, scale: float = 0.3) -> Language:
    """`nlp` initialized and with random weights: output layers start at zero, and would hide
    what their gradients do."""
    nlp.initialize(lambda: examples_of(nlp))
    rng = np.random.default_rng(seed)
    for _, component in nlp.pipeline:
        if not isinstance(component, TrainablePipe):
            continue
        for node, name in parameters(component.model):
            shape = node.get_param(name).shape
            node.set_param(name, rng.normal(0.0, scale, shape).astype("float32"))
    return nlp


def train(
    nlp: Language, examples: Sequence[Example], *, below: float, most: int = 150, rate: float = 0.01
) -> dict[str, float]:
    """Train until the loss of every head is below `below`: the losses of the last step."""
    optimizer: Optimizer = nlp.initialize(lambda: examples)
    optimizer = Adam(rate)
    losses: dict[str, float] = {}
    for _ in range(most):
        losses = {}
        step(nlp, examples, optimizer, losses)
        losses.pop("tok2vec")
        if max(losses.values()) < below:
            break
    return losses


def step(
    nlp: Language, examples: Sequence[Example], optimizer: Optimizer, losses: dict[str, float]
) -> None:
    """One step as `spacy train` makes it: gradients first, then every component's weights."""
    nlp.update(examples, sgd=False, losses=losses)
    for _, component in nlp.pipeline:
        if isinstance(component, TrainablePipe):
            component.finish_update(optimizer)
    optimizer.step_schedules()


def parameters(model: Model) -> Iterator[tuple[Model, str]]:
    for node in model.walk():
        for name in node.param_names:
            yield node, name


def gradients(model: Model) -> list[np.ndarray]:
    """A copy of the gradient of each parameter, zeros where none was ever added."""
    return [
        np.array(node.get_grad(name))
        if node.has_grad(name)
        else np.zeros_like(node.get_param(name))
        for node, name in parameters(model)
    ]


def clear_gradients(model: Model) -> None:
    for node, name in parameters(model):
        if node.has_grad(name):
            node.set_grad(name, np.zeros_like(node.get_param(name)))


def slope(f: Callable[[float], float], eps: float = 1e-3) -> float:
    """The derivative of f at 0, by a central difference."""
    return (f(eps) - f(-eps)) / (2 * eps)


def annotation(doc: Doc) -> dict[str, list[tuple[int, int, str]]]:
    """Offsets and labels of every span group."""
    return {
        key: [(span.start, span.end, span.label_) for span in group]
        for key, group in doc.spans.items()
    }


# Two computations of one float32 number: with other threads, another batch or after loading, the
# matrix products of a network run in another order or with another kernel, and each of some
# hundred steps rounds at 6e-8. Labels and offsets are compared exactly.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


def assert_same_numbers(first: Any, second: Any) -> None:
    """Equal up to `TOLERANCE`."""
    np.testing.assert_allclose(first, second, **TOLERANCE)


def assert_same_annotation(first: Doc, second: Doc, *, exact: bool = False) -> None:
    """Same spans and labels, and the numbers of every group equal up to `TOLERANCE`, or, with
    `exact`, where they are copied and not computed again, equal."""
    assert first.text == second.text
    assert annotation(first) == annotation(second)
    for key, group in first.spans.items():
        other = second.spans[key].attrs
        assert set(group.attrs) == set(other)
        for name, value in group.attrs.items():
            if isinstance(value, np.ndarray):
                assert value.dtype == other[name].dtype
                if exact:
                    np.testing.assert_array_equal(value, other[name])
                else:
                    assert_same_numbers(value, other[name])
            else:
                assert list(value) == list(other[name])


def without_base(config: Any) -> Any:
    """A composed config without all that needs the embedded base: its vectors, weights, tagger."""
    for names in (
        config["nlp"]["pipeline"],
        config["training"]["frozen_components"],
        config["training"]["annotating_components"],
    ):
        if "morphologizer" in names:
            names.remove("morphologizer")
    config["components"].pop("morphologizer", None)
    config["initialize"].get("components", {}).pop("morphologizer", None)
    config["initialize"].update(before_init=None, after_init=None)
    return config


def shrunk_config(base: Path | None = None, setting: str = "joint", **options: Any) -> Any:
    """The composed config of a setting on the `small` backbone, made tiny.

    base: folder of a small base (`small_base`); None for a pipeline that needs none.
    """
    config = compose_config(setting, "small", configs=ROOT / "configs", **options)
    config["backbone"].update(width=WIDTH + N_FEATURES, encoder_width=WIDTH)
    components = config["components"]
    encoder = components.get("tok2vec_second", components["tok2vec"])["model"]["tok2vec"]
    encoder["embed"].update(attrs=["NORM", "SHAPE"], rows=[300, 100])
    encoder["encode"]["encode"]["depth"] = 1
    # A single task on carriers has none, and a second step takes that of the first.
    coupled = components.get("coupled_tagger", {}).get("model", {})
    valence = components.get("valence_classifier", {}).get("model", coupled.get("valence"))
    if valence is not None:
        valence["wide"]["length"] = 1024
    if base is None:
        encoder["embed"]["include_static_vectors"] = False
        return without_base(config)
    config["paths"]["base"] = str(base)
    tagger = config["components"].get("morphologizer", {}).get("model")
    if tagger is not None:
        tagger["tok2vec"]["embed"].update(width=8, attrs=["NORM", "SHAPE"], rows=[100, 50])
        tagger["tok2vec"]["encode"]["encode"].update(width=8, depth=1)
    return config
