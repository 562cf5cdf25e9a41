"""s5-pytorch: LegS as S5 initialises it, whole and in its factors, and the scan that S5 runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.adapters.base import Adapter
from verify.adapters.scan_base import exact_system, refuse_triangle, triangular_scan
from verify.case import Case


class _Whole:
    def matrices(self, order: int) -> tuple[Any, Any]:
        """``make_NPLR_HiPPO``: the LegS matrix, its low-rank part (not needed here), and B."""
        from s5.init import make_NPLR_HiPPO  # noqa: PLC0415 -- a guest, imported in the worker

        A, _, B = make_NPLR_HiPPO(order)
        return A, B


class _Composed:
    def matrices(self, order: int) -> tuple[Any, Any]:
        """``make_DPLR_HiPPO`` put together again: ``A = V Lambda V* - (V P)(V P)*``, ``B = V B~``."""
        from s5.init import make_DPLR_HiPPO  # noqa: PLC0415

        Lambda, P, B, V, _ = make_DPLR_HiPPO(order)
        low_rank = V @ P
        A = (V * Lambda) @ V.conj().T - low_rank[:, None] * low_rank[None, :].conj()
        # The imaginary parts cancel to rounding only; they are dropped as S5 drops them (it takes twice the real part).
        return A.real, (V @ B).real

    def factors(self, order: int) -> tuple[Any, Any, Any, Any]:
        """``make_DPLR_HiPPO`` as it is, without the B before its rotation."""
        from s5.init import make_DPLR_HiPPO  # noqa: PLC0415

        return tuple(make_DPLR_HiPPO(order)[:4])


class _Normal:
    def matrices(self, order: int) -> tuple[Any, Any]:
        """``make_Normal_S``: the normal part alone, with the B of LegS."""
        from s5.init import make_Normal_S, make_NPLR_HiPPO  # noqa: PLC0415

        return make_Normal_S(order), make_NPLR_HiPPO(order)[2]


class _Scan:
    """``discretize_zoh``, ``discretize_bilinear`` and ``apply_ssm``, with the exact operator in the place of S5's own.

    FouT goes through its eigenvectors, as S5 goes through those of its normal part; those of the other operators are
    too ill-conditioned from order 16 on. LegS, with another step at every sample, goes coefficient by coefficient.
    """

    def __init__(self, case: Case) -> None:
        self._case = case

    def scan(self, samples: Any, order: int) -> Any:
        import torch  # noqa: PLC0415
        from s5 import s5_model  # noqa: PLC0415

        case, real = self._case, getattr(torch, self._case.dtype)
        given, none = torch.tensor(samples, dtype=real), torch.zeros(1, dtype=real)

        def convert(values: Any) -> Any:
            return torch.tensor(values, dtype=real if np.isrealobj(values) else real.to_complex())

        if case.dt is None:
            one = torch.ones((1, 1), dtype=real.to_complex())
            inputs = one.expand(len(samples), 1, 1)

            def engine(a: Any, x: Any) -> Any:
                rates = a[:, None].to(one.dtype)
                return s5_model.apply_ssm(rates, inputs, one, none, x[:, None])[0][:, 0]

            return torch.stack(triangular_scan(case, given, engine, convert, torch.cat), dim=1)
        A, B = exact_system(case)
        rates, V = np.linalg.eig(A)
        discretize = getattr(s5_model, f"discretize_{case.method}")
        step = torch.full((order,), case.dt, dtype=real)
        discrete = discretize(convert(rates), convert(np.linalg.solve(V, B)[:, None]), step)
        return s5_model.apply_ssm(*discrete, convert(V), none, given[:, None])[0]


class S5(Adapter):
    """One way in which s5-pytorch writes LegS."""

    distribution = "s5-pytorch"
    measures = {"legs": {}}  # noqa: RUF012 -- read only

    def __init__(self, part: str) -> None:
        self.part = part
        self.key, self.summary, self._target = {
            "whole": ("s5-pytorch", "s5.init.make_NPLR_HiPPO: A and B of LegS", _Whole),
            "dplr": ("s5-pytorch-dplr", "s5.init.make_DPLR_HiPPO put together: V Lambda V* - P P*", _Composed),
            "normal": ("s5-pytorch-normal", "s5.init.make_Normal_S: the normal part of LegS alone", _Normal),
        }[part]
        self.normwise = part == "dplr"
        self.levels = ("matrices", "factors") if part == "dplr" else ("matrices",)

    def bind(self, case: Case) -> Any:
        """The object of this part; the order is all it depends on."""
        return self._target()


class S5Scan(Adapter):
    """What s5-pytorch runs an operator with."""

    key = "s5-pytorch-scan"
    summary = "s5.s5_model: discretize_bilinear, discretize_zoh and apply_ssm on the exact operator"
    distribution = "s5-pytorch"
    levels = ("scan",)
    measures = {"legs": {}, "fout": {}}  # noqa: RUF012 -- read only
    methods = ("bilinear", "zoh")
    dtypes = ("float64", "float32")

    def refuse(self, case: Case) -> str | None:
        """What its discretizations cannot say of LegS."""
        if case.measure == "legs" and case.method != "bilinear":
            return "s5-pytorch discretizes diagonal operators; LegS is run through its scan alone, by the bilinear rule"
        return refuse_triangle(case) if case.measure == "legs" else None

    def bind(self, case: Case) -> Any:
        """The exact operator of the case."""
        return _Scan(case)
