"""Scans of one stream and of a batch, for every measure that `hippo_fast` has."""

import hippo_fast
from asv_benchmarks.common import LENGTH, ORDER, constant, noise, require_constant_kept

MEASURES = ["legs", "legt", "lmu", "lagt", "fout", "legs_lti"]


class OneStream:
    """All states of one stream, float64, numpy."""

    params = [MEASURES, ["bilinear", "zoh"]]
    param_names = ["measure", "method"]
    version = "1"

    def setup(self, measure, method):
        """Time only right answers: a constant must stay e_0 under LegS."""
        self.samples = noise()
        self.dt = None if measure == "legs" else 1 / 64
        if measure == "legs":
            require_constant_kept(hippo_fast.scan(constant(), "legs", ORDER, method=method), ORDER)

    def time_states(self, measure, method):
        """Scan of `LENGTH` samples, N = 64."""
        hippo_fast.scan(self.samples, measure, ORDER, method=method, dt=self.dt)

    def time_last(self, measure, method):
        """The same, keeping the last state alone."""
        hippo_fast.scan(self.samples, measure, ORDER, method=method, dt=self.dt, output="last")


class Batch:
    """LegS bilinear on many streams at once."""

    params = [1, 16, 64]
    param_names = ["streams"]
    version = "1"

    def setup(self, streams):
        """Checked as above."""
        self.samples = noise(LENGTH, streams)
        require_constant_kept(hippo_fast.scan(constant(), "legs", ORDER), ORDER)

    def time_last(self, streams):
        """Last states, N = 64."""
        hippo_fast.scan(self.samples, "legs", ORDER, output="last")


class Operators:
    """Building (A, B)."""

    params = [MEASURES]
    param_names = ["measure"]
    version = "1"

    def time_system(self, measure):
        """N = 64."""
        hippo_fast.system(measure, ORDER)
