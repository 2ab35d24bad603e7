"""The heads of the default backbone and what could stand in their place, on the dev split.

    python benchmarks/heads.py --output docs/heads.json [--seeds 3] [--only NAME ...]

The encoder of the base stays as it is: its token vectors are made once, and each variant trains
heads with random weights on them, by spaCy's own loop on data/train.spacy, evaluated on
data/dev.jsonl. So the variants differ in the heads alone, and a run takes a minute. The encoder has
learned together with the heads of the first line, which is a handicap of all others. Variants that
leave the networks as they are begin from the heads of the base. Prints a table.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from spacy import registry
from spacy.tokens import Doc
from spacy.training.initialize import init_nlp
from thinc.api import ArgsKwargs, Config, Model, PyTorchWrapper, torch2xp, xp2torch
from thinc.types import Floats2d
from torch.nn.utils.rnn import pad_sequence
from variants import CONFIGS, Overrides, completed, run_variants

from spacy_valence_ec.configs import compose_config
from spacy_valence_ec.corpus.docs import read_docs

SEGMENTER = "components.fu_segmenter.model"
VALENCE = "components.valence_classifier.model"
CARRIERS = "components.ec_tagger"
WINDOW = {
    "@architectures": "spacy.MaxoutWindowEncoder.v2",
    "width": 384,
    "window_size": 1,
    "maxout_pieces": 3,
    "depth": 1,
}
REDUCERS = {"mean": "reduce_mean.v1", "maximum": "reduce_max.v1", "first token": "reduce_first.v1"}
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 384, "upstream": "tok2vec"}


def reducer(width: int) -> dict[str, Any]:
    return {"@layers": "spacy.mean_max_reducer.v1", "hidden_size": width}


BASE_HEADS = {
    "initialize.after_init.components": [
        "fu_segmenter",
        "valence_classifier",
        "ec_tagger",
        "morphologizer",
    ]
}
# Of the weights that "balanced" gives the training part.
SQUARE_ROOTS = {"negative": 1.22, "neutral": 0.74, "positive": 1.38}
CANDIDATES = {
    "factory": "ec_tagger",
    "class_weights": {"EC": 2.5},
    "suggester": {"@misc": "spacy_valence_ec.chunk_suggester.v1"},
    "model": {
        "@architectures": "spacy_valence_ec.CarrierCandidateClassifier.v1",
        "tok2vec": LISTENER,
        "candidate_reducer": reducer(64),
        "unit_reducer": reducer(64),
        "combine": {
            "@layers": "Maxout.v1",
            "nO": 128,
            "nP": 2,
            "normalize": True,
            "dropout": 0.0,
        },
    },
}

# Name: setting, and what is changed in the composed config.
VARIANTS: dict[str, tuple[str, Overrides]] = {
    "the default heads": ("joint", {}),
    "segmenter: a context layer of its own": ("joint", {f"{SEGMENTER}.encode": WINDOW}),
    "valence: no context of units": ("joint", {f"{VALENCE}.context": None}),
    "valence: attention over units": (
        "joint",
        {f"{VALENCE}.context": {"@architectures": "heads.UnitAttention.v1", "width": 128}},
    ),
    **{
        f"valence: {name} of the tokens": (
            "joint",
            {f"{VALENCE}.reducer": {"@layers": layer}, f"{VALENCE}.context.width": 384},
        )
        for name, layer in REDUCERS.items()
    },
    "valence: attention pooling": (
        "joint",
        {
            f"{VALENCE}.reducer": {
                "@layers": "spacy_valence_ec.AttentionReducer.v1",
                "hidden_size": 128,
            }
        },
    ),
    "valence: no linear part": ("joint", {f"{VALENCE}.wide": None}),
    "valence: linear part without lexicon": ("joint", {f"{VALENCE}.wide.features": None}),
    "carriers: candidates": ("joint", {CARRIERS: CANDIDATES}),
    "valence and carriers coupled": ("joint-coupled", {}),
    # What leaves the networks as they are can begin from the heads of the base.
    "from the heads of the base": ("joint", BASE_HEADS),
    **{
        f"... valence: {name}": (
            "joint",
            {**BASE_HEADS, "components.valence_classifier.class_weights": weights},
        )
        for name, weights in {
            "no class weights": None,
            "square roots of the class weights": SQUARE_ROOTS,
        }.items()
    },
    "... carriers: no class weights": (
        "joint",
        {**BASE_HEADS, f"{CARRIERS}.class_weights": None},
    ),
    **{
        f"... carriers: threshold {threshold}": (
            "joint",
            {**BASE_HEADS, f"{CARRIERS}.threshold": threshold},
        )
        for threshold in (0.4, 0.6)
    },
    **{
        f"... units: threshold {threshold}": (
            "joint",
            {**BASE_HEADS, "components.fu_segmenter.threshold": threshold},
        )
        for threshold in (0.4, 0.6)
    },
}

# Token vectors by the text of the Doc.
vectors_of: dict[str, Floats2d] = {}


@registry.architectures("heads.Vectors.v1")
def Vectors(width: int) -> Model[list[Doc], list[Floats2d]]:
    """The vectors of `vectors_of`, which learn nothing."""

    def forward(model: Model, docs: list[Doc], is_train: bool) -> tuple[list[Floats2d], Callable]:
        return [vectors_of[doc.text] for doc in docs], lambda gradients: []

    return Model("vectors", forward, dims={"nO": width})


@registry.architectures("heads.UnitAttention.v1")
def UnitAttention(width: int, n_heads: int = 4) -> Model[list[Floats2d], list[Floats2d]]:
    """A layer of a transformer over the units of a narrative."""
    layer = torch.nn.TransformerEncoderLayer(width, n_heads, width * 2, batch_first=True)

    def to_torch(model: Model, arrays: list[Floats2d], is_train: bool) -> tuple[Any, Callable]:
        tensors = [xp2torch(array, requires_grad=is_train) for array in arrays]
        lengths = torch.tensor([len(tensor) for tensor in tensors])
        padded = pad_sequence(tensors, batch_first=True)
        if is_train:
            padded.retain_grad()  # the shim reads it
        mask = torch.arange(padded.shape[1])[None] >= lengths[:, None]
        inputs = ArgsKwargs(args=(padded,), kwargs={"src_key_padding_mask": mask})

        def backprop(_: Any) -> list[Floats2d]:
            return [torch2xp(tensor.grad) for tensor in tensors]

        return inputs, backprop

    def from_torch(model: Model, pair: Any, is_train: bool) -> tuple[list[Floats2d], Callable]:
        arrays, output = pair
        found = [torch2xp(row[: len(array)]) for row, array in zip(output, arrays, strict=True)]

        def backprop(gradients: list[Floats2d]) -> ArgsKwargs:
            padded = torch.zeros_like(output)
            for row, gradient in zip(padded, gradients, strict=True):
                row[: len(gradient)] = xp2torch(gradient)
            return ArgsKwargs(args=((output,),), kwargs={"grad_tensors": (padded,)})

        return found, backprop

    model: Model = PyTorchWrapper(layer, convert_inputs=to_torch, convert_outputs=from_torch)
    model.set_dim("nO", width)
    return model


def composed(setting: str, overrides: Overrides, seed: int, corpus: Path) -> Config:
    config = compose_config(setting, "embedded", configs=CONFIGS, seed=seed)
    config["components"]["tok2vec"]["model"] = {"@architectures": "heads.Vectors.v1", "width": 384}
    config["corpora"]["train"]["augmenter"] = None
    config["initialize"]["after_init"]["components"] = ["morphologizer"]
    config["training"].update(max_steps=400, eval_frequency=50, patience=0)
    return completed(config, corpus, overrides)


def make_vectors(corpus: Path) -> None:
    """Fill `vectors_of` with the token vectors of all Docs of train and dev, by the encoder of the
    base."""
    config = compose_config("joint", "embedded", configs=CONFIGS)
    nlp = init_nlp(completed(config, corpus, {}))
    encoder: Any = nlp.get_pipe("tok2vec")
    for part in ("train", "dev"):
        for doc in read_docs(corpus / f"{part}.spacy", nlp.vocab):
            (vectors_of[doc.text],) = encoder.predict([nlp.make_doc(doc.text)])


if __name__ == "__main__":
    run_variants(__doc__, VARIANTS, composed, make_vectors)
