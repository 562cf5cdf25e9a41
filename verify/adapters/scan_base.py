"""What a library that only discretizes or scans is fed with, so that its part of the work can be judged alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from verify.case import Case
from verify.folders import cache_folder

Array = np.ndarray[Any, np.dtype[Any]]

LARGEST_TRIANGLE = 16
"""Largest order at which a scan of single coefficients is asked: it runs N times for one answer."""


@lru_cache(maxsize=16)
def exact_system(case: Case) -> tuple[Array, Array]:
    """``(A, B)`` of a case in float64, each exact entry rounded once."""
    from verify.oracle import Oracle  # noqa: PLC0415 -- listing adapters must not load the reference

    A, B = Oracle(cache_folder()).system(case)
    return A.high, B.high


@lru_cache(maxsize=8)
def transitions(case: Case, length: int) -> tuple[Array, Array]:
    """The discrete ``(M, v)`` of the bilinear rule for every sample, (L, N, N) and (L, N), of a lower triangular A.

    Row 0 takes the first sample into the empty state: as it is into coefficient 0 under the scale law.
    """
    import scipy.linalg  # noqa: PLC0415

    A, B = exact_system(case)
    unit = np.eye(case.order)

    def rule(h: float) -> tuple[Array, Array]:
        right = np.column_stack([unit + h / 2 * A, h * B])
        both = scipy.linalg.solve_triangular(unit - h / 2 * A, right, lower=True)
        return both[:, :-1], both[:, -1]

    if case.dt is not None:
        M, v = rule(case.dt)
        return np.broadcast_to(M, (length, *M.shape)), np.broadcast_to(v, (length, *v.shape))
    steps = [rule(1 / k) for k in range(1, length)]
    return np.stack([unit, *(M for M, _ in steps)]), np.stack([unit[0], *(v for _, v in steps)])


def triangular_scan(
    case: Case,
    samples: Any,
    engine: Callable[[Any, Any], Any],
    convert: Callable[[Array], Any],
    join: Callable[[Sequence[Any]], Any],
) -> list[Any]:
    """The states of a triangular recurrence by a scan that knows single coefficients only, one (L,) for each of N.

    Coefficient n obeys ``c_n[k] = M_nn[k] c_n[k-1] + x[k]``, where ``x`` needs the sample and the coefficients below n
    alone: N scans of ``h[k] = a[k] h[k-1] + x[k]``, lowest first, make a whole scan, with coefficients that change
    from sample to sample where the law is LegS's.

    Args:
        case: gives measure, order and dt; its A is lower triangular.
        samples: (L,), of the library's kind.
        engine: the library's scan: ``(a, x) -> h``, all (L,).
        convert: a numpy array as one of the library's kind.
        join: concatenation of a sequence of arrays.
    """
    M, v = transitions(case, len(samples))
    columns: list[Any] = []
    for n in range(case.order):
        x = convert(v[:, n]) * samples
        if columns:
            below = sum(convert(M[1:, n, j]) * column[:-1] for j, column in enumerate(columns))
            x = join([x[:1], x[1:] + below])
        columns.append(engine(convert(M[:, n, n]), x))
    return columns


def refuse_triangle(case: Case) -> str | None:
    """None, or why a `triangular_scan` of a case is not asked for."""
    if case.order <= LARGEST_TRIANGLE:
        return None
    return f"a scan of single coefficients is asked up to order {LARGEST_TRIANGLE}: it runs N times for one answer"
