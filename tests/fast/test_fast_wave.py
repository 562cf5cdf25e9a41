"""The kernels of one LegS stream: rows against exact states, and waves against rows, bit for bit."""

import itertools

import fast_exact
import numpy as np
import pytest

pytest.importorskip("numba", reason="the kernels are compiled by numba")

import llvmlite.binding
import numba
from numba.core import types

from hippo_fast.discretizations import DISCRETIZATIONS
from hippo_fast.discretizations.base import EvenSteps, PrefixSteps
from hippo_fast.kernels import simd, wave
from hippo_fast.kernels.rows import even_row_by_row, uneven_row_by_row

RULES = {"euler": (0.0, False), "bilinear": (0.5, False), "backward_euler": (1.0, False), "trapezoid": (0.5, True)}
UNEVEN = [0.0, 0.25, 0.375, 1.5, 1.625, 4.0, 4.125, 9.0, 9.5, 9.75, 20.0, 23.0]


def row_by_row(steps, state, samples, before):
    if isinstance(steps, EvenSteps):
        even_row_by_row(steps.first, steps.implicit, steps.explicit_at_start, state, samples, before)
    else:
        uneven_row_by_row(steps.total, steps.implicit, steps.now, steps.before, state, samples, before)


def in_a_wave(steps, state, samples, before, width):
    if isinstance(steps, EvenSteps):
        wave.even_wave(steps.first, steps.implicit, steps.explicit_at_start, state, samples, before, width)
    else:
        wave.uneven_wave(steps.total, steps.implicit, steps.now, steps.before, state, samples, before, width)


def uneven_steps(count, rng):
    """Steps of very different lengths, with both samples read."""
    total = np.exp(rng.normal(size=count)) / np.arange(2, count + 2)
    return PrefixSteps(total=total, implicit=total * rng.random(count), now=0.25 * total, before=0.75 * total)


def error_bound(prefix, exact, inputs, eps):
    """Bound the norm of ``s_n (computed - exact)`` after the last step, from the operations of a row.

    With u = eps/2, a row rounds ``d_n`` by u of itself, and the subtracted ``r q`` by at most 16 u of the sum of the
    sizes in it: T and i carry up to 3 roundings each, which gives r at most 8 and c at most 6, and a and q add one each
    (s, w and q to what holds no c). The start has at most 8 roundings, x' one more. In a step an error of ``d_{n-1}``
    passes on with the factor ``(1 - i (n-1))/(1 + i (n+1))``, from step to step errors pass on with the step's norm.
    """
    order = exact.shape[1]
    n, scale, unit = np.arange(order), np.sqrt(2.0 * np.arange(order) + 1.0), eps / 2
    a = np.where(n[:, None] > n, -np.outer(scale, scale), 0.0) - np.diag(n + 1.0)
    error = unit * np.linalg.norm(scale * exact[0])
    for j in range(len(prefix)):
        t, i = prefix.total[j], prefix.implicit[j]
        x, after = np.abs(exact[j]), np.abs(exact[j + 1])
        d = np.abs(exact[j + 1] - exact[j])
        passed = 8 * unit * inputs[j] / (1 + i)
        local, d_before = np.zeros(order), inputs[j] / (1 + i)
        for m in range(order):
            r, left = t / (1 + i * (m + 1)), (m - 1) * x[m - 1] if m else 0.0
            sizes = m * (x[m] + 2 * i / t * d_before) + x[m] + left
            passed = abs(1 - i * (m - 1)) / (1 + i * (m + 1)) * passed + unit * d[m] + 16 * unit * r * sizes
            local[m], d_before = passed + unit * after[m], d[m]
        step = np.linalg.solve(np.eye(order) - i * a, np.eye(order) + (t - i) * a)
        error = np.linalg.norm(step, 2) * error + np.linalg.norm(scale * local)
    return error


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("even", [True, False], ids=["even", "uneven"])
@pytest.mark.parametrize("order", [1, 2, 5, 13])
@pytest.mark.parametrize("method", RULES)
def test_rows_against_exact_states(method, order, even, dtype):
    samples = (np.random.default_rng(1).integers(-(2**20), 2**20, len(UNEVEN)) / 2.0**20).astype(dtype)
    times = np.arange(len(UNEVEN), dtype=float) if even else np.array(UNEVEN)
    known = 1 if method == "trapezoid" else 0  # the last state that the rule starts with
    exact = fast_exact.floats(fast_exact.legs_states(samples, times, order, method))[known:]
    prefix = DISCRETIZATIONS[method].scale_steps(times[known:-1], times[known + 1 :])
    steps = EvenSteps(known + 1, len(prefix), *RULES[method]) if even else prefix
    state = exact[0].astype(dtype)
    row_by_row(steps, state, samples[known + 1 :], float(samples[known]))
    inputs = np.abs(prefix.now * samples[known + 1 :]) + np.abs(prefix.before * samples[known:-1])
    bound = error_bound(prefix, exact, inputs, float(np.finfo(dtype).eps))
    error = np.linalg.norm(np.sqrt(2.0 * np.arange(order) + 1.0) * (state - exact[-1]))
    assert error <= bound, f"off by {error:.3g}, bound {bound:.3g}"
    assert bound <= np.finfo(dtype).eps * 1e5 or method == "euler", "a bound that proves nothing"


