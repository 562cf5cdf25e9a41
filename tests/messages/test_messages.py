"""Every message of wrong usage says what it is about, what was given and what is accepted."""

import math

import numpy as np
import pytest

import verify
from verify.campaign import plan
from verify.cases import UsageError, make_case
from verify.checks import SUITES
from verify.identification import identify
from verify.parametrize import parametrize_with_checks
from verify.result import TargetError


def legs(order):
    n = np.arange(order)
    r = np.sqrt(2.0 * n + 1)
    return -np.tril(np.outer(r, r), -1) - np.diag(n + 1.0), r


class ReadOut:
    def reconstruct(self, state, points):
        return np.zeros(len(points))


MEASURES = "legs, legt, lmu, lagt, fout, legs_lti, chebt, gegenbauer, jacobi"
WINDOWS = "legt, lmu, fout, chebt, gegenbauer, jacobi"
NAMED = "bilinear, backward_euler, euler, zoh, trapezoid, foh"
METHODS = f"{NAMED}, gbt(a) with a from 0 to 1, hold(d) with d = 0, 1, 2 or 3"
WEIGHTS = "gbt(a), a decimal or a ratio from 0 to 1, such as gbt(1/3)"
DEGREES = "hold(d) with d = 0, 1, 2 or 3"
LEVELS = "matrices, step, scan, reconstruct, gradient, timed_scan, batch_scan, resume, factors"
POSITIVE = "accepted: a number above 0"
NUMBER = "accepted: a number, such as 0.5 or 1/3"

CASES = [
    ({"measure": "LegS"}, f"measure is 'LegS'; accepted: {MEASURES}"),
    ({"measure": None}, f"measure is None; accepted: {MEASURES}"),
    ({"method": "tustin"}, f"method is 'tustin'; accepted: {METHODS}"),
    ({"level": "matrix"}, f"level is 'matrix'; accepted: {LEVELS}"),
    ({"dtype": "float16"}, "dtype is 'float16'; accepted: float64, float32"),
    ({"order": 0}, "order is 0; accepted: an integer from 1 to 4096"),
    ({"order": -3}, "order is -3; accepted: an integer from 1 to 4096"),
    ({"order": 4.0}, "order is 4.0; accepted: an integer from 1 to 4096"),
    ({"order": True}, "order is True; accepted: an integer from 1 to 4096"),
    ({"order": "4"}, "order is '4'; accepted: an integer from 1 to 4096"),
    ({"method": None}, f"method is None; accepted: {METHODS}"),
    ({"method": ["zoh"]}, f"method is ['zoh']; accepted: {METHODS}"),
    ({"method": "gbt"}, f"method is 'gbt'; accepted: {METHODS}"),
    ({"method": "rk(4)"}, f"method is 'rk(4)'; accepted: {METHODS}"),
    *(
        ({"method": f"gbt({a})"}, f"method is 'gbt({a})'; accepted: {WEIGHTS}")
        for a in ("", "half", "-1/3", "3/2", "1.5", "1/0", "1e-3", "nan", "1/3/5", "9" * 50)
    ),
    *(({"method": f"hold({d})"}, f"method is 'hold({d})'; accepted: {DEGREES}") for d in ("", "4", "-1", "1.0", "two")),
    ({"theta": 2}, f"theta is 2, but legs has no theta; measures with it: {WINDOWS}"),
    ({"measure": "lagt", "theta": "1/2"}, f"theta is 1/2, but lagt has no theta; measures with it: {WINDOWS}"),
    ({"alpha": 0.5}, "alpha is 0.5, but legs has no alpha; measures with it: lagt, gegenbauer, jacobi"),
    (
        {"measure": "chebt", "alpha": 0.5},
        "alpha is 0.5, but chebt has no alpha; measures with it: lagt, gegenbauer, jacobi",
    ),
    ({"measure": "legt", "beta": 2}, "beta is 2, but legt has no beta; measures with it: lagt, jacobi"),
    ({"measure": "gegenbauer", "beta": 2}, "beta is 2, but gegenbauer has no beta; measures with it: lagt, jacobi"),
    ({"theta": "wide"}, f"theta is 'wide'; {NUMBER}"),
    ({"measure": "legt", "theta": "wide"}, f"theta is 'wide'; {NUMBER}"),
    ({"measure": "legt", "theta": "1/0"}, f"theta is '1/0'; {NUMBER}"),
    ({"measure": "legt", "theta": math.nan}, f"theta is nan; {NUMBER}"),
    ({"measure": "legt", "theta": math.inf}, f"theta is inf; {NUMBER}"),
    ({"measure": "legt", "theta": [1]}, f"theta is [1]; {NUMBER}"),
    ({"measure": "legt", "theta": 0}, f"theta is 0; {POSITIVE}"),
    ({"measure": "fout", "theta": -1.5}, f"theta is -1.5; {POSITIVE}"),
    ({"measure": "lagt", "beta": 0}, f"beta is 0; {POSITIVE}"),
    ({"measure": "lagt", "alpha": 1}, "alpha is 1; accepted: a number between -1 and 1"),
    ({"measure": "lagt", "alpha": "-1"}, "alpha is -1; accepted: a number between -1 and 1"),
    ({"measure": "lagt", "alpha": "0." + "9" * 20}, f"alpha is 0.{'9' * 20}; accepted: a number between -1 and 1"),
    ({"measure": "gegenbauer", "alpha": -0.5}, "alpha is -0.5; accepted: a number above -1/2"),
    ({"measure": "gegenbauer", "alpha": "-1e400"}, "alpha is -1e400; accepted: a number above -1/2"),
    ({"measure": "jacobi", "alpha": -1}, "alpha is -1; accepted: a number above -1"),
    ({"measure": "jacobi", "beta": "-1.5"}, "beta is -1.5; accepted: a number above -1"),
    ({"measure": "jacobi", "beta": "1e400"}, "beta is 1e400; accepted: a number above -1, at most 1e30"),
    ({"measure": "jacobi", "theta": 0}, f"theta is 0; {POSITIVE}"),
    ({"dt": 0.1}, "dt is 0.1, but legs has no time step: its update depends on the sample's index alone"),
    ({"measure": "legt", "dt": 0}, f"dt is 0.0; {POSITIVE}"),
    ({"measure": "legs_lti", "dt": -1}, f"dt is -1.0; {POSITIVE}"),
    ({"measure": "legt", "dt": math.nan}, f"dt is nan; {POSITIVE}"),
    ({"measure": "legt", "dt": math.inf}, f"dt is inf; {POSITIVE}"),
    ({"measure": "legt", "dt": "soon"}, f"dt is 'soon'; {POSITIVE}"),
    ({"measure": "legt", "dt": [0.1]}, f"dt is [0.1]; {POSITIVE}"),
]


