import json
import math
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from page_tools import Page
from report_tools import HOSTILE, PROVENANCE, Front, ended, every_status, lines_of, passed, written

pytest.importorskip("jinja2")
pytest.importorskip("plotly")

from verify.campaign import overall
from verify.case import Case
from verify.report import canvas, coverage, failures, pictures, records, slopes, summary, write_report
from verify.report.page import embedded, templates
from verify.report.site import render
from verify.verdict import Status, Verdict

UNIT = '{"kind": "unit", "key": "a:quick:0"}'


@pytest.fixture
def store(tmp_path):
    return lambda lines: written(tmp_path / "store", lines)


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """The front page of a store with every status."""
    folder = tmp_path_factory.mktemp("report")
    return Front(write_report(written(folder / "store", lines_of(every_status())), folder / "out"))


@pytest.fixture
def page(front):
    return front


def test_the_page_says_what_is_right_and_wrong_and_why(page):
    words = page.words
    assert "HiPPO verification fail" in words
    assert "ours is right: all 9 checks pass, 108 numbers compared" in words
    assert "their's.module:make is wrong: 1 of 5 checks fail" in words
    assert "B is doubled (it equals 2 B)" in words
    assert "it has another sign (https://example.org/issue/1)" in words
    for fact in (
        "2026-01-02 03:04:05 UTC",
        "0123456789ab with uncommitted changes",
        "A CPU, 4 cores",
        "OMP_NUM_THREADS=1",
    ):
        assert fact in words
    assert "expected failure matched nothing: target = x" in words
    assert "not finished" not in words


@pytest.mark.parametrize("present", [[s] for s in Status] + [[], [Status.PASS, Status.ERROR], list(Status)])
def test_the_overall_word_is_that_of_the_command_line(present):
    case = Case("t")
    verdicts = [v for v in every_status() if v.status in present] or [ended(Status.UNSUPPORTED, case, "none")]
    assert summary.overall(verdicts) == overall({str(s): n for s, n in summary.counts(verdicts).items()})


def test_every_failure_has_its_evidence_and_a_command_that_a_shell_reads_back(page):
    words = page.words
    for said in (
        "the claim of scan",
        "state 3",
        "1e-15 (a lemma)",
        "Smallest counterexample",
        "because it equals 2 B",
        "5e+14",
    ):
        assert said in words
    target = "'their'\"'\"'s.module:make'"
    wanted = "--measure legs --orders 8 --level scan --method bilinear --dtype float64 --seed 7"
    assert f"hippo-verify check {target} {wanted}" in words


def test_a_command_names_parameters_and_quotes_them():
    case = Case("-x; rm", "lagt", 4, dt=0.5, parameters=(("alpha", "-1/2"), ("beta", "1")), level="matrices")
    entry = records.Entry(1, passed(case, details={"convention": "scaled"}), "full", -3)
    assert failures.command(entry) == (
        "hippo-verify check --measure lagt --orders 4 --level matrices --dtype float64 --alpha=-1/2 --beta 1 --dt 0.5 "
        "--convention auto --suite full --seed=-3 -- '-x; rm'"
    )


def test_the_command_is_one_that_the_command_line_accepts(store):
    from typer.main import get_command

    from verify.cli import app

    read = records.read(store(lines_of(every_status())))
    check = get_command(app).commands["check"]
    for entry in read.entries:
        words = shlex.split(failures.command(entry))
        assert check.make_context("check", words[2:]).params["target"] == entry.verdict.case.target


def test_hostile_text_is_shown_and_never_markup(page):
    tags = {tag for tag, _ in page.elements}
    assert "img" not in tags
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "</script><script>alert(1)</script>" in page.words
    assert "{{7*7}}" in page.words


def test_hostile_text_in_a_figure_is_no_markup_for_plotly(page):
    texts = json.dumps([p["figure"] for listed in page.drawings().values() for p in listed])
    texts = texts.replace("<extra></extra>", "")
    assert "&lt;img src=x" in texts
    assert not re.search(r"<(?!/?b>|br>)", texts)


def test_embedded_json_cannot_end_its_element():
    text = embedded([HOSTILE])
    assert not re.search(r"[<>&\u2028]", text)
    assert json.loads(text) == [HOSTILE]


