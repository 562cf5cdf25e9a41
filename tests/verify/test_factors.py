"""Factors with and without V, all modes or half: right ones pass whatever is free in them, wrong ones are named."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest

import verify
from verify.alignment import Operator, aligned
from verify.arrays import NotNumbers
from verify.bounds.structure import FactorLimits, Identity, MomentLimits
from verify.candidates import decompose, halved, right_model
from verify.cases import make_case
from verify.checks import CHECKS, QUICK
from verify.checks.factors import Truth, _moments, _sums, self_conjugate
from verify.defects import DEFECTS
from verify.defects.factors import FACTORS
from verify.defects.modes import MODES
from verify.factored import Factors, counts, fitting, read, shaped
from verify.folders import cache_folder
from verify.modes import census
from verify.oracle import Oracle
from verify.result import LiveTarget, TargetError
from verify.variants.factors import FACTORS as VARIANTS
from verify.verdict import Status

CHECK = CHECKS["factors"]
MEASURES = ("legs", "legt", "lagt", "fout")


@pytest.fixture(scope="module")
def oracle():
    return Oracle(cache_folder())


def case_of(measure="legs", order=8, **given):
    return make_case("x", measure, order=order, level="factors", **given)


def exact(order, measure="legs", oracle=None, **given):
    return right_model(case_of(measure, order, **given), oracle or Oracle(cache_folder())).factors(order)


def run(case, oracle, alter):
    return CHECK.run(case, oracle, LiveTarget(lambda asked: alter(right_model(asked, oracle)), bind=True), QUICK)


class Free:
    """Right factors with everything drawn that is free: phases, order, which of a pair, signs and turns of P, no V."""

    def __init__(self, model, draw):
        self.model, self.draw = model, draw

    def factors(self, order):
        parts = self.model.factors(order)
        half = self.draw.random() < 0.5
        Lambda, P, B, V = halved(self.model.case.measure, parts) if half else parts
        count, alone = len(Lambda), 2 * len(Lambda) - order if half else order
        other = (self.draw.random(count) < 0.5) & (np.arange(count) >= alone)
        Lambda, B, V = (np.where(other, part.conj(), part) for part in (Lambda, B, V))
        P = np.where(other[:, None], P.conj(), P)
        phase = np.exp(2j * np.pi * self.draw.random(count)).astype(Lambda.dtype)
        turn = np.linalg.qr(self.draw.normal(size=(P.shape[1], P.shape[1])))[0].astype(P.real.dtype)
        place = self.draw.permutation(count)
        Lambda, P, B, V = Lambda[place], (P @ turn * phase[:, None])[place], (B * phase)[place], (V / phase)[:, place]
        form = self.draw.integers(5)
        if form == 0:
            return Lambda, P, B, V
        if form == 1:
            return {"Lambda": Lambda, "P": 2 * P, "Q": P / 2, "B": B[:, None]}
        if form == 2:
            return Lambda, P.T, B  # S4 has a row for each rank
        return (Lambda, P, B) if form == 3 else SimpleNamespace(Lambda=Lambda, P=P, B=B, V=V)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("measure", MEASURES)
def test_right_factors_pass_whatever_is_free_in_them_at_every_order(measure, dtype, oracle):
    """Each case is judged at its neighbours too: orders 1 to 65 of LegS."""
    for order in range(2, 65, 3) if (measure, dtype) == ("legs", "float64") else (2, 5, 8, 16, 64):
        verdict = run(case_of(measure, order, dtype=dtype), oracle, lambda m: Free(m, np.random.default_rng(order)))  # noqa: B023
        assert verdict.status is Status.PASS, (order, verdict.message)
        assert verdict.compared >= 4


def _by_eig(A, B, P):
    """The general eigenvalue solver on the normal part."""
    Lambda, V = np.linalg.eig((A + P @ P.T).astype(complex))
    return Lambda, V.conj().T @ P, V.conj().T @ B, V


@pytest.mark.parametrize("measure", ["legs", "legt", "lagt"])
def test_the_general_eigenvalue_solver_is_right_for_a_normal_matrix(measure, oracle):
    for order in (4, 7, 16):
        verdict = run(case_of(measure, order), oracle, lambda m: replace(m, decompose=_by_eig))
        assert verdict.status is Status.PASS, verdict.message


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.key)
def test_variants_pass_where_the_kill_matrix_does_not_look(variant, oracle):
    for measure, order in (("legt", 4), ("legs", 16), ("fout", 2), ("fout", 7), ("lagt", 16)):
        verdict = CHECK.run(case_of(measure, order), oracle, variant.target(oracle), QUICK)
        assert verdict.status is Status.PASS, (measure, order, verdict.message)


@pytest.mark.parametrize("measure", MEASURES)
def test_no_small_change_passes(measure, oracle):
    """Of one entry, in modulus or in phase, without V: a part in a thousand fails, a part in a million never passes."""
    draw = np.random.default_rng(3)
    for order in (3, 6, 17):
        case = case_of(measure, order)
        for size, allowed in ((1e-3, {Status.FAIL}), (1e-6, {Status.FAIL, Status.INCONCLUSIVE})):
            for name in ("Lambda", "P", "B"):
                for factor in (1 + size, np.exp(1j * size)):
                    Lambda, P, B, _ = (np.array(part) for part in exact(order, measure, oracle))
                    P, B = P * 1j, B * 1j  # what is free changes nothing
                    parts = {"Lambda": Lambda, "P": P, "B": B}
                    driven = np.flatnonzero(np.abs(B) > 1e-3)  # FouT's lone cosine is the state's own coordinate
                    place = draw.choice(driven)
                    if name == "Lambda":
                        parts[name][place] += size * 1j * abs(factor) * max(np.abs(Lambda).max(), 1) / order
                    else:
                        parts[name][place] *= factor
                    answer = parts
                    alone = LiveTarget(lambda n, answer=answer, order=order: _only(n, order, answer), "factors")
                    verdict = CHECK.run(case, oracle, alone, QUICK)
                    assert verdict.status in allowed, (order, size, name, factor, verdict.message)


def _only(asked, order, answer):
    if asked != order:
        raise TargetError("raised", f"order {asked} is not made")
    return answer


@pytest.mark.parametrize("defect", [*FACTORS[:12], *MODES], ids=lambda defect: defect.key)
def test_defects_die_in_the_check_of_factors_alone_and_are_named_first(defect, oracle):
    case = next(c for m in MEASURES if defect.applies(c := case_of(m, defect.order)))
    target = defect.target(case, oracle)
    for key, check in CHECKS.items():
        if case.level in check.levels and check.why_not(case) is None:
            status = check.run(case, oracle, target, QUICK).status
            assert status is (Status.FAIL if key == "factors" else Status.PASS), key
    wrong = defect.alter(right_model(case, oracle))
    report = verify.check(wrong.factors, case.measure, "factors", orders=(defect.order,), oracle=oracle)
    assert report.diagnosis[0].defect == defect.key, report.diagnosis


def legs_half(order):
    return halved("legs", exact(order))[:3]


def without(place):
    def factors(order):
        Lambda, P, B = legs_half(order)
        kept = np.delete(np.argsort(np.abs(Lambda.imag)), place)
        return Lambda[kept], P[kept], B[kept]

    return factors


def replaced(place, by, conjugated=False):
    def factors(order):
        rows = np.argsort(np.abs(legs_half(order)[0].imag))
        rows[place] = rows[by]
        parts = [part[rows] for part in legs_half(order)]
        for part in parts if conjugated else ():
            part[place] = part[place].conj()
        return tuple(parts)

    return factors


def clipped(low, high):
    def factors(order):
        Lambda, P, B, _ = exact(order)
        phase = np.exp(1j * np.arange(order))
        P, B = P * phase[:, None], B * phase
        return Lambda, P, B.real + 1j * np.clip(B.imag, low, high)

    return factors


def diagonalised(order):
    """What S4 warns of: eigenvectors of A itself."""
    s = np.sqrt(2.0 * np.arange(order) + 1)
    A = -np.tril(np.outer(s, s), -1) - np.diag(np.arange(order) + 1.0)
    Lambda, V = np.linalg.eig(A)
    return {"Lambda": Lambda, "B": np.linalg.solve(V, s), "V": V}


def of_measure(measure, **given):
    return lambda order: halved(measure, exact(order, measure, **given))[:3]


def changed(change):
    return lambda order: change(*exact(order)[:3])


NAMED = [
    (without(-1), "largest_mode_dropped", "the largest frequency"),
    (without(2), "mode_dropped", "missing"),
    (replaced(1, 2), "mode_twice", "there more than once"),
    (replaced(1, 2, conjugated=True), "pair_whole", "there more than once"),
    (changed(lambda L, P, B: (np.append(L, L[0]), np.vstack([P, P[:1]]), np.append(B, B[0]))), "mode_too_many", "once"),
    (changed(lambda L, P, B: (L, B)), "low_rank_missing", "P is 0"),
    (changed(lambda L, P, B: (L, np.ones(len(L)))), "low_rank_missing", "P is 0"),
    (changed(lambda L, P, B: (L, 3 * P, B)), "scaled_P", "9 times"),
    (changed(lambda L, P, B: (L, P, -P, B)), "negated_Q", "-1 times"),
    (changed(lambda L, P, B: (L, P, B / np.linalg.norm(B))), "scaled_B", "times the exact one"),
    (clipped(-3, 3), "imaginary_clipped", "clipped to 3"),
    (changed(lambda L, P, B: (L, P, B / np.maximum(np.abs(B) / 1.5, 1))), "clipped_B", "clipped to 1.5"),
    (changed(lambda L, P, B: (L, P, np.roll(B, 1))), "rows_unsorted", "stand at other modes"),
    (changed(lambda L, P, B: (L - 0.25, P, B)), "rates_wrong", "-0.75 in every mode, expected -0.5"),
    (changed(lambda L, P, B: (-L, P, B)), "negated_Lambda", "0.5 in every mode, expected -0.5"),
    (lambda N: {"Lambda": -0.5 + 1j * np.pi * np.arange(N // 2 + N % 2), "B": np.ones(N // 2 + N % 2)}, "s4d_lin", ""),
    (of_measure("legt", theta=2.0), "other_operator", "Lambda and the low-rank term"),
    (of_measure("fout", theta=2.0), "other_operator", "Lambda and the low-rank term"),
    (of_measure("lagt", beta=0.5), "other_operator", "Lambda and the low-rank term"),
    (diagonalised, "whole_diagonalised", "digits are lost"),
]


@pytest.mark.parametrize(("target", "key", "words"), NAMED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_wrong_is_read_off_the_factors(target, key, words, oracle):
    report = verify.check(target, level="factors", orders=(8, 16), oracle=oracle)
    assert report.status == "fail"
    assert report.diagnosis[0].defect == key, report.diagnosis
    assert words in report.diagnosis[0].evidence


def test_the_condition_of_the_eigenvectors_is_told(oracle):
    """Doubles keep no digit of LegS at order 32, where its eigenvectors are far from orthogonal."""
    report = verify.check(diagonalised, level="factors", orders=(8, 32), oracle=oracle)
    assert "condition number 1.4e+04: 4 of about 16 digits" in report.diagnosis[0].evidence
    report = verify.check(diagonalised, level="factors", orders=(32,), oracle=oracle)
    assert "all of about 16 digits are lost" in report.diagnosis[0].evidence


def test_the_name_of_another_measure_has_its_parameters(oracle):
    for measure, given, words in (
        ("legt", {"theta": 2.0}, "LegT, theta = 2; asked for was LegS"),
        ("lagt", {"beta": 0.5}, "LagT, beta = 0.5; asked for was LegS"),
    ):
        report = verify.check(of_measure(measure, **given), level="factors", orders=(8,), oracle=oracle)
        assert words in report.diagnosis[0].text


def test_conjugated_factors_are_the_transpose_and_only_rank_one_may_have_them(oracle):
    """Without V nothing tells V^T from V^* where P is a multiple of B; of LegT it is another operator."""

    def conjugated(measure):
        def factors(order):
            Lambda, P, B, _ = exact(order, measure)
            return Lambda, P.conj(), B.conj()

        return factors

    passing = verify.check(conjugated("legs"), "legs", "factors", orders=(8,), oracle=oracle)
    assert passing.status == "pass"
    failing = verify.check(conjugated("legt"), "legt", "factors", orders=(8,), oracle=oracle)
    assert failing.status == "fail"
    assert {item.defect for item in failing.diagnosis} >= {"unconjugated", "transposed"}
    assert "|(z - A)^-1 B|" in failing.verdicts[0].message


@pytest.mark.parametrize("measure", MEASURES)
def test_what_does_not_change_with_V_is_what_mpmath_says(measure, oracle):
    """The second witness, and that the first is within what it allows for its own rounding."""
    order = 6
    truth = Truth.of(case_of(measure, order), oracle)
    split = truth.split
    z = np.array([split.shift + 0.5 + 1j, split.shift + 20.0])
    normal = split.shift * np.eye(order) + split.skew
    found = _sums(z, normal, split.low @ split.low.T, split.input)
    with mpmath.workdps(40):
        A, b, S = (mpmath.matrix(part.tolist()) for part in (truth.A.high, truth.B.high, normal))
        R = S - A
        for i, point in enumerate(z):
            for matrix, row in ((S, 2), (A, 4)):
                resolvent = mpmath.inverse(mpmath.mpc(point) * mpmath.eye(order) - matrix)
                answer = resolvent * b
                assert abs(complex((b.T * answer)[0]) - found[row][i]) < 1e-12 * abs(found[row][i])
                if row == 2:
                    trace = sum(((R * resolvent)[k, k] for k in range(order)), mpmath.mpf(0))
                    assert abs(complex(trace) - found[3][i]) < 1e-12 * abs(found[3][i])
                else:
                    assert abs(float(mpmath.norm(answer)) - found[5][i]) < 1e-12 * found[5][i]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_nothing_speaks_against_right_factors(measure, dtype, oracle):
    """A proof of being right is not needed for that: no invariant of right factors is beyond its limit."""
    for order in (1, 2, 7, 32):
        for shape in ("all", "half"):
            case = case_of(measure, order, dtype=dtype)
            parts = exact(order, measure, oracle, dtype=dtype)
            if shape == "half":
                parts = halved(measure, parts)
            Lambda, P, B = (np.array(part, complex) for part in parts[:3])
            truth = Truth.of(case, oracle)
            limited = truth if len(Lambda) == order else truth.halved
            found = list(_moments(limited, Factors(Lambda, P, P, B).completed(order)))
            assert [f.message for f in found if f.status is not Status.PASS] == []


@pytest.mark.parametrize("measure", MEASURES)
def test_the_unitary_matrix_that_is_found_is_one(measure, oracle):
    case = case_of(measure, 9)
    split = Truth.of(case, oracle).split
    draw = np.random.default_rng(0)
    Lambda, P, B = (np.array(part, complex) for part in exact(9, measure, oracle)[:3])
    V = aligned(Lambda, P @ P.conj().T, B * np.exp(0.3j * draw.random(9)), split, (1e-13, 1e-13, 1e-13))
    np.testing.assert_allclose(V.conj().T @ V, np.eye(9), atol=1e-13)


def test_an_operator_is_split_into_normal_and_low_rank(oracle):
    for measure, rank in (("legs", 1), ("legt", 2), ("lagt", 1), ("fout", 1)):
        A, B = oracle.system(case_of(measure, 6))
        split = Operator.of(A.high, B.high, -Identity.of(case_of(measure, 6)).shift / 2)
        assert split.low.shape == (6, rank)
        np.testing.assert_allclose(split.shift * np.eye(6) + split.skew - split.low @ split.low.T, A.high, atol=1e-12)


def test_limits_of_factors_grow_with_what_they_are_made_of():
    limits = FactorLimits(4, "float32", spread=3.0, rank=8.0, gain=2.0)
    assert limits.normal == 11
    assert limits.turn == 0
    assert limits.unitary.forward < limits.input.forward < limits.spectrum.forward < limits.whole.forward
    assert limits.whole.backward == pytest.approx(4 * limits.whole.forward, rel=1e-6)
    assert limits.low_rank.forward == pytest.approx(6 * 8 * 32 * 2.0**-24, rel=1e-4)
    half = replace(limits, gap=0.5, rate=0.5)
    assert half.turn == 22
    assert half.unitary.forward == pytest.approx(23 * limits.unitary.forward, rel=1e-6)
    assert half.spectrum.forward == limits.spectrum.forward
    moments = MomentLimits(limits, 2, 10.0)
    assert moments.quadratic(np.array([1e-9]), moments.modal_error).forward == np.inf
    assert np.all(np.diff(moments.trace(np.array([1.0, 2.0, 4.0])).forward) < 0)
    assert moments.response(np.array([2.0])).forward < moments.quadratic(np.array([2.0]), moments.whole_error).forward


def test_half_of_LegS_needs_the_wider_limits_at_order_64(oracle):
    """Its lowest frequencies are half apart, its largest is 1300: conjugates of computed columns overlap by that."""
    V = halved("legs", exact(64))[3]
    overlap = np.abs(V.T @ V).max()
    limits = Truth.of(case_of("legs", 64), oracle)
    assert limits.limits.unitary.forward < overlap < limits.halved.limits.unitary.forward


class TestForms:
    parts = tuple(np.array(part) for part in exact(4))

    def test_each_is_read(self):
        Lambda, P, B, V = self.parts
        for answer, names in (
            ((Lambda, B), "Lambda B"),
            ([Lambda, P, B], "Lambda P B"),
            ((Lambda, P, B, V), "Lambda P B V"),
            ((Lambda, P, P, B), "Lambda P Q B"),
            ((Lambda, P, P, B, V), "Lambda P Q B V"),
            ({"B": B, "Lambda": Lambda, "C": 3}, "Lambda B"),
            (SimpleNamespace(Lambda=Lambda, P=P, Q=None, B=B), "Lambda P B"),
        ):
            assert sorted(read(answer)) == sorted(names.split())

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (3, r"returned an int; expected \(Lambda, P, B\) or"),
            ((1,), r"returned a tuple of 1; expected"),
            ({"Lambda": [1.0]}, r"without B; expected"),
            ({"Lambda": [1.0], "B": "x"}, r"B .*expected"),
        ],
    )
    def test_what_is_none_is_said(self, answer, message):
        with pytest.raises(NotNumbers, match=message):
            read(answer)

    def test_shapes_come_out_alike(self):
        Lambda, P, B, _ = self.parts
        found = shaped({"Lambda": Lambda, "P": P[:, 0], "Q": P.T, "B": B[None, :]})
        assert {name: part.shape for name, part in found.items()} == {
            "Lambda": (4,), "P": (4, 1), "Q": (4, 1), "B": (4,)}  # fmt: skip
        assert fitting(found)
        assert not fitting({**found, "P": found["P"][:3]})
        assert not fitting({"value": Lambda})

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda L, P, B, V: (L[:3], P[:3], B[:3]), r"Lambda has shape \(3,\), expected \(4,\), or \(2,\) with one"),
            (lambda L, P, B, V: (L, P[:3], B), r"P has shape \(3, 1\), expected \(4, 1\)"),
            (lambda L, P, B, V: (L, P, B[:3]), r"B has shape \(3,\), expected \(4,\)"),
            (lambda L, P, B, V: (L, P, B, V[:3]), r"V has shape \(3, 4\), expected \(4, 4\)"),
            (lambda L, P, B, V: (L, P, P[:, :0], B), r"Q has shape \(4, 0\), expected \(4, 1\)"),
        ],
    )
    def test_what_does_not_fit_is_said(self, change, message, oracle):
        target = LiveTarget(lambda order: _only(order, 4, change(*exact(4))), "factors")
        verdict = CHECK.run(case_of(order=4), oracle, target, QUICK)
        assert verdict.status is Status.FAIL
        assert re.search(message, verdict.message), verdict.message

    def test_completed_factors_hold_every_mode(self):
        for measure, order in (("legs", 5), ("legs", 6), ("fout", 6), ("fout", 7)):
            case = case_of(measure, order)
            alone = self_conjugate(case)
            half = halved(measure, exact(order, measure))
            assert len(half[0]) in counts(order, alone)
            given = Factors(half[0], half[1], half[1], half[2], half[3])
            whole = given.completed(order)
            assert np.sort(whole.Lambda.imag) == pytest.approx(np.sort(exact(order, measure)[0].imag), abs=1e-12)
            A = (whole.V * whole.Lambda) @ whole.V.conj().T - whole.V @ whole.low_rank @ whole.V.conj().T
            assert np.abs(A.imag).max() < 1e-12
            assert given.completed(len(half[0])) is given

    def test_two_modes_of_frequency_0_may_also_be_a_pair(self, oracle):
        """S4 joins FouT's two: (e_0 + i e_c)/sqrt(2), which stands for both."""

        def joined(order):
            B = oracle.system(case_of("fout", order))[1].high
            half = halved("fout", exact(order, "fout"))
            if order % 2:
                return half[:3]
            V = np.delete(half[3], 0, axis=1)
            V[:, 0] = 0
            V[[0, order - 1], 0] = np.sqrt(0.5) * np.array([1, 1j])
            P = B[:, None] / np.sqrt(2)
            return np.delete(half[0], 0), V.conj().T @ P, V.conj().T @ B, V

        report = verify.check(joined, "fout", "factors", orders=(2, 6, 16), oracle=oracle)
        assert [v.status for v in report.verdicts if v.check == "factors"] == [Status.PASS] * 3, report.verdicts


