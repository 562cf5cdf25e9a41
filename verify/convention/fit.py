"""The best diagonal scaling between a pair (A, B) and the exact operator of a measure, and what it leaves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verify.case import Case, as_text
from verify.convention.parameters import Parameters, meant, visible
from verify.convention.record import SCALINGS
from verify.oracle import Oracle

Array = np.ndarray[Any, np.dtype[Any]]


NOTHING = 1e-12
"""Entries below this share of the largest are what rounding left of a zero."""


@dataclass(frozen=True)
class Fit:
    """One measure under one scaling.

    Attributes:
        measure: key.
        scale: the pair is this many times the operator of a unit window.
        parameters: further parameters.
        T: (N,) diagonal, ``|T_0| = 1``.
        formula: T as a formula, or "".
        gain: ``|B_0|`` over the exact one.
        residual: largest difference, relative to the largest entry of A and of B.
        A: the pair's A with the scaling undone, over the scale.
        B: the same of B.
        exact: exact A and B of a unit window.
    """

    measure: str
    scale: float
    parameters: Parameters
    T: Array
    formula: str
    gain: float
    residual: float
    A: Array
    B: Array
    exact: tuple[Array, Array]


def exact_pair(measure: str, parameters: Parameters, order: int, case: Case, oracle: Oracle) -> tuple[Array, Array]:
    """Exact (A, B) of a unit window, rounded once.

    Raises:
        ValueError: a parameter outside its domain.
    """
    texts = tuple((name, as_text(value)) for name, value in parameters)
    A, B = oracle.system(replace(case, measure=measure, order=order, parameters=texts))
    return A.high, B.high


def fits(
    A: Array,
    B: Array,
    measure: str,
    case: Case,
    oracle: Oracle,
    tolerance: float,
    *,
    unit_scale: bool,
    loose: bool = False,
) -> Iterator[Fit]:
    """Ways to see a pair as an operator of a measure, whether or not they are good.

    Args:
        A: (N, N) matrix.
        B: (N,) column.
        measure: key.
        case: its parameters are preferred.
        oracle: exact operators.
        tolerance: what is taken for rounding.
        unit_scale: whether a law without a window must have the scale 1.
        loose: keep fits beyond the tolerance, for near misses.
    """
    asked = case.float_parameters if case.measure == measure else {}
    for scale, measured in visible(A, B, measure, unit_scale, math.inf if loose else tolerance):
        if unit_scale and measure in ("legs", "legs_lti", "lagt"):
            scale = 1.0  # noqa: PLW2901 -- without a window, matrices have no other
        parameters = tuple((name, meant(value, tolerance, asked.get(name))) for name, value in measured)
        try:
            exact = exact_pair(measure, parameters, len(B), case, oracle)
        except ValueError:
            continue  # a parameter outside its domain: no such operator
        found = align(A, B, scale, exact, measure, parameters, tolerance)
        if found is not None and (loose or (abs(found.gain - 1) <= tolerance and found.residual <= tolerance)):
            yield found


def align(
    A: Array, B: Array, scale: float, exact: tuple[Array, Array], measure: str, parameters: Parameters, tolerance: float
) -> Fit | None:
    """The best scaling of a pair towards an exact one; None if there is none."""
    exact_A, exact_B = scale * exact[0], scale * exact[1]
    found = diagonal(A, B, exact_A, exact_B)
    if found is None:
        return None
    gain, measured = found
    formula, T = as_formula(measured, tolerance)
    with np.errstate(all="ignore"):
        left_A, left_B = A * T[None, :] / T[:, None], B / T
    if not (np.isfinite(left_A).all() and np.isfinite(left_B).all()):
        return None
    residual = max(relative(left_A, exact_A), relative(left_B, exact_B))
    return Fit(measure, scale, parameters, T, formula, gain, residual, left_A / scale, left_B / scale, exact)


def relative(got: Array, exact: Array) -> float:
    """Largest difference over the largest exact entry."""
    return float(np.abs(got - exact).max() / np.abs(exact).max())


def diagonal(A: Array, B: Array, exact_A: Array, exact_B: Array) -> tuple[float, Array] | None:
    """The gain ``|B'_0 / B_0|``, and T with ``A' = T A T^-1``, ``|T_0| = 1``, along the largest exact entries."""
    order = len(B)
    if B[0] == 0 or exact_B[0] == 0:
        return None
    exact_A = np.where(np.abs(exact_A) > NOTHING * np.abs(exact_A).max(), exact_A, 0.0)
    T = np.zeros(order)
    gain = abs(float(B[0] / exact_B[0]))
    T[0] = math.copysign(1.0, B[0] / exact_B[0])
    known = [0]
    while len(known) < order:
        open_ = [n for n in range(order) if n not in known]
        down = [(abs(exact_A[n, k]), n, k, True) for n in open_ for k in known]
        up = [(abs(exact_A[k, n]), n, k, False) for n in open_ for k in known]
        size, n, k, forward = max(down + up)
        ratio = A[n, k] / exact_A[n, k] if forward and size else exact_A[k, n] / A[k, n] if size and A[k, n] else 0.0
        if ratio == 0 or not math.isfinite(ratio):
            return None
        T[n] = T[k] * ratio
        known.append(n)
    # Average over all paths, so that T carries no more rounding than one entry does.
    with np.errstate(all="ignore"):
        paths = np.where(exact_A != 0, A * T[None, :] / (exact_A * T[:, None]), np.nan)
        T = T * np.nanmedian(paths, axis=1)
        # A gain is no convention: whatever of it the caller tolerates stays with B, where it is judged.
        T = T / abs(T[0])
    return (gain, T) if np.isfinite(T).all() and T.all() else None


def as_formula(T: Array, tolerance: float) -> tuple[str, Array]:
    """The formula that a diagonal is, with its values; "" and the diagonal itself if it is none."""
    n = np.arange(len(T))
    for name, formula in SCALINGS.items():
        for sign, prefix in ((1, ""), (-1, "-")):
            candidate = sign * formula(n)
            if np.allclose(T, candidate, rtol=tolerance, atol=0):
                return prefix + name, candidate
    return "", T
