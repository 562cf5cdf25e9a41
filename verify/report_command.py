"""The command ``hippo-verify report``: arguments in, files out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verify.invocation import fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from verify.claims.results import Results
    from verify.report.comparison import Comparison
    from verify.report.records import Records

STORE = Path(".hippo-verify/run")
STDOUT = "-"


def report(
    context: typer.Context,
    store: Annotated[Path, typer.Argument(help="Folder with verdicts.jsonl, or the file itself.")] = STORE,
    output: Annotated[Path, typer.Option(file_okay=False, help="Folder for index.html and what belongs to it.")] = Path(
        "reports/generated"
    ),
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="STORE", help="An earlier store: what broke, what was mended, what is new or gone since."),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="Write a summary for a comment or a job too; - prints it."),
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write the verdicts as a Parquet table too.")
    ] = None,
    libraries: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            help="Instead: take the verdicts on third-party libraries into this folder's records, table and page.",
        ),
    ] = None,
    environment: Annotated[str, typer.Option(help="With --libraries: name of where the verdicts were made.")] = "dev",
    claims_file: Annotated[
        Path | None,
        typer.Option(
            "--claims",
            metavar="FILE",
            dir_okay=False,
            help="Results of `hippo-verify claims --json`: their page is made beside, and listed in the report.",
        ),
    ] = None,
) -> None:
    """Make the HTML report from recorded verdicts alone."""
    beside = {"--claims": claims_file, "--baseline": baseline, "--markdown": markdown, "--parquet": parquet}
    for name, value in beside.items():
        if libraries is not None and value is not None:
            fail(f"{name} is given beside --libraries, whose page has no place for it; run one after the other")
    # With no campaign at hand and none named, the page of the claims is all that is asked for.
    named = str(context.get_parameter_source("store")).endswith("COMMANDLINE")
    alone = claims_file is not None and not named and not store.exists() and not (baseline or markdown or parquet)
    if libraries is not None:
        written(lambda: _libraries(libraries, store, environment))
    else:
        wanted = None if alone else store
        written(lambda: make(wanted, output, claims_file, baseline, markdown, parquet), aside=str(markdown) == STDOUT)


def written(work: Callable[[], list[Path]], *, aside: bool = False) -> None:
    """Say what was written, or end the command with what went wrong.

    Args:
        work: writes; gives the paths.
        aside: whether that is said on standard error, because standard output is taken.
    """
    try:
        paths = work()
    except ImportError as error:
        fail(f"the report needs {error.name}: pip install 'hippo-verify[report]'")
    except (OSError, ValueError) as error:
        fail(f"report: {error}")
    for path in paths:
        typer.echo(f"report: {path}", err=aside)


def make(
    store: Path | None,
    folder: Path,
    claims_file: Path | None = None,
    baseline: Path | None = None,
    markdown: Path | None = None,
    parquet: Path | None = None,
) -> list[Path]:
    """Write what is asked for, from a store that is read once.

    Args:
        store: the verdicts; None: the page of the claims is all.
        folder: for the pages.
        claims_file: results of the claims, or None.
        baseline: an earlier store, or None.
        markdown: a file for the summary, ``-`` for standard output, or None.
        parquet: a file for the table, or None.

    Returns:
        What was written.

    Raises:
        ImportError: what writes it is not installed; its name is in the error.
        OSError: something cannot be read or written.
        ValueError: a store or a results file is none.
    """
    found = None if claims_file is None else _claims(claims_file)
    paths: list[Path] = []
    if store is not None:
        from verify.report.folder import write_folder  # noqa: PLC0415 -- heavy libraries are imported when used
        from verify.report.lean import lean  # noqa: PLC0415
        from verify.report.records import read  # noqa: PLC0415
        from verify.report.since import since  # noqa: PLC0415
        from verify.report.site import render  # noqa: PLC0415

        records = read(store, lean)
        comparison = since(baseline, records) if baseline is not None else None
        paths.append(write_folder(folder, render(records, found, comparison)))
        paths += _beside(records, comparison, store, markdown, parquet)
    if found is not None:
        from verify.report.claims_page import write_claims  # noqa: PLC0415
        from verify.report.claims_summary import NAME  # noqa: PLC0415

        paths.append(write_claims(folder / NAME, found))
    return paths


def _beside(
    records: Records, comparison: Comparison | None, store: Path, markdown: Path | None, parquet: Path | None
) -> list[Path]:
    """The same for other readers."""
    written = []
    if markdown is not None:
        from verify.outputs.base import write_text  # noqa: PLC0415
        from verify.report.markdown import markdown as summary  # noqa: PLC0415

        try:
            write_text(markdown, summary(records, comparison))
        except OSError as error:
            raise OSError(f"--markdown: cannot write {markdown}: {error.strerror or error}") from error
        written += [markdown] if str(markdown) != STDOUT else []
    if parquet is not None:
        from verify.frame import write_parquet  # noqa: PLC0415

        try:
            write_parquet(store, parquet)
        except OSError as error:
            raise OSError(f"--parquet: cannot write {parquet}: {error.strerror or error}") from error
        written.append(parquet)
    return written


def _libraries(folder: Path, store: Path, environment: str) -> list[Path]:
    from verify.report.libraries import publish  # noqa: PLC0415

    return publish(folder, store, environment)


def _claims(path: Path) -> Results:
    from verify.outputs.claims_file import read_claims  # noqa: PLC0415

    try:
        return read_claims(path)
    except ValueError as error:
        fail(f"--claims: {error}")
