"""Building (A, B), and the step of a rule from them."""

import itertools

from asv_benchmarks.accuracy import matrices
from asv_benchmarks.guests import Guest
from asv_benchmarks.timed import DT, INVARIANT, MEASURES, ORDER, Problem, checked, offered

hippo_fast = Guest("hippo_fast")


class System:
    """(A, B) of a measure."""

    version = "1"
    param_names = ["measure", "order"]
    params = [MEASURES, [16, 64, 256]]
    number = 10

    def setup(self, measure, order):
        """Time only right operators: those of the frozen orders, up to 64, are within their bounds."""
        if not hasattr(self, "build"):  # asv sets up again before each timed call
            score = matrices(measure)
            if not score.error_over_bound <= 1:
                raise AssertionError(f"(A, B) of {measure}: the error is {score.error_over_bound:.3g} times the bound")
            self.build = hippo_fast.system

    def time_system(self, measure, order):
        """float64."""
        self.build(measure, order)


class Discretization:
    """The matrices of one step of an invariant law, N = 64: a scan of one sample, at a spacing never used before."""

    version = "1"
    param_names = ["measure", "method"]
    params = [INVARIANT, ["bilinear", "backward_euler", "zoh"]]
    number = 5

    def setup(self, measure, method):
        """Time only right steps: the scan of 1,000 samples is within its bound."""
        if not hasattr(self, "spacings"):
            offered("numpy", Problem(measure, method), "float64")
            checked(Problem(measure, method), "numpy")
            self.scan, self.spacings = hippo_fast.scan, (DT * (1 + k / 2**40) for k in itertools.count(1))
        self.dt = next(self.spacings)

    def time_first_sample(self, measure, method):
        """Nothing is kept from an earlier spacing."""
        self.scan([1.0], measure, ORDER, method=method, dt=self.dt, backend="numpy", output="last")
