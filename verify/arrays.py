"""Arrays of any library as numpy arrays, without importing the library they come from.

What a library offers is asked of the object itself: numpy's ``__array__``, DLPack, ``numpy()``, ``tolist()``; a tensor
is first taken off its graph and its device, a sparse array is filled up. Nothing is rounded but what numpy has no type
for, and that is widened (bfloat16) or was exact beyond a double (mpmath).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class NotNumbers(ValueError):  # noqa: N818 -- a finding about a target's answer
    """What a target gave is no array of numbers; the message is a sentence that says what it is."""


@dataclass(frozen=True)
class Numbers:
    """An array on its way from a target.

    Attributes:
        array: its values; a view of the target's own memory where that is possible, so that a later change shows.
        dtype: its type as the target gave it, such as ``bfloat16`` where the values had to be widened.
    """

    array: Array
    dtype: str


def numbers(value: Any, what: str) -> Numbers:
    """An array-like of any library, real or complex.

    Raises:
        NotNumbers: it is none; the message begins with ``what``.
    """
    if isinstance(value, Numbers):
        return value
    if isinstance(value, NotNumbers):  # found to be none on the way here
        raise value
    if value is None:
        raise NotNumbers(f"{what} is None; expected an array")
    try:
        array, dtype = _convert(value)
    except MemoryError:
        raise
    except NotNumbers as error:
        raise NotNumbers(f"{what} {error}") from None
    except Exception as error:  # conversion runs code of the target's library
        raise NotNumbers(f"{what} is {kind(value)}, which is no array: {error}") from error
    if array.dtype.kind not in "fiuc":
        raise NotNumbers(f"{what} has dtype {array.dtype}; expected numbers")
    return Numbers(array, dtype)


def real(value: Any, what: str) -> Numbers:
    """An array-like of any library as a real array.

    Raises:
        NotNumbers: it is none, or complex with more than what rounding leaves of a vanishing imaginary part.
    """
    try:
        found = numbers(value, what)
    except NotNumbers as error:
        raise NotNumbers(str(error).replace("expected numbers", "expected real numbers")) from error
    array = found.array
    if array.dtype.kind != "c":
        return found
    # What a complex decomposition leaves when its imaginary parts cancel is rounding of its own size.
    largest = np.abs(array).max(initial=0.0)
    if np.abs(array.imag).max(initial=0.0) > 64 * array.size**0.5 * np.finfo(array.dtype).eps * largest:
        raise NotNumbers(f"{what} is complex with imaginary parts up to {np.abs(array.imag).max():.3g}; expected real")
    return Numbers(array.real, found.dtype)


def kind(value: Any) -> str:
    """What a value is, for a person."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, Iterable) and not isinstance(value, type):
        return f"one array of shape ({', '.join(map(str, shape))})"
    if value is None:
        return "None"
    name = type(value).__name__
    article = "an" if name[0] in "aeiouAEIOU" else "a"
    return f"{article} {name} of {len(value)}" if isinstance(value, tuple | list) else f"{article} {name}"


def is_sequence(value: Any) -> bool:
    """Whether it is several things and not one array, in whose first axis a pair could be seen."""
    return hasattr(value, "__len__") and not hasattr(value, "shape") and not isinstance(value, Mapping | str | bytes)


def _convert(value: Any) -> tuple[Array, str]:
    if isinstance(value, list | tuple):
        return _sequence(value)
    dtype = ""
    if hasattr(value, "detach"):  # torch, paddle: off the graph, off the device, and as it is meant
        value = _tensor(value)
        dtype = str(value.dtype).rpartition(".")[2]
        if "float" in dtype and dtype not in ("float64", "float32", "float16"):
            value = value.float()
    for dense in ("toarray", "todense", "to_dense"):  # scipy; jax, sparse; torch
        if dense in dir(type(value)) and not isinstance(value, np.ndarray):
            value = getattr(value, dense)()
            break
    if all(hasattr(value, name) for name in ("indices", "values", "dense_shape")):  # TensorFlow
        value = _filled(value)
    if np.ma.is_masked(value):
        raise NotNumbers("has masked entries; expected numbers")
    array = _asked(value)
    if array.dtype.kind == "V" and array.dtype.names is None and "float" in array.dtype.name:
        dtype, array = array.dtype.name, array.astype(np.float32)  # bfloat16 and smaller, of jax and TensorFlow
    if array.dtype == object:
        if hasattr(value, "tolist") and not isinstance(value, np.ndarray):  # mpmath and other matrices of their own
            return _sequence(value.tolist())
        array, dtype = _python_numbers(array)
    return array, dtype or str(array.dtype)


def _tensor(value: Any) -> Any:
    value = value.detach()
    if str(getattr(value, "layout", "torch.strided")) != "torch.strided":
        value = value.to_dense()
    value = value.cpu()
    for lazy in ("resolve_conj", "resolve_neg"):
        if hasattr(value, lazy):
            value = getattr(value, lazy)()
    return value


def _filled(value: Any) -> Array:
    values = _convert(value.values)[0]
    room = np.zeros([int(length) for length in _convert(value.dense_shape)[0]], values.dtype)
    np.add.at(room, tuple(_convert(value.indices)[0].T), values)
    return room


def _asked(value: Any) -> Array:
    """The array that an object offers of itself, by the first protocol that works."""
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    problem: Exception | None = None
    for offered, ask in (
        ("__array__", np.asarray),
        ("numpy", lambda one: np.asarray(one.numpy())),
        ("__dlpack__", _by_dlpack),
        ("get", lambda one: np.asarray(one.get())),  # cupy: the copy from its device has to be asked for by name
    ):
        if hasattr(type(value), offered) and not isinstance(value, Mapping):
            try:
                return ask(value)
            except Exception as error:  # noqa: BLE001 -- another protocol may work, the first reason tells most
                problem = problem or error
    if problem is not None:
        raise problem
    return np.asarray(value)


def _by_dlpack(value: Any) -> Array:
    try:
        return np.from_dlpack(value)
    except (BufferError, RuntimeError):  # on a device: a copy has to be asked for
        return np.from_dlpack(value, device="cpu", copy=True)


def _sequence(value: list[Any] | tuple[Any, ...]) -> tuple[Array, str]:
    """Nested lists and tuples, whose leaves may be arrays of a library."""
    dtypes: list[str] = []
    array = np.asarray(_leaves(value, dtypes))
    if array.dtype == object:
        array, dtype = _python_numbers(array)
        return array, dtype
    return array, dtypes[0] if len(set(dtypes)) == 1 else str(array.dtype)


def _leaves(value: Any, dtypes: list[str]) -> Any:
    if isinstance(value, list | tuple):
        return [_leaves(item, dtypes) for item in value]
    if isinstance(value, int | float | complex):
        return value
    if hasattr(value, "shape"):
        array, dtype = _convert(value)
        dtypes.append(dtype)
        return array
    return value


def _python_numbers(array: Array) -> tuple[Array, str]:
    """Numbers that are Python objects (mpf, Fraction, Decimal) as doubles; text is no number."""
    entries = [_number(item, "holds" if array.ndim else "is") for item in array.flat]
    dtype = type(array.flat[0]).__name__ if entries else "object"
    return np.array(entries, dtype=complex if any(isinstance(x, complex) for x in entries) else float).reshape(
        array.shape
    ), dtype


def _number(item: Any, verb: str) -> float | complex:
    if not isinstance(item, str | bytes):
        for into in (float, complex):
            try:
                return into(item)
            except TypeError:
                continue
    raise NotNumbers(f"{verb} {kind(item)}; expected numbers")
