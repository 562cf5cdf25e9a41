"""Array aliases and the small frozen objects that every module shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Float64Array: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]
TimeLaw: TypeAlias = Literal["scale", "invariant"]
Output: TypeAlias = Literal["states", "last"]


@dataclass(frozen=True)
class System:
    """A measure's ODE in signed form.

    ``invariant``: ``dc/dt = A c + B f``; ``scale``: ``dc/dt = (A c + B f) / t``.

    Attributes:
        A: ``(N, N)`` float64; per unit of time for an invariant law, dimensionless for a scale law.
        B: ``(N,)`` float64, in the same unit as ``A``.
        time_law: ``"scale"`` or ``"invariant"``.

    Raises:
        ValueError: ``A`` is not square, ``B`` does not match it, or the time law is unknown.
    """

    A: Float64Array
    B: Float64Array
    time_law: TimeLaw

    def __post_init__(self) -> None:
        if self.A.ndim != 2 or self.A.shape[0] != self.A.shape[1] or self.B.shape != self.A.shape[:1]:
            raise ValueError(f"A and B have shapes {self.A.shape} and {self.B.shape}; accepted: (N, N) and (N,)")
        if self.time_law not in ("scale", "invariant"):
            raise ValueError(f"time_law is {self.time_law!r}; accepted: 'scale' or 'invariant'")


@dataclass(frozen=True)
class Parameters:
    """The numbers that select a member of a family of measures.

    Attributes:
        theta: window length of ``legt``, ``lmu`` and ``fout``, in units of time.
        alpha: exponent of the Laguerre weight of ``lagt``, dimensionless.
        beta: tilt of the Laguerre weight of ``lagt``, dimensionless.
    """

    theta: float = 1.0
    alpha: float = 0.0
    beta: float = 1.0