SMALL, MIDDLE, LARGE = [1, 2, 7, 8, 9, 15, 16], [25, 31, 32, 33], [63, 64, 65, 96, 100, 255, 256, 257, 300, 2048]
WAVES = [
    ("bilinear", "float64", 8, SMALL + MIDDLE + LARGE),
    ("bilinear", "float32", 16, [255, 256, 257]),
    ("bilinear", "float64", 4, [3, 8]),
    ("backward_euler", "float64", 8, [64, 100, 256]),
    ("trapezoid", "float32", 16, [192, 256, 300]),
    ("euler", "float64", 8, [3, 16]),
    ("uneven", "float32", 16, [7, 17, 64]),
]


@pytest.mark.parametrize(("method", "dtype", "width", "orders"), WAVES, ids=lambda value: str(value)[:14])
def test_waves_give_the_bits_of_rows(method, dtype, width, orders):
    """Over orders that do and do not fill the lanes, counts around a lane's lag and over many tables; any stride."""
    rng = np.random.default_rng(2)
    for order in orders:
        for count in (1, 2, 5, 6, 7, 41, 42, 43, 200, 1300 if order <= 300 else 600):
            steps = uneven_steps(count, rng) if method == "uneven" else EvenSteps(2, count, *RULES[method])
            samples, start = rng.normal(size=2 * count).astype(dtype)[::-2], rng.normal(size=order).astype(dtype)
            wanted, found = start.copy(), start.copy()
            row_by_row(steps, wanted, samples, 0.3)
            assert np.isfinite(wanted).all()
            in_a_wave(steps, found, samples, 0.3, width)
            np.testing.assert_array_equal(found, wanted, err_msg=f"{method} {dtype} N={order} K={count}")


@pytest.mark.parametrize("first", [1, 10**7])
def test_a_run_in_pieces_gives_the_bits_of_one_run(first):
    """Pieces short enough for rows and long enough for waves, early and after 10^7 samples."""
    rng = np.random.default_rng(3)
    cuts = [0, 1, 4, 30, 31, 500, 1100, 1103, 2000]
    samples, whole = rng.normal(size=cuts[-1]), np.zeros(256)
    pieces, rows = whole.copy(), whole.copy()
    steps = EvenSteps(first, cuts[-1], 0.5, False)
    wave.last_state(steps, whole, samples, 0.0)
    row_by_row(steps, rows, samples, 0.0)
    for begin, end in itertools.pairwise(cuts):
        wave.last_state(EvenSteps(first + begin, end - begin, 0.5, False), pieces, samples[begin:end], 0.0)
    np.testing.assert_array_equal(whole, rows)
    np.testing.assert_array_equal(pieces, rows)


