"""The scans that are timed: inputs of integers and powers of two, and exact answers among the frozen vectors.

A benchmark times what it has seen to be right: `checked` runs the very call that is going to be timed, holds its answer
against the frozen one within the frozen bound, and gives it back only then.
"""

from __future__ import annotations

import functools
import math
import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asv_benchmarks.frozen import vectors
from asv_benchmarks.guests import Guest

hippo_fast, torch = Guest("hippo_fast"), Guest("torch")

BACKENDS = ["numpy", "numba", "torch"]
DTYPES = ["float64", "float32"]
MEASURES = ["legs", "legt", "lmu", "lagt", "fout", "legs_lti"]
INVARIANT = MEASURES[1:]
METHODS = ["bilinear", "backward_euler", "trapezoid", "zoh", "foh"]

ORDER, LENGTH = 64, 1000
ORDERS = [16, 64, 256, 1024]
STREAMS = [8, 64, 256]
SHORT = 200
"""Samples of a stream of a batch, of a gradient, and of the largest orders."""
DT = 1 / 64
SAMPLE = 0.005
"""Seconds that a sample lasts at least, and of at most so many calls: one of microseconds says little."""
MOST = 50

_MASK = (1 << 64) - 1


def _scrambled(index, seed):
    """64 well mixed bits (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    z = (seed * 0x9E3779B97F4A7C15 + (index + 1) * 0xD1B54A32D192ED03) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def dyadic(length, seed=2, bits=12):
    """(L,) white noise in [-1, 1) of ``bits`` bits a number: the same everywhere, and exact in float32."""
    half = 1 << (bits - 1)
    return np.array([((_scrambled(k, seed) >> (64 - bits)) - half) / half for k in range(length)])


def factors(streams):
    """(S,) what each stream of a batch is times the first one: no two alike, of 9 bits and a sign."""
    return np.array([(-1.0) ** s * (256 - s) / 256 for s in range(streams)])


@dataclass(frozen=True)
class Problem:
    """One stream whose states at `rows` are frozen.

    Attributes:
        measure: a key of `hippo_fast.OPERATORS`.
        method: the rule.
        order: N.
        length: L.
        uneven: at uneven times (legs).
    """

    measure: str
    method: str = "bilinear"
    order: int = ORDER
    length: int = LENGTH
    uneven: bool = False

    @property
    def id(self):
        """Of the frozen vector."""
        times = "/uneven" if self.uneven else ""
        return f"timed/{self.measure}/N={self.order}/{self.method}/L={self.length}{times}"

    @property
    def dt(self):
        """Sample spacing of an invariant law."""
        return None if self.measure == "legs" else DT

    @cached_property
    def samples(self):
        """(L,) float64."""
        return dyadic(self.length)

    @cached_property
    def timestamps(self):
        """(L,) increasing times, or None."""
        return 1.0 + np.cumsum(1.0 + dyadic(self.length, seed=5, bits=8) / 2) if self.uneven else None

    @property
    def keywords(self):
        """What a scan is given besides samples, measure and order."""
        times = {"timestamps": self.timestamps} if self.uneven else {}
        return {"method": self.method, **times, **({} if self.dt is None else {"dt": self.dt})}

    @property
    def rows(self):
        """States that are frozen: one on the way, and the last."""
        return (self.length // 3, self.length - 1)


def _short(measure, method="bilinear", order=ORDER):
    return Problem(measure, method, order, SHORT)


PROBLEMS = tuple(
    dict.fromkeys(
        [
            *(Problem("legs", method) for method in METHODS),
            *(Problem(measure, method) for measure in INVARIANT for method in ("bilinear", "backward_euler", "zoh")),
            *(_short("legs", order=order) for order in ORDERS),
            *(_short("fout", order=order) for order in ORDERS[:3]),
            *(_short(measure) for measure in MEASURES),
            *(Problem("legs", method, uneven=True) for method in ("bilinear", "zoh")),
            *(Problem("legs", method, 256, 2000) for method in ("bilinear", "trapezoid")),
        ]
    )
)
GRADIENTS = tuple(_short(measure) for measure in ("legs", "fout"))
"""Those of which ``d (weighting . last state) / d samples`` is frozen too."""


def weighting(order):
    """(N,) what a last state is multiplied by to give the number that is differentiated."""
    return dyadic(order, seed=3, bits=8)


def gradient_id(problem):
    """Of the frozen gradient."""
    return problem.id.replace("timed/", "gradient-of-weighted-state/")


def offered(backend, problem, dtype):
    """Raise NotImplementedError, with the reason, unless this commit says that it offers the scan."""
    known = hippo_fast.BACKENDS
    if backend not in known:
        raise NotImplementedError(f"hippo_fast has no backend {backend!r} in this commit")
    reason = known[backend].why_not(problem.measure, problem.method, dtype)
    if reason is not None:
        raise NotImplementedError(reason)


def require_right(share, what):
    """Raise unless an answer is within its bound."""
    if not share <= 1:
        raise AssertionError(f"{what}: the error is {share:.3g} times the bound; only right answers are timed")


def given(problem, backend, dtype, streams=1):
    """Samples as the backend takes them, ``(L,)`` or ``(S, L)``."""
    samples = problem.samples if streams == 1 else factors(streams)[:, None] * problem.samples
    samples = samples.astype(dtype)
    return torch.from_numpy(samples) if backend == "torch" else samples


@functools.lru_cache(maxsize=4)  # asv sets up again before each timed call
def checked(problem, backend, dtype="float64", output="last", streams=1):
    """The scan as a function of nothing, after its answer was found right.

    Raises:
        NotImplementedError: it is not offered, or what it needs is not installed.
        AssertionError: the answer is outside the bound.
    """
    offered(backend, problem, dtype)
    vector = vectors().get(problem.id)
    if vector is None:
        raise NotImplementedError(f"no exact answer is frozen for {problem.id}")
    call = functools.partial(
        hippo_fast.scan, given(problem, backend, dtype, streams), problem.measure, problem.order,
        backend=backend, output=output, **problem.keywords,
    )  # fmt: skip
    found = np.asarray(call(), dtype=np.float64).reshape(streams, -1, problem.order)
    what = f"{backend}, {problem.id}, {streams} streams, {output}, {dtype}"
    for factor, stream in zip(factors(streams) if streams > 1 else (1.0,), found, strict=True):
        rows = stream[list(problem.rows)] if output == "states" else np.stack([vector.exact[0][0] * factor, stream[-1]])
        require_right(vector.share(rows, dtype, factor), what)
    return call


@functools.lru_cache(maxsize=4)
def calls_per_sample(call):
    """How many calls make a sample; asv would take one, since there is a ``setup``."""
    spent = []
    for _ in range(3):
        begin = time.perf_counter()
        call()
        spent.append(time.perf_counter() - begin)
    return max(1, min(MOST, math.ceil(SAMPLE / max(min(spent), 1e-9))))
