"""The results of the reconstruction claim in order: which memory lost what, on which run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from verify.claims.base import Result, Scale
from verify.claims.reconstruction_memories import Memory, settings_of

SOURCE: Final = "HiPPO (2008.07669), section 4.3 and appendix F.8"
TABLE: Final = "HiPPO (2008.07669), section 4.3, table of function approximation"

Seen: TypeAlias = Sequence[tuple[Mapping[str, Any], Result | None]]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All results of the claim, and the sizes they were had at.

    Attributes:
        scale: nothing is decided at `Scale.SMOKE`.
        steps: samples of a run.
        long: samples of a run read more finely.
        order: coefficients, and hidden units of the LSTM.
        seconds: length of the run.
        recent: length of the short window.
        by_kind: kind of unit to the settings and the result of each; None where it was not run.
    """

    scale: Scale
    steps: int
    long: int
    order: int
    seconds: float
    recent: float
    by_kind: Mapping[str, Seen]

    def readings(self, steps: int, seconds: float) -> dict[Memory, Result | None]:
        """The memories that read a run of a length, and what they lost."""
        return {
            settings_of(given["memory"]): found
            for given, found in self.by_kind.get("reading", ())
            if (given["steps"], given["seconds"]) == (steps, seconds)
        }

    @property
    def at_the_papers_size(self) -> bool:
        """Whether the paper's numbers are those of this run."""
        return (self.steps, self.order, self.seconds) == (10**6, 256, 100.0)

    def one(self, kind: str) -> Result | None:
        """The result of the only unit of a kind."""
        return self.by_kind[kind][0][1]

    @property
    def legs(self) -> Memory:
        """LegS under the rule that the paper runs."""
        return Memory(measure="legs", method="bilinear", order=self.order)

    @property
    def lmu(self) -> Memory:
        """LMU with a window over all of the run."""
        return Memory(measure="lmu", method="zoh", order=self.order, theta=self.seconds)

    def lstm(self, *, short: bool = False) -> tuple[Mapping[str, Any], Result | None]:
        """What the LSTM learnt, on the run or on a short one."""
        ordered = sorted(self.by_kind["learning"], key=lambda item: item[0]["seconds"])
        return ordered[0 if short else -1]


def errors(found: Result | None, name: str = "whole", over: str = "") -> dict[int, float | None]:
    """One number of each signal, by seed, as a share of another if that is named; empty where nothing was run."""
    if found is None:
        return {}
    return {int(seed): one[name] / (one[over] if over else 1.0) for seed, one in found["errors"].items()}
