"""Exact LegS projections of piecewise polynomials, piece by piece in closed form, and their derivatives by the samples.

Nothing is shared with the hold-exact rules: antiderivatives of Legendre polynomials and divided differences here,
moments and Lagrange's formula there.

The signal of degree d: on ``[t_{k-1}, t_k]`` the polynomial of degree ``min(d, k)`` through the last ``min(d, k) + 1``
of the nodes ``t_0 .. t_k``, and ``samples[0]`` before ``t_0``. For d = 0 the ``t_k`` are the ends of cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from mpmath import mp, mpf

from hippo_ref.measures import Measure
from hippo_ref.orthogonal import legendre_scales, shifted_legendre
from hippo_ref.precision import Vector, as_mpf, bits_for, exact_sequence, integer, rational, settle

HIGHEST_DEGREE = 3


def _checked(m: Measure, timestamps: Iterable[object], count: int) -> list[Fraction]:
    if m.key != "legs":
        raise ValueError(
            f"piecewise projections in closed form are known for measure 'legs', got {m.key!r}; use project"
        )
    times = [rational(time, "timestamps") for time in exact_sequence(timestamps, "timestamps")]
    if len(times) != count:
        raise ValueError(f"timestamps must have length {count}, got {len(times)}")
    if times[0] < 0 or any(b <= a for a, b in pairwise(times)):
        raise ValueError("timestamps must increase strictly from a value >= 0")
    return times


def _antiderivatives(order: int, v: mpf, count: int) -> list[Vector]:
    """Repeated antiderivatives ``Q^1 .. Q^count`` of ``P_n(2v-1)``, (N,) each, with ``Q^i_0 = v^i/i!``.

    ``Q^{i+1}_n = (Q^i_{n+1} - Q^i_{n-1})/(2 (2n+1))``: DLMF 18.9.21 with 18.7, which integrates from any level to the
    next.
    """
    table = shifted_legendre(order + count, v)
    power, found = mpf(1), []
    for i in range(1, count + 1):
        power = power * v / i
        table = [power, *((table[n + 1] - table[n - 1]) / (2 * (2 * n + 1)) for n in range(1, len(table) - 1))]
        found.append(table[:order])
    return found


def _integrals(left: list[Vector], right: list[Vector], width: mpf, degree: int) -> list[Vector]:
    """``int s^j P_n(2v-1) dv`` for j <= degree over a piece on which s runs from 0 to 1, from both ends' ``Q``.

    By parts: ``int s^j Q^i = Q^{i+1}(right) - (j/width) int s^{j-1} Q^{i+1}`` for j > 0, with ``Q^0 = P``.
    """
    found = []
    for j in range(degree + 1):
        current = [b - a for a, b in zip(left[j], right[j], strict=True)]
        for i in reversed(range(j)):
            factor = (j - i) / width
            current = [b - factor * inner for b, inner in zip(right[i], current, strict=True)]
        found.append(current)
    return found


def _cardinal(nodes: Sequence[Fraction], which: int) -> list[Fraction]:
    """Coefficients of the polynomial that is 1 at node ``which`` and 0 at the others, by divided differences."""
    table = [Fraction(i == which) for i in range(len(nodes))]
    for depth in range(1, len(nodes)):
        for i in reversed(range(depth, len(nodes))):
            table[i] = (table[i] - table[i - 1]) / (nodes[i] - nodes[i - depth])
    coefficients = [table[-1]]
    for node, value in zip(reversed(nodes[:-1]), reversed(table[:-1]), strict=True):
        shifted = [value, *coefficients]
        coefficients = [a - node * b for a, b in zip(shifted, [*coefficients, Fraction(0)], strict=True)]
    return coefficients


def _pieces(order: int, times: list[Fraction], degree: int) -> Iterator[tuple[int, list[list[Fraction]], list[Vector]]]:
    """Per piece: index of the oldest sample, the cardinals of its samples in s, and the integrals of powers of s."""
    # At the one time 0 the projection is the limit of a constant's.
    end = times[-1] or Fraction(1)
    right, before = _antiderivatives(order, mpf(0), degree + 1), Fraction(0)
    for k, time in enumerate(times):
        after, used = time if times[-1] else end, min(degree, k)
        left, right = right, _antiderivatives(order, as_mpf(after / end), degree + 1)
        if after > before:
            width = after - before
            nodes = [(node - before) / width for node in times[k - used : k + 1]]
            cardinals = [_cardinal(nodes, i) for i in range(used + 1)]
            yield k - used, cardinals, _integrals(left, right, as_mpf(width / end), used)
        before = after


def piece_guard(times: list[Fraction], degree: int) -> int:
    """Bits that are lost: integrals of powers over a short piece cancel, and cardinals of close nodes are large."""
    closest = min((after - before for before, after in pairwise(times)), default=Fraction(1))
    return 16 + 2 * degree * int(times[-1] / closest).bit_length()


def piece_weights(order: int, times: list[Fraction], degree: int) -> list[Vector]:
    """How the coefficients depend on the samples: L vectors ``int (cardinal of sample k) s_n P_n dv``, (N,) each.

    At the caller's working precision, of which ``piece_guard`` says what is lost.

    Args:
        order: N.
        times: (L,) as in ``project_pieces``, checked.
        degree: of the pieces.
    """
    weights = [[mpf(0)] * order for _ in times]
    for oldest, cardinals, integrals in _pieces(order, times, degree):
        for i, cardinal in enumerate(cardinals, oldest):
            for number, integral in zip(cardinal, integrals, strict=True):
                factor = as_mpf(number)
                weights[i] = [w + factor * x for w, x in zip(weights[i], integral, strict=True)]
    scales = legendre_scales(order)
    return [[s * w for s, w in zip(scales, weight, strict=True)] for weight in weights]


def project_pieces(
    m: Measure,
    samples: Iterable[object],
    order: int,
    degree: int,
    dps: int = 50,
    *,
    timestamps: Iterable[object] | None = None,
) -> Vector:
    """Exact projection, at the last time, of the piecewise polynomial of that degree through the samples.

    Args:
        m: legs.
        samples: (L,) numbers, L >= 1.
        order: N >= 1.
        degree: 0 to 3; piece k has degree ``min(degree, k)``, through the last samples.
        dps: decimal digits, relative to the largest coefficient.
        timestamps: (L,) ends of the cells for degree 0, default 1, 2, ..., L, the first cell starting at 0; else times
            of the nodes, default 0, 1, ..., L-1, the signal being constant before a first node later than 0.

    Returns:
        (N,) coefficients: what the last state of ``hold(degree)`` must be.

    Raises:
        TypeError, ValueError: bad argument.
        PrecisionError: the digits are not reached.
    """
    degree = integer(degree, "degree", 0)
    if degree > HIGHEST_DEGREE:
        raise ValueError(f"degree must be 0, 1, 2 or 3, got {degree}")
    return _project(m, samples, order, degree, dps, timestamps, 1, f"project_pieces(order={order}, degree={degree})")


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
    return _project(m, samples, order, 0, dps, timestamps, 1, f"project_held(order={order})")


def project_linear(
    m: Measure, samples: Iterable[object], order: int, dps: int = 50, *, timestamps: Iterable[object] | None = None
) -> Vector:
    """Exact projection, at the last node, of the signal that is linear between ``samples[k]`` at the nodes.

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
    return _project(m, samples, order, 1, dps, timestamps, 2, f"project_linear(order={order})")


def _project(
    m: Measure,
    samples: Iterable[object],
    order: int,
    degree: int,
    dps: int,
    timestamps: Iterable[object] | None,
    least: int,
    name: str,
) -> Vector:
    order, bits, u = integer(order, "order", 1), bits_for(dps), exact_sequence(samples, "samples", least)
    begin = 0 if degree else 1
    times = _checked(m, range(begin, begin + len(u)) if timestamps is None else timestamps, len(u))

    def compute(_: int) -> list[Vector]:
        values = [as_mpf(value) for value in u]
        total = [mpf(0)] * order
        for oldest, cardinals, integrals in _pieces(order, times, degree):
            for j, integral in enumerate(integrals):
                number = mp.fsum(as_mpf(c[j]) * value for c, value in zip(cardinals, values[oldest:], strict=False))
                total = [c + number * x for c, x in zip(total, integral, strict=True)]
        return [[s * c for s, c in zip(legendre_scales(order), total, strict=True)]]

    largest = max(abs(as_mpf(value)) for value in u)
    return settle(compute, bits, name, guard=piece_guard(times, degree), floor=lambda: largest)[0]