def test_nothing_is_loaded_from_a_network(page):
    loading = {"script", "link", "img", "iframe", "source", "object", "embed", "video", "audio", "base", "form"}
    for tag, attributes in page.elements:
        if tag in loading:
            assert not re.match(r"(https?:)?//", attributes.get("src") or attributes.get("href") or "")
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert re.match(r"default-src 'none'; script-src 'sha256-[^' ]+' 'strict-dynamic'; style-src", policy)
    style = (templates() / "style.css").read_text(encoding="utf-8")
    assert "url(" not in style
    assert "@import" not in style


def test_a_link_of_a_hostile_record_is_text_unless_it_is_http(store):
    hostile = ended(Status.EXPECTED_FAIL, Case("t"), "off [expected: why; javascript:alert(1)]")
    page = Page(render(records.read(store(lines_of([hostile]))))["index.html"])
    assert "javascript:alert(1)" in page.words
    assert not any((a.get("href") or "").startswith("javascript") for _, a in page.elements)


def test_a_stopped_campaign_and_a_torn_line_are_said(store, tmp_path):
    lines = lines_of(every_status(), end=False)
    page = Page(write_report(store("\n".join([*lines, lines[1][:40]])), tmp_path / "out").read_text(encoding="utf-8"))
    assert "The campaign is not finished." in page.words
    assert f"after {len(every_status())} finished units and its last line is cut off" in page.words
    assert "wrong: 1 of 5 checks fail" in page.words


