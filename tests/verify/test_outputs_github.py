"""GitHub Actions: what its runner makes of what we print, and that no target can speak to it."""

import re

import pytest
from outputs_tools import NASTY, hostile, report, verdict
from test_outputs import cli, here  # noqa: F401 -- a fixture

from verify.coverage import Requirement
from verify.diagnosis import Diagnosis
from verify.outputs import add_summary, workflow_commands
from verify.outputs.base import by_weight
from verify.outputs.github import MOST
from verify.outputs.markdown import LARGEST
from verify.verdict import Status
from verify.workflow import inert

KNOWN = (
    *("error", "warning", "notice", "debug", "set-output", "set-env", "add-path", "add-mask", "save-state"),
    *("stop-commands", "group", "endgroup", "echo", "add-matcher", "remove-matcher", "token"),
)


def undone(text, characters):
    for character in characters:  # in the runner's order: the percent sign last
        text = text.replace(f"%{ord(character):02X}", character)
    return text


def runner(text):
    """The commands that a runner finds in a log: (name, properties, data), by its two grammars."""
    found = []
    for line in re.split(r"\r\n|\r|\n", text):
        new = re.match(r"\s*::([^ :]*)(?: ((?:(?!::).)*))?::(.*)", line, re.DOTALL)
        if new and new[1].lower() in KNOWN:
            pairs = [pair.partition("=") for pair in (new[2] or "").split(",") if pair]
            properties = {key.strip(): undone(value, "\r\n:,%") for key, _, value in pairs}
            found.append((new[1].lower(), properties, undone(new[3], "\r\n%")))
            continue
        old = re.search(r"##\[([^ \]]*)([^\]]*)\](.*)", line)
        if old and old[1].lower() in KNOWN:
            found.append((old[1].lower(), {"old": old[2]}, old[3]))
    return found


def test_the_model_of_the_runner_sees_forgeries():
    assert runner("  ::set-output name=a::b") == [("set-output", {"name": "a"}, "b")]
    assert runner("text ##[set-output name=a;]b") == [("set-output", {"old": " name=a;"}, "b")]
    assert runner("text ::set-output name=a::b, ##[bold]x, ::std::vector") == []
    assert runner("::error title=a%3A b%2C c::x%0Ay%250A") == [("error", {"title": "a: b, c"}, "x\ny%0A")]


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_hostile_text_stays_data(text):
    found = hostile(text)
    lines = workflow_commands(found)
    parsed = runner("\n".join(lines))
    assert len(parsed) == len(lines)  # one command a line, and every one of ours
    assert {name for name, _, _ in parsed} <= {"error", "warning"}
    assert all(set(properties) == {"title"} for _, properties, _ in parsed)
    (said,), (item,) = found.notes, found.diagnosis
    wanted = [
        (f"hippo-verify: {found.status}", said),
        (f"hippo-verify: {item.text}", item.evidence or item.text),
        *(
            (f"hippo-verify: {v.status} {v.check}, {v.case.describe()}", f"{v.message}\n{v.case.target}: {v.claim}")
            for v in by_weight(found.verdicts)
        ),
    ]
    shown = [tuple(text.encode("utf-8", "backslashreplace").decode() for text in pair) for pair in wanted]
    assert [(properties["title"], data) for _, properties, data in parsed] == shown


def test_annotations_say_what_where_and_why(here):  # noqa: F811
    bad = report(verdict(Status.FAIL, target="mine.py:gain"), target="mine.py:gain")
    bad.diagnosis = [Diagnosis("doubled_B", "B is twice the LegS B", "B/2 agrees")]
    assert runner("\n".join(workflow_commands(bad))) == [
        ("error", {"file": "mine.py", "line": "11", "title": "hippo-verify: B is twice the LegS B"}, "B/2 agrees"),
        (
            "error",
            {"file": "mine.py", "line": "11", "title": "hippo-verify: FAIL ode, legs N=4 matrices float64"},
            "because\nmine.py:gain: a claim",
        ),
    ]
    assert workflow_commands(report(verdict(), verdict(Status.UNSUPPORTED), verdict(Status.EXPECTED_FAIL))) == []
    (line,) = workflow_commands(report(verdict(), required=Requirement.parse("2")))
    assert line.endswith("::coverage is too small: 1 of 1 checks reached a verdict; required: 2")


