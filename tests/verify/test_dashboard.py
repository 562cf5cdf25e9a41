"""The dashboard without a browser: what it says, and that its pages are sound."""

import itertools
import json
import math
import re
import shutil
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import unquote

import dashboard_tools as tools
import pytest

pytest.importorskip("asv")
pytest.importorskip("jinja2")

from typer.testing import CliRunner

from verify.cli import app
from verify.dashboard import graphs, tables
from verify.dashboard.display import amount, factor
from verify.dashboard.names import page_names, parse
from verify.dashboard.sparkline import sparkline
from verify.dashboard.standing import release_tag, standing
from verify.report.canvas import COLORS
from verify.report.page import templates
from verify.report.records import read

TIME = "bench_scan.Scan.time_states"
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """A page as a browser splits it: elements with their attributes, text, tables as lists of rows."""

    def __init__(self, path):
        super().__init__()
        self.path, self.elements, self.words, self.tables, self.open, self.data = path, [], [], [], [], ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{self.path.name}: <{tag}> closes another element"

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.data += data
        else:
            self.words.append(data)
            if "td" in self.open or "th" in self.open:
                self.tables[-1][-1][-1] += data

    @property
    def text(self):
        return " ".join("".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def pages(folder):
    found = [Page(path) for path in sorted(folder.rglob("*.html")) if "asv" not in path.relative_to(folder).parts]
    assert found
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Built by the command from results as asv stores them, without asv's own pages."""
    folder = tmp_path_factory.mktemp("dashboard")
    hashes = tools.repository(folder / "repo", subjects={tools.SLOW: tools.HOSTILE})
    results = tools.results(folder / "repo" / ".asv" / "results", hashes, skip=(3,))
    store = tools.verdict_store(folder / "store", hashes[-1])
    options = ["--results", results, "--out", folder / "site", "--store", store, "--no-asv"]
    done = CliRunner().invoke(app, ["dashboard", *map(str, options)])
    assert done.exit_code == 0, done.output
    assert re.search(r"wrote .*index\.html: \d+ files, \d\.\d MB", done.output)
    assert "3 open regressions\n2 benchmarks without a number now\n" in done.output
    return folder / "site"


def test_the_front_page_shows_the_planted_regressions_and_the_commits_that_brought_them(site):
    page = Page(site / "index.html")
    opened = next(table for table in page.tables if table[0][3:4] == ["commit that brought it"])
    slow = next(row for row in opened if "backend = numpy, measure = legs" in row[0])
    assert "time_states" in slow[0].replace("\n", "")
    assert 1.9 < float(slow[2].removeprefix("×")) < 2.1
    assert tools.HOSTILE[:40] in slow[3]
    assert slow[4] == "2026-01-25"
    accused = {re.sub(r"\s", "", row[0]) for row in opened[1:]}
    slower = f"{TIME}backend=numpy,measure=legs"
    assert accused == {slower, "bench_scan.Scan.time_gone", "bench_scan.Scan.track_lost"}, (
        "all that was planted, no more"
    )
    assert "track_lost" in page.text
    assert "failed" in next(row for table in page.tables for row in table if "time_gone" in row[0])[1]


def test_a_regression_that_was_made_good_is_no_open_one(site):
    page = Page(site / "index.html")
    good = next(table for table in page.tables if table[0][-1:] == ["made good by"])
    assert any("backend = numba, measure = fout" in row[0] for row in good)
    assert "change number 24" in next(row for row in good if "track_error" in row[0])[-1]
    assert "Regressions made good (2)" in page.text, "the growth of the error, and the burst of inf"


def test_the_front_page_has_verdicts_error_speed_moves_and_pairs(site):
    page = Page(site / "index.html")
    verdicts = next(table for table in page.tables if table[0][0] == "target")
    assert verdicts[0][1:] == ["legs", "fout"]
    assert verdicts[1][1].startswith("pass")
    assert verdicts[1][2].startswith("fail")
    standing_by = next(table for table in page.tables if table[0][0] == "backend")
    numpy = next(row for row in standing_by if row[0] == "numpy")
    column = standing_by[0].index("legs")
    assert re.search(r"worse.*error ÷ bound 0\.1.*time ×\d.*since v1\.0.*ms", numpy[column])
    moved = next(table for table in page.tables if table[0][0] == "kind")
    assert dict(zip(moved[0], next(row for row in moved if row[0] == "time"), strict=True))["worse"] == "2", "one fails"
    paired = next(table for table in page.tables if table[0][0] == "time of")
    assert len(paired) == 1 + 6


def test_every_number_of_a_picture_stands_in_a_table_too(site):
    for path in sorted((site / "benchmarks").glob("*.html")):
        page = Page(path)
        cells = {cell for table in page.tables for row in table for cell in row}
        drawn = json.loads(page.data)["history"]
        unit = "seconds" if ".time_" in path.name else "bytes" if ".peakmem_" in path.name else "error / bound"
        assert drawn, path.name
        for picture in drawn:
            lines = [trace for trace in picture["figure"]["data"] if trace["meta"] == {"commits": True}]
            assert lines
            for trace in lines:
                assert {amount(y, unit) for y in trace["y"] if y is not None} <= cells
    numbers = Page(site / "benchmarks" / "bench_scan.Scan.track_burst.html")
    assert {"inf", "negative (-1), which no error is"} <= {c for table in numbers.tables for row in table for c in row}


def test_pages_are_sound(site):
    for page in pages(site):
        levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b <= a + 1 for a, b in itertools.pairwise(levels)), f"{page.path.name} skips a level"
        assert page.all("html")[0]["lang"] == "en"
        assert page.all("title")
        assert page.all("main")
        assert page.all("a")[0]["class"] == "skip"
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        for table in page.all("svg"):
            assert table["role"] == "img"
            assert table["aria-label"]
        for head in page.all("th"):
            assert head["scope"] in ("col", "row")
        for attributes in page.all("div"):
            if "scroll" in attributes.get("class", "") and "tabindex" in attributes:
                assert attributes["role"] == "region"
                assert attributes["aria-label"]
        assert not page.open


