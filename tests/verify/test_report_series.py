"""The numbers that checks record for pictures: against other ways to the same numbers, and from wrong targets."""

import math
from fractions import Fraction

import numpy as np
import pytest

from verify.budget import COMPONENTS
from verify.budgeting import error_budget
from verify.candidates import right_model
from verify.cases import make_case
from verify.checks import CHECKS, QUICK
from verify.checks.base import series
from verify.checks.budget_base import multiplications
from verify.checks.convergence import LENGTHS
from verify.defects import DEFECTS
from verify.folders import cache_folder
from verify.metrics import norm
from verify.oracle import Oracle, wave
from verify.report import budget_picture
from verify.result import LiveTarget
from verify.verdict import Status


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def right(oracle):
    return LiveTarget(lambda asked: right_model(asked, oracle), bind=True, name="model")


def examined(key, oracle, *, defect=None, **how):
    case = make_case("model", **how)
    target = right(oracle) if defect is None else DEFECTS[defect].target(case, oracle)
    return CHECKS[key].run(case, oracle, target, QUICK)


@pytest.mark.parametrize(
    ("measure", "method", "dtype"),
    [("legs", "bilinear", "float64"), ("legt", "zoh", "float64"), ("lmu", "bilinear", "float32")],
)
def test_a_recorded_budget_is_the_one_that_is_measured_by_itself(oracle, measure, method, dtype):
    """Each component beside `verify.error_budget`, which shares the oracle and nothing else."""
    verdict = examined("convergence", oracle, measure=measure, method=method, level="scan", order=4, dtype=dtype)
    budget = verdict.details["budget"]
    case = verdict.case
    end = Fraction(1) if case.dt is None else Fraction(case.dt) * LENGTHS[0]
    for length, norms, total, shares, limit in zip(
        LENGTHS, budget["norms"], budget["totals"], budget["shares"], budget["rounding_limits"], strict=True
    ):
        alone = error_budget(
            lambda samples, order, case=case, length=length: _scan(case, length, samples, oracle),
            measure, signal=wave(3), order=4, length=length, method=method, dtype=dtype, time=end, oracle=oracle,
        )  # fmt: skip
        assert norms[0] == pytest.approx(alone.truncation.value, rel=1e-5)
        assert norms[1] == pytest.approx(alone.closure.value, rel=1e-5, abs=1e-30)
        assert norms[2] == pytest.approx(alone.discretization.value, rel=1e-5)
        # The last bit of a sample in float64 counts as rounding there, as discretization here.
        assert norms[3] == pytest.approx(alone.rounding.value, rel=1e-3, abs=1e-15)
        assert total == pytest.approx(alone.total, rel=1e-5)
        assert shares == pytest.approx([part.share for part in alone.components], rel=1e-4, abs=1e-8)
        assert sum(shares) == pytest.approx(1, abs=1e-5)
        assert norms[3] < limit
        assert limit == pytest.approx(alone.rounding.bound, rel=0.2)


def _scan(case, length, samples, oracle):
    """The model at the step of the run, as the check asks it."""
    dt = None if case.dt is None else case.dt * LENGTHS[0] / length
    return right_model(type(case)(**{**vars_of(case), "dt": dt}), oracle).scan(samples, case.order)


def vars_of(case):
    return {name: getattr(case, name) for name in case.__dataclass_fields__}


def test_a_wrong_target_has_its_error_counted_as_rounding_that_nothing_explains(oracle):
    verdict = examined("convergence", oracle, defect="doubled_B", measure="legs", level="scan", order=4)
    assert verdict.status is Status.FAIL
    budget = verdict.details["budget"]
    for norms, limit in zip(budget["norms"], budget["rounding_limits"], strict=True):
        assert norms[3] > 1e6 * limit


def test_what_is_no_number_is_none_and_stops_nothing(oracle):
    assert series([1.23456789, math.inf, math.nan, 0.0]) == [1.23457, None, None, 0.0]

    class Broken:
        def scan(self, samples, order):
            return np.full((len(samples), order), 1e300 if len(samples) < 100 else np.nan)

    case = make_case("model", measure="legs", level="scan", order=4)
    verdict = CHECKS["convergence"].run(case, oracle, LiveTarget(Broken(), name="broken"), QUICK)
    assert verdict.status is Status.FAIL
    assert verdict.details["budget"]["norms"][0][3] == 1e300 * 2
    assert verdict.details["budget"]["totals"] == [None, None, None]  # its square overflows, then it is no number
    assert verdict.details["budget"]["norms"][2][3] is None


def test_an_exact_answer_that_is_missing_leaves_the_verdict_alone(oracle, monkeypatch):
    whole = examined("convergence", oracle, measure="legs", level="scan", order=4)

    def unknown(*_):
        raise ArithmeticError("not known well enough")

    monkeypatch.setattr(Oracle, "truncation", unknown)
    without = examined("convergence", oracle, measure="legs", level="scan", order=4)
    assert without.details["budget_missing"] == "not known well enough"
    assert "budget" not in without.details
    assert (without.status, without.measured, without.bound) == (whole.status, whole.measured, whole.bound)


