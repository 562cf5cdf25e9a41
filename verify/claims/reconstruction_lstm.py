"""An LSTM that learns to say again what it has read: the learnt memory beside those that are derived.

It reads two and a half samples for each frequency of the signal, and a linear read-out of its last state gives the
value at each of them. That is less to read than the paper's 10^6 steps and no less to remember: a signal is known by so
many samples, and its mean square over them is that over the whole run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.claims.reconstruction_signals import Array, Law
from verify.claims.tasks import Split, Task


def steps_for(law: Law) -> int:
    """Samples of a run: 2.5 for each frequency."""
    return 5 * law.harmonics // 2


def memory_task(law: Law, seeds: range, count: int) -> Task:
    """Give back all samples at the end.

    Args:
        law: of the signals.
        seeds: those that are judged, each as a test of its own.
        count: signals to learn from; an eighth as many more choose the best epoch.
    """
    steps = steps_for(law)

    def split(chosen: range, *, to_learn: bool) -> Split:
        values = np.stack([law.draw(seed, to_learn=to_learn).samples(steps) for seed in chosen]).astype(np.float32)
        return Split(inputs=values[..., None], targets=values)

    held = max(1, count // 8)
    return Task(
        key=f"reconstruction-{law.seconds:g}s",
        title=f"give back {law.seconds:g} s of noise below {law.band:g} Hz",
        kind="regress",
        outputs=steps,
        train=split(range(count), to_learn=True),
        validation=split(range(count, count + held), to_learn=True),
        tests={str(seed): split(range(seed, seed + 1), to_learn=False) for seed in seeds},
    )


def powers(task: Task) -> dict[str, float]:
    """Mean square of each signal that is judged."""
    return {name: float(np.mean(np.square(split.targets, dtype=np.float64))) for name, split in task.tests.items()}


def answer(network: Any, task: Task, law: Law, seed: int) -> tuple[Array, Array]:
    """Times, and what a trained network gives back of a signal that is judged."""
    from verify.claims.training import predict  # noqa: PLC0415 -- imports torch

    steps = steps_for(law)
    return np.arange(steps) * law.seconds / steps, predict(network, task.tests[str(seed)])[0].astype(np.float64)
