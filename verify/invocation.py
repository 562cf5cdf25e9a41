"""What every command of the command line does alike: how it fails, what it was given, how it is ended."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NoReturn

import typer

from verify.workflow import inert

USAGE = 2
"""Exit code of a wrong usage or configuration."""
IMPATIENCE: Final = 2.5
"""Seconds in which a second Ctrl-C does not disturb what the first one has begun to end."""


class Suite(StrEnum):
    """How much is tried."""

    quick = "quick"
    full = "full"


def fail(message: str, code: int = USAGE) -> NoReturn:
    """End the command with a message on standard error and an exit code."""
    typer.echo(f"hippo-verify: {inert(message)}", err=True)
    raise typer.Exit(code)


def integers(text: str, option: str = "--orders") -> list[int]:
    """Whole numbers with commas between them; anything else ends the command."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        fail(f"{option} is {text!r}; accepted: integers with commas, such as 4,8,16")


def words(text: str | None) -> list[str] | None:
    """Words with commas between them, or None where there is no text."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def given_options(
    context: typer.Context, only: tuple[str, ...] | None = None, without: tuple[str, ...] = ()
) -> list[str]:
    """The options that were given, so that they can be given again."""
    found = []
    for parameter in context.command.params:
        name = str(parameter.name)
        typed = str(context.get_parameter_source(name)).endswith("COMMANDLINE")
        if typed and parameter.param_type_name == "option" and name not in without and (only is None or name in only):
            value = context.params[name]
            if isinstance(value, bool):  # a flag takes no value: it is given, or its opposite is
                found.append(parameter.opts[-1] if value else parameter.secondary_opts[-1])
                continue
            each = value if isinstance(value, list | tuple) else [value]
            found += [f"{parameter.opts[-1]}={item}" for item in each]
    return found


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let the end of a cancelled CI job be that of Ctrl-C: what was started is ended too."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the body alike, by KeyboardInterrupt, and a second one does not disturb the end.

    A signal that comes within `IMPATIENCE` of the last one is passed over; a later one interrupts again, in case that
    the first was swallowed.
    """
    last = float("-inf")

    def interrupt(*_: object) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before > IMPATIENCE:
            raise KeyboardInterrupt

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interrupt) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
