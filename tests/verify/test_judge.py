"""The decision table: every branch of `judge`, on both sides of each limit, and what a check makes of its findings."""

import math
from fractions import Fraction

import numpy as np
import pytest

from verify.bounds import Limits
from verify.cases import make_case
from verify.checks.base import (
    MEANINGFUL,
    QUICK,
    Check,
    Finding,
    Record,
    Undecidable,
    Unoffered,
    judge,
    malformed,
    worst_coefficient,
)
from verify.oracle import PrecisionError
from verify.result import Result, TargetError
from verify.verdict import INTERFACE, Status

INF, NAN = math.inf, math.nan
PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE


HAIR = 2.0**-30
"""Small, and exact beside everything here: what sums lose to rounding is covered by the limits, not by `judge`."""


def above(x):
    return x + HAIR


def below(x):
    return x - HAIR


def decide(error, forward=1.0, backward=8.0, *, truth=0.0, scale=64.0, **options):
    """Judge errors against limits of the same shape; the values are the errors and zeros."""
    error = np.atleast_1d(np.asarray(error, dtype=float))
    limits = Limits(np.asarray(forward, dtype=float), np.asarray(backward, dtype=float), "a theorem")
    given = {"got": error, "expected": np.zeros(error.shape), "where": lambda index: {"what": f"entry {index}"}}
    return judge(error, limits, truth=truth, scale=scale, **{**given, **options})


class TestOneNumber:
    """Forward limit 1, backward limit 8, size 64, so that a forward limit of 1 is meaningful."""

    @pytest.mark.parametrize(
        ("error", "status", "bound"),
        [
            (0.0, PASS, 1.0),
            (0.5, PASS, 1.0),
            (-0.5, PASS, 1.0),
            (1.0, PASS, 1.0),
            (above(1.0), INCONCLUSIVE, 1.0),
            (8.0, INCONCLUSIVE, 1.0),
            (-8.0, INCONCLUSIVE, 1.0),
            (above(8.0), FAIL, 8.0),
            (-above(8.0), FAIL, 8.0),
            (INF, FAIL, 8.0),
            (-INF, FAIL, 8.0),
            (NAN, FAIL, 8.0),
        ],
    )
    def test_between_the_limits_nothing_is_decided(self, error, status, bound):
        found = decide(error)
        assert (found.status, found.bound) == (status, bound)
        assert found.measured == (INF if math.isnan(error) else abs(error))
        assert found.ratio == (found.measured / bound)
        assert found.compared == 1
        assert found.source == "a theorem"
        assert bool(found.message) is (status is not PASS)

    @pytest.mark.parametrize("error", [above(1.0), 8.0])
    def test_the_result_of_a_factorisation_may_use_the_backward_limit(self, error):
        found = decide(error, scale=80.0, normwise=True)
        assert (found.status, found.bound) == (PASS, 8.0)
        assert decide(above(8.0), scale=80.0, normwise=True).status is FAIL
        assert decide(error, scale=below(80.0), normwise=True).status is INCONCLUSIVE, "and must have a meaning itself"

    @pytest.mark.parametrize(
        ("error", "status"), [(0.0, PASS), (1e-300, INCONCLUSIVE), (8.0, INCONCLUSIVE), (above(8.0), FAIL)]
    )
    @pytest.mark.parametrize("scale", [0.0, below(1 / MEANINGFUL)])
    def test_a_limit_as_large_as_the_thing_passes_equality_alone(self, error, status, scale):
        assert decide(error, scale=scale).status is status

    def test_a_limit_is_meaningful_up_to_a_tenth(self):
        assert decide(1.0, scale=10.0).status is PASS
        assert decide(1.0, scale=10.0, truth=0.0, backward=1.0).status is PASS

    @pytest.mark.parametrize(("error", "status"), [(5.0, INCONCLUSIVE), (above(5.0), FAIL)])
    def test_off_by_half_of_its_size_is_wrong_however_wide_the_backward_limit(self, error, status):
        for wide in (5.0, 1e6, INF):
            found = decide(error, backward=wide, scale=10.0)
            assert found.status is status
            assert found.bound == (5.0 if status is FAIL else 1.0)

    def test_but_only_where_accuracy_is_possible(self):
        assert decide(9.0, forward=2.0, backward=1e6, scale=10.0).status is INCONCLUSIVE
        assert decide(9.0, forward=0.0, backward=1e6, scale=INF).status is INCONCLUSIVE, "a size nobody knows"

    def test_an_unknown_size_takes_nothing_away(self):
        assert decide(1.0, scale=INF).status is PASS
        assert decide(9.0, scale=INF).status is FAIL

    @pytest.mark.parametrize("error", [0.0, 5.0, 1e300, INF, NAN])
    def test_where_the_range_may_be_left_nothing_is_decided(self, error):
        found = decide(error, forward=INF, backward=INF)
        assert found.status is (PASS if error == 0 else INCONCLUSIVE)
        if error:
            assert found.message == "entry (0,) may leave the range of the dtype on the way: nothing can be decided"

    def test_limits_of_zero_mean_equality(self):
        assert decide(0.0, forward=0.0, backward=0.0, scale=0.0).status is PASS
        assert decide(5e-324, forward=0.0, backward=0.0, scale=0.0).status is FAIL
        assert decide(5e-324, forward=0.0, backward=0.0, scale=1.0).bound == 0


