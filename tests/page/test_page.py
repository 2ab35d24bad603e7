"""The file of the page: whole, escaped, and asking nobody."""

import io
import json
import re
from typing import Any

import pytest
from small_records import CONTROL, HOSTILE, hostile_records, some_records

from spacy_valence_ec.errors import ValenceECError
from spacy_valence_ec.page import render_page, write_page
from spacy_valence_ec.page.render import LANGUAGES


def data_of(page: str, name: str) -> Any:
    """What a script of JSON holds."""
    (content,) = re.findall(
        rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.S
    )
    return json.loads(content)


def test_the_file_holds_all_and_asks_nobody() -> None:
    page = render_page(some_records(), title="Diari <2024> & altro")
    assert "<title>Diari &lt;2024&gt; &amp; altro</title>" in page
    addresses = set(re.findall(r"\w+://[^\s\"'<)]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a namespace
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
    assert policy.startswith("default-src &#39;none&#39;; style-src &#39;sha256-")
    assert "unsafe" not in policy
    assert not re.findall(r"<(?:link|img|iframe)[^>]+(?:src|href)=\"(?!data:,\")", page)
    assert [n["id"] for n in data_of(page, "narrative-data")] == ["a2", "a1", "a3", "b1", "b2", "x"]
    handle = io.StringIO()
    write_page(some_records(), handle, title="Diari <2024> & altro")
    assert handle.getvalue() == page


def test_offsets_are_those_of_javascript() -> None:
    emoji = data_of(render_page(hostile_records()), "narrative-data")[-1]
    start, end = emoji["carriers"][0][:2]
    units = emoji["text"].encode("utf-16-le")
    assert units[2 * start : 2 * end].decode("utf-16-le") == "torta"


def test_hostile_text_stays_inside_its_data() -> None:
    page = render_page(hostile_records(), title=HOSTILE + CONTROL + "\ud83c")
    assert page.count("<script") == page.count("</script>") == 3
    assert page.count("<img") == page.count("<!--") == 0
    assert page.isascii() or "\u2028" not in page.split("<body>")[1].split("<script")[1]
    assert "\x00" not in page
    page.encode("utf-8")  # no half of an emoji
    narratives = data_of(page, "narrative-data")
    assert narratives[0]["text"] == HOSTILE + " "
    assert narratives[2]["extra"] == {"note": '{"half": "\ud83c", "x": [1]}'}


def test_an_unknown_language() -> None:
    with pytest.raises(ValenceECError, match=r"\[H002\].*'de'.*en, it"):
        render_page([], lang="de")


def test_the_languages_have_the_same_words_and_places_in_them() -> None:
    tables = [data_of(render_page([], lang=lang), "setting-data")["words"] for lang in LANGUAGES]
    places = [
        {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in table.items()}
        for table in tables
    ]
    assert places[0] == places[1]
    assert not any(set(table.values()) == set(tables[0].values()) for table in tables[1:])
