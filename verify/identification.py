"""`identify` for a target named by a string or held live."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from verify.adapters.isolated import DEFAULT_MEMORY, DEFAULT_TIMEOUT, target_of
from verify.campaign import default_oracle
from verify.case import Case
from verify.cases import UsageError, method_key
from verify.convention import Identification
from verify.convention import identify as identify_target
from verify.oracle import Oracle
from verify.result import TargetError

LEVELS = ("matrices", "step", "scan")


def identify(
    target: Any,
    *,
    level: str | None = None,
    method: str | None = None,
    dt: float | None = None,
    target_arg: Mapping[str, Any] | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    memory_limit: int | None = DEFAULT_MEMORY,
    oracle: Oracle | None = None,
) -> Identification:
    """Conventions that explain a target, best first, or the closest operators if it is no HiPPO operator.

    Args:
        target: as for `verify.check`.
        level: ``matrices``, ``step`` or ``scan``; default: the first of these that it offers.
        method: rule of a step or scan; None: it is found.
        dt: sample spacing of a step or scan; None: the law is found, and a window shows as its number of samples.
        target_arg: keywords passed on to the target.
        timeout: seconds per call into a worker.
        memory_limit: bytes a worker may hold.
        oracle: exact answers.

    Returns:
        The matches, best first, each with its residual; where there is none, the closest operators and what differs.

    Raises:
        UsageError: a level, rule or dt that is not accepted.
        TargetError: the target cannot be loaded or gives no answer.
    """
    if level is not None and level not in LEVELS:
        raise UsageError(f"level is {level!r}; accepted: {', '.join(LEVELS)}")
    rule = None if method is None else method_key(method)
    if dt is not None and not (math.isfinite(dt) and dt > 0):
        raise UsageError(f"dt is {dt}; accepted: a number above 0")
    subject = target_of(target, level, arguments=target_arg, timeout=timeout, memory_limit=memory_limit)
    try:
        offered = subject.levels()
        chosen = level or next((name for name in LEVELS if name in offered), None)
        if chosen is None:
            raise TargetError(
                "load", f"it offers {', '.join(offered)}; identification needs one of {', '.join(LEVELS)}"
            )
        measure, parameters = "legs", {}
        adapter = getattr(subject, "adapter", None)
        if adapter is not None:
            # Our adapters are told what to be: they are asked to be the first thing that they have.
            measure, parameters = next(iter(adapter.measures.items()))
        case = Case(
            subject.name, measure=measure, method=rule or "bilinear", level=chosen, dt=dt,
            parameters=tuple(parameters.items()),
        )  # fmt: skip
        return identify_target(
            subject, case, oracle or default_oracle(), methods=None if rule is None else (rule,),
            spaced=dt is not None, closest=True,
        )  # fmt: skip
    finally:
        subject.close()
