"""The error budget: hand-checkable cases, exact identities, independent quadrature, planted defects, the page."""

import json
import math
import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from typer.testing import CliRunner

import hippo_fast
import hippo_ref
import verify
from verify.bounds import scan_limits
from verify.budget import ADVICE, COMPONENTS
from verify.budgeting import as_function, error_budget, error_budgets
from verify.cases import PARAMETERS, UsageError
from verify.cli import app
from verify.decomposition import JACKSON
from verify.oracle import Function, Oracle
from verify.result import TargetError
from verify.signals import SIGNALS, piecewise, signal
from verify.verdict import Status

ORACLE = Oracle()
LAWS = [
    ("legs", {}),
    ("legt", {"theta": 0.5}),
    ("lmu", {"theta": 0.5}),
    ("fout", {"theta": 0.5}),
    ("legs_lti", {}),
    ("lagt", {"alpha": 0.5, "beta": 1}),
    ("lagt", {"alpha": -0.5, "beta": 2}),
]


def ids(row):
    return row[0] if isinstance(row, tuple) else None


def own(measure="legs", method="bilinear", dt=None, **parameters):
    """Our own scan as a stranger's: it has one measure, rule and step."""

    def scan(samples, order):
        return hippo_fast.scan(samples, measure, order, method=method, dt=dt, backend="numpy", **parameters)

    return scan


def budget(measure="legs", parameters=None, *, target=None, **options):
    """The budget of our own scan; 1/64 is the step of every invariant law here."""
    parameters = parameters or {}
    method = options.get("method", "bilinear")
    if measure != "legs":
        options.setdefault("dt", 1 / 64)
    target = target or own(measure, method, options.get("dt"), **parameters)
    options = {"oracle": ORACLE, "order": 4, **options}
    return error_budget(target, measure, **parameters, **options)


def doubled(samples, order):
    """LegS, bilinear, with a gain of two on the input."""
    return _bilinear(samples, order, gain=2.0)


def off(samples, order):
    """LegS, bilinear, its input off by a part in 10^9."""
    return _bilinear(samples, order, gain=1 + 1e-9)


def transposed(samples, order):
    return _bilinear(samples, order, transpose=True)


def _bilinear(samples, order, gain=1.0, transpose=False):
    n = np.arange(order)
    s = np.sqrt(2.0 * n + 1)
    A = -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0)
    A = A.T if transpose else A
    eye, states = np.eye(order), [np.r_[samples[0], np.zeros(order - 1)]]
    for k in range(1, len(samples)):
        right = (eye + A / (2 * k)) @ states[-1] + gain * s * samples[k] / k
        states.append(np.linalg.solve(eye - A / (2 * k), right))
    return np.array(states).astype(samples.dtype)


# Cases that can be checked by hand.


def test_a_constant_is_held_exactly_by_legs():
    """Every part is 0: ``c = e_0`` is the start, and ``A e_0 + B = 0`` keeps it."""
    found = budget(signal="constant", length=20)
    assert [part.value for part in found.components[:3]] == [0.0, 0.0, 0.0]
    assert found.size == 1.0
    assert found.rounding.value <= found.rounding.bound
    thirds = budget(signal=piecewise("third", lambda x: mpf(1) / 3), length=20)
    assert [part.value for part in thirds.components[:3]] == [0.0, 0.0, 0.0]
    assert 0 < thirds.rounding.value <= thirds.rounding.bound
    # 1/3 is not a double: what its rounding loses is told from what the target's arithmetic loses.
    assert thirds.rounding.parts["samples"] == pytest.approx(float(mpf(1) / 3 - mpmath.fraction(1, 3)), abs=2**-54)
    assert thirds.dominant == "rounding"


def test_an_exact_state_leaves_nothing_to_act_on():
    found = budget(signal="constant", length=4, order=1, target=lambda samples, order: samples[:, None])
    assert found.total == 0.0
    assert [part.share for part in found.components] == [None] * 4
    assert found.dominant is None
    assert found.advice == "nothing to act on: the state is exact"


