"""The last state of the LegS holds without a recurrence on states: the projection of the held input itself.

``x_n = (1/t) int_0^t u(tau) P_n(2 tau/t - 1) d tau`` for ``u`` constant on each cell (zoh) or linear between its
nodes (foh). A recurrence pays ``O(N^2)`` for each sample. Here ``[0, t]`` is cut into panels, on each of which every
``P_n`` of the order is a polynomial of degree ``< m`` to rounding, with m = 20:

1. On each panel the input is read into m Legendre moments of the panel: ``O(m)`` for each sample, whatever the order.
2. ``P_n`` at the m Gauss nodes of every panel turns moments into the projection: ``O(N^2)``, once.

*Panels* are of equal angle d in ``theta``, ``2 tau/t - 1 = -cos theta``. ``|P_n(cos theta)| <= e^(n |Im theta|)``
(Laplace's integral), and around a panel the ellipse whose semi-axes add up to ``rho`` half-widths reaches
``|Im theta| = (d/4) (rho - 1/rho)``. So interpolation at m Gauss nodes is off by about
``e^((n d/4) (rho - 1/rho)) rho^-m``, for the best ``rho``; at ``n d = pi/0.6`` and m = 20 that is below 2^-53. Up to
order m one panel is exact.

*Cells.* A piece of a cell in one panel is integrated by a Gauss rule. No number is the difference of larger ones, so
the error is a few roundings of ``|u|`` times the width of the piece, however narrow it is. For a polynomial f of
degree g, at most 1 on the panel, and a piece of half-width e (the panel has 1), the remainder of q nodes, over the
width, is at most ``4^q (q!)^4/((2q+1) ((2q)!)^3) e^(2q) max|f^(2q)|``, and ``max|f^(r)| <= T_g^(r)(1)`` (V. A.
Markov). The least q that brings it below 2^-53 is taken; ``q > g/2`` is exact. A ramp s from 0 to 1 on the piece adds
``(q/e) f^(2q-1)`` to the derivative of ``s f``.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from hippo_fast.legendre import stretch_increments
from hippo_fast.threads import run_in_threads
from hippo_fast.types import Float64Array, FloatArray

WORTHWHILE: Final = 64
"""Samples from which on the projection takes less time than steps."""

_POINTS: Final = 20  # m, even: then nodes pair up about the middle of [0, t]
_PANELS_PER_ORDER: Final = 0.6  # n d = pi/0.6, see the module's docstring
_UNIT: Final = 2.0**-53
_PIECES: Final = 2048  # pieces of cells weighed at a time: their weights stay in cache
_NODES: Final = 1024  # nodes of the table in one block
_LARGEST_KEPT: Final = 512  # tables up to this order (12 MiB) are kept for the next call


def held_projection(
    samples: FloatArray, times: Float64Array, order: int, *, linear: bool, compiled: bool = False
) -> FloatArray:
    """Return the last state of zoh or foh on LegS.

    Args:
        samples: ``(S, L)``, float32 or float64.
        times: ``(L,)`` or ``(S, L)``, increasing: the end of each cell (first > 0), or each node (first >= 0). Before a
            first time > 0 the input was the first sample.
        order: number of coefficients ``N``.
        linear: the input is linear between nodes (foh), not constant on cells (zoh).
        compiled: run on numba, which must be installed.

    Returns:
        ``(S, N)``, ``x = c/s_n`` in the dtype of the samples; computed in float64.
    """
    streams, length = samples.shape
    if length == 1:
        found = np.zeros((streams, order), samples.dtype)
        found[:, 0] = samples[:, 0]
        return found
    if times.ndim == 2:
        found = np.empty((streams, order), samples.dtype)
        for stream in range(streams):
            own = slice(stream, stream + 1)
            found[own] = held_projection(samples[own], times[stream], order, linear=linear, compiled=compiled)
        return found
    opened = bool(times[0] > 0)
    times = np.ldexp(times, max(0, -math.frexp(times[-1])[1]))  # exact, and panels stay apart
    edges = np.concatenate([[0.0], times]) if opened else np.ascontiguousarray(times)
    panels = panel_edges(order, float(times[-1]))
    project = _compiled_projection if compiled else _projection
    return project(samples, edges, opened, linear, panels, order).astype(samples.dtype)


def held_advance(
    state: FloatArray,
    samples: FloatArray,
    before: FloatArray,
    times: Float64Array,
    *,
    linear: bool,
    compiled: bool = False,
) -> FloatArray:
    """Return the state after K more samples: the history stretched once, and the new piece of the input projected.

    Under foh both are taken relative to the sample before, so that the new piece starts from zero without a jump.

    Args:
        state: ``(S, N)``, ``x`` at ``times[0]``; it is not changed.
        samples: ``(S, K)``.
        before: ``(S,)``, the sample before the first of them; zoh does not read it.
        times: ``(K + 1,)``, from the time of the state, > 0, to that of the last sample.
        linear: see `held_projection`.
        compiled: see `held_projection`.

    Returns:
        ``(S, N)`` in the dtype of the samples; computed in float64.
    """
    old, piece = state.astype(np.float64), np.zeros((len(samples), times.size))
    piece[:, 1:] = samples
    if linear:
        piece[:, 1:] -= before[:, None]
        old[:, 0] -= before
    gap = (times[-1:] - times[:1]) / times[-1:]
    old += gap * (old @ stretch_increments(times[:1] / times[-1:], gap, state.shape[1])[0].T)
    if linear:
        old[:, 0] += before
    return (old + held_projection(piece, times, state.shape[1], linear=linear, compiled=compiled)).astype(samples.dtype)


def _projection(
    samples: FloatArray, edges: Float64Array, opened: bool, linear: bool, panels: Float64Array, order: int
) -> Float64Array:
    """Return ``(S, N)`` by array operations, on all streams at once."""
    moments = np.zeros((len(samples), panels.size - 1, min(order, _POINTS)))
    _add_moments(samples, edges, opened, linear, panels, moments)
    moments *= (np.diff(panels) / panels[-1])[:, None]
    if order <= _POINTS:
        return moments[:, 0] * _leading(order)
    even, odd = _node_weights(moments)
    found, ages = np.zeros((len(samples), order)), _ages(order)
    values = _legendre_kept if order <= _LARGEST_KEPT else _legendre
    for first in range(0, ages.size, _NODES):
        block = slice(first, first + _NODES)
        even_values, odd_values = values(order, first)
        found[:, 0::2] += even[:, block] @ even_values.T
        found[:, 1::2] += odd[:, block] @ odd_values.T
    return found


def _compiled_projection(
    samples: FloatArray, edges: Float64Array, opened: bool, linear: bool, panels: Float64Array, order: int
) -> Float64Array:
    """Return ``(S, N)`` by compiled kernels, each thread on a stream at a time."""
    from hippo_fast.kernels import held  # noqa: PLC0415  (imports numba)

    points = min(order, _POINTS)
    rules, decay = gauss_rules(points, linear), moment_decay(-(-points // held.UNROLLED) * held.UNROLLED)
    shares = (np.diff(panels) / panels[-1])[:, None]
    found = np.zeros((len(samples), order))

    def run(stream: int) -> None:
        moments = np.zeros((panels.size - 1, decay.size))
        read = np.ascontiguousarray(samples[stream], np.float64)  # one kind of array, one compilation
        held.add_moments(
            *(read, edges, opened, linear, panels),
            *(rules.widest, rules.shares, rules.weights, decay, moments),
        )
        moments *= shares
        if order <= _POINTS:
            found[stream] = moments[0, :order] * _leading(order)
        else:
            even, odd = _node_weights(moments[None])
            held.add_projection(_ages(order), even[0], odd[0], found[stream])

    run_in_threads(run, range(len(samples)))
    return found


def panel_count(order: int) -> int:
    """Return how many panels an order needs."""
    return 1 if order <= _POINTS else math.ceil(_PANELS_PER_ORDER * (order - 1))


def panel_edges(order: int, end: float) -> Float64Array:
    """Return the edges of the panels of ``[0, end]``, of equal angle ``theta`` in ``tau = end sin^2(theta/2)``."""
    count = panel_count(order)
    edges = np.empty(count + 1)
    share = _panel_shares(count)
    edges[: count // 2 + 1] = end * share
    edges[count - count // 2 :] = end - end * share[::-1]
    return edges


def _panel_shares(count: int) -> Float64Array:
    """Return the edges in the older half, ends included, as shares of ``[0, end]``; the other half mirrors it."""
    return np.asarray(np.sin(np.arange(count // 2 + 1) * (0.5 * math.pi / count)) ** 2)


@dataclass(frozen=True)
class GaussRules:
    """Gauss rules on [0, 1] with 1, 2, ... nodes, and the pieces that each is good for.

    Attributes:
        widest: ``(Q,)``: up to this width (a panel has 2) the rule is exact to rounding; the last is good for any.
        shares: ``(Q, Q)``, nodes; a row is filled up with zeros.
        weights: ``(Q, Q)``, they add up to 1/2: a panel has the width 2, and what is wanted is the mean over it.
    """

    widest: Float64Array
    shares: Float64Array
    weights: Float64Array

    def nodes_for(self, width: float) -> int:
        """Return how many nodes a piece of this width needs."""
        return int(np.searchsorted(self.widest, width)) + 1


@functools.cache
def gauss_rules(points: int, linear: bool) -> GaussRules:
    """Return the rules for ``points`` moments of pieces that are constant, or linear."""
    degree = points - 1
    last = (degree + int(linear)) // 2 + 1
    widest, shares, weights = np.full(last, np.inf), np.zeros((last, last)), np.zeros((last, last))
    for q in range(1, last + 1):
        nodes, mass = np.polynomial.legendre.leggauss(q)
        shares[q - 1, :q], weights[q - 1, :q] = 0.5 * (nodes + 1.0), 0.25 * mass
        if q < last:
            # Half the unit roundoff to each of the two terms; their sum is below it up to the smaller half-width.
            allowed = 0.5 * _UNIT * (2 * q + 1) * math.factorial(2 * q) ** 3 / (4.0**q * math.factorial(q) ** 4)
            curve, slope = _largest_derivative(degree, 2 * q), _largest_derivative(degree, 2 * q - 1)
            if curve > 0.0:
                widest[q - 1] = 2.0 * (allowed / curve) ** (0.5 / q)
            if linear:
                widest[q - 1] = min(widest[q - 1], 2.0 * (allowed / (q * slope)) ** (1.0 / (2 * q - 1)))
    return GaussRules(widest, shares, weights)


def _largest_derivative(degree: int, r: int) -> float:
    """Return ``T_degree^(r)(1)``."""
    return math.prod((degree**2 - i**2) / (2 * i + 1) for i in range(r))


def moment_decay(points: int) -> Float64Array:
    """Return ``g_j = j^2/(4 j^2 - 1)``, ``(points,)``: ``p_{j+1} = x p_j - g_j p_{j-1}`` are Legendre's, monic."""
    j = np.arange(points, dtype=np.float64)
    return np.asarray(j * j / (4.0 * j * j - 1.0))


