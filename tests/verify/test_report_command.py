"""The command ``report``, the files beside the page, and that the commands a page shows really ask again."""

import json
import os
import shlex
from dataclasses import replace

import pytest
from report_tools import HOSTILE, PROVENANCE, ended, every_status, lines_of, passed, written
from typer.testing import CliRunner

pytest.importorskip("jinja2")
pytest.importorskip("plotly")

import verify
from verify.case import LEVELS, STEPPING, Case
from verify.cases import make_case
from verify.cli import app
from verify.report import coverage, failures, records
from verify.report.markdown import CUT, ROOM, markdown
from verify.report.saved import Counterexamples
from verify.report.since import since
from verify.report.site import render
from verify.verdict import Status

WRONG = """
import hippo_fast

def doubled(order):
    system = hippo_fast.system("legs", order)
    return system.A, 2 * system.B
"""


def report(*arguments):
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    """A store of a target that is wrong, with its counterexamples, as a campaign leaves it."""
    folder = tmp_path_factory.mktemp("a folder with spaces")
    (folder / "wrong.py").write_text(WRONG)
    target = f"{folder}/wrong.py:doubled"
    found = verify.check(
        target, level="matrices", orders=(4,), checks=["matrices"], counterexamples=folder / "store/counterexamples"
    )
    assert {v.status for v in found.verdicts} == {Status.FAIL}
    written(folder / "store", lines_of(found.verdicts))
    return folder / "store"


def test_the_commands_of_a_failure_show_it_again(wrong):
    (failure,) = failures.findings(records.read(wrong))
    assert [what for what, _ in failure.commands] == ["the smallest counterexample", "every check of this cell"]
    for _, line in failure.commands:
        words = shlex.split(line)
        assert words[0] == "hippo-verify"
        answer = CliRunner().invoke(app, [*words[1:], "--no-counterexamples", "--no-progress"])
        assert answer.exit_code == 1, answer.output
        assert "FAIL" in answer.output
        assert "B" in answer.output


def test_a_right_target_passes_the_very_same_commands(wrong):
    """They ask what failed: what is mended passes them."""
    (failure,) = failures.findings(records.read(wrong))
    path = wrong.parent / "wrong.py"
    try:
        path.write_text(WRONG.replace("2 * ", ""))
        for _, line in failure.commands:
            answer = CliRunner().invoke(app, [*shlex.split(line)[1:], "--no-counterexamples", "--no-progress"])
            assert answer.exit_code == 0, answer.output
    finally:
        path.write_text(WRONG)


def test_files_of_other_cells_and_files_that_are_none_are_not_shown(wrong, tmp_path):
    kept = Counterexamples(records.read(wrong).path)
    verdict = records.read(wrong).verdicts[0]
    assert len(kept.of(verdict)) == 1
    assert kept.of(replace(verdict, case=replace(verdict.case, order=8))) == []
    assert kept.of(replace(verdict, check="ode", details={})) == []
    folder = tmp_path / "counterexamples"
    folder.mkdir()
    for name, text in {"a": "", "b": "[]", "c": '{"about": 3}', "d": '{"counterexample": {"case": {}}}'}.items():
        (folder / f"{name}.json").write_text(text)
    assert Counterexamples(tmp_path / "verdicts.jsonl").of(verdict) == []


@pytest.mark.parametrize("level", LEVELS)
def test_a_command_names_the_rule_wherever_one_is_at_work(level):
    """A command without the rule would ask under bilinear, and pass where zoh fails."""
    entry = records.Entry(1, passed(Case("t", level=level, method="zoh")), "quick", 0)
    assert ("--method zoh" in failures.command(entry)) == (level in STEPPING)


