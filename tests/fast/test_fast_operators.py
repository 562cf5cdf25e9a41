"""(A, B): each entry against exact numbers, the structure that the papers state, and the basis."""

import math
import subprocess
import sys
from fractions import Fraction

import fast_exact
import numpy as np
import pytest
from fast_exact import EPS, PI

import hippo_fast
from hippo_fast import OPERATORS
from hippo_fast.operators.lagt import laguerre_ratios

ORDERS = (1, 2, 3, 4, 17)


def worst_ulp(computed, exact):
    """Largest relative error in units of eps; entries that are exactly zero must be computed as zero."""
    worst = 0.0
    for got, want in zip(np.ravel(computed), np.ravel(exact), strict=True):
        if want == 0:
            assert got == 0
        else:
            worst = max(worst, abs(float((Fraction(float(got)) - want) / want)) / EPS)
    return worst


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("measure", OPERATORS)
def test_entries_are_exact_to_a_few_ulp(measure, order):
    parameters = {"theta": 0.75} if "theta" in OPERATORS[measure].parameters else {}
    a, b = fast_exact.exact_system(measure, order, **parameters)
    system = hippo_fast.system(measure, order, **parameters)
    assert system.A.dtype == system.B.dtype == np.float64
    assert system.time_law == ("scale" if measure == "legs" else "invariant")
    # A square root, a product and a quotient are rounded, each to half an ulp; fout adds pi and one sum.
    assert worst_ulp(system.A, a) <= 2
    assert worst_ulp(system.B, b) <= 2


@pytest.mark.parametrize("alpha", [-0.999, -0.5, 1e-300, 0.3, 0.9999])
def test_laguerre_ratios_are_correctly_rounded(alpha):
    ratios, square = laguerre_ratios(200, alpha), Fraction(1)
    for n in range(1, 200):
        square *= (n + Fraction(alpha)) / n
        # |r^2 - q| <= q (eps + eps^2/4): half an ulp in r, squared.
        assert abs(Fraction(ratios[n]) ** 2 - square) <= square * Fraction(EPS) * (1 + Fraction(EPS))