def _leading(points: int) -> Float64Array:
    """Return ``binom(2j, j)/2^j``, ``(points,)``: ``P_j`` over ``p_j``."""
    return np.array([math.comb(2 * j, j) / 2.0**j for j in range(points)])


def _add_moments(
    samples: FloatArray,
    edges: Float64Array,
    opened: bool,
    linear: bool,
    panels: Float64Array,
    moments: Float64Array,
) -> None:
    """Add to ``moments`` ``(S, panels, m)`` the means over each panel of the input times its monic ``p_j``."""
    points = moments.shape[2]
    rules, decay = gauss_rules(points, linear), moment_decay(points)
    for begin in range(0, edges.size - 1, _PIECES):
        own = edges[begin : begin + _PIECES + 1]
        cuts = np.union1d(own, panels[(panels > own[0]) & (panels < own[-1])])
        low, width = cuts[:-1], np.diff(cuts)
        cell = np.searchsorted(own, low, side="right") - 1
        panel = np.searchsorted(panels, low, side="right") - 1
        size = np.diff(panels)[panel]
        span = np.diff(own)[cell]
        start, rise = (low - own[cell]) / span, width / span  # where in its cell the piece is
        low, width = 2.0 * (low - panels[panel]) / size - 1.0, 2.0 * width / size
        q = rules.nodes_for(float(width.max())) - 1
        parts = np.zeros((2 if linear else 1, points, width.size))  # weights of the newer sample, of the older one
        for share, weight in zip(rules.shares[q, : q + 1], rules.weights[q, : q + 1], strict=True):
            x = low + width * share
            values, before = width * weight, np.zeros_like(x)
            ramp = start + rise * share
            for j in range(points):
                if linear:
                    parts[0, j] += ramp * values
                    parts[1, j] += (1.0 - ramp) * values
                else:
                    parts[0, j] += values
                values, before = x * values - decay[j] * before, values
        newer = begin + cell + (1 - int(opened) if linear else 0)
        bounds = np.flatnonzero(np.diff(panel, prepend=-1, append=-1))
        for first, stop in itertools.pairwise(bounds):
            for part, index in zip(parts, (newer, np.maximum(newer - 1, 0)), strict=False):
                read = samples[:, index[first] : index[stop - 1] + 1]
                if read.shape[1] != stop - first:  # the first sample, held from time 0 on, stands at both ends
                    read = samples[:, index[first:stop]]
                moments[:, panel[first]] += read @ part[:, first:stop].T


