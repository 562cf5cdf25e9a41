"""The way to a cluster: one of our own in this process, or one that somebody has started."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import dask
from distributed import Client, LocalCluster, Security
from distributed.core import rpc

from verify.executors.cluster.bench import close_bench
from verify.executors.cluster.errand import NAME
from verify.executors.cluster.likeness import CARRIERS, differences, likeness
from verify.executors.cluster.quiet import silence
from verify.executors.cluster.shelf import Shelf

ANSWER_SECONDS: Final = 5.0
"""For a scheduler to answer."""
SETTINGS: Final = {
    "distributed.admin.low-level-log-length": 10,  # messages with all that is in them
    "distributed.scheduler.worker-ttl": None,  # a command that was suspended, or a machine, goes on
}
"""Of our own cluster."""
_LOOK: Final = 0.2  # seconds between two looks at who is in the cluster
_CLOSE: Final = 0.5  # seconds for each of what Dask does to end in good order


class Connection:
    """A client of a cluster that knows which workers may be given work.

    Args:
        address: of its scheduler; None starts a cluster in this process.
        cores: workers of a cluster that is started.

    Attributes:
        workers: those that may be given work and take it now, with their threads.
        alive: all that are there.
        refused: why some are given none.
        client: Dask's own.
        campaign: the name of the campaign in the cluster.
        shelf: whether exact arrays go through the scheduler.
        errors: the last ones that Dask reported.

    Raises:
        ValueError: there is no such scheduler, or it is not of this environment.
    """

    def __init__(self, address: str | None, cores: int) -> None:
        self.workers: dict[str, int] = {}
        self.alive: set[str] = set()
        self.refused: dict[str, str] = {}
        self.shelf = False
        self.address = address
        self._asked: set[str] = set()
        self._cluster: LocalCluster | None = None
        self._folder: str | None = None
        self._closed = False
        self.errors = silence()
        try:
            self.client = self._start(cores) if address is None else self._join(address)
            self.campaign: str = self.client.id
            self.client.loop.add_callback(self._watch)
        except BaseException:
            self.close()
            raise

    def _start(self, cores: int) -> Client:
        """A cluster of threads: each hands its units to a process, and none of it listens on the network."""
        self._folder = tempfile.mkdtemp(prefix="hippo-verify-dask-")
        # Off unless asked for, by DASK_HIPPO_VERIFY__DASHBOARD=127.0.0.1:8787 for instance.
        dashboard = dask.config.get("hippo-verify.dashboard", None)
        with dask.config.set(SETTINGS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a machine without a network
            self._cluster = LocalCluster(
                n_workers=cores, threads_per_worker=1, processes=False, memory_limit=0, dashboard_address=dashboard,
                silence_logs=False, local_directory=self._folder,
            )  # fmt: skip
            # Workers put their folders on the import path, which is ours as well.
            sys.path[:] = [entry for entry in sys.path if not str(entry).startswith(self._folder)]
            return Client(self._cluster, set_as_default=False, timeout=ANSWER_SECONDS)

    def _join(self, address: str) -> Client:
        """A client of a cluster whose scheduler is there and of this environment, with a shelf in it."""
        packages = _packages(address)
        here = {name: likeness()[name] for name in CARRIERS}
        unlike = differences(here, {name: packages.get(name) or "not installed" for name in here})
        if unlike:
            raise ValueError(
                f"--scheduler {address}: {'; '.join(unlike)}; scheduler, workers and this command need the same "
                "environment: install the versions of this one there"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # versions are compared by us, and more than those
            try:
                client = self.client = Client(address, set_as_default=False, timeout=ANSWER_SECONDS)
            except OSError as error:
                raise ValueError(f"--scheduler {address}: it has gone at once ({one_line(error)})") from error
        try:
            client.register_plugin(Shelf())
            client.sync(getattr(client.scheduler, f"{NAME}_join"), client=client.id, callback_timeout=ANSWER_SECONDS)
            self.shelf = True
        except ImportError as error:
            raise ValueError(
                f"--scheduler {address}: hippo-verify does not run there ({one_line(error)}); scheduler, workers and "
                "this command need the same environment"
            ) from error
        except Exception as error:  # noqa: BLE001 -- a scheduler that may not load what it is sent, for instance
            remark(f"exact results are not shared by this cluster, each worker computes its own: {one_line(error)}")
        return client

    @property
    def met(self) -> bool:
        """Whether there are workers, and all of them have introduced themselves."""
        return bool(self.alive) and self.alive <= {*self.workers, *self.refused}

    @property
    def lost(self) -> bool:
        """Whether the scheduler is there no more; it has forgotten us then, and ended our judges."""
        return bool(self.client.status != "running")

    def refuse(self, worker: str, why: str) -> None:
        """Give a worker no more work."""
        if worker not in self.refused:
            remark(f"worker {worker} is given no work: {why}")
        self.refused[worker] = why
        self.workers.pop(worker, None)

    async def _watch(self) -> None:
        """Know who is in the cluster, from now on; runs in the loop of the client."""
        asking: set[asyncio.Task[None]] = set()
        while not self._closed and not self.lost:
            with contextlib.suppress(Exception):  # whatever it is, the next look may see more
                alive = await asyncio.wait_for(self.client.scheduler.ncores(), ANSWER_SECONDS)
                ready = await asyncio.wait_for(self.client.scheduler.ncores_running(), ANSWER_SECONDS)
                self.alive = set(alive)
                self.workers = {
                    worker: threads
                    for worker, threads in self.workers.items()
                    if worker in ready and worker not in self.refused
                }
                for gone in self._asked - self.alive:
                    self._asked.discard(gone)
                    self.refused.pop(gone, None)
                for worker in set(ready) - self._asked:
                    self._asked.add(worker)
                    asking.add(task := asyncio.ensure_future(self._ask(worker, ready[worker])))
                    task.add_done_callback(asking.discard)
            await asyncio.sleep(_LOOK)

    async def _ask(self, worker: str, threads: int) -> None:
        """Have a worker that is new introduce itself."""
        try:
            answer = (await self.client.run(likeness, workers=[worker], on_error="return"))[worker]
        except Exception as error:  # noqa: BLE001 -- it left, or the scheduler did
            answer = error
        if isinstance(answer, Exception):
            self.refuse(worker, f"hippo-verify does not run there ({one_line(answer)})")
            return
        unlike = differences(likeness(), answer)
        if unlike:
            self.refuse(worker, "; ".join(unlike))
        elif worker in self.alive:
            self.workers[worker] = threads

    def close(self) -> None:
        """Leave the cluster, which ends the judges there; one that we have started ends."""
        if self._closed:
            return
        self._closed = True
        client: Client | None = getattr(self, "client", None)
        if client is not None:
            if self._cluster is not None:
                close_bench(client.id)
            with contextlib.suppress(Exception):
                client.close(timeout=_CLOSE)
        if self._cluster is not None:
            with contextlib.suppress(Exception):
                self._cluster.close(timeout=_CLOSE)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _packages(address: str) -> dict[str, str]:
    """Versions of what a scheduler runs on; asked without a client, which would go on trying when it is given up."""

    async def ask() -> tuple[dict[str, Any], dict[str, Any]]:
        options = Security().get_connection_args("client")
        async with rpc(address, connection_args=options, timeout=ANSWER_SECONDS) as scheduler:
            return await scheduler.identity(), await scheduler.versions()

    try:
        with ThreadPoolExecutor(1) as thread:  # this one may have a loop that runs, as in a notebook
            identity, versions = thread.submit(asyncio.run, asyncio.wait_for(ask(), ANSWER_SECONDS)).result()
        kind = identity["type"]
    except Exception as error:
        why = f"no answer within {ANSWER_SECONDS:g} s" if isinstance(error, TimeoutError) else one_line(error)
        raise ValueError(
            f"--scheduler {address}: there is no Dask scheduler to be reached ({why}); "
            "expected is the address that `dask scheduler` prints, such as tcp://10.0.0.1:8786 or tls://10.0.0.1:8786"
        ) from error
    if kind != "Scheduler":
        raise ValueError(f"--scheduler {address}: a {kind} answers there; expected is the address of its scheduler")
    packages: dict[str, str] = versions["packages"]
    return packages


def one_line(error: BaseException) -> str:
    """The first line of an error, with its type."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def remark(text: str) -> None:
    """Say what is worth knowing and ends nothing."""
    sys.stderr.write(f"hippo-verify: {text}\n")
