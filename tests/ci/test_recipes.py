"""The recipes are carried out: each job of ours and of the templates, with stand-ins for GitHub's own actions."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from action_runner import PLAIN, ROOT, StandInError, outputs_of, run_job, steps_of

TEMPLATES = ROOT / "docs/examples/ci/github"
OWN = ROOT / ".github/workflows"
SHELL = ROOT / "docs/examples/ci/shell"
GITLAB = ROOT / "docs/examples/ci/gitlab/hippo.gitlab-ci.yml"
SHA = "0123456789abcdef0123456789abcdef01234567"
PROGRAM = f"""#!{sys.executable}
import os, pathlib, sys
name, *words = os.path.basename(sys.argv[0]), *sys.argv[1:]
with open(os.environ["RECORD"], "a") as file:
    file.write(repr([name, *words]) + "\\n")
if name == "hippo-verify":
    if words[0] == "bench":
        place = pathlib.Path(".asv/results/machine")
        place.mkdir(parents=True, exist_ok=True)
        (place / (os.environ["NIGHT"] + ".json")).write_text("1")
    if words[0] == "dashboard":
        place = pathlib.Path(words[words.index("--out") + 1])
        place.mkdir(parents=True)
        found = sorted(path.name for path in pathlib.Path(".asv/results").rglob("*.json"))
        (place / "index.html").write_text(" ".join(found))
    sys.exit(int(os.environ.get("ENDS", 0)) if words[0] != "dashboard" else 0)
"""
"""Stands in for our programs: writes down what it was asked for, and leaves what the next step looks for."""


def git(*arguments, cwd):
    answer = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


@pytest.fixture
def variables(tmp_path):
    """The environment of a runner: git knows nobody and reaches nothing; our programs only write down what is asked."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("hippo-verify", "make", "python", "pip"):
        (programs / name).write_text(PROGRAM, encoding="utf-8")
        (programs / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "GITHUB_"))}
    return {
        **kept, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1", "RECORD": str(tmp_path / "record"), "GITHUB_SHA": SHA,
    }  # fmt: skip