def _node_weights(moments: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return ``(S, M/2)`` twice: what ``P_n`` at each of `_ages` is multiplied by, for even n and for odd n.

    ``P_n`` is even or odd about the middle of ``[0, t]``, so nodes of equal distance from it share a value.

    Args:
        moments: ``(S, panels, m)``, each multiplied by the panel's share of ``[0, t]``.
    """
    weights = (moments @ _interpolation()).reshape(len(moments), -1)
    half = weights.shape[1] // 2
    newer, older = weights[:, : half - 1 : -1], weights[:, :half]
    return newer + older, newer - older


@functools.cache
def _interpolation() -> Float64Array:
    """Return ``(m, m)``: moments to weights of the panel's Gauss nodes, exact for every degree below m.

    ``w_q sum_j (2 j + 1) P_j(x_q) P_j``, with weights that add up to 1, by the rule's discrete orthogonality.
    """
    nodes, mass = np.polynomial.legendre.leggauss(_POINTS)
    values = np.polynomial.legendre.legvander(nodes, _POINTS - 1).T
    return np.asarray((_leading(_POINTS) * (2 * np.arange(_POINTS) + 1))[:, None] * values * (0.5 * mass))


@functools.lru_cache(maxsize=16)
def _ages(order: int) -> Float64Array:
    """Return the ages ``v = 1 - tau/t`` of the nodes in the newer half, ``(M/2,)``, ascending."""
    count = panel_count(order)
    edges = _panel_shares(count)
    if count % 2:
        edges = np.append(edges, 1.0 - edges[-1])
    nodes, _ = np.polynomial.legendre.leggauss(_POINTS)
    ages = edges[:-1, None] + np.diff(edges)[:, None] * (0.5 * (1.0 + nodes))
    return ages.ravel()[: count * _POINTS // 2]


def _legendre(order: int, first: int) -> tuple[Float64Array, Float64Array]:
    """Return ``P_n`` for even n and for odd n, ``(N/2, nodes)``, at the `_ages` ``first, first + 1, ...``.

    Differences are recurred, ``P_{n+1} - P_n = (n (P_n - P_{n-1}) - (4 n + 2) v P_n)/(n + 1)``: they keep what rounding
    ``1 - 2 v`` would lose at the end, where ``P_n`` is steepest.
    """
    age = _ages(order)[first : first + _NODES]
    value, change = np.ones_like(age), np.zeros_like(age)
    found = np.empty(((order + 1) // 2, age.size)), np.empty((order // 2, age.size))
    for n in range(order):
        found[n % 2][n // 2] = value
        change = (n * change - (4 * n + 2) * age * value) / (n + 1)
        value = value + change
    return found


_legendre_kept = functools.lru_cache(maxsize=12)(_legendre)
