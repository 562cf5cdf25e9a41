"""Gradients on torch: the last state alone, and with the way back, N = 64, 200 samples."""

import functools

import numpy as np

from asv_benchmarks.frozen import vectors
from asv_benchmarks.guests import Guest
from asv_benchmarks.timed import DTYPES, SHORT, Problem, factors, given, gradient_id, offered, weighting

hippo_fast, torch = Guest("hippo_fast"), Guest("torch")


@functools.lru_cache(maxsize=2)  # asv sets up again before each timed call
def calls(measure, dtype, streams):
    """Forward, and forward with backward, after the gradient of every stream was found right."""
    problem = Problem(measure, length=SHORT)
    offered("torch", problem, dtype)
    plain = given(problem, "torch", dtype, streams)
    # Stream s is weighted with its factor too, so that no two gradients are alike.
    scale = factors(streams) if streams > 1 else np.ones(1)
    weights = torch.from_numpy(np.outer(scale, weighting(problem.order)).astype(dtype))
    scan = functools.partial(hippo_fast.scan, measure=measure, order=problem.order, backend="torch", output="last")
    scan = functools.partial(scan, **problem.keywords)
    no_grad = torch.no_grad

    def forward():
        with no_grad():
            return scan(plain)

    def both():
        samples = plain.clone().requires_grad_()
        (scan(samples).reshape(weights.shape) * weights).sum().backward()
        return samples.grad

    gradient, frozen = both().double().numpy().reshape(streams, -1, 1), vectors()[gradient_id(problem)]
    for factor, rows in zip(scale, gradient, strict=True):
        share = frozen.share(rows, dtype, factor)
        if not share <= 1:
            raise AssertionError(f"gradient of {measure} in {dtype}: the error is {share:.3g} times the bound")
    return forward, both


class Gradient:
    """One stream, and many."""

    version = "1"
    timeout = 120
    param_names = ["measure", "dtype", "streams"]
    params = [["legs", "fout"], DTYPES, [1, 64]]
    number = 2

    def setup(self, measure, dtype, streams):
        """Check."""
        self.forward, self.both = calls(measure, dtype, streams)

    def time_forward(self, measure, dtype, streams):
        """No gradient is asked for."""
        self.forward()

    def time_backward(self, measure, dtype, streams):
        """Forward and backward."""
        self.both()

    def peakmem_backward(self, measure, dtype, streams):
        """What the process holds at most, torch included."""
        self.both()