def test_links_lead_somewhere(site):
    for page in pages(site):
        ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
        targets = [a.get("href") or a.get("src") for _, a in page.elements if a.get("href") or a.get("src")]
        assert targets
        for target in targets:
            if target.startswith("#"):
                assert target[1:] in ids
            elif not target.startswith("data:"):
                assert (page.path.parent / unquote(target.partition("#")[0])).is_file(), target


def test_nothing_is_loaded_from_a_network(site):
    for page in pages(site):
        for _, attributes in page.elements:
            for name in ("src", "href"):
                assert not re.match(r"(https?:)?//", attributes.get(name) or "")
        policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
        assert policy.startswith("default-src 'none'; script-src 'self' file:;")
    for path in (site / "assets").glob("*.css"):
        assert "url(" not in path.read_text()


def test_hostile_texts_are_shown_and_never_markup(tmp_path):
    hostile = tools.HOSTILE
    name = f"bench.{hostile.replace('(', '').replace(')', '')}.time_x({hostile!r}, 3)"
    history = tools.history_of(
        {name: [1.0, 2.0, 2.0]}, subjects={1: hostile, 2: hostile}, tags={1: (hostile,)}, unit=hostile
    )
    function = name.partition("(")[0]
    found = {name: [tools.change(1, 1.0, 2.0, text=hostile)]}
    commit = history.commits[-1].hash
    records = read(tools.verdict_store(tmp_path / "store", hostile + commit, target=hostile))
    folder = tools.written(
        tmp_path / "site", history, found, parameters={function: (hostile, "measure")}, records=records, project=hostile
    )
    clean = tools.written(tmp_path / "clean", tools.history_of({"bench.time_x('a', 3)": [1.0, 2.0, 2.0]}))
    expected = {tag for page in pages(clean) for tag, _ in page.elements} | {"br", "strong", "details", "summary"}
    expected |= {"circle", "path", "caption", "em"}
    for page in pages(folder):
        assert {tag for tag, _ in page.elements} <= expected
        assert len(page.all("script")) == 4
        assert not any(attribute.startswith("on") for _, a in page.elements for attribute in a)
        assert "pwned=1</script>" in page.text
        assert "{{7*7}}" in page.text
        block = page.path.read_text().partition('id="drawings">')[2].partition("</script>")[0]
        assert not re.search("[<>&]", block)
        drawn = json.dumps(json.loads(block)).replace("<extra></extra>", "")
        assert not re.search(r"<(?!/?b>|br>)", drawn)
    assert not any(re.search(r"[<>'\" ]", path.name) for path in folder.rglob("*"))


