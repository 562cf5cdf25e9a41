"""What a person sees of the papers' claims: how far it is; then every statement, and the tables side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from verify.claims.base import Standing, Unit
from verify.claims.engine import Ending, Found, Record, Watcher
from verify.claims.results import Results
from verify.claims.words import cell, figure, summary
from verify.console import WORDS, escape, make_console
from verify.text import one_line

STYLES: Final = {
    Standing.HOLDS: "green",
    Standing.FAILS: "bold red",
    Standing.UNDECIDED: "yellow",
    Standing.NOT_RUN: "dim",
    Standing.ERROR: "bold red",
}
QUIET: Final = 10.0
"""Seconds between two lines in a log where units end."""
SILENT: Final = 60.0
"""Seconds after which a log says how far a unit is."""


@contextmanager
def watching(wanted: bool) -> Iterator[Watcher]:
    """A bar for the whole and one for each unit under way; in a log a line now and then, and every failure."""
    console = make_console(stderr=True)
    if not (wanted and console.is_terminal):
        yield _Lines(console, wanted)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Bars(bar)


class _Lines:
    """Plain lines."""

    def __init__(self, console: Console, wanted: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.console, self.wanted, self.clock = console, wanted, clock
        self.begun = clock()
        self.said = self.begun - QUIET

    def began(self, claim: str, unit: Unit) -> None:
        pass

    def doing(self, claim: str, unit: Unit, fraction: float, text: str) -> None:
        if self.wanted and self.clock() - self.said >= SILENT:
            self._say(f"{claim}: {unit.key}: {fraction:.0%} {text}")

    def ended(self, claim: str, record: Record, done: int, known: int) -> None:
        if record.ending is Ending.FAILED:
            self.console.print(escape(_failure(claim, record)), soft_wrap=True)
        elif self.wanted and (done == known or self.clock() - self.said >= QUIET):
            self._say(f"{done}/{known} units; {claim}: {record.unit.key}")

    def _say(self, text: str) -> None:
        self.said = self.clock()
        self.console.print(escape(f"{self.said - self.begun:6.0f} s  {text}".rstrip()), soft_wrap=True)


class _Bars:
    """A bar for each unit under way, and one for all."""

    def __init__(self, bar: Progress) -> None:
        self.bar = bar
        self.whole: TaskID = bar.add_task("units", total=None)
        self.tasks: dict[tuple[str, str], TaskID] = {}

    def began(self, claim: str, unit: Unit) -> None:
        self.tasks[claim, unit.key] = self.bar.add_task(escape(one_line(f"{claim}: {unit.key}", 70)), total=1.0)

    def doing(self, claim: str, unit: Unit, fraction: float, text: str) -> None:
        description = escape(one_line(f"{claim}: {unit.key}: {text}", 90))
        self.bar.update(self.tasks[claim, unit.key], completed=fraction, description=description)

    def ended(self, claim: str, record: Record, done: int, known: int) -> None:
        task = self.tasks.pop((claim, record.unit.key), None)
        if task is not None:
            self.bar.remove_task(task)
        self.bar.update(self.whole, completed=done, total=known, description=f"{done} of {known} units")
        if record.ending is Ending.FAILED:
            self.bar.console.print(escape(_failure(claim, record)), soft_wrap=True)


def _failure(claim: str, record: Record) -> str:
    return f"{claim}: {record.unit.key} failed: {record.message}"


def show(results: Results) -> None:
    """The tables, the statements, what is wrong, and one word for all."""
    console = make_console()
    for claim in results.claims:
        _tables(console, claim)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("claim", "statement"):
        table.add_column(name)
    for name in ("measured", "against"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("standing", no_wrap=True)
    for claim in results.claims:
        for one in claim.outcome.statements:
            style = STYLES[one.standing]
            numbers = figure(one.measured), figure(one.bound)
            table.add_row(claim.key, escape(one.text), *numbers, f"[{style}]{one.standing}[/]")
    if table.row_count:
        console.print(table)
    for claim in results.claims:
        _explain(console, claim)
    console.print(f"{WORDS[results.status]}  {summary(results)}")


def _tables(console: Console, claim: Found) -> None:
    console.print(f"[bold]{escape(claim.title)}[/]  {escape(claim.source)}", soft_wrap=True)
    for one in claim.outcome.tables:
        unit = f", {one.unit}" if one.unit else ""
        table = Table(box=None, pad_edge=False, title=escape(f"{one.title}{unit}"), title_justify="left")
        table.add_column(escape(one.row_header))
        for column in one.columns:
            table.add_column(escape(column), justify="right")
        for name, numbers in one.rows:
            table.add_row(escape(name), *(escape(cell(number)) for number in numbers))
        console.print(table)
        if one.note:
            console.print(f"  {escape(one.note)}")
    console.print()


def _explain(console: Console, claim: Found) -> None:
    """Why something does not hold or is not decided, in words."""
    if claim.problem:
        console.print(f"  [bold red]{claim.key}[/] {escape(claim.problem)}", soft_wrap=True)
    failed = [record for record in claim.records if record.ending is Ending.FAILED]
    for record in failed:
        console.print(f"  [bold red]failed[/] {escape(_failure(claim.key, record))}", soft_wrap=True)
    for one in claim.outcome.statements:
        if one.standing is not Standing.HOLDS:
            style = STYLES[one.standing]
            console.print(f"  [{style}]{one.standing}[/] {escape(one.text)} {escape(one.message)}", soft_wrap=True)
    for note in claim.outcome.notes:
        console.print(f"  {claim.key}: {escape(note)}", soft_wrap=True)
