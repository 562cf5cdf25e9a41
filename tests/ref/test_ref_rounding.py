"""Rounding majorants against runs in the arithmetics they are for: never exceeded, and not by much too wide."""

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch
from mpmath import mp, mpf
from ref_tools import name

from hippo_ref import measure, states
from hippo_ref.discretizations import discretization
from hippo_ref.rounding import ARITHMETICS, Arithmetic, rounding_majorant

LEGS, LEGT, LAGT = measure("legs"), measure("legt"), measure("lagt", alpha="0.3")
FOUT, LTI = measure("fout", theta=2), measure("legs_lti")
DT = {"legt": 1 / 32, "lagt": 1 / 8, "fout": 1 / 16, "legs_lti": 1 / 16}
ORDER, LENGTH = 5, 40
UNEVEN = [1, *(Fraction(3 * k, 2) + (k % 3) * Fraction(1, 4) for k in range(1, LENGTH))]


def signal(seed, length=LENGTH):
    return np.random.default_rng(seed).standard_normal(length)


def spacing(m, timestamps):
    return {"timestamps": timestamps} if timestamps else {"dt": DT.get(m.key)}


@cache
def exact_steps(m, method, length, timestamps=None, order=ORDER):
    """``[M v]`` of every step as arrays of mpf: states from unit states and unit samples."""
    rule, found = discretization(method), []
    default = range(rule.first_time, rule.first_time + length) if m.key == "legs" else None
    times = timestamps or default
    for k in range(length):
        read, lead = min(rule.reach, k), min(max(1, rule.reach), k)
        if k == 0 and (m.key == "legs" or rule.reach):
            found.append(None)
            continue

        def after(start, read_samples, k=k, lead=lead, read=read):
            earlier = read_samples[1:][::-1]
            previous = {0: None, 1: earlier[0] if earlier else None}.get(rule.reach, earlier)
            at = {"timestamps": list(times[k - lead : k + 1])} if times else {"dt": DT[m.key]}
            last = states(m, read_samples[:1], order, method, dps=40, start=start, first=k, previous=previous, **at)
            return last[0]

        units = np.eye(order).tolist()
        inputs = np.eye(read + 1).tolist()
        columns = [after(unit, [0.0] * (read + 1)) for unit in units] + [after([0.0] * order, i) for i in inputs]
        found.append(np.array(columns, dtype=object).T)
    return found


def rounded_steps(*arguments):
    return [None if step is None else step.astype(np.float64) for step in exact_steps(*arguments)]


def tf32(x):
    """To the 11 significant bits of TF32, to nearest even."""
    bits = np.asarray(x, dtype=np.float32).view(np.uint32)
    bits = bits + np.uint32(0xFFF) + ((bits >> np.uint32(13)) & np.uint32(1)) & np.uint32(0xFFFFE000)
    return bits.view(np.float32)


def bfloat16(x):
    return torch.tensor(np.asarray(x, dtype=np.float64)).bfloat16().float().numpy()


STORE = {
    "float64": np.float64,
    "float32": np.float32,
    "bfloat16": bfloat16,
    "tf32": np.float32,
}


def run(m, u, method, arithmetic, timestamps=None, order=ORDER):
    """The dense recurrence in that arithmetic: (L, N) as float64, exactly."""
    store = STORE[arithmetic]
    u, c, rows = store(u), store(np.zeros(order)), []
    for k, step in enumerate(rounded_steps(m, method, len(u), timestamps, order)):
        if step is not None:
            Z, z = store(step), np.concatenate([c, u[k + 1 - (step.shape[1] - order) : k + 1][::-1]])
            if arithmetic == "tf32":
                Z, z = tf32(Z), tf32(z)
            c = store(Z @ z)
        elif m.key == "legs":
            c = c.copy()
            c[0] = u[0]
        rows.append(c.astype(np.float64))
    return np.array(rows)