@pytest.mark.parametrize("url", ["javascript:alert(1)//", "#", "data:text/html,x"])
def test_only_an_address_of_the_web_becomes_a_link_to_a_commit(url):
    from verify.dashboard import _commit_url

    assert _commit_url({"show_commit_url": url}) == ""
    assert _commit_url({"show_commit_url": "https://example.org/commit/"}) == "https://example.org/commit/"


def luminance(color):
    """Relative luminance by WCAG 2.2."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    """Contrast ratio by WCAG 2.2."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def palettes():
    """The colours of the style sheet by name, in light and in dark."""
    style = (templates() / "style.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)[:2]
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks)
    return {"light": light, "dark": {**light, **dark}}


def test_the_contrast_formula_bites():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") < 4.5 < contrast("#767676", "#ffffff")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_that_of_wcag_aa(scheme):
    colors = palettes()[scheme]
    text = [(name, ground) for name in ("ink", "soft", "link") for ground in ("paper", "panel")]
    text += [(name, f"{name}-back") for name in ("good", "bad", "doubt", "news", "none")] + [("bad", "paper")]
    for name, ground in text:
        assert contrast(colors[name], colors[ground]) >= 4.5, (name, ground)
    for name in ("good", "bad", "link", "focus", "soft"):  # lines, rings, the frames of controls, what has the focus
        assert contrast(colors[name], colors["paper"]) >= 3, name
    for color in (*COLORS, graphs.WORSE, graphs.BETTER):
        assert contrast(color, colors["paper"]) >= 3, color


def test_colours_stand_in_the_style_sheet_alone():
    """What the contrast test does not see must not exist."""
    assert not re.search(
        r"#[0-9a-f]{3,8}\b(?![^{]*\{)|rgb\(|hsl\(", (templates() / "dashboard/dashboard.css").read_text()
    )


@pytest.mark.parametrize(
    ("whole", "function", "choice"),
    [
        ("bench.time_x", "bench.time_x", ""),
        ("bench.A.time_x('legs', 16)", "bench.A.time_x", "measure = legs, order = 16"),
        ("bench.A.time_x('a, (b)', None)", "bench.A.time_x", "measure = a, (b), order = None"),
        ("bench.A.time_x('l\\'s', <class 'np.f, 8'>)", "bench.A.time_x", "measure = l\\'s, order = <class 'np.f, 8'>"),
        ("bench.A.time_x(1, 2, 3)", "bench.A.time_x", "parameter 1 = 1, parameter 2 = 2, parameter 3 = 3"),
        ("bench.A.time_x(((((", "bench.A.time_x(((((", ""),
    ],
)  # fmt: skip
def test_names_are_taken_apart(whole, function, choice):
    name = parse(whole, {"bench.A.time_x": ("measure", "order")})
    assert (name.whole, name.function, name.choice) == (whole, function, choice)


def test_every_function_has_a_page_of_its_own_on_any_file_system():
    functions = ["a.time_x", "a.Time_x", "a/time_x", "a time_x", "..", "x" * 300, "x" * 301, ".hidden", "a-time_x"]
    names = page_names(functions)
    assert names["a.time_x"] == "a.time_x"
    assert len({name.lower() for name in names.values()}) == len(functions)
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,95}", name) for name in names.values())


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (1.2345, "seconds", "1.23 s"),
        (9.996e-4, "seconds", "1.00 ms"),
        (1e-12, "seconds", "0.001 ns"),
        (0.0, "seconds", "0 ns"),
        (2.0**21, "bytes", "2.00 MiB"),
        (0.25, "error / bound", "0.25 error / bound"),
        (1234.0, "verdicts", "1,234 verdicts"),
        (123456789.0, "", "123,456,789"),
        (math.nan, "seconds", "NaN"),
        (-math.inf, "seconds", "-inf"),
        (None, "seconds", "–"),
    ],
)
def test_amounts(value, unit, said):
    assert amount(value, unit) == said


