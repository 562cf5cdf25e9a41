"""What a discretization is: one step of an invariant law as matrices, one step of LegS as O(N) arithmetic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from mpmath import mpf

from hippo_ref.fixed import Integers
from hippo_ref.precision import Vector

TimeLaw = Literal["scale", "invariant"]


@dataclass(frozen=True)
class Discretization(ABC):
    """A rule that turns samples into states; a value without data, its subclasses final.

    LegS steps act on ``x_n = c_n/s_n``, in which the system is rational, as fixed-point integers, and may keep another
    inner form between steps: ``enter`` and ``leave`` convert. All methods work at the caller's working precision.

    Attributes:
        key: name in the table.
        reads: ``"cells"`` (a sample is the input on the step's whole interval) or ``"nodes"`` (its value at the end).
        time_laws: the laws the rule is defined for.
        one_sample: a step reads its own sample only, not the one before.
        nominal_order: by time law, the order of convergence against the law's exact state, for smooth input that is
            read at nodes or at the midpoints of cells.
        first_time: LegS time of sample 0 when none is given; sample k is one unit later than sample k-1.
    """

    key: ClassVar[str]
    reads: ClassVar[Literal["cells", "nodes"]]
    time_laws: ClassVar[tuple[TimeLaw, ...]]
    one_sample: ClassVar[bool]
    nominal_order: ClassVar[Mapping[TimeLaw, int]]
    first_time: ClassVar[int]

    @abstractmethod
    def invariant(self, A: list[Vector], B: Vector, h: mpf) -> tuple[list[Vector], Vector]:
        """Matrices of ``c' = M c + v u`` for step h: (N, N) rows and (N,)."""

    @abstractmethod
    def guard(self, order: int) -> int:
        """Bits that the inner form of LegS states is known to lose."""

    @abstractmethod
    def enter(self, x: Integers) -> Integers:
        """Inner form of a LegS state ``x_n = c_n/s_n``."""

    @abstractmethod
    def advance(self, inner: Integers, before: Fraction, after: Fraction, last: int, sample: int) -> Integers:
        """One LegS step from time ``before`` to ``after`` (0 <= before < after), reading ``sample`` after ``last``."""

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
