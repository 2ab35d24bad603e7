"""The two classes of model, untrained, and what each is asked to guess."""

import stat
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.nn.functional import cross_entropy

from .packing import IGNORED, Separators
from .settings import BERT, Settings

WEIGHTS = "model.safetensors"


class Guesses(NamedTuple):
    """Sum of the losses in nats, and how many guesses of how many were right (tensors)."""

    loss: torch.Tensor
    right: torch.Tensor
    n: torch.Tensor


def build_model(settings: Settings, separators: Separators) -> Any:
    """A `BertForMaskedLM` or `GPT2LMHeadModel` with random weights, by `training.seed`."""
    from transformers import BertConfig, BertForMaskedLM, GPT2Config, GPT2LMHeadModel

    sizes = settings.model
    torch.manual_seed(settings.training.seed)
    if sizes.type == BERT:
        return BertForMaskedLM(
            BertConfig(
                vocab_size=settings.tokenizer.vocab_size,
                hidden_size=sizes.hidden_size,
                num_hidden_layers=sizes.layers,
                num_attention_heads=sizes.heads,
                intermediate_size=sizes.feed_forward,
                max_position_embeddings=sizes.positions,
                hidden_dropout_prob=sizes.dropout,
                attention_probs_dropout_prob=sizes.dropout,
                pad_token_id=separators.pad,
            )
        )
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=settings.tokenizer.vocab_size,
            n_positions=sizes.positions,
            n_embd=sizes.hidden_size,
            n_layer=sizes.layers,
            n_head=sizes.heads,
            n_inner=sizes.feed_forward,
            resid_pdrop=sizes.dropout,
            embd_pdrop=sizes.dropout,
            attn_pdrop=sizes.dropout,
            bos_token_id=separators.end,
            eos_token_id=separators.end,
        )
    )


def guess(
    model: Any, inputs: torch.Tensor, labels: torch.Tensor, is_text: torch.Tensor | None
) -> Guesses:
    """Run a model and judge its guesses.

    inputs, labels: int64 (n_sequences, length). An encoder guesses each label at its own place, a
        decoder at the place before; where a label is IGNORED nothing is guessed, and no scores over
        the vocabulary, which cost most of the time, are computed.
    is_text: bool, of the same shape; None when nothing is padding.
    """
    if model.config.model_type == BERT:
        hidden = model.bert(inputs, attention_mask=is_text).last_hidden_state
        to_scores = model.cls
    else:
        hidden = model.transformer(inputs, attention_mask=is_text).last_hidden_state[:, :-1]
        labels = labels[:, 1:]
        to_scores = model.lm_head
    chosen = labels != IGNORED
    scores, expected = to_scores(hidden[chosen]).float(), labels[chosen]
    loss = cross_entropy(scores, expected, reduction="sum")
    return Guesses(loss, (scores.argmax(dim=-1) == expected).sum(), chosen.sum())


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices decay; biases and the weights of normalization do not."""
    named = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in named if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in named if p.dim() <= 1], "weight_decay": 0.0},
    ]


def save_model(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write what `from_pretrained` reads: half precision safetensors, config and tokenizer. The
    weights of `model` are rounded to half precision, but stay float32."""
    model.half()
    model.save_pretrained(folder)
    model.float()
    # safetensors makes a file that nobody else may read: give it the permissions of the others.
    permissions = (folder / "config.json").stat().st_mode
    (folder / WEIGHTS).chmod(stat.S_IMODE(permissions))
    tokenizer.save_pretrained(folder)
