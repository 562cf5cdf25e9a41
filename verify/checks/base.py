"""What a check is: a claim, the cases it applies to, a judgement, and wrong candidates that it must reject."""

from __future__ import annotations

import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from verify.bounds import Limits
from verify.case import Case
from verify.defects import Defect
from verify.metrics import ratio, worst_index
from verify.oracle import Oracle, PrecisionError
from verify.result import Result, Target, TargetError
from verify.verdict import INTERFACE, Status, Verdict

Array = np.ndarray[Any, np.dtype[Any]]

MEANINGFUL = 0.1
"""A limit above this share of the judged quantity decides nothing: even its first digit would be free."""

SHRINK_CALLS = 60
"""Calls spent on making a failing input smaller; each may cost a call into another process."""


@dataclass(frozen=True)
class Suite:
    """How much is tried.

    Attributes:
        name: ``quick`` or ``full``.
        examples: drawn inputs per check and case, beside the fixed corpus.
        length: longest drawn signal.
        seed: seed of the draws.
    """

    name: str
    examples: int
    length: int
    seed: int = 0


QUICK = Suite("quick", examples=6, length=40)
FULL = Suite("full", examples=60, length=160)
SUITES = {"quick": QUICK, "full": FULL}


@dataclass(frozen=True)
class Finding:
    """One judged comparison.

    Attributes:
        status: PASS, FAIL or INCONCLUSIVE.
        measured: error at the worst place.
        bound: the limit that decided: forward for a pass, backward for a failure.
        ratio: error ÷ forward limit.
        compared: numbers compared.
        worst: place and values, JSON-able.
        message: empty for a pass.
        source: where the limits come from.
    """

    status: Status
    measured: float
    bound: float
    ratio: float
    compared: int
    worst: dict[str, Any]
    message: str = ""
    source: str = ""


class Undecidable(Exception):  # noqa: N818 -- a finding, not an error
    """Raised by a check when the case offers nothing to decide on; carries the reason."""


class Unoffered(Exception):  # noqa: N818 -- a reason, not an error
    """Raised by a check when it asks for more than the case does and the target has none of it; carries the reason."""


@dataclass
class Record:
    """Collects findings over the inputs of one check and case.

    ``details["largest_ratio"]`` is the largest finite error ÷ bound, and the name of the input it was reached on;
    ``details["targeted"]`` is how many of the draws told hypothesis theirs, see `explore`.
    """

    findings: int = 0
    compared: int = 0
    worst: Finding | None = None
    failure: Finding | None = None
    smallest: Finding | None = None
    undecided: Finding | None = None
    size: int = 0
    details: dict[str, Any] = field(default_factory=dict)

    def add(self, finding: Finding, size: int = 0) -> None:
        """Keep what matters of one finding; ``size`` orders inputs for the smallest counterexample."""
        self.findings += 1
        self.compared += finding.compared
        if self.worst is None or finding.ratio > self.worst.ratio:
            self.worst = finding
        if 0 < finding.ratio < math.inf and finding.ratio > self.details.get("largest_ratio", {"value": 0})["value"]:
            self.details["largest_ratio"] = {"value": finding.ratio, "input": _names(finding.worst.get("input"))}
        if finding.status is Status.FAIL:
            if self.failure is None or finding.ratio > self.failure.ratio:
                self.failure = finding
            if self.smallest is None or size < self.size:
                self.smallest, self.size = finding, size
        elif finding.status is Status.INCONCLUSIVE and (self.undecided is None or finding.ratio > self.undecided.ratio):
            self.undecided = finding


def series(values: Iterable[Any]) -> list[float | None]:
    """Numbers for the pictures of a report: six digits, None for what is no finite number."""
    return [float(f"{float(value):.6g}") if math.isfinite(float(value)) else None for value in values]


def _names(given: Any) -> str:
    """Names of the input, or inputs, a finding was made on; empty where it was made on none."""
    if not isinstance(given, Mapping):
        return ""
    return str(given["name"]) if "name" in given else " + ".join(filter(None, map(_names, given.values())))


