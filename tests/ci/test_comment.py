"""The comment under a pull request: what holds the token believes nothing of what the untrusted run has left."""

import json
import os
import re
import runpy
import zlib

import pytest
import yaml
from action_runner import ROOT, run_action
from fake_github import BOT, REPOSITORY, TOKEN, served

FOLDER = ROOT / ".github/actions/comment"
SHA, OTHER = "a" * 40, "b" * 40
MARKER = "<!-- hippo-verify: hippo-gate -->"


def pull(number, sha=SHA, *, repository=2, branch="fix", state="open"):
    head = {"sha": sha, "ref": branch, "user": {"login": "fan"}, "repo": repository and {"id": repository}}
    return {"number": number, "state": state, "head": head}


@pytest.fixture
def github():
    with served() as there:
        there.pulls = [pull(5)]
        there.leave("hippo-gate", {"hippo-gate.md": "**slower**\n\n| scan | 1.31 |\n"})
        yield there


def commented(github, folder, *, inputs=(), **run):
    """What became of the action after a run of somebody's fork."""
    event = {
        "workflow_run": {
            "id": 77, "event": "pull_request", "head_sha": SHA, "head_branch": "fix", "pull_requests": [],
            "head_repository": {"id": 2, "owner": {"login": "fan"}}, **run,
        }
    }  # fmt: skip
    workspace = folder / "work"
    workspace.mkdir(exist_ok=True)
    (folder / "event.json").write_text(json.dumps(event), encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"], "GITHUB_EVENT_PATH": str(folder / "event.json"), "GITHUB_API_URL": github.url,
        "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_SERVER_URL": "https://github.com", "NO_PROXY": "*",
    }  # fmt: skip
    return run_action(FOLDER, dict(inputs), workspace, environment=environment, known={"github.token": TOKEN})


def test_a_pull_request_of_a_fork_gets_a_comment(github, tmp_path):
    outcome = commented(github, tmp_path)
    assert outcome.code == 0, outcome.log
    (comment,) = github.comments
    link = f"[run 77](https://github.com/{REPOSITORY}/actions/runs/77) at {SHA}"
    told = "which runs the code of the pull request; the exit code of that run is what counts."
    before = f"{MARKER}\n<sub>Written by {link}, {told}</sub>\n\n"  # what comes later cannot fold it away
    assert comment["body"] == f"{before}**slower**\n\n| scan | 1.31 |\n"


def test_the_token_goes_to_github_alone(github, tmp_path):
    commented(github, tmp_path)
    assert github.tokens.pop("/blob/1") is None
    assert set(github.tokens.values()) == {f"Bearer {TOKEN}"}


def test_the_comment_of_before_is_replaced(github, tmp_path):
    foreign = {"id": 101, "user": {"login": "fan"}, "body": f"{MARKER}\nall is well"}
    other = {"id": 102, "user": BOT, "body": "a comment of another workflow"}
    gone = {"id": 103, "user": None, "body": MARKER}
    talk = [{"id": number, "user": {"login": "fan"}, "body": "hm"} for number in range(1, 101)]
    own = {"id": 104, "user": BOT, "body": f"{MARKER}\nsame"}
    github.comments = [*talk, foreign, other, gone, own]  # ours is on the second page
    assert commented(github, tmp_path).code == 0
    assert len(github.comments) == 104
    assert own["body"].startswith(f"{MARKER}\n<sub>Written by")
    assert "**slower**" in own["body"]
    assert foreign["body"].endswith("all is well")


def test_the_newest_artifact_of_a_run_that_was_repeated_is_read(github, tmp_path):
    github.leave("hippo-gate", {"hippo-gate.md": "**same**"})
    github.leave("hippo-gate", {"hippo-gate.md": "**better**"}, expired=True)
    commented(github, tmp_path)
    assert "**same**" in github.comments[0]["body"]


def test_another_artifact_can_be_named(github, tmp_path):
    github.leave("mine", {"out/text.md": "hello"})
    commented(github, tmp_path, inputs={"artifact": "mine", "file": "out/text.md"})
    assert github.comments[0]["body"].startswith("<!-- hippo-verify: mine -->\n<sub>Written by")
    assert github.comments[0]["body"].endswith("</sub>\n\nhello\n")


