"""What a campaign asks: targets x measures x rules x devices x dtypes x orders, each unit made when it is needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product
from typing import Any, overload

from verify.adapters import ADAPTERS
from verify.adapters.base import FAMILIES, Adapter
from verify.adapters.isolated import DEFAULT_TIMEOUT
from verify.case import DEFAULT_ORDERS, DEVICES, DTYPES, STEPPING, Case
from verify.cases import METHODS, PARAMETERS, UsageError, make_case, method_key
from verify.checks import CHECKS, Check, Suite
from verify.text import accepted, closest

DEFAULT_MEMORY = 4 * 2**30
"""Bytes that the worker of a library may hold in a campaign."""


@dataclass(frozen=True)
class Unit:
    """Work that one process does in one go: one target, measure, rule, device, dtype and order, at every level.

    Attributes:
        target: key of an adapter.
        case: its measure, rule and so on; each level takes its place in turn.
        levels: levels that are exercised.
        suite: how much is tried.
        timeout: seconds per call.
        memory_limit: bytes the target's process may hold.
        checks: keys of the checks, or None for all.
    """

    target: str
    case: Case
    levels: tuple[str, ...]
    suite: Suite
    timeout: float = DEFAULT_TIMEOUT
    memory_limit: int | None = DEFAULT_MEMORY
    checks: tuple[str, ...] | None = None

    @property
    def key(self) -> str:
        """Stable name of all that its verdicts depend on; a resumed campaign skips the units it knows."""
        said = [
            self.case.to_json(), self.levels, self.checks, self.timeout, self.memory_limit,
            [self.suite.examples, self.suite.length],
        ]  # fmt: skip
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return f"{hashlib.sha256(text.encode()).hexdigest()[:24]}:{self.suite.name}:{self.suite.seed}"

    @property
    def library(self) -> str:
        """What is loaded for it."""
        return library_of(self.target)

    def asked(self, level: str) -> list[Check]:
        """The checks that speak of a level, of those that are asked for; each gives one verdict."""
        return [CHECKS[key] for key in (CHECKS if self.checks is None else self.checks) if level in CHECKS[key].levels]

    @property
    def cells(self) -> int:
        """How many verdicts it gives."""
        return sum(_speaking(level, self.checks) for level in self.levels)


@lru_cache
def _speaking(level: str, checks: tuple[str, ...] | None) -> int:
    return sum(level in CHECKS[key].levels for key in (CHECKS if checks is None else checks))


def library_of(target: str) -> str:
    """What is loaded for a target: the targets of one library share a worker."""
    return ADAPTERS[target].distribution or target


@dataclass(frozen=True)
class Absent:
    """What was asked for and is not there.

    Attributes:
        what: the target, or the part of the plan.
        reason: why.
        units: so many units of the plan end UNSUPPORTED for it; 0: it is in no unit.
        cells: the same in verdicts.
    """

    what: str
    reason: str
    units: int = 0
    cells: int = 0

    def to_json(self) -> dict[str, Any]:
        """Every field."""
        return {"what": self.what, "reason": self.reason, "units": self.units, "cells": self.cells}


@dataclass(frozen=True)
class Plan(Sequence[Unit]):
    """Every unit, in the order in which it is reported. A unit is made from its place: a million of them weigh nothing.

    Attributes:
        blocks: one unit of each target, measure, rule, device and dtype.
        orders: of each of them.
        absent: targets that were left out, with the reason.
    """

    blocks: tuple[Unit, ...]
    orders: tuple[int, ...]
    absent: tuple[Absent, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.blocks) * len(self.orders)

    @overload
    def __getitem__(self, place: int) -> Unit: ...
    @overload
    def __getitem__(self, place: slice) -> list[Unit]: ...
    def __getitem__(self, place: int | slice) -> Unit | list[Unit]:
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(f"unit {place} of a plan of {len(self)}")
        block, rank = divmod(place % len(self), len(self.orders))
        unit = self.blocks[block]
        return replace(unit, case=replace(unit.case, order=self.orders[rank]))

    @property
    def cells(self) -> int:
        """How many verdicts it gives."""
        return sum(unit.cells for unit in self.blocks) * len(self.orders)

    def left_out(self) -> Iterator[Absent]:
        """What was asked for and will not be judged: whole targets, then what a target lacks, each with its reason."""
        yield from self.absent
        found: dict[tuple[str, str], list[int]] = {}
        for unit in self:
            reason = lacking(unit)
            if reason:
                count = found.setdefault((unit.target, reason), [0, 0])
                count[0] += 1
                count[1] += unit.cells
        yield from (Absent(target, reason, *count) for (target, reason), count in found.items())


def plan(
    targets: Sequence[str],
    *,
    measures: Sequence[str] | None = None,
    orders: Sequence[int] = DEFAULT_ORDERS,
    methods: Sequence[str] | None = None,
    dtypes: Sequence[str] | None = None,
    devices: Sequence[str] = ("cpu",),
    checks: Sequence[str] | None = None,
    suite: Suite,
    timeout: float = DEFAULT_TIMEOUT,
    memory_limit: int | None = DEFAULT_MEMORY,
    absent: Sequence[Absent] = (),
) -> Plan:
    """Every unit of a campaign, in the order in which it is reported.

    What is None is all that each target has. What is named is asked of every target, and one that lacks it says so in
    UNSUPPORTED verdicts. Rules matter only where a target steps; a target that offers matrices alone is asked once per
    order, and what does not depend on the rule under the first one only.

    Args:
        targets: keys of adapters.
        measures: keys of measures.
        orders: numbers of coefficients.
        methods: rules.
        dtypes: arithmetics.
        devices: where targets run.
        checks: keys of checks; None: all.
        suite: how much is tried.
        timeout: seconds per call.
        memory_limit: bytes the target's process may hold.
        absent: targets that were left out, to be told with the rest.

    Raises:
        UsageError: an unknown target, measure, rule, dtype, device or check, or an order that is none.
    """
    rules = None if methods is None else [method_key(method) for method in methods]
    for what, given, known in (
        ("measure", measures, tuple(PARAMETERS)),
        ("dtype", dtypes, DTYPES),
        ("device", devices, DEVICES),
        ("check", checks, tuple(CHECKS)),
    ):
        for value in given or ():
            if value not in known:
                raise UsageError(f"{what} is {value!r}; {accepted(value, known)}")
    for name in targets:
        if name not in ADAPTERS:
            hint = closest(name, tuple(ADAPTERS))
            raise UsageError(
                f"target {name!r} is no adapter; a campaign runs adapters ({', '.join(ADAPTERS)}){hint}: use check"
            )
    sizes = tuple(dict.fromkeys(orders))
    for order in sizes:
        make_case("any", order=order)  # refuses what is no order
    asked = None if checks is None else tuple(key for key in CHECKS if key in checks)
    blocks: list[Unit] = []
    for name in dict.fromkeys(targets) if sizes else ():
        adapter = ADAPTERS[name]
        steps = any(level in STEPPING for level in adapter.levels)
        offered = [method for method in METHODS if method in adapter.methods] if rules is None else rules
        # The first rule carries what does not depend on it, so it is one that the target has.
        ranked = sorted(dict.fromkeys(offered), key=lambda rule: not _has(adapter, rule))
        # A check that is named and speaks of nothing the target has is UNSUPPORTED there, and no absence.
        beyond = [CHECKS[key].levels[0] for key in asked or () if not {*CHECKS[key].levels} & {*adapter.levels}]
        for measure in dict.fromkeys(adapter.measures if measures is None else measures):
            fixed = dict[str, Any](adapter.measures.get(measure, {}))
            for index, method in enumerate(ranked if steps else ranked[:1] or ["bilinear"]):
                levels = tuple(
                    level for level in (*adapter.levels, *dict.fromkeys(beyond))
                    if (index == 0 or (level in STEPPING and level in adapter.levels)) and _speaking(level, asked)
                )  # fmt: skip
                places = product(dict.fromkeys(devices), adapter.dtypes if dtypes is None else dict.fromkeys(dtypes))
                for device, dtype in places if levels else ():
                    case = make_case(name, measure, order=sizes[0], method=method, dtype=dtype, **fixed)
                    case = replace(case, device=device)
                    blocks.append(Unit(name, case, levels, suite, timeout, memory_limit, asked))
    return Plan(tuple(blocks), sizes, tuple(absent))


def _has(adapter: Adapter, method: str) -> bool:
    return method in adapter.methods or FAMILIES.get(method.partition("(")[0]) in adapter.methods


def lacking(unit: Unit) -> str:
    """Why the target of a unit has none of its levels, or empty."""
    adapter = ADAPTERS[unit.target]
    reasons = [adapter.why_not(replace(unit.case, level=level)) for level in unit.levels]
    return "" if None in reasons else str(reasons[0])
