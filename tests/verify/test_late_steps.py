"""Late single steps of LegS give its ODE back, and tell what a clock is made of."""

import numpy as np
import pytest

from verify.candidates import right_model
from verify.cases import make_case
from verify.checks import CHECKS, QUICK
from verify.checks.ode import LATE, late_transitions
from verify.defects import DEFECTS
from verify.defects.clocks import CLOCKS
from verify.folders import cache_folder
from verify.oracle import Oracle
from verify.result import LiveTarget, TargetError
from verify.verdict import Status

ODE = CHECKS["ode"]
RULES = ("bilinear", "backward_euler", "euler", "gbt(1/3)", "zoh")


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def late(method="bilinear", **given):
    return make_case("x", "legs", level="step", method=method, **given)


def model(oracle, alter=lambda m: m):
    return LiveTarget(lambda asked: alter(right_model(asked, oracle)), bind=True, name="model")


@pytest.mark.parametrize("method", RULES)
def test_exact_late_steps_are_the_ode_up_to_one_over_k(method, oracle):
    """k (c' - c) - (A c + B u) falls as 1/k, and is 0 for euler: the rest beside the ODE's right-hand side."""
    case = late(method, order=5)
    A, B = (part.high for part in oracle.system(case))
    state, sample = (1.0, -0.5, 0.25, 1.0, -1.0), 0.75
    rests = []
    for k in (2**10, 2**14, 2**18):
        exact = oracle.step(case, state, sample, k)
        rests.append(np.linalg.norm(k * ((exact.high - state) + exact.low) - (A @ state + B * sample)))
    if method == "euler":
        assert max(rests) < 1e-9
    else:
        assert rests[0] > 1e-3
        assert rests[:2] == pytest.approx([16 * rest for rest in rests[1:]], rel=0.05)


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_right_steps_pass_at_every_late_index(method, dtype, oracle):
    for order in (1, 2, 7, 32):
        case = late(method, order=order, dtype=dtype)
        if ODE.why_not(case) is None:
            verdict = ODE.run(case, oracle, model(oracle), QUICK)
            assert verdict.status is Status.PASS, verdict.message
            assert verdict.compared == len(LATE) * (2 if dtype == "float64" else 1)


@pytest.mark.parametrize(
    ("defect", "method"),
    [(d, m) for d in CLOCKS for m in RULES if d.applies(late(m))],
    ids=lambda x: getattr(x, "key", x),
)
def test_only_late_steps_find_a_clock_that_ends(defect, method, oracle):
    case = late(method, order=6)
    target = defect.target(case, oracle)
    assert ODE.run(case, oracle, target, QUICK).status is Status.FAIL
    assert CHECKS["step"].run(case, oracle, target, QUICK).status is Status.PASS


def test_a_rounded_clock_shows_in_float64_only(oracle):
    """In float32 arithmetic a float32 clock is as good as any."""
    rounded = DEFECTS["float32_clock"].alter
    for dtype, status in (("float64", Status.FAIL), ("float32", Status.PASS)):
        assert ODE.run(late(order=4, dtype=dtype), oracle, model(oracle, rounded), QUICK).status is status


def test_the_message_names_the_index(oracle):
    verdict = ODE.run(late(order=4), oracle, DEFECTS["int32_twice"].target(late(order=4), oracle), QUICK)
    assert verdict.details["smallest"]["input"]["index"] == 2**30
    assert "k (step(c, u, k) - c) at k = " in verdict.message


class Bounded:
    """Has a table of steps and says where it ends."""

    def __init__(self, model, end, kind="raised"):
        self.model, self.end, self.kind = model, end, kind

    def step(self, state, sample, k):
        if k >= self.end:
            raise TargetError(self.kind, f"sample {k} is beyond the table")
        return self.model.step(state, sample, k)


@pytest.mark.parametrize(("end", "status"), [(2**31, Status.PASS), (10**6, Status.UNSUPPORTED)])
def test_an_index_that_is_refused_is_no_failure(end, status, oracle):
    target = LiveTarget(lambda asked: Bounded(right_model(asked, oracle), end), bind=True)
    verdict = ODE.run(late(order=3), oracle, target, QUICK)
    assert verdict.status is status
    if status is Status.PASS:
        assert verdict.details["left_out"]["from silence at 2147483648"] == "sample 2147483648 is beyond the table"
    else:
        assert "takes no index from 16777217 on" in verdict.message


def test_a_crash_at_a_late_index_is_an_error(oracle):
    target = LiveTarget(lambda asked: Bounded(right_model(asked, oracle), 0, "crash"), bind=True)
    assert ODE.run(late(order=3), oracle, target, QUICK).status is Status.ERROR


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (make_case("x", "legt", level="step"), "one length, dt"),
        (late("trapezoid"), "reads earlier samples"),
        (late("hold(2)"), "reads earlier samples"),
        (late("zoh", dtype="float32"), "too small a one for float32"),
    ],
)
def test_where_late_steps_say_nothing(case, reason):
    assert reason in ODE.why_not(case)


def test_float32_is_asked_from_silence_only():
    assert {item.state for item in late_transitions(late(order=2, dtype="float32"))} == {(0.0, 0.0)}
    assert len(list(late_transitions(late(order=2)))) == 2 * len(LATE)
