"""The history of a repository as a page: each commit that changed something, what it changed, and why."""

from __future__ import annotations

import html
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from verify.history.explained import Explanation, of
from verify.history.finding import EXACT, FAMILY, RATE, findable, in_order, longest, unjudged
from verify.history.series import Change, History, Series
from verify.history.steps import POWER, SHORTEST, fewest
from verify.text import code, one_line, plain

LONGEST = 12
"""Rows that one commit gets; the largest changes come first."""

Row = tuple[str, Change]


def markdown(
    history: History,
    found: Mapping[str, Sequence[Change]],
    explanations: Sequence[Explanation] = (),
    rate: float = FAMILY,
) -> str:
    """The page.

    Args:
        history: what was measured.
        found: the changes of each series.
        explanations: by commit; those that explain no change are named at the end.
        rate: the rate of false accusations that `found` was searched with.
    """
    rows = [(name, change) for name, changes in found.items() for change in changes]
    sure = [row for row in rows if row[1].sure]
    lines = [*_measured(history, len(sure), rate), ""]
    used: list[Explanation] = []
    for (first, last), group in _by_range(sure):
        why = of(explanations, history.commits[first : last + 1])
        used += why
        lines += [f"## {_title(history, first, last)}", "", *_why(why), "", *_table(history, group), ""]
    unsure = [row for row in rows if not row[1].sure]
    if unsure:
        lines += [
            "## Changes, or a busy machine",
            "",
            "These commits were measured one after the other. A machine that was busy for a while looks the same as a "
            "commit that was slow, so that these are no findings: measure in random order, or one commit a night.",
            "",
        ]
        lines += [
            f"- {_title(history, first, last)}: {len(group)} series, such as {code(one_line(group[0][0]))}: "
            f"{_words(group[0][1].text.partition('; or ')[0])}"
            for (first, last), group in _by_range(unsure)
        ]
        lines.append("")
    idle = [one for one in explanations if one not in used]
    left = [f"- Explained, but nothing was found there: `{one.commit}`" for one in idle]
    left += [f"- {_words(text)}" for text in history.aside]
    if left:
        lines += ["## Left aside", "", *left, ""]
    return "\n".join(lines).rstrip() + "\n"


def _measured(history: History, count: int, rate: float) -> Iterator[str]:
    if not history.measured:
        yield "Nothing is measured: there are results, and no value in them."
        return
    series = history.series.values()
    places = sorted({one.place.describe() for one in series})
    noisy = [one for one in series if one.kind is not None and one.kind not in EXACT]
    exact = [one for one in series if one.kind in EXACT]
    yield (
        f"{len(history.measured)} of {len(history.commits)} commits were measured, from "
        f"{_commit(history, history.measured[0])} to {_commit(history, history.measured[-1])}: {len(noisy)} series of "
        f"speed or memory, {len(exact)} of errors or counts. {count or 'No'} changes were found."
    )
    yield ""
    yield from (f"- Measured on: {_words(place)}" for place in places)
    yield f"- {_order(noisy)}"
    if noisy:
        yield (
            f"- A change of speed or memory is found once {SHORTEST} commits have it: of the newest {SHORTEST - 1}, "
            "only `hippo-verify gate` can tell."
        )
    if within := findable(history, rate):
        scale, factor = within
        yield (
            f"- The noise of the usual one is {100 * scale:.2g} %: if it alone changed, halfway, and by "
            f"{100 * (factor - 1):.2g} % or more, that is found with a chance of {100 * POWER:g} % or more."
        )
    if noisy and longest(history) < fewest(RATE):
        yield (
            f"- **No series of speed or memory is long enough for any change to be told from noise**: the longest has "
            f"{longest(history)} values, and {fewest(RATE)} are needed."
        )
    if mute := unjudged(history):
        yield (
            f"- In {len(mute)} series nothing was looked for, such as {code(one_line(mute[0]))}: neither name nor unit "
            "says which way is worse."
        )
    yield (
        f"- Of the changes of speed and memory, at most {100 * rate:g} % are expected to be none, or, if nothing "
        f"changed, any at all is named with a chance of at most {100 * rate:g} %, where the commits were measured in "
        "random order. Errors and counts are exact."
    )


def _order(noisy: Sequence[Series]) -> str:
    runs = [run for one in noisy for points in one.versions.values() if (run := [p for p in points if p.finite])]
    straight = sum(in_order(run) for run in runs)
    if not straight:
        return "Commits were measured in an order that has nothing to do with theirs."
    return f"Of {len(runs)} noisy series, {straight} were measured one commit after the other."


def _by_range(rows: Sequence[Row]) -> Iterator[tuple[tuple[int, int], list[Row]]]:
    """Changes by where they came, newest first, and in each the largest first."""
    ordered = sorted(rows, key=lambda row: (-row[1].last, -row[1].first, -_size(row[1]), row[0]))
    for key, group in itertools.groupby(ordered, key=lambda row: (row[1].first, row[1].last)):
        yield key, list(group)


def _size(change: Change) -> float:
    """How large a change is, whichever way; a number that is missing is the largest."""
    return abs(math.log(change.ratio)) if math.isfinite(change.ratio) and change.ratio > 0 else math.inf


def _title(history: History, first: int, last: int) -> str:
    if first == last:
        return _commit(history, last)
    return f"One of {last - first + 1} commits, {_commit(history, first)} to {_commit(history, last)}"


def _commit(history: History, index: int) -> str:
    commit = history.commits[index]
    subject = f" {_words(commit.subject)}" if commit.subject else ""
    return f"`{commit.short}`{subject}"


def _why(why: Sequence[Explanation]) -> list[str]:
    return [html.escape(one.text, quote=False) for one in why] or ["*Not explained yet.*"]


def _table(history: History, group: Sequence[Row]) -> Iterator[str]:
    yield "| benchmark | what | |"
    yield "|---|---|---|"
    for name, change in group[:LONGEST]:
        back = "" if change.recovered is None else f"until {_commit(history, change.recovered)}"
        yield f"| {code(one_line(name))} | {_words(change.text)} | {back} |"
    if len(group) > LONGEST:
        words = Counter(change.text.partition(":")[0] for _, change in group[LONGEST:])
        yield ""
        yield f"and {', '.join(f'{count} more {_words(word)}' for word, count in words.most_common())}."


def _words(text: str) -> str:
    """Words of others: one line, no markup, no end of a cell."""
    return plain(one_line(text))
