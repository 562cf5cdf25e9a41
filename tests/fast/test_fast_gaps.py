"""Invariant laws with a gap of its own for each step, against exact arithmetic."""

import functools
import math
from fractions import Fraction

import fast_exact
import numpy as np
import pytest

import hippo_fast
from hippo_fast.backends import BACKENDS
from hippo_fast.operators import OPERATORS
from hippo_fast.types import Parameters

EPS = np.finfo(float).eps
MEASURES = ("legt", "lmu", "lagt", "fout", "legs_lti")
GBT = {"euler": 0.0, "bilinear": 0.5, "backward_euler": 1.0}
INSTALLED = [key for key, backend in BACKENDS.items() if backend.is_installed()]
ON_ARRAYS = [key for key in INSTALLED if key != "torch"]
DRAW = np.random.default_rng(5)
LENGTH = 12
SAMPLES = DRAW.integers(-64, 65, LENGTH) / 64.0
TIMES = np.cumsum(DRAW.integers(1, 9, LENGTH)) / 64.0  # gaps of 1/64 to 1/8, some of them alike


@pytest.mark.parametrize("order", [2, 3, 8, 9])
def test_legt_is_tridiagonal(order):
    """E A = -(2/theta) W and E B = (2/theta) e_0 in x = c/s, proved in rational arithmetic."""
    theta = Fraction(3, 7)
    w = [2 * n + 1 for n in range(order)]
    a = np.array([[-w[k] * (1 if k <= n else (-1) ** (k - n)) / theta for k in range(order)] for n in range(order)])
    b = np.array([1 / theta] * order)
    e = np.full((order, order), Fraction(0), object)
    for n in range(order):
        if n:
            e[n, n - 1] = Fraction(-1)
        if n < order - 1:
            e[n, n + 1] = Fraction(1)
    e[0, 0] = e[-1, -1] = Fraction(1)
    assert (e.dot(a) == np.diag([-2 * n / theta for n in w])).all()
    assert (e.dot(b) == np.array([2 / theta] + [Fraction(0)] * (order - 1))).all()


@functools.cache
def exact_states(measure, order, method, samples, times):
    """States of fractions, as floats; samples and times are tuples."""
    steps = {}
    state, states, before = np.full(order, Fraction(0), object), [], 0.0
    for value, time in zip(samples, times, strict=True):
        gap = time - before
        if gap not in steps:
            steps[gap] = fast_exact.invariant_step(measure, order, method, gap)
        ad, bd = steps[gap]
        state = fast_exact.cut(ad.dot(state) + bd * Fraction(float(value)))
        states.append(state)
        before = time
    return fast_exact.floats(states)


def allowed(measure, order, method, samples, times, exact, eps):
    """Each step rounds at the size of what it adds, and carries old error with a norm of at most ``growth``.

    Norms are those of the orthonormal basis, where implicit steps contract and a forward Euler step has norm at most
    ``1 + h |A|``.
    """
    scale = np.abs(OPERATORS[measure].scale(order))
    system = hippo_fast.system(measure, order)
    size = np.linalg.norm(system.A / scale[:, None] * scale[None, :], 2)
    error, old, before, bounds = 0.0, 0.0, 0.0, []
    for u, time, now in zip(np.abs(samples), times, np.linalg.norm(exact / scale, axis=1), strict=True):
        gap = time - before
        growth = 1.0 + gap * size if method == "euler" else 1.0
        read = gap * u * np.linalg.norm(system.B / scale)
        error = growth * error + 8 * order * eps * (1 + gap * size) ** 2 * (now + old + read)
        bounds.append(error * scale)
        old, before = now, time
    return np.array(bounds)


@pytest.mark.parametrize("order", [1, 2, 5, 6])
@pytest.mark.parametrize("backend", INSTALLED)
@pytest.mark.parametrize("method", [*GBT, "zoh"])
@pytest.mark.parametrize("measure", MEASURES)
def test_uneven_times_against_exact_states(measure, method, backend, order):
    exact = exact_states(measure, order, method, tuple(SAMPLES), tuple(TIMES))
    for dtype in ("float64", "float32"):
        found = hippo_fast.scan(SAMPLES, measure, order, method=method, timestamps=TIMES, backend=backend, dtype=dtype)
        error = np.abs(np.asarray(found) - exact)
        assert (error <= allowed(measure, order, method, SAMPLES, TIMES, exact, np.finfo(dtype).eps)).all()


