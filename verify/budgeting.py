"""`error_budget` and `error_budgets`: asks a target for a state and measures it against every truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import mpmath

from verify.adapters.isolated import DEFAULT_MEMORY, DEFAULT_TIMEOUT, IsolatedTarget
from verify.budget import Budget
from verify.campaign import EXIT, default_oracle, overall
from verify.candidates import NAMES, TILTED
from verify.case import DTYPES
from verify.cases import UsageError, make_case, reads_nodes
from verify.decomposition import Request
from verify.decomposition import measure as decomposed
from verify.oracle import Function, Oracle
from verify.provenance import collect
from verify.result import LiveTarget, Target, TargetError
from verify.signals import SIGNALS
from verify.signals import signal as named_signal
from verify.verdict import SCHEMA, Status

WINDOWS = 2
"""An invariant law runs for so many windows unless a time is given: the first one is filled from silence."""


@dataclass(frozen=True)
class Absent:
    """A cell without a budget: the target failed there, or has no such case.

    Attributes:
        order: N.
        length: L.
        dtype: arithmetic.
        status: ERROR or UNSUPPORTED.
        message: why.
        error: what the target raised, or None.
    """

    order: int
    length: int
    dtype: str
    status: Status
    message: str
    error: TargetError | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Every field but the exception."""
        return {
            name: str(value) if name == "status" else value for name, value in vars(self).items() if name != "error"
        }


