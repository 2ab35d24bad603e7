"""The page in a browser: reading, finding, printing, and hostile text."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_records import HOSTILE, Record, a_record, hostile_records, some_records

from spacy_valence_ec.page import write_page

pytest.importorskip("playwright", reason="the extra `test` has playwright")
from playwright.sync_api import expect, sync_playwright

PATIENCE = 120_000  # ms: a machine that does other things too is slow, not wrong
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on the path")

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as play:
        expect.set_options(timeout=PATIENCE)
        opened = play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE
        )
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens a page of records. It must ask for nothing but its file, and report no error."""
    troubles: list[str] = []
    context = browser.new_context(viewport={"width": 1400, "height": 900}, locale="en-US")

    def call(records: list[Record], *, at: str = "", **options: Any) -> Any:
        path = tmp_path / "page.html"
        with path.open("w", encoding="utf-8") as handle:
            write_page(records, handle, **options)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda r: r.url.startswith(path.as_uri()) or troubles.append(r.url))
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append(dialog.message))
        page.goto(path.as_uri() + at)
        return page

    yield call
    context.close()
    assert troubles == []


def filter_of(page: Any, name: str) -> Any:
    return page.locator(f"#filters [name={name}]")


def listed(page: Any) -> list[str]:
    """What the list of narratives begins with."""
    return [text[:8] for text in page.locator("#list .opener").all_inner_texts()]


def test_reading_a_narrative(open_page: Open) -> None:
    page = open_page(some_records())
    assert page.get_by_role("status").first.inner_text() == "6 of 6 narratives"
    page.get_by_role("button", name="Forse il treno").click()
    assert page.locator("#reading h3").inner_text() == "a3"
    unit = page.locator("#reading .text .unit")
    assert unit.text_content() == "negative, doubtful: Forse [carrier] il treno, forse no 🎉."
    assert "doubtful" in unit.get_attribute("class")
    assert page.locator("#reading .text .carrier").text_content() == "[carrier] il treno"
    unit.click()
    detail = page.locator("#detail").inner_text()
    for figure in (
        "Unit 1 of 1",
        "doubtful",
        "0.45",
        "0.40",
        "0.15",
        "0.05 apart",
        "il treno",
        "0.75",
    ):
        assert figure in detail
    page.get_by_text("Other fields").click()
    assert page.locator("#reading dd").inner_text() == "typed"


def test_by_keyboard(open_page: Open) -> None:
    page = open_page(some_records())
    page.locator("#reading .text .unit").first.focus()
    assert "Unit 1 of 2" in page.locator("#detail").inner_text()
    page.keyboard.press("ArrowRight")
    assert "Unit 2 of 2" in page.locator("#detail").inner_text()
    pressed = page.locator("#reading .unit[aria-pressed=true]")
    assert pressed.count() == page.locator("#reading .unit[tabindex='0']").count() == 1
    assert pressed.text_content().endswith("Poi a casa.")
    page.keyboard.press("Home")
    assert "Unit 1 of 2" in page.locator("#detail").inner_text()
    page.get_by_label("Next narrative").press("Enter")
    assert page.locator("#reading h3").inner_text() == "a1"
    assert page.evaluate("document.activeElement.id") == "reading"


def test_filters_and_sorting(open_page: Open) -> None:
    page = open_page(some_records())
    filter_of(page, "person").select_option("Anna")
    assert listed(page) == ["Il treno", "Che gioi", "Forse il"]
    page.get_by_role("button", name="Date").click()
    assert listed(page) == ["Che gioi", "Il treno", "Forse il"]
    assert page.locator("#list th[aria-sort=ascending]").inner_text().startswith("Date")
    page.get_by_role("button", name="Date").click()
    assert listed(page) == ["Forse il", "Il treno", "Che gioi"]
    filter_of(page, "doubt").select_option("A third or more doubtful")
    assert listed(page) == ["Forse il"]
    assert page.locator("#reading h3").inner_text() == "a3"
    page.get_by_role("button", name="Clear all").click()
    page.locator("#list thead").get_by_role("button", name="Valence").click()
    # -0.45, -0.3, two of 0, 0.9; what has no score comes last.
    assert listed(page)[0:2] == ["Il treno", "Forse il"]
    assert listed(page)[-2:] == ["Che gioi", "Solo tes"]
    filter_of(page, "valence").select_option("mixed")
    assert listed(page) == ["Brutto. "]
    page.get_by_role("button", name="Clear all").click()
    filter_of(page, "from").fill("2024-03-01")
    filter_of(page, "to").fill("2024-03-19")
    assert listed(page) == ["Il treno"]
    page.get_by_role("button", name="Clear all").click()
    page.get_by_label("Words in the text").fill("PERCHE e tornata")
    expect(page.locator("#list .opener")).to_have_count(1)
    assert listed(page) == ["Che gioi"]  # accents and capitals do not count
    page.get_by_label("Words in the text").fill("nowhere")
    expect(page.locator("#list")).to_be_hidden()
    assert page.locator("#found").inner_text() == "No narrative fits. Clear a filter."


