"""Fixed-point integers: a state as N integers over ``2^F``, F the working precision.

An inner product is exact until its one final shift, and integers are several times faster than mpf objects. Only
normwise accuracy is claimed: inputs are first scaled to size one, and ``settle`` raises F until two runs agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import mul
from typing import TypeAlias

from mpmath import libmp, mp, mpf

from hippo_ref.precision import Vector

Integers: TypeAlias = list[int]


def to_fixed(values: Iterable[mpf]) -> Integers:
    """Integers ``value 2^F``, truncated, with F = mp.prec."""
    return [libmp.to_fixed(value._mpf_, mp.prec) for value in values]


def from_fixed(values: Iterable[int]) -> Vector:
    """The mpf ``value/2^F``, exactly."""
    return [mp.make_mpf(libmp.from_man_exp(value, -mp.prec)) for value in values]


def dot(a: Sequence[int], b: Iterable[int]) -> int:
    """``sum a_i b_i`` over ``2^F`` (one factor is fixed point, the result is over ``2^(2F)``): not yet shifted."""
    return sum(map(mul, a, b))
