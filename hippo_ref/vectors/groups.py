"""The groups of vectors, edge cases first: what each is for, and the questions it asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from hippo_ref.measures import measure
from hippo_ref.vectors.extents import (
    CELLS,
    GRADIENT_RULES,
    LENGTH,
    NODES,
    RULES,
    SWEEP,
    Extent,
    allowed,
    chosen_rows,
)
from hippo_ref.vectors.flags import flags
from hippo_ref.vectors.question import BOUNDED, SETTINGS, Question, Setting
from hippo_ref.vectors.signals import FUNCTIONS, SIGNALS, noise


def _scan(
    extent: Extent, group: str, setting: Setting, order: int, method: str, signal: str, length: int,
    *, dt: float | None = None, label: str = "",
) -> Question:  # fmt: skip
    question = Question(
        group, "scan", setting, order, label or f"{signal}-L{length}", method=method,
        dt=setting.dt if dt is None else dt, samples=SIGNALS[signal](length),
    )  # fmt: skip
    return replace(question, rows=chosen_rows(length, order, extent.budget))


def _matrices(extent: Extent, group: str, setting: Setting, order: int) -> Question:
    return Question(group, "matrices", setting, order, "", rows=chosen_rows(order, order + 1, extent.budget))


def _scans(
    extent: Extent, group: str, cells: Sequence[Setting], orders: Sequence[int], rules: Sequence[str],
    inputs: Sequence[tuple[str, int]],
) -> Iterator[Question]:  # fmt: skip
    for turn, (setting, order, method) in enumerate(product(cells, orders, rules)):
        if allowed(setting, method, order, setting.dt):
            # In the quick set the inputs take turns, shifted from cell to cell, so that every rule meets every input.
            place = (turn + turn // len(rules)) % len(inputs)
            for signal, length in inputs if extent.thorough else inputs[place : place + 1]:
                yield _scan(extent, group, setting, order, method, signal, length)


def order_one(extent: Extent, group: str) -> Iterator[Question]:
    """N = 1 and 2."""
    orders = (1, 2) if extent.thorough else (1,)
    for setting, order in product(extent.settings(), orders):
        yield _matrices(extent, group, setting, order)
    yield from _scans(extent, group, extent.settings(), orders, RULES, [("noise", 9)])


def short(extent: Extent, group: str) -> Iterator[Question]:
    """L = 1, 2, 3."""
    yield from _scans(extent, group, extent.settings(), extent.few, RULES, [("noise", length) for length in (1, 2, 3)])


def zero(extent: Extent, group: str) -> Iterator[Question]:
    """Zeros of either sign."""
    names = [("zero", 5), ("negative-zero", 6)]
    yield from _scans(extent, group, extent.settings(), extent.few[-2:], RULES, names)


def reach(extent: Extent, group: str) -> Iterator[Question]:
    """Both ends of the exponent range."""
    names = [(name, 12) for name in ("denormal", "tiny", "huge", "mixed-sizes")]
    yield from _scans(extent, group, extent.settings(), extent.few[-2:], RULES, names)


def shapes(extent: Extent, group: str) -> Iterator[Question]:
    """Signals that hide a wrong clock or a wrong sample, unless they are asked for."""
    names = ("impulse-start", "impulse-middle", "impulse-end", "alternating", "constant")
    inputs = [(name, 16) for name in names]
    yield from _scans(extent, group, extent.settings(), extent.few[-2:], RULES, inputs)


def timestamps(extent: Extent, group: str) -> Iterator[Question]:
    """Uneven times, which LegS alone reads."""
    uneven = tuple(k + abs(x) / 2 for k, x in enumerate(noise(12, seed=5)))
    grids = {
        "from-zero": (0.0, *uneven[1:]),
        "uneven": tuple(1 + time for time in uneven),
        "doubling": tuple(math.ldexp(1.0, k) for k in range(12)),
        "close": tuple(1 + k / 256 for k in range(12)),
        "small-unit": tuple(math.ldexp(1 + time, -500) for time in uneven),
        "large-unit": tuple(math.ldexp(1 + time, 500) for time in uneven),
    }
    for setting, order, method in product(extent.of("legs"), extent.few, RULES):
        for label, times in grids.items():
            if (method == "zoh" and times[0] == 0) or not allowed(setting, method, order, None):
                continue
            question = _scan(extent, group, setting, order, method, "noise", len(times), label=label)
            yield replace(question, timestamps=times)


def windows(extent: Extent, group: str) -> Iterator[Question]:
    """Tiny and huge windows: theta must divide A, B and nothing else."""
    for key, (base, *_) in SETTINGS.items():
        if "theta" not in dict(base.parameters) or base.dt is None:
            continue
        for exponent in (-30, 30):
            scale = math.ldexp(1.0, exponent)
            parameters = tuple((name, value * scale if name == "theta" else value) for name, value in base.parameters)
            setting = Setting(key, parameters, base.dt * scale)
            for order in extent.few:
                yield _matrices(extent, group, setting, order)
            yield from _scans(extent, group, [setting], extent.few[-2:], RULES, [("noise", 12)])


def tilts(extent: Extent, group: str) -> Iterator[Question]:
    """Ends of LagT's domain: alpha near -1 and 1, beta near 0 and large."""
    near = 1 - 2.0**-10
    for alpha, beta in ((near, 1.0), (-near, 1.0), (0.0, 2.0**-20), (0.0, 2.0**10), (0.25, 2.0**-10), (-0.25, 2.0**10)):
        setting = Setting("lagt", (("alpha", alpha), ("beta", beta)), 1 / 16 / max(1.0, beta))
        for order in extent.few:
            yield _matrices(extent, group, setting, order)
        rules = ("bilinear", "backward_euler", "zoh", "foh") if extent.thorough else ("bilinear",)
        yield from _scans(extent, group, [setting], extent.few[-2:], rules, [("noise", 12)])