def test_people(open_page: Open) -> None:
    page = open_page(some_records(), at="#people")
    rows = page.locator("#people-list tbody tr")
    assert page.locator("#people-list .opener").all_inner_texts() == [
        "All together",
        "Anna",
        "Bruno",
        "Nobody named",
    ]
    rows.nth(1).get_by_role("button").click()
    figures = page.locator("#figures").inner_text()
    assert "+0.05\t[−1.00; +1.00]\t3" in figures
    assert page.locator("#figures svg .mark").count() == 3
    page.get_by_text("The line as a table").click()
    assert page.locator("#figures details tbody tr").count() == 3
    page.locator("#figures").get_by_role("button", name="è tornata").click()
    assert listed(page) == ["Che gioi"]
    assert page.url.endswith("#narratives")
    page.go_back()
    assert page.locator("#figures").is_visible()


def test_printing(open_page: Open, tmp_path: Path) -> None:
    page = open_page(some_records())
    filter_of(page, "person").select_option("Anna")
    page.evaluate(
        "addEventListener('beforeprint', () => { document.title ="
        " document.querySelectorAll('#printed article').length; })"
    )
    content = page.pdf(path=tmp_path / "page.pdf", format="A4")
    assert content.startswith(b"%PDF")
    assert page.title() == "3"  # those that the filter finds
    expect(page.locator("#printed article")).to_have_count(0)


def test_hostile_narratives_do_no_harm(open_page: Open) -> None:
    page = open_page(hostile_records(), title=HOSTILE)
    assert page.title() == HOSTILE
    for i in range(page.locator("#list .opener").count()):
        page.locator("#list .opener").nth(i).click()
        for summary in page.locator("#reading summary").all():
            summary.click()
        shown = page.locator("#reading .text").all_text_contents()
        if i == 0:
            assert HOSTILE.replace("alert", "[carrier] alert") in shown[0]
        if i == 2:
            assert "a␀b" in shown[0]
            # The text behind the one that turns the direction stands where it stood.
            assert (
                page.locator("#reading .unit[role]").evaluate(
                    "unit => getComputedStyle(unit).unicodeBidi"
                )
                == "isolate"
            )
        if i == 3:
            assert len(shown[0]) > 49_000
        if i == 4:
            assert shown == []
            assert "(no text)" in page.locator("#reading").inner_text()
    page.evaluate("location.hash = 'people'")
    for opener in page.locator("#people-list .opener").all():
        opener.click()
    assert page.locator("img, iframe, body script[src]").count() == 0
    assert page.title() == HOSTILE


def test_two_thousand_narratives(open_page: Open) -> None:
    """Bounds against what would make a page useless, not a measurement."""
    rng = random.Random(0)
    records = [
        a_record(
            f"n{i}",
            *[
                (
                    f"Frase {j} di {i}, con la cosa.",
                    rng.choice(["negative", "neutral", "positive"]),
                    "cosa",
                )
                for j in range(9)
            ],
            narrator=f"p{i % 60}",
            date=f"20{10 + i % 15}-{1 + i % 12:02}-{1 + i % 28:02}",
        )
        for i in range(2000)
    ]
    page = open_page(records)
    assert page.locator("#list .opener").count() == 25  # no more are in the page at once
    measured = page.evaluate(
        """async () => {
          const times = {open: performance.getEntriesByType('navigation')[0].domComplete};
          const form = document.querySelector('#filters').elements;
          const timed = (name, act) => {
            const begin = performance.now();
            act();
            times[name] = performance.now() - begin;
          };
          const changed = (field, value) => () => {
            form[field].value = value;
            form[field].dispatchEvent(new Event('input', {bubbles: true}));
          };
          timed('person', changed('person', '7'));
          timed('sort', changed('sort', 'score'));
          timed('all', changed('person', ''));
          timed('next', () => document.querySelector('#next-page').click());
          return times;
        }"""
    )
    assert page.locator("#page").inner_text() == "Page 2 of 80"
    page.get_by_label("Words in the text").fill("frase 8 di 1999,")
    expect(page.locator("#list .opener")).to_have_count(1)
    page.evaluate("location.hash = 'people'")
    page.locator("#people-list .opener").nth(60).click()
    assert measured.pop("open") < 60_000
    assert max(measured.values()) < 10_000, measured
