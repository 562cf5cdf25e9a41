"""A verdict refuses to pass on nothing, and writes finite numbers or null with the reason."""

import json
import math

import pytest

from verify.campaign import overall
from verify.cases import make_case
from verify.inputs import ReadOut, Signal, Transition
from verify.verdict import Status, Verdict

CASE = make_case("t")
GOOD = {"measured": 0.5, "bound": 1.0, "bound_source": "a theorem", "compared": 3}


def verdict(**changes):
    values = {**GOOD, **changes}
    status = values.pop("status", Status.PASS)
    return Verdict("scan", "a claim", CASE, status, **values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"compared": 0}, "passed with nothing compared"),
        ({"bound": None}, "a pass needs a finite bound"),
        ({"bound": math.inf}, "a pass needs a finite bound"),
        ({"measured": None}, "above its bound"),
        ({"measured": 2.0}, "above its bound"),
        ({"measured": math.nan}, "above its bound"),
        ({"bound_source": ""}, "bound of unknown source"),
        ({"status": Status.UNEXPECTED_PASS, "compared": 0}, "passed with nothing compared"),
        ({"status": Status.FAIL, "message": ""}, "without a message"),
        ({"status": Status.ERROR}, "without a message"),
    ],
)
def test_it_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        verdict(**changes)


def test_json_is_finite_and_comes_back():
    one = verdict(status=Status.FAIL, measured=math.inf, bound=0.0, message="B has shape (3,), expected (4,)")
    record = json.loads(json.dumps(one.to_json(), allow_nan=False))
    assert record["measured"] is None
    assert "written as null" in record["message"]
    again = Verdict.from_json(verdict().to_json())
    assert again == verdict()
    assert again.ratio == 0.5


@pytest.mark.parametrize(("measured", "bound", "ratio"), [(0.0, 0.0, 0.0), (1.0, 0.0, None), (1.0, 4.0, 0.25)])
def test_ratio_at_zero(measured, bound, ratio):
    status = Status.PASS if measured <= bound else Status.FAIL
    assert verdict(status=status, measured=measured, bound=bound, message="m").ratio == ratio


@pytest.mark.parametrize(
    ("counts", "word"),
    [
        ({"PASS": 3}, "pass"),
        ({"PASS": 3, "INCONCLUSIVE": 1}, "inconclusive"),
        ({"PASS": 3, "INCONCLUSIVE": 1, "ERROR": 1}, "error"),
        ({"PASS": 3, "ERROR": 1, "FAIL": 1}, "fail"),
        ({"PASS": 3, "UNEXPECTED_PASS": 1}, "fail"),
        ({"EXPECTED_FAIL": 1}, "pass"),
        ({"UNSUPPORTED": 5}, "empty"),
        ({}, "empty"),
    ],
)
def test_one_word_for_many(counts, word):
    assert overall(counts) == word


def test_cases_and_inputs_have_stable_names():
    """These names are in stores and reports: they may not change by themselves."""
    assert CASE.id == make_case("t").id
    assert CASE.id != make_case("t", order=5).id
    assert type(CASE).from_json(CASE.to_json()) == CASE
    assert Signal((1.0, -0.0)).id != Signal((1.0, 0.0)).id
    assert Signal((0.1,)).to_json()["samples"] == ["0x1.999999999999ap-4"]
    assert Transition((1.0,), 0.5, 2).id != Transition((1.0,), 0.5, 3).id
    assert ReadOut((1.0,), (0.5,)).to_json()["points"] == ["0x1.0000000000000p-1"]