def judge(
    error: Array,
    limits: Limits,
    *,
    truth: float | Array,
    scale: float | Array,
    got: Array,
    expected: Array,
    where: Callable[[tuple[int, ...]], dict[str, Any]],
    normwise: bool = False,
) -> Finding:
    """Compare errors with their limits, and decide only what the exact values are known well enough for.

    Args:
        error: errors, any shape; NaN counts as infinite.
        limits: limits of a broadcastable shape.
        truth: how far off each error may be because the exact value is known to a radius: a PASS keeps its limit with
            that added, a FAIL exceeds its limit with that taken away. 0 where a target is compared with itself.
        scale: size of the judged quantity; a forward limit above `MEANINGFUL` of it passes nothing but exact equality.
        got: values of the target; its first axes are those of ``error``.
        expected: exact values, rounded.
        where: names the place of an index: ``"what"`` for the message, and ``"got"``, ``"expected"`` where one number
            of a row tells more than the row.
        normwise: True if a PASS may use the backward limit (results of a factorisation).
    """
    error = np.where(np.isnan(error), np.inf, np.abs(error))
    if error.size == 0:
        raise Undecidable("nothing to compare")
    forward = np.broadcast_to(limits.forward, error.shape)
    backward = np.broadcast_to(limits.backward, error.shape)
    unknown = np.broadcast_to(np.nan_to_num(np.asarray(truth, dtype=float), nan=np.inf), error.shape)
    if normwise:  # what keeps the stricter limit is judged by it, for a wide one may decide nothing
        forward = np.where(ratio(error + unknown, forward) <= 1, forward, backward)
    size = np.broadcast_to(np.asarray(scale, dtype=float), error.shape)
    # Off by half of its size where accuracy is possible: wrong, however pessimistic the backward analysis is.
    possible = (forward <= MEANINGFUL * size) & np.isfinite(size)
    backward = np.where(possible, np.minimum(backward, np.maximum(forward, size / 2)), backward)
    with np.errstate(invalid="ignore"):
        # What is not a finite number is wrong, whatever is unknown of the truth.
        certain = np.where(np.isfinite(error), np.maximum(error - unknown, 0.0), np.inf)
    failed = np.where(np.isfinite(backward), ratio(certain, backward), 0.0)
    blurred = np.zeros(error.shape, dtype=bool)
    if np.any(failed > 1):
        index = worst_index(failed)
        status, bound = Status.FAIL, float(backward[index])
    else:
        passed = ratio(error, forward)
        # On one side of a limit as it stands, on either once the exact value's own radius is counted.
        blurred = (passed <= 1) & (ratio(error + unknown, forward) > 1)
        blurred |= (ratio(error, backward) > 1) & np.isfinite(backward)
        undecided = (passed > 1) | ((error + unknown > 0) & (forward > MEANINGFUL * size)) | blurred
        index = worst_index(np.where(undecided, np.inf, passed))
        status = Status.INCONCLUSIVE if undecided.any() else Status.PASS
        bound = float(forward[index])
    measured = float(error[index])
    place = where(index)
    worst = {"got": _plain(got[index]), "expected": _plain(expected[index]), **place}
    what = place.get("what", "the value")
    message = ""
    if status is Status.FAIL:
        message = (
            f"{what} is off by {measured:.3g}, and rounding explains at most {bound:.3g}: "
            f"got {_short(worst['got'])}, expected {_short(worst['expected'])}"
        )
    elif status is Status.INCONCLUSIVE and blurred[index]:
        message = (
            f"{what} is off by {measured:.3g} beside a limit of {bound:.3g}, and the exact value itself is known to "
            f"{float(unknown[index]):.3g} only, wider than the difference: nothing can be decided"
        )
    elif status is Status.INCONCLUSIVE and not np.isfinite(bound):
        message = f"{what} may leave the range of the dtype on the way: nothing can be decided"
    elif status is Status.INCONCLUSIVE and bound > MEANINGFUL * size[index]:
        message = (
            f"rounding alone may change {what} by {bound:.3g}, too much beside its size {size[index]:.3g} to decide: "
            "the rule amplifies rounding here; use a higher precision, a lower order or a stable rule"
        )
    elif status is Status.INCONCLUSIVE:
        message = (
            f"{what} is off by {measured:.3g}: more than accurately formed steps lose ({bound:.3g}), "
            f"less than a backward-stable implementation may lose ({backward[index]:.3g})"
        )
    quotient = float(ratio(error[index], np.asarray(bound)))
    return Finding(status, measured, bound, quotient, int(error.size), worst, message, limits.source)


