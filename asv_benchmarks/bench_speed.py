"""Scans at N = 256 on every backend, tracked: rules, measures, dtypes, orders, batches, gradients, single samples.

Each benchmark first compares its answer with the float64 numpy backend within the derived bound of
`asv_benchmarks.tasks`, so that only right code has a time. ``python -m asv_benchmarks.speed`` sets these against peers.
"""

import numpy as np

import hippo_fast
from asv_benchmarks.contests import gradient_contest
from asv_benchmarks.native import MissingError
from asv_benchmarks.peers import PEERS
from asv_benchmarks.tasks import Judge, Task

BACKENDS = ["numpy", "numba", "torch"]
DTYPES = ["float64", "float32"]
LENGTH = 2_000


def checked_call(backend, task):
    """The function to time, after its answer was checked.

    Raises:
        NotImplementedError: the backend is not installed or does not offer the task; asv skips it.
        AssertionError: the answer is outside the bound.
    """
    peer = PEERS[backend]
    reason = peer.why_not(task)
    if reason is not None:
        raise NotImplementedError(reason)
    try:
        call = peer.prepare(task)
    except MissingError as missing:
        raise NotImplementedError(f"{backend}: {missing}") from None
    share = Judge(task).share(call())
    if not share <= 1:
        raise AssertionError(f"{backend}, {task}: the error is {share:.3g} times the bound")
    return call


class _Scan:
    """One call."""

    version = "1"
    timeout = 300


class LegsRules(_Scan):
    """LegS, one stream, last state."""

    param_names = ["backend", "method", "dtype"]
    params = [BACKENDS, ["bilinear", "backward_euler", "trapezoid", "zoh", "foh"], DTYPES]

    def setup(self, backend, method, dtype):
        """Check."""
        self.call = checked_call(backend, Task(length=LENGTH, method=method, dtype=dtype))

    def time_last(self, backend, method, dtype):
        """2,000 samples."""
        self.call()


class LegsStates(_Scan):
    """LegS, one stream, every state into a reused array."""

    param_names = ["backend", "method", "dtype"]
    params = [BACKENDS, ["bilinear", "trapezoid"], DTYPES]

    def setup(self, backend, method, dtype):
        """Check."""
        self.call = checked_call(backend, Task(length=LENGTH, method=method, dtype=dtype, output="states"))

    def time_states(self, backend, method, dtype):
        """2,000 samples."""
        self.call()


class LegsUneven(_Scan):
    """LegS at uneven times."""

    param_names = ["backend", "output"]
    params = [BACKENDS, ["last", "states"]]

    def setup(self, backend, output):
        """Check."""
        self.call = checked_call(backend, Task(length=LENGTH, uneven=True, output=output))

    def time_uneven(self, backend, output):
        """2,000 samples."""
        self.call()


class Streams(_Scan):
    """LegS and FouT on many streams, last states."""

    param_names = ["backend", "measure", "dtype", "streams"]
    params = [BACKENDS, ["legs", "fout"], DTYPES, [1, 8, 64, 256]]

    def setup(self, backend, measure, dtype, streams):
        """Check."""
        self.call = checked_call(backend, Task(measure=measure, length=200, streams=streams, dtype=dtype))

    def time_last(self, backend, measure, dtype, streams):
        """200 samples of each stream."""
        self.call()


class Invariant(_Scan):
    """Invariant laws, one stream."""

    param_names = ["backend", "measure", "output"]
    params = [BACKENDS, ["legt", "lmu", "lagt", "fout", "legs_lti"], ["last", "states"]]

    def setup(self, backend, measure, output):
        """Check."""
        self.call = checked_call(backend, Task(measure=measure, length=LENGTH, output=output))

    def time_scan(self, backend, measure, output):
        """2,000 samples, bilinear, dt = 1/256."""
        self.call()


class Orders(_Scan):
    """LegS against the order: linear."""

    param_names = ["backend", "order"]
    params = [BACKENDS, [16, 64, 256, 1024, 2048]]

    def setup(self, backend, order):
        """Check."""
        self.call = checked_call(backend, Task(order=order, length=200))

    def time_last(self, backend, order):
        """200 samples."""
        self.call()


class Gradient(_Scan):
    """Last state and its gradient on torch."""

    unit = "ratio"
    param_names = ["measure", "streams"]
    params = [["legs", "fout"], [1, 64]]

    def setup(self, measure, streams):
        """Check, and time both: the ratio is what is tracked."""
        rows = {row["key"]: row for row in gradient_contest(Task(measure=measure, length=200, streams=streams))}
        bad = [row["note"] for row in rows.values() if row["status"] != "timed"]
        if bad and rows["both"]["status"] == "missing":
            raise NotImplementedError(f"torch: {bad[0]}")
        if bad:
            raise AssertionError(bad[0])
        self.ratio = min(rows["both"]["seconds"]) / min(rows["forward"]["seconds"])

    def track_backward(self, measure, streams):
        """Forward and backward over forward."""
        return self.ratio


class Update:
    """One sample into a memory."""

    version = "1"
    param_names = ["measure", "order"]
    params = [["legs", "legt"], [1, 64, 256]]

    def setup(self, measure, order):
        """Check 300 samples one by one, against a scan of them."""
        task = Task(measure=measure, order=order, length=300)
        self.memory = hippo_fast.Memory(measure, order, dt=task.dt)
        for sample in task.samples.tolist():
            self.memory.update(sample)
        share = Judge(task).share(np.array(self.memory.coefficients))
        if not share <= 1:
            raise AssertionError(f"Memory, {task}: the error is {share:.3g} times the bound")

    def time_update(self, measure, order):
        """One number."""
        self.memory.update(0.5)
