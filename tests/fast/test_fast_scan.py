"""scan on numpy: against exact states, and every promise of its signature."""

import itertools
import math
from fractions import Fraction

import fast_exact
import numpy as np
import pytest
from fast_exact import EPS

import hippo_fast
from hippo_fast import BACKENDS, DISCRETIZATIONS, OPERATORS
from hippo_fast.legendre import stretch_increments

PAIRS = [(measure, method) for measure in OPERATORS for method in BACKENDS["numpy"].methods[measure]]
INVARIANT = [pair for pair in PAIRS if pair[0] != "legs"]
UNEVEN = [0.0, 0.25, 0.375, 1.5, 1.625, 4.0, 4.125, 9.0, 9.5, 9.75, 20.0, 23.0]


@pytest.fixture(params=["numpy", "numba"], autouse=True)
def automatic_backend(request, monkeypatch):
    """Run every test on each backend for numpy arrays, as the one that is chosen where none is named."""
    if not BACKENDS[request.param].is_installed():
        pytest.skip(f"{request.param} is not installed")
    monkeypatch.setattr("hippo_fast.run._automatic_backend", lambda _: request.param)


def spacing(measure, dt=1 / 64):
    return None if measure == "legs" else dt


def dyadic_samples(length, streams=None, seed=0):
    shape = (length,) if streams is None else (streams, length)
    return np.random.default_rng(seed).integers(-(2**20), 2**20, shape) / 2.0**20


def assert_within(computed, exact, bound, what):
    """Vectorised first; on failure name the first bad entry."""
    gap = np.abs(computed - exact)
    bad = ~(gap <= bound)
    if bad.any():
        k, n = (int(i) for i in np.argwhere(bad)[0])
        raise AssertionError(
            f"{what}: state {k}, coefficient {n}: {computed[k, n]!r} against {exact[k, n]!r}, off by {gap[k, n]:.3g}, "
            f"bound {bound[k, n]:.3g}; {int(bad.sum())} of {bad.size} entries are off"
        )


def prefix_majorant(samples, times, order, method, *, exact, eps):
    """Running error of an O(N) LegS step: a local error of 16 roundings on N terms, carried by |step matrix|."""
    system = hippo_fast.system("legs", order)
    one, size_a, size_b = np.eye(order), np.abs(system.A), np.abs(system.B)
    error = np.zeros(order)
    bounds = [2 * eps * np.abs(exact[0])]
    for k in range(1, len(samples)):
        step = times[k] - times[k - 1]
        if method == "trapezoid":
            explicit, implicit = (0.0 if times[k - 1] == 0 else step / times[k - 1] / 2), step / times[k] / 2
        else:
            weight = {"euler": 0.0, "bilinear": 0.5, "backward_euler": 1.0}[method]
            explicit, implicit = (1 - weight) * step / times[k], weight * step / times[k]
        inverse = np.abs(np.linalg.inv(one - implicit * system.A))
        carry = inverse @ np.abs(one + explicit * system.A)
        now, old, u = np.abs(exact[k]), np.abs(exact[k - 1]), abs(samples[k]) + abs(samples[k - 1])
        local = now + old + (explicit + implicit) * (size_a @ (now + old) + size_b * u)
        error = carry @ error + 16 * order * eps * (inverse @ local)
        bounds.append(error + 2 * eps * now)
    return np.array(bounds)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("times", [None, UNEVEN, [t + 1.0 for t in UNEVEN]], ids=["even", "uneven", "late"])
@pytest.mark.parametrize("order", [1, 2, 5, 13])
@pytest.mark.parametrize("method", ["euler", "backward_euler", "bilinear", "trapezoid"])
def test_legs_linear_cost_rules_against_exact_states(method, order, times, dtype):
    samples = dyadic_samples(len(UNEVEN)).astype(dtype)
    at = list(range(len(samples))) if times is None else times
    exact = fast_exact.floats(fast_exact.legs_states(samples, at, order, method))
    exact *= np.sqrt(2.0 * np.arange(order) + 1.0)
    computed = hippo_fast.scan(samples, "legs", order, method=method, timestamps=times)
    assert computed.dtype == dtype
    eps = float(np.finfo(dtype).eps)
    assert_within(
        computed, exact, prefix_majorant(samples, at, order, method, exact=exact, eps=eps), f"{method} N={order}"
    )


