"""How a window moves: time of a window coordinate, and the speed of the basis variable at a fixed time of the past.

The *basis variable* y is what the polynomials are polynomials in. On a finite window it is the coordinate v in [0, 1],
0 at the far end and 1 now; ``Aging`` has the age u in [0, inf), 0 now; ``Warped`` has ``y = e^{-rate u}`` in (0, 1].
At a fixed time of the past y moves as ``dy/dt = (a + b y)/clock``, affine in every case, which is what keeps
polynomials polynomials.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from mpmath import mp, mpf

from hippo_ref.measures.base import Entry, TimeLaw
from hippo_ref.precision import as_mpf, rational


@dataclass(frozen=True)
class Motion(ABC):
    """A moving window; a value, its subclasses final.

    Attributes:
        time_law: the law that follows; its clock is 1, or t under the scale law.
        finite: the window coordinate is v in [0, 1] (else the age u in [0, inf)).
        now: value of the basis variable at the present.
        far: its value at the far end, None for infinity.
    """

    time_law: ClassVar[TimeLaw]
    finite: ClassVar[bool] = True
    now: ClassVar[int] = 1
    far: ClassVar[int | None] = 0

    @abstractmethod
    def time(self, v: mpf, t: mpf) -> mpf:
        """Time x of the window coordinate at time t."""

    @abstractmethod
    def coordinate(self, x: mpf, t: mpf) -> mpf:
        """Window coordinate of time x at time t."""

    @abstractmethod
    def speed(self, v: mpf, t: mpf) -> mpf:
        """``dx/dt`` at a fixed window coordinate."""

    @abstractmethod
    def drift(self) -> tuple[Entry, Entry]:
        """``(a, b)`` of ``dy/dt = (a + b y)/clock`` at a fixed time of the past."""

    def variable(self, v: mpf) -> tuple[mpf, mpf]:
        """Basis variable of a window coordinate, and ``|dy/dv|``."""
        return v, mpf(1)


@dataclass(frozen=True)
class Translated(Motion):
    """The window ``[t - theta, t]``: ``x = t - theta (1 - v)``."""

    theta: Fraction = Fraction(1)

    time_law: ClassVar[TimeLaw] = "invariant"

    def __post_init__(self) -> None:
        """Take theta exactly; it must be positive."""
        object.__setattr__(self, "theta", _positive(self.theta, "theta"))

    def time(self, v: mpf, t: mpf) -> mpf:
        """``x = t - theta (1 - v)``."""
        return t - as_mpf(self.theta) * (1 - v)

    def coordinate(self, x: mpf, t: mpf) -> mpf:
        """``v = (x - t)/theta + 1``."""
        return (x - t) / as_mpf(self.theta) + 1

    def speed(self, v: mpf, t: mpf) -> mpf:
        """1: the window moves rigidly."""
        return mpf(1)

    def drift(self) -> tuple[Entry, Entry]:
        """``-1/theta`` everywhere."""
        return -1 / self.theta, Fraction(0)


@dataclass(frozen=True)
class Scaled(Motion):
    """The last ``share`` of the history, ``[(1 - share) t, t]``, all of it by default."""

    share: Fraction = Fraction(1)

    time_law: ClassVar[TimeLaw] = "scale"

    def __post_init__(self) -> None:
        """Take the share exactly; it must lie in (0, 1]."""
        object.__setattr__(self, "share", _positive(self.share, "share"))
        if self.share > 1:
            raise ValueError(f"share must lie in (0, 1]: no window reaches back beyond time 0; got {self.share}")

    def time(self, v: mpf, t: mpf) -> mpf:
        """``x = t (1 - share (1 - v))``."""
        return t * (1 - as_mpf(self.share) * (1 - v))

    def coordinate(self, x: mpf, t: mpf) -> mpf:
        """``v = (x/t - 1)/share + 1``."""
        return (x / t - 1) / as_mpf(self.share) + 1

    def speed(self, v: mpf, t: mpf) -> mpf:
        """``dx/dt = x/t``."""
        return 1 - as_mpf(self.share) * (1 - v)

    def drift(self) -> tuple[Entry, Entry]:
        """``-(1/share - 1) - v`` over t: the far end is left behind where the window is not the whole history."""
        return 1 - 1 / self.share, Fraction(-1)


@dataclass(frozen=True)
class Aging(Motion):
    """All of the past by its age ``u = t - x``, polynomials in u."""

    time_law: ClassVar[TimeLaw] = "invariant"
    finite: ClassVar[bool] = False
    now: ClassVar[int] = 0
    far: ClassVar[int | None] = None

    def time(self, v: mpf, t: mpf) -> mpf:
        """``x = t - u``."""
        return t - v

    def coordinate(self, x: mpf, t: mpf) -> mpf:
        """``u = t - x``."""
        return t - x

    def speed(self, v: mpf, t: mpf) -> mpf:
        """1: the window moves rigidly."""
        return mpf(1)

    def drift(self) -> tuple[Entry, Entry]:
        """1: everything grows older."""
        return Fraction(1), Fraction(0)


@dataclass(frozen=True)
class Warped(Motion):
    """All of the past by its age u, polynomials in ``y = e^{-rate u}``, weights on y in (0, 1]."""

    rate: Fraction = Fraction(1)

    time_law: ClassVar[TimeLaw] = "invariant"
    finite: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Take the rate exactly; it must be positive."""
        object.__setattr__(self, "rate", _positive(self.rate, "rate"))

    def time(self, v: mpf, t: mpf) -> mpf:
        """``x = t - u``."""
        return t - v

    def coordinate(self, x: mpf, t: mpf) -> mpf:
        """``u = t - x``."""
        return t - x

    def speed(self, v: mpf, t: mpf) -> mpf:
        """1: the window moves rigidly."""
        return mpf(1)

    def drift(self) -> tuple[Entry, Entry]:
        """``dy/dt = -rate y``."""
        return Fraction(0), -self.rate

    def variable(self, v: mpf) -> tuple[mpf, mpf]:
        """``e^{-rate u}`` and ``rate e^{-rate u}``."""
        rate = as_mpf(self.rate)
        y = mp.exp(-rate * v)
        return y, rate * y


