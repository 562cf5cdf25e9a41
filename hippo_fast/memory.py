"""`Memory`, the online object, and reading a memory back."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Final, Self, final

import numpy as np

from hippo_fast.backends.numpy_backend import advance, numpy_dtype, start_states
from hippo_fast.operators import OPERATORS
from hippo_fast.recurrence import Recurrence, make_recurrence
from hippo_fast.types import Float64Array, FloatArray
from hippo_fast.validation import checked_finite, checked_key, checked_order, checked_parameters, real_array

_FORMAT: Final = "hippo_fast.Memory"
_VERSION: Final = 1


@final
class Memory:
    """A stream compressed into ``order`` coefficients, sample by sample.

    The state after k updates is the state k - 1 that `hippo_fast.scan` gives for the same samples. ``legs`` takes
    ``O(N)`` for each sample under the GBT rules and `trapezoid`; everything else takes ``O(N^2)``.

    Args:
        measure: a key of `hippo_fast.OPERATORS`.
        order: number of coefficients ``N``.
        method: a key of `hippo_fast.DISCRETIZATIONS`.
        dt: sample spacing in units of time; required for an invariant law, refused for ``legs``.
        theta: window length of ``legt``, ``lmu``, ``fout``, in units of time.
        alpha: exponent of ``lagt``, ``-1 < alpha < 1``.
        beta: tilt of ``lagt``, > 0.
        dtype: ``"float64"`` (None) or ``"float32"``.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: an unknown key, a number outside its domain, or arguments that do not go together.
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
    ) -> None:
        self._recurrence: Recurrence = make_recurrence(
            measure, order, method, dt=dt, theta=theta, alpha=alpha, beta=beta
        )
        self._dtype = numpy_dtype(dtype, np.dtype(np.float64))
        self._constant_steps = None if self._recurrence.is_scale_law else self._recurrence.steps(None)
        self._state: FloatArray = np.zeros((1, self._recurrence.order), self._dtype)
        self._before: FloatArray = np.zeros(1, self._dtype)
        self._count = 0

    def __repr__(self) -> str:
        config = ", ".join(f"{name}={value!r}" for name, value in self._config().items())
        return f"Memory({config}, count={self._count})"

    @property
    def count(self) -> int:
        """Number of samples read."""
        return self._count

    @property
    def coefficients(self) -> FloatArray:
        """A copy of the coefficients, ``(N,)``; zeros before the first sample."""
        scale = self._recurrence.output_scale.astype(self._dtype)
        found: FloatArray = self._state[0] * scale if self._recurrence.is_scale_law else self._state[0].copy()
        return found

    def update(self, sample: Any) -> None:
        """Read one sample, or a ``(K,)`` array of them in order. If this raises, nothing has been read.

        Raises:
            TypeError: samples that are no real numbers.
            ValueError: samples of another shape, empty, NaN or infinite.
            OverflowError: a coefficient would leave the range of the dtype.
        """
        samples = real_array("sample", sample)
        if samples.ndim > 1 or samples.size == 0:
            raise ValueError(f"sample has shape {samples.shape}; accepted: a number or a (K,) array with K >= 1")
        checked_finite("sample", np.atleast_1d(samples if samples.dtype.kind == "f" else samples.astype(np.float64)))
        with np.errstate(over="ignore", invalid="ignore"):
            stream = samples.reshape(1, -1).astype(self._dtype)
            checked_finite("sample", stream[0])
            state = self._advanced(stream)
        if not np.isfinite(state).all():
            raise OverflowError(
                f"sample number {self._count} or a later one makes a coefficient leave the range of {self._dtype}; "
                "nothing was read"
            )
        self._state, self._before, self._count = state, stream[:, -1].copy(), self._count + stream.shape[1]

    def _advanced(self, stream: FloatArray) -> FloatArray:
        """Return the running state after the samples ``(1, K)``."""
        recurrence, state, count = self._recurrence, self._state, self._count
        if self._constant_steps is not None:
            return advance(self._constant_steps, state, stream, self._before)
        before, taken = self._before, 0
        first_time = recurrence.discretization.first_time
        known = recurrence.states_at_start(count + stream.shape[1], first_time)
        if count < known:
            opening = np.concatenate([before, stream[0]])[1 - count :][None, :]
            state = start_states(recurrence, opening, first_time)[-1]
            taken = known - count
            before = stream[:, taken - 1]
        if taken == stream.shape[1]:
            return state
        steps = recurrence.steps(recurrence.times(count + taken - 1, count + stream.shape[1]))
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
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the memory that `save` wrote.

        Raises:
            OSError: the file cannot be read.
            ValueError: the file is no saved memory, is damaged, or has a newer format.
        """
        import zipfile  # noqa: PLC0415

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
            memory = cls(**json.loads(str(fields["config"])))
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
