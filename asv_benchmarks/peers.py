"""The competitors: how each computes a task, prepared so that nothing but the computation is timed.

A peer declares ``why_not(task)`` (None, or the reason it does not compute the task) and ``prepare(task)``, which
returns a function of nothing that computes the task and returns its result as something that numpy reads.
`MissingError` from `prepare` says what is not installed. Heavy libraries are imported there.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import hippo_fast
from asv_benchmarks.native import MissingError, library
from asv_benchmarks.tasks import Task

COMPILE_SECONDS = 240
"""How long torch.compile may take."""


@dataclass(frozen=True)
class Peer:
    """One competitor.

    Attributes:
        key: short name.
        title: what the table calls it.
        why_not: task -> None, or why the peer does not compute it.
        prepare: task -> the function to time.
        slow: left out by ``--quick``.
    """

    key: str
    title: str
    why_not: Callable[[Task], str | None]
    prepare: Callable[[Task], Callable[[], Any]]
    slow: bool = False


def require(module):
    """Raise `MissingError` unless ``module`` can be found."""
    if importlib.util.find_spec(module) is None:
        raise MissingError("not installed")


# Which tasks a peer computes.


def _legs_bilinear_only(task):
    if task.measure != "legs" or task.method != "bilinear" or task.uneven:
        return "written for LegS bilinear at even times"
    return None


def _invariant_only(task):
    return "LegS changes with time" if task.measure == "legs" else _bilinear_only(task)


def _bilinear_only(task):
    return None if task.method == "bilinear" and not task.uneven else "prepared for the bilinear rule at even times"


def _jax_only(task):
    return _legs_bilinear_only(task) if task.measure == "legs" else _bilinear_only(task)


def _one_stream_only(task):
    return None if task.streams == 1 else "prepared for one stream"


def _both(*rules):
    return lambda task: next((reason for rule in rules if (reason := rule(task))), None)


# Ours.


def ours(task: Task, backend: str) -> Callable[[], Any]:
    """`hippo_fast.scan`, into an array that is reused."""
    require(backend)
    kept = (task.order,) if task.output == "last" else (task.length, task.order)
    samples, out = task.samples, hippo_fast.aligned_empty((*task.samples.shape[:-1], *kept), task.dtype)
    out.fill(0.0)  # memory that was never touched is slower than the computation
    if backend == "torch":
        import torch  # noqa: PLC0415 -- a guest

        samples, out = torch.from_numpy(samples), torch.from_numpy(out)
    return functools.partial(
        hippo_fast.scan,
        samples,
        task.measure,
        task.order,
        backend=backend,
        dtype=task.dtype,
        output=task.output,
        out=out,
        **task.keywords,
    )


def _ours_why_not(backend):
    def why_not(task):
        if backend not in hippo_fast.BACKENDS:
            return "not in this release"
        return hippo_fast.BACKENDS[backend].why_not(task.measure, task.method, task.dtype)

    return why_not


# The textbook loop, in C and in torch.


def textbook(task: Task, form: str = "plain") -> Callable[[], Any]:
    """textbook.c, into reused arrays; ``form`` is ``"plain"`` or ``"hoisted"``."""
    run = getattr(library("textbook.c"), f"textbook_{form}_{task.dtype}")
    run.restype, run.argtypes = ctypes.c_int, [ctypes.c_void_p, *[ctypes.c_long] * 3, ctypes.c_void_p, ctypes.c_void_p]
    samples = np.ascontiguousarray(task.samples)
    last = np.zeros((*samples.shape[:-1], task.order), task.dtype)
    states = np.zeros((*samples.shape, task.order), task.dtype) if task.output == "states" else None
    target = None if states is None else states.ctypes.data

    def call():
        if run(samples.ctypes.data, task.streams, task.length, task.order, last.ctypes.data, target):
            raise MemoryError("textbook.c: no memory")
        return last if states is None else states

    return call


def _torch_step(order, dtype, device):
    """One step on states ``(N, S)``: a cumulative sum, then a triangular solve."""
    import torch  # noqa: PLC0415

    kind = getattr(torch, dtype)
    s = torch.sqrt(2 * torch.arange(order, dtype=kind, device=device) + 1)[:, None]
    rows = torch.arange(1, order + 1, dtype=kind, device=device)[:, None]
    eye = torch.eye(order, dtype=kind, device=device)
    minus = torch.tril(s @ s.T, -1) + torch.diag(rows[:, 0])

    def step(state, u, h):
        held = s * state
        product = rows * state + s * (torch.cumsum(held, 0) - held)
        right = state - (h / 2) * product + (h * s) * u
        return torch.linalg.solve_triangular(eye + (h / 2) * minus, right, upper=False)

    return step


def _torch_runner(task, step, device="cpu"):
    import torch  # noqa: PLC0415

    columns = torch.from_numpy(task.samples.reshape(task.streams, task.length)).T.contiguous().to(device)
    inverses = (1 / torch.arange(1, max(2, task.length), dtype=torch.float64)).to(columns.dtype).unbind(0)

    def call():
        with torch.no_grad():
            state = torch.zeros((task.order, task.streams), dtype=columns.dtype, device=device)
            state[0] = columns[0]
            kept = [state]
            for u, h in zip(columns[1:].unbind(0), inverses, strict=False):
                state = step(state, u, h)
                if task.output == "states":
                    kept.append(state)
            found = torch.stack(kept).permute(2, 0, 1) if task.output == "states" else state.T
            return found if task.streams > 1 else found[0]

    return call


def torch_loop(task: Task, device: str = "cpu") -> Callable[[], Any]:
    """A Python loop over steps."""
    require("torch")
    return _torch_runner(task, _torch_step(task.order, task.dtype, device), device)


def torch_compiled(task: Task) -> Callable[[], Any]:
    """`torch_loop` with ``torch.compile`` around the step; compiled in another process first, which can be stopped."""
    require("torch")
    short = task.with_(length=4)
    command = f"from asv_benchmarks import peers, tasks; peers.compiled_runner(tasks.{short!r})()"
    try:
        done = subprocess.run(
            [sys.executable, "-c", command], capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise MissingError(f"does not compile within {COMPILE_SECONDS} s") from None
    if done.returncode:
        raise MissingError(f"does not compile here: {done.stderr.strip().splitlines()[-1]}")
    return compiled_runner(task)


def compiled_runner(task):
    """`torch_loop`'s call with a compiled step; the first call compiles."""
    import torch  # noqa: PLC0415

    return _torch_runner(task, torch.compile(_torch_step(task.order, task.dtype, "cpu"), dynamic=False))


