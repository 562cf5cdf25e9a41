"""The other truth of a closed measure: the exact state of its ODE, ``c(t) = int_since^t e^{A (t - s)} B f(s) ds``.

The closed ODEs (LegT, LMU, FouT) replace the unknown end of the window by the approximation's own value, so their state
is not the projection; for the exact measures it is the projection of the signal cut off before ``since``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from mpmath import mp, mpf

from hippo_ref.closed_form import published
from hippo_ref.linear import exponential
from hippo_ref.measures import Measure
from hippo_ref.orthogonal import gauss_legendre
from hippo_ref.precision import PrecisionError, Vector, as_mpf, bits_for, integer, rational, settle

Signal: TypeAlias = Callable[[mpf], mpf]

_FINEST = 1 << 12


def closed_state(m: Measure, f: Signal, t: object, order: int, dps: int = 50, *, since: object = 0) -> Vector:
    """Exact state at time t of the invariant ODE ``dc/dt = A c + B f``, from the zero state at ``since``.

    Args:
        m: a measure with an invariant law.
        f: smooth signal, ``mpf -> mpf`` at the caller's working precision, used on ``[since, t]``.
        t: present, in f's unit of time, ``t >= since``.
        order: N >= 1.
        dps: decimal digits, relative to the largest coefficient.
        since: time of the zero state.

    Returns:
        N coefficients.

    Raises:
        TypeError, ValueError: bad arguments, or a measure with the scale law (its state has no start: use ``project``).
        PrecisionError: f is not smooth enough for the digits asked for.

    Source: variation of constants; Gauss quadrature on panels, with exponentials proved by Arb.
    """
    if m.time_law != "invariant":
        raise ValueError(f"closed_state needs an invariant law; {m.key!r} has the {m.time_law} law, use project")
    if not callable(f):
        raise TypeError(f"f must be a function mpf -> mpf, got {f!r}")
    order, bits = integer(order, "order", 1), bits_for(dps)
    end, begin = rational(t, "t"), rational(since, "since")
    if end < begin:
        raise ValueError(f"t must be at least since = {since}, got {t}")

    def compute(working: int) -> list[Vector]:
        rows, column = published(m, order, working)
        start, length = as_mpf(begin), as_mpf(end) - as_mpf(begin)
        stiffness = length * max(mp.fsum(abs(entry) for entry in row) for row in rows)
        panels = 1 + int(stiffness / 8)
        degree = 16 + bits // 6
        rough = _march(rows, column, f, start, length, panels, degree)
        while panels <= _FINEST:
            panels *= 2
            fine = _march(rows, column, f, start, length, panels, degree)
            error = max(abs(x - y) for x, y in zip(rough, fine, strict=True))
            if error <= mp.ldexp(max(abs(x) for x in fine), -bits - 20):
                return [fine]
            rough = fine
        raise PrecisionError(f"closed_state({m.key}, order={order}): quadrature still changes by {mp.nstr(error, 3)}")

    return settle(compute, bits, f"closed_state({m.key}, order={order})")[0]


def _march(rows: list[Vector], column: Vector, f: Signal, start: mpf, length: mpf, panels: int, degree: int) -> Vector:
    """``c <- e^{A H} c + sum_i w_i e^{A (H - x_i)} B f(s + x_i)`` over panels of length H."""
    width = length / panels
    pairs = gauss_legendre(degree, mp.prec)
    across = exponential([[width * entry for entry in row] for row in rows])
    inputs = []
    for node, weight in pairs:
        # The input's own step to the end of the panel, as an exponential of A alone.
        rest = exponential([[width * (1 - node) * entry for entry in row] for row in rows])
        inputs.append([width * weight * mp.fdot(row, column) for row in rest])
    transposed = [list(row) for row in zip(*inputs, strict=True)]
    state = [mpf(0)] * len(column)
    for panel in range(panels):
        left = start + panel * width
        values = [mp.convert(f(left + width * node)) for node, _ in pairs]
        state = [mp.fdot(row, state) + mp.fdot(drive, values) for row, drive in zip(across, transposed, strict=True)]
    return state
