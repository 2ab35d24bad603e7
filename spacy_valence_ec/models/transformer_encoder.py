"""Token vectors from a Hugging Face encoder, fast and safe on a processor without a GPU."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from spacy.tokens import Doc, Span
from spacy_transformers.architectures import transformer_tok2vec_v3
from spacy_transformers.data_classes import HFObjects
from spacy_transformers.layers.hf_shim import HFShim
from spacy_transformers.layers.transformer_model import (
    TransformerModel,
    huggingface_from_pretrained,
)
from spacy_transformers.layers.transformer_model import (
    forward as run_transformer,
)
from thinc.api import Model, Optimizer, torch2xp, xp2torch
from thinc.types import ArgsKwargs, Floats2d, Ragged
from transformers.file_utils import ModelOutput

from ..base.encoders import find_model, is_model_name
from ..base.packed import is_packed, read_packed_encoder
from ..errors import Errors, ValenceECError
from .memory import trim_memory
from .views import read_views

AUTO, FLOAT32, BFLOAT16 = PRECISIONS = ("auto", "float32", "bfloat16")

EPSILON = 1e-12
STEPS_TO_TRIM = 20  # of training: so often memory is trimmed
LAYER = re.compile(r"\b(?:layer|layers|h|block|blocks)\.(\d+)\.")


def TransformerEncoder(
    name: str,
    get_spans: Callable[[list[Doc]], list[list[Span]]],
    tokenizer_config: dict[str, Any],
    pooling: Model[Ragged, Floats2d],
    grad_factor: float = 1.0,
    transformer_config: dict[str, Any] = {},  # noqa: B006 (spaCy's own default, never changed)
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] = {},  # noqa: B006
    precision: str = AUTO,
    max_pieces: int = 2048,
    rate_factor: float = 1.0,
    layer_decay: float = 1.0,
) -> Model[list[Doc], list[Floats2d]]:
    """`spacy-transformers.Tok2VecTransformer.v3` with four more arguments. Unlike it, it stays in
    evaluation mode while it predicts, so that threads can share a pipeline, runs rows of like
    length together, and reads the words and line breaks of a Doc in one spelling
    (`models.views`).

    name: a model of this project ("e5-small-it"), a local folder or the name of a hub model.
    mixed_precision: half precision on a GPU, in training and in prediction.
    precision: of training on a processor: "bfloat16" runs its matrix products in that format,
        "auto" does so where the processor has units for it, else "float32". Predictions are made
        in float32, so that they are the same on every machine.
    max_pieces: word pieces, padding included, that the network reads at once.
    rate_factor: learning rate of the uppermost layer over that of the heads.
    layer_decay: learning rate of a layer over that of the layer above it.

    Raises: ValenceECError V034 for an argument out of range, P010 or P011 where `name` is a model
    of this project that is missing, when it is initialized.
    """
    for argument, is_valid, expected in (
        ("precision", precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
        ("max_pieces", max_pieces > 0, "above 0"),
        ("rate_factor", rate_factor >= 0, "0 or more"),
        ("layer_decay", 0 < layer_decay <= 1, "above 0 and at most 1"),
    ):
        if not is_valid:
            raise ValenceECError(
                Errors.V034.format(name="TransformerEncoder", setting=argument, expected=expected)
            )
    model = transformer_tok2vec_v3(
        name,
        get_spans,
        tokenizer_config,
        pooling,
        grad_factor,
        transformer_config,
        mixed_precision,
        dict(grad_scaler_config),
    )
    transformer = transformer_of(model)
    transformer.init = _init
    transformer._func = _forward
    shims: list[Any] = transformer.layers[0].shims
    shims[0] = EncoderShim(
        shims[0]._hfmodel,
        mixed_precision=mixed_precision,
        grad_scaler_config=dict(grad_scaler_config),
        precision=precision,
        max_pieces=max_pieces,
        rate_factor=rate_factor,
        layer_decay=layer_decay,
    )
    return read_views(model, line_breaks=True)


def transformer_of(model: Model) -> TransformerModel:
    """The node of an encoder that holds the Hugging Face model and its tokenizer."""
    return next(node for node in model.walk() if isinstance(node, TransformerModel))


def has_transformer(model: Model) -> bool:
    """Return True if a Hugging Face model is part of a network."""
    return any(isinstance(node, TransformerModel) for node in model.walk())


def set_transformer(model: Model, source: HFObjects) -> None:
    """Put another Hugging Face model and tokenizer in the place of an encoder's own."""
    transformer = transformer_of(model)
    transformer.attrs["has_transformer"] = False
    transformer.attrs["set_transformer"](transformer, source)


def _forward(model: TransformerModel, docs: list[Doc], is_train: bool) -> Any:
    """Raises: ValenceECError V042 where no Hugging Face model was loaded yet."""
    if not model.attrs["has_transformer"]:
        raise ValenceECError(Errors.V042.format(name="TransformerEncoder"))
    return run_transformer(model, docs, is_train)


def _init(model: TransformerModel, X: Any = None, Y: Any = None) -> None:
    """Load the network and its tokenizer, once."""
    if model.attrs["has_transformer"]:
        return
    name = model.attrs["name"]
    path = str(find_model(name)) if is_model_name(name) else name
    settings = (model._init_tokenizer_config, dict(model._init_transformer_config))
    load = read_packed_encoder if is_packed(path) else huggingface_from_pretrained
    model.attrs["set_transformer"](model, load(path, *settings))