def asked(variables):
    """What our programs were asked for, in order."""
    path = Path(variables["RECORD"])
    return [eval(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@pytest.fixture
def origin(tmp_path, variables):
    """A repository on a server, with one commit on its main branch."""
    bare, first = tmp_path / "origin.git", tmp_path / "first"
    git("init", "--quiet", "--bare", "--initial-branch=main", str(bare), cwd=tmp_path)
    git("init", "--quiet", "--initial-branch=main", str(first), cwd=tmp_path)
    (first / "mine.py").write_text("x = 1\n", encoding="utf-8")
    git("add", "--all", cwd=first)
    git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "one", cwd=first)
    git("push", "--quiet", str(bare), "main", cwd=first)
    return bare


def checkout(origin):
    """As actions/checkout does it: one commit, with a remote to fetch from and push to."""

    def run(inputs, workspace):
        place = workspace / inputs.get("path", ".")
        place.mkdir(parents=True, exist_ok=True)
        git("init", "--quiet", "--initial-branch=main", cwd=place)
        git("remote", "add", "origin", origin.as_uri(), cwd=place)
        ref = inputs.get("ref", "main")
        try:
            git("fetch", "--quiet", "--depth=1", "origin", f"+{ref}:refs/remotes/origin/{ref}", cwd=place)
        except AssertionError as error:
            raise StandInError(f"no {ref}") from error
        git("checkout", "--quiet", "-B", ref, f"refs/remotes/origin/{ref}", cwd=place)

    return run


def download(results):
    """As actions/download-artifact does it: what is in the artifact is put into a folder."""

    def run(inputs, workspace):
        shutil.copytree(results, inputs["path"], dirs_exist_ok=True)

    return run


# The branch with the history.

NIGHTLY = [OWN / "nightly.yml", TEMPLATES / "hippo-nightly.yml"]


def appended(path, origin, variables, folder, results):
    """What became of the job that appends, on a machine of its own."""
    workspace = folder / "work"
    workspace.mkdir(parents=True)
    actions = {"actions/checkout": checkout(origin), "actions/download-artifact": download(results)}
    # The runner's folder for temporary files, which the artifact goes to and the script reads.
    return run_job(path, "append", workspace, actions=actions, environment=variables)


def results_of(folder, **files):
    for name, text in files.items():
        path = folder / "machine" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("path", NIGHTLY, ids=lambda path: path.name)
def test_each_night_is_one_more_commit_of_a_branch_of_its_own(path, origin, variables, tmp_path):
    main = git("rev-parse", "main", cwd=origin)
    first = appended(path, origin, variables, tmp_path / "1", results_of(tmp_path / "r1", a="1"))
    assert first.code == 0, first.log
    assert git("ls-tree", "-r", "--name-only", "hippo-history", cwd=origin) == "machine/a.json"
    assert git("log", "-1", "--format=%s", "hippo-history", cwd=origin) == f"Results of {SHA}"

    second = appended(path, origin, variables, tmp_path / "2", results_of(tmp_path / "r2", b="2"))
    assert second.code == 0, second.log
    listed = git("ls-tree", "-r", "--name-only", "hippo-history", cwd=origin).split()
    assert listed == ["machine/a.json", "machine/b.json"]

    third = appended(path, origin, variables, tmp_path / "3", results_of(tmp_path / "r2", b="2"))
    assert third.code == 0, third.log
    assert git("rev-list", "--count", "hippo-history", cwd=origin) == "2"  # nothing new, no commit
    assert git("rev-parse", "main", cwd=origin) == main


@pytest.mark.parametrize("path", NIGHTLY, ids=lambda path: path.name)
def test_a_history_that_could_not_be_read_is_not_written_over(path, origin, variables, tmp_path):
    """A fetch that fails looks like a first night; the branch on the server is kept all the same."""
    appended(path, origin, variables, tmp_path / "1", results_of(tmp_path / "r1", a="1"))
    before = git("rev-parse", "hippo-history", cwd=origin)
    real = shutil.which("git")
    broken = tmp_path / "programs/git"
    broken.write_text(f'#!/bin/bash\n[ "$1" != fetch ] || exit 1\nexec {real} "$@"\n', encoding="utf-8")
    broken.chmod(0o755)
    outcome = appended(path, origin, variables, tmp_path / "2", results_of(tmp_path / "r2", b="2"))
    assert outcome.code == 1
    assert "rejected" in outcome.log
    assert git("rev-parse", "hippo-history", cwd=origin) == before


@pytest.mark.parametrize("path", NIGHTLY, ids=lambda path: path.name)
def test_no_result_becomes_a_command_beside_the_token(path, origin, variables, tmp_path):
    """What is measured runs the code of a repository; what it leaves must not reach git's configuration and hooks."""
    results = results_of(tmp_path / "r", a="1")
    for place in (results / ".git", results / "machine/.git"):
        (place / "hooks").mkdir(parents=True)
        (place / "config").write_text(f"[core]\n\tfsmonitor = touch {tmp_path}/pwned\n", encoding="utf-8")
        for hook in ("pre-commit", "post-commit", "pre-push"):
            (place / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {tmp_path}/pwned\n", encoding="utf-8")
            (place / "hooks" / hook).chmod(0o755)
    outcome = appended(path, origin, variables, tmp_path / "1", results)
    assert outcome.code == 0, outcome.log
    assert not (tmp_path / "pwned").exists()
    assert git("ls-tree", "-r", "--name-only", "hippo-history", cwd=origin) == "machine/a.json"


# Which steps run when.

COMMON = {"actions/setup-python": lambda *_: {}, "actions/cache": lambda *_: {}}


def kept(folder):
    """As actions/upload-artifact does it: takes what is there, and is told what the artifact is called."""

    def run(inputs, workspace):
        target = folder / inputs["name"]
        target.mkdir(parents=True)
        for line in inputs["path"].split("\n"):
            place = workspace / line.strip()
            if line.strip() and not line.startswith("!") and place.exists():
                copy = shutil.copytree if place.is_dir() else shutil.copy
                copy(place, target / place.name)
        return {"artifact-id": "1"}

    return run


def program(folder, text):
    """A Python that does what the text says, for our own actions."""
    path = folder / "stand-in"
    path.write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


GATE = """
for word in "$@"; do case "$word" in
  --json=*) printf '{}' > "${word#*=}" ;;
  --markdown=*) printf '**slower**\\n' > "${word#*=}" ;;
esac; done
case "$*" in *'json.load'*) printf 'less accurate\tfail\n' ;; *) exit 1 ;; esac
"""


@pytest.mark.parametrize("path", [OWN / "gate.yml", TEMPLATES / "hippo-gate.yml"], ids=lambda path: path.name)
def test_what_a_gate_found_is_left_for_the_comment_and_fails_the_job(path, origin, variables, tmp_path):
    workspace = tmp_path / "work"
    workspace.mkdir()
    actions = {
        **COMMON, "actions/checkout": checkout(origin), "actions/upload-artifact": kept(tmp_path / "artifacts"),
    }  # fmt: skip
    python = program(tmp_path, GATE)
    outcome = run_job(path, "gate", workspace, actions=actions, environment=variables,
                      skip={"install": {"python": python}})  # fmt: skip
    assert outcome.code == 1, outcome.log
    assert (outcome.steps["gate"]["word"], outcome.steps["gate"]["status"]) == ("less accurate", "fail")
    assert outcome.summary == "**slower**\n"
    (folder,) = (tmp_path / "artifacts/hippo-gate").iterdir()
    assert (folder / "hippo-gate.md").read_text(encoding="utf-8") == "**slower**\n"


PROCESSOR = re.compile(r"github-[A-Za-z0-9-]*")
"""The name of the machine, which is that of its processor: what is compared was measured on one kind."""


@pytest.mark.parametrize("ends", [0, 1])
@pytest.mark.parametrize("path", NIGHTLY, ids=lambda path: path.name)
def test_a_night_leaves_what_it_measured_even_where_a_commit_fails(path, ends, origin, variables, tmp_path):
    """The first night: the checkout of the history fails, and nothing else does."""
    workspace = tmp_path / "work"
    (workspace / ".asv/results").mkdir(parents=True)
    actions = {
        **COMMON, "actions/checkout": checkout(origin), "actions/upload-artifact": kept(tmp_path / "artifacts"),
    }  # fmt: skip
    outcome = run_job(path, "measure", workspace, actions=actions, known={"github.sha": SHA},
                      environment={**variables, "NIGHT": "1", "ENDS": str(ends)})  # fmt: skip
    own = path.parent == OWN
    assert outcome.code == (0 if own else ends), outcome.log  # ours by make, which stands in here
    assert outcome.results["history" if own else "actions/checkout"] == "failure"
    assert outcome.outputs["artifact"] == "1"
    *_, (name, *words) = asked(variables)
    assert PROCESSOR.fullmatch(words[-1].removeprefix("MACHINE="))
    command = "make bench LAST=5" if own else "hippo-verify bench --last 5 --machine"
    assert [name, *words[:-1]] == command.split()
    if not own:
        (artifact,) = (tmp_path / "artifacts").iterdir()
        assert [path.name for path in artifact.rglob("*.json")] == ["1.json"]


def test_a_night_draws_a_seed_that_no_other_night_has(variables, tmp_path):
    """One for each part of the matrix, in the JSON, so that it can be asked again."""
    path, seeds = TEMPLATES / "hippo-nightly.yml", set()
    (step,) = [step for job, step in steps_of(path) if step.get("id") == "draw"]
    for day in ("20261126", "20261127"):
        date = tmp_path / "programs/date"
        date.write_text(f"#!/bin/bash\n[ \"$*\" = '-u +%Y%m%d' ] && echo {day}\n", encoding="utf-8")
        date.chmod(0o755)
        for draw in yaml.safe_load(path.read_text("utf-8"))["jobs"]["deep"]["strategy"]["matrix"]["draw"]:
            output = tmp_path / f"output-{day}-{draw}"
            environment = {**variables, "DRAW": str(draw), "GITHUB_OUTPUT": str(output)}
            subprocess.run([*PLAIN, "-c", step["run"]], env=environment, check=True)
            seeds.add(int(outputs_of(output.read_text(encoding="utf-8"))["seed"]))
    assert len(seeds) == 8


@pytest.mark.parametrize("path", [OWN / "pages.yml", TEMPLATES / "hippo-dashboard.yml"], ids=lambda path: path.name)
def test_the_site_is_made_of_the_history(path, origin, variables, tmp_path):
    appended(NIGHTLY[1], origin, variables, tmp_path / "1", results_of(tmp_path / "r1", a="1"))
    workspace = tmp_path / "work"
    workspace.mkdir()
    pages = {}
    actions = {
        **COMMON, "actions/checkout": checkout(origin),
        "actions/upload-pages-artifact": lambda inputs, workspace: pages.update(inputs),
    }  # fmt: skip
    outcome = run_job(path, "build", workspace, actions=actions, environment=variables)
    assert outcome.code == 0, outcome.log
    if path.parent == OWN:
        assert asked(variables) == [["make", "docs"], ["make", "verify"], ["make", "site"]]
        assert pages["path"] == "reports/generated/docs"
    else:
        assert (workspace / pages["path"] / "index.html").read_text(encoding="utf-8") == "a.json"


def test_before_the_first_night_the_site_is_the_documentation(origin, variables, tmp_path):
    """The checkout of the branch with the history fails: the dashboard is the one that is published."""
    pages = {}
    actions = {
        **COMMON, "actions/checkout": checkout(origin),
        "actions/upload-pages-artifact": lambda inputs, workspace: pages.update(inputs),
    }  # fmt: skip
    (tmp_path / "work").mkdir()
    outcome = run_job(OWN / "pages.yml", "build", tmp_path / "work", actions=actions, environment=variables)
    assert outcome.code == 0, outcome.log
    assert asked(variables) == [["make", "docs"]]
    assert pages["path"] == "reports/generated/docs"


def test_the_seed_of_our_own_night_reaches_make(variables, tmp_path):
    (step,) = [step for job, step in steps_of(OWN / "nightly.yml") if job == "campaign" and "run" in step]
    subprocess.run([*PLAIN, "-c", step["run"]], env={**variables, "DRAW": "3"}, check=True)
    ((*words, seed),) = asked(variables)
    assert words == ["make", "verify", "SUITE=full"]
    assert re.fullmatch(r"SEED=\d{8}3", seed)


# Any other system.


def clone(origin, folder, variables):
    for arguments in (["clone", "--quiet", str(origin), str(folder)],
                      ["-C", str(folder), "config", "user.name", "a"],
                      ["-C", str(folder), "config", "user.email", "a@example.org"]):  # fmt: skip
        git(*arguments, cwd=origin)
    return folder


def script(name, folder, variables, *arguments, **further):
    command = ["bash", str(SHELL / name), *arguments]
    return subprocess.run(
        command, cwd=folder, env={**variables, **further}, check=False, capture_output=True, text=True
    )


@pytest.mark.parametrize("stays", [True, False])
def test_a_history_grows_on_a_machine_that_stays_and_on_one_that_does_not(stays, origin, variables, tmp_path):
    for night in ("1", "2"):
        folder = tmp_path / ("work" if stays else f"work-{night}")
        if not folder.exists():
            clone(origin, folder, variables)
        answer = script("history.sh", folder, variables, NIGHT=night, MACHINE="ours")
        assert answer.returncode == 0, answer.stderr
    listed = git("ls-tree", "-r", "--name-only", "hippo-history", cwd=origin).split()
    assert listed == ["machine/1.json", "machine/2.json"]
    assert asked(variables)[-1] == ["hippo-verify", "bench", "--last", "5", "--machine", "ours"]
    site = clone(origin, tmp_path / "site", variables)
    answer = script("dashboard.sh", site, variables, "out")
    assert answer.returncode == 0, answer.stderr
    assert (site / "out/index.html").read_text(encoding="utf-8") == "1.json 2.json"


def test_a_night_in_which_a_commit_fails_is_kept_and_told(origin, variables, tmp_path):
    folder = clone(origin, tmp_path / "work", variables)
    answer = script("history.sh", folder, variables, NIGHT="1", ENDS="1", LAST="2")
    assert answer.returncode == 1
    assert git("ls-tree", "-r", "--name-only", "hippo-history", cwd=origin) == "machine/1.json"
    assert asked(variables)[-1] == ["hippo-verify", "bench", "--last", "2"]


def test_a_push_that_came_between_is_not_written_over(origin, variables, tmp_path):
    one, other = (clone(origin, tmp_path / name, variables) for name in ("one", "other"))
    assert script("history.sh", one, variables, NIGHT="1").returncode == 0
    assert script("history.sh", other, variables, NIGHT="2").returncode == 0
    git("-C", str(one), "remote", "set-url", "origin", "file:///nowhere", cwd=origin)
    git("-C", str(one), "remote", "set-url", "--push", "origin", str(origin), cwd=origin)
    answer = script("history.sh", one, variables, NIGHT="3")
    assert answer.returncode != 0
    assert "rejected" in answer.stderr
    listed = git("ls-tree", "-r", "--name-only", "hippo-history", cwd=origin).split()
    assert listed == ["machine/1.json", "machine/2.json"]


@pytest.mark.parametrize("ends", [0, 1, 5])
def test_the_gate_of_any_system_compares_with_where_the_branch_began(ends, origin, variables, tmp_path):
    folder = clone(origin, tmp_path / "work", variables)
    answer = script("gate.sh", folder, variables, ENDS=str(ends))
    assert answer.returncode == ends, answer.stderr
    (command,) = asked(variables)
    assert command[:6] == ["hippo-verify", "gate", "--base", git("rev-parse", "main", cwd=origin), "--head", "HEAD"]


def test_the_scripts_of_gitlab_are_carried_out(origin, variables, tmp_path):
    folder = clone(origin, tmp_path / "work", variables)
    for name in ("history.sh", "dashboard.sh"):
        shutil.copy(SHELL / name, folder)
    content = yaml.safe_load(GITLAB.read_text(encoding="utf-8"))
    given = {
        "CI_PROJECT_DIR": str(folder), "CI_MERGE_REQUEST_DIFF_BASE_SHA": SHA, "CI_COMMIT_SHA": SHA[::-1],
        "CI_JOB_TOKEN": "t", "CI_SERVER_HOST": "gitlab.example.org", "CI_PROJECT_PATH": "them/theirs", "NIGHT": "1",
        # where the address of the server is that of the repository here
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{origin}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://gitlab-ci-token:t@gitlab.example.org/them/theirs.git",
    }  # fmt: skip
    for name in ("hippo", "hippo-gate", "hippo-nightly", "hippo-history", "pages"):
        job = content[name]
        environment = {**variables, **given, **{key: str(v) for key, v in job.get("variables", {}).items()}}
        command = ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])]
        answer = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
        assert answer.returncode == 0, (name, answer.stderr)
    gate = [command for command in asked(variables) if command[:2] == ["hippo-verify", "gate"]]
    assert gate[0][2:6] == ["--base", SHA, "--head", SHA[::-1]]
    assert (folder / "public/index.html").read_text(encoding="utf-8") == "1.json"


