"""Chunks of an invariant law against exact states, and the promises of the numpy backend that came with them."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import fast_exact
import numpy as np
import pytest

import hippo_fast
from hippo_fast import OPERATORS, chunks
from hippo_fast.backends import numpy_backend
from hippo_fast.discretizations.base import ConstantSteps, EvenSteps, PrefixSteps, StretchSteps
from hippo_fast.recurrence import make_recurrence

MEASURES = ["legt", "lmu", "lagt", "fout", "legs_lti"]
METHODS = ["euler", "bilinear", "backward_euler", "zoh"]


def invariant_steps(measure, order, method="bilinear", dt=1 / 64):
    return make_recurrence(measure, order, method, dt=dt, theta=1.0, alpha=0.0, beta=1.0).steps(None)


def samples_of(shape, dtype="float64", seed=0):
    return (np.random.default_rng(seed).uniform(-1, 1, shape) + 0.25).astype(dtype)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(chunks, "_known", [])


@pytest.fixture
def plan(monkeypatch):
    """Return what sets the chunks' length, how many go together, and the length of those stepped side by side."""

    def choose(length, side, lanes):
        monkeypatch.setattr(
            chunks, "_plan", lambda _streams, count, _order: (length, side) if count >= length else (1, 1)
        )
        monkeypatch.setattr(
            chunks, "_lane_level", lambda _streams, count, _order: lanes.bit_length() - 1 if count >= 2 * lanes else 0
        )

    return choose


def run(steps, samples, state=None):
    """Return all states by steps, all by chunks, and the last by chunks."""
    streams, count = samples.shape
    state = np.zeros((streams, len(steps.gain)), samples.dtype) if state is None else state
    one_by_one, side_by_side = (np.empty((streams, count, len(steps.gain)), samples.dtype) for _ in range(2))
    chunks.stepped(steps, state, samples, one_by_one)
    last = chunks.all_states(steps, state, samples, side_by_side)
    np.testing.assert_array_equal(last, side_by_side[:, -1])
    return one_by_one, side_by_side, chunks.last_state(steps, state, samples)


def exact_states(steps, samples, state=None):
    """Exact states of the steps as they are, ``(K, N)`` fractions."""
    step = np.vectorize(Fraction, otypes=[object])
    increment, gain = step(steps.increment), step(steps.gain)
    c = np.full(len(steps.gain), Fraction(0), object) if state is None else step(state.astype(np.float64))
    found = []
    for sample in samples:
        c = fast_exact.cut(c + increment.dot(c) + gain * Fraction(float(sample)))
        found.append(c)
    return fast_exact.floats(found)


def recurrence_bound(steps, samples, states, scale, start=None):
    """Error of the recurrence, ``(K,)`` in the orthonormal basis: the first bound of the module, added up by norms.

    One rounding of the sum and N + 2 of the change in each step, two more for the step rounded to the dtype, and the
    sums of chunk ends, ``log2 K`` roundings of what each sample gave.
    """
    unit, order = np.finfo(samples.dtype).eps / 2, len(steps.gain)
    increment, gain = steps.increment / scale[:, None] * scale[None, :], steps.gain / scale
    carry = max(1.0, float(np.linalg.norm(np.eye(order) + increment, 2)))
    earlier = np.concatenate([(np.zeros(order) if start is None else start)[None], states[:-1]]) / scale
    change = np.abs(earlier) @ np.abs(increment).T + np.abs(samples.astype(np.float64))[:, None] * np.abs(gain)
    roundings = order + 4 + np.log2(len(samples) + 1)
    own = np.linalg.norm(states / scale, axis=1) + roundings * np.linalg.norm(change, axis=1)
    error, bounds = 0.0, []
    for local in (1.01 * unit * own).tolist():
        error = carry * error + local
        bounds.append(error)
    return np.array(bounds)


