"""The drawings in a headless browser: each is drawn, on a screen, on a phone and in the dark, and says its values."""

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("plotly")
pytest.importorskip("playwright", reason="playwright is not installed")

import browser_tools
from picture_tools import all_kinds
from report_tools import lines_of

from verify.report import write_report

browser = browser_tools.browser
PLACES = ("heat", "errors", "convergence", "work", "influence", "approximation", "budget")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    store = folder / "store" / "verdicts.jsonl"
    store.parent.mkdir()
    store.write_text("".join(f"{line}\n" for line in lines_of(all_kinds())), encoding="utf-8")
    return write_report(store, folder / "out")


def opened(browser, report, complaints, **options):
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(report.as_uri())
    return page


def drawn(page, key):
    """The figure of a drawing, once it is there."""
    figure = page.locator(f'figure[data-drawing="{key}"]')
    figure.scroll_into_view_if_needed()
    figure.locator(".main-svg").first.wait_for()
    return figure


CHOOSE = """async ([key, index]) => {
  const figure = document.querySelector(`figure[data-drawing=${key}]`), place = figure.querySelector(".canvas");
  const [first] = figure.querySelectorAll("select");
  if (index >= first.options.length) return null;
  const done = new Promise((resolve) => place.once("plotly_afterplot", resolve));
  first.selectedIndex = index;
  first.dispatchEvent(new Event("change"));
  await done;
  return { group: first.value, words: figure.querySelector("figcaption .said").textContent,
           signs: [...place.querySelectorAll("svg text")].map((text) => text.textContent), traces: place.data.length };
}"""
"""Choose a group of a drawing, and read what is drawn then."""


def test_groups_are_drawn_what_failed_has_its_letter_and_a_point_says_its_value(browser, report):
    complaints = []
    page = opened(browser, report, complaints, viewport={"width": 1280, "height": 900})
    for key in PLACES:
        drawn(page, key)
        seen = [found for index in (1, 0) if (found := page.evaluate(CHOOSE, [key, index])) is not None]
        assert seen, key
        for found in seen:
            assert found["traces"] > 0, (key, found["group"])
            assert found["words"].endswith("."), (key, found["group"])
        assert any(sign.startswith("F") for found in seen for sign in found["signs"]), key
    page.evaluate(CHOOSE, ["convergence", 1])
    page.evaluate(
        """() => { const place = document.querySelector("figure[data-drawing=convergence] .canvas");
        const line = place.data.findIndex((t) => t.meta?.quantity === "error" && t.meta.target === "ours");
        Plotly.Fx.hover(place, [{ curveNumber: line, pointNumber: 0 }]); }"""
    )
    said = " ".join(page.locator("figure[data-drawing=convergence] .hoverlayer text").all_text_contents())
    assert "distance 0.0" in said
    assert "ours" in said
    page.set_viewport_size({"width": 1100, "height": 900})
    page.wait_for_function("innerWidth === 1100")
    page.wait_for_timeout(600)  # Plotly waits a moment before it follows the window
    for key in PLACES:
        canvas = page.locator(f"figure[data-drawing={key}] .canvas")
        high, drawing = canvas.evaluate("c => [c.clientHeight, c.querySelector('.main-svg').clientHeight]")
        assert high >= drawing > 200, (key, high, drawing)
    assert complaints == []
    page.context.close()


def test_a_phone_in_the_dark_shows_every_drawing_without_scrolling_the_page_sideways(browser, report):
    complaints = []
    options = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    page = opened(browser, report, complaints, **options)
    for key in PLACES:
        figure = drawn(page, key)
        box = figure.locator(".canvas").bounding_box()
        assert box["x"] + box["width"] <= 390, key
        tick = figure.locator(".ytick text").first
        size, ink = tick.evaluate("text => [getComputedStyle(text).fontSize, getComputedStyle(text).fill]")
        assert float(size.removesuffix("px")) >= 10, key
        shades = [int(part) for part in ink[ink.index("(") + 1 : ink.index(")")].split(",")[:3]]
        assert min(shades) > 160, (key, ink)  # light on dark
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints == []
    page.context.close()