def excess(computed, exact, bounds):
    """Largest ``error/bound``, where it is, and the median; an error without a bound is infinite."""
    with mp.workdps(40):
        ratios = {
            (k, n): abs(mpf(float(computed[k][n])) - exact[k][n]) / bound if bound else mpf("inf")
            for k, row in enumerate(bounds)
            for n, bound in enumerate(row)
            if bound or computed[k][n] != exact[k][n]
        }
    worst = max(ratios, key=ratios.get)
    return float(ratios[worst]), worst, float(sorted(ratios.values())[len(ratios) // 2])


CASES = [
    (LEGS, "bilinear", None),
    (LEGS, "zoh", None),
    (LEGS, "trapezoid", None),
    (LEGS, "hold(3)", None),
    (LEGS, "gbt(3/4)", tuple(UNEVEN)),
    (LEGS, "hold(2)", tuple(UNEVEN)),
    (LEGT, "bilinear", None),
    (LEGT, "foh", None),
    (LEGT, "zoh", tuple(t / 40 for t in UNEVEN)),
    (FOUT, "trapezoid", None),
    (LAGT, "backward_euler", None),
    (LTI, "hold(2)", None),
    (LTI, "euler", None),
]


@pytest.mark.parametrize("arithmetic", list(ARITHMETICS))
@pytest.mark.parametrize(("m", "method", "timestamps"), CASES, ids=lambda value: getattr(value, "key", None))
def test_no_run_exceeds_its_majorant(m, method, timestamps, arithmetic):
    for seed in (0, 1):
        u = signal(seed)
        exact = states(m, u, ORDER, method, dps=30, **spacing(m, timestamps))
        bounds = rounding_majorant(m, u, ORDER, method, arithmetic=arithmetic, **spacing(m, timestamps))
        worst, where, median = excess(run(m, u, method, arithmetic, timestamps), exact, bounds)
        assert worst <= 1, f"{name(m)} {method} {arithmetic}: error/bound = {worst} at (step, n) = {where}"
        # Wide by a factor of hundreds, not of powers: worst-case signs against random ones.
        assert worst > 0.02
        assert median > 0.0005


@pytest.mark.parametrize("arithmetic", list(ARITHMETICS))
@pytest.mark.parametrize(
    ("m", "method"), [(LAGT, "bilinear"), (LEGS, "zoh"), (LTI, "foh")], ids=["lagt", "legs", "lti"]
)
def test_the_worst_roundings_reach_the_majorant(m, method, arithmetic):
    """At N = 1 with positive numbers an adversary rounds everything up: all terms of the bound are needed."""
    kind, length = ARITHMETICS[arithmetic], 60
    # Of three terms two are rounded once less than the bound says; of two none is, and only second order is left.
    least = 0.9 if method == "foh" else 1 - 16 * float(max(kind.storage, kind.operands))
    u = np.abs(signal(7, length)) + 0.5
    bounds = rounding_majorant(m, u, 1, method, arithmetic=arithmetic, **spacing(m, None))
    exact = states(m, u, 1, method, dps=30, **spacing(m, None))
    with mp.workdps(40):
        store, operand, add = (
            1 + mpf(part.numerator) / part.denominator for part in (kind.storage, kind.operands, kind.accumulation)
        )
        taken, c = [mpf(float(value)) * store for value in u], mpf(0)
        for k, step in enumerate(exact_steps(m, method, length, order=1)):
            if step is None:
                c = taken[0] if m is LEGS else c
                continue
            numbers = [c, *taken[k + 2 - step.shape[1] : k + 1][::-1]]
            terms = [
                mpf(x) * store * operand * z * operand * add for x, z in zip(step[0].tolist(), numbers, strict=True)
            ]
            c = terms[0]
            for term in terms[1:]:
                c = (c + term) * add
            c = c * store if kind.accumulation < kind.storage else c
            if k:
                assert least < (c - exact[k][0]) / bounds[k][0] <= 1


@pytest.mark.parametrize(
    ("m", "method", "timestamps"), [(LEGT, "bilinear", None), (LEGS, "zoh", tuple(UNEVEN)), (FOUT, "zoh", None)]
)
def test_the_errors_of_all_steps_through_all_products(m, method, timestamps):
    """Against ``sum_j |M_k .. M_{j+1}| delta_j`` to first order, nothing moved: never below, and below twice that."""
    u, unit, count = signal(8), 2.0**-24, ORDER + 1
    bounds = rounding_majorant(m, u, ORDER, method, arithmetic="float32", **spacing(m, timestamps))
    exact = np.array([[float(x) for x in row] for row in states(m, u, ORDER, method, dps=20, **spacing(m, timestamps))])
    moving, c = [], np.zeros(ORDER)
    for k, step in enumerate(rounded_steps(m, method, LENGTH, timestamps)):
        if step is None:
            local = unit * np.abs(u[0]) * np.eye(ORDER)[0]
        else:
            M, drive = step[:, :ORDER], np.abs(step[:, ORDER]) * abs(u[k])
            local = unit * ((count + 1) * np.abs(M) @ np.abs(c) + (count + 2) * drive)
            moving = [M @ column for column in moving]
        moving.append(np.diag(local))
        expected = sum(np.abs(column).sum(axis=1) for column in moving)
        ratio = np.array([float(x) for x in bounds[k]])[expected > 0] / expected[expected > 0]
        assert ratio.min() > 1 - 1e-12
        assert ratio.max() < 2
        c = exact[k]


@pytest.mark.parametrize(("used", "said"), [("float32", "float64"), ("bfloat16", "float32"), ("tf32", "float32")])
@pytest.mark.parametrize(("m", "method"), [(LEGS, "zoh"), (LEGT, "bilinear"), (LTI, "hold(2)")])
def test_a_coarser_arithmetic_than_the_one_said_is_seen(m, method, used, said):
    u = signal(2)
    exact = states(m, u, ORDER, method, dps=30, **spacing(m, None))
    bounds = rounding_majorant(m, u, ORDER, method, arithmetic=said, **spacing(m, None))
    assert excess(run(m, u, method, used), exact, bounds)[0] > 1


def test_a_planted_error_is_seen():
    u = signal(3)
    exact = states(LEGT, u, ORDER, "bilinear", DT["legt"], 30)
    bounds = rounding_majorant(LEGT, u, ORDER, "bilinear", DT["legt"], arithmetic="float32")
    computed = run(LEGT, u, "bilinear", "float32")
    computed[17, 2] += 3 * float(bounds[17][2])
    worst, where, _ = excess(computed, exact, bounds)
    assert worst > 1
    assert where == (17, 2)


@pytest.mark.parametrize(
    ("m", "method"), [(LEGS, "bilinear"), (LEGS, "zoh"), (LEGT, "zoh"), (LEGT, "bilinear"), (FOUT, "zoh")]
)
def test_a_contracting_rule_has_a_majorant_that_grows_linearly(m, method):
    """Rows of contracting products have norm 1 at most: ``E <= sum_j ||delta_j||``, twice that for the movings.

    ``delta_j <= (n + 3) u (|M| |c| + |v| |u|)``: n roundings of a product, and those of its factors, to first order.
    """
    length, unit = 160, 2.0**-24
    u = signal(4, length)
    bounds = rounding_majorant(m, u, ORDER, method, arithmetic="float32", **spacing(m, None))
    exact = np.array([[float(x) for x in row] for row in states(m, u, ORDER, method, dps=20, **spacing(m, None))])
    total, naive, c = unit * abs(u[0]), np.zeros(ORDER), np.zeros(ORDER)
    for k, step in enumerate(rounded_steps(m, method, length)):
        if step is not None:
            M = step[:, :ORDER]
            assert np.linalg.norm(M, 2) <= 1 + 1e-12
            local = (ORDER + 5) * unit * (np.abs(M) @ np.abs(c) + np.abs(step[:, ORDER]) * abs(u[k]))
            total += np.linalg.norm(local)
            naive = np.abs(M) @ naive + local
        c = exact[k]
        assert max(map(float, bounds[k])) <= 2 * total
    if m is not LEGS:
        assert naive.max() > 1e3 * total, "what absolute values alone would give"


def test_absolute_values_alone_are_never_better():
    """``E' = |M| E + local`` with the majorant's own local errors is at least as large, entry by entry."""
    u = signal(5, 30)
    bounds = rounding_majorant(LEGT, u, ORDER, "bilinear", DT["legt"], arithmetic="float32")
    steps = rounded_steps(LEGT, "bilinear", 30)
    for k in range(1, 30):
        carried = np.abs(steps[k][:, :ORDER]) @ np.array([float(x) for x in bounds[k - 1]])
        exact = np.array([float(abs(x)) for x in states(LEGT, u[: k + 1], ORDER, "bilinear", DT["legt"], 20)[k - 1]])
        local = 2.0**-24 * (ORDER + 5) * (np.abs(steps[k]) @ np.concatenate([exact, [abs(u[k])]]))
        assert all(float(bound) <= (a + b) * (1 + 1e-4) for bound, a, b in zip(bounds[k], carried, local, strict=True))


def test_roundoffs_are_those_of_the_formats():
    for kind, info in (("float64", np.finfo(np.float64)), ("float32", np.finfo(np.float32))):
        assert ARITHMETICS[kind].storage == ARITHMETICS[kind].accumulation == Fraction(float(info.eps)) / 2
        assert ARITHMETICS[kind].smallest == Fraction(float(info.smallest_normal))
    info = torch.finfo(torch.bfloat16)
    assert ARITHMETICS["bfloat16"].storage == Fraction(info.eps) / 2
    assert ARITHMETICS["bfloat16"].smallest == Fraction(info.smallest_normal)
    assert ARITHMETICS["bfloat16"].accumulation == ARITHMETICS["tf32"].storage == ARITHMETICS["float32"].storage
    assert ARITHMETICS["tf32"].operands == Fraction(1, 2**11), "10 stored bits of the significand and the leading one"
    assert np.abs(tf32(np.float32(1 + 2**-11)) - 1) == 0
    assert tf32(np.float32(1 + 3 * 2**-11)) == np.float32(1 + 2**-9)


def test_underflow_is_covered():
    """Samples below the smallest normal number of float32 lose most of their bits when they are stored."""
    u = signal(6) * 1e-44
    exact = states(LEGT, u, ORDER, "bilinear", DT["legt"], 30)
    computed = run(LEGT, u, "bilinear", "float32")
    bounds = rounding_majorant(LEGT, u, ORDER, "bilinear", DT["legt"], arithmetic="float32")
    assert excess(computed, exact, bounds)[0] <= 1
    normal = ARITHMETICS["float32"]
    unbounded = Arithmetic("unbounded", normal.storage, normal.operands, normal.accumulation, Fraction(0))
    bounds = rounding_majorant(LEGT, u, ORDER, "bilinear", DT["legt"], arithmetic=unbounded)
    assert excess(computed, exact, bounds)[0] > 1


def test_first_states():
    """Nothing is rounded before the first step of nodes; LegS stores its first sample."""
    bounds = rounding_majorant(LEGT, [1, 2], 3, "foh", 0.1)
    assert bounds[0] == [0, 0, 0]
    assert all(bound > 0 for bound in bounds[1])
    first = rounding_majorant(LEGS, [3, 2], 3, "zoh", arithmetic="bfloat16")[0]
    assert first[1:] == [0, 0]
    assert mpf(3) / 256 <= first[0] <= mpf(3) / 256 * (1 + mpf(2) ** -40)


def test_refusals():
    with pytest.raises(
        ValueError, match="unknown arithmetic 'float16'; expected one of float64, float32, bfloat16, tf32, "
    ):
        rounding_majorant(LEGS, [1], 3, "zoh", arithmetic="float16")
    with pytest.raises(ValueError, match=r"storage of arithmetic 'mine' must be a Fraction in \[0, 1\), got 0.5"):
        Arithmetic("mine", 0.5, Fraction(0), Fraction(0), Fraction(0))
    crude = Arithmetic("crude", Fraction(1, 4), Fraction(0), Fraction(1, 4), Fraction(0))
    with pytest.raises(
        ValueError, match="'crude' bounds sums of n products with n u < 1, where u = 1/4; order 3 needs n = 4"
    ):
        rounding_majorant(LEGS, [1], 3, "zoh", arithmetic=crude)
    with pytest.raises(ValueError, match="samples must hold at least 1"):
        rounding_majorant(LEGS, [], 3, "zoh")
    with pytest.raises(ValueError, match="'legt' needs dt, the sample spacing, > 0, or timestamps; got neither"):
        rounding_majorant(LEGT, [1], 3, "zoh")
