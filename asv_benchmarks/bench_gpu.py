"""Scans on a CUDA device, wherever there is one; without one each benchmark is skipped, and says why."""

import time
from pathlib import Path

import numpy as np

from asv_benchmarks.frozen import vectors
from asv_benchmarks.guests import Guest
from asv_benchmarks.timed import SHORT, Problem, factors, require_right

hippo_fast, torch, triton = Guest("hippo_fast"), Guest("torch"), Guest("triton")

DRIVER = Path("/dev/nvidiactl")
"""There where the driver of a device is loaded: without it nothing needs to be imported to find that out."""
LENGTH = 1024
REPEATS = 5
PROBLEMS = {"legs": Problem("legs", order=256, length=SHORT), "legt": Problem("legt", length=SHORT)}
"""What is checked first: the frozen scans of the orders that are timed."""


def require_device():
    """Skip, with the reason, unless there is a device and what runs on it."""
    if not DRIVER.exists() or not torch.cuda.is_available():
        raise NotImplementedError("no CUDA device")
    triton.jit  # noqa: B018 -- is it there?


def seconds(function):
    """Return the least time of several calls, each from an idle device to an idle device; the first one compiles."""
    times = []
    for _ in range(1 + REPEATS):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        function()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return min(times[1:])


def prepared(measure, dtype, streams):
    """Samples ``(S, L)`` on the device and the options of their scan, after the frozen scans were right there."""
    require_device()
    problem, few = PROBLEMS[measure], 3
    options = {"order": problem.order, **problem.keywords}
    known = torch.from_numpy(factors(few)[:, None] * problem.samples).to("cuda", getattr(torch, dtype))
    states = hippo_fast.scan(known, measure, **options).double().cpu().numpy()[:, list(problem.rows)]
    for factor, rows in zip(factors(few), states, strict=True):
        require_right(vectors()[problem.id].share(rows, dtype, factor), f"{measure} in {dtype} on the device")
    samples = np.random.default_rng(20201022).uniform(-1, 1, (streams, LENGTH))
    return torch.from_numpy(samples).to("cuda", getattr(torch, dtype)), options


class Scans:
    """Rates of `hippo_fast.scan` on tensors of the device, N = 256 for LegS and N = 64 for LegT."""

    params = [["legs", "legt"], ["float32", "float64"], [1, 256, 16384]]
    param_names = ["measure", "dtype", "streams"]
    unit = "stream-steps/s"
    timeout = 600
    version = "1"

    def setup(self, measure, dtype, streams):
        """Check."""
        self.samples, self.options = prepared(measure, dtype, streams)

    def track_last(self, measure, dtype, streams):
        """Last states alone."""
        spent = seconds(lambda: hippo_fast.scan(self.samples, measure, output="last", **self.options))
        return streams * LENGTH / spent

    def track_states(self, measure, dtype, streams):
        """All states, of as many samples as keep them below 2 GiB."""
        length = min(LENGTH, 2**31 // (streams * self.options["order"] * self.samples.dtype.itemsize))
        samples = self.samples[:, :length]
        return streams * length / seconds(lambda: hippo_fast.scan(samples, measure, **self.options))

    def track_gradient(self, measure, dtype, streams):
        """Last states and the gradient of their sum."""
        samples = self.samples.clone().requires_grad_()

        def run():
            samples.grad = None
            hippo_fast.scan(samples, measure, output="last", **self.options).sum().backward()

        return streams * LENGTH / seconds(run)


class Bandwidth:
    """Bytes of LegS states stored in a second, beside the rate at which the device fills memory."""

    params = [["float32", "float64"], [256, 2048]]
    param_names = ["dtype", "streams"]
    unit = "bytes/s"
    timeout = 600
    version = "1"

    def setup(self, dtype, streams):
        """Check, and choose 2 GiB of states."""
        samples, self.options = prepared("legs", dtype, streams)
        length = min(LENGTH, 2**31 // (streams * self.options["order"] * samples.dtype.itemsize))
        self.samples = samples[:, :length]
        self.bytes = streams * length * self.options["order"] * samples.dtype.itemsize

    def track_states(self, dtype, streams):
        """All states."""
        return self.bytes / seconds(lambda: hippo_fast.scan(self.samples, "legs", **self.options))

    def track_fill(self, dtype, streams):
        """Zeros into as much memory: the limit."""
        target = self.samples.new_empty(*self.samples.shape, self.options["order"])
        return self.bytes / seconds(target.zero_)
