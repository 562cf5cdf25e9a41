"""Arrays in the order of axes, the type and the library that a described target has, and back.

Only names, places and types change: axes are permuted, and axes of length 1 are added and taken away. A number is
never changed: where a library would round what it is given, the call is refused.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from verify.arrays import Array, NotNumbers, Numbers, kind

AXES: Mapping[str, str] = {
    "L": "samples in time",
    "N": "coefficients",
    "P": "points",
    "R": "columns of the low-rank part",
    "B": "streams: a batch, of one at the levels that have one stream",
    "1": "an axis of length 1",
}
"""What an axis can be called in a layout."""

GIVEN: Mapping[str, tuple[str, ...]] = {
    "state": ("N",), "initial": ("N",), "samples": ("L",), "timestamps": ("L",), "points": ("P",), "sample": (),
}  # fmt: skip
"""Axes of what a target is given, as the target interface has them; in a batch, samples are ``B L``."""

ANSWERS: Mapping[str, Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "matrices": {"A": (("N", "N"),), "B": (("N",),)},
    "factors": {
        "Lambda": (("N",),), "P": (("N", "R"), ("N",)), "Q": (("N", "R"), ("N",)), "B": (("N",),), "V": (("N", "N"),),
    },
    "step": {"answer": (("N",),)},
    "scan": {"answer": (("L", "N"), ("N",))},
    "timed_scan": {"answer": (("L", "N"), ("N",))},
    "batch_scan": {"answer": (("B", "L", "N"), ("B", "N"))},
    "resume": {"answer": (("L", "N"), ("N",))},
    "reconstruct": {"answer": (("P",),)},
    "gradient": {"answer": (("N", "L"),)},
}  # fmt: skip
"""Axes of the parts of each level's answer, as the target interface has them; where there are two, either will do."""

OPTIONAL = ("P", "Q", "V")
"""Parts that an answer can lack."""

TENSORS = ("numpy", "torch", "jax", "tensorflow", "list")
"""What an array can be handed over as."""


def given_axes(name: str, level: str) -> tuple[str, ...]:
    """Axes of an argument as the target interface has them."""
    return ("B", "L") if name == "samples" and level == "batch_scan" else GIVEN[name]


def parse(text: str, accepted: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The axes of a layout, and those among the accepted that they are an order of.

    Raises:
        ValueError: an unknown axis, or others than the accepted.
    """
    layout = tuple(text.split())
    unknown = [axis for axis in layout if axis not in AXES]
    if unknown:
        raise ValueError(f"has the axis {unknown[0]!r}; accepted: {', '.join(AXES)}, with spaces")
    for axes in accepted:
        own = [axis for axis in layout if axis in axes]
        extra = [axis for axis in layout if axis not in axes]
        if sorted(own) == sorted(axes) and set(extra) <= {"1", "B"} and extra.count("B") <= 1:
            return layout, axes
    wanted = " or ".join(" ".join(axes) or "no axis" for axes in accepted)
    raise ValueError(f"is {text!r}; accepted: an order of {wanted}, with 1 (and B for a batch of one) added at will")


def lay(array: Array, axes: tuple[str, ...], layout: tuple[str, ...]) -> Array:
    """A view of an array with its axes in the order of a layout, axes of length 1 added."""
    kept = [axis for axis in layout if axis in axes]
    turned = array if len(set(axes)) < len(axes) else array.transpose([axes.index(axis) for axis in kept])
    return turned[tuple(slice(None) if axis in axes else None for axis in layout)]


def unlay(found: Numbers, axes: tuple[str, ...], layout: tuple[str, ...], what: str) -> Numbers:
    """The inverse of `lay`, for an answer.

    Raises:
        NotNumbers: the array has no such layout.
    """
    array = found.array
    added = [place for place, axis in enumerate(layout) if axis not in axes]
    if array.ndim != len(layout) or any(array.shape[place] != 1 for place in added):
        raise NotNumbers(
            f"{what} is {kind(array)}, and its description says {' '.join(layout) or 'no axis'}"
            + (f", where {', '.join(dict.fromkeys(layout[place] for place in added))} has length 1" if added else "")
        )
    array = array[tuple(0 if place in added else slice(None) for place in range(array.ndim))]
    kept = [axis for axis in layout if axis in axes]
    if len(set(axes)) == len(axes):  # the axes of a square matrix have one name: they are never exchanged
        array = array.transpose([kept.index(axis) for axis in axes])
    return Numbers(array, found.dtype)


class Handed:
    """An array on its way to a target.

    Args:
        array: as the check made it.
        axes: its axes.
        layout: those that the target has.
        tensor: what it is handed over as, one of `TENSORS`.
        dtype: the type it is handed over in, no narrower than its own.

    Raises:
        TypeError: the library would round it.
    """

    def __init__(self, array: Array, axes: tuple[str, ...], layout: tuple[str, ...], tensor: str, dtype: str) -> None:
        laid = lay(array, axes, layout)
        room = laid if tensor in ("numpy", "list") and laid.dtype == dtype else np.array(laid, dtype=dtype, order="C")
        if not np.array_equal(room, laid, equal_nan=True):
            raise TypeError(f"{dtype} would round what the target is given")
        self._laid, self._room = laid, room
        self.value = _MAKERS[tensor](room)
        got = _name(getattr(self.value, "dtype", dtype))
        if got != dtype:
            raise TypeError(
                f"{tensor} makes {got} of {dtype}, which would round what the target is given: "
                + ("set JAX_ENABLE_X64=1, or " if tensor == "jax" else "")
                + f"judge it in {got} with --dtype {got}"
            )

    def pass_on_changes(self) -> None:
        """What the target has written into what it was given, into the array that it was made from."""
        seen = self._room
        if isinstance(self.value, list):
            try:
                seen = np.asarray(self.value, dtype=self._room.dtype)
            except (TypeError, ValueError):
                seen = np.empty(0)
        if seen.shape != self._laid.shape:
            self._laid[...] = np.nan  # a list that has grown has no place to be written to
        elif not np.array_equal(self._laid, seen, equal_nan=True):
            self._laid[...] = seen


def _name(dtype: Any) -> str:
    return str(getattr(dtype, "name", None) or str(dtype).rpartition(".")[2])


def _torch(array: Array) -> Any:
    return importlib.import_module("torch").from_numpy(array)


def _jax(array: Array) -> Any:
    numpy: Any = importlib.import_module("jax.numpy")
    return numpy.asarray(array)


def _tensorflow(array: Array) -> Any:
    return importlib.import_module("tensorflow").convert_to_tensor(array)


_MAKERS: Mapping[str, Callable[[Array], Any]] = {
    "numpy": lambda array: array,
    "torch": _torch,
    "jax": _jax,
    "tensorflow": _tensorflow,
    "list": lambda array: array.tolist(),
}


def library_dtype(tensor: str, dtype: str) -> Any:
    """The name of a type as a library spells it; text for lists."""
    if tensor == "numpy":
        return np.dtype(dtype)
    if tensor == "list":
        return dtype
    return getattr(importlib.import_module("jax.numpy" if tensor == "jax" else tensor), dtype)