def assert_like_the_recurrence(steps, samples, scale, state=None, exact=None):
    exact = exact_states(steps, samples[0], None if state is None else state[0]) if exact is None else exact
    bound = recurrence_bound(steps, samples[0], exact, scale, None if state is None else state[0].astype(np.float64))
    # A fraction of the size of a float64 rounds once more on its way here.
    bound = bound + np.finfo(np.float64).eps * np.linalg.norm(exact / scale, axis=-1)
    one_by_one, side_by_side, last = run(steps, samples, state)
    for what, found, true, limit in (
        ("stepped", one_by_one[0], exact, bound),
        ("side by side", side_by_side[0], exact, bound),
        ("last", last, exact[-1:], bound[-1:]),
    ):
        error = np.linalg.norm((found.astype(np.float64) - true) / scale, axis=-1)
        worst = int(np.argmax(error - limit))
        assert error[worst] <= limit[worst], f"{what}: state {worst} is off by {error[worst]:.3g} > {limit[worst]:.3g}"
    return one_by_one, side_by_side, last


def scale_of(measure, order):
    """The diagonal that takes the orthonormal basis of a measure to its own."""
    return np.abs(OPERATORS[measure].scale(order))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("method", "dt"),
    [(method, dt) for method in METHODS for dt in (1e-6, 1 / 64, 2.0) if (method, dt) != ("euler", 2.0)],
)
@pytest.mark.parametrize("measure", MEASURES)
def test_no_worse_than_the_recurrence(measure, method, dt, dtype, plan):
    # Forward Euler at the largest spacing is unstable: its states overflow, by steps as well.
    plan(length=8, side=4, lanes=8)
    for order in (1, 5):
        steps, samples = invariant_steps(measure, order, method, dt), samples_of((1, 91), dtype)
        assert_like_the_recurrence(steps, samples, scale_of(measure, order))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("measure", ["legs_lti", "lmu"])
def test_far_from_normal_and_from_a_state(measure, dtype, plan):
    plan(length=16, side=2, lanes=16)
    steps, state = invariant_steps(measure, 16), samples_of((1, 16), dtype, seed=1)
    assert_like_the_recurrence(steps, samples_of((1, 75), dtype), scale_of(measure, 16), state)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="longdouble has no more digits than float64 here")
@pytest.mark.parametrize(("measure", "method", "dt"), [("legt", "zoh", 1e-6), ("fout", "backward_euler", 1 / 64)])
def test_a_long_run(measure, method, dt):
    """10^5 samples, with the plan as it is; for tiny steps the chunks lose less than the steps do."""
    order, dtype = 3, "float64"
    steps, samples = invariant_steps(measure, order, method, dt), samples_of((1, 100_000), dtype)
    increment, gain = steps.increment.astype(np.longdouble), steps.gain.astype(np.longdouble)
    states, c = np.empty((samples.size, order), np.longdouble), np.zeros(order, np.longdouble)
    for k, sample in enumerate(samples[0].astype(np.longdouble)):
        c = c + ((increment * c).sum(axis=1) + gain * sample)
        states[k] = c
    exact = states.astype(np.float64)
    one_by_one, side_by_side, last = assert_like_the_recurrence(steps, samples, np.ones(order), exact=exact)
    if dt == 1e-6:
        by_steps, by_chunks = (np.abs(found - states[-1]).max() for found in (one_by_one[0, -1], last[0]))
        assert by_chunks <= by_steps
        assert np.abs(side_by_side[0] - states).max() <= np.abs(one_by_one[0] - states).max()


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 63, 64, 65, 127, 129, 1000])
@pytest.mark.parametrize("order", [1, 2, 3, 8, 33])
def test_every_shape_from_any_state(order, count, streams, plan):
    """Against the steps, which the tests above hold against exact states: both may be off by the bound."""
    plan(length=8, side=4, lanes=4)
    steps, samples = invariant_steps("legt", order), samples_of((streams, count))
    state = samples_of((streams, order), seed=2)
    one_by_one, side_by_side, last = run(steps, samples, state)
    for s in range(streams):
        bound = 2 * recurrence_bound(steps, samples[s], one_by_one[s], np.ones(order), state[s])
        assert (np.linalg.norm(side_by_side[s] - one_by_one[s], axis=-1) <= bound).all()
        assert np.linalg.norm(last[s] - one_by_one[s, -1]) <= bound[-1]


