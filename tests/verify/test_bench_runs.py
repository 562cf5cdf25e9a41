"""`hippo-verify bench` over a small repository: what is imported, what failed, what is measured again, what is left."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from verify.bench import outcome

pytest.importorskip("asv", reason="asv is in the bench extra")

SUITE = """
import math, os, subprocess, sys
from pathlib import Path

import tiny  # an old commit in which it is broken cannot even list its benchmarks
from asv_runner.benchmarks.mark import SkipNotImplemented, skip_for_params

SEEN = Path({seen!r})

def note(text):
    with SEEN.open("a") as file:
        file.write(text + "\\n")

class Values:
    params = [["nan", "inf", "dict", "raises", "skipped", "skipped too", "skipped late"]]
    version = "1"

    def setup(self, what):
        if what == "skipped":
            raise NotImplementedError("not here")

    @skip_for_params([("skipped too",)])
    def track_value(self, what):
        note(f"value {{tiny.VALUE}}")
        if what == "skipped late":
            raise SkipNotImplemented("not now")
        if what == "raises":
            raise ValueError("boom")
        return {{"nan": math.nan, "inf": math.inf, "dict": {{"a": 1}}}}[what]

class Where:
    version = "1"

    def track_here(self):
        note(f"here {{tiny.VALUE}} {{tiny.__file__}}")
        note(f"held {{os.environ['OMP_NUM_THREADS']}} {{os.environ['HIPPO_VERIFY_CACHE']}}")
        return tiny.VALUE

    def track_child(self):
        program = [sys.executable, "-c", "import tiny; print(tiny.VALUE, tiny.__file__)"]
        note("child " + subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip())
        return 1

    def track_later(self):
        import later
        return 1
"""
CONFIGURATION = {
    "version": 1,
    "project": "tiny",
    "repo": ".",
    "branches": ["HEAD"],
    "environment_type": "virtualenv",
    "pythons": [f"{sys.version_info.major}.{sys.version_info.minor}"],
    "matrix": {"env_nobuild": {"OMP_NUM_THREADS": ["1"]}},
    "benchmark_dir": "suite",
    "env_dir": ".asv/env",
    "results_dir": ".asv/results",
}


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


class Repository:
    """A repository in which nothing of ours lies, and the home of somebody who never used asv."""

    def __init__(self, base):
        self.folder, self.seen = base / "repository", base / "seen.txt"
        (base / "home").mkdir(parents=True)
        self.variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTEST_", "ASV"))},
            "HOME": str(base / "home"),
            "COLUMNS": "120",
            "OMP_NUM_THREADS": "2",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "user.name",
            "GIT_CONFIG_VALUE_0": "somebody",
            "GIT_CONFIG_KEY_1": "user.email",
            "GIT_CONFIG_VALUE_1": "somebody@example.org",
        }
        (self.folder / "suite").mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", "trunk")
        self.write("suite/__init__.py", "")
        self.write("suite/bench_tiny.py", SUITE.format(seen=str(self.seen)))
        self.write("asv.conf.json", json.dumps(CONFIGURATION))
        self.write(".gitignore", ".asv\n")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def git(self, *arguments):
        command = ["git", *arguments]
        run = subprocess.run(command, cwd=self.folder, env=self.variables, check=True, capture_output=True, text=True)
        return run.stdout.strip()

    def commit(self, message):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def command(self, *arguments):
        return [sys.executable, "-m", "verify.cli", "bench", "--no-build", "--machine", "here", *arguments]

    def bench(self, *arguments):
        return subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False
        )

    def stored(self, commit):
        (file,) = (self.folder / ".asv/results/here").glob(f"{commit[:8]}-*.json")
        return {name: row[0] for name, row in json.loads(file.read_text())["results"].items()}

    def forget(self):
        self.seen.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three commits, the second of which cannot be imported, measured once; and what the command said."""
    repository = Repository(tmp_path_factory.mktemp("three"))
    repository.write("tiny/__init__.py", "VALUE = 1\n")
    commits = [repository.commit("one")]
    repository.write("tiny/__init__.py", "VALUE = (\n")
    commits.append(repository.commit("two is broken"))
    repository.write("tiny/__init__.py", "VALUE = 3\n")
    repository.write("later.py", "")
    commits.append(repository.commit("three"))
    repository.write("tiny/__init__.py", "VALUE = 'not committed'\n")
    answer = repository.bench("--last", "3", "--bench", "Where")
    seen = repository.seen.read_text().splitlines()
    repository.forget()
    return repository, commits, answer, seen


