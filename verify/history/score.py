"""A score card: what was planted at which commit of a synthetic repository, and what was found, missed, or accused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from verify.history.finding import EXACT, RATE, SMALLEST
from verify.history.series import Change, History
from verify.history.steps import POWER, findable, noise


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A change that somebody made on purpose.

    Attributes:
        series: the benchmark that shows it.
        commit: index of the commit that brings it.
        what: in words, such as ``10 % slower``.
        worse: whether it is a loss.
        recovers: index of the commit that takes it back; None where none does.
        lost: whether there is no number from that commit on.
    """

    series: str
    commit: int
    what: str
    worse: bool = True
    recovers: int | None = None
    lost: bool = False


@dataclass(frozen=True, kw_only=True)
class Score:
    """One planted change, and what was found of it.

    Attributes:
        planted: the change.
        found: the change in whose range it is, of the right direction; None: missed.
        recovery: whether its end was found, too; None where it has none.
    """

    planted: Planted
    found: Change | None
    recovery: bool | None

    @property
    def exact(self) -> bool:
        """Whether that very commit was named, and no other."""
        return self.found is not None and self.found.first == self.found.last


@dataclass(frozen=True, kw_only=True)
class Card:
    """All of it.

    Attributes:
        scores: for each planted change.
        accused: changes found where none is, by series.
        quiet: series in which nothing was planted.
    """

    scores: tuple[Score, ...]
    accused: tuple[tuple[str, Change], ...]
    quiet: tuple[str, ...]

    @property
    def missed(self) -> tuple[Planted, ...]:
        """Planted changes that were not found, or of which the end was not."""
        return tuple(score.planted for score in self.scores if score.found is None or score.recovery is False)


def score(found: Mapping[str, Sequence[Change]], planted: Sequence[Planted]) -> Card:
    """Hold what was found against what was planted.

    A change is found if a range that was named holds its commit, and says rightly whether it is a loss. Whatever else
    was named is a false accusation: a range that lies beside the commit as well.

    Args:
        found: the changes of each series.
        planted: the truth.

    Raises:
        ValueError: a series of the truth was not measured.
    """
    unknown = sorted({one.series for one in planted} - set(found))
    if unknown:
        raise ValueError(f"changes were planted in {', '.join(unknown)}, of which nothing was measured")
    scores: list[Score] = []
    used: set[tuple[str, int]] = set()
    for one in planted:
        changes = found[one.series]
        hit = _holding(changes, one.commit, one.worse, used, one.series)
        recovery = None
        if one.recovers is not None:
            back = _holding(changes, one.recovers, not one.worse, used, one.series)
            recovery = hit is not None and hit.recovered is not None
            recovery = recovery and hit is not None and hit.recovered in (one.recovers, back.last if back else None)
        scores.append(Score(planted=one, found=hit, recovery=recovery))
    accused = [
        (name, change) for name, changes in found.items() for i, change in enumerate(changes) if (name, i) not in used
    ]
    quiet = tuple(sorted(set(found) - {one.series for one in planted}))
    return Card(scores=tuple(scores), accused=tuple(accused), quiet=quiet)


def _holding(
    changes: Sequence[Change], commit: int, worse: bool, used: set[tuple[str, int]], name: str
) -> Change | None:
    """The shortest range that holds a commit, each given once."""
    there = [
        (change.last - change.first, i)
        for i, change in enumerate(changes)
        if change.first <= commit <= change.last and change.worse is worse and (name, i) not in used
    ]
    if not there:
        return None
    _, best = min(there)
    used.add((name, best))
    return changes[best]


def markdown(card: Card, history: History) -> str:
    """The card as a page: what was planted, what was found of it, and what was accused falsely."""
    hits = [one for one in card.scores if one.found is not None]
    ends = [one.recovery for one in card.scores if one.recovery is not None]
    lines = [
        f"- {len(card.scores)} changes were planted in {len({one.planted.series for one in card.scores})} series over "
        f"{len(history.commits)} commits, of which {len(history.measured)} were measured;",
        f"- {len(hits)} were found, {sum(one.exact for one in hits)} at that very commit, the others in a range "
        "that holds it;",
        f"- {sum(ends)} of {len(ends)} recoveries were found;",
        f"- {len(card.missed)} were missed, in whole or in part;",
        f"- {len(card.accused)} were accused falsely; {len(card.quiet)} series in which nothing was planted are among "
        "those searched.",
        "",
        f"A change of speed is found with a chance of {100 * POWER:g} % if it is of the size named under *findable*, "
        "which follows from the noise of its series and from the numbers of commits up to the next planted changes.",
        "",
        "| planted | in | at | found | as | findable | recovery |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in sorted(card.scores, key=lambda one: (one.planted.commit, one.planted.series)):
        planted = one.planted
        size = "" if one.found is None or math.isnan(one.found.ratio) else f"{one.found.ratio:.3g} times"
        size = size or ("" if one.found is None else "no number")
        recovery = "" if planted.recovers is None else f"at {planted.recovers}: {'found' if one.recovery else 'missed'}"
        where = "**missed**" if one.found is None else _range(one.found)
        named = f"| {planted.what} | `{planted.series}` | {planted.commit} |"
        lines.append(f"{named} {where} | {size} | {_findable(planted, card, history)} | {recovery} |")
    lines += ["", "Accused falsely:" if card.accused else "Nothing was accused falsely."]
    if card.accused:
        lines.append("")
        lines += [f"- `{name}`, {_range(change)}: {change.text}" for name, change in card.accused]
    return "\n".join(lines) + "\n"


def _findable(planted: Planted, card: Card, history: History) -> str:
    """The size from which on a change of speed at that place is found; nothing where no noise hides it."""
    series = history.series[planted.series]
    values = [math.log(p.value) for p in series.points if p.finite and p.value]
    if series.kind in EXACT or len(values) < 2 or planted.lost:
        return ""
    others = [one.planted for one in card.scores if one.planted.series == planted.series and not one.planted.lost]
    ends = {end for one in others for end in (one.commit, one.recovers) if end is not None}
    before = planted.commit - max((end for end in ends if end < planted.commit), default=0)
    after = min((end for end in ends if end > planted.commit), default=len(history.commits)) - planted.commit
    size = findable(noise(values), before, after, RATE, math.log(SMALLEST))
    return f"{100 * math.expm1(size):.2g} %" if math.isfinite(size) else "nothing"


def _range(change: Change) -> str:
    return str(change.last) if change.first == change.last else f"{change.first} to {change.last}"