class EncoderShim(HFShim):
    """A Hugging Face encoder inside of a thinc model.

    Rows are sorted by length and read in parts of at most `max_pieces` pieces with padding, in
    training as in prediction. The network is in training mode during an update alone: thinc's
    own shim returns to it after each prediction, and threads that share it predict with dropout.
    """

    def __init__(
        self,
        model: HFObjects,
        *,
        precision: str = AUTO,
        max_pieces: int = 2048,
        rate_factor: float = 1.0,
        layer_decay: float = 1.0,
        **settings: Any,
    ):
        super().__init__(model, **settings)
        self.precision = precision
        self.max_pieces = max_pieces
        self.rate_factor = rate_factor
        self.layer_decay = layer_decay
        self.n_steps = 0

    def from_bytes(self, bytes_data: bytes) -> "EncoderShim":
        super().from_bytes(bytes_data)
        if self._model is not None:
            restore_epsilon(self._model)
            self._model.eval()
        return self

    def predict(self, inputs: ArgsKwargs) -> ModelOutput:
        if self._model.training:
            self._model.eval()
        half = self._mixed_precision and self.device.type == "cuda"
        with torch.inference_mode(), torch.autocast("cuda", enabled=half):
            return self._run(inputs)

    def begin_update(self, inputs: ArgsKwargs) -> tuple[ModelOutput, Callable]:
        self._model.train()
        # No autocast around the backward pass: it follows the types of the forward pass.
        with self._autocast():
            output = self._run(inputs)

        def backprop(gradients: ArgsKwargs) -> ArgsKwargs:
            # The loss is out of reach here, so the scaler multiplies its gradient (thinc's shim).
            gradients.kwargs["grad_tensors"] = self._grad_scaler.scale(
                gradients.kwargs["grad_tensors"], inplace=True
            )
            torch.autograd.backward(*gradients.args, **gradients.kwargs)
            parameters = [p for p in self._model.parameters() if p.grad is not None]
            if self._grad_scaler.unscale([p.grad for p in parameters]):
                for parameter in parameters:
                    parameter.grad.zero_()
            return ArgsKwargs(args=(), kwargs={})

        return output, backprop

    def finish_update(self, optimizer: Optimizer) -> None:
        """Change each parameter at the rate of its layer."""
        overflowed = self._grad_scaler.found_inf
        for name, parameter in self._model.named_parameters():
            if parameter.grad is None:
                continue
            factor = self.rate_of(name)
            if factor and not overflowed:
                weights: Any = torch2xp(parameter.data)
                gradient: Any = torch2xp(parameter.grad)
                values, _ = optimizer((self.id, name), weights, gradient, lr_scale=factor)
                parameter.data = xp2torch(values, device=parameter.device)
            parameter.grad.zero_()
        self._grad_scaler.update()
        self.n_steps += 1
        if self.n_steps % STEPS_TO_TRIM == 0:
            trim_memory()

    def rate_of(self, name: str) -> float:
        """The learning rate of a parameter over that of the heads."""
        depth = getattr(self._model.config, "num_hidden_layers", 0)
        found = LAYER.search(name)
        # Embeddings lie below the first layer; what is of no layer stands above the last one.
        layer = int(found[1]) if found else (-1 if "embedding" in name else depth - 1)
        return self.rate_factor * self.layer_decay ** (depth - 1 - layer)

    def _autocast(self) -> AbstractContextManager:
        if self.device.type == "cuda":
            return torch.autocast("cuda", enabled=self._mixed_precision)
        if training_precision(self.precision) == BFLOAT16:
            return torch.autocast("cpu", dtype=torch.bfloat16)
        return nullcontext()

    def _run(self, inputs: ArgsKwargs) -> ModelOutput:
        arguments = inputs.kwargs
        mask = arguments["attention_mask"]
        n_rows, longest = mask.shape
        lengths = mask.sum(dim=1)
        order = torch.argsort(lengths, stable=True).tolist()
        hidden: Any = None
        for part in _parts(order, lengths.tolist(), self.max_pieces):
            rows = torch.tensor(part, device=mask.device)
            width = int(lengths[part[-1]])
            read = {key: value[rows, :width] for key, value in arguments.items()}
            vectors = self._model(**read).last_hidden_state.float()
            if hidden is None:
                hidden = vectors.new_zeros((n_rows, longest, vectors.shape[-1]))
            hidden[rows, :width] = vectors
        return ModelOutput(last_hidden_state=hidden)


def _parts(order: list[int], lengths: list[int], max_pieces: int) -> Iterator[list[int]]:
    """Rows in order of their lengths, cut into parts that have `max_pieces` pieces or a single
    row."""
    part: list[int] = []
    for row in order:
        if part and lengths[row] * (len(part) + 1) > max_pieces:
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def restore_epsilon(network: torch.nn.Module) -> None:
    """Give layer normalization its constant again where that is 0: spacy-transformers stores the
    usual 1e-12 as 0, and a row without variance would become NaN."""
    for module in network.modules():
        if isinstance(module, torch.nn.LayerNorm) and module.eps == 0:
            module.eps = EPSILON
    config: Any = network.config
    if getattr(config, "layer_norm_eps", None) == 0:
        config.layer_norm_eps = EPSILON


def training_precision(precision: str = AUTO) -> str:
    """The format of the matrix products of training on this processor: "float32" or
    "bfloat16"."""
    if precision != AUTO:
        return precision
    return BFLOAT16 if has_bfloat16() else FLOAT32


def has_bfloat16() -> bool:
    """Return True if the processor has units for bfloat16, which is several times slower than
    float32 without them."""
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(bool(known.get(key)) for key in ("avx512_bf16", "amx_bf16", "bf16"))
