"""A failure leaves a file that fails wherever it is asked again, and passes once the target is right."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import verify
from verify.adapters import ADAPTERS
from verify.candidates import right_model
from verify.case import Case
from verify.cases import UsageError, make_case
from verify.cli import app
from verify.counterexamples import LARGEST, judge_call, vectors_of
from verify.defects import DEFECTS
from verify.inputs import Batch, Order, ReadOut, Resumption, Signal, TimedSignal, Transition
from verify.journal import Call, Calls, JournaledTarget, input_of, left_behind, read_calls
from verify.oracle import Oracle
from verify.result import LiveTarget, TargetError
from verify.shrinking import cost, shrink
from verify.vectors.documents import certified, export, read_document
from verify.verdict import Status

ROOT = Path(__file__).parents[2]
ORACLE = Oracle()
OPTIONS = {"oracle": ORACLE, "orders": (4,)}


class Right:
    """LegS, bilinear, at every level that a stranger offers."""

    gain = 1.0
    scale = 1.0
    worth = 1.0

    def matrices(self, order):
        r = np.sqrt(2.0 * np.arange(order) + 1)
        return -np.tril(np.outer(r, r), -1) - np.diag(np.arange(order) + 1.0), self.gain * r

    def step(self, state, sample, k):
        if k == 0:
            return np.eye(len(state))[0] * sample
        A, B = Right.matrices(self, len(state))
        unit = np.eye(len(state))
        return np.linalg.solve(unit - A / (2 * k), (unit + A / (2 * k)) @ state + B / k * sample)

    def scan(self, samples, order):
        states = [np.zeros(order)]
        for k, sample in enumerate(samples):
            states.append(Right.step(self, states[-1], sample, k))
        return np.array(states[1:]).reshape(-1, order)

    def gradient(self, samples, order):
        length = len(samples)
        return self.scale * np.array([Right.scan(self, row, order)[-1] for row in np.eye(length)]).T

    def reconstruct(self, state, points):
        n = np.arange(len(state))
        values = np.array([np.polynomial.legendre.legvander(np.atleast_1d(2 * y - 1), len(n) - 1)[0] for y in points])
        return self.worth * values @ (np.sqrt(2.0 * n + 1) * state)


class WrongScan(Right):
    def scan(self, samples, order):
        states = super().scan(samples, order)
        states[6:] *= 1 + 1e-6
        return states


class WrongStep(Right):
    def step(self, state, sample, k):
        return super().step(state, sample, k) * (1.001 if k > 5 else 1)


WRONG = {
    "matrices": type("Gained", (Right,), {"gain": 2.0}),
    "step": WrongStep,
    "scan": WrongScan,
    "gradient": type("Scaled", (Right,), {"scale": 0.5}),
    "reconstruct": type("Worth", (Right,), {"worth": 1.5}),
}


def words(text):
    return " ".join(text.replace("│", " ").split())


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """level -> report and folder of a target that is wrong there alone."""

    @cache
    def found(level):
        folder = tmp_path_factory.mktemp(level) / "made as needed"
        keys = [level]
        return verify.check(WRONG[level](), level=level, checks=keys, counterexamples=folder, **OPTIONS), folder

    return found


@pytest.mark.parametrize("level", WRONG)
def test_files_are_valid_and_travel(saved, level):
    report, folder = saved(level)
    (verdict,) = report.verdicts
    assert verdict.status is Status.FAIL
    files = sorted(folder.iterdir())
    assert files
    assert sorted(verdict.details["counterexamples"]) == [str(path) for path in files]
    assert [entry["file"] for entry in report.to_json()["counterexamples"]["files"]] == verdict.details[
        "counterexamples"
    ]
    for path in files:
        assert re.fullmatch(rf"legs-{level}-N4-(bilinear-)?{level}-(smallest|worst)-[0-9a-f]{{12}}\.json", path.name)
        document = json.loads(path.read_text(encoding="ascii"))
        about = document["counterexample"]
        assert (about["check"], about["status"], about["suite"], about["seed"]) == (level, "FAIL", "quick", 0)
        assert about["case"]["level"] == level
        assert len(about["got"][0]) == len(document["vectors"][0]["answer"]["values"])
        assert read_document(path).checksum == document["sha256"]["document"]
        wrong = verify.replay(WRONG[level](), path, oracle=ORACLE)
        assert (wrong.status, wrong.exit_code) == ("fail", 1)
        assert wrong.verdicts[0].check == level
        assert about["message"] in wrong.verdicts[0].message
        right = verify.replay(Right(), path, oracle=ORACLE)
        assert (right.status, right.exit_code) == ("pass", 0)
        assert right.verdicts[0].compared


@pytest.mark.parametrize("level", WRONG)
def test_files_have_the_published_form(saved, level):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is in the test extra")
    schema = json.loads((ROOT / "verify/vectors/hippo-vectors-1.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    _, folder = saved(level)
    for path in folder.iterdir():
        document = json.loads(path.read_text(encoding="ascii"))
        validator.validate(document)
        document["counterexample"]["check"] = 7
        assert not validator.is_valid(document)
        del document["counterexample"]["check"]
        assert not validator.is_valid(document)


def test_the_smallest_is_small(saved):
    _, folder = saved("scan")
    (path,) = folder.glob("*-smallest-*.json")
    samples = [float.fromhex(x) for x in json.loads(path.read_text())["vectors"][0]["samples"]]
    assert len(samples) == 7  # the seventh state is the first that is wrong
    assert sum(map(bool, samples)) == 1
    assert max(samples) == 1.0
    _, folder = saved("step")
    (path,) = folder.glob("*-smallest-*.json")
    vector = json.loads(path.read_text())["vectors"][0]
    assert vector["index"] == 6
    numbers = [float.fromhex(x) for x in (*vector["state"], *vector["samples"])]
    assert sorted(numbers) == [0.0, 0.0, 0.0, 0.0, 1.0]


def test_smallest_and_worst_are_both_there(saved):
    _, folder = saved("scan")
    names = {path.name.split("-")[5] for path in folder.iterdir()}
    assert names == {"smallest", "worst"}


def test_nothing_is_written_when_all_passes(tmp_path):
    report = verify.check(Right(), level="scan", checks=["scan"], counterexamples=tmp_path / "none", **OPTIONS)
    assert report.status == "pass"
    assert report.counterexamples == {"folder": str(tmp_path / "none"), "files": [], "lost": [], "problem": ""}
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = verify.check(WrongScan(), level="scan", checks=["scan"], **OPTIONS)
    assert report.status == "fail"
    assert report.counterexamples is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_refuses_changes_no_verdict(tmp_path, saved):
    taken = tmp_path / "a file"
    taken.write_text("in the way")
    report = verify.check(WrongScan(), level="scan", checks=["scan"], counterexamples=taken, **OPTIONS)
    assert re.search("cannot write .*a file: (Not a directory|File exists)", report.counterexamples["problem"])
    assert report.counterexamples["files"] == []
    usual, _ = saved("scan")
    assert [(v.status, v.message, v.measured) for v in report.verdicts] == [
        (v.status, v.message, v.measured) for v in usual.verdicts
    ]


def test_a_relation_is_replayed_by_its_check(tmp_path):
    class Leaking(Right):
        asked = 0

        def scan(self, samples, order):
            self.asked += 1
            return super().scan(samples, order) * (1 + 2.0**-52 * (self.asked % 2))

    report = verify.check(Leaking(), level="scan", checks=["determinism"], counterexamples=tmp_path, **OPTIONS)
    assert report.status == "fail"
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("legs-scan-N4-bilinear-determinism-calls-")
    content = read_calls(path)
    assert content.about["check"] == "determinism"
    assert content.calls
    assert all(call.case.level == "scan" for call in content.calls)
    assert verify.replay(Leaking(), path, oracle=ORACLE).exit_code == 1
    assert verify.replay(Right(), path, oracle=ORACLE).exit_code == 0


def test_an_error_keeps_its_input(tmp_path):
    class Fragile(Right):
        def scan(self, samples, order):
            if len(samples) > 2:
                samples[:] = 7.0  # what it was given is on record all the same
                raise RuntimeError("too long")
            return super().scan(samples, order)

    report = verify.check(Fragile(), level="scan", checks=["scan", "determinism"], counterexamples=tmp_path, **OPTIONS)
    assert report.status == "error"
    for verdict in report.verdicts:
        (name,) = verdict.details["counterexamples"]
        document = json.loads(Path(name).read_text())
        about = document["counterexample"]
        assert (about["which"], about["status"], about["got"]) == ("error", "ERROR", None)
        assert "RuntimeError: too long" in about["message"]
        assert document["vectors"][0]["samples"].count("0x1.cp+2") == 0
    again = verify.replay(Fragile(), *tmp_path.iterdir(), oracle=ORACLE)
    assert (again.status, again.exit_code) == ("error", 3)
    assert verify.replay(Right(), *tmp_path.iterdir(), oracle=ORACLE).status == "pass"


# The call under way.

DYING = """
import ctypes, os, signal, sys
import verify
sys.path.insert(0, {tests!r})
from test_counterexamples import Right

