"""Memory's short ways: what they compute is what the long way computes, and they refuse what it refuses."""

import itertools
import math
import tracemalloc
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from fast_exact import legs_projection

import hippo_fast
from hippo_fast import BACKENDS, OPERATORS, Memory, memory
from hippo_fast.backends import base

RULES = ["euler", "backward_euler", "bilinear", "trapezoid"]
ORDERS = [1, 2, 3, 7, 8, 9, 31, 32, 33, 63, 64, 65, 100, 255, 256, 257, 300]
UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}


@pytest.fixture(params=["numpy", "numba"])
def backend(request):
    if request.param == "numba":
        pytest.importorskip("numba", reason="the compiled kernels need numba")
    return request.param


def make(measure="legs", order=6, method="bilinear", **options):
    return Memory(measure, order, method=method, dt=None if measure == "legs" else 1 / 64, **options)


def seen(held):
    return held.count, held.coefficients.tobytes(), held._before.tobytes()


def stream(length, seed=5):
    return np.random.default_rng(seed).uniform(-1, 1, length)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", RULES)
def test_one_by_one_is_the_array_bit_for_bit(method, dtype, backend):
    samples = stream(70).astype(dtype)
    for order in ORDERS if backend == "numba" else (1, 2, 7, 33):
        if method == "euler" and order > 33:
            continue  # leaves the range
        single, whole, cut = (make(order=order, method=method, dtype=dtype, backend=backend) for _ in range(3))
        for sample in samples.tolist():
            single.update(sample)
        whole.update(samples)
        for begin, stop in ((0, 1), (1, 3), (3, 11), (11, 70)):
            cut.update(samples[begin:stop])
        assert seen(single) == seen(whole) == seen(cut), order


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", [*RULES, "zoh", "foh"])
def test_the_backends_differ_in_rounding_alone(method, dtype):
    pytest.importorskip("numba", reason="the compiled kernels need numba")
    samples, order = stream(50).astype(dtype), 4
    plain, compiled = (make(order=order, method=method, dtype=dtype, backend=key) for key in ("numpy", "numba"))
    for sample in samples:
        plain.update(sample)
        compiled.update(sample)
    assert (plain.backend, compiled.backend) == ("numpy", "numba")
    # Each step rounds numbers of the size of its terms a few times for each order. Forward Euler enlarges what is there
    # by up to |1 - (n + 1)/k| in step k, and only while k < N; no other rule does.
    grown = math.prod(max(1, order / k - 1) for k in range(1, order)) if method == "euler" else 1
    limit = UNIT[dtype] * 50 * 8 * order * math.sqrt(2 * order) * grown
    assert np.abs(plain.coefficients - compiled.coefficients).max() <= limit


NUMBERS = [0.25, -3, True, *(kind(3) for kind in (np.float64, np.float32, np.float16, np.longdouble))]
NUMBERS += [kind(3) for kind in (np.int8, np.uint8, np.int64, np.uint64, np.bool_)]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"{type(number).__name__}-{number}")
@pytest.mark.parametrize("measure", ["legs", "legt"])
def test_every_kind_of_number_is_read(measure, number, backend):
    short, long = make(measure, backend=backend), make(measure, backend=backend)
    for held in (short, long):
        held.update([0.5, 0.75])
    short.update(number)
    long.update(np.array([number]))
    assert seen(short) == seen(long)


@pytest.mark.parametrize("kind", [int, np.int64])
def test_an_integer_is_rounded_to_the_dtype_once(kind, backend):
    """Through float64 it would end at a tie of two float32 numbers, and then at the wrong one."""
    number = kind(2**54 + 2**30 + 1)
    short, long = make(dtype="float32", backend=backend), make(dtype="float32", backend=backend)
    for held in (short, long):
        held.update([0.5, 0.75])
    short.update(number)
    long.update(np.array([number]))
    assert seen(short) == seen(long)
    assert float(short._before[0]) == 2.0**54 + 2.0**31


REFUSED = [
    *(
        (kind(value), ValueError, r"sample\[0\] is .*; accepted: finite float")
        for kind in (float, np.float64, np.float32)
        for value in (math.nan, math.inf, -math.inf)
    ),
    (10**400, TypeError, "sample has dtype object; accepted: real numbers"),
    (Fraction(1, 3), TypeError, "sample has dtype object"),
    (Decimal("0.5"), TypeError, "sample has dtype object"),
    ("0.5", TypeError, "sample has dtype <U3"),
    (None, TypeError, "sample has dtype object"),
    (1j, TypeError, "sample has dtype complex128"),
    (np.ones((1, 1)), ValueError, r"sample has shape \(1, 1\); accepted: a number or a \(K,\) array with K >= 1"),
    ([], ValueError, r"sample has shape \(0,\)"),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("bad", "error", "message"), REFUSED)