def test_a_polynomial_below_the_order_has_no_truncation_and_is_held_as_its_samples():
    """Discretization of zoh is the distance of the held signal's projection to that of the signal, in closed form."""
    found = budget(signal="cubic", order=4, length=16, method="zoh")
    assert found.truncation.value == 0.0
    assert found.truncation.accuracy < 1e-100
    assert found.closure.value == 0.0
    legs = hippo_ref.measure("legs")
    held = [Fraction(2 * k + 1, 32) for k in range(16)]
    cells = hippo_ref.project_held(legs, [z**3 - z for z in held], 4, 60)
    whole = hippo_ref.project(legs, lambda x: x**3 - x, 1, 4, 60)
    with mpmath.workdps(60):
        for got, a, b in zip(found.discretization.vector, cells, whole, strict=True):
            assert abs(got - (a - b)) < mpf(10) ** -30
    assert budget(signal="cubic", order=3, length=16, method="zoh").truncation.value > 0.01


def test_a_line_is_exact_under_foh():
    line = piecewise("line", lambda x: 2 * x - mpf(1) / 7)
    found = budget(signal=line, order=5, length=9, method="foh")
    assert [part.value for part in found.components[:3]] == [0.0, 0.0, 0.0]
    assert budget(signal=line, order=5, length=9, method="bilinear").discretization.value > 1e-3


def test_dtype_changes_rounding_alone():
    single, double = (budget("legt", length=128, dtype=dtype) for dtype in ("float32", "float64"))
    for name in ("truncation", "closure", "discretization"):
        first, second = getattr(single, name), getattr(double, name)
        assert (first.value, first.vector, first.accuracy) == (second.value, second.vector, second.accuracy)
    assert 2.0**25 < single.rounding.value / double.rounding.value < 2.0**33
    assert 2.0**28 < single.rounding.bound / double.rounding.bound < 2.0**30


@pytest.mark.parametrize(("method", "order"), [("bilinear", 1), ("trapezoid", 2), ("zoh", 2)])
def test_discretization_falls_with_the_order_of_the_rule(method, order):
    coarse, fine = (budget(length=length, method=method, order=3) for length in (60, 120))
    slope = math.log2(coarse.discretization.value / fine.discretization.value)
    assert slope == pytest.approx(order, abs=0.05)
    assert coarse.truncation == fine.truncation.__class__(**{**vars(fine.truncation), "share": coarse.truncation.share})
    said = "is of order 1 here" if order == 1 else f"sample more densely ({method} is of order 2 here)"
    assert said in ADVICE["discretization"](coarse.case)


def test_closure_of_legt_is_its_start_and_dies_out():
    """Of cos 3x from a zero state, N = 8: 4.7e-2 in its largest coefficient at t = theta, 2e-6 at 4 theta."""
    cosine = Function("cos 3x", lambda x: mpmath.cos(3 * x), lambda x: -3 * mpmath.sin(3 * x))
    early, late = (budget("legt", signal=cosine, length=64 * windows, order=8) for windows in (1, 4))
    assert max(abs(x) for x in early.closure.vector) == pytest.approx(4.7e-2, rel=0.02)
    assert early.closure.value == pytest.approx(math.sqrt(sum(float(x) ** 2 for x in early.closure.vector)), rel=1e-14)
    assert 1e-6 < late.closure.value < 1e-5
    assert early.dominant == "closure"
    assert "let it run for more windows" in early.advice
    assert any("ran for 1 windows" in note for note in early.notes)
    assert any("ran for 4 windows" in note for note in late.notes)


# Identities, and quadrature that shares nothing with the budget.


