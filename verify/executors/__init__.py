"""Where units are judged. `EXECUTORS` is the ordered table; one file each, imported when it is used."""

from __future__ import annotations

from importlib import import_module

from verify.executors.base import Batch, Executor, ExecutorError

EXECUTORS: dict[str, str] = {
    "serial": "verify.executors.serial:Serial",
    "processes": "verify.executors.processes:Processes",
    "dask": "verify.executors.dask_executor:Dask",
}
"""Name -> where its class is."""


def make_executor(key: str, cores: int, scheduler: str | None = None) -> Executor:
    """An executor by its name.

    Args:
        key: a name in `EXECUTORS`.
        cores: units under way at a time, at most.
        scheduler: address of a cluster, for an executor that uses one.

    Raises:
        ValueError: an unknown name, or a scheduler that the executor has no use for.
        ImportError: a library that it needs is not installed.
    """
    if key not in EXECUTORS:
        raise ValueError(f"executor is {key!r}; accepted: {', '.join(EXECUTORS)}")
    module, _, name = EXECUTORS[key].partition(":")
    made: Executor = getattr(import_module(module), name)(cores, scheduler)
    return made


__all__ = ["EXECUTORS", "Batch", "Executor", "ExecutorError", "make_executor"]
