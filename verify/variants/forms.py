"""Right answers in other containers, layouts and types, which the target interface takes as they are."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from verify.candidates import Model
from verify.case import Case
from verify.variants.base import Served, Variant, at

Array = np.ndarray[Any, np.dtype[Any]]
System = namedtuple("System", ("A", "B"))

REAL = ("matrices", "step", "scan", "reconstruct", "gradient", "timed_scan", "batch_scan", "resume")


def _each(change: Callable[[Array], Any]) -> Callable[[Model], Served]:
    """Change every array of an answer."""

    def answer(level: str, value: Any) -> Any:
        return tuple(change(part) for part in value) if isinstance(value, tuple) else change(value)

    return lambda model: Served(model, answer)


def _of_system(change: Callable[[Array, Array], Any]) -> Callable[[Model], Served]:
    return lambda model: Served(model, lambda level, value: change(*value) if level == "matrices" else value)


def _of_factors(change: Callable[..., Any]) -> Callable[[Model], Served]:
    return lambda model: Served(model, lambda level, value: change(*value) if level == "factors" else value)


def _strided(values: Array) -> Array:
    room = np.full((*values.shape[:-1], 2 * values.shape[-1]), np.nan, values.dtype)
    room[..., ::2] = values
    return room[..., ::2]


def _frozen(values: Array) -> Array:
    values = np.array(values)
    values.setflags(write=False)
    return values


def _reversed_memory(values: Array) -> Array:
    return np.ascontiguousarray(values[..., ::-1])[..., ::-1]


def _objects(values: Array) -> Array:
    return np.array(values, dtype=object)


def _tensor(values: Array) -> Any:
    import torch  # noqa: PLC0415 -- a guest

    return torch.tensor(np.ascontiguousarray(values), requires_grad=values.dtype.kind == "f")


def _complex(values: Array) -> Array:
    return values.astype(np.complex128 if values.dtype.itemsize == 8 else np.complex64)


def _last(level: str, value: Any) -> Any:
    if level in ("scan", "timed_scan"):
        return value[-1]
    return value[:, -1] if level == "batch_scan" else value


def _swapped(values: Array) -> Array:
    return values.astype(values.dtype.newbyteorder())


class _Own:
    """An array that numpy can only ask for."""

    def __init__(self, values: Array) -> None:
        self._values = values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self._values, dtype=dtype)


class _Named(np.ndarray[Any, np.dtype[Any]]):
    """A subclass, as libraries of units make them."""


def _negative_zeros(values: Array) -> Array:
    return np.where(values == 0, -0.0, values).astype(values.dtype)


def _flushed(values: Array) -> Array:
    smallest = np.finfo(values.dtype).smallest_normal
    return np.where(np.abs(values) < smallest, 0, values).astype(values.dtype)


def _sparse(values: Array) -> Any:
    import scipy.sparse  # noqa: PLC0415 -- a guest

    return scipy.sparse.csr_array(values) if values.ndim == 2 else values


def _by_mpmath(values: Array) -> Any:
    import mpmath  # noqa: PLC0415 -- a guest

    return mpmath.matrix(values.tolist()) if values.ndim == 2 else [mpmath.mpf(float(v)) for v in values]


def _lasts(values: Array) -> Array:
    """A view into a larger array that is dropped."""
    room = np.full((values.shape[0] + 3, *values.shape[1:]), np.nan, values.dtype)
    room[3:] = values
    return room[3:]


def _without_graph(values: Array) -> Any:
    import torch  # noqa: PLC0415 -- a guest

    tensor = torch.tensor(np.ascontiguousarray(values))
    return tensor.t().contiguous().t() if tensor.ndim == 2 else tensor


def _kept_input(model: Model) -> Any:
    """Works on a copy of its own, and returns an array that it overwrites at the next call only after a copy."""
    return Served(model, lambda level, value: tuple(map(np.copy, value)) if isinstance(value, tuple) else value.copy())


def _in_float64(model: Model) -> Model:
    """Reads float32 samples and answers in float64, as numpy does with float64 matrices."""
    return replace(model, inner="float64")


def _real_at(*levels: str) -> Callable[[Case], bool]:
    return at(*(level for level in REAL if not levels or level in levels))


FORMS = (
    Variant("as_it_is", "the plain implementation", lambda model: model),
    Variant("lists", "nested lists instead of arrays", _each(lambda values: values.tolist()), _real_at()),
    Variant("strided", "every second entry of a larger array", _each(_strided)),
    Variant("fortran_order", "arrays stored by columns", _each(np.asfortranarray)),
    Variant("read_only", "arrays that cannot be written", _each(_frozen)),
    Variant("reversed_memory", "arrays with a negative stride", _each(_reversed_memory)),
    Variant("objects", "arrays of Python numbers", _each(_objects), _real_at()),
    Variant("extended_answers", "answers in extended precision", _each(lambda v: v.astype(np.longdouble)), _real_at()),
    Variant("tensors", "torch tensors that carry a graph", _each(_tensor), _real_at()),
    Variant("complex_answers", "complex arrays without imaginary part", _each(_complex), _real_at()),
    Variant("other_byte_order", "arrays in the other byte order", _each(_swapped), _real_at()),
    Variant(
        "tuples",
        "tuples of tuples",
        _each(lambda v: tuple(map(tuple, v.tolist())) if v.ndim == 2 else tuple(v.tolist())),
        at("scan", "matrices", "gradient", "step", "resume"),
    ),
    Variant("array_protocol", "objects that numpy must ask for their array", _each(_Own), _real_at()),
    Variant("subclass", "a subclass of ndarray", _each(lambda values: values.view(_Named))),
    Variant("masked", "masked arrays without a mask", _each(np.ma.asarray), _real_at()),
    Variant("negative_zeros", "zeros with a sign", _each(_negative_zeros), _real_at()),
    Variant("flushed", "denormal numbers flushed to zero", _each(_flushed), _real_at()),
    Variant("sparse", "A as a sparse array", _of_system(lambda A, B: (_sparse(A), B)), at("matrices")),
    Variant("multiprecision", "matrices of a multiprecision library", _each(_by_mpmath), at("matrices")),
    Variant("slices", "slices of larger arrays", _each(_lasts), _real_at()),
    Variant("plain_tensors", "torch tensors in another layout", _each(_without_graph), _real_at()),
    Variant("copies", "a fresh copy of everything", _kept_input),
    Variant(
        "factor_mapping",
        "a mapping of the factors",
        _of_factors(lambda *parts: dict(zip(("Lambda", "P", "B", "V"), parts, strict=True))),
        at("factors"),
    ),
    Variant(
        "factor_columns",
        "B of the factors as a column",
        _of_factors(lambda L, P, B, V: (L, P, B[:, None], V)),
        at("factors"),
    ),
    Variant("mapping", "a mapping with A and B", _of_system(lambda A, B: {"A": A, "B": B}), at("matrices")),
    Variant("named_tuple", "a named tuple of A and B", _of_system(System), at("matrices")),
    Variant("attributes", "an object with A and B", _of_system(lambda A, B: SimpleNamespace(A=A, B=B)), at("matrices")),
    Variant("column_B", "B as a column", _of_system(lambda A, B: (A, B[:, None])), at("matrices")),
    Variant("list_of_two", "a list of A and B", _of_system(lambda A, B: [A, B]), at("matrices")),
    Variant(
        "last_state_only",
        "the last state alone",
        lambda model: Served(model, _last),
        at("scan", "timed_scan", "batch_scan"),
    ),
    Variant(
        "float64_inside",
        "float32 samples, float64 inside and out",
        _in_float64,
        lambda case: case.dtype == "float32" and case.level != "factors",
    ),
)
