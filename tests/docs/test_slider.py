"""docs/_static/hippo-slider.html in Chromium, as a file and without a network."""

import json
import re
import sys

import numpy as np
import pytest
from docs_tools import ROOT

import hippo_fast

pytest.importorskip("playwright", reason="playwright is not installed")
sys.path.insert(0, str(ROOT / "tests/verify"))
import browser_tools as tools

STATIC = ROOT / "docs/_static"
ADDRESS = (STATIC / "hippo-slider.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    """Without the switch for reduced motion that other pages are tested with: the tests say what they want."""
    if tools.CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium, or name it in HIPPO_VERIFY_CHROMIUM")
    with tools.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=tools.CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser):
    opened = []

    def go(width=900, script=True, **options):
        context = browser.new_context(viewport={"width": width, "height": 760}, java_script_enabled=script, **options)
        page = context.new_page()
        page.failures = []
        page.on("pageerror", lambda error: page.failures.append(str(error)))
        page.on("request", lambda request: page.failures.extend([request.url] * (not request.url.startswith("file:"))))
        page.goto(ADDRESS)
        opened.append(context)
        return page

    yield go
    for context in opened:
        context.close()


def test_time_measure_and_order_are_chosen_by_keyboard(visit):
    page = visit()
    said = page.locator("#says")
    assert "At time 5.0, after 500 samples: 9 numbers remember all of the past alike (LegS)" in said.text_content()
    page.locator("#moment").focus()
    page.keyboard.press("ArrowRight")
    assert "At time 5.1, after 510 samples" in said.text_content()
    page.keyboard.press("End")
    assert page.locator("#moment").get_attribute("aria-valuetext") == "time 10.0"
    page.get_by_label("LegS", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert "the last 2 alike (LegT)" in said.text_content()
    page.get_by_label("9", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert "17 numbers" in said.text_content()
    assert page.locator("#bars .bar").count() == 17
    assert page.failures == []


def test_what_is_drawn_is_what_is_remembered(visit):
    """The curve of the page, read back from its pixels, is `reconstruct` of the page's coefficients."""
    text = (STATIC / "hippo-slider.html").read_text(encoding="utf-8")
    numbers = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])
    page = visit()
    points = page.locator("#picture .rebuilt").get_attribute("points").split()
    height = page.locator("#picture").bounding_box()["height"] - 18
    drawn = np.array([float(point.split(",")[1]) for point in points])
    state = numbers["memories"][0]["states"]["33"][49][:9]
    expected = np.clip(hippo_fast.reconstruct("legs", state, numbers["fractions"]), -1.3, 1.65)
    assert np.abs((1 - drawn / height) * 2.95 - 1.3 - expected).max() < 0.02


def test_it_plays_where_motion_is_welcome_only(visit):
    page = visit(reduced_motion="no-preference")
    page.locator("#play").click()
    page.wait_for_function("Number(document.getElementById('moment').value) > 50")
    page.locator("#play").click()
    assert page.locator("#play").text_content() == "Play"
    assert not visit(reduced_motion="reduce").locator("#play").is_visible()


def test_without_scripts_it_shows_the_still_picture(visit):
    page = visit(script=False)
    assert page.locator("#still img").is_visible()
    assert "at three moments" in page.locator("#still").text_content()
    assert not page.locator("#controls").is_visible()
    assert visit().locator("#still").is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_excludes_nobody(visit, scheme):
    page = visit(width=390, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert tools.complaints_of_axe(page) == []
    assert page.failures == []