NOTHING = {
    "the run was for no pull request": {"event": "push"},
    "no open pull request has that commit": {"head_sha": OTHER},
    "the repository that it came from is gone": {"head_repository": None},
    "no open pull request has that commit as": {"head_repository": {"id": 3, "owner": {"login": "fan"}}},
}


@pytest.mark.parametrize("reason", NOTHING)
def test_nothing_is_said_where_it_is_not_known_to_whom(github, tmp_path, reason):
    outcome = commented(github, tmp_path, **NOTHING[reason])
    assert outcome.code == 0
    assert f"::notice::no comment: {reason}" in outcome.log
    assert github.comments == []


@pytest.mark.parametrize("pulls", [[pull(5, state="closed")], [pull(5, repository=None)], []])
def test_a_pull_request_that_is_closed_or_not_there_gets_none(github, tmp_path, pulls):
    github.pulls = pulls
    assert "::notice::no comment: no open pull request" in commented(github, tmp_path).log


def test_two_pull_requests_of_one_commit_are_told_apart_or_left_alone(github, tmp_path):
    github.pulls = [pull(5), pull(6)]
    assert "several pull requests have that commit as their head: [5, 6]" in commented(github, tmp_path).log
    assert github.comments == []
    assert commented(github, tmp_path, pull_requests=[{"number": 5}, {"number": 9}]).code == 0
    assert len(github.comments) == 1


def test_a_number_in_the_artifact_is_not_believed(github, tmp_path):
    github.leave("hippo-gate", {"hippo-gate.md": "x", "number": "1", "pr.json": '{"number": 1}'})
    commented(github, tmp_path)
    assert [path for method, path in github.asked if method == "POST"] == [f"/repos/{REPOSITORY}/issues/5/comments"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (None, "the run left no artifact hippo-gate"),
        ({"other.md": b"x"}, "the artifact has no hippo-gate.md"),
        ({"../hippo-gate.md": b"x"}, "the artifact has no hippo-gate.md"),
        ({"hippo-gate.md": bytes(9 * 2**20)}, "hippo-gate.md has more than"),  # small as long as it is packed
        ({"hippo-gate.md": b"x", "noise": os.urandom(9 * 2**20)}, "the artifact has more than"),
    ],
)
def test_an_artifact_that_is_not_like_ours_is_left_alone(github, tmp_path, files, reason):
    github.artifacts.clear()
    if files is not None:
        github.leave("hippo-gate", files)
    outcome = commented(github, tmp_path)
    assert outcome.code == 0
    assert f"::notice::no comment: {reason}" in outcome.log
    assert github.comments == []
    assert list((tmp_path / "work").iterdir()) == []


def spoilt(kind, archive):
    """The archive of an artifact, no archive any more, or one that cannot be read."""
    local, central = archive.index(b"PK\3\4"), archive.index(b"PK\1\2")
    content = bytearray(archive)
    if kind == "other":
        return zlib.compress(b"no zip")
    if kind == "encrypted":
        content[local + 6] |= 1
        content[central + 8] |= 1
    if kind == "unknown method":
        content[local + 8] = content[central + 10] = 77
    if kind == "noise":
        start = local + 30 + len("hippo-gate.md")
        content[start : start + 8] = b"\xff" * 8
    return bytes(content)


@pytest.mark.parametrize("kind", ["other", "encrypted", "unknown method", "noise"])
def test_no_archive_is_an_error(github, tmp_path, kind):
    github.content[1] = spoilt(kind, github.content[1])
    outcome = commented(github, tmp_path)
    assert outcome.code == 1
    assert outcome.log.startswith("::error::no comment: ")
    assert outcome.log.count("\n") == 1
    assert github.comments == []


