"""Factors whose modes are counted, paired, driven or normalised wrongly, and the diagonal stand-ins for LegS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from verify.candidates import STAND_INS, Factors, Model, decompose, halved, whole
from verify.case import Case
from verify.defects.base import Defect

Array = np.ndarray[Any, np.dtype[Any]]

CLIP = 2.0
"""Where S4 clips the imaginary part of the input by default."""


def _shown(change: Callable[[Factors], Any], *, all_modes: bool = False) -> Callable[[Model], Model]:
    """Change what is handed over: of half of the modes, unless the model hands over something else or all are asked."""

    def alter(model: Model) -> Model:
        given = model.present
        if given is whole and not all_modes:
            given = partial(halved, model.case.measure)
        return replace(model, present=lambda factors: change(given(factors)))

    return alter


def _kept(factors: Factors, kept: Any) -> tuple[Array, Array, Array]:
    Lambda, P, B, _ = factors
    return Lambda[kept], P[kept], B[kept]


def _lowest(Lambda: Array) -> int:
    """Place of the smallest frequency that is not 0."""
    sizes = np.abs(Lambda.imag)
    return int(np.argmin(np.where(sizes > 1e-3 * sizes.max(initial=0.0), sizes, np.inf)))


def _highest(Lambda: Array) -> int:
    return int(np.argmax(np.abs(Lambda.imag)))


def _without(place: Callable[[Array], int]) -> Callable[[Factors], Any]:
    return lambda factors: _kept(factors, np.arange(len(factors[0])) != place(factors[0]))


def _twice(factors: Factors) -> Any:
    kept = np.arange(len(factors[0]))
    kept[_lowest(factors[0])] = _highest(factors[0])
    return _kept(factors, kept)


def _pair_whole(factors: Factors) -> Any:
    place = _lowest(factors[0])
    parts = _twice(factors)
    for part in parts:
        part[place] = part[place].conj()
    return parts


def _all_conjugated(model: Model) -> Model:
    """At odd orders every kept mode gets a partner, the one of frequency 0 too."""

    def present(factors: Factors) -> Any:
        if len(factors[0]) % 2 == 0:
            return factors[:3]
        Lambda, P, B, _ = halved(model.case.measure, factors)
        return tuple(np.concatenate([part, part.conj()]) for part in (Lambda, P, B))

    return replace(model, present=present)


def _half_conjugated(model: Model) -> Model:
    """All modes, from half of them; P and B of a partner are those of the mode itself."""

    def present(factors: Factors) -> Factors:
        Lambda, P, B, V = halved(model.case.measure, factors)
        paired = np.arange(2 * len(Lambda) - len(factors[0]), len(Lambda))
        return (
            np.concatenate([Lambda, Lambda[paired].conj()]),
            np.concatenate([P, P[paired]]),
            np.concatenate([B, B[paired]]),
            np.concatenate([V, V[:, paired].conj()], axis=1),
        )

    return replace(model, present=present)


def _rows_reversed(factors: Factors) -> Any:
    Lambda, P, B, _ = factors
    return Lambda[::-1], P, B


def _unit(values: Array) -> Array:
    return np.ones_like(values)


def _diagonal(key: str) -> Callable[[Model], Model]:
    """Half of the modes by a formula, each driven by 1, and no low-rank term."""

    def alter(model: Model) -> Model:
        def present(factors: Factors) -> Any:
            order, kind = len(factors[0]), factors[0].dtype
            Lambda = STAND_INS[key](order).astype(kind)
            return {"Lambda": Lambda, "B": _unit(Lambda)}

        return replace(model, present=present)

    return alter


def _clipped(factors: Factors) -> Any:
    Lambda, P, B, _ = factors
    return Lambda, P, (B.real + 1j * np.clip(B.imag, -CLIP, CLIP)).astype(B.dtype)


def _dead_sine(A: Array, B: Array, P: Array) -> Factors:
    if len(B) % 2:
        return decompose(A, B, P)
    Lambda, left, column, V = decompose(A[:-1, :-1], B[:-1], P[:-1])
    order, none = len(B), np.zeros(1, Lambda.dtype)
    whole_V = np.eye(order, dtype=V.dtype)
    whole_V[:-1, :-1] = V
    left = np.concatenate([left, np.zeros((1, left.shape[1]), left.dtype)])
    return np.append(Lambda, Lambda.real.mean() + none), left, np.append(column, none), whole_V


def _unnormalised(A: Array, B: Array, P: Array) -> Factors:
    Lambda, _, _, V = decompose(A, B, P)
    V = V / np.abs(V).max(axis=0)
    return Lambda, V.conj().T @ P, V.conj().T @ B, V


def _factors(case: Case) -> bool:
    return case.level == "factors"


def _factors_of(*measures: str) -> Callable[[Case], bool]:
    return lambda case: case.level == "factors" and case.measure in measures


LEGS = ("legs", "legs_lti")

MODES = (
    Defect(
        "largest_mode_dropped",
        "the mode of the largest frequency is missing",
        "leaving it out of the modes gives the same factors",
        _shown(_without(_highest)),
        _factors,
    ),
    Defect(
        "smallest_mode_dropped",
        "the mode of the smallest frequency, not counting 0, is missing",
        "leaving it out of the modes gives the same factors",
        _shown(_without(_lowest)),
        _factors,
    ),
    Defect(
        "mode_twice",
        "one mode is there twice, and another is missing",
        "the largest frequency in the place of the smallest gives the same factors",
        _shown(_twice),
        _factors,
    ),
    Defect(
        "pair_whole",
        "both modes of one conjugate pair are kept, and another pair is missing",
        "the conjugate of the largest frequency in the place of the smallest gives the same factors",
        _shown(_pair_whole),
        _factors,
    ),
    Defect(
        "real_mode_twice",
        "an odd order has one mode too many: the one of frequency 0, its own partner, is counted twice",
        "even orders agree, and odd ones with a conjugate of every kept mode",
        _all_conjugated,
        _factors,
        order=5,
    ),
    Defect(
        "partners_unconjugated",
        "P and B of a conjugate mode are those of its partner: they are not conjugated",
        "copying P and B of one half gives the same factors",
        _half_conjugated,
        _factors,
    ),
    Defect(
        "rows_unsorted",
        "Lambda is sorted and P and B are not: each mode has the rows of another one",
        "P and B of the exact modes in the other order give the same factors",
        _shown(_rows_reversed),
        _factors,
    ),
    Defect(
        "low_rank_missing",
        "the low-rank term is missing: this is the normal part of {measure} alone (of LegS: S4D-LegS), not {measure}",
        "the exact Lambda and V^* B with P = 0 agree",
        _shown(lambda factors: {"Lambda": factors[0], "B": factors[2]}),
        _factors,
    ),
    Defect(
        "s4d_lin",
        "the modes are S4D-Lin's, -1/2 + i pi n: a diagonal system of its own, not {measure}",
        "the formula gives the same Lambda",
        _diagonal("s4d_lin"),
        _factors_of(*LEGS),
    ),
    Defect(
        "s4d_inv",
        "the modes are S4D-Inv's, which only approximate those of the normal part of {measure}",
        "the formula -1/2 + i N/pi (N/(2n+1) - 1) gives the same Lambda",
        _diagonal("s4d_inv"),
        _factors_of(*LEGS),
    ),
    Defect(
        "s4d_real",
        "the modes are the eigenvalues -(n+1) of {measure} as a diagonal (S4D-Real): no unitary V makes A of them",
        "the formula -(n+1) gives the same Lambda",
        _diagonal("s4d_real"),
        _factors_of(*LEGS),
    ),
    Defect(
        "unit_modal_B",
        "B is 1 in every mode: its gains are left to C, so that the state is no longer that of {measure}",
        "the exact Lambda and V^* P, and ones for B, agree",
        _shown(lambda factors: (factors[0], factors[1], _unit(factors[2]))),
        _factors,
    ),
    Defect(
        "imaginary_clipped",
        "the imaginary part of B is clipped in the coordinates of the modes (S4's B_clip, 2 by default)",
        "clipping the imaginary part of the exact V^* B to 2 gives the same B",
        _shown(_clipped),
        _factors_of("legs", "legs_lti", "legt"),
        order=16,
    ),
    Defect(
        "negated_Q",
        "the sign of the low-rank term is wrong: A = Lambda - P Q^* is asked for, and Q is -P",
        "the exact factors with Q = -P agree",
        _shown(lambda factors: {"Lambda": factors[0], "P": factors[1], "Q": -factors[1], "B": factors[2]}),
        _factors,
    ),
    Defect(
        "negated_Lambda",
        "Lambda belongs to -A: its modes grow",
        "the exact factors with -Lambda agree",
        _shown(lambda factors: (-factors[0], *factors[1:]), all_modes=True),
        _factors_of(*LEGS, "lagt"),
    ),
    Defect(
        "rates_half",
        "the real part of Lambda is LegS's -1/2, where the modes of {measure} do not decay",
        "the exact frequencies with real part -1/2 give the same Lambda",
        _shown(lambda factors: (1j * factors[0].imag - factors[0].real.dtype.type(0.5), *factors[1:3])),
        _factors_of("legt", "fout"),
    ),
    Defect(
        "unnormalised_V",
        "the columns of V are not normalised: V is not unitary, and V^* is not its inverse",
        "eigenvectors of the exact normal part with largest entry 1 give the same factors",
        lambda model: replace(model, decompose=_unnormalised),
        _factors,
    ),
    Defect(
        "dead_sine",
        "at even orders the sine of frequency 0 takes a place: FouT of one order less, and a mode that never moves",
        "FouT of one order less and an undriven mode of frequency 0 give the same factors",
        lambda model: replace(model, decompose=_dead_sine),
        _factors_of("fout"),
    ),
)