def test_the_code_of_the_commit_is_imported(three):
    """By the benchmark and by what it starts, though the working tree and its changes are first everywhere else."""
    repository, _, _, seen = three
    tree = repository.folder / ".asv/env"
    for who in ("here", "child"):
        found = [line.split() for line in seen if line.startswith(who)]
        # The second commit has a syntax error; the order is drawn at random, and the same for as many commits.
        assert [value for _, value, _ in found] == ["3", "1"]
        assert all(Path(file).is_relative_to(tree) for *_, file in found)
        assert len({file for *_, file in found}) == 1, "paths are of equal length, as it is one folder"


def test_threads_and_caches_are_those_of_the_run(three):
    repository, _, _, seen = three
    held = [line.split() for line in seen if line.startswith("held")]
    assert held == [["held", "1", str(repository.folder / ".asv/hippo-verify/cache")]] * 2


def test_what_a_commit_has_not_is_not_taken_from_elsewhere(three):
    """`later` lies in the working tree and in the third commit: the first cannot import it."""
    repository, commits, answer, _ = three
    assert repository.stored(commits[0])["bench_tiny.Where.track_later"] is None
    assert repository.stored(commits[2])["bench_tiny.Where.track_later"] == [1]
    assert f"{commits[0][:8]} bench_tiny.Where.track_later: ModuleNotFoundError: later is not in this" in answer.stdout


def test_a_broken_commit_hides_no_other(three):
    _, commits, answer, _ = three
    assert answer.returncode == 3, answer.stderr
    rows = answer.stdout.splitlines()[1:4]
    found = [re.match(r"([0-9a-f]{8})  (failed|measured) ", row).groups() for row in rows]
    assert found == list(zip([commit[:8] for commit in commits], ["failed", "failed", "measured"], strict=True))
    assert f"{commits[1][:8]} bench_tiny.Where.track_here: SyntaxError: '(' was never closed" in answer.stdout
    assert "discovering the benchmarks" in answer.stderr
    assert f"1/3 {commits[1][:8]} two is broken" in answer.stderr


def test_a_quick_run_says_what_asv_takes_for_skipped_or_dies_of(three):
    """NaN, inf and a dict among values that were skipped in each of asv's three ways; and nothing is stored."""
    repository, *_ = three
    results = repository.folder / ".asv/results"
    before = {path: path.read_bytes() for path in results.rglob("*.json")}
    answer = repository.bench("--quick", "--bench", "track_value")
    seen = repository.seen.read_text().split("\n")[:-1]
    repository.forget()
    assert answer.returncode == 1, answer.stderr
    assert seen == ["value 3"] * 5, "each choice once, on the newest commit alone"
    assert "nothing was stored" in answer.stdout
    assert {path: path.read_bytes() for path in results.rglob("*.json")} == before
    said = [line for line in answer.stdout.splitlines() if "track_" in line]
    assert sorted(re.search(r"track_(\w+\('.*?'\).*)", line)[1] for line in said) == [
        "value('dict'): asv: the benchmark returned dict {'a': 1}; accepted: a number",
        "value('inf') is inf; asv stores it, and its pages do not end with it",
        "value('nan') is nan; asv takes it for skipped",
        "value('raises'): ValueError: boom",
    ]


def test_uncommitted_changes_are_named(three):
    _, _, answer, _ = three
    assert "1 files differ from HEAD (tiny/__init__.py): what is committed is measured" in answer.stderr


def test_asv_stored_it_all(three):
    """In asv's own format, for this machine, with the list of benchmarks that its pages read."""
    from asv.machine import Machine
    from asv.results import iter_results

    repository, commits, _, _ = three
    results = repository.folder / ".asv/results"
    assert sorted(found.commit_hash for found in iter_results(str(results))) == sorted(commits)
    machine = json.loads((results / "here/machine.json").read_text())
    assert machine == {**Machine.get_defaults(), "machine": "here", "version": 1}
    assert set(outcome.benchmarks(results / "benchmarks.json")) == {  # all, whatever was asked for
        "bench_tiny.Values.track_value",
        *(f"bench_tiny.Where.track_{name}" for name in ("here", "child", "later")),
    }
    assert not list((repository.folder.parent / "home").iterdir())
    name = next((results / "here").glob(f"{commits[0][:8]}-*")).name
    assert "OMP_NUM_THREADS1" in name
    assert str(repository.folder).replace("/", "_") not in name, "no path of this machine in a published file"


