"""Our own fast side, through the same door as a stranger's; the only place of `verify` that imports `hippo_fast`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from verify.adapters.base import Adapter
from verify.case import STEPPING, Case

MEASURES = ("legs", "legt", "lmu", "lagt", "fout", "legs_lti")
METHODS = ("bilinear", "backward_euler", "euler", "zoh", "trapezoid", "foh")
UPDATE_WEIGHTS = {"euler": 0.0, "bilinear": 0.5, "backward_euler": 1.0}

ACCELERATOR = Path("/dev/nvidiactl")
"""There where the driver of a CUDA device is loaded; torch is not imported to find out."""
LARGEST_EULER = 4
"""Beyond, forward Euler on LegS grows so far that float32 loses half its digits: 1e4 at N = 8, 1e21 at N = 32."""


class Own(Adapter):
    """One backend of `hippo_fast`."""

    dtypes = ("float64", "float32")
    measures = {measure: {} for measure in MEASURES}  # noqa: RUF012 -- read only
    methods = METHODS

    def __init__(self, backend: str, output: str = "states") -> None:
        self.backend = backend
        self.output = output
        self.key = f"hippo-fast-{backend}" if output == "states" else f"hippo-fast-{backend}-{output}"
        self.summary = f"hippo_fast.scan on {backend}" + (", the last state alone" if output == "last" else "")
        self.needs = {"numba": "numba", "torch": "torch"}.get(backend)
        # Operators, single updates and read-outs are numpy whatever runs the scan; gradients are torch's.
        own = {"numpy": ("matrices", "step", "reconstruct"), "torch": ("gradient",)}.get(backend, ())
        self.levels = (*own, "scan", "timed_scan", "batch_scan")
        if backend == "torch" and ACCELERATOR.exists():
            self.devices = ("cpu", "cuda")

    def refuse(self, case: Case) -> str | None:
        """What `hippo_fast` does not offer."""
        if case.method in ("trapezoid", "foh") and case.measure != "legs":
            return f"hippo_fast has {case.method} for legs only"
        if case.level == "timed_scan" and case.measure != "legs":
            return "timestamps are for legs: hippo_fast.scan refuses them for an invariant law"
        if case.method == "euler" and case.order > LARGEST_EULER and case.level in STEPPING:
            return f"forward Euler is unusable above order {LARGEST_EULER}: it amplifies rounding beyond the state"
        if case.level == "reconstruct" and case.measure == "lagt":
            return "the window of lagt is infinite: hippo_fast refuses points that are fractions of it"
        if case.level == "step" and (case.measure != "legs" or case.method not in UPDATE_WEIGHTS):
            return "hippo_fast.legs_update is a single step of legs under euler, bilinear or backward_euler"
        return None

    def bind(self, case: Case) -> Any:
        """The calls of one case."""
        return _Torch(case) if self.backend == "torch" else _Numpy(case, self.backend, self.output)


class _Numpy:
    """The backends that run on numpy arrays."""

    def __init__(self, case: Case, backend: str, output: str) -> None:
        self._case = case
        self._run: dict[str, Any] = {"method": case.method, "backend": backend, "output": output}
        self._arguments = {**self._run, "dt": case.dt, **case.float_parameters}

    def matrices(self, order: int) -> tuple[Any, Any]:
        import hippo_fast  # noqa: PLC0415 -- listing adapters must not import them

        system = hippo_fast.system(self._case.measure, order, **self._case.float_parameters)
        return system.A.astype(self._case.dtype), system.B.astype(self._case.dtype)

    def step(self, state: Any, sample: float, k: int) -> Any:
        import hippo_fast  # noqa: PLC0415

        return hippo_fast.legs_update(state, sample, k, UPDATE_WEIGHTS[self._case.method])

    def scan(self, samples: Any, order: int) -> Any:
        import hippo_fast  # noqa: PLC0415

        return hippo_fast.scan(samples, self._case.measure, order, **self._arguments)

    def timed_scan(self, samples: Any, timestamps: Any, order: int) -> Any:
        import hippo_fast  # noqa: PLC0415

        return hippo_fast.scan(samples, "legs", order, timestamps=timestamps, **self._run)

    batch_scan = scan  # leading axes are streams

    def reconstruct(self, state: Any, points: Any) -> Any:
        import hippo_fast  # noqa: PLC0415

        return hippo_fast.reconstruct(self._case.measure, state, points, **self._case.float_parameters)


class _Torch:
    def __init__(self, case: Case) -> None:
        self._case = case
        self._arguments: dict[str, Any] = {"method": case.method, "dt": case.dt, **case.float_parameters}

    def _tensor(self, samples: Any) -> Any:
        import torch  # noqa: PLC0415

        return torch.as_tensor(samples, dtype=getattr(torch, self._case.dtype), device=self._case.device)

    def scan(self, samples: Any, order: int) -> Any:
        import hippo_fast  # noqa: PLC0415

        return hippo_fast.scan(self._tensor(samples), self._case.measure, order, backend="torch", **self._arguments)

    def timed_scan(self, samples: Any, timestamps: Any, order: int) -> Any:
        import hippo_fast  # noqa: PLC0415

        rule = self._case.method
        return hippo_fast.scan(
            self._tensor(samples), "legs", order, method=rule, timestamps=timestamps, backend="torch"
        )

    batch_scan = scan  # leading axes are streams

    def gradient(self, samples: Any, order: int) -> Any:
        import torch  # noqa: PLC0415

        import hippo_fast  # noqa: PLC0415

        def last(values: Any) -> Any:
            return hippo_fast.scan(values, self._case.measure, order, backend="torch", output="last", **self._arguments)

        jacobian = torch.autograd.functional.jacobian(last, self._tensor(samples).clone(), vectorize=True)
        return np.asarray(jacobian)
