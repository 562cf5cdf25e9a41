"""juniper-recurrence-model: a Legendre memory unit for uneven steps, through the eigenvectors of its matrix."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from verify.adapters.base import Adapter
from verify.case import Case


@lru_cache(maxsize=8)
def _memory(order: int, theta: float) -> Any:
    from juniper_recurrence_model.units.lmu_varstep import VariableStepLMUMemory  # noqa: PLC0415 -- a guest

    return VariableStepLMUMemory(order, theta)


class _Memory:
    """`VariableStepLMUMemory` at the even step of a case."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def matrices(self, order: int) -> tuple[Any, Any]:
        """``lmu_matrices``, which are those of a window of 1."""
        from juniper_recurrence_model.units.lmu_varstep import lmu_matrices  # noqa: PLC0415

        A, B = lmu_matrices(order)
        theta = self._case.float_parameters["theta"]
        return A / theta, B / theta

    def step(self, state: Any, sample: float, k: int) -> Any:
        """``Abar m + Bbar u`` with the matrices of ``step_matrices``."""
        Abar, Bbar = _memory(self._case.order, self._case.float_parameters["theta"]).step_matrices(self._case.dt)
        return Abar @ state + Bbar[:, 0] * sample

    def scan(self, samples: Any, order: int) -> Any:
        """``rollout``, whose row k has not read sample k: a further sample brings the rows in step."""
        memory = _memory(order, self._case.float_parameters["theta"])
        steps = np.full(len(samples) + 1, self._case.dt)
        return memory.rollout(np.append(samples, 0.0), steps)[1:]


class Juniper(Adapter):
    """The memory alone; what is learned around it is not part of the operator."""

    key = "juniper-lmu"
    summary = "juniper_recurrence_model: VariableStepLMUMemory, zoh through the eigenvectors of A"
    distribution = "juniper-recurrence-model"
    levels = ("matrices", "step", "scan")
    measures = {"lmu": {}}  # noqa: RUF012 -- read only
    methods = ("zoh",)
    # Its matrices come out of an eigendecomposition.
    normwise = True

    def bind(self, case: Case) -> Any:
        """The memory of a case."""
        return _Memory(case)
