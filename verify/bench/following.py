"""asv as a process: how far it is, its end when we are stopped, and the line that says what went wrong."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import psutil

from verify.text import one_line

GRACE: Final = 10.0
"""Seconds that a stopped asv has to clean up."""
_STEP: Final = re.compile(r"\[\s*(\d+(?:\.\d+)?)%\]\W*(.*)")
_NAMED: Final = re.compile(r"([\w.]+Error|[\w.]*Exception|error|ERROR|fatal)\b")


def follow(
    command: list[str],
    variables: Mapping[str, str],
    keep: Callable[[str], object],
    doing: Callable[[str, float], None],
    held: tuple[int, ...] = (),
) -> int:
    """Run asv to its end, or end it and whatever it started if we are stopped.

    Args:
        command: the program and its arguments.
        variables: its environment.
        keep: gets each line that is printed.
        doing: gets what asv does and how many percent it has done.
        held: open files that it holds as long as it lives.

    Returns:
        Its exit code.
    """
    process = subprocess.Popen(  # noqa: S603 -- our interpreter, asv's command line
        command,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        pass_fds=held,
        start_new_session=True,  # Ctrl-C reaches us alone, and we end it in order
    )
    assert process.stdout is not None  # noqa: S101 -- asked for above; for the type checker
    try:
        with process.stdout as stream:
            for line in stream:
                keep(line)
                step = _STEP.search(line)
                if step is not None:
                    doing(one_line(step[2], 100), float(step[1]))
        return process.wait()
    except BaseException:
        _end(process)
        raise


def _end(process: subprocess.Popen[str]) -> None:
    """Ask a program to stop, and after a while end it and all it started."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.kill()
    process.wait()


def trouble(log: Path) -> str:
    """The line of a log that says what went wrong: the last error that somebody names, else the last line."""
    lines = [line.strip(" ·\t") for line in log.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line]
    named = [line for line in lines if _NAMED.match(line)]
    vague = [line for line in lines if line.startswith("Error running")]
    return one_line((named or vague or lines or ["it printed nothing"])[-1], 300)
