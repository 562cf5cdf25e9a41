"""What a discretization gives to a backend: steps, as plain float64 arrays that no sample enters.

Five kinds of steps cover every rule. ``u_k`` is the sample that step k reads, ``u_{k-1}`` the one before it; a scale
law runs on ``x = c/s_n`` (`Operator.scale`), where LegS has integer entries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from hippo_fast.operators.base import Operator, unscaled
from hippo_fast.structured import Structure
from hippo_fast.types import Float64Array, Parameters, TimeLaw


@dataclass(frozen=True)
class ConstantSteps:
    """Every step is ``c' = c + (increment c + gain u)``.

    Keeping the identity apart rounds each step at the size of its change, so small steps lose nothing.

    Attributes:
        increment: ``(N, N)``.
        gain: ``(N,)``.
    """

    increment: Float64Array
    gain: Float64Array


@dataclass(frozen=True)
class PrefixSteps:
    """``O(N)`` steps of LegS: ``x' - x = A (total x + implicit (x' - x)) + B (now u_k + before u_{k-1})``.

    With ``d = x' - x`` and ``Q_n = now u_k + before u_{k-1} - sum_{j<n} (2 j + 1) (total x_j + implicit d_j)`` row n is
    ``(1 + implicit (n + 1)) d_n = Q_n - (n + 1) total x_n``: one running sum and no cancellation. Each of the four
    arrays has shape ``(K,)``, one entry for each step, or ``(S, K)`` where each stream has steps of its own.
    """

    total: Float64Array
    implicit: Float64Array
    now: Float64Array
    before: Float64Array

    def __len__(self) -> int:
        """Return the number of steps K."""
        return int(self.total.shape[-1])


@dataclass(frozen=True)
class EvenSteps:
    """The `PrefixSteps` of LegS at the times ``first, first + 1, ...``, without arrays.

    GBT(a): ``total = now = 1/k``, ``implicit = a/k``, ``before = 0`` for the step that ends at time ``k``. The
    trapezoid: ``now = implicit = 1/(2 k)``, ``before = 1/(2 (k - 1))``, ``total`` their sum. In both
    ``(1 + implicit (n + 1)) k`` is an integer or half of one, so that its reciprocals come from one table.

    Attributes:
        first: the time ``k`` at which the first step ends, >= 1; for the trapezoid >= 2.
        count: number of steps K.
        implicit: ``a``, the weight of the end of the step: 0, 1/2 or 1.
        explicit_at_start: the explicit side stands at the time at which the step starts (the trapezoid).
    """

    first: int
    count: int
    implicit: float
    explicit_at_start: bool

    def __len__(self) -> int:
        """Return the number of steps K."""
        return self.count

    def prefix(self) -> PrefixSteps:
        """Return the same steps as arrays."""
        k = np.arange(self.first, self.first + self.count, dtype=np.float64)
        if not self.explicit_at_start:
            return PrefixSteps(total=1.0 / k, implicit=self.implicit / k, now=1.0 / k, before=np.zeros_like(k))
        explicit, implicit = 0.5 / (k - 1.0), 0.5 / k
        return PrefixSteps(total=explicit + implicit, implicit=implicit, now=implicit, before=explicit)


@dataclass(frozen=True)
class StretchSteps:
    """Hold-exact steps of LegS, see `legendre.stretch_increments` for ``G``.

    ``x' = x + gap G (x - v e_0) + (u_k - u_{k-1}) w``: with ``linear`` false, ``v = u_k`` and ``w = 0``; with
    ``linear`` true, ``v = u_{k-1}`` and ``w`` is the unit ramp on the step, see `legendre.linear_piece_weights`.

    Attributes:
        ratio: ``(K,)`` or ``(S, K)``, the time before the step over the time after it.
        gap: ``(K,)``, one minus that, computed without cancellation.
        linear: the input is piecewise linear, not piecewise constant.
    """

    ratio: Float64Array
    gap: Float64Array
    linear: bool

    def __len__(self) -> int:
        """Return the number of steps K."""
        return int(self.gap.shape[-1])


@dataclass(frozen=True)
class GapSteps:
    """Steps of an invariant law, each with a gap of its own.

    Attributes:
        gaps: ``(K,)`` or, for a gap of its own in each stream, ``(S, K)``; length of each step in units of time.
        step_of: the matrices of the rule for one gap; ``O(N^3)`` for each.
        structure: what makes a step ``O(N)``; None for a rule that has no such form.
        implicit: ``a`` of GBT(a), what the structure is run with.
    """

    gaps: Float64Array
    step_of: Callable[[float], ConstantSteps]
    structure: Structure | None
    implicit: float


Steps: TypeAlias = ConstantSteps | GapSteps | EvenSteps | PrefixSteps | StretchSteps


class Discretization(ABC):
    """One rule. Abstract; subclasses are final.

    Attributes:
        key: the name users pass.
        reads: ``"cells"`` (sample k is the input on cell k) or ``"nodes"`` (sample k is the input at time k).
        time_laws: the laws that the rule is offered for.
        first_time: default time of sample 0 under a scale law; later samples follow one by one.
        first_time_positive: the time of sample 0 must be > 0.
        starts_on_piece: from time 0 under a scale law, state 1 is the projection of the first linear piece.
        implicit: ``a`` of GBT(a); None for any other rule.
    """

    key: ClassVar[str]
    reads: ClassVar[Literal["cells", "nodes"]]
    time_laws: ClassVar[tuple[TimeLaw, ...]]
    first_time: ClassVar[float]
    first_time_positive: ClassVar[bool]
    starts_on_piece: ClassVar[bool]
    implicit: ClassVar[float | None] = None

    @abstractmethod
    def scale_steps(self, before: Float64Array, after: Float64Array) -> Steps:
        """Return the steps from times ``before`` ``(K,)`` to times ``after`` ``(K,)`` of LegS."""

    def even_steps(self, first: int, count: int) -> EvenSteps | None:
        """Return the steps of LegS that end at ``first, first + 1, ...``; None where the rule has no `EvenSteps`."""
        return None

    @abstractmethod
    def invariant_steps(self, operator: Operator, order: int, parameters: Parameters, dt: float) -> ConstantSteps:
        """Return the one step of an invariant law, repeated for each sample.

        Raises:
            NotImplementedError: the rule is not offered for invariant laws.
        """


def bilinear_scale_steps(before: Float64Array, after: Float64Array, a: float) -> PrefixSteps:
    """Return GBT(a) on LegS, ``h = (after - before)/after`` on both sides (HiPPO, section 2.4 and appendix)."""
    h = (after - before) / after
    return PrefixSteps(total=h, implicit=a * h, now=h, before=np.zeros_like(h))


def bilinear_invariant_steps(
    operator: Operator, order: int, parameters: Parameters, dt: float, a: float
) -> ConstantSteps:
    """Return GBT(a), ``(I - a h A) c' = (I + (1 - a) h A) c + h B u``, as ``c' - c = (I - a h A)^-1 h (A c + B u)``."""
    system = operator.system(order, parameters)
    if a == 0.0:
        return ConstantSteps(dt * system.A, dt * system.B)
    scale = operator.scale(order)
    balanced = unscaled(system, scale)
    right = dt * np.column_stack([balanced.A, balanced.B])
    solved = np.linalg.solve(np.eye(order) - (a * dt) * balanced.A, right)
    return ConstantSteps(solved[:, :order] * scale[:, None] / scale[None, :], solved[:, order] * scale)