@pytest.mark.parametrize("times", [None, [0.5, 0.75, 2.0, 2.25, 7.0, 7.5, 8.0, 31.0]], ids=["even", "uneven"])
@pytest.mark.parametrize("order", [1, 2, 3, 8, 16])
def test_legs_zoh_is_the_projection_of_the_held_input(order, times):
    samples = dyadic_samples(8)
    ends = [Fraction(t) for t in (range(1, 9) if times is None else times)]
    pieces = [(a, b, Fraction(float(u)), 0) for a, b, u in zip([0, *ends[:-1]], ends, samples, strict=True)]
    exact = fast_exact.floats([fast_exact.legs_projection(pieces[: k + 1], ends[k], order) for k in range(8)])
    exact *= np.sqrt(2.0 * np.arange(order) + 1.0)
    computed = hippo_fast.scan(samples, "legs", order, method="zoh", timestamps=times)
    # The exact step is a contraction in this basis, so local errors, N^2 ulp of states of norm <= 1, at most add up.
    bound = np.full_like(exact, EPS * (4 + order**2) * len(samples))
    assert_within(computed, exact, bound, f"zoh N={order}")


@pytest.mark.parametrize("times", [None, [0.0, 0.75, 2.0, 2.25, 7.0, 7.5, 8.0, 31.0]], ids=["even", "uneven"])
@pytest.mark.parametrize("order", [1, 2, 3, 8, 16])
def test_legs_foh_is_the_projection_of_the_interpolant(order, times):
    samples = dyadic_samples(8)
    at = [Fraction(t) for t in (range(8) if times is None else times)]
    u = [Fraction(float(v)) for v in samples]
    pieces = []
    for k in range(7):
        slope = (u[k + 1] - u[k]) / (at[k + 1] - at[k])
        pieces.append((at[k], at[k + 1], u[k] - slope * at[k], slope))
    states = [[u[0]] + [Fraction(0)] * (order - 1)]
    states += [fast_exact.legs_projection(pieces[:k], at[k], order) for k in range(1, 8)]
    exact = fast_exact.floats(states) * np.sqrt(2.0 * np.arange(order) + 1.0)
    computed = hippo_fast.scan(samples, "legs", order, method="foh", timestamps=times)
    bound = np.full_like(exact, EPS * (4 + 2 * order**2) * len(samples))  # as zoh, and the ramp's weights beside it
    assert_within(computed, exact, bound, f"foh N={order}")


@pytest.mark.parametrize("method", ["trapezoid", "foh"])
def test_late_first_node_means_a_constant_past(method):
    """A first time T > 0 must equal a constant input on [0, T], which every hold-exact rule represents exactly."""
    late = hippo_fast.scan([2.0, 2.0, 2.0], "legs", 5, method=method, timestamps=[3.0, 4.0, 9.0])
    np.testing.assert_allclose(late, [[2.0, 0, 0, 0, 0]] * 3, rtol=0, atol=2 * 25 * EPS)


@pytest.mark.parametrize("order", [2, 16, 48])
def test_stretch_matrices_lose_nothing_near_ratio_one(order):
    """G tends to A (integer form) as the gap vanishes; the next term is gap (A^2 + A)/2, taken exactly."""
    gap = 2.0**-60
    a = fast_exact.legs_integer_system(order)[0].astype(float)
    found = stretch_increments(np.array([1.0]), np.array([gap]), order)[0]
    s = np.sqrt(2.0 * np.arange(order) + 1.0)
    orthonormal, error = a * s[:, None] / s[None, :], (found - a) * s[:, None] / s[None, :]
    assert np.linalg.norm(error) <= order**2 * EPS * np.linalg.norm(orthonormal)


