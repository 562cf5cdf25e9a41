"""The command ``hippo-verify run``: arguments in, words and an exit code out."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from verify.invocation import Suite, fail, given_options, integers, interruptible, words
from verify.output_options import PARAMETERS, Outputs, with_outputs
from verify.report_command import make, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verify.executors import Executor
    from verify.planning import Absent, Plan

STOPPED: Final = 130
NOTHING: Final = 4
CRASHED: Final = 3
_BESIDE: Final = (
    *("progress", "store", "report", "workers", "executor", "scheduler", "wait", "dry_run"),
    *PARAMETERS,
)
"""Options on which no verdict depends."""


def _planned(context: typer.Context, path: Path | None) -> Path | None:
    """Let a plan be the defaults of the options that are not given."""
    if path is not None and not context.resilient_parsing:
        from verify.plan_file import read_plan  # noqa: PLC0415

        try:
            context.default_map = {**(context.default_map or {}), **read_plan(path)}
        except ValueError as error:
            fail(str(error))
    return path


@with_outputs
def run(
    context: typer.Context,
    plan: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            is_eager=True,
            callback=_planned,
            help="TOML file that says what is asked; an option that is given has the last word.",
        ),
    ] = None,
    targets: Annotated[
        str | None, typer.Option(help="Adapters, with commas, or own, third-party; default: all installed.")
    ] = None,
    measures: Annotated[str | None, typer.Option(help="Measures, with commas; default: all of each target.")] = None,
    orders: Annotated[str, typer.Option(help="Numbers of coefficients, with commas.")] = "4,8,16,32,64",
    methods: Annotated[str | None, typer.Option(help="Rules, with commas; default: all of each target.")] = None,
    dtypes: Annotated[str | None, typer.Option(help="Arithmetics, with commas; default: all of each target.")] = None,
    devices: Annotated[str, typer.Option(help="Where targets run, with commas: cpu, cuda.")] = "cpu",
    checks: Annotated[str | None, typer.Option(help="Checks, with commas; default: all.")] = None,
    suite: Annotated[Suite, typer.Option(help="How much is tried.")] = Suite.quick,
    seed: Annotated[int, typer.Option(help="Seed of the drawn inputs.")] = 0,
    executor: Annotated[
        str | None,
        typer.Option(help="serial, processes or dask; default: processes, or serial where there is one worker."),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Scheduler of a Dask cluster; default: one of this machine.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", "--jobs", min=0, help="Units judged at a time; 0: as many as cores.")
    ] = 0,
    timeout: Annotated[float, typer.Option(help="Seconds per call.")] = 60.0,
    store: Annotated[Path, typer.Option(file_okay=False, help="Folder for verdicts.jsonl.")] = Path(
        ".hippo-verify/run"
    ),
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="So long for another campaign in the folder to end.")
    ] = 0.0,
    expected: Annotated[
        Path | None, typer.Option(help="TOML file of expected failures (default: the one shipped).")
    ] = None,
    require_coverage: Annotated[
        str | None,
        typer.Option(metavar="VALUE", help="Exit with 5 unless so many cells are decided: a number, or a share: 90%."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(file_okay=False, help="Write the HTML report into this folder.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say how much that is, how long it takes and what is left out; run nothing."),
    ] = False,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
    *,
    outputs: Outputs,
) -> None:
    """Run the whole campaign: targets x measures x orders x rules x dtypes x devices x checks."""
    from verify import campaign, campaign_console, console, counterexamples  # noqa: PLC0415
    from verify.cases import SEED_MOST  # noqa: PLC0415
    from verify.checks import SUITES  # noqa: PLC0415
    from verify.coverage import Requirement  # noqa: PLC0415
    from verify.executors import ExecutorError, make_executor  # noqa: PLC0415
    from verify.folders import BusyError, alone  # noqa: PLC0415
    from verify.provenance import usable_cores  # noqa: PLC0415

    outputs.refuse_misuse()
    if not 0 < timeout < math.inf:
        fail(f"--timeout is {timeout}; accepted: seconds above 0")
    if abs(seed) > SEED_MOST:
        fail(f"--seed is {seed}; accepted: an integer of at most 63 bits")
    chosen, begun = replace(SUITES[suite.value], seed=seed), time.monotonic()
    try:
        required = None if require_coverage is None else Requirement.parse(require_coverage)
        names, absent = _targets(words(targets))
        units = campaign.plan(
            names, measures=words(measures), orders=integers(orders), methods=words(methods), dtypes=words(dtypes),
            devices=words(devices) or [], checks=words(checks), suite=chosen, timeout=timeout, absent=absent,
        )  # fmt: skip
        cores = workers or usable_cores() or 1
        judging = make_executor(executor or ("processes" if cores > 1 or scheduler else "serial"), cores, scheduler)
    except ValueError as error:
        fail(str(error))
    except ImportError as error:
        from verify.extras import bringing  # noqa: PLC0415

        fail(f"--executor {executor} needs {error.name}: {bringing(str(error.name).partition('.')[0])}")
    _refuse_nothing(units)
    if dry_run:
        _foresee(units, judging, outputs)
    watching, result = campaign_console.Watching(progress), None
    try:
        with interruptible(), watching:
            # Until all is told: who waits for the folder puts another store in the place of what is told of.
            context.with_resource(alone(store / "turn", wait=wait))
            result = campaign.run(
                units, store, executor=judging, expected=expected, seed=seed, watcher=watching, wait=wait
            )
        with interruptible():
            counterexamples.save_campaign(result, store / "counterexamples", campaign.default_oracle(), chosen)
    except BusyError as error:
        fail(f"--store: {error}, or give --wait SECONDS, or another --store")
    except ExecutorError as error:
        fail(f"--executor {judging.key}: {error}", CRASHED)
    except ValueError as error:
        fail(str(error))
    except OSError as error:
        fail(f"--store {store}: {error.strerror or error}")
    except KeyboardInterrupt:
        how = (
            f"the same command goes on from what is finished in {store}" if result is None
            else f"every verdict is in {store}, and some inputs of failures are not written"
        )  # fmt: skip
        typer.echo(f"hippo-verify: stopped; {how}", err=True)
        seconds = time.monotonic() - begun
        typer.echo(campaign_console.summary_line("stopped", STOPPED, watching.counts, seconds, store), err=True)
        raise typer.Exit(STOPPED) from None
    result.required = required
    result.provenance["command"] = ["hippo-verify", "run", *given_options(context, without=_BESIDE)]

    def tell() -> None:
        campaign_console.show_campaign(result, store)
        console.show_counterexamples(result, ["hippo-verify", "check", "TARGET"])
        if report is not None:
            written(lambda: make(store, report))
        seconds = time.monotonic() - begun
        line = campaign_console.summary_line(result.status, result.exit_code, result.counts, seconds, store)
        typer.echo(line, err=True)

    outputs.deliver(result, tell)


def _targets(asked: list[str] | None) -> tuple[list[str], list[Absent]]:
    """Keys of the adapters that are asked for, and those of a group that are not installed."""
    from verify.adapters import ADAPTERS  # noqa: PLC0415
    from verify.extras import bringing  # noqa: PLC0415
    from verify.plan_file import GROUPS  # noqa: PLC0415
    from verify.planning import Absent  # noqa: PLC0415

    def group(name: str) -> list[str]:
        return [key for key, adapter in ADAPTERS.items() if name == GROUPS[adapter.distribution is not None]]

    names: list[str] = []
    absent: list[Absent] = []
    for name in GROUPS if asked is None else asked:
        for key in group(name) if name in GROUPS else [name]:
            if name in GROUPS and ADAPTERS[key].version() is None:
                distribution = str(ADAPTERS[key].distribution)
                absent.append(Absent(key, f"{distribution} is not installed: {bringing(distribution)}"))
            else:
                names.append(key)
    order = list(ADAPTERS)
    return (sorted(names, key=order.index) if asked is None else names), absent


def _refuse_nothing(units: Plan) -> None:
    """End the command where no target has anything of what is asked."""
    from verify.planning import lacking  # noqa: PLC0415

    reason = "no check was asked for, or no order" if not units else lacking(units[0])
    if all(lacking(unit) for unit in units):
        fail(f"nothing was selected: no target has what is asked for ({reason})", NOTHING)


def _foresee(units: Plan, judging: Executor, outputs: Outputs) -> NoReturn:
    """Say what would be done, and end."""
    from verify import campaign_console  # noqa: PLC0415
    from verify.outputs.base import write_json  # noqa: PLC0415
    from verify.scheduling import Schedule  # noqa: PLC0415

    for name in outputs.files:
        if name != "json":
            fail(f"--{name} is given beside --dry-run, which has no verdicts; accepted: --json FILE")
    schedule = Schedule(units)
    found: Mapping[str, Any] = campaign_console.outlook(
        units, schedule.by_target(), judging.key, judging.cores, schedule.seconds_left(judging.cores)
    )
    path = outputs.files.get("json")
    if path is not None:
        try:
            write_json(path, found)
        except OSError as error:
            fail(f"--json: cannot write {path}: {error.strerror or error}")
    with outputs.aside():
        campaign_console.show_outlook(found)
    raise typer.Exit(0)