def test_a_store_with_provenance_alone_gives_a_page(store, tmp_path):
    page = Page(write_report(store([json.dumps(PROVENANCE)]), tmp_path / "out").read_text(encoding="utf-8"))
    assert "HiPPO verification unfinished" in page.words
    assert "The store holds no verdict." in page.words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; expected the verdicts.jsonl"),
        ("\n\n", "is empty"),
        ("hello\n", "line 1 of .* is not a line of kind provenance: 'hello.*; expected the verdicts.jsonl"),
        ('{"a": 1}\n', "line 1 of .* is not a line of kind provenance"),
        ("[1]\n[2]\n", "line 1 of .* is not a line of kind provenance"),
        (json.dumps({**PROVENANCE, "schema": "other/9"}), "has schema 'other/9', this version reads 'hippo-verify/1'"),
        ([json.dumps(PROVENANCE), "broken", '{"kind": "end"}'], "line 2 of .* is not a JSON object"),
        ([json.dumps(PROVENANCE), '{"kind": "tea"}', '{"kind": "end"}'], "line 2 of .* is of kind 'tea', accepted"),
        (
            [json.dumps(PROVENANCE), '{"kind": "verdict"}', UNIT, '{"kind": "end"}'],
            "line 2 of .* is no verdict .KeyErr",
        ),
        (
            [json.dumps(PROVENANCE), json.dumps(PROVENANCE), '{"kind": "end"}'],
            "line 2 of .* is not a JSON object of kind verdict",
        ),
    ],
)
def test_what_is_no_store_is_refused_with_a_sentence(store, tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        write_report(store(text), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("field", ["order", "measure", "dt"])
def test_a_verdict_with_a_field_of_another_type_is_refused(store, field):
    record = {"kind": "verdict", **passed(Case("t")).to_json()}
    record["case"][field] = ["x"]
    with pytest.raises(ValueError, match=rf"line 2 of .* is no verdict \({field} is \['x'\]\)"):
        records.read(store([json.dumps(PROVENANCE), json.dumps(record), UNIT, '{"kind": "end"}']))


def test_a_missing_store_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no store at .*; expected the verdicts\.jsonl that"):
        write_report(tmp_path / "nothing", tmp_path / "out")


def test_the_file_itself_may_be_named(store, tmp_path):
    assert write_report(store(lines_of(every_status())) / "verdicts.jsonl", tmp_path / "a" / "b").name == "index.html"


def test_every_target_measure_and_dtype_has_its_error_and_its_bound():
    verdicts = [v for v in every_status() if v.measured is not None and v.check == "scan"]
    drawn = pictures.errors(verdicts)
    for quantity in ("error", "bound"):
        found = {
            (t["meta"]["target"], t["meta"]["measure"], t["meta"]["dtype"])
            for picture in drawn
            for t in picture.figure["data"]
            if t.get("meta", {}).get("quantity") == quantity
        }
        assert found == {(v.case.target, records.variant(v.case), v.case.dtype) for v in verdicts}


def test_an_error_of_zero_stands_open_on_a_marked_line():
    case = Case("ours", "legs", 4, level="scan")
    (picture,) = pictures.errors([passed(case, measured=0.0, bound=1e-15), passed(replace(case, order=8))])
    error = next(t for t in picture.figure["data"] if t.get("meta", {}).get("quantity") == "error")
    assert 0 < error["y"][0] < error["y"][1] == 1e-16
    assert error["marker"]["symbol"] == ["circle-open", "circle"]
    assert picture.figure["layout"]["shapes"][0]["y0"] == error["y"][0]
    assert any(note["text"] == canvas.EXACT for note in picture.figure["layout"]["annotations"])
    assert "exactly 0" in error["customdata"][0]


def test_errors_and_bounds_are_shown_beside_the_size_of_their_input():
    tiny = {"input": {"samples": ["0x1.0p-200", "-0x1.8p-200"]}}
    case = Case("ours", level="scan")
    (picture,) = pictures.errors([passed(case, measured=2.0**-253, bound=2.0**-250, worst=tiny)])
    error, bound = (t for t in picture.figure["data"] if t.get("meta"))
    assert error["y"] == [2.0**-53 / 1.5]
    assert bound["y"] == [2.0**-50 / 1.5]


def test_what_is_no_pass_carries_its_letter():
    drawn = pictures.errors(every_status())
    alarms = [t for p in drawn for t in p.figure["data"] if t.get("meta") == {"quantity": "alarm"}]
    letters = {letter for trace in alarms for letter in trace["text"]}
    assert letters == {"F", "E", "X", "U", "?"}


def test_convergence_is_drawn_beside_the_nominal_slope():
    (picture,) = slopes.convergence(every_status())
    quantities = [t["meta"]["quantity"] for t in picture.figure["data"] if "meta" in t]
    assert quantities == ["rule", "slope", "error"]
    slope = picture.figure["data"][1]
    assert slope["y"] == [2e-2, 1e-2]  # a little above the rule, so that both are seen


def test_figures_are_valid_plotly():
    import plotly.graph_objects as go

    from verify.report.heat import heat

    for picture in [*pictures.errors(every_status()), *slopes.convergence(every_status()), *heat(every_status())]:
        for layout in ("layout", "narrow"):
            go.Figure(data=picture.figure["data"], layout=picture.figure[layout])


def test_coverage_shows_what_did_not_run_and_why(page):
    (reason,) = coverage.reasons(every_status())
    assert (reason.text, reason.cells) == ("no single step of this rule", 8)
    assert reason.where == ["ours, step: legs, legt (theta = 0.5); bilinear; float64, float32; N = 4, 8 (8 cells)"]
    assert reason.where[0] in page.words
    titles = [a["title"] for tag, a in page.elements if "cell unsupported" in (a.get("class") or "") and "title" in a]
    assert titles[0] == "N = 4 to 8: unsupported, no single step of this rule"


def test_coverage_tells_what_was_asked_of_others_only():
    matrices = {matrix.target: matrix for matrix in coverage.matrices(every_status())}
    gaps = matrices["their's.module:make"].gaps
    assert "measures: legt" in gaps
    assert "dtypes: float32" in gaps
    line = next(line for line in matrices["ours"].lines if line.check == "scan")
    assert [(cell.letters, cell.title) for cell in line.groups[0]] == [
        ("PP", "N = 4 to 8: pass, error 0.1 of its bound at most"),
    ]
    theirs = next(line for line in matrices["their's.module:make"].lines if line.check == "matrices")
    assert [(cell.letters, cell.title[:20]) for cell in theirs.groups[0]] == [
        ("·", ""),
        ("X", "N = 8: expected fail"),
        ("·", ""),
    ]


def test_a_report_is_written_whole_or_not_at_all(store, tmp_path, monkeypatch):
    folder = store(lines_of(every_status()))
    page = write_report(folder, tmp_path / "out")
    before = {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}
    monkeypatch.setattr(summary, "SENTENCES", dict.fromkeys(summary.SENTENCES, "Otherwise."))

    def fails(self, target):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="no space left"):
        write_report(folder, tmp_path / "out")
    assert {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()} == before


def test_a_report_takes_away_what_the_former_one_left_and_nothing_else(store, tmp_path):
    out = write_report(store(lines_of(every_status())), tmp_path / "out").parent
    (out / "claims.html").write_text("of somebody else")
    (out / "assets" / "mine.js").write_text("of somebody else")
    former = {path.relative_to(out) for path in out.rglob("*.js")}
    write_report(store(lines_of(every_status()[:3])), out)
    left = {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    assert {Path("claims.html"), Path("assets/mine.js")} <= left
    named = {Path(name) for name in json.loads((out / "report-files.json").read_text())}
    assert left == named | {Path("claims.html"), Path("assets/mine.js"), Path("report-files.json")}
    assert any(path.name.startswith("verdicts-") for path in former - left)


def test_a_list_of_former_files_that_names_others_removes_none_of_them(store, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("../precious.txt", str(tmp_path / "precious.txt")):
        (tmp_path / "precious.txt").write_text("keep me")
        (out / "report-files.json").write_text(json.dumps([name, 3]))
        write_report(store(lines_of(every_status())), out)
        assert (tmp_path / "precious.txt").exists()


def test_half_a_surrogate_pair_in_a_message_does_not_stop_the_page(store, tmp_path):
    hostile = ended(Status.ERROR, Case("t"), "bad \ud800 text")
    assert b"bad ? text" in write_report(store(lines_of([hostile])), tmp_path / "out").read_bytes()


def test_the_report_reads_verdicts_alone():
    program = (
        "import sys, verify.report.page\n"
        "wall = ('hippo_ref', 'hippo_fast', 'verify.checks', 'verify.adapters', 'verify.campaign', 'verify.oracle')\n"
        "print([name for name in sys.modules if name.startswith(wall)])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


CASE = Case("ours", "legs", 4, level="scan")


def failed(case, measured, check="scan", **changes):
    message = "off"
    found = Verdict(check, "c", case, Status.FAIL, measured, 1.0, "a lemma", 3, message=message)
    return replace(found, **changes)


def test_what_is_on_record_wrong_is_never_called_right():
    known = [ended(Status.EXPECTED_FAIL, CASE, "known", check) for check in ("scan", "step")]
    doubt = ended(Status.INCONCLUSIVE, CASE, "too close", "ode")
    (found,) = summary.judgements([*known, doubt])
    assert found.text.startswith("wrong in the way that is recorded: 2 of 3")
    (found,) = summary.judgements([doubt])
    assert found.text == "undecided: none of 1 checks could decide."


def test_a_new_failure_is_told_before_what_is_on_record():
    known = [ended(Status.EXPECTED_FAIL, replace(CASE, order=order), "known") for order in range(1, 20)]
    (found,) = summary.judgements([*known, failed(CASE, 5.0, "ode", message="new")])
    assert found.reasons[0][0] == "ode: new"
    assert all(text.startswith("on record: ") for text, _, _ in found.reasons[1:])


def test_a_failure_that_is_no_number_is_the_worst_ratio():
    verdicts = [passed(CASE), failed(CASE, math.inf, "ode")]
    assert summary.worst_ratio(verdicts) == math.inf
    assert records.short(math.inf) == "∞"


def test_an_unfinished_campaign_is_no_pass(store):
    whole = records.read(store(lines_of(every_status())))
    assert summary.headline(replace(whole, finished=True)) == summary.overall(whole.verdicts)
    for status, word in ((Status.PASS, "unfinished"), (Status.FAIL, "fail"), (Status.ERROR, "error")):
        verdict = passed(CASE) if status is Status.PASS else ended(status, CASE, "m")
        cut = replace(whole, entries=(records.Entry(1, verdict, "quick", 0),), finished=False)
        assert summary.headline(cut) == word
        assert summary.SENTENCES[word]
