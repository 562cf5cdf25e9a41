"""One series for each benchmark: values over commits, why there is none where there is none, and what changed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from verify.kinds import Kind
from verify.revisions import Commit

FAILED: Final = "failed"
"""It raised, ran out of time, or its commit could not be built: asv stores null."""
SKIPPED: Final = "skipped"
"""The benchmark said that it does not apply; or asv stores NaN for a time or memory, which no clock gives."""
NOT_A_NUMBER: Final = "NaN"
"""The benchmark gave it."""
UNCLEAR: Final = "NaN, or skipped"
"""asv stores NaN for both, and for parameters that were not chosen; ``hippo-verify bench`` notes which it was."""
NOT_RUN: Final = "not run"
"""Others were measured at this commit, this one was not."""
NOT_CHOSEN: Final = "asv: not chosen"
"""Noted by ``hippo-verify bench`` of parameters that were never asked for, where others of the benchmark were: asv
stores NaN or null for them."""


class HistoryError(ValueError):
    """There is no history to be read; the message says what was looked for, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One benchmark at one commit.

    Attributes:
        commit: index into the commits of the history.
        value: what was measured, NaN and inf included; None where nothing was.
        low: lower quartile of the samples, where there were several.
        high: upper quartile of the samples.
        why: why there is no finite value: `FAILED`, `SKIPPED`, `NOT_A_NUMBER`, `UNCLEAR`, `NOT_RUN`,
            or what was found instead.
        version: asv's version of the benchmark that gave it; values of different versions are not comparable.
        when: when it was measured, in seconds since 1970, where that is known.
        said: last words of a benchmark that failed, where they are known.
    """

    commit: int
    value: float | None
    low: float | None = None
    high: float | None = None
    why: str = ""
    version: str = ""
    when: float | None = None
    said: str = ""

    @property
    def finite(self) -> bool:
        """Whether there is a number to compare."""
        return self.value is not None and math.isfinite(self.value)

    @property
    def trouble(self) -> bool:
        """Whether there is none though the benchmark was run and did not say that it does not apply."""
        return not self.finite and self.why not in (NOT_RUN, SKIPPED)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where values can be compared: one machine as it was, with one environment.

    Attributes:
        machine: asv's name of it.
        environment: asv's name of the environment, which holds the pinned requirements.
        hardware: what asv says of the machine: a name may come to mean another one.
    """

    machine: str
    environment: str
    hardware: tuple[tuple[str, str], ...] = ()

    def describe(self) -> str:
        """All of it on one line."""
        return ", ".join([self.machine, self.environment, *(f"{name} {value}" for name, value in self.hardware)])


@dataclass(frozen=True, kw_only=True)
class Series:
    """One benchmark with one choice of parameters, on one machine in one environment.

    Attributes:
        name: asv's spelling, ``bench_scan.OneStream.time_states('legs', 'bilinear')``.
        kind: what is measured, hence which way is worse; None where neither name nor unit says.
        unit: of the values.
        points: in the order of commits, from the first commit at which it was run.
        place: where it was measured.
    """

    name: str
    kind: Kind | None
    unit: str
    points: tuple[Point, ...]
    place: Place

    @property
    def splits(self) -> tuple[int, ...]:
        """Commits at which the benchmark is another one than before: values are not comparable across them."""
        run = [point for point in self.points if point.why != NOT_RUN]
        return tuple(b.commit for a, b in itertools.pairwise(run) if a.version != b.version)

    @property
    def versions(self) -> Mapping[str, tuple[Point, ...]]:
        """The points of each version of the benchmark; in each, values are comparable."""
        found: dict[str, list[Point]] = {}
        for point in self.points:
            if point.why != NOT_RUN:
                found.setdefault(point.version, []).append(point)
        return {version: tuple(points) for version, points in found.items()}


@dataclass(frozen=True, kw_only=True)
class Change:
    """A series became better or worse, and the commits one of which brought it.

    Attributes:
        first: index of the first commit that may have brought it.
        last: index of the last one; where it is `first`, that commit did. The others of the range were not measured, or
            the noise hides which of them it was.
        before: the value before, NaN where there was none.
        after: the value after, NaN where there is none any more.
        ratio: after over before; of bits, 2 to the power of the difference; NaN where a value is missing.
        worse: whether it is a loss.
        recovered: of a loss, the first commit at which the value was back; None where it is not.
        text: what happened, in words.
        sure: False where a machine that was busy for a while would look the same.
    """

    first: int
    last: int
    before: float
    after: float
    ratio: float
    worse: bool
    recovered: int | None
    text: str
    sure: bool = True


@dataclass(frozen=True, kw_only=True)
class History:
    """Everything measured over the commits of one line of development.

    Attributes:
        commits: oldest first: from the first measured one to the end of the line, with those never measured.
        series: by name; where there are several places, the place is appended to the name.
        aside: what was found and is in no series, a line each, with the reason.
        ordered: what the order of commits comes from, ``git`` or ``dates``.
    """

    commits: tuple[Commit, ...]
    series: Mapping[str, Series]
    aside: tuple[str, ...] = ()
    ordered: str = "git"

    @property
    def measured(self) -> tuple[int, ...]:
        """Commits at which anything was run."""
        return tuple(sorted({p.commit for series in self.series.values() for p in series.points if p.why != NOT_RUN}))
