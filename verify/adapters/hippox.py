"""hippox: HiPPO operators on jax."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.adapters.base import Adapter
from verify.adapters.jax_base import use_jax
from verify.case import Case

_FAMILIES: dict[str, tuple[str, dict[str, str], str]] = {
    "legs": ("legs", {}, "scaled Legendre"),
    "legt": ("legt", {"theta": "2"}, "translated Legendre, window 2"),
    "lmu": ("lmu", {"theta": "1"}, "Legendre memory unit, window 1"),
    "lagt": ("lagt", {"alpha": "0", "beta": "1"}, "translated Laguerre"),
    "glagt": ("lagt", {"alpha": "0", "beta": "0.01"}, "generalized Laguerre, beta = 0.01"),
    "fout": ("fout", {"theta": "2"}, "translated Fourier, window 2"),
    "fourier_double": ("fout", {"theta": "1"}, "translated Fourier, window 1"),
    "fourier_decay": ("fout", {"theta": "2"}, "translated Fourier with halved boundary"),
}
"""Name in hippox -> measure here, its parameters, and what it is."""


class _Operator:
    """One family."""

    def __init__(self, family: str) -> None:
        self.family = family

    def matrices(self, order: int) -> tuple[Any, Any]:
        """``Hippo(...)()`` without diagonalisation; Fourier families lose their dead sine of frequency 0."""
        from hippox.main import Hippo  # noqa: PLC0415 -- a guest, imported in the worker

        fourier = self.family.startswith("fo")
        # hippox counts pairs (cos j, sin j) from j = 0, whose sine is zero; here the constant stands alone.
        size = order + 1 + (order + 1) % 2 if fourier else order
        params = Hippo(state_size=size, basis_measure=self.family, diagonalize=False)()
        A, B = np.asarray(params.state_matrix), np.asarray(params.input_matrix)
        if not fourier:
            return A, B
        if A[1].any() or A[:, 1].any() or B[1]:
            raise ValueError("the row, column and input of the sine of frequency 0 are expected to be zero in hippox")
        kept = [0, *range(2, order + 1)]
        return A[np.ix_(kept, kept)], B[kept]


class _Factored:
    """One family as hippox gives it unless told otherwise, diagonalised, with the low-rank term kept."""

    def __init__(self, family: str) -> None:
        self.family = family

    def factors(self, order: int) -> tuple[Any, Any, Any, Any]:
        """``Hippo(..., dplr=True)()``: eigenvalues, low-rank term as columns, B in their coordinates, eigenvectors."""
        from hippox.main import Hippo  # noqa: PLC0415

        params = Hippo(state_size=order, basis_measure=self.family, dplr=True)()
        low_rank = np.asarray(params.low_rank_term).reshape(-1, order).T
        return params.state_matrix, low_rank, params.input_matrix, params.eigenvector_pair[0]


class Hippox(Adapter):
    """One basis measure of hippox, whole or in its factors."""

    distribution = "hippox"
    dtypes = ("float64", "float32")

    def __init__(self, family: str, factored: bool = False) -> None:
        measure, parameters, summary = _FAMILIES[family]
        self.family = family
        self.factored = factored
        self.key = f"hippox-{family.replace('_', '-')}" + ("-dplr" if factored else "")
        self.summary = f"hippox.Hippo(basis_measure={family!r}{', dplr=True' if factored else ''}): {summary}"
        self.measures = {measure: parameters}
        self.levels = ("factors",) if factored else ("matrices",)
        # The sines of hippox run the other way: a consistent change of sign of those coefficients.
        self.convention = "auto" if measure == "fout" else "exact"

    def bind(self, case: Case) -> Any:
        """The operator at the precision of the case (jax: a global switch, set in the worker)."""
        use_jax(case.dtype)
        return (_Factored if self.factored else _Operator)(self.family)
