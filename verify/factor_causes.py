"""What is wrong with factors, read off them: which modes are missing, how far P and B are off, what they may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verify.alignment import Operator
from verify.bounds.structure import Identity
from verify.candidates import NAMES, STAND_INS
from verify.case import Case, as_text
from verify.factored import Factors
from verify.modes import Census, census
from verify.oracle import Oracle

Array = np.ndarray[Any, np.dtype[Any]]

ALIKE = 1e-4
"""Share of the size within which two numbers are taken for the same: above single precision's rounding, here."""
SINGLE = (1e-10, 1e-5)
"""What rounding to single precision leaves of the largest mode lies between."""
LEGENDRE = ("legs", "legs_lti")
OTHERS = ("legs", "legt", "lagt", "fout")
"""Measures whose factors are tried under another name."""


@dataclass(frozen=True)
class Cause:
    """One explanation.

    Attributes:
        key: of a defect, or a name of its own.
        evidence: why we say so.
        text: what is wrong, where ``key`` is of no defect.
    """

    key: str
    evidence: str
    text: str = ""


@dataclass(frozen=True)
class Exact:
    """An operator in the coordinates of its modes, ascending in frequency; phases are arbitrary.

    Attributes:
        Lambda: (N,) modes.
        weights: (N,) diagonal of the low-rank term.
        B: (N,) moduli of the input.
    """

    Lambda: Array
    weights: Array
    B: Array

    @classmethod
    def of(cls, case: Case, oracle: Oracle) -> Exact:
        """From the reference, in double precision."""
        A, B = oracle.system(case)
        split = Operator.of(A.high, B.high, -Identity.of(case).shift / 2)
        frequencies, V = np.linalg.eigh(-1j * split.skew)
        rows = V.conj().T @ split.low
        return cls(split.shift + 1j * frequencies, np.sum(np.abs(rows) ** 2, axis=1), np.abs(V.conj().T @ B.high))


def causes(parts: Mapping[str, Array], case: Case, oracle: Oracle) -> list[Cause]:
    """Explanations of wrong factors, most likely first; empty where there is none.

    Args:
        parts: of the answer, of shapes that fit each other.
        case: what was asked for.
        oracle: exact operators.
    """
    given, exact = Factors.of(parts), Exact.of(case, oracle)
    shapes = {given.Lambda.shape, given.B.shape, given.P.shape[:1], given.Q.shape[:1]}
    values = np.concatenate([part.ravel() for part in (given.Lambda, given.B, given.P, given.Q)])
    if len(shapes) != 1 or given.Lambda.ndim != 1 or not np.isfinite(values).all():
        return []
    with np.errstate(all="ignore"):
        for rule in (_diagonalised, _counted, _stand_in, _rates, _driven, _coarse, _other):
            found = list(rule(given, exact, case, oracle))
            if found:
                return found
    return []


def _same(one: Array, two: Array) -> bool:
    """Whether two arrays of one shape agree, each entry beside the largest."""
    return one.shape == two.shape and bool(np.all(np.abs(one - two) <= ALIKE * np.abs(two).max(initial=0.0)))


def _diagonalised(given: Factors, exact: Exact, case: Case, oracle: Oracle) -> Iterator[Cause]:
    """Eigenvectors of A itself: how far from unitary they are is how many digits they lose."""
    if given.P.any() and given.Q.any():
        return
    A = oracle.system(case)[0].high
    eigenvalues = np.linalg.eigvals(A)
    by_hand = case.measure in LEGENDRE and _same(np.sort(given.Lambda.real), -np.arange(case.order, 0.0, -1))
    solved = len(given.Lambda) == case.order and _same(np.sort_complex(given.Lambda), np.sort_complex(eigenvalues))
    if case.order < 2 or not (by_hand or solved) or np.all(given.B == 1):
        return
    V = given.V if given.V is not None and given.V.shape == A.shape else np.linalg.eig(A)[1]
    condition = float(np.linalg.cond(V))
    has = 16 if case.dtype == "float64" else 7
    lost = "all" if not condition < 10.0**has else f"{np.log10(condition):.0f}"
    text = f"the eigenvectors of A have condition number {condition:.1e}: {lost} of about {has} digits are lost"
    if case.measure in LEGENDRE:
        text += "; unscaled, they have entries up to 2^(4N/3) (S4, lemma 3.2)"
    yield Cause("whole_diagonalised", text)


def _counted(given: Factors, exact: Exact, case: Case, oracle: Oracle) -> Iterator[Cause]:
    """Every mode is one of the operator's, but some are missing or too many."""
    near = ALIKE * float(np.abs(exact.Lambda).max(initial=0.0))
    if np.abs(given.Lambda[:, None] - exact.Lambda[None, :]).min(axis=1).max(initial=0.0) > near:
        return
    order, modes, whole = case.order, given.Lambda, exact.Lambda
    halves = len(modes) <= order // 2 + 1 and order > 2
    if halves:  # each of a pair stands for both
        whole = whole[whole.imag >= -near]
        modes = modes.real + 1j * np.abs(modes.imag)
    found = census(modes, whole, near)
    if not found.missing and not found.repeated:
        return
    yield Cause(_count_key(found, given.Lambda, near, halves), found.describe(), f"of the modes {found.describe()}")


