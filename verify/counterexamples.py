"""Counterexamples that travel: each failure as a file that any program can be asked about again.

A failure that shows in one call becomes a document of vectors (``hippo-vectors/1``): the input, certified answers with
their radius, and in the header what failed and what was answered. Its input is made smaller first (`verify.shrinking`),
and the one that fails worst is kept beside it. Before a document is written the target is asked once more and judged by
it, so whoever replays the file sees the failure. A failure that shows only between calls (a sum, a repetition, another
timescale), or in an answer that no vector asks for, becomes a file of calls (`verify.journal`) and is replayed by its
check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from verify.adapters import ADAPTERS
from verify.adapters.isolated import IsolatedTarget
from verify.campaign import Report
from verify.case import STEPPING, Case
from verify.checks import CHECKS, Suite
from verify.checks.base import SHRINK_CALLS, Finding, Undecidable
from verify.convention import settle
from verify.folders import write_whole
from verify.inputs import Batch, Input, Order, ReadOut, Resumption, Signal, TimedSignal, Transition, read_input
from verify.journal import Call, Calls, JournaledTarget, input_of, left_behind
from verify.oracle import Oracle, PrecisionError
from verify.result import Result, Target, TargetError, Wrapped
from verify.shrinking import cost, shrink
from verify.vectors.documents import certified, counterexample_text
from verify.vectors.judge import Question, judge_answer
from verify.verdict import INTERFACE, Status, Verdict

Array = np.ndarray[Any, np.dtype[Any]]
Vector = Mapping[str, Any]

CALLS_KEPT = 64
"""Calls in a file of calls, the first ones that are not too long; the check repeats them all."""
LARGEST = 8192
"""Numbers in the answer to a call that are certified, some tenths of a second; a longer signal is cut to its start."""
TRIED = 8
"""Calls of a check that kept no input of which each is judged by itself, the first ones."""


def vectors_of(call: Call) -> list[dict[str, Any]]:
    """The vectors that judge the answer to a call; empty where it is too long, or where no limit is derived for it."""
    check = CHECKS.get(call.case.level)  # that of the level itself: its limits are those of the judge
    if _numbers(call) > LARGEST or (check is not None and check.why_not(call.case) is not None):
        return []
    return certified(call.case, call.input, call.id)


def judge_call(
    call: Call, vectors: Iterable[Vector], result: Result, oracle: Oracle, normwise: bool = False
) -> tuple[Finding, list[list[float]] | None]:
    """What certified answers say of the answer to a call, and that answer row by row, one list for each vector.

    Args:
        call: what was asked.
        vectors: its vectors, see `certified`.
        result: what was answered.
        oracle: sizes of operators, for the bounds.
        normwise: whether the target's matrices come out of a factorisation.

    Raises:
        Undecidable: the target gave the last state alone, and the vector does not hold it.
    """
    answered = _rows(call, result)
    if isinstance(answered, str):
        where = {"input": call.input.to_json(), "what": "the answer"}
        return Finding(Status.FAIL, np.inf, 0.0, np.inf, 1, where, answered, INTERFACE), None
    findings, got = [], []
    for stream, (vector, rows) in enumerate(zip(vectors, answered, strict=True)):
        last = max(vector["rows"]) >= len(rows)  # the last state alone was given
        asked = _last_row(vector) if last else vector
        numbers = (rows[-1:] if last else rows[vector["rows"]]).ravel().tolist()
        finding, _ = judge_answer(Question(asked, call.case.target, call.case.dtype, normwise), numbers, oracle)
        if len(answered) > 1 and finding.message:
            finding = replace(finding, message=f"stream {stream}: {finding.message}")
        findings.append(finding)
        got.append([float(x) for x in numbers])
    rank = {Status.FAIL: 2, Status.INCONCLUSIVE: 1}
    worst = max(findings, key=lambda item: (rank.get(item.status, 0), item.ratio))
    worst = replace(worst, worst={"input": call.input.to_json(), **worst.worst})
    return replace(worst, compared=sum(item.compared for item in findings)), got


def _rows(call: Call, result: Result) -> list[Array] | str:
    """The answer as rows of each vector; a target may give the last state alone; or what is wrong with its form."""
    case, item = call.case, call.input
    if result.malformed:
        return result.malformed
    if case.level == "matrices":
        A, B = result.arrays["A"], result.arrays["B"]
        if A.shape != (case.order, case.order) or B.shape != (case.order,):
            return f"A, B have shapes {A.shape}, {B.shape}, expected {(case.order, case.order)}, {(case.order,)}"
        return [np.concatenate([A, B[:, None]], axis=1)]
    value = result.value
    N, arguments = case.order, item.arguments(case)
    whole = {
        "step": (N,),
        "scan": (*np.shape(arguments[0]), N),
        "timed_scan": (*np.shape(arguments[0]), N),
        "batch_scan": (*np.shape(arguments[0]), N),
        "resume": (*np.shape(arguments[1]), N),
        "gradient": (N, *np.shape(arguments[0])),
        "reconstruct": np.shape(arguments[1]),
    }[case.level]
    last = (*whole[:-2], N) if case.level in ("scan", "timed_scan", "batch_scan", "resume") else whole
    if value.shape not in (whole, last):
        return f"value has shape {value.shape}, expected {whole}"
    if case.level == "gradient":
        return [value.T]
    if case.level == "reconstruct":
        return [value[:, None]]
    if case.level == "batch_scan":
        return list(value if value.ndim == 3 else value[:, None])
    return [np.atleast_2d(value)]


def _last_row(vector: Vector) -> Vector:
    if vector["rows"][-1] != len(vector["samples"]) - 1:
        raise Undecidable(f"the target gives the last state alone, which is not among the rows {vector['rows']}")
    answer, width = vector["answer"], vector["answer"]["shape"][1]
    last = {"shape": [1, width], "values": answer["values"][-width:], "radius": answer["radius"][-1:]}
    return {**vector, "rows": vector["rows"][-1:], "answer": last}


@dataclass(frozen=True)
class Shown:
    """A call, its vectors, and what the target's answer to it is worth."""

    call: Call
    vectors: list[dict[str, Any]]
    finding: Finding
    got: list[list[float]] | None


