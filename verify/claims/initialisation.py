"""What S4, S4D and S5 keep of HiPPO at initialisation, as numbers: `initialisation_systems` builds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from verify.case import Case
from verify.checks import CHECKS, QUICK
from verify.claims import initialisation_systems as systems
from verify.claims.base import (
    Curve,
    Figure,
    Number,
    Options,
    Outcome,
    Result,
    Scale,
    Standing,
    Statement,
    Table,
    Unit,
    finite,
)
from verify.claims.workspace import Workspace
from verify.folders import cache_folder
from verify.oracle import Oracle
from verify.result import LiveTarget

S4: Final = "S4 (2111.00396), theorem 1 and lemma 3.2"
S4D: Final = "S4D (2206.11893), theorem 3"
INVERSE: Final = "S4D (2206.11893), section 4.3"
NORMAL: Final = "S4D (2206.11893), section 4; S5 (2208.04933), section 4.3"

BAND: Final = 0.25
"""Highest frequency of the signals, for each coefficient of the state, in radians per unit of time."""
NOISE: Final = 0.01
"""The noise beside the signal has the intensity ``NOISE^2``."""
LAGS: Final = tuple(float(u) for u in np.linspace(0, 4, 41))
FREQUENCY: Final = 1.0
"""Where transfer functions are compared: that of the measure's own decay."""
DIGITS: Final = 60
DT: Final = 1 / 64
LENGTH: Final = 256

_ORDERS: Final[dict[str, dict[Scale, tuple[int, ...]]]] = {
    "factors": {Scale.SMOKE: (8,), Scale.QUICK: (16, 64), Scale.DEFAULT: (16, 64, 128), Scale.FULL: (16, 64, 128, 256)},
    "kernel": {Scale.SMOKE: (8,), Scale.QUICK: (16, 64), Scale.DEFAULT: (16, 64, 128), Scale.FULL: (16, 64, 128, 256)},
    "identity": {Scale.SMOKE: (4, 8), Scale.QUICK: (8, 16, 32, 64), Scale.DEFAULT: (8, 16, 32, 64, 128)},
    "distance": {Scale.SMOKE: (4, 8), Scale.QUICK: (8, 32, 128, 256), Scale.DEFAULT: (8, 16, 32, 64, 128, 256, 512)},
    "spectrum": {Scale.SMOKE: (4, 8), Scale.QUICK: (16, 64, 256), Scale.DEFAULT: (16, 32, 64, 128, 256, 512)},
    "memory": {Scale.SMOKE: (8,), Scale.QUICK: (16, 64), Scale.DEFAULT: (16, 32, 64, 128)},
}
"""What is measured at which orders; a scale that is not there is as the one before."""


def _orders(kind: str, scale: Scale) -> tuple[int, ...]:
    return _ORDERS[kind].get(scale, _ORDERS[kind][Scale.DEFAULT])


class Initialisation:
    """S4's exact form, and what the diagonal ones lose.

    Nothing is trained: all of it is linear algebra, so a statement rests on no seed.
    """

    key = "initialisation"
    title = "Initialisation of S4, S4D and S5"
    source = "2111.00396, 2206.11893, 2208.04933"

    def plan(self, options: Options, done: Mapping[str, Result]) -> Sequence[Unit]:
        """A unit for each kind and order."""
        return [
            Unit(key=f"{kind}-{order}", cost=0.3 + (order / 200) ** 2, settings={"kind": kind, "order": order})
            for kind in _ORDERS
            for order in _orders(kind, options.scale)
        ]

    def run(self, unit: Unit, options: Options, workspace: Workspace) -> Result:
        """Measure one kind at one order."""
        workspace.check()
        return _MEASURES[unit.settings["kind"]](int(unit.settings["order"]))

    def judge(self, options: Options, done: Mapping[str, Result]) -> Outcome:
        """Statements on the factors, the limit of S4D and its spectrum; tables and a picture of what is lost."""
        found = {kind: dict(_of(kind, options, done)) for kind in _ORDERS}
        statements = [_factors(found["factors"]), *_limit(found), _inverse(found["spectrum"]), _cost(found["memory"])]
        return Outcome(
            statements=tuple(statements),
            tables=(
                _memory_table(found["memory"]),
                _limit_table(found),
                _kernel_table(found["kernel"]),
                _spectrum_table(found["spectrum"]),
            ),
            figures=_figures(found["memory"]),
            notes=(
                "S4D-Real has the eigenvalues of LegS itself, so in exact arithmetic it spans the same memory; what "
                "it loses in the table is lost to rounding, for its modes are nearly parallel.",
                "S5 mixes all channels into one state of several blocks: a channel alone has the memory of one block.",
            ),
        )


