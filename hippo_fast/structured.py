"""Invariant laws in ``O(N)`` a step: GBT(a) with a gap of its own for each step, no matrix anywhere.

Each law, in the state ``x = c/T`` of a diagonal ``T``, has one of three forms in which
``(I - i A) d = h (A x + B u)`` with ``i = a h`` is solved in one or two passes for the change ``d`` of a step of length
``h``. No pass subtracts numbers of like size whose difference is small, so each is as stable as a dense solve.

*Prefix* (`legs_lti`, `lagt`): ``(A x)_n = -(sum_{j<n} w_j x_j + e_n x_n)``. Row n less row n - 1 is
``(1 + i e_n) d_n = (1 + i (e - w)_{n-1}) d_{n-1} + h ((e - w)_{n-1} x_{n-1} - e_n x_n) + h (b_n - b_{n-1}) u``.

*Tridiagonal* (`legt`, `lmu`): with ``w_n = 2 n + 1``, ``(A x)_n = -(1/theta) (sum_{k<=n} w_k x_k +
sum_{k>n} (-1)^(n-k) w_k x_k)`` and ``B = 1/theta``. Two rows apart, ``(A x)_{n+1} - (A x)_{n-1}`` is
``-(2/theta) w_n x_n``; the sum of rows 0 and
1 and the difference of the last two close the system: ``(E + 2 (i/theta) W) d = (2 h/theta) (u e_0 - W x)``, where
``E`` has -1 below the diagonal, 1 above it, and 1 in its two corners. It is skew plus a positive diagonal, so
elimination without pivoting meets the pivots ``p_0 = 1 + 2 i/theta``, ``p_n = 2 (i/theta) w_n + 1/p_{n-1}``, all
positive, each a sum of positive numbers.

*Rotation* (`fout`): ``A = (R - 2 B0 B0^T)/theta`` turns each pair and couples all through one sum: pairs are solved by
themselves, and the Sherman-Morrison formula adds the coupling, whose denominator is 1 plus a sum of positive numbers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np

from hippo_fast.types import Float64Array, FloatArray


class Structure(ABC):
    """One law in ``O(N)``. Abstract; subclasses are final.

    Attributes:
        scale: ``T``, ``(N,)``: ``c = T x``.
    """

    scale: Float64Array

    @abstractmethod
    def change(self, x: FloatArray, samples: FloatArray, gap: FloatArray, a: float) -> FloatArray:
        """Return ``d``, ``(S, N)``: the change of ``x`` ``(S, N)`` in a step of length ``gap`` ``(S,)`` or ``()``.

        Args:
            x: the states, in the dtype to compute with.
            samples: ``(S,)``, what the step reads.
            gap: length of the step in units of time, of the same dtype.
            a: weight of the end of the step: 0 is forward Euler, 1/2 bilinear, 1 backward Euler.
        """


@final
@dataclass(frozen=True)
class PrefixStructure(Structure):
    """``(A x)_n = -(sum_{j<n} w_j x_j + e_n x_n)``, ``B = b``.

    Attributes:
        scale: ``T``, ``(N,)``.
        diagonal: ``e``, ``(N,)``, > 0.
        carried: ``e_n - w_n``, ``(N,)``.
        rise: ``b_0``, then ``b_n - b_{n-1}``, ``(N,)``.
    """

    scale: Float64Array
    diagonal: Float64Array
    carried: Float64Array
    rise: Float64Array

    def change(self, x: FloatArray, samples: FloatArray, gap: FloatArray, a: float) -> FloatArray:
        """Return the change, see `Structure.change`."""
        d, number, gap = np.empty_like(x), x.dtype.type, gap.astype(x.dtype)
        diagonal, carried, rise = (part.astype(x.dtype) for part in (self.diagonal, self.carried, self.rise))
        implicit, read = number(a) * gap, gap * samples
        d[:, 0] = (read * rise[0] - gap * diagonal[0] * x[:, 0]) / (1 + implicit * diagonal[0])
        for n in range(1, x.shape[1]):
            flow = carried[n - 1] * x[:, n - 1] - diagonal[n] * x[:, n]
            right = (1 + implicit * carried[n - 1]) * d[:, n - 1] + gap * flow + rise[n] * read
            d[:, n] = right / (1 + implicit * diagonal[n])
        return d


@final
@dataclass(frozen=True)
class TridiagonalStructure(Structure):
    """``E x' = (2/theta) (u e_0 - W x)``, see the module.

    Attributes:
        scale: ``T``, ``(N,)``.
        theta: window length in units of time.
    """

    scale: Float64Array
    theta: float

    def change(self, x: FloatArray, samples: FloatArray, gap: FloatArray, a: float) -> FloatArray:
        """Return the change, see `Structure.change`."""
        order, number = x.shape[1], x.dtype.type
        twice = (2.0 * (gap / self.theta)).astype(x.dtype)
        d = -(2 * np.arange(order) + 1).astype(x.dtype) * x
        d[:, 0] += samples
        if order == 1:  # the two corners are one: theta x' = u - x
            return d * (twice / (2 + number(a) * twice))[..., None]
        d *= twice[..., None]
        pivots = np.empty((order, *np.shape(gap)), x.dtype)
        for n in range(order):
            pivots[n] = number(a) * twice * (2 * n + 1) + (1 / pivots[n - 1] if n else 1) + (n == order - 1)
            if n:
                d[:, n] += d[:, n - 1] / pivots[n - 1]
        d[:, -1] /= pivots[-1]
        for n in range(order - 2, -1, -1):
            d[:, n] = (d[:, n] - d[:, n + 1]) / pivots[n]
        return d


@final
@dataclass(frozen=True)
class RotationStructure(Structure):
    """``A = (R - 2 B0 B0^T)/theta``, ``B = 2 B0/theta`` on ``1, cos 1, sin 1, cos 2, ...``.

    Attributes:
        scale: ones, ``(N,)``.
        theta: window length in units of time.
    """

    scale: Float64Array
    theta: float

    def change(self, x: FloatArray, samples: FloatArray, gap: FloatArray, a: float) -> FloatArray:
        """Return the change, see `Structure.change`."""
        order, number = x.shape[1], x.dtype.type
        pairs = (order - 1) // 2
        share = (gap / self.theta).astype(x.dtype)
        cosine, sine = slice(1, 1 + 2 * pairs, 2), slice(2, 2 + 2 * pairs, 2)
        root = number(math.sqrt(2.0))
        at_end = np.zeros(order, x.dtype)  # B0
        at_end[0], at_end[1::2] = 1.0, root
        turn = (2 * math.pi * np.arange(1, pairs + 1)).astype(x.dtype)

        # ``d = K share R x + p K B0`` with ``K = (I - i R/theta)^-1``; p takes the coupling along, so nothing cancels.
        q = number(a) * share[..., None] * turn
        kept = 1 / (1 + q * q)
        angle = kept * share[..., None] * turn  # <= 1/(2 a), however long the gap
        turned, coupled = np.zeros_like(x), np.zeros((*np.shape(share), order), x.dtype)
        turned[:, cosine] = angle * (x[:, sine] - q * x[:, cosine])
        turned[:, sine] = -angle * (x[:, cosine] + q * x[:, sine])
        coupled[...] = at_end
        coupled[..., cosine] = root * kept
        coupled[..., sine] = -root * q * kept
        weight = 2 * share
        missing = samples - x @ at_end - number(a) * (turned @ at_end)
        push = missing * (weight / (1 + number(a) * weight * (coupled @ at_end)))
        change: FloatArray = turned + coupled * push[:, None]
        return change
