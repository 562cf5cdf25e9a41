"""The inputs of the vectors: made of integers and powers of two alone, so that every machine makes the same bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from flint import acb

Samples = tuple[float, ...]

_MASK = (1 << 64) - 1


def scrambled(seed: int, index: int) -> int:
    """64 well mixed bits of two integers (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    z = (seed * 0x9E3779B97F4A7C15 + (index + 1) * 0xD1B54A32D192ED03) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def noise(length: int, seed: int = 1, bits: int = 53) -> Samples:
    """Numbers in [-1, 1) that use ``bits`` bits each."""
    half = 1 << (bits - 1)
    return tuple(((scrambled(seed, k) >> (64 - bits)) - half) / half for k in range(length))


def _impulse(place: Callable[[int], int]) -> Callable[[int], Samples]:
    return lambda length: tuple(1.0 if k == place(length) else 0.0 for k in range(length))


SIGNALS: Mapping[str, Callable[[int], Samples]] = MappingProxyType(
    {
        "zero": lambda length: (0.0,) * length,
        "constant": lambda length: (1.0,) * length,
        "alternating": lambda length: tuple((-1.0) ** k for k in range(length)),
        "impulse-start": _impulse(lambda length: 0),
        "impulse-middle": _impulse(lambda length: length // 2),
        "impulse-end": _impulse(lambda length: length - 1),
        "ramp": lambda length: tuple(float(k) for k in range(length)),
        "steps": lambda length: tuple((-1.0) ** (4 * k // length) * (1 + 4 * k // length) for k in range(length)),
        "dyadic": lambda length: noise(length, seed=2, bits=12),
        "noise": noise,
        "negative-zero": lambda length: tuple(-0.0 if k % 2 else 1.0 for k in range(length)),
        "denormal": lambda length: tuple(
            math.ldexp(1 + scrambled(3, k) % 1000, -1074 if k % 2 else -940) for k in range(length)
        ),
        "tiny": lambda length: tuple(math.ldexp(k % 5 - 2, -600) for k in range(length)),
        "huge": lambda length: tuple(math.ldexp(k % 7 - 3, 400) for k in range(length)),
        "mixed-sizes": lambda length: tuple(math.ldexp(1.0, 60 * (k % 3 - 1)) for k in range(length)),
    }
)
"""Name -> function of the length."""


@dataclass(frozen=True)
class Wave:
    """``amplitude cos(frequency x + phase)``."""

    amplitude: float
    frequency: float
    phase: float


@dataclass(frozen=True)
class Entire:
    """An entire test signal ``f(x) = sum_j polynomial[j] x^j + sum_i waves[i](x)``, its numbers taken exactly."""

    polynomial: tuple[float, ...] = ()
    waves: tuple[Wave, ...] = ()

    def __call__(self, x: acb) -> acb:
        """The value on a ball, at the caller's precision; a constant is one on the whole line too."""
        total = acb(self.polynomial[-1] if self.polynomial else 0)
        for coefficient in reversed(self.polynomial[:-1]):
            total = total * x + coefficient
        for wave in self.waves:
            total += wave.amplitude * (wave.frequency * x + wave.phase).cos()
        return total


FUNCTIONS: Mapping[str, Entire] = MappingProxyType(
    {
        "one": Entire((1.0,)),
        "cubic": Entire((0.5, -1.25, 0.75, 2.0)),
        "wave": Entire((), (Wave(1.0, 3.0, 0.0),)),
        "chord": Entire((0.25, 0.125), (Wave(1.0, 5.0, 1.0), Wave(-0.5, 11.0, 0.5))),
    }
)
"""Signals of the projections, by name."""