class TestWhatIsUnknownOfTheTruth:
    @pytest.mark.parametrize(
        ("error", "truth", "status"),
        [
            (0.5, 0.5, PASS),
            (0.5, above(0.5), INCONCLUSIVE),
            (0.0, 1.0, PASS),
            (0.0, above(1.0), INCONCLUSIVE),
            (1.0, 1e-15, INCONCLUSIVE),
            (9.0, 1.0, INCONCLUSIVE),
            (9.0, below(1.0), FAIL),
            (9.0, 8.0, INCONCLUSIVE),
            (9.0, 100.0, INCONCLUSIVE),
            (9.0, INF, INCONCLUSIVE),
            (0.0, INF, INCONCLUSIVE),
            (9.0, NAN, INCONCLUSIVE),
            (0.0, NAN, INCONCLUSIVE),
            (INF, 100.0, FAIL),
            (INF, INF, FAIL),
            (NAN, INF, FAIL),
            (NAN, NAN, FAIL),
        ],
    )
    def test_a_pass_adds_it_and_a_failure_takes_it_away(self, error, truth, status):
        assert decide(error, truth=truth).status is status

    def test_beside_a_limit_without_meaning_an_unknown_truth_is_no_equality(self):
        assert decide(0.0, scale=1.0).status is PASS
        assert decide(0.0, scale=1.0, truth=1e-300).status is INCONCLUSIVE

    def test_a_radius_that_eats_the_difference_is_named(self):
        found = decide(8.5, truth=1.0)
        assert found.message == (
            "entry (0,) is off by 8.5 beside a limit of 1, and the exact value itself is known to 1 only, "
            "wider than the difference: nothing can be decided"
        )
        assert "known to 0.75 only" in decide(0.5, truth=0.75).message

    def test_a_radius_that_changes_nothing_is_not(self):
        """Between the limits whatever the truth is: that the limits lie apart is the reason."""
        assert "known to" not in decide(4.0, truth=1.0).message
        assert "known to" not in decide(4.0, backward=INF, scale=INF, truth=1.0).message


