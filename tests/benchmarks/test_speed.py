"""The program that publishes speed: right answers are timed, wrong ones named, and the page says what was found."""

import json
import math
import xml.etree.ElementTree as ET
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from rich.console import Console

import hippo_fast
import hippo_ref
from asv_benchmarks import contests, limits, machine, speed, speed_report, tasks, timing
from asv_benchmarks.contests import Effort, contest, gradient_contest, gradient_share, update_contest
from asv_benchmarks.native import MissingError, library
from asv_benchmarks.peers import PEERS, Peer
from asv_benchmarks.tasks import Judge, Task

BRIEF = Effort(rounds=2, repeats=1, least=1e-5, slow=False)
KEYS = ("numpy", "textbook", "dlsim", "lfilter")
RATES = {
    "clock": 2e9,
    "vector": 64,
    "fma": {"float64": 16e9, "float32": 32e9},
    "add": {"float64": 16e9, "float32": 32e9},
    "both": {"float64": 30e9, "float32": 60e9},
    "memset": 20e9,
    "store": 16e9,
    "gemm": {"float64": 32e9, "float32": 64e9},
}


def prepared(key, task):
    """The call of a peer, or a skip with the reason that it gives itself."""
    reason = PEERS[key].why_not(task)
    if reason is not None:
        pytest.skip(reason)
    try:
        return PEERS[key].prepare(task)
    except MissingError as missing:
        pytest.skip(f"{key}: {missing}")


# The peers answer right, within the bound.


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("output", ["last", "states"])
@pytest.mark.parametrize(("order", "length", "streams"), [(1, 1, 1), (2, 2, 3), (9, 50, 1), (33, 70, 4)])
@pytest.mark.parametrize("key", ["textbook", "hoisted"])
def test_the_textbook_loop_agrees_with_our_scan(key, order, length, streams, output, dtype):
    task = Task(order=order, length=length, streams=streams, output=output, dtype=dtype)
    assert Judge(task).share(prepared(key, task)()) <= 1


@pytest.mark.parametrize("key", ["torch-loop", "jax"])
@pytest.mark.parametrize(("output", "streams"), [("last", 1), ("states", 3)])
def test_the_textbook_loop_on_libraries_agrees(key, output, streams):
    task = Task(order=9, length=20, streams=streams, output=output)
    assert Judge(task).share(prepared(key, task)()) <= 1


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # s5-pytorch calls it
@pytest.mark.parametrize("output", ["last", "states"])
@pytest.mark.parametrize("key", ["jax", "s5", "dlsim", "lfilter"])
def test_scans_of_an_invariant_law_agree(key, output):
    """FouT has well-conditioned eigenvectors, so diagonal scans of it are right."""
    task = Task(measure="fout", order=9, length=40, output=output)
    assert Judge(task).share(prepared(key, task)()) <= 1


@pytest.mark.parametrize("measure", ["lagt", "legs_lti"])
@pytest.mark.parametrize("output", ["last", "states"])
def test_the_cascade_of_lfilter_is_the_law(measure, output):
    task = Task(measure=measure, order=40, length=200, output=output)
    assert Judge(task).share(prepared("lfilter", task)()) <= 1


def test_a_diagonal_scan_of_an_ill_conditioned_law_is_outside_the_bound():
    """LegT's eigenvectors at N = 40 have a condition number of 1e15: the peer's own loss, seen by the bound."""
    task = Task(measure="legt", order=40, length=100)
    assert Judge(task).share(prepared("lfilter", task)()) > 1


@pytest.mark.parametrize("method", ["bilinear", "backward_euler", "trapezoid", "zoh", "foh"])
@pytest.mark.parametrize("key", ["numba", "torch"])
@pytest.mark.parametrize("uneven", [False, True])
def test_our_backends_agree(key, method, uneven):
    if uneven and method == "trapezoid":
        pytest.skip("no bound is derived for the trapezoid at uneven times")
    task = Task(order=9, length=30, method=method, uneven=uneven, output="states")
    assert Judge(task).share(prepared(key, task)()) <= 1