def _plain(value: Any) -> Any:
    """JSON-able form of a number or row; what is not finite becomes text."""
    numbers = np.asarray(value, dtype=float)
    if numbers.ndim == 0:
        number = float(numbers)
        return number if np.isfinite(number) else repr(number)
    return [x if np.isfinite(x) else repr(x) for x in numbers[:64].tolist()]


def worst_coefficient(got: Array, signed: Array, exact: Array, weights: Array) -> dict[str, Any]:
    """The coefficient of a state that is most off, with its two values, for `judge`."""
    sizes = np.abs(signed * weights)
    index = int(np.argmax(np.where(np.isnan(sizes), np.inf, sizes)))
    return {"coefficient": index, "got": _plain(got[index]), "expected": _plain(exact[index])}


def _short(value: Any) -> str:
    if isinstance(value, str):
        return value
    numbers = np.asarray(value, dtype=float)
    if numbers.ndim == 0:
        return f"{float(numbers):.12g}"
    shown = ", ".join(f"{x:.6g}" for x in numbers[:4].tolist())
    return f"[{shown}{', ...' if numbers.size > 4 else ''}]"


class Check(ABC):
    """One property. A check sets the class attributes and is final.

    Attributes:
        key: its name.
        claim: what it says, in a sentence.
        levels: those it speaks of.
        beside: True if it compares no value at the order of the case. Whoever passes such checks alone may answer
            anything there, so their PASS counts beside another decided check only.
    """

    key: ClassVar[str]
    claim: ClassVar[str]
    levels: ClassVar[tuple[str, ...]]
    beside: ClassVar[bool] = False

    def why_not(self, case: Case) -> str | None:
        """None, or the reason why the property does not apply to a case at one of its levels."""
        return None

    def companions(self, case: Case) -> tuple[Case, ...]:
        """Further cases that the target must offer for the property to be examined."""
        return ()

    @abstractmethod
    def examine(self, case: Case, oracle: Oracle, target: Target, suite: Suite, record: Record) -> None:
        """Put findings into ``record``. May raise TargetError, Undecidable or Unoffered."""

    @abstractmethod
    def mutants(self, case: Case) -> Sequence[Defect]:
        """Wrong candidates for a case; the check must reject each."""

    def run(self, case: Case, oracle: Oracle, target: Target, suite: Suite) -> Verdict:
        """The verdict on one case."""
        record = Record()
        stopped = ""
        try:
            self.examine(case, oracle, target, suite, record)
        except TargetError as error:
            if record.failure is None and error.kind == "unsupported":
                # Also where it answered some inputs and refused a harder one: that is no pass.
                some = f" (it answered {record.findings} before)" if record.findings else ""
                return Verdict(self.key, self.claim, case, Status.UNSUPPORTED, message=error.message + some)
            if record.failure is None:
                evidence = {"kind": error.kind, **error.evidence}
                return Verdict(self.key, self.claim, case, Status.ERROR, message=error.message, worst=evidence)
        except Unoffered as reason:
            if record.findings == 0:
                return Verdict(self.key, self.claim, case, Status.UNSUPPORTED, message=str(reason))
        except Undecidable as reason:
            stopped = str(reason)
        except PrecisionError as reason:
            stopped = f"the exact answer is not known well enough: {reason}"
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # Ours, for a target's exceptions come as TargetError: one cell is lost, not the run it is part of.
            stopped = f"the check itself broke and decides nothing, please report it: {type(error).__name__}: {error}"
        chosen = record.failure or record.undecided or record.worst
        if chosen is None or (stopped and record.failure is None):
            return Verdict(self.key, self.claim, case, Status.INCONCLUSIVE, message=stopped or "no input was tried")
        details = {**record.details, "inputs": record.findings}
        if record.failure is not None and record.smallest is not None:
            details["smallest"] = record.smallest.worst
        return Verdict(
            self.key,
            self.claim,
            case,
            chosen.status,
            measured=chosen.measured,
            bound=chosen.bound,
            bound_source=chosen.source,
            compared=record.compared,
            worst=chosen.worst,
            message=chosen.message,
            details=details,
        )