def step_sizes(extent: Extent, group: str) -> Iterator[Question]:
    """Steps far longer than the window, and far shorter."""
    for setting, order, method in product(extent.settings(), extent.few, RULES):
        if setting.dt is None:
            continue
        for label, factor in (("long-step", 128.0), ("short-step", 2.0**-20)):
            dt = setting.dt * factor
            if allowed(setting, method, order, dt):
                yield _scan(extent, group, setting, order, method, "noise", 12, dt=dt, label=label)


def parity(extent: Extent, group: str) -> Iterator[Question]:
    """FouT at even and odd N: at an even N the last cosine has no sine partner."""
    orders = (2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16) if extent.thorough else (4, 5)
    for setting, order in product(extent.of("fout"), orders):
        yield _matrices(extent, group, setting, order)
        for method in ("bilinear", "zoh", "foh"):
            yield _scan(extent, group, setting, order, method, "noise", 16)


def matrices(extent: Extent, group: str) -> Iterator[Question]:
    """(A, B) of every measure."""
    orders = (*extent.orders, *extent.large)
    if extent.thorough:
        orders = tuple(sorted({*orders, *range(1, 65)}))
    for setting, order in product(extent.settings(), orders):
        yield _matrices(extent, group, setting, order)


def scans(extent: Extent, group: str) -> Iterator[Question]:
    """Every measure, order and rule; the signals take turns."""
    rules = CELLS if group == "scan-cells" else NODES
    for turn, (setting, order, method) in enumerate(product(extent.settings(), extent.orders, rules)):
        if not allowed(setting, method, order, setting.dt):
            continue
        length = LENGTH if order <= 16 else order + 8
        for shift in range(extent.signals):
            signal = SWEEP[(turn + shift) % len(SWEEP)]
            yield _scan(extent, group, setting, order, method, signal, length)


def steps(extent: Extent, group: str) -> Iterator[Question]:
    """One step from a state that excites every coefficient, at early and at late samples."""
    indices = (0, 1, 2, 7, 1000, 54321, 1_000_000) if extent.thorough else (0, 1, 1000)
    for setting, order, method in product(extent.settings(), extent.orders, CELLS):
        if order > 33 or not allowed(setting, method, order, setting.dt):
            continue
        for index in indices if setting.dt is None else (3,):
            yield Question(
                group, "step", setting, order, f"sample-{index}", method=method, dt=setting.dt,
                samples=noise(1, seed=7 + index), state=noise(order, seed=11 + index), index=index, rows=(0,),
            )  # fmt: skip


def reconstructions(extent: Extent, group: str) -> Iterator[Question]:
    """Values at both ends of the window, next to them, and between."""
    points = (0.0, 2.0**-30, 1 / 16, 1 / 3, 0.5, 0.7, 15 / 16, 1 - 2.0**-30, 1.0)
    for setting, order in product(extent.settings(), (*extent.orders, *extent.large)):
        if setting.measure not in BOUNDED or setting.measure == "lagt":  # whose window has no fractions
            continue
        unit = (*[0.0] * (order - 1), 1.0)
        inside = points if measure(setting.measure).finite else points[1:]
        for label, state in (("noise", noise(order, seed=13)), ("highest", unit)):
            yield Question(
                group, "reconstruct", setting, order, label, state=state, points=inside, rows=tuple(range(len(inside)))
            )