@pytest.mark.parametrize("measure", ["legt", "lmu", "lagt", "fout", "legs_lti"])
@pytest.mark.parametrize("key", ["numpy", "numba", "torch"])
def test_our_backends_agree_at_uneven_times_of_an_invariant_law(key, measure):
    task = Task(measure=measure, order=9, length=30, uneven=True, output="states")
    judge = Judge(task)
    assert judge.share(prepared(key, task)()) <= 1
    # Even samples are another law: the times are read.
    even = hippo_fast.scan(task.samples, measure, 9, dt=1 / 256, backend="numpy")
    assert judge.share(even) > 1


# The bound bites.


@pytest.mark.parametrize("measure", ["legs", "legt", "lmu", "lagt", "fout", "legs_lti"])
@pytest.mark.parametrize("output", ["last", "states"])
def test_the_bound_rejects_small_defects(measure, output):
    task = Task(measure=measure, order=16, length=100, output=output)
    judge = Judge(task)
    answer = judge.expected[0]
    assert judge.share(answer) == 0
    assert judge.share(answer * (1 + 1e-9)) > 1
    assert judge.share(answer * 1e300) > 1
    assert judge.share(answer[..., :-1]) == math.inf
    assert judge.share(np.where(np.arange(16) == 3, np.nan, answer)) == math.inf
    wrong_dt = None if measure == "legs" else task.dt * (1 + 1e-8)
    shifted = {"timestamps": np.arange(100) + 1e-6} if measure == "legs" else {"dt": wrong_dt}
    other = hippo_fast.scan(task.samples, measure, 16, backend="numpy", output=output, **shifted)
    assert judge.share(other) > 1


@pytest.mark.parametrize("method", ["bilinear", "backward_euler", "trapezoid"])
def test_the_bound_holds_against_exact_arithmetic(method):
    """Textbook rounding in float32 against exact states: inside the bound, and the bound is no more than 10^5 of it."""
    task = Task(order=8, length=60, method=method, dtype="float32", output="states")
    exact = hippo_ref.states(hippo_ref.measure("legs"), [Fraction(float(u)) for u in task.samples], 8, method, dps=40)
    found = hippo_fast.scan(task.samples, "legs", 8, method=method, backend="numpy")
    error = np.linalg.norm(
        [
            [float(a - mpmath.mpf(float(b))) for a, b in zip(*pair, strict=True)]
            for pair in zip(exact, found, strict=True)
        ],
        axis=1,
    )
    allowed = tasks.bound(task)[0] * tasks.ROUNDOFF["float32"]
    assert (error <= allowed).all()
    assert error.max() * 1e5 > allowed.max()


def test_no_bound_is_claimed_where_none_is_derived():
    with pytest.raises(ValueError, match=r"method is 'trapezoid' at uneven times, .* accepted: even times"):
        tasks.bound(Task(order=4, length=8, method="trapezoid", uneven=True))


def test_a_gradient_is_judged_by_linearity():
    task = Task(order=8, length=40)
    weight = np.linspace(-1, 1, 8)
    jacobian = np.stack([hippo_fast.scan(unit, "legs", 8, backend="numpy", output="last") for unit in np.eye(40)])
    gradient, last = (jacobian @ weight)[None], tasks.reference(task)
    samples = task.samples[None]
    assert gradient_share(task, samples, gradient, weight, last) <= 1
    assert gradient_share(task, samples, gradient * (1 + 1e-8), weight, last) > 1


# A contest names who is wrong, and does not time him.


def peer(key, answer, reason=None):
    """A competitor that gives ``answer(task)`` and counts its calls."""
    calls = []

    def prepare(task):
        def call():
            calls.append(task)
            return answer(task)

        return call

    return Peer(key, f"{key}'s title", lambda task: reason, prepare), calls


def right(task):
    return hippo_fast.scan(task.samples, task.measure, task.order, backend="numpy", output=task.output, **task.keywords)


def missing(task):
    raise MissingError("not installed")


def broken(task):
    raise RuntimeError("shape")


