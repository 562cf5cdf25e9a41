"""The command ``hippo-verify history``: arguments in, a page out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from verify.invocation import fail
from verify.workflow import inert


def history(
    results: Annotated[Path, typer.Option(metavar="FOLDER", help="Results of asv.")] = Path(".asv/results"),
    repository: Annotated[Path, typer.Option(metavar="FOLDER", help="The repository that was measured.")] = Path(),
    machine: Annotated[str | None, typer.Option(help="Only what was measured on it; default: all.")] = None,
    explained: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Explanations by commit, shown beside the changes.")
    ] = None,
    rate: Annotated[float, typer.Option(metavar="SHARE", help="False accusations that are put up with.")] = 0.05,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page here, not to the terminal.")
    ] = None,
) -> None:
    """Say which commits changed speed, memory or error, from results that `hippo-verify bench` stored."""
    from verify.folders import write_whole  # noqa: PLC0415
    from verify.history import HistoryError, changes_of_all, load, page  # noqa: PLC0415
    from verify.history import explained as explanations  # noqa: PLC0415
    from verify.revisions import RevisionError  # noqa: PLC0415

    if not 0 < rate < 1:
        fail(f"--rate is {rate}; accepted: a share between 0 and 1")
    try:
        known = () if explained is None else explanations.read(explained)
        stored = load(results, repository, machine=machine)
        text = page.markdown(stored, changes_of_all(stored, rate), known, rate)
        if markdown is None:
            typer.echo(inert(text), nl=False)
        else:
            write_whole(markdown, f"# What changed, and with which commit\n\n{text}".encode())
    except (HistoryError, RevisionError, explanations.ExplanationError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"cannot write {error.filename}: {error.strerror}")