def test_what_is_stored_is_not_measured_again(three):
    """Nor is what failed; the reasons and the exit code are those of the first time."""
    repository, commits, *_ = three
    answer = repository.bench("--range", f"{commits[0]}..{commits[1]}", "--bench", "Where")
    assert answer.returncode == 3
    assert "failed, in an earlier run" in answer.stdout
    assert f"{commits[1][:8]} bench_tiny.Where.track_here: SyntaxError: '(' was never closed" in answer.stdout
    assert not repository.seen.exists()


def test_what_failed_is_measured_again_where_asked(three):
    repository, commits, *_ = three
    answer = repository.bench("--range", f"{commits[0]}..", "--retry", "--bench", "track_later")
    assert re.search(rf"{commits[1][:8]}  failed  ", answer.stdout)
    assert re.search(rf"{commits[2][:8]}  measured, in an earlier run  ", answer.stdout)


def test_choices_of_parameters_are_asked_for_as_asv_spells_them(three):
    """Others are neither run nor forgotten, and what asv stores of them, NaN, is no number that they gave."""
    from verify.history import load

    repository, *_ = three
    first = repository.bench("--bench", r"track_value\('(raises|skipped late)'\)")
    assert first.returncode == 3, first.stdout
    assert "track_value('raises'): ValueError: boom" in first.stdout
    second = repository.bench("--bench", r"track_value\('(skipped.*|dict)'\)")
    assert second.returncode == 3, second.stdout
    assert repository.seen.read_text().splitlines() == ["value 3"] * 3, "what is stored is not measured again"
    retried = repository.bench("--retry", "--bench", "Values")
    repository.forget()
    assert retried.returncode == 1, retried.stdout
    assert "track_value('nan') is nan" in retried.stdout
    values = load(repository.folder / ".asv/results", repository.folder).series
    why = {name.split("'")[1]: one.points[-1].why for name, one in values.items() if "track_value" in name}
    skips = dict.fromkeys(("skipped", "skipped too", "skipped late"), "skipped")
    assert why == {"nan": "NaN", "inf": "infinite", "dict": "failed", "raises": "failed", **skips}
    assert repository.bench("--bench", "track_value$").returncode == 4


@pytest.fixture
def slow(tmp_path):
    """A commit with a fast benchmark, and one that says it has begun and waits to be killed in its first run.

    Before it one that is never measured: whatever imports `sys` has the interpreter's and not the commit's.
    """
    repository = Repository(tmp_path)
    repository.write("sys.py", "")
    repository.commit("zero")
    repository.git("rm", "--quiet", "sys.py")
    repository.write(
        "suite/bench_tiny.py",
        f"import time\nfrom pathlib import Path\nSEEN = Path({str(repository.seen)!r})\n"
        "def track_a():\n    return 1\n"
        "def track_b():\n    first = not SEEN.exists()\n    SEEN.write_text('begun')\n"
        "    time.sleep(60 * first)\n    return 2\n",
    )
    return repository, repository.commit("one")


def test_a_stopped_run_goes_on_where_it_was(slow):
    """As where CI cancels a job: all that was started ends, what was measured is stored, the rest is measured next."""
    repository, commit = slow
    process = subprocess.Popen(
        repository.command(), cwd=repository.folder, env=repository.variables, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not repository.seen.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2, "asv and its benchmark"
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"{commit[:8]}  stopped" in said
    assert not [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]
    assert repository.stored(commit) == {"bench_tiny.track_a": [1]}
    answer = repository.bench("--last", "2")
    assert answer.returncode == 3, answer.stderr
    zero, one = answer.stdout.splitlines()[1:3]
    assert re.match(r"[0-9a-f]{8}  not built  ", zero)
    assert re.match(rf"{commit[:8]}  measured  ", one)
    assert "sys is imported from built-in, which is not the commit's; expected: below" in answer.stdout
    assert repository.stored(commit) == {"bench_tiny.track_a": [1], "bench_tiny.track_b": [2]}
