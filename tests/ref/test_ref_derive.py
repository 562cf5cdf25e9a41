"""(A, B): derived from the definition, published, and exact in rational arithmetic."""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from ref_tools import CASES, assert_close, name, rows

from hippo_ref import (
    Generators,
    Weight,
    define,
    derive,
    measure,
    project,
    project_rate,
    rational_system,
    states,
    system,
)
from hippo_ref.derive import gram_schmidt
from hippo_ref.measures.base import End, SlidingWindow
from hippo_ref.orthogonal import Rows, legendre_scales, shifted_legendre


@pytest.mark.parametrize("order", [1, 2, 3, 8, 25])
@pytest.mark.parametrize("m", CASES, ids=name)
def test_derived_equals_published(m, order):
    derived, published = derive(m, order, 45), system(m, order, 45)
    assert derived.time_law == published.time_law == m.time_law
    assert (derived.A.rows, derived.A.cols, derived.B.rows, derived.B.cols) == (order, order, order, 1)
    assert_close(list(derived.A), list(published.A), 44)
    assert_close(list(derived.B), list(published.B), 44)


@settings(max_examples=12)
@given(
    alpha=st.fractions(-1, 1, max_denominator=10**6).filter(lambda a: -1 < a < 1),
    beta=st.fractions(Fraction(1, 10**6), 10**6),
    order=st.integers(1, 10),
)
def test_derived_equals_published_over_lagts_domain(alpha, beta, order):
    m = measure("lagt", alpha=alpha, beta=beta)
    derived, published = derive(m, order, 30), system(m, order, 30)
    assert_close(list(derived.A), list(published.A), 29)
    assert_close(list(derived.B), list(published.B), 29)


def test_plain_lagt_is_minus_the_lower_triangle_of_ones():
    found = system(measure("lagt"), 5)
    triangle = [[mpf(-1) if k <= n else mpf(0) for k in range(5)] for n in range(5)]
    assert rows(found.A) == triangle
    assert list(found.B) == [1] * 5


def test_lmu_is_scaled_legt():
    order, theta = 9, "0.7"
    with mp.workdps(60):
        T = mp.diag([(-1) ** n * s for n, s in enumerate(legendre_scales(order))])
        legt = system(measure("legt", theta=theta), order, 50)
        A, B = T * legt.A * T**-1, T * legt.B
    lmu = system(measure("lmu", theta=theta), order, 50)
    assert_close(list(lmu.A), list(A), 48)
    assert_close(list(lmu.B), list(B), 48)


def test_fout_at_even_order_drops_the_unpaired_cosines_derivative():
    even, odd = system(measure("fout"), 4), system(measure("fout"), 5)
    assert_close(list(even.A), list(odd.A[:4, :4]), 48)
    assert odd.A[3, 4] != 0


def test_each_call_gives_fresh_matrices():
    first = system(measure("legs"), 3)
    first.A[0, 0] = mpf(99)
    assert system(measure("legs"), 3).A[0, 0] == -1


@pytest.mark.parametrize("function", [system, derive])
def test_bad_order_and_dps(function):
    for bad in (0, -3):
        with pytest.raises(ValueError, match=f"order must be an integer >= 1, got {bad}"):
            function(measure("legs"), bad)
    for bad in (2.0, True, "4"):
        with pytest.raises(TypeError, match="order must be an integer >= 1"):
            function(measure("legs"), bad)
    with pytest.raises(ValueError, match="dps must be an integer >= 1"):
        function(measure("legs"), 2, dps=0)


def test_fout_has_no_rational_system():
    with pytest.raises(ValueError, match="'fout' has no rational system"):
        rational_system(measure("fout"), 5)


def test_gram_schmidt_refuses_dependent_generators():
    with pytest.raises(ArithmeticError, match="generator 1 has squared norm 0"):
        gram_schmidt([[Fraction(1), Fraction(2)], [Fraction(2), Fraction(4)]])


RAMP = define("ramp", weight=Weight(far=1))  # density 2v on all of the history


def test_a_measure_of_ones_own_obeys_its_derived_law():
    m, t, order = RAMP, mpf(3) / 2, 6
    found = derive(m, order, 30)
    with mp.workdps(40):
        c, rate = project(m, mp.cos, t, order, 30), project_rate(m, lambda x: -mp.sin(x), t, order, 30)
        predicted = (found.A * mp.matrix(c) + found.B * mp.cos(t)) / t
    assert_close(list(predicted), rate, 28)
    with pytest.raises(ValueError, match="no published system for measure 'ramp'; use derive"):
        system(m, order)


@dataclass(frozen=True)
class _MyLegT(SlidingWindow):
    """LegT under another name, with irrational-looking (mpf) moments: derived at rising precision, then stepped."""

    key: ClassVar[str] = "my_legt"

    def basis(self, order, fraction):
        return [s * p for s, p in zip(legendre_scales(order), shifted_legendre(order, fraction), strict=True)]

    def kernel(self, order, v):
        return self.basis(order, v)

    def kernel_rows(self, order, nodes):
        return Rows.of_columns(self.kernel(order, v) for v in nodes)

    def generators(self, order):
        return Generators(
            gram=[[mpf(1) / (i + j + 1) for j in range(order)] for i in range(order)],
            drift=[[mpf(-i if j == i - 1 else 0) for j in range(order)] for i in range(order)],
            now=[mpf(1)] * order,
            inflow=mpf(1),
            ends=[End([mpf(i == 0) for i in range(order)], mpf(-1))],
            closure="approximation",
        )

    def gain(self, order):
        return [mpf(1)] * order


def test_inexact_moments_raise_the_precision_until_cancellation_is_paid_for():
    # Gram-Schmidt of monomials loses 5 bits per order: at order 20 about 100 bits more than the first guard holds.
    assert_close(list(derive(_MyLegT(), 20, 40).A), list(system(measure("legt"), 20, 40).A), 39)


def test_states_of_a_measure_of_ones_own():
    u = [1, -2, Fraction(1, 3)]
    mine, known = (states(m, u, 4, "zoh", 0.25, 30)[-1] for m in (_MyLegT(), measure("legt")))
    assert_close(mine, known, 28)
