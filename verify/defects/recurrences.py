"""Wrong clocks, starts, rules and solves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used: a worker starts without them

from verify.bounds import GBT
from verify.candidates import Model
from verify.case import STEPPING, Case
from verify.defects.base import (
    Defect,
    altered_system,
    implicit,
    legs_stepping,
    stepping,
)

Array = np.ndarray[Any, np.dtype[Any]]


def _truncated_inverse(M: Array, y: Array) -> Array:
    rest = np.eye(len(M), dtype=M.dtype) - M
    return y + rest @ (y + rest @ y)


def _lower_solve(M: Array, y: Array) -> Array:
    solved: Array = scipy.linalg.solve_triangular(M, y, lower=True, check_finite=False)
    return solved


def _elementwise(M: Array, x: Array) -> Array:
    return np.diagonal(M) * x if x.ndim == 1 else M * x


def _earlier(samples: Array, k: int) -> Any:
    return samples[k - 1] if k else samples[0] * 0


def _repeated(samples: Array, k: int) -> Any:
    return samples[k - 1] if k == 1024 else samples[k]


def _without_dt(model: Model) -> Model:
    return altered_system(lambda A, B: (A, B / (model.case.dt or 1)))(model)


def _clocked(case: Case) -> bool:
    """A case whose steps count samples from the first: a resumed run has defects of its own."""
    return legs_stepping(case) and case.level not in ("timed_scan", "resume")


RECURRENCES = (
    Defect(
        "clock_late",
        "the step reads k + 1 where the rule has k (h = 1/(k+1))",
        "the recurrence with h = 1/(k+1) gives the same states",
        lambda model: replace(model, clock=lambda k: k + 1.0),
        _clocked,
    ),
    Defect(
        "clamped_clock",
        "the clock stops: from sample 8 on the step uses h = 1/8",
        "the recurrence with h = 1/min(k, 8) gives the same states",
        lambda model: replace(model, clock=lambda k: min(k, 8.0)),
        _clocked,
    ),
    Defect(
        "zero_start",
        "the scan starts from a zero state instead of samples[0] e_0",
        "the recurrence from zero with h = 1/max(k, 1) gives the same states",
        lambda model: replace(model, start=False),
        lambda case: _clocked(case) and case.method in (*GBT, "zoh"),
    ),
    Defect(
        "late_sample",
        "step k reads samples[k-1] instead of samples[k]",
        "the recurrence on delayed samples gives the same states",
        lambda model: replace(model, read=_earlier),
        lambda case: case.level in ("scan", "gradient"),
    ),
    Defect(
        "euler_used",
        "the rule is forward Euler, not the one named",
        "forward Euler gives the same states",
        lambda model: replace(model, method="euler"),
        stepping("bilinear", "backward_euler", "zoh"),
    ),
    Defect(
        "backward_euler_used",
        "the rule is backward Euler, not the one named",
        "backward Euler gives the same states",
        lambda model: replace(model, method="backward_euler"),
        stepping("bilinear", "euler", "zoh", "trapezoid"),
    ),
    Defect(
        "bilinear_used",
        "the rule is the published bilinear one, not the one named",
        "the bilinear rule gives the same states",
        lambda model: replace(model, method="bilinear"),
        stepping("backward_euler", "euler", "zoh", "trapezoid", "foh"),
    ),
    Defect(
        "zoh_used",
        "the rule is zero-order hold, not the one named",
        "zero-order hold gives the same states",
        lambda model: replace(model, method="zoh"),
        stepping("bilinear", "backward_euler", "euler"),
    ),
    Defect(
        "double_step",
        "the step is twice dt",
        "the recurrence with 2 dt gives the same states",
        lambda model: replace(model, step_size=2.0),
        lambda case: case.measure != "legs" and case.level in STEPPING,
    ),
    Defect(
        "input_unscaled",
        "B is not multiplied by dt",
        "dividing B by dt gives the same states",
        _without_dt,
        lambda case: case.dt is not None and case.level in STEPPING,
    ),
    Defect(
        "short_table",
        "the clock stops at 1000, as a table of that length would make it",
        "the recurrence with h = 1/min(k, 1000) gives the same states",
        lambda model: replace(model, clock=lambda k: min(k, 1000.0)),
        lambda case: (
            legs_stepping(case)
            and (case.level == "step" or (case.level == "scan" and case.order <= 4))
            and case.method != "euler"
        ),
    ),
    Defect(
        "truncated_inverse",
        "the implicit step is solved by a truncated series, not by an inverse",
        "two terms of the Neumann series give the same states",
        lambda model: replace(model, solve=_truncated_inverse),
        implicit,
    ),
    Defect(
        "triangular_solve",
        "a triangular solve is used on a dense matrix",
        "solving with the lower triangle alone gives the same states",
        lambda model: replace(model, solve=_lower_solve),
        lambda case: implicit(case) and case.measure in ("legt", "lmu", "fout"),
    ),
    Defect(
        "elementwise",
        "a product with A is taken elementwise instead of as a matrix product",
        "the elementwise product gives the same states",
        lambda model: replace(model, apply=_elementwise),
        stepping("bilinear", "euler"),
    ),
    Defect(
        "neighbour_repeated",
        "where a chunk of 1,024 samples ends, the sample before is read once more in place of the next",
        "the recurrence with sample 1024 replaced by sample 1023 gives the same states",
        lambda model: replace(model, read=_repeated),
        lambda case: case.level == "scan" and case.order <= 4 and case.method != "euler",
        order=4,
    ),
    Defect(
        "saturated_index",
        "the index stays at 32,767, the largest of 16 bits, until a wider path takes over at 65,536",
        "the step with k = 32,767 gives the same states for k from 32,768 to 65,535",
        lambda model: replace(model, clock=lambda k: 32767.0 if 32768 <= k < 65536 else float(k)),
        lambda case: legs_stepping(case) and case.level == "step" and case.method != "euler",
    ),
)
