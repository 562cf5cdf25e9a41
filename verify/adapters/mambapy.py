"""mambapy: Mamba in plain torch. Its operator is S4D-Real's; its parallel scan runs any diagonal recurrence."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from verify.adapters.base import Adapter
from verify.adapters.scan_base import refuse_triangle, triangular_scan
from verify.case import Case


@lru_cache(maxsize=4)
def _block(order: int) -> Any:
    """A fresh block, which draws its weights."""
    from mambapy.mamba import MambaBlock, MambaConfig  # noqa: PLC0415 -- a guest, imported in the worker

    return MambaBlock(MambaConfig(d_model=1, n_layers=1, d_state=order))


class _Operator:
    def __init__(self, case: Case) -> None:
        self._block = _block(case.order)

    def matrices(self, order: int) -> tuple[Any, Any]:
        """``-exp(A_log)`` of a fresh block, on a diagonal; its B is learned, and 1 stands for it as in S4D-Real."""
        import torch  # noqa: PLC0415

        return torch.diag(-torch.exp(self._block.A_log[0])), torch.ones(order)


class _Scan:
    """``pscan`` on the exact bilinear recurrence of a case, coefficient by coefficient."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def scan(self, samples: Any, order: int) -> Any:
        import torch  # noqa: PLC0415
        from mambapy.pscan import pscan  # noqa: PLC0415

        dtype = getattr(torch, self._case.dtype)

        def convert(values: Any) -> Any:
            return torch.tensor(values, dtype=dtype)

        def engine(a: Any, x: Any) -> Any:
            return pscan(a.reshape(1, -1, 1, 1), x.reshape(1, -1, 1, 1)).reshape(-1)

        given = samples if torch.is_tensor(samples) else convert(samples)
        return torch.stack(triangular_scan(self._case, given, engine, convert, torch.cat), dim=1)

    def gradient(self, samples: Any, order: int) -> Any:
        """Through the backward pass that the library writes itself."""
        import torch  # noqa: PLC0415

        given = torch.tensor(samples, dtype=getattr(torch, self._case.dtype))
        return torch.autograd.functional.jacobian(lambda values: self.scan(values, order)[-1], given)


class Mambapy(Adapter):
    """The operator of a Mamba block, or the scan that it runs."""

    distribution = "mambapy"

    def __init__(self, part: str) -> None:
        self.part = part
        if part == "operator":
            self.key = "mambapy"
            self.summary = "mambapy.mamba.MambaBlock: A as it is initialised, S4D-Real"
            self.measures = {"legs": {}}
            self.dtypes = ("float32",)
        else:
            self.key = "mambapy-pscan"
            self.summary = "mambapy.pscan.pscan on the exact recurrence, coefficient by coefficient"
            self.measures = {"legs": {}}
            self.levels = ("scan", "gradient")
            self.dtypes = ("float64", "float32")

    def refuse(self, case: Case) -> str | None:
        """Large orders of the scan."""
        return None if self.part == "operator" else refuse_triangle(case)

    def bind(self, case: Case) -> Any:
        """The part for a case."""
        return _Operator(case) if self.part == "operator" else _Scan(case)
