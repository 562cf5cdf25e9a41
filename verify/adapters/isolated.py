"""A target in a process of its own, seen as any other target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from verify.adapters import ADAPTERS, entry_points
from verify.adapters.base import Adapter, Capabilities
from verify.adapters.described import described
from verify.adapters.exec_protocol import PREFIX, Program
from verify.case import LEVELS, Case
from verify.factored import NEEDED
from verify.isolation import Worker, WorkerError
from verify.result import LiveTarget, Result, Target, TargetError
from verify.text import error_line, one_line

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
    loader = "verify.adapters.exec_bridge:load" if name.startswith(PREFIX) else "verify.adapters.loading:load"
    return Worker(loader, spec, timeout=timeout, load_timeout=load_timeout, memory_limit=memory_limit)


class IsolatedTarget(Target):
    """Talks to a worker process; whatever happens there becomes a TargetError.

    Args:
        name: adapter, ``module:attr``, ``file.py:attr``, ``description.toml``, a registered name or ``exec:COMMAND``.
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
        if worker is None:
            entry_points.find(name)  # a name that means two things is refused before anything is started
        self.adapter: Capabilities | None = ADAPTERS.get(name) or described(name)
        self.takes_case = self.adapter is not None or name.startswith(PREFIX)
        self.watchable = not name.startswith(PREFIX)
        self.normwise = normwise or (self.adapter is not None and self.adapter.normwise)
        self._deaths = 0  # cases in a row that ended the worker
        self._died: dict[Case | None, TargetError] = {}
        self._last: TargetError | None = None
        self._levels: tuple[str, ...] | None = ADAPTERS[name].levels if name in ADAPTERS else None
        self._shared = worker is not None
        self._worker = worker or make_worker(
            name, level=level, arguments=arguments, timeout=timeout, memory_limit=memory_limit
        )

    def levels(self) -> tuple[str, ...]:
        """Levels offered; loads a target that is no adapter."""
        if self._levels is None:
            answer = self._ask(operation="levels")
            with _understood():
                if "program" in answer:
                    self.adapter = Program(self.name, answer["program"])
                found = answer["levels"]
                self._levels = tuple(level for level in LEVELS if level in found)
        return self._levels

    def why_not(self, case: Case) -> str | None:
        """The adapter's reason, or a stranger's."""
        self.levels()  # a program says what it has when it is started
        return super().why_not(case) if self.adapter is None else self.adapter.why_not(case)

    def call(self, case: Case, *arguments: Any) -> Result:
        """One call in the worker."""
        # A check may ask beside its case: what a program has said it lacks, it is not asked.
        reason = self.adapter.why_not(case) if isinstance(self.adapter, Program) else None
        if reason is not None:
            raise TargetError("unsupported", reason)
        watch = {"closely": True} if self._closely else {}
        answer = self._ask(operation="call", case=case.to_json(), arguments=list(arguments), **watch)
        with _understood():
            if "unsupported" in answer:
                raise TargetError("unsupported", one_line(answer["unsupported"]) or "the target does not say why")
            return _result(case.level, answer)

    def _ask(self, **request: Any) -> Any:
        case = request.get("case")
        asked = None if case is None else Case.from_json(case)
        if self._deaths >= GIVE_UP and self._last is not None:
            raise self._last
        if asked in self._died:
            raise self._died[asked]
        try:
            answer = self._answer(request)
        except WorkerError as error:
            evidence = {"traceback": error.traceback, "stdout": error.stdout, "stderr": error.stderr}
            message = f"{error.message} ({missing})" if (missing := self._missing()) else error.message
            failure = TargetError(error.kind, message, {k: v[-4000:] for k, v in evidence.items() if v})
            if error.kind in ("timeout", "crash", "exit", "memory", "load") or not self._worker.alive:
                self._deaths += GIVE_UP if error.kind == "load" else 1
                self._died[asked] = self._last = failure
            raise failure from None
        self._deaths = 0
        return answer

    def _missing(self) -> str | None:
        return self.adapter.missing() if isinstance(self.adapter, Adapter) else None

    def _answer(self, request: Mapping[str, Any]) -> Any:
        """Ask the worker; a fresh one too, where its end may be the doing of another target that it has served."""
        others = self._worker.served - {self.name} if self._worker.alive else set()
        try:
            answer = self._worker.call(**request)
        except WorkerError:
            if self._worker.alive or not others:
                raise
            answer = self._worker.call(**request)
        finally:
            self._worker.served.add(self.name)
        return answer

    def close(self) -> None:
        """End the worker, unless it is shared."""
        if not self._shared:
            self._worker.close()


@contextmanager
def _understood() -> Iterator[None]:
    """Read an answer. It is what the worker's process says, and that is the target's: it may say anything."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TargetError("protocol", f"The target's process sent no answer of ours ({error_line(error)}).") from None


def _result(level: str, answer: Mapping[str, Any]) -> Result:
    result = Result(
        dict(answer["arrays"]),
        one_line(answer["dtype"]),
        one_line(answer["malformed"]),
        answer["input_changed"] is True,
        tuple(one_line(name) for name in answer.get("state_changed", ())),
        answer.get("earlier_changed") is True,
    )
    for array in result.arrays.values():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiuc":
            raise TypeError(f"an array was expected, got {type(array).__name__}")
    needed = {"matrices": ("A", "B"), "factors": NEEDED}.get(level, ("value",))
    if not result.malformed and not set(needed) <= set(result.arrays):
        raise KeyError(f"{', '.join(needed)} expected")
    return result


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
