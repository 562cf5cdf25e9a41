"""How long a unit will take, from a small table that `verify.cost_table` derives from finished campaigns."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from verify.checks import QUICK
from verify.planning import Plan, Unit, lacking

TABLE: Final = Path(__file__).with_name("costs.toml")
LARGEST: Final = 64
"""The order at which both parts of a level's cost are weighed: beyond it the growing one takes over."""
POWER: Final = 2
"""Exact states of N coefficients cost so many powers of N a sample."""
NOTHING: Final = 1e-4
"""Seconds of a unit that its target does not have."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Costs:
    """Seconds of a unit: factor of its library x factor of its suite x the sum over its levels.

    A level costs ``fixed + growing (N/64)^2``, times the share of its checks that are asked.

    Attributes:
        levels: level -> fixed and growing part, in seconds; levels that are not there cost as much as the mean.
        libraries: library -> factor; 1 where it is not there.
        suites: suite -> factor; where it is not there, by the number of examples drawn.
    """

    levels: Mapping[str, tuple[float, float]]
    libraries: Mapping[str, float]
    suites: Mapping[str, float]

    @classmethod
    def parse(cls, text: str) -> Costs:
        """A table from TOML."""
        content = tomllib.loads(text)
        levels = {name: (float(row["fixed"]), float(row["growing"])) for name, row in content["levels"].items()}
        return cls(levels, content.get("libraries", {}), content.get("suites", {}))

    def level(self, name: str) -> tuple[float, float]:
        """Fixed and growing part of a level."""
        if name in self.levels:
            return self.levels[name]
        rows = list(self.levels.values()) or [(1.0, 0.0)]
        return sum(row[0] for row in rows) / len(rows), sum(row[1] for row in rows) / len(rows)

    def seconds(self, unit: Unit, orders: Sequence[int]) -> Array:
        """Of a unit, with other orders; shape (orders,)."""
        size = (np.asarray(orders, float) / LARGEST) ** POWER
        total = np.zeros(len(orders))
        whole = _without_choice(unit)
        for level in unit.levels:
            fixed, growing = self.level(level)
            total += (fixed + growing * size) * len(unit.asked(level)) / max(len(whole.asked(level)), 1)
        return (
            total
            * self.libraries.get(unit.library, 1.0)
            * self.suites.get(unit.suite.name, unit.suite.examples / QUICK.examples)
        )


def _without_choice(unit: Unit) -> Unit:
    return unit if unit.checks is None else Unit(unit.target, unit.case, unit.levels, unit.suite)


@lru_cache
def shipped() -> Costs:
    """The table that is shipped, read once."""
    return Costs.parse(TABLE.read_text(encoding="utf-8"))


def estimated(units: Sequence[Unit], costs: Costs | None = None) -> Array:
    """Seconds of every unit of a plan, in single precision: four bytes each."""
    costs = costs or shipped()
    if isinstance(units, Plan):
        found = np.empty((len(units.blocks), len(units.orders)), np.float32)
        for number, (row, unit) in enumerate(zip(found, units.blocks, strict=True)):
            row[:] = costs.seconds(unit, units.orders)
            first = number * len(units.orders)
            places = range(first, first + len(units.orders))
            if lacking(units[places[0]]) or lacking(units[places[-1]]):  # where neither is, all orders are there
                row[[bool(lacking(units[place])) for place in places]] = NOTHING
        return found.ravel()
    return np.array([costs.seconds(unit, [unit.case.order])[0] for unit in units], np.float32)
