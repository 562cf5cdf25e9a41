"""What a person sees of a run over commits: how far it is, how each commit ended, what was not measured and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from verify.bench.outcome import End, Outcome
from verify.bench.running import Report, Watcher
from verify.console import escape, make_console
from verify.revisions import Commit
from verify.text import one_line

WIDEST: Final = 50
"""Characters of a commit's subject in a table."""
SHOWN: Final = 6
"""Findings listed for each commit; the log has the rest."""
STYLES: Final = {
    End.MEASURED: "green",
    End.SKIPPED: "yellow",
    End.UNCLEAR: "yellow",
    End.STOPPED: "yellow",
    End.FAILED: "bold red",
    End.NOT_BUILT: "bold red",
    End.ASV_FAILED: "bold red",
    End.NOT_FINITE: "bold red",
}


@contextmanager
def watching(wanted: bool) -> Iterator[Watcher]:
    """A bar on a terminal; in a log a line where a commit begins and one where it ends."""
    console = make_console(stderr=True)
    if not (wanted and console.is_terminal):
        yield _Lines(console, wanted)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Bar(bar)


class _Lines:
    """Plain lines."""

    def __init__(self, console: Console, wanted: bool) -> None:
        self.console, self.wanted = console, wanted

    def doing(self, text: str, percent: float | None = None) -> None:
        if self.wanted and percent is None:
            self.console.print(escape(text))

    def began(self, commit: Commit, number: int, total: int) -> None:
        if self.wanted:
            self.console.print(escape(f"{number}/{total} {commit.describe()}"), soft_wrap=True)

    def ended(self, outcome: Outcome) -> None:
        if self.wanted:
            self.console.print(escape(f"  {outcome.commit.short}: {_word(outcome)}"), soft_wrap=True)


class _Bar:
    """A bar for the commit under way."""

    def __init__(self, bar: Progress) -> None:
        self.bar = bar
        self.task: TaskID = bar.add_task("", total=None)
        self.title = ""

    def doing(self, text: str, percent: float | None = None) -> None:
        description = f"{self.title} {text}".strip()
        self.bar.update(self.task, description=escape(description), completed=percent or 0, total=percent and 100)

    def began(self, commit: Commit, number: int, total: int) -> None:
        self.title = f"{number}/{total} {commit.short}"
        self.bar.reset(self.task, description=self.title, total=None)

    def ended(self, outcome: Outcome) -> None:
        style = STYLES[outcome.end]
        self.bar.console.print(f"[{style}]{_word(outcome)}[/] {escape(outcome.commit.describe())}", soft_wrap=True)


def _word(outcome: Outcome) -> str:
    return f"{outcome.end}, in an earlier run" if outcome.before else str(outcome.end)


def show(report: Report, *, quick: bool) -> None:
    """A row for each commit, then what is to be said about it."""
    console = make_console()
    if not report.outcomes:
        console.print("nothing was selected: no commit, or no benchmark of that name")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("commit", "ended"):
        table.add_column(name, no_wrap=True)
    for name in ("measured", "skipped", "failed", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("subject")
    for one in report.outcomes:
        found = one.tally
        counts = (
            found.measured,
            found.skipped,
            sum(map(len, (found.failed, found.not_finite, found.unclear, found.missing))),
        )
        shown = [str(count) if count else "" for count in counts]
        seconds = "" if one.before or one.end is End.STOPPED else f"{one.seconds:.0f}"
        word = f"[{STYLES[one.end]}]{_word(one)}[/]"
        table.add_row(one.commit.short, word, *shown, seconds, escape(one_line(one.commit.subject, WIDEST)))
    console.print(table)
    for one in report.outcomes:
        _explain(console, one)
    for name, count in report.outdated.items():
        console.print(
            escape(f"{name} is another benchmark now than in {count} stored results, which asv does not show any more"),
            soft_wrap=True,
        )
    if quick:
        console.print("each benchmark ran once: nothing was stored")


def _explain(console: Console, one: Outcome) -> None:
    """What did not go well, in words."""
    found = one.tally
    missing = [f"{name}: asv stored no result" for name in found.missing]
    said = [one.message] if one.message else []
    if found.built and one.end is not End.STOPPED:
        said += found.not_finite + found.failed + found.unclear + ([] if one.end is End.ASV_FAILED else missing)
    for line in said[:SHOWN]:
        console.print(escape(f"{one.commit.short} {line}"), soft_wrap=True)
    if len(said) > SHOWN:
        console.print(f"{one.commit.short} ... and {len(said) - SHOWN} more")
    if said and one.log is not None and one.log.is_file():
        console.print(escape(f"{one.commit.short} all that was printed: {one.log}"), soft_wrap=True)
