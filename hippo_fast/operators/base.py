"""What every measure of the fast side offers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from hippo_fast.structured import Structure
from hippo_fast.types import Float64Array, Parameters, System, TimeLaw


class Operator(ABC):
    """One measure: its float64 ``(A, B)``, its basis, and its exact propagator. Abstract; subclasses are final.

    Attributes:
        key: the name users pass.
        time_law: ``"scale"`` or ``"invariant"``.
        parameters: names of the parameters that belong to the measure.
        closed: the ODE replaces a value that it does not know by its own estimate, so its state is not the projection.
    """

    key: str
    time_law: TimeLaw
    parameters: tuple[str, ...]
    closed: bool

    @abstractmethod
    def system(self, order: int, parameters: Parameters) -> System:
        """Return ``A`` ``(N, N)`` and ``B`` ``(N,)`` in signed form, each entry within a few ulp."""

    @abstractmethod
    def basis(self, order: int, points: Float64Array, parameters: Parameters) -> Float64Array:
        """Return what coefficient n is multiplied by at each point, shape ``(..., N)`` for ``points`` ``(...,)``.

        Points are fractions of the window in [0, 1], oldest first.

        Raises:
            ValueError: the measure has no such fraction at a point.
        """

    @abstractmethod
    def scale(self, order: int) -> Float64Array:
        """Return the diagonal ``T``, ``(N,)``, with ``c = T x``; the recurrences are run, or prepared, on ``x``."""

    @abstractmethod
    def structure(self, order: int, parameters: Parameters) -> Structure:
        """Return the law in a form whose implicit steps cost ``O(N)``.

        Raises:
            NotImplementedError: the measure has a scale law.
        """

    @abstractmethod
    def hold_increment(self, order: int, parameters: Parameters, dt: float) -> tuple[Float64Array, Float64Array]:
        """Return ``exp(dt A) - I`` ``(N, N)`` and the integral of ``exp(s A) B`` over ``[0, dt]`` ``(N,)``.

        Raises:
            NotImplementedError: the measure has a scale law, whose propagator depends on a ratio of times.
        """


def unscaled(system: System, scale: Float64Array) -> System:
    """Return the system of ``x`` where ``c = diag(scale) x``: ``T^-1 A T`` and ``T^-1 B``."""
    return System(system.A / scale[:, None] * scale[None, :], system.B / scale, system.time_law)


def general_hold_increment(system: System, dt: float) -> tuple[Float64Array, Float64Array]:
    """Return ``exp(dt A) - I`` and the hold's gain for any invariant system, as one matrix exponential.

    ``exp([[dt A, V], [0, 0]])`` holds ``phi(dt A) V`` in its upper right block, ``phi(z) = (e^z - 1)/z``. With
    ``V = dt [A, B]`` scaled to unit norm the block is the increment itself, so that nothing cancels for small ``dt``.
    """
    from scipy.linalg import expm  # noqa: PLC0415  (slow to import, needed by this rule alone)

    order = system.B.size
    scaled = dt * np.column_stack([system.A, system.B])
    norm = float(np.abs(scaled).sum(axis=0).max())
    augmented = np.zeros((2 * order + 1, 2 * order + 1))
    augmented[:order, :order] = dt * system.A
    augmented[:order, order:] = scaled / norm
    block = np.asarray(expm(augmented), dtype=np.float64)[:order, order:] * norm
    return block[:, :order], block[:, order]