def named(rows):
    return {"argvalues": rows, "ids": [", ".join(f"{k}={v}" for k, v in row[0].items()) for row in rows]}


def literally(text):
    """The whole message, word for word."""
    return "^" + "".join(c if c.isalnum() or c == " " else f"\\{c}" for c in text) + "$"


@pytest.mark.parametrize(("arguments", "message"), **named(CASES))
def test_a_case_that_makes_no_sense(arguments, message):
    with pytest.raises(UsageError, match=literally(message)):
        make_case("mine", **arguments)


@pytest.mark.parametrize(("arguments", "message"), **named([row for row in CASES if "order" not in row[0]]))
def test_check_says_the_same(arguments, message):
    with pytest.raises(ValueError, match=literally(message)):
        verify.check(legs, orders=(4,), **arguments)


def test_a_parameter_beyond_floating_point_is_refused():
    for name, measure in (("theta", "legt"), ("beta", "lagt")):
        for value in ("1e400", "1e-400"):
            with pytest.raises(UsageError, match=rf"^{name} is {value}; accepted: "):
                make_case("mine", measure, **{name: value})


CHECKS = [
    ({"suite": "huge"}, "suite is 'huge'; accepted: quick, full"),
    ({"convention": "any"}, "convention is 'any'; accepted: exact, auto"),
    ({"accuracy": "none"}, "accuracy is 'none'; accepted: entrywise, normwise"),
    ({"orders": ()}, "orders is empty; give at least one, such as 4,8,16"),
    ({"orders": (4, 0)}, "order is 0; accepted: an integer from 1 to 4096"),
    (
        {"target_arg": {"gain": 2}},
        "target_arg is for targets named by a string; bind keywords of a live one with functools.partial",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), **named(CHECKS))
def test_check_refuses_what_it_does_not_know(arguments, message):
    with pytest.raises(UsageError, match=literally(message)):
        verify.check(legs, **arguments)


def test_check_names_the_checks_there_are():
    with pytest.raises(UsageError, match=r"^check is 'matrix'; accepted: matrices, ode, .*step, scan, "):
        verify.check(legs, checks=["matrices", "matrix"])


def test_check_refuses_a_missing_file_of_expected_failures(tmp_path):
    with pytest.raises(ValueError, match=r"^expected failures: cannot read .*gone\.toml: No such file or directory$"):
        verify.check(legs, orders=(4,), expected=tmp_path / "gone.toml")


