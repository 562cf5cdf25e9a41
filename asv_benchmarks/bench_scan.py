"""Scans: every measure, rule and backend, both dtypes, orders, batches, uneven times; time and memory.

`asv_benchmarks.timed` runs each call once and holds its answer against the frozen one before it is timed.
``python -m asv_benchmarks.speed`` sets scans against peers.
"""

from asv_benchmarks.timed import (
    BACKENDS,
    DTYPES,
    INVARIANT,
    MEASURES,
    METHODS,
    ORDERS,
    SHORT,
    STREAMS,
    Problem,
    calls_per_sample,
    checked,
)


class _Scan:
    """One call, after it was seen to be right."""

    version = "1"
    timeout = 120

    def prepare(self, *arguments, **keywords):
        """Check."""
        self.call = checked(*arguments, **keywords)
        self.number = calls_per_sample(self.call)


class Legs(_Scan):
    """LegS under every rule, N = 64, one stream of 1,000 samples."""

    param_names = ["backend", "measure", "method", "dtype"]
    params = [BACKENDS, ["legs"], METHODS, DTYPES]

    def setup(self, backend, measure, method, dtype):
        """Check."""
        self.prepare(Problem(measure, method), backend, dtype)

    def time_last(self, backend, measure, method, dtype):
        """The last state alone."""
        self.call()


class Invariant(_Scan):
    """The invariant laws under every rule, N = 64, one stream of 1,000 samples."""

    param_names = ["backend", "measure", "method"]
    params = [BACKENDS, INVARIANT, ["bilinear", "backward_euler", "zoh"]]

    def setup(self, backend, measure, method):
        """Check."""
        self.prepare(Problem(measure, method), backend)

    def time_last(self, backend, measure, method):
        """The last state alone."""
        self.call()


class States(_Scan):
    """Every state of one stream of 1,000 samples, N = 64, bilinear."""

    param_names = ["backend", "measure"]
    params = [BACKENDS, MEASURES]

    def setup(self, backend, measure):
        """Check."""
        self.prepare(Problem(measure), backend, output="states")

    def time_states(self, backend, measure):
        """All states."""
        self.call()


class Large(_Scan):
    """LegS at N = 256, one stream of 2,000 samples."""

    param_names = ["backend", "method", "output"]
    params = [BACKENDS, ["bilinear", "trapezoid"], ["last", "states"]]

    def setup(self, backend, method, output):
        """Check."""
        self.prepare(Problem("legs", method, 256, 2000), backend, output=output)

    def time_scan(self, backend, method, output):
        """The last state, or all of them."""
        self.call()

    def peakmem_scan(self, backend, method, output):
        """What the process holds at most, its libraries included; all states are 4 MB."""
        self.call()


class Orders(_Scan):
    """Against the order: linear for LegS, quadratic for an invariant law."""

    param_names = ["backend", "measure", "order"]
    params = [BACKENDS, ["legs", "fout"], ORDERS]

    def setup(self, backend, measure, order):
        """Check."""
        self.prepare(Problem(measure, "bilinear", order, SHORT), backend)

    def time_last(self, backend, measure, order):
        """200 samples."""
        self.call()


class Batch(_Scan):
    """Many streams of 200 samples, N = 64, bilinear."""

    param_names = ["backend", "measure", "streams"]
    params = [BACKENDS, ["legs", "fout"], STREAMS]

    def setup(self, backend, measure, streams):
        """Check."""
        self.prepare(Problem(measure, length=SHORT), backend, streams=streams)

    def time_last(self, backend, measure, streams):
        """The last state of each."""
        self.call()


class Uneven(_Scan):
    """LegS at uneven times, N = 64, one stream of 1,000 samples."""

    param_names = ["backend", "method", "output"]
    params = [BACKENDS, ["bilinear", "zoh"], ["last", "states"]]

    def setup(self, backend, method, output):
        """Check."""
        self.prepare(Problem("legs", method, uneven=True), backend, output=output)

    def time_scan(self, backend, method, output):
        """The last state, or all of them."""
        self.call()
