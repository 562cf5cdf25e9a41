"""Exact coefficients as certified balls: rigorous Gauss–Legendre quadrature of the definition.

The error bound. Let g be holomorphic with ``|g| <= M`` in the ellipse ``E_rho`` (foci -1 and 1, semi-axes
``(rho +- 1/rho)/2``). Its Chebyshev coefficients obey ``|a_k| <= 2 M rho^-k``. The m-point rule is exact below degree
2m, odd k vanish by symmetry, and for even ``k >= 4``: ``|int T_k| <= 2/15`` and ``|rule T_k| <= 2`` (positive weights
of sum 2). Hence, for m >= 2,

    |int g - rule g| <= sum_{k = 2m, 2m+2, ...} (32/15) 2 M rho^-k = (64/15) M rho^-2m / (1 - rho^-2)

(Trefethen, Approximation Theory and Approximation Practice, theorem 19.3). M comes from f evaluated on boxes that cover
the ellipse, a finite ball being a proof that f is holomorphic there, times a bound on each kernel
(``hippo_ref.kernels``). Panels that no ellipse serves are halved. What an infinite window leaves out is bounded by the
kernels' own decay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from flint import acb, arb, ctx
from mpmath import mpf

from hippo_ref.balls import Balls, Signal, ball, holomorphic, largest, reach, widened
from hippo_ref.kernels import Box, Kernel, kernel_of
from hippo_ref.measures import Measure
from hippo_ref.precision import PrecisionError, exact, exact_sequence, integer, rational

# Ellipses tried on each panel, narrow ones for signals with singularities nearby, wide ones for entire signals.
_ELLIPSES = tuple(Fraction(n, 16) for n in (18, 20, 24, 28, 32, 40, 52, 64, 88, 128, 192, 288, 448))
_DEEPEST = 60
_MOST_PANELS = 3000
_FIRST_PANEL = 4
_COVER = 8


@dataclass(frozen=True)
class Growth:
    """A promise about the distant past: ``|f(t - u)| <= size e^{rate u}`` for every age u >= 0."""

    size: Fraction | mpf
    rate: Fraction | mpf


def enclose(
    m: Measure,
    f: Signal,
    t: object,
    order: int,
    digits: int = 50,
    *,
    points: Iterable[object] = (),
    since: object = None,
    growth: tuple[object, object] | None = None,
) -> Balls:
    """Exact coefficients of the history of f at time t, as balls that contain them.

    Args:
        m: a published measure.
        f: signal, ``acb -> acb``, real on the real line. It must return a ball that contains its values on all of the
            ball it is given, and be holomorphic wherever that is finite, as every composition of ``exp``, ``sin``,
            polynomials and divisions is. A function with branch cuts takes a second argument, ``(z, analytic)``, and
            passes it on (``z.sqrt(analytic)``, ``z.log(analytic)``), as for python-flint's ``acb.integral``.
        t: present, taken exactly; ``t > 0`` for legs.
        order: N >= 1.
        digits: each radius ends below ``10^-digits`` of the largest coefficient, or of ``2^-32`` times the size of the
            integrals where all coefficients are smaller than that.
        points: times at which panels begin and end, worth stating where f changes quickly.
        since: f is taken as 0 before this time.
        growth: for the infinite windows of lagt and legs_lti without ``since``: ``(size, rate)`` with
            ``|f(t - u)| <= size e^{rate u}`` for all u >= 0. Not needed where f is finite on all of the real line at
            once, as sines are.

    Returns:
        (N,) balls.

    Raises:
        TypeError, ValueError: bad argument; f is not real on the real line, or not holomorphic where it says so; an
            infinite window without ``since`` or ``growth``.
        PrecisionError: the radius is not reached: f has a singularity in the window, or answers with wide balls.

    Source: HiPPO section 2.2 (definition 1); the error bound of this module.
    """
    order = integer(order, "order", 1)
    if not callable(f):
        raise TypeError(f"f must be a function acb -> acb, got {f!r}")
    now = exact(t, "t")
    if m.time_law == "scale" and now <= 0:
        raise ValueError(f"t must be > 0 for measure {m.key!r}, whose window is [0, t]; got {t}")
    breaks = exact_sequence(points, "points")
    start = None if since is None else exact(since, "since")
    promise = None if growth is None else Growth(exact(growth[0], "growth size"), exact(growth[1], "growth rate"))
    if promise is not None and (m.finite or start is not None or promise.size < 0):
        raise ValueError(
            "growth=(size, rate), size >= 0, is a promise about an infinite window without since; got growth = "
            f"{growth!r}, since = {since!r}, measure {m.key!r}"
        )
    kernel, signal = kernel_of(m), holomorphic(f)
    sizes: list[arb] = [arb(0)]

    def compute() -> list[Balls]:
        work = _Quadrature(m.key, kernel, signal, ball(now), order)
        work.window(m.finite, [ball(b) for b in breaks], None if start is None else ball(start), promise)
        sizes.append(work.size)
        return [work.total]

    if start is not None and rational(start, "since") >= rational(now, "t"):
        return [arb(0)] * order  # the window has not begun
    # The ball recurrences of the kernels widen by (1 + sqrt 2) per degree: 1.3 bits.
    guard = 3 * order // 2
    return reach(compute, digits, f"enclose({m.key}, order={order})", guard=guard, floor=lambda: sizes[-1])[0]


def enclose_values(m: Measure, coefficients: Iterable[object], fractions: Iterable[object], digits: int = 50) -> Balls:
    """Reconstruction ``g = sum_n c_n g_n`` at fractions of the window, as balls.

    Args:
        m: a published measure; refused for lagt.
        coefficients: (N,) numbers.
        fractions: (P,) numbers in [0, 1], oldest first, as for ``evaluate``.
        digits: each radius ends below ``10^-digits`` of its value, or of ``2^-32`` of the largest term of all.

    Returns:
        (P,) balls.

    Raises:
        TypeError, ValueError: bad argument; a fraction outside the window.
        PrecisionError: the basis is infinite at a fraction.
    """
    c = exact_sequence(coefficients, "coefficients", 1)
    where = exact_sequence(fractions, "fractions")
    for index, fraction in enumerate(where):
        if not 0 <= fraction <= 1:
            raise ValueError(f"fractions[{index}] must lie in [0, 1] (0 oldest, 1 now), got {fraction}")
    kernel = kernel_of(m)
    terms: list[arb] = [arb(0)]

    def compute() -> list[Balls]:
        factors = [ball(value) for value in c]
        rows = [[x * g for x, g in zip(factors, kernel.basis(len(c), ball(y)), strict=True)] for y in where]
        terms.append(largest([term for row in rows for term in row]))
        return [[sum(row, arb(0))] for row in rows]

    guard = 3 * len(c) // 2
    rows = reach(compute, digits, f"enclose_values({m.key})", guard=guard, floor=lambda: terms[-1])
    return [row[0] for row in rows]


@lru_cache(maxsize=64)
def _rule(degree: int, bits: int) -> tuple[tuple[arb, arb], ...]:
    """Nodes in (-1, 1) and weights of the Gauss–Legendre rule as balls; the left half mirrors the right."""
    half = [arb.legendre_p_root(degree, index, True) for index in range(degree // 2)]
    middle = [arb.legendre_p_root(degree, degree // 2, True)] if degree % 2 else []
    return (*half, *middle, *((-node, weight) for node, weight in reversed(half)))


class _Quadrature:
    """The integral of one signal against all kernels, at the current ball precision."""

    def __init__(self, key: str, kernel: Kernel, f: Callable[[acb, bool], acb], t: arb, order: int) -> None:
        self.key, self.kernel, self.f, self.t, self.order = key, kernel, f, t, order
        self.total: Balls = [arb(0)] * order
        self.size = arb(0)
        self.panels = 0

    def window(self, finite: bool, points: Sequence[arb], since: arb | None, growth: Growth | None) -> None:
        """Integrate over the window, panel by panel."""
        inner = [self.kernel.coordinate(point, self.t) for point in points]
        begin = None if since is None else self.kernel.coordinate(since, self.t)
        if finite:
            low = arb(0) if begin is None else begin.max(arb(0)).min(arb(1))
            self._panels([low, *_ordered(inner, low, arb(1)), arb(1)])
        elif begin is not None:
            self._panels([arb(0), *_ordered(inner, arb(0), begin), begin.max(arb(0))])
        else:
            self._endless(_ordered(inner, arb(0), None), growth)

    def _panels(self, edges: Sequence[arb]) -> None:
        for left, right in pairwise(edges):
            if not (right - left).is_zero():  # a length that may be zero is integrated: it adds a ball about 0
                self._panel(left, right)

    def _endless(self, inner: Sequence[arb], growth: Growth | None) -> None:
        """[0, inf): panels until the bound on the rest is negligible."""
        edges = [arb(0), *inner]
        self._panels(edges)
        end, width = edges[-1], arb(_FIRST_PANEL)
        for _ in range(_MOST_PANELS):
            self._panels([end, end + width])
            end += width
            bound, rate = self._past(growth)
            if abs(self._signal(end)).abs_lower() > bound * (rate * end).exp():
                raise ValueError(
                    f"growth = ({bound.str(3, radius=False)}, {rate.str(3, radius=False)}) does not bound f: at age "
                    f"{end.str(5, radius=False)} it is {self._signal(end).str(3, radius=False)}"
                )
            rest = self.kernel.tail(self.order, end, rate)
            if rest is not None:
                rest = [bound * value for value in rest]
                if largest(rest) <= self.size.abs_upper() * arb(2) ** -ctx.prec:
                    self.total = [widened(total, value) for total, value in zip(self.total, rest, strict=True)]
                    return
            width = (2 * width).min(arb(16))
        raise PrecisionError(
            f"enclose({self.key}): the infinite window still contributes at age {end.str(5, radius=False)}"
        )

    def _past(self, growth: Growth | None) -> tuple[arb, arb]:
        """``(C, r)`` with ``|f| <= C e^{r u}`` at all ages."""
        if growth is not None:
            return ball(growth.size), ball(growth.rate)
        everything = self.f(acb(arb(0, arb("inf"))), False)
        if not everything.is_finite():
            raise ValueError(
                f"measure {self.key!r} looks back for ever, and f is not finite on the whole real line at once: pass "
                "since (f is 0 before it) or growth=(size, rate) with |f(t - u)| <= size e^(rate u)"
            )
        return arb(abs(everything).abs_upper()), arb(0)

    def _panel(self, left: arb, right: arb) -> None:
        stack = [(left, right, 0)]
        while stack:
            a, b, depth = stack.pop()
            self.panels += 1
            plan = self._plan(a, b)
            if plan is not None:
                self._apply(a, b, *plan)
                continue
            if depth >= _DEEPEST or self.panels > _MOST_PANELS:
                where = self.kernel.time(acb((a + b) / 2), self.t).real.str(8, radius=False)
                raise PrecisionError(
                    f"enclose({self.key}, order={self.order}): f is not finite on any neighbourhood of x = {where}: a "
                    "singularity in the window, a branch cut, or balls too wide"
                )
            middle = (a + b) / 2
            stack += [(middle, b, depth + 1), (a, middle, depth + 1)]

    def _plan(self, a: arb, b: arb) -> tuple[int, Balls] | None:
        """Degree of the rule, and the error bound of each coefficient; None if no ellipse serves."""
        centre, half = (a + b) / 2, (b - a) / 2
        # What f is like here, at points whose symmetry no signal has: the goal is relative to it.
        here = largest([self._signal(centre + half * share) for share in (arb(0), arb(3) / 4, -arb(2) / 5)])
        best: tuple[int, Balls] | None = None
        limit = self.order // 2 + ctx.prec
        for rho in _ELLIPSES:
            ratio = ball(rho)
            box = Box(centre, half * (ratio + 1 / ratio) / 2, half * (ratio - 1 / ratio) / 2)
            size = self._bound(box)
            if size is None:
                break
            bounds = [
                size * value * half * arb(64) / 15 / (1 - ratio**-2) for value in self.kernel.bounds(self.order, box)
            ]
            worst = largest(bounds)
            if not worst.is_finite():
                break
            # As small as what the panel itself can contribute, times the working precision.
            goal = (largest([here, self.size]) * half).abs_upper()
            if goal == 0:  # nothing seen yet: f may be 0, and then so is its bound
                goal = worst * arb(2) ** -ctx.prec if worst > 0 else arb(1)
            excess = (worst / goal).log() / arb(2).log() + ctx.prec
            degree = max(2, int((excess / (2 * ratio.log() / arb(2).log())).abs_upper().ceil().unique_fmpz() or 2))
            if excess < 0:
                degree = 2
            if best is None or degree < best[0]:
                best = degree, [value * ratio ** (-2 * degree) for value in bounds]
            elif degree > 2 * best[0]:
                break
        return best if best is not None and best[0] <= limit else None

    def _bound(self, box: Box) -> arb | None:
        """Upper bound on |f| in the box, on the box as a whole or on its parts; None where that is not finite."""
        for parts in (1, _COVER):
            found = arb(0)
            for i in range(parts):
                for j in range(parts):
                    part = acb(_part(box.centre, box.across, i, parts), _part(arb(0), box.up, j, parts))
                    value = self.f(self.kernel.time(part, self.t), True)
                    if not value.is_finite():
                        break
                    found = found.max(arb(abs(value).abs_upper()))
                else:
                    continue
                break
            else:
                return found
        return None

    def _signal(self, v: arb) -> arb:
        x = self.kernel.time(acb(v), self.t)
        value = self.f(x, False)
        if not value.imag.contains(0):
            raise ValueError(
                f"f must be real on the real line; at x = {x.real.str(8, radius=False)} it is {value.str(8)}"
            )
        return value.real

    def _apply(self, a: arb, b: arb, degree: int, errors: Balls) -> None:
        centre, half = (a + b) / 2, (b - a) / 2
        sums, sizes = [arb(0)] * self.order, arb(0)
        for node, weight in _rule(degree, ctx.prec):
            v = centre + half * node
            value = half * weight * self._signal(v)
            terms = [value * k for k in self.kernel.values(self.order, v)]
            sums = [s + term for s, term in zip(sums, terms, strict=True)]
            sizes += largest(terms)
        found = [widened(s, e) for s, e in zip(sums, errors, strict=True)]
        self._witness(a, b, degree, found[:2], errors[:2])
        self.total = [total + value for total, value in zip(self.total, found, strict=True)]
        self.size += sizes

    def _witness(self, a: arb, b: arb, degree: int, found: Balls, errors: Balls) -> None:
        """The first two coefficients by another rule: a function that is not what it claims is caught by the gap.

        Two of them, so that neither an even nor an odd singularity at the middle of a panel cancels.
        """
        centre, half = (a + b) / 2, (b - a) / 2
        again = [arb(0)] * len(found)
        for node, weight in _rule(degree + 3, ctx.prec):
            v = centre + half * node
            value = half * weight * self._signal(v)
            again = [x + value * k for x, k in zip(again, self.kernel.values(len(found), v), strict=True)]
        if not all(x.overlaps(widened(y, e)) for x, y, e in zip(found, again, errors, strict=True)):
            where = self.kernel.time(acb(centre), self.t).real.str(8, radius=False)
            raise ValueError(
                f"f is not holomorphic near x = {where} although it returned finite balls there: two rules that must "
                "agree do not. Give f a second argument, (z, analytic), and pass it to sqrt, log, pow and the like"
            )


def _part(centre: arb, radius: arb, index: int, parts: int) -> arb:
    """One of ``parts`` equal pieces of the interval ``centre +- radius``."""
    step = radius / parts
    return centre - radius + step * (2 * index + 1) + arb(0, step.abs_upper())


def _ordered(values: Sequence[arb], low: arb, high: arb | None) -> Balls:
    """Those that certainly lie between the ends, in order."""
    inside = [value for value in values if value > low and (high is None or value < high)]
    return sorted(inside, key=lambda value: value.mid())
