"""What travels between a worker and its owner: plain values and arrays, bit for bit, and never a pickle.

A message is ``tag (16 bytes) | length of the header (8 bytes, big-endian) | header (JSON) | raw array bytes``. The
tag names the request that a message belongs to; it comes first so that a stray write into the channel is told from
a message by its first bytes, instead of being taken for a length and waited for.

In the header ``None``, booleans, strings, lists, finite floats and integers of 64 bits stand for themselves. Anything
else is an object with one key that names its type, so no dictionary of a user's can be mistaken for such a name.
"""

from __future__ import annotations

import json
import math
import re
import struct
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    import numpy as np

TAG_BYTES: Final = 16
LIMIT: Final = 2**30  # bytes in one message
HEADER_LIMIT: Final = 2**22  # bytes of it that are JSON, of which a reader makes objects of some 60 times their size

_LENGTH: Final = struct.Struct(">Q")
_PREFIX: Final = TAG_BYTES + _LENGTH.size
_DOUBLE: Final = struct.Struct(">d")
_DEPTH: Final = 64
_DTYPE: Final = re.compile(r"[<>|][biufc][0-9]{1,2}")


class WireError(ValueError):
    """A value that cannot be sent, or bytes that are not a message.

    Attributes:
        reason: What is wrong.
        place: Where inside the value, as subscripts such as ``['states'][3]``; empty for the value itself.
    """

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(reason, place)
        self.reason = reason
        self.place = place

    def __str__(self) -> str:
        return f"at {self.place}: {self.reason}" if self.place else self.reason


def encode(value: Any, tag: bytes, limit: int = LIMIT) -> list[memoryview]:
    """Returns the message for ``value`` as pieces to be written one after another.

    Args:
        value: ``None``, bool, int, float, str, a NumPy array or scalar of a boolean, integer, float or complex dtype,
            or lists, tuples and ``dict[str, ...]`` of these. A tuple arrives as a list. Subclasses are refused: what
            they add would be lost without a word.
        tag: ``TAG_BYTES`` bytes that the reader expects.
        limit: The largest message allowed, in bytes.

    Raises:
        WireError: ``value`` has something else in it, is nested too deeply, or is too large.
    """
    buffers: list[memoryview] = []
    packed = _pack(value, buffers, limit, 0)
    sizes = [buffer.nbytes for buffer in buffers]
    header = json.dumps({"value": packed, "sizes": sizes}, allow_nan=False, separators=(",", ":")).encode("ascii")
    total = _PREFIX + len(header) + sum(sizes)
    if total > limit:
        _refuse_size(total, limit)
    if len(header) > HEADER_LIMIT:
        raise WireError(
            f"what is no array has {len(header)} bytes, over the limit of {HEADER_LIMIT}; send numbers as arrays"
        )
    return [memoryview(tag + _LENGTH.pack(len(header)) + header), *buffers]