def test_a_disagreeing_peer_is_reported_and_not_timed():
    task = Task(order=5, length=12)
    made = {
        "right": peer("right", right),
        "wrong": peer("wrong", lambda task: right(task) * 1.001),
        "broken": peer("broken", broken),
        "missing": peer("missing", missing),
        "other": peer("other", right, "written for something else"),
    }
    rows = {row["key"]: row for row in contest(task, tuple(made), BRIEF, {key: one[0] for key, one in made.items()})}
    assert {key: row["status"] for key, row in rows.items()} == {
        "right": "timed",
        "wrong": "differs",
        "broken": "fails",
        "missing": "missing",
        "other": "other",
    }
    assert len(rows["right"]["seconds"]) == BRIEF.rounds
    assert all(rows[key]["seconds"] is None for key in made if key != "right")
    assert len(made["wrong"][1]) == 1  # checked once, never again
    assert len(made["right"][1]) > BRIEF.rounds
    assert rows["wrong"]["share"] > 1
    assert "times the bound" in rows["wrong"]["note"]
    assert rows["broken"]["note"] == "RuntimeError: shape"
    part = {"title": "t", "steps": 12, "rows": list(rows.values())}
    lines = {line.split("|")[1].strip(): line for line in speed_report.peers_table(part).splitlines()[2:]}
    assert "differs: error" in lines["wrong's title"]
    assert "not timed: not installed" in lines["missing's title"]
    assert "other's title" not in lines


def test_a_large_task_is_checked_on_its_beginning(monkeypatch):
    monkeypatch.setattr(contests, "CHECKED_NUMBERS", 40)
    task = Task(order=5, length=30, streams=3)
    assert contests.checked_task(task) == Task(order=5, length=8, streams=1)
    assert contests.checked_task(task.with_(method="zoh")) == Task(order=5, length=2, streams=1, method="zoh")
    one, calls = peer("one", right)
    rows = contest(task, ("one",), BRIEF, {"one": one})
    assert rows[0]["status"] == "timed"
    assert calls[0].length == 8
    assert calls[-1] == task


def test_updates_and_gradients_are_timed():
    rows = update_contest((1, 6), BRIEF)
    assert [row["status"] for row in rows] == ["timed", "timed"]
    assert all(0 < row["seconds"][0] < 0.01 for row in rows)
    pytest.importorskip("torch", reason="gradients are torch's")
    rows = gradient_contest(Task(order=6, length=12, streams=2), BRIEF)
    assert [row["status"] for row in rows] == ["timed", "timed"], rows
    assert all(row["share"] <= 1 for row in rows)


def test_both_widths_run_in_the_same_rounds_and_a_wrong_one_is_named(monkeypatch):
    task = Task(order=8, length=30)
    rows = contests.widths_contest(task, "numpy", BRIEF)
    assert [(row["key"], row["status"], len(row["seconds"])) for row in rows] == [
        ("float64", "timed", BRIEF.rounds),
        ("float32", "timed", BRIEF.rounds),
    ]

    def float32_off(task, right=PEERS["numpy"].prepare):
        call = right(task)
        return (lambda: call() * np.float32(1.001)) if task.dtype == "float32" else call

    wrong = Peer("numpy", "numpy", PEERS["numpy"].why_not, float32_off)
    monkeypatch.setitem(contests.PEERS, "numpy", wrong)
    (row,) = contests.widths_contest(task, "numpy", BRIEF)
    assert (row["key"], row["status"]) == ("float32", "differs")
    part = {"section": "widths", "title": str(task), "rows": [row]}
    assert "differs: error" in speed_report.widths_table({"parts": {"one": part}})


# The page.


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """A whole run of tiny sizes by what needs no heavy library, and its file."""
    tiny = speed.Sizes(
        order=8, length=40, streams=(3, 20), invariant=30, invariant_streams=(2, 20), precision=(16, 32),
        precision_order=6, slow_precision=16, orders=(4, 8), lengths=(20, 40), batches=(1, 2), numbers=200,
    )  # fmt: skip
    parts = [part for part in speed.plan(tiny, BRIEF, KEYS) if part.section != "gradients"]
    path = tmp_path_factory.mktemp("speed") / "run.json"
    patch = pytest.MonkeyPatch()
    patch.setattr(machine, "measure", lambda quick: RATES)
    patch.setattr(speed, "digest", lambda: "this code")
    found = speed.measured(parts, True, path, Console(quiet=True))
    patch.undo()
    return found, parts, path


def test_a_run_is_whole_and_right(record):
    found, parts, path = record
    assert json.loads(path.read_text()) == found
    assert list(found["parts"]) == [part.key for part in parts]
    assert speed.faults(found) == []
    assert {part["section"] for part in found["parts"].values()} == {
        "peers",
        "limits",
        "widths",
        "updates",
        "precision",
        "growth",
    }