def explore(
    corpus: Iterable[Any],
    strategy: Any,
    trial: Callable[[Any], tuple[Finding, int]],
    record: Record,
    suite: Suite,
    examples: int,
) -> None:
    """Try the corpus, then what hypothesis draws; a failure is made smaller within `SHRINK_CALLS`.

    Each draw tells hypothesis log2 of its error ÷ bound. After half of the draws, and after ten at the earliest,
    hypothesis goes on from the one with the largest and climbs, changing it number by number; so the quick suite does
    not climb.

    Hypothesis searches and shrinks; the verdict comes from ``record``, which keeps every failure it was shown, so a
    target that answers differently the second time cannot talk itself out of the first.

    Args:
        corpus: inputs tried first, in order; after a failure there nothing is drawn.
        strategy: hypothesis strategy of further inputs.
        trial: judges one input and gives its size.
        record: where findings go.
        suite: gives the seed.
        examples: number of draws.
    """
    for item in corpus:
        record.add(*trial(item))
        if record.failure is not None:
            return
    if examples <= 0:
        return
    # Imported here: listing checks and asking for help must not pay for it.
    import hypothesis  # noqa: PLC0415
    from hypothesis.errors import HypothesisException  # noqa: PLC0415

    left = [SHRINK_CALLS]
    fatal: list[TargetError] = []

    def body(item: Any) -> None:
        if fatal or left[0] <= 0:
            return
        if record.failure is not None:
            left[0] -= 1
        try:
            finding, size = trial(item)
        except TargetError as error:
            fatal.append(error)
            return
        record.add(finding, size)
        if finding.status is Status.FAIL:
            raise _Failed
        # An exact answer has no logarithm, and an infinite ratio nothing above it.
        if record.failure is None and 0 < finding.ratio < math.inf:
            hypothesis.target(math.log2(finding.ratio), label="error / bound")
            record.details["targeted"] = record.details.get("targeted", 0) + 1

    settings = hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=False,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.target, hypothesis.Phase.shrink),
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
    )
    decorate: Any = hypothesis.given(strategy)  # untyped in hypothesis: it returns a function without arguments
    search = hypothesis.seed(suite.seed)(settings(decorate(body)))
    try:
        with constants_of_nobody():
            search()
    except (_Failed, HypothesisException):
        # HypothesisException: it noticed that the failure comes and goes, or that the shrink budget ended it.
        if record.failure is None and not fatal:
            raise
    if fatal:
        raise fatal[0]


@contextmanager
def constants_of_nobody() -> Iterator[None]:
    """Draws depend on the seed alone: hypothesis also tries constants from the source of whatever is imported."""
    providers: Any = importlib.import_module("hypothesis.internal.conjecture.providers")
    names = ("_get_local_constants", "CONSTANTS_CACHE")
    if not all(hasattr(providers, name) for name in names):  # another hypothesis, without this habit
        yield
        return
    found = [getattr(providers, name) for name in names]
    nothing = providers.Constants()
    providers._get_local_constants = lambda: nothing
    providers.CONSTANTS_CACHE = type(found[1])(1024)
    try:
        yield
    finally:
        for name, value in zip(names, found, strict=True):
            setattr(providers, name, value)


class _Failed(Exception):  # noqa: N818 -- a finding, not an error
    """Tells hypothesis that the input shows a failure, so that it makes it smaller."""


def malformed(result: Result, name: str, shape: tuple[int, ...], place: dict[str, Any]) -> Finding | None:
    """None if the answer is an array of the shape; else the failing finding that says so."""
    message = result.malformed
    if not message and result.arrays[name].shape != shape:
        message = f"{name} has shape {result.arrays[name].shape}, expected {shape}"
    if not message:
        return None
    worst = {**place, "what": name, "expected": list(shape)}
    return Finding(Status.FAIL, float("inf"), 0.0, float("inf"), 1, worst, message, INTERFACE)


def states_of(result: Result, length: int, order: int, place: dict[str, Any]) -> Finding | None:
    """None if the answer is (L, N), or (N,) for the last state alone; else the failing finding."""
    if not result.malformed and result.value.shape == (order,):
        return None
    return malformed(result, "value", (length, order), place)