def test_factors():
    assert [factor(x) for x in (1.2, 0.5, 2000.0, math.nan, None)] == ["×1.20", "×0.5", "×2,000", "–", "–"]


def one(values, found=(), **fields):
    """The one row of a history of one series."""
    history = tools.history_of({"b.time_x": values}, **fields)
    return standing(history, {"b.time_x": found}, {}).rows[0]


def test_a_benchmark_moved_only_where_a_change_was_found():
    tags = {2: ("v1.0",)}
    step = tools.change(4, 1.0, 2.0)
    assert one([1, 1, 1, 1, 2, 2], tags=tags).release.word == "same"
    worse = one([1, 1, 1, 1, 2, 2], [step], tags=tags).release
    assert (worse.word, worse.ratio) == ("worse", 2.0)
    doubtful = tools.change(4, 1.0, 2.0, sure=False)
    assert one([1, 1, 1, 1, 2, 2], [doubtful], tags=tags).release.word == "unsure"
    before = tools.change(1, 1.0, 2.0)
    assert one([1, 2, 2, 2, 2, 2], [before], tags=tags).release.word == "same"
    better = tools.change(4, 2.0, 1.0, worse=False)
    assert one([2, 2, 2, 2, 1, 1], [better], tags=tags).release.word == "better"


def test_what_was_made_good_is_the_same_and_what_was_not_remains():
    tags = {0: ("v1.0",)}
    loss, gain = tools.change(2, 1.0, 2.0, recovered=4), tools.change(4, 2.0, 1.0, worse=False)
    assert one([1, 1, 2, 2, 1, 1], [loss, gain], tags=tags).release.word == "same"
    lasting, part = tools.change(2, 1.0, 4.0), tools.change(4, 4.0, 2.0, worse=False)
    assert one([1, 1, 4, 4, 2, 2], [lasting, part], tags=tags).release.word == "worse"
    more = tools.change(4, 4.0, 0.5, worse=False)
    assert one([1, 1, 4, 4, 0.5, 0.5], [lasting, more], tags=tags).release.word == "better"
    rate = [tools.change(2, 4.0, 1.0), tools.change(4, 1.0, 2.0, worse=False)]
    assert one([4, 4, 1, 1, 2, 2], rate, tags=tags, kind="rate").release.word == "worse"


def test_a_missing_number_is_never_a_blank():
    tags = {0: ("v1.0",)}
    assert one([1, 1, math.nan], tags=tags).release.word == "worse"
    assert one([1, 1, math.nan], tags=tags).state == "no number"
    assert one([1, 1, None], tags=tags).state == "failed"
    assert one([1, 1, None], tags=tags).release.word == "worse", "as the history calls it"
    others = tools.history_of({"b.time_x": [1.0, 1.0, "not run"], "b.time_y": [1.0, 1.0, 1.0]}, tags=tags)
    gone = standing(others, {}, {})
    assert [row.state for row in gone.rows] == ["not run", "measured"]
    assert gone.silent == [gone.rows[0]]
    assert gone.rows[0].release.word == "not measured"
    assert one([math.nan, math.nan, math.nan], tags=tags).state == "skipped"
    assert one([1, 1, 2], tags=tags, version={2: "2"}).release.word == "not comparable"
    assert one([None, 1, 1], tags=tags).release.word == "not measured"