def test_a_census_tells_modes_by_name():
    exact_modes = -0.5 + 1j * np.array([-3.0, -1.0, 0.0, 1.0, 3.0])
    found = census(exact_modes[[0, 1, 1, 4]], exact_modes, 1e-9)
    assert found.describe() == (
        "-0.5 (frequency 0) and -0.5+1i (the smallest frequency): missing, "
        "-0.5-1i (the smallest frequency): there more than once"
    )
    assert census(exact_modes, exact_modes, 1e-9).describe() == ""
    assert "no mode of it" in census(exact_modes + 0.1, exact_modes, 1e-9).describe()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("with_V", [True, False])
def test_what_are_no_factors_fails_without_a_warning(with_V, bad, oracle):
    def alter(model):
        def spoil(*given):
            return tuple(part + bad for part in decompose(*given))

        spoiled = replace(model, decompose=spoil)
        return spoiled if with_V else replace(spoiled, present=lambda factors: factors[:3])

    assert run(case_of("legt", 4), oracle, alter).status is Status.FAIL


def test_a_missing_mode_is_a_wrong_shape(oracle):
    verdict = run(case_of(order=5), oracle, DEFECTS["odd_mode_dropped"].alter)
    assert verdict.status is Status.FAIL
    assert "Lambda has shape (4,), expected (5,), or (3,) with one mode of each pair" in verdict.message


