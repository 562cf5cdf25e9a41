"""Steps per second of what the paper's table times, on one core, all in turn within one process.

The contenders take turns, and ratios are formed within a turn: what slows the machine for a while slows both. Time is
that of the processor spent on this process, so that other processes beside it count less than on the wall clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from verify.claims.reconstruction_memories import Memory
from verify.claims.reconstruction_signals import Array

Clock = Callable[[], float]

LEGS_SCAN: Final = "legs-scan"
LEGS_ONLINE: Final = "legs-online"
LEGS_TEXTBOOK: Final = "legs-textbook"
LMU_SCAN: Final = "lmu-scan"
LMU_ONLINE: Final = "lmu-online"
LMU_TEXTBOOK: Final = "lmu-textbook"
LSTM: Final = "lstm"

TITLES: Final[Mapping[str, str]] = {
    LEGS_SCAN: "LegS, a sequence at once (O(N) a step)",
    LEGS_ONLINE: "LegS, sample by sample (O(N) a step)",
    LEGS_TEXTBOOK: "LegS, textbook loop (a dense triangular solve a step)",
    LMU_SCAN: "LMU, a sequence at once (chunks, as matrix products)",
    LMU_ONLINE: "LMU, sample by sample (O(N^2) a step)",
    LMU_TEXTBOOK: "LMU, textbook loop (a dense product a step)",
    LSTM: "LSTM, torch, a sequence at once",
}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Something that reads samples.

    Attributes:
        key: of `TITLES`.
        steps: samples read in a turn.
        run: reads them.
    """

    key: str
    steps: int
    run: Callable[[], object]


def contenders(order: int, samples: Array, spacing: float, steps: Mapping[str, int]) -> list[Contender]:
    """All of them, ready to run.

    Args:
        order: coefficients, and hidden units of the LSTM.
        samples: at least as many as any of them reads.
        spacing: in seconds; LMU's window is as long as all samples.
        steps: samples that each reads in a turn.
    """
    legs = Memory(measure="legs", method="bilinear", order=order)
    lmu = Memory(measure="lmu", method="zoh", order=order, theta=len(samples) * spacing)
    ways: dict[str, Callable[[Array], object]] = {
        LEGS_SCAN: lambda read: legs.read(read, spacing),
        LEGS_ONLINE: _online(legs, spacing),
        LEGS_TEXTBOOK: _textbook_legs(order),
        LMU_SCAN: lambda read: lmu.read(read, spacing),
        LMU_ONLINE: _online(lmu, spacing),
        LMU_TEXTBOOK: _textbook_lmu(order, 1 / len(samples)),
        LSTM: _lstm(order),
    }
    return [
        Contender(key=key, steps=steps[key], run=lambda way=way, read=samples[: steps[key]]: way(read))  # type: ignore[misc]
        for key, way in ways.items()
    ]


def race(entered: Sequence[Contender], turns: int, clock: Clock = time.process_time) -> dict[str, list[float]]:
    """Steps per second of each contender, turn by turn; an untimed one first, which compiles and fills caches."""
    for one in entered:
        one.run()
    speeds: dict[str, list[float]] = {one.key: [] for one in entered}
    for _ in range(turns):
        for one in entered:
            begin = clock()
            one.run()
            speeds[one.key].append(one.steps / max(clock() - begin, 1e-9))
    return speeds


def ratios(speeds: Mapping[str, Sequence[float]], fast: str, slow: str) -> dict[int, float | None]:
    """How many times as fast one is as the other, turn by turn."""
    pairs = zip(speeds[fast], speeds[slow], strict=True)
    return {turn: one / other for turn, (one, other) in enumerate(pairs)}


def _online(memory: Memory, spacing: float) -> Callable[[Array], object]:
    def run(samples: Array) -> object:
        online = memory.online(spacing)
        for sample in samples.tolist():
            online.update(sample)
        return online.coefficients

    return run


def _textbook_legs(order: int) -> Callable[[Array], object]:
    """The bilinear rule as it is written: ``(I - A/2k) c' = (I + A/2k) c + B u/k``, with A a dense matrix."""
    from scipy.linalg import solve_triangular  # noqa: PLC0415 -- in the worker alone

    A, B = _system("legs", order, 1.0)
    eye = np.eye(order)

    def run(samples: Array) -> object:
        state = samples[0] * eye[0]
        for k, sample in enumerate(samples[1:].tolist(), 1):
            half = A / (2 * k)
            state = solve_triangular(eye - half, state + half @ state + B * (sample / k), lower=True)
        return state

    return run


def _textbook_lmu(order: int, step: float) -> Callable[[Array], object]:
    """A zero-order hold as it is written: ``c' = Ad c + Bd u``, the two matrices made once."""
    from scipy.linalg import expm  # noqa: PLC0415

    A, B = _system("lmu", order, 1.0)
    held: Any = expm(step * np.block([[A, B[:, None]], [np.zeros((1, order + 1))]]))
    transition, gain = np.ascontiguousarray(held[:-1, :-1]), held[:-1, -1].copy()

    def run(samples: Array) -> object:
        state = np.zeros(order)
        for sample in samples.tolist():
            state = transition @ state + gain * sample
        return state

    return run


def _lstm(order: int) -> Callable[[Array], object]:
    import torch  # noqa: PLC0415 -- a guest

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torch.nn.LSTM(1, order, batch_first=True)

    def run(samples: Array) -> object:
        with torch.no_grad():
            return network(torch.as_tensor(samples, dtype=torch.float32)[None, :, None])

    return run


def _system(measure: str, order: int, theta: float) -> tuple[Array, Array]:
    from verify.adapters import own_nn  # noqa: PLC0415

    found = own_nn.system(measure, order, **({} if measure == "legs" else {"theta": theta}))
    return np.asarray(found.A), np.asarray(found.B)
