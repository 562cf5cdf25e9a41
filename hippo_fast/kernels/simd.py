"""Explicit vectors in compiled kernels: the width of this processor, and the few LLVM operations that kernels need.

A kernel that needs exact control of registers is a numba intrinsic: Python that runs once, while numba compiles, and
emits LLVM instructions on values of type ``<width x float>``. Vectors wider than the processor's registers would still
compile and be right (LLVM splits them), so a kernel is correct on any processor, and fast where the width fits.
Source of the instructions: the LLVM language reference, "Vector Operations" and "llvm.fma".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

import llvmlite.binding
import numba
import numba.extending
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils, types

Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """Compile a kernel: cached on disk, without the GIL, IEEE arithmetic as written, division by zero gives inf."""
    return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def intrinsic(function: Callable[..., Any]) -> Any:
    """Make a function ``(typing context, *argument types) -> (signature, emit)`` callable from compiled kernels."""
    return numba.extending.intrinsic(function)


@lru_cache(maxsize=1)
def features() -> frozenset[str]:
    """The features that numba compiles for: this processor's, unless ``NUMBA_CPU_FEATURES`` says otherwise."""
    asked = numba.config.CPU_FEATURES
    if asked is not None:
        return frozenset(word[1:] for word in asked.split(",") if word.startswith("+"))
    return frozenset(name for name, present in llvmlite.binding.get_host_cpu_features().items() if present)


def vector_bytes() -> int:
    """Return the width of the processor's vector registers: 64 with AVX-512, 32 with AVX, 16 otherwise."""
    return 64 if "avx512f" in features() else 32 if "avx" in features() else 16


def registers() -> int:
    """Return how many vector registers the processor has."""
    return 16 if "sse2" in features() and "avx512vl" not in features() else 32


def lanes(dtype: npt.DTypeLike) -> int:
    """Return how many floats of a dtype one vector register holds."""
    return vector_bytes() // np.dtype(dtype).itemsize


@intrinsic
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return ``a b + c`` rounded once, for numbers of one float type, inside a compiled kernel."""

    def emit(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.fma(*values)

    return (a(a, b, c), emit) if a == b == c and isinstance(a, types.Float) else None


@dataclass(frozen=True)
class Vectors:
    """Emits operations on vectors of one float type at the builder's position.

    Arithmetic other than `fma` is the builder's own (``fadd``, ``fsub``, ``fmul``, ``fdiv``, ``select``, ...), which
    takes vectors as it takes scalars. Addresses are pointers to the float type, and need the alignment of one float.

    Attributes:
        builder: of the function under construction.
        element: the LLVM float type.
        width: number of lanes.
    """

    builder: Any
    element: Any
    width: int

    @classmethod
    def of(cls, builder: Any, float_type: Any, width: int | None = None) -> Vectors:
        """Return the emitter for a numba float type; the width is the processor's unless it is given."""
        element = ir.FloatType() if float_type == types.float32 else ir.DoubleType()
        return cls(builder, element, width or lanes(str(float_type)))

    @property
    def type(self) -> Any:
        """The LLVM type of a vector."""
        return ir.VectorType(self.element, self.width)

    @property
    def zero(self) -> Any:
        """The vector of zeros."""
        return ir.Constant(self.type, [0.0] * self.width)

    def constant(self, value: float) -> Any:
        """Return a vector with one constant in every lane."""
        return ir.Constant(self.type, [value] * self.width)

    def splat(self, value: Any) -> Any:
        """Return a vector with one scalar in every lane."""
        single = self.builder.insert_element(self.undefined, value, ir.IntType(32)(0))
        return self.builder.shuffle_vector(single, self.undefined, self._lanes([0] * self.width))

    @property
    def undefined(self) -> Any:
        """A vector of no particular value."""
        return ir.Constant(self.type, ir.Undefined)

    def address(self, pointer: Any, index: Any) -> Any:
        """Return the address of the float ``index`` (an LLVM or Python integer) after ``pointer``."""
        if isinstance(index, int):
            index = ir.IntType(64)(index)
        return self.builder.gep(pointer, [index])

    def load(self, pointer: Any, index: Any = 0) -> Any:
        """Return the ``width`` floats that start ``index`` floats after ``pointer``."""
        return self.builder.load(self._vector_address(pointer, index), align=self.size)

    def load_one(self, pointer: Any, index: Any = 0) -> Any:
        """Return the float ``index`` floats after ``pointer``."""
        return self.builder.load(self.address(pointer, index), align=self.size)

    def store(self, vector: Any, pointer: Any, index: Any = 0) -> None:
        """Write the ``width`` floats that start ``index`` floats after ``pointer``."""
        self.builder.store(vector, self._vector_address(pointer, index), align=self.size)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """Return ``a b + c`` rounded once."""
        name = f"llvm.fma.v{self.width}f{8 * self.size}"
        signature = ir.FunctionType(self.type, [self.type] * 3)
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, signature, name), [a, b, c])

    def shift_in(self, first: Any, vector: Any) -> Any:
        """Move each lane one up: lane 0 gets the last lane of ``first``, the last lane of ``vector`` drops out."""
        return self.builder.shuffle_vector(first, vector, self._lanes(range(self.width - 1, 2 * self.width - 1)))

    def reverse(self, vector: Any) -> Any:
        """Return the lanes in reverse order."""
        return self.builder.shuffle_vector(vector, vector, self._lanes(range(self.width - 1, -1, -1)))

    def transpose(self, block: list[Any]) -> list[Any]:
        """Return ``width`` vectors whose vector i holds lane i of each: exchanges at distance 1, 2, 4, ..."""
        rows, width, distance = list(block), self.width, 1
        while distance < width:
            keeps = [lane & distance == 0 for lane in range(width)]
            low = self._lanes([lane if keeps[lane] else width + lane - distance for lane in range(width)])
            high = self._lanes([lane + distance if keeps[lane] else width + lane for lane in range(width)])
            for i in (i for i in range(width) if keeps[i]):
                a, b = rows[i], rows[i + distance]
                rows[i] = self.builder.shuffle_vector(a, b, low)
                rows[i + distance] = self.builder.shuffle_vector(a, b, high)
            distance *= 2
        return rows

    def extract(self, vector: Any, lane: int) -> Any:
        """Return one lane as a scalar."""
        return self.builder.extract_element(vector, ir.IntType(32)(lane))

    @property
    def size(self) -> int:
        """Bytes of one float."""
        return 4 if isinstance(self.element, ir.FloatType) else 8

    def _vector_address(self, pointer: Any, index: Any) -> Any:
        return self.builder.bitcast(self.address(pointer, index), self.type.as_pointer())

    def _lanes(self, indices: Any) -> Any:
        return ir.Constant(ir.VectorType(ir.IntType(32), self.width), list(indices))


def data_pointer(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    """Return the address of the first element of a numba array, inside ``emit`` of an intrinsic."""
    return context.make_array(array_type)(context, builder, array).data
