"""`scan`: all samples at once, the offline entry."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from hippo_fast.backends import BACKENDS, Backend, load_backend
from hippo_fast.backends.numpy_backend import NumpyBackend, advance
from hippo_fast.discretizations.base import bilinear_scale_steps
from hippo_fast.legendre import legendre_scale
from hippo_fast.recurrence import Recurrence, make_recurrence, times_of_samples
from hippo_fast.types import BoolArray, Float64Array, FloatArray, Output
from hippo_fast.validation import (
    checked_finite,
    checked_key,
    checked_number,
    checked_observed,
    checked_shape,
    real_array,
)


def scan(
    samples: Any,
    measure: str = "legs",
    order: int | None = None,
    *,
    method: str = "bilinear",
    dt: float | None = None,
    timestamps: Any = None,
    observed: Any = None,
    theta: float = 1.0,
    alpha: float = 0.0,
    beta: float = 1.0,
    backend: str = "auto",
    dtype: Any = None,
    device: Any = None,
    output: Output = "states",
    out: Any = None,
) -> Any:
    """Compress each stream of samples into ``order`` coefficients.

    State k is the state after ``samples[..., :k + 1]`` have been read. An invariant law starts from zero, and its state
    0 has read sample 0. LegS starts from ``samples[..., 0] e_0``; sample ``k >= 1`` is read with ``h = 1/k`` (`euler`,
    `backward_euler`, `bilinear`), on the cell ``[k, k + 1)`` (`zoh`) or as the node ``k`` (`trapezoid`, `foh`). The
    formula of each rule, with its source, stands in its module under `hippo_fast.discretizations`.

    Args:
        samples: ``(..., L)`` real and finite; leading axes are streams of their own.
        measure: a key of `hippo_fast.OPERATORS`.
        order: number of coefficients ``N``; required.
        method: a key of `hippo_fast.DISCRETIZATIONS`; ``trapezoid`` and ``foh`` for ``legs`` only.
        dt: sample spacing in units of time; required for an invariant law without timestamps, refused for ``legs``.
        timestamps: ``(L,)`` strictly increasing, or the shape of the samples, where each stream has times of its own.
            For ``legs`` the time of each sample for the GBT rules and the node rules (default k), the end of its cell
            for ``zoh`` (default k + 1); only their ratios matter. For an invariant law the end of each cell, > 0, in
            units of time (default ``(k + 1) dt``): ``O(N)`` a step for the GBT rules, a matrix for each distinct gap
            for ``zoh``. In both, a first time ``> 0`` means that the input was ``samples[..., 0]`` from time 0 on.
        observed: booleans, ``(L,)`` or the shape of the samples: False where a sample is missing. Such a sample is not
            read, whatever number stands there, NaN too; the step to the next one is longer instead. State k is the
            state after the observed samples among ``samples[..., :k + 1]``: zero before the first of them.
        theta: window length of ``legt``, ``lmu``, ``fout``, in units of time.
        alpha: exponent of ``lagt``, ``-1 < alpha < 1``.
        beta: tilt of ``lagt``, > 0.
        backend: a key of `hippo_fast.BACKENDS`, or ``"auto"``: torch for torch tensors; otherwise numba where it is
            installed, and numpy where it is not.
        dtype: float32 or float64 (name or dtype object); None keeps float32 and makes everything else float64.
        device: torch only; None keeps the device of a tensor, and the processor for other input.
        output: ``"states"``, or ``"last"``, which stores no other state.
        out: an array of the result's shape, dtype and device to write into, as numpy's own ``out``; fresh memory is
            the larger part of the cost of many states.

    Returns:
        ``(..., L, N)``, or ``(..., N)`` for ``output="last"``: a numpy array or a torch tensor, as the backend; ``out``
        itself where it was given. In torch gradients flow to ``samples``.

    Raises:
        TypeError: an argument of a wrong kind; ``order`` missing.
        ValueError: an unknown key, an empty, 0-d, NaN or infinite input, a number outside its domain, or arguments that
            do not go together. Each message names the argument, the value got and what is accepted.
        ModuleNotFoundError: the backend's library is not installed.
    """
    recurrence = make_recurrence(
        measure, order, method, dt=dt, theta=theta, alpha=alpha, beta=beta, timed=timestamps is not None
    )
    checked_key("output", output, ("states", "last"))
    checked_key("backend", backend, ("auto", *BACKENDS))
    if backend == "auto":
        backend = _automatic_backend(samples)
    runner = load_backend(backend)
    shape = _shape(samples)
    seen = None if observed is None else checked_observed(observed, shape)
    read = runner.read(samples if seen is None else _without_missing(samples, seen), dtype, device)
    times = times_of_samples(recurrence, timestamps, shape)
    result_shape = (*shape, recurrence.order) if output == "states" else (*shape[:-1], recurrence.order)
    if out is not None:
        _check_out(out, result_shape, read)
    if seen is None and (times is None or times.ndim == 1 or _same_start(times)):
        return runner.run(recurrence, read, times, output, out)
    result = _run_by_group(runner, recurrence, read, times, seen, output)
    if out is None:
        return result
    out[...] = result
    return out


def legs_update(state: Any, sample: Any, k: int, a: float = 0.5) -> FloatArray:
    """Return the LegS state after sample ``k``, from the state after sample ``k - 1``, in ``O(N)``.

    ``(I - a A/k) c' = (I + (1 - a) A/k) c + (B/k) u``, the GBT(a) rule with the published ``h = 1/k``; sample 0 gives
    ``u e_0`` whatever the state.

    Args:
        state: ``(..., N)`` coefficients; float32 stays float32, anything else is computed in float64.
        sample: ``(...,)``, or a number for every state.
        k: index of the sample, >= 0.
        a: 0 is forward Euler, 1/2 the bilinear rule, 1 backward Euler; accepted: 0 <= a <= 1.

    Returns:
        ``(..., N)``.

    Raises:
        TypeError: an argument of a wrong kind.
        ValueError: NaN or infinite numbers, shapes that do not match, ``k < 0``, or ``a`` outside [0, 1].
    """
    runner = NumpyBackend()
    coefficients = runner.read(state, None, None)
    values = real_array("sample", sample)
    try:
        samples = np.broadcast_to(values.astype(coefficients.dtype), coefficients.shape[:-1])
    except ValueError:
        raise ValueError(f"sample has shape {values.shape}; accepted: {coefficients.shape[:-1]} or a number") from None
    checked_finite("sample", samples)
    weight = checked_number("a", a, "a number with 0 <= a <= 1")
    if not 0.0 <= weight <= 1.0:
        raise ValueError(f"a is {a!r}; accepted: a number with 0 <= a <= 1")
    if isinstance(k, bool | np.bool_) or not isinstance(k, int | np.integer):
        raise TypeError(f"k is {k!r} ({type(k).__name__}); accepted: an integer >= 0")
    if k < 0:
        raise ValueError(f"k is {k}; accepted: an integer >= 0")
    if k == 0:
        opened = np.zeros_like(coefficients)
        opened[..., 0] = samples
        return opened
    order = coefficients.shape[-1]
    scale = legendre_scale(order).astype(coefficients.dtype)
    steps = bilinear_scale_steps(np.array([k - 1.0]), np.array([float(k)]), weight)
    column = samples.reshape(-1, 1)
    after = advance(steps, coefficients.reshape(-1, order) / scale, column, np.zeros_like(column[:, 0]))
    return (after * scale).reshape(coefficients.shape)


def _automatic_backend(samples: Any) -> str:
    if _is_torch_tensor(samples):
        return "torch"
    return "numba" if BACKENDS["numba"].is_installed() else "numpy"


def _shape(samples: Any) -> tuple[int, ...]:
    """Return the shape ``(..., L)`` of samples of any library, or raise."""
    shape = tuple(samples.shape) if _is_torch_tensor(samples) else real_array("samples", samples).shape
    checked_shape("samples", shape)
    return shape


def _without_missing(samples: Any, observed: BoolArray) -> Any:
    """Return samples with zeros where none was observed, so that what stands there is not judged."""
    if _is_torch_tensor(samples):
        import torch  # noqa: PLC0415  (whoever holds a tensor has imported it)

        return samples.masked_fill(torch.from_numpy(~observed).to(samples.device), 0)
    return np.where(observed, samples, 0)


def _same_start(times: Float64Array) -> bool:
    """Return whether all streams start at time 0, or none does."""
    at_zero = times[..., 0] == 0.0
    return bool(at_zero.all() or not at_zero.any())


def _check_out(out: Any, shape: tuple[int, ...], read: Any) -> None:
    """Raise unless ``out`` can take a result of this shape that is computed from ``read``."""
    fits = isinstance(out, np.ndarray) if isinstance(read, np.ndarray) else _is_torch_tensor(out)
    if not fits:
        kind = "ndarray" if isinstance(read, np.ndarray) else "Tensor"
        raise TypeError(f"out is a {type(out).__name__}; accepted: a {kind} of shape {shape}")
    if tuple(out.shape) != shape or out.dtype != read.dtype or out.device != read.device:
        raise ValueError(
            f"out has shape {tuple(out.shape)}, dtype {out.dtype} and device {out.device}; "
            f"accepted: {shape}, {read.dtype}, {read.device}"
        )
    if not isinstance(out, np.ndarray):
        import torch  # noqa: PLC0415  (a tensor is here, so torch is)

        if torch.is_grad_enabled() and (read.requires_grad or out.requires_grad):
            named = "samples requires" if read.requires_grad else "out requires"
            raise ValueError(f"out was given, but {named} a gradient; accepted: no out, or tensors without gradients")
    else:
        if not out.flags.writeable:
            raise ValueError("out is read-only; accepted: a writable array")
        if np.may_share_memory(out, read):
            raise ValueError("out shares memory with samples; accepted: an array of its own")


def _run_by_group(
    runner: Backend,
    recurrence: Recurrence,
    read: Any,
    times: Float64Array | None,
    seen: BoolArray | None,
    output: Output,
) -> Any:
    """Run streams that miss the same samples, and start alike, together, on the samples that they have."""
    length = read.shape[-1]
    streams = read.reshape(-1, length)
    flags = np.ones(streams.shape, np.bool_) if seen is None else seen.reshape(streams.shape)
    # Without times an invariant law counts cells; sample k ends cell k, and ``dt`` is their unit.
    even = recurrence.times(0, length) if recurrence.is_scale_law else np.arange(1.0, length + 1.0)
    at = even if times is None else times
    shared = at.ndim == 1
    own = np.broadcast_to(at, streams.shape)
    opened_at = own[np.arange(len(own)), flags.argmax(axis=1)]
    _, group_of = np.unique(np.column_stack([flags, opened_at == 0.0]), axis=0, return_inverse=True)
    kept = (length, recurrence.order) if output == "states" else (recurrence.order,)
    result = _zeros(read, (len(streams), *kept))
    for group in range(int(group_of.max()) + 1):
        rows = np.flatnonzero(group_of == group)
        present = np.flatnonzero(flags[rows[0]])
        if present.size == 0:
            continue
        ticks = at[present] if shared else own[np.ix_(rows, present)]
        found = runner.run(recurrence, streams[rows][:, present], ticks, output)
        if output == "last":
            result = _placed(result, (rows,), found)
            continue
        first = int(present[0])
        latest = np.cumsum(flags[rows[0]])[first:] - 1
        result = _placed(result, (rows[:, None], np.arange(first, length)[None, :]), found[:, latest])
    return result.reshape(*read.shape[:-1], *kept)


def _zeros(read: Any, shape: tuple[int, ...]) -> Any:
    if isinstance(read, np.ndarray):
        return np.zeros(shape, read.dtype)
    return (0 * read.flatten()[0] + 0).expand(shape).clone()  # in the graph of the samples even if none is read


def _placed(result: Any, where: tuple[Any, ...], values: Any) -> Any:
    """Return ``result`` with ``values`` at an index; a tensor is replaced, so that autograd follows."""
    if isinstance(result, np.ndarray):
        result[where] = values
        return result
    import torch  # noqa: PLC0415  (a tensor is here, so torch is)

    return result.index_put(tuple(torch.from_numpy(part).to(result.device) for part in where), values)


def _is_torch_tensor(samples: Any) -> bool:
    """Return whether ``samples`` is a torch tensor, without importing torch: whoever holds a tensor has imported it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(samples, torch.Tensor)
