"""Orthonormal functions of any weight, numerically: double-exponential nodes, Stieltjes procedure, Gram–Schmidt.

A weight is ``(y - far)^a (now - y)^b w(y)`` with the algebraic ends stated, so that nodes crowd where they must and
their distance from an end is known to full accuracy, however close they are. Everything works at the caller's
``mp.prec``; the step of the rule is halved until the recurrence coefficients agree.

Sources: Takahasi and Mori 1974 (double-exponential formulas); Gautschi, Orthogonal Polynomials: Computation and
Approximation, 2004, section 2.2 (discretized Stieltjes procedure).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from mpmath import libmp, mp, mpf

from hippo_ref.fixed import Integers, dot, from_fixed, to_fixed
from hippo_ref.precision import PrecisionError, Vector, as_mpf, rational

Function: TypeAlias = Callable[[mpf], mpf]

_COARSEST = 5
_FINEST = 10


@dataclass(frozen=True)
class Weight:
    """``(distance to the far end)^far (distance to the present)^now function(y)`` in the basis variable y.

    On an infinite window the far end has no distance: ``far`` must be 0, and ``function`` must decay like ``e^-u`` or
    faster. A feature much narrower than its interval (a hundredth, say) is seen only if it has an interval of its own.

    Attributes:
        function: the smooth positive factor, ``mpf -> mpf``; None for 1.
        far: exponent at the far end, > -1 for an integrable weight.
        now: exponent at the present.
        slope: ``d/dy log function``; None: by numerical differentiation.
    """

    function: Function | None = None
    far: Fraction = Fraction(0)
    now: Fraction = Fraction(0)
    slope: Function | None = None

    def __post_init__(self) -> None:
        """Take the exponents exactly."""
        for name in ("far", "now"):
            object.__setattr__(self, name, rational(getattr(self, name), f"exponent {name}"))

    def value(self, node: Node) -> mpf:
        """The weight at a node."""
        result = mpf(1) if self.function is None else mp.convert(self.function(node.y))
        if self.far:
            result *= mp.power(node.far, as_mpf(self.far))
        if self.now:
            result *= mp.power(node.now, as_mpf(self.now))
        return result

    def log_slope(self, node: Node) -> mpf:
        """``d/dy log`` of the weight at a node; the present is the right end but for ages."""
        result = mpf(0)
        if self.function is not None:
            value = self.function(node.y)
            if self.slope is not None:
                result += self.slope(node.y)
            elif value:  # where there is no weight, its slope counts for nothing
                result += mp.diff(self.function, node.y, direction=node.inward) / value
        if self.far:
            result += as_mpf(self.far) / node.far
        if self.now:
            result += as_mpf(self.now) / node.now * (1 if node.ages else -1)
        return result


@dataclass(frozen=True)
class Node:
    """A point of the support: basis variable, distances to both ends of the window, quadrature weight.

    ``ages`` tells an infinite window, whose variable grows into the past. ``inward`` is +1 or -1, away from the nearest
    end of the interval: the side on which the weight is smooth.
    """

    y: mpf
    far: mpf
    now: mpf
    share: mpf
    ages: bool
    inward: int = 0


Support: TypeAlias = tuple[tuple[Fraction, Fraction], ...]


def nodes(support: Support | None, ends: tuple[Fraction, Fraction], level: int) -> list[Node]:
    """Double-exponential nodes with step ``2^-level`` on each interval, or on [0, inf) for None.

    Args:
        support: disjoint intervals in [0, 1].
        ends: smallest exponents at the far end and the present, which say how far the nodes must reach.
        level: halvings of the step.
    """
    step, ulp = mp.ldexp(1, -level), mp.ldexp(1, 2 - mp.prec)
    if support is None:
        return _half_line(step, ends[1])
    found = []
    for left, right in support:
        length, a, b = as_mpf(right - left), as_mpf(left), as_mpf(1 - right)
        weakest = as_mpf(1 + min(Fraction(0), *ends))
        reach = mp.asinh(mp.prec * mp.ln2 / (mp.pi * weakest)) + step
        for k in range(-int(reach / step) - 1, int(reach / step) + 2):
            x = k * step
            e = mp.exp(-mp.pi * mp.sinh(abs(x)))
            near, rest = e / (1 + e), 1 / (1 + e)
            low, high = (rest, near) if x > 0 else (near, rest)
            weight = step * mp.pi * mp.cosh(x) * near * rest
            inward = 1 if x < 0 else -1
            # Rounded onto an end of its interval, where the weight may jump, a node goes back inside.
            y = max(a + length * low, a * (1 + ulp)) if x < 0 else min(a + length * low, (1 - b) * (1 - ulp * (b > 0)))
            found.append(Node(y, y, b + length * high, length * weight, ages=False, inward=inward))
    return found


def _half_line(step: mpf, exponent: Fraction) -> list[Node]:
    """``u = exp(x - e^-x)``: doubly exponential at both ends for weights that decay like ``e^-u``."""
    bits = mp.prec * mp.ln2
    low = -mp.log(bits / as_mpf(1 + min(Fraction(0), exponent)))
    high = mp.log(bits) + 3
    found = []
    for k in range(int(low / step) - 1, int(high / step) + 2):
        x = k * step
        e = mp.exp(-x)
        u = mp.exp(x - e)
        found.append(Node(u, mp.inf, u, step * u * (1 + e), ages=True, inward=1))
    return found


@dataclass(frozen=True)
class Recurrence:
    """``y p_n = b_{n+1} p_{n+1} + a_n p_n + b_n p_{n-1}`` of orthonormal polynomials, and the mass of their weight."""

    a: tuple[mpf, ...]
    b: tuple[mpf, ...]
    mass: mpf

    def values(self, order: int, y: mpf) -> Vector:
        """``p_n(y)`` for n < order, with positive leading coefficients, for the weight of mass 1."""
        result, before, current = [], mpf(0), mpf(1)
        for n in range(order):
            result.append(current)
            if n + 1 < order:
                last = self.b[n] if n else mpf(0)
                before, current = current, ((y - self.a[n]) * current - last * before) / self.b[n + 1]
        return result


def _recurrence(points: list[Node], weights: Vector, order: int) -> tuple[Recurrence, list[Integers]]:
    """The coefficients, and rows of ``sqrt(share) p_n`` at the nodes, bounded where the polynomials are huge.

    Fixed-point integers over ``2^F``, F the working precision.
    """
    bits = mp.prec
    mass = mp.fsum(weights)
    ys = to_fixed(node.y for node in points)
    a: Integers = []
    b: Integers = [0]
    before, current = [0] * len(ys), to_fixed(mp.sqrt(weight / mass) for weight in weights)
    rows = []
    for _ in range(order):
        rows.append(current)
        moved = [y * value >> bits for y, value in zip(ys, current, strict=True)]
        a.append(dot(moved, current) >> bits)
        last = b[-1]
        ahead = [m - (a[-1] * v + last * w >> bits) for m, v, w in zip(moved, current, before, strict=True)]
        b.append(libmp.isqrt(dot(ahead, ahead)))
        if not b[-1]:
            raise PrecisionError(f"the weight has fewer than {order + 1} orthogonal polynomials at {bits} bits")
        inverse = (1 << 2 * bits) // b[-1]
        before, current = current, [value * inverse >> bits for value in ahead]
    return Recurrence(tuple(from_fixed(a)), tuple(from_fixed(b)), mass), rows


@dataclass(frozen=True)
class Discretized:
    """A weight as nodes: what inner products are made of.

    Attributes:
        points: nodes inside the support.
        weights: quadrature weight times the weight function, of mass 1.
        recurrence: of the orthonormal polynomials.
        rows: (N, M) values of ``sqrt(weight) p_n`` at the nodes, fixed point.
    """

    points: list[Node]
    weights: Vector
    recurrence: Recurrence
    rows: list[Integers]

    def slopes(self) -> list[Integers]:
        """(N, M) values of ``sqrt(weight) p_n'``, from the recurrence differentiated, fixed point."""
        bits = mp.prec
        ys = to_fixed(point.y for point in self.points)
        a, b = to_fixed(self.recurrence.a), to_fixed(self.recurrence.b)
        found = [[0] * len(ys)]
        for n in range(len(self.rows) - 1):
            before, inverse = found[n - 1] if n else found[0], (1 << 2 * bits) // b[n + 1]
            zipped = zip(ys, found[n], self.rows[n], before, strict=True)
            moved = [((y - a[n]) * s - b[n] * w >> bits) + v for y, s, v, w in zipped]
            found.append([value * inverse >> bits for value in moved])
        return found


