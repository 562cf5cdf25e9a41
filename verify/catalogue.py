"""What identification is measured on: right implementations in every convention, defects, and operators of other kinds.

The ways of being right are measures x levels x rules, and over these scalings, signs, windows, shifts, arithmetics and
answers (all states, the last one) take turns, so that each meets each without all products being run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from verify.candidates import Model, right_model
from verify.case import Case
from verify.cases import UsageError, make_case
from verify.convention import SCALINGS
from verify.defects import DEFECTS, Defect
from verify.oracle import Oracle
from verify.result import LiveTarget, Target

Array = np.ndarray[Any, np.dtype[Any]]
Kind = Literal["right", "defect", "other"]

PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "lagt": {"alpha": "1/4", "beta": "1/2"},
    "gegenbauer": {"alpha": "3/4"},
    "jacobi": {"alpha": "1/3", "beta": "-1/5"},
}
MEASURES = ("legs", "legt", "lmu", "lagt", "fout", "legs_lti", "chebt", "gegenbauer", "jacobi")
ALTERED = ("legs", "legt", "lmu", "lagt", "fout")
"""Measures in which defects are shown."""
STEP_RULES = ("bilinear", "zoh", "backward_euler", "euler", "gbt(1/3)")
SCAN_RULES = (*STEP_RULES, "trapezoid", "foh", "hold(2)", "hold(3)")
WINDOWS = ("1", "1/3", "784", "2.5")
SPACINGS = (64, 16, 300)
"""Samples in a window."""
OWN = "own"
"""A diagonal that is no formula."""
COARSE = {"float16": 11, "bfloat16": 8, "tf32": 11}
"""Formats of 16 bits, by their significant bits; tf32 rounds the factors of a product, not its sum."""


@dataclass(frozen=True)
class Entry:
    """One thing to identify.

    Attributes:
        name: what it is.
        kind: right, a defect, or an operator of another kind.
        case: what it is right for, or altered from.
        scaling: name of its diagonal.
        sign: -1 for matrices written as -A.
        shift: samples by which its states come late.
        inside: its arithmetic.
        last_only: whether a scan gives the last state alone.
        make: oracle -> the target.
    """

    name: str
    kind: Kind
    case: Case
    make: Callable[[Oracle], Target] = field(repr=False)
    scaling: str = "1"
    sign: int = 1
    shift: int = 0
    inside: str = "float64"
    last_only: bool = False


def diagonal(name: str, order: int) -> Array:
    """T by name."""
    n = np.arange(order)
    return 1 / (1 + n / 3.0) if name == OWN else SCALINGS[name](n)


def rounded(values: Array, bits: int) -> Array:
    """Numbers rounded to so many significant bits."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits)


class Written:
    """A right model written in a convention.

    Args:
        entry: which one.
        oracle: exact operators.
    """

    def __init__(self, entry: Entry, oracle: Oracle) -> None:
        self._entry, self._oracle = entry, oracle

    def _model(self, order: int) -> Model:
        model = right_model(replace(self._entry.case, order=order), self._oracle)
        return replace(model, inner="float32") if self._entry.inside == "float32" else model

    def matrices(self, order: int) -> tuple[Array, Array]:
        """(A, B)."""
        A, B = self._model(order).matrices(order)
        T = diagonal(self._entry.scaling, order)
        A, B = self._entry.sign * T[:, None] * A / T, T * B
        if self._entry.inside == "float32":
            return A.astype(np.float32), B.astype(np.float32)
        if self._entry.inside in COARSE:
            return rounded(A, COARSE[self._entry.inside]), rounded(B, COARSE[self._entry.inside])
        return A, B

    def step(self, state: Array, sample: float, k: int) -> Array:
        """One step."""
        T = diagonal(self._entry.scaling, len(state))
        return self._model(len(state)).step(state / T, sample, k) * T

    def scan(self, samples: Array, order: int) -> Array:
        """All states, or the last."""
        T, shift = diagonal(self._entry.scaling, order), self._entry.shift
        if self._entry.inside in COARSE:
            states = self._coarse(samples, order)
        else:
            states = self._model(order).scan(samples, order) * T
        if shift:
            states = np.concatenate([np.zeros((shift, order)), states[:-shift]])[: len(samples)]
        return states[-1] if self._entry.last_only else states

    def _coarse(self, samples: Array, order: int) -> Array:
        """``c' = G c + g u`` with G, g, c and u rounded, and the states too but in tf32, whose sums are float32."""
        entry, model, bits = self._entry, self._model(order), COARSE[self._entry.inside]
        step, state, states = None, np.zeros(order), []
        T = diagonal(entry.scaling, order)
        with np.errstate(over="ignore", invalid="ignore"):
            for k, sample in enumerate(samples):
                if step is None or model.scale_law:
                    columns = [model.step(unit / T, 0.0, k) * T for unit in np.eye(order)]
                    transition = np.stack(columns, axis=1)
                    step = rounded(transition, bits), rounded(model.step(np.zeros(order), 1.0, k) * T, bits)
                total = step[0] @ rounded(state, bits) + step[1] * rounded(np.asarray(sample), bits)
                state = total.astype(np.float32).astype(float) if entry.inside == "tf32" else rounded(total, bits)
                if entry.inside == "float16":
                    state = np.where(np.abs(state) > 65504, np.inf, state)
                states.append(state)
        return np.stack(states)


