"""Band-limited white noise from its definition, and what the best polynomials make of it, both in closed form.

The law is that of the HiPPO paper's function approximation (appendix F.8): white noise below a band limit, periodic in
the length of the run. An error depends on the variance, which we take from a generator of the same authors
(state-spaces, ``whitesignal``, after nengo's ``WhiteSignal``): an RMS of 1/2. At that variance of 1/4 an LSTM that has
learnt nothing has the error of 0.25 that the paper's table gives. Every error also stands as a share of the variance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import roots_legendre, spherical_jn

Array: TypeAlias = NDArray[np.float64]

RMS: Final = 0.5
ROUNDING: Final = 1e-20
"""Share of power that transforms of doubles may leave where there is none: squares of a unit roundoff by many."""
UNLIKELY: Final = 6.0
"""Standard errors from its mean in which a signal of the law is found once in 10^8 times."""
MARGIN: Final = 100
"""Nodes beyond the degree at which the quadrature starts to converge; then it does so faster than any power."""


@dataclass(frozen=True)
class Law:
    """``f(t) = Re sum_j z_j exp(2 pi i j t / T)``, ``j = 1 .. band T``, all z_j independent and of one variance.

    Attributes:
        seconds: the period T, which is the length of the run.
        band: highest frequency, in Hz.
        rms: root of the expected mean of f^2.
    """

    seconds: float = 100.0
    band: float = 1.0
    rms: float = RMS

    @property
    def harmonics(self) -> int:
        """How many frequencies there are; each takes two numbers to say."""
        return math.floor(self.band * self.seconds * (1 + 1e-12))

    def draw(self, seed: int, *, to_learn: bool = False) -> Noise:
        """A signal, the same for the same seed however finely it is sampled later.

        Args:
            seed: >= 0.
            to_learn: another signal, that no seed gives without this.
        """
        generator = np.random.default_rng((seed, self.harmonics, int(to_learn)))
        parts = generator.standard_normal((2, self.harmonics)) * self.rms / math.sqrt(self.harmonics)
        return Noise(self.seconds, parts[0] + 1j * parts[1])

    def unseen(self, order: int) -> float:
        """Expected share of the variance that no polynomial of degree < ``order`` on the whole run can hold.

        The phase of each harmonic is uniform and independent of the others, so shares add: ``1 - sum_n (2n+1)
        j_n(pi j)^2`` of harmonic j, from its coefficients ``s_n i^n j_n(pi j)``, averaged over j.
        """
        angles = math.pi * np.arange(1, self.harmonics + 1, dtype=np.float64)
        return float(np.mean(1.0 - np.sum(_bessels(order, angles) ** 2, axis=1)))


@dataclass(frozen=True)
class Noise:
    """One signal.

    Attributes:
        seconds: its period.
        amplitudes: ``(J,)`` complex, those of the frequencies ``1/T .. J/T``.
    """

    seconds: float
    amplitudes: NDArray[np.complex128]

    def samples(self, count: int) -> Array:
        """``(count,)`` values at ``k T/count``.

        Raises:
            ValueError: so few samples that frequencies fall together.
        """
        if count <= 2 * len(self.amplitudes):
            least = 2 * len(self.amplitudes)
            raise ValueError(f"count is {count}; accepted: more than {least}, two for each frequency")
        spectrum = np.zeros(count // 2 + 1, np.complex128)
        spectrum[1 : len(self.amplitudes) + 1] = self.amplitudes * (count / 2)
        return np.fft.irfft(spectrum, count)

    def values(self, times: Array) -> Array:
        """The signal at times ``(P,)``, in seconds."""
        angles = 2 * math.pi * np.arange(1, len(self.amplitudes) + 1) / self.seconds
        return np.real(np.exp(1j * np.outer(times, angles)) @ self.amplitudes)

    def projection(self, order: int, begin: float, end: float) -> Array:
        """Exact coefficients ``(N,)`` on ``[begin, end]`` in the orthonormal Legendre basis, in closed form.

        ``1/2 int_{-1}^{1} e^{i k x} P_n(x) dx = i^n j_n(k)``, the spherical Bessel function (Abramowitz & Stegun
        10.1.14).
        """
        angles = 2 * math.pi * np.arange(1, len(self.amplitudes) + 1) / self.seconds
        turned = self.amplitudes * np.exp(1j * angles * (begin + end) / 2)
        powers = np.array([1, 1j, -1, -1j])[np.arange(order) % 4]
        return np.real(powers * (turned @ _bessels(order, angles * (end - begin) / 2)))

    def nodes(self, order: int, begin: float, end: float) -> tuple[Array, Array]:
        """Gauss-Legendre fractions of a window and their weights, summing to 1: they average squares exactly.

        That is, to rounding: both the signal and a polynomial of degree < order, squared, are integrated by these many.
        """
        degree = math.ceil(math.pi * len(self.amplitudes) * (end - begin) / self.seconds)
        return _gauss(max(order, degree) + MARGIN)

    def power(self, begin: float, end: float) -> float:
        """Mean of f^2 on a window."""
        fractions, weights = self.nodes(1, begin, end)
        return float(weights @ self.values(begin + fractions * (end - begin)) ** 2)


def shares(samples: Array, law: Law) -> tuple[float, float]:
    """Shares of the power of samples in the upper half of the band and above it: they tell what law is theirs."""
    spectrum: Any = np.abs(np.fft.rfft(samples)) ** 2
    upper, beyond = law.harmonics // 2 + 1, law.harmonics + 1
    whole = spectrum.sum()
    return float(spectrum[upper:beyond].sum() / whole), float(spectrum[beyond:].sum() / whole)


def foreign(law: Law, powers: Sequence[float], uppers: Sequence[float], beyonds: Sequence[float]) -> str:
    """Why signals are none of a law; "" where they may be.

    The power of a signal is ``rms^2`` by chi squared of 2J degrees of freedom over 2J, of relative variance 1/J; the
    share of its upper half is of the beta distribution with as many degrees as frequencies on each side.

    Args:
        law: what they should be drawn from.
        powers: of each signal.
        uppers: from `shares`.
        beyonds: from `shares`.
    """
    count, J = len(powers), law.harmonics
    if max(beyonds) > ROUNDING:
        return f"{max(beyonds):.2g} of the power of a signal lies above {law.band:g} Hz"
    above = (J - J // 2) / J
    for what, values, mean, variance in (
        ("power", powers, law.rms**2, law.rms**4 / J),
        ("share of the upper half of the band", uppers, above, above * (1 - above) / (J + 1)),
    ):
        found, spread = math.fsum(values) / count, math.sqrt(variance / count)
        if abs(found - mean) > UNLIKELY * spread:
            return f"the {what} of {count} signals is {found:.4g}; by the law it is {mean:.4g} within {spread:.2g}"
    return ""


@lru_cache(maxsize=8)
def _gauss(count: int) -> tuple[Array, Array]:
    nodes, weights = roots_legendre(count)
    return (nodes + 1) / 2, weights / 2


def _bessels(order: int, arguments: Array) -> Array:
    """``s_n j_n(k)`` for each argument, ``(J, N)``."""
    degrees = np.arange(order)
    return np.sqrt(2 * degrees + 1) * spherical_jn(degrees, arguments[:, None])