def basis(measure, parameters, order, age, window):
    """Orthonormal basis at an age, from mpmath's own polynomials."""
    if measure == "lagt":
        alpha, beta = mpf(parameters["alpha"]), mpf(parameters["beta"])
        zeta = mpmath.gamma(1 - alpha) * beta ** (alpha - 1)
        tilt = mpmath.sqrt(zeta) * age**alpha * mpmath.exp(-(1 - beta) * age / 2)
        norms = [mpmath.sqrt(mpmath.gamma(n + alpha + 1) / mpmath.factorial(n)) for n in range(order)]
        return [tilt * mpmath.laguerre(n, alpha, age) / norms[n] for n in range(order)]
    place = mpmath.exp(-age) if measure == "legs_lti" else 1 - age / window
    if measure == "fout":
        turns = [(mpmath.sqrt(2) if n else 1) for n in range(order)]
        return [
            r * (mpmath.cos if n % 2 or not n else mpmath.sin)(2 * mpmath.pi * ((n + 1) // 2) * place)
            for n, r in enumerate(turns)
        ]
    signs = [(-1) ** n if measure == "lmu" else 1 for n in range(order)]
    return [g * mpmath.sqrt(2 * n + 1) * mpmath.legendre(n, 2 * place - 1) for n, g in enumerate(signs)]


def density(measure, parameters, age, window):
    if measure == "lagt":
        alpha, beta = mpf(parameters["alpha"]), mpf(parameters["beta"])
        return age**-alpha * mpmath.exp(-beta * age) / (mpmath.gamma(1 - alpha) * beta ** (alpha - 1))
    return mpmath.exp(-age) if measure == "legs_lti" else 1 / window


def distance(measure, parameters, function, coefficients, time):
    """``||f - sum_n c_n g_n||``: f - g squared, integrated over the window; f is 0 before time 0."""
    end = mpf(time.numerator) / time.denominator
    window = {"legs": end}.get(measure, mpf(parameters.get("theta", 1)))
    infinite = measure in ("lagt", "legs_lti")

    def integrand(age):
        values = basis(measure, parameters, len(coefficients), age, window)
        difference = (function(end - age) if age <= end else 0) - mpmath.fdot(coefficients, values)
        return difference**2 * density(measure, parameters, age, window)

    edges = mpmath.linspace(0, end if infinite else window, 5) + ([12, 40, 120] if infinite else [])
    return mpmath.sqrt(mpmath.quad(integrand, edges))


@pytest.mark.parametrize(("measure", "parameters"), LAWS)
def test_the_parts_are_the_error(measure, parameters):
    """Vectors add up to computed minus projection; total and truncation are what quadrature of (f - g)^2 gives."""
    order, length = 4, 64
    found = budget(measure, parameters, order=order, length=length, dtype="float32", signal="wave")
    since = None if measure == "legs" else 0
    window = found.time if measure in ("legs", "legs_lti", "lagt") else Fraction(1, 2)
    function = signal("wave", found.time, window)
    m = hippo_ref.measure(measure, **parameters)
    with mpmath.workdps(60):
        c = hippo_ref.project(m, function.value, found.time, order, 60, since=since)
        scale = [1 / mpmath.sqrt(2 * n + 1) if measure == "lmu" else mpf(1) for n in range(order)]
        samples = [function.value(mpf(x.numerator) / x.denominator) for x in times(found)]
        states = own(measure, dt=None if measure == "legs" else 1 / 64, **parameters)(
            np.array([float(x) for x in samples]).astype("float32"), order
        )
        got = [mpf(float(x)) * w for x, w in zip(states[-1], scale, strict=True)]
        exact = [x * w for x, w in zip(c, scale, strict=True)]
        for n in range(order):
            parts = found.closure.vector[n] + found.discretization.vector[n] + found.rounding.vector[n]
            assert abs(parts - (got[n] - exact[n])) < mpf(10) ** -30
        squares = mpf(found.truncation.value) ** 2 + sum((a - b) ** 2 for a, b in zip(got, exact, strict=True))
        assert found.total == pytest.approx(float(mpmath.sqrt(squares)), rel=1e-14)
    assert sum(part.share for part in found.components) == pytest.approx(1, abs=1e-13)
    assert distance(measure, parameters, function.value, exact, found.time) == pytest.approx(
        found.truncation.value, rel=1e-6
    )
    assert distance(measure, parameters, function.value, got, found.time) == pytest.approx(found.total, rel=1e-6)
    assert found.rounding.value <= found.rounding.bound
    assert found.judgement is Status.PASS


def times(found):
    return [found.time * Fraction(2 * k + 1, 2 * found.length) for k in range(found.length)]


@pytest.mark.parametrize(("measure", "parameters"), [row for row in LAWS if row[0] in ("lagt", "legs_lti")])
def test_under_an_exact_law_the_driven_ode_is_the_projection(measure, parameters):
    """So closure is 0 by theorem; with a corner the ODE's state is put together from smooth pieces."""
    found = budget(measure, parameters, signal="corner", length=64)
    assert found.closure.value == 0.0
    function = signal("corner", found.time, found.time)
    state = ORACLE.closed_state(found.case, function, found.time)
    projection = ORACLE.projection(found.case, function, found.time, 0)
    assert np.abs((state.high - projection.high) + (state.low - projection.low)).max() < 1e-30


def test_lmu_is_legt_in_another_scaling():
    first, second = (budget(measure, length=64) for measure in ("legt", "lmu"))
    for name in ("truncation", "closure", "discretization"):
        assert getattr(first, name).value == pytest.approx(getattr(second, name).value, rel=1e-14)
    assert first.total == pytest.approx(second.total, rel=1e-12)


def test_a_corner_leaves_a_truncation_that_quadrature_confirms():
    found = budget(signal="corner", order=4, length=50)
    c = hippo_ref.project(hippo_ref.measure("legs"), lambda x: abs(x - mpf(1) / 3), 1, 4, points=[Fraction(1, 3)])

    def squared(x):
        g = sum(a * mpmath.sqrt(2 * n + 1) * mpmath.legendre(n, 2 * x - 1) for n, a in enumerate(c))
        return (abs(x - mpf(1) / 3) - g) ** 2

    assert found.truncation.value == pytest.approx(
        float(mpmath.sqrt(mpmath.quad(squared, [0, mpf(1) / 3, 1]))), rel=1e-12
    )


def test_a_tiny_truncation_keeps_its_digits():
    """At N = 32 it is 1e-30 of a wave: beyond what one difference of squares in 50 digits could see."""
    found = budget(signal="wave", order=32, length=8)
    # Parseval: the next coefficients, of a longer projection.
    longer = hippo_ref.project(hippo_ref.measure("legs"), lambda x: mpmath.sin(6 * x + 1) + x / 4, 1, 44, 90)
    rest = mpmath.sqrt(sum(c**2 for c in longer[32:]))
    assert 1e-31 < rest < 1e-29
    assert found.truncation.value == pytest.approx(float(rest), rel=1e-12)
    assert found.truncation.accuracy < 1e-15 * found.truncation.value


def test_a_component_may_cancel_others():
    found = budget("fout", length=128, order=8)
    assert found.discretization.share < 0
    assert found.discretization.value > 0
    assert sum(part.share for part in found.components) == pytest.approx(1, abs=1e-13)


@pytest.mark.parametrize(("key", "order"), [*((key, 1 + i) for i, key in enumerate(SIGNALS)), ("chirp", 1)])
def test_truncation_keeps_jacksons_bound(key, order):
    found = budget(signal=key, order=order, length=4)
    assert found.truncation.value <= found.truncation.bound
    assert found.truncation.bound == pytest.approx(math.pi * SIGNALS[key].slope / (4 * order))
    assert found.truncation.bound_source == JACKSON


def test_jacksons_bound_is_given_where_it_holds():
    assert budget("legt", {"theta": 0.5}, length=64).truncation.bound is not None
    assert budget("legt", {"theta": 2}, length=64).truncation.bound is None  # silence in the window: a jump
    assert budget("fout", length=64).truncation.bound is None
    unknown = piecewise("unknown", mpmath.exp)
    assert budget(signal=unknown, length=4).truncation.bound is None
    given = budget(signal=unknown, length=4, lipschitz=math.e).truncation
    assert given.value <= given.bound == pytest.approx(math.pi * math.e / 16)


# Signals.


@pytest.mark.parametrize("key", SIGNALS)
def test_a_signal_is_what_it_says(key):
    """Its slope is a Lipschitz constant on the window, its pieces meet, and a stretched window sees the same."""
    shape, function = SIGNALS[key], signal(key, Fraction(1), Fraction(1))
    grid = [mpf(i) / 500 for i in range(501)]
    values = [function.value(z) for z in grid]
    steepest = max(abs(b - a) * 500 for a, b in pairwise(values))
    assert 0.9 * shape.slope <= steepest <= shape.slope * (1 + 1e-12)
    for (_, before), (start, after) in pairwise(function.branches):
        assert abs(
            before(mpf(start.numerator) / start.denominator) - after(mpf(start.numerator) / start.denominator)
        ) < (1e-15)
    moved = signal(key, Fraction(7), Fraction(3, 2))
    for z in (mpf(0), mpf("0.25"), mpf("0.75"), mpf(1)):
        assert abs(moved.value(mpf(7) + (z - 1) * mpf("1.5")) - function.value(z)) < 1e-14
    assert moved.name != function.name
    assert abs(
        function.derivative(mpf("0.7")) - (function.value(mpf("0.7001")) - function.value(mpf("0.6999"))) * 5000
    ) < (1e-3)


def test_the_time_of_a_legs_state_does_not_matter():
    first, second = (budget(length=30, time=time) for time in (1, "7/3"))
    for a, b in zip(first.components[:3], second.components[:3], strict=True):
        assert a.value == pytest.approx(b.value, rel=1e-14)


# Planted defects.


@pytest.mark.parametrize("wrong", [doubled, transposed, off])
def test_a_wrong_target_is_not_blamed_on_rounding(wrong):
    found = budget(target=wrong, length=60, order=4)
    assert found.judgement is found.status is Status.FAIL
    assert found.rounding.value > found.rounding.bound
    assert found.dominant == "target"
    assert found.advice.startswith("not rounding: the target is wrong: state 59")
    assert f"hippo-verify check {wrong.__name__} --level scan" in found.advice
    right = budget(target=_bilinear, length=60, order=4)
    assert right.status is Status.PASS
    assert right.discretization == replace(found.discretization, share=right.discretization.share)


def test_what_rounding_may_explain_is_not_called_a_defect():
    """A part in 10^9 is nothing in float32, and no verdict is made of it."""
    found = budget(target=off, length=60, order=4, dtype="float32")
    assert found.status is Status.PASS
    assert found.dominant == "truncation"


def test_an_undecided_bound_is_said_where_it_matters():
    """Off by 4e-4 in float32: more than careful steps lose (3.6e-4), less than backward-stable ones may (6.1e-4)."""

    def loose(samples, order):
        return _bilinear(samples.astype(float), order) * (1 + 4e-4)

    found = budget(target=loose, signal="constant", length=60, order=4, dtype="float32")
    assert found.judgement is Status.INCONCLUSIVE
    assert found.status is Status.INCONCLUSIVE
    assert found.advice.startswith("rounding or a defect, not decided: ")
    beside = budget(target=loose, signal="corner", length=60, order=4, dtype="float32")
    assert beside.judgement is Status.INCONCLUSIVE
    assert beside.status is Status.PASS
    assert beside.dominant == "truncation"


def test_what_is_no_number_is_infinite_and_null_in_json():
    found = budget(target=lambda samples, order: np.full((len(samples), order), np.nan), length=20)
    assert found.status is Status.FAIL
    assert found.rounding.value == found.total == math.inf
    assert found.rounding.vector is None
    record = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert record["total"] is None
    assert record["components"]["rounding"]["value"] is None
    assert record["components"]["rounding"]["parts"]["arithmetic"] is None
    assert record["components"]["discretization"]["value"] == found.discretization.value
    assert record["message"]


def test_the_last_state_alone_will_do():
    whole = budget(length=40)
    last = budget(length=40, target=lambda samples, order: own()(samples, order)[-1])
    assert replace(last, case=whole.case) == whole


# Words and errors.


def test_advice_speaks_of_every_component():
    assert set(ADVICE) == set(COMPONENTS)
    found = budget(length=20)
    assert "raise the order N, now 4" in ADVICE["truncation"](found.case)
    assert ADVICE["rounding"](replace(found.case, dtype="float32")) == "take float64"
    assert "float64 is at its end" in ADVICE["rounding"](found.case)
    exact = [key for key in PARAMETERS if hippo_ref.measure(key).closure == "exact"]
    assert all(key in ADVICE["closure"](found.case) for key in exact)
    assert "zoh, trapezoid or foh" in ADVICE["discretization"](found.case)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"signal": "tone"},
            r"signal is 'tone'; accepted: wave, chirp, .*constant; from Python also a function of mpmath",
        ),
        ({"signal": 3}, "signal is 3; accepted: wave"),
        ({"length": 0}, "length is 0; accepted: an integer from 1"),
        ({"length": 1, "method": "trapezoid"}, "length is 1; accepted: an integer from 2"),
        ({"length": 2.5}, r"length is 2\.5; accepted: an integer"),
        ({"length": True}, "length is True; accepted: an integer"),
        ({"order": 0}, "order is 0; accepted: an integer from 1"),
        ({"time": 0}, "time is 0; accepted: a number above 0, such as 2 or 1/3"),
        ({"time": "soon"}, "time is 'soon'; accepted: a number above 0"),
        ({"time": math.inf}, "time is inf; accepted: a number above 0"),
        ({"dt": 0.1}, "dt is 0.1, but legs has no time step"),
        ({"measure": "legt", "dt": 0.1, "time": 2}, r"time is 2 and dt is 0\.1; accepted: one of them"),
        ({"measure": "lags"}, "measure is 'lags'; accepted: legs"),
        ({"method": "tustin"}, "method is 'tustin'; accepted: bilinear"),
        ({"dtype": "float16"}, "dtype is 'float16'; accepted: float64, float32"),
        ({"lipschitz": -1}, "lipschitz is -1; accepted: a number from 0"),
        ({"lipschitz": "steep"}, "lipschitz is 'steep'; accepted: a number from 0"),
        ({"theta": 2}, "theta is 2, but legs has no theta"),
        ({"target_arg": {"a": 1}}, "target_arg is for targets named by a string; bind keywords"),
        ({"target": "hippox-legs"}, "hippox-legs has no level scan; it has matrices"),
        (
            {"signal": lambda x: mpmath.exp(1000 * x)},
            "is no finite float64 at x = 0.75; accepted: a signal whose samples",
        ),
    ],
)
def test_wrong_usage_says_what_is_accepted(options, said):
    options = {"target": own(), "measure": "legs", "length": 2, **options}
    with pytest.raises(ValueError, match=said):
        error_budget(options.pop("target"), options.pop("measure"), **options)


