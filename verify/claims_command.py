"""The command ``hippo-verify claims``: arguments in, words and an exit code out."""

from __future__ import annotations

import importlib.util
import math
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from verify.claims import CLAIMS
from verify.claims.base import Options, Scale
from verify.invocation import fail, given_options, terminable
from verify.output_options import Outputs

EMPTY, STOPPED = 4, 130
_BESIDE = ("json_", "markdown", "progress", "report", "store")
"""Options that change nothing of what is found."""


def claims(
    context: typer.Context,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[CLAIM]...", help=f"{', '.join(CLAIMS)}; default: all.")
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Whether the machinery works: nothing is judged.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Small: minutes on two cores.")] = False,
    full: Annotated[bool, typer.Option("--full", help="The sizes of the papers: hours, and a GPU.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Seeds each cell is trained from; default: as the scale says.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where torch computes: cpu, cuda, cuda:1.")] = "cpu",
    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Images as IDX files; default: scikit-learn's digits.")
    ] = None,
    trajectories: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Pen trajectories, .ts or .arff; default: strokes of Hershey fonts."),
    ] = None,
    budget: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Stop after so long; the same command goes on from there.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes; 0: as many as cores, or one where device is not cpu.")
    ] = 0,
    store: Annotated[
        Path, typer.Option(file_okay=False, help="Folder in which results are kept; a stopped run goes on from them.")
    ] = Path(".hippo-verify/claims"),
    json_: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a Markdown summary.")] = None,
    report: Annotated[
        Path | None, typer.Option(file_okay=False, help="Write the HTML page of the claims into this folder.")
    ] = None,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
) -> None:
    """Measure the papers' headline claims, and say which hold here."""
    outputs = Outputs({name: path for name, path in (("json", json_), ("markdown", markdown)) if path is not None})
    wrong = outputs.misuse() or _wrong(keys or [], [smoke, quick, full], budget, data, trajectories, store)
    if wrong:
        fail(wrong)
    if importlib.util.find_spec("torch") is None:
        fail("torch is not installed: pip install 'hippo-verify[claims]'")
    wrong = _unusable(device)
    if wrong:
        fail(wrong)
    if report is not None and importlib.util.find_spec("jinja2") is None:
        fail("--report needs jinja2: pip install 'hippo-verify[report]'")
    from verify import claims_console, provenance  # noqa: PLC0415
    from verify.claims import engine  # noqa: PLC0415
    from verify.claims.results import Results  # noqa: PLC0415
    from verify.claims.store import StoreError, opened  # noqa: PLC0415
    from verify.folders import BusyError  # noqa: PLC0415

    scale = Scale.SMOKE if smoke else Scale.QUICK if quick else Scale.FULL if full else Scale.DEFAULT
    options = Options(scale=scale, seed=seed, seeds=seeds, device=device, data=data, trajectories=trajectories)
    chosen = {key: address for key, address in CLAIMS.items() if not keys or key in keys}
    processes = workers or (1 if device != "cpu" else provenance.usable_cores() or 1)
    begun = time.monotonic()
    try:
        with terminable(), opened(store) as kept, claims_console.watching(progress) as watcher:
            if kept.unsound:
                typer.echo(f"hippo-verify: {kept.unsound} lines of {store} were torn or changed: done again", err=True)
            run = engine.Engine(chosen, options, kept, workers=processes, budget=budget, watcher=watcher)
            found = run.run()
    except KeyboardInterrupt:
        fail(f"stopped; what was measured is in {store}, and the same command goes on from there", STOPPED)
    except (BusyError, StoreError) as error:
        fail(f"--store: {error}")
    except OSError as error:
        fail(f"cannot read or write {error.filename or store}: {error.strerror or error}")
    results = Results(
        claims=tuple(found), options=_plain(options), workers=processes, budget=budget,
        command=("hippo-verify", "claims", *(keys or ()), *given_options(context, without=_BESIDE)),
        seconds=time.monotonic() - begun, provenance=provenance.collect(seed),
    )  # fmt: skip
    _write(results, outputs, store)
    with outputs.aside():
        claims_console.show(results)
        if report is not None:
            _report(results, report)
    raise typer.Exit(results.exit_code)


def _wrong(
    keys: list[str],
    scales: list[bool],
    budget: float | None,
    data: Path | None,
    trajectories: Path | None,
    store: Path,
) -> str:
    """What is wrong with the options as they stand, as a sentence, or empty."""
    unknown = [key for key in keys if key not in CLAIMS]
    if unknown:
        return f"no claim is called {unknown[0]!r}; accepted: {', '.join(CLAIMS)}"
    if sum(scales) > 1:
        return "more than one of --smoke, --quick and --full is given; accepted: one of them, or none"
    if budget is not None and not 0 < budget < math.inf:
        return f"--budget is {budget}; accepted: seconds above 0"
    if data is not None and not data.is_dir():
        return f"--data: there is no folder {data}; accepted: one with IDX files, as MNIST comes"
    if trajectories is not None and not trajectories.is_file():
        return f"--trajectories: there is no file {trajectories}; accepted: a .ts or .arff file of the UEA archive"
    if store.exists() and not store.is_dir():
        return f"--store: {store} is a file; accepted: a folder"
    return _unreadable(data, trajectories)


def _unreadable(data: Path | None, trajectories: Path | None) -> str:
    """What is wrong with the data that were given, as a sentence, or empty."""
    from verify.claims.data import idx, uea  # noqa: PLC0415

    for option, path, read in (("--data", data, idx.read_folder), ("--trajectories", trajectories, uea.read_pair)):
        try:
            if path is not None:
                read(path)
        except (OSError, ValueError) as error:
            return f"{option}: {error}"
    return ""


def _unusable(device: str) -> str:
    """Why torch cannot compute there, as a sentence, or empty; torch is imported for other devices than cpu alone."""
    if device == "cpu":
        return ""
    import torch  # noqa: PLC0415

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().partition("\n")[0]
        return f"--device is {device!r}, which torch cannot use: {reason}; accepted: cpu, or a device of torch's"
    return ""


def _plain(options: Options) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415

    return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(options).items()}


def _write(results: Any, outputs: Outputs, store: Path) -> None:
    from verify.claims.markdown import markdown  # noqa: PLC0415
    from verify.outputs.base import write_json, write_text  # noqa: PLC0415

    for name, path in outputs.files.items():
        try:
            if name == "json":
                write_json(path, results.to_json())
            else:
                write_text(path, markdown(results))
        except OSError as error:
            known = f"all is in {store}, and the same command goes on from there"
            fail(f"--{name}: cannot write {path}: {error.strerror or error}; {known}")


def _report(results: Any, folder: Path) -> None:
    from verify.report.claims_page import write_claims  # noqa: PLC0415
    from verify.report.claims_summary import NAME  # noqa: PLC0415

    try:
        typer.echo(f"report: {write_claims(folder / NAME, results)}")
    except OSError as error:
        fail(f"--report: cannot write {folder / NAME}: {error.strerror or error}")
