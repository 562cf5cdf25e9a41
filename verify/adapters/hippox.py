"""hippox: HiPPO operators on jax."""

from __future__ import annotations

from typing import Any

from verify.adapters.base import Adapter
from verify.case import Case
from verify.folders import cache_folder

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
    """One family at one precision."""

    def __init__(self, family: str, dtype: str) -> None:
        self.family = family
        self.dtype = dtype

    def matrices(self, order: int) -> tuple[Any, Any]:
        """``Hippo(...)()`` without diagonalisation; Fourier families lose their dead sine of frequency 0."""
        import jax  # noqa: PLC0415 -- a guest, imported in the worker
        import numpy as np  # noqa: PLC0415
        from hippox.main import Hippo  # noqa: PLC0415

        jax.config.update("jax_enable_x64", self.dtype == "float64")
        if jax.config.jax_compilation_cache_dir is None:
            # jax compiles each operation for each shape: half a minute in all, so its own cache is kept between runs.
            jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
            jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
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


class Hippox(Adapter):
    """One basis measure of hippox."""

    distribution = "hippox"
    dtypes = ("float64", "float32")

    def __init__(self, family: str) -> None:
        measure, parameters, summary = _FAMILIES[family]
        self.family = family
        self.key = f"hippox-{family.replace('_', '-')}"
        self.summary = f"hippox.Hippo(basis_measure={family!r}): {summary}"
        self.measures = {measure: parameters}
        # The sines of hippox run the other way: a consistent change of sign of those coefficients.
        self.convention = "auto" if measure == "fout" else "exact"

    def bind(self, case: Case) -> Any:
        """The operator at the precision of the case (jax: a global switch, set in the worker)."""
        return _Operator(self.family, case.dtype)
