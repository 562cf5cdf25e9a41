"""What an adapter is: the one file that knows how a library spells the levels of the target interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import metadata
from typing import Any, Literal

from verify.case import LARGEST_ORDER, STEPPING, Case
from verify.extras import OURS, bringing

FAMILIES = {"gbt": "gbt(a)", "hold": "hold(d)"}
"""Rules that come in families, and the name of all members together."""


class Capabilities:
    """What is offered by an implementation that is told the case.

    Attributes:
        key: name of the target.
        levels: levels offered.
        measures: measures offered, each with its fixed parameters (empty: any).
        methods: rules offered; ``gbt(a)`` and ``hold(d)`` are whole families.
        dtypes: arithmetics offered.
        devices: where it runs, ``cpu`` first.
        orders: smallest and largest order offered.
        normwise: True if matrices come out of a factorisation (rounding is relative to their norm).
    """

    key: str
    levels: tuple[str, ...] = ("matrices",)
    measures: Mapping[str, Mapping[str, str]]
    methods: tuple[str, ...] = ("bilinear",)
    dtypes: tuple[str, ...] = ("float64",)
    devices: tuple[str, ...] = ("cpu",)
    orders: tuple[int, int] = (1, LARGEST_ORDER)
    normwise: bool = False

    def refuse(self, case: Case) -> str | None:
        """None, or a limit beyond what the attributes say."""
        return None

    def why_not(self, case: Case) -> str | None:
        """None, or why there is no such case."""
        fixed = self.measures.get(case.measure)
        smallest, largest = self.orders
        if fixed is None:
            return f"{self.key} has no {case.measure}"
        if fixed and dict(fixed) != {name: value for name, value in case.parameters if name in fixed}:
            return f"{self.key} has {case.measure} with {_listing(fixed)} only"
        for name, value, offered in (
            ("level", case.level, self.levels),
            ("dtype", case.dtype, self.dtypes),
            ("device", case.device, self.devices),
        ):
            if value not in offered:
                return f"{self.key} has no {name} {value}; it has {', '.join(offered)}"
        names = {case.method, FAMILIES.get(case.method.partition("(")[0])}
        if case.level in STEPPING and names.isdisjoint(self.methods):
            return f"{self.key} has no rule {case.method}; it has {', '.join(self.methods)}"
        if not smallest <= case.order <= largest:
            return f"{self.key} takes orders from {smallest} to {largest}"
        return self.refuse(case)


class Adapter(Capabilities, ABC):
    """A library under test. Its attributes are read without importing the library; `bind` runs in the worker.

    Attributes:
        summary: one line about what it is.
        distribution: name on PyPI, or None for our own.
        needs: name on PyPI of what has to be installed for it; default: the distribution.
        convention: ``exact``, or ``auto`` where the library is known to use another consistent convention.
    """

    summary: str
    distribution: str | None = None
    needs: str | None = None
    convention: Literal["exact", "auto"] = "exact"

    @abstractmethod
    def bind(self, case: Case) -> Any:
        """The object to call for a case, with methods named after levels. Imports the library."""

    def version(self) -> str | None:
        """Version of the library, None if it, or what it needs, is not installed."""
        return None if self.missing() else metadata.version(self.distribution or OURS)

    def missing(self) -> str | None:
        """None, or what is not installed and how it is."""
        needed = self.needs or self.distribution or OURS
        try:
            metadata.version(needed)
        except metadata.PackageNotFoundError:
            return f"{needed} is not installed: {bringing(needed)}"
        return None


def _listing(parameters: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in parameters.items())
