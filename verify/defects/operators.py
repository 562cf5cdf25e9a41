"""Wrong operators: A, B, or both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from verify.candidates import WINDOWED, Model, System, right_model
from verify.case import Case
from verify.defects.base import (
    Defect,
    altered_system,
    input_used,
    is_measure,
    through_float32,
)
from verify.oracle import Oracle

Array = np.ndarray[Any, np.dtype[Any]]


def _sold_as(measure: str, **parameters: str) -> Callable[[Model], Model]:
    """The system of another measure (or of other parameters) under this one's name."""

    def alter(model: Model) -> Model:
        kept = dict(model.case.parameters) if measure in WINDOWED and model.case.measure in WINDOWED else {}
        other = replace(model.case, measure=measure, parameters=tuple({**kept, **parameters}.items()))
        return replace(model, system=right_model(other, _memory_oracle()).system)

    return alter


@lru_cache(maxsize=1)
def _memory_oracle() -> Oracle:
    return Oracle(None)


def _one_based(model: Model) -> Model:
    right = model.system

    def wrong(order: int) -> System:
        A, B = right(order + 1)
        return A[1:, 1:], B[1:]

    return replace(model, system=wrong)


def _theta_one(model: Model) -> Model:
    other = replace(model.case, parameters=(("theta", "1"),))
    return replace(model, system=right_model(other, _memory_oracle()).system)


def _one_entry(A: Array, B: Array) -> System:
    A[-1, 0] *= 1.001
    return A, B


def _no_alternation(A: Array, B: Array) -> System:
    return A, np.abs(B)


def _flat(A: Array, B: Array) -> System:
    return -np.abs(A), B


def _roots_forgotten(A: Array, B: Array) -> System:
    return A, B * np.sqrt(2.0 * np.arange(len(B)) + 1)


def _without_average(A: Array, B: Array) -> System:
    return A + np.outer(B, B) / (4 * (B[0] / 2)), B / 2


def _not_toeplitz(case: Case) -> bool:
    """Plain LagT is the same from any index."""
    return case.measure != "lagt"


OPERATORS = (
    Defect(
        "doubled_B",
        "B is twice the {measure} B",
        "B/2 and A agree entry by entry",
        altered_system(lambda A, B: (A, 2 * B)),
        input_used,
    ),
    Defect(
        "halved_B",
        "B is half the {measure} B",
        "2B and A agree entry by entry",
        altered_system(lambda A, B: (A, B / 2)),
        input_used,
    ),
    Defect(
        "negated_B",
        "B has the wrong sign",
        "-B and A agree entry by entry",
        altered_system(lambda A, B: (A, -B)),
        input_used,
    ),
    Defect(
        "negated_A",
        "A has the wrong sign: this is -A, as papers that write dc/dt = -A c + B f print it",
        "-A and B agree entry by entry",
        altered_system(lambda A, B: (-A, B)),
    ),
    Defect(
        "transposed",
        "A is transposed",
        "A^T and B agree entry by entry",
        altered_system(lambda A, B: (A.T.copy(), B)),
    ),
    Defect(
        "one_based",
        "the index starts at 1: this is {measure} of order N + 1 without its first row and column",
        "equals {measure}(N+1) without row and column 0",
        _one_based,
        _not_toeplitz,
    ),
    Defect(
        "diagonal_short",
        "the diagonal of A is off by one: the identity is missing",
        "A - I and B agree entry by entry",
        altered_system(lambda A, B: (A + np.eye(len(B)), B)),
    ),
    Defect(
        "identity_twice",
        "the diagonal of A is off by one: the identity is subtracted twice",
        "A + I and B agree entry by entry",
        altered_system(lambda A, B: (A - np.eye(len(B)), B)),
    ),
    Defect(
        "positive_diagonal",
        "the diagonal of A has the wrong sign",
        "A with its diagonal negated agrees entry by entry",
        altered_system(lambda A, B: (A - 2 * np.diag(np.diag(A)), B)),
    ),
    Defect(
        "doubled_operator",
        "A and B are both twice what they should be: a window of half the length, or the LegT window counted twice",
        "A/2 and B/2 agree entry by entry",
        altered_system(lambda A, B: (2 * A, 2 * B)),
    ),
    Defect(
        "halved_operator",
        "A and B are both half of what they should be: a window of twice the length",
        "2A and 2B agree entry by entry",
        altered_system(lambda A, B: (A / 2, B / 2)),
    ),
    Defect(
        "scaled_one_sided",
        "B carries a factor sqrt(2n+1) that A does not: a rescaling applied to one side only",
        "B/sqrt(2n+1) and A agree entry by entry",
        altered_system(_roots_forgotten),
        input_used,
    ),
    Defect(
        "one_entry",
        "one entry of A is wrong by a factor 1.001, the last of column 0",
        "every other entry agrees",
        altered_system(_one_entry),
    ),
    Defect(
        "no_alternation",
        "B lacks the alternating sign (-1)^n of LMU",
        "|B| and A agree entry by entry",
        altered_system(_no_alternation),
        is_measure("lmu"),
    ),
    Defect(
        "flat_signs",
        "A lacks the alternating signs (-1)^(n-k)",
        "-|A| and B agree entry by entry",
        altered_system(_flat),
        is_measure("legt", "lmu"),
    ),
    Defect(
        "legt_as_lmu",
        "this is LegT, not LMU: the scaling (2n+1), (-1)^n is missing",
        "equals LegT",
        _sold_as("legt"),
        is_measure("lmu"),
    ),
    Defect(
        "lmu_as_legt",
        "this is LMU, not LegT: it is scaled by sqrt(2n+1) (-1)^n",
        "equals LMU",
        _sold_as("lmu"),
        is_measure("legt"),
    ),
    Defect("legs_as_legt", "this is LegS, not LegT", "equals LegS", _sold_as("legs"), is_measure("legt")),
    Defect(
        "legt_as_legs",
        "this is LegT (window 1), not LegS",
        "equals LegT",
        _sold_as("legt"),
        is_measure("legs", "legs_lti"),
    ),
    Defect(
        "without_average",
        "the Fourier boundary is not closed by the endpoint average: the low-rank part and B are half of it",
        "equals (R - B0 B0^T)/theta, B0/theta",
        altered_system(_without_average),
        is_measure("fout"),
    ),
    Defect(
        "untilted",
        "the diagonal of A is -1/2: the untilted Laguerre functions (beta = 0, outside LagT's domain beta > 0)",
        "A with diagonal -1/2 agrees entry by entry",
        altered_system(lambda A, B: (np.tril(A, -1) - np.eye(len(B)) / 2, B)),
        is_measure("lagt"),
    ),
    Defect(
        "window_ignored",
        "theta is ignored: the window is always 1",
        "equals the system of theta = 1",
        _theta_one,
        is_measure("legt", "lmu", "fout"),
    ),
    Defect(
        "float32_entries",
        "the entries were rounded to float32 on the way",
        "equals the float32 rounding of the exact entries",
        altered_system(lambda A, B: (through_float32(A), through_float32(B))),
        lambda case: case.dtype == "float64" and case.measure not in ("lagt", "lmu"),  # integers survive float32
    ),
)