Found = Mapping[int, Result | None]


def _of(kind: str, options: Options, done: Mapping[str, Result]) -> Iterator[tuple[int, Result | None]]:
    for order in _orders(kind, options.scale):
        yield order, done.get(f"{kind}-{order}")


def _measure_factors(order: int) -> Result:
    """Error over bound of the check of factors, in both precisions, and with the low-rank term dropped."""
    oracle = Oracle(cache_folder())
    found = {}
    for dtype in ("float64", "float32"):
        parts = systems.factors(order, np.dtype(dtype).type)
        found[dtype] = _verdict(parts, order, dtype, oracle)
    parts = systems.factors(order)
    found["dropped"] = _verdict({name: parts[name] for name in ("Lambda", "B", "V")}, order, "float64", oracle)
    return found


def _verdict(parts: Mapping[str, Any], order: int, dtype: str, oracle: Oracle) -> Result:
    def factors(asked: int) -> Mapping[str, Any]:
        if asked != order:
            raise ValueError("one order only")  # the check looks at its neighbours where it can
        return parts

    case = Case("initialisation", order=order, level="factors", dtype=dtype)
    verdict = CHECKS["factors"].run(case, oracle, LiveTarget(factors, "factors"), QUICK)
    return {"status": str(verdict.status), "ratio": finite(verdict.ratio), "message": verdict.message}


def _measure_kernel(order: int) -> Result:
    """Largest error of S4's kernel against the exact states of the bilinear rule, over the largest value."""
    case = Case("initialisation", measure="legs_lti", order=order, level="scan", dt=DT)
    exact = np.asarray(Oracle(cache_folder()).states(case, [1.0] + [0.0] * (LENGTH - 1)).high)
    found = {}
    for dtype in ("float64", "float32"):
        kernel = systems.kernel(systems.factors(order, np.dtype(dtype).type), DT, LENGTH)
        found[dtype] = float(np.max(np.abs(kernel - exact)) / np.max(np.abs(exact)))
    return found


def _measure_identity(order: int) -> Result:
    gap, size = systems.identity_gap(order, FREQUENCY, DIGITS)
    small = complex(systems.epsilon(order, FREQUENCY))
    return {"gap": gap, "size_gap": size, "relative": abs(small / (1 + small))}


def _measure_distance(order: int) -> Result:
    return {"rows": [float(x) for x in systems.distances(order, 4)]}


