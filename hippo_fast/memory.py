"""`Memory`, the online object, and reading a memory back."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from collections.abc import Callable
from typing import Any, Final, Self, final

import numpy as np

from hippo_fast import chunks
from hippo_fast.backends import BACKENDS, load_backend
from hippo_fast.backends.numpy_backend import advance, numpy_dtype, start_states
from hippo_fast.discretizations.base import ConstantSteps, EvenSteps, StretchSteps
from hippo_fast.holds import held_advance
from hippo_fast.operators import OPERATORS
from hippo_fast.recurrence import Recurrence, make_recurrence
from hippo_fast.types import Float64Array, FloatArray
from hippo_fast.validation import checked_finite, checked_key, checked_order, checked_parameters, real_array

_FORMAT: Final = "hippo_fast.Memory"
_VERSION: Final = 1
_BACKENDS: Final = ("numpy", "numba")
_PIECE: Final = 2**16  # samples of an array that are copied, judged and read at a time
_MANY: Final = 64  # samples of an array from which on invariant laws and holds do not step through them
_FLOATS: Final = frozenset((float, np.float64, np.float32, np.float16))  # kinds of one sample that are float64 numbers
_INTEGERS: Final = frozenset((int, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64))
_EXACT: Final = 2**53  # integers up to this are float64 numbers


@final
class Memory:
    """A stream compressed into ``order`` coefficients, sample by sample.

    The state after k updates is the state k - 1 that `hippo_fast.scan` gives for the same samples, within rounding.
    Under the GBT rules and `trapezoid` on ``legs`` it is the same to the last bit, on the same backend and however
    the stream is cut into updates, and costs ``O(N)`` for each sample. Everything else costs ``O(N^2)`` for a
    sample, in the bits of numpy's scan, and less in an array of 64 samples or more, which is read as a whole and so
    rounded otherwise. Nothing grows with the number of samples: an array is read in pieces.

    Args:
        measure: a key of `hippo_fast.OPERATORS`.
        order: number of coefficients ``N``.
        method: a key of `hippo_fast.DISCRETIZATIONS`.
        dt: sample spacing in units of time; required for an invariant law, refused for ``legs``.
        theta: window length of ``legt``, ``lmu``, ``fout``, in units of time.
        alpha: exponent of ``lagt``, ``-1 < alpha < 1``.
        beta: tilt of ``lagt``, > 0.
        dtype: ``"float64"`` (None) or ``"float32"``.
        backend: ``"numpy"``, ``"numba"``, or ``"auto"``: numba where it is installed, numpy where it is not. The two
            differ in rounding alone, and in speed.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: an unknown key, a number outside its domain, or arguments that do not go together.
        ModuleNotFoundError: numba is asked for and is not installed.
    """

    def __init__(
        self,
        measure: str,
        order: int,
        *,
        method: str = "bilinear",
        dt: float | None = None,
        theta: float = 1.0,
        alpha: float = 0.0,
        beta: float = 1.0,
        dtype: Any = None,
        backend: str = "auto",
    ) -> None:
        self._recurrence: Recurrence = make_recurrence(
            measure, order, method, dt=dt, theta=theta, alpha=alpha, beta=beta
        )
        self._dtype = numpy_dtype(dtype, np.dtype(np.float64))
        self._largest = float(np.finfo(self._dtype).max)
        self._backend = _checked_backend(backend)
        self._state: FloatArray = np.zeros((1, self._recurrence.order), self._dtype)
        self._last = 0.0  # the last sample, before it is rounded to the dtype
        self._count = 0
        self._first_single = sys.maxsize  # the first sample for which a number alone takes the short way
        self._constant: tuple[ConstantSteps, FloatArray, FloatArray] | None = None
        self._even: EvenSteps | None = None
        steps = None if self._recurrence.is_scale_law else self._recurrence.steps(None)
        if isinstance(steps, ConstantSteps):
            increment = np.ascontiguousarray(steps.increment.T.astype(self._dtype))
            self._constant = steps, increment, steps.gain.astype(self._dtype)
            self._first_single = 0
        elif self._backend == "numba":
            self._even = self._recurrence.discretization.even_steps(2, 1)
            if self._even is not None:
                self._first_single = self._recurrence.states_at_start(2, 0.0)

    def __repr__(self) -> str:
        config = ", ".join(f"{name}={value!r}" for name, value in self._config().items())
        return f"Memory({config}, count={self._count})"

    @property
    def count(self) -> int:
        """Number of samples read."""
        return self._count

    @property
    def backend(self) -> str:
        """What computes the updates: ``"numpy"`` or ``"numba"``."""
        return self._backend

    @property
    def _before(self) -> FloatArray:
        """The last sample in the dtype of the memory, ``(1,)``."""
        return np.array([self._last], self._dtype)

    @_before.setter
    def _before(self, sample: FloatArray) -> None:
        self._last = float(sample[0])

    @property
    def coefficients(self) -> FloatArray:
        """A copy of the coefficients, ``(N,)``; zeros before the first sample."""
        scale = self._recurrence.output_scale.astype(self._dtype)
        found: FloatArray = self._state[0] * scale if self._recurrence.is_scale_law else self._state[0].copy()
        return found

    def update(self, sample: Any) -> None:
        """Read one sample, or a ``(K,)`` array of them in order. If this raises, nothing has been read.

        Args:
            sample: a number, or ``(K,)`` numbers with K >= 1, oldest first.

        Raises:
            TypeError: samples that are no real numbers.
            ValueError: samples of another shape, empty, NaN or infinite.
            OverflowError: a coefficient would leave the range of the dtype.
        """
        kind = type(sample)
        if self._count >= self._first_single and (
            kind in _FLOATS or (kind in _INTEGERS and -_EXACT <= sample <= _EXACT)
        ):
            number = float(sample)
            if -self._largest <= number <= self._largest:  # neither NaN nor infinite
                self._read_number(number)
                return
        self._read_array(sample)

    def _read_number(self, number: float) -> None:
        """Read one finite sample by the short way, for which numpy's overhead would be most of the time."""
        if self._constant is not None:
            _, increment, gain = self._constant
            if self._backend == "numba":
                state = np.dot(self._state, increment)  # does not look for overflow, unlike the operator
                finite = _change_kernel(self._dtype)(self._state, state, gain, number)
            else:
                with np.errstate(over="ignore", invalid="ignore"):
                    state = _after_constant(self._state, number, increment, gain)
                finite = bool(np.isfinite(state).all())
        elif self._even is not None:
            state, even, read = self._state.copy(), self._even, _single_kernel(self._dtype)
            finite = read(state, number, self._last, self._count, even.implicit, even.explicit_at_start)
        if not finite:
            raise self._overflow()
        self._state, self._last, self._count = state, number, self._count + 1

    def _read_array(self, sample: Any) -> None:
        samples = real_array("sample", sample)
        if samples.ndim > 1 or samples.size == 0:
            raise ValueError(f"sample has shape {samples.shape}; accepted: a number or a (K,) array with K >= 1")
        stream = samples.reshape(-1)
        # A hold stretches its history once for each piece; chunks of an invariant law take memory in proportion.
        size = _PIECE if self._constant is not None else 4 * _PIECE
        pieces = range(0, stream.size, size)
        with np.errstate(over="ignore", invalid="ignore"):
            for begin in pieces:
                if not np.isfinite(stream[begin : begin + size].astype(self._dtype, copy=False)).all():
                    checked_finite("sample", stream if stream.dtype.kind == "f" else stream.astype(np.float64))
                    checked_finite("sample", stream.astype(self._dtype))
            state, before, count = self._state, self._before, self._count
            for begin in pieces:
                piece = stream[None, begin : begin + size].astype(self._dtype, copy=False)
                state = self._advanced(state, piece, before, count)
                if not np.isfinite(state).all():
                    raise self._overflow()
                before, count = piece[:, -1], count + piece.shape[1]
        self._state, self._last, self._count = state, float(before[0]), count

    def _overflow(self) -> OverflowError:
        return OverflowError(
            f"sample number {self._count} or a later one makes a coefficient leave the range of {self._dtype}; "
            "nothing was read"
        )

    def _advanced(self, state: FloatArray, stream: FloatArray, before: FloatArray, count: int) -> FloatArray:
        """Return the running state after the samples ``(1, K)``, read after ``count`` others; none is written into."""
        if self._constant is not None:
            steps_of_law, increment, gain = self._constant
            if stream.shape[1] >= _MANY:
                return chunks.last_state(steps_of_law, state, stream)
            for sample in stream[0]:
                state = _after_constant(state, sample, increment, gain)
            return state
        recurrence, stop, taken = self._recurrence, count + stream.shape[1], 0
        first_time = recurrence.discretization.first_time
        known = recurrence.states_at_start(stop, first_time)
        if count < known:
            opening = np.concatenate([before, stream[0, :2]])[1 - count :][None, :]
            state = start_states(recurrence, opening, first_time)[known - 1]
            taken = known - count
            before = stream[:, taken - 1]
        if taken == stream.shape[1]:
            return state
        steps = recurrence.steps_of_samples(count + taken, stop, None)
        if isinstance(steps, EvenSteps):
            if self._backend == "numba":
                state = state.copy()
                _array_kernel()(steps, state[0], stream[0, taken:], float(before[0]))
                return state
            steps = steps.prefix()
        if isinstance(steps, StretchSteps) and len(steps) >= _MANY:
            times, compiled = recurrence.times(count + taken - 1, stop), self._backend == "numba"
            return held_advance(state, stream[:, taken:], before, times, linear=steps.linear, compiled=compiled)
        return advance(steps, state, stream[:, taken:], before)

    def reconstruct(self, points: Any) -> Float64Array:
        """Return the remembered input at ``points`` ``(P,)``, fractions of the window, oldest first; ``(P,)`` float64.

        See `reconstruct` for what a fraction means for each measure and what is raised.
        """
        parameters = self._recurrence.parameters
        return reconstruct(
            self._recurrence.operator.key,
            self.coefficients,
            points,
            theta=parameters.theta,
            alpha=parameters.alpha,
            beta=parameters.beta,
        )

    def _config(self) -> dict[str, Any]:
        recurrence = self._recurrence
        return {
            "measure": recurrence.operator.key,
            "order": recurrence.order,
            "method": recurrence.discretization.key,
            "dt": recurrence.dt,
            "theta": recurrence.parameters.theta,
            "alpha": recurrence.parameters.alpha,
            "beta": recurrence.parameters.beta,
            "dtype": self._dtype.name,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything that `load` needs to go on bit for bit, as an npz file without pickles.

        The file appears whole or not at all: it is written beside ``path`` and then renamed.

        Raises:
            OSError: the file cannot be written.
        """
        import tempfile  # noqa: PLC0415  (saving and loading alone need these two)

        target = os.fspath(path)
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target) or ".", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(
                    file,
                    format=np.array(_FORMAT),
                    version=np.array(_VERSION),
                    config=np.array(json.dumps(self._config())),
                    count=np.array(self._count),
                    state=self._state[0],
                    before=self._before,
                )
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str], backend: str = "auto") -> Self:
        """Return the memory that `save` wrote, on whatever backend.

        It goes on bit for bit on the backend that it was saved on, and within rounding on another.

        Args:
            path: the file.
            backend: as for a new memory.

        Raises:
            TypeError: a backend of a wrong kind.
            OSError: the file cannot be read.
            ValueError: the file is no saved memory, is damaged, or has a newer format; or an unknown backend.
            ModuleNotFoundError: numba is asked for and is not installed.
        """
        import zipfile  # noqa: PLC0415

        chosen = _checked_backend(backend)
        name = os.fspath(path)
        with open(name, "rb") as file:
            try:
                with np.load(file, allow_pickle=False) as stored:
                    fields = {key: stored[key] for key in stored.files}
            except (ValueError, TypeError, EOFError, KeyError, AttributeError, NotImplementedError) as error:
                raise _unreadable(name, str(error)) from None
            except (zipfile.BadZipFile, OSError, RuntimeError) as error:
                raise _unreadable(name, f"damaged archive: {error}") from None
        if not isinstance(fields.get("format"), np.ndarray) or str(fields["format"]) != _FORMAT:
            raise _unreadable(name, f"its format field is {fields.get('format')!r}")
        try:
            version = int(fields["version"])
            if version != _VERSION:
                raise _unreadable(name, f"it has version {version}; this release reads version {_VERSION}")
            memory = cls(**json.loads(str(fields["config"])), backend=chosen)
            count, state, before = int(fields["count"]), fields["state"], fields["before"]
        except (KeyError, TypeError, ValueError) as error:
            raise error if str(error).startswith("path is") else _unreadable(name, str(error)) from None
        for field, array, shape in (("state", state, memory._state.shape[1:]), ("before", before, (1,))):
            if array.shape != shape or array.dtype != memory._dtype or not np.isfinite(array).all():
                raise _unreadable(
                    name, f"{field} is {array.dtype} {array.shape}, expected finite {memory._dtype} {shape}"
                )
        if count < 0:
            raise _unreadable(name, f"count is {count}")
        memory._state, memory._before, memory._count = state[None, :], before, count
        return memory


def _checked_backend(backend: object) -> str:
    """Return ``"numpy"`` or ``"numba"``, or raise."""
    key = checked_key("backend", backend, ("auto", *_BACKENDS))
    if key == "auto":
        return "numba" if BACKENDS["numba"].is_installed() else "numpy"
    load_backend(key)
    return key


def _after_constant(state: FloatArray, sample: Any, increment: FloatArray, gain: FloatArray) -> FloatArray:
    """Return the state ``(1, N)`` of an invariant law after one more sample; ``increment`` is transposed."""
    change = state @ increment
    change += sample * gain
    change += state
    return change


@functools.cache
def _single_kernel(dtype: np.dtype[Any]) -> Callable[..., bool]:
    from hippo_fast.kernels.single import READ_SAMPLE  # noqa: PLC0415  (imports numba)

    return READ_SAMPLE[dtype.name]


@functools.cache
def _change_kernel(dtype: np.dtype[Any]) -> Callable[..., bool]:
    from hippo_fast.kernels.single import ADD_CHANGE  # noqa: PLC0415  (imports numba)

    return ADD_CHANGE[dtype.name]


@functools.cache
def _array_kernel() -> Callable[..., None]:
    from hippo_fast.kernels.wave import last_state  # noqa: PLC0415  (imports numba)

    return last_state


def _unreadable(name: str, reason: str) -> ValueError:
    return ValueError(
        f"path is {name!r}, which is not a readable saved memory: {reason}; accepted: a file written by Memory.save"
    )


def checked_points(points: Any) -> Float64Array:
    """Return ``points`` as float64 fractions in [0, 1], or raise `TypeError` or `ValueError`."""
    array = real_array("points", points).astype(np.float64)
    checked_finite("points", np.atleast_1d(array))
    outside = (array < 0) | (array > 1)
    if outside.any():
        raise ValueError(
            f"points contains {array[outside].flat[0]}; accepted: fractions of the window in [0, 1], oldest first"
        )
    return array


def basis(
    measure: str, order: int, points: Any, *, theta: float = 1.0, alpha: float = 0.0, beta: float = 1.0
) -> Float64Array:
    """Return what each coefficient is multiplied by at ``points``.

    Args:
        measure: a key of `hippo_fast.OPERATORS`.
        order: number of coefficients ``N``.
        points: ``(P,)`` fractions of the window in [0, 1], oldest first. Under ``legs_lti`` fraction ``y`` in (0, 1]
            means age ``-ln y``.
        theta: window length; fractions do not depend on it.
        alpha: exponent of ``lagt``.
        beta: tilt of ``lagt``.

    Returns:
        ``(P, N)`` float64; the orthonormal basis of the measure, and for ``lmu`` what undoes its scaling.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: an unknown measure, a number outside its domain, or ``lagt``, whose window is infinite.
    """
    operator = OPERATORS[checked_key("measure", measure, OPERATORS)]
    parameters = checked_parameters(operator.key, operator.parameters, theta, alpha, beta)
    return operator.basis(checked_order(order), checked_points(points), parameters)


def reconstruct(
    measure: str, coefficients: Any, points: Any, *, theta: float = 1.0, alpha: float = 0.0, beta: float = 1.0
) -> Float64Array:
    """Return the input that coefficients stand for, at fractions of the window.

    Args:
        measure: a key of `hippo_fast.OPERATORS`.
        coefficients: ``(..., N)`` real and finite.
        points: ``(P,)``, as in `basis`.
        theta: window length; fractions do not depend on it.
        alpha: exponent of ``lagt``.
        beta: tilt of ``lagt``.

    Returns:
        ``(..., P)`` float64, in units of the input.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: coefficients that are 0-d, empty, NaN or infinite, points that are not ``(P,)`` fractions in [0, 1],
            or a measure with an infinite window that has no fractions.
    """
    values = real_array("coefficients", coefficients).astype(np.float64)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise ValueError(f"coefficients has shape {values.shape}; accepted: (..., N) with N >= 1")
    checked_finite("coefficients", values)
    fractions = checked_points(points)
    if fractions.ndim != 1:
        raise ValueError(f"points has shape {fractions.shape}; accepted: (P,)")
    functions = basis(measure, values.shape[-1], fractions, theta=theta, alpha=alpha, beta=beta)
    return np.asarray(values @ functions.T)
