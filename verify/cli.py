"""The command line: arguments in, words and an exit code out. Heavy imports happen inside the commands."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from verify.bench.command import bench
from verify.claims_command import claims
from verify.dashboard.command import dashboard
from verify.gate.command import gate
from verify.history.command import history
from verify.invocation import Suite as SuiteName
from verify.invocation import fail, given_options, integers, words
from verify.output_options import PARAMETERS, Outputs, with_outputs
from verify.report_command import report
from verify.run_command import run

if TYPE_CHECKING:
    from verify.coverage import Requirement

app = typer.Typer(
    name="hippo-verify",
    help="Prove a HiPPO implementation right, or show where it is wrong.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

vectors = typer.Typer(help="Portable test vectors, for implementations in any language.", no_args_is_help=True)
app.add_typer(vectors, name="vectors")
certificate = typer.Typer(help="Conformance certificates, as check --certificate writes them.", no_args_is_help=True)
app.add_typer(certificate, name="certificate")


class Choice(StrEnum):
    """How conventions are treated."""

    exact = "exact"
    auto = "auto"


class Accuracy(StrEnum):
    """What a PASS asks of matrices."""

    entrywise = "entrywise"
    normwise = "normwise"


TargetName = Annotated[
    str,
    typer.Argument(
        help="package.module:attr, path/to/file.py:attr, description.toml, exec:COMMAND, or the name of an adapter or "
        "of a registered target."
    ),
]
Measure = Annotated[str, typer.Option(help="Measure it claims to be; see `hippo-verify measures`.")]
Method = Annotated[
    str, typer.Option(help="Rule: bilinear, backward_euler, euler, zoh, trapezoid, foh, gbt(a) or hold(d).")
]
Orders = Annotated[str, typer.Option(help="Numbers of coefficients, with commas.")]
Dtype = Annotated[str, typer.Option(help="Arithmetic it is judged in: float64 or float32.")]
Seed = Annotated[int, typer.Option(help="Seed of the drawn inputs.")]
RequireCoverage = Annotated[
    str | None,
    typer.Option(metavar="VALUE", help="Exit with 5 unless so many cells are decided: a number, or a share: 90%."),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"hippo-verify {version('hippo-verify')}")
        raise typer.Exit(0)


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def _bytes(text: str) -> int:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kKMGT]?)(i?)[bB]?\s*", text)
    if match is None:
        fail(f"--memory-limit is {text!r}; accepted: a size such as 512MiB or 2GiB")
    number, prefix, binary = match.groups()
    base = 1024 if binary else 1000
    size = float(number) * base ** " kMGT".index(prefix.replace("K", "k") or " ")
    if size > 2**60:
        fail(f"--memory-limit is {text!r:.40}; accepted: at most 1024 PiB")
    return int(size)


def _keywords(pairs: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key.isidentifier():
            fail(f"--target-arg is {pair!r}; accepted: KEY=VALUE")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
        except RecursionError:
            fail(f"--target-arg {key} is nested too deep: {value!r:.40}; accepted: KEY=VALUE")
    return found


@app.command()
@with_outputs
def check(
    context: typer.Context,
    target: TargetName,
    measure: Measure = "legs",
    level: Annotated[
        str | None, typer.Option(help="matrices, step, scan, reconstruct or gradient; default: all it offers.")
    ] = None,
    method: Method = "bilinear",
    theta: Annotated[str | None, typer.Option(help="Window length, for a measure on a window (default 1).")] = None,
    dt: Annotated[float | None, typer.Option(help="Sample spacing of invariant laws (default theta/64).")] = None,
    alpha: Annotated[str | None, typer.Option(help="Exponent of lagt, jacobi (default 0), gegenbauer (1).")] = None,
    beta: Annotated[str | None, typer.Option(help="Tilt of lagt (default 1), far exponent of jacobi (0).")] = None,
    orders: Orders = "4,8,16,32,64",
    dtype: Dtype = "float64",
    suite: Annotated[SuiteName, typer.Option(help="How much is tried.")] = SuiteName.quick,
    seed: Seed = 0,
    timeout: Annotated[float, typer.Option(help="Seconds per call.")] = 60.0,
    memory_limit: Annotated[str, typer.Option(help="Memory the target may hold, such as 2GiB.")] = "2GiB",
    convention: Annotated[
        Choice, typer.Option(help="auto: find, report and undo a consistent convention first.")
    ] = Choice.exact,
    accuracy: Annotated[
        Accuracy, typer.Option(help="normwise: the matrices come out of a factorisation.")
    ] = Accuracy.entrywise,
    target_arg: Annotated[list[str] | None, typer.Option(help="KEY=VALUE passed on to the target; repeatable.")] = None,
    expected: Annotated[Path | None, typer.Option(help="TOML file of expected failures.")] = None,
    require_coverage: RequireCoverage = None,
    replay: Annotated[
        list[Path] | None,
        typer.Option(
            help="Ask again what a file says: counterexample, vectors, in-flight; or a folder of them; repeatable."
        ),
    ] = None,
    counterexamples: Annotated[
        Path, typer.Option(file_okay=False, help="Folder for the inputs of failures, and for the call under way.")
    ] = Path(".hippo-verify/counterexamples"),
    keep: Annotated[
        bool, typer.Option("--keep/--no-counterexamples", help="Whether the inputs of failures are kept.")
    ] = True,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
    *,
    outputs: Outputs,
) -> None:
    """Validate one implementation, or ask it again what a file says."""
    from verify import checking, console, replaying  # noqa: PLC0415
    from verify.vectors.checking import by_id  # noqa: PLC0415

    outputs.refuse_misuse()
    required = _requirement(require_coverage)
    if timeout <= 0:
        fail(f"--timeout is {timeout}; accepted: seconds above 0")
    given = [name for name in context.params if str(context.get_parameter_source(name)).endswith("COMMANDLINE")]
    for name in _NOT_REPLAYED if replay else ():
        if name in given:
            fail(f"--{name} is given beside --replay: it is in the file")
    for name in ("certificate", "badge") if replay else ():
        if name in outputs.files:
            fail(f"--{name} is given beside --replay: a few questions asked again are no check; run it without")
    with console.progress(progress) as show:
        try:
            report = replaying.replay(
                target, *replay, level=level, convention=convention.value, accuracy=accuracy.value, timeout=timeout,
                memory_limit=_bytes(memory_limit), target_arg=_keywords(target_arg or []), progress=show,
                measure=measure if "measure" in given else None, method=method if "method" in given else None,
                dtype=dtype if "dtype" in given else None,
            ) if replay else checking.check(
                target, measure, level, method=method, theta=theta, dt=dt, alpha=alpha, beta=beta,
                orders=integers(orders), dtype=dtype, suite=suite.value, seed=seed, timeout=timeout,
                memory_limit=_bytes(memory_limit), convention=convention.value, accuracy=accuracy.value,
                target_arg=_keywords(target_arg or []), expected=expected, progress=show,
                counterexamples=counterexamples if keep else None,
            )  # fmt: skip
        except ValueError as error:
            fail(str(error))
    report.required = required
    asking = ["hippo-verify", "check", target]
    report.provenance["command"] = [*asking, *given_options(context, without=_BESIDE)]

    def tell() -> None:
        console.show_check(report)
        console.show_counterexamples(report, [*asking, *given_options(context, only=_RETOLD)])

    outputs.deliver(report, tell, by_id(report) if replay else None)


_NOT_REPLAYED = ("orders", "theta", "dt", "alpha", "beta", "suite", "seed", "expected")
_RETOLD = ("target_arg", "convention", "accuracy", "timeout", "memory_limit")
"""Options of `check` that say how a target is asked, not what: a replay needs them too."""


_BESIDE = ("progress", "counterexamples", "keep", *PARAMETERS)
"""Options on which no verdict depends."""


def _requirement(text: str | None) -> Requirement | None:
    from verify.coverage import Requirement  # noqa: PLC0415

    try:
        return None if text is None else Requirement.parse(text)
    except ValueError as error:
        fail(str(error))


@app.command()
def identify(
    target: TargetName,
    level: Annotated[str | None, typer.Option(help="matrices, step or scan; default: the first it offers.")] = None,
    method: Annotated[
        str | None, typer.Option(help="Rule of a step or scan, such as zoh or gbt(1/3); default: it is found.")
    ] = None,
    dt: Annotated[
        float | None, typer.Option(help="Sample spacing; default: unknown, and a window shows as its samples.")
    ] = None,
    target_arg: Annotated[list[str] | None, typer.Option(help="KEY=VALUE passed on to the target; repeatable.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds per call.")] = 60.0,
    memory_limit: Annotated[str, typer.Option(help="Memory the target may hold.")] = "2GiB",
    json_: Annotated[bool, typer.Option("--json", help="Print the matches as JSON.")] = False,
) -> None:
    """Say which measure, scaling, sign, window, shift, rule and arithmetic an implementation has."""
    from verify import identification  # noqa: PLC0415
    from verify.result import TargetError  # noqa: PLC0415

    try:
        found = identification.identify(
            target, level=level, method=method, dt=dt, target_arg=_keywords(target_arg or []), timeout=timeout,
            memory_limit=_bytes(memory_limit),
        )  # fmt: skip
    except ValueError as error:
        fail(str(error))
    except TargetError as error:
        fail(f"{target}: {error.message}", 3)
    if json_:
        typer.echo(json.dumps({"schema": "hippo-verify/1", "target": target, **found.to_json()}, indent=2))
    else:
        for line in found.lines(target):
            typer.echo(line)
    raise typer.Exit(0 if found.matches else 1)


@app.command()
def budget(
    target: TargetName,
    measure: Measure = "legs",
    signal: Annotated[
        str, typer.Option(help="wave, chirp, front, runge, corner, cubic or constant, drawn on the window.")
    ] = "wave",
    orders: Orders = "4,8,16",
    lengths: Annotated[str, typer.Option(help="Numbers of samples, with commas.")] = "50,200,800",
    dtypes: Annotated[str, typer.Option(help="Arithmetics, with commas.")] = "float32,float64",
    method: Method = "bilinear",
    time: Annotated[
        str | None, typer.Option(help="When the state is read (default 1 for legs, else two windows).")
    ] = None,
    dt: Annotated[
        float | None, typer.Option(help="Sample spacing, instead of a time, for a target with a step of its own.")
    ] = None,
    theta: Annotated[str | None, typer.Option(help="Window length of legt, lmu, fout (default 1).")] = None,
    alpha: Annotated[str | None, typer.Option(help="Exponent of lagt (default 0).")] = None,
    beta: Annotated[str | None, typer.Option(help="Tilt of lagt (default 1).")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds per call.")] = 60.0,
    memory_limit: Annotated[str, typer.Option(help="Memory the target may hold, such as 2GiB.")] = "2GiB",
    target_arg: Annotated[list[str] | None, typer.Option(help="KEY=VALUE passed on to the target; repeatable.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the budgets as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write one page with the picture.")] = None,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
) -> None:
    """Say where an error comes from: truncation, closure, discretization, rounding, each against its own truth."""
    from verify import budget_console, budgeting, console, outputs  # noqa: PLC0415

    if timeout <= 0:
        fail(f"--timeout is {timeout}; accepted: seconds above 0")
    with console.progress(progress) as show:
        try:
            found = budgeting.error_budgets(
                target, measure, signal=signal, orders=integers(orders), lengths=integers(lengths, "--lengths"),
                dtypes=words(dtypes) or [], method=method, time=time, dt=dt, theta=theta, alpha=alpha, beta=beta,
                target_arg=_keywords(target_arg or []), timeout=timeout, memory_limit=_bytes(memory_limit),
                progress=show,
            )  # fmt: skip
        except ValueError as error:
            fail(str(error))
    record = found.to_json()
    if json_ is not None:
        try:
            outputs.write_json(json_, record)
        except OSError as error:
            fail(f"--json: cannot write {json_}: {error.strerror or error}")
    if html is not None:
        try:
            from verify.report.budget_page import write_budgets  # noqa: PLC0415

            write_budgets(html, record)
        except ImportError as error:
            fail(f"the page needs {error.name}: pip install 'hippo-verify[report]'")
        except OSError as error:
            fail(f"--html: cannot write {html}: {error.strerror or error}")
    budget_console.show_budgets(found)
    raise typer.Exit(found.exit_code)


@vectors.command("export")
def export_vectors(
    output: Annotated[Path, typer.Option(dir_okay=False, help=".json, or .jsonl for JSON Lines; .xz compresses.")],
    extent: Annotated[
        str, typer.Option("--set", help="quick (seconds) or frozen (minutes, the whole corpus).")
    ] = "quick",
    measures: Annotated[str | None, typer.Option(help="Keep these measures, with commas.")] = None,
    orders: Annotated[str | None, typer.Option(help="Keep these numbers of coefficients, with commas.")] = None,
    kinds: Annotated[
        str | None, typer.Option(help="Keep these: matrices, scan, step, reconstruct, gradient, projection.")
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="JSON Lines: a header, then a vector on each line.")] = False,
    jobs: Annotated[int, typer.Option(help="Processes; 0: as many as cores. The bytes do not depend on it.")] = 0,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
) -> None:
    """Write certified test vectors: inputs as hex floats, answers with a radius."""
    from verify import console  # noqa: PLC0415
    from verify.vectors import documents  # noqa: PLC0415

    try:
        with console.progress(progress) as show:
            written = documents.export(
                output, extent, measures=words(measures), orders=None if orders is None else integers(orders),
                kinds=words(kinds), lines=lines, jobs=jobs or os.cpu_count() or 1,
                progress=lambda done, total: show("vectors", done, total),
            )  # fmt: skip
    except LookupError as error:
        fail(f"nothing was selected: {error.args[0]}", 4)
    except ValueError as error:
        fail(str(error))
    except OSError as error:
        fail(f"--output: cannot write {output}: {error.strerror or error}")
    except KeyboardInterrupt:
        fail(f"stopped; {output} was not touched", 130)
    typer.echo(
        f"{output}: {written.vectors:,} vectors, {written.numbers:,} certified numbers, {written.size:,} bytes\n"
        f"sha256 of the document: {written.checksum}"
    )


@vectors.command("check")
@with_outputs
def check_vectors(
    context: typer.Context,
    answers: Annotated[Path, typer.Argument(dir_okay=False, help="Answers file, JSON or JSON Lines.")],
    against: Annotated[
        Path | None, typer.Option("--vectors", dir_okay=False, help="The vectors it answers (default: the quick set).")
    ] = None,
    max_unsupported: Annotated[
        int | None, typer.Option(min=0, help="Fail if more vectors than this are listed as unsupported.")
    ] = None,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
    *,
    outputs: Outputs,
) -> None:
    """Judge what a program answered, and name what is wrong."""
    from verify import console  # noqa: PLC0415
    from verify.vectors import checking  # noqa: PLC0415

    outputs.refuse_misuse()
    if str(answers).startswith("exec:"):
        fail(f"{answers} is a program: hippo-verify check {shlex.quote(str(answers))} --replay VECTORS asks it")
    try:
        with console.progress(progress) as show:
            report = checking.check(answers, against, max_unsupported=max_unsupported, progress=show)
    except ValueError as error:
        fail(str(error))
    asking = ["hippo-verify", "vectors", "check", str(answers)]
    report.provenance["command"] = [*asking, *given_options(context, without=_BESIDE)]
    outputs.deliver(report, lambda: console.show_check(report), checking.by_id(report))


@certificate.command("verify")
def verify_certificate(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="A certificate.")], json_: JsonFlag = False
) -> None:
    """Say whether a certificate was edited, and whether the code here is still the code it speaks of."""
    from verify import console  # noqa: PLC0415
    from verify.outputs import certified  # noqa: PLC0415

    try:
        found = certified.findings(certified.read_certificate(file))
    except ValueError as error:
        fail(str(error))
    if json_:
        rows = [{"what": item.what, "holds": item.holds, "text": item.text} for item in found]
        typer.echo(json.dumps({"schema": "hippo-verify/1", "file": str(file), "findings": rows}, indent=2))
    else:
        for item in found:
            console.show_finding(item.holds, item.what, item.text)
    raise typer.Exit(certified.exit_code(found))


app.command()(bench)
app.command()(claims)
app.command()(gate)
app.command()(dashboard)
app.command()(history)
app.command()(report)
app.command()(run)


@app.command()
def targets(json_: JsonFlag = False) -> None:
    """List the implementations we know, and those that installed packages offer, which are not imported for it."""
    from verify.adapters import ADAPTERS  # noqa: PLC0415
    from verify.adapters.entry_points import registered  # noqa: PLC0415

    rows = [
        {"key": key, "summary": adapter.summary, "version": adapter.version(), "levels": list(adapter.levels),
         "measures": {name: dict(fixed) for name, fixed in adapter.measures.items()}, "dtypes": list(adapter.dtypes),
         "distribution": adapter.distribution or "hippo-verify", "source": "adapter"}
        for key, adapter in ADAPTERS.items()
    ] + [
        {"key": one.name, "summary": one.problem or f"{one.target}, registered by {one.distribution}",
         "version": one.version, "levels": None, "measures": None, "dtypes": None, "distribution": one.distribution,
         "source": "entry point", "target": one.target, "problem": one.problem or None}
        for one in registered()
    ]  # fmt: skip
    _list(rows, json_, lambda row: f"{row['key']:<24} {row['version'] or 'not installed':<14} {row['summary']}")


@app.command()
def checks(
    json_: JsonFlag = False,
    power: Annotated[
        bool, typer.Option("--power", help="Measure which property rejects which seeded defect (minutes).")
    ] = False,
    suite: Annotated[SuiteName, typer.Option(help="How much is tried, with --power.")] = SuiteName.quick,
    seeds: Annotated[
        int, typer.Option(min=0, help="Seeds over which right variants are tried for false alarms, with --power.")
    ] = 140,
    defects: Annotated[str | None, typer.Option(help="Defects, with commas, with --power; default: all.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes, with --power; 0: as many as cores.")] = 0,
    markdown: Annotated[Path | None, typer.Option(help="Write the kill matrix as Markdown, with --power.")] = None,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
) -> None:
    """List the properties that are checked, or measure their power."""
    from verify.checks import CHECKS  # noqa: PLC0415

    if not power:
        if markdown is not None or defects is not None:
            fail("--markdown and --defects go with --power")
        rows = [{"key": key, "claim": check.claim, "levels": list(check.levels)} for key, check in CHECKS.items()]
        _list(rows, json_, lambda row: f"{row['key']:<16} {row['claim']}  [{', '.join(row['levels'])}]")
        return
    _power(suite, seeds, words(defects), jobs, json_, markdown, progress)


def _power(
    suite: SuiteName, seeds: int, defects: list[str] | None, jobs: int, json_: bool, markdown: Path | None, shown: bool
) -> NoReturn:

    from verify import console, power, power_console  # noqa: PLC0415
    from verify.checks import SUITES  # noqa: PLC0415
    from verify.defects import DEFECTS  # noqa: PLC0415

    unknown = [key for key in defects or () if key not in DEFECTS]
    if unknown:
        fail(f"--defects has {', '.join(unknown)}; accepted: {', '.join(DEFECTS)}")
    count = jobs or os.cpu_count() or 1
    try:
        with console.progress(shown) as show:
            found = power.power(SUITES[suite.value], defects=defects, jobs=count, progress=show)
            alarms = power.alarms(range(seeds), SUITES[suite.value], jobs=count, progress=show) if seeds else None
    except KeyboardInterrupt:
        fail("stopped; nothing was written", 130)
    if markdown is not None:
        try:
            from verify.folders import write_whole  # noqa: PLC0415

            write_whole(markdown, power_console.markdown(found, alarms).encode())
        except OSError as error:
            fail(f"--markdown: cannot write {markdown}: {error.strerror or error}")
    if json_:
        record = {"schema": "hippo-verify/1", **found.to_json(), "variants": alarms.to_json() if alarms else None}
        typer.echo(json.dumps(record, indent=2))
    else:
        power_console.show_power(found, alarms)
    raise typer.Exit(1 if found.survivors or (alarms is not None and alarms.false) else 0)


@app.command()
def measures(
    json_: JsonFlag = False,
    recognition: Annotated[
        bool, typer.Option("--recognition", help="Measure how many conventions identify recognises (minutes).")
    ] = False,
    jobs: Annotated[int, typer.Option(help="Processes, with --recognition; 0: as many as cores.")] = 0,
    every: Annotated[int, typer.Option(min=1, help="Try each n-th entry alone, with --recognition.")] = 1,
    markdown: Annotated[Path | None, typer.Option(help="Write the table as Markdown, with --recognition.")] = None,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
) -> None:
    """List the measures that can be checked and recognised, or measure how well they are recognised."""
    if recognition:
        _recognition(jobs, every, json_, markdown, progress)
    if markdown is not None:
        fail("--markdown goes with --recognition")
    from verify.cases import PARAMETERS  # noqa: PLC0415
    from verify.oracle import known_measures  # noqa: PLC0415

    rows = [{**row, "checked": row["key"] in PARAMETERS} for row in known_measures()]
    _list(
        rows, json_,
        lambda row: f"{row['key']:<10} {row['time_law']:<10} {row['closure']:<7} "
        + ("" if row["checked"] else "reference and vectors only; ")
        + ", ".join(f"{name} (default {value})" for name, value in row["parameters"].items()),
    )  # fmt: skip


def _recognition(jobs: int, every: int, json_: bool, markdown: Path | None, shown: bool) -> NoReturn:

    from verify import console, recognition, recognition_console  # noqa: PLC0415
    from verify.folders import write_whole  # noqa: PLC0415

    try:
        with console.progress(shown) as show:
            found = recognition.recognition(every=every, jobs=jobs or os.cpu_count() or 1, progress=show)
    except KeyboardInterrupt:
        fail("stopped; nothing was written", 130)
    if markdown is not None:
        try:
            write_whole(markdown, recognition_console.markdown(found).encode())
        except OSError as error:
            fail(f"--markdown: cannot write {markdown}: {error.strerror or error}")
    if json_:
        typer.echo(json.dumps({"schema": "hippo-verify/1", **found.to_json()}, indent=2))
    else:
        recognition_console.show(found)
    raise typer.Exit(1 if found.failures else 0)


def _list(rows: list[dict[str, Any]], as_json: bool, line: Any) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            typer.echo(line(row).rstrip())


def main() -> None:
    """Entry point of ``hippo-verify``."""
    # A target of the working directory is found as it is under `python -m`, but shadows nothing that is installed.
    here = os.getcwd()
    if not {here, ""} & set(sys.path):
        sys.path.append(here)
    app()


if __name__ == "__main__":
    main()
