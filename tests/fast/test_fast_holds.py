"""The holds without a recurrence: exact within derived rounding for any cells, and each approximation by itself."""

import functools
import math

import mpmath
import numpy as np
import pytest
from fast_exact import legendre_coefficients

from hippo_fast import holds
from hippo_fast.backends.numpy_backend import advance
from hippo_fast.discretizations.base import StretchSteps
from hippo_fast.holds import held_advance, held_projection

BITS = 300  # of the fixed-point numbers that stand for exact ones
ONE = 1 << BITS
UNIT = 2.0**-53


@pytest.fixture(params=[False, True], ids=["numpy", "numba"])
def compiled(request):
    if request.param:
        pytest.importorskip("numba", reason="the compiled kernels need numba")
    return request.param


def fixed(values):
    """Floats as integers over 2^BITS, exactly: none of these tests has a smaller unit."""
    return np.array([int(mpmath.ldexp(mpmath.mpf(float(v)), BITS)) for v in np.ravel(values)], object)


def over(numerator, denominator):
    return numerator * ONE // denominator


def exact_projection(samples, times, order, linear):
    """``x_n`` from the antiderivatives of ``P_n`` at the edges, in 300-bit arithmetic, out of reach of cancellation."""
    opened = times[0] > 0
    edges = fixed(np.concatenate([[0.0], times]) if opened else times)
    newer = fixed(np.concatenate([samples[:1], samples]) if linear and opened else samples)
    older = newer[:-1] if linear else newer
    newer = newer[1:] if linear else newer
    z = over(2 * edges, edges[-1]) - ONE
    legendre = [np.full(z.size, ONE, object), z]
    for n in range(1, order + 2):
        legendre.append(((2 * n + 1) * (z * legendre[n] // ONE) - n * legendre[n - 1]) // (n + 1))
    once = [z + ONE, *((legendre[n + 1] - legendre[n - 1]) // (2 * n + 1) for n in range(1, order + 1))]
    found = []
    for n in range(order):
        value = newer * once[n][1:] - older * once[n][:-1]
        if linear:
            twice = (once[n + 1] - once[n - 1]) // (2 * n + 1) if n else z * z // (2 * ONE) + z
            value = value - (newer - older) * over(np.diff(twice), np.diff(z))
        found.append(int(value.sum()) / (2 * ONE**2))
    return np.array(found)


def limits(order, length, size):
    """Bounds on the error of each ``x_n``.

    A rounding in one step of a recurrence for ``P_n`` grows no faster than at an end of the interval, where it becomes
    ``1 + j ln(n/j)`` times what it was at step j: three in each step make ``3 (n + n^2/4) u``. That holds for the
    recurrence of a panel too, whose degree is below 20, and what it yields is added over at most L pieces of a cell
    (a few more where panels cut them), each weight rounded ten times, and over the m nodes of a panel.
    """
    n = np.maximum(np.arange(order), 19 if order > 20 else 0)
    return UNIT * size * (n**2 + 3 * n + length + 40)


def uneven(length, seed):
    return np.cumsum(np.random.default_rng(seed).integers(1, 9, length) / 4.0)


TIMES = {
    "even": lambda length: np.arange(1.0, length + 1),
    "uneven": lambda length: uneven(length, 1),
    "over ten decades": lambda length: np.exp(np.linspace(-20, 5, length)),
    "clustered": lambda length: np.sort(
        np.concatenate([np.arange(1, length // 2 + 1), 3.5 + 2.0**-30 * np.arange(-(-length // 2))])
    ),
}


@pytest.mark.parametrize("first", ["zero", "positive"])
@pytest.mark.parametrize("times", list(TIMES))
@pytest.mark.parametrize("linear", [False, True], ids=["zoh", "foh"])
def test_the_projection_is_exact(linear, times, first, compiled):
    if first == "zero" and not linear:
        pytest.skip("the end of a cell is later than 0")
    for order, length in (
        (1, 5),
        (2, 2),
        (3, 70),
        (19, 40),
        (20, 33),
        (21, 32),
        (40, 31),
        (65, 200),
        (128, 64),
        (300, 20),
    ):
        at = TIMES[times](length)
        at = at - at[0] if first == "zero" else at
        samples = np.random.default_rng(order).uniform(-1, 1, length)
        got = held_projection(samples[None], at, order, linear=linear, compiled=compiled)
        error = np.abs(got[0] - exact_projection(samples, at, order, linear))
        assert got.shape == (1, order)
        assert (error <= limits(order, length, 1.0)).all(), (order, length, error.max() / UNIT)


@pytest.mark.parametrize("linear", [False, True], ids=["zoh", "foh"])
def test_one_sample_is_a_constant(linear, compiled):
    got = held_projection(
        np.array([[2.5], [-1.0]]), np.array([0.0 if linear else 3.0]), 4, linear=linear, compiled=compiled
    )
    np.testing.assert_array_equal(got, [[2.5, 0, 0, 0], [-1.0, 0, 0, 0]])


@pytest.mark.parametrize("linear", [False, True], ids=["zoh", "foh"])
def test_the_steps_of_the_hold_end_in_the_projection(linear, compiled):
    """From any state at a positive time; the stretch alone, in the steps' own way, is the reference."""
    rng, order, count = np.random.default_rng(3), 24, 90
    times = 7.0 + np.concatenate([[0.0], uneven(count, 2)])
    state, samples, before = rng.uniform(-1, 1, (3, order)), rng.uniform(-1, 1, (3, count)), rng.uniform(-1, 1, 3)
    kept = state.copy()
    got = held_advance(state, samples, before, times, linear=linear, compiled=compiled)
    steps = StretchSteps(times[:-1] / times[1:], np.diff(times) / times[1:], linear)
    np.testing.assert_array_equal(state, kept)
    # Steps round x and its change once each, the change in sums of N terms that a recurrence for P_n has weighed; no
    # step makes an error in the norm of c = s_n x_n larger.
    scale = np.sqrt(2.0 * np.arange(order) + 1)
    largest = 1 + np.linalg.norm(scale * np.abs(state).max())
    each = UNIT * largest * (1 + (order**2 + 4 * order) * steps.gap)
    bound = each.sum() + np.linalg.norm(scale * limits(order, count, 4.0)) + UNIT * largest * (order**2 + 4 * order)
    difference = np.linalg.norm(scale * (got - advance(steps, state, samples, before)), axis=1)
    assert difference.max() <= bound


def test_streams_strides_and_times_of_their_own(compiled):
    rng, order = np.random.default_rng(5), 30
    wide = rng.uniform(-1, 1, (100, 6))
    streams, times = wide[::2, 1::2].T, np.stack([uneven(50, seed) for seed in range(3)])
    kept = wide.copy()
    own = held_projection(streams, times, order, linear=True, compiled=compiled)
    shared = held_projection(streams, times[0], order, linear=True, compiled=compiled)
    for s in range(3):
        single = held_projection(streams[s : s + 1].copy(), times[s], order, linear=True, compiled=compiled)
        np.testing.assert_array_equal(own[s], single[0])
        limit = 2 * limits(order, 50, 1.0)  # a product of matrices adds in another order for another number of rows
        alone = held_projection(streams[s : s + 1], times[0], order, linear=True, compiled=compiled)
        assert (np.abs(shared[s] - alone[0]) <= limit).all()
    np.testing.assert_array_equal(wide, kept)


def test_only_ratios_of_times_matter(compiled):
    samples = np.random.default_rng(6).uniform(-1, 1, (1, 40))
    base = held_projection(samples, uneven(40, 1), 33, linear=True, compiled=compiled)
    for factor in (2.0**-400, 2.0**600):
        scaled = held_projection(samples, factor * uneven(40, 1), 33, linear=True, compiled=compiled)
        np.testing.assert_array_equal(scaled, base)


def test_float32_samples_are_projected_in_float64(compiled):
    samples = np.random.default_rng(7).uniform(-1, 1, (2, 300)).astype(np.float32)
    got = held_projection(samples, TIMES["even"](300), 50, linear=False, compiled=compiled)
    wide = held_projection(samples.astype(np.float64), TIMES["even"](300), 50, linear=False, compiled=compiled)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, wide.astype(np.float32))


@pytest.mark.parametrize("order", [holds._POINTS + 1, 64, 300, 1025])
def test_panels_are_narrow_enough(order):
    """Interpolation of ``P_{N-1}`` at a panel's Gauss nodes is off by less than the unit roundoff."""
    count, points = holds.panel_count(order), holds._POINTS
    with mpmath.workdps(40):
        roots = [
            mpmath.findroot(lambda x: mpmath.legendre(points, x), float(x))
            for x in np.polynomial.legendre.leggauss(points)[0]
        ]
        weights = [1 / mpmath.fprod(a - b for b in roots if b is not a) for a in roots]
        for panel in {0, 1, count // 4, count // 2}:
            old, new = (-mpmath.cos(mpmath.pi * k / count) for k in (panel, panel + 1))
            place = lambda x, old=old, new=new: (old + new) / 2 + (new - old) / 2 * x  # noqa: E731
            values = [mpmath.legendre(order - 1, place(x)) for x in roots]
            for x in np.linspace(-1, 1, 11):
                terms = [w / (mpmath.mpf(float(x)) - a) for w, a in zip(weights, roots, strict=True)]
                guess = mpmath.fdot(terms, values) / mpmath.fsum(terms)
                assert abs(guess - mpmath.legendre(order - 1, place(float(x)))) < UNIT


@pytest.mark.parametrize("linear", [False, True], ids=["zoh", "foh"])
@pytest.mark.parametrize("points", [1, 2, 7, holds._POINTS])
def test_pieces_are_narrow_enough(points, linear):
    """The widest piece of each rule, where ``P_j`` is steepest: off by less than the unit roundoff times the width."""
    rules = holds.gauss_rules(points, linear)
    assert (np.diff(rules.widest) > 0).all()
    assert math.isinf(rules.widest[-1])
    finest, full = exact_gauss(points // 2 + 1)  # exact for the degree
    for q, width in enumerate(np.minimum(rules.widest, 2.0), start=1):
        assert rules.nodes_for(float(width)) <= q
        nodes, mass = exact_gauss(q)
        with mpmath.workdps(40):
            size = mpmath.mpf(float(width)) / 2  # of [0, 1], on which P_j is a polynomial in y
            for j in {points - 1, points // 2}:
                coefficients = [mpmath.mpf(int(c)) for c in legendre_coefficients(j + 2)[j]][::-1]

                def value(s, coefficients=coefficients, size=size):
                    return mpmath.polyval(coefficients, 1 - size + size * s) * (s if linear else 1)

                got = mpmath.fsum(w * value(s) for s, w in zip(nodes, mass, strict=True))
                exact = mpmath.fsum(w * value(s) for s, w in zip(finest, full, strict=True))
                assert abs(got - exact) < UNIT


@functools.cache
def exact_gauss(q):
    with mpmath.workdps(40):
        roots = [
            mpmath.findroot(lambda x: mpmath.legendre(q, x), float(x)) for x in np.polynomial.legendre.leggauss(q)[0]
        ]
        slopes = [q * (x * mpmath.legendre(q, x) - mpmath.legendre(q - 1, x)) / (x * x - 1) for x in roots]
        return [(x + 1) / 2 for x in roots], [1 / ((1 - x * x) * s * s) for x, s in zip(roots, slopes, strict=True)]


def test_rules_have_the_nodes_they_claim():
    rules = holds.gauss_rules(holds._POINTS, False)
    for q in range(1, rules.widest.size + 1):
        nodes, mass = exact_gauss(q)
        np.testing.assert_allclose(rules.shares[q - 1, :q], [float(x) for x in nodes], rtol=0, atol=8 * UNIT)
        np.testing.assert_allclose(rules.weights[q - 1, :q], [float(w / 2) for w in mass], rtol=0, atol=8 * UNIT)
        assert not rules.shares[q - 1, q:].any()


@pytest.mark.parametrize("linear", [False, True], ids=["zoh", "foh"])
def test_the_whole_range_of_samples(linear, compiled):
    largest = np.finfo(np.float64).max
    samples = np.array([[largest, -largest, largest / 2, largest, 0.0, largest]])
    for order in (4, 20):
        got = held_projection(samples, TIMES["even"](6), order, linear=linear, compiled=compiled)
        small = held_projection(samples / 2**10, TIMES["even"](6), order, linear=linear, compiled=compiled)
        np.testing.assert_array_equal(got, small * 2**10)
