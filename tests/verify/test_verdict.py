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


@pytest.mark.parametrize(
    ("measured", "bound", "ratio"),
    [
        (0.0, 0.0, 0.0),
        (1.0, 0.0, None),
        (1.0, 1.0, 1.0),
        (1.0, 4.0, 0.25),
        (None, 4.0, None),
        (4.0, None, None),
        (math.inf, 4.0, None),
        (math.nan, 4.0, None),
        (4.0, math.inf, None),
    ],
)
def test_ratio_is_a_finite_number_or_none(measured, bound, ratio):
    found = verdict(status=Status.FAIL, measured=measured, bound=bound, message="m")
    assert found.ratio == ratio
    assert found.to_json()["ratio"] == ratio


@pytest.mark.parametrize("status", [Status.PASS, Status.UNEXPECTED_PASS])
def test_a_pass_may_reach_its_bound_and_needs_no_words(status):
    assert verdict(status=status, measured=1.0, bound=1.0, compared=1).message == ""
    assert verdict(status=status, measured=0.0, bound=0.0, compared=1).ratio == 0


def test_a_refusal_says_what_is_missing():
    with pytest.raises(ValueError, match=r"^check 'scan' passed with nothing compared: say INCONCLUSIVE instead$"):
        verdict(compared=-1)
    with pytest.raises(ValueError, match=r"^check 'scan' ended FAIL without a message$"):
        verdict(status=Status.FAIL)


def test_another_status_keeps_the_finding():
    found = verdict(status=Status.FAIL, message="off by 2", details={"seed": 3}, seconds=1.5)
    known = found.with_status(Status.EXPECTED_FAIL, "issue 7: off by 2")
    assert (known.status, known.message) == (Status.EXPECTED_FAIL, "issue 7: off by 2")
    assert (known.measured, known.bound, known.compared, known.details) == (0.5, 1.0, 3, {"seed": 3})
    assert known.seconds == 1.5


def test_a_record_holds_every_field_under_its_name():
    found = verdict(worst={"step": 3}, details={"seed": 7}, seconds=1.23456789)
    assert found.to_json() == {
        "check": "scan",
        "claim": "a claim",
        "status": "PASS",
        "measured": 0.5,
        "bound": 1.0,
        "ratio": 0.5,
        "bound_source": "a theorem",
        "compared": 3,
        "case": {"id": CASE.id, **CASE.to_json()},
        "worst": {"step": 3},
        "message": "",
        "details": {"seed": 7},
        "seconds": 1.234568,
    }
    assert verdict().to_json()["worst"] is None
    assert type(found.to_json()["status"]) is str


def test_what_is_not_written_is_explained():
    nothing = verdict(status=Status.ERROR, measured=None, bound=None, compared=0, message="it crashed")
    assert nothing.to_json()["message"] == "it crashed"
    assert (nothing.to_json()["measured"], nothing.to_json()["bound"]) == (None, None)
    infinite = verdict(status=Status.FAIL, measured=math.inf, bound=math.inf, message="off")
    assert infinite.to_json()["message"] == ("off (measured is inf, written as null) (bound is inf, written as null)")
    assert verdict(status=Status.FAIL, measured=math.nan, message="off").to_json()["message"] == (
        "off (measured is nan, written as null)"
    )


def test_a_record_of_a_store_comes_back():
    found = verdict(status=Status.INCONCLUSIVE, message="m", worst={"step": 3}, details={"seed": 7}, seconds=0.25)
    record = {"schema": "hippo-verify/1", "kind": "verdict", **json.loads(json.dumps(found.to_json()))}
    again = Verdict.from_json(record)
    assert again == found
    assert (again.case, again.status, again.worst, again.details) == (
        CASE,
        Status.INCONCLUSIVE,
        {"step": 3},
        {"seed": 7},
    )
    assert again.seconds == 0.25
    assert record["kind"] == "verdict", "the record itself is left alone"


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


def test_numbers_that_json_does_not_have_are_written_as_text():
    """The distances of a scan that overflows: a record of a campaign must hold them."""
    details = {"errors": [math.inf, 1.5, -math.inf], "smallest": {"got": math.nan, "pair": (1, math.inf)}}
    one = verdict(status=Status.FAIL, message="off", worst={"got": math.inf}, details=details)
    record = json.loads(json.dumps(one.to_json(), allow_nan=False))
    assert record["details"] == {"errors": ["inf", 1.5, "-inf"], "smallest": {"got": "nan", "pair": [1, "inf"]}}
    assert record["worst"] == {"got": "inf"}
