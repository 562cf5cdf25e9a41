"""How far off answers are: error ÷ bound and bits lost on the frozen vectors. Growth is a loss of accuracy.

Exact answers and bounds are those of `asv_benchmarks.frozen`, the same for every commit. Each class computes everything
once, in its ``setup_cache``, and each ``track_`` is a look-up that raises where the answer has no finite error.

``python -m asv_benchmarks.bench_accuracy`` prints the table of ``reports/published/error-over-bound.md``.
"""

import itertools
import sys

from asv_benchmarks import accuracy
from asv_benchmarks.accuracy import DTYPES, GRADIENT_RULES, MEASURES, RULES, outcome
from asv_benchmarks.frozen import VERSION
from asv_benchmarks.timed import BACKENDS


def outcomes(judge, *axes):
    """The `Outcome` of every combination of parameters."""
    return {key: outcome(judge, *key) for key in itertools.product(*axes)}


class _Tracked:
    """The figures of one combination."""

    version = VERSION
    timeout = 300

    def setup(self, outcomes, *key):
        """Skip what is not there, with the reason."""
        if outcomes[key].skipped:
            raise NotImplementedError(outcomes[key].skipped)

    def _score(self, outcomes, key):
        if outcomes[key].failed:
            raise ArithmeticError(outcomes[key].failed)
        return outcomes[key].score

    def track_error_over_bound(self, outcomes, *key):
        """The largest error ÷ bound; at most 1 is right."""
        return self._score(outcomes, key).error_over_bound

    def track_bits_lost(self, outcomes, *key):
        """The most bits that a row of numbers lost."""
        return self._score(outcomes, key).bits_lost

    def track_ulps(self, outcomes, *key):
        """The error of a typical row: it moves when the worst one does not."""
        return self._score(outcomes, key).ulps

    track_error_over_bound.unit = "error / bound"
    track_bits_lost.unit = "bits lost"
    track_ulps.unit = "ulps"


class ScanNumpy(_Tracked):
    """Scans on numpy."""

    param_names = ("backend", "measure", "method", "dtype")
    params = (["numpy"], MEASURES, RULES, DTYPES)

    def setup_cache(self):
        """Everything."""
        return outcomes(accuracy.scans, *self.params)


class ScanNumba(_Tracked):
    """Scans on numba."""

    param_names = ("backend", "measure", "method", "dtype")
    params = (["numba"], MEASURES, RULES, DTYPES)

    def setup_cache(self):
        """Everything; kernels are compiled here where they are not kept from before."""
        return outcomes(accuracy.scans, *self.params)

    setup_cache.timeout = 900


class ScanTorch(_Tracked):
    """Scans on torch, on the processor."""

    param_names = ("backend", "measure", "method", "dtype")
    params = (["torch"], MEASURES, RULES, DTYPES)

    def setup_cache(self):
        """Everything."""
        return outcomes(accuracy.scans, *self.params)


class Memory(_Tracked):
    """States of a memory that is given one sample after the other, in float64."""

    param_names = ("backend", "measure", "method")
    params = (BACKENDS[:2], MEASURES, RULES)

    def setup_cache(self):
        """Everything."""
        return outcomes(accuracy.memories, *self.params)

    setup_cache.timeout = 900


class Operator(_Tracked):
    """Matrices A and B, entry by entry."""

    param_names = ("measure",)
    params = (MEASURES,)

    def setup_cache(self):
        """Everything."""
        return outcomes(accuracy.matrices, *self.params)


class Step(_Tracked):
    """Single LegS steps from any state, up to sample 1,000,000."""

    param_names = ("method",)
    params = (list(accuracy.WEIGHT),)

    def setup_cache(self):
        """Everything."""
        return outcomes(accuracy.steps, *self.params)


class ReadOut(_Tracked):
    """Values read out of coefficients, at both ends of the window and between."""

    param_names = ("measure",)
    params = ([measure for measure in MEASURES if measure != "lagt"],)  # whose window has no fractions

    def setup_cache(self):
        """Everything."""
        return outcomes(accuracy.read_outs, *self.params)


class Gradient(_Tracked):
    """Jacobians of the last state, by torch's autograd."""

    param_names = ("measure", "method", "dtype")
    params = (MEASURES, GRADIENT_RULES, DTYPES)

    def setup_cache(self):
        """Everything."""
        return outcomes(accuracy.gradients, *self.params)


def shown(found):
    """One cell of the table."""
    return found.failed or (f"{found.score.error_over_bound:.3f}" if found.score else "")


def main():
    """The table of the scans, as Markdown."""
    tables = {}
    for bench in (ScanNumpy(), ScanNumba(), ScanTorch()):
        tables |= bench.setup_cache()
    columns = list(itertools.product(BACKENDS, DTYPES))
    lines = ["| measure | rule | " + " | ".join(" ".join(column) for column in columns) + " |"]
    lines.append("|---|---|" + "---|" * len(columns))
    for measure, method in itertools.product(MEASURES, RULES):
        row = [shown(tables[backend, measure, method, dtype]) for backend, dtype in columns]
        if any(row):
            lines.append(f"| {measure} | {method} | " + " | ".join(row) + " |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
