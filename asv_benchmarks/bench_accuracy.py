"""Error ÷ bound of our backends on the frozen vectors, tracked: below 1 is right, and growth is a loss of accuracy.

``python -m asv_benchmarks.bench_accuracy`` prints the table of ``reports/published/error-over-bound.md``.
"""

import importlib.util
import itertools
import math
import sys
from pathlib import Path

import numpy as np

import hippo_fast

VECTORS = Path(__file__).parent / "vectors" / "frozen-1.jsonl.xz"
LARGEST = 16
"""Orders above it take most of the time and tell little more: their bounds are looser."""

BACKENDS = ("numpy", "torch")
DTYPES = ("float64", "float32")
MEASURES = ("legs", "legt", "lmu", "lagt", "fout", "legs_lti")
METHODS = ("bilinear", "backward_euler", "zoh", "trapezoid", "foh")


def offered(measure, method):
    """Whether `hippo_fast` has the rule for the measure."""
    return measure == "legs" or method not in ("trapezoid", "foh")


def installed(backend):
    """Whether what the backend needs is there."""
    return backend == "numpy" or importlib.util.find_spec(backend) is not None


def scans():
    """The frozen scans of small orders under rules that we offer."""
    from verify.vectors.documents import read_document  # noqa: PLC0415 -- no multiprecision where asv only lists

    for record in read_document(VECTORS).vectors.values():
        small = record["kind"] == "scan" and record["order"] <= LARGEST
        known = record["measure"] in MEASURES and record.get("method") in METHODS
        if small and known and offered(record["measure"], record["method"]):
            yield record


def asked(record, dtype):
    """Samples and keywords of the call; None where float32 cannot hold the input."""
    samples = np.array([float.fromhex(text) for text in record["samples"]])
    if dtype == "float32":
        with np.errstate(over="ignore"):
            if not np.array_equal(samples.astype(dtype).astype(float), samples):
                return None
    keywords = {name: float.fromhex(text) for name, text in record["parameters"].items()}
    if "dt" in record:
        keywords["dt"] = float.fromhex(record["dt"])
    if "timestamps" in record:
        keywords["timestamps"] = np.array([float.fromhex(text) for text in record["timestamps"]])
    return samples.astype(dtype), keywords


def answers(record, backend, dtype):
    """The rows of our answer that the vector asks for, as one list; None where the input cannot be given."""
    given = asked(record, dtype)
    if given is None:
        return None
    samples, keywords = given
    if backend == "torch":
        import torch  # noqa: PLC0415 -- a guest

        samples = torch.as_tensor(samples)
    states = hippo_fast.scan(
        samples, record["measure"], record["order"], method=record["method"], backend=backend, **keywords
    )
    return np.asarray(states)[record["rows"]].ravel().tolist()


def worst_ratios(backend, dtype):
    """Largest error ÷ bound by measure and rule, where a verdict is possible."""
    from verify.oracle import Oracle  # noqa: PLC0415
    from verify.vectors.judge import Question, judge_answer  # noqa: PLC0415
    from verify.verdict import Status  # noqa: PLC0415

    oracle, found = Oracle(None), {}
    for record in scans():
        values = answers(record, backend, dtype)
        if values is None:
            continue
        finding, _ = judge_answer(Question(record, backend, dtype), values, oracle)
        key = (record["measure"], record["method"])
        if finding.status is Status.FAIL or (finding.status is Status.PASS and not math.isfinite(finding.ratio)):
            raise AssertionError(f"{record['id']} in {dtype} on {backend}: {finding.message}")
        if finding.status is Status.PASS:
            found[key] = max(found.get(key, 0.0), finding.ratio)
    return found


class ErrorOverBound:
    """One look-up each; everything is computed once."""

    version = "1"
    unit = "error / bound"
    timeout = 900
    param_names = ("backend", "measure", "method", "dtype")
    params = (BACKENDS, MEASURES, METHODS, DTYPES)

    def setup_cache(self):
        """All ratios: what fails ends the benchmark, so that only right code has a number."""
        return {
            (backend, dtype): worst_ratios(backend, dtype)
            for backend, dtype in itertools.product(BACKENDS, DTYPES)
            if installed(backend)
        }

    def setup(self, ratios, backend, measure, method, dtype):
        """Skip what is not there."""
        if (backend, dtype) not in ratios:
            raise NotImplementedError(f"{backend} is not installed")
        if (measure, method) not in ratios[backend, dtype]:
            raise NotImplementedError(f"no frozen scan of {measure} under {method}")

    def track_scan(self, ratios, backend, measure, method, dtype):
        """Largest error ÷ bound of a scan."""
        return ratios[backend, dtype][measure, method]


def line(text):
    """One line of the table."""
    sys.stdout.write(text + "\n")


def main():
    """The table, as Markdown."""
    columns = list(itertools.product([b for b in BACKENDS if installed(b)], DTYPES))
    tables = {column: worst_ratios(*column) for column in columns}
    line("| measure | rule | " + " | ".join(" ".join(column) for column in columns) + " |")
    line("|---|---|" + "---|" * len(columns))
    for key in itertools.product(MEASURES, METHODS):
        if any(key in tables[column] for column in columns):
            shown = (f"{tables[column][key]:.3f}" if key in tables[column] else "" for column in columns)
            line(f"| {key[0]} | {key[1]} | " + " | ".join(shown) + " |")


if __name__ == "__main__":
    main()
