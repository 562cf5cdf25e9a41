"""The same seed gives the same verdicts: on any number of processes, in any process, as often as one likes."""

from dataclasses import replace

import numpy as np
import pytest

import verify
from verify import campaign, judging
from verify.cases import make_case
from verify.checks import SUITES
from verify.result import LiveTarget

SUITE = replace(SUITES["quick"], examples=2, length=12, seed=3)
LEVELS = {
    "hippo-fast-numpy": ("matrices", "step", "timed_scan"),
    "hippo-fast-torch": ("scan", "gradient"),
}
"""Levels with drawn inputs, by matrices, by steps and by whole scans: some seconds for each number of processes."""
TARGETS = tuple(LEVELS)


def legs(samples, order):
    n = np.arange(order)
    r = np.sqrt(2.0 * n + 1)
    A, unit = -np.tril(np.outer(r, r), -1) - np.diag(n + 1.0), np.eye(order)
    state, states = samples[0] * unit[0], [samples[0] * unit[0]]
    for k in range(1, len(samples)):
        state = np.linalg.solve(unit - A / (2 * k), (unit + A / (2 * k)) @ state + r / k * samples[k])
        states.append(state)
    return np.array(states)


def anew(folder, jobs, seed=SUITE.seed, targets=TARGETS):
    """A campaign that finds nothing of an earlier one: a folder of exact answers of its own, no oracle, no worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIPPO_VERIFY_CACHE", str(folder / "cache"))
        patch.setattr(judging, "_ORACLES", [])
        campaign.close_targets()
        units = campaign.plan(
            targets, measures=["legs", "fout"], orders=[1, 3, 8], methods=["bilinear"], dtypes=["float64"],
            suite=replace(SUITE, seed=seed),
        )  # fmt: skip
        units = [replace(unit, levels=LEVELS[unit.target]) for unit in units]
        assert len(units) == 6 * len(targets)  # of two targets, three processes take four each
        return campaign.run(units, folder / "run", jobs=jobs, seed=seed)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """In one process."""
    return anew(tmp_path_factory.mktemp("alone"), 1)


def told(report):
    """All that a verdict says, but for the time it took."""
    return [{**verdict.to_json(), "seconds": None} for verdict in report.verdicts]


@pytest.mark.parametrize("jobs", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_verdicts_do_not_depend_on_the_number_of_processes(alone, jobs, tmp_path):
    expected = told(alone)
    assert {verdict["case"]["target"] for verdict in expected} == set(TARGETS)
    assert {verdict["case"]["measure"] for verdict in expected} == {"legs", "fout"}
    assert alone.counts["PASS"] > len(expected) / 2
    together = anew(tmp_path, jobs)
    for here, there in zip(expected, told(together), strict=True):
        differing = {key: (here[key], there[key]) for key in here if here[key] != there[key]}
        assert not differing, f"{jobs} processes: {here['check']} of {here['case']}"
    assert together.exit_code == alone.exit_code


def test_another_seed_draws_other_inputs_and_decides_the_same(alone, tmp_path):
    """What is measured differs, so the comparison above could have failed."""
    first = [verdict for verdict in alone.verdicts if verdict.case.target in TARGETS[1:]]
    other = anew(tmp_path, 1, SUITE.seed + 1, TARGETS[1:]).verdicts
    assert [verdict.status for verdict in other] == [verdict.status for verdict in first]
    assert [verdict.measured for verdict in other] != [verdict.measured for verdict in first]


class Recorder:
    """A right scan that remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def scan(self, samples, order):
        self.asked.append((order, samples.tobytes()))
        return legs(samples, order)


def test_one_seed_asks_and_answers_the_same_and_another_seed_asks_differently():
    reports, asked = [], []
    for seed in (0, 0, 1):
        target = Recorder()
        reports.append(verify.check(target, orders=(3, 8), seed=seed))
        asked.append(target.asked)
    first, again, other = reports
    assert told(again) == told(first)
    assert asked[1] == asked[0]
    assert asked[2] != asked[0]
    assert first.counts["PASS"] > 0
    assert [(v.check, v.case, v.status) for v in other.verdicts] == [
        (v.check, v.case, v.status) for v in first.verdicts
    ]


def test_a_check_asks_the_same_alone_and_after_others():
    """What is drawn depends on the seed alone, not on what was drawn before in the process."""
    case = make_case("mine", order=3, level="scan")
    oracle = campaign.default_oracle()
    alone, after = Recorder(), Recorder()
    list(campaign.verdicts_of(case, LiveTarget(alone), oracle, SUITE, ["linearity"]))
    keys = ["convergence", "scan", "linearity"]
    lengths = []
    for key in keys:
        list(campaign.verdicts_of(case, LiveTarget(after), oracle, SUITE, [key]))
        lengths.append(len(after.asked))
    assert after.asked[lengths[1] :] == alone.asked
    assert alone.asked
