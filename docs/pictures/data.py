"""The numbers behind every picture of docs/hippo.md, all of them from ``hippo_ref`` and ``hippo_fast``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mpmath
import numpy as np
from numpy.typing import NDArray

import hippo_fast
import hippo_ref

Array = NDArray[np.float64]

DURATION, STEP = 10.0, 0.01
"""The signal lasts 10 and is sampled a thousand times, in the middles of cells."""
WINDOW = 2.0
"""theta of the sliding windows."""
HORIZON = 4.0
"""The age beyond which a picture does not show what LagT remembers: the weight there is e^-4, less than 2 %."""
ORDERS = (5, 9, 17, 33)
"""Odd: harmonics come in pairs beside the constant, and FouT wants its pairs complete."""
SHOWN = 17
MOMENTS = (2.5, 5.0, 8.0)
"""What the picture of the memory at work shows."""


@dataclass(frozen=True)
class Memory:
    """A measure as the pictures show it.

    Attributes:
        key: the measure.
        name: as the text calls it.
        past: what it remembers, in a few words.
        nested: whether a memory of a lower order is the beginning of one of a higher order.
    """

    key: str
    name: str
    past: str
    nested: bool

    def begin(self, t: float) -> float:
        """Where the past that is drawn begins, at time t."""
        return {"legs": 0.0, "lagt": t - HORIZON}.get(self.key, t - WINDOW)

    def scan(self, order: int) -> Array:
        """States after each of the samples, ``(1000, N)``; ``zoh`` is exact for the held samples."""
        law = {"legs": {}, "lagt": {"dt": STEP}}.get(self.key, {"dt": STEP, "theta": WINDOW})
        found: Array = hippo_fast.scan(samples(), self.key, order, method="zoh", backend="numpy", **law)
        return found

    def basis(self, order: int, fractions: Array) -> Array:
        """What the coefficients are multiplied by ``(P, N)``, at fractions of the past that is drawn."""
        if self.key != "lagt":
            return hippo_fast.basis(self.key, order, fractions, theta=WINDOW if self.key != "legs" else 1.0)
        ages = HORIZON * (1 - fractions)
        lagt = hippo_ref.measure("lagt")
        with mpmath.workdps(30):  # the kernel is e^-u times the basis
            rows = [[k * mpmath.exp(u) for k in lagt.kernel(order, u)] for u in map(mpmath.mpf, ages.tolist())]
        return np.array(rows, dtype=np.float64)

    def weight(self, fractions: Array) -> Array:
        """Share of the measure at each fraction of the past that is drawn, up to a factor."""
        return np.exp(-HORIZON * (1 - fractions)) if self.key == "lagt" else np.ones_like(fractions)


MEMORIES = (
    Memory("legs", "LegS", "all of the past alike", True),
    Memory("legt", "LegT", "the last 2 alike", False),
    Memory("lagt", "LagT", "the past, fading", True),
    Memory("fout", "FouT", "the last 2, in waves", False),
)


def signal(x: Array) -> Array:
    """What is remembered: slow waves, a bump, and a short quick trill; 0 before time 0."""
    slow = 0.55 * np.sin(0.9 * x) + 0.3 * np.sin(2.7 * x + 1.0)
    bump = 0.8 * np.exp(-8 * (x - 2.2) ** 2)
    trill = 0.35 * np.sin(12 * x) * np.exp(-3 * (x - 6.4) ** 2)
    found: Array = np.where(x >= 0, slow + bump + trill, 0.0)
    return found


def samples() -> Array:
    """The middles of the cells ``[k dt, (k+1) dt)``."""
    return signal((np.arange(round(DURATION / STEP)) + 0.5) * STEP)


def remembered(memory: Memory, states: Array, t: float, fractions: Array) -> tuple[Array, Array]:
    """Times of the past that is drawn, and what the memory makes of it at time t."""
    state = states[round(t / STEP) - 1]
    begin = memory.begin(t)
    return begin + (t - begin) * fractions, memory.basis(state.size, fractions) @ state


def misses(memory: Memory, states: Array, moments: Array) -> Array:
    """Root mean square of signal minus reconstruction, weighed as the measure weighs the past that is drawn."""
    fractions = (np.arange(400) + 0.5) / 400
    begins = np.array([memory.begin(t) for t in moments.tolist()])
    x = begins[:, None] + (moments - begins)[:, None] * fractions
    rebuilt = states[np.round(moments / STEP).astype(int) - 1] @ memory.basis(states.shape[1], fractions).T
    found: Array = np.sqrt(np.average((signal(x) - rebuilt) ** 2, axis=1, weights=memory.weight(fractions)))
    return found


def density(key: str, t: float, x: Array) -> Array:
    """A measure's density over the time x of the past, at time t: ``kernel_0 basis_0``, since p_0 is 1."""
    measure = hippo_ref.measure(key, **({"theta": WINDOW} if key in ("legt", "chebt") else {}))
    found = []
    with mpmath.workdps(20):
        for moment in x.tolist():
            v = measure.coordinate(mpmath.mpf(moment), mpmath.mpf(t))
            inside = 0 < v < 1 if measure.finite else v >= 0
            rebuilding = measure.basis(1, v)[0] if measure.finite and inside else 1
            per_time = {"legs": 1 / t, "lagt": 1.0}.get(key, 1 / WINDOW)
            found.append(float(measure.kernel(1, v)[0] * rebuilding) * per_time if inside else 0.0)
    return np.array(found)