def test_the_release_is_the_newest_version_tag_before_the_newest_measured_commit():
    history = tools.history_of({"b.time_x": [1.0] * 6}, tags={1: ("v1.0", "x"), 3: ("latest",), 5: ("v1.1",)})
    state = standing(history, {}, {})
    assert (state.release.title, state.release.commit) == ("v1.0", 1)
    unmeasured = tools.history_of({"b.time_x": [1.0] * 6}, tags={3: ("2.0rc1",)}, measured=(0, 2, 5))
    assert standing(unmeasured, {}, {}).release.commit == 2
    none = standing(tools.history_of({"b.time_x": [1.0] * 3}), {}, {})
    assert none.release.commit is None
    assert "no earlier commit has a tag that is a version" in none.release.why


@pytest.mark.parametrize(
    ("tags", "found"), [(("v1.0",), "v1.0"), (("1.0.dev1", "z"), ""), (("2026.1",), "2026.1"), ((), "")]
)
def test_release_tags(tags, found):
    assert release_tag(tools.history_of({"b.time_x": [1.0]}, tags={0: tags}).commits[0]) == found


def test_the_week_is_counted_from_the_newest_commit_and_not_from_today():
    state = standing(tools.history_of({"b.time_x": [1.0] * 12}), {}, {})
    assert state.week.commit == 4
    young = standing(tools.history_of({"b.time_x": [1.0] * 3}), {}, {})
    assert young.week.commit is None
    assert young.rows[0].week.word == "not measured"


def test_a_wrong_clock_makes_no_base_of_yesterdays_commit():
    """What came within the week would else be compared with itself."""
    history = tools.history_of({"b.time_x": [1.0] * 12})
    for day, when in ((10, tools.START - timedelta(days=9999)), (6, tools.START)):
        wrong = [replace(c, when=when) if i == day else c for i, c in enumerate(history.commits)]
        assert standing(replace(history, commits=tuple(wrong)), {}, {}).week.commit == 4


def test_what_the_page_cannot_know_is_said_at_the_top(tmp_path):
    history = tools.history_of({"b.time_x": [1.0] * 20, "b.track_x": [1.0] * 20})
    said = Page(tools.written(tmp_path / "whole", history) / "index.html").text
    assert "of the newest 2, only hippo-verify gate can tell." in said
    assert not re.search("Not all|not judged|from noise yet", said)
    mute = {**history.series, "b.track_x": replace(history.series["b.track_x"], kind=None)}
    partial = replace(history, series=mute, aside=("lab/x.json cannot be read", "commit y is not on the line"))
    said = Page(tools.written(tmp_path / "partial", partial) / "index.html").text
    assert "Not all that is stored is shown (2 left out): results that cannot be read, or commits" in said
    assert "1 benchmark is not judged, such as b.track_x: neither name nor unit says which way is worse." in said
    few = Page(tools.written(tmp_path / "few", tools.history_of({"b.time_x": [1.0] * 11})) / "index.html").text
    assert "No change of speed or memory can be told from noise yet: the longest history has 11 values" in few


def test_equal_builds_give_a_page_without_an_alarm(tmp_path):
    history = tools.history_of({f"b.time_x({n})": [1.0] * 20 for n in range(5)}, tags={3: ("v1.0",)})
    folder = tools.written(tmp_path / "site", history)
    page = Page(folder / "index.html")
    assert "No open regression was found." in page.text
    assert not [
        a for tag, a in page.elements if tag != "option" and re.search(r"worse|failed|no-number", a.get("class") or "")
    ]


def test_what_is_not_sure_is_no_open_regression_and_not_hidden(tmp_path):
    history = tools.history_of({"b.time_x": [1.0, 1.0, 2.0]})
    found = {"b.time_x": [tools.change(2, 1.0, 2.0, sure=False, text="slower; or the machine was busy")]}
    said = Page(tools.written(tmp_path / "site", history, found) / "index.html").text
    assert "0 open regressions" in said
    assert "1 unsure" in said
    assert "unsure time: slower; or the machine was busy" in said