class Decoder:
    """Puts one message together from bytes as they come.

    Args:
        tag: The tag to insist on; None takes any, and leaves it in ``tag``.
        limit: The largest message accepted, in bytes.
    """

    def __init__(self, tag: bytes | None = None, limit: int = LIMIT) -> None:
        self.tag = tag
        self._limit = limit
        self._received = bytearray()
        self._header_end = _PREFIX
        self._total: int | None = None
        self._header: Any = None

    @property
    def missing(self) -> int:
        """How many bytes are still to come, as far as is known yet; 0 when the message is whole."""
        expected = self._header_end if self._total is None else self._total
        return expected - len(self._received)

    def feed(self, data: bytes) -> bool:
        """Takes the next bytes; returns whether the message is whole.

        Raises:
            WireError: the bytes are not the expected message; nothing more can be made of the channel.
        """
        self._received += data
        start = bytes(self._received[:TAG_BYTES])
        if self.tag is None:
            if len(start) == TAG_BYTES:
                self.tag = start
        elif not self.tag.startswith(start):
            raise WireError(f"{bytes(self._received[:32])!r} does not begin a message that answers the request")
        if self._header_end == _PREFIX and len(self._received) >= _PREFIX:
            self._header_end += _LENGTH.unpack_from(self._received, TAG_BYTES)[0]
            if self._header_end > min(self._limit, _PREFIX + HEADER_LIMIT):
                _refuse_size(self._header_end, min(self._limit, _PREFIX + HEADER_LIMIT))
        if self._total is None and self._header_end > _PREFIX and len(self._received) >= self._header_end:
            self._read_header()
        if self.missing < 0:
            raise WireError(f"{-self.missing} bytes follow the message")
        return self._total is not None and self.missing == 0

    def value(self) -> Any:
        """Returns what the message says; its arrays own their memory.

        Raises:
            WireError: the message is not whole, or its header does not describe a value.
        """
        if self._total is None or self.missing:
            raise WireError(f"the message ends {self.missing} bytes early")
        view = memoryview(self._received).toreadonly()
        buffers = []
        start = self._header_end
        for size in self._header["sizes"]:
            buffers.append(view[start : start + size])
            start += size
        try:
            return _unpack(self._header["value"], buffers, 0)
        except (ValueError, TypeError, IndexError, OverflowError, struct.error) as error:
            raise WireError(f"the header of the message does not describe a value: {error}") from error

    def _read_header(self) -> None:
        try:
            header = json.loads(self._received[_PREFIX : self._header_end], parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise WireError(f"the header of the message is not JSON: {error}") from error
        match header:
            case {"value": _, "sizes": list(sizes)} if all(type(size) is int and size >= 0 for size in sizes):
                self._header = header
                self._total = self._header_end + sum(sizes)
            case _:
                raise WireError("the header of the message lacks its value or the sizes of its arrays")
        if self._total > self._limit:
            _refuse_size(self._total, self._limit)


def _pack(value: Any, buffers: list[memoryview], limit: int, depth: int) -> Any:
    if depth > _DEPTH:
        raise WireError(f"it is nested more than {_DEPTH} deep; send something flatter")
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        # Python refuses to print or read long integers in decimal, and hexadecimal has no such limit.
        return value if -(2**63) <= value < 2**64 else {"int": hex(value)}
    if kind is float:
        # JSON has no inf and nan; their bytes keep the sign and the payload of a nan too.
        return value if math.isfinite(value) else {"float": _DOUBLE.pack(value).hex()}
    if kind is list or kind is tuple:
        return [_pack_item(index, item, buffers, limit, depth) for index, item in enumerate(value)]
    if kind is dict:
        for key in value:
            if type(key) is not str:
                raise WireError(f"a key is of type {_name(type(key))}; keys must be str")
        return {"dict": {key: _pack_item(key, item, buffers, limit, depth) for key, item in value.items()}}
    # NumPy is a guest: where nobody has imported it no value can be an array, and the worker starts twice as fast.
    numpy = sys.modules.get("numpy")
    if numpy is not None and (kind is numpy.ndarray or isinstance(value, numpy.generic)):
        return _pack_array(numpy.asarray(value), "array" if kind is numpy.ndarray else "scalar", buffers, limit)
    raise WireError(
        f"a value of type {_name(kind)} cannot be sent; send None, bool, int, float, str, list, dict or a NumPy array"
    )


def _pack_item(key: int | str, item: Any, buffers: list[memoryview], limit: int, depth: int) -> Any:
    try:
        return _pack(item, buffers, limit, depth + 1)
    except WireError as error:
        raise WireError(error.reason, f"[{key!r}]{error.place}") from None


def _pack_array(array: np.ndarray[Any, Any], name: str, buffers: list[memoryview], limit: int) -> Any:
    if not _DTYPE.fullmatch(array.dtype.str):
        raise WireError(f"an array of dtype {array.dtype} cannot be sent; send booleans, integers, floats or complex")
    if array.nbytes > limit:  # before a copy is made
        _refuse_size(array.nbytes, limit)
    flat = array.reshape(-1).copy() if not array.flags.c_contiguous else array.reshape(-1)
    buffers.append(flat.view("u1").data)
    return {name: [len(buffers) - 1, array.dtype.str, list(array.shape)]}


def _unpack(packed: Any, buffers: list[memoryview], depth: int) -> Any:
    if depth > _DEPTH:
        raise WireError(f"the message is nested more than {_DEPTH} deep")
    if packed is None or isinstance(packed, bool | int | float | str):
        return packed
    match packed:
        case list():
            return [_unpack(item, buffers, depth + 1) for item in packed]
        case {"dict": dict(items)} if len(packed) == 1:
            return {key: _unpack(item, buffers, depth + 1) for key, item in items.items()}
        case {"int": str(text)} if len(packed) == 1:
            return int(text, 16)
        case {"float": str(text)} if len(packed) == 1:
            return _DOUBLE.unpack(bytes.fromhex(text))[0]
        case {"array": [int(index), str(dtype), list(shape)]} if len(packed) == 1:
            return _unpack_array(buffers[index], dtype, shape)
        case {"scalar": [int(index), str(dtype), []]} if len(packed) == 1:
            return _unpack_array(buffers[index], dtype, [])[()]
        case _:
            raise WireError("the header of the message holds an object of no known type")


def _unpack_array(buffer: memoryview, dtype: str, shape: list[Any]) -> np.ndarray[Any, Any]:
    import numpy  # noqa: ICN001, PLC0415 -- a guest, as in _pack

    if not _DTYPE.fullmatch(dtype):
        raise WireError(f"the message holds an array of dtype {dtype!r}")
    if not all(type(length) is int and length >= 0 for length in shape):  # reshape would take -1 as a free length
        raise WireError(f"the message holds an array of shape {shape!r}")
    return numpy.frombuffer(buffer, dtype=numpy.dtype(dtype)).reshape(shape).copy()


def _refuse_size(size: int, limit: int) -> NoReturn:
    raise WireError(f"the message has {size} bytes or more, over the limit of {limit}; send less at once")


def _refuse_constant(text: str) -> NoReturn:
    raise WireError(f"the header of the message holds the constant {text}")


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