def test_no_part_of_a_plan_hides_another():
    for sizes, effort in ((speed.Sizes(), contests.FULL), (speed.SHORT, contests.QUICK)):
        keys = [part.key for part in speed.plan(sizes, effort)]
        assert len(set(keys)) == len(keys) > 100


def test_a_run_goes_on_where_it_stopped(record, monkeypatch):
    found, parts, path = record
    monkeypatch.setattr(machine, "measure", lambda quick: pytest.fail("measured again"))
    monkeypatch.setattr(speed, "digest", lambda: "this code")
    kept = dict(found["parts"])
    del kept[parts[3].key]
    path.write_text(json.dumps(found | {"parts": kept}))
    ran = []
    watched = [speed.Part(p.section, p.label, p.facts, lambda p=p: (ran.append(p.key), p.run())[1]) for p in parts]
    again = speed.measured(watched, True, path, Console(quiet=True))
    assert ran == [parts[3].key]
    assert set(again["parts"]) == set(found["parts"])
    monkeypatch.setattr(speed, "digest", lambda: "other code")
    assert speed.opened(path, "quick")["parts"] == {}
    path.write_text("{")
    with pytest.raises(SystemExit, match=r"is not JSON .* accepted: a file of an earlier run, or a new name"):
        speed.opened(path, "quick")


def test_what_raises_is_reported_and_the_rest_goes_on():
    part = speed.Part("peers", "label", {}, lambda: 1 / 0)
    answer = part.answer()
    assert answer["rows"][0]["note"] == "ZeroDivisionError: division by zero"
    assert speed.faults({"parts": {part.key: answer}}) == [
        "peers: label: hippo_fast fails: ZeroDivisionError: division by zero"
    ]