def test_where_several_commits_may_have_brought_it_all_are_named(tmp_path):
    history = tools.history_of(
        {"b.time_x": [1.0, "not run", "not run", 2.0]}, subjects={1: "one", 2: "two", 3: "three"}
    )
    found = {"b.time_x": [tools.change(3, 1.0, 2.0, first=1)]}
    site = tools.written(tmp_path / "site", history, found, commit_url="https://example.org/commit/")
    page = Page(site / "index.html")
    row = next(row for table in page.tables for row in table[1:] if table[0][3:4] == ["commit that brought it"])
    assert row[3].startswith("one of 3 commits, 00000000 to 00000000")
    assert all(word in row[3] for word in ("one", "two", "three"))
    links = [a["href"] for a in page.all("a") if a.get("href", "").startswith("https://example.org/commit/")]
    assert f"https://example.org/commit/{history.commits[2].hash}" in links
    figure = json.loads(Page(site / "benchmarks" / "b.time_x.html").data)["history"][0]["figure"]
    [ring] = [trace for trace in figure["data"] if trace["name"] == "worse"]
    assert "with one of 3 commits up to 00000000" in ring["customdata"][0]


def test_the_page_says_when_it_is_not_about_head(tmp_path):
    history = tools.history_of({"b.time_x": [1.0] * 4}, commits=7)
    head = history.commits[3].hash
    records = read(tools.verdict_store(tmp_path / "a", head))
    said = Page(tools.written(tmp_path / "site", history, records=records) / "index.html").text
    assert f"HEAD is {history.commits[6].short}, 3 commits later, and nothing is measured there" in said
    assert "another commit" not in said
    other = read(tools.verdict_store(tmp_path / "b", "f" * 40, dirty=True))
    said = Page(tools.written(tmp_path / "other", history, records=other) / "index.html").text
    assert "The verdicts are of another commit, ffffffff, than the newest measured one." in said
    assert "The verdicts are of a working tree with uncommitted changes." in said


def test_marks_of_changes_differ_in_shape(tmp_path):
    """Colour alone tells nobody who sees none."""
    history = tools.history_of({f"b.time_{name}": [1.0, 1.0, 2.0] for name in ("x", "y", "z")})
    step = tools.change(2, 1.0, 2.0)
    found = {"b.time_x": [step], "b.time_y": [replace(step, worse=False)], "b.time_z": [replace(step, sure=False)]}
    page = Page(tools.written(tmp_path / "site", history, found) / "index.html")
    drawn = {a["class"]: re.sub(r"^M[\d.]+ [\d.]+", "", a["d"]) for a in page.all("path")}
    assert set(drawn) == {"worse", "better", "unsure"}
    assert len(set(drawn.values())) == 3


def test_what_was_never_a_number_says_what_is_known_of_it(tmp_path):
    """asv alone does not tell a skip from NaN: then nobody may call it skipped."""
    page = Page(tools.written(tmp_path / "site", tools.history_of({"b.time_x": [math.nan] * 3})) / "index.html")
    assert "NaN, or skipped" in next(row for table in page.tables for row in table[1:] if table[0][2:3] == ["now"])[2]


def test_a_sparkline_has_a_gap_a_ring_and_a_cross():
    row = one([1.0, 1.0, None, 2.0, 2.0, math.nan, 2.0], [tools.change(3, 1.0, 2.0)])
    drawn = sparkline(row, 7)
    assert len(drawn.lines) == 3
    assert [mark[2] for mark in drawn.marks] == ["worse"]
    assert len(drawn.holes) == 2, "a failure and NaN"
    assert drawn.label == "from 1.00 s to 2.00 s in 5 points, 1 time worse"
    assert sparkline(one([1.0, 1.0, 1.0], version={1: "2", 2: "2"}), 3).lines[0].count(" ") == 1
    noise = sparkline(one([1.0, 1.02, 1.0]), 3)
    heights = [float(point.split(",")[1]) for point in noise.lines[0].split()]
    assert max(heights) - min(heights) < 4, "noise that looks like a mountain"


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1e-3, 2e-3], ["1.00 ms", "2.00 ms"]),
        ([1e-9, 10.0], None),
        ([1.0, 1.0], None),
        ([5e-4, 5.1e-4], None),
    ],
)
def test_an_axis_has_a_few_round_labels(values, labels):
    axis = graphs._axis(values, "seconds", "time")
    assert 2 <= len(axis["ticktext"]) <= 12
    assert len(set(axis["ticktext"])) == len(axis["ticktext"])
    assert axis["range"][0] < math.log10(min(values)) < math.log10(max(values)) + 1e-12 < axis["range"][1]
    assert labels is None or set(labels) <= set(axis["ticktext"])
    assert graphs._axis([0.0, 1.0], "seconds", "time")["rangemode"] == "tozero"