@pytest.mark.parametrize(("measure", "method"), INVARIANT)
def test_invariant_laws_against_exact_states(measure, method):
    order, length, dt = 6, 25, 1 / 64
    samples = dyadic_samples(length)
    ad, bd = fast_exact.invariant_step(measure, order, method, dt)
    state, states = np.full(order, Fraction(0), object), []
    for value in samples:
        state = fast_exact.cut(ad.dot(state) + bd * Fraction(float(value)))
        states.append(state)
    exact = fast_exact.floats(states)
    computed = hippo_fast.scan(samples, measure, order, method=method, dt=dt)
    # Norms in the orthonormal basis of the measure; (I - a h A)^-1 is a contraction there.
    scale = np.abs(OPERATORS[measure].scale(order))
    system = hippo_fast.system(measure, order)
    size = np.linalg.norm(system.A / scale[:, None] * scale[None, :], 2)
    growth = np.linalg.norm(ad.astype(float) / scale[:, None] * scale[None, :], 2)
    local = 8 * order * EPS * (1 + dt * size) ** 2
    error, bounds, old = 0.0, [], 0.0
    for now, u in zip(np.linalg.norm(exact / scale, axis=1), np.abs(samples), strict=True):
        error = max(growth, 1.0) * error + local * (now + old + dt * u * np.linalg.norm(system.B / scale))
        bounds.append(error * scale)
        old = now
    assert_within(computed, exact, np.array(bounds), f"{measure} {method}")


def test_legs_lti_is_legs_at_geometric_times():
    """The invariant reading of LegS is LegS in the time ln t: one hold of each agrees, through different routes."""
    dt, order = 0.125, 10
    states = hippo_fast.scan(np.r_[1.0, np.zeros(9)], "legs_lti", order, method="zoh", dt=dt)
    # From e_0-multiples: an input 1 on a cell of length dt contributes e_0 - exp(dt A) e_0, then decays as a LegS hold.
    times = np.exp(dt * np.arange(11))
    legs = hippo_fast.scan(np.r_[0.0, 1.0, np.zeros(9)], "legs", order, method="zoh", timestamps=times)[1:]
    size = np.linalg.norm(hippo_fast.system("legs", order).A, 2)
    # times carry relative errors of an ulp, each worth |A| eps in a step.
    assert np.abs(states - legs).max() <= 10 * EPS * (order**2 + 4 * size)


@pytest.mark.parametrize("method", ["backward_euler", "zoh"])
def test_order_one_is_a_running_mean(method):
    samples = dyadic_samples(40)
    means = np.cumsum(samples) / np.arange(1, 41)
    computed = hippo_fast.scan(samples, "legs", 1, method=method)[:, 0]
    if method == "zoh":
        assert np.abs(computed - means).max() <= 4 * 40 * EPS
    else:  # sample 0 opens the state and h = 1/k, so g = 1/(k + 1) as well
        assert np.abs(computed - means).max() <= 4 * 40 * EPS


def test_order_one_gates():
    samples = np.array([0.0, 0.0, 0.0, 1.0])  # sample 3 enters a zero state with the gate itself
    gates = {"euler": 1 / 3, "bilinear": 2 / 7, "backward_euler": 1 / 4, "zoh": 1 / 4}
    for method, gate in gates.items():
        assert abs(hippo_fast.scan(samples, "legs", 1, method=method, output="last")[0] - gate) <= 2 * EPS
    assert hippo_fast.scan([1.0], "lagt", 1, method="euler", dt=0.25)[0, 0] == 0.25
    assert abs(hippo_fast.scan([1.0], "lagt", 1, method="zoh", dt=0.25)[0, 0] + math.expm1(-0.25)) <= 4 * EPS


