"""A memory reads a signal, and what it gives back is held against the signal and against the best there could be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from verify.claims.reconstruction_signals import Array, Law, Noise, shares

WITNESSES: Final = 1e-9
"""Two ways to the same error may differ by this share of the variance: thousands of roundings, far below any error."""
CURVE_POINTS: Final = 241

Read: TypeAlias = Callable[["Memory", Array, float], Array]
"""What turns a memory, samples and their spacing into the last coefficients."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What reads the signal.

    Attributes:
        measure: key of `hippo_fast.OPERATORS` with a window: ``legs``, ``legt`` or ``lmu``.
        method: its rule.
        order: number of coefficients.
        theta: length of the window in seconds; None for LegS, whose window is all that was read.
    """

    measure: str
    method: str
    order: int
    theta: float | None = None

    @property
    def key(self) -> str:
        """Stable name."""
        window = "" if self.theta is None else f"-theta{self.theta:g}"
        return f"{self.measure}{window}-{self.method}-order{self.order}"

    @property
    def title(self) -> str:
        """Name for a table."""
        named = {"legs": "LegS", "legt": "LegT", "lmu": "LMU"}[self.measure]
        rule = self.method.replace("_", " ")
        return f"{named}, {rule}" if self.theta is None else f"{named}, window {self.theta:g} s, {rule}"

    def to_json(self) -> dict[str, Any]:
        """As settings of a unit."""
        return asdict(self)

    def window(self, seconds: float) -> float:
        """How much of the past it stands for after so many seconds."""
        return seconds if self.theta is None else min(self.theta, seconds)

    def online(self, spacing: float) -> Any:
        """The object that reads sample by sample."""
        from verify.adapters import own_nn  # noqa: PLC0415 -- in the worker alone

        return own_nn.Memory(self.measure, self.order, method=self.method, **self._arguments(spacing))

    def read(self, samples: Array, spacing: float) -> Array:
        """The coefficients after all samples."""
        from verify.adapters import own_nn  # noqa: PLC0415

        arguments = self._arguments(spacing)
        last = own_nn.scan(samples, self.measure, self.order, method=self.method, output="last", **arguments)
        return np.asarray(last)

    def remembered(self, coefficients: Array, fractions: Array) -> Array:
        """Values at fractions of its window, oldest first."""
        from verify.adapters import own_nn  # noqa: PLC0415

        return np.asarray(own_nn.reconstruct(self.measure, coefficients, fractions))

    def _arguments(self, spacing: float) -> dict[str, Any]:
        return {} if self.theta is None else {"theta": self.theta, "dt": spacing}


@dataclass(frozen=True, kw_only=True)
class Errors:
    """What a memory lost of one signal; mean squares over a stretch of the past.

    Attributes:
        power: of the signal over the whole run.
        whole: over the whole run; where a window does not reach, the memory says 0, the mean of the law.
        recent: over the last stretch, as long as the shortest window of the table.
        recent_power: of the signal there.
        window: over the memory's own window.
        best: over its own window, the least that any polynomial of its degree could lose.
        added: squared distance of the coefficients from those of that best polynomial.
        upper: share of the power of the samples in the upper half of the band.
        beyond: share of it above the band limit.
    """

    power: float
    whole: float
    recent: float
    recent_power: float
    window: float
    best: float
    added: float
    upper: float
    beyond: float


def measure(memory: Memory, law: Law, signal: Noise, count: int, recent: float, read: Read = Memory.read) -> Errors:
    """Read ``count`` samples of a signal and judge what is remembered.

    The error over the memory's own window is found twice: by quadrature of what the read-out gives, and as what the
    best polynomial loses, in closed form, plus the squared distance from it (Pythagoras, in an orthonormal basis).

    Args:
        memory: what reads.
        law: what the signal was drawn from.
        signal: what is read.
        count: samples in the whole run.
        recent: length of the last stretch, in seconds.
        read: how it is read; a test puts a wrong one here.

    Raises:
        ArithmeticError: the two disagree, or the coefficients are not finite.
    """
    seconds = signal.seconds
    samples = signal.samples(count)
    coefficients = read(memory, samples, seconds / count)
    if not np.isfinite(coefficients).all():
        raise ArithmeticError(f"{memory.title}: the coefficients after {count} samples are not finite")
    window = memory.window(seconds)
    begin = seconds - window
    fractions, weights = signal.nodes(memory.order, begin, seconds)
    truth = signal.values(begin + fractions * window)
    lost = float(weights @ (memory.remembered(coefficients, fractions) - truth) ** 2)
    best = signal.projection(memory.order, begin, seconds)
    least = float(weights @ truth**2 - best @ best)
    added = float(np.sum((orthonormal(memory, coefficients) - best) ** 2))
    power = signal.power(0.0, seconds)
    if abs(lost - (least + added)) > WITNESSES * max(power, lost):
        raise ArithmeticError(
            f"{memory.title}: the error by quadrature is {lost}, by closed form {least} + {added}; one of them is wrong"
        )
    upper, beyond = shares(samples, law)
    before = 0.0 if begin == 0.0 else signal.power(0.0, begin) * begin / seconds
    return Errors(
        power=power,
        whole=before + lost * window / seconds,
        recent=_recent(memory, coefficients, signal, min(recent, window)),
        recent_power=signal.power(seconds - min(recent, window), seconds),
        window=lost,
        best=least,
        added=added,
        upper=upper,
        beyond=beyond,
    )


def orthonormal(memory: Memory, coefficients: Array) -> Array:
    """Coefficients in the orthonormal basis of the window; LMU's are scaled by ``s_n (-1)^n``."""
    if memory.measure != "lmu":
        return coefficients
    degrees = np.arange(memory.order)
    return coefficients * np.where(degrees % 2, -1.0, 1.0) / np.sqrt(2 * degrees + 1)


