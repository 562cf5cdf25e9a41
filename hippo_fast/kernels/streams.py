"""LegS in ``O(N)`` for many streams at once: the lanes of a vector are streams, forwards and backwards.

The state is kept as ``X_0 = x_0``, ``X_n = n (n + 1) x_n`` (``x_n = c_n/s_n``). There one step (`PrefixSteps`) is, with
``D = X' - X`` and ``D_{-1} = now u_k + before u_{k-1}``,

    ``D_n = alpha_n D_{n-1} - beta_n (X_n + X_{n-1})``,
    ``alpha_n = (n + 1)/(n - 1) (1 - implicit (n - 1))/(1 + implicit (n + 1))``,
    ``beta_n = (n + 1) total/(1 + implicit (n + 1))``,

where rows 0 and 1 take no ``X_{n-1}``, ``alpha_0 = 1/(1 + implicit)``, ``alpha_1 = 2/(1 + 2 implicit)``. It is the
difference of rows n and n - 1 of `PrefixSteps`, times ``n (n + 1)``: two multiplications and two additions, and every
rounding but the last is as large as the change, not as the state. The transpose, on a costate ``L``, descends:

    ``E_n = L_n + alpha_{n+1} E_{n+1}``,  ``L'_n = L_n - (beta_n E_n + beta_{n+1} E_{n+1})``,

where rows N - 1 and 0 take no ``E_{n+1}`` in ``L'``. ``alpha_0 E_0`` is the derivative with respect to ``D_{-1}``. It
costs the same and needs no state, because the steps are linear. `streams_sweep` runs both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hippo_fast.aligned import aligned_empty
from hippo_fast.discretizations.base import EvenSteps, PrefixSteps
from hippo_fast.kernels.simd import lanes
from hippo_fast.kernels.streams_sweep import STEPS, padded_rows, run_backward, run_forward
from hippo_fast.threads import run_in_threads, threads_worth
from hippo_fast.types import Float64Array, FloatArray

_TABLE_BYTES: Final = 2**17  # coefficients of the steps in one chunk: they stay in the second cache beside a block
_CHUNK_SWEEPS: Final = 8  # at most so many sweeps a chunk: a block's samples of a chunk stay in the first cache


def last_states(steps: EvenSteps | PrefixSteps, state: FloatArray, samples: FloatArray, before: FloatArray) -> None:
    """Run K steps on each of S streams.

    Args:
        steps: K steps for every stream; `PrefixSteps` with arrays ``(S, K)`` give each stream its own.
        state: ``(S, N)`` in ``x_n = c_n/s_n``, float32 or float64, rows contiguous; replaced by the state after the
            last step.
        samples: ``(S, K)``, of the same dtype, any strides; read where they lie.
        before: ``(S,)``, of the same dtype: the sample before the first.

    Raises:
        TypeError: arrays of different dtypes.
        ValueError: rows that are not contiguous, a result that is read-only, or another number of steps.
    """
    _check(state=state, samples=samples, before=before)
    if 0 in samples.shape:
        return
    plan = _Plan.of(steps, state, samples.shape, backward=False)

    def run(streams: slice) -> None:
        part, read = state[streams], samples[streams]
        given = (read.ctypes.data, *read.strides, np.ascontiguousarray(before[streams]))
        run_forward(*plan.arguments(streams, part), *given)

    run_in_threads(run, plan.parts(*samples.shape))


def adjoint(
    steps: EvenSteps | PrefixSteps,
    costate: FloatArray,
    incoming: FloatArray | None,
    scale: FloatArray,
    gradients: FloatArray,
    before: FloatArray,
) -> None:
    """Run the transposes of the steps of `last_states`, from the last to the first: derivatives of a loss.

    Args:
        steps: as in `last_states`.
        costate: ``(S, N)``, float32 or float64, rows contiguous, with respect to the state ``x`` after the last step;
            replaced by the derivative with respect to the state before the first step.
        incoming: None, or ``(S, K, N)`` of the same dtype, rows contiguous; ``scale * incoming[:, j]`` is added to the
            costate after step j before it goes back through that step.
        scale: ``(N,)``; of no effect without ``incoming``.
        gradients: ``(S, K)`` of the same dtype, any strides; receives the derivatives with respect to the samples.
        before: ``(S,)`` of the same dtype; receives that with respect to the sample before the first.

    Raises:
        TypeError: arrays of different dtypes.
        ValueError: rows that are not contiguous, a result that is read-only, or another number of steps.
    """
    _check(costate=costate, incoming=incoming, gradients=gradients, before=before)
    before[...] = 0
    if 0 in gradients.shape:
        return
    plan = _Plan.of(steps, costate, gradients.shape, backward=True)
    weights = (scale / plan.scale).astype(costate.dtype)
    backwards = gradients[:, ::-1]
    received = None if incoming is None else incoming[:, ::-1]

    def run(streams: slice) -> None:
        part, written = costate[streams], backwards[streams]
        earlier = np.empty(len(part), part.dtype)
        top: FloatArray | None = None
        where: tuple[int, ...] = (0, 0, 0)
        if received is not None:
            read = received[streams]
            top, where = aligned_empty((plan.width, plan.width), part.dtype), (read.ctypes.data, *read.strides[:2])
        given = (written.ctypes.data, *written.strides, earlier, top, where, weights)
        run_backward(*plan.arguments(streams, part, receives=received is not None), *given)
        before[streams] = earlier

    run_in_threads(run, plan.parts(*gradients.shape))


@dataclass(frozen=True)
class _Plan:
    """What every thread shares: the steps as arrays in the order of the sweeps, and the form of a block.

    Attributes:
        steps: `total`, `implicit`, `now`, `before`, each ``(1, K)`` or ``(S, K)``.
        order: ``N``.
        dtype: of the states.
        backward: rows and steps descend, and the rows of the padding come first; else they ascend, and it comes last.
    """

    steps: tuple[Float64Array, ...]
    order: int
    dtype: np.dtype[Any]
    backward: bool

    @classmethod
    def of(cls, steps: EvenSteps | PrefixSteps, state: FloatArray, shape: tuple[int, ...], *, backward: bool) -> _Plan:
        """Return the plan for S streams of K samples, ``shape`` ``(S, K)``."""
        if isinstance(steps, EvenSteps):
            steps = steps.prefix()
        turn = slice(None, None, -1 if backward else 1)
        arrays = tuple(
            np.ascontiguousarray(np.atleast_2d(array)[:, turn], np.float64)
            for array in (steps.total, steps.implicit, steps.now, steps.before)
        )
        if arrays[0].shape not in ((1, shape[1]), shape):
            raise ValueError(f"steps have shape {steps.total.shape}; accepted: ({shape[1]},) or {shape}")
        return cls(arrays, state.shape[1], state.dtype, backward)

    @property
    def rows(self) -> int:
        return padded_rows(self.order)

    @property
    def width(self) -> int:
        return lanes(self.dtype)

    @property
    def scale(self) -> FloatArray:
        """``X_n/x_n``, ``(N,)``."""
        n = np.arange(self.order, dtype=self.dtype)
        return np.where(n == 0, 1, n * (n + 1)).astype(self.dtype)

    def parts(self, streams: int, count: int) -> list[slice]:
        """Return the streams of each thread: whole blocks, so that no two threads write near each other."""
        threads = threads_worth(streams * count * self.order)
        blocks = -(-streams // self.width)
        each = -(-blocks // threads) * self.width
        return [slice(begin, min(begin + each, streams)) for begin in range(0, streams, each)]

    def arguments(self, streams: slice, states: FloatArray, *, receives: bool = False) -> tuple[Any, ...]:
        """Return the arguments of `run_forward` up to ``before``, for some streams and their states.

        Where every step ``receives``, the tables hold step after step, since a pass over the rows is one step.
        """
        table = (STEPS, 2, self.rows + 1) if receives else (self.rows + 1, 2, STEPS)
        fitting = _TABLE_BYTES // (math.prod(table) * self.dtype.itemsize)
        sweeps = max(1, min(fitting, _CHUNK_SWEEPS, -(-self.steps[0].shape[1] // STEPS)))
        tables = None
        if len(self.steps[0]) == 1:
            tables = aligned_empty((sweeps, *table), self.dtype)
            (tables[..., 0] if receives else tables[:, 0])[...] = 0  # going backwards row 0 gets no alpha
        n = np.arange(self.order, dtype=np.float64)
        factors = np.zeros((self.rows, 3), self.dtype)
        inside = factors[::-1] if self.backward else factors
        inside[: self.order, 0], inside[: self.order, 1] = n + 1, np.maximum(n - 1, 0)
        inside[: self.order, 2] = (n + 1) / np.maximum(n - 1, 1)
        return (
            states.ctypes.data,
            states.strides[0],
            self.scale,
            self.rows_of(-(-len(states) // self.width), self.width),
            tables,
            factors,
            aligned_empty((sweeps, STEPS, 2, self.width), self.dtype),
            aligned_empty((sweeps, STEPS, self.width), self.dtype),
            *(array if len(array) == 1 else array[streams] for array in self.steps),
        )

    def rows_of(self, *shape: int) -> FloatArray:
        """Return scratch ``(shape[0], rows, ...)``, zero in the rows of the padding."""
        found = aligned_empty((shape[0], self.rows, *shape[1:]), self.dtype)
        padding = self.rows - self.order
        found[:, : padding if self.backward else 0] = 0
        found[:, self.rows if self.backward else self.order :] = 0
        return found


def _check(**arrays: FloatArray | None) -> None:
    """Raise unless addresses and strides say all about the arrays: the kernels see nothing else."""
    given = {name: array for name, array in arrays.items() if array is not None}
    if len({array.dtype for array in given.values()}) > 1:
        dtypes = ", ".join(f"{name}: {array.dtype}" for name, array in given.items())
        raise TypeError(f"dtypes are {dtypes}; accepted: the same for each")
    for name, array in given.items():
        if name in ("state", "costate", "gradients") and not array.flags.writeable:
            raise ValueError(f"{name} is read-only; accepted: an array that can be written into")
        rows = name in ("state", "costate", "incoming") and array.size > 0 and array.shape[-1] > 1
        if rows and array.strides[-1] != array.itemsize:
            raise ValueError(
                f"{name} has strides {array.strides} bytes; accepted: rows contiguous, {array.itemsize} bytes last"
            )