# Invariant laws on other people's scans.


@functools.cache
def discrete(measure, order, method, dt):
    """``(Ad, Bd)`` by scipy's own cont2discrete."""
    from scipy.signal import cont2discrete  # noqa: PLC0415

    system = hippo_fast.system(measure, order)
    found = cont2discrete((system.A, system.B[:, None], np.eye(order), np.zeros((order, 1))), dt, method=method)
    return found[0], found[1][:, 0]


@functools.cache
def diagonal(measure, order, method, dt):
    """Eigenvalues, input and eigenvectors: ``x' = w x + b u``, ``c = V x``."""
    A, B = discrete(measure, order, method, dt)
    w, V = np.linalg.eig(A.astype(complex))
    try:
        return w, np.linalg.solve(V, B.astype(complex)), V
    except np.linalg.LinAlgError:
        raise MissingError(f"{measure} has no diagonal form: its eigenvectors are linearly dependent") from None


def _key(task):
    return task.measure, task.order, task.method, task.dt


def dlsim(task: Task) -> Callable[[], Any]:
    """`scipy.signal.dlsim`; it keeps every state whatever is asked."""
    from scipy.signal import dlsim as simulate  # noqa: PLC0415

    A, B = discrete(*_key(task))
    system = (A, B[:, None], np.eye(task.order), np.zeros((task.order, 1)), task.dt)
    # State k + 1 of dlsim has read sample k, so one more sample, which no state reads, is given.
    samples = np.append(task.samples, 0.0)

    def call():
        states = simulate(system, samples)[2]
        return states[-1] if task.output == "last" else states[1:]

    return call


