"""What a measure is: a window that moves with time, a basis on it, and the facts from which (A, B) follow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import ClassVar, Literal, TypeAlias

from mpmath import mpf

from hippo_ref.precision import Vector, rational

Entry: TypeAlias = Fraction | mpf


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
class Generators:
    """A spanning set ``phi_0 .. phi_{N-1}`` of the kernels and how it moves; everything ``derive`` needs.

    With the coordinate moving as ``dv/dt = tau(v)`` at a fixed time x of the past, ``c_n = int F kappa_n dv`` has
    ``dc_n/dt = int F (tau kappa_n)' dv + boundary``. A common envelope (``e^{-gamma u}`` for LagT) is divided out of
    every ``phi_i``. Entries are Fractions where they are rational, so that Gram–Schmidt is exact, else mpf.

    Attributes:
        gram: (N, N) inner products ``<phi_i, phi_j>`` under the measure; leading blocks belong to smaller orders.
        drift: (N, N) rows of ``(tau phi_i)' = sum_j drift[i][j] phi_j``, what falls outside the span dropped only
            where it is orthogonal to the span.
        now: (N,) values of ``phi_i`` at the present.
        far: (N,) values at the far end of the window (ignored where ``outflow`` is 0).
        inflow: speed at which the present enters the window, ``|tau(now)|``.
        outflow: speed at which the far end leaves it, ``|tau(far)|``.
        closure: what stands in for the lost value at the far end: ``none`` (nothing leaves), ``approximation`` (its own
            value there), ``average`` (it is twice the approximation minus the present, as a Fourier series converges to
            the average of both ends).
    """

    gram: Sequence[Sequence[Entry]]
    drift: Sequence[Sequence[Entry]]
    now: Sequence[Entry]
    far: Sequence[Entry]
    inflow: Entry
    outflow: Entry
    closure: Literal["none", "approximation", "average"]


@dataclass(frozen=True)
class Measure(ABC):
    """A measure on the past and its basis; immutable and hashable. Subclasses are final.

    All methods work at the caller's working precision and return unrounded numbers. A measure of your own subclasses
    this, and everything but ``system`` (published formulas) works for it.

    Attributes:
        key: name in the table.
        time_law: ``"invariant"`` (``dc/dt = A c + B f``) or ``"scale"`` (``dc/dt = (A c + B f)/t``).
        closure: ``"exact"`` if the exact projection obeys that law, ``"closed"`` if the value that leaves the window
            is replaced by an approximation, so that the state of the law is not the projection.
        finite: True when the window coordinate is ``v`` in [0, 1], False when it is the age ``u`` in [0, inf).
        domains: the accepted parameters, by name.
    """

    key: ClassVar[str]
    time_law: ClassVar[Literal["scale", "invariant"]]
    closure: ClassVar[Literal["exact", "closed"]]
    finite: ClassVar[bool]
    domains: ClassVar[Mapping[str, Parameter]] = {}

    def __post_init__(self) -> None:
        """Hold every parameter, exactly, against its domain."""
        for name, parameter in self.domains.items():
            object.__setattr__(self, name, parameter.take(self.key, name, getattr(self, name)))

    @property
    def parameters(self) -> dict[str, Fraction]:
        """The parameters by name, as exact Fractions."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

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
    def speed(self, v: mpf) -> mpf:
        """Derivative of ``time(v, t)`` by t at a fixed coordinate: what the chain rule puts before ``df``."""

    @abstractmethod
    def kernel(self, order: int, v: mpf) -> Vector:
        """(N,) kernels: ``c_n(t) = int f(time(v, t)) kernel_n(v) dv`` over the window coordinate."""

    @abstractmethod
    def basis(self, order: int, fraction: mpf) -> Vector:
        """(N,) basis functions that rebuild f, at a fraction of the window in [0, 1], oldest first."""

    @abstractmethod
    def generators(self, order: int) -> Generators:
        """The definition in the form ``derive`` reads."""

    @abstractmethod
    def gain(self, order: int) -> Vector:
        """(N,) factors T_n of the kernels over the orthonormal basis: ``kernel_n = T_n (orthonormal)_n``."""
