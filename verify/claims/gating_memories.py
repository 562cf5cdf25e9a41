"""Memories whose steps are the gates of a cell: at order 1 they are the cell, at higher orders they keep more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from verify.bounds import Operator, step_limits
from verify.case import Case
from verify.claims.gating_cells import UNIT, Array, Trace
from verify.claims.gating_steps import REACH, RULES, float_ratios, float_steps, gated

ROUNDINGS: Final = 16
"""Operations on the way from a gate to its step, and in a step of order 1 of any backend."""
HELD_UNITS: Final = 2
"""Units whose runs under LagT's hold are compared: each gap takes a matrix exponential, and a bound of its own."""
EXACT: Final = 1e-30
"""Two results of the reference that are one number differ by less, as a share of the largest sample."""

Times = Callable[[str, Array, Array], Array]


def lagt_worst(trace: Trace, rule: str, steps: Times = float_steps) -> dict[str, float]:
    """A whole run of LagT at order 1 that is given the candidates at times that the gates set, against the cell.

    What it may differ by follows the recurrence ``e' = (1 - g) e + dg (|c| + |u|) + slack + rounding``: a time is a sum
    and is rounded at its own size t, which moves its gap by ``2 unit t`` and the gate by no more, as ``dg/d(dt) <= 1``.
    The reference's exact states, of the first unit, are held against the same bound.

    Args:
        trace: of the cell.
        rule: of the memory.
        steps: gate to step; a test puts a wrong one here.

    Returns:
        ``worst``, the largest error as a share of its bound; ``compared``, how many numbers were.
    """
    from verify.adapters import own_nn  # noqa: PLC0415 -- in the worker alone

    units = slice(None) if rule != "zoh" else slice(HELD_UNITS)
    g, kept, u, after = (getattr(trace, name)[:, units] for name in ("g", "kept", "u", "after"))
    times = np.cumsum(steps(rule, g, kept), axis=0)
    bound = _lagt_bound(trace, rule, times)
    states = own_nn.scan(u.T, "lagt", 1, method=rule, timestamps=times.T)[..., 0].T
    case = Case("gate", "lagt", 1, rule, "timed_scan")
    exact = _oracle().states(case, u[:, 0].tolist(), tuple(times[:, 0].tolist()))
    return {
        "worst": max(_share(states - after, bound), _share(exact.error(after[:, :1]), bound[:, :1])),
        "compared": states.size + len(states),
    }


def legs_worst(trace: Trace, rule: str, ratios: Times = float_ratios) -> dict[str, float]:
    """Each step by itself of LegS at order 1, from the cell's own state at time 1 to the time that the gate sets.

    Gates beyond the reach of the rule are no step between two times, and are left out.
    """
    from verify.adapters import own_nn  # noqa: PLC0415

    reached = trace.g < float(REACH[rule]) - 1e-6
    before, after, u, slack = (getattr(trace, name)[reached] for name in ("before", "after", "u", "slack"))
    if not len(u):
        return {"worst": 0.0, "compared": 0}
    later = ratios(rule, trace.g[reached], trace.kept[reached])
    times = np.stack([np.ones_like(later), later], axis=1)
    bound = slack + 2 * ROUNDINGS * UNIT * (np.abs(before) + np.abs(u))
    # The first sample stands for all of the past: it is the state.
    pairs = np.stack([before, u], axis=1)
    states = own_nn.scan(pairs, "legs", 1, method=rule, timestamps=times)[:, 1, 0]
    case = Case("gate", "legs", 1, rule, "timed_scan")
    exact = _oracle().states(case, pairs[0].tolist(), tuple(times[0].tolist()))[1]
    return {
        "worst": max(_share(states - after, bound), _share(exact.error(after[:1]), bound[:1])),
        "compared": len(states) + 1,
    }


def _lagt_bound(trace: Trace, rule: str, times: Array) -> Array:
    bound, carried = np.empty_like(times), np.zeros(times.shape[1])
    units = slice(times.shape[1])
    for k, (time, gap) in enumerate(zip(times, np.diff(times, axis=0, prepend=0.0), strict=True)):
        before, u, after = (getattr(trace, name)[k, units] for name in ("before", "u", "after"))
        size = np.abs(before) + np.abs(u)
        moved = UNIT * (2 * time + ROUNDINGS)
        own = _hold_rounding(gap, before, u, after) if rule == "zoh" else ROUNDINGS * UNIT * size
        carried = (trace.kept[k, units] + moved) * carried + moved * size + trace.slack[k, units] + own
        bound[k] = carried
    return bound


def _hold_rounding(gaps: Array, before: Array, u: Array, after: Array) -> Array:
    """What a step of LagT's hold may lose to rounding: a matrix exponential loses more where the gap is long."""
    found = []
    for gap, state, sample, end in zip(gaps.tolist(), before, u.tolist(), after, strict=True):
        operator = Operator(measure="lagt", parameters=(), A=((-1.0,),), B=(1.0,), method="zoh", dt=gap)
        found.append(float(step_limits(operator, np.array([state]), sample, np.array([end]), 1, "float64").forward))
    return np.array(found)


def _share(error: Array, bound: Array) -> float:
    worst = float(np.max(np.abs(error) / bound.reshape(error.shape)))
    if not np.isfinite(worst):
        raise ArithmeticError(f"an error as a share of its bound is {worst}; a state or a gate is not finite")
    return worst