def _count_key(found: Census, given: Array, near: float, halves: bool) -> str:
    if found.repeated:
        if all(abs(mode.imag) <= near for mode in found.repeated):
            return "real_mode_twice"
        opposite = any(np.any(np.abs(given - np.conj(mode)) <= near) for mode in given if mode.imag > near)
        if not found.missing:
            return "mode_too_many"
        return "pair_whole" if halves and opposite else "mode_twice"
    sizes = {abs(mode.imag) for mode in found.missing}
    if len(sizes) == 1 and len(found.missing) <= 2:
        size = sizes.pop()
        for key, value in (("largest_mode_dropped", found.largest), ("smallest_mode_dropped", found.smallest)):
            if abs(size - value) <= near:
                return key
        if size <= near:
            return "odd_mode_dropped"
    return "mode_dropped"


def _stand_in(given: Factors, exact: Exact, case: Case, oracle: Oracle) -> Iterator[Cause]:
    """The diagonal systems that S4D puts in the place of LegS."""
    if case.measure not in LEGENDRE or case.order < 3:
        return
    modes = np.sort_complex(given.Lambda.real + 1j * np.abs(given.Lambda.imag))
    for key, formula in STAND_INS.items():
        expected = formula(case.order)
        for wanted in (expected, np.concatenate([expected, expected.conj()])):
            if _same(modes, np.sort_complex(wanted.real + 1j * np.abs(wanted.imag))):
                yield Cause(key, "its formula gives the same Lambda")
                return


def _rates(given: Factors, exact: Exact, case: Case, oracle: Oracle) -> Iterator[Cause]:
    """The frequencies are right, and the real part is another."""
    modes = given.completed(case.order).Lambda
    size = max(float(np.abs(exact.Lambda).max()), 1.0)
    if not _same(np.sort(modes.imag), np.sort(exact.Lambda.imag)):
        return
    rate, expected = float(modes.real.mean()), float(exact.Lambda.real.mean())
    if np.ptp(modes.real) > ALIKE * max(abs(rate), 1e-3):
        return  # they are not the same in every mode
    if abs(rate - expected) <= max(ALIKE * abs(expected), 1e-9 * size):
        return
    known = (
        {"rates_lost": 0.0, "negated_Lambda": -expected} if expected else {"rates_half": -0.5, "rates_clipped": -1e-4}
    )
    near = (key for key, value in known.items() if abs(rate - value) <= ALIKE * max(abs(value), 1e-3))
    key = next(near, "rates_wrong")
    said = f"the real part of Lambda is {rate:.4g} in every mode, expected {expected:.4g}; the frequencies are right"
    yield Cause(key, said, said)


def _driven(given: Factors, exact: Exact, case: Case, oracle: Oracle) -> Iterator[Cause]:
    """The modes are right, and P or B is not: modulus by modulus, which no phase of a mode changes."""
    factors = given.completed(case.order)
    factors = factors.take(np.argsort(factors.Lambda.imag, kind="stable"))
    if not _same(factors.Lambda, exact.Lambda):
        return
    still = np.abs(exact.Lambda.imag) <= ALIKE * np.abs(exact.Lambda.imag).max(initial=0.0)
    weights = _pooled(np.diag(factors.low_rank), still)
    gains, wanted = (np.sqrt(_pooled(np.abs(column) ** 2, still)) for column in (factors.B, exact.B))
    if still.sum() == 2 and _same(gains[~still], wanted[~still]) and _same(3 * gains[still] ** 2, wanted[still] ** 2):
        # Of the three parts, the constant has one and the lone cosine, which is missing, two.
        yield Cause("dead_sine", "both modes of frequency 0 together are driven by the constant alone")
        return
    if not factors.low_rank.any():
        yield Cause("low_rank_missing", "Lambda is that of the normal part, and P is 0")
    elif not _same(weights, _pooled(exact.weights, still)):
        yield from _scaled_term(weights, _pooled(exact.weights, still))
    if _same(gains, wanted):
        return
    share = gains / np.where(wanted == 0, 1, wanted)
    if np.all(np.abs(factors.B - 1) <= ALIKE):
        yield Cause("unit_modal_B", "every entry of B is 1, and Lambda is right")
    elif np.ptp(share) <= ALIKE * share.max():
        said = f"B is {share.mean():.6g} times the exact one, in every mode"
        yield Cause("scaled_B", said, said)
    elif _same(np.sort(gains), np.sort(wanted)):
        yield Cause("rows_unsorted", "the moduli of B are right, but stand at other modes")
    elif still.sum() < 2:  # the phases of two modes of one frequency are nobody's
        yield from _clipped(factors.B, exact.B)


