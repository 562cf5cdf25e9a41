"""minimamba: Mamba in plain torch. Its operator is S4D-Real's; it carries several scans of a diagonal recurrence."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from verify.adapters.base import Adapter
from verify.adapters.scan_base import refuse_triangle, triangular_scan
from verify.case import Case

_SCANS = {
    "scan": ("_optimized_parallel_scan", "the scan that S6.forward runs"),
    "log-space": ("_parallel_scan_log_space", "a scan that S6 carries beside it and does not call"),
}
"""Part -> method of `minimamba.s6.S6`, and what it is there."""


@lru_cache(maxsize=4)
def _layer(order: int) -> Any:
    """A fresh layer, which draws its weights."""
    from minimamba import MambaConfig  # noqa: PLC0415 -- a guest, imported in the worker
    from minimamba.s6 import S6  # noqa: PLC0415

    return S6(MambaConfig(d_model=1, n_layer=1, d_state=order))


class _Operator:
    def __init__(self, case: Case) -> None:
        self._layer = _layer(case.order)

    def matrices(self, order: int) -> tuple[Any, Any]:
        """``-exp(A_log)`` of a fresh layer, on a diagonal; its B is learned, and 1 stands for it as in S4D-Real."""
        import torch  # noqa: PLC0415

        return torch.diag(-torch.exp(self._layer.A_log[0])), torch.ones(order)


class _Scan:
    """One of its scans on the exact bilinear recurrence of a case, coefficient by coefficient."""

    def __init__(self, case: Case, method: str) -> None:
        self._case = case
        self._run = getattr(_layer(1), method)

    def scan(self, samples: Any, order: int) -> Any:
        import torch  # noqa: PLC0415

        dtype = getattr(torch, self._case.dtype)

        def convert(values: Any) -> Any:
            return torch.tensor(values, dtype=dtype)

        def engine(a: Any, x: Any) -> Any:
            return self._run(a.reshape(1, -1, 1, 1), x.reshape(1, -1, 1, 1)).reshape(-1)

        columns = triangular_scan(self._case, convert(samples), engine, convert, torch.cat)
        return torch.stack(columns, dim=1)


class Minimamba(Adapter):
    """The operator of an S6 layer, or one of its scans."""

    distribution = "minimamba"

    def __init__(self, part: str) -> None:
        self.part = part
        if part == "operator":
            self.key = "minimamba"
            self.summary = "minimamba.s6.S6: A as it is initialised, S4D-Real"
            self.measures = {"legs": {}}
            self.dtypes = ("float32",)
        else:
            method, what = _SCANS[part]
            self.key = f"minimamba-{part}"
            self.summary = f"minimamba.s6.S6.{method}: {what}, on the exact recurrence"
            self.measures = {"legs": {}}
            self.levels = ("scan",)
            self.dtypes = ("float64", "float32")

    def refuse(self, case: Case) -> str | None:
        """Large orders of the scan."""
        return None if self.part == "operator" else refuse_triangle(case)

    def bind(self, case: Case) -> Any:
        """The part for a case."""
        return _Operator(case) if self.part == "operator" else _Scan(case, _SCANS[self.part][0])
