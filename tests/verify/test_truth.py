"""The truth carries its own accuracy, and nothing is decided that it is not known well enough for."""

import multiprocessing
from dataclasses import replace
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest

import hippo_ref
import verify.oracle as door
from verify.boundary import Exact, from_balls, to_exact
from verify.bounds import Limits
from verify.case import Case
from verify.checks import CHECKS, SUITES
from verify.checks.base import judge
from verify.oracle import Oracle, chebyshev, harmonic, polynomial, rising, wave
from verify.result import Result
from verify.verdict import Status

CASE = Case("t", order=6, level="scan")
INVARIANT = replace(CASE, measure="legt", parameters=(("theta", "0.75"),), dt=0.125)
SAMPLES = (0.5, -1.25, 3.0, 0.0, 0.125)


def decide(error, truth, forward=1.0, backward=2.0, scale=100.0):
    limits = Limits(np.array([forward]), np.array([backward]), "a test")
    got = np.array([error])
    return judge(got, limits, truth=truth, scale=scale, got=got, expected=np.zeros(1), where=lambda _: {"what": "it"})


@pytest.mark.parametrize(
    ("error", "truth", "status"),
    [
        (0.5, 0.0, Status.PASS),
        (0.5, 0.4, Status.PASS),
        (0.5, 0.6, Status.INCONCLUSIVE),
        (0.0, 1.5, Status.INCONCLUSIVE),
        (1.5, 0.0, Status.INCONCLUSIVE),
        (2.5, 0.0, Status.FAIL),
        (2.5, 0.4, Status.FAIL),
        (2.5, 0.6, Status.INCONCLUSIVE),
        (np.inf, 0.6, Status.FAIL),
        (np.nan, 0.6, Status.FAIL),
        (2.5, np.inf, Status.INCONCLUSIVE),
        (0.5, np.nan, Status.INCONCLUSIVE),
    ],
)
def test_a_limit_is_kept_or_exceeded_whatever_the_truth_may_be(error, truth, status):
    found = decide(error, truth)
    assert found.status is status
    if status is Status.INCONCLUSIVE and truth:
        assert "the exact value itself is known to" in found.message
        assert "wider than the difference: nothing can be decided" in found.message


def test_where_the_limit_is_too_wide_an_unknown_truth_passes_nothing_either():
    assert decide(0.0, 0.0, forward=50.0, backward=60.0).status is Status.PASS
    assert decide(0.0, 0.1, forward=50.0, backward=60.0).status is Status.INCONCLUSIVE


@pytest.mark.parametrize("truth", [0.0, 0.05, 0.4, 3.0, np.inf])
@pytest.mark.parametrize("size", [0.1, 5.0, 100.0])
def test_no_verdict_hangs_on_what_is_unknown(truth, size):
    """Whatever error is possible within the radius, judged by itself, does not contradict the verdict."""
    for error in (0.0, 0.3, 0.97, 1.0, 1.03, 1.9, 2.0, 2.1, 7.0):
        status = decide(error, truth, scale=size).status
        for other in (max(error - truth, 0.0), error + min(truth, 1e6)):
            alone = decide(other, 0.0, scale=size).status
            if status is Status.PASS:
                assert alone is Status.PASS
            if status is Status.FAIL:
                assert alone is Status.FAIL


def test_balls_become_pairs_with_the_radius_they_had():
    third = flint.arb(flint.fmpq(1, 3))
    wide = flint.arb(1, 1e-20)
    exact = from_balls([third, wide, flint.arb(0), flint.arb(2) ** -1060], (4,))
    assert exact.high.tolist() == [1 / 3, 1.0, 0.0, 2.0**-1060]
    assert 0 < exact.radius[0] < 6e-17, "53 bits of precision: the ball itself is that wide"
    assert 1e-20 <= exact.radius[1] < 1.001e-20
    assert exact.radius[2:].tolist() == [0.0, 0.0]
    hair = from_balls([flint.arb(1e-300, flint.arb(2) ** -1100)], (1,))
    assert hair.radius[0] > 0, "a radius below the smallest double is not none"
    assert exact[1].radius == exact.radius[1]
    assert exact.scaled(3).radius[1] == 8 * exact.radius[1]


