"""A target seen through its convention, and the choice of that convention before judging.

Only what fits exactly as the case says, rule and spacing included, is undone; what is left is judged as always, so that
a convention never hides a defect. A near miss is never undone.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from verify.candidates import WINDOWED
from verify.case import Case, as_text
from verify.convention.fit import diagonal
from verify.convention.observe import UnreadableError, read_matrices
from verify.convention.record import SCALINGS, Convention
from verify.convention.search import identify
from verify.oracle import Oracle
from verify.result import Result, Target, TargetError, Wrapped

Array = np.ndarray[Any, np.dtype[Any]]


class Undone(Wrapped):
    """A target seen through its convention: states, operators and Jacobians in the convention of the reference.

    Args:
        target: the target.
        convention: what was found.
        oracle: exact answers, for scalings that are no formula.
    """

    def __init__(self, target: Target, convention: Convention, oracle: Oracle) -> None:
        super().__init__(target)
        self._convention = convention
        self._oracle = oracle
        self._scalings: dict[int, Array] = {}

    def _scaling(self, case: Case) -> Array:
        n = np.arange(case.order)
        formula = self._convention.formula
        if formula:
            return SCALINGS[formula](n) if formula in SCALINGS else -SCALINGS[formula.removeprefix("-")](n)
        if case.order not in self._scalings:
            self._scalings[case.order] = self._measured(case)
        return self._scalings[case.order]

    def _measured(self, case: Case) -> Array:
        """A scaling that is no formula, from the target's own matrices, or from what it answers to a probe."""
        levels = self._target.levels()
        T: Array | None = None
        if "matrices" in levels:
            with suppress(UnreadableError):
                A, B = read_matrices(self._target, case)
                exact = (part.high for part in self._oracle.system(case))
                found = diagonal(self._convention.sign * A, B, *exact)
                T = None if found is None else found[1]
        elif "scan" in levels:
            T = self._probed(replace(case, level="scan"))
        return np.ones(case.order) if T is None else T

    def _probed(self, case: Case) -> Array | None:
        """Ratio of the answer to the exact state, coefficient by coefficient, where each is largest."""
        shift = self._convention.shift
        length = case.order + 8
        samples = tuple(float((i * 5) % 7 - 3) for i in range(length))
        signal = np.array([*samples, *[0.0] * shift], dtype=case.dtype)
        result = self._target.call(case, signal.copy(), case.order)
        exact = self._oracle.states(case, samples).high
        if not result.malformed and result.value.shape == (case.order,):  # the last state alone: ask for each in turn
            answers = [self._target.call(case, signal[: k + 1].copy(), case.order) for k in range(len(signal))]
            if any(answer.malformed or answer.value.shape != (case.order,) for answer in answers):
                return None
            states = np.array([answer.value for answer in answers], dtype=float)
        elif result.malformed or result.value.ndim != 2 or result.value.shape[1] != case.order:
            return None
        else:
            states = np.asarray(result.value, dtype=float)
        got = states[shift : shift + length]
        if len(got) != length:
            return None
        rows, columns = np.abs(exact).argmax(axis=0), np.arange(case.order)
        with np.errstate(all="ignore"):
            T = got[rows, columns] / exact[rows, columns]
        return T / abs(T[0]) if np.isfinite(T).all() and T.all() else None

    def call(self, case: Case, *arguments: Any) -> Result:
        """Ask in the target's convention, answer in ours."""
        T, shift = self._scaling(case), self._convention.shift
        asked = list(arguments)
        if case.level in ("step", "reconstruct", "resume"):
            asked[0] = (asked[0] * T).astype(asked[0].dtype)
        late = shift if case.level in ("scan", "gradient", "timed_scan", "batch_scan") else 0
        if late:
            asked[0] = np.concatenate([asked[0], np.zeros((*asked[0].shape[:-1], late), asked[0].dtype)], axis=-1)
            if case.level == "timed_scan":
                after = asked[1][-1] * (1 + np.arange(1, late + 1))
                asked[1] = np.concatenate([asked[1], after])
        result = self._target.call(case, *asked)
        if result.malformed:
            return result
        if case.level == "matrices":
            if result.arrays["A"].shape != (len(T), len(T)) or result.arrays["B"].shape != (len(T),):
                return result
            A = self._convention.sign * result.arrays["A"] * T[None, :] / T[:, None]
            return replace(result, arrays={"A": A, "B": result.arrays["B"] / T})
        if case.level == "factors":
            if "V" not in result.arrays or result.arrays["V"].shape[:1] != T.shape:
                return result
            return replace(result, arrays={**result.arrays, "V": result.arrays["V"] / T[:, None]})
        value = result.value
        if case.level == "gradient" and value.ndim == 2 and value.shape[0] == len(T):
            value = value[:, : value.shape[1] - late] / T[:, None]
        elif case.level not in ("reconstruct", "gradient") and value.shape[-1:] == T.shape:
            states = value.ndim - (case.level == "batch_scan") == 2
            if late and states:
                value = value[..., late : late + arguments[0].shape[-1], :]
            value = value / T
        return replace(result, arrays={"value": value})


def _late(target: Target, case: Case, oracle: Oracle) -> int:
    """By how many samples the states of a scan are late that is otherwise what the matrices or the step say; or 0."""
    try:
        found = identify(target, replace(case, level="scan"), oracle, measures=(case.measure,), methods=(case.method,))
    except TargetError:
        return 0
    given = case.float_parameters
    for match in found.matches:
        same = all(given.get(name) == value for name, value in match.parameters)
        window = given.get("theta", match.theta)
        alike = np.isclose(float(match.theta or 1), float(window or 1), rtol=1e-6)
        if same and alike and match.formula == "1" and match.sign == 1:
            return match.shift
    return 0


def settle(target: Target, case: Case, oracle: Oracle) -> tuple[Convention | None, Case, Target]:
    """The best convention of a target, the case it then answers, and the target seen through it.

    Returns:
        (None, case, target) where none fits: it is then judged as it stands.
    """
    level = next((name for name in ("matrices", "step", "scan") if name in target.levels()), None)
    if level is None:
        return None, case, target
    try:
        asked = replace(case, level=level)
        found = identify(target, asked, oracle, measures=(case.measure,), methods=(case.method,))
    except TargetError:
        return None, case, target  # the checks will meet the same error and say so
    given = case.float_parameters
    for match in found.matches:
        if any(given.get(name) != value for name, value in match.parameters):
            continue
        parameters = dict(case.parameters)
        if match.measure in WINDOWED:
            parameters["theta"] = as_text(match.theta)
        settled = replace(case, parameters=tuple(sorted(parameters.items())))
        if level != "scan" and "scan" in target.levels():
            late = replace(match, shift=_late(Undone(target, match, oracle), settled, oracle))
            return late, settled, Undone(target, late, oracle)
        return match, settled, Undone(target, match, oracle)
    return None, case, target
