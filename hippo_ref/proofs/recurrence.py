"""LegS steps in ``x_n = c_n/s_n``: O(N) recurrences against the dense equation, and the gates at order one.

Every implicit step has the form ``(I - p R) y = (I + q R) x + w b``: GBT(a) with ``h = 1/k`` has ``p = a h``,
``q = (1-a) h``, ``w = h u``; the trapezoid rule from t to t' has ``p = d/(2t')``, ``q = d/(2t)`` and
``w = q u + p u'``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from flint import fmpq, fmpq_mat

from hippo_ref.proofs.base import (
    Instance,
    Proof,
    awkward,
    column,
    count,
    entries,
    number,
    numbers,
    sized,
    square,
    table,
)
from hippo_ref.proofs.exact import lagt, legs

# (x, p, q, w) -> y.
Solve: TypeAlias = Callable[[Sequence[fmpq], fmpq, fmpq, fmpq], list[fmpq]]

_POSITIVE = number(above=0)
_STEP = {"a": number(least=0, most=1), "k": _POSITIVE, "state": numbers(1), "sample": number()}
_ANY_STEP = "the steps given; with difference_legs every step from every state"


def _gbt_residual(order: int, x: Sequence[fmpq], y: Sequence[fmpq], a: fmpq, h: fmpq, u: fmpq) -> list[fmpq]:
    """``(I - a h R) y - (I + (1-a) h R) x - h u b``."""
    found, before, after = legs(order), column(x), column(y)
    return entries(after - before - h * (found.R * (a * after + (1 - a) * before) + u * found.b))


def _subtracted(shift: int = 1) -> Solve:
    """Row n less row n-1, which leaves no sums; ``shift`` is the index base of ``n - shift``."""

    def solve(x: Sequence[fmpq], p: fmpq, q: fmpq, w: fmpq) -> list[fmpq]:
        y = [((1 - q) * x[0] + w) / (1 + p)]
        for n in range(1, len(x)):
            here = (1 - q * (n + 1)) * x[n] - (1 + q * (n - shift)) * x[n - 1]
            y.append(((1 - p * (n - shift)) * y[n - 1] + here) / (1 + p * (n + 1)))
        return y

    return solve


def _prefix_sums(weight: int = 1) -> Solve:
    """One running sum serves both sides; ``w_j = 2j + weight``. HiPPO proposition 4."""

    def solve(x: Sequence[fmpq], p: fmpq, q: fmpq, w: fmpq) -> list[fmpq]:
        y, pending = [], w
        for n, value in enumerate(x):
            y.append(((1 - q * (n + 1)) * value + pending) / (1 + p * (n + 1)))
            pending -= (2 * n + weight) * (p * y[-1] + q * value)
        return y

    return solve


def _gbt(solve: Solve, order: int, a: fmpq, k: fmpq, state: list[fmpq], sample: fmpq) -> list[fmpq]:
    y = solve(sized(state, order, "state"), a / k, (1 - a) / k, sample / k)
    return _gbt_residual(order, state, y, a, 1 / k, sample)


def _trapezoid(
    solve: Solve, order: int, before: fmpq, step: fmpq, state: list[fmpq], last: fmpq, sample: fmpq
) -> list[fmpq]:
    # y - x = (d/2) (x'(t) + y'(t')), each derivative from the law: (R x + b u)/t.
    after = before + step
    x, b, R = column(sized(state, order, "state")), legs(order).b, legs(order).R
    p, q = step / (2 * after), step / (2 * before)
    y = column(solve(state, p, q, q * last + p * sample))
    slopes = (R * x + last * b) * (1 / before) + (R * y + sample * b) * (1 / after)
    return entries(y - x - step / 2 * slopes)


def _integers(
    rows: Callable[[int, int], tuple[int, int, int, int]], order: int, k: int, state: list[fmpq], sample: fmpq
) -> list[fmpq]:
    sized(state, order, "state")
    y: list[fmpq] = []
    for n, value in enumerate(state):
        divisor, left, above, diagonal_left = rows(k, n)
        total = above * value + (left * y[n - 1] + diagonal_left * state[n - 1] if n else 2 * sample)
        y.append(total / divisor)
    return _gbt_residual(order, state, y, fmpq(1, 2), fmpq(1, k), sample)


def _integer_rows(k: int, n: int) -> tuple[int, int, int, int]:
    """Divisor of y_n, and the factors of ``y_{n-1}, x_n, x_{n-1}``: all integers."""
    return 2 * k + n + 1, 2 * k - n + 1, 2 * k - n - 1, -(2 * k + n - 1)


def _difference(bands: Callable[[int], tuple[int, int]], order: int) -> list[fmpq]:
    difference = square(order, lambda n, k: 1 if n == k else -1 if n == k + 1 else 0)
    banded = square(order, lambda n, k: bands(n)[0] if n == k else bands(n)[1] if n == k + 1 else 0)
    found = legs(order)
    return entries(difference * found.R - banded, difference * found.b - column(int(n == 0) for n in range(order)))


def _first_of_dense(R: fmpq_mat, b: fmpq_mat, a: fmpq, h: fmpq, state: Sequence[fmpq], sample: fmpq) -> fmpq:
    """Coefficient 0 after ``(I - a h R) y = (I + (1-a) h R) x + h b u``, solved densely."""
    order, x = len(state), column(state)
    one = square(order, lambda n, k: int(n == k))
    return (one - a * h * R).solve(x + (1 - a) * h * R * x + h * sample * b)[0, 0]


def _legs_gate(
    gate: Callable[[fmpq, fmpq], fmpq], order: int, a: fmpq, k: fmpq, state: list[fmpq], sample: fmpq
) -> list[fmpq]:
    found, g, x = legs(order), gate(a, k), sized(state, order, "state")[0]
    return [_first_of_dense(found.R, found.b, a, 1 / k, state, sample) - (1 - g) * x - g * sample]


def _lagt_gate(
    gate: Callable[[fmpq, fmpq], fmpq], order: int, a: fmpq, dt: fmpq, state: list[fmpq], sample: fmpq
) -> list[fmpq]:
    found, g, x = lagt(order, fmpq(0), fmpq(1)), gate(a, dt), sized(state, order, "state")[0]
    return [_first_of_dense(found.R, found.b, a, dt, state, sample) - (1 - g) * x - g * sample]


def _steps(order: int) -> tuple[Instance, ...]:
    state, places = awkward(order), ((0, 1), ("1/2", 3), ("2/3", "7/2"), (1, 40))
    return tuple({"a": a, "k": k, "state": state, "sample": "5/7"} for a, k in places)


def _bilinear_steps(order: int) -> tuple[Instance, ...]:
    return tuple({"k": k, "state": awkward(order), "sample": "5/7"} for k in (1, 2, order, 100))


def _lagt_steps(order: int) -> tuple[Instance, ...]:
    return tuple({"a": a, "dt": "1/8", "state": awkward(order), "sample": "5/7"} for a in (0, "1/2", 1))


def _trapezoid_steps(order: int) -> tuple[Instance, ...]:
    state = awkward(order)
    return ({"before": 3, "step": 1, "state": state, "last": "5/7", "sample": -2},
            {"before": "1/3", "step": "5/2", "state": state, "last": 4, "sample": "1/9"})  # fmt: skip


PROOFS = table(
    Proof(
        key="difference_legs",
        claim="Row n less row n-1 of LegS's R is -(n+1) at n, -(n-1) at n-1, else 0; of b it is 1 at n = 0, else 0.",
        covers="every implicit step at once: both sums of the dense equation cancel for all p, q, x and u",
        source="subtraction of rows of HiPPO theorem 2.",
        formula=lambda n: (-(n + 1), -(n - 1)),
        gap=_difference,
        wrong={"index base": lambda n: (-(n + 1), -n), "sign": lambda n: (-(n + 1), n - 1)},
    ),
    Proof(
        key="subtracted_legs",
        claim="The recurrence without sums solves the dense GBT(a) step.",
        covers=_ANY_STEP,
        source="HiPPO appendix B.3 and theorem 2, rows subtracted.",
        formula=_subtracted(),
        gap=_gbt,
        wrong={
            "index base": _subtracted(0),
            "forward and backward shares exchanged": lambda x, p, q, w: _subtracted()(x, q, p, w),
        },
        takes=_STEP,
        examples=_steps,
    ),
    Proof(
        key="prefix_legs",
        claim="The solve by prefix sums solves the dense GBT(a) step.",
        covers="the steps given",
        source="HiPPO proposition 4.",
        formula=_prefix_sums(),
        gap=_gbt,
        wrong={
            "weights 2j": _prefix_sums(0),
            "forward and backward shares exchanged": lambda x, p, q, w: _prefix_sums()(x, q, p, w),
        },
        takes=_STEP,
        examples=_steps,
    ),
    Proof(
        key="integers_legs",
        claim=(
            "Bilinear: (2k+n+1) y_n = (2k-n+1) y_{n-1} + (2k-n-1) x_n - (2k+n-1) x_{n-1}, and 2u enters at n = 0: "
            "every coefficient is an integer over 2k+n+1."
        ),
        covers=_ANY_STEP,
        source="subtracted_legs at a = 1/2, h = 1/k, times 2k.",
        formula=_integer_rows,
        gap=_integers,
        wrong={
            "k one too small": lambda k, n: _integer_rows(k - 1, n),
            "n one too large": lambda k, n: _integer_rows(k, n + 1),
        },
        takes={"k": count(1), "state": numbers(1), "sample": number()},
        examples=_bilinear_steps,
    ),
    Proof(
        key="trapezoid_legs",
        claim="The recurrence without sums solves the trapezoid rule y - x = (d/2) (x'(t) + y'(t+d)) of LegS.",
        covers=_ANY_STEP,
        source="trapezoid rule for HiPPO theorem 2, rows subtracted.",
        formula=_subtracted(),
        gap=_trapezoid,
        wrong={
            "index base": _subtracted(0),
            "published bilinear: both halves over t+d": lambda x, p, q, w: _subtracted()(x, p, p, w),
        },
        takes={
            "before": _POSITIVE,
            "step": _POSITIVE,
            "state": numbers(1),
            "last": number(),
            "sample": number(),
        },
        examples=_trapezoid_steps,
    ),
    Proof(
        key="prefix_trapezoid_legs",
        claim="The solve by prefix sums solves the trapezoid rule of LegS.",
        covers="the steps given",
        source="trapezoid rule for HiPPO theorem 2 with the sums of HiPPO proposition 4.",
        formula=_prefix_sums(),
        gap=_trapezoid,
        wrong={
            "weights 2j": _prefix_sums(0),
            "published bilinear: both halves over t+d": lambda x, p, q, w: _prefix_sums()(x, p, p, w),
        },
        takes={
            "before": _POSITIVE,
            "step": _POSITIVE,
            "state": numbers(1),
            "last": number(),
            "sample": number(),
        },
        examples=_trapezoid_steps,
    ),
    Proof(
        key="gate_legs",
        claim="GBT(a) moves LegS's coefficient 0 by the gate c' = (1-g) c + g u, g = 1/(k+a), at every order.",
        covers="the steps given; N = 1 is claim 7: 1/k for euler, 2/(2k+1) for bilinear, 1/(k+1) for backward euler",
        source="HiPPO section 2.5.",
        formula=lambda a, k: 1 / (k + a),
        gap=_legs_gate,
        wrong={"1/(k+1-a)": lambda a, k: 1 / (k + 1 - a), "1/(k+1) always": lambda a, k: 1 / (k + 1)},
        takes=_STEP,
        examples=_steps,
    ),
    Proof(
        key="gate_lagt",
        claim="GBT(a) moves plain LagT's coefficient 0 by a gate g = dt/(1 + a dt), at every order.",
        covers="the steps given; N = 1 and a = 0 is claim 7: g = dt",
        source="HiPPO section 2.5.",
        formula=lambda a, dt: dt / (1 + a * dt),
        gap=_lagt_gate,
        wrong={"dt always": lambda a, dt: dt, "dt/(1 - a dt)": lambda a, dt: dt / (1 - a * dt)},
        takes={"a": number(least=0, most=1), "dt": _POSITIVE, "state": numbers(1), "sample": number()},
        examples=_lagt_steps,
    ),
)