class TestMany:
    def test_the_worst_of_those_that_fail_is_shown(self):
        found = decide([0.5, 10.0, 40.0, 9.0], backward=[8.0, 8.0, 30.0, 1.5], forward=1.0)
        assert found.status is FAIL
        assert (found.measured, found.bound, found.ratio) == (9.0, 1.5, 6.0)
        assert found.message.startswith("entry (3,) is off by 9, and rounding explains at most 1.5")
        assert found.compared == 4

    def test_one_that_is_undecided_leaves_all_undecided_and_is_shown(self):
        found = decide([0.5, 2.0, 1.0, 3.0], forward=[1.0, 1.0, 1.0, 1.0])
        assert found.status is INCONCLUSIVE
        assert (found.measured, found.bound, found.ratio) == (2.0, 1.0, 2.0), "the first of them"

    def test_where_all_pass_the_one_nearest_its_limit_is_shown(self):
        found = decide([0.5, 0.5, 0.25], forward=[1.0, 0.75, 1.0])
        assert found.status is PASS
        assert (found.measured, found.bound, found.ratio) == (0.5, 0.75, 0.5 / 0.75)
        assert found.message == ""

    def test_sizes_and_radii_of_each(self):
        assert decide([0.5, 0.5], scale=[64.0, 64.0], truth=[0.0, 0.0]).status is PASS
        found = decide([0.5, 0.5], scale=[64.0, 1.0])
        assert (found.status, found.worst["got"]) == (INCONCLUSIVE, 0.5)
        assert found.message.startswith("rounding alone may change entry (1,) by 1, too much beside its size 1 to")
        assert decide([0.5, 0.5], truth=[0.0, 0.75]).message.startswith("entry (1,) is off by 0.5 beside")

    def test_the_rule_of_half_the_size_goes_place_by_place(self):
        found = decide([0.0, 6.0], backward=[1e6, 1e6], scale=[64.0, 10.0])
        assert (found.status, found.bound) == (FAIL, 5.0)
        assert decide([6.0, 0.0], backward=[1e6, 1e6], scale=[64.0, 10.0]).status is INCONCLUSIVE

    def test_limits_of_a_last_axis_serve_each_row(self):
        found = decide([[0.5, 2.0], [0.5, 0.5]], forward=[1.0, 4.0], backward=[1.0, 4.0])
        assert (found.status, found.compared) == (PASS, 4)

    def test_limits_and_sizes_that_broadcast(self):
        found = decide(np.full((2, 3), 0.5), forward=1.0, backward=[2.0, 2.0, 2.0], scale=np.full((2, 1), 64.0))
        assert (found.status, found.compared, found.ratio) == (PASS, 6, 0.5)

    def test_a_size_and_a_radius_may_be_any_number(self):
        assert decide(0.5, scale=Fraction(64)).status is PASS
        assert decide(0.5, scale=64, truth=Fraction(1, 4)).status is PASS

    def test_nothing_to_compare_decides_nothing(self):
        with pytest.raises(Undecidable, match=r"^nothing to compare$"):
            decide(np.zeros((0, 3)))