class Dies(Right):
    def scan(self, samples, order):
        if len(samples) > 2:
            {act}
        return super().scan(samples, order)

verify.check(Dies(), level="scan", checks=["scan"], orders=(4,), counterexamples={folder!r})
"""


@pytest.mark.parametrize(
    ("act", "code"),
    [
        ("os._exit(7)", 7),
        ("ctypes.string_at(0)", -signal.SIGSEGV),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_a_process_that_dies_leaves_what_it_was_asked(tmp_path, act, code):
    script = DYING.format(tests=str(Path(__file__).parent), act=act, folder=str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stderr[-2000:]
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("in-flight-")
    (call,) = read_calls(path).calls
    assert call.case.level == "scan"
    assert len(call.input.values) > 2
    assert left_behind(tmp_path) == [path]
    # The next run says so, and the file is asked again like any other.
    report = verify.check(Right(), level="scan", checks=["scan"], counterexamples=tmp_path, **OPTIONS)
    assert report.counterexamples["lost"] == [str(path)]
    (verdict,) = verify.replay(Right(), path, oracle=ORACLE).verdicts
    assert (verdict.check, verdict.status) == ("in-flight", Status.PASS)
    (verdict,) = verify.replay(WRONG["scan"](), path, oracle=ORACLE).verdicts
    assert verdict.status is Status.FAIL


def test_a_worker_that_dies_is_an_error_with_its_input(tmp_path):
    source = tmp_path / "dying.py"
    source.write_text(
        "import os\ndef scan(samples, order):\n    os._exit(7)\n",
        encoding="utf-8",
    )
    folder = tmp_path / "kept"
    report = verify.check(f"{source}:scan", level="scan", checks=["scan"], counterexamples=folder, **OPTIONS)
    assert report.exit_code == 3
    (path,) = folder.iterdir()
    assert "-error-" in path.name
    again = verify.replay(f"{source}:scan", path, oracle=ORACLE)
    assert again.exit_code == 3
    assert again.verdicts[0].worst["kind"] == "exit"
    assert Call.from_json(again.verdicts[0].worst["call"]).input.values


def test_the_input_is_on_disk_while_the_target_is_asked(tmp_path):
    seen = []

    class Looks(Right):
        def scan(self, samples, order):
            (path,) = tmp_path.glob("in-flight-*.json")
            (call,) = read_calls(path).calls
            seen.append(call.input.values == tuple(samples.tolist()) and left_behind(tmp_path) == [])
            return super().scan(samples, order)

    verify.check(Looks(), level="scan", checks=["scan"], counterexamples=tmp_path, **OPTIONS)
    assert len(seen) > 5
    assert all(seen)
    assert not list(tmp_path.glob("in-flight-*"))


def test_an_interrupt_leaves_the_input(tmp_path):
    class Interrupted(Right):
        def scan(self, samples, order):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify.check(Interrupted(), level="scan", checks=["scan"], counterexamples=tmp_path, **OPTIONS)
    (path,) = tmp_path.iterdir()
    assert len(read_calls(path).calls) == 1


def test_what_others_left_empty_is_removed(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = int(gone.stdout)
    (tmp_path / f"in-flight-{dead}-1.json").touch()
    (tmp_path / f"in-flight-{os.getpid()}-99.json").touch()
    torn = tmp_path / f"in-flight-{dead}-2.json"
    torn.write_text('{"format":"hippo-calls/1","calls":[{"ca')
    assert left_behind(tmp_path) == [torn]
    assert {path.name for path in tmp_path.iterdir()} == {torn.name, f"in-flight-{os.getpid()}-99.json"}
    with pytest.raises(ValueError, match=r"in-flight-.*no whole JSON object: the file was cut short"):
        verify.replay(Right(), torn, oracle=ORACLE)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("level", "item"),
    [
        ("matrices", Order()),
        ("factors", Order()),
        ("step", Transition((0.1, -0.0, 5e-324), 0.3, 7)),
        ("scan", Signal((0.1, float("inf"), -0.0))),
        ("gradient", Signal((0.1, 2.0))),
        ("timed_scan", TimedSignal((0.1, 0.2), (1.5, 2.7))),
        ("batch_scan", Batch(((0.1, 0.2), (0.3, 0.4)))),
        ("resume", Resumption((0.1, 0.2), (0.3,), 5)),
        ("reconstruct", ReadOut((0.1, 0.2), (0.0, 1 / 3))),
    ],
)
def test_every_input_comes_back_from_its_arguments(level, item, dtype):
    case = Case("t", level=level, dtype=dtype)
    found = input_of(level, item.arguments(case))
    if dtype == "float64":
        assert found.id == item.id
    # What a target is given is what is written, whatever the dtype.
    again = Call.from_json(json.loads(json.dumps(Call(case, found).to_json())))
    assert again.id == Call(case, found).id
    for one, other in zip(found.arguments(case), again.input.arguments(case), strict=True):
        assert np.array_equal(one, other)


# Which calls become vectors.


def test_each_stream_of_a_batch_and_uneven_times_become_scans():
    case = make_case("t", order=3, method="zoh", level="batch_scan")
    streams = ((1.0, 2.0), (0.5, -1.0))
    vectors = certified(case, Batch(streams), "b")
    assert [v["kind"] for v in vectors] == ["scan", "scan"]
    assert [v["id"].rpartition("/")[2] for v in vectors] == ["b-stream-0", "b-stream-1"]
    right = LiveTarget(lambda asked: right_model(asked, ORACLE), bind=True)
    call = Call(case, Batch(streams))
    result = right.call(case, *call.input.arguments(case))
    assert judge_call(call, vectors, result, ORACLE)[0].status is Status.PASS
    leaked = replace(result, arrays={"value": np.array([result.value[0], result.value[1] + [0, 0, 1e-6]])})
    finding, got = judge_call(call, vectors, leaked, ORACLE)
    assert finding.status is Status.FAIL
    assert finding.message.startswith("stream 1: state 0")
    assert len(got) == 2

    case = replace(case, level="timed_scan")
    call = Call(case, TimedSignal((1.0, -2.0, 0.5), (0.5, 2.0, 7.0)))
    (vector,) = certified(case, call.input, "t")
    assert vector["timestamps"] == ["0x1p-1", "0x1p+1", "0x1.cp+2"]
    result = right.call(case, *call.input.arguments(case))
    finding, _ = judge_call(call, [vector], result, ORACLE)
    assert (finding.status, finding.compared) == (Status.PASS, 3)


def test_a_run_that_goes_on_over_one_sample_is_a_step_and_no_more_is_a_vector():
    case = make_case("t", order=2, level="resume")
    (vector,) = certified(case, Resumption((1.0, 2.0), (3.0,), 5), "r")
    assert (vector["kind"], vector["index"]) == ("step", 5)
    assert certified(case, Resumption((1.0, 2.0), (3.0, 4.0), 5), "r") == []
    assert certified(replace(case, level="factors"), Order(), "r") == []
    assert certified(replace(case, level="scan"), Signal((1.0, float("nan"))), "r") == []
    assert certified(replace(case, level="step", method="foh"), Transition((1.0, 2.0), 1.0, 3), "r") == []


def test_no_vector_where_no_limit_is_derived_or_it_would_take_long():
    case, item = make_case("t", order=2, level="reconstruct"), ReadOut((1.0, 2.0), (0.5,))
    assert vectors_of(Call(case, item))
    infinite = make_case("t", "lagt", order=2, level="reconstruct")  # a point is no fraction of its window
    assert vectors_of(Call(infinite, item)) == []
    assert vectors_of(Call(replace(case, level="scan"), Signal((1.0,) * (LARGEST // 2 + 1)))) == []


def test_a_failure_that_shows_late_alone_is_replayed_by_its_check(tmp_path):
    from verify.campaign import Report
    from verify.checks import QUICK
    from verify.counterexamples import save
    from verify.verdict import Verdict

    case = make_case("t", order=4, level="scan")
    long = Signal((0.5,) * (LARGEST // 4 + 1))
    failing = Verdict("scan", "c", case, Status.FAIL, worst={"input": long.to_json()}, message="late")
    report = Report("t", [failing])
    save(report, tmp_path, LiveTarget(Right()), ORACLE, QUICK)
    (path,) = tmp_path.iterdir()
    content = read_calls(path)
    assert (content.calls, content.about["left_out"]) == ((), 1)
    assert verify.replay(Right(), path, oracle=ORACLE).status == "pass"
    # What shows at the start already is cut to it.
    report = Report("t", [failing])
    save(report, tmp_path, LiveTarget(WrongScan()), ORACLE, QUICK)
    assert [entry["which"] for entry in report.counterexamples["files"]] == ["smallest", "worst"]


def test_a_state_of_another_order_is_not_asked(tmp_path):
    """A check may ask at other orders than that of its case: their inputs are not inputs of the case."""
    from verify.campaign import Report
    from verify.checks import QUICK
    from verify.counterexamples import save
    from verify.verdict import Verdict

    case = make_case("t", order=4, level="step")
    place = {"input": Transition((1.0,), 1.0, 3).to_json()}
    report = Report("t", [Verdict("step", "c", case, Status.FAIL, worst=place, message="at N = 1")])
    save(report, tmp_path, LiveTarget(Right()), ORACLE, QUICK)
    (entry,) = report.counterexamples["files"]
    assert entry["which"] == "calls"


def test_the_last_state_alone_is_judged_by_the_last_row(tmp_path, saved):
    class Last(Right):
        def scan(self, samples, order):
            return super().scan(samples, order)[-1]

    class WrongLast(Last):
        def scan(self, samples, order):
            return super().scan(samples, order) * (1 + 1e-6)

    _, folder = saved("scan")
    for path in folder.iterdir():
        assert verify.replay(Last(), path, oracle=ORACLE).status == "pass"
        assert verify.replay(WrongLast(), path, oracle=ORACLE).status == "fail"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("measure", ["legs", "legt", "lmu", "lagt", "fout", "legs_lti"])
def test_any_measure_and_precision(tmp_path, measure, dtype):
    """The catalogue's own defect: found, written, found again; and the right model passes the very same file."""
    case = make_case("t", measure, order=4, level="scan", dtype=dtype, theta=0.8 if measure == "legt" else None)
    options = {"measure": measure, "theta": 0.8 if measure == "legt" else None, "dtype": dtype}

    class Bound:
        def __init__(self, bind):
            self.bind = bind

        def scan(self, samples, order):
            return self.bind(replace(case, order=order)).scan(samples, order)

    def defective(asked):
        target = DEFECTS["doubled_B"].target(asked, ORACLE)
        return type("D", (), {"scan": lambda self, s, n: target.call(asked, s, n).value})()

    wrong, right = Bound(defective), Bound(lambda asked: right_model(asked, ORACLE))
    report = verify.check(wrong, level="scan", checks=["scan"], counterexamples=tmp_path, **OPTIONS, **options)
    assert report.status == "fail"
    for path in tmp_path.iterdir():
        assert verify.replay(wrong, path, oracle=ORACLE).status == "fail"
        assert verify.replay(right, path, oracle=ORACLE).status == "pass"