@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_batch_last_and_shapes(measure, method):
    samples = dyadic_samples(30, 6).reshape(2, 3, 30)
    states = hippo_fast.scan(samples, measure, 5, method=method, dt=spacing(measure))
    assert states.shape == (2, 3, 30, 5)
    assert states.dtype == np.float64
    last = hippo_fast.scan(samples, measure, 5, method=method, dt=spacing(measure), output="last")
    # Another route to the same numbers, and a matrix product may sum in another order: 30 steps of 5 terms.
    slack = 30 * 5 * EPS * max(1.0, np.abs(states).max())
    assert np.abs(last - states[..., -1, :]).max() <= slack
    alone = hippo_fast.scan(samples[1, 2], measure, 5, method=method, dt=spacing(measure))
    assert np.abs(alone - states[1, 2]).max() <= slack
    prefix = hippo_fast.scan(samples[..., :7], measure, 5, method=method, dt=spacing(measure))
    np.testing.assert_array_equal(prefix, states[..., :7, :])


@pytest.mark.parametrize(("measure", "method"), PAIRS)
@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("order", [1, 2, 9])
def test_short_streams_equal_long_ones(measure, method, length, order):
    samples = dyadic_samples(12)
    long = hippo_fast.scan(samples, measure, order, method=method, dt=spacing(measure))
    short = hippo_fast.scan(samples[:length], measure, order, method=method, dt=spacing(measure))
    np.testing.assert_array_equal(short, long[:length])


@pytest.mark.parametrize("method", BACKENDS["numpy"].methods["legs"])
def test_legs_depends_on_ratios_of_times_alone(method):
    samples = dyadic_samples(20)
    default = np.arange(20.0) + DISCRETIZATIONS[method].first_time
    states = hippo_fast.scan(samples, "legs", 6, method=method)
    for factor in (1.0, 2.0**-40, 2.0**300):
        scaled = hippo_fast.scan(samples, "legs", 6, method=method, timestamps=default * factor)
        np.testing.assert_array_equal(scaled, states)


@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_power_of_two_gain_is_exact(measure, method):
    samples = dyadic_samples(25)
    dt = spacing(measure)
    once = hippo_fast.scan(samples, measure, 6, method=method, dt=dt)
    np.testing.assert_array_equal(hippo_fast.scan(-8 * samples, measure, 6, method=method, dt=dt), -8 * once)


def test_dtypes():
    for given, wanted in (
        ("float32", "float32"),
        (">f4", "float32"),
        (">f8", "float64"),
        ("float16", "float64"),
        ("int64", "float64"),
        ("float64", "float64"),
    ):
        assert hippo_fast.scan(np.ones(4, given), "legs", 3).dtype == wanted
    assert hippo_fast.scan(np.ones(4), "legs", 3, dtype="float32").dtype == np.float32
    assert hippo_fast.scan(np.ones(4, "float32"), "legs", 3, dtype=np.float64).dtype == np.float64
    assert hippo_fast.scan([1, 2, 3], "legs", 3, backend="numpy", device="cpu").shape == (3, 3)


@pytest.mark.parametrize(("measure", "method"), PAIRS)
def test_samples_are_left_alone(measure, method):
    samples = dyadic_samples(9, 2)
    kept = samples.copy()
    states = hippo_fast.scan(samples, measure, 4, method=method, dt=spacing(measure))
    states += 1.0
    np.testing.assert_array_equal(samples, kept)


def test_forward_euler_blows_up_quietly_and_overflow_is_announced():
    states = hippo_fast.scan(np.ones(64) + dyadic_samples(64), "legs", 32, method="euler")  # warnings are errors
    assert np.isfinite(states).all()
    assert np.abs(states).max() > 1e19
    with pytest.warns(RuntimeWarning, match="overflow"), np.errstate(invalid="ignore"):
        hippo_fast.scan(dyadic_samples(64).astype("float32"), "legs", 64, method="euler")


