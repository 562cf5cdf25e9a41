"""The gradient through the LegS memory alone, beside the bounds and the slope derived from HiPPO's Prop. 5."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from verify.claims.base import Curve, Figure, Number, Result, Standing, Statement, Table
from verify.claims.long_memory_gradients import slope, slope_limits
from verify.claims.long_memory_sources import NOT_RUN, PROPOSITION

FAR: Final = 8.0
"""Prop. 5's 1/t is that of ``t`` above ``N^2 (s + 1/2)`` by this factor; before, the inside of the kernel passes."""
FEWEST: Final = 4
"""Times that a slope is taken over."""
METHODS: Final = ("zoh", "bilinear", "trapezoid", "foh")


@dataclass(frozen=True)
class MemoryRun:
    """The gradient of the LegS memory of one order with respect to one sample.

    Attributes:
        order: coefficients.
        position: of the sample.
        far: whether it is followed for long enough to see how it falls off.
        result: what was measured; None: it was not run.
    """

    order: int
    position: int
    far: bool
    result: Result | None


def far_times(order: int, position: int, times: Sequence[int]) -> list[int]:
    """Where in ``times`` Prop. 5's ``1/t`` is to be seen: indices of those above ``FAR N^2 (s + 1/2)``."""
    return [index for index, t in enumerate(times) if t >= FAR * order**2 * (position + 0.5)]


def bounded(memories: Sequence[MemoryRun]) -> Statement:
    """Between 1/t and N/t, at every time that was measured."""
    known = [(memory, memory.result) for memory in memories if memory.result is not None]
    order = memories[0].order
    text = (
        "The gradient of the LegS memory (zero-order hold) with respect to a sample it has read is between 1/t and N/t "
        "in norm."
    )
    criterion = (
        f"zoh, N = {order}, samples {', '.join(str(memory.position) for memory in memories)}, at times from just after "
        "them on: the larger of norm / (N/t) and (1/t) / norm; holds where it is at most 1 at all of them"
    )
    if len(known) < len(memories):
        return Statement(text=text, source=PROPOSITION, standing=Standing.NOT_RUN, criterion=criterion, message=NOT_RUN)
    worst, where = 0.0, (0, 0)
    for memory, result in known:
        for t, norm in zip(result["times"], result["measured"]["zoh"], strict=True):
            off = max(t * norm / order, math.inf if norm == 0 else 1 / (t * norm))
            if not off <= worst:  # NaN is worst
                worst, where = off, (memory.position, t)
    holds = worst <= 1
    return Statement(
        text=text,
        source=PROPOSITION,
        standing=Standing.HOLDS if holds else Standing.FAILS,
        measured=worst if math.isfinite(worst) else None,
        bound=1.0,
        bound_source=(
            "the kernel of Prop. 5 is at most N/t, and so is its mean over a cell; coefficient 0 is the running mean, "
            "in which each sample weighs 1/t"
        ),
        criterion=criterion,
        message="" if holds else f"sample {where[0]} after {where[1]} samples",
    )


def sloped(memory: MemoryRun) -> Statement:
    """Falling off like 1/t, as far as the limits derived for it allow."""
    order, position = memory.order, memory.position
    text = f"The gradient of the LegS memory (zero-order hold) with respect to sample {position} falls off like 1/t."
    criterion = (
        f"zoh, N = {order}: slope of the logarithm of the norm over that of t, for t above {FAR:g} N^2 (s + 1/2); "
        "holds where it lies within the limits derived for it"
    )
    if memory.result is None:
        return Statement(text=text, source=PROPOSITION, standing=Standing.NOT_RUN, criterion=criterion, message=NOT_RUN)
    kept = far_times(order, position, memory.result["times"])
    if len(kept) < FEWEST:
        return Statement(
            text=text,
            source=PROPOSITION,
            standing=Standing.UNDECIDED,
            criterion=criterion,
            message=f"{len(kept)} times lie far enough; {FEWEST} are needed",
        )
    times = [memory.result["times"][index] for index in kept]
    norms = np.array([memory.result["measured"]["zoh"][index] for index in kept])
    low, high = slope_limits(order, position, times)
    found = slope(np.log(times), np.log(norms)) if (norms > 0).all() else None
    holds = found is not None and low <= found <= high
    return Statement(
        text=text,
        source=PROPOSITION,
        standing=Standing.HOLDS if holds else Standing.FAILS,
        measured=found,
        bound=low if found is not None and found < -1 else high,
        bound_source=(
            f"between {low:.5g} and {high:.5g}: the weight of a sample in coefficient n is between "
            "s_n (1 - n(n+1)(s+1/2)/t)/t and s_n/t, by |P_n'| <= n(n+1)/2"
        ),
        criterion=criterion,
        message="" if holds else f"outside of {low:.5g} to {high:.5g}",
    )


def table(memories: Sequence[MemoryRun]) -> Table:
    """Slope and bounds under each rule."""
    rows: list[tuple[str, tuple[Number | None, ...]]] = []
    for memory in memories:
        for method in METHODS:
            name = f"sample {memory.position}, {method}"
            if memory.result is None:
                rows.append((name, (Number(measured=None, why=NOT_RUN),) * 4))
                continue
            times, norms = memory.result["times"], np.array(memory.result["measured"][method])
            kept = far_times(memory.order, memory.position, times)
            scaled = norms * np.array(times)
            exact = np.array(memory.result["derived"])
            found = slope(np.log(np.array(times)[kept]), np.log(norms[kept])) if len(kept) >= FEWEST else None
            off = Number(measured=float(np.abs(norms / exact - 1).max())) if method == "zoh" else None
            rows.append(
                (
                    name,
                    (
                        Number(measured=found, paper=-1.0, paper_source=PROPOSITION)
                        if found is not None
                        else Number(measured=None, why="too few times lie far enough"),
                        Number(measured=float(scaled.min())),
                        Number(measured=float(scaled.max())),
                        off,
                    ),
                )
            )
    return Table(
        key="memory",
        title=f"LegS memory, N = {memories[0].order}: norm of the gradient with respect to one sample",
        unit="",
        row_header="sample and rule",
        columns=("slope over t", "least t x norm", "greatest t x norm", "off the derived norm, relative"),
        rows=tuple(rows),
        note="The derived norm is Prop. 5's kernel integrated over the sample's cell, which is what zoh computes. The "
        "other rules weigh the first sample by half or so; trapezoid weighs sample 1 by 9/8, more than N/t in "
        "the end.",
    )


def figures(memories: Sequence[MemoryRun]) -> tuple[Figure, ...]:
    """The norms over time, between their bounds; none where nothing was run."""
    curves = []
    for memory in memories:
        if memory.result is None:
            continue
        times = tuple(map(float, memory.result["times"]))
        for name, norms in (("zoh", memory.result["measured"]["zoh"]), ("kernel", memory.result["kernel"])):
            curves.append(Curve(name=f"sample {memory.position}, {name}", x=times, y=tuple(norms)))
    if not curves:
        return ()
    order = memories[0].order
    x = max((curve.x for curve in curves), key=len)
    curves += [
        Curve(name="N/t", x=x, y=tuple(order / t for t in x)),
        Curve(name="1/t", x=x, y=tuple(1 / t for t in x)),
    ]
    return (
        Figure(
            key="memory",
            title=f"LegS memory, N = {order}: what a sample still weighs",
            x_label="samples read, t",
            y_label="norm of the gradient",
            x_log=True,
            y_log=True,
            curves=tuple(curves),
            alt="The norms run between 1/t and N/t, and along N/t once t is far above N squared.",
        ),
    )
