"""What all bounds rest on: the unit roundoff, the families of rules, the norm, the clock."""

import math
from fractions import Fraction

import numpy as np
import pytest
from bounds_tools import BUILDERS, afresh, operator, scalar

from verify.bounds import (
    CONTRACTING,
    DISSIPATIVE,
    EVALUATION,
    LARGEST,
    ROUNDOFF,
    SMALLEST_NORMAL,
    Limits,
    gamma,
    gbt_weight,
    hold_degree,
    weights,
)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_arithmetics_are_those_of_numpy(dtype):
    info = np.finfo(dtype)
    assert ROUNDOFF[dtype] == float(info.eps) / 2
    assert SMALLEST_NORMAL[dtype] == float(info.tiny)
    assert 0.9 * float(info.max) < LARGEST[dtype] <= float(info.max)
    assert 1 + 1e-10 < EVALUATION < 1.02, "more than the rounding of a majorant, less than would be seen"


class TestGamma:
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    @pytest.mark.parametrize("operations", [0, 1, 30, 2**20, 0.5])
    def test_it_is_the_quotient_of_higham(self, operations, dtype):
        product = Fraction(operations) * Fraction(ROUNDOFF[dtype])
        assert gamma(operations, dtype) == pytest.approx(float(product / (1 - product)), rel=1e-15, abs=0)

    def test_it_is_infinite_from_where_nothing_is_promised(self):
        assert gamma(2**53, "float64") == math.inf
        assert gamma(2**54, "float64") == math.inf
        assert gamma(2**53 - 1, "float64") == 2.0**53 - 1
        assert gamma(2**24, "float32") == math.inf

    def test_roundings_in_a_row_cost_at_most_the_gamma_of_their_sum(self):
        """Higham, lemma 3.3: ``gamma_j + gamma_k + gamma_j gamma_k <= gamma_{j+k}``."""
        for j, k in ((1, 1), (30, 48), (10**4, 3)):
            one, other = gamma(j, "float32"), gamma(k, "float32")
            assert one + other + one * other <= gamma(j + k, "float32")


class TestRules:
    @pytest.mark.parametrize(
        ("method", "weight", "degree"),
        [
            ("euler", 0.0, None),
            ("bilinear", 0.5, None),
            ("backward_euler", 1.0, None),
            ("gbt(1/3)", 1 / 3, None),
            ("gbt(0)", 0.0, None),
            ("gbt(0.75)", 0.75, None),
            ("gbt(1)", 1.0, None),
            ("zoh", None, 0),
            ("foh", None, 1),
            ("hold(0)", None, 0),
            ("hold(2)", None, 2),
            ("hold(3)", None, 3),
            ("hold(4)", None, None),
            ("trapezoid", None, None),
            ("GBT(1/3)", None, None),
            ("gbt()", None, None),
            ("gbt(1/3)x", None, None),
            ("xhold(2)", None, None),
            ("hold(22)", None, None),
        ],
    )
    def test_a_name_has_a_weight_or_a_degree_or_neither(self, method, weight, degree):
        afresh()
        assert gbt_weight(method) == weight
        assert hold_degree(method) == degree

    @pytest.mark.parametrize(
        ("method", "reach"),
        [("bilinear", 0), ("euler", 0), ("zoh", 0), ("trapezoid", 1), ("foh", 1), ("hold(2)", 2), ("hold(3)", 3)],
    )
    def test_a_step_reads_so_many_earlier_samples(self, method, reach):
        silent = scalar(method, -1.0, dt=0.5, measure="lagt")
        assert silent.reach == reach
        assert silent.starts_silent is (reach > 0), "an invariant law has seen nothing at time 0 if it reads nodes"
        assert scalar(method, -1.0).starts_silent is False, "LegS starts from its first sample"

    @pytest.mark.parametrize("method", [*CONTRACTING, "gbt(1/2)", "gbt(0.6)", "hold(3)"])
    @pytest.mark.parametrize("dt", [None, 0.5])
    def test_these_contract_under_either_law(self, method, dt):
        assert scalar(method, -1.0, dt=dt).contracts is True

    @pytest.mark.parametrize("method", ["euler", "gbt(1/3)", "gbt(0.49)"])
    def test_an_explicit_share_above_a_half_does_not(self, method):
        assert scalar(method, -1.0).contracts is False
        assert scalar(method, -1.0, dt=0.5).contracts is False

    def test_the_trapezoid_rule_contracts_under_an_invariant_law_alone(self):
        assert scalar("trapezoid", -1.0, dt=0.5).contracts is True
        assert scalar("trapezoid", -1.0).contracts is False

    @pytest.mark.parametrize("method", [*CONTRACTING, "trapezoid"])
    def test_without_a_structure_identity_nothing_is_known_to(self, method):
        assert scalar(method, -1.0, dt=0.5, measure="jacobi").contracts is False

    def test_a_rule_that_nobody_knows_does_not(self):
        assert scalar("leapfrog", -1.0, dt=0.5).contracts is False