@dataclass(frozen=True)
class Stretching(Motion):
    """The window ``[t - length(t), t]`` of a general time law.

    Attributes:
        length: window length, ``mpf -> mpf``, > 0.
        rate: its derivative, ``mpf -> mpf``; above 1 the far end moves back into the past.
        moment: the time at which ``drift`` is asked for; set by ``derive(..., at=t)``.
    """

    length: Callable[[mpf], mpf]
    rate: Callable[[mpf], mpf]
    moment: Entry | None = None

    time_law: ClassVar[TimeLaw] = "general"

    def _window(self, t: mpf) -> mpf:
        length = self.length(t)
        if not length > 0:
            raise ValueError(f"length(t) must be > 0, got {length} at t = {mp.nstr(t, 15)}")
        return length

    def time(self, v: mpf, t: mpf) -> mpf:
        """``x = t - length(t) (1 - v)``."""
        return t - self._window(t) * (1 - v)

    def coordinate(self, x: mpf, t: mpf) -> mpf:
        """``v = (x - t)/length(t) + 1``."""
        return (x - t) / self._window(t) + 1

    def speed(self, v: mpf, t: mpf) -> mpf:
        """``dx/dt = 1 - rate(t) (1 - v)``."""
        return 1 - self.rate(t) * (1 - v)

    def drift(self) -> tuple[Entry, Entry]:
        """``-(1 - rate (1 - v))/length``."""
        if self.moment is None:
            raise ValueError("the law of a stretching window depends on the moment: pass at to derive")
        t = as_mpf(self.moment)
        length, rate = self._window(t), self.rate(t)
        return (rate - 1) / length, -rate / length


def _positive(value: object, name: str) -> Fraction:
    taken = rational(value, name)
    if taken <= 0:
        raise ValueError(f"{name} must be > 0, got {value}")
    return taken
