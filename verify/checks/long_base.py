"""How states of a long run are compared: a few of them with the exact ones, the limits from sizes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from verify.boundary import Exact
from verify.bounds import Limits, Operator, gbt_weight, hold_degree
from verify.bounds.base import DISSIPATIVE
from verify.bounds.long_runs import long_limits
from verify.case import Case
from verify.checks.base import MEANINGFUL, Finding, judge, worst_coefficient
from verify.inputs import Signal, TimedSignal
from verify.metrics import norm
from verify.oracle import Oracle
from verify.verdict import Status

Array = np.ndarray[Any, np.dtype[Any]]

GAPS = (1.0, 0.25, 2.0, 0.5, 0.25)
"""Gaps between uneven times, in turn."""
TOLD = 20_000
"""Samples up to which a failing input is kept number by number; a longer one is named."""


def unbounded(case: Case, node_trapezoid: bool = True) -> str | None:
    """Why no bound of a long run is derived for a case, or None.

    Args:
        case: the case.
        node_trapezoid: whether the trapezoid rule of LegS, which does not contract step by step, is bounded.
    """
    a, degree = gbt_weight(case.method), hold_degree(case.method)
    if case.measure not in DISSIPATIVE:
        return f"no structure identity of {case.measure} bounds how errors grow"
    if a is not None and a < 0.5:
        return f"{case.method} does not contract: on LegS forward Euler passes through 1e21 at N = 32 and is unusable"
    if (degree or 0) > 1:
        return f"no bound of a long run is derived for {case.method}"
    if case.method == "trapezoid" and case.measure == "legs" and not node_trapezoid:
        return "the trapezoid rule of legs contracts over a run, not in every step"
    return None


def late_samples(length: int) -> tuple[float, ...]:
    """Steps of 16 samples, and noise on top, about 1/2: states stay as large as the signal and never rest.

    Multiples of 1/512 below 2, hence exact in either precision; the noise does not repeat within 641 samples.
    """
    return tuple(
        0.5 + ((7 * i * i + 3 * i) % 641 - 320) / 512 + ((5 * j * j + j) % 37 - 18) / 32
        for i, j in ((i, i // 16) for i in range(length))
    )


def uneven_times(case: Case, length: int) -> tuple[float, ...]:
    """(L,) times with the `GAPS` in turn: ends of cells for the constant hold, else nodes from 0."""
    gaps = np.resize(GAPS, length)
    if case.method != "zoh":
        gaps[0] = 0.0
    return tuple(np.cumsum(gaps).tolist())


def judge_late(
    case: Case, oracle: Oracle, given: Signal | TimedSignal, got: Array, normwise: bool = False
) -> Finding | None:
    """Compare each state of a late run that rounding cannot take a tenth of; None if there is no such state.

    Args:
        case: one that is not `unbounded`.
        oracle: gives the exact states.
        given: the input.
        got: (L, N) states, or (N,).
        normwise: as in `judge`.
    """
    times = given.times if isinstance(given, TimedSignal) else None
    operator, exact = oracle.operator(case, times), oracle.states(case, given.values, times)
    sizes = norm(exact.high, operator.weights)
    limits = long_limits(operator, given.values, sizes, case.dtype)
    return judge_states(operator, given, got, exact, range(len(given)), limits, sizes, normwise)


def told(finding: Finding, given: Signal | TimedSignal) -> Finding:
    """The finding, a failing one with its whole input: a diagnosis asks the target again."""
    if finding.status is not Status.FAIL or len(given) > TOLD:
        return finding
    return replace(finding, worst={**finding.worst, "input": given.to_json()})


def judge_states(
    operator: Operator,
    given: Signal | TimedSignal,
    got: Array,
    exact: Exact,
    indices: Sequence[int],
    limits: Limits,
    sizes: Array,
    normwise: bool = False,
) -> Finding | None:
    """Compare the states of some indices, or the last alone, with the exact ones, where they can be told from rounding.

    None if the limits decide nothing at any index, whatever the answer is.

    Args:
        operator: gives the weights of the norm.
        given: the input.
        got: (L, N) states, or (N,).
        exact: (I, N) exact states at the indices, the last of which is the last state.
        indices: (I,) indices.
        limits: (L,) limits.
        sizes: (L,) sizes of the states.
        normwise: as in `judge`.
    """
    D, chosen = operator.weights, np.asarray(indices)
    sizes = np.maximum.accumulate(sizes)
    decisive = limits.forward[chosen] <= MEANINGFUL * sizes[chosen]
    if got.ndim == 1:
        decisive &= chosen == chosen[-1]
    if not decisive.any():
        return None
    exact, chosen = exact[decisive], chosen[decisive]
    got = got[None] if got.ndim == 1 else got[chosen]
    signed = exact.error(got)

    def where(index: tuple[int, ...]) -> dict[str, Any]:
        i, k = index[0], int(chosen[index[0]])
        values = worst_coefficient(got[i], signed[i], exact.high[i], D)
        coefficient = values["coefficient"]
        what = f"state {k} of {given.name} (most in coefficient {coefficient})"
        place = {"input": {"name": given.name, "length": len(given)}}
        return {**place, **values, "what": what, "index": [k, coefficient]}

    finding = judge(
        norm(signed, D),
        Limits(limits.forward[chosen], limits.backward[chosen], limits.source),
        truth=norm(exact.radius, D),
        scale=sizes[chosen],
        got=got,
        expected=exact.high,
        where=where,
        normwise=normwise,
    )
    return told(finding, given)
