"""What the errors of a scan are made of, and what it cost: numbers for pictures, which judge nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from verify.boundary import Exact
from verify.bounds import gbt_weight, hold_degree
from verify.case import Case
from verify.checks.base import series
from verify.metrics import norm
from verify.oracle import Function, Oracle, orthonormal

Array = np.ndarray[Any, np.dtype[Any]]


def multiplications(case: Case, length: int) -> int:
    """Multiplications of a scan by the textbook form of its rule, whatever a target does instead; set-up left out.

    An invariant law: one product with a dense N x N matrix per step, made beforehand. LegS, whose matrix is triangular
    and whose step changes: a product or a solve with a triangle; both for a GBT(a) with 0 < a < 1; for the holds two
    products, to the eigenvectors and back, and the powers of the eigenvalues. Samples enter through N numbers each.
    """
    N, degree = case.order, hold_degree(case.method)
    samples = (degree or 0) + 1 + (case.method == "trapezoid")
    triangle = N * (N + 1) // 2
    if case.dt is not None:
        step = N * N
    elif degree is not None:
        step = 2 * triangle + N
    else:
        step = triangle if gbt_weight(case.method) in (0, 1) else 2 * triangle
    return length * (step + samples * N)


@dataclass(frozen=True)
class Run:
    """One scan of the target.

    Attributes:
        case: with the step of the run.
        samples: in float64, not yet rounded to the dtype.
        got: (N,) the last state of the target.
        exact: (N,) that of the rule on the samples as the target read them.
        limit: what rounding may have moved it by.
    """

    case: Case
    samples: tuple[float, ...]
    got: Array
    exact: Exact
    limit: float


def error_budget(case: Case, function: Function, end: Fraction, runs: Sequence[Run], oracle: Oracle) -> dict[str, Any]:
    """What the errors of the last states are made of, as `verify.budget` takes them apart, in few numbers.

    Norms in the orthonormal basis, and shares of the squared total in the order of ``parts``. The rule's own state is
    that on the samples in float64, so their last bit counts as discretization, and what float32 takes off as rounding.

    Raises:
        PrecisionError: an exact answer is not known well enough.
    """
    since = None if case.dt is None else Fraction(0)  # a window may reach back to silence
    size, missed, unknown = oracle.truncation(case, function, end, since).high.tolist()
    w = np.array([float(factor) for factor in orthonormal(case)])
    projection = oracle.projection(case, function, end, since)
    closed = case.dt is not None and oracle.measure(case).closure == "closed"
    law = oracle.closed_state(case, function, end) if closed else projection
    closure = _difference(law, projection) * w
    rows = []
    for run in runs:
        rule = oracle.states(run.case, run.samples)[-1]
        discretization, rounding = _difference(rule, law) * w, rule.error(run.got) * w
        vectors = (closure, discretization, rounding)
        with np.errstate(all="ignore"):  # a wrong state may be as large as it likes
            error = closure + discretization + rounding
            square = missed**2 + float(error @ error)
            shares = [missed**2, *(float(vector @ error) for vector in vectors)]
        limit = run.limit * float((w / oracle.operator(run.case).weights).max())
        limit += float(norm(_difference(run.exact, rule), w))
        norms = [missed, *(float(norm(vector)) for vector in vectors)]
        kept = math.isfinite(square) and square > 0
        rows.append((norms, [share / square if kept else math.nan for share in shares], math.sqrt(square), limit))
    return {
        "parts": ["truncation", "closure", "discretization", "rounding"],
        "norms": [series(norms) for norms, _, _, _ in rows],
        "shares": [series(shares) for _, shares, _, _ in rows],
        "totals": series(total for _, _, total, _ in rows),
        "rounding_limits": series(limit for _, _, _, limit in rows),
        **dict(zip(("size", "accuracy"), series((size, unknown)), strict=True)),
    }


def _difference(first: Exact, second: Exact) -> Array:
    """First minus second, rounded once."""
    return np.asarray((first.high - second.high) + (first.low - second.low))
