"""Which measure, scaling, sign, window and time shift an implementation has; and how to see through them.

A convention is a consistent change of coordinates: ``A' = sign T A T^-1``, ``B' = T B`` with T diagonal and
``|T_00| = 1``, another window, or states that come a sample later. What is left after undoing it is judged
as always, so a convention never hides a defect. A global gain is a defect: T_00 is not free.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.linalg

from verify.bounds import gamma, gbt_weight
from verify.candidates import WINDOWED
from verify.case import Case, as_text
from verify.cases import reads_nodes
from verify.oracle import Oracle
from verify.result import Result, Target, TargetError, Wrapped

Array = np.ndarray[Any, np.dtype[Any]]

MEASURES = ("legs", "legt", "lmu", "lagt", "fout", "legs_lti")
"""Measures that are recognised. The tilted windows are checked but not recognised: no trace shows their exponents."""
PROBE_ORDER = 5
"""Order at which dynamics are read off a step or scan: small, so that inverting the rule is well conditioned."""

SCALINGS: dict[str, Callable[[Array], Array]] = {
    "1": lambda n: np.ones(len(n)),
    "(-1)^n": lambda n: (-1.0) ** n,
    "sqrt(2n+1)": lambda n: np.sqrt(2.0 * n + 1),
    "sqrt(2n+1) (-1)^n": lambda n: np.sqrt(2.0 * n + 1) * (-1.0) ** n,
    "1/sqrt(2n+1)": lambda n: 1 / np.sqrt(2.0 * n + 1),
    "(-1)^n/sqrt(2n+1)": lambda n: (-1.0) ** n / np.sqrt(2.0 * n + 1),
    "sines negated": lambda n: np.where((n > 0) & (n % 2 == 0), -1.0, 1.0),
}
"""Diagonals T in use, as functions of n; each also with its sign reversed."""


@dataclass(frozen=True)
class Convention:
    """A way of writing a measure.

    Attributes:
        measure: key.
        theta: window length (1 for measures without one).
        scaling: (N,) diagonal T at the order where it was found.
        formula: T as a formula in n, or "" if it is none of `SCALINGS`.
        sign: -1 if the target writes ``dc/dt = -A c + B f``.
        shift: samples by which its states come late.
        parameters: further parameters of the measure.
        residual: largest relative difference left after undoing all that.
    """

    measure: str
    theta: float = 1.0
    scaling: tuple[float, ...] = ()
    formula: str = "1"
    sign: int = 1
    shift: int = 0
    parameters: tuple[tuple[str, float], ...] = ()
    residual: float = 0.0

    @property
    def trivial(self) -> bool:
        """Whether there is nothing to undo but, perhaps, the window."""
        return self.formula == "1" and self.sign == 1 and self.shift == 0

    def to_json(self) -> dict[str, Any]:
        """The record of ``identify --json``."""
        return {
            "measure": self.measure,
            "theta": self.theta,
            "scaling": list(self.scaling),
            "formula": self.formula,
            "sign": self.sign,
            "shift": self.shift,
            "parameters": dict(self.parameters),
            "residual": self.residual,
        }

    def describe(self) -> str:
        """One line for a person."""
        parts = [self.measure, *(f"{name} = {value:g}" for name, value in self.parameters)]
        if self.measure in WINDOWED:
            parts.append(f"theta = {self.theta:g}")
        parts.append(f"scaling T = {self.formula}" if self.formula else "a scaling T of its own")
        if self.sign < 0:
            parts.append("written with -A")
        if self.shift:
            parts.append(f"states {self.shift} sample(s) late")
        return ", ".join(parts)


@dataclass(frozen=True)
class Observation:
    """A continuous operator read off a target."""

    A: Array
    B: Array
    tolerance: float
    signs: tuple[int, ...] = (1,)
    shift: int = 0


def identify(target: Target, case: Case, oracle: Oracle) -> list[Convention]:
    """Every convention that explains a target, best first; empty if it is no HiPPO operator.

    Args:
        target: offers ``matrices``, ``step`` or ``scan``.
        case: gives level, rule, dt and dtype; its measure is not taken for granted.
        oracle: exact operators.

    Raises:
        TargetError: the target gives no answer.
    """
    seen = observe(target, replace(case, order=PROBE_ORDER))
    if seen is None:
        return []
    # A step or scan has a clock or a spacing, so it is LegS or one of the others; matrices alone could be either.
    laws = [m for m in MEASURES if case.level == "matrices" or (m == "legs") == (case.dt is None)]
    found = [match for measure in laws for match in _fit(seen, measure, case, oracle)]
    # Two orders must tell the same story: at one alone, a coincidence can look like an operator.
    if case.level == "matrices":
        larger = observe(target, replace(case, order=PROBE_ORDER + 3))
        if larger is None:
            return []
        found = [m for m in found if any(_same(m, again) for again in _fit(larger, m.measure, case, oracle))]
    return sorted(
        found, key=lambda m: (not m.trivial, m.formula == "", m.sign < 0, m.residual > 1e-9, MEASURES.index(m.measure))
    )


def _same(one: Convention, other: Convention) -> bool:
    numbers = [
        (one.theta, other.theta),
        *((a, b) for (_, a), (_, b) in zip(one.parameters, other.parameters, strict=True)),
    ]
    return (
        one.sign == other.sign
        and one.formula == other.formula
        and all(math.isclose(a, b, rel_tol=1e-4) for a, b in numbers)
    )


def observe(target: Target, case: Case) -> Observation | None:
    """The operator ``(A, B)`` behind a target's matrices, step or scan; None if it shows none."""
    tolerance = gamma(64 * case.order, "float32")
    if case.level == "matrices":
        result = target.call(case, case.order)
        if result.malformed or result.arrays["A"].shape != (case.order, case.order):
            return None
        if result.arrays["B"].shape != (case.order,):
            return None
        A, B = (np.asarray(result.arrays[name], dtype=float) for name in ("A", "B"))
        # Only matrices can be written the other way round: a step or scan with -A runs away.
        return Observation(A, B, tolerance, (1, -1)) if np.isfinite(A).all() and np.isfinite(B).all() else None
    read = {"step": _observe_step, "scan": _observe_scan}.get(case.level)
    if read is None or reads_nodes(case.method):
        return None
    discrete = read(target, case)
    if discrete is None:
        return None
    M, v, k, shift = discrete
    h = 1.0 / k if case.dt is None else case.dt
    if case.method == "zoh" and case.dt is None:
        h = math.log1p(1 / k)
    continuous = _undo_rule(M, v, h, case.method)
    return None if continuous is None else Observation(*continuous, tolerance=100 * tolerance, shift=shift)


