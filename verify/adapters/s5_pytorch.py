"""s5-pytorch: LegS as S5 initialises it, whole and in its factors."""

from __future__ import annotations

from typing import Any

from verify.adapters.base import Adapter
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
