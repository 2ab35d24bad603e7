"""The page: one file of HTML that holds the narratives as data, and calls nobody.

The narratives are JSON inside a `<script>` that is no program; the program beside it makes elements
of them by `textContent` alone. A Content-Security-Policy allows this one style sheet and this one
program, by their hashes, and nothing from elsewhere.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from itertools import accumulate
from typing import IO, Any

from ..errors import Errors, ValenceECError
from ..schema import VALENCES
from .narratives import DOUBT_MARGIN, AnalyzedNarrative, Record, read_records
from .people import MOST_CARRIERS, summarize_narratives

TITLE = "Valence and emotion carriers"
LANGUAGES = ("en", "it")

_DECIMALS = 3

# What could end the element that holds the JSON; all that is not ASCII is an escape anyway.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}


def render_page(records: Iterable[Record], *, title: str = TITLE, lang: str = "en") -> str:
    """Return a page of HTML with analyzed narratives and the figures of each person.

    records: as `valence-ec analyze` writes them; scores, units, narrator and date may be missing.
    lang: of the page itself, one of `LANGUAGES`; each narrative is marked with its own.

    Raises: ValenceECError H001 for a record that `analyze` does not write, H002 for another
    language.
    """
    return "".join(_parts(records, title, lang))


def write_page(
    records: Iterable[Record], handle: IO[str], *, title: str = TITLE, lang: str = "en"
) -> None:
    """Write what `render_page` returns to a text file, part by part. Raises likewise, before
    anything is written."""
    handle.writelines(_parts(records, title, lang))


def _parts(records: Iterable[Record], title: str, lang: str) -> Iterator[str]:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    if lang not in LANGUAGES:
        raise ValenceECError(Errors.H002.format(lang=lang, known=", ".join(LANGUAGES)))
    narratives = read_records(records)
    environment = Environment(
        loader=PackageLoader("spacy_valence_ec.page", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, program = _asset("page.css"), _asset("page.js")
    words = json.loads(_asset(f"{lang}.json"))
    yield from environment.get_template("page.html.j2").generate(
        title=_displayed(title),
        lang=lang,
        words=words,
        style=Markup(style),
        program=Markup(program),
        policy=_policy(style, program),
        # In parts, so that a large page is never in memory twice.
        narratives=map(Markup, _array(_narrative_data(n) for n in narratives)),
        settings=Markup(_escaped_json(_settings_data(narratives, lang, words))),
    )


def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text("utf-8")


def _policy(style: str, program: str) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src {_hash(style)}",
            f"script-src {_hash(program)}",
            "img-src data:",  # the empty icon, without which a browser asks a server for one
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(content.encode('utf-8')).digest()).decode()}'"


def _displayed(text: str) -> str:
    """`text` without what HTML cannot hold: control characters and halves of an emoji."""
    kept = "".join(" " if ord(char) < 32 or 127 <= ord(char) < 160 else char for char in text)
    return kept.encode("utf-8", "replace").decode("utf-8")


def _array(items: Iterable[Any]) -> Iterator[str]:
    separator = "[\n"
    for item in items:
        yield separator + _escaped_json(item)
        separator = ",\n"
    yield "\n]" if separator == ",\n" else "[]"


def _escaped_json(value: Any) -> str:
    # ASCII: an escape is all that can hold half an emoji, in a field of the user's own.
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).translate(_ESCAPES)


def _settings_data(
    narratives: Sequence[AnalyzedNarrative], lang: str, words: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "lang": lang,
        "words": words,
        "valences": VALENCES,
        "doubtMargin": DOUBT_MARGIN,
        "mostCarriers": MOST_CARRIERS,
        "people": _rounded(asdict(summarize_narratives(narratives))),
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


def _narrative_data(narrative: AnalyzedNarrative) -> dict[str, Any]:
    """What the program reads. A unit is [start, end, index of its valence, probabilities or null,
    polarity, margin or null], a carrier [start, end, score or null]; offsets are UTF-16 code
    units, as strings of JavaScript have them."""
    offset = _utf16_offsets(narrative.text)
    return _rounded(
        {
            "id": narrative.id,
            "text": narrative.text,
            "narrator": narrative.narrator,
            "date": narrative.date,
            "when": narrative.when.isoformat() if narrative.when else None,
            "lang": narrative.lang,
            "valence": narrative.valence,
            "score": narrative.score,
            "doubtful": sum(unit.is_doubtful for unit in narrative.units),
            "units": [
                [
                    offset[unit.start],
                    offset[unit.end],
                    VALENCES.index(unit.valence),
                    unit.scores,
                    unit.polarity,
                    unit.margin,
                ]
                for unit in narrative.units
            ],
            "carriers": [[offset[c.start], offset[c.end], c.score] for c in narrative.carriers],
            "extra": {key: _as_text(value) for key, value in narrative.extra.items()},
        }
    )


def _utf16_offsets(text: str) -> Sequence[int]:
    """The offset in UTF-16 of each code point, and of the end."""
    if text.isascii() or max(text) <= "\uffff":
        return range(len(text) + 1)
    return list(accumulate((1 + (char > "\uffff") for char in text), initial=0))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
