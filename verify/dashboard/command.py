"""The command ``dashboard``: arguments in, words and an exit code out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from verify.invocation import fail
from verify.workflow import inert

FAILED = 1


def dashboard(
    results: Annotated[Path, typer.Option(help="Results of asv.")] = Path(".asv/results"),
    out: Annotated[Path, typer.Option(help="Folder of the site; what an earlier one left there is replaced.")] = Path(
        ".asv/dashboard"
    ),
    store: Annotated[
        Path | None, typer.Option(help="Folder of a campaign, `hippo-verify run --store`: its verdicts are shown.")
    ] = None,
    repository: Annotated[
        Path | None, typer.Option(help="Repository that was measured; default: the one that the results lie in.")
    ] = None,
    machine: Annotated[str | None, typer.Option(help="Only what was measured on this machine.")] = None,
    asv: Annotated[bool, typer.Option(help="Make asv's own pages too.")] = True,
    claims: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Results of `hippo-verify claims --json`: they are listed, and their page is made."
        ),
    ] = None,
) -> None:
    """Build a static site from stored results: the state of HEAD, regressions, histories, asv's own pages."""
    from verify.dashboard import build  # noqa: PLC0415
    from verify.revisions import RevisionError, top  # noqa: PLC0415

    if repository is None:
        try:
            repository = top(results if results.is_dir() else Path())
        except RevisionError:
            repository = None
    elif not repository.is_dir():
        fail(f"--repository is {str(repository)!r}, which is no folder; expected: a git repository")
    try:
        built = build(results, out, repository=repository, store=store, machine=machine, asv=asv, claims=claims)
    except ImportError as error:
        fail(f"{error}; pip install 'hippo-verify[bench,report]' brings what the dashboard needs")
    except (ValueError, OSError) as error:
        fail(str(error))
    typer.echo(f"wrote {built.index}: {built.files} files, {built.size / 1e6:.1f} MB")
    typer.echo(f"{built.open} open regression{'' if built.open == 1 else 's'}")
    if built.silent:
        typer.echo(f"{built.silent} benchmark{'' if built.silent == 1 else 's'} without a number now")
    for text in built.warnings:
        typer.echo(inert(text))
    for text in built.asv.left_out:
        typer.echo(inert(f"kept from asv: {text}"))
    if built.asv.problem:
        fail(f"asv's own pages are not there: {built.asv.problem}; --no-asv leaves them out", FAILED)