def test_a_refused_neighbour_is_left_out_and_a_crash_is_an_error(oracle):
    """S4 and S5 take even orders only."""

    def even(kind):
        def factors(order):
            if order % 2:
                raise TargetError(kind, f"order {order} is odd")
            return halved("legs", exact(order))[:3]

        return LiveTarget(factors, "factors")

    verdict = CHECK.run(case_of(order=4), oracle, even("raised"), QUICK)
    assert verdict.status is Status.PASS
    assert verdict.details["left_out"] == {"3": "order 3 is odd", "5": "order 5 is odd"}
    assert CHECK.run(case_of(order=4), oracle, even("crash"), QUICK).status is Status.ERROR


@pytest.mark.parametrize(
    ("measure", "given", "reason"),
    [("lmu", {}, "rescaled coordinates"), ("lagt", {"alpha": 0.5}, "no unitary V"), ("jacobi", {}, "not known")],
)
def test_factors_that_do_not_exist_are_unsupported(measure, given, reason):
    assert reason in CHECK.why_not(make_case("x", measure, level="factors", **given))


def test_where_nothing_is_proved_nothing_is_said(oracle):
    """A phase of one B, changed by less than what refutes it: no V is found, and that is no verdict."""

    def factors(order):
        Lambda, P, B, _ = exact(order)
        B = B * np.exp(1j * 1e-10 * (np.arange(order) == 3))
        return Lambda, P, B

    verdict = CHECK.run(case_of(order=16), oracle, LiveTarget(factors, "factors"), QUICK)
    assert verdict.status is Status.INCONCLUSIVE
    assert "give V as well" in verdict.message


