"""The questions of files asked again: `verify.replay`, and counterexamples as tests of somebody's own suite."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from verify.adapters.isolated import DEFAULT_MEMORY, DEFAULT_TIMEOUT, target_of
from verify.campaign import Report, default_oracle
from verify.case import STEPPING, Case
from verify.cases import UsageError
from verify.checks import CHECKS, SUITES
from verify.checks.base import Undecidable
from verify.convention import settle
from verify.counterexamples import judge_call, vectors_of
from verify.inputs import Input, Order, ReadOut, Signal, TimedSignal, Transition
from verify.journal import CALLS, Call, JournaledTarget, input_of, read_calls
from verify.oracle import Oracle, PrecisionError
from verify.provenance import collect
from verify.result import Target, TargetError
from verify.vectors.checking import CLAIM
from verify.vectors.documents import COUNTEREXAMPLE, Document, read_document
from verify.vectors.files import records
from verify.vectors.judge import Question
from verify.verdict import Status, Verdict


@dataclass(frozen=True)
class Asked:
    """One thing to ask again.

    Attributes:
        name: id of the vector, or name of the file.
        check: key of the check that failed, or the group of a vector.
        call: what is asked; None: the check is run as a whole.
        case: of the call, or of the check.
        vectors: certified answers.
        suite: name and seed for a check that is run as a whole.
        own: whether the level is the file's own, so that a plain callable is taken for it.
    """

    name: str
    check: str
    case: Case
    call: Call | None = None
    vectors: Sequence[Mapping[str, Any]] = ()
    suite: tuple[str, int] = ("quick", 0)
    own: bool = True


def replay(
    target: Any,
    *paths: Path | str,
    measure: str | None = None,
    level: str | None = None,
    method: str | None = None,
    dtype: str | None = None,
    convention: str = "exact",
    accuracy: str = "entrywise",
    timeout: float = DEFAULT_TIMEOUT,
    memory_limit: int | None = DEFAULT_MEMORY,
    target_arg: Mapping[str, Any] | None = None,
    oracle: Oracle | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Ask a target exactly what is in files, and judge its answers by the certified ones beside them.

    Args:
        target: as for `verify.check`; it need not be the one that failed.
        paths: counterexamples, exported vectors, calls that a run left (``in-flight-*.json``), or folders of such.
        measure: ask what concerns this measure alone.
        level: the same for a level; a plain callable is taken for it.
        method: the same for a rule.
        dtype: arithmetic it is judged in; default: that in which it failed, ``float64`` for exported vectors.
        convention: see `verify.check`.
        accuracy: see there.
        timeout: see there.
        memory_limit: see there.
        target_arg: see there.
        oracle: see there.
        progress: see there.

    Returns:
        A verdict for every call; what the target does not offer is UNSUPPORTED.

    Raises:
        UsageError: nothing to ask.
        ValueError: a file that cannot be read, was changed, or is of another format.
    """
    wanted = {"measure": measure, "level": level, "method": method}
    name = target if isinstance(target, str) else getattr(target, "__name__", type(target).__name__)
    found = [asked for path in _files(map(Path, paths)) for asked in _asked(path, name, dtype)]
    kept = [asked for asked in found if all(_is(asked.case, what, value) for what, value in wanted.items())]
    if not kept:
        said = ", ".join(f"{what} {value!r}" for what, value in wanted.items() if value is not None)
        seen = "; ".join(dict.fromkeys(f"{a.case.measure} {a.case.level} {a.case.method}" for a in found[:8]))
        raise UsageError(f"nothing to ask with {said}: the files hold {seen}")
    truth = oracle or default_oracle()
    verdicts: list[Verdict] = []
    report = Report(name, verdicts, provenance=collect(0), convention_mode=convention)
    subjects: dict[str | None, Target] = {}
    settled: dict[tuple[Any, ...], Target] = {}
    try:
        for done, asked in enumerate(kept):
            if progress is not None:
                progress(asked.case.describe(), done, len(kept))
            form = level or (asked.case.level if asked.own else None)
            if form not in subjects:
                # The journal, without a file, tells an error which input it came from.
                subjects[form] = JournaledTarget(
                    target_of(
                        target, form, arguments=target_arg, timeout=timeout, memory_limit=memory_limit,
                        normwise=accuracy == "normwise",
                    )
                )  # fmt: skip
            subject = subjects[form]
            key = (form, asked.case.measure, asked.case.parameters)
            if convention == "auto" and key not in settled:
                try:
                    report.convention, _, settled[key] = settle(subject, asked.case, truth)
                except TargetError:
                    settled[key] = subject  # asked below, it will say so again
            verdicts.append(_verdict(asked, settled.get(key, subject), truth))
    finally:
        for subject in subjects.values():
            subject.close()
    if progress is not None:
        progress("done", len(kept), len(kept))
    return report


