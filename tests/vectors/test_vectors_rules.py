"""The bounds of every rule, held against plain implementations that share nothing with them."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from vector_tools import lines_of, write_document

from hippo_ref.vectors.extents import QUICK, RULES
from hippo_ref.vectors.groups import questions
from verify.bounds import gbt_weight, hold_degree, holds, majorant
from verify.case import Case
from verify.oracle import Oracle
from verify.vectors.judge import Question, judge_answer
from verify.verdict import Status

ORACLE = Oracle(None)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Scans of the quick set, a few for each measure, rule and group."""
    asked = [q for q in questions(QUICK, orders=[1, 3, 4, 9], kinds=["scan"]) if q.group != "edge-zero"][::2]
    return lines_of(write_document(tmp_path_factory.mktemp("scans") / "v.jsonl", asked))[1]


def cardinals(nodes):
    """Row i: coefficients of the polynomial that is 1 at node i and 0 at the others."""
    return np.linalg.inv(np.vander(nodes, increasing=True)).T


class Plain:
    """One scan, in float64 (or with float32 arithmetic), from A and B."""

    def __init__(self, question, dtype):
        A, B = ORACLE.system(question.case)
        self.A, self.B, self.dtype = A.high.astype(dtype), B.high.astype(dtype), dtype
        self.u = np.array(question.doubles("samples"), dtype=dtype)
        self.method, self.dt = question.case.method, question.case.dt
        self.degree = hold_degree(self.method)
        times = question.doubles("timestamps")
        first = 1 if self.degree == 0 else 0
        self.times = times or tuple(float(first + k) for k in range(len(self.u)))

    def states(self):
        order, scale = len(self.B), self.dt is None
        silent = not scale and (self.degree or self.method == "trapezoid")
        c, out = np.zeros(order, self.dtype), []
        for k in range(len(self.u)):
            if k == 0 and scale:
                c[0] = self.u[0]
            elif k or not silent:
                c = (self.hold(c, k) if self.degree is not None else self.implicit(c, k)).astype(self.dtype)
            out.append(c.copy())
        return np.array(out)

    def implicit(self, c, k):
        eye = np.eye(len(c), dtype=self.dtype)
        then, now = (self.times[k - 1], self.times[k]) if self.dt is None else (1.0, 1.0)
        h = now - then if self.dt is None else self.dt
        if self.method == "trapezoid":
            if then == 0:
                return self.projection(np.array([self.u[k - 1], (self.u[k] - self.u[k - 1]) / h]), now)
            left, right = h / (2 * now), h / (2 * then)
            y = c + self.dtype(right) * (self.A @ c) + self.B * self.dtype(right) * self.u[k - 1]
            return np.linalg.solve(eye - self.dtype(left) * self.A, y + self.B * self.dtype(left) * self.u[k])
        a, step = gbt_weight(self.method), h / now
        y = c + self.dtype((1 - a) * step) * (self.A @ c) + self.dtype(step) * self.B * self.u[k]
        return np.linalg.solve(eye - self.dtype(a * step) * self.A, y)

    def projection(self, polynomial, time):
        """Of ``sum_j polynomial[j] x^j`` on [0, time]: Legendre coefficients, times ``sqrt(2n+1)`` of the norm."""
        z = polynomial * float(time) ** np.arange(len(polynomial))
        shifted = np.polynomial.Polynomial(z)(np.polynomial.Polynomial([0.5, 0.5]))
        series = np.polynomial.legendre.poly2leg(shifted.coef)
        out = np.zeros(len(self.B), self.dtype)
        count = min(len(series), len(out))
        out[:count] = series[:count] / np.sqrt(2.0 * np.arange(count) + 1)
        return out

    def hold(self, c, k):
        degree = min(self.degree, k)
        values = self.u[k - np.arange(degree + 1)]
        if self.dt is None:
            then, now = self.times[k - 1], self.times[k]
            # In units of the step, so that neither 2^500 nor 2^-500 is raised to a power.
            unit = now - then
            nodes = np.array([self.times[k - i] / unit for i in range(degree + 1)])
            piece = (values.astype(float) @ cardinals(nodes)) if degree else values.astype(float)
            old, new = (self.projection(piece, time / unit) for time in (then, now))
            if then == 0:
                return new
            return new + scipy.linalg.expm(self.A * self.dtype(math.log(now / then))) @ (c - old)
        order = len(c)
        block = np.zeros((order + degree + 1,) * 2)
        block[:order, :order], block[:order, order] = self.A * self.dt, self.B * self.dt
        block[order:-1, order + 1 :] = np.eye(degree)
        derivatives = values.astype(float) @ cardinals(
            np.array([1.0, *(-float(i) for i in range(degree))])[: degree + 1]
        )
        derivatives *= [math.factorial(j) for j in range(degree + 1)]
        if degree == 0:
            derivatives = values
        whole = scipy.linalg.expm(block.astype(self.dtype))
        return whole[:order] @ np.concatenate([c, derivatives.astype(self.dtype)])