class TestWhatIsSaid:
    def test_a_failure_gives_both_values(self):
        found = decide(9.0, got=np.array([10.0]), expected=np.array([1 / 3]))
        assert found.message == (
            "entry (0,) is off by 9, and rounding explains at most 8: got 10, expected 0.333333333333"
        )
        assert found.worst == {"got": 10.0, "expected": 1 / 3, "what": "entry (0,)"}

    def test_between_the_limits_both_are_named(self):
        assert decide(2.0).message == (
            "entry (0,) is off by 2: more than accurately formed steps lose (1), "
            "less than a backward-stable implementation may lose (8)"
        )

    def test_a_limit_without_meaning_is_named_with_the_way_out(self):
        assert decide(0.5, scale=2.0).message == (
            "rounding alone may change entry (0,) by 1, too much beside its size 2 to decide: "
            "the rule amplifies rounding here; use a higher precision, a lower order or a stable rule"
        )
        assert decide(2.0, scale=2.0).message.startswith("rounding alone may change")
        assert decide(2.0, scale=10.0).message.startswith("entry (0,) is off by 2: more than")

    def test_a_place_without_a_name_is_the_value(self):
        assert decide(9.0, where=lambda _: {"step": 3}).message.startswith("the value is off by 9")
        assert decide(9.0, where=lambda _: {"step": 3}).worst == {"got": 9.0, "expected": 0.0, "step": 3}

    def test_the_place_may_point_into_a_row(self):
        rows, exact = np.array([[1.0, 2.0], [3.0, NAN]]), np.zeros((2, 2))
        found = decide([0.0, 9.0], got=rows, expected=exact, where=lambda i: {"what": f"state {i[0]}", "got": 7.0})
        assert found.worst == {"what": "state 1", "got": 7.0, "expected": [0.0, 0.0]}
        assert found.message.endswith("got 7, expected [0, 0]")

    def test_what_is_not_finite_is_written_as_text(self):
        found = decide([NAN, 0.0], got=np.array([[NAN, -INF, 2.0], [0, 0, 0]]), expected=np.zeros((2, 3)))
        assert found.worst["got"] == ["nan", "-inf", 2.0]
        assert decide(NAN).worst["got"] == "nan"
        assert decide(INF).message.endswith("got inf, expected 0")

    def test_values_are_written_as_floats(self):
        found = decide([9.0], got=np.array([[1, 2]]), expected=np.array([Fraction(1, 2)]))
        assert (found.worst["got"], found.worst["expected"]) == ([1.0, 2.0], 0.5)
        assert [type(x) for x in found.worst["got"]] == [float, float]

    def test_a_long_row_is_cut(self):
        row = np.arange(100.0)[None]
        found = decide([9.0], got=row / 3, expected=row)
        assert found.worst["expected"] == row[0, :64].tolist()
        assert found.message.endswith("got [0, 0.333333, 0.666667, 1, ...], expected [0, 1, 2, 3, ...]")
        short = decide([9.0], got=row[:, :4], expected=row[:, :5])
        assert short.message.endswith("got [0, 1, 2, 3], expected [0, 1, 2, 3, ...]")

    def test_the_coefficient_that_is_most_off_is_weighed(self):
        got, exact, D = np.array([1.0, 2.0, 3.0]), np.array([1.5, 1.0, 3.0]), np.array([8.0, 1.0, 1.0])
        assert worst_coefficient(got, got - exact, exact, D) == {"coefficient": 0, "got": 1.0, "expected": 1.5}
        assert worst_coefficient(got, got - exact, exact, np.ones(3))["coefficient"] == 1
        got[2] = NAN
        assert worst_coefficient(got, got - exact, exact, D) == {"coefficient": 2, "got": "nan", "expected": 3.0}
        got[1] = INF
        assert worst_coefficient(got, got - exact, exact, D)["coefficient"] == 1, "equally wrong: the first"


@pytest.mark.parametrize("normwise", [False, True])
def test_every_judgement_is_the_one_of_exact_arithmetic(normwise):
    """The table written down a second time, in rational numbers, over a grid with all limits and their neighbours."""
    errors = [0, 0.5, 1, above(1), 2, 3, 5, above(5), 9, 40]
    for error in errors:
        for truth in (0, 0.5, 1, 3):
            for forward, backward in ((0, 0), (1, 1), (1, 2), (1, 40), (2, 3)):
                for size in (0, 4, 10, 64):
                    status = decide(error, forward, backward, truth=truth, scale=float(size), normwise=normwise).status
                    expected = _exactly(*map(Fraction, (error, truth, forward, backward, size)), normwise)
                    assert status is expected, (error, truth, forward, backward, size)


def _exactly(error, truth, forward, backward, size, normwise):
    forward = backward if normwise and error + truth > forward else forward
    possible = forward <= Fraction(MEANINGFUL) * size
    if possible:
        backward = min(backward, max(forward, size / 2))
    if error - truth > backward:
        return FAIL
    if error + truth > forward or error > backward:
        return INCONCLUSIVE
    return PASS if possible or error + truth == 0 else INCONCLUSIVE


def finding(status, ratio=1.0, compared=1, **options):
    message = "" if status is PASS else f"{status} at {ratio}"
    values = {"measured": ratio, "bound": 1.0, "worst": {"at": ratio}, "source": "a theorem", **options}
    return Finding(status, ratio=ratio, compared=compared, message=message, **values)


