"""Exact arrays between machines without a shared folder: the scheduler has a shelf, and knows who computes what.

A worker that misses an array asks for it. It is given the array, or told to compute it, or made to wait for the worker
that was told so; a worker that leaves the cluster gives up what it was to compute. The scheduler keeps arrays in the
cache folder of its machine, and in memory as many as there is room for. What arrives anywhere is held against its
checksum. Whatever goes wrong, an array is computed: that costs time alone.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from cloudpickle import dumps
from distributed import Scheduler, SchedulerPlugin

from verify.exact_store import Files, Recent, decoded
from verify.executors.cluster.bench import close_bench
from verify.executors.cluster.errand import NAME
from verify.folders import cache_folder

ROOM: Final = 128 * 2**20
"""Bytes of arrays in the memory of the scheduler."""
_WAIT: Final = 5.0  # seconds that one question may wait for its answer; the worker then asks again


class Shelf(SchedulerPlugin):  # type: ignore[misc] # Dask is half typed
    """The scheduler's side."""

    name = NAME
    idempotent = True  # campaigns share it: an array is named by all that it depends on

    async def start(self, scheduler: Scheduler) -> None:
        """Answer the questions of workers from now on."""
        self._scheduler = scheduler
        self._files = Files(cache_folder())
        self._recent = Recent[bytes](len, ROOM)
        self._holders: dict[str, str] = {}  # key -> address of the worker that computes it
        self._news = asyncio.Condition()
        self._campaigns: set[str] = set()
        self._ending: set[asyncio.Task[Any]] = set()
        scheduler.handlers[f"{NAME}_join"] = self.join
        scheduler.handlers[f"{NAME}_claim"] = self.claim
        scheduler.handlers[f"{NAME}_settle"] = self.settle

    def join(self, client: str) -> None:
        """Remember that a client is a campaign."""
        self._campaigns.add(client)

    async def claim(self, key: str, worker: str) -> dict[str, Any]:
        """``content``: the array. ``compute``: whether the worker is to; if neither, it asks again."""
        until = asyncio.get_running_loop().time() + _WAIT
        while True:
            content = self._recent.get(key) or await asyncio.to_thread(self._files.read, key)
            if content is not None and decoded(key, content) is not None:
                return {"content": self._recent.put(key, content)}
            if self._holders.get(key, worker) == worker:
                self._holders[key] = worker
                return {"compute": True}
            try:
                async with asyncio.timeout_at(until), self._news:
                    await self._news.wait()
            except TimeoutError:
                return {"compute": False}

    async def settle(self, key: str, content: bytes | None, worker: str) -> None:
        """An array, or that it could not be computed."""
        if content is not None and decoded(key, content) is not None:
            self._recent.put(key, content)
            await asyncio.to_thread(self._files.write, key, content)
        if self._holders.get(key) == worker:
            del self._holders[key]
        await self._tell()

    async def remove_worker(self, scheduler: Scheduler, worker: str, **_: Any) -> None:
        """Free what a worker was to compute that is no more."""
        self._holders = {key: holder for key, holder in self._holders.items() if holder != worker}
        await self._tell()

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """End the judges of a campaign that has left, however it left."""
        if client in self._campaigns:
            self._campaigns.discard(client)
            message = {"op": "run", "function": dumps(close_bench), "args": dumps((client,))}
            self._ending.add(task := asyncio.ensure_future(scheduler.broadcast(msg=message, on_error="ignore")))
            task.add_done_callback(self._ending.discard)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()
