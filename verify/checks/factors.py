"""Factors of an operator, as S4 and S5 keep it: diagonal plus low rank, with or without V, all modes or half."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from verify.alignment import Operator, aligned
from verify.boundary import Exact
from verify.bounds import DISSIPATIVE, Limits
from verify.bounds.structure import FactorLimits, Identity, MomentLimits
from verify.case import Case
from verify.checks.base import Check, Finding, Record, Suite, judge, malformed
from verify.defects import Defect, pick
from verify.factored import Factors, counts
from verify.modes import census
from verify.oracle import Oracle
from verify.result import Result, Target, TargetError
from verify.verdict import INTERFACE, Status

Array = np.ndarray[Any, np.dtype[Any]]

LARGEST = 65
"""Orders up to which the exact spectrum is isolated in balls: the time, a second here, grows with the cube of it."""
RESOLVED = 20
"""A resolvent is looked at no closer than this many times what rounding may move the spectrum by."""
SINGLE_MAX = 1e38
"""Numbers beyond it have squares that leave the range of a double: no V is looked for."""
POINTS = 33
"""Frequencies near which resolvents are looked at."""
ENTRIES = 4_000_000
"""Of all resolvents of one distance together, so that large orders stay within memory."""


@dataclass(frozen=True)
class Truth:
    """An exact operator, and what its factors may be off by.

    Attributes:
        case: what is checked.
        A: (N, N).
        B: (N,).
        frequencies: (N,) ascending, or None beyond `LARGEST`.
        rates: (N,) the same in double precision.
        split: A as normal plus low rank, in double precision.
        limits: on the factors.
    """

    case: Case
    A: Exact
    B: Exact
    frequencies: Exact | None
    rates: Array
    split: Operator
    limits: FactorLimits

    @classmethod
    def of(cls, case: Case, oracle: Oracle) -> Truth:
        """From the reference."""
        A, B = oracle.system(case)
        split = Operator.of(A.high, B.high, -Identity.of(case).shift / 2)
        rates = np.linalg.eigvalsh(-1j * split.skew)
        limits = FactorLimits(
            case.order,
            case.dtype,
            spread=float(np.hypot(np.abs(rates).max(), split.shift)),
            rank=float(np.sum(split.low**2)),
            gain=float(np.linalg.norm(B.high)),
            rate=abs(split.shift),
        )
        return cls(case, A, B, oracle.frequencies(case) if case.order <= LARGEST else None, rates, split, limits)

    @property
    def halved(self) -> Truth:
        """With the limits on factors that hold one mode of each pair."""
        paired = (self.case.order - self_conjugate(self.case)) // 2
        gap = float(self.rates[-paired] - self.rates[-paired - 1]) if paired else math.inf
        return replace(self, limits=replace(self.limits, gap=gap))

    @property
    def low_rank(self) -> Array:
        """(N, N) the exact low-rank term, ``-(A + A^T)/2`` less its multiple of the identity."""
        return np.asarray(self.split.shift * np.eye(self.case.order) - (self.A.high + self.A.high.T) / 2)


class FactorsOf(Check):
    """Factors stand for the operator of their measure, at its order and at both neighbours, one of them odd."""

    key = "factors"
    claim = (
        "diag(Lambda) - P P^* and B are the operator in the eigenvectors of its normal part: with the V that comes "
        "along, or else with some unitary V (S4, theorem 1; S5, section 2)"
    )
    levels = ("factors",)

    def why_not(self, case: Case) -> str | None:
        """Factors need a normal part in the very coordinates of the state."""
        if case.measure not in DISSIPATIVE:
            return f"{case.measure} is not known to be normal plus low rank, and its closure is new at each order"
        if case.measure == "lmu" or float(case.float_parameters.get("alpha", 0.0)) != 0:
            return f"{case.measure} is normal plus low rank in rescaled coordinates only: no unitary V takes it there"
        return None

    def _neighbours(self, case: Case) -> tuple[Case, ...]:
        """Both neighbours in order: the usual orders are powers of two, and an odd one may be wrong alone."""
        return tuple(replace(case, order=order) for order in (case.order - 1, case.order + 1) if order >= 1)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """The order of the case, then both neighbours; one that the target does not take is left out and named."""
        for asked in (case, *self._neighbours(case)):
            reason = None if asked is case else target.why_not(asked)
            if reason is not None:
                record.details.setdefault("left_out", {})[str(asked.order)] = reason
                continue
            try:
                result = target.call(asked, asked.order)
            except TargetError as error:
                # Many take even orders only, or powers of two, and say so: that is no wrong answer.
                if asked is case or error.kind != "raised":
                    raise
                record.details.setdefault("left_out", {})[str(asked.order)] = error.message
                continue
            problem = _misshapen(result, asked)
            if problem is not None:
                record.add(problem)
                continue
            truth, given = Truth.of(asked, oracle), Factors.of(result.arrays)
            with np.errstate(all="ignore"):  # a wrong target may well overflow
                for finding in _judged(truth, given):
                    record.add(finding)

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Wrong factors."""
        return pick(
            case,
            *("plus_low_rank", "outer_sum", "clipped_B", "odd_mode_dropped", "unscaled_P", "unconjugated"),
            *("rates_lost", "rates_clipped", "whole_diagonalised", "unrotated_P", "unrotated_B", "folded_modes"),
            *("largest_mode_dropped", "smallest_mode_dropped", "mode_twice", "pair_whole", "real_mode_twice"),
            *("partners_unconjugated", "rows_unsorted", "low_rank_missing", "s4d_lin", "s4d_inv", "s4d_real"),
            *("unit_modal_B", "imaginary_clipped", "negated_Q", "negated_Lambda", "rates_half", "unnormalised_V"),
            "dead_sine",
        )


