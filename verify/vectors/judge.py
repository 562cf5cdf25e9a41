"""One answer against one vector: error, derived limits, and the radius of the truth between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from verify.boundary import Exact
from verify.bounds import (
    Limits,
    Operator,
    entry_limits,
    float_states,
    forget,
    gamma,
    jacobian_limits,
    reconstruction_limits,
    scan_limits,
    step_limits,
)
from verify.case import Case
from verify.checks.base import Finding, judge, worst_coefficient
from verify.metrics import norm
from verify.oracle import Oracle
from verify.vectors.files import numbers
from verify.verdict import INTERFACE, Status

Array = np.ndarray[Any, np.dtype[Any]]
Record = Mapping[str, Any]

KEPT = 64
"""Orders up to which LegS steps are kept for the next vector of the same rule."""

WITHOUT_RULE = {"matrices": "bilinear", "reconstruct": "basis", "projection": "definition"}
"""What stands for the rule in a case whose kind has none."""


def doubles(values: Sequence[str]) -> tuple[float, ...]:
    """Hex floats of a vector."""
    return tuple(float.fromhex(value) for value in values)


@dataclass(frozen=True)
class Question:
    """A vector as the judge reads it.

    Attributes:
        record: the vector.
        program: name of the program that answers.
        dtype: arithmetic it is judged in.
        normwise: whether its matrices come out of a factorisation (see `judge`).
    """

    record: Record
    program: str
    dtype: str = "float64"
    normwise: bool = False

    @cached_property
    def case(self) -> Case:
        """Measure, order, rule, level."""
        kind, dt = self.record["kind"], self.record.get("dt")
        return Case(
            target=self.program,
            measure=self.record["measure"],
            order=int(self.record["order"]),
            method=self.record.get("method") or WITHOUT_RULE.get(kind, ""),
            level=kind,
            dtype=self.dtype,
            dt=None if dt is None else float.fromhex(dt),
            parameters=tuple((k, repr(float.fromhex(v))) for k, v in self.record["parameters"].items()),
        )

    @property
    def rows(self) -> list[int]:
        """Which rows of the whole answer are given."""
        return list(self.record["rows"])

    def doubles(self, name: str) -> tuple[float, ...]:
        """One of the lists of hex floats; empty if the vector has none."""
        return doubles(self.record.get(name, ()))

    @cached_property
    def truth(self) -> Exact:
        """(rows, width) certified values."""
        exact, problem = numbers(self.record["answer"]["values"], digits=0)
        if exact is None:
            raise ValueError(f"vector {self.record['id']!r}: {problem}")
        shape = tuple(self.record["answer"]["shape"])
        return Exact(exact.high.reshape(shape), exact.low.reshape(shape))

    @cached_property
    def radius(self) -> Array:
        """(rows, width) how far each number may be from its value, with what a pair of doubles cannot hold of it.

        A zero among the matrices is exactly zero.
        """
        given = np.array([float(text) for text in self.record["answer"]["radius"]]) * (1 + 2.0**-50)
        radius = given[:, None] + np.abs(self.truth.high) * 2.0**-104
        return np.where(self.truth.high == 0, 0.0, radius) if self.case.level == "matrices" else radius


def judge_answer(question: Question, values: Sequence[Any], oracle: Oracle) -> tuple[Finding, Exact | None]:
    """The finding, and the answer as numbers if it has the right form."""
    shape = question.truth.shape
    count = shape[0] * shape[1]
    if len(values) != count:
        message = f"holds {len(values)} numbers, expected {count} = {shape[0]} rows x {shape[1]}"
        return _wrong_form(message + _hint(question, len(values)), list(shape)), None
    found, problem = numbers(values)
    if found is None:
        return _wrong_form(problem, list(shape)), None
    got = Exact(found.high.reshape(shape), found.low.reshape(shape))
    finding = JUDGES[question.case.level](question, got, oracle)
    return finding, got


def _wrong_form(message: str, expected: Any) -> Finding:
    return Finding(Status.FAIL, math.inf, 0.0, math.inf, 1, {"expected": expected}, message, INTERFACE)


def _hint(question: Question, count: int) -> str:
    """What a wrong number of values looks like."""
    order, rows = question.case.order, len(question.rows)
    length = len(question.record.get("samples", ()))
    if question.case.level == "matrices" and count in (order * order, rows * order):
        return "; is B missing? Each row is A[n][0..N-1], then B[n]"
    if question.case.level in ("scan", "gradient") and count == length * order and length != rows:
        return f"; all {length} rows were given, but only rows {question.rows} are asked for"
    if question.case.level == "scan" and count == order:
        return "; only one state was given"
    return ""


def _signed(got: Exact, truth: Exact) -> Array:
    """Error of each number; NaN stays NaN."""
    with np.errstate(all="ignore"):
        return truth.error(got.high) + got.low


def _decide(
    question: Question, got: Exact, error: Array, limits: Limits, truth: Array, scale: Any, where: Any
) -> Finding:
    """`judge` with the radius of the truth beside each error."""
    expected = question.truth.high
    return judge(
        error, limits, truth=truth, scale=scale, got=got.high, expected=expected, where=where,
        normwise=question.normwise,
    )  # fmt: skip


def _matrices(question: Question, got: Exact, oracle: Oracle) -> Finding:
    case, rows, truth = question.case, question.rows, question.truth
    A, B = oracle.system(case)
    limits_A, limits_B = entry_limits(case.measure, case.float_parameters, A.high, B.high, case.dtype)
    forward = np.concatenate([limits_A.forward[rows], limits_B.forward[rows, None]], axis=1)
    backward = np.concatenate([limits_A.backward[rows], limits_B.backward[rows, None]], axis=1)
    largest = np.abs(np.concatenate([A.high, B.high[:, None]], axis=1)).max()

    def where(index: tuple[int, ...]) -> dict[str, Any]:
        row, column = rows[index[0]], index[1]
        name = f"B[{row}]" if column == case.order else f"A[{row}][{column}]"
        return {"what": name, "index": list(index)}

    scale = np.where(truth.high == 0, largest, np.abs(truth.high))
    limits = Limits(forward, backward, limits_A.source)
    return _decide(question, got, _signed(got, truth), limits, question.radius, scale, where)


def operator_of(question: Question, oracle: Oracle) -> Operator:
    """The operator of the bounds, with the times of an uneven LegS vector."""
    operator = oracle.operator(question.case)
    times = question.doubles("timestamps")
    return replace(operator, times=times) if times else operator


def _coefficient(question: Question, got: Exact, signed: Array, weights: Array, name: str) -> Any:
    """Names the worst coefficient of a row."""

    def where(index: tuple[int, ...]) -> dict[str, Any]:
        i = index[0]
        values = worst_coefficient(got.high[i], signed[i], question.truth.high[i], weights)
        coefficient = values["coefficient"]
        row = question.rows[i]
        return {**values, "what": name.format(row=row, coefficient=coefficient), "index": [i, coefficient]}

    return where


def _scan(question: Question, got: Exact, oracle: Oracle) -> Finding:
    operator, rows, samples = operator_of(question, oracle), question.rows, question.doubles("samples")
    states, added = float_states(operator, samples)
    states[rows] = question.truth.high
    limits = scan_limits(operator, samples, states, question.case.dtype)
    if operator.dt is None and operator.order > KEPT:
        forget()
    sizes = np.maximum.accumulate(np.maximum(norm(states, operator.weights), added))[rows]
    chosen = Limits(limits.forward[rows], limits.backward[rows], limits.source)
    return _rowwise(question, got, operator, chosen, sizes, "state {row} (most in coefficient {coefficient})")


def _rowwise(question: Question, got: Exact, operator: Operator, limits: Limits, sizes: Any, name: str) -> Finding:
    """Compare rows in the weighted norm of the bounds."""
    D = operator.weights
    signed = _signed(got, question.truth)
    radius = norm(question.radius, D)
    where = _coefficient(question, got, signed, D, name)
    return _decide(question, got, norm(signed, D), limits, radius, sizes, where)


def _step(question: Question, got: Exact, oracle: Oracle) -> Finding:
    operator = operator_of(question, oracle)
    D, state, truth = operator.weights, np.array(question.doubles("state")), question.truth.high[0]
    sample, index = question.doubles("samples")[0], int(question.record["index"])
    limits = step_limits(operator, state, sample, truth, index, question.case.dtype)
    scale = max(float(norm(truth, D)), float(norm(state, D)), abs(sample))
    name = f"the state after sample {index} (most in coefficient {{coefficient}})"
    return _rowwise(question, got, operator, limits, scale, name)


def _gradient(question: Question, got: Exact, oracle: Oracle) -> Finding:
    operator, rows = operator_of(question, oracle), question.rows
    limits = jacobian_limits(operator, len(question.doubles("samples")), question.case.dtype)
    chosen = Limits(limits.forward[rows], limits.backward[rows], limits.source)
    sizes = float(norm(question.truth.high, operator.weights).max())
    return _rowwise(question, got, operator, chosen, sizes, "d c_{coefficient} / d samples[{row}]")


def _reconstruct(question: Question, got: Exact, oracle: Oracle) -> Finding:
    largest, coefficients = oracle.largest_basis(question.case), np.array(question.doubles("state"))
    limits = reconstruction_limits(largest, coefficients, question.case.dtype)
    points, size = question.doubles("points"), float(np.dot(largest, np.abs(coefficients)))

    def where(index: tuple[int, ...]) -> dict[str, Any]:
        return {"what": f"the value at point {points[question.rows[index[0]]]:g}", "index": list(index)}

    error = np.abs(_signed(got, question.truth))
    return _decide(question, got, error, limits, question.radius, size, where)


def projection_limits(case: Case, signal: Record, time: float, largest: Array) -> tuple[Limits, Array]:
    """Limits on each coefficient of a projection by quadrature, and the sizes ``F G_n`` that they are a share of.

    ``c_n = sum_i w_i f(x_i) g_n(x_i)`` with positive weights (a Gauss rule for the measure, or a composite one) loses
    at most ``gamma_p F G_n``: the signal is ``sum_j |a_j| |x|^j + sum |amplitudes| <= F`` in absolute values and is
    evaluated with ``2 degree + 4`` roundings and those of its phases, ``|frequency x| + |phase|``; the basis loses
    ``8 n^2 + N + 16`` of its largest value ``G_n`` (see `reconstruction_limits`); the sum of m products adds m (Higham,
    section 3.1). Forward: m = 4 N + 128, a rule that converges as fast as Gauss's. Backward: m = 2^16. Where the window
    is infinite, x is taken at an age of 64 e-folds, beyond which the measure has no weight in double precision. For
    LagT the kernel has an integral of at most 1 in absolute value (Cauchy and Schwarz), so ``G_n = 1``.
    """
    reach = abs(time)
    window = case.float_parameters.get("theta")
    if window is not None:
        reach += window
    elif case.measure != "legs":
        reach += 64.0 / case.float_parameters.get("beta", 1.0)
    polynomial = doubles(signal["polynomial"])
    waves = [doubles(wave) for wave in signal["waves"]]
    size = sum(abs(a) * reach**j for j, a in enumerate(polynomial)) + sum(abs(wave[0]) for wave in waves)
    phases = max((abs(wave[1]) * reach + abs(wave[2]) for wave in waves), default=0.0)
    order = case.order
    n = np.arange(order, dtype=float)
    steps = 8 * n * n + order + 16 + 2 * len(polynomial) + 4 + 2 * phases
    sizes = largest * size
    forward = np.array([gamma(p + 4 * order + 128, case.dtype) for p in steps]) * sizes
    backward = np.array([gamma(p + 2**16, case.dtype) for p in steps]) * sizes
    return Limits(forward, backward, "quadrature with positive weights (Higham 2002, section 3.1; Barrio 2002)"), sizes


def _projection(question: Question, got: Exact, oracle: Oracle) -> Finding:
    case, signal = question.case, question.record["signal"]
    if case.measure == "lagt":
        largest = np.ones(case.order)
    else:  # LMU's kernel is its basis times (2n + 1)
        largest = oracle.largest_basis(case) * (2.0 * np.arange(case.order) + 1 if case.measure == "lmu" else 1.0)
    limits, sizes = projection_limits(case, signal, float.fromhex(question.record["time"]), largest)

    def where(index: tuple[int, ...]) -> dict[str, Any]:
        return {"what": f"coefficient {index[1]}", "index": list(index)}

    error = np.abs(_signed(got, question.truth))
    shaped = Limits(limits.forward[None], limits.backward[None], limits.source)
    return _decide(question, got, error, shaped, question.radius, sizes[None], where)


JUDGES = {
    "matrices": _matrices,
    "scan": _scan,
    "step": _step,
    "reconstruct": _reconstruct,
    "gradient": _gradient,
    "projection": _projection,
}
