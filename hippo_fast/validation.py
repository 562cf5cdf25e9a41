"""Checks at the door. Every message names the argument, the value got, and what is accepted."""

from __future__ import annotations

import math
import numbers
import operator as operator_module
from collections.abc import Collection
from typing import Any

import numpy as np

from hippo_fast.types import BoolArray, Float64Array, FloatArray, Parameters


def checked_order(order: object) -> int:
    """Return ``order`` as an int >= 1, or raise ``TypeError`` or ``ValueError``."""
    if isinstance(order, bool | np.bool_):
        raise TypeError(f"order is {order!r} (a boolean); accepted: an integer >= 1")
    try:
        value = operator_module.index(order)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"order is {order!r} ({type(order).__name__}); accepted: an integer >= 1") from None
    if value < 1:
        raise ValueError(f"order is {value}; accepted: an integer >= 1")
    return value


def checked_number(name: str, value: object, accepted: str) -> float:
    """Return ``value`` as a finite float, or raise."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}); accepted: {accepted}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} is {value!r}; accepted: {accepted}")
    return number


def checked_positive(name: str, value: object, meaning: str) -> float:
    """Return ``value`` as a finite float > 0, or raise."""
    accepted = f"{meaning}, a finite number > 0"
    number = checked_number(name, value, accepted)
    if number <= 0:
        raise ValueError(f"{name} is {value!r}; accepted: {accepted}")
    return number


def checked_key(name: str, value: object, known: Collection[str]) -> str:
    """Return ``value`` if it is one of the keys of a table, or raise."""
    if isinstance(value, str) and value in known:
        return value
    accepted = ", ".join(repr(key) for key in known)
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}); accepted: one of {accepted}")
    raise ValueError(f"{name} is {value!r}; accepted: one of {accepted}")


def checked_parameters(measure: str, owned: tuple[str, ...], theta: object, alpha: object, beta: object) -> Parameters:
    """Return the parameters of ``measure``; a value other than the default must belong to the measure.

    Domains: ``theta > 0``; ``-1 < alpha < 1``; ``beta > 0``.

    Raises:
        TypeError: a parameter is not a real number.
        ValueError: a parameter is outside its domain, or does not belong to ``measure``.
    """
    found = Parameters(
        theta=checked_positive("theta", theta, "the window length"),
        alpha=checked_number("alpha", alpha, "a number with -1 < alpha < 1"),
        beta=checked_positive("beta", beta, "the tilt of the Laguerre weight"),
    )
    if not -1.0 < found.alpha < 1.0:
        raise ValueError(f"alpha is {alpha!r}; accepted: a number with -1 < alpha < 1")
    default = Parameters()
    for name in ("theta", "alpha", "beta"):
        value = getattr(found, name)
        if name not in owned and value != getattr(default, name):
            takes = ", ".join(owned) or "no parameters"
            raise ValueError(f"{name} is {value!r} but measure {measure!r} does not have it; accepted: {takes}")
    return found


def checked_dt(dt: object, time_law: str, measure: str, timed: bool) -> float | None:
    """Return the sample spacing: a float > 0 for an invariant law without timestamps, None otherwise."""
    if time_law == "scale":
        if dt is not None:
            raise ValueError(
                f"dt is {dt!r} but measure {measure!r} has no time scale; "
                "accepted: None (give uneven times in timestamps)"
            )
        return None
    if timed:
        if dt is not None:
            raise ValueError(f"dt is {dt!r} but timestamps say when samples come; accepted: one of the two")
        return None
    if dt is None:
        raise ValueError(
            f"dt is missing: measure {measure!r} needs the sample spacing, a finite number > 0, or timestamps"
        )
    return checked_positive("dt", dt, "the sample spacing")


def checked_timestamps(timestamps: object, shape: tuple[int, ...], first_positive: bool) -> Float64Array:
    """Return strictly increasing, finite, nonnegative times of shape ``(L,)``, or of the samples' own ``shape``."""
    times = real_array("timestamps", timestamps)
    if times.shape not in (shape, shape[-1:]):
        own = f", or {shape}, times of its own for each stream" if len(shape) > 1 else ""
        raise ValueError(f"timestamps has shape {times.shape}; accepted: ({shape[-1]},), one time for each sample{own}")
    given, times = times, times.astype(np.float64)
    checked_finite("timestamps", times)
    with np.errstate(invalid="ignore"):
        rounded = given.dtype.kind in "iu" and not np.array_equal(times.astype(given.dtype), given)
    if rounded:
        raise ValueError(
            f"timestamps has dtype {given.dtype} and numbers that float64 would round; accepted: times up to 2^53, "
            "such as those since the first one"
        )
    rising = np.diff(times) > 0
    if not rising.all():
        *stream, bad = (int(i) for i in np.unravel_index(int(np.argmin(rising)), rising.shape))
        where, after = (*stream, bad + 1), float(times[(*stream, bad + 1)])
        raise ValueError(
            f"timestamps[{', '.join(map(str, where))}] is {after!r} after {float(times[(*stream, bad)])!r}; "
            "accepted: strictly increasing times"
        )
    early = times[..., 0] <= 0 if first_positive else times[..., 0] < 0
    if early.any():
        *stream, _ = where = (*(int(i) for i in np.argwhere(early)[0]), 0)
        raise ValueError(
            f"timestamps[{', '.join(map(str, where))}] is {float(times[where])!r}; "
            f"accepted: a time {'>' if first_positive else '>='} 0"
        )
    return times


def checked_observed(observed: object, shape: tuple[int, ...]) -> BoolArray:
    """Return which samples are there, booleans of the samples' ``shape``, or raise."""
    flags = np.asarray(observed)
    if flags.dtype != np.bool_:
        raise TypeError(f"observed has dtype {flags.dtype}; accepted: booleans, True where a sample was observed")
    if flags.shape not in (shape, shape[-1:]):
        own = f" or {shape}" if len(shape) > 1 else ""
        raise ValueError(f"observed has shape {flags.shape}; accepted: ({shape[-1]},){own}, one flag for each sample")
    return np.broadcast_to(flags, shape)


def real_array(name: str, values: object) -> np.ndarray[Any, Any]:
    """Return ``values`` as an array of real numbers of any real dtype, or raise."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # a ragged list
        raise ValueError(f"{name} is not a rectangular array ({error}); accepted: real numbers") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {array.dtype}; accepted: real numbers")
    return array


def checked_finite(name: str, array: FloatArray) -> None:
    """Raise ``ValueError`` with the first index at which ``array`` is NaN or infinite."""
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.unravel_index(int(np.argmin(finite)), array.shape))
        raise ValueError(
            f"{name}[{', '.join(map(str, where))}] is {array[where]}; accepted: finite {array.dtype} numbers"
        )


def checked_shape(name: str, shape: tuple[int, ...]) -> None:
    """Raise ``ValueError`` unless ``shape`` is ``(..., L)`` with at least one number in it."""
    if not shape:
        raise ValueError(f"{name} has shape (); accepted: (..., L), the time axis last, L >= 1")
    if 0 in shape:
        raise ValueError(f"{name} has shape {shape} and is empty; accepted: (..., L) with every length >= 1")