class TestRecord:
    def test_the_worst_of_each_kind_is_kept(self):
        record = Record()
        findings = [finding(PASS, 0.5), finding(INCONCLUSIVE, 2.0), finding(FAIL, 3.0), finding(FAIL, 9.0)]
        findings += [finding(FAIL, 4.0), finding(INCONCLUSIVE, 5.0), finding(INCONCLUSIVE, 1.0), finding(PASS, 0.1)]
        for one in findings:
            record.add(one)
        assert record.findings == 8
        assert record.compared == 8
        assert record.worst.ratio == record.failure.ratio == 9
        assert record.undecided.ratio == 5

    def test_of_equals_the_first_is_kept(self):
        record, first = Record(), [finding(FAIL, 2.0), finding(INCONCLUSIVE, 2.0)]
        for one in first:
            record.add(one)
        for one in (finding(FAIL, 2.0), finding(INCONCLUSIVE, 2.0)):
            record.add(one, 0)
        assert record.worst is record.failure is record.smallest is first[0]
        assert record.undecided is first[1]

    def test_a_pass_is_neither_failure_nor_undecided(self):
        record = Record()
        record.add(finding(PASS, 0.5), 3)
        assert record.worst is not None
        assert record.failure is record.undecided is record.smallest is None

    def test_the_smallest_failing_input_is_kept(self):
        record = Record()
        for ratio, size in ((3.0, 7), (2.0, 4), (9.0, 5), (8.0, 4)):
            record.add(finding(FAIL, ratio), size)
        record.add(finding(INCONCLUSIVE, 1.5), 1)
        assert (record.smallest.ratio, record.size) == (2.0, 4)
        assert record.failure.ratio == 9.0

    def test_the_input_with_the_largest_finite_ratio_is_named(self):
        record = Record()
        record.add(finding(PASS, 0.0))
        assert "largest_ratio" not in record.details, "an exact answer has none"
        pair = {"first": {"name": "chirp"}, "second": {"name": "steps"}, "factor": 2.0}
        for ratio, given, value, name in (
            (0.25, {"name": "ramp"}, 0.25, "ramp"),
            (0.125, {"name": "late"}, 0.25, "ramp"),
            (0.25, {"name": "late"}, 0.25, "ramp"),
            (INF, {"name": "late"}, 0.25, "ramp"),
            (0.5, pair, 0.5, "chirp + steps"),
            (1.5, None, 1.5, ""),
            (2.0, {"seed": 3}, 2.0, ""),
        ):
            record.add(finding(PASS, ratio, worst={"input": given}))
            assert record.details == {"largest_ratio": {"value": value, "input": name}}
        record.add(finding(PASS, 3.0, worst={}))
        assert record.details["largest_ratio"] == {"value": 3.0, "input": ""}

    def test_numbers_add_up(self):
        record = Record()
        record.add(finding(PASS, compared=5))
        record.add(finding(PASS, compared=7))
        assert (record.findings, record.compared) == (2, 12)


class Scripted(Check):
    """A check that does as it is told."""

    key = "scripted"
    claim = "a claim"
    levels = ("scan",)

    def __init__(self, *findings, then=None, details=None):
        self.findings, self.then, self.details = findings, then, details or {}

    def examine(self, case, oracle, target, suite, record):
        assert (case, oracle, target, suite) == (CASE, "oracle", "target", QUICK)
        record.details.update(self.details)
        for size, one in enumerate(self.findings):
            record.add(one, 10 - size)
        if self.then:
            raise self.then

    def mutants(self, case):
        return ()


CASE = make_case("t", order=3)


def verdict(*findings, **options):
    found = Scripted(*findings, **options).run(CASE, "oracle", "target", QUICK)
    assert (found.check, found.claim, found.case) == ("scripted", "a claim", CASE)
    return found


