"""The report in a headless browser, opened from a disk, with the clicks and keys of a person."""

import hashlib
import json
import re
from dataclasses import replace

import pytest
from report_tools import ended, every_status, lines_of, passed, written

pytest.importorskip("jinja2")
pytest.importorskip("plotly")
pytest.importorskip("playwright", reason="playwright is not installed")

import browser_tools
from browser_tools import complaints_of_axe
from playwright.sync_api import expect

from verify.case import Case
from verify.report import failures, write_report
from verify.report.page import templates
from verify.verdict import Status

browser = browser_tools.browser
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    case = Case("ours", "legs", level="scan", method="zoh")
    many = [passed(replace(case, order=order), measured=order * 1e-18) for order in range(1, 61)]
    wrong = [
        ended(Status.FAIL, replace(case, order=order, target="more"), f"wrong {order}", measured=2.0, bound=1.0)
        for order in range(1, 5)
    ]
    everything = every_status() + many + wrong
    now = written(folder / "now", lines_of(everything))
    earlier = written(folder / "earlier", lines_of([*every_status(), *many[:50]]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failures, "PER_PAGE", 6)
        write_report(now, folder / "out", earlier=earlier)
    return folder / "out"


def watched(page, complaints, asked, pictures=False):
    """A page whose complaints and questions are kept; without pictures it is spared the library that draws them."""
    page.set_default_timeout(20_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    if not pictures:
        stub = {"body": "window.Plotly = { react() {}, relayout() {} };", "content_type": "text/javascript"}
        page.route("**/plotly-*.js", lambda route: route.fulfill(**stub))
    return page


@pytest.fixture
def visit(browser, site):
    """Opens the report; at the end no page may have complained, or asked for anything but files of its folder."""
    complaints, asked, contexts = [], [], []

    def visited(pictures=False, **options):
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}))
        page = watched(contexts[-1].new_page(), complaints, asked, pictures)
        page.goto(f"{site.as_uri()}/index.html")
        return page

    yield visited
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith((f"{site.as_uri()}/", "data:", "blob:"))] == []


def table(page):
    """The table of all verdicts, once it is there."""
    page.locator("#verdicts").scroll_into_view_if_needed()
    page.wait_for_selector("#table[data-ready]")
    return page.locator("#table")


def column(page, name):
    return page.locator(f".tabulator-row .tabulator-cell[tabulator-field={name}]").all_text_contents()


@pytest.fixture(scope="module")
def shared(browser, site):
    """One page for the tests that leave it as it was, but for the filters."""
    complaints, asked = [], []
    page = watched(browser.new_page(viewport={"width": 1280, "height": 900}), complaints, asked)
    page.goto(f"{site.as_uri()}/index.html")
    yield page
    page.close()
    assert complaints == []


@pytest.fixture
def page(shared, site):
    if not shared.url.startswith(f"{site.as_uri()}/index.html"):
        shared.goto(f"{site.as_uri()}/index.html")
    table(shared).get_by_role("button", name="Show all").click()
    return shared


TOTAL = len(every_status()) + 64


def test_the_table_is_filtered_sorted_and_says_the_rest_of_a_verdict(page):
    place = page.locator("#table")
    said = place.locator(".said")
    expect(said).to_have_text(f"{TOTAL} verdicts")
    place.get_by_label("Status").select_option("fail")
    expect(said).to_have_text(f"5 of {TOTAL} verdicts")
    place.get_by_label("Text").fill("their's OFF")
    expect(said).to_have_text(f"1 of {TOTAL} verdicts")
    page.locator(".tabulator-row").click()
    assert "state 3 is off" in page.locator(".chosen").text_content()
    page.locator(".chosen a").click()
    assert page.evaluate("location.hash") == "#finding-1"
    assert page.locator("#finding-1[open]").count() == 1
    place.get_by_role("button", name="Show all").click()
    expect(said).to_have_text(f"{TOTAL} verdicts")
    place.get_by_label("Text").fill("no such verdict")
    expect(said).to_have_text(f"0 of {TOTAL} verdicts")
    place.get_by_label("Text").fill("ours zoh")
    expect(said).to_have_text(f"60 of {TOTAL} verdicts")
    place.get_by_role("button", name="error ÷ bound").click()
    falling = list(map(float, column(page, "ratio")))
    assert falling[0] == 0.06
    assert falling == sorted(falling, reverse=True)
    place.get_by_label("Since then").select_option("new")
    expect(said).to_have_text(f"10 of {TOTAL} verdicts")
    page.locator(".tabulator-row").nth(1).hover()
    page.wait_for_selector(".tabulator-tooltip")
    assert "pass: error 5.9e-17, bound 1e-15" in page.locator(".tabulator-tooltip").text_content()


def test_what_has_no_number_comes_last_whichever_way_it_is_sorted(page):
    place = page.locator("#table")
    place.get_by_label("Target").select_option("their's.module:make")
    expect(place.locator(".said")).to_have_text(re.compile("^5 of"))
    button = place.get_by_role("button", name="error", exact=True)
    for _ in range(2):
        button.click()
        assert column(page, "error")[-1] == "–"


