"""A causal language model of Hugging Face with its tokenizer, as a thinc model."""

import contextlib
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import srsly
from thinc.api import ArgsKwargs, Model, Optimizer, PyTorchShim, torch2xp, xp2torch
from thinc.types import Floats2d

from ..errors import Errors, ValenceECError

CONFIG, WEIGHTS = "config.json", "model.safetensors"
# Of a tokenizer any of these, by its class; nothing else is read from bytes.
FILES = frozenset(
    {
        CONFIG,
        WEIGHTS,
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "merges.txt",
        "tokenizer.model",
        "spiece.model",
    }
)


class Batch(NamedTuple):
    """Texts to learn from, int64 tensors (n_texts, length), and which of their pieces: for each,
    the row of its text and the place before it, where it is to be guessed, int64 (n_learned,)."""

    pieces: Any
    mask: Any
    positions: Any
    rows: Any
    places: Any


def CausalLM(
    name: str, max_length: int | None = None, learn_rate_scale: float = 1.0
) -> Model[Batch, Floats2d]:
    """`spacy_valence_ec.CausalLM.v1`

    name: local folder or hub name. It is read when the model is initialized, and never again: a
        saved pipeline holds weights and tokenizer.
    max_length: pieces that are read at most; null for all that the model has positions for.
    learn_rate_scale: by which the learning rate of the optimizer is multiplied for this model: in
        a pipeline with other components, which start from less.

    Input: a `Batch`. Output: scores over the vocabulary, (n_learned, n_pieces).
    """
    return Model(
        "causal_lm",
        _forward,
        init=_init,
        attrs={"name": name, "max_length": max_length},
        shims=[CausalLMShim(learn_rate_scale)],
    )


def shim_of(model: Model) -> "CausalLMShim":
    """What holds the language model."""
    shim: Any = model.shims[0]
    return shim


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    """Raises: ValenceECError G004, as `load_pretrained`."""
    shim = shim_of(model)
    if not shim.is_loaded:
        shim.load(*load_pretrained(model.attrs["name"]))


def _forward(model: Model, X: Batch, is_train: bool) -> tuple[Floats2d, Callable]:
    output, torch_backprop = shim_of(model)(ArgsKwargs(args=X, kwargs={}), is_train)

    def backprop(d_scores: Floats2d) -> None:
        gradient = xp2torch(d_scores, device=output.device)
        torch_backprop(ArgsKwargs(args=((output,),), kwargs={"grad_tensors": (gradient,)}))

    scores: Any = torch2xp(output)
    return scores, backprop


def load_pretrained(name: str, *, local: bool = False) -> tuple[Any, Any]:
    """A causal language model, float32, and its tokenizer.

    local: never ask the hub.
    Raises: ValenceECError G004 if there is none of that name, or one that is not causal.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    options: dict[str, Any] = {"local_files_only": local or Path(name).exists()}
    try:
        config = AutoConfig.from_pretrained(name, **options)
    except (OSError, ValueError, KeyError) as error:
        why = "there is no config.json that tells a known model"
        raise ValenceECError(Errors.G004.format(name=name, why=why)) from error
    if not is_causal(config):
        why = f"its type is '{config.model_type}', which does not write from left to right"
        raise ValenceECError(Errors.G004.format(name=name, why=why))
    try:
        model = AutoModelForCausalLM.from_pretrained(
            name, config=config, torch_dtype="float32", **options
        )
        tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True, **options)
    except Exception as error:  # tokenizers has no class of its own for what it cannot read
        why = "its weights or its tokenizer cannot be read"
        raise ValenceECError(Errors.G004.format(name=name, why=why)) from error
    return model, tokenizer


def is_causal(config: Any) -> bool:
    """Whether a Hugging Face config is that of a decoder. Encoders are known as causal models too,
    for those who make decoders of them."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    kind = type(config)
    if config.is_encoder_decoder or kind not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return False
    return config.is_decoder or kind not in MODEL_FOR_MASKED_LM_MAPPING