@pytest.mark.parametrize(("measure", "method"), [("legs", "bilinear"), ("legs", "trapezoid"), ("legt", "zoh")])
def test_refusals(measure, method, bad, error, message, dtype, backend):
    held = make(measure, method=method, dtype=dtype, backend=backend)
    held.update([0.5, 0.75, 0.25])
    before = seen(held)
    with pytest.raises(error, match=message):
        held.update(bad)
    assert seen(held) == before


@pytest.mark.parametrize("number", [1e39, -1e39, np.float64(3.5e38), 10**39])
def test_a_number_too_large_for_float32_is_refused(number, backend):
    held = make(dtype="float32", backend=backend)
    held.update([1.0, 2.0])
    before = seen(held)
    with pytest.raises((ValueError, TypeError), match=r"sample\[0\] is -?inf; accepted: finite float32|dtype object"):
        held.update(number)
    assert seen(held) == before


def near_the_end_of_the_range(measure, dtype, backend):
    """A memory that overflows if minus the largest number comes next."""
    largest = float(np.finfo(dtype).max)
    if measure == "legs":  # at order 1 Euler's first step is c + (u - c)
        held = make(order=1, method="euler", dtype=dtype, backend=backend)
        held.update(largest / 2)
    else:  # at this dt Euler multiplies a sample by 2 N - 1
        held = Memory("lmu", 5, method="euler", dt=1.0, dtype=dtype, backend=backend)
        held.update(1.0)
    return held, -largest


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("measure", ["legs", "lmu"])
def test_an_overflow_leaves_the_memory_as_it_was(measure, dtype, backend):
    held, next_sample = near_the_end_of_the_range(measure, dtype, backend)
    before = seen(held)
    for given in (next_sample, [next_sample], [0.0, next_sample, next_sample, next_sample], [next_sample] * 70):
        if measure == "legs" and given == [0.0, next_sample, next_sample, next_sample]:
            continue  # the memory has made room by then
        with pytest.raises(
            OverflowError, match=r"sample number \d or a later one makes .* the range of .*nothing was read"
        ):
            held.update(given)
        assert seen(held) == before


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(("measure", "method"), [("legs", "bilinear"), ("legs", "foh"), ("fout", "bilinear")])
def test_a_long_array_is_judged_before_it_is_read(measure, method, bad, monkeypatch, backend):
    monkeypatch.setattr(memory, "_PIECE", 7)
    held = make(measure, method=method, backend=backend)
    held.update(stream(3))
    before, samples = seen(held), stream(40)
    samples[33] = bad
    with pytest.raises(ValueError, match=r"sample\[33\] is (nan|inf); accepted: finite float64"):
        held.update(samples)
    assert seen(held) == before


@pytest.mark.parametrize("count", [20, 200])
def test_an_overflow_in_a_later_piece_reads_nothing(count, monkeypatch, backend):
    monkeypatch.setattr(memory, "_PIECE", 7)
    held = Memory("lmu", 2, method="euler", dt=1.0, backend=backend)
    held.update(stream(3))
    before = seen(held)
    with pytest.raises(OverflowError, match="sample number 3 or a later one"):
        held.update(np.concatenate([stream(count), [1.7e308, -1.7e308]]))
    assert seen(held) == before


@pytest.mark.parametrize("method", [*RULES, "zoh", "foh"])
def test_pieces_change_no_bit(method, monkeypatch, backend):
    whole, pieces = make(method=method, backend=backend), make(method=method, backend=backend)
    whole.update(stream(60))
    for size in (1, 7, 64):
        monkeypatch.setattr(memory, "_PIECE", size)
        pieces = make(method=method, backend=backend)
        pieces.update(stream(60))
        assert seen(pieces) == seen(whole)


@pytest.mark.parametrize(("measure", "method"), [("legs", "bilinear"), ("legs", "zoh"), ("legt", "bilinear")])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int32])
def test_the_memory_needed_does_not_grow_with_the_array(measure, method, kind, monkeypatch, backend):
    monkeypatch.setattr(memory, "_PIECE", 2**13)
    held = make(measure, order=4, method=method, backend=backend)
    if (measure, method, backend) == ("legs", "bilinear", "numpy"):
        pytest.skip("a second long: that backend steps through arrays in Python")
    held.update(stream(200))  # compiles, and fills what is kept
    samples, peaks = (8 * stream(2**17)).astype(kind), []
    for length in (2**16, 2**17):
        tracemalloc.start()
        try:
            held.update(samples[:length])
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert held.count == 200 + 2**16 + 2**17
    assert peaks[1] < peaks[0] + 2**15  # the further samples alone are 8 to 16 times that


