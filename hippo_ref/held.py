"""Exact LegS projections of piecewise-constant and piecewise-linear signals, cell by cell in closed form.

Nothing is shared with the hold-exact rules: antiderivatives of Legendre polynomials here, moments there.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

from mpmath import mpf

from hippo_ref.measures import Measure
from hippo_ref.orthogonal import legendre_scales, shifted_legendre
from hippo_ref.precision import Vector, as_mpf, bits_for, exact_sequence, integer, settle


def _checked(m: Measure, timestamps: list[object], count: int) -> list[Fraction | mpf]:
    if m.key != "legs":
        raise ValueError(
            f"piecewise projections in closed form are known for measure 'legs', got {m.key!r}; use project"
        )
    times = exact_sequence(timestamps, "timestamps")
    if len(times) != count:
        raise ValueError(f"timestamps must have length {count}, got {len(times)}")
    if times[0] < 0 or any(b <= a for a, b in pairwise(times)):
        raise ValueError("timestamps must increase strictly from a value >= 0")
    return times


def _antiderivatives(order: int, v: mpf) -> Vector:
    """``Q_n(v) = int_0^v P_n(2w-1) dw = (P_{n+1} - P_{n-1})/(2 (2n+1))``, ``Q_0 = v``. DLMF 18.9.21 with 18.7."""
    p = shifted_legendre(order + 1, v)
    return [v, *((p[n + 1] - p[n - 1]) / (2 * (2 * n + 1)) for n in range(1, order))]


def project_held(
    m: Measure, samples: Iterable[object], order: int, dps: int = 50, *, timestamps: Iterable[object] | None = None
) -> Vector:
    """Exact projection, at the end of the last cell, of the signal that is ``samples[k]`` on cell k.

    The weight of sample k is the kernel's integral over its cell, from ``P_{n+1} - P_{n-1}``.

    Args:
        m: legs.
        samples: (L,) numbers, L >= 1.
        order: N >= 1.
        dps: decimal digits, relative to the largest coefficient.
        timestamps: (L,) ends of the cells, default 1, 2, ..., L; the first cell starts at 0.

    Returns:
        (N,) coefficients: what zoh's last state must be.

    Raises:
        TypeError, ValueError: bad argument.
    """
    order, bits, u = integer(order, "order", 1), bits_for(dps), exact_sequence(samples, "samples", 1)
    times = _checked(m, list(range(1, len(u) + 1)) if timestamps is None else list(timestamps), len(u))

    def compute(_: int) -> list[Vector]:
        end = as_mpf(times[-1])
        total, before = [mpf(0)] * order, [mpf(0)] * order
        for value, time in zip(u, times, strict=True):
            after = _antiderivatives(order, as_mpf(time) / end)
            total = [c + as_mpf(value) * (b - a) for c, a, b in zip(total, before, after, strict=True)]
            before = after
        return [[s * c for s, c in zip(legendre_scales(order), total, strict=True)]]

    largest = max(abs(value) for value in u)
    return settle(compute, bits, f"project_held(order={order})", guard=16, floor=lambda: as_mpf(largest))[0]


def project_linear(
    m: Measure, samples: Iterable[object], order: int, dps: int = 50, *, timestamps: Iterable[object] | None = None
) -> Vector:
    """Exact projection, at the last node, of the signal that is linear between ``samples[k]`` at the nodes.

    Integrated by parts: ``int f P_n = f(t) Q_n(1) - sum_k slope_k [R_n]``, R_n the antiderivative of Q_n.

    Args:
        m: legs.
        samples: (L,) numbers, L >= 2.
        order: N >= 1.
        dps: decimal digits, relative to the largest coefficient.
        timestamps: (L,) times of the nodes, default 0, 1, ..., L-1; before a first node later than 0 the signal is
            constant.

    Returns:
        (N,) coefficients: what foh's last state must be.

    Raises:
        TypeError, ValueError: bad argument.
    """
    order, bits, u = integer(order, "order", 1), bits_for(dps), exact_sequence(samples, "samples", 2)
    times = _checked(m, list(range(len(u))) if timestamps is None else list(timestamps), len(u))

    def compute(_: int) -> list[Vector]:
        end = as_mpf(times[-1])
        nodes = [as_mpf(time) / end for time in times]
        tables = []
        for v in nodes:
            q = _antiderivatives(order + 1, v)
            # Q_0 = v integrates to v^2/2; Q_n (n >= 1) is (P_{n+1} - P_{n-1})/(2(2n+1)), so one more difference.
            tables.append([v * v / 2, *((q[n + 1] - q[n - 1]) / (2 * (2 * n + 1)) for n in range(1, order))])
        # At v = 1 the boundary term f Q_n vanishes but for n = 0; constants of integration drop out of differences.
        total = [as_mpf(u[-1])] + [mpf(0)] * (order - 1)
        for k in range(1, len(u)):
            slope = (as_mpf(u[k]) - as_mpf(u[k - 1])) / (nodes[k] - nodes[k - 1])
            total = [c - slope * (b - a) for c, a, b in zip(total, tables[k - 1], tables[k], strict=True)]
        return [[s * c for s, c in zip(legendre_scales(order), total, strict=True)]]

    largest = max(abs(value) for value in u)
    return settle(compute, bits, f"project_linear(order={order})", guard=16, floor=lambda: as_mpf(largest))[0]
