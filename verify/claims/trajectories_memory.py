"""A witness without training: what the memory of each trajectory becomes when the sampling rate changes.

With y the share of a trajectory that is over, its LegS coefficients at the end are ``c_n = s_n integral f(y) P_n(2y-1)
dy``, whatever its duration and however it is sampled (HiPPO, proposition 3). Samples at L equal steps, read by ``foh``,
make the memory that of the line ``f_L`` through them, exactly. Coefficients are those of a projection, so that both
differ by no more than the signals do,

    |c_L - c| <= ||f - f_L|| <= ||f''|| / (pi L)^2,

root mean squares over the trajectory: ``f - f_L`` is 0 at both ends of each step and its slope has mean 0 there, which
is twice Wirtinger's inequality. Two rates differ by the sum of their bounds at most. The published bilinear rule is of
first order: no such bound, its distance is measured.

LMU and LegT hold a window of theta. Who is not told the rate holds the same number of samples, at double the rate half
of the time; who is told holds the same time again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from verify.claims.data.strokes import Pens

Array = NDArray[np.float64]

RATES: Final = {"half": 0.5, "trained": 1.0, "double": 2.0}
CERTIFIED: Final = 2
"""Trajectories of which the memory is held against certified numbers: these take time."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A memory that is held against itself at other rates.

    Attributes:
        key: stable.
        title: as it is shown.
        measure: key of `verify.adapters.own_nn.OPERATORS`.
        method: rule.
        told: whether its step of time follows the rate.
    """

    key: str
    title: str
    measure: str
    method: str
    told: bool = False


MEMORIES: Final = (
    Memory(key="legs_foh", title="LegS, foh", measure="legs", method="foh"),
    Memory(key="legs", title="LegS, bilinear (published)", measure="legs", method="bilinear"),
    Memory(key="lmu", title="LMU, rate unknown", measure="lmu", method="bilinear"),
    Memory(key="lmu_told", title="LMU, rate told", measure="lmu", method="bilinear", told=True),
)


def even_steps(pens: Pens, hertz: float) -> NDArray[np.int64]:
    """Steps (n,) from the start of each trajectory to its end at the trained rate, even, so that half as many exist."""
    found: NDArray[np.int64] = 2 * np.maximum(1, np.rint(pens.durations * hertz / 2).astype(np.int64))
    return found


def coefficients(pens: Pens, steps: NDArray[np.int64], memory: Memory, rate: float, order: int, theta: float) -> Array:
    """What a memory holds at the end of each trajectory, in the orthonormal basis: (n, 3, N).

    Args:
        pens: trajectories.
        steps: from `even_steps`.
        memory: which.
        rate: relative to the trained one.
        order: coefficients N.
        theta: window of a memory that has one, in sampling intervals of the trained rate.
    """
    from verify.adapters.own_nn import scan  # noqa: PLC0415 -- imports torch

    found = np.empty((len(pens), 3, order))
    counts = np.rint(steps * rate).astype(np.int64)
    extra: dict[str, Any] = {}
    if memory.measure != "legs":
        extra = {"dt": 1.0 / rate if memory.told else 1.0, "theta": theta}
    for count in np.unique(counts):
        rows = np.flatnonzero(counts == count)
        shares = np.linspace(0.0, 1.0, int(count) + 1)
        some = pens.take(rows)
        values = np.moveaxis(some.at(shares * some.durations[:, None]), 1, 2)
        found[rows] = scan(values, memory.measure, order, method=memory.method, output="last", backend="numpy", **extra)
    if memory.measure == "lmu":  # its coefficients are those of LegT times s_n (-1)^n
        found /= np.sqrt(2 * np.arange(order) + 1.0) * (-1.0) ** np.arange(order)
    return found


def exact(pens: Pens, order: int) -> Array:
    """Exact projection (n, 3, N) of each whole trajectory, by a Gauss rule that is exact on every piece."""
    pieces = pens.pieces.shape[1]
    nodes, masses = np.polynomial.legendre.leggauss(order // 2 + 3)  # degree 3 times degree N - 1
    shares = ((np.arange(pieces)[:, None] + (nodes + 1) / 2) / pieces).ravel()
    weights = np.tile(masses / 2, pieces) / pieces
    basis = np.polynomial.legendre.legvander(2 * shares - 1, order - 1) * np.sqrt(2 * np.arange(order) + 1.0)
    values = pens.at(shares * pens.durations[:, None])
    found: Array = np.einsum("npd,p,pk->ndk", values, weights, basis)
    return found


def bound(pens: Pens, steps: NDArray[np.int64], rate: float) -> Array:
    """How far the memory (n, 3) of ``foh`` may lie from the exact projection."""
    _, second = pens.roughness()
    found: Array = second / (np.pi * np.rint(steps * rate)[:, None]) ** 2
    return found


def nearest(known: Array, labels: NDArray[np.int64], asked: Array) -> NDArray[np.int64]:
    """The class of each of ``asked`` (m, F): that of the nearest of ``known`` (n, F)."""
    squares = (asked**2).sum(axis=1)[:, None] - 2 * asked @ known.T + (known**2).sum(axis=1)
    found: NDArray[np.int64] = labels[squares.argmin(axis=1)]
    return found


def certified(pens: Pens, steps: NDArray[np.int64], order: int, chosen: int) -> float:
    """Hold the memory of one trajectory, of its horizontal velocity, against exact arithmetic.

    The witness is the certified projection of the line through 16 times as many samples, which is as near to that of
    the trajectory as its own bound says.

    Returns:
        The largest distance over the rates, as a share of the sum of both bounds.
    """
    from fractions import Fraction  # noqa: PLC0415

    from verify.case import Case  # noqa: PLC0415
    from verify.oracle import Oracle  # noqa: PLC0415

    one, few = pens.take(np.array([chosen])), steps[[chosen]]
    fine = 16 * int(few[0])
    values = one.at(np.linspace(0.0, 1.0, fine + 1) * one.durations[:, None])[0, :, 0]
    case = Case(target="trajectories", measure="legs", order=order, method="foh")
    witness = Oracle().held(case, values.tolist(), [Fraction(k) for k in range(fine + 1)]).high
    shares = []
    for rate in RATES.values():
        held = coefficients(one, few, MEMORIES[0], rate, order, 1.0)[0, 0]
        allowed = bound(one, few, rate)[0, 0] + bound(one, few, 16.0)[0, 0]
        shares.append(float(np.linalg.norm(held - witness) / allowed))
    return max(shares)


def measure(pens: Pens, known: Pens, hertz: float, order: int) -> dict[str, Any]:
    """All of it, as plain JSON.

    Args:
        pens: trajectories that are asked for.
        known: those among which the nearest one is looked for, at the trained rate.
        hertz: of the trained rate.
        order: coefficients of each memory.

    Returns:
        ``nearest``: for each memory and rate, the share of trajectories whose nearest known one is of their class.
        ``moved``: for each memory, half and double the rate, how far the memory of a trajectory lies from that at the
        trained rate, as a share of its size; the mean over trajectories. ``least_ratio``: for each rule of LegS, how
        many times farther LMU's moves, the least of all trajectories. ``bound_share``: the largest distance of LegS
        (foh) from the exact projection, as a share of the bound. ``certified_share``: the same against certified
        numbers.
    """
    steps, known_steps = even_steps(pens, hertz), even_steps(known, hertz)
    theta = float(known_steps.mean())
    truth = exact(pens, order)
    # Channels have units of their own: each counts by its mean size.
    units = np.linalg.norm(exact(known, order), axis=2).mean(axis=0)[:, None]
    nearby: dict[str, dict[str, float]] = {}
    moved: dict[str, dict[str, Array]] = {}
    bound_share = 0.0
    for memory in MEMORIES:
        held = {name: coefficients(pens, steps, memory, rate, order, theta) for name, rate in RATES.items()}
        learnt = coefficients(known, known_steps, memory, 1.0, order, theta) / units
        nearby[memory.key] = {
            name: float((nearest(_flat(learnt), known.labels, _flat(found / units)) == pens.labels).mean())
            for name, found in held.items()
        }
        size = np.linalg.norm(_flat(held["trained"] / units), axis=1)
        moved[memory.key] = {
            name: np.linalg.norm(_flat((held[name] - held["trained"]) / units), axis=1) / size
            for name in ("half", "double")
        }
        if memory.method == "foh":
            bound_share = max(
                float((np.linalg.norm(held[name] - truth, axis=2) / bound(pens, steps, rate)).max())
                for name, rate in RATES.items()
            )
    chosen = np.linspace(0, len(pens) - 1, CERTIFIED).astype(int)
    return {
        "count": len(pens),
        "order": order,
        "theta": theta,
        "nearest": nearby,
        "moved": {key: {name: float(found.mean()) for name, found in rates.items()} for key, rates in moved.items()},
        "least_ratio": {
            key: min(float((moved["lmu"][name] / moved[key][name]).min()) for name in ("half", "double"))
            for key in ("legs_foh", "legs")
        },
        "bound_share": bound_share,
        "certified_share": max(certified(pens, steps, order, int(i)) for i in chosen),
    }


def _flat(coefficients: Array) -> Array:
    return coefficients.reshape(len(coefficients), -1)
