"""Where the newest measured commit stands: what each benchmark gives there, and how it moved since earlier commits.

Nothing is judged here. A benchmark moved where `verify.history` found a change; a difference without one is noise as
far as its history can tell, however large it looks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from verify.dashboard.names import Name, parse

if TYPE_CHECKING:
    from verify.history.series import Change, History, Point, Series
    from verify.revisions import Commit

STATES = ("measured", "no number", "failed", "not run", "skipped")
"""What a benchmark is at the newest measured commit. ``skipped``: it has never been a number, by design as it seems."""

MOVES = ("worse", "unsure", "not comparable", "not measured", "better", "same")
"""Words for a move, the one that matters most first."""

HIGHER_IS_BETTER = ("rate", "count")
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Base:
    """An earlier commit that the newest one is compared with.

    Attributes:
        title: ``v1.0``, or ``the week before``.
        commit: its place in the history, None where nothing was measured at or before it.
        why: what is compared with, or why there is nothing.
    """

    title: str
    commit: int | None
    why: str


@dataclass(frozen=True)
class Move:
    """What became of a benchmark since a base.

    Attributes:
        word: one of `MOVES`.
        ratio: value now ÷ value then, None where there is no such number.
        why: what was compared, or why it could not be.
    """

    word: str
    ratio: float | None
    why: str


@dataclass(frozen=True)
class Row:
    """A benchmark with one choice of parameters.

    Attributes:
        name: its name, taken apart.
        series: its history.
        changes: what was found in it.
        last: the last point that is a finite number, None where there is none.
        state: one of `STATES`.
        why: why the newest measured commit has no finite number; empty where it has one.
        release: its move since the last release.
        week: its move within a week.
    """

    name: Name
    series: Series
    changes: Sequence[Change]
    last: Point | None
    state: str
    why: str
    release: Move
    week: Move

    @property
    def kind(self) -> str:
        """``time``, ``memory``, ``error``, ``rate`` or ``count``; ``other`` where neither name nor unit says."""
        return str(self.series.kind or "other")

    @property
    def value(self) -> float | None:
        """The number at the newest measured commit; None where there is none."""
        return self.last.value if self.state == "measured" and self.last is not None else None


@dataclass(frozen=True)
class Found:
    """A change and the benchmark it was found in."""

    row: Row
    change: Change


@dataclass(frozen=True)
class Standing:
    """The state of the newest measured commit.

    Attributes:
        commits: those of the history, oldest first.
        measured: places of those at which anything was run.
        head: place of the newest measured one, None where nothing is measured.
        release: the last release before it.
        week: the newest commit at least a week older.
        rows: every benchmark.
    """

    commits: Sequence[Commit]
    measured: Sequence[int]
    head: int | None
    release: Base
    week: Base
    rows: Sequence[Row]

    def found(self, *, worse: bool) -> list[Found]:
        """Changes for the worse or the better: the newest first, then the largest."""
        listed = [Found(row, change) for row in self.rows for change in row.changes if change.worse == worse]
        return sorted(listed, key=lambda item: (-item.change.last, -_size(item.change.ratio), item.row.name.whole))

    @property
    def open(self) -> list[Found]:
        """Regressions that nothing has made good."""
        return [item for item in self.found(worse=True) if item.change.recovered is None and item.change.sure]

    @property
    def unsure(self) -> list[Found]:
        """What may be regressions that nothing has made good, or a machine that was busy."""
        return [item for item in self.found(worse=True) if item.change.recovered is None and not item.change.sure]

    @property
    def recovered(self) -> list[Found]:
        """Regressions that a later commit made good."""
        return [item for item in self.found(worse=True) if item.change.recovered is not None]

    @property
    def better(self) -> list[Found]:
        """Improvements, those left out that only made a regression good."""
        return [
            item
            for item in self.found(worse=False)
            if not any(other.worse and other.recovered == item.change.last for other in item.row.changes)
        ]

    @property
    def silent(self) -> list[Row]:
        """Benchmarks that were numbers once and are none at the newest commit, or that failed: no blanks, but news."""
        return [row for row in self.rows if row.state not in ("measured", "skipped")]


def _size(ratio: float) -> float:
    """How far a ratio is from 1, whichever way; what is no number is farthest."""
    return abs(math.log(ratio)) if math.isfinite(ratio) and ratio > 0 else math.inf


def standing(
    history: History,
    changes: Mapping[str, Sequence[Change]],
    parameter_names: Mapping[str, Sequence[str]],
) -> Standing:
    """The state of the newest measured commit.

    Args:
        history: what was measured.
        changes: what was found in each series, by its key in the history.
        parameter_names: names of the parameters of each function.
    """
    measured = history.measured
    head = measured[-1] if measured else None
    release, week = _bases(history.commits, measured)
    rows = []
    for key, series in history.series.items():
        found = tuple(changes.get(key, ()))
        finite = [point for point in series.points if point.finite]
        last = finite[-1] if finite else None
        moves = [_move(series, found, base, head) for base in (release, week)]
        rows.append(Row(_name(key, series, parameter_names), series, found, last, *_state(series, last, head), *moves))
    return Standing(history.commits, measured, head, release, week, tuple(rows))


def _name(key: str, series: Series, parameter_names: Mapping[str, Sequence[str]]) -> Name:
    """The name of a series; where there are several machines, the machine is one more parameter."""
    name = parse(series.name, parameter_names)
    place = key.removeprefix(series.name).removeprefix(" @ ")
    return replace(name, whole=key, parameters={**name.parameters, "machine": place}) if place else name


def _bases(commits: Sequence[Commit], measured: Sequence[int]) -> tuple[Base, Base]:
    """The last release before the newest measured commit, and the newest commit a week older."""
    if not measured:
        return Base("the last release", None, "nothing is measured"), Base(
            "the week before", None, "nothing is measured"
        )
    head = measured[-1]
    released = [i for i in range(head) if release_tag(commits[i])]
    if released:
        tag = release_tag(commits[released[-1]])
        earlier = [i for i in measured if i <= released[-1]]
        release = _base(tag, earlier, commits, f"{tag}, commit {commits[released[-1]].short}")
    else:
        release = Base("the last release", None, "no earlier commit has a tag that is a version, such as v1.0")
    # Up to the first that is younger: a wrong clock of one commit must not make a base of yesterday's.
    old = list(itertools.takewhile(lambda i: commits[i].when <= commits[head].when - WEEK, measured))
    return release, _base("the week before", old, commits, "a week before the newest measured commit")


def _base(title: str, measured: Sequence[int], commits: Sequence[Commit], meant: str) -> Base:
    if not measured:
        return Base(title, None, f"nothing was measured at or before {meant}")
    return Base(title, measured[-1], f"{meant}; measured at or before it: {commits[measured[-1]].short}")


def release_tag(commit: Commit) -> str:
    """The tag of a commit that is a version by PEP 440, with or without ``v``; empty where there is none."""
    for tag in commit.tags:
        try:
            version = Version(tag)
        except InvalidVersion:
            continue
        if not version.is_devrelease:
            return tag
    return ""


def _state(series: Series, last: Point | None, head: int | None) -> tuple[str, str]:
    """One of `STATES`, and why there is no finite number at the newest measured commit."""
    from verify.history.series import FAILED, NOT_RUN, SKIPPED, UNCLEAR  # noqa: PLC0415

    point = next((p for p in series.points if p.commit == head), None)
    if point is None or point.why == NOT_RUN:
        return "not run", NOT_RUN
    if point.finite:
        return "measured", ""
    if point.why == FAILED:
        return "failed", FAILED
    return ("skipped" if last is None and point.why in (SKIPPED, UNCLEAR) else "no number"), point.why


def _move(series: Series, changes: Sequence[Change], base: Base, head: int | None) -> Move:
    from verify.history.series import NOT_RUN  # noqa: PLC0415

    if base.commit is None or head is None:
        return Move("not measured", None, base.why)
    at = {point.commit: point for point in series.points}
    now = at.get(head)
    then = next((p for p in reversed(series.points) if p.commit <= base.commit and p.finite), None)
    if then is None or then.value is None:
        return Move("not measured", None, f"no number at or before {base.title}")
    if now is not None and now.version and now.version != then.version:
        return Move("not comparable", None, "the benchmark itself was changed in between")
    if now is None or now.why == NOT_RUN:
        return Move("not measured", None, f"no number now: {NOT_RUN}")
    if now.value is None or not now.finite:
        return Move("worse", None, f"a number then, none now: {now.why}")
    ratio = now.value / then.value if then.value else None
    inside = [change for change in changes if base.commit < change.last <= head]
    made_good = {change.recovered for change in inside if change.worse and change.recovered is not None}
    lasting = [c for c in inside if (c.recovered is None if c.worse else c.last not in made_good)]
    if not lasting:
        return Move("same", ratio, "no change was found in between")
    if not any(change.sure for change in lasting):
        return Move("unsure", ratio, lasting[-1].text)
    worse = _net(lasting, higher_is_better=str(series.kind) in HIGHER_IS_BETTER)
    return Move("worse" if worse else "better", ratio, lasting[-1].text)


def _net(changes: Sequence[Change], *, higher_is_better: bool) -> bool:
    """Whether changes that last add up to a loss."""
    before, after = changes[0].before, changes[-1].after
    if len({change.worse for change in changes}) == 1 or not (math.isfinite(before) and math.isfinite(after)):
        return changes[-1].worse
    return (after < before) if higher_is_better else (after > before)
