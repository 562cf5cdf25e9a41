"""What a measure is: a window that moves with time, a basis on it, and the facts from which (A, B) follow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import ClassVar, Literal, TypeAlias

from mpmath import mpf

from hippo_ref.orthogonal import Rows, beta_moments
from hippo_ref.precision import Vector, as_mpf, rational

Entry: TypeAlias = Fraction | mpf
TimeLaw: TypeAlias = Literal["scale", "invariant", "general"]
Closure: TypeAlias = Literal["none", "approximation", "average", "polynomial"]

CLOSURES: Mapping[Closure, str] = MappingProxyType(
    {
        "none": "no past value crosses an end of the support",
        "approximation": "a past value that crosses an end is replaced by the reconstruction's own value there",
        "average": "the value that leaves is twice the reconstruction's minus the present one, as a Fourier series "
        "converges to the average of both ends",
        "polynomial": "the value that leaves is that of the polynomial of degree < N with the same coefficients, since "
        "the tilted reconstruction is 0 or infinite there",
    }
)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a measure: its default and the open interval it must lie in (None: no end)."""

    default: Fraction
    above: Fraction
    below: Fraction | None = None

    def accepted(self, name: str) -> str:
        """The domain, in words."""
        return f"{name} > {self.above}" if self.below is None else f"{self.above} < {name} < {self.below}"

    def take(self, key: str, name: str, value: object) -> Fraction:
        """Convert exactly and hold the value against the domain.

        Raises:
            TypeError: not a number.
            ValueError: not finite or outside the domain.
        """
        taken = rational(value, f"{name} of measure {key!r}")
        if taken <= self.above or (self.below is not None and taken >= self.below):
            raise ValueError(f"measure {key!r} needs {self.accepted(name)}, got {name} = {value}")
        return taken


@dataclass(frozen=True)
class End:
    """An end of the support other than the present: what crosses it is a past value of f, which no state remembers.

    Attributes:
        values: (N,) values of ``phi_i`` there.
        flux: speed at which the past enters the support through it, negative where it leaves, times the envelope of the
            kernels.
        rebuilt: envelope there of the basis that rebuilds f; 1 where the closure is ``polynomial``.
    """

    values: Sequence[Entry]
    flux: Entry
    rebuilt: Entry = Fraction(1)


@dataclass(frozen=True)
class Generators:
    """A spanning set ``phi_0 .. phi_{N-1}`` of the kernels and how it moves; everything ``derive`` needs.

    With the coordinate moving as ``dv/dt = tau(v)`` at a fixed time x of the past, ``c_n = int F kappa_n dv`` has
    ``dc_n/dt = int F (tau kappa_n)' dv + boundary``. A common envelope (``e^{-gamma u}`` for LagT) is divided out of
    every ``phi_i``. Entries are Fractions where they are rational, so that Gram–Schmidt is exact, else mpf.

    Attributes:
        gram: (N, N) inner products ``<phi_i, phi_j>`` under the measure; leading blocks belong to smaller orders.
        drift: (N, N) rows of ``(tau phi_i)' = sum_j drift[i][j] phi_j``; for rows that leave the span, its projection.
        dropped: rows whose ``(tau phi_i)'`` is not in the span.
        now: (N,) values of ``phi_i`` at the present.
        inflow: speed at which the present enters the window, ``|tau(now)|``, times the envelope there.
        ends: the other ends of the support that past values cross.
        closure: what stands in for those values, see ``CLOSURES``.
        rebuilding: (N, N) integrals of ``phi_i phi_j`` times the envelope of the kernels, for the ``polynomial``
            closure only.
    """

    gram: Sequence[Sequence[Entry]]
    drift: Sequence[Sequence[Entry]]
    now: Sequence[Entry]
    inflow: Entry
    ends: Sequence[End] = ()
    closure: Closure = "none"
    dropped: Sequence[int] = ()
    rebuilding: Sequence[Sequence[Entry]] | None = None


