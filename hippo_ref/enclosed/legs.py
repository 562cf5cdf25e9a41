"""States of LegS as balls, by two ways that share no formula.

*Moments* ``mu_j = int_0^1 g(t v) v^j dv`` obey ``dmu_j/dt = (f - (j+1) mu_j)/t``, each on its own, so every rule is a
scalar recurrence in them, and balls do not grow faster than the numbers. The state is ``c_n = s_n sum_j l_nj mu_j``, by
the integer coefficients of ``P_n(2v - 1) = sum_j l_nj v^j``, which cancels ``2.6 N`` bits.

*Kernels*: the last state of a hold is the exact projection of a piecewise polynomial, a sum over pieces of
``int p(x) P_n(2x/t - 1) dx``, taken by parts with repeated antiderivatives of Legendre polynomials.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import comb, factorial, lcm

from flint import arb, arb_mat, fmpq, fmpq_mat, fmpz_mat

from hippo_ref.balls import Balls, ball
from hippo_ref.enclosed.rules import cardinals
from hippo_ref.enclosed.runs import Run
from hippo_ref.enclosed.systems import scales


def guard(run: Run) -> int:
    """Bits known to be lost: ``|l_n| <= (1 + √2)^2n`` from moments to states, and as much from a state to moments.

    Balls of Legendre values lose less, ``(1 + √2)^n``.
    """
    return 3 * run.order * (1 if run.start is None else 2)


def states(run: Run) -> list[Balls]:
    """The state after each sample, by moments."""
    moments = _initial(run)
    history = [moments] if run.lead == 0 else []
    for i in run.steps:
        decay, weights = _step(run, i)
        inputs = [ball(run.samples[entry]) for entry in run.window(i)]
        moments = [
            sum((weight[j] * value for weight, value in zip(weights, inputs, strict=True)), decay[j] * moments[j])
            for j in range(run.order)
        ]
        history.append(moments)
    rows = _from_moments(history)
    if run.lead == 0:
        rows[0] = _constant(run)
    return rows


def last_state(run: Run) -> Balls:
    """The state after the last sample: by kernels for a fresh hold, else by moments."""
    if len(run.times) == 1:
        return _constant(run)
    return _projection(run) if run.rule.kind == "hold" and run.lead == 0 else states(run)[-1]


def jacobian(run: Run) -> list[Balls]:
    """Column k: the derivative of the last state by sample k, from products of the later decays."""
    tail = [arb(1)] * run.order
    columns = [[arb(0)] * run.order for _ in run.times]
    for i in reversed(run.steps):
        decay, weights = _step(run, i)
        for entry, weight in zip(run.window(i), weights, strict=True):
            columns[entry] = [c + w * rest for c, w, rest in zip(columns[entry], weight, tail, strict=True)]
        tail = [rest * factor for rest, factor in zip(tail, decay, strict=True)]
    columns[0] = [c + rest / (j + 1) for j, (c, rest) in enumerate(zip(columns[0], tail, strict=True))]
    return _from_moments(columns)


def _constant(run: Run) -> Balls:
    """The state of sample 0, ``samples[0] e_0``."""
    return [ball(run.samples[0]), *[arb(0)] * (run.order - 1)]


def _initial(run: Run) -> Balls:
    """Moments before the first step: of the constant ``samples[0]``, or of the polynomial that ``start`` stands for."""
    if run.start is None:
        return [ball(run.samples[0]) / (j + 1) for j in range(run.order)]
    column = [[s * ball(value)] for s, value in zip(scales(run.order), run.start, strict=True)]
    return (arb_mat(_integrals(run.order)) * arb_mat(column)).entries()


def _step(run: Run, i: int) -> tuple[Balls, list[Balls]]:
    """Step i as ``mu_j' = decay_j mu_j + sum_window weight_j u``; the weights oldest sample first."""
    before, after, a = run.times[i - 1], run.times[i], run.rule.a
    if run.rule.kind == "hold" or (run.rule.kind == "trapezoid" and before == 0):
        # The trapezoid rule's step from t = 0, where the law is singular, is the exact line.
        return _held(run, i)
    implicit = a * (after - before) / after
    if run.rule.kind == "gbt":
        # The published rule has h = (t'-t)/t' on both sides, and reads h u.
        explicit = (1 - a) * (after - before) / after
        gains = [implicit + explicit]
    else:
        explicit = (1 - a) * (after - before) / before
        gains = [explicit, implicit]
    # Over one denominator everything is an integer, but for the one division.
    common = lcm(implicit.denominator, explicit.denominator)
    p, q = int(implicit * common), int(explicit * common)
    solves = [common + p * (j + 1) for j in range(run.order)]
    decay = [arb(common - q * (j + 1)) / solve for j, solve in enumerate(solves)]
    return decay, [[arb(int(gain * common)) / solve for solve in solves] for gain in gains]