def test_what_the_pair_cannot_hold_is_in_the_radius():
    with mpmath.workdps(80):
        value = mpmath.mpf(1) / 3
        exact = to_exact([value], (1,), 60)
        held = mpmath.mpf(float(exact.high[0])) + mpmath.mpf(float(exact.low[0]))
        assert abs(value - held) <= exact.radius[0] < 1e-32
        assert exact.radius[0] > 0


def test_digits_are_relative_to_the_row():
    with mpmath.workdps(60):
        exact = to_exact([[mpmath.mpf(1000), mpmath.mpf(1)], [mpmath.mpf(1), mpmath.mpf(0)]], (2, 2), 40)
        floored = to_exact([mpmath.mpf(10) ** -60], (1,), 50, floor=1.0)
    assert np.allclose(exact.radius, [[1e-37, 1e-37], [1e-40, 1e-40]], rtol=1e-3)
    assert floored.radius[0] == pytest.approx(1e-50 * 2**-32, rel=1e-9), "a small row is known relative to its inputs"


def truths(oracle):
    """Every kind of exact answer that a verdict is judged against."""
    function, when = wave(3), Fraction(5, 4)
    yield from oracle.system(CASE)
    yield from oracle.system(INVARIANT)
    for case in (CASE, INVARIANT):
        yield oracle.states(case, SAMPLES)
        yield oracle.step(case, (1.0, 0.5, -2.0, 0.0, 0.25, 1.0), 0.75, 3)
        yield oracle.jacobian(case, 5)
        yield oracle.projection(case, function, when)
        yield oracle.projection_rate(case, function, when)
        yield oracle.evaluate(case, (1.0, 0.5, -2.0, 0.0, 0.25, 1.0), (0.0, 0.3, 1.0))
    yield oracle.closed_state(INVARIANT, function, when)


def test_every_truth_is_known_far_better_than_double_precision(tmp_path):
    for oracle in (Oracle(tmp_path), Oracle(tmp_path)):  # computed, then read back from disk
        for exact in truths(oracle):
            size = np.abs(exact.high).max()
            assert np.all(np.isfinite(exact.radius))
            assert np.all(exact.radius <= 1e-30 * size)


def test_truths_are_certified_and_agree_with_the_other_witness():
    """The same answers by mpmath, which shares no formula with the balls: inside the radius, to mpmath's own digits."""
    oracle, function, when = Oracle(), wave(3), Fraction(5, 4)
    for case in (CASE, INVARIANT):
        m = hippo_ref.measure(case.measure, **case.exact_parameters)
        pairs = [
            (oracle.states(case, SAMPLES), hippo_ref.states(m, SAMPLES, 6, "bilinear", case.dt, 60)),
            (oracle.projection(case, function, when), hippo_ref.project(m, function.value, when, 6, 60)),
            (oracle.projection_rate(case, function, when), hippo_ref.project_rate(m, function.derivative, when, 6, 60)),
            (oracle.evaluate(case, (1.0, 2.0), (0.0, 0.3)), hippo_ref.evaluate(m, [1, 2], [0.0, 0.3], 60)),
        ]
        system = hippo_ref.system(m, 6, 60)
        A, B = oracle.system(case)
        pairs += [(A, [list(system.A[n, :]) for n in range(6)]), (B, list(system.B))]
        if case.dt is not None:
            closed = hippo_ref.closed_state(m, function.value, when, 6, 60)
            pairs.append((oracle.closed_state(case, function, when), closed))
        for exact, other in pairs:
            rows = np.array(other, dtype=object).reshape(exact.shape)
            for index in np.ndindex(*exact.shape):
                with mpmath.workdps(80):
                    gap = abs(mpmath.mpf(exact.high[index]) + mpmath.mpf(exact.low[index]) - rows[index])
                    assert gap <= exact.radius[index] + mpmath.mpf(10) ** -57 * (1 + abs(rows[index]))


