"""A measure of your own: weight, support, motion and tilt; everything else follows numerically."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar, Literal

from flint import fmpz_mat
from mpmath import libmp, mp, mpf

from hippo_ref.fixed import Integers, dot, to_fixed
from hippo_ref.measures.base import Closure, End, Entry, Generators, Measure
from hippo_ref.motion import Motion, Scaled, Stretching, Warped
from hippo_ref.orthogonal import Rows
from hippo_ref.precision import Vector, as_mpf, rational, working_bits
from hippo_ref.stieltjes import Discretized, Function, Node, Support, Weight, discretize

Basis = Literal["polynomial", "trigonometric"]

_FLAT = Weight()
_GLANCE = 120
"""Bits at which the definition is looked at before anything is asked of it."""


@dataclass(frozen=True)
class Custom(Measure):
    """A measure with weight ``omega(y)`` on a support, tilted by ``chi(y)``; made by ``hippo_ref.define``.

    ``p_n`` are orthonormal under the weight (scaled to mass 1), positive at the present. The kernels are
    ``zeta^-1/2 p_n omega/chi`` and f is rebuilt by ``zeta^1/2 p_n chi``, with ``zeta = int omega/chi^2`` where that is
    finite, else 1: HiPPO section 2.2 and appendix B.2 (tilted measures).

    Attributes:
        name: key under which it reports itself.
        weight: the weight in the basis variable of the motion.
        support: intervals of the basis variable in [0, 1]; None for ages in [0, inf).
        motion: how the window moves.
        tilt: chi; None for no tilt, ``"weight"`` for the weight itself (kernels are then plain polynomials).
        functions: what is orthonormalised: polynomials, or ``1, cos 2 pi y, sin 2 pi y, cos 4 pi y, ...``.
        far_value: closure of past values that cross an end of the support.
    """

    name: str
    weight: Weight
    support: Support | None
    motion: Motion
    tilt: Weight | Literal["weight"] | None
    functions: Basis
    far_value: Closure

    key: ClassVar[str] = "custom"

    def __post_init__(self) -> None:
        """The facts that named measures state as class attributes follow from the motion here."""
        inner = sorted({edge for interval in self.support or () for edge in interval if 0 < edge < 1})
        facts: dict[str, object] = {
            "key": self.name,
            "time_law": self.motion.time_law,
            "finite": self.motion.finite,
            "closure": "closed" if self._crosses() or self._drops() else "exact",
            "breaks": tuple(inner),
        }
        for name, fact in facts.items():
            object.__setattr__(self, name, fact)

    # -- the window ----------------------------------------------------------------------------------------------

    def time(self, v: mpf, t: mpf) -> mpf:
        """As the motion says."""
        return self.motion.time(v, t)

    def coordinate(self, x: mpf, t: mpf) -> mpf:
        """As the motion says."""
        return self.motion.coordinate(x, t)

    def speed(self, v: mpf, t: mpf) -> mpf:
        """As the motion says."""
        return self.motion.speed(v, t)

    def frozen(self, t: Entry) -> Measure:
        """The law of the moment t of a stretching window."""
        if not isinstance(self.motion, Stretching):
            return super().frozen(t)
        return replace(self, motion=replace(self.motion, moment=t))

    # -- the functions -------------------------------------------------------------------------------------------

    def kernel(self, order: int, v: mpf) -> Vector:
        """``zeta^-1/2 p_n omega/chi`` over the window coordinate; 0 outside the support."""
        y, stretch = self.motion.variable(v)
        if self.support is not None and not any(as_mpf(a) <= y <= as_mpf(b) for a, b in self.support):
            return [mpf(0)] * order
        node = self._node(y)
        factor = stretch * self._envelope(node, order) * self.gain(order)[0]
        return [factor * value for value in _Functions.of(self, order).values(y)]

    def kernel_rows(self, order: int, nodes: Sequence[mpf]) -> Rows:
        """Node by node."""
        return Rows.of_columns(self.kernel(order, v) for v in nodes)

    def basis(self, order: int, fraction: mpf) -> Vector:
        """``zeta^1/2 p_n chi`` at a fraction of the window (of a warped one: at y); refused for ages."""
        if self.motion.far is None:
            raise ValueError(f"measure {self.key!r} has no reconstruction at fractions: its window is infinite")
        if self.support is None or not any(as_mpf(a) <= fraction <= as_mpf(b) for a, b in self.support):
            raise ValueError(f"fraction {mp.nstr(fraction, 15)} lies outside the support of measure {self.key!r}")
        factor = self._tilt_value(self._node(fraction), order) / self.gain(order)[0]
        if not mp.isfinite(factor):
            raise ValueError(f"the tilt of measure {self.key!r} is infinite at fraction {mp.nstr(fraction, 15)}")
        return [factor * value for value in _Functions.of(self, order).values(fraction)]

    def _node(self, y: mpf) -> Node:
        ages = self.motion.far is None
        return Node(y, mp.inf if ages else y, y if ages else 1 - y, mpf(0), ages)

    def _mass(self, order: int) -> mpf:
        return _Functions.of(self, order).discretized.recurrence.mass

    def _tilt_value(self, node: Node, order: int) -> mpf:
        if self.tilt == "weight":
            return _at(self.weight, node) / self._mass(order)
        return mpf(1) if self.tilt is None else _at(self.tilt, node)

    def _envelope(self, node: Node, order: int) -> mpf:
        """``omega/chi`` at a point, omega of mass 1."""
        if self.tilt == "weight":
            return mpf(1)
        return _at(self.envelope(), node) / self._mass(order)

    def envelope(self) -> Weight:
        """``omega/chi``, of any mass; exponents are subtracted, since both may be infinite where this is not."""
        if self.tilt == "weight":
            return _FLAT
        omega, chi = self.weight, _FLAT if self.tilt is None else self.tilt
        above, below = omega.function, chi.function
        function = above if below is None else lambda y: (above(y) if above else mpf(1)) / below(y)
        return Weight(function, omega.far - chi.far, omega.now - chi.now)

    def envelope_slope(self, node: Node) -> mpf:
        """``d/dy log (omega/chi)``."""
        if self.tilt == "weight":
            return mpf(0)
        return self.weight.log_slope(node) - (mpf(0) if self.tilt is None else self.tilt.log_slope(node))

    # -- the law -------------------------------------------------------------------------------------------------

    def _crossings(self) -> dict[Fraction, list[int]]:
        """Ends of the support but the present: +1 where an interval ends towards the present, -1 where one begins.

        What does not move, or is infinitely old, is not crossed: the far end of all history, of a warped window.
        """
        found: dict[Fraction, list[int]] = {}
        for interval in self.support or ():
            for edge, side in zip(interval, (-1, 1), strict=True):
                if edge != self.motion.now and not self._still(edge):
                    found.setdefault(edge, []).append(side)
        return found

    def _end(self, functions: _Functions, order: int, edge: Fraction, sides: list[int], a: mpf, b: mpf) -> End:
        """What crosses an end; where intervals touch, one value of f crosses both, and what cancels is no flux."""
        y, rebuilt = as_mpf(edge), mpf(0)
        nodes = [self._inside(edge, side) for side in sides]
        parts = [-side * (a + b * y) * self._envelope(n, order) for side, n in zip(sides, nodes, strict=True)]
        flux = _unless_cancelled(parts)
        for node in nodes:
            plain = self.far_value == "polynomial" or not flux
            rebuilt += (mpf(1) if plain else self._tilt_value(node, order)) / len(nodes)
        if not (mp.isfinite(flux) and mp.isfinite(rebuilt)):
            raise ValueError(
                f"measure {self.key!r} has an infinite flux at y = {edge}: kernels or reconstruction are infinite "
                "there; tilt it by its weight and close it by a polynomial (tilt='weight', closure='polynomial')"
            )
        return End(functions.values(y), flux, rebuilt)

    def _inside(self, edge: Fraction, side: int) -> Node:
        """Just inside the interval that ends (+1) or begins (-1) there: where two touch, the weight may jump."""
        y = as_mpf(edge)
        return self._node(y if edge in (0, 1) else y - side * mp.ldexp(1, 2 - mp.prec))

    def _crosses(self) -> bool:
        """Whether a past value crosses an end of the support."""
        with working_bits(_GLANCE):
            envelope = self.envelope()
            nets = (
                _unless_cancelled([side * _at(envelope, self._inside(edge, side)) for side in sides])
                for edge, sides in self._crossings().items()
            )
            return any(nets)

    def _drops(self) -> bool:
        """Whether the derivative of a kernel leaves the span: harmonics, and an envelope whose slope does not cancel.

        ``tau (log omega/chi)'`` is a constant or it is not; a few points on each interval tell.
        """
        if self.functions == "trigonometric":
            return True
        if self.tilt == "weight":
            return False
        with working_bits(_GLANCE):
            a, b = (as_mpf(part) for part in self.motion.drift())
            intervals = self.support or ((Fraction(0), Fraction(4)),)
            points = [
                as_mpf(left + (right - left) * share / 16) for left, right in intervals for share in (1, 4, 7, 13)
            ]
            slopes = [(a + b * y) * self.envelope_slope(self._node(y)) for y in points]
            return max(slopes) - min(slopes) > mp.ldexp(1 + max(map(abs, slopes)), -_GLANCE // 2)

    def _still(self, edge: Fraction) -> bool:
        if self.motion.time_law == "general":
            return False
        a, b = self.motion.drift()
        return a + b * edge == 0

    def generators(self, order: int) -> Generators:
        """In the orthonormal functions themselves: the Gram matrix is the identity, the drift an inner product."""
        functions = _Functions.of(self, order)
        a, b = (as_mpf(part) for part in self.motion.drift())
        drift, dropped = functions.drift(self, a, b)
        now = self._node(mpf(self.motion.now))
        entering = abs(a + b * self.motion.now) * self._envelope(now, order)
        ends = [self._end(functions, order, edge, sides, a, b) for edge, sides in self._crossings().items()]
        ends = [end for end in ends if end.flux]
        if not mp.isfinite(entering):
            raise ValueError(
                f"measure {self.key!r} has kernels that are infinite at the present: no ODE reads f; tilt it"
            )
        zero, one = mpf(0), mpf(1)
        return Generators(
            gram=[[one if i == j else zero for j in range(order)] for i in range(order)],
            drift=drift,
            now=functions.values(now.y),
            inflow=entering,
            ends=ends,
            closure=self.far_value if ends else "none",
            dropped=dropped,
            rebuilding=functions.uniform(self, order) if self.far_value == "polynomial" and ends else None,
        )

    def gain(self, order: int) -> Vector:
        """``zeta^-1/2``, zeta the mass of ``omega/chi^2`` where finite, else 1."""
        return [_Functions.of(self, order).gain] * order


def _unless_cancelled(parts: Vector) -> mpf:
    """Their sum, or 0 where it is rounding: the two sides of a smooth point."""
    total = mp.fsum(parts)
    if mp.isfinite(total) and abs(total) <= mp.ldexp(max(map(abs, parts)), -mp.prec // 2):
        return mpf(0)
    return total


def _at(weight: Weight, node: Node) -> mpf:
    """The weight at a point that may be an end: an infinite value is returned as such."""
    for distance, exponent in ((node.far, weight.far), (node.now, weight.now)):
        if distance == 0 and exponent < 0:
            return mp.inf
    return weight.value(node)


class _Functions:
    """The orthonormal functions of a measure, tabulated at the nodes of its weight; one per precision."""

    def __init__(self, m: Custom, order: int) -> None:
        tilt = m.weight if m.tilt == "weight" else m.tilt or _FLAT
        tilted = (m.weight.far - 2 * tilt.far, m.weight.now - 2 * tilt.now)
        slopes = (
            m.weight.far - 1 if m.weight.far else m.weight.far,
            m.weight.now - 1 if m.weight.now else m.weight.now,
        )
        normal = min(tilted) > -1
        reach = [e for e in (*slopes, *(tilted if normal else ())) if e > -1]
        self.order, self.trigonometric = order, m.functions == "trigonometric"
        # Nodes are refined until polynomials are resolved: a harmonic takes a degree of e pi j, and the digits.
        degree = 5 * order + mp.prec // 8 if self.trigonometric else order
        self.discretized: Discretized = discretize(m.weight, m.support, degree, reach)
        self.points, self.weights = self.discretized.points, self.discretized.weights
        self.transform: list[Vector] | None = None
        if self.trigonometric:
            self.transform = self._gram_schmidt()
        recurrence = self.discretized.recurrence
        # Positive at the present, unless the function vanishes there and the value is rounding.
        vanishing = mp.ldexp(1, -mp.prec // 2)
        self.signs = [-1 if value < -vanishing else 1 for value in self._raw(mpf(m.motion.now))]
        self.gain = mpf(1)
        if normal and m.tilt is not None:
            # omega/chi^2 per share of omega: chi^-2, and for chi = omega of mass 1 its own square.
            scale = recurrence.mass if m.tilt == "weight" else mpf(1)
            total = mp.fsum(
                w * (scale / _at(tilt, p)) ** 2 for w, p in zip(self.weights, self.points, strict=True) if w
            )
            self.gain = 1 / mp.sqrt(total)

    @staticmethod
    def of(m: Custom, order: int) -> _Functions:
        """The table at the working precision."""
        # The functions do not depend on the motion's moment, only on its variable.
        return _functions(m, order, mp.prec)

    def _plain(self, y: mpf) -> Vector:
        """``1, cos 2 pi y, sin 2 pi y, ...`` before orthonormalising."""
        values = [mpf(1)]
        for n in range(1, self.order):
            angle = 2 * ((n + 1) // 2) * y
            values.append(mp.cospi(angle) if n % 2 else mp.sinpi(angle))
        return values

    def _tabulated(self, points: list[Node], weights: Vector) -> list[Integers]:
        """(N, M) rows of ``sqrt(weight)`` times the plain functions, fixed point."""
        columns = [[root * f for f in self._plain(p.y)] for root, p in zip(map(mp.sqrt, weights), points, strict=True)]
        return [to_fixed(row) for row in zip(*columns, strict=True)]

    def _gram_schmidt(self) -> list[Vector]:
        """Rows of the lower triangle that makes the plain functions orthonormal, by Cholesky."""
        rows = self._tabulated(self.points, self.weights)
        inverse = mp.inverse(mp.cholesky(mp.matrix(_products(rows, rows))))
        return [[inverse[n, k] for k in range(n + 1)] for n in range(self.order)]

    def _combined(self, plain: Vector) -> Vector:
        if self.transform is None:
            return plain
        return [mp.fdot(row, plain[: len(row)]) for row in self.transform]

    def _raw(self, y: mpf) -> Vector:
        if self.trigonometric:
            return self._combined(self._plain(y))
        return self.discretized.recurrence.values(self.order, y)

    def values(self, y: mpf) -> Vector:
        """``p_n(y)``, positive at the present where they do not vanish there."""
        return [sign * value for sign, value in zip(self.signs, self._raw(y), strict=True)]

    def _table(self) -> tuple[list[Integers], list[Integers]]:
        """(N, M) rows of ``sqrt(weight) p_n`` and of ``sqrt(weight) p_n'`` at the nodes, fixed point."""
        if self.transform is None:
            values, slopes = self.discretized.rows[: self.order], self.discretized.slopes()[: self.order]
        else:
            plain = self._tabulated(self.points, self.weights)
            # (cos jy)' = -j sin jy and (sin jy)' = j cos jy; the last cosine's partner may be missing.
            roots = zip(map(mp.sqrt, self.weights), self.points, strict=True)
            partners = [*plain, to_fixed(root * mp.sinpi(self.order * p.y) for root, p in roots)]
            turned = [[0] * len(self.points)]
            for n in range(1, self.order):
                turn = to_fixed([2 * mp.pi * ((n + 1) // 2) * (-1 if n % 2 else 1)])[0]
                turned.append([turn * f >> mp.prec for f in partners[n + 1 if n % 2 else n - 1]])
            values, slopes = ([_combination(row, rows) for row in self.transform] for rows in (plain, turned))
        signed = zip(self.signs, values, slopes, strict=True)
        pairs = [(v, s) if sign > 0 else ([-f for f in v], [-f for f in s]) for sign, v, s in signed]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    def drift(self, m: Custom, a: mpf, b: mpf) -> tuple[list[Vector], list[int]]:
        """Rows ``<p_k, (tau p_n)' + tau (log omega/chi)' p_n>``, and the n for which that leaves the span.

        What the N inner products do not account for is formed at the nodes: as a difference of norms it would be lost
        in their rounding. It counts from half of the digits on.
        """
        values, slopes = self._table()
        speeds = [a + b * point.y for point in self.points]
        taus = to_fixed(speeds)
        extras = to_fixed(b + tau * m.envelope_slope(point) for tau, point in zip(speeds, self.points, strict=True))
        rates = [
            [tau * s + extra * v >> mp.prec for tau, extra, s, v in zip(taus, extras, row_s, row_v, strict=True)]
            for row_s, row_v in zip(slopes, values, strict=True)
        ]
        drift = _products(rates, values)
        dropped = []
        columns = list(zip(*values, strict=True))
        for n, row in enumerate(drift):
            weights = to_fixed(row)
            rest = [r - (dot(weights, column) >> mp.prec) for r, column in zip(rates[n], columns, strict=True)]
            if dot(rest, rest) << mp.prec > dot(rates[n], rates[n]):
                dropped.append(n)
        return drift, dropped

    def uniform(self, m: Custom, order: int) -> list[Vector]:
        """Integrals of products of the functions times the envelope of the kernels."""
        flat = discretize(m.envelope(), m.support, order)
        columns = [
            [root * f for f in self.values(p.y)]
            for root, p in zip(map(mp.sqrt, flat.weights), flat.points, strict=True)
        ]
        rows = [to_fixed(row) for row in zip(*columns, strict=True)]
        mass = flat.recurrence.mass / (1 if m.tilt == "weight" else self.discretized.recurrence.mass)
        return [[mass * entry for entry in row] for row in _products(rows, rows)]


def _combination(factors: Vector, rows: list[Integers]) -> Integers:
    weights = to_fixed(factors)
    return [dot(weights, column) >> mp.prec for column in zip(*rows[: len(weights)], strict=True)]


def _products(left: list[Integers], right: list[Integers]) -> list[Vector]:
    """Inner products of all rows with all rows, fixed point in, exact but for the one rounding out."""
    a, b = (fmpz_mat(len(rows), len(rows[0]), [int(entry) for row in rows for entry in row]) for rows in (left, right))
    entries = [libmp.from_man_exp(int(entry), -2 * mp.prec, mp.prec, "n") for entry in (a * b.transpose()).entries()]
    return [[mp.make_mpf(entry) for entry in entries[n * len(right) : (n + 1) * len(right)]] for n in range(len(left))]


@lru_cache(maxsize=16)
def _functions(m: Custom, order: int, bits: int) -> _Functions:
    return _Functions(m, order)


def define(
    name: str,
    *,
    weight: Weight | Function | None = None,
    support: Sequence[tuple[object, object]] | None = None,
    motion: Motion | None = None,
    tilt: Weight | Function | Literal["weight"] | None = None,
    functions: Basis = "polynomial",
    closure: Closure = "approximation",
) -> Custom:
    """A measure of your own.

    Args:
        name: key under which it reports itself.
        weight: omega in the basis variable (``hippo_ref.motion``), any mass, positive on the support: a `Weight` where
            it has algebraic ends, a function ``mpf -> mpf`` where it is smooth, None for the uniform weight.
        support: intervals ``(left, right)`` of the basis variable in [0, 1], in order, apart from each other or
            touching where the weight jumps; the last one reaches the present. None: all of the window.
        motion: `Scaled()` (default), `Translated(theta)`, `Aging()`, `Warped(rate)` or `Stretching(length, rate)`.
        tilt: chi, as a `Weight` or function; ``"weight"`` for the weight itself, whose kernels are plain polynomials.
        functions: ``"polynomial"`` or ``"trigonometric"`` (``1, cos 2 pi y, sin 2 pi y, ...``, finite windows only).
        closure: what stands in for past values that cross an end of the support: ``approximation``, ``average`` or
            ``polynomial`` (``hippo_ref.measures.base.CLOSURES``).

    Returns:
        The measure, to be used like a published one; ``derive`` gives its law.

    Raises:
        TypeError, ValueError: an argument that is none of these; a support that is empty, disordered or misses the
            present; a weight that has no mass.
    """
    motion = Scaled() if motion is None else motion
    if not isinstance(motion, Motion):
        raise TypeError(f"motion must be a Motion such as Translated(1) or Scaled(), got {motion!r}")
    if functions not in ("polynomial", "trigonometric"):
        raise ValueError(f"functions must be 'polynomial' or 'trigonometric', got {functions!r}")
    if closure not in ("approximation", "average", "polynomial"):
        raise ValueError(f"closure must be 'approximation', 'average' or 'polynomial', got {closure!r}")
    omega = _weight(weight, "weight")
    chi = tilt if tilt == "weight" or tilt is None else _weight(tilt, "tilt")
    intervals = _support(support, motion)
    from hippo_ref.measures import MEASURES  # noqa: PLC0415 -- the table of measures imports this module

    if name in MEASURES:
        raise ValueError(f"name {name!r} is that of a published measure: verdicts and formulas go by it; take another")
    if closure == "average" and intervals != ((Fraction(0), Fraction(1)),):
        raise ValueError(f"closure 'average' is of both ends of one whole window; got support = {support!r}")
    if intervals is None and (functions == "trigonometric" or omega.far or omega.function is None):
        raise ValueError(
            "an infinite window takes polynomials and a weight function that decays exponentially, with no exponent at "
            f"the far end; got functions = {functions!r}, weight = {omega!r}"
        )
    for end, exponent in (("far", omega.far), ("now", omega.now)):
        if exponent <= -1:
            raise ValueError(f"weight has exponent {exponent} at its {end} end; it has no mass unless that is > -1")
    return Custom(name, omega, intervals, motion, chi, functions, closure)


def _weight(value: object, name: str) -> Weight:
    if value is None:
        return _FLAT
    if isinstance(value, Weight):
        return value
    if not callable(value):
        raise TypeError(f"{name} must be a Weight, a function mpf -> mpf or None, got {value!r}")
    return Weight(value)


def _support(support: object, motion: Motion) -> Support | None:
    if motion.far is None:
        if support is not None:
            raise ValueError(f"the window of ages has the support [0, inf); got support = {support!r}")
        return None
    if support is None:
        return ((Fraction(0), Fraction(1)),)
    if isinstance(motion, Warped):
        raise ValueError(f"a warped window has the support (0, 1]; got support = {support!r}")
    if not isinstance(support, Sequence) or not all(isinstance(pair, Sequence) and len(pair) == 2 for pair in support):
        raise TypeError(f"support must be a sequence of pairs (left, right), got {support!r}")
    intervals = tuple((rational(left, "support"), rational(right, "support")) for left, right in support)
    edges = [edge for interval in intervals for edge in interval]
    ordered = all(a < b for a, b in intervals) and all(a[1] <= b[0] for a, b in pairwise(intervals))
    if not intervals or not ordered or edges[0] < 0 or edges[-1] > 1:
        raise ValueError(f"support must be disjoint intervals of [0, 1] in order, got {support!r}")
    if edges[-1] != 1:
        raise ValueError(f"support must reach the present, 1: otherwise no ODE reads f(t); it ends at {edges[-1]}")
    return intervals