class CausalLMShim(PyTorchShim):
    """Holds the language model and its tokenizer, and stores both: the weights as safetensors,
    nothing that could run code. Empty until it is initialized or read from disk."""

    def __init__(self, learn_rate_scale: float = 1.0):
        super().__init__(None)
        self.learn_rate_scale = learn_rate_scale
        self.tokenizer: Any = None

    @property
    def is_loaded(self) -> bool:
        return self._model is not None

    @property
    def language_model(self) -> Any:
        """The Hugging Face model, such as a `GPT2LMHeadModel`."""
        if self._model is None:
            raise ValenceECError(Errors.G008)
        return self._model.model

    def load(self, model: Any, tokenizer: Any) -> None:
        from thinc.util import get_torch_default_device

        self._model = answer_scores(model).to(get_torch_default_device())
        self.tokenizer = tokenizer

    def max_length(self) -> int:
        """How many pieces the model has positions for."""
        config = self.language_model.config
        positions = getattr(config, "max_position_embeddings", None)
        return int(positions or 1024)

    def set_dropout(self, rate: float) -> None:
        """Of every layer of dropout: that of the config of the training, as for other networks."""
        from torch.nn import Dropout

        self.language_model  # noqa: B018  raises if there is none
        for module in self._model.modules():
            if isinstance(module, Dropout):
                module.p = rate

    def finish_update(self, optimizer: Optimizer) -> None:
        if self._model is None:
            return
        for name, parameter in self._model.named_parameters():
            if parameter.grad is None:
                continue
            weights: Any = torch2xp(parameter.data)
            gradient: Any = torch2xp(parameter.grad)
            changed, _ = optimizer(
                (self.id, name), weights, gradient, lr_scale=self.learn_rate_scale
            )
            parameter.data = xp2torch(changed, requires_grad=True, device=parameter.device)
            parameter.grad.zero_()

    @contextlib.contextmanager
    def use_params(self, params: Any) -> Iterator[None]:
        """Averages are not kept of a language model: its own weights stay in use."""
        yield

    def to_device(self, device_type: str, device_id: int) -> None:
        if self._model is not None:
            super().to_device(device_type, device_id)

    def save(self, folder: Path) -> None:
        """Write what `from_pretrained` reads."""
        model = self.language_model
        folder.mkdir(parents=True, exist_ok=True)
        model.config._name_or_path = ""  # a path of this machine
        model.save_pretrained(folder, safe_serialization=True)
        self.tokenizer.save_pretrained(folder)
        # safetensors makes a file that nobody else may read: give it the permissions of the others.
        (folder / WEIGHTS).chmod(stat.S_IMODE((folder / CONFIG).stat().st_mode))

    def restore(self, folder: Path) -> None:
        """Raises: ValenceECError G007 for a folder that misses config or weights, or whose files
        cannot be read."""
        if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
            raise ValenceECError(Errors.G007.format(path=folder))
        try:
            self.load(*load_pretrained(str(folder), local=True))
        except ValenceECError as error:
            raise ValenceECError(Errors.G007.format(path=folder)) from error

    def to_bytes(self) -> bytes:
        files = {}
        if self._model is not None:
            with tempfile.TemporaryDirectory() as name:
                self.save(Path(name))
                files = {path.name: path.read_bytes() for path in Path(name).iterdir()}
        content: bytes = srsly.msgpack_dumps(files)
        return content

    def from_bytes(self, bytes_data: bytes) -> "CausalLMShim":
        files = srsly.msgpack_loads(bytes_data)
        if files:
            with tempfile.TemporaryDirectory() as name:
                for file in FILES & set(files):
                    (Path(name) / file).write_bytes(files[file])
                self.restore(Path(name))
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {"id": self.id, "scale": self.learn_rate_scale, "files": self.to_bytes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["scale"])  # type: ignore[misc]
        self.from_bytes(state["files"])


def answer_scores(model: Any) -> Any:
    """A torch module that gives a language model's scores where a piece is to be learned, and
    nowhere else: most of the cost lies there."""
    from torch import nn

    class AnswerScores(nn.Module):
        def __init__(self, model: Any):
            super().__init__()
            self.model = model

        def forward(self, pieces: Any, mask: Any, positions: Any, rows: Any, places: Any) -> Any:
            hidden = self.model.base_model(
                input_ids=pieces,
                attention_mask=mask,
                position_ids=positions,
                use_cache=False,
                return_dict=True,
            ).last_hidden_state
            return self.model.get_output_embeddings()(hidden[rows, places]).float()

    return AnswerScores(model)
