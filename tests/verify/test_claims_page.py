"""The page of the papers' claims: made from a results file alone, for every reader, and from no other file."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("jsonschema")

import browser_tools
import dashboard_tools
import page_tools
from typer.testing import CliRunner

from verify.claims import words
from verify.claims.base import Curve, Figure, Number, Outcome, Standing, Statement, Table, Unit
from verify.claims.engine import Ending, Found, Record
from verify.claims.results import Results
from verify.cli import app
from verify.outputs.claims_file import read_claims
from verify.report import claims_pictures, claims_tables
from verify.report.claims_page import render_claims, write_claims
from verify.report.claims_summary import LOOKS, SCALES, WORDS, overview

browser = browser_tools.browser
HOSTILE = (
    "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=2><!-- {{7*7}} ${7*7} \u2028 'q' \"w\""
)
PAPER = "HiPPO (2008.07669), table 1"


def statement(standing, text, **fields):
    held = standing is Standing.HOLDS
    given = (
        {"measured": 1.25, "bound": 0.5, "bound_source": "half of the paper's"} if held else {"message": f"why {text}"}
    )
    return Statement(
        text=text, source=PAPER, criterion=f"rule of {text}", standing=standing, **{**given, **fields}
    )  # fmt: skip


def paper(number):
    return {"paper": number, "paper_source": PAPER}


STATEMENTS = tuple(statement(standing, f"Sentence {number}.") for number, standing in enumerate(Standing))
ACCURACY = Table(
    key="accuracy", title="Accuracy", unit="%", row_header="cell", columns=("test", "validation"), note="One data set.",
    rows=(
        ("LegS", (Number(measured=95.1234, low=94.2, high=96.0468, why="smaller", **paper(98.34)), None)),
        ("GRU", (Number(measured=None, why="not trained", **paper(93.04)), Number(measured=12345.6))),
        ("RNN", (Number(measured=51.0, why="smaller"), Number(measured=0.25))),
    ),
)  # fmt: skip
LAGS = tuple(float(2**i) for i in range(6))
FIGURE = Figure(
    key="decay", title="Decay", x_label="lag", y_label="norm", x_log=True, y_log=True, note="One seed.",
    alt="LegS falls.",
    curves=(
        Curve(name="LegS", x=LAGS, y=tuple(1 / x for x in LAGS), low=(-1.0, *(0.5 / x for x in LAGS[1:])),
              high=tuple(2 / x for x in LAGS)),
        Curve(name="RNN", x=LAGS[:2], y=(1.0, 0.0)),
        Curve(name="one", x=(4.0,), y=(0.25,), low=(0.125,), high=(0.5,)),
    ),
)  # fmt: skip
DRAWN = Figure(
    key="drawn", title="Reconstruction", x_label="time (s)", y_label="signal", alt="LegS follows the signal.",
    curves=(
        Curve(name="signal", x=tuple(i / 99 for i in range(100)), y=tuple(i % 7 / 7 for i in range(100))),
        Curve(name="LegS, N = 256", x=(0.0, 0.5, 1.0), y=(0.0, -0.5, 0.25), low=(-0.1, -0.6, 0.2),
              high=(0.1, -0.4, 0.3)),
    ),
)  # fmt: skip


def record(name, ending=Ending.DONE, **fields):
    gave = {"result": {"x": 1.0}, "seconds": 2.5, "time": "2026-01-02T03:04:05+00:00"}
    given = gave if ending is Ending.DONE else {"message": f"{name} gave nothing"}
    return Record(unit=Unit(key=name, cost=1.0, settings={"seed": 3}), ending=ending, **{**given, **fields})


RECORDS = (record("unit one"), record("unit two", before=True), record("unit three", Ending.FAILED))
MEASURED = Found(
    key="long_memory", title="Long memory", source=PAPER, records=RECORDS,
    outcome=Outcome(statements=STATEMENTS, tables=(ACCURACY,), figures=(FIGURE, DRAWN), notes=("Mind the gap.",)),
)  # fmt: skip
BROKEN = Found(
    key="broken", title="Broken", source="", records=(), outcome=Outcome(statements=()),
    problem="the claim could not be planned: LookupError: no plan",
)  # fmt: skip
RESULTS = Results(
    claims=(MEASURED, BROKEN), command=("hippo-verify", "claims", "--quick", "--data=a folder"), seconds=61.5,
    workers=2, budget=600.0, options={"scale": "quick", "seed": 3, "seeds": None, "device": "cpu", "data": "a folder",
                           "trajectories": None},
    provenance={"time": "2026-01-02T03:04:05+00:00", "versions": {"torch": "2.13.0"}, "commit": "0123456789abcdef",
                "dirty": True, "platform": "Linux", "cpu": "A CPU", "cores": 4, "usable_cores": 2, "seed": 3},
)  # fmt: skip


def of(*claims, **fields):
    return replace(RESULTS, claims=claims, **fields)


def with_outcome(**fields):
    return of(replace(MEASURED, outcome=replace(MEASURED.outcome, **fields)))


def page(results=RESULTS):
    return page_tools.Page(render_claims(results))


@pytest.fixture
def file(tmp_path):
    """Writes a results file, or what is no such file."""

    def write(content=RESULTS):
        path = tmp_path / "claims.json"
        content = content.to_json() if isinstance(content, Results) else content
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


# What is said.


def test_what_is_read_is_what_was_written(file):
    assert read_claims(file()) == RESULTS


def test_the_summary_stands_first_and_in_words():
    words = page().words
    assert words.index("Of 5 statements, 1 holds, 1 does not hold") < words.index("The quick scale is the smallest")
    assert "1 is undecided, 1 was not run and 1 ended in an error." in words
    assert "hippo-verify claims --quick '--data=a folder'" in words
    assert "A CPU" in words
    assert "0123456789abcdef, with changes that are not in it" in words
    assert "62 s, of 600 s given" in words
    assert "torch 2.13.0" in words


@pytest.mark.parametrize("one", STATEMENTS, ids=lambda one: one.standing)
def test_a_statement_has_its_standing_as_word_and_sign_and_its_reasons(one):
    sign, look = LOOKS[one.standing]
    found = page()
    assert found.words.count(f"{sign} {one.standing}") == 2, "in the summary, and where its reasons stand"
    assert ("span", {"class": f"badge {look}"}) in found.elements
    part = found.words.partition(f"{sign} {one.standing} {one.text} measured ")[2]
    said = "1.25 against 0.5 (half of the paper's)" if one.standing is Standing.HOLDS else "–"
    assert part.startswith(f"{said} rule {one.criterion} claimed in {PAPER}")
    assert one.message in part


def test_signs_differ_without_colours():
    assert set(LOOKS) == set(Standing)
    assert len({sign for sign, _ in LOOKS.values()}) == len(LOOKS)


def test_the_paper_stands_beside_what_was_measured():
    words = page().words
    assert (
        "cell test validation here paper LegS 95.12 1 [94.20, 96.05] 98.34 GRU – 2 93.04 12,346 RNN 51 1 0.25" in words
    )
    assert "One data set. The paper's numbers: HiPPO (2008.07669), table 1. smaller not trained" in words


def test_reasons_are_said_once_and_every_number_leads_to_its_own():
    found = page()
    links = [a["href"][1:] for tag, a in found.elements if tag == "a" and a["href"].startswith("#")]
    places = [a["id"] for _, a in found.elements if "id" in a]
    assert len(places) == len(set(places))
    assert set(links) <= set(places)
    assert [link for link in links if "-table-1-" in link] == [f"claim-1-long-memory-table-1-{n}" for n in (1, 2, 1)]


def test_where_the_paper_has_its_numbers_from_several_places_each_says_from_where():
    numbers = [Number(measured=1.0, paper=2.0, paper_source=f"table {n}", why="") for n in (1, 2)]
    shown = claims_tables.shown(replace(ACCURACY, rows=(("LegS", tuple(numbers)),)))
    assert shown.source == ""
    assert shown.remarks == ("the paper's number: table 1", "the paper's number: table 2")
    assert [cell.remarks for cell in shown.rows[0][1]] == [(1,), (2,)]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ((95.1234, 94.2, 96.0468), ("95.12", "[94.20, 96.05]")),
        ((95.1234, 91.0, 99.2), ("95.1", "[91.0, 99.2]")),
        ((95.1234, 50.0, 140.0), ("95", "[50, 140]")),
        ((470123.0, 460000.0, 480000.0), ("470,123", "[460,000, 480,000]")),
        ((0.0200123, 0.0199, 0.0201), ("0.02001", "[0.01990, 0.02010]")),
        ((1.23456e-9, 1.2e-9, 1.3e-9), ("1.235e-09", "[1.200e-09, 1.300e-09]")),
        ((0.5, 0.5 - 1e-12, 0.5 + 1e-12), ("0.500000", "[0.500000, 0.500000]")),
        ((-0.001, -1.0, 1.0), ("0.0", "[-1.0, 1.0]")),
        ((3.0, 3.0, 3.0), ("3", "[3, 3]")),
        ((1.5e308, -1.5e308, 1.7e308), ("1.5e+308", "[-1.5e+308, 1.7e+308]")),
        ((0.123456789, None, None), ("0.1235", "")),
        ((None, 1.0, 2.0), ("–", "")),
    ],
)
def test_digits_are_those_that_the_interval_leaves(number, said):
    assert words.digits(*number) == said


def test_figures_have_their_words_and_their_numbers_as_a_table():
    found = page()
    assert "LegS falls. One seed. 1 point at or below 0 has no place on a logarithmic axis." in found.words
    assert "LegS follows the signal." in found.words
    values = claims_tables.values(FIGURE)
    assert values.head == ("lag", "LegS", "RNN", "one")
    assert [row[0] for row in values.rows] == ["1", "2", "4", "8", "16", "32"]
    assert values.rows[1] == ("2", "0.50 [0.25, 1.00]", "0", "")
    assert values.rows[2] == ("4", "0.25 [0.12, 0.50]", "", "0.25 [0.12, 0.50]")
    twice = replace(FIGURE, curves=(Curve(name="a", x=(1.0, 1.0), y=(2.0, 3.0)),))
    assert claims_tables.values(twice).rows == (("1", "2; 3"),)


def test_how_it_was_measured_stands_with_each_claim():
    words = page().words
    assert "3 units: 2 done, 1 failed; 5.0 s of one core; seed 3; 1 of them done by an earlier run" in words
    assert words.count("hippo-verify claims --quick") == 3, "in the summary and with both claims"
    assert "unit three failed: unit three gave nothing" in words
    assert "! the claim could not be planned: LookupError: no plan" in words
    assert "! 1 unit failed" in words
    assert "Mind the gap." in words


def test_every_scale_and_status_has_its_words():
    for scale, sentence in SCALES.items():
        assert sentence in page(of(MEASURED, options={**RESULTS.options, "scale": str(scale)})).words
    assert "nothing is judged" in SCALES["smoke"]
    assert set(WORDS) == {"pass", "fail", "error", "inconclusive", "empty"}
    nothing = page(of())
    assert "nothing measured" in nothing.words
    assert "No claim was measured." in nothing.words


@pytest.mark.parametrize(
    ("standings", "words"),
    [
        ([], "No statement was judged."),
        ([Standing.HOLDS], "The one statement holds."),
        ([Standing.NOT_RUN], "The one statement was not run."),
        ([Standing.FAILS] * 3, "None of the 3 statements holds."),
        ([Standing.HOLDS, Standing.HOLDS, Standing.FAILS], "Of 3 statements, 2 hold and 1 does not hold."),
    ],
)
def test_counts_are_sentences(standings, words):
    listed = tuple(statement(standing, f"S{number}") for number, standing in enumerate(standings))
    assert overview(with_outcome(statements=listed)).words == words


# Figures.


def test_figures_are_valid_plotly():
    go = pytest.importorskip("plotly.graph_objects")
    for picture in claims_pictures.pictures((FIGURE, DRAWN)):
        for layout in ("layout", "narrow"):
            go.Figure(data=picture.figure["data"], layout=picture.figure[layout])
        assert picture.figure["narrow"]["height"] >= picture.figure["layout"]["height"]


def test_bands_are_intervals_and_axes_are_as_asked():
    logarithmic, linear = (picture.figure for picture in claims_pictures.pictures((FIGURE, DRAWN)))
    assert logarithmic["layout"]["xaxis"]["type"] == logarithmic["layout"]["yaxis"]["type"] == "log"
    assert "type" not in linear["layout"]["xaxis"]
    assert "type" not in linear["layout"]["yaxis"]
    band, bar, legs, rnn, _ = logarithmic["data"]
    assert band["fill"] == "toself"
    assert band["x"] == [*LAGS, *reversed(LAGS)]
    assert band["y"][:6] == [2 / x for x in LAGS]
    assert band["y"][6:11] == [0.5 / x for x in reversed(LAGS[1:])]
    assert 0 < band["y"][11] <= 0.5 / 32, "cut off at the foot of the axis: -1 has no place on it"
    assert (bar["x"], bar["y"], "fill" in bar) == ([4.0, 4.0], [0.5, 0.125], False)
    assert legs["y"] == [1 / x for x in LAGS]
    assert rnn["y"] == [1.0, None]
    below = linear["data"][0]
    assert below["y"] == [0.1, -0.4, 0.3, 0.2, -0.6, -0.1]


def test_lines_are_told_apart_without_colours_and_alike_in_all_figures():
    curves = tuple(Curve(name=f"cell {n}", x=(1.0,), y=(1.0,)) for n in range(30))
    looks = claims_pictures.Looks((replace(FIGURE, curves=curves), replace(FIGURE, curves=curves[::-1])))
    found = [looks.of(curve.name) for curve in curves]
    assert len(set(found)) == len(found)
    twelve = found[:12]
    assert len({(symbol, dash) for _, symbol, dash in twelve}) == len(twelve)


def test_few_abscissae_have_a_tick_each():
    rates = Curve(name="a", x=(0.5, 1.0, 2.0), y=(1.0, 2.0, 3.0))
    (picture,) = claims_pictures.pictures((replace(FIGURE, y_log=False, curves=(rates,)),))
    assert picture.figure["layout"]["xaxis"]["ticktext"] == ["0.5", "1", "2"]


def test_a_figure_without_curves_is_no_trouble():
    words = page(with_outcome(figures=(replace(FIGURE, curves=()),))).words
    assert "LegS falls." in words


# Hostile texts.


@pytest.fixture(scope="module")
def hostile():
    text = HOSTILE
    curve = Curve(name=text, x=(1.0, 2.0), y=(1.0, 2.0))
    number = Number(measured=1.0, paper=2.0, paper_source=text, why=text)
    one = Statement(
        text=text, source=text, criterion=text, standing=Standing.FAILS, bound=1.0, bound_source=text, message=text
    )
    found = Found(
        key=text, title=text, source=text, problem=text, records=(record(text, Ending.FAILED, message=text),),
        outcome=Outcome(
            statements=(one,), notes=(text,),
            tables=(Table(key=text, title=text, unit=text, row_header=text, columns=(text,), rows=((text, (number,)),),
                          note=text),),
            figures=(Figure(key=text, title=text, x_label=text, y_label=text, curves=(curve,), note=text, alt=text),),
        ),
    )  # fmt: skip
    provenance = {"time": text, "versions": {text: text}, "commit": text, "platform": text, "cpu": text}
    options = {**RESULTS.options, "device": text, "data": text}
    return replace(RESULTS, claims=(found,), command=("hippo-verify", text), options=options, provenance=provenance)


def test_hostile_text_is_shown_and_never_markup(hostile):
    found = page(hostile)
    tags = [tag for tag, _ in found.elements]
    assert "img" not in tags
    assert tags.count("script") == 3
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)
    assert "</script><script>window.pwned=1</script>" in found.words
    assert "{{7*7}}" in found.words
    assert "<img" not in found.data
    assert "</" not in found.data
    texts = json.dumps(json.loads(found.data)["figure-0-0"][0]["figure"]).replace("<extra></extra>", "")
    assert "&lt;img src=x" in texts
    assert not re.search(r"<(?!br>)", texts), "plotly reads markup"


def test_half_a_surrogate_pair_does_not_stop_the_page(tmp_path):
    path = write_claims(tmp_path / "new" / "claims.html", with_outcome(notes=("bad \ud800 text",)))
    assert b"bad ? text" in path.read_bytes()


def test_nothing_is_loaded_from_a_network():
    found = page()
    for tag, attributes in found.elements:
        if tag in {"script", "link", "img", "iframe", "source", "object", "embed", "base", "form"}:
            assert not re.match(r"(https?:)?//", attributes.get("src") or attributes.get("href") or "")
    policy = next(a["content"] for tag, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")


def test_the_page_needs_neither_torch_nor_what_was_measured():
    program = (
        "import sys, verify.report.claims_page, verify.outputs.claims_file\n"
        "wall = ('torch', 'hippo_fast', 'verify.claims.training', 'verify.claims.reconstruction')\n"
        "print([name for name in sys.modules if name.startswith(wall)])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


# Strict reading.


def changed(*place, to):
    content = RESULTS.to_json()
    content = json.loads(json.dumps(content))
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = to
    return content


WHOLE = json.dumps(RESULTS.to_json()).encode()
FIRST = ("claims", 0, "statements", 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WHOLE[: len(WHOLE) // 2], r"claims.json is no JSON \(.*\); it is cut off; expected the file that"),
        (b"", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "has schema None, this version reads 'hippo-verify-claims/1'; expected the file that `hippo-verify"),
        (changed("schema", to="hippo-verify-claims/0"), "has schema 'hippo-verify-claims/0', this version reads"),
        (changed("schema", to="hippo-verify/1"), "has schema 'hippo-verify/1', this version reads"),
        (changed("seconds", to=float("nan")), "NaN is no number of JSON"),
        (changed("claims", 0, "title", to=5), "claims/0/title: 5 is not of type 'string'"),
        (changed("claims", 0, "figures", 0, "x_label", to=5), "claims/0/figures/0/x_label: 5 is not"),
        (changed("options", "scale", to="huge"), "options/scale: 'huge' is not one of"),
        (changed(*FIRST, "measured", to=None), "statements/0/measured: None is not of type 'number'"),
        (changed(*FIRST, "measured", to=10**400), "too large"),
        (changed(*FIRST, "standing", to="does not hold"), "statements/0"),
        (changed("claims", 0, "statements", 1, "standing", to="undecided"), "says status fail, and .* come to error"),
        (changed("status", to="pass"), "says status pass, and its statements come to fail"),
        (changed("counts", "holds", to=2), "says counts .* come to"),
        (changed("exit_code", to=0), "says exit_code 0, and its statements come to 1"),
        (changed("claims", 1, "key", to="long_memory"), "has the claim 'long_memory' twice"),
        (changed("claims", 0, "figures", 0, "curves", 0, "y", to=[1.0]), "y has 1 points, x has 6"),
        (changed("claims", 0, "tables", 0, "columns", to=["test"]), "has 2 numbers; expected one for each of 1"),
    ],
)  # fmt: skip
def test_what_is_no_results_file_is_refused_with_a_sentence(file, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_claims(file(content))
    assert str(caught.value).endswith("make one, or name it")


def test_a_missing_file_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(
        ValueError, match=r"cannot read .*none\.json: No such file .*; expected the file that `hippo-verify"
    ):
        read_claims(tmp_path / "none.json")


# The commands.


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    def run(*arguments, code=0):
        monkeypatch.chdir(tmp_path)
        answer = CliRunner().invoke(app, [*map(str, arguments)])
        assert answer.exit_code == code, answer.output
        return answer

    return run


def campaign(folder):
    """A store of a campaign that is not finished, in which nothing stands but where it comes from."""
    return dashboard_tools.verdict_store(folder, "0123456789abcdef")


def test_report_makes_the_page_of_the_claims_alone_where_there_is_no_campaign(invoke, file, tmp_path):
    answer = invoke("report", "--claims", file(), "--output", "out")
    assert answer.stdout == "report: out/claims.html\n"
    assert (tmp_path / "out" / "claims.html").read_text(encoding="utf-8") == render_claims(RESULTS)
    missing = invoke("report", "none", "--claims", file(), "--output", "other", code=2)
    assert "no store at none" in missing.stderr
    assert not (tmp_path / "other").exists()


def test_report_lists_the_claims_beside_a_campaign(invoke, file, tmp_path):
    pytest.importorskip("plotly")
    store = campaign(tmp_path / "store")
    invoke("report", store, "--claims", file(), "--output", "out")
    found = page_tools.Page((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    assert "not all hold Of 5 statements, 1 holds" in found.words
    assert "Measured 2026-01-02 at commit 01234567, with changes that are not in it." in found.words
    assert "Sentence 1. ✗ does not hold" in found.words
    links = [a["href"] for tag, a in found.elements if tag == "a" and a["href"].startswith("claims.html")]
    assert links[0] == "claims.html"
    ids = {a["id"] for _, a in page().elements if "id" in a}
    assert {link.partition("#")[2] for link in links[1:]} <= ids
    invoke("report", store, "--output", "without")
    assert "claims" not in page_tools.Page((tmp_path / "without" / "index.html").read_text(encoding="utf-8")).words


@pytest.mark.parametrize("command", ["report", "dashboard"])
def test_a_bad_results_file_ends_the_command_with_2(invoke, file, tmp_path, command):
    results = []
    if command == "dashboard":
        pytest.importorskip("asv")
        made = dashboard_tools.repository(tmp_path / "repo", commits=2)
        results = ["--results", dashboard_tools.results(tmp_path / "results", made), "--no-asv"]
    answer = invoke(command, *results, "--claims", file(b"{"), code=2)
    assert "claims.json is no JSON" in answer.stderr
    assert "expected the file that `hippo-verify claims --json FILE` writes" in answer.stderr


def test_report_says_that_libraries_have_no_place_for_claims(invoke, file):
    answer = invoke("report", "--claims", file(), "--libraries", "somewhere", code=2)
    assert "--claims is given beside --libraries" in answer.stderr


def test_the_command_writes_the_page(invoke, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from verify import claims_command

    monkeypatch.setattr(claims_command, "CLAIMS", {"squares": "claims_tools:Squares"})
    answer = invoke("claims", "--quick", "--no-progress", "--json", "-", "--report", "out")
    assert "report: out/claims.html" in answer.stderr, "standard output is the results file"
    found = page_tools.Page((tmp_path / "out" / "claims.html").read_text(encoding="utf-8"))
    assert "The one statement holds." in found.words
    record = json.loads(answer.stdout)
    assert record["command"] == ["hippo-verify", "claims", "--quick"], (
        "where the page goes changes nothing of what is found"
    )
    (tmp_path / "file").write_text("")
    refused = invoke("claims", "--quick", "--no-progress", "--report", "file/in", code=2)
    assert "--report: cannot write file/in/claims.html" in refused.stderr


def test_the_dashboard_lists_the_claims_and_has_their_page(invoke, file, tmp_path):
    pytest.importorskip("asv")
    made = dashboard_tools.repository(tmp_path / "repo", commits=2)
    results = dashboard_tools.results(tmp_path / "results", made)
    invoke("dashboard", "--results", results, "--out", "site", "--no-asv", "--claims", file())
    found = page_tools.Page((tmp_path / "site" / "index.html").read_text(encoding="utf-8"))
    assert "Sentence 1. ✗ does not hold" in found.words
    assert (tmp_path / "site" / "claims.html").read_text(encoding="utf-8") == render_claims(RESULTS)
    invoke("dashboard", "--results", results, "--out", "site", "--no-asv")
    assert not (tmp_path / "site" / "claims.html").exists(), "a site without claims keeps no page of former ones"


# A browser.


def test_the_page_in_a_browser(browser, tmp_path, hostile):
    """Its figures draw, on a phone and in the dark; axe finds nothing; keys reach it; no script of a text runs."""
    path = write_claims(tmp_path / "claims.html", RESULTS)
    bad = write_claims(tmp_path / "hostile.html", hostile)
    complaints, asked = [], []

    def opened(path, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        return page

    page = opened(path, bypass_csp=True)  # axe injects itself as a script, which our pages allow nobody
    page.wait_for_selector(".canvas .scatterlayer .trace")
    assert page.locator("figure[data-drawing] .canvas svg.main-svg:first-child").count() >= 2
    assert page.locator("figure").nth(0).locator(".scatterlayer .trace").count() == 5
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert browser_tools.complaints_of_axe(page) == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    page.wait_for_function(
        "getComputedStyle(document.querySelector('.canvas .xtick text')).fill === 'rgb(230, 233, 238)'"
    )
    contrast = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    assert browser_tools.complaints_of_axe(page, **contrast) == []
    page.emulate_media(media="print", color_scheme="light")
    assert not page.locator("nav").is_visible()
    page.context.close()

    page = opened(path, viewport={"width": 360, "height": 740})
    page.wait_for_selector(".canvas .scatterlayer .trace")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate("document.querySelector('.canvas svg').getBoundingClientRect().right") <= 360
    row = page.locator("table.standings tbody tr").nth(1)
    assert row.evaluate("(row) => row.getBoundingClientRect().right") <= 360
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**#summary")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#summary') !== null")
    page.context.close()

    page = opened(path, java_script_enabled=False)
    page.locator("details summary").first.click()
    assert page.locator("details td:visible").count() > 6, "without scripts the tables say it all"
    page.context.close()

    page = opened(bad)
    page.wait_for_selector(".canvas .scatterlayer .trace")
    assert not page.evaluate("'pwned' in window")
    page.context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith((tmp_path.as_uri(), "data:", "blob:"))] == []
