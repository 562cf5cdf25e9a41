"""Arrays that begin on a vector boundary."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

ALIGNMENT: Final = 64
"""Bytes: a cache line, and the widest vector. numpy itself promises 16."""


def aligned_empty(shape: tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    """Return an uninitialised C-contiguous array that begins on a vector boundary, for ``out=`` of `scan`.

    States of an order that is a whole number of vectors then go to memory past the caches, at twice the speed.

    Args:
        shape: of the array.
        dtype: of its numbers.

    Returns:
        An array of that shape and dtype, whose numbers are whatever was there.

    Raises:
        TypeError: a shape that is no tuple of integers, or a dtype that numpy does not know.
    """
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    room = np.empty(size + ALIGNMENT, np.uint8)
    first = -room.ctypes.data % ALIGNMENT
    return room[first : first + size].view(kind).reshape(shape)
