"""Test signals by name, each drawn on the window that ends at a given time, so that every window sees the same shape.

The formulas are in ``z``, which runs from 0 (oldest) to 1 (now) over the window and is negative before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import mpmath

from verify.oracle import Function

Formula = Callable[[Any], Any]


@dataclass(frozen=True)
class Shape:
    """A named signal.

    Attributes:
        words: its formula, for people.
        slope: the largest ``|df/dz|`` on [0, 1], or a little more.
        formula: mpf -> mpf, in z.
        later: ``(z, formula)`` of each further smooth piece.
        higher: bounds on ``|d^k f/dz^k|`` for k = 2, 3, ... while the derivative before is continuous; the last may
            jump. Empty where the slope itself does.
        degree: of its pieces, where they are polynomials.
    """

    words: str
    slope: float
    formula: Formula
    later: tuple[tuple[Fraction, Formula], ...] = ()
    higher: tuple[float, ...] = ()
    degree: int | None = None

    @property
    def derivatives(self) -> tuple[float, ...]:
        """Bounds on every derivative it has, from the first."""
        return (self.slope, *self.higher)


THIRD = Fraction(1, 3)

SIGNALS: dict[str, Shape] = {
    "wave": Shape(
        "sin(6 z + 1) + z/4", 6.25, lambda z: mpmath.sin(6 * z + 1) + z / 4, higher=tuple(6.0**k for k in range(2, 33))
    ),
    "chirp": Shape(
        "sin(2 pi (z + 2 z^2))", 31.416, lambda z: mpmath.sin(2 * mpmath.pi * (z + 2 * z * z)), higher=(1012.2,)
    ),
    "front": Shape("tanh(8 (z - 1/2))", 8.0, lambda z: mpmath.tanh(8 * z - 4), higher=(49.3, 1024.1)),
    "runge": Shape("1 / (1 + 25 (2 z - 1)^2)", 6.4952, lambda z: 1 / (1 + 25 * (2 * z - 1) ** 2), higher=(200.0,)),
    "corner": Shape("|z - 1/3|", 1.0, lambda z: _third() - z, ((THIRD, lambda z: z - _third()),), degree=1),
    "triangle": Shape(
        "1 at z = 0, 1/2 and 1, 0 halfway between",
        4.0,
        lambda z: 1 - 4 * z,
        (
            (Fraction(1, 4), lambda z: 4 * z - 1),
            (Fraction(1, 2), lambda z: 3 - 4 * z),
            (Fraction(3, 4), lambda z: 4 * z - 3),
        ),
        degree=1,
    ),
    "spline": Shape(
        "z/2 - z^2 + 8 max(z - 1/2, 0)^3",
        4.5,
        lambda z: z / 2 - z * z,
        ((Fraction(1, 2), lambda z: z / 2 - z * z + (2 * z - 1) ** 3),),
        higher=(22.0, 48.0),
        degree=3,
    ),
    "cubic": Shape("z^3 - z", 2.0, lambda z: z**3 - z, higher=(6.0, 6.0, 0.0), degree=3),
    "constant": Shape("1", 0.0, lambda z: mpmath.mpf(1), higher=(0.0,), degree=0),
}
"""Smooth, analytic with near poles, twice differentiable, and with corners; each with its constants."""


def _third() -> Any:
    return mpmath.mpf(1) / 3


@lru_cache(maxsize=1)
def _fingerprint() -> str:
    """Hash of the formulas' source: exact answers are kept on disk under a signal's name."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]


def signal(key: str, time: Fraction, window: Fraction) -> Function:
    """A named signal on the window of a given length that ends at a time.

    Raises:
        ValueError: an unknown name.
    """
    if key not in SIGNALS:
        raise ValueError(f"signal is {key!r}; accepted: {', '.join(SIGNALS)}")
    shape = SIGNALS[key]

    def stretched(formula: Formula) -> Formula:
        def value(x: Any) -> Any:
            scaled = (x - mpmath.mpf(time.numerator) / time.denominator) * window.denominator
            return formula(scaled / window.numerator + 1)

        return value

    pieces = [(time - window + z * window, stretched(formula)) for z, formula in shape.later]
    return piecewise(f"{key}({time},{window})@{_fingerprint()}", stretched(shape.formula), *pieces)


def piecewise(name: str, formula: Formula, *later: tuple[Any, Formula]) -> Function:
    """A signal made of smooth pieces.

    Args:
        name: part of every cache key: two signals of one name are taken for the same.
        formula: mpf -> mpf; the first piece, known on all of the line.
        later: ``(start, formula)`` of each later piece, in order of time; an exact start (int, Fraction, or the double
            that a float is).
    """
    branches: list[tuple[Fraction | None, Formula]] = [(None, formula)]
    branches += [(Fraction(start), piece) for start, piece in later]

    def value(x: Any) -> Any:
        chosen = formula
        for start, piece in branches[1:]:
            if start is not None and x * start.denominator >= start.numerator:
                chosen = piece
        return chosen(x)

    return Function(name, value, lambda x: mpmath.diff(value, x), branches)
