"""Wrong factors (diagonal plus low rank), and operators that are wrong at odd orders only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from verify.candidates import Factors, Model, System, decompose
from verify.case import Case
from verify.defects.base import Defect

Array = np.ndarray[Any, np.dtype[Any]]

NEGATIVE = -1e-4
"""The least negative rate that S4 and S4D let a mode have (their clip of the real part)."""


def _factored(change: Callable[[Array, Array, Array], Factors]) -> Callable[[Model], Model]:
    return lambda model: replace(model, decompose=change)


def _spoiled(change: Callable[[Array, Array, Array, Array], Factors]) -> Callable[[Model], Model]:
    return _factored(lambda A, B, P: change(*decompose(A, B, P)))


def _normal_as(normal: Callable[[Array, Array], Array]) -> Callable[[Model], Model]:
    """Eigenvectors of another matrix than ``A + P P^T``; P and B are rotated by them."""

    def change(A: Array, B: Array, P: Array) -> Factors:
        S = normal(A, P)
        shift = np.trace(S) / len(B)
        frequencies, V = np.linalg.eigh(-1j * (S - shift * np.eye(len(B), dtype=A.dtype)))
        return shift + 1j * frequencies, V.conj().T @ P, V.conj().T @ B, V

    return _factored(change)


def _clipped(Lambda: Array, P: Array, B: Array, V: Array) -> Factors:
    return Lambda, P, B / np.maximum(np.abs(B), 1), V


def _odd_mode_dropped(Lambda: Array, P: Array, B: Array, V: Array) -> Factors:
    kept = np.arange(len(Lambda)) != (len(Lambda) // 2 if len(Lambda) % 2 else -1)
    return Lambda[kept], P[kept], B[kept], V[:, kept]


def _rates_clipped(Lambda: Array, P: Array, B: Array, V: Array) -> Factors:
    rates = np.minimum(Lambda.real, Lambda.real.dtype.type(NEGATIVE))
    return rates + 1j * Lambda.imag, P, B, V


def _unconjugated(A: Array, B: Array, P: Array) -> Factors:
    Lambda, _, _, V = decompose(A, B, P)
    return Lambda, V.T @ P, V.T @ B, V


def _whole(A: Array, B: Array, P: Array) -> Factors:
    Lambda, V = np.linalg.eig(A.astype(np.result_type(A.dtype, np.complex64)))
    return Lambda, 0 * P, np.linalg.solve(V, B), V


def _plain_low_rank(A: Array, B: Array, P: Array) -> Factors:
    Lambda, _, rotated, V = decompose(A, B, P)
    return Lambda, P, rotated, V


def _plain_input(A: Array, B: Array, P: Array) -> Factors:
    Lambda, rotated, _, V = decompose(A, B, P)
    return Lambda, rotated, B, V


def _at_odd_orders(change: Callable[[Array, Array], System]) -> Callable[[Model], Model]:
    def alter(model: Model) -> Model:
        right = model.system

        def wrong(order: int) -> System:
            A, B = right(order)
            return change(A.copy(), B.copy()) if order % 2 else (A, B)

        return replace(model, system=wrong)

    return alter


def _truncated(A: Array, B: Array) -> System:
    A[-1], A[:, -1], B[-1] = 0, 0, 0
    return A, B


def _factors(case: Case) -> bool:
    return case.level == "factors"


def _factors_of(*measures: str) -> Callable[[Case], bool]:
    return lambda case: case.level == "factors" and case.measure in measures


FACTORS = (
    Defect(
        "plus_low_rank",
        "the low-rank term has the wrong sign: the eigenvectors are those of A - P P^T, which is not normal",
        "eigenvectors of A - P P^T give the same factors",
        _normal_as(lambda A, P: A - P @ P.T),
        _factors,
    ),
    Defect(
        "outer_sum",
        "+ stands where * should in the low-rank term: the eigenvectors are those of A + (P_n + P_k)",
        "eigenvectors of A + (P_n + P_k) give the same factors",
        _normal_as(lambda A, P: A + (P[:, None] + P[None, :]).sum(axis=-1)),
        _factors,
    ),
    Defect(
        "clipped_B",
        "the modulus of B is clipped in the coordinates of the modes",
        "clipping the exact V^* B to modulus 1 gives the same B",
        _spoiled(_clipped),
        _factors,
    ),
    Defect(
        "odd_mode_dropped",
        "an odd order loses a mode: only N // 2 pairs are kept, and not the one that has no partner",
        "leaving out the mode of frequency 0 at odd orders gives the same factors",
        _spoiled(_odd_mode_dropped),
        _factors,
    ),
    Defect(
        "unscaled_P",
        "P is too large by sqrt(2): LegS takes sqrt(n + 1/2), not sqrt(2n + 1)",
        "P/sqrt(2) and the other factors agree",
        _spoiled(lambda Lambda, P, B, V: (Lambda, P * np.sqrt(P.real.dtype.type(2)), B, V)),
        _factors,
    ),
    Defect(
        "unconjugated",
        "V^T stands for V^* where P and B are rotated: the conjugation is missing",
        "V^T P and V^T B give the same factors",
        _factored(_unconjugated),
        _factors,
    ),
    Defect(
        "rates_lost",
        "the real part of Lambda is lost: the modes do not decay",
        "the exact frequencies, with real part 0, give the same Lambda",
        _spoiled(lambda Lambda, P, B, V: (1j * Lambda.imag, P, B, V)),
        _factors_of("legs", "legs_lti"),
    ),
    Defect(
        "rates_clipped",
        "the real part of Lambda is clipped to -1e-4, where the exact modes do not decay",
        "clipping the real part of the exact Lambda to -1e-4 gives the same Lambda",
        _spoiled(_rates_clipped),
        _factors_of("legt", "fout"),
    ),
    Defect(
        "whole_diagonalised",
        "A itself is diagonalised, without its low-rank term: the eigenvectors are ill-conditioned, not unitary",
        "eigenvectors of A and P = 0 give the same factors",
        _factored(_whole),
        _factors,
    ),
    Defect(
        "unrotated_P",
        "P is given in the coordinates of the state, not in those of the modes",
        "V^* P and the other factors agree",
        _factored(_plain_low_rank),
        _factors,
    ),
    Defect(
        "unrotated_B",
        "B is given in the coordinates of the state, not in those of the modes",
        "V^* B and the other factors agree",
        _factored(_plain_input),
        _factors,
    ),
    Defect(
        "folded_modes",
        "both modes of a pair have the positive frequency: the conjugates are missing",
        "the absolute values of the exact frequencies give the same Lambda",
        _spoiled(lambda Lambda, P, B, V: (Lambda.real + 1j * np.abs(Lambda.imag), P, B, V)),
        _factors,
    ),
    Defect(
        "odd_truncated",
        "at odd orders the last row and column are zero: the loop runs over 2 (N // 2) coefficients",
        "even orders agree, and odd ones without their last coefficient",
        _at_odd_orders(_truncated),
        lambda case: case.level == "matrices",
    ),
    Defect(
        "sign_from_top",
        "the sign (-1)^n of B is counted from the last coefficient: it is right at even orders only",
        "even orders agree, and odd ones with -B",
        _at_odd_orders(lambda A, B: (A, -B)),
        lambda case: case.level == "matrices" and case.measure == "lmu",
    ),
)
