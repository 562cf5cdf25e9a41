"""What a person sees: progress while it works, what is wrong in words, a short table at the end."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape as unmarked
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from verify.text import one_line
from verify.verdict import Status, Verdict
from verify.workflow import inert

if TYPE_CHECKING:  # it imports all that a campaign needs, and most commands are none
    from verify.campaign import Report

STYLES = {
    Status.PASS: "green",
    Status.FAIL: "bold red",
    Status.EXPECTED_FAIL: "yellow",
    Status.UNEXPECTED_PASS: "bold magenta",
    Status.UNSUPPORTED: "dim",
    Status.INCONCLUSIVE: "yellow",
    Status.ERROR: "bold red",
}
WORDS = {
    "pass": "[bold green]PASS[/]",
    "fail": "[bold red]FAIL[/]",
    "error": "[bold red]ERROR[/]",
    "empty": "[yellow]NOTHING WAS CHECKED[/]",
    "inconclusive": "[yellow]INCONCLUSIVE[/]",
}
SHOWN = 6
"""Failures listed one by one; the rest is in the JSON and the report."""


def escape(text: str) -> str:
    """Text that is neither markup to us nor a command to who reads the log."""
    return unmarked(inert(text))


def make_console(stderr: bool = False) -> Console:
    """A console that wraps at the terminal's width, or at 120 columns where there is none."""
    console = Console(stderr=stderr, highlight=False, emoji=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, emoji=False, width=120)


@contextmanager
def progress(wanted: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr while a check runs; nothing where stderr is no terminal."""
    console = make_console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not (wanted and console.is_terminal)) as bar:
        task = bar.add_task("loading the target", total=None)
        yield lambda text, done, total: bar.update(task, description=escape(text), completed=done, total=total)


def show_check(report: Report) -> None:
    """The word, the causes, the failures, the table."""
    console = make_console()
    console.print(f"{WORDS[report.status]}  {escape(one_line(report.target))}", soft_wrap=True)
    if report.convention is not None and not report.convention.trivial:
        console.print(f"  convention found and undone: {escape(report.convention.describe())}")
    elif report.convention is not None:
        console.print(f"  convention: {escape(report.convention.describe())}")
    elif report.convention_mode == "auto":
        console.print("  convention: none fits; judged as it stands")
    for item in report.diagnosis:
        console.print(f"  [bold]{escape(item.text)}[/]", soft_wrap=True)
        if item.evidence:
            console.print(f"    because {escape(item.evidence)}", soft_wrap=True)
    listed = [
        v
        for v in report.verdicts
        if v.status in (Status.FAIL, Status.ERROR, Status.UNEXPECTED_PASS, Status.INCONCLUSIVE)
    ]
    for verdict in listed[:SHOWN]:
        style = STYLES[verdict.status]
        console.print(
            f"  [{style}]{verdict.status}[/] {verdict.check}, "
            + escape(f"{verdict.case.describe()}: {verdict.message}"),
            soft_wrap=True,
        )
    if len(listed) > SHOWN:
        console.print(f"  ... and {len(listed) - SHOWN} more; --json FILE has them all")
    for note in report.notes:
        console.print(f"  [magenta]{escape(note)}[/]", soft_wrap=True)
    if report.coverage.shortfall:
        console.print(f"  [yellow]coverage is too small: {report.coverage.shortfall}[/]")
    console.print(verdict_table(report.verdicts, lambda verdict: verdict.check, "check"))


def show_finding(holds: bool | None, what: str, text: str) -> None:
    """One line: whether something holds, what, and in words."""
    word = {True: "[green]holds[/]", False: "[bold red]fails[/]", None: "[yellow]open[/]"}[holds]
    make_console().print(f"{word}  {escape(one_line(what))}: {escape(one_line(text))}", soft_wrap=True)


def show_counterexamples(report: Report, command: list[str]) -> None:
    """Where the inputs of failures are, and how one is asked again; on stderr what could not be written."""
    found = report.counterexamples
    if found is None:
        return
    console = make_console()
    if found["files"]:
        number = len(found["files"])
        console.print(escape(f"{number} counterexample(s) in {found['folder']}; the first again:"), soft_wrap=True)
        again = shlex.join([*command, "--replay", found["files"][0]["file"]])
        console.print(f"  {escape(again)}", soft_wrap=True)
    for path in found["lost"]:
        again = shlex.join([*command, "--replay", path])
        console.print("a run ended while its target was asked; what it was asked:", soft_wrap=True)
        console.print(f"  {escape(again)}", soft_wrap=True)
    if found["problem"]:
        make_console(stderr=True).print(
            escape(f"hippo-verify: {found['problem']}; verdicts are as always"), soft_wrap=True
        )


def verdict_table(verdicts: Iterable[Verdict], key: Callable[[Verdict], str], title: str) -> Table:
    """A row per name: verdicts by status, numbers compared, the worst error.

    Args:
        verdicts: read once.
        key: the name of a verdict's row.
        title: what names are.
    """
    rows: dict[str, Counter[Status]] = {}
    compared, worst = Counter[str](), dict[str, float]()
    for verdict in verdicts:
        name = key(verdict)
        rows.setdefault(name, Counter())[verdict.status] += 1
        compared[name] += verdict.compared
        if verdict.ratio is not None:
            worst[name] = max(verdict.ratio, worst.get(name, verdict.ratio))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title)
    shown = [status for status in Status if any(counted[status] for counted in rows.values())]
    for status in shown:
        table.add_column(str(status).lower().replace("_", " "), justify="right", style=STYLES[status])
    table.add_column("compared", justify="right")
    table.add_column("worst error ÷ bound", justify="right")
    for name, counted in rows.items():
        cells = [str(counted[status] or "") for status in shown]
        table.add_row(escape(name), *cells, f"{compared[name]:,}", f"{worst[name]:.2g}" if name in worst else "")
    return table