class TestLimits:
    def test_equal_limits_are_allowed(self):
        limits = Limits(np.array([1.0, math.inf]), np.array([1.0, math.inf]), "a source")
        assert limits.source == "a source"
        assert "Higham" in Limits(np.array(0.0), np.array(0.0)).source

    @pytest.mark.parametrize("backward", [[2.0, 0.5], [2.0, math.nan]])
    def test_a_backward_limit_below_the_forward_limit_is_refused(self, backward):
        with pytest.raises(ValueError, match=r"^a backward limit below the forward limit would fail what it passes$"):
            Limits(np.array([1.0, 1.0]), np.array(backward))


class TestWeights:
    @pytest.mark.parametrize("measure", ["legs", "legt", "fout", "legs_lti", "jacobi"])
    def test_an_orthonormal_basis_needs_none(self, measure):
        assert weights(measure, {"theta": 2.0, "alpha": 0.5}, 4).tolist() == [1.0, 1.0, 1.0, 1.0]

    def test_lmu_is_legt_scaled(self):
        assert (weights("lmu", {"theta": 2.0}, 13)[[0, 4, 12]] == [1, 1 / 3, 1 / 5]).all()
        assert (weights("lmu", {}, 4) ** 2) == pytest.approx([1, 1 / 3, 1 / 5, 1 / 7], rel=1e-15, abs=0)

    @pytest.mark.parametrize("parameters", [{}, {"alpha": 0.0}, {"beta": 3.0}])
    def test_plain_lagt_needs_none(self, parameters):
        assert weights("lagt", parameters, 3).tolist() == [1.0, 1.0, 1.0]

    @pytest.mark.parametrize("alpha", [Fraction(1, 2), Fraction(-9, 10), Fraction(99, 100)])
    def test_lagt_is_scaled_by_a_product(self, alpha):
        """``Lam_n^2 / Lam_0^2 = prod_{i=1}^n (i + alpha) / i``."""
        squares, product = [], Fraction(1)
        for i in range(1, 7):
            squares.append(float(product))
            product *= (i + alpha) / i
        found = weights("lagt", {"alpha": float(alpha), "beta": 0.5}, 6)
        assert found**2 == pytest.approx(squares, rel=1e-13, abs=0)
        assert found[0] == 1

    @pytest.mark.parametrize("measure", sorted(BUILDERS))
    def test_in_its_norm_no_error_grows(self, measure):
        op = operator(measure, "zoh", 9)
        D = op.weights
        scaled = np.array(op.A) * D[:, None] / D[None, :]
        assert measure in DISSIPATIVE
        assert np.linalg.eigvalsh(scaled + scaled.T)[-1] <= 1e-13

    def test_an_operator_asks_for_its_own(self):
        op = operator("lagt", "zoh", A=-np.eye(3), B=np.ones(3), dt=1.0, alpha=0.5)
        assert (op.weights == weights("lagt", {"alpha": 0.5}, 3)).all()
        assert op.order == 3


class TestClock:
    def test_a_node_is_counted_from_zero_and_the_end_of_a_cell_from_one(self):
        assert [scalar("bilinear", -1.0).node(k) for k in (0, 3)] == [0.0, 3.0]
        assert [scalar("foh", -1.0).node(k) for k in (0, 3)] == [0.0, 3.0]
        assert [scalar("zoh", -1.0).node(k) for k in (0, 3)] == [1.0, 4.0]
        assert [scalar("hold(0)", -1.0).node(k) for k in (0, 3)] == [1.0, 4.0]
        assert isinstance(scalar("zoh", -1.0).node(2), float)

    @pytest.mark.parametrize("method", ["zoh", "foh"])
    def test_given_times_are_taken_as_they_are(self, method):
        op = scalar(method, -1.0, times=(0.5, 0.75, 2.0))
        assert [op.node(k) for k in range(3)] == [0.5, 0.75, 2.0]


@pytest.mark.parametrize("order", [1, 2, 64])
def test_each_entry_of_a_step_may_carry_so_many_roundings(order):
    """N for a product with a row, 3N to factor, N each to form and apply: 6N; 24 for the sum and for small orders."""
    op = operator("legs", "bilinear", order)
    assert op.roundings == 6 * order + 24
    assert op.gamma("float32") == gamma(6 * order + 24, "float32")