@dataclass
class Budgets:
    """Budgets over orders, lengths and dtypes.

    Attributes:
        target: as the user wrote it.
        measure: key of the measure.
        signal: name of the signal.
        budgets: one for each cell that ran.
        absent: the other cells, each with its reason.
    """

    target: str
    measure: str
    signal: str
    budgets: list[Budget] = field(default_factory=list)
    absent: list[Absent] = field(default_factory=list)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Versions, commit, machine; looked up when first asked for."""
        return collect(0)

    @property
    def status(self) -> str:
        """``pass``, ``fail``, ``error``, ``inconclusive`` or ``empty``."""
        statuses = [str(cell.status) for cell in self.budgets] + [str(cell.status) for cell in self.absent]
        return overall({status: statuses.count(status) for status in statuses})

    @property
    def exit_code(self) -> int:
        """Exit code of the command line."""
        return EXIT[self.status]

    def to_json(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "schema": SCHEMA,
            "target": self.target,
            "measure": self.measure,
            "signal": self.signal,
            "status": self.status,
            "exit_code": self.exit_code,
            "budgets": [budget.to_json() for budget in self.budgets],
            "absent": [cell.to_json() for cell in self.absent],
            "provenance": self.provenance,
        }


def error_budget(
    target: Any,
    measure: str = "legs",
    *,
    signal: Any = "wave",
    order: int = 8,
    length: int = 200,
    method: str = "bilinear",
    dtype: str = "float64",
    time: Any = None,
    dt: float | None = None,
    theta: Any = None,
    alpha: Any = None,
    beta: Any = None,
    lipschitz: float | None = None,
    target_arg: Mapping[str, Any] | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    memory_limit: int | None = DEFAULT_MEMORY,
    oracle: Oracle | None = None,
) -> Budget:
    """Where the error of a computed state comes from.

    Args:
        target: as for `verify.check`; it must offer a scan, and a plain callable is taken for one.
        measure: key of the measure.
        signal: a name of `verify.signals.SIGNALS`, a function of mpmath numbers, or a `verify.oracle.Function`, such as
            `verify.signals.piecewise` makes.
        order: N.
        length: number of samples L, at the middles of L equal cells of [0, time] (trapezoid, foh: at L nodes).
        method: discretization rule.
        dtype: arithmetic of the target.
        time: when the state is read. Default: 1 for legs, else two windows (legs_lti and lagt: 2).
        dt: sample spacing of an invariant law, instead of a time, which then is ``length dt``. A target that is not
            told its step has one of its own: default theta/64, as for `verify.check`.
        theta: window length (legt, lmu, fout).
        alpha: exponent of lagt.
        beta: tilt of lagt.
        lipschitz: Lipschitz constant of the signal on the window, for a bound of the truncation; known for named ones.
        target_arg: keywords passed on to the target.
        timeout: seconds per call into a worker.
        memory_limit: bytes a worker may hold; None for no limit.
        oracle: exact answers. Default: kept in the user's cache folder for named signals, else for this call alone,
            since two functions may have one name.

    Returns:
        The parts, each with its size, share and advice, and the judgement of the rounding; norms are those of L2 of the
        measure, in the unit of the signal.

    Raises:
        UsageError: arguments that make no case, or one that the target does not have.
        TargetError: the target cannot be loaded, crashed, hung, or answered something that is no state.
        ArithmeticError: a signal of your own is too rough for 50 digits (`hippo_ref.PrecisionError`): let it compute in
            mpmath, and give its corners with `verify.signals.piecewise`.
    """
    found = error_budgets(
        target, measure, signal=signal, orders=(order,), lengths=(length,), dtypes=(dtype,), method=method, time=time,
        dt=dt, theta=theta, alpha=alpha, beta=beta, lipschitz=lipschitz, target_arg=target_arg, timeout=timeout,
        memory_limit=memory_limit, oracle=oracle,
    )  # fmt: skip
    for absent in found.absent:
        raise absent.error or UsageError(absent.message)
    return found.budgets[0]


def error_budgets(
    target: Any,
    measure: str = "legs",
    *,
    signal: Any = "wave",
    orders: Sequence[int] = (4, 8, 16),
    lengths: Sequence[int] = (50, 200, 800),
    dtypes: Sequence[str] = DTYPES,
    method: str = "bilinear",
    time: Any = None,
    dt: float | None = None,
    theta: Any = None,
    alpha: Any = None,
    beta: Any = None,
    lipschitz: float | None = None,
    target_arg: Mapping[str, Any] | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    memory_limit: int | None = DEFAULT_MEMORY,
    oracle: Oracle | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Budgets:
    """Budgets over every combination of orders, lengths and dtypes.

    Args:
        orders: numbers of coefficients.
        lengths: numbers of samples.
        dtypes: arithmetics.
        progress: called with a description, the number done and the number in all.
        target: as for `error_budget`, and so are the arguments that are not listed here.
        measure: key of the measure.
        signal: the signal.
        method: discretization rule.
        time: when the state is read.
        dt: sample spacing.
        theta: window length.
        alpha: exponent of lagt.
        beta: tilt of lagt.
        lipschitz: Lipschitz constant of the signal.
        target_arg: keywords passed on to the target.
        timeout: seconds per call.
        memory_limit: bytes a worker may hold.
        oracle: exact answers.

    Returns:
        A target that fails, or lacks a case, leaves an absent cell with the reason.

    Raises:
        UsageError: arguments that make no case.
    """
    for name, given in (("orders", orders), ("lengths", lengths), ("dtypes", dtypes)):
        if not given:
            raise UsageError(f"{name} is empty; give at least one")
    if target_arg and not isinstance(target, str):
        raise UsageError(
            "target_arg is for targets named by a string; bind keywords of a live one with functools.partial"
        )
    subject: Target = LiveTarget(target, "scan")
    told = False
    if isinstance(target, str):
        subject = IsolatedTarget(target, level="scan", arguments=target_arg, timeout=timeout, memory_limit=memory_limit)
        told = subject.takes_case
    keys = {"method": method, "time": time, "dt": dt, "theta": theta, "alpha": alpha, "beta": beta}
    try:
        requests = [
            _request(subject.name, measure, order, length, dtype, told=told, **keys)
            for order in dict.fromkeys(orders)
            for length in dict.fromkeys(lengths)
            for dtype in dict.fromkeys(dtypes)
        ]
        constant = _lipschitz(lipschitz)
        words = as_function(signal, requests[0].time, requests[0].window)[1]
        truth = oracle or (default_oracle() if isinstance(signal, str) else Oracle())
        found = Budgets(subject.name, measure, words)
        for done, request in enumerate(requests):
            if progress is not None:
                progress(f"{request.case.describe()} L={request.length}", done, len(requests))
            cell = (request.case.order, request.length, request.case.dtype)
            try:
                reason = subject.why_not(request.case)
                if reason is not None:
                    found.absent.append(Absent(*cell, Status.UNSUPPORTED, reason))
                    continue
                function, words, slope = as_function(signal, request.time, request.window)
                bound = slope if constant is None else constant
                found.budgets.append(decomposed(subject, request, function, words, bound, truth))
            except TargetError as error:
                found.absent.append(Absent(*cell, Status.ERROR, error.message, error))
    finally:
        subject.close()
    return found


def as_function(signal: Any, time: Fraction, window: Fraction) -> tuple[Function, str, float | None]:
    """A signal on the window that ends at a time, its name for people, and its Lipschitz constant there if it is known.

    Raises:
        UsageError: an unknown name, or neither a name nor a function.
    """
    if isinstance(signal, str) and signal in SIGNALS:
        return named_signal(signal, time, window), signal, SIGNALS[signal].slope / float(window)
    if isinstance(signal, Function):
        return signal, signal.name, None
    if callable(signal):
        name = str(getattr(signal, "__name__", type(signal).__name__))
        return Function(name, signal, lambda x: mpmath.diff(signal, x)), name, None
    raise UsageError(
        f"signal is {signal!r}; accepted: {', '.join(SIGNALS)}; from Python also a function of mpmath numbers, such as "
        "lambda x: mpmath.cos(3 * x), or a verify.oracle.Function"
    )


def _request(
    target: str,
    measure: str,
    order: int,
    length: Any,
    dtype: str,
    *,
    told: bool,
    method: str,
    time: Any,
    dt: float | None,
    **parameters: Any,
) -> Request:
    """A validated cell, with the exact time and step.

    Args:
        target: its name.
        measure: key of the measure.
        order: N.
        length: L.
        dtype: arithmetic.
        told: whether the target is told its step.
        method: discretization rule.
        time: when the state is read, or None.
        dt: step, or None.
        parameters: of the measure.
    """
    case = make_case(target, measure, order=order, method=method, level="scan", dtype=dtype, dt=dt, **parameters)
    if measure in TILTED:
        raise UsageError(
            f"measure is {measure!r}; accepted for a budget: {', '.join(key for key in NAMES if key not in TILTED)} "
            "(a tilted window rebuilds no signal in the norm of its measure)"
        )
    nodes = reads_nodes(case.method)
    least = 2 if nodes else 1  # rules that read nodes need both ends
    if isinstance(length, bool) or not hasattr(length, "__index__") or length < least:
        raise UsageError(f"length is {length!r}; accepted: an integer from {least}")
    steps = length - 1 if nodes else length
    theta = case.exact_parameters.get("theta")
    if time is not None and dt is not None:
        raise UsageError(f"time is {time} and dt is {dt}; accepted: one of them, since time = length dt")
    if case.dt is None:
        end = Fraction(1) if time is None else _time(time)
        return Request(case, length, end, end, None, refines=True)
    if dt is not None or (time is None and not told):
        # The step is a double that the target has; the end follows from it exactly.
        step = Fraction(case.dt)
        return Request(case, length, step * steps, theta or step * steps, step, refines=False)
    end = WINDOWS * (theta or Fraction(1)) if time is None else _time(time)
    step = end / steps
    case = make_case(
        target, measure, order=order, method=method, level="scan", dtype=dtype, dt=float(step), **parameters
    )
    return Request(case, length, end, theta or end, step, refines=True)


def _time(value: Any) -> Fraction:
    try:
        taken = Fraction(value.strip() if isinstance(value, str) else value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        taken = Fraction(0)
    if taken <= 0:
        raise UsageError(f"time is {value!r}; accepted: a number above 0, such as 2 or 1/3")
    return taken


def _lipschitz(value: Any) -> float | None:
    if value is None:
        return None
    try:
        taken = float(value)
    except (TypeError, ValueError, OverflowError):
        taken = math.nan
    if not 0 <= taken < math.inf:
        raise UsageError(f"lipschitz is {value!r}; accepted: a number from 0")
    return taken
