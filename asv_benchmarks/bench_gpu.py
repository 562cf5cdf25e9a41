"""Scans on a CUDA device, wherever there is one; without one each benchmark is skipped, and says why."""

import importlib.util
import time

import numpy as np

import hippo_fast

ORDER = 256
LENGTH = 1024
REPEATS = 5


def require_device():
    """Return torch, or skip: asv takes NotImplementedError from a setup as "not applicable here"."""
    for library in ("torch", "triton"):
        if importlib.util.find_spec(library) is None:
            raise NotImplementedError(f"{library} is not installed")
    import torch  # noqa: PLC0415  (asv imports this file where torch is not installed)

    if not torch.cuda.is_available():
        raise NotImplementedError("no CUDA device")
    return torch


def seconds(torch, function):
    """Return the least time of several calls, each from an idle device to an idle device; the first one compiles."""
    times = []
    for _ in range(1 + REPEATS):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        function()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return min(times[1:])


class Scans:
    """Rates of `hippo_fast.scan` on tensors of the device, N = 256 for LegS and N = 64 for LegT."""

    params = [["legs", "legt"], ["float32", "float64"], [1, 256, 16384]]
    param_names = ["measure", "dtype", "streams"]
    unit = "stream-steps/s"
    timeout = 600
    version = "1"

    def setup(self, measure, dtype, streams):
        """Time only right answers: a few streams must equal the numpy backend's in float64."""
        self.torch = require_device()
        self.options = {"legs": {"order": ORDER}, "legt": {"order": 64, "dt": 1 / 64}}[measure]
        samples = np.random.default_rng(20201022).uniform(-1, 1, (streams, LENGTH))
        self.samples = self.torch.from_numpy(samples).to("cuda", getattr(self.torch, dtype))
        few = self.samples[:3, :200]
        found = hippo_fast.scan(few, measure, output="last", **self.options).double().cpu().numpy()
        wanted = hippo_fast.scan(few.double().cpu().numpy(), measure, output="last", **self.options)
        # Roundings of 200 steps, each at most 32 N ulp of a state of norm <= sqrt(N): far below any wrong answer.
        allowed = 200 * 32 * self.options["order"] ** 1.5 * np.finfo(dtype).eps
        if not np.abs(found - wanted).max() <= allowed:
            raise AssertionError(f"{measure} in {dtype} is off by {np.abs(found - wanted).max():.3g} on the device")

    def _rate(self, streams, length, function):
        return streams * length / seconds(self.torch, function)

    def track_last(self, measure, dtype, streams):
        """Last states alone."""
        return self._rate(
            streams, LENGTH, lambda: hippo_fast.scan(self.samples, measure, output="last", **self.options)
        )

    def track_states(self, measure, dtype, streams):
        """All states, of as many samples as keep them below 2 GiB."""
        length = min(LENGTH, 2**31 // (streams * self.options["order"] * self.samples.dtype.itemsize))
        samples = self.samples[:, :length]
        return self._rate(streams, length, lambda: hippo_fast.scan(samples, measure, **self.options))

    def track_gradient(self, measure, dtype, streams):
        """Last states and the gradient of their sum."""
        samples = self.samples.clone().requires_grad_()

        def run():
            samples.grad = None
            hippo_fast.scan(samples, measure, output="last", **self.options).sum().backward()

        return self._rate(streams, LENGTH, run)


class Bandwidth:
    """All states of LegS, in bytes stored, over the rate at which the device fills memory: 1 is the limit."""

    params = [["float32", "float64"], [256, 2048]]
    param_names = ["dtype", "streams"]
    unit = "of the fill rate"
    timeout = 600
    version = "1"

    def setup(self, dtype, streams):
        """The checks of `Scans`."""
        Scans.setup(self, "legs", dtype, streams)

    def track_states(self, dtype, streams):
        """2 GiB of states."""
        length = min(LENGTH, 2**31 // (streams * ORDER * self.samples.dtype.itemsize))
        samples = self.samples[:, :length]
        target = self.samples.new_empty(streams, length, ORDER)
        fill = seconds(self.torch, target.zero_)
        del target
        return fill / seconds(self.torch, lambda: hippo_fast.scan(samples, "legs", ORDER))