@pytest.mark.parametrize("order", [1, 9, 64, 255, 257])
def test_plans_as_they_are(order):
    for streams, count in ((1, 2000), (5, 300), (70, 150)):
        steps, samples = invariant_steps("legs_lti", order, dt=1 / 512), samples_of((streams, count))
        one_by_one, side_by_side, last = run(steps, samples)
        bound = 2 * recurrence_bound(steps, samples[-1], one_by_one[-1], np.ones(order))
        assert (np.linalg.norm(side_by_side[-1] - one_by_one[-1], axis=-1) <= bound).all()
        assert np.linalg.norm(last[-1] - one_by_one[-1, -1]) <= bound[-1]


def test_any_strides():
    steps, samples = invariant_steps("fout", 9), samples_of((6, 400))
    state = np.zeros((3, 9))
    plain = chunks.last_state(steps, state, samples[::2].copy())
    bound = 2 * recurrence_bound(steps, samples[0], np.ones((400, 9)), np.ones(9))[-1]
    wide = np.zeros((6, 800))
    wide[:, ::2] = samples
    for given in (samples[::2], np.asfortranarray(samples)[::2], wide[::2, ::2], samples[::2, ::-1].copy()[:, ::-1]):
        assert np.linalg.norm(chunks.last_state(steps, state, given) - plain, axis=-1).max() <= bound
        room = np.full((3, 2, 405, 9), 7.0)
        last = chunks.all_states(steps, state, given, room[:, 1], first=3)
        np.testing.assert_array_equal(last, room[:, 1, 402])
        assert np.linalg.norm(last - plain, axis=-1).max() <= bound
        assert (room[:, 0] == 7.0).all()
        assert (room[:, 1, :3] == 7.0).all()
        assert (room[:, 1, 403:] == 7.0).all()
    np.testing.assert_array_equal(state, 0.0)


def test_equal_calls_give_equal_bits_whatever_is_known():
    steps, other = invariant_steps("legt", 8), invariant_steps("legt", 8, dt=1 / 32)
    samples, state = samples_of((2, 5000)), np.zeros((2, 8))
    first = chunks.last_state(steps, state, samples)
    chunks.last_state(other, state, np.tile(samples, 20))
    chunks.last_state(steps, state, np.tile(samples, 20))
    assert len(chunks._known) == 2
    again = chunks.last_state(ConstantSteps(steps.increment.copy(), steps.gain.copy()), state, samples)
    np.testing.assert_array_equal(again, first)
    assert len(chunks._known) == 2
    chunks._known.clear()
    np.testing.assert_array_equal(chunks.last_state(steps, state, samples), first)


def test_what_is_kept_is_bounded(monkeypatch):
    samples, state = samples_of((1, 300)), np.zeros((1, 8))
    chunks.last_state(invariant_steps("legt", 8), state, samples)
    size = chunks._known[0].size
    monkeypatch.setattr(chunks, "_KEPT", 2 * size)
    for dt in (1.0, 0.5, 0.25, 0.125):
        chunks.last_state(invariant_steps("legt", 8, dt=dt), state, samples)
        assert len(chunks._known) <= 3  # what is kept has its limit when the newest starts to grow
        assert chunks._known[0].belong_to(invariant_steps("legt", 8, dt=dt))
    monkeypatch.setattr(chunks, "_KEPT", 64)
    known = list(chunks._known)
    chunks.last_state(invariant_steps("legt", 8, dt=2.0), state, samples)
    assert chunks._known == known


