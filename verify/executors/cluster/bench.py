"""The judges of a worker of a cluster: what is run there."""

from __future__ import annotations

import contextlib
import pickle
import threading
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import cloudpickle
from distributed import get_worker

from verify.executors.base import DEATHS, lost
from verify.executors.cluster.errand import Errand
from verify.executors.cluster.judge import EndedError, Judge, RaisedError

if TYPE_CHECKING:
    from verify.exact_store import Elsewhere
    from verify.executors.base import Work
    from verify.planning import Unit
    from verify.verdict import Verdict


class Bench:
    """The judges of one campaign in this process: as many as threads work for it at a time, each kept for what follows.

    Args:
        threads: variables of their environment.
    """

    def __init__(self, threads: dict[str, str | None]) -> None:
        self._threads = threads
        self._free: list[Judge] = []
        self._all: set[Judge] = set()
        self._closed = False
        self._guard = threading.Lock()

    def verdicts(self, unit: Unit, work: Work, here: dict[str, str], elsewhere: Elsewhere | None) -> list[Verdict]:
        """The verdicts of a unit; one that ends its judge is asked again, at last of a fresh one, and is lost then."""
        for death in range(1, DEATHS + 1):
            try:
                with self._judge(fresh=death == DEATHS) as judge:
                    return judge.verdicts(unit, work, here, elsewhere)
            except EndedError as error:
                if self._closed:
                    raise
                how = str(error)
        return lost(unit, how)

    @contextlib.contextmanager
    def _judge(self, *, fresh: bool) -> Iterator[Judge]:
        with self._guard:
            if self._closed:
                raise EndedError("belongs to a campaign that is over")
            kept = [judge for judge in self._free if judge.running]  # an idle one may have ended
            judge = Judge(self._threads) if fresh or not kept else kept[0]
            self._free = [other for other in self._free if other is not judge]
            self._all.add(judge)
        try:
            yield judge
        except BaseException:
            self._dismiss(judge)
            raise
        with self._guard:
            self._free.append(judge)

    def _dismiss(self, judge: Judge) -> None:
        with self._guard:
            self._all.discard(judge)
        judge.end()

    def close(self) -> None:
        """End every judge; who waits for one is told."""
        with self._guard:
            self._closed = True
            judges = list(self._all)
        for judge in judges:
            judge.end()


_BENCHES: Final[dict[str, Bench]] = {}
_GUARD: Final = threading.Lock()


def packed(units: list[Unit], work: Work, here: dict[str, str], threads: dict[str, str | None]) -> bytes:
    """What `judge_units` is to do, in few bytes: a scheduler remembers its last thousand messages to each worker."""
    return zlib.compress(cloudpickle.dumps((units, work, here, threads)))


def judge_units(campaign: str, asked: bytes, *, shelf: bool) -> tuple[list[list[Verdict]], BaseException | None]:
    """Verdicts of units, in their order, as far as they go.

    Args:
        campaign: its name; it has judges of its own.
        asked: the units, what judges one, the likeness of the campaign, and its variables for threads; `packed`.
        shelf: whether exact arrays are shared through the scheduler.

    Returns:
        The verdicts, and what ``work`` raised before their end.

    Raises:
        UnfitError: judges here do not begin, or are not like the campaign.
        EndedError: the campaign is over.
    """
    units, work, here, threads = pickle.loads(zlib.decompress(asked))  # noqa: S301 -- whoever sends it may run anything
    with _GUARD:
        bench = _BENCHES.setdefault(campaign, Bench(threads))
    elsewhere = Errand(get_worker()) if shelf else None
    done: list[list[Verdict]] = []
    try:
        for unit in units:
            done.append(bench.verdicts(unit, work, here, elsewhere))  # noqa: PERF401 -- what is done is kept
    except RaisedError as raised:
        return done, raised.__cause__
    finally:
        if elsewhere is not None:
            elsewhere.close()
    return done, None


def close_bench(campaign: str) -> None:
    """End the judges of a campaign in this process, and begin no more."""
    with _GUARD:
        bench = _BENCHES.setdefault(campaign, Bench({}))
    bench.close()
