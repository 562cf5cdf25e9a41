"""Units judged by the workers of a Dask cluster: one in this process, or that of a scheduler."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Self

from distributed import Future

from verify.executors.base import Batch, Done, Executor, ExecutorError, Work
from verify.executors.cluster.bench import judge_units, packed
from verify.executors.cluster.connection import Connection, one_line, remark
from verify.executors.cluster.likeness import likeness, threads

if TYPE_CHECKING:
    from verify.planning import Unit

MEET_SECONDS: Final = 3.0
"""To wait for the workers that are there to introduce themselves, before work is sized for them."""
WORKERS_SECONDS: Final = 120.0
"""To wait for a worker that can be used, while there is none."""
HOPELESS: Final = 10
"""Workers that leave while they have one and the same unit alone, after which to give up."""
GATHER_SECONDS: Final = 30.0
"""For the verdicts of a task to arrive; its worker may leave meanwhile, which is looked at then."""
_TICK: Final = 0.1  # seconds between two looks at the workers


@dataclass
class Task:
    """A batch, or a unit of one that is asked again.

    Attributes:
        units: each with its place in the plan.
        left: workers that have left while they had this unit alone.
    """

    units: list[tuple[int, Unit]]
    left: int = 0


@dataclass
class Flight:
    """A task under way."""

    worker: str
    task: Task
    future: Future


class Dask(Executor):
    """As many tasks at a time for each worker as it has threads, the next one when the verdicts of one are here.

    A worker that leaves is noticed, and what it had is asked again elsewhere; one that joins is used as soon as it has
    proven to be like this machine. What is under way is all that Dask knows of the plan. A unit that ends its judge is
    no matter of this side: the worker asks it again (`cluster.bench`).
    """

    key = "dask"

    def __init__(self, cores: int = 1, scheduler: str | None = None) -> None:
        super().__init__(cores)
        self._scheduler = scheduler
        self._cluster: Connection | None = None
        self._flights: dict[str, Flight] = {}
        self._again: deque[Task] = deque()
        self._landed: SimpleQueue[Future] = SimpleQueue()

    def __enter__(self) -> Self:
        self._connected()
        return self

    def _connected(self) -> Connection:
        if self._cluster is None:
            self._cluster = Connection(self._scheduler, self.cores)
            until = time.monotonic() + MEET_SECONDS
            while not self._cluster.met and time.monotonic() < until:
                time.sleep(_TICK / 2)
            if not self._cluster.workers:
                remark(
                    f"the scheduler has no worker that can be used yet; waiting for one, up to {WORKERS_SECONDS:g} s"
                )
            self.cores = sum(self._cluster.workers.values()) or self.cores
        return self._cluster

    def run(self, batches: Iterable[Batch], work: Work) -> Iterator[Done]:
        """Verdicts in the order in which they come."""
        todo, cluster, more, since = iter(batches), self._connected(), True, time.monotonic()
        while True:
            for worker in self._free(cluster):
                task = self._again.popleft() if self._again else _next(todo)
                if task is None:
                    more = False
                    break
                self._send(cluster, worker, task, work)
            if self._flights:
                since = time.monotonic()
            elif not self._again and not more:
                return
            if self._landed.empty():
                self.waiting()
            with contextlib.suppress(Empty):
                landed = self._landed.get(timeout=_TICK)
                yield from self._land(cluster, landed)
            self._mind(cluster, since)

    def _free(self, cluster: Connection) -> list[str]:
        """A worker for each of its threads that has nothing to do, those that have least to do first."""
        busy = Counter(flight.worker for flight in self._flights.values())
        places = [(rank, worker) for worker, most in cluster.workers.items() for rank in range(busy[worker], most)]
        return [worker for _, worker in sorted(places)]

    def _send(self, cluster: Connection, worker: str, task: Task, work: Work) -> None:
        key = f"hippo-verify-{uuid.uuid4().hex}"
        future = cluster.client.submit(
            judge_units, cluster.campaign, packed([unit for _, unit in task.units], work, likeness(), threads()),
            shelf=cluster.shelf, key=key, pure=False, workers=[worker], allow_other_workers=False,
        )  # fmt: skip
        self._flights[key] = Flight(worker, task, future)
        future.add_done_callback(self._landed.put)

    def _land(self, cluster: Connection, future: Future) -> Iterator[Done]:
        """What a task gave, once; one that gave nothing is asked again."""
        flight = self._flights.get(future.key)
        if flight is None:
            return  # it was asked again elsewhere
        task, raised = flight.task, None
        try:
            found, raised = future.result(timeout=GATHER_SECONDS)
        except TimeoutError:
            self._landed.put(future)  # its worker is leaving, or slow; `_mind` knows when it has left
            return
        except Exception as error:  # noqa: BLE001 -- of Dask or of a judge's beginning: what the work raised is a value
            found = []
            if future.status == "error" and type(error).__name__ != "KilledWorker":
                cluster.refuse(flight.worker, str(error) if isinstance(error, RuntimeError) else one_line(error))
            self._again.append(task)
        del self._flights[future.key]
        future.release()
        for (index, unit), verdicts in zip(task.units, found, strict=False):
            yield index, unit, verdicts
        if raised is not None:
            raised.add_note(f"on worker {flight.worker}, at {task.units[len(found)][1].case.describe()}")
            raise raised

    def _mind(self, cluster: Connection, since: float) -> None:
        """See who has left, and whether anybody is there."""
        where = self._scheduler or "of this process"
        if cluster.lost:
            told = f" ({cluster.errors[-1]})" if cluster.errors else ""
            raise ExecutorError(
                f"the scheduler {where} has gone{told}; what is finished is in the store, and the same command goes on "
                "from there, also with another scheduler"
            )
        for key, flight in list(self._flights.items()):
            if flight.worker not in cluster.alive:
                del self._flights[key]
                flight.future.release()
                self._again.extend(_rest(flight.task))
        if not cluster.workers and time.monotonic() - since > WORKERS_SECONDS:
            reasons = "".join(f"\n  {worker}: {why}" for worker, why in sorted(cluster.refused.items())[:10])
            raise ExecutorError(
                f"the scheduler {where} has had no worker that can be used for {WORKERS_SECONDS:g} s"
                + (f"; those it has are given no work:{reasons}" if reasons else "; start some: dask worker ADDRESS")
            )

    def stop(self) -> None:
        """Leave the cluster; one of our own ends."""
        for flight in self._flights.values():
            flight.future.release()
        self._flights.clear()
        self._again.clear()
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None

    def under_way(self) -> list[tuple[str, Unit]]:
        """Each worker that has work, and the first unit of it."""
        return [(flight.worker, flight.task.units[0][1]) for flight in list(self._flights.values())]


def _next(batches: Iterator[Batch]) -> Task | None:
    batch = next(batches, None)
    return None if batch is None else Task(list(batch.units))


def _rest(task: Task) -> list[Task]:
    """What to ask again after a worker has left: each unit for itself, so that none is held back by another."""
    if len(task.units) > 1:
        return [Task([unit]) for unit in task.units]
    if task.left + 1 == HOPELESS:
        raise ExecutorError(
            f"{HOPELESS} workers have left while they judged {task.units[0][1].case.describe()}: its judge did not "
            "fail, so they were ended from outside, or their machines have too little memory for it"
        )
    return [Task(task.units, task.left + 1)]
