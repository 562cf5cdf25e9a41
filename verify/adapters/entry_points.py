"""Targets that installed packages offer under a name, read from their metadata: nothing is imported to list them.

A package registers ``name = "package.module:attr"`` in the entry-point group ``hippo_verify.targets``. Such a target
runs only when it is asked for by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from verify.adapters import ADAPTERS
from verify.cases import UsageError

GROUP = "hippo_verify.targets"
_NAME = re.compile(r"(?!.*\.(py|toml)$)[\w.-]+")
_VALUE = re.compile(r"\s*(?P<place>[\w.]+)\s*:\s*(?P<attribute>[\w.]+)\s*(\[.*\])?\s*")


@dataclass(frozen=True)
class Registered:
    """What a package offers.

    Attributes:
        name: what it is asked for by.
        value: as it was registered.
        distribution: the package that registered it.
        version: its version.
        problem: empty, or why it cannot be asked for.
    """

    name: str
    value: str
    distribution: str
    version: str
    problem: str = ""

    @property
    def target(self) -> str:
        """What it stands for, as ``package.module:attr``."""
        match = _VALUE.fullmatch(self.value)
        return f"{match['place']}:{match['attribute']}" if match else self.value


def registered() -> list[Registered]:
    """Every target that an installed package offers, by name; those that cannot be asked for say why."""
    found = [
        Registered(
            entry.name,
            entry.value,
            entry.dist.metadata["Name"] or "an unnamed package" if entry.dist else "an unnamed package",
            entry.dist.version if entry.dist else "",
        )
        for entry in metadata.entry_points(group=GROUP)
    ]
    named: dict[str, list[Registered]] = {}
    for one in sorted(set(found), key=lambda one: (one.name, one.distribution, one.value)):
        named.setdefault(one.name, []).append(one)
    return [
        Registered(one.name, one.value, one.distribution, one.version, _problem(one, namesakes))
        for namesakes in named.values()
        for one in namesakes
    ]


def find(name: str) -> Registered | None:
    """The target that packages offer under a name, or None.

    Raises:
        UsageError: several things have the name, or what is registered is no target.
    """
    found = [one for one in registered() if one.name == name]
    if not found or not _NAME.fullmatch(name):  # what reads as a path is one
        return None
    if found[0].problem:
        raise UsageError(found[0].problem)
    return found[0]


def _problem(one: Registered, namesakes: Iterable[Registered]) -> str:
    who = [f"{each.distribution} {each.version} ({each.value})" for each in namesakes]
    if one.name in ADAPTERS:
        who.insert(0, f"hippo-verify itself ({ADAPTERS[one.name].summary})")
    if len(who) > 1:
        return (
            f"target {one.name!r} is ambiguous: {' and '.join(who)} both have it; name what you mean as "
            "package.module:attr, or uninstall one"
        )
    if not _VALUE.fullmatch(one.value):
        return f"target {one.name!r} of {who[0]} is not registered as package.module:attr"
    if not _NAME.fullmatch(one.name):
        return f"target {one.name!r} of {who[0]} has a name that reads as a path; accepted: letters, digits, . _ -"
    return ""