def test_many_choices_of_parameters_share_figures_by_backend():
    names = [f"b.time_x('{b}', '{m}', {n})" for b in "xyz" for m in ("legs", "legt") for n in (4, 8)]
    history = tools.history_of({name: [1.0, 1.0] for name in names})
    bad = "b.time_x('y', 'legt', 4)"
    found = {bad: [tools.change(1, 1.0, 2.0)]}
    rows = standing(history, found, {"b.time_x": ("backend", "measure", "order")}).rows
    drawn = graphs.histories(rows, history.commits)
    assert len(drawn) == 4
    assert drawn[0].group == "measure = legt, order = 4", "the figure with the regression comes first"
    assert [t["name"] for t in drawn[0].figure["data"]] == ["x", "y", "z", "worse"]


def test_times_and_errors_of_equal_parameters_are_paired_across_functions():
    times = tools.history_of({f"s.time_x('{b}', 'legs')": [1.0] for b in ("numpy", "numba", "torch")})
    names = [f"a.{b}.track_e('{b}', 'legs', '{d}')" for b in ("numpy", "numba") for d in ("float64", "float32")]
    errors = tools.history_of({name: [0.5] for name in names}, kind="error", unit="ulps")
    history = replace(times, series={**times.series, **errors.series})
    parameters = {"s.time_x": ("backend", "measure")}
    parameters |= {f"a.{b}.track_e": ("backend", "measure", "dtype") for b in ("numpy", "numba")}
    rows = standing(history, {}, parameters).rows
    found = tables.pairs(rows)
    assert list(found) == [("s.time_x", "ulps")]
    assert [
        (t.name.get("backend"), e.name.get("backend"), e.name.get("dtype")) for t, e in found["s.time_x", "ulps"]
    ] == [
        ("numpy", "numpy", "float64"),
        ("numba", "numba", "float64"),
    ]
    (picture,) = graphs.work_precision(found)
    assert [trace["name"] for trace in picture.figure["data"]] == ["numpy", "numba"]


def test_filters_offer_every_parameter_and_do_not_mistake_one_for_a_word_of_ours():
    history = tools.history_of({"b.time_x('fast', 8)": [1.0], "b.time_x('fast', 16)": [1.0]})
    rows = standing(history, {}, {"b.time_x": ("kind", "order")}).rows
    assert tables.facets(rows) == [
        ("kind", "kind", ["time"]),
        ("p.kind", "kind", ["fast"]),
        ("p.order", "order", ["8", "16"]),
    ]
    assert tables.filters(rows[0]) == {"kind": "time", "moved": [], "p.kind": "fast", "p.order": "8"}


def invoke(*options):
    return CliRunner().invoke(app, ["dashboard", *map(str, options)])


@pytest.fixture
def small(tmp_path):
    """A repository of six commits with results, and where they lie."""
    hashes = tools.repository(tmp_path / "repo", commits=6)
    return tools.results(tmp_path / "repo" / ".asv" / "results", hashes)


def test_a_second_site_replaces_the_first_and_leaves_what_is_not_its_own(small, tmp_path):
    out = tmp_path / "site"
    assert invoke("--results", small, "--out", out, "--no-asv").exit_code == 0
    (out / "CNAME").write_text("example.org")
    (out / ".git").mkdir()
    (out / "mine" / "empty").mkdir(parents=True)
    before = (out / "index.html").read_bytes()
    described = json.loads((small / "benchmarks.json").read_text())
    for path in small.glob("lab/*-*.json"):
        document = json.loads(path.read_text())
        document["results"].pop("bench_scan.Scan.track_exact")
        path.write_text(json.dumps(document))
    assert described
    assert invoke("--results", small, "--out", out, "--no-asv").exit_code == 0
    assert not (out / "benchmarks" / "bench_scan.Scan.track_exact.html").exists()
    assert (out / "CNAME").read_text() == "example.org"
    assert (out / ".git").is_dir()
    assert (out / "mine" / "empty").is_dir()
    assert (out / "index.html").read_bytes() != before


