"""The command: what it prints and writes, how it ends, and what it refuses."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from verify import claims_command, claims_console
from verify.claims import store
from verify.claims.base import Unit
from verify.claims.engine import Ending, Record
from verify.cli import app
from verify.console import make_console
from verify.outputs import schema

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is in the torch extra")


@pytest.fixture
def claims(tmp_path, monkeypatch):
    """The command over claims of `claims_tools`, in a folder of its own; its exit code and what it printed."""

    def run(*arguments, names=("Squares",), code=0):
        table = {name.lower(): f"claims_tools:{name}" for name in names}
        monkeypatch.setattr(claims_command, "CLAIMS", table)
        monkeypatch.chdir(tmp_path)
        answer = CliRunner().invoke(app, ["claims", *arguments])
        assert answer.exit_code == code, answer.output
        return answer

    return run


def test_statements_tables_and_a_word(claims, tmp_path):
    answer = claims("--quick", "--seeds", "3", "--seed=5", "--json", "r.json", "--markdown", "r.md")
    assert "squares  Squares grow.       121        9  holds" in answer.stdout
    assert answer.stdout.endswith("PASS  1 holds\n")
    assert "4/5 units" in answer.stderr or "5/5 units; squares: seed" in answer.stderr
    record = json.loads((tmp_path / "r.json").read_text())
    jsonschema.Draft202012Validator(schema("hippo-verify-claims-1")).validate(record)
    assert record["command"] == ["hippo-verify", "claims", "--quick", "--seed=5", "--seeds=3"]
    assert record["options"]["scale"] == "quick"
    assert record["provenance"]["versions"]["scikit-learn"]
    assert [unit["key"] for unit in record["claims"][0]["units"]][-1] == "seed 7"
    assert "| squares | Squares grow. | 121 | 9 | holds |" in (tmp_path / "r.md").read_text()
    # The same again: all is known, and nothing of it is printed as new.
    again = claims("--quick", "--seeds", "3", "--seed=5", "--json", "-", "--no-progress")
    known = json.loads(again.stdout)
    assert all(unit["before"] for unit in known["claims"][0]["units"])
    assert known["claims"][0]["tables"] == record["claims"][0]["tables"]
    assert "Squares grow." in again.stderr  # standard output is the file's


@pytest.mark.parametrize(
    ("name", "code", "word"),
    [
        ("Failing", 1, "FAIL  1 does not hold"),
        ("Raising", 3, "ERROR  1 error"),
        ("Silent", 5, "no statement was judged"),
    ],
)
def test_how_it_ends(claims, name, code, word):
    answer = claims(names=(name,), code=code)
    assert word in answer.stdout
    if name == "Raising":
        assert "raising: seed 0 failed: ArithmeticError: seed 0 raised in two lines (claims_tools.py:" in answer.stderr


def test_what_units_print_is_in_no_file(tmp_path):
    """Standard output is that of a worker too: in a process of its own."""
    program = tmp_path / "program.py"
    program.write_text(
        f"import sys\nsys.path.insert(0, {str(HERE)!r})\n"
        "from verify import claims_command, cli\n"
        "if __name__ == '__main__':\n"
        "    claims_command.CLAIMS = {'printing': 'claims_tools:Printing'}\n"
        "    cli.main()\n"
    )
    answer = subprocess.run(
        [sys.executable, str(program), "claims", "--json", "-", "--no-progress"], cwd=tmp_path, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["status"] == "pass"
    assert "this is no JSON" in answer.stderr


def test_a_budget_that_is_over_says_so(claims):
    answer = claims("--budget", "0.5", "--workers", "1", names=("Endless",), code=5)
    assert "not run" in answer.stdout
    assert "INCONCLUSIVE  1 not run" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["magic"], "no claim is called 'magic'; accepted: squares"),
        (["--quick", "--full"], "more than one of --smoke, --quick and --full is given"),
        (["--budget", "0"], "--budget is 0.0; accepted: seconds above 0"),
        (["--budget", "nan"], "--budget is nan"),
        (["--data", "nowhere"], "--data: there is no folder nowhere; accepted: one with IDX files"),
        (["--trajectories", "nowhere.ts"], "--trajectories: there is no file nowhere.ts; accepted: a .ts or .arff"),
        (["--data", "."], "--data: . has no train-images-idx3-ubyte and no train-images-idx3-ubyte.gz"),
        (["--trajectories", "file"], "--trajectories: file is no name of a UEA file"),
        (["--device", "magic"], "--device is 'magic', which torch cannot use: "),
        (["--json", "-", "--markdown", "-"], "--json and --markdown are both '-'"),
        (["--store", "file/store"], "cannot read or write file/store: Not a directory"),
        (["--store", "foreign"], "--store: foreign/units.jsonl is no journal of measured claims"),
        (["--json", "file/r.json"], "--json: cannot write file/r.json: File exists; all is in .hippo-verify/claims"),
    ],
)
def test_wrong_usage_is_refused(claims, tmp_path, arguments, message):
    (tmp_path / "file").touch()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "units.jsonl").write_text("{}\n")
    answer = claims(*arguments, code=2)
    assert f"hippo-verify: {message}" in answer.stderr


def test_a_store_that_is_a_file_is_refused(claims, tmp_path):
    (tmp_path / "file").touch()
    assert "is a file" in claims("--store", "file", code=2).stderr


def test_two_runs_in_one_folder_are_refused(claims, tmp_path):
    with store.opened(tmp_path / "s"):
        answer = claims("--store", "s", code=2)
    assert f"--store: process {os.getpid()} is at work in s; wait until it ends" in answer.stderr


def test_a_damaged_journal_is_mended_and_that_is_said(claims, tmp_path):
    claims("--store", "s")
    path = tmp_path / "s" / "units.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert "1 lines of s were torn or changed: done again" in claims("--store", "s").stderr
    assert "torn" not in claims("--store", "s").stderr


def test_without_torch_the_extra_is_named(claims, monkeypatch):
    known = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "torch" else known(name, *more)
    )
    assert "torch is not installed: pip install 'hippo-verify[claims]'" in claims(code=2).stderr


def test_nothing_to_run_is_nothing_selected(claims):
    assert claims(names=(), code=4).stdout.endswith("NOTHING WAS CHECKED  no statement was judged\n")


def test_neither_help_nor_the_command_line_needs_torch():
    code = (
        "import sys\nfrom verify import cli, claims_command\nfrom verify.claims import base, results, training, tasks\n"
        "sys.exit('torch' in sys.modules or 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Progress.


class Terminal:
    """What a console would have printed."""

    def __init__(self):
        self.lines = []

    def print(self, line, **_):
        self.lines.append(line)


def test_a_log_has_a_line_now_and_then_and_every_failure():
    now, terminal = [0.0], Terminal()
    lines = claims_console._Lines(terminal, True, clock=lambda: now[0])
    done = Record(unit=Unit(key="u", cost=1.0), ending=Ending.DONE, result={})
    for second in range(25):
        now[0] = float(second)
        lines.ended("c", done, second, 24)
    assert [line.split()[0] for line in terminal.lines] == ["0", "10", "20", "24"]
    assert terminal.lines[1] == "    10 s  10/24 units; c: u"
    for second in (60, 84, 90):
        now[0] = float(second)
        lines.doing("c", done.unit, 0.5, "epoch 1 of 2")
    assert terminal.lines[4:] == ["    84 s  c: u: 50% epoch 1 of 2"]
    failed = Record(unit=Unit(key="[u]", cost=1.0), ending=Ending.FAILED, message="why")
    claims_console._Lines(other := Terminal(), False).ended("c", failed, 1, 2)
    assert other.lines == ["c: \\[u] failed: why"]


def test_bars_come_and_go():
    from rich.progress import Progress

    with Progress(console=make_console(stderr=True), disable=True) as bar:
        bars = claims_console._Bars(bar)
        unit = Unit(key="[red]u", cost=1.0)
        bars.began("c", unit)
        bars.doing("c", unit, 0.5, "epoch 1 of 2")
        assert [(task.completed, task.description) for task in bar.tasks][1] == (0.5, "c: \\[red]u: epoch 1 of 2")
        bars.ended("c", Record(unit=unit, ending=Ending.FAILED, message="why"), 1, 3)
        assert [(task.completed, task.total, task.description) for task in bar.tasks] == [(1, 3, "1 of 3 units")]