# Nothing is left out.

CARRIED_OUT = {
    ("nightly.yml", "campaign"), ("nightly.yml", "measure"), ("nightly.yml", "append"), ("pages.yml", "build"),
    ("hippo-nightly.yml", "deep"), ("hippo-nightly.yml", "measure"), ("hippo-nightly.yml", "append"),
    ("hippo-dashboard.yml", "build"),
}  # fmt: skip
BY_NAME = {("ci.yml", "test"), ("ci.yml", "verify"), ("nightly.yml", "tests"), ("action.yml", "wrong")}
"""One call of `.ci/run` or of a target of make, which is looked for below; and a job that tests the action."""
RELEASE = {("release.yml", "build"), ("release.yml", "test"), ("release.yml", "release")}
"""tests/packaging carries out the script that compares tag, version and changelog, builds twice and installs the wheel;
the rest asks GitHub."""


def test_every_script_is_carried_out_here():
    """A new step with a script needs a test above."""
    found = {(path.name, job) for path in [*OWN.glob("*.yml"), *TEMPLATES.glob("*.yml")] for job, step in steps_of(path)
             if "run" in step}  # fmt: skip
    assert found == CARRIED_OUT | BY_NAME | RELEASE


def test_every_target_of_make_that_a_workflow_calls_is_there():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    called = {
        name for path in OWN.glob("*.yml") for _, step in steps_of(path)
        for name in re.findall(r"\bmake ([\w-]+)", step.get("run", ""))
    }  # fmt: skip
    assert {"verify", "bench", "docs", "site", "test-nightly"} <= called
    assert called <= targets
