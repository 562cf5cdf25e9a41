"""`scan`: all samples at once, the offline entry."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from hippo_fast.backends import BACKENDS, load_backend
from hippo_fast.backends.numpy_backend import NumpyBackend, advance
from hippo_fast.discretizations.base import bilinear_scale_steps
from hippo_fast.legendre import legendre_scale
from hippo_fast.recurrence import make_recurrence, times_of_samples
from hippo_fast.types import FloatArray, Output
from hippo_fast.validation import checked_finite, checked_key, checked_number, real_array


def scan(
    samples: Any,
    measure: str = "legs",
    order: int | None = None,
    *,
    method: str = "bilinear",
    dt: float | None = None,
    timestamps: Any = None,
    theta: float = 1.0,
    alpha: float = 0.0,
    beta: float = 1.0,
    backend: str = "auto",
    dtype: Any = None,
    device: Any = None,
    output: Output = "states",
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
        dt: sample spacing in units of time; required for an invariant law, refused for ``legs``.
        timestamps: ``(L,)`` strictly increasing, ``legs`` only. Time of each sample for the GBT rules and the node
            rules (default k), end of each cell for ``zoh`` (default k + 1). Only their ratios matter. A first time
            ``> 0`` means that the input was ``samples[..., 0]`` from time 0 on.
        theta: window length of ``legt``, ``lmu``, ``fout``, in units of time.
        alpha: exponent of ``lagt``, ``-1 < alpha < 1``.
        beta: tilt of ``lagt``, > 0.
        backend: a key of `hippo_fast.BACKENDS`, or ``"auto"``: torch for torch tensors, numpy otherwise.
        dtype: float32 or float64 (name or dtype object); None keeps float32 and makes everything else float64.
        device: torch only; None keeps the device of a tensor, and the processor for other input.
        output: ``"states"``, or ``"last"``, which stores no other state.

    Returns:
        ``(..., L, N)``, or ``(..., N)`` for ``output="last"``: a numpy array or a torch tensor, as the backend. In
        torch gradients flow to ``samples``.

    Raises:
        TypeError: an argument of a wrong kind; ``order`` missing.
        ValueError: an unknown key, an empty, 0-d, NaN or infinite input, a number outside its domain, or arguments that
            do not go together. Each message names the argument, the value got and what is accepted.
        ModuleNotFoundError: the backend's library is not installed.
    """
    recurrence = make_recurrence(measure, order, method, dt=dt, theta=theta, alpha=alpha, beta=beta)
    checked_key("output", output, ("states", "last"))
    checked_key("backend", backend, ("auto", *BACKENDS))
    if backend == "auto":
        backend = "torch" if _is_torch_tensor(samples) else "numpy"
    runner = load_backend(backend)
    read = runner.read(samples, dtype, device)
    times = times_of_samples(recurrence, timestamps, int(read.shape[-1]))
    return runner.run(recurrence, read, times, output)


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


def _is_torch_tensor(samples: Any) -> bool:
    """Return whether ``samples`` is a torch tensor, without importing torch: whoever holds a tensor has imported it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(samples, torch.Tensor)