def test_a_signal_that_is_not_known_to_50_digits_is_refused():
    with pytest.raises(ArithmeticError, match="let f compute at the working precision"):
        error_budget(own(), signal=lambda x: mpf(math.sin(float(x))), length=4, order=2)


@pytest.mark.parametrize("name", ["orders", "lengths", "dtypes"])
def test_a_sweep_over_nothing_is_refused(name):
    with pytest.raises(UsageError, match=f"{name} is empty; give at least one"):
        error_budgets(own(), **{name: ()})


def test_a_target_that_fails_leaves_its_reason():
    def breaks(samples, order):
        if order > 2:
            raise RuntimeError("too large for me")
        return own()(samples, order)

    found = error_budgets(breaks, orders=(2, 4), lengths=(10,), dtypes=("float64",), oracle=ORACLE)
    assert [b.case.order for b in found.budgets] == [2]
    assert [(cell.order, cell.status, cell.message) for cell in found.absent] == [
        (4, Status.ERROR, "RuntimeError: too large for me")
    ]
    assert (found.status, found.exit_code) == ("error", 3)
    with pytest.raises(TargetError, match="too large for me"):
        error_budget(breaks, order=4, length=10)


def test_an_answer_that_is_no_state_says_what_it_is():
    with pytest.raises(TargetError, match=r"no state to make a budget of: value has shape \(3,\), expected \(10, 4\)"):
        error_budget(lambda samples, order: samples[:3], order=4, length=10, oracle=ORACLE)
    with pytest.raises(TargetError, match="neither callable nor has a method"):
        error_budget(object(), order=4, length=10)


