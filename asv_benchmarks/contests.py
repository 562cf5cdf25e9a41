"""A contest: competitors answer one task, those who answer it right are timed in interleaved rounds."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np

import hippo_fast
from asv_benchmarks.native import MissingError
from asv_benchmarks.peers import PEERS, require
from asv_benchmarks.tasks import ROUNDOFF, Judge, Task, bound
from asv_benchmarks.timing import interleaved

CHECKED_NUMBERS = 2**24
"""A task whose steps need more numbers than this, all together, is checked on its first samples and streams."""


@dataclass(frozen=True)
class Effort:
    """How much is spent on a timing.

    Attributes:
        rounds: interleaved rounds.
        repeats: samples in a round, of which the least counts.
        least: seconds that a sample lasts at least.
        slow: whether competitors that take long to prepare take part.
    """

    rounds: int = 5
    repeats: int = 3
    least: float = 0.02
    slow: bool = True


FULL = Effort()
QUICK = Effort(rounds=3, repeats=1, least=0.002, slow=False)


def row(key, title, status, *, note="", share=None, seconds=None):
    """One competitor's row: plain values, so that it can be saved as JSON."""
    return {"key": key, "title": title, "status": status, "note": note, "share": share, "seconds": seconds}


def checked_task(task):
    """The task itself, or its first samples and streams where the whole would need too much memory or time to check."""
    step = task.order**2 if task.method in ("zoh", "foh") else task.order  # the reference makes a matrix for each step
    length = max(2, min(task.length, CHECKED_NUMBERS // step))
    return task.with_(length=length, streams=max(1, min(task.streams, CHECKED_NUMBERS // (step * length))))


def contest(task, keys, effort, peers=None):
    """Check and time the competitors ``keys`` on a task.

    Returns:
        rows as `row` makes them; ``status`` is ``"timed"``, ``"differs"`` (checked, found wrong, and not timed),
        ``"fails"`` (raises), ``"missing"`` (``note`` says what is) or ``"other"`` (the competitor does not compute this
        task).
    """
    peers = PEERS if peers is None else peers
    checked = checked_task(task)
    judge, rows, calls = Judge(checked), {}, {}
    for key in keys:
        peer = peers[key]
        reason = peer.why_not(task) or ("left out by --quick" if peer.slow and not effort.slow else None)
        if reason is not None:
            rows[key] = row(key, peer.title, "other", note=reason)
            continue
        try:
            call = peer.prepare(checked)
            share = judge.share(call())
            if share <= 1 and checked != task:
                call = peer.prepare(task)
        except MissingError as missing:
            rows[key] = row(key, peer.title, "missing", note=str(missing))
            continue
        except Exception as error:  # noqa: BLE001 -- whatever a stranger's code raises is its answer
            rows[key] = row(key, peer.title, "fails", note=f"{type(error).__name__}: {error}"[:200])
            continue
        if share > 1:
            shown = "not finite" if not np.isfinite(share) else f"{share:.1e} times the bound"
            rows[key] = row(key, peer.title, "differs", note=f"error {shown}", share=min(share, 1e300))
            continue
        calls[key] = call
        rows[key] = row(key, peer.title, "timed", share=share)
    for key, seconds in interleaved(calls, effort.rounds, effort.repeats, effort.least).items():
        rows[key]["seconds"] = seconds
    return list(rows.values())


def widths_contest(task, backend, effort):
    """One of ours in both dtypes, checked, then timed in the same interleaved rounds: keys are the dtypes."""
    calls, rows = {}, {}
    for dtype in ROUNDOFF:
        one = task.with_(dtype=dtype)
        checked = checked_task(one)
        title = f"{PEERS[backend].title}, {dtype}"
        share = Judge(checked).share(PEERS[backend].prepare(checked)())
        if not share <= 1:
            return [row(dtype, title, "differs", note=f"error {share:.1e} times the bound", share=min(share, 1e300))]
        calls[dtype], rows[dtype] = PEERS[backend].prepare(one), row(dtype, title, "timed", share=share)
    for dtype, seconds in interleaved(calls, effort.rounds, effort.repeats, effort.least).items():
        rows[dtype]["seconds"] = seconds
    return list(rows.values())


# Gradients.


def gradient_share(task, samples, gradient, weight, last):
    """Error ÷ bound of a gradient of ``weight . (last state)``: this is linear, so ``gradient . samples`` is its value.

    The costate of an implementation runs through transposed steps, contractions too. After the steps j > k it is off by
    at most ``e_k = u (N + 16) |weight| sum_{j>k} (2 + 2 h_j ||A||_F)``, and it meets sample k with ``h_k |B| |u_k|``.
    """
    u, count = ROUNDOFF[task.dtype], task.order + 16
    system = hippo_fast.system(task.measure, task.order)
    h = 1 / np.maximum(1, np.arange(task.length)) if task.dt is None else np.full(task.length, task.dt)
    length = np.linalg.norm(weight)
    local = 2 + 2 * h * np.linalg.norm(system.A)
    after = np.concatenate([np.cumsum(local[::-1])[::-1][1:], [0.0]])
    met = h * np.linalg.norm(system.B) * np.abs(samples)
    allowed = u * (
        count * length * np.sum(met * (after + local), axis=-1) + samples.shape[-1] * np.abs(samples * gradient).sum(-1)
    )
    allowed += length * bound(task) * (u + ROUNDOFF["float64"])
    gap = np.abs((gradient * samples).sum(-1) - last @ weight)
    return float(np.max(gap / allowed)) if np.isfinite(gap).all() else float("inf")


def gradient_contest(task, effort=QUICK):
    """Forward alone, and forward with backward, on our torch backend. Rows as in `contest`."""
    titles = {"forward": "forward, no gradient asked", "both": "forward and backward"}
    try:
        require("torch")
    except MissingError as missing:
        return [row(key, title, "missing", note=str(missing)) for key, title in titles.items()]
    import torch  # noqa: PLC0415 -- a guest

    weight = torch.from_numpy(np.random.default_rng(3).standard_normal(task.order).astype(task.dtype))
    plain = torch.from_numpy(task.samples)
    scan = functools.partial(
        hippo_fast.scan, measure=task.measure, order=task.order, backend="torch", output="last", **task.keywords
    )

    def both():
        samples = plain.clone().requires_grad_()
        last = scan(samples)
        (last @ weight).sum().backward()
        return samples.grad, last.detach()

    def forward():
        with torch.no_grad():
            return scan(plain)

    gradient, last = (part.double().numpy().reshape(task.streams, -1) for part in both())
    samples = task.samples.astype(float).reshape(task.streams, -1)
    share = gradient_share(task, samples, gradient, weight.double().numpy(), last)
    if not share <= 1:
        return [
            row("both", titles["both"], "differs", note=f"gradient . samples is off by {share:.1e} times the bound")
        ]
    found = interleaved({"forward": forward, "both": both}, effort.rounds, effort.repeats, effort.least)
    return [row(key, titles[key], "timed", share=share, seconds=seconds) for key, seconds in found.items()]


# One sample at a time.

UPDATES = 200


def update_contest(orders, effort, measure="legs"):
    """`Memory.update` with one sample, 100 samples into a stream; seconds are for one update."""
    calls, rows = {}, []
    dt = None if measure == "legs" else 1 / 256
    samples = Task(length=UPDATES + 100).samples.tolist()
    for order in orders:
        key, title = f"N={order}", f"Memory.update, {measure}, N = {order}"
        memory = hippo_fast.Memory(measure, order, dt=dt)
        for sample in samples:
            memory.update(sample)
        judge = Judge(Task(measure=measure, order=order, length=len(samples)))
        share = judge.share(memory.coefficients)
        if not share <= 1:
            rows.append(row(key, title, "differs", note=f"error {share:.1e} times the bound"))
            continue
        rows.append(row(key, title, "timed", share=share))

        def run(update=memory.update, values=samples[:UPDATES]):
            for sample in values:
                update(sample)

        calls[key] = run
    found = interleaved(calls, effort.rounds, effort.repeats, effort.least)
    for one in rows:
        if one["key"] in found:
            one["seconds"] = [spent / UPDATES for spent in found[one["key"]]]
    return rows


# Error against time.

BREAKS = (0.0, 0.1234, 0.31, 0.4142, 0.5773, 0.7, 0.866, 1.0)
_LEVELS = np.array([1.0, -0.5, 0.25, -1.0, 0.75, 0.0, -0.3])
_SLOPES = np.array([0.0, 3.0, -2.0, 0.0, 1.0, -4.0, 2.0])


def smooth(x):
    """``e^-x sin(6 pi x + 1/2)`` on [0, 1]."""
    return np.exp(-x) * np.sin(6 * np.pi * x + 0.5)


def rough(x):
    """Seven linear pieces with jumps between them, at `BREAKS`."""
    piece = np.clip(np.searchsorted(BREAKS, x, side="right") - 1, 0, len(_LEVELS) - 1)
    return _LEVELS[piece] + _SLOPES[piece] * (x - np.asarray(BREAKS)[piece])


SIGNALS = {"smooth": (smooth, (0.0, 1.0)), "rough": (rough, BREAKS)}


@functools.cache
def projection(signal, order):
    """Exact LegS projection at the end of the signal, ``(N,)``: the definition, by a Gauss rule on each smooth piece.

    With N + 64 nodes the rule is exact for the pieces of `rough`, and for `smooth` its error is below rounding.
    """
    function, breaks = SIGNALS[signal]
    nodes, weight = np.polynomial.legendre.leggauss(order + 64)
    found = np.zeros(order)
    for start, stop in itertools.pairwise(breaks):
        x = start + (stop - start) * (nodes + 1) / 2
        found += (stop - start) / 2 * (weight * function(x)) @ np.polynomial.legendre.legvander(2 * x - 1, order - 1)
    return found * np.sqrt(2.0 * np.arange(order) + 1.0)


def readings(method, length):
    """Where the samples of a signal on [0, 1] are taken: the middle of each cell, or nodes from end to end."""
    return (np.arange(length) + 0.5) / length if method == "zoh" else np.arange(length) / (length - 1)


def precision_errors(task, backend):
    """2-norm of (last state - exact projection) for each signal: the error of what the memory stands for, in L2."""
    found = {}
    for signal, (function, _) in SIGNALS.items():
        samples = function(readings(task.method, task.length)).astype(task.dtype)
        last = hippo_fast.scan(samples, "legs", task.order, method=task.method, backend=backend, output="last")
        found[signal] = float(np.linalg.norm(np.asarray(last, dtype=float) - projection(signal, task.order)))
    return found