def _written(entry: Entry) -> Entry:
    def make(oracle: Oracle) -> Target:
        return LiveTarget(getattr(Written(entry, oracle), entry.case.level), entry.case.level, entry.name)

    return replace(entry, make=make)


def _none(oracle: Oracle) -> Target:
    raise NotImplementedError


def _right(measure: str, level: str, method: str, turn: int, **how: Any) -> Entry:
    window = WINDOWS[turn % len(WINDOWS)]
    given: dict[str, Any] = dict(PARAMETERS.get(measure, {}))
    if measure not in ("legs", "legs_lti", "lagt"):
        given["theta"] = window
    case = make_case("catalogue", measure, method=method, level=level, order=5, **given)
    if case.dt is not None and level != "matrices":
        theta = case.float_parameters.get("theta", 1.0)
        case = replace(case, dt=theta / SPACINGS[turn % len(SPACINGS)])
    details = ", ".join(f"{name} {value}" for name, value in how.items() if value not in ("1", 1, 0, False, "float64"))
    return _written(Entry(f"{measure} {method} {level} {details}".strip(), "right", case, _none, **how))


def right() -> Iterator[Entry]:
    """Right implementations."""
    names, turn = [*SCALINGS, OWN], 0
    for measure in MEASURES:
        for scaling in names:
            for sign in (1, -1):
                inside = ("float64", "float64", "float32")[turn % 3]
                yield _right(measure, "matrices", "bilinear", turn, scaling=scaling, sign=sign, inside=inside)
                turn += 1
        for method in STEP_RULES:
            for inside in ("float64", "float32"):
                yield _right(measure, "step", method, turn, scaling=names[turn % len(names)], inside=inside)
                turn += 1
        for method in SCAN_RULES:
            for i in range(3):
                yield _right(
                    measure, "scan", method, turn, scaling=names[turn * 3 % len(names)], shift=(0, 1, 0)[i],
                    inside="float32" if i == 1 else "float64", last_only=i == 2,
                )  # fmt: skip
                turn += 1
    for measure in ("legs", "legt", "lmu", "lagt", "fout", "legs_lti", "chebt"):
        for inside in COARSE:
            yield _right(measure, "scan", "bilinear", 0, inside=inside)


def defects() -> Iterator[Entry]:
    """One thing altered in a right model, at every level that is read."""
    for key, defect in DEFECTS.items():
        for measure in ALTERED:
            for level, method in (
                ("matrices", "bilinear"),
                ("step", "bilinear"),
                ("scan", "bilinear"),
                ("scan", "foh"),
            ):
                given: dict[str, Any] = {**PARAMETERS.get(measure, {}), **defect.given}
                try:
                    case = make_case("catalogue", measure, method=method, level=level, order=5, **given)
                except UsageError:
                    continue
                if not defect.applies(case):
                    continue

                def make(oracle: Oracle, case: Case = case, defect: Defect = defect) -> Target:
                    return LiveTarget(_Bound(defect.target(case, oracle), case), case.level, defect.key)

                yield Entry(f"{key}: {measure} {method} {level}", "defect", case, make)