def test_a_target_with_a_step_of_its_own_is_not_asked_for_another():
    found = error_budgets(
        own("legt", dt=1 / 64), "legt", orders=(4,), lengths=(32, 64), dtypes=("float64",), time=1, oracle=ORACLE
    )
    assert [b.length for b in found.budgets] == [32]
    assert [cell.status for cell in found.absent] == [Status.UNSUPPORTED]
    assert "called without its dt" in found.absent[0].message
    # Without a time, its step is the one that `check` takes, and more samples are a longer run.
    found = error_budgets(
        own("legt", dt=1 / 64), "legt", orders=(4,), lengths=(64, 128), dtypes=("float64",), oracle=ORACLE
    )
    assert [b.time for b in found.budgets] == [1, 2]
    assert all(b.status is Status.PASS for b in found.budgets)
    assert any("dt is fixed: more samples make the run longer" in note for note in found.budgets[0].notes)


def test_an_adapter_is_told_its_step_exactly():
    """The step time/L is no double; the exact side keeps it, and what its rounding moves is rounding."""
    found = error_budgets("hippo-fast-numpy", "legt", orders=(4,), lengths=(30, 60), dtypes=("float64",), oracle=ORACLE)
    coarse, fine = found.budgets
    assert [b.time for b in found.budgets] == [2, 2]
    assert coarse.truncation.value == fine.truncation.value
    assert coarse.closure.vector == fine.closure.vector
    assert coarse.discretization.value / fine.discretization.value == pytest.approx(4, rel=0.1)
    assert not any("dt is fixed" in note for note in coarse.notes)
    assert found.status == "pass"