def _recent(memory: Memory, coefficients: Array, signal: Noise, stretch: float) -> float:
    """Mean squared error over the last seconds."""
    seconds, window = signal.seconds, memory.window(signal.seconds)
    fractions, weights = signal.nodes(memory.order, seconds - stretch, seconds)
    truth = signal.values(seconds - stretch + fractions * stretch)
    return float(weights @ (memory.remembered(coefficients, 1 - (1 - fractions) * stretch / window) - truth) ** 2)


def curve(memory: Memory, coefficients: Array, seconds: float, begin: float, end: float) -> tuple[Array, Array]:
    """Times in a stretch, and what is remembered of them: as much of the stretch as the window reaches."""
    window = memory.window(seconds)
    times = np.linspace(begin, end, CURVE_POINTS)
    times = times[times >= seconds - window]
    return times, memory.remembered(coefficients, np.clip(1 - (seconds - times) / window, 0.0, 1.0))


def course(memory: Memory, signal: Noise, count: int, marks: tuple[int, ...]) -> list[dict[str, float]]:
    """Errors on the way, after each of so many samples, over what the window holds of the run by then."""
    samples, spacing = signal.samples(count), signal.seconds / count
    online, done, rows = memory.online(spacing), 0, []
    for mark in marks:
        online.update(samples[done:mark])
        done, time = mark, mark * spacing
        window = memory.window(time)
        fractions, weights = signal.nodes(memory.order, time - window, time)
        truth = signal.values(time - window + fractions * window)
        # Before a window of its own length is full, it reaches back beyond the first sample.
        full = window if memory.theta is None else memory.theta
        found = memory.remembered(online.coefficients, 1 - (1 - fractions) * window / full)
        rows.append({"seconds": time, "error": float(weights @ (found - truth) ** 2)})
    return rows


def settings_of(values: Mapping[str, Any]) -> Memory:
    """The memory that `Memory.to_json` wrote."""
    return Memory(**{key: values[key] for key in ("measure", "method", "order", "theta")})
