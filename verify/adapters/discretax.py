"""discretax: sequence models on jax, S5 among them, with LegS in its factors; these functions are private there."""

from __future__ import annotations

from typing import Any

from verify.adapters.base import Adapter
from verify.adapters.jax_base import use_jax
from verify.case import Case


class _S5:
    """LegS whole, and in the factors that the layer keeps the diagonal of."""

    def matrices(self, order: int) -> tuple[Any, Any]:
        """``_make_nplr_hippo``: the LegS matrix, its low-rank part (not needed here), and B."""
        from discretax.sequence_mixers import s5  # noqa: PLC0415 -- a guest, imported in the worker

        A, _, B = s5._make_nplr_hippo(order)
        return A, B

    def factors(self, order: int) -> Any:
        """``_make_dplr_hippo`` as it is, without the B before its rotation; P as one column."""
        from discretax.sequence_mixers import s5  # noqa: PLC0415

        Lambda, P, B, V, _ = s5._make_dplr_hippo(order)
        return Lambda, P[:, None], B, V


class Discretax(Adapter):
    """How discretax writes LegS for its S5 layer."""

    key = "discretax-s5"
    summary = "discretax.sequence_mixers.s5: LegS, and its diagonal plus low-rank factors"
    distribution = "discretax"
    levels = ("matrices", "factors")
    measures = {"legs": {}}  # noqa: RUF012 -- read only
    dtypes = ("float64", "float32")

    def bind(self, case: Case) -> Any:
        """The functions at the precision of the case (jax: a global switch, set in the worker)."""
        use_jax(case.dtype)
        return _S5()