@pytest.mark.parametrize("method", ["zoh", "foh"])
def test_a_long_array_on_a_hold_is_exact(method, backend):
    order, length = 5, 100
    samples, held = stream(length), make(order=5, method=method, backend=backend)
    for begin, stop in ((0, 2), (2, 70), (70, 71), (71, 100)):
        held.update(samples[begin:stop])
    exact = [Fraction(float(sample)) for sample in samples]
    if method == "zoh":
        pieces = [(k, k + 1, value, 0) for k, value in enumerate(exact)]
    else:
        pieces = [(k, k + 1, a - k * (b - a), b - a) for k, (a, b) in enumerate(itertools.pairwise(exact))]
    x = np.array([float(value) for value in legs_projection(pieces, Fraction(pieces[-1][1]), order)])
    scale = np.sqrt(2.0 * np.arange(order) + 1)
    # 32 steps, two stretches: each rounds a state of norm 1 at most in sums of N terms; 68 samples are projected, see
    # `test_fast_holds.limits`.
    limit = UNIT["float64"] * (34 * 2 * order * order + math.sqrt(order) * 3 * (order**2 + 3 * order + 68 + 40))
    assert np.linalg.norm(held.coefficients - scale * x) <= limit


@pytest.mark.parametrize("measure", [key for key in OPERATORS if key != "legs"])
def test_a_long_array_under_an_invariant_law(measure, backend):
    """In chunks it ends where steps end; both round by less than a majorant of the steps."""
    single, whole = make(measure, backend=backend), make(measure, backend=backend)
    samples = stream(300)
    for sample in samples.tolist():
        single.update(sample)
    whole.update(samples)
    increment, gain = whole._constant[0].increment, whole._constant[0].gain
    steps = whole._constant[0]
    state, error = np.zeros(6), np.zeros(6)
    for sample in samples:
        after = state + steps.increment @ state + gain * sample
        terms = np.abs(increment) @ np.abs(state) + np.abs(gain * sample)
        error = np.abs(np.eye(6) + increment) @ error + UNIT["float64"] * (
            (6 + 3) * terms + np.abs(after) + np.abs(state)
        )
        state = after
    assert (np.abs(single.coefficients - whole.coefficients) <= 4 * error).all()


PAIRS = [(measure, method) for measure in OPERATORS for method in BACKENDS["numpy"].methods[measure]]


@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_a_snapshot_goes_on_bit_for_bit_and_on_any_backend(measure, method, backend, tmp_path):
    path, samples = tmp_path / "memory.state", stream(30).tolist()
    unbroken = make(measure, method=method, backend=backend)
    for sample in samples[:17]:
        unbroken.update(sample)
    unbroken.save(path)
    resumed, other = Memory.load(path, backend=backend), Memory.load(path, backend="numpy")
    assert (resumed.backend, other.backend) == (backend, "numpy")
    assert seen(resumed) == seen(other) == seen(unbroken)
    for sample in samples[17:]:
        unbroken.update(sample)
        resumed.update(sample)
        other.update(sample)
    assert seen(resumed) == seen(unbroken)
    if measure == "legs" and method in RULES:  # the two round in ways of their own, see above; here as if never saved
        again = Memory.load(path, backend="numpy")
        again.update(samples[17:])
        assert seen(other) == seen(again)
    else:
        assert seen(other) == seen(unbroken)


def test_the_backend_is_chosen(monkeypatch):
    assert make(backend="numpy").backend == "numpy"
    assert make().backend == ("numba" if BACKENDS["numba"].is_installed() else "numpy")
    with pytest.raises(ValueError, match="backend is 'torch'; accepted: one of 'auto', 'numpy', 'numba'"):
        make(backend="torch")
    with pytest.raises(TypeError, match="backend is None"):
        make(backend=None)
    monkeypatch.setattr(base.importlib.util, "find_spec", lambda _: None)
    assert make().backend == "numpy"
    with pytest.raises(ModuleNotFoundError, match=r"backend 'numba' needs numba.*pip install 'hippo-verify\[numba\]'"):
        make(backend="numba")


def test_states_are_those_of_scan(backend):
    samples = stream(150)
    for method in RULES:
        states = hippo_fast.scan(samples, "legs", 9, method=method, backend=backend)
        held = make(order=9, method=method, backend=backend)
        for k, sample in enumerate(samples.tolist()):
            held.update(sample)
            np.testing.assert_array_equal(held.coefficients, states[k])
