"""The command ``hippo-verify gate``: arguments in, words and an exit code out."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from verify.invocation import fail, given_options, terminable
from verify.output_options import Outputs

if TYPE_CHECKING:
    from verify.gate.accepted import Accepted
    from verify.gate.gating import Wanted
    from verify.gate.rounds import Plan, Progress
    from verify.gate.settings import Settings

EMPTY, STOPPED = 4, 130
SIDE = "A revision, or a file of results; files several times: a round each."


def gate(
    context: typer.Context,
    base: Annotated[
        list[str] | None, typer.Option(metavar="A", help=f"{SIDE} Default: where the branch left the main line.")
    ] = None,
    head: Annotated[
        list[str] | None, typer.Option(metavar="B", help=f"{SIDE} Default: the working tree as it stands.")
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            "--bench",
            metavar="REGEX",
            help="Only benchmarks in whose name this is found; default: as the settings say.",
        ),
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds that are planned; default: as the settings say.")] = None,
    budget: Annotated[float, typer.Option(help="Seconds of sampling for a benchmark, a side and a round.")] = 0.1,
    timeout: Annotated[float, typer.Option(help="Seconds a benchmark may take that does not say so itself.")] = 60.0,
    threads: Annotated[int, typer.Option(min=1, help="Threads that libraries may compute with.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the orders that are drawn.")] = 0,
    settings: Annotated[
        Path | None, typer.Option(help="pyproject.toml with the settings; default: the nearest above.")
    ] = None,
    accepted: Annotated[
        Path | None, typer.Option(help="TOML file of accepted regressions; default: as the settings say.")
    ] = None,
    benchmarks: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Folder of the benchmarks; default: as asv.conf.json says.")
    ] = None,
    python: Annotated[str | None, typer.Option(metavar="PROGRAM", help="Interpreter; default: this one.")] = None,
    base_python: Annotated[str | None, typer.Option(metavar="PROGRAM", help="Another one for the base.")] = None,
    head_python: Annotated[str | None, typer.Option(metavar="PROGRAM", help="Another one for the head.")] = None,
    store: Annotated[
        Path, typer.Option(file_okay=False, help="Folder in which rounds are kept; a stopped run goes on from them.")
    ] = Path(".hippo-verify/gate"),
    save: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the results of the head.")] = None,
    trials: Annotated[
        int | None, typer.Option("--aa", metavar="N", min=1, help="Compare the base with itself N times instead.")
    ] = None,
    slow: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FACTOR", help="With --aa: keep this benchmark of the head busy so much longer."),
    ] = None,
    json_: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a comment for a pull request.")] = None,
    junit_xml: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML.")] = None,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="Write SARIF 2.1.0, for code scanning.")] = None,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
) -> None:
    """Say whether a change made anything slower or less accurate: two revisions side by side, or stored results."""
    from verify.gate import gating, watching  # noqa: PLC0415
    from verify.gate.outputs import WRITERS, show  # noqa: PLC0415
    from verify.gate.rounds import Plan  # noqa: PLC0415
    from verify.gate.trees import default_base  # noqa: PLC0415
    from verify.gate.worker import WorkerError  # noqa: PLC0415

    named = {"json": json_, "markdown": markdown, "junit-xml": junit_xml, "sarif": sarif}
    outputs = Outputs({name: path for name, path in named.items() if path is not None})
    wrong = outputs.misuse() or _wrong(budget, timeout, pattern, trials, head, slow, list(outputs.files))
    if wrong:
        fail(wrong)
    try:
        known = _settings(settings, rounds)
        first = gating.source(base or (), "--base", default="" if base else default_base(Path.cwd()))
        if trials and isinstance(first, gating.Files):
            raise ValueError("--aa measures the base anew; accepted for --base: a revision, and no file of results")
        second = first if trials else gating.source(head or (), "--head")
        if save is not None and (trials or isinstance(second, gating.Files)):
            raise ValueError("--save is given, but the results of the head are not measured in this run")
        wanted = gating.Wanted(
            base=first, head=second, benchmarks=benchmarks, store=store, save=save,
            python={"base": base_python or python or sys.executable, "head": head_python or python or sys.executable},
        )  # fmt: skip
        plan = Plan(
            looks=known.looks, budget=budget, timeout=timeout, threads=threads, seed=seed,
            select=(pattern,) if pattern else known.select, slow=_factors(slow or ()),
        )  # fmt: skip
        _measurable(wanted)
        with terminable(), watching.watching(progress) as listener:
            if trials:
                _calibrate(wanted, plan, known, trials, listener, outputs)
            given = ["hippo-verify", "gate", *given_options(context, without=_BESIDE)]
            gated = gating.gate(wanted, plan, known, _accepted(accepted, known), listener, given)
    except KeyboardInterrupt:
        fail(f"stopped; the finished rounds are in {store}: the same command goes on from there", STOPPED)
    except (ValueError, WorkerError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"cannot write {error.filename or store}: {error.strerror or error}")
    for name, path in outputs.files.items():
        try:
            WRITERS[name](path, gated)
        except OSError as error:
            fail(f"--{name}: cannot write {path}: {error.strerror or error}")
    with outputs.aside():
        show(gated)
    raise typer.Exit(gated.comparison.exit_code)


def _wrong(
    budget: float,
    timeout: float,
    pattern: str | None,
    trials: int | None,
    head: Sequence[str] | None,
    slow: Sequence[str] | None,
    outputs: Sequence[str],
) -> str:
    """What is wrong with the options as they stand, as a sentence, or empty."""
    for name, value in (("--budget", budget), ("--timeout", timeout)):
        if not 0 < value < 1e6:
            return f"{name} is {value}; accepted: seconds above 0"
    try:
        re.compile(pattern or "")
    except re.error as error:
        return f"--bench is {pattern!r}: {error}; accepted: a regular expression"
    if trials and head:
        return "--head is given beside --aa: the base is compared with itself"
    if slow and not trials:
        return "--slow goes with --aa"
    more = [f"--{name}" for name in outputs if name != "json"]
    if trials and more:
        return f"{more[0]} is given beside --aa; accepted: --json"
    return ""


def _factors(slow: Sequence[str]) -> dict[str, float]:
    found = {}
    for text in slow:
        name, separator, factor = text.rpartition("=")
        try:
            found[name] = float(factor)
        except ValueError:
            separator = ""
        if not separator or not name or not 1 < found[name] < 1000:
            raise ValueError(f"--slow is {text!r}; accepted: NAME=FACTOR with a factor above 1, as bench.time_x=1.2")
    return found


def _settings(file: Path | None, rounds: int | None) -> Settings:
    """The settings of the nearest pyproject.toml, or of the one that is named."""
    from verify.gate.settings import Settings  # noqa: PLC0415

    here = Path.cwd()
    nearest = next((folder for folder in (here, *here.parents) if (folder / "pyproject.toml").is_file()), here)
    if file is not None and not file.is_file():
        raise ValueError(f"--settings: there is no file {file}")
    known = Settings.from_pyproject(file or nearest)
    return known if rounds is None else replace(known, rounds=rounds)


def _accepted(file: Path | None, settings: Settings) -> Accepted:
    from verify.gate.accepted import Accepted  # noqa: PLC0415

    named = file or settings.accepted
    return Accepted() if named is None else Accepted.read(named)


def _measurable(wanted: Wanted) -> None:
    """Refuse to begin what cannot be done here."""
    from verify.gate.gating import Revision  # noqa: PLC0415

    if not any(isinstance(side, Revision) for side in (wanted.base, wanted.head)):
        return
    if not hasattr(os, "fork"):
        raise ValueError("this system cannot fork, so revisions cannot be measured; accepted: files of results")
    if sys.executable in wanted.python.values() and importlib.util.find_spec("asv_runner") is None:
        raise ValueError("asv_runner is not installed: pip install 'hippo-verify[bench]'")


def _calibrate(
    wanted: Wanted, plan: Plan, settings: Settings, trials: int, listener: Progress, outputs: Outputs
) -> NoReturn:
    """Rates of alarms of one build against itself, and of detections of what was really made slow."""
    from verify.gate import calibrated, gating  # noqa: PLC0415
    from verify.gate.rounds import EmptyError  # noqa: PLC0415
    from verify.outputs import write_json  # noqa: PLC0415

    try:
        runs = gating.aa(wanted, plan, settings, trials, listener)
    except EmptyError as error:
        fail(str(error), EMPTY)
    record = calibrated.record(runs, settings, plan.slow)
    calibrated.keep(wanted.store, record)
    if "json" in outputs.files:
        write_json(outputs.files["json"], record)
    with outputs.aside():
        for line in calibrated.lines(record):
            typer.echo(line)
    raise typer.Exit(calibrated.exit_code(record))


_BESIDE = ("progress", "store", "save", "json_", "markdown", "junit_xml", "sarif")
"""Options on which no verdict depends."""
