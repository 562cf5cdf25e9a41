"""Structure of an operator: normal plus low rank, spectrum, nested orders, LMU as LegT, Pade; and its factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from verify.boundary import Exact
from verify.bounds import DISSIPATIVE, Limits, entry_limits, weights
from verify.bounds.structure import FactorLimits, far_end_limits
from verify.case import Case
from verify.checks.base import MEANINGFUL, Check, Record, Suite, judge, malformed
from verify.defects import Defect, pick
from verify.oracle import Oracle
from verify.result import FACTORS, Result, Target, TargetError

Array = np.ndarray[Any, np.dtype[Any]]

TRIANGULAR = ("legs", "legs_lti", "lagt")
"""Measures whose A is lower triangular, so that its spectrum stands on the diagonal."""
FAR_END = ("legt", "lmu")
"""Measures whose read-out at the far end of the window is a Pade approximant of the delay."""
LARGEST = 65
"""Orders up to which balls are solved for, 64 and its neighbour: the time, a second here, grows with the cube of it."""


@dataclass(frozen=True)
class Identity:
    """``A W + W A^T = -shift W - gain (mask * B B^T)``, the identity that makes A normal plus low rank.

    In the coordinates ``W^{-1/2} c`` it says that the symmetric part of A is a multiple of the identity and a low-rank
    part, hence that A less the latter is normal.

    Attributes:
        W: (N,) diagonal: 1 for orthonormal bases, ``2n+1`` for LMU, ``(Lam_0/Lam_n)^2`` for LagT.
        shift: LegS 1, LagT beta, windows 0.
        gain: LegS 1, LagT ``1/beta``, LegT and LMU ``2 theta``, FouT theta. None for LagT with ``alpha != 0``, whose
            low-rank part ``Lam_0^2/(Lam_n Lam_k)`` is not made from B.
        mask: (N, N) where the low-rank part is: all, or (LegT, LMU) entries of even and even or of odd and odd index.
    """

    W: Array
    shift: float
    gain: float | None
    mask: Array

    @classmethod
    def of(cls, case: Case) -> Identity:
        """The identity of a measure that has one."""
        parameters, n = case.float_parameters, np.arange(case.order)
        W = weights(case.measure, parameters, case.order) ** -2.0
        mask = np.ones((case.order, case.order))
        if case.measure in ("legs", "legs_lti"):
            return cls(W, 1.0, 1.0, mask)
        if case.measure == "lagt":
            beta = parameters["beta"]
            return cls(W, beta, 1 / beta if parameters["alpha"] == 0 else None, mask)
        if case.measure == "fout":
            return cls(W, 0.0, parameters["theta"], mask)
        return cls(W, 0.0, 2 * parameters["theta"], ((n[:, None] + n) % 2 == 0).astype(float))

    def symmetric(self, M: Array) -> Array:
        """``M W + W M^T``."""
        return np.asarray(M * self.W + (M * self.W).T)


def _pairs(values: Array) -> Array:
    """Real and imaginary parts as a last axis of two."""
    return np.stack([values.real, values.imag], axis=-1)


class Structure(Check):
    """What an operator is as a whole, at its order and at both neighbours, one of them odd."""

    key = "structure"
    claim = (
        "A is normal plus low rank, with the spectrum of its measure; every order contains the one below; LMU is LegT "
        "rescaled, and LegT's far end is a Pade approximant of the delay (S4, S5; LMU; HiPPO appendix D)"
    )
    levels = ("matrices", "factors")

    def why_not(self, case: Case) -> str | None:
        """Factors need a normal part in the very coordinates of the state."""
        if case.measure not in DISSIPATIVE:
            return f"{case.measure} is not known to be normal plus low rank, and its closure is new at each order"
        if case.level != "factors":
            return None
        if case.measure == "lmu" or float(case.float_parameters.get("alpha", 0.0)) != 0:
            return f"{case.measure} is normal plus low rank in rescaled coordinates only: no unitary V takes it there"
        return None

    def companions(self, case: Case) -> tuple[Case, ...]:
        """Both neighbours in order: the usual orders are powers of two, and an odd one may be wrong alone."""
        return tuple(replace(case, order=order) for order in (case.order - 1, case.order + 1) if order >= 1)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """The order of the case, then both neighbours; one that the target does not take is left out and named."""
        answers: dict[int, Result] = {}
        for asked in (case, *self.companions(case)):
            own = asked is case
            try:
                result = target.call(asked, asked.order)
            except TargetError as error:
                # Many take even orders only, or powers of two, and say so: that is no wrong answer.
                if own or error.kind != "raised":
                    raise
                record.details.setdefault("left_out", {})[str(asked.order)] = error.message
                continue
            if case.level == "factors":
                self._factors(asked, oracle, target, result, record)
            elif self._matrices(asked, oracle, target, result, own, record):
                answers[asked.order] = result
        if case.level == "matrices":
            for small in sorted(answers):
                if small + 1 in answers:
                    pair = (answers[small], answers[small + 1])
                    self._nested(replace(case, order=small), oracle, target, pair, record)

    def _matrices(self, case: Case, oracle: Oracle, target: Target, result: Result, own: bool, record: Record) -> bool:
        """Everything that is said of one order; False for an answer that has not its form."""
        order, place = case.order, {"order": case.order}
        problem = malformed(result, "A", (order, order), place) or malformed(result, "B", (order,), place)
        if problem is not None:
            record.add(problem)
            return False
        A, B = oracle.system(case)
        limits = entry_limits(case.measure, case.float_parameters, A.high, B.high, case.dtype)
        got = (result.arrays["A"].astype(float), result.arrays["B"].astype(float))
        identity = Identity.of(case)
        with np.errstate(all="ignore"):  # a wrong target may well overflow
            self._symmetric_part(case, identity, A, limits[0], got[0], target, record)
            self._low_rank_part(case, identity, B, limits[1], got[1], target, record)
            if case.measure in TRIANGULAR:
                self._spectrum(case, A, limits[0], got[0], target, record)
            if case.measure == "lmu":
                self._rescaled(case, oracle, limits, got, target, record)
            # What is new at the neighbours shows in the rest; solving for each of them would cost three times as much.
            finite = all(np.isfinite(part).all() for part in got)
            if own and case.measure in FAR_END and order <= LARGEST and finite:
                self._far_end(case, oracle, limits, got, target, record)
        return True

    def _symmetric_part(
        self, case: Case, identity: Identity, A: Exact, limits: Limits, got: Array, target: Target, record: Record
    ) -> None:
        # The exact A satisfies the identity and both sides are linear in A: what is left over comes from its errors.
        expected = identity.symmetric(A.high)
        error = identity.symmetric(A.error(got))
        size = identity.symmetric(np.abs(A.high))

        def where(index: tuple[int, ...]) -> dict[str, Any]:
            name = "A + A^T" if np.all(identity.W == 1) else "A W + W A^T"
            return {"what": f"{name} at {list(index)} of order {case.order}", "index": list(index), "order": case.order}

        record.add(
            judge(
                error,
                Limits(identity.symmetric(limits.forward), identity.symmetric(limits.backward), limits.source),
                truth=identity.symmetric(A.radius),
                scale=np.where(size == 0, size.max(), size),
                got=expected + error,
                expected=expected,
                where=where,
                normwise=target.normwise,
            )
        )

    def _low_rank_part(
        self, case: Case, identity: Identity, B: Exact, limits: Limits, got: Array, target: Target, record: Record
    ) -> None:
        if identity.gain is None:
            return
        factor = identity.gain * identity.mask
        off = B.error(got)

        def product(left: Array, right: Array) -> Array:
            return np.asarray(factor * (np.outer(left, right) + np.outer(right, left)) / 2)

        # Exactly: (B + e)(B + e)^T - B B^T = e B^T + B e^T + e e^T.
        error = 2 * product(off, B.high) + product(off, off)
        size = np.abs(B.high)
        forward, backward = (2 * product(e, size) + product(e, e) for e in (limits.forward, limits.backward))
        expected = product(B.high, B.high)

        def where(index: tuple[int, ...]) -> dict[str, Any]:
            what = f"the low-rank part made from B, at {list(index)} of order {case.order},"
            return {"what": what, "index": list(index), "order": case.order}

        record.add(
            judge(
                error,
                Limits(forward, backward, limits.source),
                truth=2 * product(B.radius, size + np.abs(off)),
                scale=np.where(expected == 0, np.abs(expected).max(), np.abs(expected)),
                got=expected + error,
                expected=expected,
                where=where,
                normwise=target.normwise,
            )
        )

    def _spectrum(self, case: Case, A: Exact, limits: Limits, got: Array, target: Target, record: Record) -> None:
        """A triangle has its spectrum on the diagonal, however ill-conditioned its eigenvectors are."""
        rows, columns = np.triu_indices(case.order)
        exact = A[rows, columns]

        def where(index: tuple[int, ...]) -> dict[str, Any]:
            n, k = int(rows[index[0]]), int(columns[index[0]])
            what = f"eigenvalue {n}" if n == k else f"A[{n}, {k}], above the diagonal on which the spectrum stands,"
            return {"what": f"{what} of order {case.order}", "index": [n, k], "order": case.order}

        record.add(
            judge(
                exact.error(got[rows, columns]),
                Limits(limits.forward[rows, columns], limits.backward[rows, columns], limits.source),
                truth=exact.radius,
                scale=np.where(exact.high == 0, np.abs(A.high).max(), np.abs(exact.high)),
                got=got[rows, columns],
                expected=exact.high,
                where=where,
                normwise=target.normwise,
            )
        )

    def _rescaled(
        self,
        case: Case,
        oracle: Oracle,
        limits: tuple[Limits, Limits],
        got: tuple[Array, Array],
        target: Target,
        record: Record,
    ) -> None:
        """``T^-1 A T`` and ``T^-1 B`` are LegT's, ``T = diag(s_n (-1)^n)``."""
        A, B = oracle.system(replace(case, measure="legt"))
        n = np.arange(case.order)
        T = np.sqrt(2.0 * n + 1) * (-1.0) ** n
        # Two roots, two products and a quotient for undoing T, in double precision.
        own = 5 * float(np.finfo(np.float64).eps)
        for name, exact, undo, limit, part in (
            ("A", A, T / T[:, None], limits[0], got[0]),
            ("B", B, 1 / T, limits[1], got[1]),
        ):

            def where(index: tuple[int, ...], name: str = name) -> dict[str, Any]:
                what = f"T^-1 {name}{' T' if name == 'A' else ''} at {list(index)} of order {case.order}, beside LegT,"
                return {"what": what, "index": list(index), "order": case.order}

            values = part * undo
            lost = own * np.abs(exact.high)
            record.add(
                judge(
                    exact.error(values),
                    Limits(
                        limit.forward * np.abs(undo) + lost, limit.backward * np.abs(undo) + lost, limit.source
                    ),
                    truth=exact.radius,
                    scale=np.abs(exact.high),
                    got=values,
                    expected=exact.high,
                    where=where,
                    normwise=target.normwise,
                )
            )  # fmt: skip

    def _far_end(
        self,
        case: Case,
        oracle: Oracle,
        limits: tuple[Limits, Limits],
        got: tuple[Array, Array],
        target: Target,
        record: Record,
    ) -> None:
        """``C (z - A)^-1 B`` against Pade, at a point near the origin and at one on the imaginary axis."""
        order, theta = case.order, case.float_parameters["theta"]
        points = ((Fraction(1), Fraction(2)), (Fraction(0), Fraction(order, 2)))
        exact = oracle.pade(case, points)
        A, B = oracle.system(case)
        z = np.array([complex(*point) for point in points]) / theta
        resolvent = np.linalg.inv(z[:, None, None] * np.eye(order) - A.high)
        n = np.arange(order)
        end = np.ones(order) if case.measure == "lmu" else np.sqrt(2.0 * n + 1) * (-1.0) ** n
        rows = np.abs(end @ resolvent)
        size = np.hypot(*exact.high.T)
        expected_limits = far_end_limits(rows, limits, np.abs(resolvent @ B.high))
        allowed = expected_limits.backward if target.normwise else expected_limits.forward
        # Where even a right answer may be anything, nothing is asked.
        kept = [i for i in range(len(points)) if allowed[i] <= MEANINGFUL * size[i]]
        if not kept:
            return
        found, states = oracle.transfer(case, *got, [points[i] for i in kept])
        signed = exact[kept].error(found.high)

        def where(index: tuple[int, ...]) -> dict[str, Any]:
            re, im = points[kept[index[0]]]
            what = f"the transfer function to the far end, at z theta = {float(re):g} + {float(im):g} i, order {order},"
            return {"what": what, "index": list(index), "order": order}

        record.add(
            judge(
                np.hypot(*(signed - found.low).T),
                far_end_limits(rows[kept], limits, states),
                truth=np.hypot(*(exact.radius[kept] + found.radius).T),
                scale=size[kept],
                got=found.high,
                expected=exact.high[kept],
                where=where,
                normwise=target.normwise,
            )
        )

    def _nested(
        self, case: Case, oracle: Oracle, target: Target, answers: tuple[Result, Result], record: Record
    ) -> None:
        """The system of an order is the leading block of the next."""
        order = case.order
        larger = replace(case, order=order + 1)
        limits = []
        for asked in (case, larger):
            A, B = oracle.system(asked)
            limits.append(entry_limits(case.measure, case.float_parameters, A.high, B.high, case.dtype))
        A, B = oracle.system(case)
        for i, (name, exact) in enumerate((("A", A), ("B", B))):
            block = (slice(order),) * exact.high.ndim
            small, large = (answer.arrays[name].astype(float) for answer in answers)
            with np.errstate(all="ignore"):
                difference = large[block] - small

            def where(index: tuple[int, ...], name: str = name) -> dict[str, Any]:
                what = f"{name}{list(index)} of order {order + 1}, beside that of order {order},"
                return {"what": what, "index": list(index), "order": order + 1}

            record.add(
                judge(
                    difference,
                    Limits(
                        limits[0][i].forward + limits[1][i].forward[block],
                        limits[0][i].backward + limits[1][i].backward[block],
                        f"twice: {limits[0][i].source}",
                    ),
                    truth=0.0,
                    scale=np.where(exact.high == 0, np.abs(exact.high).max(), np.abs(exact.high)),
                    got=large[block],
                    expected=small,
                    where=where,
                    normwise=target.normwise,
                )
            )

    def _factors(self, case: Case, oracle: Oracle, target: Target, result: Result, record: Record) -> None:
        """All modes are there, V is unitary, and the factors are the operator, its spectrum and its low-rank part."""
        order, place = case.order, {"order": case.order}
        rank = result.arrays["P"].shape[-1] if not result.malformed else 1
        shapes = {"Lambda": (order,), "P": (order, rank), "B": (order,), "V": (order, order)}
        for name in FACTORS:
            problem = malformed(result, name, shapes[name], place)
            if problem is not None:
                record.add(problem)
                return
        A, B = oracle.system(case)
        identity = Identity.of(case)
        Lambda, P, column, V = (result.arrays[name] for name in FACTORS)
        unit = np.eye(order)
        low = -(A.high + A.high.T) / 2 - identity.shift / 2 * unit
        limits = FactorLimits(
            order,
            case.dtype,
            spread=float(np.hypot(np.linalg.norm((A.high - A.high.T) / 2, 2), identity.shift / 2)),
            rank=float(np.trace(low)),
            gain=float(np.linalg.norm(B.high)),
        )
        with np.errstate(all="ignore"):  # a wrong target may well overflow
            image = V @ P
            modes = Lambda[np.argsort(Lambda.imag, kind="stable")]
            whole = (V * Lambda) @ V.conj().T - image @ image.conj().T
            about, gain = np.abs(A.low) + A.radius, np.abs(B.low) + B.radius
            # The low-rank part is formed in double precision: a sum and a difference of numbers below the norm of A.
            formed = 2 * float(np.finfo(np.float64).eps) * (limits.spread + limits.rank)
            spectrum: list[tuple[str, Array, Array, Array | float, Limits, float]] = []
            if order <= LARGEST:  # beyond, the unitary V, the low-rank part and A pin the spectrum down between them
                exact = oracle.frequencies(case)
                rates = -identity.shift / 2 + 1j * exact.high
                unknown = np.abs(exact.low) + exact.radius
                spectrum = [("mode", modes, rates, unknown, limits.spectrum, limits.normal)]
            comparisons: tuple[tuple[str, Array, Array, Array | float, Limits, float], ...] = (
                *spectrum,
                ("V^* V", V.conj().T @ V, unit, 0.0, limits.unitary, 1.0),
                ("V P P^* V^*", image @ image.conj().T, low, about + formed, limits.low_rank, limits.rank),
                ("V (Lambda - P P^*) V^*", whole, A.high, about, limits.whole, limits.normal),
                ("V B", V @ column, B.high, gain, limits.input, limits.gain),
            )
        for name, got, expected, radius, limit, scale in comparisons:

            def where(index: tuple[int, ...], name: str = name) -> dict[str, Any]:
                at = f"{name} {index[0]} by frequency" if name == "mode" else f"{name} at {list(index)}"
                return {"what": f"{at} of order {case.order} (real, imaginary)", "index": list(index), "order": order}

            with np.errstate(all="ignore"):
                error = np.abs(got - expected)
            record.add(
                judge(
                    error,
                    limit,
                    truth=radius,
                    scale=scale,
                    got=_pairs(got),
                    expected=_pairs(np.asarray(expected, dtype=complex)),
                    where=where,
                )
            )

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Wrong factors; wrong odd orders; and operators with another spectrum, symmetric part or far end."""
        if case.level == "factors":
            return pick(
                case,
                *("plus_low_rank", "outer_sum", "clipped_B", "odd_mode_dropped", "unscaled_P", "unconjugated"),
                *("rates_lost", "rates_clipped", "whole_diagonalised", "unrotated_P", "unrotated_B", "folded_modes"),
            )
        keys = ["odd_truncated", "sign_from_top", "negated_A", "diagonal_short", "doubled_operator", "scaled_one_sided"]
        # The identity and the nesting do not see a sign of B, nor which way FouT turns.
        keys += ["negated_B"] if case.measure in FAR_END else []
        keys += ["transposed"] if case.measure != "fout" else []
        return pick(case, *keys)
