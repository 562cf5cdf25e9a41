"""Measures: construction, domains, identity."""

import math
import pickle
from fractions import Fraction

import pytest
from mpmath import mp, mpf
from ref_tools import CASES, assert_close, name

import hippo_ref
from hippo_ref import MEASURES, measure


def test_table_order_and_keys():
    expected = ["legs", "legt", "lmu", "lagt", "fout", "legs_lti", "chebt", "gegenbauer", "jacobi"]
    assert list(MEASURES) == expected
    for key, kind in MEASURES.items():
        assert kind.key == key


def test_parameters_are_exact_whatever_the_precision():
    with mp.workdps(3):
        assert measure("legt", theta="0.1").parameters == {"theta": Fraction(1, 10)}
        assert measure("legt", theta=0.1).parameters == {"theta": Fraction(0.1)}
    assert measure("lagt", alpha=Fraction(1, 3), beta=mpf(2) ** -3).parameters == {
        "alpha": Fraction(1, 3),
        "beta": Fraction(1, 8),
    }
    assert measure("legs").parameters == {}
    assert measure("lagt").parameters == {"alpha": 0, "beta": 1}


def test_attributes():
    facts = {m.key: (m.time_law, m.closure, m.window) for m in map(measure, MEASURES)}
    assert facts == {
        "legs": ("scale", "exact", None),
        "legt": ("invariant", "closed", 1),
        "lmu": ("invariant", "closed", 1),
        "lagt": ("invariant", "exact", None),
        "fout": ("invariant", "closed", 1),
        "legs_lti": ("invariant", "exact", None),
        "chebt": ("invariant", "closed", 1),
        "gegenbauer": ("invariant", "closed", 1),
        "jacobi": ("invariant", "closed", 1),
    }


@pytest.mark.parametrize("m", CASES, ids=name)
def test_hashable_equal_and_picklable(m):
    again = measure(m.key, **m.parameters)
    assert again == m
    assert hash(again) == hash(m)
    assert pickle.loads(pickle.dumps(m)) == m


def test_different_parameters_differ():
    assert len({measure("legt"), measure("lmu"), measure("legt", theta=2), measure("legt", theta="1.0")}) == 3


@pytest.mark.parametrize(
    ("key", "parameters", "error", "text"),
    [
        (
            "legz",
            {},
            ValueError,
            "unknown measure 'legz'; expected one of legs, legt, lmu, lagt, fout, legs_lti, chebt, ",
        ),
        (3, {}, TypeError, "measure key must be a string"),
        ("legs", {"theta": 1}, ValueError, "'legs' has no parameter 'theta'; it accepts no parameters"),
        ("lagt", {"theta": 1}, ValueError, "it accepts -1 < alpha < 1, beta > 0"),
        ("legt", {"theta": 0}, ValueError, "needs theta > 0, got theta = 0"),
        ("legt", {"theta": -1}, ValueError, "needs theta > 0"),
        ("lagt", {"alpha": 1}, ValueError, "needs -1 < alpha < 1, got alpha = 1"),
        ("lagt", {"alpha": "-1"}, ValueError, "needs -1 < alpha < 1"),
        ("lagt", {"beta": 0}, ValueError, "needs beta > 0"),
        ("chebt", {"alpha": 1}, ValueError, "'chebt' has no parameter 'alpha'; it accepts theta > 0"),
        ("gegenbauer", {"alpha": "-1/2"}, ValueError, "needs alpha > -1/2, got alpha = -1/2"),
        ("jacobi", {"alpha": -1}, ValueError, "needs alpha > -1, got alpha = -1"),
        ("jacobi", {"beta": -2}, ValueError, "needs beta > -1, got beta = -2"),
        ("fout", {"theta": math.inf}, ValueError, "must be finite"),
        ("fout", {"theta": math.nan}, ValueError, "must be finite"),
        ("fout", {"theta": mp.inf}, ValueError, "must be finite"),
        ("fout", {"theta": True}, TypeError, "theta of measure 'fout' must be"),
        ("fout", {"theta": "wide"}, ValueError, "got 'wide'"),
        ("fout", {"theta": "1/0"}, ValueError, "got '1/0'"),
        ("fout", {"theta": None}, TypeError, "got None"),
        ("fout", {"theta": 1j}, TypeError, "got 1j"),
    ],
)
def test_refusals(key, parameters, error, text):
    with pytest.raises(error, match=text):
        measure(key, **parameters)


@pytest.mark.parametrize("m", [m for m in CASES if m.key != "lagt"], ids=name)
def test_kernels_read_back_what_the_basis_rebuilds(m):
    """int kernel_n basis_k = delta_nk over the window; LagT has no basis on fractions and is tested through derive."""
    order = 5
    with mp.workdps(30):
        for n in range(order):
            for k in range(order):

                def product(v, n=n, k=k):
                    # The infinite window of legs_lti by its mass y = e^-u, over which du = dy/y.
                    kernel = m.kernel(order, v)[n] if m.finite else m.kernel(order, -mp.log(v))[n] / v
                    return kernel * m.basis(order, v)[k]

                assert abs(mp.quad(product, [0, mpf(1) / 2, 1]) - mpf(n == k)) < mpf(10) ** -12


@pytest.mark.parametrize(
    ("key", "parameters", "fraction", "text"),
    [
        ("chebt", {}, 0, "fractions of 'chebt' must lie in \\(0, 1\\)"),
        ("chebt", {}, 1, "infinite at both ends"),
        ("gegenbauer", {"alpha": 0}, 1, "infinite at fraction 1.0 for alpha = 0"),
        ("jacobi", {"alpha": "-0.1"}, 1, "infinite at fraction 1.0: exponent -1/10 < 0"),
        ("jacobi", {"beta": "-0.1"}, 0, "infinite at fraction 0.0: exponent -1/10 < 0"),
    ],
)
def test_an_infinite_reconstruction_is_refused(key, parameters, fraction, text):
    with pytest.raises(ValueError, match=text):
        hippo_ref.evaluate(measure(key, **parameters), [1, 2], [fraction])


@pytest.mark.parametrize("key", ["legs", "legt", "lmu", "legs_lti"])
def test_polynomial_measures_are_positive_at_the_present(key):
    m = measure(key)
    with mp.workdps(30):
        values = [g * t for g, t in zip(m.basis(6, mpf(1)), m.gain(6), strict=True)]
        # LMU's basis carries (-1)^n and so does its gain: the product is orthonormal and positive again.
        assert_close(values, [mp.sqrt(2 * n + 1) for n in range(6)], 28)


@pytest.mark.parametrize("m", CASES, ids=name)
def test_coordinate_inverts_time(m):
    with mp.workdps(40):
        v, t = mpf(3) / 7, mpf(5) / 3
        assert abs(m.coordinate(m.time(v, t), t) - v) < mpf(10) ** -38


def test_public_names_exist():
    for public in hippo_ref.__all__:
        assert hasattr(hippo_ref, public)