def _is(case: Case, what: str, value: str | None) -> bool:
    return value is None or getattr(case, what) == value or (what == "method" and case.level not in STEPPING)


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"{path}: no file *.json in this folder")
        found.extend(inside)
    if not found:
        raise UsageError("no file to replay; give at least one")
    return found


def _asked(path: Path, target: str, dtype: str | None) -> Iterator[Asked]:
    """What a file asks, whichever of the two formats it has."""
    form = _format(path)
    if form == CALLS:
        content = read_calls(path)
        check = content.about.get("check")
        if check in CHECKS and content.about.get("status") == "FAIL":
            suite = (str(content.about["suite"]), int(content.about["seed"]))
            case = replace(Case.from_json(content.about["case"]), target=target)
            yield Asked(path.name, check, replace(case, dtype=dtype or case.dtype), suite=suite)
            return
        for kept in content.calls:
            case = replace(kept.case, target=target, dtype=dtype or kept.case.dtype)
            call = Call(case, kept.input)
            yield Asked(path.name, str(check or "in-flight"), case, call, vectors_of(call))
        return
    document = read_document(path)
    about = document.header.get(COUNTEREXAMPLE)
    if about is not None:
        call = Call.from_json(about)
        case = replace(call.case, target=target, dtype=dtype or call.case.dtype)
        name = next(iter(document.vectors))
        yield Asked(name, str(about["check"]), case, Call(case, call.input), list(document.vectors.values()))
        return
    yield from _exported(document, target, dtype or "float64")


def _format(path: Path) -> str:
    """The format of a file, so far as it says one; what is wrong with the file its reader says."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        if path.name.startswith("in-flight-"):
            return CALLS
        header, _ = records(path, "vectors")  # JSON Lines, or compressed; or it raises
        return str(header.get("format"))
    return str(record.get("format")) if isinstance(record, dict) else ""


def _exported(document: Document, target: str, dtype: str) -> Iterator[Asked]:
    """Vectors that are nobody's failure: levels and inputs follow from their kinds."""
    for name, vector in document.vectors.items():
        question = Question(vector, target, dtype)
        case, samples = question.case, question.doubles("samples")
        item: Input | None
        match case.level:
            case "matrices":
                item = Order()
            case "step":
                item = Transition(question.doubles("state"), samples[0], int(vector["index"]), name)
            case "reconstruct":
                item = ReadOut(question.doubles("state"), question.doubles("points"), name)
            case "scan" if "timestamps" in vector:
                item = TimedSignal(samples, question.doubles("timestamps"), name)
                case = replace(case, level="timed_scan")
            case "scan" | "gradient":
                item = Signal(samples, name)
            case _:
                item = None
        if case.level not in STEPPING:  # a target may be told a rule and a step, whatever it is asked
            same = (v for v in document.vectors.values() if v["measure"] == case.measure and "method" in v)
            other = next((v for v in same if v["parameters"] == vector["parameters"]), None)
            like = case if other is None else Question(other, target, dtype).case
            case = replace(case, dt=like.dt, method=like.method if other is not None else "bilinear")
        call = None if item is None else Call(case, item)
        yield Asked(name, str(vector["group"]), case, call, [vector], own=False)


