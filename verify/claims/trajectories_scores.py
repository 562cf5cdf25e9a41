"""How each cell did on trajectories, seed by seed, under every reading."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from verify.claims import answers, statistics
from verify.claims.base import Json, Result
from verify.claims.statistics import Comparison
from verify.claims.trajectories_data import ARMS


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A row of the tables.

    Attributes:
        key: stable and unique.
        title: as it is shown.
        cell: key of `verify.adapters.own_nn.CELLS`.
        options: of the cell.
        arms: in which it runs.
    """

    key: str
    title: str
    cell: str
    options: Mapping[str, Json] = field(default_factory=dict)
    arms: tuple[str, ...] = tuple(arm.key for arm in ARMS)


@dataclass(frozen=True, kw_only=True)
class Score:
    """The runs of one cell in one arm.

    Attributes:
        rate: the learning rate that was chosen; None: the search is not finished.
        search: by rate, from the first seed; None where it was not run.
        runs: by seed, with the rate chosen; None where it was not run.
    """

    rate: float | None
    search: Mapping[float, Result | None]
    runs: Mapping[int, Result | None]

    @property
    def found(self) -> list[Result]:
        """The runs, in the order of their seeds; none unless all that were planned were run."""
        known = [run for run in self.runs.values() if run is not None]
        return known if len(known) == len(self.runs) else []

    def values(self, test: str) -> dict[int, float | None]:
        """Accuracy by seed, as a share; None where a run diverged. Empty unless all were run."""
        if not self.found:
            return {}
        return {seed: run["metrics"][test]["accuracy"] for seed, run in self.runs.items() if run is not None}

    def count(self, test: str) -> int | None:
        """In how many answers; None where none was given."""
        return int(self.found[0]["metrics"][test]["count"] or 0) or None if self.found else None

    def mean(self, value: str) -> float | None:
        """The mean over seeds of a plain number of the results."""
        known = [run[value] for run in self.found if run[value] is not None]
        return math.fsum(known) / len(known) if known else None


Scores = Mapping[tuple[str, str], Score]
"""By the keys of arm and entrant."""


def difference(a: Score, on: str, b: Score, instead: str, margin: float) -> Comparison:
    """By how much the accuracy of A under one reading lies above that of B under another, seed by seed."""
    one, other = a.values(on), b.values(instead)
    variance = 0.0
    if one and other and None not in one.values() and None not in other.values():
        count = int(a.found[0]["metrics"][on]["count"])
        first, second = ([run["right"][name] for run in score.found] for score, name in ((a, on), (b, instead)))
        variance = answers.paired_variance(first, second, count)
    return statistics.compare(one, other, margin=margin, variance=variance)