def test_the_terminal_says_what_the_page_says_first(small, tmp_path):
    """Nobody who reads "0 open regressions" there may think that HEAD was measured."""
    newest = max(small.glob("lab/*-*.json"), key=lambda path: json.loads(path.read_text())["date"])
    newest.write_text("{")
    said = invoke("--results", small, "--out", tmp_path / "site", "--no-asv").output
    assert "0 open regressions\n" in said
    assert re.search("HEAD is [0-9a-f]{8}, 1 commit later, and nothing is measured there", said)
    assert "Not all that is stored is shown (1 left out)" in said
    assert "No change of speed or memory can be told from noise yet: the longest history has 5 values" in said


def test_the_same_results_give_the_same_bytes(small, tmp_path):
    for name in ("a", "b"):
        assert invoke("--results", small, "--out", tmp_path / name, "--no-asv").exit_code == 0
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)


def test_a_front_page_of_another_is_not_overwritten(small, tmp_path):
    (tmp_path / "index.html").write_text("mine")
    done = invoke("--results", small, "--out", tmp_path, "--no-asv")
    assert done.exit_code == 2
    assert "has an index.html that is no dashboard; name another folder" in done.output
    assert (tmp_path / "index.html").read_text() == "mine"


def test_a_manifest_cannot_make_it_delete_elsewhere(small, tmp_path):
    out = tmp_path / "site"
    out.mkdir()
    (tmp_path / "precious").write_text("x")
    (out / "dashboard-files.json").write_text(json.dumps(["../precious", str(tmp_path / "precious"), 3]))
    assert invoke("--results", small, "--out", out, "--no-asv").exit_code == 0
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--results", "nowhere"], "nowhere is no folder; expected: results of asv"),
        (["--repository", "nowhere"], "--repository is 'nowhere', which is no folder; expected: a git repository"),
        (["--machine", "moon"], "nothing was measured on a machine named 'moon'; in .*: lab"),
        (["--store", "nowhere"], "no store at nowhere; expected the verdicts.jsonl"),
    ],
)
def test_wrong_options_are_said_and_end_with_2(small, tmp_path, options, said):
    done = invoke("--results", small, "--out", tmp_path / "site", "--no-asv", *options)
    assert done.exit_code == 2
    assert re.search(said, done.output.replace("\n", " "))
    assert not (tmp_path / "site").exists()


def test_results_in_a_checkout_of_their_own_are_not_taken_for_what_was_measured(small, tmp_path):
    """As where they are kept on a branch, or in a repository, of their own."""
    tools.repository(tmp_path / "kept", commits=2, subjects={0: "results"})
    shutil.copytree(small, tmp_path / "kept", dirs_exist_ok=True)
    done = invoke("--results", tmp_path / "kept", "--out", tmp_path / "site", "--no-asv")
    assert done.exit_code == 2
    said = " ".join(done.output.split())
    assert re.search(r"none of the 6 measured commits is in the repository \S+kept; expected: commits of its", said)
    assert "name the repository that was measured: --repository" in said
    assert not (tmp_path / "site").exists()
    named = ["--repository", tmp_path / "repo"]
    assert invoke("--results", tmp_path / "kept", "--out", tmp_path / "site", "--no-asv", *named).exit_code == 0


def test_without_a_repository_the_page_says_what_is_missing(small, tmp_path):
    alone = tmp_path / "alone"
    small.rename(alone)
    done = invoke("--results", alone, "--out", tmp_path / "site")
    assert done.exit_code == 1
    assert "asv needs the repository, and none was at hand.; --no-asv leaves them out" in done.output
    said = Page(tmp_path / "site" / "index.html").text
    assert "No repository was at hand: commits are in the order of their dates" in said
    assert "asv's own pages could not be made." in said