def _misshapen(result: Result, case: Case) -> Finding | None:
    """None if the parts fit each other and the order; else the failing finding that says what does not."""
    order, place = case.order, {"order": case.order}
    if result.malformed:
        return malformed(result, "Lambda", (order,), place)
    arrays = result.arrays
    modes, rank = arrays["Lambda"].shape, arrays["P"].shape[-1] if "P" in arrays else 0
    accepted = counts(order, self_conjugate(case))
    if modes not in {(count,) for count in accepted}:
        halves = "".join(f", or ({count},) with one mode of each pair" for count in accepted[1:])
        message = f"Lambda has shape {modes}, expected ({order},){halves}"
        worst = {**place, "what": "Lambda", "expected": [order]}
        return Finding(Status.FAIL, float("inf"), 0.0, float("inf"), 1, worst, message, INTERFACE)
    shapes = {"P": (*modes, rank), "Q": (*modes, rank), "B": modes, "V": (order, *modes)}
    for name in ("P", "Q", "B", "V"):
        if name in arrays:
            problem = malformed(result, name, shapes[name], place)
            if problem is not None:
                return problem
    return None


def self_conjugate(case: Case) -> int:
    """How many modes of the normal part have frequency 0: FouT's constant, at even orders also its lone cosine."""
    return 2 - case.order % 2 if case.measure == "fout" else case.order % 2


def _judged(truth: Truth, given: Factors) -> list[Finding]:
    """The findings on one order, by the first reading that passes, or else by the widest limits.

    Factors with one mode of each pair are judged by the limits on all modes first: wider ones may decide nothing.
    Square P and Q may have a row or a column for each rank.
    """
    order = truth.case.order
    limited = (truth, truth.halved) if len(given.Lambda) < order else (truth,)
    readings = (given, given.turned()) if given.P.shape[0] == given.P.shape[1] > 1 else (given,)
    for limits, read in product(limited, readings):
        found = _findings(limits, read.completed(order))
        if all(finding.status is Status.PASS for finding in found):
            return found
    return _findings(limited[-1], given.completed(order))


def _findings(truth: Truth, factors: Factors) -> list[Finding]:
    modes = [_spectrum(truth, factors)] if truth.frequencies is not None else []
    if factors.V is not None:
        return [*modes, *_taken_by(truth, factors, factors.V)]
    proof = list(_proof(truth, factors))
    if proof and all(finding.status is Status.PASS for finding in proof):
        return [*modes, *proof]
    refuted = [finding for finding in _moments(truth, factors) if finding.status is Status.FAIL]
    doubts = [finding for finding in proof if finding.status is not Status.PASS]
    return [*modes, *(refuted or map(_unproved, doubts))]


