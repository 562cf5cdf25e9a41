"""Late samples: what goes wrong only after the short runs is found at every order and rule that claims it."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from verify.candidates import right_model
from verify.candidates.model import Model
from verify.cases import make_case
from verify.checks import CHECKS, QUICK
from verify.checks.long_base import late_samples, uneven_times
from verify.defects import DEFECTS
from verify.folders import cache_folder
from verify.oracle import Oracle
from verify.power import try_defect
from verify.result import LiveTarget
from verify.verdict import Status

SMALL = replace(QUICK, examples=0, length=16)


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def right(oracle):
    return LiveTarget(lambda asked: right_model(asked, oracle), bind=True, name="model")


def test_a_late_run_is_exact_in_float32_and_never_rests():
    values = np.array(late_samples(1100))
    assert np.array_equal(values.astype(np.float32), values)
    assert len(set(values[513:600])) > 40
    times = uneven_times(make_case("model", "legs", level="timed_scan"), 6)
    assert times == (0.0, 0.25, 2.25, 2.75, 3.0, 4.0)


class Retimed(Model):
    """Takes the last spacing for every later one, from sample 72 on."""

    kept: ClassVar[int] = 72

    def timed_scan(self, samples, timestamps, order):
        times = np.asarray(timestamps, dtype=float).copy()
        later = times[self.kept :]
        later[:] = times[: self.kept][-1] + np.arange(1, len(later) + 1)
        return super().timed_scan(samples, times, order)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", ["bilinear", "backward_euler", "gbt(2/3)", "zoh", "foh"])
def test_times_that_are_ignored_late_are_found_under_every_bounded_rule(oracle, method, dtype):
    case = make_case("model", "legs", order=6, method=method, level="timed_scan", dtype=dtype)
    assert CHECKS["timed"].run(case, oracle, right(oracle), SMALL).status is Status.PASS
    wrong = LiveTarget(
        lambda asked: Retimed(**vars(right_model(asked, oracle))),
        bind=True,
        name="wrong",
    )
    # A line continued over all times before takes most digits of float32: there the difference is seen, not proved.
    lines = method == "foh" and dtype == "float32"
    expected = Status.INCONCLUSIVE if lines else Status.FAIL
    assert CHECKS["timed"].run(case, oracle, wrong, SMALL).status is expected


@pytest.mark.parametrize("method", ["zoh", "foh"])
def test_only_hold_reads_on_past_the_late_run_of_timed(oracle, method):
    case = make_case("model", "legs", order=6, method=method, level="timed_scan")
    assert try_defect(DEFECTS["last_times_ignored"], case, oracle, QUICK).killers == ("hold",)
    assert "timed" in try_defect(DEFECTS["later_times_ignored"], case, oracle, QUICK).killers


@pytest.mark.parametrize(
    ("measure", "method", "order", "dtype"),
    [
        ("legt", "bilinear", 8, "float64"),
        ("legt", "zoh", 32, "float64"),
        ("lagt", "foh", 8, "float32"),
        ("fout", "trapezoid", 8, "float64"),
        ("lmu", "bilinear", 8, "float32"),
        ("legs", "bilinear", 16, "float64"),
    ],
)
def test_a_state_that_stalls_late_is_found(oracle, measure, method, order, dtype):
    case = make_case("model", measure, order=order, method=method, level="scan", dtype=dtype)
    assert CHECKS["scan"].run(case, oracle, right(oracle), SMALL).status is Status.PASS
    found = CHECKS["scan"].run(case, oracle, DEFECTS["stalled_at_512"].target(case, oracle), SMALL)
    assert found.status is Status.FAIL
    assert found.worst["index"][0] > 512
