"""A worker's way to the shelf of its scheduler."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

from distributed import Worker
from distributed.utils import sync

from verify.exact_store import PATIENCE

NAME: Final = "hippo_verify_exact"
"""What the handlers of the shelf begin with."""


class Errand:
    """The `Elsewhere` of exact arrays on a cluster.

    Args:
        worker: who asks.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._claimed: set[str] = set()

    def claim(self, key: str) -> bytes | None:
        """The array from the shelf, or None: ours to compute."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            answer = self._ask("claim", key=key)
            if answer is None:
                return None
            if answer.get("compute"):
                self._claimed.add(key)
                return None
            if "content" in answer:
                return bytes(answer["content"])
        return None

    def settle(self, key: str, content: bytes | None) -> None:
        """Put it on the shelf, or give it up."""
        self._claimed.discard(key)
        self._ask("settle", key=key, content=content)

    def close(self) -> None:
        """Give up what was claimed by a judge that is no more."""
        for key in list(self._claimed):
            self.settle(key, None)

    def _ask(self, what: str, **message: Any) -> Any:
        question: Callable[..., Any] = getattr(self._worker.scheduler, f"{NAME}_{what}")
        with contextlib.suppress(Exception):  # the scheduler is gone, or has no shelf: compute it
            return sync(self._worker.loop, question, worker=self._worker.address, **message)
        return None
