"""Near misses: the closest operators, how far they are, and what lies between.

Each alteration in the table below is undone on what a target shows; if a measure fits then, that one thing is what
differs. Where no single one explains it, the closest operators are listed with the entries that differ. A near miss is
only ever told: nothing is undone before judging.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from verify.candidates import WINDOWED
from verify.case import Case
from verify.cases import DOMAINS
from verify.convention.fit import Fit, align, as_formula, diagonal, exact_pair, fits, relative
from verify.convention.parameters import meant, special, visible
from verify.convention.record import SCALINGS, Near
from verify.convention.rules import CELLS, undo
from verify.oracle import Oracle

Array = np.ndarray[Any, np.dtype[Any]]
Pair = tuple[Array, Array]

SHOWN = 5
"""Near misses that are told."""
FARTHEST = 4.0
"""Distances beyond it say nothing."""
PERMUTED = 5
"""Largest order at which every order of the states is tried."""


@dataclass(frozen=True)
class Undone:
    """A pair with one thing undone.

    Attributes:
        A: (N, N) matrix.
        B: (N,) column.
        difference: what was undone, as a phrase.
        discrete: whether the pair is a step, whose length is free.
        method: rule that was read backwards.
    """

    A: Array
    B: Array
    difference: str
    discrete: bool = False
    method: str = ""


def _altered(A: Array, B: Array, unit_size: float | None) -> Iterator[tuple[Array, Array, str]]:
    """The pair with each of the usual mistakes undone; an identity is a step long, where that is known."""
    yield -A, B, "A has the wrong sign"
    yield A.T, B, "A is transposed"
    yield A[::-1, ::-1], B[::-1], "the state is in reversed order"
    yield A - 2 * np.diag(np.diag(A)), B, "the diagonal of A has the wrong sign"
    yield 2 * np.diag(np.diag(A)) - A, B, "A has the wrong sign off its diagonal"
    if unit_size is not None:
        unit = unit_size * np.eye(len(B))
        yield A - unit, B, "the diagonal of A is off by one: the identity is missing"
        yield A + unit, B, "the diagonal of A is off by one: the identity is subtracted twice"


def _permuted(A: Array, B: Array) -> Iterator[tuple[Array, Array, str]]:
    """The pair with its states in any other order."""
    natural = tuple(range(len(B)))
    for order in permutations(natural):
        if order not in (natural, natural[::-1]):
            place = list(order)
            text = "the state is in another order: coefficient " + ", ".join(map(str, np.argsort(place)))
            yield A[np.ix_(place, place)], B[place], text


def forms(A: Array, B: Array, method: str = "", *, discrete: bool, dt: float | None = None) -> Iterator[Undone]:
    """A pair as it stands, and with each of the usual mistakes undone."""
    yield Undone(A, B, "", discrete, method)
    for changed, column, text in _altered(A, B, dt if discrete else 1.0):
        yield Undone(changed, column, text, discrete, method)


@dataclass(frozen=True)
class Context:
    """What near misses are looked for with.

    Attributes:
        case: gives dtype, and parameters that are preferred.
        oracle: exact operators.
        tolerance: what is taken for rounding.
        measures: those tried.
        dt: sample spacing, where it is known.
    """

    case: Case
    oracle: Oracle
    tolerance: float
    measures: tuple[str, ...]
    dt: float | None = None

    def explained(self, forms: Iterable[Undone], original: Pair) -> Iterator[Near]:
        """Near misses in which one thing, once undone, leaves nothing."""
        for form in forms:
            for measure in self.measures:
                for found in self._fits(form, measure):
                    if not form.difference and not found[1]:
                        continue  # nothing differs: it is no near miss
                    difference = "; ".join(part for part in (form.difference, found[1]) if part)
                    yield self.near(found[0], form, difference, self.distance(found[0], original, form), found[2])

    def _fits(self, form: Undone, measure: str) -> Iterator[tuple[Fit, str, float]]:
        """Fits of A, with what the input column then lacks."""
        for found in fits(
            form.A, form.B, measure, self.case, self.oracle, self.tolerance, unit_scale=False, loose=True
        ):
            if relative(found.A, found.exact[0]) > self.tolerance or special(measure, found.parameters, 1e-3):
                continue
            size = size_text(found, form.discrete, self.tolerance, self.dt)
            column = _column(found.B, found.exact[1], self.tolerance)
            if column is not None:
                text, left = column
                if sum(map(bool, (form.difference, size, text))) <= 2:
                    left = max(relative(found.A, found.exact[0]), left)
                    yield found, "; ".join(part for part in (size, text) if part), left

    def distance(self, found: Fit, original: Pair, form: Undone) -> float:
        """Of the pair as it stands to the operator, under the best scaling."""
        scale = 1.0 if not form.discrete and found.measure not in WINDOWED else found.scale
        return best_scaled(*original, scale, found, self.tolerance).residual

    def near(self, found: Fit, form: Undone, difference: str, distance: float, left: float | None) -> Near:
        """The record of a fit."""
        theta: float | None = 1.0
        ratio = None
        if found.measure in WINDOWED:
            theta = meant(1 / found.scale, self.tolerance / 100)
            if form.discrete:
                ratio, theta = theta, None if self.dt is None else meant(theta * self.dt, 1e-9)
        return Near(found.measure, theta, found.parameters, form.method, distance, difference, left, ratio)

    def closest(self, original: Pair, discrete: bool, method: str) -> Iterator[Near]:
        """Every measure at its distance, with the entries that differ."""
        form = Undone(*original, "", discrete, method)
        for measure in self.measures:
            for found in loosely(*original, measure, self, unit_scale=not discrete):
                yield self.near(found, form, _entries(found, self.tolerance), found.residual, None)


def loosely(A: Array, B: Array, measure: str, context: Context, *, unit_scale: bool) -> Iterator[Fit]:
    """A pair beside the exact one of a measure, whatever is left."""
    for scale, parameters in visible(A, B, measure, unit_scale, math.inf):
        given = tuple((name, meant(value, context.tolerance)) for name, value in parameters)
        if special(measure, given, 1e-3):
            continue
        try:
            exact = exact_pair(measure, given, len(B), context.case, context.oracle)
        except ValueError:
            continue
        size = 1.0 if unit_scale and measure not in WINDOWED else scale
        blank = Fit(measure, size, given, np.ones(len(B)), "1", 1.0, math.inf, A, B, exact)
        yield best_scaled(A, B, size, blank, context.tolerance)


def best_scaled(A: Array, B: Array, scale: float, like: Fit, tolerance: float) -> Fit:
    """A pair under the scaling that leaves the fewest entries wrong: one read off A, one read off B, or a formula."""
    n, exact = np.arange(len(B)), like.exact
    scalings = [sign * formula(n) for formula in SCALINGS.values() for sign in (1, -1)]
    along = diagonal(A, B, scale * exact[0], scale * exact[1])
    if along is not None:
        scalings.append(along[1])
    if exact[1].all() and B.all():
        ratios = B / exact[1]
        scalings.append(ratios / abs(ratios[0]))
    best: tuple[tuple[bool, int, float], Fit] | None = None
    for T in scalings:
        with np.errstate(all="ignore"):
            left_A, left_B = A * T[None, :] / T[:, None] / scale, B / T / scale
        if not (np.isfinite(left_A).all() and np.isfinite(left_B).all()):
            continue
        wrong = sum(
            int((np.abs(left - part) > tolerance * np.abs(part).max()).sum())
            for left, part in zip((left_A, left_B), exact, strict=True)
        )
        residual = max(relative(left_A, exact[0]), relative(left_B, exact[1]))
        rank = (residual > FARTHEST, wrong, residual)
        if best is None or rank < best[0]:
            formula, _ = as_formula(T, tolerance)
            seen = replace(like, scale=scale, T=T, formula=formula, residual=residual, A=left_A, B=left_B)
            best = rank, seen
    assert best is not None  # noqa: S101 -- there are formulas
    return best[1]


def size_text(found: Fit, discrete: bool, tolerance: float, dt: float | None) -> str:
    """What is wrong with the size of A and B together, where that shows."""
    if found.measure in WINDOWED:
        return ""
    due = dt if discrete else 1.0
    if due is None or abs(found.scale / due - 1) <= tolerance:
        return ""
    factor = meant(found.scale / due, 10 * tolerance)
    return f"the step is {factor:.6g} dt" if discrete else f"A and B are both {factor:.6g} times what they should be"


def _column(got: Array, exact: Array, tolerance: float) -> tuple[str, float] | None:
    """How B differs once A fits, as a phrase ("" if it does not), and what is left then; None if it has no pattern."""
    if relative(got, exact) <= tolerance:
        return "", relative(got, exact)
    kept = exact != 0
    if (got[~kept] != 0).any() or not got[kept].all():
        return None
    ratios = got[kept] / exact[kept]
    first = float(ratios[0])
    if np.allclose(ratios, first, rtol=tolerance, atol=0):
        gain = meant(first, tolerance)
        return f"B is {gain:.6g} times what it should be", relative(got / gain, exact)
    full = np.ones(len(exact))
    full[kept] = ratios / first
    formula, values = as_formula(full, tolerance)
    if not formula or not kept.all():
        return None
    text = f"B carries a factor {formula} that A does not: one of the two was not rescaled"
    if abs(first - 1) > tolerance:
        text += f", and a gain of {first:.6g}"
    return text, relative(got / (first * values), exact)


def _entries(found: Fit, tolerance: float) -> str:
    """Which entries differ from the exact ones, as a phrase."""
    exact_A, exact_B = found.exact
    wrong = np.abs(found.A - exact_A) > tolerance * np.abs(exact_A).max()
    column = np.abs(found.B - exact_B) > tolerance * np.abs(exact_B).max()
    parts = []
    if wrong.any():
        parts.append(_places(wrong, found.A, exact_A))
    if column.any():
        places = np.flatnonzero(column)
        listed = ", ".join(map(str, places[:4])) + (", ..." if len(places) > 4 else "")
        parts.append(f"B differs in {'every entry' if column.all() else f'entry {listed}'}")
    return "; ".join(parts) or "the difference is below what is taken for rounding"


def _places(wrong: Array, got: Array, exact: Array) -> str:
    rows, columns = np.nonzero(wrong)
    order = len(wrong)
    if len(rows) == 1:
        n, k = int(rows[0]), int(columns[0])
        return (
            f"one entry of A differs: A[{n}, {k}] is {got[n, k] / exact[n, k]:.6g} times the exact one"
            if exact[n, k]
            else f"one entry of A differs: A[{n}, {k}] should be 0"
        )
    if set(rows) == {rows[0]}:
        return f"row {rows[0]} of A differs"
    if set(columns) == {columns[0]}:
        return f"column {columns[0]} of A differs"
    if (rows == columns).all():
        return "the diagonal of A differs"
    if (rows < columns).all():
        return "A differs above its diagonal"
    if (rows > columns).all():
        return f"A differs below its diagonal{' and is 0 there' if not got[np.tril_indices(order, -1)].any() else ''}"
    return f"{len(rows)} of {wrong.size} entries of A differ"


def lossy(A: Array, B: Array, context: Context, discrete: bool, method: str) -> Iterator[Near]:
    """Mistakes that lose something, so that they cannot be undone: the measure is altered instead."""
    order = len(B)
    for measure in context.measures:
        for scale, parameters in visible(A, B, measure, not discrete, math.inf):
            if special(measure, parameters, 1e-3):
                continue
            try:
                right = exact_pair(measure, parameters, order, context.case, context.oracle)
                larger = exact_pair(measure, parameters, order + 1, context.case, context.oracle)
            except ValueError:
                continue
            R = (right[0] - right[0].T) / 2
            low = (right[0] + right[0].T) / 2
            wrong: list[tuple[Pair, str]] = [
                (
                    (larger[0][1:, 1:], larger[1][1:]),
                    "the index starts at 1: row and column 0 of order N + 1 are missing",
                ),
                ((-np.abs(right[0]), right[1]), "the signs of A are missing: all its entries are negative"),
                ((right[0], np.abs(right[1])), "the signs of B are missing"),
            ]
            if measure == "fout":
                wrong += [
                    ((R + low / 2, right[1] / 2), "the boundary is not closed by the average of both ends"),
                    ((low + R / (2 * np.pi), right[1]), "the frequencies are j where 2 pi j is due"),
                ]
            for pair, text in wrong:
                if relative(*(part[0] for part in (pair, right))) <= 1e-9 and relative(pair[1], right[1]) <= 1e-9:
                    continue
                # The scale is what A shows under the alteration.
                size = scale
                if measure in WINDOWED or discrete:
                    size = float(np.trace(A) / np.trace(pair[0]))
                seen = align(A, B, size, pair, measure, parameters, context.tolerance)
                if seen is None or seen.residual > context.tolerance or abs(seen.gain - 1) > context.tolerance:
                    continue
                distance = best_scaled(A, B, size, replace(seen, exact=right), context.tolerance).residual
                form = Undone(A, B, text, discrete, method)
                yield context.near(replace(seen, exact=right), form, text, distance, seen.residual)


def ranked(found: Iterable[Near]) -> list[Near]:
    """What is explained first, then nearest first; each explanation once."""
    unique: dict[tuple[str, str, str], Near] = {}
    for near in found:
        key = (near.measure, near.method, near.difference)
        if near.left is not None or near.distance <= FARTHEST:
            unique.setdefault(key, near)
    explained = [near for near in unique.values() if near.left is not None]
    ranked = sorted(
        explained or unique.values(),
        key=lambda near: (near.difference.count(";"), round(near.distance, 6), list(DOMAINS).index(near.measure)),
    )
    return ranked[:SHOWN]


def near_matrices(
    A: Array, B: Array, case: Case, oracle: Oracle, tolerance: float, measures: Sequence[str]
) -> list[Near]:
    """Near misses of a pair of matrices."""
    context = Context(case, oracle, tolerance, tuple(measures))
    found = [
        *context.explained(forms(A, B, discrete=False), (A, B)),
        *lossy(A, B, context, False, ""),
        *_discretized(A, B, context),
    ]
    if not found and len(B) <= PERMUTED:
        permuted = (Undone(*form) for form in _permuted(A, B))
        found.extend(context.explained(permuted, (A, B)))
    found.extend(context.closest((A, B), False, ""))
    return ranked(found)


def _discretized(A: Array, B: Array, context: Context) -> Iterator[Near]:
    """Matrices that are those of a step already."""
    free = replace(context, measures=tuple(m for m in context.measures if m != "legs") or context.measures)
    for method in CELLS:
        for column, text in ((None, "A and B are discretized already"), (B, "A is discretized already, B is not")):
            pair = undo(A, B, method)
            if pair is None or method == "euler":
                continue
            G, g = pair
            for near in free.explained([Undone(G, g if column is None else column, text, True, method)], (A, B)):
                if (column is None) == (";" not in near.difference):
                    yield near
