"""python-control: `c2d` and `forced_response` on exact operators of invariant laws."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from verify.adapters.base import Adapter
from verify.adapters.scan_base import exact_system
from verify.bounds import gbt_weight
from verify.case import Case

_RULES = {"bilinear": "bilinear", "backward_euler": "backward_diff", "euler": "euler", "zoh": "zoh"}
"""Rule here -> method of `c2d`."""
LARGEST_EULER = 16
"""Beyond, forward Euler grows until half of the digits are lost, whoever takes the step."""


@lru_cache(maxsize=16)
def _discrete(case: Case) -> Any:
    import control  # noqa: PLC0415 -- a guest, imported in the worker

    A, B = exact_system(case)
    system = control.ss(A, B[:, None], np.eye(case.order), np.zeros((case.order, 1)))
    return control.c2d(system, case.dt, _RULES.get(case.method, "gbt"), gbt_weight(case.method))


class _Discretized:
    """The exact operator, discretized and run by python-control."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def step(self, state: Any, sample: float, k: int) -> Any:
        """``x' = A x + B u`` with the matrices of `c2d`."""
        discrete = _discrete(self._case)
        return discrete.A @ state + discrete.B[:, 0] * sample

    def scan(self, samples: Any, order: int) -> Any:
        """`forced_response`, whose state k has not read sample k: a further sample brings the states in step."""
        import control  # noqa: PLC0415

        inputs = np.append(samples, 0.0)
        return control.forced_response(_discrete(self._case), inputs=inputs).states.T[1:]


class Control(Adapter):
    """`c2d` and `forced_response`."""

    key = "control-c2d"
    summary = "control.c2d and forced_response on the exact operator, judged as discretization and scan"
    distribution = "control"
    levels = ("step", "scan")
    measures = {"legt": {}, "fout": {}}  # noqa: RUF012 -- read only
    methods = (*_RULES, "gbt(a)")

    def refuse(self, case: Case) -> str | None:
        """Where the rule itself is unusable."""
        if case.method == "euler" and case.order > LARGEST_EULER:
            return f"forward Euler on {case.measure} is unusable above order {LARGEST_EULER}, whoever takes the step"
        return None

    def bind(self, case: Case) -> Any:
        """The exact operator of the case, discretized by its rule."""
        return _Discretized(case)
