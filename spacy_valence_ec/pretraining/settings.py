"""The settings of a pretraining: a file of configs/pretraining, checked field by field."""

import json
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, get_type_hints

from spacy import util

from ..corpus.sources import SOURCES
from ..errors import Errors, ValenceECError

BERT, GPT2 = MODEL_TYPES = ("bert", "gpt2")

NARRATIVES = "narratives"  # the source that is no public corpus


@dataclass(frozen=True)
class TextSettings:
    """`dev_share`: of the documents of each source, held out. `repeats`: how often a pass over the
    text reads a source; one of 0 is not used at all."""

    seed: int
    dev_share: float
    repeats: dict[str, int]


@dataclass(frozen=True)
class TokenizerSettings:
    vocab_size: int
    min_frequency: int


@dataclass(frozen=True)
class ModelSettings:
    """`type`: one of `MODEL_TYPES`. `positions`: the longest sequence, in pieces."""

    type: str
    hidden_size: int
    layers: int
    heads: int
    feed_forward: int
    positions: int
    dropout: float


@dataclass(frozen=True)
class PackingSettings:
    """Lengths of the sequences in pieces, in order, and the share of the steps of each."""

    lengths: list[int]
    shares: list[float]


@dataclass(frozen=True)
class MaskingSettings:
    """Share of the pieces that is to be guessed, at the first and at the last step; mean length of
    a span in pieces; of the spans, the shares that are masked and replaced by chance."""

    first_rate: float
    last_rate: float
    mean_span: float
    masked: float
    replaced: float


@dataclass(frozen=True)
class TrainingSettings:
    """`pieces_per_step` are read for each step of the optimizer, `pieces_per_pass` at once: the
    gradients of several passes are added. `dev_pieces` limits the evaluations on the way."""

    seed: int
    steps: int
    pieces_per_step: int
    pieces_per_pass: int
    learning_rate: float
    last_learning_rate: float
    warmup_steps: int
    weight_decay: float
    beta2: float
    grad_clip: float
    log_every: int
    eval_every: int
    checkpoint_every: int
    dev_pieces: int