@dataclass(frozen=True)
class Measure(ABC):
    """A measure on the past and its basis; immutable and hashable. Subclasses are final.

    All methods work at the caller's working precision and return unrounded numbers. ``hippo_ref.define`` makes a
    measure of your own from its weight, support, motion and tilt.

    Attributes:
        key: name in the table.
        time_law: ``"invariant"`` (``dc/dt = A c + B f``), ``"scale"`` (``dc/dt = (A c + B f)/t``) or ``"general"``
            (``dc/dt = A(t) c + B(t) f``).
        closure: ``"exact"`` if the exact projection obeys that law, ``"closed"`` if a value that leaves the window
            is replaced by an approximation, so that the state of the law is not the projection.
        finite: True when the window coordinate is ``v`` in [0, 1], False when it is the age ``u`` in [0, inf).
        breaks: window coordinates inside the window where the kernels are not smooth.
        rational: True if the generators are Fractions, so that Gram–Schmidt is exact.
        domains: the accepted parameters, by name.
    """

    key: ClassVar[str]
    time_law: ClassVar[TimeLaw]
    closure: ClassVar[Literal["exact", "closed"]]
    finite: ClassVar[bool]
    breaks: ClassVar[Sequence[Fraction]] = ()
    rational: ClassVar[bool] = False
    domains: ClassVar[Mapping[str, Parameter]] = {}

    def __post_init__(self) -> None:
        """Hold every parameter, exactly, against its domain."""
        for name, parameter in self.domains.items():
            object.__setattr__(self, name, parameter.take(self.key, name, getattr(self, name)))

    @property
    def parameters(self) -> dict[str, Fraction]:
        """The parameters by name, as exact Fractions."""
        return {name: getattr(self, name) for name in self.domains}

    @property
    def window(self) -> Fraction | None:
        """Window length ``theta``; None where the window is infinite or all of [0, t]."""
        return self.parameters.get("theta")

    @abstractmethod
    def time(self, v: mpf, t: mpf) -> mpf:
        """Time x of the window coordinate at time t."""

    @abstractmethod
    def coordinate(self, x: mpf, t: mpf) -> mpf:
        """Window coordinate of time x at time t, the inverse of ``time``."""

    @abstractmethod
    def speed(self, v: mpf, t: mpf) -> mpf:
        """Derivative of ``time(v, t)`` by t at a fixed coordinate: what the chain rule puts before ``df``."""

    @abstractmethod
    def kernel(self, order: int, v: mpf) -> Vector:
        """(N,) kernels: ``c_n(t) = int f(time(v, t)) kernel_n(v) dv`` over the window coordinate."""

    @abstractmethod
    def kernel_rows(self, order: int, nodes: Sequence[mpf]) -> Rows:
        """(N, M) kernels at many nodes at once: what ``kernel`` gives, to ``2^-prec`` of the largest."""

    @abstractmethod
    def basis(self, order: int, fraction: mpf) -> Vector:
        """(N,) basis functions that rebuild f, at a fraction of the window in [0, 1], oldest first."""

    @abstractmethod
    def generators(self, order: int) -> Generators:
        """The definition in the form ``derive`` reads."""

    @abstractmethod
    def gain(self, order: int) -> Vector:
        """(N,) factors T_n of the kernels over the orthonormal basis: ``kernel_n = T_n (orthonormal)_n``."""

    def frozen(self, t: Entry) -> Measure:
        """The measure with the law of one moment; only a general time law has more than one."""
        raise ValueError(f"measure {self.key!r} has the {self.time_law} law, which is the same at all moments; got {t}")


@dataclass(frozen=True)
class SlidingWindow(Measure):
    """A measure on ``[t - theta, t]``: ``v = (x - t)/theta + 1``."""

    theta: Fraction = Fraction(1)

    time_law: ClassVar[TimeLaw] = "invariant"
    closure: ClassVar[Literal["exact", "closed"]] = "closed"
    finite: ClassVar[bool] = True
    domains: ClassVar[Mapping[str, Parameter]] = {"theta": Parameter(Fraction(1), above=Fraction(0))}

    def time(self, v: mpf, t: mpf) -> mpf:
        """``x = t - theta (1 - v)``."""
        return t - as_mpf(self.theta) * (1 - v)

    def coordinate(self, x: mpf, t: mpf) -> mpf:
        """``v = (x - t)/theta + 1``."""
        return (x - t) / as_mpf(self.theta) + 1

    def speed(self, v: mpf, t: mpf) -> mpf:
        """1: the window moves rigidly."""
        return mpf(1)


def jacobi_generators(order: int, theta: Fraction, alpha: Fraction, beta: Fraction) -> Generators:
    """Of a sliding window with the weight ``(1-v)^alpha v^beta``, tilted by it.

    Monomials ``v^i``: moments of the beta distribution, ``tau = -1/theta``, kernels without envelope.
    """
    speed = 1 / theta
    moments = beta_moments(2 * order, alpha, beta)
    return Generators(
        gram=[[moments[i + j] for j in range(order)] for i in range(order)],
        drift=[[-i * speed if j == i - 1 else Fraction(0) for j in range(order)] for i in range(order)],
        now=[Fraction(1)] * order,
        inflow=speed,
        ends=[End([Fraction(i == 0) for i in range(order)], -speed)],
        closure="polynomial",
        rebuilding=[[Fraction(1, i + j + 1) for j in range(order)] for i in range(order)],
    )


@dataclass(frozen=True)
class WholePast(Measure):
    """A measure on ``(-inf, t]``, by the age ``u = t - x``."""

    time_law: ClassVar[TimeLaw] = "invariant"
    closure: ClassVar[Literal["exact", "closed"]] = "exact"
    finite: ClassVar[bool] = False

    def time(self, v: mpf, t: mpf) -> mpf:
        """``x = t - u``."""
        return t - v

    def coordinate(self, x: mpf, t: mpf) -> mpf:
        """``u = t - x``."""
        return t - x

    def speed(self, v: mpf, t: mpf) -> mpf:
        """1: the window moves rigidly."""
        return mpf(1)