def lfilter(task: Task) -> Callable[[], Any]:
    """`scipy.signal.lfilter`: a cascade of first-order filters where the law has one, else one filter for each mode."""
    from scipy.signal import lfilter as filtered  # noqa: PLC0415

    samples = task.samples
    if task.measure in ("lagt", "legs_lti"):
        sections, scale = _cascade(task)

        def call():
            signal, kept = samples, np.empty((task.order, task.length))
            for row, (b, a) in enumerate(sections):
                signal = filtered(b, a, signal)
                kept[row] = signal
            return (kept[:, -1] if task.output == "last" else kept.T) * scale
    else:
        w, b, V = diagonal(*_key(task))

        def call():
            modes = np.stack([filtered([g], [1.0, -root], samples) for g, root in zip(b, w, strict=True)])
            return (V @ modes[:, -1]).real if task.output == "last" else (modes.T @ V.T).real

    return call


def _cascade(task):
    """Filters whose outputs are the rows of plain ``lagt`` or ``legs_lti``, and the rows' scale.

    Row n minus row n - 1 of the law, with ``x = c/scale``, is ``(p + stop) X_n = (p - go) X_{n-1}``; row 0 is
    ``(p + 1) X_0 = U``. The bilinear rule reads ``p = (2/h) (1 - z^-1)/(1 + z^-1)`` and, for the input,
    ``2/(1 + z^-1) U``. For ``lagt`` ``stop = 1, go = 0``; for ``legs_lti`` ``stop = n + 1, go = n - 1``.
    """
    p = 2 / task.dt
    sections = [([2 / (p + 1)], [1.0, (1 - p) / (p + 1)])]
    for n in range(1, task.order):
        stop, go = (1, 0) if task.measure == "lagt" else (n + 1, n - 1)
        sections.append(([(p - go) / (p + stop), -(p + go) / (p + stop)], [1.0, (stop - p) / (p + stop)]))
    scale = np.sqrt(2.0 * np.arange(task.order) + 1.0) if task.measure == "legs_lti" else np.ones(task.order)
    return sections, scale


def s5_scan(task: Task) -> Callable[[], Any]:
    """s5-pytorch's ``apply_ssm``: an associative scan over diagonal steps."""
    require("torch")
    require("s5")
    import torch  # noqa: PLC0415
    from s5.s5_model import apply_ssm  # noqa: PLC0415

    w, b, V = (torch.from_numpy(np.ascontiguousarray(part)) for part in diagonal(*_key(task)))
    inputs = torch.from_numpy(task.samples)[:, None]
    direct = torch.zeros(task.order, 1, dtype=torch.float64)

    def call():
        with torch.no_grad():
            # D multiplies the input elementwise there; a row of zeros for each output keeps the shapes.
            states, last = apply_ssm(w, b[:, None], V, direct[:, 0], inputs)
            return (V @ last).real if task.output == "last" else states

    return call


def jax_scan(task: Task) -> Callable[[], Any]:
    """``jax.lax.associative_scan``: over the orders inside each LegS step, over the samples for a diagonal law."""
    require("jax")
    import jax  # noqa: PLC0415

    jax.config.update("jax_enable_x64", True)
    run = jax.jit(_jax_legs(task) if task.measure == "legs" else _jax_diagonal(task))
    samples = jax.numpy.asarray(task.samples)
    return lambda: run(samples).block_until_ready()


def _first_order(one, two):
    """Compose two maps ``x -> a x + b``."""
    return two[0] * one[0], two[0] * one[1] + two[1]


