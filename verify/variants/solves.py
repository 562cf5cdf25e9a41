"""Implicit steps solved, and products formed, in other orders and with other factorisations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.linalg

from verify.candidates import Model
from verify.case import STEPPING, Case
from verify.variants.base import Variant

Array = np.ndarray[Any, np.dtype[Any]]
Binary = Callable[[Array, Array], Array]


def _implicit(case: Case) -> bool:
    return case.level in STEPPING and (
        case.method in ("bilinear", "backward_euler", "trapezoid") or case.method.startswith("gbt")
    )


def _stepping(case: Case) -> bool:
    return case.level in STEPPING


def _solved(solve: Binary) -> Callable[[Model], Model]:
    return lambda model: replace(model, solve=solve)


def _applied(apply: Binary) -> Callable[[Model], Model]:
    return lambda model: replace(model, apply=apply)


def _by_inverse(M: Array, y: Array) -> Array:
    return np.linalg.inv(M) @ y


def _by_householder(M: Array, y: Array) -> Array:
    Q, R = np.linalg.qr(M)
    return np.linalg.solve(R, Q.T @ y)


def _by_pivoted_householder(M: Array, y: Array) -> Array:
    Q, R, order = scipy.linalg.qr(M, pivoting=True)
    x = np.empty_like(y)
    x[order] = scipy.linalg.solve_triangular(R, Q.T @ y)
    return x


def _by_lu(M: Array, y: Array) -> Array:
    return np.asarray(scipy.linalg.lu_solve(scipy.linalg.lu_factor(M), y))


def _by_transpose(M: Array, y: Array) -> Array:
    return np.asarray(scipy.linalg.lu_solve(scipy.linalg.lu_factor(np.ascontiguousarray(M.T)), y, trans=1))


def _by_singular_values(M: Array, y: Array) -> Array:
    U, s, V = np.linalg.svd(M)
    return np.asarray(V.T @ ((U.T @ y) / s))


def _by_least_squares(M: Array, y: Array) -> Array:
    return np.asarray(scipy.linalg.lstsq(M, y)[0])


def _refined(M: Array, y: Array) -> Array:
    x = np.linalg.solve(M, y)
    return np.asarray(x + np.linalg.solve(M, y - M @ x))


def _in_extended_precision(M: Array, y: Array) -> Array:
    A, b = M.astype(np.longdouble), y.astype(np.longdouble)
    order = len(b)
    for j in range(order):
        pivot = j + int(np.argmax(np.abs(A[j:, j])))
        A[[j, pivot]], b[[j, pivot]] = A[[pivot, j]], b[[pivot, j]]
        factors = A[j + 1 :, j] / A[j, j]
        A[j + 1 :] -= factors[:, None] * A[j]
        b[j + 1 :] -= factors * b[j]
    x = np.zeros_like(b)
    for j in range(order - 1, -1, -1):
        x[j] = (b[j] - A[j, j + 1 :] @ x[j + 1 :]) / A[j, j]
    return x.astype(y.dtype)


def _reversed(M: Array, x: Array) -> Array:
    return M[:, ::-1] @ x[::-1]


def _columns(M: Array, x: Array) -> Array:
    total = np.zeros_like(x)
    for j in range(len(x)):
        total += M[:, j] * x[j]
    return total


def _pairwise(M: Array, x: Array) -> Array:
    return np.asarray((M * x).sum(axis=1))


def _correctly_rounded(M: Array, x: Array) -> Array:
    return np.array([math.fsum((row.astype(float) * x).tolist()) for row in M], dtype=x.dtype)


def _compensated(M: Array, x: Array) -> Array:
    total, lost = np.zeros_like(x), np.zeros_like(x)
    for j in range(len(x)):
        term = M[:, j] * x[j] - lost
        larger = total + term
        lost, total = (larger - total) - term, larger
    return total


def _in_halves(M: Array, x: Array) -> Array:
    half = len(x) // 2
    return M[:, :half] @ x[:half] + M[:, half:] @ x[half:]


def _summation(M: Array, x: Array) -> Array:
    return np.asarray(np.einsum("nk,k->n", M, x))


def _extended_product(M: Array, x: Array) -> Array:
    return (M.astype(np.longdouble) @ x.astype(np.longdouble)).astype(x.dtype)


def _column_major(M: Array, x: Array) -> Array:
    return np.asfortranarray(M) @ x


SOLVES = (
    Variant("explicit_inverse", "the step is multiplied by an explicit inverse", _solved(_by_inverse), _implicit),
    Variant("householder", "the step is solved by Householder factors", _solved(_by_householder), _implicit),
    Variant("pivoted_householder", "the same with column pivoting", _solved(_by_pivoted_householder), _implicit),
    Variant("lu_factors", "the step is solved by LAPACK's LU factors", _solved(_by_lu), _implicit),
    Variant("transposed_factors", "LU factors of the transpose", _solved(_by_transpose), _implicit),
    Variant("singular_values", "the step is solved by singular values", _solved(_by_singular_values), _implicit),
    Variant("least_squares", "the step is solved as least squares", _solved(_by_least_squares), _implicit),
    Variant("refined", "one step of iterative refinement", _solved(_refined), _implicit),
    Variant("extended_solve", "elimination in extended precision", _solved(_in_extended_precision), _implicit),
    Variant(
        "extended_steps",
        "whole steps in extended precision",
        lambda model: replace(model, inner="longdouble", solve=_in_extended_precision),
        _implicit,
    ),
    Variant("reversed_sums", "products are summed backwards", _applied(_reversed), _stepping),
    Variant("column_sums", "products are summed column by column", _applied(_columns), _stepping),
    Variant("pairwise_sums", "products are summed in pairs", _applied(_pairwise), _stepping),
    Variant("rounded_sums", "sums are rounded once", _applied(_correctly_rounded), _stepping),
    Variant("compensated_sums", "sums carry what they lose", _applied(_compensated), _stepping),
    Variant("split_sums", "products are summed in two halves", _applied(_in_halves), _stepping),
    Variant("einsum", "products by einsum", _applied(_summation), _stepping),
    Variant("extended_sums", "products in extended precision", _applied(_extended_product), _stepping),
    Variant("column_major", "matrices stored by columns", _applied(_column_major), _stepping),
)
