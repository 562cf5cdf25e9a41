"""A target in a process of its own, seen as any other target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verify.adapters import ADAPTERS
from verify.case import LEVELS, Case
from verify.isolation import Worker, WorkerError
from verify.result import LiveTarget, Result, Target, TargetError, one_line

DEFAULT_TIMEOUT = 60.0
DEFAULT_MEMORY = 2 * 2**30
LOAD_FACTOR = 3
"""Importing a library may take longer than a call: so many times the timeout, from half a minute to three minutes."""
GIVE_UP = 3
"""Cases in a row at which a target dies, after which it is not started again: each hang costs a timeout."""


def make_worker(
    name: str,
    *,
    level: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    memory_limit: int | None = DEFAULT_MEMORY,
) -> Worker:
    """A worker that loads a target when first asked."""
    spec = {"target": name, "level": level, "arguments": dict(arguments or {})}
    load_timeout = min(max(LOAD_FACTOR * timeout, 30.0), 180.0)
    return Worker(
        "verify.adapters.loading:load", spec, timeout=timeout, load_timeout=load_timeout, memory_limit=memory_limit
    )


class IsolatedTarget(Target):
    """Talks to a worker process; whatever happens there becomes a TargetError.

    Args:
        name: adapter, ``module:attr`` or ``file.py:attr``.
        level: level of a plain callable.
        arguments: keywords passed on to it.
        timeout: seconds per call.
        memory_limit: bytes the worker may hold.
        normwise: True if its matrices come out of a factorisation.
        worker: a worker to share with other adapters of the same library; its owner closes it.
    """

    def __init__(
        self,
        name: str,
        *,
        level: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        memory_limit: int | None = DEFAULT_MEMORY,
        normwise: bool = False,
        worker: Worker | None = None,
    ) -> None:
        self.name = name
        self.adapter = ADAPTERS.get(name)
        self.normwise = normwise or (self.adapter is not None and self.adapter.normwise)
        self._deaths = 0  # cases in a row that ended the worker
        self._died: dict[Case | None, TargetError] = {}
        self._last: TargetError | None = None
        self._levels: tuple[str, ...] | None = self.adapter.levels if self.adapter else None
        self._shared = worker is not None
        self._worker = worker or make_worker(
            name, level=level, arguments=arguments, timeout=timeout, memory_limit=memory_limit
        )

    def levels(self) -> tuple[str, ...]:
        """Levels offered; loads a target that is no adapter."""
        if self._levels is None:
            found = self._ask(operation="levels")["levels"]
            self._levels = tuple(level for level in LEVELS if level in found)
        return self._levels

    def why_not(self, case: Case) -> str | None:
        """The adapter's reason, or a stranger's."""
        return super().why_not(case) if self.adapter is None else self.adapter.why_not(case)

    def call(self, case: Case, *arguments: Any) -> Result:
        """One call in the worker."""
        answer = self._ask(operation="call", case=case.to_json(), arguments=list(arguments))
        arrays = {name: np.asarray(value) for name, value in answer["arrays"].items()}
        return Result(arrays, one_line(answer["dtype"]), one_line(answer["malformed"]), answer["input_changed"])

    def _ask(self, **request: Any) -> Any:
        case = request.get("case")
        asked = None if case is None else Case.from_json(case)
        if self._deaths >= GIVE_UP and self._last is not None:
            raise self._last
        if asked in self._died:
            raise self._died[asked]
        try:
            answer = self._worker.call(**request)
        except WorkerError as error:
            evidence = {"traceback": error.traceback, "stdout": error.stdout, "stderr": error.stderr}
            failure = TargetError(error.kind, error.message, {k: v[-4000:] for k, v in evidence.items() if v})
            if error.kind in ("timeout", "crash", "exit", "memory", "load"):
                self._deaths += GIVE_UP if error.kind == "load" else 1
                self._died[asked] = self._last = failure
            raise failure from None
        self._deaths = 0
        return answer

    def close(self) -> None:
        """End the worker, unless it is shared."""
        if not self._shared:
            self._worker.close()


def target_of(
    target: Any,
    level: str | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    memory_limit: int | None = DEFAULT_MEMORY,
    normwise: bool = False,
) -> Target:
    """A target named by a string in a worker process, a live callable or object in this one."""
    if not isinstance(target, str):
        return LiveTarget(target, level, normwise=normwise)
    return IsolatedTarget(
        target, level=level, arguments=arguments, timeout=timeout, memory_limit=memory_limit, normwise=normwise
    )