def test_the_rounding_of_the_step_is_rounding():
    """Of a constant no sample is rounded, but 2/30 is no double and 2/32 is one."""
    rounded, exact = error_budgets(
        "hippo-fast-numpy", "legt", signal="constant", orders=(4,), lengths=(30, 32), dtypes=("float64",), oracle=ORACLE
    ).budgets
    assert 0 < rounded.rounding.parts["samples"] < 1e-15
    assert exact.rounding.parts["samples"] == 0


@pytest.mark.parametrize(("measure", "parameters"), LAWS)
def test_the_limit_of_rounding_is_that_of_the_scan_in_this_norm(measure, parameters):
    """``||e||_2 <= ||D e||_2 / min D``; LMU's D is itself the way to the orthonormal basis."""
    found = budget(measure, parameters, length=32, dtype="float32")
    operator = ORACLE.operator(found.case)
    window = found.time if measure in ("legs", "legs_lti", "lagt") else Fraction(1, 2)
    samples = np.array(signal("wave", found.time, window).samples(times(found)), dtype="float32").astype(float)
    exact = ORACLE.states(found.case, tuple(samples.tolist()))
    limit = scan_limits(operator, tuple(samples.tolist()), exact.high, "float32").forward[-1]
    factor = 1 if measure == "lmu" else 1 / operator.weights.min()
    assert factor > 1.1 or parameters.get("alpha") != -0.5
    assert found.rounding.bound == pytest.approx(limit * factor + found.rounding.parts["samples"], rel=1e-12)
    assert found.rounding.parts["samples"] > 1e-10


