"""What a discretization is: one step of an invariant law as matrices, one step of LegS as O(N) arithmetic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from mpmath import mpf

from hippo_ref.fixed import Integers
from hippo_ref.precision import Vector

TimeLaw = Literal["scale", "invariant"]
Times: TypeAlias = tuple[Fraction, ...]


@dataclass(frozen=True)
class Discretization(ABC):
    """A rule that turns samples into states, for both time laws; subclasses are final.

    A step to sample k reads the samples ``k, k-1, .., k-r`` with ``r = min(reach, k)``. A rule that reads earlier
    samples reads nodes: a sample is the value at one time. The others read cells: it is the input on a whole step.

    Times and samples are handed over newest first. LegS steps act on ``x_n = c_n/s_n``, in which the system is
    rational, as fixed-point integers, and may keep another inner form between steps: ``enter`` and ``leave`` convert.
    All methods work at the working precision of the caller.

    Attributes:
        key: its name, by which ``discretization`` finds it.
    """

    key: str

    @property
    @abstractmethod
    def reach(self) -> int:
        """How many samples before its own a step reads, where there are so many."""

    @property
    @abstractmethod
    def first_time(self) -> int:
        """LegS time of sample 0 when none is given; sample k is one unit later than sample k-1."""

    @property
    @abstractmethod
    def nominal_order(self) -> Mapping[TimeLaw, int]:
        """Order of convergence against the law's exact state, for smooth input read at nodes or midpoints of cells."""

    @property
    def one_sample(self) -> bool:
        """A step reads its own sample only."""
        return self.reach == 0

    @property
    def reads(self) -> Literal["cells", "nodes"]:
        """What a sample is."""
        return "cells" if self.one_sample else "nodes"

    @abstractmethod
    def invariant(self, A: list[Vector], B: Vector, h: mpf) -> tuple[list[Vector], list[Vector]]:
        """``M`` (N, N) and responses ``W_j`` (N,) of a step h: ``c' = M c + sum_j a_j W_j``, ``a`` from ``drive``."""

    @abstractmethod
    def drive(self, times: Times, values: Sequence[int]) -> Integers:
        """The numbers ``a_j`` of a step of an invariant law that ends at ``times[0]`` and began at ``times[1]``."""

    @abstractmethod
    def guard(self, order: int) -> int:
        """Bits that the inner form of LegS states is known to lose."""

    @abstractmethod
    def enter(self, x: Integers) -> Integers:
        """Inner form of a LegS state ``x_n = c_n/s_n``."""

    @abstractmethod
    def advance(self, inner: Integers, times: Times, values: Sequence[int]) -> Integers:
        """One LegS step from ``times[1]`` to ``times[0]``, ``0 <= times[1] < times[0]``."""

    @abstractmethod
    def leave(self, inner: Integers) -> Integers:
        """``x_n = c_n/s_n`` of an inner form."""


def legs_implicit(x: Integers, p: int, q: int, d: int, w: int) -> Integers:
    """Solve ``(I - (p/d) A) y = (I + (q/d) A) x + (w/d) B`` for LegS in O(N), with everything divided by s_n.

    Row n of ``A x`` is ``-(n+1) x_n - sum_{j<n} (2j+1) x_j`` and ``B`` is 1, so one prefix sum serves both sides. In
    integers the only rounding is the one division per coefficient. HiPPO proposition 4.
    """
    y: Integers = []
    pending = w
    for n, value in enumerate(x):
        solved = ((d - q * (n + 1)) * value + pending) // (d + p * (n + 1))
        y.append(solved)
        pending -= (2 * n + 1) * (p * solved + q * value)
    return y
