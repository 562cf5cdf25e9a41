"""FouT: Fourier series on the sliding window [t - theta, t]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from mpmath import mp, mpf

from hippo_ref.measures.base import End, Entry, Generators, SlidingWindow
from hippo_ref.orthogonal import Rows
from hippo_ref.precision import Vector, as_mpf


@dataclass(frozen=True)
class FouT(SlidingWindow):
    """Basis ``1, √2 cos 2πv, √2 sin 2πv, √2 cos 4πv, ...`` on LegT's window. HiPPO appendix D.4; HTTYH (S4-FouT).

    At even N the last cosine has no sine partner. Its derivative, a sine outside the span and orthogonal to it, is
    dropped; then even a signal in the span moves out of it, and the law is exact only for signals without that cosine.
    """

    key: ClassVar[str] = "fout"

    def kernel(self, order: int, v: mpf) -> Vector:
        """The basis: the density in v is 1."""
        return self.basis(order, v)

    def kernel_rows(self, order: int, nodes: Sequence[mpf]) -> Rows:
        """Node by node."""
        return Rows.of_columns(self.kernel(order, v) for v in nodes)

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
            inflow=1 / self.theta,
            ends=[End(ends, -1 / self.theta)],
            closure="average",
            # The derivative of an unpaired cosine is the sine that is missing.
            dropped=[order - 1] if order % 2 == 0 else [],
        )

    def gain(self, order: int) -> Vector:
        """1: orthonormal."""
        return [mpf(1)] * order