@pytest.mark.parametrize("path", ["pulls", "actions/artifacts/1/zip", "issues/5/comments"])
def test_what_github_refuses_fails_the_job(github, tmp_path, path):
    github.broken.add(f"/repos/{REPOSITORY}/{path}")
    outcome = commented(github, tmp_path)
    assert outcome.code == 1
    assert f"::error::no comment: OSError: GitHub answered 500 to GET {path}" in outcome.log
    assert TOKEN not in outcome.log


HOSTILE = {
    "@maintainer look": "@\u200bmaintainer look",
    "(@team/all)": "(@\u200bteam/all)",
    "![x](https://example.org/pixel)": "\\![x](https://example.org/pixel)",
    "seen <!-- hidden -->": "seen ",
    "<!-- never closed": "&lt;!-- never closed",
    "<img src=x>": "&lt;img src=x>",
    "<a href='https://example.org'>here</a>": "&lt;a href='https://example.org'>here&lt;/a>",
    "<details open onclick=x>": "&lt;details open onclick=x>",
    "/merge": "\u200b/merge",
    "> - /approve": "> - \u200b/approve",
    "right\u202eleft\x1b[31m\x00": "rightleft[31m",
    "&#64;maintainer &commat;m &#x40;m @&#109;e": "&\u200b#64;maintainer &\u200bcommat;m &\u200b#x40;m @&\u200b#109;e",
}
HARMLESS = [
    "| `bench_scan.OneStream.time_states('legs')` | 1.20x | a < b |", "<details><summary>all</summary>", "</details>",
    "a/b and 1/2", "é ≤ ×",
]  # fmt: skip


def test_nobody_is_called_and_nothing_is_hidden(github, tmp_path):
    github.leave("hippo-gate", {"hippo-gate.md": "\n".join([*HOSTILE, *HARMLESS]) + "\r\nbytes \xff"})
    assert commented(github, tmp_path).code == 0
    _, _, said = github.comments[0]["body"].partition("</sub>\n\n")
    assert said.rstrip("\n").split("\n") == [*HOSTILE.values(), *HARMLESS, "bytes \xff"]


def test_bytes_that_are_no_text_do_no_harm(github, tmp_path):
    github.leave("hippo-gate", {"hippo-gate.md": b"ok \xff\xfe"})
    assert commented(github, tmp_path).code == 0


def test_a_long_text_is_cut_at_a_line(github, tmp_path):
    github.leave("hippo-gate", {"hippo-gate.md": "\n".join(f"line {number}" for number in range(100_000))})
    commented(github, tmp_path)
    said = github.comments[0]["body"]
    assert len(said) < 65_536
    assert re.search(r"line \d+\n\nCut here; the artifact has the rest\.\n$", said)


@pytest.mark.parametrize("text", ["\n", " ", "<!--", "<!-- -", "> ", "&#", "@<"])
def test_a_text_made_to_take_hours_takes_none(text):
    """Patterns that look again from every place of eight megabytes would outlive the job, and this test."""
    cleaned = runpy.run_path(str(FOLDER / "comment.py"))["cleaned"]
    assert len(cleaned(text * (8 * 2**20 // len(text)) + "/")) <= 60_100


def test_a_workflow_of_another_kind_is_told(github, tmp_path):
    event = tmp_path / "event.json"
    commented(github, tmp_path)
    event.write_text('{"pull_request": {}}', encoding="utf-8")
    outcome = run_action(FOLDER, {}, tmp_path / "work", known={"github.token": TOKEN},
                         environment={**os.environ, "GITHUB_EVENT_PATH": str(event)})  # fmt: skip
    assert outcome.code == 0
    assert "this is for workflows that start on: workflow_run" in outcome.log


def test_nothing_is_installed_or_run_beside_the_token():
    (step,) = yaml.safe_load((FOLDER / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    assert step["run"] == 'python3 -I "$GITHUB_ACTION_PATH/comment.py"'
    text = (FOLDER / "comment.py").read_text(encoding="utf-8")
    imported = re.findall(r"^(?:import|from) (\w+)", text, flags=re.MULTILINE)
    import sys

    assert set(imported) <= sys.stdlib_module_names
    assert not re.search(r"subprocess|\bexec\b|\beval\b|os\.system|extract", text)