def _proof(truth: Truth, factors: Factors) -> Iterator[Finding]:
    """What is left over by the V that takes the factors closest to the operator; nothing where they are not numbers."""
    parts = (factors.Lambda, factors.low_rank, factors.B)
    if not all(np.isfinite(part).all() and np.abs(part).max(initial=0.0) < SINGLE_MAX for part in parts):
        return
    # Rounding, in whichever limits: only the ratios count.
    limits = replace(truth.limits, gap=math.inf)
    scales = (limits.modal.forward, limits.low_rank.forward / (2 * math.sqrt(limits.rank)), limits.input.forward)
    V = aligned(*parts, truth.split, (float(scales[0]), float(scales[1]), float(scales[2])))
    yield from _taken_by(truth, factors, V)


def _unproved(finding: Finding) -> Finding:
    """A V that leaves too much proves nothing against the factors: another may leave less."""
    message = (
        f"with the V that was found {finding.worst.get('what', 'the operator')} is off by {finding.measured:.3g}, more "
        "than accurate factors leave; but nothing that is the same for every V is wrong: give V as well"
    )
    return replace(finding, status=Status.INCONCLUSIVE, message=message)


def _where(order: int, name: str) -> Any:
    def where(index: tuple[int, ...]) -> dict[str, Any]:
        at = f"{name} at {list(index)}" if index else name
        return {"what": f"{at} of order {order} (real, imaginary)", "index": list(index), "order": order}

    return where


def _pairs(values: Array) -> Array:
    """Real and imaginary parts as a last axis of two."""
    return np.stack([np.real(values), np.imag(values)], axis=-1)


def _spectrum(truth: Truth, factors: Factors) -> Finding:
    """The modes, whatever V is; where some are missing and others too many, the message says which."""
    assert truth.frequencies is not None  # noqa: S101 -- for the type checker
    order, limit = truth.case.order, truth.limits.spectrum
    modes = factors.Lambda[np.argsort(factors.Lambda.imag, kind="stable")]
    exact = truth.split.shift + 1j * truth.frequencies.high

    def where(index: tuple[int, ...]) -> dict[str, Any]:
        what = f"mode {index[0]} by frequency of order {order} (real, imaginary)"
        return {"what": what, "index": list(index), "order": order}

    finding = judge(
        np.abs(modes - exact),
        limit,
        truth=np.abs(truth.frequencies.low) + truth.frequencies.radius,
        scale=truth.limits.normal,
        got=_pairs(modes),
        expected=_pairs(exact),
        where=where,
    )
    if finding.status is not Status.FAIL:
        return finding
    found = census(factors.Lambda, exact, float(limit.backward))
    telling = 0 < len(found.missing) <= order // 2  # where nearly all are missing, something else is wrong
    return replace(finding, message=f"{finding.message}; {found.describe()}") if telling else finding


def _taken_by(truth: Truth, factors: Factors, V: Array) -> Iterator[Finding]:
    """What V makes of the factors, beside the operator."""
    order, limits = truth.case.order, truth.limits
    unit = np.eye(order)
    low = V @ factors.low_rank @ V.conj().T
    about = np.abs(truth.A.low) + truth.A.radius
    # The low-rank part is formed in double precision: a sum and a difference of numbers below the norm of A.
    formed = 2 * float(np.finfo(np.float64).eps) * (limits.spread + limits.rank)
    term = "P P^*" if factors.Q is factors.P or np.array_equal(factors.P, factors.Q) else "P Q^*"
    whole = (V * factors.Lambda) @ V.conj().T - low
    gain = np.abs(truth.B.low) + truth.B.radius
    comparisons: tuple[tuple[str, Array, Array, Array | float, Limits, float], ...] = (
        ("V^* V", V.conj().T @ V, unit, 0.0, limits.unitary, 1.0),
        (f"V {term} V^*", low, truth.low_rank, about + formed, limits.low_rank, limits.rank),
        (f"V (Lambda - {term}) V^*", whole, truth.A.high, about, limits.whole, limits.normal),
        ("V B", V @ factors.B, truth.B.high, gain, limits.input, limits.gain),
    )
    for name, got, expected, radius, limit, scale in comparisons:
        yield judge(
            np.abs(got - expected),
            limit,
            truth=radius,
            scale=scale,
            got=_pairs(got),
            expected=_pairs(expected),
            where=_where(order, name),
        )