def gradients(extent: Extent, group: str) -> Iterator[Question]:
    """Jacobians of the last state."""
    for setting, order, method in product(extent.settings(), extent.orders, GRADIENT_RULES):
        if order <= 24 and setting.measure in BOUNDED:
            question = Question(
                group, "gradient", setting, order, "L8", method=method, dt=setting.dt, samples=(0.0,) * 8
            )
            yield replace(question, rows=chosen_rows(8, order, extent.budget))


def projections(extent: Extent, group: str) -> Iterator[Question]:
    """Coefficients from the definition: no step, no rounding of a recurrence."""
    for setting, order in product(extent.settings(), extent.orders):
        if order <= 33 and setting.measure in BOUNDED:
            infinite = not measure(setting.measure).finite
            for label, signal in FUNCTIONS.items():
                if infinite and len(signal.polynomial) > 1:  # no digits of it survive an infinite window
                    continue
                yield Question(
                    group, "projection", setting, order, label, signal=signal, time=1.25, rows=(0,),
                )  # fmt: skip


def large(extent: Extent, group: str) -> Iterator[Question]:
    """Orders to 256."""
    rules = ("bilinear", "backward_euler", "zoh", "foh") if extent.thorough else ("bilinear",)
    orders = [order for order in extent.large if order != 255]  # dear, and 127 is odd as well
    for turn, (setting, order, method) in enumerate(product(extent.settings(), orders, rules)):
        # L samples of LegS reach no coefficient beyond 2 L - 2.
        length = LENGTH if setting.dt is not None else order // 2 + 8
        yield _scan(extent, group, setting, order, method, SWEEP[turn % 2], length)


@dataclass(frozen=True)
class Group:
    """Vectors that are there for one reason."""

    id: str
    title: str
    purpose: str
    questions: Callable[[Extent, str], Iterator[Question]]


GROUPS = (
    Group("edge-order", "N = 1 and 2", "loops over n that start at 1 or end early; every rule is a gate", order_one),
    Group("edge-length", "1, 2 and 3 samples", "the start of every rule, before it is in its stride", short),
    Group("edge-zero", "zero signals", "answers that must be zero, and zeros with a sign", zero),
    Group("edge-range", "very small and very large samples", "a scan is linear: no size of input may change it", reach),
    Group("edge-shape", "impulses, alternation, constants", "which sample a step reads, and which clock", shapes),
    Group("edge-timestamps", "uneven timestamps of LegS", "only ratios of times count; t = 0 is allowed", timestamps),
    Group("edge-window", "windows of 2^-30 and 2^30", "theta divides A and B, and belongs nowhere else", windows),
    Group("edge-tilt", "LagT at the ends of its domain", "alpha near -1 and 1, beta near 0 and large", tilts),
    Group("edge-step", "steps longer than the window, and tiny ones", "stiff and nearly singular steps", step_sizes),
    Group("fout-parity", "FouT at even and odd N", "at even N the last cosine has no partner", parity),
    Group("matrices", "(A, B)", "every measure, entry by entry", matrices),
    Group("scan-cells", "scans that read cells", "samples[k] is the input on a whole step", scans),
    Group("scan-nodes", "scans that read nodes", "samples[k] is the value at one time", scans),
    Group("step", "single steps", "any state, any sample number, late ones too", steps),
    Group("reconstruct", "read-outs", "the basis at both ends of the window and between", reconstructions),
    Group("gradient", "Jacobians", "what autograd, forward and reverse, must give", gradients),
    Group("projection", "exact projections", "the definition itself, no recurrence", projections),
    Group("large-order", "orders to 256", "overflowing binomials, cancelling sums, short tables", large),
)


def questions(
    extent: Extent,
    *,
    measures: Sequence[str] | None = None,
    orders: Sequence[int] | None = None,
    kinds: Sequence[str] | None = None,
) -> list[Question]:
    """All questions of an extent, in the order of `GROUPS`, restricted to some measures, orders and kinds."""
    found: list[Question] = []
    for group in GROUPS:
        found.extend(
            replace(question, flags=flags(question))
            for question in group.questions(extent, group.id)
            if (measures is None or question.setting.measure in measures)
            and (orders is None or question.order in orders)
            and (kinds is None or question.kind in kinds)
        )
    return found