@dataclass
class Collector:
    """Turns the failing verdicts on one target into files.

    Args:
        folder: where they go.
        target: asked again, smaller and smaller.
        oracle: exact answers.
        suite: of the verdicts, for checks that are repeated as a whole.
        files: what was written is listed here.
    """

    folder: Path
    target: Target
    oracle: Oracle
    suite: Suite
    files: list[dict[str, Any]]
    _names: dict[str, str] = field(default_factory=dict)
    _shown: dict[str, Shown | None] = field(default_factory=dict)
    _small: dict[str, list[Input]] = field(default_factory=dict)

    def add(self, verdict: Verdict) -> Verdict:
        """The verdict with the names of its files in ``details``, if it is a failure or an error that left an input.

        Raises:
            OSError: a file cannot be written.
        """
        if verdict.status is Status.FAIL:
            names = self._failure(verdict)
        elif verdict.status is Status.ERROR and "call" in (verdict.worst or {}):
            names = [self._error(verdict)]
        else:
            return verdict
        return replace(verdict, details={**verdict.details, "counterexamples": list(dict.fromkeys(names))})

    def _failure(self, verdict: Verdict) -> list[str]:
        case = verdict.case
        kept = verdict.details.get("smallest") or verdict.worst
        places = [[Call(case, item) for item in _inputs(case, place)] for place in (kept, verdict.worst)]
        recorded: list[Call] = []
        if not any(places):
            recorded = self._recorded(verdict)
            places = [[call for call in recorded if call.case == case][:TRIED]] * 2
        names = []
        for which, calls in zip(("smallest", "worst"), places, strict=True):
            failing = next((call for call in map(_cut, map(_given, calls)) if self._fails(call)), None)
            if failing is not None:
                call = Call(case, self._smaller(case, failing.input)) if which == "smallest" else failing
                shown = self._show(call)
                assert shown is not None  # noqa: S101 -- it fails
                names.append(self._write(verdict, which, call, shown))
        if not names:
            unique = {call.id: call for call in recorded or map(_given, [*places[0], *places[1]])}
            kept_calls = [call for call in unique.values() if _numbers(call) <= LARGEST][:CALLS_KEPT]
            names.append(self._write_calls(verdict, "calls", kept_calls, len(unique) - len(kept_calls)))
        return names

    def _error(self, verdict: Verdict) -> str:
        call = Call.from_json((verdict.worst or {})["call"])
        vectors = vectors_of(call)
        if not vectors:
            return self._write_calls(verdict, "error", [call])
        nothing = Finding(Status.FAIL, np.inf, 0.0, np.inf, 0, {}, verdict.message)
        return self._write(verdict, "error", call, Shown(call, vectors, nothing, None))

    def _show(self, call: Call) -> Shown | None:
        """The target's answer to a call, judged; None if it cannot be."""
        if call.id not in self._shown:
            self._shown[call.id] = None
            vectors = vectors_of(call)
            if vectors:
                try:
                    result = self.target.call(call.case, *call.input.arguments(call.case))
                    finding, got = judge_call(call, vectors, result, self.oracle, self.target.normwise)
                except (TargetError, PrecisionError, Undecidable):
                    return None
                self._shown[call.id] = Shown(call, vectors, finding, got)
        return self._shown[call.id]

    def _fails(self, call: Call) -> bool:
        shown = self._show(call)
        return shown is not None and shown.finding.status is Status.FAIL

    def _smaller(self, case: Case, item: Input) -> Input:
        """The smallest input that fails; what was smallest in another case is tried first."""

        def fails(candidate: Input) -> bool:
            return self._fails(Call(case, candidate))

        small = self._small.setdefault(case.level, [])
        for known in small:
            given = _given(Call(case, known)).input
            if _fits(given, case.order) and cost(given) < cost(item) and fails(given):
                item = given
                break
        item = shrink(item, fails, SHRINK_CALLS)
        if item not in small:
            small.append(item)
        return item

    def _recorded(self, verdict: Verdict) -> list[Call]:
        """The calls of a check that kept none of its inputs: it is run once more."""
        listener = _Listener(self.target)
        CHECKS[verdict.check].run(verdict.case, self.oracle, listener, self.suite)
        return list(listener.calls.values())

    def _about(self, verdict: Verdict, which: str) -> dict[str, Any]:
        return {
            "check": verdict.check,
            "claim": verdict.claim,
            "which": which,
            "status": str(verdict.status),
            "message": verdict.message,
            "suite": self.suite.name,
            "seed": self.suite.seed,
        }

    def _write(self, verdict: Verdict, which: str, call: Call, shown: Shown) -> str:
        if call.id not in self._names:
            got = None if shown.got is None else [[x.hex() for x in values] for values in shown.got]
            about = {**self._about(verdict, which), **call.to_json(), "got": got}
            about["message"] = shown.finding.message or verdict.message
            self._put(call.id, verdict, call.case, which, about["message"], counterexample_text(shown.vectors, about))
        return self._names[call.id]

    def _write_calls(self, verdict: Verdict, which: str, calls: list[Call], left_out: int = 0) -> str:
        key = f"{verdict.check}:{verdict.case.id}:{which}:{','.join(call.id for call in calls)}"
        if key not in self._names:
            about = {**self._about(verdict, which), "case": verdict.case.to_json(), "left_out": left_out}
            text = Calls(tuple(calls), about).text()
            self._put(key, verdict, verdict.case, which, verdict.message, text)
        return self._names[key]

    def _put(self, key: str, verdict: Verdict, case: Case, which: str, message: str, text: str) -> None:
        method = [case.method] if case.level in STEPPING else []
        dtype = [case.dtype] if case.dtype != "float64" else []
        name = key if ":" not in key else verdict.case.id
        parts = [case.measure, case.level, f"N{case.order}", *method, *dtype, verdict.check, which, name]
        path = self.folder / f"{'-'.join(parts)}.json"
        write_whole(path, text.encode("ascii"))
        self._names[key] = str(path)
        self.files.append(
            {"file": str(path), "which": which, "check": verdict.check, "case": case.describe(), "message": message}
        )