def test_the_factors_of_s5_are_those_of_legs(oracle):
    report = verify.check("s5-pytorch-dplr", level="factors", orders=(4, 5, 32), checks=("factors",), oracle=oracle)
    assert [v.status for v in report.verdicts] == [Status.PASS] * 3


def nplr(A, B, P):
    """S4's way: the modes of negative frequency, FouT's two of frequency 0 as one pair, a row for each rank."""
    order = len(B)
    if order % 2:
        raise ValueError(f"order {order} is odd")
    S = A + P @ P.T
    frequencies, V = np.linalg.eigh(-1j * S)
    V = V[:, : order // 2].copy()
    if abs(frequencies[order // 2 - 1]) < 1e-6:
        V[:, -1] = 0
        V[:2, -1] = np.sqrt(0.5) * np.array([1, 1j])
    Lambda = np.trace(S) / order + 1j * frequencies[: order // 2]
    return Lambda, (V.conj().T @ P).T, V.conj().T @ B, V


def s4_legt(order):
    s, n = np.sqrt(2.0 * np.arange(order) + 1), np.arange(order)
    A = -np.outer(s, s) * np.where(n[:, None] < n, (-1.0) ** (n[:, None] - n), 1) / 2
    return nplr(A, s / 2, np.stack([s * (n % 2 == 0), s * (n % 2)], axis=1) / np.sqrt(2))


def s4_fourier(order):
    turn, B = np.zeros((order, order)), np.tile([np.sqrt(2), 0.0], order)[:order]
    B[0] = 1
    for j in range(1, order // 2):
        turn[2 * j, 2 * j + 1], turn[2 * j + 1, 2 * j] = np.pi * j, -np.pi * j
    return nplr(turn - np.outer(B, B), B, B[:, None])


def s4_lagt(order):
    return nplr(np.eye(order) / 2 - np.tril(np.ones((order, order))), np.ones(order), np.full((order, 1), np.sqrt(0.5)))


def s4_clipped(order):
    s = np.sqrt(2.0 * np.arange(order) + 1)
    Lambda, P, B, V = nplr(-np.tril(np.outer(s, s), -1) - np.diag(np.arange(order) + 1.0), s, s[:, None] / np.sqrt(2))
    return Lambda, P, B.real + 1j * np.clip(B.imag, -2, 2), V


@pytest.mark.parametrize(
    ("target", "asked", "cause"),
    [
        (s4_legt, {"measure": "legt", "theta": 2}, None),
        (s4_legt, {"measure": "legt"}, "other_operator"),
        (s4_fourier, {"measure": "fout", "theta": 2}, "dead_sine"),
        (s4_lagt, {"measure": "lagt"}, "untilted"),
        (s4_clipped, {}, "imaginary_clipped"),
    ],
)
def test_the_operators_that_S4_has_under_these_names(target, asked, cause, oracle):
    report = verify.check(target, level="factors", orders=(4, 16), oracle=oracle, **asked)
    assert report.status == ("pass" if cause is None else "fail")
    assert [item.defect for item in report.diagnosis][:1] == ([cause] if cause else [])


def test_single_precision_is_named_where_double_is_asked_for(oracle):
    def single(order):
        return tuple(part.astype(np.complex64) for part in exact(order)[:3])

    assert verify.check(single, level="factors", orders=(4, 16), dtype="float32", oracle=oracle).status == "pass"
    report = verify.check(single, level="factors", orders=(4, 16), oracle=oracle)
    assert report.diagnosis[0].defect == "single_precision"
    assert "--dtype float32" in report.diagnosis[0].text


def test_the_published_digits_are_those_of_the_command():
    """One row, so that the page cannot drift from the code; the rest is the same code."""
    from verify.factor_precision import condition, table

    row = table("float64", (8,), Oracle(cache_folder()))[-1]
    page = (Path(__file__).parents[2] / "reports/published/structure.md").read_text(encoding="utf-8")
    printed = next(line for line in page.splitlines() if line.startswith("| 8 |"))
    ours, theirs = ([cell.strip() for cell in text.split("|")] for text in (row, printed))
    assert ours[:3] == theirs[:3]
    assert [cell.split(", ")[-1] for cell in ours[3:6]] == [cell.split(", ")[-1] for cell in theirs[3:6]]
    assert ours[3].split("e")[1] == theirs[3].split("e")[1]
    assert condition(8) == pytest.approx(1.03e4, rel=0.01)
