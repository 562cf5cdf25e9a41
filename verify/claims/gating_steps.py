"""A gate as a step of time: how long a step of each rule has to be for its order-1 memory to be the gate.

At order 1 both the scale law of LegS and plain LagT have ``A = (-1)``, ``B = (1)``. With a step h (``h = dt`` of LagT,
``h = (t' - t)/t'`` of LegS) the rules are

    GBT(a):  (1 + a h) c' = (1 - (1 - a) h) c + h u         zoh:  c' = e^-dt c + (1 - e^-dt) u, LegS: (t/t') c + h u

and each is the gate ``c' = (1 - g) c + g u``, g from h alone. Solved for h, a gate is a step (HiPPO, section 2.5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final

import flint
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
StepOf = Callable[[Any], Any]

RULES: Final = ("euler", "backward_euler", "bilinear", "zoh")
WEIGHTS: Final[Mapping[str, Fraction]] = {
    "euler": Fraction(0),
    "backward_euler": Fraction(1),
    "bilinear": Fraction(1, 2),
}
"""``a`` of GBT(a)."""
STEPS: Final[Mapping[str, StepOf]] = {
    "euler": lambda g: g,
    "backward_euler": lambda g: g / (1 - g),
    "bilinear": lambda g: 2 * g / (2 - g),
    "zoh": lambda g: -(1 - g).log(),
}
"""Gate to step: of GBT rules in rational arithmetic, and of LagT's hold in balls; that of LegS's hold is g."""
REACH: Final[Mapping[str, Fraction]] = {
    "euler": Fraction(1),
    "backward_euler": Fraction(1, 2),
    "bilinear": Fraction(2, 3),
    "zoh": Fraction(1),
}
"""Gates below this are steps of LegS between two times: there h < 1. Under LagT every gate < 1 is a step."""
BITS: Final = 256


def gated(state: Any, sample: Any, g: Any) -> Any:
    """The gate itself."""
    return (1 - g) * state + g * sample


def stepped(rule: str, state: Any, sample: Any, h: Any) -> Any:
    """An order-1 step of a GBT rule, in rational arithmetic."""
    a = WEIGHTS[rule]
    return ((1 - (1 - a) * h) * state + h * sample) / (1 + a * h)


def mismatches(g: Array, state: Array, sample: Array, steps: Mapping[str, StepOf] = STEPS) -> dict[str, int]:
    """Under how many of these gates the step of each rule is something else, in exact arithmetic.

    Doubles are rational numbers: under the GBT rules, and under the hold of LegS between the times ``1 - g`` and 1,
    both sides are rational and are compared as such. The hold of LagT is compared in balls of `BITS` bits: there a
    mismatch is a difference whose ball leaves out 0, or is too wide to say.

    Args:
        g: gates, 0 < g < 1.
        state: before, as many.
        sample: as many.
        steps: gate to step of each rule; a test puts wrong ones here.
    """
    wrong = dict.fromkeys((*WEIGHTS, "zoh of LegS", "zoh of LagT"), 0)
    kept = flint.ctx.prec
    flint.ctx.prec = BITS
    try:
        for one, before, new in zip(g.tolist(), state.tolist(), sample.tolist(), strict=True):
            share, c, u = Fraction(one), Fraction(before), Fraction(new)
            right = gated(c, u, share)
            for rule in WEIGHTS:
                wrong[rule] += stepped(rule, c, u, steps[rule](share)) != right
            time, later = 1 - share, Fraction(1)
            wrong["zoh of LegS"] += (time / later) * c + (later - time) / later * u != right
            ball = flint.arb(one)
            decay = (-steps["zoh"](ball)).exp()
            difference = decay * before + (1 - decay) * flint.arb(new) - gated(flint.arb(before), flint.arb(new), ball)
            wrong["zoh of LagT"] += not (difference.contains(0) and difference.rad() < flint.arb(2) ** (64 - BITS))
    finally:
        flint.ctx.prec = kept
    return wrong


def sigmoid_steps(x: Array) -> dict[str, int]:
    """For how many x the gate ``sigmoid(x)`` is not the step ``e^x`` of backward Euler, or ``softplus(x)`` of a hold.

    ``e^x/(1 + e^x) = 1 - e^{-log(1 + e^x)} = sigmoid(x)``, compared in balls.
    """
    wrong = {"backward_euler": 0, "zoh": 0}
    kept = flint.ctx.prec
    flint.ctx.prec = BITS
    try:
        for value in x.tolist():
            grown = flint.arb(value).exp()
            gate = 1 / (1 + (-flint.arb(value)).exp())
            for rule, found in (("backward_euler", grown / (1 + grown)), ("zoh", 1 - (-(1 + grown).log()).exp())):
                difference = found - gate
                wrong[rule] += not (difference.contains(0) and difference.rad() < flint.arb(2) ** (64 - BITS))
    finally:
        flint.ctx.prec = kept
    return wrong


def float_steps(rule: str, g: Array, kept: Array) -> Array:
    """LagT's step of each gate in doubles, from the gate and what it keeps, ``1 - g``, without cancellation."""
    found: dict[str, Array] = {
        "euler": g,
        "backward_euler": g / kept,
        "bilinear": 2 * g / (1 + kept),
        "zoh": np.where(g < 0.5, -np.log1p(-g), -np.log(kept)),
    }
    return found[rule]


def float_ratios(rule: str, g: Array, kept: Array) -> Array:
    """LegS's ``t'/t`` of each gate in doubles; the gate must lie within `REACH`."""
    # 1/(1 - h) with h = g, g/(1 - g) and 2g/(2 - g).
    if rule == "backward_euler":
        return kept / (kept - g)
    return (1 + kept) / (kept - g + kept) if rule == "bilinear" else 1 / kept
