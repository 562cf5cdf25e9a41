"""What a person sees of a campaign: what runs, what is left, failures as they come, and a table at the end."""

from __future__ import annotations

import math
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from verify.console import WORDS, escape, make_console, verdict_table
from verify.expected import stated
from verify.verdict import Status, Verdict
from verify.workflow import inert

if TYPE_CHECKING:
    from verify.campaign import Course, Report, Unit
    from verify.planning import Plan

BAD: Final = (Status.FAIL, Status.ERROR, Status.UNEXPECTED_PASS)
"""What is told as it comes."""
RARELY: Final = 30.0
"""Seconds between two lines in a log."""


def duration(seconds: float) -> str:
    """A time as a person says it: ``40 s``, ``12 min``, ``3.5 h``, ``2.1 days``."""
    if not math.isfinite(seconds):
        return "an unknown time"
    for size, unit in ((86400.0, "days"), (3600.0, "h")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


def counts_line(counts: Mapping[Status, int]) -> str:
    """Verdicts by status, those that there are."""
    return ", ".join(f"{counts[status]:,} {status}" for status in Status if counts.get(status)) or "no verdicts yet"


class Watching:
    """Tells on standard error how a campaign goes; a `verify.campaign.Watcher` and a context manager.

    A terminal shows what each worker does and how much is left, redrawn in place. A log gets a line at the start, one
    now and then and one at the end. A failure is told as it comes, the first of each check of a target.

    Args:
        wanted: False to say nothing but what the store remarks.
        clock: seconds; another one in tests.
    """

    def __init__(self, wanted: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = make_console(stderr=True)
        self._wanted = wanted
        self._clock = clock
        self._course: Course | None = None
        self._said: set[tuple[str, str]] = set()
        self._next = 0.0
        self._live: Live | None = None
        if wanted and self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._view, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def counts(self) -> dict[str, int]:
        """Verdicts so far, by status."""
        counted = Counter[Status]() if self._course is None else self._course.counted
        return {str(status): counted[status] for status in Status}

    def began(self, course: Course) -> None:
        """Say how much there is."""
        self._course = course
        self._next = self._clock() + RARELY
        if self._wanted and self._live is None:
            left = duration(course.seconds_left())
            self._print(f"{course.total:,} units on {course.executor.cores} worker(s), about {left}")

    def remarked(self, remark: str) -> None:
        """Say what the store found."""
        self._print(f"hippo-verify: {remark}")

    def finished(self, unit: Unit, verdicts: Sequence[Verdict]) -> None:
        """Say what is wrong, and now and then how far it is."""
        if not self._wanted or self._course is None:
            return
        for verdict in verdicts:
            if verdict.status in BAD and (unit.target, verdict.check) not in self._said:
                self._said.add((unit.target, verdict.check))
                case = verdict.case.describe()
                self._print(f"{verdict.status} {unit.target} {verdict.check} {case}: {verdict.message}")
        last = self._course.done == self._course.total
        if self._live is None and (last or self._clock() >= self._next):
            self._next = self._clock() + RARELY
            self._print(self._line(self._course, last))

    def _line(self, course: Course, last: bool = False) -> str:
        told = f"{course.done:,}/{course.total:,} units"
        told += f" ({course.before:,} of an earlier run)" if course.before else ""
        told += f": {counts_line(course.counted)}"
        return told if last else f"{told}; about {duration(course.seconds_left())} left"

    def _view(self) -> RenderableType:
        course = self._course
        if course is None:
            return Text("planning")
        lines: list[RenderableType] = [Text(inert(self._line(course)))]
        lines.append(ProgressBar(total=max(course.total, 1), completed=course.done))
        for name, unit in course.under_way():
            case = unit.case
            lines.append(
                Text(f"  {name}: {unit.target} {case.measure} N={case.order} {case.method} {case.dtype}", style="dim")
            )
        return Group(*lines)

    def _print(self, text: str) -> None:
        self._console.print(escape(text), soft_wrap=True)


def show_campaign(report: Report, store: Path) -> None:
    """A row per target and measure, then the word."""
    console = make_console()
    expected: dict[tuple[str, str], None] = {}

    def passing() -> Iterable[Verdict]:
        for verdict in report.verdicts:
            if verdict.status is Status.EXPECTED_FAIL:
                expected[verdict.case.target, stated(verdict.message)[0]] = None
            yield verdict

    console.print(verdict_table(passing(), lambda v: f"{v.case.target}  {v.case.measure}", "target"))
    for target, reason in expected:
        console.print(f"  [yellow]expected[/] {escape(target)}: {escape(reason)}", soft_wrap=True)
    for note in report.notes:
        console.print(f"  [magenta]{escape(note)}[/]", soft_wrap=True)
    if report.coverage.shortfall:
        console.print(f"  [yellow]coverage is too small: {report.coverage.shortfall}[/]")
    counts = ", ".join(f"{number} {name}" for name, number in report.counts.items() if number)
    console.print(f"{WORDS[report.status]}  {counts}")
    console.print(f"verdicts: {store / 'verdicts.jsonl'}")


def summary_line(status: str, exit_code: int, counts: Mapping[str, int], seconds: float, store: Path) -> str:
    """The last line of a campaign, for machines: words ``key=value``, quoted as for a shell.

    ``cells`` is the number of verdicts; it is followed by the number of each status, in lower case.
    """
    said: dict[str, Any] = {"status": status, "exit_code": exit_code, "cells": sum(counts.values())}
    said |= {name.lower(): number for name, number in counts.items()}
    said |= {"seconds": f"{seconds:.1f}", "store": shlex.quote(str(store))}
    return "hippo-verify: " + " ".join(f"{key}={value}" for key, value in said.items())


def outlook(plan: Plan, seconds: Mapping[str, float], executor: str, cores: int, left: float) -> dict[str, Any]:
    """What a dry run says, for machines.

    Args:
        plan: what would be asked.
        seconds: estimated for each target, on one worker.
        executor: its name.
        cores: workers.
        left: seconds on so many workers.
    """
    units, cells = Counter[str](), Counter[str]()
    for unit in plan.blocks:
        units[unit.target] += len(plan.orders)
        cells[unit.target] += unit.cells * len(plan.orders)
    return {
        "schema": "hippo-verify-plan/1",
        "units": len(plan),
        "cells": plan.cells,
        "executor": executor,
        "workers": cores,
        "seconds": round(left, 1),
        "targets": [
            {"target": name, "units": units[name], "cells": cells[name], "seconds": round(seconds[name], 1)}
            for name in units
        ],
        "left_out": [absent.to_json() for absent in plan.left_out()],
    }


def show_outlook(found: Mapping[str, Any]) -> None:
    """The same for a person."""
    console = make_console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("target")
    for name in ("units", "cells", "time on one worker"):
        table.add_column(name, justify="right")
    for row in found["targets"]:
        table.add_row(escape(row["target"]), f"{row['units']:,}", f"{row['cells']:,}", duration(row["seconds"]))
    console.print(table)
    reasons: dict[str, list[Mapping[str, Any]]] = {}
    for row in found["left_out"]:
        reasons.setdefault(row["reason"], []).append(row)
    for reason, rows in reasons.items():
        units, cells = sum(row["units"] for row in rows), sum(row["cells"] for row in rows)
        many = f"{cells:,} cells of {units:,} units will be UNSUPPORTED" if units else "left out"
        names = ", ".join(row["what"] for row in rows)
        console.print(f"  [yellow]{many}[/]: {escape(names)}: {escape(reason)}", soft_wrap=True)
    console.print(
        f"{found['units']:,} units, {found['cells']:,} cells; about {duration(found['seconds'])} on "
        f"{found['workers']} worker(s), executor {found['executor']}. Nothing was run."
    )