def test_steps_of_no_time_change_nothing():
    zeros, rng = np.zeros(400), np.random.default_rng(4)
    start, samples = rng.normal(size=256), rng.normal(size=800)[::-2]
    for count in (2, 400):
        state = start.copy()
        nothing = PrefixSteps(*[zeros[:count]] * 4)
        wave.last_state(nothing, state, samples[:count], 1.0)
        np.testing.assert_array_equal(state, start)


def test_no_step_changes_nothing():
    state = np.arange(300.0)
    wave.last_state(EvenSteps(1, 0, 0.5, False), state, np.empty(0), 0.0)
    np.testing.assert_array_equal(state, np.arange(300.0))


@pytest.mark.parametrize("pitch", [None, 0, 1, 2])
@pytest.mark.parametrize("width", [2, 4, 8, 16])
def test_layouts_hold_every_order(width, pitch):
    for order in range(1, 2100):
        layout = wave.best_layout(order, width, pitch, 3.0)
        assert layout.height * width >= order
        assert layout.height > layout.lag * (layout.stages - 1)
        if pitch is not None:
            assert min(pitch, 1) * layout.height != max(pitch, 1) * layout.stages
            rounds = layout.rounds_of_a_table(pitch, 10**9)
            assert rounds == layout.rounds_of_a_table(pitch, 10**5), "room must not grow with K"
            assert rounds * layout.stages <= 64 * (order + 64)


@pytest.mark.parametrize(
    ("features", "size", "registers"),
    [("sse2 avx avx512f avx512vl", 64, 32), ("sse2 avx avx2", 32, 16), ("sse2", 16, 16), ("neon", 16, 32)],
)
@pytest.mark.parametrize("asked", [False, True], ids=["host", "NUMBA_CPU_FEATURES"])
def test_width_follows_the_processor(monkeypatch, features, size, registers, asked):
    names = features.split()
    other = {"sse2": True, "avx": False} if asked else dict.fromkeys(names, True) | {"avx512bf16": False}
    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_features", lambda: other)
    monkeypatch.setattr(
        numba.config, "CPU_FEATURES", ",".join(f"+{name}" for name in names) + ",-xop" if asked else None
    )
    simd.features.cache_clear()
    try:
        assert (simd.vector_bytes(), simd.registers()) == (size, registers)
        assert (simd.lanes("float64"), simd.lanes(np.float32)) == (size // 8, size // 4)
    finally:
        simd.features.cache_clear()


@simd.intrinsic
def every_operation(_typing, source, target):
    def emit(context, builder, signature, arguments):
        v = simd.Vectors.of(builder, signature.args[0].dtype, 4)
        x, y = (simd.data_pointer(context, builder, *pair) for pair in zip(signature.args, arguments, strict=True))
        low, high = v.load(x), v.load(x, 4)
        shifted = v.shift_in(high, low)
        for place, vector in enumerate(
            [v.fma(low, high, v.constant(-1.0)), shifted, v.reverse(low), v.splat(v.extract(low, 2)), v.zero]
        ):
            v.store(vector, y, 4 * place)
        return context.get_dummy_value()

    return types.void(source, target), emit


@numba.njit
def run_every_operation(source, target):
    every_operation(source, target)
    return simd.fma(source[0], source[4], target.dtype.type(-1.0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vector_operations(dtype):
    tiny = np.finfo(dtype).eps
    source = np.array([1 + tiny, 2, 3, 4, 1 - tiny, 6, 7, 8], dtype)
    target = np.full(20, np.nan, dtype)
    assert run_every_operation(source, target) == -(float(tiny) ** 2), "fused: rounded once, it does not vanish"
    low, high = source[:4], source[4:]
    fused = [-(float(tiny) ** 2), *(low * high - 1)[1:]]
    wanted = [fused, [high[3], *low[:3]], low[::-1], [low[2]] * 4, [0] * 4]
    np.testing.assert_array_equal(target.reshape(5, 4), np.array(wanted, dtype))


def test_fma_takes_one_float_type():
    @numba.njit
    def mixed(a, b):
        return simd.fma(a, a, b)

    with pytest.raises(numba.TypingError, match="fma"):
        mixed(1.0, np.float32(1.0))