def _measure_spectrum(order: int) -> Result:
    exact = np.sort(systems.normal_modes(order)[0].imag)[::-1][: order // 2]
    law = systems.inverse_law(order).imag
    return {
        "largest": float(exact[0] * np.pi / order**2),
        "relative": [float(x) for x in np.abs(law - exact)[: min(4, order // 2)] / exact[: min(4, order // 2)]],
        "worst": float(np.max(np.abs(law - exact) / exact)),
    }


def _measure_memory(order: int) -> Result:
    lags = np.asarray(LAGS)
    curves = {
        name: systems.lost(response, order, BAND * order, NOISE, lags)
        for name, response in systems.responses(order).items()
    }
    weights = np.exp(-lags)
    return {
        name: {"mean": float(weights @ curve / weights.sum()), "curve": [float(x) for x in curve]}
        for name, curve in curves.items()
    }


_MEASURES: Final = {
    "factors": _measure_factors,
    "kernel": _measure_kernel,
    "identity": _measure_identity,
    "distance": _measure_distance,
    "spectrum": _measure_spectrum,
    "memory": _measure_memory,
}


def _missing(text: str, source: str, criterion: str, found: Found) -> Statement | None:
    lacking = [order for order, result in found.items() if result is None]
    if not lacking:
        return None
    message = f"not run at order {', '.join(map(str, lacking))}"
    return Statement(text=text, source=source, standing=Standing.NOT_RUN, criterion=criterion, message=message)


def _judged(
    text: str, source: str, criterion: str, *, holds: bool, measured: float, bound: float, bound_source: str, why: str
) -> Statement:
    return Statement(
        text=text,
        source=source,
        standing=Standing.HOLDS if holds else Standing.FAILS,
        criterion=criterion,
        measured=measured,
        bound=bound,
        bound_source=bound_source,
        message="" if holds else why,
    )


def _factors(found: Found) -> Statement:
    text = "LegS is normal plus low rank: S4's diagonal, P and B give A and B back, within rounding."
    criterion = (
        "the check `factors` in float64 and float32 at every order, its error over its bound; the same factors without "
        "the low-rank term must be rejected"
    )
    missing = _missing(text, S4, criterion, found)
    if missing is not None:
        return missing
    results = [result for result in found.values() if result is not None]
    right = [result[dtype] for result in results for dtype in ("float64", "float32")]
    wrong = [result["dropped"] for result in results]
    ratios = [one["ratio"] for one in right if one["ratio"] is not None]
    passed = len(ratios) == len(right) and all(one["status"] == "PASS" for one in right)
    caught = all(one["status"] == "FAIL" for one in wrong)
    bad = next((one["message"] for one in right if one["status"] != "PASS"), "the low-rank term made no difference")
    return _judged(
        text,
        S4,
        criterion,
        holds=passed and caught,
        measured=max(ratios, default=0.0),
        bound=1.0,
        bound_source="the bound of the check of factors",
        why=bad,
    )


def _limit(found: Mapping[str, Found]) -> Iterator[Statement]:
    text = (
        "As N grows, S4D-LegS with B/2 responds to each frequency as LegS does: "
        "its transfer functions are those of LegS over 1 + eps, |eps(i w)| = w/sqrt(w^2 + N^2)."
    )
    criterion = (
        f"every coefficient at w = {FREQUENCY:g}, as balls of {DIGITS} digits: the largest relative gap of the "
        "identity, and of the size of eps"
    )
    missing = _missing(text, S4D, criterion, found["identity"])
    if missing is None:
        results = [result for result in found["identity"].values() if result is not None]
        gap = max(max(result["gap"], result["size_gap"]) for result in results)
        missing = _judged(
            text,
            S4D,
            criterion,
            holds=gap < 1e-20,
            measured=gap,
            bound=1e-20,
            bound_source=f"{DIGITS} digits, of which solving the systems may cost 40",
            why="the identity is not met",
        )
    yield missing
    text = "Read as a limit of functions: those of S4D-LegS with B/2 tend to those of LegS in mean square as N grows."
    criterion = (
        "distance of the first function over its norm, in L2 over all times, at every order: it must fall, and "
        "be below 0.1 at the largest"
    )
    missing = _missing(text, S4D, criterion, found["distance"])
    if missing is None:
        first = [result["rows"][0] for result in found["distance"].values() if result is not None]
        missing = _judged(
            text,
            S4D,
            criterion,
            holds=first[-1] < 0.1 and first[-1] < first[0],
            measured=first[-1],
            bound=0.1,
            bound_source="a function that tends to another comes near it",
            why=(
                "the limit of the theorem is one of responses to a given frequency, not of the functions: their "
                "distance over their norm tends to sqrt((2 n + 1)/2), 0.7071 for the first. All N together have "
                "the energy |B/2|^2 = N^2/4, since A_N + A_N^T = -I, where those of LegS have N/2: what is too much "
                "oscillates, at frequencies between N and N^2/pi, and a smooth signal does not see it"
            ),
        )
    yield missing


def _inverse(found: Found) -> Statement:
    text = "The highest frequency of S4D-LegS is N^2/pi, up to terms of order N, which is where S4D-Inv puts it."
    criterion = "relative distance from N/pi (N - 1), at every order, times N/2"
    missing = _missing(text, INVERSE, criterion, found)
    if missing is not None:
        return missing
    worst = max(result["relative"][0] * order / 2 for order, result in found.items() if result is not None)
    return _judged(
        text,
        INVERSE,
        criterion,
        holds=worst <= 1,
        measured=worst,
        bound=1.0,
        bound_source="the formula's own second term is 1/N of its first; twice that",
        why="the frequencies differ by more than the order of the term that the formula leaves out",
    )


def _cost(found: Found) -> Statement:
    text = "Dropping the low-rank term costs memory: S4D-LegS misses more of the past than S4 does, of equal size."
    criterion = (
        "power missed by the best linear read-out, weighted by the measure e^-u: that of S4D-LegS over that of S4, the "
        "least over the orders"
    )
    missing = _missing(text, NORMAL, criterion, found)
    if missing is not None:
        return missing
    results = [result for result in found.values() if result is not None]
    least = min(result["S4D-LegS"]["mean"] / result["S4 (LegS)"]["mean"] for result in results)
    return _judged(
        text,
        NORMAL,
        criterion,
        holds=least > 1,
        measured=least,
        bound=1.0,
        bound_source="equal memories have the ratio 1",
        why="at some order the diagonal memory is as good",
    )


def _memory_table(found: Found) -> Table:
    rows = tuple(
        (
            name,
            tuple(_number(None if result is None else result[name]["mean"], order) for order, result in found.items()),
        )
        for name in systems.responses(8)
    )
    return Table(
        key="memory",
        title="Power of the past that the best linear read-out misses, weighted by the measure",
        unit="share",
        row_header="initialisation",
        columns=tuple(f"N = {order}" for order in found),
        rows=rows,
        note=f"signals of power 1 up to {BAND:g} N radians per time, and white noise of intensity {NOISE**2:g}",
    )


def _limit_table(found: Mapping[str, Found]) -> Table:
    rows = []
    for order in dict.fromkeys([*found["identity"], *found["distance"]]):
        numbers: list[Number | None] = [None] * 4
        if order in found["identity"]:
            numbers[0] = _number(_take(found["identity"][order], "relative"), order)
        if order in found["distance"]:
            result = found["distance"][order]
            numbers[1:] = [_number(value, order) for value in ([None] * 3 if result is None else result["rows"][:3])]
        rows.append((f"N = {order}", tuple(numbers)))
    return Table(
        key="limit",
        title="S4D-LegS with B/2 against LegS: it nears it as a filter, not as a function",
        unit="relative",
        row_header="order",
        columns=(f"response at w = {FREQUENCY:g}", *(f"function {n}, L2" for n in range(3))),
        rows=tuple(rows),
        note="the distances of functions tend to sqrt((2 n + 1)/2): 0.7071, 1.2247, 1.5811",
    )


def _kernel_table(found: Found) -> Table:
    rows = tuple(
        (f"N = {order}", tuple(_number(_take(result, dtype), order) for dtype in ("float64", "float32")))
        for order, result in found.items()
    )
    return Table(
        key="kernel",
        title="S4's convolution kernel by the generating function, against the exact states",
        unit="largest error over largest value",
        row_header="order",
        columns=("factors in float64", "factors in float32"),
        rows=rows,
        note=f"bilinear, dt = 1/{1 / DT:g}, {LENGTH} samples; Woodbury and the transform in float64",
    )


def _spectrum_table(found: Found) -> Table:
    rows = tuple(
        (
            f"N = {order}",
            (
                _number(_take(result, "largest"), order),
                _number(None if result is None else result["relative"][0], order),
                _number(_take(result, "worst"), order),
            ),
        )
        for order, result in found.items()
    )
    return Table(
        key="spectrum",
        title="Frequencies of S4D-LegS, and how far S4D-Inv is from them",
        unit="",
        row_header="order",
        columns=("highest, over N^2/pi", "S4D-Inv: highest, relative", "S4D-Inv: the worst, relative"),
        rows=rows,
    )


def _figures(found: Found) -> tuple[Figure, ...]:
    known = {order: result for order, result in found.items() if result is not None}
    if not known:
        return ()
    order, result = list(known.items())[-1]
    return (
        Figure(
            key="lost",
            title=f"What a state of {order} numbers misses of the past",
            x_label="lag u, in units of the measure's decay",
            y_label="share of power missed",
            y_log=True,
            curves=tuple(Curve(name=name, x=LAGS, y=tuple(one["curve"])) for name, one in result.items()),
            alt=(
                "Share of the signal's power that the best linear read-out misses against the lag, one line for each "
                "initialisation; the table of the same name has the weighted means."
            ),
        ),
    )


def _take(result: Result | None, name: str) -> float | None:
    return None if result is None else result[name]


def _number(value: float | None, order: int) -> Number:
    return Number(measured=value, why="" if value is not None else f"not run at order {order}")
