"""Exact coefficients from the definition: ``c_n(t) = int f(time(v, t)) kernel_n(v) dv``, and their reconstruction.

f is evaluated once per quadrature node for all N coefficients; the kernels come from three-term recurrences. Every
panel is integrated twice, with different degrees, and bisected until both agree; the whole integral is then repeated at
a higher precision until two results agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from mpmath import mp, mpf

from hippo_ref.fixed import dot, from_fixed, to_fixed
from hippo_ref.measures import Measure
from hippo_ref.orthogonal import Rows, gauss_legendre
from hippo_ref.precision import (
    PrecisionError,
    Vector,
    as_mpf,
    bits_for,
    exact,
    exact_sequence,
    integer,
    rounded,
    settle,
    working_bits,
)

Signal: TypeAlias = Callable[[mpf], mpf]

_DEEPEST = 48
_MOST_PANELS = 600
_MOST_TAIL_PANELS = 4000
_WIDEST = 32


@dataclass(frozen=True)
class _Table:
    """The kernels on one panel.

    Attributes:
        nodes: of the quadrature rule.
        weights: of the rule.
        rows: (N, M) kernels.
        majorant: ``max_n |kernel_n|`` at each node.
    """

    nodes: Vector
    weights: Vector
    rows: Rows
    majorant: Vector


@lru_cache(maxsize=24)
def _kernel_table(m: Measure, order: int, panel: tuple[mpf, mpf], degree: int, bits: int) -> _Table:
    left, width = panel[0], panel[1] - panel[0]
    nodes = [left + width * node for node, _ in gauss_legendre(degree, bits)]
    weights = [width * weight for _, weight in gauss_legendre(degree, bits)]
    rows = m.kernel_rows(order, nodes)
    largest = from_fixed(max(map(abs, column)) for column in zip(*rows.entries, strict=True))
    return _Table(nodes, weights, rows, [mp.ldexp(value, rows.unit) for value in largest])


class _Quadrature:
    """Adaptive integration of one signal against all kernels, at one working precision."""

    def __init__(self, m: Measure, f: Signal, t: mpf, order: int, speeding: bool) -> None:
        self.m, self.f, self.t, self.order, self.speeding = m, f, t, order, speeding
        self.bits = mp.prec
        # A panel without features needs about order/2 nodes for the kernels and, for an entire f, about bits/5 more.
        self.degrees = (10 + order // 2 + self.bits // 6, 15 + (3 * order) // 4 + self.bits // 4)
        self.total: Vector = [mpf(0)] * order
        self.size = mpf(0)
        self.mass = mpf(0)
        self.panels = 0

    def _apply(self, left: mpf, right: mpf, degree: int) -> tuple[Vector, mpf, mpf]:
        table = _kernel_table(self.m, self.order, (left, right), degree, self.bits)
        values = []
        for v in table.nodes:
            value = mp.convert(self.f(self.m.time(v, self.t)))
            values.append(value * self.m.speed(v, self.t) if self.speeding else value)
        if not all(isinstance(value, mpf) and mp.isfinite(value) for value in values):
            bad = next(v for v, value in zip(table.nodes, values, strict=True) if not mp.isfinite(value) or value.imag)
            raise ValueError(
                f"f must return finite real numbers; at x = {mp.nstr(self.m.time(bad, self.t), 15)} it did not"
            )
        weighted = [weight * value for weight, value in zip(table.weights, values, strict=True)]
        # Fixed point after scaling by a power of two: inner products of integers are exact until their one shift.
        unit = max((int(mp.mag(value)) for value in weighted if value), default=0)
        inputs = to_fixed(mp.ldexp(value, -unit) for value in weighted)
        totals = from_fixed(dot(row, inputs) >> self.bits for row in table.rows.entries)
        size = mp.fdot(table.majorant, map(abs, weighted))
        return (
            [mp.ldexp(total, unit + table.rows.unit) for total in totals],
            size,
            mp.fdot(table.majorant, table.weights),
        )

    def add(self, left: mpf, right: mpf) -> tuple[mpf, mpf]:
        """Add the integral over [left, right]; return ``int |f| max_n |kernel_n|`` and ``int max_n |kernel_n|``."""
        held = (self.size, self.mass)
        stack = [(left, right, 0)]
        while stack:
            a, b, depth = stack.pop()
            self.panels += 1
            rough, _, _ = self._apply(a, b, self.degrees[0])
            fine, size, mass = self._apply(a, b, self.degrees[1])
            # The size of what has been seen so far, this panel included, is the scale errors are judged against.
            error = max(abs(x - y) for x, y in zip(rough, fine, strict=True))
            if error <= mp.ldexp(self.size + size, 40 - self.bits):
                self.total = [x + y for x, y in zip(self.total, fine, strict=True)]
                self.size += size
                self.mass += mass
                continue
            if depth >= _DEEPEST or self.panels > _MOST_PANELS:
                relative = mp.nstr(error / (self.size + size), 3)
                where = mp.nstr(self.m.time((a + b) / 2, self.t), 15)
                raise PrecisionError(
                    f"project({self.m.key}, order={self.order}): the integral stalls near x = {where} with relative "
                    f"error {relative}; pass the places where f or a derivative jumps as points, and let f compute at "
                    "the working precision (mpf in, mpf out)"
                )
            middle = (a + b) / 2
            stack += [(middle, b, depth + 1), (a, middle, depth + 1)]
        return self.size - held[0], self.mass - held[1]

    def tail(self, start: mpf, end: mpf | None) -> None:
        """Add the integral over [start, end), or [start, inf), in panels until nothing can contribute any more.

        Both the integral and the kernels themselves must have died out: a signal that is 0 for a while says nothing
        about its earlier past.
        """
        width = mpf(8)
        for _ in range(_MOST_TAIL_PANELS):
            if end is not None and start >= end:
                return
            self.panels = 0
            stop = start + width if end is None else min(start + width, end)
            added, mass = self.add(start, stop)
            negligible = mp.ldexp(1, 16 - self.bits)
            if added <= self.size * negligible and mass <= self.mass * negligible:
                return
            start = stop
            # An easy panel invites a wider one; the cap keeps nodes dense enough to notice what f does there.
            if self.panels == 1:
                width = min(2 * width, mpf(_WIDEST))
            elif self.panels > 3:
                width /= 2
        raise PrecisionError(
            f"project({self.m.key}, order={self.order}): the infinite window still contributes at age "
            f"{mp.nstr(start, 5)}; f grows too fast for this measure, or since is needed"
        )


def _whole(work: _Quadrature, points: list[mpf], since: mpf | None) -> None:
    """Integrate over the window, panel by panel, oldest breakpoint to newest or youngest age to oldest."""
    m, t = work.m, work.t
    inner = {m.coordinate(point, t) for point in points} | {as_mpf(edge) for edge in m.breaks}
    if m.finite:
        low = mpf(0) if since is None else min(max(m.coordinate(since, t), mpf(0)), mpf(1))
        edges = sorted({low, mpf(1), *(v for v in inner if low < v < 1)})
    else:
        end = None if since is None else max(m.coordinate(since, t), mpf(0))
        edges = sorted({mpf(0), *(u for u in inner if u > 0 and (end is None or u < end))})
    for left, right in pairwise(edges):
        work.add(left, right)
    if not m.finite:
        work.tail(edges[-1], end)


def _integrate(
    m: Measure,
    f: Signal,
    t: object,
    order: int,
    *,
    dps: int,
    points: Iterable[object],
    since: object,
    rate: bool,
) -> Vector:
    order, bits = integer(order, "order", 1), bits_for(dps)
    if not callable(f):
        raise TypeError(f"{'df' if rate else 'f'} must be a function mpf -> mpf, got {f!r}")
    now = exact(t, "t")
    if m.time_law == "scale" and now <= 0:
        raise ValueError(f"t must be > 0 for measure {m.key!r}, whose window is [0, t]; got {t}")
    breaks = exact_sequence(points, "points")
    start = None if since is None else exact(since, "since")

    def compute(_: int) -> list[Vector]:
        moment = as_mpf(now)
        work = _Quadrature(m, f, moment, order, rate)
        first = None if start is None else as_mpf(start)
        _whole(work, [as_mpf(point) for point in breaks], first)
        sizes.append(work.size)
        return [work.total]

    # int |f| max_n |kernel_n|: what coefficients far smaller than f are judged against.
    sizes: Vector = []
    name = "project_rate" if rate else "project"
    return settle(compute, bits, f"{name}({m.key}, order={order})", floor=lambda: sizes[-1])[0]


def project(
    m: Measure,
    f: Signal,
    t: object,
    order: int,
    dps: int = 50,
    *,
    points: Iterable[object] = (),
    since: object = None,
) -> Vector:
    """Exact coefficients of the history of f at time t, by quadrature of the definition.

    Args:
        m: the measure.
        f: signal, ``mpf -> mpf`` at the caller's working precision; called at times in the window, ``x <= t``.
        t: present, in f's unit of time; ``t > 0`` for legs.
        order: N >= 1.
        dps: decimal digits, relative to the largest coefficient (one 10^-30 times as large has 30 fewer), or to
            ``2^-32 int |f| max_n |kernel_n|`` where all coefficients are smaller than that.
        points: times inside the window where f or a derivative jumps; with them piecewise signals are exact.
        since: f is taken as 0 before this time. None: f is used on the whole window, which for legs_lti and lagt
            reaches to minus infinity (integration ends where kernels and contributions have both died out).

    Returns:
        (N,) coefficients.

    Raises:
        TypeError, ValueError: bad argument, or f returns something that is not a finite real number.
        PrecisionError: the digits are not reached; the message holds the place and the error.

    Source: HiPPO section 2.2 (definition 1) with each measure's basis, see ``hippo_ref.measures``.
    """
    return _integrate(m, f, t, order, dps=dps, points=points, since=since, rate=False)


def project_rate(
    m: Measure,
    df: Signal,
    t: object,
    order: int,
    dps: int = 50,
    *,
    points: Iterable[object] = (),
    since: object = None,
) -> Vector:
    """``d/dt`` of the exact projection of f, by differentiating under the integral.

    For a translated window it is the projection of ``df``, for LegS that of ``x df(x)``, divided by t.

    Args:
        m: the measure.
        df: derivative of f, ``mpf -> mpf``. f must be continuous where the window looks, and 0 at ``since``: a jump has
            no derivative, and its contribution would be missing.
        t: present; ``t > 0`` for legs.
        order: N >= 1.
        dps: decimal digits, relative to the largest entry.
        points: times where df or a derivative jumps.
        since: df is taken as 0 before this time.

    Returns:
        (N,) rates, per unit of time.

    Raises:
        TypeError, ValueError, PrecisionError: as ``project``.
    """
    return _integrate(m, df, t, order, dps=dps, points=points, since=since, rate=True)


def evaluate(m: Measure, coefficients: Iterable[object], fractions: Iterable[object], dps: int = 50) -> Vector:
    """Reconstruction ``g = sum_n c_n g_n`` at fractions of the window, oldest first.

    Args:
        m: the measure; refused for lagt, whose infinite window has no fractions.
        coefficients: (N,) numbers, in the measure's own normalisation.
        fractions: (P,) numbers in [0, 1]: 0 is the far end, 1 is now. For legs_lti in (0, 1]: fraction y is the age
            ``-ln y``, with y of the measure's mass older than it.
        dps: decimal digits, relative to the largest term of the sum.

    Returns:
        (P,) values.

    Raises:
        TypeError, ValueError: bad argument; a fraction outside the window.
    """
    bits = bits_for(dps)
    c = exact_sequence(coefficients, "coefficients", 1)
    where = exact_sequence(fractions, "fractions")
    for index, fraction in enumerate(where):
        if not 0 <= fraction <= 1:
            raise ValueError(f"fractions[{index}] must lie in [0, 1] (0 oldest, 1 now), got {fraction}")
    with working_bits(bits + 64):
        weights = [as_mpf(entry) for entry in c]
        values = [mp.fdot(weights, m.basis(len(c), as_mpf(fraction))) for fraction in where]
    return rounded(values, bits)