def test_functions_of_one_name_are_not_mistaken_for_each_other():
    first, second = (error_budget(own(), signal=f, length=6, order=3) for f in (lambda x: x, lambda x: x * x))
    assert first.signal == second.signal == "<lambda>"
    assert first.size != second.size
    assert as_function("wave", Fraction(1), Fraction(1))[1:] == ("wave", 6.25)


def test_it_is_public():
    assert verify.error_budget is error_budget
    assert verify.error_budgets is error_budgets


# The command line and the page.

FILE = """
import numpy as np


def scan(samples, order, gain=1.0):
    n = np.arange(order)
    s = np.sqrt(2.0 * n + 1)
    A = -np.tril(np.outer(s, s), -1) - np.diag(n + 1.0)
    eye, states = np.eye(order), [np.r_[samples[0], np.zeros(order - 1)]]
    for k in range(1, len(samples)):
        right = (eye + A / (2 * k)) @ states[-1] + gain * s * samples[k] / k
        states.append(np.linalg.solve(eye - A / (2 * k), right))
    return np.array(states)


def raises(samples, order):
    raise OSError("no memory today")
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("targets") / "mine.py"
    path.write_text(FILE, encoding="utf-8")
    return path


def cli(*arguments):
    result = CliRunner().invoke(app, ["budget", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


SMALL = ("--orders", "2,4", "--lengths", "10,20", "--dtypes", "float32,float64")


def test_the_command_writes_the_table_the_json_and_the_page(file, tmp_path):
    result = cli(f"{file}:scan", *SMALL, "--json", tmp_path / "b.json", "--html", tmp_path / "b.html")
    assert result.exit_code == 0
    for word in (*COMPONENTS, "total", "act on", "PASS", "raise the order N, now 2"):
        assert word in result.stdout
    record = json.loads((tmp_path / "b.json").read_text(), parse_constant=pytest.fail)
    assert record["schema"] == "hippo-verify/1"
    assert record["status"] == "pass"
    assert len(record["budgets"]) == 8
    assert not record["absent"]
    for entry in record["budgets"]:
        assert set(entry["components"]) == set(COMPONENTS)
        for part in entry["components"].values():
            assert part["truth"]
            assert part["source"]
            assert part["accuracy"] >= 0
        assert sum(part["share"] for part in entry["components"].values()) == pytest.approx(1)
    page = (tmp_path / "b.html").read_text(encoding="utf-8")
    assert "<noscript>" in page
    assert "default-src &#39;none&#39;" in page
    outside = page.replace("http://www.w3.org", "")
    head = outside[: outside.index('<script type="application/json"')]
    assert not re.search(r"https?://|src=", head)


@pytest.mark.parametrize(
    ("target", "options", "code", "said"),
    [
        ("{file}:scan", ("--target-arg", "gain=2"), 1, "not rounding: the target is wrong"),
        ("{file}:raises", (), 3, "OSError: no memory today"),
        ("{file}:nonesuch", (), 3, "has no attribute 'nonesuch'"),
        ("hippox-legs", (), 4, "hippox-legs has no level scan"),
        ("{file}:scan", ("--lengths", "ten"), 2, "--lengths is 'ten'; accepted: integers with commas"),
        ("{file}:scan", ("--signal", "tone"), 2, "signal is 'tone'; accepted: wave"),
        ("{file}:scan", ("--measure", "lags"), 2, "measure is 'lags'; accepted: legs"),
        ("{file}:scan", ("--timeout", "0"), 2, "--timeout is 0.0; accepted: seconds above 0"),
        ("{file}:scan", ("--time", "-1"), 2, "time is '-1'; accepted: a number above 0"),
        ("{file}:scan", ("--json", "/dev/null/no"), 2, "--json: cannot write /dev/null/no"),
        ("{file}:scan", ("--html", "/dev/null/no"), 2, "--html: cannot write /dev/null/no"),
    ],
)
def test_exit_codes_and_words(file, target, options, code, said):
    result = cli(target.format(file=file), "--orders", "2", "--lengths", "8", "--dtypes", "float64", *options)
    assert result.exit_code == code, result.output
    assert said in " ".join((result.stdout + result.stderr).split())


@pytest.fixture(scope="module")
def swept():
    return error_budgets(own(), orders=(2, 4, 8), lengths=(10, 20), dtypes=("float32", "float64"), oracle=ORACLE)


def test_the_picture_shows_every_cell_and_its_neighbours(swept):
    pytest.importorskip("plotly")
    import plotly.graph_objects as go

    from verify.report.budget_picture import pictures

    records = swept.to_json()["budgets"]
    drawn = pictures(records)
    assert len(drawn) == 12
    assert (drawn[0].group, drawn[0].choice) == ("N = 4, L = 20", "float64")
    for picture in drawn:
        for layout in ("layout", "narrow"):
            go.Figure(data=picture.figure["data"], layout=picture.figure[layout])
    traces = drawn[0].figure["data"]
    norms = [t for t in traces if t["meta"].get("quantity") == "norm"]
    bars = [t for t in traces if t["type"] == "bar"]
    assert [t["x"] for t in norms[:: len(COMPONENTS)]] == [["2", "4", "8"], ["10", "20"], ["float32", "float64"]]
    # Plotly's default draws the hatching on nothing, white on white.
    assert {t["marker"]["pattern"]["fillmode"] for t in bars} == {"overlay"}
    # What is stacked adds up to the whole in each column of each panel.
    for panel in range(3):
        columns = zip(*(t["y"] for t in bars[4 * panel : 4 * panel + 4]), strict=True)
        assert all(sum(column) == pytest.approx(1, abs=1e-12) for column in columns)
    by_cell = {(b.case.order, b.length, b.case.dtype): b for b in swept.budgets}
    truncation = next(t for t in norms if t["meta"]["component"] == "truncation")
    assert truncation["y"] == [by_cell[n, 20, "float64"].truncation.value for n in (2, 4, 8)]
    closure = next(t for t in norms if t["meta"]["component"] == "closure")
    assert set(closure["marker"]["symbol"]) == {"square-open"}  # zero, on the line marked so


def test_what_is_wrong_or_no_number_is_marked_in_the_picture():
    pytest.importorskip("plotly")
    from verify.report.budget_picture import pictures, table

    broken = error_budgets(
        lambda samples, order: np.full(order, np.nan), orders=(2,), lengths=(10,), dtypes=("float64",), oracle=ORACLE
    )
    records = broken.to_json()["budgets"]
    figure = pictures(records)[0].figure
    alarms = [t for t in figure["data"] if t["meta"]["quantity"] == "alarm"]
    assert [t["text"] for t in alarms] == [["F"]] * 3
    total = next(t for t in figure["data"] if t["meta"]["quantity"] == "total")
    assert total["y"][0] > max(part["value"] or 0 for part in records[0]["components"].values())
    row = table(records).rows[0]
    assert row[0] == "target"
    assert row[-1] == "–"


def test_the_page_is_safe_and_says_what_is_missing(swept):
    pytest.importorskip("jinja2")
    pytest.importorskip("plotly")
    from verify.report.budget_page import render_budgets

    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    record = json.loads(json.dumps(swept.to_json()))
    record["target"] = hostile
    for entry in record["budgets"]:
        entry["case"]["target"] = entry["message"] = entry["advice"] = hostile
    record["absent"] = [{"order": 3, "length": 7, "dtype": "float64", "status": "ERROR", "message": hostile}]
    record["status"] = "error"
    page = render_budgets(record)
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "The target gave no state in some cells." in page
    assert page.count("&lt;/script&gt;") > 2
    empty = render_budgets({**record, "budgets": [], "status": "empty"})
    assert "Nothing was measured." in empty