@pytest.mark.parametrize("a", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_legs_update_follows_scan(shape, a):
    method = {0.0: "euler", 0.5: "bilinear", 1.0: "backward_euler"}[a]
    samples = np.random.default_rng(3).uniform(-1, 1, (*shape, 15))
    states = hippo_fast.scan(samples, "legs", 6, method=method)
    for k in range(15):
        before = states[..., k - 1, :] if k else np.ones((*shape, 6))
        after = hippo_fast.legs_update(before, samples[..., k], k, a)
        # One rounding in c/s_n and one in s_n x_n, each carried by one step of norm at most 1 + |A|/k.
        growth = 2 + np.linalg.norm(hippo_fast.system("legs", 6).A, 2) / max(k, 1)
        assert np.abs(after - states[..., k, :]).max() <= 4 * EPS * growth * max(1.0, np.abs(before).max())


def test_legs_update_refuses():
    state = np.zeros(4)
    with pytest.raises(ValueError, match=r"sample has shape \(2,\); accepted: \(\) or a number"):
        hippo_fast.legs_update(state, [1.0, 2.0], 1)
    with pytest.raises(ValueError, match=r"k is -1; accepted: an integer >= 0"):
        hippo_fast.legs_update(state, 1.0, -1)
    for k in (1.0, True, "1"):
        with pytest.raises(TypeError, match=r"k is .*accepted: an integer >= 0"):
            hippo_fast.legs_update(state, 1.0, k)
    with pytest.raises(ValueError, match=r"a is 2\.0; accepted: a number with 0 <= a <= 1"):
        hippo_fast.legs_update(state, 1.0, 1, 2.0)
    with pytest.raises(ValueError, match="sample"):
        hippo_fast.legs_update(state, math.nan, 1)


GOOD = np.ones(5)
BAD_SAMPLES = [
    (np.float64(1.0), ValueError, r"samples has shape \(\); accepted: \(\.\.\., L\)"),
    ([], ValueError, r"samples has shape \(0,\) and is empty"),
    (np.ones((0, 5)), ValueError, r"samples has shape \(0, 5\) and is empty"),
    ([1.0, math.nan], ValueError, r"samples\[1\] is nan; accepted: finite float64"),
    ([[1.0, 2.0], [math.inf, 1.0]], ValueError, r"samples\[1, 0\] is inf; accepted: finite"),
    (np.ones(3, complex), TypeError, "samples has dtype complex128; accepted: real numbers"),
    (["a", "b"], TypeError, "samples has dtype <U1; accepted: real numbers"),
    ([None, 1.0], TypeError, "samples has dtype object; accepted: real numbers"),
    ([[1.0], [1.0, 2.0]], ValueError, "samples is not a rectangular array"),
]


@pytest.mark.parametrize(("samples", "error", "message"), BAD_SAMPLES)
def test_bad_samples_are_refused(samples, error, message):
    with pytest.raises(error, match=message):
        hippo_fast.scan(samples, "legs", 3)


def test_a_sample_too_large_for_float32_is_refused():
    with pytest.raises(ValueError, match=r"samples\[1\] is inf; accepted: finite float32"):
        hippo_fast.scan([1.0, 1e300], "legs", 3, dtype="float32")


BAD_OPTIONS = [
    ({"order": None}, TypeError, "order is None"),
    ({"order": 0}, ValueError, "order is 0; accepted: an integer >= 1"),
    ({"order": -3}, ValueError, "order is -3"),
    ({"measure": "LegS"}, ValueError, "measure is 'LegS'; accepted: one of 'legs'"),
    ({"measure": None}, TypeError, "measure is None"),
    ({"method": "rk4"}, ValueError, "method is 'rk4'; accepted: one of 'euler'"),
    ({"measure": "legt", "dt": 0.1, "method": "foh"}, ValueError, "method is 'foh', not offered for measure 'legt'"),
    ({"measure": "lmu", "dt": 0.1, "method": "trapezoid"}, ValueError, "method is 'trapezoid', not offered"),
    ({"dt": 0.1}, ValueError, "dt is 0.1 but measure 'legs' has no time scale"),
    ({"measure": "legt"}, ValueError, "dt is missing: measure 'legt' needs"),
    ({"measure": "legt", "dt": 0.0}, ValueError, "dt is 0.0; accepted: the sample spacing, a finite number > 0"),
    ({"measure": "legt", "dt": -1}, ValueError, "dt is -1; accepted"),
    ({"measure": "legt", "dt": math.nan}, ValueError, "dt is nan; accepted"),
    ({"measure": "legt", "dt": "1"}, TypeError, "dt is '1'"),
    ({"theta": 2.0}, ValueError, "theta is 2.0 but measure 'legs' does not have it"),
    ({"measure": "lagt", "dt": 0.1, "alpha": 1.0}, ValueError, "alpha is 1.0; accepted: a number with -1 < alpha < 1"),
    ({"measure": "lagt", "dt": 0.1, "beta": 0}, ValueError, "beta is 0; accepted"),
    ({"backend": "cupy"}, ValueError, "backend is 'cupy'; accepted: one of 'auto', 'numpy', 'numba', 'torch'"),
    ({"output": "all"}, ValueError, "output is 'all'; accepted: one of 'states', 'last'"),
    ({"output": None}, TypeError, "output is None"),
    ({"dtype": "float16"}, ValueError, "dtype is 'float16'; accepted: None, 'float32' or 'float64'"),
    ({"dtype": "nonsense"}, ValueError, "dtype is 'nonsense'"),
    ({"dtype": int}, ValueError, "dtype is <class 'int'>"),
    ({"device": "cuda"}, ValueError, "device is 'cuda'; accepted by backend 'numpy'"),
    ({"timestamps": [0, 1, 2]}, ValueError, r"timestamps has shape \(3,\); accepted: \(5,\)"),
    ({"timestamps": np.ones((5, 1))}, ValueError, r"timestamps has shape \(5, 1\)"),
    ({"timestamps": [0, 1, 2, 2, 3]}, ValueError, r"timestamps\[3\] is .*2\.0.* after .*strictly increasing"),
    ({"timestamps": [0, 1, 2, 1, 3]}, ValueError, r"timestamps\[3\] is .*1\.0.* after .*strictly increasing"),
    ({"timestamps": [0, 1, 2, 3, math.nan]}, ValueError, r"timestamps\[4\] is nan"),
    ({"timestamps": [-1, 1, 2, 3, 4]}, ValueError, r"timestamps\[0\] is .*-1\.0.*; accepted: a time >= 0"),
    ({"timestamps": [0, 1, 2, 3, 4], "method": "zoh"}, ValueError, r"timestamps\[0\] is .*accepted: a time > 0"),
    ({"timestamps": ["a"] * 5}, TypeError, "timestamps has dtype"),
    ({"measure": "legt", "dt": 0.1, "timestamps": range(5)}, ValueError, "dt is 0.1 but timestamps say when"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD_OPTIONS)
def test_bad_options_are_refused(options, error, message):
    arguments = {"measure": "legs", "order": 3, **options}
    with pytest.raises(error, match=message):
        hippo_fast.scan(GOOD, **arguments)


def test_capabilities_say_what_runs():
    numpy = BACKENDS["numpy"]
    assert numpy.why_not("legs", "foh") is None
    assert "no method 'foh'" in numpy.why_not("legt", "foh")
    assert "no measure 'chebt'" in numpy.why_not("chebt", "zoh")
    assert "does not compute in float16" in numpy.why_not("legs", "zoh", "float16")
    for backend in BACKENDS.values():
        assert tuple(backend.methods) == backend.measures == tuple(OPERATORS)


def test_a_missing_library_is_explained(monkeypatch):
    from hippo_fast.backends import base

    monkeypatch.setattr(base.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"needs torch.*pip install 'hippo-verify\[torch\]'"):
        hippo_fast.scan(GOOD, "legs", 3, backend="torch")


def test_tables_and_keys_agree():
    for table in (OPERATORS, DISCRETIZATIONS, BACKENDS):
        assert all(key == value.key for key, value in table.items())
    assert len(PAIRS) == len(set(PAIRS)) == 6 + 4 * 5
    assert set(itertools.chain.from_iterable(BACKENDS["torch"].methods.values())) == set(DISCRETIZATIONS)