@pytest.mark.parametrize("count", [1, MOST, MOST + 1, 200])
def test_no_more_than_github_shows(count):
    bad = [verdict(Status.FAIL, order=order) for order in range(1, count + 1)]
    doubts = [verdict(Status.INCONCLUSIVE, order=order) for order in range(1, count + 1)]
    parsed = runner("\n".join(workflow_commands(report(*doubts, *bad))))
    for kind in ("error", "warning"):
        mine = [properties["title"] for name, properties, _ in parsed if name == kind]
        assert len(mine) == min(count, MOST)
        if count > MOST:
            assert mine[-1] == f"hippo-verify: and {count - MOST + 1} more"
    assert [name for name, _, _ in parsed] == sorted(name for name, _, _ in parsed)  # errors first


def test_what_a_target_says_is_no_command_in_any_log(here):  # noqa: F811
    """With --github or without: a log is read by the runner all the same."""
    for options in ((), ("--github",), ("--json", "-"), ("--markdown", "-")):
        result = cli("check", "mine.py:memory", "--orders", "4", "--level", "step", *options)
        assert result.exit_code == 3
        assert "set-output" in result.stdout + result.stderr
        names = {name for name, _, _ in runner(result.stderr)}
        if "-" not in options:  # a pipe is no log
            names |= {name for name, _, _ in runner(result.stdout)}
        assert names == ({"error"} if "--github" in options else set())


def test_a_program_that_answers_is_no_command_either(here, tmp_path):  # noqa: F811
    (tmp_path / "a.json").write_text(
        '{"format": "hippo-answers/1", "program": "x\\n::set-output name=a::b", "answers": [{"id": "##[add-mask]y"}]}'
    )
    for text in ("answers", "a.json"):
        result = cli("vectors", "check", tmp_path / text)
        assert result.exit_code == 2
        assert runner(result.stdout + result.stderr) == []
    assert "has neither a list 'values'" in result.stderr


def test_inert_text_is_still_read():
    for text in NASTY:
        assert runner(inert(text)) == []
        assert re.sub(r"\s", "", inert(text)) == re.sub(r"\s", "", text)
    assert inert("a std::vector, a [5, 2], a # [x]: 1") == "a std::vector, a [5, 2], a # [x]: 1"


def test_the_summary_is_added_to_what_is_there(tmp_path, monkeypatch):
    found = report(verdict(Status.FAIL, message="@you <b>"))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert add_summary(found) is None
    path = tmp_path / "summary"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    path.write_text("before", encoding="utf-8")
    assert add_summary(found) == path
    text = path.read_text(encoding="utf-8")
    assert text.startswith("before\n## hippo-verify: `mine.py:legs`: fail")
    path.write_text("x" * (LARGEST - 300), encoding="utf-8")
    add_summary(found)
    assert LARGEST - 300 < path.stat().st_size <= LARGEST
    path.write_text("x" * LARGEST, encoding="utf-8")
    add_summary(found)
    assert path.stat().st_size == LARGEST


def test_the_flag_does_both(here, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    assert cli("check", "mine.py:gain", "--orders", "4").exit_code == 1
    assert not (tmp_path / "summary").exists()
    result = cli("check", "mine.py:gain", "--orders", "4", "--github")
    assert result.exit_code == 1
    assert "::error file=mine.py,line=11,title=hippo-verify%3A B is twice the LegS B::" in result.stdout
    assert (tmp_path / "summary").read_text(encoding="utf-8").startswith("\n## hippo-verify: `mine.py:gain`: fail")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "folder"))
    result = cli("check", "mine.py:gain", "--orders", "4", "--github")
    assert result.exit_code == 2
    assert "--github: cannot add to the step summary: No such file or directory" in result.stderr
