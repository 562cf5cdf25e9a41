"""A campaign gives the same verdicts whoever judges its units, however often it is stopped and killed."""

import json
import random
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from campaign_tools import OWN, STOPS, UNITS, collected, deadly, plan_of, ran, same, trivial

from verify import campaign
from verify.checks import SUITES
from verify.costs import Costs
from verify.executors import EXECUTORS, make_executor
from verify.executors.base import DEATHS, STOP_SECONDS, Batch, Executor, ExecutorError
from verify.folders import BusyError
from verify.planning import Plan, plan
from verify.scheduling import Schedule
from verify.store import VerdictStore
from verify.stored import open_store
from verify.verdict import Status

TOOLS = Path(__file__).with_name("campaign_tools.py")


@pytest.fixture(autouse=True)
def _one_provenance(monkeypatch):
    monkeypatch.setattr(campaign, "collect", collected)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The records of a serial campaign that nobody stopped."""
    folder = tmp_path_factory.mktemp("whole")
    ran(folder, UNITS)
    return same(folder / "verdicts.jsonl")


def program(*arguments):
    """`campaign_tools` as a program of its own, which may be killed; what it says."""
    command = [sys.executable, "-W", "ignore", str(TOOLS), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


class Shuffled(Executor):
    """Hands everything in at the end, in an order of its own."""

    key = "shuffled"

    def run(self, batches, work):
        found = [(index, unit, work(unit)) for batch in batches for index, unit in batch.units]
        random.Random(3).shuffle(found)
        yield from found

    def stop(self):
        pass


# The same verdicts in the same order.


def test_the_finished_store_is_in_the_order_of_the_plan(whole):
    units = [record for record in whole if record["kind"] == "unit"]
    assert [record["key"] for record in units] == [unit.key for unit in plan_of(UNITS)]
    assert [record["index"] for record in units] == list(range(len(plan_of(UNITS))))
    assert {"PASS", "UNSUPPORTED"} == {record["status"] for record in whole if record["kind"] == "verdict"}


def test_any_order_of_completion_gives_the_same_store(whole, tmp_path):
    batches = list(Schedule(plan_of(UNITS)).batches(2))
    assert [index for batch in batches for index, _ in batch.units] != sorted(range(len(plan_of(UNITS))))
    campaign.run(plan_of(UNITS), tmp_path, executor=Shuffled(1), work=trivial)
    assert same(tmp_path / "verdicts.jsonl") == whole


def test_processes_give_the_same_store_and_survive_a_unit_that_kills_them(whole, tmp_path):
    """All but the unit that ends three workers in a row, the last one alone: that is an ERROR, and says why."""
    report = ran(tmp_path, UNITS, "processes", work=deadly)
    bad = [verdict for verdict in report.verdicts if verdict.status is Status.ERROR]
    assert {(v.case.order, v.case.measure, v.case.method) for v in bad} == {(2, "legt", "zoh")}
    assert all("was killed by SIGKILL" in v.message and f"{DEATHS} times in a row" in v.message for v in bad)
    found = same(tmp_path / "verdicts.jsonl")
    differing = [(one, other) for one, other in zip(found, whole, strict=True) if one != other]
    assert len(differing) == len(bad) == 1


def test_a_report_reads_its_verdicts_from_the_store(whole, tmp_path):
    report = ran(tmp_path, UNITS)
    wanted = [record for record in whole if record["kind"] == "verdict"]
    assert [verdict.case.id for verdict in report.verdicts] == [record["case"]["id"] for record in wanted]
    assert [verdict.case.id for verdict in report.verdicts] == [record["case"]["id"] for record in wanted]  # again
    assert len(report.verdicts) == len(wanted) == sum(report.counts.values())
    assert report.verdicts[-1] == list(report.verdicts)[-1] == report.verdicts[len(wanted) - 1]
    assert report.to_json()["counts"] == report.counts
    with pytest.raises(IndexError, match=f"verdict {len(wanted)} of {len(wanted)}"):
        report.verdicts[len(wanted)]
    told = replace(report.verdicts[3], details={"told": True})
    report.verdicts[3] = told
    assert [verdict.details for verdict in report.verdicts][2:5] == [{}, {"told": True}, {}]


# Stopped and gone on with.


class Stopper(campaign.Nobody):
    """Ctrl-C after so many units."""

    def __init__(self, after):
        self.left = after
        self.told = []

    def finished(self, unit, verdicts):
        self.told.append(unit.key)
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [1, 17, UNITS])
def test_what_was_reported_is_durable_and_the_rest_is_done_later(whole, tmp_path, after):
    stopper = Stopper(after)
    with pytest.raises(KeyboardInterrupt):
        ran(tmp_path, UNITS, watcher=stopper)
    recorded = [json.loads(line) for line in (tmp_path / "verdicts.jsonl").read_bytes().splitlines()]
    assert set(stopper.told) <= {record["key"] for record in recorded if record["kind"] == "unit"}
    asked = []

    def counting(unit):
        asked.append(unit.key)
        return trivial(unit)

    ran(tmp_path, UNITS, work=counting)
    assert same(tmp_path / "verdicts.jsonl") == whole
    assert not set(asked) & set(stopper.told)
    assert len(asked) == len(set(asked))


def test_another_plan_begins_anew_in_the_same_folder(tmp_path):
    """No verdict of another plan is counted, or shown, as one of this; what was there is kept beside it."""
    with pytest.raises(KeyboardInterrupt):
        ran(tmp_path, units=plan_of(18), watcher=Stopper(10))
    other = plan(OWN[2:3], measures=["legs"], methods=["zoh"], orders=[1, 2], checks=["scan"], suite=SUITES["quick"])
    report = ran(tmp_path, units=other)
    assert {verdict.case.target for verdict in report.verdicts} == {OWN[2]}
    assert len(report.verdicts) == report.coverage.asked == other.cells
    stored = open_store(tmp_path)
    assert {found.verdict.case.target for found in stored} == {OWN[2]}
    assert len(stored) == other.cells
    assert stored.provenance["plan"]["units"] == report.provenance["plan"]["units"] == len(other)
    kept = open_store(tmp_path / "verdicts.previous.jsonl")
    assert 10 <= len(kept) <= 18  # more may have been written than was told


@pytest.mark.parametrize(("source", "goes_on"), [("another", False), (None, True)])
def test_verdicts_of_another_source_are_not_gone_on_with(whole, tmp_path, monkeypatch, source, goes_on):
    """A tree that was dirty already may have changed since; one that is dirty through its own store has not."""
    with pytest.raises(KeyboardInterrupt):
        ran(tmp_path, UNITS, watcher=Stopper(5))
    if source:
        monkeypatch.setattr(campaign, "source", lambda: source)
    monkeypatch.setattr("campaign_tools.PROVENANCE", {**collected(0), "dirty": True})
    ran(tmp_path, UNITS)
    assert (tmp_path / "verdicts.previous.jsonl").exists() is not goes_on


@pytest.mark.parametrize("what", [{"timeout": 1.0}, {"checks": ("scan", "linearity")}, {"suite": SUITES["full"]}])
def test_a_unit_that_is_asked_otherwise_is_another_unit(what):
    unit = plan_of(1)[0]
    assert replace(unit, **what).key != unit.key
    assert replace(unit).key == unit.key


def test_another_commit_begins_anew_and_keeps_what_was_there(whole, tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        ran(tmp_path, UNITS, watcher=Stopper(5))
    before = (tmp_path / "verdicts.jsonl").read_bytes()
    monkeypatch.setattr("campaign_tools.PROVENANCE", {**collected(0), "commit": "another"})
    remarks = []
    watcher = campaign.Nobody()
    watcher.remarked = remarks.append
    ran(tmp_path, UNITS, watcher=watcher)
    assert (tmp_path / "verdicts.previous.jsonl").read_bytes() == before
    assert ["verdicts.previous.jsonl" in remark for remark in remarks] == [True]
    assert same(tmp_path / "verdicts.jsonl")[1:] == whole[1:]


def test_a_second_campaign_in_the_folder_is_told_who_is_there(whole, tmp_path):
    with VerdictStore(tmp_path, {}, "another"), pytest.raises(BusyError, match=r"process \d+ is at work in"):
        ran(tmp_path, UNITS)
    ran(tmp_path, UNITS, wait=5)
    assert same(tmp_path / "verdicts.jsonl")[1:] == whole[1:]


def test_a_clock_that_goes_backwards_changes_nothing(whole, tmp_path, monkeypatch):
    now = [1e6]

    def backwards():
        now[0] -= 3.0
        return now[0]

    with monkeypatch.context() as patch:
        for name in ("monotonic", "perf_counter", "time"):
            patch.setattr(time, name, backwards)
        ran(tmp_path, UNITS)
    assert same(tmp_path / "verdicts.jsonl") == whole


# Killed.


@pytest.mark.parametrize(("executor", "times"), [("serial", 8), ("processes", 2)])
def test_killed_at_drawn_moments_nothing_is_lost_or_doubled(executor, times, tmp_path):
    said = program("kills", tmp_path / "k", executor, times, 1)
    assert said["main"] + said["worker"] >= times


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_killed_at_fifty_drawn_moments_nothing_is_lost_or_doubled(executor, tmp_path):
    said = program("kills", tmp_path / "k", executor, 25, 100)
    assert said["main"] + said["worker"] >= 25
    assert said["main"] >= 5


def test_killed_while_the_store_is_put_into_order_nothing_is_lost(tmp_path):
    assert program("seals", tmp_path / "s") == {"sealed": 2}


def test_a_difference_would_be_seen(whole, tmp_path):
    """What the tests above compare by finds one verdict that is doubled, lost or changed."""
    path = tmp_path / "verdicts.jsonl"
    ran(tmp_path, UNITS)
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in (
        lines[:3] + lines[2:],
        lines[:3] + lines[4:],
        [*lines[:3], lines[3].replace(b"0", b"1"), *lines[4:]],
    ):
        path.write_bytes(b"".join(changed))
        assert same(path) != whole


def test_ctrl_c_and_sigterm_end_everything_in_time(tmp_path):
    """Twice, to the whole group, while the targets hang; the store can be gone on with."""
    took = program("stops", tmp_path / "s")
    assert set(took) == {f"{name} {sign.name}" for name, sign in STOPS}
    assert max(took.values()) < STOP_SECONDS + 2.0, took  # the margin is for a machine that is busy


# Executors.


def test_executors_are_what_the_table_says():
    for key in ("serial", "processes"):
        made = make_executor(key, 2)
        assert made.key == key
        assert EXECUTORS[key].endswith(type(made).__name__)
    with pytest.raises(ValueError, match=r"executor is 'threads'; accepted: serial, processes, dask"):
        make_executor("threads", 2)
    with pytest.raises(ValueError, match=r"scheduler is 'tcp://a:1', but the executor serial has none: use dask"):
        make_executor("serial", 2, "tcp://a:1")


def test_workers_that_never_begin_are_no_units_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("verify.executors.processes._begin", collected)  # takes an argument, so it fails
    with pytest.raises(ExecutorError, match=r"3 worker processes in a row ended with status \d+ before they began"):
        ran(tmp_path, UNITS, "processes", 1)


def test_what_work_raises_is_raised_and_the_rest_is_kept(tmp_path):
    def failing(unit):
        if unit.case.order == 3:
            raise ZeroDivisionError("a defect of ours")
        return trivial(unit)

    with pytest.raises(ZeroDivisionError, match="a defect of ours"):
        ran(tmp_path, UNITS, work=failing)
    ran(tmp_path, UNITS)
    assert open_store(tmp_path).finished


def test_batches_hold_every_unit_once_by_library_the_expensive_first():
    units = plan([*OWN[:2], "hippox-legs", "hippox-legt"], suite=SUITES["quick"], orders=[4, 512])
    assert isinstance(units, Plan)
    schedule = Schedule(units)
    schedule.finish(3)
    batches = list(schedule.batches(2))
    indexes = [index for batch in batches for index, _ in batch.units]
    assert sorted(indexes) == [index for index in range(len(units)) if index != 3]
    for batch in batches:
        assert isinstance(batch, Batch)
        assert {unit.library for _, unit in batch.units} == {batch.library}
        seconds = [schedule.seconds[index] for index, _ in batch.units]
        assert batch.seconds == pytest.approx(sum(seconds))
    libraries = [batch.library for batch in batches if len(batch.units) > 1]
    changes = sum(one != other for one, other in pairwise(libraries))
    assert changes == len(set(libraries)) - 1
    last = max(batches[-1].seconds, batches[-2].seconds)
    assert last < sum(batch.seconds for batch in batches) / 20, "a large batch waits at the end"


def test_the_time_left_is_learnt_from_what_units_took():
    units = plan_of(90)
    schedule = Schedule(units, Costs({"scan": (10.0, 10.0)}, {}, {}))
    first = schedule.seconds_left(1)
    assert schedule.seconds_left(2) == pytest.approx(first / 2)
    list(schedule.batches(1))
    half = [index for index in range(len(units)) if index % 2]
    for index in half:
        schedule.finish(index, 10 * float(schedule.seconds[index]))
    rest = float(schedule.seconds[[index for index in range(len(units)) if not index % 2]].sum())
    assert 3 * rest < schedule.seconds_left(1) < 10.1 * rest
    for index in set(range(len(units))) - set(half):
        schedule.finish(index, 0.0)
    assert schedule.seconds_left(1) == pytest.approx(0, abs=1e-3)
