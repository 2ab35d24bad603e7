"""The model card, rendered from what was counted and logged: no figure is written by hand."""

from typing import Any

from jinja2 import Environment, StrictUndefined

from .settings import BERT

CURVE_ROWS = 12

SHARE_ALIKE = "CC BY-SA 4.0"
ATTRIBUTION = "CC BY 4.0"

TEMPLATE = """\
---
language: it
license: {{ license | lower | replace(" ", "-") }}
library_name: transformers
pipeline_tag: {{ "fill-mask" if is_encoder else "text-generation" }}
---

# {{ name }}

A small Italian {{ "encoder (BERT" if is_encoder else "causal decoder (GPT-2" }} class), \
pretrained from random weights for `spacy_valence_ec`: {{ log.parameters | number }} parameters, \
{{ "%.1f" | format(log.bytes / 1e6) }} MB in half precision. It reads {{ model.positions }} pieces \
at once; the tokenizer is a byte-level BPE of {{ settings.tokenizer.vocab_size | number }} pieces \
that keeps case, accents and apostrophes{{ "" if is_encoder else ", without a piece for padding" }}.

## Data

| source | license | documents | words | held out, words | duplicates removed | read in a pass |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
{% for name, source in counts.sources.items() -%}
| {{ name }} | {{ source.license }} | {{ source.train.documents | number }} \
| {{ source.train.words | number }} | {{ source.dev.words | number }} \
| {{ source.duplicates_removed | number }} | {{ settings.text.repeats[name] }} times |
{% endfor -%}
| total | | | {{ total | number }} | | | |

{% for name, source in counts.sources.items() -%}
- {{ name }}: {{ source.citation }}.
{% endfor %}
No paragraph of a narrative that development or test uses is in the text. The weights are given \
under {{ license }}, the strictest of these licenses.

## Training

{{ settings.training.steps | number }} steps of {{ settings.training.pieces_per_step | number }} \
pieces, {{ "%.1f" | format(log.pieces_read / log.pieces_of_a_pass) }} passes over the text, in \
sequences of {{ settings.packing.lengths | join(", ") }} pieces
{%- if settings.masking %}; spans of {{ settings.masking.mean_span }} pieces on average are \
masked, {{ settings.masking.first_rate }} of the pieces at first and \
{{ settings.masking.last_rate }} in the end{% endif %}. It took {{ "%.0f" | format(log.seconds) }} \
seconds on {{ log.environment.hardware }}.

| step | length | loss | seconds |
| ---: | ---: | ---: | ---: |
{% for line in curve -%}
| {{ line.step | number }} | {{ line.length }} | {{ "%.3f" | format(line.loss) }} \
| {{ "%.0f" | format(line.seconds) }} |
{% endfor %}
## On the held-out text

| source | loss | perplexity | {{ "masked" if is_encoder else "next" }} pieces guessed right |
| --- | ---: | ---: | ---: |
{% for name, found in log.final.by_source.items() -%}
| {{ name }} | {{ "%.3f" | format(found.loss) }} | {{ "%.2f" | format(found.perplexity) }} \
| {{ "%.3f" | format(found.accuracy) }} |
{% endfor -%}
| all | {{ "%.3f" | format(log.final.loss) }} | {{ "%.2f" | format(log.final.perplexity) }} \
| {{ "%.3f" | format(log.final.accuracy) }} |

## Limits

{% if "eltec" in counts.sources %}{{ counts.sources.eltec.train.words | share(total) }} of the \
words are of novels of 1840 to 1920: so is much of what the model knows of Italian, and of people. \
{% endif %}It is made to be fine-tuned on short personal narratives, and for nothing else; it is \
no source of facts.

Made with {% for library, version in log.environment.libraries.items() -%}
{{ library }} {{ version }}{{ ", " if not loop.last }}{% endfor %}, Python \
{{ log.environment.python }}{% if log.environment.revision %}; revision \
{{ log.environment.revision }}{% endif %}. `log.json` has the settings, the whole curve and the \
hashes of the text.
"""


def render_card(name: str, counts: dict[str, Any], log: dict[str, Any]) -> str:
    """The card of the model `name`, in Markdown with the header of the Hugging Face hub.

    counts: as `prepare_text` writes them; log: as `pretrain` does.
    """
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["number"] = "{:,}".format
    environment.filters["share"] = lambda part, whole: f"{part / whole:.0%}"
    settings = log["settings"]
    used = {
        source: found
        for source, found in counts["sources"].items()
        if settings["text"]["repeats"].get(source)
    }
    licenses = {found["license"] for found in used.values()}
    every = max(1, len(log["curve"]) // CURVE_ROWS)
    return environment.from_string(TEMPLATE).render(
        name=name,
        counts={**counts, "sources": used},
        log=log,
        settings=settings,
        total=sum(found["train"]["words"] for found in used.values()),
        model=settings["model"],
        is_encoder=settings["model"]["type"] == BERT,
        license=SHARE_ALIKE if SHARE_ALIKE in licenses else ATTRIBUTION,
        # From the back, so that the last line is there.
        curve=log["curve"][::-every][::-1],
    )