# Shrinking.


def test_shrinking_ends_at_the_smallest_and_keeps_its_budget():
    asked = []

    def fails(item):
        asked.append(item)
        return len(item.values) >= 5 and item.values[2] != 0

    start = Signal(tuple(float(x) + 0.3 for x in range(40)))
    found = shrink(start, fails, 60)
    assert found.values == (0.0, 0.0, 1.0, 0.0, 0.0)
    assert len(asked) <= 60
    assert len({item.id for item in asked}) == len(asked)
    asked.clear()
    few = shrink(start, fails, 3)
    assert len(asked) == 3
    assert few == start or fails(few)
    assert shrink(start, fails, 0) is start


@pytest.mark.parametrize(
    ("start", "fails", "expected"),
    [
        (
            Transition((0.3, 0.7, 0.9), 0.4, 54321),
            lambda t: t.index >= 4 and t.state[1] != 0,
            Transition((0.0, 1.0, 0.0), 0.0, 4),
        ),
        (
            ReadOut((0.3, 0.7), (0.0, 0.25, 0.5, 1.0)),
            lambda r: 0.5 in r.points and r.coefficients[0] > 0,
            ReadOut((1.0, 0.0), (0.5,)),
        ),
        (
            Batch(((0.3, 0.4), (0.5, 0.6), (0.7, 0.8))),
            lambda b: len(b.streams) >= 2 and b.streams[0][0] != 0,
            Batch(((1.0,), (0.0,))),
        ),
        (
            TimedSignal((0.3, 0.4, 0.5), (1.0, 1.5, 4.0)),
            lambda t: len(t.values) >= 2,
            TimedSignal((0.0, 0.0), (1.0, 1.5)),
        ),
        (
            Resumption((0.3, 0.4), (0.1, 0.2, 0.3), 7),
            lambda r: r.index >= 1 and r.values[0] != 0,
            Resumption((0.0, 0.0), (1.0,), 1),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_input_shrinks(start, fails, expected):
    assert fails(start)
    found = shrink(start, fails, 60)
    assert found.to_json() == {**expected.to_json(), "name": start.name}
    assert cost(found) < cost(start)


# Files that are not what they should be.


def test_changed_and_foreign_files_are_refused(tmp_path, saved):
    _, folder = saved("scan")
    (path,) = folder.glob("*-smallest-*.json")
    text = path.read_text()
    changed = tmp_path / "changed.json"
    changed.write_text(text.replace('"0x1p+0"', '"0x1.8p+0"', 1))
    with pytest.raises(
        ValueError, match=r"changed\.json: the checksum does not match: group counterexample was changed"
    ):
        verify.replay(Right(), changed, oracle=ORACLE)
    changed.write_text(text.replace('"seed":0', '"seed":1', 1))
    with pytest.raises(ValueError, match=r"the checksum does not match: the header was changed"):
        verify.replay(Right(), changed, oracle=ORACLE)
    changed.write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match=r"changed\.json: neither JSON nor JSON Lines"):
        verify.replay(Right(), changed, oracle=ORACLE)
    changed.write_text(json.dumps({"format": "hippo-answers/1"}))
    with pytest.raises(ValueError, match=r"format is 'hippo-answers/1'; accepted: 'hippo-vectors/1'"):
        verify.replay(Right(), changed, oracle=ORACLE)
    calls = Calls((Call(make_case("t", level="scan"), Signal((1.0,))),), {}).text()
    changed.write_text(calls.replace("0x1.0", "0x1.8"))
    with pytest.raises(ValueError, match=r"changed\.json: the checksum does not match: the calls were changed"):
        verify.replay(Right(), changed, oracle=ORACLE)
    with pytest.raises(ValueError, match=r"cannot read .*nowhere\.json: No such file"):
        verify.replay(Right(), tmp_path / "nowhere.json", oracle=ORACLE)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no file \*\.json in this folder"):
        verify.replay(Right(), tmp_path / "empty", oracle=ORACLE)


def test_a_file_of_another_measure_is_refused(saved):
    _, folder = saved("scan")
    with pytest.raises(UsageError, match=r"nothing to ask with measure 'legt': the files hold legs scan bilinear"):
        verify.replay(Right(), folder, measure="legt", oracle=ORACLE)


def test_a_level_that_is_not_offered_is_unsupported(saved):
    class Other:
        def step(self, state, sample, k):
            return state

    _, folder = saved("scan")
    report = verify.replay(Other(), folder, oracle=ORACLE)
    assert report.exit_code == 4
    assert {v.message for v in report.verdicts} == {"the target offers no 'scan' level"}


def test_a_plain_callable_is_taken_for_the_level_of_the_file(saved):
    _, folder = saved("scan")
    assert verify.replay(Right().scan, folder, oracle=ORACLE).status == "pass"
    assert verify.replay(WrongScan().scan, folder, oracle=ORACLE).status == "fail"


def test_numbers_that_a_precision_cannot_hold_are_not_asked_in_it(tmp_path, saved):
    """Rounded on the way in they would be another input, and a right target would fail."""
    path = tmp_path / "vectors.jsonl"
    export(path, "quick", measures=["legs"], orders=[4], kinds=["scan"])
    report = verify.replay(Right(), path, method="bilinear", dtype="float32", oracle=ORACLE)
    assert {v.status for v in report.verdicts} <= {Status.PASS, Status.UNSUPPORTED}
    assert "its inputs are not float32 numbers" in {v.message for v in report.verdicts}
    _, folder = saved("step")
    (path,) = folder.glob("*-smallest-*.json")
    assert verify.replay(Right(), path, dtype="float32", oracle=ORACLE).status == "pass"


def test_exported_vectors_are_asked_too(tmp_path):
    path = tmp_path / "vectors.jsonl"
    export(
        path, "quick", measures=["legs"], orders=[4], kinds=["matrices", "scan", "step", "reconstruct", "projection"]
    )
    report = verify.replay(Right(), path, method="bilinear", oracle=ORACLE)
    assert report.status == "pass"
    asked = {v.case.level for v in report.verdicts if v.status is Status.PASS}
    assert asked == {"matrices", "scan", "step", "reconstruct"}
    reasons = {v.message for v in report.verdicts if v.status is Status.UNSUPPORTED}
    assert "no level of a target answers a projection" in reasons
    wrong = verify.replay(WRONG["reconstruct"](), path, method="bilinear", oracle=ORACLE)
    assert {v.case.level for v in wrong.verdicts if v.status is Status.FAIL} == {"reconstruct"}


# The command line, pytest, and programs in other languages.


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_counterexamples import Right, WrongScan\nright, wrong = Right(), WrongScan()\n",
        encoding="utf-8",
    )
    return path


def cli(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_command_line_writes_and_replays(tmp_path, source, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("check", "mine.py:wrong", "--orders", "4", "--level", "scan")
    result = cli(*arguments)
    assert result.exit_code == 1
    folder = Path(".hippo-verify/counterexamples")
    assert f"counterexample(s) in {folder}" in words(result.stdout)
    (again,) = re.findall(r"hippo-verify check mine\.py:wrong --replay (\S+)", result.stdout)
    replayed = cli("check", "mine.py:wrong", "--replay", again, "--json", "result.json", "--junit-xml", "result.xml")
    assert replayed.exit_code == 1
    assert replayed.stdout.startswith("FAIL  mine.py:wrong")
    record = json.loads(Path("result.json").read_text())
    assert record["verdicts"][0]["details"]["vector"].startswith("counterexample/scan/legs/N=4/bilinear/")
    assert "counterexample/scan" in Path("result.xml").read_text()
    right = cli("check", "mine.py:right", "--replay", again)
    assert (right.exit_code, right.stdout.split()[0]) == (0, "PASS")
    beside = cli("check", "mine.py:right", "--replay", again, "--orders", "8")
    assert beside.exit_code == 2
    assert "--orders is given beside --replay: it is in the file" in words(beside.stderr)
    torn = cli("check", "mine.py:right", "--replay", "result.xml")
    assert torn.exit_code == 2
    assert "result.xml: neither JSON nor JSON Lines" in words(torn.stderr)


def test_the_command_line_may_keep_nothing(tmp_path, source, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = cli("check", "mine.py:wrong", "--orders", "4", "--level", "scan", "--no-counterexamples")
    assert result.exit_code == 1
    assert "counterexample" not in result.stdout
    assert not Path(".hippo-verify").exists()


def test_the_command_line_says_what_it_could_not_write(tmp_path, source):
    taken = source  # a file, where a folder is needed
    result = cli("check", f"{source}:wrong", "--orders", "4", "--level", "scan", "--counterexamples", taken / "inside")
    assert result.exit_code == 1
    assert "cannot write" in words(result.stderr)
    assert "verdicts are as always" in words(result.stderr)


def test_counterexamples_are_tests_of_somebodys_suite(tmp_path, saved):
    _, folder = saved("scan")
    suite = tmp_path / "test_mine.py"
    suite.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import verify\nfrom test_counterexamples import Right, WrongScan\n"
        f"@verify.parametrize_with_counterexamples([Right(), WrongScan(), Right().step], {str(folder)!r})\n"
        "def test_hippo(counterexample):\n    counterexample()\n",
        encoding="utf-8",
    )
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", str(suite)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    number = len(list(folder.iterdir()))
    assert f"{2 * number} failed, {number} passed" in answer.stdout, answer.stdout[-3000:]
    assert "test_hippo[WrongScan-legs-scan-N4-bilinear-scan-smallest-" in answer.stdout
    assert "rounding explains at most" in answer.stdout
    with pytest.raises(UsageError, match="there is no such folder"):
        verify.parametrize_with_counterexamples([Right()], tmp_path / "nowhere")


PROGRAM = """
import json, sys
document = json.load(open(sys.argv[1]))
answers = []
for vector in document["vectors"]:
    if sys.argv[2] == "again":
        values = document["counterexample"]["got"][0]
    else:
        values = vector["answer"]["values"]
    answers.append({"id": vector["id"], "values": values})
print(json.dumps({"format": "hippo-answers/1", "program": "p", "vectors": document["sha256"]["document"],
                  "answers": answers}))
"""


@pytest.mark.parametrize("level", WRONG)
def test_the_vector_tools_take_the_file(tmp_path, saved, level):
    """A program in any language answers the file; what the target answered fails, what is true passes."""
    _, folder = saved(level)
    for path in folder.iterdir():
        for what, code in (("again", 1), ("truth", 0)):
            answers = tmp_path / f"{what}.json"
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, str(path), what], capture_output=True, text=True, check=True
            )
            answers.write_text(done.stdout)
            result = cli("vectors", "check", answers, "--vectors", path)
            assert result.exit_code == code, result.stdout


def test_a_campaign_keeps_its_failures(tmp_path):
    from verify.campaign import Report
    from verify.checks import QUICK
    from verify.counterexamples import save_campaign
    from verify.verdict import Verdict

    case = make_case(next(iter(ADAPTERS)), order=4, level="scan")
    place = {"input": Signal((1.0, 2.0)).to_json()}
    failing = Verdict("scan", "c", case, Status.FAIL, worst=place, message="was wrong", bound_source="b")
    expected = replace(failing, status=Status.EXPECTED_FAIL)
    report = Report("campaign", [expected, failing])
    save_campaign(report, tmp_path, ORACLE, QUICK)
    # Our backend is right, so nothing but the calls of the check can be kept; the expected failure keeps nothing.
    (entry,) = report.counterexamples["files"]
    assert entry["which"] == "calls"
    assert report.verdicts[0] is expected
    assert report.verdicts[1].details["counterexamples"] == [entry["file"]]
    (call,) = read_calls(Path(entry["file"])).calls
    assert call.input.values == (1.0, 2.0)


def test_the_journal_tells_an_error_its_first_input():
    class Raises:
        def scan(self, samples, order):
            raise RuntimeError("no")

    target = JournaledTarget(LiveTarget(Raises()))
    with pytest.raises(TargetError) as caught:
        target.call(Case("t", level="scan"), np.array([1.5]), 4)
    assert Call.from_json(caught.value.evidence["call"]).input.values == (1.5,)
    with pytest.raises(ValueError, match="a call needs a case and an input"):
        Call.from_json({"case": {}})
    with pytest.raises(ValueError, match="the input of a scan call lacks its numbers; it has name"):
        Call.from_json({"case": Case("t", level="scan").to_json(), "input": {"name": "wave"}})
