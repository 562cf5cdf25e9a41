"""The site in headless Chromium, from a disk: nothing is fetched, it fits a phone, dark is dark, search finds."""

import sys

import pytest
from docs_tools import ROOT

pytest.importorskip("playwright", reason="playwright is not installed")
sys.path.insert(0, str(ROOT / "tests/verify"))

from browser_tools import browser  # noqa: F401  (a fixture)

PAGES = ("index", "howto", "hippo", "mathematics", "api/hippo_fast", "api/cli", "published/third-party")


def opened(browser, site, scheme, width):  # noqa: F811
    """A page of a browser that is offline, and what it asked a network for or complained of."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 844}, offline=True)
    page, complaints = context.new_page(), []
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else complaints.append(r.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    return page, complaints


def brightness(page):
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(float(part) for part in colour.partition("(")[2].rstrip(")").split(",")[:3]) / 765


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_every_kind_of_page_fits_and_asks_for_nothing(browser, site, scheme, width):  # noqa: F811
    page, complaints = opened(browser, site, scheme, width)
    for name in PAGES:
        page.goto((site / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        assert (brightness(page) < 0.3) is (scheme == "dark"), name
    assert complaints == []
    page.goto((site / "mathematics.html").as_uri())
    heights = page.evaluate(
        "[...document.querySelectorAll('div.math math')].map(m => m.getBoundingClientRect().height)"
    )
    assert heights
    assert max(heights) < 160  # a formula that is laid out as text is a column of signs
    page.context.close()


def test_search_works_from_a_disk(browser, site):  # noqa: F811
    page, _ = opened(browser, site, "light", 1280)
    page.goto((site / "search.html").as_uri() + "?q=counterexamples")
    page.wait_for_selector("ul.search li a")
    assert "counterexamples.html" in " ".join(
        link.get_attribute("href") for link in page.query_selector_all("ul.search li a")
    )
    page.context.close()