def test_threads_may_share_the_powers():
    samples, state = samples_of((1, 20_000)), np.zeros((1, 16))
    steps = invariant_steps("lmu", 16)
    alone = [chunks.last_state(steps, state, samples[:, :count]) for count in (500, 5000, 20_000)]
    chunks._known.clear()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda n: chunks.last_state(steps, state, samples[:, :n]), (500, 5000, 20_000) * 8))
    for found, expected in zip(together, alone * 8, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_powers_keep_their_digits():
    """A tiny step keeps the digits of its change, a decayed row those of what is left of it."""
    unit = np.finfo(np.float64).eps / 2
    for rate in (2.0**-40, 2.0**-12, 2.0**-8, 0.25, 0.625):
        powers = chunks._Powers(ConstantSteps(np.array([[-rate]]), np.array([rate])))
        assert powers.reach(9) == 9
        exact = (1 - Fraction(rate)) ** 512
        power = powers.power(9, np.dtype(np.float64))
        if power.kept[0]:
            assert abs(power.rest[0, 0] / float(exact - 1) - 1) <= 3 * 512 * unit
            assert abs(power.rest[0, 0] / float(exact - 1) - 1) <= 16 * unit  # what squaring of 1 - rate would not keep
        else:
            assert exact < Fraction(1, 2)
            assert abs(power.rest[0, 0] / float(exact) - 1) <= 3 * 512 * unit
        weights = powers.weights(512, np.dtype(np.float64))
        assert abs(weights[0, 0] / float((1 - Fraction(rate)) ** 511 * Fraction(rate)) - 1) <= 3 * 512 * unit


def test_no_subnormal_numbers_in_powers():
    powers = chunks._Powers(invariant_steps("lagt", 6, "backward_euler", 2.0))
    for dtype in (np.dtype(np.float64), np.dtype(np.float32)):
        powers.reach(10)
        arrays = [powers.power(level, dtype).rest for level in range(11)] + [powers.weights(2048, dtype)]
        for array in arrays:
            assert not ((array != 0) & (np.abs(array) < np.finfo(dtype).tiny)).any()
    assert (powers.power(10, np.dtype(np.float64)).rest == 0).any()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_unstable_law_grows_and_does_not_fail(dtype):
    steps = invariant_steps("fout", 9, "euler", 0.05)
    state = np.zeros((1, 9), dtype)
    quiet = chunks.last_state(steps, state, np.zeros((1, 2000), dtype))  # warnings are errors
    np.testing.assert_array_equal(quiet, 0.0)
    one_by_one, side_by_side, last = run(steps, samples_of((1, 100), dtype))
    assert np.abs(last).max() > 1e6
    limit = recurrence_bound(steps, samples_of(100, dtype), one_by_one[0], np.ones(9))
    assert np.linalg.norm(last[0] - one_by_one[0, -1]) <= 2 * limit[-1]
    assert np.linalg.norm(side_by_side[0, -1] - one_by_one[0, -1]) <= 2 * limit[-1]
    assert len(chunks._known[0]._levels) < 12  # no power that could overflow


def test_a_short_run_is_stepped_as_a_memory_steps():
    steps, samples = invariant_steps("legt", 7), samples_of((1, 60))
    one_by_one, side_by_side, last = run(steps, samples)
    np.testing.assert_array_equal(side_by_side, one_by_one)
    np.testing.assert_array_equal(last, one_by_one[:, -1])


def test_plans_are_chunks_where_they_pay():
    for streams, count, order in ((1, 10**6, 256), (256, 10**4, 256), (1, 10**4, 16), (1, 10**6, 1)):
        length, side = chunks._plan(streams, count, order)
        assert length > 16
        assert length * side <= count
    assert chunks._plan(1, 100, 1024) == (1, 1)
    assert chunks._lane_level(1, 10**5, 64) > 4
    assert chunks._lane_level(10**4, 100, 64) == 0


# The numpy backend


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_scans_of_invariant_laws_are_chunks(dtype):
    samples, steps = samples_of((2, 3000), dtype), invariant_steps("lmu", 8, "zoh")
    options = {"method": "zoh", "dt": 1 / 64, "backend": "numpy"}
    _, states, last = run(steps, samples)
    np.testing.assert_array_equal(hippo_fast.scan(samples, "lmu", 8, **options), states)
    np.testing.assert_array_equal(hippo_fast.scan(samples, "lmu", 8, output="last", **options), last)


@pytest.mark.parametrize("measure", ["legs", "legt"])
@pytest.mark.parametrize("output", ["states", "last"])
def test_out_is_written_and_returned(measure, output):
    samples = samples_of((2, 3, 90))
    options = {"method": "zoh", "dt": None if measure == "legs" else 1 / 64, "backend": "numpy", "output": output}
    expected = hippo_fast.scan(samples, measure, 5, **options)
    for room in (np.full(expected.shape, np.nan), np.full((*expected.shape, 2), np.nan)[..., 1]):
        assert hippo_fast.scan(samples, measure, 5, out=room, **options) is room
        np.testing.assert_array_equal(room, expected)


def uneven_times(streams, count, seed=0):
    return np.cumsum(np.random.default_rng(seed).integers(1, 9, (streams, count)) / 8.0, axis=1)


@pytest.mark.parametrize("method", ["euler", "backward_euler", "bilinear", "trapezoid", "zoh", "foh"])
@pytest.mark.parametrize("order", [1, 2, 7])
@pytest.mark.parametrize("with_states", [False, True])
def test_a_time_of_its_own_for_each_stream(method, order, with_states):
    streams, count = 3, 30
    times, samples = uneven_times(streams, count + 1), samples_of((streams, count))
    rule = hippo_fast.DISCRETIZATIONS[method]
    state, before = samples_of((streams, order), seed=4), samples_of(streams, seed=5)
    steps = rule.scale_steps(times[:, :-1], times[:, 1:])
    assert isinstance(steps, PrefixSteps | StretchSteps)
    states = np.zeros((streams, count + 2, order)) if with_states else None
    last = numpy_backend.advance(steps, state, samples, before, states=states, first=2)
    for s in range(streams):
        own = np.zeros((1, count + 2, order)) if with_states else None
        part = slice(s, s + 1)
        alone = numpy_backend.advance(
            rule.scale_steps(times[s, :-1], times[s, 1:]), state[part], samples[part], before[part], states=own, first=2
        )
        np.testing.assert_array_equal(last[part], alone)
        if states is not None:
            np.testing.assert_array_equal(states[part], own)


@pytest.mark.parametrize("count", [3, 40])
def test_one_stream_may_have_its_times_in_a_row(count):
    """(1, K) arrays mean what (K,) arrays mean, by either way that one stream is run."""
    times, samples = uneven_times(1, count + 1), samples_of((1, count))
    rule, state, before = hippo_fast.DISCRETIZATIONS["trapezoid"], samples_of((1, 6), seed=4), np.array([0.5])
    row = numpy_backend.advance(rule.scale_steps(times[:, :-1], times[:, 1:]), state, samples, before)
    flat = numpy_backend.advance(rule.scale_steps(times[0, :-1], times[0, 1:]), state, samples, before)
    np.testing.assert_array_equal(row, flat)


@pytest.mark.parametrize("explicit_at_start", [False, True])
def test_even_steps_are_their_arrays(explicit_at_start):
    samples, state = samples_of((2, 20)), samples_of((2, 5), seed=4)
    even = EvenSteps(3, 20, implicit=0.5, explicit_at_start=explicit_at_start)
    found, expected = (numpy_backend.advance(steps, state, samples, state[:, 0]) for steps in (even, even.prefix()))
    np.testing.assert_array_equal(found, expected)