def discretize(weight: Weight, support: Support | None, order: int, ends: Sequence[Fraction] = ()) -> Discretized:
    """Nodes fine enough for polynomials of degree < 2N under the weight.

    Args:
        weight: the weight function.
        support: intervals in [0, 1], or None for ages in [0, inf).
        order: N.
        ends: further exponents at both ends that integrands will have.

    Raises:
        ValueError: the weight is not positive and finite at a node.
        PrecisionError: the recurrence coefficients still change with the finest step.
    """
    return _discretize(weight, support, order, tuple(ends), mp.prec)


@lru_cache(maxsize=16)
def _discretize(
    weight: Weight, support: Support | None, order: int, ends: tuple[Fraction, ...], bits: int
) -> Discretized:
    reach = (min((weight.far, *ends)), min((weight.now, *ends)))
    rough: Recurrence | None = None
    error = mpf(0)
    for level in range(_COARSEST, _FINEST):
        points = nodes(support, reach, level)
        values = []
        for node in points:
            value = weight.value(node)
            if not (isinstance(value, mpf) and mp.isfinite(value) and value >= 0):
                raise ValueError(
                    f"weight must be a finite number >= 0 on the support; at {mp.nstr(node.y, 15)} it is {value}"
                )
            values.append(value * node.share)
        if mp.fsum(values) <= 0:
            raise ValueError("weight must be positive somewhere on the support; it is 0 at every node")
        fine, rows = _recurrence(points, values, order)
        if rough is not None:
            size = max(*map(abs, fine.a), *fine.b)
            pairs = zip((*rough.a, *rough.b, rough.mass), (*fine.a, *fine.b, fine.mass), strict=True)
            error = max(abs(x - y) for x, y in pairs) / max(size, fine.mass)
            # Halving the step doubles the digits: this rule has 1.2 times as many as it must. A weight that is not
            # analytic inside its intervals converges so slowly that it never gets here.
            if error <= mp.ldexp(1, -(6 * bits) // 10):
                return Discretized(points, [value / fine.mass for value in values], fine, rows)
        rough = fine
    raise PrecisionError(
        f"the orthonormal polynomials of this weight (order {order}) still change by {mp.nstr(error, 3)} with the "
        "finest step; state the exponents of the weight at its ends, and its jumps as ends of the support's intervals"
    )