def test_the_page_has_every_table(record):
    found = record[0]
    page = speed_report.report(found)
    for heading in ("The machine", "Peers", "Limits", "One sample at a time", "Error against time", "Growth"):
        assert f"\n## {heading}\n" in page
    assert "This was `--quick`" in page
    assert "clock 2.00 GHz" in page
    assert "| trapezoid " in page
    assert "![" not in page  # no pictures were drawn
    for line in page.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_the_pictures_are_drawn(record, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, in the bench extra")
    from asv_benchmarks.speed_pictures import STYLE, draw, draw_growth, mpl

    pictures = draw(record[0], tmp_path)
    assert {path.name for path in pictures.values()} == {"speed-peers.svg", "speed-precision.svg", "speed-growth.svg"}
    for path in pictures.values():
        assert ET.parse(path).getroot().tag.endswith("svg")
    first = pictures["growth"].read_bytes()
    with mpl.rc_context(STYLE):
        assert draw_growth(record[0], tmp_path).read_bytes() == first  # the same run, the same file
    page = speed_report.report(record[0], pictures, tmp_path)
    assert "![Time of one step against order, length and number of streams](speed-growth.svg)" in page


def limit_of(**changes):
    part = speed.facts(Task(order=256, length=10)) | changes
    found = limits.limit(part, RATES)
    return None if found is None else (found.what.split(",")[0], found.seconds)


def test_limits_are_the_arithmetic_that_they_say():
    assert limit_of() == ("arithmetic", 256 * 3 / 16e9)
    assert limit_of(method="trapezoid") == ("arithmetic", 256 * 4 / 16e9)
    assert limit_of(dtype="float32") == ("arithmetic", 256 * 3 / 32e9)
    assert limit_of(streams=8) == ("arithmetic", 256 * 2 / 16e9)
    assert limit_of(output="states") == ("store bandwidth", 256 * 8 / 20e9)
    assert limit_of(measure="legt") == ("matrix product", 2 * 256 / 32e9)
    assert limit_of(measure="legt", output="states") == ("matrix product", 2 * 256 * 257 / 32e9)
    assert limit_of(method="zoh") is None


def test_ratios_and_slopes():
    assert timing.slope([16, 64, 256], [1.0, 4.0, 16.0]) == pytest.approx(1.0)
    assert timing.slope([1, 10, 100], [3.0, 3.0, 3.0]) == pytest.approx(0.0, abs=1e-12)
    assert timing.ratios([2.0, 9.0, 4.0], [1.0, 3.0, 1.0]) == (3.0, 2.0, 4.0)
    assert speed_report.between((3.0, 2.0, 4.0)) == "3.00 (2.00–4.00)"
    assert [speed_report.number(v) for v in (0, 0.0123, 1.5, 38.26, 1234.5, 23456.0)] == [
        "0",
        "0.0123",
        "1.50",
        "38.3",
        "1,234",
        "2.3e+04",
    ]


def test_rounds_take_the_least_of_their_samples():
    calls = {"a": lambda: None, "b": lambda: sum(range(2000))}
    found = timing.interleaved(calls, rounds=3, repeats=2, least=1e-4)
    assert [len(times) for times in found.values()] == [3, 3]
    assert max(found["a"]) < min(found["b"])


# The exact projections that errors are measured against.


def test_the_rough_projection_is_exact():
    order = 6
    found = contests.projection("rough", order)
    for n in range(order):
        polynomial = np.polynomial.legendre.Legendre.basis(n, domain=[0, 1]).convert(kind=np.polynomial.Polynomial)
        whole = mpmath.mpf(0)
        for piece, (start, stop) in enumerate(zip(contests.BREAKS[:-1], contests.BREAKS[1:], strict=True)):
            level, slope = contests._LEVELS[piece], contests._SLOPES[piece]
            values = polynomial * np.polynomial.Polynomial([level - slope * start, slope])
            integral = [mpmath.mpf(0), *(mpmath.mpf(c) / (i + 1) for i, c in enumerate(values.coef))]
            whole += mpmath.polyval(integral[::-1], stop) - mpmath.polyval(integral[::-1], start)
        assert found[n] == pytest.approx(float(whole) * math.sqrt(2 * n + 1), abs=1e-12)


def test_the_smooth_projection_is_exact():
    def smooth(x):
        return mpmath.exp(-x) * mpmath.sin(6 * mpmath.pi * x + mpmath.mpf(1) / 2)

    exact = hippo_ref.project(hippo_ref.measure("legs"), smooth, 1, 6, dps=20)
    assert contests.projection("smooth", 6) == pytest.approx([float(c) for c in exact], abs=1e-14)


def test_second_order_rules_gain_on_a_smooth_signal():
    first = [contests.precision_errors(Task(order=6, length=length), "numpy")["smooth"] for length in (400, 800)]
    second = [
        contests.precision_errors(Task(order=6, length=n, method="trapezoid"), "numpy")["smooth"] for n in (400, 800)
    ]
    assert first[0] / first[1] == pytest.approx(2, rel=0.1)
    assert second[0] / second[1] == pytest.approx(4, rel=0.1)
    assert second[1] < first[1] / 20


# The machine.


def test_the_child_has_one_thread_and_its_own_blas_kernel():
    child = machine.pinned(
        {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_L2_SIZE": "1", "OMP_NUM_THREADS": "8", "PATH": "p"}
    )
    assert not {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"} & child.keys()
    assert child["OMP_NUM_THREADS"] == child["OPENBLAS_NUM_THREADS"] == child["NUMBA_NUM_THREADS"] == "1"
    assert child["PATH"] == "p"


def test_the_rates_of_the_machine_are_consistent():
    try:
        library("machine.c")
    except MissingError as reason:
        pytest.skip(str(reason))
    rates = machine.measure(quick=True)
    assert 5e8 < rates["clock"] < 1e10
    lanes = rates["vector"] // 8
    for kind in ("fma", "add"):
        assert rates["clock"] / 4 < rates[kind]["float64"] < 4 * lanes * rates["clock"]
        assert rates[kind]["float32"] > rates[kind]["float64"]
    assert rates["gemm"]["float64"] < 2.2 * 4 * lanes * rates["clock"]
    assert rates["store"] > 1e8


def test_without_a_compiler_there_is_a_reason(monkeypatch):
    library.cache_clear()
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(MissingError, match="no C compiler"):
        library("textbook.c")
    rows = contest(Task(order=4, length=8), ("textbook",), BRIEF)
    assert rows[0]["status"] == "missing"
    assert rows[0]["note"] == "no C compiler (gcc or cc) is installed"
    library.cache_clear()
