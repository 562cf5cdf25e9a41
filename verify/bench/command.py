"""The command ``hippo-verify bench``: arguments in, words and an exit code out."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Annotated

import typer

from verify.invocation import fail, terminable
from verify.workflow import inert


def bench(
    range_: Annotated[
        str | None, typer.Option("--range", metavar="A..B", help="The commits after A, up to and with B.")
    ] = None,
    last: Annotated[int | None, typer.Option(metavar="K", help="The last K commits.")] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            "--bench", metavar="REGEX", help="Only benchmarks in whose name, parameters included, this is found."
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Run each benchmark once and store nothing.")] = False,
    build: Annotated[
        bool,
        typer.Option("--build/--no-build", help="Whether asv builds each commit, or this Python imports its files."),
    ] = True,
    again: Annotated[bool, typer.Option("--again", help="Measure again what is stored.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Measure again what had failed.")] = False,
    machine: Annotated[
        str | None, typer.Option(help="Name under which results are kept; default: the host name.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Configuration of asv; default: the nearest above.")] = None,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
) -> None:
    """Measure commits with asv: this one, a range, or the last ones; what is stored is not measured again."""
    if importlib.util.find_spec("asv") is None:
        fail("asv is not installed: pip install 'hippo-verify[bench]'")
    from verify import revisions  # noqa: PLC0415
    from verify.bench import console, running, settings  # noqa: PLC0415

    if range_ is not None and last is not None:
        fail("--range and --last are both given; accepted: one of them")
    if again and retry:
        fail("--again and --retry are both given; --again measures what had failed as well")
    try:
        re.compile(pattern or "")
    except re.error as error:
        fail(f"--bench is {pattern!r}: {error}; accepted: a regular expression")
    try:
        suite = settings.find(Path.cwd(), config)
        which = range_ if range_ is not None else last if last is not None else 1
        commits = revisions.commits(suite.repository, which)
        changed = revisions.uncommitted(suite.repository)
        if changed:
            typer.echo(
                f"hippo-verify: {len(changed)} files differ from HEAD ({inert(changed[0])}): what is committed is "
                "measured, with the benchmarks as they lie here",
                err=True,
            )
        plan = running.Plan(
            commits=commits, pattern=pattern, build=build, quick=quick, again=again, retry=retry, machine=machine
        )
        with terminable(), console.watching(progress) as watcher:
            report = running.run(suite, plan, watcher)
    except (settings.SettingsError, revisions.RevisionError) as error:
        fail(str(error))
    except running.DiscoveryError as error:
        fail(str(error), 3)
    except OSError as error:
        fail(f"cannot read or write: {error}")
    except KeyboardInterrupt:
        fail("stopped; what was measured is stored, and the same command goes on from there", 130)
    console.show(report, quick=quick)
    raise typer.Exit(report.exit_code)