def _given(call: Call) -> Call:
    """The call with the numbers that the target is given: those of its input in the arithmetic of the case."""
    return Call(call.case, input_of(call.case.level, call.input.arguments(call.case)))


def _numbers(call: Call) -> int:
    """Numbers in the answer to a call."""
    rows = getattr(call.input, "values", getattr(call.input, "points", None))
    match call.input:
        case Order():
            return call.case.order * (call.case.order + 1)
        case Batch(streams):
            return call.case.order * sum(map(len, streams))
    return call.case.order * max(len(rows or ()), 1)


def _cut(call: Call) -> Call:
    """The start of a call whose answer is too long to be certified, where it has one."""
    if _numbers(call) <= LARGEST:
        return call
    length = max(LARGEST // call.case.order, 1)
    match call.input:
        case Signal(values) | Resumption(values=values) as item:
            return Call(call.case, replace(item, values=values[:length]))
        case TimedSignal(values, times) as timed:
            return Call(call.case, replace(timed, values=values[:length], times=times[:length]))
        case Batch(streams) as batch:
            share = max(length // len(streams), 1)
            return Call(call.case, replace(batch, streams=tuple(values[:share] for values in streams)))
    return call


def _fits(item: Input, order: int) -> bool:
    """Whether the state that an input holds, if any, is one of this order."""
    match item:
        case Transition(state) | Resumption(state) | ReadOut(state):
            return len(state) == order
    return True


def _inputs(case: Case, place: Mapping[str, Any] | None) -> list[Input]:
    """The inputs that a verdict kept: one, or those of several calls by name; a check may ask at other orders too."""
    if case.level in ("matrices", "factors"):
        return [Order()]
    record = (place or {}).get("input")
    if not isinstance(record, Mapping):
        return []
    whole = read_input(case.level, record)
    if whole is not None:
        return [whole] if _fits(whole, case.order) else []
    parts = [read_input(case.level, part) for part in record.values() if isinstance(part, Mapping)]
    return [part for part in parts if part is not None and _fits(part, case.order)]


class _Listener(Wrapped):
    """A target whose calls are kept."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.calls: dict[str, Call] = {}

    def call(self, case: Case, *arguments: Any) -> Result:
        call = Call(case, input_of(case.level, arguments))
        self.calls.setdefault(call.id, call)
        return self._target.call(case, *arguments)


def save(report: Report, folder: Path, target: Target, oracle: Oracle, suite: Suite, problem: str = "") -> None:
    """Write the counterexamples of a report, and say in it where they are; a folder that refuses them is said, too.

    Args:
        report: gains ``counterexamples``, and each failing verdict ``details["counterexamples"]``.
        folder: where they go; made when the first is written.
        target: as it was judged.
        oracle: exact answers.
        suite: of the verdicts.
        problem: why the call under way could not be written, or empty.
    """
    files: list[dict[str, Any]] = []
    collector = Collector(folder, target, oracle, suite, files)
    _collect(report, folder, lambda verdict: collector, files, problem)


def save_campaign(report: Report, folder: Path, oracle: Oracle, suite: Suite) -> None:
    """The same for a campaign over adapters, each in a worker of its own."""
    files: list[dict[str, Any]] = []
    collectors: dict[str, Collector] = {}

    def collector(verdict: Verdict) -> Collector:
        case = verdict.case
        key = replace(case, level="", order=1).id
        if key not in collectors:
            target: Target = JournaledTarget(IsolatedTarget(case.target))
            if ADAPTERS[case.target].convention == "auto":
                _, _, target = settle(target, case, oracle)
            collectors[key] = Collector(folder, target, oracle, suite, files)
        return collectors[key]

    try:
        _collect(report, folder, collector, files)
    finally:
        for made in collectors.values():
            made.target.close()


def _collect(
    report: Report,
    folder: Path,
    collector: Callable[[Verdict], Collector],
    files: list[dict[str, Any]],
    problem: str = "",
) -> None:
    for place, verdict in enumerate(report.verdicts):
        if verdict.status not in (Status.FAIL, Status.ERROR):
            continue
        try:
            report.verdicts[place] = collector(verdict).add(verdict)
        except OSError as error:
            problem = f"cannot write counterexamples into {folder}: {error.strerror or error}"
            break
    lost = [str(path) for path in left_behind(folder)]
    report.counterexamples = {"folder": str(folder), "files": files, "lost": lost, "problem": problem}