def _jax_legs(task):
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415

    s = jnp.sqrt(2 * jnp.arange(task.order, dtype=task.dtype) + 1)
    rows = jnp.arange(1, task.order + 1, dtype=task.dtype)

    def one(samples):
        def step(state, read):
            u, h = read
            held = s * state
            right = state - (h / 2) * (rows * state + s * (jnp.cumsum(held) - held)) + h * s * u
            pivot = 1 + (h / 2) * rows
            # The sum S_n of s_j c'_j over j <= n is a first-order recurrence in n.
            maps = (1 - (h / 2) * s * s / pivot, s * right / pivot)
            sums = jax.lax.associative_scan(_first_order, maps)[1]
            before = jnp.concatenate([jnp.zeros(1, task.dtype), sums[:-1]])
            state = (right - (h / 2) * s * before) / pivot
            return state, (state if task.output == "states" else None)

        start = jnp.zeros(task.order, task.dtype).at[0].set(samples[0])
        h = 1 / jnp.arange(1, task.length, dtype=task.dtype)
        last, kept = jax.lax.scan(step, start, (samples[1:], h))
        return last if task.output == "last" else jnp.concatenate([start[None], kept])

    return one if task.streams == 1 else jax.vmap(one)


def _jax_diagonal(task):
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415

    w, b, V = diagonal(*_key(task))

    def run(samples):
        maps = (jnp.broadcast_to(w, (task.length, task.order)), samples[:, None] * b)
        modes = jax.lax.associative_scan(_first_order, maps)[1]
        return (V @ modes[-1]).real if task.output == "last" else (modes @ V.T).real

    return run if task.streams == 1 else jax.vmap(run)


def keras_fft(task: Task) -> Callable[[], Any]:
    """keras-lmu's ``LMUFeedforward``: a convolution with the impulse response by FFT."""
    require("keras_lmu")
    import tensorflow as tf  # noqa: PLC0415
    from keras_lmu import LMUFeedforward  # noqa: PLC0415

    layer = LMUFeedforward(
        memory_d=1,
        order=task.order,
        theta=round(1 / task.dt),
        hidden_cell=None,
        kernel_initializer=None,
        return_sequences=task.output == "states",
        dtype=task.dtype,
    )
    inputs = tf.constant(task.samples[None, :, None])
    run = tf.function(layer)
    return lambda: run(inputs).numpy()[0]


def _keras_only(task):
    if task.measure != "lmu":
        return "written for LMU"
    return None if task.method == "zoh" else "prepared for its own rule, zoh"


PEERS = {
    peer.key: peer
    for peer in (
        Peer("numba", "hippo_fast, numba", _ours_why_not("numba"), functools.partial(ours, backend="numba")),
        Peer("numpy", "hippo_fast, numpy", _ours_why_not("numpy"), functools.partial(ours, backend="numpy")),
        Peer("torch", "hippo_fast, torch", _ours_why_not("torch"), functools.partial(ours, backend="torch")),
        Peer("textbook", "textbook loop, C", _legs_bilinear_only, textbook),
        Peer(
            "hoisted",
            "textbook loop, C, divisions hoisted",
            _legs_bilinear_only,
            functools.partial(textbook, form="hoisted"),
        ),
        Peer("torch-loop", "textbook loop, torch", _legs_bilinear_only, torch_loop),
        Peer("torch-compile", "textbook loop, torch.compile", _legs_bilinear_only, torch_compiled, slow=True),
        Peer("jax", "jax associative scan", _jax_only, jax_scan),
        Peer("s5", "s5-pytorch scan", _both(_invariant_only, _one_stream_only), s5_scan),
        Peer("dlsim", "scipy.signal.dlsim", _both(_invariant_only, _one_stream_only), dlsim),
        Peer("lfilter", "scipy.signal.lfilter", _both(_invariant_only, _one_stream_only), lfilter),
        Peer("keras-lmu", "keras-lmu FFT", _both(_keras_only, _one_stream_only), keras_fft),
    )
}
OURS = ("numba", "numpy", "torch")
"""Keys of ours, the one that ratios are taken of first."""