def first_coefficients(trace: Trace, orders: Sequence[int], count: int) -> dict[str, Any]:
    """How far the first coefficient of a memory of higher order is from that of order 1 under the same gates, exactly.

    Of LegS and LagT it is the same number: their A is lower triangular, hence so is every step of every rule. LegT's is
    not, and shows that the comparison can tell. The reference computes all of them, to `EXACT`.

    Args:
        trace: of a cell; of its first unit whose gates all are within reach of every rule.
        orders: above 1.
        count: steps.
    """
    unit = int(np.flatnonzero(within_reach(trace))[0])
    g, kept, u = (getattr(trace, name)[:count, unit] for name in ("g", "kept", "u"))
    size = float(np.abs(u).max())
    farthest: dict[str, float] = {}
    for rule in RULES:
        ratios = np.concatenate([[1.0], np.cumprod(float_ratios(rule, g, kept))])
        runs: dict[str, tuple[list[float], tuple[float, ...], dict[str, Any]]] = {
            "legs": ([0.0, *u.tolist()], tuple(ratios.tolist()), {}),
            "lagt": (u.tolist(), tuple(np.cumsum(float_steps(rule, g, kept)).tolist()), {}),
        }
        runs["legt"] = (*runs["lagt"][:2], {"parameters": (("theta", "1"),)})
        for measure, (samples, times, more) in runs.items():
            found = [
                _oracle().states(Case("gate", measure, order, rule, "timed_scan", **more), samples, times)[:, 0]
                for order in (1, *orders)
            ]
            apart = max(
                float(np.max(np.abs((one.high - found[0].high) + (one.low - found[0].low)))) for one in found[1:]
            )
            farthest[f"{measure}, {rule}"] = apart / size
    return {"farthest": farthest, "steps": count, "orders": list(orders)}


def within_reach(trace: Trace) -> Any:
    """Which units have gates that all are steps of every rule, between two times of LegS too."""
    return trace.g.max(axis=0) < float(min(REACH.values())) - 1e-6


def unheld(trace: Trace, measure: str, rule: str, orders: Sequence[int]) -> dict[int, float]:
    """Share of the candidates that memories of each order lose, all under the very same gates.

    The gates warp time: what the cell saw is constant on cells of that time, weighed as the cell weighs it, ``g_j
    prod_{i>j} (1 - g_i)``. LegS and LagT have that same weight and two bases for it. A zero-order hold gives the exact
    projection p of that signal, so that what it loses is ``||f||^2 - ||p||^2``; another rule loses the squared distance
    to p as well. Sums over the second half of the run and over all units within reach.

    Args:
        trace: of a cell.
        measure: ``legs`` or ``lagt``.
        rule: of the memory.
        orders: of the memories.
    """
    units = within_reach(trace)
    g, kept, u = (getattr(trace, name)[:, units] for name in ("g", "kept", "u"))
    power = np.zeros_like(g)
    running = np.zeros(g.shape[1])
    for k in range(len(g)):
        running = kept[k] * running + g[k] * u[k] ** 2
        power[k] = running
    half = len(g) // 2
    lost = {}
    for order in orders:
        exact = _states(measure, "zoh", order, g, kept, u)
        squares = power - np.sum(exact**2, axis=-1)
        if rule != "zoh":
            squares += np.sum((_states(measure, rule, order, g, kept, u) - exact) ** 2, axis=-1)
        lost[order] = float(squares[half:].sum() / power[half:].sum())
    return lost


def _states(measure: str, rule: str, order: int, g: Array, kept: Array, u: Array) -> Array:
    """(L, H, N) states of a memory under gates, from nothing: LegS has silence from time 0 to 1."""
    from verify.adapters import own_nn  # noqa: PLC0415

    if measure == "lagt":
        times = np.cumsum(float_steps(rule, g, kept), axis=0)
        return np.moveaxis(own_nn.scan(u.T, "lagt", order, method=rule, timestamps=times.T), 0, 1)
    nothing = np.zeros((1, u.shape[1]))
    times = np.cumprod(np.concatenate([nothing + 1, float_ratios(rule, g, kept)]), axis=0)
    states = own_nn.scan(np.concatenate([nothing, u]).T, "legs", order, method=rule, timestamps=times.T)
    return np.moveaxis(states, 0, 1)[1:]


def gains(trace: Trace) -> Mapping[str, float]:
    """What an LSTM multiplies its candidate by to be a gate: where it lies, and how often that is about 1."""
    low, middle, high = np.quantile(trace.gain, [0.05, 0.5, 0.95])
    return {
        "low": float(low), "median": float(middle), "high": float(high), "largest": float(trace.gain.max()),
        "near": float(np.mean(np.abs(trace.gain - 1) < 0.1)),
    }  # fmt: skip


def unread(trace: Trace) -> int:
    """Steps of the cell that are not the gate that was read off its weights, beyond rounding."""
    return int(np.sum(~(np.abs(trace.after - gated(trace.before, trace.u, trace.g)) <= trace.slack)))


def needing_gain(trace: Trace) -> float:
    """Share of an LSTM's steps that are no gate on the bare candidate, beyond rounding."""
    bare = trace.kept * trace.before + trace.g * trace.u / trace.gain
    return float(np.mean(np.abs(trace.after - bare) > trace.slack))


def _oracle() -> Any:
    from verify.oracle import Oracle  # noqa: PLC0415 -- imports the reference

    return Oracle()
