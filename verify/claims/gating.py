"""Gating: the gates of GRU, MGU and LSTM as steps of an order-1 memory, and what memories of higher order add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from verify.claims.base import Options, Outcome, Result, Scale, Unit
from verify.claims.gating_cells import CELLS, Trace, traced
from verify.claims.gating_judgement import SOURCE, Measured, judge
from verify.claims.gating_memories import (
    first_coefficients,
    gains,
    lagt_worst,
    legs_worst,
    needing_gain,
    unheld,
    unread,
    within_reach,
)
from verify.claims.gating_steps import REACH, RULES, mismatches, sigmoid_steps
from verify.claims.workspace import Workspace

INPUTS: Final = 3
SPREAD: Final = 3.0
"""Torch's first weights times this: gates from a thousandth to almost 1."""
LONG_SPREAD: Final = 2.0
BIASES: Final = (2.0, 3.0, 4.0, 6.0, 8.0)
"""Gates around 1/8, so that there is more to remember than the last few samples; smaller where some go beyond 1/2."""
MEMORIES: Final = (("legs", "zoh"), ("legs", "backward_euler"), ("legs", "bilinear"), ("lagt", "zoh"))


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured at one scale.

    Attributes:
        seeds: random weights and inputs.
        hidden: units of the cells.
        length: steps whose gates are compared.
        run: steps that are remembered.
        orders: of the memories.
    """

    seeds: int
    hidden: int
    length: int
    run: int
    orders: tuple[int, ...]


SIZES: Final[Mapping[Scale, Size]] = {
    Scale.SMOKE: Size(seeds=3, hidden=4, length=6, run=12, orders=(1, 2, 4)),
    Scale.QUICK: Size(seeds=4, hidden=8, length=40, run=80, orders=(1, 2, 4, 8, 16, 32)),
    Scale.DEFAULT: Size(seeds=8, hidden=16, length=60, run=120, orders=(1, 2, 4, 8, 16, 32)),
    Scale.FULL: Size(seeds=32, hidden=32, length=100, run=200, orders=(1, 2, 4, 8, 16, 32, 64)),
}


class Gating:
    """Section 2.5 of the paper: gating mechanisms are the low-order case of the framework."""

    key = "gating"
    title = "Gating: a gate is a memory of order 1 with a step of its own"
    source = SOURCE

    def plan(self, options: Options, done: Mapping[str, Result]) -> Sequence[Unit]:
        """Everything at once: no unit rests on another."""
        del done
        size = SIZES[options.scale]
        count = size.seeds if options.seeds is None else options.seeds
        given: dict[str, Any] = {"seed": options.seed, "seeds": count, "hidden": size.hidden}
        named = f"hidden{size.hidden}-seeds{options.seed}+{count}"
        identities = [
            Unit(
                key=f"identity-{cell}-steps{size.length}-{named}",
                cost=2.0 + count * size.hidden * size.length / 1000,
                settings={"kind": "identity", "cell": cell, "length": size.length, **given},
            )
            for cell in CELLS
        ]
        orders = Unit(
            key=f"orders-to{size.orders[-1]}-steps{size.run}-{named}",
            cost=2.0 + count * size.hidden * size.run / 500,
            settings={"kind": "orders", "length": size.run, "orders": list(size.orders), **given},
        )
        return (*identities, orders)

    def run(self, unit: Unit, options: Options, workspace: Workspace) -> Result:
        """One cell, or the memories of higher order under the gates of a GRU."""
        del options
        given = unit.settings
        found: dict[str, Any] = {}
        seeds = range(given["seed"], given["seed"] + given["seeds"])
        for done, seed in enumerate(seeds):
            workspace.check()
            workspace.report(done / len(seeds), f"seed {seed}")
            one = _identity(given, seed) if given["kind"] == "identity" else _orders(given, seed)
            found[str(seed)] = one
        return {"seeds": found}

    def judge(self, options: Options, done: Mapping[str, Result]) -> Outcome:
        """What is true of gates, and the errors of higher orders."""
        size = SIZES[options.scale]
        units = self.plan(options, done)
        identities = {u.settings["cell"]: done.get(u.key) for u in units if u.settings["kind"] == "identity"}
        orders = next(done.get(u.key) for u in units if u.settings["kind"] == "orders")
        return judge(Measured(scale=options.scale, identities=identities, higher=orders, orders=size.orders))


def identity(trace: Trace) -> dict[str, Any]:
    """All comparisons of a cell with memories of order 1."""
    return {
        "gates": int(trace.g.size),
        "lowest": float(trace.g.min()),
        "highest": float(trace.g.max()),
        "mismatches": {
            **mismatches(trace.g.ravel(), trace.before.ravel(), trace.u.ravel()),
            "the cell itself": unread(trace),
        },
        "sigmoid": sigmoid_steps(trace.x.ravel()),
        "lagt": {rule: lagt_worst(trace, rule) for rule in RULES},
        "legs": {rule: legs_worst(trace, rule) for rule in RULES},
        "reached": {rule: float((trace.g < float(REACH[rule])).mean()) for rule in RULES},
        "gain": gains(trace),
        "without_gain": needing_gain(trace),
    }


def _identity(given: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return identity(traced(given["cell"], seed, given["length"], given["hidden"], INPUTS, SPREAD))


def _orders(given: Mapping[str, Any], seed: int) -> dict[str, Any]:
    for bias in BIASES:
        trace = traced("gru", seed, given["length"], given["hidden"], INPUTS, LONG_SPREAD, bias)
        if within_reach(trace).any():
            break
    orders = given["orders"]
    return {
        "units": int(within_reach(trace).sum()),
        "first": first_coefficients(trace, [n for n in orders if 1 < n <= 8], min(10, given["length"] // 2)),
        "unheld": {
            f"{measure}, {rule}": {str(n): lost for n, lost in unheld(trace, measure, rule, orders).items()}
            for measure, rule in MEMORIES
        },
    }
