"""What a campaign asks, from options and from a file: nothing that was asked for vanishes."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from campaign_tools import plan_of, trivial
from typer.testing import CliRunner

from verify.adapters import ADAPTERS
from verify.campaign import Course, run_unit
from verify.campaign_console import RARELY, Watching, duration, summary_line
from verify.checks import SUITES
from verify.cli import app
from verify.cost_table import Sample, compared, fit, written
from verify.costs import Costs, shipped
from verify.executors import ExecutorError
from verify.executors.serial import Serial
from verify.folders import BusyError
from verify.plan_file import KEYS, read_plan
from verify.planning import Absent, lacking, plan
from verify.scheduling import Schedule
from verify.verdict import Status

QUICK = SUITES["quick"]
EXAMPLE = Path(__file__).parents[2] / "docs/examples/campaign/plan.toml"


def cli(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def words(text):
    return " ".join(text.split())


# The plan.


def test_a_unit_is_made_from_its_place():
    units = plan(["hippo-fast-numpy", "hippox-legs"], orders=[4, 8], suite=QUICK)
    assert list(units) == [units[place] for place in range(len(units))] == units[:]
    assert len({unit.key for unit in units}) == len(units)
    assert sum(unit.cells for unit in units) == units.cells
    assert units[-1] == units[len(units) - 1]
    with pytest.raises(IndexError, match=f"unit {len(units)} of a plan of {len(units)}"):
        units[len(units)]


def test_a_check_that_is_named_and_a_target_has_no_level_for_is_unsupported():
    for named in (["step"], ["matrices", "step"]):
        units = plan(["hippox-legs"], measures=["legs"], orders=[4], dtypes=["float64"], checks=named, suite=QUICK)
        verdicts = [verdict for unit in units for verdict in run_unit(unit)]
        assert [verdict.check for verdict in verdicts] == named
        (step,) = (verdict for verdict in verdicts if verdict.check == "step")
        assert step.status is Status.UNSUPPORTED
        assert "hippox-legs has no level step; it has matrices" in step.message
    assert not plan(["hippox-legs"], orders=[4], checks=[], suite=QUICK)


def test_a_million_units_weigh_nothing():
    units = plan(
        [key for key in ADAPTERS if key.startswith("hippo-fast")], orders=range(1, 4097), checks=["scan"], suite=QUICK
    )
    assert len(units) > 1_000_000
    assert sys.getsizeof(units.orders) + sum(map(sys.getsizeof, units.blocks)) < len(units)


def test_what_a_target_lacks_is_unsupported_and_does_not_vanish():
    asked = {"measures": ["legs", "fout"], "dtypes": ["float64", "float32"], "devices": ["cpu", "cuda"]}
    units = plan(["hippox-legs"], orders=[4], suite=QUICK, **asked)
    assert len(units) == 2 * 2 * 2
    reasons = {lacking(unit) for unit in units}
    assert reasons == {"", "hippox-legs has no fout", "hippox-legs has no device cuda; it has cpu"}
    unit = next(unit for unit in units if unit.case.measure == "fout")
    verdicts = run_unit(unit)
    assert len(verdicts) == unit.cells > 0
    assert {(verdict.status, verdict.message) for verdict in verdicts} == {
        (Status.UNSUPPORTED, "hippox-legs has no fout")
    }
    told = {(absent.what, absent.reason): absent.units for absent in units.left_out()}
    assert told == {("hippox-legs", "hippox-legs has no fout"): 4,
                    ("hippox-legs", "hippox-legs has no device cuda; it has cpu"): 2}  # fmt: skip


def test_by_default_only_what_a_target_has_is_asked():
    units = plan(["hippox-legs", "scipy-cont2discrete"], orders=[4], suite=QUICK)
    assert {(unit.target, unit.case.measure) for unit in units} == {
        (target, measure) for target in ("hippox-legs", "scipy-cont2discrete") for measure in ADAPTERS[target].measures
    }
    assert {unit.case.device for unit in units} == {"cpu"}


def test_what_does_not_depend_on_the_rule_is_asked_under_a_rule_that_the_target_has():
    units = plan(["mambapy-pscan", "hippo-fast-numpy"], measures=["legs"], methods=["foh", "bilinear"], orders=[4],
                 dtypes=["float64"], suite=QUICK)  # fmt: skip
    for unit in units:
        if "matrices" in unit.levels:
            assert not lacking(unit)
    assert {unit.case.method for unit in units} == {"foh", "bilinear"}


def test_checks_are_chosen():
    units = plan(["hippo-fast-numpy"], measures=["legs"], methods=["bilinear"], orders=[2], dtypes=["float64"],
                 checks=["matrices", "step"], suite=QUICK)  # fmt: skip
    (unit,) = units
    assert unit.levels == ("matrices", "step")
    assert [(verdict.check, verdict.case.level) for verdict in run_unit(unit)] == [
        ("matrices", "matrices"), ("step", "step"),
    ]  # fmt: skip
    assert unit.key != plan(["hippo-fast-numpy"], measures=["legs"], methods=["bilinear"], orders=[2],
                            dtypes=["float64"], suite=QUICK)[0].key  # fmt: skip


# The file.

WRONG = [
    ("target = ['own']", r"has an unknown key 'target' (did you mean targets?); accepted: targets, measures, orders"),
    ("measures = ['lags']", "measures, item 1, is 'lags'; accepted: legs, legt"),
    ("measures = ['lags']", "(did you mean legs?)"),
    ("measures = 'legs'", "measures is 'legs'; accepted: a list of texts, of legs"),
    ("targets = []", "targets is []; accepted: a list of texts, of own, third-party, hippo-fast-numpy"),
    ("targets = ['hippox-leg']", "(did you mean hippox-legt?)"),
    ("orders = [4, 0]", "orders, item 2, is 0; accepted: integers from 1 to 4096"),
    ("orders = ['4']", "orders is ['4']; accepted: a list of integers from 1 to 4096"),
    ("orders = [true]", "orders is [True]; accepted: a list of integers"),
    ("methods = ['tustin']", "methods, item 1: method is 'tustin'; accepted: bilinear"),
    ("dtypes = ['float16']", "dtypes, item 1, is 'float16'; accepted: float64, float32"),
    ("devices = ['gpu']", "devices, item 1, is 'gpu'; accepted: cpu, cuda"),
    ("checks = ['scan', 'matrix']", "checks, item 2, is 'matrix'; accepted: matrices"),
    ("suite = 'quik'", "suite is 'quik'; accepted: quick, full (did you mean quick?)"),
    ("seed = 0.5", "seed is 0.5; accepted: an integer"),
    (f"seed = {2**63}", f"seed is {2**63}; accepted: an integer of at most 63 bits"),
    ("suite = ['quick']", "suite is ['quick']; accepted: quick, full"),
    ("orders = " + "[" * 3000, "is not TOML"),
    ("timeout = 0", "timeout is 0; accepted: seconds above 0"),
    ("timeout = inf", "timeout is inf; accepted: seconds above 0"),
    ("expected = 3", "expected is 3; accepted: the name of a TOML file"),
    ("require-coverage = 'most'", "require-coverage is 'most'; accepted: a number of checks"),
    ("orders = [", "is not TOML"),
    ("[run]\nseed = 1", "has an unknown key 'run'"),
]


@pytest.mark.parametrize(("content", "said"), WRONG, ids=[content for content, _ in WRONG])
def test_a_plan_that_is_wrong_says_what_is_accepted(tmp_path, content, said):
    path = tmp_path / "plan.toml"
    path.write_text(content, encoding="utf-8")
    result = cli("run", "--plan", path, "--dry-run")
    assert result.exit_code == 2
    assert said in words(result.stderr)
    assert str(path) in words(result.stderr)


def test_a_plan_that_is_not_there(tmp_path):
    result = cli("run", "--plan", tmp_path / "nonesuch.toml")
    assert result.exit_code == 2
    assert "--plan: cannot read" in words(result.stderr)


PLAN = """
targets = ["hippo-fast-numpy"]
measures = ["legs", "legt"]
orders = [4, 8]
methods = ["bilinear"]
dtypes = ["float64"]
devices = ["cpu"]
checks = ["matrices", "scan"]
suite = "full"
seed = 7
timeout = 30
expected = "known.toml"
require-coverage = "90%"
"""


def test_a_plan_is_read_and_options_have_the_last_word(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN, encoding="utf-8")
    assert set(read_plan(path)) == {key.replace("-", "_") for key in KEYS}
    assert read_plan(path)["expected"] == str(tmp_path / "known.toml")

    def foreseen(*options):
        result = cli("run", "--plan", path, *options, "--dry-run", "--json", "-", "--workers", "2")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    assert (foreseen()["units"], foreseen()["cells"]) == (4, 8)
    assert foreseen("--orders", "4")["units"] == 2
    assert foreseen("--checks", "scan")["cells"] == 4


def test_the_shipped_example_says_every_key_but_one_and_runs(tmp_path):
    found = read_plan(EXAMPLE)
    assert set(found) == {key.replace("-", "_") for key in KEYS} - {"expected"}
    store = tmp_path / "store"
    small = ("--orders", "2", "--measures", "legs", "--methods", "bilinear")
    result = cli("run", "--plan", EXAMPLE, *small, "--workers", "1", "--store", store, "--no-progress")
    assert result.exit_code == 0, result.output
    record = json.loads((store / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert record["seed"] == found["seed"]


def test_a_dry_run_says_how_much_how_long_and_what_is_left_out(tmp_path):
    store = tmp_path / "store"
    options = ("--measures", "fout", "--targets", "third-party", "--orders", "4", "--store", store)
    result = cli("run", *options, "--dry-run", "--json", tmp_path / "plan.json")
    assert result.exit_code == 0
    assert not store.exists()
    found = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert found["schema"] == "hippo-verify-plan/1"
    assert found["units"] == sum(row["units"] for row in found["targets"])
    assert found["cells"] == sum(row["cells"] for row in found["targets"])
    reasons = {(row["what"], row["reason"]) for row in found["left_out"]}
    assert ("hippox-legs", "hippox-legs has no fout") in reasons
    missing = {key for key, adapter in ADAPTERS.items() if adapter.version() is None}
    assert missing <= {row["what"] for row in found["left_out"]}
    assert "hippox-legs has no fout" in words(result.stdout)
    assert "Nothing was run." in result.stdout
    assert cli("run", *options, "--dry-run", "--sarif", tmp_path / "s").exit_code == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--executor", "threads"), "executor is 'threads'; accepted: serial, processes, dask"),
        (("--executor", "serial", "--scheduler", "tcp://a:1"), "but the executor serial has none: use dask"),
        (("--devices", "tpu"), "device is 'tpu'; accepted: cpu, cuda"),
        (("--checks", "matrix"), "check is 'matrix'; accepted: matrices"),
        (("--timeout", "0"), "--timeout is 0.0; accepted: seconds above 0"),
        (("--workers", "-1"), "greater than or equal to 0"),
    ],
)
def test_wrong_options_say_what_is_accepted(tmp_path, options, said):
    result = cli("run", "--targets", "hippo-fast-numpy", "--store", tmp_path / "s", *options)
    assert result.exit_code == 2
    assert said in words(result.stderr)
    assert not (tmp_path / "s").exists()


# Costs.


def test_the_table_is_found_again_from_what_it_predicts():
    levels = {"matrices": (0.1, 0.02), "scan": (0.5, 1.5)}
    true = Costs(levels, {"scipy": 1.0, "hippox": 3.0}, {"quick": 1.0, "full": 8.0})
    found = [
        Sample(library, level, order, suite, factor * scale * (a + b * (order / 64) ** 2))
        for library, factor in true.libraries.items()
        for suite, scale in true.suites.items()
        for level, (a, b) in levels.items()
        for order in (4, 16, 64, 256)
    ]
    table = fit(found)
    again = Costs.parse(written(table))
    for sample in found:
        for costs in (table, again):
            a, b = costs.level(sample.level)
            said = costs.libraries[sample.library] * costs.suites[sample.suite] * (a + b * (sample.order / 64) ** 2)
            assert said == pytest.approx(sample.seconds, rel=0.02)
    assert "| level scan |" in compared(found, table)


def test_every_level_and_every_installed_library_has_a_cost():
    assert {level for adapter in ADAPTERS.values() if adapter.version() for level in adapter.levels} <= set(
        shipped().levels
    )
    large, small = (Schedule(plan(["hippo-fast-numpy"], orders=[n], suite=QUICK)).seconds.sum() for n in (512, 4))
    assert large > 2 * small
    full, quick = (Schedule(plan(["hippo-fast-numpy"], suite=SUITES[name])).seconds.sum() for name in ("full", "quick"))
    assert full > 2 * quick


# Progress.


def watched(capsys, wanted, step):
    now = [0.0]
    watching = Watching(wanted, lambda: now[0])
    units = plan_of(90)
    course = Course(len(units), Serial(), Schedule(units))
    with watching:
        watching.began(course)
        for index, unit in enumerate(units):
            verdicts = trivial(unit)
            if index in (3, 4):
                verdicts = [verdict.with_status(Status.FAIL, "off by [two]") for verdict in verdicts]
            course.done += 1
            course.counted.update(verdict.status for verdict in verdicts)
            now[0] += step
            watching.finished(unit, verdicts)
    return capsys.readouterr().err.splitlines(), watching


def test_a_log_gets_few_lines_and_failures_as_they_come(capsys):
    lines, watching = watched(capsys, True, RARELY / 10)
    assert lines[0].startswith("90 units on 1 worker(s), about ")
    assert lines[1].startswith("FAIL hippo-fast-numpy scan legs N=4 ")
    assert lines[1].endswith("off by [two]")
    assert len(lines) == 2 + 90 // 10
    assert all(" left" in line for line in lines[2:-1])
    assert lines[-1].startswith("90/90 units: ")
    assert watching.counts["FAIL"] == 2


def test_without_progress_nothing_is_said(capsys):
    assert watched(capsys, False, RARELY)[0] == []


@pytest.mark.parametrize(
    ("seconds", "said"), [(3.2, "3 s"), (119, "119 s"), (150, "2 min"), (9000, "2.5 h"), (2e5, "2.3 days"),
                          (float("inf"), "an unknown time")],
)  # fmt: skip
def test_times_are_said_as_people_do(seconds, said):
    assert duration(seconds) == said


def test_the_last_line_is_for_machines(tmp_path):
    store = tmp_path / "a store"
    command = ("run", "--targets", "hippo-fast-numpy", "--measures", "legs", "--orders", "2", "--methods", "bilinear",
               "--dtypes", "float64", "--checks", "matrices", "--workers", "1", "--store", store)  # fmt: skip
    result = cli(*command, "--no-progress")
    assert result.exit_code == 0, result.output
    said = dict(word.split("=", 1) for word in shlex.split(result.stderr.splitlines()[-1])[1:])
    assert said.pop("seconds")
    counts = {str(status).lower(): "0" for status in Status}
    assert said == {**counts, "status": "pass", "exit_code": "0", "cells": "1", "pass": "1", "store": str(store)}
    assert len(result.stderr.splitlines()) == 1
    assert "status=stopped" in summary_line("stopped", 130, {}, 1.0, store)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "stopped; the same command goes on from what is finished in"),
        (BusyError("process 7 is at work in x"), 2, "--store: process 7 is at work in x, or give --wait SECONDS"),
        (ExecutorError("no worker begins"), 3, "--executor serial: no worker begins"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_ends_a_campaign_says_so(tmp_path, monkeypatch, error, code, said):
    def run(*_, **__):
        raise error

    monkeypatch.setattr("verify.campaign.run", run)
    command = ("run", "--targets", "hippo-fast-numpy", "--orders", "2", "--workers", "1", "--store", tmp_path / "s")
    result = cli(*command)
    assert result.exit_code == code
    assert said in words(result.stderr)
    assert ("status=stopped exit_code=130" in result.stderr.splitlines()[-1]) == (code == 130)


def test_absent_targets_are_told_first():
    units = plan(["hippo-fast-numpy"], orders=[1], suite=QUICK, absent=[Absent("x", "not installed")])
    assert next(iter(units.left_out())) == Absent("x", "not installed")