def _observe_step(target: Target, case: Case) -> tuple[Array, Array, int, int] | None:
    """Columns of M from unit states, v from the unit sample; the step is linear."""
    k, order = 2, case.order
    columns = []
    for state, sample in [*((row, 0.0) for row in np.eye(order)), (np.zeros(order), 1.0)]:
        result = target.call(case, np.asarray(state, dtype=case.dtype), sample, k)
        if result.malformed or result.value.shape != (order,) or not np.isfinite(result.value).all():
            return None
        columns.append(np.asarray(result.value, dtype=float))
    return np.stack(columns[:-1], axis=1), columns[-1], k, 0


def _observe_scan(target: Target, case: Case) -> tuple[Array, Array, int, int] | None:
    """System identification from unit impulses: ``S_j[k] = M_k S_j[k-1]`` for every impulse j read before k."""
    order = case.order
    length = 2 * order + 3
    responses = []
    for impulse in np.eye(length, dtype=case.dtype):
        result = target.call(case, impulse, order)
        if result.malformed or result.value.ndim != 2 or result.value.shape[1] != order:
            return None
        if result.value.shape[0] < length or not np.isfinite(result.value).all():
            return None
        responses.append(np.asarray(result.value, dtype=float))
    k = length - 3
    rows = np.abs(responses[k]).max(axis=1)
    if not rows.any():
        return None
    shift = int(np.argmax(rows > 0)) - k
    if not 0 <= shift <= 1:
        return None
    before = np.stack([responses[j][k - 1 + shift] for j in range(k)], axis=1)
    after = np.stack([responses[j][k + shift] for j in range(k)], axis=1)
    M = np.linalg.lstsq(before.T, after.T, rcond=None)[0].T
    return M, responses[k][k + shift], k, shift