@pytest.mark.parametrize("beta", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("alpha", [-0.5, 0.5])
def test_lagt_gain_at_half_integers(alpha, beta):
    """Gamma(1/2) Gamma(3/2) = pi/2, hence B_0^2 = 2 beta^(1 - alpha)/pi for alpha = +-1/2."""
    b = hippo_fast.system("lagt", 1, alpha=alpha, beta=beta).B[0]
    exact = 2 * fast_exact.root(Fraction(beta) ** (1 if alpha == 0.5 else 3)) / PI
    assert abs(float((Fraction(float(b)) ** 2 - exact) / exact)) <= 8 * EPS  # pow, sin, product, quotient, root, square


@pytest.mark.parametrize("alpha", [-0.9, -0.2, 0.1, 0.7])
def test_lagt_against_the_defining_gamma_functions(alpha):
    order, beta = 12, 1.5
    lam = [math.sqrt(math.gamma(n + alpha + 1) / math.gamma(n + 1)) for n in range(order)]
    zeta = math.gamma(1 - alpha) * beta ** (alpha - 1)
    system = hippo_fast.system("lagt", order, alpha=alpha, beta=beta)
    for n in range(order):
        binomial = math.gamma(n + alpha + 1) / math.gamma(alpha + 1) / math.gamma(n + 1)
        # Seven gamma values of at most 10 ulp each and ten further roundings.
        assert abs(system.B[n] - binomial / lam[n] / math.sqrt(zeta)) <= 80 * EPS * system.B[n]
        for k in range(n):
            assert abs(system.A[n, k] + lam[k] / lam[n]) <= 40 * EPS * lam[k] / lam[n]
        assert system.A[n, n] == -(1 + beta) / 2


def test_structure_normal_plus_low_rank():
    order = 9
    s = np.sqrt(2.0 * np.arange(order) + 1.0)
    legs, lagt = hippo_fast.system("legs", order), hippo_fast.system("lagt", order)
    legt, fout = hippo_fast.system("legt", order, theta=0.5), hippo_fast.system("fout", order, theta=0.5)
    even = np.arange(order) % 2 == 0
    expected = {
        "legs": (legs.A, -np.eye(order) - np.outer(s, s)),
        "lagt": (lagt.A, -np.eye(order) - 1.0),
        "legt": (legt.A, -4 * np.where(even[:, None] == even[None, :], np.outer(s, s), 0.0)),
        "fout": (fout.A, -np.outer(fout.B, fout.B) * 0.5),
    }
    for name, (a, low_rank) in expected.items():
        bound = 4 * EPS * np.abs(a).max() * np.ones_like(a)
        np.testing.assert_array_less(np.abs(a + a.T - low_rank), bound, err_msg=name)


@pytest.mark.parametrize("order", [2, 4, 10])
def test_fout_of_even_order_never_forgets_one_mode(order):
    """An orphan cosine and the constant share a direction that neither R turns nor the boundary sees: A v = 0."""
    system = hippo_fast.system("fout", order)
    v = np.zeros(order)
    v[0], v[-1] = math.sqrt(2.0), -1.0
    assert np.abs(system.A @ v).max() <= 8 * EPS  # entries 2, 2 sqrt2 and 4, rounded once
    assert np.linalg.svd(hippo_fast.system("fout", order + 1).A, compute_uv=False)[-1] > 1e-3


def test_lmu_is_legt_rescaled():
    order, theta = 8, 0.3
    t = np.sqrt(2.0 * np.arange(order) + 1.0) * (-1.0) ** np.arange(order)
    legt, lmu = hippo_fast.system("legt", order, theta=theta), hippo_fast.system("lmu", order, theta=theta)
    assert np.all(np.abs(t[:, None] * legt.A / t[None, :] - lmu.A) <= 4 * EPS * np.abs(lmu.A))
    assert np.all(np.abs(t * legt.B - lmu.B) <= 4 * EPS * np.abs(lmu.B))


@pytest.mark.parametrize("measure", ["legs", "legt", "fout", "legs_lti"])
def test_basis_is_orthonormal(measure):
    order = 7
    if measure == "fout":  # evenly spaced points integrate trigonometric polynomials of degree < their number
        points, weights = np.arange(32) / 32, np.full(32, 1 / 32)
    else:
        nodes, gauss = np.polynomial.legendre.leggauss(order)
        points, weights = (nodes + 1) / 2, gauss / 2
    values = hippo_fast.basis(measure, order, points)
    assert values.shape == (len(points), order)
    gram = values.T @ (weights[:, None] * values)
    # Values are at most s_n = sqrt(13); each sum has len(points) terms; nodes carry a few ulp times P' <= N^2.
    assert np.abs(gram - np.eye(order)).max() <= 4 * EPS * 13 * (len(points) + order**2)


def test_unknown_arguments_are_named():
    with pytest.raises(ValueError, match=r"measure is 'nope'; accepted: one of 'legs', 'legt'"):
        hippo_fast.system("nope", 4)
    with pytest.raises(TypeError, match="measure is 3 "):
        hippo_fast.system(3, 4)
    with pytest.raises(ValueError, match=r"order is 0; accepted: an integer >= 1"):
        hippo_fast.system("legs", 0)
    for order in (True, 2.0, "4", None):
        with pytest.raises(TypeError, match=r"order is .*accepted: an integer >= 1"):
            hippo_fast.system("legs", order)
    with pytest.raises(ValueError, match=r"theta is 2\.0 but measure 'legs' does not have it; accepted: no parameters"):
        hippo_fast.system("legs", 4, theta=2.0)
    with pytest.raises(ValueError, match=r"alpha is 0\.5 but measure 'legt' does not have it; accepted: theta"):
        hippo_fast.system("legt", 4, alpha=0.5)
    for name, value in (("alpha", 1.0), ("alpha", -1.0), ("beta", 0.0), ("beta", math.inf), ("alpha", math.nan)):
        with pytest.raises(ValueError, match=f"{name} is .*accepted: "):
            hippo_fast.system("lagt", 4, **{name: value})
    for value in (0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"theta is .*a finite number > 0"):
            hippo_fast.system("legt", 4, theta=value)
    with pytest.raises(TypeError, match="theta is '1'"):
        hippo_fast.system("legt", 4, theta="1")


def test_system_proves_its_shapes():
    with pytest.raises(ValueError, match="A and B have shapes"):
        hippo_fast.System(np.zeros((2, 3)), np.zeros(2), "scale")
    with pytest.raises(ValueError, match="time_law is 'other'"):
        hippo_fast.System(np.zeros((2, 2)), np.zeros(2), "other")


def test_import_is_light():
    code = (
        "import sys, hippo_fast\n"
        "hippo_fast.BACKENDS['torch'].why_not('legs', 'zoh')\n"
        "heavy = {'torch', 'scipy', 'mpmath', 'flint', 'numba', 'hippo_ref', 'verify'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 0, found.stderr