@pytest.mark.parametrize(("name", "value"), [("timeout", 0), ("timeout", -1.0), ("memory_limit", 0)])
def test_check_refuses_limits_that_allow_nothing(name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be positive, got {value}$"):
        verify.check("nonesuch.py:f", orders=(4,), **{name: value})


PLANS = [
    (
        {"targets": ["nonesuch"]},
        r"^target 'nonesuch' is no adapter; a campaign runs adapters \(hippo-fast-numpy, .*\): ",
    ),
    ({"measures": ["lags"]}, rf"^measure is 'lags'; accepted: {MEASURES} \(did you mean legs\?\)$"),
    ({"measures": ["legs", "lags"]}, rf"^measure is 'lags'; accepted: {MEASURES} \(did you mean legs\?\)$"),
    ({"methods": ["tustin"]}, literally(f"method is 'tustin'; accepted: {METHODS}")),
    ({"dtypes": ["float16"]}, r"^dtype is 'float16'; accepted: float64, float32 \(did you mean float64\?\)$"),
    ({"devices": ["tpu"]}, r"^device is 'tpu'; accepted: cpu, cuda \(did you mean cpu\?\)$"),
    ({"checks": ["matrix"]}, r"^check is 'matrix'; accepted: matrices, .* \(did you mean matrices\?\)$"),
    ({"orders": [0]}, r"^order is 0; accepted: an integer from 1 to 4096$"),
]


@pytest.mark.parametrize(("arguments", "message"), **named(PLANS))
def test_a_plan_of_what_there_is_not(arguments, message):
    given = {"targets": ["hippo-fast-numpy"], "orders": [4], **arguments}
    with pytest.raises(UsageError, match=message):
        plan(given.pop("targets"), suite=SUITES["quick"], **given)


IDENTIFY = [
    ({"level": "gradient"}, "level is 'gradient'; accepted: matrices, step, scan"),
    ({"method": "tustin"}, f"method is 'tustin'; accepted: {METHODS}"),
    ({"dt": 0}, f"dt is 0; {POSITIVE}"),
    ({"dt": math.nan}, f"dt is nan; {POSITIVE}"),
    ({"dt": math.inf}, f"dt is inf; {POSITIVE}"),
]


@pytest.mark.parametrize(("arguments", "message"), **named(IDENTIFY))
def test_identify_refuses_what_it_does_not_know(arguments, message):
    with pytest.raises(UsageError, match=literally(message)):
        identify(legs, **arguments)


def test_identify_says_which_levels_it_reads():
    message = "it offers reconstruct; identification needs one of matrices, step, scan"
    with pytest.raises(TargetError, match=literally(message)):
        identify(ReadOut())


def test_identify_says_what_a_target_is():
    with pytest.raises(TargetError, match=r"^int object is neither callable nor has a method named after a level \("):
        identify(3)


PARAMETRIZE = [
    ({"targets": []}, "targets is empty; give at least one callable or object"),
    ({"orders": []}, "orders is empty; give at least one, such as 4,8,16"),
    ({"measure": "lags"}, f"measure is 'lags'; accepted: {MEASURES}"),
    ({"method": "tustin"}, f"method is 'tustin'; accepted: {METHODS}"),
    ({"level": "matrix"}, f"level is 'matrix'; accepted: {LEVELS}"),
    ({"orders": [0]}, "order is 0; accepted: an integer from 1 to 4096"),
    ({"theta": 2}, f"theta is 2, but legs has no theta; measures with it: {WINDOWS}"),
]


@pytest.mark.parametrize(("arguments", "message"), **named(PARAMETRIZE))
def test_the_decorator_refuses_at_once(arguments, message):
    given = {"targets": [legs], **arguments}
    with pytest.raises(UsageError, match=literally(message)):
        parametrize_with_checks(given.pop("targets"), **given)


def test_the_decorator_names_a_target_that_is_none():
    with pytest.raises(UsageError, match=r"^target 3: int object is neither callable nor has a method named after a"):
        parametrize_with_checks([3])


def test_the_decorator_names_an_option_that_is_none():
    with pytest.raises(TypeError, match="unexpected keyword argument 'thetas'"):
        parametrize_with_checks([legs], thetas=2)


def test_a_name_that_is_not_there_says_what_is():
    with pytest.raises(AttributeError, match=r"^module 'verify' has no attribute 'chek'; it has Report, UsageError, "):
        _ = verify.chek


def test_what_the_package_promises_is_there():
    for name in ("check", "identify", "Report", "UsageError", "parametrize_with_checks"):
        assert callable(getattr(verify, name))
        assert name in dir(verify)


def test_wrong_usage_is_a_value_error():
    assert issubclass(UsageError, ValueError)
