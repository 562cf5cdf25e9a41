"""The only door to the reference. Exact results are computed once and kept, in memory and on disk.

What verdicts are judged against comes as Arb balls: each number carries a proven radius (`Exact.radius`). The mpmath
side of the reference is the second witness, held against the balls by its tests; here it only serves signals that have
no form as balls, with the digits that two precisions agreed on for a radius.

A result is named by what was asked and by the source text of the reference, so a changed reference never meets an old
answer; `exact_store` keeps it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import flint
import mpmath
import numpy as np

import hippo_ref
from verify.boundary import Exact, from_balls, to_exact, to_mpf
from verify.bounds import Operator
from verify.case import Case
from verify.exact_store import ExactStore, Recent, key_of

PrecisionError = hippo_ref.PrecisionError
"""Raised where an exact answer cannot be had to its digits: the precision was raised until the reference gave up."""

DIGITS = 50
"""Working digits asked of the reference: twice double-double, so that the stored pair is exact to its last bit."""


@lru_cache(maxsize=1)
def reference_fingerprint() -> str:
    """Hash of all an exact answer depends on: the reference's source, the modules it comes through, its arithmetics."""
    digest = hashlib.sha256(f"{mpmath.__version__} {flint.__version__} {flint.__FLINT_VERSION__}".encode())
    sources = sorted(Path(hippo_ref.__file__).parent.rglob("*.py"))
    through = [Path(__file__).with_name(f"{name}.py") for name in ("oracle", "boundary", "exact_store")]
    for path in [*sources, *through]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


PAIR_DIGITS = 30
"""Digits that a stored pair of doubles is good for."""
TRUNCATION_DIGITS = (PAIR_DIGITS, 60, 120, 240)
"""Digits tried for the difference of two squares: the last tells a truncation of 1e-110 of the signal from none."""


class Function:
    """A test signal known as a formula: value and derivative to any precision, and the same in float64.

    Attributes:
        name: stable name; part of every cache key.
        value: mpf -> mpf; where the function is holomorphic also acb -> acb, by the same formula.
        derivative: the same of the derivative.
        holomorphic: whether both take balls of complex numbers.
        branches: ``(start, formula)`` of each smooth piece, oldest first and each known on all of the line; the first
            start is None. One piece, ``value`` itself, unless said otherwise.
    """

    def __init__(
        self,
        name: str,
        value: Callable[[Any], Any],
        derivative: Callable[[Any], Any],
        branches: Sequence[tuple[Fraction | None, Callable[[Any], Any]]] = (),
        *,
        holomorphic: bool = False,
    ) -> None:
        self.name = name
        self.value = value
        self.derivative = derivative
        self.branches = tuple(branches) or ((None, value),)
        self.holomorphic = holomorphic

    @property
    def points(self) -> tuple[Fraction, ...]:
        """Times at which the signal or a derivative jumps."""
        return tuple(start for start, _ in self.branches if start is not None)

    def samples(self, times: Sequence[Any]) -> tuple[float, ...]:
        """Values at exact times, each rounded once to float64."""
        with mpmath.workdps(40):
            return tuple(float(self.value(mpmath.mpf(t.numerator) / t.denominator)) for t in times)


