"""The dashboard in a headless browser, with the clicks and keys of a person; skipped where there is no Chromium."""

import re

import dashboard_tools as tools
import pytest

pytest.importorskip("asv")
pytest.importorskip("jinja2")
pytest.importorskip("playwright", reason="playwright is not installed")

import browser_tools
from browser_tools import complaints_of_axe
from playwright.sync_api import expect

from verify.dashboard import build

browser = browser_tools.browser

FRONT, STATES = "index.html", "benchmarks/bench_scan.Scan.time_states.html"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    hashes = tools.repository(folder / "repo", subjects={tools.SLOW: tools.HOSTILE})
    results = tools.results(folder / "repo" / ".asv" / "results", hashes)
    store = tools.verdict_store(folder / "store", hashes[-1])
    built = build(results, folder / "site", repository=folder / "repo", store=store)
    assert built.asv.made
    return folder / "site"


@pytest.fixture
def visit(browser, site):
    """Opens a page; at the end no page may have complained, or asked for anything but files and data."""
    complaints, asked, contexts = [], [], []

    def opened(path=FRONT, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{site.as_uri()}/{path}")
        return page

    yield opened
    for context in contexts:
        complaints += [f"executed: {page.url}" for page in context.pages if page.evaluate("'pwned' in window")]
        context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith((f"{site.as_uri()}/", "data:", "blob:"))] == []


def drawn(page):
    """Lines and points of the figure that is shown."""
    page.wait_for_selector(".canvas .scatterlayer .trace")
    return page.locator(".canvas .scatterlayer .trace").count()


def shown(page):
    return page.locator("#rows tbody tr:visible").count()


def test_pages_load_without_complaint_and_graphs_draw(visit, site):
    page = visit()
    assert drawn(page) == 2
    names = sorted(path.name for path in (site / "benchmarks").glob("*.html"))
    assert len(names) == 8
    for name in names:
        page.goto(f"{site.as_uri()}/benchmarks/{name}")
        if "skipped" not in name:
            assert drawn(page) >= 1
    page.goto(f"{site.as_uri()}/{STATES}")
    assert drawn(page) == 6 + 1, "six lines and the ring around the regression"


def test_filters_and_sorting(visit):
    page = visit()
    assert shown(page) == 18
    page.locator("select[name='p.measure']").select_option("legs")
    assert shown(page) == 4
    page.locator("select[name='p.backend']").select_option("numpy")
    assert shown(page) == 2
    page.locator("select[name=kind]").select_option("error")
    assert shown(page) == 1
    assert page.locator(".filters output").text_content() == "1 of 18"
    page.locator(".filters button[type=reset]").click()
    expect(page.locator(".filters output")).to_have_text("18 of 18")
    page.get_by_label("Text").fill("TRACK fout")
    assert shown(page) == 2
    page.get_by_label("Text").fill("no such benchmark")
    assert shown(page) == 0
    page.get_by_label("Text").fill("")
    page.locator("select[name=moved]").select_option("silent")
    assert shown(page) == 2
    page.locator("select[name=moved]").select_option("")
    now = "[...document.querySelectorAll('#rows tbody tr')].map((row) => row.cells[2].dataset.key)"
    page.get_by_role("button", name="now").click()
    rising = [float(key) for key in page.evaluate(now) if key]
    assert rising == sorted(rising)
    assert page.evaluate(now)[-1] == "", "what has no number comes last"
    page.get_by_role("button", name="now").click()
    falling = [float(key) for key in page.evaluate(now) if key]
    assert falling == rising[::-1]
    assert page.evaluate(now)[-1] == ""
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"


def test_a_person_finds_the_planted_regression_by_clicks(visit):
    page = visit()
    page.get_by_role("link", name=re.compile("open regression")).click()
    row = page.locator("#open tbody tr", has_text="backend = numpy, measure = legs")
    assert row.is_visible()
    assert "window.pwned=1" in row.text_content(), "the subject of the commit that brought it"
    row.get_by_role("link", name=re.compile("time_states")).click()
    page.wait_for_url("**/bench_scan.Scan.time_states.html")
    assert page.get_by_role("heading", level=1).text_content() == "bench_scan.Scan.time_states"
    assert page.locator("#found tbody tr").count() == 1
    assert re.search(r"worse.*×(1\.9|2\.0)", page.locator("#found tbody tr").text_content(), flags=re.DOTALL)
    drawn(page)
    x, y = page.evaluate(
        """() => { const place = document.querySelector('.canvas'); const axes = place._fullLayout;
        const ring = place.data.find((trace) => trace.name === 'worse'); const box = place.getBoundingClientRect();
        return [box.left + axes.xaxis._offset + axes.xaxis.d2p(ring.x[0]),
                box.top + axes.yaxis._offset + axes.yaxis.d2p(ring.y[0])]; }"""
    )
    page.mouse.move(x, y)
    page.wait_for_selector(".hoverlayer .hovertext")
    said = page.locator(".hoverlayer .hovertext").first.text_content()
    assert re.search("worse ×|numpy, legs: 2.0.ms.*window.pwned=1", said)
    page.get_by_role("link", name="repo").click()
    page.wait_for_url("**/index.html")


