"""The certified state of an invariant ODE: ``c(t) = int_since^t e^{A (t - s)} B f(s) ds``.

On each of a few panels f is replaced by its interpolating polynomial, which the law's exact hold integrates without an
error, however stiff A is. What the polynomial leaves out is bounded from the size of f on an ellipse around the panel.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from flint import acb, arb, arb_mat, ctx, fmpq, fmpz_mat

from hippo_ref.balls import Balls, Signal, ball, ball_precision, holomorphic, largest, reach, widened
from hippo_ref.enclosed.invariant import hold
from hippo_ref.enclosed.propagation import norm, semigroup_bound
from hippo_ref.enclosed.systems import formula, system_balls
from hippo_ref.measures import Measure
from hippo_ref.precision import PrecisionError, integer, rational

Panel: TypeAlias = tuple[Fraction, Fraction, arb, bool]

_RHOS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 256)
_MOST_PANELS = 1 << 13
_SIZE_BITS = 64


def enclose_closed_state(m: Measure, f: Signal, t: object, order: int, digits: int = 50, *, since: object = 0) -> Balls:
    """Exact state at time t of ``dc/dt = A c + B f``, from the zero state at ``since``, as balls.

    Args:
        m: a measure with an invariant law and a formula in ``hippo_ref.enclosed.systems``.
        f: real signal, ``acb -> acb``, that returns a ball of all its values on the ball it is given, finite only where
            it is holomorphic, and takes its constants at the current ``flint.ctx.prec``. Where being holomorphic has to
            be asked for (roots, logarithms, absolute values) it is a function of ``(z, analytic)``, as for
            python-flint's ``acb.integral``.
        t: present, in f's unit of time, ``t >= since``.
        order: N >= 1.
        digits: every radius is at most ``10^-digits`` of the largest entry, or of ``2^-32`` of ``|B| |f| (t - since)``
            where the state is smaller than that.
        since: time of the zero state.

    Returns:
        N balls.

    Raises:
        TypeError, ValueError: bad arguments, a measure with another law, or a signal that is not real, or not
            holomorphic where it says so.
        PrecisionError: f is not smooth enough, or answers with balls so wide that the radius is not reached.

    Source: variation of constants; Trefethen, Approximation Theory and Approximation Practice, chapter 8.
    """
    formula(m)
    if m.time_law != "invariant":
        raise ValueError(f"enclose_closed_state needs an invariant law; measure {m.key!r} has the {m.time_law} law")
    if not callable(f):
        raise TypeError(f"f must be a function acb -> acb, got {f!r}")
    order, begin, end = integer(order, "order", 1), rational(since, "since"), rational(t, "t")
    if end < begin:
        raise ValueError(f"t must be at least since = {since}, got {t}")
    if end == begin:
        return [arb(0)] * order
    signal, length = holomorphic(f), end - begin
    with ball_precision(_SIZE_BITS):
        A, B = system_balls(m, order, 2 * _SIZE_BITS)
        growth, size = semigroup_bound(A, ball(length)), _size(signal, begin, length)
        floor = norm(B) * size * ball(length)

    def compute() -> list[Balls]:
        points = ctx.prec // 4 + 8
        return [_march(m, order, signal, _panels(signal, begin, length, points, size), points, growth)]

    name = f"enclose_closed_state({m.key}, order={order})"
    return reach(compute, digits, name, guard=_log2(growth), floor=lambda: floor)[0]


def _march(m: Measure, order: int, signal: Signal, panels: list[Panel], points: int, growth: arb) -> Balls:
    """The state after all panels: midpoints from one to the next, then a radius for all that they left out.

    What is left out at time s, of the signal or by rounding, reaches the end through ``e^{A (t - s)}``, which
    ``growth`` bounds.
    """
    rules: dict[Fraction, tuple[arb_mat, arb_mat]] = {}
    state, lost, rounding = arb_mat(order, 1), arb(0), arb(0)
    for left, width, error, smooth in panels:
        if width not in rules:
            rules[width] = _rule(m, order, width, points)
        across, weights = rules[width]
        moved = across * state
        if smooth:
            moved += weights * arb_mat(points, 1, _values(signal, left, width, points, error))
        state, lost = moved.mid(), lost + ball(width) * error
        rounding += max(entry.rad() for entry in moved.entries())
    error = growth * (norm(system_balls(m, order, ctx.prec)[1]) * lost + rounding)
    return [widened(entry, error) for entry in state.entries()]


def _real(signal: Signal, x: arb) -> arb:
    """The signal at a real number.

    Raises:
        ValueError: it is not real there.
    """
    value = signal(acb(x), False)
    if not value.imag.contains(0):
        raise ValueError(f"f must be real on the real line, got f({x.str(8, radius=False)}) = {value.str(8)}")
    return value.real


def _values(signal: Signal, left: Fraction, width: Fraction, points: int, error: arb) -> Balls:
    """The signal at the nodes of a panel.

    Raises:
        ValueError: between the nodes it is not near their polynomial, as ``error`` says it is.
    """
    start, step = ball(left), ball(width)
    values = [_real(signal, start + step * node) for node in _nodes(points, ctx.prec)]
    expected = (_probe(points, ctx.prec) * arb_mat(points, 1, values)).entries()[0]
    probe = start + step / 3
    if not _real(signal, probe).overlaps(widened(expected, error)):
        raise ValueError(
            f"f is not holomorphic near {probe.str(8, radius=False)}, though it returned finite balls there: roots, "
            "logarithms and absolute values need f(z, analytic), which passes analytic on to them"
        )
    return values


def _size(signal: Signal, begin: Fraction, length: Fraction) -> arb:
    """About the largest value of the signal, from samples: what panels are held against, no part of the proof."""
    values = [_real(signal, ball(begin) + ball(length) * node) for node in _nodes(_SIZE_BITS, ctx.prec)]
    return largest([value for value in values if value.is_finite()])


def _log2(bound: arb) -> int:
    """Bits of a finite bound; 0 for an infinite one."""
    mantissa, exponent = bound.man_exp() if bound.is_finite() else (1, 0)
    return max(0, int(mantissa).bit_length() + int(exponent))


def _panels(signal: Signal, begin: Fraction, length: Fraction, points: int, size: arb) -> list[Panel]:
    """Panels from left to right, ``(left, width, error, smooth)``: ``|f - p| <= error``, p of degree < points.

    Where ``smooth`` is False, p is 0: beside a singularity, on a panel so short that f itself counts for nothing.
    """
    allowed = size * arb(2) ** -ctx.prec
    waiting: list[tuple[Fraction, Fraction]] = [(begin, length)]
    accepted: list[Panel] = []
    for _ in range(_MOST_PANELS):
        left, width = waiting.pop()
        error = _interpolation_error(signal, left, width, points)
        all_of_it = signal(acb(ball(left).union(ball(left + width))), False).abs_upper()
        if error <= allowed:
            accepted.append((left, width, error, True))
        elif all_of_it * ball(width) <= allowed * ball(length):
            accepted.append((left, width, all_of_it, False))
        else:
            waiting += [(left + width / 2, width / 2), (left, width / 2)]
        if not waiting:
            return accepted
    raise PrecisionError(
        f"f could not be resolved near {ball(left).str(8, radius=False)} with {_MOST_PANELS} panels: it must be "
        "holomorphic around [since, t], but for isolated points where it is bounded"
    )


def _interpolation_error(signal: Signal, left: Fraction, width: Fraction, points: int) -> arb:
    """A bound on ``|f - p|`` on the panel, p interpolating f at ``points`` Chebyshev nodes of the first kind.

    With ``|f| <= M`` in the ellipse around [-1, 1] whose semi-axes add up to rho, the Chebyshev coefficients of f are
    at most ``2 M rho^-k``. On the nodes ``T_k``, k >= points, is plus or minus a lower one, or 0, so its coefficient
    enters at most twice: ``|f - p| <= 4 M rho^(1-points)/(rho - 1)``. The smallest of the bounds of several rho;
    infinite if f is not holomorphic in any of these ellipses.
    """
    half, best = ball(width / 2), arb("inf")
    centre = ball(left) + half
    for rho in _RHOS:
        across, up = half * (rho + arb(1) / rho) / 2, half * (rho - arb(1) / rho) / 2
        bound = signal(acb(centre + arb(0, across.abs_upper()), arb(0, up.abs_upper())), True).abs_upper()
        if not bound.is_finite():
            break
        best = best.min((4 * bound * arb(rho) ** (1 - points) / (rho - 1)).abs_upper())
    return best


@lru_cache(maxsize=8)
def _nodes(points: int, bits: int) -> Balls:
    """Chebyshev nodes of the first kind on [0, 1], ``(1 + cos((2k+1) pi/(2 points)))/2``."""
    with ball_precision(bits):
        return [(1 + arb.cos_pi_fmpq(fmpq(2 * k + 1, 2 * points))) / 2 for k in range(points)]


def _rule(m: Measure, order: int, width: Fraction, points: int) -> tuple[arb_mat, arb_mat]:
    """``e^{width A}`` and (N, points) weights of the values of f at the nodes: the exact hold of their polynomial."""
    # Powers in place of Chebyshev polynomials cancel (1 + √2)^(2 points).
    with ball_precision(ctx.prec + 3 * points):
        across, powers = hold(*system_balls(m, order, ctx.prec), width, points - 1)
        return across, powers * _interpolation(points, ctx.prec)


@lru_cache(maxsize=8)
def _probe(points: int, bits: int) -> arb_mat:
    """Weights (1, points) of the values at the nodes in the polynomial's value at 1/3."""
    with ball_precision(bits + 3 * points):
        return arb_mat([[arb(3) ** -power for power in range(points)]]) * _interpolation(points, ctx.prec)


@lru_cache(maxsize=8)
def _interpolation(points: int, bits: int) -> arb_mat:
    """Row i: the weights of values at the nodes in the coefficient of ``s^i``, by way of ``T_k(2s - 1)``.

    The coefficient of ``T_k`` is ``(2 - [k = 0])/points sum_j f(s_j) cos(k (2j+1) pi/(2 points))``.
    """
    shifted = [[1], [-1, 2]]
    while len(shifted) < points:
        # T_{k+1} = 2 (2s - 1) T_k - T_{k-1}
        low = [*(-2 * entry for entry in shifted[-1]), 0]
        high = [0, *(4 * entry for entry in shifted[-1])]
        older = [*shifted[-2], 0, 0]
        shifted.append([x + y - z for x, y, z in zip(low, high, older, strict=True)])
    columns = fmpz_mat([[shifted[k][power] if power <= k else 0 for k in range(points)] for power in range(points)])
    with ball_precision(bits):
        cosines = [arb.cos_pi_fmpq(fmpq(j, 2 * points)) for j in range(4 * points)]
        values = [
            [cosines[k * (2 * j + 1) % (4 * points)] * (2 if k else 1) / points for j in range(points)]
            for k in range(points)
        ]
        return arb_mat(columns) * arb_mat(values)