def test_plain_implementations_pass(records):
    """In float64 none of them may fail; those that do not extrapolate a polynomial over all of the past, pass."""
    tried, undecided = set(), []
    for record in records:
        question = Question(record, "plain")
        finding, _ = judge_answer(
            question, Plain(question, np.float64).states()[question.rows].ravel().tolist(), ORACLE
        )
        assert finding.status is not Status.FAIL, (record["id"], finding.message)
        tried.add((record["method"], "dt" in record))
        if finding.status is Status.INCONCLUSIVE:
            undecided.append((record["method"], record["id"]))
    assert tried == {(rule, invariant) for rule in RULES for invariant in (True, False)}
    assert {method for method, _ in undecided} <= {"foh", "hold(2)", "hold(3)"}, undecided


def test_plain_implementations_do_not_fail_in_float32(records):
    tried = 0
    for record in records:
        if "float32" in record["flags"]:
            question = Question(record, "plain", "float32")
            values = Plain(question, np.float32).states()[question.rows].ravel().tolist()
            finding, _ = judge_answer(question, values, ORACLE)
            assert finding.status is not Status.FAIL, (record["id"], finding.message)
            tried += 1
    assert tried > 50


def test_the_swell_of_a_window_that_does_not_contract_is_counted():
    """A Jacobi window's exponential exceeds 1 before it decays; so must the bound on it, at every time of the step."""
    case = Case("x", measure="jacobi", order=8, method="foh", dt=0.25,
                parameters=(("theta", "1"), ("alpha", "-0.25"), ("beta", "1.5")))  # fmt: skip
    operator = ORACLE.operator(case)
    A = np.array(operator.A)
    norms = [np.linalg.norm(scipy.linalg.expm(A * s), 2) for s in np.linspace(0, 0.25, 101)]
    assert max(norms) > 2
    assert holds._swell(A, 0.25) >= max(norms)
    assert not operator.contracts
    named = replace(operator, measure="legt")
    assert np.all(majorant(operator, 1).K >= majorant(named, 1).K)
    assert majorant(operator, 1).K.max() > 2 * majorant(named, 1).K.max()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("gbt(1/3)", "gbt(3/4)"),
        ("gbt(3/4)", "bilinear"),
        ("hold(2)", "foh"),
        ("hold(3)", "hold(2)"),
        ("trapezoid", "foh"),
    ],
)
def test_another_rule_fails(records, right, wrong):
    tried = 0
    for record in records:
        if record["method"] == right and len(record["samples"]) > 4 and "short-step" not in record["id"]:
            question = Question(record, "plain")
            swapped = Plain(question, np.float64)
            swapped.method, swapped.degree = wrong, hold_degree(wrong)
            states = swapped.states()
            if np.allclose(states[question.rows], question.truth.high, rtol=1e-9):  # a line is its own parabola
                continue
            finding, _ = judge_answer(question, states[question.rows].ravel().tolist(), ORACLE)
            assert finding.status is Status.FAIL, record["id"]
            tried += 1
    assert tried >= 10
