"""How a call ends that brings no answer, where the target lives in yet another process."""

from __future__ import annotations


class EndedError(Exception):
    """Raised by a handler that asks another process, when that process is lost or says that it failed.

    ``raised`` leaves the worker as it is. With any other kind it ends, and all that it has started with it; the next
    call starts a fresh one.

    Attributes:
        kind: ``load``, ``raised``, ``crash``, ``exit``, ``memory`` or ``protocol``, as of `WorkerError`.
        what: what happened, as a clause that completes "the target ...".
    """

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(kind, what)
        self.kind = str(kind)
        self.what = str(what)

    def __str__(self) -> str:
        return self.what
