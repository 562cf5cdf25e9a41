"""How much was decided: the checks that reached a verdict, of those asked for, and how many of them must."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from verify.verdict import Status

DECIDED = frozenset({Status.PASS, Status.FAIL, Status.EXPECTED_FAIL, Status.UNEXPECTED_PASS})
"""Right or wrong. What does not apply, crashed or lies between the two limits was asked for and is not decided."""


@dataclass(frozen=True)
class Requirement:
    """How many checks must reach a verdict.

    Attributes:
        amount: a number of checks, or percents of those asked for.
        share: True for percents.
    """

    amount: Fraction
    share: bool

    @classmethod
    def parse(cls, text: str, name: str = "--require-coverage") -> Requirement:
        """A number such as ``40``, or a share such as ``90%`` or ``99.5%``; 0 asks for nothing.

        Raises:
            ValueError: anything else; the message starts with ``name``.
        """
        match = re.fullmatch(r"\s*(?:([0-9]{1,9})|([0-9]{1,3}(?:\.[0-9]{1,9})?)\s*%)\s*", text)
        if match is None or (match[2] is not None and Fraction(match[2]) > 100):
            raise ValueError(
                f"{name} is {text!r}; accepted: a number of checks, such as 40, or a share of them, such as 90%"
            )
        return cls(Fraction(match[1] or match[2]), match[2] is not None)

    def __str__(self) -> str:
        return f"{float(self.amount):g}%" if self.share else str(self.amount)

    def needed(self, asked: int) -> int:
        """The number of checks that must be decided; a share of nothing is still one."""
        if not self.share:
            return int(self.amount)
        return max(math.ceil(self.amount * asked / 100), int(self.amount > 0))


@dataclass(frozen=True)
class Coverage:
    """What was decided of what was asked.

    Attributes:
        asked: cells asked for, those that do not apply among them.
        decided: cells with a verdict: right or wrong.
        required: how many must be decided, or None.
    """

    asked: int
    decided: int
    required: Requirement | None = None

    @classmethod
    def of(cls, statuses: Iterable[str], required: Requirement | None = None, asked: int = 0) -> Coverage:
        """Count statuses; ``asked`` may be larger than their number if some checks never ran."""
        found = list(statuses)
        return cls(max(asked, len(found)), sum(status in DECIDED for status in found), required)

    @property
    def met(self) -> bool:
        """Whether enough was decided; True where nothing is required."""
        return self.required is None or self.decided >= self.required.needed(self.asked)

    @property
    def shortfall(self) -> str:
        """Empty, or what is missing, as a sentence."""
        if self.required is None or self.met:
            return ""
        needed = self.required.needed(self.asked)
        means = f"{self.required}, which is {needed}" if self.required.share else str(needed)
        return f"{self.decided} of {self.asked} checks reached a verdict; required: {means}"

    def to_json(self) -> dict[str, Any]:
        """The object ``coverage_summary`` of ``--json``."""
        required = None if self.required is None else str(self.required)
        return {"asked": self.asked, "decided": self.decided, "required": required, "met": self.met}