def test_markdown_says_what_matters_most_first_and_fits(tmp_path):
    verdicts = every_status()
    now = records.read(written(tmp_path / "now", lines_of(verdicts)))
    earlier = [replace(v, status=Status.PASS, measured=0.0, bound=1.0, bound_source="x", compared=1) for v in verdicts]
    text = markdown(now, since(written(tmp_path / "before", lines_of(earlier)), now))
    order = [
        "## hippo-verify: fail",
        "### What needs attention",
        "### Since ",
        "### Failures",
        "### Targets",
        "Commit:",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "cells newly failing" in text
    assert "hippo-verify check " in text
    assert "<script>" not in text.replace("`</script><script>", "")
    many = [
        ended(Status.FAIL, Case("t", order=n, level="scan"), "y" * 400, measured=2.0, bound=1.0) for n in range(1, 90)
    ]
    large = markdown(records.read(written(tmp_path / "many", lines_of(many))), room=6000)
    assert len(large.encode()) <= 6000 < ROOM < 65_536
    assert large.endswith(CUT + "\n")
    assert large.startswith("## hippo-verify: fail")


def test_hostile_words_are_no_markdown(tmp_path):
    hostile = "](javascript:alert(1)) @everyone | <img src=x> `x` \n# big"
    verdict = ended(Status.ERROR, Case(hostile, level="scan"), hostile + HOSTILE)
    text = markdown(records.read(written(tmp_path / "s", lines_of([verdict]))))
    assert "\n# big" not in text
    cmarkgfm = pytest.importorskip("cmarkgfm")
    html = cmarkgfm.github_flavored_markdown_to_html(text)
    assert "<img" not in html
    assert "<script" not in html
    assert 'href="javascript' not in html


def test_the_command_writes_pages_summary_and_table(tmp_path):
    store = written(tmp_path / "store", lines_of(every_status()))
    earlier = written(tmp_path / "earlier", lines_of(every_status()[:5]))
    asked = [store, "--output", tmp_path / "out", "--baseline", earlier, "--markdown", tmp_path / "s.md"]
    answer = report(*asked)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.split() == ["report:", f"{tmp_path}/out/index.html", "report:", f"{tmp_path}/s.md"]
    assert "Since the earlier store" in (tmp_path / "out" / "index.html").read_text()
    assert (tmp_path / "s.md").read_text().startswith("## hippo-verify: fail")
    piped = report(store, "--output", tmp_path / "out", "--markdown", "-")
    assert piped.stdout.startswith("## hippo-verify: fail"), "standard output is the summary"
    assert "report: " in piped.stderr


def test_the_command_writes_a_parquet_table(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    store = written(tmp_path / "store", lines_of(every_status()))
    answer = report(store, "--output", tmp_path / "out", "--parquet", tmp_path / "v.parquet")
    assert answer.exit_code == 0, answer.output
    assert len(pandas.read_parquet(tmp_path / "v.parquet")) == len(every_status())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], r"report: no store at nothing; expected"),
        (["empty"], r"report: .*empty/verdicts.jsonl is empty; expected"),
        (["foreign"], r"report: line 1 of .* is not a line of kind provenance"),
        (["corrupt"], r"report: line 2 of corrupt/verdicts.jsonl is no verdict"),
        (["store", "--output", "file/in"], r"report: .*(Not a directory|File exists)"),
        (["store", "--output", "out", "--baseline", "store"], r"report: the earlier store, .*, is the store of this"),
        (["store", "--output", "out", "--baseline", "nothing"], r"report: no store at nothing"),
        (["store", "--output", "out", "--markdown", "file/x.md"], r"report: --markdown: cannot write file/x.md: "),
        (["store", "--libraries", "out", "--baseline", "store"], r"--baseline is given beside --libraries"),
        (["store", "--libraries", "out", "--markdown", "x"], r"--markdown is given beside --libraries"),
    ],
)
def test_what_goes_wrong_is_said_and_ends_with_2(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    good = lines_of(every_status()[:2])
    written(tmp_path / "store", good)
    written(tmp_path / "empty", "")
    written(tmp_path / "foreign", '{"a": 1}\n')
    unit = '{"kind": "unit", "key": "a:quick:0"}'
    written(tmp_path / "corrupt", [json.dumps(PROVENANCE), good[1].replace('"order"', '"orders"'), unit])
    (tmp_path / "file").write_text("")
    answer = report(*arguments)
    assert answer.exit_code == 2
    assert answer.stderr.startswith("hippo-verify: ")
    assert pytest.importorskip("re").search(message, answer.stderr), answer.stderr
    assert "Traceback" not in answer.output
    assert not (tmp_path / "out" / "index.html").exists() or "--markdown" in arguments


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said(tmp_path):
    store = written(tmp_path / "store", lines_of(every_status()[:2]))
    (tmp_path / "out").mkdir(mode=0o500)
    answer = report(store, "--output", tmp_path / "out")
    assert answer.exit_code == 2
    assert "Permission denied" in answer.stderr


def test_what_was_not_reached_and_what_was_left_out_is_said(tmp_path):
    absent = [{"what": "hippox", "reason": "hippox is not installed", "units": 3, "cells": 1200}]
    plan = {"units": 900, "absent": absent}
    lines = lines_of(every_status()[:2], end=False)
    lines[0] = json.dumps({**PROVENANCE, "plan": plan})
    read = records.read(written(tmp_path / "store", lines))
    assert [(item.what, item.reason.partition(",")[0]) for item in coverage.unrun(read)] == [
        ("hippox, 1,200 cells", "hippox is not installed"), ("898 units of 900", "the campaign was stopped"),
    ]  # fmt: skip
    page = render(read)["index.html"]
    assert "898 units of 900" in page
    assert "2 units of 900 done" in page
    old = records.read(written(tmp_path / "old", lines_of(every_status()[:2], end=False)))
    assert coverage.unrun(old)[0].what == "the rest of the plan, whose size is not recorded"


def test_findings_go_on_on_further_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(failures, "PER_PAGE", 3)
    monkeypatch.setattr(failures, "MOST", 8)
    cases = [make_case("t", "legs", order=order) for order in range(1, 11)]
    verdicts = [ended(Status.FAIL, case, f"wrong at {case.order}", measured=2.0, bound=1.0) for case in cases]
    files = render(records.read(written(tmp_path / "store", lines_of(verdicts))))
    assert [name for name in files if name.startswith("failures-")] == ["failures-2.html", "failures-3.html"]
    listed = [part.split('"')[0] for name in ("index.html", "failures-2.html", "failures-3.html")
              for part in files[name].split('id="finding-')[1:]]  # fmt: skip
    assert listed == [str(number) for number in range(1, 9)], "each once, up to the limit"
    assert failures.href(3) == "#finding-3"
    assert failures.href(4) == "failures-2.html#finding-4"
    assert "10 in all" in files["index.html"]
