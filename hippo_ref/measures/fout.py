"""FouT: Fourier series on the sliding window [t - theta, t]."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from mpmath import mp, mpf

from hippo_ref.measures.base import Entry, Generators, Measure, Parameter
from hippo_ref.precision import Vector, as_mpf


@dataclass(frozen=True)
class FouT(Measure):
    """Basis ``1, √2 cos 2πv, √2 sin 2πv, √2 cos 4πv, ...`` on LegT's window. HiPPO appendix D.4; HTTYH (S4-FouT).

    At even N the last cosine has no sine partner. Its derivative, a sine outside the span and orthogonal to it, is
    dropped; then even a signal in the span moves out of it, and the law is exact only for signals without that cosine.
    """

    theta: Fraction = Fraction(1)

    key: ClassVar[str] = "fout"
    time_law: ClassVar[Literal["scale", "invariant"]] = "invariant"
    closure: ClassVar[Literal["exact", "closed"]] = "closed"
    finite: ClassVar[bool] = True
    domains: ClassVar[dict[str, Parameter]] = {"theta": Parameter(Fraction(1), above=Fraction(0))}

    def time(self, v: mpf, t: mpf) -> mpf:
        """``x = t - theta (1 - v)``."""
        return t - as_mpf(self.theta) * (1 - v)

    def coordinate(self, x: mpf, t: mpf) -> mpf:
        """``v = (x - t)/theta + 1``."""
        return (x - t) / as_mpf(self.theta) + 1

    def speed(self, v: mpf) -> mpf:
        """1: the window moves rigidly."""
        return mpf(1)

    def kernel(self, order: int, v: mpf) -> Vector:
        """The basis: the density in v is 1."""
        return self.basis(order, v)

    def basis(self, order: int, fraction: mpf) -> Vector:
        """``1``, then the pairs ``√2 cos 2πjv, √2 sin 2πjv``, by rotation."""
        cosine, sine = mp.cospi(2 * fraction), mp.sinpi(2 * fraction)
        values = [mpf(1)]
        pair = (mp.sqrt(2), mpf(0))
        while len(values) < order:
            pair = (pair[0] * cosine - pair[1] * sine, pair[0] * sine + pair[1] * cosine)
            values.extend(pair)
        return values[:order]

    def generators(self, order: int) -> Generators:
        """Unnormalised pairs ``cos 2πjv, sin 2πjv``: norms 1 and 1/2, ``tau = -1/theta``, average of both ends."""
        zero = Fraction(0)
        turn = 2 * mp.pi / as_mpf(self.theta)
        drift: list[list[Entry]] = [[zero] * order for _ in range(order)]
        for cosine in range(1, order - 1, 2):
            frequency = turn * ((cosine + 1) // 2)
            # (tau cos)' = +(2πj/theta) sin and (tau sin)' = -(2πj/theta) cos, because tau = -1/theta.
            drift[cosine][cosine + 1] = frequency
            drift[cosine + 1][cosine] = -frequency
        ends: list[Entry] = [Fraction(i == 0 or i % 2 == 1) for i in range(order)]
        return Generators(
            gram=[
                [(Fraction(1) if i == 0 else Fraction(1, 2)) if i == j else zero for j in range(order)]
                for i in range(order)
            ],
            drift=drift,
            now=ends,
            far=ends,
            inflow=1 / self.theta,
            outflow=1 / self.theta,
            closure="average",
        )

    def gain(self, order: int) -> Vector:
        """1: orthonormal."""
        return [mpf(1)] * order