def _moments(truth: Truth, factors: Factors) -> Iterator[Finding]:
    """What is the same for every unitary V, beside its exact value: what fails here has no V."""
    order, split = truth.case.order, truth.split
    R = factors.low_rank
    rank = min(factors.P.shape[1], order) + split.low.shape[1]
    coarse = MomentLimits(truth.limits, rank, 0.0)
    frequencies = truth.rates
    chosen = frequencies[
        np.unique(np.linspace(0, order - 1, min(order, POINTS, max(ENTRIES // order**2, 1))).round().astype(int))
    ]
    gaps = np.diff(frequencies)
    spread = max(float(np.abs(frequencies).max()), -split.shift, 1 / order)
    near = max(float(gaps[gaps > spread * 1e-8].min(initial=spread)), RESOLVED * coarse.whole_error)
    distance = np.repeat([near, max(near, spread / order), 3 * max(near, spread)], len(chosen))
    z = split.shift + distance + 1j * np.tile(chosen, 3)
    limits = MomentLimits(truth.limits, rank, float(np.abs(z).max()) + float(np.linalg.norm(truth.A.high)))
    exact = _sums(z, split.shift * np.eye(order) + split.skew, split.low @ split.low.T, split.input)
    found = _sums(z, np.diag(factors.Lambda), R, factors.B)
    bounds = {
        "|B|": limits.input_norm(),
        "|P Q^*|": limits.low_rank_norm(),
        "B^* (z - Lambda)^-1 B": limits.quadratic(distance, limits.modal_error),
        "trace of P Q^* (z - Lambda)^-1": limits.trace(distance),
        "B^* (z - A)^-1 B": limits.quadratic(distance, limits.whole_error),
        "|(z - A)^-1 B|": limits.response(distance),
    }
    for (name, bound), got, expected in zip(bounds.items(), found, exact, strict=True):

        def where(index: tuple[int, ...], name: str = name) -> dict[str, Any]:
            at = f" at z = {z[index[0]]:.4g}" if index else ""
            what = f"{name}{at}, the same for every unitary V, of order {order}"
            return {"what": what, "index": list(index), "order": order}

        # No share of its size is asked for: what rounding cannot explain is wrong, however small.
        yield judge(
            np.abs(got - expected), bound, truth=0.0, scale=np.inf, got=_pairs(got), expected=_pairs(expected),
            where=where,
        )  # fmt: skip


def _sums(z: Array, normal: Array, low_rank: Array, column: Array) -> tuple[Array, ...]:
    """``|b|``, ``|R|``; for each z ``b^* X b``, ``trace(R X)``, ``b^* Y b``, ``|Y b|``: resolvents of S, of S - R."""
    unit = z[:, None, None] * np.eye(len(column))
    with_normal, whole = unit - normal, unit - normal + low_rank
    right = np.broadcast_to(np.column_stack([column, low_rank])[None], (len(z), len(column), 1 + len(column)))
    try:
        solved = np.linalg.solve(with_normal, right)
        again = np.linalg.solve(whole, right[:, :, :1])
    except np.linalg.LinAlgError:  # z is a mode, which no right one can be
        solved, again = np.full(right.shape, np.nan), np.full((len(z), len(column), 1), np.nan)
    row = column.conj()
    return (
        np.asarray(np.linalg.norm(column)),
        np.asarray(np.linalg.norm(low_rank)),
        solved[:, :, 0] @ row,
        np.asarray(np.trace(solved[:, :, 1:], axis1=1, axis2=2)),
        again[:, :, 0] @ row,
        np.linalg.norm(again[:, :, 0], axis=1),
    )