@pytest.mark.parametrize(
    "function",
    [wave(3), polynomial([1, -2, 0, 5], 2), chebyshev(7, Fraction(0), Fraction(5, 4)), rising(4, Fraction(5, 4)),
     harmonic(2, Fraction(3, 4)), chebyshev(0, Fraction(0), Fraction(1)), polynomial([3], 1)],
    ids=lambda f: f.name,
)  # fmt: skip
def test_a_signal_is_one_formula_for_numbers_and_balls(function):
    assert function.holomorphic
    for formula in (function.value, function.derivative):
        with mpmath.workdps(40):
            number = formula(mpmath.mpf(3) / 8)
        ball = formula(flint.acb("0.375"))
        assert abs(complex(ball.mid()) - float(number)) <= 1e-12 * (1 + abs(float(number)))
        assert flint.acb(str(number)).overlaps(ball) or abs(complex(ball.mid()) - float(number)) < 1e-12


def test_a_blurred_truth_decides_nothing_in_a_check(monkeypatch):
    """The same right target, judged by a truth that is known to 1e-3 only."""

    class Right:
        normwise = False

        def why_not(self, case):
            return None

        def call(self, case, samples, order):
            states = hippo_ref.states(hippo_ref.measure("legs"), samples.tolist(), order, "bilinear", dps=30)
            return Result({"value": np.array([[float(c) for c in state] for state in states])}, "float64")

    check, suite = CHECKS["scan"], replace(SUITES["quick"], examples=1, length=6)
    assert check.run(CASE, Oracle(), Right(), suite).status is Status.PASS
    sharp = door.from_balls

    def blurred(rows, shape):
        exact = sharp(rows, shape)
        return Exact(exact.high, exact.low, exact.radius + 1e-3)

    monkeypatch.setattr(door, "from_balls", blurred)
    verdict = check.run(CASE, Oracle(), Right(), suite)
    assert verdict.status is Status.INCONCLUSIVE
    assert "the exact value itself is known to" in verdict.message


def test_a_truth_out_of_reach_is_inconclusive_with_the_reason(monkeypatch):
    def out_of_reach(*_, **__):
        raise hippo_ref.PrecisionError("a radius of 10^-50 was asked for; 0.1 was reached")

    monkeypatch.setattr(hippo_ref, "enclose_system", out_of_reach)
    verdict = CHECKS["matrices"].run(replace(CASE, level="matrices"), Oracle(), None, SUITES["quick"])
    assert verdict.status is Status.INCONCLUSIVE
    assert (
        verdict.message
        == "the exact answer is not known well enough: a radius of 10^-50 was asked for; 0.1 was reached"
    )


def _ask(folder, order, out):
    """One process: everything there is to know about a few cases, through the shared folder."""
    oracle = Oracle(folder)
    for length in (3, 5):
        exact = oracle.states(replace(CASE, order=order), SAMPLES[:length])
        out.put((order, length, exact.high.tobytes() + exact.low.tobytes() + exact.radius.tobytes()))


def test_processes_share_one_folder(tmp_path):
    """Four processes compute, write and read the same four answers at once: all get the same bytes, no file is torn."""
    context = multiprocessing.get_context("spawn")
    out = context.SimpleQueue()
    workers = [context.Process(target=_ask, args=(tmp_path, order, out)) for order in (3, 6) for _ in range(2)]
    for worker in workers:
        worker.start()
    answers = [out.get() for _ in range(2 * len(workers))]
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * len(workers)
    assert len(answers) == 8
    assert len(set(answers)) == 4
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "locks"]
    assert len(files) == 4
    fresh = Oracle(None)
    for order, length, content in answers:
        exact = fresh.states(replace(CASE, order=order), SAMPLES[:length])
        assert content == exact.high.tobytes() + exact.low.tobytes() + exact.radius.tobytes()
