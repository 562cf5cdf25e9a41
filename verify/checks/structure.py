"""Structure of an operator: normal plus low rank, spectrum, nested orders, LMU as LegT, Pade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from verify.boundary import Exact
from verify.bounds import DISSIPATIVE, Limits, entry_limits
from verify.bounds.structure import Identity, far_end_limits
from verify.case import Case
from verify.checks.base import MEANINGFUL, Check, Record, Suite, judge, malformed
from verify.defects import Defect, pick
from verify.oracle import Oracle
from verify.result import Result, Target, TargetError

Array = np.ndarray[Any, np.dtype[Any]]

TRIANGULAR = ("legs", "legs_lti", "lagt")
"""Measures whose A is lower triangular, so that its spectrum stands on the diagonal."""
FAR_END = ("legt", "lmu")
"""Measures whose read-out at the far end of the window is a Pade approximant of the delay."""
LARGEST = 65
"""Orders up to which balls are solved for, 64 and its neighbour: the time, a second here, grows with the cube of it."""


class Structure(Check):
    """What an operator is as a whole, at its order and at both neighbours, one of them odd."""

    key = "structure"
    claim = (
        "A is normal plus low rank, with the spectrum of its measure; every order contains the one below; LMU is LegT "
        "rescaled, and LegT's far end is a Pade approximant of the delay (S4, S5; LMU; HiPPO appendix D)"
    )
    levels = ("matrices",)

    def why_not(self, case: Case) -> str | None:
        """The tilted windows have no such structure."""
        if case.measure not in DISSIPATIVE:
            return f"{case.measure} is not known to be normal plus low rank, and its closure is new at each order"
        return None

    def _neighbours(self, case: Case) -> tuple[Case, ...]:
        """Both neighbours in order: the usual orders are powers of two, and an odd one may be wrong alone."""
        return tuple(replace(case, order=order) for order in (case.order - 1, case.order + 1) if order >= 1)

    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """The order of the case, then both neighbours; one that the target does not take is left out and named."""
        answers: dict[int, Result] = {}
        for asked in (case, *self._neighbours(case)):
            reason = None if asked is case else target.why_not(asked)
            if reason is not None:
                record.details.setdefault("left_out", {})[str(asked.order)] = reason
                continue
            own = asked is case
            try:
                result = target.call(asked, asked.order)
            except TargetError as error:
                # Many take even orders only, or powers of two, and say so: that is no wrong answer.
                if own or error.kind != "raised":
                    raise
                record.details.setdefault("left_out", {})[str(asked.order)] = error.message
                continue
            if self._matrices(asked, oracle, target, result, own, record):
                answers[asked.order] = result
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

    def mutants(self, case: Case) -> Sequence[Defect]:
        """Wrong odd orders; and operators with another spectrum, symmetric part or far end."""
        keys = ["odd_truncated", "sign_from_top", "negated_A", "diagonal_short", "doubled_operator", "scaled_one_sided"]
        # The identity and the nesting do not see a sign of B, nor which way FouT turns.
        keys += ["negated_B"] if case.measure in FAR_END else []
        keys += ["transposed"] if case.measure != "fout" else []
        return pick(case, *keys)