def test_the_table_works_by_keyboard_alone(page):
    place = page.locator("#table")
    place.get_by_role("button", name="N", exact=True).focus()
    while place.locator("[tabulator-field=order][aria-sort=ascending]").count() == 0:
        page.keyboard.press("Enter")
    assert column(page, "order")[0] == "1"
    place.get_by_label("Text").fill("ours zoh")
    expect(place.locator(".said")).to_have_text(re.compile("^60 of"))
    page.locator(".tabulator-tableholder").focus()
    page.keyboard.press("Home")
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    expect(page.locator(".tabulator-row.current [tabulator-field=order]")).to_have_text("2")
    page.keyboard.press("End")
    expect(page.locator(".tabulator-row.current [tabulator-field=order]")).to_have_text("60")
    page.keyboard.press("Enter")
    expect(page.locator(".chosen")).to_be_focused()
    assert "N = 60" in page.locator(".chosen h3").text_content()
    page.keyboard.press("Escape")
    expect(page.locator(".tabulator-tableholder")).to_be_focused()


def test_a_click_on_the_coverage_shows_its_verdicts(page):
    row = page.locator("table.matrix[data-target=ours] tbody tr", has_text="scan").first
    row.locator("td[data-column='0']").click()
    expect(page.locator("#table .said")).to_have_text(re.compile(r"^\d+ of \d+ verdicts$"))
    assert page.locator("#table select[name=target]").input_value() == "ours"
    assert set(column(page, "level")) == {"scan"}


def test_a_command_is_copied(page):
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: {writeText: (t) => { window.copied = t; }}})")
    page.locator("#finding-1").evaluate("(finding) => { finding.open = true; }")
    page.locator("#finding-1 button.copy").first.click()
    assert page.evaluate("window.copied") == page.locator("#finding-1 pre.command").first.text_content()
    expect(page.locator("#finding-1 button.copy").first).to_have_text("Copied")


def test_findings_on_further_pages_are_reached_from_the_table(page):
    page.locator("#table").get_by_label("Status").select_option("expected fail")
    expect(page.locator("#table .said")).to_have_text(re.compile("^1 of"))
    page.locator(".tabulator-row").first.click()
    page.locator(".chosen a").click()
    page.wait_for_url("**/failures-2.html#finding-9")
    assert page.locator("#finding-9[open]").count() == 1
    assert complaints_of_axe(page) == []
    page.get_by_role("link", name="Back to the report").click()
    page.wait_for_url("**/index.html")


def test_without_scripts_there_is_a_page_that_says_it_all(visit):
    page = visit(java_script_enabled=False)
    words = page.inner_text("main")
    for said in ("What needs attention", "state 3 is off", "hippo-verify check", "The table needs JavaScript"):
        assert said in words
    page.locator("#verdicts noscript a").click()
    page.wait_for_url("**/numbers.html")
    assert "Error against order" in page.inner_text("main")


@pytest.mark.parametrize("options", [PHONE, {"color_scheme": "dark"}], ids=["phone", "dark"])
def test_nobody_is_shut_out_and_nothing_is_wider_than_the_screen(visit, options):
    page = visit(**options)
    assert page.locator("#summary .points li").count() >= 4
    table(page)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert complaints_of_axe(page) == []


def test_a_picture_is_drawn_when_it_comes_near(visit):
    page = visit(pictures=True)
    page.locator("figure[data-drawing=errors]").scroll_into_view_if_needed()
    page.wait_for_selector("figure[data-drawing=errors] .scatterlayer .trace")
    label = page.locator("figure[data-drawing=errors] .canvas").get_attribute("aria-label")
    assert label == page.locator("figure[data-drawing=errors] .said").text_content()


def test_on_paper_the_table_is_left_out_and_the_rest_fits(visit):
    page = visit(viewport={"width": 794, "height": 1123})
    page.emulate_media(media="print")
    assert not page.locator("nav").first.is_visible()
    assert not page.locator("#table").is_visible()
    assert page.locator(".onpaper").is_visible()
    assert page.locator("#failures").is_visible()
    assert page.pdf().startswith(b"%PDF")


def test_a_file_that_is_missing_beside_the_page_is_said(browser, site, tmp_path):
    import shutil

    shutil.copytree(site, tmp_path / "torn")
    for path in (tmp_path / "torn" / "assets").glob("*"):
        path.unlink()
    page = browser.new_page()
    page.goto((tmp_path / "torn" / "index.html").as_uri())
    page.locator("#verdicts").scroll_into_view_if_needed()
    expect(page.locator("#table .said")).to_have_text(re.compile("No table: assets/table-.* belongs beside this page"))
    page.locator("#pictures").scroll_into_view_if_needed()
    expect(page.locator("figure .warning").first).to_have_text(re.compile("No picture: assets/plotly-.*"))
    page.close()


def test_a_script_that_was_smuggled_in_does_not_run(browser, site):
    """The page trusts one script by its digest, and what that script loads: nothing that stands in the page itself."""
    text = (site / "index.html").read_text()
    evil = '<script>window.pwned = 1</script><script src="assets/evil.js"></script>'
    (site / "assets" / "evil.js").write_text("window.pwned = 2")
    (site / "evil.html").write_text(text.replace("<main>", f"<main>{evil}"))
    page = browser.new_page()
    page.goto(f"{site.as_uri()}/evil.html")
    page.wait_for_function("window.hippoReport")
    assert page.evaluate("window.pwned") is None
    page.close()


def test_the_copies_of_others_are_what_they_are_said_to_be():
    vendor = templates() / "vendor"
    described = json.loads((vendor / "vendor.json").read_text())
    assert {entry["file"] for entry in described} | {"vendor.json", "LICENSES.txt"} == {
        path.name for path in vendor.iterdir()
    }
    for entry in described:
        assert hashlib.sha256((vendor / entry["file"]).read_bytes()).hexdigest() == entry["sha256"], entry["file"]
        assert f"{entry['package']} {entry['version']}" in (vendor / "LICENSES.txt").read_text()
        assert entry["licence"] == "MIT"