def _held(run: Run, i: int) -> tuple[Balls, list[Balls]]:
    """The past shrinks into ``[0, rho]``, ``rho = t/t'``; ``int_rho^1 v^l v^j dv = (1 - rho^(l+j+1))/(l+j+1)``."""
    after, window = run.times[i], run.window(i)
    rho = ball(run.times[i - 1] / after)
    powers = [rho]
    for _ in range(run.order + len(window)):
        powers.append(powers[-1] * rho)
    integrals = [(1 - power) / (k + 1) for k, power in enumerate(powers)]
    cells = [[Fraction(1)]]
    polynomials = cells if run.rule.cells else cardinals([run.times[entry] / after for entry in window])
    weights = [
        [
            sum((entry * integrals[power + j] for power, entry in enumerate(coefficients)), arb(0))
            for j in range(run.order)
        ]
        for coefficients in ([ball(entry) for entry in polynomial] for polynomial in polynomials)
    ]
    return powers[: run.order], weights


@lru_cache(maxsize=16)
def _coefficients(order: int) -> fmpz_mat:
    """``l_nj = (-1)^(n+j) binom(n, j) binom(n+j, j)``."""
    return fmpz_mat([[(-1) ** (n + j) * comb(n, j) * comb(n + j, j) for j in range(order)] for n in range(order)])


@lru_cache(maxsize=16)
def _integrals(order: int) -> fmpq_mat:
    """``int_0^1 P_n(2v - 1) v^j dv = j!^2/((j-n)! (j+n+1)!)``, row j: moments of Legendre polynomials."""
    return fmpq_mat(
        [
            [
                fmpq(factorial(j) ** 2, factorial(j - n) * factorial(j + n + 1)) if n <= j else fmpq(0)
                for n in range(order)
            ]
            for j in range(order)
        ]
    )


def _from_moments(history: Sequence[Balls]) -> list[Balls]:
    """States of many moment vectors, in one matrix product."""
    order, count = len(history[0]), len(history)
    columns = arb_mat([[moments[j] for moments in history] for j in range(order)])
    entries = (arb_mat(_coefficients(order)) * columns).entries()
    factors = scales(order)
    return [[factors[n] * entries[n * count + k] for n in range(order)] for k in range(count)]


def _projection(run: Run) -> Balls:
    """``c_n = s_n/2 int_-1^1 p(y) P_n(y) dy`` for the piecewise polynomial p in ``y = 2x/t - 1``.

    On a piece, ``int p P_n = sum_i (-1)^i p^(i) Q_{i+1,n}`` between its ends, where ``Q_{i+1,n}`` is the (i+1)-fold
    antiderivative of P_n.
    """
    times, degree = run.times, run.rule.degree
    total, value = [arb(0)] * run.order, ball(run.samples[0])
    now = times[-1]
    left = _antiderivatives(-1, run.order, degree)
    if times[0] > 0:
        right = _antiderivatives(2 * times[0] / now - 1, run.order, degree)
        total = [value * (b - a) for a, b in zip(left[0], right[0], strict=True)]
        left = right
    for i in run.steps:
        right = _antiderivatives(2 * times[i] / now - 1, run.order, degree)
        for power, (at_left, at_right) in enumerate(_derivatives(run, i)):
            # By parts: signs alternate.
            sign = -1 if power % 2 else 1
            a, b = sign * at_left, sign * at_right
            total = [c + b * y - a * x for c, x, y in zip(total, left[power], right[power], strict=True)]
        left = right
    return [s / 2 * c for s, c in zip(scales(run.order), total, strict=True)]


def _derivatives(run: Run, i: int) -> list[tuple[arb, arb]]:
    """``d^k p/dy^k`` at both ends of piece i, k = 0 .. degree, from the polynomial in ``sigma = (x-a)/(b-a)``."""
    window = run.window(i)
    inputs = [ball(run.samples[entry]) for entry in window]
    if run.rule.cells:
        return [(inputs[-1], inputs[-1])]
    length = run.times[i] - run.times[i - 1]
    rows = cardinals([(run.times[entry] - run.times[i - 1]) / length for entry in window])
    coefficients = [
        sum((ball(row[power]) * value for row, value in zip(rows, inputs, strict=True)), arb(0))
        for power in range(len(window))
    ]
    # dx/dy = t/2 and dsigma/dx = 1/length.
    chain, ends = ball(run.times[-1] / (2 * length)), []
    for k in range(len(window)):
        ends.append((coefficients[0] * chain**k, sum(coefficients, arb(0)) * chain**k))
        coefficients = [power * entry for power, entry in enumerate(coefficients)][1:]
    return ends


def _antiderivatives(y: Fraction | int, order: int, degree: int) -> list[Balls]:
    """Level k holds the (k+1)-fold antiderivatives of ``P_n`` at y, n < order, for k = 0 .. degree.

    ``(2n+1) int P_n = P_{n+1} - P_{n-1}`` with ``P_{-1} = 0``, and so again for every further level.
    """
    at = ball(Fraction(y))
    values = [arb(1), at]
    for n in range(1, order + degree + 1):
        values.append(((2 * n + 1) * at * values[n] - n * values[n - 1]) / (n + 1))
    levels = []
    for _ in range(degree + 1):
        values = [(values[n + 1] - (values[n - 1] if n else 0)) / (2 * n + 1) for n in range(len(values) - 1)]
        levels.append(values[:order])
    return levels