def _undo_rule(M: Array, v: Array, h: float, method: str) -> tuple[Array, Array] | None:
    """``(A, B)`` from the discrete ``c' = M c + v u`` of a rule with step h."""
    identity = np.eye(len(v))
    try:
        if method == "zoh":
            logarithm = scipy.linalg.logm(M)
            if np.iscomplexobj(logarithm):
                if np.abs(logarithm.imag).max() > 1e-6 * np.abs(logarithm).max():
                    return None
                logarithm = logarithm.real
            return logarithm / h, np.linalg.solve(M - identity, logarithm @ v) / h
        a = gbt_weight(method)
        if a is None:
            return None
        generator = np.linalg.solve((a * M + (1 - a) * identity).T, (M - identity).T).T
        return generator / h, (identity - a * generator) @ v / h
    except np.linalg.LinAlgError:
        return None


def _fit(seen: Observation, measure: str, case: Case, oracle: Oracle) -> Iterator[Convention]:
    """Conventions of one measure that explain an observation."""
    order = len(seen.B)
    for sign in seen.signs:
        A, B = sign * seen.A, seen.B
        parameters = _parameters(A, B, measure, order, seen.tolerance, case)
        if parameters is None:
            continue
        theta, further = parameters
        exact = replace(case, measure=measure, order=order, parameters=tuple((k, as_text(v)) for k, v in further))
        try:
            exact_A, exact_B = (part.high for part in oracle.system(exact))
        except ValueError:
            continue  # a parameter outside its domain: no such operator
        found = _diagonal(A, B, exact_A / theta, exact_B / theta)
        if found is None or abs(found[0] - 1) > seen.tolerance:
            continue
        T = found[1]
        formula, exact_T = _formula(T, seen.tolerance)
        left_A = A * exact_T[None, :] / exact_T[:, None] - exact_A / theta
        left_B = B / exact_T - exact_B / theta
        residual = max(
            float(np.abs(left_A).max() / np.abs(exact_A / theta).max()),
            float(np.abs(left_B).max() / np.abs(exact_B / theta).max()),
        )
        if residual <= seen.tolerance:
            yield Convention(
                measure,
                _near(theta, seen.tolerance, case.float_parameters.get("theta")),
                tuple(exact_T.tolist()),
                formula,
                sign,
                seen.shift,
                further,
                residual,
            )


def _parameters(
    A: Array, B: Array, measure: str, order: int, tolerance: float, case: Case
) -> tuple[float, tuple[tuple[str, float], ...]] | None:
    """Window and further parameters that a similarity leaves visible: the trace, and for LagT the ratio of inputs."""
    trace = float(np.trace(A))
    if trace >= 0:
        return None
    if measure in ("legs", "legs_lti"):
        return 1.0, ()
    n = np.arange(order)
    if measure in ("legt", "lmu"):
        return -float(np.sum(2 * n + 1)) / trace, ()
    if measure == "fout":
        boundary = np.where(n == 0, 1.0, np.where(n % 2 == 1, 2.0, 0.0))
        return -2 * float(boundary.sum()) / trace, ()
    beta = -2 * trace / order - 1
    if beta <= 0 or order < 2 or A[1, 0] == 0 or B[0] == 0:
        return None
    alpha = B[1] / B[0] / -A[1, 0] - 1
    if not -1 < alpha < 1:
        return None
    asked = case.float_parameters
    return 1.0, (
        ("alpha", _near(float(alpha), tolerance, asked.get("alpha"))),
        ("beta", _near(float(beta), tolerance, asked.get("beta"))),
    )


SIMPLE = 10_000
"""Largest denominator of a parameter that a person writes, such as 0.01 or 1/3."""


def _near(value: float, tolerance: float, asked: float | None = None) -> float:
    """The parameter meant by a measured value: the one asked for, else a simple fraction, else the value itself.

    A simple fraction is taken only where a chance hit is unlikely: within a thousandth of the gaps between them.
    """
    size = max(abs(value), 1e-3)
    if asked is not None and abs(asked - value) <= tolerance * size:
        return asked
    simple = float(Fraction(value).limit_denominator(SIMPLE))
    close = min(tolerance * size, 1e-3 / SIMPLE**2)
    return simple if abs(simple - value) <= close or abs(simple - value) <= 1e-12 * size else value