@dataclass(frozen=True)
class Settings:
    """All of a file. `masking` is None for a causal model."""

    text: TextSettings
    tokenizer: TokenizerSettings
    model: ModelSettings
    packing: PackingSettings
    training: TrainingSettings
    masking: MaskingSettings | None = field(default=None)

    @property
    def fingerprint(self) -> str:
        """Equal for equal settings, and for no others."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


_SECTIONS: dict[str, type[Any]] = {
    "text": TextSettings,
    "tokenizer": TokenizerSettings,
    "model": ModelSettings,
    "packing": PackingSettings,
    "training": TrainingSettings,
    "masking": MaskingSettings,
}


def read_settings(name: str, configs: Path) -> Settings:
    """The settings in `configs/pretraining/<name>.cfg`.

    Raises: ValenceECError P001 if there is no such file, P002 for what is wrong in it.
    """
    folder = configs / "pretraining"
    path = folder / f"{name}.cfg"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.cfg"))) or "none"
        raise ValenceECError(Errors.P001.format(name=name, folder=folder, known=known))
    try:
        config = util.load_config(path)
    except ValueError as error:
        raise _error(path, "not a config that can be read") from error
    return check_settings(config, path)


def check_settings(config: dict[str, Any], path: Path) -> Settings:
    """Settings from sections of plain values; `path` is for the messages.

    Raises: ValenceECError P002 for a section or field that is missing, unknown, of another type or
    out of its range.
    """
    unknown = sorted(set(config) - set(_SECTIONS))
    if unknown:
        raise _error(path, f"unknown section [{unknown[0]}]; known: {', '.join(_SECTIONS)}")
    sections = {name: _section(config[name], name, path) for name in _SECTIONS if config.get(name)}
    missing = [name for name in _SECTIONS if name not in sections and name != "masking"]
    if missing:
        raise _error(path, f"the section [{missing[0]}] is missing")
    settings = Settings(**sections)
    for wrong, why in _rules(settings):
        if wrong:
            raise _error(path, why)
    return settings


def _section(values: Any, name: str, path: Path) -> Any:
    kind = _SECTIONS[name]
    types = get_type_hints(kind)
    if not isinstance(values, dict):
        raise _error(path, f"[{name}] must be a section")
    for key in values:
        if key not in types:
            raise _error(path, f"unknown field '{key}' in [{name}]; known: {', '.join(types)}")
    for item in fields(kind):
        if item.name not in values:
            raise _error(path, f"the field '{item.name}' is missing in [{name}]")
        if not _is_of_type(values[item.name], types[item.name]):
            expected = getattr(types[item.name], "__name__", str(types[item.name]))
            raise _error(path, f"{name}.{item.name} must be of type {expected}")
    return kind(**values)


def _is_of_type(value: Any, expected: Any) -> bool:
    if expected == dict[str, int]:
        return isinstance(value, dict) and all(_is_of_type(v, int) for v in value.values())
    if expected in (list[int], list[float]):
        inner = int if expected == list[int] else float
        return isinstance(value, list) and all(_is_of_type(v, inner) for v in value)
    if expected is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if expected is int:
        return type(value) is int
    return isinstance(value, expected)


def _rules(settings: Settings) -> list[tuple[bool, str]]:
    """What must not be, each with how it should be."""
    text, model, packing = settings.text, settings.model, settings.packing
    training, masking = settings.training, settings.masking
    sources = {*SOURCES, NARRATIVES}
    longest = max(packing.lengths, default=0)
    rules = [
        (not 0 < text.dev_share < 1, "text.dev_share must lie between 0 and 1"),
        (
            set(text.repeats) != sources,
            f"[text.repeats] must have a number for each of {', '.join(sorted(sources))}",
        ),
        (min(text.repeats.values(), default=0) < 0, "[text.repeats] must not be negative"),
        (not any(text.repeats.values()), "[text.repeats] leaves no source"),
        (settings.tokenizer.vocab_size < 300, "tokenizer.vocab_size must be 300 at least"),
        (settings.tokenizer.min_frequency < 1, "tokenizer.min_frequency must be 1 at least"),
        (model.type not in MODEL_TYPES, f"model.type must be {' or '.join(MODEL_TYPES)}"),
        (
            min(model.hidden_size, model.layers, model.heads, model.feed_forward) < 1,
            "the sizes in [model] must be 1 at least",
        ),
        (
            model.heads > 0 and model.hidden_size % model.heads != 0,
            "model.hidden_size must be a multiple of model.heads",
        ),
        (not 0 <= model.dropout < 1, "model.dropout must be 0 or more, and less than 1"),
        (
            len(packing.lengths) != len(packing.shares) or not packing.lengths,
            "packing.lengths and packing.shares must be of the same length, and not empty",
        ),
        (min(packing.lengths, default=4) < 4, "packing.lengths must be 4 at least"),
        (min(packing.shares, default=1) <= 0, "packing.shares must be above zero"),
        (
            longest != model.positions,
            "the longest of packing.lengths must be model.positions: a position that is never "
            "trained is worth nothing",
        ),
        (
            training.pieces_per_pass < longest,
            "training.pieces_per_pass must be the longest of packing.lengths at least",
        ),
        (
            training.pieces_per_step < training.pieces_per_pass,
            "training.pieces_per_step must be training.pieces_per_pass at least",
        ),
        (training.steps < 1, "training.steps must be 1 at least"),
        (
            not 0 <= training.warmup_steps < training.steps,
            "training.warmup_steps must be 0 or more, and less than training.steps",
        ),
        (
            not 0 <= training.last_learning_rate <= training.learning_rate,
            "training.last_learning_rate must be 0 or more, and training.learning_rate at most",
        ),
        (training.learning_rate <= 0, "training.learning_rate must be above zero"),
        (training.weight_decay < 0, "training.weight_decay must not be negative"),
        (not 0 < training.beta2 < 1, "training.beta2 must lie between 0 and 1"),
        (training.grad_clip <= 0, "training.grad_clip must be above zero"),
        (
            min(training.log_every, training.eval_every, training.checkpoint_every) < 1,
            "the intervals in [training] must be 1 at least",
        ),
        (
            training.log_every > 0 and training.checkpoint_every % training.log_every != 0,
            "training.checkpoint_every must be a multiple of training.log_every",
        ),
        (training.dev_pieces < longest, "training.dev_pieces must be one sequence at least"),
        ((model.type == BERT) != (masking is not None), "[masking] is for model.type 'bert' only"),
    ]
    if masking is not None:
        rules += [
            (
                not 0 < masking.last_rate <= masking.first_rate < 1,
                "0 < masking.last_rate <= masking.first_rate < 1 must hold",
            ),
            (masking.mean_span < 1, "masking.mean_span must be 1 at least"),
            (
                min(masking.masked, masking.replaced) < 0 or masking.masked + masking.replaced > 1,
                "masking.masked and masking.replaced must be shares, with a sum of 1 at most",
            ),
        ]
    return rules


def _error(path: Path, why: str) -> ValenceECError:
    return ValenceECError(Errors.P002.format(path=path, why=why))
