"""How far the gate is: a bar on a terminal, a line for each stage in a log, and a clean end when it is stopped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from verify.console import escape, make_console
from verify.gate import rounds


@contextlib.contextmanager
def watching(wanted: bool) -> Iterator[rounds.Progress]:
    """Who is told how far it is; nobody where nothing is wanted."""
    console = make_console(stderr=True)
    text = TextColumn("{task.description}")
    columns = (SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    live = wanted and console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not live) as bar:
        task = bar.add_task("", total=None)
        start, said = time.monotonic(), ""

        def show(text: str, done: int, total: int) -> None:
            nonlocal said
            bar.update(task, description=escape(text), completed=done, total=total)
            if wanted and not live and text != said:
                said = text
                console.print(escape(f"{time.monotonic() - start:6.0f} s  {text} ({total})"), soft_wrap=True)

        yield show