def _diagonal(A: Array, B: Array, exact_A: Array, exact_B: Array) -> tuple[float, Array] | None:
    """The gain ``|B'_0 / B_0|``, and T with ``A' = T A T^-1``, ``|T_0| = 1``, along the largest exact entries."""
    order = len(B)
    if B[0] == 0 or exact_B[0] == 0:
        return None
    T = np.zeros(order)
    gain = abs(float(B[0] / exact_B[0]))
    T[0] = math.copysign(1.0, B[0] / exact_B[0])
    known = [0]
    while len(known) < order:
        open_ = [n for n in range(order) if n not in known]
        down = [(abs(exact_A[n, k]), n, k, True) for n in open_ for k in known]
        up = [(abs(exact_A[k, n]), n, k, False) for n in open_ for k in known]
        size, n, k, forward = max(down + up)
        ratio = A[n, k] / exact_A[n, k] if forward and size else exact_A[k, n] / A[k, n] if size and A[k, n] else 0.0
        if ratio == 0 or not math.isfinite(ratio):
            return None
        T[n] = T[k] * ratio
        known.append(n)
    # Average over all paths, so that T carries no more rounding than one entry does.
    with np.errstate(all="ignore"):
        paths = np.where(exact_A != 0, A * T[None, :] / (exact_A * T[:, None]), np.nan)
        T = T * np.nanmedian(paths, axis=1)
    if not (np.isfinite(T).all() and T.all()):
        return None
    # A gain is no convention: whatever of it the caller tolerates stays with B, where it is judged.
    return gain, T / abs(T[0])


def _formula(T: Array, tolerance: float) -> tuple[str, Array]:
    n = np.arange(len(T))
    for name, formula in SCALINGS.items():
        for sign, prefix in ((1, ""), (-1, "-")):
            candidate = sign * formula(n)
            if np.allclose(T, candidate, rtol=tolerance, atol=0):
                return prefix + name, candidate
    return "", T


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
            seen = observe(self._target, replace(case, level="matrices"))
            if seen is not None:
                A, B = (part.high for part in self._oracle.system(case))
                found = _diagonal(self._convention.sign * seen.A, seen.B, A, B)
                T = None if found is None else found[1]
        elif "scan" in levels:
            T = self._probed(replace(case, level="scan"))
        return np.ones(case.order) if T is None else T

    def _probed(self, case: Case) -> Array | None:
        """Ratio of the answer to the exact state, coefficient by coefficient, where each is largest."""
        shift = self._convention.shift
        length = case.order + 8
        samples = tuple(float((i * 5) % 7 - 3) for i in range(length))
        result = self._target.call(case, np.array([*samples, *[0.0] * shift], dtype=case.dtype), case.order)
        exact = self._oracle.states(case, samples).high
        if result.malformed or result.value.ndim != 2 or result.value.shape[1] != case.order:
            return None
        got = np.asarray(result.value, dtype=float)[shift : shift + length]
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
            if result.arrays["V"].shape[:1] != T.shape:
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


def settle(target: Target, case: Case, oracle: Oracle) -> tuple[Convention | None, Case, Target]:
    """The best convention of a target, the case it then answers, and the target seen through it.

    Returns:
        (None, case, target) where none fits: it is then judged as it stands.
    """
    level = next((name for name in ("matrices", "step", "scan") if name in target.levels()), None)
    if level is None:
        return None, case, target
    try:
        matches = identify(target, replace(case, level=level), oracle)
    except TargetError:
        return None, case, target  # the checks will meet the same error and say so
    asked = case.float_parameters
    for match in matches:
        if match.measure != case.measure or any(asked.get(name) != value for name, value in match.parameters):
            continue
        parameters = dict(case.parameters)
        if match.measure in WINDOWED:
            parameters["theta"] = as_text(match.theta)
        settled = replace(case, parameters=tuple(sorted(parameters.items())))
        return match, settled, Undone(target, match, oracle)
    return None, case, target