class _Bound:
    """A target that is told its case, asked as a stranger is."""

    def __init__(self, target: Target, case: Case) -> None:
        self._target, self._case = target, case

    def __call__(self, *arguments: Any) -> Any:
        order = arguments[-1] if self._case.level == "scan" else len(arguments[0]) if self._case.level == "step" else 0
        order = order or arguments[0]
        answer = self._target.call(replace(self._case, order=int(order)), *arguments)
        if answer.malformed:
            raise ValueError(answer.malformed)
        return (answer.arrays["A"], answer.arrays["B"]) if self._case.level == "matrices" else answer.value


def _blocks(order: int, real: Callable[[Array], Array], turn: Callable[[Array], Array]) -> Array:
    """Pairs ``[[a, -b], [b, a]]``, the real form of a complex diagonal; an odd order ends with a real one."""
    n = np.arange((order + 1) // 2)
    A = np.zeros((order, order))
    for i, (a, b) in enumerate(zip(real(n), turn(n), strict=True)):
        j = 2 * i
        A[j, j] = a
        if j + 1 < order:
            A[j : j + 2, j : j + 2] = [[a, -b], [b, a]]
    return A


def _stable(order: int, seed: int = 0) -> Array:
    generator = np.random.default_rng(seed + order)
    A = generator.standard_normal((order, order))
    return np.asarray(A - (np.abs(np.linalg.eigvals(A)).max() + 1) * np.eye(order))


def _dplr(order: int) -> Array:
    P = np.cos(np.arange(order))
    return _blocks(order, lambda n: -0.5 - 0 * n, lambda n: 3.0 * n + 1) - np.outer(P, P)


OTHERS: Mapping[str, Callable[[int], tuple[Array, Array]]] = {
    "S4D-Real": lambda N: (-np.diag(np.arange(1.0, N + 1)), np.ones(N)),
    "S4D-Lin": lambda N: (_blocks(N, lambda n: -0.5 + 0 * n, lambda n: np.pi * n), np.ones(N)),
    "S4D-Inv": lambda N: (_blocks(N, lambda n: -0.5 + 0 * n, lambda n: N / np.pi * (N / (2 * n + 1) - 1)), np.ones(N)),
    "DSS": lambda N: (_blocks(N, lambda n: -np.exp(np.sin(n + 1.0)), lambda n: np.cos(3.0 * n) * n), np.ones(N)),
    "random stable": lambda N: (_stable(N), np.random.default_rng(N).standard_normal(N)),
    "random symmetric": lambda N: (-(_stable(N) @ _stable(N).T), np.ones(N)),
    "averages of different speed": lambda N: (-np.diag(2.0 ** np.arange(N)), 2.0 ** np.arange(N)),
    "delay line": lambda N: (N * (np.eye(N, k=-1) - np.eye(N)), N * np.eye(N)[0]),
    "diagonal plus low rank": lambda N: (_dplr(N), np.ones(N)),
    "identity": lambda N: (-np.eye(N), np.ones(N)),
    "integrators": lambda N: (np.eye(N, k=-1), np.eye(N)[0]),
    "companion": lambda N: (np.vstack([-np.poly(-np.arange(1.0, N + 1))[1:], np.eye(N)[:-1]]), np.eye(N)[0]),
    "lower triangle of noise": lambda N: (-np.abs(np.tril(_stable(N))), np.ones(N)),
}
"""Operators that are no HiPPO projection, as functions of the order."""


def others() -> Iterator[Entry]:
    """Operators of other kinds: as matrices, as steps, as scans."""
    for name, operator in OTHERS.items():
        for level in ("matrices", "step", "scan"):
            case = make_case("catalogue", "legt", level=level, order=5)

            def make(oracle: Oracle, case: Case = case, operator: Any = operator) -> Target:
                model = Model(case, operator, case.method)
                return LiveTarget(getattr(model, case.level), case.level)

            yield Entry(f"{name} {level}", "other", case, make)


def catalogue() -> list[Entry]:
    """All entries, in a fixed order."""
    return [*right(), *defects(), *others()]