class TestVerdictOfACheck:
    def test_all_passed(self):
        found = verdict(finding(PASS, 0.25), finding(PASS, 0.5, compared=4), details={"slope": 2})
        assert (found.status, found.measured, found.bound, found.bound_source) == (PASS, 0.5, 1.0, "a theorem")
        assert (found.compared, found.worst, found.message) == (5, {"at": 0.5}, "")
        assert {"slope": 2, "inputs": 2}.items() <= found.details.items()
        assert "smallest" not in found.details

    def test_one_undecided_leaves_all_undecided(self):
        found = verdict(finding(PASS, 9.0), finding(INCONCLUSIVE, 2.0), finding(PASS, 0.5))
        assert (found.status, found.measured, found.message) == (INCONCLUSIVE, 2.0, "INCONCLUSIVE at 2.0")
        assert "smallest" not in found.details

    def test_one_failure_decides(self):
        found = verdict(finding(INCONCLUSIVE, 99.0), finding(FAIL, 7.0), finding(FAIL, 3.0), finding(PASS, 0.5))
        assert (found.status, found.measured, found.worst) == (FAIL, 7.0, {"at": 7.0})
        assert found.compared == 4
        assert (found.details["inputs"], found.details["smallest"]) == (4, {"at": 3.0})

    def test_nothing_tried_decides_nothing(self):
        found = verdict()
        assert (found.status, found.message, found.compared) == (INCONCLUSIVE, "no input was tried", 0)

    @pytest.mark.parametrize(
        ("reason", "message"),
        [
            (Undecidable("no room"), "no room"),
            (PrecisionError("5 digits"), "the exact answer is not known well enough: 5 digits"),
        ],
    )
    def test_a_check_that_stopped_passes_nothing_but_keeps_its_failure(self, reason, message):
        for findings in ((), (finding(PASS, 0.5),), (finding(INCONCLUSIVE, 2.0),)):
            found = verdict(*findings, then=reason)
            assert (found.status, found.message, found.measured) == (INCONCLUSIVE, message, None)
        assert verdict(finding(FAIL, 7.0), then=reason).status is FAIL

    def test_a_target_that_cannot_answer_is_an_error_unless_it_was_wrong_before(self):
        crash = TargetError("raised", "it crashed", {"trace": "line 3"})
        for findings in ((), (finding(PASS, 0.5),), (finding(INCONCLUSIVE, 2.0),)):
            found = verdict(*findings, then=crash)
            assert (found.status, found.message) == (Status.ERROR, "it crashed")
            assert found.worst == {"kind": "raised", "trace": "line 3"}
        assert verdict(finding(FAIL, 7.0), then=crash).status is FAIL

    def test_more_than_the_case_asks_for_is_unsupported_unless_something_was_found(self):
        found = verdict(then=Unoffered("it has no window of 2"))
        assert (found.status, found.message) == (Status.UNSUPPORTED, "it has no window of 2")
        assert verdict(finding(PASS, 0.5), then=Unoffered("no")).status is PASS
        assert verdict(finding(FAIL, 7.0), then=Unoffered("no")).status is FAIL

    @pytest.mark.parametrize("error", [ZeroDivisionError("no"), ValueError("no"), KeyError("no"), TypeError("no")])
    def test_an_error_of_ours_decides_nothing_and_says_so(self, error):
        found = verdict(finding(PASS, 0.5), then=error)
        assert found.status is INCONCLUSIVE
        told = f"the check itself broke and decides nothing, please report it: {type(error).__name__}: "
        assert found.message.startswith(told)
        assert verdict(finding(FAIL, 7.0), then=error).status is FAIL
        with pytest.raises(KeyboardInterrupt):
            verdict(then=KeyboardInterrupt())

    def test_a_factorisation_that_is_accurate_entry_by_entry_needs_no_wide_limit(self):
        """The wide limit alone would decide nothing: 40 beside a size of 100."""
        assert decide(1, 1, 40, scale=100.0, normwise=True).status is PASS
        assert decide(2, 1, 40, scale=100.0, normwise=True).status is INCONCLUSIVE


class TestMalformed:
    def test_the_right_form_says_nothing(self):
        assert malformed(Result({"A": np.zeros((2, 3))}, "float64"), "A", (2, 3), {}) is None

    def test_another_shape_is_a_failure_of_the_interface(self):
        found = malformed(Result({"A": np.zeros((3, 2))}, "float64"), "A", (2, 3), {"order": 2})
        assert (found.status, found.measured, found.bound, found.ratio, found.compared) == (FAIL, INF, 0.0, INF, 1)
        assert found.message == "A has shape (3, 2), expected (2, 3)"
        assert found.worst == {"order": 2, "what": "A", "expected": [2, 3]}
        assert found.source == INTERFACE

    def test_what_the_door_refused_is_said_as_it_said_it(self):
        found = malformed(Result({}, "float64", malformed="not an array"), "A", (2,), {})
        assert (found.status, found.message) == (FAIL, "not an array")
