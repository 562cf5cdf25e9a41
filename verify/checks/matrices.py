"""Matrices equal the exact ones, entry by entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verify.bounds import entry_limits
from verify.case import Case
from verify.checks.base import Check, Record, Suite, judge, malformed
from verify.defects import WRONG_NAME, WRONG_OPERATOR, Defect, pick
from verify.oracle import Oracle
from verify.result import Target


class Matrices(Check):
    """Entry-by-entry comparison of A and B."""

    key = "matrices"
    claim = "A and B equal the closed form of the measure entry by entry (HiPPO theorems 1 and 2, appendix D)"
    levels = ("matrices",)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """One call; B is judged before A, since a wrong gain is easier to read off it."""
        A, B = oracle.system(case)
        result = target.call(case, case.order)
        order = case.order
        problem = malformed(result, "A", (order, order), {}) or malformed(result, "B", (order,), {})
        if problem is not None:
            record.add(problem)
            return
        limits_A, limits_B = entry_limits(case.measure, case.float_parameters, A.high, B.high, case.dtype)
        for name, exact, limits in (("B", B, limits_B), ("A", A, limits_A)):

            def where(index: tuple[int, ...], name: str = name) -> dict[str, Any]:
                return {"what": f"{name}{list(index)}", "index": list(index), "array": name}

            got = result.arrays[name]
            finding = judge(
                exact.error(got),
                limits,
                truth=exact.radius,
                scale=np.where(exact.high == 0, np.abs(exact.high).max(), np.abs(exact.high)),
                got=got,
                expected=exact.high,
                where=where,
                normwise=target.normwise,
            )
            record.add(finding)
        record.details["dtype"] = result.dtype

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Everything that can go wrong with an operator."""
        return pick(
            case,
            *WRONG_OPERATOR,
            *WRONG_NAME,
            *("one_entry", "without_average", "float32_entries", "theta_inverted", "theta_in_A_only", "alpha_ignored"),
            *(
                "beta_ignored",
                "zeta_ignored",
                "lmu_around_legt",
                "unit_B",
                "sines_first",
                "radians_forgotten",
                "capped_frequency",
            ),
        )
