"""A target runs in a worker process, so that nothing it does can end or mislead the process that judges it.

This is fault isolation, not a security sandbox: a target that raises, hangs, crashes, floods its output or eats
memory is told apart and named, but a target may still use the files and the network of the user who runs it.
"""

from verify.isolation.ended import EndedError
from verify.isolation.process import Kind, Worker, WorkerError
from verify.isolation.wire import WireError

__all__ = ["EndedError", "Kind", "WireError", "Worker", "WorkerError"]
