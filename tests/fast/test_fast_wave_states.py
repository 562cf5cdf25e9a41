"""wave.all_states: the bits of the plain rows, over awkward sizes, places and steps."""

import math

import numpy as np
import pytest

pytest.importorskip("numba", reason="the kernels are compiled by numba")

from hippo_fast.discretizations.base import EvenSteps, PrefixSteps
from hippo_fast.kernels import wave
from hippo_fast.kernels.rows import even_row_by_row, uneven_row_by_row

SIZES = [
    (1, 1), (1, 100), (2, 3), (7, 9), (8, 8), (9, 65), (16, 33), (31, 7), (33, 200), (48, 64), (63, 31), (64, 129),
    (100, 32), (128, 300), (255, 2), (256, 1), (256, 1000), (300, 65),
]  # fmt: skip
FEW_SIZES = [(9, 65), (255, 33), (256, 1)]  # with other rules, since each layout takes a second or two to compile
RULES = ["bilinear", "late_bilinear", "trapezoid", "backward_euler", "uneven"]


def make_steps(rule, count):
    if rule == "uneven":
        total = np.random.default_rng(count).uniform(0.01, 1.0, count)
        total[::7] = 0.0
        return PrefixSteps(total=total, implicit=total / 2, now=total, before=total / 8)
    return {
        "bilinear": EvenSteps(1, count, 0.5, explicit_at_start=False),
        "late_bilinear": EvenSteps(2**25 + 1, count, 0.5, explicit_at_start=False),
        "trapezoid": EvenSteps(2, count, 0.5, explicit_at_start=True),
        "backward_euler": EvenSteps(3, count, 1.0, explicit_at_start=False),
    }[rule]


def row_by_row(steps, state, samples, before, scale):
    """Return the scaled states ``(K, N)``, one plain step after the other; the state is changed."""
    states = np.empty((samples.size, state.size), state.dtype)
    for j in range(samples.size):
        then = before if j == 0 else float(samples[j - 1])
        one = slice(j, j + 1)
        if isinstance(steps, EvenSteps):
            even_row_by_row(steps.first + j, steps.implicit, steps.explicit_at_start, state, samples[one], then)
        else:
            arrays = steps.total[one], steps.implicit[one], steps.now[one], steps.before[one]
            uneven_row_by_row(*arrays, state, samples[one], then)
        states[j] = scale * state
    return states


def aligned(count, order, dtype):
    """An array that starts on a cache line."""
    room = np.zeros(count * order * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + room.size - 64].view(dtype).reshape(count, order)


def assert_same_bits(steps, order, dtype, states):
    random = np.random.default_rng(order)
    samples = random.standard_normal((len(steps), 2)).astype(dtype)[:, 0]
    state = random.standard_normal(order).astype(dtype)
    scale = np.sqrt(2.0 * np.arange(order) + 1.0).astype(dtype)
    plain = state.copy()
    expected = row_by_row(steps, plain, samples, 0.7, scale)
    wave.all_states(steps, state, samples, 0.7, states, scale)
    bad = np.argwhere(states != expected)
    assert bad.size == 0, f"N={order} K={len(steps)}: {len(bad)} differ, the first at {bad[0]}"
    np.testing.assert_array_equal(state, plain)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_states_have_the_bits_of_the_plain_rows(rule, dtype):
    for order, count in SIZES if rule.endswith("bilinear") else FEW_SIZES:
        assert_same_bits(make_steps(rule, count), order, dtype, aligned(count, order, dtype))


def test_nothing_is_written_beside_the_rows():
    """Rows at a distance, that start anywhere: what lies between them is left alone."""
    for order, count in SIZES:
        room = np.full((count, order + 3), 7.0, np.float32)
        assert_same_bits(make_steps("bilinear", count), order, np.float32, room[:, 1 : order + 1])
        np.testing.assert_array_equal(room[:, [0, order + 1, order + 2]], 7.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_states_past_the_caches_are_the_same(dtype, monkeypatch):
    monkeypatch.setattr(wave, "_CACHED", 0)
    for order, count in SIZES:
        assert_same_bits(make_steps("bilinear", count), order, dtype, aligned(count, order, dtype))


def test_a_run_can_be_cut_anywhere():
    """Steps to the end of one call and from the start of the next are those of one call."""
    order, count = 70, 90
    samples = np.random.default_rng(0).standard_normal(count)
    scale, whole = np.ones(order), np.empty((count, order))
    wave.all_states(make_steps("trapezoid", count), np.zeros(order), samples, 0.5, whole, scale)
    state, parts = np.zeros(order), np.empty((count, order))
    for start, stop in [(0, 1), (1, 34), (34, 34), (34, count)]:
        before = 0.5 if start == 0 else samples[start - 1]
        steps = EvenSteps(2 + start, stop - start, 0.5, explicit_at_start=True)
        wave.all_states(steps, state, samples[start:stop], before, parts[start:stop], scale)
    np.testing.assert_array_equal(parts, whole)
    np.testing.assert_array_equal(state, whole[-1])


def test_an_infinite_state_stays_where_it_is():
    """Lanes that have no step pass the state on unchanged, whatever it holds: 0 times infinity would be no number."""
    order, states = 24, np.empty((1, 24))
    state = np.full(order, math.inf)
    wave.all_states(PrefixSteps(*np.zeros((4, 1))), state, np.zeros(1), 0.0, states, np.ones(order))
    expected = np.full(order, math.inf)
    uneven_row_by_row(*np.zeros((4, 1)), expected, np.zeros(1), 0.0)
    np.testing.assert_array_equal(state, expected)
