"""Wrong batches, resumed runs, timestamps, precisions, and order 1; answers that depend on amplitude or on history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from verify.bounds import hold_degree
from verify.candidates import Model
from verify.case import Case
from verify.defects.base import Defect, legs_gbt

Array = np.ndarray[Any, np.dtype[Any]]
Alter = Callable[[Model], Model]


def _at(level: str) -> Callable[[Case], bool]:
    return lambda case: case.level == level


def answering(level: str, answer: Callable[..., Array]) -> Alter:
    """Answer one level by a function of the right model and the arguments of the call."""

    def alter(model: Model) -> Model:
        changed = replace(model)
        object.__setattr__(changed, level, partial(answer, model))  # in front of the method of a frozen model
        return changed

    return alter


def _as(kind: type[Model]) -> Alter:
    return lambda model: kind(**{name: getattr(model, name) for name in model.__dataclass_fields__})


# Batches.


def _run_on(model: Model, samples: Array, order: int) -> Array:
    count, length = samples.shape
    return model.scan(samples.reshape(-1), order).reshape(count, length, order)


def _odd_dropped(model: Model, samples: Array, order: int) -> Array:
    states = model.batch_scan(samples, order)
    if len(states) % 2:
        states[-1] = 0
    return states


def _normalised(streams: Array, i: int) -> Array:
    return np.asarray(streams[i] / max(np.abs(streams).max(), np.finfo(streams.dtype).tiny))


def _interleaved(streams: Array, i: int) -> Array:
    return streams.reshape(streams.shape[::-1]).T[i]


LANES = 8
CHUNK = 128


def _lanes_reversed(streams: Array, i: int) -> Array:
    first = i - i % LANES
    return np.asarray(streams[2 * first + LANES - 1 - i] if first + LANES <= len(streams) else streams[i])


def _chunk_restarts(model: Model, samples: Array, order: int) -> Array:
    chunks = [samples[:, start : start + CHUNK] for start in range(0, samples.shape[1], CHUNK)]
    return np.concatenate([model.batch_scan(chunk, order) for chunk in chunks], axis=1)


BATCHES = (
    Defect(
        "first_stream_only",
        "every stream of a batch gets the answer of the first",
        "the first stream alone gives the same states for all",
        lambda model: replace(model, stream=lambda streams, i: streams[0]),
        _at("batch_scan"),
    ),
    Defect(
        "streams_reversed",
        "the streams of a batch come back in reverse",
        "the answers fit the streams counted from the end",
        lambda model: replace(model, stream=lambda streams, i: streams[-1 - i]),
        _at("batch_scan"),
    ),
    Defect(
        "batch_interleaved",
        "a batch of shape (S, L) is read as one of shape (L, S)",
        "taking every S-th number in memory gives the same states",
        lambda model: replace(model, stream=_interleaved),
        _at("batch_scan"),
    ),
    Defect(
        "batch_normalised",
        "a batch is divided by its largest sample",
        "the states times that sample agree",
        lambda model: replace(model, stream=_normalised),
        _at("batch_scan"),
    ),
    Defect(
        "streams_run_on",
        "the state is not reset between the streams of a batch",
        "the streams one after the other, as one long stream, give the same states",
        answering("batch_scan", _run_on),
        _at("batch_scan"),
    ),
    Defect(
        "odd_stream_dropped",
        "streams are taken two by two, and the last of an odd number is left out",
        "the last stream of an odd batch has states of zero, every other agrees",
        answering("batch_scan", _odd_dropped),
        _at("batch_scan"),
    ),
    Defect(
        "lanes_reversed",
        f"each whole group of {LANES} streams comes back in reverse; what is left beside them is right",
        f"the answers fit the streams of each group of {LANES} counted from its end",
        lambda model: replace(model, stream=_lanes_reversed),
        lambda case: case.level == "batch_scan" and case.order <= 16,
    ),
    Defect(
        "batch_chunk_restarts",
        f"a batch is scanned in chunks of {CHUNK} samples, and each chunk starts over",
        f"fresh scans of {CHUNK} samples each give the same states",
        answering("batch_scan", _chunk_restarts),
        lambda case: (
            case.level == "batch_scan"
            and case.order <= 4
            and case.method != "euler"
            and (hold_degree(case.method) or 0) < 2
        ),
        order=4,
    ),
)


# Resumed runs.


def _twice(model: Model, state: Array, samples: Array, k: int) -> Array:
    return model.resume(state, np.concatenate([samples[:1], samples]), k)[1:]


def _skipping(model: Model, state: Array, samples: Array, k: int) -> Array:
    kept = np.asarray(state, model.dtype)[None]
    return kept if len(samples) == 1 else np.concatenate([kept, model.resume(state, samples[1:], k + 1)])


SAVED = 128


def _late_forgotten(model: Model, state: Array, samples: Array, k: int) -> Array:
    return model.resume(np.zeros_like(state) if k >= SAVED else state, samples, k)


RESUMED = (
    Defect(
        "clock_restarts",
        "a resumed run counts its samples from 0 again",
        "a fresh scan of the remaining samples gives the same states",
        answering("resume", lambda model, state, samples, k: model.resume(state, samples, 0)),
        lambda case: case.level == "resume" and case.measure == "legs",
    ),
    Defect(
        "resumed_late",
        "a resumed run takes the number of samples read for the index of the last one: its clock is one ahead",
        "the recurrence with h = 1/(k+1) from the cut on gives the same states",
        answering("resume", lambda model, state, samples, k: model.resume(state, samples, k + 1)),
        lambda case: case.level == "resume" and case.measure == "legs",
    ),
    Defect(
        "resume_from_zero",
        "a resumed run starts from a zero state",
        "the recurrence from zero at the cut gives the same states",
        answering("resume", lambda model, state, samples, k: model.resume(np.zeros_like(state), samples, k)),
        _at("resume"),
    ),
    Defect(
        "sample_read_twice",
        "the first sample after a cut is read twice",
        "doubling that sample in the stream gives the same states",
        answering("resume", _twice),
        _at("resume"),
    ),
    Defect(
        "sample_skipped",
        "the first sample after a cut is taken as read already",
        "leaving that sample out gives the same states",
        answering("resume", _skipping),
        _at("resume"),
    ),
    Defect(
        "resume_table_256",
        "the clock of a resumed run stops at 256, as a table of that length would make it",
        "the recurrence with h = 1/min(k, 256) gives the same states",
        lambda model: replace(model, clock=lambda k: min(k, 256.0)),
        lambda case: case.level == "resume" and case.measure == "legs",
    ),
    Defect(
        "late_state_forgotten",
        f"a state saved after {SAVED} samples or more is not taken up: the run goes on from zero",
        f"the recurrence from zero gives the same states from sample {SAVED} on, those before agree",
        answering("resume", _late_forgotten),
        _at("resume"),
    ),
)


class _OverwritingState(Model):
    """Goes on in the very array it was given."""

    def resume(self, state: Array, samples: Array, k: int) -> Array:
        """The saved state is the last one afterwards."""
        states = super().resume(state.copy(), samples, k)
        state[:] = states[-1]
        return states


# Timestamps.


def _under(change: Callable[[Array], Array]) -> Alter:
    """A scan whose times are changed first."""

    def timed(model: Model, samples: Array, timestamps: Array, order: int) -> Array:
        return model.timed_scan(samples, change(np.asarray(timestamps, float)), order)

    return answering("timed_scan", timed)


def _clamped(times: Array) -> Array:
    """No step longer than a third of the time it starts at."""
    out = times.copy()
    for k in range(1, len(out)):
        longest = out[k - 1] / 3 if out[k - 1] > 0 else times[k] - times[k - 1]
        out[k] = out[k - 1] + min(times[k] - times[k - 1], longest)
    return out


class _Stepped(Model):
    """GBT steps whose h is the gap itself."""

    def _cell(self, k: int) -> tuple[float, float]:
        """Times whose gap, over the later of them, is the gap."""
        then, now = super()._cell(k)
        return 1 - (now - then), 1.0


class _OverEarlier(Model):
    """GBT steps whose h is the gap over the earlier time."""

    def _cell(self, k: int) -> tuple[float, float]:
        then, now = super()._cell(k)
        return (1 - (now - then) / then, 1.0) if then > 0 else (then, now)


def _timed_gbt(case: Case) -> bool:
    return case.level == "timed_scan" and legs_gbt(case)


TIMED = (
    Defect(
        "times_ignored",
        "timestamps are ignored: samples are taken as evenly spaced",
        "a scan without timestamps gives the same states",
        answering("timed_scan", lambda model, samples, timestamps, order: model.scan(samples, order)),
        _at("timed_scan"),
    ),
    Defect(
        "times_from_first",
        "timestamps are counted from the first sample, so that the time before it is lost",
        "the recurrence under t - t[0] gives the same states",
        _under(lambda times: times - times[0]),
        lambda case: case.level == "timed_scan" and case.method != "zoh",
    ),
    Defect(
        "times_in_float32",
        "timestamps pass through float32",
        "the recurrence under times rounded to float32 gives the same states",
        _under(lambda times: times.astype(np.float32).astype(float)),
        lambda case: case.level == "timed_scan" and case.dtype == "float64",
    ),
    Defect(
        "gap_clamped",
        "a step longer than a third of the time before it is cut to that third",
        "the recurrence under the times so shortened gives the same states",
        _under(_clamped),
        _at("timed_scan"),
    ),
    Defect(
        "gap_as_step",
        "the step is the gap between two timestamps, not its share of the time: the unit of time matters",
        "the recurrence with h = t' - t gives the same states",
        _as(_Stepped),
        _timed_gbt,
    ),
    Defect(
        "gap_over_last",
        "the gap between two timestamps is divided by the earlier of them, not by the later",
        "the recurrence with h = (t' - t)/t gives the same states",
        _as(_OverEarlier),
        _timed_gbt,
    ),
)


# Precision and device.


def _where(asked: Callable[[Case], bool], change: Callable[[Array], Array]) -> Alter:
    """Answers changed in the cases of one kind."""

    def alter(model: Model) -> Model:
        if not asked(model.case):
            return model
        basis = model.reconstruct

        def reconstruct(state: Array, points: Array) -> Array:
            return change(basis(state, points))

        changed = replace(model, finish=change)
        object.__setattr__(changed, "reconstruct", reconstruct)
        return changed

    return alter


def _both_precisions(case: Case) -> bool:
    return case.level in ("scan", "step", "reconstruct") and case.dtype == "float64" and case.device == "cpu"


def _bfloat16(values: Array) -> Array:
    """The upper half of a float32: 8 bits of precision."""
    halves = np.ascontiguousarray(values, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return halves.view(np.float32).astype(values.dtype)


PRECISIONS = (
    Defect(
        "bfloat16_path",
        "float32 input is computed in bfloat16, as mixed precision does",
        "the float64 answers agree, those to float32 input have 8 bits",
        _where(lambda case: case.dtype == "float32", _bfloat16),
        _both_precisions,
    ),
    Defect(
        "float32_clamped",
        "answers to float32 input are clamped to [-1, 1]",
        "the float64 answers agree, those to float32 input stop at 1",
        _where(lambda case: case.dtype == "float32", lambda values: np.clip(values, -1, 1)),
        _both_precisions,
    ),
    Defect(
        "device_path",
        "on the accelerator the last coefficient is left at zero",
        "the answers on the processor agree",
        _where(
            lambda case: case.device == "cuda",
            lambda values: np.where(np.arange(values.shape[-1]) == values.shape[-1] - 1, 0, values),
        ),
        _both_precisions,
    ),
)


# Order 1.


def _asks_one(case: Case) -> bool:
    return case.level in ("step", "scan") and case.order > 1


def _only_one(change: Alter) -> Alter:
    return lambda model: change(model) if model.case.order == 1 else model


def _forgetting(model: Model) -> Model:
    right = model.system

    def system(order: int) -> tuple[Array, Array]:
        A, B = right(order)
        return A * 0, B  # what np.tril(A, -1) leaves of one entry

    return replace(model, system=system)


ORDER_ONE = (
    Defect(
        "squeezed_order_one",
        "at order 1 the answer loses the axis of its one coefficient",
        "every other order agrees, and so does order 1 with the axis put back",
        _only_one(lambda model: replace(model, finish=np.squeeze)),
        _asks_one,
    ),
    Defect(
        "order_one_ungated",
        "at order 1 A is taken for its part below the diagonal, which is empty: nothing is forgotten",
        "the recurrence with A = 0 at order 1 gives the same states",
        _only_one(_forgetting),
        _asks_one,
    ),
)


# Answers that depend on amplitude, late, or on history.

LATE = 128
"""Past the quick signals of other checks."""
CEILING = 1e3


def _safety_net(values: Array) -> Array:
    if values.ndim < 2:
        return values
    late = np.arange(len(values))[:, None] >= LATE
    return np.where(late, np.clip(values, -CEILING, CEILING), values).astype(values.dtype)


def _six_digits(model: Model) -> Model:
    """The first sample of those that agree to six digits stands for all of them."""
    seen: dict[str, Any] = {}

    def read(samples: Array, k: int) -> Any:
        if k == 0:
            seen.clear()
        return seen.setdefault(f"{samples[k]:.6g}", samples[k])

    return replace(model, read=read)


def _dithered() -> Alter:
    """Noise of one unit in the last place; the seed makes the trial repeatable, the calls differ all the same."""
    noise = np.random.default_rng(0)

    def finish(values: Array) -> Array:
        up = noise.integers(0, 2, values.shape).astype(bool)
        return np.where(up, np.nextafter(values, np.inf), values).astype(values.dtype)

    return lambda model: replace(model, finish=finish)


def _turning() -> Alter:
    """Eigenvectors are known up to a phase: each call takes another, and every one of them is right."""
    turns = np.random.default_rng(0)

    def alter(model: Model) -> Model:
        def factors(order: int) -> tuple[Array, Array, Array, Array]:
            Lambda, P, B, V = model.factors(order)
            phase = np.exp(2j * np.pi * turns.random(order))
            return Lambda, P * phase[:, None], B * phase, V / phase

        changed = replace(model)
        object.__setattr__(changed, "factors", factors)
        return changed

    return alter


def _largest_kept() -> Alter:
    """The discrete step of the largest order so far, cut to the order that is asked for."""
    largest: dict[tuple[Any, ...], Model] = {}

    def alter(model: Model) -> Model:
        key = (model.case.level, model.case.measure, model.case.parameters, model.case.dtype)
        if key not in largest or largest[key].case.order < model.case.order:
            largest[key] = model
        kept, order = largest[key], model.case.order
        if kept.case.order == order:
            return model

        def scan(samples: Array, _: int) -> Array:
            return kept.scan(samples, kept.case.order)[..., :order]

        changed = replace(model)
        object.__setattr__(changed, "scan", scan)
        return changed

    return alter


HISTORY = (
    Defect(
        "late_safety_net",
        f"from sample {LATE} on the states are clipped to [-{CEILING:g}, {CEILING:g}]",
        "clipping the late states gives the same values",
        lambda model: replace(model, finish=_safety_net),
        lambda case: case.level == "scan" and case.order <= 16,
    ),
    Defect(
        "six_digit_cache",
        "samples that agree to six digits are taken for the first of them, as a cache keyed by their text does",
        "the scan of the samples so merged gives the same states",
        _six_digits,
        lambda case: case.level == "scan" and case.dtype == "float64",
    ),
    Defect(
        "dithered",
        "the last bit of the answer is random",
        "two equal calls differ by one unit in the last place",
        lambda model: model,
        lambda case: case.level in ("step", "scan"),
        remembering=_dithered,
    ),
    Defect(
        "state_overwritten",
        "a resumed run goes on in the array of the saved state, which is lost",
        "the saved state is the last state after the call",
        _as(_OverwritingState),
        _at("resume"),
    ),
    Defect(
        "restless_factors",
        "the eigenvectors start from chance: equal calls give other factors of the same operator",
        "the factors of two calls differ by a phase",
        lambda model: model,
        _at("factors"),
        remembering=_turning,
    ),
    Defect(
        "largest_order_kept",
        "what was made for the largest order so far is kept, and cut to the order asked for",
        "after a call of a larger order the answer is the first coefficients of that one",
        lambda model: model,
        lambda case: case.level == "scan" and case.measure in ("legt", "lmu", "fout"),
        remembering=_largest_kept,
    ),
)

STREAMS = (*BATCHES, *RESUMED, *TIMED, *PRECISIONS, *ORDER_ONE, *HISTORY)
