"""Rounding bounds, derived step by step from the data of the case; no tolerance is chosen by hand.

Every comparison has two limits.

*Forward limit*, which a PASS must keep: each step is as accurate as a product with correctly formed discrete matrices,
``c' = G c + g u``. Its local error is at most ``gamma_p (|G| |c| + |g| |u|)`` with ``p = 6N + 24`` (Higham, Accuracy
and Stability of Numerical Algorithms, 2nd ed., section 3.1: N for the product, the rest for forming G and the sum).

*Backward limit*, which a FAIL must exceed: each step ``M c' = R c + q u`` is solved by any backward-stable way:
triangular or LU solve, or a matrix ``G = M^-1 R`` formed beforehand, with A and B rounded. Its local error is at most

    gamma_p |M^-1| ( W (|G| |c| + |g| |u|) + |R| |c| + |q| |u| ),    W = |L| |U| >= |M|,

entry by entry, with the same p (Higham, theorems 8.5 and 9.4, section 14.1: 3N for the factorisation, N each for
forming, applying and adding up). Between the two limits no verdict is given: the error may be rounding, or a defect
too small to be told from it.

*Propagation.* In the coordinates ``D c`` given by `weights` the symmetric part of every operator here is negative
semidefinite (the structure identities ``A + A^T = -I - s s^T`` and their like), so the transition of GBT(a >= 1/2) and
of the holds is a contraction in the Euclidean norm, and local errors simply add; under an invariant law the trapezoid
rule has bilinear's transition. For the other rules (GBT(a < 1/2), trapezoid on LegS), and for measures without such an
identity (Jacobi windows), the norms of the products of transitions are computed.

Here ``gamma_p = p u / (1 - p u)`` for unit roundoff u. The majorants are evaluated in float64 and inflated by
`EVALUATION`, which covers their own rounding.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24}
LARGEST = {"float64": 1.7e308, "float32": 3.4e38}
SMALLEST_NORMAL = {"float64": 2.0**-1022, "float32": 2.0**-126}
EVALUATION = 1.01
"""Covers the rounding of a majorant itself: relative 1e-10 at most, since M has a condition number below N^2."""
GBT = {"euler": 0.0, "bilinear": 0.5, "backward_euler": 1.0}
"""The weight a of the generalized bilinear rules."""
HOLDS = {"zoh": 0, "foh": 1}
"""The degree of the polynomial through the last samples, for the rules that are exact for it."""
DISSIPATIVE = ("legs", "legt", "lmu", "lagt", "fout", "legs_lti")
"""Measures with a structure identity: ``D A D^-1`` has a negative semidefinite symmetric part."""
CONTRACTING = ("bilinear", "backward_euler", "zoh", "foh")
"""Named rules that contract under either law; `contracts` knows the families and the trapezoid rule too."""
SOURCE = "rounding of each step (Higham 2002, ch. 3, 8, 9, 14), added up through the contraction of the exact operator"


def gamma(operations: float, dtype: str) -> float:
    """``p u / (1 - p u)`` for p rounding errors in a row; inf once p u reaches 1."""
    product = operations * ROUNDOFF[dtype]
    return product / (1 - product) if product < 1 else math.inf


@lru_cache
def gbt_weight(method: str) -> float | None:
    """The weight a of a generalized bilinear rule, ``gbt(1/3)`` among them; None for another rule."""
    member = re.fullmatch(r"gbt\(([0-9./]+)\)", method)
    return GBT.get(method) if member is None else float(Fraction(member[1]))


@lru_cache
def hold_degree(method: str) -> int | None:
    """The degree of a hold, ``hold(2)`` among them; None for another rule."""
    member = re.fullmatch(r"hold\(([0-3])\)", method)
    return HOLDS.get(method) if member is None else int(member[1])


@dataclass(frozen=True)
class Limits:
    """The two limits of a comparison.

    Attributes:
        forward: a PASS needs an error of at most this.
        backward: a FAIL needs an error above this; never below ``forward``.
        source: where both come from.
    """

    forward: Array
    backward: Array
    source: str = SOURCE

    def __post_init__(self) -> None:
        if not np.all(self.backward >= self.forward):
            raise ValueError("a backward limit below the forward limit would fail what it passes")


def weights(measure: str, parameters: Mapping[str, float], order: int) -> Array:
    """(N,) diagonal D in which ``D A D^-1`` has a negative semidefinite symmetric part.

    D_0 = 1. The orthonormal bases need no scaling; LMU is LegT scaled by ``s_n (-1)^n``; LagT's triangle of ones is
    scaled by ``Lam_n = sqrt(Gamma(n + alpha + 1) / n!)``, taken relative to ``Lam_0``.
    """
    n = np.arange(order)
    if measure == "lmu":
        return np.asarray(1 / np.sqrt(2.0 * n + 1))
    if measure == "lagt":
        alpha = parameters.get("alpha", 0.0)
        logs = [0.5 * (math.lgamma(i + alpha + 1) - math.lgamma(i + 1) - math.lgamma(alpha + 1)) for i in n]
        return np.asarray(np.exp(np.array(logs)))
    return np.ones(order)


@dataclass(frozen=True, eq=False)
class Operator:
    """What the bounds need to know of a case: its exact operator in float64, its rule and its clock.

    Compared by identity, so that what is computed from one can be kept; the oracle hands out one per case and rule.

    Attributes:
        measure: key of the measure.
        parameters: its parameters.
        A: (N, N) rows.
        B: (N,) entries.
        method: discretization rule.
        dt: sample spacing, None under the scale law.
        times: times of the samples under the scale law (zoh: ends of the cells), where they are not evenly spaced.
    """

    measure: str
    parameters: tuple[tuple[str, float], ...]
    A: tuple[tuple[float, ...], ...]
    B: tuple[float, ...]
    method: str
    dt: float | None
    times: tuple[float, ...] | None = None

    @property
    def order(self) -> int:
        """Number of coefficients N."""
        return len(self.B)

    @property
    def reach(self) -> int:
        """How many samples before its own a step reads, where there are so many."""
        return 1 if self.method == "trapezoid" else hold_degree(self.method) or 0

    @property
    def contracts(self) -> bool:
        """Whether no transition makes an error larger, in the weighted norm."""
        if self.measure not in DISSIPATIVE:
            return False
        a = gbt_weight(self.method)
        if a is not None:
            return a >= 0.5
        return hold_degree(self.method) is not None or (self.method == "trapezoid" and self.dt is not None)

    @property
    def starts_silent(self) -> bool:
        """Whether state 0 is zero: an invariant law that reads nodes has seen no input at time 0."""
        return self.dt is not None and self.reach > 0

    def node(self, k: int) -> float:
        """Time of sample k under the scale law: k, or k + 1 for zoh, unless `times` says otherwise."""
        if self.times is not None:
            return self.times[k]
        return float(k + 1 if hold_degree(self.method) == 0 else k)

    @property
    def weights(self) -> Array:
        """(N,) diagonal D of the norm in which errors are judged."""
        return weights(self.measure, dict(self.parameters), self.order)

    @property
    def roundings(self) -> int:
        """How many roundings p an entry of a step may carry, in either limit."""
        return 6 * self.order + 24

    def gamma(self, dtype: str) -> float:
        """``gamma_p``, the factor of both limits."""
        return gamma(self.roundings, dtype)
