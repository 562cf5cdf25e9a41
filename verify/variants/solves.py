"""Implicit steps solved, and products formed, in other orders and with other factorisations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used: a worker starts without them

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


def _equilibrated(M: Array, y: Array) -> Array:
    sizes = np.exp2(-np.round(np.log2(np.abs(M).max(axis=1)))).astype(M.dtype)
    return np.linalg.solve(M * sizes[:, None], y * sizes)


def _turned(M: Array, y: Array) -> Array:
    return np.linalg.solve(M[::-1, ::-1], y[::-1])[::-1]


def _over_the_complex(M: Array, y: Array) -> Array:
    wide = np.complex128 if M.dtype.itemsize >= 8 else np.complex64
    return np.linalg.solve(M.astype(wide), y.astype(wide)).real.astype(y.dtype)


def _two_right_sides(M: Array, y: Array) -> Array:
    return np.linalg.solve(M, np.stack([y, 2 * y], axis=1))[:, 0]


def _in_blocks(M: Array, y: Array) -> Array:
    half = len(y) // 2
    if half == 0:
        return np.linalg.solve(M, y)
    A, B, C, D = M[:half, :half], M[:half, half:], M[half:, :half], M[half:, half:]
    lower = np.linalg.solve(D - C @ np.linalg.solve(A, B), y[half:] - C @ np.linalg.solve(A, y[:half]))
    return np.concatenate([np.linalg.solve(A, y[:half] - B @ lower), lower])


def _forwards(M: Array, y: Array) -> Array:
    x = np.zeros_like(y)
    for i in range(len(y)):
        x[i] = (y[i] - M[i, :i] @ x[:i]) / M[i, i]
    return x


def _by_lapack_triangle(M: Array, y: Array) -> Array:
    return np.asarray(scipy.linalg.solve_triangular(M, y, lower=True))


def _by_columns_of_the_triangle(M: Array, y: Array) -> Array:
    x = y.copy()
    for j in range(len(y)):
        x[j] /= M[j, j]
        x[j + 1 :] -= M[j + 1 :, j] * x[j]
    return x


def _triangular(case: Case) -> bool:
    return _implicit(case) and case.measure in ("legs", "legs_lti", "lagt")


def _by_size(M: Array, x: Array) -> Array:
    terms = M * x
    return np.asarray(np.take_along_axis(terms, np.argsort(np.abs(terms), axis=1), axis=1).sum(axis=1))


def _row_vector(M: Array, x: Array) -> Array:
    return x @ M.T


def _by_blas(M: Array, x: Array) -> Array:
    gemv = scipy.linalg.get_blas_funcs("gemv", (M, x))
    return np.asarray(gemv(1.0, M, x))


def _tensordot(M: Array, x: Array) -> Array:
    return np.asarray(np.tensordot(M, x, axes=1))


def _inner(M: Array, x: Array) -> Array:
    return np.asarray(np.inner(M, x))


def _plain_loops(M: Array, x: Array) -> Array:
    rows, values = M.tolist(), x.tolist()
    return np.array([sum(a * b for a, b in zip(row, values, strict=True)) for row in rows], dtype=x.dtype)


def _odd_and_even(M: Array, x: Array) -> Array:
    return M[:, ::2] @ x[::2] + M[:, 1::2] @ x[1::2]


SOLVES = (
    Variant("equilibrated", "rows scaled by powers of two first", _solved(_equilibrated), _implicit),
    Variant("turned_round", "unknowns in the other order", _solved(_turned), _implicit),
    Variant("complex_solve", "solved over the complex numbers", _solved(_over_the_complex), _implicit),
    Variant("two_right_sides", "two right-hand sides at once", _solved(_two_right_sides), _implicit),
    Variant("block_elimination", "block elimination", _solved(_in_blocks), _implicit),
    Variant("forward_substitution", "triangular operators solved row by row", _solved(_forwards), _triangular),
    Variant("lapack_triangle", "triangular operators by LAPACK", _solved(_by_lapack_triangle), _triangular),
    Variant(
        "triangle_by_columns",
        "triangular operators column by column",
        _solved(_by_columns_of_the_triangle),
        _triangular,
    ),
    Variant("sums_by_size", "products summed from the smallest term", _applied(_by_size), _stepping),
    Variant("row_vectors", "states as rows times the transpose", _applied(_row_vector), _stepping),
    Variant("blas", "products by BLAS itself", _applied(_by_blas), _stepping),
    Variant("tensordot", "products by tensordot", _applied(_tensordot), _stepping),
    Variant("inner", "products by inner", _applied(_inner), _stepping),
    Variant("plain_loops", "products in Python's own numbers", _applied(_plain_loops), _stepping),
    Variant("odd_and_even", "odd and even terms summed apart", _applied(_odd_and_even), _stepping),
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
