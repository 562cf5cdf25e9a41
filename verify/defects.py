"""The ways in which implementations go wrong in practice: each alters one thing in a right model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.linalg

from verify.bounds import GBT
from verify.candidates import NAMES, WINDOWED, Model, System, right_model
from verify.case import Case
from verify.oracle import Oracle
from verify.result import LiveTarget, Target

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Defect:
    """One way of being wrong.

    Attributes:
        key: stable name.
        text: what is wrong, as a sentence for the user; ``{measure}`` is filled in.
        evidence: why we think so.
        alter: right model -> wrong model.
        applies: whether it is a defect of a case at all.
    """

    key: str
    text: str
    evidence: str
    alter: Callable[[Model], Model]
    applies: Callable[[Case], bool] = lambda case: True

    def target(self, case: Case, oracle: Oracle) -> Target:
        """The wrong candidate, as a target of this process."""

        def bind(asked: Case) -> Model:
            return self.alter(right_model(asked, oracle))

        return LiveTarget(bind, name=self.key, bind=True)

    def describe(self, case: Case) -> str:
        """The sentence for a case."""
        return self.text.format(measure=NAMES[case.measure])


def _system(change: Callable[[Array, Array], System]) -> Callable[[Model], Model]:
    """Alter (A, B) of every order."""

    def alter(model: Model) -> Model:
        right = model.system

        def wrong(order: int) -> System:
            A, B = right(order)
            return change(A.copy(), B.copy())

        return replace(model, system=wrong)

    return alter


def _sold_as(measure: str, **parameters: str) -> Callable[[Model], Model]:
    """The system of another measure (or of other parameters) under this one's name."""

    def alter(model: Model) -> Model:
        kept = dict(model.case.parameters) if measure in WINDOWED and model.case.measure in WINDOWED else {}
        other = replace(model.case, measure=measure, parameters=tuple({**kept, **parameters}.items()))
        return replace(model, system=right_model(other, _memory_oracle()).system)

    return alter


@lru_cache(maxsize=1)
def _memory_oracle() -> Oracle:
    return Oracle(None)


def _one_based(model: Model) -> Model:
    right = model.system

    def wrong(order: int) -> System:
        A, B = right(order + 1)
        return A[1:, 1:], B[1:]

    return replace(model, system=wrong)


def _theta_one(model: Model) -> Model:
    other = replace(model.case, parameters=(("theta", "1"),))
    return replace(model, system=right_model(other, _memory_oracle()).system)


def _one_entry(A: Array, B: Array) -> System:
    A[-1, 0] *= 1.001
    return A, B


def _no_alternation(A: Array, B: Array) -> System:
    return A, np.abs(B)


def _flat(A: Array, B: Array) -> System:
    return -np.abs(A), B


def _roots_forgotten(A: Array, B: Array) -> System:
    return A, B * np.sqrt(2.0 * np.arange(len(B)) + 1)


def _without_average(A: Array, B: Array) -> System:
    return A + np.outer(B, B) / (4 * (B[0] / 2)), B / 2


def _truncated_inverse(M: Array, y: Array) -> Array:
    rest = np.eye(len(M), dtype=M.dtype) - M
    return y + rest @ (y + rest @ y)


def _lower_solve(M: Array, y: Array) -> Array:
    solved: Array = scipy.linalg.solve_triangular(M, y, lower=True, check_finite=False)
    return solved


def _elementwise(M: Array, x: Array) -> Array:
    return np.diagonal(M) * x if x.ndim == 1 else M * x


def _earlier(samples: Array, k: int) -> Any:
    return samples[k - 1] if k else samples[0] * 0


def _clip(values: Array) -> Array:
    return np.clip(values, -1, 1)


def _without_dt(model: Model) -> Model:
    return _system(lambda A, B: (A, B / (model.case.dt or 1)))(model)


