"""scipy.signal: `cont2discrete`, the discretization inside many libraries, and `dlsim`, which runs its result."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from verify.adapters.base import Adapter
from verify.adapters.scan_base import exact_system
from verify.bounds import gbt_weight
from verify.case import Case

_RULES = {
    "bilinear": "bilinear",
    "backward_euler": "backward_diff",
    "euler": "euler",
    "zoh": "zoh",
    "trapezoid": "bilinear",
    "foh": "foh",
}
"""Rule here -> method of `cont2discrete`."""
OUTPUT = ("trapezoid", "foh")
"""Rules that read nodes: scipy keeps them in shifted states, and the states of the law are the outputs of C = 1."""
LARGEST_EULER = {"legs": 4}
"""Beyond, forward Euler grows until half of the digits are lost, whoever takes the step; 16 where nothing is said."""


@lru_cache(maxsize=1024)
def _discrete(case: Case, k: int) -> tuple[Any, Any, Any, Any]:
    """``cont2discrete`` of the step that reads sample k, for C = 1 and D = 0."""
    import scipy.signal  # noqa: PLC0415 -- a guest, imported in the worker

    A, B = exact_system(case)
    dt = case.dt if case.dt is not None else math.log1p(1 / k) if case.method == "zoh" else 1 / k
    system = (A, B[:, None], np.eye(case.order), np.zeros((case.order, 1)))
    rule, weight = _RULES.get(case.method, "gbt"), gbt_weight(case.method)
    return tuple(scipy.signal.cont2discrete(system, dt, rule, weight)[:4])


class _Discretized:
    """The exact operator, discretized and run by scipy."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def step(self, state: Any, sample: float, k: int) -> Any:
        """``x' = A_d x + B_d u`` with the matrices of `cont2discrete`; LegS starts from a copy of its first sample."""
        if self._case.dt is None and k == 0:
            return sample * np.eye(len(state))[0]
        Ad, Bd, _, _ = _discrete(self._case, max(k, 1))
        return Ad @ state + Bd[:, 0] * sample

    def scan(self, samples: Any, order: int) -> Any:
        """`dlsim` of an invariant law; LegS, whose step changes, has no such system and goes step by step."""
        import scipy.signal  # noqa: PLC0415

        if self._case.dt is None:
            states = [samples[0] * np.eye(order)[0]]
            for k in range(1, len(samples)):
                states.append(self.step(states[-1], samples[k], k))
            return np.array(states)
        Ad, Bd, Cd, Dd = _discrete(self._case, 1)
        if self._case.method in OUTPUT:
            # The law is silent at node 0: that state is given to scipy, as the shifted one whose output is zero there.
            start = -np.linalg.solve(Cd, Dd[:, 0] * samples[0])
            outputs = scipy.signal.dlsim((Ad, Bd, Cd, Dd, self._case.dt), samples, x0=start)[1]
            return np.concatenate([np.zeros((1, order)), outputs[1:]])
        # State k of dlsim has not read sample k: a further sample, read by no state that is kept, brings them in step.
        return scipy.signal.dlsim((Ad, Bd, Cd, Dd, self._case.dt), np.append(samples, 0.0))[2][1:]


class ScipySignal(Adapter):
    """`cont2discrete` and `dlsim` on exact operators."""

    key = "scipy-cont2discrete"
    summary = "scipy.signal.cont2discrete and dlsim on the exact operator, judged as discretization and scan"
    distribution = "scipy"
    levels = ("step", "scan")
    measures = {"legs": {}, "legt": {}, "fout": {}}  # noqa: RUF012 -- read only
    methods = (*_RULES, "gbt(a)")

    def refuse(self, case: Case) -> str | None:
        """What `cont2discrete` cannot say of LegS, whose step is another at every sample."""
        if case.measure == "legs" and case.method in OUTPUT:
            return f"cont2discrete has {case.method} for a fixed step only, and LegS has another step at every sample"
        largest = LARGEST_EULER.get(case.measure, 16)
        if case.method == "euler" and case.order > largest:
            return f"forward Euler on {case.measure} is unusable above order {largest}, whoever takes the step"
        if case.level == "step" and case.method in OUTPUT:
            return f"{case.method} reads two nodes: its state in scipy is a shifted one"
        return None

    def bind(self, case: Case) -> Any:
        """The exact operator of the case, discretized by its rule."""
        return _Discretized(case)