@dataclass(frozen=True)
class Signal:
    """A signal on [0, 1] whose truncation is drawn, with the times where it is not smooth."""

    name: str
    f: Callable[[mpmath.mpf], mpmath.mpf]
    points: tuple[mpmath.mpf, ...] = ()


THIRD = mpmath.mpf(1) / 3
SIGNALS = (
    Signal("a jump", lambda x: mpmath.mpf(x > THIRD), (THIRD,)),
    Signal("a kink, |x - 1/3|", lambda x: abs(x - THIRD), (THIRD,)),
    Signal("smooth, exp(sin 6x)", lambda x: mpmath.exp(mpmath.sin(6 * x))),
)


def truncation(which: Signal, largest: int = 64) -> Array:
    """``||f - g||`` in L2 of LegS at N = 1 .. largest, exactly: ``||f||^2`` less the squares of the coefficients."""
    with mpmath.workdps(50):
        square = mpmath.quad(lambda x: which.f(x) ** 2, [0, *which.points, 1])
        c = hippo_ref.project(hippo_ref.measure("legs"), which.f, 1, largest, dps=45, points=which.points)
        rest = []
        for value in c:
            square -= value**2
            rest.append(float(mpmath.sqrt(max(square, mpmath.mpf(0)))))
    return np.array(rest)


def jackson(order: Array, lipschitz: float = 1.0) -> Array:
    """Jackson's bound for LegS: ``pi Lip t/(4 N)`` at t = 1."""
    return np.pi * lipschitz / (4 * order)


RULES = ("euler", "bilinear", "zoh", "trapezoid", "foh")
LENGTHS = (25, 50, 100, 200, 400, 800)


def discretization(rule: str, order: int = 4) -> Array:
    """Distance of the last LegS state from the exact projection of cos 3x on [0, 1], for each of ``LENGTHS``."""
    exact = np.array(hippo_ref.project(hippo_ref.measure("legs"), lambda x: mpmath.cos(3 * x), 1, order), np.float64)
    nodes = rule in ("trapezoid", "foh")
    found = []
    for length in LENGTHS:
        x = np.arange(length) / (length - 1) if nodes else (np.arange(length) + 0.5) / length
        last = hippo_fast.scan(np.cos(3 * x), "legs", order, method=rule, backend="numpy", output="last")
        found.append(float(np.linalg.norm(last - exact)))
    return np.array(found)
