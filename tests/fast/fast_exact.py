"""Exact arithmetic for the tests of the fast side: fractions, written from the definitions, not from the package.

Irrational entries (square roots, pi) are fractions within 2^-240; results of products are cut to 2^-240, far below any
bound of a float64 test.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

BITS = 240
PI = Fraction("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706798")
EPS = float(np.finfo(np.float64).eps)


def cut(values):
    """Round an object array of fractions to multiples of 2^-BITS."""
    return np.vectorize(lambda v: Fraction(round(v * 2**BITS), 2**BITS), otypes=[object])(values)


def root(number) -> Fraction:
    """Square root of a nonnegative rational within 2^-BITS."""
    number = Fraction(number)
    return Fraction(math.isqrt(number.numerator * 4**BITS // number.denominator), 2**BITS)


def exact_system(measure, order, theta=1, alpha=0, beta=1):
    """(A, B) of mathematics.md as object arrays of fractions. lagt for alpha = 0 and beta = 1 only."""
    a, b = np.full((order, order), Fraction(0), object), np.full(order, Fraction(0), object)
    theta = Fraction(theta)
    s = [root(2 * n + 1) for n in range(order)]
    g = [Fraction(1)] + [root(2) if n % 2 else Fraction(0) for n in range(1, order)]
    for n in range(order):
        for k in range(order):
            if measure in ("legs", "legs_lti"):
                a[n, k] = -root((2 * n + 1) * (2 * k + 1)) if n > k else Fraction(-(n + 1) if n == k else 0)
            elif measure == "legt":
                a[n, k] = -root((2 * n + 1) * (2 * k + 1)) * (1 if k <= n else (-1) ** (k - n)) / theta
            elif measure == "lmu":
                a[n, k] = Fraction(-(2 * n + 1) * ((-1) ** (n - k) if k <= n else 1)) / theta
            elif measure == "lagt":
                assert (alpha, beta) == (0, 1)
                a[n, k] = Fraction(-1 if k <= n else 0)
            elif measure == "fout":
                turn = PI * (n + 1) if n % 2 and k == n + 1 else -PI * n if n and n % 2 == 0 and k == n - 1 else 0
                a[n, k] = (turn - 2 * g[n] * g[k]) / theta
        b[n] = {
            "legs": s[n],
            "legs_lti": s[n],
            "legt": s[n] / theta,
            "lmu": Fraction((2 * n + 1) * (-1) ** n) / theta,
            "lagt": Fraction(1),
            "fout": 2 * g[n] / theta,
        }[measure]
    return cut(a), cut(b)


def identity(order):
    return np.array([[Fraction(int(i == j)) for j in range(order)] for i in range(order)], object)


def solve(matrix, right):
    """Solve by Gauss elimination; right is (N, M)."""
    order = len(matrix)
    work = np.concatenate([matrix, right], axis=1)
    for i in range(order):
        pivot = i + int(np.argmax(np.abs(work[i:, i].astype(float))))
        work[[i, pivot]] = work[[pivot, i]]
        work[i] = cut(work[i] / work[i, i])
        for j in range(order):
            if j != i and work[j, i]:
                work[j] = cut(work[j] - work[j, i] * work[i])
    return work[:, order:]


def exponential(matrix):
    """exp by its series, for a norm that 60 terms exhaust."""
    assert float(np.abs(matrix.astype(float)).sum(axis=0).max()) < 8
    term = total = identity(len(matrix))
    for i in range(1, 90):
        term = cut(term.dot(matrix) / i)
        total = total + term
    return total


def invariant_step(measure, order, method, dt, **parameters):
    """Exact (Ad, Bd) of an invariant law."""
    a, b = exact_system(measure, order, **parameters)
    h = Fraction(dt)
    if method == "zoh":
        augmented = np.full((order + 1, order + 1), Fraction(0), object)
        augmented[:order, :order], augmented[:order, order] = h * a, h * b
        found = exponential(augmented)
        return found[:order, :order], found[:order, order]
    weight = {"euler": Fraction(0), "bilinear": Fraction(1, 2), "backward_euler": Fraction(1)}[method]
    right = np.concatenate([identity(order) + (1 - weight) * h * a, (h * b)[:, None]], axis=1)
    found = solve(identity(order) - weight * h * a, right)
    return found[:, :order], found[:, order]


def legs_integer_system(order):
    """A, B of LegS for x_n = c_n / s_n: integers."""
    a = np.array(
        [[Fraction(-(2 * k + 1) if k < n else -(n + 1) if k == n else 0) for k in range(order)] for n in range(order)],
        object,
    )
    return a, np.array([Fraction(1)] * order, object)


def forward_substitution(matrix, right):
    found = right.copy()
    for n in range(len(right)):
        found[n] = (right[n] - sum((matrix[n, k] * found[k] for k in range(n)), Fraction(0))) / matrix[n, n]
    return found


def legs_states(samples, times, order, method):
    """Exact states x_n = c_n / s_n of GBT and trapezoid on LegS, by dense forward substitution."""
    a, b = legs_integer_system(order)
    u, t = [Fraction(float(v)) for v in samples], [Fraction(float(v)) for v in times]
    one = identity(order)
    x = np.array([u[0]] + [Fraction(0)] * (order - 1), object)
    states = [x]
    for k in range(1, len(u)):
        step = t[k] - t[k - 1]
        if method == "trapezoid":
            if t[k - 1] == 0:
                piece = [(u[0] + u[1]) / 2, (u[1] - u[0]) / 6]
                x = np.array((piece + [Fraction(0)] * order)[:order], object)
            else:
                h0, h1 = step / t[k - 1] / 2, step / t[k] / 2
                x = forward_substitution(one - h1 * a, x + h0 * a.dot(x) + b * (h0 * u[k - 1] + h1 * u[k]))
        else:
            weight = {"euler": Fraction(0), "bilinear": Fraction(1, 2), "backward_euler": Fraction(1)}[method]
            h = step / t[k]
            x = forward_substitution(one - weight * h * a, x + (1 - weight) * h * a.dot(x) + h * b * u[k])
        x = cut(x)
        states.append(x)
    return states


def legendre_coefficients(order):
    """Monomial coefficients of P_n(2 y - 1), ascending."""
    rows = [[Fraction(1)], [Fraction(-1), Fraction(2)]]
    for n in range(1, order):
        shifted = [Fraction(0)] + [2 * c for c in rows[n]]
        for i, c in enumerate(rows[n]):
            shifted[i] -= c
        previous = rows[n - 1] + [Fraction(0)] * (len(shifted) - len(rows[n - 1]))
        rows.append([((2 * n + 1) * p - n * q) / (n + 1) for p, q in zip(shifted, previous, strict=True)])
    return rows[:order]


def legs_projection(pieces, end, order):
    """Exact x_n = (1/end) int_0^end f P_n(2 x/end - 1) dx, the definition; f = a + b x on each (start, stop, a, b)."""
    found = []
    for row in legendre_coefficients(order):
        value = Fraction(0)
        for start, stop, a, b in pieces:
            low, high = Fraction(start) / end, Fraction(stop) / end
            for power, c in enumerate(row):
                value += c * a * (high ** (power + 1) - low ** (power + 1)) / (power + 1)
                value += c * b * end * (high ** (power + 2) - low ** (power + 2)) / (power + 2)
        found.append(value)
    return found


def floats(states):
    return np.array([[float(v) for v in state] for state in states])
