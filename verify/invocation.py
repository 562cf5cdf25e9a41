"""What every command of the command line does alike: how it fails, what it was given, how it is ended."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import NoReturn

import typer

from verify.workflow import inert

USAGE = 2
"""Exit code of a wrong usage or configuration."""


def fail(message: str, code: int = USAGE) -> NoReturn:
    """End the command with a message on standard error and an exit code."""
    typer.echo(f"hippo-verify: {inert(message)}", err=True)
    raise typer.Exit(code)


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