def _upper_half_dead(values: Array) -> Array:
    order = values.shape[-1]
    return np.where(np.arange(order) >= (order + 1) // 2, 0, values).astype(values.dtype)


def _dead_zone(values: Array) -> Array:
    return np.where(np.abs(values) < 1e-6, 0, values).astype(values.dtype)


def _through_float32(values: Array) -> Array:
    return values.astype(np.float32).astype(values.dtype)


def _nan_when_large(values: Array) -> Array:
    return np.where(np.arange(values.shape[-1]) >= 16, np.nan, values).astype(values.dtype)


class _Forgetful:
    """A state that leaks from call to call."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, values: Array) -> Array:
        self.calls += 1
        return (values * (1 + 2.0**-20 * self.calls)).astype(values.dtype)


def _leak(model: Model) -> Model:
    leak = _LEAKS.setdefault(model.case.id, _Forgetful())
    right = model.system

    def system(order: int) -> System:
        A, B = right(order)
        return (leak(A), B) if model.case.level == "matrices" else (A, B)

    return replace(model, finish=leak, system=system, coefficients=leak)


_LEAKS: dict[str, _Forgetful] = {}


class _Writing(Model):
    """Uses its input as work space."""

    def step(self, state: Array, sample: float, k: int) -> Array:
        answer = super().step(state.copy(), sample, k)
        state[:] = answer
        return answer

    def scan(self, samples: Array, order: int) -> Array:
        answer = super().scan(samples.copy(), order)
        samples *= 0
        return answer

    def reconstruct(self, state: Array, points: Array) -> Array:
        answer = super().reconstruct(state.copy(), points)
        state *= 0
        return answer

    def gradient(self, samples: Array, order: int) -> Array:
        answer = super().gradient(samples, order)
        samples *= 0
        return answer


def _writing(model: Model) -> Model:
    return _Writing(**{name: getattr(model, name) for name in model.__dataclass_fields__})


def _drop_last(coefficients: Array) -> Array:
    out = coefficients.copy()
    out[-1] = 0
    return out


def _unweighted(coefficients: Array) -> Array:
    return (coefficients / np.sqrt(2.0 * np.arange(len(coefficients)) + 1)).astype(coefficients.dtype)


def _input_used(case: Case) -> bool:
    """Whether B plays a part: the hold-exact LegS steps use ``-A^-1 B = e_0`` instead."""
    return case.level == "matrices" or case.measure != "legs" or case.method not in ("zoh", "foh")


def _not_toeplitz(case: Case) -> bool:
    """Plain LagT is the same from any index."""
    return case.measure != "lagt"


def _is(*measures: str) -> Callable[[Case], bool]:
    return lambda case: case.measure in measures


def _stepping(*methods: str) -> Callable[[Case], bool]:
    return lambda case: case.method in methods and case.level != "matrices"


def _implicit(case: Case) -> bool:
    return case.method in ("bilinear", "backward_euler") and case.level != "matrices"


def _legs_stepping(case: Case) -> bool:
    return case.measure == "legs" and case.level != "matrices"


def _legs_gbt(case: Case) -> bool:
    return _legs_stepping(case) and case.method in GBT


DEFECTS: dict[str, Defect] = {
    defect.key: defect
    for defect in (
        # The operator.
        Defect(
            "doubled_B",
            "B is twice the {measure} B",
            "B/2 and A agree entry by entry",
            _system(lambda A, B: (A, 2 * B)),
            _input_used,
        ),
        Defect(
            "halved_B",
            "B is half the {measure} B",
            "2B and A agree entry by entry",
            _system(lambda A, B: (A, B / 2)),
            _input_used,
        ),
        Defect(
            "negated_B",
            "B has the wrong sign",
            "-B and A agree entry by entry",
            _system(lambda A, B: (A, -B)),
            _input_used,
        ),
        Defect(
            "negated_A",
            "A has the wrong sign: this is -A, as papers that write dc/dt = -A c + B f print it",
            "-A and B agree entry by entry",
            _system(lambda A, B: (-A, B)),
        ),
        Defect(
            "transposed",
            "A is transposed",
            "A^T and B agree entry by entry",
            _system(lambda A, B: (A.T.copy(), B)),
        ),
        Defect(
            "one_based",
            "the index starts at 1: this is {measure} of order N + 1 without its first row and column",
            "equals {measure}(N+1) without row and column 0",
            _one_based,
            _not_toeplitz,
        ),
        Defect(
            "diagonal_short",
            "the diagonal of A is off by one: the identity is missing",
            "A - I and B agree entry by entry",
            _system(lambda A, B: (A + np.eye(len(B)), B)),
        ),
        Defect(
            "identity_twice",
            "the diagonal of A is off by one: the identity is subtracted twice",
            "A + I and B agree entry by entry",
            _system(lambda A, B: (A - np.eye(len(B)), B)),
        ),
        Defect(
            "positive_diagonal",
            "the diagonal of A has the wrong sign",
            "A with its diagonal negated agrees entry by entry",
            _system(lambda A, B: (A - 2 * np.diag(np.diag(A)), B)),
        ),
        Defect(
            "doubled_operator",
            "A and B are both twice what they should be: a window of half the length, or the LegT window counted twice",
            "A/2 and B/2 agree entry by entry",
            _system(lambda A, B: (2 * A, 2 * B)),
        ),
        Defect(
            "halved_operator",
            "A and B are both half of what they should be: a window of twice the length",
            "2A and 2B agree entry by entry",
            _system(lambda A, B: (A / 2, B / 2)),
        ),
        Defect(
            "scaled_one_sided",
            "B carries a factor sqrt(2n+1) that A does not: a rescaling applied to one side only",
            "B/sqrt(2n+1) and A agree entry by entry",
            _system(_roots_forgotten),
            _input_used,
        ),
        Defect(
            "one_entry",
            "one entry of A is wrong by a factor 1.001, the last of column 0",
            "every other entry agrees",
            _system(_one_entry),
        ),
        Defect(
            "no_alternation",
            "B lacks the alternating sign (-1)^n of LMU",
            "|B| and A agree entry by entry",
            _system(_no_alternation),
            _is("lmu"),
        ),
        Defect(
            "flat_signs",
            "A lacks the alternating signs (-1)^(n-k)",
            "-|A| and B agree entry by entry",
            _system(_flat),
            _is("legt", "lmu"),
        ),
        Defect(
            "legt_as_lmu",
            "this is LegT, not LMU: the scaling (2n+1), (-1)^n is missing",
            "equals LegT",
            _sold_as("legt"),
            _is("lmu"),
        ),
        Defect(
            "lmu_as_legt",
            "this is LMU, not LegT: it is scaled by sqrt(2n+1) (-1)^n",
            "equals LMU",
            _sold_as("lmu"),
            _is("legt"),
        ),
        Defect("legs_as_legt", "this is LegS, not LegT", "equals LegS", _sold_as("legs"), _is("legt")),
        Defect(
            "legt_as_legs",
            "this is LegT (window 1), not LegS",
            "equals LegT",
            _sold_as("legt"),
            _is("legs", "legs_lti"),
        ),
        Defect(
            "without_average",
            "the Fourier boundary is not closed by the endpoint average: the low-rank part and B are half of it",
            "equals (R - B0 B0^T)/theta, B0/theta",
            _system(_without_average),
            _is("fout"),
        ),
        Defect(
            "untilted",
            "the diagonal of A is -1/2: the untilted Laguerre functions (beta = 0, outside LagT's domain beta > 0)",
            "A with diagonal -1/2 agrees entry by entry",
            _system(lambda A, B: (np.tril(A, -1) - np.eye(len(B)) / 2, B)),
            _is("lagt"),
        ),
        Defect(
            "window_ignored",
            "theta is ignored: the window is always 1",
            "equals the system of theta = 1",
            _theta_one,
            _is("legt", "lmu", "fout"),
        ),
        Defect(
            "float32_entries",
            "the entries were rounded to float32 on the way",
            "equals the float32 rounding of the exact entries",
            _system(lambda A, B: (_through_float32(A), _through_float32(B))),
            lambda case: case.dtype == "float64" and case.measure not in ("lagt", "lmu"),  # integers survive float32
        ),
        # The recurrence.
        Defect(
            "clock_late",
            "the step reads k + 1 where the rule has k (h = 1/(k+1))",
            "the recurrence with h = 1/(k+1) gives the same states",
            lambda model: replace(model, clock=lambda k: k + 1.0),
            _legs_stepping,
        ),
        Defect(
            "clamped_clock",
            "the clock stops: from sample 8 on the step uses h = 1/8",
            "the recurrence with h = 1/min(k, 8) gives the same states",
            lambda model: replace(model, clock=lambda k: min(k, 8.0)),
            _legs_stepping,
        ),
        Defect(
            "zero_start",
            "the scan starts from a zero state instead of samples[0] e_0",
            "the recurrence from zero with h = 1/max(k, 1) gives the same states",
            lambda model: replace(model, start=False),
            lambda case: _legs_stepping(case) and case.method in (*GBT, "zoh"),
        ),
        Defect(
            "late_sample",
            "step k reads samples[k-1] instead of samples[k]",
            "the recurrence on delayed samples gives the same states",
            lambda model: replace(model, read=_earlier),
            lambda case: case.level in ("scan", "gradient"),
        ),
        Defect(
            "euler_used",
            "the rule is forward Euler, not the one named",
            "forward Euler gives the same states",
            lambda model: replace(model, method="euler"),
            _stepping("bilinear", "backward_euler", "zoh"),
        ),
        Defect(
            "backward_euler_used",
            "the rule is backward Euler, not the one named",
            "backward Euler gives the same states",
            lambda model: replace(model, method="backward_euler"),
            _stepping("bilinear", "euler", "zoh", "trapezoid"),
        ),
        Defect(
            "bilinear_used",
            "the rule is the published bilinear one, not the one named",
            "the bilinear rule gives the same states",
            lambda model: replace(model, method="bilinear"),
            _stepping("backward_euler", "euler", "zoh", "trapezoid", "foh"),
        ),
        Defect(
            "zoh_used",
            "the rule is zero-order hold, not the one named",
            "zero-order hold gives the same states",
            lambda model: replace(model, method="zoh"),
            _stepping("bilinear", "backward_euler", "euler"),
        ),
        Defect(
            "double_step",
            "the step is twice dt",
            "the recurrence with 2 dt gives the same states",
            lambda model: replace(model, step_size=2.0),
            lambda case: case.measure != "legs" and case.level != "matrices",
        ),
        Defect(
            "input_unscaled",
            "B is not multiplied by dt",
            "dividing B by dt gives the same states",
            _without_dt,
            lambda case: case.dt is not None and case.level != "matrices",
        ),
        Defect(
            "upper_half_dead",
            "the upper half of the coefficients is zero",
            "setting the coefficients from N/2 on to zero gives the same states",
            lambda model: replace(model, finish=_upper_half_dead),
            lambda case: case.level in ("step", "scan") and case.order > 1,
        ),
        Defect(
            "short_table",
            "the clock stops at 1000, as a table of that length would make it",
            "the recurrence with h = 1/min(k, 1000) gives the same states",
            lambda model: replace(model, clock=lambda k: min(k, 1000.0)),
            lambda case: _legs_stepping(case) and (case.level == "step" or case.order <= 4) and case.method != "euler",
        ),
        Defect(
            "truncated_inverse",
            "the implicit step is solved by a truncated series, not by an inverse",
            "two terms of the Neumann series give the same states",
            lambda model: replace(model, solve=_truncated_inverse),
            _implicit,
        ),
        Defect(
            "triangular_solve",
            "a triangular solve is used on a dense matrix",
            "solving with the lower triangle alone gives the same states",
            lambda model: replace(model, solve=_lower_solve),
            lambda case: _implicit(case) and case.measure in ("legt", "lmu", "fout"),
        ),
        Defect(
            "elementwise",
            "a product with A is taken elementwise instead of as a matrix product",
            "the elementwise product gives the same states",
            lambda model: replace(model, apply=_elementwise),
            _stepping("bilinear", "euler"),
        ),
        Defect(
            "doubled_state",
            "the answer is twice what it should be",
            "half of it agrees",
            lambda model: replace(model, finish=lambda values: 2 * values),
            lambda case: case.level in ("step", "scan", "gradient"),
        ),
        Defect(
            "clipped",
            "the answer is clipped to [-1, 1]",
            "clipping the exact answer gives the same values",
            lambda model: replace(model, finish=_clip),
            lambda case: case.level in ("step", "scan"),
        ),
        Defect(
            "float32_states",
            "the answer passed through float32",
            "the float32 rounding of the exact answer agrees",
            lambda model: replace(model, finish=_through_float32),
            lambda case: case.dtype == "float64" and case.level in ("step", "scan", "gradient"),
        ),
        Defect(
            "nan_when_large",
            "coefficients from 16 on are NaN",
            "the first 16 coefficients agree",
            lambda model: replace(model, finish=_nan_when_large),
            lambda case: case.level in ("step", "scan") and case.order > 16,
        ),
        Defect(
            "dead_zone",
            "small numbers are set to zero",
            "values below 1e-6 come out as zero",
            lambda model: replace(model, finish=_dead_zone),
            lambda case: case.level in ("step", "scan"),
        ),
        Defect("leaking", "the answer depends on earlier calls", "two equal calls give different bits", _leak),
        Defect(
            "writing",
            "the target writes into its input",
            "the input array differs after the call",
            _writing,
            lambda case: case.level != "matrices",
        ),
        # Reading out.
        Defect(
            "flipped",
            "the reconstruction runs backwards in time",
            "reading the points as 1 - y gives the same values",
            lambda model: replace(model, points=lambda points: 1 - points),
            lambda case: case.level == "reconstruct",
        ),
        Defect(
            "grid_short",
            "the points are taken on a grid one interval short",
            "reading the points as 0.96 y gives the same values",
            lambda model: replace(model, points=lambda points: (points * points.dtype.type(0.96)).astype(points.dtype)),
            lambda case: case.level == "reconstruct",
        ),
        Defect(
            "last_dropped",
            "the last coefficient is not used",
            "setting it to zero gives the same values",
            lambda model: replace(model, coefficients=_drop_last),
            lambda case: case.level == "reconstruct",
        ),
        Defect(
            "unweighted",
            "the basis is not normalised: the factor sqrt(2n+1) is missing",
            "dividing the coefficients by sqrt(2n+1) gives the same values",
            lambda model: replace(model, coefficients=_unweighted),
            lambda case: case.level == "reconstruct" and case.measure != "fout",
        ),
        Defect(
            "columns_reversed",
            "the columns of the Jacobian run backwards in time",
            "reversing them agrees",
            lambda model: replace(model, columns=lambda J: J[:, ::-1]),
            lambda case: case.level == "gradient",
        ),
        Defect(
            "mean_gradient",
            "the Jacobian is divided by the number of samples",
            "multiplying by L agrees",
            lambda model: replace(model, columns=lambda J: J / J.shape[1]),
            lambda case: case.level == "gradient",
        ),
        Defect(
            "first_detached",
            "the gradient with respect to the first sample is zero: the start is cut off from the graph",
            "every other column agrees",
            lambda model: replace(model, columns=lambda J: np.concatenate([J[:, :1] * 0, J[:, 1:]], axis=1)),
            lambda case: case.level == "gradient",
        ),
    )
}


WRONG_OPERATOR = (
    *("doubled_B", "halved_B", "negated_B", "negated_A", "transposed", "one_based", "diagonal_short"),
    *("identity_twice", "positive_diagonal", "doubled_operator", "scaled_one_sided"),
)
"""Operators that no comparison of entries, rates or states may accept."""
WRONG_NAME = (
    *("no_alternation", "flat_signs", "legt_as_lmu", "lmu_as_legt", "legs_as_legt", "legt_as_legs"),
    *("halved_operator", "untilted"),
)
"""Operators of another measure, window or tilt, or with half of their signs."""
WRONG_STEP = (
    *("one_entry", "clock_late", "zero_start", "euler_used", "backward_euler_used", "bilinear_used", "zoh_used"),
    *("double_step", "truncated_inverse", "input_unscaled", "upper_half_dead", "short_table", "triangular_solve"),
    *("elementwise", "doubled_state", "clipped", "float32_states", "nan_when_large"),
)
"""Clocks, starts, rules, solves and outputs that no comparison of states may accept."""


def pick(case: Case, *keys: str) -> tuple[Defect, ...]:
    """Defects by key, those that apply to a case."""
    return tuple(DEFECTS[key] for key in keys if DEFECTS[key].applies(case))
