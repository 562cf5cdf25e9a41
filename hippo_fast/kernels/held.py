"""The moments of a held input on each panel of its history, see `hippo_fast.holds`.

Pieces of cells, and nodes, run side by side, so that every loop over them is elementwise and becomes vector
instructions as it stands. Each keeps a sum of its own, and these are added up once. What bounds the loops is the
stores to the first cache, six for each four orders at half a store a cycle: 3 cycles for each vector, order and node.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hippo_fast.kernels.simd import jit
from hippo_fast.types import Float64Array

UNROLLED: Final = 4  # orders in one pass; the number of moments is a multiple of it
_LANES = 32  # pieces side by side
_NODES = 64  # nodes side by side


@jit
def add_moments(
    samples: Float64Array,
    edges: Float64Array,
    opened: bool,
    linear: bool,
    panels: Float64Array,
    widest: Float64Array,
    shares: Float64Array,
    weights: Float64Array,
    decay: Float64Array,
    moments: Float64Array,
) -> None:
    """Add the means over each panel of the input times its monic Legendre polynomials, on ``-1 <= x <= 1``.

    Args:
        samples: ``(L,)``.
        edges: ``(C + 1,)``, of the cells, from 0 on.
        opened: the first sample is held from time 0 to its own time, which is the first cell.
        linear: the input is linear on each cell.
        panels: ``(T + 1,)``, edges of the panels; the first and the last are those of the cells.
        widest: ``(Q,)``, see `GaussRules`.
        shares: ``(Q, Q)``, see `GaussRules`.
        weights: ``(Q, Q)``, see `GaussRules`.
        decay: ``(m,)``, see `moment_decay`.
        moments: ``(T, m)``, added to.
    """
    points = decay.size
    low, width = np.empty(_LANES), np.empty(_LANES)
    start, rise = np.empty(_LANES), np.empty(_LANES)
    old, new = np.empty(_LANES), np.empty(_LANES)
    x, values, before = np.empty(_LANES), np.empty(_LANES), np.empty(_LANES)
    sums = np.empty((points, _LANES))
    cells, cell = edges.size - 1, 0
    newer = 1 if linear and not opened else 0
    for panel in range(panels.size - 1):
        left, right = panels[panel], panels[panel + 1]
        scale = 2.0 / (right - left)
        sums[:] = 0.0
        while True:
            # Pieces of the cells `cell, cell + 1, ...` that begin before the panel ends.
            count = min(_LANES, cells - cell)
            if edges[cell + count - 1] >= right:
                count = np.searchsorted(edges[cell : cell + count], right)
            largest = 0.0
            for i in range(count):
                begin, end = edges[cell + i], edges[cell + i + 1]
                first = left if left > begin else begin
                last = right if right < end else end
                low[i], width[i] = (first - left) * scale - 1.0, (last - first) * scale
                now = samples[cell + i + newer]
                if linear:
                    old[i], new[i] = samples[max(cell + i + newer - 1, 0)], now
                    start[i], rise[i] = (first - begin) / (end - begin), (last - first) / (end - begin)
                else:
                    old[i], new[i], start[i], rise[i] = now, now, 0.0, 0.0
            for i in range(count, _LANES):
                low[i], width[i], start[i], rise[i], old[i], new[i] = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for i in range(count):
                largest = width[i] if width[i] > largest else largest
            rule = np.searchsorted(widest, largest)
            for node in range(rule + 1):
                share, weight = shares[rule, node], weights[rule, node]
                for i in range(_LANES):
                    x[i] = low[i] + width[i] * share
                    ramp = start[i] + rise[i] * share
                    values[i] = ((1.0 - ramp) * old[i] + ramp * new[i]) * (width[i] * weight)
                    before[i] = 0.0
                for j in range(0, points, UNROLLED):
                    g0, g1, g2, g3 = decay[j], decay[j + 1], decay[j + 2], decay[j + 3]
                    for i in range(_LANES):
                        a = values[i]
                        b = x[i] * a - g0 * before[i]
                        c = x[i] * b - g1 * a
                        d = x[i] * c - g2 * b
                        sums[j, i] += a
                        sums[j + 1, i] += b
                        sums[j + 2, i] += c
                        sums[j + 3, i] += d
                        values[i] = x[i] * d - g3 * c
                        before[i] = d
            cell += count
            if cell == cells or edges[cell] >= right:
                break
        if edges[cell] > right:
            cell -= 1  # goes on in the next panel
        for j in range(points):
            moments[panel, j] += sums[j].sum()


@jit
def add_projection(ages: Float64Array, even: Float64Array, odd: Float64Array, found: Float64Array) -> None:
    """Add ``sum_i w_i P_n(1 - 2 ages_i)`` to ``found`` ``(N,)``; w is ``even`` or ``odd``, as n.

    The arrays are ``(M,)``. The recurrence is that of differences, see `hippo_fast.holds`.
    """
    order = found.size
    age, value, change, even_weight, odd_weight = np.empty((5, _NODES))
    sums = np.zeros((-(-order // UNROLLED) * UNROLLED, _NODES))
    for first in range(0, ages.size, _NODES):
        count = min(_NODES, ages.size - first)
        age[:], even_weight[:], odd_weight[:], value[:], change[:] = 0.0, 0.0, 0.0, 1.0, 0.0
        age[:count] = ages[first : first + count]
        even_weight[:count], odd_weight[:count] = even[first : first + count], odd[first : first + count]
        for n in range(0, order, UNROLLED):
            k1, k2, k3, k4 = n / (n + 1.0), (n + 1) / (n + 2.0), (n + 2) / (n + 3.0), (n + 3) / (n + 4.0)
            for i in range(_NODES):
                # (4 n + 2)/(n + 1) is 2 + 2 n/(n + 1).
                v, e, o, a = 2.0 * age[i], even_weight[i], odd_weight[i], value[i]
                d1 = k1 * change[i] - (1.0 + k1) * v * a
                b = a + d1
                d2 = k2 * d1 - (1.0 + k2) * v * b
                c = b + d2
                d3 = k3 * d2 - (1.0 + k3) * v * c
                d = c + d3
                sums[n, i] += e * a
                sums[n + 1, i] += o * b
                sums[n + 2, i] += e * c
                sums[n + 3, i] += o * d
                change[i] = k4 * d3 - (1.0 + k4) * v * d
                value[i] = d + change[i]
    for n in range(order):
        found[n] += sums[n].sum()