def _pooled(squares: Array, together: Array) -> Array:
    """Squared moduli, those of modes of one frequency replaced by their mean: only their sum is fixed."""
    pooled = np.array(squares)
    pooled[together] = pooled[together].mean() if together.any() else 0
    return pooled


def _scaled_term(weights: Array, exact: Array) -> Iterator[Cause]:
    factor = weights.sum() / exact.sum()
    if _same(weights, factor * exact) and abs(factor.imag) <= ALIKE * abs(factor):
        size = float(factor.real)
        key = "negated_Q" if abs(size + 1) <= ALIKE else "unscaled_P" if abs(size - 2) <= ALIKE else "scaled_P"
        said = f"the low-rank term is {size:.6g} times the exact one, in every mode"
        yield Cause(key, said, said)
    elif _same(np.sort(weights.real), np.sort(exact)):
        yield Cause("rows_unsorted", "the moduli of P are right, but stand at other modes")


def _clipped(column: Array, exact: Array) -> Iterator[Cause]:
    """Where B is not right it is smaller, and all of it there has one and the same largest value."""
    wrong = np.abs(np.abs(column) - exact) > ALIKE * exact.max()
    if np.any(np.abs(column) > exact * (1 + ALIKE)):
        return
    parts: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
        ("clipped_B", "the modulus", np.abs),
        ("imaginary_clipped", "the imaginary part", lambda values: np.abs(values.imag)),
        ("real_clipped", "the real part", lambda values: np.abs(values.real)),
    )
    for key, name, part in parts:
        ends = part(column)[wrong]
        if np.ptp(ends) <= ALIKE * ends.max() and part(column).max() <= ends.max() * (1 + ALIKE) and ends.size > 1:
            said = f"{name} of B is clipped to {ends.mean():.4g}, in {ends.size} of {len(column)} modes"
            yield Cause(key, said, said)
            return


def _coarse(given: Factors, exact: Exact, case: Case, oracle: Oracle) -> Iterator[Cause]:
    """Right to about the digits of single precision, where double is asked for."""
    factors = given.completed(case.order)
    if case.dtype != "float64" or len(factors.Lambda) != case.order:
        return
    factors = factors.take(np.argsort(factors.Lambda.imag, kind="stable"))
    off = float(np.abs(factors.Lambda - exact.Lambda).max() / np.abs(exact.Lambda).max(initial=ALIKE))
    still = np.abs(exact.Lambda.imag) <= ALIKE * np.abs(exact.Lambda.imag).max(initial=0.0)
    pairs = ((np.diag(factors.low_rank), exact.weights), (np.abs(factors.B) ** 2, exact.B**2))
    if SINGLE[0] < off < SINGLE[1] and all(_same(_pooled(x, still), _pooled(y, still)) for x, y in pairs):
        said = f"right to about {-np.log10(off):.0f} digits: single precision on the way"
        text = f"the factors are {said}; if that is meant, check with --dtype float32"
        yield Cause("single_precision", f"Lambda is off by {off:.1e} of the largest", text)


def _other(given: Factors, exact: Exact, case: Case, oracle: Oracle) -> Iterator[Cause]:
    """Right modes and a right low-rank term, of another measure."""
    if case.order < 3 or not given.P.any():
        return
    factors = given.completed(case.order)
    factors = factors.take(np.argsort(factors.Lambda.imag, kind="stable"))
    if len(factors.Lambda) != case.order:
        return
    for measure in OTHERS:
        parameters: dict[str, float] = {}
        unit = replace(case, measure=measure, parameters=_text({"theta": 1.0} if measure in ("legt", "fout") else {}))
        if measure == "lagt":
            parameters = {"alpha": 0.0, "beta": _rounded(-2 * float(factors.Lambda.real.mean()))}
            if parameters["beta"] <= 0:
                continue
        if measure in ("legt", "fout"):
            span = Exact.of(unit, oracle).Lambda.imag.max()
            parameters = {"theta": _rounded(float(span / factors.Lambda.imag.max()))}
        asked = replace(case, measure=measure, parameters=_text(parameters))
        if asked.measure == case.measure and asked.float_parameters == case.float_parameters:
            continue
        other = Exact.of(asked, oracle)
        if _same(factors.Lambda, other.Lambda) and _same(np.diag(factors.low_rank), other.weights):
            found, wanted = (_named(one) for one in (asked, case))
            given_B = "" if _same(np.abs(factors.B), other.B) else ", but B is another"
            text = f"these are the factors of {found}{given_B}; asked for was {wanted}"
            yield Cause("other_operator", "Lambda and the low-rank term agree mode by mode", text)
            return


def _named(case: Case) -> str:
    return NAMES[case.measure] + "".join(f", {name} = {value}" for name, value in case.parameters if float(value))


def _rounded(value: float) -> float:
    """To six digits, where that changes nothing but rounding."""
    return float(f"{value:.6g}") if np.isfinite(value) and value else 1.0


def _text(parameters: Mapping[str, float]) -> tuple[tuple[str, str], ...]:
    return tuple((name, as_text(value)) for name, value in parameters.items())