def _verdict(asked: Asked, target: Target, oracle: Oracle) -> Verdict:
    """The verdict on one call, or of a check that is repeated."""
    case, call = asked.case, asked.call
    details = {"vector": asked.name}

    def without(status: Status, message: str, worst: Mapping[str, Any] | None = None) -> Verdict:
        return Verdict(asked.check, CLAIM, case, status, message=message, worst=worst, details=details)

    if call is None and not asked.own:
        return without(Status.UNSUPPORTED, f"no level of a target answers a {case.level}")
    try:
        reason = target.why_not(case)
        if reason is not None:
            return without(Status.UNSUPPORTED, reason)
        if call is None:
            name, seed = asked.suite
            verdict = CHECKS[asked.check].run(case, oracle, target, replace(SUITES[name], seed=seed))
            return replace(verdict, details={**verdict.details, **details})
        arguments = call.input.arguments(case)
        if input_of(case.level, arguments).id != call.input.id:
            return without(Status.UNSUPPORTED, f"its inputs are not {case.dtype} numbers")
        result = target.call(case, *arguments)
        if not asked.vectors:
            message = "the target answers; what it should answer no vector says: check it at this level"
            return without(Status.INCONCLUSIVE, message)
        finding, _ = judge_call(call, asked.vectors, result, oracle, target.normwise)
    except TargetError as error:
        if error.kind == "unsupported":
            return without(Status.UNSUPPORTED, error.message)
        return without(Status.ERROR, error.message, {"kind": error.kind, **error.evidence})
    except (PrecisionError, Undecidable) as error:
        return without(Status.INCONCLUSIVE, f"nothing can be decided: {error}")
    return Verdict(
        asked.check, CLAIM, case, finding.status, measured=finding.measured, bound=finding.bound,
        bound_source=finding.source, compared=finding.compared, worst=finding.worst,
        message=f"{asked.name}: {finding.message}" if finding.message else "", details=details,
    )  # fmt: skip


class Counterexample:
    """One file asked of one target, to be called in a test: it fails with the verdict's message.

    What the target does not offer is skipped with its reason; what cannot be decided fails too.
    """

    def __init__(self, target: Any, path: Path, options: Mapping[str, Any]) -> None:
        self.target = target
        self.path = path
        self.options = options

    def __repr__(self) -> str:
        name = self.target if isinstance(self.target, str) else None
        return f"{name or getattr(self.target, '__name__', type(self.target).__name__)}-{self.path.stem}"

    def __call__(self) -> None:
        """Replay the file; fails or skips the calling test."""
        import pytest  # noqa: PLC0415 -- only where pytest runs

        report = replay(self.target, self.path, **self.options)
        for verdict in report.verdicts:
            if verdict.status not in (Status.PASS, Status.UNSUPPORTED):
                pytest.fail(f"{verdict.status}: {verdict.message} ({verdict.claim})", pytrace=False)
        if all(verdict.status is Status.UNSUPPORTED for verdict in report.verdicts):
            pytest.skip(report.verdicts[0].message)


def parametrize_with_counterexamples(
    targets: Iterable[Any], folder: Path | str, **options: Any
) -> Callable[[Callable[..., None]], Any]:
    """Decorator that runs a test once per target and file of a folder.

    ``@parametrize_with_counterexamples([my_legs], "tests/counterexamples")`` above ``def test_hippo(counterexample):
    counterexample()``. A folder without a file gives one skipped test.

    Args:
        targets: as for `verify.check`.
        folder: with the files; kept under version control, so that what was repaired stays repaired.
        options: of `replay`.

    Returns:
        The decorator; the test takes one argument, ``counterexample``, and calls it without any.

    Raises:
        UsageError: no such folder.
    """
    import pytest  # noqa: PLC0415

    if not Path(folder).is_dir():
        raise UsageError(f"folder is {str(folder)!r}: there is no such folder; make it, or give another")
    paths = sorted(Path(folder).glob("*.json"))
    found = [Counterexample(target, path, options) for target in targets for path in paths]
    return pytest.mark.parametrize("counterexample", found, ids=repr)
