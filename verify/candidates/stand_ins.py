"""Diagonal systems that S4D puts in the place of LegS: half of their modes, each driven by 1 (S4D, section 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def s4d_lin(order: int) -> Array:
    """S4D-Lin: ``-1/2 + i pi n``, n < (N+1)/2 (S4D, equation 9)."""
    return np.asarray(-0.5 + 1j * np.pi * np.arange((order + 1) // 2))


def s4d_inv(order: int) -> Array:
    """S4D-Inv: ``-1/2 + i (N/pi)(N/(2n+1) - 1)`` (S4D, equation 8)."""
    return np.asarray(-0.5 + 1j * order / np.pi * (order / (2.0 * np.arange((order + 1) // 2) + 1) - 1))


def s4d_real(order: int) -> Array:
    """S4D-Real: ``-(n+1)`` (S4D, section 4), no mode with a partner."""
    return np.asarray(-1.0 - np.arange(order)) + 0j


STAND_INS: dict[str, Callable[[int], Array]] = {"s4d_lin": s4d_lin, "s4d_inv": s4d_inv, "s4d_real": s4d_real}
"""Their modes, by order."""