def _difference(later: Callable[[Any], Any], before: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    return later if before is None else lambda x: later(x) - before(x)


def as_number(value: Any, like: Any) -> Any:
    """An exact rational in the arithmetic of another number: mpf, or a ball."""
    if isinstance(like, flint.acb):
        return flint.acb(flint.fmpq(value.numerator, value.denominator))
    return mpmath.mpf(value.numerator) / value.denominator


def ball(value: Fraction) -> Any:
    """A rational as a real ball at the current precision."""
    return flint.arb(flint.fmpq(value.numerator, value.denominator))


def _decay(method: str, rate: int, begin: int, end: int) -> Any:
    """What LegS steps ``begin+1 .. end`` make of a coefficient along the eigenvector of ``-rate``; begin >= rate."""
    rule = hippo_ref.discretization(method)

    def gammas(shift: Any) -> Any:
        return (begin + 1 + shift).lgamma() - (end + 1 + shift).lgamma()

    if hasattr(rule, "a"):  # generalized bilinear: prod (j - (1-a) rate)/(j + a rate)
        weight = ball(rule.a)
        return (gammas(weight * rate) - gammas((weight - 1) * rate)).exp()
    if method == "trapezoid":  # prod (j-1 - rate/2)/(j-1) j/(j + rate/2)
        half = flint.arb(rate) / 2
        return (gammas(half) - gammas(-half - 1)).exp() * end / begin
    first = rule.first_time  # cell k ends at k + 1, node k is at k
    return (flint.arb(begin + first) / (end + first)) ** rate


def _sin(x: Any) -> Any:
    return x.sin() if isinstance(x, flint.acb) else mpmath.sin(x)


def _cos(x: Any) -> Any:
    return x.cos() if isinstance(x, flint.acb) else mpmath.cos(x)


def _pi(like: Any) -> Any:
    return flint.acb.pi() if isinstance(like, flint.acb) else +mpmath.pi


def polynomial(coefficients: Sequence[int], scale: int) -> Function:
    """``sum_j a_j (x / scale)^j`` with integer coefficients."""

    def horner(factors: Sequence[int], x: Any) -> Any:
        total = as_number(0, x)
        for factor in reversed(factors):
            total = total * x / scale + factor
        return total

    def value(x: Any) -> Any:
        return horner(coefficients, x)

    def derivative(x: Any) -> Any:
        return horner([j * a for j, a in enumerate(coefficients)][1:], x) / scale

    return Function(f"polynomial{tuple(coefficients)}/{scale}", value, derivative, holomorphic=True)


def chebyshev(degree: int, left: Fraction, right: Fraction) -> Function:
    """``T_d(z) + T_{d-1}(z)/2`` with z running from -1 to 1 on an interval: it excites every degree up to d alike."""

    def argument(x: Any) -> Any:
        a, b = (as_number(end, x) for end in (left, right))
        return (2 * x - a - b) / (b - a)

    def value(x: Any) -> Any:
        z = argument(x)
        first = _second_kind(degree - 1, z)
        # T_n = U_n - z U_{n-1} for both degrees, from one recurrence of the second kind.
        return (first[0] * z - first[1]) + (first[1] * z - first[2]) / 2 if degree else as_number(1, x)

    def derivative(x: Any) -> Any:
        a, b = (as_number(end, x) for end in (left, right))
        upper = _second_kind(degree - 1, argument(x))
        return (2 * degree * upper[0] + (degree - 1) * upper[1]) / (b - a) if degree else as_number(0, x)

    return Function(f"chebyshev({degree},{left},{right})", value, derivative, holomorphic=True)


def _second_kind(degree: int, z: Any) -> tuple[Any, Any, Any]:
    """``U_d(z), U_{d-1}(z), U_{d-2}(z)`` by ``U_{n+1} = 2 z U_n - U_{n-1}`` from ``U_{-1} = 0``, ``U_0 = 1``."""
    older, old, new = (as_number(value, z) for value in (-1, 0, 1))  # U_{-2} = -1, U_{-1} = 0, U_0 = 1
    for _ in range(degree):
        older, old, new = old, new, 2 * z * new - old
    return new, old, older


def wave(frequency: int, phase: int = 1) -> Function:
    """``sin(frequency x + phase) + x/4``: smooth, no symmetry that could hide an error."""

    def value(x: Any) -> Any:
        return _sin(frequency * x + phase) + x / 4

    def derivative(x: Any) -> Any:
        return frequency * _cos(frequency * x + phase) + as_number(Fraction(1, 4), x)

    return Function(f"wave({frequency},{phase})", value, derivative, holomorphic=True)


def harmonic(frequency: int, window: Any) -> Function:
    """``1/2 + cos(2 pi frequency x / window) + 2 sin(...)``: in the span of the Fourier basis of that window."""

    def angle(x: Any) -> Any:
        return 2 * _pi(x) * frequency * x * window.denominator / window.numerator

    def value(x: Any) -> Any:
        return as_number(Fraction(1, 2), x) + _cos(angle(x)) + 2 * _sin(angle(x))

    def derivative(x: Any) -> Any:
        speed = 2 * _pi(x) * frequency * window.denominator / window.numerator
        return speed * (2 * _cos(angle(x)) - _sin(angle(x)))

    return Function(f"harmonic({frequency},{window})", value, derivative, holomorphic=True)


def rising(degree: int, end: Fraction) -> Function:
    """``x (T_d(z) + T_{d-1}(z)/2)`` on [0, end]: continuous with the silence before 0, as an infinite window needs."""
    inner = chebyshev(degree, Fraction(0), end)

    def value(x: Any) -> Any:
        return x * inner.value(x)

    def derivative(x: Any) -> Any:
        return inner.value(x) + x * inner.derivative(x)

    return Function(f"rising({degree},{end})", value, derivative, holomorphic=True)


def orthonormal(case: Case) -> list[Any]:
    """(N,) factors that take coefficients into the orthonormal basis of the measure: LMU is LegT scaled by s_n."""
    one = mpmath.mpf(1)
    return [one / mpmath.sqrt(2 * n + 1) if case.measure == "lmu" else one for n in range(case.order)]


def norm_squared(m: Any, function: Function, time: Any, since: Any, digits: int) -> Any:
    """``||f||^2`` under the probability measure in which the basis is orthonormal, its window ending at a time.

    That is the measure itself; for LagT the tilted one, ``u^-alpha e^{-beta u} du / zeta`` on the age u (HiPPO appendix
    D.2). The first basis function of every other measure is 1, so that the norm is a projection of ``f^2`` to order 1.

    Raises:
        hippo_ref.PrecisionError: the digits are not reached.
    """
    if m.key != "lagt":
        return hippo_ref.project(
            m, lambda x: function.value(x) ** 2, time, 1, dps=digits, points=function.points, since=since
        )[0]
    with mpmath.workdps(digits + 20):
        alpha, beta, end, begin = (
            mpmath.mpf(x.numerator) / x.denominator for x in (m.alpha, m.beta, Fraction(time), Fraction(since))
        )
        breaks = [end - mpmath.mpf(x.numerator) / x.denominator for x in function.points]

        def integrand(s: Any) -> Any:
            # u = s^(1/(1-alpha)) takes the singular power into the step: u^-alpha du = ds/(1-alpha).
            age = s ** (1 / (1 - alpha))
            return function.value(end - age) ** 2 * mpmath.exp(-beta * age)

        span = end - begin
        edges = sorted(
            {mpmath.mpf(0), span, *(u for u in breaks if 0 < u < span), *(span * i / 8 for i in range(1, 8))}
        )
        total, error = mpmath.quad(integrand, [u ** (1 - alpha) for u in edges], error=True)
        if error > abs(total) * mpmath.mpf(10) ** -digits:
            raise hippo_ref.PrecisionError(
                f"norm of {function.name} under lagt: {digits} digits were asked for, the quadrature is known to "
                f"{mpmath.nstr(error, 3)} of {mpmath.nstr(total, 3)}"
            )
        return total / ((1 - alpha) * m.zeta())


def known_measures() -> list[dict[str, Any]]:
    """Every measure of the reference: key, default parameters, time law, and whether its ODE is exact or closed."""
    return [
        {
            "key": key,
            "parameters": {name: str(value) for name, value in hippo_ref.measure(key).parameters.items()},
            "time_law": hippo_ref.measure(key).time_law,
            "closure": hippo_ref.measure(key).closure,
        }
        for key in hippo_ref.MEASURES
    ]


def _size(operator: Operator) -> int:
    return 32 * (operator.order**2 + len(operator.times or ())) + 1024  # a float and a pointer each


class Oracle:
    """Exact answers for cases, as `Exact` arrays.

    Args:
        kept: a store of exact arrays, or the folder of one; None keeps them in memory only.

    Attributes:
        exact: that store.
    """

    def __init__(self, kept: ExactStore | Path | None = None) -> None:
        self.exact = kept if isinstance(kept, ExactStore) else ExactStore(kept)
        self._operators = Recent[Operator](_size)

    def _get(self, kind: str, parts: tuple[Any, ...], compute: Callable[[], Exact]) -> Exact:
        return self.exact.get(key_of(reference_fingerprint(), kind, *parts), compute)

    def measure(self, case: Case) -> Any:
        """The reference's measure of a case; ValueError for parameters outside their domain."""
        return hippo_ref.measure(case.measure, **case.exact_parameters)

    def system(self, case: Case) -> tuple[Exact, Exact]:
        """Exact A (N, N) and B (N,)."""
        order = case.order

        def compute() -> Exact:
            rows, column = hippo_ref.enclose_system(self.measure(case), order, DIGITS)
            return from_balls([[*row, gain] for row, gain in zip(rows, column, strict=True)], (order, order + 1))

        both = self._get("system", (case.measure, case.parameters, order), compute)
        return both[:, :order], both[:, order]

    def frequencies(self, case: Case) -> Exact:
        """Exact imaginary parts (N,), ascending, of the spectrum of the normal part, for an operator that has one.

        The normal part is the skew part of A and a multiple of the identity. That of FouT is its rotation, of which an
        even order has half a pair less; the others have simple spectra, which Arb isolates.

        Raises:
            PrecisionError: it is not isolated.
        """
        order = case.order

        def compute() -> Exact:
            rows = hippo_ref.enclose_system(self.measure(case), order, DIGITS)[0]
            with flint.ctx.workdps(DIGITS):
                if case.measure == "fout":
                    pairs = (order - 1) // 2
                    unit = 2 * flint.arb.pi() / ball(case.exact_parameters["theta"])
                    balls = [unit * j for j in range(-pairs, 1)] + [flint.arb(0)] * ((order + 1) % 2)
                    return from_balls(balls + [unit * j for j in range(1, pairs + 1)], (order,))
                turned = [[flint.acb(0, (rows[k][n] - rows[n][k]) / 2) for k in range(order)] for n in range(order)]
                try:
                    values = [value.real for value in flint.acb_mat(turned).eig()]
                except ValueError as error:
                    raise PrecisionError(f"the spectrum of order {order} is not isolated: {error}") from error
                return from_balls(sorted(values, key=lambda value: float(value.mid())), (order,))

        return self._get("frequencies", (case.measure, case.parameters, order), compute)

    def pade(self, case: Case, points: Sequence[tuple[Fraction, Fraction]]) -> Exact:
        """Exact ``[N-1/N]`` Pade approximant of ``exp(-w)`` at complex points, as real and imaginary parts (P, 2)."""
        order = case.order

        def compute() -> Exact:
            # Coefficients of numerator and denominator up to a common factor (Baker, Essentials of Pade Approximants).
            above = [math.comb(order - 1, j) * math.factorial(2 * order - 1 - j) for j in range(order)]
            below = [math.comb(order, j) * math.factorial(2 * order - 1 - j) for j in range(order + 1)]
            with flint.ctx.workdps(DIGITS + order):
                values = []
                for point in points:
                    w = flint.acb(*map(ball, point))
                    top, bottom = flint.acb_poly(above)(-w), flint.acb_poly(below)(w)
                    values.append(top / bottom)
                return from_balls([[value.real, value.imag] for value in values], (len(points), 2))

        return self._get("pade", (order, [list(map(str, point)) for point in points]), compute)

    def transfer(self, case: Case, A: Any, B: Any, points: Sequence[tuple[Fraction, Fraction]]) -> tuple[Exact, Any]:
        """``C (w/theta - A)^-1 B`` of given matrices, C the read-out of LegT or LMU at the far end of the window.

        Args:
            case: gives measure, order and theta.
            A: (N, N) finite floats.
            B: (N,) finite floats.
            points: real and imaginary parts of w.

        Returns:
            Real and imaginary parts (P, 2), and the sizes (P, N) of ``(w/theta - A)^-1 B``; infinite at a pole.
        """
        order = case.order
        values, sizes = [], np.full((len(points), order), np.inf)
        # Elimination in balls loses about a digit for four unknowns here.
        with flint.ctx.workdps(DIGITS + order // 4):
            # s_n (-1)^n, which is the very scaling of LMU's basis.
            end = [flint.arb(1 if case.measure == "lmu" else 2 * n + 1).sqrt() for n in range(order)]
            if case.measure != "lmu":
                end = [c * (-1) ** n for n, c in enumerate(end)]
            column = flint.acb_mat([[flint.acb(float(b))] for b in B])
            for i, point in enumerate(points):
                z = flint.acb(*map(ball, point)) / ball(case.exact_parameters["theta"])
                shifted = [[z * (n == k) - float(entry) for k, entry in enumerate(row)] for n, row in enumerate(A)]
                try:
                    state = flint.acb_mat(shifted).solve(column).entries()
                except ZeroDivisionError:
                    values.append(flint.acb(0))
                    continue
                values.append(sum((c * x for c, x in zip(end, state, strict=True)), flint.acb(0)))
                sizes[i] = [float(abs(x).upper()) for x in state]
            numbers = from_balls([[value.real, value.imag] for value in values], (len(points), 2))
        numbers.high[np.isinf(sizes[:, 0])] = np.inf
        return numbers, sizes

    def operator(self, case: Case, times: tuple[float, ...] | None = None) -> Operator:
        """What the bounds need to know of a case; the same object for the same rule and times of samples."""
        key = (*self._rule(case), times)
        return self._operators.get(key) or self._operators.put(key, replace(self._operator(case), times=times))

    def _operator(self, case: Case) -> Operator:
        A, B = self.system(case)
        return Operator(
            measure=case.measure,
            parameters=tuple(sorted(case.float_parameters.items())),
            A=tuple(map(tuple, A.high.tolist())),
            B=tuple(B.high.tolist()),
            method=case.method,
            dt=None if self.measure(case).time_law == "scale" else case.dt,
        )

    def _rule(self, case: Case) -> tuple[Any, ...]:
        return (case.measure, case.parameters, case.order, case.method, None if case.dt is None else case.dt.hex())

    def _digits(self, case: Case) -> int:
        # Forward Euler grows by up to |A| per step before it decays again; those digits cancel and must be there.
        return DIGITS + (4 * case.order if case.method == "euler" else 0)

    def states(self, case: Case, samples: Sequence[float], times: Sequence[float] | None = None) -> Exact:
        """Exact states (L, N) of the recurrence; LegS takes the time of each sample (zoh: the end of its cell)."""

        def compute() -> Exact:
            states = hippo_ref.enclose_states(
                self.measure(case), samples, case.order, case.method, case.dt, self._digits(case), timestamps=times
            )
            return from_balls(states, (len(samples), case.order))

        stamps = () if times is None else ([time.hex() for time in times],)
        return self._get("states", (*self._rule(case), [s.hex() for s in samples], *stamps), compute)

    def last_state(self, case: Case, samples: Sequence[float]) -> Exact:
        """The last of `states` alone, (N,): it takes little room where the run is long."""

        def compute() -> Exact:
            last = hippo_ref.enclose_states(
                self.measure(case), list(samples), case.order, case.method, case.dt, self._digits(case), last=True
            )
            return from_balls(last[0], (case.order,))

        return self._get("last_state", (*self._rule(case), [s.hex() for s in samples]), compute)

    def held(self, case: Case, samples: Sequence[float], times: Sequence[Any]) -> Exact:
        """Exact projection (N,) of a held signal of LegS at its last time, by integrals of the kernels over its pieces.

        Witness of a hold's last state that knows no recurrence; a piece may be as long as thousands of cells.

        Args:
            case: gives order and rule: constants on pieces that end at the times (zoh), or lines between nodes (foh).
            samples: (P,) value on each piece, or at each node.
            times: (P,) exact times, increasing.
        """

        def compute() -> Exact:
            last = hippo_ref.enclose_states(
                self.measure(case), list(samples), case.order, case.method, None, DIGITS, timestamps=times, last=True
            )
            return from_balls(last[0], (case.order,))

        key = (case.order, case.method, [s.hex() for s in samples], [str(x) for x in times])
        return self._get("held", key, compute)

    def late_states(self, case: Case, samples: Sequence[float], counts: Sequence[int]) -> Exact:
        """Exact states (C, N) after the last sample was read so many times more: no step is taken one by one.

        LegS: ``c = u e_0 + f(A) (c_m - u e_0)``, since ``A e_0 = -B``; f is the product of the rule's factors over the
        steps, a ratio of Gamma functions or a power, and acts on a triangular A by divided differences at its
        eigenvalues ``-1 .. -N``. Invariant laws: a power of the step, by repeated squaring.

        Args:
            case: gives measure, order and rule.
            samples: (m+1,) read before, m >= N; the last as often as a step of the rule looks back.
            counts: how many further copies of the last sample are read, each from 0.
        """

        def compute() -> Exact:
            digits = 2 * DIGITS + 4 * case.order
            states = hippo_ref.enclose_states(
                self.measure(case), list(samples), case.order, case.method, case.dt, digits, last=True
            )
            with flint.ctx.workdps(2 * digits):
                if case.dt is None:
                    found = self._late_legs(case, states[0], len(samples) - 1, samples[-1], counts, 2 * digits)
                else:
                    found = self._late_invariant(case, states[0], samples[-1], counts, 2 * digits)
                return from_balls(found, (len(counts), case.order))

        key = (*self._rule(case), [s.hex() for s in samples], list(counts))
        return self._get("late_states", key, compute)

    def _late_legs(
        self, case: Case, state: list[Any], m: int, sample: float, counts: Sequence[int], digits: int
    ) -> list[list[Any]]:
        """Newton's form of f(A) x for f on the eigenvalues ``-1 .. -N``."""
        order, arb = case.order, flint.arb
        rows, _ = hippo_ref.enclose_system(self.measure(case), order, digits)
        rest = [state[0] - arb(sample), *state[1:]]
        krylov = [rest]  # prod_{i<j} (A - lambda_i) x
        for j in range(order - 1):
            last = krylov[-1]
            krylov.append([sum((a * x for a, x in zip(row, last, strict=True)), (j + 1) * last[n])
                           for n, row in enumerate(rows)])  # fmt: skip
        found = []
        for count in counts:
            table = [_decay(case.method, n + 1, m, m + count) for n in range(order)]
            for depth in range(1, order):  # divided differences, in place: the nodes are 1 apart and descend
                for i in reversed(range(depth, order)):
                    table[i] = (table[i - 1] - table[i]) / depth
            total = [sum((f * v[n] for f, v in zip(table, krylov, strict=True)), arb(0)) for n in range(order)]
            found.append([total[0] + arb(sample), *total[1:]])
        return found

    def _late_invariant(
        self, case: Case, state: list[Any], sample: float, counts: Sequence[int], digits: int
    ) -> list[list[Any]]:
        """Powers of the step, the held sample being a state of its own."""
        order, reach = case.order, self.operator(case).reach

        def after(start: list[float], value: float) -> list[Any]:
            # Sample number 10: past the start, where a hold of any degree reads all it looks back to.
            previous = [value] * reach if reach else None
            return hippo_ref.enclose_states(
                self.measure(case), [value], order, case.method, case.dt, digits, start=start, first=10,
                previous=previous,
            )[0]  # fmt: skip

        units = [[1.0 if n == k else 0.0 for n in range(order)] for k in range(order)]
        columns = [[*after(unit, 0.0), flint.arb(0)] for unit in units]
        columns.append([*after([0.0] * order, sample), flint.arb(1)])
        step = flint.arb_mat([list(row) for row in zip(*columns, strict=True)])
        start = flint.arb_mat([[x] for x in [*state, flint.arb(1)]])
        return [(step**count * start).entries()[:order] for count in counts]

    def step(self, case: Case, state: Sequence[float], sample: float, index: int) -> Exact:
        """Exact state (N,) after one step."""

        def compute() -> Exact:
            after = hippo_ref.enclose_step(
                self.measure(case), list(state), sample, index, case.method, case.dt, self._digits(case)
            )
            return from_balls(after, (case.order,))

        key = (*self._rule(case), [s.hex() for s in state], sample.hex(), index)
        return self._get("step", key, compute)

    def jacobian(self, case: Case, length: int) -> Exact:
        """Exact d last state / d samples, (N, L)."""

        def compute() -> Exact:
            rows = hippo_ref.enclose_jacobian(
                self.measure(case), length, case.order, case.method, case.dt, self._digits(case)
            )
            return from_balls(rows, (case.order, length))

        return self._get("jacobian", (*self._rule(case), length), compute)

    def _size(self, case: Case, function: Function, time: Any) -> float:
        """What integrals of a signal against N kernels are made from: its size, seen at 64 times, times 2N."""
        with mpmath.workdps(20):
            seen = [function.value(mpmath.mpf(x.numerator) / x.denominator) for x in
                    (Fraction(time) * Fraction(k, 64) for k in range(65))]  # fmt: skip
        return float(2 * case.order * max(map(abs, seen)))

    def projection(self, case: Case, function: Function, time: Any, since: Any = None) -> Exact:
        """Exact projection (N,) of a signal at an exact time."""

        def compute() -> Exact:
            m = self.measure(case)
            if function.holomorphic and (m.finite or since is not None):
                return from_balls(hippo_ref.enclose(m, function.value, time, case.order, DIGITS, since=since), shape)
            coefficients = hippo_ref.project(
                m, function.value, time, case.order, dps=DIGITS, points=function.points, since=since
            )
            return to_exact(coefficients, shape, DIGITS, self._size(case, function, time))

        shape = (case.order,)

        key = (case.measure, case.parameters, case.order, function.name, str(time), str(since))
        return self._get("projection", key, compute)

    def projection_rate(self, case: Case, function: Function, time: Any, since: Any = None) -> Exact:
        """Exact time derivative (N,) of the projection; the signal is continuous at ``since``."""

        def compute() -> Exact:
            m = self.measure(case)
            # Under the integral: for a translated window the projection of f', for LegS that of x f'(x), over t.
            scale = m.time_law == "scale"

            def slope(x: Any) -> Any:
                return x * function.derivative(x) / as_number(time, x) if scale else function.derivative(x)

            return from_balls(hippo_ref.enclose(m, slope, time, case.order, DIGITS, since=since), (case.order,))

        key = (case.measure, case.parameters, case.order, function.name, str(time), str(since))
        return self._get("projection_rate", key, compute)

    def closed_state(self, case: Case, function: Function, time: Any) -> Exact:
        """Exact state (N,) of the (closed) ODE at a time, driven from zero at time 0.

        The ODE is linear: where a piece of the signal begins, the smooth difference to the piece before it sets in.
        """

        def compute() -> Exact:
            if function.holomorphic:
                balls = hippo_ref.enclose_closed_state(self.measure(case), function.value, time, case.order, DIGITS)
                return from_balls(balls, (case.order,))
            state, before = [mpmath.mpf(0)] * case.order, None
            for start, formula in function.branches:
                since = max(Fraction(0), start or Fraction(0))
                if since < time:
                    change = _difference(formula, before)
                    part = hippo_ref.closed_state(self.measure(case), change, time, case.order, dps=DIGITS, since=since)
                    with mpmath.workdps(DIGITS):
                        state = [x + y for x, y in zip(state, part, strict=True)]
                before = formula
            return to_exact(state, (case.order,), DIGITS, self._size(case, function, time))

        key = (case.measure, case.parameters, case.order, function.name, str(time))
        return self._get("closed_state", key, compute)

    def driven(self, case: Case, function: Function, times: Sequence[Any], dt: Any) -> Exact:
        """Exact last state (N,) of the recurrence on a signal's exact samples: no float anywhere.

        Args:
            case: gives measure, order and rule.
            function: the signal.
            times: exact times of the samples.
            dt: exact sample spacing of an invariant law, None for the scale law.
        """

        def compute() -> Exact:
            digits = self._digits(case)
            with mpmath.workdps(digits + 20):
                samples = [function.value(mpmath.mpf(x.numerator) / x.denominator) for x in times]
            states = hippo_ref.states(self.measure(case), samples, case.order, method=case.method, dt=dt, dps=digits)
            return to_exact(states[-1], (case.order,), digits, float(max(map(abs, samples))))

        key = (case.measure, case.parameters, case.order, case.method, str(dt), function.name, [str(x) for x in times])
        return self._get("driven", key, compute)

    def truncation(self, case: Case, function: Function, time: Any, since: Any = None) -> Exact:
        """Norm of a signal, its distance to the span of the basis, and what that distance is known to, as (3,).

        ``sqrt(||f||^2 - ||c||^2)`` in the norm in which the basis is orthonormal (`norm_squared`). The difference
        cancels, so the digits are raised until 20 of it are left; if they never are, the distance is 0 and the third
        number is what it may be at most.
        """

        def compute() -> Exact:
            m = self.measure(case)
            for digits in TRUNCATION_DIGITS:
                if digits == PAIR_DIGITS:
                    coefficients = to_mpf(self.projection(case, function, time, since))
                else:
                    coefficients = hippo_ref.project(
                        m, function.value, time, case.order, dps=digits, points=function.points, since=since
                    )
                whole = norm_squared(m, function, time, since, digits)
                with mpmath.workdps(digits + 20):
                    squares = [(c * w) ** 2 for c, w in zip(coefficients, orthonormal(case), strict=True)]
                    rest = whole - mpmath.fsum(squares)
                    least = whole * mpmath.mpf(10) ** (20 - digits)
                    if rest > least:
                        unknown = mpmath.sqrt(rest) * mpmath.mpf(10) ** -20
                        return to_exact([mpmath.sqrt(whole), mpmath.sqrt(rest), unknown], (3,), PAIR_DIGITS)
            return to_exact([mpmath.sqrt(whole), mpmath.mpf(0), mpmath.sqrt(least)], (3,), PAIR_DIGITS)

        key = (case.measure, case.parameters, case.order, function.name, str(time), str(since))
        return self._get("truncation", key, compute)

    def evaluate(self, case: Case, coefficients: Sequence[float], points: Sequence[float]) -> Exact:
        """Exact reconstruction (P,) at fractions of the window."""

        def compute() -> Exact:
            values = hippo_ref.enclose_values(self.measure(case), list(coefficients), list(points), DIGITS)
            return from_balls(values, (len(points),))

        key = (case.measure, case.parameters, [c.hex() for c in coefficients], [p.hex() for p in points])
        return self._get("evaluate", key, compute)

    def residual(self, case: Case, function: Function, time: Any, A: Any, B: Any) -> tuple[Exact, Any, float]:
        """``A c + B f - dc/dt`` (scale law: ``- t dc/dt``) for given matrices and the exact projection of a signal.

        Args:
            case: gives measure and order.
            function: the signal.
            time: exact time.
            A: (N, N) matrix of a target.
            B: (N,) matrix of a target.

        Returns:
            The residual (N,) with its radius, the exact coefficients (N,) and the exact ``f(t)``, rounded once.
        """
        # On an infinite window the signals begin at 0; a finite one never reaches back that far.
        since = None if self.measure(case).finite else 0
        state = self.projection(case, function, time, since)
        rate = self.projection_rate(case, function, time, since)
        with mpmath.workdps(DIGITS):
            t = mpmath.mpf(time.numerator) / time.denominator
            sample = function.value(t)
            factor = t if self.measure(case).time_law == "scale" else mpmath.mpf(1)
            c, slope = to_mpf(state), to_mpf(rate)
            rows = [[mpmath.mpf(float(x)) for x in row] for row in A]
            residual = [
                mpmath.fdot(row, c) + mpmath.mpf(float(b)) * sample - factor * s
                for row, b, s in zip(rows, B, slope, strict=True)
            ]
            # What the coefficients, their rate and f(t) are off by; the sum itself is rounded at the same digits.
            sizes = np.abs(A) @ np.abs(state.high) + np.abs(B) * abs(float(sample))
            unknown = np.abs(A) @ state.radius + float(factor) * rate.radius + 10.0 ** (2 - DIGITS) * sizes
            numbers = to_exact(residual, (case.order,), DIGITS)
            return Exact(numbers.high, numbers.low, numbers.radius + unknown), state.high, float(sample)

    def largest_basis(self, case: Case) -> Any:
        """(N,) largest ``|g_n|`` on the window: at the newest moment for Legendre bases, sqrt(2) for harmonics."""

        def compute() -> Exact:
            unit = [[1 if n == k else 0 for n in range(case.order)] for k in range(case.order)]
            newest = [hippo_ref.evaluate(self.measure(case), row, [1], dps=DIGITS)[0] for row in unit]
            if case.measure == "fout":
                newest = [mpmath.sqrt(2) if n else mpmath.mpf(1) for n in range(case.order)]
            return to_exact([abs(value) for value in newest], (case.order,), DIGITS)

        return self._get("largest_basis", (case.measure, case.parameters, case.order), compute).high

    def gauss(self, count: int) -> tuple[Any, Any]:
        """Nodes in [0, 1] and masses of the Gauss rule with that many points, each rounded once."""

        def compute() -> Exact:
            with flint.ctx.workdps(DIGITS):
                pairs = [flint.arb.legendre_p_root(count, k, weight=True) for k in range(count)]
                return from_balls([[(1 + node) / 2, mass / 2] for node, mass in pairs], (count, 2))

        both = self._get("gauss", (count,), compute).high
        return both[:, 0], both[:, 1]

    def values(self, case: Case, function: Function, time: Any, fractions: Sequence[Any]) -> Exact:
        """Exact values (P,) of a signal at fractions of the window that ends at a time."""
        window = time if self.measure(case).time_law == "scale" else case.exact_parameters.get("theta", Fraction(1))
        with mpmath.workdps(DIGITS):
            times = [time - window + window * y for y in fractions]
            values = [function.value(mpmath.mpf(x.numerator) / x.denominator) for x in times]
            return to_exact(values, (len(fractions),), DIGITS - 2)
