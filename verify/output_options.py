"""The outputs that `check`, `run` and `vectors check` share, as options of the command line: one table."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from verify.invocation import fail

if TYPE_CHECKING:
    from verify.campaign import Report

OUTPUTS = {
    "json": "Write the result as JSON.",
    "junit-xml": "Write JUnit XML.",
    "sarif": "Write SARIF 2.1.0, for code scanning.",
    "markdown": "Write a Markdown summary.",
    "certificate": "Write what was checked of which code, with hashes.",
    "badge": "Write the JSON of a badge for shields.io.",
}
"""Option -> help. Each takes a file; `-` is standard output, and then nothing else is printed there."""
NAMED_BY_INPUT = ("junit-xml", "sarif")
"""Outputs that need a name of its own for each verdict."""
PARAMETERS = (*(name.replace("-", "_") for name in OUTPUTS), "github")


@dataclass(frozen=True)
class Outputs:
    """The outputs that were asked for.

    Attributes:
        files: option -> file.
        github: whether a runner of GitHub Actions is told.
    """

    files: Mapping[str, Path]
    github: bool = False

    def misuse(self) -> str:
        """Empty, or what is wrong with the options, as a sentence."""
        piped = [f"--{name}" for name, path in self.files.items() if str(path) == "-"]
        return f"{' and '.join(piped)} are both '-': standard output takes one" if len(piped) > 1 else ""

    def refuse_misuse(self) -> None:
        """End the command if the options are at odds."""
        wrong = self.misuse()
        if wrong:
            fail(wrong)

    def deliver(self, report: Report, tell: Callable[[], None], named: Report | None = None) -> NoReturn:
        """Write the outputs, tell whoever looks on, and end the command with the exit code.

        Args:
            report: what was found.
            tell: says it to a person.
            named: as for `write`.
        """
        try:
            self.write(report, named)
        except ValueError as error:
            fail(str(error))
        with self.aside():
            tell()
            self.annotate(report)
        raise typer.Exit(report.exit_code)

    def write(self, report: Report, named: Report | None = None) -> None:
        """Write the files, and the summary of a step.

        Args:
            report: what was found.
            named: the same with unique names of verdicts, where a check is not asked once per case.

        Raises:
            ValueError: a file cannot be written; the message names the option.
        """
        from verify.outputs import WRITERS, add_summary  # noqa: PLC0415

        for name, path in self.files.items():
            try:
                WRITERS[name](path, named if named is not None and name in NAMED_BY_INPUT else report)
            except OSError as error:
                raise ValueError(f"--{name}: cannot write {path}: {error.strerror or error}") from error
        if self.github:
            try:
                add_summary(report)
            except OSError as error:
                raise ValueError(f"--github: cannot add to the step summary: {error.strerror or error}") from error

    def annotate(self, report: Report) -> None:
        """Tell the runner what is wrong, where that was asked for."""
        if self.github:
            from verify.outputs import workflow_commands  # noqa: PLC0415

            for line in workflow_commands(report):
                typer.echo(line)

    def aside(self) -> contextlib.AbstractContextManager[Any]:
        """Where standard output is a file's, what a person reads goes to standard error."""
        piped = any(str(path) == "-" for path in self.files.values())
        return contextlib.redirect_stdout(sys.stderr) if piped else contextlib.nullcontext()


def with_outputs(command: Callable[..., None]) -> Callable[..., None]:
    """The same command with an option for every output; it finds them in its argument ``outputs``."""

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        files = {name: given.pop(name.replace("-", "_")) for name in OUTPUTS}
        github = given.pop("github")
        chosen = {name: path for name, path in files.items() if path is not None}
        command(**given, outputs=Outputs(chosen, github))

    kind: Any = inspect.Parameter.KEYWORD_ONLY
    read = inspect.signature(command, eval_str=True).parameters.values()
    own = [parameter.replace(kind=kind) for parameter in read if parameter.name != "outputs"]
    added = [
        inspect.Parameter(
            name.replace("-", "_"), kind, default=None,
            annotation=Annotated[Path | None, typer.Option(f"--{name}", metavar="FILE", help=text)],
        )
        for name, text in OUTPUTS.items()
    ]  # fmt: skip
    github = typer.Option("--github", help="Annotate the pull request and add to the summary of a GitHub Actions step.")
    added.append(inspect.Parameter("github", kind, default=False, annotation=Annotated[bool, github]))
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *added]}
    wrapped.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    del wrapped.__wrapped__  # what reads the options must see the new signature, not the old one behind it
    return wrapped