def test_a_person_finds_it_with_the_keyboard_alone(visit):
    page = visit()
    seen = set()

    def tab_to(wanted, most=60):
        for _ in range(most):
            page.keyboard.press("Tab")
            state = page.evaluate(
                """() => { const e = document.activeElement; const style = getComputedStyle(e);
                return [e.textContent || e.name || '', style.outlineStyle, parseFloat(style.outlineWidth)]; }"""
            )
            seen.add(state[0][:20])
            assert state[1] != "none", f"no visible focus on {state[0]!r:.60}"
            assert state[2] >= 1
            if wanted in state[0]:
                return
        raise AssertionError(f"{wanted} is not reached; reached: {sorted(seen)}")

    tab_to("Skip to the summary")
    page.keyboard.press("Enter")
    page.wait_for_url("**#summary")
    tab_to("open regressions")
    page.keyboard.press("Enter")
    tab_to("bench_scan.Scan.track_lost")
    tab_to("bench_scan.Scan.time_states")
    page.keyboard.press("Enter")
    page.wait_for_url("**/bench_scan.Scan.time_states.html")
    assert "worse" in page.locator("#found").text_content()


def test_filters_and_sorting_by_keyboard(visit):
    page = visit()
    page.get_by_label("Text").focus()
    page.keyboard.type("legs")
    page.keyboard.press("Tab")
    page.keyboard.type("legs")  # a select chooses what is typed
    expect(page.locator(".filters output")).to_have_text("4 of 18")
    button = page.get_by_role("button", name="kind")
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator("th[aria-sort]").text_content() == "kind"


@pytest.mark.parametrize("path", [FRONT, STATES])
def test_a_phone_of_360_pixels_shows_all_of_it_without_sideways_scrolling(visit, path):
    page = visit(path, viewport={"width": 360, "height": 740})
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate("document.querySelector('.canvas svg').getBoundingClientRect().right") <= 360
    table = page.locator("#open, #found").first
    assert table.locator("tbody tr").last.evaluate("(row) => row.getBoundingClientRect().right") <= 360
    assert "factor" in table.locator("td[data-label=factor]").first.evaluate(
        "(e) => getComputedStyle(e, '::before').content"
    )


def test_dark_mode_is_dark_and_figures_follow(visit):
    page = visit(STATES, color_scheme="dark")
    drawn(page)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    assert page.evaluate("getComputedStyle(document.querySelector('.canvas .xtick text')).fill") == "rgb(230, 233, 238)"
    page.emulate_media(color_scheme="light")
    expect(page.locator(".canvas .xtick text").first).to_have_css("fill", "rgb(27, 33, 41)")


@pytest.mark.parametrize("path", [FRONT, STATES])
def test_without_javascript_the_tables_say_it_all(browser, site, path):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.as_uri()}/{path}")
    assert page.locator("figure[data-drawing]:visible").count() == 0
    assert page.locator("form.filters:visible").count() == 0
    assert page.locator("#open tbody tr:visible, #found tbody tr:visible").count() >= 1
    if path == FRONT:
        assert page.locator("#rows tbody tr:visible").count() == 18
        assert page.locator("svg.spark:visible").count() == 18
    context.close()


@pytest.mark.parametrize(
    ("scheme", "options"), [("light", {}), ("dark", {"runOnly": {"type": "rule", "values": ["color-contrast"]}})]
)
def test_axe_finds_nothing(visit, site, scheme, options):
    page = visit(color_scheme=scheme, bypass_csp=True)  # it injects itself as a script, which our pages allow nobody
    for path in (FRONT, STATES):
        page.goto(f"{site.as_uri()}/{path}")
        drawn(page)
        page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
        assert complaints_of_axe(page, **options) == []


def test_axe_bites(browser):
    page = browser.new_page()
    page.set_content("<body><img src='data:,'><p style='color:#999;background:#fff'>faint</p><input></body>")
    found = {rule for rule, _ in complaints_of_axe(page)}
    assert {"image-alt", "color-contrast", "html-has-lang", "label"} <= found
    page.close()


def test_the_pages_of_asv_work_without_a_network(visit, site):
    page = visit("asv/index.html")
    page.wait_for_selector("#summarygrid-display .flot-base")
    assert page.locator("#summarygrid-display .benchmark-container").count() == 8
    page.goto(f"{site.as_uri()}/asv/index.html#/summarylist")
    page.wait_for_selector("#summarylist-body td")
    page.goto(f"{site.as_uri()}/asv/index.html#/regressions")
    page.wait_for_selector("#regressions-body td")
    assert "bench_scan.Scan.time_states('numpy', 'legs')" in page.locator("#regressions-body").text_content()
    page.goto(f"{site.as_uri()}/asv/index.html#bench_scan.Scan.time_states")
    page.wait_for_selector("#main-graph .flot-base")
    page.get_by_role("link", name="Dashboard").click()
    page.wait_for_url("**/index.html")
    page.get_by_role("link", name="asv's own pages").first.click()
    page.wait_for_selector("#summarygrid-display .flot-base")
