"""Wrong operators: A, B, or both."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from verify.candidates import WINDOWED, Model, System, right_model
from verify.case import STEPPING, Case
from verify.defects.base import (
    Defect,
    altered_system,
    input_used,
    is_measure,
    operator_used,
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


def _unit_window(case: Case) -> bool:
    return dict(case.parameters).get("theta") == "1"


def _theta_one(model: Model) -> Model:
    other = replace(model.case, parameters=tuple({**dict(model.case.parameters), "theta": "1"}.items()))
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


def _parameters_ignored(*names: str) -> Callable[[Model], Model]:
    """The system of the default parameters."""

    def alter(model: Model) -> Model:
        kept = tuple((name, "0" if name == "alpha" else "1") if name in names else (name, value) for name, value in
                     model.case.parameters)  # fmt: skip
        return replace(model, system=right_model(replace(model.case, parameters=kept), _memory_oracle()).system)

    return alter


def _differs(**defaults: str) -> Callable[[Case], bool]:
    """A case that has these parameters, and at other values."""
    return lambda case: all(dict(case.parameters).get(name, value) != value for name, value in defaults.items())


def _windowed_beyond_one(case: Case) -> bool:
    return case.measure in WINDOWED and not _unit_window(case)


def _theta_inverted(model: Model) -> Model:
    theta = model.case.float_parameters.get("theta", 1.0)
    return altered_system(lambda A, B: (A * theta**2, B * theta**2))(model)


def _theta_on_one_side(model: Model) -> Model:
    theta = model.case.float_parameters.get("theta", 1.0)
    return altered_system(lambda A, B: (A, B * theta))(model)


def _zeta_ignored(model: Model) -> Model:
    given = model.case.float_parameters
    alpha, beta = given.get("alpha", 0.0), given.get("beta", 1.0)
    zeta = math.gamma(1 - alpha) * beta ** (alpha - 1)
    return altered_system(lambda A, B: (A, B * math.sqrt(zeta)))(model)


def _lmu_around_legt(model: Model) -> Model:
    legt = right_model(replace(model.case, measure="legt"), _memory_oracle()).system
    right = model.system
    return replace(model, system=lambda order: (legt(order)[0], right(order)[1]))


def _sines_first(A: Array, B: Array) -> System:
    order = [0, *(n + 1 if n % 2 and n + 1 < len(B) else n - 1 if not n % 2 else n for n in range(1, len(B)))]
    return A[np.ix_(order, order)], B[order]


def _radians_forgotten(A: Array, B: Array) -> System:
    low_rank = (A + A.T) / 2
    return low_rank + (A - low_rank) / (2 * np.pi), B


def _capped(A: Array, B: Array) -> System:
    """The rotation of pair j by ``2 pi min(j, 13)``."""
    pairs = (np.arange(len(B)) + 1) // 2
    rotation = (A - A.T) / 2
    return A + rotation * (np.minimum(pairs, 13) / np.maximum(pairs, 1) - 1)[:, None], B


_ROWS = (
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
        # In the steps of an invariant law it is the same as a doubled step.
        lambda case: case.level not in STEPPING or case.measure == "legs",
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
        # Where 1 is what was asked for, it shows at another window alone, which scans and matrices are asked for.
        lambda case: case.measure in WINDOWED and (case.level in ("matrices", "scan") or not _unit_window(case)),
    ),
    Defect(
        "theta_inverted",
        "A and B are multiplied by theta instead of divided by it",
        "A / theta^2 and B / theta^2 agree entry by entry",
        _theta_inverted,
        _windowed_beyond_one,
        given={"theta": 0.75},
    ),
    Defect(
        "theta_in_A_only",
        "A is divided by theta, B is not",
        "B / theta and A agree entry by entry",
        _theta_on_one_side,
        _windowed_beyond_one,
        given={"theta": 0.75},
    ),
    Defect(
        "alpha_ignored",
        "alpha is ignored: these are the Laguerre functions of alpha = 0",
        "equals LagT with alpha = 0",
        _parameters_ignored("alpha"),
        lambda case: case.measure == "lagt" and _differs(alpha="0")(case),
        given={"alpha": 0.5},
    ),
    Defect(
        "beta_ignored",
        "the tilt beta is ignored: it is always 1",
        "equals LagT with beta = 1",
        _parameters_ignored("beta"),
        lambda case: case.measure == "lagt" and _differs(beta="1")(case),
        given={"beta": 2.5},
    ),
    Defect(
        "zeta_ignored",
        "B lacks the factor zeta^(-1/2) that normalises the tilted Laguerre measure",
        "B / sqrt(zeta) and A agree entry by entry",
        _zeta_ignored,
        lambda case: case.measure == "lagt" and (_differs(alpha="0")(case) or _differs(beta="1")(case)),
        given={"beta": 2.5},
    ),
    Defect(
        "lmu_around_legt",
        "A is that of LegT, B that of LMU: one of the two was not rescaled",
        "A equals LegT's and B equals LMU's",
        _lmu_around_legt,
        is_measure("lmu"),
    ),
    Defect(
        "unit_B",
        "B is 1 throughout: the factor sqrt(2n+1) is missing",
        "B with sqrt(2n+1) and A agree entry by entry",
        altered_system(lambda A, B: (A, B / np.sqrt(2.0 * np.arange(len(B)) + 1))),
        lambda case: case.measure in ("legs", "legs_lti", "legt") and input_used(case),
    ),
    Defect(
        "sines_first",
        "the pairs of FouT are in the other order: sine before cosine",
        "swapping the two of each pair agrees",
        altered_system(_sines_first),
        is_measure("fout"),
    ),
    Defect(
        "radians_forgotten",
        "the frequencies of FouT are j, not 2 pi j",
        "the rotations are 2 pi times too slow, the low-rank part agrees",
        altered_system(_radians_forgotten),
        is_measure("fout"),
    ),
    Defect(
        "capped_frequency",
        "the frequencies of FouT stop growing: pairs beyond the 13th rotate as slowly as it does",
        "the first 13 pairs agree entry by entry",
        altered_system(_capped),
        lambda case: case.measure == "fout" and case.level == "matrices" and case.order > 28,
        order=31,
    ),
    Defect(
        "float32_entries",
        "the entries were rounded to float32 on the way",
        "equals the float32 rounding of the exact entries",
        altered_system(lambda A, B: (through_float32(A), through_float32(B))),
        lambda case: case.dtype == "float64" and case.measure not in ("lagt", "lmu"),  # integers survive float32
    ),
)


def _shown(defect: Defect) -> Defect:
    """The same defect, at the levels where A or B plays a part."""
    return replace(defect, applies=lambda case: operator_used(case) and defect.applies(case))


OPERATORS = tuple(map(_shown, _ROWS))
