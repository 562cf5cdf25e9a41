"""What a discretization gives to a backend: steps, as plain float64 arrays that no sample enters.

Three kinds of steps cover every rule. ``u_k`` is the sample that step k reads, ``u_{k-1}`` the one before it; a scale
law runs on ``x = c/s_n`` (`Operator.scale`), where LegS has integer entries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from hippo_fast.operators.base import Operator, unscaled
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
    arrays has shape ``(K,)``, one entry for each step.
    """

    total: Float64Array
    implicit: Float64Array
    now: Float64Array
    before: Float64Array

    def __len__(self) -> int:
        """Return the number of steps K."""
        return int(self.total.size)


@dataclass(frozen=True)
class StretchSteps:
    """Hold-exact steps of LegS, see `legendre.stretch_increments` for ``G``.

    ``x' = x + gap G (x - v e_0) + (u_k - u_{k-1}) w``: with ``linear`` false, ``v = u_k`` and ``w = 0``; with
    ``linear`` true, ``v = u_{k-1}`` and ``w`` is the unit ramp on the step, see `legendre.linear_piece_weights`.

    Attributes:
        ratio: ``(K,)``, the time before the step over the time after it.
        gap: ``(K,)``, one minus that, computed without cancellation.
        linear: the input is piecewise linear, not piecewise constant.
    """

    ratio: Float64Array
    gap: Float64Array
    linear: bool

    def __len__(self) -> int:
        """Return the number of steps K."""
        return int(self.gap.size)


Steps: TypeAlias = ConstantSteps | PrefixSteps | StretchSteps


class Discretization(ABC):
    """One rule. Abstract; subclasses are final.

    Attributes:
        key: the name users pass.
        reads: ``"cells"`` (sample k is the input on cell k) or ``"nodes"`` (sample k is the input at time k).
        time_laws: the laws that the rule is offered for.
        first_time: default time of sample 0 under a scale law; later samples follow one by one.
        first_time_positive: the time of sample 0 must be > 0.
        starts_on_piece: from time 0 under a scale law, state 1 is the projection of the first linear piece.
    """

    key: ClassVar[str]
    reads: ClassVar[Literal["cells", "nodes"]]
    time_laws: ClassVar[tuple[TimeLaw, ...]]
    first_time: ClassVar[float]
    first_time_positive: ClassVar[bool]
    starts_on_piece: ClassVar[bool]

    @abstractmethod
    def scale_steps(self, before: Float64Array, after: Float64Array) -> Steps:
        """Return the steps from times ``before`` ``(K,)`` to times ``after`` ``(K,)`` of LegS."""

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