def test_the_names_of_the_parts_are_one():
    assert budget_picture.COMPONENTS == COMPONENTS


class Counting(float):
    """A number that counts what it is multiplied by."""

    count = 0

    def __mul__(self, other):
        Counting.count += 1
        return Counting(float(self) * float(other))

    def __add__(self, other):
        return Counting(float(self) + float(other))

    __radd__ = __add__


def _times(matrix, vector, triangular):
    """A product that leaves out what stands above a triangle."""
    kept = [list(zip(row, vector, strict=True))[: i + 1 if triangular else None] for i, row in enumerate(matrix)]
    return [sum((a * x for a, x in row), Counting(0)) for row in kept]


@pytest.mark.parametrize(
    ("measure", "method", "parts", "inputs"),
    [
        ("legt", "bilinear", ["full"], 1),
        ("legt", "foh", ["full"], 2),
        ("legs", "euler", ["triangle"], 1),
        ("legs", "backward_euler", ["triangle"], 1),
        ("legs", "bilinear", ["triangle", "triangle"], 1),
        ("legs", "gbt(1/3)", ["triangle", "triangle"], 1),
        ("legs", "zoh", ["triangle", "diagonal", "triangle"], 1),
        ("legs", "foh", ["triangle", "diagonal", "triangle"], 2),
        ("legs", "trapezoid", ["triangle", "triangle"], 2),
    ],
)
def test_multiplications_are_those_of_the_textbook_step(measure, method, parts, inputs):
    order, length = 5, 7
    case = make_case("model", measure=measure, method=method, order=order, level="scan")
    matrix = [[Counting(1.5)] * order for _ in range(order)]
    state, Counting.count = [Counting(1)] * order, 0
    for _ in range(length):
        for part in parts:
            state = (
                [Counting(2) * x for x in state] if part == "diagonal" else _times(matrix, state, part == "triangle")
            )
        for _ in range(inputs):
            state = [x + Counting(3) * 0.5 for x in state]
    assert multiplications(case, length) == Counting.count


def test_influences_are_the_columns_of_the_jacobian(oracle):
    verdict = examined("gradient_bound", oracle, measure="legs", method="zoh", level="gradient", order=2)
    kept = verdict.details["influence"]
    jacobian = oracle.jacobian(verdict.case, 300)
    columns = norm(jacobian.high.T[[299 - lag for lag in kept["places"]]])
    assert verdict.status is Status.PASS
    assert kept["places"][0] == 0
    assert kept["places"][-1] == 299
    assert kept["norms"] == pytest.approx(columns, rel=1e-5)
    assert kept["exact"] == pytest.approx(columns, rel=1e-5)
    assert kept["shares"] == pytest.approx([1 / 300] * len(kept["places"]), rel=1e-5)
    for size, share in zip(kept["norms"], kept["shares"], strict=True):
        assert share * (1 - 1e-5) <= size <= 2 * share


def test_a_gradient_that_is_cut_shows_where(oracle):
    verdict = examined("gradient_bound", oracle, defect="truncated_gradient", measure="legs", level="gradient", order=4)
    kept = verdict.details["influence"]
    assert verdict.status is Status.FAIL
    assert kept["norms"][0] == pytest.approx(kept["exact"][0], rel=1e-5)
    assert kept["norms"][-1] == 0
    assert kept["exact"][-1] > 0


def test_the_first_sample_fades_like_one_over_t(oracle):
    verdict = examined("gradient_bound", oracle, measure="legs", method="zoh", level="scan", order=4)
    later = verdict.details["later"]
    assert later["shares"] == pytest.approx([1 / t for t in later["places"]], rel=1e-5)
    assert later["norms"] == pytest.approx(later["exact"], rel=1e-5)
    at = dict(zip(later["places"], later["norms"], strict=True))
    assert 0.95 < math.log2(at[64] / at[128]) < math.log2(at[128] / at[256]) < 1


def test_what_is_missed_is_recorded_with_its_bound(oracle):
    states = examined("approximation", oracle, measure="legs", method="zoh", level="scan", order=8)
    read = examined("approximation", oracle, measure="legs", level="reconstruct", order=8)
    for verdict in (states, read):
        assert verdict.status is Status.PASS
        for name in ("corner", "triangle", "spline"):
            entry = verdict.details[name]
            assert 0 <= entry["error"] <= entry["J"] + entry["floor"], (verdict.case.level, name)
    assert read.details["corner"]["error"] == pytest.approx(read.details["corner"]["distance"], rel=1e-5)
    assert [read.details[name]["smoothness"] for name in ("corner", "spline", "cubic")] == [1, 3, 4]
    wrong = examined(
        "approximation", oracle, defect="doubled_state", measure="legs", method="zoh", level="scan", order=8
    )
    assert wrong.status is Status.FAIL
    assert wrong.details["corner"]["error"] == 0  # more energy than there is: nothing is missing