@pytest.mark.parametrize("backend", INSTALLED)
@pytest.mark.parametrize("measure", MEASURES)
def test_streams_with_times_of_their_own(measure, backend):
    samples = DRAW.uniform(-1, 1, (2, 3, LENGTH))
    times = np.cumsum(DRAW.uniform(0.01, 0.3, samples.shape), axis=-1)
    for method in ("bilinear", "zoh"):
        together = hippo_fast.scan(samples, measure, 5, method=method, timestamps=times, backend=backend)
        last = hippo_fast.scan(samples, measure, 5, method=method, timestamps=times, backend=backend, output="last")
        np.testing.assert_array_equal(np.asarray(last), np.asarray(together)[..., -1, :])
        for index in np.ndindex(2, 3):
            alone = hippo_fast.scan(samples[index], measure, 5, method=method, timestamps=times[index], backend="numpy")
            limit = allowed(measure, 5, method, samples[index], times[index], alone, EPS)
            assert (np.abs(np.asarray(together[index]) - alone) <= 2 * limit).all()


@pytest.mark.parametrize("backend", INSTALLED)
@pytest.mark.parametrize("method", [*GBT, "zoh"])
@pytest.mark.parametrize("measure", MEASURES)
def test_even_times_are_a_spacing(measure, method, backend):
    dt = 1 / 32
    times = dt * np.arange(1, LENGTH + 1)
    timed = hippo_fast.scan(SAMPLES, measure, 6, method=method, timestamps=times, backend=backend)
    spaced = hippo_fast.scan(SAMPLES, measure, 6, method=method, dt=dt, backend=backend)
    limit = allowed(measure, 6, method, SAMPLES, times, np.asarray(spaced), EPS)
    assert (np.abs(np.asarray(timed) - np.asarray(spaced)) <= 2 * limit).all()


@pytest.mark.parametrize("backend", INSTALLED)
@pytest.mark.parametrize("measure", MEASURES)
def test_missing_samples_are_longer_gaps(measure, backend):
    dt, seen = 1 / 32, DRAW.uniform(size=LENGTH) < 0.6
    assert 2 < seen.sum() < LENGTH
    holes = np.where(seen, SAMPLES, math.nan)
    found = np.asarray(hippo_fast.scan(holes, measure, 5, dt=dt, observed=seen, backend=backend))
    times = dt * (np.flatnonzero(seen) + 1)
    alone = exact_states(measure, 5, "bilinear", tuple(SAMPLES[seen]), tuple(times))
    limit = allowed(measure, 5, "bilinear", SAMPLES[seen], times, alone, EPS)
    position = np.cumsum(seen) - 1
    expected = np.where(position[:, None] >= 0, alone[position], 0.0)
    assert (np.abs(found - expected) <= np.where(position[:, None] >= 0, limit[position], 0.0)).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("measure", MEASURES)
def test_the_structure_solves_the_dense_system(measure, dtype):
    """For gaps from tiny to a thousand windows, in the orthonormal basis, against a dense solve refined once."""
    for order in (1, 2, 3, 16, 33, 64):
        operator, parameters = OPERATORS[measure], Parameters()
        structure, system = operator.structure(order, parameters), operator.system(order, parameters)
        scale = np.abs(operator.scale(order))
        matrix = system.A / scale[:, None] * scale[None, :]
        x, u = DRAW.normal(size=(2, order)).astype(dtype), DRAW.normal(size=2).astype(dtype)
        orthonormal = structure.scale / scale
        for gap in np.array([1e-6, 1e-2, 1.0, 1e3], dtype).astype(float):
            for a in GBT.values():
                right = gap * ((x.astype(float) * orthonormal) @ matrix.T + np.outer(u, system.B / scale))
                implicit = np.eye(order) - a * gap * matrix
                exact = np.linalg.solve(implicit, right.T)
                exact += np.linalg.solve(implicit, right.T - implicit @ exact)
                found = structure.change(x, u, np.asarray(gap, dtype), a).astype(float) * orthonormal
                # Backward stable in each row: 8 roundings of N terms, of what enters; the inverse is a contraction.
                entering = gap * (np.abs(x * orthonormal) @ np.abs(matrix).T + np.abs(np.outer(u, system.B / scale)))
                limit = 8 * order * np.finfo(dtype).eps * (np.linalg.norm(entering) + np.linalg.norm(exact))
                assert np.linalg.norm(found - exact.T) <= limit, (order, gap, a)


REFUSED = [
    ({"dt": 0.1}, r"dt is 0.1 but timestamps say when samples come; accepted: one of the two"),
    ({"timestamps": None}, "dt is missing: measure 'legt' needs the sample spacing, .*, or timestamps"),
    ({"timestamps": np.arange(LENGTH)}, r"timestamps\[0\] is 0\.0; accepted: a time > 0"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        hippo_fast.scan(SAMPLES, "legt", 4, **{"timestamps": TIMES, **options})
