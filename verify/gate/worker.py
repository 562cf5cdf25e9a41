"""A process that measures one tree: `measure`, run by its path with the tree's own interpreter and imports."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from verify import revisions
from verify.gate import measure
from verify.text import one_line

PATIENCE: Final = 60.0
"""Seconds beyond the time that a benchmark may take, after which the process itself is taken to hang."""
LISTING: Final = 600.0
"""Seconds that importing all benchmarks may take."""
THREADS: Final = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS"),
)
"""Who else decides how many threads compute."""

Answer = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A side's sources, where they can be run.

    Attributes:
        side: ``base`` or ``head``.
        label: what the user named.
        revision: full hash of the commit; None for a tree with uncommitted changes.
        content: what identifies the sources: the hash of the commit, or of the files.
        folder: the root of the project.
        benchmarks: the folder of its benchmarks.
        python: the interpreter that runs it.
        work: a folder for its caches.
    """

    side: str
    label: str
    revision: str | None
    content: str
    folder: Path
    benchmarks: Path
    python: str
    work: Path


class WorkerError(Exception):
    """A side cannot be measured at all; the message says why and what to do."""


class Worker:
    """One process for one tree; it is started when it is first asked, and again when it has died.

    Args:
        tree: what is measured.
        preload: whether all modules of the suite are imported before the first measurement.
        threads: how many threads the libraries may compute with.
        hash_seed: of Python's hashes, which decide the order of sets: both sides of a round share it.
        log: file that everything the benchmarks print is added to.
    """

    def __init__(self, tree: Tree, *, preload: bool, threads: int, hash_seed: int, log: Path) -> None:
        self.tree = tree
        self._preload = preload
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **revisions.environment(),
            **dict.fromkeys(THREADS, str(threads)),
            "PYTHONHASHSEED": str(hash_seed),
            "PYTHONPATH": os.pathsep.join([str(tree.folder), str(tree.folder / "src")]),
            "HIPPO_VERIFY_CACHE": str(tree.work / "cache"),  # what another version left behind must not be found
        }
        self._environment.pop("PYTHONSAFEPATH", None)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def list(self, distributions: tuple[str, ...]) -> Answer:
        """All benchmarks of the tree; see `measure`.

        Raises:
            WorkerError: the process cannot be started or gives no answer.
        """
        answer = self._ask({"do": "list", "distributions": distributions}, LISTING)
        if answer is None:
            raise WorkerError(self._why())
        return answer

    def ask(self, request: Mapping[str, Any]) -> Answer:
        """A cache or a measurement; whatever happens, there is an answer."""
        answer = self._ask(request, request["timeout"] + measure.GRACE + PATIENCE)
        return {"status": "failed", "why": self._why()} if answer is None else answer

    def close(self) -> None:
        """End the process and all it started."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None  # noqa: S101 -- both are pipes
        assert process.stdout is not None  # noqa: S101
        with contextlib.suppress(OSError):
            process.stdin.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
                break
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what it left
        process.stdout.close()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [self.tree.python, measure.__file__, str(self.tree.folder), str(self.tree.benchmarks)]
        try:
            with self._log.open("ab") as log:
                return subprocess.Popen(  # noqa: S603 -- the interpreter that the user named
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=self.tree.work,
                    env=self._environment, start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            raise WorkerError(
                f"{self.tree.python} cannot be started for {self.tree.label}: {error.strerror or error}"
            ) from error

    def _running(self, *, preload: bool) -> subprocess.Popen[bytes] | None:
        """The process, started if need be; None where importing the suite was the end of it."""
        if self._process is None:
            self._process = self._start()
            if self._preload and preload:
                self._ask({"do": "list", "distributions": []}, LISTING)
        return self._process

    def _ask(self, request: Mapping[str, Any], seconds: float) -> Answer | None:
        process = self._running(preload=request["do"] != "list")
        if process is None:
            return None
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None  # noqa: S101 -- both are pipes
        assert stdout is not None  # noqa: S101
        try:
            stdin.write((json.dumps(request) + "\n").encode())
            stdin.flush()
        except OSError:
            self.close()
            return None
        line, deadline = b"", time.monotonic() + seconds
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(stdout.fileno(), 65536) if ready else b""
            if not part:
                self.close()
                return None
            line += part
        return dict(json.loads(line))

    def _why(self) -> str:
        """What a process that gave no answer said last."""
        with contextlib.suppress(OSError):
            said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            if said:
                if "No module named 'asv_runner'" in said[-1]:
                    return (
                        f"asv_runner is not installed for {self.tree.python}, which runs {self.tree.label}: "
                        "pip install 'hippo-verify[bench]' there"
                    )
                return f"the process that measures {self.tree.label} ended: {one_line(said[-1])}"
        return f"the process that measures {self.tree.label} gave no answer"


class Workers:
    """The processes of one round, started as they are needed.

    For each side there is one that has the whole suite imported, and one in which a benchmark imports what it needs.

    Args:
        trees: the sides.
        options: of each `Worker`.
    """

    def __init__(self, trees: Iterable[Tree], **options: Any) -> None:
        self._trees = {tree.side: tree for tree in trees}
        self._options = options
        self._started: dict[tuple[str, bool], Worker] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._started.values():
            worker.close()

    def get(self, side: str, *, preload: bool = True) -> Worker:
        """A process of a side."""
        if (side, preload) not in self._started:
            self._started[side, preload] = Worker(self._trees[side], preload=preload, **self._options)
        return self._started[side, preload]
